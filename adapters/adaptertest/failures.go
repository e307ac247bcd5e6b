package adaptertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/outbox"
)

// A Failure is one line of a platform's failure table: what the platform does
// with the requests that say something, and what the person and the operator see
// an hour later. What the platform does ends then.
type Failure struct {
	Does   string              // the name of the line
	Answer func(n int) Outcome // to the n-th of these requests, from 1

	Seen   int    // how often the person has the message after the hour
	Class  string // that the operator sees of it; empty: it is booked as sent
	Listed bool   // it is given up, and stands in the list of what was; else it waits
	Later  int    // how often the person has it in the end; 0: as Seen says
}

// An Outcome is what becomes of a request. The zero Outcome is that the platform
// does what it is asked for.
type Outcome struct {
	Status int // says this with Header and Body, and does nothing
	Header map[string]string
	Body   string

	Lost bool // does it, and the answer is lost
	Cut  bool // the request is lost on its way
	Down bool // there is no connection
}

// Times is an outcome of the first n requests.
func Times(n int, o Outcome) func(int) Outcome {
	return func(i int) Outcome {
		if i <= n {
			return o
		}
		return Outcome{}
	}
}

// Always is an outcome of all requests.
func Always(o Outcome) func(int) Outcome { return func(int) Outcome { return o } }

// A Stage is an adapter that does not run, and somebody whom it can write to.
type Stage struct {
	Adapter bot.Adapter
	User    string
	Address []byte
	Says    func(q *http.Request) bool // whether a request says something to somebody
	Texts   func() []string            // what the person has before them
}

// text is what is said in each line of a table.
const text = "Did this arrive?"

// Failures runs a failure table through the real outbox in simulated time. open
// makes a stage whose adapter sends its requests by wire, once for each line.
func Failures(t *testing.T, open func(t testing.TB, wire http.RoundTripper) Stage, table []Failure) {
	t.Helper()
	for _, f := range table {
		t.Run(f.Does, func(t *testing.T) {
			t.Parallel()
			w := newDetour(t, f.Answer)
			s := open(t, w)
			w.says = s.Says
			synctest.Test(t, func(t *testing.T) { s.fail(t, w, f) })
		})
	}
}

// fail runs one line.
func (s Stage) fail(t *testing.T, w *detour, f Failure) {
	store, log := bottest.NewStore(), new(syncBuffer)
	ch, conv := s.Adapter.Channel(), bot.ConversationID(string(s.Adapter.Channel())+"|"+s.User)
	box := outbox.New(outbox.Options{Store: store, Adapters: map[bot.ChannelID]bot.Adapter{ch: s.Adapter}, Logger: slog.New(slog.NewTextHandler(log, nil))})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- box.Run(ctx) }()
	synctest.Wait()
	n := 0
	say := func(text string) {
		n++
		var c *bot.Conversation
		row := bot.OutboxRow{Conversation: conv, Message: bot.Message{Text: text, Lang: "en"}}
		ev := &bot.Event{ID: fmt.Sprint("e", n), Channel: ch, Conversation: conv, From: s.User, Address: s.Address}
		err := store.Turn(context.Background(), ev, func(tx bot.Tx, got *bot.Conversation) error {
			c = got
			c.User, c.Address = s.User, s.Address
			if err := tx.Say(&row); err != nil {
				return err
			}
			return tx.SaveConversation(c)
		})
		if err != nil {
			t.Fatal(err)
		}
		box.Committed(c, []bot.OutboxRow{row}, false)
	}
	count := func(text string) (n int) {
		for _, m := range s.Texts() {
			n += strings.Count(m, text)
		}
		return n
	}
	say(text)
	time.Sleep(time.Hour)

	if n := count(text); n != f.Seen {
		t.Errorf("after an hour the person has it %d times, want %d", n, f.Seen)
	}
	givenUp, waits, err := box.List(context.Background(), 10)
	if err != nil {
		t.Fatal(err)
	}
	switch class := classes(givenUp) + classes(waits); {
	case class != f.Class || f.Listed != (len(givenUp) > 0):
		t.Errorf("the operator sees %q given up and %q waiting, want %q (given up: %v)", classes(givenUp), classes(waits), f.Class, f.Listed)
	case class == "" && count(text) == 0:
		t.Error("it is booked as sent, and nobody has seen it")
	case f.Listed && !strings.Contains(log.String(), "message given up"):
		t.Errorf("the log does not say that it was given up: %s", log)
	}
	w.mend()
	if len(waits) > 0 {
		time.Sleep(time.Hour)
	}
	say("And this?")
	time.Sleep(time.Minute)
	if n := count("And this?"); n != 1 {
		t.Errorf("what is said afterwards is there %d times", n)
	}
	told := 0
	if strings.HasPrefix(f.Class, "permanent") { // who may have seen it, or cannot be reached, is told nothing
		told = 1
	}
	if n := count("An earlier message could not be delivered"); n != told {
		t.Errorf("the person is told %d times that something was left out, want %d", n, told)
	}
	want := f.Later
	if want == 0 {
		want = f.Seen
	}
	if n := count(text); n != want {
		t.Errorf("in the end the person has it %d times, want %d", n, want)
	}
	stop()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	end, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := box.Close(end); err != nil {
		t.Error(err)
	}
}

func classes(rows []bot.OutboxRow) string {
	var all []string
	for i := range rows {
		all = append(all, rows[i].Error)
	}
	return strings.Join(all, ",")
}

// A detour makes requests outside of the bubble of a test, whose time stands
// still meanwhile.
type detour struct {
	answer func(n int) Outcome
	says   func(q *http.Request) bool
	ask    chan *http.Request
	got    chan reached

	mu sync.Mutex // one at a time
	n  int
}

type reached struct {
	res  *http.Response
	body []byte
	err  error
}

func newDetour(t testing.TB, answer func(n int) Outcome) *detour {
	d := &detour{answer: answer, ask: make(chan *http.Request), got: make(chan reached)}
	transport := &http.Transport{}
	go func() {
		for q := range d.ask {
			var r reached
			if r.res, r.err = transport.RoundTrip(q); r.err == nil {
				r.body, r.err = io.ReadAll(r.res.Body)
				r.res.Body.Close()
			}
			d.got <- r
		}
	}()
	t.Cleanup(func() { close(d.ask); transport.CloseIdleConnections() })
	return d
}

// mend ends what the platform does.
func (d *detour) mend() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answer = Always(Outcome{})
}

// RoundTrip implements http.RoundTripper.
func (d *detour) RoundTrip(q *http.Request) (*http.Response, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var sent []byte
	if q.Body != nil {
		sent, _ = io.ReadAll(q.Body)
		q.Body.Close()
	}
	var o Outcome
	if d.says(q) {
		d.n++
		o = d.answer(d.n)
	}
	if o.Down {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no route to host")}
	}
	if trace := httptrace.ContextClientTrace(q.Context()); trace != nil {
		if trace.GotConn != nil {
			trace.GotConn(httptrace.GotConnInfo{})
		}
		if trace.WroteHeaders != nil {
			trace.WroteHeaders()
		}
		if trace.WroteRequest != nil {
			trace.WroteRequest(httptrace.WroteRequestInfo{})
		}
	}
	switch {
	case o.Cut:
		return nil, io.ErrUnexpectedEOF
	case o.Status != 0:
		h := http.Header{"Content-Type": {"application/json"}}
		for k, v := range o.Header {
			h.Set(k, v)
		}
		return answered(q, o.Status, h, []byte(o.Body)), nil
	}
	out, err := http.NewRequest(q.Method, q.URL.String(), bytes.NewReader(sent)) // nothing of the bubble in it
	if err != nil {
		return nil, err
	}
	out.Header = q.Header.Clone()
	d.ask <- out
	r := <-d.got
	if r.err == nil && o.Lost {
		r.err = io.ErrUnexpectedEOF
	}
	if r.err != nil {
		return nil, r.err
	}
	return answered(q, r.res.StatusCode, r.res.Header, r.body), nil
}

func answered(q *http.Request, status int, h http.Header, body []byte) *http.Response {
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: q,
	}
}

// syncBuffer is a buffer that several may write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
