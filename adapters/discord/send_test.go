package discord_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/chat"
	"latchkey/adapters/discord"
	"latchkey/adapters/discord/discordtest"
	"latchkey/bot"
)

// spoken is a stage on which people have said something.
func spoken(t *testing.T, set func(*discord.Options, *discordtest.Server), people ...int) (*stage, []*discordtest.Person) {
	t.Helper()
	st := perform(t, set, nil)
	st.up()
	var list []*discordtest.Person
	for _, n := range people {
		p := st.s.Person(n)
		p.Speak("en-US")
		st.do(p.Say("hi"))
		st.heard(p, []string{"hi"})
		list = append(list, p)
	}
	return st, list
}

func sendError(t *testing.T, err error) *bot.SendError {
	t.Helper()
	var se *bot.SendError
	if !errors.As(err, &se) {
		t.Fatalf("%T %v", err, err)
	}
	return se
}

// TestBuckets: a channel whose limit is used up waits, for itself alone, and
// never long in Send.
func TestBuckets(t *testing.T) {
	t.Parallel()
	st, ps := spoken(t, func(_ *discord.Options, s *discordtest.Server) {
		s.SetLimit(5, 30*time.Second)
	}, 1, 2)
	ada, bob := ps[0], ps[1]
	for n := range 5 {
		if _, err := st.deliver(ada, int64(n), bot.Message{Text: fmt.Sprint("number ", n)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	before := len(st.s.Calls())
	began := time.Now()
	_, err := st.deliver(ada, 5, bot.Message{Text: "one too many"}, nil)
	if se := sendError(t, err); se.Kind != bot.SendThrottled || !se.Here || se.After < 10*time.Second || se.After > 31*time.Second {
		t.Errorf("%v: here %v, after %s", err, se.Here, se.After)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Send took %s", took)
	}
	for _, c := range st.s.Calls()[before:] {
		if strings.HasSuffix(c.Path, "/messages") && c.Status == http.StatusTooManyRequests {
			t.Error("it asked although it knew the limit")
		}
	}
	if _, err := st.deliver(bob, 1, bot.Message{Text: "for another"}, nil); err != nil {
		t.Errorf("another conversation has to wait: %v", err)
	}
}

// oddLimits makes the headers that tell of limits unreadable.
type oddLimits struct{ http.RoundTripper }

func (o oddLimits) RoundTrip(q *http.Request) (*http.Response, error) {
	r, err := o.RoundTripper.RoundTrip(q)
	if err == nil {
		r.Header.Set("X-RateLimit-Remaining", "some")
		r.Header.Set("X-RateLimit-Reset-After", "soon")
	}
	return r, err
}

// TestOddLimits: what Discord says of its limits and cannot be read costs nobody
// their answer.
func TestOddLimits(t *testing.T) {
	t.Parallel()
	st := perform(t, nil, func(a *discord.Adapter) { a.Through(oddLimits{http.DefaultTransport}) })
	st.up()
	ada := st.s.Person(1)
	st.do(ada.Say("hi"))
	st.heard(ada, []string{"hi"})
	for n := range 3 {
		if _, err := st.deliver(ada, int64(n), bot.Message{Text: fmt.Sprint("number ", n)}, nil); err != nil {
			t.Error(err)
		}
	}
}

// TestShortLimit: a wait of less than two seconds is waited for.
func TestShortLimit(t *testing.T) {
	t.Parallel()
	st, ps := spoken(t, func(_ *discord.Options, s *discordtest.Server) {
		s.SetLimit(3, 400*time.Millisecond)
	}, 1)
	for n := range 10 {
		if _, err := st.deliver(ps[0], int64(n), bot.Message{Text: fmt.Sprint("number ", n)}, nil); err != nil {
			t.Fatalf("number %d: %v", n, err)
		}
	}
	for _, c := range st.s.Calls() {
		if c.Status == http.StatusTooManyRequests {
			t.Errorf("%s %s ran into the limit", c.Method, c.Path)
		}
	}
}

// TestErrors: what each refusal of Discord means for a message.
func TestErrors(t *testing.T) {
	t.Parallel()
	st, ps := spoken(t, nil, 1)
	ann := ps[0]
	for n, c := range []struct {
		status, code int
		header       map[string]string
		kind         bot.SendErrorKind
		says         string
		here         bool
		after        time.Duration
	}{
		{403, 50007, nil, bot.SendGone, "unreachable", false, 0},
		{403, 50278, nil, bot.SendGone, "unreachable", false, 0},
		{404, 10003, nil, bot.SendGone, "unreachable", false, 0},
		{404, 10013, nil, bot.SendGone, "unreachable", false, 0},
		{403, 50001, nil, bot.SendGone, "unreachable", false, 0},
		{400, 50035, nil, bot.SendPermanent, "refused", false, 0},
		{413, 40005, nil, bot.SendPermanent, "refused", false, 0},
		{400, 40003, nil, bot.SendThrottled, "", true, time.Minute},
		{401, 0, nil, bot.SendRetry, "", false, 0},
		{502, 0, nil, bot.SendRetry, "", false, 0},
		{500, 0, nil, bot.SendUncertain, "", false, 0},
		{503, 0, nil, bot.SendUncertain, "", false, 0},
		{429, 0, map[string]string{"X-RateLimit-Global": "true", "Retry-After": "3"}, bot.SendThrottled, "", false, 3 * time.Second},
		{429, 0, map[string]string{"Retry-After": "65.5", "X-RateLimit-Scope": "shared"}, bot.SendThrottled, "", true, 65500 * time.Millisecond},
	} {
		st.s.Fault(ann.Channel(), func(w http.ResponseWriter, q *http.Request, _ *discordtest.Call) bool {
			if !strings.HasSuffix(q.URL.Path, "/messages") {
				return false
			}
			for k, v := range c.header {
				w.Header().Set(k, v)
			}
			w.WriteHeader(c.status)
			_ = json.NewEncoder(w).Encode(discordtest.M{"code": c.code, "message": "canary of the server", "retry_after": 1.0})
			return true
		})
		_, err := st.deliver(ann, int64(100+n), bot.Message{Text: "canary of the text"}, nil)
		se := sendError(t, err)
		if se.Kind != c.kind || se.Code != c.says || se.Here != c.here || c.after > 0 && se.After != c.after {
			t.Errorf("%d/%d: %v, code %q, here %v, after %s", c.status, c.code, err, se.Code, se.Here, se.After)
		}
		if s := err.Error(); strings.Contains(s, "canary") || strings.Contains(s, ann.Channel()) || strings.Contains(s, "http://") {
			t.Errorf("the error says too much: %s", s)
		}
	}
	st.s.Fault(ann.Channel(), nil)
	if _, err := st.deliver(ann, 200, bot.Message{Text: "Well again."}, nil); err != nil {
		t.Error(err)
	}
	if _, err := st.a.Send(context.Background(), bot.Delivery{Key: "k", Conversation: "c", Message: bot.Message{Text: "x"}}); sendError(t, err).Kind != bot.SendGone {
		t.Errorf("without an address: %v", err)
	}
	// Nobody listens any more: nothing was sent.
	gone, err := discord.New(discord.Options{Options: chat.Options{Channel: "x", Phrases: phrases}, House: st.box, ApplicationID: "1", Token: func() []bot.Secret { return nil }, APIURL: "http://127.0.0.1:1/api"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gone.Send(context.Background(), bot.Delivery{Key: "k", Address: []byte(`{"c":"5"}`), Message: bot.Message{Text: "x"}}); sendError(t, err).Kind != bot.SendRetry {
		t.Errorf("nobody listens: %v", err)
	}
}

// TestClosedDoor: somebody who takes no direct messages is told where they used
// the command, and nobody else sees it.
func TestClosedDoor(t *testing.T) {
	t.Parallel()
	st := perform(t, nil, nil)
	st.up()
	ann := st.s.Person(1)
	ann.Speak("en-US")
	st.do(ann.Command("setup", "", true))
	st.until("an answer", func() bool { return len(ann.InGuild()) == 1 })
	if m := ann.InGuild()[0]; !m.Ephemeral || m.Content != phrases["en chat.in_channel"] {
		t.Errorf("%+v", m)
	}
	evs := st.box.all()
	if len(evs) != 1 || evs[0].Kind != bot.Open || evs[0].From != ann.ID() || evs[0].Locale != "en-US" {
		t.Fatalf("%+v", evs)
	}
	ann.Close(true)
	_, err := st.deliver(ann, 1, bot.Message{Text: "Hello."}, nil)
	if se := sendError(t, err); se.Kind != bot.SendGone || se.Code != "unreachable" {
		t.Errorf("%v", err)
	}
	st.until("a word about it", func() bool { return len(ann.InGuild()) == 2 })
	if m := ann.InGuild()[1]; !m.Ephemeral || m.Content != phrases["en chat.dm_closed"] {
		t.Errorf("%+v", m)
	}
	// A word with the command is said in private.
	ann.Close(false)
	st.do(ann.Command("setup", "status", true))
	st.until("the word", func() bool { return slices.Equal(st.box.texts(ann.ID()), []string{"status"}) })
	st.until("an answer", func() bool { return len(ann.InGuild()) == 3 })
	if m := ann.InGuild()[2]; m.Content != phrases["en chat.command.moved"] {
		t.Errorf("%+v", m)
	}
	// Direct messages that cannot even be opened.
	bob := st.s.Person(2)
	bob.Speak("en-US")
	bob.TooFast(true)
	st.do(bob.Command("setup", "", true))
	st.until("an answer", func() bool { return len(bob.InGuild()) == 1 })
	if m := bob.InGuild()[0]; m.Content != phrases["en chat.in_channel.ask"] {
		t.Errorf("%+v", m)
	}
	for _, c := range st.s.Calls() {
		if log := st.box.logged(); strings.HasSuffix(c.Path, "/callback") && strings.Contains(log, strings.Split(c.Path, "/")[5]) {
			t.Error("the token of an interaction stands in the log")
		}
	}
}

// TestCommandInPrivate opens the conversation, and leaves nothing but the answer.
func TestCommandInPrivate(t *testing.T) {
	t.Parallel()
	st := perform(t, nil, nil)
	st.up()
	ann := st.s.Person(1)
	st.do(ann.Command("setup", "", false))
	st.until("it to be taken in", func() bool { return len(st.box.all()) == 1 })
	st.until("its answer to be taken away", func() bool {
		return slices.ContainsFunc(st.s.Calls(), func(c discordtest.Call) bool { return c.Method == "DELETE" && c.Status == 204 })
	})
	if ms := ann.Messages(); len(ms) != 0 {
		t.Errorf("there stands %+v", ms)
	}
	st.do(ann.Command("setup", "help", false))
	st.until("the word", func() bool { return slices.Equal(st.box.texts(ann.ID()), []string{"help"}) })
}

// TestNotPeople: bots, servers, system messages and empty ones make no event,
// and files are answered.
func TestNotPeople(t *testing.T) {
	t.Parallel()
	st, ps := spoken(t, nil, 1)
	ann := ps[0]
	write := func(m discordtest.M) {
		t.Helper()
		_, err := ann.Write(m)
		st.do(err)
	}
	write(discordtest.M{"content": "x", "author": discordtest.M{"id": "77", "bot": true}})
	write(discordtest.M{"content": "x", "guild_id": discordtest.GuildID})
	write(discordtest.M{"content": "x", "webhook_id": "5"})
	write(discordtest.M{"content": "x", "channel_type": 3})
	write(discordtest.M{"content": "x", "type": 6})
	write(discordtest.M{"content": ""})
	write(discordtest.M{"content": "", "attachments": []any{discordtest.M{"id": "1", "filename": "voice.ogg"}}})
	write(discordtest.M{"content": "with a file", "attachments": []any{discordtest.M{"id": "1"}}})
	write(discordtest.M{"content": "a reply", "type": 19})
	st.s.Emit("MESSAGE_UPDATE", discordtest.M{"id": st.s.ID(), "channel_id": ann.Channel(), "author": discordtest.M{"id": ann.ID()}, "content": "changed"})
	st.s.Emit("MESSAGE_DELETE", discordtest.M{"id": st.s.ID(), "channel_id": ann.Channel()})
	st.do(ann.Say("end"))
	st.heard(ann, []string{"hi", "with a file", "a reply", "end"})
	find(t, ann, phrases["en chat.no_files"])
	n := 0
	for _, m := range ann.Messages() {
		if m.Bot {
			n++
		}
	}
	if all := st.box.all(); n != 1 || len(all) != 4 {
		t.Errorf("%d answers, %d events", n, len(all))
	}
}

// TestTypingSign: it is given when nothing is said for a while, and not else.
func TestTypingSign(t *testing.T) {
	t.Parallel()
	st := perform(t, nil, nil)
	st.up()
	ann := st.s.Person(1)
	st.do(ann.Say("slowly"))
	st.until("a typing sign", func() bool { return ann.Signs() == 1 })
	// It stands for a while, so that it is not given again for each word; a
	// message ends it.
	for n := range 5 {
		st.do(ann.Say(fmt.Sprint("more ", n)))
	}
	st.heard(ann, []string{"slowly", "more 0", "more 1", "more 2", "more 3", "more 4"})
	if n := ann.Signs(); n != 1 {
		t.Errorf("%d typing signs", n)
	}
	if _, err := st.deliver(ann, 1, bot.Message{Text: "Here it is."}, nil); err != nil {
		t.Fatal(err)
	}
	st.do(ann.Say("and this?"))
	st.until("another sign", func() bool { return ann.Signs() == 2 })
}

// TestForm opens the form of an entry, takes what is entered with its prompt, and
// settles the message.
func TestForm(t *testing.T) {
	t.Parallel()
	st, ps := spoken(t, nil, 1)
	ann := ps[0]
	m := bot.Message{Text: "Which number?", Prompt: 12, Lang: "en", Choices: []bot.Choice{{ID: "x", Label: "Later"}}, Entry: &bot.Entry{Kind: bot.EntryPhone, Title: "Your number", Label: "With its area code", Button: "Enter it"}}
	if _, err := st.deliver(ann, 1, m, nil); err != nil {
		t.Fatal(err)
	}
	st.do(ann.Press("Enter it"))
	st.until("a form", func() bool { _, _, _, open := ann.Modal(); return open })
	if title, label, most, _ := ann.Modal(); title != "Your number" || label != "With its area code" || most != 60 {
		t.Errorf("the form is %q, %q, %d", title, label, most)
	}
	if len(st.box.all()) != 1 {
		t.Error("opening a form is an event")
	}
	st.do(ann.Fill(" +1 (201) 555-0123 "))
	st.heard(ann, []string{"hi", " +1 (201) 555-0123 "})
	if ev := st.box.all()[1]; ev.Prompt != 12 || ev.Kind != bot.Text {
		t.Errorf("%+v", ev)
	}
	st.until("the buttons to go", func() bool {
		x := find(t, ann, "Which number?")
		return len(x.Buttons) == 0 && strings.HasSuffix(x.Content, "✓ Enter it")
	})
	if strings.Contains(st.box.logged(), "555-0123") {
		t.Error("what was entered stands in the log")
	}
}

// TestTokenIsAskedForAtEachUse: a new token works without a restart.
func TestTokenIsAskedForAtEachUse(t *testing.T) {
	t.Parallel()
	tokens := []bot.Secret{"an-old-token"}
	s := discordtest.New(t)
	a, err := discord.New(discord.Options{Options: chat.Options{Channel: "x", Phrases: phrases}, House: newBox(), ApplicationID: discordtest.ApplicationID, Token: func() []bot.Secret { return tokens }, APIURL: s.API})
	if err != nil {
		t.Fatal(err)
	}
	to := []byte(`{"c":"` + s.Person(1).Channel() + `"}`)
	if err := a.Typing(context.Background(), to); err == nil || sendError(t, err).Kind != bot.SendRetry || !strings.Contains(err.Error(), "token") {
		t.Errorf("with the old one: %v", err)
	}
	tokens = []bot.Secret{discordtest.Token, "an-old-token"}
	if err := a.Typing(context.Background(), to); err != nil {
		t.Errorf("with the new one: %v", err)
	}
}

// TestRefusedPicture: a message whose picture Discord does not take goes out without
// it in the same attempt, with the key, the link and a word about the picture.
func TestRefusedPicture(t *testing.T) {
	t.Parallel()
	for what, refuse := range map[string][2]int{"too large": {http.StatusRequestEntityTooLarge, 40005}, "a proxy's 413": {http.StatusRequestEntityTooLarge, 0}, "no permission": {http.StatusForbidden, 50013}} {
		st := perform(t, nil, nil)
		st.up()
		ann := st.s.Person(1)
		st.do(ann.Say("hello"))
		st.heard(ann, []string{"hello"})
		st.s.Fault(ann.Channel(), func(w http.ResponseWriter, _ *http.Request, c *discordtest.Call) bool {
			if c.File == nil {
				return false
			}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(refuse[0])
			fmt.Fprintf(w, `{"code":%d,"message":"no"}`, refuse[1])
			return true
		})
		_, err := st.deliver(ann, 1, bot.Message{Text: "Scan.", Lang: "en", Picture: &bot.Picture{Alt: "The code."}}, func(d *bot.Delivery) {
			d.Revealed = &bot.Revealed{URI: "otpauth://totp/x?secret=ABCD", Key: "ABCD", PNG: []byte("the picture")}
		})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		m := find(t, ann, "Scan.")
		shown, _ := discordtest.Markdown(m.Content)
		for _, want := range []string{"ABCD", "otpauth://totp/x?secret=ABCD", "No picture. Type the key."} {
			if !strings.Contains(shown, want) {
				t.Errorf("%s: %q is missing in %q", what, want, shown)
			}
		}
		if len(m.Files) > 0 {
			t.Errorf("%s: %d files", what, len(m.Files))
		}
	}
}

// TestHealthTellsOfPictures: that Discord refuses pictures is told, with why, until
// it takes one.
func TestHealthTellsOfPictures(t *testing.T) {
	t.Parallel()
	p := open(t, adaptertest.NewHouse())
	a := p.Connect(t).(*discord.Adapter)
	who := p.Person(0)
	channel := p.s.Person(0).Channel()
	n := 0
	send := func() {
		n++
		_, err := a.Send(t.Context(), bot.Delivery{
			Key: fmt.Sprint("k", n), Conversation: "c", User: who.ID(), Address: []byte(`{"c":"` + channel + `"}`), Attempt: 1,
			Message: bot.Message{Text: "Look.", Picture: &bot.Picture{Name: adaptertest.PictureName, Alt: "A drawing."}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	mend := p.Fault(who, adaptertest.Bare)
	send()
	mend()
	if h := a.Health(); h.OK || !strings.Contains(h.Text, "refuses pictures") || !strings.Contains(h.Text, "40005") {
		t.Errorf("refused: %+v", h)
	}
	send()
	if h := a.Health(); strings.Contains(h.Text, "pictures") {
		t.Errorf("taken: %+v", h)
	}
}
