package flows_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"latchkey/bot"
	"latchkey/flows"
	"latchkey/flows/library"
)

func begin(b bot.Begin) bot.Event { return bot.Event{Kind: bot.Start, Begin: &b} }

// What the help desk gives back is asked again where it stopped, in full, with
// a word that the assistant is back.
func TestBackFromTheDeskAtTheVeryStep(t *testing.T) {
	c := atCode(t, shipped(t))
	text := c.do(begin(bot.Begin{Back: true}))
	c.at("phone.code")
	if !strings.HasPrefix(text, "You are back with the assistant.") || !strings.Contains(text, "•••• 23") || c.out.Message.Picture == nil {
		t.Errorf("it said %q, picture %v", text, c.out.Message.Picture)
	}
	c.s.Lang = "es"
	if text := c.do(begin(bot.Begin{Back: true})); !strings.HasPrefix(text, "Le atiende de nuevo el asistente.") {
		t.Errorf("it said %q", text)
	}
	c = &talk{t: t, e: c.e}
	if c.outcomes = map[string]bot.Outcome{"person.known": {Name: "unknown"}}; c.do(begin(bot.Begin{Back: true})) == "" {
		t.Error("nothing ran, and nothing was said")
	}
}

// A flow is begun from outside, and gone back in, as its script allows.
func TestBeginFromOutside(t *testing.T) {
	set := shipped(t)
	fresh := func() *talk {
		return &talk{t: t, e: set, outcomes: map[string]bot.Outcome{"person.known": {Name: "unknown"}, "person.means": {Name: "password"},
			"person.may_sign_in": {Name: "now"}, "person.username": {Name: "ok", Facts: bot.Facts("username", "ada")}}}
	}
	c := fresh()
	if text := c.do(begin(bot.Begin{Flow: "enroll"})); !strings.HasPrefix(text, "Hello! I am") {
		t.Errorf("it said %q", text)
	}
	c.at("enroll.welcome")
	c.do(begin(bot.Begin{Flow: "enroll"})) // a second press of the announcement's button
	c.at("enroll.welcome")
	if len(c.s.Stack) != 1 {
		t.Errorf("%d flows run", len(c.s.Stack))
	}
	c.say("start")
	if c.s.Top().Flow == "enroll" && c.s.Top().Step == "welcome" {
		t.Fatal("start leads nowhere")
	}
	c.do(begin(bot.Begin{Flow: "enroll", Step: "welcome"})) // "send back to step"
	c.at("enroll.welcome")

	// In the middle of something else it runs above that, and back leads there.
	c = atCode(t, set)
	c.outcomes["person.known"] = bot.Outcome{Name: "unknown"}
	c.do(begin(bot.Begin{Flow: "enroll"}))
	c.at("enroll.welcome")
	c.say("back")
	c.at("phone.code")
}

// What a script does not allow is refused by name, and whoever waits is asked
// again all the same.
func TestBeginThatTheScriptsDoNotAllow(t *testing.T) {
	set := shipped(t)
	c := atCode(t, set)
	for _, b := range []struct {
		bot.Begin
		says string
	}{
		{bot.Begin{Flow: "remove"}, "remove"},
		{bot.Begin{Flow: "nonsense"}, "nonsense"},
		{bot.Begin{Flow: "phone", Step: "number"}, "phone"},
		{bot.Begin{Flow: "enroll", Facts: bot.Facts("method", "m2")}, "method"},
		{bot.Begin{Flow: "enroll", Step: "welcome"}, "does not run"},
		{bot.Begin{Step: "code"}, "without a flow"},
		{bot.Begin{Facts: bot.Facts("method", "m2")}, "without a flow"},
	} {
		if err := set.Begins(&c.s, &b.Begin); err == nil || !strings.Contains(err.Error(), b.says) || strings.Contains(err.Error(), "m2") {
			t.Errorf("%+v: error %v", b.Begin, err)
		}
		if text := c.do(begin(b.Begin)); !strings.Contains(text, "•••• 23") {
			t.Errorf("%+v: it said %q", b.Begin, text)
		}
		c.at("phone.code")
		if c.s.Slot("method") != "m1" {
			t.Fatalf("%+v: a slot was set from outside", b.Begin)
		}
	}
}

// A step that was not asked in this run cannot be gone on at: its slots may be
// empty.
func TestOnlyAStepThatWasAsked(t *testing.T) {
	own := map[string]string{"x.yaml": `flow: far
title: Far
summary: Far.
why: Because.
outside: [shade]
takes: [shade]
start: one
steps:
  one:
    ask: Which one? {shade}
    choices: [{id: a, label: A, goto: two}]
  two:
    ask: Two
    choices: [{id: b, label: B, goto: over}]
  over: {end: ok}
`, "lang/es.yaml": `language: {code: es, name: Español}
flows:
  far:
    title: Lejos
    summary: Lejos.
    why: Porque.
    steps:
      one: {ask: "¿Cuál? {shade}", choices: {a: A}}
      two: {ask: Dos, choices: {b: B}}
`}
	set, probs := outsideSet(own)
	if len(probs) > 0 {
		t.Fatal(probs)
	}
	c := &talk{t: t, e: set}
	if err := set.Begins(&c.s, &bot.Begin{Flow: "far"}); err == nil || !strings.Contains(err.Error(), "shade") {
		t.Errorf("without what it takes: %v", err)
	}
	if text := c.do(begin(bot.Begin{Flow: "far", Facts: bot.Facts("shade", "red")})); text != "Which one? red" {
		t.Fatalf("it said %q", text)
	}
	if c.do(begin(bot.Begin{Flow: "far", Step: "two"})); c.s.Top().Step != "one" {
		t.Error("it went to a step that was never asked")
	}
	c.say("a")
	c.at("far.two")
	if text := c.do(begin(bot.Begin{Flow: "far", Step: "one", Facts: bot.Facts("shade", "blue")})); text != "Which one? blue" {
		t.Errorf("it said %q", text)
	}

	own["x.yaml"] = strings.Replace(own["x.yaml"], "outside: [shade]", "outside: []", 1)
	if _, probs := outsideSet(own); !strings.Contains(probs.Error(), "add it to outside:") {
		t.Errorf("lint says %v", probs)
	}
	own["x.yaml"] = strings.Replace(own["x.yaml"], "takes: [shade]", "", 1)
	if _, probs := outsideSet(own); !strings.Contains(probs.Error(), "shade") {
		t.Errorf("lint says %v", probs)
	}
}

func outsideSet(own map[string]string) (*flows.Set, flows.Problems) {
	files := fstest.MapFS{}
	for name, text := range own {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return flows.Inspect(library.FS, files, catalogue())
}
