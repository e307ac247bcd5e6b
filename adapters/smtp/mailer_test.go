package smtp_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/smtp"
	"latchkey/bot"
)

// kindOf fails unless err is a *bot.SendError without the given secrets.
func kindOf(t *testing.T, err error, secrets ...string) *bot.SendError {
	t.Helper()
	var se *bot.SendError
	if !errors.As(err, &se) {
		t.Fatalf("got %v, want a *bot.SendError", err)
	}
	for _, s := range append(secrets, "493028", "s3cret-pass") {
		if strings.Contains(err.Error(), s) {
			t.Errorf("the error tells %q: %v", s, err)
		}
	}
	return se
}

func TestCodeArrives(t *testing.T) {
	s := mailpit(t, "--smtp-require-starttls")
	var log bytes.Buffer
	m := mailer(t, s.options(&log))
	if f := m.Examine(context.Background()); len(f) != 1 || f[0].State != bot.Fine {
		t.Fatalf("examined: %+v", f)
	}

	ref, err := m.SendCode(context.Background(), code("c1", "ana.perez@mail.example", "es"))
	if err != nil {
		t.Fatal(err)
	}
	var msg stored
	s.Get(t, "/api/v1/message/latest", &msg)
	if msg.MessageID != ref || !strings.HasSuffix(ref, "@contoso.example") || strings.Contains(ref, "c1") {
		t.Errorf("message id %q, reference %q", msg.MessageID, ref)
	}
	if want := "Código de Contoso: verificación de contraseña"; msg.Subject != want {
		t.Errorf("subject %q, want %q", msg.Subject, want)
	}
	if want := "493028 es su código para añadir esta dirección. Vale 30 minutos & <nada> más."; !strings.Contains(msg.Text, want) {
		t.Errorf("text %q lacks %q", msg.Text, want)
	}
	for _, want := range []string{`<html lang="es">`, ">493028</strong>", "&amp; &lt;nada&gt; más"} {
		if !strings.Contains(msg.HTML, want) {
			t.Errorf("html lacks %q:\n%s", want, msg.HTML)
		}
	}
	if msg.From.Address != "help@contoso.example" || msg.From.Name != "Contoso Áyuda" || msg.ReplyTo[0].Address != "desk@contoso.example" || msg.To[0].Address != "ana.perez@mail.example" {
		t.Errorf("addresses: %+v", msg)
	}
	raw := s.Get(t, "/api/v1/message/latest/raw", nil)
	head, _, _ := strings.Cut(raw, "\r\n\r\n")
	for _, want := range []string{"=?UTF-8?q?C=C3=B3digo_de_Contoso:", "Auto-Submitted: auto-generated", "Content-Language: es", "Date: Sun, 03 May 2026"} {
		if !strings.Contains(head, want) {
			t.Errorf("header lacks %q:\n%s", want, head)
		}
	}

	// A repeat is recognisable: the same Message-ID. Another code has its own.
	again, err := m.SendCode(context.Background(), code("c1", "ana.perez@mail.example", "es"))
	if err != nil || again != ref {
		t.Errorf("repeat: %q %v, want %q", again, err, ref)
	}
	other, err := m.SendCode(context.Background(), code("c2", "ana.perez@mail.example", "es"))
	if err != nil || other == ref {
		t.Errorf("another code: %q %v", other, err)
	}
	if log.Len() != 0 {
		t.Errorf("log: %s", log.String())
	}
}

func TestNoticeArrivesByTLSFromTheFirstByte(t *testing.T) {
	s := mailpit(t, "--smtp-require-tls")
	var log bytes.Buffer
	o := s.options(&log)
	o.TLS = smtp.TLS
	m := mailer(t, o)
	n := bot.NoticeMessage{
		ID: "n1", To: "ann@contoso.example", Name: "Ann \"A\" Exa\r\nBcc: evil@x.example", Lang: "en",
		Subject: "A method was added\r\nBcc: evil@x.example", Body: "Hello Ann,\n\n.\nyour phone was added.\n",
	}
	if err := m.SendNotice(context.Background(), n); err != nil {
		t.Fatal(err)
	}
	var msg stored
	s.Get(t, "/api/v1/message/latest", &msg)
	if msg.Subject != "A method was added Bcc: evil@x.example" || msg.To[0].Name != `Ann "A" Exa Bcc: evil@x.example` || len(msg.To) != 1 {
		t.Errorf("got %+v", msg)
	}
	if !strings.Contains(msg.Text, "\n.\n") && !strings.Contains(msg.Text, "\r\n.\r\n") {
		t.Errorf("a line with a single dot is lost: %q", msg.Text)
	}
	head, _, _ := strings.Cut(s.Get(t, "/api/v1/message/latest/raw", nil), "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if strings.HasPrefix(line, "Bcc:") {
			t.Errorf("injected header %q", line)
		}
	}
}

// TestNoticeWithALink: the link stands in the text as it is, and is the one
// button of the HTML part.
func TestNoticeWithALink(t *testing.T) {
	s := mailpit(t, "--smtp-require-starttls")
	m := mailer(t, s.options(new(bytes.Buffer)))
	link := "https://help.contoso.example/notme?c=method_proven&lang=en#abc_-123"
	err := m.SendNotice(context.Background(), bot.NoticeMessage{ID: "n2", To: "ann@contoso.example", Lang: "en", Subject: "Changed",
		Body: "Hello,\n\npress here:\n\n" + link + "\n\nBye", Link: link, Button: "This was <not> me"})
	if err != nil {
		t.Fatal(err)
	}
	var msg stored
	s.Get(t, "/api/v1/message/latest", &msg)
	if !strings.Contains(msg.Text, link) {
		t.Errorf("text: %s", msg.Text)
	}
	href := strings.ReplaceAll(link, "&", "&amp;")
	if strings.Count(msg.HTML, "<a ") != 1 || !strings.Contains(msg.HTML, `<a href="`+href+`"`) || !strings.Contains(msg.HTML, ">This was &lt;not&gt; me</a>") {
		t.Errorf("html: %s", msg.HTML)
	}
}

func TestFailuresOfAServer(t *testing.T) {
	s := mailpit(t, "--smtp-require-starttls")
	tests := []struct {
		name   string
		change func(o *smtp.Options)
		stage  string
		reply  int
		kind   bot.SendErrorKind
		code   string
		fix    string // what the operator reads, empty for nothing
	}{
		{name: "wrong password", change: func(o *smtp.Options) { o.Password = "wrong-pass" }, kind: bot.SendRetry, fix: "check user and password"},
		{name: "unknown authority", change: func(o *smtp.Options) { o.CAFile = "" }, kind: bot.SendRetry, fix: "check host and ca_file"},
		{name: "another host's certificate", change: func(o *smtp.Options) { o.Host = "127.0.0.1" }, kind: bot.SendRetry, fix: "check host and ca_file"},
		{name: "nobody listens", change: func(o *smtp.Options) { o.Port = 1 }, kind: bot.SendRetry},
		{name: "TLS where STARTTLS is spoken", change: func(o *smtp.Options) { o.TLS = smtp.TLS }, kind: bot.SendRetry},
		{name: "recipient busy", stage: "Recipient", reply: 451, kind: bot.SendRetry},
		{name: "recipient unknown", stage: "Recipient", reply: 550, kind: bot.SendPermanent, code: "refused"},
		{name: "sender busy", stage: "Sender", reply: 421, kind: bot.SendRetry},
		{name: "sender refused", stage: "Sender", reply: 553, kind: bot.SendRetry, fix: "check from and user"},
		{name: "sign-in busy", stage: "Authentication", reply: 454, kind: bot.SendRetry},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			o := s.options(&log)
			if tt.change != nil {
				tt.change(&o)
			}
			s.chaos(t, tt.stage, tt.reply)
			t.Cleanup(func() { s.chaos(t, "", 0) })
			_, err := mailer(t, o).SendCode(context.Background(), code("c1", "ann@mail.example", "en"))
			se := kindOf(t, err, "ann@mail.example", "wrong-pass")
			if se.Kind != tt.kind || se.Code != tt.code {
				t.Errorf("got %v (code %q), want kind %d code %q", err, se.Code, tt.kind, tt.code)
			}
			if tt.fix == "" && se.Fix != "" || !strings.Contains(se.Fix, tt.fix) || log.Len() != 0 {
				t.Errorf("fix %q, want %q; log %s", se.Fix, tt.fix, log.String())
			}
			if tt.change != nil {
				f := mailer(t, o).Examine(context.Background())
				if len(f) != 1 || f[0].State != bot.Broken || !strings.Contains(f[0].Fix, tt.fix) || strings.Contains(f[0].Text, "wrong-pass") {
					t.Errorf("examined: %+v", f)
				}
			}
		})
	}
	var list summary
	s.Get(t, "/api/v1/messages", &list)
	if list.Total != 0 {
		t.Errorf("%d mails arrived, want none", list.Total)
	}
	// And after the trouble the same message goes out.
	if _, err := mailer(t, s.options(new(bytes.Buffer))).SendCode(context.Background(), code("c1", "ann@mail.example", "en")); err != nil {
		t.Fatal(err)
	}
}

func TestRefusedWithoutAServer(t *testing.T) {
	m := mailer(t, smtp.Options{Host: "localhost", Port: 1, TLS: smtp.None, From: "help@contoso.example", Phrases: texts, Now: func() time.Time { return now }})
	bad := []string{
		"", "ann", "@x.example", "ann@", "ann@x.example\r\nRCPT TO:<evil@x.example>", "ann@x.example\r\nBcc: evil@x.example", "Ann <ann@x.example>",
		"<ann@x.example>", "a@x.example, b@x.example", "ann @x.example", "ann@x.example\x00", "ann@x.example\u2028", strings.Repeat("a", 250) + "@x.example",
		`"a\"@b <c"@x.example`,
	}
	for _, to := range bad {
		_, err := m.SendCode(context.Background(), code("c1", to, "en"))
		if se := kindOf(t, err); se.Kind != bot.SendPermanent || se.Code != "refused" {
			t.Errorf("to %q: got %v", to, err)
		}
		if len(to) > 5 && strings.Contains(err.Error(), to) {
			t.Errorf("the error repeats the address %q", to)
		}
	}
	late := code("c1", "ann@x.example", "en")
	late.Expires = now
	if _, err := m.SendCode(context.Background(), late); kindOf(t, err).Kind != bot.SendPermanent {
		t.Errorf("expired code: got %v", err)
	}
	text := code("c1", "ann@x.example", "en")
	text.Via = bot.SMS
	if _, err := m.SendCode(context.Background(), text); kindOf(t, err).Kind != bot.SendPermanent {
		t.Errorf("a text message: got %v", err)
	}
}

func TestOptions(t *testing.T) {
	good := smtp.Options{Host: "mail.contoso.example", From: "help@contoso.example", Phrases: texts}
	if _, err := smtp.New(good); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(o *smtp.Options)
		want   string
	}{
		{"no host", func(o *smtp.Options) { o.Host = "" }, "host"},
		{"no protection on the network", func(o *smtp.Options) { o.TLS = smtp.None }, "loopback"},
		{"a name that looks like loopback", func(o *smtp.Options) { o.TLS, o.Host = smtp.None, "localhost.evil.example" }, "loopback"},
		{"unknown mode", func(o *smtp.Options) { o.TLS = "ssl" }, "starttls"},
		{"port", func(o *smtp.Options) { o.Port = 70000 }, "port"},
		{"user alone", func(o *smtp.Options) { o.User = "bot" }, "both"},
		{"from with a name", func(o *smtp.Options) { o.From = "Help <help@contoso.example>" }, "from"},
		{"from with a new line", func(o *smtp.Options) { o.From = "help@contoso.example\r\n" }, "from"},
		{"from name with a new line", func(o *smtp.Options) { o.FromName = "Help\nBcc: x@y" }, "control"},
		{"reply-to", func(o *smtp.Options) { o.ReplyTo = "nobody" }, "reply-to"},
		{"missing authority", func(o *smtp.Options) { o.CAFile = "/nonexistent/ca.pem" }, "ca file"},
		{"no phrases", func(o *smtp.Options) { o.Phrases = nil }, "phrases"},
		{"negative time", func(o *smtp.Options) { o.Timeout = -1 }, "timeout"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := good
			tt.change(&o)
			if _, err := smtp.New(o); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want one about %q", err, tt.want)
			}
		})
	}
	if s := fmt.Sprintf("%+v", smtp.Options{Password: "hush-hush"}); strings.Contains(s, "hush") {
		t.Errorf("options print the password: %s", s)
	}
}
