package load

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"latchkey/bot"
	"latchkey/bot/campaign"
	"latchkey/flows"
	"latchkey/flows/library"
	"latchkey/store"
)

// nudged is a platform on which a campaign writes to people who never wrote: it opens
// conversations, and takes only so many messages a second.
type nudged struct {
	*Platform
	rate float64
}

var _ interface {
	bot.Opener
	bot.Paced
} = nudged{}

// Open implements bot.Opener.
func (n nudged) Open(_ context.Context, p bot.Recipient) (bot.Opened, error) {
	to := fmt.Sprint(n.name, ":", p.Person)
	return bot.Opened{Conversation: bot.ConversationID(to), User: string(p.Person), Address: []byte(to)}, nil
}

// Pace implements bot.Paced.
func (n nudged) Pace() (bot.BudgetID, bot.Rate) {
	return bot.BudgetID{Account: n.name, Method: "send"}, bot.Rate{PerSecond: n.rate, Burst: n.rate}
}

// campaignEvery is how often the clockwork looks, as in the program.
const campaignEvery = 5 * time.Second

// announcements has a campaign write to people on a platform, from when run is called.
func announcements(ctx context.Context, db *store.DB, on nudged, people int, log *slog.Logger) (camps *campaign.Service, run func() error, err error) {
	rep, err := db.ImportPeople(ctx, People(people), store.ImportOptions{})
	if err != nil || !rep.Stored {
		return nil, nil, fmt.Errorf("load: the pretend staff was not stored (%d rows are wrong): %w", rep.Bad, err)
	}
	set, _ := flows.Inspect(library.FS, nil, Catalogue()) // for its phrases
	camps = campaign.New(campaign.Options{Store: db, Phrases: set, Facts: map[string]string{"org": "Load", "bot_name": "Load", "help_phone": "555"}, Channels: []campaign.Channel{{ID: on.name, Opens: true}}, Logger: log})
	id := "load-" + string(on.name)
	err = db.Update(ctx, func(tx bot.Tx) error {
		_, err := camps.New(tx, id, bot.CampaignPlan{Kind: campaign.KindFirst, Deadline: tx.Now().AddDate(0, 1, 0), Hours: []string{"mon-sun 00:00-24:00"}}, "operator:load")
		if err == nil {
			var c *bot.Campaign
			var waits bool
			if c, waits, err = camps.Send(tx, id, "", "operator:load", true); waits {
				_, _, err = camps.Send(tx, id, c.Seen(), "operator:second", true)
			}
		}
		return err
	})
	return camps, func() error {
		for every := time.NewTicker(campaignEvery); ; {
			if err := camps.Tick(ctx); err != nil && ctx.Err() == nil {
				return err
			}
			select {
			case <-ctx.Done():
				every.Stop()
				return nil
			case <-every.C:
			}
		}
	}, err
}
