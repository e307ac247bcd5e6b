package chat

import (
	"testing"
	"time"

	"latchkey/bot"
)

// TestOptions: what was left out is filled in, and what cannot be is asked for.
func TestOptions(t *testing.T) {
	t.Parallel()
	o := Options{Channel: "x-1", Phrases: languages{}}
	if err := o.Fill("x"); err != nil {
		t.Fatal(err)
	}
	if _, ok := o.Picture("any"); ok || o.Lang != "en" || o.Log == nil || time.Since(o.Wall()) > time.Minute {
		t.Errorf("%+v", o)
	}
	for locale, want := range map[string]string{"es-MX": "es", "de-DE": "en", "": "en"} {
		if got := o.Language(locale); got != want {
			t.Errorf("%q is %q", locale, got)
		}
	}
	then := time.Unix(1700000000, 0)
	with := Options{Channel: "x-1", Phrases: languages{}, Lang: "es", Now: func() time.Time { return then }}
	if err := with.Fill("x"); err != nil || with.Lang != "es" || !with.Wall().Equal(then) {
		t.Errorf("%+v, %v", with, err)
	}
	for _, o := range []Options{{Phrases: languages{}}, {Channel: "x-1"}} {
		if o.Fill("x") == nil {
			t.Errorf("taken: %+v", o)
		}
	}
}

// TestBase: its parts are of one account, and what is wrong shows in its health.
func TestBase(t *testing.T) {
	t.Parallel()
	b := NewBase(&Options{Channel: "x-1", Now: time.Now}, bot.Limits{Text: 7}, "say", &Pace{Rate: func(string) bot.Rate { return bot.Rate{PerSecond: 3} }})
	if id, r := b.Pace(); b.Channel() != "x-1" || b.Limits().Text != 7 || id != (bot.BudgetID{Account: "x-1", Method: "say"}) || r.PerSecond != 3 {
		t.Errorf("%s, %+v, %+v, %+v", b.Channel(), b.Limits(), id, r)
	}
	if !b.WantsPage(&bot.Message{Form: &bot.Form{}}) || b.WantsPage(&bot.Message{}) {
		t.Error("a form is for a page, and nothing else is")
	}
	if b.Trouble.Begin("line", "it is down"); b.Health().OK {
		t.Error("well")
	}
}
