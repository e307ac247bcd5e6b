package command

import (
	"context"
	stdcsv "encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"latchkey/adapters/csv"
	"latchkey/bot"
	"latchkey/bot/enroll"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

// operateCommands are what an operator does to one person.
func operateCommands(s std) []*cobra.Command {
	return []*cobra.Command{unlinkCommand(s), freezeCommand(s), unfreezeCommand(s), signOutCommand(s), disableCommand(s), enableCommand(s), beginAgainCommand(s), eraseCommand(s), renameCommand(s)}
}

// An operation is what these commands share: who does it, why, and whether it is
// only tried.
type operation struct {
	cmd  *cobra.Command
	s    std
	file *string
	why  *string
	dry  *bool
}

const personArgument = "an id, a user name or a work address"

// newOperation gives a command its flags.
func newOperation(s std, cmd *cobra.Command) *operation {
	o := &operation{cmd: cmd, s: s, file: configFlag(cmd, s)}
	o.why = cmd.Flags().String("why", "", "the `REASON`, for the audit record; required. Write what happened, and no names: the record stays when a person is erased")
	o.dry = cmd.Flags().Bool("dry-run", false, "say what would be done, change nothing")
	return o
}

// order checks the flags.
func (o *operation) order() (enroll.Order, error) {
	why := strings.TrimSpace(*o.why)
	if why == "" {
		return enroll.Order{}, usage(o.cmd, `needs --why "REASON": it stands in the audit record`)
	}
	if len(why) > 500 || textfmt.Printable(why) != why {
		return enroll.Order{}, usage(o.cmd, "--why is one line of at most 500 letters")
	}
	return enroll.Order{By: operatorActor(o.s), Why: why, Dry: *o.dry}, nil
}

// on runs do for the person that the first argument names, and prints what came
// of it.
func (o *operation) on(who string, do func(context.Context, *enroll.Room, bot.PersonID, enroll.Order) (enroll.Done, error), tell func(io.Writer, *program.Program, enroll.Done) error) error {
	order, err := o.order()
	if err != nil {
		return err
	}
	return withHouse(o.cmd, o.s, *o.file, func(h *program.Program) error {
		ctx := o.cmd.Context()
		p, err := findPerson(ctx, h.DB, who)
		if err != nil {
			return err
		}
		d, err := do(ctx, h.Operators(), p.ID, order)
		if err != nil {
			return err
		}
		if err := tell(o.s.out, h, d); err != nil {
			return err
		}
		if order.Dry {
			fmt.Fprintln(o.s.out, "Nothing was changed (--dry-run).")
		}
		return nil
	})
}

// headline says what was done, or would be.
func (o *operation) headline(w io.Writer, did, would string, p *bot.Person) {
	if *o.dry {
		did = "Would " + would
	}
	fmt.Fprintf(w, "%s: %s\n", did, named(p))
}

// counted writes a line when there is something to tell.
func counted(w io.Writer, n int, one, many string) {
	switch {
	case n == 1:
		fmt.Fprintf(w, "  1 %s\n", one)
	case n > 1:
		fmt.Fprintf(w, "  %d %s\n", n, many)
	}
}

// ended tells what was under way and is void.
func ended(w io.Writer, d enroll.Done) {
	counted(w, d.Passes, "web session, page or sign-in ended", "web sessions, pages and sign-ins ended")
	counted(w, d.Methods, "method removed", "methods removed")
	counted(w, d.Pending, "method that was begun and not proven dropped", "methods that were begun and not proven dropped")
	counted(w, d.Codes, "open code void", "open codes void")
}

// told says who gets a notice.
func told(w io.Writer, d enroll.Done) {
	if d.Told == 0 {
		fmt.Fprintln(w, "  no notice: no address is known; please tell the person yourself")
		return
	}
	counted(w, d.Told, "notice goes out", "notices go out")
}

func unlinkCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "unlink PERSON", Short: "Take chat accounts away from a person", Args: exactly(1, personArgument),
		Long: `Takes chat accounts away from a person: all of them, those on one channel, or one.
Use it when an account was linked by somebody else, or is not the person's any
more. What was begun, proven or asked in those chats is void, their web sessions
end at once, and what the bot said there is deleted. The methods that the person
has stay; look at them with ` + "`latchkey people show`" + `.

  latchkey people unlink mgarcia --why "linked by a caller, ticket 4711" --config latchkey.yaml
  latchkey people unlink mgarcia --channel slack-acme --user U0123 --why "left the team" --config latchkey.yaml

Whoever has an account that was taken away must sign in to link it again, also
in Microsoft Teams and Slack, which tell us themselves whose it is: their word
does not count for it for 30 days.

Next: latchkey people show mgarcia --config latchkey.yaml`,
	}
	o := newOperation(s, cmd)
	channel := cmd.Flags().String("channel", "", "only accounts on this `CHANNEL`, as `latchkey people show` prints it")
	account := cmd.Flags().String("user", "", "only the account with this `ID` on the channel")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if *account != "" && *channel == "" {
			return usage(cmd, "--user needs --channel, too")
		}
		err := o.on(args[0], func(ctx context.Context, r *enroll.Room, p bot.PersonID, order enroll.Order) (enroll.Done, error) {
			return r.Unlink(ctx, p, bot.ChannelID(*channel), *account, order)
		}, func(w io.Writer, _ *program.Program, d enroll.Done) error {
			o.headline(w, "Unlinked", "unlink", &d.Person)
			for _, id := range d.Accounts {
				fmt.Fprintf(w, "  %s, linked since %s\n", textfmt.Printable(fmt.Sprintf("%s: %s", id.Channel, id.User)), textfmt.When(id.LinkedAt))
			}
			ended(w, d)
			told(w, d)
			return nil
		})
		if errors.Is(err, bot.ErrNotFound) {
			return fmt.Errorf("no such chat account is linked to %s; see `latchkey people show %s`", args[0], args[0])
		}
		return err
	}
	return cmd
}

// simple makes a command that needs a person and nothing else.
func simple(s std, cmd *cobra.Command, did, would, already string, do func(*enroll.Room) func(context.Context, bot.PersonID, enroll.Order) (enroll.Done, error)) *cobra.Command {
	cmd.Args = exactly(1, personArgument)
	o := newOperation(s, cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		err := o.on(args[0], func(ctx context.Context, r *enroll.Room, p bot.PersonID, order enroll.Order) (enroll.Done, error) {
			return do(r)(ctx, p, order)
		}, func(w io.Writer, _ *program.Program, d enroll.Done) error {
			if d.Already {
				fmt.Fprintf(w, "%s: %s; nothing to do\n", already, named(&d.Person))
				return nil
			}
			o.headline(w, did, would, &d.Person)
			ended(w, d)
			switch {
			case d.Request != "" && *o.dry:
				fmt.Fprintln(w, "  a request asks the help desk to call the person")
			case d.Request != "":
				fmt.Fprintf(w, "  request %s asks the help desk to call the person\n", d.Request)
			}
			told(w, d)
			return nil
		})
		if errors.Is(err, enroll.ErrDirectory) {
			return fmt.Errorf("%s is disabled by the staff list or in the directory, not here: `latchkey people show` says where; enable the account there, then run `latchkey people import` or `latchkey people sync`", args[0])
		}
		return err
	}
	return cmd
}

func freezeCommand(s std) *cobra.Command {
	return simple(s, &cobra.Command{
		Use: "freeze PERSON", Short: "Stop everything for a person until the account is started again",
		Long: `Use it when somebody says "that was not me". Until it ends, nothing is shown,
proven, changed or sent for the person, in any chat; web sessions end at once,
and codes and methods that are under way are void. A request asks the help desk to
call the person. What they have set up stays.

latchkey people unfreeze ends it. Where second_factor is configured, whoever signs
in as the person with a second factor can end it, too. What a second factor cannot
end is latchkey people disable.

  latchkey people freeze mgarcia --why "says she did not add the phone" --config latchkey.yaml

Next: speak with the person, look at ` + "`latchkey people show mgarcia`" + `, unlink or sign
out what is not theirs, then latchkey people unfreeze mgarcia --why "..."`,
	}, "Frozen", "freeze", "Frozen already", func(r *enroll.Room) func(context.Context, bot.PersonID, enroll.Order) (enroll.Done, error) {
		return r.Freeze
	})
}

func unfreezeCommand(s std) *cobra.Command {
	return simple(s, &cobra.Command{
		Use: "unfreeze PERSON", Short: "End a freeze",
		Long: `Ends a freeze, when you have spoken with the person and taken away what is not
theirs. The request that the freeze opened is closed.

  latchkey people unfreeze mgarcia --why "called back, phone was removed" --config latchkey.yaml`,
	}, "No longer frozen", "unfreeze", "Not frozen", func(r *enroll.Room) func(context.Context, bot.PersonID, enroll.Order) (enroll.Done, error) {
		return r.Unfreeze
	})
}

func beginAgainCommand(s std) *cobra.Command {
	return simple(s, &cobra.Command{
		Use: "begin-again PERSON", Short: "Take all methods from somebody who has lost them, so that they can begin again",
		Long: `For somebody who has no method left that proves who they are: the phone is lost,
or all methods are suspended. Make sure who it is by other means first. All
methods of the person are removed, the person is told, and the next method that
they set up asks for no other proof than the sign-in.

  latchkey people begin-again mgarcia --why "badge and manager, request K7M-2QP" --config latchkey.yaml`,
	}, "May begin again", "let begin again", "", func(r *enroll.Room) func(context.Context, bot.PersonID, enroll.Order) (enroll.Done, error) {
		return r.BeginAgain
	})
}

func signOutCommand(s std) *cobra.Command {
	return simple(s, &cobra.Command{
		Use: "sign-out PERSON", Short: "End all web sessions of a person",
		Long: `Ends all web sessions, one-time pages and sign-ins under way of a person, and the
proofs that they have given in the last minutes. Use it when a computer was left
open or lost. Chat accounts stay linked (see unlink), and the person can sign in
again (see freeze).

  latchkey people sign-out mgarcia --why "laptop lost" --config latchkey.yaml`,
	}, "Signed out", "sign out", "", func(r *enroll.Room) func(context.Context, bot.PersonID, enroll.Order) (enroll.Done, error) {
		return r.SignOut
	})
}

func disableCommand(s std) *cobra.Command {
	return simple(s, &cobra.Command{
		Use: "disable PERSON", Short: "Switch an account off here, whatever the staff list says",
		Long: `Switches an account off here, at once, in all processes: for somebody who leaves
today and is in the staff list until tonight. Nothing is shown, proven or changed
for it any more; sessions end. No import switches it on again, only
` + "`latchkey people enable`" + ` does.

  latchkey people disable mgarcia --why "left today, ticket 4711" --config latchkey.yaml`,
	}, "Disabled", "disable", "Disabled already", func(r *enroll.Room) func(context.Context, bot.PersonID, enroll.Order) (enroll.Done, error) {
		return r.DisablePerson
	})
}

func enableCommand(s std) *cobra.Command {
	return simple(s, &cobra.Command{
		Use: "enable PERSON", Short: "Switch an account on again that was disabled here",
		Long: `Ends what ` + "`latchkey people disable`" + ` began. An account that the staff list itself
disables is enabled there, by the next import.

  latchkey people enable mgarcia --why "comes back, ticket 4802" --config latchkey.yaml`,
	}, "Enabled", "enable", "Not disabled", func(r *enroll.Room) func(context.Context, bot.PersonID, enroll.Order) (enroll.Done, error) {
		return r.EnablePerson
	})
}

func eraseCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "erase PERSON", Short: "Delete a person and everything that belongs to them", Args: exactly(1, personArgument),
		Long: `Deletes a person for good: name, addresses, methods and their secrets, chat
accounts, conversations and what was said in them, codes, sessions, counters,
requests and jobs. The audit record keeps its lines. Look first with --dry-run.

Somebody whom the staff list still has would come back with the next import, so
that is refused. With --also-listed the person is erased all the same, and a hash
of the id stays here, so that imports leave that id out from now on.

  latchkey people erase mgarcia --dry-run --why "asked for it, ticket 4711" --config latchkey.yaml
  latchkey people erase mgarcia --why "asked for it, ticket 4711" --config latchkey.yaml

An id that was erased so by mistake is let in again, for the next import to add:

  latchkey people erase e-1001 --let-back --why "wrong person" --config latchkey.yaml

The database file is written anew afterwards, so that nothing is left in it;
messages wait meanwhile, about a second for every 100 MB. Backups still hold the
person; the command says until when.`,
	}
	o := newOperation(s, cmd)
	listed := cmd.Flags().Bool("also-listed", false, "erase somebody whom the staff list still has, and keep imports from adding them again")
	back := cmd.Flags().Bool("let-back", false, "erase nothing: let imports add the `ID` again that was erased with --also-listed")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if *back {
			return o.letBack(args[0])
		}
		err := o.on(args[0], func(ctx context.Context, r *enroll.Room, p bot.PersonID, order enroll.Order) (enroll.Done, error) {
			return r.Erase(ctx, p, *listed, order)
		}, func(w io.Writer, h *program.Program, d enroll.Done) error {
			o.headline(w, "Erased", "erase", &d.Person)
			e := d.Erased
			counted(w, e.Methods, "method", "methods")
			counted(w, e.Accounts, "chat account", "chat accounts")
			counted(w, e.Conversations, "conversation", "conversations")
			counted(w, e.Messages, "message", "messages")
			counted(w, e.Codes, "code", "codes")
			counted(w, e.Passes, "web session, page or sign-in", "web sessions, pages and sign-ins")
			counted(w, e.Requests, "request", "requests")
			counted(w, e.Jobs, "job", "jobs")
			if e.LeftOut {
				fmt.Fprintln(w, "  imports leave this id out from now on (--let-back takes that back)")
			}
			if *o.dry {
				return nil
			}
			return o.afterErasing(w, h)
		})
		if errors.Is(err, enroll.ErrListed) {
			return fmt.Errorf("the staff list still has %s, so the next import would bring them back: take them off the list and import it, or erase them with --also-listed; nothing was erased", args[0])
		}
		return err
	}
	return cmd
}

// letBack takes back that imports leave an id out.
func (o *operation) letBack(id string) error {
	order, err := o.order()
	if err != nil {
		return err
	}
	return withHouse(o.cmd, o.s, *o.file, func(h *program.Program) error {
		err := h.Operators().LetBack(o.cmd.Context(), bot.PersonID(strings.TrimSpace(id)), order)
		if errors.Is(err, bot.ErrNotFound) {
			return fmt.Errorf("imports do not leave out the id %q: give the id that stood in the staff list, not a name", id)
		}
		if err != nil {
			return err
		}
		if order.Dry {
			_, err = fmt.Fprintf(o.s.out, "Would let back: id %s\nNothing was changed (--dry-run).\n", textfmt.Printable(id))
			return err
		}
		_, err = fmt.Fprintf(o.s.out, "Let back: id %s; the next import that has it adds it\n", textfmt.Printable(id))
		return err
	})
}

// afterErasing cleans the files, and says what is not in our hands.
func (o *operation) afterErasing(w io.Writer, h *program.Program) error {
	done, err := h.DB.Scrub(o.cmd.Context())
	if err != nil {
		return fmt.Errorf("the person is erased, but traces may be left in the database file: %w", err)
	}
	if !done {
		fmt.Fprintln(w, "PostgreSQL drops the deleted rows' bytes itself (autovacuum).")
	}
	lapse := h.DB.Now().Add(h.Config.Policy.Backups).Local().Format("2006-01-02")
	fmt.Fprintf(w, "Backups that were made until now still hold the person. By policy.retention.backups the last one lapses on %s; after restoring one of them, erase the person again.\n", lapse)
	return nil
}

func renameCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "rename-id OLD NEW", Short: "Give a person another id, or all of them with --from-csv", Args: func(*cobra.Command, []string) error { return nil },
		Long: `Ids belong to the directory: use this when it gives a person a new one, or when you
change to another directory. What the person has set up goes along, sealed anew for
the new id. What is under way in a chat is void, and web sessions end.

  latchkey people rename-id e-1001 6f1c2b7a-... --why "new directory" --config latchkey.yaml

A whole new scheme of ids comes as a CSV file with the columns old and new. All lines
are checked first, and nothing is changed when one is wrong. People are then renamed
one by one; when that is interrupted, the same command goes on.

  latchkey people rename-id --from-csv ids.csv --dry-run --why "new directory" --config latchkey.yaml
  latchkey people rename-id --from-csv ids.csv --why "new directory" --config latchkey.yaml

Next: import the list with the new ids; it must not come earlier.`,
	}
	o := newOperation(s, cmd)
	from := cmd.Flags().String("from-csv", "", "a CSV `FILE` with the columns old and new")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if *from == "" && len(args) != 2 || *from != "" && len(args) != 0 {
			return usage(cmd, "needs the old id and the new one, or --from-csv FILE and no ids")
		}
		order, err := o.order()
		if err != nil {
			return err
		}
		return withHouse(cmd, s, *o.file, func(h *program.Program) error {
			if *from == "" {
				return o.rename(h, order, [][2]bot.PersonID{{bot.PersonID(strings.TrimSpace(args[0])), newPersonID(args[1])}}, "")
			}
			pairs, err := readPairs(s.path(*from))
			if err != nil {
				return fmt.Errorf("%s: %w; nothing was changed", *from, err)
			}
			return o.rename(h, order, pairs, *from)
		})
	}
	return cmd
}

// rename checks all pairs and then renames one person after the other. Pairs
// that an earlier run has done are passed over when they come from a file.
func (o *operation) rename(h *program.Program, order enroll.Order, pairs [][2]bot.PersonID, file string) error {
	ctx, w := o.cmd.Context(), o.s.out
	todo, before, wrong := [][2]bot.PersonID{}, 0, []string{}
	renamed := map[bot.PersonID]bool{}
	for _, p := range pairs {
		renamed[p[0]] = true
	}
	err := h.DB.View(ctx, func(tx bot.Tx) error {
		has := func(id bot.PersonID) (bool, error) {
			_, err := tx.Person(id)
			if errors.Is(err, bot.ErrNotFound) {
				return false, nil
			}
			return err == nil, err
		}
		for _, p := range pairs {
			old, err := has(p[0])
			if err != nil {
				return err
			}
			now, err := has(p[1])
			if err != nil {
				return err
			}
			switch {
			case p[0] == p[1]:
				wrong = append(wrong, fmt.Sprintf("%q: the new id is the old one", p[0]))
			case old && now && renamed[p[1]]:
				wrong = append(wrong, fmt.Sprintf("%q to %q: that id is to be renamed in the same file; use two files, one after the other", p[0], p[1]))
			case old && now:
				wrong = append(wrong, fmt.Sprintf("%q to %q: somebody has that id", p[0], p[1]))
			case old:
				todo = append(todo, p)
			case now && file != "":
				before++
			default:
				wrong = append(wrong, fmt.Sprintf("%q: nobody has this id", p[0]))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		for i, line := range wrong {
			if i == 20 {
				fmt.Fprintf(o.s.err, "and %d more\n", len(wrong)-i)
				break
			}
			fmt.Fprintln(o.s.err, textfmt.Printable(line))
		}
		return fmt.Errorf("%d of %d ids cannot be renamed; nothing was changed", len(wrong), len(pairs))
	}
	void := enroll.Done{}
	for i, p := range todo {
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted: %d of %d people have their new id; run the same command again to go on", i, len(todo))
		}
		d, err := h.Operators().Rename(ctx, p[0], p[1], order)
		if err != nil {
			return fmt.Errorf("rename %q to %q: %w; %d of %d people have their new id; run the same command again to go on", p[0], p[1], err, i, len(todo))
		}
		void.Passes, void.Pending, void.Codes = void.Passes+d.Passes, void.Pending+d.Pending, void.Codes+d.Codes
		if file == "" {
			o.headline(w, "Renamed to "+textfmt.Printable(string(p[1])), "rename to "+textfmt.Printable(string(p[1])), &d.Person)
		}
	}
	if file != "" {
		did := "renamed"
		if order.Dry {
			did = "would be renamed"
		}
		fmt.Fprintf(w, "%s: %s: %d", file, did, len(todo))
		if before > 0 {
			fmt.Fprintf(w, "; renamed before: %d", before)
		}
		fmt.Fprintln(w)
	}
	ended(w, void)
	if order.Dry {
		fmt.Fprintln(w, "Nothing was changed (--dry-run).")
	}
	return nil
}

// guid is how Microsoft's directories write ids.
var guid = regexp.MustCompile(`^\{?([0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\}?$`)

// newPersonID is an id as the staff list's import will store it.
func newPersonID(s string) bot.PersonID {
	s = strings.TrimSpace(s)
	if m := guid.FindStringSubmatch(s); m != nil {
		s = strings.ToLower(m[1])
	}
	return bot.PersonID(s)
}

// readPairs reads a CSV file with the columns old and new.
func readPairs(path string) ([][2]bot.PersonID, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w; give the path of a CSV file", err)
	}
	defer f.Close()
	text, comma, err := csv.Text(f)
	if err != nil {
		return nil, err
	}
	r := stdcsv.NewReader(text)
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = comma, -1, true
	var pairs [][2]bot.PersonID
	old, now := -1, -1
	seen := map[string]int{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		if old < 0 || now < 0 {
			for i, name := range row {
				switch strings.ToLower(strings.TrimSpace(name)) {
				case "old":
					old = i
				case "new":
					now = i
				}
			}
			if old < 0 || now < 0 {
				return nil, errors.New("the first line must name the columns old and new")
			}
			continue
		}
		if strings.TrimSpace(strings.Join(row, "")) == "" {
			continue
		}
		if len(row) <= max(old, now) || strings.TrimSpace(row[old]) == "" || strings.TrimSpace(row[now]) == "" {
			return nil, fmt.Errorf("line %d: an id is missing", line)
		}
		p := [2]bot.PersonID{bot.PersonID(strings.TrimSpace(row[old])), newPersonID(row[now])}
		for _, id := range []string{"old|" + string(p[0]), "new|" + string(p[1])} {
			if first, twice := seen[id]; twice {
				_, id, _ = strings.Cut(id, "|")
				return nil, fmt.Errorf("line %d: %q stands in line %d already", line, id, first)
			}
			seen[id] = line
		}
		pairs = append(pairs, p)
	}
	if len(pairs) == 0 {
		return nil, errors.New("the file has no ids")
	}
	return pairs, nil
}
