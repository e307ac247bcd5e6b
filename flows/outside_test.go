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

// A call step waits for the end of what it began, whatever else may come: late,
// of an earlier call, while something else runs above it.
func TestCallStep(t *testing.T) {
	own := map[string]string{"x.yaml": `flow: far
title: Far
summary: Far.
why: Because.
outside: []
start: look
steps:
  look:
    call: directory.look
    text: One moment. {ref}
    still: Still looking.
    short: It goes on.
    refresh: known
    outcomes:
      looked: {say: "Found.", goto: known}
      look_failed: {say: "Not found.", goto: known}
      late: {say: "Late.", goto: known}
      soon: known
      "off": known
    choices: [{id: leave, label: Leave, goto: known}]
  known:
    ask: This is what I know.
    choices: [{id: again, label: Again, goto: look}, {id: b, label: B, goto: over}]
  over: {end: ok}
`, "lang/es.yaml": `language: {code: es, name: Español}
flows:
  far:
    title: Lejos
    summary: Lejos.
    why: Porque.
    steps:
      look:
        text: Un momento. {ref}
        still: Sigo mirando.
        short: Sigue.
        outcomes: {looked: Encontrado., look_failed: No encontrado., late: Tarde.}
        choices: {leave: Dejar}
      known: {ask: Esto sé., choices: {again: Otra vez, b: B}}
`}
	set, probs := outsideSet(own)
	if len(probs) > 0 {
		t.Fatal(probs)
	}
	c := &talk{t: t, e: set, outcomes: map[string]bot.Outcome{"directory.look": {Name: "asked", Facts: bot.Facts("ref", "r1")}}}
	signal := func(name, ref string) string {
		return c.do(bot.Event{Kind: bot.Notice, Signal: &bot.Signal{Name: name, Ref: ref}})
	}
	if text := c.do(begin(bot.Begin{Flow: "far"})); text != "One moment. r1" {
		t.Fatalf("it said %q", text)
	}
	c.at("far.look")
	if !strings.HasSuffix(c.say("what?"), "It goes on.") {
		t.Errorf("it said %q", c.out.Message.Text)
	}
	if text := signal(bot.SignalStill, "r1"); text != "Still looking.\n\nIt goes on." {
		t.Errorf("it said %q", text)
	}
	if signal("looked", "r0"); !c.out.Silent {
		t.Errorf("an earlier call's end said %q", c.out.Message.Text)
	}
	c.say("help")
	if signal(bot.SignalStill, "r1"); !c.out.Silent {
		t.Errorf("in the middle of something else it said %q", c.out.Message.Text)
	}
	if text := signal("looked", "r1"); text != "Found.\n\nThis is what I know." {
		t.Errorf("it said %q", text)
	}
	if signal(bot.OutcomeLate, "r1"); !c.out.Silent {
		t.Errorf("after the end it said %q", c.out.Message.Text)
	}
	c.outcomes["directory.look"] = bot.Outcome{Name: "asked", Facts: bot.Facts("ref", "r2")}
	c.say("again")
	if text := signal(bot.OutcomeLate, "r2"); text != "Late.\n\nThis is what I know." {
		t.Errorf("it said %q", text)
	}
	c.say("again")
	c.say("leave")
	c.at("far.known")
	if signal("looked", "r2"); !c.out.Silent {
		t.Errorf("after it was left it said %q", c.out.Message.Text)
	}

	late := `      late: {say: "Late.", goto: known}` + "\n"
	files := map[string]string{"x.yaml": strings.Replace(own["x.yaml"], late, "", 1), "lang/es.yaml": strings.Replace(own["lang/es.yaml"], ", late: Tarde.", "", 1)}
	if _, probs := outsideSet(files); !strings.Contains(probs.Error(), `what follows outcome "late" of check directory.look`) {
		t.Errorf("lint says %v", probs)
	}
	for _, b := range []struct{ old, new, want string }{
		{"late: {say: \"Late.\", goto: known}\n      soon: known\n", "late: {say: \"Late.\", goto: known}\n", `what follows outcome "soon" of check directory.look`},
		{"      \"off\": known\n", "", `what follows outcome "off" of check directory.look`},
		{"      soon: known\n", "      soon: known\n      asked: known\n", `never gives outcome "asked"`},
		{"    refresh: known\n", "", "needs refresh:"},
		{"    still: Still looking.\n", "", "needs text: for what is waited for, and still:"},
		{"call: directory.look", "call: person.status", "begins nothing that takes time"},
		{"    ask: This", "    still: Hm.\n    ask: This", "still has no meaning"},
	} {
		files := map[string]string{"x.yaml": strings.Replace(own["x.yaml"], b.old, b.new, 1), "lang/es.yaml": own["lang/es.yaml"]}
		if _, probs := outsideSet(files); !strings.Contains(probs.Error(), b.want) {
			t.Errorf("%q: lint says %v", b.new, probs)
		}
	}
}

func outsideSet(own map[string]string) (*flows.Set, flows.Problems) {
	files := fstest.MapFS{}
	for name, text := range own {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return flows.Inspect(library.FS, files, catalogue())
}
