package discord

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

const (
	// patience is how long a request waits here for its turn.
	patience = chat.Longest
	// deadline of a request, with the wait.
	deadline = 9 * time.Second
)

// What the bot counts itself; the library keeps the rest.
const (
	anything = "any"  // its requests (Rate Limits, Global)
	opening  = "open" // direct message channels that it makes
)

// rateOf is the rate of a bot as a whole. Discord asks to open direct messages
// slowly, and only to people who did something.
func rateOf(method string) bot.Rate {
	if method == opening {
		return bot.Rate{PerSecond: 1, Burst: 5}
	}
	return bot.Rate{PerSecond: 50, Burst: 50}
}

// A request to Discord.
type request struct {
	method, address string          // address is one of the library's
	bucket          string          // its address without what has no limit of its own; "": address
	body            []byte          // JSON, or nil
	file            *discordgo.File // a picture that body tells of, or nil
	// exempt: answers to interactions have a limit of their own, and each is the
	// only one of its address.
	exempt bool
}

// do makes a request and gives the body of the answer. Its error is a *refusal.
//
// The library keeps a bucket for each address, that is, for each channel and
// kind of request, and learns its limits from the headers. It waits for them
// without an end; here a wait is two seconds at most, and the channels do not
// wait for each other.
func (a *Adapter) do(ctx context.Context, q request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	contentType, body := "application/json", q.body
	if q.file != nil { // Reference, Uploading Files
		var err error
		contentType, body, err = discordgo.MultipartBodyWithJSON(json.RawMessage(q.body), []*discordgo.File{q.file})
		if err != nil {
			return nil, &refusal{Err: err}
		}
	}
	bucket := &discordgo.Bucket{Remaining: 1}
	if q.exempt {
		bucket.Lock()
	} else {
		if err := a.turnOf(ctx, anything); err != nil {
			return nil, err
		}
		var err error
		key, _, _ := strings.Cut(cmp.Or(q.bucket, q.address), "?")
		if bucket, err = a.lock(ctx, q.method+" "+key); err != nil {
			return nil, err
		}
	}
	ctx, n := noted(ctx)
	reply, err := a.rest.RequestWithLockedBucket(q.method, q.address, contentType, body, bucket, 0,
		discordgo.WithContext(ctx), discordgo.WithRetryOnRatelimit(false), discordgo.WithRestRetries(0))
	if err == nil {
		return reply, nil
	}
	r := refused(ctx, n, err)
	if r.Global {
		a.Rates.Hold(ctx, "", r.After)
	}
	return nil, r
}

// lock waits until a request of a bucket may be made.
func (a *Adapter) lock(ctx context.Context, key string) (*discordgo.Bucket, error) {
	b := a.rest.Ratelimiter.GetBucket(key)
	until := time.Now().Add(patience)
	for pause := time.Millisecond; !b.TryLock(); pause = min(2*pause, 50*time.Millisecond) {
		if time.Now().After(until) {
			return nil, &refusal{Status: http.StatusTooManyRequests, After: time.Second}
		}
		if !bot.Sleep(ctx, pause) {
			return nil, &refusal{Called: true}
		}
	}
	wait := a.rest.Ratelimiter.GetWaitTime(b, 1)
	switch {
	case wait > patience:
		b.Unlock()
		return nil, &refusal{Status: http.StatusTooManyRequests, After: wait}
	case wait > 0 && !bot.Sleep(ctx, wait):
		b.Unlock()
		return nil, &refusal{Called: true}
	}
	b.Remaining--
	return b, nil
}

// turnOf takes a call of a method from its budget. Its error is a *refusal.
func (a *Adapter) turnOf(ctx context.Context, method string) error {
	switch err := a.Rates.Turn(ctx, time.Now(), method, ""); {
	case err == nil:
		return nil
	case err.Kind == bot.SendThrottled:
		return &refusal{Status: http.StatusTooManyRequests, After: err.After, Global: true}
	case ctx.Err() != nil:
		return &refusal{Called: true}
	default:
		return &refusal{Err: errors.Unwrap(err.Err)}
	}
}

// refused says what an error of the library is. The library's own text is never
// passed on: it has the address in it, and sometimes a token.
func refused(ctx context.Context, n *note, err error) *refusal {
	r := &refusal{Status: n.status, Reach: n.reach}
	var limited *discordgo.RateLimitError
	var rest *discordgo.RESTError
	switch {
	case errors.As(err, &limited) && limited.RateLimit != nil && limited.TooManyRequests != nil:
		r.After = limited.RetryAfter
	case errors.As(err, &rest):
		if rest.Message != nil {
			r.Code = rest.Message.Code
		}
	}
	if n.status == 0 {
		r.Called = ctx.Err() != nil
	}
	if n.status == http.StatusTooManyRequests {
		r.Global = n.header.Get("X-RateLimit-Global") != "" || n.header.Get("X-RateLimit-Scope") == "global"
		if s, err := strconv.ParseFloat(n.header.Get("Retry-After"), 64); err == nil && s < 1e6 {
			r.After = max(r.After, time.Duration(s*float64(time.Second)))
		}
		if r.After <= 0 {
			r.After = time.Second
		}
	}
	return r
}
