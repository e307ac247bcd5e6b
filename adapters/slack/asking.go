package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"latchkey/bot"
)

// How people are looked up. One question for each (users.info) is fine while they
// are few; when a whole school writes at once, the list of all members
// (users.list) tells hundreds in one answer.
const (
	askAtOnce = 8   // questions under way
	askMany   = 12  // unknown people from which on the list is read, too
	listPage  = 500 // members in one answer; Slack takes up to 1,000

	// askSlow is how long somebody waits behind questions that are not answered
	// until the list is read for them, too, however few they are.
	askSlow = time.Second
)

// asking is who is being looked up.
type asking struct {
	mu      sync.Mutex
	wanted  map[string]*question // by user
	queue   []*question          // not asked yet, in the order in which they came
	workers int
	listing bool
}

// A question is about one user. Whoever waits reads its outcome when done is closed.
type question struct {
	user   string
	at     time.Time
	listed bool // the list did not have them
	over   bool // answered; asking.mu
	done   chan struct{}
	p      profile
	err    *bot.SendError
}

// lookUp asks Slack about a user and waits for the answer. Many may ask about the
// same one.
func (a *Adapter) lookUp(ctx context.Context, user string) (profile, *bot.SendError) {
	k := &a.asking
	k.mu.Lock()
	if p, ok := a.fresh(user); ok { // the list has just told
		k.mu.Unlock()
		return p, nil
	}
	q := k.wanted[user]
	if q == nil {
		q = &question{user: user, at: time.Now(), done: make(chan struct{})}
		if k.wanted == nil {
			k.wanted = map[string]*question{}
		}
		k.wanted[user] = q
		k.queue = append(k.queue, q)
		a.askMore()
		if k.workers == askAtOnce {
			time.AfterFunc(askSlow, func() {
				k.mu.Lock()
				defer k.mu.Unlock()
				a.askMore()
			})
		}
	}
	k.mu.Unlock()
	select {
	case <-q.done:
		return q.p, q.err
	case <-ctx.Done():
		return profile{}, &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("slack: who somebody is: %w", ctx.Err())}
	}
}

// askMore sees to it that somebody asks. k.mu is held.
func (a *Adapter) askMore() {
	k := &a.asking
	if len(k.queue) > 0 && k.workers < askAtOnce {
		if ctx, _, ok := a.run.Begin(); ok {
			k.workers++
			go func() {
				defer a.run.Done()
				a.askEach(ctx)
			}()
		} else {
			for _, q := range k.queue {
				k.answer(q, profile{}, &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("slack: %w", errShut)})
			}
			k.queue = nil
		}
	}
	unlisted, slow := 0, false
	for _, q := range k.queue {
		if !q.listed && !q.over { // those that are answered leave the queue later
			unlisted++
			slow = slow || time.Since(q.at) >= askSlow
		}
	}
	if (slow || unlisted >= askMany) && !k.listing {
		if ctx, _, ok := a.run.Begin(); ok {
			k.listing = true
			go func() {
				defer a.run.Done()
				a.askList(ctx)
			}()
		}
	}
}

// answer gives a question its outcome. k.mu is held.
func (k *asking) answer(q *question, p profile, err *bot.SendError) {
	if q.over {
		return
	}
	q.over, q.p, q.err = true, p, err
	delete(k.wanted, q.user)
	close(q.done)
}

// askEach asks about one after the other until nobody is left. What Slack does
// not take now is asked again when it does.
func (a *Adapter) askEach(ctx context.Context) {
	k := &a.asking
	for {
		k.mu.Lock()
		for len(k.queue) > 0 && k.queue[0].over {
			k.queue = k.queue[1:]
		}
		if len(k.queue) == 0 {
			k.workers--
			k.mu.Unlock()
			return
		}
		q := k.queue[0]
		k.queue = k.queue[1:]
		a.askMore()
		k.mu.Unlock()
		p, err := a.askOne(ctx, q)
		if err != nil && err.Kind == bot.SendThrottled && ctx.Err() == nil {
			k.mu.Lock()
			k.queue = slices.Insert(k.queue, 0, q)
			k.mu.Unlock()
			bot.Sleep(ctx, min(max(err.After, 100*time.Millisecond), time.Minute))
			continue
		}
		k.mu.Lock()
		k.answer(q, p, err)
		k.mu.Unlock()
	}
}

// askOne asks about one user (https://docs.slack.dev/reference/methods/users.info).
func (a *Adapter) askOne(ctx context.Context, q *question) (profile, *bot.SendError) {
	u, err := a.look(ctx, "users.info", url.Values{"user": {q.user}})
	switch {
	case err != nil && err.Kind == bot.SendGone: // no such user: nobody to answer to
		return a.know(profile{standing: machine}, q.user), nil
	case err != nil:
		return profile{}, err
	}
	return a.know(a.profileOf(u, q.user), q.user), nil
}

// know remembers what Slack has just said of somebody.
func (a *Adapter) know(p profile, user string) profile {
	p.at = a.o.Now()
	a.people.Set(user, p)
	return p
}

// askList reads the list of all members, page by page, until nobody is wanted any
// more (https://docs.slack.dev/reference/methods/users.list).
func (a *Adapter) askList(ctx context.Context) {
	k := &a.asking
	k.mu.Lock()
	wanted := make([]*question, 0, len(k.wanted))
	for _, q := range k.wanted {
		wanted = append(wanted, q)
	}
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.listing = false
		for _, q := range wanted { // the list does not have them, or cannot be had
			q.listed = true
		}
		a.askMore() // for those who have come meanwhile
	}()
	for cursor := ""; ; {
		var page struct {
			Members []json.RawMessage `json:"members"`
			Meta    struct {
				Cursor string `json:"next_cursor"`
			} `json:"response_metadata"`
		}
		err := a.get(ctx, "users.list", url.Values{"limit": {strconv.Itoa(listPage)}, "cursor": {cursor}, "include_locale": {"true"}}, &page)
		switch {
		case err == nil:
		case err.Kind == bot.SendThrottled && bot.Sleep(ctx, min(max(err.After, 100*time.Millisecond), time.Minute)):
			continue
		default:
			a.o.Log.Warn("slack: the list of members is not read; people are looked up one by one", "err", err)
			return
		}
		left := a.tellAll(page.Members)
		if cursor = page.Meta.Cursor; cursor == "" || left == 0 || ctx.Err() != nil {
			return
		}
	}
}

// tellAll takes down who stands in a page of the list, and returns how many
// people are wanted still.
func (a *Adapter) tellAll(members []json.RawMessage) (left int) {
	k := &a.asking
	for _, raw := range members {
		var u account
		if json.Unmarshal(raw, &u) != nil || !userID.MatchString(u.ID) {
			continue
		}
		p := a.know(a.profileOf(&u, u.ID), u.ID)
		k.mu.Lock()
		if q := k.wanted[u.ID]; q != nil {
			k.answer(q, p, nil)
		}
		k.mu.Unlock()
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.wanted)
}
