package program

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/campaign"
)

// does presses a button of a campaign's page.
func (p *premises) does(token, id, do string, kv ...string) (status int, body string) {
	p.Helper()
	form := url.Values{"csrf": {csrfOf(token)}}
	for i := 0; i < len(kv); i += 2 {
		form.Set(kv[i], kv[i+1])
	}
	return p.asks(token, http.MethodPost, "/desk/c/"+id+"/"+do, form)
}

// drafts makes a draft for everybody who has not enrolled.
func (p *premises) drafts(id string, change func(*bot.CampaignPlan)) {
	p.Helper()
	plan := bot.CampaignPlan{Kind: campaign.KindFirst, Deadline: p.DB.Now().AddDate(0, 1, 0), Hours: []string{"mon-sun 00:00-24:00"}}
	if change != nil {
		change(&plan)
	}
	if err := p.DB.Update(p.Context(), func(tx bot.Tx) error {
		_, err := p.campaigns.New(tx, id, plan, "operator:ann")
		return err
	}); err != nil {
		p.Fatal(err)
	}
}

// Every page and button of campaigns, for everybody who is no admin: there is nothing
// there, and nothing is done.
func TestCampaignDoors(t *testing.T) {
	p := demoPremises(t)
	p.sits("ada", "e-1001", false)
	p.drafts("autumn", nil)
	was := p.stored()
	pages := []string{"/desk/campaigns", "/desk/c/autumn", "/desk/c/none"}
	for name, who := range map[string]struct {
		token     string
		get, post int
	}{
		"signed out": {"", http.StatusSeeOther, http.StatusForbidden}, "no agent": {p.agent("ada"), http.StatusNotFound, http.StatusNotFound},
		"agent": {p.agent("maria"), http.StatusNotFound, http.StatusNotFound},
	} {
		for _, path := range pages {
			if s, body := p.asks(who.token, http.MethodGet, path, nil); s != who.get || strings.Contains(body, "First enrollment") {
				t.Errorf("%s: %s is %d, want %d", name, path, s, who.get)
			}
		}
		for _, do := range []string{"test", "send", "pause", "resume", "again", "stop", "burn"} {
			if s, _ := p.does(who.token, "autumn", do, "untested", "1"); s != who.post {
				t.Errorf("%s: %s is %d, want %d", name, do, s, who.post)
			}
		}
	}
	p.unchanged(was, p.stored(), "agent-")
	lee := p.agent("lee")
	for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusNotFound} {
		if s, _ := p.asks(lee, http.MethodGet, pages[i], nil); s != want {
			t.Errorf("admin: %s is %d", pages[i], s)
		}
	}
	for do, want := range map[string]int{"burn": http.StatusNotFound, "send": http.StatusConflict} { // nobody has tested it
		if s, _ := p.does(lee, "autumn", do); s != want {
			t.Errorf("admin: %s is %d", do, s)
		}
	}
	if s, _ := p.does(lee, "autumn", "stop", "csrf", "0"); s != http.StatusForbidden {
		t.Errorf("without the form's token: %d", s)
	}
	if s, _ := p.does(lee, "none", "stop"); s != http.StatusNotFound {
		t.Errorf("a campaign that there is not: %d", s)
	}
}

// A campaign from its draft to its end, by the buttons of its page; each says what it
// did, and stands in the audit record.
func TestCampaignButtons(t *testing.T) {
	p := demoPremises(t)
	p.drafts("autumn", nil)
	lee := p.agent("lee")
	page := func(want ...string) string {
		t.Helper()
		s, body := p.asks(lee, http.MethodGet, "/desk/c/autumn", nil)
		for _, w := range want {
			if s != http.StatusOK || !strings.Contains(body, w) {
				t.Errorf("the page is %d, without %q\n%s", s, w, body)
			}
		}
		return body
	}
	does := func(do, want string, kv ...string) {
		t.Helper()
		if s, body := p.does(lee, "autumn", do, kv...); s != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d without %q\n%s", do, s, want, body)
		}
	}
	page("people are in its audience now", "Hola, Carmen", "mail", "Send it although nobody has seen a test")
	does("test", "A test is on its way to you by mail")
	if body := page("Tested"); strings.Contains(body, "although nobody") {
		t.Error("tested, and it is asked whether to send it untested")
	}
	does("send", "It begins.")
	for end := time.Now().Add(bottest.Patience); !strings.Contains(page(), "10 have been written to"); time.Sleep(time.Second) {
		if time.Now().After(end) {
			t.Fatal(page())
		}
	}
	does("pause", "People who have been written to: 10.")
	page("It waits for you: paused by Lee Tran")
	does("resume", "It goes on.")
	// Everybody can be found by name and by state.
	for query, want := range map[string]bool{"q=okaf": true, "q=zzz": false, "state=accepted": true, "state=failed": false, "after=e-9": false, "q=okaf&state=waiting": false} {
		_, body := p.asks(lee, http.MethodGet, "/desk/c/autumn?"+query, nil)
		if strings.Contains(body, "Ada Okafor") != want {
			t.Errorf("%s finds Ada: %v\n%s", query, !want, body)
		}
	}
	does("stop", "People who have been written to: 10.")
	if s, body := p.does(lee, "autumn", "resume"); s != http.StatusConflict || !strings.Contains(body, "neither paused nor halted") {
		t.Errorf("resumed after its end: %d", s)
	}
	lines := strings.Join(p.stored()["audit"], "\n")
	for _, action := range []string{"campaign.tested", "campaign.sent", "campaign.paused", "campaign.resumed", "campaign.stopped"} {
		if !strings.Contains(lines, action) {
			t.Errorf("no line %s in the audit record", action)
		}
	}
}

// Above its number of people two admins have to say yes, and not one twice.
func TestCampaignSecondAdmin(t *testing.T) {
	p := demoPremises(t)
	p.drafts("autumn", func(plan *bot.CampaignPlan) { plan.Second, plan.Starts = 2, p.DB.Now().Add(time.Hour) })
	if s, _ := p.order(p.agent("lee"), "grant", "e-1102", "role", "admin"); s != http.StatusOK {
		t.Fatal(s)
	}
	lee, omar := p.agent("lee"), p.agent("omar")
	if s, body := p.does(lee, "autumn", "send", "untested", "1"); s != http.StatusOK || !strings.Contains(body, "Somebody else has to say yes") || strings.Contains(body, `/desk/c/autumn/send"`) {
		t.Errorf("the first one: %d\n%s", s, body)
	}
	if s, body := p.does(lee, "autumn", "send", "untested", "1"); s != http.StatusConflict || !strings.Contains(body, "both are the same account") {
		t.Errorf("the first one again: %d\n%s", s, body)
	}
	if _, body := p.asks(omar, http.MethodGet, "/desk/c/autumn", nil); !strings.Contains(body, "Lee Tran wants to send it to more than 2 people") {
		t.Errorf("the second one is not asked\n%s", body)
	}
	if s, body := p.does(omar, "autumn", "send", "untested", "1"); s != http.StatusOK || !strings.Contains(body, "It begins") || !strings.Contains(body, "Lee Tran, and Omar Haddad agreed") || !strings.Contains(body, "It waits until") {
		t.Errorf("the second one: %d\n%s", s, body)
	}
}
