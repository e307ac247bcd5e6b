package desk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/bot"
)

// How many messages of the outside system are looked at, whatever they ask for.
const (
	outsideActs = "desk.outside" // what is counted: of all tickets, and by ticket
	outsidePer  = time.Minute
	outsideAll  = 60
	outsideOne  = 10 // of one ticket
)

// withinRate counts a message of the outside system, and refuses one too many.
// What is refused is not counted, and does not wait for whoever writes.
func (d *Desk) withinRate(ctx context.Context, ticket string) error {
	err := d.o.Store.View(ctx, func(tx bot.Tx) error {
		_, err := spare(tx, ticket)
		return err
	})
	if err == nil {
		err = d.o.Store.Update(ctx, func(tx bot.Tx) error {
			keys, err := spare(tx, ticket)
			for i := 0; i < len(keys) && err == nil; i++ {
				err = tx.Tally(outsideActs, keys[i])
			}
			return err
		})
	}
	if r := new(Refusal); errors.As(err, &r) {
		return r
	}
	if err != nil {
		return fmt.Errorf("desk: count what the ticket system sends: %w", err)
	}
	return nil
}

// spare gives what a message counts for, or refuses it.
func spare(tx bot.Tx, ticket string) (keys []string, err error) {
	most := []int{outsideAll, outsideOne}
	switch _, err := tx.Ticket(ticket); {
	case err == nil:
		keys = []string{"", ticket}
	case errors.Is(err, bot.ErrNotFound):
		keys = []string{""}
	default:
		return nil, err
	}
	now := tx.Now()
	for i, key := range keys {
		n, oldest, err := tx.Tallied(outsideActs, key, now.Add(time.Millisecond-outsidePer)) // one of a minute ago is over
		if err != nil {
			return nil, err
		}
		if n >= most[i] {
			return nil, &Refusal{Code: TooOften, After: oldest.Add(outsidePer).Sub(now)}
		}
	}
	return keys, nil
}
