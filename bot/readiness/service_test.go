package readiness

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"latchkey/bot"
	"latchkey/flows"
	"latchkey/flows/library"
	"latchkey/store"
)

var update = flag.Bool("update", false, "write what people are told into testdata")

// shippedTexts are loaded once: that takes a while.
var shippedTexts = sync.OnceValues(func() (*flows.Set, error) {
	return flows.Load(library.FS, nil, bot.Catalogue{Facts: map[string]string{"org": "Riverbend Schools", "entra": "yes"}})
})

// A serviceRig is a store with one person, and the service that tells them.
type serviceRig struct {
	*testing.T
	db      *store.DB
	service *Service
	call    *bot.Call
}

func newRoomRig(t *testing.T) *serviceRig {
	t.Helper()
	set, err := shippedTexts()
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(t.TempDir(), "bot.db"), Clock: func() time.Time { return now.Add(time.Hour) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &serviceRig{T: t, db: db, service: &Service{Phrases: set}, call: &bot.Call{
		Conversation: &bot.Conversation{ID: "c", Person: "p1", Level: bot.L2}, Session: &bot.Session{Lang: "en", Stack: []bot.Frame{{Flow: "get_in"}}}}}
}

// has stores what was read before: the person (nil: gone from the list), the
// report's line on them and the policy.
func (r *serviceRig) has(p *bot.Person, g *bot.Registration, pol *bot.TenantPolicy) {
	r.Helper()
	list := []bot.Person{{ID: "other", Username: "other", Email: "other@riverbend.example"}}
	if p != nil {
		list = append(list, *p)
	}
	report, err := r.db.ImportPeople(r.Context(), func(yield func(bot.Person, int) bool) {
		for i, p := range list {
			if !yield(p, i) {
				return
			}
		}
	}, store.ImportOptions{})
	if err != nil || !report.Stored {
		r.Fatalf("import: %+v, %v", report, err)
	}
	err = r.db.Update(r.Context(), func(tx bot.Tx) error {
		if g != nil {
			g.Person = "p1"
			if err := tx.PutRegistration(g); err != nil {
				return err
			}
		}
		if pol != nil {
			return tx.PutTenantPolicy(pol)
		}
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
}

// ask runs a check as a turn does, and holds it to what it declares.
func (r *serviceRig) ask(check string) (oc bot.Outcome) {
	r.Helper()
	i := slices.IndexFunc(r.service.Specs(), func(s bot.CheckSpec) bool { return s.Name == check })
	spec := r.service.Specs()[i]
	err := r.db.View(r.Context(), func(tx bot.Tx) (err error) { oc, err = spec.Ask(nil, tx, r.call); return err })
	if err != nil {
		r.Fatal(err)
	}
	var facts []string
	for _, f := range oc.Facts {
		facts = append(facts, f.Name)
	}
	if want, ok := spec.Outcomes[oc.Name]; !ok || !slices.Equal(facts, want) {
		r.Errorf("%s gave %s with %q", check, oc.Name, facts)
	}
	return oc
}

func ann() *bot.Person {
	return &bot.Person{ID: "p1", Username: "ann", Email: "ann@riverbend.example", Name: "Ann Lee", TimeZone: "America/New_York"}
}

// said is all that an outcome shows.
func said(oc bot.Outcome) string {
	var b strings.Builder
	for _, f := range oc.Facts {
		fmt.Fprintf(&b, "%s\n\n", f.Value)
	}
	for _, o := range oc.Options {
		fmt.Fprintf(&b, "[%s] %s\n", o.ID, o.Label)
	}
	return b.String()
}

// TestWhatPeopleAreTold: the texts of all outcomes in both languages, to be read
// in testdata/told.txt.
func TestWhatPeopleAreTold(t *testing.T) {
	complete := "complete"
	var b strings.Builder
	for _, c := range []struct {
		what, methods, flags, settings, policy string
		change                                 func(*bot.Person, *bot.Registration)
		want                                   string
	}{
		{what: "app and mail", methods: "microsoftAuthenticatorPush softwareOneTimePasscode email", flags: "MERC", want: "fine"},
		{what: "text and mail", methods: "mobilePhone email", flags: "MERC", want: "missing"},
		{what: "text alone", methods: "mobilePhone", flags: "ME", want: "missing"},
		{what: "office phone alone", methods: "officePhone", flags: "MERC", settings: "1", want: "missing"},
		{what: "passkey alone", methods: "passKeySynced", flags: "ME", want: "missing"},
		{what: "nothing", methods: "-", flags: "E", want: "missing"},
		{what: "text, and nothing else is allowed", methods: "mobilePhone", flags: "ME", policy: "complete -microsoftAuthenticator -softwareOath -fido2 -email -hardwareOath", want: "missing"},
		{what: "text, and only other apps than Microsoft's are allowed", methods: "mobilePhone email", flags: "ME", policy: "complete -microsoftAuthenticator -fido2", want: "missing"},
		{what: "text, with a provider for texts", methods: "mobilePhone securityQuestion", flags: "ME", settings: "2+sms", want: "missing"},
		{what: "every sort of thing", methods: "microsoftAuthenticatorPasswordless fido2SecurityKey windowsHelloForBusiness macOsSecureEnclaveKey externalAuthMethod hardwareOneTimePasscode mobilePhone mobileSMS mobileCall alternateMobilePhone officePhone email securityQuestion appPassword temporaryAccessPass qrCode starlightKey", flags: "MERC", want: "fine"},
		{what: "Windows Hello and mail", methods: "windowsHelloForBusiness email", flags: "MERC", settings: "1", want: "unsure"},
		{what: "reset switched off", methods: "microsoftAuthenticatorPush mobilePhone", flags: "M", want: "off"},
		{what: "reset switched off, and the app is for some groups only", methods: "microsoftAuthenticatorPush mobilePhone", flags: "M", policy: "complete ~microsoftAuthenticator", want: "unsure"},
		{what: "a passkey for some groups only, and Microsoft says yes", methods: "passKeySynced email", flags: "MERC", settings: "1", policy: "complete ~fido2", want: "fine"},
		{what: "all for some groups only, and Microsoft's flag for the reset asks for no group", methods: "microsoftAuthenticatorPush email", flags: "MERC", policy: "complete ~microsoftAuthenticator ~email", want: "unsure"},
		{what: "an administrator with texts", methods: "mobilePhone email", flags: "MERCA", want: "missing"},
		{what: "old settings", methods: "microsoftAuthenticatorPush mobilePhone email", flags: "MERC", policy: "pre -microsoftAuthenticator", want: "unsure"},
		{what: "looked at the own page a moment ago", methods: "mobilePhone", flags: "ME", want: "fine", change: func(_ *bot.Person, g *bot.Registration) {
			g.Direct, g.DirectAt = []string{"mobilePhone", "microsoftAuthenticatorPush", "email"}, now
		}},
		{what: "the address is for some groups only", methods: "passKeySynced email", flags: "MER", settings: "1", policy: "complete ~email", want: "unsure"},
		{what: "no policy was read", methods: "microsoftAuthenticatorPush email", flags: "MERC", policy: "unread", want: "unsure"},
		{what: "a report of last week", methods: "microsoftAuthenticatorPush email", flags: "MERC", want: "unsure", change: func(_ *bot.Person, g *bot.Registration) {
			g.ReadAt, g.AsOf = now.Add(-7*24*time.Hour), now.Add(-8*24*time.Hour)
		}},
		{what: "a report of weeks ago, and looked at the own page a moment ago", methods: "microsoftAuthenticatorPush email", flags: "MERC", want: "unsure", change: func(_ *bot.Person, g *bot.Registration) {
			g.ReadAt, g.AsOf = now.Add(-20*24*time.Hour), now.Add(-21*24*time.Hour)
			g.Direct, g.DirectAt = []string{"microsoftAuthenticatorPush", "email"}, now
		}},
		{what: "a policy of weeks ago", methods: "microsoftAuthenticatorPush email", flags: "MERC", policy: "complete old", want: "unsure"},
		{what: "only the own page was ever looked at", methods: "absent", want: "unsure", change: func(_ *bot.Person, g *bot.Registration) {
			*g = bot.Registration{Direct: []string{"microsoftAuthenticatorPush"}, DirectAt: now}
		}},
		{what: "not in the report", methods: "absent", want: "unknown"},
		{what: "a guest by the report", methods: "mobilePhone", flags: "MEG", want: "guest"},
		{what: "a guest by the list", methods: "absent", want: "guest", change: func(p *bot.Person, _ *bot.Registration) {
			p.Kind, p.Username = bot.Guest, "ann_north.example#ext#"
		}},
		{what: "a guest of our own by the list", methods: "absent", want: "stopped", change: func(p *bot.Person, _ *bot.Registration) { p.Kind = bot.Guest }},
		{what: "a guest of our own by the report", methods: "mobilePhone email", flags: "MERCG", want: "missing", change: func(_ *bot.Person, g *bot.Registration) { g.External = false }},
	} {
		for _, lang := range []string{"en", "es"} {
			if c.policy == "" {
				c.policy = complete
			}
			row := row{methods: c.methods, flags: c.flags}
			p, g := ann(), row.registration()
			if c.change != nil {
				into := g
				if into == nil {
					into = &bot.Registration{}
				}
				if c.change(p, into); into.Direct != nil {
					g = into
				}
			}
			r := newRoomRig(t)
			r.service.Settings, r.call.Session.Lang = settingsOf(c.settings), lang
			r.has(p, g, policyOf(c.policy))
			oc := r.ask("readiness.mine")
			if oc.Name != c.want {
				t.Errorf("%s: %s, want %s", c.what, oc.Name, c.want)
			}
			fmt.Fprintf(&b, "==== %s (%s): %s\n\n%s", c.what, lang, oc.Name, said(oc))
			if oc.Name == "missing" || oc.Name == "unsure" {
				fmt.Fprintf(&b, "---- ways\n%s", said(r.ask("readiness.ways")))
				r.call.Session.Stack[0].Set("smartphone", "none")
				fmt.Fprintf(&b, "---- ways without a smartphone\n%s", said(r.ask("readiness.ways")))
			}
			fmt.Fprintf(&b, "---- my methods\n%s", said(r.ask("readiness.methods")))
		}
	}
	const file = "testdata/told.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("people are told something else than %s says; look at it with -update and git diff", file)
	}
	if strings.Contains(b.String(), "<entra") {
		t.Error("a phrase is missing")
	}
}

// TestToldBefore: what was told stands, word for word, or is told anew.
func TestToldBefore(t *testing.T) {
	for _, methods := range []string{"microsoftAuthenticatorPush email", "mobilePhone", "windowsHelloForBusiness email"} {
		r := newRoomRig(t)
		row := row{methods: methods, flags: "MERC"}
		r.has(ann(), row.registration(), policyOf("complete"))
		if oc := r.ask("readiness.again"); oc.Name != "changed" {
			t.Errorf("%s: nothing was told, and it is %s", methods, oc.Name)
		}
		mine := r.ask("readiness.mine")
		for _, f := range mine.Facts {
			r.call.Session.Stack[0].Set(f.Name, f.Value)
		}
		if oc := r.ask("readiness.again"); oc.Name != mine.Name || said(oc) != said(mine) {
			t.Errorf("%s: %s was told, and it is %s", methods, mine.Name, oc.Name)
		}
		row.methods += " securityQuestion" // read since
		g := row.registration()
		g.AsOf = g.AsOf.Add(time.Hour)
		r.has(ann(), g, policyOf("complete"))
		if oc := r.ask("readiness.again"); oc.Name != "changed" {
			t.Errorf("%s: something new was read, and it is %s", methods, oc.Name)
		}
	}
	r := newRoomRig(t)
	r.has(ann(), nil, nil)
	if oc := r.ask("readiness.again"); oc.Name != "changed" {
		t.Errorf("nothing is known, and it is %s", oc.Name)
	}
}

// TestFineIsNeverGuessed: nobody is told that nothing is to be done where it
// rests on a flag of Microsoft's that may be for something else, or on what was
// read too long ago.
func TestFineIsNeverGuessed(t *testing.T) {
	set, err := shippedTexts()
	if err != nil {
		t.Fatal(err)
	}
	const passkeyOfSome = "complete ~fido2"
	weeks := func(g *bot.Registration) { g.ReadAt, g.AsOf = now.Add(-20*24*time.Hour), now.Add(-21*24*time.Hour) }
	page := func(words ...string) func(*bot.Registration) {
		return func(g *bot.Registration) { g.Direct, g.DirectAt = words, now }
	}
	for _, c := range []struct {
		what, methods, settings, policy string
		change                          func(*bot.Registration)
		want                            string
	}{
		{what: "the flag can be for nothing else", methods: "fido2 email", settings: "1", policy: passkeyOfSome, want: "fine"},
		{what: "or for a pass", methods: "fido2 email temporaryAccessPass", settings: "1", policy: passkeyOfSome, want: "unsure"},
		{what: "or for an unknown word", methods: "fido2 email starlightKey", settings: "1", policy: passkeyOfSome, want: "unsure"},
		{what: "or for texts that end", methods: "fido2 email mobilePhone", settings: "1", policy: passkeyOfSome, want: "unsure"},
		{what: "or for calls that end", methods: "fido2 email alternateMobilePhone", settings: "1", policy: passkeyOfSome, want: "unsure"},
		{what: "a phone goes on for some groups, and is called today", methods: "mobilePhone email", settings: "1+sms", policy: "complete ~sms", want: "unsure"},
		{what: "it is never for another company's factor", methods: "externalAuthMethod email", settings: "1", policy: "complete ~externalAuthenticationMethod", want: "unsure"},
		{what: "or for a phone that is gone from the own page", methods: "mobilePhone email", settings: "1", policy: passkeyOfSome, change: page("fido2", "email"), want: "unsure"},
		{what: "what is on the own page only, no flag is for", methods: "email", settings: "1", policy: passkeyOfSome, change: page("fido2", "email"), want: "unsure"},
		{what: "a pass beside what is allowed to everybody", methods: "fido2 email temporaryAccessPass", settings: "1", policy: "complete", want: "fine"},
		{what: "mail and app for some groups", methods: "microsoftAuthenticatorPush email", settings: "2", policy: "complete ~microsoftAuthenticator ~email", want: "unsure"},
		{what: "mail for some groups", methods: "microsoftAuthenticatorPush email", settings: "2", policy: "complete ~email", want: "unsure"},
		{what: "a code for everybody beside a notification for some", methods: "microsoftAuthenticatorPush softwareOneTimePasscode email", settings: "2", policy: "complete ~microsoftAuthenticator", want: "fine"},
		{what: "Hello lets in on one computer", methods: "windowsHelloForBusiness email", settings: "1", policy: "complete", want: "unsure"},
		{what: "the key of a Mac likewise", methods: "macOsSecureEnclaveKey email", settings: "1", policy: "complete", want: "unsure"},
		{what: "and a passkey of Windows", methods: "passKeyDeviceBoundWindowsHello email", settings: "1", policy: "complete", want: "unsure"},
		{what: "all three together are no other one", methods: "passKeyDeviceBoundWindowsHello windowsHelloForBusiness macOsSecureEnclaveKey email", settings: "1", policy: "complete", want: "unsure"},
		{what: "the flag may be for the passkey of Windows", methods: "passKeyDeviceBoundWindowsHello microsoftAuthenticatorPush email", settings: "1", policy: "complete ~microsoftAuthenticator", want: "unsure"},
		{what: "Hello and a passkey that goes along", methods: "windowsHelloForBusiness passKeySynced email", settings: "1", policy: "complete", want: "fine"},
		{what: "a report of weeks ago", methods: "microsoftAuthenticatorPush email", settings: "2", policy: "complete", change: weeks, want: "unsure"},
		{what: "and the own page of today", methods: "microsoftAuthenticatorPush email", settings: "2", policy: "complete", change: func(g *bot.Registration) {
			weeks(g)
			page("microsoftAuthenticatorPush", "email")(g)
		}, want: "unsure"},
		{what: "a policy of weeks ago", methods: "microsoftAuthenticatorPush email", settings: "2", policy: "complete old", want: "unsure"},
	} {
		r := row{methods: c.methods, flags: "MERC"}
		g := r.registration()
		if c.change != nil {
			c.change(g)
		}
		v := Judge(g, policyOf(c.policy), settingsOf(c.settings))
		w := writer{set, "en", ann(), &v, now}
		if got := w.outcome(); got != c.want {
			t.Errorf("%s: %s, want %s: %s", c.what, got, c.want, told(v))
		}
	}
}

// TestNobodyElseIsTold: who is not proven to write here, and whose account is
// off, learns nothing of what the person has.
func TestNobodyElseIsTold(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(*serviceRig, *bot.Person)
		want   string
	}{
		{"the platform's word alone", func(r *serviceRig, _ *bot.Person) { r.call.Conversation.Level = bot.L1 }, "signed_out"},
		{"nobody", func(r *serviceRig, _ *bot.Person) { r.call.Conversation.Person = "" }, "signed_out"},
		{"gone from the list", func(r *serviceRig, _ *bot.Person) { r.call.Conversation.Person = "p2" }, "signed_out"},
		{"disabled", func(_ *serviceRig, p *bot.Person) { p.Disabled = true }, "stopped"},
		{"a disabled guest", func(_ *serviceRig, p *bot.Person) { p.Disabled, p.Kind = true, bot.Guest }, "stopped"},
		{"a pupil", func(_ *serviceRig, p *bot.Person) { p.Kind = bot.Pupil }, "stopped"},
		{"frozen", nil, "stopped"},
	} {
		r, p := newRoomRig(t), ann()
		if c.change != nil {
			c.change(r, p)
		}
		row := row{methods: "microsoftAuthenticatorPush email", flags: "MERC"}
		r.has(p, row.registration(), policyOf("complete"))
		if c.change == nil {
			if err := r.db.Update(t.Context(), func(tx bot.Tx) error { return tx.SetFrozen("p1", now) }); err != nil {
				t.Fatal(err)
			}
		}
		mine, ways, methods := r.ask("readiness.mine"), r.ask("readiness.ways"), r.ask("readiness.methods")
		if mine.Name != c.want || ways.Name != "stopped" || methods.Name != "none" {
			t.Errorf("%s: %s, %s, %s", c.what, mine.Name, ways.Name, methods.Name)
		}
		if told := said(mine) + said(ways) + said(methods); told != "" {
			t.Errorf("%s: told %q", c.what, told)
		}
	}
}

// TestToldAsJudged: of the sixty people of the table nobody is told more than
// the verdict says, and every line has words for its sign.
func TestToldAsJudged(t *testing.T) {
	set, err := shippedTexts()
	if err != nil {
		t.Fatal(err)
	}
	fine := 0
	for _, row := range rows(t) {
		v := row.judged()
		for _, lang := range set.Languages() {
			w := writer{set, lang, ann(), &v, now}
			outcome := w.outcome()
			if outcome == "fine" {
				fine++
			}
			if (outcome == "fine") && (row.signIn != "yes" || row.reset != "yes" || row.policy == "unread") {
				t.Errorf("%s: %s is told that nothing is to be done", row.no, row.who)
			}
			if risk := row.signIn == "no" || row.reset == "no" || row.signIn == "no second factor"; risk != (outcome == "missing") {
				t.Errorf("%s: %s: %s", row.no, row.who, outcome)
			}
			if outcome == "unknown" || outcome == "guest" {
				continue
			}
			for line := range strings.Lines(w.signIn() + "\n" + w.reset() + "\n" + w.known()) {
				if strings.Contains(line, "<") {
					t.Errorf("%s in %s: %s", row.no, lang, line)
				}
				for _, sign := range []string{"✓", "✗", "?"} {
					if rest, ok := strings.CutPrefix(line, "- "+sign+" "); ok && !strings.Contains(rest, ": ") {
						t.Errorf("%s in %s: the sign stands alone: %s", row.no, lang, line)
					}
				}
			}
		}
	}
	if fine == 0 {
		t.Error("nobody of the table is fine")
	}
}

// TestEveryWordHasAName in every language, and what the person reads is never
// the report's word, but for one that nobody here knows.
func TestEveryWordHasAName(t *testing.T) {
	set, err := shippedTexts()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range set.Languages() {
		w := writer{set, lang, ann(), &Verdict{}, now}
		for _, word := range append(allWords(), "passKeySynced", "passKeyDeviceBoundWindowsHello", "fido2SecurityKey") {
			if name := w.method(word); strings.Contains(name, "<") || strings.Contains(name, word) != (word == "starlightKey") {
				t.Errorf("%s in %s: %s", word, lang, name)
			}
		}
		for _, r := range []Reason{TextEnds, CallEnds, QuestionEnds, MailNoFactor, Forbidden, NotForReset, NoFactor, NoAlternate, Temporary, PushAlone, NotCapable} {
			if s := w.reason(r); s == "" || strings.Contains(s, "<") {
				t.Errorf("reason %s in %s: %q", r, lang, s)
			}
		}
		for _, id := range options {
			for _, use := range []string{"both", "sign_in", "reset"} {
				if label := w.say("entra.way."+use, "way", w.say("entra.add."+id)); strings.Contains(label, "<") || len([]rune(label)) > 75 {
					t.Errorf("way %s in %s: %q", id, lang, label)
				}
			}
		}
	}
	w := writer{set, "en", ann(), &Verdict{}, now}
	if name := w.method("a\u202eb" + strings.Repeat("ñ", 90)); strings.Contains(name, "\u202e") || len(name) > 110 || !utf8.ValidString(name) {
		t.Errorf("a word made to mislead is shown as %q", name)
	}
}
