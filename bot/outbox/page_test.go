package outbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/outbox"
)

// pager is a platform that cannot take forms.
type pager struct{ *bottest.Adapter }

func (pager) WantsPage(m *bot.Message) bool {
	if m.Text == "panic" {
		panic("https://desk.example/private#panic")
	}
	return m.Form != nil
}

// linker makes pages and remembers them.
type linker struct {
	mu    sync.Mutex
	pages []bot.Page
	fail  []error // of the next calls
}

func (l *linker) link(ctx context.Context, p bot.Page) (bot.Secret, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := ctx.Deadline(); !ok {
		return "", errors.New("no deadline")
	}
	l.pages = append(l.pages, p)
	if len(l.fail) > 0 {
		err := l.fail[0]
		l.fail = l.fail[1:]
		return "https://desk.example/private#half", err
	}
	return bot.Secret(fmt.Sprintf("https://desk.example/private#%d", len(l.pages))), nil
}

var (
	withForm   = bot.Message{Text: "sign in", Heard: "Start", Prompt: 3, Form: &bot.Form{Name: "sign_in", Title: "Sign in", Button: "Sign in"}, Choices: []bot.Choice{{ID: "x", Label: "Other"}}}
	withSecret = bot.Message{Text: "scan", Reveal: &bot.Reveal{Kind: bot.RevealTOTP, Method: "m1"}, Picture: &bot.Picture{Alt: "QR"}, Fleeting: true}
)

// pageRig is a rig whose platform wants pages, and all that is logged.
func pageRig(t *testing.T, o outbox.Options) (*rig, *linker, *bytes.Buffer) {
	l, log := &linker{}, &bytes.Buffer{}
	chat := bottest.NewAdapter(ch)
	if o.Adapters == nil {
		o.Adapters = map[bot.ChannelID]bot.Adapter{ch: pager{chat}}
	} else {
		o.Adapters = map[bot.ChannelID]bot.Adapter{ch: chat}
	}
	if o.Linker == nil {
		o.Linker = l.link
	}
	o.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.Revealer = func(_ context.Context, rv bot.Reveal) (*bot.Revealed, error) {
		return &bot.Revealed{Key: bot.Secret("key of " + string(rv.Method))}, nil
	}
	r := newRig(t, o)
	r.chat = chat
	return r, l, log
}

func (r *rig) send(ms ...bot.Message) []bot.Delivery {
	r.t.Helper()
	before := len(r.chat.Deliveries())
	c, rows := r.storeOnly("a", ms...)
	r.box.Committed(c, rows, false)
	time.Sleep(time.Minute)
	synctest.Wait()
	return r.chat.Deliveries()[before:]
}

// secrets fails when an address or a key is stored or logged.
func (r *rig) secrets(log *bytes.Buffer) {
	r.t.Helper()
	synctest.Wait()
	b, err := json.Marshal(r.store.Rows())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, s := range []string{string(b), log.String()} {
		if strings.Contains(s, "private#") || strings.Contains(s, "key of") {
			r.t.Errorf("a secret is in %s", s)
		}
	}
}

func TestPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, l, log := pageRig(t, outbox.Options{})
		ds := r.send(bot.Message{Text: "hello"}, withForm, withSecret)
		if len(ds) != 3 || ds[0].Page != "" || string(ds[1].Page) != "https://desk.example/private#1" || ds[2].Page != "" {
			t.Fatalf("deliveries %+v", ds)
		}
		if !reflect.DeepEqual(ds[1].Message, withForm) {
			t.Errorf("the message with a page is %+v", ds[1].Message)
		}
		if ds[2].Revealed == nil || ds[2].Message.Reveal == nil {
			t.Errorf("a secret is not shown: %+v", ds[2])
		}
		want := bot.Page{Conversation: "a", Channel: ch, User: "u", Message: withForm}
		want.Message.Heard = ""
		if !reflect.DeepEqual(l.pages, []bot.Page{want}) {
			t.Errorf("pages %+v, want %+v", l.pages, want)
		}
		// Every attempt has a page of its own: the one before may have run out.
		r.chat.FailNext(bottest.Fail(bot.SendRetry), bottest.Fail(bot.SendUncertain))
		if ds := r.send(withForm); len(ds) != 1 || string(ds[0].Page) != "https://desk.example/private#4" || ds[0].Attempt != 3 {
			t.Errorf("after two failures %+v", ds)
		}
		r.secrets(log)
		r.stop()
	})
}

// Buttons and form come with the last part; the page knows the whole text.
func TestPageOfParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, l, _ := pageRig(t, outbox.Options{})
		r.chat.SetLimits(bot.Limits{Text: 20})
		m := withForm
		m.Text = "One two three four. Five six seven eight. Nine."
		ds := r.send(m)
		if len(ds) != 3 || ds[0].Page != "" || ds[1].Page != "" || string(ds[2].Page) != "https://desk.example/private#1" {
			t.Fatalf("deliveries %+v", ds)
		}
		if ds[0].Message.Heard != "Start" || ds[2].Message.Heard != "" || len(l.pages) != 1 || l.pages[0].Message.Text != m.Text {
			t.Errorf("pages %+v", l.pages)
		}
		r.stop()
	})
}

func TestSecretsOnPagesOnly(t *testing.T) {
	for _, tc := range []struct {
		name    string
		adapter map[bot.ChannelID]bot.Adapter
		page    string
	}{{"pager", nil, "https://desk.example/private#1"}, {"no pager", map[bot.ChannelID]bot.Adapter{}, ""}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, l, log := pageRig(t, outbox.Options{QRPage: true, Adapters: tc.adapter})
				ds := r.send(withSecret)
				if len(ds) != 1 || ds[0].Revealed != nil || ds[0].Message.Reveal != nil || ds[0].Message.Picture != nil || string(ds[0].Page) != tc.page {
					t.Fatalf("delivery %+v", ds)
				}
				if ds[0].Message.Text != "scan" || !ds[0].Message.Fleeting {
					t.Errorf("message %+v", ds[0].Message)
				}
				if tc.page != "" && (len(l.pages) != 1 || l.pages[0].Message.Reveal == nil || l.pages[0].Message.Reveal.Method != "m1") {
					t.Errorf("pages %+v", l.pages)
				}
				// A picture of the step stays; it is no secret.
				m := withSecret
				m.Picture = &bot.Picture{Name: "app", Alt: "An app"}
				if ds := r.send(m); len(ds) != 1 || ds[0].Message.Picture == nil || ds[0].Message.Reveal != nil {
					t.Errorf("delivery %+v", ds)
				}
				r.secrets(log)
				r.stop()
			})
		})
	}
}

func TestLinkerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, l, log := pageRig(t, outbox.Options{QRPage: true})
		down := errors.New("database gone")
		l.fail = []error{down, down}
		if ds := r.send(withForm); len(ds) != 1 || string(ds[0].Page) != "https://desk.example/private#3" || ds[0].Attempt != 3 {
			t.Errorf("after two failures %+v", ds)
		}
		for _, m := range []bot.Message{withForm, withSecret} {
			l.fail, l.pages = []error{down, down, down, down}, nil
			ds := r.send(m)
			if len(ds) != 1 || ds[0].Page != "" || ds[0].Message.Text != m.Text || ds[0].Revealed != nil || len(l.pages) != 4 {
				t.Errorf("after %d failures %+v", len(l.pages), ds)
			}
		}
		if n := strings.Count(log.String(), "message goes out without its page"); n != 2 {
			t.Errorf("the operator is told %d times", n)
		}
		if ds := r.send(bot.Message{Text: "panic"}); len(ds) != 1 || ds[0].Page != "" {
			t.Errorf("a pager that panics: %+v", ds)
		}
		l.fail = nil
		if row := r.row("a", 1); row.State != bot.OutboxSent || row.Error != "" {
			t.Errorf("row %+v", row)
		}
		r.secrets(log)
		r.stop()
	})
}

func TestNoLinker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, outbox.Options{QRPage: true})
		chat := pager{r.chat}
		r.stop()
		r.open(outbox.Options{QRPage: true, Adapters: map[bot.ChannelID]bot.Adapter{ch: chat}})
		if ds := r.send(withForm, withSecret); len(ds) != 2 || ds[0].Page != "" || ds[1].Page != "" || ds[1].Message.Reveal != nil {
			t.Errorf("deliveries %+v", ds)
		}
		r.stop()
	})
}

// taker notes how messages are taken back.
type taker struct {
	*bottest.Adapter
	took *[]bot.Delivery
}

func (a taker) Delete(_ context.Context, d bot.Delivery, _ string) error {
	*a.took = append(*a.took, d)
	return nil
}

// Every delivery has the number of its row, also what is taken back: at once,
// and after ten minutes.
func TestDeliveriesHaveTheirNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var took []bot.Delivery
		r := newRig(t, outbox.Options{})
		r.stop()
		r.open(outbox.Options{Adapters: map[bot.ChannelID]bot.Adapter{ch: taker{r.chat, &took}}})
		fleeting := bot.Message{Text: "QR", Fleeting: true}
		for i, d := range r.send(bot.Message{Text: "1"}, fleeting, bot.Message{Text: "3"}, fleeting) {
			if d.Seq != int64(i+1) {
				t.Errorf("delivery %d has the number %d", i+1, d.Seq)
			}
		}
		c, rows := r.storeOnly("a", bot.Message{Text: "5"}, fleeting)
		r.box.Committed(c, rows, true)
		time.Sleep(time.Hour)
		r.stop()
		var seqs []int64
		for _, d := range took {
			seqs = append(seqs, d.Seq)
			if d.Conversation != "a" || d.Key == "" {
				t.Errorf("taken back: %+v", d)
			}
		}
		if !reflect.DeepEqual(seqs, []int64{2, 4, 6}) {
			t.Errorf("taken back: %v", seqs)
		}
	})
}

// What a channel keeps stays readable when it was sent, and when it was taken
// back; the state says which.
func TestKeptRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, plain := range []bool{false, true} {
			r := newRig(t, outbox.Options{})
			if plain {
				r.stop()
				r.open(outbox.Options{Adapters: map[bot.ChannelID]bot.Adapter{ch: bottest.NewPlain(ch)}})
			}
			ev := &bot.Event{ID: "kept", Channel: ch, Conversation: "a", From: "u"}
			var rows []bot.OutboxRow
			var conv *bot.Conversation
			err := r.store.Turn(t.Context(), ev, func(tx bot.Tx, c *bot.Conversation) error {
				conv, rows = c, nil
				for _, m := range []bot.Message{{Text: "1", Heard: "Start"}, {Text: "2", Fleeting: true}} {
					row := bot.OutboxRow{Conversation: "a", Message: m, Keep: true}
					if err := tx.Say(&row); err != nil {
						return err
					}
					rows = append(rows, row)
				}
				return tx.SaveConversation(c)
			})
			if err != nil {
				t.Fatal(err)
			}
			r.box.Committed(conv, rows, false)
			time.Sleep(time.Minute)
			for _, want := range []bot.OutboxState{bot.OutboxSent, bot.OutboxRetracted} {
				if row := r.row("a", 1); row.State != bot.OutboxSent || row.Message.Text != "1" || row.Message.Heard != "Start" {
					t.Errorf("row %+v", row)
				}
				if row := r.row("a", 2); row.State != want || row.Message.Text != "2" {
					t.Errorf("row %+v, want state %d", row, want)
				}
				if err := r.box.Retract(t.Context(), "a"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
			}
			r.stop()
		}
	})
}
