package readiness

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
)

// allWords are words of every kind.
func allWords() []string {
	all := []string{"starlightKey"}
	for w := range words {
		all = append(all, w)
	}
	slices.Sort(all)
	return all
}

// draw makes a person, a policy and settings at random.
func draw(r *rand.Rand) (*bot.Registration, *bot.TenantPolicy, Settings) {
	coin := func() bool { return r.IntN(2) == 0 }
	some := func() (ws []string) {
		all := allWords()
		for range r.IntN(5) {
			ws = append(ws, all[r.IntN(len(all))])
		}
		return ws
	}
	g := &bot.Registration{ReadAt: now, Methods: some(), MFACapable: coin(), ResetEnabled: r.IntN(4) > 0, ResetRegistered: coin(), ResetCapable: coin(), Admin: r.IntN(4) == 0}
	if r.IntN(4) == 0 {
		g.Direct, g.DirectAt = append([]string{}, some()...), now.Add(time.Minute)
	}
	spec := []string{"complete", "pre", "progress", "unread"}[r.IntN(4)]
	if spec != "unread" {
		for _, id := range []string{"microsoftAuthenticator", "softwareOath", "hardwareOath", "fido2", "sms", "voice", "email", externalID} {
			if n := r.IntN(6); n < 2 {
				spec += " " + "-~"[n:n+1] + id
			}
		}
		if coin() {
			spec += " -office"
		}
	}
	return g, policyOf(spec), Settings{Needed: 1 + r.IntN(2), SMS: coin(), Voice: coin()}
}

func told(v Verdict) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestMoreIsNeverWorse: what a person adds, and a provider that the tenant has,
// never turns a yes into another answer.
func TestMoreIsNeverWorse(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	yes := 0
	for range 8000 {
		g, pol, s := draw(r)
		before := Judge(g, pol, s)
		if before.SignIn.Answer == Yes || before.Reset.Answer == Yes {
			yes++
		}
		worse := func(what string, after Verdict) {
			if before.SignIn.Answer == Yes && after.SignIn.Answer != Yes || before.Reset.Answer == Yes && after.Reset.Answer != Yes {
				t.Fatalf("%s makes it worse, of %+v with %+v and %+v:\n%s\n%s", what, *g, pol, s, told(before), told(after))
			}
		}
		for _, w := range allWords() {
			more := *g
			if g.Direct != nil { // what is added stands on the newest page
				more.Direct = append(slices.Clip(g.Direct), w)
			} else {
				more.Methods = append(slices.Clip(g.Methods), w)
			}
			worse("adding "+w, Judge(&more, pol, s))
		}
		with := s
		with.SMS = true
		worse("a provider for texts", Judge(g, pol, with))
		with.Voice = true
		worse("a provider for both", Judge(g, pol, with))
	}
	if yes < 1000 {
		t.Errorf("only %d of those drawn are fine in anything; the test shows little", yes)
	}
}

// TestQuestionsNeverMatter: with and without them, the answers are the same.
func TestQuestionsNeverMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		g, pol, s := draw(r)
		with, without := *g, *g
		question := func(w string) bool { return kindOf(w) == question }
		without.Methods = slices.DeleteFunc(slices.Clone(g.Methods), question)
		with.Methods = append(slices.Clone(without.Methods), "securityQuestion")
		if g.Direct != nil {
			without.Direct = slices.DeleteFunc(slices.Clone(g.Direct), question)
			with.Direct = append(slices.Clone(without.Direct), "securityQuestion")
		}
		a, b := Judge(&with, pol, s), Judge(&without, pol, s)
		if a.SignIn.Answer != b.SignIn.Answer || a.Reset.Answer != b.Reset.Answer || a.Reset.Have != b.Reset.Have || !slices.Equal(a.Reset.Do, b.Reset.Do) {
			t.Fatalf("questions matter for %+v with %+v and %+v:\n%s\n%s", with, pol, s, told(a), told(b))
		}
	}
}

// TestNoTextNoCallWithoutAProvider: phones alone are never a yes.
func TestNoTextNoCallWithoutAProvider(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 5000 {
		g, pol, s := draw(r)
		s.SMS, s.Voice = false, false
		g.Direct = nil
		g.Methods = slices.DeleteFunc(g.Methods, func(w string) bool { return !kindOf(w).phone() })
		if v := Judge(g, pol, s); v.SignIn.Answer == Yes || v.Reset.Answer == Yes {
			t.Fatalf("%+v with %+v: %s", *g, pol, told(v))
		}
	}
}

// TestOrderDoesNotMatter: the same methods in another order give the same answers.
func TestOrderDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 5000 {
		g, pol, s := draw(r)
		other := *g
		other.Methods = slices.Clone(g.Methods)
		slices.Reverse(other.Methods)
		a, b := Judge(g, pol, s), Judge(&other, pol, s)
		if a.SignIn.Answer != b.SignIn.Answer || a.Reset.Answer != b.Reset.Answer || a.Reset.Have != b.Reset.Have || a.Reset.Differs != b.Reset.Differs {
			t.Fatalf("order matters for %v:\n%s\n%s", g.Methods, told(a), told(b))
		}
	}
}

func TestVerdictSaysWhereItIsFrom(t *testing.T) {
	g := &bot.Registration{ReadAt: now, AsOf: now.Add(-36 * time.Hour), Methods: []string{"fido2"}, MFACapable: true, ResetEnabled: true}
	v := Judge(g, policyOf("complete"), Settings{Needed: 2})
	if v.Source != FromReport || !v.AsOf.Equal(now.Add(-36*time.Hour)) || !v.PolicyAt.Equal(now) {
		t.Errorf("from the report: %s", told(v))
	}
	g.Direct, g.DirectAt = []string{"fido2"}, now
	if v = Judge(g, nil, Settings{Needed: 2}); v.Source != FromPage || !v.AsOf.Equal(now) || !v.PolicyAt.IsZero() {
		t.Errorf("from the person's own page: %s", told(v))
	}
	for _, none := range []*bot.Registration{nil, {}} {
		if v = Judge(none, nil, Settings{}); v.Source != "" || !v.AsOf.IsZero() || v.SignIn.Answer != NotKnown || v.Reset.Answer != NotKnown {
			t.Errorf("from nowhere: %s", told(v))
		}
	}
}

// TestOwnPageAlone: before the report was ever read, the person's own page tells
// of the sign-in, and whether reset is on is not known.
func TestOwnPageAlone(t *testing.T) {
	v := Judge(&bot.Registration{Direct: []string{"microsoftAuthenticatorPush", "email"}, DirectAt: now}, policyOf("complete"), Settings{Needed: 1})
	if v.SignIn.Answer != Yes || v.Reset.Answer != NotKnown || v.Source != FromPage {
		t.Error(told(v))
	}
}

// TestNeedsAToken: a flip phone or a land-line, no provider, no mail, no token.
func TestNeedsAToken(t *testing.T) {
	land := Judge(&bot.Registration{ReadAt: now, Methods: []string{"officePhone"}, MFACapable: true, ResetEnabled: true}, policyOf("complete"), Settings{Needed: 2})
	if land.SignIn.Answer != No || land.Reset.Answer != No || land.SignIn.Do[0] != AddToken || slices.Contains(land.Reset.Do, AddApp) || !land.NeedsToken() {
		t.Errorf("land-line: %s", told(land))
	}
	flip := Judge(&bot.Registration{ReadAt: now, Methods: []string{"mobilePhone"}, MFACapable: true, ResetEnabled: true}, policyOf("complete"), Settings{Needed: 2})
	if flip.NeedsToken() || flip.SignIn.Do[0] != AddApp {
		t.Errorf("a phone that may be a smartphone: %s", told(flip))
	}
	if said := flip.WithoutSmartphone(); !said.NeedsToken() || said.SignIn.Do[0] != AddToken || !slices.Contains(said.Reset.Do, AddToken) || flip.NeedsToken() {
		t.Errorf("flip phone: %s", told(said))
	}
	none := Judge(&bot.Registration{ReadAt: now, Methods: []string{"officePhone"}, MFACapable: true, ResetEnabled: true}, policyOf("complete -hardwareOath -fido2 -email"), Settings{Needed: 2})
	if !slices.Equal(none.SignIn.Do, []Remedy{AskPerson}) || !slices.Equal(none.Reset.Do, []Remedy{AskPerson}) {
		t.Errorf("nothing is offered: %s", told(none))
	}
}

// TestNothingForbiddenIsAdvised: nobody is told to add what the policy forbids,
// or a phone without a provider.
func TestNothingForbiddenIsAdvised(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 5000 {
		g, pol, s := draw(r)
		j := judge{pol: pol}
		v := Judge(g, pol, s)
		for _, d := range append(v.SignIn.Do, v.Reset.Do...) {
			ok := true
			switch d {
			case AddApp:
				ok = j.offers("microsoftAuthenticator") || j.offers("softwareOath")
			case AddMail:
				ok = j.offers("email")
			case AddPasskey:
				ok = j.offers("fido2")
			case AddToken:
				ok = j.offers("hardwareOath")
			case AddPhone:
				ok = s.SMS && j.offers("sms") || s.Voice && j.offers("voice")
			}
			if !ok {
				t.Fatalf("%s is advised with %+v and %+v", d, pol, s)
			}
		}
		if v.SignIn.Answer == No && len(v.SignIn.Do) == 0 || v.Reset.Answer == No && len(v.Reset.Do) == 0 {
			t.Fatalf("lost, and nothing to do: %s", told(v))
		}
	}
}

// TestTheNumberNeededIsNeverTooLow: what is no number is the higher one.
func TestTheNumberNeededIsNeverTooLow(t *testing.T) {
	g := &bot.Registration{ReadAt: now, Methods: []string{"email"}, ResetEnabled: true, ResetRegistered: true, ResetCapable: true}
	for needed, want := range map[int]int{-1: 2, 0: 2, 1: 1, 2: 2, 3: 2} {
		if v := Judge(g, nil, Settings{Needed: needed}); v.Reset.Need != want || (v.Reset.Answer == Yes) != (want == 1) {
			t.Errorf("%d needed: %s", needed, told(v))
		}
	}
}

// TestAdministratorsHaveTheirOwnPolicy: what the tenant's forbids still resets
// for them (concept-authentication-methods-manage), and does not sign them in.
func TestAdministratorsHaveTheirOwnPolicy(t *testing.T) {
	g := &bot.Registration{ReadAt: now, Methods: []string{"softwareOneTimePasscode", "email"}, ResetEnabled: true, ResetRegistered: true, ResetCapable: true, Admin: true}
	v := Judge(g, policyOf("complete -email -softwareOath"), Settings{Needed: 2})
	if v.Reset.Answer != Yes || v.SignIn.Answer != No || v.SignIn.Methods[0].Reason != Forbidden {
		t.Errorf("administrator: %s", told(v))
	}
	g.Admin = false
	if v = Judge(g, policyOf("complete -email -softwareOath"), Settings{Needed: 2}); v.Reset.Answer != No {
		t.Errorf("anybody else: %s", told(v))
	}
}

// TestCodeOfMicrosoftsApp: whose Authenticator is there has its code there, too,
// whatever the policy does with other apps.
func TestCodeOfMicrosoftsApp(t *testing.T) {
	pol := policyOf("complete -softwareOath")
	g := &bot.Registration{ReadAt: now, Methods: []string{"microsoftAuthenticatorPush", "softwareOneTimePasscode"}, MFACapable: true, ResetEnabled: true, ResetRegistered: true, ResetCapable: true}
	if v := Judge(g, pol, Settings{Needed: 2}); v.SignIn.Have != 2 {
		t.Errorf("Microsoft's app: %s", told(v))
	}
	g.Methods = g.Methods[1:]
	if v := Judge(g, pol, Settings{Needed: 2}); v.SignIn.Answer != No {
		t.Errorf("another app: %s", told(v))
	}
}

// TestAnotherCompanysFactorIsInThePolicy: it counts as far as a configuration
// there lets it.
func TestAnotherCompanysFactorIsInThePolicy(t *testing.T) {
	g := &bot.Registration{ReadAt: now, Methods: []string{"externalAuthMethod"}, ResetEnabled: true}
	none := policyOf("complete")
	none.Methods = slices.DeleteFunc(none.Methods, func(m bot.PolicyMethod) bool { return m.ID == externalID })
	two := policyOf("complete")
	two.Methods = append(two.Methods, bot.PolicyMethod{ID: "EXTERNALAuthenticationMethod"})
	for what, c := range map[string]struct {
		pol  *bot.TenantPolicy
		want Answer
		each string
	}{
		"no policy":                     {nil, Yes, "ok"},
		"on for everybody":              {policyOf("complete"), Yes, "ok"},
		"for some groups":               {policyOf("complete ~externalAuthenticationMethod"), Yes, "ok?only_groups"},
		"off":                           {policyOf("complete -externalAuthenticationMethod"), No, "policy_forbids"},
		"off, and the old settings too": {policyOf("pre -externalAuthenticationMethod"), NotKnown, "old_settings"},
		"none is configured":            {none, No, "policy_forbids"},
		"one of two is off":             {two, Yes, "ok?only_groups"},
	} {
		if v := Judge(g, c.pol, Settings{Needed: 2}); v.SignIn.Answer != c.want || each(v.SignIn.Methods) != c.each {
			t.Errorf("%s: %s", what, told(v))
		}
	}
}

// TestGuestsOfOurOwnHaveNoLongerTime: texts and calls go on until July for
// external users only (concept-sms-voice-retirement).
func TestGuestsOfOurOwnHaveNoLongerTime(t *testing.T) {
	g := &bot.Registration{ReadAt: now, Methods: []string{"mobilePhone"}, MFACapable: true, Guest: true}
	if v := Judge(g, policyOf("complete"), Settings{}); v.SignIn.Answer != No || v.Reset.Answer != Off {
		t.Errorf("an account of our own: %s", told(v))
	}
	g.External = true
	if v := Judge(g, policyOf("complete"), Settings{}); v.SignIn.Answer != NotJudged || v.Reset.Answer != NotJudged {
		t.Errorf("from outside: %s", told(v))
	}
	g.Guest = false
	if v := Judge(g, policyOf("complete"), Settings{}); v.SignIn.Answer != NotJudged {
		t.Errorf("an external member: %s", told(v))
	}
}

// TestOnlyWhatPeopleMayAddThemselves: a passkey that only an administrator could
// add is not advised.
func TestOnlyWhatPeopleMayAddThemselves(t *testing.T) {
	pol := policyOf("complete")
	for i := range pol.Methods {
		pol.Methods[i].SelfSet = false
	}
	v := Judge(&bot.Registration{ReadAt: now, Methods: []string{"mobilePhone"}, MFACapable: true, ResetEnabled: true}, pol, Settings{Needed: 2})
	if !slices.Equal(v.SignIn.Do, []Remedy{AddApp}) {
		t.Error(told(v))
	}
}

func TestAnswersHaveNames(t *testing.T) {
	for a := range answers {
		var back Answer
		if b, err := a.MarshalText(); err != nil || back.UnmarshalText(b) != nil || back != a {
			t.Errorf("%v does not come back", a)
		}
	}
	if err := new(Answer).UnmarshalText([]byte("maybe")); err == nil || !strings.Contains(err.Error(), "maybe") {
		t.Errorf("an unknown answer: %v", err)
	}
}

// The verdict in short says no where the person is at risk, and yes only where both
// sides are known.
func TestSurvival(t *testing.T) {
	for _, x := range []struct {
		in, reset Answer
		want      bot.Survival
	}{
		{Yes, Yes, bot.SurvivesYes}, {Yes, Off, bot.SurvivesYes}, {Unprotected, Yes, bot.SurvivesYes},
		{No, Yes, bot.SurvivesNo}, {Yes, No, bot.SurvivesNo}, {No, NotKnown, bot.SurvivesNo},
		{Yes, NotKnown, ""}, {NotKnown, Yes, ""}, {NotJudged, NotJudged, ""},
	} {
		v := Verdict{SignIn: Side{Answer: x.in}, Reset: Side{Answer: x.reset}}
		if got := v.Survival(); got != x.want {
			t.Errorf("sign-in %s, reset %s: %q, want %q", x.in, x.reset, got, x.want)
		}
	}
}
