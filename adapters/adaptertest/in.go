package adaptertest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/bot"
)

// takesIn is the contract for what people do.
var takesIn = []clause{
	{"in: typed text arrives once, as typed, from who typed it", nil, typedText},
	{"in: a conversation that is opened says so once", []Ability{Arrivals}, opened},
	{"in: a pressed button carries its choice and its prompt", []Ability{Presses}, pressed},
	{"in: a private form carries its values, exactly, and no text", []Ability{Forms}, submitted},
	{"in: every event has an id of its own, after a restart too", nil, ownIDs},
	{"in: a person has one conversation and one id, after a restart too", nil, sameConversation},
	{"in: two people are two people", []Ability{People}, twoPeople},
	{"in: a name is not an identity", []Ability{People, Names}, renamed},
	{"in: the person's language is passed on", []Ability{Locales}, locale},
	{"in: what one person does arrives in order", nil, inOrder},
	{"in: one slow turn holds up nobody else", []Ability{People}, slowTurn},
	{"in: an event is acknowledged only when it was taken in", []Ability{Repeats}, acknowledged},
	{"in: who has to be looked up is acknowledged at once, and heard later, in order", []Ability{Lookups}, lookedUp},
	{"in: an event that is delivered again has the same id", []Ability{Repeats}, deliveredAgain},
	{"in: events out of order are passed on as they come", []Ability{Repeats}, outOfOrder},
	{"in: a late event is passed on, with the prompt that it belonged to", []Ability{Repeats, Presses}, late},
	{"in: a closed house is survived, and nothing is pretended", nil, closedHouse},
	{"in: long text arrives too long, and not longer", nil, oversized},
	{"in: malformed input changes nothing", nil, malformed},
	{"in: nobody can act for another", []Ability{People, Forgery}, forged},
	{"in: the end of the context ends Run, also in the middle of a turn", nil, endOfRun},
	{"in: the end of the context loses nothing that was acknowledged", []Ability{Repeats}, nothingLost},
}

func typedText(b *bench) {
	g := b.meet(0)
	for _, s := range []string{
		"plain", "two  words", "123 456", "Straße, ¿qué?", "👋🏽 hi", "שלום", "مرحبا", "日本語", "e\u0301",
		"<b>&amp;</b> *x* _y_ `z` [a](https://b.example)", "@everyone", "%s {x} ${y} \\n",
	} {
		s += " " + b.house.canary("typed")
		b.do("say", g.Say(s))
		ev := b.tookText(s)
		b.wellFormed(g, &ev)
	}
	seen := map[string]int{}
	for _, ev := range b.since(g) {
		seen[ev.Text]++
		if seen[ev.Text] > 1 && ev.Kind == bot.Text {
			b.Errorf("%q arrived more than once", ev.Text)
		}
	}
}

func opened(b *bench) {
	g := &guest{Person: b.platform.Person(0)}
	b.do("arrive", g.Arrive())
	ev := b.took("the conversation to be opened", func(ev *bot.Event) bool { return ev.Kind == bot.Open })
	b.wellFormed(g, &ev)
	g.conv = ev.Conversation
	all := b.since(g)
	if n := slices.IndexFunc(all, func(o bot.Event) bool { return o.ID != ev.ID }); n >= 0 {
		b.Errorf("another event than the opening: %s", describe(&all[n]))
	}
}

func pressed(b *bench) {
	g := b.meet(0)
	b.send(g, bot.Message{Text: "Which way?", Prompt: 7, Choices: []bot.Choice{{ID: "go_on", Label: "Go on"}, {ID: "turn back", Label: "Turn <back> & rest"}}})
	b.shown(g, "Which way?")
	b.do("press", g.Press("Turn <back> & rest"))
	ev := b.took("the pressed button", func(ev *bot.Event) bool { return ev.Kind == bot.Press })
	b.wellFormed(g, &ev)
	if ev.Choice != "turn back" || ev.Prompt != 7 {
		b.Errorf("choice %q of prompt %d, want \"turn back\" of 7", ev.Choice, ev.Prompt)
	}
	b.send(g, bot.Message{Text: "Very well."})
	if all := b.since(g); len(all) != 1 {
		b.Errorf("%d events for one press", len(all))
	}
}

// signIn is a form with a field of each kind.
func signIn(prompt uint32) bot.Message {
	return bot.Message{Text: fmt.Sprintf("Please sign in, %d.", prompt), Prompt: prompt, Form: &bot.Form{
		Name: "sign_in", Title: "Sign in", Button: "Sign in",
		Fields: []bot.Field{{Name: "user", Label: "User name"}, {Name: "password", Label: "Your password", Mask: true}},
	}}
}

// field waits until a person has a form before them.
func (b *bench) field(p Person, label string) Form {
	b.Helper()
	var form Form
	b.sees(p, "a form with the field "+label, func(ms []Shown) bool {
		for _, m := range ms {
			if m.Form != nil && slices.ContainsFunc(m.Form.Fields, func(f FormField) bool { return strings.Contains(squash(f.Label), squash(label)) }) {
				form = *m.Form
				return true
			}
		}
		return false
	})
	return form
}

// fill has a person fill the form that is open.
func (b *bench) fill(p Person, f *bot.Form, values ...string) {
	b.Helper()
	if !b.field(p, f.Fields[0].Label).OneByOne {
		b.do("fill", p.Fill(values...))
		return
	}
	for i, v := range values {
		b.field(p, f.Fields[i].Label)
		b.do("fill", p.Fill(v))
	}
}

func submitted(b *bench) {
	g := b.meet(0)
	for i, password := range []string{"plain", "  two spaces, and quotes \"'` <&>  ", "pässwörd 日本 👋🏽", "/quit", "1"} {
		prompt := uint32(20 + i)
		b.count()
		m := signIn(prompt)
		b.send(g, m)
		b.shown(g, m.Text)
		user := b.house.canary("user")
		password += b.house.canary("password") + "  "
		b.fill(g, m.Form, user, password)
		ev := b.took("the answered form", func(ev *bot.Event) bool { return ev.Kind == bot.Submit })
		b.wellFormed(g, &ev)
		if ev.Form == nil || ev.Form.Name != "sign_in" || ev.Prompt != prompt || len(ev.Form.Values) != 2 ||
			string(ev.Form.Value("user")) != user || ev.Form.Prepared != nil {
			b.Fatalf("the form arrived as %s", describe(&ev))
		}
		if got := string(ev.Form.Value("password")); got != password {
			b.Errorf("a value of %d bytes arrived as another one of %d bytes", len(password), len(got))
		}
		thanks := fmt.Sprintf("Thank you, %d.", i)
		b.send(g, bot.Message{Text: thanks})
		b.shown(g, thanks)
		if all := b.since(g); len(all) != 1 {
			b.Errorf("%d events for one form", len(all))
		}
	}
}

func ownIDs(b *bench) {
	g := b.meet(0)
	same := b.house.canary("same")
	for round := range 2 {
		for range 3 {
			b.do("say", g.Say(same))
		}
		b.house.wait(b, b.patience, "the same words again", func() bool {
			n := 0
			for _, ev := range b.house.events {
				if ev.Text == same {
					n++
				}
			}
			return n == 3*(round+1)
		})
		if round == 0 {
			b.restart()
			b.do("arrive", g.Arrive())
		}
	}
	b.house.mu.Lock()
	defer b.house.mu.Unlock()
	for _, ev := range b.house.events {
		b.wellFormedID(ev.ID)
	}
	if len(b.house.events) != len(b.house.seen) {
		b.Errorf("%d events with %d ids", len(b.house.events), len(b.house.seen))
	}
}

func (b *bench) wellFormedID(id string) {
	b.Helper()
	if id == "" || len(id) > 512 || !utf8.ValidString(id) {
		b.Errorf("event id %q", id)
	}
}

func sameConversation(b *bench) {
	g := b.meet(0)
	b.restart()
	b.do("arrive", g.Arrive())
	again := b.house.canary("again")
	b.do("say", g.Say(again))
	ev := b.tookText(again)
	b.wellFormed(g, &ev) // compares the conversation
	if string(g.conv) == "" || len(g.ID()) == 0 {
		b.Error("no conversation or no id")
	}
}

func twoPeople(b *bench) {
	ada, bob := b.meet(0), b.meet(1)
	if ada.ID() == bob.ID() || ada.conv == bob.conv {
		b.Fatalf("two people have one id or one conversation: %q %q", ada.conv, bob.conv)
	}
	b.send(ada, bot.Message{Text: "For Ada.", Prompt: 3, Choices: []bot.Choice{{ID: "a", Label: "Ada's way"}}})
	b.send(bob, bot.Message{Text: "For Bob.", Prompt: 5, Choices: []bot.Choice{{ID: "b", Label: "Bob's way"}}})
	b.shown(ada, "For Ada.")
	b.shown(bob, "For Bob.")
	if times(b.sees(ada, "", always), "For Bob.")+times(b.sees(bob, "", always), "For Ada.") > 0 {
		b.Error("one sees what was said to the other")
	}
	for i := range 5 {
		for _, g := range []*guest{ada, bob} {
			words := fmt.Sprintf("%s %d", b.house.canary("mine"), i)
			b.do("say", g.Say(words))
			ev := b.tookText(words)
			b.wellFormed(g, &ev)
		}
	}
	b.do("press", bob.Press("Bob's way"))
	b.do("press", ada.Press("Ada's way"))
	for _, g := range []*guest{ada, bob} {
		ev := b.took("a choice", func(ev *bot.Event) bool {
			return ev.From == g.ID() && (ev.Kind == bot.Press || ev.Kind == bot.Text && ev.Text == "1")
		})
		b.wellFormed(g, &ev)
	}
}

func always([]Shown) bool { return true }

func renamed(b *bench) {
	ada, bob := b.meet(0), b.meet(1)
	b.do("rename", need[Renamer](b).Rename(bob.Person, "Ada Lovelace"))
	b.do("rename", need[Renamer](b).Rename(ada.Person, "Somebody <!channel> \u202eelse"))
	for _, g := range []*guest{ada, bob} {
		words := b.house.canary("renamed")
		b.do("say", g.Say(words))
		ev := b.tookText(words)
		b.wellFormed(g, &ev)
	}
}

func locale(b *bench) {
	g := b.meet(0)
	words := b.house.canary("hola")
	b.do("say", g.Say(words))
	ev := b.tookText(words)
	want, _, _ := strings.Cut(g.Locale(), "-")
	if got, _, _ := strings.Cut(strings.ReplaceAll(ev.Locale, "_", "-"), "-"); got != want || want == "" || len(ev.Locale) > 35 {
		b.Errorf("locale %q, the person's is %q", ev.Locale, g.Locale())
	}
}

func inOrder(b *bench) {
	g := b.meet(0)
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("%d %s", i, b.house.canary("order")))
		b.do("say", g.Say(want[i]))
	}
	var got []string
	for _, ev := range b.since(g) {
		got = append(got, ev.Text)
	}
	if !slices.Equal(got, want) {
		b.Errorf("arrived as\n%q\nsaid as\n%q", got, want)
	}
}

func slowTurn(b *bench) {
	ada, bob := b.meet(0), b.meet(1)
	release := b.house.hold(ada.ID())
	defer release()
	slow, quick := b.house.canary("slow"), b.house.canary("quick")
	said := make(chan error, 2)
	go func() { said <- ada.Say(slow) }()
	b.house.wait(b, b.patience, "a slow turn", func() bool { return b.house.held > 0 })
	go func() { said <- bob.Say(quick) }()
	b.tookText(quick)
	release()
	b.do("say", <-said)
	b.do("say", <-said)
	b.tookText(slow)
}

// each gives one of everything that a person can do, as packets not yet
// delivered, with what the event must be.
func (b *bench) each(g *guest) (packets []Packet, kinds []bot.EventKind) {
	b.Helper()
	w := need[Wire](b)
	keep := func(what string, kind bot.EventKind, act func() error) {
		p, err := w.Hold(act)
		b.do("hold "+what, err)
		packets, kinds = append(packets, p), append(kinds, kind)
	}
	keep("a text", bot.Text, func() error { return g.Say(b.house.canary("held")) })
	if b.can(Presses) {
		b.send(g, bot.Message{Text: "Which?", Prompt: 11, Choices: []bot.Choice{{ID: "this", Label: "This one"}}})
		b.shown(g, "Which?")
		keep("a press", bot.Press, func() error { return g.Press("This one") })
	}
	if b.can(Forms) {
		b.send(g, signIn(12))
		b.shown(g, signIn(12).Text)
		b.field(g, "User name")
		keep("a form", bot.Submit, func() error { return g.Fill(b.house.canary("user"), b.house.canary("password")) })
	}
	return packets, kinds
}

// calls lists what Accept was called with after the n-th call.
func (b *bench) calls(n int) []bot.Event {
	b.house.mu.Lock()
	defer b.house.mu.Unlock()
	return slices.Clone(b.house.calls[min(n, len(b.house.calls)):])
}

func acknowledged(b *bench) {
	g := b.meet(0)
	w := need[Wire](b)
	packets, kinds := b.each(g)
	for i, p := range packets {
		before := len(b.calls(0))
		b.house.failNext(1)
		if ack, err := w.Deliver(p); err != nil || ack {
			b.Errorf("event %d was not taken in, and is acknowledged (%v) or cannot be delivered (%v)", kinds[i], ack, err)
		}
		if ack, err := w.Deliver(p); err != nil || !ack {
			b.Errorf("event %d was taken in the second time, and is not acknowledged: %v", kinds[i], err)
		}
		calls := b.calls(before)
		if len(calls) != 2 || calls[0].ID != calls[1].ID || calls[0].Kind != kinds[i] || calls[1].Kind != kinds[i] {
			b.Errorf("event %d, refused once and repeated, came as %d calls with different ids or kinds", kinds[i], len(calls))
			for _, c := range calls {
				b.Log(describe(&c))
			}
		}
	}
}

func deliveredAgain(b *bench) {
	g := b.meet(0)
	w := need[Wire](b)
	packets, kinds := b.each(g)
	before := len(b.calls(0))
	for range 3 {
		for i, p := range packets {
			if ack, err := w.Deliver(p); err != nil || !ack {
				b.Errorf("event %d, delivered again, is not acknowledged: %v", kinds[i], err)
			}
		}
	}
	ids := map[bot.EventKind]string{}
	for _, ev := range b.calls(before) {
		if old, ok := ids[ev.Kind]; ok && old != ev.ID {
			b.Errorf("event %d, delivered again, has another id: %q, %q", ev.Kind, old, ev.ID)
		}
		ids[ev.Kind] = ev.ID
	}
	if len(ids) != len(packets) {
		b.Errorf("%d kinds of events arrived, want %d", len(ids), len(packets))
	}
	if all := b.since(g); len(all) != len(packets) {
		b.Errorf("%d events, want %d", len(all), len(packets))
	}
}

func outOfOrder(b *bench) {
	g := b.meet(0)
	w := need[Wire](b)
	var packets []Packet
	var words []string
	for i := range 4 {
		words = append(words, fmt.Sprintf("%d %s", i, b.house.canary("mixed")))
		p, err := w.Hold(func() error { return g.Say(words[i]) })
		b.do("hold", err)
		packets = append(packets, p)
	}
	var want, got []string
	for _, i := range []int{2, 0, 3, 1} {
		if ack, err := w.Deliver(packets[i]); err != nil || !ack {
			b.Errorf("an event out of order is not acknowledged: %v", err)
		}
		want = append(want, words[i])
	}
	ids := map[string]bool{}
	for _, ev := range b.since(g) {
		b.wellFormed(g, &ev)
		got, ids[ev.ID] = append(got, ev.Text), true
	}
	if !slices.Equal(got, want) || len(ids) != len(want) {
		b.Errorf("delivered\n%q\narrived with %d ids\n%q", want, len(ids), got)
	}
}

func late(b *bench) {
	g := b.meet(0)
	w := need[Wire](b)
	b.send(g, bot.Message{Text: "An old question.", Prompt: 31, Choices: []bot.Choice{{ID: "old", Label: "Old answer"}}})
	b.shown(g, "An old question.")
	p, err := w.Hold(func() error { return g.Press("Old answer") })
	b.do("hold", err)
	b.send(g, bot.Message{Text: "A new question.", Prompt: 32, Choices: []bot.Choice{{ID: "new", Label: "New answer"}}})
	b.shown(g, "A new question.")
	b.restart()
	b.do("arrive", g.Arrive())
	if ack, err := w.Deliver(p); err != nil || !ack {
		b.Errorf("a late event is not acknowledged: %v", err)
	}
	ev := b.took("a late press", func(ev *bot.Event) bool { return ev.Kind == bot.Press })
	b.wellFormed(g, &ev)
	if ev.Choice != "old" || ev.Prompt != 31 {
		b.Errorf("a late press of prompt 31 came as %s", describe(&ev))
	}
}

func closedHouse(b *bench) {
	g := b.meet(0)
	before := b.screen(g)
	b.house.failNext(1)
	words := b.house.canary("lost")
	err := g.Say(words)
	b.house.wait(b, b.patience, "the event that is refused", func() bool { return b.house.fails == 0 })
	if !b.can(Repeats) && err == nil {
		// Nobody delivers it again: the person must be told.
		for limit := time.Now().Add(b.patience); b.screen(g) == before; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(limit) {
				b.Fatal("what was said is lost, and the person is not told")
			}
		}
	}
	again := b.house.canary("again")
	b.do("say", g.Say(again))
	b.tookText(again)
	if b.can(Repeats) && err == nil {
		b.tookText(words)
		ids := map[string]bool{}
		for _, ev := range b.calls(0) {
			if ev.Text == words {
				ids[ev.ID] = true
			}
		}
		if len(ids) != 1 {
			b.Errorf("one event was repeated with %d ids", len(ids))
		}
	}
}

func oversized(b *bench) {
	g := b.meet(0)
	long := func(n int) { // of n runes
		b.Helper()
		b.count()
		text := strings.Repeat("ж", n)
		err := g.Say(text)
		if err != nil && n <= 2*bot.MaxText {
			b.Errorf("text of %d runes: %v", n, err)
		}
		if err != nil {
			return // the platform itself takes no more
		}
		ev := b.took("a long text", func(ev *bot.Event) bool { return ev.Kind == bot.Text })
		got := utf8.RuneCountInString(ev.Text)
		if !strings.HasPrefix(text, ev.Text) || got != bot.MaxText+1 {
			b.Errorf("text of %d runes arrived with %d; want %d, so that it is answered as too long", n, got, bot.MaxText+1)
		}
	}
	exact := strings.Repeat("ж", bot.MaxText-40) + b.house.canary("end")
	b.do("say", g.Say(exact))
	b.tookText(exact)
	long(bot.MaxText + 1)
	long(bot.MaxText + 500)
	long(300_000)
	b.count()
	if all := b.since(g); len(all) > 0 {
		b.Errorf("%d events more than were said", len(all))
	}
}

func malformed(b *bench) {
	g := b.meet(0)
	const seed = 20250301
	b.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	n := b.h.Mangled
	if n == 0 {
		n = 10_000
	}
	want, word := 0, b.house.canary("mangled")
	for i := range n {
		k, err := b.platform.Mangle(rng, word)
		if err != nil {
			b.Fatalf("malformed input %d: %v", i, err)
		}
		want += k
	}
	got := b.since(g)
	if len(got) != want {
		b.Errorf("%d malformed inputs gave %d events, want %d", n, len(got), want)
		for _, ev := range got[:min(len(got), 5)] {
			b.Log(describe(&ev))
		}
	}
	for i := range got {
		b.wellFormed(nil, &got[i])
		if n := utf8.RuneCountInString(got[i].Text); n > bot.MaxText+1 {
			b.Errorf("text of %d runes", n)
		}
	}
	// Everything still works.
	b.send(g, bot.Message{Text: "Still here?", Prompt: 2, Choices: []bot.Choice{{ID: "yes", Label: "Still here"}}})
	b.shown(g, "Still here?")
	b.do("press", g.Press("Still here"))
	b.took("the press", func(ev *bot.Event) bool {
		return ev.From == g.ID() && (ev.Choice == "yes" || ev.Kind == bot.Text && ev.Text == "1")
	})
}

func forged(b *bench) {
	f := need[Forger](b)
	ada, eve := b.meet(0), b.meet(1)
	packets, _ := b.each(ada)
	n := 0
	for _, p := range packets {
		lies, err := f.Forge(ada.Person, eve.Person, p)
		b.do("forge", err)
		for why, lie := range lies {
			n++
			before := len(b.calls(0))
			if _, err := f.Deliver(lie); err != nil {
				b.Errorf("%s: %v", why, err)
			}
			for _, ev := range b.calls(before) {
				if ev.From == ada.ID() || ev.Conversation == ada.conv {
					b.Errorf("%s: taken for the victim's: %s", why, describe(&ev))
				}
			}
		}
	}
	if n < 3 {
		b.Errorf("only %d forgeries were tried", n)
	}
	for _, ev := range b.since(ada) {
		if ev.From == ada.ID() || ev.Conversation == ada.conv {
			b.Errorf("a forgery was taken for the victim's: %s", describe(&ev))
		}
	}
}

func endOfRun(b *bench) {
	g := b.meet(0)
	b.restart() // ends a Run that has nothing to do
	b.do("arrive", g.Arrive())
	words := b.house.canary("half")
	release := b.house.hold(g.ID())
	defer release()
	said := make(chan error, 1)
	go func() { said <- g.Say(words) }() // it may fail: the adapter goes away under it
	b.house.wait(b, b.patience, "a turn under way", func() bool { return b.house.held > 0 })
	b.stop()
	release()
	b.ended()
	ctx, cancel := context.WithTimeout(context.Background(), b.patience)
	defer cancel()
	// After the end: an error of the right kind, or it is shown all the same.
	if _, err := b.attempt(ctx, b.delivery(g, bot.Message{Text: "Anybody here?"})); err != nil && err.Kind != bot.SendRetry && err.Kind != bot.SendUncertain {
		b.Errorf("Send after the end: %v; want one that is tried again", err)
	}
	b.connect()
	select {
	case <-said:
	case <-time.After(b.patience):
		b.Fatal("what was being said when the adapter ended hangs")
	}
	b.do("arrive", g.Arrive())
	back := b.house.canary("back")
	b.do("say", g.Say(back))
	b.tookText(back)
}

func nothingLost(b *bench) {
	g := b.meet(0)
	w := need[Wire](b)
	words := b.house.canary("half")
	p, err := w.Hold(func() error { return g.Say(words) })
	b.do("hold", err)
	release := b.house.hold(g.ID())
	defer release()
	ack := make(chan bool, 1)
	go func() { ok, err := w.Deliver(p); ack <- ok && err == nil }()
	b.house.wait(b, b.patience, "this turn under way", func() bool {
		return slices.ContainsFunc(b.house.calls, func(ev bot.Event) bool { return ev.Text == words })
	})
	b.stop()
	release()
	b.ended()
	acked := <-ack
	b.house.mu.Lock()
	in := slices.ContainsFunc(b.house.events, func(ev bot.Event) bool { return ev.Text == words })
	b.house.mu.Unlock()
	if acked && !in {
		b.Error("acknowledged, and not taken in")
	}
	b.connect()
	b.do("arrive", g.Arrive())
	if !acked {
		if ok, err := w.Deliver(p); err != nil || !ok {
			b.Errorf("repeated after a restart, and not acknowledged: %v", err)
		}
	}
	b.tookText(words)
}

func lookedUp(b *bench) {
	p := b.platform.Person(0)
	remember := need[Forgetful](b).Forget()
	var said []string
	for range 3 {
		said = append(said, b.house.canary("unknown"))
		b.do("say something that is acknowledged", p.Say(said[len(said)-1]))
	}
	// Only when they were looked up, and nobody said who they are, does anything show.
	b.await("a look-up", func() bool { return b.house.later.Tries() > 0 }, func() string { return b.screen(p) })
	if n := b.house.Taken(); n > 0 {
		b.Errorf("%d events of somebody of whom nothing is known", n)
	}
	b.restart()
	said = append(said, b.house.canary("unknown"))
	b.do("say something after a restart", p.Say(said[3]))
	remember()
	for _, text := range said {
		b.tookText(text)
	}
	b.house.mu.Lock()
	defer b.house.mu.Unlock()
	for i, ev := range b.house.events {
		if len(b.house.events) != len(said) || ev.Text != said[i] || ev.From != p.ID() {
			b.Fatalf("%d events, want %d in order; event %d: %s", len(b.house.events), len(said), i, describe(&ev))
		}
	}
}
