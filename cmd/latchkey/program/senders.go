package program

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"

	"latchkey/adapters/smtp"
	"latchkey/adapters/twilio"
	"latchkey/bot"
)

func connectSMTP(h *Program) error {
	c := h.Config.SMTP
	if c.Host == "" {
		return nil
	}
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		return fmt.Errorf("from: %w", err)
	}
	o := smtp.Options{
		Host: c.Host, Port: c.Port, TLS: smtp.Mode(c.Security), User: c.Username, Password: c.Password, CAFile: c.CAFile,
		From: from.Address, FromName: from.Name, Timeout: c.Timeout, Facts: factList(h.Config), Phrases: h.Scripts,
		Log: h.Log.With("adapter", "smtp"),
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
	h.Connections.Senders[bot.Mail], h.Connections.Notifier = m, m
	h.Connections.examined = append(h.Connections.examined, m)
	return nil
}

func connectTwilio(h *Program) error {
	c := h.Config.Twilio
	if c.AccountSID == "" {
		return nil
	}
	t, err := twilio.New(twilio.Options{
		BaseURL: c.BaseURL, AccountSID: c.AccountSID, AuthToken: c.AuthToken, From: c.From,
		MessagingServiceSID: c.MessagingService, VoiceFrom: c.VoiceFrom, DiscardContent: c.DiscardContent,
		PublicURL: h.Config.HTTP.PublicURL, Vault: h.Keys, Timeout: c.Timeout, Facts: factList(h.Config), Phrases: h.Scripts,
		Log: h.Log.With("adapter", "twilio"),
	})
	if err != nil {
		return err
	}
	h.Connections.Senders[bot.SMS], h.Connections.Senders[bot.Voice], h.Connections.texter = t, t, t
	h.Connections.examined = append(h.Connections.examined, t)
	h.Connections.pages = append(h.Connections.pages,
		page{twilio.StatusPath, t.Handler(func(ctx context.Context, ref, status, code string) error {
			state, reason, fix := twilio.Outcome(status, code)
			if state == bot.SendQueued {
				return nil
			}
			h.heard(ref, state, fix)
			return h.Verify.HandleStatus(ctx, ref, state, reason)
		})},
		page{twilio.VoicePath, t.VoicePage(func(ctx context.Context, id string) (bot.Secret, string, error) {
			return h.Verify.CodeOf(ctx, id)
		})})
	return nil
}

// heard notes what Twilio says of a text or a call that it had taken. Its SID
// begins with CA for a call.
func (h *Program) heard(ref string, state bot.SendState, fix string) {
	via := bot.SMS
	if strings.HasPrefix(ref, "CA") {
		via = bot.Voice
	}
	switch {
	case state == bot.SendDelivered:
		h.watch.Told(via, nil)
	case fix != "":
		h.watch.Told(via, &bot.SendError{Kind: bot.SendPermanent, Fix: fix, Err: errors.New("twilio: taken, and refused later")})
	}
}

// watchSenders has every sender watched, whoever uses it.
func (h *Program) watchSenders() {
	o := &h.Connections
	for via, s := range o.Senders {
		o.Senders[via] = h.watch.Sender(s)
	}
	if o.Notifier != nil {
		o.Notifier = h.watch.Notifier(o.Notifier)
	}
	if o.texter != nil {
		o.texter = h.watch.Texter(o.texter)
	}
}
