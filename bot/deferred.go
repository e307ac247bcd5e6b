package bot

import (
	"context"
	"errors"
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
	// Deferred reports whether events of a conversation wait in this process:
	// what comes after them must be deferred, too, or it would overtake them. Of
	// other processes, Inbox.Accept tells: see ErrDeferred.
	Deferred(c ConversationID) bool
}

// A Resumer is an adapter that defers events.
type Resumer interface {
	// Resume finds out who wrote a deferred event and what it means. It may take
	// long, and changes nothing by itself. After an error it is called again
	// later, until DeferredFor has passed.
	Resume(ctx context.Context, d Deferred) (Arrival, error)
}

// ErrDeferred is wrapped by Inbox.Accept's error when events of the conversation
// wait in another process until their author is known. What comes after them is
// to be deferred, too.
var ErrDeferred = errors.New("earlier events of the conversation are deferred in another process")

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
	Owner        WorkerID  // the process that works on it; Nobody: it waits
	GivenUp      time.Time // zero: not
	Error        string    // why the last try failed, without what people write
}

// Place is what Body is bound to when it is sealed.
func (r *InboundRow) Place() string { return "inbound|" + string(r.Channel) + "|" + r.ID }

// InboundTx keeps deferred events.
type InboundTx interface {
	// PutInbound stores a row, sets its At, No and Owner, and reports whether it
	// is new. It is this process's (see MailStore) unless another one, or nobody
	// yet, has earlier ones of the conversation: then it waits. Of a row that was
	// there, No and Owner are set when it is this process's.
	PutInbound(r *InboundRow) (bool, error)
	// DropInbound deletes a row of this process. The error wraps ErrNotFound when
	// it is not, or not any more.
	DropInbound(ch ChannelID, id string) error
	// ClaimInbound gives this process what waits, and what processes that do not
	// live any more had, in up to limit conversations of which no other living
	// process has anything: the oldest first.
	ClaimInbound(limit int) ([]InboundRow, error)
	// MarkInbound stores Error and GivenUp of a row of this process.
	MarkInbound(r *InboundRow) error
	// RetryInbound has the rows of a conversation that were given up tried again,
	// and returns how many they are.
	RetryInbound(c ConversationID) (int, error)
	// Inbound lists rows without Body, the oldest first.
	Inbound(limit int) ([]InboundRow, error)
}
