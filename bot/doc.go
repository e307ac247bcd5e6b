// Package bot holds the words of Latchkey and the ports between its packages.
//
// It is in charge of meaning: what an event, a turn, a conversation, a method
// or a challenge is, and what each of them may ask of another. It must not do
// anything: no file, socket, clock, database or goroutine is touched here, and
// it imports the standard library only.
//
// # One message, one direction
//
//	adapter ── Event ──▶ turn.Service.Accept ── one transaction ──▶ commit
//	                         │  Engine.Turn (pure)                 │
//	                         │  Check       (database only)        ▼
//	                         └─ session, outbox, jobs, audit    outbox ──▶ Adapter.Send
//	                                                            jobs   ──▶ Sender ──▶ Signal (an Event again)
//
// Everything that happens to a conversation enters by Inbox.Accept: typed
// text, a pressed button, a private form, the outcome of a job, a timer. What
// leaves has been committed first. Only turn changes a session; only outbox
// calls Adapter.Send; only job workers call a Sender.
//
// # Packages
//
//	bot/turn     one event, one transaction
//	bot/inbound  events that wait until it is known who wrote them
//	bot/outbox   delivery in order, retries, retraction
//	bot/budget   how often platforms are called, by all processes together
//	bot/verify   codes, one-time passwords, counters and locks
//	bot/enroll   the methods a person has: begin, prove, replace, remove
//	bot/desk     the door to people: requests for a human
//	bot/campaign announcements: until people have done it
//	bot/understand what a sentence means, in English and Spanish
//	bot/calendar hours of a week in a zone, with holidays
//	bot/pass     sessions of browsers, one-time links, sign-ins under way
//	bot/readiness who will still get in after Microsoft's texts and calls end
//	bot/policy   every number of the security policy, with its cap
//	bot/vault    sealing of secrets, keyed hashes, key rotation
//	bot/audit    the chained record of changes
//	flows        the conversation engine and the scripts
//	adapters/*   one folder for each outside system
//	store        one SQL text, two dialects
//	cmd/latchkey the only place that knows all of them
package bot
