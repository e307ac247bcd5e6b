package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"latchkey/bot"
)

// The decoders of what browsers send, each with anything at all.
//
//	go test -fuzz FuzzAct -fuzztime 10m ./adapters/web

// fuzzToken opens the one session, page and sign-in that there is.
var fuzzToken = strings.Repeat("t", tokenLen)

// fuzzed notes what got through to the house.
type fuzzed struct {
	House
	bot.Passes
	events []bot.Event
	tried  []*bot.FormReply
	after  []int64 // what Said was asked for
	asked  []string
	now    bool // FinishSignIn was asked
}

func (f *fuzzed) Accept(_ context.Context, ev bot.Event) error {
	f.events = append(f.events, ev)
	return nil
}

func (f *fuzzed) TryForm(_ context.Context, _ bot.ConversationID, r *bot.FormReply) ([]bot.FieldProblem, error) {
	f.tried = append(f.tried, r)
	return nil, nil
}

func (f *fuzzed) Said(_ context.Context, _ bot.ConversationID, after int64, _ int) ([]bot.OutboxRow, error) {
	f.after = append(f.after, after)
	return []bot.OutboxRow{{Conversation: "web:u", Seq: 7, Message: bot.Message{Text: "x", Prompt: 3, Form: &bot.Form{Name: "f", Fields: []bot.Field{{Name: "a"}}}}}}, nil
}

var fuzzSession = bot.WebSession{Conversation: "web:u", User: "u"}

func (f *fuzzed) Session(_ context.Context, token bot.Secret) (*bot.WebSession, error) {
	if string(token) != fuzzToken {
		return nil, bot.ErrNotFound
	}
	s := fuzzSession
	return &s, nil
}

func (f *fuzzed) PeekSession(ctx context.Context, token bot.Secret) (*bot.WebSession, time.Time, error) {
	s, err := f.Session(ctx, token)
	return s, time.Unix(1<<40, 0), err
}

func (f *fuzzed) BeginSession(context.Context, bot.WebSession) (bot.Secret, error) {
	return bot.Secret(fuzzToken), nil
}
func (f *fuzzed) EndSession(context.Context, bot.Secret) error { return nil }

func (f *fuzzed) NewLink(_ context.Context, p bot.Page) (bot.Secret, time.Time, error) {
	return bot.Secret(fuzzToken), time.Time{}, nil
}

func (f *fuzzed) FinishSignIn(_ context.Context, token bot.Secret) (*bot.SignInState, error) {
	if f.now = true; string(token) != fuzzToken {
		return nil, bot.ErrNotFound
	}
	return &bot.SignInState{}, nil
}

func (f *fuzzed) Name() string { return "ID" }

func (f *fuzzed) Begin(context.Context, string, string, string, string, bot.SignInAsk) (string, error) {
	return "https://id.example/", nil
}

func (f *fuzzed) Finish(_ context.Context, _, code, issuer, _, _ string, _ bot.SignInAsk) (*bot.External, error) {
	f.asked = append(f.asked, code, issuer)
	return nil, errors.New("no")
}

// newFuzzed makes pages over it, with an address of their own in every limit.
func newFuzzed(t testing.TB) (*fuzzed, *Adapter) {
	t.Helper()
	f := &fuzzed{}
	a := bare(t, func(o *Options) {
		o.House, o.Passes, o.Provider = f, f, f
		o.Embed = []string{"https://intranet.example.org"}
		o.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	})
	return f, a
}

// fresh forgets who has been counted, so that limits do not hide what is behind
// them.
func (a *Adapter) fresh() { a.limits = newLimits(a.o.Policy, a.o.Now) }

// FuzzAct sends anything as the body, the query and the cookie of every act of
// the chat. What gets through is an act of the session, in its own conversation,
// and no larger than the limits say.
func FuzzAct(f *testing.F) {
	acts := []string{"open", "say", "press", "form", "check", "show", "page", "leave"}
	good := "csrf=" + bareCSRF() + "&id=abcdefgh&next=%2F&lang=es&"
	for i, body := range []string{"", "text=hi", "prompt=3&choice=start", "form=f&f.a=b&prompt=3", "form=f&f.a=b", "form=f", "seq=7", "", "text=%00%ff", "prompt=-1", "f.=x&form=f", "form=f&f.a=1&f.a=2", "%zz", "a;b", "seq=99999999999999999999"} {
		f.Add(uint8(i), good+body, "", "__Host-latchkey-session="+fuzzToken)
	}
	many := "form=f"
	for i := range maxFields + 5 {
		many += "&f.n" + strconv.Itoa(i) + "=x"
	}
	f.Add(uint8(3), good+many, "", "__Host-latchkey-session="+fuzzToken)
	f.Add(uint8(1), good+"text="+strings.Repeat("%F0%9F%A6%8A", bot.MaxText+9), "", "__Host-latchkey-session="+fuzzToken)
	f.Add(uint8(1), strings.Replace(good, "next=%2F", "next=%2F%2Fevil.example", 1), "next=https://evil.example", "__Host-latchkey-session="+fuzzToken)
	f.Add(uint8(1), good, "framed=1&next=//evil.example", "__Host-latchkey-framed="+fuzzToken)
	f.Add(uint8(1), good+"csrf=x", "lang=%ff&framed=1&framed=0", "__Host-latchkey-session=x; __Host-latchkey-session="+fuzzToken)
	seen, a := newFuzzed(f)
	f.Fuzz(func(t *testing.T, act uint8, body, query, cookie string) {
		*seen = fuzzed{}
		a.fresh()
		path := "/chat/" + acts[int(act)%len(acts)]
		r := httptest.NewRequest(http.MethodPost, "https://chat.example.org"+path, strings.NewReader(body))
		r.URL.RawQuery = query
		r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Site": {"same-origin"}, "Cookie": {cookie}}
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, r)
		if w.Code >= 500 || w.Code < 200 {
			t.Fatalf("%d\n%s", w.Code, w.Body)
		}
		if to := w.Header().Get("Location"); to != "" && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")) {
			t.Errorf("sent to %q", to)
		}
		if len(seen.events) > 1 {
			t.Errorf("%d events of one act", len(seen.events))
		}
		for _, ev := range seen.events {
			own := ev.From == "u" && ev.Conversation == "web:u"
			if path == "/chat/open" && !own { // a stranger has a conversation of their own
				own = ev.Conversation == a.conversation(ev.From) && len(ev.From) == 22
			}
			id, ok := strings.CutPrefix(ev.ID, ev.From+"|")
			if !own || !ok || !validID(id) || ev.Channel != "web" {
				t.Errorf("event %q of %q in %q", ev.ID, ev.From, ev.Conversation)
			}
			if utf8.RuneCountInString(ev.Text) > bot.MaxText+1 {
				t.Errorf("%d characters of text", utf8.RuneCountInString(ev.Text))
			}
			if l := ev.Locale; l != "en" && l != "es" {
				t.Errorf("language %q", l)
			}
			within(t, ev.Form)
		}
		for _, form := range seen.tried {
			within(t, form)
		}
	})
}

// bareCSRF is what forms of the one session carry.
func bareCSRF() string { return (*Adapter)(nil).csrf(bot.Secret(fuzzToken)) }

// within fails for a form that is larger than the limits.
func within(t *testing.T, form *bot.FormReply) {
	t.Helper()
	if form == nil {
		return
	}
	if form.Name == "" || len(form.Name) > 64 || len(form.Values) > maxFields {
		t.Errorf("form %q with %d values", form.Name, len(form.Values))
	}
	names := map[string]bool{}
	for _, v := range form.Values {
		if v.Name == "" || len(v.Name) > 64 || names[v.Name] {
			t.Errorf("field %q", v.Name)
		}
		names[v.Name] = true
	}
}

// FuzzLastEventID: wherever a browser says that it is, the stream reads on from
// a place that exists.
func FuzzLastEventID(f *testing.F) {
	for _, s := range []string{"", "0", "7", "-1", "9223372036854775807", "9223372036854775808", "x", "1e3", " 7", "٧", "\x00", strings.Repeat("9", 1000)} {
		f.Add(s, "after="+url.QueryEscape(s))
		f.Add(s, "after=3&after="+url.QueryEscape(s)+"&framed=0&next=%2F")
	}
	f.Add("-1", "after=7")
	f.Add("3", "after=7")
	f.Add("9", "after=-9")
	seen, a := newFuzzed(f)
	f.Fuzz(func(t *testing.T, id, query string) {
		*seen = fuzzed{}
		a.fresh()
		gone, leave := context.WithCancel(t.Context())
		leave() // the browser leaves when it has what it missed
		r := httptest.NewRequestWithContext(gone, http.MethodGet, "https://chat.example.org/chat/events", nil)
		r.URL.RawQuery = query
		r.Header = http.Header{"Last-Event-Id": {id}, "Cookie": {"__Host-latchkey-session=" + fuzzToken}}
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%d\n%s", w.Code, w.Body)
		}
		if framed(r) {
			return // another cookie
		}
		want := int64(0)
		for _, s := range []string{id, r.URL.Query().Get("after")} {
			if n, err := strconv.ParseInt(s, 10, 64); err == nil {
				want = max(want, n)
			}
		}
		if len(seen.after) != 1 || seen.after[0] < 0 || seen.after[0] > want || want-seen.after[0] > recentRows {
			t.Errorf("the browser is at %d, and %v was read", want, seen.after)
		}
		if sent := strings.Contains(w.Body.String(), "id: 7\n"); sent != (want < 7) {
			t.Errorf("the browser is at %d; message 7 was sent: %v", want, sent)
		}
		if a.hub.streams() != 0 {
			t.Errorf("%d streams stay open", a.hub.streams())
		}
	})
}

// FuzzForwarded: only a proxy of ours can say for whom it asks, and nobody is
// counted by more than a household's address.
func FuzzForwarded(f *testing.F) {
	for _, s := range []string{"", "1.2.3.4", "1.2.3.4, 10.0.0.2", "x, 1.2.3.4", "1.2.3.4, x", ",,,", "::1", "fe80::1%eth0", "::ffff:1.2.3.4", "2001:db8::1", "[2001:db8::1]:80", "1.2.3.4:80", "fd00::1, 2001:db8:1:2:3::4", strings.Repeat("10.0.0.1,", 200)} {
		f.Add("10.0.0.1:99", s, "")
		f.Add("203.0.113.9:99", s, s)
		f.Add("[fd00::9]:99", s, "10.0.0.7")
	}
	f.Add("", "", "")
	f.Add("@", "1.2.3.4", "")
	_, a := newFuzzed(f)
	f.Fuzz(func(t *testing.T, from, one, two string) {
		r := httptest.NewRequest(http.MethodGet, "https://chat.example.org/", nil)
		r.RemoteAddr = from
		r.Header = http.Header{"X-Forwarded-For": {one, two}}
		got := a.address(r)
		if got.Is4In6() || got.Zone() != "" {
			t.Errorf("counted as %v", got)
		}
		if got.Is6() {
			if p, err := got.Prefix(64); err != nil || p.Addr() != got {
				t.Errorf("counted as %v, which is less than a household", got)
			}
		}
		peer, err := netip.ParseAddrPort(from)
		if err != nil {
			if got.IsValid() {
				t.Errorf("%q is counted as %v", from, got)
			}
			return
		}
		if ip := peer.Addr().Unmap(); !a.proxy(ip) {
			r.Header = nil
			if alone := a.address(r); alone != got {
				t.Errorf("%s is no proxy of ours and is counted as %v, not as %v", ip, got, alone)
			}
		}
	})
}

// FuzzCallback: an answer of the provider is looked at only by the browser that
// began, with the state that it began with, and what is handed on is bounded.
func FuzzCallback(f *testing.F) {
	s := &signingIn{token: bot.Secret(fuzzToken), next: chatPath}
	state := s.derive("state")
	for _, q := range []string{"", "state=" + state + "&code=c", "state=" + state + "&code=c&iss=https%3A%2F%2Fid.example", "state=" + state + "&error=access_denied&error_description=%3Cscript%3E", "state=x&code=c", "state=" + state + "&state=x&code=c", "code=c", "state=" + state + "&code=" + strings.Repeat("c", 5000), "%zz", "state=" + state + ";code=c", "state=" + state + "%00&code=c"} {
		f.Add(q, s.value())
		f.Add(q, "")
		f.Add(q, s.value()+"x")
	}
	f.Add("state="+state+"&code=c", fuzzToken+".home.")
	f.Add("state="+state+"&code=c", fuzzToken+".page."+fuzzToken)
	f.Add("state="+state+"&code=c", fuzzToken+"..")
	seen, a := newFuzzed(f)
	f.Fuzz(func(t *testing.T, query, cookie string) {
		*seen = fuzzed{}
		a.fresh()
		r := httptest.NewRequest(http.MethodGet, "https://chat.example.org"+callbackPath, nil)
		r.URL.RawQuery = query
		r.Header = http.Header{"Cookie": {a.cookieName(signInCookie(state)) + "=" + cookie}}
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, r)
		q := r.URL.Query()
		if w.Code >= 500 && (w.Code != http.StatusServiceUnavailable || refusal(q.Get("error")) != "down") {
			t.Fatalf("%d\n%s", w.Code, w.Body)
		}
		begun, ok := readSigningIn(a.cookie(r, signInCookie(state)))
		if seen.now && (!ok || q.Get("state") != begun.derive("state") || len(q["state"]) != 1) {
			t.Errorf("query %q with cookie %q spends a sign-in", query, cookie)
		}
		if len(seen.asked) > 0 && (!seen.now || string(begun.token) != fuzzToken || q.Get("error") != "" || len(q["code"]) > 1) {
			t.Errorf("query %q with cookie %q is shown to the provider", query, cookie)
		}
		for _, v := range seen.asked {
			if len(v) > maxParameter {
				t.Errorf("%d bytes are shown to the provider", len(v))
			}
		}
		if ok && begun.value() != a.cookie(r, signInCookie(state)) {
			t.Errorf("cookie %q is read as %q", cookie, begun.value())
		}
		if strings.Contains(w.Body.String(), "<script>") {
			t.Error("a script")
		}
	})
}
