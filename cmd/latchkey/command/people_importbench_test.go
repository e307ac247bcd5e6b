package command

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
	"latchkey/store"
	"latchkey/store/storetest"
)

// BenchmarkReimport imports a staff list, the same once more, and one with news
// of every hundredth person, as `people import` does, while somebody changes the
// store every hundredth of a second. LATCHKEY_PEOPLE is how many rows there are
// (3000).
func BenchmarkReimport(b *testing.B) {
	n := 3000
	if s := os.Getenv("LATCHKEY_PEOPLE"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	for name, dsn := range map[string]func() string{
		"sqlite":   func() string { return filepath.Join(b.TempDir(), "bot.db") },
		"postgres": func() string { return storetest.Postgres(b) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				benchmarkReimport(b, dsn(), n)
			}
		})
	}
}

func benchmarkReimport(b *testing.B, dsn string, n int) {
	ring, err := vault.New()
	if err != nil {
		b.Fatal(err)
	}
	db, err := store.Open(b.Context(), store.Options{DSN: dsn, Audit: ring, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	p := &program.Program{DB: db, Config: config.Default(), Log: slog.New(slog.DiscardHandler)}
	var longest atomic.Int64 // how long a turn has waited at most
	var heap atomic.Uint64
	ctx, stop := context.WithCancel(b.Context())
	var turns sync.WaitGroup
	defer turns.Wait()
	defer stop()
	turns.Go(func() {
		for i := 0; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
			begin := time.Now()
			if err := db.Update(context.Background(), func(tx bot.Tx) error { return tx.Tally("turn", "x") }); err != nil {
				b.Error(err)
			}
			longest.Store(max(longest.Load(), int64(time.Since(begin))))
			if i++; i%10 == 0 {
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				heap.Store(max(heap.Load(), m.HeapInuse))
			}
		}
	})
	for _, list := range []struct {
		name string
		news int // every how many rows have some
	}{{"first", 0}, {"again", 0}, {"news", 100}} {
		path := filepath.Join(b.TempDir(), list.name+".csv")
		if err := writeStaff(path, n, list.news); err != nil {
			b.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		l := &listFile{f: f, name: path}
		longest.Store(0)
		begin := time.Now()
		if err := l.importPeople(b.Context(), std{out: io.Discard, err: io.Discard}, p, importFlags{disable: true, brake: true}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(begin).Seconds(), "s-"+list.name)
		b.ReportMetric(time.Duration(longest.Load()).Seconds(), "s-turn-"+list.name)
		l.close()
	}
	b.ReportMetric(float64(heap.Load())/1e6, "MB-heap")
}

// writeStaff writes a list of n people; every news-th has another department.
func writeStaff(path string, n, news int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	fmt.Fprintln(w, "Object ID,User principal name,Display name,First name,Department,Job title,Office location,Preferred language,Account enabled")
	for i := range n {
		department := fmt.Sprintf("Department %d", i%40)
		if news > 0 && i%news == 0 {
			department = "New department"
		}
		fmt.Fprintf(w, "%08x-0000-4000-8000-%012x,user%d@example.org,Given%d Family%d,Given%d,%s,Teacher,School %d,en-US,True\n",
			uint32(i)*2654435761, i, i, i, i, i, department, i%200)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}
