package flows_test

import (
	"bufio"
	"os"
	"slices"
	"strings"
	"testing"

	"latchkey/bot"
)

// stepsOf are the short names of testdata/understand.
var stepsOf = map[string]string{
	"idle": "", "welcome": "enroll.welcome", "done": "enroll.done", "sign_in": "sign_in.username", "app_intro": "authenticator.intro",
	"phone_in_hand": "authenticator.ready", "install": "authenticator.app", "plus": "authenticator.plus", "kind": "authenticator.kind",
	"scan": "authenticator.scan", "via": "phone.via", "number": "phone.number", "confirm": "phone.confirm", "code": "phone.code",
	"email": "email.address", "email_code": "email.code", "questions": "questions.first", "my_methods": "methods.menu",
}

// TestSentencesAreUnderstood counts what comes of sentences of which the phrases
// were not written. The held-out half was written with the other one, before
// either was tried, and not looked at.
func TestSentencesAreUnderstood(t *testing.T) {
	set := shipped(t)
	for _, c := range []struct {
		half               string
		first, three, done float64 // at least right, right among what is offered; at most done wrongly
	}{{"dev", 0.90, 0.95, 0.02}, {"heldout", 0.85, 0.93, 0.05}} {
		var n, first, three, wrong, values, right float64
		for _, lang := range []string{"en", "es"} {
			f, err := os.Open("testdata/understand/" + c.half + "." + lang + ".tsv")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for sc := bufio.NewScanner(f); sc.Scan(); {
				col := strings.Split(sc.Text(), "\t")
				flow, step, _ := strings.Cut(stepsOf[col[0]], ".")
				m := set.Explain(flow, step, lang, col[1])
				want := strings.Split(col[2], "|")
				n++
				hit := slices.ContainsFunc(strings.Split(m.ID, "+"), func(id string) bool { return slices.Contains(want, id) })
				hit = hit || m.Kind == "miss" && want[0] == "gibberish"
				sure := m.Kind != "miss" && m.Kind != "suggestion"
				if hit && m.Kind != "suggestion" {
					first++
				}
				if hit || slices.ContainsFunc(m.Also, func(id string) bool { return slices.Contains(want, id) }) {
					three++
				}
				if sure && !hit {
					wrong++
				}
				if len(col) > 3 {
					values++
					if m.Value == col[3] {
						right++
					} else {
						t.Errorf("%s: the value of %q is %q, not %q", col[0], col[1], m.Value, col[3])
					}
				}
			}
		}
		t.Logf("%s: first %.3f, among three %.3f, done wrongly %.3f, of %.0f; values %.0f of %.0f", c.half, first/n, three/n, wrong/n, n, right, values)
		if first/n < c.first || three/n < c.three || wrong/n > c.done {
			t.Errorf("%s: first %.3f, among three %.3f, done wrongly %.3f; want %.2f, %.2f, at most %.2f", c.half, first/n, three/n, wrong/n, c.first, c.three, c.done)
		}
	}
}

// What is explained is what a turn does: a value goes to its check, what is not
// understood is not heard, and all else is.
func TestExplainDoesAsATurnDoes(t *testing.T) {
	set := shipped(t)
	for _, c := range []struct{ at, text, kind, id string }{
		{"authenticator.app", "its a samsung galaxy", "choice", "have_android"},
		{"phone.code", "could you resend that", "choice", "resend_code"},
		{"phone.confirm", "that is my old number, it is 201 555 0199", "value", "value_phone"},
		{"phone.via", "how much do you charge", "article", "cost"},
		{"", "the copier is jammed again", "article", "out_of_scope_it"},
		{"", "get me a human right now", "verb", "human"},
		{"phone.via", "xyzzy plugh", "miss", "gibberish"},
	} {
		flow, step, _ := strings.Cut(c.at, ".")
		m := set.Explain(flow, step, "en", c.text)
		if m.Kind != c.kind || m.ID != c.id {
			t.Errorf("%s: %q is %+v, want %s %s", c.at, c.text, m, c.kind, c.id)
		}
		s, out := bot.Session{Lang: "en", Prompt: 2}, bot.Output{}
		if flow != "" {
			s.Stack = []bot.Frame{{Flow: flow, Step: step}}
		}
		set.Turn(&s, &bot.Event{Kind: bot.Text, Text: c.text}, &out)
		if value, missed := out.Check != "" && out.Input != "", out.Check == "" && out.Message.Heard == bot.Unheard; value != (c.kind == "value") || missed != (c.kind == "miss") {
			t.Errorf("%s: after %q the check is %q of %q, and heard is %q; it is explained as a %s", c.at, c.text, out.Check, out.Input, out.Message.Heard, m.Kind)
		}
	}
}
