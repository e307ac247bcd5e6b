package teams_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/teams"
	"latchkey/adapters/teams/teamstest"
	"latchkey/bot"
)

// Newcomer implements adaptertest.Directory: the setup policy has installed the
// app for them, and they never opened it.
func (p *tenant) Newcomer(n int) (adaptertest.Person, bot.Recipient) {
	who := p.cloud.Person(20 + n)
	if n == 0 {
		return client{who}, bot.Recipient{Person: bot.PersonID(strings.ToUpper(who.ObjectID)), Email: who.UPN}
	}
	return client{who}, bot.Recipient{User: who.ObjectID}
}

// Absent implements adaptertest.Directory.
func (p *tenant) Absent() map[string]bot.Recipient {
	bars := func(n int, code string) bot.Recipient {
		who := p.cloud.Person(30 + n)
		who.Bars = code
		return bot.Recipient{Person: bot.PersonID(who.ObjectID)}
	}
	return map[string]bot.Recipient{
		bot.WhyNotFound:     {Person: "99999999-aaaa-4bbb-8ccc-000000000099"},
		bot.WhyNotInstalled: bars(1, "BotNotInConversationRoster"),
		bot.WhyClosed:       bars(2, "ConversationBlockedByUser"),
		bot.WhyNotLinked:    {Person: "s-1042", Email: "ada@contoso.example"},
	}
}

// RoomID implements adaptertest.RoomKeeper.
func (p *tenant) RoomID() string { return p.channel().ID }

// NoRooms implements adaptertest.RoomKeeper.
func (p *tenant) NoRooms() map[string]string {
	return map[string]string{
		bot.WhyNotFound: "19:nosuchchannel@thread.tacv2", bot.WhyNotInstalled: p.cloud.Channel("BotNotInConversationRoster").ID,
		bot.WhyClosed: p.cloud.Channel("ConversationBlockedByUser").ID,
	}
}

// Posts implements adaptertest.RoomKeeper.
func (p *tenant) Posts() (all []adaptertest.Post, err error) {
	show := func(v teamstest.View) adaptertest.Shown {
		s := adaptertest.Shown{Text: v.Text, Lang: v.Lang, Active: v.Active}
		for _, b := range v.Buttons {
			s.Buttons = append(s.Buttons, adaptertest.Button{Label: b.Title, Primary: b.Primary})
		}
		return s
	}
	for _, x := range p.channel().Posts() {
		post := adaptertest.Post{Shown: show(x.View)}
		for _, v := range x.Answers {
			post.Answers = append(post.Answers, show(v))
		}
		all = append(all, post)
	}
	return all, nil
}

// why opens a conversation that cannot be opened.
func why(t *testing.T, a *teams.Adapter, who *teamstest.Person) *bot.SendError {
	t.Helper()
	to, err := a.Open(t.Context(), bot.Recipient{Person: bot.PersonID(who.ObjectID), Email: who.UPN})
	var se *bot.SendError
	if !errors.As(err, &se) {
		t.Fatalf("opened as %+v (%v)", to, err)
	}
	if s := se.Error(); strings.Contains(s, who.ObjectID) || strings.Contains(s, who.UPN) || strings.Contains(s, who.Conversation) {
		t.Errorf("the error names the person: %s", s)
	}
	return se
}

// TestOpenWhatTeamsSays: what the connector answers, and what is known then.
// Nothing is uncertain, since nothing was said.
func TestOpenWhatTeamsSays(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	who := b.cloud.Person(5)
	for code, want := range map[string]string{
		"BotNotInConversationRoster": bot.WhyNotInstalled, "BotDisabledByAdmin": bot.WhyNotInstalled, "ForbiddenOperationException": bot.WhyNotInstalled,
		"ConversationBlockedByUser": bot.WhyClosed, "BadArgument": bot.WhyNotFound,
	} {
		who.Bars = code
		if se := why(t, b.a, who); se.Kind != bot.SendGone || se.Code != want {
			t.Errorf("%s: %v (%q), want %q", code, se, se.Code, want)
		} else if want == bot.WhyNotInstalled && code != "BotDisabledByAdmin" && !strings.Contains(se.Error(), "Setup policies") {
			t.Errorf("%s: an operator is not told how to install it: %v", code, se)
		}
	}
	who.Bars = ""
	for fault, want := range map[teamstest.Fault]bot.SendErrorKind{
		teamstest.Throttle: bot.SendThrottled, teamstest.Away: bot.SendRetry, teamstest.Early: bot.SendRetry, teamstest.Lost: bot.SendRetry, teamstest.Cut: bot.SendRetry,
		teamstest.Refuse: bot.SendGone, teamstest.Blocked: bot.SendGone,
	} {
		b.cloud.Creating(fault)
		if se := why(t, b.a, who); se.Kind != want || want == bot.SendGone && se.Code != bot.WhyClosed || want == bot.SendThrottled && se.After != adaptertest.Pause {
			t.Errorf("fault %d: %v (%q)", fault, se, se.Code)
		}
	}
	b.cloud.Creating(0)
	b.cloud.Accept()
	b.cloud.Revoke()
	if se := why(t, b.a, who); se.Kind != bot.SendRetry {
		t.Errorf("without a token: %v", se)
	}
	if _, n := b.cloud.Installs(); n > 0 {
		t.Errorf("Graph was asked to install the app %d times, and nobody allowed it", n)
	}
}

// TestOpenWithoutAnAnswer: the chat was made and nobody heard of it. Teams gives
// the same one to whoever asks again.
func TestOpenWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	who := b.cloud.Person(5)
	b.cloud.Creating(teamstest.Cut)
	for range 3 {
		if se := why(t, b.a, who); se.Kind != bot.SendRetry {
			t.Fatalf("%v, want it to be tried again", se)
		}
	}
	b.cloud.Creating(0)
	got := make([]bot.Opened, 4)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			o, err := b.a.Open(t.Context(), bot.Recipient{Person: bot.PersonID(who.ObjectID)})
			if err != nil {
				t.Error(err)
			}
			got[i] = o
		})
	}
	all.Wait()
	for _, o := range got {
		if string(o.Address) != string(got[0].Address) || !strings.Contains(string(o.Address), who.Conversation) || o.Conversation != got[0].Conversation {
			t.Errorf("opened %+v and %+v", got[0], o)
		}
	}
	if n := b.cloud.Created(who); n < 4 {
		t.Errorf("asked for %d times", n)
	}
}

// TestOpenInstalls: who does not have the app gets it through Graph, where that
// is allowed, once; what Graph answers is what an operator is told.
func TestOpenInstalls(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *teams.Options) { o.CatalogApp = teamstest.CatalogApp })
	who := b.cloud.Person(5)
	const missing = "BotNotInConversationRoster"
	for _, c := range []struct {
		status int
		says   string
		kind   bot.SendErrorKind
		why    string
	}{
		{http.StatusForbidden, "Failed to get license information for the user. Ensure user has a valid Office365 license assigned to them.", bot.SendGone, bot.WhyNoLicence},
		{http.StatusForbidden, "Missing role permissions on the request. API requires one of 'TeamsAppInstallation.ReadWriteSelfForUser.All'", bot.SendRetry, ""},
		{http.StatusNotFound, "No user found", bot.SendGone, bot.WhyNotFound},
		{http.StatusBadRequest, "Bad Request", bot.SendGone, bot.WhyNotInstalled},
		{http.StatusTooManyRequests, "Too Many Requests", bot.SendThrottled, ""},
		{http.StatusServiceUnavailable, "UnknownError", bot.SendRetry, ""},
		{http.StatusUnauthorized, "CompactToken parsing failed", bot.SendRetry, ""},
		{http.StatusCreated, "", bot.SendRetry, ""},                                       // and Teams does not know it yet
		{http.StatusConflict, "App already installed", bot.SendGone, bot.WhyNotInstalled}, // and Teams does not know it
	} {
		who.Bars = missing
		b.cloud.Graph(c.status, c.says)
		if se := why(t, b.a, who); se.Kind != c.kind || c.why != "" && se.Code != c.why {
			t.Errorf("%d %s: %v (%q)", c.status, c.says, se, se.Code)
		} else if c.kind == bot.SendRetry && c.status == http.StatusForbidden && !strings.Contains(se.Error(), "TeamsAppInstallation") {
			t.Errorf("an operator is not told which permission: %v", se)
		}
	}
	if _, tokens := b.cloud.Asked(); tokens < 3 { // the connector's, and two for Graph
		t.Errorf("%d tokens: one that Graph has refused is used again", tokens)
	}
	b.cloud.Graph(0, "")
	for range 2 {
		if _, err := b.a.Open(t.Context(), bot.Recipient{Person: bot.PersonID(who.ObjectID)}); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := b.cloud.Installs(); !slices.Equal(got, []string{who.ObjectID}) {
		t.Errorf("installed for %q", got)
	}
	here, elsewhere := b.cloud.Requests()
	for _, r := range slices.Concat(here, elsewhere) {
		if strings.HasPrefix(r.Token, "e30.") || strings.HasPrefix(r.Token, "Bearer e30.") {
			t.Errorf("a token for Graph goes to %s", r.Path)
		}
	}
}

// TestRoomUncertain: what Teams says to a message into a channel and into a
// thread. Whether one with a lost answer was shown, Teams cannot tell.
func TestRoomUncertain(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	ch := b.cloud.Channel("")
	room, err := b.a.Room(ch.ID)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	send := func(to bot.Opened) (bot.Receipt, *bot.SendError) {
		n++
		r, err := b.a.Send(t.Context(), bot.Delivery{Key: fmt.Sprint("k", n), Conversation: to.Conversation, Address: to.Address, Message: bot.Message{Text: "Text."}, Attempt: 1})
		var se *bot.SendError
		errors.As(err, &se)
		return r, se
	}
	first, se := send(room)
	if se != nil {
		t.Fatal(se)
	}
	under, err := b.a.Thread(room.Address, first.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, to := range []bot.Opened{room, under} {
		for fault, want := range map[teamstest.Fault]bot.SendErrorKind{
			teamstest.Throttle: bot.SendThrottled, teamstest.Away: bot.SendRetry, teamstest.Early: bot.SendRetry, teamstest.Cut: bot.SendUncertain,
			teamstest.Refuse: bot.SendPermanent, teamstest.Removed: bot.SendGone, teamstest.Blocked: bot.SendGone,
		} {
			mend := ch.Break(fault)
			_, se := send(to)
			mend()
			if se == nil || se.Kind != want {
				t.Errorf("%s, fault %d: %v", to.Conversation, fault, se)
			}
		}
	}
	if ps := ch.Posts(); len(ps) != 2 || len(ps[0].Answers) != 1 {
		t.Errorf("%+v", ps)
	}
	if refused := b.cloud.Refused(); len(refused) > 0 {
		t.Errorf("not as Teams takes it: %q", refused)
	}
}
