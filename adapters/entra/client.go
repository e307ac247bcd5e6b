package entra

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	randv2 "math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"latchkey/bot"
)

// maxAnswer bounds what is read of an answer, in bytes. A page of 999 rows of
// the report has less than 1 MB.
const maxAnswer = 32 << 20

// version is the only one of Graph's that is asked; beta may change any day.
const version = "/v1.0"

// A Client reads one tenant. It is safe for concurrent use.
type Client struct {
	o      Options
	http   *http.Client
	tokens *tokens
	graph  *url.URL      // o.GraphURL
	report *rate.Limiter // the report's own limit

	narrow atomic.Bool // Graph took the short list of properties only

	mu    sync.Mutex
	fails map[string]int // by feature: how often in a row it has to be asked later
	clock clockSeen

	sleep  func(ctx context.Context, d time.Duration) error // tests do not wait
	jitter func() float64                                   // from 0 to 1
}

// clockSeen is Microsoft's clock and ours, when it last answered.
type clockSeen struct{ theirs, ours time.Time }

var (
	_ bot.DirectorySource = (*Client)(nil)
	_ bot.Examiner        = (*Client)(nil)
)

// Assertion is for others that have to be known to the tenant as the same app: it
// gives what stands in place of a client secret, made or read anew. It is nil
// where the app has a secret.
func (c *Client) Assertion() func(context.Context) (bot.Secret, error) {
	if !c.o.asserts() {
		return nil
	}
	return func(context.Context) (bot.Secret, error) {
		a, err := c.tokens.assertion()
		return bot.Secret(a), err
	}
}

// New checks the options. It asks Microsoft nothing, which may be down.
func New(o Options) (*Client, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	c := &Client{
		o: o, report: newPace(), fails: map[string]int{}, jitter: randv2.Float64,
		sleep: func(ctx context.Context, d time.Duration) error {
			bot.Sleep(ctx, d)
			return ctx.Err()
		},
	}
	var err error
	if c.graph, err = url.Parse(o.GraphURL); err != nil {
		return nil, fmt.Errorf("entra: graph_url: %w", err)
	}
	if c.http, err = newHTTP(&c.o, c.noteDate); err != nil {
		return nil, err
	}
	c.tokens = newTokens(&c.o, c.http)
	return c, nil
}

// newPace keeps the limit of identity and access reports: 5 requests in 10 s for
// an app in a tenant ("Microsoft Graph service-specific throttling limits").
func newPace() *rate.Limiter { return rate.NewLimiter(rate.Every(2100*time.Millisecond), 1) }

// fenced is the transport: it sends nothing to a host that is not configured,
// whoever asks, and gives every request an id that Microsoft's support can find.
type fenced struct {
	next         http.RoundTripper
	login, graph string
	seen         func(*http.Response)
}

// RoundTrip implements http.RoundTripper.
func (f *fenced) RoundTrip(q *http.Request) (*http.Response, error) {
	if !within(q.URL, f.login) && !within(q.URL, f.graph) {
		return nil, errors.New("the address is not of a host that is configured; nothing was sent")
	}
	q = q.Clone(q.Context())
	if q.Header.Get("client-request-id") == "" {
		q.Header.Set("client-request-id", newID())
	}
	q.Header.Set("User-Agent", "Latchkey")
	r, err := f.next.RoundTrip(q)
	if err == nil {
		f.seen(r)
	}
	return r, err
}

// within reports whether an address lies under a base address.
func within(u *url.URL, base string) bool {
	b, err := url.Parse(base)
	return err == nil && u.User == nil && u.Scheme == b.Scheme && strings.EqualFold(u.Hostname(), b.Hostname()) && portOf(u) == portOf(b) &&
		strings.HasPrefix(u.Path, b.Path+"/") && !strings.Contains(u.Path, "/../")
}

func portOf(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"https": "443", "http": "80"}[u.Scheme]
}

// newID is a random GUID (RFC 9562, version 4).
func newID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// noteDate keeps what Microsoft's clock says.
func (c *Client) noteDate(r *http.Response) {
	at, err := http.ParseTime(r.Header.Get("Date"))
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock = clockSeen{theirs: at, ours: c.o.Wall()}
}

// address is that of a path below v1.0, with its query in pairs.
func (c *Client) address(path string, query ...string) string {
	s := c.o.GraphURL + version + path
	for i := 0; i+1 < len(query); i += 2 {
		s += map[bool]string{true: "?", false: "&"}[i == 0] + query[i] + "=" + strings.ReplaceAll(url.QueryEscape(query[i+1]), "%2C", ",")
	}
	return s
}

// follow checks an address that Graph has given for what comes next: a token of
// ours goes to no other host and to no other version, whatever an answer says.
func (c *Client) follow(address string) error {
	u, err := url.Parse(address)
	if err != nil || !within(u, c.o.GraphURL+version) {
		return errors.New("entra: Graph names an address of another host or version as its next page; nothing is asked there; check entra.graph_url")
	}
	return nil
}

// get asks one question and decodes the answer. Errors are *bot.WaitError where
// asking later helps, the context's, or say what the operator should do.
func (c *Client) get(ctx context.Context, f *feature, address string, into any) error {
	for again := false; ; again = true {
		if f.paced {
			if err := c.turn(ctx); err != nil {
				return err
			}
		}
		token, err := c.tokens.get(ctx)
		if err != nil {
			return c.failed(ctx, f, "", err)
		}
		err = c.once(ctx, f, address, token, into)
		var r *refusal
		if errors.As(err, &r) && r.status == http.StatusUnauthorized && !again {
			c.tokens.drop(token) // it was withdrawn, or its key was changed
			continue
		}
		if err != nil {
			return c.failed(ctx, f, token, err)
		}
		c.mu.Lock()
		delete(c.fails, f.name)
		c.mu.Unlock()
		return nil
	}
}

// turn waits until the report may be asked again.
func (c *Client) turn(ctx context.Context) error {
	now := c.o.Now()
	r := c.report.ReserveN(now, 1)
	d := r.DelayFrom(now)
	if d == 0 {
		return ctx.Err()
	}
	if err := c.sleep(ctx, d); err != nil {
		r.CancelAt(now)
		return err
	}
	return nil
}

// once makes one request.
func (c *Client) once(ctx context.Context, f *feature, address, token string, into any) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("the address cannot be read")
	}
	id := newID()
	q.Header.Set("Authorization", "Bearer "+token)
	q.Header.Set("Accept", "application/json")
	q.Header.Set("client-request-id", id)
	for k, v := range f.headers {
		q.Header.Set(k, v)
	}
	r, err := c.http.Do(q)
	if err != nil {
		return &unreached{plain(err)}
	}
	defer r.Body.Close()
	c.noteThrottle(f, r)
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer+1))
	if r.StatusCode != http.StatusOK {
		return newRefusal(r, body, id, c.o.Wall())
	}
	switch {
	case err != nil:
		return &unreached{plain(err)}
	case len(body) > maxAnswer:
		return fmt.Errorf("the answer is longer than %d MB", maxAnswer>>20)
	}
	if err := json.Unmarshal(body, into); err != nil {
		// The text of a JSON error may repeat what stood there.
		c.o.Log.Warn("Microsoft Graph's answer cannot be read", "what", f.name, "client-request-id", id, "request-id", idOf(r.Header.Get("request-id")))
		return errors.New("the answer is not what Graph sends; is there a proxy in between, and is entra.graph_url right?")
	}
	return nil
}

// unreached says that no answer came.
type unreached struct{ err error }

func (e *unreached) Error() string { return "no answer: " + e.err.Error() }
func (e *unreached) Unwrap() error { return e.err }

// plain takes the address out of an error of net/http: its path and query name
// people and hold cursors.
func plain(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		if ue.Timeout() {
			return errTimeout
		}
		return ue.Err
	}
	if t, ok := err.(interface{ Timeout() bool }); ok && t.Timeout() {
		return errTimeout
	}
	return err
}

var errTimeout = errors.New("nothing came within entra.timeout")

// noteThrottle logs how near the limit we are; Graph tells from 80 percent on.
func (c *Client) noteThrottle(f *feature, r *http.Response) {
	var told []any
	for _, h := range []string{"Retry-After", "x-ms-throttle-limit-percentage", "x-ms-throttle-scope", "x-ms-throttle-information", "x-ms-resource-unit"} {
		if v := r.Header.Get(h); bot.Plain(v, 200, " _./:;,=%()-") {
			told = append(told, h, v)
		}
	}
	switch {
	case r.StatusCode == http.StatusTooManyRequests:
		c.o.Log.Warn("Microsoft Graph asks us to wait", append([]any{"what", f.name}, told...)...)
	case r.Header.Get("x-ms-throttle-limit-percentage") != "":
		c.o.Log.Info("Microsoft Graph is near its limit", append([]any{"what", f.name}, told...)...)
	}
}

// later is a *bot.WaitError: after the pause that was told, or after one that
// grows from try to try, so that nobody asks in step with others. tooMany says
// that the answer was status 429.
func (c *Client) later(what string, told time.Duration, tooMany bool, err error) error {
	if told > 0 {
		return &bot.WaitError{After: told, Asked: true, Err: err}
	}
	c.mu.Lock()
	n := c.fails[what]
	c.fails[what]++
	c.mu.Unlock()
	longest := min(firstPause<<min(n, 20), longestPause)
	return &bot.WaitError{Asked: tooMany, After: longest/2 + time.Duration(c.jitter()*float64(longest/2)), Err: err}
}

// The pauses without Retry-After: between half of these and all of it.
const (
	firstPause   = 10 * time.Second
	longestPause = 10 * time.Minute
)
