package web

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"latchkey/bot"
)

//go:embed templates static
var files embed.FS

// pages are all templates. A file templates/x.html defines "x" (the inside of
// a page) and what belongs to it; base.html defines the page around it. They
// are read at the first page: most commands of the program show none.
var pages = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"lines": func(s string) []string { return strings.Split(s, "\n") },
		"dict": func(kv ...any) map[string]any {
			m := map[string]any{}
			for i := 0; i+1 < len(kv); i += 2 {
				m[fmt.Sprint(kv[i])] = kv[i+1]
			}
			return m
		},
	}).ParseFS(files, "templates/*.html"))
})

// A frame is what base.html needs of every page.
type frame struct {
	Lang   string
	Dir    string // "ltr" or "rtl"
	Title  string
	Org    string
	Bot    string
	Class  string   // of <body>: which page it is
	Style  []string // files of static/ to load, without ".css"
	Script []string // and without ".js"
	Inside template.HTML
	Words  func(key string, kv ...string) string
	Banner bool // this is the demo
	Idle   int  // a browser without a script leaves the page after so many seconds; 0: never
}

// A view is what a page's template gets: the frame's words and its own data.
type view struct {
	Lang  string
	Words func(key string, kv ...string) string
	Org   string
	Bot   string
	Data  any
}

// T gives one of the web's phrases: key "x" is "web.x" in the language files.
func (v view) T(key string, kv ...string) string { return v.Words(key, kv...) }

// With is the same view of other data, for a template inside a template.
func (v view) With(data any) view {
	v.Data = data
	return v
}

// T is the same for the frame.
func (f frame) T(key string, kv ...string) string { return f.Words(key, kv...) }

// page renders templates/<name>.html inside base.html, with static/<name>.css
// and the scripts that it names; a style sheet of a script's name comes along.
func (a *Adapter) page(w http.ResponseWriter, code int, name, lang, title string, data any, scripts ...string) {
	inside, err := a.fragment(name, lang, data)
	if err != nil {
		a.o.Log.Error("page cannot be rendered", "page", name, "err", err)
		http.Error(w, "This page cannot be shown right now.", http.StatusInternalServerError)
		return
	}
	f := frame{
		Lang: lang, Dir: direction(lang), Title: title, Org: a.o.Org, Bot: a.o.BotName, Class: name,
		Style: styles(name, scripts), Script: scripts,
		Inside: template.HTML(inside), Words: a.words.in(lang), Banner: a.o.Device != nil, //nolint:gosec // rendered by html/template just now
	}
	if p, ok := data.(*panel); ok && p.Idle > 0 {
		f.Idle = p.Idle + 1 // the session has ended by then
	}
	var b bytes.Buffer
	if err := pages().ExecuteTemplate(&b, "base", f); err != nil {
		a.o.Log.Error("page cannot be rendered", "page", name, "err", err)
		http.Error(w, "This page cannot be shown right now.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write(b.Bytes())
}

// styles are the style sheets of a page.
func styles(name string, scripts []string) []string {
	var list []string
	for _, s := range append(slices.Clone(scripts), name) {
		if statics[s+".css"] != nil && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	return list
}

// fragment renders one template by name.
func (a *Adapter) fragment(name, lang string, data any) (string, error) {
	var b strings.Builder
	err := pages().ExecuteTemplate(&b, name, view{Lang: lang, Words: a.words.in(lang), Org: a.o.Org, Bot: a.o.BotName, Data: data})
	return b.String(), err
}

// part answers a script with one template.
func (a *Adapter) part(w http.ResponseWriter, r *http.Request, name, lang string, data any) {
	html, err := a.fragment(name, lang, data)
	if err != nil {
		a.trouble(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(html))
}

// A trouble is a page that says what went wrong and what to do now.
type trouble struct {
	Text  string // what happened
	Do    string // what to do
	Phone string
	Hours string
	Email string
	Chat  string // the way to the chat, or empty
	Desk  bool   // whoever sees it is at the desk, and goes back there
}

// problem answers with a page made from the phrases web.problem.<key> (what
// happened) and web.problem.<key>.do (what to do now). A script gets the same
// as JSON.
func (a *Adapter) problem(w http.ResponseWriter, r *http.Request, code int, key string) {
	path := r.URL.Path
	there := path == deskPath || strings.HasPrefix(path, deskPath+"/")
	a.problemFor(w, r, code, key, there && (code == http.StatusForbidden || code == http.StatusConflict))
}

// problemFor is problem, and leads to the desk if desk says so: whoever is no agent
// does not learn that there is one.
func (a *Adapter) problemFor(w http.ResponseWriter, r *http.Request, code int, key string, desk bool) {
	lang := a.language(r)
	t := a.words.in(lang)
	if a.scripted(r) {
		a.json(w, code, map[string]string{"problem": key, "text": t("problem." + key), "do": t("problem." + key + ".do")})
		return
	}
	tr := trouble{
		Text: t("problem." + key), Do: t("problem." + key + ".do"),
		Phone: a.o.HelpPhone, Hours: a.o.HelpHours, Email: a.o.HelpEmail,
	}
	switch {
	case a.o.Desk != nil && desk:
		if tr.Desk = true; key != "desk_over" {
			tr.Do = t("problem.desk.do")
		}
	case bearing(r.URL.Path): // of a page of any chat
	case a.o.Chat && framed(r):
		tr.Chat = embedPath
	case a.o.Chat:
		tr.Chat = chatPath
	}
	a.page(w, code, "problem", lang, t("problem.title"), tr)
}

// tooMany tells somebody who has to wait, and reports whether they have to.
func (a *Adapter) tooMany(w http.ResponseWriter, r *http.Request, wait time.Duration) bool {
	if wait <= 0 {
		return false
	}
	w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	key := "busy_here"
	if wait > time.Minute {
		key = "shut"
	}
	a.problem(w, r, http.StatusTooManyRequests, key)
	return true
}

// scripted reports whether one of our scripts asks, which wants no page.
func (a *Adapter) scripted(r *http.Request) bool { return r.Header.Get("X-Latchkey") == "fetch" }

// json answers a script.
func (a *Adapter) json(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the browser is gone when it fails
}

// words are the web's phrases.
type words struct{ bot.Phrases }

// in gives the phrases of a language. Key "x" is "web.x" in the language files.
// Opening hours ({hours}) are put into its words.
func (w words) in(lang string) func(key string, kv ...string) string {
	return func(key string, kv ...string) string {
		for i := 0; i+1 < len(kv); i += 2 {
			if kv[i] == "hours" {
				kv[i+1] = bot.Hours(w, lang, kv[i+1])
			}
		}
		return w.Phrase(lang, "web."+key, kv...)
	}
}

// language is the best language for a request without a conversation: what the
// page says (lang), else what the browser says.
func (a *Adapter) language(r *http.Request) string {
	said := cmp.Or(r.URL.Query().Get("lang"), r.PostForm.Get("lang"))
	for part := range strings.SplitSeq(said+","+r.Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		if l, ok := a.known(tag); ok {
			return l
		}
	}
	return a.o.Lang
}

// known finds the language of ours that a tag names.
func (a *Adapter) known(tag string) (string, bool) {
	primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
	for _, l := range a.o.Phrases.Languages() {
		if l == primary {
			return l, true
		}
	}
	return "", false
}

// direction of writing of a language (Unicode CLDR, right-to-left scripts).
func direction(lang string) string {
	primary, _, _ := strings.Cut(lang, "-")
	switch primary {
	case "ar", "he", "fa", "ur", "ps", "sd", "ug", "yi", "dv", "ckb":
		return "rtl"
	}
	return "ltr"
}

// statics are the files of static/ with their entity tags.
var statics = func() map[string]*static {
	m := map[string]*static{}
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	entries, err := files.ReadDir("static")
	if err != nil {
		panic(err) // embedded
	}
	for _, e := range entries {
		body, err := files.ReadFile("static/" + e.Name())
		if kind := kinds[path.Ext(e.Name())]; err == nil && kind != "" {
			m[e.Name()] = &static{body, kind, etag(body)}
		}
	}
	return m
}()

type static struct {
	body      []byte
	kind, tag string
}

func etag(body []byte) string { return fmt.Sprintf(`"%x"`, sha256.Sum256(body))[:22] + `"` }

// serveStatic answers with a file that a browser may keep, but asks about.
func serveStatic(w http.ResponseWriter, r *http.Request, f *static) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}

// staticRoutes serves styles, scripts and the shipped pictures.
func (a *Adapter) staticRoutes() {
	a.mux.HandleFunc("GET /static/{file}", func(w http.ResponseWriter, r *http.Request) {
		f := statics[r.PathValue("file")]
		if f == nil {
			a.problem(w, r, http.StatusNotFound, "nowhere")
			return
		}
		serveStatic(w, r, f)
	})
	a.mux.HandleFunc("GET /pictures/{name}", func(w http.ResponseWriter, r *http.Request) {
		svg, ok := a.o.Picture(strings.TrimSuffix(r.PathValue("name"), ".svg"))
		if !ok {
			a.problem(w, r, http.StatusNotFound, "nowhere")
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		serveStatic(w, r, &static{svg, "image/svg+xml", etag(svg)})
	})
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { a.problem(w, r, http.StatusNotFound, "nowhere") })
}
