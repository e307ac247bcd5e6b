package discord

import (
	"context"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bwmarrin/discordgo"

	"latchkey/adapters/dial"
	"latchkey/bot"
)

// session makes a session of the library for requests, quiet and without a wait of
// its own.
func (a *Adapter) session() (*discordgo.Session, error) {
	s, err := discordgo.New("Bot " + string(a.o.Token.One()))
	if err != nil {
		return nil, err
	}
	s.LogLevel = -1 // it would log what people write
	s.ShouldRetryOnRateLimit = false
	s.MaxRestRetries = 0
	s.Client = dial.Client(&transport{base: dial.For(API, a.o.APIURL).Transport(), api: a.api, token: a.o.Token.One, dated: &a.dated}, 15*time.Second)
	return s, nil
}

// A transport sends the library's requests to the configured address. The
// library's own addresses are package variables, one set for all sessions, and
// of an older version of the API; so the address is written anew here. It also
// takes down what the library does not pass on.
type transport struct {
	base  http.RoundTripper
	api   *url.URL
	token func() bot.Secret
	dated *atomic.Pointer[dated]
}

// dated is the time that the last answer told, and when it was asked for and came.
type dated struct {
	date            string
	asked, answered time.Time
}

// A note is what became of one request.
type note struct {
	status int
	header http.Header
	reach  bool // a connection was there
}

type noteKey struct{}

// noted gives a context in which a transport takes a note.
func noted(ctx context.Context) (context.Context, *note) {
	n := new(note)
	return context.WithValue(ctx, noteKey{}, n), n
}

// resetAfter tells when a bucket is full again, in whole milliseconds, of which
// the library drops one more at times: it would ask just before the moment, and
// be refused. So these seconds are added.
const (
	resetAfter = "X-RateLimit-Reset-After"
	early      = 0.005
)

// library is how paths of the library begin.
const library = "/api/v9/"

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(q *http.Request) (*http.Response, error) {
	path, ok := strings.CutPrefix(q.URL.EscapedPath(), library)
	if !ok {
		return nil, errShape
	}
	n, _ := q.Context().Value(noteKey{}).(*note)
	ctx := q.Context()
	if n != nil {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { n.reach = true }})
	}
	q = q.Clone(ctx)
	u := *t.api
	u.Path, u.RawPath = "", ""
	to, err := url.Parse(u.String() + t.api.EscapedPath() + "/" + version + "/" + path)
	if err != nil {
		return nil, errShape
	}
	to.RawQuery = q.URL.RawQuery
	q.URL, q.Host = to, ""
	if q.Header.Get("Authorization") != "" {
		q.Header.Set("Authorization", "Bot "+string(t.token()))
	}
	began := time.Now()
	r, err := t.base.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	t.dated.Store(&dated{r.Header.Get("Date"), began, time.Now()})
	if n != nil {
		n.status, n.header = r.StatusCode, r.Header.Clone()
	}
	after, err := strconv.ParseFloat(r.Header.Get(resetAfter), 64)
	_, odd := strconv.Atoi(r.Header.Get("X-RateLimit-Remaining"))
	if err == nil {
		r.Header.Set(resetAfter, strconv.FormatFloat(after+early, 'f', 3, 64))
	}
	if r.StatusCode == http.StatusTooManyRequests || err != nil || odd != nil {
		// Whoever called is told to wait, and does; the library must not wait, too. And
		// for an odd header it would give the whole answer up.
		for k := range r.Header {
			if strings.HasPrefix(strings.ToLower(k), "x-ratelimit-") {
				r.Header.Del(k)
			}
		}
	}
	return r, nil
}
