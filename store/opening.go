package store

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"latchkey/bot"
)

// scanOpening reads openingShown.
func scanOpening(r row) bot.Opening {
	p := bot.Opening{
		ID: bot.ConversationID(r.text(0)), Channel: bot.ChannelID(r.text(1)), Kind: bot.ConversationKind(r.int(2)), Title: r.text(4),
		Opened: bot.ConversationID(r.text(5)), Why: r.text(6), Explained: r.text(7), At: fromMillis(r.int(8)),
	}
	switch what := r.text(3); p.Kind {
	case bot.Direct:
		p.Person = bot.PersonID(what)
	case bot.SharedRoom:
		p.Room = what
	case bot.Thread:
		p.Message, _ = strconv.ParseInt(what, 10, 64)
	}
	return p
}

// Direct implements bot.OpeningTx.
func (t *tx) Direct(ch bot.ChannelID, p bot.PersonID) (bot.ConversationID, error) {
	if to, err := t.direct(ch, p); err != nil || to != "" {
		return to, err
	}
	if _, err := t.Person(p); err != nil {
		return "", err
	}
	return t.opening(bot.Opening{Channel: ch, Kind: bot.Direct}, string(p))
}

// direct finds the conversation with a person on a channel; empty: none is known.
func (t *tx) direct(ch bot.ChannelID, p bot.PersonID) (to bot.ConversationID, err error) {
	for _, s := range []stmt{openingDirect, openingRecent} {
		if err == nil && to == "" {
			err = t.c.read(s, func(r row) { to = bot.ConversationID(r.text(0)) }, string(p), string(ch))
		}
	}
	return to, wrap("look for somebody's conversation", err)
}

// Room implements bot.OpeningTx.
func (t *tx) Room(ch bot.ChannelID, id string) (bot.ConversationID, error) {
	return t.opening(bot.Opening{Channel: ch, Kind: bot.SharedRoom}, id)
}

// Thread implements bot.OpeningTx.
func (t *tx) Thread(o *bot.OutboxRow, title string) (bot.ConversationID, error) {
	if err := t.Number(o); err != nil {
		return "", err
	}
	return t.opening(bot.Opening{Channel: o.Channel, Kind: bot.Thread, Title: title}, strconv.FormatInt(o.ID, 10))
}

// opening gives the id of an opening, which is made when there is none.
func (t *tx) opening(p bot.Opening, what string) (id bot.ConversationID, err error) {
	find := func() error {
		return t.c.read(openingFind, func(r row) { id = bot.ConversationID(r.text(0)) }, int64(p.Kind), what, string(p.Channel))
	}
	if err = find(); err != nil || id != "" {
		return id, wrap("look for an opening", err)
	}
	var b [8]byte
	rand.Read(b[:])
	p.ID = bot.ConversationID(bot.OpeningPrefix + hex.EncodeToString(b[:]))
	n, err := t.change(openingInsert, string(p.ID), string(p.Channel), int64(p.Kind), what, p.Title, t.ms)
	if err == nil && n == 0 { // another process has made it meanwhile
		err = find()
		return id, wrap("look for an opening", err)
	}
	if err == nil {
		v := conversationRow{Conversation: bot.Conversation{ID: p.ID, Channel: p.Channel, Kind: p.Kind}, updated: t.ms}
		err = t.write(conversationInsert, conversationTable.args(nil, &v)...)
	}
	return p.ID, wrap("make an opening", err)
}

// Opening implements bot.OpeningTx.
func (t *tx) Opening(id bot.ConversationID) (*bot.Opening, error) {
	var p *bot.Opening
	err := t.c.read(openingGet, func(r row) {
		got := scanOpening(r)
		p = &got
	}, string(id))
	switch {
	case err != nil:
		return nil, wrap("read an opening", err)
	case p == nil:
		return nil, notFound("opening", string(id))
	case p.Kind == bot.Direct: // by now they may have written themselves
		p.Opened, err = t.direct(p.Channel, p.Person)
	}
	return p, err
}

// OpeningsOf implements bot.OpeningTx.
func (t *tx) OpeningsOf(person bot.PersonID) ([]bot.Opening, error) {
	var ps []bot.Opening
	err := t.c.read(openingsOf, func(r row) { ps = append(ps, scanOpening(r)) }, string(person))
	for i := range ps {
		if err == nil {
			ps[i].Opened, err = t.direct(ps[i].Channel, person)
		}
		if ps[i].Opened != "" && ps[i].Why != "" {
			ps[i].Why, ps[i].Explained = "", "" // they have written since
		}
	}
	return ps, wrap("list the openings for a person", err)
}

// Opened implements bot.OpeningTx.
func (t *tx) Opened(p *bot.Opening, to bot.Opened) error {
	if t.g == nil {
		return errReadOnly
	}
	c, err := t.Conversation(to.Conversation)
	switch {
	case errors.Is(err, bot.ErrNotFound):
		c, err = t.meet(p, to)
	case err == nil && p.Kind == bot.Direct && c.Person != "" && c.Person != p.Person:
		err = fmt.Errorf("store: the account that was opened is linked to somebody else: %w", bot.ErrConflict)
	case err == nil && (c.Address == nil && to.Address != nil || c.User == "" && to.User != ""):
		if c.Address == nil {
			c.Address = to.Address
		}
		if c.User == "" {
			c.User = to.User
			err = t.write(conversationUser, string(c.ID), string(c.Channel), c.User)
		}
		if err == nil {
			err = t.SaveConversation(c)
		}
	}
	if err != nil {
		return err
	}
	if err := t.write(openingNote, string(p.ID), string(c.ID), "", "", t.ms); err != nil {
		return wrap("note what an opening became", err)
	}
	return wrap("move what waits in an opening", t.c.read(openingMove, func(r row) {
		t.g.news = append(t.g.news, bot.News{Channel: c.Channel, Conversation: c.ID, Waits: true, Due: fromMillis(r.int(0))})
	}, string(p.ID), string(c.ID), t.ms))
}

// meet makes the conversation of an opening, in the person's language. Its account
// may be linked already, to somebody who has never written.
func (t *tx) meet(p *bot.Opening, to bot.Opened) (*bot.Conversation, error) {
	c := bot.Conversation{ID: to.Conversation, Channel: p.Channel, Kind: p.Kind, User: to.User, Address: to.Address}
	lang := to.Locale
	if p.Kind == bot.Thread {
		head, err := t.Row(p.Message)
		if err != nil {
			return nil, err
		}
		c.Parent = head.Conversation
	}
	if p.Kind == bot.Direct {
		id, err := t.Identity(c.Channel, c.User)
		switch {
		case err != nil && !errors.Is(err, bot.ErrNotFound):
			return nil, err
		case err == nil && id.Person != p.Person:
			return nil, fmt.Errorf("store: the account that was opened is linked to somebody else: %w", bot.ErrConflict)
		}
		switch who, err := t.Person(p.Person); {
		case err == nil:
			lang = cmp.Or(who.Lang, lang)
		case !errors.Is(err, bot.ErrNotFound):
			return nil, err
		}
	}
	if lang != "" {
		c.State, _ = json.Marshal(&bot.Session{Lang: lang}) // of texts and numbers: it cannot fail
	}
	v := conversationRow{Conversation: c, updated: t.ms}
	return &c, wrap("make a conversation", t.write(conversationInsert, conversationTable.args(nil, &v)...))
}

// NotOpened implements bot.OpeningTx.
func (t *tx) NotOpened(p *bot.Opening, class string) (int, error) {
	if err := t.write(openingNote, string(p.ID), "", p.Why, p.Explained, t.ms); err != nil {
		return 0, wrap("note that an opening is closed", err)
	}
	n, err := t.change(openingDead, string(p.ID), class, t.ms)
	return int(n), wrap("give up what waits in an opening", err)
}

// ThreadsDue implements bot.OpeningTx.
func (t *tx) ThreadsDue(message int64) error {
	if t.g == nil {
		return errReadOnly
	}
	return wrap("wake what waits for a message", t.c.read(openingWake, func(r row) {
		t.g.news = append(t.g.news, bot.News{Channel: bot.ChannelID(r.text(0)), Conversation: bot.ConversationID(r.text(1)), Waits: true})
	}, strconv.FormatInt(message, 10), t.ms))
}

// Row implements bot.OutboxTx.
func (t *tx) Row(id int64) (*bot.OutboxRow, error) {
	var o *bot.OutboxRow
	err := t.c.read(outboxGet, func(r row) {
		got := t.scanOutbox(r)
		o = &got
	}, id)
	if err == nil && o == nil {
		err = notFound("message", strconv.FormatInt(id, 10))
	}
	return o, wrap("read a message", err)
}
