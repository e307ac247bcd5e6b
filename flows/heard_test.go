package flows_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/flows"
)

func TestHeard(t *testing.T) {
	text := func(s string) bot.Event { return bot.Event{Kind: bot.Text, Text: s} }
	press := func(id string, prompt uint32) bot.Event {
		return bot.Event{Kind: bot.Press, Choice: id, Prompt: prompt}
	}
	submit := func(form string) bot.Event {
		return bot.Event{Kind: bot.Submit, Form: &bot.FormReply{Name: form, Values: []bot.FormValue{{Name: "a", Value: "hunter2"}}}}
	}
	long := "hello" + strings.Repeat("!", 3000)
	for _, tc := range []struct {
		name string
		say  []string // before, at the script of the lint tests
		ev   bot.Event
		want string
	}{
		{"pressed choice", nil, press("next", 1), "Go on"},
		{"pressed choice, prompt unknown", nil, press("next", 0), "Go on"},
		{"pressed choice in Spanish", []string{"español"}, press("next", 0), "Seguir"},
		{"pressed word", nil, press("/later", 1), "Later"},
		{"pressed word of an earlier prompt", []string{"skip"}, press("/later", 1), "Later"},
		{"pressed choice of an earlier prompt", []string{"skip"}, press("next", 1), "Go on"},
		{"pressed entry of a list", []string{"language"}, press("es", 0), "Español"},
		{"pressed nothing known", nil, press("nonsense", 1), ""},
		{"pressed nothing known of earlier", nil, press("nonsense", 9), ""},
		{"pressed too fast", nil, bot.Event{Kind: bot.Press, Choice: "next", Prompt: 1, TooFast: true}, "Go on"},
		{"typed number of a choice", nil, text("1"), "Go on"},
		{"typed label", nil, text("go on!"), "Go on"},
		{"typed id", nil, text("next"), "Go on"},
		{"typed word of a choice", nil, text("forward"), "Go on"},
		{"typed sentence that nothing knows", nil, text("frobnicate the quux, please"), bot.Unheard},
		{"typed sentence", nil, text("get me help, please"), "Help"},
		{"typed help", nil, text("HELP"), "Help"},
		{"typed help in Spanish", nil, text("ayuda"), "Ayuda"},
		{"typed language", nil, text("español"), "Español"},
		{"typed entry of a list", []string{"language"}, text("2"), "Español"},
		{"typed trigger", nil, text("trouble"), "Something does not work"},
		{"typed greeting", nil, text(" Hello! "), "Hello!"},
		{"typed greeting with very much behind it", nil, text(long), "hello"},
		{"typed code", nil, text("123456"), bot.Unheard},
		{"typed wrong code", nil, text("12345"), bot.Unheard},
		{"typed eight characters", []string{"resend"}, text("7F3K9QXD"), bot.Unheard},
		{"typed question", nil, text("is this safe?"), "Is this safe?"},
		{"typed nonsense", nil, text("qwertz uiop"), bot.Unheard},
		{"typed nothing", nil, text(" \u200b"), bot.Unheard},
		{"typed too much", nil, bot.Event{Kind: bot.Text, Text: "help", TooLong: true}, bot.Unheard},
		{"typed a password into the chat", []string{"skip"}, text("hunter2"), bot.Unheard},
		{"sent form", []string{"skip"}, submit("t_form"), "A form of Riverbend Schools"},
		{"sent form of earlier", nil, submit("t_form"), "A form of Riverbend Schools"},
		{"sent unknown form", []string{"skip"}, submit("hunter2"), ""},
		{"sent nothing", []string{"skip"}, bot.Event{Kind: bot.Submit}, ""},
		{"opened", nil, bot.Event{Kind: bot.Open}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &talk{t: t, e: paged(t), outcomes: map[string]bot.Outcome{
				"t.look": {Name: "ok"}, "t.code": {Name: "ok"}, "t.save": {Name: "ok"}, "t.options": {Name: "some"}, "person.language": {Name: "ok"}, "person.snooze": {Name: "ok"}}}
			c.say("example")
			for _, s := range tc.say {
				c.say(s)
			}
			c.do(tc.ev)
			if got := c.out.Message.Heard; got != tc.want {
				t.Errorf("heard %q, want %q (it says %q)", got, tc.want, c.out.Message.Text)
			}
		})
	}
	t.Run("options of a check", func(t *testing.T) {
		for _, ev := range []bot.Event{text("2"), text("phone •• 23"), press("m2", 0)} {
			c := &talk{t: t, e: paged(t), outcomes: map[string]bot.Outcome{"t.look": {Name: "ok"}, "t.save": {Name: "ok"},
				"t.options": {Name: "some", Options: []bot.Option{{ID: "m1", Label: "App"}, {ID: "m2", Label: "Phone •• 23"}}}}}
			c.say("example")
			c.say("skip")
			c.do(submit("t_form"))
			c.at("x.which")
			c.do(ev)
			if got := c.out.Message.Heard; got != "Phone •• 23" {
				t.Errorf("heard %q", got)
			}
		}
	})
	t.Run("a user name is heard only when it was taken as one", func(t *testing.T) {
		c := &talk{t: t, e: shipped(t), outcomes: map[string]bot.Outcome{}}
		c.s.Stack = []bot.Frame{{Flow: "sign_in", Step: "username"}}
		for outcome, want := range map[string]string{"bad": bot.Unheard, "foreign": bot.Unheard, "nonsense": bot.Unheard, "ok": "Ada.L@example.com"} {
			c.s.Stack = []bot.Frame{{Flow: "sign_in", Step: "username"}}
			ev := text(" Ada.L@example.com ")
			c.e.Turn(&c.s, &ev, &c.out)
			if c.out.Check != "person.username" {
				t.Fatalf("check %q was asked", c.out.Check)
			}
			c.e.Resume(&c.s, &ev, bot.Outcome{Name: outcome}, &c.out)
			if got := c.out.Message.Heard; got != want {
				t.Errorf("%s: heard %q, want %q", outcome, got, want)
			}
		}
	})
	t.Run("a signal is nothing that anybody said", func(t *testing.T) {
		c := atCode(t, shipped(t))
		c.outcomes["code.failed"] = bot.Outcome{Name: "ok"}
		ev := bot.Event{Kind: bot.Notice, Signal: &bot.Signal{Name: "undelivered", Ref: "c1"}}
		c.e.Turn(&c.s, &ev, &c.out)
		if c.out.Message.Heard != "" {
			t.Errorf("heard %q", c.out.Message.Heard)
		}
	})
}

var wordsOf sync.Map // *flows.Set -> map[string]bool

// harmless reports whether what was heard may be kept: a label, a title, a
// greeting, dots, or a login where one was asked for.
func harmless(set *flows.Set, before *bot.Session, ev *bot.Event, heard string) bool {
	words, ok := wordsOf.Load(set)
	if !ok {
		words, _ = wordsOf.LoadOrStore(set, flows.Words(set))
	}
	if words.(map[string]bool)[heard] || flows.Greets(set, heard) {
		return true
	}
	for i := range before.Stack {
		for _, o := range before.Stack[i].Options {
			if heard == o.Label {
				return true
			}
		}
	}
	f := before.Top()
	if f == nil || ev.Kind != bot.Text || set.Flow(f.Flow) == nil {
		return false
	}
	st := set.Flow(f.Flow).Steps[f.Step]
	return st != nil && st.Answer.Kind == flows.LoginText && heard == strings.TrimSpace(ev.Text) && !strings.ContainsAny(heard, " \t\n")
}

// At every step of every shipped script, whatever is typed, pressed or sent:
// nothing is kept for a transcript but what stands in the scripts. The text that
// is typed holds a mark, which must not be found again anywhere but in a login.
func TestHeardHoldsNoSecret(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("LATCHKEY_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("LATCHKEY_SEED=%d", seed)
	src := seeded{rand.New(rand.NewPCG(seed, 1))}
	sets, err := variants()
	if err != nil {
		t.Fatal(err)
	}
	sets = append(sets[:len(sets):len(sets)], paged(t))
	steps, kept := 0, map[string]int{}
	for _, set := range sets {
		cat := set.Catalogue
		for _, f := range set.Flows() {
			for _, st := range f.Order {
				if st.Kind != flows.Ask && st.Kind != flows.Form {
					continue
				}
				steps++
				for n := range 60 {
					mark := fmt.Sprintf("%c%dx%06d", 'Q'+rune(src.pick(8)), src.pick(10), src.pick(1_000_000))
					ev := strange(src, st, mark)
					s := bot.Session{Lang: []string{"en", "es", ""}[src.pick(3)], Prompt: 7, Stack: []bot.Frame{
						{Flow: f.Name, Step: st.ID, Hash: f.Hash, Slots: bot.Facts("masked", "•••• 23", "left", "2"), Options: []bot.Option{{ID: "m1", Label: "Option 1"}}}}}
					before := cloneSession(s)
					var out bot.Output
					set.Turn(&s, &ev, &out)
					for n := 0; out.Check != ""; n++ {
						oc := bot.Outcome{Name: "error"}
						if names := slices.Sorted(maps.Keys(cat.Checks[out.Check].Outcomes)); n < 10 && len(names) > 0 {
							oc.Name = names[src.pick(len(names))]
						}
						set.Resume(&s, &ev, oc, &out)
					}
					heard := out.Message.Heard
					if !harmless(set, &before, &ev, heard) {
						t.Fatalf("%s.%s, round %d: heard %q of %+v", f.Name, st.ID, n, heard, ev)
					}
					if strings.Contains(heard, mark) && st.Answer.Kind != flows.LoginText {
						t.Fatalf("%s.%s: what was typed is in %q", f.Name, st.ID, heard)
					}
					switch {
					case heard == bot.Unheard:
						kept["dots"]++
					case heard != "":
						kept["words"]++
					}
				}
			}
		}
	}
	t.Logf("%d steps, %v", steps, kept)
	if steps < 100 || kept["dots"] == 0 || kept["words"] == 0 {
		t.Errorf("it does not see much: %d steps, %v", steps, kept)
	}
}

// strange is something that a person may do at a step, with a mark in it.
func strange(src source, st *flows.Step, mark string) bot.Event {
	known := typed[src.pick(len(typed))]
	if len(st.Choices) > 0 && src.pick(2) == 0 {
		known = st.Choices[src.pick(len(st.Choices))].Label.Source(src.pick(2))
	}
	digits := strings.Trim(mark, "QRSTUVWXYZx")
	switch src.pick(12) {
	case 0:
		return bot.Event{Kind: bot.Text, Text: known}
	case 1:
		return bot.Event{Kind: bot.Text, Text: known + " " + mark}
	case 2:
		return bot.Event{Kind: bot.Text, Text: mark + known}
	case 3:
		return bot.Event{Kind: bot.Text, Text: digits}
	case 4:
		return bot.Event{Kind: bot.Text, Text: mark + "@b.example"}
	case 5:
		return bot.Event{Kind: bot.Text, Text: "+1 (201) 555 " + digits}
	case 6:
		return bot.Event{Kind: bot.Text, Text: "my password is " + mark, TooLong: src.pick(2) == 0, TooFast: src.pick(2) == 0}
	case 7:
		return bot.Event{Kind: bot.Press, Choice: mark, Prompt: uint32(src.pick(9))}
	case 8:
		ev := bot.Event{Kind: bot.Press, Choice: "/" + mark, Prompt: uint32(src.pick(9))}
		if len(st.Choices) > 0 {
			ev.Choice = st.Choices[src.pick(len(st.Choices))].ID
		}
		return ev
	case 9:
		ev := bot.Event{Kind: bot.Submit, Prompt: uint32(src.pick(9)), Form: &bot.FormReply{Name: mark}}
		if st.FormID != "" && src.pick(2) == 0 {
			ev.Form.Name = st.FormID
		}
		ev.Form.Values = []bot.FormValue{{Name: mark, Value: bot.Secret(mark)}}
		return ev
	}
	return bot.Event{Kind: bot.Text, Text: mark}
}
