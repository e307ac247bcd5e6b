// Package load drives the real rooms (engine, turn, store, outbox) with many
// people at once and measures them. It checks every reply, so that nobody wins
// by doing less. It sends nothing anywhere: its platform is a sink in memory.
package load

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"latchkey/bot"
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

// Options of a run.
type Options struct {
	DSN   string // a folder's file for SQLite, or a PostgreSQL DSN
	Users int    // people; each speaks Turns once
	Conc  int    // people at once
	Warm  int    // people before the measurement
	Seed  int    // conversations that the store holds already
	Log   *slog.Logger
}

// Report of a run. Times are those of one turn, from the event to the reply in
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
	StateBytes float64 `json:"state_bytes_avg"`
	RSS        float64 `json:"rss_mb"`
	Wrong      int64   `json:"wrong_replies"`
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

// sink is the platform: it hands each reply to the person who waits for it.
type sink struct {
	mu   sync.Mutex
	want map[bot.ConversationID]chan string
	sent atomic.Int64
}

func (s *sink) Channel() bot.ChannelID                      { return Channel }
func (s *sink) Limits() bot.Limits                          { return bot.Limits{} }
func (s *sink) Run(ctx context.Context, in bot.Inbox) error { <-ctx.Done(); return ctx.Err() }
func (s *sink) Send(_ context.Context, d bot.Delivery) (bot.Receipt, error) {
	s.sent.Add(1)
	s.mu.Lock()
	ch := s.want[d.Conversation]
	s.mu.Unlock()
	if ch != nil {
		ch <- d.Message.Text
	}
	return bot.Receipt{ID: d.Key}, nil
}

func (s *sink) join(c bot.ConversationID) chan string {
	ch := make(chan string, 4)
	s.mu.Lock()
	s.want[c] = ch
	s.mu.Unlock()
	return ch
}

func (s *sink) leave(c bot.ConversationID) {
	s.mu.Lock()
	delete(s.want, c)
	s.mu.Unlock()
}

// name spreads people over the key space, as real ids are: neighbours in time
// are not neighbours in the tree.
func name(prefix string, i int) string { return fmt.Sprintf("%s%08x", prefix, uint32(i)*2654435761) }

// Run measures.
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
	if err := seed(ctx, db, o.Seed); err != nil {
		return nil, err
	}
	plat := &sink{want: map[bot.ConversationID]chan string{}}
	box := outbox.New(outbox.Options{Store: db, Adapters: map[bot.ChannelID]bot.Adapter{Channel: plat}, Logger: o.Log})
	runCtx, stop := context.WithCancel(ctx)
	defer stop()
	go box.Run(runCtx)
	room := turn.New(turn.Options{Store: db, Engine: engine, Catalogue: Catalogue(), Outbox: box, Logger: o.Log})

	run := fmt.Sprintf("%x-", time.Now().UnixNano())
	var ids, wrong atomic.Int64
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
					ch := plat.join(conv)
					for k, t := range Turns {
						t0 := time.Now()
						err := room.Accept(ctx, bot.Event{ID: run + fmt.Sprint(ids.Add(1)), Channel: Channel, Conversation: conv, From: user, Kind: bot.Text, Text: t[0]})
						if err != nil {
							failed.CompareAndSwap(nil, &err)
							return
						}
						got := <-ch
						if lat != nil {
							lat[i*len(Turns)+k] = time.Since(t0)
						}
						if !same(got, t[1]) {
							wrong.Add(1)
							err := fmt.Errorf("load: %q was answered with %q, expected %q", t[0], got, t[1])
							failed.CompareAndSwap(nil, &err)
							return
						}
					}
					plat.leave(conv)
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
	before, sent0, cpu0, t0 := db.Stats(), plat.sent.Load(), cpu(), time.Now()
	if err := speak("u", o.Users, lat); err != nil {
		return nil, err
	}
	took, cpu1, after := time.Since(t0), cpu(), db.Stats()
	slices.Sort(lat)
	n := float64(len(lat))
	r := &Report{
		Turns: len(lat), PerSecond: n / took.Seconds(),
		P50: ms(lat, .5), P99: ms(lat, .99), Max: ms(lat, 1),
		CPU:        (cpu1 - cpu0) / n,
		Syncs:      float64(after.Syncs-before.Syncs) / n,
		Statements: float64(after.Statements-before.Statements) / n,
		Commits:    float64(after.Commits-before.Commits) / n,
		Messages:   float64(plat.sent.Load()-sent0) / n,
		RSS:        rss(), Wrong: wrong.Load(),
	}
	closing, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if err := box.Close(closing); err != nil {
		return nil, err
	}
	r.StateBytes, err = stateBytes(ctx, engine)
	return r, err
}

// seed fills the store with other people's conversations of about 500 bytes.
func seed(ctx context.Context, db *store.DB, n int) error {
	state := []byte(`{"s":[{"f":"scenario","s":"code","d":[{"n":"pad","v":"` + strings.Repeat("x", 430) + `"}]}]}`)
	for at := 0; at < n; at += 500 {
		err := db.Update(ctx, func(tx bot.Tx) error {
			for i := at; i < min(at+500, n); i++ {
				id := name("seed", i+5000000)
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

// SyncRate measures the disk of dir: appended 4 KiB blocks made durable one by
// one, a second.
func SyncRate(dir string, d time.Duration) (float64, error) {
	f, err := os.CreateTemp(dir, "sync-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 4096)
	n, t0 := 0, time.Now()
	for time.Since(t0) < d {
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(t0).Seconds(), nil
}

func same(got, want string) bool { return strings.Join(strings.Fields(got), " ") == want }

func ms(l []time.Duration, q float64) float64 {
	return float64(l[int(float64(len(l)-1)*q)].Microseconds()) / 1000
}

func cpu() float64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return float64(r.Utime.Sec+r.Stime.Sec)*1e6 + float64(r.Utime.Usec+r.Stime.Usec)
}

func rss() float64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var all, resident int64
	fmt.Sscan(string(b), &all, &resident)
	return float64(resident) * float64(os.Getpagesize()) / 1e6
}

// TempDSN makes a folder for an SQLite file; call the returned function at the end.
func TempDSN() (string, func(), error) {
	dir, err := os.MkdirTemp("", "latchkey-load-*")
	if err != nil {
		return "", nil, err
	}
	return filepath.Join(dir, "load.db"), func() { os.RemoveAll(dir) }, nil
}
