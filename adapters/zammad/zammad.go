package zammad

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"latchkey/adapters/dial"
	"latchkey/bot"
)

// Options of a Zammad.
type Options struct {
	URL     string // of the instance, without /api
	Token   bot.Secret
	Group   string // that tickets are for
	CAFile  string // certificates that the server's is checked against; empty: the system's
	Timeout time.Duration
	Link    func(ticket string) string // address of a ticket's page; nil: there is no page
	Now     func() time.Time           // the machine's clock, as others see it; nil: time.Now
}

// Zammad is one instance. It implements bot.OutsideTickets and bot.Examiner and is
// safe for concurrent use.
type Zammad struct {
	o    Options
	http *http.Client

	mu sync.Mutex
	id int64 // of the account whose token it is; 0: not asked yet
}

// New makes a Zammad; it does not connect.
func New(o Options) (*Zammad, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	tls, err := dial.TLS(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("zammad: ca_file: %w", err)
	}
	o.URL = strings.TrimRight(o.URL, "/")
	t := dial.For("", o.URL).Transport()
	t.TLSClientConfig = tls
	return &Zammad{o: o, http: dial.Client(t, o.Timeout)}, nil
}

const (
	// mark begins the titles of tickets and the subjects of articles that are ours.
	mark = "Latchkey "
	// answerCap is how much of an answer is read: all articles of a ticket.
	answerCap = 32 << 20
	maxName   = 100 // runes of a person's name in a title
	perPage   = 100 // of a search
	maxPages  = 20
)

// A ticket as Zammad has it.
type ticket struct {
	ID        int64     `json:"id"`
	Title     string    `json:"title"`
	State     string    `json:"state"` // with expand=true
	CreatedBy int64     `json:"created_by_id"`
	UpdatedAt time.Time `json:"updated_at"`
}

// An article as Zammad has it.
type article struct {
	ID        int64  `json:"id"`
	Subject   string `json:"subject"`
	Body      string `json:"body"`
	Type      string `json:"content_type"`
	From      string `json:"from"`
	Sender    string `json:"sender"`
	Internal  bool   `json:"internal"`
	CreatedBy int64  `json:"created_by_id"`
}

// A said is an article that we write.
type said struct {
	Ticket   int64  `json:"ticket_id,omitempty"`
	Subject  string `json:"subject"`
	Body     string `json:"body"`
	Content  string `json:"content_type"`
	Kind     string `json:"type"`
	Sender   string `json:"sender"`
	Internal bool   `json:"internal"`
}

func note(subject, body, sender string, internal bool) *said {
	return &said{Subject: mark + subject, Body: body, Content: "text/plain", Kind: "note", Sender: sender, Internal: internal}
}

// File implements bot.OutsideTickets. It looks first: whatever was in doubt is not
// made twice.
func (z *Zammad) File(ctx context.Context, ev bot.DeskEvent) (string, error) {
	me, err := z.me(ctx)
	if err != nil {
		return "", err
	}
	ts, err := z.search(ctx, mark+ev.Ticket, 1)
	if err != nil {
		return "", err
	}
	slices.SortFunc(ts, func(a, b ticket) int { return int(a.ID - b.ID) })
	for _, t := range ts {
		if ours(t.Title) == ev.Ticket && t.CreatedBy == me {
			return strconv.FormatInt(t.ID, 10), nil
		}
	}
	title := mark + ev.Ticket
	if name := []rune(strings.Join(strings.Fields(ev.Name), " ")); len(name) > 0 {
		title += ": " + string(name[:min(len(name), maxName)])
	}
	body := ev.Card
	if z.o.Link != nil {
		body += "\n\n" + z.o.Link(ev.Ticket)
	}
	var made ticket
	err = z.call(ctx, http.MethodPost, "/tickets", map[string]any{
		"title": title, "group": z.o.Group, "customer_id": me, "article": note(ev.Ticket, body, "Agent", true)}, &made)
	if err == nil && made.ID == 0 {
		err = &bot.SendError{Kind: bot.SendUncertain, Err: errors.New("zammad: the answer names no ticket")}
	}
	return strconv.FormatInt(made.ID, 10), err
}

// states are the events after which a ticket has another state in Zammad.
var states = map[string]string{"taken": "open", "requeued": "open", "reopened": "open", "solved": "closed", "dropped": "closed"}

// notes are the other events that are written there.
var notes = []string{"transferred", "sent_back", "left", "asked_again", "moved_here", "undone", "not_undone", "kept_waiting", "not_needed", "answer_due", "solve_due", "outside_refused"}

// articleOf is the article that an event becomes; nil: none.
func articleOf(ev *bot.DeskEvent) *said {
	switch {
	case ev.Own:
		return nil // it stands there already
	case ev.Type == "line_of_person":
		return note(ev.ID, ev.Says, "Customer", false)
	case ev.Type == "line_of_agent":
		return note(ev.ID, ev.Says, "Agent", false)
	case ev.Type == "note", states[ev.Type] != "", slices.Contains(notes, ev.Type):
		return note(ev.ID, ev.Says, "Agent", true)
	}
	return nil
}

// Tell implements bot.OutsideDesk. It looks first whether the article is there.
func (z *Zammad) Tell(ctx context.Context, ev bot.DeskEvent) error {
	a := articleOf(&ev)
	if a == nil {
		return nil
	}
	id, err := strconv.ParseInt(ev.There, 10, 64)
	if err != nil || id <= 0 {
		return &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("zammad: it is not known which ticket this is there")}
	}
	as, err := z.articles(ctx, id)
	if err != nil {
		return gone(err)
	}
	if slices.ContainsFunc(as, func(x article) bool { return x.Subject == a.Subject }) {
		return nil
	}
	if state := states[ev.Type]; state != "" { // both in one transaction of Zammad's
		return z.call(ctx, http.MethodPut, fmt.Sprintf("/tickets/%d", id), map[string]any{"state": state, "article": a}, nil)
	}
	a.Ticket = id
	return z.call(ctx, http.MethodPost, "/ticket_articles", a, nil)
}

// gone says that a ticket which is not found is not there any more.
func gone(err error) error {
	if e := new(refusal); errors.As(err, &e) && e.status == http.StatusNotFound {
		return &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("zammad: the ticket was deleted there")}
	}
	return err
}

// Look implements bot.OutsideTickets.
func (z *Zammad) Look(ctx context.Context, there string) (*bot.OutsideTicket, error) {
	id, err := strconv.ParseInt(there, 10, 64)
	if err != nil {
		return nil, &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("zammad: it is not known which ticket this is there")}
	}
	me, err := z.me(ctx)
	if err != nil {
		return nil, err
	}
	// The state first: what was written before a ticket was closed is then read, too.
	var t ticket
	if err = z.call(ctx, http.MethodGet, fmt.Sprintf("/tickets/%d?expand=true", id), nil, &t); err != nil {
		return nil, gone(err)
	}
	as, err := z.articles(ctx, id)
	if err != nil {
		return nil, gone(err)
	}
	out := &bot.OutsideTicket{Closed: t.State == "closed"}
	for _, a := range as {
		if a.CreatedBy != me && a.Sender == "Agent" {
			out.Lines = append(out.Lines, bot.OutsideLine{ID: strconv.FormatInt(a.ID, 10), Note: a.Internal, Name: firstName(a.From), Text: plain(a.Body, a.Type)})
		}
	}
	return out, nil
}

// Changed implements bot.OutsideTickets.
func (z *Zammad) Changed(ctx context.Context, since time.Time) (cs []bot.OutsideChange, err error) {
	for page := 1; page <= maxPages; page++ {
		ts, err := z.search(ctx, mark, page)
		if err != nil {
			return nil, err
		}
		for _, t := range ts {
			if t.UpdatedAt.Before(since) {
				return cs, nil // the last changed comes first
			}
			if n := ours(t.Title); n != "" {
				cs = append(cs, bot.OutsideChange{Ticket: n, There: strconv.FormatInt(t.ID, 10), At: t.UpdatedAt})
			}
		}
		if len(ts) < perPage {
			break
		}
	}
	return cs, nil
}

// numbered is a title of ours.
var numbered = regexp.MustCompile(`^` + mark + `([0-9A-Z]{3}-[0-9A-Z]{3})(?:$|[^0-9A-Z])`)

// ours is the number of our ticket that a title names; empty: none.
func ours(title string) string {
	if m := numbered.FindStringSubmatch(title); m != nil {
		return m[1]
	}
	return ""
}

// search lists tickets whose title holds a text, the last changed first. Without a
// query Zammad asks its database, which knows a ticket at once; the index for full
// text comes later.
func (z *Zammad) search(ctx context.Context, title string, page int) (ts []ticket, err error) {
	q := url.Values{"condition[ticket.title][operator]": {"contains"}, "condition[ticket.title][value]": {title}, "expand": {"true"},
		"sort_by": {"updated_at"}, "order_by": {"desc"}, "per_page": {strconv.Itoa(perPage)}, "page": {strconv.Itoa(page)}}
	return ts, z.call(ctx, http.MethodGet, "/tickets/search?"+q.Encode(), nil, &ts)
}

// articles lists the articles of a ticket, the first first.
func (z *Zammad) articles(ctx context.Context, id int64) (as []article, err error) {
	err = z.call(ctx, http.MethodGet, fmt.Sprintf("/ticket_articles/by_ticket/%d", id), nil, &as)
	slices.SortFunc(as, func(a, b article) int { return int(a.ID - b.ID) })
	return as, err
}

// me is the account whose token it is.
func (z *Zammad) me(ctx context.Context) (int64, error) {
	z.mu.Lock()
	id := z.id
	z.mu.Unlock()
	if id != 0 {
		return id, nil
	}
	var u struct {
		ID int64 `json:"id"`
	}
	if err := z.call(ctx, http.MethodGet, "/users/me", nil, &u); err != nil {
		return 0, err
	}
	if u.ID == 0 {
		return 0, &bot.SendError{Err: errors.New("zammad: the answer does not say whose token it is; is desk.zammad.url a Zammad?")}
	}
	z.mu.Lock()
	z.id = u.ID
	z.mu.Unlock()
	return u.ID, nil
}

// A refusal is an answer that is not 2xx.
type refusal struct{ status int }

func (r *refusal) Error() string { return fmt.Sprintf("zammad: it answers %d", r.status) }

// call makes one request. Its error is a *bot.SendError.
func (z *Zammad) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return &bot.SendError{Kind: bot.SendPermanent, Err: fmt.Errorf("zammad: %w", err)}
	}
	req, err := http.NewRequestWithContext(ctx, method, z.o.URL+"/api/v1"+path, bytes.NewReader(body))
	if err != nil {
		return &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("zammad: desk.zammad.url is not an address")}
	}
	if in == nil {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	req.Header.Set("Authorization", "Token token="+string(z.o.Token))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "Latchkey")
	res, err := z.http.Do(req)
	if err != nil {
		return &bot.SendError{Kind: bot.SendUncertain, Err: fmt.Errorf("zammad: %w", dial.Bare(err))}
	}
	defer res.Body.Close()
	got, err := io.ReadAll(io.LimitReader(res.Body, answerCap))
	if e := z.verdict(res); e != nil {
		return e
	}
	if err == nil && out != nil {
		err = json.Unmarshal(got, out)
	}
	if err != nil {
		return &bot.SendError{Kind: bot.SendUncertain, Err: errors.New("zammad: its answer cannot be read; is desk.zammad.url a Zammad?")}
	}
	return nil
}

// verdict is what an answer means; nil: it is done. What an operator mends there is
// tried again meanwhile.
func (z *Zammad) verdict(res *http.Response) error {
	r := &refusal{res.StatusCode}
	e := &bot.SendError{Err: r}
	after := dial.RetryAfter(res.Header.Get("Retry-After"), z.o.Now())
	switch code := res.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusTooManyRequests || code >= 500 && after > 0:
		e.Kind, e.After = bot.SendThrottled, after
	case code >= 500:
		e.Kind = bot.SendUncertain
	case code == http.StatusUnauthorized:
		e.Fix = "the token is not taken: make one with the permission ticket.agent (Zammad: Profile, Token Access), and set desk.zammad.token"
	case code == http.StatusForbidden:
		e.Fix = "give the account of the token the role Agent and full access to the group of desk.zammad.group"
	case code == http.StatusUnprocessableEntity:
		e.Fix = "see whether the group of desk.zammad.group and the states open and closed exist, and whether a ticket needs fields of your own"
	case code >= 300 && code < 400:
		e.Fix = "redirects are not followed; set desk.zammad.url to where it leads"
	}
	return e
}
