package smtp_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
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
		peer peer
		kind bot.SendErrorKind
		code string
	}{
		{"lost before the recipient", peer{at: "RCPT"}, bot.SendRetry, ""},
		{"lost before the data", peer{at: "DATA"}, bot.SendRetry, ""},
		{"lost after the final dot", peer{at: "."}, bot.SendUncertain, ""},
		{"no answer after the final dot", peer{at: ".", freeze: true}, bot.SendUncertain, ""},
		{"text refused", peer{at: ".", reply: "554 5.7.1 spam for ann@mail.example"}, bot.SendPermanent, "refused"},
		{"text put off", peer{at: ".", reply: "451 4.7.1 later"}, bot.SendRetry, ""},
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
	var log bytes.Buffer
	m := mailer(t, smtp.Options{
		Host: "127.0.0.1", Port: p.address.Port, User: "bot", Password: "s3cret-pass", From: "help@contoso.example", Phrases: texts,
		Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	_, err := m.SendCode(context.Background(), code("c1", "ann@mail.example", "en"))
	if se := kindOf(t, err); se.Kind != bot.SendRetry {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(log.String(), "STARTTLS") {
		t.Errorf("log %q says nothing about STARTTLS", log.String())
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
	case <-time.After(5 * time.Second):
		t.Fatal("still waiting after the caller gave up")
	}
}
