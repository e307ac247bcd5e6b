package rigs

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
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
	return &Twilio{API: startScript(t, "twilio-emulator.mjs", "TWILIO_EMULATOR_DIR", "emulate", "0")}
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
