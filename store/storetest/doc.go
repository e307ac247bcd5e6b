// Package storetest is the suite that every bot.Store passes: each part of
// bot.Tx, the promises of Turn (repeats, order, isolation of errors) and what
// must be used once however many ask at the same time.
//
// It is in charge of the contract of bot.Store, and of a throw-away PostgreSQL
// for tests (Postgres). It must not know how a store keeps things.
package storetest
