package command

import (
	"context"
	stdcsv "encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/adapters/csv"
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
	only  only

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

func newReadinessReport(h *program.Program) *readinessReport {
	return &readinessReport{db: h.DB, org: h.Config.Org.Name, entra: h.Config.Entra, now: h.DB.Now(), unreported: h.Unreported(), synced: h.SyncsPeople()}
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

// unread says what to do where nothing is known of anybody.
func (r *readinessReport) unread(ctx context.Context) error {
	n, read, err := r.reported(ctx)
	switch {
	case err != nil:
		return err
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

// A judgedPerson is one person in JSON.
type judgedPerson struct {
	ID         bot.PersonID       `json:"id"`
	Username   string             `json:"username,omitempty"`
	Name       string             `json:"name,omitempty"`
	School     string             `json:"school,omitempty"`
	Department string             `json:"department,omitempty"`
	AtRisk     bool               `json:"atRisk"`
	Do         []readiness.Remedy `json:"do,omitempty"`
	readiness.Verdict
}

func judgedOf(p *bot.Person, v *readiness.Verdict) judgedPerson {
	return judgedPerson{p.ID, p.Username, p.Name, p.Site, p.Department, v.AtRisk(), v.Plan(), *v}
}

// writeJSON writes the counts, and the people at risk one by one.
func (r *readinessReport) writeJSON(ctx context.Context, w io.Writer, list bool) error {
	head := map[string]any{
		"asOfDay": readiness.Ends.Format(time.DateOnly), "daysLeft": r.daysLeft(), "organisation": r.org, "school": r.only.school, "department": r.only.department,
		"settings": map[string]any{"methodsNeeded": r.entra.Needed, "smsProvider": r.entra.SMS, "voiceProvider": r.entra.Voice},
		"report": map[string]any{"asOf": r.tally.Newest, "oldest": r.tally.Oldest, "readAt": r.tally.ReadAt,
			"ageHours": int(r.now.Sub(r.tally.Newest).Hours())},
		"policy": r.pol, "all": r.tally.All, "schools": readiness.Units(r.tally.Schools), "departments": readiness.Units(r.tally.Departments),
		"trend": r.trend, "microsoftByItself": readiness.Nudging(r.pol, &r.tally.All), "advice": readiness.Advice(r.pol, &r.tally.All),
	}
	b, err := json.MarshalIndent(head, "", "  ")
	if err != nil {
		return err
	}
	if !list {
		_, err = fmt.Fprintf(w, "%s\n", b)
		return err
	}
	// People follow as they are read, so that they are never all in memory.
	if _, err := fmt.Fprintf(w, "%s,\n  \"people\": [", strings.TrimSuffix(string(b), "\n}")); err != nil {
		return err
	}
	between := "\n    "
	err = r.atRisk(ctx, func(p *bot.Person, v *readiness.Verdict) error {
		b, err := json.Marshal(judgedOf(p, v))
		if err == nil {
			_, err = fmt.Fprintf(w, "%s%s", between, b)
			between = ",\n    "
		}
		return err
	})
	if err == nil {
		_, err = io.WriteString(w, "\n  ]\n}\n")
	}
	return err
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

// writeCSV writes one line for each of the staff, safe for a spreadsheet.
func (r *readinessReport) writeCSV(ctx context.Context, w io.Writer) error {
	if _, err := io.WriteString(w, csv.BOM); err != nil {
		return err
	}
	out := stdcsv.NewWriter(w)
	out.UseCRLF = true
	err := out.Write([]string{"id", "username", "name", "email", "school", "department", "at_risk", "sign_in", "sign_in_why", "reset", "reset_why", "to_do", "needs_token",
		"administrator", "methods", "known_as_of", "known_from", "microsoft_sign_in_today", "microsoft_reset_today", "microsoft_differs_sign_in", "microsoft_differs_reset"})
	if err != nil {
		return err
	}
	err = program.EachVerdict(ctx, r.db, r.pol, r.entra, func(p *bot.Person, _ *bot.Registration, v *readiness.Verdict) error {
		if !p.Enrolls() || !r.only.has(p) {
			return nil
		}
		var methods []string
		for _, c := range v.SignIn.Methods {
			methods = append(methods, c.Method)
		}
		asOf := ""
		if !v.AsOf.IsZero() {
			asOf = v.AsOf.UTC().Format(time.RFC3339)
		}
		cells := []string{string(p.ID), p.Username, p.Name, p.Email, p.Site, p.Department, strconv.FormatBool(v.AtRisk()), v.SignIn.Answer.String(), why(&v.SignIn),
			v.Reset.Answer.String(), why(&v.Reset), remedies(v.Plan()), strconv.FormatBool(v.AtRisk() && v.NeedsToken()), strconv.FormatBool(v.Admin),
			strings.Join(methods, " "), asOf, v.Source, strconv.FormatBool(v.SignIn.Microsoft), strconv.FormatBool(v.Reset.Microsoft),
			reasonText(v.SignIn.Differs), reasonText(v.Reset.Differs)}
		csv.Guard(cells)
		return out.Write(cells)
	})
	out.Flush()
	return errors.Join(err, out.Error())
}

func reasonText(r readiness.Reason) string {
	if r == "" {
		return ""
	}
	return r.Text()
}

// why is why somebody will not get in, in words; empty for those who will. What
// never was a way in is left out where something else was.
func why(s *readiness.Side) string {
	if s.Answer == readiness.Yes {
		return ""
	}
	var strong, weak []string
	add := func(r readiness.Reason) {
		list := &strong
		switch r {
		case "", readiness.SameClass:
			return
		case readiness.MailNoFactor, readiness.NoFactor, readiness.NotForReset, readiness.NoAlternate, readiness.Temporary:
			list = &weak
		}
		if !slices.Contains(*list, r.Text()) {
			*list = append(*list, r.Text())
		}
	}
	add(s.Why)
	for _, c := range s.Methods {
		add(c.Reason)
	}
	if len(strong) == 0 {
		strong = weak
	}
	if len(s.Methods) == 0 && s.Why == "" {
		strong = append(strong, "nothing is registered")
	}
	if s.Answer == readiness.No && s.Have > 0 && s.Have < s.Need {
		strong = append(strong, fmt.Sprintf("%d of %d methods", s.Have, s.Need))
	}
	return strings.Join(strong, "; ")
}

func remedies(rs []readiness.Remedy) string {
	var all []string
	for _, r := range rs {
		all = append(all, r.Text())
	}
	return strings.Join(all, "; ")
}
