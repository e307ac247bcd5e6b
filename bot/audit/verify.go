package audit

import (
	"bytes"
	"crypto/hmac"
	"fmt"
	"iter"
	"slices"

	"latchkey/bot"
)

// MaxProblems is how many problems a Verifier keeps; a run of lines with the
// same fault is one problem. What comes after is left out.
const MaxProblems = 1000

// Sealed is the action of the line that the lines of before stand under: they
// were hashed without a key until then. Its Evidence is empty, or says that the
// record was not whole when it was sealed.
const Sealed = "audit.sealed"

// reach is how far from its place a moved line is recognised, in lines; moved
// further it is reported as changed.
const reach = 2048

// A Verifier is fed the lines of a record in the order of the store and says
// at the end what is wrong. Its memory does not grow with the record. The zero
// Verifier is ready to check a whole record without keys.
type Verifier struct {
	// Keys check keyed lines. Nil: the record has none (Sum).
	Keys Keys
	// From is where the record begins.
	From Beginning
	// Known are heads that were noted outside the database, in any order.
	Known []Head

	n        int64
	last     Head // of the line with the highest number so far
	doubt    bool // last was reported, so what follows from it is no news
	begun    bool
	problems []Problem
	gaps     []Problem       // Missing, may still turn out as Misplaced
	seen     []bool          // Known that were met
	knownAt  map[int64][]int // line -> its heads in Known
	by       int64           // how far off the last moved line stood
	searched int             // lines that were searched for widely
}

// Line takes the next line.
func (v *Verifier) Line(e bot.AuditEntry) {
	v.begin()
	v.n++
	intact, lack := v.check(e)
	v.compareKnown(e)
	if intact && lack == nil && e.Action == Sealed && e.Evidence != "" {
		v.report(Problem{Kind: Broken, From: e.Seq, To: e.Seq, Text: fmt.Sprintf("line %d says: %s", e.Seq, e.Evidence)})
	}
	if e.Seq <= v.last.Seq {
		v.late(e, intact)
		return
	}
	gap := e.Seq > v.last.Seq+1
	if gap {
		v.gaps = note(v.gaps, Problem{Kind: Missing, From: v.last.Seq + 1, To: e.Seq - 1})
	}
	doubt := !intact
	if lack != nil {
		v.report(*lack)
	}
	switch {
	case !intact:
		v.report(v.explain(e))
	case !gap && !v.doubt && !bytes.Equal(e.Prev, v.last.Hash):
		v.report(Problem{Kind: Replaced, From: v.last.Seq, To: e.Seq})
	}
	v.last, v.doubt = Head{Seq: e.Seq, Hash: e.Hash}, doubt
}

// check says whether a line gives its hash. lack is the problem of a line
// whose hash says nothing: it counts as intact, and lack is reported.
func (v *Verifier) check(e bot.AuditEntry) (intact bool, lack *Problem) {
	if v.Keys == nil {
		return bytes.Equal(Sum(e.Prev, e), e.Hash), nil
	}
	if e.Key == "" {
		return true, &Problem{Kind: Unkeyed, From: e.Seq, To: e.Seq}
	}
	sum := Seal(v.Keys, e.Prev, e)
	if sum == nil {
		return true, &Problem{Kind: NoKey, From: e.Seq, To: e.Seq, Key: e.Key}
	}
	return hmac.Equal(sum, e.Hash), nil
}

func (v *Verifier) begin() {
	if v.begun {
		return
	}
	v.begun, v.last, v.seen = true, v.From.Head, make([]bool, len(v.Known))
	v.knownAt = map[int64][]int{}
	for i, k := range v.Known {
		v.knownAt[k.Seq] = append(v.knownAt[k.Seq], i)
	}
	for _, p := range v.From.check(v.Keys) {
		v.report(p)
	}
}

// late handles a line whose number is not above those before it.
func (v *Verifier) late(e bot.AuditEntry, intact bool) {
	kind := Twice
	for i, g := range v.gaps {
		if g.From <= e.Seq && e.Seq <= g.To {
			kind = Misplaced
			v.gaps = slices.Delete(v.gaps, i, i+1)
			if g.From < e.Seq {
				v.gaps = append(v.gaps, Problem{Kind: Missing, From: g.From, To: e.Seq - 1})
			}
			if e.Seq < g.To {
				v.gaps = append(v.gaps, Problem{Kind: Missing, From: e.Seq + 1, To: g.To})
			}
			break
		}
	}
	v.report(Problem{Kind: kind, From: e.Seq, To: e.Seq})
	if !intact {
		v.report(v.explain(e))
	}
}

// explain says whether a line that does not give its hash is a genuine one
// under another number. A line that stands as far off as the one before it is
// found at once; the wide search is for a limited number of lines, since a
// record that was rewritten as a whole would keep it busy for hours.
func (v *Verifier) explain(e bot.AuditEntry) Problem {
	if v.writtenAs(e, v.by) {
		return Problem{Kind: Moved, From: e.Seq, To: e.Seq, By: v.by}
	}
	if v.searched++; v.searched <= MaxProblems {
		for d := int64(1); d <= reach; d++ {
			for _, by := range [2]int64{-d, d} {
				if v.writtenAs(e, by) {
					v.by = by
					return Problem{Kind: Moved, From: e.Seq, To: e.Seq, By: by}
				}
			}
		}
	}
	return Problem{Kind: Changed, From: e.Seq, To: e.Seq}
}

// writtenAs reports whether the line gives its hash under the number by away.
func (v *Verifier) writtenAs(e bot.AuditEntry, by int64) bool {
	if e.Seq += by; by == 0 || e.Seq <= 0 {
		return false
	}
	intact, lack := v.check(e)
	return intact && lack == nil
}

func (v *Verifier) compareKnown(e bot.AuditEntry) {
	for _, i := range v.knownAt[e.Seq] {
		k := v.Known[i]
		if v.seen[i] {
			continue
		}
		v.seen[i] = true
		if !bytes.Equal(k.Hash, e.Hash) && !(e.Was != nil && v.Keys != nil && hmac.Equal(Before(v.Keys, e.Key, k.Hash), e.Was)) {
			v.report(Problem{Kind: Replaced, From: e.Seq, To: e.Seq, noted: k.where()})
		}
	}
}

// End compares the record's end with the head that the store keeps and gives
// everything that is wrong in the order of the lines; nothing when the record
// is whole. n is the number of lines that were fed.
func (v *Verifier) End(head Head) (n int64, problems []Problem) {
	v.begin()
	last := v.last
	switch {
	case head.Seq == 0 && last.Seq > 0:
		v.report(Problem{Kind: NoHead, From: last.Seq, To: last.Seq})
	case head.Seq > last.Seq:
		v.report(Problem{Kind: Cut, From: last.Seq + 1, To: head.Seq})
	case head.Seq < last.Seq:
		v.report(Problem{Kind: Added, From: head.Seq + 1, To: last.Seq})
	case !v.doubt && !bytes.Equal(head.Hash, last.Hash):
		v.report(Problem{Kind: Replaced, From: last.Seq, To: last.Seq})
	}
	for i, k := range v.Known {
		switch {
		case v.seen[i] || k.Seq == 0 || (k.Seq == v.From.Seq && bytes.Equal(k.Hash, v.From.Hash)):
		case k.Seq > last.Seq:
			if k.Seq > head.Seq {
				v.report(Problem{Kind: Cut, From: last.Seq + 1, To: k.Seq, noted: k.where()})
			}
		case k.Seq <= v.From.Seq && !k.Kept:
			v.report(Problem{Kind: Unchecked, From: k.Seq, To: k.Seq})
		}
	}
	all := slices.Concat(v.problems, v.gaps)
	slices.SortStableFunc(all, func(a, b Problem) int { return int(min(max(a.From-b.From, -1), 1)) })
	return v.n, all[:min(len(all), MaxProblems)]
}

func (v *Verifier) report(p Problem) { v.problems = note(v.problems, p) }

// note adds a problem to a list, to the run before it where it continues one.
func note(list []Problem, p Problem) []Problem {
	if i := len(list) - 1; i >= 0 && p.Kind != Replaced && p.Kind != Cut && p.Text == "" {
		if l := &list[i]; l.Kind == p.Kind && l.By == p.By && l.Key == p.Key && l.To+1 == p.From {
			l.To = p.To
			return list
		}
	}
	if len(list) >= MaxProblems {
		return list
	}
	return append(list, p)
}

// Verify reads a whole record, or what is left of one after its beginning, in
// order. n is the number of lines read. It fails only when lines does; what is
// wrong with the record is in problems. known are heads noted elsewhere.
func Verify(k Keys, lines iter.Seq2[bot.AuditEntry, error], from Beginning, head Head, known ...Head) (n int64, problems []Problem, err error) {
	v := Verifier{Keys: k, From: from, Known: known}
	for e, err := range lines {
		if err != nil {
			return v.n, nil, err
		}
		v.Line(e)
	}
	n, problems = v.End(head)
	return n, problems, nil
}
