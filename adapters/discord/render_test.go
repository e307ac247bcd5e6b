package discord

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/adaptertest/rigs"
	"latchkey/bot"
)

// hostile is what Discord makes more of than text, or programs like it.
var hostile = []string{
	"*bold* _italic_ ~gone~ **bold** __under__ ~~gone~~ `code` ```block``` ||hidden|| ***all*** _**x**_",
	"<@80351110224678912> <@!80351110224678912> <@&165511591545143296> <#103735883630395392> </setup:1234> <:mmLol:216154654256398347> <a:x:2> <t:1618953630:R> <id:customize> @everyone @here",
	"[click](https://evil.example/) [click](<https://evil.example>) <https://evil.example/> ![x](https://evil.example/x.png) <mailto:a@b.example> [a][b]",
	"# heading\n## two\n### three\n-# small\n> quote\n>>> long\n- item\n* item\n+ item\n1. first\n 2. second\n  - inner\n--- \n===\n    four",
	"a\\*b \\\\ \\` \\_ ¯\\_(ツ)_/¯",
	"snake_case_word and 2*3*4 and a|b|c|| and ~ and ` and ``",
	"https://evil.example/*x* https://a.example/_b_ (https://c.example/) https://d.example/\\x http://e.example/~~x~~ https://f.example/[x](y)",
	"https://help.example.org/app?os=ios&x=1_2_3 https://help.example.org.",
	"x*y\nz*w _a\nb_ **c\n\nd**",
	"`\n*x*\n`", "||\nx\n||", "**", "*", "_", "__a", "~~", "\\",
}

// TestMarkdownIsText has a parser of Discord's Markdown, which we did not write,
// read what escape made: there is nothing but text and addresses that lead where
// they say, and the text is the same.
func TestMarkdownIsText(t *testing.T) {
	t.Parallel()
	node := rigs.Tool(t, "", "node")
	dir := os.Getenv("DISCORD_MARKDOWN_DIR")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "@odiffey", "discord-markdown")); dir == "" || err != nil {
		rigs.Missing(t, "@odiffey/discord-markdown is missing: see DISCORD_MARKDOWN_DIR (.ci/rigs.sh makes it)")
	}
	const script = `
const { parser } = require(process.argv[1] + '/node_modules/@odiffey/discord-markdown');
const plain = (ns) => ns.map((n) => n.type === 'text' ? n.content : n.type === 'newline' || n.type === 'br' ? '\n' : n.type === 'url' || n.type === 'link' ? plain(n.content) : '').join('');
const kinds = (ns) => ns.flatMap((n) => n.type === 'text' || n.type === 'newline' || n.type === 'br' ? [] : n.type === 'url' && n.target === plain(n.content) ? [] : [n.type]);
const texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(texts.map((s) => { const ns = parser(s); return { Text: plain(ns), Kinds: kinds(ns) }; })));`
	read := func(texts []string) (out []struct {
		Text  string
		Kinds []string
	}) {
		t.Helper()
		cmd := exec.Command(node, "-e", script, dir)
		cmd.Stdin = strings.NewReader(string(encode(texts)))
		raw, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, &out); err != nil || len(out) != len(texts) {
			t.Fatalf("%v: %s", err, raw)
		}
		return out
	}
	var escaped []string
	for _, s := range hostile {
		escaped = append(escaped, escape(s))
	}
	for n, got := range read(escaped) {
		if len(got.Kinds) > 0 {
			t.Errorf("%q, escaped as %q, becomes %q", hostile[n], escaped[n], got.Kinds)
		}
		if strings.Join(strings.Fields(got.Text), " ") != strings.Join(strings.Fields(harmless(hostile[n])), " ") {
			t.Errorf("%q, escaped as %q, reads\n%q", hostile[n], escaped[n], got.Text)
		}
	}
	live := 0
	for _, got := range read(hostile) {
		live += len(got.Kinds)
	}
	if live < 30 {
		t.Errorf("the parser finds only %d things in what is not escaped", live)
	}
}

func TestEscapeLength(t *testing.T) {
	t.Parallel()
	for _, s := range append(hostile, strings.Repeat("*", 900), strings.Repeat("https://x/", 90)) {
		if got := utf8.RuneCountInString(escape(s)); got > 2*utf8.RuneCountInString(s) {
			t.Errorf("%.30q: %d runes became %d", s, utf8.RuneCountInString(s), got)
		}
	}
}

// TestRenderNeverExceeds: whatever a message holds, what is built fits, or is
// refused.
func TestRenderNeverExceeds(t *testing.T) {
	t.Parallel()
	phrases := adaptertest.Script(t)
	longest := strings.Repeat("*", limits.Text)
	wide := strings.Repeat("😀", limits.Text)
	many := make([]bot.Choice, limits.Choices)
	for n := range many {
		many[n] = bot.Choice{ID: strings.Repeat("x", 80) + string(rune('a'+n)), Label: strings.Repeat("L", maxLabel)}
	}
	for what, d := range map[string]bot.Delivery{
		"stars":          {Message: bot.Message{Text: longest, Lang: "en"}},
		"emoji":          {Message: bot.Message{Text: wide, Lang: "en"}},
		"stars, picture": {Message: bot.Message{Text: longest, Lang: "en", Picture: &bot.Picture{Name: "x", Alt: strings.Repeat("_", 2000)}}},
		"all buttons": {Page: "https://latchkey.example/private#x", Message: bot.Message{Text: "x", Lang: "en", Prompt: 1<<32 - 1, Choices: many,
			Entry: &bot.Entry{Kind: bot.EntryEmail, Title: strings.Repeat("T", bot.MaxEntryTitle), Label: strings.Repeat("Ж", bot.MaxEntryLabel), Button: strings.Repeat("B", bot.MaxEntryButton)},
			Form:  &bot.Form{Button: strings.Repeat("F", 200)}}},
	} {
		w, err := render(&d, phrases, "en", func(string) ([]byte, bool) { return nil, false })
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if n := length(w.Message.Content); n > maxContent {
			t.Errorf("%s: a content of %d", what, n)
		}
		if len(w.Message.Components) > 5 {
			t.Errorf("%s: %d rows", what, len(w.Message.Components))
		}
		n := 0
		for _, r := range w.Message.Components {
			n += len(r.Components)
			for _, b := range r.Components {
				if utf8.RuneCountInString(b.Label) > 80 || utf8.RuneCountInString(b.CustomID) > 100 {
					t.Errorf("%s: %+v", what, b)
				}
			}
		}
		if what == "all buttons" && n != limits.Choices+2 {
			t.Errorf("%d buttons", n)
		}
	}
	for what, m := range map[string]bot.Message{
		"a long text":      {Text: longest + "x"},
		"a long label":     {Text: "x", Choices: []bot.Choice{{ID: "a", Label: strings.Repeat("L", maxLabel+1)}}},
		"a long id":        {Text: "x", Choices: []bot.Choice{{ID: strings.Repeat("i", 120), Label: "L"}}},
		"the same id":      {Text: "x", Choices: []bot.Choice{{ID: "i", Label: "A"}, {ID: "i", Label: "B"}}},
		"too many choices": {Text: "x", Choices: append(many, bot.Choice{ID: "z", Label: "z"})},
		"another scheme":   {Text: "x", Choices: []bot.Choice{{ID: "i", Label: "A", Link: "javascript:alert(1)"}}},
		"nothing":          {Text: "  "},
	} {
		if _, err := render(&bot.Delivery{Message: m}, phrases, "en", func(string) ([]byte, bool) { return nil, false }); err == nil {
			t.Errorf("%s is built", what)
		}
	}
}

// TestIDs: what stands in a custom id comes back.
func TestIDs(t *testing.T) {
	t.Parallel()
	if p, ok := readID(choiceID(7, "a|b")); !ok || p.what != 'c' || p.prompt != 7 || p.choice != "a|b" {
		t.Errorf("%+v %v", p, ok)
	}
	for _, k := range []bot.EntryKind{bot.EntryCode, bot.EntryPhone, bot.EntryEmail} {
		p, ok := readID(entryID(1<<32-1, &bot.Entry{Kind: k, Title: "Enter | it", Label: "The label"}))
		if !ok || p.kind != k || p.prompt != 1<<32-1 || p.title != "Enter / it" || p.label != "The label" {
			t.Errorf("%+v %v", p, ok)
		}
		f := form(p)
		q, ok := readID(f.CustomID)
		if !ok || q.what != 'm' || q.kind != k || q.prompt != p.prompt {
			t.Errorf("%+v %v", q, ok)
		}
	}
}

// TestNonce: the same key gives the same nonce, of at most 25 characters.
func TestNonce(t *testing.T) {
	t.Parallel()
	a, b := nonce("discord-acme|42/1"), nonce("discord-acme|42/2")
	if a == b || a != nonce("discord-acme|42/1") || len(a) > 25 || len(a) < 20 {
		t.Errorf("%q %q", a, b)
	}
}

// TestPageOfAKey: where a key is shown on a page only, the message has no form
// and no picture, and the button of the page all the same.
func TestPageOfAKey(t *testing.T) {
	const page = "https://latchkey.example.org/private#abc"
	d := bot.Delivery{Key: "c/1", Message: bot.Message{Text: "Scan this.", Prompt: 3, Lang: "en", Choices: []bot.Choice{{ID: "no", Label: "I cannot scan it"}}}, Page: page}
	w, err := render(&d, adaptertest.Script(t), "en", func(string) ([]byte, bool) { return nil, false })
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, r := range w.Message.Components {
		for _, b := range r.Components {
			if b.URL == page {
				found++
				if b.Label != "Show the picture on a private page" || b.Style != styleLink {
					t.Errorf("the button of the page: %+v", b)
				}
			}
		}
	}
	if found != 1 || !strings.Contains(w.Message.Content, "private page") {
		t.Errorf("%d buttons of the page; %q", found, w.Message.Content)
	}
}
