package teams_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/teams"
	"latchkey/adapters/teams/teamstest"
	"latchkey/bot"
)

var discard = slog.New(slog.DiscardHandler)

var code = &bot.Entry{Kind: bot.EntryCode, Title: "Your code", Label: "The six digits", Button: "Enter the code"}

// TestDialog: a short answer is typed into a dialog. It comes in as text of that
// prompt, stands nowhere in the chat, and the card loses its button.
func TestDialog(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	p := b.cloud.Person(0)
	b.do("say", p.Say("hello"))
	if _, err := b.send(p, bot.Message{Text: "A code is on its way.", Progress: "Step 3 of 4", Lang: "en", Prompt: 9, Entry: code, Choices: []bot.Choice{{ID: "again", Label: "Send a new code"}}}); err != nil {
		t.Fatal(err)
	}
	v := last(p)
	if len(v.Buttons) != 2 || v.Buttons[0].Title != "Enter the code" || !v.Buttons[0].Dialog || v.Buttons[1].Dialog || len(v.Fields) > 0 {
		t.Fatalf("the card: %+v", v)
	}
	before := len(b.house.all())
	b.do("press", p.Press("Enter the code"))
	fields, text := p.Dialog()
	if len(fields) != 1 || fields[0] != "The six digits" || !strings.Contains(text, "A code is on its way.") || !strings.Contains(text, "Send") {
		t.Fatalf("the dialog has %q:\n%s", fields, text)
	}
	if n := len(b.house.all()); n != before {
		t.Error("opening a dialog is an event")
	}
	b.do("enter", p.Enter(map[string]string{"The six digits": "12 34 56"}))
	ev := b.house.all()[before]
	if ev.Kind != bot.Text || ev.Text != "12 34 56" || ev.Prompt != 9 || ev.From != p.ObjectID {
		t.Errorf("came in as %+v", ev)
	}
	b.until("the card to lose its buttons", func() bool { v := last(p); return len(v.Buttons) == 0 && v.Edits == 1 })
	if v := last(p); !strings.Contains(v.Text, "Step 3 of 4") || !strings.Contains(v.Text, "A code is on its way.") || !strings.HasSuffix(v.Text, "✓ Enter the code") {
		t.Errorf("the card now says %q", v.Text)
	}
	if strings.Contains(p.Screen(), "12 34 56") || strings.Contains(b.log.String(), "12 34 56") {
		t.Error("what was entered stands in the chat or in the log")
	}
}

// TestField: an emulator has no dialogs, so the field stands in the card; the
// choices beside it do not send it.
func TestField(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *teams.Options) { o.Emulator, o.Listen, o.PublicURL = true, "127.0.0.1:8080", "" })
	p := b.cloud.Person(0)
	b.do("say", p.Say("hello"))
	address := b.house.all()[0].Address
	if len(address) == 0 {
		t.Fatal("no address")
	}
	// The double wants a token, which nothing in emulator mode has: look at what is sent.
	_, err := b.send(p, bot.Message{Text: "A code is on its way.", Lang: "en", Prompt: 9, Entry: code, Choices: []bot.Choice{{ID: "again", Label: "Send a new code"}}})
	if se, ok := err.(*bot.SendError); !ok || se.Kind != bot.SendRetry {
		t.Fatalf("without a token: %v", err)
	}
	here, _ := b.cloud.Requests()
	if len(here) != 1 || here[0].Token != "" {
		t.Fatalf("an emulator gets a token: %v", here)
	}
	p.Show(here[0].Body)
	v := last(p)
	if len(v.Fields) != 1 || v.Fields[0] != "The six digits" || v.Buttons[0].Dialog {
		t.Fatalf("the card: %+v", v)
	}
	b.do("enter", p.PressWith("Enter the code", map[string]string{"The six digits": "123456"}))
	b.do("press", p.PressWith("Send a new code", map[string]string{"The six digits": "654321"}))
	all := b.house.all()
	if ev := all[1]; ev.Kind != bot.Text || ev.Text != "123456" || ev.Prompt != 9 {
		t.Errorf("came in as %+v", ev)
	}
	if ev := all[2]; ev.Kind != bot.Press || ev.Choice != "again" || ev.Text != "" {
		t.Errorf("came in as %+v", ev)
	}
	if !strings.Contains(b.log.String(), "emulator mode") || !strings.Contains(b.log.String(), "level=WARN") {
		t.Errorf("no warning in\n%s", b.log)
	}
}

// TestEmulatorOnlyHere: what believes everybody can be reached from this machine
// only.
func TestEmulatorOnlyHere(t *testing.T) {
	t.Parallel()
	cloud := teamstest.New(t)
	for _, c := range []struct {
		listen, public string
		ok             bool
	}{
		{"127.0.0.1:8080", "", true}, {"localhost:8080", "http://localhost:8080", true}, {"[::1]:8080", "http://127.0.0.1:1", true},
		{":8080", "", false}, {"0.0.0.0:8080", "", false}, {"10.0.0.7:8080", "", false}, {"127.0.0.1:8080", "https://help.example.org", false}, {"", "", false},
	} {
		o := options(cloud, &house{})
		o.Log, o.Emulator, o.Listen, o.PublicURL = discard, true, c.listen, c.public
		if _, err := teams.New(o); (err == nil) != c.ok {
			t.Errorf("listen %q, public %q: %v", c.listen, c.public, err)
		}
	}
	b := newBench(t, func(o *teams.Options) { o.Emulator, o.Listen, o.PublicURL = true, "127.0.0.1:8080", "" })
	q := b.cloud.Person(0).Body("message", map[string]any{"text": "x", "serviceUrl": "https://smba.trafficmanager.net/amer/"})
	if status, _, err := b.cloud.Deliver(teamstest.Delivery{Body: q}); status != http.StatusForbidden {
		t.Errorf("a service elsewhere in emulator mode: %d %v", status, err)
	}
	// A page whose name leads to this machine, and a proxy for somebody else.
	for name, host := range map[string]string{"evil.example": "127.0.0.1:5000", "127.0.0.1:8080": "10.0.0.7:5000"} {
		r := httptest.NewRequest(http.MethodPost, "http://"+name+"/", strings.NewReader(string(b.cloud.Person(0).Body("message", map[string]any{"text": "x"}))))
		r.Header.Set("Content-Type", "application/json")
		r.RemoteAddr = host
		w := httptest.NewRecorder()
		b.a.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusForbidden {
			t.Errorf("from %s as %s: %d", host, name, w.Code)
		}
	}
}

// TestOptions: what is wrong in a configuration is said at the start.
func TestOptions(t *testing.T) {
	t.Parallel()
	cloud := teamstest.New(t)
	for what, spoil := range map[string]func(*teams.Options){
		"app_id": func(o *teams.Options) { o.AppID = "" }, "tenant": func(o *teams.Options) { o.Tenant = "a b" }, "client_secret": func(o *teams.Options) { o.ClientSecret = nil },
		"kind": func(o *teams.Options) { o.Kind = "both" }, "cloud": func(o *teams.Options) { o.Cloud = "mars" }, "login_url": func(o *teams.Options) { o.LoginURL = "http://login.example.org" },
		"keys_url": func(o *teams.Options) { o.KeysURL = "ftp://x" }, "service_hosts": func(o *teams.Options) { o.ServiceHosts = []string{"*"} }, "channel": func(o *teams.Options) { o.Channel = "" },
	} {
		o := options(cloud, &house{})
		o.Log = discard
		spoil(&o)
		if _, err := teams.New(o); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestStrangers: who is not of this organisation is told so once, and nothing
// comes of it.
func TestStrangers(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.house.vouch = fmt.Errorf("no such person: %w", bot.ErrNotFound)
	strangers := map[string]*teamstest.Person{"another tenant": b.cloud.Person(1), "no object id": b.cloud.Person(2), "a guest": b.cloud.Person(3), "a guest by name": b.cloud.Person(4), "anonymous": b.cloud.Person(5)}
	strangers["another tenant"].Tenant = "99999999-aaaa-4bbb-8ccc-000000000002"
	strangers["no object id"].ObjectID = ""
	strangers["a guest"].Role = "guest"
	strangers["a guest by name"].UPN = "ada_fabrikam.example#EXT#@contoso.onmicrosoft.com"
	strangers["anonymous"].Role = "anonymous"
	for who, p := range strangers {
		b.do("arrive", p.Arrive())
		if n := len(p.Views()); n > 0 {
			t.Errorf("%s is greeted", who)
		}
		for range 3 {
			b.do("say", p.Say("hello"))
		}
		if v := b.view(p, "Solo ayudo a Contoso."); len(p.Views()) != 1 || len(v.Buttons) > 0 {
			t.Errorf("%s: %+v", who, p.Views())
		}
	}
	if n := len(b.house.all()); n > 0 {
		t.Errorf("%d events of strangers", n)
	}
	// Somebody of the organisation who is not in the directory proves who they are.
	p := b.cloud.Person(6)
	b.do("say", p.Say("hello"))
	b.until("the event of somebody who is not in the directory", func() bool { return len(b.house.all()) == 1 })
}

// TestMemberLookup: whatever the connector says when it is asked who writes, it has
// its acknowledgement. Whom it does not know, or does not tell of, is told that we
// are not for them; of anything else people learn nothing, and are heard when it
// is over, in order, dialogs and buttons included.
func TestMemberLookup(t *testing.T) {
	t.Parallel()
	for status, refused := range map[int]bool{http.StatusNotFound: true, http.StatusForbidden: true, http.StatusTooManyRequests: false, http.StatusInternalServerError: false} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			b.house.vouch = fmt.Errorf("no such person: %w", bot.ErrNotFound)
			b.cloud.Members(status)
			p := b.cloud.Person(0)
			for _, text := range []string{"one", "two"} {
				b.do("say", p.Say(text))
			}
			data := map[string]any{"latchkey": map[string]any{"p": 7, "e": "code", "i": "1"}, "value": "123456"}
			answer, err := p.Do("invoke", map[string]any{"name": "task/submit", "value": map[string]any{"data": data}})
			if err != nil || len(answer) > 0 && !refused {
				t.Errorf("what is entered is answered with %q, %v", answer, err)
			}
			b.until("the connector to be asked", func() bool { return b.cloud.MembersAsked() > 0 })
			if n := len(b.house.all()); n > 0 {
				t.Errorf("%d events of somebody of whom nothing is known", n)
			}
			if refused {
				b.view(p, "Solo ayudo a Contoso.")
				if n := len(p.Views()); n != 1 {
					t.Errorf("told %d times", n)
				}
				return
			}
			b.cloud.Members(0)
			b.until("the events", func() bool { return len(b.house.all()) == 3 })
			for i, ev := range b.house.all() {
				if want := []string{"one", "two", "123456"}[i]; ev.Text != want || ev.From != p.ObjectID {
					t.Errorf("event %d: %+v, want %q", i, ev, want)
				}
			}
			if n := len(p.Views()); n > 0 {
				t.Errorf("told %d things meanwhile", n)
			}
		})
	}
}

// TestVouch: the object id is the person's id in the directory, and is vouched
// for once, before the event.
func TestVouch(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	p := b.cloud.Person(0)
	p.ObjectID = strings.ToUpper(p.ObjectID)
	for range 3 {
		b.do("say", p.Say("hello"))
	}
	b.house.mu.Lock()
	if v := b.house.vouched; len(v) != 1 || string(v[0].Person) != strings.ToLower(p.ObjectID) || v[0].Evidence != "teams" {
		t.Errorf("vouched %+v", v)
	}
	b.house.vouch = errors.New("the store is away")
	b.house.mu.Unlock()
	status, _, err := b.cloud.Deliver(teamstest.Delivery{Body: b.cloud.Person(1).Body("message", map[string]any{"text": "hi"})})
	if status != http.StatusServiceUnavailable || err != nil || len(b.house.all()) != 3 {
		t.Errorf("nobody could say who it is: %d %v", status, err)
	}
}

// TestElsewhereThanInPrivate: in a group and a channel there is a brief answer,
// once a minute, and nothing personal.
func TestElsewhereThanInPrivate(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for kind, want := range map[string]string{"groupChat": "De uno en uno.", "channel": "En privado, por favor."} {
		p := b.cloud.Person(map[string]int{"groupChat": 0, "channel": 1}[kind])
		p.Kind = kind
		b.do("arrive", p.Arrive())
		for range 3 {
			b.do("say", p.Say("hello"))
		}
		b.view(p, want)
		if n := len(p.Views()); n != 1 {
			t.Errorf("%s: %d answers", kind, n)
		}
	}
	if len(b.house.all()) > 0 || len(b.house.vouched) > 0 {
		t.Error("something came of it")
	}
}

// TestArrival: an installation is one event, however often it is told; a later
// one is another, and an uninstallation none.
func TestArrival(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	p := b.cloud.Person(0)
	ids := func() map[string]bool {
		ids := map[string]bool{}
		for _, ev := range b.house.all() {
			if ev.Kind != bot.Open {
				t.Fatalf("an event of kind %d", ev.Kind)
			}
			ids[ev.ID] = true
		}
		return ids
	}
	at := time.Date(2026, 3, 1, 10, 4, 0, 0, time.UTC)
	tell := func(kind string, at time.Time, more map[string]any) {
		t.Helper()
		more["timestamp"] = at.Format(time.RFC3339Nano)
		_, err := p.Do(kind, more)
		b.do(kind, err)
	}
	self := []any{map[string]any{"id": "28:" + teamstest.AppID}}
	tell("installationUpdate", at, map[string]any{"action": "add"})
	tell("conversationUpdate", at.Add(9*time.Millisecond), map[string]any{"membersAdded": self})
	tell("installationUpdate", at, map[string]any{"action": "add"})
	if n := len(ids()); n != 1 {
		t.Errorf("%d events of one installation", n)
	}
	tell("installationUpdate", at.Add(time.Hour), map[string]any{"action": "remove"})
	tell("conversationUpdate", at.Add(time.Hour), map[string]any{"membersRemoved": self})
	if n := len(ids()); n != 1 {
		t.Errorf("an uninstallation is an event")
	}
	tell("installationUpdate", at.Add(2*time.Hour), map[string]any{"action": "add"})
	if n := len(ids()); n != 2 {
		t.Errorf("%d events of two installations", n)
	}
	for _, kind := range []string{"messageReaction", "messageUpdate", "messageDelete", "typing", "event", "endOfConversation", "handoff", "something new"} {
		tell(kind, at, map[string]any{"text": "edited"})
	}
	if n := len(ids()); n != 2 {
		t.Errorf("%d events", n)
	}
}

// TestFiles: a file without a word is answered beside the conversation; a text
// with one counts.
func TestFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	p := b.cloud.Person(0)
	file := []any{map[string]any{"contentType": "application/vnd.microsoft.teams.file.download.info", "content": map[string]any{"downloadUrl": "https://evil.example/x"}, "name": "x.txt"}}
	_, err := p.Do("message", map[string]any{"text": "", "attachments": file})
	b.do("send a file", err)
	b.view(p, "Sin archivos.")
	if len(b.house.all()) > 0 {
		t.Error("a file is an event")
	}
	_, err = p.Do("message", map[string]any{"text": "with a word", "attachments": file})
	b.do("send a file with text", err)
	if all := b.house.all(); len(all) != 1 || all[0].Text != "with a word" {
		t.Errorf("came in as %+v", all)
	}
	_, err = p.Do("message", map[string]any{"text": "<at>Latchkey</at> status", "entities": []any{map[string]any{"type": "mention", "text": "<at>Latchkey</at>", "mentioned": map[string]any{"id": "28:" + teamstest.AppID}}}})
	b.do("mention", err)
	if all := b.house.all(); all[1].Text != "status" {
		t.Errorf("a mention came in as %q", all[1].Text)
	}
}

// TestButtons: a used card keeps its text and shows what was chosen; one that is
// too old loses its buttons and claims nothing; one of nobody's leads back.
func TestButtons(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	p := b.cloud.Person(0)
	b.do("say", p.Say("hello"))
	ask := func(prompt uint32, text, label string) {
		t.Helper()
		_, err := b.send(p, bot.Message{Text: text, Lang: "en", Prompt: prompt, Choices: []bot.Choice{{ID: "x", Label: label}, {ID: "y", Label: "Not " + label}}})
		b.do("send", err)
	}
	ask(1, "First?\n\nReally?", "One")
	ask(2, "Second?", "Two")
	b.do("press", p.Press("Two"))
	b.until("the used card to change", func() bool { return b.view(p, "Second?").Edits == 1 })
	if v := b.view(p, "Second?"); v.Text != "Second?\n\n✓ Two" || len(v.Buttons) > 0 || v.Lang != "en" {
		t.Errorf("a used card: %+v", v)
	}
	b.do("press an old one", p.Press("One"))
	b.until("the old card to change", func() bool { return b.view(p, "First?").Edits == 1 })
	if v := b.view(p, "First?"); v.Text != "First?\n\nReally?" || len(v.Buttons) > 0 {
		t.Errorf("an old card: %+v", v)
	}
	all := b.house.all()
	if ev := all[len(all)-1]; ev.Kind != bot.Press || ev.Prompt != 1 || ev.Choice != "x" {
		t.Errorf("an old button came in as %+v", ev)
	}
	_, err := p.Do("message", map[string]any{"value": map[string]any{"do": "something from long ago"}})
	b.do("press a button of an older version", err)
	all = b.house.all()
	if ev := all[len(all)-1]; ev.Kind != bot.Open {
		t.Errorf("an unknown button came in as %+v", ev)
	}
	ask(3, "Third?", "Three")
	b.do("execute", p.Execute("Three"))
	all = b.house.all()
	if ev := all[len(all)-1]; ev.Kind != bot.Press || ev.Prompt != 3 || ev.Choice != "x" {
		t.Errorf("an invoke came in as %+v", ev)
	}
}

// TestDialogTooLate: a dialog without data of ours says so.
func TestDialogTooLate(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	p := b.cloud.Person(0)
	for _, name := range []string{"task/fetch", "task/submit"} {
		answer, err := p.Do("invoke", map[string]any{"name": name, "value": map[string]any{"data": map[string]any{"x": 1}}})
		if err != nil || string(answer) != `{"task":{"type":"message","value":"Eso tardó demasiado."}}` {
			t.Errorf("%s: %s %v", name, answer, err)
		}
	}
	answer, err := p.Do("invoke", map[string]any{"name": "composeExtension/query"})
	if err != nil || string(answer) != "{}" {
		t.Errorf("an unknown invoke: %s %v", answer, err)
	}
	if len(b.house.all()) > 0 {
		t.Error("something came of it")
	}
}

// TestTyping: the sign is shown when nothing is said for a while, and not before.
func TestTyping(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	quick, slow := b.cloud.Person(0), b.cloud.Person(1)
	b.house.answer = func(ev bot.Event) error {
		if ev.From == quick.ObjectID {
			_, err := b.a.Send(context.Background(), bot.Delivery{Conversation: ev.Conversation, Address: ev.Address, Message: bot.Message{Text: "At once."}})
			return err
		}
		return nil
	}
	b.do("say", quick.Say("hello"))
	b.do("say", slow.Say("hello"))
	b.until("the typing sign", func() bool { return slow.Typing() == 1 })
	if n := quick.Typing(); n > 0 {
		t.Errorf("typing is shown %d times to who was answered", n)
	}
}

// TestFaults: what the connector answers says what follows. After a block nobody
// is written to again.
func TestFaults(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	p := b.cloud.Person(0)
	b.do("say", p.Say("hello"))
	for _, c := range []struct {
		fault teamstest.Fault
		want  bot.SendErrorKind
		code  string
	}{
		{teamstest.Throttle, bot.SendThrottled, ""}, {teamstest.Refuse, bot.SendPermanent, "refused"}, {teamstest.Blocked, bot.SendGone, "unreachable"},
		{teamstest.Away, bot.SendRetry, ""}, {teamstest.Early, bot.SendRetry, ""}, {teamstest.Cut, bot.SendUncertain, ""},
		{teamstest.Removed, bot.SendGone, "unreachable"}, {teamstest.Lost, bot.SendRetry, ""},
	} {
		mend := b.cloud.Fault(p, c.fault)
		_, err := b.send(p, bot.Message{Text: "hi"})
		mend()
		se, ok := err.(*bot.SendError)
		if !ok || se.Kind != c.want || se.Code != c.code || c.want == bot.SendThrottled && (!se.Here || se.After != 7*time.Second) {
			t.Errorf("fault %d: %#v", c.fault, err)
		}
	}
	_, err := b.a.Send(t.Context(), bot.Delivery{Conversation: "x", Message: bot.Message{Text: "hi"}})
	if se, ok := err.(*bot.SendError); !ok || se.Kind != bot.SendGone {
		t.Errorf("without an address: %v", err)
	}
}

// TestDeleteWhereThereIsNone: where nothing can be deleted, a line takes the
// place of the picture.
func TestDeleteWhereThereIsNone(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.cloud.NoDelete = true
	p := b.cloud.Person(0)
	b.do("say", p.Say("hello"))
	r, err := b.send(p, bot.Message{Text: "Scan.", Fleeting: true, Lang: "en", Picture: &bot.Picture{Alt: "QR"}}, func(d *bot.Delivery) {
		d.Revealed = &bot.Revealed{Key: "ABCD EFGH", URI: "otpauth://totp/x?secret=ABCDEFGH", PNG: []byte("\x89PNG...")}
	})
	b.do("send", err)
	if !strings.Contains(p.Screen(), "ABCD EFGH") {
		t.Fatal("no key to delete")
	}
	b.do("delete", b.a.Delete(t.Context(), bot.Delivery{Address: b.house.all()[0].Address, Message: bot.Message{Lang: "en"}}, r.ID))
	if v := last(p); v.Text != "(The picture was taken away.)" || len(v.Images) > 0 || strings.Contains(p.Screen(), "ABCD") {
		t.Errorf("what is left: %+v", v)
	}
}

// TestPaced: what would wait long for the rates of Teams is given back, for this
// conversation alone.
func TestPaced(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	teams.Paced(b.a)
	ada, bob := b.cloud.Person(0), b.cloud.Person(1)
	b.do("say", ada.Say("hello"))
	b.do("say", bob.Say("hello"))
	if err := teams.Exhaust(b.a, ada.Conversation); err != nil {
		t.Fatal(err)
	}
	_, err := b.send(ada, bot.Message{Text: "hi"})
	if se, ok := err.(*bot.SendError); !ok || se.Kind != bot.SendThrottled || !se.Here || se.After < time.Minute {
		t.Errorf("200 messages too fast: %#v", err)
	}
	_, err = b.send(bob, bot.Message{Text: "hi"})
	b.do("send to somebody else", err)
}

// TestReplies: an emulator may ask for the answer in the response. What comes
// later goes by the connector, and nobody else gets anything in a response.
func TestReplies(t *testing.T) {
	t.Parallel()
	for _, emulator := range []bool{true, false} {
		b := newBench(t, func(o *teams.Options) {
			if emulator {
				o.Emulator, o.Listen, o.PublicURL = true, "127.0.0.1:8080", ""
			}
		})
		b.house.answer = func(ev bot.Event) error {
			go func() {
				for i := range 2 {
					_, _ = b.a.Send(context.Background(), bot.Delivery{Conversation: ev.Conversation, Address: ev.Address, Message: bot.Message{Text: fmt.Sprint("Answer ", i, " to ", ev.Text)}})
				}
			}()
			return nil
		}
		p := b.cloud.Person(0)
		body, err := p.Do("message", map[string]any{"text": "hello", "deliveryMode": "expectReplies"})
		b.do("say", err)
		if got := strings.Contains(string(body), "Answer 0 to hello"); got != emulator || emulator && (!strings.HasPrefix(string(body), `{"activities":[{"type":"message"`) || strings.Contains(string(body), "Answer 1")) {
			t.Errorf("emulator %v: the response is %s", emulator, body)
		}
		b.until("the other answer", func() bool {
			here, _ := b.cloud.Requests()
			n := 0
			for _, r := range here {
				if strings.Contains(string(r.Body), "Answer 0") {
					n += 10
				}
				if strings.Contains(string(r.Body), "Answer 1") {
					n++
				}
			}
			return n == map[bool]int{true: 1, false: 11}[emulator]
		})
	}
}

// TestFleetingIsNotCarried: what is to be taken back needs an id, which a
// message in a response has not.
func TestFleetingIsNotCarried(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(o *teams.Options) { o.Emulator, o.Listen, o.PublicURL = true, "127.0.0.1:8080", "" })
	b.cloud.AnyToken = true
	p := b.cloud.Person(0)
	sent := make(chan string, 1)
	b.house.answer = func(ev bot.Event) error {
		go func() {
			r, _ := b.a.Send(context.Background(), bot.Delivery{Conversation: ev.Conversation, Address: ev.Address, Message: bot.Message{Text: "Scan this.", Fleeting: true}})
			sent <- r.ID
		}()
		return nil
	}
	body, err := p.Do("message", map[string]any{"text": "hello", "deliveryMode": "expectReplies"})
	if err != nil || string(body) != `{"activities":[]}` {
		t.Errorf("the response is %s %v", body, err)
	}
	id := <-sent
	b.view(p, "Scan this.")
	b.do("delete", b.a.Delete(t.Context(), bot.Delivery{Address: b.house.all()[0].Address}, id))
	if n := len(p.Views()); n != 0 {
		t.Errorf("%d messages are left", n)
	}
}

// A request that comes while the program starts is taken, not refused.
func TestRequestBeforeRunWaits(t *testing.T) {
	t.Parallel()
	cloud, house := teamstest.New(t), &house{}
	o := options(cloud, house)
	o.Log = slog.New(slog.DiscardHandler)
	a, err := teams.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(a.Handler())
	defer s.Close()
	cloud.Endpoint(s.URL)
	adaptertest.EarlyRequest(t, a, house, func() int {
		status, _, err := cloud.Deliver(teamstest.Delivery{Body: cloud.Person(0).Body("typing", nil)})
		if err != nil {
			t.Error(err)
		}
		return status
	})
}

// TestRefusedPicture: a message that Teams finds too large goes out without its
// picture in the same attempt, with the key, the link and a word about it; health
// tells, until a picture is taken.
func TestRefusedPicture(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	p := b.cloud.Person(0)
	b.do("say", p.Say("hello"))
	mend := b.cloud.Fault(p, teamstest.Large)
	m := bot.Message{Text: "Scan.", Lang: "en", Picture: &bot.Picture{Alt: "The code."}}
	send := func() error {
		_, err := b.send(p, m, func(d *bot.Delivery) {
			d.Revealed = &bot.Revealed{URI: "otpauth://totp/x?secret=ABCD", Key: "ABCD", PNG: []byte("the picture")}
		})
		return err
	}
	b.do("send", send())
	v := b.view(p, "Scan.")
	if len(v.Images) > 0 {
		t.Errorf("%d pictures", len(v.Images))
	}
	for _, want := range []string{"ABCD", "otpauth://totp/x?secret=ABCD", "No picture. Type the key."} {
		if !strings.Contains(v.Text, want) {
			t.Errorf("%q is missing in %q", want, v.Text)
		}
	}
	if h := b.a.Health(); h.OK || !strings.Contains(h.Text, "pictures") {
		t.Errorf("health %+v", h)
	}
	mend()
	b.do("send", send())
	if all := p.Views(); len(all) != 2 || len(all[1].Images) != 1 || !b.a.Health().OK {
		t.Errorf("mended: %+v, health %+v", all, b.a.Health())
	}
}
