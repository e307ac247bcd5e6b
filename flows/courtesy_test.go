package flows_test

import (
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/flows"
)

// Whoever is only kind gets a short answer, in their language, at every step of
// every script and where nothing runs; nothing moves, and what the step offers
// is still there.
// A thumb is the word yes or no where that is a choice's, in every language.
func TestThumbs(t *testing.T) {
	for _, lang := range []string{"en", "es"} {
		for text, want := range map[string]string{"👍": "asks code.send", "👍🏽👍🏽": "asks code.send", "✔️": "asks code.send", "👎": "at number", "🙂": "at confirm"} {
			c := &talk{t: t, e: shipped(t), s: bot.Session{Lang: lang}, outcomes: map[string]bot.Outcome{
				"prove.begin": {Name: "none"}, "phone.accept": {Name: "ok", Facts: bot.Facts("masked", "•••• 23", "method", "m1")}, "code.send": {Name: "sent", Facts: bot.Facts("masked", "•••• 23")},
			}}
			c.say("phone")
			c.say("1")
			c.say("201 555 0123")
			c.at("phone.confirm")
			c.checks = nil
			c.say(text)
			got := "at " + c.s.Top().Step
			if len(c.checks) > 0 {
				got = "asks " + c.checks[0]
			}
			if got != want {
				t.Errorf("%s: %q %s, want it %s", lang, text, got, want)
			}
		}
	}
}

func TestCourtesiesMoveNobody(t *testing.T) {
	set := shipped(t)
	for li, lang := range []struct {
		code, back string
		says       map[string]string // typed -> answer
	}{
		{"en", "Spanish", map[string]string{
			"Thanks": "You are welcome.", "thank you so much!": "You are welcome.", "ok thanks": "You are welcome.", "Great, thank you 👍": "You are welcome.",
			"thx": "You are welcome.", "Good morning, thanks": "You are welcome.", "🙏🏽": "You are welcome.", "thanks, that is all": "You are welcome.",
			"ok": "Good.", "OK!!!": "Good.", "great": "Good.", "👍": "Good.", "👍🏿👍🏿": "Good.", "👍😀": "Good.", "cool, got it": "Good.", ":-)": "Good.",
			"bye": "Goodbye.", "Thanks, bye": "Goodbye.", "have a nice day!": "Goodbye.",
			"good job": "Thank you, that is kind.", "sorry": "No problem at all.", "oh sorry, my bad": "No problem at all.",
		}},
		{"es", "English", map[string]string{
			"Gracias": "Con mucho gusto.", "¡Muchas gracias por su ayuda!": "Con mucho gusto.", "ok, gracias": "Con mucho gusto.", "Buenos días, gracias": "Con mucho gusto.",
			"vale": "Bien.", "Perfecto 👌": "Bien.", "👍": "Bien.", "muy bien": "Bien.", "de acuerdo": "Bien.",
			"adiós": "Hasta luego.", "gracias, hasta luego": "Hasta luego.", "Muy amable": "Con mucho gusto.",
			"bien hecho": "Gracias, qué amable.", "disculpe": "No hay ningún problema.",
		}},
	} {
		for text, want := range lang.says {
			idle := bot.Session{Lang: lang.code, Prompt: 3}
			var out bot.Output
			set.Turn(&idle, &bot.Event{Kind: bot.Text, Text: text}, &out)
			if len(idle.Stack) > 0 || out.Check != "" || !strings.HasPrefix(out.Message.Text, want) {
				t.Errorf("%s, nothing runs: %q is answered %q, and %q runs", lang.code, text, out.Message.Text, idle.Stack)
			}
			for _, f := range set.Flows() {
				for _, st := range f.Order {
					if !st.Waits() || st.ChoiceOf(li, text) != "" {
						continue
					}
					s := bot.Session{Lang: lang.code, Prompt: 2, Misses: 1, Stack: []bot.Frame{{Flow: f.Name, Step: st.ID, Hash: f.Hash}}}
					before := mustJSON(&s)
					var out bot.Output
					set.Turn(&s, &bot.Event{Kind: bot.Text, Text: text}, &out)
					m := out.Message
					if !strings.HasPrefix(m.Text, want) || strings.Count(m.Text, "\n") > 0 || out.Check != "" {
						t.Errorf("%s %s.%s: %q is answered %q, and asks %q", lang.code, f.Name, st.ID, text, m.Text, out.Check)
					}
					if after := mustJSON(&s); after != before {
						t.Errorf("%s %s.%s: %q moves\n%s\nto\n%s", lang.code, f.Name, st.ID, text, before, after)
					}
					if m.Prompt != 2 || len(st.Choices) > 0 && len(m.Choices) == 0 && !needsFacts(st) {
						t.Errorf("%s %s.%s: after %q nothing can be pressed (prompt %d)", lang.code, f.Name, st.ID, text, m.Prompt)
					}
				}
			}
		}
	}
}

// needsFacts reports whether a step may offer nothing without facts.
func needsFacts(st *flows.Step) bool {
	for _, c := range st.Choices {
		if c.Needs == "" {
			return false
		}
	}
	return true
}

// What has other matter in it is no courtesy, whoever never chose a language is
// answered in the one that they are kind in, and "later" stays in force.
func TestCourtesiesBesideOtherThings(t *testing.T) {
	set := shipped(t)
	for _, text := range []string{"thanks but it does not work", "ok what now", "ok 123456", "great app", "so much", "the", "good code", "gracias pero no llegó", "👎", "😡", "👍👎", "🆘"} {
		s := bot.Session{Lang: "en", Prompt: 2, Stack: []bot.Frame{{Flow: "authenticator", Step: "ready", Hash: set.Flow("authenticator").Hash}}}
		var out bot.Output
		set.Turn(&s, &bot.Event{Kind: bot.Text, Text: text}, &out)
		for _, kind := range []string{"You are welcome", "Good.", "Goodbye", "that is kind", "No problem at all", "Con mucho gusto"} {
			if strings.HasPrefix(out.Message.Text, kind) {
				t.Errorf("%q is answered %q", text, out.Message.Text)
			}
		}
	}
	s := bot.Session{Lang: "en", Prompt: 2, Parked: true, Stack: []bot.Frame{{Flow: "authenticator", Step: "ready", Hash: set.Flow("authenticator").Hash}}}
	var out bot.Output
	set.Turn(&s, &bot.Event{Kind: bot.Text, Text: "muchas gracias"}, &out)
	if out.Message.Text != "Con mucho gusto." || s.Lang != "es" || !s.Parked {
		t.Errorf("%q in %s, parked: %v", out.Message.Text, s.Lang, s.Parked)
	}
}
