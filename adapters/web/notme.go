package web

import (
	"cmp"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"latchkey/bot"
)

// "This was not me": the page behind the link of a notice.
//
// The link is <PublicURL>/notme#TOKEN, as those of one-time pages: GET is the
// same for everybody and does nothing, however often a scanner of mails looks
// at it, scripts and all. Only the press on its button sends the token. Nobody
// signs in. Without scripts, the link itself is pasted into a field.
const notMePath = "/notme"

func (a *Adapter) notMeRoutes() {
	a.mux.HandleFunc("GET "+notMePath, a.notMe)
	a.mux.HandleFunc("POST "+notMePath, a.notMePressed)
}

// NotMeAddress is the address of the page for a token, in the language of the
// notice. change says what the notice was about, as the last part of a phrase
// notice.short.*, for the page before the press; it may be empty. Both are for
// the eyes only: the server never sees the token before the press.
func NotMeAddress(publicURL string, token bot.Secret, lang, change string) bot.Secret {
	q := url.Values{}
	if lang != "" {
		q.Set("lang", lang)
	}
	if change != "" {
		q.Set("c", change)
	}
	at := publicURL + notMePath
	if len(q) > 0 {
		at += "?" + q.Encode()
	}
	return bot.Secret(at+"#") + token
}

// notMeData is what the templates of both pages get.
type notMeData struct {
	*bot.Disavowal
	Title, Text  string
	Phone, Hours string
	Email        string
}

func (a *Adapter) notMeData() notMeData {
	return notMeData{Phone: a.o.HelpPhone, Hours: a.o.HelpHours, Email: a.o.HelpEmail}
}

var changeShape = regexp.MustCompile(`^[a-z_]{1,40}$`)

// notMe is the page before the press.
func (a *Adapter) notMe(w http.ResponseWriter, r *http.Request) {
	lang := a.language(r)
	t := a.words.in(lang)
	d := a.notMeData()
	d.Text = t("notme.what", "org", a.o.Org)
	if c := r.URL.Query().Get("c"); changeShape.MatchString(c) {
		// Anybody can write one of our own sentences into a link; no other.
		if what := a.o.Phrases.Phrase(lang, "notice.short."+c); !strings.HasPrefix(what, "<") {
			d.Text = t("notme.about_what", "org", a.o.Org, "what", what)
		}
	}
	a.page(w, http.StatusOK, "notme", lang, t("notme.title"), d, "private")
}

// notMePressed does it.
func (a *Adapter) notMePressed(w http.ResponseWriter, r *http.Request) {
	addr := a.address(r)
	if a.tooMany(w, r, max(a.limits.shut(addr), a.limits.openLink(addr))) || !a.form(w, r) {
		return
	}
	token := cmp.Or(bot.Secret(r.PostForm.Get("token")), pasted(r.PostForm.Get("link")))
	d, err := (*bot.Disavowal)(nil), bot.ErrNotFound
	if len(token) == tokenLen {
		ctx, cancel := a.whole(r)
		defer cancel()
		d, err = a.o.House.NotMe(ctx, token)
	}
	if err != nil {
		a.linkGone(w, r, "notme", err)
		return
	}
	lang := a.language(r)
	if l, ok := a.known(d.Lang); ok {
		lang = l
	}
	t := a.words.in(lang)
	key := "notme.done." + d.Did
	if d.Thawed {
		key = "notme.done.thawed"
	}
	data := a.notMeData()
	data.Disavowal, data.Title, data.Text = d, t(key), t(key+".text")
	a.page(w, http.StatusOK, "notme_done", lang, data.Title, data, "private")
}

// pasted takes the token out of a link, or of a token alone.
func pasted(text string) bot.Secret {
	text = strings.TrimSpace(text)
	if _, fragment, ok := strings.Cut(text, "#"); ok {
		text = fragment
	}
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	return bot.Secret(text)
}

// bearing reports whether a page has a token in its address: nothing of that
// address may go to another site, and the page belongs to no chat.
func bearing(path string) bool {
	return strings.HasPrefix(path, privatePath) || strings.HasPrefix(path, notMePath)
}
