package program

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"latchkey/adapters/smtp"
	"latchkey/adapters/twilio"
	"latchkey/adapters/webhook"
	"latchkey/adapters/zammad"
	"latchkey/bot"
)

func connectSMTP(p *Program) error {
	c := p.Config.SMTP
	if c.Host == "" {
		return nil
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return fmt.Errorf("from: %w", err)
	}
	o := smtp.Options{
		Host: c.Host, Port: c.Port, TLS: smtp.Mode(c.Security), User: c.Username, Password: c.Password, CAFile: c.CAFile,
		From: from.Address, FromName: from.Name, Timeout: c.Timeout, Facts: factList(p.Config), Phrases: p.Scripts,
		Log: p.Log.With("adapter", "smtp"),
	}
	if c.ReplyTo != "" {
		to, err := mail.ParseAddress(c.ReplyTo)
		if err != nil {
			return fmt.Errorf("reply_to: %w", err)
		}
		o.ReplyTo = to.Address
	}
	m, err := smtp.New(o)
	if err != nil {
		return err
	}
	p.Connections.Senders[bot.Mail], p.Connections.Notifier = m, m
	p.Connections.examined = append(p.Connections.examined, m)
	return nil
}

func connectTwilio(p *Program) error {
	c := p.Config.Twilio
	if c.AccountSID == "" {
		return nil
	}
	t, err := twilio.New(twilio.Options{
		BaseURL: c.BaseURL, AccountSID: c.AccountSID, AuthToken: c.AuthToken, From: c.From,
		MessagingServiceSID: c.MessagingService, VoiceFrom: c.VoiceFrom, DiscardContent: c.DiscardContent,
		PublicURL: p.Config.HTTP.PublicURL, Vault: p.Keys, Timeout: c.Timeout, Facts: factList(p.Config), Phrases: p.Scripts,
		Log: p.Log.With("adapter", "twilio"),
	})
	if err != nil {
		return err
	}
	p.Connections.Senders[bot.SMS], p.Connections.Senders[bot.Voice], p.Connections.texter = t, t, t
	p.Connections.examined = append(p.Connections.examined, t)
	p.Connections.pages = append(p.Connections.pages,
		page{twilio.StatusPath, t.Handler(func(ctx context.Context, ref, status, code string) error {
			state, reason, fix := twilio.Outcome(status, code)
			if state == bot.SendQueued {
				return nil
			}
			p.noteDelivery(ref, state, fix)
			return p.Verify.HandleStatus(ctx, ref, state, reason)
		})},
		page{twilio.VoicePath, t.VoicePage(func(ctx context.Context, id string) (bot.Secret, string, error) {
			return p.Verify.CodeOf(ctx, id)
		})})
	return nil
}

func connectWebhook(p *Program) error {
	c := p.Config.Desk.Webhook
	if c.URL == "" {
		return nil
	}
	w, err := webhook.New(webhook.Options{URL: c.URL, Secret: c.Secret, Previous: c.Previous, CAFile: c.CAFile, Timeout: c.Timeout, Link: deskLink(p.Config)})
	if err != nil {
		return err
	}
	if c.Back != "" {
		back, err := webhook.Back(c.Back, func(ctx context.Context, a bot.DeskAct) error { return p.Desk.Do(ctx, a) })
		if err != nil {
			return err
		}
		p.Connections.pages = append(p.Connections.pages, page{webhook.BackPath, back})
	}
	p.Connections.outside = w
	p.Connections.examined = append(p.Connections.examined, w)
	return nil
}

func connectZammad(p *Program) error {
	c := p.Config.Desk.Zammad
	if c.URL == "" {
		return nil
	}
	z, err := zammad.New(zammad.Options{URL: c.URL, Token: c.Token, Group: c.Group, CAFile: c.CAFile, Timeout: c.Timeout, Link: deskLink(p.Config)})
	if err != nil {
		return err
	}
	if c.Hook != "" {
		p.Connections.pages = append(p.Connections.pages, page{zammad.BackPath, z.Back(c.Hook, func(ctx context.Context, cs ...bot.OutsideChange) error {
			return p.Desk.ChangedThere(ctx, cs...)
		})})
	}
	p.Connections.outside = z
	p.Connections.examined = append(p.Connections.examined, z)
	return nil
}

// noteDelivery notes what Twilio says of a text or a call that it had taken. Its SID
// begins with CA for a call.
func (p *Program) noteDelivery(ref string, state bot.SendState, fix string) {
	via := bot.SMS
	if strings.HasPrefix(ref, "CA") {
		via = bot.Voice
	}
	switch {
	case state == bot.SendDelivered:
		p.watch.Told(via, nil)
	case fix != "":
		p.watch.Told(via, &bot.SendError{Kind: bot.SendPermanent, Fix: fix, Err: errors.New("twilio: taken, and refused later")})
	}
}

// watchSenders has every sender watched, whoever uses it.
func (p *Program) watchSenders() {
	o := &p.Connections
	for via, s := range o.Senders {
		o.Senders[via] = p.watch.Sender(s)
	}
	if o.Notifier != nil {
		o.Notifier = p.watch.Notifier(o.Notifier)
	}
	if o.texter != nil {
		o.texter = p.watch.Texter(o.texter)
	}
	if o.outside != nil {
		o.outside = p.watch.OutsideDesk(o.outside)
	}
}
