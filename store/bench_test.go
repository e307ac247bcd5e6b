//go:build unix

package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/store"
	"latchkey/store/storetest"
)

var pad = []byte(`{"s":[{"f":"enroll","s":"code","h":"0123456789abcdef","d":[` + strings.Repeat("x", 350) + `]}]}`)

func benchTurn(b *testing.B, db *store.DB, conc int) {
	ctx := context.Background()
	var next, id atomic.Int64
	var wg sync.WaitGroup
	base, used := db.Stats(), cpu()
	b.ReportAllocs()
	b.ResetTimer()
	for range conc {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				user := next.Add(1)
				if (user-1)*12 >= int64(b.N) {
					return
				}
				conv := bot.ConversationID(fmt.Sprintf("conv-%08x", uint32(user)*2654435761))
				for turn := range 12 {
					ev := &bot.Event{ID: fmt.Sprintf("Ev%010d", id.Add(1)), Channel: "bench", Conversation: conv, From: "u" + string(conv), Kind: bot.Text, Text: "hello"}
					err := db.Turn(ctx, ev, func(tx bot.Tx, c *bot.Conversation) error {
						st := append([]byte(nil), pad...)
						st[len(st)-5] = byte('a' + turn)
						c.State = st
						c.OutSeq++
						if err := tx.Say(&bot.OutboxRow{Conversation: c.ID, Seq: c.OutSeq, Message: bot.Message{Text: "Please type the six digits that your app shows now.", Progress: "Step 2 of 4", Prompt: uint32(c.OutSeq), Lang: "en"}}); err != nil {
							return err
						}
						return tx.SaveConversation(c)
					})
					if err != nil {
						b.Error(err)
						return
					}
				}
			}
		}()
	}
	wg.Wait()
	b.StopTimer()
	s := db.Stats()
	turns := float64(s.Turns - base.Turns)
	b.ReportMetric(turns/b.Elapsed().Seconds(), "turns/s")
	b.ReportMetric((cpu()-used)/turns, "cpu-us/turn")
	b.ReportMetric(float64(s.Syncs-base.Syncs)/turns, "syncs/turn")
	b.ReportMetric(float64(s.Statements-base.Statements)/turns, "stmts/turn")
}

func BenchmarkTurnSQLite(b *testing.B) {
	for _, n := range []int{1, 50, 256} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			db, err := store.Open(context.Background(), store.Options{DSN: filepath.Join(b.TempDir(), "a.db")})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			benchTurn(b, db, n)
		})
	}
}

func BenchmarkTurnPostgres(b *testing.B) {
	for _, n := range []int{1, 50, 256} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dsn := os.Getenv("LATCHKEY_BENCH_PG") // a server of one's own
			if dsn == "" {
				dsn = storetest.DurablePostgres(b)
			}
			db, err := store.Open(context.Background(), store.Options{DSN: dsn})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			benchTurn(b, db, n)
		})
	}
}

// cpu is the processor time of this process in microseconds.
func cpu() float64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return float64(r.Utime.Sec+r.Stime.Sec)*1e6 + float64(r.Utime.Usec+r.Stime.Usec)
}

// BenchmarkOpenSQLite is from nothing, or from a store with content, to the
// first turn committed.
func BenchmarkOpenSQLite(b *testing.B) {
	first := func(b *testing.B, path string) {
		db, err := store.Open(context.Background(), store.Options{DSN: path})
		if err != nil {
			b.Fatal(err)
		}
		say(b, db, fmt.Sprint(b.N), path)
		b.StopTimer()
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.Run("new", func(b *testing.B) {
		dir := b.TempDir()
		for i := range b.N {
			first(b, filepath.Join(dir, fmt.Sprint(i)))
		}
	})
	b.Run("again", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "a.db")
		for range b.N {
			first(b, path)
		}
	})
}

// BenchmarkJobStart is the time from the return of the turn that commits a job
// to the start of the job: alone, and while 50 people talk.
func BenchmarkJobStart(b *testing.B) {
	for _, d := range []struct {
		name string
		dsn  func(b *testing.B) string
	}{
		{"sqlite", func(b *testing.B) string { return filepath.Join(b.TempDir(), "a.db") }},
		{"postgres", func(b *testing.B) string { return storetest.DurablePostgres(b) }},
	} {
		for _, load := range []int{0, 50} {
			b.Run(fmt.Sprintf("%s/%d", d.name, load), func(b *testing.B) { benchJobs(b, open(b, d.dsn(b)), load) })
		}
	}
}

func benchJobs(b *testing.B, db *store.DB, load int) {
	ctx := context.Background()
	started := make(chan time.Time, 1)
	start(b, db, func(context.Context, string) error { started <- time.Now(); return nil })
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for w := range load {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				ev := &bot.Event{ID: fmt.Sprint(w, "-", i), Channel: "load", Conversation: bot.ConversationID(fmt.Sprint("c", w)), From: "u"}
				err := db.Turn(ctx, ev, func(tx bot.Tx, c *bot.Conversation) error { c.State = pad; return tx.SaveConversation(c) })
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	enqueue(b, db, "warm", time.Time{})
	<-started
	var took []time.Duration
	for b.Loop() {
		time.Sleep(15 * time.Millisecond) // jobs come now and then
		enqueue(b, db, "x", time.Time{})
		t0 := time.Now()
		took = append(took, max(0, (<-started).Sub(t0)))
	}
	close(stop)
	wg.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
}
