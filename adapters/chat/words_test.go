package chat

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
)

type languages struct{}

func (languages) Phrase(_, key string, _ ...string) string { return key }
func (languages) Languages() []string                      { return []string{"en", "es"} }

// TestLanguage: a locale names a language of ours, however it is written.
func TestLanguage(t *testing.T) {
	t.Parallel()
	for locale, want := range map[string]string{"es-MX": "es", "ES": "es", "es_419": "es", "en-US": "en", "est": "xx", "": "xx", "-": "xx", "de-DE": "xx"} {
		if got := (&Options{Phrases: languages{}, Lang: "xx"}).Language(locale); got != want {
			t.Errorf("%q is %q, want %q", locale, got, want)
		}
	}
	for locale, want := range map[string]string{"es-MX": "es-MX", "es_419": "es_419", "a b": "", "é": "", "x\n": "", strings.Repeat("a", 36): "", strings.Repeat("a", 35): strings.Repeat("a", 35)} {
		if got := Locale(locale); got != want {
			t.Errorf("locale %q becomes %q", locale, got)
		}
	}
}

// TestBounds: text is never longer than asked for, and is cut between characters.
func TestBounds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", bot.MaxText+5)
	if got := Clip(long); got != strings.Repeat("é", bot.MaxText+1) {
		t.Errorf("%d bytes are left", len(got))
	}
	if got := Clip("abc"); got != "abc" {
		t.Error(got)
	}
	for n, want := range map[int]string{1: "…", 3: "éé…", 5: "ééééé", 9: "ééééé"} {
		if got := Cut("ééééé", n); got != want {
			t.Errorf("in %d: %q", n, got)
		}
	}
	if got := Cut("ab cd", 4); got != "ab…" {
		t.Errorf("%q", got)
	}
	if got := OneLine(" a\tb\n c "); got != "a b c" {
		t.Errorf("%q", got)
	}
	for s, want := range map[string]bool{`[[[]]]`: false, `[[[[]]]]`: true, `{"a":"[[[[["}`: false, `{"a\"[[[[":[{}]}`: false, `[][][][][]`: false, `["\\",[[[`: true} {
		if got := Deeper([]byte(s), 3); got != want {
			t.Errorf("%s deeper than 3: %v", s, got)
		}
	}
}

// TestClock: the operator is told how far it is off, and in which direction.
func TestClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ahead time.Duration
		state bot.FindingState
		text  string
	}{
		{0, bot.Fine, "right"}, {-30 * time.Second, bot.Fine, "right"}, {31 * time.Second, bot.Doubtful, "31s ahead of that of X"},
		{-4 * time.Minute, bot.Doubtful, "4m0s behind that of X"}, {-5 * time.Minute, bot.Broken, "refused"}, {time.Hour, bot.Broken, "1h0m0s ahead"},
	} {
		if f := clock("X", c.ahead); f.State != c.state || !strings.Contains(f.Text, c.text) || (f.Fix == "") != (c.state == bot.Fine) {
			t.Errorf("%s: %+v", c.ahead, f)
		}
	}
}

// TestUnreachable: what is known is told, what is refused is closed, and nothing
// that asks is uncertain.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind bot.SendErrorKind
		r    Reason
		want bot.SendErrorKind
		code string
	}{
		{bot.SendPermanent, Reason{bot.WhyNotFound, "x"}, bot.SendGone, bot.WhyNotFound}, {bot.SendPermanent, Reason{}, bot.SendGone, bot.WhyClosed},
		{bot.SendGone, Reason{}, bot.SendGone, bot.WhyClosed}, {bot.SendUncertain, Reason{}, bot.SendRetry, ""}, {bot.SendThrottled, Reason{}, bot.SendThrottled, ""},
	} {
		if e := Unreachable("test", &bot.SendError{Kind: c.kind}, c.r, "no_user"); e.Kind != c.want || e.Code != c.code {
			t.Errorf("%v with %+v: %+v", c.kind, c.r, e)
		}
	}
}

// TestClockBy: the time of an answer is that of the middle between question and
// answer.
func TestClockBy(t *testing.T) {
	t.Parallel()
	at := time.Unix(1700000000, 0)
	date := at.UTC().Format(http.TimeFormat)
	if f := ClockBy("X", date, at.Add(-time.Second), at.Add(2*time.Second)); f.State != bot.Fine {
		t.Errorf("%+v", f)
	}
	if f := ClockBy("X", date, at.Add(time.Minute), at.Add(3*time.Minute)); f.State != bot.Doubtful || !strings.Contains(f.Text, "2m0s ahead") {
		t.Errorf("%+v", f)
	}
	if f := ClockBy("X", "", at, at); f.State != bot.Skipped {
		t.Errorf("%+v", f)
	}
}
