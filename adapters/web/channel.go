package web

import (
	"context"
	"strconv"
	"time"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

var _ bot.Opener = (*Adapter)(nil)

// Run implements bot.Adapter. What people do comes in by Handler; Run only
// tells the event streams what happened elsewhere, and ends them when ctx ends,
// so that the server's graceful stop has nothing to wait for.
func (a *Adapter) Run(ctx context.Context, _ bot.Inbox) error {
	defer a.hub.close()
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		if err := a.look(ctx); err != nil && ctx.Err() == nil {
			a.o.Log.Error("open chats cannot be told of new messages, and of sessions that were ended; tries again", "err", err)
		}
	}
}

// look tells the open chats what happened elsewhere.
func (a *Adapter) look(ctx context.Context) error {
	if a.hub.streams() == 0 {
		return nil
	}
	mark, err := a.o.Passes.Ended(ctx)
	if err != nil {
		return err
	}
	a.hub.ended(mark)
	if !a.o.Shared {
		return nil
	}
	return a.hub.poll(ctx, a.o.House.Heads)
}

// Send implements bot.Adapter. The row is the message: browsers that look at
// the conversation read it now, the others when they come back.
func (a *Adapter) Send(_ context.Context, d bot.Delivery) (bot.Receipt, error) {
	a.hub.said(d.Conversation)
	return bot.Receipt{ID: strconv.FormatInt(d.Seq, 10)}, nil
}

// Said implements bot.Watched: another process has said something.
func (a *Adapter) Said(conv bot.ConversationID) { a.hub.said(conv) }

// Open implements bot.Opener: a page cannot be opened for anybody.
func (a *Adapter) Open(context.Context, bot.Recipient) (bot.Opened, error) {
	return bot.Opened{}, chat.NotReached("web", bot.WhyNoPush, "people open the chat themselves; nobody can be written to there first, so use another channel or mail")
}

// Delete implements bot.Deleter: what a message shows is taken off the screens.
func (a *Adapter) Delete(_ context.Context, d bot.Delivery, receipt string) error {
	if seq, err := strconv.ParseInt(receipt, 10, 64); err == nil {
		a.hub.gone(d.Conversation, seq)
	}
	return nil
}
