package twilio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/twilio"
	"latchkey/bot"
)

// kindOf fails unless err is a *bot.SendError without secrets.
func kindOf(t *testing.T, err error) *bot.SendError {
	t.Helper()
	var se *bot.SendError
	if !errors.As(err, &se) {
		t.Fatalf("got %v, want a *bot.SendError", err)
	}
	for _, s := range []string{"493028", token, phone, phone[1:]} {
		if strings.Contains(err.Error(), s) {
			t.Errorf("the error tells %q: %v", s, err)
		}
	}
	return se
}

func TestWhatTwilioAnswers(t *testing.T) {
	tests := []struct {
		name   string
		status int
		header string // Retry-After
		body   string
		kind   bot.SendErrorKind
		code   string
		after  time.Duration
		fix    string // for the operator
	}{
		{name: "too many", status: 429, header: "7", body: `{"code":20429}`, kind: bot.SendThrottled, after: 7 * time.Second},
		{name: "too many, until a date", status: 429, header: now.Add(90 * time.Second).Format(http.TimeFormat), body: ``, kind: bot.SendThrottled, after: 90 * time.Second},
		{name: "too many, no word until when", status: 429, kind: bot.SendThrottled, after: 5 * time.Second},
		{name: "too many, for ever", status: 429, header: "999999999", kind: bot.SendThrottled, after: time.Hour},
		{name: "signed in wrongly", status: 401, body: `{"code":20003,"message":"Authenticate"}`, kind: bot.SendRetry, fix: "auth token"},
		{name: "broken", status: 500, body: `<html>`, kind: bot.SendRetry},
		{name: "away", status: 503, kind: bot.SendRetry},
		{name: "away for a while", status: 503, header: "30", kind: bot.SendThrottled, after: 30 * time.Second},
		{name: "gateway gave up", status: 504, kind: bot.SendUncertain},
		{name: "redirect", status: 301, kind: bot.SendRetry, fix: "base_url"},
		{name: "invalid number", status: 400, body: `{"code":21211,"message":"The 'To' number ` + phone + ` is not valid"}`, kind: bot.SendPermanent, code: "refused"},
		{name: "landline", status: 400, body: `{"code":21635}`, kind: bot.SendPermanent, code: "landline"},
		{name: "no mobile", status: 400, body: `{"code":21614}`, kind: bot.SendPermanent, code: "landline"},
		{name: "opted out", status: 400, body: `{"code":21610}`, kind: bot.SendPermanent, code: "opted_out"},
		{name: "region", status: 403, body: `{"code":21408}`, kind: bot.SendPermanent, code: "refused", fix: "geo permissions"},
		{name: "trial", status: 400, body: `{"code":21608}`, kind: bot.SendPermanent, code: "refused", fix: "trial"},
		{name: "fraud guard", status: 403, body: `{"code":60410}`, kind: bot.SendPermanent, code: "refused", fix: "pumping"},
		{name: "unknown", status: 400, body: `{"code":99999}`, kind: bot.SendPermanent, code: "refused"},
		{name: "a page of a proxy", status: 407, body: `<html>`, kind: bot.SendPermanent, code: "refused", fix: "base_url"},
		{name: "accepted, unreadable", status: 201, body: `<html>`, kind: bot.SendUncertain},
		{name: "accepted, no sid", status: 201, body: `{}`, kind: bot.SendUncertain},
	}
	for _, tt := range tests {
		for _, via := range []bot.Via{bot.SMS, bot.Voice} {
			t.Run(tt.name+" "+string(via), func(t *testing.T) {
				calls := 0
				srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					calls++
					if user, pass, _ := r.BasicAuth(); user != account || pass != token {
						t.Errorf("signed in as %q", user)
					}
					if tt.header != "" {
						w.Header().Set("Retry-After", tt.header)
					}
					w.Header().Set("Location", "/elsewhere")
					w.WriteHeader(tt.status)
					_, _ = io.WriteString(w, tt.body)
				}))
				defer srv.Close()
				var log bytes.Buffer
				o := options(srv.URL, &log)
				o.PublicURL = "https://bot.contoso.example"
				_, err := sender(t, o).SendCode(t.Context(), message(via, "en"))
				se := kindOf(t, err)
				if se.Kind != tt.kind || se.Code != tt.code || tt.kind == bot.SendThrottled && se.After != tt.after {
					t.Errorf("got %v (code %q, after %v), want kind %d code %q after %v", err, se.Code, se.After, tt.kind, tt.code, tt.after)
				}
				if tt.fix == "" && se.Fix != "" || !strings.Contains(se.Fix, tt.fix) || log.Len() != 0 {
					t.Errorf("fix %q, want %q; log %s", se.Fix, tt.fix, log.String())
				}
				if calls != 1 {
					t.Errorf("%d requests, want one attempt", calls)
				}
			})
		}
	}
}

func TestExamine(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   bot.FindingState
		fix    string
	}{
		{200, `{"status":"active"}`, bot.Fine, ""},
		{200, `{"status":"suspended"}`, bot.Broken, "console"},
		{401, `{"code":20003}`, bot.Broken, "auth token"},
		{503, `<html>`, bot.Skipped, ""},
		{200, `<html>`, bot.Skipped, ""},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if user, pass, _ := r.BasicAuth(); user != account || pass != token || r.Method != http.MethodGet || r.URL.Path != "/2010-04-01/Accounts/"+account+".json" {
				t.Errorf("%s %s as %q", r.Method, r.URL.Path, user)
			}
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		f := sender(t, options(srv.URL, io.Discard)).Examine(t.Context())
		if len(f) != 1 || f[0].State != c.want || !strings.Contains(f[0].Fix, c.fix) {
			t.Errorf("%d %s: %+v", c.status, c.body, f)
		}
		srv.Close()
		if f := sender(t, options(srv.URL, io.Discard)).Examine(t.Context()); len(f) != 1 || f[0].State != bot.Broken || !strings.Contains(f[0].Fix, "base_url") {
			t.Errorf("nobody there: %+v", f)
		}
	}
}

func TestWhereTheRequestBreaks(t *testing.T) {
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer hang.Close()
	drop := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer drop.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	plain := httptest.NewTLSServer(nil) // a certificate that nobody trusts
	plain.Config.ErrorLog = nil
	defer plain.Close()
	tests := []struct {
		name, base string
		kind       bot.SendErrorKind
	}{
		{"no answer in time", hang.URL, bot.SendUncertain},
		{"hung up after the request", drop.URL, bot.SendUncertain},
		{"nobody listens", gone.URL, bot.SendRetry},
		{"unknown certificate", plain.URL, bot.SendRetry},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := options(tt.base, io.Discard)
			o.Timeout = 200 * time.Millisecond
			_, err := sender(t, o).SendCode(t.Context(), message(bot.SMS, "en"))
			if se := kindOf(t, err); se.Kind != tt.kind {
				t.Errorf("got %v, want kind %d", err, tt.kind)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sender(t, options(hang.URL, io.Discard)).SendCode(ctx, message(bot.SMS, "en")); kindOf(t, err).Kind != bot.SendRetry {
		t.Errorf("cancelled before: got %v", err)
	}
}

func TestNotWorthSending(t *testing.T) {
	s := sender(t, options("http://127.0.0.1:1", io.Discard))
	tests := []struct {
		name   string
		change func(m *bot.CodeMessage)
		code   string
	}{
		{"mail", func(m *bot.CodeMessage) { m.Via = bot.Mail }, ""},
		{"expired", func(m *bot.CodeMessage) { m.Expires = now.Add(-time.Second) }, ""},
		{"expires at once", func(m *bot.CodeMessage) { m.Expires = now.Add(5 * time.Second) }, ""},
		{"no number", func(m *bot.CodeMessage) { m.To = "" }, "refused"},
		{"national number", func(m *bot.CodeMessage) { m.To = "5550002248" }, "refused"},
		{"two numbers", func(m *bot.CodeMessage) { m.To = "+15550002248,+15550002249" }, "refused"},
		{"a new line", func(m *bot.CodeMessage) { m.To = "+15550002248\r\n" }, "refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := message(bot.SMS, "en")
			tt.change(&m)
			_, err := s.SendCode(t.Context(), m)
			if se := kindOf(t, err); se.Kind != bot.SendPermanent || se.Code != tt.code {
				t.Errorf("got %v (%q)", err, se.Code)
			}
		})
	}
	o := options("http://127.0.0.1:1", io.Discard)
	o.From = "Contoso"
	if _, err := sender(t, o).SendCode(t.Context(), message(bot.Voice, "en")); kindOf(t, err).Kind != bot.SendPermanent {
		t.Errorf("a call from a name: got %v", err)
	}
}

func TestOutcome(t *testing.T) {
	tests := []struct {
		status, errorCode string
		state             bot.SendState
		code              string
	}{
		{"queued", "", bot.SendHandedOver, ""},
		{"sent", "", bot.SendHandedOver, ""},
		{"delivered", "", bot.SendDelivered, ""},
		{"undelivered", "30003", bot.SendFailed, "unreachable"},
		{"undelivered", "30005", bot.SendFailed, "unreachable"},
		{"undelivered", "30006", bot.SendFailed, "landline"},
		{"undelivered", "30007", bot.SendFailed, "refused"},
		{"failed", "30008", bot.SendFailed, ""},
		{"failed", "21610", bot.SendFailed, "opted_out"},
		{"failed", "", bot.SendFailed, ""},
		{"failed", "junk", bot.SendFailed, ""},
		{"canceled", "", bot.SendFailed, ""},
		{"ringing", "", bot.SendHandedOver, ""},
		{"in-progress", "", bot.SendHandedOver, ""},
		{"completed", "", bot.SendDelivered, ""},
		{"busy", "", bot.SendFailed, ""},
		{"no-answer", "", bot.SendFailed, ""},
		{"", "", bot.SendQueued, ""},
		{"partially_delivered", "", bot.SendQueued, ""},
	}
	for _, tt := range tests {
		if state, code, fix := twilio.Outcome(tt.status, tt.errorCode); state != tt.state || code != tt.code || fix != "" {
			t.Errorf("%s %s: got %d %q %q, want %d %q", tt.status, tt.errorCode, state, code, fix, tt.state, tt.code)
		}
	}
	if state, code, fix := twilio.Outcome("undelivered", "30034"); state != bot.SendFailed || code != "refused" || !strings.Contains(fix, "10DLC") {
		t.Errorf("an operator's fault is a number's: %d %q %q", state, code, fix)
	}
}

func TestOptions(t *testing.T) {
	good := options("", io.Discard)
	good.PublicURL = "https://bot.contoso.example"
	sender(t, good)
	tests := []struct {
		name   string
		change func(o *twilio.Options)
		want   string
	}{
		{"http on the network", func(o *twilio.Options) { o.BaseURL = "http://api.twilio.com" }, "loopback"},
		{"http that looks like loopback", func(o *twilio.Options) { o.BaseURL = "http://127.0.0.1.evil.example" }, "loopback"},
		{"another scheme", func(o *twilio.Options) { o.BaseURL = "ftp://api.twilio.com" }, "https"},
		{"password in the address", func(o *twilio.Options) { o.BaseURL = "https://a:b@api.twilio.com" }, "base url"},
		{"public over http", func(o *twilio.Options) { o.PublicURL = "http://bot.contoso.example" }, "loopback"},
		{"public with an underscore", func(o *twilio.Options) { o.PublicURL = "https://my_bot.example" }, "underscore"},
		{"public with a query", func(o *twilio.Options) { o.PublicURL = "https://bot.example/?a=b" }, "public url"},
		{"no vault", func(o *twilio.Options) { o.Vault = nil }, "vault"},
		{"account", func(o *twilio.Options) { o.AccountSID = "AC1" }, "account sid"},
		{"token", func(o *twilio.Options) { o.AuthToken = "twilio_test_auth_token" }, "auth token"},
		{"no sender", func(o *twilio.Options) { o.From = "" }, "from"},
		{"bad sender", func(o *twilio.Options) { o.From = "a@b" }, "from"},
		{"bad service", func(o *twilio.Options) { o.MessagingServiceSID = "MG1" }, "messaging service"},
		{"bad caller", func(o *twilio.Options) { o.VoiceFrom = "Contoso" }, "voice from"},
		{"no phrases", func(o *twilio.Options) { o.Phrases = nil }, "phrases"},
		{"negative time", func(o *twilio.Options) { o.Timeout = -1 }, "timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := good
			tt.change(&o)
			_, err := twilio.New(o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want one about %q", err, tt.want)
			}
			if strings.Contains(err.Error(), string(o.AuthToken)) && len(o.AuthToken) > 0 {
				t.Errorf("the error tells the token: %v", err)
			}
		})
	}
	if s := fmt.Sprintf("%+v", good); strings.Contains(s, token) {
		t.Errorf("options print the token: %s", s)
	}
}
