package command

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"latchkey/bot/readiness"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

//go:embed status_page.html
var statusPageHTML string

var statusPage = template.Must(template.New("status").Parse(statusPageHTML))

// topUnits is how many schools stand on the first page, so that it is one.
const topUnits = 5

// A pageView is what the page shows. Numbers are written out.
type pageView struct {
	Org, People, Left, Age, ShortAge, Settings, Printed string
	Policy                                              string // how old it is
	Appendix                                            bool
	AtRisk, AtRiskShare, Loses                          string // empty: nobody
	Sides                                               []pageSide
	Trend                                               *pageTrend
	Top                                                 pageUnits
	All, Departments                                    *pageUnits // nil: the first page has all of them
	TopMore                                             string
	Do                                                  []pageDo
	Nudging, Advice, Differs                            []string
}

type pageSide struct {
	Title, Share, Lead, Microsoft string
	Parts                         []pagePart
	Notes                         string // what the less plain of the parts mean
}

type pagePart struct {
	Class, Text, Count, Share string
	Width                     int
}

type pageDo struct{ Count, Text string }

type pageUnits struct {
	What, Caption, Before string
	Rows                  []pageUnit
}

type pageUnit struct {
	Name, People, SignIn, Reset, AtRisk, Share, Change string
	Width                                              int // of the gauge, in percent
}

type pageTrend struct{ Points, Text string }

// answerClass is the colour of an answer.
var answerClass = map[readiness.Answer]string{readiness.Yes: "yes", readiness.No: "no", readiness.Off: "off", readiness.Unprotected: "none", readiness.NotKnown: "unknown", readiness.NotJudged: "unknown"}

// writePage writes one sheet to print, and an appendix on sheets of its own if
// that is wanted. It has no program in it, loads nothing and names nobody.
func (r *readinessReport) writePage(w io.Writer, appendix bool) error {
	c := &r.tally.All
	v := pageView{Org: r.org + r.only.String(), People: textfmt.Count(c.People, "member of staff", "staff"), Left: textfmt.Count(r.daysLeft(), "day", "days") + " left", Age: r.ageText(), ShortAge: r.shortAge(), Settings: r.settingsText(),
		Policy: r.policyText(), Appendix: appendix, Printed: r.now.Local().Format("2 January 2006, 15:04"), Nudging: readiness.Nudging(r.pol, c), Advice: readiness.Advice(r.pol, c), Differs: differences(c)}
	if c.AtRisk > 0 {
		v.AtRisk, v.AtRiskShare, v.Loses = readiness.Number(c.AtRisk), percent(c.AtRisk, c.People), losesText(c)
	}
	signIn := pageSide{Title: "Sign in", Lead: "will sign in with a second factor that goes on", Share: percent(c.SignIn.Yes, c.People), Microsoft: countShare(c.SignIn.Microsoft, c.People)}
	reset := pageSide{Title: "Reset a forgotten password", Lead: "will be able to reset it without help", Share: percent(c.Reset.Yes, c.People), Microsoft: countShare(c.Reset.Microsoft, c.People)}
	for _, l := range answerLines(c) {
		text := strings.ToLower(l.text)
		if l.signIn > 0 || l.always {
			signIn.Parts = append(signIn.Parts, pagePart{answerClass[l.answer], text, readiness.Number(l.signIn), percent(l.signIn, c.People), l.signIn})
		}
		if l.reset > 0 || l.always {
			reset.Parts = append(reset.Parts, pagePart{answerClass[l.answer], text, readiness.Number(l.reset), percent(l.reset, c.People), l.reset})
		}
	}
	signIn.Notes, reset.Notes = answerNotes(&c.SignIn), answerNotes(&c.Reset)
	v.Sides = []pageSide{signIn, reset}
	for _, rem := range readiness.Remedies() {
		if n := c.Do[rem]; n > 0 {
			v.Do = append(v.Do, pageDo{readiness.Number(n), "to " + rem.Text()})
		}
	}
	all, departments := r.pageUnits("school", program.SchoolUnit, r.tally.Schools), r.pageUnits("department", program.DepartmentUnit, r.tally.Departments)
	if r.only.school != "" { // of one school, the departments
		all = departments
	} else if r.only.department == "" {
		v.Departments = &departments
	}
	v.Top = all
	if more := len(all.Rows) - topUnits; more > 1 {
		v.Top.Rows, v.All = all.Rows[:topUnits], &all
		v.TopMore = fmt.Sprintf("The %d with most people at risk, of %d.", topUnits, len(all.Rows))
		if appendix {
			v.TopMore += " All of them stand in the appendix."
		}
	}
	v.Trend = r.pageTrend()
	if err := statusPage.Execute(w, v); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// answerNotes says what those answers mean that nobody can guess, as far as
// there are any. The sheet goes alone from hand to hand.
func answerNotes(s *readiness.Split) string {
	var notes []string
	for _, x := range []struct {
		answer readiness.Answer
		note   string
	}{
		{readiness.Unprotected, "No second factor to lose: only a password protects them."},
		{readiness.Off, "Switched off: in the tenant, whatever they add."},
		{readiness.NotKnown, "Not known: the report lacks them, or says too little."},
		{readiness.NotJudged, "External users: their own organization decides."},
	} {
		if s.Of(x.answer) > 0 {
			notes = append(notes, x.note)
		}
	}
	return strings.Join(notes, " ")
}

// countShare is a count with its part of all: "8 (80%)".
func countShare(n, of int) string { return readiness.Number(n) + " (" + percent(n, of) + ")" }

func (r *readinessReport) pageUnits(what, prefix string, counts map[string]*readiness.Counts) pageUnits {
	u := pageUnits{What: what, Caption: "Most people at risk first. Of the report, " + r.shortAge() + "."}
	all := readiness.Units(counts)
	if len(all) == 1 && all[0].Name == "" {
		u.Caption = "Nobody's " + what + " is known."
		return u
	}
	for _, x := range all {
		change := r.change(prefix, &x)
		if change != "" {
			u.Before = dayText(r.before)
		}
		u.Rows = append(u.Rows, pageUnit{unitName(x.Name, what), readiness.Number(x.People), readiness.Number(x.SignIn.No), readiness.Number(x.Reset.No), readiness.Number(x.AtRisk),
			percent(x.AtRisk, x.People), change, x.AtRisk * 100 / max(x.People, 1)})
	}
	return u
}

// pageTrend draws how many were at risk on each day; nil: there is no earlier day.
func (r *readinessReport) pageTrend() *pageTrend {
	if len(r.trend) < 2 {
		return nil
	}
	first, last := r.trend[0], r.trend[len(r.trend)-1]
	begin, err := time.Parse(time.DateOnly, first.Day)
	if err != nil {
		return nil
	}
	end, err := time.Parse(time.DateOnly, last.Day)
	if err != nil {
		return nil
	}
	most := 1
	for _, d := range r.trend {
		most = max(most, d.AtRisk)
	}
	var points []string
	for _, d := range r.trend {
		at, err := time.Parse(time.DateOnly, d.Day)
		if err != nil {
			continue
		}
		points = append(points, fmt.Sprintf("%.1f,%.1f", 1+98*float64(at.Sub(begin))/float64(end.Sub(begin)), 22-20*float64(d.AtRisk)/float64(most)))
	}
	return &pageTrend{strings.Join(points, " "), fmt.Sprintf("At risk: %s on %s, %s on %s.", readiness.Number(first.AtRisk), dayText(first.Day), readiness.Number(last.AtRisk), dayText(last.Day))}
}
