// Package webhook tells a system of the organisation about tickets of the help
// desk, by the Standard Webhooks scheme (https://www.standardwebhooks.com).
//
// It is in charge of one thing: one attempt to hand one signed event to one
// address, and of saying honestly what became of it. It must not retry, must not
// know tickets' people or the database, and must not write an address or a text
// to a log or into an error. README.md here is for whoever writes the other side.
package webhook
