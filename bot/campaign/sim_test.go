package campaign_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/campaign"
	"latchkey/bot/outbox"
	"latchkey/flows"
	"latchkey/flows/library"
	"latchkey/store/storetest"
)

// A life is what is known of a person in the simulation.
type life struct {
	zone     *time.Location
	enrolled bool
	frozen   bool
	got      []time.Time
	wished   time.Time // asked to be reminded then
}

// TestSimulation lets ten thousand people in three zones live for eight days: some
// enroll, some are frozen, some put it off, and the post office dies in the middle of
// its work again and again. Nobody gets a reminder twice, at night, at the weekend, on
// the holiday, too soon, after they enrolled or while they are frozen, and nobody is
// forgotten.
func TestSimulation(t *testing.T) {
	people := 10_000 / slow
	if testing.Short() {
		people = 500
	}
	t.Run("sqlite", func(t *testing.T) { simulate(t, prooftest.New(t), people, &alone{}) })
	t.Run("postgres", func(t *testing.T) { simulate(t, prooftest.NewOn(t, storetest.Postgres(t)), people/10, &alone{}) })
}

// A crew is what sends in the simulation: one process or several.
type crew interface {
	begin(s *stage)
	work() error // has it look at the campaigns once
	stop()       // as a power cut does: what it had not marked is not marked
}

// A stage is what a crew works with.
type stage struct {
	*house
	set   bot.Phrases
	rnd   *rand.Rand
	seen  func(bot.ConversationID, time.Time) // is told of each message that the platform took
	kills int
}

// service is the campaigns of a process.
func (s *stage) service(db bot.Store) *campaign.Service {
	return campaign.New(campaign.Options{Store: db, Phrases: s.set, Facts: prooftest.Facts, Zone: zone, Channels: []campaign.Channel{{ID: "test"}}})
}

// alone is a crew of one in this process, which dies now and then while it works.
type alone struct {
	*stage
	camps *campaign.Service
	die   func()
}

func (a *alone) begin(s *stage) {
	a.stage = s
	s.chat.Observe(func(d bot.Delivery) { s.seen(d.Conversation, s.Clock.Now()) })
	a.start()
}

func (a *alone) start() {
	a.camps = a.service(a.DB)
	box := outbox.New(outbox.Options{Store: a.DB, Adapters: map[bot.ChannelID]bot.Adapter{"test": a.chat}, Clock: a.Clock.Now, Hold: a.camps.Hold, Look: 5 * time.Millisecond})
	run, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { box.Run(run); close(done) }()
	<-box.Ready()
	a.die = func() { stop(); <-done }
}

func (a *alone) work() error {
	err := a.camps.Tick(context.Background())
	if err == nil && a.rnd.IntN(20) == 0 && a.kills < 50 {
		a.kills++
		a.die()
		a.start()
	}
	return err
}

func (a *alone) stop() { a.die() }

func simulate(t *testing.T, rig *prooftest.Rig, people int, c crew) {
	h := &house{Rig: rig, chat: bottest.NewAdapter("test")}
	h.Clock.Advance(tuesday.Sub(h.Clock.Now()))
	rnd := rand.New(rand.NewPCG(1, 2))
	ctx := context.Background()
	cat := bot.Catalogue{Checks: h.Checks, Forms: h.Forms, Facts: prooftest.Facts}
	set, _ := flows.Inspect(library.FS, nil, cat) // for its phrases
	zones := []string{"", "America/Los_Angeles", "Asia/Tokyo"}
	lives := map[bot.ConversationID]*life{}
	var ids []bot.PersonID
	var ps []bot.Person
	for i := range people {
		p := bot.Person{ID: bot.PersonID(fmt.Sprintf("p%05d", i)), Username: fmt.Sprintf("user%05d", i), GivenName: "Carmen", Department: "Kitchen", TimeZone: zones[i%len(zones)]}
		l := &life{}
		var err error
		if l.zone, err = time.LoadLocation(p.TimeZone); p.TimeZone == "" {
			l.zone, err = time.LoadLocation(zone)
		}
		if err != nil {
			t.Fatal(err)
		}
		lives[bot.ConversationID("c-"+p.ID)], ids, ps = l, append(ids, p.ID), append(ps, p)
	}
	h.People(ps...)
	var all sync.WaitGroup
	for part := range 16 {
		all.Go(func() {
			for i := part; i < people; i += 16 {
				h.link(ids[i])
			}
		})
	}
	all.Wait()

	var mu sync.Mutex
	wrong := 0
	fault := func(format string, args ...any) {
		if wrong++; wrong < 20 {
			t.Errorf(format, args...)
		}
	}
	seen := func(conv bot.ConversationID, now time.Time) {
		mu.Lock()
		defer mu.Unlock()
		l := lives[conv]
		local := now.In(l.zone)
		day := local.Format(time.DateOnly)
		if local.Hour() < 9 || local.Hour() >= 17 || local.Weekday() == time.Saturday || local.Weekday() == time.Sunday || day == "2026-12-07" {
			fault("%s is written to at %s", conv, local)
		}
		if l.enrolled || l.frozen {
			fault("%s is written to, enrolled: %v, frozen: %v", conv, l.enrolled, l.frozen)
		}
		if n := len(l.got); n > 0 && now.Sub(l.got[n-1]) < 72*time.Hour && (l.wished.IsZero() || now.Before(l.wished)) {
			fault("%s is written to at %s, and was at %s", conv, now, l.got[n-1])
		}
		l.got = append(l.got, now)
	}
	on := &stage{house: h, set: set, rnd: rnd, seen: seen}
	c.begin(on)
	camps := on.service(h.DB)
	h.camps = camps
	h.send("first", func(p *bot.CampaignPlan) { p.Holidays, p.First = []string{"2026-12-07"}, 1 })

	halts := 0
	for range 8 * 24 * 4 {
		for range 60 {
			if err := c.work(); err != nil {
				t.Fatal(err)
			}
			if h.idle() {
				break
			}
			h.due()
		}
		// Between two looks at the clock people do something.
		h.update(func(tx bot.Tx) error {
			mu.Lock()
			defer mu.Unlock()
			for range people / 400 {
				i := rnd.IntN(people)
				l := lives[bot.ConversationID("c-"+ids[i])]
				switch rnd.IntN(8) {
				case 0, 1, 2, 3:
					l.enrolled = true
					if err := tx.SetStage(ids[i], bot.Enrolled, tx.Now()); err != nil {
						return err
					}
				case 4:
					l.frozen = true
					if err := tx.SetFrozen(ids[i], tx.Now()); err != nil {
						return err
					}
				case 5:
					if l.frozen {
						l.frozen = false
						if err := tx.SetFrozen(ids[i], time.Time{}); err != nil {
							return err
						}
					}
				case 6:
					part, err := tx.Part("first", ids[i])
					if errors.Is(err, bot.ErrNotFound) || err == nil && part.State != bot.PartAccepted {
						continue
					}
					c := bot.Conversation{ID: bot.ConversationID("c-" + ids[i]), Person: ids[i]}
					if err == nil {
						_, err = camps.Press(tx, &c, &bot.Session{Lang: "en"}, &bot.Event{Kind: bot.Press, Choice: "campaign.tomorrow." + part.Token})
					}
					if err != nil {
						return err
					}
					l.wished = h.Clock.Now()
				}
			}
			return nil
		})
		h.Clock.Advance(15 * time.Minute)
		h.due()
		// Frozen people, and messages of which nobody knows: an operator has looked.
		if c := h.campaign("first"); c.State == bot.CampaignHalted && (strings.HasPrefix(c.Why, "not_me") || strings.HasPrefix(c.Why, "failed")) {
			halts++
			h.update(func(tx bot.Tx) error {
				_, _, err := camps.Resume(tx, "first", "operator:ann", false)
				return err
			})
		}
	}
	c.stop()

	s := h.sum("first")
	if m := h.campaign("first"); m.State != bot.CampaignRunning || s.Total == 0 {
		t.Fatalf("%s: %s, %+v", m.State, m.Why, s)
	}
	messages, forgotten := 0, 0
	for i, id := range ids {
		l := lives[bot.ConversationID("c-"+id)]
		messages += len(l.got)
		var p *bot.CampaignPart
		err := h.DB.View(ctx, func(tx bot.Tx) (err error) { p, err = tx.Part("first", id); return err })
		switch {
		case errors.Is(err, bot.ErrNotFound):
			if !l.enrolled && !l.frozen {
				fault("%s has no part", id)
			}
			continue
		case err != nil:
			t.Fatal(err)
		}
		if len(l.got) > p.Reminders {
			fault("person %d: %d messages for %d reminders", i, len(l.got), p.Reminders)
		}
		if len(l.got) == 0 && !l.enrolled && !l.frozen && p.State != bot.PartFailed && p.State != bot.PartSuppressed {
			forgotten++
			fault("%s was forgotten: %+v", id, p)
		}
		if p.State == bot.PartAccepted && !p.Due.IsZero() && h.Clock.Now().Sub(p.Due) > 24*time.Hour {
			forgotten++
			fault("%s had a reminder due at %s: %+v", id, p.Due, p)
		}
	}
	t.Logf("%d people, %d messages, %d kills, %d halts, %d of them unknown after one, %d forgotten; %+v", people, messages, on.kills, halts, s.Whys[bot.PartFailed]["unknown"], forgotten, s.By)
	if n, most := s.Whys[bot.PartFailed]["unknown"], 16*on.kills; n > most { // what a process sends at once
		t.Errorf("of %d people it is not known, at most %d were in flight at a kill", n, most)
	}
	if messages < people || on.kills == 0 || wrong > 0 {
		t.Errorf("%d messages, %d kills, %d faults", messages, on.kills, wrong)
	}
}
