package browsertest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest/browsertest"
)

const good = `<!doctype html><html lang="en"><head><title>Good</title><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><script src="/page.js" defer></script></head><body><main><h1>Good</h1>
<form method="post" action="/sent"><label>Name <input name="name" autocomplete="off"></label>
<label for="w">Word</label> <input id="w" type="password" name="word">
<button>Send</button></form>
<button id="b" type="button">Say</button> <button type="button" disabled>Off</button> <a href="/other" target="_blank" style="display:inline-block;padding:5px">New tab</a>
<p id="out" role="status"></p></main></body></html>`

func site(t *testing.T) *httptest.Server {
	mux := http.NewServeMux()
	page := func(path, policy, html string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			text := html
			if r.Header.Get("Accept-Language") == "es-MX" {
				text = strings.ReplaceAll(text, "Good", "Bueno")
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", policy)
			fmt.Fprint(w, text)
		})
	}
	page("/good", "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; connect-src 'self'", good)
	page("/shy", "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:", strings.Replace(good, `id="b"`, `id="shy" style="width:90px">Go</button> <button id="b"`, 1))
	page("/other", "default-src 'none'; img-src data:", `<!doctype html><html lang="en"><title>Other</title><link rel="icon" href="data:,"><main><h1>Another tab</h1></main></html>`)
	page("/bad", "default-src 'none'; script-src 'self' 'unsafe-inline'; connect-src *", `<!doctype html><html><body><link rel="icon" href="data:,"><img src="http://127.0.0.1:9/x.png">
<p style="color:red"><font color="#aaaaaa">pale</font></p><table width="900"><tr><td>wide</table><input>
<script>console.error('oh dear'); alert('boo'); fetch('http://localhost:9/').catch(() => {}); setTimeout(() => { throw new Error('later') })</script></body></html>`)
	mux.HandleFunc("/page.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, `document.querySelector('#shy')?.addEventListener('pointerdown', e => { e.target.style.marginLeft = '300px' }, {once: true});
document.querySelector('#shy')?.addEventListener('click', () => { document.querySelector('#out').textContent += '!' });
document.querySelector('#b').addEventListener('click', e => { document.querySelector('#out').textContent = 'said by ' + (e.pointerType || 'key') });`)
	})
	mux.HandleFunc("/sent", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title>Sent</title><link rel="icon" href="data:,"><p>name=%s word=%s`, r.FormValue("name"), r.FormValue("word"))
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	frames := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	page("/frame", "", `<!doctype html><html lang="en"><title>Frame</title><link rel="icon" href="data:,"><p>Around</p><iframe title="inner" src="`+frames+`/good" width="300" height="300"></iframe></html>`)
	return s
}

// noted keeps what would fail a test.
type noted struct {
	testing.TB
	said []string
}

func (n *noted) Errorf(format string, args ...any) {
	n.said = append(n.said, fmt.Sprintf(format, args...))
}
func (n *noted) Helper() {}

// TestBrowser shows that the helper does what a person does, and that it sees
// what a page must not do.
func TestBrowser(t *testing.T) {
	s := site(t)
	b := browsertest.Start(t)
	for _, look := range []browsertest.Look{browsertest.Desktop, browsertest.Mobile, browsertest.Narrow.InDark()} {
		p := b.Open(t, look, s.URL+"/good")
		p.Sees("Good")
		p.Press("Say")
		p.Sees(map[bool]string{false: "said by mouse", true: "said by touch"}[look.Phone])
		p.Axe("good")
		p.Fits("good")
		p.Fill("Name", "Ada O'Kafor")
		p.Fill("Word", "secret 7")
		if got := p.Names("button"); len(got) != 3 {
			t.Errorf("buttons %q", got)
		}
		n := p.Opens(func() { p.Follow("New tab") })
		n.Sees("Another tab")
		p.Leaves(func() { p.Press("Send") })
		p.Sees("name=Ada O'Kafor word=secret 7")
	}

	p := b.Open(t, browsertest.Look{Width: 800, Height: 600, NoScript: true, Language: "es-MX"}, s.URL+"/good")
	p.Sees("Bueno")
	p.Press("Say")
	p.Axe("without scripts")
	p.Fill("Name", "x")
	p.Leaves(func() { p.Press("Send") })
	p.Sees("name=x")

	p = b.Open(t, browsertest.Desktop, s.URL+"/good")
	p.Tab("textbox", "Name")
	p.Type("by keys")
	p.Tab("button", "Send")
	p.Leaves(func() { p.Type("\r") })
	p.Sees("name=by keys")

	inner := strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
	p = b.Open(t, browsertest.Desktop, s.URL+"/frame", strings.TrimPrefix(inner, "http://"))
	f := p.Frame(inner + "/good")
	f.Sees("Good")
	f.Press("Say")
	f.Sees("said by mouse")
	f.Fill("Name", "framed")
	f.Axe("frame")
	f.Press("Send")
	p.Frame(inner + "/sent").Sees("name=framed")

	quiet := &noted{TB: t}
	p = b.Open(quiet, browsertest.Narrow, s.URL+"/bad")
	p.May(`.`) // they are wanted here
	p.Until("the error", "document.readyState === 'complete'")
	for _, want := range []string{"console error: oh dear", "dialog alert: boo", "content policy: img-src", "request to another host: http://localhost:9/", "exception: Uncaught Error: later", "content policy: style-src"} {
		found := func() bool {
			for _, x := range p.Everything() {
				if strings.Contains(x, want) {
					return true
				}
			}
			return false
		}
		p.Wait(want, found)
	}
	p.Axe("bad")
	p.Fits("bad")
	for _, want := range []string{"color-contrast", "image-alt", "label", "html-has-lang", "document-title", "does not fit"} {
		if !regexp.MustCompile(want).MatchString(strings.Join(quiet.said, "\n")) {
			t.Errorf("%s was not found in %q", want, quiet.said)
		}
	}
}

// TestClickLands: a click that a page moved away from is made again where the
// button is then, and once.
func TestClickLands(t *testing.T) {
	s := site(t)
	b := browsertest.Start(t)
	for _, look := range []browsertest.Look{browsertest.Desktop, browsertest.Mobile} {
		p := b.Open(t, look, s.URL+"/shy")
		p.Press("Go")
		p.Until("the button to be pressed once", "document.querySelector('#out').textContent === '!'")
	}
}

// TestDoRunsOnce: what leads to another document is done once, also when the
// document goes away before Chromium has said what came of it. That is so on a busy
// machine; here the expression never comes to an end.
func TestDoRunsOnce(t *testing.T) {
	s := site(t)
	p := browsertest.Start(t).Open(t, browsertest.Desktop, s.URL+"/good?1")
	for _, page := range []string{"/good?2", "/good?3", "/good?4"} {
		p.Goto(s.URL + page)
	}
	p.Do(`history.back(), new Promise(() => {})`)
	p.Ready()
	if at := p.Address(); at != s.URL+"/good?3" {
		t.Errorf("back from the fourth page to %s", at)
	}
}
