package web

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"latchkey/bot"
)

// Sign-in at the organisation's OpenID provider: of the web chat, which then
// goes on in the person's own conversation, and of a one-time page, which then
// shows the code to type back in the chat that asked.
//
// One random token, in a cookie of this browser, stands for a sign-in under
// way. State, nonce and PKCE verifier are made from it, so the store keeps
// nothing but its hash, and an answer is good in the browser alone that began.
// Each attempt has a cookie of its own, named by its state, so that two tabs do
// not take each other's. The cookie is SameSite=Lax since the provider sends the
// browser here from another site; the page's own Strict cookie stays at home
// then, so the page's token travels in this one.
//
// An answer without its cookie was begun elsewhere, was used already (the back
// button), or comes too late. It costs nothing and reaches nothing, so it is no
// failure of the address: whoever is signed in goes on, others are told.
const (
	SignInPath = "/signin" // where people sign in for the web chat
	// SecondPath is where they do so with a second factor, also when they are
	// signed in without.
	SecondPath   = SignInPath + "?second=1"
	callbackPath = SignInPath + "/callback"
	cookieSignIn = "signin-" // and the beginning of the state
	stateInName  = 16        // characters of the state in the cookie's name
	maxAttempts  = 8         // sign-ins under way in one browser
	maxParameter = 4096      // of the provider's answer
)

func (a *Adapter) signInRoutes() {
	if a.o.Provider == nil {
		return
	}
	if a.o.Chat {
		a.mux.HandleFunc("GET "+SignInPath, a.signInPage)
		a.mux.HandleFunc("POST "+SignInPath, a.signIn)
	}
	a.mux.HandleFunc("GET "+callbackPath, a.signInBack)
}

// A signingIn is what the cookie holds.
type signingIn struct {
	token bot.Secret
	next  string     // where a web chat goes on
	page  bot.Secret // token of the one-time page, or empty
}

// signInNext is where the web chat may go on, by what the cookie says.
var signInNext = map[string]string{"chat": chatPath, "home": "/", "desk": deskPath}

func (s *signingIn) String() string { return "[redacted]" }

func (s *signingIn) value() string {
	if s.page != "" {
		return string(s.token) + ".page." + string(s.page)
	}
	for k, path := range signInNext {
		if path == s.next {
			return string(s.token) + "." + k + "."
		}
	}
	return string(s.token) + ".chat."
}

func readSigningIn(cookie string) (*signingIn, bool) {
	part := strings.Split(cookie, ".")
	if len(part) != 3 || len(part[0]) != tokenLen {
		return nil, false
	}
	s := &signingIn{token: bot.Secret(part[0]), next: signInNext[part[1]]}
	if part[1] == "page" {
		s.page = bot.Secret(part[2])
		return s, len(s.page) == tokenLen
	}
	return s, s.next != "" && part[2] == ""
}

// derive makes one of the values of a sign-in from its token.
func (s *signingIn) derive(what string) string {
	h := sha256.Sum256([]byte(what + "|" + string(s.token)))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

// signInCookie is the short name of the cookie of an attempt, by its state.
func signInCookie(state string) string { return cookieSignIn + state[:min(len(state), stateInName)] }

// keepSignIn gives the browser the cookie of an attempt. Attempts that nobody
// finished run out by themselves; when there are many, they go now.
func (a *Adapter) keepSignIn(w http.ResponseWriter, r *http.Request, s *signingIn) {
	var old []string
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, a.cookieName(cookieSignIn)) {
			old = append(old, strings.TrimPrefix(c.Name, a.cookieName("")))
		}
	}
	if len(old) >= maxAttempts {
		for _, short := range old {
			a.dropCookie(w, short, false)
		}
	}
	a.setCookie(w, signInCookie(s.derive("state")), s.value(), a.o.Policy.LinkLife, false)
}

// signInOf reads the attempt that an answer belongs to.
func (a *Adapter) signInOf(r *http.Request, state string) (*signingIn, bool) {
	s, ok := readSigningIn(a.cookie(r, signInCookie(state)))
	if !ok || subtle.ConstantTimeCompare([]byte(state), []byte(s.derive("state"))) != 1 {
		return nil, false
	}
	return s, true
}

// goesOn answers an answer of the provider that is late or repeated: whoever is
// signed in goes on to the chat. It reports false when nobody is, and nothing has
// been answered then.
func (a *Adapter) goesOn(w http.ResponseWriter, r *http.Request, next string) bool {
	if !a.o.Chat {
		return false
	}
	s, _, err := a.session(w, r)
	if err != nil || s.Name == "" {
		return false
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return true
}

func (a *Adapter) callback() string { return a.o.PublicURL + callbackPath }

// signIn begins a sign-in of the web chat.
func (a *Adapter) signIn(w http.ResponseWriter, r *http.Request) {
	if a.tooMany(w, r, a.limits.shut(a.address(r))) {
		return
	}
	before, session, err := a.session(w, r)
	if !a.admit(w, r, session, err) || !a.form(w, r) {
		return
	}
	if session != "" && !a.checkCSRF(r, session) {
		a.problem(w, r, http.StatusForbidden, "foreign")
		return
	}
	st := bot.SignInState{Shared: a.o.Kiosk || r.PostForm.Get("shared") == "1"}
	if session != "" {
		st.Session = a.hash(session)
	}
	lang := a.language(r)
	s := &signingIn{next: nextOf(r)}
	ask := a.asks(r)
	st.Second = ask.Second
	if before != nil {
		st.Conversation = before.Conversation
	}
	if before != nil && before.Name != "" && !st.Shared { // the same person once more
		if _, ask.Hint, err = a.o.House.AccountName(r.Context(), a.o.Channel, before.User); err != nil {
			a.o.Log.Warn("a sign-in does not name the person who is expected", "err", err)
		}
	}
	if st.Shared { // whoever sat here before may still be signed in at the provider
		ask.Again = true
	}
	if err := a.sendToProvider(w, r, s, st, lang, ask); err != nil {
		a.chatTrouble(w, http.StatusServiceUnavailable, lang, session, s.next, "down", "")
	}
}

// asks reads from a form what its sign-in asks of the provider.
func (a *Adapter) asks(r *http.Request) bot.SignInAsk {
	switch r.PostForm.Get("ask") {
	case wantAgain:
		return bot.SignInAsk{Again: true}
	case wantOther:
		return bot.SignInAsk{Other: true}
	case wantSecond:
		return bot.SignInAsk{Second: a.o.Second}
	}
	return bot.SignInAsk{}
}

// What a form may ask of the provider, see bot.SignInAsk.
const (
	wantAgain  = "again"
	wantOther  = "other"
	wantSecond = "second"
)

// nextAsk is what another try asks for, by why this one did not come about.
func nextAsk(why string) string {
	switch why {
	case "stale":
		return wantAgain
	case "unknown", "guest":
		return wantOther
	case "frozen_again", "frozen_less":
		return wantSecond
	}
	return ""
}

// privateSignIn begins a sign-in for a one-time page.
func (a *Adapter) privateSignIn(w http.ResponseWriter, r *http.Request, p *openPage) {
	if a.o.Provider == nil || p.Message.Form == nil || !p.Message.Form.SignIn || p.Person != "" || p.Channel == a.o.Channel {
		a.showPage(w, r, p)
		return
	}
	s, ask := &signingIn{page: p.token}, a.asks(r) // a second factor is for our own window
	if err := a.sendToProvider(w, r, s, bot.SignInState{Page: a.hash(p.token), Conversation: p.Conversation}, p.lang, bot.SignInAsk{Again: ask.Again, Other: ask.Other, Hint: p.login}); err != nil {
		a.askSignIn(w, http.StatusServiceUnavailable, p, "down")
	}
}

// sendToProvider notes the sign-in and answers with a page that goes on to the
// provider. It is a page and no redirect, since our policy (form-action) stops
// a form from being redirected to another site. The error is the provider's;
// nothing has been answered then.
func (a *Adapter) sendToProvider(w http.ResponseWriter, r *http.Request, s *signingIn, st bot.SignInState, lang string, ask bot.SignInAsk) error {
	var err error
	if s.token, err = a.o.Passes.BeginSignIn(r.Context(), st); err != nil {
		a.trouble(w, r, err)
		return nil
	}
	address, err := a.o.Provider.Begin(r.Context(), a.callback(), s.derive("state"), s.derive("nonce"), s.derive("verifier"), ask)
	if err != nil {
		a.o.Log.Error("sign-in cannot begin", "err", err)
		return err
	}
	a.keepSignIn(w, r, s)
	w.Header().Set("Refresh", "0;url="+address)
	t := a.words.in(lang)
	at := a.o.Provider.Name()
	a.page(w, http.StatusOK, "signin", lang, t("signin.title", "at", at), struct{ At, Address string }{at, address}, "private")
	return nil
}

// signInBack is where the provider sends the browser to, with a code or with
// why there is none.
func (a *Adapter) signInBack(w http.ResponseWriter, r *http.Request) {
	addr := a.address(r)
	if a.tooMany(w, r, a.limits.shut(addr)) {
		return
	}
	q := r.URL.Query()
	for _, k := range []string{"state", "code", "iss", "error"} {
		if v := q[k]; len(v) > 1 || len(v) == 1 && len(v[0]) > maxParameter {
			a.problem(w, r, http.StatusBadRequest, "unreadable")
			return
		}
	}
	s, ok := a.signInOf(r, q.Get("state"))
	if !ok {
		_, session, err := a.session(w, r)
		if !a.admit(w, r, session, err) || a.goesOn(w, r, chatPath) {
			return
		}
		a.problem(w, r, http.StatusForbidden, "signin_foreign")
		return
	}
	mine := signInCookie(q.Get("state"))
	ctx, cancel := a.whole(r)
	defer cancel()
	st, err := a.o.Passes.FinishSignIn(ctx, s.token)
	if err == nil && subtle.ConstantTimeCompare(st.Page, a.pageHash(s.page)) != 1 {
		err = bot.ErrNotFound // the two halves of the cookie do not belong together
	}
	if lost(err) {
		a.dropCookie(w, mine, false)
		if s.page == "" && a.goesOn(w, r, s.next) {
			return
		}
		a.problem(w, r, http.StatusGone, "signin_over")
		return
	}
	if err != nil {
		a.trouble(w, r, err)
		return
	}
	a.dropCookie(w, mine, false)

	var x *bot.External
	why := ""
	if e := q.Get("error"); e != "" {
		why = refusal(e)
	} else if x, err = a.o.Provider.Finish(ctx, a.callback(), q.Get("code"), q.Get("iss"), s.derive("nonce"), s.derive("verifier"), bot.SignInAsk{Second: st.Second}); err != nil {
		why = failure(err)
		if why == "refused" {
			a.limits.failed(addr)
		}
		a.o.Log.Warn("sign-in did not come about", "why", why, "err", err)
	}
	if x != nil {
		x.Began = st.Began
	}
	if s.page != "" {
		a.pageSignedIn(w, r, s, x, why)
		return
	}
	a.chatSignedIn(w, r, s, st, x, why)
}

// pageHash is what SignInState.Page holds for a page; nil for none.
func (a *Adapter) pageHash(page bot.Secret) []byte {
	if page == "" {
		return nil
	}
	return a.hash(page)
}

// refusal sorts what a provider answers in place of a code (RFC 6749 4.1.2.1,
// OpenID Connect Core 3.1.2.6). The word goes no further: anybody can write it
// into an address.
func refusal(e string) string {
	switch e {
	case "access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required":
		return "stopped"
	case "server_error", "temporarily_unavailable":
		return "down"
	}
	return "refused"
}

// failure sorts the errors of Provider.Finish.
func failure(err error) string {
	var down interface{ Unavailable() bool }
	var stale interface{ Stale() bool }
	var guest interface{ Guest() bool }
	switch {
	case errors.As(err, &guest) && guest.Guest():
		return "guest"
	case errors.As(err, &down) && down.Unavailable():
		return "down"
	case errors.As(err, &stale) && stale.Stale():
		return "stale"
	}
	return "refused"
}

// unlisted sorts the errors of House.SignInAs and ProofCode; empty: the store's.
func unlisted(err error) string {
	switch {
	case errors.Is(err, bot.ErrGuest):
		return "guest"
	case errors.Is(err, bot.ErrNotFound):
		return "unknown"
	case errors.Is(err, bot.ErrFrozen):
		return "frozen"
	case errors.Is(err, bot.ErrDisabled):
		return "disabled"
	}
	return ""
}

// userOf names somebody in the web chat by who the provider says it is. The
// person is part of it, so that a subject which is given to somebody else never
// opens the conversation of the one before.
func userOf(x *bot.External) string {
	h := sha256.Sum256([]byte(x.Issuer + "\x00" + x.Subject + "\x00" + string(x.Person)))
	return "oidc-" + base64.RawURLEncoding.EncodeToString(h[:])[:22]
}

// tellStopped tells the chat in which somebody has begun to sign in that nothing is
// done for that account: the page says so, too, and is left in a moment.
func (a *Adapter) tellStopped(r *http.Request, s *bot.WebSession) {
	ev := a.event(s, newID(), bot.Notice, "")
	ev.Signal = &bot.Signal{Name: bot.SignalStopped}
	if err := a.accept(r, ev); err != nil {
		a.o.Log.Warn("a chat is not told that the account which has signed in is stopped", "err", err)
	}
}

// chatSignedIn ends a sign-in of the web chat. The session of before ends and a
// new token begins, so that whoever knew the old one has nothing (session
// fixation). Whoever is signed in here as the same person already (in another
// tab) goes on with that session, unless a second factor was asked for: that makes
// more of a session than it was before.
func (a *Adapter) chatSignedIn(w http.ResponseWriter, r *http.Request, s *signingIn, st *bot.SignInState, x *bot.External, why string) {
	lang := a.language(r)
	before, old, err := a.session(w, r)
	if err != nil && !lost(err) {
		a.trouble(w, r, err)
		return
	}
	var p *bot.Person
	ctx, cancel := a.whole(r)
	defer cancel()
	if why == "" {
		if p, err = a.o.House.SignInAs(ctx, a.o.Channel, userOf(x), *x); err != nil {
			if why = unlisted(err); why == "" {
				a.trouble(w, r, err)
				return
			}
		}
	}
	if why != "" {
		if before != nil && before.Name == "" && (why == "disabled" || why == "frozen") {
			a.tellStopped(r, before)
		}
		why = a.frozen(why, st.Second)
		a.chatTrouble(w, troubleStatus(why), lang, old, s.next, why, nextAsk(why))
		return
	}
	session := bot.WebSession{Conversation: a.conversation(userOf(x)), User: userOf(x), Name: calledBy(p), Shared: st.Shared, Started: a.o.Now().UTC()}
	if x.Second {
		session.Second = session.Started
	}
	known := before != nil && before.User == session.User && before.Shared == session.Shared
	if known && !st.Second {
		http.Redirect(w, r, s.next, http.StatusSeeOther)
		return
	}
	asked := ""
	if before != nil {
		if before.Name == "" { // what was asked then is answered now; nothing else is taken along
			if asked, err = a.o.House.Asked(ctx, before.Conversation); err != nil {
				a.trouble(w, r, err)
				return
			}
		}
	}
	token, err := a.o.Passes.BeginSession(ctx, session)
	if err != nil {
		a.trouble(w, r, err)
		return
	}
	if before != nil { // after the new one began: whoever signs in once more has not left
		if err := a.o.Passes.EndSession(ctx, old); err != nil {
			a.notBegun(w, r, token, s.next, err)
			return
		}
		a.hub.over(before.Conversation) // its other tabs
	}
	// The browser has the token only when this is done: whoever stops an account, and
	// whoever signs in elsewhere, ends the sessions that are there, and may have been
	// just before this one began.
	if err := a.o.House.NewBrowser(ctx, a.o.Channel, session.User, a.hash(token), known, *x); err != nil {
		a.notBegun(w, r, token, s.next, err)
		return
	}
	a.keepSession(w, session, token)
	open := a.event(&session, "signin-"+newID(), bot.Open, lang)
	open.Flow = asked
	if err := a.accept(r, open); err != nil {
		// The person is signed in all the same; the chat says more at the next thing they do.
		a.o.Log.Error("signed in, but the conversation was not opened", "err", err)
	}
	http.Redirect(w, r, s.next, http.StatusSeeOther)
}

// notBegun ends a session that its browser has not got, and says why.
func (a *Adapter) notBegun(w http.ResponseWriter, r *http.Request, token bot.Secret, next string, why error) {
	if err := a.end(w, r, token, false); err != nil {
		a.trouble(w, r, errors.Join(why, err))
		return
	}
	switch word := unlisted(why); {
	case word != "":
		a.chatTrouble(w, http.StatusForbidden, a.language(r), "", next, word, "")
	case lost(why):
		a.problem(w, r, http.StatusGone, "signin_over")
	default:
		a.trouble(w, r, why)
	}
}

// calledBy is how the page names who is signed in; never empty.
func calledBy(p *bot.Person) string {
	return cmp.Or(p.GivenName, p.Name, p.Username, string(p.ID))
}

// frozen says more of a frozen account: what a sign-in must have to start it again,
// or what this one lacked.
func (a *Adapter) frozen(why string, asked bool) string {
	switch {
	case why != "frozen" || !a.o.Second:
		return why
	case asked:
		return "frozen_less"
	}
	return "frozen_again"
}

// signInPage is the window in which people sign in who come from elsewhere: from
// the chat inside another site's page, or from a chat that may change nothing.
// Who is signed in here goes on, unless a second factor is wanted.
func (a *Adapter) signInPage(w http.ResponseWriter, r *http.Request) {
	s, token, err := a.session(w, r)
	if !a.admit(w, r, token, err) {
		return
	}
	second := a.o.Second && r.URL.Query().Get("second") == "1"
	if err == nil && s.Name != "" && !second {
		http.Redirect(w, r, nextOf(r), http.StatusSeeOther)
		return
	}
	lang := a.language(r)
	t := a.words.in(lang)
	at := a.o.Provider.Name()
	d := &window{hidden: a.hidden(r, token, nextOf(r)), At: at, Since: a.o.Now().UTC(), Phone: a.o.HelpPhone, Hours: a.o.HelpHours}
	d.Ask = !a.o.Kiosk
	if second {
		d.Wants = wantSecond
	}
	a.page(w, http.StatusOK, "signin_window", lang, t("signin.title", "at", at), d, "private")
}

// A window is the page that signs people in.
type window struct {
	hidden
	At, Phone, Hours string
	Since            time.Time
	Ask              bool   // whether this is a shared computer
	Wants            string // wantSecond, or empty
}

// troubleStatus is the HTTP status for why a sign-in did not come about.
func troubleStatus(why string) int {
	switch why {
	case "down":
		return http.StatusServiceUnavailable
	case "stopped":
		return http.StatusOK
	}
	return http.StatusForbidden
}

// chatTrouble says why there was no sign-in, and offers another try.
func (a *Adapter) chatTrouble(w http.ResponseWriter, code int, lang string, session bot.Secret, next, why, ask string) {
	t := a.words.in(lang)
	at := a.o.Provider.Name()
	d := struct {
		Title, Text, At, CSRF, Next, Phone, Hours, Wants string
	}{t("signin.trouble"), t("signin."+why, "at", at, "org", a.o.Org), at, "", next, a.o.HelpPhone, a.o.HelpHours, ask}
	if session != "" {
		d.CSRF = a.csrf(session)
	}
	a.page(w, code, "signin_trouble", lang, d.Title, d, "private")
}

// askSignIn is the page of a form that wants a sign-in. why says what went
// wrong with the try before, and may be empty.
func (a *Adapter) askSignIn(w http.ResponseWriter, code int, p *openPage, why string) {
	t := a.words.in(p.lang)
	d := a.pageData(p)
	if a.o.Provider == nil {
		why = "off"
	} else {
		d.At = a.o.Provider.Name()
	}
	d.Wants = nextAsk(why)
	if why != "" {
		d.Alert = t("signin."+why, "at", d.At, "org", a.o.Org)
	}
	a.page(w, code, "private_signin", p.lang, d.Title, d, "private")
}

// pageSignedIn ends a sign-in for a one-time page: it shows the code to type
// back in the chat that asked. The page is closed by it, and the code is in
// this answer only.
func (a *Adapter) pageSignedIn(w http.ResponseWriter, r *http.Request, s *signingIn, x *bot.External, why string) {
	p, err := a.openedPage(r, s.page)
	if err != nil {
		a.pageGone(w, r, err)
		return
	}
	if p.Message.Form == nil || !p.Message.Form.SignIn || p.Person != "" || p.Channel == a.o.Channel {
		a.showPage(w, r, p)
		return
	}
	ctx, cancel := a.whole(r)
	defer cancel()
	var code bot.Secret
	if why == "" {
		if code, err = a.o.House.ProofCode(ctx, p.Conversation, *x); err != nil {
			if why = unlisted(err); why == "" {
				a.trouble(w, r, err)
				return
			}
		}
	}
	if why != "" {
		a.askSignIn(w, troubleStatus(why), p, why)
		return
	}
	// The page shows nothing more, but "this was not me" can still be pressed on it.
	p.Person = x.Person
	if err := a.o.Passes.SavePage(ctx, p.token, *p.Page); err != nil {
		a.pageGone(w, r, err)
		return
	}
	d := a.pageData(p)
	t := a.words.in(p.lang)
	d.Title, d.Code, d.Spoken = t("private.code.title"), string(code), spoken(string(code))
	d.Life = bot.Wait(a.o.Phrases, p.lang, a.o.Policy.LinkCodeLife)
	d.Left = int(a.o.Policy.LinkCodeLife / time.Second)
	a.page(w, http.StatusOK, "signin_code", p.lang, d.Title, d, "private")
}

// spoken spells a code: a screen reader would read "7F3K" as a word.
func spoken(code string) string {
	var b strings.Builder
	for _, c := range code {
		switch {
		case c == '-':
			b.WriteString(", ")
		case b.Len() > 0 && !strings.HasSuffix(b.String(), " "):
			b.WriteString(" ")
			fallthrough
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
