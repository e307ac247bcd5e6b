package program

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"latchkey/bot"
	"latchkey/bot/enroll"
	"latchkey/bot/outbox"
	"latchkey/bot/verify"
	"latchkey/cmd/latchkey/textfmt"
)

// lookAtDirectory tells how reading the directory goes.
func (h *Program) lookAtDirectory(ctx context.Context) (fs []bot.Finding, err error) {
	if h.Connections.Source == nil {
		return nil, nil
	}
	for _, x := range []struct {
		reading bot.Reading
		every   time.Duration
	}{{bot.PeopleReading, h.Config.Entra.SyncEvery}, {bot.ReportReading, h.Config.Entra.ReportEvery}} {
		if x.reading == bot.PeopleReading && !h.SyncsPeople() {
			continue
		}
		var s bot.SyncState
		var now time.Time
		err := h.DB.View(ctx, func(tx bot.Tx) (err error) {
			now = tx.Now()
			s, err = tx.SyncState(x.reading)
			return err
		})
		if err != nil {
			return nil, err
		}
		f, command, refused := bot.Finding{What: string(x.reading)}, "`latchkey people sync`", "`latchkey people sync --dry-run` shows what would change"
		if x.reading == bot.ReportReading {
			command, refused = "`latchkey people sync --report`", "see what has become of the report; if that is meant, `latchkey people sync --report --yes` takes it"
		}
		switch last := s.Last; {
		case s.Failures > 0 && !s.AskedAt.IsZero() && !asksToWait(s):
			f.State, f.Text, f.Fix = bot.Broken, fmt.Sprintf("the directory has asked to wait since %s and gives nothing: %s", textfmt.When(s.AskedAt), s.Error), "look at Microsoft's service health; it is tried again at "+textfmt.When(s.Due)
		case s.Refused != "":
			f.State, f.Text, f.Fix = bot.Broken, "what was read was not taken: "+s.Refused, refused
		case asksToWait(s) && s.Due.After(now):
			f.Text, f.Fix = "the directory asks to wait until "+textfmt.When(s.Due), "it is tried again then"
			if s.Failures > 0 {
				f.State, f.Text = failedState(s.Failures), fmt.Sprintf("%s; before that it could not be read, tried %s: %s", f.Text, textfmt.Times(s.Failures), s.Error)
			}
		case s.Failures > 0:
			f.State, f.Text, f.Fix = failedState(s.Failures), fmt.Sprintf("cannot be read, tried %s: %s", textfmt.Times(s.Failures), s.Error), "it is tried again at "+textfmt.When(s.Due)+"; once it is mended, "+command+" does so at once"
		case s.Running() && s.Restarts > 1:
			f.State, f.Text, f.Fix = bot.Doubtful, fmt.Sprintf("the directory asked %d times to begin anew", s.Restarts), "see whether something between this machine and entra.graph_url changes addresses or answers"
		case s.Warning != "":
			f.State, f.Text, f.Fix = bot.Doubtful, "read without a part of it: "+s.Warning, "grant what is missing; the next reading tries it again"
		case s.Running() && last == nil:
			f.State, f.Text, f.Fix = bot.Doubtful, fmt.Sprintf("not read to its end yet: begun %s, %s", textfmt.When(s.StartedAt), SyncProgress(s, now)), "the service goes on with it, and so does "+command
		case last == nil:
			f.State, f.Text, f.Fix = bot.Doubtful, "not read yet", "start the service, or run "+command
		case now.Sub(last.At) > 3*x.every:
			f.State, f.Text, f.Fix = bot.Doubtful, fmt.Sprintf("last read %s, and that should be every %s", textfmt.When(last.At), x.every), "see whether the service runs"
		case x.reading == bot.ReportReading && last.Rows == 0:
			f.State, f.Text, f.Fix = bot.Doubtful, fmt.Sprintf("last read %s, and it has nobody of the people here, so nobody can be told whether they will still get in", textfmt.When(last.At)), h.Unreported()
		default:
			f.Text = fmt.Sprintf("last read %s: %s", textfmt.When(last.At), textfmt.Rows(last.Rows))
		}
		fs = append(fs, f)
	}
	return fs, nil
}

// Unreported is what to do where the report has nobody of the people here.
func (h *Program) Unreported() string {
	if h.SyncsPeople() {
		return "people who came in the last 36 hours are not in it yet, and those who are switched off never are: if others are here, see that entra.tenant is their tenant"
	}
	return "the ids of the staff list must be Entra's object ids, in lower case: set directory.kind to entra, or import a list that has them (column objectId), then run `latchkey people sync --report`"
}

// failedState is what so many failures in a row are.
func failedState(failures int) bot.FindingState {
	if failures >= SyncFailures {
		return bot.Broken
	}
	return bot.Doubtful
}

// longestAlert is how long the doctor lists an alert about a person.
const longestAlert = 7 * 24 * time.Hour

// longestLook bounds what one platform may take.
const longestLook = 30 * time.Second

// Examine asks all platforms at once and prints what they found, in order.
func Examine(ctx context.Context, w io.Writer, h *Program, running bool) error {
	ids := slices.Sorted(maps.Keys(h.Connections.channels))
	found := make([][]bot.Finding, len(ids))
	var source []bot.Finding
	var all sync.WaitGroup
	for i, id := range ids {
		all.Go(func() { found[i] = h.look(ctx, id, running) })
	}
	all.Go(func() { source = look(ctx, h.Connections.Source) })
	all.Wait()
	count, platforms := map[bot.FindingState]int{}, false
	show := func(name string, fs []bot.Finding) {
		if len(fs) == 0 {
			return
		}
		fmt.Fprintf(w, "%s\n", name)
		for _, f := range fs {
			count[f.State]++
			fmt.Fprintf(w, "  %-8s %s: %s\n", stateWord(f.State), textfmt.Printable(f.What), textfmt.Printable(f.Text))
			if f.Fix != "" && f.State != bot.Fine {
				fmt.Fprintf(w, "           %s\n", textfmt.Printable(f.Fix))
			}
		}
	}
	open, err := h.alerts(ctx, longestAlert)
	if err != nil {
		return err
	}
	show("alerts", open)
	show("configuration", h.unplugged)
	show("store", []bot.Finding{h.lookAtClock()})
	sends, err := h.lookAtSenders(ctx, running)
	if err != nil {
		return err
	}
	show("senders", sends)
	show("messages", []bot.Finding{h.lookAtMail(ctx), h.lookAtInbox(ctx)})
	show("entra", source)
	dir, err := h.lookAtDirectory(ctx)
	if err != nil {
		return err
	}
	show("directory", dir)
	if p := h.Connections.provider; p != nil {
		ctx, cancel := context.WithTimeout(ctx, longestLook)
		defer cancel()
		show("sign-in", p.Examine(ctx))
	}
	for i, id := range ids {
		show(string(id), found[i])
		platforms = platforms || len(found[i]) > 0
	}
	switch {
	case count[bot.Broken] > 0:
		return fmt.Errorf("%d of %d broken; see above what to do", count[bot.Broken], count[bot.Fine]+count[bot.Doubtful]+count[bot.Broken]+count[bot.Skipped])
	case !platforms:
		_, err := fmt.Fprintln(w, "no chat platform is configured; see channels.slack, channels.teams and channels.discord in `latchkey config describe`")
		return err
	}
	_, err = fmt.Fprintf(w, "%d good, %d to look at, %d not looked at\n", count[bot.Fine], count[bot.Doubtful], count[bot.Skipped])
	return err
}

// lookAtClock tells whether the clock was set, and what became of it.
func (h *Program) lookAtClock() bot.Finding {
	if text := h.DB.Clock().String(); text != "" {
		return bot.Finding{What: "clock", State: bot.Doubtful, Text: text,
			Fix: "see that time is synchronised (NTP) here and on the database's machine; to have the right time at once, stop the service and run `latchkey restore --mark`, which voids open codes and links"}
	}
	return bot.Finding{What: "clock", Text: "no step seen"}
}

// lookAtMail tells of messages that were given up a short while ago.
func (h *Program) lookAtMail(ctx context.Context) bot.Finding {
	f := bot.Finding{What: "given up", Text: "none since yesterday"}
	var lost []bot.OutboxRow
	err := h.DB.View(ctx, func(tx bot.Tx) (err error) {
		lost, err = tx.GivenUp(mostMail)
		lost = slices.DeleteFunc(lost, func(r bot.OutboxRow) bool {
			return tx.Now().Sub(r.CreatedAt) > freshMail || outbox.Gone(&r)
		})
		return err
	})
	switch {
	case err != nil:
		f.State, f.Text = bot.Broken, err.Error()
	case len(lost) > 0:
		f.State, f.Text = bot.Doubtful, fmt.Sprintf("%d messages were not delivered, or nobody knows", len(lost))
		f.Fix = "`latchkey outbox list` says why, and what to do about each"
	}
	return f
}

// lookAtInbox tells of what people wrote and nobody could read, if that was given
// up a short while ago.
func (h *Program) lookAtInbox(ctx context.Context) bot.Finding {
	f := bot.Finding{What: "never read", Text: "none since yesterday"}
	lost := 0
	err := h.DB.View(ctx, func(tx bot.Tx) error {
		rows, err := tx.Inbound(mostMail)
		for _, r := range rows {
			if !r.GivenUp.IsZero() && tx.Now().Sub(r.GivenUp) <= freshAlert {
				lost++
			}
		}
		return err
	})
	switch {
	case err != nil:
		f.State, f.Text = bot.Broken, err.Error()
	case lost > 0:
		f.State, f.Text = bot.Doubtful, fmt.Sprintf("%d events of people were never read, since it could not be found out who they are", lost)
		f.Fix = "`latchkey inbox list` says where and why, and `latchkey inbox retry` has them tried again"
	}
	return f
}

const (
	// freshMail is how long a message that was given up counts, from when it
	// was said; one may be tried for a day.
	freshMail = 48 * time.Hour
	// mostMail bounds how many are looked at.
	mostMail = 1000
)

// look asks an outside system that examines itself; a panic of its adapter is
// a finding, too.
func look(ctx context.Context, system any) (fs []bot.Finding) {
	x, ok := system.(bot.Examiner)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, longestLook)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			fs = append(fs, bot.Finding{What: "adapter", State: bot.Broken, Text: fmt.Sprintf("panicked: %T", v), Fix: "report this"})
		}
	}()
	return x.Examine(ctx)
}

// look examines one channel, and its connection while the service runs.
func (h *Program) look(ctx context.Context, id bot.ChannelID, running bool) []bot.Finding {
	fs := look(ctx, h.Connections.channels[id])
	if _, ok := h.Connections.channels[id].(bot.Examiner); !ok || !running {
		return fs
	}
	f := bot.Finding{What: "connection", Text: "up"}
	if state, _ := h.health(id); !state.OK {
		f.State, f.Text, f.Fix = bot.Broken, state.Text, "the log of the service has more; it keeps trying"
	} else if s := since(state); s != "" {
		f.Text += " " + s
	}
	return append(fs, f)
}

func stateWord(s bot.FindingState) string {
	return [...]string{"good", "look", "BROKEN", "skipped"}[s]
}

// mostCounted bounds how many jobs are counted.
const mostCounted = 10_000

// countGivenUp counts the codes, the notices and the rest that were given up
// since a time, in words; empty: none.
func (h *Program) countGivenUp(ctx context.Context, since time.Time) (string, error) {
	jobs, err := h.DB.GivenUp(ctx, since, mostCounted)
	if err != nil {
		return "", err
	}
	n := map[string]int{}
	for _, j := range jobs {
		n[j.Kind]++
	}
	return jobWords(n), nil
}

// jobWords says how many jobs there are of each kind: "1 code, 3 notices".
func jobWords(byKind map[string]int) string {
	n := map[string]int{}
	for kind, count := range byKind {
		switch kind {
		case verify.SendCode{}.Kind():
			n["code"] += count
		case enroll.Notify{}.Kind():
			n["notice"] += count
		default:
			n["other job"] += count
		}
	}
	var parts []string
	for _, what := range []string{"code", "notice", "other job"} {
		if n[what] > 0 {
			parts = append(parts, textfmt.Count(n[what], what, what+"s"))
		}
	}
	return strings.Join(parts, ", ")
}

// senderWords are the ways a code travels, as operators read them.
var senderWords = map[bot.Via]string{bot.Mail: "mail", bot.SMS: "texts", bot.Voice: "calls"}

// sendersDown lists the senders that fail now.
func (h *Program) sendersDown() (fs []bot.Finding) {
	if h.watch == nil {
		return nil
	}
	for _, o := range h.watch.Outages() {
		times := "once"
		if o.Tries > 1 {
			times = fmt.Sprintf("%d times", o.Tries)
		}
		f := bot.Finding{What: senderWords[o.Via], State: bot.Broken, Fix: o.Fix,
			Text: fmt.Sprintf("down since %s, tried %s: %v", o.Since.UTC().Format(time.RFC3339), times, o.Err)}
		if f.Fix == "" {
			f.Fix = "see whether it runs and can be reached from here; what waits is tried again by itself"
		}
		fs = append(fs, f)
	}
	return fs
}

// lookAtSenders tells how mail, texts and calls stand.
func (h *Program) lookAtSenders(ctx context.Context, running bool) ([]bot.Finding, error) {
	var fs []bot.Finding
	for _, s := range h.Connections.examined {
		fs = append(fs, look(ctx, s)...)
	}
	if down := h.sendersDown(); len(down) > 0 {
		fs = append(fs, down...)
	} else if running && len(h.Connections.examined) > 0 {
		fs = append(fs, bot.Finding{What: "since the start", Text: "nothing fails"})
	}
	waiting, err := h.DB.PendingJobs(ctx)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(waiting, func(kind string, _ int) bool {
		return kind != verify.SendCode{}.Kind() && kind != enroll.Notify{}.Kind()
	})
	if text := jobWords(waiting); text != "" {
		fs = append(fs, bot.Finding{What: "waiting", Text: text})
	}
	given, err := h.countGivenUp(ctx, time.Time{})
	if given != "" {
		fs = append(fs, bot.Finding{What: "given up", State: bot.Doubtful, Text: given + " in the last 14 days",
			Fix: "`latchkey outbox list` says why, and what to do"})
	}
	return fs, err
}

// needsOperator names in one line each what somebody has to look at, without
// saying of whom: whoever watches reads it.
func (h *Program) needsOperator(ctx context.Context) (lines []string, err error) {
	for _, f := range h.sendersDown() {
		line, _, _ := strings.Cut(f.Text, ", tried")
		lines = append(lines, f.What+" "+line)
	}
	given, err := h.countGivenUp(ctx, h.DB.Now().Add(-freshAlert))
	if err != nil {
		return nil, err
	}
	if given != "" {
		lines = append(lines, "given up in the last day: "+given)
	}
	for _, f := range []bot.Finding{h.lookAtMail(ctx), h.lookAtInbox(ctx)} {
		if f.State != bot.Fine {
			lines = append(lines, f.Text)
		}
	}
	open, err := h.alerts(ctx, freshAlert)
	if err != nil {
		return nil, err
	}
	if len(open) > 0 {
		lines = append(lines, fmt.Sprintf("alerts: %d", len(open)))
	}
	dir, err := h.lookAtDirectory(ctx)
	for _, f := range dir {
		if f.State == bot.Broken {
			lines = append(lines, "the directory is not read: "+f.What)
		}
	}
	return lines, err
}

// freshAlert is how long an alert about a person counts in the health check;
// `latchkey doctor` lists it longer.
const freshAlert = 24 * time.Hour

// alerts lists what an operator has to know now: one line each.
func (h *Program) alerts(ctx context.Context, since time.Duration) (list []bot.Finding, err error) {
	err = h.DB.View(ctx, func(tx bot.Tx) error {
		list = nil
		all, err := tx.Alerts("")
		if err != nil {
			return err
		}
		for _, a := range all {
			if a.Kind == bot.AlertUntold && tx.Now().Sub(a.At) >= since {
				continue
			}
			f := bot.Finding{What: string(a.Kind), State: bot.Broken}
			f.Text, f.Fix = enroll.AlertText(a)
			f.Text += "; last " + textfmt.When(a.At)
			if a.Person != "" {
				f.What += " " + string(a.Person)
				f.State = bot.Doubtful
				f.Text += fmt.Sprintf(", %d in all", a.Count)
			}
			list = append(list, f)
		}
		return nil
	})
	return list, err
}
