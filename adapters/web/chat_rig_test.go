package web_test

import (
	"bufio"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/store"
)

// A tab is a browser without a script, with one page before it.
type tab struct {
	*browser
	Page *html.Node
	At   string // its address
	got  *got
}

// chat opens the web chat and begins the conversation.
func (h *house) chat() *tab {
	h.Helper()
	t := &tab{browser: h.browser()}
	t.open("/chat")
	t.submit("/chat/open", "")
	return t
}

// open goes to an address and follows redirects.
func (t *tab) open(path string) {
	t.h.Helper()
	t.take(t.Get(path), path)
}

func (t *tab) take(g *got, path string) {
	t.h.Helper()
	for range 5 {
		if g.StatusCode != http.StatusSeeOther {
			break
		}
		path = g.Header.Get("Location")
		g = t.Get(strings.SplitN(path, "#", 2)[0])
	}
	doc, err := html.Parse(strings.NewReader(g.Body))
	if err != nil {
		t.h.Fatal(err)
	}
	t.Page, t.At, t.got = doc, path, g
}

// submit sends the form of an address, by the button with a label ("" is the
// first), with fields as name, value pairs.
func (t *tab) submit(action, label string, kv ...string) {
	t.h.Helper()
	f, values := t.form(action, label)
	for i := 0; i+1 < len(kv); i += 2 {
		if !values.Has(kv[i]) && find(f, func(n *html.Node) bool { return n.Data == "input" && attr(n, "name") == kv[i] }) == nil {
			t.h.Fatalf("form %s has no field %s", action, kv[i])
		}
		values.Set(kv[i], kv[i+1])
	}
	t.take(t.do(http.MethodPost, attr(f, "action"), values), t.At)
}

// form finds a form and what it would send.
func (t *tab) form(action, label string) (*html.Node, url.Values) {
	t.h.Helper()
	var found []string
	for _, f := range all(t.Page, func(n *html.Node) bool { return n.DataAtom == atom.Form }) {
		found = append(found, attr(f, "action"))
		if path, _, _ := strings.Cut(attr(f, "action"), "?"); path != action {
			continue
		}
		values := url.Values{}
		for _, in := range all(f, func(n *html.Node) bool { return n.DataAtom == atom.Input && attr(n, "name") != "" }) {
			if attr(in, "type") == "hidden" {
				values.Set(attr(in, "name"), attr(in, "value"))
			}
		}
		for _, b := range all(f, func(n *html.Node) bool { return n.DataAtom == atom.Button && attr(n, "type") != "button" }) {
			found = append(found, text(b))
			if label == "" || text(b) == label {
				if attr(b, "name") != "" {
					values.Set(attr(b, "name"), attr(b, "value"))
				}
				return f, values
			}
		}
	}
	t.h.Fatalf("no form %s with a button %q; there are %q\n%s", action, label, found, t.got.Body)
	return nil, nil
}

func (t *tab) say(s string)       { t.h.Helper(); t.submit("/chat/say", "", "text", s) }
func (t *tab) press(label string) { t.h.Helper(); t.submit("/chat/press", label) }

// rows are the messages of the page.
func (t *tab) rows() []*html.Node {
	return all(t.Page, func(n *html.Node) bool { return n.DataAtom == atom.Article })
}

// last is the newest message.
func (t *tab) last() *html.Node {
	t.h.Helper()
	rows := t.rows()
	if len(rows) == 0 {
		t.h.Fatalf("no message on the page\n%s", t.got.Body)
	}
	return rows[len(rows)-1]
}

// expect fails unless the newest message has all parts in its text.
func (t *tab) expect(parts ...string) *tab {
	t.h.Helper()
	said := text(t.last())
	for _, p := range parts {
		if !strings.Contains(said, p) {
			t.h.Fatalf("%q is missing in %q", p, said)
		}
	}
	return t
}

// act sends what a script would, and gives the answer.
func (t *tab) act(path, id string, kv ...string) *got {
	t.h.Helper()
	return t.Post(path, append([]string{"csrf", t.csrf(), "id", id, "next", "/chat"}, kv...)...)
}

// csrf is the token that the page's forms carry.
func (t *tab) csrf() string {
	t.h.Helper()
	in := find(t.Page, func(n *html.Node) bool { return n.DataAtom == atom.Input && attr(n, "name") == "csrf" })
	if in == nil {
		t.h.Fatalf("no form on the page\n%s", t.got.Body)
	}
	return attr(in, "value")
}

func find(n *html.Node, is func(*html.Node) bool) *html.Node {
	if l := all(n, is); len(l) > 0 {
		return l[0]
	}
	return nil
}

func all(n *html.Node, is func(*html.Node) bool) (list []*html.Node) {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && is(d) {
			list = append(list, d)
		}
	}
	return list
}

func class(name string) func(*html.Node) bool {
	return func(n *html.Node) bool { return slices.Contains(strings.Fields(attr(n, "class")), name) }
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// work runs the jobs of the store, as the program does.
func (h *house) work() {
	h.Helper()
	w := &store.Workers{}
	store.Handle(w, h.Verify.HandleSendCode)
	store.Handle(w, h.Enroll.HandleNotify)
	store.Handle(w, h.Enroll.HandleLapse)
	if err := h.DB.StartJobs(context.WithoutCancel(h.Context()), w); err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() {
		ctx, done := context.WithTimeout(context.Background(), bottest.Patience)
		defer done()
		_ = h.DB.StopJobs(ctx)
	})
}

// An event of a stream.
type event struct{ Type, ID, Data string }

// A listener reads an event stream.
type listener struct {
	t      testing.TB
	events chan event // closed when the stream ends
	Cut    func()     // the connection is gone
	Status int
	last   string
}

// listen connects to the conversation's events, as EventSource does: query is
// that of the address, lastID the id of the last event that was seen, if any.
func (b *browser) listen(query, lastID string) *listener {
	b.h.Helper()
	ctx, cut := context.WithCancel(b.h.Context())
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, b.h.URL+"/chat/events?"+query, nil)
	if err != nil {
		b.h.Fatal(err)
	}
	if lastID != "" {
		q.Header.Set("Last-Event-ID", lastID)
	}
	for _, c := range b.cookies {
		q.AddCookie(c)
	}
	r, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		b.h.Fatal(err)
	}
	l := &listener{t: b.h, events: make(chan event, 100), Cut: cut, Status: r.StatusCode, last: lastID}
	b.h.Cleanup(cut)
	go func() {
		defer close(l.events)
		defer r.Body.Close()
		s := bufio.NewScanner(r.Body)
		s.Buffer(nil, 1<<20)
		ev := event{Type: "message"}
		var data []string
		for s.Scan() {
			name, value, _ := strings.Cut(s.Text(), ":")
			value = strings.TrimPrefix(value, " ")
			switch {
			case s.Text() == "":
				if len(data) > 0 {
					ev.Data = strings.Join(data, "\n")
					l.events <- ev
				}
				ev, data = event{Type: "message", ID: ev.ID}, nil
			case name == "event":
				ev.Type = value
			case name == "data":
				data = append(data, value)
			case name == "id":
				ev.ID = value
			}
		}
	}()
	return l
}

// next waits for an event of a type, skipping others.
func (l *listener) next(typ string) event {
	l.t.Helper()
	late := time.NewTimer(bottest.Patience)
	defer late.Stop()
	for {
		select {
		case ev, ok := <-l.events:
			if !ok {
				l.t.Fatalf("the stream has ended; waited for %q", typ)
			}
			if ev.ID != "" {
				l.last = ev.ID
			}
			if ev.Type == typ {
				return ev
			}
		case <-late.C:
			l.t.Fatalf("waited %s for the event %q", bottest.Patience, typ)
		}
	}
}

// ended waits for the end of the stream.
func (l *listener) ended() {
	l.t.Helper()
	late := time.NewTimer(bottest.Patience)
	defer late.Stop()
	for {
		select {
		case _, ok := <-l.events:
			if !ok {
				return
			}
		case <-late.C:
			l.t.Fatalf("the stream still runs after %s", bottest.Patience)
		}
	}
}

// said lists what the store has of the tab's conversation.
func (t *tab) said() []bot.OutboxRow {
	t.h.Helper()
	s, err := t.h.Passes.Session(t.h.Context(), bot.Secret(t.cookie("session")))
	if err != nil {
		t.h.Fatal(err)
	}
	rows, err := rooms{t.h}.Said(t.h.Context(), s.Conversation, 0, 1000)
	if err != nil {
		t.h.Fatal(err)
	}
	return rows
}

// seq is the number of a message on the page.
func seq(n *html.Node) int64 {
	i, _ := strconv.ParseInt(attr(n, "data-seq"), 10, 64)
	return i
}

// eventually waits until something holds.
func (h *house) eventually(what string, holds func() bool) {
	h.Helper()
	for end := time.Now().Add(bottest.Patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			h.Fatalf("waited %s for %s", bottest.Patience, what)
		}
	}
}
