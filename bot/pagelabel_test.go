package bot_test

import (
	"strings"
	"testing"

	"latchkey/bot"
)

// words are phrases that show what was filled in.
type words map[string]string

func (w words) Phrase(lang, key string, kv ...string) string {
	s := w[key]
	for i := 0; i+1 < len(kv); i += 2 {
		s = strings.ReplaceAll(s, "{"+kv[i]+"}", kv[i+1])
	}
	return lang + " " + s
}
func (words) Languages() []string { return []string{"en"} }

func TestPageLabel(t *testing.T) {
	ps := words{"web.chat.page.form": "{title}: open", "web.chat.page.qr": "show", "web.chat.page.open": "page"}
	answers := &bot.Message{Form: &bot.Form{Title: "Your \u202eanswers", Button: "Save"}}
	for _, c := range []struct {
		m     *bot.Message
		limit int
		want  string
	}{
		{answers, 0, "en Your answers: open"}, {answers, 75, "en Your answers: open"}, {answers, 10, "en page"}, {&bot.Message{}, 75, "en show"},
	} {
		if got := bot.PageLabel(ps, "en", c.m, c.limit); got != c.want {
			t.Errorf("limit %d: %q, want %q", c.limit, got, c.want)
		}
	}
}
