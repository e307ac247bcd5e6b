package adaptertest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/bot"
	"latchkey/bot/campaign"
	"latchkey/bot/desk"
	"latchkey/bot/directory"
	"latchkey/bot/enroll"
	"latchkey/bot/outbox"
	"latchkey/bot/readiness"
	"latchkey/bot/verify"
	"latchkey/flows"
	"latchkey/flows/library"
)

var updateGolden = flag.Bool("update", false, "write the golden files anew; look at what changed")

// Script loads the shipped scripts, for tests that need more of them than a few
// phrases.
func Script(t testing.TB) *flows.Set {
	t.Helper()
	cat := bot.Catalogue{Checks: map[string]bot.CheckSpec{}, Forms: map[string]bot.FormSpec{}, Facts: map[string]string{
		"org": "Example Schools", "bot_name": "Latchkey", "department": "Technology Services", "help_phone": "(555) 555-0100",
		"help_hours": "Monday to Friday, 7:30 to 16:30", "help_address": "1 Main Street", "help_email": "helpdesk@example.org",
		"default_domain": "example.org", "example_phone": "(201) 555-0123", "store_ios": "https://apps.example.org/ios",
		"store_android": "https://apps.example.org/android", "trouble_url": "https://help.example.org", "reset_url": "",
		"entra": "", "security_info_url": "https://aka.ms/mysecurityinfo",
	}}
	for _, r := range []interface {
		Specs() []bot.CheckSpec
		Forms() []bot.FormSpec
	}{new(enroll.Service), new(verify.Service), desk.New(desk.Options{}), campaign.New(campaign.Options{}), new(readiness.Service), new(directory.Service)} {
		for _, s := range r.Specs() {
			cat.Checks[s.Name] = s
		}
		for _, f := range r.Forms() {
			cat.Forms[f.Name] = f
		}
	}
	set, err := flows.Load(library.FS, nil, cat)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// Golden renders every step of every shipped flow in every language, as the
// outbox would hand it over, and compares the result with the files
// <flow>.<language>.json in folder dir, one entry for each step; with -update it
// writes them. render gets one delivery after the other (a long message is
// several) and returns what goes over the wire, ready for JSON.
//
// A step that shows a key comes with a sample one, and a form with the address
// of a page, if wantsPage says so.
func Golden(t *testing.T, dir string, limits bot.Limits, wantsPage func(*bot.Message) bool, render func(d bot.Delivery) (any, error)) {
	t.Helper()
	set := Script(t)
	seen := map[string]bool{}
	for _, lang := range set.Languages() {
		files, order := map[string]*bytes.Buffer{}, []string{}
		set.Preview(lang, func(flow, step string, m bot.Message) {
			name := flow + "." + lang + ".json"
			b := files[name]
			if b == nil {
				b = new(bytes.Buffer)
				files[name] = b
				order = append(order, name)
			}
			for part, p := range outbox.Degrade(m, limits) {
				d := bot.Delivery{Key: fmt.Sprintf("conversation/%s.%s.%d", flow, step, part), Conversation: "conversation", Seq: 6, User: "user", Message: p, Attempt: 1}
				if p.Reveal != nil {
					d.Revealed = sampleKey()
				}
				if wantsPage(&p) {
					d.Page = "https://latchkey.example.org/private#0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
				}
				wire, err := render(d)
				if err != nil {
					t.Errorf("%s %s, part %d, in %s: %v", flow, step, part+1, lang, err)
					return
				}
				text, err := encode(wire)
				if err != nil {
					t.Errorf("%s %s: %v", flow, step, err)
					return
				}
				if b.Len() > 0 {
					b.WriteString(",\n")
				}
				fmt.Fprintf(b, "%q: %s", fmt.Sprintf("%s/%d", step, part+1), text)
			}
		})
		for _, name := range order {
			seen[name] = true
			golden(t, filepath.Join(dir, name), "{\n"+files[name].String()+"\n}\n")
		}
	}
	there, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range there {
		if !seen[filepath.Base(f)] {
			t.Errorf("%s belongs to no flow any more; remove it", f)
		}
	}
}

// encode writes JSON as a person would read it: indented, and with < and > as
// they are.
func encode(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(v)
	return strings.TrimRight(b.String(), "\n"), err
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *updateGolden {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Errorf("%v; run the test once with -update and look at the file", err)
		return
	}
	if string(want) == got {
		return
	}
	w, g := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range g {
		if i >= len(w) || w[i] != g[i] {
			old := "(nothing)"
			if i < len(w) {
				old = w[i]
			}
			t.Errorf("%s:%d: was\n%s\nis\n%s\nIf this is what people should see, run the test with -update.", file, i+1, old, g[i])
			return
		}
	}
	t.Errorf("%s has more lines than are rendered now; run the test with -update", file)
}

// sampleKey is a key that opens nothing.
func sampleKey() *bot.Revealed {
	return &bot.Revealed{
		URI: "otpauth://totp/Example:ann?secret=JBSWY3DPEHPK3PXP&issuer=Example", Key: "JBSW Y3DP EHPK 3PXP",
		PNG: tinyPNG, Rows: []string{"██"},
	}
}

// tinyPNG is one white pixel.
var tinyPNG, _ = hex.DecodeString("89504e470d0a1a0a0000000d4948445200000001000000010100000000376ef9240" +
	"000000a49444154789c636800000082008177cd72b60000000049454e44ae426082")
