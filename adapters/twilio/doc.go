// Package twilio carries codes by text message and by voice call through
// Twilio's REST API.
//
// It is in charge of one attempt to hand a code to Twilio, of what Twilio's
// errors and statuses mean, of the signed callbacks, and of the page that a
// call is read from. It must not retry, must not know people, scripts or the
// database, and must not write a number or a code to a log or into an error.
//
// # The library
//
// Requests and answers are built and read by Twilio's own client and
// rest/api/v2010 packages. Its root package is left out: it pulls in every
// product of Twilio. The two packages cost 0.6 MB of binary over net/http and
// 8 seconds of a first compile on two cores. The transport is ours (type
// attempt), because the library's has no context, forgets the response's
// headers and cannot say whether a failed request had been written.
//
// # What a failure means
//
// Messages and Calls have no idempotency key. So: a failure before the request
// was written is a retry; one after it is uncertain, and a person is better
// helped by "send it again" than by a silent second text; 429 is throttled with
// Retry-After; 4xx is permanent with a word for the script (see verdictOf).
//
// # Calls
//
// With a public URL a call reads its words from a page of ours: the person
// presses 1 before the code is read, so that a mailbox never keeps it, and
// Twilio's log holds an address instead of the code. The address carries a
// token of 256 bits that is good for one challenge, and the page answers only
// requests that Twilio signed, and only while the source still has the code.
//
// Without a public URL the words travel inside the request. Then nobody can be
// asked to press a key: a mailbox may record the code, and Twilio keeps it in
// its request log. Use it where no public address can be had, and prefer text
// messages there.
package twilio
