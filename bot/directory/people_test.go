package directory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/directory"
	"latchkey/store"
	"latchkey/store/storetest"
)

func is[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// All accounts, then only what has changed: page by page, some things twice,
// parts of an account, deletions, returns.
func TestPeopleFollowTheDirectory(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		src := newTenant(2, "a", "b", "c", "d", "e")
		r := newRig(t, dsn, src)
		r.begin(bot.PeopleReading, directory.Order{})
		for range 3 {
			r.advance(bot.PeopleReading)
			r.want("before all is read", "")
		}
		last := r.finish(bot.PeopleReading)
		r.want("first sync", "a b c d e")
		if !last.Full || last.Added != 5 || last.Rows != 5 || last.Pages != 4 {
			t.Errorf("first sync: %+v", last)
		}

		src.asked()
		src.set("a", map[string]any{"name": "Ann"})
		src.set("a", map[string]any{"user": "ann"})
		src.set("a", map[string]any{"user": "ann"}) // again
		src.set("b", map[string]any{"off": true})
		src.remove("c")
		src.set("f", map[string]any{"user": "f", "name": "Name of f", "guest": true})
		src.set("d", map[string]any{"broken": true})
		last = r.sync(directory.Order{})
		r.want("changes", "a:ann(Ann) -b -c d e f/guest")
		if last.Full || last.Added != 1 || last.Changed != 2 || last.Off != 2 || last.Wrong != 1 {
			t.Errorf("changes: %+v", last)
		}
		if calls := fmt.Sprint(src.asked()); calls != "[people changes 5 people changes 7 people changes 9 people changes 11]" {
			t.Errorf("asked %s", calls)
		}

		src.set("c", map[string]any{"user": "c", "name": "Name of c"}) // restored
		src.set("b", map[string]any{"off": false})
		src.set("d", map[string]any{"broken": false})
		r.sync(directory.Order{})
		r.want("returns", "a:ann(Ann) b c d e f/guest")

		// Unseen by a full reading: gone, and what it says nothing of stays.
		src.vanish("e")
		src.mu.Lock()
		delete(src.accounts["a"], "name")
		src.mu.Unlock()
		r.sync(directory.Order{})
		r.want("changes that do not say it", "a:ann(Ann) b c d e f/guest")
		last = r.sync(directory.Order{Full: true})
		r.want("full reading", "a:ann(Ann) b c d -e f/guest")
		if !last.Full || last.Off != 1 {
			t.Errorf("full: %+v", last)
		}
	})
}

// The staff are the members of the groups.
func TestGroupsAreTheAudience(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		src := newTenant(2, "a", "b", "c", "d", "e", "f")
		src.groups["g1"], src.groups["g2"] = []bot.PersonID{"a", "b", "c", "nobody"}, []bot.PersonID{"c", "d"}
		groups := func(gs ...string) func(*directory.Deps) { return func(d *directory.Deps) { d.Groups = gs } }
		r := newRig(t, dsn, src, groups("g1", "g2"))
		r.sync(directory.Order{})
		r.want("first", "a b c d")
		src.groups["g1"] = []bot.PersonID{"b", "e"}
		r.sync(directory.Order{})
		r.want("a left, e came, c stays by the other group", "-a b c d e")

		// A group that cannot be read: nobody changes.
		src.once("members g2", errTenant)
		src.groups["g1"] = nil
		src.set("b", map[string]any{"name": "B"})
		r.begin(bot.PeopleReading, directory.Order{})
		for range 2 {
			r.advance(bot.PeopleReading)
		}
		if wait, err := r.Advance(t.Context(), bot.PeopleReading); !errors.Is(err, errTenant) || wait != 10*time.Second || !strings.Contains(err.Error(), "g2") {
			t.Errorf("wait %v, %v", wait, err)
		}
		r.want("half of the groups are read", "-a b c d e")
		r.now.pass(11 * time.Second)
		r.finish(bot.PeopleReading)
		r.want("both are read", "-a -b c d -e")

		// Another configuration, in the middle of a sync.
		src.groups["g3"] = []bot.PersonID{"a", "c", "d"}
		r.begin(bot.PeopleReading, directory.Order{})
		r.advance(bot.PeopleReading)
		r.advance(bot.PeopleReading)
		r.db.Close()
		r.open(dsn, groups("g3"))
		if !r.Alone { // whoever was at it is dead, which others can only see by its silence
			r.now.pass(2 * time.Minute)
		}
		r.finish(bot.PeopleReading)
		r.want("other groups", "a -b c d -e")
	})
}

// A cursor that is over: a full reading begins, and people stay until it is
// complete. One that is over in the middle of it begins once more.
func TestCursorIsOver(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		src := newTenant(2, "a", "b", "c", "d")
		r := newRig(t, dsn, src)
		r.sync(directory.Order{})
		src.vanish("b")
		src.set("a", map[string]any{"name": "Ann"})
		src.asked()
		over := fmt.Errorf("410 Gone: %w", bot.ErrStartAnew)
		src.once("people changes", over)
		r.begin(bot.PeopleReading, directory.Order{})
		r.advance(bot.PeopleReading) // is told that it is over
		r.advance(bot.PeopleReading)
		src.once("people full", over)
		if wait, err := r.Advance(t.Context(), bot.PeopleReading); err != nil || wait != 10*time.Second {
			t.Errorf("over for the second time: wait %v, %v", wait, err)
		}
		r.now.pass(10 * time.Second)
		r.want("in the middle", "a b c d")
		last := r.finish(bot.PeopleReading)
		r.want("complete", "a(Ann) -b c d")
		if !last.Full || last.Pages != 3 {
			t.Errorf("%+v", last)
		}
		if calls := fmt.Sprint(src.asked()); calls != "[people changes 4 people  people full 5 c people  people full 5 c]" {
			t.Errorf("asked %s", calls)
		}
		// What always says so is a failure, not an endless circle.
		src.fail = func(string) error { return over }
		r.begin(bot.PeopleReading, directory.Order{Full: true})
		if wait, err := r.Advance(t.Context(), bot.PeopleReading); !errors.Is(err, bot.ErrStartAnew) || wait == 0 {
			t.Errorf("wait %v, %v", wait, err)
		}
	})
}

// A tenant whose every second page is over is left alone longer and longer.
func TestCursorIsOverAgainAndAgain(t *testing.T) {
	src := newTenant(2, "a", "b", "c", "d")
	r := newRig(t, t.TempDir()+"/bot.db", src)
	src.fail = func(call string) error {
		if strings.HasPrefix(call, "people full") {
			return bot.ErrStartAnew
		}
		return nil
	}
	r.begin(bot.PeopleReading, directory.Order{})
	var waits []string
	for range 8 {
		r.advance(bot.PeopleReading)
		wait, err := r.Advance(t.Context(), bot.PeopleReading)
		if err != nil {
			t.Fatal(err)
		}
		waits = append(waits, wait.String())
		r.now.pass(wait)
	}
	is(t, "pauses", strings.Join(waits, " "), "0s 10s 30s 1m0s 5m0s 15m0s 30m0s 30m0s")
	is(t, "restarts", r.state(bot.PeopleReading).Restarts, 8)
	src.fail = nil
	r.finish(bot.PeopleReading)
	r.want("complete", "a b c d")
}

// Pages that lead in a circle, or are empty and never the last, fail instead of
// being read for ever: of accounts, of members and of the report.
func TestPagesWithoutAnEnd(t *testing.T) {
	for name, w := range map[string]*winding{
		"a circle of two":           {circle: 2, size: 1},
		"a circle after a way":      {way: 5, circle: 3, size: 1},
		"a longer circle":           {way: 2, circle: 40, size: 1},
		"a circle of empty pages":   {circle: 7},
		"empty pages, always fresh": {circle: 1 << 30},
		"the same, always fresh":    {circle: 1 << 30, size: 1},
	} {
		for _, what := range []string{"accounts", "members", "report"} {
			t.Run(name+" of "+what, func(t *testing.T) {
				w := *w
				w.what = what
				src := newTenant(100, "a")
				src.groups["g"] = []bot.PersonID{"a"}
				r := newRig(t, t.TempDir()+"/bot.db", src, func(d *directory.Deps) {
					w.DirectorySource, d.Source, d.Groups = d.Source, &w, []string{"g"}
				})
				reading := bot.PeopleReading
				if what == "report" {
					reading = bot.ReportReading
					r.sync(directory.Order{})
				}
				r.begin(reading, directory.Order{})
				for n := 0; ; n++ {
					_, err := r.Advance(t.Context(), reading)
					if directory.Noted(err) {
						break
					}
					if err != nil || n > 200 {
						t.Fatalf("page %d: %v", n, err)
					}
				}
				s := r.state(reading)
				if !s.Running() || s.Failures != 1 || w.circle == 1<<30 && !strings.Contains(s.Error, "50 pages in a row") {
					t.Errorf("%+v", s)
				}
				if what == "report" {
					return
				}
				// It is mended, and an operator begins anew.
				w.what = ""
				if _, err := r.Begin(t.Context(), reading, directory.Order{Full: true}); err != nil {
					t.Fatal(err)
				}
				if last := r.finish(reading); last.Pages != 3 || last.Refused {
					t.Errorf("%+v", last)
				}
			})
		}
	}
}

// What has changed may be told once more, of everybody and in small pages; not
// for ever.
func TestChangesWithoutNews(t *testing.T) {
	w := &winding{circle: 1 << 30, size: 1}
	var ids []string
	for i := range 600 {
		ids = append(ids, fmt.Sprintf("p%03d", i))
	}
	r := newRig(t, t.TempDir()+"/bot.db", newTenant(100, append(ids, "a")...), func(d *directory.Deps) { w.DirectorySource, d.Source = d.Source, w })
	r.sync(directory.Order{})
	w.what = "accounts"
	r.begin(bot.PeopleReading, directory.Order{})
	for range 50 + 60 - 1 {
		r.advance(bot.PeopleReading)
	}
	if _, err := r.Advance(t.Context(), bot.PeopleReading); !directory.Noted(err) || !strings.Contains(err.Error(), "110 pages in a row have nothing but what was read before") || !strings.Contains(err.Error(), "--full") {
		t.Errorf("%v", err)
	}
	w.what = ""
	if _, err := r.Begin(t.Context(), bot.PeopleReading, directory.Order{Full: true}); err != nil {
		t.Fatal(err)
	}
	if last := r.finish(bot.PeopleReading); last.Rows != 601 {
		t.Errorf("%+v", last)
	}
}

// More pages than any list has are an error, also when all have something new:
// here the lines of a report on strangers.
func TestMorePagesThanAnyListHas(t *testing.T) {
	w := &winding{what: "report", circle: 1 << 30, size: 1}
	r := newRig(t, t.TempDir()+"/bot.db", newTenant(100), func(d *directory.Deps) { w.DirectorySource, d.Source = d.Source, w })
	r.begin(bot.ReportReading, directory.Order{})
	for range 60 { // lines on strangers in a row are none too many
		r.advance(bot.ReportReading)
	}
	s := r.state(bot.ReportReading)
	s.Pages = 100_000
	if err := r.db.Update(t.Context(), func(tx bot.Tx) error { return tx.PutSyncState(bot.ReportReading, s) }); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Advance(t.Context(), bot.ReportReading); !directory.Noted(err) || !strings.Contains(err.Error(), "100000 pages were read, more than any list has") {
		t.Errorf("%v", err)
	}
}

// A directory that asks to wait, and gives no page for half an hour, is out of
// order whatever it says: of people, and of the policy, without which the report
// is read.
func TestAskedToWaitForTooLong(t *testing.T) {
	for _, reading := range []bot.Reading{bot.PeopleReading, bot.ReportReading} {
		src := newTenant(2, "a", "b", "c")
		r := newRig(t, t.TempDir()+"/bot.db", src)
		wait := &bot.WaitError{After: 5 * time.Minute, Asked: true, Err: errTenant}
		src.fail = func(call string) error {
			if strings.HasPrefix(call, "people") || call == "policy" {
				return wait
			}
			return nil
		}
		r.begin(reading, directory.Order{})
		for n := range 7 {
			if w, err := r.Advance(t.Context(), reading); err != nil || w != wait.After {
				t.Fatalf("after %d pauses: wait %v, %v", n, w, err)
			}
			r.now.pass(wait.After)
		}
		w, err := r.Advance(t.Context(), reading)
		if s := r.state(reading); !directory.Noted(err) || w != wait.After || s.Failures != 3 || s.AskedAt.IsZero() || !strings.Contains(s.Error, errTenant.Error()) {
			t.Fatalf("after half an hour: wait %v, %v: %+v", w, err, s)
		}
		r.now.pass(wait.After)
		if reading == bot.PeopleReading {
			src.fail = nil
		}
		r.finish(reading)
		if s := r.state(reading); s.Failures != 0 || !s.AskedAt.IsZero() || (s.Warning != "") != (reading == bot.ReportReading) {
			t.Errorf("%+v", s)
		}
	}
}

// Some empty pages are none too many.
func TestEmptyPagesInBetween(t *testing.T) {
	w := &winding{what: "accounts", circle: 1 << 30}
	r := newRig(t, t.TempDir()+"/bot.db", newTenant(100, "a"), func(d *directory.Deps) { w.DirectorySource, d.Source = d.Source, w })
	r.begin(bot.PeopleReading, directory.Order{})
	for range 49 {
		r.advance(bot.PeopleReading)
	}
	w.size = 1
	r.advance(bot.PeopleReading)
	w.size = 0
	for range 49 {
		r.advance(bot.PeopleReading)
	}
	is(t, "empty pages in a row", r.state(bot.PeopleReading).Empty, 49)
}

// A winding directory has pages that never end: after a way they lead in a
// circle. size is how much each has.
type winding struct {
	bot.DirectorySource
	what              string // "accounts", "members" or "report"
	way, circle, size int
}

func (w *winding) next(cursor string) string {
	n, _ := strconv.Atoi(cursor)
	if n++; n >= w.way+w.circle {
		n = w.way
	}
	return strconv.Itoa(n)
}

func (w *winding) People(ctx context.Context, cursor string) (*bot.DirectoryPage, error) {
	if w.what != "accounts" {
		return w.DirectorySource.People(ctx, cursor)
	}
	return &bot.DirectoryPage{Next: w.next(cursor), Changes: slices.Repeat([]bot.DirectoryChange{{ID: "a", Body: []byte(`{}`)}}, w.size)}, nil
}

func (w *winding) Members(ctx context.Context, group, cursor string) ([]bot.PersonID, string, error) {
	if w.what != "members" {
		return w.DirectorySource.Members(ctx, group, "")
	}
	return slices.Repeat([]bot.PersonID{"a"}, w.size), w.next(cursor), nil
}

func (w *winding) Registrations(ctx context.Context, cursor string) ([]bot.Registration, string, error) {
	return slices.Repeat([]bot.Registration{line("a", "email")}, w.size), w.next(cursor), nil
}

// The directory asks to wait, and is left alone so long; other failures are
// tried after pauses that grow, and told.
func TestWaitsAndPauses(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		src := newTenant(2, "a", "b", "c")
		r := newRig(t, dsn, src)
		r.begin(bot.PeopleReading, directory.Order{})
		src.once("people", fmt.Errorf("page: %w", &bot.WaitError{After: 90 * time.Second, Asked: true, Err: errTenant}))
		if wait, err := r.Advance(t.Context(), bot.PeopleReading); err != nil || wait != 90*time.Second {
			t.Fatalf("wait %v, %v", wait, err)
		}
		r.now.pass(time.Minute)
		if wait, err := r.Advance(t.Context(), bot.PeopleReading); err != nil || wait != 30*time.Second {
			t.Fatalf("asked again too early: wait %v, %v", wait, err)
		}
		is(t, "calls", len(src.asked()), 1)
		if s := r.state(bot.PeopleReading); s.Failures != 0 || s.Error != "" {
			t.Errorf("to wait is no failure: %+v", s)
		}
		r.now.pass(30 * time.Second)
		r.advance(bot.PeopleReading)

		src.fail = func(string) error { return errTenant }
		var waits []string
		for range 7 {
			wait, err := r.Advance(t.Context(), bot.PeopleReading)
			if !errors.Is(err, errTenant) || !directory.Noted(err) {
				t.Fatal(err)
			}
			waits = append(waits, wait.String())
			r.now.pass(wait)
		}
		is(t, "pauses", strings.Join(waits, " "), "10s 30s 1m0s 5m0s 15m0s 30m0s 30m0s")
		if s := r.state(bot.PeopleReading); s.Failures != 7 || !strings.Contains(s.Error, errTenant.Error()) || s.ErrorAt.IsZero() || s.Holder != "" {
			t.Errorf("state %+v", s)
		}
		r.want("nothing is complete", "")
		// An error that only names a pause of its own is a failure, too.
		src.fail = func(string) error { return &bot.WaitError{After: 7 * time.Second, Err: errTenant} }
		if wait, err := r.Advance(t.Context(), bot.PeopleReading); !directory.Noted(err) || wait != 7*time.Second {
			t.Errorf("no answer: wait %v, %v", wait, err)
		}
		if s := r.state(bot.PeopleReading); s.Failures != 8 || !strings.Contains(s.Error, errTenant.Error()) || !s.ErrorAt.Equal(r.now.Now()) {
			t.Errorf("no answer: state %+v", s)
		}
		r.now.pass(7 * time.Second)
		src.fail = nil
		r.finish(bot.PeopleReading)
		r.want("complete", "a b c")
		if s := r.state(bot.PeopleReading); s.Failures != 0 || s.Error != "" {
			t.Errorf("it goes well again: %+v", s)
		}
	})
}

// A page that leads nowhere, or to itself, is no end.
func TestPageThatLeadsNowhere(t *testing.T) {
	for _, next := range []string{"", "x"} {
		r := newRig(t, t.TempDir()+"/bot.db", newTenant(2, "a"), func(d *directory.Deps) { d.Source = loop{d.Source, next} })
		r.begin(bot.PeopleReading, directory.Order{})
		_, err := r.Advance(t.Context(), bot.PeopleReading)
		if next != "" {
			_, err = r.Advance(t.Context(), bot.PeopleReading)
		}
		if !directory.Noted(err) || !r.state(bot.PeopleReading).Running() {
			t.Errorf("next %q: %v", next, err)
		}
	}
}

type loop struct {
	bot.DirectorySource
	next string
}

func (l loop) People(context.Context, string) (*bot.DirectoryPage, error) {
	return &bot.DirectoryPage{Next: l.next}, nil
}

// Half of the directory is missing: it is refused, told, and taken only with
// --yes. The next reading by itself is a full one.
func TestBrake(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		src := newTenant(3, "a", "b", "c", "d", "e", "f", "g", "h")
		r := newRig(t, dsn, src)
		r.sync(directory.Order{})
		src.vanish("b", "d", "f", "h")
		last := r.sync(directory.Order{Full: true})
		s := r.state(bot.PeopleReading)
		if !last.Refused || !strings.Contains(s.Refused, "--yes") || !s.Anew {
			t.Errorf("%+v %+v", last, s)
		}
		r.want("refused", "a b c d e f g h")
		// It was a passing trouble: the next sync reads all and finds everybody.
		for _, id := range []string{"b", "d", "f", "h"} {
			src.set(id, map[string]any{"user": id, "name": "Name of " + id})
			src.mu.Lock()
			src.log = src.log[:len(src.log)-1]
			src.mu.Unlock()
		}
		if last = r.sync(directory.Order{}); !last.Full || last.Refused || r.state(bot.PeopleReading).Refused != "" {
			t.Errorf("%+v", last)
		}
		// It was meant. What was read then is taken, without reading all again.
		src.vanish("b", "d", "f", "h")
		r.sync(directory.Order{Full: true})
		last = r.sync(directory.Order{Force: true})
		if last.Refused || last.Full || last.Off != 4 {
			t.Errorf("%+v", last)
		}
		r.want("with --yes", "a -b c -d e -f g -h")
		// Nobody at all is refused, too.
		src.vanish("a", "c", "e", "g")
		if last = r.sync(directory.Order{Full: true}); !last.Refused {
			t.Errorf("%+v", last)
		}
		r.want("an empty directory", "a -b c -d e -f g -h")
	})
}

// Each below the limit, hourly syncs do not switch off everybody: those of a day
// count together. One that somebody orders counts alone, and --yes not at all.
func TestBrakeOfADay(t *testing.T) {
	src := newTenant(3, "a", "b", "c", "d", "e", "f", "g", "h", "i")
	r := newRig(t, t.TempDir()+"/bot.db", src)
	system, kim := directory.Order{By: "system"}, directory.Order{By: "operator:kim"}
	next := func(after time.Duration, o directory.Order, refused bool, people string, gone ...string) {
		t.Helper()
		r.now.pass(after)
		src.remove(gone...)
		if last := r.sync(o); last.Refused != refused {
			t.Errorf("refused: %v: %s", last.Refused, r.state(bot.PeopleReading).Refused)
		}
		r.want(fmt.Sprint("without ", gone), people)
	}
	next(0, system, false, "a b c d e f g h i")
	next(time.Hour, system, false, "-a b c d e f g h i", "a")
	next(time.Hour, system, false, "-a -b c d e f g h i", "b")
	next(time.Hour, system, false, "-a -b c d e f g h i") // nobody more is always well
	next(time.Hour, system, true, "-a -b c d e f g h i", "c")
	if why := r.state(bot.PeopleReading).Refused; !strings.Contains(why, "1 of 7 active people would be switched off, after 2 in the last 24 hours, and more than 2 at once") {
		t.Error(why)
	}
	next(time.Hour, system, true, "-a -b c d e f g h i")
	next(22*time.Hour, system, false, "-a -b -c d e f g h i") // a day later than the first
	next(time.Hour, kim, false, "-a -b -c -d -e f g h i", "d", "e")
	next(time.Hour, system, true, "-a -b -c -d -e f g h i", "f")
	next(0, directory.Order{By: "operator:kim", Force: true}, false, "-a -b -c -d -e -f g h i")
	next(23*time.Hour+time.Minute, system, false, "-a -b -c -d -e -f -g -h i", "g", "h") // kim's --yes is no burden
}

// --yes is said of what was looked at then: not of what is read hours later, or
// after the directory has begun anew.
func TestYesHasAnEnd(t *testing.T) {
	gone := []string{"b", "d", "f", "h"}
	for _, c := range []struct {
		name    string
		late    time.Duration // how long the directory is away
		over    bool          // the cursor is over
		again   *directory.Order
		refused bool
	}{
		{name: "at once"},
		{name: "within the hour", late: time.Hour},
		{name: "later", late: time.Hour + time.Second, refused: true},
		{name: "later, and said again", late: 30 * time.Hour, again: &directory.Order{Force: true}},
		{name: "the cursor is over", over: true, refused: true},
		{name: "said again after that", over: true, again: &directory.Order{Force: true}},
		{name: "a full reading, of which nobody said it", again: &directory.Order{Full: true}, refused: true},
		{name: "a full reading with it", again: &directory.Order{Full: true, Force: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := newTenant(3, "a", "b", "c", "d", "e", "f", "g", "h")
			r := newRig(t, t.TempDir()+"/bot.db", src)
			r.sync(directory.Order{})
			src.remove(gone...)
			cause := errTenant
			if c.over {
				cause = bot.ErrStartAnew
			}
			src.once("people", cause)
			r.begin(bot.PeopleReading, directory.Order{Force: true})
			if _, err := r.Advance(t.Context(), bot.PeopleReading); err != nil && !errors.Is(err, errTenant) {
				t.Fatal(err)
			}
			r.now.pass(max(c.late, 11*time.Second))
			if c.again != nil {
				if _, err := r.Begin(t.Context(), bot.PeopleReading, *c.again); err != nil {
					t.Fatal(err)
				}
			}
			if last := r.finish(bot.PeopleReading); last.Refused != c.refused {
				t.Errorf("refused: %v: %+v", last.Refused, r.state(bot.PeopleReading))
			}
		})
	}
}

// A dry run reads, and changes nobody.
func TestDryRun(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		src := newTenant(2, "a", "b")
		var merging func()
		r := newRig(t, dsn, src, func(d *directory.Deps) {
			d.SyncEvery = time.Hour
			merge := d.Merge
			d.Merge = func(ctx context.Context, m directory.Merge) (directory.Merged, error) {
				if merging != nil {
					merging()
				}
				return merge(ctx, m)
			}
		})
		r.sync(directory.Order{Dry: true})
		r.want("dry", "")
		if err := r.Schedule(t.Context()); err != nil || r.state(bot.PeopleReading).Dry || !r.state(bot.PeopleReading).Running() {
			t.Errorf("a dry run stands for a real one: %v", err)
		}
		r.finish(bot.PeopleReading)
		r.want("scheduled", "a b")
		n := 0
		err := r.Preview(t.Context(), func(_ context.Context, m directory.Merge) error {
			for range m.Rows {
				n++
			}
			return nil
		})
		if err != nil || n != 2 {
			t.Errorf("%d rows, %v", n, err)
		}
		// While a real one runs it is refused; a real order makes a dry one real.
		src.set("c", map[string]any{"user": "c", "name": "Name of c"})
		r.begin(bot.PeopleReading, directory.Order{})
		if _, err := r.Begin(t.Context(), bot.PeopleReading, directory.Order{Dry: true}); !errors.Is(err, directory.ErrRunning) {
			t.Errorf("%v", err)
		}
		r.finish(bot.PeopleReading)
		r.want("real", "a b c")
		// One that was interrupted is gone on with: where no other process can be at
		// it, or has been for long.
		src.set("c", map[string]any{"name": "Cid"})
		r.begin(bot.PeopleReading, directory.Order{Force: true})
		dry := directory.Order{Dry: true, Alone: true}
		if !r.Alone {
			if _, err := r.Begin(t.Context(), bot.PeopleReading, dry); !errors.Is(err, directory.ErrRunning) {
				t.Errorf("%v", err)
			}
			r.now.pass(4 * time.Minute)
		}
		if began, err := r.Begin(t.Context(), bot.PeopleReading, dry); err != nil || began {
			t.Errorf("%v, %v", began, err)
		}
		r.finish(bot.PeopleReading)
		r.want("dry, after an interrupted one", "a b c")
		r.sync(directory.Order{})
		r.want("real again", "a b c(Cid)")
		src.set("d", map[string]any{"user": "d", "name": "Name of d"})
		r.begin(bot.PeopleReading, directory.Order{Dry: true})
		if _, err := r.Begin(t.Context(), bot.PeopleReading, directory.Order{}); err != nil {
			t.Error(err)
		}
		r.finish(bot.PeopleReading)
		r.want("made real", "a b c(Cid) d")
		// --yes comes while it is being refused.
		src.vanish("a", "b", "c")
		merging = func() {
			merging = nil
			if _, err := r.Begin(t.Context(), bot.PeopleReading, directory.Order{Force: true}); err != nil {
				t.Error(err)
			}
		}
		if last := r.sync(directory.Order{Full: true}); last.Refused || last.Off != 3 {
			t.Errorf("%+v", last)
		}
	})
}

// A process dies in the middle, at any page. Another one goes on where it was,
// and reads no page twice that was stored.
func TestKilledInTheMiddle(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		src := newTenant(2, "a", "b", "c", "d", "e", "f")
		src.groups["g"] = []bot.PersonID{"a", "b", "c", "d"}
		groups := func(d *directory.Deps) { d.Groups = []string{"g"} }
		r := newRig(t, dsn, src, groups)
		r.begin(bot.PeopleReading, directory.Order{})
		for r.state(bot.PeopleReading).Running() {
			// The page is read, and the process dies before it is stored.
			ctx, kill := context.WithCancel(t.Context())
			src.before = func(string) { r.db.Close(); kill() }
			if s := r.state(bot.PeopleReading); s.Phase == bot.SyncMerge {
				src.before = nil // asks nothing
			}
			if _, err := r.Advance(ctx, bot.PeopleReading); err == nil && src.before != nil {
				t.Error("a dead process stored a page")
			}
			src.before = nil
			r.db.Close()
			r.open(dsn, groups)
			if !r.Alone {
				if wait, err := r.Advance(t.Context(), bot.PeopleReading); r.state(bot.PeopleReading).Running() && (err != nil || wait <= 0 || wait > time.Minute) {
					t.Fatalf("the page of a process of which nobody knows that it is dead: wait %v, %v", wait, err)
				}
				r.now.pass(61 * time.Second)
			}
			if s := r.state(bot.PeopleReading); s.Running() {
				r.advance(bot.PeopleReading)
			}
			kill()
		}
		r.want("in the end", "a b c d")
		calls := src.asked()
		if len(calls) != 2*5 || len(slices.Compact(calls)) != 5 { // each page by the dead, and by the living
			t.Errorf("asked %q", calls)
		}
	})
}

// Two processes on one database do the jobs of one sync. No page is read twice.
func TestTwoProcesses(t *testing.T) {
	dsn := storetest.Postgres(t)
	var ids []string
	for i := range 60 {
		ids = append(ids, fmt.Sprintf("p%02d", i))
	}
	src := newTenant(2, ids...)
	a := newRig(t, dsn, src)
	b := newRig(t, dsn, src)
	b.now = a.now
	begun := make(chan bool, 2)
	for _, r := range []*rig{a, b} {
		r.jobs()
		go func() {
			began, err := r.Begin(context.Background(), bot.PeopleReading, directory.Order{})
			if err != nil {
				t.Error(err)
			}
			begun <- began
		}()
	}
	if first, second := <-begun, <-begun; first == second {
		t.Errorf("begun: %v and %v", first, second)
	}
	a.await(bot.PeopleReading)
	calls := src.asked()
	slices.Sort(calls)
	if n := len(slices.Compact(slices.Clone(calls))); n != len(calls) || n != 30 {
		t.Errorf("%d pages read %d times: %q", n, len(calls), calls)
	}
	is(t, "people", len(strings.Fields(b.people())), 60)
}

// jobs does the jobs of the rig's store.
func (r *rig) jobs() {
	r.t.Helper()
	var w store.Workers
	store.Handle(&w, r.HandleStep)
	store.Handle(&w, r.HandleLook)
	if err := r.db.StartJobs(context.Background(), &w); err != nil {
		r.t.Fatal(err)
	}
}

// await waits until the jobs have ended a sync.
func (r *rig) await(reading bot.Reading) *bot.SyncResult {
	r.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if s := r.state(reading); !s.Running() {
			return s.Last
		}
	}
	r.t.Fatalf("no end: %+v", r.state(reading))
	return nil
}

// The jobs alone bring a sync to its end, through a failure, and codes go out
// meanwhile: people are made of what is stored while turns write.
func TestJobsDoASync(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		var ids []string
		for i := range 1200 {
			ids = append(ids, fmt.Sprintf("p%04d", i))
		}
		src := newTenant(100, ids...)
		r := newRig(t, dsn, src)
		r.jobs()
		stop := make(chan bool)
		var turns atomic.Int64
		ended := make(chan error)
		go func() {
			for {
				select {
				case <-stop:
					ended <- nil
					return
				default:
				}
				if err := r.db.Update(context.Background(), func(tx bot.Tx) error { return tx.Tally("turn", "x") }); err != nil {
					ended <- err
					return
				}
				turns.Add(1)
			}
		}()
		r.begin(bot.PeopleReading, directory.Order{})
		last := r.await(bot.PeopleReading)
		close(stop)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if last.Added != 1200 || last.Pages != 13 || turns.Load() == 0 {
			t.Errorf("%+v, %d turns", last, turns.Load())
		}
		if err := r.db.StopJobs(t.Context()); err != nil {
			t.Error(err)
		}
		n, err := r.db.PendingJobs(t.Context())
		if err != nil || len(n) > 0 {
			t.Errorf("jobs left: %v %v", n, err)
		}
	})
}

// The process is told to stop while it reads: the page is free at once.
func TestStoppedWhileReading(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		src := newTenant(2, "a", "b", "c")
		r := newRig(t, dsn, src)
		r.begin(bot.PeopleReading, directory.Order{})
		ctx, stop := context.WithCancel(t.Context())
		src.before = func(string) { stop() }
		if wait, err := r.Advance(ctx, bot.PeopleReading); err != nil || wait != 0 {
			t.Errorf("wait %v, %v", wait, err)
		}
		if s := r.state(bot.PeopleReading); s.Holder != "" || s.Failures != 0 || s.Error != "" {
			t.Errorf("state %+v", s)
		}
		src.before = nil
		r.finish(bot.PeopleReading)
		r.want("after that", "a b c")
	})
}

// Syncs begin when they are due, once; and one whose job was lost goes on.
func TestSchedule(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		src := newTenant(2, "a", "b", "c")
		r := newRig(t, dsn, src, func(d *directory.Deps) { d.SyncEvery, d.ReportEvery = time.Hour, 6*time.Hour })
		schedule := func() map[string]int {
			t.Helper()
			if err := r.Schedule(t.Context()); err != nil {
				t.Fatal(err)
			}
			n, err := r.db.PendingJobs(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		is(t, "jobs at first", schedule()["directory_step"], 1) // the report waits for people
		is(t, "jobs a moment later", schedule()["directory_step"], 1)
		if s := r.state(bot.PeopleReading); s.By != "system" || s.Run != 1 {
			t.Errorf("%+v", s)
		}
		r.now.pass(4 * time.Minute)
		is(t, "jobs when the first was lost", schedule()["directory_step"], 2)
		is(t, "jobs when it was put back", schedule()["directory_step"], 2)
		r.finish(bot.PeopleReading)
		schedule()
		is(t, "the report's phase", r.state(bot.ReportReading).Phase, bot.SyncPolicy)
		r.finish(bot.ReportReading)
		r.now.pass(50 * time.Minute)
		schedule()
		is(t, "run", r.state(bot.PeopleReading).Run, 1)
		r.now.pass(10 * time.Minute)
		schedule()
		is(t, "run an hour after the first", r.state(bot.PeopleReading).Run, 2)
		is(t, "run of the report", r.state(bot.ReportReading).Run, 1)

		quiet := newRig(t, t.TempDir()+"/other.db", src)
		if err := quiet.Schedule(t.Context()); err != nil || quiet.state(bot.PeopleReading).Run != 0 {
			t.Errorf("without a time nothing begins: %v", err)
		}
	})
}

// A restored copy, here one of the middle of a sync and of a clock that was
// ahead, reads everything anew at once.
func TestRestored(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		src := newTenant(2, "a", "b", "c", "d")
		r := newRig(t, dsn, src, func(d *directory.Deps) { d.SyncEvery = time.Hour })
		r.now.pass(1000 * time.Hour)
		r.sync(directory.Order{})
		src.vanish("d")
		src.set("a", map[string]any{"name": "Ann"})
		r.begin(bot.PeopleReading, directory.Order{})
		r.advance(bot.PeopleReading)
		r.now.pass(-1000 * time.Hour)
		if _, err := r.db.AfterRestore(t.Context(), 0, "operator:kim", ""); err != nil {
			t.Fatal(err)
		}
		if err := r.Schedule(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s := r.state(bot.PeopleReading); !s.Full || !s.Running() {
			t.Errorf("%+v", s)
		}
		r.finish(bot.PeopleReading)
		r.want("after the restore", "a(Ann) b c -d")
	})
}

// A job that comes again, or late, reads nothing.
func TestJobOfAnotherPage(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		src := newTenant(1, "a", "b", "c")
		r := newRig(t, dsn, src)
		r.begin(bot.PeopleReading, directory.Order{})
		s := r.state(bot.PeopleReading)
		j := directory.Step{Reading: bot.PeopleReading, Run: s.Run, Step: s.Step}
		for range 2 {
			if err := r.HandleStep(t.Context(), j); err != nil {
				t.Error(err)
			}
		}
		is(t, "calls", len(src.asked()), 1)
		// A full reading is ordered while a page of changes is read: that page is
		// stored no more.
		r.finish(bot.PeopleReading)
		src.set("a", map[string]any{"name": "Ann"})
		r.begin(bot.PeopleReading, directory.Order{})
		src.before = func(string) {
			src.before = nil
			if _, err := r.Begin(context.Background(), bot.PeopleReading, directory.Order{Full: true}); err != nil {
				t.Error(err)
			}
		}
		r.advance(bot.PeopleReading)
		if s := r.state(bot.PeopleReading); !s.Full || s.Pages != 0 || s.Cursor != "" {
			t.Errorf("%+v", s)
		}
		r.finish(bot.PeopleReading)
		r.want("in the end", "a(Ann) b c")
	})
}

// flaky is a store whose views fail after some.
type flaky struct {
	bot.Store
	left int
}

var errView = errors.New("the database is away")

func (f *flaky) View(ctx context.Context, fn func(bot.Tx) error) error {
	if f.left--; f.left < 0 {
		return errView
	}
	return f.Store.View(ctx, fn)
}

// The database fails while rows are read: half of a list is no list.
func TestHalfOfTheRows(t *testing.T) {
	both(t, func(t *testing.T, dsn string) {
		var ids []string
		for i := range 502 {
			ids = append(ids, fmt.Sprintf("p%04d", i))
		}
		src := newTenant(1000, ids...)
		f := &flaky{left: 1 << 30}
		r := newRig(t, dsn, src, func(d *directory.Deps) { f.Store, d.Store = d.Store, f })
		r.sync(directory.Order{})
		src.set("p0001", map[string]any{"name": "Ann"})
		r.begin(bot.PeopleReading, directory.Order{Force: true})
		r.advance(bot.PeopleReading)
		f.left = 1
		if _, err := r.Advance(t.Context(), bot.PeopleReading); !errors.Is(err, errView) {
			t.Errorf("%v", err)
		}
		f.left = 1 << 30
		if got := r.people(); strings.Contains(got, "-") || strings.Contains(got, "Ann") {
			t.Error("half of a list was taken")
		}
	})
}
