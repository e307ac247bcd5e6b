// Package campaign writes to people until they have done what a campaign is about:
// enrolled, gone on, added a second method.
//
// It is in charge of whom a campaign is for at each moment, of when a person is
// written to and how often, of what the message says and what its buttons do, and of
// stopping by itself when something is wrong. It must not send anything, know a
// platform, ask who somebody is, or change a method: messages are rows of the outbox
// (or mails), a button begins a script, and the script does the rest. No message has
// a link to sign in, or a QR.
//
// Whom neither chat nor mail reaches gets a slip of paper, whose start code opens the
// same script. On platforms where nobody may be written to unasked, one message stands
// in a channel.
//
// # States of a campaign
//
//	         send                  Starts             Deadline
//	draft ──────────▶ scheduled ──────────▶ running ──────────▶ done
//	                                         │   ▲
//	               pause, or a reason to ask │   │ resume
//	                                         ▼   │
//	                              paused, or halted        any but done ──▶ stopped
//	                                                                 stop
//
// Above Bound people two send it. Each yes is for the campaign as it was seen
// (bot.Campaign.Seen), and counts while its giver is allowed to give it.
//
// One that is done and whose plan repeats leaves another behind it, NAME-2, scheduled
// for its day.
//
// It asks (pauses) after a restore, and when its clockwork stood still for longer
// than missedAfter. It halts when the audience differs by half from that of the last
// wave, and when too many messages fail, too many people say "not me" or ask the help
// desk (see health).
//
// # States of a person's part
//
//	waiting ──▶ sent ──▶ accepted ──▶ started ──▶ at step ──▶ enrolled
//	   ▲         │          │ ▲
//	   └─────────┤          ▼ │
//	 another way │       snoozed          suppressed (frozen, suspended, disabled,
//	             ▼                        in an open ticket): looked at again every day
//	          failed      declined
//
// Each message is stored in the transaction that moves the part, and a part names
// the row it waits for. So nobody gets one reminder twice, whenever a process dies.
// What may have been sent and is not known to be is "failed: unknown", and is not
// sent again by itself. A row is looked at once more when the outbox claims it
// (Hold): who has enrolled meanwhile, or whose day is over, is not written to.
//
// # Clockwork
//
// Tick runs every few seconds in each process; one of them has a campaign at a time.
// Once a day, when the hours of the campaign's zone begin, a wave asks the audience's
// rule anew, gives new people a part, and lets in as many as the plan allows. Reminders
// and what people asked for ("later") come from the same index of what is due.
// A person is written to in their own time zone, and not within half an hour of what
// they did in the middle of a script.
package campaign
