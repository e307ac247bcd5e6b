package command

import (
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
		return withProgram(cmd, s, *o.file, func(p *program.Program) error {
			if *from == "" {
				return o.rename(p, order, [][2]bot.PersonID{{bot.PersonID(strings.TrimSpace(args[0])), newPersonID(args[1])}}, "")
			}
			pairs, err := readPairs(s.path(*from))
			if err != nil {
				return fmt.Errorf("%s: %w; nothing was changed", *from, err)
			}
			return o.rename(p, order, pairs, *from)
		})
	}
	return cmd
}

// rename checks all pairs and then renames one person after the other. Pairs
// that an earlier run has done are passed over when they come from a file.
func (o *operation) rename(prog *program.Program, order enroll.Order, pairs [][2]bot.PersonID, file string) error {
	ctx, w := o.cmd.Context(), o.s.out
	todo, before, wrong := [][2]bot.PersonID{}, 0, []string{}
	renamed := map[bot.PersonID]bool{}
	for _, p := range pairs {
		renamed[p[0]] = true
	}
	err := prog.DB.View(ctx, func(tx bot.Tx) error {
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
		d, err := prog.Operators().Rename(ctx, p[0], p[1], order)
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
