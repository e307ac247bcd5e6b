package program

import (
	"time"

	"latchkey/adapters/localdir"
	"latchkey/adapters/pretend"
	"latchkey/adapters/terminal"
	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/cmd/latchkey/demo"
)

// Pretend connects the demo's phone, mailbox and directory.
func Pretend(dir string) Integration {
	return Integration{"pretend", func(p *Program) error {
		d, err := pretend.New(pretend.Options{Demo: true, Dir: dir, Facts: factList(p.Config), Phrases: p.Scripts, Now: p.DB.Wall})
		if err != nil {
			return err
		}
		p.Connections.device = d
		p.Connections.closers = append(p.Connections.closers, d)
		for _, via := range []bot.Via{bot.SMS, bot.Voice, bot.Mail} {
			p.Connections.Senders[via] = d
		}
		p.Connections.Notifier, p.Connections.texter = d, d
		p.Connections.Unhurried = true
		p.Connections.Directory, err = localdir.New(localdir.Options{Demo: true})
		return err
	}}
}

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
	for _, c := range p.codes(at) {
		codes = append(codes, terminal.Code{Name: entry(c), Code: c.Code, Left: time.Duration(c.Left) * time.Second})
	}
	return codes
}

// codes are the entries that no newer one replaces.
func (p phone) codes(at time.Time) []pretend.Code {
	var codes []pretend.Code
	for _, c := range p.d.Codes(at) {
		if !c.Older {
			codes = append(codes, c)
		}
	}
	return codes
}

// entry is what an authenticator app calls an entry.
func entry(c pretend.Code) string { return c.Issuer + ": " + c.Account }

func (p phone) Scan(uri bot.Secret) (string, error) {
	if err := p.d.Scan(uri); err != nil {
		return "", err
	}
	if codes := p.d.Codes(time.Now()); len(codes) > 0 {
		return entry(codes[0]), nil
	}
	return "", nil
}

// webPhone shows the pretend phone beside the web chat, with what its owner
// knows by heart. With page, people sign in on a page: nobody types a name or a
// password.
type webPhone struct {
	phone
	page bool
}

func (p webPhone) Items() []web.Item {
	var items []web.Item
	for _, it := range p.d.Items() {
		items = append(items, p.item(it))
	}
	return items
}

func (p webPhone) Watch(fn func(web.Item)) (stop func()) {
	return p.d.Watch(func(it pretend.Item) { fn(p.item(it)) })
}

func (p webPhone) item(it pretend.Item) web.Item {
	out := web.Item{ID: it.ID, From: p.from, To: it.To, Subject: it.Subject, Text: it.Body, Code: it.Code, Lang: it.Lang, At: it.At}
	switch it.Kind {
	case pretend.Call:
		out.Kind = web.ItemCall
	case pretend.Mail:
		out.Kind = web.ItemMail
	}
	return out
}

func (p webPhone) Codes(at time.Time) []web.Code {
	var codes []web.Code
	for _, c := range p.codes(at) {
		codes = append(codes, web.Code{Name: entry(c), Code: c.Code, Left: time.Duration(c.Left) * time.Second})
	}
	return codes
}

func (p webPhone) People() []web.Pretend {
	if p.page {
		return nil
	}
	var out []web.Pretend
	for _, p := range demo.Staff() {
		out = append(out, web.Pretend{Username: p.Username, Name: p.Name, Lang: p.Lang, Disabled: p.Disabled})
	}
	return out
}

func (webPhone) Number() string { return demo.Number }

func (webPhone) Mailbox() string { return demo.Mailbox }

func (p webPhone) Password() string {
	if p.page {
		return ""
	}
	return string(localdir.DemoPassword)
}
