package discord

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"latchkey/bot"
)

// giveUp is how long the adapter goes on offering an event to the house.
const giveUp = 10 * time.Minute

// message takes in what somebody wrote. It runs in the person's queue.
func (a *Adapter) message(r *run, m *incoming) {
	who := m.Author.ID
	if m.Content == "" {
		if len(m.Attachments)+len(m.Stickers) > 0 && r.ctx.Err() == nil {
			a.note(who, func(p *place) { p.seen(m.Channel, m.ID) })
			a.direct(r.ctx, m.Channel, "files|"+m.ID, a.o.Say(a.place(who).locale, "chat.no_files"))
		}
		return
	}
	at := a.place(who)
	at.seen(m.Channel, m.ID)
	ok := a.accept(r, bot.Event{ID: m.ID, Kind: bot.Text, Text: m.Content, Address: encode(at.address)}, who, m.Channel)
	if ok {
		a.note(who, func(p *place) { p.seen(m.Channel, m.ID) })
	}
}

// mentioned takes in that somebody mentioned the bot in a server: it answers
// briefly there, and goes on in private. It runs in the person's queue.
func (a *Adapter) mentioned(r *run, m *incoming) {
	who := m.Author.ID
	at, key := a.inPrivate(r.ctx, who, m.ID)
	if at != nil && !a.accept(r, bot.Event{ID: m.ID, Kind: bot.Open, Address: at}, who, "") {
		return
	}
	answer := plain(a.o.Say(a.place(who).locale, key))
	answer.Nonce, answer.Enforce, answer.ReplyTo = nonce("mention|"+m.ID), true, &reference{Message: m.ID}
	if _, err := a.post(r.ctx, m.Channel, answer, nil); err != nil {
		a.o.Log.Info("a mention in a server is answered in private only", "err", err)
	}
}

// inPrivate finds where somebody who did something elsewhere is written to, and the
// phrase that tells them; the address is nil when they cannot be. id is of what they
// did: what comes after it is new.
func (a *Adapter) inPrivate(ctx context.Context, who, id string) (address []byte, phrase string) {
	channel := a.place(who).Channel
	if channel == "" {
		var err error
		if channel, err = a.openChannel(ctx, who); err != nil {
			a.o.Log.Warn("a direct conversation could not be opened", "err", err)
			if classify(err).Kind == bot.SendGone {
				return nil, "chat.dm_closed"
			}
			return nil, "chat.in_channel.ask"
		}
	}
	at := a.note(who, func(pl *place) {
		pl.Channel = channel
		if pl.Seen == "" {
			pl.Seen = id
		}
	})
	return encode(at.address), "chat.in_channel"
}

// mentionPause is how often a mention of the same person is answered.
const mentionPause = time.Minute

// accept gives an event to the house until it is taken in, and reports whether
// it was. ID, Kind, Address and what the kind needs are set. Discord does not
// deliver again, so what the house refuses is tried again here; in channel, where
// there is one, the person sees a typing sign, and is asked for a moment.
func (a *Adapter) accept(r *run, ev bot.Event, who, channel string) bool {
	ev.Channel, ev.Conversation, ev.From = a.o.Channel, a.conversation(who), who
	ev.Locale = a.place(who).locale
	if channel != "" {
		a.signs.Expect(string(ev.Conversation), func() bool {
			err := a.typing(r.ctx, channel)
			if err != nil {
				a.o.Log.Debug("no typing sign", "err", err)
			}
			return err == nil
		}, nil)
	}
	began := time.Now()
	for wait := a.waits.repeat; ; wait = min(2*wait, 10*time.Second) {
		ev.At = a.o.Now()
		err := r.in.Accept(r.ctx, ev)
		switch {
		case err == nil:
			return true
		case r.ctx.Err() != nil:
			return false
		case errors.Is(err, bot.ErrEvent), time.Since(began) > giveUp:
			a.o.Log.Error("an event could not be taken in and is lost", "id", ev.ID, "err", err)
			return false
		}
		a.o.Log.Warn("an event could not be taken in; it is tried again", "id", ev.ID, "err", err)
		if wait == a.waits.repeat && channel != "" {
			a.direct(r.ctx, channel, "wait|"+ev.ID, a.o.Say(ev.Locale, "chat.wait"))
		}
		if !bot.Sleep(r.ctx, wait/2+rand.N(wait/2+1)) {
			return false
		}
	}
}

// direct says something of the adapter's own, once for a key. Failing loses
// nothing.
func (a *Adapter) direct(ctx context.Context, channel, key, text string) {
	m := plain(text)
	m.Nonce, m.Enforce = nonce(key), true
	if _, err := a.post(ctx, channel, m, nil); err != nil {
		a.o.Log.Debug("a word on the side could not be said", "err", err)
	}
}
