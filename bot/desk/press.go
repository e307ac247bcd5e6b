package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"latchkey/bot"
)

// The buttons of a card, behind bot.ChoiceTicket and before the ticket's number.
var cardActs = []string{DoTake, DoSay, DoVerify, DoBack, DoNote, DoSolve}

// A cardPress is a press of somebody whose account is linked.
type cardPress struct {
	d                 *Desk
	do, ticket, check string // the last one only of DoHeard
	by                bot.PersonID
	lang              string
}

// phrase is what whoever pressed reads, in their language.
func (c *cardPress) phrase(key string, kv ...string) string {
	return c.d.o.Phrases.Phrase(c.lang, key, kv...)
}

// say is a phrase of cards.
func (c *cardPress) say(key string, kv ...string) string { return c.phrase("desk.card."+key, kv...) }

// readPress says who has pressed what. When nothing follows, c is nil, and words
// say why.
func (d *Desk) readPress(ctx context.Context, p *bot.TicketPress) (c *cardPress, words string, err error) {
	c = &cardPress{d: d}
	c.lang, _, _ = strings.Cut(strings.ToLower(strings.ReplaceAll(p.Locale, "_", "-")), "-")
	if !slices.Contains(d.o.Phrases.Languages(), c.lang) {
		c.lang = d.o.Lang
	}
	c.do, c.ticket, _ = strings.Cut(strings.TrimPrefix(p.Choice, bot.ChoiceTicket), ".")
	if c.do == DoHeard {
		c.ticket, c.check, _ = strings.Cut(c.ticket, ".")
	} else if !slices.Contains(cardActs, c.do) {
		return nil, c.say("refused.other"), nil
	}
	if d.o.Agents {
		err = d.o.Store.View(ctx, func(tx bot.Tx) (err error) { c.by, err = owner(tx, p.Channel, p.User); return err })
		if err != nil {
			return nil, "", fmt.Errorf("desk: who has pressed: %w", err)
		}
	}
	if c.by == "" {
		return nil, c.say("refused.stranger"), nil
	}
	return c, "", nil
}

// Press does what a button on a card says, for the agent whose account pressed it,
// and gives words for whoever pressed. The error is the context's or the store's.
func (d *Desk) Press(ctx context.Context, p bot.TicketPress) (words string, err error) {
	c, words, err := d.readPress(ctx, &p)
	if c == nil {
		return words, err
	}
	picked := func(n int) (a, b string) {
		if n < len(p.Picked) {
			a, b, _ = strings.Cut(p.Picked[n], " ")
		}
		return a, b
	}
	a := bot.AgentAct{Ticket: c.ticket, Do: c.do, Text: p.Text, By: c.by, Channel: p.Channel, User: p.User, Check: c.check}
	switch c.do {
	case DoBack:
		a.Flow, a.Step = picked(0)
	case DoVerify:
		act, method := picked(0)
		way, target := picked(1)
		a.Act, a.Method, a.Way, a.Target = act, bot.MethodID(method), bot.CheckWay(way), target
	}
	err = d.Do(ctx, Act{Key: string(p.Channel) + "|" + p.Key, AgentAct: a})
	switch {
	case err != nil:
		return c.refused(err)
	case c.do == DoVerify || c.do == DoHeard:
		return c.begun(ctx)
	}
	return c.say("done."+c.do, "request", c.ticket), nil
}

// cardRefusals are the codes that have words of their own on a card, and likeDesk
// those for which it says what the web desk says.
var (
	cardRefusals = []string{NotAgent, NoTicket, Taken, Closed, NotYours, Empty, TooLong, AsksSecret, HasSecret, NoChat, Gone}
	likeDesk     = []string{NoStep, NoPerson, OwnAccount, AccountOff, NoWay, TooSoon, NoReason, LongReason, NoMethod, NoCheck, NeedsSecond, OverBudget}
)

// refused says why nothing was done. An error that is no *Refusal is given back.
func (c *cardPress) refused(err error) (words string, _ error) {
	r := new(Refusal)
	switch {
	case !errors.As(err, &r):
		return "", err
	case slices.Contains(likeDesk, r.Code):
		return c.phrase("web.desk.refused."+r.Code, "most", strconv.Itoa(r.Most)), nil
	case !slices.Contains(cardRefusals, r.Code):
		return c.say("refused.other"), nil
	}
	return c.say("refused."+r.Code, "request", c.ticket, "who", cmp.Or(r.Who, c.say("another"))), nil
}

// begun says what the agent does now about the newest check of the ticket.
func (c *cardPress) begun(ctx context.Context) (words string, err error) {
	v, err := c.d.View(ctx, c.by, c.ticket)
	if err != nil {
		return c.refused(err)
	}
	k := v.Check
	if k == nil || k.Over || !k.Mine {
		return c.say("refused.other"), nil
	}
	key := "check." + k.State.String()
	if k.State == bot.CheckOpen {
		key += "." + string(k.Way)
		if c.do == DoHeard {
			key = "check.wrong"
		}
	}
	return c.say(key, "number", k.Number, "way", c.phrase("web.desk.way."+string(k.Way)), "act", k.Touch.Words(c.d.o.Phrases, c.lang), "until", c.d.moment(c.lang, k.Until)), nil
}

// AskFirst gives what a button on a card asks the agent for whose account pressed
// it. Without a form there are words for whoever pressed.
func (d *Desk) AskFirst(ctx context.Context, p bot.TicketPress) (form *bot.TicketForm, words string, err error) {
	c, words, err := d.readPress(ctx, &p)
	if c == nil {
		return nil, words, err
	}
	v, err := d.View(ctx, c.by, c.ticket)
	if err == nil {
		form, err = c.form(v)
	}
	if err != nil {
		words, err = c.refused(err)
		return nil, words, err
	}
	return form, "", nil
}

// form is what a button asks for. The error is a *Refusal when it would be refused
// whatever is entered.
func (c *cardPress) form(v *View) (*bot.TicketForm, error) {
	do := c.do
	f := &bot.TicketForm{Choice: bot.ChoiceTicket + c.do + "." + c.ticket}
	switch {
	case do == DoNote:
	case !v.Ticket.State.Open():
		return nil, refuse(Closed)
	case !v.Mine && (do != DoSay || v.Ticket.State == bot.TicketTaken):
		return nil, &Refusal{Code: NotYours, Who: v.Agent}
	case do != DoVerify && !v.Chat:
		return nil, refuse(NoChat)
	case do == DoBack:
		all := bot.TicketList{Label: c.say("form.back.label")}
		for _, s := range slices.Backward(v.Steps) { // the newest first
			all.Options = option(all.Options, s.Flow+" "+s.Step, cmp.Or(c.d.o.Title(s.Flow, s.Step, c.lang), s.Flow))
		}
		if len(all.Options) == 0 {
			return nil, refuse(NoStep)
		}
		f.Lists = append(f.Lists, all)
	case do == DoVerify:
		if k := v.Check; k != nil && k.Mine && !k.Over && k.State == bot.CheckOpen && (k.Way == bot.WayText || k.Way == bot.WayMail) {
			do = DoHeard
			f.Choice = bot.ChoiceTicket + do + "." + c.ticket + "." + k.ID
			break
		}
		what, how := bot.TicketList{Label: c.say("form.verify.what")}, bot.TicketList{Label: c.say("form.verify.how")}
		for i := range v.Touches {
			x := &v.Touches[i]
			id := x.Act
			if x.Method != nil {
				id += " " + string(x.Method.ID)
			}
			what.Options = option(what.Options, id, x.Words(c.d.o.Phrases, c.lang))
		}
		for i := range v.Ways {
			w := &v.Ways[i]
			how.Options = option(how.Options, strings.TrimSpace(string(w.Way)+" "+w.Target), w.Words(c.d.o.Phrases, c.lang))
		}
		switch {
		case v.Person == nil:
			return nil, refuse(NoPerson)
		case v.Person.ID == c.by:
			return nil, refuse(OwnAccount)
		case len(what.Options) == 0:
			return nil, refuse(NoMethod)
		case len(how.Options) == 0:
			return nil, refuse(NoWay)
		}
		f.Lists, f.Optional = append(f.Lists, what, how), true
	}
	f.Title = c.say("form." + do + ".title")
	if do != DoBack {
		f.Label = c.say("form." + do + ".label")
	}
	return f, nil
}

// option adds an entry to a list, if it is one that every platform takes.
func option(all []bot.Option, id, label string) []bot.Option {
	label = oneLine(label)
	if r := []rune(label); len(r) > bot.MaxTicketOption {
		label = string(r[:bot.MaxTicketOption-1]) + "…"
	}
	if label == "" || len(id) > bot.MaxTicketID || len(all) == bot.MaxTicketOptions {
		return all
	}
	return append(all, bot.Option{ID: id, Label: label})
}
