package smtp_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/smtp"
	"latchkey/bot"
)

var texts = adaptertest.Phrases{
	"en mail.code.subject":    "Your code for {org}",
	"en mail.code.body":       "Hello,\n\n{code} is your code {why}.\nIt is good for {minutes} minutes.",
	"en mail.code.why.enroll": "to add this address",
	"es mail.code.subject":    "Código de {org}: verificación de contraseña",
	"es mail.code.body":       "Hola:\n\n{code} es su código {why}. Vale {minutes} minutos & <nada> más.",
	"es mail.code.why.enroll": "para añadir esta dirección",
}

// now is where the tests stand in time.
var now = time.Date(2026, 5, 3, 9, 0, 0, 0, time.UTC)

func code(id, to, lang string) bot.CodeMessage {
	return bot.CodeMessage{ID: id, Via: bot.Mail, To: bot.Secret(to), Code: "493028", Lang: lang, Purpose: "enroll", Expires: now.Add(30 * time.Minute)}
}

// a server is a running Mailpit whose dialogue can be made to fail.
type server struct{ *rigs.Mailpit }

func mailpit(t *testing.T, flags ...string) server {
	t.Helper()
	return server{rigs.StartMailpit(t, "bot", "s3cret-pass", append(flags, "--enable-chaos")...)}
}

// options reach s as user bot; log gets what the operator is told.
func (s server) options(log *bytes.Buffer) smtp.Options {
	return smtp.Options{
		Host: "localhost", Port: s.Port, User: "bot", Password: "s3cret-pass", CAFile: s.CA,
		From: "help@contoso.example", FromName: "Contoso Áyuda", ReplyTo: "desk@contoso.example", Timeout: 5 * time.Second,
		Facts: bot.Facts("org", "Contoso"), Phrases: texts,
		Log: slog.New(slog.NewTextHandler(log, nil)), Now: func() time.Time { return now },
	}
}

func mailer(t *testing.T, o smtp.Options) *smtp.Mailer {
	t.Helper()
	m, err := smtp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// chaos makes a stage of the dialogue fail with a reply code; 0 ends it.
func (s server) chaos(t *testing.T, stage string, reply int) {
	t.Helper()
	body := "{}"
	if reply != 0 {
		body = fmt.Sprintf(`{%q:{"ErrorCode":%d,"Probability":100}}`, stage, reply)
	}
	q, _ := http.NewRequest(http.MethodPut, s.API+"/api/v1/chaos", strings.NewReader(body))
	q.Header.Set("Content-Type", "application/json")
	r, err := http.DefaultClient.Do(q)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("chaos: %v %v", r, err)
	}
	_ = r.Body.Close()
}

type summary struct {
	Total    int
	Messages []struct{ ID, MessageID, Subject string }
}

type stored struct {
	MessageID, Subject, Text, HTML string
	From                           struct{ Name, Address string }
	To, ReplyTo                    []struct{ Name, Address string }
}
