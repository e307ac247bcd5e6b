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
}

// An OutsideDesk is a system of the organisation that learns of tickets.
type OutsideDesk interface {
	// Tell makes one attempt and fails with *SendError.
	Tell(ctx context.Context, ev DeskEvent) error
}
