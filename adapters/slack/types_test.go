package slack_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest/rigs"
)

// TestTypes: every golden message, modal and App Home is of the types that Slack
// publishes for them (@slack/types), by the compiler's word.
func TestTypes(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("import type { KnownBlock, ModalView, HomeView } from '@slack/types';\n")
	n := 0
	for _, file := range slices.Sorted(maps.Keys(goldens(t))) {
		m := goldens(t)[file]
		for _, name := range slices.Sorted(maps.Keys(m)) {
			var list []json.RawMessage
			if json.Unmarshal(m[name], &list) != nil {
				list = []json.RawMessage{m[name]}
			}
			for _, raw := range list {
				n++
				kind, value := typeOf(t, raw)
				fmt.Fprintf(&b, "// %s, %s\nexport const v%d: %s = %s;\n", filepath.ToSlash(file), strings.ReplaceAll(name, "\n", " "), n, kind, value)
			}
		}
	}
	if n < 150 {
		t.Fatalf("%d payloads", n)
	}
	if out, err := compile(t, b.String()); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%d payloads", n)
	// The compiler does refuse what is wrong.
	for what, bad := range map[string]string{
		"markup on a button": `KnownBlock[] = [{"type":"actions","elements":[{"type":"button","action_id":"a","text":{"type":"mrkdwn","text":"x"}}]}]`,
		"no alt text":        `KnownBlock[] = [{"type":"image","slack_file":{"id":"F1"}}]`,
		"an unknown key":     `KnownBlock[] = [{"type":"section","txt":{"type":"mrkdwn","text":"x"}}]`,
	} {
		if _, err := compile(t, "import type { KnownBlock } from '@slack/types';\nexport const v: "+bad+";\n"); err == nil {
			t.Errorf("%s is taken by the compiler", what)
		}
	}
}

// typeOf is the type of a payload, and what is of it.
func typeOf(t *testing.T, raw json.RawMessage) (kind string, value json.RawMessage) {
	t.Helper()
	var m struct {
		Type   string          `json:"type"`
		Blocks json.RawMessage `json:"blocks"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	switch m.Type {
	case "modal":
		return "ModalView", raw
	case "home":
		return "HomeView", raw
	}
	return "KnownBlock[]", m.Blocks
}

func compile(t *testing.T, program string) (string, error) {
	t.Helper()
	types, compiler := installed(t, "SLACK_TYPES_DIR", "@slack/types"), installed(t, "SLACK_TYPESCRIPT_DIR", "typescript")
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(types, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"payloads.ts":   program,
		"package.json":  `{"type":"module"}`,
		"tsconfig.json": `{"compilerOptions":{"strict":true,"noEmit":true,"module":"nodenext","moduleResolution":"nodenext","target":"es2022","skipLibCheck":true,"types":[]},"files":["payloads.ts"]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(rigs.Tool(t, "", "node"), filepath.Join(compiler, "node_modules", "typescript", "bin", "tsc"), "-p", dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	text := out.String()
	return text[:min(len(text), 4000)], err
}
