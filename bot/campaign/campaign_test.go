package campaign_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/campaign"
	"latchkey/bot/desk"
	"latchkey/bot/outbox"
	"latchkey/bot/turn"
	"latchkey/flows"
	"latchkey/flows/library"
)

// A house is campaigns with the shipped scripts, and one chat.
type house struct {
	*prooftest.Rig
	camps *campaign.Service
	chat  *bottest.Adapter
	box   *outbox.Outbox
	turn  *turn.Service
	mails []bot.NoticeMessage
	fail  error // of mails
	n     int
}

// tuesday is the clock at the start: ten in the morning of 1 December, in New York.
var tuesday = time.Date(2026, 12, 1, 15, 0, 0, 0, time.UTC)

const zone = "America/New_York"

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{Rig: prooftest.New(t), chat: bottest.NewAdapter("test")}
	h.Clock.Advance(tuesday.Sub(h.Clock.Now()))
	cat := bot.Catalogue{Checks: h.Checks, Forms: h.Forms, Facts: prooftest.Facts}
	h.camps = campaign.New(campaign.Options{Store: h.Store(h.DB), Facts: prooftest.Facts, Zone: zone, Channels: []campaign.Channel{{ID: "test", Limits: bot.Limits{Text: 900}}}, Notifier: h})
	for _, s := range append(desk.New(desk.Options{}).Specs(), h.camps.Specs()...) {
		cat.Checks[s.Name] = s
	}
	set, err := flows.Load(library.FS, nil, cat)
	if err != nil {
		t.Fatal(err)
	}
	h.Enroll.Phrases, h.Verify.Phrases = set, set
	h.camps = campaign.New(campaign.Options{Store: h.Store(h.DB), Phrases: set, Facts: prooftest.Facts, Zone: zone, Channels: []campaign.Channel{{ID: "test", Limits: bot.Limits{Text: 900}}}, Notifier: h,
		Where: func(state []byte, lang string) (flow, title, progress string) {
			s := bot.Session{}
			if turn.DecodeSession(state, &s) != nil {
				return "", "", ""
			}
			return set.Where(&s, lang)
		},
		Busy: turn.Busy})
	for _, s := range h.camps.Specs() {
		cat.Checks[s.Name] = s
	}
	h.Enroll.Remind = h.camps.Remind
	h.box = outbox.New(outbox.Options{Store: h.DB, Adapters: map[bot.ChannelID]bot.Adapter{"test": h.chat}, Clock: h.Clock.Now, Hold: h.camps.Hold, Look: 20 * time.Millisecond})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.box.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-done
		end, cancel := context.WithTimeout(context.Background(), bottest.Patience)
		defer cancel()
		if err := h.box.Close(end); err != nil {
			t.Error(err)
		}
	})
	<-h.box.Ready()
	h.turn = turn.New(turn.Options{Store: h.Store(h.DB), Engine: set, Catalogue: cat, Outbox: h.box, Gate: h.Enroll.Gate, Campaigns: h.camps, Phrases: set, Clock: h.Clock.Now})
	return h
}

// SendNotice is the mail server.
func (h *house) SendNotice(_ context.Context, m bot.NoticeMessage) error {
	h.mails = append(h.mails, m)
	return h.fail
}

func (h *house) update(fn func(bot.Tx) error) {
	h.Helper()
	if err := h.DB.Update(context.Background(), fn); err != nil {
		h.Fatal(err)
	}
}

// staff is n people with a linked account in the chat each.
func (h *house) staff(n int, change func(i int, p *bot.Person)) {
	h.Helper()
	var ps []bot.Person
	for i := range n {
		p := bot.Person{ID: bot.PersonID(fmt.Sprintf("p%03d", i)), Username: fmt.Sprintf("user%03d", i), Email: fmt.Sprintf("user%03d@example.org", i), Name: "Carmen Cook", GivenName: "Carmen", Department: "Kitchen"}
		if change != nil {
			change(i, &p)
		}
		ps = append(ps, p)
	}
	h.People(ps...)
	for i := range ps {
		h.link(ps[i].ID)
	}
}

func (h *house) link(p bot.PersonID) {
	h.Helper()
	h.update(func(tx bot.Tx) error {
		return tx.Link(bot.Identity{Channel: "test", User: "u-" + string(p), Person: p, Level: bot.L2})
	})
	err := h.DB.Turn(context.Background(), &bot.Event{ID: "hello-" + string(p), Channel: "test", Conversation: bot.ConversationID("c-" + p), From: "u-" + string(p), Address: []byte("to")},
		func(tx bot.Tx, c *bot.Conversation) error { return tx.SaveConversation(c) })
	if err != nil {
		h.Fatal(err)
	}
}

// plan is one that lets everybody in at once.
func plan(change func(*bot.CampaignPlan)) bot.CampaignPlan {
	p := bot.CampaignPlan{Kind: campaign.KindFirst, Deadline: time.Date(2026, 12, 24, 4, 59, 0, 0, time.UTC), Audience: bot.Audience{Departments: []string{"kitchen"}}}
	if change != nil {
		change(&p)
	}
	return p
}

// send makes a campaign and sends it.
func (h *house) send(id string, change func(*bot.CampaignPlan)) *bot.Campaign {
	h.Helper()
	var c *bot.Campaign
	h.update(func(tx bot.Tx) (err error) {
		if _, err = h.camps.New(tx, id, plan(change), "operator:ann"); err == nil {
			var waits bool
			if c, waits, err = h.camps.Send(tx, id, "", "operator:ann", true); waits {
				c, _, err = h.camps.Send(tx, id, c.Seen(), "operator:bob", true)
			}
		}
		return err
	})
	return c
}

// tick runs the clockwork until it has nothing to do at this time, and the post
// office has sent what it was given.
func (h *house) tick() {
	h.Helper()
	for range 20 {
		h.due()
		if err := h.camps.Tick(context.Background()); err != nil {
			h.Fatal(err)
		}
		if h.idle() {
			return
		}
	}
}

// pass lets time pass while the clockwork runs.
func (h *house) pass(d time.Duration) {
	h.Helper()
	for ; d > 0; d -= time.Hour {
		h.Clock.Advance(min(d, time.Hour))
		h.tick()
	}
}

// idle waits for the post office, and reports whether the clockwork knows what
// became of everything.
func (h *house) idle() bool {
	h.Helper()
	known := true
	for end := time.Now().Add(bottest.Patience); ; time.Sleep(5 * time.Millisecond) {
		waits := 0
		known = true
		err := h.DB.View(context.Background(), func(tx bot.Tx) error {
			rows, err := tx.Pending(1000)
			for i := range rows {
				if !rows[i].Due.After(tx.Now()) {
					waits++
				}
			}
			cs, cerr := tx.Campaigns()
			for i := range cs {
				ps, perr := tx.PartsDue(cs[i].ID, 1)
				_, serr := campaign.Count(tx, cs[i].ID)
				err = errors.Join(err, perr, serr)
				if cs[i].State == bot.CampaignRunning && len(ps) > 0 {
					known = false
				}
				sent, _, perr := tx.Posted(cs[i].ID, 1)
				if err = errors.Join(err, perr); len(sent) > 0 || cs[i].Gathers {
					known = false
				}
			}
			return errors.Join(err, cerr)
		})
		if err != nil {
			h.Fatal(err)
		}
		if waits == 0 {
			return known
		}
		if time.Now().After(end) {
			h.Fatalf("%d messages wait", waits)
		}
	}
}

// to is what a person was sent since the test began.
func (h *house) to(p bot.PersonID) (ms []bot.Message) {
	for _, d := range h.chat.Deliveries() {
		if d.Conversation == bot.ConversationID("c-"+p) {
			ms = append(ms, d.Message)
		}
	}
	return ms
}

func (h *house) part(id string, p bot.PersonID) *bot.CampaignPart {
	h.Helper()
	var part *bot.CampaignPart
	if err := h.DB.View(context.Background(), func(tx bot.Tx) (err error) { part, err = tx.Part(id, p); return err }); err != nil {
		h.Fatal(err)
	}
	return part
}

func (h *house) campaign(id string) *bot.Campaign {
	h.Helper()
	var c *bot.Campaign
	if err := h.DB.View(context.Background(), func(tx bot.Tx) (err error) { c, err = tx.Campaign(id); return err }); err != nil {
		h.Fatal(err)
	}
	return c
}

// press presses a button of the last message, by what it does.
func (h *house) press(p bot.PersonID, do string) {
	h.Helper()
	ms := h.to(p)
	if len(ms) == 0 {
		h.Fatal("nothing was sent")
	}
	for i := len(ms) - 1; i >= 0; i-- {
		for _, c := range ms[i].Choices {
			if c.ID != do && !strings.HasPrefix(c.ID, bot.ChoiceCampaign+do+".") {
				continue
			}
			h.n++
			err := h.turn.Accept(context.Background(), bot.Event{ID: fmt.Sprint("press-", h.n), Channel: "test", Conversation: bot.ConversationID("c-" + p), From: "u-" + string(p), Kind: bot.Press, Choice: c.ID})
			if err != nil {
				h.Fatal(err)
			}
			for end := time.Now().Add(bottest.Patience); len(h.to(p)) == len(ms); time.Sleep(2 * time.Millisecond) {
				if time.Now().After(end) {
					h.Fatalf("no answer to %s", c.ID)
				}
			}
			return
		}
	}
	h.Fatalf("no message has a button %s: %+v", do, ms)
}

func (h *house) last(p bot.PersonID) bot.Message {
	h.Helper()
	ms := h.to(p)
	if len(ms) == 0 {
		h.Fatalf("%s got nothing", p)
	}
	return ms[len(ms)-1]
}

func (h *house) talk(p bot.PersonID) *bottest.Conversation {
	return bottest.Talk(h, h.turn, h.chat, bot.ConversationID("c-"+p), "u-"+string(p))
}

// due makes the campaigns due that are looked at every few seconds.
func (h *house) due() {
	h.Helper()
	h.update(func(tx bot.Tx) error {
		cs, err := tx.Campaigns()
		for i := range cs {
			if err == nil && cs[i].State <= bot.CampaignRunning && cs[i].Next.After(tx.Now()) && cs[i].Next.Sub(tx.Now()) < time.Minute {
				cs[i].Next = tx.Now()
				err = tx.PutCampaign(&cs[i])
			}
		}
		return err
	})
}
