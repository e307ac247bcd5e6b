package directory_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/directory"
	"latchkey/store"
	"latchkey/store/storetest"
)

// A crowd is a directory of n accounts that stand nowhere: each page is made
// when it is read.
type crowd struct {
	tenant
	n, page int
	changed int // accounts that the changes name
}

func (c *crowd) People(_ context.Context, cursor string) (*bot.DirectoryPage, error) {
	from, size := 0, c.n
	if rest, changes := strings.CutPrefix(cursor, "c"); changes {
		size = c.changed
		from, _ = strconv.Atoi(rest)
	} else if cursor != "" {
		from, _ = strconv.Atoi(cursor)
	}
	page := &bot.DirectoryPage{Next: "c0", Last: true}
	for i := from; i < size; i++ {
		if len(page.Changes) == c.page {
			page.Next, page.Last = strconv.Itoa(i), false
			if strings.HasPrefix(cursor, "c") {
				page.Next = "c" + page.Next
			}
			break
		}
		page.Changes = append(page.Changes, bot.DirectoryChange{ID: crowdID(i), Body: []byte(fmt.Sprintf(`{"accountEnabled":true,"businessPhones":["+1 704 555 %04d"],"department":"Department %d","displayName":"Given%d Family%d",`+
			`"employeeHireDate":null,"givenName":"Given%d","jobTitle":"Teacher","mail":"user%d@example.org","mailNickname":"user%d","officeLocation":"School %d",`+
			`"preferredLanguage":"en-US","usageLocation":"US","userPrincipalName":"user%d@example.org","userType":"Member","manager":{"id":"%s"}}`,
			i%10000, i%40, i, i, i, i, i, i%200, i, crowdID(i%5000)))})
	}
	return page, nil
}

func crowdID(i int) bot.PersonID {
	return bot.PersonID(fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(i)*2654435761, i)) // in no order
}

func (*crowd) Person(id bot.PersonID, merged json.RawMessage) (bot.Person, bot.PersonFields, error) {
	var a struct {
		DisplayName, GivenName, Department, JobTitle, Mail, MailNickname, OfficeLocation, PreferredLanguage string

		Manager struct{ ID string }
	}
	err := json.Unmarshal(merged, &a)
	return bot.Person{ID: id, Username: a.MailNickname, Email: a.Mail, Name: a.DisplayName, GivenName: a.GivenName, Department: a.Department, Title: a.JobTitle,
		Site: a.OfficeLocation, Lang: a.PreferredLanguage, Manager: bot.PersonID(a.Manager.ID)}, bot.FieldTimeZone | bot.FieldWorkPhone | bot.FieldHiredOn, err
}

// BenchmarkSync reads a whole directory, and then changes of a hundredth of it.
// LATCHKEY_PEOPLE is how many accounts there are (3000). The numbers are of one
// process that asks a directory which answers at once.
func BenchmarkSync(b *testing.B) {
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
				benchmarkSync(b, dsn(), n)
			}
		})
	}
}

func benchmarkSync(b *testing.B, dsn string, n int) {
	src := &crowd{n: n, page: 1000, changed: n / 100}
	db, err := store.Open(b.Context(), store.Options{DSN: dsn, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	service := directory.New(directory.Deps{Store: db, Source: src, Alone: true, Log: slog.New(slog.DiscardHandler),
		Merge: func(ctx context.Context, m directory.Merge) (directory.Merged, error) {
			r, err := db.ImportPeople(ctx, m.Rows, store.ImportOptions{Mode: store.SkipBad, Unsaid: m.Unsaid, Unread: m.Unread, Missing: store.DisableMissing, Whose: store.OfSync, Key: fmt.Sprint("sync ", m.Run)})
			return directory.Merged{Why: r.Refused, SyncResult: bot.SyncResult{Rows: r.Rows, Added: r.Inserted, Changed: r.Updated, Wrong: r.Bad}}, err
		}})
	var heap uint64
	var longest, merging atomic.Int64 // how long a turn has waited at most, and while people were made
	var inMerge atomic.Bool
	ctx, stop := context.WithCancel(b.Context())
	var turns sync.WaitGroup
	defer turns.Wait()
	defer stop()
	turns.Go(func() {
		for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
			begin := time.Now()
			if err := db.Update(context.Background(), func(tx bot.Tx) error { return tx.Tally("turn", "x") }); err != nil {
				b.Error(err)
			}
			wait := &longest
			if inMerge.Load() {
				wait = &merging
			}
			wait.Store(max(wait.Load(), int64(time.Since(begin))))
		}
	})
	syncOnce := func() (read, merge time.Duration, last *bot.SyncResult) {
		if _, err := service.Begin(b.Context(), bot.PeopleReading, directory.Order{}); err != nil {
			b.Fatal(err)
		}
		for {
			s, err := service.State(b.Context(), bot.PeopleReading)
			if err != nil {
				b.Fatal(err)
			}
			if !s.Running() {
				return read, merge, s.Last
			}
			begin := time.Now()
			inMerge.Store(s.Phase == bot.SyncMerge)
			if _, err := service.Advance(b.Context(), bot.PeopleReading); err != nil {
				b.Fatal(err)
			}
			if s.Phase == bot.SyncMerge {
				merge += time.Since(begin)
			} else {
				read += time.Since(begin)
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			heap = max(heap, m.HeapInuse)
		}
	}
	read, merge, last := syncOnce()
	if last.Added != n || last.Wrong != 0 {
		b.Fatalf("%+v", last)
	}
	b.ReportMetric(read.Seconds(), "s-read")
	b.ReportMetric(merge.Seconds(), "s-merge")
	b.ReportMetric(time.Duration(longest.Swap(0)).Seconds(), "s-turn-read")
	b.ReportMetric(time.Duration(merging.Swap(0)).Seconds(), "s-turn-merge")
	read, merge, last = syncOnce()
	if last.Rows != n || last.Changed != 0 {
		b.Fatalf("%+v", last)
	}
	b.ReportMetric(read.Seconds(), "s-changes")
	b.ReportMetric(merge.Seconds(), "s-merge-again")
	b.ReportMetric(time.Duration(merging.Load()).Seconds(), "s-turn-again")
	b.ReportMetric(float64(heap)/1e6, "MB-heap")
	b.ReportMetric(peakMemory()/1e3, "MB-peak")
}

// peakMemory is the most memory that this process has had, in kB; 0 where the
// system does not tell.
func peakMemory() (kb float64) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			kb, _ = strconv.ParseFloat(f[1], 64)
		}
	}
	return kb
}
