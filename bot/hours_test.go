package bot_test

import (
	"strings"
	"testing"

	"latchkey/bot"
)

// hourPhrases are the phrases of opening hours in two languages.
type hourPhrases map[string]string

func (p hourPhrases) Phrase(lang, key string, kv ...string) string {
	return strings.NewReplacer(func() (pairs []string) {
		for i := 0; i+1 < len(kv); i += 2 {
			pairs = append(pairs, "{"+kv[i]+"}", kv[i+1])
		}
		return pairs
	}()...).Replace(p[lang+" "+key])
}

func (hourPhrases) Languages() []string { return []string{"en", "es"} }

func hourLanguages() hourPhrases {
	p := hourPhrases{"es hours.daily": "todos los días", "es hours.days": "de {from} a {to}", "es hours.times": "de {from} a {to}", "es hours.and": "{a} y {b}", "es hours.at": "{days}, {times}",
		"es hours.am": "{time} a. m.", "es hours.pm": "{time} p. m.", "es hours.noon": "mediodía",
		"en hours.daily": "daily", "en hours.days": "{from} to {to}", "en hours.times": "{from} to {to}", "en hours.and": "{a} and {b}", "en hours.at": "{days}, {times}",
		"en hours.am": "{time} am", "en hours.pm": "{time} pm", "en hours.noon": "noon"}
	for i, d := range []string{"domingo", "lunes", "martes", "miércoles", "jueves", "viernes", "sábado"} {
		p["es weekday."+string(rune('0'+i))] = d
	}
	for i, d := range []string{"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"} {
		p["en weekday."+string(rune('0'+i))] = d
	}
	return p
}

// Opening hours stand in each language's words, whichever they were written in.
func TestHoursInTheLanguageOfTheSentence(t *testing.T) {
	ps := hourLanguages()
	for _, c := range []struct{ written, en, es string }{
		{"Monday to Friday, 7:30 to 16:30", "", "de lunes a viernes, de 7:30 a 16:30"},
		{"Mon to Fri 8 am to 5 pm", "", "de lunes a viernes, de 8 a. m. a 5 p. m."},
		{"Mon-Fri 8am-5pm", "", "de lunes a viernes, de 8 a. m. a 5 p. m."},
		{"Mon – Fri: 8:00 a.m. – 4:30 p.m.", "", "de lunes a viernes, de 8:00 a. m. a 4:30 p. m."},
		{"Mondays through Thursdays from 8 to 5, Friday 8 to noon", "", "de lunes a jueves, de 8 a 5; viernes, de 8 a mediodía"},
		{"Mon, Wed and Fri 8-12 and 13-17", "", "lunes, miércoles y viernes, de 8 a 12 y de 13 a 17"},
		{"weekdays 8 to 5 ET", "", "de lunes a viernes, de 8 a 5 ET"},
		{"weekdays 8 to 5 ET; Saturday 9 to noon", "", "de lunes a viernes, de 8 a 5 ET; sábado, de 9 a mediodía"},
		{"Saturday and Sunday", "", "sábado y domingo"},
		{"daily 7 to 19", "", "todos los días, de 7 a 19"},
		{"de lunes a viernes, de 8 a. m. a 5 p. m.", "Monday to Friday, 8 am to 5 pm", ""},
		{"Lunes a viernes de 7:30 a 16:30", "Monday to Friday, 7:30 to 16:30", ""},
		{"miércoles y sábado, 8 a 12 horas", "Wednesday and Saturday, 8 to 12", ""},
		{"8-17", "", ""},
		// Not understood: as they were written.
		{"", "", ""},
		{"around the clock", "", ""},
		{"Monday to Friday, except on holidays", "", ""},
		{"Mon to", "", ""},
		{"to Friday", "", ""},
		{"Mon to 5", "", ""},
		{"am", "", ""},
		{"8 am am", "", ""},
		{"Monday to 25:00", "", ""},
		{"8 to 5 to 6", "", ""},
		{"Mon to Fri, Tue to", "", ""},
	} {
		for lang, want := range map[string]string{"en": c.en, "es": c.es} {
			if want == "" {
				want = c.written
			}
			if got := bot.Hours(ps, lang, c.written); got != want {
				t.Errorf("%s: %q is %q, want %q", lang, c.written, got, want)
			}
		}
		if got, want := bot.HoursUnderstood(c.written), c.en != "" || c.es != "" || c.written == "8-17"; got != want {
			t.Errorf("%q understood: %v", c.written, got)
		}
	}
}
