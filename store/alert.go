package store

import "latchkey/bot"

// RaiseAlert implements bot.AlertTx.
func (t *tx) RaiseAlert(kind bot.AlertKind, p bot.PersonID, detail string) error {
	return wrap("raise alert", t.write(alertRaise, string(kind), string(p), detail, t.ms))
}

// Alerts implements bot.AlertTx. The empty kind lists all.
func (t *tx) Alerts(kind bot.AlertKind) ([]bot.Alert, error) {
	var as []bot.Alert
	err := t.c.read(alertsOf, func(r row) {
		as = append(as, bot.Alert{
			Kind: bot.AlertKind(r.text(0)), Person: bot.PersonID(r.text(1)), Detail: r.text(2), Count: int(r.int(3)),
			FirstAt: fromMillis(r.int(4)), At: fromMillis(r.int(5)), ToldAt: fromMillis(r.int(6)),
		})
	}, string(kind))
	return as, wrap("list alerts", err)
}

// AlertTold implements bot.AlertTx.
func (t *tx) AlertTold(a bot.Alert) error {
	return wrap("note a told alert", t.write(alertTold, string(a.Kind), string(a.Person), millis(a.At)))
}

// DropAlert implements bot.AlertTx.
func (t *tx) DropAlert(kind bot.AlertKind, p bot.PersonID) error {
	return wrap("drop alert", t.write(alertDrop, string(kind), string(p)))
}
