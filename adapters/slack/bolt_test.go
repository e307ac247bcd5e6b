package slack_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/slack/slacktest"
)

// A judge is Slack's own framework in a process of its own.
type judge struct {
	t     *testing.T
	lines chan map[string]string
}

// installed is the folder that a variable names, if a package is in it.
func installed(t *testing.T, variable, pkg string) string {
	t.Helper()
	dir := os.Getenv(variable)
	if _, err := os.Stat(filepath.Join(dir, "node_modules", filepath.FromSlash(pkg))); dir == "" || err != nil {
		rigs.Missing(t, "the package "+pkg+" is missing: "+variable+" has no node_modules/"+pkg+" (.ci/rigs.sh makes it)")
	}
	return dir
}

func startBolt(t *testing.T, args ...string) (*judge, string) {
	t.Helper()
	installed(t, "SLACK_BOLT_DIR", "@slack/bolt")
	cmd := exec.Command(rigs.Tool(t, "", "node"), append([]string{filepath.Join("testdata", "bolt.mjs")}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	j := &judge{t: t, lines: make(chan map[string]string, 100)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(j.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			var v map[string]string
			if json.Unmarshal(s.Bytes(), &v) == nil {
				j.lines <- v
			}
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("bolt said:\n%s", errs.String())
		}
	})
	return j, j.next("ready")["ready"]
}

// next waits for the next line, which must have a key.
func (j *judge) next(key string) map[string]string {
	j.t.Helper()
	select {
	case v, ok := <-j.lines:
		if !ok || v[key] == "" {
			j.t.Fatalf("bolt says %v, want %s", v, key)
		}
		return v
	case <-time.After(time.Minute):
		j.t.Fatalf("bolt does not say %s", key)
	}
	return nil
}

// wants checks what Bolt was told.
func (j *judge) wants(got, text string) {
	j.t.Helper()
	if v := j.next("got"); v["got"] != got || v["text"] != text {
		j.t.Errorf("bolt got %v, want %s %q", v, got, text)
	}
}

// TestBoltAcceptsOurSigner: the signer that the tests use is Slack's. Bolt's
// receiver takes what it signs, and nothing else.
func TestBoltAcceptsOurSigner(t *testing.T) {
	t.Parallel()
	w := slacktest.New(t)
	j, address := startBolt(t, "http", slacktest.SigningSecret)
	u := w.Add(slacktest.User{Name: "ada"}).ID
	for _, h := range happenings(t, w, u) {
		ok, answer, err := w.Post(address, h.Happening, 0)
		if err != nil || !ok {
			t.Fatalf("%s: refused by Bolt: %v", h.got, err)
		}
		j.wants(h.got, h.text)
		if h.answer != "" && !strings.Contains(string(answer), h.answer) {
			t.Errorf("%s: answered %q", h.got, answer)
		}
	}
	body := []byte(`{"token":"x","challenge":"3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P","type":"url_verification"}`)
	post := func(secret string, at time.Time, body []byte) (int, string) {
		head := slacktest.Sign(secret, at, body)
		head.Set("Content-Type", "application/json")
		status, answer, err := w.Raw(address, head, body)
		if err != nil {
			t.Fatal(err)
		}
		return status, string(answer)
	}
	if status, answer := post(slacktest.SigningSecret, time.Now(), body); status != http.StatusOK || !strings.Contains(answer, "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P") {
		t.Errorf("url_verification: %d %s", status, answer)
	}
	for what, status := range map[string]int{
		"another secret": first(post("00000000000000000000000000000000", time.Now(), body)),
		"400 s old":      first(post(slacktest.SigningSecret, time.Now().Add(-400*time.Second), body)),
	} {
		if status != http.StatusUnauthorized {
			t.Errorf("%s: Bolt answers %d, want 401", what, status)
		}
	}
	// Ours answers the same way.
	s := start(t, nil)
	for what, c := range map[string]struct {
		secret string
		at     time.Time
		want   int
	}{
		"good": {slacktest.SigningSecret, time.Now(), 200}, "another secret": {"00000000000000000000000000000000", time.Now(), 401},
		"400 s old": {slacktest.SigningSecret, time.Now().Add(-400 * time.Second), 401},
	} {
		head := slacktest.Sign(c.secret, c.at, body)
		head.Set("Content-Type", "application/json")
		if status, _, _ := w.Raw(s.server.URL, head, body); status != c.want {
			t.Errorf("%s: the adapter answers %d, want %d", what, status, c.want)
		}
	}
}

func first(status int, _ string) int { return status }

// told is a happening, and what Bolt must make of it.
type told struct {
	*slacktest.Happening
	got, text, answer string
}

// happenings are one of each kind.
func happenings(t *testing.T, w *slacktest.Workspace, u string) []told {
	t.Helper()
	said, err := w.Says(u, "hello & <welcome>")
	if err != nil {
		t.Fatal(err)
	}
	m := &slacktest.Message{TS: "1700000000.000100", Channel: w.Room(u), User: slacktest.BotUser, Text: "Which?", Blocks: []json.RawMessage{json.RawMessage(`{"type":"rich_text","block_id":"t","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"Which?"}]}]}`)}}
	press := w.Presses(u, m, map[string]any{"block_id": "choices", "action_id": "choice:1", "value": "7 on", "text": map[string]any{"type": "plain_text", "text": "On", "emoji": false}})
	view := &slacktest.Happening{Kind: "interactive", User: u, Payload: map[string]any{
		"type": "view_submission", "team": map[string]any{"id": slacktest.Team, "domain": "double"}, "user": map[string]any{"id": u, "name": "ada", "team_id": slacktest.Team}, "api_app_id": slacktest.AppID, "trigger_id": "1.2.3",
		"view": map[string]any{"id": "V1", "hash": "1.2", "type": "modal", "callback_id": "entry", "private_metadata": "7", "state": map[string]any{"values": map[string]any{"entry": map[string]any{"value": map[string]any{"type": "plain_text_input", "value": "123 456"}}}}},
	}}
	return []told{
		{said, "message", slacktest.Encode("hello & <welcome>"), ""},
		{press, "action", "7 on", ""},
		{view, "view", "123 456", ""},
		{w.Commands(u, "C0ELSEWHERE", "/sspr", "help me"), "command", "help me", "ok help me"},
		{w.Opens(u, "home"), "home", "home", ""},
	}
}

// TestBoltAcceptsOurSocket: the double speaks Socket Mode well enough for Slack's
// own client, which connects, is told, acknowledges, answers by the Web API, and
// connects anew when it is asked to.
func TestBoltAcceptsOurSocket(t *testing.T) {
	t.Parallel()
	w := slacktest.New(t)
	w.Wait = 30 * time.Second
	j, _ := startBolt(t, "socket", w.API(), slacktest.AppToken, slacktest.BotToken)
	rigs.Until(t, "Bolt to connect", func() bool { return w.Connections() == 1 })
	u := w.Add(slacktest.User{Name: "ada"}).ID
	for _, h := range happenings(t, w, u) {
		ok, answer, err := w.Send(h.Happening, 0)
		if err != nil || !ok {
			t.Fatalf("%s: not acknowledged by Bolt: %v", h.got, err)
		}
		j.wants(h.got, h.text)
		if h.answer != "" && !strings.Contains(string(answer), h.answer) {
			t.Errorf("%s: answered %q", h.got, answer)
		}
	}
	if ms := w.Messages(w.Room(u)); len(ms) != 2 || ms[1].Text != "heard" || ms[1].User != slacktest.BotUser {
		t.Errorf("Bolt has said %+v", ms)
	}
	for round, how := range []func(){w.Refresh, w.Cut} {
		how()
		again, err := w.Says(u, fmt.Sprintf("again %d", round))
		if err != nil {
			t.Fatal(err)
		}
		rigs.Until(t, "Bolt to be told again", func() bool { ok, _, _ := w.Send(again, 0); return ok })
		j.wants("message", fmt.Sprintf("again %d", round))
	}
}
