package flows_test

import (
	"bytes"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/flows"
)

var update = flag.Bool("update", false, "write what the bot says into the transcripts")

func TestTranscripts(t *testing.T) {
	set := shipped(t)
	names, err := fs.Glob(flows.Transcripts, "testdata/*.txt")
	if err != nil || len(names) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	covered := flows.Coverage{}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			c, updated, err := flows.RunTranscript(set, name, string(text), *update)
			covered.Add(c)
			if err != nil {
				t.Fatal(err)
			}
			if *update && updated != string(text) {
				if err := os.WriteFile(name, []byte(updated), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	if missing := covered.Missing(set); len(missing) > 0 {
		t.Errorf("no transcript enters %d steps:\n%s", len(missing), strings.Join(missing, "\n"))
	}
}

func TestReportTellsFailuresAndCoverage(t *testing.T) {
	sub, err := fs.Sub(flows.Transcripts, "testdata")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := flows.TestReport(&b, shipped(t), sub); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if !strings.Contains(b.String(), "(100 %)") {
		t.Errorf("no full coverage in\n%s", b.String())
	}
}
