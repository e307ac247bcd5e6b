package rigs

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

// What the emulator of Slack is seeded with, see .ci/slack-emulator.mjs.
const (
	SlackTeam    = "T000000001"
	SlackSecret  = "8f742231b10e8888abcd99yyyzzz85a5"
	SlackBot     = "U0LATCHKEY"
	SlackToken   = "xoxb-emulated-bot-token"
	SlackPersons = "xoxp-" // and a name: ada, carmen, ben, dora
)

// A Slack is a running stand-in for Slack's Web API, which signs and delivers
// events.
type Slack struct {
	URL string // without a slash at the end; the API is below /api/
}

// StartSlack starts one that delivers events to an address. It ends with the
// test.
func StartSlack(t testing.TB, events string) *Slack {
	t.Helper()
	return &Slack{URL: startScript(t, "slack-emulator.mjs", "SLACK_EMULATOR_DIR", "emulate", events)}
}

// Ask calls a method of the Web API with a token, and decodes the answer, which
// must be good.
func (s *Slack) Ask(t testing.TB, token, method string, args map[string]any, into any) {
	t.Helper()
	body, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequest(http.MethodPost, s.URL+"/api/"+method, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+token)
	q.Header.Set("Content-Type", "application/json; charset=utf-8")
	var good struct {
		OK    bool
		Error string
	}
	raw := do(t, q, &good)
	if !good.OK {
		t.Fatalf("%s: %s", method, good.Error)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(raw), into); err != nil {
			t.Fatalf("%s: %v in %s", method, err, raw)
		}
	}
}

// Rows reads a collection of the emulator's store: views, files, messages,
// users, ephemeralMessages.
func (s *Slack) Rows(t testing.TB, collection string, into any) {
	t.Helper()
	q, err := http.NewRequest(http.MethodGet, s.URL+"/_rig/"+collection, nil)
	if err != nil {
		t.Fatal(err)
	}
	do(t, q, into)
}

// Fetch downloads a file as whoever has the token.
func (s *Slack) Fetch(t testing.TB, token, address string) (body []byte, status int) {
	t.Helper()
	q, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+token)
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if body, err = io.ReadAll(r.Body); err != nil {
		t.Fatal(err)
	}
	return body, r.StatusCode
}
