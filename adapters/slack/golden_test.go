package slack_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/chat"
	"latchkey/adapters/slack"
	"latchkey/adapters/slack/slacktest"
	"latchkey/bot"
)

// TestGolden: every step of every shipped flow, in every language, in Slack's
// wire form. `go test ./adapters/slack -run Golden -update` writes the files.
func TestGolden(t *testing.T) {
	set := adaptertest.Script(t)
	a := unused(t)
	n := 0
	adaptertest.Golden(t, filepath.Join("testdata", "golden"), a.Limits(), a.WantsPage, func(d bot.Delivery) (any, error) {
		n++
		x := slack.Extras{Page: d.Page, Revealed: d.Revealed, Lang: "en"}
		if d.Revealed != nil || d.Message.Picture != nil && d.Message.Picture.Name != "" {
			x.File = "F0123ABCD"
		}
		w, err := slack.Render(&d.Message, x, set)
		if err == nil {
			complete(t, d.Key, &d.Message, w)
		}
		return w, err
	})
	t.Logf("%d messages", n)
	for _, lang := range set.Languages() {
		golden(t, lang+".json", specials(t, set, lang))
	}
}

// The forms of a ticket's card; the double and Bolt look at them with the others.
func TestGoldenTickets(t *testing.T) {
	adaptertest.GoldenTickets(t, filepath.Join("testdata", "platform"), func(f *bot.TicketForm, ps bot.Phrases, lang string) any {
		return slack.TicketModal(f, ps, lang)
	})
}

// unused is an adapter that is never run.
func unused(t testing.TB) *slack.Adapter {
	t.Helper()
	a, err := slack.New(slack.Options{Options: chat.Options{Channel: "slack-acme", Phrases: phrases}, House: &rooms{}, Team: slacktest.Team, BotToken: secrets("xoxb-1"), SigningSecret: secrets("secret")})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// specials are what no step of a script is: the key, forms, App Home.
func specials(t testing.TB, set bot.Phrases, lang string) map[string]any {
	t.Helper()
	render := func(m bot.Message, x slack.Extras) slack.Wire {
		m.Lang = lang
		w, err := slack.Render(&m, x, set)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	all := map[string]any{
		"key": render(bot.Message{Text: "Scan this.", Prompt: 7, Picture: &bot.Picture{Alt: "QR code."}, Choices: []bot.Choice{{ID: "done", Label: "Done", Primary: true}}},
			slack.Extras{File: "F0123ABCD", Revealed: &bot.Revealed{URI: "otpauth://totp/x?secret=ABCD", Key: "ABCD EFGH"}}),
		"key without its picture": render(bot.Message{Text: "Type this.", Prompt: 7}, slack.Extras{Revealed: &bot.Revealed{URI: "otpauth://totp/x?secret=ABCD", Key: "ABCD EFGH"}}),
		"picture in words":        render(bot.Message{Text: "Look.", Picture: &bot.Picture{Name: "x", Alt: "A *phone* & <its> camera."}}, slack.Extras{}),
		"no page":                 render(bot.Message{Text: "Sign in.", Form: &bot.Form{Name: "sign_in", Title: "Sign in", Button: "Sign in"}}, slack.Extras{}),
		"page of a key":           render(bot.Message{Text: "Scan."}, slack.Extras{Page: "https://latchkey.example/private#TOKEN"}),
		"home, nobody":            slack.Home(bot.Overview{}, lang, set),
		"home, begun":             slack.Home(bot.Overview{Level: bot.L1, Name: "Ada & <Co>", Stage: bot.Started}, lang, set),
		"home, enrolled":          slack.Home(bot.Overview{Level: bot.L2, Name: "Ada", Stage: bot.Enrolled, Methods: []string{"- App", "- Phone •••• 23"}}, lang, set),
	}
	for _, kind := range []bot.EntryKind{bot.EntryCode, bot.EntryPhone, bot.EntryEmail} {
		say := func(part string) string { return set.Phrase(lang, "entry."+string(kind)+"."+part) }
		e := bot.Entry{Kind: kind, Title: say("title"), Label: say("label"), Button: say("button")}
		modal, err := slack.Modal(e, 7, lang, set)
		if err != nil {
			t.Fatal(err)
		}
		all["modal, "+string(kind)] = modal
		all["entry, "+string(kind)] = render(bot.Message{Text: "Which?", Prompt: 7, Entry: &e}, slack.Extras{})
	}
	return all
}

// complete checks what a screen reader gets: all words, all choices, no link to a
// one-time page.
func complete(t *testing.T, where string, m *bot.Message, w slack.Wire) {
	t.Helper()
	said := slacktest.Unescape(w.Text)
	for _, part := range []string{m.Text, m.Progress} {
		if !strings.Contains(said, part) {
			t.Errorf("%s: a screen reader does not get %.60q", where, part)
		}
	}
	for _, c := range m.Choices {
		if !strings.Contains(said, c.Label) {
			t.Errorf("%s: a screen reader does not get the choice %q", where, c.Label)
		}
	}
	if m.Picture != nil && !strings.Contains(said, m.Picture.Alt) {
		t.Errorf("%s: a screen reader does not get the picture", where)
	}
	if strings.Contains(w.Text, "private#") || strings.Contains(w.Text, "<") {
		t.Errorf("%s: the text has an address of a page, or is not escaped: %.200q", where, w.Text)
	}
	if strings.Contains(w.Text, "JBSW") || strings.Contains(w.Text, "otpauth") {
		t.Errorf("%s: a key stands in what notifications show", where)
	}
	if n := utf8.RuneCountInString(w.Text); n > 4000 {
		t.Errorf("%s: a text of %d characters", where, n)
	}
}

func golden(t *testing.T, name string, v any) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", "platform", name)
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; run the test with -update", err)
	}
	if !bytes.Equal(want, b.Bytes()) {
		t.Errorf("%s is rendered otherwise than it was; see what changed with -update and git diff", name)
	}
}

// goldens reads all files.
func goldens(t *testing.T) map[string]map[string]json.RawMessage {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "[gp]*", "*.json"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d golden files: %v", len(files), err)
	}
	slices.Sort(files)
	all := map[string]map[string]json.RawMessage{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		all[f] = m
	}
	return all
}

// TestGoldenFits: the double, which knows Slack's limits, takes every golden
// message.
func TestGoldenFits(t *testing.T) {
	w := slacktest.New(t)
	n := 0
	for file, m := range goldens(t) {
		for name, raw := range m {
			n++
			if why := w.Refuses(raw); why != "" {
				t.Errorf("%s, %s: %s", file, name, why)
			}
		}
	}
	if n < 150 {
		t.Errorf("%d looked at", n)
	}
	for what, raw := range map[string]string{
		"a long button": `{"text":"x","blocks":[{"type":"actions","elements":[{"type":"button","action_id":"a","text":{"type":"plain_text","text":"` + strings.Repeat("x", 76) + `"}}]}]}`,
		"markup":        `{"text":"x","blocks":[{"type":"actions","elements":[{"type":"button","action_id":"a","text":{"type":"mrkdwn","text":"x"}}]}]}`,
		"otpauth":       `{"text":"x","blocks":[{"type":"actions","elements":[{"type":"button","action_id":"a","url":"otpauth://totp/x","text":{"type":"plain_text","text":"x"}}]}]}`,
		"26 buttons":    `{"text":"x","blocks":[{"type":"actions","elements":[` + strings.TrimSuffix(strings.Repeat(`{"type":"button","action_id":"a","text":{"type":"plain_text","text":"x"}},`, 26), ",") + `]}]}`,
	} {
		if w.Refuses(json.RawMessage(raw)) == "" {
			t.Errorf("%s is taken", what)
		}
	}
}
