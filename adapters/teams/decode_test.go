package teams

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"latchkey/bot"
)

// TestDecode reads one activity of each shape that Teams and the Agents
// Playground send.
func TestDecode(t *testing.T) {
	t.Parallel()
	type want struct {
		kind, text, locale, tenant string
		personal, arrival, files   bool
		bot, ours                  bool
	}
	const tenant = "22222222-aaaa-4bbb-8ccc-000000000002"
	for name, w := range map[string]want{
		"message.json":             {kind: "message", text: "Grüße <b>& \"so\"</b> 🔑", locale: "de-DE", tenant: tenant, personal: true},
		"message-mention.json":     {kind: "message", text: "status", locale: "en-US", tenant: tenant},
		"message-file.json":        {kind: "message", text: "", locale: "en-US", tenant: tenant, personal: true, files: true},
		"message-submit.json":      {kind: "message", locale: "en-US", tenant: tenant, personal: true, ours: true},
		"message-from-a-bot.json":  {kind: "message", text: "hi", tenant: tenant, personal: true, bot: true},
		"message-two-tenants.json": {kind: "message", text: "hi", personal: true},
		"conversation-update.json": {kind: "conversationUpdate", tenant: tenant, personal: true, arrival: true},
		"member-added.json":        {kind: "conversationUpdate", tenant: tenant, personal: true},
		"installation-add.json":    {kind: "installationUpdate", locale: "en-US", tenant: tenant, personal: true, arrival: true},
		"installation-remove.json": {kind: "installationUpdate", locale: "en-US", tenant: tenant, personal: true},
		"invoke-task-fetch.json":   {kind: "invoke", locale: "en-US", tenant: tenant, personal: true, ours: true},
		"invoke-task-submit.json":  {kind: "invoke", locale: "en-US", tenant: tenant, personal: true, ours: true},
		"invoke-card-action.json":  {kind: "invoke", locale: "en-US", tenant: tenant, personal: true, ours: true},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join("testdata", "activities", name))
			if err != nil {
				t.Fatal(err)
			}
			a, err := decode(b)
			if err != nil {
				t.Fatal(err)
			}
			p, _, ours := a.submitted()
			got := want{a.Type, a.said(), a.locale(), a.tenant(), a.personal(), a.arrival(), a.files(), a.bot(), ours}
			if got != w {
				t.Errorf("got  %+v\nwant %+v", got, w)
			}
			if name == "message.json" && a.device() != "Web" {
				t.Errorf("it comes from %q", a.device())
			}
			if ours && p.Prompt != 7 {
				t.Errorf("data %+v", p)
			}
		})
	}
}

// TestDecodeRefuses: what is no activity, or is nested or named so that nobody
// should look at it, is refused.
func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	good, err := os.ReadFile("testdata/activities/message.json")
	if err != nil {
		t.Fatal(err)
	}
	change := func(old, now string) string {
		if !bytes.Contains(good, []byte(old)) {
			t.Fatalf("no %s", old)
		}
		return strings.Replace(string(good), old, now, 1)
	}
	for what, b := range map[string]string{
		"nothing": "", "null": "null", "a list": "[]", "cut": string(good[:len(good)/2]), "more after it": string(good) + "{}",
		"not UTF-8": change("Grüße", "Gr\xff"), "no type": change(`"type": "message"`, `"x": 1`), "a number for a name": change(`"id": "29:1XJKd-ada"`, `"id": 7`),
		"no conversation": change(`"conversation": {`, `"x": {`), "a path for a conversation": change(`"a:17I0klmnop-ada"`, `".."`), "a control character": change(`"29:1XJKd-ada"`, `"29:\u0007"`),
		"too deep": change(`"textFormat": "plain"`, `"value": `+strings.Repeat("[", 40)+strings.Repeat("]", 40)), "a long id": change(`"29:1XJKd-ada"`, `"`+strings.Repeat("9", 600)+`"`),
	} {
		if a, err := decode([]byte(b)); err == nil && what != "null" || a != nil && what == "null" {
			t.Errorf("%s is taken: %+v", what, a)
		}
	}
}

// FuzzDecode: whatever comes, what is taken is safe to use.
func FuzzDecode(f *testing.F) {
	files, err := filepath.Glob("testdata/activities/*.json")
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds")
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := decode(b)
		if err != nil {
			if strings.Contains(err.Error(), string(b)) && len(b) > 20 {
				t.Error("the error repeats what came")
			}
			return
		}
		for _, s := range []string{a.Type, a.ID, a.From.ID, a.Conversation.ID, a.key()} {
			if s == "" || len(s) > 1100 || strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("an id like %q", s)
			}
		}
		if n := utf8.RuneCountInString(a.said()); n > bot.MaxText+1 {
			t.Errorf("text of %d runes", n)
		}
		if len(a.locale()) > 35 || len(a.key()) > 512 || len(a.opening()) > 1100 {
			t.Error("something long")
		}
		a.files()
		a.arrival()
		a.personal()
		a.bot()
		if p, value, ok := a.submitted(); ok {
			if p.Choice == "" && p.Entry == "" {
				t.Errorf("data of nothing: %+v", p)
			}
			cut := activity{Text: value}
			_ = cut.said()
			out := settled(p, frame{phrases: none{}, lang: "en"}, p.Label)
			if _, err := encode(out); err != nil {
				t.Error(err)
			}
			if _, err := encode(dialog(p, "Send")); err != nil {
				t.Error(err)
			}
		}
	})
}

const (
	rsaKey    = `{"kty":"RSA","kid":"a","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri23bOdgWp4Dy1WlUzewbgBHod5pcM9H95GQRV3JDXboIRROSBigeC5yjU1hGzHHyXss8UDprecbAYxknTcQkhslANGRUZmdTOQ5qTRsLAt6BTYuyvVRdhS8exSZEy_c4gs_7svlJJQ4H9_NxsiIoLwAEk7-Q3UXERGYw_75IDrGA84-lA_-Ct4eTlXHBIY2EaV7t7LjJaynVJCpkv4LKjTTAumiGUIuQhrNhZLuF_RJLqHpM2kgWFLU7-VTdL1VbC2tejvcI2BlMkEpk1BzBZI0KQB0GaDWFLN-aEAw3vRw","e":"AQAB","endorsements":["msteams"]}`
	sharedKey = `{"kty":"oct","kid":"a","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow","endorsements":["msteams"]}`
)

// TestReadKeys: a public key with an id is kept, with what it endorses; a shared
// key, which anybody could sign with, is not.
func TestReadKeys(t *testing.T) {
	t.Parallel()
	have := readKeys([]json.RawMessage{[]byte(rsaKey), []byte(sharedKey), []byte(`7`), []byte(strings.Replace(rsaKey, `"kid":"a",`, "", 1))})
	if len(have) != 1 || have[0].KeyID != "a" || !have[0].endorses("msteams") || have[0].endorses("webchat") {
		t.Errorf("kept %+v", have)
	}
}

// FuzzKeys: of whatever a key server says, only public keys with an id are kept.
func FuzzKeys(f *testing.F) {
	f.Add([]byte(rsaKey))
	f.Add([]byte(sharedKey))
	f.Add([]byte(`{"kty":"RSA","kid":"a","n":"","e":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range readKeys([]json.RawMessage{b}) {
			if k.KeyID == "" || !k.IsPublic() {
				t.Errorf("kept %+v of %s", k, b)
			}
		}
	})
}

// FuzzRefusal: whatever the connector answers, its code is a word.
func FuzzRefusal(f *testing.F) {
	f.Add([]byte(`{"error":{"code":"BadSyntax","message":"x"}}`))
	f.Add([]byte(`{"errorCode":209,"message":"{\"subCode\":\"MessageWritesBlocked\"}"}`))
	f.Add([]byte(`<html>`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c := refusalCode(b); c != "" && !bot.Plain(c, 64, "") {
			t.Errorf("code %q", c)
		}
	})
}

// FuzzAddress: whatever is stored as an address, nothing is sent to a host that
// is not allowed.
func FuzzAddress(f *testing.F) {
	f.Add([]byte(`{"s":"https://smba.trafficmanager.net/amer","c":"a:1","u":"29:1","b":"28:1"}`))
	f.Add([]byte(`{"s":"https://smba.trafficmanager.net@evil.example/","c":"a:1"}`))
	a := &Adapter{o: Options{ServiceHosts: clouds[Public].hosts}}
	f.Fuzz(func(t *testing.T, b []byte) {
		to, err := a.readAddress(b)
		if err != nil {
			return
		}
		u, err := url.Parse(to.Service)
		if err != nil || u.Scheme != "https" || u.Host != "smba.trafficmanager.net" && u.Host != "smba.trafficmanager.net:443" && !strings.HasSuffix(u.Host, ".botframework.com") {
			t.Errorf("service %q", to.Service)
		}
		if p := to.activities("1"); !strings.HasPrefix(p, "/v3/conversations/") || strings.Count(p, "/") != 5 {
			t.Errorf("path %q", p)
		}
	})
}

// FuzzRender: whatever a message says, its card is within the limits, and all of
// its text is in it.
func FuzzRender(f *testing.F) {
	f.Add("Hello\n\nthere", "Step 1", "Start", "{\"x\":1}", uint8(3), true)
	f.Add(strings.Repeat("\"\\", 700), "", "\u202e", "", uint8(6), false)
	f.Fuzz(func(t *testing.T, text, progress, label, alt string, n uint8, entry bool) {
		if !utf8.ValidString(text + progress + label + alt) {
			t.Skip()
		}
		m := bot.Message{Text: text, Progress: progress, Prompt: 1, Picture: &bot.Picture{Alt: alt}}
		for i := range n % 8 {
			m.Choices = append(m.Choices, bot.Choice{ID: string('a' + rune(i)), Label: label})
		}
		if entry {
			m.Entry = &bot.Entry{Kind: bot.EntryCode, Title: "T", Label: "L", Button: "B"}
		}
		out, err := render(&m, frame{phrases: none{}, lang: "en", inline: n > 100})
		if err != nil {
			return
		}
		b, err := encode(out.Attachments[0].Content)
		if err != nil || len(b) > maxCard {
			t.Fatalf("a card of %d bytes: %v", len(b), err)
		}
		var card struct {
			Body []struct{ Inlines []struct{ Text string } }
		}
		if err := json.Unmarshal(b, &card); err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, e := range card.Body {
			for _, r := range e.Inlines {
				all.WriteString(r.Text)
				if bot.Harmless(r.Text) != r.Text {
					t.Errorf("not harmless: %q", r.Text)
				}
			}
		}
		squash := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if !strings.Contains(squash(all.String()), squash(bot.Harmless(text))) {
			t.Errorf("%q is shown as %q", text, all.String())
		}
	})
}

// none has no phrases.
type none struct{}

func (none) Phrase(_, key string, kv ...string) string { return key + strings.Join(kv, " ") }
func (none) Languages() []string                       { return []string{"en"} }
