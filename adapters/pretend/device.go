package pretend

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"latchkey/bot"
)

// Options of a Device.
type Options struct {
	Demo    bool        // must be true: the files hold codes and keys in clear
	Dir     string      // the demo's data folder; must exist
	From    string      // the organisation, as the phone shows the sender
	Facts   []bot.Fact  // fill the texts: "org", ...
	Phrases bot.Phrases // sms.*, voice.*, mail.code.*, digit.0 to digit.9
	Now     func() time.Time
}

// A Device is a pretend phone and mailbox: a bot.Sender for every way a code
// travels, a bot.Notifier, and an authenticator app. It is safe for concurrent
// use.
type Device struct {
	o Options

	mu       sync.Mutex
	inbox    *journal
	items    []bot.PhoneItem
	index    map[string]int // ID to place in items
	watchers map[int]func(bot.PhoneItem)
	watched  int
	app      *journal
	accounts []account
}

var (
	_ bot.Sender   = (*Device)(nil)
	_ bot.Notifier = (*Device)(nil)
	_ bot.Texter   = (*Device)(nil)

	_ bot.PretendPhone = (*Device)(nil)
)

// A repeat is the line of an item that came again.
type repeat struct {
	ID     string    `json:"id"`
	Repeat bool      `json:"repeat"`
	Other  bool      `json:"other,omitempty"` // its text is not the one that came first
	At     time.Time `json:"at"`
}

// New opens the device in its folder, with all that it got before.
func New(o Options) (*Device, error) {
	if !o.Demo {
		return nil, errors.New("pretend: the pretend phone keeps codes in clear and is for the demo only; configure smtp and twilio")
	}
	if o.Dir == "" || o.Phrases == nil {
		return nil, errors.New("pretend: dir and phrases are required")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &Device{o: o, index: map[string]int{}, watchers: map[int]func(bot.PhoneItem){}}
	var err error
	if d.inbox, err = openJournal(filepath.Join(o.Dir, "inbox.jsonl"), d.load); err != nil {
		return nil, err
	}
	if d.app, err = openJournal(filepath.Join(o.Dir, "authenticator.jsonl"), d.loadAccount); err != nil {
		_ = d.inbox.close()
		return nil, err
	}
	return d, nil
}

// Close closes the files.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Join(d.inbox.close(), d.app.close())
}

func (d *Device) load(line []byte) error {
	var l struct {
		bot.PhoneItem
		Repeat bool `json:"repeat"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return err
	}
	at, known := d.index[l.ID]
	switch {
	case known:
		d.items[at].Repeats++
	case !l.Repeat:
		l.From = d.o.From
		d.index[l.ID] = len(d.items)
		d.items = append(d.items, l.PhoneItem)
	}
	return nil
}

// SendCode delivers a code. It fails with *bot.SendError.
func (d *Device) SendCode(ctx context.Context, m bot.CodeMessage) (string, error) {
	left := m.Expires.Sub(d.o.Now())
	if left <= 0 {
		return "", &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("pretend: the code ran out before it was sent")}
	}
	kv := []string{"code", string(m.Code), "minutes", strconv.Itoa(max(1, int(left.Round(time.Minute)/time.Minute)))}
	it := bot.PhoneItem{ID: "code|" + m.ID, To: string(m.To), Code: string(m.Code), Lang: m.Lang}
	switch m.Via {
	case bot.SMS:
		it.Kind, it.Text = bot.PhoneText, d.phrase(m.Lang, "sms."+m.Purpose, kv...)
	case bot.Voice:
		it.Kind, it.Text = bot.PhoneCall, d.spoken(m.Lang, string(m.Code))
	case bot.Mail:
		it.Kind = bot.PhoneMail
		kv = append(kv, "why", d.phrase(m.Lang, "mail.code.why."+m.Purpose))
		it.Subject, it.Text = d.phrase(m.Lang, "mail.code.subject", kv...), d.phrase(m.Lang, "mail.code.body", kv...)
	default:
		return "", &bot.SendError{Kind: bot.SendPermanent, Err: fmt.Errorf("pretend: nothing travels by %q", m.Via)}
	}
	if err := d.deliver(ctx, it); err != nil {
		return "", err
	}
	return "pretend|" + m.ID, nil
}

// SendNotice delivers a notice. It fails with *bot.SendError.
func (d *Device) SendNotice(ctx context.Context, n bot.NoticeMessage) error {
	return d.deliver(ctx, bot.PhoneItem{ID: "notice|" + n.ID, Kind: bot.PhoneMail, To: n.To, Subject: n.Subject, Text: n.Body, Lang: n.Lang})
}

// SendText delivers a notice by text. It fails with *bot.SendError.
func (d *Device) SendText(ctx context.Context, m bot.TextMessage) error {
	return d.deliver(ctx, bot.PhoneItem{ID: "notice|" + m.ID, Kind: bot.PhoneText, To: string(m.To), Text: m.Text, Lang: m.Lang})
}

// spoken is what a call says once 1 was pressed: the code in words, twice.
func (d *Device) spoken(lang, code string) string {
	words := make([]string, 0, len(code))
	for _, c := range code {
		words = append(words, d.phrase(lang, "digit."+string(c)))
	}
	said := strings.Join(words, ", ") + "."
	return strings.Join([]string{d.phrase(lang, "voice.code"), said, d.phrase(lang, "voice.again"), said, d.phrase(lang, "voice.bye")}, " ")
}

func (d *Device) phrase(lang, key string, more ...string) string {
	kv := make([]string, 0, 2*len(d.o.Facts)+len(more))
	for _, f := range d.o.Facts {
		kv = append(kv, f.Name, f.Value)
	}
	return d.o.Phrases.Phrase(lang, key, append(kv, more...)...)
}

// deliver keeps it, then tells the watchers. What came before under the same
// ID is only counted.
func (d *Device) deliver(ctx context.Context, it bot.PhoneItem) error {
	if err := ctx.Err(); err != nil {
		return &bot.SendError{Kind: bot.SendRetry, Err: err}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	it.From, it.At = d.o.From, d.o.Now().UTC()
	if at, known := d.index[it.ID]; known {
		if err := d.inbox.add(repeat{ID: it.ID, Repeat: true, Other: it.Text != d.items[at].Text, At: it.At}); err != nil {
			return &bot.SendError{Kind: bot.SendRetry, Err: err}
		}
		d.items[at].Repeats++
		return nil
	}
	if err := d.inbox.add(it); err != nil {
		return &bot.SendError{Kind: bot.SendRetry, Err: err}
	}
	d.index[it.ID] = len(d.items)
	d.items = append(d.items, it)
	for _, tell := range d.watchers {
		tell(it)
	}
	return nil
}

// Items lists all that arrived, oldest first.
func (d *Device) Items() []bot.PhoneItem {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]bot.PhoneItem(nil), d.items...)
}

// Watch has tell called with each new item, in order, until stop is called. A
// repeat is not told. tell must be quick and must not call the device.
func (d *Device) Watch(tell func(bot.PhoneItem)) (stop func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.watched++
	no := d.watched
	d.watchers[no] = tell
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.watchers, no)
	}
}
