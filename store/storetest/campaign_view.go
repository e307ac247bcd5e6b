package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"latchkey/bot"
)

// What is read of a campaign for its page.
func testCampaignView(t *testing.T, s bot.Store) {
	Seed(t, s, bot.Person{ID: "a", Username: "ada", Name: "Ada Ünal", Site: "North"}, bot.Person{ID: "b", Username: "ben", Email: "ben_1@example.org", Name: "Ben Hollis"}, bot.Person{ID: "c", Username: "cho", Name: "Cho Kim"}, bot.Person{ID: "d", Username: "dee", Name: "Dee Fox"})
	var now time.Time
	update(t, s, func(tx bot.Tx) error {
		now = tx.Now()
		for _, p := range []bot.CampaignPart{
			{Campaign: "x", Person: "a", Token: "ta", State: bot.PartAtStep, Step: "Store", Progress: "Step 2 of 7", FirstAt: now.Add(-time.Hour)},
			{Campaign: "x", Person: "b", Token: "tb", State: bot.PartAtStep, Step: "Store", Progress: "Step 2 of 7", FirstAt: now.Add(-time.Minute)},
			{Campaign: "x", Person: "c", Token: "tc", State: bot.PartWaiting},
			{Campaign: "x", Person: "d", Token: "td", State: bot.PartEnrolled},
			{Campaign: "x", Person: "gone", Token: "tg", State: bot.PartSuppressed, Why: "gone"},
			{Campaign: "y", Person: "a", Token: "ya", State: bot.PartAtStep, Step: "Number", FirstAt: now},
		} {
			if err := tx.PutPart(&p); err != nil {
				return err
			}
		}
		for _, k := range []bot.Ticket{
			{ID: "K1", Conversation: "1", Person: "a", Flow: "enroll", Step: "store", Error: "no_phone", At: now}, {ID: "K2", Conversation: "2", Person: "b", Flow: "enroll", Step: "store", Error: "no_phone", At: now},
			{ID: "K3", Conversation: "3", Person: "b", Flow: "enroll", Step: "number", Error: "late", At: now}, {ID: "K4", Conversation: "4", Person: "b", Flow: "enroll", Step: "store", Error: "before", At: now.Add(-time.Hour)},
			{ID: "K5", Conversation: "5", Person: "c", Flow: "enroll", Step: "store", Error: "not written to", At: now},
		} {
			if err := tx.PutTicket(&k); err != nil {
				return err
			}
		}
		return errors.Join(tx.SetStage("d", bot.Enrolled, now), tx.SetStage("a", bot.Enrolled, now), tx.NamePerson("x", "b", false), tx.NamePerson("x", "a", false), tx.NamePerson("x", "c", true), tx.NamePerson("y", "c", false))
	})
	waiting := bot.PartWaiting
	view(t, s, func(tx bot.Tx) error {
		for _, x := range []struct {
			f    bot.PartFilter
			want []bot.PersonID
		}{
			{bot.PartFilter{}, []bot.PersonID{"a", "b", "c", "d", "gone"}}, {bot.PartFilter{After: "b"}, []bot.PersonID{"c", "d", "gone"}}, {bot.PartFilter{Limit: 1, After: "a"}, []bot.PersonID{"b"}},
			{bot.PartFilter{Search: "HOLL"}, []bot.PersonID{"b"}}, {bot.PartFilter{Search: "ben_1@"}, []bot.PersonID{"b"}}, {bot.PartFilter{Search: "%"}, nil}, {bot.PartFilter{State: &waiting}, []bot.PersonID{"c"}},
			{bot.PartFilter{State: &waiting, Search: "ada"}, nil},
		} {
			if x.f.Limit == 0 {
				x.f.Limit = 10
			}
			ps, err := tx.FindParts("x", x.f)
			var got []bot.PersonID
			for _, p := range ps {
				got = append(got, p.Person)
			}
			if err != nil || !slices.Equal(got, x.want) {
				t.Errorf("%+v finds %v, %v, want %v", x.f, got, err, x.want)
			}
		}
		ps, err := tx.FindParts("x", bot.PartFilter{Limit: 5})
		if err != nil || ps[0].Name != "Ada Ünal" || ps[0].Username != "ada" || ps[0].Site != "North" || ps[0].Step != "Store" || ps[4].Name != "" || ps[4].Why != "gone" {
			t.Errorf("parts %+v, %v", ps, err)
		}
		for out, want := range map[bool][]bot.PersonID{false: {"a", "b"}, true: {"c"}} {
			if got, err := tx.CampaignNames("x", out); err != nil || !slices.Equal(got, want) {
				t.Errorf("named %v, %v, want %v", got, err, want)
			}
		}
		steps, err := tx.CampaignSteps("x")
		if want := []bot.CampaignStep{{Title: "Store", Progress: "Step 2 of 7", N: 2}}; err != nil || !slices.Equal(steps, want) {
			t.Errorf("steps %+v, %v", steps, err)
		}
		ks, err := tx.CampaignTickets("x")
		if want := []bot.CampaignTicket{{Flow: "enroll", Step: "store", Error: "no_phone", N: 2}, {Flow: "enroll", Step: "number", Error: "late", N: 1}}; err != nil || !slices.Equal(ks, want) {
			t.Errorf("tickets %+v, %v", ks, err)
		}
		if days, err := tx.CampaignDone("x"); err != nil || len(days) != 1 || days[0].Day != now.UTC().Format(time.DateOnly) || days[0].Done != 1 {
			t.Errorf("done by day: %+v, %v", days, err)
		}
		for back, want := range map[time.Duration]int{2 * time.Hour: 2, 10 * time.Minute: 1, time.Second: 0} {
			if n, err := tx.CampaignPace("x", now.Add(-back)); err != nil || n != want {
				t.Errorf("in %s: %d, %v, want %d", back, n, err, want)
			}
		}
		return nil
	})
}
