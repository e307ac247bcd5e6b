// Package zammadtest is a pretend Zammad: the parts of its REST API and of its
// trigger's webhook that Latchkey uses, for tests.
//
// It is made from Zammad's documents and source (named at each rule), not from what
// Latchkey's client does. What no document promises stands in zammad.assumptions.
// It checks no permission but the token, and keeps everything in memory.
package zammadtest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The accounts.
const (
	Bot   = 7 // whose token Token is
	Maria = 5 // an agent
)

// Token is the bot's access token.
const Token = "tok-4f7d1c"

// Group is the group that the bot may do everything in.
const Group = "Service Desk"

// A Ticket is one of Zammad's.
type Ticket struct {
	ID        int64     `json:"id"`
	Number    string    `json:"number"`
	Title     string    `json:"title"`
	State     string    `json:"state"`
	Group     string    `json:"group"`
	Customer  int64     `json:"customer_id"`
	CreatedBy int64     `json:"created_by_id"`
	UpdatedAt time.Time `json:"updated_at"`
}

// An Article is one of Zammad's.
type Article struct {
	ID        int64     `json:"id"`
	Ticket    int64     `json:"ticket_id"`
	Subject   string    `json:"subject"`
	Body      string    `json:"body"`
	Content   string    `json:"content_type"`
	Type      string    `json:"type"`
	From      string    `json:"from"`
	Sender    string    `json:"sender"`
	Internal  bool      `json:"internal"`
	CreatedBy int64     `json:"created_by_id"`
	CreatedAt time.Time `json:"created_at"`
}

// Zammad is a pretend instance.
type Zammad struct {
	*httptest.Server
	// Before is asked before each request of the API is done, and After when it is
	// done and not yet answered. True: the answer is theirs. Both may be nil.
	Before, After func(w http.ResponseWriter, r *http.Request) bool
	// Hook is where the trigger's webhook goes, signed with HookToken. Empty: nowhere.
	Hook, HookToken string

	mu       sync.Mutex
	tickets  []*Ticket
	articles []*Article
	hooks    sync.WaitGroup
	refused  int // webhooks that were not answered 2xx
}

// Start starts one.
func Start() *Zammad {
	z := &Zammad{}
	z.Server = httptest.NewServer(z)
	return z
}

// Tickets are the tickets, the first first.
func (z *Zammad) Tickets() (ts []Ticket) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, t := range z.tickets {
		ts = append(ts, *t)
	}
	return ts
}

// Articles are the articles of a ticket, in order.
func (z *Zammad) Articles(ticket int64) (as []Article) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, a := range z.articles {
		if a.Ticket == ticket {
			as = append(as, *a)
		}
	}
	return as
}

// Set changes what hooks and faults are, between requests.
func (z *Zammad) Set(fn func(z *Zammad)) {
	z.mu.Lock()
	defer z.mu.Unlock()
	fn(z)
}

// Refused counts the webhooks that were not answered 2xx, after those under way.
func (z *Zammad) Refused() int {
	z.hooks.Wait()
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.refused
}

// Writes has Maria write in a ticket, in Zammad's editor.
func (z *Zammad) Writes(ticket int64, body string, internal bool) int64 {
	z.mu.Lock()
	defer z.mu.Unlock()
	a := z.add(&Article{Ticket: ticket, Body: body, Content: "text/html", Type: "note", Internal: internal, Sender: "Agent", CreatedBy: Maria})
	z.hook(z.ticket(ticket), a)
	return a.ID
}

// Closes has Maria close a ticket, or open it again.
func (z *Zammad) Closes(ticket int64, state string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	t := z.ticket(ticket)
	t.State, t.UpdatedAt = state, now()
	z.hook(t, nil)
}

// Opens has Maria open a ticket of her own, with any title.
func (z *Zammad) Opens(title string) int64 {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.open(&Ticket{Title: title, Group: Group, State: "new", Customer: Maria, CreatedBy: Maria}).ID
}

// now is a time as Zammad stores it: in milliseconds.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

func (z *Zammad) ticket(id int64) *Ticket {
	i := slices.IndexFunc(z.tickets, func(t *Ticket) bool { return t.ID == id })
	if i < 0 {
		return nil
	}
	return z.tickets[i]
}

func (z *Zammad) open(t *Ticket) *Ticket {
	t.ID = int64(80 + len(z.tickets))
	t.Number = strconv.Itoa(22000 + int(t.ID))
	t.UpdatedAt = now()
	z.tickets = append(z.tickets, t)
	return t
}

// add adds an article. Its from is the name of whoever wrote it (src
// models/ticket/article/adds_metadata_general.rb).
func (z *Zammad) add(a *Article) *Article {
	a.ID, a.CreatedAt = int64(100+len(z.articles)), now()
	a.From = map[int64]string{Bot: "Latchkey Bot", Maria: "Maria Braun"}[a.CreatedBy]
	z.articles = append(z.articles, a)
	z.ticket(a.Ticket).UpdatedAt = now()
	return a
}

// ServeHTTP implements http.Handler.
func (z *Zammad) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, api := strings.CutPrefix(r.URL.Path, "/api/v1")
	if !api {
		return
	}
	z.mu.Lock()
	before, after := z.Before, z.After
	z.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	status, out := z.do(r, path, body)
	if after != nil && after(w, r) {
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(out)
}

type failure struct {
	Error string `json:"error"`
}

func (z *Zammad) do(r *http.Request, path string, body []byte) (status int, out any) {
	z.mu.Lock()
	defer z.mu.Unlock()
	// docs api/intro: "Authorization: Token token={your_token}".
	if r.Header.Get("Authorization") != "Token token="+Token {
		return http.StatusUnauthorized, failure{"Authentication required"}
	}
	// docs api/intro: "don't forget to provide the content type application/json".
	if r.Method != http.MethodGet && r.Header.Get("Content-Type") != "application/json" {
		return http.StatusUnprocessableEntity, failure{"no parameters"}
	}
	switch {
	case r.Method == http.MethodGet && path == "/users/me":
		return http.StatusOK, map[string]any{"id": Bot, "login": "latchkey@example.org", "roles": []string{"Agent"}, "groups": map[string][]string{Group: {"full"}}}
	case r.Method == http.MethodGet && path == "/ticket_states":
		var all []map[string]any
		for i, name := range []string{"new", "open", "pending reminder", "closed", "merged"} {
			all = append(all, map[string]any{"id": i + 1, "name": name, "active": true})
		}
		return http.StatusOK, all
	case r.Method == http.MethodGet && path == "/tickets/search":
		return z.search(r)
	case r.Method == http.MethodPost && path == "/tickets":
		return z.create(body)
	case r.Method == http.MethodPost && path == "/ticket_articles":
		return z.write(body)
	}
	if id, ok := strings.CutPrefix(path, "/ticket_articles/by_ticket/"); ok && r.Method == http.MethodGet {
		t := z.named(id)
		if t == nil {
			return http.StatusNotFound, failure{"Couldn't find Ticket with 'id'=" + id}
		}
		as := []Article{}
		for _, a := range z.articles {
			if a.Ticket == t.ID {
				as = append(as, *a)
			}
		}
		return http.StatusOK, as
	}
	if id, ok := strings.CutPrefix(path, "/tickets/"); ok {
		t := z.named(id)
		switch {
		case t == nil:
			return http.StatusNotFound, failure{"Couldn't find Ticket with 'id'=" + id}
		case r.Method == http.MethodGet:
			return http.StatusOK, *t
		case r.Method == http.MethodPut:
			return z.update(t, body)
		}
	}
	return http.StatusNotFound, failure{"no route"}
}

func (z *Zammad) named(id string) *Ticket {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil
	}
	return z.ticket(n)
}

// search is src tickets_controller.rb search: a condition and no query asks the
// database; docs api/intro for pages and order.
func (z *Zammad) search(r *http.Request) (int, any) {
	q := r.URL.Query()
	if q.Get("condition[ticket.title][operator]") != "contains" || q.Get("expand") != "true" || q.Get("sort_by") != "updated_at" || q.Get("order_by") != "desc" {
		return http.StatusUnprocessableEntity, failure{"this Zammad knows one search: " + r.URL.RawQuery}
	}
	found := []Ticket{}
	for _, t := range z.tickets {
		if strings.Contains(strings.ToLower(t.Title), strings.ToLower(q.Get("condition[ticket.title][value]"))) {
			found = append(found, *t)
		}
	}
	slices.SortStableFunc(found, func(a, b Ticket) int { return b.UpdatedAt.Compare(a.UpdatedAt) })
	page, _ := strconv.Atoi(q.Get("page"))
	per, _ := strconv.Atoi(q.Get("per_page"))
	from := min((page-1)*per, len(found))
	return http.StatusOK, found[from:min(from+per, len(found))]
}

// create is docs api/ticket, "Create".
func (z *Zammad) create(body []byte) (int, any) {
	var in struct {
		Title    string   `json:"title"`
		Group    string   `json:"group"`
		Customer int64    `json:"customer_id"`
		Article  *Article `json:"article"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return http.StatusUnprocessableEntity, failure{err.Error()}
	}
	if in.Title == "" || in.Customer == 0 || in.Article == nil || in.Article.Body == "" {
		return http.StatusUnprocessableEntity, failure{"Need at least article: { body: \"some text\" }"}
	}
	if in.Group != Group {
		return http.StatusUnprocessableEntity, failure{"No lookup value found for 'group': \"" + in.Group + "\""}
	}
	t := z.open(&Ticket{Title: in.Title, Group: in.Group, State: "new", Customer: in.Customer, CreatedBy: Bot})
	z.hook(t, z.byBot(t, in.Article))
	return http.StatusCreated, *t
}

// byBot adds an article of the bot's, with the defaults of src
// concerns/creates_ticket_articles.rb.
func (z *Zammad) byBot(t *Ticket, a *Article) *Article {
	if a.Sender == "" {
		a.Sender = "Agent"
	}
	if a.Type == "" {
		a.Type = "note"
	}
	a.Ticket, a.CreatedBy = t.ID, Bot
	return z.add(a)
}

// write is docs api/ticket/articles, "Create".
func (z *Zammad) write(body []byte) (int, any) {
	var a Article
	if err := json.Unmarshal(body, &a); err != nil || a.Body == "" {
		return http.StatusUnprocessableEntity, failure{"Need at least article: { body: \"some text\" }"}
	}
	t := z.ticket(a.Ticket)
	if t == nil {
		return http.StatusNotFound, failure{fmt.Sprintf("Couldn't find Ticket with 'id'=%d", a.Ticket)}
	}
	z.hook(t, z.byBot(t, &a))
	return http.StatusCreated, a
}

// update is docs api/ticket, "Update".
func (z *Zammad) update(t *Ticket, body []byte) (int, any) {
	var in struct {
		State   string   `json:"state"`
		Article *Article `json:"article"`
	}
	if err := json.Unmarshal(body, &in); err != nil || !slices.Contains([]string{"", "new", "open", "closed"}, in.State) {
		return http.StatusUnprocessableEntity, failure{"No lookup value found for 'state': \"" + in.State + "\""}
	}
	if in.State != "" {
		t.State, t.UpdatedAt = in.State, now()
	}
	var a *Article
	if in.Article != nil {
		a = z.byBot(t, in.Article)
	}
	z.hook(t, a)
	return http.StatusOK, *t
}

// hook sends the trigger's webhook: admin-docs manage/webhook/payload, and src
// lib/user_agent.rb for the signature. z.mu is held.
func (z *Zammad) hook(t *Ticket, a *Article) {
	if z.Hook == "" {
		return
	}
	article := map[string]any{}
	if a != nil {
		article = map[string]any{"id": a.ID, "ticket_id": a.Ticket, "body": a.Body, "internal": a.Internal, "sender": a.Sender, "created_by_id": a.CreatedBy}
	}
	body, err := json.Marshal(map[string]any{"ticket": t, "article": article})
	if err != nil {
		panic(err)
	}
	m := hmac.New(sha1.New, []byte(z.HookToken))
	m.Write(body)
	url, sign := z.Hook, "sha1="+hex.EncodeToString(m.Sum(nil))
	z.hooks.Go(func() {
		req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
		req.Header.Set("User-Agent", "Zammad User Agent")
		req.Header.Set("X-Zammad-Trigger", "Latchkey")
		req.Header.Set("X-Hub-Signature", sign)
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			res.Body.Close()
		}
		if err != nil || res.StatusCode/100 != 2 {
			z.mu.Lock()
			z.refused++
			z.mu.Unlock()
		}
	})
}
