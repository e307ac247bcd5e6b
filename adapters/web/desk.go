package web

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/bot"
)

// The web desk: where agents of the help desk see who waits, talk to people and
// send them back to the script.
//
// Whoever comes in is signed in for the web chat, is an agent, and has given a
// second factor within deskSecond, and used the desk within deskIdle since; each
// request asks anew. The second factor is the organisation's provider's where that
// is asked for one (Options.Second), else a code of a method of the agent's own,
// see desk_second.go. The demo has agents of one click and no second factor, on
// this machine only.
//
// Whoever is signed in and no agent finds nothing here, as at any address that
// there is not.
const (
	deskPath  = "/desk"
	agentPath = "/demo/agent"
	// cookieAgent is the demo's: there a visitor is a person in the chat and an
	// agent at the desk, in one browser.
	cookieAgent = "agent"
	deskSecond  = 12 * time.Hour
	deskIdle    = 30 * time.Minute
	deskUse     = time.Minute // how exactly the use of the desk is noted
	deskRows    = 200         // tickets of each list that are looked at
	deskClosed  = 20          // closed ones that are shown
)

// Desk is the help desk as its pages need it. All but Watch ask whether the one
// who acts is an agent; if not, the error is a *bot.DeskRefusal.
type Desk interface {
	// Seat says who a user of the web chat is at the desk. The error wraps
	// bot.ErrNotFound when nobody is signed in as that user.
	Seat(ctx context.Context, user string) (*bot.DeskSeat, error)
	// Colleagues lists the other agents that a ticket can be given to.
	Colleagues(ctx context.Context, by bot.PersonID) ([]bot.DeskSeat, error)
	// Queue lists open tickets, those that wait first, and the last closed ones;
	// steps are named in lang.
	Queue(ctx context.Context, by bot.PersonID, lang string, limit int) (open, closed []bot.DeskEntry, err error)
	View(ctx context.Context, by bot.PersonID, lang, ticket string) (*bot.DeskView, error)
	Do(ctx context.Context, a bot.DeskAct) error
	// Find lists people by a part of their name, user name or work address, at most
	// limit; Open gives the agent the ticket of one who calls.
	Find(ctx context.Context, by bot.PersonID, part string, limit int) ([]bot.Person, error)
	Open(ctx context.Context, by, person bot.PersonID) (ticket string, err error)
	// Figures are those of the last days, with steps named in lang. Only some agents
	// may see them.
	Figures(ctx context.Context, by bot.PersonID, lang string, days int) (*bot.DeskFigures, error)
	// Own lists the methods of an agent that open the desk. SendOwn sends a code to
	// one, and ProveOwn compares what was typed: after the outcome "ok" the session
	// has its second factor, and the token of p.Next.
	Own(ctx context.Context, p bot.DeskProof) ([]bot.DeskOwn, error)
	SendOwn(ctx context.Context, p bot.DeskProof) (bot.Outcome, error)
	ProveOwn(ctx context.Context, p bot.DeskProof) (bot.Outcome, error)
	// State is what the admin page shows, and Card what it shows of a person; Order
	// does something to one, and CloseToday closes the desk for the day. For admins.
	State(ctx context.Context, by bot.PersonID) (*bot.DeskState, error)
	Card(ctx context.Context, by, of bot.PersonID) (*bot.DeskCard, error)
	Order(ctx context.Context, o bot.DeskOrder) (*bot.DeskDone, error)
	CloseToday(ctx context.Context, by bot.PersonID, closed bool, why string) error
	// Here notes that an agent is at the desk.
	Here(ctx context.Context, by bot.PersonID) error
	// Campaigns lists them, the newest first; Campaign is one, with people of it; and
	// OrderCampaign does something with it. For admins. The error wraps bot.ErrNotFound
	// when there is none.
	Campaigns(ctx context.Context, by bot.PersonID, lang string) ([]bot.DeskCampaign, error)
	Campaign(ctx context.Context, by bot.PersonID, lang, id string, f bot.PartFilter) (*bot.DeskCampaign, error)
	OrderCampaign(ctx context.Context, o bot.CampaignOrder) (*bot.CampaignAnswer, error)
	CampaignReport(ctx context.Context, by bot.PersonID, id string) (*bot.CampaignReport, error)
	// CampaignForm is the form of a draft, or with an empty id that of a new one;
	// WriteCampaign stores it. A *bot.DeskRefusal names what is wrong in it.
	CampaignForm(ctx context.Context, by bot.PersonID, id string) (*bot.DeskCampaignForm, error)
	WriteCampaign(ctx context.Context, by bot.PersonID, id, seen string, f *bot.CampaignForm, edit bool) error
	// Watch gives the numbers of tickets that change from now on, until leave.
	Watch() (changed <-chan string, leave func())
}

func (a *Adapter) deskRoutes() {
	if a.o.Desk == nil {
		return
	}
	a.mux.HandleFunc("GET "+deskPath, a.deskQueue)
	a.mux.HandleFunc("GET "+deskPath+"/events", a.deskEvents)
	a.mux.HandleFunc("GET "+deskPath+"/people", a.deskPeople)
	a.mux.HandleFunc("POST "+deskPath+"/people", a.deskOpen)
	a.mux.HandleFunc("GET "+deskPath+"/figures", a.deskFigures)
	a.mux.HandleFunc("GET "+deskPath+"/figures.csv", a.deskFiguresCSV)
	a.mux.HandleFunc("GET "+deskPath+"/admin", a.deskAdmin)
	a.mux.HandleFunc("GET "+deskPath+"/admin/people", a.deskAdminPeople)
	a.mux.HandleFunc("POST "+deskPath+"/admin/{do}", a.deskOrder)
	a.mux.HandleFunc("GET "+campaignsPath, a.deskCampaigns)
	a.mux.HandleFunc("GET "+campaignsPath+"/new", a.deskCampaignForm)
	a.mux.HandleFunc("POST "+campaignsPath+"/new", a.deskCampaignWrite)
	a.mux.HandleFunc("GET "+campaignPath+"{campaign}", a.deskCampaign)
	a.mux.HandleFunc("GET "+campaignPath+"{campaign}/edit", a.deskCampaignForm)
	a.mux.HandleFunc("GET "+campaignPath+"{campaign}/report", a.deskCampaignReport)
	a.mux.HandleFunc("GET "+campaignPath+"{campaign}/report.csv", a.deskCampaignCSV)
	a.mux.HandleFunc("POST "+campaignPath+"{campaign}/{do}", a.deskCampaignOrder)
	a.mux.HandleFunc("GET "+deskPath+"/t/{ticket}", a.deskTicket)
	a.mux.HandleFunc("POST "+deskPath+"/t/{ticket}/{do}", a.deskAct)
	switch {
	case a.o.Device != nil:
		a.mux.HandleFunc("POST "+agentPath, a.beAgent)
	case a.ownCode():
		a.mux.HandleFunc("GET "+codePath, a.deskCode)
		a.mux.HandleFunc("POST "+codePath, a.deskProve)
	}
}

// A seat is an agent at the desk, with the browser that they sit at.
type seat struct {
	bot.DeskSeat
	*bot.WebSession
	token bot.Secret
	ends  time.Time
	lang  string
}

// Why a signed-in agent does not come in.
var errNoSecond = errors.New("web: no second factor, or too long ago")

// seated says who sits at the browser. quiet notes no use: for what a page does by
// itself. Errors: as session and Desk.Seat; errNoSecond.
func (a *Adapter) seated(r *http.Request, quiet bool) (*seat, error) {
	short := cookieSession
	if a.o.Device != nil {
		short = cookieAgent
	}
	st := &seat{token: bot.Secret(a.cookie(r, short)), lang: a.language(r)}
	if len(st.token) != tokenLen {
		st.token = ""
		return st, errNoSession
	}
	var err error
	if quiet {
		st.WebSession, st.ends, err = a.o.Passes.PeekSession(r.Context(), st.token)
	} else {
		st.WebSession, err = a.o.Passes.Session(r.Context(), st.token)
	}
	if err == nil && st.Framed {
		err = errOtherKind
	}
	if err != nil {
		return st, err
	}
	who, err := a.o.Desk.Seat(r.Context(), st.User)
	if err != nil {
		return st, err
	}
	st.DeskSeat = *who
	if a.o.Device != nil {
		return st, nil
	}
	now := a.o.Now().UTC()
	used := st.Desk
	if used.Before(st.Second) {
		used = st.Second
	}
	if st.Second.IsZero() || now.Sub(st.Second) > deskSecond || now.Sub(used) > deskIdle {
		return st, errNoSecond
	}
	if !quiet && now.Sub(used) > deskUse {
		s := *st.WebSession
		s.Desk = now
		err = a.o.Passes.SaveSession(r.Context(), st.token, s)
	}
	return st, err
}

// atDesk lets an agent in, or answers.
func (a *Adapter) atDesk(w http.ResponseWriter, r *http.Request) (*seat, bool) {
	st, err := a.seated(r, a.scripted(r) && r.Method == http.MethodGet)
	refused := new(bot.DeskRefusal)
	entered := err
	switch {
	case errors.As(err, &refused), errors.Is(err, errNoSecond):
		entered = nil // somebody with a session, for the limits
	}
	if !a.admit(w, r, st.token, entered) {
		return nil, false
	}
	switch {
	case err == nil:
		if r.Method == http.MethodGet { // what a form does, the desk notes itself
			a.atWork(r.Context(), st.Person)
		}
		return st, true
	case errors.As(err, &refused):
		a.problem(w, r, http.StatusNotFound, "nowhere")
	case a.scripted(r) || r.Method != http.MethodGet:
		a.problem(w, r, http.StatusForbidden, "desk_over")
	case a.o.Device != nil:
		http.Redirect(w, r, demoPath, http.StatusSeeOther)
	case !a.ownCode():
		http.Redirect(w, r, SecondPath+"&next="+deskPath, http.StatusSeeOther)
	case errors.Is(err, errNoSecond):
		http.Redirect(w, r, codeAddress(r.PathValue("ticket")), http.StatusSeeOther)
	default:
		http.Redirect(w, r, SignInPath+"?next="+deskPath, http.StatusSeeOther)
	}
	return nil, false
}

// deskForm reads a form of the desk from whoever is let in by at, by a page of ours.
// Not ok: the request is answered.
func (a *Adapter) deskForm(w http.ResponseWriter, r *http.Request, at func(http.ResponseWriter, *http.Request) (*seat, bool)) (*seat, bool) {
	if !a.form(w, r) {
		return nil, false
	}
	st, ok := at(w, r)
	if ok && !a.checkCSRF(r, st.token) {
		a.problem(w, r, http.StatusForbidden, "stale")
		ok = false
	}
	return st, ok
}

// deskPage answers with a page of the desk; a script gets what is inside.
func (a *Adapter) deskPage(w http.ResponseWriter, r *http.Request, code int, name, lang, title string, data any) {
	if !a.scripted(r) {
		a.page(w, code, name, lang, title, data, "desk")
		return
	}
	html, err := a.fragment(name, lang, data)
	if err != nil {
		a.trouble(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(html))
}

// A deskFrame is what all pages of the desk show.
type deskFrame struct {
	Title    string // of the page: with how many wait
	Me       string
	Demo     bool
	Agents   []Pretend // the demo's other ones
	CSRF     string
	Lang     string
	Watching string // the ticket, or empty
	Figures  bool   // they may be seen
}

// ID is a new key for one form.
func (deskFrame) ID() string { return newID() }

func (a *Adapter) deskFrame(st *seat) deskFrame {
	others := slices.DeleteFunc(slices.Clone(a.o.Agents), func(p Pretend) bool { return AgentUser(p.Username) == st.User })
	return deskFrame{Me: bot.Harmless(st.DeskSeat.Name), Demo: a.o.Device != nil, Agents: others, CSRF: a.csrf(st.token), Lang: st.lang, Figures: st.Figures}
}

// A deskRow is a ticket in the queue, in words.
type deskRow struct {
	ID, Who, Step, Error, Lang, Channel string
	At, Wait                            string // since when, and how long
	By                                  string
	Mine, Known                         bool
	Confirm                             bool // whoever looks is asked as the second agent
	Unread                              int
	Words                               string // closed: how it ended
	Due                                 string // the target that is missed, or will be soon
	Late                                bool   // it is missed
}

type deskQueue struct {
	deskFrame
	Query                  string
	Whose, Chat, Speaks    string // what is shown; empty: all
	Chats, Tongues         []deskChoice
	Filtered               bool
	Waiting, Taken, Closed []deskRow
	People                 []deskPerson // who may be meant, beside tickets
}

// shows reports whether the filters let a ticket through.
func (q *deskQueue) shows(by bot.PersonID, e *bot.DeskEntry) bool {
	switch {
	case !asksFor(q.Query, e), q.Chat != "" && q.Chat != string(e.Channel), q.Speaks != "" && q.Speaks != e.Lang:
		return false
	case q.Whose == "mine":
		return e.Agent == by
	case q.Whose == "new":
		return e.State == bot.TicketWaiting || e.Confirm || e.Unread > 0 && e.Agent == by
	case q.Whose == "due":
		return e.Due != nil
	}
	return true
}

// filters reads what is to be shown, and offers what there is to choose from.
func (a *Adapter) filters(q *deskQueue, r *http.Request, st *seat, all []bot.DeskEntry) {
	v := r.URL.Query()
	q.Whose, q.Chat, q.Speaks = v.Get("whose"), v.Get("chat"), v.Get("speaks")
	if !slices.Contains([]string{"mine", "new", "due"}, q.Whose) {
		q.Whose = ""
	}
	chats, tongues := map[string]string{}, map[string]string{}
	for i := range all {
		if c := all[i].Channel; c != "" {
			chats[string(c)] = bot.PlatformName(a.o.Phrases, st.lang, c)
		}
		if l := all[i].Lang; l != "" {
			tongues[l] = a.tongue(st.lang, l)
		}
	}
	q.Chats, q.Tongues = choices(chats), choices(tongues)
	if _, there := chats[q.Chat]; !there {
		q.Chat = ""
	}
	if _, there := tongues[q.Speaks]; !there {
		q.Speaks = ""
	}
	q.Filtered = q.Query != "" || q.Whose != "" || q.Chat != "" || q.Speaks != ""
}

// choices are values with their labels, by label.
func choices(labels map[string]string) (list []deskChoice) {
	for value, label := range labels {
		list = append(list, deskChoice{value, label})
	}
	slices.SortFunc(list, func(a, b deskChoice) int { return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.Value, b.Value)) })
	return list
}

// withCount puts a number before a title when there is something to do.
func withCount(n int, title string) string {
	if n == 0 {
		return title
	}
	return "(" + strconv.Itoa(n) + ") " + title
}

func (a *Adapter) deskQueue(w http.ResponseWriter, r *http.Request) {
	st, ok := a.atDesk(w, r)
	if !ok {
		return
	}
	open, closed, err := a.o.Desk.Queue(r.Context(), st.Person, st.lang, deskRows)
	if err != nil {
		a.deskTrouble(w, r, err)
		return
	}
	t := a.words.in(st.lang)
	q := &deskQueue{deskFrame: a.deskFrame(st), Query: bot.Harmless(strings.TrimSpace(r.URL.Query().Get("q")))}
	if len(q.Query) > 100 {
		q.Query = ""
	}
	a.filters(q, r, st, slices.Concat(open, closed))
	if utf8.RuneCountInString(q.Query) >= leastSearch { // somebody calls: the person first
		if q.People, _, err = a.findPeople(r.Context(), st, q.Query, fewPeople); err != nil {
			a.deskTrouble(w, r, err)
			return
		}
	}
	todo := 0
	for i := range open {
		e := &open[i]
		if e.Confirm {
			todo++
		}
		switch {
		case e.State == bot.TicketWaiting:
			todo++
		case e.Agent == st.Person:
			todo += e.Unread
		}
		if !q.shows(st.Person, e) {
			continue
		}
		if row := a.deskRow(st, e); e.State == bot.TicketWaiting {
			q.Waiting = append(q.Waiting, row)
		} else {
			q.Taken = append(q.Taken, row)
		}
	}
	for i := range closed {
		if len(q.Closed) < deskClosed && q.shows(st.Person, &closed[i]) {
			q.Closed = append(q.Closed, a.deskRow(st, &closed[i]))
		}
	}
	q.Title = withCount(todo, t("desk.title"))
	a.deskPage(w, r, http.StatusOK, "desk_queue", st.lang, q.Title, q)
}

// asksFor reports whether a search means a ticket: by its number or the person's
// name.
func asksFor(query string, e *bot.DeskEntry) bool {
	plain := func(s string) string { return strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(s)) }
	q := plain(query)
	return q == "" || strings.Contains(plain(e.ID), q) || strings.Contains(plain(e.Who), q)
}

func (a *Adapter) deskRow(st *seat, e *bot.DeskEntry) deskRow {
	t, now := a.words.in(st.lang), a.o.Now()
	row := deskRow{
		ID: e.ID, Who: e.Who, Known: e.Who != "", Step: e.Title, Error: bot.ErrorWords(a.o.Phrases, st.lang, e.Error), Lang: a.tongue(st.lang, e.Lang), Channel: bot.PlatformName(a.o.Phrases, st.lang, e.Channel),
		By: e.By, Mine: e.Agent == st.Person, Unread: e.Unread, Confirm: e.Confirm,
	}
	if row.Who == "" {
		row.Who = t("desk.nobody")
	}
	if e.Due != nil {
		key := "desk.due." + e.Due.Target
		if row.Late = e.Due.Late; row.Late {
			key += ".late"
		}
		row.Due = t(key, "due", when(e.Due.At.Local(), now.Local()))
	}
	since := e.WaitsSince
	switch {
	case e.State == bot.TicketTaken:
		since = e.TakenAt
	case !e.State.Open():
		since = e.ClosedAt
		row.Words = t("desk.state." + e.How())
	}
	if !since.IsZero() {
		row.At, row.Wait = since.UTC().Format(time.RFC3339), bot.Wait(a.o.Phrases, st.lang, max(0, now.Sub(since)))
	}
	return row
}

// frozenWords says that an account is frozen, and by whom where that is known.
func (a *Adapter) frozenWords(lang, by string) string {
	key := "desk.person.frozen"
	if by != "" {
		key += "." + by
	}
	return a.words.in(lang)(key)
}

// plainCode is a code as people read it.
func plainCode(code string) string { return strings.ReplaceAll(code, "_", " ") }

// tongue names a language of ours.
func (a *Adapter) tongue(lang, of string) string {
	if l, ok := a.known(of); ok {
		if name := a.words.in(lang)("desk.lang." + l); !strings.HasPrefix(name, "<") {
			return name
		}
	}
	return of
}

// A deskLine is a line of the dialogue, in words.
type deskLine struct {
	No       int64
	Class    string // "person", "agent", "note" or "event"
	By, Text string
	At, When string
	Undo     int    // for how many milliseconds it can be taken back; 0: it cannot
	Undone   string // what has become of it where it was taken back
}

// A deskStop is a step on the person's way through the script.
type deskStop struct {
	Title string
	Stuck bool // where they asked for help
	Now   bool // where they are
}

// A deskChoice is an entry of a list to choose from.
type deskChoice struct{ Value, Label string }

type deskTicket struct {
	deskFrame
	View       *bot.DeskView
	Number     string
	Revision   int64
	State      string // a word of ours
	StateWords string
	Who, Kind  string
	Known      bool
	Stopped    []string
	Methods    []string
	Channel    string
	Tongue     string
	Error      string
	Tries      string // how many codes were wrong; empty: none
	Earlier    []deskRow
	Lines      []deskLine
	Failed     int
	Back, To   []deskChoice
	Path       []deskStop
	Others     []string // who looks at it beside whoever looks
	Anyway     bool     // what is typed was refused since something had happened: it can be sent all the same
	Can        map[string]bool
	Alert      string
	Caller     *deskCaller       // nil: nothing is to be shown of who calls
	Typed      map[string]string // what was typed in a form that was refused, by what it was to do
	Reply      *bot.DeskReply    // the canned reply that stands in what is typed; nil: none
}

func (a *Adapter) deskTicket(w http.ResponseWriter, r *http.Request) {
	if st, ok := a.atDesk(w, r); ok {
		a.showTicket(w, r, st, http.StatusOK, "", nil)
	}
}

// showTicket shows one ticket; alert says why an act was refused, and typed what
// stood in its form.
func (a *Adapter) showTicket(w http.ResponseWriter, r *http.Request, st *seat, code int, alert string, typed map[string]string) {
	v, err := a.o.Desk.View(r.Context(), st.Person, st.lang, r.PathValue("ticket"))
	if err != nil {
		a.deskTrouble(w, r, err)
		return
	}
	others, err := a.o.Desk.Colleagues(r.Context(), st.Person)
	if err != nil {
		a.deskTrouble(w, r, err)
		return
	}
	d := a.ticketPage(st, v, others)
	d.Alert, d.Typed = alert, typed
	if typed["stale"] != "" && typed["say"] != "" && len(v.Lines) > 0 {
		last := &v.Lines[len(v.Lines)-1]
		who := last.By
		if last.Kind == bot.LinePerson {
			who = a.words.in(st.lang)("desk.line.person")
		}
		if d.Anyway = true; who != "" && (!v.Mine || who != v.Agent) {
			ago := max(time.Second, a.o.Now().Sub(last.At))
			d.Alert = a.words.in(st.lang)("desk.anyway", "who", who, "ago", bot.Wait(a.o.Phrases, st.lang, ago))
		}
	}
	if id, picked := typed["reply"]; picked {
		if d.Reply = canned(v, id); d.Reply != nil {
			typed["say"] = withReply(typed["say"], d.Reply, v.Replies)
		} else {
			code, d.Alert = http.StatusConflict, a.words.in(st.lang)("desk.reply.gone")
		}
	}
	a.deskPage(w, r, code, "desk_ticket", st.lang, d.Title, d)
}

// canned is a canned reply by its id; nil: it is not offered for this ticket now.
func canned(v *bot.DeskView, id string) *bot.DeskReply {
	i := slices.IndexFunc(v.Replies, func(r bot.DeskReply) bool { return r.ID == id })
	if i < 0 {
		return nil
	}
	return &v.Replies[i]
}

// withReply puts a canned reply behind what is typed. One that was put in before
// and has not been edited makes room.
func withReply(typed string, r *bot.DeskReply, all []bot.DeskReply) string {
	typed = strings.TrimRight(typed, " \n")
	for i := range all {
		if old := all[i].Text; strings.HasSuffix(typed, old) {
			typed = strings.TrimRight(strings.TrimSuffix(typed, old), " \n")
			break
		}
	}
	if typed == "" {
		return r.Text
	}
	return typed + "\n" + r.Text
}

func (a *Adapter) ticketPage(st *seat, v *bot.DeskView, others []bot.DeskSeat) *deskTicket {
	t := a.words.in(st.lang)
	q := &v.Ticket
	d := &deskTicket{
		deskFrame: a.deskFrame(st), View: v, Number: q.ID, Revision: q.Revision, State: q.State.String(), Who: t("desk.nobody"),
		Channel: bot.PlatformName(a.o.Phrases, st.lang, v.Channel), Tongue: a.tongue(st.lang, q.Lang), Error: bot.ErrorWords(a.o.Phrases, st.lang, q.Error), Failed: len(v.Failed),
	}
	d.Watching = q.ID
	if v.Device != "" {
		d.Channel = strings.TrimPrefix(d.Channel+", "+v.Device, ", ")
	}
	if v.Tries > 0 {
		d.Tries = strconv.Itoa(v.Tries)
	}
	for i := range v.Earlier {
		d.Earlier = append(d.Earlier, a.deskRow(st, &v.Earlier[i]))
	}
	d.StateWords = t("desk.state."+q.How(), "agent", v.Agent)
	if p := v.Person; p != nil {
		d.Known, d.Who = true, bot.Harmless(p.Name)
		kind := p.Kind
		if kind == "" {
			kind = bot.Staff
		}
		d.Kind = t("desk.kind." + string(kind))
		if !p.FrozenAt.IsZero() {
			d.Stopped = append(d.Stopped, a.frozenWords(st.lang, v.FrozenBy))
		}
		if p.Disabled || !p.StoppedAt.IsZero() {
			d.Stopped = append(d.Stopped, t("desk.person.disabled"))
		}
	}
	for _, m := range v.Methods {
		if m.State != bot.Active && m.State != bot.Suspended {
			continue
		}
		line := a.o.Phrases.Phrase(st.lang, "method."+string(m.Kind))
		if m.Label != "" {
			line += " " + bot.Harmless(m.Label)
		}
		if m.State == bot.Suspended {
			line += " (" + t("desk.method.suspended") + ")"
		}
		d.Methods = append(d.Methods, line)
	}
	unread := 0
	for i := range v.Lines {
		l := a.deskLine(st, &v.Lines[i])
		switch l.Class {
		case "person":
			unread++
		case "agent":
			unread = 0
		}
		d.Lines = append(d.Lines, l)
	}
	if !v.Mine {
		unread = 0
	}
	d.Title = withCount(unread, t("desk.ticket", "ticket", q.ID)+" "+d.Who)
	for _, s := range v.Steps {
		d.Back = append(d.Back, deskChoice{s.Flow + " " + s.Step, s.Title})
	}
	for i, s := range v.Path {
		d.Path = append(d.Path, deskStop{Title: s.Title, Stuck: s.Flow == q.Flow && s.Step == q.Step, Now: i == len(v.Path)-1})
	}
	d.Others = a.presence.others(q.ID, st.Person)
	slices.Reverse(d.Back) // the newest first
	for _, o := range others {
		d.To = append(d.To, deskChoice{string(o.Person), bot.Harmless(o.Name)})
	}
	d.Caller = a.deskCaller(st, v)
	open := q.State.Open()
	d.Can = map[string]bool{
		"take": q.State == bot.TicketWaiting || q.State == bot.TicketTaken && q.Agent == bot.OutsideAgent, "say": v.Chat && (v.Mine || q.State == bot.TicketWaiting), "note": true,
		"back": v.Mine && v.Chat && v.Talks, "requeue": v.Mine, "transfer": v.Mine && len(d.To) > 0,
		"solve": open && (v.Mine || q.State == bot.TicketWaiting), "reopen": !open,
	}
	return d
}

func (a *Adapter) deskLine(st *seat, l *bot.DeskLine) deskLine {
	t := a.words.in(st.lang)
	v := deskLine{
		No: l.No, Class: [...]string{"person", "agent", "note", "event"}[min(l.Kind, bot.LineEvent)], By: l.By, Text: l.Text,
		At: l.At.UTC().Format(time.RFC3339), When: when(l.At.Local(), a.o.Now().Local()),
	}
	if left := l.UndoUntil.Sub(a.o.Now()); left > 0 {
		v.Undo = int(left.Milliseconds())
	}
	if l.Undo != "" {
		v.Undone = t("desk.line." + l.Undo)
	}
	if l.Kind != bot.LineEvent {
		return v
	}
	code, by, due := l.Code, l.By, ""
	switch code {
	case "answer_due", "solve_due":
		if at, err := time.Parse(time.RFC3339, l.Text); err == nil {
			due = when(at.Local(), a.o.Now().Local())
		}
	case "rated":
		code += "." + l.Text
	case "requeued":
		if by == "" {
			code += ".silent"
		}
	}
	if v.Text = t("desk.event."+code, "agent", by, "due", due, "to", l.Text); strings.HasPrefix(v.Text, "<") {
		v.Text = plainCode(l.Code)
	}
	v.By = ""
	return v
}

// deskActs are those that a form may ask for, with whether it types a text.
var deskActs = map[string]bool{
	"take": false, "say": true, "note": true, "transfer": false, "requeue": false, "back": false, "solve": false, "reopen": false, "undo": false,
	"verify": true, "heard": true, "confirm": true, "decline": true, "expire": true, "again": true, "unfreeze": true, "reply": true,
}

// deskAct does what an agent does with a ticket.
func (a *Adapter) deskAct(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	st, ok := a.atDesk(w, r)
	if !ok {
		return
	}
	do := r.PathValue("do")
	types, known := deskActs[do]
	switch {
	case !known:
		a.problem(w, r, http.StatusNotFound, "nowhere")
		return
	case !a.checkCSRF(r, st.token):
		a.problem(w, r, http.StatusForbidden, "stale")
		return
	}
	if do == "reply" { // nothing is done yet: the page comes again with it
		a.showTicket(w, r, st, http.StatusOK, "", map[string]string{"say": typedText(r), "reply": r.PostForm.Get("reply")})
		return
	}
	revision, err := strconv.ParseInt(r.PostForm.Get("rev"), 10, 64)
	key := r.PostForm.Get("id")
	if err != nil || revision < 1 || !validID(key) {
		a.problem(w, r, http.StatusBadRequest, "unreadable")
		return
	}
	act := bot.DeskAct{Key: key, AgentAct: bot.AgentAct{Ticket: r.PathValue("ticket"), By: st.Person, Revision: revision, Do: do}}
	switch do {
	case "back":
		act.Flow, act.Step, _ = strings.Cut(r.PostForm.Get("step"), " ")
	case "undo":
		act.Undo, _ = strconv.ParseInt(r.PostForm.Get("line"), 10, 64)
		act.Revision = 0 // it hurries, and whatever has happened since changes nothing about it
	case "transfer":
		act.To = bot.PersonID(r.PostForm.Get("to"))
	case "verify":
		what, method, _ := strings.Cut(r.PostForm.Get("what"), " ")
		way, target, _ := strings.Cut(r.PostForm.Get("way"), " ")
		act.Act, act.Method, act.Way, act.Target = what, bot.MethodID(method), bot.CheckWay(way), target
	case "heard", "confirm", "decline":
		act.Check = r.PostForm.Get("check")
	case "expire", "again":
		act.Method = bot.MethodID(r.PostForm.Get("method"))
	}
	if stepUp[do] && !a.freshSecond(st) {
		a.showTicket(w, r, st, http.StatusUnauthorized, a.words.in(st.lang)("desk.step_up"), map[string]string{do: r.PostForm.Get("text"), "step_up": a.secondAgain(r.PathValue("ticket"))})
		return
	}
	typed := map[string]string{}
	if types {
		act.Text = typedText(r)
		typed[do] = act.Text
	}
	if do == "verify" {
		typed["what"], typed["way"] = r.PostForm.Get("what"), r.PostForm.Get("way")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), acceptTime)
	defer cancel()
	refused := new(bot.DeskRefusal)
	switch err := a.o.Desk.Do(ctx, act); {
	case errors.As(err, &refused) && refused.Code != bot.DeskNotAgent && refused.Code != bot.DeskNoTicket:
		if refused.Code == "stale" {
			typed["stale"] = "1"
		}
		a.showTicket(w, r, st, http.StatusConflict, a.refusedWords(st.lang, refused), typed)
	case errors.Is(err, bot.ErrEvent):
		a.problem(w, r, http.StatusBadRequest, "unreadable")
	case err != nil:
		a.deskTrouble(w, r, err)
	default:
		http.Redirect(w, r, deskPath+"/t/"+act.Ticket+"#"+cmp.Or(goesOnAt[do], "end"), http.StatusSeeOther)
	}
}

// goesOnAt is where on the page of a ticket an agent goes on after an act.
var goesOnAt = map[string]string{
	"take": "say", "reopen": "say", "say": "say", "undo": "say", "note": "note", "verify": "caller", "heard": "caller", "confirm": "caller", "decline": "caller",
	"expire": "do", "again": "do", "unfreeze": "do",
}

// typedText is the text of a form.
func typedText(r *http.Request) string {
	return strings.ReplaceAll(r.PostForm.Get("text"), "\r\n", "\n")
}

// refusedWords says why an act was refused.
func (a *Adapter) refusedWords(lang string, refused *bot.DeskRefusal) string {
	if refused.Text != "" {
		return refused.Text
	}
	t, key := a.words.in(lang), "desk.refused."+refused.Code
	if refused.Who != "" {
		if s := t(key+".who", "who", refused.Who); !strings.HasPrefix(s, "<") {
			return s
		}
	}
	if s := t(key, "most", strconv.Itoa(refused.Most)); !strings.HasPrefix(s, "<") {
		return s
	}
	return t("desk.refused.other")
}

// deskTrouble answers for an error of the desk: whoever is no agent any more, and
// who looks for a ticket that there is not, find nothing.
func (a *Adapter) deskTrouble(w http.ResponseWriter, r *http.Request, err error) {
	if refused := new(bot.DeskRefusal); errors.As(err, &refused) {
		a.problemFor(w, r, http.StatusNotFound, "nowhere", refused.Code == bot.DeskNoTicket) // only agents learn that
		return
	}
	a.trouble(w, r, err)
}

// beAgent makes the demo's visitor one of its agents, in this browser.
func (a *Adapter) beAgent(w http.ResponseWriter, r *http.Request) {
	if !a.form(w, r) {
		return
	}
	if wait := a.limits.visit(a.address(r)); wait > 0 {
		a.tooMany(w, r, wait)
		return
	}
	i := slices.IndexFunc(a.o.Agents, func(p Pretend) bool { return p.Username == r.PostForm.Get("who") })
	if i < 0 {
		a.problem(w, r, http.StatusNotFound, "nowhere")
		return
	}
	user := AgentUser(a.o.Agents[i].Username)
	s := bot.WebSession{Conversation: a.conversation(user), User: user, Name: a.o.Agents[i].Name, Started: a.o.Now().UTC()}
	token, err := a.o.Passes.BeginSession(r.Context(), s)
	if err != nil {
		a.trouble(w, r, err)
		return
	}
	if old := bot.Secret(a.cookie(r, cookieAgent)); len(old) == tokenLen { // who was here before
		if err := a.o.Passes.EndSession(r.Context(), old); err != nil {
			a.trouble(w, r, err)
			return
		}
	}
	a.setCookie(w, cookieAgent, string(token), a.o.Policy.SessionLife, false)
	http.Redirect(w, r, deskPath, http.StatusSeeOther)
}

// AgentUser is the user of the web chat that one of the demo's agents is.
func AgentUser(username string) string { return agentUser + username }

const agentUser = "agent-"

// forDesk reports whether a session is one of the demo's agents, which has no chat.
func (a *Adapter) forDesk(s *bot.WebSession) bool {
	return a.o.Device != nil && strings.HasPrefix(s.User, agentUser)
}
