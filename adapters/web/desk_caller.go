package web

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/bot"
)

// Who calls: how an agent makes sure that it is the person, and what is allowed
// then. The desk decides; this only shows what it would allow.

// stepUp are the acts that change what somebody else can do. They need a second
// factor of the last minutes.
var stepUp = map[string]bool{"expire": true, "again": true, "unfreeze": true, "confirm": true}

const stepUpFresh = 5 * time.Minute

// freshSecond reports whether the agent has just shown a second factor. The demo
// knows none.
func (a *Adapter) freshSecond(st *seat) bool {
	return a.o.Device != nil || a.o.Now().UTC().Sub(st.Second) <= stepUpFresh
}

// A deskCaller is what a ticket's page shows of who calls.
type deskCaller struct {
	State, Class string // in words; empty: nothing was begun
	Number       string // to tell the person
	Reason       string
	Check        string       // its id, for the forms
	Words        bool         // the words that the caller reads are waited for
	Confirm      bool         // whoever looks is asked as the second agent
	Do           string       // the act that is allowed now; empty: none
	Method       bot.MethodID // what it is about
	Act          string       // the act in words
	High         bool         // only a second agent can confirm
	What, How    []deskChoice // what to verify for, and how
}

// deskCaller puts into words what is known of who calls; nil where nothing can be
// done about it.
func (a *Adapter) deskCaller(st *seat, v *bot.DeskView) *deskCaller {
	t := a.words.in(st.lang)
	c := &deskCaller{Confirm: v.Confirm, High: v.Privileged}
	if k := v.Check; k != nil {
		c.Check, c.Number, c.Reason, c.Act = k.ID, k.Number, k.Reason, k.Touch.Words(a.o.Phrases, st.lang)
		word := k.State.String()
		switch {
		case k.Over:
			word = "over"
		case k.Waits:
			word = "waits"
		case k.State == bot.CheckOpen:
			word = "open." + string(k.Way)
			c.Words = k.Mine && v.Mine && (k.Way == bot.WayText || k.Way == bot.WayMail)
		}
		c.Class, _, _ = strings.Cut(word, ".")
		c.State = t("desk.check."+word, "agent", k.By, "second", k.Second, "act", c.Act, "until", k.Until.Local().Format("15:04"), "way", t("desk.way."+string(k.Way)))
		if k.Holds {
			c.Do = k.Touch.Act
			if k.Touch.Method != nil {
				c.Method = k.Touch.Method.ID
			}
		}
	}
	for i := range v.Touches {
		x := &v.Touches[i]
		value := x.Act
		if x.Method != nil {
			value += " " + string(x.Method.ID)
		}
		c.What = append(c.What, deskChoice{value, x.Words(a.o.Phrases, st.lang)})
	}
	for _, w := range v.Ways {
		c.How = append(c.How, deskChoice{strings.TrimSpace(string(w.Way) + " " + w.Target), w.Words(a.o.Phrases, st.lang)})
	}
	if c.State == "" && (len(c.What) == 0 || len(c.How) == 0) {
		return nil
	}
	return c
}

// How many people one search shows, beside tickets and alone, and how many letters
// it needs.
const (
	fewPeople   = 5
	foundPeople = 20
	leastSearch = 2
)

// A deskPerson is somebody who may be calling.
type deskPerson struct{ ID, Name, Login, Department string }

type deskPeople struct {
	deskFrame
	Query  string
	Asked  bool
	People []deskPerson
	More   bool
}

// findPeople finds who may be calling; more says that there are others.
func (a *Adapter) findPeople(ctx context.Context, st *seat, query string, limit int) (people []deskPerson, more bool, err error) {
	found, err := a.o.Desk.Find(ctx, st.Person, query, limit+1)
	if more = len(found) > limit; more {
		found = found[:limit]
	}
	for i := range found {
		p := &found[i]
		people = append(people, deskPerson{string(p.ID), bot.Harmless(p.Name), bot.Harmless(p.Username), bot.Harmless(p.Department)})
	}
	return people, more, err
}

// deskPeople finds the person who calls.
func (a *Adapter) deskPeople(w http.ResponseWriter, r *http.Request) {
	st, ok := a.atDesk(w, r)
	if !ok {
		return
	}
	d := &deskPeople{deskFrame: a.deskFrame(st), Query: bot.Harmless(strings.TrimSpace(r.URL.Query().Get("q")))}
	d.Title = a.words.in(st.lang)("desk.calls")
	if n := utf8.RuneCountInString(d.Query); n >= leastSearch && n <= 100 {
		var err error
		d.Asked = true
		if d.People, d.More, err = a.findPeople(r.Context(), st, d.Query, foundPeople); err != nil {
			a.deskTrouble(w, r, err)
			return
		}
	}
	a.deskPage(w, r, http.StatusOK, "desk_people", st.lang, d.Title, d)
}

// deskOpen gives the agent the ticket of somebody who calls.
func (a *Adapter) deskOpen(w http.ResponseWriter, r *http.Request) {
	st, ok := a.deskForm(w, r, a.atDesk)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), acceptTime)
	defer cancel()
	ticket, err := a.o.Desk.Open(ctx, st.Person, bot.PersonID(r.PostForm.Get("who")))
	refused := new(bot.DeskRefusal)
	switch {
	case errors.As(err, &refused) && refused.Code != bot.DeskNotAgent:
		a.problem(w, r, http.StatusConflict, "stale")
	case err != nil:
		a.deskTrouble(w, r, err)
	default:
		http.Redirect(w, r, deskPath+"/t/"+ticket, http.StatusSeeOther)
	}
}
