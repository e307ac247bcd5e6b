package flows_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"latchkey/bot"
	"latchkey/flows"
	"latchkey/flows/library"
)

// paged is the script of the lint tests, which has a step with a page.
func paged(t *testing.T) *flows.Set {
	t.Helper()
	own := fstest.MapFS{
		"x.yaml": {Data: []byte(goodX)}, "y.yaml": {Data: []byte(goodY)}, "lang/es.yaml": {Data: []byte(goodES)},
	}
	set, err := flows.Load(library.FS, own, lintCatalogue())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// atPage brings a conversation to the step with the page.
func atPage(t *testing.T) *talk {
	c := &talk{t: t, e: paged(t), outcomes: map[string]bot.Outcome{
		"t.look": {Name: "ok"}, "person.language": {Name: "ok"}, "t.code": {Name: "no", Facts: bot.Facts("left", "2")}, "t.options": {Name: "none"},
	}}
	c.say("example")
	c.at("x.first")
	c.say("resend")
	c.at("x.linked")
	return c
}

func TestPageStep(t *testing.T) {
	signIn := func(t *testing.T, c *talk, title, button string) {
		t.Helper()
		f := c.out.Message.Form
		if f == nil {
			t.Fatal("the message has no form")
		}
		if f.Name != "t_page" || f.Title != title || f.Button != button || !f.SignIn || f.Reveals || len(f.Fields) != 0 {
			t.Errorf("the form is %+v", f)
		}
	}
	t.Run("the message has the page, its choices and waits for the answer", func(t *testing.T) {
		c := atPage(t)
		signIn(t, c, "Sign in to Riverbend Schools", "Sign in")
		if n := len(c.out.Message.Choices); n != 1 || c.out.Message.Choices[0].ID != "/help" {
			t.Errorf("the choices are %+v", c.out.Message.Choices)
		}
	})
	t.Run("in another language", func(t *testing.T) {
		c := atPage(t)
		c.say("español")
		c.say("repetir")
		c.at("x.linked")
		signIn(t, c, "Entrar en Riverbend Schools", "Entrar")
	})
	t.Run("a code goes to the check as it is meant", func(t *testing.T) {
		c := atPage(t)
		ev := bot.Event{Kind: bot.Text, Text: " 7f3k - 9qio "}
		c.e.Turn(&c.s, &ev, &c.out)
		if c.out.Check != "t.code" || c.out.Input != "7F3K9Q10" {
			t.Fatalf("check %s was asked with %q", c.out.Check, c.out.Input)
		}
		c.e.Resume(&c.s, &ev, bot.Outcome{Name: "no", Facts: bot.Facts("left", "2")}, &c.out)
		c.at("x.linked")
		signIn(t, c, "Sign in to Riverbend Schools", "Sign in") // with a page of its own, so that a fresh link comes with it
		if !strings.HasPrefix(c.out.Message.Text, "There are left: 2.") {
			t.Errorf("it says %q", c.out.Message.Text)
		}
	})
	t.Run("the right code goes on", func(t *testing.T) {
		c := atPage(t)
		c.outcomes["t.code"] = bot.Outcome{Name: "ok"}
		c.say("ABCD-EFGH")
		if c.s.Top() != nil {
			t.Errorf("it stands at %+v", c.s.Top())
		}
	})
	t.Run("what is no code burns no try", func(t *testing.T) {
		c := atPage(t)
		delete(c.outcomes, "t.code") // asking it would fail the test
		for _, text := range []string{"7F3K", "7F3K-9QXU", "what is this", "123456", "hello", "why", "1", strings.Repeat("A", 17)} {
			if c.say(text) == "" {
				t.Errorf("no answer to %q", text)
			}
			for f := c.s.Top(); f.Flow != "x"; f = c.s.Top() { // help and its like run above it
				c.say("back")
			}
			c.at("x.linked")
		}
		if got := c.say("7F3K"); !strings.HasPrefix(got, "Eight characters, please.") {
			t.Errorf("the format is told as %q", got)
		}
	})
	t.Run("its form cannot be submitted", func(t *testing.T) {
		c := atPage(t)
		delete(c.outcomes, "t.code")
		c.do(bot.Event{Kind: bot.Submit, Prompt: c.s.Prompt, Form: &bot.FormReply{Name: "t_page", Prepared: true,
			Values: []bot.FormValue{{Name: "x", Value: "y"}}}})
		c.at("x.linked")
		signIn(t, c, "Sign in to Riverbend Schools", "Sign in")
	})
	t.Run("whoever comes back is welcomed once and sees the step with its page", func(t *testing.T) {
		c := atPage(t)
		prompt := c.s.Prompt
		got := c.do(bot.Event{Kind: bot.Open})
		c.at("x.linked")
		signIn(t, c, "Sign in to Riverbend Schools", "Sign in")
		if n := strings.Count(got, "Welcome back"); n != 1 || strings.Count(got, "Please sign in and type the code.") != 1 {
			t.Errorf("it says %q", got)
		}
		if c.out.Message.Prompt != prompt+1 || c.out.Message.Heard != "" {
			t.Errorf("prompt %d, heard %q", c.out.Message.Prompt, c.out.Message.Heard)
		}
	})
}

// Coming back at an ask step, at a form step, at one that goes through a check,
// and below a word that works everywhere: welcomed once, asked once.
func TestOpenShowsTheStepAgain(t *testing.T) {
	for _, tc := range []struct{ say, at string }{
		{"", "x.first"},
		{"skip", "x.second"},
		{"help", "help.card"},
	} {
		t.Run(tc.at, func(t *testing.T) {
			c := &talk{t: t, e: paged(t), outcomes: map[string]bot.Outcome{"t.look": {Name: "ok"}}}
			c.say("example")
			if tc.say != "" {
				c.say(tc.say)
			}
			c.at(tc.at)
			before := c.out.Message
			got := c.do(bot.Event{Kind: bot.Open})
			c.at(tc.at)
			if strings.Count(got, "Welcome back") != 1 {
				t.Errorf("it says %q", got)
			}
			m := c.out.Message
			if (m.Form == nil) != (before.Form == nil) || len(m.Choices) != len(before.Choices) || m.Prompt == before.Prompt {
				t.Errorf("the step is not shown as before:\n%+v\n%+v", before, m)
			}
			again := c.do(bot.Event{Kind: bot.Open})
			if again != got {
				t.Errorf("the second time it says %q", again)
			}
		})
	}
	c := atCode(t, shipped(t)) // code.state is asked first: is the code still good?
	got := c.do(bot.Event{Kind: bot.Open})
	c.at("phone.code")
	if strings.Count(got, "Welcome back") != 1 {
		t.Errorf("it says %q", got)
	}
}

func TestPageIsShownDrawnAndPrinted(t *testing.T) {
	set := paged(t)
	var b bytes.Buffer
	if err := flows.Show(&b, set, "x"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"page    t_page, to sign in on", "title   en  Sign in to {org}", "button  es  Entrar", "answer  code8, check t.code"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("not shown: %s", want)
		}
	}
	b.Reset()
	if err := flows.Draw(&b, set, "x", "en", "mermaid"); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "page: Sign in to #123;org#125;") {
		t.Errorf("not drawn in\n%s", b.String())
	}
	for lang, want := range map[string][2]string{
		"en": {`<span class="key first">Sign in</span>`, "Type the code that the page shows."},
		"es": {`<span class="key first">Entrar</span>`, "Escriba el código que muestra la página."},
	} {
		b.Reset()
		if err := flows.Print(&b, set, lang, []string{"x"}, nil); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(b.String(), w) {
				t.Errorf("%s: not printed: %s", lang, w)
			}
		}
	}
}
