package smtp

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/textproto"
	"os"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"latchkey/bot"
)

func permanent(code string, err error) *bot.SendError {
	return &bot.SendError{Kind: bot.SendPermanent, Code: code, Err: err}
}

// trouble is a failure before any recipient was named: nothing was sent.
func (m *Mailer) trouble(doing string, err error) *bot.SendError {
	code := replyCode(err)
	hint := ""
	switch {
	case certificate(err):
		hint = "the server's certificate is not trusted; check host and ca_file"
	case strings.Contains(err.Error(), "AUTH") || code == 530 || code == 534 || code == 535 || code == 538:
		if code < 400 || code >= 500 {
			hint = "signing in failed; check user and password"
		}
	case strings.Contains(err.Error(), "STARTTLS"):
		hint = "the server does not offer STARTTLS; use tls: tls, or another port"
	case code >= 500:
		hint = "the server does not want us; ask its operator"
	}
	text := m.scrub(err.Error())
	return &bot.SendError{Kind: bot.SendRetry, Fix: hint, Err: fmt.Errorf("smtp: %s to %s:%d: %s", doing, m.o.Host, m.o.Port, text)}
}

// classify says what became of a message that the server did not confirm. The
// server's own words are left out: they repeat the address.
func (m *Mailer) classify(err error, l letter) *bot.SendError {
	var se *gomail.SendError
	if !errors.As(err, &se) {
		return &bot.SendError{Kind: bot.SendUncertain, Err: errors.New("smtp: send failed in an unknown way")}
	}
	code := se.ErrorCode()
	what := fmt.Errorf("smtp: %s: reply %d %s (%s)", se.Reason, code, se.EnhancedStatusCode(), cause(err))
	switch {
	case code >= 400 && code < 500:
		return &bot.SendError{Kind: bot.SendRetry, Err: what}
	case se.Reason == gomail.ErrSMTPDataClose && code < 500:
		// The final dot may have arrived, the answer did not.
		return &bot.SendError{Kind: bot.SendUncertain, Err: what}
	case code >= 500 && se.Reason == gomail.ErrSMTPMailFrom:
		return &bot.SendError{Kind: bot.SendRetry, Fix: "the server refuses the from address for this user; check from and user", Err: what}
	case code >= 500:
		return permanent("refused", what)
	case se.Reason == gomail.ErrGetSender || se.Reason == gomail.ErrGetRcpts || se.Reason == gomail.ErrNoUnencoded:
		return permanent("refused", what)
	}
	return &bot.SendError{Kind: bot.SendRetry, Err: what}
}

// cause names the sort of a failure in our words.
func cause(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), strings.Contains(err.Error(), "i/o timeout"):
		return "timed out"
	case replyCode(err) != 0:
		return "answered"
	}
	return "connection lost or answered"
}

// replyCode is the SMTP reply code inside err, or 0.
func replyCode(err error) int {
	var te *textproto.Error
	if errors.As(err, &te) {
		return te.Code
	}
	return 0
}

// certificate reports whether err says that the server is not who we expect.
func certificate(err error) bool {
	var a x509.UnknownAuthorityError
	var h x509.HostnameError
	var i x509.CertificateInvalidError
	return errors.As(err, &a) || errors.As(err, &h) || errors.As(err, &i)
}

// scrub takes our own secret out of what a server or a library said.
func (m *Mailer) scrub(s string) string {
	if p := string(m.o.Password); p != "" {
		s = strings.ReplaceAll(s, p, "[redacted]")
	}
	return oneLine(s)
}
