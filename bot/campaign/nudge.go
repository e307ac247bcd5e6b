package campaign

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/bot"
)

// viaMail is the way that is no channel.
const viaMail = "mail"

// nudge writes to somebody who is due, or says when to look again, or why not. The
// caller stores the part.
func (s *Service) nudge(tx bot.Tx, c *bot.Campaign, p *bot.CampaignPart) error {
	who, why, err := s.may(tx, c, p)
	if err != nil || why != "" {
		return err
	}
	until, err := s.busy(tx, p.Person)
	if err != nil {
		return err
	}
	now, cal := tx.Now(), s.calendar(&c.Plan, who.TimeZone)
	switch next := cal.Next(now); {
	case next.IsZero(): // never within months
		p.Due = now.AddDate(0, 0, 30)
		return nil
	case next.After(now):
		p.Due = next
		return nil
	case who.NextNudge.After(now):
		p.Due = cal.Next(who.NextNudge)
		return nil
	case until.After(now):
		p.Due = cal.Next(until)
		return nil
	case p.State == bot.PartSent && p.Row != 0:
		p.Due = time.Time{} // the last one is still on its way
		return nil
	case p.Reminders >= c.Plan.Most:
		p.Due = time.Time{}
		return nil
	}
	via, err := s.way(tx, p, who)
	if err != nil {
		return err
	}
	if via == "" {
		p.State, p.Why, p.Due, p.Tried = bot.PartFailed, cmp.Or(p.Why, "no_way"), time.Time{}, ""
		return nil
	}
	// The next message of any campaign is for another day.
	tomorrow := midnight(now.In(cal.Location())).AddDate(0, 0, 1)
	if ok, err := tx.ClaimNudge(p.Person, tomorrow); err != nil || !ok {
		p.Due = tomorrow
		return err
	}
	if p.Step, p.Progress, err = s.stands(tx, p.Person, "en"); err != nil {
		return err
	}
	p.Reminders++
	p.State, p.Why, p.Via, p.Due, p.LastAt = bot.PartSent, "", via, time.Time{}, now
	if p.FirstAt.IsZero() {
		p.FirstAt = now
	}
	if via == viaMail {
		return tx.Enqueue(Mail{Campaign: c.ID, Person: p.Person, No: p.Reminders}, time.Time{})
	}
	conv, err := tx.Direct(bot.ChannelID(via), p.Person)
	if err != nil {
		return err
	}
	_, progress, err := s.stands(tx, p.Person, s.lang(who))
	if err != nil {
		return err
	}
	row := bot.OutboxRow{Conversation: conv, Lane: bot.LaneCampaign, Campaign: c.ID, Message: s.message(c, p, who, progress, now), Expires: cal.Ends(now)}
	if err := tx.Say(&row); err != nil {
		return err
	}
	if err := tx.Number(&row); err != nil {
		return err
	}
	p.Row = row.ID
	return nil
}

// quiet is how long a conversation rests before a campaign writes to somebody who is
// in the middle of a script.
const quiet = 30 * time.Minute

// busy is until when somebody is in the middle of a script; a time that is past, when
// nobody is.
func (s *Service) busy(tx bot.Tx, who bot.PersonID) (until time.Time, err error) {
	convs, err := tx.ConversationsOf(who)
	if err != nil || s.o.Busy == nil {
		return time.Time{}, err
	}
	for i := range convs {
		if end := convs[i].Updated.Add(quiet); end.After(until) && end.After(tx.Now()) && s.o.Busy(convs[i].State) {
			until = end
		}
	}
	return until, nil
}

func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}

// may says why somebody is not written to now, and moves the part accordingly.
func (s *Service) may(tx bot.Tx, c *bot.Campaign, p *bot.CampaignPart) (who *bot.Person, why string, err error) {
	who, err = tx.Person(p.Person)
	if errors.Is(err, bot.ErrNotFound) {
		p.State, p.Why, p.Due = bot.PartSuppressed, "gone", time.Time{}
		return nil, "gone", nil
	}
	if err != nil {
		return nil, "", err
	}
	if why, err = suppressed(tx, who); err != nil {
		return nil, "", err
	}
	if why != "" {
		p.State, p.Why, p.Due = bot.PartSuppressed, why, tx.Now().Add(24*time.Hour)
		return who, why, nil
	}
	in, done, err := tx.Judge(c.ID, s.audience(c), p.Person)
	switch {
	case err != nil:
		return nil, "", err
	case done:
		s.enrolled(p)
		return who, "done", nil
	case !in:
		p.State, p.Why, p.Due = bot.PartSuppressed, "not_in_audience", tx.Now().Add(24*time.Hour)
		return who, "not_in_audience", nil
	}
	if p.State == bot.PartSuppressed {
		p.State, p.Why = bot.PartWaiting, ""
	}
	return who, "", nil
}

// audience is the rule that holds now for whoever has a part.
func (s *Service) audience(c *bot.Campaign) *bot.Audience {
	if c.ID == bot.CampaignLater {
		return &bot.Audience{Who: bot.AudienceNotEnrolled}
	}
	return &c.Plan.Audience
}

// suppressed says why nothing may be sent to a person; empty: it may.
func suppressed(tx bot.Tx, who *bot.Person) (string, error) {
	switch {
	case !who.FrozenAt.IsZero():
		return "frozen", nil
	case !who.StoppedAt.IsZero():
		return "suspended", nil
	case who.Disabled:
		return "disabled", nil
	}
	ts, err := tx.TicketsOfPerson(who.ID)
	if err == nil && slices.ContainsFunc(ts, func(t bot.Ticket) bool { return t.State.Open() }) {
		return "ticket", nil
	}
	return "", err
}

// way chooses how a person is written to: where they wrote last, else where they can
// be found, else by mail. Empty: there is none that was not tried.
func (s *Service) way(tx bot.Tx, p *bot.CampaignPart, who *bot.Person) (string, error) {
	tried := strings.Fields(p.Tried)
	can := func(ch bot.ChannelID) *Channel {
		for i := range s.o.Channels {
			if s.o.Channels[i].ID == ch && !slices.Contains(tried, string(ch)) {
				return &s.o.Channels[i]
			}
		}
		return nil
	}
	convs, err := tx.ConversationsOf(who.ID)
	if err != nil {
		return "", err
	}
	for i := range convs {
		if convs[i].Kind == bot.Direct && can(convs[i].Channel) != nil {
			return string(convs[i].Channel), nil
		}
	}
	ops, err := tx.OpeningsOf(who.ID)
	if err != nil {
		return "", err
	}
	for i := range s.o.Channels {
		ch := &s.o.Channels[i]
		shut := slices.ContainsFunc(ops, func(o bot.Opening) bool {
			return o.Channel == ch.ID && o.Why != "" && tx.Now().Sub(o.At) < 24*time.Hour
		})
		if ch.Opens && can(ch.ID) != nil && !shut {
			return string(ch.ID), nil
		}
	}
	if s.o.Notifier != nil && who.Email != "" && !slices.Contains(tried, viaMail) {
		return viaMail, nil
	}
	return "", nil
}

// lang is the language that a person reads.
func (s *Service) lang(who *bot.Person) string {
	for _, l := range s.o.Phrases.Languages() {
		if base, _, _ := strings.Cut(strings.ToLower(who.Lang), "-"); base == l {
			return l
		}
	}
	return s.o.Lang
}

// message is what a person gets.
func (s *Service) message(c *bot.Campaign, p *bot.CampaignPart, who *bot.Person, progress string, now time.Time) bot.Message {
	lang := s.lang(who)
	half := progress != "" && kinds[c.Plan.Kind].flow == "enroll"
	text := s.text(&c.Plan, lang, c.Code, half, p.Reminders >= c.Plan.Most && c.ID != bot.CampaignLater, s.values(&c.Plan, who, lang, progress, now))
	return bot.Message{Text: text, Lang: lang, Choices: s.buttons(c, p, lang, s.offers(c, who, now)...)}
}

// offers are what the buttons of a message do. No reminder is offered after the last day.
func (s *Service) offers(c *bot.Campaign, who *bot.Person, now time.Time) []string {
	cal := s.calendar(&c.Plan, who.TimeZone)
	return slices.DeleteFunc([]string{"start", "today", "tomorrow", "days", "why", "real", "help", "done"}, func(do string) bool {
		switch do {
		case "days":
			return len(s.days(c, now, cal)) == 0
		case "today", "tomorrow":
			at, ok := s.until(do, "", now, cal)
			return !ok || tooLate(c, at)
		}
		return false
	})
}

// buttons are the buttons of a message, by what they do.
func (s *Service) buttons(c *bot.Campaign, p *bot.CampaignPart, lang string, does ...string) (cs []bot.Choice) {
	for _, do := range does {
		id := bot.ChoiceCampaign + do + "." + p.Token
		key := do
		switch {
		case do == "help":
			id = "/human" // works everywhere
		case do == "real" && c.Code == "":
			continue
		case do == "done" && c.Plan.Kind == KindStill:
			key = "still"
		case do == "start" && c.Plan.Kind == KindStill:
			key = "look"
		}
		cs = append(cs, bot.Choice{ID: id, Label: s.o.Phrases.Phrase(lang, "campaign.button."+key), Primary: do == "start"})
	}
	return cs
}

// Hold says why a row of a campaign that is claimed must not be sent any more: the
// person has done it meanwhile, or may not be written to. It moves the part. Empty:
// it may be sent.
func (s *Service) Hold(tx bot.Tx, row *bot.OutboxRow) (string, error) {
	p, err := tx.PartByRow(row.ID)
	if errors.Is(err, bot.ErrNotFound) {
		return "not_needed", nil
	}
	if err != nil {
		return "", err
	}
	c, err := tx.Campaign(p.Campaign)
	if errors.Is(err, bot.ErrNotFound) {
		return "not_needed", nil
	}
	if err != nil {
		return "", err
	}
	if row.Doubt > 0 { // it may be out: the platform is asked, and it is not said again
		return "", nil
	}
	who, why, err := s.may(tx, c, p)
	if err == nil && why == "" {
		if cal, now := s.calendar(&c.Plan, who.TimeZone), tx.Now(); c.State != bot.CampaignRunning {
			p.State, p.Due, why = bot.PartWaiting, time.Time{}, c.State.String()
		} else if !cal.Open(now) {
			p.State, p.Due, why = bot.PartWaiting, cal.Next(now), "hours"
		} else if until, busyErr := s.busy(tx, p.Person); busyErr != nil {
			err = busyErr
		} else if until.After(now) {
			p.State, p.Due, why = bot.PartWaiting, cal.Next(until), "busy"
		}
	}
	if err != nil || why == "" {
		return "", err
	}
	p.Row, p.Reminders = 0, max(0, p.Reminders-1)
	if err := tx.PutPart(p); err != nil {
		return "", err
	}
	return why, tx.FreeNudge(p.Person)
}

// Mail is the job that writes to somebody by mail.
type Mail struct {
	Campaign string       `json:"campaign"`
	Person   bot.PersonID `json:"person"`
	No       int          `json:"no"` // which reminder it is; of a test: when it was ordered
	Test     bool         `json:"test,omitempty"`
}

// Kind implements bot.Job.
func (Mail) Kind() string { return "campaign_mail" }

// Queue implements bot.QueuedJob. It is that of the notices, which go by the same
// mail server.
func (Mail) Queue() bot.JobQueue {
	return bot.JobQueue{Name: "notices", Workers: 16, Timeout: time.Minute}
}

// mailing is CampaignPart.Why while the mail server is asked: whoever finds it there
// does not know whether the mail went out.
const mailing = "mailing"

// HandleMail makes one attempt. A mail of which nobody knows whether it went out is
// not sent again.
func (s *Service) HandleMail(ctx context.Context, j Mail) error {
	if j.Test {
		return s.testMail(ctx, j)
	}
	var n *bot.NoticeMessage
	change := func(fn func(tx bot.Tx, c *bot.Campaign, p *bot.CampaignPart) error) error {
		return s.o.Store.Update(ctx, func(tx bot.Tx) error {
			c, err := tx.Campaign(j.Campaign)
			if errors.Is(err, bot.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			p, err := tx.Part(j.Campaign, j.Person)
			if errors.Is(err, bot.ErrNotFound) || err == nil && (p.State != bot.PartSent || p.Via != viaMail || p.Reminders != j.No) {
				return nil
			}
			if err != nil {
				return err
			}
			return fn(tx, c, p)
		})
	}
	err := change(func(tx bot.Tx, c *bot.Campaign, p *bot.CampaignPart) error {
		n = nil
		if p.Why == mailing {
			p.State, p.Why, p.Due = bot.PartFailed, "unknown", time.Time{}
			return tx.PutPart(p)
		}
		who, why, err := s.may(tx, c, p)
		if err != nil {
			return err
		}
		if cal := s.calendar(&c.Plan, cmp.Or(who, &bot.Person{}).TimeZone); why == "" && (c.State != bot.CampaignRunning || !cal.Open(tx.Now())) {
			p.State, p.Due, why = bot.PartWaiting, cal.Next(tx.Now()), "hours"
			if c.State.Over() {
				p.Due = time.Time{}
			}
		}
		if why != "" {
			p.Reminders--
			return errors.Join(tx.PutPart(p), tx.FreeNudge(p.Person))
		}
		p.Why = mailing
		n = s.mail(c, p, who, tx.Now())
		return tx.PutPart(p)
	})
	if err != nil || n == nil {
		return err
	}
	sendErr := s.o.Notifier.SendNotice(ctx, *n)
	again, failed := false, false
	err = change(func(tx bot.Tx, c *bot.Campaign, p *bot.CampaignPart) error {
		again, failed = false, false
		e := new(bot.SendError)
		switch {
		case sendErr == nil:
			p.State, p.Why = bot.PartAccepted, ""
			p.Due = s.nextReminder(c, p, p.LastAt)
		case errors.As(sendErr, &e) && (e.Kind == bot.SendRetry || e.Kind == bot.SendThrottled):
			p.Why, again = "", true
		case errors.As(sendErr, &e) && (e.Kind == bot.SendPermanent || e.Kind == bot.SendGone):
			p.State, p.Why, p.Due = bot.PartFailed, viaMail+" "+e.Code, time.Time{}
		default:
			p.State, p.Why, p.Due = bot.PartFailed, "unknown", time.Time{}
		}
		failed = p.State == bot.PartFailed
		return tx.PutPart(p)
	})
	if err == nil && failed && j.Campaign != bot.CampaignLater {
		// What this look does not find, the clockwork's next one does.
		if err := s.harm(ctx, j.Campaign); err != nil && !errors.Is(err, errOver) {
			s.o.Logger.Warn("how a campaign does is looked at later", "campaign", j.Campaign, "err", err)
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("campaign: note a mail: %w", err)
	case again:
		return sendErr
	case sendErr != nil:
		return &bot.DropJob{Err: fmt.Errorf("campaign %s: mail: %w", j.Campaign, sendErr), Quiet: true}
	}
	return nil
}

// testMail makes one attempt to send a test.
func (s *Service) testMail(ctx context.Context, j Mail) error {
	var n *bot.NoticeMessage
	err := s.o.Store.View(ctx, func(tx bot.Tx) error {
		c, err := tx.Campaign(j.Campaign)
		if err != nil {
			return err
		}
		who, err := tx.Person(j.Person)
		if err != nil {
			return err
		}
		n = s.mail(c, &bot.CampaignPart{Token: testToken, Reminders: 1}, who, tx.Now())
		n.ID = fmt.Sprintf("campaign|%s|%s|%d", c.ID, testToken, j.No)
		return nil
	})
	if err == nil {
		err = s.o.Notifier.SendNotice(ctx, *n)
	}
	e := new(bot.SendError)
	if err == nil || errors.As(err, &e) && (e.Kind == bot.SendRetry || e.Kind == bot.SendThrottled) {
		return err
	}
	return &bot.DropJob{Err: fmt.Errorf("campaign %s: mail of a test: %w", j.Campaign, err)}
}

// mail is the message by mail: without buttons, and without any address.
func (s *Service) mail(c *bot.Campaign, p *bot.CampaignPart, who *bot.Person, now time.Time) *bot.NoticeMessage {
	lang := s.lang(who)
	text := s.text(&c.Plan, lang, c.Code, false, false, s.values(&c.Plan, who, lang, "", now))
	say := func(key string) string {
		return s.o.Phrases.Phrase(lang, "campaign.mail."+key, "bot_name", s.o.Facts["bot_name"], "org", s.o.Facts["org"], "help_phone", s.o.Facts["help_phone"], "code", ShowCode(c.Code))
	}
	if p.Reminders >= c.Plan.Most && c.ID != bot.CampaignLater {
		text += "\n\n" + say("last")
	}
	text += "\n\n" + say("how")
	if c.Code != "" {
		text += "\n\n" + say("real")
	}
	return &bot.NoticeMessage{
		ID: fmt.Sprintf("campaign|%s|%s|%d", c.ID, p.Token, p.Reminders), To: who.Email, Name: who.Name, Lang: lang,
		Subject: say("subject"), Body: text + "\n",
	}
}
