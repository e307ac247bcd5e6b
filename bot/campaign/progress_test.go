package campaign_test

import (
	"fmt"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/campaign"
)

func (h *house) progress(id string) (p *campaign.Progress) {
	h.Helper()
	h.view(func(tx bot.Tx) error {
		c, err := tx.Campaign(id)
		if err == nil {
			p, err = h.camps.Progress(tx, c, "en")
		}
		return err
	})
	return p
}

func (h *house) view(fn func(bot.Tx) error) {
	h.Helper()
	if err := h.DB.View(h.Context(), fn); err != nil {
		h.Fatal(err)
	}
}

// How long it will take is said by the plan's number for a day, else by the pace of
// the last minutes, and not while it waits.
func TestProgressSaysHowLong(t *testing.T) {
	h := newHouse(t)
	h.staff(40, nil)
	h.send("days", func(p *bot.CampaignPlan) { p.First, p.PerDay = 0, 15 })
	h.tick()
	if p := h.progress("days"); p.Left != 25 || p.Days != 2 || p.Rest != 0 || p.Total != 40 || p.Written != 15 {
		t.Errorf("by days: %+v", p)
	}
	if p := h.progress("days"); p.Waits == "" {
		t.Error("the people of this day were let in, and it does not say so")
	}

	h = newHouse(t)
	h.staff(40, nil)
	h.send("first", func(p *bot.CampaignPlan) { p.First = 25 })
	h.tick()
	if p := h.progress("first"); p.Left != 30 || p.Rest != 0 || p.Waits == "" {
		t.Errorf("the first went ahead: %+v", p)
	}
	h.Clock.Advance(time.Hour + time.Minute)
	h.update(func(tx bot.Tx) error { // ten of the rest in the last minutes
		n, err := tx.LetIn("first", 10, tx.Now())
		if n != 10 {
			t.Errorf("%d let in", n)
		}
		return err
	})
	ps := []bot.CampaignPart{}
	h.view(func(tx bot.Tx) (err error) { ps, err = tx.PartsIn("first", bot.PartWaiting, "", 40); return err })
	h.update(func(tx bot.Tx) error {
		for i := range ps[:10] {
			ps[i].State, ps[i].FirstAt = bot.PartAccepted, tx.Now().Add(-time.Minute)
			if err := tx.PutPart(&ps[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if p := h.progress("first"); p.Left != 20 || p.Rest != 20*time.Minute || p.Waits != "" {
		t.Errorf("at a pace of one a minute: %+v", p)
	}
}

// Steps stand in the order of the script, each with what had failed most often there.
func TestStepsInOrderWithTheCommonestReason(t *testing.T) {
	h := newHouse(t)
	h.staff(7, nil)
	h.camps = campaign.New(campaign.Options{Store: h.DB, Phrases: h.Enroll.Phrases, Title: func(flow, step, _ string) string { return flow + " " + step }})
	h.update(func(tx bot.Tx) error {
		for i, x := range []struct{ step, progress, failed string }{
			{"enroll number", "Step 9 of 11", "late"}, {"enroll number", "Step 9 of 11", ""}, {"enroll store", "Step 10 of 11", "no_phone"}, {"enroll store", "Step 10 of 11", "no_phone"}, {"enroll store", "Step 10 of 11", "asked"}, {"talk", "", ""}, {"", "", ""},
		} {
			who := bot.PersonID(fmt.Sprintf("p%03d", i))
			if err := tx.PutPart(&bot.CampaignPart{Campaign: "x", Person: who, Token: string(who), State: bot.PartAtStep, Step: x.step, Progress: x.progress, FirstAt: tx.Now().Add(-time.Hour)}); err != nil {
				return err
			}
			step := x.step
			if len(step) > 7 {
				step = step[7:]
			}
			if err := tx.PutTicket(&bot.Ticket{ID: "K" + string(who), Conversation: bot.ConversationID("k-" + who), Person: who, Flow: "enroll", Step: step, Error: x.failed, At: tx.Now()}); err != nil {
				return err
			}
		}
		return nil
	})
	var got []bot.CampaignStep
	h.view(func(tx bot.Tx) (err error) { got, err = h.camps.Steps(tx, "x"); return err })
	want := fmt.Sprintf("%+v", []bot.CampaignStep{
		{Title: "enroll number", Progress: "Step 9 of 11", N: 2, Why: "late", Whys: 1},
		{Title: "enroll store", Progress: "Step 10 of 11", N: 3, Why: "no_phone", Whys: 2},
		{Title: "talk", N: 1},
	})
	if fmt.Sprintf("%+v", got) != want {
		t.Errorf("steps\n%+v\nwant\n%s", got, want)
	}
}
