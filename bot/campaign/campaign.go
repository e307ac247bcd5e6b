package campaign

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"latchkey/bot"
	"latchkey/bot/calendar"
)

// A Channel is one that campaigns write on.
type Channel struct {
	ID     bot.ChannelID
	Opens  bool // somebody who never wrote can be written to
	Limits bot.Limits
}

// A Room is a channel that many read.
type Room struct {
	Channel bot.ChannelID
	ID      string // the platform's, see bot.RoomWriter
}

// Options of a Service. Store and Phrases are needed.
type Options struct {
	Store    bot.Store
	Phrases  bot.Phrases
	Facts    map[string]string // for texts: org, bot_name, help_phone
	Channels []Channel         // in the order in which people are looked for
	Rooms    []Room            // where a message with a button stands, on platforms that let nobody write to many
	Notifier bot.Notifier      // the last way; nil: there is no mail
	Zone     string            // of whoever has none, where no campaign says it; empty: UTC
	Holidays []string
	Lang     string
	// Where names the step that a stored session is at.
	Where func(state []byte, lang string) (flow, title, progress string)
	// Busy reports whether a script is under way in a stored session, and not put off.
	Busy   func(state []byte) bool
	Title  func(flow, step, lang string) string // names a step as Where does
	Logger *slog.Logger                         // nil: silent
}

// Service keeps campaigns.
type Service struct {
	o Options

	mu        sync.Mutex
	calendars map[string]*calendar.Hours
	mails     map[string]time.Time // when a campaign's mails were looked after
}

// New makes a Service.
func New(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Zone, o.Lang = cmp.Or(o.Zone, "UTC"), cmp.Or(o.Lang, "en")
	return &Service{o: o, calendars: map[string]*calendar.Hours{}, mails: map[string]time.Time{}}
}

// A kind is what a campaign is about.
type kind struct {
	audience string
	flow     string    // that its button begins
	ends     time.Time // of what it is about, where that is known
}

// The shipped kinds. Their texts are the phrases campaign.text.KIND.
const (
	KindFirst     = "first_enrollment"
	KindHalfWay   = "half_way"
	KindSecond    = "second_method"
	KindStill     = "still_right"
	KindTextVoice = "text_and_voice_end" // of codes by text and call in Microsoft Entra
	kindLater     = "later"
)

var kinds = map[string]kind{
	KindFirst:     {audience: bot.AudienceNotEnrolled, flow: "enroll"},
	KindHalfWay:   {audience: bot.AudienceHalfWay, flow: "enroll"},
	KindSecond:    {audience: bot.AudienceOneMethod, flow: "extras"},
	KindStill:     {audience: bot.AudienceEnrolled, flow: "methods"},
	KindTextVoice: {audience: bot.AudienceTextOrVoice, flow: "get_in", ends: time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)},
	kindLater:     {audience: bot.AudienceNotEnrolled, flow: "enroll"},
}

// Kinds lists the shipped kinds.
func Kinds() []string { return []string{KindFirst, KindHalfWay, KindSecond, KindStill, KindTextVoice} }

// Numbers of a plan that says nothing else, and what no plan may exceed.
const (
	everyDays   = 3
	mostTimes   = 5
	secondAbove = 500
	firstPart   = 1
	maxText     = 2000
)

var workHours = []string{"mon-fri 09:00-17:00"}

// Fill completes a plan of a kind.
func (s *Service) Fill(p *bot.CampaignPlan) {
	k := kinds[p.Kind]
	p.Audience.Who = cmp.Or(p.Audience.Who, k.audience)
	if p.Deadline.IsZero() {
		p.Deadline = k.ends
	}
	p.Zone, p.Order = cmp.Or(p.Zone, s.o.Zone), cmp.Or(p.Order, "random")
	p.Every, p.Most, p.Second = cmp.Or(p.Every, everyDays), cmp.Or(p.Most, mostTimes), cmp.Or(p.Second, secondAbove)
	if len(p.Hours) == 0 {
		p.Hours = workHours
	}
	if p.Holidays == nil {
		p.Holidays = s.o.Holidays
	}
}

// calendar gives the hours of a plan in a person's zone, or in the plan's where the
// person has none that this machine knows.
func (s *Service) calendar(p *bot.CampaignPlan, zone string) *calendar.Hours {
	if zone == "" {
		zone = p.Zone
	}
	key := zone + "\n" + strings.Join(p.Hours, "\n") + "\n\n" + strings.Join(p.Holidays, "\n")
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.calendars[key]; h != nil {
		return h
	}
	h, err := calendar.Parse(zone, p.Hours, p.Holidays)
	if err != nil { // the plan was checked, so it is the person's zone
		if h, err = calendar.Parse(p.Zone, p.Hours, p.Holidays); err != nil {
			h, _ = calendar.Parse("UTC", workHours, nil)
		}
	}
	if len(s.calendars) > 1000 { // plans that were edited
		clear(s.calendars)
	}
	s.calendars[key] = h
	return h
}

// Refused says why an operator's order was not carried out.
type Refused struct {
	Why      string
	Problems bot.CampaignProblems // of a plan
}

// Error implements error.
func (r *Refused) Error() string { return r.Why }

func refuse(format string, args ...any) error { return &Refused{Why: fmt.Sprintf(format, args...)} }

// wrong refuses a plan.
func wrong(ps bot.CampaignProblems) error { return &Refused{Why: ps.String(), Problems: ps} }

// New stores a draft. People are named before (bot.CampaignTx.NamePerson).
func (s *Service) New(tx bot.Tx, id string, p bot.CampaignPlan, by string) (*bot.Campaign, error) {
	if ps := nameProblems(id, &p); len(ps) > 0 {
		return nil, wrong(ps)
	}
	s.Fill(&p)
	if ps := s.Problems(&p, tx.Now()); len(ps) > 0 {
		return nil, wrong(ps)
	}
	c := &bot.Campaign{ID: id, Code: newCode(), Plan: p, MadeBy: by}
	err := tx.PutCampaign(c)
	if errors.Is(err, bot.ErrConflict) {
		return nil, wrong(bot.CampaignProblems{{Field: "name", Text: fmt.Sprintf("there is a campaign %s already; choose another name", id)}})
	}
	if err == nil {
		err = audit(tx, by, "campaign.made", planned(c))
	}
	return c, err
}

// Edit gives a draft another plan. Whoever tested or asked for it did so for the plan
// of before. People are named anew before, where the plan names any. For seen, see Send.
func (s *Service) Edit(tx bot.Tx, id, seen string, p bot.CampaignPlan, by string) (*bot.Campaign, error) {
	c, err := draft(tx, id, "edited")
	if err == nil {
		err = changed(c, seen)
	}
	if err != nil {
		return nil, err
	}
	s.Fill(&p)
	if ps := s.Problems(&p, tx.Now()); len(ps) > 0 {
		return nil, wrong(ps)
	}
	c.Plan, c.SentBy, c.TestedAt = p, "", time.Time{}
	if err := tx.PutCampaign(c); err != nil {
		return nil, err
	}
	return c, audit(tx, by, "campaign.edited", planned(c))
}

// Delete deletes a draft.
func (s *Service) Delete(tx bot.Tx, id, by string) error {
	c, err := draft(tx, id, "deleted")
	if err == nil {
		err = tx.DeleteCampaign(c)
	}
	if err != nil {
		return err
	}
	return audit(tx, by, "campaign.deleted", planned(c))
}

// changed refuses an order for a campaign that is not any more as it was seen
// (bot.Campaign.Seen). Empty: it is seen in the transaction of the order.
func changed(c *bot.Campaign, seen string) error {
	if seen == "" || seen == c.Seen() {
		return nil
	}
	return refuse("campaign %s was changed meanwhile, and nothing was done: look at it again as it is now", c.ID)
}

// draft is a campaign of which nothing was sent.
func draft(tx bot.Tx, id, done string) (*bot.Campaign, error) {
	c, err := tx.Campaign(id)
	if err == nil && c.State != bot.CampaignDraft {
		return nil, refuse("campaign %s is %s: only a draft is %s, so that it stays known what people were told", id, c.State, done)
	}
	return c, err
}

// planned is a plan in a line of the audit record.
func planned(c *bot.Campaign) string {
	return c.ID + ": " + c.Plan.Kind
}

// nameProblems says what is wrong with a name. One that repeats needs room for its number.
func nameProblems(id string, p *bot.CampaignPlan) bot.CampaignProblems {
	if validName(id) && (p.Repeat == 0 || len(id) <= 35) {
		return nil
	}
	return bot.CampaignProblems{{Field: "name", Text: fmt.Sprintf("the name %q is none: write it with small letters, digits and dashes, like autumn-2026", id)}}
}

func validName(id string) bool {
	return id != "" && len(id) <= 40 && id != bot.CampaignLater && !strings.ContainsFunc(id, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' })
}

// alphabet is Crockford's base 32.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

func newCode() string {
	var b [8]byte
	rand.Read(b[:])
	for i := range b {
		b[i] = alphabet[b[i]&31]
	}
	return string(b[:])
}

// ShowCode is a code as people read it.
func ShowCode(code string) string {
	if len(code) != 8 {
		return code
	}
	return code[:4] + "-" + code[4:]
}

func audit(tx bot.Tx, by, action, subject string) error {
	_, err := tx.Audit(bot.AuditEntry{Actor: by, Action: action, Subject: subject})
	return err
}

// Send has a draft go out at its time. seen is the campaign as the operator saw it
// (bot.Campaign.Seen); empty: as it is now, which is not enough for a second yes. waits
// says that a second operator has to give the same order.
func (s *Service) Send(tx bot.Tx, id, seen, by string, untested bool) (c *bot.Campaign, waits bool, err error) {
	if c, err = tx.Campaign(id); err != nil {
		return nil, false, err
	}
	if c.State != bot.CampaignDraft {
		return nil, false, refuse("campaign %s is %s already", id, c.State)
	}
	if err := changed(c, seen); err != nil {
		return nil, false, err
	}
	if ps := s.Problems(&c.Plan, tx.Now()); len(ps) > 0 {
		return nil, false, wrong(ps)
	}
	n, err := tx.CountAudience(id, &c.Plan.Audience)
	switch {
	case err != nil:
		return nil, false, err
	case n == 0:
		return nil, false, refuse("nobody is in the audience of %s now: look at its rule with `latchkey campaign preview %s`", id, id)
	case c.TestedAt.IsZero() && !untested:
		return nil, false, refuse("nobody has seen a message of %s yet: send one to yourself with `latchkey campaign test %s --to YOU`, or send it all the same with --untested", id, id)
	}
	if n > Bound(&c.Plan) {
		void, err := Void(tx, c.SentBy)
		if err != nil {
			return nil, false, err
		}
		switch {
		case c.SentBy == "" || void:
			asked := fmt.Sprintf("%s: %d people", id, n)
			if void {
				asked += "; the yes of " + c.SentBy + " is void: not allowed any more"
			}
			c.SentBy = by
			if err := tx.PutCampaign(c); err != nil {
				return nil, false, err
			}
			return c, true, audit(tx, by, "campaign.asked", asked)
		case account(c.SentBy) == account(by):
			return nil, false, refuse("%s is for %d people, more than %d: after %s somebody else has to say yes, and both are the same account, %s", id, n, Bound(&c.Plan), c.SentBy, account(by))
		case seen == "":
			return nil, false, refuse("say what you say yes to: look at it with `latchkey campaign preview %s`, and name what it prints as --seen", id)
		}
		c.Approved = by
	} else {
		c.SentBy = by
	}
	c.State, c.Audience = bot.CampaignScheduled, n
	if c.Next, c.TickedAt = c.Plan.Starts, tx.Now(); c.Next.Before(tx.Now()) {
		c.Next = tx.Now()
	}
	if err := tx.PutCampaign(c); err != nil {
		return nil, false, err
	}
	return c, false, audit(tx, by, "campaign.sent", fmt.Sprintf("%s: %d people", id, n))
}

// Bound is above how many people a second operator has to say yes. No plan raises it.
func Bound(p *bot.CampaignPlan) int { return min(p.Second, secondAbove) }

// Void reports whether somebody's yes counts no more: an agent who is no admin now, or
// whose account is stopped.
func Void(tx bot.Tx, by string) (bool, error) {
	id, ok := strings.CutPrefix(by, "agent:")
	if !ok {
		return false, nil
	}
	a, err := tx.Agent(bot.PersonID(id))
	if err == nil && a.Role != bot.RoleAdmin {
		return true, nil
	}
	var who *bot.Person
	if err == nil {
		who, err = tx.Person(bot.PersonID(id))
	}
	if errors.Is(err, bot.ErrNotFound) {
		return true, nil
	}
	return err == nil && who.Stopped(), err
}

// account is the account at the machine of an operator, "operator:root" and
// "operator:Ann (root)": whoever gives the order chooses the name before it.
func account(by string) string {
	by = strings.TrimPrefix(by, "operator:")
	if i := strings.LastIndex(by, " ("); i >= 0 && strings.HasSuffix(by, ")") {
		return by[i+2 : len(by)-1]
	}
	return by
}

// Pause has a campaign wait. What nobody has claimed yet is taken back: recalled.
func (s *Service) Pause(tx bot.Tx, id, by, why string) (c *bot.Campaign, recalled int, err error) {
	return s.end(tx, id, by, why, bot.CampaignPaused)
}

// Stop ends a campaign for good.
func (s *Service) Stop(tx bot.Tx, id, by, why string) (c *bot.Campaign, recalled int, err error) {
	return s.end(tx, id, by, why, bot.CampaignStopped)
}

func (s *Service) end(tx bot.Tx, id, by, why string, to bot.CampaignState) (c *bot.Campaign, recalled int, err error) {
	if c, err = tx.Campaign(id); err != nil {
		return nil, 0, err
	}
	if id == bot.CampaignLater {
		return nil, 0, refuse("%s holds the reminders that people asked for themselves: it is neither paused nor stopped", id)
	}
	if c.State.Over() || c.State == to || c.State == bot.CampaignDraft && to == bot.CampaignPaused {
		return nil, 0, refuse("campaign %s is %s", id, c.State)
	}
	c.State, c.Why = to, why
	if to.Over() {
		c.EndedAt, c.Next = tx.Now(), tx.Now()
	}
	if err := tx.PutCampaign(c); err != nil {
		return nil, 0, err
	}
	if recalled, err = tx.RecallCampaign(id); err == nil && to.Over() {
		err = unpost(tx, c)
	}
	if err != nil {
		return nil, 0, err
	}
	sum, err := Count(tx, id)
	if err != nil {
		return nil, 0, err
	}
	return c, recalled, audit(tx, by, "campaign."+to.String(), fmt.Sprintf("%s: %d messages taken back, %d people written to, %d under way", id, recalled, sum.Written, sum.By[bot.PartSent]))
}

// Resume has one go on that is paused or halted. With failed, those are tried again
// whom nothing reached, and of whom nothing is known.
func (s *Service) Resume(tx bot.Tx, id, by string, failed bool) (c *bot.Campaign, again int, err error) {
	if c, err = tx.Campaign(id); err != nil {
		return nil, 0, err
	}
	if c.State != bot.CampaignPaused && c.State != bot.CampaignHalted {
		return nil, 0, refuse("campaign %s is %s, and neither paused nor halted", id, c.State)
	}
	now := tx.Now()
	if c.Agreed, err = s.universe(tx, c); err != nil {
		return nil, 0, err
	}
	c.State, c.Why, c.Next, c.TickedAt = bot.CampaignRunning, "", now, now
	if c.BeganAt.IsZero() && c.Plan.Starts.After(now) {
		c.State, c.Next = bot.CampaignScheduled, c.Plan.Starts
	}
	c.Checked = now
	if err := tx.PutCampaign(c); err != nil {
		return nil, 0, err
	}
	// What a recall took back goes out again; what was not let in yet waits.
	again, err = eachPart(tx, id, bot.PartWaiting, func(p *bot.CampaignPart) bool { return p.Due.IsZero() && !p.FirstAt.IsZero() }, now)
	if err == nil && failed {
		var n int
		n, err = resend(tx, id, true)
		again += n
	}
	if err != nil {
		return nil, 0, err
	}
	return c, again, audit(tx, by, "campaign.resumed", fmt.Sprintf("%s: %d again", id, again))
}

// Resend has those written to again whom a campaign that runs did not reach; with
// unknown those, too, of whom nobody knows whether it did.
func (s *Service) Resend(tx bot.Tx, id, by string, unknown bool) (again int, err error) {
	c, err := tx.Campaign(id)
	if err != nil {
		return 0, err
	}
	if c.State != bot.CampaignRunning {
		return 0, refuse("campaign %s is %s, and sends nothing now", id, c.State)
	}
	if again, err = resend(tx, id, unknown); err != nil || again == 0 {
		return again, err
	}
	c.Checked = tx.Now() // an operator has looked at what failed
	if err := tx.PutCampaign(c); err != nil {
		return 0, err
	}
	return again, audit(tx, by, "campaign.resent", fmt.Sprintf("%s: %d again, those of whom it is not known: %v", id, again, unknown))
}

func resend(tx bot.Tx, id string, unknown bool) (int, error) {
	want := func(p *bot.CampaignPart) bool {
		p.Tried = ""
		return unknown || p.Why != "unknown"
	}
	return eachPart(tx, id, bot.PartFailed, want, tx.Now())
}

// again writes a campaign down that repeats one that is done.
func (s *Service) again(tx bot.Tx, c *bot.Campaign) error {
	if c.Plan.Repeat == 0 {
		return nil
	}
	loc := s.calendar(&c.Plan, "").Location()
	next := bot.Campaign{Code: newCode(), Plan: c.Plan, Of: cmp.Or(c.Of, c.ID), No: max(c.No, 1), MadeBy: c.MadeBy, SentBy: c.SentBy, Approved: c.Approved,
		TestedAt: c.TestedAt, Audience: c.Audience, State: bot.CampaignScheduled}
	from := c.Plan.Starts
	if from.IsZero() {
		from = c.BeganAt
	}
	next.Plan.Starts = from.In(loc).AddDate(0, 0, c.Plan.Repeat)
	next.Plan.Deadline = c.Plan.Deadline.In(loc).AddDate(0, 0, c.Plan.Repeat)
	n, err := tx.CountAudience(c.ID, &c.Plan.Audience)
	if err != nil {
		return err
	}
	void, err := Void(tx, c.SentBy)
	if err == nil && !void {
		void, err = Void(tx, c.Approved)
	}
	switch {
	case err != nil:
		return err
	case void:
		next.State, next.SentBy, next.Approved = bot.CampaignDraft, "", "" // whoever is allowed now says yes anew
	case n > Bound(&c.Plan) && c.Approved == "":
		next.State = bot.CampaignDraft // it asks for the second operator, who was not needed for fewer people
	}
	next.Next, next.TickedAt = next.Plan.Starts, tx.Now()
	for err = bot.ErrConflict; errors.Is(err, bot.ErrConflict); { // the name is taken
		next.No++
		next.ID = fmt.Sprintf("%s-%d", next.Of, next.No)
		if next.No > 1000 {
			return err
		}
		err = tx.PutCampaign(&next)
	}
	if err == nil {
		err = tx.CopyNames(c.ID, next.ID)
	}
	if err != nil {
		return err
	}
	s.o.Logger.Info("a campaign repeats", "campaign", c.ID, "next", next.ID, "state", next.State, "starts", next.Plan.Starts)
	return audit(tx, "system", "campaign.repeated", fmt.Sprintf("%s as %s, %s", c.ID, next.ID, next.State))
}

// eachPart makes parts in a state due again that want it.
func eachPart(tx bot.Tx, id string, st bot.PartState, want func(*bot.CampaignPart) bool, at time.Time) (n int, err error) {
	for after := bot.PersonID(""); ; {
		ps, err := tx.PartsIn(id, st, after, 500)
		if err != nil || len(ps) == 0 {
			return n, err
		}
		for i := range ps {
			p := &ps[i]
			if after = p.Person; !want(p) {
				continue
			}
			p.State, p.Why, p.Due = bot.PartWaiting, "", at
			if err := tx.PutPart(p); err != nil {
				return n, err
			}
			n++
		}
	}
}

// universe is how many people are in the audience now, and those who have done it.
func (s *Service) universe(tx bot.Tx, c *bot.Campaign) (int, error) {
	n, err := tx.CountAudience(c.ID, s.audience(c))
	if err != nil || bot.AsksThem(s.audience(c).Who) {
		return n, err
	}
	sum, err := Count(tx, c.ID)
	if err != nil {
		return 0, err
	}
	return n + sum.Done, nil
}

// A Sum is a campaign in numbers. Each person is in one state.
type Sum struct {
	Total   int
	By      [bot.PartStates]int
	Whys    [bot.PartStates]map[string]int
	Written int // they got a message that was not refused, as far as it is known
	Done    int // in the state, or seen to be so now
}

// Count counts a campaign. The error says so when the parts do not come to the
// whole.
func Count(tx bot.Tx, id string) (*Sum, error) {
	gs, total, err := tx.CountParts(id)
	if err != nil {
		return nil, err
	}
	s := &Sum{Total: total}
	n := 0
	for _, g := range gs {
		n += g.N
		s.By[g.State] += g.N
		if g.Why != "" {
			if s.Whys[g.State] == nil {
				s.Whys[g.State] = map[string]int{}
			}
			s.Whys[g.State][g.Why] += g.N
		}
		s.Written += g.Written
	}
	s.Done = s.By[bot.PartEnrolled]
	if n != total {
		return nil, fmt.Errorf("campaign %s: the states come to %d people, and there are %d: please report this", id, n, total)
	}
	return s, nil
}

// Sends reports whether anything can be sent: a campaign without a way says so.
func (s *Service) Sends() bool { return len(s.o.Channels) > 0 || s.o.Notifier != nil }

// maxConflicts is how often an order is given again that met another change.
const maxConflicts = 10

// Order gives an operator's order, in a transaction.
func (s *Service) Order(ctx context.Context, fn func(tx bot.Tx) error) (err error) {
	for range maxConflicts {
		if err = s.o.Store.Update(ctx, fn); !errors.Is(err, bot.ErrConflict) {
			return err
		}
	}
	return err
}

// update runs fn for a campaign in a transaction of its own.
func (s *Service) update(ctx context.Context, id string, fn func(tx bot.Tx, c *bot.Campaign) error) error {
	return s.o.Store.Update(ctx, func(tx bot.Tx) error {
		c, err := tx.Campaign(id)
		if err != nil {
			return err
		}
		return fn(tx, c)
	})
}
