package main

import (
	"time"

	"latchkey/adapters/pretend"
	"latchkey/adapters/terminal"
	"latchkey/bot"
)

// phone shows the pretend phone in the terminal. Neither of the two knows the
// other.
type phone struct {
	d    *pretend.Device
	from string // the organisation, as the phone shows the sender
}

func (p phone) Items() []terminal.Item {
	var items []terminal.Item
	for _, it := range p.d.Items() {
		items = append(items, p.item(it))
	}
	return items
}

func (p phone) Watch(fn func(terminal.Item)) (stop func()) {
	return p.d.Watch(func(it pretend.Item) { fn(p.item(it)) })
}

func (p phone) item(it pretend.Item) terminal.Item {
	out := terminal.Item{From: p.from, To: it.To, Subject: it.Subject, Text: it.Body, At: it.At}
	switch it.Kind {
	case pretend.Call:
		out.Kind = terminal.ItemCall
	case pretend.Mail:
		out.Kind = terminal.ItemMail
	}
	return out
}

func (p phone) Codes(at time.Time) []terminal.Code {
	var codes []terminal.Code
	for _, c := range p.d.Codes(at) {
		if c.Older {
			continue
		}
		codes = append(codes, terminal.Code{Name: c.Issuer + ": " + c.Account, Code: c.Code, Left: time.Duration(c.Left) * time.Second})
	}
	return codes
}

func (p phone) Scan(uri bot.Secret) (string, error) {
	if err := p.d.Scan(uri); err != nil {
		return "", err
	}
	if codes := p.d.Codes(time.Now()); len(codes) > 0 {
		return codes[0].Issuer + ": " + codes[0].Account, nil
	}
	return "", nil
}
