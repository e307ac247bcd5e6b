package enroll

import "latchkey/bot"

// Specs declares the checks. On a zero Service they serve lint only.
func (r *Service) Specs() []bot.CheckSpec {
	return []bot.CheckSpec{
		{Name: "person.known", Doc: "is the chat account linked to a person", Run: r.personKnown,
			Outcomes: bot.Outcomes("known name", "unknown", "disabled")},
		{Name: "person.means", Doc: "how do people sign in", Frozen: true, Run: r.personMeans, Outcomes: bot.Outcomes("password", "page", "window", "nobody"), Signals: []string{bot.SignalStopped, bot.SignalSignInLate}},
		{Name: "person.link_code", Doc: "is this the code that the page showed after the sign-in", Run: r.personLinkCode,
			Outcomes: bot.Outcomes("ok name", "held name when", "owner name when", "owner_window name when address", "wrong left", "bad", "expired", "void", "locked wait until", "disabled", "unavailable")},
		{Name: "person.username", Doc: "is this a user name of ours", Frozen: true, Run: r.personUsername,
			Outcomes: bot.Outcomes("ok username", "found username", "foreign domain", "bad", "locked wait until username"), Instead: map[string]string{"found": "ok"}},
		{Name: "person.may_sign_in", Doc: "may the next sign-in with this name be tried now", Takes: []string{"username"}, Frozen: true, Run: r.personMaySignIn,
			Outcomes: bot.Outcomes("now", "locked wait until")},
		{Name: "person.sign_in", Doc: "is this the person's password", Secret: true, Takes: []string{"username"}, Run: r.personSignIn,
			Outcomes: bot.Outcomes("ok name", "wrong left", "locked wait until", "disabled", "unavailable")},
		{Name: "person.status", Doc: "how far is the person", Run: r.personStatus,
			Outcomes: bot.Outcomes("signed_out", "stopped", "none name", "started name list", "enrolled name list")},
		{Name: "person.snooze", Doc: "leave the person alone until tomorrow, and remind them then", Frozen: true, Run: r.personSnooze, Outcomes: bot.Outcomes("ok when", "reminded when")},
		{Name: "person.language", Doc: "remember the person's language", Frozen: true, Run: r.personLanguage, Outcomes: bot.Outcomes("ok")},
		{Name: "person.frozen", Doc: "is the account frozen, since when, and may its person start it again here", Frozen: true, Run: r.personFrozen,
			Outcomes: bot.Outcomes("yes since", "window since address", "mine since", "no", "unknown"), Instead: map[string]string{"window": "yes", "mine": "yes"}},
		{Name: "person.thaw", Doc: "start a frozen account again, for somebody who has just signed in with a second factor", Frozen: true, Run: r.personThaw,
			Outcomes: bot.Outcomes("ok", "again address", "no", "unknown")},
		{Name: "person.not_me", Doc: "\"this was not me\": take held links away, or freeze the account (slot stop: all)", Frozen: true, Run: r.personNotMe,
			Outcomes: bot.Outcomes("frozen request", "removed request", "held", "unknown")},
		{Name: "person.cancel", Doc: "drop what is pending and void its codes", Frozen: true, Run: r.personCancel, Outcomes: bot.Outcomes("ok")},

		{Name: "enroll.start", Doc: "begin or go on enrolling", Run: r.enrollStart,
			Outcomes: bot.Outcomes("fresh name", "partly name list", "done name list", "elsewhere name place channel", "disabled")},
		{Name: "enroll.here", Doc: "go on here: what was begun in other conversations is void", Run: r.enrollHere, Outcomes: bot.Outcomes("ok")},
		{Name: "enroll.next", Doc: "which method is next", Run: r.enrollNext, // slots no_authenticator and no_phone may be empty
			Outcomes: bot.Outcomes("authenticator", "phone", "complete", "none", "stopped")},
		{Name: "enroll.finish", Doc: "the end: is the person enrolled", Run: r.enrollFinish,
			Outcomes: bot.Outcomes("enrolled list receipt", "well list receipt", "short", "stopped")},

		{Name: "totp.begin", Doc: "make or show again the key of an authenticator", Signals: []string{"lapsed"}, Changes: bot.Change, Run: r.totpBegin,
			Outcomes: bot.Outcomes("ready method account issuer")},
		{Name: "phone.accept", Doc: "is this a number that codes can be sent to", Changes: bot.Change, Run: r.phoneAccept,
			Outcomes: bot.Outcomes("ok masked method", "found masked method", "renumbered masked method country", "landline masked method", "bad", "several", "short",
				"extension", "country country", "premium", "tollfree", "shared", "same masked", "work"),
			Instead: map[string]string{"found": "ok", "renumbered": "ok", "several": "bad"}},
		{Name: "email.accept", Doc: "is this a private address", Changes: bot.Change, Run: r.emailAccept,
			Outcomes: bot.Outcomes("ok masked method", "found masked method", "typo masked method domain", "bad", "several", "company domain", "disposable", "long",
				"lookalike", "same masked", "shared"),
			Instead: map[string]string{"found": "ok", "typo": "ok", "several": "bad"}},
		{Name: "email.correct", Doc: "give the pending address the domain that was suggested", Takes: []string{"method"}, Changes: bot.Change, Run: r.emailCorrect,
			Outcomes: bot.Outcomes("found masked method", "bad", "company domain", "disposable", "long", "lookalike", "same masked", "shared", "gone")},
		{Name: "questions.begin", Doc: "may questions be set", Changes: bot.Change, Run: r.questionsBegin, Outcomes: bot.Outcomes("ready", "off")},
		{Name: "questions.save", Doc: "store the answers", Secret: true, Takes: []string{"q1", "q2", "q3"}, Changes: bot.Change, Run: r.questionsSave,
			Outcomes: bot.Outcomes("ok", "again bad problem", "paused wait")},
		{Name: "questions.save_again", Doc: "store the one answer that was asked again", Secret: true, Takes: []string{"bad"}, Changes: bot.Change, Run: r.questionsSaveAgain,
			Outcomes: bot.Outcomes("ok", "again bad problem", "gone", "paused wait")},
		{Name: "recovery.begin", Doc: "may recovery codes be made", Changes: bot.Change, Run: r.recoveryBegin, Outcomes: bot.Outcomes("ready", "paused wait")},
		{Name: "recovery.save", Doc: "store the recovery codes that were shown", Secret: true, Changes: bot.Change, Run: r.recoverySave, Outcomes: bot.Outcomes("ok count", "lapsed")},

		{Name: "methods.list", Doc: "the person's methods", Options: true, Run: r.methodsList, Outcomes: bot.Outcomes("some list count", "none", "stopped")},
		{Name: "methods.missing", Doc: "kinds of methods that may be added", Options: true, Run: r.methodsMissing, Outcomes: bot.Outcomes("some", "none", "stopped")},
		{Name: "methods.show", Doc: "one method", Takes: []string{"method"}, Run: r.methodsShow,
			Outcomes: bot.Outcomes("authenticator masked", "phone masked", "email masked", "questions masked", "recovery masked", "suspended masked", "gone", "stopped")},
		{Name: "methods.resume", Doc: "switch a suspended method on again", Takes: []string{"method"}, Changes: bot.Change, Run: r.methodsResume,
			Outcomes: bot.Outcomes("ok masked", "gone")},
		{Name: "methods.remove", Doc: "remove a method", Takes: []string{"method"}, Changes: bot.Change, Run: r.methodsRemove,
			Outcomes: bot.Outcomes("ok masked", "last masked", "gone")},
	}
}

// Forms declares the private forms.
func (r *Service) Forms() []bot.FormSpec {
	return []bot.FormSpec{
		{Name: "sign_in", Doc: "the directory's password (field password)", Prepare: r.prepareSignIn},
		{Name: "sign_in_page", Doc: "opens the sign-in of the organisation; nothing is submitted"},
		{Name: "answers", Doc: "answers to the questions q1, q2, q3 (fields a1, a2, a3)", Prepare: r.prepareAnswers, Try: r.tryAnswers},
		{Name: "answer_again", Doc: "the answer to the question bad (field again)", Prepare: r.prepareAgain, Try: r.tryAgain},
		{Name: "recovery", Doc: "shows recovery codes and takes the confirmation (field saved)", Reveal: r.revealRecovery},
	}
}
