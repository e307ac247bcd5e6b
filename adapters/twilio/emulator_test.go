package twilio_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/twilio"
	"latchkey/bot"
)

// A status is what onStatus was told.
type status struct{ ref, status, code string }

// public is our side that Twilio calls: a server whose address is known before
// the sender that answers there.
func public(t *testing.T) (address string, serve func(http.Handler)) {
	t.Helper()
	var h http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	return srv.URL, func(to http.Handler) { h = to }
}

func TestAgainstTheEmulator(t *testing.T) {
	emulator := rigs.StartTwilio(t)
	address, serve := public(t)
	var log bytes.Buffer
	o := options(emulator.API, &log)
	o.PublicURL = address + "/latchkey/" // behind a path, with a slash too many
	s := sender(t, o)

	seen := make(chan status, 100)
	mux := http.NewServeMux()
	mux.Handle("/latchkey"+twilio.StatusPath, s.Handler(func(_ context.Context, ref, what, code string) error {
		seen <- status{ref, what, code}
		return nil
	}))
	mux.Handle("/latchkey"+twilio.VoicePath, s.VoicePage(func(_ context.Context, id string) (bot.Secret, string, error) {
		if id != "c1" {
			return "", "", bot.ErrNotFound
		}
		return "493028", "es", nil
	}))
	serve(mux)

	t.Run("notice", func(t *testing.T) {
		m := bot.TextMessage{ID: "n1", To: phone, Lang: "en", Text: "Contoso: a method was added. Not you? https://x.example/notme#abc_-"}
		if err := s.SendText(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		var sent []struct{ Form map[string]string }
		emulator.Ask(t, "/_rig/requests", nil, &sent)
		got := sent[len(sent)-1].Form
		if got["To"] != phone || got["Body"] != m.Text || got["ValidityPeriod"] != "36000" {
			t.Errorf("sent %+v", got)
		}
		next(t, seen) // what became of it is nobody's code
		m.To = "7045550148"
		var se *bot.SendError
		if err := s.SendText(t.Context(), m); !errors.As(err, &se) || se.Kind != bot.SendPermanent || se.Code != "refused" {
			t.Errorf("to no number: %v", err)
		}
	})

	t.Run("text", func(t *testing.T) {
		ref, err := s.SendCode(t.Context(), message(bot.SMS, "es"))
		if err != nil {
			t.Fatal(err)
		}
		if got := next(t, seen); got != (status{ref, "queued", ""}) {
			t.Errorf("first callback %+v", got)
		}
		var got struct{ To, From, Body string }
		emulator.Ask(t, "/2010-04-01/Accounts/"+account+"/Messages/"+ref+".json", nil, &got)
		if want := "493028 es su clave de Smith & <Sons> para agregar este teléfono. Vale 10 min."; got.Body != want || got.To != phone || got.From != number {
			t.Errorf("got %+v, want %q", got, want)
		}
		var sent []struct {
			Resource, SID string
			Form          map[string]string
		}
		emulator.Ask(t, "/_rig/requests", nil, &sent)
		last := sent[len(sent)-1]
		for k, want := range map[string]string{"ValidityPeriod": "600", "SmartEncoded": "true", "StatusCallback": address + "/latchkey/twilio/status"} {
			if last.Form[k] != want {
				t.Errorf("%s = %q, want %q", k, last.Form[k], want)
			}
		}
		// The emulator signs; the handler believes it.
		for _, what := range []string{"sent", "undelivered", "undelivered"} {
			emulator.Ask(t, "/_twilio/simulate/message-status", url.Values{"MessageSid": {ref}, "Status": {what}}, nil)
			if got := next(t, seen); got != (status{ref, what, ""}) {
				t.Errorf("callback %+v, want %s", got, what)
			}
		}
	})

	t.Run("call", func(t *testing.T) {
		ref, err := s.SendCode(t.Context(), message(bot.Voice, "es"))
		if err != nil {
			t.Fatal(err)
		}
		var answered struct{ Pages []string }
		emulator.Ask(t, "/_rig/answer", url.Values{"CallSid": {ref}}, &answered)
		if len(answered.Pages) != 1 || strings.Contains(rigs.Digits(t, answered.Pages[0]), "493028") {
			t.Errorf("the code was read before a key was pressed: %v", answered.Pages)
		}
		emulator.Ask(t, "/_rig/answer", url.Values{"CallSid": {ref}, "Digits": {"1"}}, &answered)
		if len(answered.Pages) != 2 || rigs.Digits(t, answered.Pages[1]) != "493028493028" {
			t.Errorf("read %v", answered.Pages)
		}
		if !strings.Contains(answered.Pages[0], `<Say language="es-MX">Habla Smith &amp; &lt;Sons&gt;. Oprima 1.</Say>`) {
			t.Errorf("not in the person's language or not escaped: %s", answered.Pages[0])
		}
		emulator.Ask(t, "/_twilio/simulate/call-status", url.Values{"CallSid": {ref}, "Status": {"no-answer"}}, nil)
		if got := next(t, seen); got != (status{ref, "no-answer", ""}) {
			t.Errorf("callback %+v", got)
		}
	})

	t.Run("wrong token", func(t *testing.T) {
		o := o
		o.AuthToken = "ffffffffffffffffffffffffffffffff"
		_, err := sender(t, o).SendCode(t.Context(), message(bot.SMS, "en"))
		if se := kindOf(t, err); se.Kind != bot.SendRetry || !strings.Contains(se.Fix, "check account_sid") {
			t.Errorf("got %v, fix %s", err, se.Fix)
		}
	})

	t.Run("number of somebody else", func(t *testing.T) {
		o := o
		o.From = "+15559999999"
		_, err := sender(t, o).SendCode(t.Context(), message(bot.SMS, "en"))
		if se := kindOf(t, err); se.Kind != bot.SendPermanent || se.Code != "refused" || !strings.Contains(se.Fix, "not yours") {
			t.Errorf("got %v, fix %s", err, se.Fix)
		}
	})

	t.Run("call without a public address", func(t *testing.T) {
		o := o
		o.PublicURL = ""
		ref, err := sender(t, o).SendCode(t.Context(), message(bot.Voice, "en"))
		if err != nil {
			t.Fatal(err)
		}
		var answered struct{ Pages []string }
		emulator.Ask(t, "/_rig/answer", url.Values{"CallSid": {ref}}, &answered)
		if rigs.Digits(t, answered.Pages[0]) != "493028493028" || len(answered.Pages[0]) > 4000 {
			t.Errorf("read %v", answered.Pages)
		}
	})
	if strings.Contains(log.String(), phone) || strings.Contains(log.String(), "493028") {
		t.Errorf("the log tells a secret: %s", log.String())
	}
}

// next is what the handler was told; the emulator calls before it answers.
func next(t *testing.T, seen <-chan status) status {
	t.Helper()
	select {
	case got := <-seen:
		return got
	case <-time.After(time.Minute):
		t.Fatal("no callback came")
		return status{}
	}
}
