package command

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"latchkey/flows"
)

// A list of lines comes back as one JSON object a line, in its order; a step that
// does not exist is refused.
func TestAsk(t *testing.T) {
	ask := func(in string, args ...string) (string, error) {
		var out bytes.Buffer
		cmd := rootCommand(std{in: strings.NewReader(in), out: &out, err: &out})
		cmd.SetArgs(append([]string{"ask"}, args...))
		cmd.SetOut(&out)
		cmd.SetErr(&out)
		err := cmd.Execute()
		return out.String(), err
	}
	out, err := ask("install\tits a samsung galaxy\tnote\ncode\tit says 662 014\nidle\tget me a person please\nvia\txyzzy plugh\n", "--json")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out) {
		var m flows.Meaning
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		got = append(got, m.Kind+" "+m.ID+" "+m.Value)
	}
	if want := "choice have_android |value value_code 662014|verb human |miss gibberish "; strings.Join(got, "|") != want {
		t.Errorf("%s, want %s", strings.Join(got, "|"), want)
	}
	if out, err := ask("", "no me escanea", "--flow", "authenticator", "--step", "scan", "--lang", "es"); err != nil || !strings.Contains(out, "choice cannot_scan") {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := ask("", "hello", "--step", "nowhere"); err == nil {
		t.Error("a step that does not exist is taken")
	}
}
