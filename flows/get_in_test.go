package flows_test

import (
	"testing"

	"latchkey/bot"
	"latchkey/flows"
	"latchkey/flows/library"
)

// TestAboutFebruary: what people type about the end of Microsoft's texts begins
// the script that tells what it means for them, and what only sounds like it
// does not.
func TestAboutFebruary(t *testing.T) {
	cat := catalogue()
	cat.Facts["entra"] = "yes"
	set, err := flows.Load(library.FS, nil, cat)
	if err != nil {
		t.Fatal(err)
	}
	for lang, lines := range map[string]struct{ about, not []string }{
		"en": {
			about: []string{
				"Will I still get in?", "will i still get in after 1 february", "Will I still be able to log in when texts stop", "what happens on february 1",
				"What happens on February 1st?", "1 February", "text codes end", "Microsoft 365", "SMS ends?", "will i still be able to sign in to my email in february",
				"what is happening with microsoft in february", "I heard Microsoft is stopping text codes", "are the text messages ending", "do i need a passkey",
				"What is a passkey?", "will I be able to sign in without texts", "are texts going away", "microsoft says sms is ending", "am i ready for february?",
				"What changes in February?", "Will I lose access on Feb 1?", "can I still log in after February", "does my Microsoft sign in still work in february",
			},
			not: []string{
				"the text never came", "my texts stopped coming", "I can't log in", "I still cant log in", "I cannot sign in to my computer", "no code", "is this safe",
				"I lost my phone", "what does it cost", "the printer does not work", "I forgot my password", "which app do I need", "can I use Microsoft Authenticator for this",
				"when do you open on monday", "is the help desk open in february", "what is the code", "my passkeyboard is broken", "I am going away next week",
				"Microsoft texted me a number", "the microsoft sms does not arrive", "microsoft stopped asking me",
			},
		},
		"es": {
			about: []string{
				"¿Podré entrar después del 1 de febrero?", "podré entrar", "¿Qué pasa el 1 de febrero?", "qué pasa en febrero con los mensajes", "1 de febrero",
				"se acaban los SMS", "Microsoft 365", "¿podré iniciar sesión cuando terminen los mensajes?", "¿Voy a poder entrar en febrero?",
				"oí que Microsoft deja de mandar mensajes", "¿qué cambia en febrero?", "¿necesito una clave de acceso?", "qué es una clave de acceso",
				"¿voy a perder el acceso en febrero?", "¿estoy lista para febrero?",
			},
			not: []string{
				"no puedo entrar", "no llegó el mensaje", "¿cuánto cuesta?", "perdí mi teléfono", "olvidé mi contraseña", "qué aplicación es", "no tengo internet",
				"no me llegan los mensajes", "¿está abierta la mesa de ayuda en febrero?", "la impresora no funciona", "¿puedo usar Microsoft Authenticator?",
				"el mensaje de Microsoft no llega", "Microsoft me deja esperando",
			},
		},
	} {
		begins := func(text string, stack ...bot.Frame) bool {
			s := bot.Session{Lang: lang, Chosen: true, Prompt: 2, Stack: stack}
			var out bot.Output
			set.Turn(&s, &bot.Event{Kind: bot.Text, Text: text}, &out)
			return out.Check == "readiness.mine"
		}
		for _, text := range lines.about {
			if !begins(text) {
				t.Errorf("%s: not understood: %s", lang, text)
			}
			if !begins(text, bot.Frame{Flow: "trouble", Step: "menu", Hash: set.Flow("trouble").Hash}) {
				t.Errorf("%s: not understood in the middle of a step: %s", lang, text)
			}
		}
		for _, text := range lines.not {
			if begins(text) {
				t.Errorf("%s: taken for a question about February: %s", lang, text)
			}
		}
	}
	// While the account is frozen it begins nothing.
	s := bot.Session{Lang: "en"}
	var out bot.Output
	set.Turn(&s, &bot.Event{Kind: bot.Text, Text: "what happens on february 1", Frozen: true}, &out)
	if out.Flow == "get_in" || out.Check == "readiness.mine" {
		t.Errorf("a frozen account: %+v", out)
	}
}
