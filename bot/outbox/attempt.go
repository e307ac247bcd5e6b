package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/failpoint"
)

// The classes in OutboxRow.Error.
const (
	classRetry     = "retry"
	classThrottled = "throttled"
	classUncertain = "uncertain"
	classContent   = "content" // refused for what it carries
	classPermanent = "permanent"
	classGone      = "gone"
	classExpired   = "expired"
	// classUnreachable: the conversation could not be opened, or the room not
	// written to; with one of bot.Unreachable, or with codeHead.
	classUnreachable = "unreachable"
	// classBehind: a thread waits for the message that it is under.
	classBehind = "behind"
)

// maxPause bounds what a platform may ask for in one go.
const maxPause = 15 * time.Minute

// maxReveals is in how many attempts a revealer, or a linker, may fail before the
// message goes out without what it would have given.
const maxReveals = 3

// result is what came of an attempt.
type result struct {
	status status
	bot.SendError
}

type status uint8

const (
	failed  status = iota // see SendError
	sent                  // delivered, or there is nothing more to do
	late                  // no longer worth an attempt
	stopped               // this process may not send any more: the attempt was not made, or nothing is known of it
	moved                 // the table has it, where it belongs now
	behind                // something else has to be sent before
	stale                 // whether it may still be sent has to be asked again
)

func failure(kind bot.SendErrorKind, err error) result {
	return result{SendError: bot.SendError{Kind: kind, Err: err}}
}

// Key is the delivery key of a row's part, from 0: stable over all attempts. That
// of the first is "CONVERSATION/SEQ", of the second "CONVERSATION/SEQ.2".
func Key(conv bot.ConversationID, seq int64, part int) string {
	k := string(conv) + "/" + strconv.FormatInt(seq, 10)
	if part > 0 {
		k += "." + strconv.Itoa(part+1)
	}
	return k
}

// attempt makes one attempt to send what is left of a row.
func (b *Outbox) attempt(ch *channel, d bot.Delivery, it *item) result {
	if b.tooLate(&it.row) {
		return result{status: late}
	}
	if it.held != 0 && time.Now().UnixNano()-it.held >= int64(heldFor) {
		return result{status: stale}
	}
	b.cut(ch, it)
	for len(it.receipts) < len(it.parts) {
		part := len(it.receipts)
		d.Message = it.parts[part]
		d.Key, d.Seq = Key(d.Conversation, it.row.Seq, part), it.row.Seq
		d.Attempt = it.row.Attempts
		if r, ok := b.fill(ch, &d, it); !ok {
			return r
		}
		receipt, r := b.deliver(ch, d, it)
		if r.status == failed && r.Content && !it.plain && carries(&it.row.Message) {
			// Nothing was sent. The rest of it may go.
			b.log.Warn("a picture is refused; the message goes without it", "channel", ch.id, "conversation", d.Conversation, "seq", it.row.Seq, "code", r.Code, "err", r.Err)
			it.plain = true
			b.cut(ch, it)
			continue
		}
		if r.status != sent {
			return r
		}
		it.receipts = append(it.receipts, receipt.ID)
	}
	return result{status: sent}
}

// cut makes the parts of an item.
func (b *Outbox) cut(ch *channel, it *item) {
	m := it.row.Message
	if it.plain {
		m.Picture = nil
	}
	if it.tells {
		m.Text = b.leftOut(m.Lang) + "\n\n" + m.Text
	}
	it.parts = Degrade(m, ch.adapter.Limits())
}

const (
	leftOutKey  = "outbox.left_out"
	leftOutText = "An earlier message could not be delivered here and was left out."
)

// leftOut tells somebody that a message is missing.
func (b *Outbox) leftOut(lang string) string {
	if b.o.Phrases != nil {
		if s := b.o.Phrases.Phrase(lang, leftOutKey); s != "" && !strings.HasPrefix(s, "<") {
			return s
		}
	}
	return leftOutText
}

// carries reports whether a message has something that can be left away.
func carries(m *bot.Message) bool { return m.Picture != nil || m.Reveal != nil }

// fill adds to a delivery what is made for one attempt only: its page, and what
// it reveals. Not ok: the attempt ends with the result.
func (b *Outbox) fill(ch *channel, d *bot.Delivery, it *item) (_ result, ok bool) {
	d.Revealed, d.Page = nil, ""
	hide := b.o.QRPage && d.Message.Reveal != nil
	if pager, ok := ch.adapter.(bot.Pager); ok {
		var err error
		if d.Page, err = b.page(ch, pager, d, it, hide); err != nil {
			switch {
			case b.ctx.Err() != nil:
				return result{status: stopped}, false
			case it.row.Attempts <= maxReveals:
				return failure(bot.SendRetry, err), false
			}
			b.log.Error("message goes out without its page", "channel", ch.id, "seq", it.row.Seq, "err", err)
		}
	}
	if hide {
		withoutReveal(&d.Message)
	}
	if d.Message.Reveal != nil && !it.row.Keep { // the reader of a kept row resolves its secret on display
		r, err := b.reveal(*d.Message.Reveal)
		switch {
		case err != nil && b.ctx.Err() != nil:
			return result{status: stopped}, false
		case err != nil && !isNotFound(err) && it.row.Attempts <= maxReveals:
			return failure(bot.SendRetry, fmt.Errorf("reveal: %w", err)), false
		case err != nil || r == nil:
			if err != nil && !isNotFound(err) {
				b.log.Error("message goes out without what it reveals", "channel", ch.id, "seq", it.row.Seq, "err", err)
			}
			withoutReveal(&d.Message)
		default:
			d.Revealed = r
			if it.plain {
				bare := *r
				bare.PNG, bare.Rows = nil, nil
				d.Revealed = &bare
			}
		}
	}
	if d.Message.Echo != nil && !it.row.Keep {
		r, err := b.reveal(*d.Message.Echo)
		if err != nil && b.ctx.Err() != nil {
			return result{status: stopped}, false
		}
		if err != nil && !isNotFound(err) {
			b.log.Error("message goes out with a masked number or address", "channel", ch.id, "seq", it.row.Seq, "err", err)
		}
		d.Message.Text = r.Echoed(d.Message.Text)
	}
	return result{}, true
}

// errMayBeOut: a campaign says nothing twice.
var errMayBeOut = errors.New("it may have been sent, and the platform cannot tell; a message of a campaign is not repeated")

// deliver sends one part. One that may have been sent before is looked for
// first, where the platform can tell.
func (b *Outbox) deliver(ch *channel, d bot.Delivery, it *item) (bot.Receipt, result) {
	part := len(it.receipts)
	edits := part < len(it.stands)
	if finder, ok := ch.adapter.(bot.Finder); ok && it.row.Doubt > 0 && !edits {
		receipt, err := b.find(finder, d)
		switch {
		case err == nil:
			return receipt, result{status: sent}
		case isNotFound(err):
		case lasting(err):
			it.blind = true
		default:
			r := b.classify(err)
			if r.Kind == bot.SendUncertain {
				r.Kind = bot.SendRetry // looking changes nothing
			}
			return receipt, r
		}
	}
	if _, finds := ch.adapter.(bot.Finder); it.row.Lane == bot.LaneCampaign && it.row.Doubt > 0 && (!finds || it.blind) {
		return bot.Receipt{}, failure(bot.SendPermanent, errMayBeOut)
	}
	b.mu.Lock()
	alive := b.alive()
	b.mu.Unlock()
	if !alive {
		return bot.Receipt{}, result{status: stopped}
	}
	var receipt bot.Receipt
	var err error
	if edits {
		receipt.ID = it.stands[part]
		err = b.edit(ch, d, receipt.ID)
	} else {
		receipt, err = b.send(ch, d)
	}
	if err != nil {
		return receipt, b.classify(err)
	}
	return receipt, result{status: sent}
}

// find looks for a delivery. A panic of the adapter says nothing.
func (b *Outbox) find(finder bot.Finder, d bot.Delivery) (r bot.Receipt, err error) {
	ctx, cancel := context.WithTimeout(b.ctx, b.o.SendTimeout)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("adapter panicked: %T", v)
		}
	}()
	return finder.Find(ctx, d)
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

func (b *Outbox) classify(err error) result {
	var se *bot.SendError
	if !errors.As(err, &se) {
		se = &bot.SendError{Kind: bot.SendUncertain} // an adapter that does not classify
	}
	r := result{SendError: *se}
	r.Err = err
	if b.ctx.Err() != nil && (se.Kind == bot.SendUncertain || se.Kind == bot.SendRetry) {
		r.status = stopped
	}
	return r
}

// tooLate reports whether a row is not worth an attempt any more.
func (b *Outbox) tooLate(row *bot.OutboxRow) bool { return !b.o.Clock().Before(b.expiry(row)) }

// expiry is when a row is given up.
func (b *Outbox) expiry(row *bot.OutboxRow) time.Time {
	switch {
	case !row.Expires.IsZero():
		return row.Expires
	case row.CreatedAt.IsZero():
		return b.o.Clock().Add(b.o.GiveUp)
	}
	return row.CreatedAt.Add(b.o.GiveUp)
}

// settle decides what follows an attempt. b.mu is held; it was the queue's head.
func (b *Outbox) settle(q *queue, it item, v result) {
	row := &it.row
	row.Receipt = strings.Join(it.receipts, receiptSep)
	if v.status != sent && len(it.receipts) > 0 {
		row.Receipt += receiptSep // more parts follow
	}
	switch {
	case v.status == stopped:
		if v.Kind == bot.SendUncertain && v.Err != nil {
			row.Doubt = max(1, row.Doubt)
		}
		q.items[0] = it
	case v.status == moved:
		q.items = nil
		b.lookSoon()
	case v.status == stale:
		q.items[0] = it
		q.giveBack(time.Time{}, false)
		b.lookSoon()
	case v.status == behind:
		row.Error = classBehind
		q.items[0] = it
		q.giveBack(b.o.Clock().Add(behindWait), true)
	case it.retract != 0:
		if v.status != sent { // the table has it, and it is taken back later
			b.log.Warn("fleeting message cannot be taken back now", "channel", q.ch.id, "err", v.Err)
		}
		q.items = pop(q.items)
	case v.status == sent:
		row.State, row.Due, row.Error = bot.OutboxSent, time.Time{}, ""
		q.items = pop(q.items)
		q.mark(row)
		if it.tells {
			q.told = true
			delete(b.untold, q.conv)
		}
	case v.status == late && strings.HasPrefix(row.Error, classContent):
		b.giveUp(q, it, row.Error, v)
	case v.status == late:
		b.giveUp(q, it, with(classExpired, row.Error), v)
	case v.Kind == bot.SendPermanent:
		b.giveUp(q, it, with(classPermanent, v.Code), v)
	case v.Kind == bot.SendGone:
		class := classGone
		if q.kind != bot.Direct { // nobody has left: an operator has to let the bot in
			class = classUnreachable
		}
		b.giveUpAll(q, it, with(class, v.Code), v)
	default:
		b.again(q, it, v)
	}
}

// again gives the head back to the table until its next attempt, and with it
// what must not go before it. b.mu is held.
func (b *Outbox) again(q *queue, it item, v result) {
	row := &it.row
	class, wait := b.classOf(q, &it, v)
	if class == "" {
		b.giveUp(q, it, with(classUncertain, v.Code), v)
		return
	}
	row.Error = class
	expiry, at := b.expiry(row), b.o.Clock().Add(wait)
	if content := strings.HasPrefix(class, classContent); content && at.After(expiry) {
		at = expiry // then it is set aside
	} else if !content && !at.Before(expiry) {
		b.giveUp(q, it, with(classExpired, class), v)
		return
	}
	level := slog.LevelInfo
	if row.Attempts == 1 && v.Kind != bot.SendThrottled {
		level = slog.LevelWarn
	}
	b.log.Log(b.ctx, level, "message not sent yet", "channel", q.ch.id, "seq", row.Seq, "attempt", row.Attempts, "class", class, "again_in", wait, "err", v.Err)
	if row.Lane.Dialogue() {
		b.released[q.conv] = release{time.Now(), at}
	}
	q.items[0] = it
	q.giveBack(at, true)
}

// classOf is what a failure that is worth another attempt is called, and how long
// to wait. An empty class: nobody sends it any more, and nobody knows.
func (b *Outbox) classOf(q *queue, it *item, v result) (class string, wait time.Duration) {
	row := &it.row
	wait = nth(retryWaits[:], row.Attempts)
	switch {
	case v.Kind == bot.SendThrottled:
		wait = min(max(v.After, time.Second), maxPause)
		if !v.Here && v.Method == "" {
			b.pause(q.ch, time.Now().Add(wait))
		}
		return classThrottled, wait
	case v.Kind == bot.SendUncertain:
		row.Doubt++
		_, finds := q.ch.adapter.(bot.Finder)
		if finds && !it.blind || len(it.stands) > len(it.receipts) || row.Op == bot.OpTakeBack { // done again it changes nothing
			return classUncertain, nth(retryWaits[:], row.Doubt)
		}
		if row.Doubt > len(doubtWaits) || row.Lane == bot.LaneCampaign {
			return "", 0
		}
		return classUncertain, doubtWaits[row.Doubt-1]
	case v.Content:
		if !strings.HasPrefix(row.Error, classContent) {
			if aside := b.o.Clock().Add(asideAfter); aside.Before(b.expiry(row)) {
				row.Expires = aside
			}
		}
		return with(classContent, v.Code), wait
	case row.Doubt > 0:
		return classUncertain, wait
	}
	return classRetry, wait
}

// giveUp ends the head: nobody tries to send it any more. It stays in the list
// for operators. b.mu is held.
func (b *Outbox) giveUp(q *queue, it item, class string, v result) {
	q.items = pop(q.items)
	b.bury(q, &it.row, class, v)
}

// giveUpAll ends everything that is to be sent in a conversation.
func (b *Outbox) giveUpAll(q *queue, it item, class string, v result) {
	items := q.items
	items[0] = it
	q.items = nil
	for i := range items {
		if items[i].retract == 0 {
			b.bury(q, &items[i].row, class, v)
		}
	}
}

// bury notes that a row was given up, and says so.
func (b *Outbox) bury(q *queue, row *bot.OutboxRow, class string, v result) {
	row.State, row.Error = bot.OutboxDead, class
	if row.Doubt > 0 {
		row.State = bot.OutboxUnknown
	}
	// Who is not there cannot be told, and who may have seen it need not be.
	if row.Untold = row.State == bot.OutboxDead && row.Op != bot.OpTakeBack && row.Lane.Dialogue() && v.Kind != bot.SendGone; row.Untold {
		b.untold[q.conv] = struct{}{}
	}
	q.mark(row)
	what := "message given up; it stands in `latchkey outbox list`"
	if row.State == bot.OutboxUnknown {
		what = "message given up, and nobody knows whether it was sent; it stands in `latchkey outbox list`"
	}
	b.log.Warn(what, "channel", q.ch.id, "conversation", q.conv, "seq", row.Seq, "class", class, "attempts", row.Attempts, "err", v.Err)
}

// pop removes the head and lets the array go with the last one.
func pop(items []item) []item {
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
