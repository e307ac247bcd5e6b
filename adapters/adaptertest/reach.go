package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"latchkey/bot"
)

// A Directory is a platform on which people can be written to who never wrote.
type Directory interface {
	// Newcomer is the n-th person who never wrote to the bot, and how the
	// organisation's directory, or a link, knows them.
	Newcomer(n int) (Person, bot.Recipient)
	// Absent are people who cannot be written to, by why; see bot.Unreachable.
	Absent() map[string]bot.Recipient
}

// A RoomKeeper is a platform with a room in which several people read.
type RoomKeeper interface {
	// RoomID is the platform's id of a room that the bot may write into.
	RoomID() string
	// Posts are what the bot has said in the room, oldest first.
	Posts() ([]Post, error)
	// NoRooms are rooms that the bot cannot write into, by why; see
	// bot.Unreachable.
	NoRooms() map[string]string
}

// A Post is a message in a room, with what was said under it.
type Post struct {
	Shown
	Answers []Shown
}

// reaches is the contract for what nobody has asked for: bot.Opener,
// bot.RoomWriter and bot.Editor.
var reaches = []clause{
	{"reach: who cannot be written to is not reachable, and why is said", nil, absent},
	{"reach: somebody who never wrote can be written to, and answers in the same conversation", []Ability{Opening}, newcomer},
	{"reach: a message can be changed", []Ability{Editing}, edited},
	{"reach: an edit touches nothing but its message", []Ability{Editing}, editedElsewhere},
	{"reach: a room can be written to, and answers stand under their message", []Ability{Rooms}, inRoom},
	{"reach: what is said in a room is text, and calls nobody", []Ability{Rooms}, literalRoom},
	{"reach: nothing private is said in a room", []Ability{Rooms}, discreet},
	{"reach: what was said in a room can be changed and taken back", []Ability{Rooms, Editing, Erasing}, tidied},
	{"reach: a room that cannot be written to says why", []Ability{Rooms}, noRoom},
}

// offers gives the adapter as one that can do more.
func offers[T any](b *bench, what string) T {
	b.Helper()
	a, ok := b.a.(T)
	if !ok {
		b.Fatalf("the adapter is no %s: implement it, or say in Lacks why the platform cannot do it", what)
	}
	return a
}

// sendError gives an error as what it must be.
func (b *bench) sendError(what string, err error) *bot.SendError {
	b.Helper()
	var se *bot.SendError
	if !errors.As(err, &se) || se.Err == nil {
		b.Fatalf("%s: %v (%T); want *bot.SendError with a cause", what, err, err)
	}
	return se
}

func absent(b *bench) {
	o := offers[bot.Opener](b, "bot.Opener")
	who := map[string]bot.Recipient{}
	if d, ok := b.platform.(Directory); ok {
		who = d.Absent()
	}
	who[""] = bot.Recipient{Person: bot.PersonID(b.house.canary("person")), Email: b.house.canary("nobody") + "@example.invalid"}
	for why, p := range who {
		to, err := o.Open(context.Background(), p)
		if err == nil {
			b.Errorf("%q is opened as %+v", why, to)
			continue
		}
		se := b.sendError("Open", err)
		switch {
		case se.Kind != bot.SendGone:
			b.Errorf("%q: %v; want SendGone", why, se)
		case !slices.Contains(bot.Unreachable(), se.Code), why != "" && se.Code != why:
			b.Errorf("not reachable because %q, want %q of %q", se.Code, why, bot.Unreachable())
		case len(strings.Fields(se.Err.Error())) < 6:
			b.Errorf("%q: an operator is told no more than %q", why, se.Err)
		}
		for _, s := range []string{p.Email, p.User, string(p.Person)} {
			if s != "" && strings.Contains(se.Error(), s) {
				b.Errorf("%q: the error names the person: %v", why, se)
			}
		}
	}
}

func newcomer(b *bench) {
	o := offers[bot.Opener](b, "bot.Opener")
	d := need[Directory](b)
	for n := range 2 {
		who, known := d.Newcomer(n)
		var to bot.Opened
		for i := range 3 { // the second time, and the third after a restart, it is the same one
			if i == 2 && n == 0 {
				b.restart()
				o = offers[bot.Opener](b, "bot.Opener")
			}
			again, err := o.Open(context.Background(), known)
			if err != nil {
				b.Fatalf("Open: %v", err)
			}
			if i > 0 && (again.Conversation != to.Conversation || again.User != to.User) {
				b.Errorf("opened again it is another one: %+v, before %+v", again, to)
			}
			to = again
		}
		if to.User != who.ID() {
			b.Errorf("user %q, want the platform's immutable id %q", to.User, who.ID())
		}
		g := &guest{Person: who, n: n, conv: to.Conversation, address: to.Address}
		if seen, err := who.Sees(); err != nil || len(seen) > 0 {
			b.Errorf("opening alone says %+v (%v)", seen, err)
		}
		text := "Hello. " + b.house.canary("news")
		b.send(g, bot.Message{Text: text, Prompt: 1, Choices: []bot.Choice{{ID: "on", Label: "Go on"}}})
		b.shown(who, text)
		b.count()
		answer := b.house.canary("answer")
		b.do("answer", who.Say(answer))
		ev := b.tookText(answer)
		b.wellFormed(g, &ev)
		if ev.From != to.User {
			b.Errorf("the answer is from %q, opened was %q", ev.From, to.User)
		}
		g.address = ev.Address
		b.send(g, bot.Message{Text: "And this."})
		b.inOrder(who, []string{text, "And this."})
	}
}

// edit changes what was sent.
func (b *bench) edit(d bot.Delivery, m bot.Message, receipt string) *bot.SendError {
	b.Helper()
	d.Message = m
	if err := offers[bot.Editor](b, "bot.Editor").Edit(context.Background(), d, receipt); err != nil {
		return b.sendError("Edit", err)
	}
	return nil
}

func edited(b *bench) {
	offers[bot.Editor](b, "bot.Editor")
	g := b.meet(0)
	d := b.delivery(g, bot.Message{Text: "Before. " + b.house.canary("before"), Prompt: 4, Choices: []bot.Choice{{ID: "old", Label: "Old way"}}})
	receipt := b.deliver(d).ID
	b.shown(g, d.Message.Text)
	b.send(g, bot.Message{Text: "What came after."})
	b.shown(g, "What came after.")
	now := bot.Message{Text: "Now: <b>*it* </b> @everyone. " + b.house.canary("now"), Lang: "en"}
	for range 2 { // the second time changes nothing
		if err := b.edit(d, now, receipt); err != nil {
			b.Fatalf("Edit: %v", err)
		}
	}
	m := b.shown(g, now.Text)
	if len(m.Buttons) > 0 || len(m.Active) > 0 {
		b.Errorf("changed, it has buttons %+v and %q", m.Buttons, m.Active)
	}
	ms := b.sees(g, "", always)
	if n := times(ms, d.Message.Text); n > 0 {
		b.Errorf("the old text stands there %d times", n)
	}
	b.inOrder(g, []string{now.Text, "What came after."})
	secret, _ := b.scan()
	p := b.delivery(g, secret)
	if err := offers[bot.Editor](b, "bot.Editor").Edit(context.Background(), p, receipt); err == nil {
		b.Error("a secret is put in the place of a message")
	} else if se := b.sendError("Edit", err); se.Kind != bot.SendPermanent {
		b.Errorf("a secret in the place of a message: %v; want it refused for good", se)
	}
	b.shown(g, now.Text)
	if del, ok := b.a.(bot.Deleter); ok && b.can(Erasing) {
		if err := del.Delete(context.Background(), d, receipt); err != nil {
			b.Fatalf("Delete: %v", err)
		}
		if err := b.edit(d, now, receipt); err == nil || err.Kind != bot.SendPermanent {
			b.Errorf("a message that was taken back is changed: %v; want it refused for good", err)
		}
	}
}

func editedElsewhere(b *bench) {
	offers[bot.Editor](b, "bot.Editor")
	g := b.meet(0)
	d := b.delivery(g, bot.Message{Text: "I stay."})
	receipt := b.deliver(d).ID
	b.shown(g, "I stay.")
	for _, r := range []string{"", "0", "-1", "9999999999999999999", "../../etc/passwd", "x\x00y", "m 1\n2", strings.Repeat("9", 5000), "{}", "' OR 1=1"} {
		if err := b.edit(d, bot.Message{Text: "Wrong."}, r); err == nil {
			b.Errorf("an edit of %.40q says that it was done", r)
		}
	}
	if ms := b.sees(g, "", always); times(ms, "I stay.") != 1 || times(ms, "Wrong.") != 0 {
		b.Errorf("what the person sees: %+v", ms)
	}
	if err := b.edit(d, bot.Message{Text: "I go."}, receipt); err != nil {
		b.Errorf("Edit: %v", err)
	}
	b.shown(g, "I go.")
}

// room gives a room of the platform, and how to write there.
func (b *bench) room() (RoomKeeper, bot.RoomWriter, bot.Opened) {
	b.Helper()
	w := offers[bot.RoomWriter](b, "bot.RoomWriter")
	k := need[RoomKeeper](b)
	to, err := w.Room(k.RoomID())
	if err != nil {
		b.Fatalf("Room: %v", err)
	}
	b.place(to)
	return k, w, to
}

// place checks where one is to write.
func (b *bench) place(to bot.Opened) {
	b.Helper()
	c := string(to.Conversation)
	if c == "" || len(c) > 512 || strings.ContainsFunc(c, unicode.IsControl) || to.User != "" || len(to.Address) > 4096 {
		b.Errorf("a room or a thread as %+v", to)
	}
}

// into makes the delivery of a message into a room or a thread.
func (b *bench) into(to bot.Opened, m bot.Message) bot.Delivery {
	b.Helper()
	return b.delivery(&guest{Person: nobody{}, conv: to.Conversation, address: to.Address}, m)
}

// nobody is whose a room is.
type nobody struct{ Person }

// ID implements Person.
func (nobody) ID() string { return "" }

// posts waits until the room is as it should be.
func (b *bench) posts(k RoomKeeper, what string, ok func([]Post) bool) (got []Post) {
	b.Helper()
	b.await(what, func() bool {
		var err error
		got, err = k.Posts()
		b.do("look into the room", err)
		return ok(got)
	}, func() string { return fmt.Sprintf(" %+v", got) })
	return got
}

// shownIn are the messages of a room, without what stands under them.
func shownIn(ps []Post) (ms []Shown) {
	for _, p := range ps {
		ms = append(ms, p.Shown)
	}
	return ms
}

func inRoom(b *bench) {
	k, w, room := b.room()
	first := b.deliver(b.into(room, bot.Message{Text: "Number one, " + b.house.canary("room") + "."}))
	second := b.deliver(b.into(room, bot.Message{Text: "Number two."}))
	var threads []bot.Opened
	for _, r := range []bot.Receipt{first, second} {
		th, err := w.Thread(room.Address, r.ID, "#1042 "+strings.Repeat("long ", 200))
		if err != nil {
			b.Fatalf("Thread: %v", err)
		}
		b.place(th)
		threads = append(threads, th)
	}
	if threads[0].Conversation == threads[1].Conversation || threads[0].Conversation == room.Conversation {
		b.Errorf("the room is %q, the threads are %q and %q", room.Conversation, threads[0].Conversation, threads[1].Conversation)
	}
	for i, th := range threads {
		for n := range 2 {
			if r := b.deliver(b.into(th, bot.Message{Text: fmt.Sprintf("Answer %d to %d.", n, i+1)})); r.ID == first.ID || r.ID == second.ID {
				b.Errorf("an answer has the receipt of another message: %q", r.ID)
			}
		}
	}
	b.restart() // the addresses are enough
	b.deliver(b.into(threads[0], bot.Message{Text: "Answer after the restart."}))
	b.posts(k, "two messages with their answers", func(ps []Post) bool {
		return len(ps) == 2 && times(ps[0].Answers, "Answer 0 to 1.") == 1 && times(ps[0].Answers, "Answer 1 to 1.") == 1 && len(ps[0].Answers) == 3 &&
			len(ps[1].Answers) == 2 && times(ps[1].Answers, "Answer 1 to 2.") == 1
	})
	if ty, ok := b.a.(bot.Typer); ok {
		for _, to := range append(threads, room) {
			if err := ty.Typing(context.Background(), to.Address); err != nil {
				b.Errorf("Typing in %s: %v", to.Conversation, err)
			}
		}
	}
	for _, id := range []string{"", "general", "../../etc", "C0\n", strings.Repeat("9", 5000), "<@U012AB3CD>"} {
		if to, err := w.Room(id); err == nil {
			b.Errorf("the room %.40q is %+v", id, to)
		} else if se := b.sendError("Room", err); se.Kind != bot.SendPermanent {
			b.Errorf("the room %.40q: %v; want SendPermanent", id, se)
		}
	}
	if to, err := w.Thread(threads[0].Address, first.ID, "x"); err == nil {
		b.Errorf("the thread in a thread is %+v", to)
	}
	for _, r := range []string{"", "../x", "x\x00y", strings.Repeat("9", 5000), "{}"} {
		if to, err := w.Thread(room.Address, r, "x"); err == nil {
			b.Errorf("the thread of %.40q is %+v", r, to)
		}
	}
}

// g is a person of the platform.
func g(b *bench) Person { return b.platform.Person(0) }

func literalRoom(b *bench) {
	k, w, room := b.room()
	var under bot.Opened
	for i, s := range append(slices.Clone(markup), "\u202edrawkcab\u202c "+g(b).ID(), "<@"+g(b).ID()+"> @"+g(b).ID()) {
		s += " " + b.house.canary("literal")
		m := bot.Message{Text: s, Progress: "For <!here> *x*", Prompt: uint32(i + 1), Choices: []bot.Choice{{ID: "x", Label: "<i>&amp;* @everyone"}}}
		r := b.deliver(b.into(room, m))
		if i == 0 {
			var err error
			if under, err = w.Thread(room.Address, r.ID, "@everyone <!channel> <at>x</at>"); err != nil {
				b.Fatal(err)
			}
		}
		b.deliver(b.into(under, m))
		want := bot.Harmless(s)
		b.posts(k, fmt.Sprintf("%q, and under the first", s), func(ps []Post) bool {
			return times(shownIn(ps), want) == 1 && len(ps) > 0 && times(ps[0].Answers, want) == 1
		})
	}
	ps, err := k.Posts()
	b.do("look into the room", err)
	for _, p := range ps {
		for _, m := range append([]Shown{p.Shown}, p.Answers...) {
			if len(m.Active) > 0 {
				b.Errorf("%q became %q", m.Text, m.Active)
			}
			if strings.ContainsAny(m.Text, "\u202e\u202c") {
				b.Errorf("a mark that turns the text around gets through: %q", m.Text)
			}
		}
	}
}

func discreet(b *bench) {
	k, w, room := b.room()
	r := b.deliver(b.into(room, bot.Message{Text: "In public."}))
	under, err := w.Thread(room.Address, r.ID, "x")
	if err != nil {
		b.Fatal(err)
	}
	scan, _ := b.scan()
	for _, m := range []bot.Message{
		signIn(85), scan, {Text: "Type the code.", Prompt: 86, Entry: &bot.Entry{Kind: bot.EntryCode, Title: "Code", Label: "Code", Button: "Type it"}},
	} {
		for _, to := range []bot.Opened{room, under} {
			if _, err := b.attempt(context.Background(), b.into(to, m)); err == nil || err.Kind != bot.SendPermanent {
				b.Errorf("%.30q in a room: %v; want it refused for good", m.Text, err)
			}
		}
	}
	b.deliver(b.into(under, bot.Message{Text: "All is well."}))
	b.posts(k, "nothing but what is public", func(ps []Post) bool { return len(ps) == 1 && len(ps[0].Answers) == 1 })
}

func tidied(b *bench) {
	k, w, room := b.room()
	del := offers[bot.Deleter](b, "bot.Deleter")
	top := b.into(room, bot.Message{Text: "Waiting."})
	first := b.deliver(top).ID
	b.deliver(b.into(room, bot.Message{Text: "I stay."}))
	under, err := w.Thread(room.Address, first, "#7")
	if err != nil {
		b.Fatal(err)
	}
	line := b.into(under, bot.Message{Text: "A line.", Prompt: 3, Choices: []bot.Choice{{ID: "a", Label: "A"}}})
	second := b.deliver(line).ID
	b.deliver(b.into(under, bot.Message{Text: "Another line."}))
	for range 2 {
		if err := b.edit(top, bot.Message{Text: "Taken by Maria."}, first); err != nil {
			b.Fatalf("Edit in a room: %v", err)
		}
		if err := b.edit(line, bot.Message{Text: "Another word."}, second); err != nil {
			b.Fatalf("Edit in a thread: %v", err)
		}
	}
	b.posts(k, "the changed messages in their places", func(ps []Post) bool {
		return len(ps) == 2 && times(shownIn(ps)[:1], "Taken by Maria.") == 1 && len(ps[0].Answers) == 2 &&
			times(ps[0].Answers[:1], "Another word.") == 1 && len(ps[0].Answers[0].Buttons) == 0
	})
	for range 2 { // the second time is no error
		if err := del.Delete(context.Background(), line, second); err != nil {
			b.Fatalf("Delete in a thread: %v", err)
		}
	}
	b.posts(k, "the line taken back", func(ps []Post) bool {
		return len(ps) == 2 && len(ps[0].Answers) == 1 && times(ps[0].Answers, "Another line.") == 1
	})
	if err := b.edit(line, bot.Message{Text: "Again."}, second); err == nil || err.Kind != bot.SendPermanent {
		b.Errorf("a line that was taken back is changed: %v; want it refused for good", err)
	}
	last := b.into(room, bot.Message{Text: "A slip."})
	r := b.deliver(last).ID
	if err := del.Delete(context.Background(), last, r); err != nil {
		b.Fatalf("Delete in a room: %v", err)
	}
	b.posts(k, "the slip taken back", func(ps []Post) bool {
		return len(ps) == 2 && times(shownIn(ps), "I stay.") == 1 && times(shownIn(ps), "A slip.") == 0
	})
}

func noRoom(b *bench) {
	k, w, _ := b.room()
	for why, id := range k.NoRooms() {
		to, err := w.Room(id)
		if err != nil {
			b.Fatalf("Room: %v", err)
		}
		_, failed := b.attempt(context.Background(), b.into(to, bot.Message{Text: "Is anybody there?"}))
		if failed == nil || failed.Kind != bot.SendGone || failed.Code != why {
			b.Errorf("a room that cannot be written to: %+v; want SendGone, %q", failed, why)
		}
	}
}
