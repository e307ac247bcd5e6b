// Package flows is the conversation engine and the scripts it runs.
//
// It is in charge of what is said and what comes next: it loads scripts and
// languages, refuses wrong ones with file and line, and advances a session by
// one event. It must not know a platform, a clock, a database or a network, and
// it decides nothing about codes or methods: it names a check, and the caller
// runs it inside the turn's transaction and comes back with the outcome.
//
// # Scripts
//
// A script is one YAML file with one flow: named steps of eight kinds.
//
//	say     says a text and goes on
//	ask     says a text with choices and/or takes a typed answer, and waits
//	form    asks for secret values by a private form, and waits
//	check   asks the program something ("is it right?", "what is next?") and
//	        goes where the outcome leads
//	call    has a check begin something that takes time (a look at another
//	        system), says what for, and waits: it says so when it takes long
//	        (still), and goes on with the end of it, or when it is late
//	branch  goes where a slot's value leads
//	run     runs another flow and goes where its end leads
//	end     ends the flow with a named outcome
//
// There are no expressions, no code and no addresses in a script. Nothing waits
// inside a turn: a check enqueues a durable job, and the job's end comes back as
// an event, a signal. An ask step may listen to signals, too: a code may fail on
// its way while the person types it.
//
// A typed answer goes to a check as it is and is never kept in a slot. What the
// person did is told to the turn as Message.Heard, for a transcript: the label
// of what was pressed or understood, and dots in place of everything else that
// was typed.
//
// # Answers
//
// The answer of an ask step has a kind, which says what typed text may be one:
//
//	digits6  six digits, however they are written
//	code8    eight to sixteen characters of Crockford's base 32
//	phone    at least three digits in it
//	email    an @ in it
//	login    one word
//	text     anything
//
// An ask step may come with a page ("page: {form, title, button}"): its message
// then holds a form without fields (Form.SignIn) that opens the organisation's
// sign-in. The step still waits for its typed answer, the code that the page
// shows in the end.
//
// # Lists
//
// Lines of a text that begin with "- ", or with "1. ", "2. " and so on, are a
// list. Where a platform has lists, they are one there; elsewhere they stay lines.
//
// # Questions
//
// A file with faq: holds questions that may come at any step: groups of the
// beginnings of words that must all occur (when), and the text that answers
// (say), after which the step is asked again. A question that one sentence does
// not answer begins a script (run), and the step is asked again when that ends.
// What means something else in one place is answered there first: an answer
// with at: holds for flows ("get_in"), steps ("get_in.app") or where nothing
// runs ("idle"), may lead to a step of the flow (goto), and may need a fact
// (needs). What was asked is shown as its title:, or as that of the script.
//
// # Sentences
//
// What no rule knows is compared with phrases: senses/LANG.txt says, for each
// sense, in which words people said it, and senses.yaml what is done about it
// where they are: a choice of the step, a word that works everywhere, a courtesy,
// an answer, a script. What is sure is done; what is likely is offered once, as
// buttons; the rest is not understood. A phone number or an address that belongs
// to a step one choice away is taken there. An own folder adds phrases by files of
// the same names. Set.Explain, and `latchkey ask`, tell how a line is understood.
//
// # Replies
//
// The section replies: of a language file holds what agents of the help desk write
// often: a title, by which they find it, and the text that the person reads (say).
// {agent}, {name}, {step} and {ticket} are filled for the ticket; a reply is not
// offered while something in it is not known, such as the name of somebody who is
// not signed in. An own language file adds replies and changes the shipped ones;
// one that says something else needs a text in every language.
//
// # Choices
//
// A choice with needs: is there where that fact has a value. A target with
// short: true asks its step in few words: what it says in full stands above.
//
// # From outside
//
// A flow that says "outside: [slot, ...]" may be begun by the program itself,
// with these slots (bot.Begin): by the button of an announcement, by an agent.
// One that runs already goes on, or is taken back to a step that was asked in
// this run. An order without a flow asks again what waits: so the help desk
// hands a conversation back at the very step.
//
// # Always a way
//
// help, why, back, skip, later, repeat, resend, cancel, start over, status,
// language and human work at every step, before the step looks at the text.
// Most of them are scripts themselves (library/system). They burn no attempt:
// the step below is simply asked again.
//
// # Changed scripts
//
// A session names flows and steps. When a script changed underneath it, the
// same step is asked again; when the step is gone, its flow starts again with
// its slots kept, and checks skip what is already done. Nobody is thrown out.
package flows
