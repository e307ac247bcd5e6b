package slack_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/slack"
	"latchkey/adapters/slack/slacktest"
	"latchkey/bot"
)

// Newcomer implements adaptertest.Directory: one who is known by their address,
// and one who is linked.
func (w *workspace) Newcomer(n int) (adaptertest.Person, bot.Recipient) {
	who := w.Person(50 + n).(*person)
	if n == 0 {
		w.Change(who.ID(), func(u *slacktest.User) { u.Email = "New@contoso.example" })
		return who, bot.Recipient{Person: "p-new", Email: "new@contoso.example"}
	}
	return who, bot.Recipient{Person: "p-linked", User: who.ID()}
}

// Absent implements adaptertest.Directory.
func (w *workspace) Absent() map[string]bot.Recipient {
	w.Add(slacktest.User{Name: "left", Email: "left@contoso.example", Deleted: true})
	left := w.Add(slacktest.User{Name: "left, linked", Deleted: true})
	w.Add(slacktest.User{Name: "guest", Email: "guest@contoso.example", Restricted: true})
	return map[string]bot.Recipient{
		bot.WhyNotFound:    {Email: "left@contoso.example"}, // Slack does not find who is switched off
		bot.WhyDeactivated: {User: left.ID, Email: "left@contoso.example"},
		bot.WhyNotOurs:     {Email: "guest@contoso.example"},
	}
}

// room is a channel that the bot is in.
func (w *workspace) room() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.channel == "" {
		w.channel = w.AddChannel(slacktest.Channel{})
	}
	return w.channel
}

// RoomID implements adaptertest.RoomKeeper.
func (w *workspace) RoomID() string { return w.room() }

// NoRooms implements adaptertest.RoomKeeper.
func (w *workspace) NoRooms() map[string]string {
	return map[string]string{
		bot.WhyNotFound: w.AddChannel(slacktest.Channel{Hidden: true}), bot.WhyNotInstalled: w.AddChannel(slacktest.Channel{Without: true}),
		bot.WhyClosed: w.AddChannel(slacktest.Channel{Archived: true}),
	}
}

// Posts implements adaptertest.RoomKeeper.
func (w *workspace) Posts() (all []adaptertest.Post, err error) {
	ms := w.Messages(w.room())
	for _, m := range ms {
		if m.Thread != "" {
			continue
		}
		p := adaptertest.Post{Shown: show(w.Workspace, m)}
		for _, o := range ms {
			if o.Thread == m.TS {
				p.Answers = append(p.Answers, show(w.Workspace, o))
			}
		}
		all = append(all, p)
	}
	return all, nil
}

// reaching is an adapter that nobody runs.
func reaching(t *testing.T) (*workspace, *slack.Adapter) {
	w := openWorkspace(t, adaptertest.NewHouse(), false)
	return w, w.Connect(t).(*slack.Adapter)
}

// TestOpenWhatSlackSays: what Slack answers, and what is known then. Nothing is
// uncertain, since nothing was said.
func TestOpenWhatSlackSays(t *testing.T) {
	t.Parallel()
	w, a := reaching(t)
	ada := w.Add(slacktest.User{Name: "ada", Email: "ada@contoso.example"})
	for _, c := range []struct {
		method, says string
		kind         bot.SendErrorKind
		why          string
	}{
		{"users.lookupByEmail", "users_not_found", bot.SendGone, bot.WhyNotFound},
		{"users.lookupByEmail", "ratelimited", bot.SendThrottled, ""},
		{"users.lookupByEmail", "missing_scope", bot.SendRetry, ""},
		{"users.lookupByEmail", "token_revoked", bot.SendRetry, ""},
		{"users.lookupByEmail", "internal_error", bot.SendRetry, ""},
		{"users.lookupByEmail", slacktest.Cut, bot.SendRetry, ""},
		{"conversations.open", "user_disabled", bot.SendGone, bot.WhyDeactivated},
		{"conversations.open", "user_not_found", bot.SendGone, bot.WhyNotFound},
		{"conversations.open", "user_not_visible", bot.SendGone, bot.WhyNotOurs},
		{"conversations.open", "cannot_dm_bot", bot.SendGone, bot.WhyNotOurs},
		{"conversations.open", "restricted_action", bot.SendGone, bot.WhyClosed},
		{"conversations.open", "something_new", bot.SendGone, bot.WhyClosed},
		{"conversations.open", "ratelimited", bot.SendThrottled, ""},
		{"conversations.open", "fatal_error", bot.SendRetry, ""},
	} {
		w.Refuse(c.method, c.says)
		_, err := a.Open(t.Context(), bot.Recipient{Email: ada.Email})
		w.Refuse(c.method, "")
		var se *bot.SendError
		if !errors.As(err, &se) || se.Kind != c.kind || c.why != "" && se.Code != c.why {
			t.Errorf("%s: %s: %v (%+v), want kind %d, %q", c.method, c.says, err, se, c.kind, c.why)
		}
		if se != nil && (strings.Contains(se.Error(), "ada") || strings.Contains(se.Error(), ada.ID)) {
			t.Errorf("%s: the error names the person: %v", c.says, se)
		}
	}
	for _, p := range []bot.Recipient{{}, {Person: "p1"}, {Email: "no address"}, {Email: "Ada <ada@contoso.example>"}, {User: "../x"}} {
		var se *bot.SendError
		if _, err := a.Open(t.Context(), p); !errors.As(err, &se) || se.Code != bot.WhyNotFound {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// TestOpenWithoutAnAnswer: the direct messages were opened and nobody heard of
// it. The next attempt finds these, from whichever process.
func TestOpenWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	w, a := reaching(t)
	ada := w.Add(slacktest.User{Name: "ada", Email: "ada@contoso.example"})
	to := bot.Recipient{Email: ada.Email}
	w.Refuse("conversations.open", slacktest.Cut)
	for range 10 {
		var se *bot.SendError
		if _, err := a.Open(t.Context(), to); !errors.As(err, &se) || se.Kind != bot.SendRetry {
			t.Fatalf("%v, want it to be tried again", err)
		}
	}
	w.Refuse("conversations.open", "")
	other := w.Connect(t).(*slack.Adapter)
	got := make([]bot.Opened, 8)
	var all sync.WaitGroup
	for i := range got {
		all.Go(func() {
			o, err := []*slack.Adapter{a, other}[i%2].Open(context.Background(), to)
			if err != nil {
				t.Error(err)
			}
			got[i] = o
		})
	}
	all.Wait()
	for _, o := range got {
		if string(o.Address) != string(got[0].Address) || o.Conversation != got[0].Conversation || o.User != ada.ID {
			t.Errorf("opened %+v and %+v", got[0], o)
		}
	}
	if n := w.Rooms(); n != 1 {
		t.Errorf("%d direct messages were opened", n)
	}
}

// TestOpenScope: without the scope nobody is found by their address, and the
// operator can mend it; who is linked needs none.
func TestOpenScope(t *testing.T) {
	t.Parallel()
	w, a := reaching(t)
	ada := w.Add(slacktest.User{Name: "ada", Email: "ada@contoso.example"})
	w.Set(func(w *slacktest.Workspace) {
		w.Scopes = strings.Replace(w.Scopes, "users:read.email", "users:read.other", 1)
	})
	var se *bot.SendError
	if _, err := a.Open(t.Context(), bot.Recipient{Email: ada.Email}); !errors.As(err, &se) || se.Kind != bot.SendRetry {
		t.Errorf("without the scope: %v", err)
	}
	if _, err := a.Open(t.Context(), bot.Recipient{User: ada.ID}); err != nil {
		t.Errorf("who is linked needs no address: %v", err)
	}
}

// sendOrFind sends as the outbox does: a repeat is looked for first.
func sendOrFind(t *testing.T, a *slack.Adapter, d bot.Delivery) (bot.Receipt, error) {
	t.Helper()
	if d.Attempt > 1 {
		if r, err := a.Find(t.Context(), d); !errors.Is(err, bot.ErrNotFound) {
			return r, err
		}
	}
	return a.Send(t.Context(), d)
}

// TestRoomSaidOnce: an attempt whose answer was lost, into a channel and into a
// long thread, is found and not repeated; one that was lost itself is repeated.
func TestRoomSaidOnce(t *testing.T) {
	t.Parallel()
	w, a := reaching(t)
	id := w.RoomID()
	room, err := a.Room(id)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	send := func(to bot.Opened, key string, attempt int) (bot.Receipt, *bot.SendError) {
		n++
		r, err := sendOrFind(t, a, bot.Delivery{Key: key, Conversation: to.Conversation, Address: to.Address, Message: bot.Message{Text: "Text of " + key}, Attempt: attempt})
		var se *bot.SendError
		errors.As(err, &se)
		return r, se
	}
	top, se := send(room, "top", 1)
	if se != nil {
		t.Fatal(se)
	}
	under, err := a.Thread(room.Address, top.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 230 { // more than one page
		if _, se := send(under, fmt.Sprint("line ", i), 1); se != nil {
			t.Fatal(se)
		}
	}
	w.Set(func(w *slacktest.Workspace) { // somebody else's message, of a shape that nobody expects
		w.Odd = json.RawMessage(`{"type":"message","ts":"1.000001","user":"U0X","files":7,"blocks":{"a":1},"metadata":[]}`)
	})
	for name, to := range map[string]bot.Opened{"channel": room, "thread": under} {
		mend := w.Workspace.Fault(id, slacktest.Doubt)
		_, se := send(to, name, 1)
		mend()
		if se == nil || se.Kind != bot.SendUncertain {
			t.Errorf("%s: %v, want it uncertain", name, se)
		}
		r, se := send(to, name, 2)
		if again, _ := send(to, name, 3); se != nil || again != r {
			t.Errorf("%s: found as %v and %v (%v)", name, r, again, se)
		}
		mend = w.Workspace.Fault(id, slacktest.Lost)
		_, _ = send(to, name+" lost", 1)
		mend()
		if _, se := send(to, name+" lost", 2); se != nil {
			t.Errorf("%s: %v", name, se)
		}
		for _, key := range []string{name, name + " lost"} {
			if c := len(slices.DeleteFunc(w.Messages(id), func(m slacktest.Message) bool { return m.Text != "Text of "+key })); c != 1 {
				t.Errorf("%q stands there %d times", key, c)
			}
		}
	}
	// Without the scope nobody can look, and what cannot be looked at waits.
	w.Set(func(w *slacktest.Workspace) {
		w.Scopes = strings.Replace(w.Scopes, "channels:history", "channels:other", 1)
	})
	if _, se := send(room, "top", 2); se == nil || se.Kind != bot.SendRetry {
		t.Errorf("without the scope: %v, want it to wait", se)
	}
}

// TestRoomWhatSlackSays: what Slack answers to a message into a channel.
func TestRoomWhatSlackSays(t *testing.T) {
	t.Parallel()
	w, a := reaching(t)
	room, err := a.Room(w.RoomID())
	if err != nil {
		t.Fatal(err)
	}
	for says, want := range map[string]struct {
		kind bot.SendErrorKind
		why  string
	}{
		"channel_not_found":                        {bot.SendGone, bot.WhyNotFound},
		"not_in_channel":                           {bot.SendGone, bot.WhyNotInstalled},
		"is_archived":                              {bot.SendGone, bot.WhyClosed},
		"restricted_action":                        {bot.SendGone, bot.WhyClosed},
		"restricted_action_thread_only_channel":    {bot.SendGone, bot.WhyClosed},
		"restricted_action_non_threadable_channel": {bot.SendGone, bot.WhyClosed},
		"msg_too_long":                             {bot.SendPermanent, "refused"},
		"ratelimited":                              {bot.SendThrottled, ""},
		"internal_error":                           {bot.SendUncertain, ""},
	} {
		w.Refuse("chat.postMessage", says)
		_, err := a.Send(t.Context(), bot.Delivery{Key: "k", Address: room.Address, Message: bot.Message{Text: "x"}, Attempt: 1})
		var se *bot.SendError
		if !errors.As(err, &se) || se.Kind != want.kind || se.Code != want.why {
			t.Errorf("%s: %v (%+v), want %+v", says, err, se, want)
		}
	}
}
