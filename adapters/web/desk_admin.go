package web

import (
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

// The admin page, for admins of the desk: what is configured and how it does, who
// is an agent, and what operators do to one person. Each order is shown first, as
// what it would do, and done by a second press; it needs a reason and a second
// factor of the last minutes.

const adminPath = deskPath + "/admin"

type deskAdmin struct {
	deskFrame
	*bot.DeskState
	Groups  []deskGroup
	Ways    []deskSwitch
	Health  []deskHealth
	Members []deskMember
	Tongues string
	Alert   string
	Again   string // where a second factor is shown anew; empty: it need not be
}

// A deskGroup is settings of the file under a title.
type deskGroup struct {
	Title    string
	Settings []bot.DeskSetting
}

type deskSwitch struct {
	Name string
	On   bool
	Key  string
}

type deskHealth struct {
	Name, Text string
	OK         bool
}

type deskMember struct {
	ID, Name, Role, Since, By, Why string
	Off                            bool
}

// deskAdmin shows the page. Who is no admin finds none.
func (a *Adapter) deskAdmin(w http.ResponseWriter, r *http.Request) {
	if st, ok := a.atDesk(w, r); ok {
		a.showAdmin(w, r, st, http.StatusOK, "", "")
	}
}

func (a *Adapter) showAdmin(w http.ResponseWriter, r *http.Request, st *seat, code int, alert, again string) {
	s, err := a.o.Desk.State(r.Context(), st.Person)
	if err != nil {
		a.deskTrouble(w, r, err)
		return
	}
	t := a.words.in(st.lang)
	d := &deskAdmin{deskFrame: a.deskFrame(st), DeskState: s, Alert: alert, Again: again}
	d.Title = t("desk.admin")
	for _, group := range []string{"contact", "hours", "texts"} {
		g := deskGroup{Title: t("desk.admin." + group)}
		for _, x := range s.Settings {
			if x.Group == group {
				g.Settings = append(g.Settings, x)
			}
		}
		d.Groups = append(d.Groups, g)
	}
	for _, m := range s.Methods {
		d.Ways = append(d.Ways, deskSwitch{t("desk.admin.method." + m.Name), m.On, m.Key})
	}
	for _, c := range s.Channels {
		d.Health = append(d.Health, deskHealth{a.channelName(st.lang, c.ID), bot.Harmless(c.Text), c.OK})
	}
	for _, m := range s.Members {
		name := bot.Harmless(m.Name)
		if m.Person == bot.OutsideAgent {
			name = a.o.Phrases.Phrase(st.lang, "desk.outside")
		}
		d.Members = append(d.Members, deskMember{string(m.Person), name, t("desk.role." + string(m.Role)), m.At.Local().Format(time.DateOnly), a.decider(st.lang, m.By), bot.Harmless(m.Why), m.Off})
	}
	var tongues []string
	for _, l := range s.Languages {
		tongues = append(tongues, a.tongue(st.lang, l))
	}
	d.Tongues = strings.Join(tongues, ", ")
	a.deskPage(w, r, code, "desk_admin", st.lang, d.Title, d)
}

// channelName names a channel, with the account of a platform that has one.
func (a *Adapter) channelName(lang string, id bot.ChannelID) string {
	name := bot.PlatformName(a.o.Phrases, lang, id)
	if _, account, ok := strings.Cut(string(id), "-"); ok && name != string(id) {
		name += " (" + account + ")"
	}
	return name
}

// decider names who has made somebody an agent.
func (a *Adapter) decider(lang, by string) string {
	if name, ok := strings.CutPrefix(by, "operator:"); ok {
		return a.words.in(lang)("desk.admin.operator", "name", bot.Harmless(name))
	}
	return bot.Harmless(by)
}

type deskAdminPeople struct {
	deskFrame
	Query  string
	Asked  bool
	People []deskPerson
	More   bool
	Card   *bot.DeskCard
	Name   string
	Facts  []string
	Own    []deskChoice // chat accounts
	Doings []deskDoing
	Roles  []deskChoice
	Alert  string
	Again  string
	// What would be done, or was.
	Told  []string
	Order *bot.DeskOrder // nil: nothing was asked for
	Words string         // of the order
}

// A deskDoing is something that can be done to a person.
type deskDoing struct{ Do, Label, Text string }

// deskAdminPeople finds somebody, and shows what is known of one person.
func (a *Adapter) deskAdminPeople(w http.ResponseWriter, r *http.Request) {
	st, ok := a.atDesk(w, r)
	if !ok {
		return
	}
	d := &deskAdminPeople{deskFrame: a.deskFrame(st), Query: bot.Harmless(strings.TrimSpace(r.URL.Query().Get("q")))}
	a.showPeople(w, r, st, http.StatusOK, d, bot.PersonID(r.URL.Query().Get("p")))
}

// doings are what can be done to a person in their state.
func doings(c *bot.DeskCard) (list []string) {
	p := &c.Person
	if p.FrozenAt.IsZero() {
		list = append(list, "freeze")
	} else {
		list = append(list, "unfreeze")
	}
	list = append(list, "sign-out")
	if len(c.Accounts) > 0 {
		list = append(list, "unlink")
	}
	if p.StoppedAt.IsZero() {
		list = append(list, "disable")
	} else {
		list = append(list, "enable")
	}
	return append(list, "erase")
}

func (a *Adapter) showPeople(w http.ResponseWriter, r *http.Request, st *seat, code int, d *deskAdminPeople, of bot.PersonID) {
	t := a.words.in(st.lang)
	d.Title = t("desk.admin.people")
	var err error
	switch n := utf8.RuneCountInString(d.Query); {
	case of != "":
		d.Card, err = a.o.Desk.Card(r.Context(), st.Person, of)
		if errors.Is(err, bot.ErrNotFound) {
			d.Card, err = nil, nil // erased, perhaps just now
		}
	default: // who is no admin learns of nobody
		if _, err = a.o.Desk.State(r.Context(), st.Person); err == nil && n >= leastSearch && n <= 100 {
			d.Asked = true
			d.People, d.More, err = a.findPeople(r.Context(), st, d.Query, foundPeople)
		}
	}
	if err != nil {
		a.deskTrouble(w, r, err)
		return
	}
	if c := d.Card; c != nil {
		p := &c.Person
		d.Name = bot.Harmless(p.Name)
		d.Facts = append(d.Facts, t("desk.admin.login", "name", bot.Harmless(p.Username)), t("desk.admin.id", "id", bot.Harmless(string(p.ID))))
		if !p.FrozenAt.IsZero() {
			d.Facts = append(d.Facts, a.frozenWords(st.lang, c.FrozenBy))
		}
		if p.Disabled || !p.StoppedAt.IsZero() {
			d.Facts = append(d.Facts, t("desk.person.disabled"))
		}
		if c.Agent != nil {
			d.Facts = append(d.Facts, t("desk.role."+string(c.Agent.Role)))
		}
		for _, m := range c.Methods {
			if m.State == bot.Active || m.State == bot.Suspended {
				d.Facts = append(d.Facts, strings.TrimSpace(a.o.Phrases.Phrase(st.lang, "method."+string(m.Kind))+" "+bot.Harmless(m.Label)))
			}
		}
		on := map[bot.ChannelID]int{}
		for _, id := range c.Accounts {
			on[id.Channel]++
		}
		for _, id := range c.Accounts {
			label := t("desk.admin.linked", "where", a.channelName(st.lang, id.Channel), "when", when(id.LinkedAt.Local(), a.o.Now().Local()))
			if on[id.Channel] > 1 { // they must be told apart
				label += " (" + bot.Harmless(id.User) + ")"
			}
			d.Own = append(d.Own, deskChoice{string(id.Channel) + " " + id.User, label})
		}
		if p.ID != st.Person {
			for _, do := range doings(c) {
				d.Doings = append(d.Doings, deskDoing{do, t("desk.order." + do), t("desk.order." + do + ".text")})
			}
		}
		for _, role := range bot.Roles() {
			d.Roles = append(d.Roles, deskChoice{string(role), t("desk.role." + string(role))})
		}
	}
	a.deskPage(w, r, code, "desk_admin_people", st.lang, d.Title, d)
}

// deskOrders are those that a form may ask for.
var deskOrders = []string{"freeze", "unfreeze", "sign-out", "disable", "enable", "unlink", "erase", "grant", "revoke"}

// deskOrder shows what an order would do, or does it.
func (a *Adapter) deskOrder(w http.ResponseWriter, r *http.Request) {
	st, ok := a.deskForm(w, r, a.atDesk)
	if !ok {
		return
	}
	t, f := a.words.in(st.lang), r.PostForm
	do := r.PathValue("do")
	o := bot.DeskOrder{By: st.Person, Person: bot.PersonID(f.Get("who")), Do: do, Why: bot.Harmless(strings.TrimSpace(f.Get("why"))), Dry: f.Get("sure") != "1", Listed: f.Get("listed") == "1", Role: bot.Role(f.Get("role"))}
	channel, user, _ := strings.Cut(f.Get("account"), " ")
	o.Channel, o.User = bot.ChannelID(channel), user
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), acceptTime)
	defer cancel()
	refused := new(bot.DeskRefusal)
	if do == "close" || do == "open" {
		if !a.freshSecond(st) {
			a.showAdmin(w, r, st, http.StatusUnauthorized, t("desk.step_up"), a.secondAgain(""))
			return
		}
		switch err := a.o.Desk.CloseToday(ctx, st.Person, do == "close", o.Why); {
		case errors.As(err, &refused) && refused.Code != bot.DeskNotAgent:
			a.showAdmin(w, r, st, http.StatusConflict, a.refusedWords(st.lang, refused), "")
		case err != nil:
			a.deskTrouble(w, r, err)
		default:
			http.Redirect(w, r, adminPath, http.StatusSeeOther)
		}
		return
	}
	if !slices.Contains(deskOrders, do) {
		a.problem(w, r, http.StatusNotFound, "nowhere")
		return
	}
	d := &deskAdminPeople{deskFrame: a.deskFrame(st), Order: &o, Words: t("desk.order." + do)}
	if !o.Dry && !a.freshSecond(st) {
		d.Alert, d.Again, d.Order = t("desk.step_up"), a.secondAgain(""), nil
		a.showPeople(w, r, st, http.StatusUnauthorized, d, o.Person)
		return
	}
	done, err := a.o.Desk.Order(ctx, o)
	switch {
	case errors.As(err, &refused) && refused.Code != bot.DeskNotAgent:
		d.Alert, d.Order = a.refusedWords(st.lang, refused), nil
		a.showPeople(w, r, st, http.StatusConflict, d, o.Person)
		return
	case err != nil:
		a.deskTrouble(w, r, err)
		return
	}
	if done.Already {
		d.Told = append(d.Told, t("desk.order.already"))
	}
	if done.Role != "" {
		d.Told = append(d.Told, t("desk.order.role.had", "role", t("desk.role."+string(done.Role))))
	}
	if do == "grant" {
		d.Told = append(d.Told, t("desk.order.role.gets", "role", t("desk.role."+string(o.Role))))
	}
	if done.Shut {
		d.Told = append(d.Told, t("desk.order.shut"))
	}
	for _, c := range done.Counts {
		if c.N > 0 {
			d.Told = append(d.Told, t("desk.count."+c.What, "n", strconv.Itoa(c.N)))
		}
	}
	if done.Request != "" && !o.Dry {
		d.Told = append(d.Told, t("desk.order.request", "ticket", done.Request))
	}
	if !done.Lapse.IsZero() {
		d.Told = append(d.Told, t("desk.order.lapse", "day", done.Lapse.Local().Format(time.DateOnly)))
	}
	d.Name = bot.Harmless(done.Person.Name)
	a.showPeople(w, r, st, http.StatusOK, d, o.Person)
}
