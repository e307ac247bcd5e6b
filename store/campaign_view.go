package store

import (
	"fmt"
	"strings"
	"time"

	"latchkey/bot"
)

// CampaignNames implements bot.CampaignViewTx.
func (t *tx) CampaignNames(campaign string, leaveOut bool) (ps []bot.PersonID, err error) {
	err = t.c.(texter).ask(`SELECT person FROM campaign_name WHERE campaign = $1 AND leave_out = $2 ORDER BY person`, func(r row) { ps = append(ps, bot.PersonID(r.text(0))) }, campaign, flag(leaveOut))
	return ps, wrap("read whom a campaign names", err)
}

// FindParts implements bot.CampaignViewTx.
func (t *tx) FindParts(campaign string, f bot.PartFilter) (ps []bot.FoundPart, err error) {
	text := `SELECT ` + partTable.names("c.") + `, coalesce(p.name, ''), coalesce(p.username, ''), coalesce(p.site, '') FROM campaign_part c LEFT JOIN person p ON p.id = c.person
		WHERE c.campaign = $1 AND c.person > $2`
	args := []any{campaign, string(f.After)}
	if f.State != nil {
		args = append(args, int64(*f.State))
		text += fmt.Sprintf(` AND c.state = $%d`, len(args))
	}
	if f.Search != "" {
		where, more := matches(strings.ToLower(f.Search), len(args))
		text, args = text+where, append(args, more...)
	}
	args = append(args, int64(f.Limit))
	err = t.c.(texter).ask(text+fmt.Sprintf(` ORDER BY c.person LIMIT $%d`, len(args)), func(r row) {
		ps = append(ps, bot.FoundPart{CampaignPart: scanPart(r), Name: r.text(partWidth), Username: r.text(partWidth + 1), Site: r.text(partWidth + 2)})
	}, args...)
	return ps, wrap("find people in a campaign", err)
}

// CampaignSteps implements bot.CampaignViewTx.
func (t *tx) CampaignSteps(campaign string) (ss []bot.CampaignStep, err error) {
	err = t.c.(texter).ask(`SELECT step, progress, count(*) FROM campaign_part WHERE campaign = $1 AND state IN (`+fmt.Sprintf("%d, %d", bot.PartStarted, bot.PartAtStep)+`) AND step <> ''
		GROUP BY step, progress ORDER BY 3 DESC, 1, 2`, func(r row) {
		ss = append(ss, bot.CampaignStep{Title: r.text(0), Progress: r.text(1), N: int(r.int(2))})
	}, campaign)
	return ss, wrap("count the steps of a campaign", err)
}

// CampaignTickets implements bot.CampaignViewTx.
func (t *tx) CampaignTickets(campaign string) (ts []bot.CampaignTicket, err error) {
	err = t.c.(texter).ask(`SELECT k.flow, k.step, k.error, count(*) FROM campaign_part c JOIN ticket k ON k.person = c.person AND k.at >= c.first_at
		WHERE c.campaign = $1 AND c.first_at <> 0 GROUP BY k.flow, k.step, k.error ORDER BY 4 DESC, 1, 2, 3`, func(r row) {
		ts = append(ts, bot.CampaignTicket{Flow: r.text(0), Step: r.text(1), Error: r.text(2), N: int(r.int(3))})
	}, campaign)
	return ts, wrap("count the tickets of a campaign", err)
}

// CampaignDone implements bot.CampaignViewTx.
func (t *tx) CampaignDone(campaign string) (days []bot.CampaignDay, err error) {
	err = t.c.(texter).ask(`SELECT p.done_at / 86400000, count(*) FROM campaign_part c JOIN person p ON p.id = c.person WHERE c.campaign = $1 AND c.state = `+fmt.Sprint(int(bot.PartEnrolled))+` AND p.done_at <> 0
		GROUP BY p.done_at / 86400000 ORDER BY 1`, func(r row) {
		days = append(days, bot.CampaignDay{Day: time.UnixMilli(r.int(0) * 86400000).UTC().Format(time.DateOnly), Done: int(r.int(1))})
	}, campaign)
	return days, wrap("count a campaign by day", err)
}

// CampaignPace implements bot.CampaignViewTx.
func (t *tx) CampaignPace(campaign string, since time.Time) (n int, err error) {
	err = t.c.(texter).ask(`SELECT count(*) FROM campaign_part WHERE campaign = $1 AND first_at <> 0 AND first_at >= $2`, func(r row) { n = int(r.int(0)) }, campaign, millis(since))
	return n, wrap("measure the pace of a campaign", err)
}
