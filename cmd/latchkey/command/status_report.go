package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/readiness"
	"latchkey/bot/typed"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
	"latchkey/store"
)

// readinessReport is who will still get in, as of one moment. Only counts are
// held; people are read again where they are listed.
type readinessReport struct {
	db    *store.DB
	org   string
	entra config.Entra
	now   time.Time
	pol   *bot.TenantPolicy // nil: never read
	tally *readiness.Tally
	// unlicensed says that the tenant may not have the report.
	unlicensed bool
	only       only

	unreported string // what to do where the report has nobody of the people here
	synced     bool   // people come from the directory, and not from lists alone

	trend  []readinessDay
	before string                      // an earlier day to compare with; empty: none
	then   map[string]readiness.Counts // what was counted on it, by unit
}

// only is the part of the staff that is asked for. Empty fields are all.
type only struct{ school, department string }

func (o *only) has(p *bot.Person) bool {
	return (o.school == "" || strings.EqualFold(o.school, p.Site)) && (o.department == "" || strings.EqualFold(o.department, p.Department))
}

// unit is the name that the part has among the counts of a day; false: it has
// none. It is as the staff list writes it.
func (o *only) unit(t *readiness.Tally) (name string, ok bool) {
	find := func(prefix, want string, units map[string]*readiness.Counts) (string, bool) {
		for _, u := range readiness.Units(units) {
			if strings.EqualFold(u.Name, want) {
				return prefix + u.Name, true
			}
		}
		return "", false
	}
	switch {
	case o.school != "" && o.department != "":
		return "", false
	case o.school != "":
		return find(program.SchoolUnit, o.school, t.Schools)
	case o.department != "":
		return find(program.DepartmentUnit, o.department, t.Departments)
	}
	return "", true
}

// String names the part, behind the organisation's name.
func (o *only) String() string {
	s := ""
	for _, part := range []string{o.school, o.department} {
		if part != "" {
			s += ", " + part
		}
	}
	return s
}

// A readinessDay is what was noted on a day of all people.
type readinessDay struct {
	Day    string `json:"day"`
	People int    `json:"people"`
	SignIn int    `json:"signInNo"`
	Reset  int    `json:"resetNo"`
	AtRisk int    `json:"atRisk"`
}

// shownDays is how many days the trend goes back, compareDays how many the
// change of a school is counted over.
const (
	shownDays   = 60
	compareDays = 7
)

func newReadinessReport(p *program.Program) *readinessReport {
	return &readinessReport{db: p.DB, org: p.Config.Org.Name, entra: p.Config.Entra, now: p.DB.Now(), unreported: p.Unreported(), synced: p.SyncsPeople()}
}

// read counts, and reads what was counted before.
func (r *readinessReport) read(ctx context.Context) (err error) {
	if r.pol, err = program.TenantPolicy(ctx, r.db); err != nil {
		return err
	}
	if r.tally, err = program.TallyReadiness(ctx, r.db, r.pol, r.entra, r.only.has); err != nil {
		return err
	}
	if r.tally.All.People == 0 && r.only != (only{}) {
		near, err := r.nearUnits(ctx)
		if err != nil {
			return err
		}
		return fmt.Errorf("nobody of the staff is in%s%s; `latchkey status entra` lists schools and departments as the staff list writes them", strings.TrimPrefix(r.only.String(), ","), near)
	}
	if r.tally.All.People == 0 && !r.synced {
		return errors.New("nobody is on the staff list; import one with `latchkey people import FILE.csv`")
	}
	if r.tally.All.People == 0 {
		return errors.New("nobody is on the staff list; read it with `latchkey people sync`, or import one with `latchkey people import FILE.csv`")
	}
	if err := r.lookAtLicence(ctx); err != nil {
		return err
	}
	if r.tally.Newest.IsZero() && r.only != (only{}) {
		return fmt.Errorf("the report has none of the people in%s, so nothing is known of them; `latchkey status entra` has all others", strings.TrimPrefix(r.only.String(), ","))
	}
	if r.tally.Newest.IsZero() {
		return r.unread(ctx)
	}
	unit, ok := r.only.unit(r.tally)
	if !ok {
		return nil
	}
	days, err := r.db.ReadinessDays(ctx, unit, r.now.AddDate(0, 0, -shownDays).Format(time.DateOnly))
	if err != nil {
		return err
	}
	for _, d := range days {
		var c readiness.Counts
		if err := json.Unmarshal(d.Body, &c); err != nil {
			return fmt.Errorf("counts of %s: %w", d.Day, err)
		}
		r.trend = append(r.trend, readinessDay{d.Day, c.People, c.SignIn.No, c.Reset.No, c.AtRisk})
	}
	if r.only != (only{}) {
		return nil // within a part, nothing was noted by school
	}
	return r.readBefore(ctx)
}

// nearUnits asks whether one of up to three schools or departments was meant
// that are written much like what was asked for; empty: there is none.
func (r *readinessReport) nearUnits(ctx context.Context) (string, error) {
	all, err := program.TallyReadiness(ctx, r.db, r.pol, r.entra, new(only).has)
	if err != nil {
		return "", err
	}
	var near []string
	for _, x := range []struct {
		want  string
		units map[string]*readiness.Counts
	}{{r.only.school, all.Schools}, {r.only.department, all.Departments}} {
		want := strings.ToLower(x.want)
		for _, u := range readiness.Units(x.units) {
			have := strings.ToLower(u.Name)
			if want != "" && have != want && (strings.Contains(have, want) || typed.Distance(want, have) <= min(2, len(have)/3)) {
				near = append(near, strconv.Quote(textfmt.Printable(u.Name)))
			}
		}
	}
	if len(near) == 0 {
		return "", nil
	}
	return "; did you mean " + strings.Join(near[:min(3, len(near))], " or ") + "?", nil
}

// readBefore reads the counts of the day to compare with: a week ago, or the
// first day that there is.
func (r *readinessReport) readBefore(ctx context.Context) error {
	if len(r.trend) == 0 {
		return nil
	}
	day := max(r.now.AddDate(0, 0, -compareDays).Format(time.DateOnly), r.trend[0].Day)
	if day == r.now.Format(time.DateOnly) {
		return nil
	}
	on, units, err := r.db.ReadinessOn(ctx, day)
	if err != nil {
		return err
	}
	r.before, r.then = on, map[string]readiness.Counts{}
	for unit, body := range units {
		var c readiness.Counts
		if err := json.Unmarshal(body, &c); err != nil {
			return fmt.Errorf("counts of %s on %s: %w", unit, on, err)
		}
		r.then[unit] = c
	}
	return nil
}

// reported is how many people something is known of, and whether the report was
// ever read to its end.
func (r *readinessReport) reported(ctx context.Context) (n int, read bool, err error) {
	err = r.db.View(ctx, func(tx bot.Tx) error {
		s, err := tx.SyncState(bot.ReportReading)
		if read = s.Last != nil; err == nil {
			n, err = tx.CountRegistrations(time.Time{})
		}
		return err
	})
	return n, read, err
}

// unlicensedText says why there is no report.
const unlicensedText = "this tenant has no Microsoft Entra ID P1 or P2 licence, so Microsoft gives no report of sign-in methods"

// lookAtLicence finds out whether the tenant may have the report.
func (r *readinessReport) lookAtLicence(ctx context.Context) error {
	return r.db.View(ctx, func(tx bot.Tx) error {
		s, err := tx.SyncState(bot.ReportReading)
		r.unlicensed = s.NoLicence
		return err
	})
}

// unread says what to do where nothing is known of anybody.
func (r *readinessReport) unread(ctx context.Context) error {
	n, read, err := r.reported(ctx)
	switch {
	case err != nil:
		return err
	case r.unlicensed:
		return errors.New("nothing is known of anybody yet: " + unlicensedText + ". Until there is a licence, people find out in the chat: they ask whether they will still get in, and \"look again\" reads their own page; `latchkey doctor` says more")
	case read && n == 0:
		return fmt.Errorf("the report of sign-in methods (Microsoft Entra) was read and has nobody of the people here, so nothing can be told: %s; `latchkey doctor` looks at the rest", r.unreported)
	}
	if r.entra.Tenant == "" {
		return errors.New("no Microsoft 365 tenant is configured, so nothing is known of anybody's sign-in methods; set entra.tenant, entra.client_id and a credential (`latchkey config describe`), then run `latchkey people sync --report`")
	}
	return errors.New("the report of sign-in methods (Microsoft Entra) was never read; run `latchkey people sync --report`, and `latchkey doctor` if it fails")
}

// daysLeft is how many days are left, rounded up; 0: none.
func (r *readinessReport) daysLeft() int {
	return max(int((readiness.Ends.Sub(r.now)+24*time.Hour-1)/(24*time.Hour)), 0)
}

// atRisk goes through the people at risk.
func (r *readinessReport) atRisk(ctx context.Context, fn func(*bot.Person, *readiness.Verdict) error) error {
	return program.EachVerdict(ctx, r.db, r.pol, r.entra, func(p *bot.Person, _ *bot.Registration, v *readiness.Verdict) error {
		if !p.Enrolls() || !v.AtRisk() || !r.only.has(p) {
			return nil
		}
		return fn(p, v)
	})
}
