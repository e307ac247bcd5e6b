package desk_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/calendar"
	"latchkey/bot/campaign"
	"latchkey/bot/desk"
	"latchkey/bot/outbox"
	"latchkey/bot/turn"
	"latchkey/flows"
	"latchkey/flows/library"
)

// A house is a desk with the shipped scripts, a chat and two agents: maria and
// omar.
type house struct {
	*prooftest.Rig
	desk *desk.Desk
	chat *bottest.Adapter
	turn *turn.Service
	n    int
}

func newHouse(t *testing.T, change func(*desk.Options)) *house {
	t.Helper()
	return newHouseOn(t, prooftest.New(t), change, nil)
}

// newHouseKeeping makes a house with channels that keep what is said.
func newHouseKeeping(t *testing.T, change func(*desk.Options), keeps map[bot.ChannelID]bool) *house {
	t.Helper()
	return newHouseOn(t, prooftest.New(t), change, keeps)
}

// newHouseOn makes one over a rig.
func newHouseOn(t *testing.T, rig *prooftest.Rig, change func(*desk.Options), keeps map[bot.ChannelID]bool) *house {
	t.Helper()
	h := &house{Rig: rig, chat: bottest.NewAdapter("test")}
	cat := bot.Catalogue{Checks: h.Checks, Forms: h.Forms, Facts: prooftest.Facts}
	for _, s := range append(desk.New(desk.Options{}).Specs(), campaign.New(campaign.Options{}).Specs()...) {
		cat.Checks[s.Name] = s // for the names
	}
	set, err := flows.Load(library.FS, nil, cat)
	if err != nil {
		t.Fatal(err)
	}
	o := desk.Options{Agents: true, Store: h.Store(h.DB), Vault: h.Ring, Methods: h.Enroll, Alert: h.Enroll.Alert, Phrases: set, Begins: set.Begins,
		Where: func(state []byte, lang string) (flow, title, progress string) {
			s := bot.Session{}
			if turn.DecodeSession(state, &s) != nil {
				return "", "", ""
			}
			return set.Where(&s, lang)
		},
		Session: func(state []byte) (s bot.Session, err error) { return s, turn.DecodeSession(state, &s) },
	}
	if change != nil {
		change(&o)
	}
	h.desk = desk.New(o)
	for _, s := range h.desk.Specs() {
		cat.Checks[s.Name] = s
	}
	h.Enroll.Phrases, h.Verify.Phrases = set, set
	box := outbox.New(outbox.Options{Store: h.DB, Adapters: map[bot.ChannelID]bot.Adapter{"test": h.chat}, Clock: h.Clock.Now})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- box.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-done
		end, cancel := context.WithTimeout(context.Background(), bottest.Patience)
		defer cancel()
		if err := box.Close(end); err != nil {
			t.Error(err)
		}
	})
	<-box.Ready()
	h.turn = turn.New(turn.Options{Store: h.Store(h.DB), Engine: set, Catalogue: cat, Outbox: box, Gate: h.Enroll.Gate, Desk: h.desk, Keeps: keeps, Phrases: set, Clock: h.Clock.Now})
	h.desk.Connect(h.turn)
	h.People(prooftest.Ann(), bot.Person{ID: "maria", Username: "maria", Email: "maria@example.org", Name: "Maria Agent"},
		bot.Person{ID: "omar", Username: "omar", Email: "omar@example.org", Name: "Omar Agent"})
	for _, who := range []string{"maria", "omar"} {
		h.update(func(tx bot.Tx) error {
			return desk.Grant(tx, bot.PersonID(who), bot.RoleAgent, "operator:root", "hired")
		})
		h.here(bot.PersonID(who))
	}
	return h
}

// here has an agent at the desk now.
func (h *house) here(who bot.PersonID) {
	h.Helper()
	if err := h.desk.Here(context.Background(), who); err != nil {
		h.Fatal(err)
	}
}

func (h *house) update(fn func(bot.Tx) error) {
	h.Helper()
	if err := h.DB.Update(context.Background(), fn); err != nil {
		h.Fatal(err)
	}
}

func (h *house) talk(id bot.ConversationID, user string) *bottest.Conversation {
	return bottest.Talk(h, h.turn, h.chat, id, user)
}

// do acts for an agent.
func (h *house) do(by bot.PersonID, do, ticket, text string) error {
	h.n++
	return h.desk.Do(context.Background(), desk.Act{Key: strconv.Itoa(h.n), AgentAct: bot.AgentAct{Ticket: ticket, By: by, Do: do, Text: text}})
}

// must acts and fails the test when that is refused.
func (h *house) must(by bot.PersonID, do, ticket, text string) {
	h.Helper()
	if err := h.do(by, do, ticket, text); err != nil {
		h.Fatalf("%s by %s: %v", do, by, err)
	}
}

// refused wants an act to be refused for a reason.
func (h *house) refused(by bot.PersonID, do, ticket, text, code string) {
	h.Helper()
	r := new(desk.Refusal)
	if err := h.do(by, do, ticket, text); !errors.As(err, &r) || r.Code != code {
		h.Errorf("%s by %s: %v, want it refused: %s", do, by, err, code)
	}
}

func (h *house) ticket() *bot.Ticket {
	h.Helper()
	var qs []bot.Ticket
	if err := h.DB.View(context.Background(), func(tx bot.Tx) (err error) { qs, err = tx.Tickets(10); return err }); err != nil {
		h.Fatal(err)
	}
	if len(qs) != 1 {
		h.Fatalf("%d open tickets: %+v", len(qs), qs)
	}
	return &qs[0]
}

// taken has somebody unknown ask for a person, and maria take the ticket.
func (h *house) taken(c *bottest.Conversation) *bot.Ticket {
	h.Helper()
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee").Expect("in the queue")
	q := h.ticket()
	h.must("maria", desk.DoTake, q.ID, "")
	c.Await().Expect("is here now")
	return q
}

func (h *house) view(by bot.PersonID, id string) *desk.View {
	h.Helper()
	v, err := h.desk.View(context.Background(), by, id)
	if err != nil {
		h.Fatal(err)
	}
	return v
}

// said are the lines of a view as one reads them.
func said(v *desk.View) (list []string) {
	for _, l := range v.Lines {
		s := l.Code
		if l.Kind != bot.LineEvent {
			s = [...]string{"person", "agent " + l.By, "note " + l.By}[l.Kind] + ": " + l.Text
		}
		list = append(list, s)
	}
	return list
}

// The whole story: somebody at a step asks for a person, waits, is helped, goes
// on where they were, and says how it was.
func TestFromStuckToSolved(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a", "ann")
	c.Say("email").Expect("user name")
	step := c.Last().Text
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee, 555 0100").Expect("You are number 1 in the queue")
	q := h.ticket()
	if q.State != bot.TicketWaiting || q.Lang != "en" || len(strings.Fields(q.Words)) != 2 {
		t.Errorf("ticket %+v", q)
	}
	if v := h.view("maria", q.ID); v.Contact != "Ann Lee, 555 0100" || v.Place != 1 || v.Talks {
		t.Errorf("view %+v", v)
	}
	c.Say("why").Expect("") // the bot goes on meanwhile
	h.must("maria", desk.DoTake, q.ID, "")
	c.Await().Expect("Maria, help desk, is here now")
	c.Say("Hello? The list does not open").Quiet()
	h.must("maria", desk.DoSay, q.ID, "Good morning Ann, which device is it?")
	c.Await().Expect("Maria, help desk:\nGood morning Ann, which device is it?")
	c.Say("my code is 482 913 and the password is Winter2026!").Expect("I have hidden what looked like a code or a password")
	c.Say("is this really the help desk?").Expect(q.Words)
	c.Do(bot.Event{Kind: bot.Press, Choice: "go", Prompt: 1}).Expect("that button does nothing")
	h.must("maria", desk.DoNote, q.ID, "Uses an old phone.")
	h.must("maria", desk.DoSolve, q.ID, "")
	c.Await().Expect("You are back with the assistant").Expect("How was the help?")
	c.Press("good").Expect("Thank you.")
	if !strings.Contains(c.Last().Text, step) && !strings.Contains(c.Last().Text, "user name") {
		t.Errorf("not back at the step:\n%s", bottest.Screen(c.Last()))
	}
	v := h.view("omar", q.ID)
	want := []string{"asked", "taken", "person: Hello? The list does not open", "agent Maria: Good morning Ann, which device is it?",
		"person: my code is •••••• and the password is ••••••", "note Maria: Uses an old phone.", "solved", "rated"}
	if got := said(v); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("lines\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if v.Ticket.State != bot.TicketSolved || v.Ticket.Rating != 3 || v.Ticket.Agent != "maria" || v.Ticket.AnsweredAt.IsZero() {
		t.Errorf("ticket %+v", v.Ticket)
	}
}

// What is said lies in the database sealed, also in the outbox, which seals
// relays, and the ticket's own row has none of it.
func TestLinesAreSealed(t *testing.T) {
	h := newHouseKeeping(t, nil, map[bot.ChannelID]bool{"test": true})
	c := h.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Canary One, 555 0100").Expect("in the queue")
	q := h.ticket()
	h.must("maria", desk.DoTake, q.ID, "")
	c.Await()
	c.Say("canary two") // it stands in the transcript, without an answer
	h.must("maria", desk.DoNote, q.ID, "canary three")
	h.must("maria", desk.DoSay, q.ID, "canary four")
	err := h.DB.View(t.Context(), func(tx bot.Tx) error {
		lines, err := tx.Lines(q.ID, 0)
		for _, l := range lines {
			if bytes.Contains(bytes.ToLower(l.Body), []byte("canary")) {
				t.Errorf("line %d stands open", l.No)
			}
		}
		now, e := tx.Ticket(q.ID)
		if e == nil && bytes.Contains(bytes.ToLower(now.Contact), []byte("canary")) {
			t.Error("the contact stands open")
		}
		said, e2 := tx.Said("a", 0, 100)
		relays := 0
		for _, row := range said {
			if strings.HasPrefix(row.Message.Heard, "canary") || row.Author != "" {
				if relays++; row.Lane != bot.LaneRelay {
					t.Errorf("stands open in the outbox: %+v", row)
				}
			}
		}
		if relays != 2 {
			t.Errorf("%d relays", relays)
		}
		return errors.Join(err, e, e2)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Of two who do something at once one wins, and the other is told who.
func TestOneWinsAtTheDesk(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a", "ann")
	q := h.taken(c)
	r := new(desk.Refusal)
	if err := h.do("omar", desk.DoTake, q.ID, ""); !errors.As(err, &r) || r.Code != desk.Taken || r.Who != "Maria" {
		t.Errorf("taken twice: %v", err)
	}
	h.refused("omar", desk.DoSay, q.ID, "I am here, too", desk.NotYours)
	h.refused("omar", desk.DoSolve, q.ID, "", desk.NotYours)
	seen := h.view("maria", q.ID).Ticket.Revision
	c.Say("one more thing").Quiet()
	err := h.desk.Do(t.Context(), desk.Act{Key: "late", AgentAct: bot.AgentAct{Ticket: q.ID, By: "maria", Do: desk.DoSay, Text: "Good bye", Revision: seen}})
	if !errors.As(err, &r) || r.Code != desk.Stale {
		t.Errorf("over a line that was not seen: %v", err)
	}
	c.Quiet()
	same := desk.Act{Key: "same", AgentAct: bot.AgentAct{Ticket: q.ID, By: "maria", Do: desk.DoSay, Text: "Once"}}
	for range 2 {
		if err := h.desk.Do(t.Context(), same); err != nil {
			t.Fatal(err)
		}
	}
	c.Await().Expect("Once")
	c.Quiet()
	h.do("maria", desk.DoTransfer, q.ID, "")
	err = h.desk.Do(t.Context(), desk.Act{Key: "give", AgentAct: bot.AgentAct{Ticket: q.ID, By: "maria", Do: desk.DoTransfer, To: "omar"}})
	if err != nil {
		t.Fatal(err)
	}
	h.refused("maria", desk.DoSay, q.ID, "Still here", desk.NotYours)
	h.must("omar", desk.DoSay, q.ID, "Now it is me")
	c.Await().Expect("Omar, help desk:\nNow it is me")
	h.refused("ann", desk.DoSay, q.ID, "I am an agent", desk.NotAgent)
	h.refused("maria", desk.DoTake, "XXX-XXX", "", desk.NoTicket)
}

// Whoever is no agent any more does nothing from that moment on, and what they
// had goes back into the queue.
func TestAgentThatIsNone(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a", "ann")
	q := h.taken(c)
	err := h.Store(h.DB).Update(t.Context(), func(tx bot.Tx) error {
		held, err := desk.Revoke(tx, "maria", "operator:root", "left us")
		if len(held) != 1 {
			t.Errorf("held %q", held)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range h.Jobs {
		if s, ok := j.(desk.Silent); ok {
			if err := h.desk.HandleSilent(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.Await().Expect("in the queue again, at place 1")
	h.refused("maria", desk.DoSay, q.ID, "me again", desk.NotAgent)
	if _, err := h.desk.View(t.Context(), "maria", q.ID); err == nil {
		t.Error("whoever is no agent any more reads the ticket")
	}
	if q := h.ticket(); q.State != bot.TicketWaiting || q.Agent != "" {
		t.Errorf("ticket %+v", q)
	}
	c.Say("hello").Expect("") // the bot answers again
	h.update(func(tx bot.Tx) error { return tx.SetStopped("omar", tx.Now()) })
	h.refused("omar", desk.DoTake, q.ID, "", desk.NotAgent)
}

// The person ends the chat, and the agent is told.
func TestPersonEndsTheChat(t *testing.T) {
	for _, words := range []string{"end chat", "End the chat.", "terminar chat"} {
		h := newHouse(t, nil)
		c := h.talk("a", "ann")
		q := h.taken(c)
		c.Say(words).Expect("You are back with the assistant")
		v := h.view("maria", q.ID)
		if v.Talks || !v.Mine || said(v)[len(v.Lines)-1] != "left" {
			t.Errorf("%q: %+v %q", words, v.Ticket, said(v))
		}
		h.must("maria", desk.DoSay, q.ID, "One last thing")
		c.Await().Expect("Maria, help desk, is here now").Expect("One last thing")
		h.must("maria", desk.DoBack, q.ID, "")
		c.Await().Expect("You are back with the assistant")
		c.Say("human").Expect("has your request " + q.ID)
	}
}

// An agent who says nothing keeps nobody waiting.
func TestSilentAgent(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a", "ann")
	q := h.taken(c)
	silent := func() (j desk.Silent) {
		for _, job := range h.Jobs {
			if s, ok := job.(desk.Silent); ok {
				j = s
			}
		}
		return j
	}
	c.Say("are you there").Quiet()
	first := silent()
	if first.Ticket != q.ID {
		t.Fatalf("jobs %+v", h.Jobs)
	}
	h.must("maria", desk.DoSay, q.ID, "Yes")
	c.Await().Expect("Yes")
	if err := h.desk.HandleSilent(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	c.Quiet() // it was answered
	c.Say("it still does not work").Quiet()
	if err := h.desk.HandleSilent(t.Context(), silent()); err != nil {
		t.Fatal(err)
	}
	c.Await().Expect("in the queue again")
	if err := h.desk.HandleSilent(t.Context(), silent()); err != nil {
		t.Fatal(err)
	}
	c.Quiet()
	h.must("omar", desk.DoSay, q.ID, "I take over")
	c.Await().Expect("Omar, help desk, is here now").Expect("I take over")
}

// No line of an agent asks for a code or a password, or shows one, and whoever
// tries is on the record.
func TestAgentAsksForNoSecret(t *testing.T) {
	h := newHouse(t, nil)
	c := h.talk("a", "ann")
	q := h.taken(c)
	for _, line := range []string{
		"Please send me the code that you got.", "What is your password?", "can you read me the 6 digit code", "I need your PIN to go on", "Tell us the code, please",
		"Envíeme el código, por favor", "¿Cuál es su contraseña?", "Dígame el código que recibió", "What's the code?", "Just text me the code",
		"What is your pass word?", "read me the six digits on your phone", "please type your PIN here", "Dígame los seis dígitos", "Ingrese su clave aquí",
		"Dime tu contraseña", "Never mind, tell me your p a s s w o r d", "read me the number that just came by text", "What is the answer to your security question?",
	} {
		h.refused("maria", desk.DoSay, q.ID, line, desk.AsksSecret)
	}
	for _, line := range []string{"Your code is 482913", "Use the password: Summer2026!", "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP"} {
		h.refused("maria", desk.DoSay, q.ID, line, desk.HasSecret)
	}
	c.Quiet()
	for _, line := range []string{
		"Never tell anybody your code.", "Please press \"send a code\" again in a moment.", "Is it room 214 or 216?", "No envíe su contraseña a nadie.", "Which phone do you have?",
		"What is the last thing that you see on the screen?", "Call me at (704) 296-3143.",
		"Type your password on the sign-in page, never in this chat.", "Enter your PIN on the phone itself.", "The page shows two digits.", "Ingrese su clave en la página.",
	} {
		h.must("maria", desk.DoSay, q.ID, line)
		c.Await().Expect(line)
	}
	err := h.DB.View(t.Context(), func(tx bot.Tx) error {
		as, err := tx.Alerts(bot.AlertAsked)
		if err == nil && (len(as) != 1 || as[0].Person != "maria" || as[0].Count != 19) {
			t.Errorf("alerts %+v", as)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Outside hours people learn when somebody reads it, and no agent is late.
func TestOutsideHours(t *testing.T) {
	hours, err := calendar.Parse("America/New_York", []string{"mon-fri 07:30-16:30"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, func(o *desk.Options) { o.Hours = hours })
	h.Clock.Advance(-24 * time.Hour) // a Saturday
	c := h.talk("a", "ann")
	c.Say("human").Expect("Who are you")
	c.Say("Ann Lee").Expect("it is read on Monday, 4 May, 07:30 EDT")
	c2 := h.talk("b", "bob")
	c2.Locale = "es"
	c2.Say("persona").Expect("¿Quién es usted")
	c2.Say("Bob Ruiz").Expect("se lee el lunes 4 de mayo, 07:30 EDT")
}

// One ticket for a person and a matter, wherever they write.
func TestOneTicketForAPersonAndAMatter(t *testing.T) {
	h := newHouse(t, nil)
	for _, user := range []string{"u1", "u2"} {
		h.update(func(tx bot.Tx) error {
			return tx.Link(bot.Identity{Channel: "test", User: user, Person: prooftest.AnnID, Level: bot.L2})
		})
	}
	c := h.talk("a", "u1")
	c.Say("human").Expect("You are number 1 in the queue")
	q := h.ticket()
	if q.Person != prooftest.AnnID {
		t.Errorf("ticket %+v", q)
	}
	d := h.talk("b", "u2")
	d.Say("human").Expect("has your request " + q.ID)
	if now := h.ticket(); now.Conversation != "b" {
		t.Errorf("it goes on where the person was: %+v", now)
	}
	h.must("maria", desk.DoSay, q.ID, "Hello Ann")
	d.Await().Expect("Hello Ann")
	d.Say("no person needed").Quiet() // it is the agent's now

	// Asked for in the first chat again, it goes on there, with the same agent.
	c.Say("human").Expect("has your request " + q.ID + " and writes to you here")
	d.Await().Expect(q.ID+" goes on in", "does not read here any more", "If that was not you")
	if now := h.ticket(); now.ID != q.ID || now.Conversation != "a" || now.Agent != "maria" {
		t.Errorf("it goes on where the person is: %+v", now)
	}
	d.Say("are you there").Expect("") // the bot's again
	h.must("maria", desk.DoSay, q.ID, "I am here")
	c.Await().Expect("Maria, help desk, is here now").Expect("I am here")
	if got := said(h.view("maria", q.ID)); !slices.Contains(got, "moved_here") {
		t.Errorf("the ticket says %q", got)
	}
	h.must("maria", desk.DoSolve, q.ID, "")
	c.Await().Expect("How was the help?")
}

// The desk is off: a number for the telephone, as before.
func TestWithoutAgents(t *testing.T) {
	h := newHouse(t, func(o *desk.Options) { o.Agents = false })
	c := h.talk("a", "ann")
	c.Say("human").Expect("You can also call: (704) 296-3143")
	q := h.ticket()
	c.Say("human").Expect("already has your request " + q.ID)
	c.Say("no person needed").Expect("you need nobody any more")
	c.Say("no person needed").Expect("no open request")
}

// A chat that changes hands: nothing of one person's ticket reaches the other, and
// neither takes it over nor ends it.
func TestChatChangesHands(t *testing.T) {
	h := newHouse(t, nil)
	h.People(prooftest.Ann(), bot.Person{ID: "maria", Username: "maria", Email: "maria@example.org", Name: "Maria Agent"},
		bot.Person{ID: "omar", Username: "omar", Email: "omar@example.org", Name: "Omar Agent"},
		bot.Person{ID: "bob", Username: "bob", Email: "bob@example.org", Name: "Bob Ray"})
	of := func(p bot.PersonID) {
		h.update(func(tx bot.Tx) error {
			return tx.Link(bot.Identity{Channel: "test", User: "u1", Person: p, Level: bot.L2})
		})
	}
	of(prooftest.AnnID)
	c := h.talk("a", "u1")
	c.Say("human").Expect("You are number 1 in the queue")
	anns := h.ticket()
	h.must("maria", desk.DoTake, anns.ID, "")
	c.Await().Expect("is here now")
	c.Say("it is about my lost phone").Quiet()
	h.Clock.Advance(time.Minute)
	of("bob")
	h.refused("maria", desk.DoSay, anns.ID, "About your phone, Ann", desk.NoChat)
	h.refused("maria", desk.DoBack, anns.ID, "", desk.NoChat)
	if v := h.view("maria", anns.ID); v.Chat || v.Title != "" {
		t.Errorf("where Bob is: %+v", v)
	}
	c.Quiet()
	c.Say("hello").Expect("") // the assistant answers Bob
	c.Say("no person needed").Expect("no open request")
	c.Say("human").Expect("You are number 1 in the queue")
	var open []bot.Ticket
	if err := h.DB.View(t.Context(), func(tx bot.Tx) (err error) { open, err = tx.Tickets(10); return err }); err != nil {
		t.Fatal(err)
	}
	if len(open) != 2 || open[0].ID != anns.ID || open[0].Person != prooftest.AnnID || open[0].State != bot.TicketTaken || open[1].Person != "bob" || open[1].Conversation != "a" {
		t.Errorf("tickets %+v", open)
	}
	if lines := said(h.view("maria", anns.ID)); lines[len(lines)-1] != "moved_away" {
		t.Errorf("lines %q", lines)
	}
	h.must("maria", desk.DoSolve, anns.ID, "")
	h.must("maria", desk.DoReopen, anns.ID, "") // a month later
	h.refused("maria", desk.DoSay, anns.ID, "About your phone, Ann", desk.NoChat)
	c.Quiet()
}

// Where nobody is an agent yet, nobody is promised that somebody comes.
func TestNoAgents(t *testing.T) {
	h := newHouse(t, nil)
	h.update(func(tx bot.Tx) error { return errors.Join(tx.DropAgent("maria"), tx.DropAgent("omar")) })
	h.update(func(tx bot.Tx) error {
		return tx.Link(bot.Identity{Channel: "test", User: "u1", Person: prooftest.AnnID, Level: bot.L2})
	})
	c := h.talk("a", "u1")
	c.Say("human").Expect("You can also call: (704) 296-3143")
	if strings.Contains(c.Last().Text, "in the queue") {
		t.Errorf("somebody is promised:\n%s", c.Last().Text)
	}
	c.Say("human").Expect("already has your request " + h.ticket().ID)
}
