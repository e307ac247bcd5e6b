package audit

import "fmt"

// Kind is what is wrong with lines of the record.
type Kind uint8

const (
	// Changed: the content does not give the hash that stands with it.
	Changed Kind = iota
	// Missing: there is no line of that number.
	Missing
	// Moved: the line is genuine but was written under another number.
	Moved
	// Misplaced: the line has the right number and stands at the wrong place.
	Misplaced
	// Twice: the number was there before.
	Twice
	// Replaced: the line is whole, but not the one that its neighbour or a head knew.
	Replaced
	// Cut: the record ends before the head.
	Cut
	// Added: the record goes on after the head.
	Added
	// NoHead: there are lines and no head.
	NoHead
	// Unkeyed: the line has no keyed hash, so anybody can have written it.
	Unkeyed
	// NoKey: the key of the line is not in the ring, so it cannot be checked.
	NoKey
	// BeginChanged: the mark of what retention removed is not what Latchkey wrote.
	BeginChanged
	// Broken: the record was not whole when it was sealed with a key.
	Broken
	// NoHeadFile: nothing outside the database says how far the record goes.
	NoHeadFile
	// NoLines: proven methods, or links of chat accounts, have no line that says so.
	NoLines
	// WrongRef: what leads from lines to people was changed.
	WrongRef
	// Unchecked: a noted head is older than the first line that is kept.
	Unchecked
)

// A Problem is a run of lines with the same fault.
type Problem struct {
	Kind     Kind
	From, To int64  // numbers of the first and the last line; equal for one line
	By       int64  // Moved: add it to a line's number to get the one it was written under
	Key      string // NoKey: the id of the key
	Text     string // Broken, NoHeadFile, NoLines, WrongRef: the sentence
	noted    string // Replaced, Cut: where the head that says so was noted; empty: the stored one
}

// someHead stands for a head of which nobody said where it was noted.
const someHead = "a noted head"

func them(one bool) string {
	if one {
		return "it"
	}
	return "them"
}

// String is the problem as a plain sentence without a full stop.
func (p Problem) String() string {
	one := p.From == p.To
	lines, was := fmt.Sprintf("lines %d to %d", p.From, p.To), "were"
	if one {
		lines, was = fmt.Sprintf("line %d", p.From), "was"
	}
	switch p.Kind {
	case Changed:
		return fmt.Sprintf("%s %s changed after being written", lines, was)
	case Missing:
		if one {
			return lines + " is missing"
		}
		return lines + " are missing"
	case Moved:
		if one {
			return fmt.Sprintf("%s was written as line %d and moved here", lines, p.From+p.By)
		}
		return fmt.Sprintf("%s were written as lines %d to %d and moved here", lines, p.From+p.By, p.To+p.By)
	case Misplaced:
		if one {
			return lines + " stands after a later line: they were swapped"
		}
		return lines + " stand after a later line: they were swapped"
	case Twice:
		if one {
			return lines + " stands there twice"
		}
		return lines + " stand there twice"
	case Replaced:
		if p.noted == someHead {
			return fmt.Sprintf("%s is not the line whose head was noted: the record was rewritten up to there or further", lines)
		}
		if p.noted != "" {
			return fmt.Sprintf("%s is not the line that %s names: the record was rewritten up to there or further", lines, p.noted)
		}
		if one {
			return fmt.Sprintf("%s is not the line that the record's head names: it was replaced and its hash computed anew", lines)
		}
		return fmt.Sprintf("lines %d and %d do not belong together: one of them was replaced and its hash computed anew", p.From, p.To)
	case Cut:
		if p.noted != "" {
			return fmt.Sprintf("%s %s cut off at the end: %s names line %d", lines, was, p.noted, p.To)
		}
		return fmt.Sprintf("%s %s cut off at the end: the record's head names line %d", lines, was, p.To)
	case Added:
		return fmt.Sprintf("%s %s added without the record's head being moved", lines, was)
	case NoHead:
		return fmt.Sprintf("the record's head is gone, so lines cut off after line %d would not show", p.To)
	case Unkeyed:
		return fmt.Sprintf("%s %s written without a key: Latchkey did not write %s", lines, was, them(one))
	case NoKey:
		return fmt.Sprintf("%s cannot be checked: key %s is not in the key ring; use the key file that has it", lines, p.Key)
	case BeginChanged:
		return fmt.Sprintf("the mark that retention removed the lines up to %d was changed after being written", p.To)
	case Broken, NoHeadFile, NoLines, WrongRef:
		return p.Text
	case Unchecked:
		return fmt.Sprintf("the noted head of %s is older than the first line kept and cannot be checked", lines)
	}
	return lines
}
