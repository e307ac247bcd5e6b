package readiness

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
)

// RequestToken is bot.Ticket.Error of people who need a device that shows
// codes: nobody but the organisation can give them one. The script get_in puts
// it into the slot need.
const RequestToken = "needs_token"

// A Service tells a person in a chat what the verdict on them is. It reads what
// was read of the registrar before and asks nobody; a Service of zero fields still
// gives its Specs.
type Service struct {
	Phrases  bot.Phrases
	Settings Settings
}

// Specs declares the checks.
func (r *Service) Specs() []bot.CheckSpec {
	return []bot.CheckSpec{
		{Name: "readiness.mine", Doc: "will the person still get in after 1 February 2027", Run: r.mine,
			Outcomes: bot.Outcomes("fine sign_in new_password known", "missing sign_in new_password known", "off sign_in new_password known", "unsure sign_in new_password known",
				"unknown", "guest", "signed_out", "stopped")},
		{Name: "readiness.again", Doc: "does what was told about 1 February (slots sign_in, new_password, known) still stand", Run: r.again,
			Outcomes: bot.Outcomes("fine sign_in new_password known", "missing sign_in new_password known", "off sign_in new_password known", "unsure sign_in new_password known", "changed")},
		{Name: "readiness.ways", Doc: "what the person can add at Microsoft that counts (slot smartphone: none)", Options: true, Run: r.ways,
			Outcomes: bot.Outcomes("some", "none", "stopped")},
		{Name: "readiness.methods", Doc: "what the person has at Microsoft", Run: r.methods,
			Outcomes: bot.Outcomes("some microsoft known", "none")},
	}
}

// Forms declares no forms.
func (r *Service) Forms() []bot.FormSpec { return nil }

// verdict judges the person of a conversation by the tenant's policy, nil where
// it was never read. p is nil while nobody is proven
// to write there, and for one who is gone from the directory.
func (r *Service) verdict(tx bot.Tx, c *bot.Call) (p *bot.Person, pol *bot.TenantPolicy, v Verdict, err error) {
	id := c.Person()
	if id == "" {
		return nil, nil, v, nil
	}
	p, err = tx.Person(id)
	if errors.Is(err, bot.ErrNotFound) {
		return nil, nil, v, nil
	}
	if err != nil {
		return nil, nil, v, fmt.Errorf("readiness: person of the conversation: %w", err)
	}
	g, err := tx.Registration(id)
	if err != nil && !errors.Is(err, bot.ErrNotFound) {
		return nil, nil, v, fmt.Errorf("readiness: what Microsoft has of the person: %w", err)
	}
	pol, err = tx.TenantPolicy()
	if err != nil && !errors.Is(err, bot.ErrNotFound) {
		return nil, nil, v, fmt.Errorf("readiness: what the tenant allows: %w", err)
	}
	return p, pol, Judge(g, pol, r.Settings), nil
}

func (r *Service) mine(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, _, v, err := r.verdict(tx, c)
	if err != nil {
		return bot.Outcome{}, err
	}
	if p == nil {
		return bot.Outcome{Name: "signed_out"}, nil
	}
	w := writer{r.Phrases, c.Lang(), p, &v, tx.Now()}
	oc := bot.Outcome{Name: w.outcome()}
	switch oc.Name {
	case "fine", "missing", "off", "unsure":
		oc.Facts = bot.Facts("sign_in", w.signIn(), "new_password", w.reset(), "known", w.known())
	}
	return oc, nil
}

// again gives the outcome of mine where it was told before, word for word.
func (r *Service) again(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	oc, err := r.mine(tx, c)
	if err != nil {
		return bot.Outcome{}, err
	}
	for _, f := range oc.Facts {
		if c.Slot(f.Name) != f.Value {
			return bot.Outcome{Name: "changed"}, nil
		}
	}
	if len(oc.Facts) == 0 {
		return bot.Outcome{Name: "changed"}, nil
	}
	return oc, nil
}

// outcome is what a verdict means for the person: what is to be done now. It is
// "fine" only where both answers are yes and nothing is open about them.
func (w writer) outcome() string {
	p, v := w.person, w.v
	in, reset := v.SignIn.Answer, v.Reset.Answer
	switch {
	case p.Disabled || !p.FrozenAt.IsZero():
		return "stopped"
	case in == NotJudged || p.Kind == bot.Guest && strings.Contains(strings.ToLower(p.Username), "#ext#"):
		return "guest"
	case p.Stopped():
		return "stopped"
	case v.AsOf.IsZero():
		return "unknown"
	case in == No || in == Unprotected || reset == No:
		return "missing"
	case in == Yes && reset == Yes && w.sure(&v.SignIn) && w.sure(&v.Reset):
		return "fine"
	case in == Yes && reset == Off && w.sure(&v.SignIn):
		return "off"
	}
	return "unsure"
}

// sure reports whether a yes can be told as one: what it rests on is allowed to
// this person, and was read lately. For the sign-in Microsoft's own flag can
// tell the former. For a reset it cannot: isSsprCapable is "registered and
// enabled", whatever the policy lets the person use.
func (w writer) sure(s *Side) bool {
	if w.v.PolicyAt.IsZero() || max(w.old(), w.reportOld(), w.policyOld()) > Stale {
		return false
	}
	return s.sure >= s.Need || s.vouched
}

// ways offers what counts, what the policy lets people add, and for what it is.
func (r *Service) ways(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, pol, v, err := r.verdict(tx, c)
	if err != nil {
		return bot.Outcome{}, err
	}
	if p == nil || p.Stopped() {
		return bot.Outcome{Name: "stopped"}, nil
	}
	if v.SignIn.oneComputer() {
		v.SignIn.Do = v.SignIn.more // nothing is missing, and it does not go far
	}
	if c.Slot("smartphone") == "none" {
		v = v.WithoutSmartphone()
	}
	w := writer{r.Phrases, c.Lang(), p, &v, tx.Now()}
	oc, offered := bot.Outcome{Name: "some"}, []Remedy(nil)
	for _, do := range slices.Concat(v.SignIn.Do, v.Reset.Do) {
		id, ok := options[do]
		if !ok || slices.Contains(offered, do) {
			continue
		}
		offered = append(offered, do)
		use := "both"
		if !slices.Contains(v.Reset.Do, do) {
			use = "sign_in"
		} else if !slices.Contains(v.SignIn.Do, do) {
			use = "reset"
		}
		label := w.say("entra.way."+use, "way", w.say("entra.add."+id))
		if do == AddApp && !(&judge{pol: pol}).offers("microsoftAuthenticator") {
			id = "other_app" // and not Microsoft's own
		}
		oc.Options = append(oc.Options, bot.Option{ID: id, Label: label})
	}
	if len(oc.Options) == 0 {
		oc.Name = "none"
	}
	return oc, nil
}

// options are the remedies that a person can choose; nobody chooses AskPerson.
var options = map[Remedy]string{AddApp: "app", AddMail: "email", AddPasskey: "passkey", AddToken: "token", AddPhone: "phone"}

// methods shows what the person has at Microsoft, for the list of methods.
func (r *Service) methods(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, _, v, err := r.verdict(tx, c)
	if err != nil {
		return bot.Outcome{}, err
	}
	if p == nil || p.Stopped() || v.AsOf.IsZero() || v.SignIn.Answer == NotJudged {
		return bot.Outcome{Name: "none"}, nil
	}
	w := writer{r.Phrases, c.Lang(), p, &v, tx.Now()}
	var lines []string
	for _, m := range v.SignIn.Methods {
		if line := w.say("entra.line", "method", w.method(m.Method)); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		lines = []string{w.say("entra.line", "method", w.say("entra.only_password"))}
	}
	return bot.Outcome{Name: "some", Facts: bot.Facts("microsoft", strings.Join(lines, "\n"), "known", w.source())}, nil
}

// writer puts a verdict into a person's language.
type writer struct {
	ps     bot.Phrases
	lang   string
	person *bot.Person
	v      *Verdict
	now    time.Time
}

func (w writer) say(key string, kv ...string) string { return w.ps.Phrase(w.lang, key, kv...) }

// signIn is the checklist of the sign-in.
func (w writer) signIn() string {
	s := &w.v.SignIn
	head := map[Answer]string{Yes: "yes", No: "no", Unprotected: "password"}[s.Answer]
	switch {
	case head == "":
		head = "not_known"
	case s.oneComputer():
		head = "one_computer"
	case s.Answer == Yes && !w.sure(s):
		head = "perhaps"
	}
	lines := w.checklist(s, w.say("entra.sign_in."+head), 1)
	if w.v.TextsOnly() {
		lines = append(lines, w.say("entra.stops"))
	}
	if w.v.Admin {
		lines = append(lines, w.say("entra.admin"))
	}
	return strings.Join(lines, "\n")
}

// reset is the checklist of the reset.
func (w writer) reset() string {
	s := &w.v.Reset
	head := map[Answer]string{Yes: "yes", No: "no"}[s.Answer]
	switch {
	case s.Answer == Off:
		return w.say("entra.reset.off")
	case head == "":
		head = "not_known"
	case s.Answer == Yes && !w.sure(s):
		head = "perhaps"
	case s.Why == NotCapable:
		head = "not_capable"
	}
	need := w.say("entra.need."+strconv.Itoa(s.Need), "have", strconv.Itoa(s.Have))
	lines := w.checklist(s, w.say("entra.reset."+head, "need", need), max(1, s.Need-s.Have))
	if s.Answer == No {
		lines = append(lines, w.say("entra.reset.desk"))
	}
	return strings.Join(lines, "\n")
}

// checklist is a heading, the methods, those that count first, and what is
// missing. Each line says in words whether a method counts: the sign before it
// is not read aloud everywhere.
func (w writer) checklist(s *Side, head string, missing int) []string {
	var counts, perhaps, not []string
	for _, m := range s.Methods {
		key, to := "entra.counts", &counts
		switch {
		case m.Reason == SameClass:
			key = "entra.counts.same"
		case m.Reason == OldSettings || m.Reason == UnknownWord:
			key, to = "entra.perhaps", &perhaps
		case m.Reason != "":
			key, to = "entra.not", &not
		case m.Unsure != "":
			key = "entra.counts.if"
		}
		line := w.say(key, "method", w.method(m.Method), "reason", w.reason(m.Reason))
		if !slices.Contains(*to, line) { // two words of the report for one thing
			*to = append(*to, line)
		}
	}
	return slices.Concat([]string{head}, counts, perhaps, not, w.missing(s, missing))
}

func (w writer) reason(r Reason) string {
	switch r {
	case "", SameClass, OldSettings, UnknownWord: // the line says it
		return ""
	}
	return w.say("entra.reason." + string(r))
}

// missing says what would help, and how much of it is wanted.
func (w writer) missing(s *Side, n int) (lines []string) {
	if s.Answer == Yes || len(s.Do) == 0 {
		return nil
	}
	var ways []string
	for _, d := range s.Do {
		if id, ok := options[d]; ok {
			ways = append(ways, w.say("entra.add."+id))
		}
	}
	all := strings.Join(ways, ", ")
	switch {
	case len(ways) == 0:
		return []string{w.say("entra.missing.ask")}
	case s.Answer == NotKnown:
		return []string{w.say("entra.missing.sure", "ways", all)}
	case len(ways) > n && n == 1:
		return []string{w.say("entra.missing.one", "ways", all)}
	case len(ways) > n:
		return []string{w.say("entra.missing.two", "ways", all)}
	}
	for _, way := range ways {
		lines = append(lines, w.say("entra.missing", "way", way))
	}
	if len(ways) < n {
		lines = append(lines, w.say("entra.missing.ask"))
	}
	return lines
}

// Stale is from when on a yes is not told as one any more: Microsoft's report
// may be 36 hours old, and is read every few hours.
const Stale = 3 * 24 * time.Hour

// old is how old the knowledge of the methods is.
func (w writer) old() time.Duration { return w.now.Sub(w.v.AsOf) }

// reportOld is how old Microsoft's flags are, 0 where there are none.
func (w writer) reportOld() time.Duration {
	if w.v.ReportAt.IsZero() {
		return 0
	}
	return w.now.Sub(w.v.ReportAt)
}

// policyOld is how long ago the policy was read, 0 where it never was.
func (w writer) policyOld() time.Duration {
	if w.v.PolicyAt.IsZero() {
		return 0
	}
	return w.now.Sub(w.v.PolicyAt)
}

// known says where the knowledge is from, how old it is, and what is not known.
func (w writer) known() string {
	parts := []string{w.source()}
	if w.v.Source == FromReport {
		parts = append(parts, w.say("entra.lag"))
	}
	age := func(d time.Duration) string { return bot.Wait(w.ps, w.lang, d.Truncate(24*time.Hour)) } // a wait is rounded up
	if w.old() > Stale {
		parts = append(parts, w.say("entra.stale", "age", age(w.old())))
	}
	if w.v.Source == FromPage && w.reportOld() > Stale {
		parts = append(parts, w.say("entra.stale.report", "age", age(w.reportOld())))
	}
	switch {
	case w.v.PolicyAt.IsZero():
		parts = append(parts, w.say("entra.no_policy"))
	case w.policyOld() > Stale:
		parts = append(parts, w.say("entra.stale.policy", "age", age(w.policyOld())))
	}
	return strings.Join(parts, " ")
}

func (w writer) source() string {
	key := "entra.from.report"
	if w.v.Source == FromPage {
		key = "entra.from.page"
	}
	return w.say(key, "when", bot.WeekdayMoment(w.ps, w.lang, w.person.TimeZone, w.v.AsOf))
}

// maxWord is how much of a word that nobody here knows is shown, in bytes.
const maxWord = 60

// method names a method in the person's language, by the report's word.
func (w writer) method(word string) string {
	key, ok := methodKeys[kindOf(word)]
	if strings.EqualFold(word, "fido2SecurityKey") {
		key = "security_key"
	}
	if !ok {
		name := bot.Harmless(word)
		return w.say("entra.method.unknown", "name", strings.ToValidUTF8(name[:min(len(name), maxWord)], ""))
	}
	return w.say("entra.method." + key)
}

// methodKeys are the ends of the phrases entra.method.*.
var methodKeys = map[kind]string{
	push: "push", passwordless: "passwordless", code: "code", token: "token", passkey: "passkey", hello: "hello", mac: "mac", external: "external",
	mobile: "mobile", text: "text", call: "call", alternate: "alternate", office: "office",
	mail: "mail", question: "question", appPassword: "app_password", temporary: "temporary", qr: "qr",
}
