package flows_test

import (
	"fmt"
	"slices"
	"strings"
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
				"what happens to my text codes", "What will happen to my text codes?", "can I wait until January", "will they lock me out in February",
				"will i be able to reset my password after february", "what if I forget my password in February", "will outlook still work in febuary", "am i ok for february",
				"can i keep using text messages", "what happens to people who only have texts", "teh texts r stoping what do i do", "what does microsoft know about me",
				"what is registered for me at microsoft", "show me my microsoft methods",
			},
			not: []string{
				"the text never came", "my texts stopped coming", "I can't log in", "I still cant log in", "I cannot sign in to my computer", "no code", "is this safe",
				"I lost my phone", "what does it cost", "the printer does not work", "I forgot my password", "which app do I need", "can I use Microsoft Authenticator for this",
				"when do you open on monday", "is the help desk open in february", "what is the code", "my passkeyboard is broken", "I am going away next week",
				"Microsoft texted me a number", "the microsoft sms does not arrive", "microsoft stopped asking me",
				"what happens if the text never comes", "what happened to my code", "my smartphone does not scan the code",
				"I need a new password", "can you reset my password", "what is this for", "microsoft sent me an email about texts, is that real",
				"the email from microsoft did not come", "I still get no text", "can someone help me in person",
			},
		},
		"es": {
			about: []string{
				"¿Podré entrar después del 1 de febrero?", "podré entrar", "¿Qué pasa el 1 de febrero?", "qué pasa en febrero con los mensajes", "1 de febrero",
				"se acaban los SMS", "Microsoft 365", "¿podré iniciar sesión cuando terminen los mensajes?", "¿Voy a poder entrar en febrero?",
				"oí que Microsoft deja de mandar mensajes", "¿qué cambia en febrero?", "¿necesito una clave de acceso?", "qué es una clave de acceso",
				"¿voy a perder el acceso en febrero?", "¿estoy lista para febrero?",
				"que pasa con mis codigos de texto", "qué pasa con mis mensajes de texto", "me van a bloquear en febrero", "¿puedo esperar hasta enero?",
				"podre cambiar mi contraseña en febrero", "si olvido mi contraseña en febrero", "estoy lista para febrero verdad", "que sabe microsoft de mi",
			},
			not: []string{
				"no puedo entrar", "no llegó el mensaje", "¿cuánto cuesta?", "perdí mi teléfono", "olvidé mi contraseña", "qué aplicación es", "no tengo internet",
				"no me llegan los mensajes", "¿está abierta la mesa de ayuda en febrero?", "la impresora no funciona", "¿puedo usar Microsoft Authenticator?",
				"el mensaje de Microsoft no llega", "Microsoft me deja esperando", "qué pasa con mi código",
				"cambiar mi contraseña", "me llego un correo de microsoft es verdad", "me puede ayudar alguien",
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

// TestSaidInGetIn: in the script about February, what people write means
// something there, and not what it means while ways are set up here.
func TestSaidInGetIn(t *testing.T) {
	cat := catalogue()
	cat.Facts["entra"] = "yes"
	set, err := flows.Load(library.FS, nil, cat)
	if err != nil {
		t.Fatal(err)
	}
	steps := []string{"missing", "unsure", "unknown", "which", "app", "other_app", "passkey", "email", "phone", "fails", "nothing", "token"}
	adding := []string{"which", "app", "other_app", "passkey", "email", "phone"}
	everywhere := append([]string{"fine", "off", "guest", "mine", "elsewhere", "look"}, steps...)
	judged := []string{"february", "am i ok", "is my account ready", "just tell me yes or no", "will my email still work", "I have everything, right?", "does this apply to me",
		"will i be able to reset my password after february", "what if i forget my password in february", "do I still get my texts"}
	judgedES := []string{"febrero", "¿estoy bien?", "solo dígame sí o no", "¿va a funcionar mi correo?", "tengo todo", "¿me aplica?", "¿podré cambiar mi contraseña en febrero?"}
	for _, c := range []struct {
		steps []string
		lang  string
		means string // check, step, or the beginning of the text
		lines []string
	}{
		{steps, "en", "readiness.ways none", []string{"I have a flip phone", "my phone is not smart", "i have no cell phone", "I use a landline", "I don't have a smart phone", "no smartphone", "I don't want to use my personal phone"}},
		{steps, "es", "readiness.ways none", []string{"no tengo teléfono inteligente", "no tengo telefono inteligente", "mi telefono es de tapita", "mi celular no es inteligente", "no tengo celular", "uso un teléfono fijo", "no quiero usar mi teléfono personal"}},
		{[]string{"fine", "off", "guest", "mine", "look"}, "en", "At Microsoft it also goes without a smartphone", []string{"I have a flip phone", "I don't want to use my personal phone"}},
		{[]string{"fine", "off", "guest", "mine", "look"}, "es", "En Microsoft también se puede sin", []string{"mi teléfono es de tapita"}},
		{everywhere, "en", "Adding something on Microsoft's page costs you nothing", []string{"what does it cost", "how much is it?"}},
		{everywhere, "es", "Agregar algo en la página de Microsoft no le cuesta", []string{"¿cuánto cuesta?"}},
		{steps, "en", "directory.look", []string{"I did it already - look again", "I already did it", "i did it", "I have added it already"}},
		{steps, "es", "directory.look", []string{"ya lo agregué, revise otra vez", "ya lo hice", "ya está"}},
		{adding, "en", "fails", []string{"it does not work", "it doesn't work", "I already tried, it does not work", "that did not work"}},
		{adding, "es", "fails", []string{"no funciona", "no me funciona", "ya lo intenté y no funciona"}},
		{everywhere, "en", "A passkey is a key", []string{"what is a passkey", "what's a passkey?"}},
		{everywhere, "es", "Una clave de acceso es una llave", []string{"que es una clave de acceso", "¿qué es una passkey?"}},
		{everywhere, "en", "It stands in Microsoft's list", []string{"who told you about my phone", "how do you know my number"}},
		{everywhere, "es", "Está en la lista de Microsoft", []string{"quién le dio mi número", "¿cómo sabe mi número?"}},
		{everywhere, "en", "I cannot do that for you.", []string{"can you add it for me"}},
		{everywhere, "es", "No lo puedo hacer por usted.", []string{"¿puede agregarlo por mí?"}},
		{everywhere, "en", "On 1 February 2027 Microsoft stops", []string{"what if I do nothing", "will I be locked out", "can I wait until January"}},
		{everywhere, "es", "El 1 de febrero de 2027 Microsoft deja", []string{"me van a bloquear en febrero", "¿puedo esperar hasta enero?"}},
		{[]string{"fine", "missing", "unsure", "off"}, "en", "readiness.again", judged},
		{[]string{"fine", "missing", "unsure", "off"}, "es", "readiness.again", judgedES},
		{slices.DeleteFunc(append([]string{"mine"}, steps...), func(s string) bool { return s == "missing" || s == "unsure" }), "en", "readiness.mine", judged},
		{slices.DeleteFunc(append([]string{"mine"}, steps...), func(s string) bool { return s == "missing" || s == "unsure" }), "es", "readiness.mine", judgedES},
		{[]string{"fine"}, "en", "readiness.again", []string{"how do I add an authenticator app", "I don't want an app", "i already have the app"}},
		{steps, "en", "readiness.ways none", []string{"i dont want an app"}},
		{steps, "es", "readiness.ways none", []string{"no quiero una aplicación"}},
		{steps, "en", "readiness.ways ", []string{"how do i add an authenticator app"}},
		{steps, "es", "readiness.ways ", []string{"cómo agrego la aplicación"}},
		{everywhere, "en", "A token is a small device that shows six digits. You type", []string{"what is a token", "where do i get a token"}},
		{everywhere, "es", "Un token es un aparato pequeño que muestra seis cifras. Usted", []string{"qué es un token", "dónde consigo un token"}},
		{everywhere, "en", "A private address helps only", []string{"i have no email at home", "I don't have an e-mail address"}},
		{everywhere, "es", "Un correo personal ayuda solo", []string{"no tengo correo en casa"}},
		{everywhere, "en", "Codes by text and call are easier to steal", []string{"why is microsoft doing this"}},
		{everywhere, "es", "Los códigos por mensaje y por llamada", []string{"por que hace esto microsoft"}},
		{everywhere, "en", "On 1 February 2027 Microsoft stops its own texts", []string{"when does it end exactly"}},
		{everywhere, "es", "El 1 de febrero de 2027 Microsoft deja", []string{"cuándo termina exactamente"}},
		{everywhere, "en", "On 1 February 2027 Microsoft stops its own calls", []string{"do phone calls also stop", "does the code by call also end"}},
		{everywhere, "es", "El 1 de febrero de 2027 Microsoft también", []string{"las llamadas también se acaban"}},
		{everywhere, "en", "What you have at Microsoft you change", []string{"i got a new phone last week", "i changed my number"}},
		{everywhere, "es", "Lo que tiene en Microsoft se cambia", []string{"tengo celular nuevo", "cambié de número"}},
		{everywhere, "en", "It is true that Microsoft stops", []string{"microsoft sent me an email about texts, is that real"}},
		{everywhere, "es", "Es verdad que el 1 de febrero", []string{"me llegó un correo de Microsoft, ¿es verdad?"}},
		{append([]string{"fine", "off"}, steps...), "en", "readiness.mine", []string{"do I have to do something", "what do I have to do"}},
		{append([]string{"fine", "off"}, steps...), "es", "readiness.mine", []string{"qué me falta", "tengo que hacer algo"}},
	} {
		for _, step := range c.steps {
			for _, text := range c.lines {
				s := bot.Session{Lang: c.lang, Chosen: true, Prompt: 2, Stack: []bot.Frame{{Flow: "get_in", Step: step, Hash: set.Flow("get_in").Hash}}}
				var out bot.Output
				set.Turn(&s, &bot.Event{Kind: bot.Text, Text: text}, &out)
				got := out.Check
				if got == "readiness.ways" {
					got += " " + s.Slot("smartphone")
				}
				if got != c.means && (out.Check != "" || s.Top().Step != c.means) && !strings.HasPrefix(out.Message.Text, c.means) {
					t.Errorf("get_in.%s: %q means %s, and answers %s at %s: %s", step, text, c.means, got, s.Top().Step, out.Message.Text)
				}
			}
		}
	}
	// Elsewhere it keeps its meaning: a smartphone that cannot do something is one.
	s := bot.Session{Lang: "en", Chosen: true, Prompt: 2, Stack: []bot.Frame{{Flow: "get_in", Step: "app", Hash: set.Flow("get_in").Hash}}}
	var out bot.Output
	set.Turn(&s, &bot.Event{Kind: bot.Text, Text: "my smart phone is not scanning"}, &out)
	if out.Check != "" {
		t.Errorf("a smartphone is taken for none: %s", out.Check)
	}
}

// TestQuestionIsShownAsAsked: what somebody asks about a passkey is shown as that
// question, and answered, before it is said what February means for them.
func TestQuestionIsShownAsAsked(t *testing.T) {
	cat := catalogue()
	cat.Facts["entra"] = "yes"
	set, err := flows.Load(library.FS, nil, cat)
	if err != nil {
		t.Fatal(err)
	}
	missing := bot.Frame{Flow: "get_in", Step: "missing", Hash: set.Flow("get_in").Hash}
	for _, c := range []struct {
		lang, text, heard, says string
	}{
		{"en", "what is a passkey", "What is a passkey?", "A passkey is a key that your phone,"},
		{"es", "que es una clave de acceso", "¿Qué es una clave de acceso?", "Una clave de acceso es una llave"},
		{"en", "do I need a passkey", "Do I need a passkey?", ""},
		{"es", "¿necesito una clave de acceso?", "¿Necesito una clave de acceso?", ""},
		{"en", "what happens in february", "Will I still get in after 1 February?", ""},
	} {
		s := bot.Session{Lang: c.lang, Chosen: true, Prompt: 2}
		var out bot.Output
		set.Turn(&s, &bot.Event{Kind: bot.Text, Text: c.text}, &out)
		if out.Check != "readiness.mine" || out.Message.Heard != c.heard || string(out.Scratch) == "" != (c.says == "") || !strings.HasPrefix(string(out.Scratch), c.says) {
			t.Errorf("%q: heard %q, says %q, asks %s", c.text, out.Message.Heard, out.Scratch, out.Check)
		}
		if c.says == "" {
			continue
		}
		s = bot.Session{Lang: c.lang, Chosen: true, Prompt: 2, Stack: []bot.Frame{missing}}
		set.Turn(&s, &bot.Event{Kind: bot.Text, Text: c.text}, &out)
		if out.Message.Heard != c.heard || !strings.HasPrefix(out.Message.Text, c.says) {
			t.Errorf("below the answer: %q: heard %q, says %q", c.text, out.Message.Heard, out.Message.Text)
		}
	}
}

// TestEveryQuestionIsShown: a question that is answered stands in the chat as a
// question, and not as dots, in every language.
func TestEveryQuestionIsShown(t *testing.T) {
	cat := catalogue()
	cat.Facts["entra"] = "yes"
	set, err := flows.Load(library.FS, nil, cat)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ lang, at, text, heard string }{
		{"en", "enroll.welcome", "what does it cost", "What does it cost?"},
		{"es", "enroll.welcome", "cuánto cuesta", "¿Cuánto cuesta?"},
		{"en", "get_in.which", "i have no email at home", "I have no private e-mail address"},
		{"es", "get_in.missing", "si olvido mi contraseña en febrero", "¿Podré entrar después del 1 de febrero?"},
		{"en", "get_in.app", "that did not work", "It does not work"},
		{"en", "trouble.menu", "can someone help me", "Talk to a person"},
	} {
		flow, step, _ := strings.Cut(c.at, ".")
		s := bot.Session{Lang: c.lang, Chosen: true, Prompt: 2, Stack: []bot.Frame{{Flow: flow, Step: step, Hash: set.Flow(flow).Hash}}}
		var out bot.Output
		set.Turn(&s, &bot.Event{Kind: bot.Text, Text: c.text}, &out)
		if out.Message.Heard != c.heard {
			t.Errorf("%s at %s: %q is shown as %q", c.lang, c.at, c.text, out.Message.Heard)
		}
	}
	for name, lang := range set.UntitledQuestions() {
		t.Errorf("the answer %s has neither title: nor run:, so the question is shown as dots (%s)", name, lang)
	}
}

// TestHeadingIsAnAnswer: where February is offered, its heading as it stands
// there, and without the day, takes the choice; where nothing of Microsoft is
// read, neither it nor its number is there.
func TestHeadingIsAnAnswer(t *testing.T) {
	for _, entra := range []string{"yes", ""} {
		cat := catalogue()
		cat.Facts["entra"] = entra
		set, err := flows.Load(library.FS, nil, cat)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range [][2]string{{"enroll", "welcome"}, {"enroll", "welcome_known"}, {"home", "menu"}, {"menu", "menu"}} {
			for lang, lines := range map[string][]string{
				"en": {"Will I still get in after 1 February?", "Will I still get in", "february"},
				"es": {"¿Podré entrar después del 1 de febrero?", "podré entrar", "febrero"},
			} {
				say := func(ev bot.Event) (bot.Session, bot.Output) {
					s := bot.Session{Lang: lang, Chosen: true, Prompt: 2, Stack: []bot.Frame{{Flow: at[0], Step: at[1], Hash: set.Flow(at[0]).Hash}}}
					var out bot.Output
					set.Turn(&s, &ev, &out)
					return s, out
				}
				_, shown := say(bot.Event{Kind: bot.Text, Text: "xyzzy"})
				number := slices.IndexFunc(shown.Message.Choices, func(c bot.Choice) bool { return c.ID == "get_in" }) + 1
				if (number > 0) != (entra != "") {
					t.Errorf("entra %q, %v: %+v", entra, at, shown.Message.Choices)
				}
				events := []bot.Event{{Kind: bot.Press, Choice: "get_in", Prompt: 2}}
				for _, text := range lines {
					events = append(events, bot.Event{Kind: bot.Text, Text: text})
				}
				if number > 0 {
					for _, text := range []string{"%d", "[%d]"} {
						events = append(events, bot.Event{Kind: bot.Text, Text: fmt.Sprintf(text, number)})
					}
				}
				for _, ev := range events {
					s, out := say(ev)
					if took := s.Stack[0].Step == "get_in"; took != (entra != "") || took && (out.Check != "readiness.mine" || out.Message.Heard != lines[0]) {
						t.Errorf("entra %q, %v: %q: at %v, asks %s, heard %q", entra, at, ev.Text+ev.Choice, s.Stack, out.Check, out.Message.Heard)
					}
				}
			}
		}
	}
}

// TestAskedBeforeTheSignIn: what a session waits for in the sign-in is named
// where a word began it, and is begun where somebody comes in who asked for it.
func TestAskedBeforeTheSignIn(t *testing.T) {
	cat := catalogue()
	cat.Facts["entra"] = "yes"
	set, err := flows.Load(library.FS, nil, cat)
	if err != nil {
		t.Fatal(err)
	}
	stack := func(places ...string) (all []bot.Frame) {
		for _, p := range places {
			flow, step, _ := strings.Cut(p, ".")
			all = append(all, bot.Frame{Flow: flow, Step: step, Hash: set.Flow(flow).Hash})
		}
		return all
	}
	for _, c := range []struct {
		want  string
		stack []bot.Frame
	}{
		{"get_in", stack("get_in.sign_in", "sign_in.window")},
		{"get_in", stack("home.enroll", "enroll.welcome", "get_in.sign_in", "sign_in.window")},
		{"get_in", stack("home.enroll", "enroll.get_in", "get_in.sign_in", "sign_in.window")},
		{"get_in", stack("home.enroll", "enroll.welcome", "menu.get_in", "get_in.sign_in", "sign_in.window", "help.card")},
		{"methods", stack("methods.sign_in", "sign_in.page")},
		{"", stack("home.enroll", "enroll.sign_in", "sign_in.window")},
		{"", stack("home.enroll", "enroll.welcome")},
		{"", nil},
	} {
		if got := set.Asked(&bot.Session{Stack: c.stack}); got != c.want {
			t.Errorf("%v: asked for %q, want %q", c.stack, got, c.want)
		}
	}
	for _, c := range []struct {
		ev    bot.Event
		check string
	}{
		{bot.Event{Kind: bot.Open, Flow: "get_in"}, "readiness.mine"},
		{bot.Event{Kind: bot.Open, Flow: "gone"}, "person.known"},
		{bot.Event{Kind: bot.Open, Flow: "get_in", Frozen: true}, "person.frozen"},
	} {
		s := bot.Session{Lang: "es", Chosen: true}
		var out bot.Output
		set.Turn(&s, &c.ev, &out)
		if out.Check != c.check || (out.Message.Heard == "¿Podré entrar después del 1 de febrero?") != (c.check == "readiness.mine") {
			t.Errorf("%+v: asks %s, heard %q", c.ev, out.Check, out.Message.Heard)
		}
	}
}

// TestAskedAboutFebruary: what is asked of somebody who only greeted, or of
// nobody, begins the script; in the middle of other steps it means those.
func TestAskedAboutFebruary(t *testing.T) {
	for _, entra := range []string{"yes", ""} {
		cat := catalogue()
		cat.Facts["entra"] = entra
		set, err := flows.Load(library.FS, nil, cat)
		if err != nil {
			t.Fatal(err)
		}
		frame := func(flow, step string) bot.Frame { return bot.Frame{Flow: flow, Step: step, Hash: set.Flow(flow).Hash} }
		for lang, lines := range map[string][]string{
			"en": {"will i be locked out", "what if I do nothing", "do I have to do something", "what do I have to do"},
			"es": {"qué me falta", "tengo que hacer algo", "me van a bloquear"},
		} {
			for _, text := range lines {
				for _, c := range []struct {
					stack []bot.Frame
					want  bool
				}{
					{nil, true},
					{[]bot.Frame{frame("home", "menu")}, true},
					{[]bot.Frame{frame("home", "enroll"), frame("enroll", "welcome")}, true},
					{[]bot.Frame{frame("authenticator", "scan")}, false},
				} {
					s := bot.Session{Lang: lang, Chosen: true, Prompt: 2, Stack: c.stack}
					var out bot.Output
					set.Turn(&s, &bot.Event{Kind: bot.Text, Text: text}, &out)
					if got := out.Check == "readiness.mine"; got != (c.want && entra != "") {
						t.Errorf("entra %q, at %v: %q begins it: %v", entra, c.stack, text, got)
					}
				}
			}
		}
	}
}
