package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// Where the chat is.
const (
	chatPath  = "/chat"
	embedPath = "/chat/embed"
)

// pageRows is how much of a conversation a page shows.
const pageRows = 200

func (a *Adapter) chatRoutes() {
	a.mux.HandleFunc("GET /chat", a.chatPage)
	a.mux.HandleFunc("GET /chat/embed", a.embedPage)
	a.mux.HandleFunc("GET /embed.js", a.embedScript)
	a.mux.HandleFunc("GET /chat/events", a.events)
	a.mux.HandleFunc("GET /chat/qr/{seq}", a.qr)
	a.mux.HandleFunc("POST /chat/open", a.open)
	a.mux.HandleFunc("POST /chat/say", a.acting(a.say))
	a.mux.HandleFunc("POST /chat/press", a.acting(a.press))
	a.mux.HandleFunc("POST /chat/form", a.acting(a.submit))
	a.mux.HandleFunc("POST /chat/check", a.acting(a.check))
	a.mux.HandleFunc("POST /chat/show", a.acting(a.show))
	a.mux.HandleFunc("POST /chat/page", a.acting(a.oncePage))
	a.mux.HandleFunc("POST /chat/stay", a.acting(a.stay))
	a.mux.HandleFunc("POST /chat/leave", a.acting(a.leave))
	if a.o.Device == nil {
		a.mux.Handle("GET /{$}", http.RedirectHandler(chatPath, http.StatusSeeOther))
	}
}

// chatPage shows the conversation, or how to begin one.
func (a *Adapter) chatPage(w http.ResponseWriter, r *http.Request) { a.showChat(w, r, chatPath) }

func (a *Adapter) showChat(w http.ResponseWriter, r *http.Request, next string) {
	s, token, err := a.session(w, r)
	if !a.admit(w, r, token, err) {
		return
	}
	p, err := a.panel(r, s, token, err, next)
	if err != nil {
		a.trouble(w, r, err)
		return
	}
	a.page(w, http.StatusOK, "chat", p.Lang, a.words.in(p.Lang)("chat.title", "bot", a.o.BotName), p, "chat")
}

// admit counts a request and reports whether it may go on; otherwise it has
// answered. err is what session said.
func (a *Adapter) admit(w http.ResponseWriter, r *http.Request, token bot.Secret, err error) bool {
	switch {
	case err == nil:
		return !a.tooMany(w, r, a.limits.act(a.hash(token)))
	case lost(err):
		return !a.tooMany(w, r, a.limits.visit(a.address(r)))
	}
	a.trouble(w, r, err)
	return false
}

// lost reports whether an error says that there is no session any more.
func lost(err error) bool {
	return errors.Is(err, bot.ErrNotFound) || errors.Is(err, bot.ErrExpired) || errors.Is(err, bot.ErrSpent)
}

// trouble answers for an error of the house: nothing happened, a repeat may
// work.
func (a *Adapter) trouble(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() == nil {
		a.o.Log.Error("web: not done, the browser is told to try again", "route", r.Pattern, "err", err)
	}
	w.Header().Set("Retry-After", "2")
	a.problem(w, r, http.StatusServiceUnavailable, "busy")
}

// An act is something that a session does.
type act struct {
	*bot.WebSession
	token bot.Secret
	id    string // of this act, by the browser
	lang  string
}

// acting checks a POST before do gets it: the body, the session, the token
// against forged requests, the limit, and the id.
func (a *Adapter) acting(do func(http.ResponseWriter, *http.Request, *act)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !a.form(w, r) {
			return
		}
		s, token, err := a.session(w, r)
		if !a.admit(w, r, token, err) {
			return
		}
		if err != nil {
			a.problem(w, r, http.StatusForbidden, "over")
			return
		}
		if !a.checkCSRF(r, token) {
			a.problem(w, r, http.StatusForbidden, "stale")
			return
		}
		id := r.PostForm.Get("id")
		if !validID(id) {
			a.problem(w, r, http.StatusBadRequest, "unreadable")
			return
		}
		do(w, r, &act{s, token, id, a.language(r)})
	}
}

// form parses a POST as our forms and scripts send it. It answers by itself
// when it cannot.
func (a *Adapter) form(w http.ResponseWriter, r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		a.problem(w, r, http.StatusUnsupportedMediaType, "unreadable")
		return false
	}
	err = r.ParseForm()
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		a.problem(w, r, http.StatusRequestEntityTooLarge, "large")
	case err != nil:
		a.problem(w, r, http.StatusBadRequest, "unreadable")
	}
	return err == nil
}

// validID reports whether s may name an act: 8 to 64 letters, digits, - and _.
func validID(s string) bool {
	if len(s) < 8 || len(s) > 64 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// nextOf is where a browser without a script goes after a POST.
func nextOf(r *http.Request) string {
	next := cmp.Or(r.PostForm.Get("next"), r.URL.Query().Get("next"))
	switch {
	case framed(r):
		return embedPath
	case next == "/", next == deskPath:
		return next
	}
	return chatPath
}

// back answers an act that was done: a browser without a script goes to the
// conversation's end.
func (a *Adapter) back(w http.ResponseWriter, r *http.Request, query string) {
	if a.scripted(r) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(w, r, nextOf(r)+query+"#end", http.StatusSeeOther)
}

// do takes an event in and answers. In a browser that others use, too, the
// session ends with what it was for.
func (a *Adapter) do(w http.ResponseWriter, r *http.Request, c *act, ev bot.Event, query string) {
	var said *bot.Message
	var err error
	if c.Shared {
		ctx, cancel := a.whole(r)
		defer cancel()
		said, err = a.o.House.Answer(ctx, ev)
	} else {
		err = a.accept(r, ev)
	}
	switch {
	case errors.Is(err, bot.ErrEvent):
		a.problem(w, r, http.StatusBadRequest, "unreadable")
	case err != nil:
		a.trouble(w, r, err)
	case said != nil && farewell(said):
		a.finish(w, r, c)
	default:
		a.back(w, r, query)
	}
}

// farewell reports whether nothing is asked any more.
func farewell(m *bot.Message) bool {
	return m.Prompt == 0 && len(m.Choices) == 0 && m.Form == nil && m.Entry == nil
}

// finish ends the session of somebody who is done, on a computer that others
// use: nothing of them stays on the page.
func (a *Adapter) finish(w http.ResponseWriter, r *http.Request, c *act) {
	if err := a.end(w, r, c.token, c.Framed); err != nil {
		a.trouble(w, r, err)
		return
	}
	a.hub.over(c.Conversation)
	if a.scripted(r) {
		w.WriteHeader(http.StatusResetContent)
		return
	}
	http.Redirect(w, r, nextOf(r)+"?done=1", http.StatusSeeOther)
}

// stay is pressed, or sent by the page while somebody types, so that a session
// on a shared computer goes on. acting has noted the use.
func (a *Adapter) stay(w http.ResponseWriter, r *http.Request, _ *act) { a.back(w, r, "") }

// open begins the conversation, and a session when there is none.
func (a *Adapter) open(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	id := r.PostForm.Get("id")
	if !validID(id) {
		a.problem(w, r, http.StatusBadRequest, "unreadable")
		return
	}
	s, token, err := a.session(w, r)
	if !a.admit(w, r, token, err) {
		return
	}
	if err == nil && !a.checkCSRF(r, token) {
		a.back(w, r, "") // another tab was quicker
		return
	}
	if err != nil {
		fresh := a.stranger(w, r)
		if token, err = a.begin(w, r, fresh); err != nil {
			a.trouble(w, r, err)
			return
		}
		s = &fresh
	}
	// begun tells the page that there should be a cookie now.
	a.do(w, r, &act{s, token, id, a.language(r)}, a.event(s, id, bot.Open, a.language(r)), "?begun=1")
}

func (a *Adapter) say(w http.ResponseWriter, r *http.Request, c *act) {
	ev := a.event(c.WebSession, c.id, bot.Text, c.lang)
	ev.Text = chat.Clip(r.PostForm.Get("text"))
	a.do(w, r, c, ev, "")
}

func (a *Adapter) press(w http.ResponseWriter, r *http.Request, c *act) {
	ev := a.event(c.WebSession, c.id, bot.Press, c.lang)
	ev.Choice, ev.Prompt = r.PostForm.Get("choice"), prompt(r)
	a.do(w, r, c, ev, "")
}

func (a *Adapter) submit(w http.ResponseWriter, r *http.Request, c *act) {
	f, ok := reply(r)
	if !ok || c.Framed { // a framed chat takes nothing private: see oncePage
		a.problem(w, r, http.StatusBadRequest, "unreadable")
		return
	}
	ev := a.event(c.WebSession, c.id, bot.Submit, c.lang)
	ev.Form, ev.Prompt = f, prompt(r)
	a.do(w, r, c, ev, "")
}

// check says what is wrong with a form so far, while it is typed.
func (a *Adapter) check(w http.ResponseWriter, r *http.Request, c *act) {
	f, ok := reply(r)
	if !ok || c.Framed {
		a.problem(w, r, http.StatusBadRequest, "unreadable")
		return
	}
	found, err := a.o.House.TryForm(r.Context(), c.Conversation, f)
	if err != nil && !errors.Is(err, bot.ErrNotFound) {
		a.trouble(w, r, err)
		return
	}
	a.problems(w, found)
}

// problems tells a script what is wrong with a form so far.
func (a *Adapter) problems(w http.ResponseWriter, found []bot.FieldProblem) {
	type problem struct {
		Field string `json:"field"`
		Text  string `json:"text"`
	}
	list := make([]problem, 0, len(found))
	for _, p := range found {
		list = append(list, problem{p.Field, p.Text})
	}
	a.json(w, http.StatusOK, map[string]any{"problems": list})
}

// prompt is the number of the prompt that a button or form belonged to.
func prompt(r *http.Request) uint32 {
	n, _ := strconv.ParseUint(r.PostForm.Get("prompt"), 10, 32) // 0: unknown
	return uint32(n)
}

// maxFields is how many values a form may have.
const maxFields = 32

// reply reads what was entered in a private form: fields named f.<name>.
func reply(r *http.Request) (*bot.FormReply, bool) {
	f := &bot.FormReply{Name: r.PostForm.Get("form")}
	if f.Name == "" || len(f.Name) > 64 {
		return nil, false
	}
	for name, values := range r.PostForm {
		field, ok := strings.CutPrefix(name, "f.")
		if !ok {
			continue
		}
		if field == "" || len(field) > 64 || len(values) != 1 || len(f.Values) == maxFields {
			return nil, false
		}
		f.Values = append(f.Values, bot.FormValue{Name: field, Value: bot.Secret(values[0])})
	}
	return f, true
}

// show makes what a form shows once and shows it, with the field that confirms
// it. Nothing of it is in the conversation.
func (a *Adapter) show(w http.ResponseWriter, r *http.Request, c *act) {
	row, err := a.asked(r.Context(), c.Conversation)
	if err != nil {
		a.trouble(w, r, err)
		return
	}
	f := (*bot.Form)(nil)
	if row != nil {
		f = row.Message.Form
	}
	if f == nil || !f.Reveals || f.Name != r.PostForm.Get("form") || c.Framed {
		a.problem(w, r, http.StatusConflict, "earlier")
		return
	}
	shown, err := a.o.House.RevealForm(r.Context(), c.Conversation, f.Name)
	if err != nil {
		a.trouble(w, r, err)
		return
	}
	d := &codes{said: a.saidForm(row, a.hidden(r, c.token, nextOf(r))), Codes: make([]string, 0, len(shown))}
	for _, s := range shown {
		d.Codes = append(d.Codes, string(s))
	}
	lang := d.UI
	if a.scripted(r) {
		a.part(w, r, "chat_codes", lang, d)
		return
	}
	a.page(w, http.StatusOK, "chat_show", lang, f.Title, d, "chat")
}

// oncePage makes a one-time page of the message that is asked now: for what
// must not stand in this chat, or cannot safely be typed here.
func (a *Adapter) oncePage(w http.ResponseWriter, r *http.Request, c *act) {
	seq, _ := strconv.ParseInt(r.PostForm.Get("seq"), 10, 64)
	row, err := a.row(r.Context(), c.Conversation, seq)
	if err == nil && row.Message.Form != nil && row.Message.Reveal == nil {
		// A form belongs to the prompt that is open now; a picture may be older.
		var now *bot.OutboxRow
		if now, err = a.asked(r.Context(), c.Conversation); err == nil && (now == nil || now.Seq != seq) {
			err = bot.ErrNotFound
		}
	}
	if errors.Is(err, bot.ErrNotFound) || err == nil && (row.Message.Form == nil && row.Message.Reveal == nil || row.State == bot.OutboxRetracted) {
		a.problem(w, r, http.StatusConflict, "earlier")
		return
	}
	if err != nil {
		a.trouble(w, r, err)
		return
	}
	if f := row.Message.Form; f != nil && f.SignIn {
		// No link that could be sent to somebody else: whoever opens the window
		// signs in there, for the browser that it is in.
		a.window(w, r, c, a.rowLang(row, c.lang), SignInPath)
		return
	}
	row.Message.Heard = "" // it is about what came before
	token, _, err := a.o.Passes.NewLink(r.Context(), bot.Page{
		Conversation: c.Conversation, Channel: a.o.Channel, User: c.User, Message: row.Message,
	})
	if err != nil {
		a.trouble(w, r, err)
		return
	}
	a.window(w, r, c, a.rowLang(row, c.lang), string(LinkAddress("", token)))
}

// window leads to a page of ours that opens in a window of its own.
func (a *Adapter) window(w http.ResponseWriter, r *http.Request, c *act, lang, address string) {
	switch {
	case a.scripted(r):
		a.json(w, http.StatusOK, map[string]string{"url": address})
	case c.Framed:
		// A new window belongs to no site's page, so the embedded chat's cookie
		// is not there: the window must open at the page itself.
		a.page(w, http.StatusOK, "chat_link", lang, a.words.in(lang)("chat.page.title"), &link{address, nextOf(r)}, "chat")
	default:
		http.Redirect(w, r, address, http.StatusSeeOther)
	}
}

// leave ends the session: sign-out, or a new beginning.
func (a *Adapter) leave(w http.ResponseWriter, r *http.Request, c *act) {
	if err := a.end(w, r, c.token, c.Framed); err != nil {
		a.trouble(w, r, err)
		return
	}
	a.hub.over(c.Conversation)
	if c.Shared && !a.scripted(r) {
		http.Redirect(w, r, nextOf(r)+"?done=1", http.StatusSeeOther)
		return
	}
	a.back(w, r, "")
}

// row finds one message of a conversation.
func (a *Adapter) row(ctx context.Context, conv bot.ConversationID, seq int64) (*bot.OutboxRow, error) {
	if seq <= 0 {
		return nil, fmt.Errorf("web: message %d: %w", seq, bot.ErrNotFound)
	}
	rows, err := a.o.House.Said(ctx, conv, seq-1, pageRows)
	if err != nil {
		return nil, fmt.Errorf("web: read message %d: %w", seq, err)
	}
	if len(rows) == 0 || rows[0].Seq != seq {
		return nil, fmt.Errorf("web: message %d: %w", seq, bot.ErrNotFound)
	}
	return &rows[0], nil
}

// asked is the message that waits for an answer, or nil.
func (a *Adapter) asked(ctx context.Context, conv bot.ConversationID) (*bot.OutboxRow, error) {
	rows, err := a.o.House.Said(ctx, conv, 0, pageRows)
	if err != nil {
		return nil, fmt.Errorf("web: read the conversation: %w", err)
	}
	if i := question(rows); i >= 0 {
		return &rows[i], nil
	}
	return nil, nil
}

// revealed opens what a message shows besides its text.
func (a *Adapter) revealed(ctx context.Context, conv bot.ConversationID, seq int64) (*bot.Revealed, error) {
	row, err := a.row(ctx, conv, seq)
	if err != nil {
		return nil, err
	}
	if row.Message.Reveal == nil || row.State == bot.OutboxRetracted {
		return nil, fmt.Errorf("web: message %d shows nothing: %w", seq, bot.ErrNotFound)
	}
	return a.o.House.Reveal(ctx, *row.Message.Reveal)
}

// qr is the picture of a message.
func (a *Adapter) qr(w http.ResponseWriter, r *http.Request) {
	s, token, _, err := a.peek(r) // a picture that loads is no act of a person
	if !a.admit(w, r, token, err) {
		return
	}
	if err != nil {
		a.problem(w, r, http.StatusForbidden, "over")
		return
	}
	seq, _ := strconv.ParseInt(r.PathValue("seq"), 10, 64)
	x, err := a.revealed(r.Context(), s.Conversation, seq)
	switch {
	case errors.Is(err, bot.ErrNotFound) || err == nil && (x == nil || len(x.PNG) == 0) || a.o.QRPage:
		a.problem(w, r, http.StatusNotFound, "nowhere")
	case err != nil:
		a.trouble(w, r, err)
	default:
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(x.PNG)
	}
}
