// Package verify decides whether what a person shows proves something: a code
// that was sent, a one-time password of an authenticator, a recovery code.
//
// It is in charge of one-time passwords (RFC 6238), of codes from the draw to
// the provider's last word, of every counter, cool-down, lock and send limit,
// and of showing a pending authenticator key once. It must not decide which
// methods a person has: it asks the Methods port to make one active, and it
// reads numbers only from the policy.
//
// # Tiers
//
// T1 confirms a new method; its failures pause the person for a while. T3
// proves a person before a method is changed; its failures lock. Every counter
// is keyed on the person, never on the conversation, and a try is counted in
// the transaction that compares it, so that an answer that was given has been
// counted. What a T3 answer says depends on the state of the challenge and on
// the count alone, never on which part of a try was wrong. Nobody proves anything
// for an account that is disabled or frozen, nor by a method that is suspended or
// held for another conversation (bot.Method.Proves). The person is told of every
// third wrong proof and of every lock.
//
// # Codes
//
// A code is six digits, drawn evenly, good for one person, one purpose, one
// challenge and the conversation that asked for it. The store keeps its keyed hash, and the code itself sealed until
// it is handed over or dead, because the job that sends it may run after a
// crash and must send the same code. A new code takes the place of the last
// one. It is used once.
//
// # Sends
//
// An attempt is noted before the provider is called. When the outcome of an
// attempt is not known (a time-out after the request, a crash) the provider is
// asked, if its Sender is an Asker. If it cannot be asked, the same code is
// sent once more and never again: a person may see one text twice, with the
// same code, and nobody is called for ever. Who cannot be told whether it came
// is told that, and the code goes on counting.
//
// A code that has not gone out after some seconds is told to the person who
// waits, while its job goes on.
package verify
