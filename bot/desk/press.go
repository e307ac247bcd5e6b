package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"latchkey/bot"
)

// The buttons of a card, behind bot.ChoiceTicket and before the ticket's number.
var cardActs = []string{DoTake, DoSay, DoSolve}

// Press does what a button on a card says, for the agent whose account pressed it,
// and gives words for whoever pressed. The error is the context's or the store's.
func (d *Desk) Press(ctx context.Context, p bot.TicketPress) (words string, err error) {
	lang, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(p.Locale, "_", "-")), "-")
	if !slices.Contains(d.o.Phrases.Languages(), lang) {
		lang = d.o.Lang
	}
	say := func(key string, kv ...string) string { return d.o.Phrases.Phrase(lang, "desk.card."+key, kv...) }
	do, ticket, _ := strings.Cut(strings.TrimPrefix(p.Choice, bot.ChoiceTicket), ".")
	if !slices.Contains(cardActs, do) {
		return say("refused.other"), nil
	}
	var who bot.PersonID
	if d.o.Agents {
		err = d.o.Store.View(ctx, func(tx bot.Tx) (err error) { who, err = owner(tx, p.Channel, p.User); return err })
		if err != nil {
			return "", fmt.Errorf("desk: who has pressed: %w", err)
		}
	}
	if who == "" {
		return say("refused.stranger"), nil
	}
	err = d.Do(ctx, Act{Key: string(p.Channel) + "|" + p.Key, AgentAct: bot.AgentAct{Ticket: ticket, Do: do, Text: p.Text, By: who, Channel: p.Channel, User: p.User}})
	r := new(Refusal)
	switch {
	case errors.As(err, &r):
		key := "refused.other"
		if slices.Contains(cardRefusals, r.Code) {
			key = "refused." + r.Code
		}
		return say(key, "request", ticket, "who", cmp.Or(r.Who, say("another"))), nil
	case err != nil:
		return "", err
	}
	return say("done."+do, "request", ticket), nil
}

// cardRefusals are the codes that have words of their own on a card.
var cardRefusals = []string{NotAgent, NoTicket, Taken, Closed, NotYours, Empty, TooLong, AsksSecret, HasSecret, NoChat}
