package campaign

import (
	"strconv"
	"strings"
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
func (s *Service) Waits(tx bot.Tx, c *bot.Campaign, lang string) (string, error) {
	say := func(key string, kv ...string) (string, error) {
		return s.o.Phrases.Phrase(lang, "campaign.waits."+key, kv...), nil
	}
	now, cal := tx.Now(), s.calendar(&c.Plan, "")
	switch {
	case c.ID == bot.CampaignLater:
		return "", nil
	case c.State == bot.CampaignDraft && c.SentBy != "":
		return say("second", "by", c.SentBy)
	case c.State == bot.CampaignScheduled:
		return say("until", "at", Moment(c.Next, c.Plan.Zone))
	case c.State != bot.CampaignRunning:
		return "", nil
	case !cal.Open(now):
		if next := cal.Next(now); !next.IsZero() {
			return say("hours", "zone", c.Plan.Zone, "at", Moment(next, c.Plan.Zone))
		}
		return say("no_hours")
	case now.Before(c.FirstEnd):
		return say("first", "percent", strconv.Itoa(c.Plan.First), "at", Moment(cal.Next(c.FirstEnd), c.Plan.Zone))
	case c.Plan.PerDay > 0 && c.LetIn >= c.Plan.PerDay && c.Wave == now.In(cal.Location()).Format(time.DateOnly):
		return say("day", "n", strconv.Itoa(c.LetIn))
	}
	if c.Plan.Queue > 0 {
		n, err := waiting(tx)
		if err != nil {
			return "", err
		}
		if n >= c.Plan.Queue {
			return say("queue", "n", strconv.Itoa(n), "most", strconv.Itoa(c.Plan.Queue))
		}
	}
	return "", nil
}

// PausedBy begins Campaign.Why where an operator has it wait; who it is follows.
const PausedBy = "paused by "

// Stuck says why a campaign waits for an operator; empty: it does not.
func (s *Service) Stuck(c *bot.Campaign, lang string) string {
	if c.Why == "" || c.State != bot.CampaignPaused && c.State != bot.CampaignHalted {
		return ""
	}
	if who, ok := strings.CutPrefix(c.Why, PausedBy); ok {
		return s.o.Phrases.Phrase(lang, "campaign.stuck.by", "by", who)
	}
	word, more, _ := strings.Cut(c.Why, ": ")
	switch word {
	case whyMissed, bot.CampaignRestored, whyAudience, whyFailed, whyDenied, whyAsked:
	default: // an operator's words
		return c.Why
	}
	text := s.o.Phrases.Phrase(lang, "campaign.stuck."+word)
	if more != "" {
		text += " (" + more + ")"
	}
	return text
}
