package command

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest/browsertest"
	"latchkey/cmd/latchkey/programtest"
)

// broken are the marks that a cut connection leaves on the console.
const broken = `net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|CONNECTION_CLOSED|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING|NETWORK_CHANGED)|status of 50[23]`

// webServe enrolls three people at the service.
func webServe(t *testing.T, b *browsertest.Browser) {
	s := newWebSite(t, false, "channels: {web: {enabled: true}}\n")
	t.Run("desktop", func(t *testing.T) { s.desktop(t, b) })
	t.Run("mobile", func(t *testing.T) { s.mobile(t, b) })
	t.Run("spanish", func(t *testing.T) { s.inSpanish(t, b) })
	s.stops(t)
	s.noSecrets(t, s.everythingStored(t))
	for _, p := range []struct{ name, ends string }{{"ada", "•••• 23"}, {"ben", "•••• 67"}, {"carmen", "•••• 47"}} {
		if out, code := s.run(t, "people", "show", p.name, "--config", s.cfg); code != 0 || !strings.Contains(out, "enrolled") || !strings.Contains(out, p.ends) {
			t.Errorf("people show %s: %d %s", p.name, code, out)
		}
	}
	if out, code := s.run(t, "audit", "verify", "--config", s.cfg); code != 0 || !strings.Contains(out, "whole") {
		t.Errorf("audit verify: %d %s", code, out)
	}
}

// desktop enrolls Ada in a large window with every method that there is; the
// service and the connection end on the way.
func (s *webSite) desktop(t *testing.T, b *browsertest.Browser) {
	v := visit(t, b, browsertest.Desktop, s.public+"/")
	v.name = "serve"
	v.Sees("Press the button, and I will guide you step by step.")
	v.state("closed")
	s.signsIn(v, "Sign in with Riverbend ID", "e-1")
	v.hears("Hello Ada")
	v.Sees("Signed in as Ada")
	v.state("start")
	v.picks("Start")
	v.hears("First the authenticator app")
	v.picks("Next")
	v.picks("Yes, it is here")
	v.picks("I have the app")
	v.hears("tap the plus sign")
	v.picks("Next")
	v.hears("kind of account")
	v.picks("Next")
	v.hears("square picture")
	uri := v.scanned()
	s.keep(t, uri)
	v.state("picture")

	// The service is killed. The place is kept, and what is typed meanwhile is
	// sent once it is there again.
	v.May(broken)
	s.serve.kill()
	v.says("000000")
	v.In(".chat").Sees("Not sent yet. I keep trying.")
	s.begins(t)
	v.hears("These digits do not match")
	v.Reload()
	v.hearsAgain()
	uri = v.scanned()
	v.says(s.secret("code", programtest.TOTPNow(t, uri)))
	v.hears("The authenticator app is set up.")
	v.Until("the picture to be taken away", `!document.querySelector('img.qr, a.otpauth, .key')`)

	// A second tab shows the same and may go on; the first one follows.
	tab := &visitor{Page: v.Beside(s.public + "/chat"), t: t, look: v.look, input: v.input}
	tab.hears("The authenticator app is set up.")
	v.agrees(tab)
	tab.picks("Text me a code")
	tab.hears("Which number?")
	v.hears("Which number?")
	v.agrees(tab)

	// The connection is cut. What is said meanwhile arrives when it is back, and
	// what is typed meanwhile is sent once.
	back := newGate(t, s.addr, false) // another way in, for the second tab
	tab.Ours(back.addr)
	tab.May(broken)
	tab.Goto(strings.Replace(s.public, s.gate.addr, back.addr, 1) + "/chat")
	s.gate.cut()
	s.secret("number", "2015550123")
	s.secret("number", "201-555-0123")
	tab.says("(201) 555-0123")
	tab.hears("•••• 23. Is that right?")
	tab.picks("Change the number")
	tab.hears("Which number?")
	v.says("201-555-0123")
	v.In(".chat").Sees("Not sent yet. I keep trying.")
	v.state("cut")
	s.gate.opens(t)
	v.hears("Is that right?")
	v.SeesNoMore("Not sent yet")
	v.agrees(tab)
	v.picks("Send the code")
	v.hears("on its way to •••• 23")
	code, _ := s.text(t, "+12015550123", 1, "to add this phone")

	// The service is asked to end, which it does in order, and is there again. A
	// tab in which nobody does anything finds its way back by itself.
	before := len(tab.refused())
	s.stops(t)
	tab.Wait("the tab to be refused", func() bool { return len(tab.refused()) > before })
	s.begins(t)
	v.says(code)
	v.hears("Your phone •••• 23 is set up.", "Setup is now complete")
	tab.hears("Your phone •••• 23 is set up.", "Setup is now complete")
	v.agrees(tab)
	v.state("complete")

	s.extras(v, "Ada.Private@example.net")
	v.says("my methods")
	v.hears("Authenticator app", "Phone •••• 23", "Private e-mail", "Security questions", "Recovery codes")

	// Signing out ends it in every tab; signing in again finds the conversation.
	v.In(".chat").Press("Sign out")
	v.Sees("Sign in with Riverbend ID")
	tab.In(".chat").Sees("This chat has ended.")
	tab.name = "serve"
	tab.state("over")
	s.signsIn(v, "Sign in with Riverbend ID", "")
	v.Sees("Signed in as Ada", "Your 10 recovery codes are set up.")
}

// mobile enrolls Ben on his phone, which also has the app.
func (s *webSite) mobile(t *testing.T, b *browsertest.Browser) {
	v := visit(t, b, browsertest.Mobile, s.public+"/nowhere", "status of 40[34]")
	v.name = "serve"
	v.Sees("There is no page at this address.")
	v.state("nowhere")
	v.Leaves(func() { v.Follow("Go to the chat") })

	// He changes his mind at the provider, then mistypes his login there.
	v.Leaves(func() { v.In(".chat").Press("Sign in with Riverbend ID") })
	v.Until("the provider's page", `document.querySelector('input[name=login]')`)
	v.Leaves(func() { v.Follow("[ Cancel ]") })
	v.Sees("You did not finish the sign-in at Riverbend ID.")
	v.state("stopped")
	v.Leaves(func() { v.Press("Sign in with Riverbend ID") })
	s.atProvider(v.Page, "e-99")
	v.Sees("does not find that account")
	v.state("unknown")
	v.Leaves(func() { v.Press("Sign in with Riverbend ID") }) // it must ask again, not remember him
	s.atProvider(v.Page, "e-3")
	v.Until("the chat", `location.pathname === '/chat' && document.querySelector('.log')`)
	v.hears("Hello Ben")
	v.state("start")
	v.picks("Start")
	v.hears("First the authenticator app")
	v.picks("Next")
	v.picks("I am reading this on that phone")
	v.picks("I have the app")
	v.hears("tap the plus sign")
	v.picks("Next")
	v.hears("kind of account")
	v.picks("Next")
	v.hears("there is nothing to scan")
	v.state("tap")
	var uri string
	v.Eval(`document.querySelector('a.otpauth').href`, &uri)
	if !v.Has("link", "Add it in an app on this phone") {
		t.Errorf("no link to tap; there are %q", v.Names("link"))
	}
	s.keep(t, uri)
	v.says(s.secret("code", programtest.TOTPNow(t, uri)))
	v.hears("The authenticator app is set up.")
	v.picks("Text me a code")
	v.hears("Which number?")
	s.secret("number", "2015550167")
	v.says("201.555.0167")
	v.hears("•••• 67. Is that right?")
	v.picks("Send the code")
	v.hears("on its way to •••• 67")
	code, _ := s.text(t, "+12015550167", 1)
	v.state("code")
	v.says(code)
	v.hears("Setup is now complete")
	s.extras(v, "ben.private@example.net")
	v.state("done")
}

// inSpanish enrolls Carmen, by a call, in a narrow window.
func (s *webSite) inSpanish(t *testing.T, b *browsertest.Browser) {
	look := browsertest.Narrow
	look.Language = "es-MX"
	v := visit(t, b, look, s.public+"/chat")
	v.name, v.input = "serve-es", "Su mensaje para Latchkey"
	v.Sees("le guiaré paso a paso")
	v.state("closed")
	s.signsIn(v, "Iniciar sesión con Riverbend ID", "e-2")
	v.hears("¡Hola, Carmen!")
	v.state("start")
	v.picks("Empezar")
	v.picks("Configurar otro método")
	v.picks("Por llamada")
	v.hears("¿Cuál es el número?")
	s.secret("number", "2015550147")
	v.says("+1 201 555 0147")
	v.hears("•••• 47")
	v.picks("Enviar el código")
	v.hears("código", "•••• 47")
	v.state("code")
	call := s.net.sent(t, "Calls", "+12015550147", 1)
	_, code, pages := s.net.answer(t, call.SID)
	if len(code) != 12 {
		t.Fatalf("read out %q: %s", code, pages)
	}
	v.says(s.secret("code", code[:6]))
	v.hears("La configuración está completa", "•••• 47")
	v.state("complete")
	v.picks("Terminar")
	v.hears("Todo listo")
	v.state("done")
}

// signsIn signs in at the provider, from the button to the chat. Without a
// login the provider still knows the browser.
func (s *webSite) signsIn(v *visitor, button, login string) {
	v.t.Helper()
	v.Leaves(func() { v.In(".chat").Press(button) })
	if login != "" {
		s.atProvider(v.Page, login)
	}
	v.Until("the chat", `location.pathname === '/chat' && document.querySelector('.log')`)
	v.Ready()
	v.at = 0
}

// atProvider types a login at the provider.
func (s *webSite) atProvider(p *browsertest.Page, login string) {
	p.Until("the provider's page", fmt.Sprintf("location.origin === '%s' && document.querySelector('input[name=login]')", s.idp.Issuer))
	p.Fill("Enter any login", login)
	p.Fill("and password", "any")
	p.Leaves(func() { p.Press("Sign-in") })
}

// refused are the times when the stream of messages was answered by the proxy.
func (v *visitor) refused() (times []string) {
	for _, p := range v.Everything() {
		if strings.Contains(p, "status of 502") && strings.Contains(p, "/chat/events") {
			times = append(times, p)
		}
	}
	return times
}

// keep notes the key of a key URI as secret.
func (s *webSite) keep(t *testing.T, uri string) {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil || len(u.Query().Get("secret")) != 32 {
		t.Fatalf("not a key URI: %q", uri)
	}
	s.secret("key", u.Query().Get("secret"))
}

// agrees checks that two tabs come to show the same conversation.
func (v *visitor) agrees(other *visitor) {
	v.t.Helper()
	v.Wait("both tabs to show the same", func() bool {
		a, b := v.messages(), other.messages()
		if len(a) != len(b) {
			return false
		}
		for i := range a {
			if a[i] != b[i] {
				return false
			}
		}
		return true
	})
}

// extras adds questions, a private mailbox and recovery codes.
func (s *webSite) extras(v *visitor, private string) {
	v.t.Helper()
	v.picks("Add another method")
	v.hears("Which method would you like to add?")
	v.picks("Security questions")
	questions := []string{"What was the first concert that you went to?", "In what town was your first job?", "What was the nickname of your first pet?"}
	for i, which := range []string{"Which is the first?", "And the second?", "And the third?"} {
		v.hears(which)
		v.picks(questions[i])
	}
	v.hears("They go into the private form")
	for i, answer := range []string{"Bluebird Lane", "  bluebird   LANE ", "Maple Harbor 9"} {
		v.Fill(questions[i], s.secret("answer", answer))
	}
	v.Type("\r")
	v.hears("the same as another of your answers")
	v.Fill(questions[1], s.secret("answer", "Aunt Philomena"))
	v.picks("Save the answer")
	v.hears("Your security questions are set up.")

	v.picks("Private e-mail")
	v.hears("Which private e-mail address")
	v.says(s.secret("private mail", private))
	v.hears("Is that right?")
	v.picks("Send the code")
	v.hears("good for 30 minutes")
	v.says(s.secret("code", sixDigits.FindString(s.mail.mail(v.t, strings.ToLower(private), "Your code from Riverbend Schools"))))
	v.hears("is set up.", "Which method would you like to add?")

	v.picks("Recovery codes")
	v.hears("I show you ten codes, once")
	v.picks("Show my codes")
	v.Sees("I show these only now.")
	var codes []string
	v.Eval(`[...document.querySelectorAll('.codes li')].map(e => e.textContent.trim())`, &codes)
	for _, c := range codes {
		s.secret("recovery code", c)
		s.secret("recovery code", strings.ReplaceAll(c, "-", ""))
	}
	if len(codes) != 10 {
		v.t.Errorf("recovery codes: %q", codes)
	}
	v.Fill(`Write "saved" when you have them on paper`, "saved")
	v.In(".chat").Press("Done")
	v.hears("recovery codes are set up.", "All done")
	if v.Text(); strings.Contains(v.Text(), codes[0]) {
		v.t.Error("the recovery codes stay on the screen after they were confirmed")
	}
}
