// Package smtp carries codes and notices by mail.
//
// It is in charge of one thing: one attempt to hand one mail to one submission
// server (RFC 6409) over TLS, and of saying honestly what became of it. It must
// not retry, must not know people, scripts or the database, and must not write
// an address or a code to a log or into an error.
//
// # What a failure means
//
//	before the server took the mail   retry     (no connection, TLS, AUTH, 4xx)
//	5xx for the recipient or the text permanent (code "refused")
//	no answer after the final dot     uncertain (it may have been taken)
//
// AUTH and certificate failures, and a refused sender address, are also logged
// for the operator: no waiting mends them.
//
// A repeat carries the same Message-ID, derived from the message's ID, so that
// servers and mailboxes recognise it.
package smtp
