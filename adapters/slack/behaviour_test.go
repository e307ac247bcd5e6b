package slack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/chat"
	"latchkey/adapters/slack"
	"latchkey/adapters/slack/slacktest"
	"latchkey/bot"
	"latchkey/bot/budget"
)

// askCode is a message that waits for a code.
func askCode(prompt uint32) bot.Message {
	return bot.Message{Text: "Which code?", Prompt: prompt, Lang: "en", Entry: &bot.Entry{Kind: bot.EntryCode, Title: "Enter the code", Label: "The six digits", Button: "Enter the code"}}
}

// TestEntry: the button opens a modal with one field; what is entered comes as
// text of that prompt, and the modal closes.
func TestEntry(t *testing.T) {
	t.Parallel()
	for _, socket := range []bool{false, true} {
		t.Run(map[bool]string{false: "events", true: "socket"}[socket], func(t *testing.T) {
			t.Parallel()
			s := start(t, func(_ *workspace, o *slack.Options) {
				if socket {
					o.AppToken, o.SigningSecret = secrets(slacktest.AppToken), nil
				}
			})
			s.Set(func(w *slacktest.Workspace) { w.Life = time.Hour }) // whatever else this machine does
			p := s.Person(0).(*person)
			s.sends(p.ID(), askCode(7))
			press, err := p.press("Enter the code")
			if err != nil {
				t.Fatal(err)
			}
			s.does(press)
			s.until("the modal", func() bool { return s.Modal(p.ID()) != nil })
			s.nothing("a form that is opened")
			var v struct {
				Title  struct{ Text string }
				Blocks []struct {
					Label   struct{ Text string }
					Element struct{ Type string }
				}
			}
			if err := json.Unmarshal(s.Modal(p.ID()).View, &v); err != nil || v.Title.Text != "Enter the code" || len(v.Blocks) != 1 || v.Blocks[0].Label.Text != "The six digits" {
				t.Errorf("the modal: %+v, %v", v, err)
			}
			enter, err := s.Enters(p.ID(), "123 456")
			if err != nil {
				t.Fatal(err)
			}
			if answer := s.does(enter); len(bytes.TrimSpace(answer)) > 0 && string(answer) != "null" {
				t.Errorf("the modal is answered with %s", answer)
			}
			if ev := s.took(); ev.Kind != bot.Text || ev.Text != "123 456" || ev.Prompt != 7 || ev.From != p.ID() {
				t.Errorf("entered: %+v", ev)
			}
			if s.Modal(p.ID()) != nil {
				t.Error("the modal stays open")
			}
			if ms := s.Messages(s.Room(p.ID())); strings.Contains(fmt.Sprintf("%s", ms[len(ms)-1].Blocks), "123 456") {
				t.Error("what was entered stands in the chat")
			}
		})
	}
}

// TestEntryTooLate: a trigger lives three seconds; the person is told to press again.
func TestEntryTooLate(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	p := s.Person(0).(*person)
	s.sends(p.ID(), askCode(7))
	for _, why := range []string{"late", "used"} {
		press, err := p.press("Enter the code")
		if err != nil {
			t.Fatal(err)
		}
		before := len(s.sees(p.ID()))
		if why == "late" {
			s.Set(func(w *slacktest.Workspace) { w.Life = -1 })
		} else {
			s.Set(func(w *slacktest.Workspace) { w.Life = time.Hour })
			press.Payload["trigger_id"] = "1.2.neverissued"
		}
		s.does(press)
		s.until("the hint", func() bool {
			all := s.sees(p.ID())
			return len(all) > before && strings.Contains(all[len(all)-1].Text, "That took too long. Press again.")
		})
	}
	s.nothing("a form that did not open")
}

// TestUsedButtons: the buttons of a message become what was pressed; those of an
// earlier prompt just go; and text, picture and the words for screen readers stay.
func TestUsedButtons(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	p := s.Person(0).(*person)
	ask := func(prompt uint32, text string) {
		s.sends(p.ID(), bot.Message{Text: text, Prompt: prompt, Lang: "en", Choices: []bot.Choice{{ID: "a", Label: "A & <b>"}, {ID: "c", Label: "C"}}})
	}
	ask(5, "First? 1 < 2 & *bold*")
	old, err := p.press("A & <b>")
	if err != nil {
		t.Fatal(err)
	}
	ask(6, "Second?")
	now, err := p.press("C")
	if err != nil {
		t.Fatal(err)
	}
	s.does(now)
	if ev := s.took(); ev.Kind != bot.Press || ev.Choice != "c" || ev.Prompt != 6 {
		t.Errorf("pressed: %+v", ev)
	}
	s.until("the used buttons to go", func() bool {
		m := s.sees(p.ID())[1]
		return len(m.Buttons) == 0 && m.Text == "Second?\n✓ C"
	})
	if m := s.Messages(s.Room(p.ID()))[1]; !strings.HasPrefix(m.Text, "Second?") || !strings.HasSuffix(m.Text, "✓ C") {
		t.Errorf("for screen readers: %q", m.Text)
	}
	s.does(old)
	if ev := s.took(); ev.Kind != bot.Press || ev.Choice != "a" || ev.Prompt != 5 {
		t.Errorf("pressed late: %+v", ev)
	}
	s.until("the stale buttons to go", func() bool {
		m := s.sees(p.ID())[0]
		return len(m.Buttons) == 0 && m.Text == "First? 1 < 2 & *bold*" && len(m.Active) == 0
	})
}

// TestNotOurs: guests, deactivated people, other workspaces are told once an
// hour; bots and nobody are not answered. None of them is heard.
func TestNotOurs(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	s := start(t, func(_ *workspace, o *slack.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(now.Load())) }
	})
	for name, u := range map[string]slacktest.User{
		"guest": {Restricted: true}, "single-channel guest": {UltraRestricted: true}, "external": {Stranger: true}, "another workspace": {Team: "T0OTHERTEAM"},
		"deactivated": {Deleted: true}, "invited, not here yet": {In: true},
	} {
		now.Store(0)
		u.Name, u.Locale = name, "es-ES"
		id := s.Add(u).ID
		h, err := s.Says(id, "let me in")
		if err != nil {
			t.Fatal(err)
		}
		told := func() int { return len(s.sees(id)) }
		s.does(h)
		s.until(name+" to be told", func() bool { return told() == 1 })
		if m := s.sees(id)[0]; m.Text != "es: Only for people of Contoso." {
			t.Errorf("%s is told %q", name, m.Text)
		}
		s.says(id, "again")
		m := &slacktest.Message{TS: "1700000000.000100", Channel: s.Room(id), User: slacktest.BotUser}
		s.does(s.Presses(id, m, map[string]any{"block_id": "choices", "action_id": "choice:1", "value": "7 on", "text": map[string]any{"type": "plain_text", "text": "On"}}))
		s.does(s.Opens(id, "messages"))
		if a := string(s.does(s.Commands(id, s.Room(id), "/sspr", "help"))); !strings.Contains(a, "Only for people of Contoso.") {
			t.Errorf("%s uses the command and is told %q", name, a)
		}
		if n := told(); n != 1 {
			t.Errorf("%s is told %d times", name, n)
		}
	}
	for _, u := range []slacktest.User{{Name: "a bot", Bot: true}} {
		id := s.Add(u).ID
		s.says(id, "beep")
		if len(s.sees(id)) > 0 {
			t.Errorf("%s is answered", u.Name)
		}
	}
	s.does(s.Event("U0NOBODY99", map[string]any{"type": "message", "channel": "D0NOBODY99", "channel_type": "im", "user": "U0NOBODY99", "text": "x", "ts": "1.1"}))
	s.nothing("people who are not ours")
}

// TestSlackDoesNotTell: whatever Slack says, or does not, when it is asked who
// somebody is, what they do is acknowledged and nobody is heard before it is
// known; then all of it is, in order.
func TestSlackDoesNotTell(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what string
		sick func(s *stage) (well func())
	}{
		{"an error", func(s *stage) func() {
			s.Refuse("users.info", "internal_error")
			return func() { s.Refuse("users.info", "") }
		}},
		{"too many", func(s *stage) func() {
			s.Refuse("users.info", "ratelimited")
			return func() { s.Refuse("users.info", "") }
		}},
		{"no answer", func(s *stage) func() {
			release := make(chan struct{})
			s.Hook("users.info", func(string) { <-release })
			t.Cleanup(sync.OnceFunc(func() { close(release) }))
			return func() { s.Hook("users.info", nil); release <- struct{}{} }
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			u := s.Person(0).ID()
			well := c.sick(s)
			s.says(u, "hello")
			m := &slacktest.Message{TS: "1700000000.000100", Channel: s.Room(u), User: slacktest.BotUser}
			s.does(s.Presses(u, m, map[string]any{"block_id": "choices", "action_id": "choice:1", "value": "7 on", "text": map[string]any{"type": "plain_text", "text": "On"}}))
			s.says(u, "are you there?")
			s.until("Slack to be asked", func() bool { return s.Calls("users.info") > 0 })
			s.nothing("somebody unknown")
			well()
			for _, want := range []string{"hello", "on", "are you there?"} {
				if ev := s.took(); ev.From != u || ev.Text+ev.Choice != want {
					t.Errorf("took %+v, want %q", ev, want)
				}
			}
			s.Refuse("users.info", "internal_error") // known for a while
			s.says(u, "still here")
			if ev := s.took(); ev.Text != "still here" {
				t.Errorf("took %+v", ev)
			}
		})
	}
}

// TestRestartWhileUnknown: what was acknowledged before the program ended is taken
// in by the next one, first of all, and once.
func TestRestartWhileUnknown(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	u := s.Person(0).ID()
	s.Refuse("users.info", "internal_error")
	s.says(u, "hello")
	h, _ := s.Says(u, "again")
	s.does(h)
	s.restart()
	s.does(h) // Slack had not read the acknowledgement
	s.says(u, "and now")
	s.nothing("somebody unknown")
	s.Refuse("users.info", "")
	for _, want := range []string{"hello", "again", "and now"} {
		if ev := s.took(); ev.Text != want {
			t.Errorf("took %+v, want %q", ev, want)
		}
	}
	s.nothing("a repeat")
}

// TestManyUnknown: when many write at once, the list of members says who they are
// in a few answers; who is not in it is asked about.
func TestManyUnknown(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.Set(func(w *slacktest.Workspace) { w.Page = 7 })
	release := make(chan struct{})
	s.Hook("users.info", func(string) { <-release })
	t.Cleanup(sync.OnceFunc(func() { close(release) }))
	all := make(chan struct{})
	s.Hook("users.list", func(string) { <-all })
	var users []string
	for i := range 40 {
		users = append(users, s.Add(slacktest.User{Name: fmt.Sprint("person ", i), Locale: "es-ES"}).ID)
	}
	guest := s.Add(slacktest.User{Name: "guest", Restricted: true}).ID
	for _, u := range append(users, guest) {
		s.says(u, "hi from "+u)
	}
	s.until("all to be looked up", func() bool { return slack.Wanted(s.a) == len(users)+1 })
	close(all)
	heard := map[string]bool{}
	for range users {
		ev := s.took()
		if heard[ev.From] || ev.Text != "hi from "+ev.From || ev.Locale != "es-ES" {
			t.Errorf("took %+v", ev)
		}
		heard[ev.From] = true
	}
	s.until("the guest to be told", func() bool { return len(s.sees(guest)) == 1 })
	if n := s.Calls("users.list"); n == 0 || n > 7 {
		t.Errorf("the list was asked for %d times", n)
	}
	// Somebody who comes later does not wait behind questions without an answer.
	late := s.Add(slacktest.User{Name: "late"}).ID
	s.says(late, "hi from "+late)
	if ev := s.took(); ev.From != late {
		t.Errorf("took %+v", ev)
	}
	if n := s.Calls("users.info"); n > 8 {
		t.Errorf("%d people were asked about, and the list tells of all", n)
	}
	s.nothing("nobody else")
}

// TestVouch: a member's address is asked for and passed on only where single
// sign-on is declared.
func TestVouch(t *testing.T) {
	t.Parallel()
	for _, sso := range []bool{true, false} {
		s := start(t, func(w *workspace, o *slack.Options) { w.Scopes, o.SSO = slacktest.AllScopes, sso })
		u := s.Add(slacktest.User{Name: "ada", Email: "Ada@Contoso.example"}).ID
		for _, err := range []error{errors.New("store"), bot.ErrNotFound, nil} {
			s.rooms.mu.Lock()
			s.rooms.err = err
			s.rooms.mu.Unlock()
			s.says(u, "hi")
			s.took()
		}
		s.rooms.mu.Lock()
		got := s.rooms.vouched
		s.rooms.mu.Unlock()
		// The first one failed, the second one is an answer.
		if want := map[bool]int{true: 2, false: 0}[sso]; len(got) != want {
			t.Errorf("sso %v: vouched %d times", sso, len(got))
		}
		for _, v := range got {
			if v.Person != "" || v.Email != "ada@contoso.example" {
				t.Errorf("vouched for %+v", v)
			}
		}
	}
}

// TestFiles: a file without text is declined; text beside a file counts.
func TestFiles(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	u := s.Person(1).ID()
	share := func(text string) *slacktest.Happening {
		return s.Event(u, map[string]any{"type": "message", "subtype": "file_share", "channel": s.Room(u), "channel_type": "im", "user": u, "text": text, "ts": "1700000000.000100",
			"files": []any{map[string]any{"id": "F1", "name": "voice.m4a", "mimetype": "audio/mp4"}}})
	}
	s.does(share(""))
	s.until("the hint", func() bool { return len(s.sees(u)) == 1 && s.sees(u)[0].Text == "I cannot open files." })
	s.nothing("a voice message")
	s.does(share("help"))
	if ev := s.took(); ev.Kind != bot.Text || ev.Text != "help" {
		t.Errorf("text beside a file: %+v", ev)
	}
	for _, subtype := range []string{"message_changed", "message_deleted", "bot_message", "channel_join"} {
		s.does(s.Event(u, map[string]any{"type": "message", "subtype": subtype, "channel": s.Room(u), "channel_type": "im", "user": u, "text": "x", "ts": "1700000000.000200"}))
	}
	s.nothing("what is no message of a person")
}

// TestTypedText: what Slack makes of typed text is undone.
func TestTypedText(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	u := s.Person(0).ID()
	for sent, want := range map[string]string{
		"ada.private@example.net":                "ada.private@example.net",
		"see https://help.example.org/a?b=1&c=2": "see https://help.example.org/a?b=1&c=2",
		"1 < 2 && <b>&lt;</b>":                   "1 < 2 && <b>&lt;</b>",
		"*bold* _it_ `code` :smile:":             "*bold* _it_ `code` :smile:", // in a text that tells its emoji it is none
		"👍":                                      "👍",
		"1️⃣2️⃣ 1:2:3 👍🏼 thanks 😭 🙏🏿✅": "1️⃣2️⃣ 1:2:3 👍🏼 thanks 😭 🙏🏿✅",
	} {
		s.says(u, sent)
		if ev := s.took(); ev.Text != want {
			t.Errorf("%q arrives as %q", sent, ev.Text)
		}
	}
	for raw, want := range map[string]string{
		"<tel:+12015550123|(201) 555-0123>": "(201) 555-0123", "<tel:+12015550123>": "+12015550123", "<mailto:a@b.example>": "a@b.example",
		"<@U012AB3CD> hi": "@U012AB3CD hi", "<@U012AB3CD|ada>": "@ada", "<#C024BE7LR|general>": "#general", "<!here>": "@here", "<!subteam^S1|@desk>": "@desk",
		"<http://x.example|x.example>": "x.example", "a <b": "a <b", "<>": "", "&amp;lt;": "&lt;",
		":+1:": "👍", ":+1::skin-tone-3:": "👍", ":thumbsup: :-1::skin-tone-6:": "👍 👎", ":one::two:": "12", ":white_check_mark: ok": "✅ ok", ":parrot:": ":parrot:", "10:100:20": "10:100:20",
	} {
		s.does(s.Event(u, map[string]any{"type": "message", "channel": s.Room(u), "channel_type": "im", "user": u, "text": raw + ".", "ts": "1700000000.000100"}))
		if ev := s.took(); ev.Text != want+"." {
			t.Errorf("%q arrives as %q, want %q", raw, ev.Text, want+".")
		}
	}
}

// TestOpened: opening the direct messages is an arrival once, while nothing
// stands there.
func TestOpened(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	u := s.Person(0).ID()
	s.does(s.Opens(u, "messages"))
	if ev := s.took(); ev.Kind != bot.Open || ev.From != u || string(ev.Conversation) != "slack-acme|"+slacktest.Team+"|"+u {
		t.Errorf("opened: %+v", ev)
	}
	s.sends(u, bot.Message{Text: "Welcome."})
	s.does(s.Opens(u, "messages"))
	if ev := s.took(); ev.Kind != bot.Open || !ev.First {
		t.Errorf("looking at the messages again, which is none if something has been said: %+v", ev)
	}
	s.does(s.Opens(u, "about"))
	s.nothing("another tab")
	if n := s.Calls("conversations.history"); n > 0 {
		t.Errorf("Slack is asked %d times for what the house knows", n)
	}
}

// TestHome: App Home tells one's own status, and its buttons lead to the chat.
func TestHome(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	u := s.Person(1).ID()
	for _, c := range []struct {
		v    bot.Overview
		has  []string
		lack []string
	}{
		{bot.Overview{}, []string{"Your ways", "Who are you?", "Set up now", "Get help"}, []string{"My methods", "Nothing yet"}},
		{bot.Overview{Level: bot.L1, Name: "Ada <!channel>", Stage: bot.Started}, []string{"Ada <!channel>, not complete.", "Nothing yet.", "My methods"}, nil},
		{bot.Overview{Level: bot.L2, Name: "Ada", Stage: bot.Enrolled, Methods: []string{"- App", "- Phone •••• 23"}}, []string{"Ada, you are set up.", "This is set up:", "Phone •••• 23"}, []string{"Nothing yet"}},
	} {
		s.rooms.mu.Lock()
		s.rooms.overview = c.v
		s.rooms.mu.Unlock()
		s.does(s.Opens(u, "home"))
		s.until(fmt.Sprintf("App Home with %q", c.has), func() bool {
			var v any
			_ = json.Unmarshal(s.Home(u), &v)
			text := slacktest.Unescape(fmt.Sprint(v))
			return !slices.ContainsFunc(c.has, func(x string) bool { return !strings.Contains(text, x) }) &&
				!slices.ContainsFunc(c.lack, func(x string) bool { return strings.Contains(text, x) })
		})
	}
	s.nothing("looking at App Home")
	for what, want := range map[string]bot.Event{"start": {Kind: bot.Open}, "status": {Kind: bot.Text, Text: "status"}, "help": {Kind: bot.Text, Text: "help"}} {
		published := s.Calls("views.publish")
		s.does(s.PressesHome(u, map[string]any{"action_id": "home:" + what, "value": what, "text": map[string]any{"type": "plain_text", "text": what}}))
		if ev := s.took(); ev.Kind != want.Kind || ev.Text != want.Text || ev.From != u {
			t.Errorf("%s: %+v", what, ev)
		}
		s.until("App Home to be fresh", func() bool { return s.Calls("views.publish") > published })
	}
	// The answer goes to the direct messages, which nobody has opened yet.
	s.sends(u, bot.Message{Text: "Here we are."})
	if all := s.sees(u); len(all) != 1 || all[0].Text != "Here we are." {
		t.Errorf("the answer: %+v", all)
	}
}

// TestCommand: four words, and how to use them.
func TestCommand(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	u := s.Person(1).ID()
	s.knows(u)
	for text, want := range map[string]*bot.Event{
		"": {Kind: bot.Open}, "start": {Kind: bot.Open}, " Status ": {Kind: bot.Text, Text: "status"}, "help": {Kind: bot.Text, Text: "help"}, "stop": {Kind: bot.Text, Text: "stop"},
		"my password is hunter2": nil,
	} {
		h := s.Commands(u, "C0ELSEWHERE", "/sspr", text)
		answer := string(s.does(h))
		s.does(h) // the same one again
		if want == nil {
			if !strings.Contains(answer, "/sspr start | status | help | stop") || strings.Contains(answer, "hunter2") {
				t.Errorf("%q is answered with %s", text, answer)
			}
			s.nothing("another word")
			continue
		}
		one, two := s.took(), s.took()
		if one.Kind != want.Kind || one.Text != want.Text || one.ID != two.ID || one.ID == "" {
			t.Errorf("%q: %+v", text, one)
		}
		if !strings.Contains(answer, `"response_type":"ephemeral"`) || !strings.Contains(answer, "I have answered you in private.") {
			t.Errorf("%q is answered with %s", text, answer)
		}
	}
	// In the direct messages themselves, the message is the answer.
	s.says(u, "hi")
	s.took()
	if answer := s.does(s.Commands(u, s.Room(u), "/sspr", "help")); len(answer) > 0 {
		t.Errorf("in the direct messages: %s", answer)
	}
}

// TestMention: in a channel the bot whispers once a minute, and opens the
// direct messages. It says nothing there that others see.
func TestMention(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		t.Run(map[bool]string{true: "known", false: "not known yet"}[known], func(t *testing.T) {
			t.Parallel()
			mentioned(t, known)
		})
	}
}

func mentioned(t *testing.T, known bool) {
	s := start(t, nil)
	u := s.Person(1).ID()
	what := func() *slacktest.Happening {
		return s.Event(u, map[string]any{"type": "app_mention", "user": u, "text": "<@" + slacktest.BotUser + "> my password is hunter2", "ts": "1700000000.000100", "channel": "C0GENERAL", "event_ts": "1700000000.000100"})
	}
	mention := func() { s.does(what()) }
	if known {
		s.knows(u)
	}
	s.inbox.shut.Store(true)
	first := what()
	if ok, _, _ := s.Post(s.server.URL, first, 0); ok == known {
		t.Errorf("a mention that was not taken in is acknowledged: %t, and is stored only of somebody who is not known", ok)
	}
	s.inbox.shut.Store(false)
	if known {
		s.does(first)
	}
	if ev := s.took(); ev.Kind != bot.Open || ev.Text != "" || string(ev.Conversation) != "slack-acme|"+slacktest.Team+"|"+u {
		t.Errorf("mentioned: %+v", ev)
	}
	s.until("the whisper", func() bool { return len(s.Whispers()) == 1 })
	if w := s.Whispers()[0]; w.Channel != "C0GENERAL" || w.User != u || w.Text != "Let us talk in private." {
		t.Errorf("whispered %+v", w)
	}
	mention()
	if s.Calls("reactions.add") > 0 {
		t.Error("a sign in the channel")
	}
	s.does(s.Event(u, map[string]any{"type": "message", "user": u, "text": "not for us", "ts": "1700000000.000200", "channel": "C0GENERAL", "channel_type": "channel"}))
	s.nothing("the channel")
	if n := len(s.Messages("C0GENERAL")); n > 0 {
		t.Errorf("%d messages in the channel", n)
	}
}

// TestTakesTime: when nothing is said for a while, an hourglass stands at the
// message, and goes with the answer.
func TestTakesTime(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	u := s.Person(0).ID()
	s.says(u, "long work")
	s.took()
	signs := func() []string { return s.Messages(s.Room(u))[0].Reactions }
	s.until("the sign", func() bool { return slices.Equal(signs(), []string{"hourglass_flowing_sand"}) })
	s.sends(u, bot.Message{Text: "Done."})
	s.until("the sign to go", func() bool { return len(signs()) == 0 })
	s.says(u, "short work")
	s.took()
	s.sends(u, bot.Message{Text: "Done, too."})
	s.says(u, "long work again")
	s.took()
	at := func(text string) []string {
		for _, m := range s.Messages(s.Room(u)) {
			if m.Text == text {
				return m.Reactions
			}
		}
		return nil
	}
	s.until("the sign", func() bool { return len(at("long work again")) == 1 })
	if n := s.Calls("reactions.add"); n != 2 || len(at("short work")) > 0 {
		t.Errorf("%d signs, one of them for what was quick", n)
	}
}

// TestGone: when the app is taken out of the workspace, health says so, and what
// to do; a good token mends it.
func TestGone(t *testing.T) {
	t.Parallel()
	for _, inner := range []map[string]any{{"type": "app_uninstalled"}, {"type": "tokens_revoked", "tokens": map[string]any{"bot": []string{slacktest.BotUser}}}} {
		s := start(t, nil)
		u := s.Person(0).ID()
		s.says(u, "hi")
		s.took()
		s.does(s.Event(u, inner))
		s.until("health to be down", func() bool {
			h := s.a.Health()
			return !h.OK && strings.Contains(h.Text, "no longer installed") && strings.Contains(h.Text, "install it again") && !h.Since.IsZero()
		})
		s.Revoke(slacktest.BotToken, true)
		d := bot.Delivery{Key: "k", Conversation: "c", Seq: 1, User: u, Message: bot.Message{Text: "x"}, Attempt: 1}
		var se *bot.SendError
		if _, err := s.a.Send(context.Background(), d); !errors.As(err, &se) || se.Kind != bot.SendRetry {
			t.Errorf("with a revoked token: %v", err)
		}
		s.Revoke(slacktest.BotToken, false)
		if _, err := s.a.Send(context.Background(), d); err != nil || !s.a.Health().OK {
			t.Errorf("with a good token: %v, %+v", err, s.a.Health())
		}
	}
	s := start(t, nil)
	s.does(s.Event(slacktest.BotUser, map[string]any{"type": "tokens_revoked", "tokens": map[string]any{"oauth": []string{"U1"}}}))
	if !s.a.Health().OK {
		t.Error("the token of a user is none of ours")
	}
}

// TestRotation: two secrets are good at once, and they change while it runs.
func TestRotation(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := map[string][]bot.Secret{"sign": {"first-secret-first-secret"}, "bot": {slacktest.BotToken}}
	give := func(what string) bot.Secrets {
		return func() []bot.Secret { mu.Lock(); defer mu.Unlock(); return slices.Clone(now[what]) }
	}
	set := func(what string, s ...bot.Secret) { mu.Lock(); defer mu.Unlock(); now[what] = s }
	s := start(t, func(w *workspace, o *slack.Options) { o.SigningSecret, o.BotToken = give("sign"), give("bot") })
	u := s.Person(0).ID()
	try := func(secret string) bool {
		s.SetSecret(secret)
		h, _ := s.Says(u, "hello")
		ok, _, _ := s.Post(s.server.URL, h, 0)
		if ok {
			s.took()
		}
		return ok
	}
	for _, c := range []struct {
		have []bot.Secret
		good map[string]bool
	}{
		{[]bot.Secret{"first-secret-first-secret"}, map[string]bool{"first-secret-first-secret": true, "second-secret-second": false}},
		{[]bot.Secret{"second-secret-second", "first-secret-first-secret"}, map[string]bool{"first-secret-first-secret": true, "second-secret-second": true}},
		{[]bot.Secret{"second-secret-second"}, map[string]bool{"first-secret-first-secret": false, "second-secret-second": true, "": false}},
	} {
		set("sign", c.have...)
		for secret, want := range c.good {
			if try(secret) != want {
				t.Errorf("%d secrets: %q is taken: %v", len(c.have), secret, !want)
			}
		}
	}
	set("bot", slacktest.BotToken+"-new", slacktest.BotToken)
	s.Revoke(slacktest.BotToken+"-new", true) // not good yet
	s.sends(u, bot.Message{Text: "By the old one."})
	s.Revoke(slacktest.BotToken+"-new", false)
	s.Revoke(slacktest.BotToken, true)
	s.sends(u, bot.Message{Text: "By the new one."})
	if !s.a.Health().OK {
		t.Errorf("health: %+v", s.a.Health())
	}
}

// TestSocketLines: the connection is kept alive: asked to connect anew, cut,
// Socket Mode switched off and on, the app token changed.
func TestSocketLines(t *testing.T) {
	t.Parallel()
	var token atomic.Pointer[[]bot.Secret]
	token.Store(&[]bot.Secret{slacktest.AppToken})
	s := start(t, func(_ *workspace, o *slack.Options) {
		o.SigningSecret, o.AppToken = nil, func() []bot.Secret { return *token.Load() }
	})
	u := s.Person(0).ID()
	hello := func() {
		t.Helper()
		h, _ := s.Says(u, "hello")
		s.until("the word to arrive", func() bool { ok, _, _ := s.Send(h, 0); return ok })
		s.took()
		if h := s.a.Health(); !h.OK {
			t.Errorf("health: %+v", h)
		}
	}
	hello()
	s.until("the second line", func() bool { return s.Connections() == 2 })
	s.Refresh()
	s.until("both lines to be new", func() bool { return s.Calls("apps.connections.open") >= 4 && s.Connections() == 2 })
	hello()
	s.CutOne() // the other one is enough
	if h := s.a.Health(); !h.OK {
		t.Errorf("with one line: %+v", h)
	}
	hello()
	s.Cut()
	hello()
	token.Store(&[]bot.Secret{slacktest.AppToken + "-bad", slacktest.AppToken})
	s.Revoke(slacktest.AppToken+"-bad", true)
	s.Cut()
	hello()
	s.SwitchSocket(false)
	s.until("health to say that Socket Mode is off", func() bool {
		h := s.a.Health()
		return !h.OK && strings.Contains(h.Text, "Socket Mode is switched off")
	})
	s.SwitchSocket(true)
	s.until("the line to be back", func() bool { return s.a.Health().OK })
	hello()
}

// TestHandler: only what Slack posts is taken.
func TestHandler(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodHead} {
		q, _ := http.NewRequest(method, s.server.URL, nil)
		r, err := http.DefaultClient.Do(q)
		if err != nil || r.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: %v %v", method, r, err)
		}
	}
	for what, c := range map[string]struct {
		kind string
		body string
		want int
	}{
		"no kind":        {"", "{}", http.StatusUnsupportedMediaType},
		"too large":      {"application/json", strings.Repeat(" ", 1<<20+1), http.StatusRequestEntityTooLarge},
		"not understood": {"application/json", "{", http.StatusOK},
		"other event":    {"application/json", `{"type":"event_callback","team_id":"T0TESTTEAM","event_id":"Ev1","event":{"type":"reaction_added"}}`, http.StatusOK},
	} {
		head := slacktest.Sign(slacktest.SigningSecret, time.Now(), []byte(c.body))
		head.Set("Content-Type", c.kind)
		if status, _, err := s.Raw(s.server.URL, head, []byte(c.body)); err != nil || status != c.want {
			t.Errorf("%s: %d, want %d: %v", what, status, c.want, err)
		}
	}
	s.nothing("what is no event for us")
}

// TestExamine: the doctor's findings, and what to do about each.
func TestExamine(t *testing.T) {
	t.Parallel()
	find := func(s *stage, what string) bot.Finding {
		t.Helper()
		for _, f := range s.a.Examine(context.Background()) {
			if f.What == what {
				return f
			}
		}
		t.Errorf("nothing is said about the %s", what)
		return bot.Finding{}
	}
	both := func(_ *workspace, o *slack.Options) { o.AppToken = secrets(slacktest.AppToken) }
	s := start(t, both)
	for _, f := range s.a.Examine(context.Background()) {
		if f.State != bot.Fine && f.What != "callback address" {
			t.Errorf("%+v", f)
		}
	}
	if f := find(s, "callback address"); f.State != bot.Doubtful || !strings.Contains(f.Text, "answers as Slack wants it") || !strings.Contains(f.Text, "https") {
		t.Errorf("%+v", f)
	}
	s.Set(func(w *slacktest.Workspace) { w.Scopes = strings.ReplaceAll(w.Scopes, "files:write,", "") })
	if f := find(s, "scopes"); f.State != bot.Broken || !strings.Contains(f.Text, "files:write") || f.Fix == "" {
		t.Errorf("%+v", f)
	}
	s.SwitchSocket(false)
	if f := find(s, "app token"); f.State != bot.Broken || !strings.Contains(f.Fix, "Socket Mode is switched off") {
		t.Errorf("%+v", f)
	}
	s.Revoke(slacktest.BotToken, true)
	if f := find(s, "bot token"); f.State != bot.Broken || !strings.Contains(f.Fix, "install it again") {
		t.Errorf("%+v", f)
	}
	late := start(t, func(w *workspace, o *slack.Options) {
		o.Now = func() time.Time { return time.Now().Add(2 * time.Minute) }
	})
	if f := find(late, "clock"); f.State != bot.Doubtful || !strings.Contains(f.Text, "2m0s") {
		t.Errorf("%+v", f)
	}
	other := start(t, func(w *workspace, o *slack.Options) { o.Team = "T0ANOTHER1" })
	if f := find(other, "bot token"); f.State != bot.Broken || !strings.Contains(f.Text, slacktest.Team) {
		t.Errorf("%+v", f)
	}
	nowhere := start(t, func(w *workspace, o *slack.Options) { o.CallbackURL = "http://127.0.0.1:1/in/slack-acme" })
	if f := find(nowhere, "callback address"); f.State != bot.Broken || f.Fix == "" {
		t.Errorf("%+v", f)
	}
}

// TestOptions: what cannot work is refused, and says why.
func TestOptions(t *testing.T) {
	t.Parallel()
	w := &workspace{Workspace: slacktest.New(t)}
	for what, change := range map[string]func(o *slack.Options){
		"no workspace": func(o *slack.Options) { o.Team = "acme" }, "no token": func(o *slack.Options) { o.BotToken = nil }, "no way in": func(o *slack.Options) { o.SigningSecret = nil },
		"in the clear": func(o *slack.Options) { o.APIURL = "http://slack.example/api/" }, "unhurried elsewhere": func(o *slack.Options) { o.APIURL = "https://slack.example/api/" },
		"no channel": func(o *slack.Options) { o.Channel = "" }, "no house": func(o *slack.Options) { o.House = nil },
	} {
		o := slack.Options{Options: chat.Options{Channel: "slack-acme", Phrases: phrases}, House: &rooms{}, Team: slacktest.Team, BotToken: secrets("xoxb-1"), SigningSecret: secrets("secret"), APIURL: w.API(), Unhurried: true}
		change(&o)
		if _, err := slack.New(o); err == nil || !strings.HasPrefix(err.Error(), "slack: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestPictureInDoubt: whether a message with a key was shown or not is found out
// at the next attempt; there is one file, and it goes with the message.
func TestPictureInDoubt(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{slacktest.Doubt, slacktest.Lost} {
		s := start(t, nil)
		u := s.Person(0).ID()
		d := bot.Delivery{Key: "c/7", Conversation: "c", Seq: 7, User: u, Attempt: 1, Message: bot.Message{Text: "Scan.", Fleeting: true},
			Revealed: &bot.Revealed{URI: "otpauth://totp/x?secret=ABCD", Key: "ABCD", PNG: dot}}
		s.Set(func(w *slacktest.Workspace) { w.Ready = true })
		mend := s.Workspace.Fault(u, fault)
		var se *bot.SendError
		if _, err := s.a.Send(context.Background(), d); !errors.As(err, &se) || se.Kind != bot.SendUncertain {
			t.Fatalf("%s: %v", fault, err)
		}
		mend()
		if n := len(s.sees(u)); n != map[string]int{slacktest.Doubt: 1, slacktest.Lost: 0}[fault] {
			t.Fatalf("%s: %d messages", fault, n)
		}
		d.Attempt = 2
		r, err := sendOrFind(t, s.a, d)
		if err != nil {
			t.Fatal(err)
		}
		all := s.sees(u)
		if len(all) != 1 || len(all[0].Pictures) != 1 || len(s.Files()) != 1 {
			t.Errorf("%s: %d messages, %d files", fault, len(all), len(s.Files()))
		}
		d.Message, d.Revealed = bot.Message{Fleeting: true}, nil
		if err := s.a.Delete(context.Background(), d, r.ID); err != nil {
			t.Error(err)
		}
		if len(s.sees(u)) != 0 || len(s.Files()) != 0 {
			t.Errorf("%s: something is left", fault)
		}
	}
}

// TestRefusedPicture: a picture that Slack does not take costs nobody the message: it
// goes out in the same attempt, with the key and the link and a word about the
// picture. Health tells why, until a picture is taken. A picture that has to wait
// is waited for.
func TestRefusedPicture(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.Set(func(w *slacktest.Workspace) { w.Ready = true })
	n := 0
	send := func() (adaptertest.Shown, error) {
		n++
		u := s.Person(n).ID()
		_, err := s.a.Send(context.Background(), bot.Delivery{
			Key: fmt.Sprint("c/", n), Conversation: "c", Seq: int64(n), User: u, Attempt: 1, Message: bot.Message{Text: "Scan.", Fleeting: true, Picture: &bot.Picture{Alt: "The code."}},
			Revealed: &bot.Revealed{URI: "otpauth://totp/x?secret=ABCD", Key: "ABCD", PNG: dot},
		})
		all := s.sees(u)
		if len(all) != 1 {
			return adaptertest.Shown{}, err
		}
		return all[0], err
	}
	for _, c := range []struct{ method, code, health string }{
		{"files.getUploadURLExternal", "missing_scope", "add the scopes"}, {"files.completeUploadExternal", "storage_limit_reached", "make room"},
		{"files.getUploadURLExternal", "file_uploads_disabled", "uploads are off"}, {"files.completeUploadExternal", "internal_error", "internal_error"}, {"upload", "x", "status 500"},
	} {
		s.Refuse(c.method, c.code)
		m, err := send()
		if err != nil || len(m.Pictures) > 0 {
			t.Errorf("%s: %v, %d pictures", c.code, err, len(m.Pictures))
		}
		for _, want := range []string{"Scan.", "ABCD", "otpauth://totp/x?secret=ABCD", "No picture. Type the key."} {
			if !strings.Contains(m.Text, want) {
				t.Errorf("%s: %q is missing in %q", c.code, want, m.Text)
			}
		}
		if h := s.a.Health(); h.OK || !strings.Contains(h.Text, c.health) {
			t.Errorf("%s: health %+v", c.code, h)
		}
		s.Refuse(c.method, "")
	}
	s.Refuse("files.getUploadURLExternal", "ratelimited")
	var se *bot.SendError
	if m, err := send(); !errors.As(err, &se) || se.Kind != bot.SendThrottled || m.Text != "" {
		t.Errorf("a picture that has to wait: %v, %q", err, m.Text)
	}
	s.Refuse("files.getUploadURLExternal", "")
	if m, err := send(); err != nil || len(m.Pictures) != 1 || strings.Contains(m.Text, "No picture") || !s.a.Health().OK {
		t.Errorf("mended: %v, %+v, health %+v", err, m, s.a.Health())
	}
	s.Set(func(w *slacktest.Workspace) { w.Ready, w.Missing = false, true })
	if m, err := send(); err != nil || len(m.Pictures) > 0 || !strings.Contains(m.Text, "No picture. Type the key.") {
		t.Errorf("a file that Slack took and does not find: %v, %+v", err, m)
	}
	s.until("the file to go", func() bool { return len(s.Files()) == 1 })
}

// TestPictureTooLate: when there is nothing to reveal any more at the next
// attempt, the picture of the one before is not shown, and does not stay.
func TestPictureTooLate(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	s.Set(func(w *slacktest.Workspace) { w.Ready = true })
	u := s.Person(0).ID()
	d := bot.Delivery{Key: "c/7", Conversation: "c", Seq: 7, User: u, Attempt: 1, Message: bot.Message{Text: "Scan.", Fleeting: true},
		Revealed: &bot.Revealed{URI: "otpauth://totp/x?secret=ABCD", Key: "ABCD", PNG: dot}}
	mend := s.Workspace.Fault(u, slacktest.Lost)
	if _, err := s.a.Send(context.Background(), d); err == nil || len(s.Files()) != 1 {
		t.Fatalf("%v, %d files", err, len(s.Files()))
	}
	mend()
	d.Attempt, d.Revealed = 2, nil
	if _, err := s.a.Send(context.Background(), d); err != nil {
		t.Fatal(err)
	}
	if all := s.sees(u); len(all) != 1 || len(all[0].Pictures) > 0 {
		t.Errorf("shown: %+v", all)
	}
	s.until("the file to go", func() bool { return len(s.Files()) == 0 })
}

// TestGrid: the app of a whole organisation ("E...") hears the people of its
// workspaces, and of no other.
func TestGrid(t *testing.T) {
	t.Parallel()
	s := start(t, func(_ *workspace, o *slack.Options) { o.Team = "E0ORGANISE" })
	u := s.Add(slacktest.User{Name: "ada", Team: "T0BRANCH01", Grid: "E0ORGANISE"}).ID
	stranger := s.Add(slacktest.User{Name: "eve", Team: "T0OTHERTEAM", Grid: "E0OTHERORG"}).ID
	for _, id := range []string{u, stranger} {
		h, err := s.Says(id, "hello")
		if err != nil {
			t.Fatal(err)
		}
		h.Payload["team_id"], h.Payload["enterprise_id"] = "T0BRANCH01", "E0ORGANISE"
		h.Payload["authorizations"] = []any{map[string]any{"enterprise_id": "E0ORGANISE", "team_id": nil, "user_id": slacktest.BotUser, "is_bot": true, "is_enterprise_install": true}}
		s.does(h)
	}
	if ev := s.took(); ev.From != u || string(ev.Conversation) != "slack-acme|E0ORGANISE|"+u {
		t.Errorf("took %+v", ev)
	}
	s.nothing("another organisation")
}

// A patient budget forgets what it holds when its time is over, as the test says.
type patient struct {
	mu   sync.Mutex
	b    bot.Budget
	held map[string]time.Duration // by method
}

func (p *patient) over() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.b = budget.New(nil, nil)
}

func (p *patient) now() bot.Budget {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b
}

func (p *patient) Take(ctx context.Context, id bot.BudgetID, r bot.Rate, most time.Duration) (time.Duration, error) {
	return p.now().Take(ctx, id, r, most)
}

func (p *patient) Ahead(ctx context.Context, id bot.BudgetID, r bot.Rate, n int) (int, time.Duration, error) {
	return p.now().Ahead(ctx, id, r, n)
}

func (p *patient) Hold(ctx context.Context, id bot.BudgetID, d time.Duration) {
	p.now().Hold(ctx, id, d)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[id.Method] = d
}

// TestRetryAfter: a method that Slack wants left alone is left alone for as long
// as it says, and no other method with it.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	wait := &patient{b: budget.New(nil, nil), held: map[string]time.Duration{}}
	s := start(t, func(_ *workspace, o *slack.Options) { o.Unhurried, o.Budget = false, wait })
	u := s.Person(0).ID()
	published := func() int { return s.Calls("views.publish") }
	s.Refuse("views.publish", "ratelimited")
	s.does(s.Opens(u, "home"))
	s.until("Slack to ask for a pause", func() bool { return published() == 1 && strings.Contains(s.log.String(), "App Home was not shown") })
	s.Refuse("views.publish", "")
	for range 3 {
		s.does(s.Opens(u, "home"))
	}
	s.says(u, "and another method")
	s.took()
	s.sends(u, bot.Message{Text: "Here."})
	if n := published(); n != 1 || s.Home(u) != nil {
		t.Errorf("asked %d times within the pause", n)
	}
	wait.mu.Lock()
	if len(wait.held) != 1 || wait.held["views.publish"] != slacktest.RetryAfter*time.Second {
		t.Errorf("held: %v", wait.held)
	}
	wait.mu.Unlock()
	wait.over()
	s.does(s.Opens(u, "home"))
	s.until("App Home", func() bool { return s.Home(u) != nil })
	if n := published(); n > 2 {
		t.Errorf("asked %d times", n)
	}
}

// storing stores whatever it is given.
type storing struct{ bot.Deferrer }

func (storing) Defer(context.Context, bot.Deferred) error { return nil }

// A request that comes while the program starts is taken, not refused.
func TestRequestBeforeRunWaits(t *testing.T) {
	t.Parallel()
	w := openWorkspace(t, adaptertest.NewHouse(), false)
	o := w.options()
	o.House = &rooms{Deferrer: storing{}}
	a, err := slack.New(o)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"type":"event_callback","team_id":"T0TESTTEAM","event_id":"Ev1","event":{"type":"app_home_opened","user":"U0STRANGER","channel":"D0X","tab":"messages"}}`)
	head := slacktest.Sign(slacktest.SigningSecret, time.Now(), body)
	head.Set("Content-Type", "application/json")
	adaptertest.EarlyRequest(t, a, &inbox{ch: make(chan bot.Event, 10)}, func() int {
		q := httptest.NewRequest(http.MethodPost, "/in/slack-acme", bytes.NewReader(body))
		q.Header = head
		r := httptest.NewRecorder()
		a.Handler().ServeHTTP(r, q)
		return r.Code
	})
}

// oddFiles are files as Slack may send them, and its library does not decode:
// a comment that is a text instead of an object, and no list at all.
var oddFiles = []string{`[{"id":"F1","initial_comment":"look at this","name":7}]`, `{"F1":{"size":"12 kB"}}`}

// TestOddFields: what people write beside a file of any shape is answered, by
// both ways in, and a history with such a message says whether a message of ours
// stands in it.
func TestOddFields(t *testing.T) {
	t.Parallel()
	for _, socket := range []bool{false, true} {
		s := start(t, func(_ *workspace, o *slack.Options) {
			if socket {
				o.AppToken, o.SigningSecret = secrets(slacktest.AppToken), nil
			}
		})
		s.socket = socket
		p := s.Person(0).(*person)
		for i, files := range oddFiles {
			h, err := s.Says(p.ID(), fmt.Sprint("see the picture ", i))
			if err != nil {
				t.Fatal(err)
			}
			s.Attach(p.ID(), json.RawMessage(files))
			h.Payload["event"].(map[string]any)["files"] = json.RawMessage(files)
			if err := s.deliver(h); err != nil {
				t.Fatal(err)
			}
			if ev := s.took(); ev.Text != fmt.Sprint("see the picture ", i) {
				t.Errorf("socket %t: took %+v", socket, ev)
			}
			d := bot.Delivery{Key: fmt.Sprint("c/", i), Conversation: "c", Seq: 7, User: p.ID(), Attempt: 1, Message: bot.Message{Text: "Thanks."}}
			mend := s.Workspace.Fault(p.ID(), slacktest.Doubt)
			if _, err := s.adapter.Load().Send(t.Context(), d); err == nil {
				t.Fatal("an answer that was lost is no error")
			}
			mend()
			d.Attempt = 2
			if _, err := sendOrFind(t, s.adapter.Load(), d); err != nil {
				t.Errorf("socket %t: the second attempt: %v", socket, err)
			}
			if n := len(s.sees(p.ID())); n != i+1 {
				t.Errorf("socket %t: %d messages stand there, want %d", socket, n, i+1)
			}
		}
	}
}
