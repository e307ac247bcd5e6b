package command

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest/rigs"
)

// The counterparties of the end-to-end tests, which we did not write; package
// rigs finds and starts them.

// A mailbox is a mail server that wants STARTTLS and a sign-in.
type mailbox struct{ *rigs.Mailpit }

const (
	mailUser     = "bot"
	mailPassword = "canary-mail-password"
)

func startMailpit(t *testing.T) *mailbox {
	t.Helper()
	return &mailbox{rigs.StartMailpit(t, mailUser, mailPassword, "--smtp-require-starttls")}
}

// mails are the texts of the mails to an address, subject first, oldest first.
func (m *mailbox) mails(t *testing.T, to string) []string {
	t.Helper()
	var list struct {
		Messages []struct{ ID, Subject string }
	}
	m.Get(t, "/api/v1/search?query="+url.QueryEscape("to:"+to), &list)
	var texts []string
	for _, s := range list.Messages {
		var mail struct{ Text string }
		m.Get(t, "/api/v1/message/"+s.ID, &mail)
		texts = append([]string{s.Subject + "\n" + mail.Text}, texts...)
	}
	return texts
}

// mail waits until a mail to an address has what in it, and returns it.
func (m *mailbox) mail(t *testing.T, to, what string) string {
	t.Helper()
	var found string
	rigs.Until(t, fmt.Sprintf("a mail to %s with %q", to, what), func() bool {
		for _, text := range m.mails(t, to) {
			if strings.Contains(text, what) {
				found = text
			}
		}
		return found != ""
	})
	return found
}

// A network is a telephone network behind a Twilio emulator.
type network struct{ *rigs.Twilio }

// A transmission is one text or call that the emulator took.
type transmission struct {
	Resource, SID string
	Form          map[string]string
}

// sent waits for the n-th text or call (from 1) to a number and returns it.
func (n *network) sent(t *testing.T, resource, to string, nth int) transmission {
	t.Helper()
	var got []transmission
	rigs.Until(t, fmt.Sprintf("%s number %d to %s", resource, nth, to), func() bool {
		var all []transmission
		n.Ask(t, "/_rig/requests", nil, &all)
		got = got[:0]
		for _, x := range all {
			if x.Resource == resource && x.Form["To"] == to {
				got = append(got, x)
			}
		}
		return len(got) >= nth
	})
	return got[nth-1]
}

// answer picks up a call, presses 1, and returns the digits that were read
// before and after.
func (n *network) answer(t *testing.T, sid string) (before, after string, pages []string) {
	t.Helper()
	var said struct{ Pages []string }
	n.Ask(t, "/_rig/answer", url.Values{"CallSid": {sid}, "Digits": {"1"}}, &said)
	if len(said.Pages) != 2 {
		t.Fatalf("a call with %d pages: %q", len(said.Pages), said.Pages)
	}
	return rigs.Digits(t, said.Pages[0]), rigs.Digits(t, said.Pages[1]), said.Pages
}

// undelivered sends the signed status callback of a text that did not arrive.
func (n *network) undelivered(t *testing.T, sid, code string) {
	t.Helper()
	var got struct{ Status int }
	n.Ask(t, "/_rig/status", url.Values{"MessageSid": {sid}, "MessageStatus": {"undelivered"}, "ErrorCode": {code}}, &got)
	if got.Status != http.StatusNoContent {
		t.Errorf("callback with error %s: status %d", code, got.Status)
	}
}

// halfBlocks finds the rows of the square picture in a screen.
func halfBlocks(t *testing.T, screen string) (rows []string) {
	t.Helper()
	for line := range strings.Lines(screen) {
		line = strings.TrimRight(line, "\r\n")
		if len(line) > 20 && strings.Trim(line, " ▀▄█") == "" {
			rows = append(rows, line)
		}
	}
	if len(rows) < 15 {
		t.Fatalf("no square picture in\n%s", screen)
	}
	return rows
}
