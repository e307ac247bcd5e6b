package adaptertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/bot"
	"latchkey/bot/outbox"
)

// givesOut is the contract for what the bot says.
var givesOut = []clause{
	{"out: a text is shown once, all of it, in every script", nil, allScripts},
	{"out: a text is shown literally, whatever the platform's markup is", nil, literal},
	{"out: nothing in a text moves what stands beside it", nil, tame},
	{"out: paragraphs stay paragraphs", nil, paragraphs},
	{"out: messages are shown in the order in which they were sent", nil, inSequence},
	{"out: progress is shown before the text", nil, progress},
	{"out: a message says which language it is in", []Ability{Language}, language},
	{"out: every choice is shown by its label and can be made", nil, choices},
	{"out: the recommended choice stands out", []Ability{Primary}, primary},
	{"out: a choice with a link leads there and sends nothing", []Ability{Links}, link},
	{"out: used and old buttons do nothing, or say how old they are", nil, settled},
	{"out: whatever outbox.Degrade makes for the limits is shown in full", nil, degraded},
	{"out: what is beyond the limits is refused, not cut", nil, beyond},
	{"out: a picture is told in words", nil, toldPicture},
	{"out: a picture is shown", []Ability{Pictures}, shownPicture},
	{"out: a key is shown as picture, link and letters, and nowhere else", nil, key},
	{"out: a key is shown without its picture when there is none", nil, keyGone},
	{"out: a picture that is refused costs nobody the message", []Ability{Bare}, refusedPicture},
	{"out: a private form is shown, and nothing private is repeated", []Ability{Forms}, form},
	{"out: the choices beside a form can be made", []Ability{Forms}, besideForm},
	{"out: a form shows once what it shows once", []Ability{Reveals}, reveals},
	{"out: the address of a one-time page is shown for what it is for", []Ability{Pages}, page},
	{"out: a message that is taken back is gone for the person", []Ability{Erasing}, erased},
	{"out: a receipt leads to nothing but its message", nil, receipts},
	{"out: throttled is throttled, with the pause that was asked for", []Ability{Throttle}, throttled},
	{"out: refused is for good, for this message only", []Ability{Refuse}, refused},
	{"out: who has left is gone", []Ability{Leave}, left},
	{"out: what failed before it was sent is sent again", []Ability{Break}, broken},
	{"out: what may have been sent is uncertain", []Ability{Doubt}, doubtful},
	{"out: a repeat with the same key is shown once", []Ability{Once}, once},
	{"out: what may have been sent is found if it is there, and nothing else for it", []Ability{Finding}, found},
	{"out: sending is safe for concurrent use", nil, concurrent},
	{"out: one slow conversation holds up no other", []Ability{People, Stall}, slow},
	{"out: a send that is called off says so", nil, calledOff},
	{"out: people are found again after a restart", nil, foundAgain},
	{"out: a typing sign can be given", nil, typing},
}

func allScripts(b *bench) {
	g := b.meet(0)
	for _, s := range []string{
		"Grüße, ¿qué tal? naïve – “quoted” … 5 % ½",
		"👋 👋🏽 🔑 ✅ ☎️",
		"👩‍💻 🏳️‍🌈 1️⃣",
		"שלום, המספר הוא 123 456.",
		"مرحبا، الرمز هو ١٢٣٤٥٦",
		"日本語のテキスト 中文 한국어 ไทย हिन्दी",
		"e\u0301 n\u0303 (letters and their marks)",
		"𝒜 𐍈 𠀋",
		"a_long_word_" + strings.Repeat("abcdefghij", 30),
		"  spaces   inside   ",
	} {
		s = strings.TrimSpace(s) + " " + b.house.canary("said") + "."
		b.send(g, bot.Message{Text: s})
		m := b.shown(g, s)
		if len(m.Active) > 0 {
			b.Errorf("%q became %q", s, m.Active)
		}
		if n := times(b.sees(g, "", always), s); n != 1 {
			b.Errorf("%q is shown %d times", s, n)
		}
	}
}

// markup is what some platform takes for more than text.
var markup = []string{
	"*bold* _italic_ ~gone~ **bold** __under__ ~~gone~~ `code` ```block``` ||hidden||",
	"<!channel> <!here> <!everyone> <@U012AB3CD> <@!80351110224678912> <@&165511591545143296> <#C024BE7LR> @everyone @here @channel",
	"<at>Latchkey</at> <at id=\"0\">all</at>",
	"[click](https://evil.example/) <https://evil.example/|click> ![x](https://evil.example/x.png)",
	"<script>alert(1)</script><img src=x onerror=alert(1)><svg onload=alert(1)> <b>b</b> <a href=\"https://evil.example/\">a</a>",
	"&lt;b&gt; &amp;amp; &#60; \" ' ` \\",
	"\"><script>alert(1)</script> '><img src=x>",
	"\\*kept\\* \\n \\u0041 \\\\",
	":smile: :+1: /help /quit !here",
	"{name} ${jndi:x} {{7*7}} <%= 1 %> %s %d %!s",
	"javascript:alert(1) data:text/html,x",
}

func literal(b *bench) {
	g := b.meet(0)
	starts := []string{"# heading", "> quoted", ">>> quoted", "- item", "* item", "+ item", "1) first", "---", "===", "    indented", "| a | b |"}
	texts := slices.Concat(markup, []string{"Before.\n" + strings.Join(starts, "\n") + "\nAfter."})
	for i, s := range texts {
		s += " " + b.house.canary("literal")
		title := fmt.Sprintf("Step %d <b>&amp;*x*", i)
		b.send(g, bot.Message{Text: s, Progress: title, Prompt: uint32(i + 1), Choices: []bot.Choice{{ID: "x", Label: fmt.Sprintf("<i>&amp;*%d*_x_", i)}}})
		m := b.shown(g, s)
		if len(m.Active) > 0 {
			b.Errorf("%q became %q", s, m.Active)
		}
		if !strings.Contains(squash(m.Text), squash(title)) {
			b.Errorf("progress %q is shown as %.200q", title, m.Text)
		}
		b.sees(g, "the button with markup in its label", func(ms []Shown) bool {
			_, ok := button(ms, fmt.Sprintf("<i>&amp;*%d*_x_", i))
			return ok
		})
	}
}

func tame(b *bench) {
	g := b.meet(0)
	s := "\x1b[31mred\x1b[0m \x07bell \x00nul \x08back \r over \u009b2J \u202edrawkcab\u202c \u202dleft "
	wide := strings.Repeat("soft\u00adhyphen \u0601 zero\u200bwidth\u2060 ", 9) // wider on some screens than on others
	b.send(g, bot.Message{
		Text: s + wide + b.house.canary("tame"), Progress: "Step\u202e 1\x1b[2J", Prompt: 1,
		Choices: []bot.Choice{{ID: "x", Label: "Go\x1b[2J \u202eon"}}, Picture: &bot.Picture{Name: PictureName, Alt: "A \u202epicture\x07."},
	})
	b.sees(g, "a text with control characters", func(ms []Shown) bool { return times(ms, "drawkcab") == 1 })
	screen := b.screen(g)
	for _, bad := range []string{"\x1b", "\x07", "\x00", "\x08", "\u009b", "\u202e", "\u202d"} {
		if strings.Contains(screen, bad) {
			b.Errorf("%q gets to the person", bad)
		}
	}
	b.send(g, bot.Message{Text: "All is in its place.", Prompt: 2, Choices: []bot.Choice{{ID: "on", Label: "Go on"}}})
	b.shown(g, "All is in its place.")
	b.do("press", g.Press("Go on"))
	b.made(g, 2, 1, bot.Choice{ID: "on", Label: "Go on"})
}

func paragraphs(b *bench) {
	g := b.meet(0)
	b.send(g, bot.Message{Text: "First thing.\n\nSecond thing.\nThird thing."})
	text := b.shown(g, "First thing. Second thing. Third thing.").Text
	between := func(from, to string) string {
		_, rest, _ := strings.Cut(text, from)
		gap, _, _ := strings.Cut(rest, to)
		return gap
	}
	if strings.Count(between("First thing.", "Second"), "\n") < 2 || !strings.Contains(between("Second thing.", "Third"), "\n") {
		b.Errorf("lines and paragraphs run together: %q", text)
	}
}

func inSequence(b *bench) {
	g := b.meet(0)
	var want []string
	for i := range 30 {
		want = append(want, fmt.Sprintf("Number %d, %s.", i, b.house.canary("seq")))
		b.send(g, bot.Message{Text: want[i]})
	}
	b.inOrder(g, want)
}

// inOrder waits until a person sees texts in this order, each once.
func (b *bench) inOrder(p Person, want []string) {
	b.Helper()
	b.sees(p, "messages in their order", func(ms []Shown) bool {
		var all strings.Builder
		for _, m := range ms {
			all.WriteString(squash(m.Text))
		}
		rest := all.String()
		for _, s := range want {
			_, after, ok := strings.Cut(rest, squash(s))
			if !ok || times(ms, s) != 1 {
				return false
			}
			rest = after
		}
		return true
	})
}

func progress(b *bench) {
	g := b.meet(0)
	b.send(g, bot.Message{Text: "Now the phone.", Progress: "Step 2 of 4", Ref: "P3"})
	m := b.shown(g, "Now the phone.")
	head, _, _ := strings.Cut(squash(m.Text), "Nowthephone.")
	if !strings.Contains(head, squash("Step 2 of 4")) {
		b.Errorf("no progress before the text: %q", m.Text)
	}
}

func language(b *bench) {
	g := b.meet(0)
	for _, c := range []struct{ lang, text string }{{"es", "¿Qué desea hacer?"}, {"en", "What would you like to do?"}} {
		b.send(g, bot.Message{Text: c.text, Lang: c.lang})
		if m := b.shown(g, c.text); m.Lang != c.lang {
			b.Errorf("a text in %q is marked %q", c.lang, m.Lang)
		}
	}
}

// made waits for a choice to be made: pressed where buttons are pressed, else
// typed as a number or by its label.
func (b *bench) made(g *guest, prompt uint32, number int, c bot.Choice) {
	b.Helper()
	ev := b.took("the choice "+c.ID, func(ev *bot.Event) bool {
		return ev.Kind == bot.Press && ev.Choice == c.ID && ev.Prompt == prompt ||
			!b.can(Presses) && ev.Kind == bot.Text && (ev.Text == strconv.Itoa(number) || ev.Text == c.Label)
	})
	b.wellFormed(g, &ev)
}

func choices(b *bench) {
	g := b.meet(0)
	cs := []bot.Choice{{ID: "start", Label: "Start", Primary: true}, {ID: "later", Label: "Más tarde"}, {ID: "help", Label: "I need \"help\" & more <now>"}}
	for i, c := range cs {
		prompt := uint32(40 + i)
		b.send(g, bot.Message{Text: fmt.Sprintf("Question %d?", i), Prompt: prompt, Choices: cs})
		b.sees(g, "all buttons", func(ms []Shown) bool {
			for _, c := range cs {
				if _, ok := button(ms, c.Label); !ok {
					return false
				}
			}
			return times(ms, fmt.Sprintf("Question %d?", i)) == 1
		})
		b.count()
		b.do("press "+c.Label, g.Press(c.Label))
		b.made(g, prompt, i+1, c)
	}
}

func primary(b *bench) {
	g := b.meet(0)
	b.send(g, bot.Message{Text: "Which?", Prompt: 1, Choices: []bot.Choice{{ID: "a", Label: "Apple"}, {ID: "b", Label: "Pear", Primary: true}}})
	ms := b.sees(g, "both buttons", func(ms []Shown) bool {
		_, a := button(ms, "Apple")
		_, b := button(ms, "Pear")
		return a && b
	})
	if p, _ := button(ms, "Pear"); !p.Primary {
		b.Error("the recommended choice does not stand out")
	}
	if a, _ := button(ms, "Apple"); a.Primary {
		b.Error("another choice than the recommended one stands out")
	}
}

func link(b *bench) {
	g := b.meet(0)
	const to = "https://help.example.org/app?os=ios&x=1"
	b.send(g, bot.Message{Text: "Get the app.", Prompt: 1, Choices: []bot.Choice{{ID: "store", Label: "App store", Link: to}, {ID: "on", Label: "I have it"}}})
	b.shown(g, "Get the app.")
	_ = g.Press("App store") // where one must; elsewhere there is nothing to press
	b.sees(g, "the link", func(ms []Shown) bool {
		for _, m := range ms {
			if slices.ContainsFunc(m.Links, func(l Link) bool { return l.To == to && strings.Contains(squash(l.Label), "Appstore") }) {
				return true
			}
		}
		return false
	})
	if all := b.since(g); slices.ContainsFunc(all, func(ev bot.Event) bool { return ev.Kind == bot.Press }) {
		b.Errorf("following a link sends %s", describe(&all[0]))
	}
}

func settled(b *bench) {
	g := b.meet(0)
	for i, label := range []string{"First way", "Second way"} {
		b.send(g, bot.Message{Text: label + "?", Prompt: uint32(50 + i), Choices: []bot.Choice{{ID: fmt.Sprint("way", i), Label: label}}})
		b.shown(g, label+"?")
	}
	b.count()
	if err := g.Press("First way"); err == nil {
		// It could be pressed: then the event says which prompt it is from.
		ev := b.took("the press of an old button", func(ev *bot.Event) bool { return ev.Kind == bot.Press || ev.Kind == bot.Text })
		if ev.Kind != bot.Press || ev.Prompt != 50 || ev.Choice != "way0" {
			b.Errorf("a button of prompt 50, pressed at prompt 51, gave %s", describe(&ev))
		}
	}
	b.count()
	b.do("press", g.Press("Second way"))
	b.made(g, 51, 1, bot.Choice{ID: "way1", Label: "Second way"})
	b.send(g, bot.Message{Text: "Settled."})
	b.shown(g, "Settled.")
	b.count()
	if err := g.Press("Second way"); err == nil {
		ev := b.took("the second press of a button", func(ev *bot.Event) bool { return ev.Kind == bot.Press || ev.Kind == bot.Text })
		if ev.Kind != bot.Press || ev.Prompt != 51 {
			b.Errorf("a button that was used gave %s", describe(&ev))
		}
	}
}

// big is more than most platforms show at once.
func (b *bench) big(paragraphs, buttons, label int) bot.Message {
	m := bot.Message{Progress: "Step 3 of 7", Ref: "Q1", Prompt: 60, Lang: "en"}
	var t strings.Builder
	for i := range paragraphs {
		fmt.Fprintf(&t, "Paragraph %d %s. It says a little more than it must, so that it fills a line or two.\n\n", i, b.house.canary("long"))
	}
	m.Text = strings.TrimSpace(t.String())
	for i := range buttons {
		l := fmt.Sprintf("Choice %d %s", i+1, strings.Repeat("label ", label))
		m.Choices = append(m.Choices, bot.Choice{ID: fmt.Sprint("c", i+1), Label: strings.TrimSpace(l)})
	}
	return m
}

func degraded(b *bench) {
	g := b.meet(0)
	l := b.a.Limits()
	whole := b.big(max(40, 3*l.Text/100), max(12, l.Choices+5), 12)
	whole.Picture = &bot.Picture{Name: PictureName, Alt: "What a phone shows."}
	parts := outbox.Degrade(whole, l)
	b.Logf("limits %+v: %d runes and %d choices in %d messages", l, utf8.RuneCountInString(whole.Text), len(whole.Choices), len(parts))
	seq := b.house.say(g.conv, parts[0])
	var texts []string
	for i, m := range parts {
		if i > 0 {
			seq = b.house.say(g.conv, m)
		}
		b.deliver(bot.Delivery{Key: outbox.Key(g.conv, seq, 0), Conversation: g.conv, Seq: seq, User: g.ID(), Address: g.address, Message: m, Attempt: 1})
		texts = append(texts, m.Text)
	}
	b.inOrder(g, texts)
	last := parts[len(parts)-1]
	for i, c := range last.Choices {
		b.sees(g, "the button "+c.Label, func(ms []Shown) bool { _, ok := button(ms, c.Label); return ok })
		if i == len(last.Choices)-1 {
			b.count()
			b.do("press the last button", g.Press(c.Label))
			b.made(g, 60, i+1, c)
		}
	}
	// Exactly at the limits, with a heading.
	if l.Text > 0 {
		m := bot.Message{Text: strings.Repeat("w", l.Text-len("Step 1 of 2")-2), Progress: "Step 1 of 2"}
		b.send(g, m)
		b.shown(g, m.Text)
	}
}

func beyond(b *bench) {
	g := b.meet(0)
	l := b.a.Limits()
	for _, c := range []struct {
		what  string
		limit int
		m     bot.Message
	}{
		{"text", l.Text, bot.Message{Text: strings.Repeat("w", l.Text) + "!"}},
		{"choices", l.Choices, b.big(1, max(0, l.Choices)+1, 1)},
		{"label", l.Label, bot.Message{Text: "A long label.", Prompt: 2, Choices: []bot.Choice{{ID: "x", Label: strings.Repeat("L", l.Label+1)}}}},
	} {
		if c.limit == 0 {
			b.Logf("no limit: %s", c.what)
			continue
		}
		_, err := b.attempt(context.Background(), b.delivery(g, c.m))
		switch {
		case err != nil && err.Kind != bot.SendPermanent:
			b.Errorf("%s beyond the limit of %d: %v; want it refused for good", c.what, c.limit, err)
		case err != nil:
			if n := times(b.sees(g, "", always), c.m.Text); n > 0 {
				b.Errorf("%s beyond the limit: refused, and shown", c.what)
			}
		default: // it can show more than it says: all of it, then
			b.shown(g, c.m.Text)
			for _, x := range c.m.Choices {
				b.sees(g, "the whole label", func(ms []Shown) bool { _, ok := button(ms, x.Label); return ok })
			}
		}
	}
	b.send(g, bot.Message{Text: "All is well."})
	b.shown(g, "All is well.")
}

// inWords collects what stands for the pictures of a message.
func inWords(m Shown) string {
	s := m.Text
	for _, p := range m.Pictures {
		s += "\n" + p.Alt
	}
	return squash(s)
}

func toldPicture(b *bench) {
	g := b.meet(0)
	const alt = "The settings page of a phone; \"Security\" is the third entry & marked."
	for i, name := range []string{PictureName, "there-is-no-such-picture"} {
		text := fmt.Sprintf("Look here, %d.", i)
		b.send(g, bot.Message{Text: text, Picture: &bot.Picture{Name: name, Alt: alt}})
		b.sees(g, "the picture in words", func(ms []Shown) bool {
			return slices.ContainsFunc(ms, func(m Shown) bool { return times([]Shown{m}, text) == 1 && strings.Contains(inWords(m), squash(alt)) })
		})
	}
}

func shownPicture(b *bench) {
	g := b.meet(0)
	b.send(g, bot.Message{Text: "Look here.", Picture: &bot.Picture{Name: PictureName, Alt: "A black square."}})
	m := b.shown(g, "Look here.")
	if len(m.Pictures) != 1 || m.Pictures[0].Alt != "A black square." {
		b.Fatalf("pictures: %+v", m.Pictures)
	}
	if raw, err := m.Pictures[0].Fetch(); err != nil || len(raw) < 20 {
		b.Errorf("a picture of %d bytes: %v", len(raw), err)
	}
}

// pageFor reports whether the adapter leaves a message to a one-time page.
func (b *bench) pageFor(m bot.Message) bool {
	p, ok := b.a.(bot.Pager)
	return ok && p.WantsPage(&m)
}

// scan is a message with a key to scan.
func (b *bench) scan() (bot.Message, *bot.Revealed) {
	r, s := b.house.secret(b)
	return bot.Message{
		Text: "Scan this with your app. " + b.house.canary("scan"), Prompt: 70, Fleeting: true, Reveal: &r,
		Picture: &bot.Picture{Alt: "QR code for adding the account; the key in text follows."},
		Choices: []bot.Choice{{ID: "done", Label: "I have scanned it"}},
	}, s
}

// keyOf is the key inside the address, without spaces.
func keyOf(s *bot.Revealed) string { return squash(string(s.Key)) }

func key(b *bench) {
	g := b.meet(0)
	m, secret := b.scan()
	d := b.delivery(g, m)
	if d.Page != "" { // see the clause on pages
		b.deliver(d)
		b.shown(g, m.Text)
		if strings.Contains(squash(b.screen(g)), keyOf(secret)) {
			b.Error("the key stands in the chat, and the adapter wanted a page for it")
		}
		return
	}
	b.deliver(d)
	var got Shown
	b.sees(g, "a picture to scan", func(ms []Shown) bool {
		i := slices.IndexFunc(ms, func(s Shown) bool { return times([]Shown{s}, m.Text) == 1 && len(s.Pictures) > 0 })
		if i >= 0 {
			got = ms[i]
		}
		return i >= 0
	})
	for _, p := range got.Pictures {
		if strings.Contains(squash(p.Alt+p.Name), keyOf(secret)) || strings.Contains(p.Alt+p.Name, "otpauth") {
			b.Errorf("the key stands beside the picture: alt %q, name %q", p.Alt, p.Name)
		}
	}
	raw, err := got.Pictures[0].Fetch()
	b.do("fetch the picture", err)
	file := filepath.Join(b.TempDir(), "seen.png")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		b.Fatal(err)
	}
	if uri := rigs.ReadQR(b, file); uri != string(secret.URI) {
		b.Error("the picture reads as another address than the one to show")
	}
	if !strings.Contains(squash(got.Text), keyOf(secret)) {
		b.Errorf("no key to type")
	}
	if !slices.ContainsFunc(got.Links, func(l Link) bool { return l.To == string(secret.URI) }) && !strings.Contains(squash(got.Text), squash(string(secret.URI))) {
		b.Errorf("no link for an app on the same phone")
	}
	if !strings.Contains(inWords(got), squash(m.Picture.Alt)) {
		b.Errorf("the picture is not told in words: %q", inWords(got))
	}
	b.count()
	b.do("press", g.Press("I have scanned it"))
	b.made(g, 70, 1, m.Choices[0])
}

func refusedPicture(b *bench) {
	g := b.meet(0)
	mend := need[Faulty](b).Fault(g.Person, Bare)
	m, secret := b.scan()
	b.send(g, m)
	got := b.shown(g, m.Text)
	if len(got.Pictures) > 0 {
		b.Error("a picture that was refused is shown")
	}
	if text := squash(got.Text + fmt.Sprint(got.Links)); !strings.Contains(text, squash(string(secret.Key))) || !strings.Contains(text, squash(string(secret.URI))) {
		b.Errorf("without its picture the message has neither the key nor the link: %.300q", got.Text)
	}
	mend()
	m, _ = b.scan()
	b.send(g, m)
	if got = b.shown(g, m.Text); len(got.Pictures) == 0 {
		b.Error("the next picture is not shown")
	}
}

func keyGone(b *bench) {
	g := b.meet(0)
	m, _ := b.scan()
	// The outbox has found that there is nothing to reveal any more.
	m.Reveal, m.Picture = nil, nil
	b.send(g, m)
	if s := b.shown(g, m.Text); len(s.Pictures) > 0 {
		b.Error("a picture of nothing")
	}
	b.sees(g, "the button", func(ms []Shown) bool { _, ok := button(ms, "I have scanned it"); return ok })
}

func form(b *bench) {
	g := b.meet(0)
	m := signIn(80)
	if b.pageFor(m) {
		b.Fatal("the adapter wants a page for forms: it lacks Forms")
	}
	b.send(g, m)
	b.shown(g, m.Text)
	f := b.field(g, "User name")
	if !f.OneByOne && (len(f.Fields) != 2 || f.Fields[0].Masked || !f.Fields[1].Masked || !strings.Contains(squash(f.Fields[1].Label), squash("Your password"))) {
		b.Errorf("the form is shown as %+v", f)
	}
	if !strings.Contains(squash(f.Title), squash("Sign in")) {
		b.Errorf("the form's title is %q", f.Title)
	}
	password := b.house.canary("password")
	b.fill(g, m.Form, "ada", password)
	b.took("the form", func(ev *bot.Event) bool { return ev.Kind == bot.Submit })
	b.send(g, bot.Message{Text: "Thank you."})
	b.shown(g, "Thank you.")
	if strings.Contains(b.screen(g), password) {
		b.Error("the password stands on the screen")
	}
	b.restart()
	b.do("arrive", g.Arrive())
	if strings.Contains(b.screen(g), password) {
		b.Error("the password stands on the screen after a restart")
	}
	for _, ev := range b.calls(0) {
		if strings.Contains(ev.Text+ev.Choice+ev.ID+string(ev.Address), password) {
			b.Errorf("the password stands outside the form: %s", describe(&ev))
		}
	}
}

func besideForm(b *bench) {
	g := b.meet(0)
	m := signIn(81)
	m.Choices = []bot.Choice{{ID: "forgot", Label: "I forgot it"}, {ID: "human", Label: "Talk to a person"}}
	b.send(g, m)
	b.shown(g, m.Text)
	b.field(g, "User name")
	b.do("press", g.Press("Talk to a person"))
	b.made(g, 81, 2, m.Choices[1])
	if all := b.calls(0); slices.ContainsFunc(all, func(ev bot.Event) bool { return ev.Kind == bot.Submit }) {
		b.Error("the form was sent")
	}
}

func reveals(b *bench) {
	g := b.meet(0)
	codes := b.house.shows("recovery", 3)
	m := bot.Message{Text: "Your recovery codes.", Prompt: 82, Form: &bot.Form{
		Name: "recovery", Title: "Recovery codes", Button: "Show the codes", Reveals: true,
		Fields: []bot.Field{{Name: "saved", Label: "Type saved when you have written them down"}},
	}}
	b.send(g, m)
	b.shown(g, m.Text)
	if found := leaks(b.screen(g), secrets(codes)); len(found) > 0 {
		b.Error("the codes stand there before anybody asked")
	}
	b.do("open", g.Open())
	b.field(g, "Type saved")
	for limit := time.Now().Add(b.patience); len(leaks(b.screen(g), secrets(codes))) < len(codes); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(limit) {
			b.Fatal("the codes are not shown")
		}
	}
	b.do("fill", g.Fill("saved"))
	ev := b.took("the answer", func(ev *bot.Event) bool { return ev.Kind == bot.Submit })
	b.wellFormed(g, &ev)
	if ev.Form.Name != "recovery" || ev.Prompt != 82 || string(ev.Form.Value("saved")) != "saved" {
		b.Errorf("the answer came as %s", describe(&ev))
	}
	b.send(g, bot.Message{Text: "Very good."})
	b.shown(g, "Very good.")
	if b.can(Erasing) && len(leaks(b.screen(g), secrets(codes))) > 0 {
		b.Error("the codes still stand there")
	}
}

func secrets(ss []bot.Secret) (out []string) {
	for _, s := range ss {
		out = append(out, string(s))
	}
	return out
}

func page(b *bench) {
	g := b.meet(0)
	pager, ok := b.a.(bot.Pager)
	if !ok {
		b.Fatal("the adapter is no bot.Pager: it lacks Pages")
	}
	scan, _ := b.scan()
	n := 0
	for _, m := range []bot.Message{signIn(90), {Text: "Sign in at your organisation.", Prompt: 91, Form: &bot.Form{Name: "sign_in_page", Title: "Sign in", Button: "Open the sign-in page", SignIn: true}}, scan} {
		if !pager.WantsPage(&m) {
			continue
		}
		n++
		d := b.delivery(g, m)
		b.deliver(d)
		b.sees(g, "the link to the page", func(ms []Shown) bool {
			for _, s := range ms {
				if times([]Shown{s}, m.Text) == 1 && slices.ContainsFunc(s.Links, func(l Link) bool { return l.To == string(d.Page) }) {
					return true
				}
			}
			return false
		})
		if s := b.shown(g, m.Text); s.Form != nil && len(s.Form.Fields) > 0 || len(s.Pictures) > 0 && m.Reveal != nil {
			b.Errorf("beside the page, the form or the picture stands in the chat: %+v", s.Form)
		}
		// No page could be made: the message is shown, without a dead link.
		d = b.delivery(g, bot.Message{Text: "Without a page: " + m.Text, Prompt: m.Prompt, Form: m.Form})
		d.Page = ""
		b.deliver(d)
		for _, l := range b.shown(g, d.Message.Text).Links {
			if !strings.HasPrefix(l.To, "http") {
				b.Errorf("a link to %q", l.To)
			}
		}
	}
	if n == 0 {
		b.Error("the adapter wants a page for nothing: it lacks Pages")
	}
	if p := (bot.Message{Text: "Just text."}); pager.WantsPage(&p) {
		b.Error("the adapter wants a page for plain text")
	}
}

func erased(b *bench) {
	g := b.meet(0)
	del, ok := b.a.(bot.Deleter)
	if !ok {
		b.Fatal("the adapter is no bot.Deleter: it lacks Erasing")
	}
	m, secret := b.scan()
	d := b.delivery(g, m)
	receipt := b.deliver(d)
	s := b.shown(g, m.Text)
	b.send(g, bot.Message{Text: "What came after."})
	b.shown(g, "What came after.")
	gone := bot.Delivery{Key: d.Key, Conversation: d.Conversation, Seq: d.Seq, User: d.User, Address: d.Address, Message: bot.Message{Fleeting: true}}
	for i := range 2 { // the second time is no error
		if err := del.Delete(context.Background(), gone, receipt.ID); err != nil {
			b.Fatalf("Delete, time %d: %v", i+1, err)
		}
		b.house.mark(d.Conversation, d.Seq, bot.OutboxRetracted, receipt.ID)
	}
	away := func() bool {
		screen := squash(b.screen(g))
		if strings.Contains(screen, keyOf(secret)) {
			return false
		}
		for _, p := range s.Pictures {
			if raw, err := p.Fetch(); err == nil && len(raw) > 0 {
				return false
			}
		}
		return true
	}
	for limit := time.Now().Add(b.patience); !away(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			b.Fatal("the key, its link or its picture is still there")
		}
	}
	b.shown(g, "What came after.")
	b.restart()
	b.do("arrive", g.Arrive())
	if !away() {
		b.Error("the key is there again after a restart")
	}
}

func receipts(b *bench) {
	g := b.meet(0)
	del, ok := b.a.(bot.Deleter)
	if !ok {
		b.Log("no bot.Deleter")
		return
	}
	b.send(g, bot.Message{Text: "I stay."})
	b.shown(g, "I stay.")
	for _, r := range []string{"", "0", "-1", "9999999999999999999", "../../etc/passwd", "x\x00y", "m 1\n2", strings.Repeat("9", 5000), "{}", "' OR 1=1"} {
		if err := del.Delete(context.Background(), bot.Delivery{Key: "k", Conversation: g.conv, User: g.ID(), Address: g.address, Message: bot.Message{Fleeting: true}}, r); err != nil {
			if _, ok := err.(*bot.SendError); !ok {
				b.Errorf("Delete of %.40q fails with %T, want *bot.SendError", r, err)
			}
		}
	}
	b.send(g, bot.Message{Text: "I came after."})
	b.shown(g, "I came after.")
	b.shown(g, "I stay.")
}

// faulty tries a send while the platform fails, and another one after it.
func faulty(b *bench, what Ability, want bot.SendErrorKind, again bool) (d bot.Delivery, g *guest, err *bot.SendError) {
	b.Helper()
	g = b.meet(0)
	b.send(g, bot.Message{Text: "Before."})
	b.shown(g, "Before.")
	mend := need[Faulty](b).Fault(g.Person, what)
	d = b.delivery(g, bot.Message{Text: "Meanwhile, " + b.house.canary("fault") + ".", Prompt: 3, Choices: []bot.Choice{{ID: "on", Label: "On"}}})
	ctx, cancel := context.WithTimeout(context.Background(), b.patience)
	defer cancel()
	_, err = b.attempt(ctx, d)
	mend()
	if err == nil {
		b.Fatalf("the platform failed (%s), and Send did not", what)
	}
	if err.Kind != want {
		b.Errorf("the platform failed (%s); Send: %v; want the kind of %v", what, err, &bot.SendError{Kind: want, Err: err.Err})
	}
	if what != Doubt {
		if n := times(b.sees(g, "", always), d.Message.Text); n > 0 {
			b.Errorf("the message was shown, although: %v", err)
		}
	}
	if again {
		d.Attempt = 2
		b.deliver(d)
		b.shown(g, d.Message.Text)
		if n := times(b.sees(g, "", always), d.Message.Text); what != Doubt && n != 1 {
			b.Errorf("shown %d times after the second attempt", n)
		}
	}
	b.send(g, bot.Message{Text: "After."})
	b.inOrder(g, []string{"Before.", "After."})
	return d, g, err
}

func throttled(b *bench) {
	_, _, err := faulty(b, Throttle, bot.SendThrottled, true)
	if err.After < Pause || err.After > Pause+time.Second {
		b.Errorf("asked to wait %s, passed on as %s", Pause, err.After)
	}
}

func refused(b *bench) { faulty(b, Refuse, bot.SendPermanent, false) }
func left(b *bench)    { faulty(b, Leave, bot.SendGone, false) }
func broken(b *bench)  { faulty(b, Break, bot.SendRetry, true) }
func doubtful(b *bench) {
	d, g, _ := faulty(b, Doubt, bot.SendUncertain, true)
	n := times(b.sees(g, "", always), d.Message.Text)
	if most := map[bool]int{true: 1, false: 2}[b.can(Once)]; n < 1 || n > most {
		b.Errorf("shown %d times, at most %d", n, most)
	}
}

func once(b *bench) {
	g := b.meet(0)
	d := b.delivery(g, bot.Message{Text: "Only once, " + b.house.canary("once") + "."})
	first := b.deliver(d)
	d.Attempt = 2
	second := b.deliver(d)
	b.send(g, bot.Message{Text: "Then this."})
	b.inOrder(g, []string{d.Message.Text, "Then this."})
	if first.ID != second.ID {
		b.Errorf("one message has two receipts: %q, %q", first.ID, second.ID)
	}
}

func found(b *bench) {
	finder, ok := b.a.(bot.Finder)
	if !ok {
		b.Fatalf("%T is no bot.Finder", b.a)
	}
	g := b.meet(0)
	find := func(d bot.Delivery) (bot.Receipt, error) {
		ctx, cancel := context.WithTimeout(context.Background(), b.patience)
		defer cancel()
		return finder.Find(ctx, d)
	}
	nowhere := func(what string, d bot.Delivery) {
		if r, err := find(d); !errors.Is(err, bot.ErrNotFound) {
			b.Errorf("%s: Find gives %q, %v; want bot.ErrNotFound", what, r.ID, err)
		}
	}
	m := bot.Message{Text: "The same words, " + b.house.canary("found") + ".", Prompt: 3, Choices: []bot.Choice{{ID: "on", Label: "On"}}}
	twin, d, never := b.delivery(g, m), b.delivery(g, m), b.delivery(g, m)
	other := b.deliver(twin)
	nowhere("never sent", d)

	mend := need[Faulty](b).Fault(g.Person, Break)
	_, err := b.attempt(context.Background(), d)
	mend()
	if err == nil {
		b.Fatal("the platform failed, and Send did not")
	}
	nowhere("failed before it was sent", d)

	mend = need[Faulty](b).Fault(g.Person, Doubt)
	_, err = b.attempt(context.Background(), d)
	mend()
	if err == nil || err.Kind != bot.SendUncertain {
		b.Fatalf("the answer was lost: %v", err)
	}
	b.sees(g, "both", func(all []Shown) bool { return times(all, m.Text) == 2 })
	there, wrong := find(d)
	if wrong != nil || there.ID == "" || there.ID == other.ID {
		b.Fatalf("shown, and found as %q (%v), beside %q", there.ID, wrong, other.ID)
	}
	if again, wrong := find(twin); wrong != nil || again.ID != other.ID {
		b.Errorf("sent as %q, and found as %q (%v)", other.ID, again.ID, wrong)
	}
	b.restart()
	finder = b.a.(bot.Finder)
	if again, wrong := find(d); wrong != nil || again.ID != there.ID {
		b.Errorf("after a restart found as %q (%v), want %q", again.ID, wrong, there.ID)
	}
	nowhere("never sent, after a restart", never)
	if n := times(b.sees(g, "", always), m.Text); n != 2 {
		b.Errorf("looking for it has shown it: %d stand there", n)
	}
}

func concurrent(b *bench) {
	people := 1
	if b.can(People) {
		people = 4
	}
	const each = 10
	var gs []*guest
	for n := range people {
		gs = append(gs, b.meet(n))
	}
	var work sync.WaitGroup
	want := make([][]string, people)
	for i, g := range gs {
		for k := range each {
			want[i] = append(want[i], fmt.Sprintf("Number %d for %d, %s.", k, i, b.house.canary("both")))
		}
		var ds []bot.Delivery
		for _, s := range want[i] {
			ds = append(ds, b.delivery(g, bot.Message{Text: s}))
		}
		work.Go(func() { // the outbox sends one after the other to one person, and to many at once
			for _, d := range ds {
				if r, err := b.attempt(context.Background(), d); err != nil {
					b.Errorf("Send: %v", err)
				} else if r.ID == "" {
					b.Log("no receipt")
				}
			}
		})
	}
	work.Wait()
	for i, g := range gs {
		b.inOrder(g, want[i])
		for k := range gs {
			if k != i && times(b.sees(g, "", always), want[k][0]) > 0 {
				b.Error("one sees what was said to another")
			}
		}
	}
}

func slow(b *bench) {
	ada, bob := b.meet(0), b.meet(1)
	begun, release := need[Staller](b).Stall(ada.Person)
	release = sync.OnceFunc(release)
	defer release()
	d := b.delivery(ada, bot.Message{Text: "This takes long."})
	done := make(chan *bot.SendError, 1)
	go func() {
		_, err := b.attempt(context.Background(), d)
		done <- err
	}()
	select {
	case <-begun:
	case <-time.After(b.patience):
		b.Fatal("the slow send never reached the platform")
	}
	quick := b.delivery(bob, bot.Message{Text: "This does not."})
	go func() { _, _ = b.a.Send(context.Background(), quick) }() // shown, or not, below
	b.shown(bob, "This does not.")
	release()
	if err := <-done; err != nil && err.Kind != bot.SendUncertain && err.Kind != bot.SendRetry {
		b.Errorf("the slow one: %v", err)
	} else if err == nil {
		b.shown(ada, "This takes long.")
	}
}

func calledOff(b *bench) {
	g := b.meet(0)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	d := b.delivery(g, bot.Message{Text: "Called off."})
	switch _, err := b.attempt(ctx, d); {
	case err == nil:
		b.shown(g, "Called off.") // then it was sent
	case err.Kind != bot.SendRetry && err.Kind != bot.SendUncertain:
		b.Errorf("Send: %v; want one that is tried again", err)
	default:
		d.Attempt = 2
		b.deliver(d)
		b.shown(g, "Called off.")
	}
}

func foundAgain(b *bench) {
	g := b.meet(0)
	b.send(g, bot.Message{Text: "Before the restart."})
	b.shown(g, "Before the restart.")
	b.restart()
	b.send(g, bot.Message{Text: "After the restart."})
	b.shown(g, "After the restart.")
}

func typing(b *bench) {
	g := b.meet(0)
	ty, ok := b.a.(bot.Typer)
	if !ok {
		b.Log("no bot.Typer")
		return
	}
	if err := ty.Typing(context.Background(), g.address); err != nil {
		b.Errorf("Typing: %v", err)
	}
	b.send(g, bot.Message{Text: "Here it is."})
	b.shown(g, "Here it is.")
}
