// Package pretend is the demo's phone and mailbox: what a real demo person
// would have in the pocket. Texts, calls and mails arrive in it, and it has an
// authenticator app.
//
// It is in charge of keeping what arrived, in order and for good, and of
// telling a terminal about it. It must not be used for real people: codes and
// authenticator keys stand in its files in clear, as they stand in a real
// phone. So New refuses to work unless it is told that this is the demo, and
// nothing outside the demo's data folder is touched.
//
// # Files, mode 0600, one JSON object a line, only ever appended to
//
//	inbox.jsonl          bot.PhoneItem; a repeat is {"id":...,"repeat":true,"at":...}
//	authenticator.jsonl  {"uri":"otpauth://...","at":...}
//
// Each line is synced before its sender is told of success, so a killed demo
// finds everything again. A line that a crash tore off is dropped.
package pretend
