package understand

import (
	"math/bits"
	"regexp/syntax"
	"strings"
)

// A sieve tells quickly that no pattern can match, from pieces of text that must
// be there. Most of what people type goes no further, and a pattern costs a tenth
// of a millisecond.
type sieve struct {
	starts [1 << 16]uint16 // by its first two bytes, which list of pieces it is in; 0: there is none
	pieces [][]piece
	rules  []uint64 // one of which must be found whole
	open   bool     // a pattern needs no piece, so anything may match
}

// A piece has a part in some rules: a rule is found when each of its parts is.
type piece struct {
	text string
	rule int
	part uint64
}

// add adds a pattern: a rule for each of its alternatives.
func (s *sieve) add(re *syntax.Regexp) {
	switch {
	case re.Op == syntax.OpCapture:
		s.add(re.Sub[0])
		return
	case re.Op == syntax.OpAlternate:
		for _, sub := range re.Sub {
			s.add(sub)
		}
		return
	}
	subs := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		subs = re.Sub
		if len(subs) == 3 && needed(subs[0]) == nil && needed(subs[2]) == nil { // between two edges
			s.add(subs[1])
			return
		}
	}
	rule := len(s.rules)
	s.rules = append(s.rules, 0)
	for _, sub := range subs {
		need := needed(sub)
		if need == nil {
			continue
		}
		part := uint64(1) << bits.Len64(s.rules[rule])
		s.rules[rule] |= part
		for _, p := range need {
			n := &s.starts[uint(p[0])<<8|uint(p[1])]
			if *n == 0 {
				s.pieces = append(s.pieces, nil)
				*n = uint16(len(s.pieces))
			}
			s.pieces[*n-1] = append(s.pieces[*n-1], piece{p, rule, part})
		}
	}
	s.open = s.open || s.rules[rule] == 0
}

// maxRules is how many rules a sieve has at most.
const maxRules = 160

// may reports whether a pattern may match in a text.
func (s *sieve) may(text string) bool {
	if s.open {
		return true
	}
	var found [maxRules]uint64
	for i := range len(text) - 1 {
		n := s.starts[uint(text[i])<<8|uint(text[i+1])]
		if n == 0 {
			continue
		}
		for _, p := range s.pieces[n-1] {
			if !strings.HasPrefix(text[i:], p.text) {
				continue
			}
			if found[p.rule] |= p.part; found[p.rule] == s.rules[p.rule] {
				return true
			}
		}
	}
	return false
}

// needed are pieces of two bytes or more, one of which is in everything that a
// pattern matches; nil: none is known.
func needed(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if s := string(re.Rune); len(s) >= 2 && re.Flags&syntax.FoldCase == 0 {
			return []string{s}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return needed(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return needed(re.Sub[0])
		}
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			n := needed(sub)
			if n == nil {
				return nil
			}
			all = append(all, n...)
		}
		return all
	case syntax.OpConcat:
		// The part whose shortest piece is longest lets the least through.
		var best []string
		for _, sub := range re.Sub {
			if n := needed(sub); n != nil && (best == nil || shortest(n) > shortest(best)) {
				best = n
			}
		}
		return best
	}
	return nil
}

func shortest(list []string) int {
	n := len(list[0])
	for _, s := range list {
		n = min(n, len(s))
	}
	return n
}
