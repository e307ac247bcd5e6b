package adaptertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	qrcode "github.com/skip2/go-qrcode"

	"latchkey/bot"
)

// A House stands for all that lies behind an adapter: the inbox, the rows of
// the outbox, and what the rooms reveal. It takes down what it was given. It is
// safe for concurrent use.
type House struct {
	// Log is what the adapter gets. No value may stand in it.
	Log *slog.Logger

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at every change
	calls    []bot.Event   // all that Accept was called with
	events   []bot.Event   // accepted, without repeats
	seen     map[string]bool
	fails    int
	holds    map[string]chan struct{} // by Event.From
	held     int
	rows     map[bot.ConversationID][]bot.OutboxRow
	secrets  map[bot.MethodID]*bot.Revealed
	once     map[string][]bot.Secret
	canaries []string
	logged   bytes.Buffer
	later    *Later
}

// NewHouse makes a house in which nothing has happened yet. Run makes its own.
func NewHouse() *House {
	h := &House{
		changed: make(chan struct{}), seen: map[string]bool{}, holds: map[string]chan struct{}{},
		rows: map[bot.ConversationID][]bot.OutboxRow{}, secrets: map[bot.MethodID]*bot.Revealed{}, once: map[string][]bot.Secret{}, later: NewLater(),
	}
	h.Log = slog.New(slog.NewJSONHandler(logbook{h}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return h
}

// logbook collects what the adapter logs.
type logbook struct{ h *House }

func (l logbook) Write(b []byte) (int, error) {
	l.h.mu.Lock()
	defer l.h.mu.Unlock()
	return l.h.logged.Write(b)
}

// Accept implements bot.Inbox.
func (h *House) Accept(ctx context.Context, ev bot.Event) error {
	h.mu.Lock()
	h.calls = append(h.calls, ev)
	gate := h.holds[ev.From]
	if gate != nil {
		h.held++
	}
	h.change()
	h.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return ctx.Err() // as the real one: nothing is taken in any more
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.change()
	if h.fails > 0 {
		h.fails--
		return errors.New("the house is closed")
	}
	key := string(ev.Channel) + "\x00" + ev.ID
	if ev.First && len(h.rows[ev.Conversation]) > 0 {
		return nil // nothing follows from it
	}
	if !h.seen[key] {
		h.seen[key] = true
		h.events = append(h.events, ev)
	}
	return nil
}

// Defer implements bot.Deferrer.
func (h *House) Defer(ctx context.Context, d bot.Deferred) error {
	h.mu.Lock()
	closed := h.fails > 0
	if closed {
		h.fails--
	}
	h.mu.Unlock()
	if closed {
		return errors.New("the house is closed")
	}
	return h.later.Defer(ctx, d)
}

// Deferred implements bot.Deferrer.
func (h *House) Deferred(c bot.ConversationID) bool { return h.later.Deferred(c) }

// AskTicket implements bot.TicketDesk: nothing is asked.
func (*House) AskTicket(context.Context, bot.TicketPress) (*bot.TicketForm, string, error) {
	return nil, "Nobody.", nil
}

// PressTicket implements bot.TicketDesk: nobody is an agent.
func (h *House) PressTicket(context.Context, bot.TicketPress) (string, error) { return "Nobody.", nil }

// Say stores a message in a conversation, as turn does, and returns its Seq. It
// is for adapters that read the rows of the outbox: what a real bot would have
// said before a person could do anything, for example a greeting.
func (h *House) Say(conv bot.ConversationID, m bot.Message) int64 { return h.say(conv, m) }

// Taken is how many events were taken in so far.
func (h *House) Taken() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.events)
}

// Said lists the messages of a conversation with a Seq above after, as
// bot.OutboxTx.Said does.
func (h *House) Said(_ context.Context, conv bot.ConversationID, after int64, limit int) ([]bot.OutboxRow, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var rows []bot.OutboxRow
	for _, r := range h.rows[conv] {
		if r.Seq > after {
			if r.State == bot.OutboxRetracted {
				r.Message.Reveal = nil
			}
			rows = append(rows, r)
		}
	}
	return rows[max(0, len(rows)-limit):], nil
}

// Heads gives the last Seq of each conversation that exists.
func (h *House) Heads(_ context.Context, convs []bot.ConversationID) (map[bot.ConversationID]int64, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	heads := map[bot.ConversationID]int64{}
	for _, c := range convs {
		if rows := h.rows[c]; len(rows) > 0 {
			heads[c] = rows[len(rows)-1].Seq
		}
	}
	return heads, nil
}

// Reveal opens a secret.
func (h *House) Reveal(_ context.Context, r bot.Reveal) (*bot.Revealed, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.secrets[r.Method]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("reveal: %w", bot.ErrNotFound)
}

// RevealForm gives what a form shows once.
func (h *House) RevealForm(_ context.Context, _ bot.ConversationID, form string) ([]bot.Secret, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if s := h.once[form]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("form: %w", bot.ErrNotFound)
}

// TryForm finds nothing wrong.
func (h *House) TryForm(context.Context, bot.ConversationID, *bot.FormReply) ([]bot.FieldProblem, error) {
	return nil, nil
}

// Picture gives the shipped picture PictureName.
func (h *House) Picture(name string) (svg []byte, ok bool) {
	if name != PictureName {
		return nil, false
	}
	return []byte(`<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>`), true
}

// change wakes everybody who waits. h.mu is held.
func (h *House) change() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// canary makes a value that must not turn up where it does not belong.
func (h *House) canary(what string) string {
	v := what + "-" + random(5)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.canaries = append(h.canaries, v)
	return v
}

func random(n int) string {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		panic(err)
	}
	return hex.EncodeToString(b)
}

// leaks lists the canaries that stand in s.
func (h *House) leaks(s string) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return leaks(s, h.canaries)
}

func leaks(s string, canaries []string) (found []string) {
	for _, c := range canaries {
		if strings.Contains(s, c) {
			found = append(found, c)
		}
	}
	return found
}

// failNext makes the next n calls of Accept fail.
func (h *House) failNext(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fails = n
}

// hold makes Accept wait with events of a person until release is called.
func (h *House) hold(from string) (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	gate := make(chan struct{})
	h.holds[from] = gate
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.holds, from)
		close(gate)
	})
}

// wait waits for something to become true of the house.
func (h *House) wait(t testing.TB, patience time.Duration, what string, ok func() bool) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		h.mu.Lock()
		done, changed := ok(), h.changed
		h.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-limit.C:
			h.mu.Lock()
			defer h.mu.Unlock()
			var b strings.Builder
			for i := max(0, len(h.events)-20); i < len(h.events); i++ {
				b.WriteString("\n  " + describe(&h.events[i]))
			}
			t.Fatalf("waited %s for %s; the last events that were taken in:%s", patience, what, b.String())
		}
	}
}

// describe tells an event in one line.
func describe(ev *bot.Event) string {
	kind := [...]string{"text", "press", "submit", "notice", "open"}[min(int(ev.Kind), 4)]
	s := fmt.Sprintf("%s id=%q conversation=%q from=%q prompt=%d", kind, ev.ID, ev.Conversation, ev.From, ev.Prompt)
	switch {
	case ev.Kind == bot.Text:
		s += fmt.Sprintf(" text=%.60q", ev.Text)
	case ev.Kind == bot.Press:
		s += fmt.Sprintf(" choice=%q", ev.Choice)
	case ev.Form != nil:
		s += fmt.Sprintf(" form=%q, %d values", ev.Form.Name, len(ev.Form.Values))
	}
	return s
}

// say stores a message as turn would, and returns its Seq.
func (h *House) say(conv bot.ConversationID, m bot.Message) int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	rows := h.rows[conv]
	seq := int64(1)
	if len(rows) > 0 {
		seq = rows[len(rows)-1].Seq + 1
	}
	h.rows[conv] = append(rows, bot.OutboxRow{Conversation: conv, Seq: seq, Message: m, Attempts: 1, CreatedAt: time.Now(), Keep: true})
	return seq
}

// mark notes what became of a message.
func (h *House) mark(conv bot.ConversationID, seq int64, state bot.OutboxState, receipt string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.rows[conv] {
		if r := &h.rows[conv][i]; r.Seq == seq {
			r.State, r.Receipt = state, receipt
		}
	}
}

// secret makes a pending authenticator key and says how to point to it.
func (h *House) secret(t testing.TB) (bot.Reveal, *bot.Revealed) {
	t.Helper()
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		t.Fatal(err)
	}
	key, groups := "", ""
	for i, b := range raw {
		c := letters[b%32 : b%32+1]
		if key += c; i > 0 && i%4 == 0 {
			groups += " "
		}
		groups += c
	}
	uri := "otpauth://totp/Example:ada?secret=" + key + "&issuer=Example&algorithm=SHA1&digits=6&period=30"
	q, err := qrcode.New(uri, qrcode.Medium)
	if err != nil {
		t.Fatal(err)
	}
	png, err := q.PNG(4 * len(q.Bitmap()))
	if err != nil {
		t.Fatal(err)
	}
	r := &bot.Revealed{URI: bot.Secret(uri), Key: bot.Secret(groups), PNG: png, Rows: halfBlocks(q.Bitmap())}
	id := bot.MethodID("m-" + random(6))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.secrets[id] = r
	h.canaries = append(h.canaries, key, groups)
	return bot.Reveal{Kind: bot.RevealTOTP, Method: id}, r
}

// halfBlocks draws a QR as the rooms do: two modules in a character.
func halfBlocks(bits [][]bool) (rows []string) {
	for y := 0; y < len(bits); y += 2 {
		var b strings.Builder
		for x := range bits[y] {
			switch low := y+1 < len(bits) && bits[y+1][x]; {
			case bits[y][x] && low:
				b.WriteString("█")
			case bits[y][x]:
				b.WriteString("▀")
			case low:
				b.WriteString("▄")
			default:
				b.WriteString(" ")
			}
		}
		rows = append(rows, b.String())
	}
	return rows
}

// shows makes what a form shows once.
func (h *House) shows(form string, n int) []bot.Secret {
	var s []bot.Secret
	for range n {
		s = append(s, bot.Secret(strings.ToUpper(h.canary("once"))))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.once[form] = s
	for _, v := range s {
		h.canaries = append(h.canaries, string(v))
	}
	return s
}

// told returns what was logged.
func (h *House) told() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.logged.String()
}
