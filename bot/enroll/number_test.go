package enroll_test

import (
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/enroll"
	"latchkey/bot/policy"
)

func TestReadNumber(t *testing.T) {
	p := policy.Default()
	p.Countries = []string{"US", "GB", "ES"}
	for _, c := range []struct {
		text, want, problem string
	}{
		{"7045550148", "+17045550148", ""},
		{"(704) 555-0148", "+17045550148", ""},
		{"704.555.0148", "+17045550148", ""},
		{"1 704 555 0148", "+17045550148", ""},
		{"+1 704 555 0148", "+17045550148", ""},
		{"001 704 555 0148", "+17045550148", ""},
		{"0044 7400 123456", "+447400123456", ""},
		{"+44 (0)7400 123456", "+447400123456", ""},
		{"+34 612 34 56 78", "+34612345678", ""},
		{"７０４５５５０１４８", "+17045550148", ""},
		{"٧٠٤٥٥٥٠١٤٨", "+17045550148", ""},
		{"＋１ ７０４ ５５５ ０１４８", "+17045550148", ""},
		{"704\u00a0555\u20110148", "+17045550148", ""},
		{"\u202a+17045550148\u202c", "+17045550148", ""},
		{"tel:+1-704-555-0148", "+17045550148", ""},
		{"", "", "bad"},
		{"   ", "", "bad"},
		{"hello", "", "bad"},
		{"🙂", "", "bad"},
		{"704-555-CALL", "", "bad"},
		{"my number is 7045550148", "+17045550148", ""},
		{"room 12345, call 704-555-0148", "+17045550148", ""},
		{"seven oh four five five five oh one four eight", "+17045550148", ""},
		{"call 704-296-3143 ext. 12", "", "extension"},
		{"my number is 555-0148", "", "short"},
		{"7045550148 or 7045550149", "", "several"},
		{"70455501480", "", "bad"},
		{"70455501481234567890123", "", "bad"},
		{strings.Repeat("7", 500), "", "bad"},
		{"+999 123 456 789", "", "bad"},
		{"0000000000", "", "bad"},
		{"123 456 7890", "", "bad"},
		{"+1 704 155 0148", "", "bad"},
		{"911", "", "short"},
		{"211", "", "short"},
		{"12345", "", "short"},
		{"555-0148", "", "short"},
		{"+1 704 555", "", "short"},
		{"5", "", "short"},
		{"704-296-3143 x12", "", "extension"},
		{"704-296-3143 ext. 12", "", "extension"},
		{"704-296-3143 extension 12", "", "extension"},
		{"704-296-3143 extensión 12", "", "extension"},
		{"704-296-3143 #12", "", "extension"},
		{"+17042963143;ext=12", "", "extension"},
		{"+49 30 123456", "", "country"},
		{"+1 876 555 0123", "", "country"}, // Jamaica: looks like home, costs like abroad
		{"+1 900 234 5678", "", "premium"},
		{"+44 909 879 0000", "", "premium"},
		{"+44 843 022 0000", "", "premium"}, // shared cost
		{"+44 7640 123456", "", "premium"},  // pager
		{"+44 70 1234 5678", "", "premium"}, // personal number
		{"+1 800 234 5678", "", "tollfree"},
		{"888 234 5678", "", "tollfree"},
		{"+44 808 157 0000", "", "tollfree"},
		{"+800 1234 5678", "", "tollfree"}, // of no country
	} {
		n, problem := enroll.ReadNumber(c.text, p)
		if problem != c.problem || problem == "" && n.E164 != c.want {
			t.Errorf("ReadNumber(%q) = %q, %q; want %q, %q", c.text, n.E164, problem, c.want, c.problem)
		}
	}
	for text, land := range map[string]bool{"+44 20 7946 0958": true, "+34 91 123 45 67": true, "+44 7400 123456": false, "7045550148": false} {
		if n, problem := enroll.ReadNumber(text, p); n.Landline != land || problem != "" {
			t.Errorf("%s: land-line %v, %q", text, n.Landline, problem)
		}
	}
	voip := "+44 56 1234 5678"
	if n, problem := enroll.ReadNumber(voip, p); problem != "" || !n.VoIP {
		t.Errorf("VoIP: %+v, %q", n, problem)
	}
	p.AllowVoIP = false
	if _, problem := enroll.ReadNumber(voip, p); problem != "premium" {
		t.Errorf("VoIP refused: %q", problem)
	}
}

func FuzzReadNumber(f *testing.F) {
	for _, s := range []string{"7045550148", "+44 20 7946 0958", "704-296-3143 x12", "٧٠٤", "\x00+1"} {
		f.Add(s)
	}
	p := policy.Default()
	f.Fuzz(func(t *testing.T, s string) {
		n, problem := enroll.ReadNumber(s, p)
		if problem == "" && (!strings.HasPrefix(n.E164, "+1") || len(n.E164) != 12 || strings.Trim(n.E164[1:], "0123456789") != "") {
			t.Errorf("ReadNumber(%q) = %+v", s, n)
		}
	})
}

func TestReadAddress(t *testing.T) {
	domains := []string{"example.org", "contoso.example"}
	long := strings.Repeat("a", 64)
	for _, c := range []struct {
		text, want, problem string
	}{
		{"ann@example.net", "ann@example.net", ""},
		{"  Ann.Lee+x@Example.NET ", "Ann.Lee+x@example.net", ""},
		{"o'hara_1-2@mail.example.co.uk", "o'hara_1-2@mail.example.co.uk", ""},
		{"ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example", ""},
		{"ann@bücher.example", "ann@xn--bcher-kva.example", ""},
		{"ann@пример.рф", "ann@xn--e1afmkfd.xn--p1ai", ""},
		{"\ufeffann@example.net", "ann@example.net", ""},
		{"", "", "bad"},
		{"ann", "", "bad"},
		{"ann@", "", "bad"},
		{"@example.net", "", "bad"},
		{"ann@example", "", "bad"},
		{"ann@@example.net", "", "bad"},
		{"ann@b@example.net", "", "bad"},
		{"ann@example.net.", "ann@example.net", ""},
		{"ann@.example.net", "", "bad"},
		{"ann@example..net", "", "bad"},
		{"ann.@example.net", "", "bad"},
		{".ann@example.net", "", "bad"},
		{"a..n@example.net", "", "bad"},
		{"ann@-example.net", "", "bad"},
		{"ann@exa_mple.net", "", "bad"},
		{"ann@192.0.2.1", "", "bad"},
		{"ann@[192.0.2.1]", "", "bad"},
		{"\"ann lee\"@example.net", "", "bad"},
		{"\"ann\"@example.net", "", "bad"},
		{"ann(comment)@example.net", "", "bad"},
		{"Ann Lee <ann@example.net>", "ann@example.net", ""},
		{"<ann@example.net>", "ann@example.net", ""},
		{"mailto:ann@example.net", "ann@example.net", ""},
		{"ann@example.net, bob@example.net", "", "several"},
		{"ann@example.net\r\nBcc: bob@example.net", "", "several"},
		{"ann\n@example.net", "", "bad"},
		{"ann\x00@example.net", "ann@example.net", ""},
		{"a nn@example.net", "nn@example.net", ""}, // and asked

		{"ann@exam ple.net", "", "bad"},
		{"änn@example.net", "änn@example.net", ""}, // RFC 6531
		{"a\u0308nn@example.net", "änn@example.net", ""},
		{"änn@gmail.com", "ann@gmail.com", ""}, // no mailbox there has an accent; asked
		{"aнn@example.net", "", "lookalike"},
		{"ann＠example.net", "ann@example.net", ""},
		{"ann\u202e@example.net", "ann@example.net", ""},
		{"ann@gооgle.com", "", "bad"}, // Latin mixed with Cyrillic
		{long + "a@example.net", "", "long"},
		{"ann@" + strings.Repeat("abcdefghi.", 26) + "net", "", "long"},
		{"ann@example.org", "", "company"},
		{"ann@EXAMPLE.ORG", "", "company"},
		{"ann@students.example.org", "", "company"},
		{"ann@contoso.example", "", "company"},
		{"ann@ｅxample.org", "", "company"}, // full-width e
		{"ann@notexample.org", "ann@notexample.org", ""},
		{"ann@example.org.net", "ann@example.org.net", ""},
		{"ann@еxample.org", "", "lookalike"},        // Cyrillic е
		{"ann@xn--xample-2of.org", "", "lookalike"}, // the same, encoded
		{"ann@exаmplе.org", "", "lookalike"},        //
		{"ann@éxample.org", "", "lookalike"},        //
		{"ann@examp1e.org", "", "lookalike"},        // digit one
		{"ann@c0ntoso.example", "", "lookalike"},    // zero
		{"ann@exarnple.org", "", "lookalike"},       // r and n
		{"ann@mail.examp1e.org", "", "lookalike"},   //
		{"ann@mailinator.com", "", "disposable"},    //
		{"ann@eu.mailinator.com", "", "disposable"}, //
		{"ann@YOPMAIL.com", "", "disposable"},       //
	} {
		a, problem := enroll.ReadAddress(c.text, domains)
		if problem != c.problem || problem == "" && a.String() != c.want {
			t.Errorf("ReadAddress(%q) = %q, %q; want %q, %q", c.text, a, problem, c.want, c.problem)
		}
	}
}

func FuzzReadAddress(f *testing.F) {
	for _, s := range []string{"ann@example.net", "a@b", "\"x\"@y.z", "ann@xn--.org", "ann@\xff.org"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, problem := enroll.ReadAddress(s, []string{"example.org"})
		if problem != "" {
			return
		}
		if len(a.String()) > 254 || strings.Count(a.String(), "@") != 1 || strings.ContainsAny(a.String(), " \r\n\t\x00<>\"(),;") {
			t.Errorf("ReadAddress(%q) = %q", s, a.String())
		}
		a.Inside = false
		if again, problem := enroll.ReadAddress(a.String(), []string{"example.org"}); problem != "" || again != a {
			t.Errorf("%q reads back as %q, %q", a.String(), again, problem)
		}
	})
}

// TestPhoneAnswers are the sentences' outcomes for what is typed.
func TestPhoneAnswers(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Countries = []string{"US", "GB"} })
	if oc := r.Want("phone.accept", "+49 30 123456", "country"); prooftest.Fact(oc, "country") != "Germany" {
		t.Error(oc.Facts)
	}
	c := r.NewCall("+49 30 123456")
	c.Session.Lang = "es"
	if oc, err := r.Try("phone.accept", c); err != nil || prooftest.Fact(oc, "country") != "Alemania" {
		t.Error(oc, err)
	}
	c.Session.Lang = "not a language"
	if oc, err := r.Try("phone.accept", c); err != nil || prooftest.Fact(oc, "country") != "Germany" {
		t.Error(oc, err)
	}
	r.Want("phone.accept", "704-296-3143 x12", "extension")
	if oc := r.Want("phone.accept", "7045550148", "ok"); prooftest.Fact(oc, "masked") != "•••• 48" {
		t.Error(oc.Facts)
	}
	first := r.Slot("method")
	r.Want("phone.accept", "704 555 0148", "ok")
	if r.Slot("method") != first {
		t.Error("the same number is another method")
	}
	r.Want("phone.accept", "704 555 0149", "ok")
	if p := r.Methods(bot.Pending); len(p) != 1 || p[0].Label != "•••• 49" {
		t.Errorf("pending %+v", p)
	}
	if r.Want("phone.accept", "704 555 0149", "ok"); len(r.Methods(bot.Active)) != 0 {
		t.Error("a number is active without a code")
	}
}

// TestOfficePhone: Ann's own work number may be called; a text to it is refused
// when it is surely a land-line.
func TestOfficePhone(t *testing.T) {
	r := newRig(t, func(p *policy.Policy) { p.Countries = []string{"US", "GB"} })
	london := prooftest.Ann()
	london.WorkPhone = "+442079460958"
	r.People(london)
	r.Set("via", "sms").Want("phone.accept", "+44 20 7946 0958", "work")
	r.Set("via", "voice").Want("phone.accept", "+44 20 7946 0958", "ok")
	r.People(prooftest.Ann()) // a North American number: nobody can tell
	r.Set("via", "sms").Want("phone.accept", prooftest.Ann().WorkPhone, "ok")
}

func TestSharedAndSame(t *testing.T) {
	r := newRig(t)
	people := []bot.Person{prooftest.Ann()}
	for _, id := range []string{"b1", "b2", "b3", "b4"} {
		people = append(people, bot.Person{ID: bot.PersonID(id), Username: id, Name: id})
	}
	r.People(people...)
	for i, p := range people {
		r.Conv = r.Talk(bot.ConversationID("s"+string(p.ID)), string(p.ID))
		r.Conv.Person, r.Conv.Level = p.ID, bot.L2
		if i >= r.Policy.NumberSharers {
			r.Want("phone.accept", "7045550148", "shared")
			continue
		}
		r.Clock.Advance(r.Policy.SMSNumber[0].Per)
		r.Set("method", "", "ref", "").Phone("7045550148")
		if oc := r.Want("phone.accept", "(704) 555-0148", "same"); prooftest.Fact(oc, "masked") != "•••• 48" {
			t.Error(oc.Facts)
		}
	}
	r.Conv.Person = "b1"
	r.Want("email.accept", "family@example.net", "prove_first")
}

func TestEmailAnswers(t *testing.T) {
	r := newRig(t)
	if oc := r.Want("email.accept", "ann@students.example.edu", "company"); prooftest.Fact(oc, "domain") != "example.edu" {
		t.Error(oc.Facts)
	}
	if oc := r.Want("email.accept", "Ann.Lee@example.net", "ok"); prooftest.Fact(oc, "masked") != "A•••@example.net" {
		t.Error(oc.Facts)
	}
	if oc := r.Want("email.accept", "a@example.net", "ok"); prooftest.Fact(oc, "masked") != "•••@example.net" {
		t.Errorf("a name of one letter is shown: %v", oc.Facts)
	}
	r.Want("code.send", "", "sent")
	r.Deliver()
	r.Want("code.check", r.Mails.Code(t, 1), "ok")
	r.Want("email.accept", "A@EXAMPLE.net", "same")
}
