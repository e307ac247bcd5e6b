package discord

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/adaptertest/rigs"
	"latchkey/bot"
)

// wire is what a delivery becomes, with the form that its button opens.
type wire struct {
	Message message `json:"message"`
	File    int     `json:"file_bytes,omitempty"`
	Form    *modal  `json:"form,omitempty"`
}

// TestGolden renders every step of every shipped flow.
func TestGolden(t *testing.T) {
	t.Parallel()
	set := adaptertest.Script(t)
	adaptertest.Golden(t, filepath.Join("testdata", "golden"), limits, new(Adapter).WantsPage, func(d bot.Delivery) (any, error) {
		w, err := render(&d, set, "en", func(name string) ([]byte, bool) { return []byte("PNG"), set.Picture(name) != nil })
		if err != nil {
			return nil, err
		}
		out := wire{Message: w.Message, File: len(w.File)}
		for n := range out.Message.Attachments {
			out.Message.Attachments[n].Filename = "random.png"
		}
		for _, r := range w.Message.Components {
			for _, b := range r.Components {
				if id, ok := readID(b.CustomID); ok && id.what == 'e' {
					f := form(id)
					out.Form = &f
				} else if b.CustomID != "" && !ok {
					return nil, fmt.Errorf("a custom id that cannot be read: %q", b.CustomID)
				}
			}
		}
		return out, nil
	})
}

// The forms of a ticket's card.
func TestGoldenTickets(t *testing.T) {
	t.Parallel()
	adaptertest.GoldenTickets(t, filepath.Join("testdata", "tickets"), func(f *bot.TicketForm, _ bot.Phrases, _ string) any { return ticketForm(f) })
}

// TestPayloadsAreOfDiscordsTypes has the TypeScript compiler check the golden
// files, the commands and the answers to interactions against the types that
// the library authors of Discord keep; and shows that it finds what is wrong.
func TestPayloadsAreOfDiscordsTypes(t *testing.T) {
	t.Parallel()
	node := rigs.Tool(t, "", "node")
	compiler := filepath.Join(os.Getenv("TYPESCRIPT_DIR"), "node_modules", "typescript", "bin", "tsc")
	types := filepath.Join(os.Getenv("DISCORD_TYPES_DIR"), "node_modules", "discord-api-types")
	for _, f := range []string{compiler, types} {
		if _, err := os.Stat(f); err != nil {
			rigs.Missing(t, f+" is missing (.ci/rigs.sh makes it, see TYPESCRIPT_DIR and DISCORD_TYPES_DIR)")
		}
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "node_modules"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(types, filepath.Join(dir, "node_modules", "discord-api-types")); err != nil {
		t.Fatal(err)
	}
	check := func(source string) string {
		t.Helper()
		file := filepath.Join(dir, "payloads.ts")
		if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(node, compiler, "--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext", "--moduleResolution", "nodenext", file)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil && len(out) == 0 {
			t.Fatal(err)
		}
		return string(out)
	}
	var b strings.Builder
	b.WriteString(`import type { RESTPostAPIChannelMessageJSONBody, RESTPatchAPIChannelMessageJSONBody, APIInteractionResponse, APIModalInteractionResponse,
  RESTPutAPIApplicationCommandsJSONBody, RESTPutAPIApplicationGuildCommandsJSONBody } from 'discord-api-types/v10';
`)
	n := 0
	add := func(kind string, v any) {
		n++
		fmt.Fprintf(&b, "export const v%d: %s = %s;\n", n, kind, encode(v))
	}
	files, err := filepath.Glob(filepath.Join("testdata", "golden", "*.json"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	forms := 0
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var steps map[string]struct {
			Message json.RawMessage `json:"message"`
			Form    json.RawMessage `json:"form"`
		}
		if err := json.Unmarshal(raw, &steps); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		for _, s := range steps {
			add("RESTPostAPIChannelMessageJSONBody", s.Message)
			if s.Form != nil {
				forms++
				add("APIModalInteractionResponse", answer{answerModal, s.Form})
			}
		}
	}
	if n < 100 || forms < 4 {
		t.Fatalf("only %d payloads with %d forms", n, forms)
	}
	phrases := adaptertest.Script(t)
	update := settled("Which?", "This *one*", phrases, "en")
	add("RESTPatchAPIChannelMessageJSONBody", update)
	for _, x := range []answer{
		{Type: answerPong}, answerWith(answerUpdate, update), answerWith(answerMessage, message{Content: "x", Components: []row{}, Flags: ephemeral}), deferUpdate, deferMessage,
	} {
		add("APIInteractionResponse", x)
	}
	add("RESTPutAPIApplicationCommandsJSONBody", commands(phrases, "en", false))
	add("RESTPutAPIApplicationGuildCommandsJSONBody", commands(phrases, "es", true))
	if out := check(b.String()); out != "" {
		t.Errorf("the compiler says of %d payloads:\n%.3000s", n, out)
	}
	t.Logf("%d payloads, %d of them forms", n, forms)

	bad := `import type { RESTPostAPIChannelMessageJSONBody, APIModalInteractionResponse } from 'discord-api-types/v10';
export const a: RESTPostAPIChannelMessageJSONBody = {"content":"x","components":[{"type":1,"components":[{"type":2,"style":1,"label":"no custom id"}]}]};
export const b: APIModalInteractionResponse = {"type":9,"data":{"custom_id":"m","title":"t","components":[{"type":18,"label":"l"}]}};
`
	out := check(bad)
	for _, want := range []string{"payloads.ts(2,", "payloads.ts(3,"} {
		if !strings.Contains(out, want) {
			t.Errorf("the compiler does not find what is wrong at %s: %.1000s", want, out)
		}
	}
}
