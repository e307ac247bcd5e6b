package bottest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"latchkey/bot"
)

// Store is a bot.Store in memory for the tests of turn and outbox. It keeps
// events, conversations, outbox rows, deferred events, jobs and tallies, and nothing else: any
// other call of its Tx panics, and the test belongs to the real store. One
// transaction runs at a time and an error undoes it. Like the real ones it may
// call fn twice, see Twice.
type Store struct {
	Clock func() time.Time // nil: time.Now
	Twice bool             // run every transaction once in vain before it counts

	mu     sync.Mutex
	now    state
	fail   func(what string) error
	commit int
}

type state struct {
	seen    map[[2]string]bool
	convs   map[bot.ConversationID]bot.Conversation
	rows    map[rowKey]bot.OutboxRow
	jobs    []bot.Job
	tallies map[[2]string][]time.Time
	inbound map[[2]string]bot.InboundRow
	no      int64 // of the last one of inbound
}

type rowKey struct {
	conv bot.ConversationID
	seq  int64
}

// NewStore makes an empty store.
func NewStore() *Store {
	return &Store{now: state{
		seen: map[[2]string]bool{}, convs: map[bot.ConversationID]bot.Conversation{},
		rows: map[rowKey]bot.OutboxRow{}, tallies: map[[2]string][]time.Time{}, inbound: map[[2]string]bot.InboundRow{},
	}}
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

// Rows lists all outbox rows in order of conversation and Seq.
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
		s.now.seen[key] = true
		tx.undo = append(tx.undo, func() { delete(s.now.seen, key) })
		c, ok := s.now.convs[ev.Conversation]
		if !ok {
			c = bot.Conversation{ID: ev.Conversation, Channel: ev.Channel, User: ev.From}
		}
		c.State = append([]byte(nil), c.State...)
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
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.Twice {
		tx := &memTx{s: s, at: s.clock()}
		err := fn(tx)
		tx.rollback()
		if err != nil {
			return err
		}
	}
	tx := &memTx{s: s, at: s.clock()}
	err := fn(tx)
	if err == nil && s.fail != nil {
		err = s.fail(what)
	}
	if err != nil {
		tx.rollback()
		return err
	}
	s.commit++
	return nil
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
		return rows[i].Seq < rows[j].Seq
	})
	return rows
}

// memTx is a transaction. The embedded Tx is nil: what is not written below
// panics.
type memTx struct {
	bot.Tx
	s        *Store
	at       time.Time
	undo     []func()
	readonly bool
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
	k := rowKey{row.Conversation, row.Seq}
	if _, ok := tx.s.now.rows[k]; ok {
		return fmt.Errorf("outbox row %s/%d: %w", k.conv, k.seq, bot.ErrConflict)
	}
	row.Attempts, row.State, row.CreatedAt = 1, bot.OutboxPending, tx.at
	tx.s.now.rows[k] = *row
	tx.undo = append(tx.undo, func() { delete(tx.s.now.rows, k) })
	return nil
}

func (tx *memTx) Pending(limit int) ([]bot.OutboxRow, error) {
	rows := tx.s.now.list(func(r *bot.OutboxRow) bool { return r.State == bot.OutboxPending })
	return rows[:min(len(rows), limit)], nil
}

func (tx *memTx) MarkOutbox(row *bot.OutboxRow) error {
	if err := tx.write(); err != nil {
		return err
	}
	k := rowKey{row.Conversation, row.Seq}
	old, ok := tx.s.now.rows[k]
	if !ok {
		return fmt.Errorf("outbox row %s/%d: %w", k.conv, k.seq, bot.ErrNotFound)
	}
	if old.State == bot.OutboxDead || old.State == bot.OutboxRetracted || (old.State == bot.OutboxSent && !old.Message.Fleeting) {
		return nil
	}
	r := old
	r.State, r.Attempts, r.NotBefore, r.Receipt, r.Error = row.State, row.Attempts, row.NotBefore, row.Receipt, row.Error
	if r.State != bot.OutboxPending && !r.Keep {
		r.Message = bot.Message{Fleeting: r.Message.Fleeting}
	}
	tx.s.now.rows[k] = r
	tx.undo = append(tx.undo, func() { tx.s.now.rows[k] = old })
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
	rows := tx.s.now.list(func(r *bot.OutboxRow) bool { return r.Keep && r.Conversation == c && r.Seq > after })
	for i := range rows {
		if s := rows[i].State; s == bot.OutboxRetracted || s == bot.OutboxDead {
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
	if _, ok := tx.s.now.inbound[key]; ok {
		return false, nil
	}
	tx.s.now.no++
	r.At, r.No = tx.at, tx.s.now.no
	tx.putInbound(key, *r, false)
	return true, nil
}

func (tx *memTx) DropInbound(ch bot.ChannelID, id string) error {
	tx.putInbound(inboundKey(ch, id), bot.InboundRow{}, true)
	return tx.write()
}

func (tx *memTx) ClaimInbound(owner string, until time.Time, all bool, limit int) ([]bot.InboundRow, error) {
	var rows []bot.InboundRow
	for _, r := range tx.s.now.inbound {
		if r.GivenUp.IsZero() && r.Owner != owner && (all || !r.Until.After(tx.at)) {
			r.Owner, r.Until = owner, until
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b bot.InboundRow) int { return int(a.No - b.No) })
	rows = rows[:min(limit, len(rows))]
	for _, r := range rows {
		tx.putInbound(inboundKey(r.Channel, r.ID), r, false)
	}
	return rows, tx.write()
}

func (tx *memTx) RenewInbound(owner string, until time.Time) error {
	for key, r := range tx.s.now.inbound {
		if r.Owner == owner {
			r.Until = until
			tx.putInbound(key, r, false)
		}
	}
	return tx.write()
}

func (tx *memTx) MarkInbound(m *bot.InboundRow) error {
	key := inboundKey(m.Channel, m.ID)
	if r, ok := tx.s.now.inbound[key]; ok {
		r.Error, r.GivenUp = m.Error, m.GivenUp
		tx.putInbound(key, r, false)
	}
	return tx.write()
}

func (tx *memTx) RetryInbound(c bot.ConversationID) (n int, err error) {
	for key, r := range tx.s.now.inbound {
		if r.Conversation == c && !r.GivenUp.IsZero() {
			r.GivenUp, r.At, r.Owner, r.Until = time.Time{}, tx.at, "", time.Time{}
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
