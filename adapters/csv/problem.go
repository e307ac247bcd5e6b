package csv

import "fmt"

// A Problem is what is wrong with a row or with one cell of it.
type Problem struct {
	Line    int    // line of the file, as an editor counts, in which the cell begins
	Record  int    // row of the list, 1 for the first below the header
	Column  string // header of the cell; empty for the whole row
	Reason  string // what is wrong, and what to do where that is not plain
	Warning bool   // the cell is left out and the row is taken
}

// String is one line of a report.
func (p Problem) String() string {
	s := fmt.Sprintf("line %d, row %d", p.Line, p.Record)
	if p.Column != "" {
		s += fmt.Sprintf(", column %q", clip(p.Column))
	}
	if p.Warning {
		s += ", left empty"
	}
	return s + ": " + p.Reason
}

// A Report says how reading went.
type Report struct {
	Rows     int // rows below the header, good and bad
	Good     int // rows that were yielded
	Bad      int // rows that were left out
	Warnings int // cells that were left out of good rows
	Problems []Problem
	Omitted  int // problems beyond those listed
}
