package program

import (
	"errors"
	"fmt"
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
	form := url.Values{"csrf": {csrfOf(token)}, "seen": {p.seen(id)}}
	for i := 0; i < len(kv); i += 2 {
		form.Set(kv[i], kv[i+1])
	}
	return p.asks(token, http.MethodPost, "/desk/c/"+id+"/"+do, form)
}

// seen is a campaign as its page shows it; empty: there is none.
func (p *premises) seen(id string) (seen string) {
	p.Helper()
	err := p.DB.View(p.Context(), func(tx bot.Tx) error {
		c, err := tx.Campaign(id)
		if err == nil {
			seen = c.Seen()
		}
		return err
	})
	if err != nil && !errors.Is(err, bot.ErrNotFound) {
		p.Fatal(err)
	}
	return seen
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

// plans sends the form of a campaign.
func (p *premises) plans(token, path string, change map[string]string) (status int, body string) {
	p.Helper()
	form := url.Values{"csrf": {csrfOf(token)}, "name": {"winter"}, "kind": {"first_enrollment"}, "deadline": {p.DB.Now().AddDate(0, 1, 0).Format(time.DateOnly)}, "zone": {"America/New_York"},
		"hours": {"mon-fri 09:00-17:00, sat 10:00-12:00"}, "every": {"3"}, "most": {"5"}, "per_day": {"0"}, "queue": {"0"}, "first": {"1"}, "order": {"random"}, "second": {"500"}, "seen": {p.seen("winter")}}
	for k, v := range change {
		form.Set(k, v)
	}
	return p.asks(token, http.MethodPost, path, form)
}

// A draft is made and changed in the form, which comes back as it was typed with what is
// wrong at its field; and deleted. Nothing else but a draft is.
func TestCampaignForm(t *testing.T) {
	p := demoPremises(t)
	lee := p.agent("lee")
	plan := func(id string) (f *bot.CampaignForm) {
		t.Helper()
		if err := p.DB.View(t.Context(), func(tx bot.Tx) error {
			c, err := tx.Campaign(id)
			if err == nil {
				f, err = p.campaigns.Form(tx, c)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return f
	}
	wrong := map[string]string{"name": "Big <One>", "deadline": "soon", "zone": "Riverbend", "texts.en": "Hello {nme}", "people": "ada, zoe"}
	s, body := p.plans(lee, "/desk/campaigns/new", wrong)
	for _, want := range []string{"Nothing has been saved yet", `id="deadline-wrong" lang="en">deadline &#34;soon&#34; is no day`, `id="zone-wrong" lang="en">zone &#34;Riverbend&#34; does not exist`, `{nme}, which is not known`, `id="texts.es-wrong" lang="en">the text in es is missing`,
		`id="people-wrong" lang="en">people names &#34;zoe&#34;`, `value="Big &lt;One&gt;"`, `aria-invalid="true" aria-describedby="name-hint name-wrong"`, `value="soon"`, `>ada, zoe</textarea>`} {
		if s != http.StatusConflict || !strings.Contains(body, want) {
			t.Errorf("%d without %q\n%s", s, want, body)
		}
	}
	if s, body := p.plans(lee, "/desk/campaigns/new", map[string]string{"texts.en": "Hello {name}", "texts.es": "Hola {name}", "people": "ada\r\nben, carmen.rios@riverbend.example", "not_people": "ben", "kinds": "guest", "sites": ""}); s != http.StatusSeeOther {
		t.Fatalf("%d\n%s", s, body)
	}
	f := plan("winter")
	if got := fmt.Sprint(f.Audience.People, f.Audience.NotPeople, f.Audience.Kinds, f.Audience.Sites, f.Hours, f.Texts); got != "[ada carmen] [ben] [guest] [] [mon-fri 09:00-17:00 sat 10:00-12:00] map[en:Hello {name} es:Hola {name}]" {
		t.Error(got)
	}
	if _, body := p.asks(lee, http.MethodGet, "/desk/c/winter", nil); !strings.Contains(body, "People in its audience now: 2") || !strings.Contains(body, "Hello Carmen") {
		t.Errorf("the draft\n%s", body)
	}
	if s, body := p.plans(lee, "/desk/campaigns/new", nil); s != http.StatusConflict || !strings.Contains(body, `id="name-wrong" lang="en">there is a campaign winter already`) {
		t.Errorf("twice: %d\n%s", s, body)
	}
	if s, body := p.asks(lee, http.MethodGet, "/desk/c/winter/edit", nil); s != http.StatusOK || !strings.Contains(body, ">ada, carmen</textarea>") || !strings.Contains(body, ">Hola {name}</textarea>") {
		t.Errorf("to change it: %d\n%s", s, body)
	}
	if s, body := p.plans(lee, "/desk/c/winter/save", map[string]string{"most": "9"}); s != http.StatusConflict || !strings.Contains(body, `id="most-wrong" lang="en">most is 9, and must be from 1 to 5`) || !strings.Contains(body, `action="/desk/c/winter/save"`) {
		t.Errorf("changed to something wrong: %d\n%s", s, body)
	}
	if s, _ := p.plans(lee, "/desk/c/winter/save", map[string]string{"most": "2"}); s != http.StatusSeeOther || plan("winter").Most != "2" || len(plan("winter").Audience.People) != 0 || len(plan("winter").Texts) != 0 {
		t.Errorf("changed: %d %+v", s, plan("winter"))
	}
	if s, _ := p.does(lee, "winter", "delete"); s != http.StatusSeeOther {
		t.Errorf("deleted: %d", s)
	}
	if s, _ := p.asks(lee, http.MethodGet, "/desk/c/winter", nil); s != http.StatusNotFound {
		t.Errorf("after it was deleted: %d", s)
	}
	p.drafts("autumn", nil)
	if s, _ := p.does(lee, "autumn", "send", "untested", "1"); s != http.StatusOK {
		t.Fatal(s)
	}
	for _, do := range []string{"save", "delete"} {
		if s, _ := p.plans(lee, "/desk/c/autumn/"+do, nil); s != http.StatusConflict && s != http.StatusNotFound {
			t.Errorf("%s of a campaign that was sent: %d", do, s)
		}
	}
	if plan("autumn").Hours[0] != "mon-sun 00:00-24:00" {
		t.Error("a campaign that was sent has another plan")
	}
}

// Every page and button of campaigns, for everybody who is no admin: there is nothing
// there, and nothing is done.
func TestCampaignDoors(t *testing.T) {
	p := demoPremises(t)
	p.sits("ada", "e-1001", false)
	p.drafts("autumn", nil)
	was := p.stored()
	pages := []string{"/desk/campaigns", "/desk/c/autumn", "/desk/campaigns/new", "/desk/c/autumn/edit", "/desk/c/autumn/report", "/desk/c/autumn/report.csv", "/desk/c/none", "/desk/c/none/edit"}
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
		for _, do := range []string{"test", "send", "pause", "resume", "again", "stop", "save", "delete", "burn"} {
			if s, _ := p.does(who.token, "autumn", do, "untested", "1"); s != who.post {
				t.Errorf("%s: %s is %d, want %d", name, do, s, who.post)
			}
		}
	}
	for _, token := range []string{p.agent("ada"), p.agent("maria")} {
		if s, _ := p.plans(token, "/desk/campaigns/new", nil); s != http.StatusNotFound {
			t.Errorf("a new campaign: %d", s)
		}
	}
	p.unchanged(was, p.stored(), "agent-")
	lee := p.agent("lee")
	for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusOK, http.StatusOK, http.StatusOK, http.StatusOK, http.StatusNotFound, http.StatusNotFound} {
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
	page("People in its audience now: 10", "Hola, Carmen", "mail", "Send it although nobody has seen a test")
	does("test", "A test is on its way to you by mail")
	if body := page("Tested"); strings.Contains(body, "although nobody") {
		t.Error("tested, and it is asked whether to send it untested")
	}
	does("send", "It begins.")
	for end := time.Now().Add(bottest.Patience); !strings.Contains(page(), "Written to: 10"); time.Sleep(time.Second) {
		if time.Now().After(end) {
			t.Fatal(page())
		}
	}
	if s, body := p.asks(lee, http.MethodGet, "/desk/c/autumn/report.csv", nil); s != http.StatusOK || !strings.Contains(body, "site,people,done,begun,not_yet,not_reached") || !strings.Contains(body, "all,10,0,0,10,0") {
		t.Errorf("the report as CSV: %d\n%s", s, body)
	}
	if s, body := p.asks(lee, http.MethodGet, "/desk/c/autumn/report", nil); s != http.StatusOK || !strings.Contains(body, "Done by 0 of 10") {
		t.Errorf("the report: %d\n%s", s, body)
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
	seen := `name="seen" value="` + p.seen("autumn") + `"`
	if _, body := p.asks(omar, http.MethodGet, "/desk/c/autumn", nil); !strings.Contains(body, seen) {
		t.Errorf("the form does not say what is shown\n%s", body)
	}
	if _, body := p.asks(omar, http.MethodGet, "/desk/c/autumn/edit", nil); !strings.Contains(body, seen) {
		t.Errorf("the form of its plan does not say what is shown\n%s", body)
	}
	for _, seen := range []string{"", "none", p.seen("autumn") + "0"} {
		if s, body := p.does(omar, "autumn", "send", "untested", "1", "seen", seen); s != http.StatusConflict || !strings.Contains(body, "was changed meanwhile") {
			t.Errorf("a yes to %q: %d\n%s", seen, s, body)
		}
		if s, body := p.plans(omar, "/desk/c/autumn/save", map[string]string{"seen": seen}); s != http.StatusConflict || !strings.Contains(body, "was changed meanwhile") {
			t.Errorf("a plan in the place of %q: %d\n%s", seen, s, body)
		}
	}
	if s, body := p.does(omar, "autumn", "send", "untested", "1"); s != http.StatusOK || !strings.Contains(body, "It begins") || !strings.Contains(body, "Lee Tran, and Omar Haddad agreed") || !strings.Contains(body, "It waits until") {
		t.Errorf("the second one: %d\n%s", s, body)
	}
}

// The yes of an admin who is one no more is gone from the page, and whoever says yes next
// is told.
func TestCampaignVoidYes(t *testing.T) {
	p := demoPremises(t)
	p.drafts("autumn", func(plan *bot.CampaignPlan) { plan.Second = 2 })
	lee := p.agent("lee")
	if s, _ := p.order(lee, "grant", "e-1102", "role", "admin"); s != http.StatusOK {
		t.Fatal(s)
	}
	omar := p.agent("omar")
	if s, _ := p.does(omar, "autumn", "send", "untested", "1"); s != http.StatusOK {
		t.Fatal(s)
	}
	if s, _ := p.order(lee, "grant", "e-1102", "role", "agent"); s != http.StatusOK {
		t.Fatal(s)
	}
	if _, body := p.asks(lee, http.MethodGet, "/desk/c/autumn", nil); strings.Contains(body, "wants to send it") || !strings.Contains(body, "the first yes counts no more") {
		t.Errorf("a yes that counts no more\n%s", body)
	}
	if s, body := p.does(lee, "autumn", "send", "untested", "1"); s != http.StatusOK || !strings.Contains(body, "it is not sent yet. The yes that there was counts no more") {
		t.Errorf("%d\n%s", s, body)
	}
}

// Whoever is to say yes sees the whole plan, and what people read; also later, when it
// was sent.
func TestCampaignPageShowsThePlan(t *testing.T) {
	p := demoPremises(t)
	lee := p.agent("lee")
	all := map[string]string{"who": "half_way", "departments": "Kitchen, Transport", "not_departments": "Grounds", "not_sites": "South School", "kinds": "pupil", "hired_since": "2026-08-01", "enrolled_days": "12", "people": "ada, carmen", "not_people": "ben",
		"holidays": "2026-12-08", "every": "4", "most": "2", "per_day": "17", "queue": "31", "first": "3", "order": "site", "second": "77", "texts.en": "Dear {name}, our own words", "texts.es": "Hola {name}, palabras nuestras"}
	if s, body := p.plans(lee, "/desk/campaigns/new", all); s != http.StatusSeeOther {
		t.Fatalf("%d\n%s", s, body)
	}
	shown := func(when string) {
		t.Helper()
		_, body := p.asks(lee, http.MethodGet, "/desk/c/winter", nil)
		for _, want := range []string{"Those who have begun", "Kitchen, Transport", "Grounds", "South School", "Pupils", "2026-08-01", ">12<", "ada, carmen", ">ben<", "mon-fri 09:00-17:00, sat 10:00-12:00", "America/New_York", "2026-12-08",
			">4<", ">2<", ">17<", ">31<", ">3<", ">77<", "Dear Carmen, our own words", "Hola Carmen, palabras nuestras", "First enrollment"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s, without %q", when, want)
			}
		}
	}
	shown("a draft")
	if err := p.DB.Update(t.Context(), func(tx bot.Tx) error {
		c, err := tx.Campaign("winter")
		if err == nil {
			c.State = bot.CampaignStopped
			err = tx.PutCampaign(c)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	shown("at its end")
}

// Whatever a page of campaigns can name has its words in each language.
func TestCampaignWords(t *testing.T) {
	p := demoPremises(t)
	keys := []string{}
	add := func(prefix string, names ...string) {
		for _, n := range names {
			keys = append(keys, "web.desk.campaign."+prefix+"."+strings.ReplaceAll(n, " ", "_"))
		}
	}
	add("kind", campaign.Kinds()...)
	add("who", bot.Audiences()...)
	add("who", "none")
	add("state", bot.CampaignStates[:]...)
	add("part", bot.PartNames[:]...)
	add("order", "random", "site")
	add("account", string(bot.Guest), string(bot.Pupil), string(bot.Service), string(bot.Shared), string(bot.Place))
	add("why", "no_way", "unknown", "frozen", "suspended", "disabled", "ticket", "gone", "not_in_audience", "muted")
	add("do", "test", "send", "ask", "edit", "pause", "resume", "again", "stop", "delete")
	add("bar", "done", "begun", "told", "lost")
	add("report", "done", "begun", "lost", "not_yet")
	for _, lang := range p.Scripts.Languages() {
		for _, key := range keys {
			if text := p.Scripts.Phrase(lang, key); strings.HasPrefix(text, "<") {
				t.Errorf("%s has no %s", lang, key)
			}
		}
	}
}
