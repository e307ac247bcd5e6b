package discord

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"fmt"
	"net/url"
	"sync/atomic"

	"github.com/bwmarrin/discordgo"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// An Adapter connects one application of Discord. Make it with New.
type Adapter struct {
	*chat.Base
	o     Options
	api   *url.URL
	key   ed25519.PublicKey // nil: no HTTP
	rest  *discordgo.Session
	roots *x509.CertPool // nil: the system's; tests have their own
	dated atomic.Pointer[dated]

	places  chat.Recent[place]
	doors   chat.Recent[door]
	signs   chat.Signs
	told    chat.Seldom
	run     chat.Runner
	current atomic.Pointer[run] // while it runs

	self atomic.Value // the bot's user id, a string, once the gateway has told it

	waits waits
}

var _ chat.Adapter = (*Adapter)(nil)

// New checks the options and opens no connection.
func New(o Options) (*Adapter, error) {
	api, key, err := o.check()
	if err != nil {
		return nil, err
	}
	a := &Adapter{o: o, api: api, key: key, waits: usual, Base: chat.NewBase(&o.Options, limits, anything, &chat.Pace{Name: "discord", Rate: rateOf}), signs: chat.Signs{Life: standing}}
	a.Trouble.Begin(connection, "not connected yet")
	if a.rest, err = a.session(); err != nil {
		return nil, err
	}
	if o.APIURL != API {
		o.Log.Warn("Discord's API is taken to be elsewhere; this is for tests", "api_url", api.Host)
	}
	return a, nil
}

// What may be in trouble.
const (
	connection = "connection"
	pictures   = "pictures"
)

// conversation is the id of the direct conversation with a person.
func (a *Adapter) conversation(who string) bot.ConversationID {
	return bot.ConversationID(string(a.o.Channel) + "|" + who)
}

// longest is how much of one person may wait. Whoever is faster floods, and the
// house has dropped what they sent before long.
const longest = 1000

// A run is one call of Run.
type run struct {
	ctx    context.Context
	in     bot.Inbox
	queues chat.Queues   // each person's events
	fetch  chan struct{} // how many conversations are fetched at once
}

// Run implements bot.Adapter. It connects again by itself, and returns only
// when ctx ends.
func (a *Adapter) Run(ctx context.Context, in bot.Inbox) error {
	r := &run{ctx: ctx, in: in, fetch: make(chan struct{}, 4)}
	r.queues.Each, r.queues.Failed = longest, func(v any) {
		a.o.Log.Error("an event of Discord could not be handled", "panic", fmt.Sprintf("%T", v))
	}
	a.current.Store(r)
	defer a.current.CompareAndSwap(r, nil)
	_, end, err := a.run.Start(ctx, in)
	if err != nil {
		return fmt.Errorf("discord: %w", err)
	}
	defer end()
	a.supervise(r)
	a.current.CompareAndSwap(r, nil)
	r.queues.Close()
	a.signs.Close()
	a.Trouble.Begin(connection, "stopped")
	return nil
}
