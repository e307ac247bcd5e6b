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

// The same stories in every other language: they enter the same steps.
func TestTranscriptsInEveryLanguage(t *testing.T) {
	set := shipped(t)
	for _, lang := range set.Languages()[1:] {
		covered := flows.Coverage{}
		names, err := fs.Glob(flows.Transcripts, "testdata/*.txt")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_es.txt") { // about languages, and in one of its own
				continue
			}
			text, err := fs.ReadFile(flows.Transcripts, name)
			if err != nil {
				t.Fatal(err)
			}
			c, err := flows.Replay(set, name, string(text), lang)
			covered.Add(c)
			if err != nil {
				t.Errorf("in %s: %v", lang, err)
			}
		}
		if missing := covered.Missing(set); len(missing) > 0 {
			t.Errorf("in %s no transcript enters:\n%s", lang, strings.Join(missing, "\n"))
		}
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

func TestTranscriptsFailWithFileAndLine(t *testing.T) {
	set := shipped(t)
	const start = "= person.known unknown\n= person.known unknown\n> hi\n"
	for _, c := range []struct{ name, text, want string }{
		{"other words", start + "< Good day.", "x.txt:4: the bot says"},
		{"more words", start + "< Hello! I am {bot_name}, the help-desk assistant of {org}.", "x.txt:4: "},
		{"not there", start + "@ phone.code", "x.txt:4: the conversation stands at enroll.welcome"},
		{"other choices", start + "? start stop", `x.txt:4: the choices are "start why_me`},
		{"choice not offered", start + ">[sms]", "x.txt:4: choice sms was not offered"},
		{"outcome missing", "> hi", "x.txt:1: check person.known was asked"},
		{"outcome not asked for", start + "= code.send sent\n> why", "x.txt:4: check code.send was not asked"},
		{"outcome of another check", "= code.send sent\n> hi", "x.txt:2: check person.known was asked, but the next outcome written is of code.send"},
		{"no such outcome", "= person.known nown", `x.txt:1: check person.known never gives outcome "nown"; did you mean "known"?`},
		{"no such check", "= person.knwon known", `x.txt:1: there is no check "person.knwon"; did you mean "person.known"?`},
		{"check not asked", start + "* code.check", "x.txt:4: the turn asked"},
		{"other slot", start + "$ via=sms", `x.txt:4: slot via is ""`},
		{"nonsense", "hello", `x.txt:1: "hello" is none of the lines`},
		{"quotes", `= person.known known name="Ada`, "x.txt:1: a value in quotes does not end"},
		{"too early", "< Hello", "x.txt:1: nobody has said anything yet"},
	} {
		_, _, err := flows.RunTranscript(set, "x.txt", c.text, false)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	_, updated, err := flows.RunTranscript(set, "x.txt", start+"< Good day.\n@ enroll.welcome", true)
	if err != nil || !strings.Contains(updated, "< Hello! I am Latchkey") || strings.Contains(updated, "Good day") || !strings.HasSuffix(updated, "\n@ enroll.welcome") {
		t.Errorf("updated: %v\n%s", err, updated)
	}
	if _, _, err := flows.RunTranscript(set, "x.txt", updated, false); err != nil {
		t.Errorf("what was written does not hold: %v", err)
	}
}
