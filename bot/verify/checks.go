package verify

import "latchkey/bot"

// Specs declares the checks. On a zero Service they serve lint only.
func (r *Service) Specs() []bot.CheckSpec {
	return []bot.CheckSpec{
		{Name: "totp.prove", Doc: "is this the code of the authenticator that is being added", Takes: []string{"method"}, Changes: bot.Change, Run: r.totpProve,
			Outcomes: bot.Outcomes("ok masked", "wrong left", "skewed off left", "used", "expired", "set_up", "elsewhere", "paused wait soon")},
		{Name: "code.send", Doc: "send a code to a phone or a mailbox", Takes: []string{"method"}, Changes: bot.ChangeIfPending, Run: r.codeSend,
			Signals:  []string{"late", "again", "doubtful", "delivered", "undelivered", "unreachable", "landline", "opted_out", "refused"},
			Outcomes: bot.Outcomes("sent masked ref minutes", "wait wait masked", "limit wait", "busy", "landline", "gone")},
		{Name: "code.check", Doc: "is this the code that was sent", Takes: []string{"method", "ref"}, Changes: bot.ChangeIfPending, Run: r.codeCheck,
			Outcomes: bot.Outcomes("ok masked", "wrong left", "expired", "used", "void", "paused wait soon")},
		{Name: "code.state", Doc: "does the code that was sent still count", Takes: []string{"method", "ref"}, Run: r.codeState,
			Outcomes: bot.Outcomes("live masked", "expired")},
		{Name: "prove.begin", Doc: "must one of the person's methods be proven first", Options: true, Run: r.proveBegin,
			Outcomes: bot.Outcomes("needed", "fresh", "none", "refused why address", "locked wait soon")},
		{Name: "prove.pick", Doc: "how is the chosen method proven", Takes: []string{"method"}, Run: r.provePick,
			Outcomes: bot.Outcomes("authenticator", "phone via", "email", "recovery", "gone")},
		{Name: "prove.totp", Doc: "is this the code of the person's authenticator", Takes: []string{"method"}, Run: r.proveTOTP,
			Outcomes: bot.Outcomes("ok", "wrong left", "skewed off left", "used", "refused", "locked wait soon")},
		{Name: "prove.recovery", Doc: "is this an unused recovery code", Secret: true, Run: r.proveRecovery,
			Outcomes: bot.Outcomes("ok", "wrong left", "bad", "refused", "locked wait soon")},
	}
}

// Forms declares the private forms.
func (r *Service) Forms() []bot.FormSpec {
	return []bot.FormSpec{
		{Name: "recovery_code", Doc: "one recovery code (field code)", Prepare: r.prepareRecovery},
	}
}
