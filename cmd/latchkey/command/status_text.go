package command

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/bot"
	"latchkey/bot/readiness"
	"latchkey/bot/typed"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

// textWidth is how wide a line of the text may be; shownUnits how many schools
// or departments stand there.
const (
	textWidth  = 80
	shownUnits = 20
)

// writeText writes the answer for a terminal.
func (r *readinessReport) writeText(ctx context.Context, w io.Writer, list bool) error {
	var b strings.Builder
	c := &r.tally.All
	fmt.Fprintf(&b, "Who will still get in after 1 February 2027\n%s, %s, %s left\n", textfmt.Printable(r.org+r.only.String()), textfmt.Count(c.People, "person", "people"), textfmt.Count(r.daysLeft(), "day", "days"))
	paragraph(&b, "", r.ageText())
	paragraph(&b, "", r.policyText())
	paragraph(&b, "", r.settingsText())

	fmt.Fprintf(&b, "\n%-34s %17s %19s\n", "Of the report "+r.shortAge(), "sign in", "reset a password")
	for _, l := range answerLines(c) {
		if l.signIn+l.reset > 0 || l.always {
			fmt.Fprintf(&b, "  %-32s %s %s\n", l.text, share(l.signIn, c.People, 11), share(l.reset, c.People, 13))
		}
	}
	fmt.Fprintf(&b, "  %-32s %s %s\n", "Microsoft's own figure, today", share(c.SignIn.Microsoft, c.People, 11), share(c.Reset.Microsoft, c.People, 13))
	fmt.Fprintf(&b, "\nAT RISK: %s of %s (%s) will not sign in or not reset a password.\n", readiness.Number(c.AtRisk), textfmt.Count(c.People, "person", "people"), percent(c.AtRisk, c.People))
	paragraph(&b, "  ", losesText(c))
	for _, s := range differences(c) {
		paragraph(&b, "  ", s)
	}

	b.WriteString("\nWhat to do\n")
	if len(c.Do) == 0 {
		b.WriteString("  nothing: nobody is at risk\n")
	}
	for _, rem := range readiness.Remedies() {
		if n := c.Do[rem]; n > 0 {
			paragraph(&b, "  ", textfmt.Count(n, "person has", "people have")+" to "+rem.Text())
		}
	}
	if advice := readiness.Advice(r.pol, c); len(advice) > 0 {
		b.WriteString("\nTo look at\n")
		for _, s := range advice {
			paragraph(&b, "  ", s)
		}
	}
	b.WriteString("\nWhat Microsoft does by itself\n")
	for _, s := range readiness.Nudging(r.pol, c) {
		paragraph(&b, "  ", s)
	}
	if r.only.school == "" {
		r.units(&b, "school", program.SchoolUnit, r.tally.Schools)
	}
	if r.only.department == "" {
		r.units(&b, "department", program.DepartmentUnit, r.tally.Departments)
	}
	r.overTime(&b)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	if !list {
		_, err := io.WriteString(w, "\nNext: latchkey status entra --people, --csv, --page FILE.html or --person USER\n")
		return err
	}
	return r.list(ctx, w)
}

// An answerLine is one answer and how many have it.
type answerLine struct {
	text          string
	answer        readiness.Answer
	signIn, reset int
	always        bool
}

func answerLines(c *readiness.Counts) []answerLine {
	line := func(text string, a readiness.Answer, always bool) answerLine {
		return answerLine{text, a, c.SignIn.Of(a), c.Reset.Of(a), always}
	}
	return []answerLine{
		line("will get in", readiness.Yes, true),
		line("WILL NOT", readiness.No, true),
		line("no second factor to lose", readiness.Unprotected, false),
		line("reset is switched off for them", readiness.Off, false),
		line("not known", readiness.NotKnown, false),
		line("external users, not judged", readiness.NotJudged, false),
	}
}

// differences says why Microsoft's figure is another one.
func differences(c *readiness.Counts) (all []string) {
	for _, side := range []struct {
		what string
		s    *readiness.Split
	}{{"sign-in", &c.SignIn}, {"reset", &c.Reset}} {
		for _, why := range byCount(side.s.Differs) {
			all = append(all, fmt.Sprintf("Microsoft's figure for the %s differs for %s: %s.", side.what, textfmt.Count(side.s.Differs[why], "person", "people"), why.Text()))
		}
	}
	return all
}

// byCount sorts reasons, those of most people first.
func byCount(m map[readiness.Reason]int) []readiness.Reason {
	return slices.SortedFunc(maps.Keys(m), func(a, b readiness.Reason) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		return strings.Compare(string(a), string(b))
	})
}

// units writes a table of schools or departments.
func (r *readinessReport) units(b *strings.Builder, what, prefix string, counts map[string]*readiness.Counts) {
	all := readiness.Units(counts)
	if len(all) == 1 && all[0].Name == "" {
		fmt.Fprintf(b, "\nNobody's %s is known.\n", what)
		return
	}
	change := ""
	if r.before != "" {
		change = "since " + dayText(r.before)
	}
	const row = "  %s %7s %8s %7s %8s %5s %12s"
	write := func(cells ...any) { b.WriteString(strings.TrimRight(fmt.Sprintf(row, cells...), " ") + "\n") }
	fmt.Fprintf(b, "\nBy %s (report %s): will not sign in, will not reset, at risk\n", what, r.shortAge())
	write(padded("", 25), "people", "sign-in", "reset", "at risk", "", change)
	for i, u := range all {
		if i == shownUnits {
			fmt.Fprintf(b, "  and %d more; --json has all of them\n", len(all)-i)
			break
		}
		write(padded(unitName(u.Name, what), 25), readiness.Number(u.People), readiness.Number(u.SignIn.No),
			readiness.Number(u.Reset.No), readiness.Number(u.AtRisk), percent(u.AtRisk, u.People), r.change(prefix, &u))
	}
}

// change is how many more or fewer are at risk than on the day before.
func (r *readinessReport) change(prefix string, u *readiness.Unit) string {
	then, ok := r.then[prefix+u.Name]
	if !ok {
		return ""
	}
	return fmt.Sprintf("%+d", u.AtRisk-then.AtRisk)
}

func unitName(name, what string) string {
	if name == "" {
		return "no " + what + " known"
	}
	return textfmt.Printable(name)
}

// overTime writes one line a week at most, newest last.
func (r *readinessReport) overTime(b *strings.Builder) {
	if len(r.trend) < 2 {
		return
	}
	fmt.Fprintf(b, "\n%-27s %7s %8s %7s %8s\n", "Over time, reports read on", "people", "sign-in", "reset", "at risk")
	for _, d := range weekly(r.trend) {
		fmt.Fprintf(b, "  %s %7s %8s %7s %8s\n", padded(dayText(d.Day), 25), readiness.Number(d.People), readiness.Number(d.SignIn), readiness.Number(d.Reset), readiness.Number(d.AtRisk))
	}
}

// weekly keeps the last day and those that are a week or more before the one
// kept after.
func weekly(days []readinessDay) (kept []readinessDay) {
	next := ""
	for _, d := range slices.Backward(days) {
		if next == "" || d.Day <= next {
			kept = append(kept, d)
			at, err := time.Parse(time.DateOnly, d.Day)
			if err != nil {
				continue
			}
			next = at.AddDate(0, 0, -7).Format(time.DateOnly)
		}
	}
	slices.Reverse(kept)
	return kept
}

// A listed person is one at risk: what stands there, and what it is sorted by.
type listed struct {
	loses                    loss
	school, department, name string // folded
	text                     string
}

// A loss is what somebody at risk will not do, the worst first.
type loss uint8

const (
	losesBoth loss = iota
	losesSignIn
	losesReset
)

func (l loss) String() string {
	return [...]string{"Will neither sign in nor reset a password", "Will not sign in", "Will not reset a password"}[l]
}

func lossOf(v *readiness.Verdict) loss {
	switch {
	case v.SignIn.Answer != readiness.No:
		return losesReset
	case v.Reset.Answer != readiness.No:
		return losesSignIn
	}
	return losesBoth
}

// list writes the people at risk, as somebody reads it who goes to them.
func (r *readinessReport) list(ctx context.Context, w io.Writer) error {
	var all []listed
	of := map[loss]int{}
	err := r.atRisk(ctx, func(p *bot.Person, v *readiness.Verdict) error {
		l := listed{lossOf(v), unknownLast(p.Site), unknownLast(p.Department), typed.Fold(p.Name), listedText(p, v)}
		of[l.loses]++
		all = append(all, l)
		return nil
	})
	if err != nil {
		return err
	}
	slices.SortStableFunc(all, func(a, b listed) int {
		return cmp.Or(cmp.Compare(a.loses, b.loses), strings.Compare(a.school, b.school), strings.Compare(a.department, b.department), strings.Compare(a.name, b.name))
	})
	if _, err := fmt.Fprintf(w, "\nAt risk, by school, department and name, report %s\n", r.shortAge()); err != nil {
		return err
	}
	for i, l := range all {
		if i == 0 || l.loses != all[i-1].loses {
			l.text = fmt.Sprintf("\n%s: %s\n", l.loses, textfmt.Count(of[l.loses], "person", "people")) + l.text
		}
		if _, err := io.WriteString(w, l.text); err != nil {
			return err
		}
	}
	return nil
}

// unknownLast is what a school or department is sorted by.
func unknownLast(name string) string {
	if name == "" {
		return "\uffff"
	}
	return typed.Fold(name)
}

// listedText is what the list says of a person.
func listedText(p *bot.Person, v *readiness.Verdict) string {
	var b strings.Builder
	login := p.Username
	if login == "" {
		login = string(p.ID)
	}
	where := slices.DeleteFunc([]string{login, p.Site, p.Department}, func(s string) bool { return s == "" })
	paragraph(&b, "", textfmt.Printable(p.Name+" ("+strings.Join(where, ", ")+")"))
	for _, s := range []struct {
		what string
		side *readiness.Side
	}{{"sign-in", &v.SignIn}, {"reset", &v.Reset}} {
		text := s.what + ": " + s.side.Answer.String()
		if reason := why(s.side); reason != "" {
			text += ", " + reason
		}
		paragraph(&b, "    ", text)
	}
	paragraph(&b, "    ", "do: "+remedies(v.Plan()))
	return b.String()
}

// explain says all about one person.
func (r *readinessReport) explain(ctx context.Context, w io.Writer, f statusFlags) (err error) {
	p, err := findPerson(ctx, r.db, f.person)
	if err != nil {
		return err
	}
	if r.pol, err = program.TenantPolicy(ctx, r.db); err != nil {
		return err
	}
	var g *bot.Registration
	err = r.db.View(ctx, func(tx bot.Tx) error {
		g, err = tx.Registration(p.ID)
		return err
	})
	if err != nil && !errors.Is(err, bot.ErrNotFound) {
		return err
	}
	v := readiness.Judge(g, r.pol, program.ReadinessSettings(r.entra))
	if f.json {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(judgedOf(p, &v))
	}
	if n, _, err := r.reported(ctx); err != nil {
		return err
	} else if n == 0 {
		return r.unread(ctx)
	}
	_, err = io.WriteString(w, r.explained(p, &v))
	return err
}

func (r *readinessReport) explained(p *bot.Person, v *readiness.Verdict) string {
	var b strings.Builder
	paragraph(&b, "", textfmt.Printable(p.Name+" ("+p.Username+"), "+string(p.ID)))
	if p.Disabled {
		paragraph(&b, "", "Not counted: the account is disabled "+strings.Join(offWhere(p), ", and ")+".")
	}
	if !p.Kind.Enrolls() {
		paragraph(&b, "", fmt.Sprintf("Not counted: the account is of the kind %s, and only staff count.", textfmt.Printable(string(p.Kind))))
	}
	switch v.Source {
	case readiness.FromReport:
		paragraph(&b, "", "Methods from Microsoft's report of "+r.stamp(v.AsOf)+". It may be up to 36 hours behind.")
	case readiness.FromPage:
		paragraph(&b, "", "Methods from the person's own page at Microsoft, read "+r.stamp(v.AsOf)+". It is newer than the report.")
	default:
		if r.unlicensed {
			paragraph(&b, "", "Nothing is known of this person yet: "+unlicensedText+". \"Look again\" in the chat reads the person's own page.")
			break
		}
		paragraph(&b, "", "Microsoft's report does not have this person. It leaves out accounts that are disabled or deleted, so this does not mean that nothing is registered. A new account may take 36 hours. Read again: latchkey people sync --report")
	}
	paragraph(&b, "", r.policyText())
	if v.Admin {
		paragraph(&b, "", "Administrator: needs two methods to reset. If a global administrator, texts and calls go on until 1 July 2027.")
	}
	r.side(&b, "Sign-in", "isMfaCapable", &v.SignIn)
	if n := v.Reset.Need; n > 0 {
		r.side(&b, fmt.Sprintf("Reset a password (%d different %s)", n, map[bool]string{true: "method", false: "methods"}[n == 1]), "isSsprCapable", &v.Reset)
	}
	return b.String()
}

// side writes one judgement: each method, and why.
func (r *readinessReport) side(b *strings.Builder, title, flag string, s *readiness.Side) {
	says := map[readiness.Answer]string{readiness.Yes: "yes, also after 1 February 2027", readiness.No: "NO, not after 1 February 2027", readiness.Off: "off: it is switched off for the person",
		readiness.Unprotected: "no second factor: a password alone", readiness.NotKnown: "not known", readiness.NotJudged: "not judged"}[s.Answer]
	fmt.Fprintf(b, "\n%s: %s\n", title, says)
	if s.Why != "" && s.Answer != readiness.Off {
		paragraph(b, "  ", "because "+s.Why.Text())
	}
	if s.Why == readiness.AdminsOff {
		paragraph(b, "  ", s.Why.Text())
	}
	if len(s.Methods) == 0 && s.Why != readiness.NotReported && s.Why != readiness.GuestElse {
		b.WriteString("  nothing is registered\n")
	}
	for _, c := range s.Methods {
		mark, rest := "counts", ""
		switch {
		case c.Reason == readiness.UnknownWord && s.Why == readiness.UnknownWord, c.Reason == readiness.OldSettings && s.Why == readiness.OldSettings:
			mark, rest = "unsure", ": "+c.Reason.Text()
		case c.Reason != "":
			mark, rest = "no", ": "+c.Reason.Text()
		case c.Unsure != "":
			rest = ", if it may be used: " + c.Unsure.Text()
		}
		hanging(b, fmt.Sprintf("  %-7s", mark), textfmt.Printable(c.Method)+" ("+readiness.MethodText(c.Method)+")"+rest)
	}
	if s.Answer != readiness.NotJudged && s.Why != readiness.NotReported {
		own := map[bool]string{true: "yes", false: "no"}[s.Microsoft]
		text := "Microsoft today (" + flag + "): " + own
		if s.Differs != "" {
			text += "; ours differs, because " + s.Differs.Text()
		}
		paragraph(b, "  ", text)
	}
	if len(s.Do) > 0 {
		choose := "to do: "
		if len(s.Do) > 1 {
			choose = "to do, one of these: "
			if missing := s.Need - s.Have; missing > 1 {
				choose = fmt.Sprintf("to do, %d of these: ", missing)
			}
		}
		paragraph(b, "  ", choose+remedies(s.Do))
	}
}

// ageText says how old the report is.
func (r *readinessReport) ageText() string {
	t := r.tally
	if r.unlicensed {
		return "What is said here rests on people's own pages at Microsoft, which they had read with \"look again\", and on what was known before: " + unlicensedText + ". The newest is of " + r.stamp(t.Newest) + ". Of all others nothing is known."
	}
	s := "Microsoft's report is of " + r.stamp(t.Newest) + "; it may be up to 36 hours behind."
	if t.Newest.Sub(t.Oldest) > time.Hour {
		s += " Of some people the last word is of " + r.stamp(t.Oldest) + "."
	}
	if late := r.entra.ReportEvery + 36*time.Hour; r.entra.ReportEvery > 0 && r.now.Sub(t.Newest) > late {
		s += " That is too old: run `latchkey doctor`."
	}
	return s
}

// policyText says how old the policy is that people are judged by.
func (r *readinessReport) policyText() string {
	if r.pol == nil || r.pol.ReadAt.IsZero() {
		return "The tenant's policy was never read, so nothing could be held against it."
	}
	s := "Judged by the tenant's policy of " + r.stamp(r.pol.ReadAt) + "."
	if r.now.Sub(r.pol.ReadAt) > readiness.Stale {
		s += " That is too old: run `latchkey people sync --report`."
	}
	return s
}

func (r *readinessReport) settingsText() string {
	providers := "no telephony provider of your own is set, so texts and calls are taken to end"
	switch {
	case r.entra.SMS && r.entra.Voice:
		providers = "your own provider carries texts and calls on"
	case r.entra.SMS:
		providers = "your own provider carries texts on, and calls are taken to end"
	case r.entra.Voice:
		providers = "your own provider carries calls on, and texts are taken to end"
	}
	return fmt.Sprintf("As set here: a reset asks for %s (entra.methods_needed); %s.", textfmt.Count(r.entra.Needed, "method", "methods"), providers)
}

// stamp is a time and how long ago it is.
func (r *readinessReport) stamp(t time.Time) string {
	return t.Local().Format("2 Jan 2006 15:04") + " (" + r.ago(t) + " ago)"
}

func (r *readinessReport) ago(t time.Time) string {
	switch d := r.now.Sub(t); {
	case d < time.Hour:
		return "less than an hour"
	case d < 72*time.Hour:
		return textfmt.Count(int(d.Hours()), "hour", "hours")
	default:
		return textfmt.Count(int(d.Hours()/24), "day", "days")
	}
}

// shortAge is the report's age where there is little room: "30 h old".
func (r *readinessReport) shortAge() string {
	d := r.now.Sub(r.tally.Newest)
	if d < 100*time.Hour {
		return fmt.Sprintf("%d h old", int(d.Hours()))
	}
	return fmt.Sprintf("%d d old", int(d.Hours()/24))
}

// dayText writes a day (ISO 8601) for people.
func dayText(day string) string {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return at.Format("2 Jan")
}

// percent is a share, rounded, but never to nothing or to all.
func percent(n, of int) string {
	p := (n*200 + of) / max(2*of, 1)
	switch {
	case n > 0 && p == 0:
		return "<1%"
	case n < of && p == 100:
		return ">99%"
	}
	return fmt.Sprintf("%d%%", p)
}

// share is a count with its part of all, right in a column of a width.
func share(n, of, width int) string {
	return fmt.Sprintf("%*s %5s", width, readiness.Number(n), percent(n, of))
}

// padded cuts or fills a text to a width in letters.
func padded(s string, width int) string {
	n := utf8.RuneCountInString(s)
	if n > width {
		return string([]rune(s)[:width-1]) + "…"
	}
	return s + strings.Repeat(" ", width-n)
}

// paragraph writes words in lines that fit, all behind the same indent.
func paragraph(b *strings.Builder, indent, text string) { hanging(b, indent, text) }

// hanging writes words in lines that fit: the first behind head, the others
// below its end.
func hanging(b *strings.Builder, head, text string) {
	line, width := head, utf8.RuneCountInString(head)
	first := true
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(word)
		if !first && width+1+n > textWidth {
			b.WriteString(line + "\n")
			line, width, first = strings.Repeat(" ", utf8.RuneCountInString(head)), utf8.RuneCountInString(head), true
		}
		if !first {
			line, width = line+" ", width+1
		}
		line, width, first = line+word, width+n, false
	}
	b.WriteString(line + "\n")
}

// losesText says how many of those at risk can do today what they will not.
func losesText(c *readiness.Counts) string {
	return fmt.Sprintf("By Microsoft's figures %s of them sign in today, and %s reset today.", readiness.Number(c.SignIn.Loses), readiness.Number(c.Reset.Loses))
}
