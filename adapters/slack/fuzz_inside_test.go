package slack

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"latchkey/adapters/chat"
	"latchkey/adapters/slack/slacktest"
	"latchkey/bot"
)

// sound checks what every arrival must be like, whatever it was made of.
func sound(t *testing.T, v arrival, err error) {
	t.Helper()
	switch {
	case err != nil:
		if v.what != nothing || !errors.Is(err, errUndecodable) {
			t.Errorf("%+v with %v", v, err)
		}
		return
	case v.what == nothing, v.what == gone:
		return
	case v.what == challenge:
		if !isOpaque(v.text) {
			t.Errorf("challenge %q", v.text)
		}
		return
	}
	if !userID.MatchString(v.user) || !teamID.MatchString(v.team) || !isOpaque(v.id) || len(v.id) > 512 {
		t.Errorf("ids: %q %q %q", v.user, v.team, v.id)
	}
	if !utf8.ValidString(v.text) || utf8.RuneCountInString(v.text) > bot.MaxText+1 || !utf8.ValidString(v.choice) {
		t.Errorf("text of %d bytes", len(v.text))
	}
	switch v.what {
	case said:
		if !dmID.MatchString(v.channel) || !stamp.MatchString(v.ts) {
			t.Errorf("said in %q at %q", v.channel, v.ts)
		}
	case pressed:
		if v.choice == "" || v.message == nil {
			t.Error("pressed nothing")
		}
		settled(v.message, "✓", false)
	case asks:
		if v.trigger == "" || v.entry.Prompt == 0 {
			t.Errorf("asks for %+v", v.entry)
		}
		v.entry.modal(nowords{})
	case entered:
		if v.prompt == 0 {
			t.Error("entered for no prompt")
		}
	}
}

type nowords struct{}

func (nowords) Phrase(_, key string, _ ...string) string { return key }
func (nowords) Languages() []string                      { return []string{"en"} }

func FuzzEvent(f *testing.F) {
	for _, s := range []string{
		`{"type":"event_callback","team_id":"T0TESTTEAM","event_id":"Ev1","event":{"type":"message","channel":"D0ABC","channel_type":"im","user":"U0ABC","text":"hi &amp; <@U1|x>","ts":"1.1"}}`,
		`{"type":"event_callback","team_id":"T0TESTTEAM","event_id":"Ev1","authorizations":[{"team_id":"T1"}],"event":{"type":"message","subtype":"message_changed","channel":"D0ABC","message":{"text":"x"},"ts":"1.1"}}`,
		`{"type":"event_callback","team_id":"T0TESTTEAM","event_id":"Ev1","event":{"type":"app_home_opened","user":"U0ABC","tab":"home","channel":"D0ABC"}}`,
		`{"type":"event_callback","team_id":"T0TESTTEAM","event_id":"Ev1","event":{"type":"app_mention","user":"U0ABC","channel":"C0ABC","text":"x","ts":"1.1"}}`,
		`{"type":"event_callback","team_id":"T0TESTTEAM","event_id":"Ev1","event":{"type":"tokens_revoked","tokens":{"bot":["U1"]}}}`,
		`{"type":"url_verification","challenge":"abc"}`, `{"type":"app_rate_limited","minute_rate_limited":1}`, `{}`, `[]`, `null`, `{"type":1}`, "\xff",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := decodeEvent(raw)
		sound(t, v, err)
	})
}

func FuzzInteraction(f *testing.F) {
	value, _ := json.Marshal(entry{Prompt: 7, Kind: bot.EntryCode, Title: "T", Label: "L"})
	quoted, _ := json.Marshal(string(value))
	for _, s := range []string{
		`{"type":"block_actions","user":{"id":"U0ABC","team_id":"T0TESTTEAM"},"container":{"message_ts":"1.1","channel_id":"D0ABC"},"message":{"text":"x","blocks":[{"type":"actions","elements":[]},{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[{"type":"text","text":"x"}]}]},{"type":"new"}]},"actions":[{"type":"button","action_id":"choice:1","value":"7 on","action_ts":"1.2","text":{"type":"plain_text","text":"On"}}]}`,
		`{"type":"block_actions","trigger_id":"1.2","user":{"id":"U0ABC","team_id":"T0TESTTEAM"},"container":{"message_ts":"1.1","channel_id":"D0ABC"},"actions":[{"type":"button","action_id":"entry","value":` + string(quoted) + `,"action_ts":"1.2"}]}`,
		`{"type":"block_actions","user":{"id":"U0ABC","team_id":"T0TESTTEAM"},"actions":[{"type":"button","action_id":"home:start","action_ts":"1.2"}]}`,
		`{"type":"view_submission","user":{"id":"U0ABC","team_id":"T0TESTTEAM"},"view":{"id":"V1","hash":"1.2","callback_id":"entry","private_metadata":"7","state":{"values":{"entry":{"value":{"type":"plain_text_input","value":"123"}}}}}}`,
		`{"type":"view_closed"}`, `{"actions":[null]}`, `{}`, `null`, "\xff",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := decodeInteraction(raw)
		sound(t, v, err)
	})
}

func FuzzForm(f *testing.F) {
	f.Add([]byte(url.Values{"command": {"/sspr"}, "team_id": {"T0TESTTEAM"}, "user_id": {"U0ABC"}, "channel_id": {"C0ABC"}, "trigger_id": {"1.2"}, "text": {"help"}}.Encode()))
	f.Add([]byte("payload=%7B%7D"))
	f.Add([]byte("ssl_check=1"))
	f.Add([]byte("%zz&a=%ff"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := decodeForm(raw)
		sound(t, v, err)
		v, err = decodeCommand(slack.SlashCommand{TeamID: string(raw), Text: string(raw), TriggerID: "1.2", UserID: "U0ABC"})
		sound(t, v, err)
	})
}

// FuzzTyped: what was typed is found again in what Slack makes of it, and
// anything at all is read without harm.
func FuzzTyped(f *testing.F) {
	for _, s := range []string{"a <b> & c", "<mailto:a@b|a@b>", "<", "<>", "<!", "<@|x>", "&amp;lt;", "<<a>>|", "<tel:+1|1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		typed(s)
		if got := typed(escaped(s)); got != s {
			t.Errorf("%q comes back as %q", s, got)
		}
	})
}

// FuzzKept: what is read back of addresses, receipts and values is ours, or
// nothing.
func FuzzKept(f *testing.F) {
	for _, s := range []string{`{"c":"D0ABC","m":"1.1"}`, "D0ABC/1.1/F0ABC", "D0ABC/1.1", "7 on", "//", `{"c":1}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v := readAddress([]byte(s)); v.Channel != "" && !dmID.MatchString(v.Channel) || v.Last != "" && !stamp.MatchString(v.Last) {
			t.Errorf("%+v", v)
		}
		if r, ok := readReceipt(s); ok && r.String() != s {
			t.Errorf("%q is read as %q", s, r)
		}
		if _, choice, ok := choiceValue(s); ok && choice == "" {
			t.Error("no choice")
		}
		if e, err := readEntry(s); err == nil {
			e.modal(nowords{})
		}
		if n := 10; utf8.RuneCountInString(chat.Cut(s, n)) > n || utf8.ValidString(s) && utf8.RuneCountInString(s) <= n && chat.Cut(s, n) != s {
			t.Errorf("cut to %q", chat.Cut(s, n))
		}
	})
}

// FuzzRender: whatever a message says, it is rendered within Slack's limits, or
// refused.
func FuzzRender(f *testing.F) {
	f.Add("Text", "Step 1", "Go & <on>", "alt", "id")
	f.Add(strings.Repeat("w", 3000), "", strings.Repeat("&", 75), "\u202e", "")
	f.Fuzz(func(t *testing.T, text, progress, label, alt, id string) {
		m := bot.Message{Text: text, Progress: progress, Prompt: 7, Choices: []bot.Choice{{ID: id, Label: label, Primary: true}}, Picture: &bot.Picture{Name: "x", Alt: alt}, Entry: &bot.Entry{Kind: bot.EntryPhone, Title: chat.Cut(label, 24), Label: chat.Cut(label, 45), Button: chat.Cut(label, 30)}}
		w, err := Render(&m, Extras{Lang: "en"}, nowords{})
		if err != nil {
			return
		}
		if strings.ContainsAny(w.Text, "<>") || strings.ContainsAny(w.Text, "\u202e\x1b") {
			t.Errorf("the text: %q", w.Text)
		}
		raw, err := json.Marshal(w)
		if err != nil || !json.Valid(raw) {
			t.Error(err)
		}
		if why := slacktest.Judge(raw); why != "" && utf8.ValidString(text+progress+label+alt+id) {
			t.Errorf("Slack would refuse it: %s", why)
		}
	})
}
