package campaign

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
)

// A Progress is how far a campaign is at a moment.
type Progress struct {
	*Sum
	At    time.Time
	Left  int           // people who were not written to yet
	Days  int           // of work until they are, by the plan's number for a day; 0: not by days
	Rest  time.Duration // until they are, at the pace of the last minutes; 0: not known
	Waits string        // why nobody new is written to now, in words
}

// paceOf is how far back the pace is measured.
const paceOf = 10 * time.Minute

// Progress says how far a campaign is, and how long it will take.
func (s *Service) Progress(tx bot.Tx, c *bot.Campaign, lang string) (*Progress, error) {
	sum, err := Count(tx, c.ID)
	if err != nil {
		return nil, err
	}
	p := &Progress{Sum: sum, At: tx.Now(), Left: sum.By[bot.PartWaiting]}
	if c.Gathers { // some have no part yet
		p.Left += max(0, c.Audience-sum.Total)
	}
	if p.Waits, err = s.Waits(tx, c, lang); err != nil || c.State != bot.CampaignRunning || p.Left == 0 {
		return p, err
	}
	if c.Plan.PerDay > 0 {
		p.Days = (p.Left + c.Plan.PerDay - 1) / c.Plan.PerDay
		return p, nil
	}
	if p.Waits != "" {
		return p, nil
	}
	span := min(paceOf, max(time.Second, p.At.Sub(c.BeganAt)))
	n, err := tx.CampaignPace(c.ID, p.At.Add(-span))
	if n > 0 {
		p.Rest = span * time.Duration(p.Left) / time.Duration(n)
	}
	return p, err
}

// Steps are where those stand who have begun, in the order of the script, each with
// what had failed most often there.
func (s *Service) Steps(tx bot.Tx, id string) ([]bot.CampaignStep, error) {
	steps, err := tx.CampaignSteps(id)
	if err != nil || len(steps) == 0 || s.o.Title == nil {
		return steps, err
	}
	tickets, err := tx.CampaignTickets(id)
	if err != nil {
		return nil, err
	}
	whys := map[string]map[string]int{}
	for _, k := range tickets {
		if t := s.o.Title(k.Flow, k.Step, "en"); t != "" && k.Error != "" {
			if whys[t] == nil {
				whys[t] = map[string]int{}
			}
			whys[t][k.Error] += k.N
		}
	}
	for i := range steps {
		x := &steps[i]
		for why, n := range whys[x.Title] {
			if n > x.Whys || n == x.Whys && why < x.Why {
				x.Why, x.Whys = why, n
			}
		}
	}
	slices.SortStableFunc(steps, func(a, b bot.CampaignStep) int { return cmp.Compare(place(a.Progress), place(b.Progress)) })
	return steps, nil
}

// place is the 4 of "Step 4 of 7"; what has none comes last.
func place(progress string) int {
	for w := range strings.FieldsSeq(progress) {
		if n, err := strconv.Atoi(w); err == nil {
			return n
		}
	}
	return 1 << 30
}

// Report is what a campaign has come to, by site and by day.
func (s *Service) Report(tx bot.Tx, id string) (*bot.CampaignReport, error) {
	c, err := tx.Campaign(id)
	if err != nil {
		return nil, err
	}
	r := &bot.CampaignReport{Campaign: *c, At: tx.Now()}
	if r.Sites, err = BySite(tx, id); err != nil {
		return nil, err
	}
	if kinds[c.Plan.Kind].flow != "enroll" || c.BeganAt.IsZero() { // when a second method came is not kept
		return r, nil
	}
	done, err := tx.CampaignDone(id)
	end := r.At
	if !c.EndedAt.IsZero() {
		end = c.EndedAt
	}
	sum := 0
	for day := c.BeganAt.UTC().Truncate(24 * time.Hour); !day.After(end); day = day.AddDate(0, 0, 1) {
		name := day.Format(time.DateOnly)
		for len(done) > 0 && done[0].Day <= name {
			sum, done = sum+done[0].Done, done[1:]
		}
		r.Days = append(r.Days, bot.CampaignDay{Day: name, Done: sum})
	}
	return r, err
}
