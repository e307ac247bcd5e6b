package enroll

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"latchkey/bot"
)

// Moved is the job that tells a conversation that its person went on in another
// one. What was begun there is void by then.
type Moved struct {
	ID           string             `json:"id"`
	Conversation bot.ConversationID `json:"conversation"` // that is told
	Channel      bot.ChannelID      `json:"channel"`      // where the person went on
	Lang         string             `json:"lang,omitempty"`
}

// Kind implements bot.Job.
func (Moved) Kind() string { return "moved" }

// HandleMoved tells the conversation.
func (r *Service) HandleMoved(ctx context.Context, j Moved) error {
	var conv *bot.Conversation
	err := r.Store.View(ctx, func(tx bot.Tx) (err error) {
		conv, err = tx.Conversation(j.Conversation)
		return err
	})
	if errors.Is(err, bot.ErrNotFound) || err == nil && r.inbox == nil {
		return nil
	}
	if err == nil {
		err = r.inbox.Accept(ctx, bot.Event{ID: "moved|" + j.ID, Channel: conv.Channel, Conversation: conv.ID, Kind: bot.Notice,
			Signal: &bot.Signal{Name: bot.SignalMoved, Ref: j.ID, Facts: bot.Facts("channel", bot.PlatformName(r.Phrases, j.Lang, j.Channel))}})
	}
	if err != nil {
		return fmt.Errorf("enroll: tell conversation %s where it went on: %w", j.Conversation, err)
	}
	return nil
}

// moved enqueues that job for a conversation.
func (r *Service) moved(tx bot.Tx, c *bot.Call, from bot.ConversationID) error {
	err := tx.Enqueue(Moved{ID: newID(), Conversation: from, Channel: c.Conversation.Channel, Lang: c.Lang()}, time.Time{})
	if err != nil {
		return fmt.Errorf("enroll: enqueue where it went on: %w", err)
	}
	return nil
}

// stillThere is how long somebody who left another conversation in the middle
// of a method is asked whether to go on where they were.
const stillThere = 24 * time.Hour

// leftElsewhere finds the conversations in which the person stands in the
// middle of a method, the last used first, with where that is.
func (r *Service) leftElsewhere(tx bot.Tx, c *bot.Call, p bot.PersonID) (convs []bot.Conversation, place string, err error) {
	if r.Place == nil {
		return nil, "", nil
	}
	all, err := tx.ConversationsOf(p)
	if err != nil {
		return nil, "", fmt.Errorf("enroll: conversations of a person: %w", err)
	}
	for i := range all {
		if all[i].ID == c.Conversation.ID || tx.Now().Sub(all[i].Updated) >= stillThere {
			continue
		}
		flow, title, progress := r.Place(all[i].State, c.Lang())
		if !slices.Contains([]bot.MethodKind{bot.Authenticator, bot.Phone, bot.Email, bot.Questions, bot.Recovery}, bot.MethodKind(flow)) {
			continue
		}
		if len(convs) == 0 {
			place = r.Phrases.Phrase(c.Lang(), "place.flow", "title", title)
			if progress != "" {
				place = r.Phrases.Phrase(c.Lang(), "place.step", "title", title, "progress", progress)
			}
		}
		convs = append(convs, all[i])
	}
	return convs, place, nil
}

// enrollHere lets the person go on in this conversation: pending methods, codes
// and proofs of the others stay behind and are void, and those that were left
// in the middle say where it went on.
func (r *Service) enrollHere(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, err := someone(tx, c)
	if err != nil || p == nil {
		return say("ok"), err
	}
	ms, err := tx.Methods(p.ID)
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: methods: %w", err)
	}
	for i := range ms {
		switch m := &ms[i]; {
		case m.State != bot.Pending:
			err = voidCodes(tx, m)
		case m.Conversation != c.Conversation.ID:
			err = r.drop(tx, m)
		}
		if err != nil {
			return bot.Outcome{}, err
		}
	}
	if err := r.voidOthers(tx, c, p.ID); err != nil {
		return bot.Outcome{}, err
	}
	convs, _, err := r.leftElsewhere(tx, c, p.ID)
	if err != nil {
		return bot.Outcome{}, err
	}
	for i := range convs {
		if err := r.moved(tx, c, convs[i].ID); err != nil {
			return bot.Outcome{}, err
		}
	}
	return say("ok"), nil
}
