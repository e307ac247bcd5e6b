package flows_test

import (
	"errors"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"latchkey/bot"
	"latchkey/flows"
	"latchkey/flows/library"
)

// talk is a conversation with canned outcomes, by check.
type talk struct {
	t        *testing.T
	e        bot.Engine
	s        bot.Session
	out      bot.Output
	outcomes map[string]bot.Outcome
	checks   []string // that were asked for so far
}

func (c *talk) do(ev bot.Event) string {
	c.t.Helper()
	c.e.Turn(&c.s, &ev, &c.out)
	for n := 0; c.out.Check != ""; n++ {
		oc, ok := c.outcomes[c.out.Check]
		if !ok || n > 20 {
			c.t.Fatalf("check %s has no outcome", c.out.Check)
		}
		c.checks = append(c.checks, c.out.Check)
		c.e.Resume(&c.s, &ev, oc, &c.out)
	}
	return c.out.Message.Text
}

func (c *talk) say(text string) string { return c.do(bot.Event{Kind: bot.Text, Text: text}) }

func (c *talk) at(step string) {
	c.t.Helper()
	f := c.s.Top()
	if f == nil || f.Flow+"."+f.Step != step {
		c.t.Fatalf("the conversation stands at %+v, not at %s", f, step)
	}
}

// atCode brings a conversation to the step that waits for a code.
func atCode(t *testing.T, e bot.Engine) *talk {
	c := &talk{t: t, e: e, outcomes: map[string]bot.Outcome{
		"prove.begin":  {Name: "none"},
		"phone.accept": {Name: "ok", Facts: bot.Facts("masked", "•••• 23", "method", "m1")},
		"code.send":    {Name: "sent", Facts: bot.Facts("masked", "•••• 23", "ref", "c1", "minutes", "10")},
		"code.state":   {Name: "live", Facts: bot.Facts("masked", "•••• 23")},
		"code.check":   {Name: "wrong", Facts: bot.Facts("left", "2")},
	}}
	c.say("phone")
	c.say("text me")
	c.say("201 555 0123")
	c.say("yes")
	c.at("phone.code")
	return c
}

// edited is the shipped phone flow with a change.
func edited(t *testing.T, old, new string) fs.FS {
	t.Helper()
	data, err := library.FS.ReadFile("phone.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		t.Fatalf("phone.yaml does not hold %q", old)
	}
	text := "based_on: " + flows.Hash(data) + "\n" + strings.Replace(string(data), old, new, 1)
	return fstest.MapFS{"phone.yaml": {Data: []byte(text)}}
}

// A conversation that we have opened has as its language what the platform or the
// directory tells, which may be a language of a country, or one that is not
// offered.
func TestLanguageOfAnOpenedConversation(t *testing.T) {
	for hint, want := range map[string]string{"es-MX": "es", "ES": "es", "fr": "en", "": "en"} {
		c := &talk{t: t, e: shipped(t), s: bot.Session{Lang: hint}, outcomes: map[string]bot.Outcome{"person.known": {Name: "new"}}}
		c.do(bot.Event{Kind: bot.Start, Begin: &bot.Begin{Flow: "enroll"}})
		if got := c.out.Message.Lang; got != want || c.s.Lang != want || c.s.Chosen {
			t.Errorf("%q is spoken to in %q, and then in %q", hint, got, c.s.Lang)
		}
	}
}

func TestChangedScripts(t *testing.T) {
	before := shipped(t)
	t.Run("the same step is still there: nobody notices", func(t *testing.T) {
		after, err := flows.Load(library.FS, edited(t, "letter: P", "letter: PH"), catalogue())
		if err != nil {
			t.Fatal(err)
		}
		c := atCode(t, before)
		c.e = after
		if got := c.say("111111"); !strings.HasPrefix(got, "That is not the code.") {
			t.Errorf("the answer was not taken: %q", got)
		}
		c.at("phone.code")
		if c.out.Message.Ref[:2] != "PH" {
			t.Errorf("the step has the old number %s", c.out.Message.Ref)
		}
	})
	t.Run("the step is gone: the flow begins again, with what is known", func(t *testing.T) {
		own := fstest.MapFS{"phone.yaml": {Data: []byte(`
flow: phone
based_on: 000000000000
title: A phone
summary: A phone number that gets a code by text or by a call. Land-lines can be called.
triggers: [phone, add phone, my number]
start: only
steps:
  only:
    ask: "{org}?"
    choices:
      - {id: ok, label: "123", goto: ok}
      - {id: other, label: "456", goto: other}
      - {id: failed, label: "789", goto: failed}
  ok: {end: ok}
  other: {end: other}
  failed: {end: failed}
`)},
			"lang/es.yaml": {Data: []byte("language: {code: es, name: Español}\nflows: {phone: {steps: {only: {ask: \"¿{org}?\", choices: {ok: \"123\", other: \"456\", failed: \"789\"}}}}}\n")},
		}
		after, err := flows.Load(library.FS, own, catalogue())
		if err != nil {
			t.Fatal(err)
		}
		c := atCode(t, before)
		c.e = after
		got := c.say("123456")
		c.at("phone.only")
		if !strings.HasPrefix(got, "I have improved these steps") && !strings.Contains(got, "improved") {
			t.Errorf("nobody was told: %q", got)
		}
		if c.s.Slot("masked") != "•••• 23" {
			t.Errorf("what was known is gone: %+v", c.s)
		}
	})
	t.Run("a signal meanwhile changes nothing and says nothing", func(t *testing.T) {
		c := atCode(t, before)
		c.s.Stack[0].Step = "gone"
		c.do(bot.Event{Kind: bot.Notice, Signal: &bot.Signal{Name: "undelivered", Ref: "c1"}})
		if !c.out.Silent {
			t.Errorf("it said %q", c.out.Message.Text)
		}
		c.at("phone.guard")
		if got := c.say("hello"); got == "" {
			t.Error("no answer")
		}
	})
	t.Run("the flow is gone", func(t *testing.T) {
		c := atCode(t, before)
		c.s.Stack[0].Flow = "gone"
		c.outcomes["person.known"] = bot.Outcome{Name: "unknown"}
		if got := c.say("123456"); !strings.Contains(got, "Hello!") {
			t.Errorf("it goes on with %q", got)
		}
		c.at("enroll.welcome")
	})
}

func TestLiveKeepsTheOldSetWhenTheNewOneIsWrong(t *testing.T) {
	var own fs.FS
	live, err := flows.NewLive(func() (*flows.Set, error) { return flows.Load(library.FS, own, catalogue()) })
	if err != nil {
		t.Fatal(err)
	}
	first := live.Set()
	own = edited(t, "start: guard", "start: gard")
	var probs flows.Problems
	if err := live.Reload(); !errors.As(err, &probs) || !strings.Contains(err.Error(), `did you mean "guard"?`) {
		t.Fatalf("a wrong script: %v", err)
	}
	if live.Set() != first {
		t.Fatal("the wrong set is in use")
	}
	own = edited(t, "letter: P", "letter: PH")
	if err := live.Reload(); err != nil {
		t.Fatal(err)
	}
	if live.Set() == first || live.Set().Flow("phone").Letter != "PH" {
		t.Fatal("the new set is not in use")
	}
	if live.Phrase("es", "print.why") == "<print.why>" || len(live.Languages()) != 2 {
		t.Error("phrases do not come from the set")
	}
	// People talk while scripts are loaded.
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				c := atCode(t, live)
				c.say("111111")
			}
		})
	}
	wg.Go(func() {
		for range 5 {
			if err := live.Reload(); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
}

func TestWhatPeopleSee(t *testing.T) {
	set := shipped(t)
	t.Run("a question mark is a word", func(t *testing.T) {
		c := atCode(t, set)
		c.say("?")
		c.at("help.card")
	})
	t.Run("the title of a form is filled", func(t *testing.T) {
		c := &talk{t: t, e: set, outcomes: map[string]bot.Outcome{"person.known": {Name: "unknown"}, "person.means": {Name: "password"}, "person.username": {Name: "ok", Facts: bot.Facts("username", "ada")}}}
		c.say("hi")
		c.say("start")
		c.say("ada")
		c.at("sign_in.password")
		if f := c.out.Message.Form; f == nil || f.Title != "Sign in to Riverbend Schools" {
			t.Errorf("the form is %+v", f)
		}
	})
	t.Run("words that work everywhere are buttons in the person's language", func(t *testing.T) {
		c := &talk{t: t, e: set, outcomes: map[string]bot.Outcome{"person.known": {Name: "unknown"}}}
		c.say("hola")
		for _, ch := range c.out.Message.Choices {
			if ch.Label == "Help" || ch.Label == "Later" || ch.Label == "Not now" {
				t.Errorf("a Spanish message has the button %q", ch.Label)
			}
		}
		if c.out.Message.Lang != "es" {
			t.Errorf("the language is %q", c.out.Message.Lang)
		}
	})
	t.Run("too long, too fast, nothing readable: no try is burnt", func(t *testing.T) {
		c := atCode(t, set)
		delete(c.outcomes, "code.check") // asking it would fail the test
		for _, ev := range []bot.Event{
			{Kind: bot.Text, Text: "123456", TooLong: true}, {Kind: bot.Text, Text: "123456", TooFast: true},
			{Kind: bot.Text, Text: "\u200b"}, {Kind: bot.Text, Text: "12345"}, {Kind: bot.Text, Text: "1234567"},
		} {
			if c.do(ev) == "" {
				t.Errorf("no answer to %q", ev.Text)
			}
			c.at("phone.code")
		}
	})
	t.Run("a picture comes with the step, not with every sentence", func(t *testing.T) {
		c := atCode(t, set)
		if p := c.out.Message.Picture; p == nil || p.Name != "code_text" || p.Alt == "" {
			t.Errorf("the picture is %+v", p)
		}
		c.say("111111")
		if c.out.Message.Picture != nil {
			t.Error("the picture came again")
		}
	})
}
