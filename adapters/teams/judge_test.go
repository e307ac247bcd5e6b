package teams_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/teams"
	"latchkey/bot"
)

// TestGolden: every step of every flow as a card, the field of a short answer
// in a dialog.
func TestGolden(t *testing.T) {
	phrases := adaptertest.Script(t)
	adaptertest.Golden(t, "testdata/golden", teams.Limits, wantsPage, func(d bot.Delivery) (any, error) {
		return teams.Render(d, phrases, false)
	})
}

// The forms of a ticket's card.
func TestGoldenTickets(t *testing.T) {
	adaptertest.GoldenTickets(t, filepath.Join("testdata", "tickets"), func(f *bot.TicketForm, ps bot.Phrases, lang string) any {
		return teams.TicketDialog(f, ps.Phrase(lang, "chat.send"))
	})
}

func wantsPage(m *bot.Message) bool { return m.Form != nil }

// judge has Microsoft's packages look at payloads; it wants nothing found.
func judge(t *testing.T, lines []byte, want int) {
	t.Helper()
	node := rigs.Tool(t, "", "node")
	for _, v := range []string{"AGENTS_ACTIVITY_DIR", "ADAPTIVECARDS_DIR"} {
		if _, err := os.Stat(filepath.Join(os.Getenv(v), "node_modules")); os.Getenv(v) == "" || err != nil {
			rigs.Missing(t, v+" has no node_modules (.ci/rigs.sh makes it)")
		}
	}
	cmd := exec.Command(node, "../../.ci/teams-judge.cjs")
	cmd.Stdin = bytes.NewReader(lines)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := strings.TrimSpace(string(out)); got != fmt.Sprintf("judged %d", want) {
		t.Errorf("found:\n%.4000s", got)
	}
}

func line(b *bytes.Buffer, name, kind string, value any) {
	raw, err := json.Marshal(map[string]any{"name": name, kind: value})
	if err != nil {
		panic(err)
	}
	b.Write(append(raw, '\n'))
}

// TestCardsAreMicrosofts: every card of every step parses without a complaint.
func TestCardsAreMicrosofts(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d golden files, %v", len(files), err)
	}
	var b bytes.Buffer
	n := 0
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatal(err)
		}
		for _, a := range activitiesIn(v) {
			n++
			line(&b, fmt.Sprintf("%s %d", filepath.Base(f), n), "activity", a)
		}
	}
	for _, kind := range []bot.EntryKind{bot.EntryCode, bot.EntryPhone, bot.EntryEmail} { // with the field in the card
		a, err := teams.Render(bot.Delivery{Message: bot.Message{
			Text: "A short answer?", Lang: "en", Prompt: 7, Entry: &bot.Entry{Kind: kind, Title: "Title", Label: "Label", Button: "Button"}, Choices: []bot.Choice{{ID: "x", Label: "Something else"}},
		}}, phrases, true)
		if err != nil {
			t.Fatal(err)
		}
		n++
		line(&b, "with a field for "+string(kind), "activity", a)
	}
	if n < 100 {
		t.Fatalf("only %d cards", n)
	}
	judge(t, b.Bytes(), n)
}

// activitiesIn finds activities in JSON.
func activitiesIn(v any) (all []any) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			all = append(all, activitiesIn(x)...)
		}
	case map[string]any:
		if v["type"] == "message" {
			return []any{v}
		}
		for _, x := range v {
			all = append(all, activitiesIn(x)...)
		}
	}
	return all
}

// TestWireIsMicrosofts: what the double sends and what the adapter answers, in
// everything that a person can do, are activities and cards of Microsoft's.
func TestWireIsMicrosofts(t *testing.T) {
	b := newBench(t, nil)
	p := b.cloud.Person(0)
	b.do("arrive", p.Arrive())
	b.do("say", p.Say("hello"))
	for i, m := range []bot.Message{
		{Text: "Which?\n\nThis <b>or</b> *that*?", Progress: "Step 1 of 4", Ref: "P3", Lang: "en", Choices: []bot.Choice{{ID: "this", Label: "This", Primary: true}, {ID: "link", Label: "A page", Link: "https://help.example.org/"}}},
		{Text: "A code?", Lang: "en", Entry: code}, {Text: "A phone?", Lang: "en", Entry: &bot.Entry{Kind: bot.EntryPhone, Title: "Phone", Label: "Number", Button: "Enter the number"}},
		{Text: "Answers.", Lang: "en", Form: &bot.Form{Name: "f", Button: "Open"}}, {Text: "Look.", Lang: "en", Picture: &bot.Picture{Name: "x", Alt: "A phone."}},
		{Text: "Scan.", Fleeting: true, Lang: "en", Picture: &bot.Picture{Alt: "QR"}},
	} {
		m.Prompt = uint32(i + 1)
		_, err := b.send(p, m, func(d *bot.Delivery) {
			if m.Form != nil {
				d.Page = "https://latchkey.example/private#x"
			}
			if m.Fleeting {
				d.Revealed = &bot.Revealed{Key: "ABCD EFGH", URI: "otpauth://totp/x?secret=ABCDEFGH", PNG: []byte("\x89PNG...")}
			}
		})
		b.do("send", err)
	}
	b.do("press", p.Press("Enter the code"))
	b.do("enter", p.Enter(map[string]string{"The six digits": "123456"}))
	b.do("press", p.Press("This"))
	b.do("execute", p.Execute("Enter the number"))
	b.until("the cards to be settled", func() bool {
		return b.view(p, "Which?").Edits == 1 && b.view(p, "A code?").Edits == 1 && b.view(p, "A phone?").Edits == 1
	})
	b.do("typing", b.a.Typing(t.Context(), b.house.all()[0].Address))
	group := b.cloud.Person(1)
	group.Kind = "groupChat"
	b.do("say in a group", group.Say("hello"))
	b.view(group, "De uno en uno.")

	var lines bytes.Buffer
	n := 0
	add := func(name, kind string, raw []byte) {
		t.Helper()
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			t.Fatalf("%s: %v in %s", name, err, raw)
		}
		n++
		line(&lines, fmt.Sprintf("%s %d", name, n), kind, v)
	}
	sent, answers := b.cloud.Exchanged()
	for _, s := range sent {
		add("the double's", "activity", s)
	}
	here, _ := b.cloud.Requests()
	for _, r := range here {
		if len(r.Body) > 0 {
			add("ours", "activity", r.Body)
		}
	}
	for _, a := range answers {
		var r struct {
			Task struct {
				Value struct {
					Card struct{ Content json.RawMessage }
				}
			}
			Value json.RawMessage
		}
		if json.Unmarshal(a, &r) == nil && len(r.Task.Value.Card.Content) > 0 {
			add("dialog", "card", r.Task.Value.Card.Content)
		} else if len(r.Value) > 0 && r.Value[0] == '{' {
			add("answered card", "card", r.Value)
		}
	}
	if n < 20 {
		t.Fatalf("only %d payloads", n)
	}
	judge(t, lines.Bytes(), n)
}

// TestJudgeBites: the judge finds what is wrong.
func TestJudgeBites(t *testing.T) {
	good := map[string]any{"type": "AdaptiveCard", "version": "1.5", "body": []any{map[string]any{"type": "TextBlock", "text": "x"}}}
	for what, c := range map[string][2]any{
		"an activity without a type":   {"activity", map[string]any{"text": "x"}},
		"an attachment without a type": {"activity", map[string]any{"type": "message", "attachments": []any{map[string]any{"content": good}}}},
		"an unknown element":           {"card", map[string]any{"type": "AdaptiveCard", "version": "1.5", "body": []any{map[string]any{"type": "TextBlok", "text": "x"}}}},
		"an unknown action":            {"card", map[string]any{"type": "AdaptiveCard", "version": "1.5", "body": []any{}, "actions": []any{map[string]any{"type": "Action.Sumbit", "title": "x"}}}},
		"two fields of one name":       {"card", map[string]any{"type": "AdaptiveCard", "version": "1.5", "body": []any{map[string]any{"type": "Input.Text", "id": "a", "label": "x"}, map[string]any{"type": "Input.Text", "id": "a", "label": "y"}}}},
		"a wrong enumeration":          {"card", map[string]any{"type": "AdaptiveCard", "version": "1.5", "body": []any{map[string]any{"type": "TextBlock", "text": "x", "size": "huge"}}}},
	} {
		t.Run(what, func(t *testing.T) {
			var b bytes.Buffer
			line(&b, "x", c[0].(string), c[1])
			node := rigs.Tool(t, "", "node")
			if os.Getenv("ADAPTIVECARDS_DIR") == "" {
				rigs.Missing(t, "ADAPTIVECARDS_DIR is not set (.ci/rigs.sh sets it)")
			}
			cmd := exec.Command(node, "../../.ci/teams-judge.cjs")
			cmd.Stdin = &b
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.HasPrefix(string(out), "x: ") {
				t.Errorf("found: %v %s", err, out)
			}
		})
	}
}
