package campaign

import (
	"fmt"
	"time"

	"latchkey/bot"
)

// Moment is a time for operators, in a zone that it names.
func Moment(t time.Time, zone string) string {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc, zone = time.UTC, "UTC"
	}
	return t.In(loc).Format("2006-01-02 15:04") + " (" + zone + ")"
}

// Waits says why nobody new is written to now, where nothing is wrong; empty: they are.
func (s *Service) Waits(tx bot.Tx, c *bot.Campaign) (string, error) {
	now, cal := tx.Now(), s.calendar(&c.Plan, "")
	switch {
	case c.ID == bot.CampaignLater:
		return "", nil
	case c.State == bot.CampaignDraft && c.SentBy != "":
		return "for the second operator, who gives the same order as " + c.SentBy, nil
	case c.State == bot.CampaignScheduled:
		return "until " + Moment(c.Next, c.Plan.Zone), nil
	case c.State != bot.CampaignRunning:
		return "", nil
	case !cal.Open(now):
		if next := cal.Next(now); !next.IsZero() {
			return fmt.Sprintf("for the hours of %s, next %s; people in other zones have theirs", c.Plan.Zone, Moment(next, c.Plan.Zone)), nil
		}
		return "for its hours, and none of them is within months", nil
	case now.Before(c.FirstEnd):
		return fmt.Sprintf("%d %% went first, the rest from %s", c.Plan.First, Moment(cal.Next(c.FirstEnd), c.Plan.Zone)), nil
	case c.Plan.PerDay > 0 && c.LetIn >= c.Plan.PerDay && c.Wave == now.In(cal.Location()).Format(time.DateOnly):
		return fmt.Sprintf("the %d people of this day were let in, the next ones follow on the next day with hours", c.LetIn), nil
	}
	if c.Plan.Queue > 0 {
		n, err := waiting(tx)
		if err != nil {
			return "", err
		}
		if n >= c.Plan.Queue {
			return fmt.Sprintf("%d tickets wait, and nobody new is written to before there are less than %d", n, c.Plan.Queue), nil
		}
	}
	return "", nil
}
