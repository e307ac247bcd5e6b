package program

import (
	"latchkey/adapters/localdir"
	"latchkey/adapters/pretend"
	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/cmd/latchkey/demo"
)

// Pretend connects the demo's phone, mailbox and directory.
func Pretend(dir string) Integration {
	return Integration{"pretend", func(p *Program) error {
		d, err := pretend.New(pretend.Options{Demo: true, Dir: dir, From: p.Config.Org.Name, Facts: factList(p.Config), Phrases: p.Scripts, Now: p.DB.Wall})
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

// webPhone shows the pretend phone beside the web chat, with what its owner
// knows by heart. With page, people sign in on a page: nobody types a name or a
// password.
type webPhone struct {
	*pretend.Device
	page bool
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
