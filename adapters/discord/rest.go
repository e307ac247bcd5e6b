package discord

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
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

// agent is the User-Agent, in the form that Discord wants (Reference, User Agent).
const agent = "DiscordBot (https://github.com/bwmarrin/discordgo, v" + discordgo.VERSION + ")"

// do makes a request and gives the body of the answer. Its error is a *refusal.
//
// The library keeps a bucket for each address, that is, for each channel and
// kind of request, and learns its limits from the headers. It would wait for them
// without an end; here a wait is two seconds at most, and the channels do not
// wait for each other. The library's own requests would go to one address for all
// sessions, and tell less of what became of them.
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
	no := new(refusal)
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { no.Reach = true }})
	to := a.api.String() + "/" + version + "/" + strings.TrimPrefix(q.address, discordgo.EndpointAPI)
	r, err := http.NewRequestWithContext(traced, q.method, to, bytes.NewReader(body))
	if err != nil {
		return nil, no
	}
	r.Header.Set("Authorization", "Bot "+string(a.o.Token.One()))
	r.Header.Set("User-Agent", agent)
	if body != nil {
		r.Header.Set("Content-Type", contentType)
	}
	bucket := &discordgo.Bucket{Remaining: 1}
	if q.exempt {
		bucket.Lock()
	} else {
		if err := a.turnOf(ctx, anything); err != nil {
			return nil, err
		}
		key, _, _ := strings.Cut(cmp.Or(q.bucket, q.address), "?")
		if bucket, err = a.lock(ctx, q.method+" "+key); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	w, err := a.client.Do(r)
	if err != nil {
		_ = bucket.Release(nil)
		no.Called = ctx.Err() != nil
		return nil, no
	}
	defer w.Body.Close()
	a.headers(w, bucket, began)
	no.Status = w.StatusCode
	reply, err := io.ReadAll(w.Body)
	switch {
	case err != nil:
	case w.StatusCode == http.StatusOK, w.StatusCode == http.StatusCreated, w.StatusCode == http.StatusNoContent:
		return reply, nil
	default:
		no.read(w.Header, reply)
	}
	if no.Global {
		a.Rates.Hold(ctx, "", no.After)
	}
	return nil, no
}

// dated is the time that the last answer told, and when it was asked for and came.
type dated struct {
	date            string
	asked, answered time.Time
}

// resetAfter tells when a bucket is full again, in whole milliseconds, of which
// the library drops one more at times: it would ask just before the moment, and
// be refused. So these seconds are added.
const (
	resetAfter = "X-RateLimit-Reset-After"
	early      = 0.005
)

// headers takes down what an answer tells of the clock, and of its bucket, which it
// releases. began is when it was asked for.
func (a *Adapter) headers(w *http.Response, bucket *discordgo.Bucket, began time.Time) {
	a.dated.Store(&dated{w.Header.Get("Date"), began, time.Now()})
	if w.StatusCode == http.StatusTooManyRequests { // whoever called is told to wait, and does; the bucket must not wait, too
		_ = bucket.Release(nil)
		return
	}
	h := w.Header
	if after, err := strconv.ParseFloat(h.Get(resetAfter), 64); err == nil {
		h.Set(resetAfter, strconv.FormatFloat(after+early, 'f', 3, 64))
	}
	_ = bucket.Release(h) // fails when a header is odd, which is learnt nothing from
}

// lock waits until a request of a bucket may be made.
func (a *Adapter) lock(ctx context.Context, key string) (*discordgo.Bucket, error) {
	b := a.buckets.GetBucket(key)
	until := time.Now().Add(patience)
	for pause := time.Millisecond; !b.TryLock(); pause = min(2*pause, 50*time.Millisecond) {
		if time.Now().After(until) {
			return nil, &refusal{Status: http.StatusTooManyRequests, After: time.Second}
		}
		if !bot.Sleep(ctx, pause) {
			return nil, &refusal{Called: true}
		}
	}
	wait := a.buckets.GetWaitTime(b, 1)
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
