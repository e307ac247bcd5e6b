package outbox

import (
	"context"
	"log/slog"
	"time"

	"latchkey/bot"
)

// Revealer opens what a message points to. It is called at the moment of
// sending only. An error that wraps bot.ErrNotFound means that there is nothing
// to show any more: the message goes out without it.
type Revealer func(ctx context.Context, r bot.Reveal) (*bot.Revealed, error)

// Linker makes a one-time page and gives its address. It is called at the moment
// of sending only, once for every attempt. Its errors hold no address.
type Linker func(ctx context.Context, p bot.Page) (address bot.Secret, err error)

// Options of an Outbox. Store and Adapters are needed. Zero numbers mean the
// defaults that stand beside them.
type Options struct {
	Store    bot.MailStore
	Adapters map[bot.ChannelID]bot.Adapter
	Revealer Revealer     // nil: messages go out without what they reveal
	Linker   Linker       // nil: messages go out without pages
	QRPage   bool         // secrets are shown on one-time pages only, never in a message
	Logger   *slog.Logger // nil: silent

	Parallel     int           // attempts in flight in one channel, half of them at most for notices and campaigns (8)
	SendTimeout  time.Duration // of one attempt; then it is uncertain (30 s)
	MarkDelay    time.Duration // how long marks may wait to be written together (50 ms)
	GiveUp       time.Duration // a message without OutboxRow.Expires is given up this long after it was said (24 h)
	FleetingLife time.Duration // a fleeting message is taken back after it (10 min)
	Look         time.Duration // between two looks at the table when nothing is known to be due (1 s; 30 s when no other process can send)
	Beat         time.Duration // how often a process that is not alone says that it lives; dead after four, nothing sent after 2⅔ (750 ms)

	Budget bot.Budget // what campaigns are claimed by, on a bot.Paced adapter; nil: as much as there is room for
	// Hold is asked, in the transaction of its claim, whether a campaign's row may
	// still be sent: it says why not, or nothing. Nil: all may.
	Hold func(tx bot.Tx, row *bot.OutboxRow) (why string, err error)
	// Ticket is told of each ticket of the help desk that was changed, in this
	// process or another. It returns at once. Nil: nobody wants to know.
	Ticket func(id string)

	// Prompt reads from Conversation.State which prompt a conversation is at. Nil:
	// that is not known, and Retry says old questions again without their buttons.
	Prompt func(state []byte) (uint32, error)

	Phrases bot.Phrases // for "outbox.left_out"; nil: plain English

	// Clock tells the age of rows; it should go with the store's. Waits are
	// real time. Nil: time.Now.
	Clock func() time.Time
}

// fill puts defaults in the place of zeros.
func (o *Options) fill() {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	if o.Parallel <= 0 {
		o.Parallel = 8
	}
	def(&o.SendTimeout, 30*time.Second)
	def(&o.MarkDelay, 50*time.Millisecond)
	def(&o.GiveUp, 24*time.Hour)
	def(&o.FleetingLife, 10*time.Minute)
	def(&o.Beat, 750*time.Millisecond)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
}
