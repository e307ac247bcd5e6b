package store

import "latchkey/bot"

func scanMethod(r row) bot.Method {
	return bot.Method{
		ID: bot.MethodID(r.text(0)), Person: bot.PersonID(r.text(1)), Kind: bot.MethodKind(r.text(2)), State: bot.MethodState(r.int(3)),
		Label: r.text(4), Via: r.text(5), Sealed: r.blob(6), DestHash: r.blob(7), LastStep: r.int(8), Failures: int(r.int(9)),
		CreatedAt: fromMillis(r.int(10)), ProvenAt: fromMillis(r.int(11)), UsedAt: fromMillis(r.int(12)), Replaces: bot.MethodID(r.text(13)),
		Conversation: bot.ConversationID(r.text(14)), HeldUntil: fromMillis(r.int(15)), Drift: int(r.int(16)),
	}
}

// Methods implements bot.MethodTx. Outside a View it locks the rows.
func (t *tx) Methods(p bot.PersonID) ([]bot.Method, error) {
	var ms []bot.Method
	err := t.c.read(methodsOf, func(r row) { ms = append(ms, scanMethod(r)) }, string(p))
	return ms, wrap("list methods", err)
}

// Method implements bot.MethodTx. Outside a View it locks the row.
func (t *tx) Method(id bot.MethodID) (*bot.Method, error) {
	var m *bot.Method
	err := t.c.read(methodGet, func(r row) { v := scanMethod(r); m = &v }, string(id))
	if err != nil {
		return nil, wrap("read method", err)
	}
	if m == nil {
		return nil, notFound("method", string(id))
	}
	return m, nil
}

// PutMethod implements bot.MethodTx. LastStep only ever grows. A zero
// CreatedAt is now.
func (t *tx) PutMethod(m *bot.Method) error {
	if m.CreatedAt.IsZero() {
		m.CreatedAt = t.now
	}
	removed := int64(0)
	if m.State == bot.Removed {
		removed = t.ms
	}
	err := t.write(methodPut, string(m.ID), string(m.Person), string(m.Kind), int64(m.State), m.Label, m.Via, m.Sealed, m.DestHash,
		m.LastStep, int64(m.Failures), millis(m.CreatedAt), millis(m.ProvenAt), millis(m.UsedAt), string(m.Replaces),
		string(m.Conversation), millis(m.HeldUntil), int64(m.Drift), removed)
	return wrap("put method", err)
}

// MarkMethod implements bot.MethodTx.
func (t *tx) MarkMethod(m *bot.Method) error {
	suspend := int64(0)
	if m.State == bot.Suspended {
		suspend = 1
	}
	return wrap("mark method", t.write(methodMark, string(m.ID), int64(m.Failures), millis(m.UsedAt), int64(m.Drift), suspend))
}

// DropMethod implements bot.MethodTx.
func (t *tx) DropMethod(id bot.MethodID) error {
	if err := t.write(secretsDrop, string(id)); err != nil {
		return wrap("drop method", err)
	}
	return wrap("drop method", t.write(methodDrop, string(id), t.ms))
}

// UseStep implements bot.MethodTx.
func (t *tx) UseStep(id bot.MethodID, step, ahead int64) (bool, error) {
	n, err := t.change(methodStep, string(id), step, ahead)
	return n == 1, wrap("use time step", err)
}

// SharedDestination implements bot.MethodTx.
func (t *tx) SharedDestination(hash []byte, except bot.PersonID) (int, error) {
	var n int64
	err := t.c.read(methodShared, func(r row) { n = r.int(0) }, hash, string(except))
	return int(n), wrap("count shared destination", err)
}

// PutSecrets implements bot.MethodTx.
func (t *tx) PutSecrets(id bot.MethodID, ss []bot.MethodSecret) error {
	if err := t.write(secretsDelete, string(id)); err != nil {
		return wrap("replace secrets", err)
	}
	for i := range ss {
		if err := t.write(secretInsert, string(id), int64(ss[i].No), ss[i].Name, ss[i].Sealed, millis(ss[i].UsedAt)); err != nil {
			return wrap("insert secret", err)
		}
	}
	return nil
}

// Secrets implements bot.MethodTx.
func (t *tx) Secrets(id bot.MethodID) ([]bot.MethodSecret, error) {
	var ss []bot.MethodSecret
	err := t.c.read(secretsGet, func(r row) {
		ss = append(ss, bot.MethodSecret{Method: id, No: int(r.int(0)), Name: r.text(1), Sealed: r.blob(2), UsedAt: fromMillis(r.int(3))})
	}, string(id))
	return ss, wrap("read secrets", err)
}

// SpendSecret implements bot.MethodTx.
func (t *tx) SpendSecret(id bot.MethodID, no int) (bool, error) {
	n, err := t.change(secretSpend, string(id), int64(no), t.ms)
	return n == 1, wrap("spend secret", err)
}
