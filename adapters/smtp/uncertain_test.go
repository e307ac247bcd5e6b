package smtp_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/adapters/smtp"
	"latchkey/bot"
)

// A peer speaks SMTP until it is told to misbehave, which no real server does
// on demand: drop or freeze at a given command.
type peer struct {
	at      string // command after which it misbehaves: "HELO", "RCPT", "DATA", "."
	freeze  bool   // keep the connection and say nothing more; else hang up
	reply   string // or answer this at that point and go on
	offer   string // extra EHLO line
	got     chan string
	address *net.TCPAddr

	mu    sync.Mutex
	lines []string // all that was said to it
}

// heard reports whether a line with these words was said.
func (p *peer) heard(words string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.lines, func(l string) bool { return strings.Contains(l, words) })
}

func (p *peer) start(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = l.Addr().(*net.TCPAddr)
	p.got = make(chan string, 100)
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		p.talk(c)
	}()
}

func (p *peer) talk(c net.Conn) {
	r := bufio.NewReader(c)
	say := func(s string) { fmt.Fprintf(c, "%s\r\n", s) }
	say("220 peer")
	data := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		p.mu.Lock()
		p.lines = append(p.lines, line)
		p.mu.Unlock()
		word := strings.ToUpper(strings.SplitN(line, " ", 2)[0])
		if data && line != "." {
			continue
		}
		p.got <- word
		if word == p.at {
			if p.reply != "" {
				say(p.reply)
				data = false
				continue
			}
			if p.freeze {
				_, _ = r.ReadString(0) // until the other side hangs up
			}
			return
		}
		switch {
		case word == "EHLO" && p.offer != "":
			say("250-peer")
			say("250 " + p.offer)
		case word == "DATA":
			data = true
			say("354 go on")
		case word == "QUIT":
			say("221 bye")
			return
		default:
			data = false
			say("250 ok")
		}
	}
}

func TestWhereTheConnectionBreaks(t *testing.T) {
	tests := []struct {
		name string
		peer *peer
		kind bot.SendErrorKind
		code string
	}{
		{"lost before the recipient", &peer{at: "RCPT"}, bot.SendRetry, ""},
		{"lost before the data", &peer{at: "DATA"}, bot.SendRetry, ""},
		{"lost after the final dot", &peer{at: "."}, bot.SendUncertain, ""},
		{"no answer after the final dot", &peer{at: ".", freeze: true}, bot.SendUncertain, ""},
		{"text refused", &peer{at: ".", reply: "554 5.7.1 spam for ann@mail.example"}, bot.SendPermanent, "refused"},
		{"text put off", &peer{at: ".", reply: "451 4.7.1 later"}, bot.SendRetry, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.peer.start(t)
			var log bytes.Buffer
			m := mailer(t, smtp.Options{
				Host: "127.0.0.1", Port: tt.peer.address.Port, TLS: smtp.None, From: "help@contoso.example", Timeout: 300 * time.Millisecond,
				Phrases: texts, Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&log, nil)),
			})
			_, err := m.SendCode(context.Background(), code("c1", "ann@mail.example", "en"))
			if se := kindOf(t, err, "ann@mail.example"); se.Kind != tt.kind || se.Code != tt.code {
				t.Errorf("got %v (code %q), want kind %d code %q", err, se.Code, tt.kind, tt.code)
			}
		})
	}
}

// TestAddressesBeyondASCII: a domain goes out as it stands in the DNS, to any
// server. Letters before the @ need SMTPUTF8: it is used only then, and a server
// without it is named to the operator, while nothing is sent.
func TestAddressesBeyondASCII(t *testing.T) {
	for _, c := range []struct {
		to, offer string
		rcpt      string
		utf8      bool
		refused   bool
	}{
		{"bob@münchen.example", "8BITMIME", "RCPT TO:<bob@xn--mnchen-3ya.example>", false, false},
		{"bob@münchen.example", "SMTPUTF8", "RCPT TO:<bob@xn--mnchen-3ya.example>", false, false},
		{"Bob@MÜNCHEN.example", "SMTPUTF8", "RCPT TO:<Bob@xn--mnchen-3ya.example>", false, false},
		{"ann@пример.рф", "8BITMIME", "RCPT TO:<ann@xn--e1afmkfd.xn--p1ai>", false, false},
		{"jörg@riverbend.example", "SMTPUTF8", "RCPT TO:<jörg@riverbend.example>", true, false},
		{"jörg@münchen.example", "SMTPUTF8", "RCPT TO:<jörg@xn--mnchen-3ya.example>", true, false},
		{"jörg@riverbend.example", "8BITMIME", "", false, true},
		{"ann@mail.example", "SMTPUTF8", "RCPT TO:<ann@mail.example>", false, false},
	} {
		p := &peer{offer: c.offer}
		p.start(t)
		var log bytes.Buffer
		m := mailer(t, smtp.Options{
			Host: "127.0.0.1", Port: p.address.Port, TLS: smtp.None, From: "help@contoso.example", ReplyTo: "desk@münchen.example", Timeout: 3 * time.Second,
			Phrases: texts, Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		err := m.SendNotice(context.Background(), bot.NoticeMessage{ID: "n1", To: c.to, Name: "Jörg", Lang: "en", Subject: "s", Body: "b"})
		if c.refused {
			if se := kindOf(t, err, c.to, "jörg"); se.Kind != bot.SendPermanent || se.Code != "refused" || !strings.Contains(err.Error(), "SMTPUTF8") {
				t.Errorf("%s: %v", c.to, err)
			}
			if !strings.Contains(log.String(), "level=ERROR") || !strings.Contains(log.String(), "fix=") || strings.Contains(log.String(), "jörg") {
				t.Errorf("%s: log %s", c.to, log.String())
			}
			if p.heard("RCPT") || p.heard("MAIL FROM") {
				t.Errorf("%s: the server heard of it: %q", c.to, p.lines)
			}
			continue
		}
		if err != nil || !p.heard(c.rcpt) || p.heard("SMTPUTF8") != c.utf8 || !p.heard("Reply-To: <desk@xn--mnchen-3ya.example>") {
			t.Errorf("%s: %v; said %q", c.to, err, p.lines)
		}
		if local, _, _ := strings.Cut(c.to, "@"); !p.heard("<" + local + "@") {
			t.Errorf("%s: header %q", c.to, p.lines)
		}
	}
}

// A reply of success counts even when the connection breaks right after it.
func TestDeliveredThenLost(t *testing.T) {
	p := peer{at: "QUIT"}
	p.start(t)
	m := mailer(t, smtp.Options{Host: "127.0.0.1", Port: p.address.Port, TLS: smtp.None, From: "help@contoso.example", Phrases: texts, Now: func() time.Time { return now }})
	if _, err := m.SendCode(context.Background(), code("c1", "ann@mail.example", "en")); err != nil {
		t.Fatal(err)
	}
}

// Somebody in the middle who takes STARTTLS out of the offer gets nothing.
func TestStrippedStartTLS(t *testing.T) {
	p := peer{offer: "AUTH PLAIN LOGIN"}
	p.start(t)
	m := mailer(t, smtp.Options{
		Host: "127.0.0.1", Port: p.address.Port, User: "bot", Password: "s3cret-pass", From: "help@contoso.example", Phrases: texts,
		Now: func() time.Time { return now },
	})
	_, err := m.SendCode(context.Background(), code("c1", "ann@mail.example", "en"))
	if se := kindOf(t, err); se.Kind != bot.SendRetry || !strings.Contains(se.Fix, "STARTTLS") {
		t.Errorf("got %v, fix %q", err, se.Fix)
	}
	for {
		select {
		case word := <-p.got:
			if word != "EHLO" && word != "QUIT" {
				t.Errorf("said %q in clear", word)
			}
			continue
		default:
		}
		break
	}
}

func TestCancelHangsUp(t *testing.T) {
	p := peer{at: "EHLO", freeze: true}
	p.start(t)
	m := mailer(t, smtp.Options{Host: "127.0.0.1", Port: p.address.Port, TLS: smtp.None, From: "help@contoso.example", Phrases: texts, Now: func() time.Time { return now }, Timeout: time.Hour})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	failed := make(chan error, 1)
	go func() {
		_, err := m.SendCode(ctx, code("c1", "ann@mail.example", "en"))
		failed <- err
	}()
	<-p.got // the peer has it and is silent
	cancel()
	select {
	case err := <-failed:
		if se := kindOf(t, err); se.Kind != bot.SendRetry {
			t.Errorf("got %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("still waiting after the caller gave up")
	}
}
