package flows_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"latchkey/bot"
)

// TestTypedWords: a word means the same with what keyboards and chat programs
// put around it: as a command, a choice, a question and a word of a step.
func TestTypedWords(t *testing.T) {
	type pair struct{ Typed, Wanted string }
	var cases struct{ Commands, Choices, Questions []pair }
	data, err := os.ReadFile("testdata/typed/words.json")
	if err == nil {
		err = json.Unmarshal(data, &cases)
	}
	if err != nil {
		t.Fatal(err)
	}
	set := shipped(t)
	at := func(flow, step string) *bot.Session {
		return &bot.Session{Lang: "en", Prompt: 2, Stack: []bot.Frame{{Flow: flow, Step: step, Hash: set.Flow(flow).Hash}}}
	}
	after := func(s *bot.Session, text string) (string, string) {
		var out bot.Output
		set.Turn(s, &bot.Event{Kind: bot.Text, Text: text}, &out)
		return out.Message.Text + "|" + out.Check, mustJSON(s)
	}
	miss, _ := after(at("authenticator", "ready"), "xyzzy")
	for _, c := range append(append(cases.Commands, cases.Choices...), []pair{
		{"he\u2060lp!!", "help"}, {"🙏🙏help", "help"}, {"HELP\u00a0ME", "help me"}, {"ｓｋｉｐ", "skip"}, {"𝐬𝐤𝐢𝐩", "skip"}, {"`back`", "back"}, {"~~back~~", "back"}, {"#back", "back"}, {"@help", "help"},
		{"2)", "2"}, {"(2)", "2"}, {"no. 2", "no 2"}, {"②", "2"}, {"２．", "2"}, {"Yes, it’s here", "yes its here"}, {"¡ATRÁS!", "atrás"}, {"man\u0303ana", "mañana"}, {"start–over", "start over"}, {"start_over", "start over"},
	}...) {
		got, state := after(at("authenticator", "ready"), c.Typed)
		want, wanted := after(at("authenticator", "ready"), c.Wanted)
		if got != want || state != wanted {
			t.Errorf("%q does not do what %q does:\n%s\n%s", c.Typed, c.Wanted, got, want)
		}
		if got == miss && c.Wanted != "no 2" && c.Wanted != "yes its here" {
			t.Errorf("%q is not understood", c.Typed)
		}
	}
	for _, text := range []string{cases.Questions[0].Typed, cases.Questions[1].Typed, "i dont have a smartphone", "I don`t have a smartphone :(", "I do not have a smartphone"} {
		if got, _ := after(at("phone", "via"), text); !strings.HasPrefix(got, "That is fine. Choose") {
			t.Errorf("%q: %s", text, got)
		}
	}
	for _, text := range []string{"can't scan", "can’t scan", "cant scan", "CAN‘T SCAN 😢", "can´t  scan."} {
		s := at("authenticator", "scan")
		if _, state := after(s, text); s.Top().Step != "make" {
			t.Errorf("%q: %s", text, state)
		}
	}
}
