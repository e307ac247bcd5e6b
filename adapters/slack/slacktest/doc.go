// Package slacktest is a workspace of Slack for tests: the part of the Web API
// that the adapter uses, Socket Mode, and signed requests of the Events API, as
// Slack documents them, on the loopback address.
//
// It is in charge of being no more lenient than Slack: tokens, shapes and
// lengths of blocks, the three seconds of a trigger, one use of it, five minutes
// of a signature. What it knows of Slack comes from the documentation, never
// from the adapter, which it must not import. Slack's own framework, Bolt, is
// made to work against it (adapters/slack/bolt_test.go), so that it is not only
// the adapter that agrees with it.
package slacktest
