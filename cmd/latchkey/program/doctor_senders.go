package program

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/delivery"
	"latchkey/bot/desk"
	"latchkey/bot/enroll"
	"latchkey/bot/verify"
	"latchkey/cmd/latchkey/textfmt"
)

// senderWords are the ways a code travels, as operators read them.
var senderWords = map[bot.Via]string{bot.Mail: "mail", bot.SMS: "texts", bot.Voice: "calls"}

// senderWord is how operators read what fails.
func (p *Program) senderWord(via bot.Via) string {
	if via == delivery.Outside {
		return p.outsideWord()
	}
	return senderWords[via]
}

// outsideWord is how operators read the system that is told of tickets.
func (p *Program) outsideWord() string {
	if p.Config != nil && p.Config.Desk.Zammad.URL != "" {
		return "zammad"
	}
	return "webhook"
}

// sendersDown lists the senders that fail now.
func (p *Program) sendersDown() (fs []bot.Finding) {
	if p.watch == nil {
		return nil
	}
	for _, o := range p.watch.Outages() {
		times := "once"
		if o.Tries > 1 {
			times = fmt.Sprintf("%d times", o.Tries)
		}
		f := bot.Finding{What: p.senderWord(o.Via), State: bot.Broken, Fix: o.Fix,
			Text: fmt.Sprintf("down since %s, tried %s: %v", o.Since.UTC().Format(time.RFC3339), times, o.Err)}
		if f.Fix == "" {
			f.Fix = "see whether it runs and can be reached from here; what waits is tried again by itself"
		}
		fs = append(fs, f)
	}
	return fs
}

// lookAtSenders tells how mail, texts and calls stand.
func (p *Program) lookAtSenders(ctx context.Context, serving bool) ([]bot.Finding, error) {
	var fs []bot.Finding
	for _, s := range p.Connections.examined {
		fs = append(fs, look(ctx, s)...)
	}
	if down := p.sendersDown(); len(down) > 0 {
		fs = append(fs, down...)
	} else if serving && len(p.Connections.examined) > 0 {
		fs = append(fs, bot.Finding{What: "since the start", Text: "nothing fails"})
	}
	again, err := p.toldAgain(ctx)
	if err != nil {
		return nil, err
	}
	if again != "" {
		fs = append(fs, bot.Finding{What: p.outsideWord(), State: bot.Doubtful, Text: again, Fix: "see what it says (desk.webhook.url, desk.zammad.url); events are tried for three days, then `latchkey desk webhooks list` has them"})
	}
	waiting, err := p.DB.PendingJobs(ctx)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(waiting, func(kind string, _ int) bool {
		return kind != verify.SendCode{}.Kind() && kind != enroll.Notify{}.Kind() && kind != desk.Tell{}.Kind() && kind != desk.TellAgain{}.Kind()
	})
	if text := jobWords(waiting); text != "" {
		fs = append(fs, bot.Finding{What: "waiting", Text: text})
	}
	given, err := p.countGivenUp(ctx, time.Time{})
	if given != "" {
		fs = append(fs, bot.Finding{What: "given up", State: bot.Doubtful, Text: given + " in the last 14 days",
			Fix: "`latchkey outbox list` says why, and what to do"})
	}
	return fs, err
}

// toldAgain says of how many tickets an event is tried again, by this process or
// another; empty: of none.
func (p *Program) toldAgain(ctx context.Context) (string, error) {
	waiting, err := p.DB.PendingJobs(ctx)
	n := waiting[desk.TellAgain{}.Kind()]
	if err != nil || n == 0 {
		return "", err
	}
	return "the receiver has not taken events of " + textfmt.Count(n, "ticket", "tickets") + " yet, and they are tried again", nil
}

// mostCounted bounds how many jobs are counted.
const mostCounted = 10_000

// countGivenUp counts the codes, the notices and the rest that were given up
// since a time, in words; empty: none.
func (p *Program) countGivenUp(ctx context.Context, since time.Time) (string, error) {
	jobs, err := p.DB.GivenUp(ctx, since, mostCounted)
	if err != nil {
		return "", err
	}
	n := map[string]int{}
	for _, j := range jobs {
		n[j.Kind]++
	}
	return jobWords(n), nil
}

// jobWords says how many jobs there are of each kind: "1 code, 3 notices". Of
// webhooks one waits for each ticket.
func jobWords(byKind map[string]int) string {
	n := map[string]int{}
	for kind, count := range byKind {
		switch kind {
		case verify.SendCode{}.Kind():
			n["code"] += count
		case enroll.Notify{}.Kind():
			n["notice"] += count
		case desk.Tell{}.Kind(), desk.TellAgain{}.Kind():
			n["webhook"] += count
		default:
			n["other job"] += count
		}
	}
	var parts []string
	for _, what := range []string{"code", "notice", "webhook", "other job"} {
		if n[what] > 0 {
			parts = append(parts, textfmt.Count(n[what], what, what+"s"))
		}
	}
	return strings.Join(parts, ", ")
}
