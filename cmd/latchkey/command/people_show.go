package command

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func showCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show PERSON", Short: "Show one person and their methods, masked", Args: exactly(1, "an id, a user name or a work address"),
		Long: `Shows what is known about one person: from the list, what they enrolled here,
where they were written to first, or could not be and why, and what Microsoft
Entra has of them when that was read.
Numbers and addresses are masked; secrets are never shown.

  latchkey people show mgarcia --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withProgram(cmd, s, *file, func(prog *program.Program) error {
			p, err := findPerson(cmd.Context(), prog.DB, args[0])
			if err != nil {
				return err
			}
			return prog.DB.View(cmd.Context(), func(tx bot.Tx) error {
				ms, err := tx.Methods(p.ID)
				if err != nil {
					return err
				}
				ids, err := tx.IdentitiesOf(p.ID)
				if err != nil {
					return err
				}
				g, err := tx.Registration(p.ID)
				if err != nil && !errors.Is(err, bot.ErrNotFound) {
					return err
				}
				reach, err := tx.OpeningsOf(p.ID)
				if err != nil {
					return err
				}
				return showPerson(s.out, tx.Now(), p, ms, ids, reach, g)
			})
		})
	}
	return cmd
}

// showPerson writes what is known of a person. g is what Microsoft Entra has of
// them; nil: not known. reach are the channels on which they were written to
// first, or could not be.
func showPerson(w io.Writer, now time.Time, p *bot.Person, ms []bot.Method, ids []bot.Identity, reach []bot.Opening, g *bot.Registration) error {
	var b strings.Builder
	line := func(label, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-12s %s\n", label, textfmt.Printable(value))
		}
	}
	line("Id", string(p.ID))
	line("Name", p.Name)
	line("User name", p.Username)
	line("Address", p.Email)
	line("Department", p.Department)
	line("Title", p.Title)
	line("Manager", string(p.Manager))
	line("Language", p.Lang)
	line("Time zone", p.TimeZone)
	line("Site", p.Site)
	line("Hired on", p.HiredOn)
	line("Kind", string(p.Kind))
	if !p.FrozenAt.IsZero() {
		line("Account", "frozen since "+textfmt.When(p.FrozenAt)+": nothing is shown, proven or changed for it")
	}
	if p.Disabled {
		line("Account", "disabled "+strings.Join(offWhere(p), ", and ")+": nothing is enrolled for it")
	}
	if !p.UnlistedAt.IsZero() {
		line("Account", "not in the staff list since "+textfmt.When(p.UnlistedAt))
	}
	line("Enrollment", p.Stage.String())
	line("Started", textfmt.When(p.StartedAt))
	line("Enrolled", textfmt.When(p.DoneAt))
	line("Next nudge", textfmt.When(p.NextNudge))
	if len(ms) == 0 {
		line("Methods", "none set up in Latchkey")
	}
	for _, m := range ms {
		state := "proven " + textfmt.When(m.ProvenAt)
		switch {
		case m.State == bot.Pending:
			state = "begun " + textfmt.When(m.CreatedAt) + ", not proven: does not count"
		case m.State == bot.Suspended:
			state += ", suspended after too many wrong tries: proves nothing"
		case m.HeldUntil.After(now):
			state += ", held until " + textfmt.When(m.HeldUntil) + ": proves nothing elsewhere"
		}
		line("Method", strings.TrimSpace(fmt.Sprintf("%s %s  %s", m.Kind, m.Label, state)))
	}
	if g != nil {
		words, at := g.Has()
		text := "nothing set up"
		if len(words) > 0 {
			text = strings.Join(words, ", ")
		}
		line("At Microsoft", text+", as of "+textfmt.When(at)+" (latchkey status entra --person)")
	}
	for _, id := range ids {
		held := ""
		if id.HeldUntil.After(now) {
			held = ", held until " + textfmt.When(id.HeldUntil)
		}
		line("Account on", fmt.Sprintf("%s: %s, since %s%s", id.Channel, id.User, textfmt.When(id.LinkedAt), held))
	}
	for _, o := range reach {
		switch {
		case o.Why != "":
			line("Not reached", fmt.Sprintf("on %s at %s, %s: %s", o.Channel, textfmt.When(o.At), o.Why, o.Explained))
		case o.Opened != "":
			line("Reachable", fmt.Sprintf("on %s, written to first at %s", o.Channel, textfmt.When(o.At)))
		default:
			line("Not tried", fmt.Sprintf("on %s: something waits since %s; it is opened by the running service", o.Channel, textfmt.When(o.At)))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// offWhere says where an account is switched off, each place that has it so:
// all of them must have it on again. Empty: it is on.
func offWhere(p *bot.Person) (places []string) {
	if !p.StoppedAt.IsZero() {
		places = append(places, "here since "+textfmt.When(p.StoppedAt)+" (people disable)")
	}
	if p.InDirectoryOff {
		places = append(places, "in the directory (Microsoft Entra: sign-in blocked)")
	}
	if p.InListOff {
		places = append(places, "by the staff list")
	}
	if p.Missing {
		places = append(places, "because the last staff list, or the directory, did not have it")
	}
	return places
}
