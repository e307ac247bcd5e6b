package flows_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"latchkey/flows"
)

func TestShowTellsEverything(t *testing.T) {
	set := shipped(t)
	for _, f := range set.Flows() {
		var b bytes.Buffer
		if err := flows.Show(&b, set, f.Name); err != nil {
			t.Fatal(err)
		}
		out := b.String()
		for _, s := range f.Order {
			if !strings.Contains(out, s.ID+": ") {
				t.Errorf("%s: step %s is not shown", f.Name, s.ID)
			}
		}
		if strings.Contains(out, "(not translated)") {
			t.Errorf("%s: a text is shown as not translated", f.Name)
		}
		if !strings.Contains(out, "hash "+f.Hash) {
			t.Errorf("%s: the hash for based_on is not shown", f.Name)
		}
	}
	var b bytes.Buffer
	if err := flows.Show(&b, set, "phone"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"P2 number: ask", "asks    send a code to a phone or a mailbox", "choice  sms (recommended) -> number, sets via = sms", "outcome ok -> confirm, sets ref to nothing",
		"label   es", "signal  undelivered -> failed_send", `case    "" -> early`, "picture code_text", "guide   S29, S30", "resend  -> send",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("not shown: %s", want)
		}
	}
	if err := flows.Show(io.Discard, set, "phnoe"); err == nil || !strings.Contains(err.Error(), `did you mean "phone"?`) {
		t.Errorf("an unknown flow: %v", err)
	}
}
