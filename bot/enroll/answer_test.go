package enroll_test

import (
	"context"
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/enroll"
	"latchkey/bot/vault"
)

// questionTexts of the tests.
var questionTexts = map[string]string{
	"school": "What is the name of your first school?",
	"pet":    "What was the nickname of your first pet?",
	"dish":   "¿Cuál fue el primer plato que aprendió a cocinar?",
}

func asked(t *testing.T) *rig {
	t.Helper()
	r := newRig(t)
	r.Enroll.Question = func(_, id string) string { return questionTexts[id] }
	r.Set("q1", "school", "q2", "pet", "q3", "dish")
	return r
}

// TestAnswerFormsNeverChange: hashes of these forms are kept for years.
func TestAnswerFormsNeverChange(t *testing.T) {
	for _, c := range []struct{ text, first, second string }{
		{"  Lincoln   SCHOOL ", "lincoln school", "lincolnschool"},
		{"Straße", "strasse", "strasse"},
		{"ﬁsh", "fish", "fish"},
		{"Ｂｒｏｃｃｏｌｉ", "broccoli", "broccoli"},
		{"cafe\u0301", "café", "cafe"},
		{"a\u00a0b\tc", "a b c", "abc"},
		{"zero\u200bwidth", "zerowidth", "zerowidth"},
		{"ΣΊΣΥΦΟΣ", "σίσυφοσ", "σισυφοσ"},
		{"\x00nul", "nul", "nul"},
		{"O’Hara's", "o’hara's", "oharas"},
		{"Velvet-Otter!", "velvet-otter!", "velvetotter"},
		{"Пётр Ёлкин", "пётр ёлкин", "петрелкин"},
		{"ガーデン", "ガーデン", "ガーデン"},
		{"हिन्दी", "हिन्दी", "हिन्दी"},
		{"1️⃣２٣", "1️⃣2٣", "123"},
		{"Łódź & Ærø", "łódź & ærø", "lodzaero"},
	} {
		for version, want := range []string{1: c.first, 2: c.second} {
			if version == 0 {
				continue
			}
			if got := enroll.AnswerForm(version, c.text); got != want {
				t.Errorf("AnswerForm(%d, %q) = %q, want %q", version, c.text, got, want)
			}
			if twice := enroll.AnswerForm(version, want); twice != want {
				t.Errorf("version %d: %q changes again to %q", version, want, twice)
			}
		}
	}
}

func FuzzAnswerForm(f *testing.F) {
	f.Add("Lincoln School")
	f.Add("\u0345\u03b1ß")
	f.Fuzz(func(t *testing.T, s string) {
		for version := 1; version <= 2; version++ {
			once := enroll.AnswerForm(version, s)
			if twice := enroll.AnswerForm(version, once); twice != once {
				t.Errorf("version %d of %q: %q, then %q", version, s, once, twice)
			}
		}
	})
}

// TestAnswerRules: each rule names itself and the question; the answer is in
// no fact.
func TestAnswerRules(t *testing.T) {
	for _, c := range []struct{ a1, a2, a3, bad, problem string }{
		{"Lincoln", "Whiskers", "gazpacho", "", ""},
		{"Lincoln School", "Mr Whiskers", "un gazpacho andaluz", "", ""},
		{"ab", "Whiskers", "gazpacho", "school", "short"},
		{"  a  ", "Whiskers", "gazpacho", "school", "short"},
		{"", "Whiskers", "gazpacho", "school", "short"},
		{"Lincoln", strings.Repeat("ab", 33), "gazpacho", "pet", "long"},
		{"Lincoln", strings.Repeat("ab", 32), "gazpacho", "", ""},
		{"Lincoln", "xxxxx", "gazpacho", "pet", "repeated"},
		{"Lincoln", "X x X x", "gazpacho", "pet", "repeated"},
		{"Lincoln", "123456", "gazpacho", "pet", "common"},
		{"Lincoln", "Harry  Potter", "gazpacho", "pet", "common"},
		{"Lincoln", "CONTRASEÑA", "gazpacho", "pet", "common"},
		{"Lincoln", "ann", "gazpacho", "pet", "name"},
		{"Lincoln", "Lee Avenue", "gazpacho", "pet", "name"},
		{"Lincoln", "ann.lee", "gazpacho", "pet", "name"},
		{"Contoso", "Whiskers", "gazpacho", "school", "name"},
		{"my first school", "Whiskers", "gazpacho", "school", "question"},
		{"the name", "Whiskers", "gazpacho", "school", "question"},
		{"Lincoln", "nickname", "gazpacho", "pet", "question"},
		{"Lincoln", "Whiskers", "PRIMER plato", "dish", "question"},
		{"Lincoln", "lincoln", "gazpacho", "pet", "clash"},
		{"Lincoln", "Whiskers", "  LINCOLN ", "dish", "clash"},
		{"Ｌincoln", "Lincoln", "gazpacho", "pet", "clash"},
		{"Velvet Otter", "Vélvet Otter", "gazpacho", "pet", "clash"},
		{"Velvet Otter", "gazpacho", "Velvet-Otter!", "dish", "clash"},
		{"O’Brien", "OBRIEN", "gazpacho", "pet", "clash"},
		{"🎸🎸🎸", "Whiskers", "gazpacho", "school", "short"},
		{"Lincoln", "Ánn", "gazpacho", "pet", "name"},
		{"Lincoln", "L.e.e", "gazpacho", "pet", "name"},
		{"Lincoln", "p-a-s-s-w-o-r-d", "gazpacho", "pet", "common"},
	} {
		r := asked(t)
		oc := r.Submit("answers", "questions.save", "a1", c.a1, "a2", c.a2, "a3", c.a3)
		if c.problem == "" {
			if oc.Name != "ok" || len(r.Methods(bot.Active)) != 1 {
				t.Errorf("%q %q %q: %v", c.a1, c.a2, c.a3, oc)
			}
			continue
		}
		if oc.Name != "again" || prooftest.Fact(oc, "bad") != c.bad || prooftest.Fact(oc, "problem") != c.problem {
			t.Errorf("%q %q %q: %v, want %s %s", c.a1, c.a2, c.a3, oc, c.bad, c.problem)
		}
		if len(r.Methods(bot.Active)) != 0 {
			t.Errorf("%q %q %q: counts all the same", c.a1, c.a2, c.a3)
		}
	}
}

// TestOnlyTheBadOneIsAskedAgain, until all are good.
func TestOnlyTheBadOneIsAskedAgain(t *testing.T) {
	r := asked(t)
	again := func(text string) bot.Outcome {
		t.Helper()
		oc := r.Submit("answer_again", "questions.save_again", "again", text)
		for _, f := range oc.Facts {
			r.Set(f.Name, f.Value)
		}
		return oc
	}
	oc := r.Submit("answers", "questions.save", "a1", "Lincoln", "a2", "lincoln", "a3", "x")
	if prooftest.Fact(oc, "bad") != "pet" || prooftest.Fact(oc, "problem") != "clash" {
		t.Fatal(oc)
	}
	r.Set("bad", "pet")
	for text, problem := range map[string]string{" LINCOLN ": "clash", "ab": "short", "123456": "common", "Ann": "name"} {
		if oc := again(text); oc.Name != "again" || prooftest.Fact(oc, "bad") != "pet" || prooftest.Fact(oc, "problem") != problem {
			t.Errorf("%q: %v, want %s", text, oc, problem)
		}
	}
	if oc := again("Whiskers"); oc.Name != "again" || prooftest.Fact(oc, "bad") != "dish" || prooftest.Fact(oc, "problem") != "short" {
		t.Fatalf("the other missing one: %v", oc)
	}
	if oc := again("whiskers"); prooftest.Fact(oc, "problem") != "clash" {
		t.Error(oc)
	}
	if oc := again("gazpacho"); oc.Name != "ok" {
		t.Fatal(oc)
	}
	on := r.Methods(bot.Active)
	if len(on) != 1 || on[0].Kind != bot.Questions {
		t.Fatalf("active %+v", on)
	}
	ss := prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.MethodSecret, error) { return tx.Secrets(on[0].ID) })
	pool := vault.NewPool(r.Policy)
	for i, want := range []string{"lincoln", "whiskers", "gazpacho"} {
		plain, err := r.Ring.Open(ss[i].Sealed, ss[i].Place(prooftest.AnnID))
		if err != nil {
			t.Fatal(err)
		}
		hash, versioned := strings.CutPrefix(string(plain), "2$")
		if !versioned {
			t.Errorf("answer %d does not say its version", i+1)
		}
		if ok, err := vault.VerifySecret(t.Context(), pool, "$"+hash, []byte(want)); !ok || err != nil {
			t.Errorf("answer %d of %s: %v, %v", i+1, ss[i].Name, ok, err)
		}
		if ss[i].Name != []string{"school", "pet", "dish"}[i] {
			t.Errorf("answer %d belongs to %s", i+1, ss[i].Name)
		}
	}
	// New answers take the place of the old ones.
	r.Want("questions.begin", "", "ready")
	if oc := r.Submit("answers", "questions.save", "a1", "Roosevelt", "a2", "Socks", "a3", "paella mixta"); oc.Name != "ok" {
		t.Fatal(oc)
	}
	if now := r.Methods(bot.Active); len(now) != 1 || now[0].ID == on[0].ID {
		t.Errorf("active %+v", now)
	}
	if ss := prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.MethodSecret, error) { return tx.Secrets(on[0].ID) }); len(ss) != 0 {
		t.Error("old answers are kept")
	}
}

// countingHashes counts the hashes that are compared.
type countingHashes struct {
	enroll.Hasher
	compared int
}

func (c *countingHashes) VerifyAny(ctx context.Context, hs []string, b []byte) (int, error) {
	c.compared += len(hs)
	return c.Hasher.VerifyAny(ctx, hs, b)
}

// TestAnswersOfBefore: hashes of the first form carry no number and are compared
// in that form; each is compared once, so a version more is not more work.
func TestAnswersOfBefore(t *testing.T) {
	r := asked(t)
	pool := vault.NewPool(r.Policy)
	counted := &countingHashes{Hasher: r.Enroll.Hashes}
	r.Enroll.Hashes = counted
	r.Submit("answers", "questions.save", "a1", "Roosevelt", "a2", "x", "a3", "gazpacho")
	m := r.Methods(bot.Pending)[0]
	old, err := vault.HashSecret(t.Context(), pool, []byte(enroll.AnswerForm(1, "O’Hara’s")))
	if err != nil {
		t.Fatal(err)
	}
	seal := func(plain string) {
		t.Helper()
		err := r.DB.Update(t.Context(), func(tx bot.Tx) error {
			ss, err := tx.Secrets(m.ID)
			if err != nil {
				return err
			}
			if ss[0].Sealed, err = r.Ring.Seal([]byte(plain), ss[0].Place(prooftest.AnnID)); err != nil {
				return err
			}
			return tx.PutSecrets(m.ID, ss)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	seal(old)
	r.Set("bad", "pet")
	counted.compared = 0
	if oc := r.Submit("answer_again", "questions.save_again", "again", "o’hara’s"); prooftest.Fact(oc, "problem") != "clash" {
		t.Errorf("the same as an answer of before: %v", oc)
	}
	if oc := r.Submit("answer_again", "questions.save_again", "again", "GAZPACHO!"); prooftest.Fact(oc, "problem") != "clash" {
		t.Errorf("the same as an answer of today: %v", oc)
	}
	if counted.compared > 4 {
		t.Errorf("%d comparisons for two answers against two hashes", counted.compared)
	}
	seal("9" + old)
	if oc, err := r.TrySubmit("answer_again", "questions.save_again", "again", "Whiskers"); err == nil || !strings.Contains(err.Error(), `version "9"`) {
		t.Errorf("an answer of a newer program: %v, %v", oc, err)
	}
	seal(old)
	if oc := r.Submit("answer_again", "questions.save_again", "again", "Whiskers"); oc.Name != "ok" {
		t.Error(oc)
	}
	ss := prooftest.View(r.Rig, func(tx bot.Tx) ([]bot.MethodSecret, error) { return tx.Secrets(m.ID) })
	for i, want := range []string{"1", "2", "2"} {
		if plain, err := r.Ring.Open(ss[i].Sealed, ss[i].Place(prooftest.AnnID)); err != nil || string(plain[:1]) != want {
			t.Errorf("answer %d: %v", i+1, err)
		}
	}
}

func TestAnswersWithoutTheOthers(t *testing.T) {
	r := asked(t)
	r.Set("bad", "pet")
	if oc, err := r.TrySubmit("answer_again", "questions.save_again", "again", "Whiskers"); err != nil || oc.Name != "gone" {
		t.Errorf("one answer alone: %v, %v", oc, err)
	}
	if _, err := newRig(t).TrySubmit("answers", "questions.save", "a1", "x"); err == nil {
		t.Error("answers to no questions")
	}
}

func TestQuestionsOff(t *testing.T) {
	r := newRig(t)
	r.Policy.QuestionsEnabled = false
	r.Want("questions.begin", "", "off")
	if oc := r.Want("methods.missing", "", "some"); len(oc.Options) != 4 {
		t.Errorf("missing %v", oc.Options)
	}
}
