package rigs

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The account that the emulator is seeded with, and its number.
const (
	TwilioAccount = "AC00000000000000000000000000000000"
	TwilioToken   = "0123456789abcdef0123456789abcdef"
	TwilioNumber  = "+15551234567"
)

// A Twilio is a running stand-in for Twilio's REST API on the loopback address;
// see .ci/twilio-emulator.mjs for its pages.
type Twilio struct {
	API string // address, without a slash at the end
}

// StartTwilio starts one. It ends with the test.
func StartTwilio(t testing.TB) *Twilio {
	t.Helper()
	node := Tool(t, "", "node")
	dir := os.Getenv("TWILIO_EMULATOR_DIR")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "emulate")); dir == "" || err != nil {
		Missing(t, "the Twilio emulator is missing: TWILIO_EMULATOR_DIR has no node_modules/emulate (.ci/rigs.sh makes it)")
	}
	cmd := exec.Command(node, filepath.Join(root(t), ".ci", "twilio-emulator.mjs"), "0")
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe() // when this test dies, so does the emulator
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
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	api, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err != nil || !ok {
		t.Fatalf("the emulator said %q, %v\n%s", line, err, said.String())
	}
	return &Twilio{API: api}
}

// Ask gets a page, or posts a form unless it is nil, as the account's owner, and
// decodes what comes into a value unless that is nil.
func (n *Twilio) Ask(t testing.TB, path string, form url.Values, into any) {
	t.Helper()
	method := http.MethodGet
	if form != nil {
		method = http.MethodPost
	}
	q, err := http.NewRequest(method, n.API+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	q.SetBasicAuth(TwilioAccount, TwilioToken)
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	do(t, q, into)
}

// root is the folder of the module that the test belongs to.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("the test does not run inside the module: no go.mod above it")
		}
		dir = up
	}
}

// Digits is what a page of a call (TwiML) reads out: every text that is one
// digit. The page must be well-formed.
func Digits(t testing.TB, twiml string) string {
	t.Helper()
	var b strings.Builder
	for d := xml.NewDecoder(strings.NewReader(twiml)); ; {
		tok, err := d.Token()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			t.Fatalf("%v in %s", err, twiml)
		}
		if c, ok := tok.(xml.CharData); ok && len(c) == 1 && c[0] >= '0' && c[0] <= '9' {
			b.Write(c)
		}
	}
}
