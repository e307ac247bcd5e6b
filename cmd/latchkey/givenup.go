package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/enroll"
	"latchkey/bot/verify"
	"latchkey/store"
)

// A givenUp is a job that was given up, as operators see it.
type givenUp struct {
	store.GivenUp
	what   string // "code by sms for Ann (ann, id e1)"
	remedy string
	code   string // the challenge of a code, else empty
	over   string // why it cannot be done again, or empty
}

// name is how commands call the job.
func (g *givenUp) name() string { return jobPrefix + strconv.FormatInt(g.ID, 10) }

// jobPrefix begins the name of a job. No conversation begins so: those begin
// with their channel and a colon.
const jobPrefix = "job-"

// jobID reads the name of a job; false when it is none.
func jobID(name string) (int64, bool) {
	digits, ok := strings.CutPrefix(name, jobPrefix)
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, ok && err == nil
}

// mostGivenUp bounds the list where only some of it is wanted.
const mostGivenUp = 10_000

// listGivenUp lists the jobs that were given up, the newest first.
func (h *house) listGivenUp(ctx context.Context, limit int) ([]givenUp, error) {
	jobs, err := h.db.GivenUp(ctx, time.Time{}, limit)
	if err != nil || len(jobs) == 0 {
		return nil, err
	}
	var list []givenUp
	err = h.db.View(ctx, func(tx bot.Tx) error {
		list = nil
		for _, j := range jobs {
			g := givenUp{GivenUp: j}
			if err := g.describe(tx); err != nil {
				return err
			}
			list = append(list, g)
		}
		return nil
	})
	return list, err
}

// describe says what the job was about.
func (g *givenUp) describe(tx bot.Tx) error {
	g.what, g.remedy = g.Kind, "mend what it says, then `latchkey outbox retry "+g.name()+"`"
	var who bot.PersonID
	switch g.Kind {
	case verify.SendCode{}.Kind():
		var j verify.SendCode
		if json.Unmarshal(g.Args, &j) != nil {
			return nil
		}
		g.what, g.code = "code", j.Challenge
		ch, err := tx.Challenge(j.Challenge)
		if errors.Is(err, bot.ErrNotFound) {
			g.over = "nobody waits for it any more"
			break
		}
		if err != nil {
			return err
		}
		g.what, who = "code by "+string(ch.Via), ch.Person
		if !ch.ClosedAt.IsZero() {
			g.over = "nobody waits for it any more"
		} else {
			g.remedy += " sends a new code, if the person still waits"
		}
	case enroll.Notify{}.Kind():
		var j enroll.Notify
		if json.Unmarshal(g.Args, &j) != nil {
			return nil
		}
		g.what, who = "notice of "+j.Change, j.Person
		switch {
		case j.Chat != "":
			g.what += " in a chat"
		case j.To == "":
			g.what += " to the work address"
		default:
			g.what += " to a phone or mailbox of theirs"
			if m, err := tx.Method(j.To); err == nil && m.Sealed == nil || errors.Is(err, bot.ErrNotFound) {
				g.over = "the address is wiped, so tell the person yourself"
			} else if err != nil {
				return err
			}
		}
	case enroll.Alerts{}.Kind():
		g.what = "alert to operators"
	}
	if g.over != "" {
		g.remedy = g.over + "; `latchkey outbox drop " + g.name() + "` takes it from the list"
	}
	if who == "" {
		return nil
	}
	p, err := tx.Person(who)
	if err == nil {
		g.what += " for " + named(p)
	} else if errors.Is(err, bot.ErrNotFound) {
		err = nil
	}
	return err
}

// retryJob does a job once more that was given up. A code becomes a new one.
func (h *house) retryJob(ctx context.Context, s std, id int64) error {
	list, err := h.listGivenUp(ctx, mostGivenUp)
	if err != nil {
		return err
	}
	for _, g := range list {
		if g.ID != id {
			continue
		}
		switch {
		case g.over != "":
			return fmt.Errorf("%s cannot be done again: %s", g.name(), g.remedy)
		case g.code == "":
			err = h.db.Revive(ctx, id)
		default:
			if err = h.askAgain(ctx, g.code); err == nil {
				err = h.db.Forget(ctx, id)
			}
		}
		if err != nil {
			return err
		}
		return h.record(ctx, s, "outbox.retried", "a "+g.Kind+" that was given up")
	}
	return notListed(id)
}

// dropJob takes a job from the list.
func (h *house) dropJob(ctx context.Context, s std, id int64) error {
	err := h.db.Forget(ctx, id)
	if errors.Is(err, bot.ErrNotFound) {
		return notListed(id)
	}
	if err != nil {
		return err
	}
	return h.record(ctx, s, "outbox.dropped", "a job that was given up")
}

func notListed(id int64) error {
	return fmt.Errorf("%s%d was not given up, or was retried since; see `latchkey outbox list`", jobPrefix, id)
}

// askAgain has the service ask the conversation of a code for a new one.
func (h *house) askAgain(ctx context.Context, challenge string) error {
	return h.db.Update(ctx, func(tx bot.Tx) error { return tx.Enqueue(verify.Again{Challenge: challenge}, time.Time{}) })
}

// countGivenUp counts the codes, the notices and the rest that were given up
// since a time, in words; empty: none.
func (h *house) countGivenUp(ctx context.Context, since time.Time) (string, error) {
	jobs, err := h.db.GivenUp(ctx, since, mostGivenUp)
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
			parts = append(parts, countOf(n[what], what, what+"s"))
		}
	}
	return strings.Join(parts, ", ")
}

// senderWords are the ways a code travels, as operators read them.
var senderWords = map[bot.Via]string{bot.Mail: "mail", bot.SMS: "texts", bot.Voice: "calls"}

// sendersDown lists the senders that fail now.
func (h *house) sendersDown() (fs []bot.Finding) {
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
func (h *house) lookAtSenders(ctx context.Context, running bool) ([]bot.Finding, error) {
	var fs []bot.Finding
	for _, s := range h.outside.examined {
		fs = append(fs, look(ctx, s)...)
	}
	if down := h.sendersDown(); len(down) > 0 {
		fs = append(fs, down...)
	} else if running && len(h.outside.examined) > 0 {
		fs = append(fs, bot.Finding{What: "since the start", Text: "nothing fails"})
	}
	waiting, err := h.db.PendingJobs(ctx)
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
func (h *house) needsOperator(ctx context.Context) (lines []string, err error) {
	for _, f := range h.sendersDown() {
		line, _, _ := strings.Cut(f.Text, ", tried")
		lines = append(lines, f.What+" "+line)
	}
	given, err := h.countGivenUp(ctx, h.db.Now().Add(-freshAlert))
	if err != nil {
		return nil, err
	}
	if given != "" {
		lines = append(lines, "given up in the last day: "+given)
	}
	if mail := h.lookAtMail(ctx); mail.State != bot.Fine {
		lines = append(lines, mail.Text)
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
