package program

import (
	"context"

	"latchkey/bot"
)

// recordSystem writes a line about something that the service did by itself.
func (p *Program) recordSystem(ctx context.Context, action, subject string) {
	err := p.DB.Update(ctx, func(tx bot.Tx) error {
		_, err := tx.Audit(bot.AuditEntry{Actor: "system", Action: action, Subject: subject})
		return err
	})
	if err != nil && ctx.Err() == nil {
		p.Log.Error("no line in the audit record", "action", action, "err", err)
	}
}
