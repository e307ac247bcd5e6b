package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/pass"
	"latchkey/bot/policy"
)

// bare is an adapter that shows what it is given, for what needs no house.
func bare(t testing.TB, change ...func(*Options)) *Adapter {
	t.Helper()
	o := Options{
		Channel: "web", House: nobody{}, Passes: pass.New(pass.Options{}), Policy: policy.Default(), Phrases: prooftest.Phrases{},
		PublicURL: "https://chat.example.org", Org: "Contoso", Chat: true, Now: bottest.NewClock(time.Time{}).Now,
	}
	for _, f := range change {
		f(&o)
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// nobody is a house without anything in it but a picture.
type nobody struct{ House }

func (nobody) Reveal(_ context.Context, r bot.Reveal) (*bot.Revealed, error) {
	switch {
	case r.Kind == bot.RevealTyped && r.Method == "gone":
		return nil, bot.ErrNotFound
	case r.Kind == bot.RevealTyped:
		return &bot.Revealed{Masked: "•••• 48", Full: "(704) 555-0148"}, nil
	}
	return &bot.Revealed{URI: "otpauth://totp/Contoso:ann?secret=ABCD&issuer=Contoso", Key: "ABCD EFGH", PNG: []byte{1}}, nil
}

// hostile is what may stand in a name, a label or a text.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onfocus=alert(1) autofocus x='`, `</p></article><svg/onload=alert(1)>`,
	`javascript:alert(1)`, `{{.Lang}}`, `<!--`, `--><script>`, "]]>", "\u202e<b>", "</textarea>", "&lt;script&gt;", "\x00<i>", "`onclick=alert(1)`",
	`https://evil.example/"onmouseover="alert(1)`, `https://x.example/<script>`, `http://a@b.example/`, "data:text/html,<script>alert(1)</script>",
	`otpauth://totp/"onclick="x`, "é\xff\xfe", strings.Repeat("<div>", 50),
}

// everywhere is a message with s in each of its fields.
func everywhere(s string) bot.OutboxRow {
	return bot.OutboxRow{Conversation: "web:x", Seq: 7, Message: bot.Message{
		Text: s + "\n\n" + s, Progress: s, Ref: s, Heard: s, Lang: s, Prompt: 3,
		Choices: []bot.Choice{{ID: s, Label: s, Primary: true}, {ID: s, Label: s, Link: s}},
		Picture: &bot.Picture{Name: s, Alt: s},
		Form:    &bot.Form{Name: s, Title: s, Button: s, Fields: []bot.Field{{Name: s, Label: s, Mask: true}}},
		Reveal:  &bot.Reveal{Kind: bot.RevealTOTP, Method: "m"},
	}}
}

// shape is a fragment without its texts and values: elements and the names of
// their attributes.
func shape(t *testing.T, fragment string) string {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(fragment))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range doc.Descendants() {
		switch n.Type {
		case html.ElementNode:
			b.WriteString("<" + n.Data)
			for _, a := range n.Attr {
				b.WriteString(" " + a.Key)
				if strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") && (a.Key == "href" || a.Key == "src" || a.Key == "action") {
					t.Errorf("%s leads to %q", a.Key, a.Val)
				}
			}
			b.WriteString(">")
		case html.CommentNode:
			b.WriteString("<!>")
		}
	}
	return b.String()
}

// TestNothingInAMessageIsMarkup: whatever stands in a message, the page has the
// elements and attributes that it has with plain words. An address that is none
// may lose its link.
func TestNothingInAMessageIsMarkup(t *testing.T) {
	a := bare(t)
	render := func(s string) string {
		row := everywhere(s)
		views, err := a.saidAll(t.Context(), []bot.OutboxRow{row}, hidden{CSRF: "c", Next: "/chat", Lang: "en"})
		if err != nil {
			t.Fatal(err)
		}
		out, err := a.fragment("chat_row", "en", views[0])
		if err != nil {
			t.Fatal(err)
		}
		row.Message.Form.Reveals = true
		codes, err := a.fragment("chat_codes", "en", &codes{a.saidForm(&row, hidden{}), []string{s}})
		if err != nil {
			t.Fatal(err)
		}
		return out + codes
	}
	plain := shape(t, render("plain"))
	link := strings.ReplaceAll(shape(t, render("https://help.example.org/a")), "<a href target rel>", "")
	if len(plain) < 500 {
		t.Fatalf("the sample is too small to prove anything: %s", plain)
	}
	for _, s := range hostile {
		if got := strings.ReplaceAll(shape(t, render(s)), "<a href target rel>", ""); got != plain && got != link {
			t.Errorf("%.60q changes the page:\n got %s\nwant %s", s, got, plain)
		}
	}
}

// FuzzMessage does the same with anything.
func FuzzMessage(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	a := bare(f)
	f.Fuzz(func(t *testing.T, s string) {
		row := everywhere(s)
		views, err := a.saidAll(t.Context(), []bot.OutboxRow{row}, hidden{Lang: "en"})
		if err != nil {
			t.Fatal(err)
		}
		out, err := a.fragment("chat_row", "en", views[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range []string{"<script", "<svg", "<iframe", "<!", "<object", "<style", " on"} {
			got := strings.Count(shape(t, out), tag)
			if got != 0 {
				t.Errorf("%q brings %d %s", s, got, tag)
			}
		}
	})
}

// FuzzForm reads anything as an act: no panic, no answer of ours that says we
// failed, and no form with more or longer names than the limits.
func FuzzForm(f *testing.F) {
	for _, s := range []string{"form=a&f.b=c", "form=a&f.=c", "f.a=1&f.a=2&form=x", "form=%zz", "a;b", "form=a&f.b", strings.Repeat("f.x=1&", 100), "prompt=-1&form=f", "id=abc&prompt=4294967296"} {
		f.Add(s)
	}
	a := bare(f)
	f.Fuzz(func(t *testing.T, body string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/chat/form", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if !a.form(w, r) {
			if w.Code < 400 || w.Code >= 500 {
				t.Errorf("%q: %d", body, w.Code)
			}
			return
		}
		prompt(r)
		if id := r.PostForm.Get("id"); validID(id) && len(id) > 64 {
			t.Errorf("an id of %d bytes is taken", len(id))
		}
		reply, ok := reply(r)
		if !ok {
			return
		}
		if reply.Name == "" || len(reply.Values) > maxFields {
			t.Errorf("%q: %d values of form %q", body, len(reply.Values), reply.Name)
		}
		for _, v := range reply.Values {
			if v.Name == "" || len(v.Name) > 64 || url.QueryEscape(string(v.Value)) == "" && v.Value != "" {
				t.Errorf("%q: field %q", body, v.Name)
			}
		}
	})
}

func TestLinksInText(t *testing.T) {
	for text, want := range map[string]string{
		"See https://help.example.org/a?b=c&d, please.": "[See ][https://help.example.org/a?b=c&d↗][, please.]",
		"(http://a.example)":                            "[(][http://a.example↗][)]",
		"ftp://a.example javascript:alert(1)":           "[ftp://a.example javascript:alert(1)]",
		"https://":                                      "[https://]",
		"http://user@bank.example@evil.example/":        "[http://user@bank.example@evil.example/]",
		"https://a.example https://b.example.":          "[https://a.example↗][ ][https://b.example↗][.]",
		"https://a.example/\nnext":                      "[https://a.example/↗][\nnext]",
		"no address":                                    "[no address]",
	} {
		var b strings.Builder
		for _, s := range spans(text) {
			if s.Link != "" && s.Link != s.Text {
				t.Errorf("%q reads %q and leads to %q", text, s.Text, s.Link)
			}
			b.WriteString("[" + s.Text + map[bool]string{true: "↗"}[s.Link != ""] + "]")
		}
		if b.String() != want {
			t.Errorf("%q: %s, want %s", text, b.String(), want)
		}
	}
}

// TestListsAreLists: lines that begin as a list does become one, with the line
// before it as a paragraph, so that a screen reader goes from item to item.
func TestListsAreLists(t *testing.T) {
	for text, want := range map[string]string{
		"\n\na\n\n\n\nb\r\nc\n":                          "p[a] p[b\nc]",
		"Signing in: no.\n- ✗ A (x)\n- ✓ B\n\nOf today.": "p[Signing in: no.] ul[✗ A (x)|✓ B] p[Of today.]",
		"- a\n- b\n\n- c":                                "ul[a|b] ul[c]",
		"- a\nand so on\n- b":                            "ul[a] p[and so on] ul[b]",
		"Do this:\n\n1. One, see https://x.example.\n2. Two\n\nThat is all.": "p[Do this:] ol1[One, see https://x.example.|Two] p[That is all.]",
		"1. a\n2. b\n2. c\n3. d": "ol1[a|b] ol2[c|d]",
		"-a\n1.b\n2027. c\n- ":   "p[-a\n1.b\n2027. c] ul[]",
		"1. a\n- b":              "ol1[a] ul[b]",
		"":                       "",
	} {
		var got []string
		for _, b := range blocks(text) {
			var items []string
			for _, spans := range b.Items {
				item := ""
				for _, s := range spans {
					item += s.Text
				}
				items = append(items, item)
			}
			number := ""
			if b.Start > 0 {
				number = strconv.Itoa(b.Start)
			}
			got = append(got, b.Tag+number+"["+strings.Join(items, "|")+"]")
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%q: %s, want %s", text, s, want)
		}
	}
}

func TestProgress(t *testing.T) {
	for s, want := range map[string][2]int{
		"Step 3 of 7": {3, 7}, "Paso 1 de 4": {1, 4}, "": {}, "Step 3": {}, "8 of 7": {}, "1 2 3": {}, "1 of 999999999999999999999": {}, "0 of 4": {0, 4},
	} {
		if at, of := twoNumbers(s); [2]int{at, of} != want {
			t.Errorf("%q: %d of %d", s, at, of)
		}
	}
}

// TestOldRowsAreClosed: only the newest prompt has buttons, and a secret is
// shown by the newest message that has it.
func TestOldRowsAreClosed(t *testing.T) {
	a := bare(t)
	reveal := &bot.Reveal{Kind: bot.RevealTOTP, Method: "m"}
	choices := []bot.Choice{{ID: "a", Label: "A"}}
	rows := []bot.OutboxRow{
		{Seq: 1, Message: bot.Message{Text: "one", Prompt: 1, Choices: choices, Reveal: reveal}},
		{Seq: 2, Message: bot.Message{Text: "two", Prompt: 2, Choices: choices, Reveal: reveal, Form: &bot.Form{Name: "f", Fields: []bot.Field{{Name: "x"}}}}},
		{Seq: 3, Message: bot.Message{Text: "no prompt"}},
		{Seq: 4, State: bot.OutboxRetracted, Message: bot.Message{Text: "taken back"}},
	}
	views, err := a.saidAll(t.Context(), rows, hidden{Lang: "en"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ choices, form, qr, gone bool }{{}, {true, true, true, false}, {}, {gone: true}} {
		v := views[i]
		if v.Seq != int64(i+1) || (len(v.Choices) > 0) != want.choices || (v.Form != nil) != want.form || v.QR != want.qr || v.Gone != want.gone {
			t.Errorf("row %d: %+v", i+1, v)
		}
	}
}

// A campaign's message has its buttons, and leaves the open question its own.
func TestCampaignLeavesTheQuestionOpen(t *testing.T) {
	a := bare(t)
	choices := []bot.Choice{{ID: "a", Label: "A"}}
	rows := []bot.OutboxRow{
		{Seq: 1, Message: bot.Message{Text: "one", Prompt: 1, Choices: choices}},
		{Seq: 2, Message: bot.Message{Text: "two", Prompt: 2, Choices: choices, Form: &bot.Form{Name: "f", Fields: []bot.Field{{Name: "x"}}}}},
		{Seq: 3, Campaign: "autumn", Message: bot.Message{Text: "Please enroll", Choices: choices}},
		{Seq: 4, Campaign: "winter", Message: bot.Message{Text: "Please enroll", Choices: choices}},
	}
	views, err := a.saidAll(t.Context(), rows, hidden{Lang: "en"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{false, true, false, true} {
		if (len(views[i].Choices) > 0) != want {
			t.Errorf("row %d has buttons %v, want %v", i+1, views[i].Choices, want)
		}
	}
	if views[1].Form == nil {
		t.Error("the question has lost its form")
	}
}

// TestNumberIsShownOnce: in full while it is asked about, masked before and
// after, and where it is pending no more.
func TestNumberIsShownOnce(t *testing.T) {
	a := bare(t)
	row := func(seq int64, id bot.MethodID) bot.OutboxRow {
		return bot.OutboxRow{Seq: seq, Message: bot.Message{Text: "The code goes to •••• 48.", Prompt: uint32(seq), Choices: []bot.Choice{{ID: "a", Label: "A"}},
			Echo: &bot.Reveal{Kind: bot.RevealTyped, Method: id}}}
	}
	for id, want := range map[bot.MethodID]string{"m": "(704) 555-0148", "gone": "•••• 48"} {
		views, err := a.saidAll(t.Context(), []bot.OutboxRow{row(1, id), row(2, id)}, hidden{Lang: "en"})
		if err != nil {
			t.Fatal(err)
		}
		if old, now := fmt.Sprint(views[0].Text), fmt.Sprint(views[1].Text); !strings.Contains(old, "•••• 48") || !strings.Contains(now, want) {
			t.Errorf("%s: then %s, now %s", id, old, now)
		}
	}
}

// named is an identity provider as the chat knows it.
type named struct{ Provider }

func (named) Name() string { return "Contoso ID" }

// TestSignInIsOffered: first, alone, and not inside another site's page, where
// providers refuse to be shown.
func TestSignInIsOffered(t *testing.T) {
	a := bare(t, func(o *Options) { o.Provider, o.Embed = named{}, []string{"https://a.example"} })
	for path, want := range map[string][]string{
		"/chat":       {`action="/signin"`, "web.chat.start.sign_in(provider=Contoso ID)", "web.chat.start.without"},
		"/chat/embed": {"data-auto", "web.chat.start.button"},
	} {
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://chat.example.org"+path, nil))
		for _, s := range want {
			if !strings.Contains(w.Body.String(), s) {
				t.Errorf("%s lacks %s\n%s", path, s, w.Body)
			}
		}
		if signIn := strings.Contains(w.Body.String(), "/signin"); signIn == strings.Contains(w.Body.String(), "data-auto") {
			t.Errorf("%s: sign-in is offered: %v, and the chat begins by itself as well or neither", path, signIn)
		}
	}
	row := &bot.OutboxRow{Seq: 5, Message: bot.Message{Form: &bot.Form{Name: "sign_in_page", Button: "Sign in", SignIn: true}}}
	if v := a.saidForm(row, hidden{}); v.Form == nil || !v.Form.SignInHere || v.Page != "" {
		t.Errorf("alone: %+v", v)
	}
	if v := a.saidForm(row, hidden{Q: "?framed=1"}); v.Form == nil || !v.Form.Window || v.Form.SignInHere || v.Page != "" {
		t.Errorf("framed: %+v", v)
	}
}

func TestRightToLeft(t *testing.T) {
	a := bare(t)
	v := a.saidForm(&bot.OutboxRow{Message: bot.Message{Text: "مرحبا", Lang: "ar"}}, hidden{Lang: "en"})
	if v.Dir != "rtl" || v.Tongue != "ar" || v.UI != "en" {
		t.Errorf("%+v", v)
	}
}

func TestAddresses(t *testing.T) {
	a := bare(t, func(o *Options) {
		o.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	})
	for _, x := range []struct{ remote, forwarded, want string }{
		{"192.0.2.7:1000", "", "192.0.2.7"},
		{"192.0.2.7:1000", "198.51.100.1", "192.0.2.7"},             // no proxy of ours: its word is nothing
		{"10.1.2.3:1000", "198.51.100.1", "198.51.100.1"},           //
		{"10.1.2.3:1000", "1.1.1.1, 198.51.100.1", "198.51.100.1"},  // what the visitor wrote in front counts for nothing
		{"10.1.2.3:1000", "198.51.100.1, 10.9.9.9", "198.51.100.1"}, // two proxies of ours
		{"10.1.2.3:1000", "nonsense", "10.1.2.3"},
		{"[2001:db8:1:2:3:4:5:6]:1000", "", "2001:db8:1:2::"},
		{"[::1]:1000", "2001:db8::5", "2001:db8::"},
		{"[::ffff:192.0.2.7]:1000", "", "192.0.2.7"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/chat", nil)
		r.RemoteAddr = x.remote
		if x.forwarded != "" {
			r.Header.Set("X-Forwarded-For", x.forwarded)
		}
		if got := a.address(r).String(); got != x.want {
			t.Errorf("%s for %q: %s, want %s", x.remote, x.forwarded, got, x.want)
		}
	}
}

func TestLimits(t *testing.T) {
	clock := bottest.NewClock(time.Time{})
	p := policy.Default()
	l := newLimits(p, clock.Now)
	here, there := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")

	count := func(take func() time.Duration) (n int, wait time.Duration) {
		for ; n < 10000; n++ {
			if wait = take(); wait > 0 {
				return n, wait
			}
		}
		return n, 0
	}
	for _, x := range []struct {
		name string
		take func(netip.Addr) time.Duration
		most int
		wait time.Duration
	}{
		{"visits", l.visit, p.WebBurst.N, 5 * time.Second},
		{"links", l.openLink, p.LinkOpens.N, 6 * time.Second},
		{"acts", func(a netip.Addr) time.Duration { return l.act([]byte(a.String())) }, sessionBurst, sessionEvery},
	} {
		if n, wait := count(func() time.Duration { return x.take(here) }); n != x.most || wait <= 0 || wait > x.wait {
			t.Errorf("%s: %d at once, then wait %s", x.name, n, wait)
		}
		if wait := x.take(there); wait != 0 {
			t.Errorf("%s: somebody else waits %s", x.name, wait)
		}
		clock.Advance(x.wait)
		if n, _ := count(func() time.Duration { return x.take(here) }); n != 1 {
			t.Errorf("%s: after %s %d more", x.name, x.wait, n)
		}
	}

	for range p.WebFailures.N - 1 {
		l.failed(here)
	}
	if wait := l.shut(here); wait != 0 {
		t.Errorf("shut out for %s before the limit", wait)
	}
	clock.Advance(p.WebFailures.Per) // they are too old to count
	l.failed(here)
	if wait := l.shut(here); wait != 0 {
		t.Errorf("shut out for %s by old failures", wait)
	}
	for range p.WebFailures.N - 1 {
		l.failed(here)
	}
	if l.shut(here) != p.WebPause || l.shut(there) != 0 {
		t.Errorf("shut out for %s, the other for %s", l.shut(here), l.shut(there))
	}
	clock.Advance(p.WebPause)
	if wait := l.shut(here); wait != 0 {
		t.Errorf("still shut out for %s", wait)
	}
}

func TestHub(t *testing.T) {
	h := newHub()
	var leave []func()
	for range tabStreams {
		_, l, err := h.join("c", "s")
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, l)
	}
	if _, _, err := h.join("c", "s"); err != errManyTabs {
		t.Errorf("one stream more: %v", err)
	}
	w, l, err := h.join("c", "another")
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		h.said("c") // nobody reads: it must not block
	}
	h.gone("c", 4)
	h.over("c")
	<-w.wake
	if gone, ask := h.take(w); len(gone) != 1 || gone[0] != 4 || !ask {
		t.Errorf("told %v, %v", gone, ask)
	}
	select {
	case <-w.wake:
		t.Error("woken twice for one look")
	default:
	}
	for _, f := range append(leave, l) {
		f()
		f() // twice does no harm
	}
	if h.streams() != 0 || len(h.rooms) != 0 || len(h.tabs) != 0 {
		t.Errorf("%d streams, %d rooms, %d sessions are left", h.streams(), len(h.rooms), len(h.tabs))
	}
	h.close()
	h.close()
}

// TestEndedTellsAll: every stream looks at its session once for each mark, in
// whatever conversation it is.
func TestEndedTellsAll(t *testing.T) {
	h := newHub()
	var ws []*watcher
	for _, c := range []bot.ConversationID{"a", "b"} {
		w, leave, err := h.join(c, string(c))
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		ws = append(ws, w)
	}
	asked := func(want bool) {
		t.Helper()
		for i, w := range ws {
			if _, ask := h.take(w); ask != want {
				t.Errorf("stream %d looks: %v, want %v", i, ask, want)
			}
		}
	}
	for i, mark := range []string{"", "x", "x", "y"} {
		before := h.endings()
		h.ended(mark)
		news := i == 1 || i == 3
		asked(news)
		if (h.endings() != before) != news {
			t.Errorf("mark %q: %d endings, then %d", mark, before, h.endings())
		}
	}
}

// TestOneQuestionForAll: other processes' messages are asked for once for all
// conversations.
func TestOneQuestionForAll(t *testing.T) {
	h := newHub()
	ask := 0
	heads := func(_ context.Context, convs []bot.ConversationID) (map[bot.ConversationID]int64, error) {
		ask++
		m := map[bot.ConversationID]int64{}
		for _, c := range convs {
			m[c] = 1
		}
		m["c0"] = int64(ask)
		return m, nil
	}
	if err := h.poll(t.Context(), heads); err != nil || ask != 0 {
		t.Fatalf("asked %d times for nobody, %v", ask, err)
	}
	var ws []*watcher
	for i := range 100 {
		w, _, err := h.join(bot.ConversationID(fmt.Sprintf("c%d", i)), fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		ws = append(ws, w)
	}
	woken := func() (n int) {
		for _, w := range ws {
			select {
			case <-w.wake:
				n++
			default:
			}
		}
		return n
	}
	for _, want := range []int{100, 1, 1} {
		if err := h.poll(t.Context(), heads); err != nil {
			t.Fatal(err)
		}
		if got := woken(); got != want {
			t.Errorf("%d woken, want %d", got, want)
		}
	}
	if ask != 3 {
		t.Errorf("asked %d times", ask)
	}
}

func TestHeaders(t *testing.T) {
	a := bare(t)
	for path, referrer := range map[string]string{"/chat": "same-origin", "/private": "no-referrer", "/nowhere": "same-origin"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			w := httptest.NewRecorder()
			a.Handler().ServeHTTP(w, httptest.NewRequest(method, "https://chat.example.org"+path, nil))
			for k, want := range map[string]string{
				"Referrer-Policy": referrer, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
				"Cross-Origin-Opener-Policy": "same-origin", "Strict-Transport-Security": "max-age=31536000",
				"Content-Security-Policy": fmt.Sprintf(contentPolicy, "'none'"),
			} {
				if got := w.Header().Get(k); got != want {
					t.Errorf("%s %s: %s: %q, want %q", method, path, k, got, want)
				}
			}
		}
	}
}

func TestWhoMayEmbed(t *testing.T) {
	for _, bad := range []string{"https://a.example/x", "https://a.example/", "*", "http://a.example", "https://a.example; script-src *", "a.example", "'self'", ""} {
		o := bare(t).o
		o.Embed = []string{bad}
		if _, err := New(o); err == nil {
			t.Errorf("%q may embed the chat", bad)
		}
	}
	a := bare(t, func(o *Options) { o.Embed = []string{"https://a.example", "https://b.example:8443"} })
	for path, want := range map[string]string{
		"/embed.js":              "'none'",
		"/chat?framed=1":         "'none'",
		"/private?framed=1":      "'none'",
		"/static/x?framed=1":     "'none'",
		"/chat/qr/1":             "'none'",
		"/chat/qr/1?framed=1":    "https://a.example https://b.example:8443",
		"/chat/events?framed=1":  "https://a.example https://b.example:8443",
		"/chat/nothing?framed=1": "https://a.example https://b.example:8443",
	} {
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://chat.example.org"+path, nil))
		if csp := w.Header().Get("Content-Security-Policy"); !strings.HasSuffix(csp, "frame-ancestors "+want) || !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("%s: %s", path, csp)
		}
	}
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://chat.example.org/embed.js", nil))
	if w.Header().Get("Cross-Origin-Resource-Policy") != "cross-origin" || strings.Contains(w.Body.String(), `"LABELS"`) || !strings.Contains(w.Body.String(), "web.chat.embed.open") {
		t.Errorf("embed.js: %v", w.Header())
	}
}
