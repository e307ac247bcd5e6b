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
	"latchkey/bot/campaign"
	"latchkey/bot/desk"
	"latchkey/bot/enroll"
	"latchkey/bot/verify"
	"latchkey/cmd/latchkey/program"
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

// mostListed bounds the list where only some of it is wanted.
const mostListed = 10_000

// listGivenUp lists the jobs that were given up, the newest first.
func listGivenUp(ctx context.Context, p *program.Program, limit int) ([]givenUp, error) {
	jobs, err := p.DB.GivenUp(ctx, time.Time{}, limit)
	if err != nil || len(jobs) == 0 {
		return nil, err
	}
	var list []givenUp
	err = p.DB.View(ctx, func(tx bot.Tx) error {
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

// listMails lists the mails of campaigns that were not sent yet.
func listMails(ctx context.Context, p *program.Program, limit int) (list []givenUp, err error) {
	jobs, err := p.DB.Queued(ctx, campaign.Mail{}.Kind(), limit)
	if err != nil || len(jobs) == 0 {
		return nil, err
	}
	err = p.DB.View(ctx, func(tx bot.Tx) error {
		list = make([]givenUp, len(jobs))
		for i, j := range jobs {
			list[i].GivenUp = j
			if err := list[i].describe(tx); err != nil {
				return err
			}
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
	case desk.Tell{}.Kind(), desk.TellAgain{}.Kind():
		if j := g.tell(); j.Ticket != "" {
			g.what = fmt.Sprintf("webhook %d of ticket %s", j.No, j.Ticket)
		}
		g.remedy = "see what the receiver says, then `latchkey desk webhooks replay`"
	case desk.LookThere{}.Kind():
		var j desk.LookThere
		if json.Unmarshal(g.Args, &j) == nil {
			g.what = "look at ticket " + j.Ticket + " in the ticket system"
		}
	case desk.MailTicket{}.Kind():
		var j desk.MailTicket
		if json.Unmarshal(g.Args, &j) == nil {
			g.what = "mail of ticket " + j.Ticket
		}
	case campaign.Mail{}.Kind():
		var j campaign.Mail
		if json.Unmarshal(g.Args, &j) != nil {
			return nil
		}
		g.what, who = "mail of campaign "+j.Campaign, j.Person
		if j.Test {
			g.what = "test by " + g.what
		} else {
			g.over = "its person counts as not reached"
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

// tell is the job where it is a webhook, else empty.
func (g *givenUp) tell() (j desk.Tell) {
	if g.Kind == (desk.Tell{}).Kind() || g.Kind == (desk.TellAgain{}).Kind() {
		if json.Unmarshal(g.Args, &j) != nil {
			return desk.Tell{}
		}
	}
	return j
}

// retryJob does a job once more that was given up. A code becomes a new one.
func retryJob(ctx context.Context, p *program.Program, s std, id int64) error {
	list, err := listGivenUp(ctx, p, mostListed)
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
			err = p.DB.Revive(ctx, id)
		default:
			if err = askAgain(ctx, p, g.code); err == nil {
				err = p.DB.Forget(ctx, id)
			}
		}
		if err != nil {
			return err
		}
		return record(ctx, p, s, "outbox.retried", "a "+g.Kind+" that was given up")
	}
	return notListed(id)
}

// dropJob takes a job from the list.
func dropJob(ctx context.Context, p *program.Program, s std, id int64) error {
	err := p.DB.Forget(ctx, id)
	if errors.Is(err, bot.ErrNotFound) {
		return notListed(id)
	}
	if err != nil {
		return err
	}
	return record(ctx, p, s, "outbox.dropped", "a job that was given up")
}

func notListed(id int64) error {
	return fmt.Errorf("%s%d was not given up, or was retried since; see `latchkey outbox list`", jobPrefix, id)
}

// askAgain has the service ask the conversation of a code for a new one.
func askAgain(ctx context.Context, p *program.Program, challenge string) error {
	return p.DB.Update(ctx, func(tx bot.Tx) error { return tx.Enqueue(verify.Again{Challenge: challenge}, time.Time{}) })
}
