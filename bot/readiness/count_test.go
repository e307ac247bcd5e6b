package readiness

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
)

// tallyOf counts the people of the table whose numbers are given, as staff of
// two schools.
func tallyOf(t testing.TB, no ...string) *Tally {
	t.Helper()
	tally := NewTally()
	for i, r := range rows(t) {
		if !slices.Contains(no, r.no) {
			continue
		}
		g := r.registration()
		v := r.judged()
		p := bot.Person{ID: bot.PersonID(r.no), Site: []string{"North", "South"}[i%2], Department: "Kitchen"}
		if !tally.Add(&p, g, &v) {
			t.Fatalf("%s does not count", r.no)
		}
	}
	return tally
}

// TestCounts counts twelve people of the table by hand.
func TestCounts(t *testing.T) {
	// 2 text and mail: loses both. 3 the same with one needed: loses the sign-in
	// only. 5 desk phone. 7 fine. 14 key: no reset. 19 reset off. 25 nothing.
	// 27 not in the report. 32 guest. 34 administrator who loses both.
	// 52 fine if the groups let them. 56 Microsoft takes one method.
	tally := tallyOf(t, "2", "3", "5", "7", "14", "19", "25", "27", "32", "34", "52", "56")
	c := tally.All
	want := Counts{People: 12, AtRisk: 7, Admins: 1, Prompted: 4, Left: 3, Token: 1, Unreported: 1, Unsure: 1,
		SignIn: Split{Yes: 5, No: 4, Unprotected: 1, NotKnown: 1, NotJudged: 1, Microsoft: 9, Loses: 4},
		Reset:  Split{Yes: 3, No: 6, Off: 1, NotKnown: 1, NotJudged: 1, Microsoft: 7, Loses: 4}}
	got := c
	got.Do, got.SignIn.Differs, got.Reset.Differs = nil, nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for r, n := range map[Remedy]int{AddApp: 5, AddMail: 3, AddToken: 1, AddPasskey: 0, AskPerson: 0} {
		if c.Do[r] != n {
			t.Errorf("%s is for %d people, want %d", r, c.Do[r], n)
		}
	}
	if c.SignIn.Differs[TextEnds] != 3 || c.SignIn.Differs[CallEnds] != 1 || c.Reset.Differs[FewerNeeded] != 1 {
		t.Errorf("why Microsoft differs: %v, %v", c.SignIn.Differs, c.Reset.Differs)
	}
	units := Units(tally.Schools)
	if len(units) != 2 || units[0].AtRisk < units[1].AtRisk || units[0].AtRisk+units[1].AtRisk != c.AtRisk || units[0].People+units[1].People != c.People {
		t.Errorf("schools: %+v", units)
	}
	if len(tally.Departments) != 1 || tally.Departments["Kitchen"].People != 12 {
		t.Errorf("departments: %+v", tally.Departments)
	}
	if !tally.Oldest.Equal(now.Add(-30*time.Hour)) || !tally.ReadAt.Equal(now) || !tally.Newest.Equal(tally.Oldest) {
		t.Errorf("ages: %v %v %v", tally.Oldest, tally.Newest, tally.ReadAt)
	}
}

// TestWhoMeetsThePrompt: Microsoft's passkey prompt stops those who sign in by
// text or call and by nothing else that the policy allows.
func TestWhoMeetsThePrompt(t *testing.T) {
	for _, c := range []struct {
		methods, policy string
		capable, want   bool
	}{
		{"mobilePhone email", "complete", true, true}, {"officePhone", "complete", true, true},
		{"mobilePhone softwareOneTimePasscode", "complete", true, false}, {"mobilePhone softwareOneTimePasscode", "complete -softwareOath", true, true},
		{"mobilePhone", "complete", false, false}, {"email", "complete", false, false}, {"softwareOneTimePasscode", "complete -softwareOath", true, false},
	} {
		v := Judge(&bot.Registration{ReadAt: now, Methods: strings.Fields(c.methods), MFACapable: c.capable}, policyOf(c.policy), Settings{Needed: 2})
		if v.TextsOnly() != c.want {
			t.Errorf("%+v: %v", c, v.TextsOnly())
		}
	}
}

// TestOnlyStaffCounts: pupils and accounts that are off are left out.
func TestOnlyStaffCounts(t *testing.T) {
	tally := NewTally()
	v := Judge(nil, nil, Settings{})
	for _, p := range []bot.Person{{ID: "a", Disabled: true}, {ID: "b", Kind: bot.Pupil}, {ID: "c", Kind: bot.Place}, {ID: "d", Kind: bot.Guest}} {
		if tally.Add(&p, nil, &v) {
			t.Errorf("%s counts", p.ID)
		}
	}
	if !tally.Add(&bot.Person{ID: "e", Kind: bot.Staff}, nil, &v) || tally.All.People != 1 || tally.All.AtRisk != 0 || tally.All.SignIn.NotKnown != 1 {
		t.Errorf("staff: %+v", tally.All)
	}
}

func TestNudging(t *testing.T) {
	c := tallyOf(t, "2", "3", "5", "7").All // 2, 3 and 5 live on texts and calls; 3 resets by mail
	pol := policyOf("complete")
	for _, k := range []struct {
		campaign bot.PolicyCampaign
		want     string
	}{
		{bot.PolicyCampaign{State: "default", Target: "fido2"}, "skip it as often as they like"},
		{bot.PolicyCampaign{State: "disabled"}, "switched off"},
		{bot.PolicyCampaign{State: "enabled", Target: "microsoftAuthenticator", Snooze: 1, Enforce: true}, "add Microsoft Authenticator; they can put it off for 1 day at a time, three times at most"},
		{bot.PolicyCampaign{State: "enabled", Target: "fido2"}, "add a passkey; they can put it off each time"},
	} {
		pol.Campaign = k.campaign
		said := strings.Join(Nudging(pol, &c), "\n")
		for _, want := range []string{k.want, "stops 3 people", "2 of these could still not reset", "2 people are still at risk"} {
			if !strings.Contains(said, want) {
				t.Errorf("%+v: lacks %q\n%s", k.campaign, want, said)
			}
		}
	}
	if said := Nudging(nil, &c)[0]; !strings.Contains(said, "never read") {
		t.Error(said)
	}
	c = tallyOf(t, "7").All
	if said := Nudging(pol, &c); len(said) != 1 || !strings.Contains(said[0], "stops nobody") {
		t.Error(said)
	}
}

// TestEverythingHasWords: whatever can be said of a person has words.
func TestEverythingHasWords(t *testing.T) {
	for _, r := range rows(t) {
		v := r.judged()
		for _, s := range []*Side{&v.SignIn, &v.Reset} {
			reasons := []Reason{s.Why, s.Differs}
			for _, c := range s.Methods {
				reasons = append(reasons, c.Reason, c.Unsure)
			}
			for _, why := range reasons {
				if why != "" && why.Text() == string(why) {
					t.Errorf("no words for %s", why)
				}
			}
		}
	}
	for _, r := range Remedies() {
		if r.Text() == string(r) {
			t.Errorf("no words for %s", r)
		}
	}
	if len(kindTexts) != int(qr)+1 || MethodText("FIDO2") != "passkey or security key" || MethodText("qrCode") != "QR code" || MethodText("x") != "not known here" {
		t.Error("the words of the methods are not those of the kinds")
	}
	if Number(1234567) != "1,234,567" || Number(999) != "999" || Number(1000) != "1,000" {
		t.Error(Number(1234567), Number(999), Number(1000))
	}
}

func TestAdvice(t *testing.T) {
	c := tallyOf(t, "5", "14", "19", "25", "27", "34", "49", "52", "56").All
	said := strings.Join(Advice(nil, &c), "\n")
	for _, want := range []string{"1 person has no second factor", "1 person cannot reset because it is switched off", "1 person depends on methods that only the old settings", "entra.methods_needed",
		"1 person is counted as fine", "hardware token", "is an administrator", "not in Microsoft's report", "policy was never read"} {
		if !strings.Contains(said, want) {
			t.Errorf("lacks %q\n%s", want, said)
		}
	}
	c = tallyOf(t, "7").All
	if said := Advice(policyOf("complete"), &c); len(said) != 0 {
		t.Errorf("nothing is to be done: %q", said)
	}
}
