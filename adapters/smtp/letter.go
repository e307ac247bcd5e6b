package smtp

import (
	"html"
	"net/mail"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// A letter is a mail before it is composed.
type letter struct {
	id      string // Message-ID without brackets
	to      string // its domain may be internationalised: compose writes it as it goes out
	name    string // of the recipient, as shown; may be empty
	lang    string
	subject string
	body    string // plain text, lines end with \n
	strong  string // part of the body that the HTML part sets in bold
	link    string // address in the body that the HTML part shows as a button
	button  string // what it says
}

// compose builds the message: plain text, and the same as plain HTML. Every
// header value is one line; the address is a bare address.
//
// beyond reports that the letter needs a server with SMTPUTF8.
func (m *Mailer) compose(l letter) (msg *gomail.Msg, beyond bool, err error) {
	if err := checkAddress(l.to); err != nil {
		return nil, false, err
	}
	to, beyond, err := wire(l.to)
	if err != nil {
		return nil, false, err
	}
	msg = gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	// Addresses as values: the library's text forms would parse what a name holds.
	msg.SetAddrHeaderFromMailAddress(gomail.HeaderFrom, &mail.Address{Name: m.o.FromName, Address: m.o.From})
	msg.SetAddrHeaderFromMailAddress(gomail.HeaderTo, &mail.Address{Name: oneLine(l.name), Address: to})
	if m.o.ReplyTo != "" {
		msg.SetAddrHeaderFromMailAddress(gomail.HeaderReplyTo, &mail.Address{Address: m.o.ReplyTo})
	}
	msg.Subject(oneLine(l.subject))
	msg.SetDateWithValue(m.o.Now())
	msg.SetMessageIDWithValue(l.id)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")  // Exchange
	if lang := oneLine(l.lang); lang != "" {
		msg.SetGenHeader("Content-Language", lang)
	}
	text := strings.ReplaceAll(l.body, "\r\n", "\n")
	msg.SetBodyString(gomail.TypeTextPlain, text)
	msg.AddAlternativeString(gomail.TypeTextHTML, page(l, text))
	return msg, beyond || !ascii(m.o.From) || !ascii(m.o.ReplyTo), nil
}

// page is text as the least HTML that reads well: no picture, nothing to load,
// and no link but the one of the letter.
func page(l letter, text string) string {
	body := html.EscapeString(strings.TrimSpace(text))
	if l.strong != "" {
		s := html.EscapeString(l.strong)
		body = strings.ReplaceAll(body, s, `<strong style="font-size:1.5em;letter-spacing:.1em">`+s+`</strong>`)
	}
	if l.link != "" {
		s := html.EscapeString(l.link)
		body = strings.ReplaceAll(body, s, `<a href="`+s+`" style="display:inline-block;padding:.6em 1em;border:1px solid;font-weight:bold">`+html.EscapeString(oneLine(l.button))+`</a>`)
	}
	body = strings.ReplaceAll(body, "\n\n", "</p>\n<p>")
	body = strings.ReplaceAll(body, "\n", "<br>\n")
	body = strings.ReplaceAll(body, "</p><br>\n<p>", "</p>\n<p>")
	return "<!doctype html>\n<html lang=\"" + html.EscapeString(oneLine(l.lang)) + "\"><head><meta charset=\"utf-8\"><title></title></head>\n" +
		"<body style=\"font-family:sans-serif;line-height:1.5\">\n<p>" + body + "</p>\n</body></html>\n"
}
