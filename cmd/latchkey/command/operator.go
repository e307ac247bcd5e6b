package command

import (
	"context"
	"os/user"
	"strings"

	"latchkey/bot"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

// operatorName is who runs this command, for the audit record: the account at
// this machine, before sudo; with --as the given name, and the account in
// brackets.
func operatorName(s std) string {
	name := accountName(s)
	if s.as != nil {
		if as := tidyName(*s.as); as != "" && as != name {
			return as + " (" + name + ")"
		}
	}
	return name
}

// accountName is the operator's account at this machine.
func accountName(s std) string {
	for _, name := range []string{s.user, s.getenv("SUDO_USER"), s.getenv("USER"), s.getenv("LOGNAME")} {
		if name = tidyName(name); name != "" {
			return name
		}
	}
	if u, err := user.Current(); err == nil {
		if name := tidyName(u.Username); name != "" {
			return name
		}
	}
	return "unknown"
}

func tidyName(s string) string {
	name := []rune(strings.Join(strings.Fields(textfmt.Printable(s)), " "))
	return string(name[:min(len(name), 64)])
}

// operatorActor is operatorName as the audit record has it.
func operatorActor(s std) string { return "operator:" + operatorName(s) }

// record writes a line about something that an operator did.
func record(ctx context.Context, p *program.Program, s std, action, subject string) error {
	return p.DB.Update(ctx, func(tx bot.Tx) error {
		_, err := tx.Audit(bot.AuditEntry{Actor: operatorActor(s), Action: action, Subject: subject})
		return err
	})
}
