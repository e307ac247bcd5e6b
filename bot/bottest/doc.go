// Package bottest is a bot in memory, for tests: an adapter that keeps what it
// was told to send, a driver that talks like a person, fakes of what carries
// codes and notices, a clock, and a store for conversations and messages.
//
// It is in charge of making the tests of other packages short and free of sleeps.
// It must not be imported by anything but tests, and it decides nothing: the
// same turn, engine, outbox and store run below it as in production.
//
//	chat := bottest.NewAdapter("test")
//	...                                   // a turn.Service over a store, and an outbox that knows chat
//	c := bottest.Talk(t, service, chat, "c1", "u1")
//	c.Say("hi").Expect("Welcome")
//	c.Press("Start").Expect("user name")
//	c.Submit("sign_in", "password", "secret").Expect("Thank you")
package bottest
