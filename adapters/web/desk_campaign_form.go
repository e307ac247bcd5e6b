package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"latchkey/bot"
)

// A campaignField is a field of the form, in words.
type campaignField struct {
	ID, Label, Hint string
	Value           string
	Choices         []deskChoice // to choose from; else it is typed
	Long            bool
	Lang            string // of a text
	Wrong           string // what is wrong in it, in English
}

type deskCampaignForm struct {
	deskFrame
	Name, Action, Back string
	Seen               string // the draft that it changes
	Edit               bool
	Names              string // in braces
	Others             []deskChoice
	Chosen             map[string]bool
	Wrong              bot.CampaignProblems
	Alert, Again       string

	t      func(key string, kv ...string) string
	values map[string]string
	form   *bot.DeskCampaignForm
	a      *Adapter
}

// otherKinds are accounts that are in an audience only when it says so.
var otherKinds = []bot.PersonKind{bot.Guest, bot.Pupil, bot.Service, bot.Shared, bot.Place}

// Field is a field by its name.
func (d *deskCampaignForm) Field(id string) campaignField {
	f := campaignField{ID: id, Label: d.t("desk.campaign.form." + id), Value: d.values[id]}
	if s := d.t("desk.campaign.form." + id + ".hint"); !strings.HasPrefix(s, "<") {
		f.Hint = s
	}
	for _, p := range d.Wrong {
		if p.Field == id {
			f.Wrong = strings.TrimSpace(f.Wrong + " " + p.Text)
		}
	}
	switch id {
	case "kind":
		f.Choices = d.choose(d.form.Kinds, "desk.campaign.kind.", false)
	case "who":
		f.Choices = d.choose(bot.Audiences(), "desk.campaign.who.", true)
	case "order":
		f.Choices = d.choose([]string{"random", "site"}, "desk.campaign.order.", false)
	case "people", "not_people", "holidays":
		f.Long = true
	}
	return f
}

// choose offers values; with none, also that nothing is said.
func (d *deskCampaignForm) choose(values []string, key string, none bool) (list []deskChoice) {
	if none {
		list = append(list, deskChoice{"", d.t(key + "none")})
	}
	for _, v := range values {
		list = append(list, deskChoice{v, d.t(key + v)})
	}
	return list
}

// Fields are several.
func (d *deskCampaignForm) Fields(ids ...string) (list []campaignField) {
	for _, id := range ids {
		list = append(list, d.Field(id))
	}
	return list
}

// Texts are the fields of the campaign's own words.
func (d *deskCampaignForm) Texts() (list []campaignField) {
	for _, l := range d.form.Languages {
		f := d.Field("texts." + l)
		f.Label, f.Hint, f.Long, f.Lang = d.a.tongue(d.Lang, l), "", true, l
		list = append(list, f)
	}
	return list
}

// planFields are the fields of a plan, but its texts.
var planFields = []string{"kind", "who", "sites", "not_sites", "departments", "not_departments", "kinds", "hired_since", "enrolled_days", "people", "not_people",
	"starts", "deadline", "zone", "hours", "holidays", "every", "most", "repeat", "per_day", "queue", "first", "order", "second"}

// planned is a whole plan in words, but its texts: what says nothing is left out.
func (a *Adapter) planned(lang string, f *bot.CampaignForm) (list []campaignField) {
	t := a.words.in(lang)
	d := &deskCampaignForm{t: t, values: campaignValues(f), form: &bot.DeskCampaignForm{Kinds: []string{f.Kind}}}
	var kinds []string
	for _, k := range f.Audience.Kinds {
		kinds = append(kinds, t("desk.campaign.account."+k))
	}
	d.values["kinds"] = strings.Join(kinds, ", ")
	for _, x := range d.Fields(planFields...) {
		if x.Value == "" || x.Value == "0" {
			continue
		}
		for _, c := range x.Choices {
			if c.Value == x.Value {
				x.Value = c.Label
				break
			}
		}
		list = append(list, x)
	}
	return list
}

// campaignValues are the fields as they are typed.
func campaignValues(f *bot.CampaignForm) map[string]string {
	values := map[string]string{}
	for field, v := range campaignWords(f) {
		values[field] = *v
	}
	for field, v := range campaignLists(f) {
		values[field] = strings.Join(*v, ", ")
	}
	for l, text := range f.Texts {
		values["texts."+l] = text
	}
	return values
}

// campaignLists are the fields that hold several things, apart by commas or lines.
func campaignLists(f *bot.CampaignForm) map[string]*[]string {
	a := &f.Audience
	return map[string]*[]string{"sites": &a.Sites, "not_sites": &a.NotSites, "departments": &a.Departments, "not_departments": &a.NotDepartments,
		"people": &a.People, "not_people": &a.NotPeople, "hours": &f.Hours, "holidays": &f.Holidays, "kinds": &a.Kinds}
}

// campaignWords are those that hold one.
func campaignWords(f *bot.CampaignForm) map[string]*string {
	return map[string]*string{"kind": &f.Kind, "who": &f.Audience.Who, "hired_since": &f.Audience.HiredSince, "starts": &f.Starts, "deadline": &f.Deadline, "zone": &f.Zone,
		"every": &f.Every, "most": &f.Most, "per_day": &f.PerDay, "queue": &f.Queue, "first": &f.First, "order": &f.Order, "second": &f.Second, "repeat": &f.Repeat, "enrolled_days": &f.Audience.EnrolledDays}
}

// readCampaignForm reads what was typed.
func readCampaignForm(r *http.Request, langs []string) *bot.CampaignForm {
	f := &bot.CampaignForm{Texts: map[string]string{}}
	for id, to := range campaignWords(f) {
		*to = bot.Harmless(strings.TrimSpace(r.PostForm.Get(id)))
	}
	for id, to := range campaignLists(f) {
		*to = []string{} // said to be none
		for _, v := range r.PostForm[id] {
			for item := range strings.FieldsFuncSeq(v, func(c rune) bool { return c == ',' || c == '\n' || c == '\r' }) {
				if item = bot.Harmless(strings.TrimSpace(item)); item != "" {
					*to = append(*to, item)
				}
			}
		}
	}
	for _, l := range langs {
		f.Texts[l] = bot.Harmless(strings.ReplaceAll(strings.TrimSpace(r.PostForm.Get("texts."+l)), "\r\n", "\n"))
	}
	return f
}

// deskCampaignForm shows the form of a new campaign, or of a draft.
func (a *Adapter) deskCampaignForm(w http.ResponseWriter, r *http.Request) {
	if st, ok := a.atDesk(w, r); ok {
		a.showCampaignForm(w, r, st, http.StatusOK, r.PathValue("campaign"), nil, nil)
	}
}

// showCampaignForm shows the form; with typed, as it was typed.
func (a *Adapter) showCampaignForm(w http.ResponseWriter, r *http.Request, st *seat, code int, id string, typed *bot.CampaignForm, refused *bot.DeskRefusal) {
	form, err := a.o.Desk.CampaignForm(r.Context(), st.Person, id)
	if errors.Is(err, bot.ErrNotFound) {
		a.problemFor(w, r, http.StatusNotFound, "nowhere", true)
		return
	}
	if err != nil {
		a.deskTrouble(w, r, err)
		return
	}
	if typed != nil {
		form.CampaignForm, form.Seen = *typed, r.PostForm.Get("seen") // what they saw
	}
	t := a.words.in(st.lang)
	d := &deskCampaignForm{deskFrame: a.deskFrame(st), Name: id, Edit: id != "", Back: campaignsPath, Action: campaignsPath + "/new", Chosen: map[string]bool{}, t: t, form: form, a: a,
		Names: "{" + strings.Join(form.Placeholders, "} {") + "}", values: campaignValues(&form.CampaignForm)}
	d.values["name"] = bot.Harmless(r.PostForm.Get("name"))
	d.Title = t("desk.campaigns.new")
	if d.Edit {
		d.Title, d.Back, d.Action = t("desk.campaign.edit", "name", id), campaignPath+id, campaignPath+id+"/save"
	}
	d.Seen = form.Seen
	if refused != nil {
		if d.Wrong = refused.Problems; d.Wrong == nil {
			d.Alert = a.refusedWords(st.lang, refused)
		}
	}
	for _, k := range otherKinds {
		d.Others = append(d.Others, deskChoice{string(k), t("desk.campaign.account." + string(k))})
		d.Chosen[string(k)] = slices.Contains(form.Audience.Kinds, string(k))
	}
	a.deskPage(w, r, code, "desk_campaign_form", st.lang, d.Title, d)
}

// deskCampaignWrite stores a new draft.
func (a *Adapter) deskCampaignWrite(w http.ResponseWriter, r *http.Request) {
	if st, ok := a.deskForm(w, r, a.atDesk); ok {
		a.writeCampaign(w, r, st, strings.TrimSpace(r.PostForm.Get("name")), false)
	}
}

// writeCampaign stores what was typed, and shows the draft; or the form again, with what
// is wrong in it.
func (a *Adapter) writeCampaign(w http.ResponseWriter, r *http.Request, st *seat, id string, edit bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), acceptTime)
	defer cancel()
	f := readCampaignForm(r, a.o.Phrases.Languages())
	err := a.o.Desk.WriteCampaign(ctx, st.Person, id, r.PostForm.Get("seen"), f, edit)
	refused := new(bot.DeskRefusal)
	switch {
	case errors.As(err, &refused) && refused.Code != bot.DeskNotAgent:
		if !edit {
			id = ""
		}
		a.showCampaignForm(w, r, st, http.StatusConflict, id, f, refused)
	case errors.Is(err, bot.ErrNotFound):
		a.problemFor(w, r, http.StatusNotFound, "nowhere", true)
	case err != nil:
		a.deskTrouble(w, r, err)
	default:
		http.Redirect(w, r, campaignPath+id, http.StatusSeeOther)
	}
}
