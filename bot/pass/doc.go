// Package pass hands out tokens and opens what they stand for: the sessions of
// browsers, one-time links and the pages behind them, sign-ins under way at an
// identity provider. It implements bot.Passes.
//
// It is in charge of how long a token is good and of how often: a session ends
// when it was idle or has lasted too long, a link and a sign-in open once. All
// of that is decided in the store's transactions and by the store's clock, so
// that it holds for several replicas and over a restart.
//
// It must not know HTTP, cookies or addresses, look into a conversation, or
// say anything to anybody. It never stores, logs or names a token: the store
// gets its SHA-256 only. A token has 256 random bits, so a plain hash of it
// cannot be turned round, and a guess is not worth counting here; who counts
// strangers is the adapter that serves them.
package pass
