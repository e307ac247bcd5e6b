package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// module is the name that imports inside the house begin with.
const module = "latchkey/"

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath string
	Doc        string
	GoFiles    []string
	Imports    []string
	Standard   bool
}

// TestDirectionOfImports holds the plan of the house: words in the middle,
// services around them, and cmd the only place that knows everything. It reads
// the imports of the shipped files, not of tests.
func TestDirectionOfImports(t *testing.T) {
	pkgs := list(t)
	if len(pkgs) < 15 {
		t.Fatalf("go list found %d packages; the check would prove nothing", len(pkgs))
	}
	for _, p := range pkgs {
		for _, imp := range p.Imports {
			if why := forbidden(p.ImportPath, imp); why != "" {
				t.Errorf("%s imports %s: %s", p.ImportPath, imp, why)
			}
		}
	}
}

// TestDirectionOfImportsBites shows that the rule above can fail.
func TestDirectionOfImportsBites(t *testing.T) {
	for _, c := range []struct{ from, to string }{
		{"latchkey/bot", "latchkey/flows"},
		{"latchkey/bot", "github.com/pquerna/otp"},
		{"latchkey/bot/turn", "latchkey/store"},
		{"latchkey/bot/turn", "latchkey/bot/enroll"},
		{"latchkey/flows", "latchkey/bot/turn"},
		{"latchkey/flows", "database/sql"},
		{"latchkey/adapters/terminal", "latchkey/adapters/pretend"},
		{"latchkey/bot/turn", "latchkey/adapters/dial"},
		{"latchkey/adapters/slack", "latchkey/adapters/discord"},
		{"latchkey/adapters/smtp", "latchkey/adapters/chat"},
		{"latchkey/adapters/chat", "latchkey/adapters/slack"},
		{"latchkey/bot/outbox", "latchkey/adapters/chat"},
		{"latchkey/adapters/smtp", "latchkey/store"},
		{"latchkey/adapters/twilio", "database/sql"},
		{"latchkey/store", "latchkey/flows"},
		{"latchkey/store", "latchkey/cmd/latchkey"},
		{"latchkey/bot/turn", "latchkey/bot/bottest"},
		{"latchkey/cmd/latchkey/load", "latchkey/bot/bottest"},
		{"latchkey/cmd/latchkey/program", "latchkey/bot/bottest/prooftest"},
		{"latchkey/cmd/latchkey/command", "latchkey/store/storetest"},
		{"latchkey/cmd/latchkey", "latchkey/store"},
		{"latchkey/cmd/latchkey", "latchkey/cmd/latchkey/program"},
		{"latchkey/cmd/latchkey/program", "latchkey/cmd/latchkey/command"},
		{"latchkey/cmd/latchkey/program", "github.com/spf13/cobra"},
		{"latchkey/cmd/latchkey/config", "latchkey/cmd/latchkey/program"},
		{"latchkey/cmd/latchkey/config", "latchkey/cmd/latchkey/textfmt"},
		{"latchkey/cmd/latchkey/demo", "latchkey/cmd/latchkey/program"},
		{"latchkey/cmd/latchkey/load", "latchkey/cmd/latchkey/config"},
		{"latchkey/cmd/latchkey/newcomer", "latchkey/cmd/latchkey/command"},
		{"latchkey/adapters/smtp", "latchkey/adapters/adaptertest/rigs"},
		{"latchkey/adapters/adaptertest/rigs", "latchkey/bot"},
		{"latchkey/adapters/entra", pretendTenant},
		{"latchkey/adapters/oidc", pretendTenant},
		{pretendTenant, "latchkey/adapters/entra"},
	} {
		if forbidden(c.from, c.to) == "" {
			t.Errorf("%s may import %s, and should not", c.from, c.to)
		}
	}
}

// TestEveryPackageSaysWhatItIsInChargeOf wants a package comment everywhere.
func TestEveryPackageSaysWhatItIsInChargeOf(t *testing.T) {
	for _, p := range list(t) {
		if len(p.GoFiles) > 0 && len(p.Doc) < 20 {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}

// words are packages that any room may import: they do nothing by themselves.
var words = map[string]bool{
	"latchkey/bot": true, "latchkey/bot/policy": true, "latchkey/bot/failpoint": true, "latchkey/bot/typed": true,
	"latchkey/bot/readiness": true, "latchkey/bot/budget": true, "latchkey/bot/calendar": true,
	"latchkey/bot/understand": true,
}

// below are the packages of cmd/latchkey that each of them may import: arrows go
// down only, from the commands to the program and from there to the
// configuration. A new package stands here before anything imports it.
var below = map[string][]string{
	"latchkey/cmd/latchkey":         {"command"},
	"latchkey/cmd/latchkey/command": {"program", "demo", "load", "textfmt", "config"},
	"latchkey/cmd/latchkey/program": {"demo", "textfmt", "config"},
	"latchkey/cmd/latchkey/demo":    {"config"},
}

// upward returns why a package of cmd/latchkey may not import another package, or
// "".
func upward(from, to string) string {
	const here = "latchkey/cmd/latchkey/"
	name, ours := strings.CutPrefix(to, here)
	switch {
	case from == "latchkey/cmd/latchkey" && !ours:
		if strings.Contains(to, ".") || strings.HasPrefix(to, module) {
			return "main only begins; package command does the rest"
		}
	case ours && !slices.Contains(below[from], name):
		return "arrows go down only: command, program, config"
	case to == "github.com/spf13/cobra" && from != here+"command":
		return "only package command knows a command line"
	}
	return ""
}

// The kit, and the chat adapters that are made with it. They know nothing of each
// other.
const kit = module + "adapters/chat"

var chats = map[string]bool{
	"latchkey/adapters/slack": true, "latchkey/adapters/teams": true, "latchkey/adapters/discord": true,
	"latchkey/adapters/web": true, "latchkey/adapters/terminal": true,
}

// pretendTenant serves tests, and the demo as well: cmd may import it, and what
// reads a real tenant may not.
const pretendTenant = module + "adapters/entra/entratest"

// forTests reports whether a package is for tests only: its name, or that of a
// package it lies in, ends in "test".
func forTests(path string) bool {
	if path == pretendTenant {
		return false
	}
	for name := range strings.SplitSeq(strings.TrimPrefix(path, module), "/") {
		if strings.HasSuffix(name, "test") {
			return true
		}
	}
	return false
}

// forbidden returns why a package may not import another, or "".
func forbidden(from, to string) string {
	if from == "latchkey/flows" || strings.HasPrefix(from, "latchkey/flows/") || from == "latchkey/bot" {
		for _, p := range []string{"database/sql", "net", "net/http", "os/exec"} {
			if to == p {
				return "it knows no database and no network"
			}
		}
	}
	if strings.HasPrefix(from, "latchkey/adapters/") && to == "database/sql" {
		return "no adapter sees the database"
	}
	if strings.HasPrefix(from, "latchkey/cmd/") && !forTests(from) {
		if why := upward(from, to); why != "" {
			return why
		}
	}
	inside := strings.HasPrefix(to, module)
	switch {
	case inside && forTests(to) && !forTests(from):
		return "only tests, and packages for tests, import it"
	case to == pretendTenant && !strings.HasPrefix(from, "latchkey/cmd/") && !forTests(from):
		return "only tests and the demo know the pretend tenant"
	case from == "latchkey/adapters/adaptertest/rigs":
		if inside || strings.Contains(strings.SplitN(to, "/", 2)[0], ".") {
			return "rigs import the standard library only"
		}
	case from == "latchkey/bot":
		if inside || strings.Contains(strings.SplitN(to, "/", 2)[0], ".") {
			return "bot imports the standard library only"
		}
	case !inside || strings.HasPrefix(from, "latchkey/cmd/") || words[to]:
	case strings.HasPrefix(to, from+"/"): // a room's own cupboards
	case strings.HasPrefix(from, "latchkey/store") && (to == "latchkey/bot/audit" || strings.HasPrefix(to, "latchkey/store")):
	case strings.HasPrefix(from, "latchkey/adapters/") && to == "latchkey/adapters/dial": // what every adapter connects with
	case chats[from] && to == kit:
	case forTests(from): // may import services and the store
	case from == "latchkey/bot/enroll" && (to == "latchkey/bot/verify" || to == "latchkey/bot/vault"):
	case from == "latchkey/bot/verify" && to == "latchkey/bot/vault":
	default:
		return "only cmd knows all services; these know the words of bot, and chat adapters their kit"
	}
	return ""
}

func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Doc,GoFiles,Imports", "latchkey/...")
	out, err := cmd.Output()
	if err != nil {
		var ee *exec.ExitError
		if errors.As(err, &ee) {
			t.Fatalf("go list: %v\n%s", err, ee.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}
