package chat

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"latchkey/bot"
)

// Options are those of every platform; an adapter's own embed them.
type Options struct {
	Channel bot.ChannelID
	Phrases bot.Phrases
	Org     string // name of the organisation, for chat.not_ours
	BotName string
	Lang    string // of people whose own is not known, or none of ours; default: the first of Phrases
	// Picture gives a picture of the scripts as PNG. Nil, or not ok: it is told in
	// words.
	Picture func(name string) (png []byte, ok bool)

	Desk   bool       // people are written to who never wrote, and rooms
	Budget bot.Budget // of the platform's rates; default: one of this adapter alone

	Now func() time.Time // default: time.Now
	// Wall is the clock as it is set now, for what the platform has dated. Default: Now.
	Wall func() time.Time
	Log  *slog.Logger // default: discard
}

// Fill fills in what was left out, and refuses what cannot work.
func (o *Options) Fill(platform string) error {
	if o.Channel == "" || o.Phrases == nil {
		return errors.New(platform + ": no channel, or no phrases")
	}
	if o.Lang == "" {
		if ls := o.Phrases.Languages(); len(ls) > 0 {
			o.Lang = ls[0]
		}
	}
	if o.Picture == nil {
		o.Picture = func(string) ([]byte, bool) { return nil, false }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wall == nil {
		o.Wall = o.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Language is the language of ours that a locale names ("en-US", "es_MX"), or Lang.
func (o *Options) Language(locale string) string {
	primary, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(locale, "_", "-")), "-")
	if slices.Contains(o.Phrases.Languages(), primary) {
		return primary
	}
	return o.Lang
}

// Say is a phrase in the language of a locale.
func (o *Options) Say(locale, key string, kv ...string) string {
	return o.Phrases.Phrase(o.Language(locale), key, kv...)
}

// A Base is what all adapters do in the same way; each embeds one.
type Base struct {
	Trouble Troubles
	Rates   *Pace

	channel bot.ChannelID
	limits  bot.Limits
	sends   string
}

// NewBase makes one. limits are what the platform shows, and sends is the method
// whose budget Send takes.
func NewBase(o *Options, limits bot.Limits, sends string, p *Pace) *Base {
	p.Account, p.Budget = o.Channel, o.Budget
	return &Base{Trouble: Troubles{Now: o.Now}, Rates: p, channel: o.Channel, limits: limits, sends: sends}
}

// Channel implements bot.Adapter.
func (b *Base) Channel() bot.ChannelID { return b.channel }

// Limits implements bot.Adapter.
func (b *Base) Limits() bot.Limits { return b.limits }

// WantsPage implements bot.Pager: what must not stand in a chat (passwords, answers,
// recovery codes, the organisation's sign-in) is for a page of our own.
func (b *Base) WantsPage(m *bot.Message) bool { return m.Form != nil }

// Health implements bot.Healther. Nothing is asked for it.
func (b *Base) Health() bot.Health { return b.Trouble.Health() }

// Pace implements bot.Paced.
func (b *Base) Pace() (bot.BudgetID, bot.Rate) { return b.Rates.id(b.sends), b.Rates.Rate(b.sends) }

// An Adapter is all that an adapter of a chat platform can be. One that cannot find
// what it has sent is no bot.Finder, and one that has nothing to defer no bot.Resumer.
type Adapter interface {
	bot.Adapter
	bot.Pager
	bot.Paced
	bot.Deleter
	bot.Typer
	bot.Healther
	bot.Examiner
	bot.Opener
	bot.RoomWriter
	bot.Editor
}
