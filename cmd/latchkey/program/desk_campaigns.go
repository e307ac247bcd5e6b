package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"latchkey/bot"
	"latchkey/bot/campaign"
)

// The pages of campaigns: what operators do by command, for admins of the desk. Who
// may is asked in the transaction of each thing.

// Campaigns implements web.Desk.
func (d deskPages) Campaigns(ctx context.Context, by bot.PersonID, lang string) (list []bot.DeskCampaign, err error) {
	err = d.p.DB.View(ctx, func(tx bot.Tx) error {
		list = nil
		if err := d.p.Desk.Admin(tx, by, ""); err != nil {
			return err
		}
		all, err := tx.Campaigns()
		for i := range all {
			if err == nil && all[i].ID != bot.CampaignLater { // which people ask for themselves
				var c *bot.DeskCampaign
				if c, err = d.campaign(tx, &all[i], by, lang); err == nil {
					list = append(list, *c)
				}
			}
		}
		return err
	})
	return list, err
}

// Campaign implements web.Desk.
func (d deskPages) Campaign(ctx context.Context, by bot.PersonID, lang, id string, f bot.PartFilter) (v *bot.DeskCampaign, err error) {
	limit := f.Limit
	f.Limit++
	err = d.p.DB.View(ctx, func(tx bot.Tx) error {
		if err := d.p.Desk.Admin(tx, by, ""); err != nil {
			return err
		}
		c, err := tx.Campaign(id)
		if err != nil {
			return err
		}
		if v, err = d.campaign(tx, c, by, lang); err != nil {
			return err
		}
		if v.Form, err = d.p.campaigns.Form(tx, c); err != nil {
			return err
		}
		for _, x := range d.p.campaigns.Texts(c, tx.Now()) {
			v.Texts = append(v.Texts, CampaignTexts(&x, d.p.campaigns.Channels())...)
		}
		if c.State == bot.CampaignDraft {
			v.Preview, err = d.preview(tx, id)
			return err
		}
		if v.Steps, err = d.p.campaigns.Steps(tx, id); err != nil {
			return err
		}
		v.Parts, err = tx.FindParts(id, f)
		if v.More = len(v.Parts) > limit; v.More {
			v.Parts = v.Parts[:limit]
		}
		return err
	})
	return v, err
}

// campaign is a campaign with its figures.
func (d deskPages) campaign(tx bot.Tx, c *bot.Campaign, by bot.PersonID, lang string) (*bot.DeskCampaign, error) {
	shown := *c
	if c.State == bot.CampaignDraft {
		if void, err := campaign.Void(tx, c.SentBy); err != nil {
			return nil, err
		} else if void {
			shown.SentBy = ""
		}
	}
	for _, actor := range []*string{&shown.MadeBy, &shown.SentBy, &shown.Approved} {
		if err := named(tx, actor); err != nil {
			return nil, err
		}
	}
	if who, ok := strings.CutPrefix(c.Why, campaign.PausedBy); ok {
		if err := named(tx, &who); err != nil {
			return nil, err
		}
		shown.Why = campaign.PausedBy + who
	}
	far, err := d.p.campaigns.Progress(tx, &shown, lang)
	if err != nil {
		return nil, err
	}
	v := &bot.DeskCampaign{Campaign: shown, Total: far.Total, By: far.By, Done: far.Done, Written: far.Written, Left: far.Left, Days: far.Days, Rest: far.Rest,
		Stuck: d.p.campaigns.Stuck(&shown, lang), Waits: far.Waits, At: far.At, Mine: c.SentBy == agentActor(by)}
	if v.Total == 0 && !c.State.Over() {
		if v.Total, err = tx.CountAudience(c.ID, &c.Plan.Audience); err != nil {
			return nil, err
		}
	}
	v.Asks = v.Total > campaign.Bound(&c.Plan)
	for st, whys := range far.Whys {
		for what, n := range whys {
			v.Whys[st] = append(v.Whys[st], bot.CampaignCount{What: what, N: n})
		}
		slices.SortFunc(v.Whys[st], func(a, b bot.CampaignCount) int { return cmp.Or(b.N-a.N, cmp.Compare(a.What, b.What)) })
	}
	return v, nil
}

// preview is a draft as it would begin now.
func (d deskPages) preview(tx bot.Tx, id string) (*bot.CampaignPreview, error) {
	v, err := d.p.campaigns.Preview(tx, id)
	if err != nil {
		return nil, err
	}
	out := &bot.CampaignPreview{Warnings: v.Warnings}
	for _, x := range v.Sample {
		out.Sample = append(out.Sample, bot.CampaignSample{Name: x.Person.Name, Username: x.Person.Username, Via: x.Via, Why: x.Why, Next: x.Next, Zone: x.Zone})
	}
	return out, nil
}

// CampaignReport implements web.Desk.
func (d deskPages) CampaignReport(ctx context.Context, by bot.PersonID, id string) (r *bot.CampaignReport, err error) {
	err = d.p.DB.View(ctx, func(tx bot.Tx) error {
		if err := d.p.Desk.Admin(tx, by, ""); err != nil {
			return err
		}
		var err error
		r, err = d.p.campaigns.Report(tx, id)
		return err
	})
	return r, err
}

// agentActor is an agent in the audit record.
func agentActor(p bot.PersonID) string { return "agent:" + string(p) }

// named puts an agent's name in the place of their actor.
func named(tx bot.Tx, actor *string) error {
	id, ok := strings.CutPrefix(*actor, agentActor(""))
	if !ok {
		return nil
	}
	who, err := tx.Person(bot.PersonID(id))
	if errors.Is(err, bot.ErrNotFound) { // erased
		return nil
	}
	if err == nil {
		*actor = who.Name
	}
	return err
}

// seenOnPage is what a form was shown for: a form that does not say it was not ours.
func seenOnPage(seen string) string { return cmp.Or(seen, "none") }

// OrderCampaign implements web.Desk.
func (d deskPages) OrderCampaign(ctx context.Context, o bot.CampaignOrder) (a *bot.CampaignAnswer, err error) {
	by, s := agentActor(o.By), d.p.campaigns
	err = s.Order(ctx, func(tx bot.Tx) error {
		a = &bot.CampaignAnswer{}
		if err := d.p.Desk.Admin(tx, o.By, ""); err != nil {
			return err
		}
		var err error
		switch o.Do {
		case "test":
			var who *bot.Person
			if who, err = tx.Person(o.By); err == nil {
				a.Via, err = s.Test(tx, o.Campaign, who, by)
			}
		case "send":
			var c *bot.Campaign
			if c, err = tx.Campaign(o.Campaign); err == nil {
				a.Void, err = campaign.Void(tx, c.SentBy)
			}
			if err != nil {
				return err
			}
			_, a.Second, err = s.Send(tx, o.Campaign, seenOnPage(o.Seen), by, o.Untested)
		case "pause":
			_, a.Recalled, err = s.Pause(tx, o.Campaign, by, campaign.PausedBy+by)
		case "stop":
			_, a.Recalled, err = s.Stop(tx, o.Campaign, by, "stopped by "+by)
		case "delete":
			return s.Delete(tx, o.Campaign, by)
		case "resume":
			_, a.Again, err = s.Resume(tx, o.Campaign, by, false)
		case "again":
			a.Again, err = s.Resend(tx, o.Campaign, by, o.Unknown)
		default:
			err = bot.ErrNotFound
		}
		if err != nil {
			return err
		}
		sum, err := campaign.Count(tx, o.Campaign)
		if err == nil {
			a.Written, a.UnderWay, a.Uncertain = sum.Written, sum.By[bot.PartSent], sum.Whys[bot.PartFailed]["unknown"]
		}
		return err
	})
	return a, refusedByCampaign(err)
}

// refusedByCampaign is an error of the campaigns as the desk's pages know it.
func refusedByCampaign(err error) error {
	if refused := new(campaign.Refused); errors.As(err, &refused) {
		return &bot.DeskRefusal{Code: "campaign", Text: refused.Why, Problems: refused.Problems}
	}
	return err
}

// CampaignForm implements web.Desk.
func (d deskPages) CampaignForm(ctx context.Context, by bot.PersonID, id string) (*bot.DeskCampaignForm, error) {
	f := &bot.DeskCampaignForm{Kinds: campaign.Kinds(), Languages: d.p.Scripts.Languages(), Placeholders: campaign.Placeholders()}
	err := d.p.DB.View(ctx, func(tx bot.Tx) error {
		if err := d.p.Desk.Admin(tx, by, ""); err != nil {
			return err
		}
		if id == "" {
			f.CampaignForm = *d.p.campaigns.Blank()
			if d.p.Connections.device != nil { // whoever tries the demo in the evening waits for nothing
				f.Hours, f.First = []string{"mon-sun 00:00-24:00"}, "0"
			}
			return nil
		}
		c, err := tx.Campaign(id)
		if err == nil && c.State != bot.CampaignDraft { // so that it stays known what people were told
			err = fmt.Errorf("%s is no draft: %w", id, bot.ErrNotFound)
		}
		if err != nil {
			return err
		}
		form, err := d.p.campaigns.Form(tx, c)
		if err == nil {
			f.CampaignForm, f.Seen = *form, c.Seen()
		}
		return err
	})
	return f, err
}

// WriteCampaign implements web.Desk.
func (d deskPages) WriteCampaign(ctx context.Context, by bot.PersonID, id, seen string, f *bot.CampaignForm, edit bool) error {
	return refusedByCampaign(d.p.campaigns.Order(ctx, func(tx bot.Tx) error {
		if err := d.p.Desk.Admin(tx, by, ""); err != nil {
			return err
		}
		_, err := d.p.campaigns.Write(tx, id, seenOnPage(seen), f, agentActor(by), edit)
		return err
	}))
}
