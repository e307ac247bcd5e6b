package twilio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/twilio"
	"latchkey/bot"
)

const site = "https://bot.contoso.example"

func TestStatusCallbacks(t *testing.T) {
	o := options("", io.Discard)
	o.PublicURL = site
	s := sender(t, o)
	tests := []struct {
		name   string
		form   url.Values
		answer error // of onStatus
		change func(r *http.Request)
		want   int
		told   status
	}{
		{name: "text", form: url.Values{"MessageSid": {"SM1"}, "MessageStatus": {"undelivered"}, "ErrorCode": {"30006"}}, want: 204, told: status{"SM1", "undelivered", "30006"}},
		{name: "call", form: url.Values{"CallSid": {"CA1"}, "CallStatus": {"busy"}}, want: 204, told: status{"CA1", "busy", ""}},
		{name: "unknown sid", form: url.Values{"MessageSid": {"SM2"}, "MessageStatus": {"sent"}}, answer: fmt.Errorf("challenge: %w", bot.ErrNotFound), want: 204, told: status{"SM2", "sent", ""}},
		{name: "database away", form: url.Values{"MessageSid": {"SM3"}, "MessageStatus": {"sent"}}, answer: errors.New("disk full"), want: 503, told: status{"SM3", "sent", ""}},
		{name: "signed, but about nothing", form: url.Values{"Body": {"hello"}}, want: 204},
		{name: "not signed", form: url.Values{"MessageSid": {"SM1"}, "MessageStatus": {"sent"}}, change: func(r *http.Request) { r.Header.Del("X-Twilio-Signature") }, want: 401},
		{name: "signed by somebody else", form: url.Values{"MessageSid": {"SM1"}, "MessageStatus": {"sent"}}, change: func(r *http.Request) { r.Header.Set("X-Twilio-Signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=") }, want: 403},
		{name: "for another path", form: url.Values{"MessageSid": {"SM1"}, "MessageStatus": {"sent"}}, change: func(r *http.Request) { r.URL.RawQuery = "x=1" }, want: 403},
		{name: "put", form: url.Values{}, change: func(r *http.Request) { r.Method = http.MethodPut }, want: 405},
		{name: "json", form: url.Values{}, change: func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, want: 415},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var told status
			h := s.Handler(func(_ context.Context, ref, what, code string) error {
				told = status{ref, what, code}
				return tt.answer
			})
			r := signed(http.MethodPost, site+twilio.StatusPath, tt.form)
			if tt.change != nil {
				tt.change(r)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tt.want || told != tt.told || w.Body.Len() != 0 {
				t.Errorf("got %d %q and told %+v, want %d and %+v", w.Code, w.Body, told, tt.want, tt.told)
			}
		})
	}
	o.PublicURL = ""
	w := httptest.NewRecorder()
	sender(t, o).Handler(nil).ServeHTTP(w, signed(http.MethodPost, site+twilio.StatusPath, url.Values{}))
	if w.Code != http.StatusForbidden {
		t.Errorf("without a public url: %d", w.Code)
	}
}

// pageOf sends a call and gives the address of its page.
func pageOf(t *testing.T, o twilio.Options) string {
	t.Helper()
	var page string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page = r.FormValue("Url")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"sid":"CA1"}`)
	}))
	defer srv.Close()
	o.BaseURL = srv.URL
	if ref, err := sender(t, o).SendCode(t.Context(), message(bot.Voice, "en")); err != nil || ref != "CA1" {
		t.Fatalf("%q %v", ref, err)
	}
	return page
}

func TestVoicePage(t *testing.T) {
	o := options("", io.Discard)
	o.PublicURL = site
	page := pageOf(t, o)
	if !strings.HasPrefix(page, site+twilio.VoicePath) || strings.Contains(page, "493028") {
		t.Fatalf("page %q", page)
	}
	var fail error
	lang := "en"
	h := sender(t, o).VoicePage(func(_ context.Context, id string) (bot.Secret, string, error) {
		if id != "c1" || fail != nil {
			return "", lang, fail
		}
		return "493028", lang, nil
	})
	get := func(method, target string, form url.Values) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, signed(method, target, form))
		if w.Code == http.StatusOK && (w.Header().Get("Content-Type") != "text/xml; charset=utf-8" || w.Header().Get("Cache-Control") != "no-store") {
			t.Errorf("headers %v", w.Header())
		}
		return w.Code, w.Body.String()
	}

	status, first := get(http.MethodPost, page, url.Values{"CallSid": {"CA1"}})
	if status != 200 || rigs.Digits(t, first) != "" || !strings.Contains(first, `action="`+page+`?asked=1"`) || !strings.Contains(first, `<Say language="en-US">This is Smith &amp; &lt;Sons&gt;. Press 1.</Say>`) {
		t.Errorf("first page: %d %s", status, first)
	}
	if status, again := get(http.MethodGet, page, nil); status != 200 || again != first {
		t.Errorf("GET: %d %s", status, again)
	}
	if _, got := get(http.MethodPost, page, url.Values{"Digits": {"1"}}); rigs.Digits(t, got) != "" {
		t.Errorf("a key before the question reads the code: %s", got)
	}
	if _, got := get(http.MethodPost, page+"?asked=1", url.Values{"Digits": {"1"}}); rigs.Digits(t, got) != "493028493028" || strings.Count(got, "<Pause") != 12 {
		t.Errorf("pressed 1: %s", got)
	}
	if _, got := get(http.MethodPost, page+"?asked=1", url.Values{"Digits": {"5"}}); rigs.Digits(t, got) != "" || !strings.Contains(got, "?asked=2") {
		t.Errorf("pressed 5: %s", got)
	}
	if _, got := get(http.MethodPost, page+"?asked=3", url.Values{"Digits": {"5"}}); strings.Contains(got, "Gather") || !strings.Contains(got, "Goodbye") {
		t.Errorf("pressed 5 three times: %s", got)
	}
	lang = "fr-CA"
	if _, got := get(http.MethodPost, page, url.Values{}); !strings.Contains(got, `language="fr-CA"`) {
		t.Errorf("another language: %s", got)
	}
	lang = "en-GB"
	if _, got := get(http.MethodPost, page, url.Values{}); !strings.Contains(got, `language="en-US"`) {
		t.Errorf("a variant: %s", got)
	}
	lang = "en"

	// It expires with the code, and the source's trouble is not told.
	fail = fmt.Errorf("challenge: %w", bot.ErrNotFound)
	if status, got := get(http.MethodPost, page+"?asked=1", url.Values{"Digits": {"1"}}); status != 200 || !strings.Contains(got, "This code ran out.") || rigs.Digits(t, got) != "" {
		t.Errorf("expired: %d %s", status, got)
	}
	fail = errors.New("disk full")
	if status, got := get(http.MethodPost, page, url.Values{}); status != 503 || got != "" {
		t.Errorf("source failed: %d %s", status, got)
	}
	fail = nil

	// Only Twilio, only our tokens, one challenge each.
	o.Vault = vault{key: "another"}
	foreign := pageOf(t, o)
	id, mac, _ := strings.Cut(page[strings.LastIndexByte(page, '/')+1:], ".")
	for name, target := range map[string]string{
		"another key": foreign, "no token": site + twilio.VoicePath, "no mac": site + twilio.VoicePath + id, "empty mac": site + twilio.VoicePath + id + ".",
		"another challenge": site + twilio.VoicePath + "YzI." + mac, "junk": site + twilio.VoicePath + "!!.!!", "longer": page + "A",
	} {
		if status, got := get(http.MethodPost, target, url.Values{}); status != 404 || got != "" {
			t.Errorf("%s: %d %s", name, status, got)
		}
	}
	for name, change := range map[string]func(r *http.Request){
		"not signed":    func(r *http.Request) { r.Header.Del("X-Twilio-Signature") },
		"wrongly":       func(r *http.Request) { r.Header.Set("X-Twilio-Signature", "AAAA") },
		"other query":   func(r *http.Request) { r.URL.RawQuery = "asked=1" },
		"other's token": func(r *http.Request) { r.URL.Path = strings.Replace(r.URL.Path, mac, "AAAA", 1) },
	} {
		r := signed(http.MethodPost, page, url.Values{"Digits": {"1"}})
		change(r)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if (w.Code != 401 && w.Code != 403) || w.Body.Len() != 0 {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
