package terminal

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

var _ bot.Opener = (*Adapter)(nil)

// Options of an Adapter. Channel, User, In, Out, Dir and Phrases are required.
type Options struct {
	Channel bot.ChannelID
	User    string // who sits here; stable, so that the conversation is found again
	Locale  string // BCP 47 tag or empty; a hint for the engine
	Lang    string // language of the words around the conversation until the bot speaks

	In    io.Reader
	Out   io.Writer
	Plain bool // lines in and out; implied when In or Out is not a terminal

	Dir     string // folder for QR pictures; made when missing, mode 0700
	Phrases bot.Phrases
	Device  bot.PretendPhone // the pretend phone; nil = none
	Title   string           // name shown for the bot; default "Latchkey"
	Intro   string           // shown once before the conversation, may be empty

	// Reveal opens what a form shows once, for example recovery codes. Nil =
	// such forms cannot be shown here.
	Reveal func(ctx context.Context, conv bot.ConversationID, form string) ([]bot.Secret, error)

	Now      func() time.Time // default time.Now
	Patience time.Duration    // how long plain mode holds the next line back for an answer; default 5 s
	Log      *slog.Logger     // default: discard
}

// An Adapter is the terminal as a channel. It implements bot.Adapter,
// bot.Deleter, bot.Opener and bot.Pager.
type Adapter struct {
	o    Options
	run  string // random, so that event ids differ from run to run
	n    atomic.Uint64
	pics pictures
	face face
	left atomic.Bool // Run has ended
}

// A face shows the conversation. show and retract are safe for concurrent use
// and may be called before run.
type face interface {
	run(ctx context.Context, in bot.Inbox) error
	show(m *shown) error
	retract(receipt string, hadFile bool)
}

// shown is a delivery as a face needs it.
type shown struct {
	bot.Message
	revealed *bot.Revealed
	receipt  string
	file     string     // path of the QR picture, or empty
	page     bot.Secret // address of a one-time page, or empty
}

// pageOnly reports whether the message's form cannot be filled in here.
func pageOnly(m *bot.Message) bool { return m.Form != nil && m.Form.SignIn }

// New checks the options and makes an adapter. It does no input or output yet,
// except for making Dir and emptying it of pictures that a killed run left.
func New(o Options) (*Adapter, error) {
	switch {
	case o.Channel == "" || o.User == "":
		return nil, errors.New("terminal: channel and user are needed")
	case o.In == nil || o.Out == nil:
		return nil, errors.New("terminal: an input and an output are needed")
	case o.Phrases == nil:
		return nil, errors.New("terminal: phrases are needed")
	case o.Dir == "":
		return nil, errors.New("terminal: a folder for pictures is needed")
	}
	o.Title = cmp.Or(o.Title, "Latchkey")
	if o.Lang == "" {
		if ls := o.Phrases.Languages(); len(ls) > 0 {
			o.Lang = ls[0]
		}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Patience = cmp.Or(o.Patience, 5*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if !IsTerminal(o.In) || !IsTerminal(o.Out) {
		o.Plain = true
	}
	a := &Adapter{o: o, run: rand.Text(), pics: pictures{dir: o.Dir}}
	if err := a.pics.prepare(); err != nil {
		return nil, err
	}
	if o.Plain {
		a.face = newPlain(a)
	} else {
		a.face = newRich(a)
	}
	return a, nil
}

// Channel implements bot.Adapter.
func (a *Adapter) Channel() bot.ChannelID { return a.o.Channel }

// WantsPage implements bot.Pager: the organisation's sign-in needs a browser.
// All other forms are filled in here, unseen.
func (a *Adapter) WantsPage(m *bot.Message) bool { return pageOnly(m) }

// Limits implements bot.Adapter: a terminal has none.
func (a *Adapter) Limits() bot.Limits { return bot.Limits{} }

// Conversation is the one conversation that a terminal holds.
func (a *Adapter) Conversation() bot.ConversationID {
	return bot.ConversationID(string(a.o.Channel) + ":" + a.o.User)
}

// Run opens the conversation and passes on what the person does until they
// leave (end of input, /quit, Ctrl+C) or ctx ends. Leaving is not an error. QR
// pictures are deleted at the end: whoever comes back is shown a fresh one.
func (a *Adapter) Run(ctx context.Context, in bot.Inbox) error {
	defer a.pics.removeAll()
	defer a.left.Store(true)
	return a.face.run(ctx, in)
}

// Send implements bot.Adapter. It shows the message and returns at once. After
// the person left it fails, so that the message waits for the next time.
func (a *Adapter) Send(_ context.Context, d bot.Delivery) (bot.Receipt, error) {
	if a.left.Load() {
		return bot.Receipt{}, &bot.SendError{Kind: bot.SendRetry, Err: errors.New("terminal: nobody is here any more")}
	}
	m := &shown{Message: d.Message, revealed: d.Revealed, receipt: "m-" + d.Key, page: d.Page}
	if d.Revealed != nil && len(d.Revealed.PNG) > 0 {
		name, path, err := a.pics.write(d.Revealed.PNG)
		if err != nil {
			// The picture is one of three ways; the others still work.
			a.o.Log.Warn("qr picture not written", "err", err)
		} else {
			m.receipt, m.file = name, path
		}
	}
	if err := a.face.show(m); err != nil {
		return bot.Receipt{}, &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("terminal: write: %w", err)}
	}
	return bot.Receipt{ID: m.receipt}, nil
}

// Open implements bot.Opener: who sits at a terminal has opened it.
func (a *Adapter) Open(context.Context, bot.Recipient) (bot.Opened, error) {
	return bot.Opened{}, chat.NotReached("terminal", bot.WhyNoPush, "whoever sits there has opened the conversation; nobody can be written to there first")
}

// Delete implements bot.Deleter: the picture file goes, and the picture on the
// screen where the screen is ours.
func (a *Adapter) Delete(_ context.Context, _ bot.Delivery, receipt string) error {
	had, err := a.pics.remove(receipt)
	if err != nil {
		return &bot.SendError{Kind: bot.SendRetry, Err: err}
	}
	if a.left.Load() {
		return nil
	}
	a.face.retract(receipt, had)
	return nil
}

// event begins an event of this conversation.
func (a *Adapter) event(kind bot.EventKind) bot.Event {
	return bot.Event{
		ID:           a.run + "-" + strconv.FormatUint(a.n.Add(1), 10),
		Channel:      a.o.Channel,
		Conversation: a.Conversation(),
		From:         a.o.User,
		At:           a.o.Now().UTC(),
		Kind:         kind,
		Locale:       a.o.Locale,
	}
}

// text makes a Text event. Much longer text than anybody looks at is cut, so
// that a huge paste costs no memory further on; it is still too long.
func (a *Adapter) text(s string) bot.Event {
	ev := a.event(bot.Text)
	ev.Text = chat.Clip(s)
	return ev
}

// submit makes a Submit event.
func (a *Adapter) submit(f *bot.Form, prompt uint32, values []bot.FormValue) bot.Event {
	ev := a.event(bot.Submit)
	ev.Prompt = prompt
	ev.Form = &bot.FormReply{Name: f.Name, Values: values}
	return ev
}

// IsTerminal reports whether v is a file that is a terminal.
func IsTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
