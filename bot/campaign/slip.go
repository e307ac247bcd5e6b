package campaign

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/typed"
)

// A Slip is what a person is handed on paper.
type Slip struct {
	Person *bot.Person
	Lang   string
	Code   string // opens the campaign's script in Lang; it proves nothing
	Until  time.Time
}

const (
	slipDays  = 30
	slipsPage = 500
	codeSigns = 8
)

// Slips gives the slips of a campaign by site: for those of the audience whom no chat
// and no mail reaches, or for all of it. Each printing has codes of its own, one in
// each language.
func (s *Service) Slips(tx bot.Tx, id, site, by string, all bool) (map[string][]Slip, error) {
	c, err := tx.Campaign(id)
	if err != nil {
		return nil, err
	}
	if c.State != bot.CampaignScheduled && c.State != bot.CampaignRunning {
		return nil, refuse("campaign %s is %s: slips are for one that was sent, and whose codes open something", id, c.State)
	}
	now := tx.Now()
	until := now.AddDate(0, 0, slipDays)
	codes := map[string]string{}
	c.Starts = slices.DeleteFunc(c.Starts, func(x bot.StartCode) bool { return !now.Before(x.Until) })
	for _, l := range s.o.Phrases.Languages() {
		codes[l] = newCode()
		c.Starts = append(c.Starts, bot.StartCode{Code: codes[l], Lang: l, Until: until})
	}
	a := *s.audience(c)
	if site != "" {
		a.Sites = []string{site}
	}
	slips, n := map[string][]Slip{}, 0
	for after := bot.PersonID(""); ; {
		ps, err := tx.InAudience(id, &a, after, slipsPage)
		if err != nil {
			return nil, err
		}
		for i := range ps {
			p := &ps[i]
			after = p.ID
			via, err := s.way(tx, &bot.CampaignPart{}, p)
			if err != nil {
				return nil, err
			}
			if via == "" || all {
				l := s.lang(p)
				slips[p.Site] = append(slips[p.Site], Slip{Person: p, Lang: l, Code: codes[l], Until: until})
				n++
			}
		}
		if len(ps) < slipsPage {
			break
		}
	}
	if n == 0 {
		return slips, nil
	}
	for _, list := range slips {
		slices.SortFunc(list, func(x, y Slip) int {
			return cmp.Or(cmp.Compare(x.Person.Department, y.Person.Department), cmp.Compare(x.Person.Name, y.Person.Name))
		})
	}
	if err := tx.PutCampaign(c); err != nil {
		return nil, err
	}
	return slips, audit(tx, by, "campaign.printed", fmt.Sprintf("%s: %d slips, site %q", id, n, site))
}

// longestAsked is the longest line in which the code of a message is looked for.
const longestAsked = 200

// Typed says what begins when somebody types a code: a start code, in its language, or
// that of a message, which is checked; nil: it is none. Whoever types it is nobody more
// than before.
func (s *Service) Typed(tx bot.Tx, ss *bot.Session, text string) (*bot.Begin, error) {
	bare := len(text) <= codeSigns+4
	if len(text) < codeSigns || len(text) > longestAsked || !bare && strings.IndexByte(text, '-') < 0 { // most of what people write
		return nil, nil
	}
	code, ok := typed.Base32(text, codeSigns, codeSigns)
	if !ok {
		return nil, nil
	}
	cs, err := tx.Campaigns()
	if err != nil {
		return nil, err
	}
	for i := range cs {
		c := &cs[i]
		for _, x := range c.Starts {
			if bare && x.Code == code && tx.Now().Before(x.Until) && !c.State.Over() {
				ss.Lang = x.Lang
				return &bot.Begin{Flow: kinds[c.Plan.Kind].flow}, nil
			}
		}
		if f := ss.Top(); c.Code == code && (f == nil || f.Flow != checkFlow) {
			return &bot.Begin{Flow: checkFlow, Facts: []bot.Fact{{Name: "code", Value: code}}}, nil
		}
	}
	return nil, nil
}

// checkFlow says whether a message is ours. It reads itself what is typed in it.
const checkFlow = "check_code"
