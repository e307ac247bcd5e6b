package outbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/failpoint"
)

// The classes in OutboxRow.Error. A row that was uncertain once stays so.
const (
	classRetry     = "retry"
	classThrottled = "throttled"
	classUncertain = "uncertain"
	classPermanent = "permanent"
	classGone      = "gone"
	classExpired   = "expired"
	classDropped   = "dropped"
)

// maxPause bounds what a platform may ask for in one go.
const maxPause = 15 * time.Minute

// maxReveals is how often a revealer, or a linker, may fail before the message
// goes out without what it would have given.
const maxReveals = 3

// verdict is what came of an item.
type verdict struct {
	kind  bot.SendErrorKind
	ok    bool // delivered, or there is nothing more to do
	late  bool // no longer worth an attempt
	after time.Duration
	here  bool // throttled: this conversation alone
	code  string
	err   error // for the log
	stop  bool  // the outbox is closing: nothing is known, leave the row as it is
}

// Key is the delivery key of a row's part, from 0: stable over all attempts.
func Key(conv bot.ConversationID, seq int64, part int) string {
	k := string(conv) + "/" + strconv.FormatInt(seq, 10)
	if part > 0 {
		k += "." + strconv.Itoa(part+1)
	}
	return k
}

// attempt makes one attempt to send what is left of a row.
func (b *Outbox) attempt(ch *channel, d bot.Delivery, it *item) verdict {
	if b.tooLate(&it.row) {
		return verdict{late: true}
	}
	if it.parts == nil {
		it.parts = Degrade(it.row.Message, ch.adapter.Limits())
	}
	for ; it.done < len(it.parts); it.done++ {
		d.Message = it.parts[it.done]
		d.Key, d.Seq = Key(d.Conversation, it.row.Seq, it.done), it.row.Seq
		d.Attempt = it.row.Attempts
		d.Revealed, d.Page = nil, ""
		hide := b.o.QRPage && d.Message.Reveal != nil
		if pager, ok := ch.adapter.(bot.Pager); ok {
			var err error
			if d.Page, err = b.page(ch, pager, &d, it, hide); err != nil {
				switch {
				case b.ctx.Err() != nil:
					return verdict{stop: true}
				case it.links < maxReveals:
					it.links++
					return verdict{kind: bot.SendRetry, err: err}
				}
				b.log.Error("message goes out without its page", "channel", ch.id, "seq", it.row.Seq, "err", err)
			}
		}
		if hide {
			withoutReveal(&d.Message)
		}
		if d.Message.Reveal != nil && !it.row.Keep { // who reads kept rows opens secrets when they are looked at
			r, err := b.reveal(*d.Message.Reveal)
			switch {
			case err != nil && b.ctx.Err() != nil:
				return verdict{stop: true}
			case err != nil && !isNotFound(err) && it.reveals < maxReveals:
				it.reveals++
				return verdict{kind: bot.SendRetry, err: fmt.Errorf("reveal: %w", err)}
			case err != nil || r == nil:
				if err != nil && !isNotFound(err) {
					b.log.Error("message goes out without what it reveals", "channel", ch.id, "seq", it.row.Seq, "err", err)
				}
				withoutReveal(&d.Message)
			default:
				d.Revealed = r
			}
		}
		if d.Message.Echo != nil && !it.row.Keep {
			r, err := b.reveal(*d.Message.Echo)
			if err != nil && b.ctx.Err() != nil {
				return verdict{stop: true}
			}
			if err != nil && !isNotFound(err) {
				b.log.Error("message goes out with a masked number or address", "channel", ch.id, "seq", it.row.Seq, "err", err)
			}
			d.Message.Text = r.Echoed(d.Message.Text)
		}
		receipt, err := b.send(ch, d)
		if err != nil {
			return b.classify(err)
		}
		it.receipts = append(it.receipts, receipt.ID)
	}
	return verdict{ok: true}
}

func (b *Outbox) reveal(r bot.Reveal) (out *bot.Revealed, err error) {
	if b.revealer == nil {
		return nil, nil
	}
	defer func() {
		if v := recover(); v != nil {
			out, err = nil, fmt.Errorf("revealer panicked: %T", v)
		}
	}()
	ctx, cancel := context.WithTimeout(b.ctx, b.o.SendTimeout)
	defer cancel()
	return b.revealer(ctx, r)
}

// withoutReveal takes out what a message would have shown of a secret.
func withoutReveal(m *bot.Message) {
	m.Reveal = nil
	if m.Picture != nil && m.Picture.Name == "" {
		m.Picture = nil // the reveal would have made it
	}
}

// page makes the one-time page of a message that should come with one. It must
// when the message has a secret that is shown on a page only. The page knows the
// message as a whole, not the part that is sent now.
func (b *Outbox) page(ch *channel, pager bot.Pager, d *bot.Delivery, it *item, must bool) (address bot.Secret, err error) {
	defer func() {
		if v := recover(); v != nil {
			address, err = "", fmt.Errorf("page: linker or pager panicked: %T", v)
		}
	}()
	if b.o.Linker == nil || !must && !pager.WantsPage(&d.Message) {
		return "", nil
	}
	p := bot.Page{Conversation: d.Conversation, Channel: ch.id, User: d.User, Message: it.row.Message}
	p.Message.Heard = "" // it is about what came before
	ctx, cancel := context.WithTimeout(b.ctx, b.o.SendTimeout)
	defer cancel()
	if address, err = b.o.Linker(ctx, p); err != nil {
		return "", fmt.Errorf("page: %w", err)
	}
	return address, nil
}

// send calls the adapter. A panic of it is an uncertain failure.
func (b *Outbox) send(ch *channel, d bot.Delivery) (r bot.Receipt, err error) {
	ctx, cancel := context.WithTimeout(b.ctx, b.o.SendTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = &bot.SendError{Kind: bot.SendUncertain, Err: fmt.Errorf("adapter panicked: %T", v)}
		}
	}()
	failpoint.Hit(failpoint.SendBefore)
	r, err = ch.adapter.Send(ctx, d)
	if err == nil {
		failpoint.Hit(failpoint.SendAfter)
	}
	return r, err
}

func (b *Outbox) classify(err error) verdict {
	var se *bot.SendError
	if !errors.As(err, &se) {
		se = &bot.SendError{Kind: bot.SendUncertain, Err: err} // an adapter that does not classify
	}
	if b.ctx.Err() != nil && (se.Kind == bot.SendUncertain || se.Kind == bot.SendRetry) {
		return verdict{stop: true}
	}
	return verdict{kind: se.Kind, after: se.After, here: se.Here, code: se.Code, err: err}
}

// tooLate reports whether a row is not worth an attempt any more.
func (b *Outbox) tooLate(row *bot.OutboxRow) bool {
	return !row.CreatedAt.IsZero() && b.o.Clock().Sub(row.CreatedAt) >= b.o.GiveUp
}

// settle decides what follows an attempt. b.mu is held; it was the lane's head.
func (b *Outbox) settle(l *lane, it item, v verdict) {
	row := &it.row
	uncertain := strings.HasPrefix(row.Error, classUncertain)
	switch {
	case v.stop:
		l.items[0] = it
		l.until = time.Now().Add(time.Second)
		return
	case it.retract != 0 && v.ok:
		l.items = drop(l.items)
		return
	case it.retract != 0:
		// The sweep takes back later what cannot be taken back now.
		b.log.Warn("fleeting message cannot be taken back now", "channel", l.ch.id, "err", v.err)
		l.items = drop(l.items)
		return
	case v.ok, v.kind == bot.SendUncertain && uncertain && !v.late:
		row.State, row.NotBefore = bot.OutboxSent, time.Time{}
		row.Receipt = strings.Join(it.receipts, receiptSep)
		if v.ok && !uncertain {
			row.Error = ""
		}
		b.finish(l, row)
		return
	case v.late:
		b.kill(l, row, classExpired)
		return
	case v.kind == bot.SendPermanent:
		b.kill(l, row, with(classPermanent, v.code))
		b.log.Warn("message is dead", "channel", l.ch.id, "conversation", l.conv, "seq", row.Seq, "code", v.code, "err", v.err)
		return
	case v.kind == bot.SendGone:
		b.log.Warn("person cannot be reached here any more", "channel", l.ch.id, "conversation", l.conv, "code", v.code, "err", v.err)
		class := with(classGone, v.code)
		for i := range l.items {
			r := l.items[i].row
			if l.items[i].retract == 0 {
				r.State, r.Error = bot.OutboxDead, class
				l.mark(&r)
			}
		}
		l.items = nil
		return
	}

	// Another attempt. Its number is stored before it is made.
	class, wait := classRetry, time.Second
	switch v.kind {
	case bot.SendThrottled:
		class, wait = classThrottled, min(max(v.after, time.Second), maxPause)
		if !v.here {
			b.pause(l.ch, time.Now().Add(wait))
		}
	case bot.SendUncertain:
		class = classUncertain
	default:
		wait = b.backoff[min(it.fails, len(b.backoff)-1)]
		it.fails++
	}
	if uncertain {
		class = classUncertain
	}
	at := b.o.Clock().Add(wait)
	if !row.CreatedAt.IsZero() && at.Sub(row.CreatedAt) >= b.o.GiveUp {
		b.kill(l, row, with(classExpired, class))
		b.log.Warn("message is dead, no attempt succeeded in time", "channel", l.ch.id, "conversation", l.conv, "seq", row.Seq, "attempts", row.Attempts, "err", v.err)
		return
	}
	b.log.Info("message not sent yet", "channel", l.ch.id, "seq", row.Seq, "attempt", row.Attempts, "class", class, "again_in", wait, "err", v.err)
	row.Attempts++
	row.Error = class
	row.NotBefore = at.Add(b.o.Lease)
	l.items[0] = it
	l.until = time.Now().Add(wait)
	l.mark(row)
}

// finish ends the head row in its final state. b.mu is held.
func (b *Outbox) finish(l *lane, row *bot.OutboxRow) {
	l.items = drop(l.items)
	l.mark(row)
}

func (b *Outbox) kill(l *lane, row *bot.OutboxRow, class string) {
	row.State, row.Error = bot.OutboxDead, class
	b.finish(l, row)
}

// pause stops a whole channel. b.mu is held.
func (b *Outbox) pause(ch *channel, until time.Time) {
	if until.After(ch.paused) {
		ch.paused = until
		b.wait(until, nil, ch)
	}
}

// drop removes the head and lets the array go with the last one.
func drop(items []item) []item {
	items[0] = item{}
	if items = items[1:]; len(items) == 0 {
		return nil
	}
	return items
}

func with(class, code string) string {
	if code == "" {
		return class
	}
	return class + ":" + code
}
