package terminal_test

import (
	"context"
	"strings"
	"testing"

	"latchkey/adapters/terminal"
	"latchkey/bot"
)

const (
	pageAddress = "https://desk.example/private#q1w2-e3r4_t5y6u7i8o9p0a1s2d3f4g5h6j7k8l9zA"
	signInText  = "Please sign in on the page and type the code."
)

// signIn is a message whose form needs a browser.
func signIn(page bot.Secret) *bot.Delivery {
	d := say(bot.Message{Text: signInText, Prompt: 4, Choices: []bot.Choice{{ID: "h", Label: "Help"}},
		Form: &bot.Form{Name: "sign_in_page", Title: "Sign in to Example", Button: "Sign in", SignIn: true}})
	d.Page = page
	return d
}

func TestWantsPage(t *testing.T) {
	t.Parallel()
	var pager bot.Pager = new(terminal.Adapter)
	for _, c := range []struct {
		m    bot.Message
		want bool
	}{
		{bot.Message{Text: "hello"}, false},
		{bot.Message{Form: &bot.Form{Name: "answers"}}, false}, // typed here, unseen
		{bot.Message{Reveal: &bot.Reveal{Kind: bot.RevealTOTP}}, false},
		{signIn("").Message, true},
	} {
		if got := pager.WantsPage(&c.m); got != c.want {
			t.Errorf("%+v: %v", c.m, got)
		}
	}
}

// The address of the page is shown, and what is typed next is the answer in the
// chat, not a private value.
func TestPlainPage(t *testing.T) {
	t.Parallel()
	tb := sit(t, func(ev bot.Event) *bot.Delivery {
		switch {
		case ev.Kind == bot.Open:
			return signIn(pageAddress)
		case ev.Text == "no page":
			return signIn("")
		case ev.Text == "secret":
			d := say(bot.Message{Text: "Scan the picture."})
			d.Page = pageAddress + "2"
			return d
		}
		return say(bot.Message{Text: "You said " + ev.Text})
	})
	got := tb.until(t, "[1] Help\n\n")
	if want := "\n" + signInText + "\n\n[1] Help\n\n"; got != want {
		t.Errorf("message as lines:\n%q\nwant\n%q", got, want)
	}
	if got, want := tb.until(t, "A\n\n"), "Sign in. terminal.page: "+pageAddress+"\n\n"; got != want {
		t.Errorf("the page as lines:\n%q\nwant\n%q", got, want)
	}
	tb.typed(t, "7F3K-9QXD")
	tb.until(t, "You said 7F3K-9QXD\n")
	tb.typed(t, "no page")
	tb.until(t, "(terminal.no_page)\n")
	tb.typed(t, "secret")
	tb.until(t, "Scan the picture.\n\nterminal.page: "+pageAddress+"2\n\n")
	tb.typed(t, "/scan")
	tb.until(t, "(terminal.no_qr)\n")
	tb.leave(t)
	for _, ev := range tb.in.got() {
		if ev.Kind == bot.Submit {
			t.Errorf("something was submitted: %+v", ev)
		}
	}
	if strings.Contains(tb.all(), "[private]") {
		t.Error("a private value was asked for")
	}
}

// The label of a choice picks it at a private form, too, but nothing longer
// does: that is a value.
func TestPlainLabelAtForm(t *testing.T) {
	t.Parallel()
	tb := sit(t, func(ev bot.Event) *bot.Delivery {
		return say(bot.Message{Text: "Password.", Choices: []bot.Choice{{ID: "other", Label: "Use another  user name"}, {ID: "/help", Label: "Help"}},
			Form: &bot.Form{Name: "sign_in", Title: "Sign in", Fields: []bot.Field{{Name: "password", Label: "Password", Mask: true}}}})
	})
	tb.until(t, "[private] Password:\n")
	for _, line := range []string{"help", " HELP ", "use another user name", "help1", "Help!", "/help"} {
		tb.typed(t, line)
		tb.until(t, "[private] Password:\n")
	}
	tb.leave(t)
	var got []string
	for _, ev := range tb.in.got()[1:] {
		if ev.Kind == bot.Text {
			got = append(got, "chat:"+ev.Text)
		} else {
			got = append(got, string(ev.Form.Value("password")))
		}
	}
	if s := strings.Join(got, "|"); s != "chat:help|chat: HELP |chat:use another user name|help1|Help!|/help" {
		t.Errorf("events: %s", s)
	}
}

func TestRichPage(t *testing.T) {
	t.Parallel()
	w := openWindow(t, 140, 40)
	w.until("1 Start")
	w.keys("-l", "page")
	w.keys("Enter")
	s := w.until(signInText, "Sign in. Open this page:", "https://desk.example/private#", "1 Help")
	if strings.Contains(s, "does not enter the chat") || strings.Contains(s, "[Enter] Sign in") {
		t.Errorf("a box is open for a form that needs a browser:\n%s", s)
	}
	if !strings.Contains(s, pageAddress) {
		t.Errorf("the address is not on one line:\n%s", s)
	}
	w.keys("-l", "7F3K-9QXD") // chat, as typed
	w.keys("Enter")
	w.until("You said: 7F3K-9QXD")
	w.keys("-l", "no page")
	w.keys("Enter")
	w.until("There is no page for this right now.")
	w.keys("-l", "secret page")
	w.keys("Enter")
	w.until("Scan the picture.", "Open this page:", "private#q1w2-e3r4_t5y6u7i8o9p0a1s2d3f4g5h6j7k8l9zA2")
	w.keys("C-c")
	w.until("left cleanly")
}

// After the person left, a page waits for the next time with its message.
func TestPageAfterLeaving(t *testing.T) {
	t.Parallel()
	tb := sit(t, func(bot.Event) *bot.Delivery { return say(bot.Message{Text: "ok"}) })
	tb.until(t, "ok")
	tb.leave(t)
	_, err := tb.a.Send(context.Background(), *signIn(pageAddress))
	if err == nil || strings.Contains(err.Error(), "private#") {
		t.Errorf("send: %v", err)
	}
}
