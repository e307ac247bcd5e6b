package flows_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/flows"
	"latchkey/flows/library"
)

// Whatever is put into a Spanish sentence is Spanish: the opening hours of the help
// desk, which an operator wrote in English, in every step, phrase and printed page;
// and the other way round.
func TestHoursInEveryText(t *testing.T) {
	english := regexp.MustCompile(`(?i)\b(mon|tues|wednes|thurs|fri)day|\d to \d`)
	spanish := regexp.MustCompile(`(?i)lunes|viernes|de 7:30 a 16:30`)
	for _, c := range []struct {
		written, lang string
		strange       *regexp.Regexp
		want          string
	}{
		{"Monday to Friday, 7:30 to 16:30", "es", english, "de lunes a viernes, de 7:30 a 16:30"},
		{"de lunes a viernes, de 7:30 a 16:30", "en", spanish, "Monday to Friday, 7:30 to 16:30"},
		{"Monday to Friday, 7:30 to 16:30", "en", spanish, "Monday to Friday, 7:30 to 16:30"},
	} {
		cat := catalogue()
		cat.Facts["help_hours"] = c.written
		set, err := flows.Load(library.FS, nil, cat)
		if err != nil {
			t.Fatal(err)
		}
		steps, told := 0, 0
		set.Preview(c.lang, func(flow, step string, m bot.Message) {
			steps++
			if found := c.strange.FindString(m.Text); found != "" {
				t.Errorf("%s %s.%s says %q:\n%s", c.lang, flow, step, found, m.Text)
			}
			if strings.Contains(m.Text, c.want) {
				told++
			}
		})
		if steps == 0 || told == 0 {
			t.Errorf("%s: of %d steps %d tell the hours", c.lang, steps, told)
		}
		var page bytes.Buffer
		if err := flows.Print(&page, set, c.lang, nil, nil); err != nil {
			t.Fatal(err)
		}
		if found := c.strange.FindString(page.String()); found != "" || !strings.Contains(page.String(), c.want) {
			t.Errorf("%s: the printed guide says %q", c.lang, found)
		}
		s := bot.Session{Lang: c.lang, Prompt: 1, Stack: []bot.Frame{{Flow: "stopped", Step: "disabled", Hash: set.Flow("stopped").Hash}}}
		var out bot.Output
		set.Turn(&s, &bot.Event{Kind: bot.Text, Text: "xyzzy"}, &out)
		set.Turn(&s, &bot.Event{Kind: bot.Text, Text: map[string]string{"en": "hours", "es": "horario"}[c.lang]}, &out)
		if !strings.Contains(out.Message.Text, c.want) {
			t.Errorf("%s: asked for the hours it says %q", c.lang, out.Message.Text)
		}
	}
}
