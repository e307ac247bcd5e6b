package load

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/tmaxmax/go-sse"
	"golang.org/x/net/html"

	"latchkey/bot"
)

// WebOptions of Web.
type WebOptions struct {
	// Command makes the command line of a program that runs WebPeer. Web
	// starts and ends it.
	Command func() *exec.Cmd
	People  int
	// Pace is how long a person takes for one answer, in the mean: from half
	// of it to one and a half.
	Pace time.Duration
}

// A WebReport of people who are all connected to the web chat at once and
// enroll: sign-in, authenticator app, a text to the phone.
type WebReport struct {
	People   int     `json:"people"`
	Enrolled int     `json:"enrolled"` // says the database afterwards
	Replies  int     `json:"replies"`
	Lost     int     `json:"lost"`     // numbers that a browser never got
	Repeated int     `json:"repeated"` // numbers that it got twice
	Connect  float64 `json:"connect_s"`
	Talk     float64 `json:"talk_s"`
	P50      float64 `json:"reply_p50_ms"` // from the request to the message in the event stream
	P90      float64 `json:"reply_p90_ms"`
	P99      float64 `json:"reply_p99_ms"`
	Max      float64 `json:"reply_max_ms"`
	Before   State   `json:"before"` // nobody connected yet
	Idle     State   `json:"idle"`   // everybody connected and greeted, nobody talks
	After    State   `json:"after"`  // everybody enrolled and still connected
	PerIdle  float64 `json:"kb_per_idle_connection"`
}

// Lines of the report.
func (r *WebReport) Lines() []Line {
	return []Line{
		Of("people connected at once", float64(r.People), "each with an event stream of their own"),
		Of("enrolled", float64(r.Enrolled), "says the database"),
		Of("replies", float64(r.Replies), "every one verified"),
		Of("lost", float64(r.Lost), "messages"), Of("repeated", float64(r.Repeated), "messages"),
		Of("all connected after", r.Connect, "s"), Of("all enrolled after", r.Talk, "s"),
		Of("a reply, median", r.P50, "ms, from the request to the message in the event stream"),
		Of("a reply, 90 of 100", r.P90, "ms"), Of("a reply, 99 of 100", r.P99, "ms"), Of("a reply, longest", r.Max, "ms"),
		Of("an idle connection", r.PerIdle, "kB resident, its conversation included"),
		Of("memory", r.After.RSS, "MB resident at the end"),
	}
}

// webLine is what a WebPeer tells.
type webLine struct {
	Addr string `json:"addr,omitempty"` // it listens here
	To   string `json:"to,omitempty"`   // a text arrived
	Code string `json:"code,omitempty"`
	State
	Enrolled int `json:"enrolled,omitempty"`
}

// A Wire carries codes to the other process. It implements bot.Sender and
// bot.Notifier.
type Wire struct {
	mu  sync.Mutex
	enc *json.Encoder
}

// NewWire makes a wire that writes lines to w.
func NewWire(w io.Writer) *Wire { return &Wire{enc: json.NewEncoder(w)} }

func (w *Wire) tell(l webLine) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.enc.Encode(l)
}

// SendCode implements bot.Sender. The numbers and codes are pretended, so they
// may stand in a line.
func (w *Wire) SendCode(_ context.Context, m bot.CodeMessage) (string, error) {
	if err := w.tell(webLine{To: string(m.To), Code: string(m.Code)}); err != nil {
		return "", &bot.SendError{Kind: bot.SendRetry, Err: err}
	}
	return m.ID, nil
}

// SendNotice implements bot.Notifier.
func (w *Wire) SendNotice(context.Context, bot.NoticeMessage) error { return nil }

// WebPeer is the other end of Web: it tells where it listens, and its state for
// each line that it reads. It returns at the end of in.
func WebPeer(in io.Reader, w *Wire, addr string, enrolled func() (int, error)) error {
	if err := w.tell(webLine{Addr: addr}); err != nil {
		return err
	}
	for sc := bufio.NewScanner(in); sc.Scan(); {
		s := State{RSS: RSS()}
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		s.Kept, s.Heap, s.Goroutines, s.Reply = RSS(), float64(m.HeapAlloc)/1e6, runtime.NumGoroutine(), true
		n, err := enrolled()
		if err != nil {
			return err
		}
		if err := w.tell(webLine{State: s, Enrolled: n}); err != nil {
			return err
		}
	}
	return nil
}

// server is a running WebPeer.
type server struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	err    strings.Builder
	addr   string
	states chan webLine

	mu    sync.Mutex
	texts map[string]chan string // by number
}

func startWeb(cmd *exec.Cmd) (*server, error) {
	s := &server{cmd: cmd, states: make(chan webLine, 1), texts: map[string]chan string{}}
	cmd.Stderr = &s.err
	var err error
	if s.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("load: start the program: %w", err)
	}
	first := make(chan string, 1)
	go func() {
		defer close(s.states)
		defer close(first)
		for dec := json.NewDecoder(out); ; {
			var l webLine
			if dec.Decode(&l) != nil {
				return
			}
			switch {
			case l.Addr != "":
				first <- l.Addr
			case l.To != "":
				s.box(l.To) <- l.Code
			default:
				s.states <- l
			}
		}
	}()
	if s.addr = <-first; s.addr == "" {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		return nil, fmt.Errorf("load: the program does not listen: %s", strings.TrimSpace(s.err.String()))
	}
	return s, nil
}

// box is where the texts to a number arrive.
func (s *server) box(number string) chan string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.texts[number] == nil {
		s.texts[number] = make(chan string, 4)
	}
	return s.texts[number]
}

func (s *server) state() (webLine, error) {
	if _, err := io.WriteString(s.in, "state\n"); err != nil {
		return webLine{}, fmt.Errorf("load: the program is gone: %w", err)
	}
	l, ok := <-s.states
	if !ok {
		return l, fmt.Errorf("load: the program is gone: %s", strings.TrimSpace(s.err.String()))
	}
	return l, nil
}

// end asks the program to stop.
func (s *server) end() error {
	s.in.Close()
	for range s.states {
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("load: the program failed: %w: %s", err, strings.TrimSpace(s.err.String()))
	}
	return nil
}

// Web connects everybody, looks at the memory, and has everybody enroll. It
// fails at the first wrong reply.
func Web(ctx context.Context, o WebOptions) (_ *WebReport, err error) {
	s, err := startWeb(o.Command())
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := s.end(); err == nil {
			err = e
		}
	}()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &WebReport{People: o.People}
	note := func(into *State) error {
		l, err := s.state()
		*into, r.Enrolled = l.State, l.Enrolled
		return err
	}
	if err := note(&r.Before); err != nil {
		return nil, err
	}
	everybody := make([]*visitor, o.People)
	all := func(conc int, do func(*visitor) error) error {
		var wg sync.WaitGroup
		turnstile := make(chan struct{}, conc)
		for _, v := range everybody {
			wg.Go(func() {
				turnstile <- struct{}{}
				defer func() { <-turnstile }()
				if ctx.Err() == nil {
					if err := do(v); err != nil {
						stop(err)
					}
				}
			})
		}
		wg.Wait()
		return context.Cause(ctx)
	}
	transport := &http.Transport{MaxIdleConns: o.People, MaxIdleConnsPerHost: o.People, IdleConnTimeout: time.Minute, DisableCompression: true}
	defer transport.CloseIdleConnections()
	for i := range everybody {
		everybody[i] = &visitor{n: i, at: s.addr, pace: o.Pace, do: transport, texts: s.box(ownNumber(i)), heard: make(chan heard, 8)}
	}
	t0 := time.Now()
	if err := all(32, func(v *visitor) error { return v.connect(ctx) }); err != nil {
		return nil, err
	}
	r.Connect = time.Since(t0).Seconds()
	transport.CloseIdleConnections() // what stays open are the event streams
	if err := note(&r.Idle); err != nil {
		return nil, err
	}
	r.PerIdle = (r.Idle.Kept - r.Before.Kept) * 1000 / float64(max(1, o.People))
	t0 = time.Now()
	if err := all(o.People, func(v *visitor) error { return v.enroll(ctx) }); err != nil {
		return nil, err
	}
	r.Talk = time.Since(t0).Seconds()
	if err := note(&r.After); err != nil {
		return nil, err
	}
	var times []time.Duration
	for _, v := range everybody {
		times = append(times, v.times...)
		r.Lost, r.Repeated = r.Lost+v.lost, r.Repeated+v.repeated
	}
	slices.Sort(times)
	r.Replies = len(times)
	r.P50, r.P90, r.P99, r.Max = ms(times, .5), ms(times, .9), ms(times, .99), ms(times, 1)
	return r, nil
}

// ownNumber is person i's phone (E.164). The numbers of a staff are spread over
// the exchanges of a town; in one block of ten thousand the limits against
// pumping would rightly stop them.
func ownNumber(i int) string { return fmt.Sprintf("+1201%03d%04d", 210+i%770, 1000+i/770) }

// heard is one message out of an event stream.
type heard struct {
	seq  int64
	html string
}

// visitor is one person with a browser.
type visitor struct {
	n      int
	at     string
	pace   time.Duration
	do     http.RoundTripper
	texts  <-chan string
	heard  chan heard
	cookie string
	csrf   string

	text, key, prompt string // of the newest message
	last              int64
	lost, repeated    int
	times             []time.Duration
}

// request makes a request as the page's script does, from an address of the
// visitor's own.
func (v *visitor) request(ctx context.Context, method, path string, body url.Values) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+v.at+path, strings.NewReader(body.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", v.n>>16&255, v.n>>8&255, v.n&255))
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.Set("Accept-Language", "en")
	if v.cookie != "" {
		req.Header.Set("Cookie", v.cookie)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("X-Latchkey", "fetch")
	}
	res, err := v.do.RoundTrip(req)
	if err == nil && res.StatusCode/100 != 2 {
		res.Body.Close()
		err = fmt.Errorf("load: %s %s: status %d", method, path, res.StatusCode)
	}
	return res, err
}

// connect opens the chat and its event stream, and waits for the greeting.
func (v *visitor) connect(ctx context.Context) error {
	res, err := v.request(ctx, "POST", "/chat/open", url.Values{"id": {rand.Text()}, "lang": {"en"}})
	if err != nil {
		return err
	}
	res.Body.Close()
	for _, c := range res.Cookies() {
		v.cookie = c.Name + "=" + c.Value
	}
	if res, err = v.request(ctx, "GET", "/chat", nil); err != nil {
		return err
	}
	page, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil {
		return err
	}
	_, rest, ok := strings.Cut(string(page), `name="csrf" value="`)
	if v.csrf, _, _ = strings.Cut(rest, `"`); !ok || v.csrf == "" {
		return errors.New("load: the page has no token for its forms")
	}
	if res, err = v.request(ctx, "GET", "/chat/events?after=0", nil); err != nil {
		return err
	}
	go func() {
		defer res.Body.Close()
		defer close(v.heard)
		for ev, err := range sse.Read(res.Body, nil) {
			if err != nil {
				return
			}
			if ev.Type == "message" {
				seq, _ := strconv.ParseInt(ev.LastEventID, 10, 64)
				select {
				case v.heard <- heard{seq, ev.Data}:
				case <-ctx.Done():
					return
				}
			}
		}
	}()
	return v.hear(ctx, "Hello!")
}

// hear waits for the next message, in which want must stand.
func (v *visitor) hear(ctx context.Context, want string) error {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	for {
		select {
		case m, ok := <-v.heard:
			switch {
			case !ok:
				return fmt.Errorf("load: the event stream of person %d ended", v.n)
			case m.seq <= v.last:
				v.repeated++
				continue
			}
			v.lost += int(m.seq - v.last - 1)
			v.last = m.seq
			v.read(m.html)
		case <-wait.C:
			return fmt.Errorf("load: person %d got no reply within %v, expected %q", v.n, patience, want)
		case <-ctx.Done():
			return ctx.Err()
		}
		if !strings.Contains(v.text, want) {
			return fmt.Errorf("load: person %d was answered with %q, expected %q in it", v.n, v.text, want)
		}
		return nil
	}
}

// read takes text, prompt and key out of a message.
func (v *visitor) read(fragment string) {
	var text strings.Builder
	v.key = ""
	for z := html.NewTokenizer(strings.NewReader(fragment)); z.Next() != html.ErrorToken; {
		switch t := z.Token(); t.Type {
		case html.TextToken:
			text.WriteString(t.Data)
			text.WriteByte(' ')
		case html.StartTagToken, html.SelfClosingTagToken:
			for _, a := range t.Attr {
				switch {
				case a.Key == "data-prompt":
					v.prompt = a.Val
				case a.Key == "href" && strings.HasPrefix(a.Val, "otpauth://"):
					v.key = a.Val
				}
			}
		}
	}
	v.text = strings.Join(strings.Fields(text.String()), " ")
}

// act does one thing and waits for the reply.
func (v *visitor) act(ctx context.Context, path, want string, kv ...string) error {
	if v.pace > 0 {
		var b [2]byte
		rand.Read(b[:])
		think := v.pace/2 + v.pace*time.Duration(uint(b[0])<<8|uint(b[1]))/(1<<16)
		select {
		case <-time.After(think):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	body := url.Values{"csrf": {v.csrf}, "id": {rand.Text()}, "lang": {"en"}}
	for i := 0; i+1 < len(kv); i += 2 {
		body.Set(kv[i], kv[i+1])
	}
	t0 := time.Now()
	res, err := v.request(ctx, "POST", path, body)
	if err != nil {
		return err
	}
	res.Body.Close()
	if err := v.hear(ctx, want); err != nil {
		return err
	}
	v.times = append(v.times, time.Since(t0))
	return nil
}

func (v *visitor) say(ctx context.Context, pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := v.act(ctx, "/chat/say", pairs[i+1], "text", pairs[i]); err != nil {
			return err
		}
	}
	return nil
}

// enroll plays one whole enrollment.
func (v *visitor) enroll(ctx context.Context) error {
	if err := v.say(ctx, "start", "user name", username(v.n), "Your password"); err != nil {
		return err
	}
	if err := v.act(ctx, "/chat/form", "Thank you, Ada.", "prompt", v.prompt, "form", "sign_in", "f.password", string(Password)); err != nil {
		return err
	}
	if err := v.say(ctx, "next", "your smartphone", "yes", "Install", "i have the app", "tap the plus sign", "next", "what kind of account", "next", "at this square picture"); err != nil {
		return err
	}
	u, err := url.Parse(v.key)
	if err != nil || v.key == "" {
		return errors.New("load: no otpauth address under the picture")
	}
	code, err := totp.GenerateCode(u.Query().Get("secret"), time.Now())
	if err != nil {
		return errors.New("load: the picture holds no key")
	}
	if err := v.say(ctx, code, "The authenticator app is set up.", "text me a code", "Which number?", ownNumber(v.n), "Is that right?", "send the code", "is on its way"); err != nil {
		return err
	}
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case code = <-v.texts:
	case <-wait.C:
		return fmt.Errorf("load: no code was sent to person %d within %v", v.n, patience)
	case <-ctx.Done():
		return ctx.Err()
	}
	return v.say(ctx, code, "Setup is now complete.", "done", "All done.")
}
