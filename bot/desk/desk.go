package desk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/bot"
	"latchkey/bot/calendar"
)

// Turns is where acts of agents become events.
type Turns interface {
	Accept(ctx context.Context, ev bot.Event) error
}

// Options of a Desk. None is needed for one that only takes requests down; with
// Agents, all but Hours and Logger are.
type Options struct {
	Agents  bool // agents answer in the chat; else there is a number for the telephone
	Store   bot.Store
	Vault   bot.Vault
	Phrases bot.Phrases
	Hours   *calendar.Hours // nil: the desk is always open
	Zone    *time.Location  // of days and times at a desk without hours. nil: UTC
	Targets Targets
	// Silence is after how long without an answer of the agent who has it a ticket
	// goes back into the queue. 0: 10 minutes.
	Silence time.Duration
	// Begins reports what is wrong with an order to go on at a step; see flows.
	Begins func(s *bot.Session, b *bot.Begin) error
	// Where names the step that a stored session is at, for the desk.
	Where func(state []byte, lang string) (flow, title, progress string)
	// Session reads a stored session.
	Session func(state []byte) (bot.Session, error)
	// Anonymous is the channel that opens to whoever signs in: the web chat. Callers
	// are not asked there.
	Anonymous bot.ChannelID
	// Reads reports whether what is said in a conversation is read, or can be. Nil: it is.
	Reads func(tx bot.Tx, c *bot.Conversation) (bool, error)
	// Sends reports whether something can be sent in a way. Nil: everything can.
	Sends func(bot.Via) bool
	// Methods changes methods and asks people. Nil: agents can do neither.
	Methods Methods
	// Registrar says that a report tells who is an administrator
	// (bot.Registration). Who has no line of it is taken for one, unless the
	// licence has no report at all.
	Registrar bool
	// Acts is how many acts that touch methods one agent does in a day. 0: 20.
	Acts int
	// Alert raises an alert and has operators told. Nil: it is only kept.
	Alert func(tx bot.Tx, kind bot.AlertKind, p bot.PersonID, detail string) error
	// Of the second factor of agents (see Own): the checks that prove somebody, how
	// old a method must be that was added since, and who notes what was shown.
	Checks     func(name string) bot.CheckSpec
	HoldNew    time.Duration
	NoteSecond func(tx bot.Tx, session, next []byte) error
	// Outside learns of every ticket (see Told). Nil: nobody does.
	Outside bot.OutsideDesk
	Mail    Mail   // see Mailed
	Rooms   []Room // where each ticket has a card; see Shown
	// Of mails and cards.
	Lang   string
	Title  func(flow, step, lang string) string // names a step
	Link   func(ticket string) string           // address of a ticket's page; nil: there is none
	Logger *slog.Logger                         // nil: silent
}

// Methods is who keeps methods and reaches people: package enroll.
type Methods interface {
	// OneAtATime lets one transaction at a time change methods or freeze somebody.
	OneAtATime(tx bot.Tx) error
	ExpireMethod(tx bot.Tx, p bot.PersonID, m bot.MethodID, by, why string) error
	MethodAgain(tx bot.Tx, p bot.PersonID, m bot.MethodID, by, why string) error
	AllAgain(tx bot.Tx, p bot.PersonID, by, why string) error
	// AgainIsAll reports whether MethodAgain would be AllAgain.
	AgainIsAll(tx bot.Tx, p bot.PersonID, m bot.MethodID) (bool, error)
	// BeginsAgain tells the person everywhere that AllAgain is to come.
	BeginsAgain(tx bot.Tx, p bot.PersonID) error
	EndFreeze(tx bot.Tx, p bot.PersonID, by, why string) error
	// Deny freezes somebody who says in a conversation that they are not the caller.
	Deny(tx bot.Tx, p bot.PersonID, c *bot.Conversation, lang string) error
	// SendWords makes one attempt. An error that no repeat can mend is a *bot.DropJob.
	SendWords(ctx context.Context, id string, to bot.MethodID, lang string, words bot.Secret) error
}

// Desk keeps tickets. It implements turn.Desk.
type Desk struct {
	o     Options
	turns Turns

	rest rest        // of Outside
	well atomic.Bool // Outside has taken what was told last

	looked looked // of LookAround

	mu       sync.Mutex
	watchers map[chan string]bool
}

// New makes a Desk.
func New(o Options) *Desk {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Silence <= 0 {
		o.Silence = 10 * time.Minute
	}
	if o.Sends == nil {
		o.Sends = func(bot.Via) bool { return true }
	}
	if o.Reads == nil {
		o.Reads = func(bot.Tx, *bot.Conversation) (bool, error) { return true, nil }
	}
	if o.Acts <= 0 {
		o.Acts = 20
	}
	return &Desk{o: o, watchers: map[chan string]bool{}}
}

// Connect says where events go. It is called once, before anybody acts.
func (d *Desk) Connect(t Turns) { d.turns = t }

// Specs declares the checks.
func (d *Desk) Specs() []bot.CheckSpec {
	return []bot.CheckSpec{
		{Name: "desk.open", Doc: "ask for a person (slot need: what for)", Frozen: true, Run: d.open,
			Outcomes: bot.Outcomes("new request", "known request", "who", "queued request place wait", "waiting request place wait", "away request place", "closed request opens", "talking request")},
		{Name: "desk.contact", Doc: "note how somebody can be reached of whom nothing is known (input)", Frozen: true, Run: d.contact,
			Outcomes: bot.Outcomes("ok", "empty")},
		{Name: "desk.cancel", Doc: "no person is needed any more", Frozen: true, Run: d.cancel, Outcomes: bot.Outcomes("ok request", "none")},
		{Name: "desk.rate", Doc: "how the help was (slot rating: good, so_so or bad)", Frozen: true, Run: d.rate, Outcomes: bot.Outcomes("ok")},
	}
}

// Forms declares no forms.
func (d *Desk) Forms() []bot.FormSpec { return nil }

// Changed tells whoever watches that a ticket was changed, in this process or
// another. It returns at once.
func (d *Desk) Changed(ticket string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for w := range d.watchers {
		select {
		case w <- ticket:
		default: // it is behind, and reads everything anew then
		}
	}
}

// Watch gives the numbers of tickets that are changed from now on. Whoever is
// slow misses some. leave ends it.
func (d *Desk) Watch() (changed <-chan string, leave func()) {
	w := make(chan string, 64)
	d.mu.Lock()
	d.watchers[w] = true
	d.mu.Unlock()
	return w, sync.OnceFunc(func() {
		d.mu.Lock()
		delete(d.watchers, w)
		d.mu.Unlock()
	})
}

// belongs reports whether a ticket is of the person who is in a conversation now:
// chat accounts and browsers change hands. One of somebody unknown is its
// conversation's.
func belongs(q *bot.Ticket, c *bot.Conversation) bool {
	return q.Person == "" || c.Level >= bot.L2 && c.Person == q.Person
}

// here finds the open ticket of a conversation that is the person's who is there
// now. One of somebody else leaves the conversation and stays in the queue, as one
// of no chat. The error wraps bot.ErrNotFound when there is none.
func (d *Desk) here(tx bot.Tx, c *bot.Conversation) (*bot.Ticket, error) {
	q, err := tx.TicketOf(c.ID)
	if err != nil || belongs(q, c) {
		return q, err
	}
	q.Conversation = bot.ConversationID("ticket|" + q.ID)
	if err := tx.PutTicket(q); err != nil {
		return nil, err
	}
	if err := d.line(tx, q, bot.LineEvent, "", "moved_away", ""); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("desk: the ticket of conversation %q is another person's: %w", c.ID, bot.ErrNotFound)
}

// Ask takes down that somebody needs a person, and returns the ticket's number,
// or that of the one that the conversation has open already.
func Ask(tx bot.Tx, q bot.Ticket) (id string, known bool, err error) {
	old, err := tx.TicketOf(q.Conversation)
	if err == nil {
		return old.ID, true, nil
	}
	if !errors.Is(err, bot.ErrNotFound) {
		return "", false, fmt.Errorf("desk: ticket of the conversation: %w", err)
	}
	if q.Matter == "" {
		q.Matter = q.Flow
	}
	if q.ID, err = number(tx); err != nil {
		return "", false, err
	}
	q.Words = words()
	if err := tx.PutTicket(&q); err != nil {
		return "", false, fmt.Errorf("desk: open ticket: %w", err)
	}
	if err := tx.AddLine(&bot.TicketLine{Ticket: q.ID, Kind: bot.LineEvent, Code: "asked"}); err != nil {
		return "", false, fmt.Errorf("desk: open ticket: %w", err)
	}
	return q.ID, false, nil
}

// alphabet is Crockford's base 32: no letter that is misheard for a digit.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// number makes an id like K7M-2QP that no ticket has.
func number(tx bot.Tx) (string, error) {
	for {
		var b [6]byte
		rand.Read(b[:])
		for i := range b {
			b[i] = alphabet[b[i]&31]
		}
		id := string(b[:3]) + "-" + string(b[3:])
		switch _, err := tx.Ticket(id); {
		case errors.Is(err, bot.ErrNotFound):
			return id, nil
		case err != nil:
			return "", fmt.Errorf("desk: a number for a ticket: %w", err)
		}
	}
}

// spoken are words that are said alike in both languages and mistaken for no
// other of them.
const spoken = `alfa bravo delta piano radio tango violin cacao panda koala kiwi mango papaya banana tomate limon melon coral jade rubi
	opal zafiro lince puma llama bambi tigre cobra delfin pelican canario flamenco gorila polar solar lunar cometa galaxia planeta
	oasis volcan glaciar delta atlas taxi metro tren avion canoa kayak yate ancla faro puerto canal laguna isla bahia costa
	salsa vals tambor arpa flauta banjo cello poema novela drama opera circo mago payaso carnaval festival`

// words draws the two words that both sides see.
func words() string {
	list := strings.Fields(spoken)
	var b [4]byte
	rand.Read(b[:])
	one, two := (int(b[0])<<8|int(b[1]))%len(list), (int(b[2])<<8|int(b[3]))%len(list)
	if list[one] == list[two] {
		two = (two + 1) % len(list)
	}
	return list[one] + " " + list[two]
}

// seal is text as a ticket keeps it.
func (d *Desk) seal(q *bot.Ticket, text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	return d.o.Vault.Seal([]byte(text), q.Place())
}

// unseal is what a ticket has kept, as it may be shown; empty when it cannot be opened.
func (d *Desk) unseal(q *bot.Ticket, sealed []byte) string {
	if len(sealed) == 0 {
		return ""
	}
	plain, err := d.o.Vault.Open(sealed, q.Place())
	if err != nil {
		d.o.Logger.Error("what a ticket keeps cannot be opened; is its key in the key file?", "ticket", q.ID, "err", err)
		return ""
	}
	return bot.Harmless(string(plain))
}

// line adds a line to a ticket.
func (d *Desk) line(tx bot.Tx, q *bot.Ticket, kind bot.LineKind, by bot.PersonID, code, text string) error {
	body, err := d.seal(q, text)
	if err == nil {
		err = tx.AddLine(&bot.TicketLine{Ticket: q.ID, Kind: kind, By: by, Code: code, Body: body})
	}
	if err != nil {
		return fmt.Errorf("desk: add to ticket %s: %w", q.ID, err)
	}
	return nil
}
