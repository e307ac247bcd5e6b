package discord

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/bwmarrin/discordgo"

	"latchkey/bot"
)

// What is fetched after a connection that could not be resumed, at most.
const (
	fetchConversations = 200
	fetchPages         = 5 // of 100 messages each
)

// catchUp fetches the messages that came while nobody listened: of each
// conversation the ones after the last that was taken in. It stands in each
// person's queue before anything that comes now, so the order is kept; what the
// house has already, it drops by Event.ID.
func (a *Adapter) catchUp(r *run) {
	ctx, cancel := context.WithTimeout(r.ctx, 5*time.Second)
	list, err := a.o.House.Recent(ctx, a.o.Channel, fetchConversations)
	cancel()
	if err != nil {
		if r.ctx.Err() == nil {
			a.o.Log.Error("messages that came meanwhile cannot be fetched yet; tries again", "err", err)
			time.AfterFunc(5*a.waits.again, func() {
				if r.ctx.Err() == nil {
					a.catchUp(r)
				}
			})
		}
		return
	}
	for i := range list {
		c := &list[i]
		at, ok := readAddress(c.Address)
		if !ok || !snowflake(c.User) || c.ID != a.conversation(c.User) {
			continue
		}
		known := a.note(c.User, func(p *place) { p.seen(at.Channel, at.Seen) })
		if known.Seen != "" {
			r.queues.Add(c.User, func() { a.fetch(r, c.User) })
		}
	}
}

// fetch takes in what one person wrote meanwhile. It runs in the person's queue.
func (a *Adapter) fetch(r *run, who string) {
	select {
	case r.fetch <- struct{}{}:
		defer func() { <-r.fetch }()
	case <-r.ctx.Done():
		return
	}
	at := a.place(who)
	after := at.Seen
	for range fetchPages {
		page, full, err := a.messages(r.ctx, at.Channel, after)
		if err != nil {
			if r.ctx.Err() == nil {
				a.o.Log.Warn("messages that came meanwhile cannot be fetched; they come with the next start", "conversation", a.conversation(who), "err", err)
			}
			return
		}
		for _, m := range page {
			if m.personal() && m.Author.ID == who {
				a.message(r, m)
			}
			if r.ctx.Err() != nil {
				return
			}
			after = m.ID
		}
		if !full {
			return
		}
	}
	a.o.Log.Warn("more came meanwhile than is fetched", "conversation", a.conversation(who))
}

// messages reads the messages of a channel after one, oldest first; full: there
// may be more.
// A limit that asks for a longer wait is waited for: nobody else waits here.
func (a *Adapter) messages(ctx context.Context, channel, after string) (page []*incoming, full bool, err error) {
	var body []byte
	for try := 0; ; try++ {
		body, err = a.do(ctx, request{method: http.MethodGet, address: discordgo.EndpointChannelMessages(channel) + "?limit=100&after=" + after})
		if err == nil {
			break
		}
		var no *refusal
		if !errors.As(err, &no) || no.gone() || no.Called || try == 4 || no.Status >= 400 && no.Status < 500 && no.Status != http.StatusTooManyRequests {
			return nil, false, err
		}
		if !bot.Sleep(ctx, min(max(no.After, time.Second), time.Minute)) {
			return nil, false, err
		}
	}
	return decodePage(body)
}

// decodePage reads a list of messages and puts the oldest first. What cannot be
// read is left out.
func decodePage(body []byte) (list []*incoming, full bool, err error) {
	var raws []json.RawMessage
	if err := unmarshal(body, &raws); err != nil {
		return nil, false, err
	}
	for _, raw := range raws {
		if m, err := decodeMessage(raw); err == nil {
			list = append(list, m)
		}
	}
	slices.SortFunc(list, func(a, b *incoming) int {
		switch {
		case later(a.ID, b.ID):
			return 1
		case later(b.ID, a.ID):
			return -1
		}
		return 0
	})
	return list, len(raws) >= 100, nil
}
