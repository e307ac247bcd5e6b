package policy

import (
	"reflect"
	"slices"
	"time"
)

// Keys is the table of every number, in the order of the configuration. The
// caller owns it.
func Keys() []Key {
	keys := slices.Concat(codeKeys(), failureKeys(), noticeKeys(), totpKeys(), sendKeys(), numberKeys(), methodKeys(), hashKeys(), importKeys(), retentionKeys(), chatKeys(), webKeys())
	d := Default()
	names := fieldNames(d)
	for i := range keys {
		keys[i].Field = names[keys[i].addr(d)]
		keys[i].Default = keys[i].Get(d)
	}
	return keys
}

// fieldNames maps the address of each field of p to the field's name.
func fieldNames(p *Policy) map[any]string {
	v := reflect.ValueOf(p).Elem()
	names := make(map[any]string, v.NumField())
	for i := range v.NumField() {
		names[v.Field(i).Addr().Interface()] = v.Type().Field(i).Name
	}
	return names
}

func codeKeys() []Key {
	return []Key{
		number("policy.codes.digits", "digits", "Digits of a code sent by text, call or mail; the scripts ask for six.",
			"NIST SP 800-63B-4 3.1.3.2 (at least 6 digits); OWASP ASVS 6.5.4", 6, 6, func(p *Policy) *int { return &p.CodeDigits }),
		span("policy.codes.life", "How long a texted or spoken code is good while a new method is confirmed (T1).",
			"NIST SP 800-63B-4 3.1.3.2 (10 minutes at most)", time.Minute, 10*time.Minute, func(p *Policy) *time.Duration { return &p.CodeLifeT1 }),
		span("policy.codes.life_proof", "How long a texted or spoken code is good when an existing method is proven (T3).",
			"Entra SSPR FAQ (5 minutes)", time.Minute, 10*time.Minute, func(p *Policy) *time.Duration { return &p.CodeLifeT3 }),
		span("policy.codes.life_mail", "How long a code sent to a private mail address is good.",
			"NIST SP 800-63B-4 4.2.1.2 (24 hours at most)", 5*time.Minute, 24*time.Hour, func(p *Policy) *time.Duration { return &p.CodeLifeMail }),
		number("policy.codes.tries", "tries", "Wrong tries for one code, after which it is void.",
			"NIST SP 800-63B-4 3.1.3.2; Ory Kratos and Twilio Verify (5)", 1, 10, func(p *Policy) *int { return &p.CodeTries }),
		spans("policy.codes.resend_waits", "Waits before the second, third, ... code to the same method; the last one repeats.",
			"Twilio Verify retry advice (starts at 30 s); OWASP Forgot Password", 10*time.Second, time.Hour, func(p *Policy) *[]time.Duration { return &p.ResendWaits }),
	}
}

func failureKeys() []Key {
	return []Key{
		number("policy.failures.proof", "failures", "Wrong tries of one person over all methods and channels in proof_window that lock proving (T3).",
			"Entra SSPR FAQ (5 in 24 hours)", 1, 10, func(p *Policy) *int { return &p.T3Failures }),
		span("policy.failures.proof_window", "The span in which these are counted, and how long the lock lasts.",
			"Entra SSPR FAQ (24 hours)", 24*time.Hour, 7*day, func(p *Policy) *time.Duration { return &p.T3Window }),
		number("policy.failures.sign_in_free", "failures", "Wrong passwords from one chat account or browser for one name before the next try has to wait (T2).",
			"own choice: people mistype; NIST SP 800-63B-4 3.2.2 (rising waits)", 1, 5, func(p *Policy) *int { return &p.SignInFree }),
		span("policy.failures.sign_in_wait", "The first wait after that; each further one is twice as long.",
			"NIST SP 800-63B-4 3.2.2 (30 seconds, rising to an hour)", 10*time.Second, 5*time.Minute, func(p *Policy) *time.Duration { return &p.SignInWait }),
		span("policy.failures.sign_in_wait_max", "The longest wait; nobody is shut out for longer.",
			"NIST SP 800-63B-4 3.2.2 (an hour)", time.Minute, time.Hour, func(p *Policy) *time.Duration { return &p.SignInWaitMax }),
		rate("policy.failures.sign_in_name", "Wrong passwords for one name from everywhere, or from one chat account for all names, after which each try waits first.",
			"own choice: a stranger slows a person down and locks nobody out", Limit{50, time.Hour}, func(p *Policy) *Limit { return &p.SignInName }),
		span("policy.failures.sign_in_window", "The span in which the wrong passwords of one chat account or browser for one name are counted.",
			"Entra SSPR FAQ (24 hours)", 24*time.Hour, 7*day, func(p *Policy) *time.Duration { return &p.T2Window }),
		number("policy.failures.enroll", "failures", "Wrong tries of one person while methods are confirmed, in enroll_window, before a pause (T1).",
			"own choice: harmless by nature; PWM pauses after 10 in 30 minutes", 1, 50, func(p *Policy) *int { return &p.T1Failures }),
		span("policy.failures.enroll_window", "The span in which these are counted.",
			"own choice", time.Hour, 7*day, func(p *Policy) *time.Duration { return &p.T1Window }),
		span("policy.failures.enroll_pause", "How long that pause lasts.",
			"own choice: NIST SP 800-63B-4 3.2.2 lets waits rise to an hour", 10*time.Minute, 24*time.Hour, func(p *Policy) *time.Duration { return &p.T1Pause }),
		number("policy.failures.method", "failures", "Wrong tries in a row against one method, however slow, that suspend it.",
			"NIST SP 800-63B-4 3.2.2 (100 at most)", 1, 100, func(p *Policy) *int { return &p.FactorFailures }),
		spans("policy.failures.proof_delays", "How long the answer is held back at the first, second, ... T3 try; the last one repeats.",
			"NIST SP 800-63B-4 3.2.2 (rising waits)", 0, time.Minute, func(p *Policy) *[]time.Duration { return &p.T3Delays }),
	}
}

func noticeKeys() []Key {
	return []Key{
		span("policy.notices.link_life", "How long the link \"this was not me\" of a notice can freeze the account.",
			"own choice: people read a mail after their holidays, too", day, 90*day, func(p *Policy) *time.Duration { return &p.NoticeLinkLife }),
		number("policy.notices.chats", "chats", "Linked chats that are told of one change, those used last.",
			"own choice; NIST SP 800-63B-4 4.6 (tell all addresses)", 1, 20, func(p *Policy) *int { return &p.NoticeChats }),
		span("policy.notices.alert_every", "The least time between two mails to alerts.mail.",
			"own choice", time.Minute, time.Hour, func(p *Policy) *time.Duration { return &p.AlertEvery }),
		number("policy.tripwire.day_failures", "failures", "Wrong proofs and sign-ins of known people in a day, over the whole organisation, that pull the tripwire.",
			"own choice: 200 a day keep the chance of one lucky guess below 6 in 10,000", 10, 1000, func(p *Policy) *int { return &p.TripwireDay }),
		number("policy.tripwire.hour_failures", "failures", "The same in an hour, when they are of at least policy.tripwire.hour_people people.",
			"own choice", 5, 500, func(p *Policy) *int { return &p.TripwireHour }),
		number("policy.tripwire.hour_people", "people", "How many people that must be.",
			"own choice: one class that mistypes is no attack", 1, 100, func(p *Policy) *int { return &p.TripwirePeople }),
		number("policy.desk.method_acts", "acts", "What one agent of the help desk may change about people's methods and freezes in a day; the next one is refused, and operators are told.",
			"own choice: a busy day has a dozen lost phones, and more is a matter for two", 1, 100, func(p *Policy) *int { return &p.DeskActs }),
	}
}

func totpKeys() []Key {
	return []Key{
		number("policy.totp.digits", "digits", "Digits of an authenticator's code; widely used apps show six whatever is asked.",
			"RFC 4226 5.3; Key URI format", 6, 6, func(p *Policy) *int { return &p.TOTPDigits }),
		span("policy.totp.period", "How long an authenticator shows one code; widely used apps know 30 s only.",
			"RFC 6238 5.2", 30*time.Second, 30*time.Second, func(p *Policy) *time.Duration { return &p.TOTPPeriod }),
		number("policy.totp.secret_bytes", "bytes", "Length of an authenticator's key.",
			"RFC 4226 4, R6 (20 bytes recommended); NIST SP 800-63B-4 3.1.4.1 (112 bits at least)", 20, 64, func(p *Policy) *int { return &p.TOTPSecretBytes }),
		number("policy.totp.window", "steps", "Steps of clock difference that are accepted when an authenticator is set up. Its own difference is kept, and proving (T3) takes 45 s around it: two codes, at some moments three.",
			"RFC 6238 5.2 (one step) and 6 (the difference is kept)", 0, 1, func(p *Policy) *int { return &p.TOTPWindow }),
		span("policy.totp.drift", "How far a phone's clock may go fast or slow by and by and is followed. Beyond it, its codes are refused and the person is told of the clock.",
			"RFC 6238 6 (a limit is recommended); own choice: a clock that nobody sets is off by that after some months", time.Minute, 10*time.Minute, func(p *Policy) *time.Duration { return &p.TOTPDrift }),
		number("policy.totp.skew_search", "steps", "Steps that are searched, never accepted, to tell a person whether the phone's clock is fast or slow, and by how much.",
			"own choice: ten minutes", 0, 20, func(p *Policy) *int { return &p.TOTPSkewSearch }),
		span("policy.totp.pending_life", "How long a shown key, or a number that was typed, waits for its first code before it is destroyed; a mailbox waits life_mail.",
			"NIST SP 800-63B-4 4.1.2.2 (10 minutes at most)", time.Minute, 10*time.Minute, func(p *Policy) *time.Duration { return &p.PendingLife }),
	}
}

func sendKeys() []Key {
	return []Key{
		rates("policy.sends.sms_user", "Texts that one person may cause.",
			"own choice within Twilio Verify (5 in 10 minutes)", []Limit{{5, 10 * time.Minute}, {20, 24 * time.Hour}}, func(p *Policy) *[]Limit { return &p.SMSUser }),
		rates("policy.sends.sms_number", "Texts to one number, whoever causes them.",
			"Twilio Verify (5 in 10 minutes); Telnyx Verify (3 in 10 minutes)", []Limit{{5, 10 * time.Minute}, {10, 24 * time.Hour}}, func(p *Policy) *[]Limit { return &p.SMSNumber }),
		rate("policy.sends.sms_prefix", "Texts to all numbers that differ in the last four digits only.",
			"own choice, against SMS pumping", Limit{100, time.Hour}, func(p *Policy) *Limit { return &p.SMSPrefix }),
		number("policy.sends.prefix_share", "texts", "How many of one person's texts of a day count towards sms_prefix and the breaker: so many times fewer people can close a prefix for the others.",
			"own choice, against closing a prefix on purpose", 1, 20, func(p *Policy) *int { return &p.PrefixShare }),
		number("policy.sends.budget_floor", "texts", "Texts and calls of the whole organisation in budget_per that are always allowed.",
			"own choice", 0, 10000, func(p *Policy) *int { return &p.SMSBudgetFloor }),
		share("policy.sends.budget_share", "texts a person", "Texts and calls of the whole organisation in budget_per for each member of staff, where that is more.",
			"own choice", 0, 3, func(p *Policy) *float64 { return &p.SMSBudgetShare }),
		span("policy.sends.budget_per", "The span of the organisation's budget.",
			"own choice", 24*time.Hour, 7*day, func(p *Policy) *time.Duration { return &p.SMSBudgetPer }),
		number("policy.sends.breaker_sends", "texts", "How many of the last texts to a prefix the breaker looks at.",
			"own choice, against SMS pumping", 5, 100, func(p *Policy) *int { return &p.BreakerSends }),
		share("policy.sends.breaker_rate", "of 1", "The share of these that must have been confirmed, or the prefix is blocked.",
			"own choice, against SMS pumping", 0.05, 0.95, func(p *Policy) *float64 { return &p.BreakerRate }),
		span("policy.sends.breaker_block", "How long a prefix stays blocked.",
			"own choice, against SMS pumping", time.Hour, 7*day, func(p *Policy) *time.Duration { return &p.BreakerBlock }),
		rates("policy.sends.voice_number", "Calls to one number, whoever causes them.",
			"own choice, below texts: a call wakes people", []Limit{{4, time.Hour}, {8, 24 * time.Hour}}, func(p *Policy) *[]Limit { return &p.VoiceNumber }),
		rates("policy.sends.mail_address", "Code mails to one address, whoever causes them.",
			"own choice within the Entra SSPR FAQ (10 in 10 minutes)", []Limit{{10, time.Hour}, {20, 24 * time.Hour}}, func(p *Policy) *[]Limit { return &p.MailAddress }),
		rate("policy.sends.mail_user", "Code mails that one person may cause.",
			"own choice within the Entra SSPR FAQ (10 in 10 minutes)", Limit{20, time.Hour}, func(p *Policy) *Limit { return &p.MailUser }),
	}
}

func numberKeys() []Key {
	return []Key{
		words("policy.numbers.countries", "Countries whose numbers are accepted, as two-letter codes; premium, shared-cost and toll-free numbers never are.",
			"Twilio geo permissions; Entra telephony fraud page (opt-in by region)", func(p *Policy) *[]string { return &p.Countries }, badCountries),
		word("policy.numbers.default_country", "The country of a number that is typed without one; must be among the countries.",
			"own choice", func(p *Policy) *string { return &p.DefaultCountry }, badCountry),
		number("policy.numbers.sharers", "people", "How many people may prove the same number.",
			"NIST SP 800-63B-4 (shared devices are not barred); the number is our own choice", 1, 5, func(p *Policy) *int { return &p.NumberSharers }),
		toggle("policy.numbers.voip", "Whether numbers of internet telephony are accepted.",
			"own choice; NIST SP 800-63B-4 3.1.3.3 asks to weigh the risk", func(p *Policy) *bool { return &p.AllowVoIP }),
	}
}

func methodKeys() []Key {
	return []Key{
		number("policy.methods.required", "methods", "Proven methods that make a person enrolled.",
			"Entra policy (1 or 2)", 1, 3, func(p *Policy) *int { return &p.Required }),
		number("policy.methods.recommended", "methods", "Proven methods that make a person well protected; must not be fewer than required.",
			"Entra policy (one more than a reset needs)", 1, 5, func(p *Policy) *int { return &p.Recommended }),
		toggle("policy.methods.questions", "Whether security questions are offered, never enough alone; OWASP ASVS 6.4.2 holds with false only.",
			"OWASP ASVS 6.4.2; NIST SP 800-63B-4 3.1.1", func(p *Policy) *bool { return &p.QuestionsEnabled }),
		number("policy.methods.questions_picked", "questions", "Questions that a person picks.",
			"Entra policy (3 to 5); the script and its form ask for exactly three", 3, 3, func(p *Policy) *int { return &p.QuestionsPicked }),
		number("policy.methods.answer_min", "characters", "Shortest answer, after normalising.",
			"Entra policy (3)", 3, 20, func(p *Policy) *int { return &p.AnswerMin }),
		number("policy.methods.answer_max", "characters", "Longest answer, after normalising.",
			"own choice; Entra policy has 40", 20, 256, func(p *Policy) *int { return &p.AnswerMax }),
		number("policy.methods.recovery_codes", "codes", "Recovery codes in one set.",
			"NIST SP 800-63B-4 3.1.2 (look-up secrets); the number is our own choice", 1, 20, func(p *Policy) *int { return &p.RecoveryCodes }),
		number("policy.methods.recovery_chars", "characters", "Length of a recovery code, five bits a character, in groups of four.",
			"NIST SP 800-63B-4 4.2.1.1 (64 bits at least); OWASP ASVS 6.5.2", 16, 32, func(p *Policy) *int { return &p.RecoveryCodeChars }),
		span("policy.methods.proof_fresh", "How long a proof with an existing method lets a person change methods.",
			"Entra SSPR FAQ (a session of 15 minutes)", time.Minute, 15*time.Minute, func(p *Policy) *time.Duration { return &p.ProofFresh }),
		span("policy.methods.hold_new", "How long a new method alone does not count for a reset.",
			"OWASP Multifactor Authentication (consider a delay); the number is our own choice", time.Hour, 30*day, func(p *Policy) *time.Duration { return &p.HoldNew }),
		span("policy.methods.hold_link", "How long a chat account that was linked by a typed or mailed code changes nothing for somebody who had a method before, and what is set up in it proves nothing elsewhere.",
			"own choice: as policy.methods.hold_new; a code can be talked out of somebody", time.Hour, 30*day, func(p *Policy) *time.Duration { return &p.HoldLink }),
	}
}

func hashKeys() []Key {
	return []Key{
		number("policy.hash.memory_kib", "KiB", "Memory of one Argon2id hash of an answer or a recovery code.",
			"OWASP Password Storage (19 MiB with two passes)", 19456, 256*1024, func(p *Policy) *int { return &p.ArgonMemoryKiB }),
		number("policy.hash.passes", "passes", "Passes of one Argon2id hash.",
			"OWASP Password Storage (2 with 19 MiB)", 2, 10, func(p *Policy) *int { return &p.ArgonTime }),
		number("policy.hash.threads", "threads", "Threads of one Argon2id hash.",
			"OWASP Password Storage (1)", 1, 4, func(p *Policy) *int { return &p.ArgonThreads }),
		number("policy.hash.workers", "hashes", "Hashes at once; workers times memory is what hashing takes of the machine, 1 GiB at most.",
			"own choice: one for each core", 1, 32, func(p *Policy) *int { return &p.HashWorkers }),
		rate("policy.hash.person", "Sets of answers and of recovery codes that are hashed for one person.",
			"own choice: a set costs up to half a second of one core", Limit{60, time.Hour}, func(p *Policy) *Limit { return &p.HashPerson }),
	}
}

func importKeys() []Key {
	return []Key{
		number("policy.import.gone_people", "people", "An import of the staff list is refused (without --yes) when it would switch off more active people than this and than gone_share.",
			"own choice: a class of leavers is normal, a school is a broken export", 1, 1000, func(p *Policy) *int { return &p.ImportGonePeople }),
		share("policy.import.gone_share", "of 1", "The share of all active people that one import may switch off, where that is more than gone_people.",
			"own choice", 0, 0.25, func(p *Policy) *float64 { return &p.ImportGoneShare }),
	}
}

func retentionKeys() []Key {
	return []Key{
		span("policy.retention.event_ids", "How long ids of events are kept to drop repeats.",
			"own choice: platforms repeat for hours (Slack: minutes)", 24*time.Hour, 90*day, func(p *Policy) *time.Duration { return &p.EventIDs }),
		span("policy.retention.outbox", "How long sent and dead messages are kept; of the web chat, whose transcript they are, with their text.",
			"own choice", 24*time.Hour, 90*day, func(p *Policy) *time.Duration { return &p.Outbox }),
		span("policy.retention.dead", "How long messages that were given up stand in the list of `latchkey outbox list` with their text, so that they can be said again.",
			"own choice: a fortnight of holidays", 24*time.Hour, 90*day, func(p *Policy) *time.Duration { return &p.GivenUp }),
		span("policy.retention.conversations", "How long a conversation is kept after its last message, but never before its messages; a browser's sign-in goes with it, while of a linked chat account the last conversation stays.",
			"own choice: a quarter", 24*time.Hour, 3650*day, func(p *Policy) *time.Duration { return &p.Conversations }),
		span("policy.retention.links", "How long a chat account stays linked that has not written since.",
			"own choice: as the audit record", 30*day, 3650*day, func(p *Policy) *time.Duration { return &p.LinksUnused }),
		span("policy.retention.removed", "How long removed methods, whose secrets are wiped at once, and closed requests are kept.",
			"own choice: a quarter", 24*time.Hour, 3650*day, func(p *Policy) *time.Duration { return &p.RemovedKeep }),
		span("policy.retention.audit", "How long lines of the audit record are kept; what is left can still be checked.",
			"own choice: a year and a month, for yearly reviews", 30*day, 3650*day, func(p *Policy) *time.Duration { return &p.Audit }),
		span("policy.retention.challenges", "How long codes are kept after they expire, as keyed hashes, so that an old code can be told from a wrong one.",
			"own choice", 10*time.Minute, 24*time.Hour, func(p *Policy) *time.Duration { return &p.ChallengeKeep }),
		span("policy.retention.backups", "How long you keep backups. Nothing deletes them: `latchkey people erase` says when the last one that holds the person lapses.",
			"own choice: five weeks", 24*time.Hour, 3650*day, func(p *Policy) *time.Duration { return &p.Backups }),
	}
}

func chatKeys() []Key {
	return []Key{
		rate("policy.chat.burst", "Messages of one person that are answered in one go.",
			"own choice", Limit{60, 10 * time.Second}, func(p *Policy) *Limit { return &p.ChatBurst }),
		rate("policy.chat.rate", "Messages of one person that are answered after that.",
			"own choice", Limit{5, time.Second}, func(p *Policy) *Limit { return &p.ChatRate }),
		span("policy.chat.idle", "Silence after which the bot asks whether the person is still there; the place is kept.",
			"own choice; NIST SP 800-63B-4 2.2.3 (an hour at most)", 5*time.Minute, time.Hour, func(p *Policy) *time.Duration { return &p.ConversationIdle }),
	}
}

func webKeys() []Key {
	return []Key{
		rate("policy.web.burst", "Requests of one address without a session (an IPv6 /64 is one) that are answered in one go.",
			"ntfy (60); a whole site may share one address, hence the cap", Limit{600, time.Minute}, func(p *Policy) *Limit { return &p.WebBurst }),
		rate("policy.web.rate", "Requests of one address without a session that are answered after that.",
			"ntfy (1 in 5 seconds)", Limit{10, time.Second}, func(p *Policy) *Limit { return &p.WebRate }),
		rate("policy.web.link_opens", "One-time links that one address may try to open.",
			"own choice: a link has 256 random bits, this keeps the noise down", Limit{60, time.Minute}, func(p *Policy) *Limit { return &p.LinkOpens }),
		rate("policy.web.failures", "Failed sign-ins, links and codes of one address that shut it out for pause.",
			"PWM (30 in 5 minutes)", Limit{100, 5 * time.Minute}, func(p *Policy) *Limit { return &p.WebFailures }),
		span("policy.web.pause", "How long an address is shut out after that.",
			"PWM (30 minutes)", 5*time.Minute, 24*time.Hour, func(p *Policy) *time.Duration { return &p.WebPause }),
		span("policy.web.session_idle", "Silence after which a session of the web chat ends; the place in the conversation is kept.",
			"NIST SP 800-63B-4 2.2.3 (an hour at most)", 5*time.Minute, time.Hour, func(p *Policy) *time.Duration { return &p.SessionIdle }),
		span("policy.web.session_life", "How long a session of the web chat lasts however much it is used; must not be shorter than session_idle.",
			"NIST SP 800-63B-4 2.2.3 (24 hours at most)", 15*time.Minute, 24*time.Hour, func(p *Policy) *time.Duration { return &p.SessionLife }),
		span("policy.web.shared_idle", "Silence after which a session on a shared computer or a kiosk ends; the page warns before that and lets people stay.",
			"own choice; WCAG 2.2.1 (20 seconds at least to stay)", time.Minute, 5*time.Minute, func(p *Policy) *time.Duration { return &p.SharedIdle }),
		span("policy.web.link_life", "How long a one-time link waits to be opened, and a sign-in at the provider to come back.",
			"NIST SP 800-63B-4 4.1.2.2 (10 minutes at most)", time.Minute, 10*time.Minute, func(p *Policy) *time.Duration { return &p.LinkLife }),
		span("policy.web.page_life", "How long the page behind a one-time link stays open.",
			"own choice: 10 minutes; people who type slowly or look for a phone need longer", time.Minute, 30*time.Minute, func(p *Policy) *time.Duration { return &p.PageLife }),
		span("policy.web.sign_in_fresh", "How old a sign-in at the provider may be to count; an older one is asked for again.",
			"own choice within the Entra SSPR FAQ (a session of 15 minutes)", time.Minute, 15*time.Minute, func(p *Policy) *time.Duration { return &p.SignInFresh }),
		number("policy.web.code_chars", "characters", "Length of the code that is typed back in the chat after a sign-in, five bits a character.",
			"NIST SP 800-63B-4 4.1.2.2 (40 bits at least); Authelia (8)", 8, 16, func(p *Policy) *int { return &p.LinkCodeChars }),
		span("policy.web.code_life", "How long that code is good.",
			"NIST SP 800-63B-4 4.1.2.2 (10 minutes at most)", time.Minute, 10*time.Minute, func(p *Policy) *time.Duration { return &p.LinkCodeLife }),
		number("policy.web.code_tries", "tries", "Wrong tries for that code, after which it is void.",
			"as policy.codes.tries", 1, 10, func(p *Policy) *int { return &p.LinkCodeTries }),
	}
}
