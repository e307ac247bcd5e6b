package directory_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/directory"
	"latchkey/store"
	"latchkey/store/storetest"
)

// A tenant is a bot.DirectorySource in memory, with small pages.
type tenant struct {
	mu       sync.Mutex
	page     int
	accounts map[bot.PersonID]map[string]any
	log      []bot.DirectoryChange // what has changed since the beginning
	groups   map[string][]bot.PersonID
	report   []bot.Registration
	methods  map[bot.PersonID][]string
	policy   error

	fail   func(call string) error // nil: nothing fails
	before func(call string)       // runs without the lock
	calls  []string
}

func newTenant(page int, ids ...string) *tenant {
	d := &tenant{page: page, accounts: map[bot.PersonID]map[string]any{}, groups: map[string][]bot.PersonID{}, methods: map[bot.PersonID][]string{}}
	for _, id := range ids {
		d.set(id, map[string]any{"user": id, "name": "Name of " + id})
	}
	return d
}

// set changes some properties of an account, or adds it.
func (d *tenant) set(id string, said map[string]any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := bot.PersonID(id)
	if d.accounts[p] == nil {
		d.accounts[p] = map[string]any{}
	}
	for k, v := range said {
		d.accounts[p][k] = v
	}
	body, _ := json.Marshal(said)
	d.log = append(d.log, bot.DirectoryChange{ID: p, Body: body})
}

func (d *tenant) remove(ids ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range ids {
		delete(d.accounts, bot.PersonID(id))
		d.log = append(d.log, bot.DirectoryChange{ID: bot.PersonID(id), Gone: true})
	}
}

// vanish takes accounts away without a word in the changes.
func (d *tenant) vanish(ids ...string) {
	d.remove(ids...)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = d.log[:len(d.log)-len(ids)]
}

// called notes a call and fails it when that is asked for.
func (d *tenant) called(ctx context.Context, format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	d.mu.Lock()
	d.calls = append(d.calls, call)
	fail, before := d.fail, d.before
	d.mu.Unlock()
	if before != nil {
		before(call)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if fail != nil {
		return fail(call)
	}
	return nil
}

// asked are the calls since the last time.
func (d *tenant) asked() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	calls := d.calls
	d.calls = nil
	return calls
}

func sorted[V any](m map[bot.PersonID]V) (ids []bot.PersonID) {
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// People implements bot.DirectorySource. Cursors are "full N ID": accounts after
// ID, and the changes since number N after them; and "changes N".
func (d *tenant) People(ctx context.Context, cursor string) (*bot.DirectoryPage, error) {
	if err := d.called(ctx, "people %s", cursor); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if cursor == "" {
		cursor = fmt.Sprintf("full %d ", len(d.log))
	}
	part := strings.SplitN(cursor, " ", 3)
	n, err := strconv.Atoi(part[1])
	if err != nil {
		return nil, err
	}
	if part[0] == "changes" {
		end := min(n+d.page, len(d.log))
		return &bot.DirectoryPage{Changes: slices.Clone(d.log[n:end]), Next: fmt.Sprint("changes ", end), Last: end == len(d.log)}, nil
	}
	page := &bot.DirectoryPage{}
	for _, id := range sorted(d.accounts) {
		if string(id) <= part[2] {
			continue
		}
		if len(page.Changes) == d.page {
			page.Next = fmt.Sprintf("full %d %s", n, page.Changes[d.page-1].ID)
			return page, nil
		}
		body, _ := json.Marshal(d.accounts[id])
		page.Changes = append(page.Changes, bot.DirectoryChange{ID: id, Body: body})
	}
	page.Next, page.Last = fmt.Sprint("changes ", n), true
	return page, nil
}

// Members implements bot.DirectorySource.
func (d *tenant) Members(ctx context.Context, group, cursor string) ([]bot.PersonID, string, error) {
	if err := d.called(ctx, "members %s %s", group, cursor); err != nil {
		return nil, "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	from, _ := strconv.Atoi(cursor)
	all := d.groups[group]
	end := min(from+d.page, len(all))
	if end == len(all) {
		return slices.Clone(all[from:end]), "", nil
	}
	return slices.Clone(all[from:end]), strconv.Itoa(end), nil
}

// Person implements bot.DirectorySource.
func (d *tenant) Person(_ bot.PersonID, merged json.RawMessage) (bot.Person, bot.PersonFields, error) {
	var a struct {
		User, Name *string
		Off, Guest bool
		Broken     bool
	}
	if err := json.Unmarshal(merged, &a); err != nil || a.Broken {
		return bot.Person{}, 0, fmt.Errorf("broken: %w", err)
	}
	p, unsaid := bot.Person{Disabled: a.Off}, ^(bot.FieldUsername | bot.FieldName | bot.FieldDisabled | bot.FieldKind)
	if a.Guest {
		p.Kind = bot.Guest
	}
	for _, f := range []struct {
		said *string
		to   *string
		bit  bot.PersonFields
	}{{a.User, &p.Username, bot.FieldUsername}, {a.Name, &p.Name, bot.FieldName}} {
		if f.said == nil {
			unsaid |= f.bit
		} else {
			*f.to = *f.said
		}
	}
	return p, unsaid, nil
}

// Registrations implements bot.DirectorySource.
func (d *tenant) Registrations(ctx context.Context, cursor string) ([]bot.Registration, string, error) {
	if err := d.called(ctx, "report %s", cursor); err != nil {
		return nil, "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	from, _ := strconv.Atoi(cursor)
	end := min(from+d.page, len(d.report))
	if end == len(d.report) {
		return slices.Clone(d.report[from:end]), "", nil
	}
	return slices.Clone(d.report[from:end]), strconv.Itoa(end), nil
}

// MethodsOf implements bot.DirectorySource.
func (d *tenant) MethodsOf(ctx context.Context, p bot.PersonID) ([]string, error) {
	if err := d.called(ctx, "methods %s", p); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.methods[p], nil
}

// TenantPolicy implements bot.DirectorySource.
func (d *tenant) TenantPolicy(ctx context.Context) (*bot.TenantPolicy, error) {
	if err := d.called(ctx, "policy"); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return &bot.TenantPolicy{Migration: "migrationComplete"}, d.policy
}

// A rig is a service on a store, with a clock that only the test moves.
type rig struct {
	*directory.Service
	t   *testing.T
	db  *store.DB
	src *tenant
	now *clock
}

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func both(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "bot.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, storetest.Postgres(t)) })
}

func newRig(t *testing.T, dsn string, src *tenant, change ...func(*directory.Deps)) *rig {
	t.Helper()
	r := &rig{t: t, src: src, now: &clock{at: time.Date(2026, 11, 29, 9, 0, 0, 0, time.UTC)}}
	r.open(dsn, change...)
	return r
}

// open opens the store, and makes the service of a process.
func (r *rig) open(dsn string, change ...func(*directory.Deps)) {
	r.t.Helper()
	db, err := store.Open(context.Background(), store.Options{DSN: dsn, Clock: r.now.Now, Logger: slog.New(slog.NewTextHandler(r.t.Output(), nil))})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { db.Close() })
	r.db = db
	d := directory.Deps{
		Store: db, Source: r.src, GonePeople: 2, GoneShare: 0.1, Alone: filepath.IsAbs(dsn), Log: slog.New(slog.NewTextHandler(r.t.Output(), nil)),
		Merge: func(ctx context.Context, m directory.Merge) (directory.Merged, error) {
			o := store.ImportOptions{Mode: store.SkipBad, Unsaid: m.Unsaid, Unread: m.Unread, Missing: store.DisableMissing, Whose: store.OfSync}
			if !m.Force {
				o.GonePeople, o.GoneShare, o.GoneBefore = 2, 0.1, m.Before
			}
			r, err := db.ImportPeople(ctx, m.Rows, o)
			return directory.Merged{Why: r.Refused, SyncResult: bot.SyncResult{Rows: r.Rows, Added: r.Inserted, Changed: r.Updated, Off: r.Gone, Wrong: r.Bad + r.Unread}}, err
		},
	}
	for _, c := range change {
		c(&d)
	}
	r.Service = directory.New(d)
}

func (r *rig) state(reading bot.Reading) bot.SyncState {
	r.t.Helper()
	s, err := r.State(context.Background(), reading)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) begin(reading bot.Reading, o directory.Order) {
	r.t.Helper()
	if began, err := r.Begin(context.Background(), reading, o); err != nil || !began {
		r.t.Fatalf("begun: %v, %v", began, err)
	}
}

// advance reads one page that is to succeed.
func (r *rig) advance(reading bot.Reading) {
	r.t.Helper()
	if wait, err := r.Advance(context.Background(), reading); err != nil || wait != 0 {
		r.t.Fatalf("page: wait %v, %v", wait, err)
	}
}

// finish reads to the end.
func (r *rig) finish(reading bot.Reading) *bot.SyncResult {
	r.t.Helper()
	for n := 0; ; n++ {
		s := r.state(reading)
		if !s.Running() {
			return s.Last
		}
		if n > 1000 {
			r.t.Fatalf("no end: %+v", s)
		}
		r.advance(reading)
	}
}

// sync is a whole sync of people.
func (r *rig) sync(o directory.Order) *bot.SyncResult {
	r.t.Helper()
	r.begin(bot.PeopleReading, o)
	return r.finish(bot.PeopleReading)
}

// people are the people as text: "id", with "-" those that are off, with a note
// what is not as the tenant's newTenant made it.
func (r *rig) people() string {
	r.t.Helper()
	var all []string
	err := r.db.People(context.Background(), store.PeopleFilter{}, func(p bot.Person) error {
		s := string(p.ID)
		if p.Disabled {
			s = "-" + s
		}
		if p.Username != string(p.ID) {
			s += ":" + p.Username
		}
		if p.Name != "Name of "+string(p.ID) {
			s += "(" + p.Name + ")"
		}
		if p.Kind != "" {
			s += "/" + string(p.Kind)
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func (r *rig) want(when, people string) {
	r.t.Helper()
	if got := r.people(); got != people {
		r.t.Errorf("%s: people are\n%s, want\n%s", when, got, people)
	}
}

var errTenant = errors.New("the tenant is out of order")

// once fails the first call that begins so.
func (d *tenant) once(begins string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	done := false
	d.fail = func(call string) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !done && strings.HasPrefix(call, begins) {
			done = true
			return err
		}
		return nil
	}
}
