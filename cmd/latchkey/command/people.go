package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latchkey/adapters/csv"
	"latchkey/bot"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
	"latchkey/store"
)

func peopleCommand(s std) *cobra.Command {
	return group("people", "Import, sync, list, show and export the staff; freeze, sign out, unlink or erase a person",
		`The staff comes from a list (CSV) that your directory or personnel system exports,
or from Microsoft Entra itself (sync), or from both. Importing or syncing again
updates people by their id and never touches what they enrolled.

When something has happened to a person: freeze first, then look (show), then take
away what is not theirs (unlink, sign-out), then unfreeze. Each of these says why
(--why) in the audit record, tells the person, and can be tried with --dry-run.`,
		append([]*cobra.Command{importCommand(s), syncCommand(s), listCommand(s), showCommand(s), exportCommand(s)}, operateCommands(s)...)...)
}

func listCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "List people and how far they are", Args: exactly(0, ""),
		Long: `Lists people, one a line: id, user name, name, how far their enrollment is.

  latchkey people list --config latchkey.yaml --stage "not started"
  latchkey people list --config latchkey.yaml --search garcia

Next: latchkey people show USER --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	stage := cmd.Flags().String("stage", "", `only these: "not started", "started" or "enrolled"`)
	search := cmd.Flags().String("search", "", "only people with this `TEXT` in name, user name, address or id")
	limit := cmd.Flags().Int("limit", 0, "at most `N` people; 0 lists all")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		f := store.PeopleFilter{Search: *search, Limit: *limit}
		if *stage != "" {
			st, ok := stageOf(*stage)
			if !ok {
				return usage(cmd, "--stage %q is none of \"not started\", \"started\", \"enrolled\"", *stage)
			}
			f.Stage = &st
		}
		return withHouse(cmd, s, *file, func(h *program.Program) error {
			db := h.DB
			n := 0
			err := db.People(cmd.Context(), f, func(p bot.Person) error {
				n++
				note := ""
				switch {
				case !p.FrozenAt.IsZero():
					note = "  (frozen)"
				case p.Disabled:
					note = "  (disabled " + strings.Join(offWhere(&p), ", ") + ")"
				}
				_, err := fmt.Fprintf(s.out, "%-14s %-16s %-30s %s%s\n", textfmt.Printable(string(p.ID)), textfmt.Printable(p.Username), textfmt.Printable(p.Name), p.Stage, note)
				return err
			})
			if err == nil && n == 0 {
				fmt.Fprintln(s.err, "nobody is like this; with no people at all, import a list with `latchkey people import FILE.csv`, or read them with `latchkey people sync`")
			}
			return err
		})
	}
	return cmd
}

func stageOf(s string) (bot.Stage, bool) {
	for _, st := range []bot.Stage{bot.NotStarted, bot.Started, bot.Enrolled} {
		if st.String() == s {
			return st, true
		}
	}
	return 0, false
}

func showCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show PERSON", Short: "Show one person and their methods, masked", Args: exactly(1, "an id, a user name or a work address"),
		Long: `Shows what is known about one person: from the list, what they enrolled here, and
what Microsoft Entra has of them when that was read.
Numbers and addresses are masked; secrets are never shown.

  latchkey people show mgarcia --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return withHouse(cmd, s, *file, func(h *program.Program) error {
			p, err := findPerson(cmd.Context(), h.DB, args[0])
			if err != nil {
				return err
			}
			return h.DB.View(cmd.Context(), func(tx bot.Tx) error {
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
				return showPerson(s.out, tx.Now(), p, ms, ids, g)
			})
		})
	}
	return cmd
}

// showPerson writes what is known of a person. g is what Microsoft Entra has of
// them; nil: not known.
func showPerson(w io.Writer, now time.Time, p *bot.Person, ms []bot.Method, ids []bot.Identity, g *bot.Registration) error {
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

func exportCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "export", Short: "Write the staff as a CSV file", Args: exactly(0, ""),
		Long: `Writes all people as CSV (UTF-8, with the mark that Excel wants). Cells that a
spreadsheet would run as formulas are written so that it does not.

  latchkey people export --config latchkey.yaml > staff.csv`,
	}
	file := configFlag(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return withHouse(cmd, s, *file, func(h *program.Program) error {
			db := h.DB
			if err := record(cmd.Context(), h, s, "people.exported", "the staff list"); err != nil {
				return err
			}
			if _, err := io.WriteString(s.out, csv.BOM); err != nil {
				return err
			}
			_, err := csv.Write(s.out, allPeople(cmd.Context(), db))
			return err
		})
	}
	return cmd
}

// allPeople is everybody, in bounded memory.
func allPeople(ctx context.Context, db *store.DB) iter.Seq2[bot.Person, error] {
	return func(yield func(bot.Person, error) bool) {
		errStop := errors.New("stop")
		err := db.People(ctx, store.PeopleFilter{}, func(p bot.Person) error {
			if !yield(p, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(bot.Person{}, err)
		}
	}
}
