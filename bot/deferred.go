package bot

import (
	"context"
	"time"
)

// A Deferred is an event whose author has to be looked up at the platform before
// it can be taken in. It is stored and acknowledged at once: the platform waits
// for seconds only, and the look-up may take longer or fail.
type Deferred struct {
	Channel      ChannelID
	ID           string         // as Event.ID of what comes of it
	Conversation ConversationID // events of one conversation are taken in in the order in which they came
	Body         Secret         // what Resume needs, as the adapter wrote it; it may hold what a person typed
	At           time.Time      // when it was stored
}

// A Deferrer stores events that cannot be taken in yet. It is safe for
// concurrent use.
type Deferrer interface {
	// Defer stores an event. After nil it may be acknowledged; a repeat of
	// (Channel, ID) is nil, too.
	Defer(ctx context.Context, d Deferred) error
	// Deferred reports whether events of a conversation wait: what comes after
	// them must be deferred, too, or it would overtake them.
	Deferred(c ConversationID) bool
}

// A Resumer is an adapter that defers events.
type Resumer interface {
	// Resume finds out who wrote a deferred event and what it means. It may take
	// long, and changes nothing by itself. After an error it is called again
	// later, until DeferredFor has passed.
	Resume(ctx context.Context, d Deferred) (Arrival, error)
}

// DeferredFor is how long it is tried to find out who wrote a deferred event.
const DeferredFor = 24 * time.Hour

// An Arrival is what came of a deferred event.
type Arrival struct {
	Event *Event // nil: there is nothing to take in, for example of a stranger
	Vouch *Vouch // the platform's word for whose account it is, noted in the event's transaction; nil: none
	After func() // what decorates, after the commit; nil: nothing
}

// An InboundRow is a deferred event in the store.
type InboundRow struct {
	Channel      ChannelID
	ID           string
	Conversation ConversationID
	Body         []byte    // sealed; see Place
	At           time.Time // when it was stored, or when an operator last had it tried again
	No           int64     // grows from row to row of a conversation; set by the store
	Owner        string    // the process that works on it; empty: none
	Until        time.Time // when that is over
	GivenUp      time.Time // zero: not
	Error        string    // why the last try failed, without what people write
}

// Place is what Body is bound to when it is sealed.
func (r *InboundRow) Place() string { return "inbound|" + string(r.Channel) + "|" + r.ID }

// InboundTx keeps deferred events.
type InboundTx interface {
	// PutInbound stores a row, sets its At and No, and reports whether it is new.
	PutInbound(r *InboundRow) (bool, error)
	// DropInbound deletes a row. It is no error when there is none.
	DropInbound(ch ChannelID, id string) error
	// ClaimInbound gives owner up to limit rows that nobody works on, until then,
	// the oldest first. With all, also rows of other owners whose time is not
	// over: for a store that one process has for itself.
	ClaimInbound(owner string, until time.Time, all bool, limit int) ([]InboundRow, error)
	// RenewInbound changes until when owner works on all its rows.
	RenewInbound(owner string, until time.Time) error
	// MarkInbound stores Error and GivenUp of a row.
	MarkInbound(r *InboundRow) error
	// RetryInbound has the rows of a conversation that were given up tried again,
	// and returns how many they are.
	RetryInbound(c ConversationID) (int, error)
	// Inbound lists rows without Body, the oldest first.
	Inbound(limit int) ([]InboundRow, error)
}
