package enroll_test

import (
	"cmp"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/enroll"
	"latchkey/bot/policy"
)

// TestWhatIsAskedAbout: a clean value is taken as it is; one that was found in
// more text, or rewritten, is to be confirmed.
func TestWhatIsAskedAbout(t *testing.T) {
	p := policy.Default()
	for text, inside := range map[string]bool{"7045550148": false, "(704) 555-0148.": false, "tel:7045550148": false, "my number is 7045550148": true, "7045550148, room 12345": true} {
		if n, problem := enroll.ReadNumber(text, p); problem != "" || n.Inside != inside {
			t.Errorf("%q: %+v, %q", text, n, problem)
		}
	}
	for text, inside := range map[string]bool{"ann@example.net": false, "<ann@example.net>.": false, "it is ann@example.net": true, "Ann <ann@example.net>": true, "josé@gmail.com": true, "ann at example dot net": true} {
		if a, problem := enroll.ReadAddress(text, nil); problem != "" || a.Inside != inside {
			t.Errorf("%q: %+v, %q", text, a, problem)
		}
	}
}

// TestNumbersOfBefore: what stands in people's phones from before their country
// changed its numbers.
func TestNumbersOfBefore(t *testing.T) {
	p := policy.Default()
	for _, c := range []struct{ home, text, want string }{
		{"MX", "+52 1 55 1234 5678", "+525512345678"}, {"MX", "044 55 1234 5678", "+525512345678"}, {"MX", "045 55 1234 5678", "+525512345678"},
		{"MX", "01 55 1234 5678", "+525512345678"}, {"MX", "1 55 1234 5678", "+525512345678"}, {"MX", "+52 044 55 1234 5678", "+525512345678"},
		{"MX", "mi número es +52 1 55 1234 5678", "+525512345678"}, {"US", "+5215512345678", "+525512345678"}, {"US", "0052 1 55 1234 5678", "+525512345678"},
		{"BJ", "+229 97 12 34 56", "+2290197123456"}, {"BJ", "97 12 34 56", "+2290197123456"},
		{"CI", "+225 07 12 34 56", "+2250707123456"}, {"CI", "+225 45 12 34 56", "+2250545123456"}, {"CI", "+225 40 12 34 56", "+2250140123456"},
		{"CI", "+225 48 12 34 56", "+2250748123456"}, {"CI", "+225 22 40 12 34", "+2252722401234"},
		{"BR", "+55 11 8765 4321", "+5511987654321"}, {"BR", "(11) 8765-4321", "+5511987654321"}, {"BR", "011 8765-4321", "+5511987654321"},
		{"AR", "+54 9 11 15 2345 6789", "+5491123456789"}, {"CO", "+57 1 2345678", "+576012345678"}, {"CL", "+56 8765 4321", "+56987654321"},
		{"VN", "+84 169 123 4567", "+84391234567"}, {"VN", "0120 123 4567", "+84701234567"}, {"CM", "+237 77 12 34 56", "+237677123456"},
		{"MU", "+230 712 3456", "+23057123456"}, {"EC", "+593 8 123 4567", "+593981234567"},
	} {
		p.DefaultCountry, p.Countries = c.home, []string{"US", "MX", "BJ", "CI", "BR", "AR", "CO", "CL", "VN", "CM", "MU", "EC"}
		if n, problem := enroll.ReadNumber(c.text, p); problem != "" || n.E164 != c.want || !n.Changed {
			t.Errorf("%s at home in %s: %+v, %q; want %s", c.text, c.home, n, problem, c.want)
		}
		if n, problem := enroll.ReadNumber(c.want, p); problem != "" || n.E164 != c.want || n.Changed {
			t.Errorf("%s, as it is today: %+v, %q", c.want, n, problem)
		}
	}
	for _, text := range []string{"+52 1 55 1234 567", "+229 97 12 34 5", "+225 1 12", "+55 11 1765 4321", "+1 704 155 0148", "+44 1 7400 123456"} {
		if n, problem := enroll.ReadNumber(text, p); problem == "" {
			t.Errorf("%s was made %s", text, n.E164)
		}
	}
}

// TestDidYouMean: what is nearly a domain that many people have.
func TestDidYouMean(t *testing.T) {
	own := []string{"riverbend.example", "xn--mnchen-3ya.example"}
	for domain, want := range map[string]string{
		"gmial.com": "gmail.com", "gmal.com": "gmail.com", "gmai.com": "gmail.com", "gamil.com": "gmail.com", "gmail.con": "gmail.com", "gmail.cmo": "gmail.com",
		"gmail.co": "gmail.com", "gmail.es": "gmail.com", "gmail.org": "gmail.com", "gmial.con": "gmail.com", "ggmail.com": "gmail.com", "gmaill.com": "gmail.com",
		"hotmial.com": "hotmail.com", "hotmal.com": "hotmail.com", "hotnail.con": "hotmail.com", "yaho.com": "yahoo.com", "yahooo.com": "yahoo.com", "yahoo.co": "yahoo.com",
		"outlok.com": "outlook.com", "outllok.com": "outlook.com", "iclould.com": "icloud.com", "icoud.com": "icloud.com", "comcast.ent": "comcast.net",
		"riversdie.con": "riversdie.com", "smith.ogr": "smith.org", "riverbend.exmaple": "riverbend.example",
		"gmail.com": "", "example.net": "", "yahoo.cl": "", "hotmail.cl": "", "hotmail.it": "", "mail.com": "", "ymail.com": "", "email.com": "", "proton.me": "",
		"riverbend.example": "", "smith.family": "", "a.co": "", "school.org": "", "xn--bcher-kva.example": "",
	} {
		if got := enroll.Suggest(domain, own); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", domain, got, want)
		}
	}
}

// TestMailboxIsAskedAbout: the suggestion is made once, what was typed may stay,
// and a mailbox is the same in both spellings of its domain.
func TestMailboxIsAskedAbout(t *testing.T) {
	r := newRig(t)
	oc := r.Want("email.accept", "ann@gmial.com", "typo")
	if prooftest.Fact(oc, "domain") != "gmail.com" || oc.Echo == nil || oc.Echo.Kind != bot.RevealTyped {
		t.Fatalf("%+v", oc)
	}
	if p := r.Methods(bot.Pending); len(p) != 1 || p[0].Label != "a•••@gmial.com" {
		t.Fatalf("what was typed may be kept: %+v", p)
	}
	shown, err := r.Verify.Reveal(t.Context(), *oc.Echo)
	if err != nil || shown.Echoed("You wrote a•••@gmial.com.") != "You wrote ann@gmial.com." {
		t.Errorf("shown once: %+v, %v", shown, err)
	}
	if oc := r.Want("email.correct", "", "found"); prooftest.Fact(oc, "masked") != "a•••@gmail.com" || oc.Echo == nil {
		t.Errorf("corrected: %+v", oc)
	}
	if p := r.Methods(bot.Pending); len(p) != 1 || p[0].Label != "a•••@gmail.com" {
		t.Errorf("pending %+v", p)
	}
	r.Want("email.correct", "", "gone") // there is nothing to correct any more
	r.Want("email.accept", "ann@bücher.example", "ok")
	first := r.Slot("method")
	if r.Want("email.accept", "ann@XN--BCHER-KVA.example", "ok"); r.Slot("method") != first {
		t.Error("two spellings of one domain are two mailboxes")
	}
	r.Want("email.accept", "it's josé@gmail.com", "found")
	r.Want("email.accept", "ann@gmial.com and bob@gmail.com", "several")
}

// TestFoundNumberIsShownOnce: in full and as people write it, while it is
// pending and no longer; it is in no fact.
func TestFoundNumberIsShownOnce(t *testing.T) {
	r := newRig(t)
	oc := r.Want("phone.accept", "call 704 555 0148 please", "found")
	if oc.Echo == nil {
		t.Fatal(oc)
	}
	for _, f := range oc.Facts {
		if f.Value == "7045550148" || f.Value == "+17045550148" || f.Value == "(704) 555-0148" {
			t.Errorf("fact %+v", f)
		}
	}
	if shown, err := r.Verify.Reveal(t.Context(), *oc.Echo); err != nil || shown.Full != "(704) 555-0148" || shown.Masked != "•••• 48" {
		t.Errorf("%+v, %v", shown, err)
	}
	r.Want("phone.accept", "704 555 0149", "ok")
	if shown, err := r.Verify.Reveal(t.Context(), *oc.Echo); err == nil {
		t.Errorf("replaced, and shown all the same: %+v", shown)
	}
	r.Want("phone.accept", "704 555 0148 or 704 555 0149", "several")
}

// TestUserNameInASentence is asked about, and so is a domain that is nearly ours.
func TestUserNameInASentence(t *testing.T) {
	r := newRig(t)
	for text, want := range map[string]string{"I'm ann": "ann", "ann@exmaple.org": "ann@example.org", "mi usuario es ann, gracias": "ann"} {
		if oc := r.Want("person.username", text, "found"); prooftest.Fact(oc, "username") != want {
			t.Errorf("%q: %+v", text, oc)
		}
	}
	r.Want("person.username", "“ann”", "ok")
}

// TestTypedPhones: how people of one office typed one number, and numbers of
// other countries from before they changed.
func TestTypedPhones(t *testing.T) {
	var cases struct {
		Country, Wanted string
		Typed           []string
		Renumbered      []struct {
			Countries              []string
			Default, Typed, Wanted string
		}
	}
	data, err := os.ReadFile("testdata/typed-phones.json")
	if err == nil {
		err = json.Unmarshal(data, &cases)
	}
	if err != nil {
		t.Fatal(err)
	}
	p := policy.Default()
	for _, text := range append(cases.Typed, "\u202a(201) 555\u20110123\u202c", "２０１－５５５－０１２３", "2️⃣0️⃣1️⃣5️⃣5️⃣5️⃣0️⃣1️⃣2️⃣3️⃣", "201.555.0123!", "[201-555-0123](tel:2015550123)", "*201-555-0123*", "201&nbsp;555&nbsp;0123",
		"call me on 201 555 0123 after 5 pm", "Tel. 201/555-0123", "my cell (not work) is 201-555-0123.", "two oh one, triple five, zero one two three", "sí, es el 201 555 0123, gracias", "mi cel: (201)555-0123",
		"doscientos uno, quinientos cincuenta y cinco, cero uno veintitrés", "+1 (201) 555-0123 / Ada", "Ada Okafor\n201-555-0123\nRoom 12") {
		if n, problem := enroll.ReadNumber(text, p); problem != "" || n.E164 != cases.Wanted {
			t.Errorf("%q: %+v, %q", text, n, problem)
		}
	}
	for _, c := range cases.Renumbered {
		p.Countries, p.DefaultCountry = append(c.Countries, "US"), cmp.Or(c.Default, "US")
		want, _, _ := strings.Cut(c.Wanted, ",")
		if n, problem := enroll.ReadNumber(c.Typed, p); problem != "" || n.E164 != want || !n.Changed {
			t.Errorf("%q: %+v, %q; want %s", c.Typed, n, problem, want)
		}
	}
}
