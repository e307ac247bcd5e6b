package bot_test

import (
	"strings"
	"testing"

	"latchkey/bot"
)

// TestNoCellRunsAsAFormula shows that the guard covers what spreadsheets run, and
// that what it adds comes off again.
func TestNoCellRunsAsAFormula(t *testing.T) {
	for _, s := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠A", "'=1", "''=1", "  =1", "", "'", "Ann", "'Ann", "a=1", "ﬁx"} {
		cells := []string{s}
		bot.GuardCells(cells)
		if bot.RunsAsFormula(cells[0]) {
			t.Errorf("%q runs, as %q", s, cells[0])
		}
		if back := bot.UnguardCell(cells[0]); back != s {
			t.Errorf("%q comes back as %q", s, back)
		}
	}
}

// TestFiguresAreGuarded shows that a step or a reason named like a formula is none
// in the desk's figures.
func TestFiguresAreGuarded(t *testing.T) {
	f := bot.DeskFigures{Steps: []bot.DeskCount{{Flow: "＝cmd|x", N: 1}}, Reasons: []bot.DeskCount{{Reason: "@SUM(1)", N: 1}}}
	var b strings.Builder
	if err := f.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"step,'＝cmd|x,1", "reason,'@SUM(1),1"} {
		if !strings.Contains(b.String(), "\r\n"+line) {
			t.Errorf("no line %q in\n%s", line, b.String())
		}
	}
}
