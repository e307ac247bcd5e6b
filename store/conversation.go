package store

import (
	"encoding/json"
	"fmt"

	"latchkey/bot"
)

// scanConversation reads conversationColumns.
func scanConversation(r row, c *bot.Conversation) {
	c.Channel = bot.ChannelID(r.text(0))
	c.User = r.text(1)
	c.Address = r.blob(2)
	c.State = r.blob(3)
	c.OutSeq = r.int(4)
	c.Version = r.int(5)
	c.Updated = fromMillis(r.int(6))
	c.Person = bot.PersonID(r.text(7))
	c.Level = bot.Level(r.int(8))
	c.Frozen = r.int(9) != 0
}

// known reads whose a conversation is from identityGet.
func known(r row, c *bot.Conversation) {
	id := scanIdentity(r)
	c.Person, c.Level, c.Frozen = id.Person, id.Level, r.int(7) != 0
}

// Conversation implements bot.ConversationTx. Outside a View it locks the row.
func (t *tx) Conversation(id bot.ConversationID) (*bot.Conversation, error) {
	var c *bot.Conversation
	err := t.c.read(conversationGet, func(r row) {
		c = &bot.Conversation{ID: id}
		scanConversation(r, c)
	}, string(id))
	if err != nil {
		return nil, wrap("read conversation", err)
	}
	if c == nil {
		return nil, notFound("conversation", string(id))
	}
	return c, nil
}

// SaveConversation implements bot.ConversationTx. It stores the address, the
// state and OutSeq, sets Updated and counts Version up; Person and Level belong
// to the identity and are changed by Link and Unlink. It fails with
// bot.ErrConflict when c is older than the stored row.
func (t *tx) SaveConversation(c *bot.Conversation) error {
	if t.turn != nil && t.turn.ID == c.ID && t.held == c.Version {
		return t.saveTurn(c)
	}
	n, err := t.change(conversationSave, string(c.ID), c.Version, c.Address, c.State, c.OutSeq, t.ms)
	if err != nil {
		return wrap("save conversation", err)
	}
	if n == 0 && c.Version == 0 {
		n, err = t.change(conversationInsert, string(c.ID), string(c.Channel), c.User, c.Address, c.State, c.OutSeq, int64(1), t.ms)
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
	if err := t.write(conversationSave, string(c.ID), c.Version, c.Address, c.State, c.OutSeq, t.ms); err != nil {
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
		cs = append(cs, bot.Conversation{
			ID: bot.ConversationID(r.text(0)), Channel: bot.ChannelID(r.text(1)), User: r.text(2), Address: r.blob(3),
			State: r.blob(4), OutSeq: r.int(5), Version: r.int(6), Updated: fromMillis(r.int(7)),
			Person: bot.PersonID(r.text(8)), Level: bot.Level(r.int(9)),
		})
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
