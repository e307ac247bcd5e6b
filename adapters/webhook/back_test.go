package webhook_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/webhook"
	"latchkey/bot"
)

// What comes back is believed with a fresh signature over what came, and nothing
// of the rest is looked at.
func TestBack(t *testing.T) {
	var acts []bot.DeskAct
	var answer error
	var head http.Header // of the last answer
	h, err := webhook.Back(secret, func(_ context.Context, a bot.DeskAct) error {
		acts = append(acts, a)
		return answer
	})
	if err != nil {
		t.Fatal(err)
	}
	const note = `{"type":"ticket.note","timestamp":"2026-05-03T10:00:00Z","data":{"ticket":"K7M-2QP","text":"token 17"}}`
	post := func(with bot.Secret, at time.Time, body string, change func(*http.Request)) (int, string) {
		t.Helper()
		k, err := webhook.Key(with)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := k.Sign("msg_1", at, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, webhook.BackPath, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
		r.Header.Set("webhook-id", "msg_1")
		r.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
		r.Header.Set("webhook-signature", "v1,bm8= "+sig)
		if change != nil {
			change(r)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		head = w.Header()
		return w.Code, strings.TrimSpace(w.Body.String())
	}
	now := time.Now()
	if code, body := post(secret, now, note, nil); code != http.StatusNoContent || body != "" {
		t.Errorf("a note: %d %s", code, body)
	}
	want := bot.DeskAct{Key: "back|msg_1", AgentAct: bot.AgentAct{Ticket: "K7M-2QP", By: bot.OutsideAgent, Do: "note", Text: "token 17"}}
	if len(acts) != 1 || acts[0] != want {
		t.Errorf("done %+v, want %+v", acts, want)
	}
	for kind, do := range map[string]string{"ticket.line": "say", "ticket.solve": "solve"} {
		acts = nil
		if code, _ := post(secret, now, strings.Replace(note, "ticket.note", kind, 1), nil); code != http.StatusNoContent || len(acts) != 1 || acts[0].Do != do {
			t.Errorf("%s: %d %+v", kind, code, acts)
		}
	}
	acts = nil
	for name, c := range map[string]struct {
		secret bot.Secret
		at     time.Time
		body   string
		change func(*http.Request)
		want   int
	}{
		"another secret": {previous, now, note, nil, 401},
		"an old one":     {secret, now.Add(-6 * time.Minute), note, nil, 401},
		"of tomorrow":    {secret, now.Add(6 * time.Minute), note, nil, 401},
		"no signature":   {secret, now, note, func(r *http.Request) { r.Header.Del("webhook-signature") }, 401},
		"another id":     {secret, now, note, func(r *http.Request) { r.Header.Set("webhook-id", "msg_2") }, 401},
		"another time":   {secret, now, note, func(r *http.Request) { r.Header.Set("webhook-timestamp", "1") }, 401},
		"another body":   {secret, now, note, func(r *http.Request) { r.Body = http.NoBody }, 401},
		"no JSON":        {secret, now, "note", nil, 400},
		"no such type":   {secret, now, strings.Replace(note, "ticket.note", "ticket.reopen", 1), nil, 404},
		"a take":         {secret, now, strings.Replace(note, "ticket.note", "ticket.take", 1), nil, 404},
		"too large":      {secret, now, strings.Replace(note, "17", strings.Repeat("1", 64<<10), 1), nil, 413},
		"a form":         {secret, now, note, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415},
		"looked at":      {secret, now, note, func(r *http.Request) { r.Method = http.MethodGet }, 405},
	} {
		if code, _ := post(c.secret, c.at, c.body, c.change); code != c.want || len(acts) != 0 {
			t.Errorf("%s: %d, want %d; done %+v", name, code, c.want, acts)
		}
	}
	for code, want := range map[string]int{"not_agent": 403, "not_allowed": 403, "no_ticket": 404, "asks_secret": 422, "has_secret": 422, "empty": 422, "too_long": 422, "not_yours": 409, "closed": 409} {
		answer = &bot.DeskRefusal{Code: code, Who: "Maria"}
		if status, body := post(secret, now, note, nil); status != want || body != `{"refused":"`+code+`"}` {
			t.Errorf("%s: %d %s", code, status, body)
		}
	}
	answer = &bot.DeskRefusal{Code: "too_often", After: 41*time.Second + time.Millisecond}
	if status, body := post(secret, now, note, nil); status != 429 || body != `{"refused":"too_often"}` || head.Get("Retry-After") != "42" {
		t.Errorf("too often: %d %s %v", status, body, head)
	}
	answer = errors.New("the store is away: secret value")
	if status, body := post(secret, now, note, nil); status != 503 || body != "" {
		t.Errorf("trouble: %d %s", status, body)
	}
}
