package understand

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"latchkey/bot/typed"
)

// A line of testdata: columns between tabs; lines with # are notes.
func lines(t testing.TB, file string) [][]string {
	t.Helper()
	f, err := os.Open("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all [][]string
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if s := sc.Text(); s != "" && !strings.HasPrefix(s, "# ") {
			all = append(all, strings.Split(s, "\t"))
		}
	}
	return all
}

var commandNames = map[string]Command{"-": NoCommand, "human": Human, "stop": Stop}

// TestCommands counts how often a wish for a person, and the wish to stop, are
// found, in lines that the patterns were written with and in lines that they
// were not.
func TestCommands(t *testing.T) {
	for _, file := range []string{"commands.dev.tsv", "commands.heldout.tsv"} {
		for _, c := range []struct {
			of                Command
			precision, recall float64
		}{{Human, 0.97, 0.95}, {Stop, 0.95, 0.95}} {
			var right, said, meant float64
			for _, l := range lines(t, file) {
				want, ok := commandNames[l[1]]
				if !ok {
					t.Fatalf("%s: %q", file, l)
				}
				got, _ := Commanded(l[0], typed.Fold(l[0]))
				if got == c.of {
					said++
				}
				if want == c.of {
					meant++
				}
				if got == c.of && want == c.of {
					right++
				} else if got == c.of || want == c.of {
					t.Logf("%s: %q is taken as %d", file, l[0], got)
				}
			}
			if right/said < c.precision || right/meant < c.recall {
				t.Errorf("%s: command %d: precision %.3f, recall %.3f; at least %.2f and %.2f", file, c.of, right/said, right/meant, c.precision, c.recall)
			}
			t.Logf("%s: command %d: precision %.3f, recall %.3f", file, c.of, right/said, right/meant)
		}
	}
}

func BenchmarkCommanded(b *testing.B) {
	all := lines(b, "commands.dev.tsv")
	for i := 0; b.Loop(); i++ {
		Commanded(all[i%len(all)][0], typed.Fold(all[i%len(all)][0]))
	}
}
