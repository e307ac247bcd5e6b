package csv

import (
	stdcsv "encoding/csv"
	"fmt"
	"io"
	"iter"
	"time"

	"latchkey/bot"
)

// BOM is the mark that makes Excel read a file as UTF-8. Write does not write
// it; a caller whose readers use Excel writes it first. Open takes both.
const BOM = "\ufeff"

// header of an export. The last three columns are Latchkey's own knowledge,
// which Open ignores.
func header() []string {
	return []string{string(ID), string(Username), string(Email), string(Name), string(GivenName), string(Department), string(Title), string(Manager),
		string(Phone), string(Language), string(TimeZone), string(Site), string(HiredOn), string(Kind), string(Status), "enrollment", "started_at", "enrolled_at"}
}

// Write writes people as a staff list in UTF-8 with commas and CR LF (RFC
// 4180), cells guarded against running as formulas. What Open reads from it is
// the same people. It ends at the first error of people or of w; n is the
// number of people written.
func Write(w io.Writer, people iter.Seq2[bot.Person, error]) (n int, err error) {
	out := stdcsv.NewWriter(w)
	out.UseCRLF = true
	cells := header()
	if err := out.Write(cells); err != nil {
		return 0, fmt.Errorf("write the staff list: %w", err)
	}
	for p, err := range people {
		if err != nil {
			out.Flush()
			return n, fmt.Errorf("write the staff list, person %d: %w", n+1, err)
		}
		status := "active"
		if p.Disabled {
			status = "disabled"
		}
		cells = append(cells[:0], string(p.ID), p.Username, p.Email, p.Name, p.GivenName, p.Department, p.Title, string(p.Manager),
			p.WorkPhone, p.Lang, p.TimeZone, p.Site, p.HiredOn, string(p.Kind), status, p.Stage.String(), instant(p.StartedAt), instant(p.DoneAt))
		bot.GuardCells(cells)
		if err := out.Write(cells); err != nil {
			return n, fmt.Errorf("write the staff list: %w", err)
		}
		n++
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return n, fmt.Errorf("write the staff list: %w", err)
	}
	return n, nil
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
