package store

import (
	"encoding/json"
	"fmt"

	"latchkey/bot"
)

// A conversationRow is a row of the table conversation.
type conversationRow struct {
	bot.Conversation
	updated int64
}

// conversationTable is the one list of the table's columns.
var conversationTable = columns[conversationRow]{
	{name: "id", text: func(v *conversationRow) *string { return (*string)(&v.ID) }},
	{name: "channel", text: func(v *conversationRow) *string { return (*string)(&v.Channel) }},
	{name: "user_id", text: func(v *conversationRow) *string { return &v.User }},
	{name: "address", blob: func(v *conversationRow) *[]byte { return &v.Address }},
	{name: "state", blob: func(v *conversationRow) *[]byte { return &v.State }},
	{name: "out_seq", num: func(v *conversationRow) *int64 { return &v.OutSeq }},
	{name: "version", num: func(v *conversationRow) *int64 { return &v.Version }},
	{name: "kind", num: func(v *conversationRow) *int64 { return (*int64)(&v.Kind) }},
	{name: "parent", text: func(v *conversationRow) *string { return (*string)(&v.Parent) }},
	{name: "route", num: func(v *conversationRow) *int64 { return (*int64)(&v.Route) }},
	{name: "updated", num: func(v *conversationRow) *int64 { return &v.updated }},
}

// conversationSaved are the columns that SaveConversation stores.
var conversationSaved = conversationTable.only("address", "state", "out_seq", "route", "updated")

// conversationWidth is how many columns scanConversation reads.
var conversationWidth = len(conversationTable) + 2

// scanConversation reads conversationColumns: the row, and whose it is.
func scanConversation(r row) *bot.Conversation {
	v := new(conversationRow)
	conversationTable.scan(r, 0, v)
	v.Updated = fromMillis(v.updated)
	n := len(conversationTable)
	v.Person = bot.PersonID(r.text(n))
	v.Level, v.Frozen = bot.Level(r.int(n+1)%8), r.int(n+1) >= 8
	return &v.Conversation
}

// known reads whose a conversation is from identityGet.
func known(r row, c *bot.Conversation) {
	id := scanIdentity(r)
	c.Person, c.Level, c.Frozen = id.Person, id.Level, r.int(7) != 0
}

// Conversation implements bot.ConversationTx. Outside a View it locks the row.
func (t *tx) Conversation(id bot.ConversationID) (*bot.Conversation, error) {
	var c *bot.Conversation
	err := t.c.read(conversationGet, func(r row) { c = scanConversation(r) }, string(id))
	if err != nil {
		return nil, wrap("read conversation", err)
	}
	if c == nil {
		return nil, notFound("conversation", string(id))
	}
	return c, nil
}

// SaveConversation implements bot.ConversationTx. It stores the address, the
// state, the route and OutSeq, sets Updated and counts Version up; Person and Level belong
// to the identity and are changed by Link and Unlink. It fails with
// bot.ErrConflict when c is older than the stored row.
func (t *tx) SaveConversation(c *bot.Conversation) error {
	if t.turn != nil && t.turn.ID == c.ID && t.held == c.Version {
		return t.saveTurn(c)
	}
	if t.g == nil {
		return errReadOnly
	}
	v := conversationRow{Conversation: *c, updated: t.ms}
	n, err := t.change(conversationSave, conversationSaved.args([]any{string(c.ID), c.Version}, &v)...)
	if err != nil {
		return wrap("save conversation", err)
	}
	if n == 0 && c.Version == 0 {
		v.Version = 1
		n, err = t.change(conversationInsert, conversationTable.args(nil, &v)...)
		if err != nil {
			return wrap("insert conversation", err)
		}
	}
	if n == 0 {
		return fmt.Errorf("store: save conversation %q at version %d: %w", c.ID, c.Version, bot.ErrConflict)
	}
	c.Version++
	c.Updated = t.now
	return nil
}

// saveTurn saves the row whose lock this turn holds: nobody can be in the way,
// so nobody asks how many rows it touched.
func (t *tx) saveTurn(c *bot.Conversation) error {
	if c.User != t.turn.User || c.Channel != t.turn.Channel {
		if err := t.write(conversationUser, string(c.ID), string(c.Channel), c.User); err != nil {
			return wrap("save conversation", err)
		}
		t.turn.User, t.turn.Channel = c.User, c.Channel
	}
	t.saved = conversationRow{Conversation: *c, updated: t.ms}
	if err := t.c.save(&t.saved); err != nil {
		return wrap("save conversation", err)
	}
	c.Version++
	t.held = c.Version
	c.Updated = t.now
	return nil
}

// ConversationsOf implements bot.ConversationTx.
func (t *tx) ConversationsOf(p bot.PersonID) ([]bot.Conversation, error) {
	return t.conversations(conversationsOf, string(p))
}

// Recent implements bot.ConversationTx.
func (t *tx) Recent(ch bot.ChannelID, limit int) ([]bot.Conversation, error) {
	return t.conversations(conversationsRecent, string(ch), int64(limit))
}

func (t *tx) conversations(which stmt, args ...any) ([]bot.Conversation, error) {
	var cs []bot.Conversation
	err := t.c.read(which, func(r row) {
		cs = append(cs, *scanConversation(r))
	}, args...)
	return cs, wrap("list conversations", err)
}

// Heads implements bot.ConversationTx.
func (t *tx) Heads(ids []bot.ConversationID) (map[bot.ConversationID]int64, error) {
	heads := make(map[bot.ConversationID]int64, len(ids))
	if len(ids) == 0 {
		return heads, nil
	}
	list, err := json.Marshal(ids)
	if err == nil {
		err = t.c.read(conversationHeads, func(r row) { heads[bot.ConversationID(r.text(0))] = r.int(1) }, string(list))
	}
	return heads, wrap("read the heads of conversations", err)
}
