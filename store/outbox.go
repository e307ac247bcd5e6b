package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"latchkey/bot"
)

// An outboxRow is a row of the table outbox.
type outboxRow struct {
	conversation, account, author, campaign string

	message []byte
	seq     int64
	lane    int64
	op      int64
	target  int64

	state, attempts, doubt int64
	owner, due, expires    int64
	fleeting, kept, live   int64
	receipt, error         string
	createdAt              int64
}

// outboxTable is the one list of the table's columns, without the id, which the
// database gives.
var outboxTable = columns[outboxRow]{
	{name: "conversation", text: func(v *outboxRow) *string { return &v.conversation }},
	{name: "seq", num: func(v *outboxRow) *int64 { return &v.seq }},
	{name: "message", blob: func(v *outboxRow) *[]byte { return &v.message }},
	{name: "fleeting", num: func(v *outboxRow) *int64 { return &v.fleeting }},
	{name: "state", num: func(v *outboxRow) *int64 { return &v.state }},
	{name: "attempts", num: func(v *outboxRow) *int64 { return &v.attempts }},
	{name: "due", num: func(v *outboxRow) *int64 { return &v.due }},
	{name: "receipt", text: func(v *outboxRow) *string { return &v.receipt }},
	{name: "error", text: func(v *outboxRow) *string { return &v.error }},
	{name: "created_at", num: func(v *outboxRow) *int64 { return &v.createdAt }},
	{name: "kept", num: func(v *outboxRow) *int64 { return &v.kept }},
	{name: "live", num: func(v *outboxRow) *int64 { return &v.live }},
	{name: "account", text: func(v *outboxRow) *string { return &v.account }},
	{name: "author", text: func(v *outboxRow) *string { return &v.author }},
	{name: "lane", num: func(v *outboxRow) *int64 { return &v.lane }},
	{name: "expires", num: func(v *outboxRow) *int64 { return &v.expires }},
	{name: "owner", num: func(v *outboxRow) *int64 { return &v.owner }},
	{name: "op", num: func(v *outboxRow) *int64 { return &v.op }},
	{name: "target", num: func(v *outboxRow) *int64 { return &v.target }},
	{name: "doubt", num: func(v *outboxRow) *int64 { return &v.doubt }},
	{name: "campaign", text: func(v *outboxRow) *string { return &v.campaign }},
}

// Values of outboxRow.live. Zero: nobody has to do anything with it any more.
const (
	liveNow    = 1 // pending, or sent and to be taken back
	liveListed = 2 // given up, and listed
	liveUntold = 3 // the same, and the person was not told
)

// place is what a sealed message is bound to: what never changes of its row.
func (v *outboxRow) place() string {
	return "outbox|" + v.account + "|" + strconv.FormatInt(v.createdAt, 10)
}

// toRow is a message as it is stored: a relay is sealed. It fails on one that
// cannot be marshalled.
func (t *tx) toRow(o *bot.OutboxRow) (outboxRow, error) {
	body, err := json.Marshal(&o.Message)
	if err != nil {
		return outboxRow{}, fmt.Errorf("store: marshal message %d of conversation %q: %w", o.Seq, o.Conversation, err)
	}
	v := outboxRow{
		conversation: string(o.Conversation), account: string(o.Channel), author: o.Author, campaign: o.Campaign,
		message: body, seq: o.Seq, lane: int64(o.Lane), op: int64(o.Op), target: o.Target,
		state: int64(o.State), attempts: int64(o.Attempts), doubt: int64(o.Doubt),
		owner: int64(o.Owner), due: millis(o.Due), expires: millis(o.Expires),
		fleeting: flag(o.Message.Fleeting), kept: flag(o.Keep), live: liveNow,
		receipt: o.Receipt, error: o.Error, createdAt: millis(o.CreatedAt),
	}
	if o.Lane == bot.LaneRelay && t.db.opts.Vault != nil {
		if v.message, err = t.db.opts.Vault.Seal(body, v.place()); err != nil {
			return outboxRow{}, fmt.Errorf("store: seal message %d of conversation %q: %w", o.Seq, o.Conversation, err)
		}
	}
	return v, nil
}

// clear opens a message, when it is sealed. Nil: it cannot be opened.
func (t *tx) clear(v *outboxRow) []byte {
	if v.message[0] == '{' || t.db.opts.Vault == nil {
		return v.message
	}
	body, err := t.db.opts.Vault.Open(v.message, v.place())
	if err != nil {
		return nil
	}
	return body
}

// unreadable is the Error of a row whose message cannot be decoded.
const unreadable = "unreadable"

// fromRow is a message as it was stored. One that cannot be decoded is empty,
// and dead.
func (t *tx) fromRow(id int64, v *outboxRow) bot.OutboxRow {
	o := bot.OutboxRow{
		ID: id, Conversation: bot.ConversationID(v.conversation), Channel: bot.ChannelID(v.account), Author: v.author, Campaign: v.campaign,
		Seq: v.seq, Lane: bot.Lane(v.lane), Op: bot.OutboxOp(v.op), Target: v.target,
		State: bot.OutboxState(v.state), Attempts: int(v.attempts), Doubt: int(v.doubt),
		Owner: bot.WorkerID(v.owner), Due: fromMillis(v.due), Expires: fromMillis(v.expires),
		Keep: v.kept != 0, Listed: v.live >= liveListed, Untold: v.live == liveUntold, Receipt: v.receipt, Error: v.error, CreatedAt: fromMillis(v.createdAt),
	}
	if len(v.message) > 0 && json.Unmarshal(t.clear(v), &o.Message) != nil {
		o.Message, o.State, o.Error = bot.Message{}, bot.OutboxDead, unreadable
	}
	o.Message.Fleeting = v.fleeting != 0
	return o
}

// laterLife is how long after it is due a message that is said for later is
// worth sending, unless it says so itself.
const laterLife = 24 * time.Hour

// Say implements bot.OutboxTx. It fails on a message that cannot be marshalled.
func (t *tx) Say(o *bot.OutboxRow) error {
	if t.g == nil {
		return errReadOnly
	}
	placed := o.Seq != 0
	o.ID, o.Attempts, o.State, o.CreatedAt = 0, int(flag(placed)), bot.OutboxPending, t.now
	if !placed {
		o.Owner = bot.Nobody
	}
	if o.Op != bot.OpSay {
		if done, err := t.revise(o); done || err != nil {
			return err
		}
	}
	mine, until := t.mine != nil && t.mine.ID == o.Conversation, int64(0)
	if mine {
		o.Channel = t.mine.Channel
	} else {
		var err error
		if until, err = t.address(o); err != nil {
			return err
		}
	}
	if !o.Due.IsZero() && o.Expires.IsZero() {
		o.Expires = o.Due.Add(laterLife)
	}
	switch {
	case placed || !mine || !o.Lane.Dialogue() || o.Due.After(t.now):
	case t.sender != bot.Nobody && !t.behind.waits:
		t.mine.OutSeq++
		o.Seq, o.Attempts, o.Owner = t.mine.OutSeq, 1, t.sender
	default:
		if o.Keep && !t.behind.unplaced { // it is read from the table: nobody has to send it first
			t.mine.OutSeq++
			o.Seq = t.mine.OutSeq
		}
		if t.behind.until > t.ms { // what is before it waits until then
			o.Due = fromMillis(t.behind.until)
		}
		t.behind.waits, t.behind.unplaced = true, t.behind.unplaced || o.Seq == 0
	}
	if o.Owner == bot.Nobody && o.Due.IsZero() {
		o.Due = t.now
	}
	if o.Owner == bot.Nobody && o.Lane.Dialogue() && until > millis(o.Due) { // what is before it waits until then
		o.Due = fromMillis(until)
	}
	if o.Owner == bot.Nobody || o.Keep {
		t.g.news = append(t.g.news, bot.News{Channel: o.Channel, Conversation: o.Conversation, Waits: o.Owner == bot.Nobody, Due: o.Due})
	}
	var err error
	if t.said, err = t.toRow(o); err != nil {
		return err
	}
	t.latest = o
	return wrap("insert outbox row", t.c.say(&t.said))
}

// revise changes or takes back a message that nobody has seen yet. When somebody
// may have, it addresses o to where that message is.
func (t *tx) revise(o *bot.OutboxRow) (done bool, err error) {
	target, err := t.Row(o.Target)
	if err != nil {
		return false, err
	}
	o.Conversation, o.Lane = target.Conversation, target.Lane
	var n int64
	if o.Op == bot.OpEdit {
		stored := *o // in the row of the target
		stored.Channel, stored.CreatedAt = target.Channel, target.CreatedAt
		stored.Keep = t.keeps(&stored)
		row, bad := t.toRow(&stored)
		if bad != nil {
			return false, bad
		}
		n, err = t.change(outboxRevise, o.Target, row.message, row.fleeting, row.kept)
	} else if n, err = t.change(outboxRecall, o.Target); err == nil && n > 0 {
		err = t.ThreadsDue(o.Target)
	}
	if n > 0 {
		o.State, o.Owner = bot.OutboxSent, bot.NoWorker
	}
	return n > 0, wrap("change a message that waits", err)
}

// Amend implements bot.OutboxTx.
func (t *tx) Amend(o *bot.OutboxRow) error {
	n, err := t.change(outboxAmend, o.ID, int64(o.State), o.Receipt)
	if err == nil && n == 0 {
		err = notFound("sent message", strconv.FormatInt(o.ID, 10))
	}
	return wrap("note that a message was changed", err)
}

// Number implements bot.OutboxTx.
func (t *tx) Number(o *bot.OutboxRow) error {
	switch {
	case o.ID != 0:
		return nil
	case t.latest != o:
		return fmt.Errorf("store: the number of a message in conversation %q is only known right after it was said", o.Conversation)
	}
	return wrap("read the number of a message", t.c.read(outboxNewest, func(r row) { o.ID = r.int(0) }))
}

// address finds the channel of a conversation that is not the turn's own, and
// follows an opening to where it was opened. What waits there before it is not
// due before until.
func (t *tx) address(o *bot.OutboxRow) (until int64, err error) {
	o.Channel = ""
	err = t.c.read(conversationChannel, func(r row) {
		o.Channel, until = bot.ChannelID(r.text(0)), r.int(2)
		if to := r.text(1); to != "" {
			o.Conversation = bot.ConversationID(to)
		}
	}, string(o.Conversation))
	if err != nil {
		return 0, wrap("read the channel of a conversation", err)
	}
	if o.Channel == "" {
		return 0, notFound("conversation", string(o.Conversation))
	}
	o.Keep = t.keeps(o)
	return until, nil
}

// keeps reports whether a message stays readable after it was sent.
func (t *tx) keeps(o *bot.OutboxRow) bool {
	return (o.Keep || t.db.keeps[o.Channel]) && o.Op != bot.OpTakeBack
}

// Pending implements bot.OutboxTx.
func (t *tx) Pending(limit int) ([]bot.OutboxRow, error) {
	return t.outbox(outboxPending, int64(limit))
}

// PendingOf implements bot.OutboxTx.
func (t *tx) PendingOf(c bot.ConversationID) ([]bot.OutboxRow, error) {
	return t.outbox(outboxPendingOf, string(c))
}

// MarkOutbox implements bot.OutboxTx. A row that is given up, retracted, or sent
// and not fleeting stays as it is. The message's text is wiped as soon as it was
// sent, unless the row is kept, and when it was dropped.
func (t *tx) MarkOutbox(o *bot.OutboxRow) error {
	if t.g == nil {
		return errReadOnly
	}
	t.said = outboxRow{
		conversation: string(o.Conversation), seq: o.Seq, owner: int64(o.Owner), state: int64(o.State), attempts: int64(o.Attempts),
		due: millis(o.Due), expires: millis(o.Expires), doubt: int64(o.Doubt), receipt: o.Receipt, error: o.Error,
	}
	if o.State.GivenUp() && o.Error != bot.OutboxDropped {
		t.said.live = liveListed
		if o.Untold {
			t.said.live = liveUntold
		}
	}
	if o.Owner == bot.Nobody && o.State != bot.OutboxRetracted {
		if o.State == bot.OutboxPending {
			t.g.news = append(t.g.news, bot.News{Channel: o.Channel, Conversation: o.Conversation, Waits: true, Due: o.Due})
		}
		return wrap("mark outbox row", t.c.write(outboxMarkWaiting, append(outboxMarked.args(nil, &t.said), o.ID)...))
	}
	if err := t.c.mark(&t.said); err != nil || o.State != bot.OutboxPending {
		return wrap("mark outbox row", err)
	}
	t.g.news = append(t.g.news, bot.News{Channel: o.Channel, Conversation: o.Conversation, Waits: true, Due: o.Due})
	if !o.Lane.Dialogue() {
		return nil
	}
	if t.mine != nil && t.mine.ID == o.Conversation { // what this turn says comes after it
		t.behind.waits, t.behind.until = true, max(t.behind.until, millis(o.Due))
	}
	return wrap("hold what waits behind an outbox row", t.c.write(outboxHold, string(o.Conversation), millis(o.Due)))
}

// Fleeting implements bot.OutboxTx. The rows' messages are empty but for
// Fleeting; a zero time means now.
func (t *tx) Fleeting(c bot.ConversationID, before time.Time) ([]bot.OutboxRow, error) {
	cut := int64(1) << 62
	if !before.IsZero() {
		cut = before.UnixMilli()
	}
	if c == "" {
		return t.outbox(outboxFleetingAll, cut)
	}
	return t.outbox(outboxFleeting, string(c), cut)
}

// Said implements bot.OutboxTx. A message that was taken back, or that nobody
// will take back because its row is given up, shows no secret any more; one that
// cannot be decoded is empty and its row is dead.
func (t *tx) Said(c bot.ConversationID, after int64, limit int) ([]bot.OutboxRow, error) {
	if limit <= 0 {
		return nil, nil
	}
	rows, err := t.outbox(outboxSaid, string(c), max(0, after), int64(limit))
	slices.Reverse(rows)
	for i := range rows {
		if s := rows[i].State; s == bot.OutboxRetracted || s.GivenUp() {
			rows[i].Message.Reveal = nil
		}
	}
	return rows, err
}

// GivenUp implements bot.OutboxTx.
func (t *tx) GivenUp(limit int) ([]bot.OutboxRow, error) {
	return t.outbox(outboxGivenUp, int64(limit))
}

// GivenUpOf implements bot.OutboxTx.
func (t *tx) GivenUpOf(c bot.ConversationID) ([]bot.OutboxRow, error) {
	return t.outbox(outboxGivenUpOf, string(c))
}

// SentAfter implements bot.OutboxTx.
func (t *tx) SentAfter(c bot.ConversationID, id int64) ([]bot.OutboxRow, error) {
	return t.outbox(outboxSentAfter, string(c), id)
}

// SaidAt implements bot.OutboxTx.
func (t *tx) SaidAt(c bot.ConversationID, at time.Time) ([]bot.OutboxRow, error) {
	return t.outbox(outboxSaidAt, string(c), millis(at))
}

// Untold implements bot.OutboxTx.
func (t *tx) Untold() ([]bot.ConversationID, error) {
	var convs []bot.ConversationID
	err := t.c.read(outboxUntold, func(r row) { convs = append(convs, bot.ConversationID(r.text(0))) })
	return convs, wrap("look for people who were not told", err)
}

// Told implements bot.OutboxTx.
func (t *tx) Told(c bot.ConversationID) error {
	return wrap("note that somebody was told", t.write(outboxTold, string(c)))
}

// Unlist implements bot.OutboxTx.
func (t *tx) Unlist(o *bot.OutboxRow) error {
	return wrap("take a message off the list", t.write(outboxUnlist, o.ID))
}

func (t *tx) outbox(s stmt, args ...any) ([]bot.OutboxRow, error) {
	var rows []bot.OutboxRow
	err := t.c.read(s, func(r row) { rows = append(rows, t.scanOutbox(r)) }, args...)
	return rows, wrap("read outbox", err)
}

// scanOutbox reads outboxColumns.
func (t *tx) scanOutbox(r row) bot.OutboxRow {
	var v outboxRow
	outboxTable.scan(r, 1, &v)
	return t.fromRow(r.int(0), &v)
}

// Claim implements bot.OutboxTx.
func (t *tx) Claim(w bot.WorkerID, ch bot.ChannelID, lane bot.Lane, limit int) ([]bot.Claimed, error) {
	if t.g == nil {
		return nil, errReadOnly
	}
	to, more := map[bot.ConversationID]bot.Conversation{}, map[bot.ConversationID]bool{}
	var convs []bot.ConversationID
	err := t.c.read(outboxClaimable, func(r row) {
		c := bot.Conversation{ID: bot.ConversationID(r.text(0)), Channel: ch, User: r.text(1), Address: r.blob(2), OutSeq: r.int(3), Kind: bot.ConversationKind(r.int(4))}
		to[c.ID] = c
		more[c.ID] = r.int(5) > 1
		convs = append(convs, c.ID)
	}, string(ch), int64(lane), t.ms, int64(limit))
	if err != nil || len(convs) == 0 {
		return nil, wrap("look for messages to claim", err)
	}
	// A statement of its own: under the locks of the conversations it sees what
	// was committed before they were taken.
	var rows []bot.Claimed
	var grown []bot.ConversationID // those that got a message with a new place
	err = t.c.read(outboxClaim, func(r row) {
		o := t.scanOutbox(r)
		c := to[o.Conversation]
		if o.Seq > c.OutSeq {
			grown = append(grown, c.ID)
		}
		rows = append(rows, bot.Claimed{OutboxRow: o, To: c, More: more[c.ID]})
	}, array(convs), int64(w), t.ms)
	if err == nil && len(grown) > 0 {
		err = t.c.write(conversationGrow, array(grown))
	}
	return rows, wrap("claim messages", err)
}

// DueLanes implements bot.OutboxTx.
func (t *tx) DueLanes(chs []bot.ChannelID) ([]bot.DueLane, error) {
	var due []bot.DueLane
	err := t.c.read(outboxDueLanes, func(r row) {
		due = append(due, bot.DueLane{Channel: bot.ChannelID(r.text(0)), Lane: bot.Lane(r.int(1)), At: fromMillis(r.int(2))})
	}, array(chs))
	return due, wrap("look for due messages", err)
}

// Owned implements bot.OutboxTx.
func (t *tx) Owned(w bot.WorkerID, said time.Time, limit int) ([]bot.OutboxRow, error) {
	return t.outbox(outboxOwnedBy, int64(w), said.UnixMilli(), int64(limit))
}

// Orphans implements bot.OutboxTx.
func (t *tx) Orphans() ([]bot.WorkerID, error) {
	var dead []bot.WorkerID
	err := t.c.read(outboxOrphans, func(r row) { dead = append(dead, bot.WorkerID(r.int(0))) })
	return dead, wrap("look for messages of dead processes", err)
}

// Free implements bot.OutboxTx. Ids are given once, so whoever was dead stays
// so, whatever else was committed in the meantime.
func (t *tx) Free(dead []bot.WorkerID, limit int) (int, error) {
	if t.g == nil {
		return 0, errReadOnly
	}
	n := 0
	for _, w := range dead {
		if n >= limit {
			break
		}
		err := t.c.read(outboxFree, func(r row) {
			n++
			t.g.news = append(t.g.news, bot.News{Channel: bot.ChannelID(r.text(0)), Conversation: bot.ConversationID(r.text(1)), Waits: true})
		}, int64(w), int64(limit-n))
		if err != nil {
			return 0, wrap("free messages of a dead process", err)
		}
	}
	return n, nil
}
