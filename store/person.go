package store

import (
	"strings"
	"time"

	"latchkey/bot"
)

func scanPerson(r row) bot.Person {
	return bot.Person{
		ID: bot.PersonID(r.text(0)), Username: r.text(1), Email: r.text(2), Name: r.text(3), GivenName: r.text(4), Department: r.text(5),
		Title: r.text(6), Manager: bot.PersonID(r.text(7)), WorkPhone: r.text(8), Lang: r.text(9), TimeZone: r.text(10),
		Disabled: r.int(11) != 0 || r.int(16) != 0, Stage: bot.Stage(r.int(12)), StartedAt: fromMillis(r.int(13)), DoneAt: fromMillis(r.int(14)),
		NextNudge: fromMillis(r.int(15)), StoppedAt: fromMillis(r.int(16)), FrozenAt: fromMillis(r.int(17)), FirstMethodAt: fromMillis(r.int(18)),
		Kind: bot.PersonKind(r.text(19)), Site: r.text(20), HiredOn: r.text(21), UnlistedAt: fromMillis(r.int(22)),
		Missing: r.int(11)&offUnlisted != 0, InDirectoryOff: r.int(11)&offSaid != 0 && r.int(23) != 0,
		InListOff: r.int(11)&offBeside != 0 || r.int(11)&offSaid != 0 && r.int(23) == 0,
	}
}

// Person implements bot.PeopleTx.
func (t *tx) Person(id bot.PersonID) (*bot.Person, error) { return t.person(personGet, string(id)) }

// PersonByLogin implements bot.PeopleTx.
func (t *tx) PersonByLogin(login string) (*bot.Person, error) {
	return t.person(personByLogin, strings.ToLower(login))
}

func (t *tx) person(s stmt, key string) (*bot.Person, error) {
	var p *bot.Person
	err := t.c.read(s, func(r row) {
		if p == nil {
			v := scanPerson(r)
			p = &v
		}
	}, key)
	if err != nil {
		return nil, wrap("read person", err)
	}
	if p == nil {
		return nil, notFound("person", key)
	}
	return p, nil
}

// SetStage implements bot.PeopleTx. StartedAt and DoneAt are set once.
func (t *tx) SetStage(p bot.PersonID, s bot.Stage, at time.Time) error {
	return wrap("set stage", t.write(personStage, string(p), int64(s), millis(at)))
}

// SetNextNudge implements bot.PeopleTx.
func (t *tx) SetNextNudge(p bot.PersonID, at time.Time) error {
	return wrap("set next nudge", t.write(personNudge, string(p), millis(at)))
}

// SetPersonLang implements bot.PeopleTx.
func (t *tx) SetPersonLang(p bot.PersonID, lang string) error {
	return wrap("set language", t.write(personLang, string(p), lang))
}

// SetStopped implements bot.PeopleTx.
func (t *tx) SetStopped(p bot.PersonID, at time.Time) error {
	return wrap("stop person", t.write(personStopped, string(p), millis(at)))
}

// SetFrozen implements bot.PeopleTx.
func (t *tx) SetFrozen(p bot.PersonID, at time.Time) error {
	return wrap("freeze person", t.write(personFrozen, string(p), millis(at)))
}

// SetFirstMethod implements bot.PeopleTx.
func (t *tx) SetFirstMethod(p bot.PersonID, at time.Time) error {
	return wrap("note first method", t.write(personFirstMethod, string(p), millis(at)))
}

func scanIdentity(r row) bot.Identity {
	return bot.Identity{Channel: bot.ChannelID(r.text(0)), User: r.text(1), Person: bot.PersonID(r.text(2)), Level: bot.Level(r.int(3)),
		LinkedAt: fromMillis(r.int(4)), HeldUntil: fromMillis(r.int(5)), Evidence: r.text(6)}
}

// Link implements bot.PeopleTx. A zero LinkedAt is now.
func (t *tx) Link(id bot.Identity) error {
	at := millis(id.LinkedAt)
	if at == 0 {
		at = t.ms
	}
	return wrap("link identity", t.write(identityPut, string(id.Channel), id.User, string(id.Person), int64(id.Level), at,
		millis(id.HeldUntil), id.Evidence))
}

// Unlink implements bot.PeopleTx.
func (t *tx) Unlink(ch bot.ChannelID, user string) error {
	return wrap("unlink identity", t.write(identityDelete, string(ch), user))
}

// Identity implements bot.PeopleTx.
func (t *tx) Identity(ch bot.ChannelID, user string) (*bot.Identity, error) {
	var id *bot.Identity
	err := t.c.read(identityGet, func(r row) { v := scanIdentity(r); id = &v }, string(ch), user)
	if err == nil && id == nil {
		err = bot.ErrNotFound
	}
	return id, wrap("read identity", err)
}

// IdentitiesOf implements bot.PeopleTx.
func (t *tx) IdentitiesOf(p bot.PersonID) ([]bot.Identity, error) {
	var ids []bot.Identity
	err := t.c.read(identitiesOf, func(r row) { ids = append(ids, scanIdentity(r)) }, string(p))
	return ids, wrap("list identities", err)
}
