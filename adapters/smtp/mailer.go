package smtp

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
	mailsmtp "github.com/wneessen/go-mail/smtp"

	"latchkey/bot"
)

// A Mailer is a bot.Sender for bot.Mail and a bot.Notifier. It is safe for
// concurrent use; each attempt has its own connection.
type Mailer struct {
	o      Options
	tls    *tls.Config
	domain string // of From, the right side of Message-IDs
}

var (
	_ bot.Sender   = (*Mailer)(nil)
	_ bot.Notifier = (*Mailer)(nil)
	_ bot.Examiner = (*Mailer)(nil)
)

// New makes a Mailer. It connects to nothing; see Examine.
func New(o Options) (*Mailer, error) {
	conf, err := o.complete()
	if err != nil {
		return nil, err
	}
	return &Mailer{o: o, tls: conf, domain: o.From[strings.LastIndexByte(o.From, '@')+1:]}, nil
}

// SendCode makes one attempt to mail a code and fails with *bot.SendError. The
// texts are the phrases mail.code.subject and mail.code.body, filled from the
// facts of the options and from {code}, {minutes} (left to live) and {why}
// (the phrase mail.code.why.<purpose>). The reference is the Message-ID.
func (m *Mailer) SendCode(ctx context.Context, c bot.CodeMessage) (string, error) {
	if c.Via != bot.Mail {
		return "", permanent("", fmt.Errorf("smtp: cannot send by %q; mail only", c.Via))
	}
	left := c.Expires.Sub(m.o.Now())
	if left <= 0 {
		return "", permanent("", errors.New("smtp: the code expired before it was sent; let the person ask for a new one"))
	}
	kv := m.facts(
		"code", string(c.Code),
		"minutes", strconv.Itoa(minutes(left)),
		"why", m.o.Phrases.Phrase(c.Lang, "mail.code.why."+c.Purpose),
	)
	id := m.messageID("code", c.ID)
	err := m.send(ctx, letter{
		id:      id,
		to:      string(c.To),
		lang:    c.Lang,
		subject: m.o.Phrases.Phrase(c.Lang, "mail.code.subject", kv...),
		body:    m.o.Phrases.Phrase(c.Lang, "mail.code.body", kv...),
		strong:  string(c.Code),
	})
	if err != nil {
		return "", err
	}
	return id, nil
}

// SendNotice makes one attempt to mail a notice and fails with *bot.SendError.
func (m *Mailer) SendNotice(ctx context.Context, n bot.NoticeMessage) error {
	return m.send(ctx, letter{
		id:      m.messageID("notice", n.ID),
		to:      n.To,
		name:    n.Name,
		lang:    n.Lang,
		subject: n.Subject,
		body:    n.Body,
		link:    n.Link,
		button:  n.Button,
	})
}

// Examine implements bot.Examiner: it connects, changes to TLS and signs in, and
// sends nothing.
func (m *Mailer) Examine(ctx context.Context) []bot.Finding {
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	f := bot.Finding{What: "mail server", Text: "it takes us"}
	s, err := m.connect(ctx)
	if err != nil {
		f = f.Is(bot.Broken, err.Error(), "see whether it runs, and whether host and port are right and can be reached from here")
		var se *bot.SendError
		if errors.As(err, &se) {
			f.Text, f.Fix = se.Err.Error(), cmp.Or(se.Fix, f.Fix)
		}
		return []bot.Finding{f}
	}
	s.close()
	return []bot.Finding{f}
}

// messageID is the same for every attempt at one message (RFC 5322 3.6.4). The
// ID itself stays inside: only its digest leaves.
func (m *Mailer) messageID(kind, id string) string {
	sum := sha256.Sum256([]byte("latchkey|" + kind + "|" + id))
	return kind + "." + hex.EncodeToString(sum[:16]) + "@" + m.domain
}

func (m *Mailer) facts(more ...string) []string {
	kv := make([]string, 0, 2*len(m.o.Facts)+len(more))
	for _, f := range m.o.Facts {
		kv = append(kv, f.Name, f.Value)
	}
	return append(kv, more...)
}

// minutes rounds to the nearest, so that a code which is good for ten minutes
// says so although some seconds passed on the way, but never to 0.
func minutes(d time.Duration) int { return max(1, int(d.Round(time.Minute)/time.Minute)) }

// send makes one attempt with one letter.
func (m *Mailer) send(ctx context.Context, l letter) error {
	msg, beyond, err := m.compose(l)
	if err != nil {
		return permanent("refused", fmt.Errorf("smtp: compose: %w", err))
	}
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	defer cancel()
	s, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	// Asked for where it is not needed, SMTPUTF8 would keep a letter from
	// mailboxes whose servers lack it.
	s.smtp.SkipSMTPUTF8(!beyond)
	if offered, _ := s.smtp.Extension("SMTPUTF8"); beyond && !offered {
		return m.needUTF8()
	}
	if err := s.client.SendWithSMTPClient(s.smtp, msg); err != nil && !msg.IsDelivered() {
		return m.classify(err, l)
	}
	return nil
}

// A session is one connection that is ready for a message.
type session struct {
	client *gomail.Client
	smtp   *mailsmtp.Client
	conn   net.Conn // the TCP connection below
	stop   func() bool
}

// close says goodbye when the server still listens, and hangs up.
func (s *session) close() {
	_ = s.client.CloseWithSMTPClient(s.smtp)
	s.stop()
	_ = s.conn.Close()
}

// connect dials, changes to TLS and signs in. The end of ctx hangs up, so that
// nothing outlives its caller.
func (m *Mailer) connect(ctx context.Context) (*session, error) {
	outer, s := ctx, &session{}
	opts := []gomail.Option{
		gomail.WithPort(m.o.Port),
		gomail.WithTimeout(m.o.Timeout),
		gomail.WithTLSConfig(m.tls.Clone()),
		gomail.WithoutNoop(),
		gomail.WithoutRset(),
		gomail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			s.conn, s.stop = conn, context.AfterFunc(outer, func() { _ = conn.Close() })
			if m.o.TLS != TLS {
				return conn, nil
			}
			secure := tls.Client(conn, m.tls.Clone())
			if err := secure.HandshakeContext(ctx); err != nil {
				return nil, fmt.Errorf("tls: %w", err)
			}
			return secure, nil
		}),
	}
	if m.o.TLS == StartTLS {
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	} else {
		// The connection is TLS already, or may be none on loopback.
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS))
	}
	if m.o.Hello != "" {
		opts = append(opts, gomail.WithHELO(m.o.Hello))
	}
	if m.o.User != "" {
		opts = append(opts,
			gomail.WithUsername(m.o.User), gomail.WithPassword(string(m.o.Password)),
			// PLAIN and LOGIN refuse to run without TLS, loopback excepted.
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256PLUS, gomail.SMTPAuthSCRAMSHA256,
				gomail.SMTPAuthSCRAMSHA1PLUS, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin))
	}
	client, err := gomail.NewClient(m.o.Host, opts...)
	if err != nil {
		return nil, m.trouble("configure", err)
	}
	s.client = client
	if s.smtp, err = client.DialToSMTPClientWithContext(ctx); err != nil {
		if s.conn != nil { // the library leaves it open
			s.stop()
			_ = s.conn.Close()
		}
		return nil, m.trouble("connect", err)
	}
	return s, nil
}
