package discord

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// A reply is the answer to one interaction: the first one, given by the gateway
// session's REST or as the response to the request, and what follows it.
type reply struct {
	a *Adapter
	i *interaction
	// first gives the first answer where the interaction came by HTTP; nil: it
	// is posted.
	first func(answer) error

	mu    sync.Mutex
	given bool
	err   error       // of giving it
	timer *time.Timer // of the deferral
}

var errAnswered = errors.New("answered already")

// give gives the first answer. Later calls fail: with errAnswered, or, when it
// could not be given, with the reason.
func (p *reply) give(ctx context.Context, w answer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.given && p.err != nil:
		return p.err
	case p.given:
		return errAnswered
	}
	p.given = true
	if p.first != nil {
		p.err = p.first(w)
		return p.err
	}
	_, p.err = p.a.do(ctx, request{method: http.MethodPost, address: discordgo.EndpointInteractionResponse(p.i.ID, p.i.Token), body: encode(w), exempt: true})
	return p.err
}

// hold gives a deferral when nothing was given after a while. The time begins
// when the interaction comes, not when it is its turn.
func (p *reply) hold(ctx context.Context, w answer) {
	p.timer = time.AfterFunc(p.a.waits.later, func() { _ = p.give(ctx, w) })
}

// stop takes the deferral back, if it was not given yet.
func (p *reply) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}

// original is the address of the first answer, or of the message that it
// updates.
func (p *reply) original() string {
	return discordgo.EndpointInteractionResponseActions(p.a.o.ApplicationID, p.i.Token)
}

// change changes the original answer.
func (p *reply) change(ctx context.Context, m message) error {
	return p.a.after(ctx, request{method: http.MethodPatch, address: p.original(), body: encode(m)})
}

// withdraw takes the original answer away.
func (p *reply) withdraw(ctx context.Context) error {
	return p.a.after(ctx, request{method: http.MethodDelete, address: p.original()})
}

// after makes a request about the first answer to an interaction, which Discord
// may not have in its hands yet.
func (a *Adapter) after(ctx context.Context, q request) error {
	q.exempt = true
	for try := 0; ; try++ {
		_, err := a.do(ctx, q)
		var no *refusal
		if err == nil || !errors.As(err, &no) || no.Status != http.StatusNotFound || try == 5 || !bot.Sleep(ctx, 200*time.Millisecond) {
			return err
		}
	}
}

// Deferrals: of a button, which shows nothing new, and of a command, which shows
// a wait to whoever gave it.
var (
	deferUpdate  = answerWith(answerLaterUpdate, nil)
	deferMessage = answerWith(answerLater, map[string]int{"flags": ephemeral})
)

// interaction deals with an interaction, and reports whether it does. It does
// not wait.
func (a *Adapter) interaction(r *run, i *interaction, p *reply) bool {
	who := i.author()
	if who == nil || who.Bot || i.Application != a.o.ApplicationID {
		return false
	}
	if i.Locale != "" {
		a.note(who.ID, func(pl *place) { pl.locale = i.Locale })
	}
	switch i.Type {
	case kindPress, kindModal:
		id, ok := readID(i.Data.CustomID)
		if ok && i.Guild != "" && strings.HasPrefix(id.choice, bot.ChoiceTicket) {
			return a.onCard(r, i, id, p)
		}
		if ok && i.Guild != "" && i.Type == kindPress && id.what == 'c' && strings.HasPrefix(id.choice, bot.ChoiceJoin) {
			p.hold(r.ctx, deferMessage)
			return r.queues.Add(who.ID, func() { a.called(r, i, bot.Event{ID: i.ID, Kind: bot.Press, Choice: id.choice}, p) })
		}
		if !ok || !i.direct() || id.what == 't' || (i.Type == kindModal) != (id.what == 'm' && entered(i) != nil) {
			return false
		}
		if id.what == 'e' { // nothing has happened yet but that a form is wanted
			return r.queues.Add("form|"+i.ID, func() {
				if err := p.give(r.ctx, answerWith(answerModal, form(id))); err != nil {
					a.o.Log.Warn("a form could not be opened", "err", err)
				}
			})
		}
		p.hold(r.ctx, deferUpdate)
		return r.queues.Add(who.ID, func() { a.pressed(r, i, id, p) })
	case kindCommand:
		if i.Data.Name != commandName {
			return false
		}
		p.hold(r.ctx, deferMessage)
		if i.direct() {
			return r.queues.Add(who.ID, func() { a.commanded(r, i, p) })
		}
		return r.queues.Add(who.ID, func() { a.called(r, i, a.command(i), p) })
	}
	return false
}

// pressed takes in a choice or a form that was sent. It runs in the person's
// queue.
func (a *Adapter) pressed(r *run, i *interaction, id pressed, p *reply) {
	who := i.author().ID
	defer p.stop()
	ev := bot.Event{ID: i.ID, Prompt: id.prompt, Address: a.addressOf(who, i)}
	name := ""
	switch i.Type {
	case kindModal:
		ev.Kind, ev.Text = bot.Text, chat.Clip(entered(i).Value)
		name = labelOf(i, func(c *component) bool { return strings.HasPrefix(c.CustomID, "e|") })
	default:
		ev.Kind, ev.Choice = bot.Press, id.choice
		name = labelOf(i, func(c *component) bool { return c.CustomID == i.Data.CustomID })
	}
	if !a.accept(r, ev, who, i.Channel) {
		return // the buttons stay; Discord shows that it did not work
	}
	a.settle(r.ctx, i, name, p)
}

// entered is the field of a form that was sent; nil: it has none of ours.
func entered(i *interaction) *component {
	return find(i.Data.Components, func(c *component) bool { return c.Type == componentText && c.CustomID == field })
}

// settle takes the buttons away and says which one it was. Failing loses nothing.
func (a *Adapter) settle(ctx context.Context, i *interaction, name string, p *reply) {
	if i.Message == nil {
		if err := p.give(ctx, answerWith(answerLaterUpdate, nil)); err != nil && !errors.Is(err, errAnswered) {
			a.o.Log.Debug("an interaction could not be answered", "err", err)
		}
		return
	}
	m := settled(i.Message.Content, name, a.o.Phrases, a.o.Language(i.Locale))
	err := p.give(ctx, answerWith(answerUpdate, m))
	if errors.Is(err, errAnswered) {
		err = p.change(ctx, m)
	}
	if err != nil && ctx.Err() == nil { // too late for an answer: it is our message all the same
		err = a.edit(ctx, i.Channel, i.Message.ID, m)
	}
	if err != nil {
		a.o.Log.Debug("a message keeps its buttons", "err", err)
	}
}

// labelOf is the label of a button of the message that an interaction is about.
func labelOf(i *interaction, ok func(*component) bool) string {
	if i.Message == nil {
		return ""
	}
	if c := find(i.Message.Components, func(c *component) bool { return c.Type == 2 && ok(c) }); c != nil {
		return oneLine(c.Label)
	}
	return ""
}

// addressOf is the address of a person who did something in the direct message
// channel. It tells nothing about which messages were taken in, unless nothing
// is known yet: then all messages from now on are new.
func (a *Adapter) addressOf(who string, i *interaction) []byte {
	at := a.note(who, func(p *place) {
		p.Channel = i.Channel
		if p.Seen == "" {
			p.Seen = i.ID
			if i.Message != nil && later(i.ID, i.Message.ID) {
				p.Seen = i.Message.ID
			}
		}
	})
	return encode(at.address)
}

// commanded takes in a command of the direct conversation.
func (a *Adapter) commanded(r *run, i *interaction, p *reply) {
	who := i.author().ID
	defer p.stop()
	ev := a.command(i)
	ev.Address = a.addressOf(who, i)
	if !a.accept(r, ev, who, i.Channel) {
		return
	}
	// A command wants an answer of its own. The real one is on its way, so this
	// one is given and taken away again.
	if err := p.give(r.ctx, deferMessage); err != nil && !errors.Is(err, errAnswered) {
		a.o.Log.Debug("a command could not be answered", "err", err)
		return
	}
	if err := p.withdraw(r.ctx); err != nil {
		a.o.Log.Debug("the answer to a command stays", "err", err)
	}
}

// alone answers where only this person sees it.
func (a *Adapter) alone(r *run, p *reply, text string) {
	m := plain(text)
	m.Flags = ephemeral
	err := p.give(r.ctx, answerWith(answerMessage, m))
	if errors.Is(err, errAnswered) {
		m.Flags = 0
		err = p.change(r.ctx, m)
	}
	if err != nil {
		a.o.Log.Debug("an interaction could not be answered", "err", err)
	}
}

// onCard deals with a button of a ticket's card, or with its form.
func (a *Adapter) onCard(r *run, i *interaction, id pressed, p *reply) bool {
	press := bot.TicketPress{Channel: a.o.Channel, User: i.author().ID, Choice: id.choice, Key: i.ID, Locale: i.Locale}
	switch asks := bot.TicketAsks(id.choice); {
	case i.Type == kindPress && id.what == 'c' && asks:
		return r.queues.Add("form|"+i.ID, func() { a.askTicket(r, i, press, p) })
	case i.Type == kindPress && id.what == 'c':
	case i.Type == kindModal && id.what == 't' && asks && id.prompt <= maxLists:
		for n := range int(id.prompt) {
			press.Picked = append(press.Picked, picked(i, n))
		}
		if in := entered(i); in != nil {
			press.Text = chat.Clip(in.Value)
		}
	default:
		return false
	}
	p.hold(r.ctx, deferMessage)
	return r.queues.Add(press.User, func() { a.pressTicket(r, i, press, p) })
}

// maxLists is how many lists a form has at most: there are five places.
const maxLists = 5

// picked is what was picked in a list of a form; empty: nothing.
func picked(i *interaction, n int) string {
	c := find(i.Data.Components, func(c *component) bool { return c.Type == componentSelect && c.CustomID == field+strconv.Itoa(n) })
	if c == nil || len(c.Values) != 1 {
		return ""
	}
	return c.Values[0]
}

// askTicket opens the form of a button on a ticket's card, or says why there is none.
func (a *Adapter) askTicket(r *run, i *interaction, press bot.TicketPress, p *reply) {
	form, words, err := a.o.House.AskTicket(r.ctx, press)
	switch {
	case err != nil:
		a.o.Log.Error("what the button of a ticket's card asks for cannot be read", "err", err)
		a.alone(r, p, a.o.Say(i.Locale, "turn.sorry"))
	case form == nil:
		a.alone(r, p, words)
	default:
		if err := p.give(r.ctx, answerWith(answerModal, ticketForm(form))); err != nil {
			a.o.Log.Warn("a form could not be opened", "err", err)
		}
	}
}

// pressTicket gives the button of a ticket's card to the desk, and its words to
// whoever pressed. It runs in the person's queue.
func (a *Adapter) pressTicket(r *run, i *interaction, press bot.TicketPress, p *reply) {
	defer p.stop()
	words, err := a.o.House.PressTicket(r.ctx, press)
	if err != nil {
		a.o.Log.Error("the button of a ticket's card was not taken in", "err", err)
		words = a.o.Say(i.Locale, "turn.sorry")
	}
	a.alone(r, p, words)
}

// called takes in what somebody did in a server, or in a conversation with others: the
// bot answers where only this person sees it, and goes on in private.
func (a *Adapter) called(r *run, i *interaction, ev bot.Event, p *reply) {
	who := i.author().ID
	defer p.stop()
	say := func(key string) { a.alone(r, p, a.o.Say(i.Locale, key)) }
	at, key := a.inPrivate(r.ctx, who, i.ID)
	if at == nil {
		say(key)
		return
	}
	a.doors.Set(who, door{i.Token, time.Now().Add(doorLife)})
	if ev.Address = at; !a.accept(r, ev, who, "") {
		return
	}
	if ev.Kind != bot.Open {
		key = "chat.command.moved"
	}
	say(key)
}

// command is the event that a command stands for.
func (a *Adapter) command(i *interaction) bot.Event {
	ev := bot.Event{ID: i.ID, Kind: bot.Open}
	for _, o := range i.Data.Options {
		var word string
		if o.Name == optionName && json.Unmarshal(o.Value, &word) == nil && word != "" && word != start {
			ev.Kind, ev.Text = bot.Text, chat.Clip(harmless(word))
		}
	}
	return ev
}
