package enroll_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/campaign"
	"latchkey/bot/desk"
	"latchkey/bot/enroll"
	"latchkey/bot/outbox"
	"latchkey/bot/turn"
	"latchkey/flows"
	"latchkey/flows/library"
)

// A house is the two services with the shipped scripts and a chat.
type house struct {
	*rig
	chat *bottest.Adapter
	turn *turn.Service
	n    int
}

func newHouse(t *testing.T, signIn string) *house {
	t.Helper()
	h := &house{rig: newRig(t), chat: bottest.NewAdapter("test")}
	h.Enroll.SignIn = signIn
	cat := bot.Catalogue{Checks: h.Checks, Forms: h.Forms, Facts: prooftest.Facts}
	for _, s := range append(desk.New(desk.Options{}).Specs(), campaign.New(campaign.Options{}).Specs()...) {
		cat.Checks[s.Name] = s
	}
	set, err := flows.Load(library.FS, nil, cat)
	if err != nil {
		t.Fatal(err)
	}
	h.Enroll.Phrases, h.Verify.Phrases = set, set
	h.Enroll.Question = func(lang, id string) string { return set.ListText("questions", id, lang) }
	box := outbox.New(outbox.Options{Store: h.DB, Adapters: map[bot.ChannelID]bot.Adapter{"test": h.chat}, Revealer: h.Verify.Reveal, Clock: h.Clock.Now})
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
	h.turn = turn.New(turn.Options{Store: h.DB, Engine: set, Catalogue: cat, Outbox: box, Gate: h.Enroll.Gate, Phrases: set, Clock: h.Clock.Now})
	return h
}

func (h *house) talk(id bot.ConversationID, user string) *bottest.Conversation {
	return bottest.Talk(h, h.turn, h.chat, id, user)
}

// submit sends a private form as a page does, and gives what the page shows.
func (h *house) submit(c *bottest.Conversation, prompt uint32, form string, kv ...string) *bot.Message {
	h.Helper()
	c.Last()
	h.n++
	f := &bot.FormReply{Name: form}
	for i := 0; i < len(kv); i += 2 {
		f.Values = append(f.Values, bot.FormValue{Name: kv[i], Value: bot.Secret(kv[i+1])})
	}
	m, err := h.turn.Answer(h.Context(), bot.Event{ID: fmt.Sprint("page-", h.n), Channel: "test", Conversation: c.ID, From: c.User,
		Kind: bot.Submit, Prompt: prompt, Form: f})
	if err != nil {
		h.Fatal(err)
	}
	if m == nil {
		h.Fatalf("form %s has no answer", form)
	}
	c.Await()
	return m
}

// session is the stored session of a conversation.
func (h *house) session(id bot.ConversationID) (*bot.Conversation, bot.Session) {
	h.Helper()
	conv := prooftest.View(h.Rig, func(tx bot.Tx) (*bot.Conversation, error) { return tx.Conversation(id) })
	var s bot.Session
	if err := turn.DecodeSession(conv.State, &s); err != nil {
		h.Fatal(err)
	}
	return conv, s
}

// misses counts the wrong passwords of a chat account.
func (h *house) misses(user string) int {
	h.Helper()
	return prooftest.View(h.Rig, func(tx bot.Tx) (int, error) {
		n, _, err := tx.Tallied("t2.account", "test|"+user, time.Time{})
		return n, err
	})
}

// TestPageBringsTheFormAgain: what a page gets after a wrong password, after
// the right one, and after that.
func TestPageBringsTheFormAgain(t *testing.T) {
	h := newHouse(t, enroll.ByPassword)
	c := h.talk("a", "u")
	c.Say("hi").Expect("Hello!")
	c.Press("start").Expect("user name")
	asked := c.Say("ann").Expect("Your password goes into the private form").Last()

	m := h.submit(c, asked.Prompt, "sign_in", "password", "wrong")
	if !strings.Contains(m.Text, "do not match") || m.Form == nil || m.Form.Name != "sign_in" || m.Prompt != asked.Prompt {
		t.Errorf("after a wrong password: %+v", m)
	}
	m = h.submit(c, asked.Prompt, "sign_in", "password", "")
	if !strings.Contains(m.Text, "closed without an answer") || m.Form == nil {
		t.Errorf("after an empty one: %+v", m)
	}
	m = h.submit(c, asked.Prompt, "sign_in", "password", prooftest.Password)
	if !strings.Contains(m.Text, "Thank you, Ann.") || m.Form != nil {
		t.Errorf("after the right one: %+v", m)
	}
	m = h.submit(c, asked.Prompt, "sign_in", "password", "wrong") // the page was left open
	if !strings.Contains(m.Text, "earlier step") || !strings.Contains(m.Text, "authenticator app") || m.Form != nil {
		t.Errorf("after all: %+v", m)
	}
	if n := h.misses("u"); n != 1 {
		t.Errorf("%d tries counted", n)
	}
}

// TestStaleFormsChangeNothing: a form that belongs to an earlier prompt is not
// looked at, and the step is shown again with its form.
func TestStaleFormsChangeNothing(t *testing.T) {
	h := newHouse(t, enroll.ByPassword)
	c := h.talk("a", "u")
	c.Say("hi").Expect("Hello!")
	c.Press("start").Expect("user name")
	old := c.Say("ann").Expect("private form").Last().Prompt
	c.Say("back").Expect("user name")
	c.Say("ann").Expect("private form")
	for _, password := range []string{"wrong", prooftest.Password} {
		before, s := h.session("a")
		m := h.submit(c, old, "sign_in", "password", password)
		if !strings.Contains(m.Text, "earlier step") || m.Form == nil || m.Form.Name != "sign_in" || m.Prompt == old {
			t.Errorf("%+v", m)
		}
		after, now := h.session("a")
		if after.Level != before.Level || after.Person != "" || len(now.Stack) != len(s.Stack) || now.Top().Step != "password" {
			t.Errorf("something has changed: %+v, %+v", after, now)
		}
	}
	if n := h.misses("u"); n != 0 {
		t.Errorf("%d tries counted", n)
	}
	m := h.submit(c, c.Last().Prompt, "sign_in", "password", prooftest.Password)
	if !strings.Contains(m.Text, "Thank you, Ann.") {
		t.Errorf("%+v", m)
	}

	// The answers: nothing is stored.
	c.Say("security questions").Expect("three questions")
	c.Press("first_concert").Expect("the second")
	c.Press("first_dish").Expect("the third")
	old = c.Press("worst_food").Expect("Now the answers").Last().Prompt
	c.Press("Pick other questions").Expect("Which is the first")
	c.Press("childhood_hero").Expect("the second")
	c.Press("first_dish").Expect("the third")
	c.Press("worst_food").Expect("Now the answers")
	m = h.submit(c, old, "answers", "a1", "the herons", "a2", "plum soup", "a3", "turnips")
	if !strings.Contains(m.Text, "earlier step") || m.Form == nil || m.Form.Name != "answers" || m.Form.Fields[0].Label != "Who was your hero when you were ten?" {
		t.Errorf("%+v", m)
	}
	if all := append(h.Methods(bot.Pending), h.Methods(bot.Active)...); len(all) != 0 {
		t.Errorf("stored %+v", all)
	}
	c.Last()

	// The recovery codes on the screen stay good.
	c.Press("Pick other questions").Expect("Which is the first")
	c.Press("No questions").Last()
	asked := c.Say("recovery codes").Expect("ten codes").Last()
	shown, err := h.turn.Reveal(t.Context(), "a", "recovery")
	if err != nil || len(shown) != 10 {
		t.Fatal(len(shown), err)
	}
	m = h.submit(c, old, "recovery", "saved", "saved")
	if !strings.Contains(m.Text, "earlier step") || m.Form == nil || !m.Form.Reveals || len(h.Methods(bot.Active)) != 0 {
		t.Errorf("%+v", m)
	}
	asked = c.Last()
	m = h.submit(c, asked.Prompt, "recovery", "saved", "saved")
	if !strings.Contains(m.Text, "Your 10 recovery codes are set up.") || m.Form != nil {
		t.Errorf("%+v", m)
	}
	if on := h.Methods(bot.Active); len(on) != 1 || on[0].Kind != bot.Recovery {
		t.Errorf("active %+v", on)
	}
}

// TestTryThroughTheTurn: the problems come in the words of the person's
// language, with the questions that were picked.
func TestTryThroughTheTurn(t *testing.T) {
	h := newHouse(t, enroll.ByPassword)
	for lang, want := range map[string][]string{
		"en": {"Too short. It needs at least 3 letters or digits.", "This uses the words of the question. Please choose something that is not in it.", "This is the same as another of your answers. Please give a different one."},
		"es": {"Demasiado corta. Necesita al menos 3 letras o cifras.", "Usa palabras de la misma pregunta. Por favor, elija algo que no aparezca en ella.", "Es igual a otra de sus respuestas. Por favor, escriba una diferente."},
	} {
		user := "u-" + lang
		if _, err := h.Enroll.SignInAs(t.Context(), "test", user, ann()); err != nil {
			t.Fatal(err)
		}
		c := h.talk(bot.ConversationID("a-"+lang), user)
		c.Locale = lang
		c.Open().Expect("Ann")
		c.Say(map[string]string{"en": "security questions", "es": "preguntas de seguridad"}[lang]).Last()
		c.Press("first_concert").Last()
		c.Press("first_dish").Last()
		c.Press("worst_food").Last()
		words := map[string]string{"en": "the dish", "es": "el platillo"}[lang]
		reply := &bot.FormReply{Name: "answers", Values: []bot.FormValue{{Name: "a1", Value: "xy"}, {Name: "a2", Value: bot.Secret(words)}}}
		got, err := h.turn.TryForm(t.Context(), c.ID, reply)
		if err != nil || len(got) != 2 || got[0] != (bot.FieldProblem{Field: "a1", Text: want[0]}) || got[1] != (bot.FieldProblem{Field: "a2", Text: want[1]}) {
			t.Errorf("%s: %+v, %v", lang, got, err)
		}
		reply.Values = []bot.FormValue{{Name: "a1", Value: "herons"}, {Name: "a3", Value: "Herons"}}
		got, err = h.turn.TryForm(t.Context(), c.ID, reply)
		if err != nil || len(got) != 1 || got[0] != (bot.FieldProblem{Field: "a3", Text: want[2]}) {
			t.Errorf("%s: %+v, %v", lang, got, err)
		}
	}
}

// TestSignInOnAPage: the step, the page and the code in the chat.
func TestSignInOnAPage(t *testing.T) {
	h := newHouse(t, enroll.ByPage)
	c := h.talk("a", "u")
	c.Say("hi").Expect("Hello!")
	m := c.Press("start").Expect("sign in to Contoso there", "If the page then shows you eight characters, type them here.").Last()
	if m.Form == nil || !m.Form.SignIn || m.Form.Name != "sign_in_page" || m.Form.Title != "Sign in to Contoso" || len(m.Form.Fields) != 0 {
		t.Fatalf("form %+v", m.Form)
	}
	c.Say("7F3K-9QXD").Expect("do not count here")
	c.Say("password").Expect("eight letters and digits")
	code, err := h.Enroll.ProofCode(t.Context(), "a", ann())
	if err != nil {
		t.Fatal(err)
	}
	c.Say("7F3K-9QXD").Expect("Tries left: 4")
	if m := c.Last(); m.Form == nil || !m.Form.SignIn {
		t.Errorf("no page to open again: %+v", m)
	}
	c.Say(" "+strings.ToLower(string(code))+" ").Expect("Thank you, Ann.", "authenticator app")
	conv, s := h.session("a")
	if conv.Person != prooftest.AnnID || conv.Level != bot.L2 {
		t.Errorf("conversation %+v", conv)
	}
	if strings.Contains(string(conv.State), strings.ReplaceAll(string(code), "-", "")) || s.Top().Flow != "authenticator" {
		t.Errorf("session %s", conv.State)
	}
}

// TestSignedInBeforeTheFirstWord: the web chat links the account and then opens
// the person's conversation. People are called by their name, and what comes
// next is what they have not got.
func TestSignedInBeforeTheFirstWord(t *testing.T) {
	in := func(t *testing.T) (*house, *bottest.Conversation) {
		h := newHouse(t, enroll.ByPage)
		if _, err := h.Enroll.SignInAs(t.Context(), "test", "oidc-1", ann()); err != nil {
			t.Fatal(err)
		}
		return h, h.talk("web:oidc-1", "oidc-1")
	}
	t.Run("nothing set up", func(t *testing.T) {
		h, c := in(t)
		c.Open().Expect("Hello Ann!", "ways to prove that it is you", "[Start]", "Step 1 of 4").Refuse("user name", "sign in")
		c.Press("Start").Expect("First the authenticator app.", "Step 2 of 4").Refuse("Contoso there")
		c.Open().Expect("Welcome back. This is where we are.", "First the authenticator app.")
		if conv, s := h.session(c.ID); conv.Person != prooftest.AnnID || conv.Level != bot.L2 || s.Slot("name") != "Ann" {
			t.Errorf("conversation %+v, session %+v", conv, s)
		}
		c.Say("my methods").Expect("Nothing is set up yet.")
	})
	t.Run("in Spanish", func(t *testing.T) {
		_, c := in(t)
		c.Locale = "es-MX"
		c.Open().Expect("¡Hola, Ann!", "Empezar")
	})
	t.Run("one of two", func(t *testing.T) {
		h, c := in(t)
		h.Phone("7045550148") // in another conversation
		c.Open().Expect("Welcome back, Ann. Already set up:", "Phone •••• 48", "prove that it is you", "[Phone •••• 48]").Refuse("user name", "Contoso there")
	})
	t.Run("all set up", func(t *testing.T) {
		h, c := in(t)
		h.Phone("7045550148")
		h.Want("totp.begin", "", "ready")
		h.Want("totp.prove", h.totp(), "ok")
		c.Open().Expect("Hello Ann. This is set up for you", "Authenticator app", "Phone •••• 48", "[My methods]")
	})
	t.Run("disabled since", func(t *testing.T) {
		h, c := in(t)
		off := prooftest.Ann()
		off.Disabled = true
		h.People(off)
		c.Open().Expect("I cannot set anything up for this account").Refuse("Ann.", "Hello")
	})
	t.Run("signed in at the step that asks for it", func(t *testing.T) {
		h := newHouse(t, enroll.ByPage)
		c := h.talk("web:one", "one")
		c.Say("hi").Expect("Hello!")
		c.Press("start").Expect("sign in to Contoso there")
		if _, err := h.Enroll.SignInAs(t.Context(), "test", "one", ann()); err != nil {
			t.Fatal(err)
		}
		c.Open().Expect("Welcome back. This is where we are.", "Thank you, Ann.", "First the authenticator app.")
	})
}
