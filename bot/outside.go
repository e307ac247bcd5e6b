package bot

import (
	"context"
	"time"
)

// A DeskEvent is a change of a ticket as an outside system learns of it. It holds
// no code, no secret, no full number and no full address.
type DeskEvent struct {
	ID     string // the same in every attempt
	Type   string // "opened", "taken", "line", ...; package desk lists them
	At     time.Time
	Ticket string
	Order  int64       // 1, 2, ... in the ticket
	State  TicketState // after it
	Flow   string      // where the person was
	Step   string
	Needs  string // what is needed, in words of the scripts; may be empty
	Lang   string
	Person PersonID // empty: it is not known who asks
	Name   string   // of the person, or empty
	Agent  string   // first name of who did it; empty: the person, or the program
	Text   string   // of a line or note; of anything else a word of the program, or empty

	// For an OutsideTickets alone.
	There string // the id of its own ticket; empty: it has none yet
	Own   bool   // it has done this itself, and was told in time
	Card  string // of one that it does not have yet: how the ticket stands, as the help desk reads it
	Says  string // what happened, as the help desk reads it
}

// An OutsideDesk is a system of the organisation that learns of tickets.
type OutsideDesk interface {
	// Tell makes one attempt and fails with *SendError.
	Tell(ctx context.Context, ev DeskEvent) error
}

// An OutsideTickets is an OutsideDesk that keeps a ticket of its own for each, in
// which people who work there write back.
type OutsideTickets interface {
	OutsideDesk
	// File makes its ticket for an event's, or finds the one that an earlier attempt
	// has made, and gives its id. It fails with *SendError.
	File(ctx context.Context, ev DeskEvent) (there string, err error)
	// Look reads one of its tickets.
	Look(ctx context.Context, there string) (*OutsideTicket, error)
	// Changed lists those of ours that changed since a time.
	Changed(ctx context.Context, since time.Time) ([]OutsideChange, error)
}

// An OutsideTicket is a ticket of an outside system, without what we wrote there.
type OutsideTicket struct {
	Closed bool
	Lines  []OutsideLine // in order
}

// An OutsideLine is what somebody wrote who works there.
type OutsideLine struct {
	ID   string // never that of another line
	Note bool   // the person is not to read it
	Name string // first name of who wrote it, or empty
	Text string
}

// An OutsideChange says that a ticket of an outside system has changed. Whoever can
// write there can name any ticket of ours.
type OutsideChange struct {
	Ticket, There string
	At            time.Time
}
