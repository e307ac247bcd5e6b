package readiness

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
)

//go:embed testdata/people.tsv
var peopleTable string

// now is when the report of the table was read.
var now = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// A row is one person of the table.
type row struct {
	no, who, methods, page, flags, settings, policy string
	signIn, signInEach, reset, resetEach            string
	differsSignIn, differsReset, doSignIn, doReset  string
	words                                           string
}

func rows(t testing.TB) (all []row) {
	t.Helper()
	for line := range strings.Lines(peopleTable) {
		c := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if line[0] == '#' || c[0] == "no" {
			continue
		}
		if len(c) != 16 {
			t.Fatalf("%d cells: %s", len(c), line)
		}
		all = append(all, row{c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9], c[10], c[11], c[12], c[13], c[14], c[15]})
	}
	return all
}

// registration is what the report has of the person; nil: nothing.
func (r *row) registration() *bot.Registration {
	if r.methods == "absent" {
		return nil
	}
	is := func(flag string) bool { return strings.Contains(r.flags, flag) }
	g := &bot.Registration{ReadAt: now, AsOf: now.Add(-30 * time.Hour), MFACapable: is("M"), MFARegistered: is("M"), ResetEnabled: is("E"),
		ResetRegistered: is("R"), ResetCapable: is("C"), Admin: is("A"), Guest: is("G"), External: is("G")}
	if r.methods != "-" {
		g.Methods = strings.Fields(r.methods)
	}
	if r.page != "" {
		g.Direct, g.DirectAt = strings.Fields(r.page), now
	}
	return g
}

func (r *row) judged() Verdict {
	return Judge(r.registration(), policyOf(r.policy), settingsOf(r.settings))
}

func settingsOf(s string) (out Settings) {
	needed, providers, _ := strings.Cut(s, "+")
	if out.Needed = 2; needed == "1" {
		out.Needed = 1
	}
	out.SMS, out.Voice = strings.Contains(providers, "sms"), strings.Contains(providers, "voice")
	return out
}

// policyOf makes a policy of its notation in the table.
func policyOf(s string) *bot.TenantPolicy {
	if s == "unread" {
		return nil
	}
	p := &bot.TenantPolicy{ReadAt: now}
	for _, id := range []string{"microsoftAuthenticator", "softwareOath", "hardwareOath", "fido2", "sms", "voice", "email", externalID} {
		p.Methods = append(p.Methods, bot.PolicyMethod{ID: id, Enabled: true, Everyone: true, Office: true, SelfSet: true})
	}
	for _, w := range strings.Fields(s) {
		m := &bot.PolicyMethod{}
		if i := slices.IndexFunc(p.Methods, func(m bot.PolicyMethod) bool { return m.ID == w[1:] }); i >= 0 {
			m = &p.Methods[i]
		}
		switch {
		case w == "pre":
			p.Migration = "preMigration"
		case w == "progress":
			p.Migration = "migrationInProgress"
		case w == "complete":
			p.Migration = "migrationComplete"
		case w == "adminsoff":
			p.Admins = new(bool)
		case w == "old":
			p.ReadAt = now.Add(-20 * 24 * time.Hour)
		case w == "-office":
			for i := range p.Methods {
				p.Methods[i].Office = false
			}
		case w[0] == '-' && m.ID != "":
			m.Enabled = false
		case w[0] == '~' && m.ID != "":
			m.Everyone, m.Groups = false, []string{"00000000-0000-4000-8000-000000000001"}
		default:
			panic("no such policy: " + w)
		}
	}
	return p
}

func each(ms []Counted) string {
	var all []string
	for _, c := range ms {
		w := "ok"
		if c.Reason != "" {
			w = string(c.Reason)
		}
		if c.Unsure != "" {
			w += "?" + string(c.Unsure)
		}
		all = append(all, w)
	}
	return strings.Join(all, " ")
}

// do is the table's notation of remedies.
func do(rs []Remedy) string {
	var all []string
	for _, r := range rs {
		all = append(all, strings.TrimPrefix(string(r), "add_"))
	}
	return dash(strings.Join(all, " "))
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// TestSixtyPeople holds Judge to the table.
func TestSixtyPeople(t *testing.T) {
	all := rows(t)
	right, falseFine := 0, 0
	for _, r := range all {
		v := r.judged()
		ok := true
		check := func(what, got, want string) {
			if got != want {
				ok = false
				t.Errorf("%s. %s: %s: got %q, want %q\n   %s", r.no, r.who, what, got, want, r.words)
			}
		}
		check("sign-in", v.SignIn.Answer.String(), r.signIn)
		check("sign-in, each method", each(v.SignIn.Methods), r.signInEach)
		check("reset", v.Reset.Answer.String(), r.reset)
		check("reset, each method", each(v.Reset.Methods), r.resetEach)
		check("Microsoft differs on sign-in", dash(string(v.SignIn.Differs)), r.differsSignIn)
		check("Microsoft differs on reset", dash(string(v.Reset.Differs)), r.differsReset)
		check("do for sign-in", do(v.SignIn.Do), r.doSignIn)
		check("do for reset", do(v.Reset.Do), r.doReset)
		if ok {
			right++
		}
		if v.SignIn.Answer == Yes && r.signIn != "yes" || v.Reset.Answer == Yes && r.reset != "yes" {
			falseFine++
		}
	}
	t.Logf("%d of %d people judged as by hand; %d told falsely that they are fine", right, len(all), falseFine)
	if right != 60 || len(all) != 60 || falseFine != 0 {
		t.Errorf("%d of %d right, %d false \"you are fine\"; want 60 of 60 and none", right, len(all), falseFine)
	}
}

// TestEachRuleTwice wants every answer, every reason, every kind of method, every
// remedy, every setting and every state of the policy in at least two people.
func TestEachRuleTwice(t *testing.T) {
	seen := map[string]int{}
	for _, r := range rows(t) {
		here := map[string]bool{"sign-in " + r.signIn: true, "reset " + r.reset: true, "settings " + r.settings[:1]: true, "policy " + strings.Fields(r.policy)[0]: true}
		v := r.judged()
		for _, s := range []*Side{&v.SignIn, &v.Reset} {
			here[string(s.Why)], here[string(s.Differs)] = true, true
			for _, c := range s.Methods {
				here[string(c.Reason)], here[string(c.Unsure)] = true, true
				here[fmt.Sprint("kind ", kindOf(c.Method))] = true
			}
			for _, d := range s.Do {
				here[string(d)] = true
			}
		}
		for _, p := range []string{"sms", "voice"} {
			here["provider "+p] = strings.Contains(r.settings, p)
		}
		for w, yes := range here {
			if yes {
				seen[w]++
			}
		}
	}
	want := []string{"sign-in yes", "sign-in no", "sign-in not known", "sign-in no second factor", "sign-in not judged", "reset yes", "reset no", "reset not known",
		"reset off", "reset not judged", "settings 1", "settings 2", "provider sms", "provider voice", "policy complete", "policy pre", "policy progress", "policy unread"}
	for _, r := range []Reason{TextEnds, CallEnds, QuestionEnds, MailNoFactor, Forbidden, OldSettings, NotForReset, NoFactor, SameClass, NoAlternate, Temporary, UnknownWord,
		PushAlone, NotCapable, ResetOff, AdminsOff, NotReported, GuestElse, FewerNeeded, ReportOlder, Uncounted, NotListed, OnlyGroups} {
		want = append(want, string(r))
	}
	for k := range qr + 1 {
		want = append(want, fmt.Sprint("kind ", k))
	}
	for _, r := range []Remedy{AddApp, AddMail, AddPasskey, AddToken, AddPhone, AskPerson} {
		want = append(want, string(r))
	}
	for _, w := range want {
		if seen[w] < 2 {
			t.Errorf("%q is in %d people of the table, want 2 or more", w, seen[w])
		}
	}
	if Ends.Format(time.DateOnly) != "2027-02-01" || GlobalAdminsEnd.Format(time.DateOnly) != "2027-07-01" {
		t.Error("the days are wrong")
	}
}
