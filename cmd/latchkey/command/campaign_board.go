package command

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"time"

	"latchkey/bot"
	"latchkey/bot/campaign"
	"latchkey/bot/readiness"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

//go:embed campaign_board.html
var campaignBoardHTML string

var campaignBoard = template.Must(template.New("board").Parse(campaignBoardHTML))

// A boardView is one sheet for whoever leads the organisation. Numbers are written out.
type boardView struct {
	Org, Campaign, State, Until, Printed string
	Done, People, Share                  string
	Sites                                boardSites
	Readiness                            *boardReadiness // nil: Microsoft's report was never read
	Calls                                *boardCalls     // nil: it has not begun
}

// boardSites is a table by school, of which the sheet has the first ones.
type boardSites struct {
	Rows []boardSite
	More int
}

// A boardSite is a school: its numbers in the order of the table's columns, and a bar
// of them that is 100 wide.
type boardSite struct {
	Name, Share string
	Numbers     []string
	Bar         []boardBar
}

type boardBar struct {
	Class    string
	X, Width float64
}

type boardReadiness struct {
	Survive, AtRisk, Token, Unknown, Age, Policy string
	Share                                        string // of those at risk
	Sites                                        boardSites
}

type boardCalls struct {
	Before, After string // a week
	Over, Days    string // how long each was counted
	Weeks         []boardWeek
	Width         int
	Text          string
}

// A boardWeek is a bar that stands on y = 40.
type boardWeek struct {
	X, Y, H int
	Class   string
}

// boardRows is how many schools stand on the sheet, so that it is one.
const boardRows = 8

// newBoardSite writes the numbers of a school out. The share is that of the first one.
func newBoardSite(name string, people int, classes []string, numbers ...int) boardSite {
	x := boardSite{Name: unitName(name, "school"), Numbers: []string{readiness.Number(people)}, Share: percent(numbers[0], people)}
	at := 0.0
	for i, n := range numbers {
		x.Numbers = append(x.Numbers, readiness.Number(n))
		width := 100 * float64(n) / float64(max(people, 1))
		x.Bar = append(x.Bar, boardBar{classes[i], at, width})
		at += width
	}
	return x
}

func (s *boardSites) add(x boardSite) {
	if len(s.Rows) == boardRows {
		s.More++
		return
	}
	s.Rows = append(s.Rows, x)
}

// newBoard counts what the sheet says.
func newBoard(ctx context.Context, p *program.Program, camps *campaign.Service, id string) (*boardView, error) {
	var r *bot.CampaignReport
	if err := p.DB.View(ctx, func(tx bot.Tx) (err error) { r, err = camps.Report(tx, id); return err }); err != nil {
		return nil, err
	}
	all := r.Sites[len(r.Sites)-1]
	v := &boardView{Org: p.Config.Org.Name, Campaign: r.ID, State: r.State.String(), Until: day(r.Plan.Deadline), Printed: r.At.Local().Format("2 January 2006, 15:04"),
		Done: readiness.Number(all.Done), People: readiness.Number(all.People), Share: percent(all.Done, all.People)}
	sites := slices.Clone(r.Sites[:len(r.Sites)-1])
	slices.SortFunc(sites, func(a, b bot.CampaignSite) int { // where most is left to do first
		return cmp.Or((b.People-b.Done)-(a.People-a.Done), cmp.Compare(a.Name, b.Name))
	})
	for i := range sites {
		x := &sites[i]
		v.Sites.add(newBoardSite(x.Name, x.People, []string{"yes", "begun", "unknown", "no"}, x.Done, x.Begun, x.NotYet(), x.Lost))
	}
	var err error
	if v.Readiness, err = newBoardReadiness(ctx, p); err == nil && !r.BeganAt.IsZero() {
		v.Calls, err = newBoardCalls(ctx, p, r)
	}
	return v, err
}

// newBoardReadiness is who will still get in after 1 February 2027, by school.
func newBoardReadiness(ctx context.Context, p *program.Program) (*boardReadiness, error) {
	r := newReadinessReport(p)
	var err error
	if r.pol, err = program.TenantPolicy(ctx, r.db); err != nil {
		return nil, err
	}
	type counts struct{ people, survive, risk, token, unknown int }
	all, schools := counts{}, map[string]*counts{}
	r.tally = readiness.NewTally()
	err = program.EachVerdict(ctx, r.db, r.pol, r.entra, func(who *bot.Person, g *bot.Registration, j *readiness.Verdict) error {
		if !who.Enrolls() {
			return nil
		}
		r.tally.Add(who, g, j)
		school := schools[who.Site]
		if school == nil {
			school = &counts{}
			schools[who.Site] = school
		}
		for _, c := range []*counts{&all, school} {
			c.people++
			switch j.Survival() {
			case bot.SurvivesYes:
				c.survive++
			case bot.SurvivesNo:
				c.risk++
			default:
				c.unknown++
			}
			if j.NeedsToken() {
				c.token++
			}
		}
		return nil
	})
	if err == nil {
		err = r.lookAtLicence(ctx)
	}
	if err != nil || r.tally.Newest.IsZero() {
		return nil, err
	}
	v := &boardReadiness{Survive: readiness.Number(all.survive), AtRisk: readiness.Number(all.risk), Share: percent(all.risk, all.people), Token: readiness.Number(all.token), Unknown: readiness.Number(all.unknown),
		Age: r.ageText(), Policy: r.policyText()}
	for _, u := range readiness.Units(r.tally.Schools) {
		c := schools[u.Name]
		x := newBoardSite(u.Name, c.people, []string{"no", "yes", "unknown"}, c.risk, c.survive, c.unknown)
		x.Numbers = append(x.Numbers, readiness.Number(c.token))
		v.Sites.add(x)
	}
	return v, nil
}

// callsBefore is how many days before a campaign the calls are counted.
const callsBefore = 28

// newBoardCalls compares the tickets of a week before a campaign began and since; nil:
// what was before is not known any more.
func newBoardCalls(ctx context.Context, p *program.Program, r *bot.CampaignReport) (*boardCalls, error) {
	f, err := p.DeskFigures(ctx, "", "en", 90)
	if err != nil {
		return nil, err
	}
	began := r.BeganAt.In(f.Since.Location()).Format(time.DateOnly)
	at := slices.IndexFunc(f.ByDay, func(d bot.DeskDay) bool { return d.Day == began })
	if at < 7 {
		return nil, nil
	}
	from := max(0, at-callsBefore)
	from += (at - from) % 7 // whole weeks
	sum := func(days []bot.DeskDay) (n int) {
		for _, d := range days {
			n += d.Opened
		}
		return n
	}
	week := func(n, days int) string { return fmt.Sprintf("%.1f", 7*float64(n)/float64(days)) }
	before, after := f.ByDay[from:at], f.ByDay[at:]
	c := &boardCalls{Before: week(sum(before), len(before)), After: week(sum(after), len(after)), Over: textfmt.Count(len(before), "day", "days"), Days: textfmt.Count(len(after), "day", "days")}
	var sums []int
	for days := range slices.Chunk(f.ByDay[from:], 7) {
		sums = append(sums, sum(days))
	}
	most := max(1, slices.Max(sums))
	for i, n := range sums {
		class := "since"
		if i < len(before)/7 {
			class = "before"
		}
		h := 38 * n / most
		c.Weeks = append(c.Weeks, boardWeek{10 * i, 40 - h, h, class})
	}
	c.Width = 10 * len(sums)
	c.Text = fmt.Sprintf("Tickets week by week: %v; the campaign began with number %d.", sums, len(before)/7+1)
	return c, nil
}

// write writes the sheet. It has no program in it, loads nothing and names nobody.
func (v *boardView) write(w io.Writer) error {
	if err := campaignBoard.Execute(w, v); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}
