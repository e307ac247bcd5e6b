package bottest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"latchkey/bot"
)

// Store is a bot.MailStore in memory for the tests of turn and outbox. It keeps
// events, conversations, outbox rows, deferred events, workers, jobs and tallies, and
// nothing else: any other call of its Tx panics, and the test belongs to the
// real store. One transaction runs at a time and an error undoes it. Like the real ones it
// may call fn twice, see Twice.
type Store struct {
	Clock func() time.Time // nil: time.Now
	Twice bool             // run every transaction once in vain before it counts

	*memory
	worker bot.WorkerID // of this process; memory.mu guards it
	heard  func([]bot.News)
}

// memory is what processes over one Store share.
type memory struct {
	mu     sync.Mutex
	now    state
	fail   func(what string) error
	commit int
	all    []*Store // the processes
}

type state struct {
	seen    map[[2]string]bool
	convs   map[bot.ConversationID]bot.Conversation
	rows    map[int64]bot.OutboxRow // by ID
	in      map[bot.ConversationID][]int64
	waits   map[int64]bool // IDs of rows that wait
	last    int64          // ID that was given last
	workers map[bot.WorkerID]time.Time
	worker  bot.WorkerID // that was given last
	jobs    []bot.Job
	tallies map[[2]string][]time.Time
	inbound map[[2]string]bot.InboundRow
	no      int64 // of the last one of inbound
}

// NewStore makes an empty store.
func NewStore() *Store {
	s := &Store{memory: &memory{now: state{
		seen: map[[2]string]bool{}, convs: map[bot.ConversationID]bot.Conversation{},
		rows: map[int64]bot.OutboxRow{}, in: map[bot.ConversationID][]int64{}, waits: map[int64]bool{}, workers: map[bot.WorkerID]time.Time{}, tallies: map[[2]string][]time.Time{},
		inbound: map[[2]string]bot.InboundRow{},
	}}}
	s.all = append(s.all, s)
	return s
}

// Process is the store as another process has it open. Without it the first one
// is alone.
func (s *Store) Process() *Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &Store{Clock: s.Clock, Twice: s.Twice, memory: s.memory}
	s.all = append(s.all, p)
	return p
}

// Put stores a row as it is, for a test that needs one that came about long ago,
// and gives it an ID when it has none.
func (s *Store) Put(row bot.OutboxRow) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if row.ID == 0 {
		s.now.last++
		row.ID = s.now.last
	}
	s.now.set(row)
	s.now.in[row.Conversation] = append(s.now.in[row.Conversation], row.ID)
}

// NewWorker implements bot.MailStore.
func (s *Store) NewWorker(ctx context.Context, life time.Duration, heard func([]bot.News)) (bot.Worker, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return bot.Worker{}, err
	}
	if s.fail != nil {
		if err := s.fail("worker"); err != nil {
			return bot.Worker{}, err
		}
	}
	s.now.worker++
	s.worker, s.heard = s.now.worker, heard
	s.now.workers[s.worker] = s.clock().Add(life)
	w := bot.Worker{ID: s.worker, Alone: len(s.all) == 1}
	if w.Alone { // whoever was before is gone
		for old := range s.now.workers {
			if old != w.ID {
				delete(s.now.workers, old)
			}
		}
		tx := &memTx{s: s, at: s.clock()}
		dead, err := tx.Orphans()
		if err == nil {
			_, err = tx.Free(dead, len(s.now.rows))
		}
		return w, err
	}
	return w, nil
}

// Beat implements bot.MailStore.
func (s *Store) Beat(ctx context.Context, id bot.WorkerID, life time.Duration, bury bool) (others int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if s.fail != nil {
		if err := s.fail("beat"); err != nil {
			return 0, err
		}
	}
	if _, ok := s.now.workers[id]; !ok {
		return 0, fmt.Errorf("worker %d: %w", id, bot.ErrNotFound)
	}
	now := s.clock()
	s.now.workers[id] = now.Add(life)
	for w, until := range s.now.workers {
		switch late := until.Before(now); {
		case w == id:
		case !late:
			others++
		case bury:
			delete(s.now.workers, w)
		}
	}
	return others, nil
}

// EndWorker implements bot.MailStore.
func (s *Store) EndWorker(_ context.Context, id bot.WorkerID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.now.workers, id)
	if s.worker == id {
		s.worker = bot.Nobody
	}
	return nil
}

// tell passes news on to every process, after the commit.
func (s *Store) tell(news []bot.News) {
	if len(news) == 0 {
		return
	}
	s.mu.Lock()
	var heard []func([]bot.News)
	for _, p := range s.all {
		if p.heard != nil {
			heard = append(heard, p.heard)
		}
	}
	s.mu.Unlock()
	for _, f := range heard {
		f(news)
	}
}

// Fail has f asked before every commit ("turn", "update") and every read
// ("view"); its error ends the transaction. nil ends it.
func (s *Store) Fail(f func(what string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

// Commits counts the transactions that wrote and were committed.
func (s *Store) Commits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commit
}

// Rows lists all outbox rows in order of conversation and Seq, those without one
// last.
func (s *Store) Rows() []bot.OutboxRow {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now.list(func(*bot.OutboxRow) bool { return true })
}

// Conversations lists all conversations by id.
func (s *Store) Conversations() map[bot.ConversationID]bot.Conversation {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := make(map[bot.ConversationID]bot.Conversation, len(s.now.convs))
	for k, v := range s.now.convs {
		m[k] = v
	}
	return m
}

// Jobs lists what was enqueued.
func (s *Store) Jobs() []bot.Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]bot.Job(nil), s.now.jobs...)
}

// Turn implements bot.Store.
func (s *Store) Turn(ctx context.Context, ev *bot.Event, fn func(bot.Tx, *bot.Conversation) error) error {
	return s.write(ctx, "turn", func(tx *memTx) error {
		key := [2]string{string(ev.Channel), ev.ID}
		if s.now.seen[key] {
			return nil
		}
		if tx.deferred(ev.Conversation) && !ev.Deferred && !ev.Kind.Ours() {
			return fmt.Errorf("conversation %q: %w", ev.Conversation, bot.ErrDeferred)
		}
		s.now.seen[key] = true
		tx.undo = append(tx.undo, func() { delete(s.now.seen, key) })
		c, ok := s.now.convs[ev.Conversation]
		if !ok {
			c = bot.Conversation{ID: ev.Conversation, Channel: ev.Channel, User: ev.From}
		}
		c.State = append([]byte(nil), c.State...)
		tx.mine = &c
		return fn(tx, &c)
	})
}

// Update implements bot.Store.
func (s *Store) Update(ctx context.Context, fn func(bot.Tx) error) error {
	return s.write(ctx, "update", func(tx *memTx) error { return fn(tx) })
}

// View implements bot.Store.
func (s *Store) View(ctx context.Context, fn func(bot.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.fail != nil {
		if err := s.fail("view"); err != nil {
			return err
		}
	}
	return fn(&memTx{s: s, at: s.clock(), readonly: true})
}

func (s *Store) write(ctx context.Context, what string, fn func(*memTx) error) error {
	news, err := s.commitOne(ctx, what, fn)
	s.tell(news)
	return err
}

func (s *Store) commitOne(ctx context.Context, what string, fn func(*memTx) error) ([]bot.News, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.Twice {
		tx := &memTx{s: s, at: s.clock()}
		err := fn(tx)
		tx.rollback()
		if err != nil {
			return nil, err
		}
	}
	tx := &memTx{s: s, at: s.clock()}
	err := fn(tx)
	if err == nil && s.fail != nil {
		err = s.fail(what)
	}
	if err != nil {
		tx.rollback()
		return nil, err
	}
	s.commit++
	return tx.news, nil
}

func (s *Store) clock() time.Time {
	if s.Clock != nil {
		return s.Clock().UTC()
	}
	return time.Now().UTC()
}

func (st *state) list(keep func(*bot.OutboxRow) bool) []bot.OutboxRow {
	var rows []bot.OutboxRow
	for _, r := range st.rows {
		if keep(&r) {
			rows = append(rows, r)
		}
	}
	sort.Slice(rows, func(i, j int) bool {
		if rows[i].Conversation != rows[j].Conversation {
			return rows[i].Conversation < rows[j].Conversation
		}
		return before(&rows[i], &rows[j])
	})
	return rows
}

// before is the order in which rows of a conversation go out.
func before(a, b *bot.OutboxRow) bool {
	switch {
	case a.Seq == 0 && b.Seq == 0:
		return a.ID < b.ID
	case a.Seq == 0 || b.Seq == 0:
		return a.Seq != 0
	}
	return a.Seq < b.Seq
}

// memTx is a transaction. The embedded Tx is nil: what is not written below
// panics.
type memTx struct {
	bot.Tx
	s        *Store
	at       time.Time
	undo     []func()
	readonly bool
	mine     *bot.Conversation // the turn's
	news     []bot.News
}

func (tx *memTx) rollback() {
	for i := len(tx.undo) - 1; i >= 0; i-- {
		tx.undo[i]()
	}
}

func (tx *memTx) write() error {
	if tx.readonly {
		return fmt.Errorf("bottest: write in a View")
	}
	return nil
}

func (tx *memTx) Now() time.Time { return tx.at }

// Wall implements bot.Tx.
func (tx *memTx) Wall() time.Time { return tx.at }

func (tx *memTx) Conversation(id bot.ConversationID) (*bot.Conversation, error) {
	c, ok := tx.s.now.convs[id]
	if !ok {
		return nil, fmt.Errorf("conversation %s: %w", id, bot.ErrNotFound)
	}
	c.State = append([]byte(nil), c.State...)
	return &c, nil
}

// Identity finds nobody: people are not kept here.
func (tx *memTx) Identity(ch bot.ChannelID, user string) (*bot.Identity, error) {
	return nil, fmt.Errorf("identity of %s on %s: %w", user, ch, bot.ErrNotFound)
}

func (tx *memTx) SaveConversation(c *bot.Conversation) error {
	if err := tx.write(); err != nil {
		return err
	}
	old, ok := tx.s.now.convs[c.ID]
	if old.Version != c.Version {
		return fmt.Errorf("conversation %s at version %d: %w", c.ID, c.Version, bot.ErrConflict)
	}
	c.Version++
	c.Updated = tx.at
	cp := *c
	cp.State = append([]byte(nil), c.State...)
	tx.s.now.convs[c.ID] = cp
	tx.undo = append(tx.undo, func() {
		if ok {
			tx.s.now.convs[c.ID] = old
		} else {
			delete(tx.s.now.convs, c.ID)
		}
	})
	return nil
}

func (tx *memTx) Say(row *bot.OutboxRow) error {
	if err := tx.write(); err != nil {
		return err
	}
	placed := row.Seq != 0
	row.ID, row.Attempts, row.State, row.CreatedAt = 0, 0, bot.OutboxPending, tx.at
	if placed {
		row.Attempts = 1
	} else {
		row.Owner = bot.Nobody
	}
	mine := tx.mine != nil && tx.mine.ID == row.Conversation
	if c, ok := tx.s.now.convs[row.Conversation]; mine {
		row.Channel = tx.mine.Channel
	} else if !ok {
		return fmt.Errorf("conversation %s: %w", row.Conversation, bot.ErrNotFound)
	} else {
		row.Channel = c.Channel
	}
	if !row.Due.IsZero() && row.Expires.IsZero() {
		row.Expires = row.Due.Add(24 * time.Hour)
	}
	waits, unplaced, until := tx.behind(row.Conversation)
	switch {
	case placed || !mine || !row.Lane.Dialogue() || row.Due.After(tx.at):
	case tx.s.worker != bot.Nobody && !waits:
		tx.mine.OutSeq++
		row.Seq, row.Attempts, row.Owner = tx.mine.OutSeq, 1, tx.s.worker
	default:
		if row.Keep && !unplaced {
			tx.mine.OutSeq++
			row.Seq = tx.mine.OutSeq
		}
		if until.After(tx.at) {
			row.Due = until
		}
	}
	if row.Owner == bot.Nobody {
		if row.Due.IsZero() {
			row.Due = tx.at
		}
		tx.news = append(tx.news, bot.News{Channel: row.Channel, Conversation: row.Conversation, Waits: true, Due: row.Due})
	}
	tx.s.now.last++
	stored := *row
	stored.ID = tx.s.now.last
	tx.put(stored)
	return nil
}

// behind tells whether something waits in a conversation before what is said
// now, and until when.
func (tx *memTx) behind(c bot.ConversationID) (waits, unplaced bool, until time.Time) {
	for _, id := range tx.s.now.in[c] {
		r := tx.s.now.rows[id]
		if r.State != bot.OutboxPending || r.Owner != bot.Nobody && r.Owner == tx.s.worker || r.Owner == bot.Nobody && !r.Lane.Dialogue() {
			continue
		}
		waits, unplaced = true, unplaced || r.Seq == 0
		if r.Owner == bot.Nobody && r.Due.After(until) {
			until = r.Due
		}
	}
	return waits, unplaced, until
}

// put stores a row so that an error takes it back.
func (tx *memTx) put(r bot.OutboxRow) {
	old, ok := tx.s.now.rows[r.ID]
	ids := tx.s.now.in[r.Conversation]
	tx.s.now.set(r)
	if !ok {
		tx.s.now.in[r.Conversation] = append(ids[:len(ids):len(ids)], r.ID)
	}
	tx.undo = append(tx.undo, func() {
		if ok {
			tx.s.now.set(old)
		} else {
			delete(tx.s.now.rows, r.ID)
			delete(tx.s.now.waits, r.ID)
			tx.s.now.in[r.Conversation] = ids
		}
	})
}

// set stores a row.
func (st *state) set(r bot.OutboxRow) {
	st.rows[r.ID] = r
	if r.State == bot.OutboxPending && r.Owner == bot.Nobody {
		st.waits[r.ID] = true
	} else {
		delete(st.waits, r.ID)
	}
}

// of lists the rows of a conversation that keep chooses.
func (st *state) of(c bot.ConversationID, keep func(*bot.OutboxRow) bool) []bot.OutboxRow {
	var rows []bot.OutboxRow
	for _, id := range st.in[c] {
		if r := st.rows[id]; keep(&r) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b bot.OutboxRow) int {
		if before(&a, &b) {
			return -1
		}
		return 1
	})
	return rows
}

func (tx *memTx) Claim(w bot.WorkerID, ch bot.ChannelID, lane bot.Lane, limit int) ([]bot.Claimed, error) {
	if err := tx.write(); err != nil {
		return nil, err
	}
	var claimed []bot.Claimed
	var due []bot.OutboxRow
	for id := range tx.s.now.waits {
		if r := tx.s.now.rows[id]; r.Channel == ch && r.Lane == lane && !r.Due.After(tx.at) {
			due = append(due, r)
		}
	}
	slices.SortStableFunc(due, func(a, b bot.OutboxRow) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID))
	})
	done := map[bot.ConversationID]bool{}
	for i := range due {
		id := due[i].Conversation
		c, ok := tx.s.now.convs[id]
		if done[id] || !ok || len(claimed) == limit {
			continue
		}
		done[id] = true
		waiting := tx.s.now.of(id, func(r *bot.OutboxRow) bool { return r.State == bot.OutboxPending })
		first := -1
		for k := range waiting {
			switch r := &waiting[k]; {
			case r.Owner != bot.Nobody:
				first = len(waiting) // somebody sends there
			case first == len(waiting) || !r.Lane.Dialogue() && r.Due.After(tx.at) && r.Attempts == 0:
			case first < 0 || !r.Lane.Dialogue() && r.Lane < waiting[first].Lane || r.Lane.Dialogue() && !waiting[first].Lane.Dialogue():
				first = k
			}
		}
		if first < 0 || first == len(waiting) || waiting[first].Due.After(tx.at) {
			continue
		}
		r := waiting[first]
		r.Owner, r.Attempts = w, r.Attempts+1
		if r.Seq == 0 {
			old := c
			c.OutSeq, c.Version = c.OutSeq+1, c.Version+1
			r.Seq = c.OutSeq
			tx.s.now.convs[id] = c
			tx.undo = append(tx.undo, func() { tx.s.now.convs[id] = old })
		}
		tx.put(r)
		claimed = append(claimed, bot.Claimed{OutboxRow: r, To: c, More: len(waiting) > 1})
	}
	return claimed, nil
}

func (tx *memTx) DueLanes(chs []bot.ChannelID) ([]bot.DueLane, error) {
	first := map[bot.DueLane]time.Time{}
	for id := range tx.s.now.waits {
		r := tx.s.now.rows[id]
		if !slices.Contains(chs, r.Channel) {
			continue
		}
		k := bot.DueLane{Channel: r.Channel, Lane: r.Lane}
		if at, ok := first[k]; !ok || r.Due.Before(at) {
			first[k] = r.Due
		}
	}
	var due []bot.DueLane
	for k, at := range first {
		k.At = at
		due = append(due, k)
	}
	return due, nil
}

func (tx *memTx) Owned(w bot.WorkerID, said time.Time, limit int) ([]bot.OutboxRow, error) {
	rows := tx.s.now.list(func(r *bot.OutboxRow) bool {
		return r.State == bot.OutboxPending && r.Owner == w && r.CreatedAt.Before(said)
	})
	return rows[:min(len(rows), limit)], nil
}

func (tx *memTx) Orphans() ([]bot.WorkerID, error) {
	var dead []bot.WorkerID
	for _, r := range tx.s.now.rows {
		if _, lives := tx.s.now.workers[r.Owner]; !lives && r.Owner > 0 && r.State == bot.OutboxPending && !slices.Contains(dead, r.Owner) {
			dead = append(dead, r.Owner)
		}
	}
	return dead, nil
}

func (tx *memTx) Free(dead []bot.WorkerID, limit int) (n int, err error) {
	if err := tx.write(); err != nil {
		return 0, err
	}
	for _, r := range tx.s.now.list(func(r *bot.OutboxRow) bool { return r.State == bot.OutboxPending && slices.Contains(dead, r.Owner) }) {
		if n++; n > limit {
			return limit, nil
		}
		r.Owner, r.Due, r.Doubt = bot.Nobody, time.Time{}, max(1, r.Doubt)
		tx.put(r)
		tx.news = append(tx.news, bot.News{Channel: r.Channel, Conversation: r.Conversation, Waits: true})
	}
	return n, nil
}

func (tx *memTx) Pending(limit int) ([]bot.OutboxRow, error) {
	rows := tx.s.now.list(func(r *bot.OutboxRow) bool { return r.State == bot.OutboxPending })
	return rows[:min(len(rows), limit)], nil
}

func (tx *memTx) PendingOf(c bot.ConversationID) ([]bot.OutboxRow, error) {
	return tx.s.now.of(c, func(r *bot.OutboxRow) bool { return r.State == bot.OutboxPending }), nil
}

func (tx *memTx) MarkOutbox(row *bot.OutboxRow) error {
	if err := tx.write(); err != nil {
		return err
	}
	for _, id := range tx.s.now.in[row.Conversation] {
		r := tx.s.now.rows[id]
		if r.ID != row.ID && (row.ID != 0 || r.Seq != row.Seq) && (row.Owner == bot.Nobody || r.Seq != row.Seq) {
			continue
		}
		if r.State == bot.OutboxPending && (r.Owner != row.Owner || row.Owner == bot.Nobody && row.State == bot.OutboxRetracted) || r.State != bot.OutboxPending && (r.State != bot.OutboxSent || !r.Message.Fleeting || row.State <= bot.OutboxSent) {
			continue
		}
		tx.mark(r, row)
	}
	return nil
}

func (tx *memTx) mark(r bot.OutboxRow, row *bot.OutboxRow) {
	r.State, r.Attempts, r.Due, r.Expires, r.Doubt, r.Receipt, r.Error = row.State, row.Attempts, row.Due, row.Expires, row.Doubt, row.Receipt, row.Error
	r.Listed = r.State.GivenUp() && r.Error != bot.OutboxDropped
	r.Untold = r.Listed && row.Untold
	switch {
	case r.State == bot.OutboxPending:
		r.Owner = bot.Nobody
		tx.news = append(tx.news, bot.News{Channel: r.Channel, Conversation: r.Conversation, Waits: true, Due: r.Due})
	case r.Owner == bot.Nobody:
		r.Owner = bot.NoWorker
	}
	if r.State != bot.OutboxPending && !r.Keep && !r.Listed {
		r.Message = bot.Message{Fleeting: r.Message.Fleeting}
	}
	tx.put(r)
	if r.State != bot.OutboxPending || !r.Lane.Dialogue() {
		return
	}
	for _, id := range tx.s.now.in[r.Conversation] {
		if o := tx.s.now.rows[id]; o.State == bot.OutboxPending && o.Owner == bot.Nobody && o.Lane.Dialogue() && o.Due.Before(r.Due) {
			o.Due = r.Due
			tx.put(o)
		}
	}
}

func (tx *memTx) GivenUp(limit int) ([]bot.OutboxRow, error) {
	rows := tx.s.now.list(func(r *bot.OutboxRow) bool { return r.Listed })
	slices.SortFunc(rows, func(a, b bot.OutboxRow) int { return cmp.Compare(b.ID, a.ID) })
	return rows[:min(len(rows), limit)], nil
}

func (tx *memTx) GivenUpOf(c bot.ConversationID) ([]bot.OutboxRow, error) {
	return tx.s.now.of(c, func(r *bot.OutboxRow) bool { return r.Listed }), nil
}

func (tx *memTx) SentAfter(c bot.ConversationID, id int64) ([]bot.OutboxRow, error) {
	rows := tx.s.now.of(c, func(r *bot.OutboxRow) bool { return r.State == bot.OutboxSent && r.ID > id })
	for i := range rows {
		rows[i].Message = bot.Message{}
	}
	slices.SortFunc(rows, func(a, b bot.OutboxRow) int { return cmp.Compare(a.ID, b.ID) })
	return rows, nil
}

func (tx *memTx) SaidAt(c bot.ConversationID, at time.Time) ([]bot.OutboxRow, error) {
	rows := tx.s.now.of(c, func(r *bot.OutboxRow) bool { return r.CreatedAt.Equal(at) })
	slices.SortFunc(rows, func(a, b bot.OutboxRow) int { return cmp.Compare(a.ID, b.ID) })
	return rows, nil
}

func (tx *memTx) Unlist(row *bot.OutboxRow) error {
	if err := tx.write(); err != nil {
		return err
	}
	if r, ok := tx.s.now.rows[row.ID]; ok && r.Listed {
		r.Listed, r.Untold = false, false
		if !r.Keep {
			r.Message = bot.Message{}
		}
		tx.put(r)
	}
	return nil
}

func (tx *memTx) Untold() ([]bot.ConversationID, error) {
	var convs []bot.ConversationID
	for _, r := range tx.s.now.rows {
		if r.Untold && !slices.Contains(convs, r.Conversation) {
			convs = append(convs, r.Conversation)
		}
	}
	return convs, nil
}

func (tx *memTx) Told(c bot.ConversationID) error {
	if err := tx.write(); err != nil {
		return err
	}
	for _, r := range tx.s.now.rows {
		if r.Untold && r.Conversation == c {
			r.Untold = false
			tx.put(r)
		}
	}
	return nil
}

func (tx *memTx) Fleeting(c bot.ConversationID, before time.Time) ([]bot.OutboxRow, error) {
	rows := tx.s.now.list(func(r *bot.OutboxRow) bool {
		if r.State != bot.OutboxSent || !r.Message.Fleeting {
			return false
		}
		if c != "" {
			return r.Conversation == c
		}
		return r.CreatedAt.Before(before)
	})
	for i := range rows {
		rows[i].Message = bot.Message{Fleeting: true}
	}
	return rows, nil
}

func (tx *memTx) Said(c bot.ConversationID, after int64, limit int) ([]bot.OutboxRow, error) {
	rows := tx.s.now.of(c, func(r *bot.OutboxRow) bool { return r.Keep && r.Seq > max(0, after) })
	for i := range rows {
		if s := rows[i].State; s == bot.OutboxRetracted || s.GivenUp() {
			rows[i].Message.Reveal = nil
		}
	}
	return rows[max(0, len(rows)-max(0, limit)):], nil
}

func (tx *memTx) Heads(ids []bot.ConversationID) (map[bot.ConversationID]int64, error) {
	heads := map[bot.ConversationID]int64{}
	for _, id := range ids {
		if c, ok := tx.s.now.convs[id]; ok {
			heads[id] = c.OutSeq
		}
	}
	return heads, nil
}

func (tx *memTx) Recent(ch bot.ChannelID, limit int) ([]bot.Conversation, error) {
	var cs []bot.Conversation
	for _, c := range tx.s.now.convs {
		if c.Channel == ch {
			c.State = nil
			cs = append(cs, c)
		}
	}
	slices.SortFunc(cs, func(a, b bot.Conversation) int { return b.Updated.Compare(a.Updated) })
	return cs[:min(limit, len(cs))], nil
}

func (tx *memTx) Enqueue(j bot.Job, _ time.Time) error {
	if err := tx.write(); err != nil {
		return err
	}
	n := len(tx.s.now.jobs)
	tx.s.now.jobs = append(tx.s.now.jobs, j)
	tx.undo = append(tx.undo, func() { tx.s.now.jobs = tx.s.now.jobs[:n] })
	return nil
}

// Hurry implements bot.JobTx: no job here waits for a time.
func (tx *memTx) Hurry(string) error { return tx.write() }

func (tx *memTx) Tally(bucket, key string) error {
	if err := tx.write(); err != nil {
		return err
	}
	k := [2]string{bucket, key}
	old := tx.s.now.tallies[k]
	tx.s.now.tallies[k] = append(old[:len(old):len(old)], tx.at)
	tx.undo = append(tx.undo, func() { tx.s.now.tallies[k] = old })
	return nil
}

func (tx *memTx) Tallied(bucket, key string, since time.Time) (n int, oldest time.Time, err error) {
	for _, at := range tx.s.now.tallies[[2]string{bucket, key}] {
		if at.After(since) {
			if n == 0 {
				oldest = at
			}
			n++
		}
	}
	return n, oldest, nil
}

// putInbound stores a row, or drops it, until the transaction is undone.
func (tx *memTx) putInbound(key [2]string, r bot.InboundRow, drop bool) {
	old, ok := tx.s.now.inbound[key]
	tx.undo = append(tx.undo, func() {
		if ok {
			tx.s.now.inbound[key] = old
		} else {
			delete(tx.s.now.inbound, key)
		}
	})
	if drop {
		delete(tx.s.now.inbound, key)
	} else {
		tx.s.now.inbound[key] = r
	}
}

func inboundKey(ch bot.ChannelID, id string) [2]string { return [2]string{string(ch), id} }

func (tx *memTx) PutInbound(r *bot.InboundRow) (bool, error) {
	if err := tx.write(); err != nil {
		return false, err
	}
	key := inboundKey(r.Channel, r.ID)
	r.Owner = bot.Nobody
	if old, ok := tx.s.now.inbound[key]; ok {
		if old.Owner == tx.s.worker && old.GivenUp.IsZero() {
			r.No, r.Owner = old.No, old.Owner
		}
		return false, nil
	}
	tx.s.now.no++
	r.At, r.No, r.Owner = tx.at, tx.s.now.no, tx.s.worker
	if tx.deferred(r.Conversation) {
		r.Owner = bot.Nobody
	}
	tx.putInbound(key, *r, false)
	return true, nil
}

// deferred reports whether events of a conversation wait that this process does
// not have.
func (tx *memTx) deferred(c bot.ConversationID) bool {
	for _, r := range tx.s.now.inbound {
		if r.Conversation == c && r.GivenUp.IsZero() && r.Owner != tx.s.worker {
			return true
		}
	}
	return false
}

func (tx *memTx) DropInbound(ch bot.ChannelID, id string) error {
	key := inboundKey(ch, id)
	if r, ok := tx.s.now.inbound[key]; !ok || r.Owner != tx.s.worker {
		return fmt.Errorf("deferred event %q of this process: %w", id, bot.ErrNotFound)
	}
	tx.putInbound(key, bot.InboundRow{}, true)
	return tx.write()
}

func (tx *memTx) ClaimInbound(limit int) ([]bot.InboundRow, error) {
	var rows []bot.InboundRow
	taken, convs := map[bot.ConversationID]bool{}, map[bot.ConversationID]bool{}
	for _, r := range tx.s.now.inbound {
		if _, lives := tx.s.now.workers[r.Owner]; r.GivenUp.IsZero() && lives && r.Owner != tx.s.worker {
			taken[r.Conversation] = true
		}
	}
	for _, r := range slices.SortedFunc(maps.Values(tx.s.now.inbound), func(a, b bot.InboundRow) int { return int(a.No - b.No) }) {
		if r.GivenUp.IsZero() && r.Owner != tx.s.worker && !taken[r.Conversation] && (convs[r.Conversation] || len(convs) < limit) {
			convs[r.Conversation] = true
			r.Owner = tx.s.worker
			rows = append(rows, r)
			tx.putInbound(inboundKey(r.Channel, r.ID), r, false)
		}
	}
	return rows, tx.write()
}

func (tx *memTx) MarkInbound(m *bot.InboundRow) error {
	key := inboundKey(m.Channel, m.ID)
	if r, ok := tx.s.now.inbound[key]; ok && r.Owner == tx.s.worker {
		r.Error, r.GivenUp = m.Error, m.GivenUp
		tx.putInbound(key, r, false)
	}
	return tx.write()
}

func (tx *memTx) RetryInbound(c bot.ConversationID) (n int, err error) {
	for key, r := range tx.s.now.inbound {
		if r.Conversation == c && !r.GivenUp.IsZero() {
			r.GivenUp, r.At, r.Owner = time.Time{}, tx.at, bot.Nobody
			tx.putInbound(key, r, false)
			n++
		}
	}
	return n, tx.write()
}

func (tx *memTx) Inbound(limit int) ([]bot.InboundRow, error) {
	rows := slices.SortedFunc(maps.Values(tx.s.now.inbound), func(a, b bot.InboundRow) int { return int(a.No - b.No) })
	for i := range rows {
		rows[i].Body = nil
	}
	return rows[:min(limit, len(rows))], nil
}
