package campaign_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/bot/campaign"
)

// What was written comes back in the form, and a draft is written over as a whole.
func TestFormComesBackAsItWasWritten(t *testing.T) {
	h := newHouse(t)
	h.staff(3, nil)
	f := bot.CampaignForm{Kind: campaign.KindFirst, Texts: map[string]string{"en": "Hello {name}", "es": "Hola {name}"}, Starts: "2026-12-02 09:30", Deadline: "2026-12-18", Zone: "Europe/Madrid",
		Hours: []string{"mon-thu 08:00-12:00"}, Holidays: []string{"2026-12-08"}, Every: "4", Most: "2", PerDay: "10", Queue: "30", First: "0", Order: "site", Second: "20", Repeat: "90"}
	a := &f.Audience
	a.Who, a.Departments, a.Sites, a.NotDepartments, a.NotSites, a.HiredSince, a.EnrolledDays = bot.AudienceNotEnrolled, []string{"Kitchen"}, []string{"North"}, []string{"Transport"}, []string{"South"}, "2026-08-01", "10"
	a.Kinds, a.People, a.NotPeople = []string{"guest"}, []string{"user000", "user001"}, []string{"user002"}
	both := f
	both.Audience.People = []string{"user000", "user001", "user002"}
	write := func(f *bot.CampaignForm, edit bool) (c *bot.Campaign, err error) {
		err = h.DB.Update(t.Context(), func(tx bot.Tx) error { c, err = h.camps.Write(tx, "autumn", "", f, "operator:ann", edit); return err })
		return c, err
	}
	read := func() (got *bot.CampaignForm) {
		h.view(func(tx bot.Tx) error {
			c, err := tx.Campaign("autumn")
			if err == nil {
				got, err = h.camps.Form(tx, c)
			}
			return err
		})
		return got
	}
	if _, err := write(&both, false); err != nil {
		t.Fatal(err)
	}
	if got := read(); !reflect.DeepEqual(*got, f) {
		t.Errorf("read  %+v\nwrote %+v", *got, f)
	}
	a.People, a.NotPeople, f.First, f.Texts = []string{"user002"}, nil, "1", nil
	if _, err := write(&f, true); err != nil {
		t.Fatal(err)
	}
	if got := read(); !reflect.DeepEqual(*got, f) {
		t.Errorf("read  %+v\nwrote %+v", *got, f)
	}
	// An empty form is complete but for its kind and its last day.
	blank := h.camps.Blank()
	refused := new(campaign.Refused)
	if _, err := write(blank, true); !errors.As(err, &refused) || len(refused.Problems) != 2 {
		t.Errorf("blank: %v", err)
	}
	blank.Kind, blank.Audience.Who, blank.Deadline = campaign.KindSecond, "", "2026-12-18"
	if _, err := write(blank, true); err != nil {
		t.Error(err)
	}
}

// Whatever is wrong in a form is named at its field, all of it at once, and nothing is
// stored.
func TestFormNamesItsFields(t *testing.T) {
	h := newHouse(t)
	h.staff(1, nil)
	for field, change := range map[string]func(*bot.CampaignForm){
		"kind":          func(f *bot.CampaignForm) { f.Kind = "x" },
		"who":           func(f *bot.CampaignForm) { f.Audience.Who = bot.AudienceOneMethod },
		"kinds":         func(f *bot.CampaignForm) { f.Audience.Kinds = []string{"x"} },
		"hired_since":   func(f *bot.CampaignForm) { f.Audience.HiredSince = "May" },
		"people":        func(f *bot.CampaignForm) { f.Audience.People = []string{"zoe"} },
		"not_people":    func(f *bot.CampaignForm) { f.Audience.NotPeople = []string{"zoe"} },
		"starts":        func(f *bot.CampaignForm) { f.Starts = "noon" },
		"deadline":      func(f *bot.CampaignForm) { f.Deadline = "soon" },
		"zone":          func(f *bot.CampaignForm) { f.Zone = "Riverbend" },
		"hours":         func(f *bot.CampaignForm) { f.Hours = []string{"mon"} },
		"holidays":      func(f *bot.CampaignForm) { f.Holidays = []string{"Christmas"} },
		"every":         func(f *bot.CampaignForm) { f.Every = "often" },
		"most":          func(f *bot.CampaignForm) { f.Most = "6" },
		"per_day":       func(f *bot.CampaignForm) { f.PerDay = "-1" },
		"queue":         func(f *bot.CampaignForm) { f.Queue = "x" },
		"first":         func(f *bot.CampaignForm) { f.First = "101" },
		"repeat":        func(f *bot.CampaignForm) { f.Repeat = "3" },
		"enrolled_days": func(f *bot.CampaignForm) { f.Audience.EnrolledDays = "-1" },
		"order":         func(f *bot.CampaignForm) { f.Order = "alphabet" },
		"second":        func(f *bot.CampaignForm) { f.Second = "-1" },
		"texts.es":      func(f *bot.CampaignForm) { f.Texts = map[string]string{"en": "Hello"} },
		"texts.en":      func(f *bot.CampaignForm) { f.Texts = map[string]string{"en": "Hello {nme}", "es": "Hola"} },
	} {
		f := bot.CampaignForm{Kind: campaign.KindFirst, Deadline: "2026-12-18"}
		change(&f)
		err := h.DB.Update(t.Context(), func(tx bot.Tx) error { _, err := h.camps.Write(tx, "bad", "", &f, "operator:ann", false); return err })
		refused := new(campaign.Refused)
		if !errors.As(err, &refused) || len(refused.Problems) != 1 || refused.Problems[0].Field != field {
			t.Errorf("%s: %v, %+v", field, err, refused.Problems)
		}
	}
	f := bot.CampaignForm{Kind: "x", Deadline: "soon", Zone: "Riverbend"}
	err := h.DB.Update(t.Context(), func(tx bot.Tx) error {
		_, err := h.camps.Write(tx, "No name", "", &f, "operator:ann", false)
		return err
	})
	for _, want := range []string{`kind "x"`, `deadline "soon"`, `zone "Riverbend"`, `name "No name"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	h.view(func(tx bot.Tx) error {
		cs, err := tx.Campaigns()
		if len(cs) > 0 {
			t.Errorf("stored: %+v", cs)
		}
		return err
	})
}
