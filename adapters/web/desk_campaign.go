package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"latchkey/bot"
)

// The pages of campaigns, for admins of the desk: how far each is, who is where, and
// what operators do with one.

const (
	campaignsPath = deskPath + "/campaigns"
	campaignPath  = deskPath + "/c/"
	partsShown    = 50 // people on one page
)

// campaignDoings are what a form may ask for. The second is whether it writes to
// people, and needs a second factor of the last minutes.
var campaignDoings = map[string]bool{"test": false, "send": true, "pause": false, "resume": true, "again": true, "stop": false, "delete": false}

// A barPart is a piece of a bar that is 100 wide.
type barPart struct {
	Class    string
	X, Width float64
}

// A campaignRow is a campaign in words.
type campaignRow struct {
	*bot.DeskCampaign
	Kind, Word, Until string // Word is the state's
	Bar               []barPart
	Sum, Rest, When   string
}

type deskCampaigns struct {
	deskFrame
	Rows []campaignRow
}

// campaignBar are the pieces of a campaign's bar, from who is done to who is lost.
func campaignBar(c *bot.DeskCampaign) (bar []barPart) {
	x := 0.0
	for _, p := range []struct {
		class  string
		states []bot.PartState
	}{
		{"done", []bot.PartState{bot.PartEnrolled}}, {"begun", []bot.PartState{bot.PartStarted, bot.PartAtStep}},
		{"told", []bot.PartState{bot.PartSent, bot.PartAccepted, bot.PartSnoozed}}, {"lost", []bot.PartState{bot.PartDeclined, bot.PartFailed, bot.PartSuppressed}},
	} {
		n := 0
		for _, s := range p.states {
			n += c.By[s]
		}
		w := 100 * float64(n) / float64(max(1, c.Total))
		bar = append(bar, barPart{p.class, x, w})
		x += w
	}
	return bar
}

func (a *Adapter) campaignRow(lang string, c *bot.DeskCampaign) campaignRow {
	t := a.words.in(lang)
	row := campaignRow{DeskCampaign: c, Kind: t("desk.campaign.kind." + c.Plan.Kind), Word: t("desk.campaign.state." + c.State.String()), Bar: campaignBar(c),
		Until: bot.Date(a.o.Phrases, lang, c.Plan.Zone, c.Plan.Deadline), When: bot.Moment(a.o.Phrases, lang, c.Plan.Zone, c.At)}
	sum := func(key string) string {
		return t("desk.campaign."+key, "done", strconv.Itoa(c.Done), "all", strconv.Itoa(c.Total), "written", strconv.Itoa(c.Written))
	}
	row.Sum = sum("sum")
	if c.BeganAt.IsZero() {
		row.Sum = sum("sum.before")
	}
	switch {
	case c.Days > 0:
		row.Rest = t("desk.campaign.rest.days", "n", strconv.Itoa(c.Days))
	case c.Rest > 0:
		row.Rest = t("desk.campaign.rest", "wait", bot.Wait(a.o.Phrases, lang, c.Rest))
	}
	return row
}

// deskCampaigns lists the campaigns. Who is no admin finds no page.
func (a *Adapter) deskCampaigns(w http.ResponseWriter, r *http.Request) {
	st, ok := a.atDesk(w, r)
	if !ok {
		return
	}
	list, err := a.o.Desk.Campaigns(r.Context(), st.Person, st.lang)
	if err != nil {
		a.deskTrouble(w, r, err)
		return
	}
	d := &deskCampaigns{deskFrame: a.deskFrame(st)}
	d.Title = a.words.in(st.lang)("desk.campaigns")
	for i := range list {
		d.Rows = append(d.Rows, a.campaignRow(st.lang, &list[i]))
	}
	a.deskPage(w, r, http.StatusOK, "desk_campaigns", st.lang, d.Title, d)
}

// A campaignState is how many people are in a state, and why.
type campaignState struct {
	Name, Word, Whys string
	N                int
}

// A campaignPerson is somebody in a campaign, in words.
type campaignPerson struct {
	ID                       bot.PersonID
	Name, Login, Site, State string
	More, Next               string
}

// A campaignShown is a message as a platform shows it.
type campaignShown struct {
	Lang, On string
	Parts    []bot.Message
	Mail     bool
}

type deskCampaign struct {
	deskFrame
	campaignRow
	Name          string
	Every         int // seconds from one look of the page to the next
	Unknown       int // of how many it is not known whether it reached them
	Code, Tested  string
	Asked, Stands string // who sent it; what data-state has
	Can           map[string]bool
	States        []campaignState
	People        []campaignPerson
	Choices       []deskChoice
	Query, State  string
	Behind        string // the address of the next page; empty: this is the last
	Sample        []campaignPerson
	Shown         []campaignShown
	Planned       []campaignField
	Alert, Again  string
	Told          []string
}

// deskCampaign shows one campaign.
func (a *Adapter) deskCampaign(w http.ResponseWriter, r *http.Request) {
	if st, ok := a.atDesk(w, r); ok {
		a.showCampaign(w, r, st, http.StatusOK, &deskCampaign{})
	}
}

// showCampaign shows one campaign with what d says already.
func (a *Adapter) showCampaign(w http.ResponseWriter, r *http.Request, st *seat, code int, d *deskCampaign) {
	q := r.URL.Query()
	f := bot.PartFilter{Search: bot.Harmless(strings.TrimSpace(q.Get("q"))), After: bot.PersonID(q.Get("after")), Limit: partsShown}
	if len(f.Search) > 100 {
		f.Search = ""
	}
	if i := slices.Index(bot.PartNames[:], q.Get("state")); i >= 0 {
		state := bot.PartState(i)
		f.State, d.State = &state, q.Get("state")
	}
	c, err := a.o.Desk.Campaign(r.Context(), st.Person, st.lang, r.PathValue("campaign"), f)
	if errors.Is(err, bot.ErrNotFound) {
		a.problemFor(w, r, http.StatusNotFound, "nowhere", true)
		return
	}
	if err != nil {
		a.deskTrouble(w, r, err)
		return
	}
	t := a.words.in(st.lang)
	d.deskFrame, d.campaignRow = a.deskFrame(st), a.campaignRow(st.lang, c)
	d.Title, d.Name, d.Query = t("desk.campaign.title", "name", c.ID), c.ID, f.Search
	if d.Every = 5; c.Total > 50_000 { // each look counts them all
		d.Every = 60
	}
	d.Code = c.Code
	if len(c.Code) == 8 {
		d.Code = c.Code[:4] + "-" + c.Code[4:]
	}
	draft := c.State == bot.CampaignDraft
	d.Can = map[string]bool{
		"test": draft, "edit": draft, "send": draft && (c.SentBy == "" || !c.Mine), "pause": c.State == bot.CampaignScheduled || c.State == bot.CampaignRunning,
		"resume": c.State == bot.CampaignPaused || c.State == bot.CampaignHalted, "stop": !c.State.Over() && !draft,
		"again": c.By[bot.PartFailed] > 0 && c.State == bot.CampaignRunning,
	}
	d.Stands = strings.Join([]string{c.State.String(), c.SentBy, strconv.FormatBool(d.Can["again"]), strconv.FormatBool(c.TestedAt.IsZero())}, " ")
	if draft {
		d.Stands += " " + c.Seen()
	}
	switch {
	case c.Approved != "":
		d.Asked = t("desk.campaign.sent.two", "by", bot.Harmless(c.SentBy), "and", bot.Harmless(c.Approved))
	case c.SentBy != "" && !draft:
		d.Asked = t("desk.campaign.sent", "by", bot.Harmless(c.SentBy))
	}
	if !c.TestedAt.IsZero() {
		d.Tested = bot.Moment(a.o.Phrases, st.lang, c.Plan.Zone, c.TestedAt)
	}
	for s, n := range c.By {
		name := bot.PartNames[s]
		word := a.partWord(st.lang, name)
		d.Choices = append(d.Choices, deskChoice{name, word})
		var whys []string
		if i := slices.IndexFunc(c.Whys[s], func(x bot.CampaignCount) bool { return x.What == "unknown" }); i >= 0 && bot.PartState(s) == bot.PartFailed {
			d.Unknown = c.Whys[s][i].N
		}
		for _, x := range c.Whys[s] {
			whys = append(whys, a.whyWord(st.lang, x.What)+": "+strconv.Itoa(x.N))
		}
		d.States = append(d.States, campaignState{name, word, strings.Join(whys, "; "), n})
	}
	for i := range c.Parts {
		d.People = append(d.People, a.campaignPerson(st.lang, c, &c.Parts[i]))
	}
	if c.More {
		v := url.Values{"q": {d.Query}, "state": {d.State}, "after": {string(c.Parts[len(c.Parts)-1].Person)}}
		d.Behind = campaignPath + c.ID + "?" + v.Encode() + "#people"
	}
	if p := c.Preview; p != nil {
		for _, x := range p.Sample {
			one := campaignPerson{Name: bot.Harmless(x.Name), Login: bot.Harmless(x.Username), Next: bot.Moment(a.o.Phrases, st.lang, x.Zone, x.Next)}
			switch {
			case x.Why == "last_day":
				one.Next, one.More = "", a.whyWord(st.lang, x.Why)
			case x.Why != "":
				one.More = t("desk.campaign.not_now", "why", a.whyWord(st.lang, x.Why))
			case x.Via == "":
				one.More = t("desk.campaign.why.no_way")
			default:
				one.More = t("desk.campaign.by", "way", a.wayWord(st.lang, x.Via))
			}
			d.Sample = append(d.Sample, one)
		}
	}
	for i := range c.Texts {
		x := &c.Texts[i]
		var on []string
		for _, ch := range x.Channels {
			on = append(on, a.wayWord(st.lang, string(ch)))
		}
		d.Shown = append(d.Shown, campaignShown{a.tongue(st.lang, x.Lang), strings.Join(on, ", "), x.Parts, slices.Contains(x.Channels, "mail")})
	}
	d.Planned = a.planned(st.lang, c.Form)
	a.deskPage(w, r, code, "desk_campaign", st.lang, d.Title, d)
}

func (a *Adapter) campaignPerson(lang string, c *bot.DeskCampaign, p *bot.FoundPart) campaignPerson {
	t := a.words.in(lang)
	one := campaignPerson{ID: p.Person, Name: bot.Harmless(p.Name), Login: bot.Harmless(p.Username), Site: bot.Harmless(p.Site), State: a.partWord(lang, p.State.String())}
	if one.Name == "" {
		one.Name = t("desk.campaign.why.gone")
	}
	var more []string
	if p.Why != "" {
		more = append(more, a.whyWord(lang, p.Why))
	}
	if p.State == bot.PartAtStep || p.State == bot.PartStarted {
		more = append(more, p.Step, p.Progress)
	}
	if p.Reminders > 0 {
		more = append(more, t("desk.campaign.reminders", "n", strconv.Itoa(p.Reminders), "way", a.wayWord(lang, p.Via)))
	}
	one.More = strings.Join(slices.DeleteFunc(more, func(s string) bool { return s == "" }), " · ")
	if !p.Due.IsZero() && !c.State.Over() {
		one.Next = bot.Moment(a.o.Phrases, lang, c.Plan.Zone, p.Due)
	}
	return one
}

// partWord is a state of a part in words.
func (a *Adapter) partWord(lang, name string) string {
	return a.words.in(lang)("desk.campaign.part." + strings.ReplaceAll(name, " ", "_"))
}

// whyWord is a reason of a part in words: what has none is a platform's code.
func (a *Adapter) whyWord(lang, why string) string {
	if s := a.words.in(lang)("desk.campaign.why." + why); !strings.HasPrefix(s, "<") {
		return s
	}
	return plainCode(bot.Harmless(why))
}

// wayWord is a way to write to somebody.
func (a *Adapter) wayWord(lang, via string) string {
	if via == "mail" {
		return a.words.in(lang)("desk.campaign.mail")
	}
	return bot.PlatformName(a.o.Phrases, lang, bot.ChannelID(via))
}

// deskCampaignOrder does something with a campaign, and shows it again.
func (a *Adapter) deskCampaignOrder(w http.ResponseWriter, r *http.Request) {
	st, ok := a.deskForm(w, r, a.atDesk)
	if !ok {
		return
	}
	if r.PathValue("do") == "save" {
		a.writeCampaign(w, r, st, r.PathValue("campaign"), true)
		return
	}
	t := a.words.in(st.lang)
	o := bot.CampaignOrder{By: st.Person, Campaign: r.PathValue("campaign"), Do: r.PathValue("do"), Seen: r.PostForm.Get("seen"), Untested: r.PostForm.Get("untested") == "1", Unknown: r.PostForm.Get("unknown") == "1"}
	writes, known := campaignDoings[o.Do]
	switch {
	case !known:
		a.problem(w, r, http.StatusNotFound, "nowhere")
		return
	case writes && !a.freshSecond(st):
		a.showCampaign(w, r, st, http.StatusUnauthorized, &deskCampaign{Alert: t("desk.step_up"), Again: a.secondAgain("")})
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), acceptTime)
	defer cancel()
	done, err := a.o.Desk.OrderCampaign(ctx, o)
	refused := new(bot.DeskRefusal)
	switch {
	case errors.As(err, &refused) && refused.Code != bot.DeskNotAgent:
		a.showCampaign(w, r, st, http.StatusConflict, &deskCampaign{Alert: a.refusedWords(st.lang, refused)})
		return
	case errors.Is(err, bot.ErrNotFound):
		a.problemFor(w, r, http.StatusNotFound, "nowhere", true)
		return
	case err != nil:
		a.deskTrouble(w, r, err)
		return
	}
	if o.Do == "delete" {
		http.Redirect(w, r, campaignsPath, http.StatusSeeOther)
		return
	}
	told := func(key string, n int) string { return t("desk.campaign.told."+key, "n", strconv.Itoa(n)) }
	d := &deskCampaign{}
	switch o.Do {
	case "test":
		d.Told = []string{t("desk.campaign.told.test", "way", a.wayWord(st.lang, done.Via))}
	case "send":
		d.Told = []string{t("desk.campaign.told.send")}
		if done.Second {
			d.Told = []string{t("desk.campaign.told.second")}
			if done.Void {
				d.Told = append(d.Told, t("desk.campaign.told.void"))
			}
		}
	case "pause", "stop":
		d.Told = []string{told("recalled", done.Recalled), told("written", done.Written)}
		if done.UnderWay > 0 {
			d.Told = append(d.Told, told("under_way", done.UnderWay))
		}
		if done.Uncertain > 0 {
			d.Told = append(d.Told, told("uncertain", done.Uncertain))
		}
	case "resume":
		d.Told = []string{t("desk.campaign.told.resume")}
	default:
		d.Told = []string{told("again", done.Again)}
	}
	a.showCampaign(w, r, st, http.StatusOK, d)
}

// Percent is the share of all in whole percent, for the bar's text.
func (r campaignRow) Percent() int { return 100 * r.Done / max(1, r.Total) }

// A campaignSite is a school with its bar.
type campaignSite struct {
	bot.CampaignSite
	Label string
	Bar   []barPart
}

type deskCampaignReport struct {
	deskFrame
	Name, Sum, When   string
	Legend            []string
	Sites             []campaignSite
	Days              []bot.CampaignDay
	Line, First, Last string // of the chart: how many had done it, of All
	All               int
}

// atReport gives the report that a request asks for, or answers.
func (a *Adapter) atReport(w http.ResponseWriter, r *http.Request) (*seat, *bot.CampaignReport, bool) {
	st, ok := a.atDesk(w, r)
	if !ok {
		return nil, nil, false
	}
	c, err := a.o.Desk.CampaignReport(r.Context(), st.Person, r.PathValue("campaign"))
	switch {
	case errors.Is(err, bot.ErrNotFound):
		a.problemFor(w, r, http.StatusNotFound, "nowhere", true)
	case err != nil:
		a.deskTrouble(w, r, err)
	default:
		return st, c, true
	}
	return nil, nil, false
}

// deskCampaignReport shows what a campaign has come to.
func (a *Adapter) deskCampaignReport(w http.ResponseWriter, r *http.Request) {
	st, c, ok := a.atReport(w, r)
	if !ok {
		return
	}
	t := a.words.in(st.lang)
	d := &deskCampaignReport{deskFrame: a.deskFrame(st), Name: c.ID, When: bot.Moment(a.o.Phrases, st.lang, c.Plan.Zone, c.At), Legend: []string{"done", "begun", "lost"}, Days: c.Days}
	d.Title = t("desk.campaign.report.title", "name", c.ID)
	for i := range c.Sites {
		x := c.Sites[i]
		site := campaignSite{x, bot.Harmless(x.Name), nil}
		switch {
		case i == len(c.Sites)-1:
			site.Label, d.All = t("desk.campaign.all"), x.People
			d.Sum = t("desk.campaign.report.sum", "done", strconv.Itoa(x.Done), "all", strconv.Itoa(x.People))
		case site.Label == "":
			site.Label = t("desk.campaign.no_site")
		}
		at := 0.0
		for j, n := range []int{x.Done, x.Begun, x.Lost} {
			width := 100 * float64(n) / float64(max(1, x.People))
			site.Bar = append(site.Bar, barPart{d.Legend[j], at, width})
			at += width
		}
		d.Sites = append(d.Sites, site)
	}
	if n := len(c.Days); n > 1 {
		var points []string
		for i, day := range c.Days {
			points = append(points, fmt.Sprintf("%.1f,%.1f", 100*float64(i)/float64(n-1), 100-98*float64(day.Done)/float64(max(1, d.All))))
		}
		d.Line, d.First, d.Last = strings.Join(points, " "), c.Days[0].Day, c.Days[n-1].Day
	}
	a.deskPage(w, r, http.StatusOK, "desk_campaign_report", st.lang, d.Title, d)
}

// deskCampaignCSV gives the report as a file.
func (a *Adapter) deskCampaignCSV(w http.ResponseWriter, r *http.Request) {
	_, c, ok := a.atReport(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="campaign-`+c.ID+`.csv"`)
	if err := bot.WriteCSV(w, bot.CampaignRows(c.Sites)); err != nil && r.Context().Err() == nil {
		a.o.Log.Debug("web: the report of a campaign is cut off", "err", err)
	}
}
