package understand

import (
	"math/rand/v2"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
)

// write writes something that a pattern matches.
func write(b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(re.Rune[0])
	case syntax.OpAlternate:
		write(b, re.Sub[rand.IntN(len(re.Sub))])
	case syntax.OpQuest, syntax.OpStar:
		for range rand.IntN(2) {
			write(b, re.Sub[0])
		}
	case syntax.OpRepeat:
		for range re.Min + rand.IntN(2) {
			write(b, re.Sub[0])
		}
	default:
		for _, sub := range re.Sub {
			write(b, sub)
		}
	}
}

// Whatever a pattern matches goes through the sieve.
func TestSieve(t *testing.T) {
	s := pieces()
	if s.open || len(s.rules) > maxRules {
		t.Errorf("a pattern needs no piece: %v; %d rules, at most %d", s.open, len(s.rules), maxRules)
	}
	for i := range patterns {
		for _, p := range []*regexp.Regexp{patterns[i].want(), patterns[i].stop()} {
			re, err := syntax.Parse(p.String(), syntax.Perl)
			if err != nil {
				t.Fatal(err)
			}
			for range 5000 {
				var b strings.Builder
				write(&b, re)
				if text := b.String(); !s.may(text) && p.MatchString(text) {
					t.Errorf("%q is held back", text)
				}
			}
		}
	}
	for _, text := range []string{"how long does this take", "donde esta la app", "123 456", "blue whale"} {
		if s.may(text) {
			t.Errorf("%q is looked at by all patterns", text)
		}
	}
}
