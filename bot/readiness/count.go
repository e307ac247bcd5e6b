package readiness

import (
	"slices"
	"strings"
	"time"

	"latchkey/bot"
)

// A Split counts people by answer.
type Split struct {
	Yes         int `json:"yes"`
	No          int `json:"no"`
	Off         int `json:"off"` // reset only
	Unprotected int `json:"noSecondFactor"`
	NotKnown    int `json:"notKnown"`
	NotJudged   int `json:"notJudged"`
	// Microsoft is how many its own flag calls capable today, Loses how many of
	// these will not get in.
	Microsoft int `json:"microsoftToday"`
	Loses     int `json:"loses"`
	// Differs counts why Microsoft's flag says otherwise.
	Differs map[Reason]int `json:"microsoftDiffers,omitempty"`
}

// Of is how many people have an answer.
func (s *Split) Of(a Answer) int { return *s.slot(a) }

func (s *Split) slot(a Answer) *int {
	switch a {
	case Yes:
		return &s.Yes
	case No:
		return &s.No
	case Off:
		return &s.Off
	case Unprotected:
		return &s.Unprotected
	case NotJudged:
		return &s.NotJudged
	}
	return &s.NotKnown
}

func (s *Split) add(side *Side) {
	*s.slot(side.Answer)++
	if side.Microsoft {
		s.Microsoft++
	}
	if side.Loses() {
		s.Loses++
	}
	if side.Differs != "" {
		if s.Differs == nil {
			s.Differs = map[Reason]int{}
		}
		s.Differs[side.Differs]++
	}
}

// Counts are the verdicts on many people.
type Counts struct {
	People int   `json:"people"`
	SignIn Split `json:"signIn"`
	Reset  Split `json:"reset"`
	AtRisk int   `json:"atRisk"` // will not sign in, or not reset
	Admins int   `json:"adminsAtRisk"`
	// Prompted are those whose second factors are texts and calls alone: they
	// meet Microsoft's passkey prompt. Left are those of them who could not
	// reset even with a passkey.
	Prompted int `json:"prompted"`
	Left     int `json:"promptedAndNoReset"`
	Token    int `json:"needToken"`
	// Unreported are not in the report: disabled, deleted, or quite new there.
	Unreported int `json:"notInReport"`
	// Unsure are fine only if the policy's groups or the old settings let them.
	Unsure int `json:"unsure"`
	// Do is the work: how many people need what (Verdict.Plan).
	Do map[Remedy]int `json:"do,omitempty"`
}

// Add counts one person.
func (c *Counts) Add(v *Verdict) {
	c.People++
	c.SignIn.add(&v.SignIn)
	c.Reset.add(&v.Reset)
	if v.Source == "" {
		c.Unreported++
	}
	if v.unsure() {
		c.Unsure++
	}
	if v.TextsOnly() {
		c.Prompted++
		if v.Reset.Answer == No {
			c.Left++
		}
	}
	if !v.AtRisk() {
		return
	}
	c.AtRisk++
	if v.Admin {
		c.Admins++
	}
	if v.NeedsToken() {
		c.Token++
	}
	for _, r := range v.Plan() {
		if c.Do == nil {
			c.Do = map[Remedy]int{}
		}
		c.Do[r]++
	}
}

// unsure reports whether a yes relies on what nobody here can see.
func (v *Verdict) unsure() bool {
	for _, s := range []*Side{&v.SignIn, &v.Reset} {
		if s.Answer == Yes && slices.ContainsFunc(s.Methods, func(c Counted) bool { return c.Reason == "" && c.Unsure != "" }) {
			return true
		}
	}
	return false
}

// TextsOnly reports whether the person signs in today, and texts and calls that
// end are all that it is by: Microsoft stops such people with a passkey prompt
// (concept-sms-voice-retirement).
func (v *Verdict) TextsOnly() bool {
	return v.SignIn.Loses() && slices.ContainsFunc(v.SignIn.Methods, func(c Counted) bool { return c.Reason == TextEnds || c.Reason == CallEnds })
}

// Plan is the least that saves a person's sign-in and reset; empty for whom
// nothing has to be saved.
func (v *Verdict) Plan() (do []Remedy) {
	if v.SignIn.Answer == No {
		do = append(do, v.SignIn.Do[:min(1, len(v.SignIn.Do))]...)
	}
	if v.Reset.Answer == No {
		missing := max(v.Reset.Need-v.Reset.Have, 1)
		for _, r := range v.Reset.Do {
			if missing > 0 || r == AskPerson {
				missing--
				if !slices.Contains(do, r) {
					do = append(do, r)
				}
			}
		}
	}
	return do
}

// A Tally counts a whole staff, and by school and department.
type Tally struct {
	All         Counts
	Schools     map[string]*Counts // by bot.Person.Site; empty: none is known
	Departments map[string]*Counts
	// Oldest and Newest are what times the report gives for what it says of
	// people; ReadAt is when it was read last. Zero: it has none of them.
	Oldest, Newest, ReadAt time.Time
}

// NewTally makes an empty one.
func NewTally() *Tally {
	return &Tally{Schools: map[string]*Counts{}, Departments: map[string]*Counts{}}
}

// Add counts one person of the list. It reports false for those who do not
// count: pupils, rooms, and whose account is off.
func (t *Tally) Add(p *bot.Person, g *bot.Registration, v *Verdict) bool {
	if !p.Enrolls() {
		return false
	}
	t.All.Add(v)
	unit(t.Schools, p.Site).Add(v)
	unit(t.Departments, p.Department).Add(v)
	if g == nil || g.ReadAt.IsZero() {
		return true
	}
	asOf := g.ReportAt()
	if t.Oldest.IsZero() || asOf.Before(t.Oldest) {
		t.Oldest = asOf
	}
	if asOf.After(t.Newest) {
		t.Newest = asOf
	}
	if g.ReadAt.After(t.ReadAt) {
		t.ReadAt = g.ReadAt
	}
	return true
}

func unit(units map[string]*Counts, name string) *Counts {
	c := units[name]
	if c == nil {
		c = &Counts{}
		units[name] = c
	}
	return c
}

// A Unit is a school or a department with its counts.
type Unit struct {
	Name string `json:"name"`
	Counts
}

// Units sorts units: most people at risk first.
func Units(units map[string]*Counts) []Unit {
	all := make([]Unit, 0, len(units))
	for name, c := range units {
		all = append(all, Unit{name, *c})
	}
	slices.SortFunc(all, func(a, b Unit) int {
		if a.AtRisk != b.AtRisk {
			return b.AtRisk - a.AtRisk
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}
