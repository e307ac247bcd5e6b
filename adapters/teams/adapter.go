package teams

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// An Adapter connects one organisation's Teams. It is safe for concurrent use.
type Adapter struct {
	*chat.Base
	o          Options
	cloud      cloud
	client     *http.Client
	keys       *keys
	credential *credential
	graph      *credential // for Microsoft Graph, with Options.CatalogApp

	people  chat.Recent[acquaintance]
	prompts chat.Recent[uint32] // the newest prompt that was sent to a conversation
	told    chat.Seldom         // who was told something beside the conversation
	signs   chat.Signs          // typing
	replies replies             // responses that carry an answer

	run chat.Runner // activities under way, and what follows them
}

var (
	_ chat.Adapter = (*Adapter)(nil)
	_ bot.Resumer  = (*Adapter)(nil)
)

// New makes an adapter and opens no connection. Its errors are for operators.
func New(o Options) (*Adapter, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	a := &Adapter{o: o, cloud: clouds[o.Cloud], client: newClient(&o), Base: chat.NewBase(&o.Options, limits, sends, newPace(&o))}
	a.Trouble.Log, a.Trouble.Fix = o.Log, "`latchkey doctor` says what to do"
	a.keys = newKeys(&a.o, a.client)
	a.credential = newCredential(&a.o, a.cloud, a.client)
	a.graph = newGraph(&a.o, a.client)
	return a, nil
}

// Run implements bot.Adapter. What people do comes in by Handler; Run opens it
// and closes it.
func (a *Adapter) Run(ctx context.Context, in bot.Inbox) error {
	if a.o.Emulator {
		a.o.Log.Warn("emulator mode: messages are taken without any proof of who sent them; only programs on this machine can send them. Never use it with real people",
			"channel", a.o.Channel, "listens", a.o.Listen)
	}
	ctx, end, err := a.run.Start(ctx, in)
	if err != nil {
		return fmt.Errorf("teams: %w", err)
	}
	defer end()
	if a.o.Emulator {
		<-ctx.Done()
		return nil
	}
	a.keys.keep(ctx, func(err error) {
		if err != nil {
			a.ill("keys", fmt.Errorf("%w: %w", errKeys, err))
			return
		}
		a.well("keys")
	})
	return nil
}

// startWait is how long an activity that comes while the program starts waits
// for Run. Teams waits 15 seconds for an answer.
const startWait = 10 * time.Second

// Send implements bot.Adapter.
func (a *Adapter) Send(ctx context.Context, d bot.Delivery) (bot.Receipt, error) {
	r, err := a.send(ctx, d)
	shows := d.Message.Picture != nil && d.Message.Picture.Name != "" || d.Revealed != nil && len(d.Revealed.PNG) > 0
	var no *refusal
	switch {
	case !shows:
	case err == nil:
		a.well("pictures")
	case errors.As(err, &no) && no.status == http.StatusRequestEntityTooLarge:
		// The picture is what makes it large; the words are within the limits.
		a.ill("pictures", fmt.Errorf("a message with its picture is refused, so people get it in words, and the key to type in place of a QR code: %w", err))
		return a.send(ctx, d.WithoutPicture(a.o.Phrases, a.o.Lang))
	}
	return r, err
}

func (a *Adapter) send(ctx context.Context, d bot.Delivery) (bot.Receipt, error) {
	a.signs.Said(string(d.Conversation))
	to, err := a.readAddress(d.Address)
	if err != nil {
		return bot.Receipt{}, &bot.SendError{Kind: bot.SendGone, Code: "unreachable", Err: err}
	}
	if to.Channel != "" {
		return a.say(ctx, &d, to)
	}
	m := d.Message
	out, err := render(&m, frame{phrases: a.o.Phrases, lang: a.o.Lang, revealed: d.Revealed, page: d.Page, inline: a.o.Emulator, picture: a.o.Picture})
	if err != nil {
		return bot.Receipt{}, &bot.SendError{Kind: bot.SendPermanent, Code: "refused", Err: err}
	}
	body, err := to.envelope(out, a.o.BotName)
	if err != nil {
		return bot.Receipt{}, &bot.SendError{Kind: bot.SendPermanent, Err: err}
	}
	if m.Fleeting {
		a.replies.pass(d.Conversation)
	}
	id, ok, err := a.replies.carry(ctx, d.Conversation, body)
	if !ok {
		id, err = a.post(ctx, to, body)
	}
	if err != nil {
		return bot.Receipt{}, err
	}
	if m.Prompt > 0 {
		a.prompts.Set(string(d.Conversation), m.Prompt)
	}
	return bot.Receipt{ID: id}, nil
}

// post sends an activity when its turn has come. It fails with *bot.SendError.
func (a *Adapter) post(ctx context.Context, to *address, body []byte) (id string, err error) {
	if err := a.myTurn(ctx, to); err != nil {
		return "", err
	}
	var made struct {
		ID string `json:"id"`
	}
	if err := a.call(ctx, http.MethodPost, to.Service, to.activities(""), body, &made); err != nil {
		return "", a.noted(fault(err))
	}
	a.well("connector")
	return made.ID, nil
}

// myTurn waits for the rates. It fails with *bot.SendError.
func (a *Adapter) myTurn(ctx context.Context, to *address) error {
	return chat.Error(a.Rates.Turn(ctx, time.Now(), sends, to.Conversation))
}

// envelope writes an activity with who it is from and for.
func (to *address) envelope(out *outgoing, name string) ([]byte, error) {
	o := *out
	o.From, o.Recipient, o.Conversation = &party{ID: to.Bot, Name: name}, &party{ID: to.User}, &party{ID: to.Conversation}
	return encode(&o)
}

// Delete implements bot.Deleter. Where messages cannot be deleted, as in the
// Agents Playground, nothing is left of it but a line that says so.
func (a *Adapter) Delete(ctx context.Context, d bot.Delivery, receipt string) error {
	to, err := a.readAddress(d.Address)
	if err != nil {
		return &bot.SendError{Kind: bot.SendGone, Err: err}
	}
	if len(receipt) > 256 || !receiptShape.MatchString(receipt) {
		return chat.Refused("teams: not the id of a message")
	}
	to = to.with(receipt)
	if err := a.myTurn(ctx, to); err != nil {
		return err
	}
	err = a.call(ctx, http.MethodDelete, to.Service, to.activities(receipt), nil, nil)
	var r *refusal
	switch {
	case err == nil, errors.As(err, &r) && (r.status == http.StatusNotFound || r.status == http.StatusGone):
		return nil
	case r == nil || r.status != http.StatusMethodNotAllowed && r.status != http.StatusNotImplemented && r.status != http.StatusBadRequest && r.status != http.StatusInternalServerError:
		return a.noted(fault(err))
	}
	c := newCard(d.Message.Lang)
	f := frame{phrases: a.o.Phrases, lang: a.o.Lang}
	c.line("", run{Text: f.say(d.Message.Lang, "chat.picture.gone"), Subtle: true})
	c.Fallback = f.say(d.Message.Lang, "chat.picture.gone")
	if instead := a.replace(ctx, to, receipt, c.activity(c.Fallback)); instead != nil {
		return a.noted(fault(err))
	}
	return nil
}

// replace puts another message in the place of one of ours.
func (a *Adapter) replace(ctx context.Context, to *address, id string, out *outgoing) error {
	body, err := to.envelope(out, a.o.BotName)
	if err != nil {
		return err
	}
	return a.call(ctx, http.MethodPut, to.Service, to.activities(id), body, nil)
}

// Typing implements bot.Typer.
func (a *Adapter) Typing(ctx context.Context, to []byte) error {
	x, err := a.readAddress(to)
	if err != nil {
		return err
	}
	if x.Channel != "" { // Teams shows none there
		return nil
	}
	if !a.Rates.Spare(ctx, time.Now(), sends, x.Conversation) {
		return nil
	}
	body, err := x.envelope(&outgoing{Type: "typing"}, a.o.BotName)
	if err != nil {
		return err
	}
	return a.call(ctx, http.MethodPost, x.Service, x.activities(""), body, nil)
}

// noted remembers for Health what a failure says about the connection.
func (a *Adapter) noted(e *bot.SendError) error {
	if e.Kind == bot.SendRetry || e.Kind == bot.SendUncertain {
		a.ill("connector", e.Err)
	} else {
		a.well("connector")
	}
	return e
}

// ill notes that something does not work ("token", "keys", "connector" or
// "pictures"), well that it does.
func (a *Adapter) ill(what string, err error) {
	a.Trouble.Begin(what, fmt.Sprintf("%s: %v", what, err))
}

func (a *Adapter) well(what string) { a.Trouble.End(what) }
