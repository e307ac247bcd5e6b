// Package programtest has what several tests of the program need.
package programtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"latchkey/adapters/adaptertest/rigs"
)

// OtherCode is a code that is not this one.
func OtherCode(code string) string {
	return fmt.Sprintf("%06d", (num(code)+500001)%1000000)
}

func num(s string) (n int) { fmt.Sscan(strings.TrimLeft(s, "0"), &n); return n }

// NoSecrets looks for secrets, each by what it is, in a text. A code counts when it stands
// alone: six digits are part of many numbers, and of a second's fraction.
func NoSecrets(t *testing.T, secrets map[string]string, text string) {
	t.Helper()
	if text == "" {
		t.Error("there is nothing to look into")
	}
	low := strings.ToLower(text)
	for what, value := range secrets {
		if len(value) == 6 {
			if at := regexp.MustCompile(`(^|[^0-9A-Za-z.])` + value + `($|[^0-9A-Za-z])`).FindStringIndex(text); at != nil {
				t.Errorf("%s is there: %q", what, text[max(0, at[0]-60):min(len(text), at[1]+60)])
			}
			continue
		}
		if i := strings.Index(low, strings.ToLower(value)); i >= 0 {
			t.Errorf("%s is there: %q", what, text[max(0, i-60):min(len(text), i+len(value)+60)])
		}
	}
}

// A Buffer keeps what several goroutines write.
type Buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String is all that was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// TOTPNow is what an authenticator shows now for a key URI.
func TOTPNow(t *testing.T, uri string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" {
		t.Fatalf("not a key URI: %v", err)
	}
	return rigs.Run(t, rigs.Tool(t, "", "oathtool"), "--totp", "--base32", u.Query().Get("secret"))
}

// SlackButtons are the buttons of a message's blocks, each with its block_id.
func SlackButtons(blocks []json.RawMessage) (all []map[string]any) {
	for _, raw := range blocks {
		var b struct {
			Type     string
			BlockID  string `json:"block_id"`
			Elements []map[string]any
		}
		if json.Unmarshal(raw, &b) == nil && b.Type == "actions" {
			for _, e := range b.Elements {
				e["block_id"] = b.BlockID
				all = append(all, e)
			}
		}
	}
	return all
}

var rigIDs struct {
	sync.Mutex
	n int
}

// NewID is a new id for an act.
func NewID() string {
	rigIDs.Lock()
	defer rigIDs.Unlock()
	rigIDs.n++
	return fmt.Sprintf("rig-%08d", rigIDs.n)
}

// RecoveryCode fits a recovery code as people see it.
var RecoveryCode = regexp.MustCompile(`[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3}`)
