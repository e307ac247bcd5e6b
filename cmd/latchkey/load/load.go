// Package load drives the real services with many people at once and measures
// them: a 12-turn dialogue (Run), whole enrollments (Enroll), the engine alone
// (Alone) and the start of the program (Start).
//
// It checks every reply, so that nobody wins by doing less. It must not send
// anything anywhere: its platform and its phones are in memory. It must not
// decide how the program is put together: what is more than the dialogue is
// handed in.
package load

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/bot"
	"latchkey/bot/budget"
	"latchkey/bot/campaign"
	"latchkey/bot/outbox"
	"latchkey/bot/turn"
	"latchkey/flows"
	"latchkey/store"
)

//go:embed scripts
var scripts embed.FS

// Turns are what every person says and what must come back, blanks folded.
var Turns = [][2]string{
	{"enroll", "Welcome to the help desk. Let's set up your sign-in. How do you want to verify? Reply 'app' or 'phone'."},
	{"app", "Add this key to your authenticator app: JBSWY3DPEHPK3PXP Enter the 6-digit code from the app."},
	{"12ab", "That is not a 6-digit code. Enter the 6-digit code from the app."},
	{"123456", "Code accepted. How should we reach you? Reply 'text' or 'call'."},
	{"text", "Enter your phone number."},
	{"+14155550123", "Enter the 6-digit code that we just sent to you."},
	{"654321", "Security question 1: what is your answer?"},
	{"rex", "Security question 2: what is your answer?"},
	{"paris", "Security question 3: what is your answer?"},
	{"blue", "Enter your email address."},
	{"ada@example.com", "Enter the 6-digit code that we just emailed to you."},
	{"246810", "All done. You are enrolled."},
}

// Channel of the load's people.
const Channel bot.ChannelID = "load"

// Options of Run.
type Options struct {
	DSN   string // a folder's file for SQLite, or a PostgreSQL DSN
	Users int    // people; each speaks Turns once
	Conc  int    // people at once
	Warm  int    // people before the measurement
	Seed  int    // conversations that the store holds already
	// Campaign is how many people a campaign writes to meanwhile, on another platform that
	// takes CampaignRate messages a second; 0: none. The dialogue is measured without
	// it first.
	Campaign     int
	CampaignRate float64
	Log          *slog.Logger
}

// A Report of Run. Times are those of one turn, from the event to the reply in
// the platform's hands after the commit.
type Report struct {
	Turns      int     `json:"turns"`
	PerSecond  float64 `json:"turns_s"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	Max        float64 `json:"max_ms"`
	CPU        float64 `json:"cpu_us_per_turn"`
	Syncs      float64 `json:"syncs_per_turn"`
	Statements float64 `json:"statements_per_turn"`
	Commits    float64 `json:"commits_per_turn"`
	Messages   float64 `json:"messages_per_turn"`
	Allocs     float64 `json:"allocs_per_turn"` // of everything: services, store, driver
	StateBytes float64 `json:"state_bytes_avg"`
	RSS        float64 `json:"rss_mb"`
	Trips      float64 `json:"round_trips_per_turn"` // PostgreSQL

	Nudges   int64   `json:"nudges,omitempty"` // of the campaign, meanwhile
	NudgesS  float64 `json:"nudges_s,omitempty"`
	IdleP99  float64 `json:"idle_p99_ms,omitempty"` // without the campaign
	AgainstP float64 `json:"p99_of_idle,omitempty"` // P99 / IdleP99
}

// Catalogue is the load's own: checks that accept what the dialogue says.
func Catalogue() bot.Catalogue {
	ok := func(bot.Tx, *bot.Call) (bot.Outcome, error) { return bot.Outcome{Name: "ok"}, nil }
	answer := func(_ bot.Tx, c *bot.Call) (bot.Outcome, error) {
		a := strings.ToLower(strings.TrimSpace(c.Input))
		slot := ""
		for _, s := range [...]string{"a1", "a2", "a3"} {
			switch v := c.Slot(s); v {
			case a:
				return bot.Outcome{Name: "clash"}, nil
			case "":
				if slot == "" {
					slot = s
				}
			}
		}
		return bot.Outcome{Name: "ok", Facts: []bot.Fact{{Name: slot, Value: a}}}, nil
	}
	keep := func(slot string) bot.Check {
		return func(_ bot.Tx, c *bot.Call) (bot.Outcome, error) {
			return bot.Outcome{Name: "ok", Facts: []bot.Fact{{Name: slot, Value: c.Input}}}, nil
		}
	}
	one := map[string][]string{"ok": nil}
	return bot.Catalogue{Checks: map[string]bot.CheckSpec{
		"load.code":   {Name: "load.code", Doc: "accepts any code", Outcomes: one, Run: ok},
		"load.number": {Name: "load.number", Doc: "keeps a number", Outcomes: one, Run: keep("number")},
		"load.mail":   {Name: "load.mail", Doc: "keeps an address", Outcomes: one, Run: keep("mail")},
		"load.answer": {Name: "load.answer", Doc: "keeps an answer", Outcomes: map[string][]string{"ok": nil, "clash": nil}, Run: answer},
	}}
}

// Engine loads the load's script.
func Engine() (*flows.Set, error) {
	sub, err := fs.Sub(scripts, "scripts")
	if err != nil {
		return nil, err
	}
	set, probs := flows.Inspect(sub, nil, Catalogue())
	for _, p := range probs.Errors() {
		// The load's language file holds only what the dialogue needs.
		if !strings.Contains(p.File, "lang/") {
			return nil, probs.Errors()
		}
	}
	return set, nil
}

// name spreads people over the key space, as real ids are: neighbours in time
// are not neighbours in the tree.
func name(prefix string, i int) string { return fmt.Sprintf("%s%08x", prefix, uint32(i)*2654435761) }

// Run measures the dialogue: engine, turn, store and outbox, with checks that
// accept what is said. It fails at the first wrong reply.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	db, err := store.Open(ctx, store.Options{DSN: o.DSN, Logger: o.Log})
	if err != nil {
		return nil, err
	}
	defer db.Close()
	engine, err := Engine()
	if err != nil {
		return nil, err
	}
	run := fmt.Sprintf("%x-", time.Now().UnixNano()) // a store may be used again
	if err := seed(ctx, db, run+"seed", o.Seed); err != nil {
		return nil, err
	}
	// Of its own: another process on the same database must not send what is said here.
	plat := NewPlatform(bot.ChannelID(strconv.FormatInt(int64(os.Getpid()), 36))) // as short as Channel
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	boxOptions := outbox.Options{Store: db, Adapters: map[bot.ChannelID]bot.Adapter{plat.name: plat}, Logger: o.Log}
	to := nudged{NewPlatform(plat.name + "n"), o.CampaignRate}
	var announce func() error
	if o.Campaign > 0 {
		var camps *campaign.Service
		if camps, announce, err = announcements(ctx, db, to, o.Campaign, o.Log); err != nil {
			return nil, err
		}
		boxOptions.Adapters[to.name], boxOptions.Hold, boxOptions.Budget = to, camps.Hold, budget.New(db.Budgets(), o.Log)
	}
	box := outbox.New(boxOptions)
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	go box.Run(runCtx)
	room := turn.New(turn.Options{Store: db, Engine: engine, Catalogue: Catalogue(), Outbox: box, Logger: o.Log})

	var ids atomic.Int64
	speak := func(prefix string, n int, lat []time.Duration) error {
		var next atomic.Int64
		var wg sync.WaitGroup
		var failed atomic.Pointer[error]
		for range min(o.Conc, n) {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for failed.Load() == nil {
					i := int(next.Add(1)) - 1
					if i >= n {
						return
					}
					user := name(run+prefix, i)
					conv := bot.ConversationID(user)
					ch := plat.Join(conv)
					for k, t := range Turns {
						t0 := time.Now()
						err := room.Accept(ctx, bot.Event{ID: run + fmt.Sprint(ids.Add(1)), Channel: plat.name, Conversation: conv, From: user, Kind: bot.Text, Text: t[0]})
						if err != nil {
							failed.CompareAndSwap(nil, &err)
							return
						}
						var got bot.Delivery
						select {
						case got = <-ch:
						case <-ctx.Done():
							err := ctx.Err()
							failed.CompareAndSwap(nil, &err)
							return
						}
						if lat != nil {
							lat[i*len(Turns)+k] = time.Since(t0)
						}
						if !same(got.Message.Text, t[1]) {
							err := fmt.Errorf("load: %q was answered with %q, expected %q", t[0], got.Message.Text, t[1])
							failed.CompareAndSwap(nil, &err)
							return
						}
					}
					plat.Leave(conv)
				}
			}()
		}
		wg.Wait()
		if p := failed.Load(); p != nil {
			return *p
		}
		return nil
	}
	if o.Warm > 0 {
		if err := speak("w", o.Warm, nil); err != nil {
			return nil, err
		}
	}
	lat := make([]time.Duration, o.Users*len(Turns))
	idle := 0.
	if announce != nil {
		if err := speak("i", o.Users, lat); err != nil {
			return nil, err
		}
		slices.Sort(lat)
		idle = ms(lat, .99)
		failed := make(chan error, 1)
		go func() { failed <- announce() }()
		for to.Sent() == 0 { // people are gathered first
			select {
			case err := <-failed:
				return nil, err
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	nudges := to.Sent()
	var mem0, mem1 runtime.MemStats
	runtime.ReadMemStats(&mem0)
	before, sent0, cpu0, t0 := db.Stats(), plat.Sent(), cpu(), time.Now()
	if err := speak("u", o.Users, lat); err != nil {
		return nil, err
	}
	took, cpu1, after := time.Since(t0), cpu(), db.Stats()
	runtime.ReadMemStats(&mem1)
	slices.Sort(lat)
	n := float64(len(lat))
	r := &Report{
		Turns: len(lat), PerSecond: n / took.Seconds(),
		P50: ms(lat, .5), P99: ms(lat, .99), Max: ms(lat, 1),
		CPU:        (cpu1 - cpu0) / n,
		Syncs:      float64(after.Syncs-before.Syncs) / n,
		Statements: float64(after.Statements-before.Statements) / n,
		Commits:    float64(after.Commits-before.Commits) / n,
		Trips:      float64(after.RoundTrips-before.RoundTrips) / n,
		Messages:   float64(plat.Sent()-sent0) / n,
		Allocs:     float64(mem1.Mallocs-mem0.Mallocs) / n,
		RSS:        RSS(),
	}
	if announce != nil {
		r.Nudges, r.IdleP99, r.AgainstP = to.Sent()-nudges, idle, r.P99/idle
		r.NudgesS = float64(r.Nudges) / took.Seconds()
	}
	closing, done := context.WithTimeout(ctx, 20*time.Second)
	defer done()
	if err := box.Close(closing); err != nil {
		return nil, err
	}
	r.StateBytes, err = stateBytes(ctx, engine)
	return r, err
}

// seed fills the store with other people's conversations of about 500 bytes.
func seed(ctx context.Context, db *store.DB, prefix string, n int) error {
	state := []byte(`{"s":[{"f":"scenario","s":"code","d":[{"n":"pad","v":"` + strings.Repeat("x", 430) + `"}]}]}`)
	for at := 0; at < n; at += 500 {
		err := db.Update(ctx, func(tx bot.Tx) error {
			for i := at; i < min(at+500, n); i++ {
				id := name(prefix, i)
				c := &bot.Conversation{ID: bot.ConversationID(id), Channel: Channel, User: id, State: state}
				if err := tx.SaveConversation(c); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("load: fill the store: %w", err)
		}
	}
	return nil
}

// stateBytes is the mean size of the stored session over the dialogue.
func stateBytes(_ context.Context, engine bot.Engine) (float64, error) {
	var s bot.Session
	var out bot.Output
	cat := Catalogue()
	total := 0
	for _, t := range Turns {
		ev := bot.Event{Kind: bot.Text, Text: t[0]}
		engine.Turn(&s, &ev, &out)
		for out.Check != "" {
			oc, err := cat.Checks[out.Check].Run(nil, &bot.Call{Event: &ev, Session: &s, Input: out.Input})
			if err != nil {
				return 0, err
			}
			engine.Resume(&s, &ev, oc, &out)
		}
		total += len(turn.AppendSession(nil, &s))
	}
	return float64(total) / float64(len(Turns)), nil
}
