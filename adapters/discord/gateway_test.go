package discord_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/discord"
	"latchkey/adapters/discord/discordtest"
	"latchkey/bot"
)

// TestResumeLosesNothing breaks the connection in every way that can be resumed:
// all that was said arrives, once and in order, in one session.
func TestResumeLosesNothing(t *testing.T) {
	t.Parallel()
	st := perform(t, nil, nil)
	ann := st.s.Person(1)
	st.up()
	var want []string
	say := func(n int) {
		for range n {
			want = append(want, fmt.Sprint("number ", len(want)))
			st.do(ann.Say(want[len(want)-1]))
		}
	}
	say(3)
	st.heard(ann, want)
	for round, interrupt := range []func(){st.s.Cut, st.s.Reconnect, func() { st.s.Close(4000) }, st.s.Cut, func() { st.s.Close(1001) }} {
		interrupt()
		say(4)
		st.heard(ann, want)
		st.until("it to be well", func() bool { return st.a.Health().OK })
		if n := st.count("resume"); n < round+1 {
			t.Errorf("after interruption %d it was resumed %d times", round+1, n)
		}
	}
	if n := st.count("identify"); n != 1 {
		t.Errorf("%d sessions, want one that is resumed", n)
	}
	if n := st.count("connect /resumed"); n < 5 {
		t.Errorf("%d of the connections went to the address that was given for resuming", n)
	}
	if h := st.a.Health(); !h.OK || h.Text != "" {
		t.Errorf("health %+v", h)
	}
}

// TestCaughtUp loses the session: what was said meanwhile is fetched, all pages
// of it, once and before what comes after.
func TestCaughtUp(t *testing.T) {
	t.Parallel()
	st := perform(t, nil, nil)
	ann, bob, eve := st.s.Person(1), st.s.Person(2), st.s.Person(3)
	st.up()
	st.do(ann.Say("a0"))
	st.do(bob.Say("b0"))
	st.heard(ann, []string{"a0"})
	st.heard(bob, []string{"b0"})
	if _, err := st.deliver(ann, 1, bot.Message{Text: "An answer."}, nil); err != nil {
		t.Fatal(err)
	}
	st.s.Down(true)
	st.s.Cut()
	st.s.Expire()
	as, bs := []string{"a0"}, []string{"b0"}
	for n := 1; n <= 230; n++ {
		as = append(as, fmt.Sprint("a", n))
		st.do(ann.Say(as[n]))
	}
	bs = append(bs, "b1")
	st.do(bob.Say("b1"))
	st.do(eve.Say("who has never written before")) // nobody knows of this channel
	_, err := bob.Write(discordtest.M{"content": "", "attachments": []any{discordtest.M{"id": "1"}}})
	st.do(err)
	st.s.Down(false)
	st.up()
	as, bs = append(as, "a231"), append(bs, "b2")
	st.do(ann.Say("a231"))
	st.do(bob.Say("b2"))
	st.heard(ann, as)
	st.heard(bob, bs)
	if n := len(st.box.all()); n != len(as)+len(bs) {
		t.Errorf("%d events, want %d: something else was taken in than what people wrote", n, len(as)+len(bs))
	}
	if n := st.count("identify"); n < 2 {
		t.Errorf("%d identifies: the session was not lost", n)
	}
	if got := st.box.texts(eve.ID()); len(got) != 0 {
		t.Errorf("fetched %q of somebody whose channel is not known", got)
	}
}

// TestCaughtUpAfterRestart stops the adapter in the middle of a turn. The next
// one fetches what was not taken in, and what came while there was none.
func TestCaughtUpAfterRestart(t *testing.T) {
	t.Parallel()
	st := perform(t, nil, nil)
	ann := st.s.Person(1)
	st.up()
	st.do(ann.Say("taken in"))
	st.heard(ann, []string{"taken in"})
	gate := make(chan struct{})
	st.box.set(func() { st.box.slow = gate })
	st.do(ann.Say("half"))
	st.until("a turn under way", func() bool { st.box.mu.Lock(); defer st.box.mu.Unlock(); return st.box.calls == 2 })
	st.do(ann.Say("not begun"))
	st.stop()
	st.box.set(func() { st.box.slow = nil })
	st.do(ann.Say("while nobody was there"))
	if n := len(st.box.all()); n != 1 {
		t.Fatalf("%d events were taken in", n)
	}
	st.start(nil, nil)
	st.heard(ann, []string{"taken in", "half", "not begun", "while nobody was there"})
	st.up()
	st.do(ann.Say("and on"))
	st.heard(ann, []string{"taken in", "half", "not begun", "while nobody was there", "and on"})
}

// TestClosedHouseIsOfferedAgain: the person is asked for a moment, once, and what
// they said arrives.
func TestClosedHouseIsOfferedAgain(t *testing.T) {
	t.Parallel()
	st := perform(t, nil, nil)
	ann := st.s.Person(1)
	st.up()
	st.box.set(func() { st.box.shut = true })
	st.do(ann.Say("knock"))
	find(t, ann, "One moment, please.")
	st.do(ann.Say("knock again"))
	st.box.set(func() { st.box.shut = false })
	st.heard(ann, []string{"knock", "knock again"})
	n := 0
	for _, m := range ann.Messages() {
		if m.Bot {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the person was told %d times to wait", n)
	}
}

// TestCaughtUpLater: the house cannot list its conversations at first.
func TestCaughtUpLater(t *testing.T) {
	t.Parallel()
	st := perform(t, nil, nil)
	ann := st.s.Person(1)
	st.up()
	st.do(ann.Say("before"))
	st.heard(ann, []string{"before"})
	st.box.set(func() { st.box.listFail = true })
	st.stop()
	st.do(ann.Say("while nobody was there"))
	st.start(nil, nil)
	st.up()
	st.until("it to say so", func() bool { return strings.Contains(st.box.logged(), "cannot be fetched yet") })
	if got := st.box.texts(ann.ID()); len(got) != 1 {
		t.Errorf("heard %q", got)
	}
	st.box.set(func() { st.box.listFail = false })
	st.heard(ann, []string{"before", "while nobody was there"})
}

// TestNothingFollowsAResume: op 7, op 11 or silence in the middle of a resume is
// survived, and the session with it.
func TestNothingFollowsAResume(t *testing.T) {
	t.Parallel()
	for _, op := range []int{7, 11} {
		t.Run(fmt.Sprint("op ", op), func(t *testing.T) {
			t.Parallel()
			st := perform(t, nil, nil)
			ann := st.s.Person(1)
			st.up()
			st.do(ann.Say("before"))
			st.heard(ann, []string{"before"})
			st.s.Greet(op, nil)
			st.s.Cut()
			st.do(ann.Say("meanwhile"))
			st.heard(ann, []string{"before", "meanwhile"})
			st.up()
			st.do(ann.Say("after"))
			st.heard(ann, []string{"before", "meanwhile", "after"})
			if n := st.count("identify"); n != 1 || st.count("resume") < 2 {
				t.Errorf("%d identifies, %d resumes", n, st.count("resume"))
			}
		})
	}
}

// TestMadFrames: of what is not as documented comes nothing, and the conversation
// goes on.
func TestMadFrames(t *testing.T) {
	t.Parallel()
	st := perform(t, nil, nil)
	ann := st.s.Person(1)
	st.up()
	for n, frame := range []string{
		"null", "[]", "7", "", "{", `{"op":null}`, `{"op":"0"}`, `{"op":0}`, `{"op":0,"t":"READY"}`, `{"op":0,"t":"READY","s":1,"d":null}`,
		`{"op":0,"t":"READY","s":1,"d":{"session_id":7}}`, `{"op":0,"t":"GUILD_CREATE","s":3,"d":{}}`, `{"op":0,"t":"GUILD_CREATE","s":3,"d":null}`, `{"op":0,"t":"GUILD_UPDATE","s":3,"d":null}`,
		`{"op":0,"t":"VOICE_STATE_UPDATE","s":3,"d":{}}`, `{"op":0,"t":"VOICE_SERVER_UPDATE","s":3,"d":null}`, `{"op":10,"d":{"heartbeat_interval":0}}`, `{"op":10,"d":null}`, `{"op":10,"d":{"heartbeat_interval":-5}}`,
		`{"op":0,"t":"MESSAGE_CREATE","s":3,"d":null}`, `{"op":0,"t":"INTERACTION_CREATE","s":3,"d":null}`, `{"op":0,"t":"MESSAGE_CREATE","s":99999999999999999999,"d":{}}`, `{"op":99,"d":{}}`, `{"op":11,"d":[]}`, `{"op":2}`,
		strings.Repeat("[", 5000), "\xff\xfe",
	} {
		st.s.Raw(1+n%2, []byte(frame)) // text, and what is not compressed as binary
		st.s.Raw(1, []byte(frame))
	}
	st.do(ann.Say("still there?"))
	st.heard(ann, []string{"still there?"})
	if n := len(st.box.all()); n != 1 {
		t.Errorf("%d events", n)
	}
	if st.count("identify") != 1 {
		t.Errorf("the gateway saw %q", st.s.Connects())
	}
}

// TestLostSessionBeginsANewOne: op 9 and close codes after which there is
// nothing to resume.
func TestLostSessionBeginsANewOne(t *testing.T) {
	t.Parallel()
	for _, code := range []int{0, 4007, 4009} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			st := perform(t, nil, nil)
			ann := st.s.Person(1)
			st.up()
			st.do(ann.Say("before"))
			st.heard(ann, []string{"before"})
			if code == 0 {
				st.s.Cut()
				st.s.Expire()
			} else {
				st.s.CloseResuming(code)
				st.s.Cut()
			}
			st.do(ann.Say("meanwhile"))
			st.heard(ann, []string{"before", "meanwhile"})
			st.up()
			if n := st.count("identify"); n < 2 {
				t.Errorf("%d identifies", n)
			}
		})
	}
}

// TestSilentConnection: a heartbeat is not acknowledged until the next one is due;
// then the connection is made anew, and the session goes on.
func TestSilentConnection(t *testing.T) {
	t.Parallel()
	s := func(_ *discord.Options, s *discordtest.Server) { s.SetHeartbeat(time.Second) }
	st := perform(t, s, func(a *discord.Adapter) { a.Hurry(time.Hour, time.Second) })
	st.up()
	st.s.Deaf(true)
	st.until("it to connect again", func() bool { return st.count("resume") > 0 || st.count("identify") > 1 })
	st.s.Deaf(false)
	st.up()
	ann := st.s.Person(1)
	st.do(ann.Say("hello"))
	st.heard(ann, []string{"hello"})
	if n := st.count("identify"); n != 1 {
		t.Errorf("%d sessions; a silent connection is cut and resumed, not ended with 1000", n)
	}
}

// TestOftenBroken: however often the connection breaks, a session that can be
// resumed is resumed soon.
func TestOftenBroken(t *testing.T) {
	t.Parallel()
	st := perform(t, nil, func(a *discord.Adapter) { a.Patient() }) // the longest wait is an hour
	st.up()
	ann := st.s.Person(1)
	var want []string
	for n := range 20 { // doubled each time, the wait would be hours by now
		st.s.Cut()
		want = append(want, fmt.Sprint("number ", n))
		st.do(ann.Say(want[n]))
		st.heard(ann, want)
	}
	if n := st.count("identify"); n != 1 {
		t.Errorf("%d sessions, want one that is resumed", n)
	}
}

// TestMention: in a server the bot answers a mention briefly, to whoever made it,
// once a minute, and goes on in private. What else is written there is none of
// ours.
func TestMention(t *testing.T) {
	t.Parallel()
	st := perform(t, nil, nil)
	st.up()
	ann, bob, eve := st.s.Person(1), st.s.Person(2), st.s.Person(3)
	_, err := eve.Chat("who is at lunch?", false)
	st.do(err)
	var ids []string
	for range 3 {
		id, err := ann.Chat("my password is hunter2", true)
		st.do(err)
		ids = append(ids, id)
	}
	st.until("an answer", func() bool { return len(ann.InGuild()) > 0 })
	bob.TooFast(true)
	_, err = bob.Chat("hello?", true)
	st.do(err)
	st.until("an answer", func() bool { return len(bob.InGuild()) > 0 })
	if m := ann.InGuild(); len(m) != 1 || m[0].Content != phrases["en chat.in_channel"] || m[0].ReplyTo != ids[0] {
		t.Errorf("answered with %+v", m)
	}
	if m := bob.InGuild(); len(m) != 1 || m[0].Content != phrases["en chat.in_channel.ask"] {
		t.Errorf("to whom one cannot write: %+v", m)
	}
	if m := eve.InGuild(); len(m) > 0 {
		t.Errorf("to others: %+v", m)
	}
	evs := st.box.all()
	if len(evs) != 1 || evs[0].Kind != bot.Open || evs[0].From != ann.ID() || evs[0].Text != "" || string(evs[0].Conversation) != "discord-acme|"+ann.ID() {
		t.Errorf("%+v", evs)
	}
	if _, err := st.deliver(ann, 1, bot.Message{Text: "Welcome."}, nil); err != nil || len(ann.Messages()) != 1 {
		t.Errorf("in private: %+v, %v", ann.Messages(), err)
	}
	if strings.Contains(st.box.logged(), "hunter2") {
		t.Error("what is written in a server stands in the log")
	}
}

// TestRefusedToken says what to do, and does not knock again at once.
func TestRefusedToken(t *testing.T) {
	t.Parallel()
	token := bot.Secret("wrong-token-of-yesterday")
	st := &stage{T: t, s: discordtest.New(t), box: newBox()}
	now := make(chan bot.Secret, 1)
	now <- token
	get := func() []bot.Secret { v := <-now; now <- v; return []bot.Secret{v} }
	st.start(func(o *discord.Options, _ *discordtest.Server) { o.Token = get }, func(a *discord.Adapter) { a.Hurry(20*time.Second, time.Second); a.Patient() })
	st.until("it to say so", func() bool { return strings.Contains(st.a.Health().Text, "4004") })
	if h := st.a.Health(); h.OK || !strings.Contains(h.Text, "set token") {
		t.Errorf("health %+v", h)
	}
	if n := st.count("identify"); n != 1 {
		t.Errorf("%d sessions were tried with a token that is refused", n)
	}
	// The operator sets another one while it runs.
	<-now
	now <- discordtest.Token
	st.up()
	if log := st.box.logged(); strings.Contains(log, string(token)) || strings.Contains(log, discordtest.Token) {
		t.Error("a token stands in the log")
	}
}

// TestAnyOrder plays a log of events to one adapter in order and once, and to
// another with repeats, out of order and late, across reconnections: the house
// knows the same of both.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 26))
	type happening struct {
		kind string
		data discordtest.M
	}
	s := discordtest.New(t)
	var log []happening
	for n := range 60 {
		who := s.Person(n % 4)
		user := discordtest.M{"id": who.ID(), "username": "x"}
		if rng.IntN(2) == 0 {
			log = append(log, happening{"MESSAGE_CREATE", discordtest.M{"id": s.ID(), "channel_id": who.Channel(), "author": user, "content": fmt.Sprint("text ", n), "type": 0}})
			continue
		}
		id := s.ID()
		log = append(log, happening{"INTERACTION_CREATE", discordtest.M{"id": id, "application_id": discordtest.ApplicationID, "type": 3, "token": "t" + id, "channel_id": who.Channel(), "context": 1,
			"user": user, "data": discordtest.M{"custom_id": fmt.Sprintf("c|%d|choice", n)}, "message": discordtest.M{"id": s.ID(), "content": "", "components": []any{}}}})
	}
	// What a house keeps of events: their values by id, and of each person the
	// last message that was taken in.
	state := func(b *box) string {
		var lines []string
		for _, ev := range b.all() {
			lines = append(lines, fmt.Sprintf("%s %s %d %q %q %d", ev.ID, ev.From, ev.Kind, ev.Text, ev.Choice, ev.Prompt))
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	play := func(t *testing.T, order []int, disturb bool) *box {
		st := perform(t, nil, nil)
		for n := range 4 {
			st.s.Person(n)
		}
		st.up()
		for k, n := range order {
			if disturb && k%17 == 16 {
				st.s.Cut()
			}
			d := maps.Clone(log[n].data)
			d["channel_id"] = st.s.Person(n % 4).Channel() // the same person's, on this platform
			st.s.Emit(log[n].kind, d)
		}
		st.until("all of it", func() bool { return len(st.box.all()) >= len(log) })
		last := st.s.Person(9)
		st.up()
		st.do(last.Say("end"))
		st.heard(last, []string{"end"})
		st.stop()
		return st.box
	}
	once := make([]int, len(log))
	for n := range once {
		once[n] = n
	}
	want := state(play(t, once, false))
	for round := range 3 {
		var order []int
		for n := range log {
			for range 1 + rng.IntN(5) {
				order = append(order, n)
			}
		}
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		got := state(play(t, order, round > 0))
		if strip(got) != strip(want) {
			t.Errorf("round %d: %d events in another order end in another state:\n%s\nwant\n%s", round, len(order), got, want)
		}
	}
}

// strip takes the last word's line out, whose id is another each time.
func strip(s string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(s, "\n"), func(l string) bool { return strings.Contains(l, `"end"`) }), "\n")
}
