package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// TestTeamsWrongAnswerFails: a bot that says something else, twice, or nothing
// does not win.
func TestTeamsWrongAnswerFails(t *testing.T) {
	for what, say := range map[string]func(string) []any{
		"another word": func(s string) []any {
			return []any{map[string]any{"type": "message", "text": strings.Replace(s, "the", "a", 1)}}
		},
		"twice": func(s string) []any {
			return []any{map[string]any{"type": "message", "text": s}, map[string]any{"type": "message", "text": s}}
		},
		"nothing":    func(string) []any { return nil },
		"no message": func(s string) []any { return []any{map[string]any{"type": "event", "text": s}} },
	} {
		t.Run(what, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_ = json.NewEncoder(w).Encode(map[string]any{"activities": say(Turns[0][1])})
			}))
			defer s.Close()
			if _, err := Teams(t.Context(), TeamsOptions{People: 1, Conc: 1, InResponse: true, Against: s.URL}); err == nil || !strings.Contains(err.Error(), "load: ") {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestTeamsCounters: one turn by HTTP is one message, and what it costs without
// noise stays what it is.
func TestTeamsCounters(t *testing.T) {
	dsn := filepath.Join(t.TempDir(), "load.db")
	in, tell := io.Pipe()
	said, out := io.Pipe()
	over := make(chan error, 1)
	go func() { over <- TeamsPeer(context.Background(), in, out, dsn, 0) }()
	dec := json.NewDecoder(said)
	var s teamsState
	if err := dec.Decode(&s); err != nil {
		t.Fatal(err)
	}
	state := func() (s teamsState) {
		if _, err := fmt.Fprintln(tell, "state"); err != nil {
			t.Fatal(err)
		}
		if err := dec.Decode(&s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := state()
	r, err := Teams(t.Context(), TeamsOptions{People: 100, Conc: 50, InResponse: true, Against: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	after := state()
	if n := float64(after.Syncs-before.Syncs) / float64(r.Turns); r.Turns != 1200 || n > 0.5 {
		t.Errorf("%d turns, %.3f syncs a turn", r.Turns, n)
	}
	tell.Close()
	if err := <-over; err != nil {
		t.Errorf("the end: %v", err)
	}
}
