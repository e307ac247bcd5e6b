package turn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/bot"
	"latchkey/bot/policy"
)

// Outbox is what a turn tells the outbox.
type Outbox interface {
	// Committed hands over what a turn said, right after its commit. Rows
	// are in order, those without an owner wait in the store; the slice is
	// reused after the call. With retract the
	// conversation's fleeting messages that came before are to be taken back.
	Committed(conv *bot.Conversation, rows []bot.OutboxRow, retract bool)
}

// Marker may be implemented by an Outbox. A turn then writes the marks of what
// the conversation was sent before in its own transaction, which saves a
// transaction of their own.
type Marker interface {
	// Unmarked appends to dst the rows of the conversation whose state has
	// changed and is not stored yet.
	Unmarked(dst []bot.OutboxRow, conv bot.ConversationID) []bot.OutboxRow
	// Marked says that these are stored now.
	Marked(conv bot.ConversationID, rows []bot.OutboxRow)
}

// A Desk answers in the conversations that it owns (bot.OwnerDesk). It is asked
// before the engine and in the turn's transaction, so it works on the database
// only: about every event there, the outcomes of codes included, and about every
// event of an agent anywhere. It may change s.Owner.
type Desk interface {
	Route(tx bot.Tx, c *bot.Conversation, s *bot.Session, ev *bot.Event) (bot.DeskAnswer, error)
	// Keep keeps what somebody typed and the engine did not understand, where they have
	// asked for a person, and gives it as it is kept; empty: it is not.
	Keep(tx bot.Tx, c *bot.Conversation, text string) (kept string, err error)
}

// Campaigns takes presses of the buttons on the messages of campaigns, and the codes on
// their slips of paper.
type Campaigns interface {
	// Typed says what begins by a typed text; nil: nothing.
	Typed(tx bot.Tx, s *bot.Session, text string) (*bot.Begin, error)
	Press(tx bot.Tx, c *bot.Conversation, s *bot.Session, ev *bot.Event) (bot.DeskAnswer, error)
}

// Options of a Service. Store, Engine, Catalogue and Outbox are needed.
type Options struct {
	Store     bot.Store
	Engine    bot.Engine
	Catalogue bot.Catalogue
	Outbox    Outbox
	Gate      bot.Gate               // asked before every check that changes methods; nil: such checks fail
	Desk      Desk                   // nil: none; a conversation that one owned is the engine's again
	Campaigns Campaigns              // nil: none
	Phrases   bot.Phrases            // for the apology "turn.sorry"; nil: plain English
	Keeps     map[bot.ChannelID]bool // channels whose platform keeps no transcript: what is said there stays readable (OutboxRow.Keep)
	Logger    *slog.Logger           // nil: silent
	Burst     policy.Limit           // policy.ChatBurst; zero: no budget
	Rate      policy.Limit           // policy.ChatRate
	Clock     func() time.Time       // for budgets and revealed forms only; nil: time.Now
}

// Service takes events in. It implements bot.Inbox and is safe for concurrent use.
type Service struct {
	store   bot.Store
	engine  bot.Engine
	checks  map[string]bot.CheckSpec
	forms   map[string]bot.FormSpec
	outbox  Outbox
	marker  Marker // nil when the outbox is none
	desk    Desk
	camps   Campaigns
	gate    bot.Gate
	phrases bot.Phrases
	keeps   map[bot.ChannelID]bool
	log     *slog.Logger
	clock   func() time.Time

	budget *budget
	gates  gates
	shown  shown
	turns  sync.Pool // of *turn

	count counters
}

type counters struct{ turns, repeats, dropped, faults, unread atomic.Int64 }

// Stats are counters since the start.
type Stats struct {
	Turns   int64 // committed
	Repeats int64 // events that had been seen before
	Dropped int64 // events beyond an author's budget, or of another author than the conversation's
	Faults  int64 // checks and engines that failed or panicked
	Unread  int64 // stored sessions that could not be read
}

// New makes a Service.
func New(o Options) *Service {
	r := &Service{
		store: o.Store, engine: o.Engine, outbox: o.Outbox, desk: o.Desk, camps: o.Campaigns, gate: o.Gate, phrases: o.Phrases,
		checks: o.Catalogue.Checks, forms: o.Catalogue.Forms,
		keeps: o.Keeps, log: o.Logger, clock: o.Clock,
		budget: newBudget(o.Burst, o.Rate),
	}
	r.marker, _ = o.Outbox.(Marker)
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.clock == nil {
		r.clock = time.Now
	}
	r.turns.New = func() any {
		t := &turn{service: r}
		t.fn = t.run
		return t
	}
	return r
}

// Stats reports the counters.
func (r *Service) Stats() Stats {
	c := &r.count
	return Stats{c.turns.Load(), c.repeats.Load(), c.dropped.Load(), c.faults.Load(), c.unread.Load()}
}

// Accept implements bot.Inbox. Its errors: one that wraps ErrEvent (no repeat
// can mend it), the context's, or the store's. In every case nothing happened.
//
// An event beyond its author's budget is dropped and counted, and Accept
// returns nil: a platform that repeated it would only add to the load. The
// first such event is answered (Event.TooFast).
func (r *Service) Accept(ctx context.Context, ev bot.Event) error {
	_, _, err := r.take(ctx, &ev, false, nil)
	return err
}

// AcceptWith is Accept for an event that brings more with it: with runs in the
// turn's transaction before the engine is asked, and its error undoes the turn.
// done reports that this was committed. It is false without an error when there
// was no turn: for a repeat, and for an event beyond its author's budget.
func (r *Service) AcceptWith(ctx context.Context, ev bot.Event, with func(bot.Tx, *bot.Conversation) error) (done bool, err error) {
	_, done, err = r.take(ctx, &ev, false, with)
	return done, err
}

// Answer is Accept for whoever shows the answer itself, such as a page that
// submits a private form. It returns a copy of what this turn said, which is
// sent on the channel, too; nil when it said nothing: a repeat, an event that
// was dropped, a conversation that a person of the desk owns.
func (r *Service) Answer(ctx context.Context, ev bot.Event) (*bot.Message, error) {
	said, _, err := r.take(ctx, &ev, true, nil)
	return said, err
}

// extra is what runs in a turn's transaction before the engine is asked.
type extra = func(bot.Tx, *bot.Conversation) error

func (r *Service) take(ctx context.Context, ev *bot.Event, answer bool, with extra) (_ *bot.Message, done bool, err error) {
	if err := clean(ev); err != nil {
		return nil, false, err
	}
	if ev.Kind == bot.Agent && r.desk == nil {
		return nil, false, fmt.Errorf("turn: %w: an agent's event, and there is no desk; switch it on", ErrEvent)
	}
	who := author{}
	if !ev.Kind.Ours() {
		who = author{ev.Channel, ev.From}
		switch r.budget.take(who, r.clock()) {
		case warn:
			ev.TooFast = true
			r.log.Warn("event over the inbound budget, answered once", "channel", ev.Channel)
		case drop:
			r.count.dropped.Add(1)
			return nil, false, nil
		}
	}
	said, done, err := r.accept(ctx, ev, answer, with)
	if err != nil {
		r.budget.refund(who)
	}
	return said, done, err
}

func (r *Service) accept(ctx context.Context, ev *bot.Event, answer bool, with extra) (said *bot.Message, done bool, err error) {
	if err := r.gates.enter(ctx, ev.Conversation); err != nil {
		return nil, false, fmt.Errorf("turn: event not taken in: %w", err)
	}
	defer r.gates.leave(ev.Conversation)

	t := r.turns.Get().(*turn)
	t.begin(ev)
	t.with = with
	if ev.Kind == bot.Submit {
		ok, err := r.prepare(ctx, &t.ev)
		if err != nil {
			return nil, false, err
		}
		if !ok {
			t.failAt = 0
		}
	}
	if ev.TooLong || ev.TooFast {
		t.failAt = 0 // whatever the engine asks: no try is burned
	}
	for {
		err := r.store.Turn(ctx, &t.ev, t.fn)
		if err == nil {
			break
		}
		if !t.again(ctx) {
			// t is not reused: the store may still hold it.
			return nil, false, fmt.Errorf("turn: event not taken in: %w", err)
		}
	}
	if answer {
		said = t.said()
	}
	done = t.called
	t.finish(ctx)
	t.clear()
	r.turns.Put(t)
	return said, done, nil
}

// Signal raises a signal to a conversation: what became of a code that was
// sent, a key that ran out. The event's id follows from the conversation, the
// name and the ref, so that a repeat is dropped. The error wraps
// bot.ErrNotFound when there is no such conversation.
func (r *Service) Signal(ctx context.Context, conv bot.ConversationID, sig bot.Signal) error {
	if sig.Name == "" || sig.Ref == "" {
		return fmt.Errorf("turn: %w: a signal needs a name and a ref", ErrEvent)
	}
	var ch bot.ChannelID
	err := r.store.View(ctx, func(tx bot.Tx) error {
		c, err := tx.Conversation(conv)
		if err != nil {
			return err
		}
		ch = c.Channel
		return nil
	})
	if err != nil {
		return fmt.Errorf("turn: signal %s: %w", sig.Name, err)
	}
	return r.Accept(ctx, bot.Event{
		ID:           signalID(conv, sig),
		Channel:      ch,
		Conversation: conv,
		Kind:         bot.Notice,
		Signal:       &sig,
	})
}

// signalID cannot meet a platform's id: none starts so.
func signalID(conv bot.ConversationID, sig bot.Signal) string {
	id := "signal|" + sig.Name + "|" + sig.Ref + "|" + string(conv)
	if len(id) <= maxID {
		return id
	}
	return "signal|" + digest(id)
}

var errNoForm = errors.New("no such form")
