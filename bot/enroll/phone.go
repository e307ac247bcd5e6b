package enroll

import (
	"fmt"

	"latchkey/bot"
)

// DestHash is the keyed hash of a number in E.164 or of an address in lower
// case, by which people who share one are found and sends are counted. After a
// rotation of keys it is made again from the opened secret of the method.
func DestHash(v bot.Vault, k bot.MethodKind, dest string) []byte {
	return v.Hash("dest", string(k), dest)
}

// phoneAccept reads a typed number and makes it a pending phone.
func (r *Service) phoneAccept(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p := c.Standing.Person
	n, problem := ReadNumber(c.Input, r.Policy)
	switch problem {
	case "":
	case "country":
		return fail("country", "phone_country", "country", country(c.Lang(), n.Region)), nil
	default:
		return fail(problem, "phone_"+problem), nil
	}
	via := bot.SMS
	if c.Slot("via") == string(bot.Voice) {
		via = bot.Voice
	}
	if n.Landline && via == bot.SMS && n.E164 == p.WorkPhone {
		return fail("work", "phone_work"), nil
	}
	masked := maskNumber(n.E164)
	m, problem, err := r.begin(tx, c, bot.Phone, n.E164, n.E164, masked, string(via))
	if err != nil {
		return bot.Outcome{}, err
	}
	var oc bot.Outcome
	switch {
	case problem == "same":
		return fail("same", "phone_same", "masked", masked), nil
	case problem != "":
		return fail(problem, "phone_"+problem), nil
	case n.Landline && via == bot.SMS:
		oc = fail("landline", "phone_landline", "masked", masked, "method", string(m.ID))
	case n.Changed:
		oc = say("renumbered", "masked", masked, "method", string(m.ID), "country", country(c.Lang(), n.Region))
	case n.Inside:
		oc = say("found", "masked", masked, "method", string(m.ID))
	default:
		return say("ok", "masked", masked, "method", string(m.ID)), nil
	}
	if n.Changed || n.Inside {
		oc.Echo = echo(m)
	}
	return oc, nil
}

// echo shows the number or the address of a pending method in full, once: it is
// not just what was typed.
func echo(m *bot.Method) *bot.Reveal { return &bot.Reveal{Kind: bot.RevealTyped, Method: m.ID} }

// emailAccept reads a typed private address and makes it a pending mailbox.
func (r *Service) emailAccept(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	a, problem := ReadAddress(c.Input, r.Domains)
	better := ""
	if problem == "" {
		better = Suggest(a.Domain, r.Domains)
	}
	return r.takeAddress(tx, c, a, problem, better)
}

// emailCorrect gives the pending address the domain that was suggested for the
// one that it has.
func (r *Service) emailCorrect(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	m, err := c.Method(tx)
	if err != nil {
		return bot.Outcome{}, err
	}
	if m == nil || m.Kind != bot.Email || m.State != bot.Pending {
		return say("gone"), nil
	}
	was, err := r.Vault.Open(m.Sealed, m.Place())
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: address of method %s: %w", m.ID, err)
	}
	a, problem := readAddress(string(was), r.Domains)
	better := Suggest(a.Domain, r.Domains)
	if problem != "" || better == "" {
		return say("gone"), nil
	}
	a, problem = readAddress(a.Local+"@"+better, r.Domains)
	a.Inside = true
	return r.takeAddress(tx, c, a, problem, "")
}

// takeAddress makes an address that was read a pending mailbox. better is the
// domain that was probably meant, or empty.
func (r *Service) takeAddress(tx bot.Tx, c *bot.Call, a Address, problem, better string) (bot.Outcome, error) {
	switch problem {
	case "":
	case "company":
		return fail("company", "email_company", "domain", shownDomain(a.Domain)), nil
	default:
		return fail(problem, "email_"+problem), nil
	}
	if a.key() == addressKey(c.Standing.Person.Email) {
		return fail("company", "email_company", "domain", shownDomain(a.Domain)), nil
	}
	masked := maskAddress(a)
	m, problem, err := r.begin(tx, c, bot.Email, a.String(), a.key(), masked, "")
	if err != nil {
		return bot.Outcome{}, err
	}
	switch {
	case problem == "same":
		return fail("same", "email_same", "masked", masked), nil
	case problem != "":
		return fail(problem, "email_"+problem), nil
	}
	oc := say("ok", "masked", masked, "method", string(m.ID))
	switch {
	case better != "":
		oc = say("typo", "masked", masked, "method", string(m.ID), "domain", shownDomain(better))
	case a.Inside:
		oc.Name = "found"
	default:
		return oc, nil
	}
	oc.Echo = echo(m)
	return oc, nil
}

// begin makes a destination a pending method of this conversation, in the place
// of any other that is pending of its kind; the same one once more stays the
// same method and lives anew. The problem is "same" when it is the person's
// already, "shared" when NumberSharers others have it. One that is suspended is
// replaced when the person proves it once more.
func (r *Service) begin(tx bot.Tx, c *bot.Call, k bot.MethodKind, dest, key, masked, via string) (*bot.Method, string, error) {
	p, all := c.Standing.Person, c.Standing.Methods
	mine := func(m *bot.Method) bool { return m.Kind == k && r.Vault.Equal(m.DestHash, "dest", string(k), key) }
	for i := range all {
		if all[i].State == bot.Active && mine(&all[i]) {
			return nil, "same", nil
		}
	}
	hash := DestHash(r.Vault, k, key)
	others, err := tx.SharedDestination(hash, p.ID)
	if err != nil {
		return nil, "", fmt.Errorf("enroll: shared destination: %w", err)
	}
	if others >= r.Policy.NumberSharers {
		r.Log.Warn("a destination was refused because too many people have it", "kind", k, "others", others)
		return nil, "shared", nil
	}
	if others > 0 {
		r.Log.Warn("one destination belongs to several people", "kind", k, "others", others)
	}
	replaces := replaced(c, all, k)
	var m *bot.Method
	for i := range all {
		switch old := &all[i]; {
		case old.State == bot.Pending && old.Conversation == c.Conversation.ID && mine(old):
			m = old
		case old.State == bot.Suspended && replaces == "" && mine(old):
			replaces = old.ID
		}
	}
	if err := r.dropPending(tx, c, all, k, m); err != nil {
		return nil, "", err
	}
	known := m != nil
	if !known {
		m = &bot.Method{ID: bot.MethodID(newID()), Person: p.ID, Kind: k, State: bot.Pending, Conversation: c.Conversation.ID}
	}
	m.Label, m.Via, m.DestHash, m.Replaces, m.CreatedAt = masked, via, hash, replaces, tx.Now()
	if m.Sealed, err = r.Vault.Seal([]byte(dest), m.Place()); err != nil {
		return nil, "", fmt.Errorf("enroll: seal destination: %w", err)
	}
	if err := tx.PutMethod(m); err != nil {
		return nil, "", fmt.Errorf("enroll: store pending %s: %w", k, err)
	}
	if known {
		return m, "", nil
	}
	if err := r.lapseLater(tx, m, m.CreatedAt.Add(r.pendingLife(k))); err != nil {
		return nil, "", err
	}
	return m, "", r.begun(tx, c, p, all, m)
}
