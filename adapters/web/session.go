package web

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"latchkey/bot"
)

// The cookies of the web chat, by their short names. The embedded chat has its
// own: a browser may show both at once, and they are not the same visitor.
const (
	cookieSession = "session"
	cookieFramed  = "framed"
	cookieBrowser = "browser" // opens nothing; see visitor
)

// browserLife is how long a browser is known again: as long as browsers keep
// any cookie (RFC 6265bis 5.5).
const browserLife = 400 * 24 * time.Hour

// tokenLen is the length of every token of bot.Passes: 32 bytes in base64url.
const tokenLen = 43

func sessionCookie(framed bool) string {
	if framed {
		return cookieFramed
	}
	return cookieSession
}

// framed reports whether a request comes from the embedded chat. It says so
// itself, in its address; only that decides which cookie counts.
func framed(r *http.Request) bool {
	return r.URL.Path == embedPath || strings.HasPrefix(r.URL.Path, chatPath+"/") && r.URL.Query().Get("framed") == "1"
}

// session opens the session of a request and notes that it was used. The error
// wraps bot.ErrNotFound when there is none or nobody knows it, and
// bot.ErrExpired when it has ended; any other is the store's.
func (a *Adapter) session(w http.ResponseWriter, r *http.Request) (*bot.WebSession, bot.Secret, error) {
	in := framed(r)
	token, err := a.token(r, in)
	if err != nil {
		if a.cookie(r, sessionCookie(in)) != "" {
			a.dropCookie(w, sessionCookie(in), in) // no token of ours
		}
		return nil, "", err
	}
	s, err := a.o.Passes.Session(r.Context(), token)
	if err != nil {
		return nil, "", err
	}
	if s.Framed != in || a.forDesk(s) {
		return nil, "", errOtherKind
	}
	return s, token, nil
}

// peek is the same without noting a use: for what a page does by itself while
// it stays open. ends is when the session ends unless somebody uses it.
func (a *Adapter) peek(r *http.Request) (s *bot.WebSession, token bot.Secret, ends time.Time, err error) {
	in := framed(r)
	if token, err = a.token(r, in); err != nil {
		return nil, "", ends, err
	}
	if s, ends, err = a.o.Passes.PeekSession(r.Context(), token); err != nil {
		return nil, "", ends, err
	}
	if s.Framed != in || a.forDesk(s) {
		return nil, "", ends, errOtherKind
	}
	return s, token, ends, nil
}

var (
	errNoSession = fmt.Errorf("web: no session: %w", bot.ErrNotFound)
	errOtherKind = fmt.Errorf("web: session of another kind: %w", bot.ErrNotFound)
)

// token reads the session's token from its cookie.
func (a *Adapter) token(r *http.Request, framed bool) (bot.Secret, error) {
	if v := a.cookie(r, sessionCookie(framed)); len(v) == tokenLen {
		return bot.Secret(v), nil
	}
	return "", errNoSession
}

// begin starts a session and gives its token to the browser.
func (a *Adapter) begin(w http.ResponseWriter, r *http.Request, s bot.WebSession) (bot.Secret, error) {
	if s.Started.IsZero() {
		s.Started = a.o.Now().UTC()
	}
	token, err := a.o.Passes.BeginSession(r.Context(), s)
	if err != nil {
		return "", fmt.Errorf("web: begin a session: %w", err)
	}
	a.keepSession(w, s, token)
	return token, nil
}

// keepSession gives the browser the token of a session.
func (a *Adapter) keepSession(w http.ResponseWriter, s bot.WebSession, token bot.Secret) {
	life := a.o.Policy.SessionLife
	if s.Shared {
		life = 0 // gone with the browser's window at the latest
	}
	a.setCookie(w, sessionCookie(s.Framed), string(token), life, s.Framed)
}

// end ends a session, in all its tabs.
func (a *Adapter) end(w http.ResponseWriter, r *http.Request, token bot.Secret, framed bool) error {
	if err := a.o.Passes.EndSession(r.Context(), token); err != nil {
		return fmt.Errorf("web: end a session: %w", err)
	}
	a.dropCookie(w, sessionCookie(framed), framed)
	return nil
}

// stranger is a visitor of whom nothing is known: a new conversation.
func (a *Adapter) stranger(w http.ResponseWriter, r *http.Request) bot.WebSession {
	in := framed(r)
	user := newID()
	if a.o.Provider == nil && !in && !a.o.Kiosk {
		user = a.visitor(w, r) + "." + user
	}
	return bot.WebSession{Conversation: a.conversation(user), User: user, Framed: in, Shared: a.o.Kiosk && !in, Started: a.o.Now().UTC()}
}

// visitor names the browser of a visitor who will sign in with a password, in
// the chat, if at all. A person who comes back with a browser in which they have
// signed in before is then no news. Where a provider signs people in, it names
// them, and no browser needs a name.
func (a *Adapter) visitor(w http.ResponseWriter, r *http.Request) string {
	id := a.cookie(r, cookieBrowser)
	if len(id) != len(newID()) || !validID(id) {
		id = newID()
	}
	a.setCookie(w, cookieBrowser, id, browserLife, false)
	h := sha256.Sum256([]byte("browser|" + id))
	return base64.RawURLEncoding.EncodeToString(h[:])[:len(id)]
}

// conversation is the one conversation of a user.
func (a *Adapter) conversation(user string) bot.ConversationID {
	return bot.ConversationID(string(a.o.Channel) + ":" + user)
}

// event makes an event of a session. The id is the browser's for one act: a
// repeat of it is dropped.
func (a *Adapter) event(s *bot.WebSession, id string, kind bot.EventKind, lang string) bot.Event {
	return bot.Event{
		ID: s.User + "|" + id, Channel: a.o.Channel, Conversation: s.Conversation, From: s.User,
		At: a.o.Now().UTC(), Kind: kind, Locale: lang,
	}
}

// acceptTime is how long one event may take to be taken in.
const acceptTime = 15 * time.Second

// accept takes an event in. A browser that is closed meanwhile does not stop it.
func (a *Adapter) accept(r *http.Request, ev bot.Event) error {
	ctx, cancel := a.whole(r)
	defer cancel()
	ev.Device = device(r.UserAgent())
	return a.o.House.Accept(ctx, ev)
}

// device is what a browser runs on, by what it calls itself; empty: it does not say.
func device(agent string) string {
	for _, x := range []struct{ word, is string }{
		{"Android", "Android"}, {"iPhone", "iOS"}, {"iPad", "iOS"}, {"CrOS", "ChromeOS"}, {"Windows", "Windows"}, {"Macintosh", "macOS"}, {"Linux", "Linux"},
	} {
		if strings.Contains(agent, x.word) {
			return x.is
		}
	}
	return ""
}

// newID is a random id: 128 bits in base64url.
func newID() string {
	var b [16]byte
	rand.Read(b[:]) //nolint:errcheck // it never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// newToken is a token such as bot.Passes makes.
func newToken() bot.Secret {
	var b [32]byte
	rand.Read(b[:]) //nolint:errcheck // it never fails (crypto/rand)
	return bot.Secret(base64.RawURLEncoding.EncodeToString(b[:]))
}

// setCookie gives the browser one of our cookies. A framed one goes with
// requests from inside another site's page, and is kept for that site's pages
// alone (Partitioned, "CHIPS"); browsers want both over https only, so on
// this machine's http it is a plain one.
func (a *Adapter) setCookie(w http.ResponseWriter, short, value string, life time.Duration, framed bool) {
	c := &http.Cookie{
		Name: a.cookieName(short), Value: value, Path: "/", MaxAge: int(life / time.Second),
		HttpOnly: true, Secure: a.secure(), SameSite: http.SameSiteLaxMode,
	}
	if framed && a.secure() {
		c.SameSite, c.Partitioned = http.SameSiteNoneMode, true
	}
	http.SetCookie(w, c)
}

// dropCookie takes a cookie away again.
func (a *Adapter) dropCookie(w http.ResponseWriter, short string, framed bool) {
	a.setCookie(w, short, "", -time.Second, framed)
}

// cookie reads one of our cookies, or gives "".
func (a *Adapter) cookie(r *http.Request, short string) string {
	c, err := r.Cookie(a.cookieName(short))
	if err != nil {
		return ""
	}
	return c.Value
}

// hash is what the store keeps of a token.
func (a *Adapter) hash(token bot.Secret) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

// csrf is what a form must carry to act for a session. It follows from the
// token, so that it needs no place of its own and tells nothing about it.
func (a *Adapter) csrf(token bot.Secret) string {
	h := sha256.Sum256([]byte("csrf|" + string(token)))
	return hex.EncodeToString(h[:])[:32]
}

// checkCSRF reports whether a parsed request carries it: field csrf, or the
// header X-CSRF.
func (a *Adapter) checkCSRF(r *http.Request, token bot.Secret) bool {
	got := cmp.Or(r.Header.Get("X-CSRF"), r.PostForm.Get("csrf"))
	return subtle.ConstantTimeCompare([]byte(got), []byte(a.csrf(token))) == 1
}
