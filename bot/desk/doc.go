// Package desk is the door to people: it takes down that somebody asks for a
// person, with the step, the last error and the language, under a number that
// can be said on the phone.
//
// It must not talk to agents, open tickets or change who owns a conversation;
// the desk itself comes later and starts from these requests. A request holds
// no text that the person typed.
package desk
