package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"latchkey/bot"
)

// The second factor of agents where the provider is not asked for one: a code of
// a method that they have set up with Latchkey. Package desk decides; a session
// that has shown none finds this page and nothing else.
const codePath = deskPath + "/code"

// ownCode reports whether agents show a code of their own method.
func (a *Adapter) ownCode() bool { return a.o.Desk != nil && a.o.Device == nil && !a.o.Second }

// codeAddress is the page that asks for a code, and goes on to a ticket then;
// empty: to the queue.
func codeAddress(ticket string) string {
	if !aTicket.MatchString(ticket) {
		return codePath
	}
	return codePath + "?t=" + ticket
}

// aTicket is what the number of a ticket looks like.
var aTicket = regexp.MustCompile(`^[0-9A-Z]{3}-[0-9A-Z]{3}$`)

// secondAgain is where an agent shows a second factor anew.
func (a *Adapter) secondAgain(ticket string) string {
	if a.ownCode() {
		return codeAddress(ticket)
	}
	return SecondPath + "&next=" + deskPath
}

// A deskDoor is the page that asks for a code.
type deskDoor struct {
	CSRF, Lang, Ticket string
	Alert              string
	App                string       // id of the authenticator; empty: none
	Ways               []deskChoice // to have a code sent
	Typed, TypedName   string       // the method whose code is waited for, and how it is called
	Later              []string     // methods that count later
	Phone, Hours       string
}

// atDoor lets in whoever is signed in and an agent, second factor or not.
func (a *Adapter) atDoor(w http.ResponseWriter, r *http.Request) (*seat, bool) {
	st, err := a.seated(r, true)
	refused := new(bot.DeskRefusal)
	in := err == nil || errors.Is(err, errNoSecond)
	entered := err
	if in || errors.As(err, &refused) {
		entered = nil
	}
	if !a.admit(w, r, st.token, entered) {
		return nil, false
	}
	switch {
	case in:
		return st, true
	case errors.As(err, &refused):
		a.problem(w, r, http.StatusNotFound, "nowhere")
	case r.Method == http.MethodPost:
		a.problem(w, r, http.StatusForbidden, "desk_over")
	default:
		http.Redirect(w, r, SignInPath+"?next="+deskPath, http.StatusSeeOther)
	}
	return nil, false
}

func (a *Adapter) proof(st *seat) bot.DeskProof {
	return bot.DeskProof{Person: st.Person, Channel: a.o.Channel, User: st.User, Session: a.hash(st.token), Lang: st.lang}
}

// deskCode asks for a code. m names the method that one was sent to.
func (a *Adapter) deskCode(w http.ResponseWriter, r *http.Request) {
	if st, ok := a.atDoor(w, r); ok {
		a.showDoor(w, r, st, http.StatusOK, r.URL.Query().Get("m"), r.URL.Query().Get("t"), "")
	}
}

// showDoor shows the page that asks for a code; typed is the method that one was
// sent to.
func (a *Adapter) showDoor(w http.ResponseWriter, r *http.Request, st *seat, code int, typed, ticket, alert string) {
	own, err := a.o.Desk.Own(r.Context(), a.proof(st))
	if err != nil {
		a.deskTrouble(w, r, err)
		return
	}
	t := a.words.in(st.lang)
	d := &deskDoor{CSRF: a.csrf(st.token), Lang: st.lang, Alert: alert, Phone: a.o.HelpPhone, Hours: a.o.HelpHours}
	if aTicket.MatchString(ticket) {
		d.Ticket = ticket
	}
	for _, o := range own {
		id, name := string(o.ID), a.o.Phrases.Phrase(st.lang, "method."+string(o.Kind))
		if o.Kind != bot.Authenticator {
			name += " " + bot.Harmless(o.Label)
		}
		switch {
		case !o.From.IsZero():
			d.Later = append(d.Later, t("desk.code.later", "method", name, "when", when(o.From.Local(), a.o.Now().Local())))
			continue
		case o.Kind == bot.Authenticator:
			d.App = id
			continue
		case o.Kind == bot.Email:
			d.Ways = append(d.Ways, deskChoice{id, t("desk.code.mail", "to", name)})
		default:
			d.Ways = append(d.Ways, deskChoice{id + " " + string(bot.SMS), t("desk.code.text", "to", name)}, deskChoice{id + " " + string(bot.Voice), t("desk.code.call", "to", name)})
		}
		if id == typed {
			d.Typed, d.TypedName = id, name
		}
	}
	a.page(w, code, "desk_code", st.lang, t("desk.code.title"), d, "desk")
}

// deskProve sends a code to a method of the agent, or takes one.
func (a *Adapter) deskProve(w http.ResponseWriter, r *http.Request) {
	st, ok := a.deskForm(w, r, a.atDoor)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), acceptTime)
	defer cancel()
	p, ticket, token := a.proof(st), r.PostForm.Get("t"), newToken()
	p.Next = a.hash(token)
	next, ask, good := deskPath, a.o.Desk.ProveOwn, []string{"ok"}
	if aTicket.MatchString(ticket) {
		next += "/t/" + ticket
	}
	p.Method, p.Code = bot.MethodID(r.PostForm.Get("method")), r.PostForm.Get("code")
	if send := r.PostForm.Get("send"); send != "" {
		id, via, _ := strings.Cut(send, " ")
		p.Method, p.Via = bot.MethodID(id), bot.Via(via)
		next = codePath + "?" + url.Values{"m": {id}, "t": {ticket}}.Encode()
		ask, good = a.o.Desk.SendOwn, []string{"sent", "wait"} // one that was sent a moment ago counts on
	}
	oc, err := ask(ctx, p)
	switch {
	case err != nil:
		a.deskTrouble(w, r, err)
	case slices.Contains(good, oc.Name):
		if oc.Name == "ok" { // the one of before is dead
			a.keepSession(w, *st.WebSession, token)
			a.hub.over(st.Conversation) // its other tabs
		}
		http.Redirect(w, r, next, http.StatusSeeOther)
	default:
		a.doorRefused(w, r, st, oc, string(p.Method), ticket)
	}
}

// doorRefused says why a code was not sent, or not taken.
func (a *Adapter) doorRefused(w http.ResponseWriter, r *http.Request, st *seat, oc bot.Outcome, typed, ticket string) {
	fact := func(name string) string {
		i := slices.IndexFunc(oc.Facts, func(f bot.Fact) bool { return f.Name == name })
		if i < 0 {
			return ""
		}
		return oc.Facts[i].Value
	}
	word, code := oc.Name, http.StatusConflict
	switch word {
	case "paused", "locked", "limit":
		code = http.StatusTooManyRequests
		if word == "paused" {
			word = "locked"
		}
		if fact("soon") != "" {
			word = "soon"
		}
	case "expired", "void":
		word = "expired"
	case "skewed":
		word = "wrong"
	case "wrong", "used", "format", "landline":
	default: // gone, busy, refused
		word = "gone"
	}
	a.showDoor(w, r, st, code, typed, ticket, a.words.in(st.lang)("desk.code."+word, "left", cmp.Or(fact("left"), "1"), "wait", fact("wait")))
}
