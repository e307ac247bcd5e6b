package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"time"

	"latchkey/bot"
)

// One-time pages. What must not stand in a chat is shown and asked here.
//
// The link is <PublicURL>/private#TOKEN. A fragment never reaches a server, so
// no access log, no preview robot and no Referer header ever holds the token.
// GET /private is the same for everybody and does nothing; its script takes the
// token out of the address bar, and sends it when the person presses the
// button. That spends the link and begins a page, which a cookie of this
// browser opens until it is answered, closed or ten minutes old.
//
//	closed ──open──▶ form, key, codes or sign-in ──submit──▶ form again ──▶ done
//	                      └──signin──▶ provider ──▶ code to type back
//
// Every answer is a whole page. The script puts its <main> in place of the one
// that is shown, so that the address stays /private and a reload sends nothing.
const (
	privatePath = "/private"
	cookiePage  = "page"
)

func (a *Adapter) privateRoutes() {
	a.mux.HandleFunc("GET "+privatePath, a.privateClosed)
	a.mux.HandleFunc("POST "+privatePath+"/open", a.privateOpen)
	a.mux.HandleFunc("POST "+privatePath+"/submit", a.onPage(a.privateSubmit))
	a.mux.HandleFunc("POST "+privatePath+"/check", a.onPage(a.privateCheck))
	a.mux.HandleFunc("POST "+privatePath+"/show", a.onPage(a.privateShow))
	a.mux.HandleFunc("POST "+privatePath+"/signin", a.onPage(a.privateSignIn))
	a.mux.HandleFunc("POST "+privatePath+"/refuse", a.onPage(a.privateRefuse))
	a.mux.HandleFunc("GET "+privatePath+"/qr", a.privateQR)
}

// privateClosed is the page before the click. It must stay the same for
// everybody: whoever looks at a link learns nothing and changes nothing.
func (a *Adapter) privateClosed(w http.ResponseWriter, r *http.Request) {
	lang := a.language(r)
	t := a.words.in(lang)
	a.page(w, http.StatusOK, "private", lang, t("private.title"), struct{ Life, Host string }{
		bot.Wait(a.o.Phrases, lang, a.o.Policy.LinkLife), a.origin.Hostname(),
	}, "private")
}

// An openPage is a page that a link has opened in this browser.
type openPage struct {
	*bot.Page
	token bot.Secret
	lang  string
	name  string // of the person of the account that asked, where it is known
	login string // what that person types at the provider, likewise
}

// pageCookie gives the browser its page. The second part says which link it
// came from, so that the same link shows the page again in this browser. It
// proves nothing.
func (a *Adapter) pageCookie(w http.ResponseWriter, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: a.cookieName(cookiePage), Value: value, Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, Secure: a.secure(), SameSite: http.SameSiteStrictMode,
	})
}

func linkMark(link bot.Secret) string {
	h := sha256.Sum256([]byte("link|" + string(link)))
	return base64.RawURLEncoding.EncodeToString(h[:16])
}

// pageOf reads the page cookie: the token, and the mark of its link.
func (a *Adapter) pageOf(r *http.Request) (token bot.Secret, mark string) {
	t, mark, _ := strings.Cut(a.cookie(r, cookiePage), ".")
	if len(t) != tokenLen {
		return "", ""
	}
	return bot.Secret(t), mark
}

// openedPage finds the page of a token. The error wraps bot.ErrNotFound, ErrExpired or
// ErrSpent; any other is the store's.
func (a *Adapter) openedPage(r *http.Request, token bot.Secret) (*openPage, error) {
	if token == "" {
		return nil, bot.ErrNotFound
	}
	p, err := a.o.Passes.Page(r.Context(), token)
	if err != nil {
		return nil, err
	}
	return a.opened(r, token, p), nil
}

func (a *Adapter) opened(r *http.Request, token bot.Secret, p *bot.Page) *openPage {
	o := &openPage{Page: p, token: token, lang: a.language(r)}
	if l, ok := a.known(p.Message.Lang); ok {
		o.lang = l
	}
	if p.Message.Form == nil || !p.Message.Form.SignIn {
		return o
	}
	var err error
	if o.name, o.login, err = a.o.House.AccountName(r.Context(), p.Channel, p.User); err != nil {
		a.o.Log.Warn("a one-time page does not name the person of the account that asked", "err", err)
	}
	return o
}

// privateOpen spends a link. With no link it shows the page that this browser
// has, which is what a reload asks for.
func (a *Adapter) privateOpen(w http.ResponseWriter, r *http.Request) {
	addr := a.address(r)
	if a.tooMany(w, r, max(a.limits.shut(addr), a.limits.openLink(addr))) || !a.form(w, r) {
		return
	}
	link := bot.Secret(r.PostForm.Get("token"))
	had, mark := a.pageOf(r)
	if had != "" && (link == "" || mark == linkMark(link)) {
		p, err := a.openedPage(r, had)
		if err == nil {
			a.showPage(w, r, p)
			return
		}
		if link == "" || !lost(err) {
			a.pageGone(w, r, err)
			return
		}
	}
	if link == "" {
		a.problem(w, r, http.StatusGone, "page_over")
		return
	}
	token, page, err := bot.Secret(""), (*bot.Page)(nil), bot.ErrNotFound
	if len(link) == tokenLen {
		ctx, cancel := a.whole(r)
		defer cancel()
		token, page, err = a.o.Passes.OpenLink(ctx, link)
	}
	if err != nil {
		a.linkGone(w, r, "link", err)
		return
	}
	if had != "" { // one page in a browser: the older one is closed
		if err := a.o.Passes.ClosePage(r.Context(), had); err != nil {
			a.o.Log.Warn("older one-time page stays open until its time is over", "err", err)
		}
	}
	a.pageCookie(w, string(token)+"."+linkMark(link), page.Expires.Sub(a.o.Now()))
	p := a.opened(r, token, page)
	a.catchUp(r, p)
	a.showPage(w, r, p)
}

// linkGone answers when nothing is behind a link; kind is how the keys of the words
// for it begin.
func (a *Adapter) linkGone(w http.ResponseWriter, r *http.Request, kind string, err error) {
	switch {
	case errors.Is(err, bot.ErrSpent):
		a.problem(w, r, http.StatusGone, kind+"_used")
	case errors.Is(err, bot.ErrExpired):
		a.problem(w, r, http.StatusGone, kind+"_expired")
	case errors.Is(err, bot.ErrNotFound):
		a.limits.failed(a.address(r))
		a.problem(w, r, http.StatusNotFound, kind+"_unknown")
	default:
		a.trouble(w, r, err)
	}
}

// catchUp brings a page up to the newest prompt for the same form, where the
// conversation's messages are kept: the person may have asked the bot something
// between getting the link and opening it. What it misses, the turn itself tells.
func (a *Adapter) catchUp(r *http.Request, p *openPage) {
	if p.Message.Form == nil {
		return
	}
	row, err := a.asked(r.Context(), p.Conversation)
	if err != nil || row == nil {
		return
	}
	m := &row.Message
	if m.Form == nil || m.Form.Name != p.Message.Form.Name || m.Prompt <= p.Message.Prompt {
		return
	}
	p.Message.Prompt, p.Message.Form = m.Prompt, m.Form
	if err := a.o.Passes.SavePage(r.Context(), p.token, *p.Page); err != nil {
		a.o.Log.Warn("one-time page keeps its older prompt", "err", err)
	}
}

// whole is a context for one act, which a browser that leaves does not stop
// half way.
func (a *Adapter) whole(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(r.Context()), acceptTime)
}

// pageGone answers when there is no page behind the cookie.
func (a *Adapter) pageGone(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, bot.ErrSpent):
		a.problem(w, r, http.StatusGone, "page_used")
	case lost(err):
		a.problem(w, r, http.StatusGone, "page_over")
	default:
		a.trouble(w, r, err)
	}
}

// onPage wraps what happens on an open page: a form of this very page, from
// this browser, within its limits.
func (a *Adapter) onPage(next func(http.ResponseWriter, *http.Request, *openPage)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if a.tooMany(w, r, a.limits.shut(a.address(r))) {
			return
		}
		token, _ := a.pageOf(r)
		var none error
		if token == "" {
			none = bot.ErrNotFound
		}
		if !a.admit(w, r, token, none) || !a.form(w, r) {
			return
		}
		if token != "" && !a.checkCSRF(r, token) {
			// Most often another page was opened in this browser meanwhile.
			a.problem(w, r, http.StatusForbidden, "page_other")
			return
		}
		p, err := a.openedPage(r, token)
		if err != nil {
			a.pageGone(w, r, err)
			return
		}
		next(w, r, p)
	}
}

// pageData is what the templates of an open page get.
type pageData struct {
	Title  string
	Asked  string    // which chat account asked
	Since  time.Time // when it asked
	Signed bool      // somebody has signed in on the page
	Text   string    // the bot's words
	Alert  string    // what went wrong just now
	Left   int       // seconds that the page has left
	CSRF   string
	ID     string // of the next act: a repeat of it is dropped
	Form   *bot.Form
	Fields []pageField
	Codes  []string
	URI    template.URL
	Key    string
	At     string // the provider's name
	Wants  string // what the sign-in asks of the provider: wantAgain, wantOther or nothing
	Code   string
	Spoken string // the code for screen readers, character by character
	Life   string
	Phone  string
	Hours  string
}

type pageField struct {
	bot.Field
	Complete string // autocomplete (HTML 4.10.18.7)
}

func (a *Adapter) pageData(p *openPage) pageData {
	d := pageData{
		Asked: a.askedIn(p), Since: p.Asked.UTC(), Signed: p.Person != "", Text: bot.Harmless(p.Message.Text), CSRF: a.csrf(p.token), ID: newID(), Form: p.Message.Harmless().Form,
		Left: max(0, int(p.Expires.Sub(a.o.Now())/time.Second)), Phone: a.o.HelpPhone, Hours: a.o.HelpHours,
	}
	if d.Form == nil {
		return d
	}
	d.Title = d.Form.Title
	for _, f := range d.Form.Fields {
		complete := "off"
		if f.Mask && f.Name == "password" {
			complete = "current-password" // WCAG 3.3.8: a password manager may fill it in
		}
		d.Fields = append(d.Fields, pageField{f, complete})
	}
	return d
}

// askedIn names the chat, and the account in it, that a page was made for. A web
// chat has no account with a name.
func (a *Adapter) askedIn(p *openPage) string {
	t := a.words.in(p.lang)
	if p.Channel == a.o.Channel {
		return t("channel.web")
	}
	// "slack-acme" is an account of a platform that has a name of its own.
	platform, account, _ := strings.Cut(string(p.Channel), "-")
	user := bot.Harmless(p.User)
	if p.name != "" {
		user = t("channel.named", "name", bot.Harmless(p.name), "user", user)
	}
	if s := t("channel."+platform, "account", account, "user", user); !strings.HasPrefix(s, "<") {
		return s
	}
	return t("channel.other", "channel", string(p.Channel), "user", user)
}

// showPage shows an open page as it is.
func (a *Adapter) showPage(w http.ResponseWriter, r *http.Request, p *openPage) {
	d := a.pageData(p)
	t := a.words.in(p.lang)
	switch m := &p.Message; {
	case p.Person != "": // the code was shown
		a.problem(w, r, http.StatusGone, "page_used")
	case m.Form != nil && m.Form.SignIn && p.Channel == a.o.Channel:
		// Nobody stands behind the account of a web chat, so it gets no code to
		// type back: whoever signs in does so in a window of their own.
		a.closePage(w, r, p)
		http.Redirect(w, r, SignInPath, http.StatusSeeOther)
	case m.Form != nil && m.Form.SignIn:
		a.askSignIn(w, http.StatusOK, p, "")
	case m.Form != nil && m.Form.Reveals:
		a.page(w, http.StatusOK, "private_codes", p.lang, d.Title, d, "private")
	case m.Form != nil:
		a.page(w, http.StatusOK, "private_form", p.lang, d.Title, d, "private")
	case m.Reveal != nil:
		shown, err := a.o.House.Reveal(r.Context(), *m.Reveal)
		if err != nil {
			a.revealGone(w, r, p, err)
			return
		}
		d.Title, d.Key = t("private.key.title"), string(shown.Key)
		if strings.HasPrefix(string(shown.URI), "otpauth://") {
			d.URI = template.URL(shown.URI) //nolint:gosec // the scheme has just been looked at
		}
		a.page(w, http.StatusOK, "private_key", p.lang, d.Title, d, "private")
	default:
		a.o.Log.Error("one-time page without a form or a secret", "channel", p.Channel)
		a.problem(w, r, http.StatusGone, "page_over")
	}
}

// revealGone answers when the secret of a page is no more.
func (a *Adapter) revealGone(w http.ResponseWriter, r *http.Request, p *openPage, err error) {
	if errors.Is(err, bot.ErrNotFound) {
		a.closePage(w, r, p)
		a.problem(w, r, http.StatusGone, "page_moved")
		return
	}
	a.trouble(w, r, err)
}

// privateQR is the picture of a page that shows a key.
func (a *Adapter) privateQR(w http.ResponseWriter, r *http.Request) {
	token, _ := a.pageOf(r)
	if token == "" {
		a.problem(w, r, http.StatusNotFound, "nowhere")
		return
	}
	if a.tooMany(w, r, a.limits.act(a.hash(token))) {
		return
	}
	p, err := a.openedPage(r, token)
	if err != nil {
		a.pageGone(w, r, err)
		return
	}
	if p.Message.Reveal == nil {
		a.problem(w, r, http.StatusNotFound, "nowhere")
		return
	}
	shown, err := a.o.House.Reveal(r.Context(), *p.Message.Reveal)
	if err != nil {
		a.revealGone(w, r, p, err)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	_, _ = bytes.NewReader(shown.PNG).WriteTo(w)
}

// privateShow makes what a form shows once, and shows it above the form's
// fields. Pressed again it shows the same, until the form is sent.
func (a *Adapter) privateShow(w http.ResponseWriter, r *http.Request, p *openPage) {
	if p.Message.Form == nil || !p.Message.Form.Reveals {
		a.showPage(w, r, p)
		return
	}
	ctx, cancel := a.whole(r)
	defer cancel()
	codes, err := a.o.House.RevealForm(ctx, p.Conversation, p.Message.Form.Name)
	if err != nil {
		a.revealGone(w, r, p, err)
		return
	}
	d := a.pageData(p)
	for _, c := range codes {
		d.Codes = append(d.Codes, string(c))
	}
	a.page(w, http.StatusOK, "private_codes", p.lang, d.Title, d, "private")
}

// replyOf reads the fields of the page's form, and no others.
func replyOf(r *http.Request, form *bot.Form) *bot.FormReply {
	f := &bot.FormReply{Name: form.Name}
	for _, field := range form.Fields {
		f.Values = append(f.Values, bot.FormValue{Name: field.Name, Value: bot.Secret(r.PostForm.Get("f." + field.Name))})
	}
	return f
}

// privateSubmit answers the page's form in its conversation. The prompt and the
// conversation are the page's own; a browser cannot name others.
func (a *Adapter) privateSubmit(w http.ResponseWriter, r *http.Request, p *openPage) {
	form, id := p.Message.Form, r.PostForm.Get("id")
	switch {
	case form == nil: // the key was scanned; its code goes into the chat
		a.closePage(w, r, p)
		a.done(w, p, "private.key.done", "")
		return
	case form.SignIn || p.Person != "":
		a.showPage(w, r, p)
		return
	case !validID(id):
		a.problem(w, r, http.StatusBadRequest, "unreadable")
		return
	}
	ctx, cancel := a.whole(r)
	defer cancel()
	said, err := a.o.House.Answer(ctx, bot.Event{
		ID: p.User + "|page|" + id, Channel: p.Channel, Conversation: p.Conversation, From: p.User, At: a.o.Now().UTC(),
		Kind: bot.Submit, Prompt: p.Message.Prompt, Form: replyOf(r, form),
	})
	switch {
	case errors.Is(err, bot.ErrEvent):
		a.problem(w, r, http.StatusBadRequest, "unreadable")
	case err != nil:
		a.trouble(w, r, err)
	case said == nil: // a repeat, or a person of the help desk has the chat
		a.done(w, p, "private.look", a.words.in(p.lang)("private.look.text"))
	case said.Form != nil && !said.Form.SignIn:
		a.askAgain(w, r, p, said)
	case said.Prompt == 0: // an apology, or the end of everything: the bot's words tell
		a.done(w, p, "private.look", said.Text)
	default:
		// The step was left behind before this answer came when the bot is more
		// than one prompt ahead: it then says where it is.
		key := "private.done"
		if said.Prompt > p.Message.Prompt+1 {
			key = "private.moved"
		}
		a.closePage(w, r, p)
		a.done(w, p, key, said.Text)
	}
}

// askAgain shows the form that the bot asks for now, with what it says: the
// same one when something was wrong with an answer, or the next one.
func (a *Adapter) askAgain(w http.ResponseWriter, r *http.Request, p *openPage, said *bot.Message) {
	same := p.Message.Form.Name == said.Form.Name
	p.Message = *said
	if l, ok := a.known(said.Lang); ok {
		p.lang = l
	}
	if err := a.o.Passes.SavePage(r.Context(), p.token, *p.Page); err != nil {
		if lost(err) { // its time was over, or another tab was faster; the answer has been taken
			a.done(w, p, "private.look", said.Text)
			return
		}
		a.trouble(w, r, err)
		return
	}
	d := a.pageData(p)
	if same {
		d.Alert, d.Text = d.Text, ""
	}
	name := "private_form"
	if said.Form.Reveals {
		name = "private_codes"
	}
	a.page(w, http.StatusOK, name, p.lang, d.Title, d, "private")
}

// privateCheck says what is wrong with what has been typed so far.
func (a *Adapter) privateCheck(w http.ResponseWriter, r *http.Request, p *openPage) {
	var found []bot.FieldProblem
	if form := p.Message.Form; form != nil && !form.SignIn {
		var err error
		if found, err = a.o.House.TryForm(r.Context(), p.Conversation, replyOf(r, form)); err != nil {
			a.o.Log.Warn("form cannot be checked while it is typed", "form", form.Name, "err", err)
		}
	}
	a.problems(w, found)
}

// privateRefuse is for whoever did not ask for the page: one press voids it, and
// what came of it.
func (a *Adapter) privateRefuse(w http.ResponseWriter, r *http.Request, p *openPage) {
	if p.Message.Form == nil || !p.Message.Form.SignIn {
		a.showPage(w, r, p)
		return
	}
	ctx, cancel := a.whole(r)
	defer cancel()
	if err := a.o.House.RefuseLink(ctx, p.Conversation, p.Person); err != nil {
		a.trouble(w, r, err)
		return
	}
	a.closePage(w, r, p)
	t := a.words.in(p.lang)
	d := a.pageData(p)
	d.Title = t("private.refused")
	a.page(w, http.StatusOK, "private_refused", p.lang, d.Title, d, "private")
}

// closePage ends a page: what it was for is done.
func (a *Adapter) closePage(w http.ResponseWriter, r *http.Request, p *openPage) {
	if err := a.o.Passes.ClosePage(r.Context(), p.token); err != nil {
		a.o.Log.Warn("one-time page stays open until its time is over", "err", err)
	}
	a.pageCookie(w, "", -time.Second)
}

// done is the last page: web.<key> says what happened, text is the bot's answer.
func (a *Adapter) done(w http.ResponseWriter, p *openPage, key, text string) {
	title := a.words.in(p.lang)(key)
	a.page(w, http.StatusOK, "private_done", p.lang, title, pageData{Title: title, Text: bot.Harmless(text)}, "private")
}
