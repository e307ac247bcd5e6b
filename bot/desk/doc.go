// Package desk is the help desk: who asked for a person, who helps them, what
// was said between the two, and the way back to the script.
//
// It is in charge of tickets and of the conversations that an agent has. It asks
// in the transaction of each act who the agent is and what the ticket has become,
// so that of two who do the same thing one wins and the other is told. It must
// not show anything, know a platform, or change a method itself: pages, channels
// and commands stand before it, and Options.Methods behind it.
//
// # States of a ticket
//
//	            asks               take, say
//	person ──────────▶ waiting ──────────────────▶ taken ──────────▶ solved
//	                     │  ▲                        │     solve        │
//	                     │  └──────── requeue ───────┤                  │
//	          needs      ▼            (also: silent) │      reopen      │
//	          nobody  dropped         taken ◀────────┴──────────────────┘
//
// Beside its state, a ticket's conversation is the bot's or the desk's
// (bot.Session.Owner). It is the desk's from an agent's first line until the
// agent sends the person back, or the person ends the chat. Meanwhile the bot says
// nothing, except where a code or a password would be shown to a person. What somebody
// writes whose ticket is open, and the bot does not understand, is a line of it (Keep).
//
// # What other systems learn
//
// Each line of a ticket is an event for a system of the organisation (Told,
// HandleTell): in order in each ticket, tried for days, masked. It may write back
// as bot.OutsideAgent, who can do three acts. One that has tickets of its own
// (bot.OutsideTickets) gets one for each of ours, whose id there stands in the
// ticket's line "filed"; what people write in it is read there (HandleLookThere), and
// done once: each such line of ours bears the id of the one there, and what is refused
// is a line "outside_refused". A new ticket may be mailed (Mailed).
//
// # Channels of the help desk's own
//
// In each Room a ticket has one card, a message that changes as the ticket does
// (Shown, HandleShowTicket); which one it is stands in the ticket's line "shown".
// A press of its buttons is an act of the agent whose account pressed (Press), after a
// form where something is to be entered (AskFirst). No button touches a method. What
// the person and agents say to each other stands in the thread under it (Spoken), with
// what has become of it (HandleShowSent) and of checks; nothing is read there.
//
// # Who calls
//
// An act that touches somebody's methods needs a bot.CallerCheck that is passed:
// of exactly this person, ticket, agent, act and method. It is asked for in the
// transaction of the act, which uses it up.
//
//	         verify            heard, press, confirm        the act
//	agent ──────────▶ open ──────────────────────────▶ passed ───────▶ used
//	                   │ │                              ▲  │
//	 wrong, no, not me │ │ a newer one, never sent      │  │ a newer one
//	                   ▼ └─────────────▶ void ◀─────────┼──┘
//	                 failed                             │
//	agent ──────────────────────────────────────────────┘
//	         verify, by what an agent answers for alone
//
// One that is open or passed is over after ten minutes. What it was passed by is
// looked at again when it is used: a method or chat that has changed within a day,
// a freeze since, or a second agent who is none any more, and it counts no more.
//
// What takes everything from somebody by agents' word alone wants a second agent, and
// is done a day after it (lost.go).
//
// Personal data proves nothing. Agents and administrators are confirmed by a
// second agent only, and so are everybody of whom the report that tells who is an
// administrator has no line (Options.Registrar), and everybody after three failed
// checks in a day.
//
// # Who has left
//
// In the web chat lines are read only while a browser has a session there (Options.Reads).
// When the last one ends the ticket says so (Left), and a line is refused. The ticket goes
// on in another web chat where its person is signed in, or signs in next (Arrived).
//
// # What is promised, and what is taken back
//
// Somebody who waits is told a time only while an agent is at the desk: seen there by a
// page or an act within minutes (Here). For some seconds an agent can take back the line
// that they have just sent (undo.go); the ticket keeps it, with what has become of it.
//
// # Targets and figures
//
// How long the first answer and the solution take is counted in the hours of the
// desk, from the ticket and its lines alone (Targets, Figures): nothing else is
// stored for it. The time to solve stands still after an agent's line until the
// person answers, while the person is with the script, and while the ticket is
// closed. Before a target is missed a line of the ticket warns agents, once
// (HandleDue).
//
// # The second factor of agents
//
// Where the provider is asked for none, the desk in the browser asks for a code of
// a method of the agent's own (Own, SendOwn, ProveOwn), by the checks of package
// verify. It is good for the one session that shows it, and noted there in the same
// transaction. A method that was added after the agent became one counts when it is
// Options.HoldNew old.
//
// # Admins
//
// Who has the role admin does what operators do by command, on a page: package
// enroll runs the order and asks Admin in its transaction. An admin closes the desk
// for what is left of a day (CloseToday), which the hours of that day then know.
//
// # What is kept
//
// Lines are sealed with the vault, those of the person without anything that
// looks like a code or a password. A ticket itself holds no text that anybody
// typed. With Options.Agents false there is a number for the telephone and
// nothing else: requests are counted, and nobody answers in the chat.
package desk
