package campaign

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/bot"
)

const (
	tickEvery   = 5 * time.Second  // how often a campaign is looked at that writes to people
	idleFor     = 15 * time.Second // and one that does not
	leaseFor    = 30 * time.Second // how long one process has it
	missedAfter = 12 * time.Hour   // that long without a look, and an operator is asked
	firstWait   = time.Hour        // from the first percent to everybody else
	healthEvery = 5 * time.Minute

	gatherPage  = 500
	gatherPause = 10 * time.Millisecond // left to the turns between two pages
	settlePage  = 1000
	duePage     = 500
	nudgeGroup  = 5    // people in one transaction, so that no turn waits for many
	letInPage   = 500  //
	mostWaiting = 1000 // messages of one campaign that wait in the outbox
)

// Why a campaign waits for an operator, beside bot.CampaignRestored.
const (
	whyMissed   = "missed"
	whyAudience = "audience"
	whyFailed   = "failed"
	whyDenied   = "not_me"
	whyAsked    = "tickets"
)

// Tick has every campaign that is due do what is to be done now. Errors of one do
// not keep the others; where an operator or another process was quicker, the next
// Tick goes on.
func (s *Service) Tick(ctx context.Context) error {
	var ids []string
	err := s.o.Store.View(ctx, func(tx bot.Tx) (err error) { ids, err = tx.CampaignsDue(); return err })
	if err != nil {
		return fmt.Errorf("campaign: %w", err)
	}
	var all error
	for _, id := range ids {
		if err := s.tick(ctx, id); err != nil && !errors.Is(err, errOver) && !errors.Is(err, bot.ErrConflict) {
			all = errors.Join(all, fmt.Errorf("campaign %s: %w", id, err))
		}
	}
	return all
}

// errOver: the campaign does not run any more, or another process has it.
var errOver = errors.New("nothing to do")

// errRests: it does not run, and what was under way may have come to an end.
var errRests = errors.New("it rests")

func (s *Service) tick(ctx context.Context, id string) error {
	err := s.take(ctx, id)
	rests := errors.Is(err, errRests)
	if err != nil && !rests {
		return err
	}
	refused, of, err := s.posted(ctx, id)
	if err == nil {
		err = s.lost(ctx, id)
	}
	if err != nil || rests {
		return err
	}
	if id != bot.CampaignLater {
		steps := []func(context.Context, string) error{s.settle, s.health, s.wave, s.gather, s.letIn}
		if tooMany(refused, of) { // nobody new, before it is known whether it goes on
			steps = steps[:len(steps)-1]
		}
		for _, do := range steps {
			if err := do(ctx, id); err != nil {
				return err
			}
		}
	}
	wrote, more, err := s.remind(ctx, id)
	if err == nil && refused > 0 && id != bot.CampaignLater {
		err = s.harm(ctx, id) // those for whom no other way was left
	}
	if err != nil {
		return err
	}
	return s.running(ctx, id, func(tx bot.Tx, c *bot.Campaign) (bool, error) {
		switch c.Next = tx.Now().Add(idleFor); {
		case more || c.Gathers || tooMany(refused, of):
			c.Next = tx.Now()
		case wrote:
			c.Next = tx.Now().Add(tickEvery)
		}
		return true, nil
	})
}

// running changes a campaign that runs; errOver when it does not. fn says whether
// there is something to store.
func (s *Service) running(ctx context.Context, id string, fn func(tx bot.Tx, c *bot.Campaign) (bool, error)) error {
	return s.update(ctx, id, func(tx bot.Tx, c *bot.Campaign) error {
		if c.State != bot.CampaignRunning {
			return errOver
		}
		change, err := fn(tx, c)
		if err == nil && change {
			err = tx.PutCampaign(c)
		}
		return err
	})
}

// take makes a campaign this process's for a while. It begins one whose time has
// come, ends one whose deadline is over, and asks about one that was left alone.
func (s *Service) take(ctx context.Context, id string) error {
	over := false
	err := s.update(ctx, id, func(tx bot.Tx, c *bot.Campaign) error {
		now := tx.Now()
		over = false
		if c.State != bot.CampaignRunning && c.State != bot.CampaignScheduled {
			return errRests
		}
		if c.Next.After(now) {
			return errOver
		}
		switch {
		case c.ID == bot.CampaignLater:
			due, err := tx.PartsDue(id, 1)
			if err != nil || len(due) == 0 {
				over = true // nothing is written while nobody waits
				return err
			}
			c.TickedAt = now
			if late := due[0].Due; now.Sub(late) > missedAfter && now.Sub(c.Checked) > missedAfter {
				c.TickedAt = late
			}
		case c.State == bot.CampaignScheduled:
			c.State, c.BeganAt, c.TickedAt = bot.CampaignRunning, now, now
			if now.Sub(c.Next) > missedAfter {
				over = true
				return s.ask(tx, c, whyMissed)
			}
		}
		if !c.Plan.Deadline.IsZero() && now.After(c.Plan.Deadline) {
			c.State, c.EndedAt, c.Next = bot.CampaignDone, now, now
			over = true
			if _, err := tx.RecallCampaign(id); err != nil {
				return err
			}
			if err := unpost(tx, c); err != nil {
				return err
			}
			if err := s.again(tx, c); err != nil {
				return err
			}
			return tx.PutCampaign(c)
		}
		if now.Sub(c.TickedAt) > missedAfter {
			over = true
			return s.ask(tx, c, whyMissed)
		}
		c.TickedAt, c.Next = now, now.Add(leaseFor)
		return tx.PutCampaign(c)
	})
	if err == nil && over {
		return errOver
	}
	return err
}

// ask has a campaign wait for an operator.
func (s *Service) ask(tx bot.Tx, c *bot.Campaign, why string) error {
	c.State, c.Why = bot.CampaignPaused, why
	if why != whyMissed {
		c.State = bot.CampaignHalted
	}
	if err := tx.PutCampaign(c); err != nil {
		return err
	}
	n, err := tx.RecallCampaign(c.ID)
	if err != nil {
		return err
	}
	s.o.Logger.Warn("a campaign waits for an operator; see `latchkey campaign status`", "campaign", c.ID, "state", c.State, "why", why, "taken_back", n)
	return audit(tx, "system", "campaign."+c.State.String(), c.ID+": "+why)
}

// posted notes what became of the messages that were sent, and of how many. Nobody
// knows that the refused ones arrived.
func (s *Service) posted(ctx context.Context, id string) (refused, of int, err error) {
	for {
		var parts []bot.CampaignPart
		var rows []bot.OutboxRow
		err = s.o.Store.View(ctx, func(tx bot.Tx) (err error) { parts, rows, err = tx.Posted(id, duePage); return err })
		of += len(rows)
		for _, r := range rows {
			if r.State.GivenUp() {
				refused++
			}
		}
		for i := 0; err == nil && i < len(parts); i += nudgeGroup {
			err = s.o.Store.Update(ctx, func(tx bot.Tx) error {
				c, err := tx.Campaign(id)
				if err != nil {
					return err
				}
				for j := i; j < min(i+nudgeGroup, len(parts)); j++ {
					p, err := tx.Part(id, parts[j].Person)
					if errors.Is(err, bot.ErrNotFound) {
						continue
					}
					if err != nil {
						return err
					}
					if p.State != bot.PartSent || p.Row != parts[j].Row {
						continue // it is further by now
					}
					if err := s.outcome(tx, c, p, rows[j]); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err != nil || len(parts) < duePage {
			return refused, of, err
		}
	}
}

// outcome moves a part by what became of its row.
func (s *Service) outcome(tx bot.Tx, c *bot.Campaign, p *bot.CampaignPart, row bot.OutboxRow) error {
	now := tx.Now()
	p.Row = 0
	switch {
	case row.State == bot.OutboxSent:
		p.State, p.Why, p.Tried = bot.PartAccepted, "", ""
		p.Due = s.nextReminder(c, p, p.LastAt)
	case row.State == bot.OutboxUnknown:
		p.State, p.Why, p.Due = bot.PartFailed, "unknown", time.Time{}
	case row.State == bot.OutboxRetracted: // Hold has moved the part, or an operator took it back
		p.State, p.Reminders = bot.PartWaiting, max(0, p.Reminders-1)
		p.Due = now
	case row.Error == bot.OutboxDropped || row.Error == bot.CampaignRestored:
		p.State, p.Why, p.Due = bot.PartFailed, row.Error, time.Time{}
	case row.Error == "expired": // its day was over
		p.State, p.Reminders, p.Due = bot.PartWaiting, max(0, p.Reminders-1), now
	default:
		p.Tried += p.Via + " "
		p.State, p.Why, p.Reminders, p.Due = bot.PartWaiting, row.Error, max(0, p.Reminders-1), now // another way, or none is left
	}
	if row.State.GivenUp() {
		if err := tx.Unlist(&row); err != nil {
			return err
		}
	}
	untold := p.State == bot.PartWaiting
	if c.State.Over() { // no other way is tried
		p.Due = time.Time{}
		if untold && p.Why != "" {
			p.State = bot.PartFailed
		}
	}
	if err := tx.PutPart(p); err != nil || !untold {
		return err
	}
	return tx.FreeNudge(p.Person)
}

// lost ends parts whose mail was given up, now and then.
func (s *Service) lost(ctx context.Context, id string) error {
	var parts []bot.CampaignPart
	err := s.o.Store.View(ctx, func(tx bot.Tx) (err error) {
		s.mu.Lock()
		due := tx.Now().Sub(s.mails[id]) >= healthEvery
		if due {
			s.mails[id] = tx.Now()
		}
		s.mu.Unlock()
		if due {
			parts, err = tx.LostMails(id, settlePage)
		}
		return err
	})
	for i := 0; err == nil && i < len(parts); i += nudgeGroup {
		err = s.o.Store.Update(ctx, func(tx bot.Tx) error {
			for _, was := range parts[i:min(i+nudgeGroup, len(parts))] {
				p, err := tx.Part(id, was.Person)
				if errors.Is(err, bot.ErrNotFound) || err == nil && *p != was {
					continue // it is further by now
				}
				if err == nil {
					p.State, p.Why = bot.PartFailed, viaMail+" given_up"
					if was.Why == mailing {
						p.Why = "unknown"
					}
					err = tx.PutPart(p)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return err
}

// nextReminder is when somebody is written to again after a moment; the zero time: not
// any more.
func (s *Service) nextReminder(c *bot.Campaign, p *bot.CampaignPart, after time.Time) time.Time {
	at := after.AddDate(0, 0, c.Plan.Every)
	if c.ID == bot.CampaignLater || p.Reminders >= c.Plan.Most || tooLate(c, s.calendar(&c.Plan, "").Next(at)) {
		return time.Time{}
	}
	return at
}

// tooLate reports whether a time is after a campaign's last day.
func tooLate(c *bot.Campaign, at time.Time) bool {
	return c.ID != bot.CampaignLater && !c.Plan.Deadline.IsZero() && at.After(c.Plan.Deadline)
}

// settle notes who has done it, and how far those are who began: a page at each look.
func (s *Service) settle(ctx context.Context, id string) error {
	return s.running(ctx, id, func(tx bot.Tx, c *bot.Campaign) (bool, error) {
		parts, stages, last, err := tx.Unsettled(id, &c.Plan.Audience, c.Settled, settlePage)
		if err != nil {
			return false, err
		}
		for i := range parts {
			p := &parts[i]
			was := *p
			if stages[i] == bot.Enrolled {
				s.enrolled(p)
			} else if err := s.further(tx, c, p); err != nil {
				return false, err
			}
			if *p == was {
				continue
			}
			if err := tx.PutPart(p); err != nil {
				return false, err
			}
		}
		changed := c.Settled != last
		c.Settled = last
		return changed, nil
	})
}

// enrolled ends a part well.
func (s *Service) enrolled(p *bot.CampaignPart) {
	p.State, p.Why, p.Due, p.Row = bot.PartEnrolled, "", time.Time{}, 0
}

// further notes where somebody stands who has begun.
func (s *Service) further(tx bot.Tx, c *bot.Campaign, p *bot.CampaignPart) error {
	if p.State == bot.PartSent { // its row is waited for
		return nil
	}
	step, progress, err := s.stands(tx, p.Person, "en")
	if err != nil {
		return err
	}
	p.Step, p.Progress = step, progress
	if p.State == bot.PartSnoozed {
		return nil
	}
	p.State = bot.PartStarted
	if step != "" {
		p.State = bot.PartAtStep
	}
	if p.Due.IsZero() && !p.LastAt.IsZero() {
		p.Due = s.nextReminder(c, p, p.LastAt)
	}
	return nil
}

// stands is where a person is in a conversation: where they wrote last.
func (s *Service) stands(tx bot.Tx, who bot.PersonID, lang string) (step, progress string, err error) {
	convs, err := tx.ConversationsOf(who)
	if err != nil || s.o.Where == nil {
		return "", "", err
	}
	for i := range convs {
		if flow, title, prog := s.o.Where(convs[i].State, lang); flow != "" && (prog != "" || title != "") {
			return title, prog, nil
		}
	}
	return "", "", nil
}

// health halts a campaign that does harm.
func (s *Service) health(ctx context.Context, id string) error {
	return s.running(ctx, id, func(tx bot.Tx, c *bot.Campaign) (bool, error) {
		now := tx.Now()
		first := !c.FirstEnd.IsZero() && !now.Before(c.FirstEnd) && c.HealthAt.Before(c.FirstEnd)
		if !first && now.Sub(c.HealthAt) < healthEvery {
			return false, nil
		}
		c.HealthAt = now
		why, err := harmful(tx, c)
		if err != nil || why == "" {
			return true, err
		}
		return false, s.ask(tx, c, why)
	})
}

// harm halts a campaign that does harm, whenever it was looked at before.
func (s *Service) harm(ctx context.Context, id string) error {
	return s.running(ctx, id, func(tx bot.Tx, c *bot.Campaign) (bool, error) {
		why, err := harmful(tx, c)
		if err != nil || why == "" {
			return false, err
		}
		return false, s.ask(tx, c, why)
	})
}

// tooMany reports whether so many failures of so many messages halt a campaign.
func tooMany(failed, of int) bool { return failed >= 5 && failed*5 >= of }

// harmful says what harm a campaign does; empty: none.
func harmful(tx bot.Tx, c *bot.Campaign) (string, error) {
	written, failed, denied, asked, err := tx.CampaignHealth(c.ID, c.Checked)
	switch {
	case err != nil:
		return "", err
	case tooMany(failed, written):
		return fmt.Sprintf("%s: %d of %d", whyFailed, failed, written), nil
	case denied >= 3 && denied*200 >= written:
		return fmt.Sprintf("%s: %d of %d", whyDenied, denied, written), nil
	case asked >= 10 && asked*10 >= written:
		return fmt.Sprintf("%s: %d of %d", whyAsked, asked, written), nil
	}
	return "", nil
}

// wave begins the wave of a day, when its hours have begun.
func (s *Service) wave(ctx context.Context, id string) error {
	return s.running(ctx, id, func(tx bot.Tx, c *bot.Campaign) (bool, error) {
		now, cal := tx.Now(), s.calendar(&c.Plan, "")
		today := now.In(cal.Location()).Format(time.DateOnly)
		if c.Gathers || c.Wave == today || !cal.Open(now) {
			return false, nil
		}
		n, err := s.universe(tx, c)
		if err != nil {
			return false, err
		}
		was := c.Audience
		if diff := max(n-was, was-n); was > 0 && diff >= 3 && diff*2 >= was && n != c.Agreed {
			return false, s.ask(tx, c, fmt.Sprintf("%s: %d people, and %d at the last wave", whyAudience, n, was))
		}
		if c.Wave == "" {
			if err := s.post(tx, c); err != nil {
				return false, err
			}
		}
		c.Audience, c.Wave, c.LetIn, c.Gathers, c.Gathered, c.Agreed = n, today, 0, true, "", 0
		return true, nil
	})
}

// gather gives the people of a wave their part, page by page.
func (s *Service) gather(ctx context.Context, id string) error {
	for more := true; more; {
		err := s.running(ctx, id, func(tx bot.Tx, c *bot.Campaign) (bool, error) {
			if more = c.Gathers; !more {
				return false, nil
			}
			last, _, err := tx.Gather(id, &c.Plan.Audience, c.Gathered, gatherPage, c.Plan.Order == "site")
			c.Gathered, c.Gathers, c.Next = last, last != "", tx.Now().Add(leaseFor)
			more = c.Gathers
			return true, err
		})
		if err != nil {
			return err
		}
		if more && !bot.Sleep(ctx, gatherPause) {
			return ctx.Err()
		}
	}
	return nil
}

// letIn lets in as many people as the plan allows now.
func (s *Service) letIn(ctx context.Context, id string) error {
	return s.running(ctx, id, func(tx bot.Tx, c *bot.Campaign) (bool, error) {
		now := tx.Now()
		if !s.calendar(&c.Plan, "").Open(now) || c.Gathers {
			return false, nil
		}
		n := letInPage
		if c.Plan.PerDay > 0 {
			n = min(n, c.Plan.PerDay-c.LetIn)
		}
		first := c.Plan.First > 0 && c.Plan.First < 100
		switch {
		case first && c.FirstEnd.IsZero():
			n = max(1, (c.Audience*c.Plan.First+99)/100)
		case first && now.Before(c.FirstEnd):
			return false, nil
		}
		if n <= 0 {
			return false, nil
		}
		if c.Plan.Queue > 0 {
			waits, err := waiting(tx)
			if err != nil || waits >= c.Plan.Queue {
				return false, err
			}
		}
		n, err := tx.LetIn(id, n, now)
		if err != nil || n == 0 {
			return false, err
		}
		if c.LetIn += n; first && c.FirstEnd.IsZero() {
			c.FirstEnd = now.Add(firstWait)
		}
		return true, nil
	})
}

// waiting is how many tickets wait for an agent.
func waiting(tx bot.Tx) (n int, err error) {
	ts, err := tx.Tickets(5000)
	for i := range ts {
		if ts[i].State == bot.TicketWaiting {
			n++
		}
	}
	return n, err
}

// remind writes to those who are due, a few in each transaction. wrote says that
// there were some, more that others are due, too.
func (s *Service) remind(ctx context.Context, id string) (wrote, more bool, err error) {
	var due []bot.PartDue
	room := 0
	err = s.o.Store.View(ctx, func(tx bot.Tx) error {
		n, err := tx.CampaignMail(id)
		if room = mostWaiting - n; err == nil && room > 0 {
			due, err = tx.PartsDue(id, min(room, duePage))
		}
		return err
	})
	for i := 0; err == nil && i < len(due); i += nudgeGroup {
		err = s.running(ctx, id, func(tx bot.Tx, c *bot.Campaign) (bool, error) {
			for _, d := range due[i:min(i+nudgeGroup, len(due))] {
				p, err := tx.Part(id, d.Person)
				if errors.Is(err, bot.ErrNotFound) {
					continue // erased
				}
				if err == nil && !p.Due.IsZero() && !p.Due.After(tx.Now()) {
					if err = s.nudge(tx, c, p); err == nil {
						if tooLate(c, p.Due) && !p.FirstAt.IsZero() { // who was never let in would be let in again
							p.Due = time.Time{}
						}
						err = tx.PutPart(p)
					}
				}
				if err != nil {
					return false, err
				}
			}
			return false, nil
		})
	}
	return len(due) > 0, len(due) == duePage, err
}
