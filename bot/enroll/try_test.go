package enroll_test

import (
	"fmt"
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
)

// try checks what is typed into a form so far: name, value, name, value. What
// comes back is "field problem", without the numbers.
func (r *rig) try(form string, kv ...string) string {
	r.Helper()
	c := r.NewCall("")
	c.Event.Form = &bot.FormReply{Name: form}
	for i := 0; i < len(kv); i += 2 {
		c.Event.Form.Values = append(c.Event.Form.Values, bot.FormValue{Name: kv[i], Value: bot.Secret(kv[i+1])})
	}
	ps, err := r.Forms[form].Try(r.Context(), r.DB, c)
	if err != nil {
		r.Fatal(err)
	}
	var out []string
	for _, p := range ps {
		key, _, _ := strings.Cut(p.Text, "(")
		out = append(out, p.Field+" "+strings.TrimPrefix(key, "answer.problem."))
		for i := 1; i < len(kv); i += 2 {
			if len(kv[i]) > 2 && strings.Contains(p.Text, kv[i]) {
				r.Errorf("the problem repeats the value: %s", p.Text)
			}
		}
	}
	return strings.Join(out, ", ")
}

func TestTryAnswers(t *testing.T) {
	r := newRig(t)
	r.Enroll.Question = func(_, id string) string { return "What was the name of your " + id + "?" }
	r.Set("q1", "street", "q2", "hero", "q3", "school")
	for _, c := range []struct {
		a1, a2, a3 string
		want       string
	}{
		{"", "", "", ""},
		{"  ", "\u200b", "\t", ""},
		{"he", "", "", "a1 short"},
		{"heron", "", "", ""},
		{"heron", "ostrich", "ibis lane", ""},
		{strings.Repeat("long ", 20), "x", "", "a1 long, a2 short"},
		{"aaaaaa", "blue", "Ann Lee", "a1 repeated, a2 common, a3 name"},
		{"contoso road", "", "", "a1 name"},
		{"the street", "hero", "school", "a1 question, a2 question, a3 question"},
		{"heron", " HERON ", "", "a2 clash"},
		{"heron", "ostrich", "Heron", "a3 clash"},
		{"", "ostrich", "ostrich", "a3 clash"},
		{"heron", "heron", "heron", "a2 clash, a3 clash"},
		{"xx", "xx", "", "a1 short, a2 short"},
	} {
		if got := r.try("answers", "a1", c.a1, "a2", c.a2, "a3", c.a3); got != c.want {
			t.Errorf("%q: %q, want %q", []string{c.a1, c.a2, c.a3}, got, c.want)
		}
	}
	r.Set("bad", "hero")
	for typed, want := range map[string]string{"": "", " ": "", "he": "again short", "hero": "again question", "password": "again common", "heron": ""} {
		if got := r.try("answer_again", "again", typed); got != want {
			t.Errorf("again %q: %q, want %q", typed, got, want)
		}
	}
	if ms := prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.Method, error) { return tx.Methods(prooftest.AnnID) }); len(ms) != 0 || len(r.Jobs) != 0 {
		t.Errorf("something is stored: %+v, %v", ms, r.Jobs)
	}
	for _, form := range []string{"sign_in", "sign_in_page", "recovery"} {
		if r.Forms[form].Try != nil {
			t.Errorf("form %s is checked while it is typed", form)
		}
	}
}

// TestTryAgreesWithTheSave: what is good while it is typed is good when it is
// sent, and the first problem is the same.
func TestTryAgreesWithTheSave(t *testing.T) {
	for _, as := range [][3]string{
		{"heron", "ostrich", "ibis"}, {"he", "ostrich", "ibis"}, {"heron", "heron", "ibis"}, {"heron", "ostrich", "OSTRICH"},
		{"heron", "ann", "ibis"}, {"heron", "ostrich", "1234"}, {"mmmmm", "ostrich", "ibis"},
	} {
		r := newRig(t)
		r.Set("q1", "q-one", "q2", "q-two", "q3", "q-three")
		tried := r.try("answers", "a1", as[0], "a2", as[1], "a3", as[2])
		oc := r.Submit("answers", "questions.save", "a1", as[0], "a2", as[1], "a3", as[2])
		saved := ""
		if oc.Name == "again" {
			n := map[string]int{"q-one": 1, "q-two": 2, "q-three": 3}[prooftest.Fact(oc, "bad")]
			saved = fmt.Sprintf("a%d %s", n, prooftest.Fact(oc, "problem"))
		}
		if tried != saved {
			t.Errorf("%q: while typed %q, when sent %q", as, tried, saved)
		}
	}
}

// TestTryNeedsAPerson: the names that an answer must not hold are those of
// somebody who has signed in.
func TestTryNeedsAPerson(t *testing.T) {
	r := newRig(t).out("nobody", "x")
	c := r.NewCall("")
	c.Event.Form = &bot.FormReply{Name: "answers", Values: []bot.FormValue{{Name: "a1", Value: "heron"}}}
	for _, form := range []string{"answers", "answer_again"} {
		if ps, err := r.Forms[form].Try(t.Context(), r.DB, c); err == nil || ps != nil {
			t.Errorf("%s: %v, %v", form, ps, err)
		}
	}
}
