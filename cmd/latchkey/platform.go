package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
	"latchkey/flows/raster"
)

// A platform is a chat platform as the commands know it. Each has a file of its
// own here, which turns the configuration into the adapter's options.
type platform struct {
	name string
	// plug connects every account that is configured; see mount.
	plug func(h *house) error
	// manifest makes what the platform wants to know of the app, for an
	// account that may not be in the configuration yet.
	manifest func(c *config.Config, account string) (*appFile, error)
}

// platforms lists the chat platforms. One more is one line here.
func platforms() []platform {
	return []platform{
		{"slack", plugSlack, slackManifest},
		{"teams", plugTeams, teamsManifest},
		{"discord", plugDiscord, discordManifest},
	}
}

// An appFile describes the app to a platform.
type appFile struct {
	name  string // of the file, for example "manifest.json"
	body  []byte
	notes string // for the person who uploads it: where, which scopes, what next
}

// mount adds the adapter of an account as a channel, and what the platform
// calls under http.public_url.
func (h *house) mount(a config.Account, adapter bot.Adapter) {
	h.outside.addChannel(adapter)
	if w, ok := adapter.(interface{ Handler() http.Handler }); ok {
		h.outside.pages = append(h.outside.pages, page{a.HookPath(), w.Handler()})
	}
}

// secrets gives an adapter the values of a secret that are good now: pick finds
// them in the configuration, which SIGHUP reads anew.
func (h *house) secrets(pick func(*config.Config) []bot.Secret) bot.Secrets {
	return func() []bot.Secret {
		c := h.current.Load()
		if c == nil {
			c = h.cfg
		}
		return pick(c)
	}
}

// reread takes over the secrets of the accounts, and nothing else, from the
// configuration as it is now. A mistake in it changes nothing.
func (h *house) reread() {
	if !h.cfg.Chats() || h.cfg.File == "" {
		return
	}
	c, err := config.Load(h.cfg.File, os.Environ())
	if err != nil {
		h.log.Error("configuration refused; the old secrets stay in use", "err", err)
		return
	}
	h.current.Store(c)
	h.log.Info("secrets of the chat accounts read anew; other changes of the configuration need a restart")
}

// Vouch takes a platform's word for whose an account is.
func (r rooms) Vouch(ctx context.Context, ch bot.ChannelID, user string, v bot.Vouch) (bot.Level, error) {
	return r.h.enroll.Vouch(ctx, ch, user, v)
}

// Defer stores an event whose author has to be looked up first.
func (r rooms) Defer(ctx context.Context, d bot.Deferred) error { return r.h.later.Defer(ctx, d) }

// Deferred reports whether events of a conversation wait.
func (r rooms) Deferred(c bot.ConversationID) bool { return r.h.later.Deferred(c) }

// Overview is what an account may be shown of its own person.
func (r rooms) Overview(ctx context.Context, ch bot.ChannelID, user, lang string) (bot.Overview, error) {
	return r.h.enroll.Overview(ctx, ch, user, lang)
}

// Recent lists conversations of a channel, the last used first.
func (r rooms) Recent(ctx context.Context, ch bot.ChannelID, limit int) (cs []bot.Conversation, err error) {
	err = r.h.db.View(ctx, func(tx bot.Tx) error {
		cs, err = tx.Recent(ch, limit)
		return err
	})
	return cs, err
}

// picture gives a picture of the scripts by name.
func (h *house) picture(name string) (svg []byte, ok bool) {
	svg = h.set.Set().Picture(name)
	return svg, svg != nil
}

// pictureWidth is the width of a drawn picture in pixels: twice what is shown,
// for sharp screens.
const pictureWidth = 480

// drawings gives the pictures of the scripts as PNG, for platforms that show no
// SVG. Each is drawn once, and again when the scripts have changed.
func (h *house) drawings() func(name string) (png []byte, ok bool) {
	type drawn struct {
		svg, png []byte
	}
	var mu sync.Mutex
	have := map[string]drawn{}
	return func(name string) ([]byte, bool) {
		svg, ok := h.picture(name)
		if !ok {
			return nil, false
		}
		mu.Lock()
		defer mu.Unlock()
		d, ok := have[name]
		if !ok || !bytes.Equal(d.svg, svg) {
			png, err := raster.PNG(svg, pictureWidth)
			if err != nil {
				h.log.Warn("a picture is told in words where no SVG is shown", "picture", name, "err", err)
			}
			d = drawn{svg, png}
			have[name] = d
		}
		return d.png, d.png != nil
	}
}

// How long a channel that stopped waits before it starts again.
const (
	firstWait = time.Second
	lastWait  = time.Minute
)

// keepRunning runs an adapter until ctx ends. One that stops or panics starts
// again, later each time, and the other channels do not notice.
func (h *house) keepRunning(ctx context.Context, a bot.Adapter) error {
	log := h.log.With("channel", a.Channel())
	wait := firstWait
	for {
		began := time.Now()
		err := runOnce(ctx, a, h.turn)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > lastWait {
			wait = firstWait
		}
		h.stopped.Store(a.Channel(), bot.Health{Since: h.db.Now(), Text: fmt.Sprintf("stopped: %v", err)})
		pause := wait/2 + rand.N(wait/2)
		log.Error("channel stopped; it starts again, the others go on", "again_in", pause.Round(time.Millisecond), "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		h.stopped.Delete(a.Channel())
		wait = min(2*wait, lastWait)
	}
}

func runOnce(ctx context.Context, a bot.Adapter, in bot.Inbox) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("adapter panicked: %T", v)
		}
	}()
	if err = a.Run(ctx, in); err == nil && ctx.Err() == nil {
		err = fmt.Errorf("adapter ended by itself")
	}
	return err
}

// health is how a channel is doing.
func (h *house) health(id bot.ChannelID) (bot.Health, bool) {
	a, ok := h.outside.channels[id]
	if !ok {
		return bot.Health{}, false
	}
	if down, ok := h.stopped.Load(id); ok {
		return down.(bot.Health), true
	}
	state := bot.Health{OK: true}
	if w, ok := a.(bot.Healther); ok {
		state = w.Health()
	}
	if state.OK && h.later != nil {
		if held := h.later.Health(id); !held.OK {
			return held, true
		}
	}
	return state, true
}

// channelHealth answers GET /healthz/{channel}.
func (h *house) channelHealth(w http.ResponseWriter, r *http.Request) {
	state, ok := h.health(bot.ChannelID(r.PathValue("channel")))
	switch {
	case !ok:
		answer(w, http.StatusNotFound, "no such channel")
	case !state.OK:
		answer(w, http.StatusServiceUnavailable, strings.TrimSpace("down "+since(state)+": "+printable(state.Text)))
	default:
		answer(w, http.StatusOK, strings.TrimSpace("ok "+since(state)))
	}
}

func since(s bot.Health) string {
	if s.Since.IsZero() {
		return ""
	}
	return "since " + s.Since.UTC().Format(time.RFC3339)
}
