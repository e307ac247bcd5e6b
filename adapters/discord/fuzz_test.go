package discord

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"latchkey/bot"
)

func FuzzMessage(f *testing.F) {
	f.Add([]byte(`{"id":"1","channel_id":"2","author":{"id":"3","bot":false},"content":"hi","type":0,"attachments":[],"sticker_items":[{"id":"5"}]}`))
	f.Add([]byte(`{"id":"1","channel_id":"2","guild_id":"4","channel_type":3,"webhook_id":"9","author":{"id":"3"},"content":"\u202e","type":19}`))
	f.Add([]byte(`[[[[{}]]]]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := decodeMessage(raw)
		if err != nil {
			if m != nil {
				t.Error("a message and an error")
			}
			return
		}
		if !snowflake(m.ID) || !snowflake(m.Channel) || !snowflake(m.Author.ID) || utf8.RuneCountInString(m.Content) > bot.MaxText+1 {
			t.Errorf("%+v", m)
		}
		if m.personal() && (m.Guild != "" || m.Author.Bot) {
			t.Errorf("personal: %+v", m)
		}
	})
}

func FuzzInteraction(f *testing.F) {
	f.Add([]byte(`{"id":"1","application_id":"2","type":3,"token":"t-._=","channel_id":"3","context":1,"locale":"es-ES","user":{"id":"4"},"data":{"custom_id":"c|1|x"},"message":{"id":"5","content":"x","components":[{"type":1,"components":[{"type":2,"label":"L","custom_id":"c|1|x"}]}]}}`))
	f.Add([]byte(`{"id":"1","application_id":"2","type":5,"token":"t","channel_id":"3","user":{"id":"4"},"data":{"custom_id":"m|1|c","components":[{"type":18,"component":{"type":4,"custom_id":"v","value":"123"}}]}}`))
	f.Add([]byte(`{"id":"1","application_id":"2","type":2,"token":"t","channel_id":"3","guild_id":"9","member":{"user":{"id":"4"}},"data":{"name":"setup","options":[{"name":"what","value":"help"}]}}`))
	f.Add([]byte(`{"type":1}`))
	a := &Adapter{}
	f.Fuzz(func(t *testing.T, raw []byte) {
		i, err := decodeInteraction(raw)
		if err != nil || i.Type == kindPing {
			return
		}
		who := i.author()
		if who == nil || !snowflake(who.ID) || !snowflake(i.ID) || !token(i.Token) || len(i.Locale) > 35 {
			t.Fatalf("%+v", i)
		}
		if i.direct() && (i.Guild != "" || i.Member != nil && i.Member.User != who && i.Guild != "") {
			t.Errorf("direct: %+v", i)
		}
		ev := a.command(i)
		if utf8.RuneCountInString(ev.Text) > bot.MaxText+1 || ev.Kind != bot.Text && ev.Kind != bot.Open {
			t.Errorf("%+v", ev)
		}
		labelOf(i, func(*component) bool { return true })
		if p, ok := readID(i.Data.CustomID); ok && p.what == 'e' {
			if m := form(p); length(m.Title) > maxTitle || length(m.Components[0].Label) > maxTitle {
				t.Errorf("%+v", m)
			}
		}
		entered(i)
	})
}

func FuzzCustomID(f *testing.F) {
	for _, s := range []string{"c|1|x", "e|1|c|T|L", "m|1|p", "c|4294967296|x", "|||", "c||"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := readID(s)
		if !ok {
			return
		}
		switch p.what {
		case 'c':
			if choiceID(p.prompt, p.choice) != s {
				t.Errorf("%q reads as %+v", s, p)
			}
		case 'm':
			if form(p).CustomID != s {
				t.Errorf("%q reads as %+v", s, p)
			}
		}
	})
}

func FuzzPage(f *testing.F) {
	f.Add([]byte(`[{"id":"2","channel_id":"2","author":{"id":"3"}},{"id":"1","channel_id":"2","author":{"id":"3"}},7]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, _, err := decodePage(raw)
		if err != nil {
			return
		}
		for n := 1; n < len(list); n++ {
			if later(list[n-1].ID, list[n].ID) {
				t.Errorf("%s stands before %s", list[n-1].ID, list[n].ID)
			}
		}
	})
}

func FuzzAddress(f *testing.F) {
	f.Add([]byte(`{"c":"1","m":"2"}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, ok := readAddress(raw)
		if ok && (!snowflake(a.Channel) || a.Seen != "" && !snowflake(a.Seen)) || !ok && a != (address{}) {
			t.Errorf("%+v %v", a, ok)
		}
	})
}

func FuzzEscape(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := escape(s)
		if utf8.RuneCountInString(got) > 2*utf8.RuneCountInString(s) {
			t.Errorf("%q became %q", s, got)
		}
		if !utf8.ValidString(s) {
			return
		}
		// Every sign that begins markup has a backslash before it, or stands in an
		// address.
		for _, word := range strings.Fields(got) {
			if webAddress.MatchString(word) {
				continue
			}
			for n := 0; n < len(word); n++ {
				if word[n] == '\\' {
					n++
					continue
				}
				if strings.ContainsRune("*_~`|<[@", rune(word[n])) {
					t.Fatalf("%q became %q", s, got)
				}
			}
		}
	})
}

// TestRecorded decodes what the double sends, which the official client reads:
// the recorded wire cases.
func TestRecorded(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join("testdata", "wire", "*.json"))
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var c struct {
			Event json.RawMessage `json:"event"`
			Want  map[string]any  `json:"want"`
		}
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		got := map[string]any{}
		if m, err := decodeMessage(c.Event); err == nil && strings.HasPrefix(filepath.Base(file), "message") {
			got["id"], got["from"], got["channel"], got["text"], got["personal"] = m.ID, m.Author.ID, m.Channel, m.Content, m.personal()
		} else if i, err := decodeInteraction(c.Event); err == nil {
			got["id"], got["from"], got["channel"], got["direct"], got["locale"] = i.ID, i.author().ID, i.Channel, i.direct(), i.Locale
			if p, ok := readID(i.Data.CustomID); ok {
				got["what"], got["prompt"], got["choice"] = string(p.what), float64(p.prompt), p.choice
			}
			if in := entered(i); in != nil {
				got["value"] = in.Value
			}
		} else {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for k, want := range c.Want {
			if got[k] != want {
				t.Errorf("%s: %s is %v, want %v", file, k, got[k], want)
			}
		}
	}
}
