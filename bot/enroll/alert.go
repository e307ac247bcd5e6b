package enroll

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
)

// Alerts is the job that tells operators of what stands in the store and was
// not told yet. It has no content of its own, so any one does for all.
type Alerts struct{}

// Kind implements bot.Job.
func (Alerts) Kind() string { return "alerts" }

// Queue implements bot.QueuedJob.
func (Alerts) Queue() bot.JobQueue { return notices }

// untold raises the alert that nobody could be told of a change.
func (r *Service) untold(tx bot.Tx, p bot.PersonID, change string) error {
	_, err := tx.Audit(bot.AuditEntry{Person: p, Actor: "system", Action: "notice.untold", Subject: change})
	if err != nil {
		return fmt.Errorf("enroll: audit an untold change: %w", err)
	}
	return r.Alert(tx, bot.AlertUntold, p, change)
}

// Alert raises an alert. A burst becomes one mail: what is raised while a mail
// waits goes with it, and between two mails lies AlertEvery.
func (r *Service) Alert(tx bot.Tx, kind bot.AlertKind, p bot.PersonID, detail string) error {
	if err := oneAtATime(tx); err != nil {
		return err
	}
	all, err := tx.Alerts("")
	if err != nil {
		return fmt.Errorf("enroll: alerts: %w", err)
	}
	waits := false
	var last time.Time
	for _, a := range all {
		waits = waits || a.ToldAt.Before(a.At)
	}
	if _, at, err := tx.Tallied(alertMails, "", tx.Now().Add(-r.Policy.AlertEvery)); err != nil {
		return fmt.Errorf("enroll: last alert: %w", err)
	} else if !at.IsZero() {
		last = at
	}
	if err := tx.RaiseAlert(kind, p, detail); err != nil {
		return fmt.Errorf("enroll: raise alert: %w", err)
	}
	if waits {
		return nil // its mail is on its way already
	}
	at := tx.Now()
	if !last.IsZero() {
		at = last.Add(r.Policy.AlertEvery)
	}
	if err := tx.Enqueue(Alerts{}, at); err != nil {
		return fmt.Errorf("enroll: enqueue alert: %w", err)
	}
	return nil
}

// alertMails marks when operators were told.
const alertMails = "alert.mail"

// alertKept is how long an alert about a person stands after its newest.
const alertKept = 7 * 24 * time.Hour

// ForgetAlerts drops what is long over. The tripwire stands until somebody
// clears it.
func (r *Service) ForgetAlerts(ctx context.Context) error {
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		all, err := tx.Alerts("")
		if err != nil {
			return err
		}
		for _, a := range all {
			if a.Kind == bot.AlertTripwire || tx.Now().Sub(a.At) < alertKept {
				continue
			}
			if err := tx.DropAlert(a.Kind, a.Person); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("enroll: forget old alerts: %w", err)
	}
	return nil
}

// maxListed is how many people one mail to operators names.
const maxListed = 20

// HandleAlerts logs what operators were not told of yet and mails it to
// AlertsTo. A mail that cannot be sent is tried again as any job; when it is
// refused for good, the log and the health check have to do.
func (r *Service) HandleAlerts(ctx context.Context, _ Alerts) error {
	var news []bot.Alert
	names := map[bot.PersonID]string{}
	var now time.Time
	err := r.Store.View(ctx, func(tx bot.Tx) error {
		news, now = nil, tx.Now()
		all, err := tx.Alerts("")
		if err != nil {
			return err
		}
		for _, a := range all {
			if !a.ToldAt.Before(a.At) {
				continue
			}
			news = append(news, a)
			p, err := tx.Person(a.Person)
			if err == nil {
				names[a.Person] = fmt.Sprintf("%s (%s)", p.Username, p.ID)
			} else if !errors.Is(err, bot.ErrNotFound) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("enroll: alerts: %w", err)
	}
	if len(news) == 0 {
		return nil
	}
	var lines []string
	for i, a := range news {
		if i == maxListed {
			lines = append(lines, r.Phrases.Phrase(r.AlertsLang, "alert.more", "n", strconv.Itoa(len(news)-i)))
			r.Log.Error("and more alerts; `latchkey doctor` lists them", "more", len(news)-i)
			break
		}
		text, fix := AlertText(a)
		r.Log.Error("alert: "+text, "person", a.Person, "times", a.Count, "since", a.FirstAt, "fix", fix)
		lines = append(lines, r.Phrases.Phrase(r.AlertsLang, "alert.line."+string(a.Kind), "who", names[a.Person], "detail", r.detail(a),
			"n", strconv.Itoa(a.Count), "when", a.At.UTC().Format("2006-01-02 15:04 MST")))
	}
	newest := news[len(news)-1]
	for i, to := range r.AlertsTo {
		err := r.Notifier.SendNotice(ctx, bot.NoticeMessage{
			ID: fmt.Sprintf("alert|%s|%s|%d|%d", newest.Kind, newest.Person, newest.At.UnixMilli(), i), To: to, Lang: r.AlertsLang,
			Subject: r.Phrases.Phrase(r.AlertsLang, "alert.subject", "org", r.Org),
			Body:    r.Phrases.Phrase(r.AlertsLang, "alert.body", "org", r.Org, "lines", strings.Join(lines, "\n")),
		})
		var se *bot.SendError
		switch {
		case err == nil:
		case errors.As(err, &se) && (se.Kind == bot.SendPermanent || se.Kind == bot.SendGone), now.Sub(newest.At) > jobTries:
			r.Log.Error("an alert could not be mailed to operators; check alerts.mail and smtp", "err", err)
		default:
			return fmt.Errorf("enroll: mail an alert: %w", err)
		}
	}
	err = r.Store.Update(ctx, func(tx bot.Tx) error {
		if err := tx.Tally(alertMails, ""); err != nil {
			return err
		}
		for _, a := range news {
			if err := tx.AlertTold(a); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("enroll: note a told alert: %w", err)
	}
	return nil
}

// detail puts the detail of an alert into the operators' language. The number of
// a ticket is the same in each.
func (r *Service) detail(a bot.Alert) string {
	switch a.Kind {
	case bot.AlertUntold:
		return r.words(Notify{Lang: r.AlertsLang, Change: a.Detail}, "notice.short.")
	case bot.AlertTripwire:
		var tries, people, hours int
		if _, err := fmt.Sscanf(a.Detail, tripped, &tries, &people, &hours); err == nil { // else it was raised by an older version
			return r.Phrases.Phrase(r.AlertsLang, "alert.tripwire", "n", strconv.Itoa(tries), "people", strconv.Itoa(people), "hours", strconv.Itoa(hours))
		}
	}
	return a.Detail
}

// AlertText says in plain English what an alert is about, and what to do.
func AlertText(a bot.Alert) (text, fix string) {
	switch a.Kind {
	case bot.AlertUntold:
		return "nobody could be told of a change (" + a.Detail + ")",
			"ask the person whether it was theirs; check the work address in the staff list, and smtp"
	case bot.AlertAsked:
		return "an agent of the help desk wrote a line that asks for a code or a password (ticket " + a.Detail + "); it was not sent",
			"talk to the agent; `latchkey desk revoke` takes somebody away from the desk"
	case bot.AlertCallerFailed:
		return "checks whether a caller is really the person have failed three times within a day (ticket " + a.Detail + ")",
			"somebody may pose as this person, or an agent may be guessing: look into `latchkey audit list`, and talk to both"
	case bot.AlertCallerDenied:
		return "the help desk asked this person whether they talk with them, and they said no (ticket " + a.Detail + "); the account is frozen",
			"somebody poses as this person: tell all agents, and call the person before anything is changed"
	case bot.AlertDeskBudget:
		return "an agent of the help desk wanted to change more methods of people in a day than policy.desk.method_acts, or to have more than 20 people asked within an hour (ticket " + a.Detail + "); it was refused",
			"ask the agent what is going on; `latchkey desk revoke` takes somebody away from the desk"
	case bot.AlertResetAgain:
		return "the help desk has taken methods from this person for the second time within 30 days (ticket " + a.Detail + ")",
			"ask the person whether both were theirs, and look into `latchkey audit list`"
	case bot.AlertTripwire:
		return "the tripwire is pulled: " + a.Detail,
			"look into `latchkey audit list`; when it is over, `latchkey tripwire clear --why TEXT`"
	}
	return string(a.Kind) + ": " + a.Detail, ""
}
