package desk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
)

// A Room is a channel of the help desk's own, on a platform. Each ticket has a card
// there.
type Room struct {
	Channel bot.ChannelID
	ID      string // the platform's, see bot.RoomWriter
}

// ShowTicket is the job that makes the cards of a ticket say how it stands.
type ShowTicket struct {
	Ticket string `json:"ticket"`
}

// Kind implements bot.Job.
func (ShowTicket) Kind() string { return "desk_card" }

// seen are the events after which a card says something else.
var seen = slices.Concat([]string{"transferred", "not_needed", "expired", "again", "unfrozen"}, checkEvents, moves)

// Shown has the cards of a ticket follow a change of it, in the transaction that
// adds a line (store.DB.OnLine).
func Shown(tx bot.Tx, l *bot.TicketLine) error {
	if l.Kind != bot.LineEvent || !slices.Contains(seen, l.Code) {
		return nil
	}
	return tx.Enqueue(ShowTicket{Ticket: l.Ticket}, time.Time{})
}

// shown is the event that a ticket got cards. Its text says which: by room, the
// IDs of outbox rows.
const shown = "shown"

func (r Room) key() string { return string(r.Channel) + " " + r.ID }

// HandleShowTicket says a ticket's cards, or changes them. They go out by the
// outbox: a room that cannot be written to holds nobody up.
func (d *Desk) HandleShowTicket(ctx context.Context, j ShowTicket) error {
	err := d.o.Store.Update(ctx, func(tx bot.Tx) error {
		// This waits for others who show the same ticket, so that an older state
		// never comes last. It changes nothing.
		if _, err := tx.TellNext(j.Ticket, math.MinInt64, math.MinInt64); err != nil {
			return err
		}
		q, err := tx.Ticket(j.Ticket)
		if errors.Is(err, bot.ErrNotFound) {
			return nil // erased, or pruned
		}
		if err != nil {
			return err
		}
		m, err := d.card(tx, q)
		if err != nil {
			return err
		}
		cards, err := d.cards(tx, q)
		if err != nil {
			return err
		}
		more := false
		for _, r := range d.o.Rooms {
			made, err := show(tx, r, q, cards, m)
			if err != nil {
				return fmt.Errorf("in %s: %w", r.key(), err)
			}
			more = more || made
		}
		if !more {
			return nil
		}
		which, err := json.Marshal(cards)
		if err == nil {
			err = d.line(tx, q, bot.LineEvent, "", shown, string(which))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("desk: show ticket %s: %w", j.Ticket, err)
	}
	return nil
}

// cards are the cards that a ticket has: by Room.key, the IDs of outbox rows.
func (d *Desk) cards(tx bot.Tx, q *bot.Ticket) (map[string]int64, error) {
	cards := map[string]int64{}
	l, err := tx.LastEvent(q.ID, math.MaxInt64, shown)
	if errors.Is(err, bot.ErrNotFound) {
		return cards, nil
	}
	if err != nil {
		return nil, err
	}
	if json.Unmarshal([]byte(d.unseal(q, l.Body)), &cards) != nil {
		clear(cards) // it could not be opened: new ones are made
	}
	return cards, nil
}

// Forget takes the cards of a person's tickets back, before the person is erased.
func Forget(tx bot.Tx, v bot.Vault, p bot.PersonID) error {
	qs, err := tx.TicketsOfPerson(p)
	if err != nil {
		return fmt.Errorf("desk: take the cards of somebody back: %w", err)
	}
	d := New(Options{Vault: v})
	for i := range qs {
		cards, err := d.cards(tx, &qs[i])
		for _, id := range cards {
			if err == nil {
				err = leave(tx, id)
			}
		}
		if err != nil {
			return fmt.Errorf("desk: take the cards of ticket %s back: %w", qs[i].ID, err)
		}
	}
	return nil
}

// leave takes back a card, what was to change it, and what was said in its thread.
func leave(tx bot.Tx, card int64) error {
	row, err := tx.Row(card)
	if errors.Is(err, bot.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	opening, err := tx.Thread(row, "")
	if err != nil {
		return err
	}
	to, err := tx.Opening(opening)
	if err != nil {
		return err
	}
	gone := map[string]bool{row.Receipt: true} // a change has the receipt of what it changed
	sent := func(c bot.ConversationID) ([]bot.OutboxRow, error) { return tx.SentAfter(c, card) }
	for _, c := range []bot.ConversationID{row.Conversation, opening, to.Opened} {
		for _, list := range []func(bot.ConversationID) ([]bot.OutboxRow, error){sent, tx.PendingOf, tx.GivenUpOf} {
			rows, err := list(c)
			if err != nil {
				return err
			}
			for _, r := range rows {
				if r.Op == bot.OpTakeBack || c == row.Conversation && r.Target != card || r.Receipt != "" && gone[r.Receipt] {
					continue
				}
				gone[r.Receipt] = true
				if err := takeBack(tx, r.ID); err != nil {
					return err
				}
			}
		}
	}
	return takeBack(tx, card)
}

// takeBack takes a message back. One that nobody saw leaves the list of those.
func takeBack(tx bot.Tx, id int64) error {
	row, err := tx.Row(id)
	switch {
	case errors.Is(err, bot.ErrNotFound):
		return nil
	case err == nil && row.State.GivenUp():
		return tx.Unlist(row)
	case err == nil:
		err = tx.Say(&bot.OutboxRow{Op: bot.OpTakeBack, Target: id})
	}
	return err
}

// show puts a card into a room, or in the place of the one that is there. One that
// was never seen is said anew; a ticket that is closed needs none.
func show(tx bot.Tx, r Room, q *bot.Ticket, cards map[string]int64, m *bot.Message) (made bool, err error) {
	row := bot.OutboxRow{Lane: bot.LaneNotice, Message: *m}
	if id := cards[r.key()]; id != 0 {
		old, err := tx.Row(id)
		switch {
		case err == nil && !old.State.GivenUp():
			row.Op, row.Target = bot.OpEdit, id
			return false, tx.Say(&row)
		case err == nil:
			err = tx.Unlist(old) // nobody needs to say it again
		}
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return false, err
		}
	}
	if !q.State.Open() {
		return false, nil
	}
	if row.Conversation, err = tx.Room(r.Channel, r.ID); err == nil {
		err = tx.Say(&row)
	}
	if err == nil {
		err = tx.Number(&row)
	}
	cards[r.key()] = row.ID
	return true, err
}

// card is a ticket as its channel reads it: nothing that anybody typed, no number,
// no address.
func (d *Desk) card(tx bot.Tx, q *bot.Ticket) (*bot.Message, error) {
	say := func(key string, kv ...string) string { return d.o.Phrases.Phrase(d.o.Lang, "desk.card."+key, kv...) }
	who, err := d.nameOf(tx, q)
	if err != nil {
		return nil, err
	}
	agent := ""
	if q.Agent != "" {
		agent = oneLine(d.short(tx, q.Agent))
	}
	lines := []string{say(q.How(), "request", q.ID, "who", who, "agent", agent), ""}
	add := func(key, name, value string) {
		if value != "" {
			lines = append(lines, say(key, name, value))
		}
	}
	add("step", "step", oneLine(cmp.Or(d.o.Title(q.Flow, q.Step, d.o.Lang), q.Flow)))
	add("error", "error", oneLine(masked(bot.ErrorWords(d.o.Phrases, d.o.Lang, q.Error))))
	k, err := d.known(tx, q)
	if err != nil {
		return nil, err
	}
	if k.tries > 0 {
		add("tries", "n", strconv.Itoa(k.tries))
	}
	if n := len(k.earlier); n > 0 {
		lines = append(lines, say("earlier", "n", strconv.Itoa(n), "day", bot.Date(d.o.Phrases, d.o.Lang, d.zone().String(), k.earlier[0].At)))
	}
	add("lang", "language", d.tongue(q.Lang))
	c, err := tx.Conversation(q.Conversation)
	if err != nil && !errors.Is(err, bot.ErrNotFound) {
		return nil, err
	}
	chat := err == nil
	if chat {
		on := bot.PlatformName(d.o.Phrases, d.o.Lang, c.Channel)
		if k.device != "" {
			on += ", " + k.device
		}
		add("device", "device", on)
	}
	if !q.WaitsSince.IsZero() && q.State == bot.TicketWaiting {
		add("since", "since", d.moment(d.o.Lang, q.WaitsSince))
	}
	check, err := d.checkOnCard(tx, q)
	if err != nil {
		return nil, err
	}
	if check != "" {
		lines = append(lines, check)
	}
	m := &bot.Message{Text: strings.TrimSpace(strings.Join(lines, "\n")), Lang: d.o.Lang}
	can := map[string]bool{
		DoTake: q.State == bot.TicketWaiting, DoSay: chat, DoVerify: q.State == bot.TicketTaken && q.Person != "" && d.o.Methods != nil,
		DoBack: q.State == bot.TicketTaken && chat, DoNote: true, DoSolve: true,
	}
	for _, do := range cardActs {
		if q.State.Open() && can[do] {
			m.Choices = append(m.Choices, bot.Choice{ID: bot.ChoiceTicket + do + "." + q.ID, Label: say(do), Primary: do == DoTake})
		}
	}
	if d.o.Link != nil {
		m.Choices = append(m.Choices, bot.Choice{ID: "open", Label: say("open"), Link: d.o.Link(q.ID)})
	}
	return m, nil
}

// moment is a time as people at the desk read it, in a language.
func (d *Desk) moment(lang string, at time.Time) string {
	return bot.WeekdayMoment(d.o.Phrases, lang, d.zone().String(), at)
}

// checkOnCard says how the newest check of who calls stands; empty: there is none.
func (d *Desk) checkOnCard(tx bot.Tx, q *bot.Ticket) (string, error) {
	if q.Person == "" || !q.State.Open() {
		return "", nil
	}
	ks, err := tx.CallerChecksOf(q.Person, tx.Now().Add(-askedPer))
	i := slices.IndexFunc(ks, func(k bot.CallerCheck) bool { return k.Ticket == q.ID })
	if err != nil || i < 0 || ks[i].State == bot.CheckVoid {
		return "", err
	}
	return d.o.Phrases.Phrase(d.o.Lang, "desk.card.identity."+ks[i].State.String(), "agent", oneLine(d.short(tx, ks[i].Agent)),
		"way", d.o.Phrases.Phrase(d.o.Lang, "web.desk.way."+string(ks[i].Way)), "until", d.moment(d.o.Lang, ks[i].ExpiresAt)), nil
}

// nameOf is whose ticket it is, for the desk's channels.
func (d *Desk) nameOf(tx bot.Tx, q *bot.Ticket) (string, error) {
	if q.Person != "" {
		p, err := tx.Person(q.Person)
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return "", err
		}
		if err == nil && oneLine(p.Name) != "" {
			return oneLine(p.Name), nil
		}
	}
	return d.o.Phrases.Phrase(d.o.Lang, "desk.card.somebody"), nil
}

// plainCode is a code as people read it.
func plainCode(code string) string { return oneLine(strings.ReplaceAll(masked(code), "_", " ")) }

// oneLine is a name as one harmless line.
func oneLine(s string) string { return strings.Join(strings.Fields(bot.Harmless(s)), " ") }

// tongue names a language of ours.
func (d *Desk) tongue(lang string) string {
	if !slices.Contains(d.o.Phrases.Languages(), lang) {
		return lang
	}
	return d.o.Phrases.Phrase(d.o.Lang, "web.desk.lang."+lang)
}

// tries counts the wrong codes that count now for what a person sets up or proves.
func tries(tx bot.Tx, p bot.PersonID) (n int, err error) {
	if p == "" {
		return 0, nil
	}
	ms, err := tx.Methods(p)
	asked := map[string]bool{}
	for i := 0; i < len(ms) && err == nil; i++ {
		n += ms[i].Failures
		for _, what := range []string{"enroll.", "prove."} {
			purpose := what + string(ms[i].Kind)
			if asked[purpose] || err != nil {
				continue
			}
			asked[purpose] = true
			var codes []bot.Challenge
			codes, err = tx.OpenChallenges(p, purpose, time.Hour)
			for _, c := range codes {
				n += c.Tries
			}
		}
	}
	return n, err
}
