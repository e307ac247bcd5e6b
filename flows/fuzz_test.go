package flows_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"latchkey/bot"
	"latchkey/flows"
	"latchkey/flows/library"
)

// source gives choices: from a seed in the property test, from the input in
// the fuzz target.
type source interface{ pick(n int) int }

type seeded struct{ *rand.Rand }

func (s seeded) pick(n int) int { return s.IntN(n) }

type input struct{ b []byte }

func (s *input) pick(n int) int {
	if len(s.b) == 0 {
		return 0
	}
	v := int(s.b[0])
	s.b = s.b[1:]
	if n > 256 && len(s.b) > 0 {
		v = v<<8 | int(s.b[0])
		s.b = s.b[1:]
	}
	return v % n
}

// variants are script sets that a session may meet one after the other: the
// shipped one, one with another phone flow, one with hardly anything.
var variants = sync.OnceValues(func() ([]*flows.Set, error) {
	own := fstest.MapFS{
		"phone.yaml": {Data: []byte(`
flow: phone
title: A phone
summary: A number that gets a code.
based_on: x
triggers: [phone, add phone, my number]
start: number
steps:
  number:
    ask: Which number?
    answer: {kind: phone, check: phone.accept, format: "A number, please."}
    outcomes: {ok: send, landline: send, bad: retry, short: retry, extension: retry, country: retry, premium: retry, tollfree: retry, shared: retry, same: retry, work: retry, prove_first: failed, refused: failed}
    choices:
      - {id: other, label: No phone, goto: other}
  send:
    check: code.send
    outcomes: {sent: code, wait: number, limit: number, busy: number, landline: number, gone: number, prove_first: failed, refused: failed}
  code:
    ask: The code?
    answer: {kind: digits6, check: code.check, format: "Six digits, please."}
    outcomes: {ok: ok, wrong: retry, expired: number, used: retry, void: number, paused: number, prove_first: failed, refused: failed}
    signals: {undelivered: number}
  ok: {end: ok}
  other: {end: other}
  failed: {end: failed}
`)},
		"lang/es.yaml": {Data: []byte(`
language: {code: es, name: Español}
flows:
  phone:
    summary: Un número que recibe un código.
    steps:
      number: {ask: "¿Qué número?", format: "Un número, por favor.", choices: {other: Sin teléfono}}
      code: {ask: "¿El código?", format: "Seis cifras, por favor."}
`)},
	}
	small := fstest.MapFS{}
	for _, name := range []string{"lang/en.yaml"} {
		data, err := library.FS.ReadFile(name)
		if err != nil {
			return nil, err
		}
		small[name] = &fstest.MapFile{Data: data}
	}
	small["home.yaml"] = &fstest.MapFile{Data: []byte(`
flow: home
title: Hello
summary: Says hello.
start: ask
steps:
  ask:
    ask: What now?
    choices: [{id: go, label: Go on, goto: ask}, {id: done, label: Done, goto: ok}]
  ok: {end: ok}
`)}
	cancel, err := library.FS.ReadFile("system/cancel.yaml")
	if err != nil {
		return nil, err
	}
	small["system/cancel.yaml"] = &fstest.MapFile{Data: cancel}
	var sets []*flows.Set
	for _, load := range []func() (*flows.Set, error){
		func() (*flows.Set, error) { return flows.Load(library.FS, nil, catalogue()) },
		func() (*flows.Set, error) { return flows.Load(library.FS, own, catalogue()) },
		func() (*flows.Set, error) { return flows.Load(small, nil, bot.Catalogue{}) },
	} {
		set, err := load()
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	return sets, nil
})

// walk drives one conversation with whatever the source chooses.
type walk struct {
	t    testing.TB
	src  source
	sets []*flows.Set
	set  *flows.Set
	s    bot.Session
	out  bot.Output
	msg  bot.Message // the last that was said
	log  []string
	ids  []string // every choice, option and entry there is
}

func newWalk(t testing.TB, src source) *walk {
	sets, err := variants()
	if err != nil {
		t.Fatal(err)
	}
	w := &walk{t: t, src: src, sets: sets, set: sets[0]}
	for _, f := range sets[0].Flows() {
		for _, s := range f.Order {
			for _, c := range s.Choices {
				w.ids = append(w.ids, c.ID)
			}
		}
	}
	return w
}

func (w *walk) fail(format string, args ...any) {
	w.t.Helper()
	tail := w.log
	if len(tail) > 25 {
		tail = tail[len(tail)-25:]
	}
	w.t.Fatalf("%s\nsession %s\nlast events:\n%s", fmt.Sprintf(format, args...), mustJSON(w.s), strings.Join(tail, "\n"))
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

var typed = []string{
	"hi", "hola", "HELLO!", "help", "ayuda", "?", "why", "back", "atrás", "skip", "later", "repeat", "resend", "cancel", "start over", "status",
	"language", "human", "menu", "español", "English", "authenticator", "my methods", "trouble", "phone", "questions", "enroll", "recovery",
	"1", "2", "3", "9", "0", "999999999999", "123456", "123 456", "code: 654321.", "(201) 555-0123", "+49 30 1234567", "a@b.example", "jdoe", "yes", "no", "done",
	"7F3K-9QXD", "ABCD EFGH", "continue", "is this safe?", "how long does it take", "", " ", "\u200b\u200b", "....", "¿?", "{name}", "{", "}{", "/help", "/stop", "/", "//", "<script>", "日本語", "١٢٣٤٥٦", "\xff\xfe", "😀😀", "ok\x00ok",
	strings.Repeat("long ", 600),
}

func (w *walk) event(n int) bot.Event {
	ev := bot.Event{ID: fmt.Sprint(n), At: time.Unix(int64(n), 0), Locale: []string{"", "en", "es-MX", "xx", "-"}[w.src.pick(5)]}
	switch k := w.src.pick(20); {
	case k < 8:
		ev.Kind = bot.Text
		switch c := w.src.pick(4); {
		case c == 0 && len(w.msg.Choices) > 0:
			ev.Text = w.msg.Choices[w.src.pick(len(w.msg.Choices))].Label
		case c == 1 && len(w.msg.Choices) > 0:
			ev.Text = fmt.Sprint(1 + w.src.pick(len(w.msg.Choices)+1))
		default:
			ev.Text = typed[w.src.pick(len(typed))]
		}
	case k < 14:
		ev.Kind = bot.Press
		ev.Prompt = w.s.Prompt
		switch w.src.pick(6) {
		case 0:
			ev.Prompt = uint32(w.src.pick(40))
		case 1:
			ev.Prompt = 0
		}
		switch c := w.src.pick(8); {
		case c < 6 && len(w.msg.Choices) > 0:
			ev.Choice = w.msg.Choices[w.src.pick(len(w.msg.Choices))].ID
		case c == 6:
			ev.Choice = []string{"", "/", "/nothing", "/help", "/back", "m1", "first_flight", "es"}[w.src.pick(8)]
		default:
			ev.Choice = w.ids[w.src.pick(len(w.ids))]
		}
	case k < 16:
		ev.Kind = bot.Submit
		ev.Prompt = w.s.Prompt
		if w.src.pick(8) > 0 {
			ev.Form = &bot.FormReply{Name: []string{"sign_in", "answers", "answer_again", "recovery", "recovery_code", "sign_in_page", ""}[w.src.pick(7)]}
			if w.msg.Form != nil && w.src.pick(4) > 0 {
				ev.Form.Name = w.msg.Form.Name
			}
			if w.src.pick(4) > 0 {
				ev.Form.Values = []bot.FormValue{{Name: "password", Value: "canary-secret"}}
			}
		}
	case k < 18:
		ev.Kind = bot.Notice
		if w.src.pick(8) > 0 {
			ev.Signal = &bot.Signal{Name: []string{"undelivered", "lapsed", "landline", "delivered", "nonsense", ""}[w.src.pick(6)],
				Ref: []string{"", "c1", "c2", "m1", "zz"}[w.src.pick(5)]}
			if w.src.pick(3) == 0 {
				ev.Signal.Facts = bot.Facts("masked", "•••• 1")
			}
		}
	case k == 18:
		ev.Kind = bot.Open
	default:
		ev.Kind = []bot.EventKind{bot.Text, bot.Press, bot.Submit, 99}[w.src.pick(4)]
		ev.TooLong = w.src.pick(2) == 0
		ev.TooFast = w.src.pick(2) == 0
	}
	return ev
}

// outcome is one that the check declares, or one that it never should give.
func (w *walk) outcome(check string) bot.Outcome {
	spec := catalogueOnce().Checks[check]
	names := slices.Sorted(maps.Keys(spec.Outcomes))
	oc := bot.Outcome{}
	if len(names) == 0 || w.src.pick(20) == 0 {
		oc.Name = []string{"error", "", "unknown!"}[w.src.pick(3)]
	} else {
		oc.Name = names[w.src.pick(len(names))]
	}
	for _, f := range spec.Outcomes[oc.Name] {
		oc.Facts = append(oc.Facts, bot.Fact{Name: f, Value: []string{f, "c1", "m1", "c2", "clash", ""}[w.src.pick(6)]})
	}
	if spec.Options || w.src.pick(30) == 0 {
		oc.Options = []bot.Option{}
		for i := range w.src.pick(5) {
			oc.Options = append(oc.Options, bot.Option{ID: []string{"m1", "phone", "authenticator", "questions", "x"}[i], Label: "Option " + fmt.Sprint(i)})
		}
	}
	if w.src.pick(12) == 0 {
		oc.Error = "code_wrong"
	}
	if check == "totp.begin" {
		oc.Reveal = &bot.Reveal{Kind: bot.RevealTOTP, Method: "m1"}
	}
	return oc
}

var catalogueOnce = sync.OnceValue(catalogue)

// damage makes the session one that no script of ours would leave behind.
func (w *walk) damage() {
	junk := []string{"", "home", "phone", "cancel", "code", "send", "welcome", "who", "nope", "\xff", "{x}", "ok", "menu", "trouble"}
	any := func() string { return junk[w.src.pick(len(junk))] }
	w.log = append(w.log, "damage")
	switch w.src.pick(8) {
	case 0:
		w.s.Stack = nil
		for range w.src.pick(30) {
			w.s.Stack = append(w.s.Stack, bot.Frame{Flow: any(), Step: any()})
		}
	case 1:
		w.s.Lang = any()
	case 2:
		w.s.Prompt = 1<<32 - 1
	case 3:
		w.s.Misses = 255
	case 4:
		var s bot.Session
		raw := `{"s":[{"f":"phone","s":"code","t":["via","zz",""],"o":[{"i":""}],"d":[{"n":"","v":""}]},{"f":"help","s":"trouble"},{"f":"trouble","s":"ok"}],"l":"es","p":7}`
		if err := json.Unmarshal([]byte(raw), &s); err != nil {
			w.t.Fatal(err)
		}
		w.s = s
	default:
		for i := range w.s.Stack {
			f := &w.s.Stack[i]
			switch w.src.pick(6) {
			case 0:
				f.Step = any()
			case 1:
				f.Flow = any()
			case 2:
				f.Trail = []string{any(), any(), f.Step}
			case 3:
				f.Slots = bot.Facts(any(), any(), "method", "m9", "", "")
			case 4: // the hash is right but the step is one that never rests
				if fl := w.set.Flow(f.Flow); fl != nil {
					f.Hash = fl.Hash
					f.Step = fl.Order[w.src.pick(len(fl.Order))].ID
				}
			}
		}
	}
}

// store is what happens between two turns.
func (w *walk) store() {
	b, err := json.Marshal(&w.s)
	if err != nil {
		w.fail("the session cannot be stored: %v", err)
	}
	w.s = bot.Session{}
	if err := json.Unmarshal(b, &w.s); err != nil {
		w.fail("the session cannot be read: %v", err)
	}
}

func cloneSession(s bot.Session) bot.Session {
	var c bot.Session
	if err := json.Unmarshal([]byte(mustJSON(s)), &c); err != nil {
		panic(err)
	}
	return c
}

// turn plays one event and holds what must hold.
func (w *walk) turn(ev bot.Event) {
	w.store()
	w.log = append(w.log, fmt.Sprintf("event kind %d text %q choice %q prompt %d form %v signal %v", ev.Kind, ev.Text, ev.Choice, ev.Prompt, ev.Form != nil, ev.Signal))
	before := cloneSession(w.s)
	was := cloneSession(w.s)
	var given []bot.Outcome
	asked := ev.Kind != bot.Submit || ev.Form == nil || w.set.Asks(&w.s, ev.Form.Name)
	w.set.Turn(&w.s, &ev, &w.out)
	if !asked && w.checks(ev.Form.Name, w.out.Check) {
		w.fail("form %s is checked, and Asks said that nothing waits for it", ev.Form.Name)
	}
	for w.out.Check != "" {
		oc := bot.Outcome{Name: "error"}
		if len(given) < 40 {
			oc = w.outcome(w.out.Check)
		}
		given = append(given, oc)
		w.log = append(w.log, "  "+w.out.Check+" -> "+mustJSON(oc))
		w.set.Resume(&w.s, &ev, oc, &w.out)
		if len(given) > 200 {
			w.fail("the turn never ends: it asks one check after the other")
		}
	}
	w.holds(was, &ev)
	// The same again gives the same.
	var out bot.Output
	w.set.Turn(&before, &ev, &out)
	for _, oc := range given {
		if out.Check == "" {
			w.fail("the second time the turn asked fewer checks")
		}
		w.set.Resume(&before, &ev, oc, &out)
	}
	out.Scratch, w.out.Scratch = nil, nil
	if !reflect.DeepEqual(out, w.out) {
		w.fail("the same event gave another output:\n%s\n%s", mustJSON(out), mustJSON(w.out))
	}
	if a, b := mustJSON(before), mustJSON(w.s); a != b {
		w.fail("the same event gave another session:\n%s\n%s", a, b)
	}
}

// checks reports whether a check is what a form's answers go to.
func (w *walk) checks(form, check string) bool {
	for _, f := range w.set.Flows() {
		for _, st := range f.Order {
			if st.Kind == flows.Form && st.FormID == form && st.Check == check {
				return check != ""
			}
		}
	}
	return false
}

func (w *walk) holds(was bot.Session, ev *bot.Event) {
	m := &w.out.Message
	if !harmless(w.set, &was, ev, m.Heard) {
		w.fail("kept for a transcript: %q", m.Heard)
	}
	if w.out.Silent {
		if ev.Kind != bot.Notice && w.s.Owner == bot.OwnerBot {
			w.fail("silent to a person")
		}
		return
	}
	if strings.TrimSpace(m.Text) == "" {
		w.fail("nothing was said")
	}
	if !utf8.ValidString(m.Text) {
		w.fail("what was said is not text: %q", m.Text)
	}
	if strings.Contains(mustJSON(m), "canary-secret") || strings.Contains(mustJSON(w.s), "canary-secret") {
		w.fail("a form's value got into the message or the session")
	}
	if size := len(mustJSON(w.s)); size > 2048 {
		w.fail("the session has %d bytes", size)
	}
	if m.Prompt != 0 && m.Prompt != w.s.Prompt {
		w.fail("the message belongs to prompt %d, the session to %d", m.Prompt, w.s.Prompt)
	}
	if f := w.s.Top(); f != nil && !w.s.Parked {
		st := w.set.Flow(f.Flow).Steps[f.Step]
		if st == nil || st.Kind != flows.Ask && st.Kind != flows.Form {
			w.fail("the conversation rests at %s.%s, which does not wait", f.Flow, f.Step)
		}
		if len(m.Choices) == 0 && m.Form == nil && st.Answer.Kind == flows.NoAnswer {
			w.fail("nothing can be answered at %s.%s", f.Flow, f.Step)
		}
		seen := map[string]bool{}
		for _, c := range m.Choices {
			if c.Label == "" && !strings.HasPrefix(c.ID, "x") && w.set == w.sets[0] {
				w.fail("choice %q has no label at %s.%s", c.ID, f.Flow, f.Step)
			}
			if seen[c.ID] && st.Slot == "" {
				w.fail("choice %q twice at %s.%s", c.ID, f.Flow, f.Step)
			}
			seen[c.ID] = true
		}
	}
	w.msg = *m
}

// leaves: from wherever it is, the conversation can be ended.
func (w *walk) leaves() {
	keep, set, msg, log := cloneSession(w.s), w.set, w.msg, w.log
	say := func(ev bot.Event) {
		w.store()
		w.log = append(w.log, "leaving: "+ev.Text+ev.Choice)
		w.set.Turn(&w.s, &ev, &w.out)
		for n := 0; w.out.Check != ""; n++ {
			oc := bot.Outcome{Name: "ok"}
			if spec := catalogueOnce().Checks[w.out.Check]; n > 20 || spec.Outcomes["ok"] == nil {
				oc.Name = "error"
				for name := range spec.Outcomes {
					if n < 20 && (oc.Name == "error" || name < oc.Name) {
						oc.Name = name
					}
				}
			}
			w.set.Resume(&w.s, &ev, oc, &w.out)
			if n > 200 {
				w.fail("the turn never ends")
			}
		}
	}
	for range 6 {
		if len(w.s.Stack) == 0 {
			break
		}
		if f := w.s.Top(); f.Flow == "cancel" {
			say(bot.Event{Kind: bot.Press, Choice: "stop", Prompt: w.s.Prompt})
			continue
		}
		say(bot.Event{Kind: bot.Text, Text: "cancel"})
	}
	if len(w.s.Stack) > 0 {
		w.fail("the conversation cannot be ended")
	}
	w.s, w.set, w.msg, w.log = keep, set, msg, log
}

func (w *walk) run(events int) {
	for i := range events {
		switch w.src.pick(40) {
		case 0:
			w.set = w.sets[w.src.pick(len(w.sets))]
			w.log = append(w.log, "the scripts change")
		case 1:
			w.damage()
		case 2:
			w.leaves()
		}
		w.turn(w.event(i + 1))
	}
	w.leaves()
}

// Whatever people and platforms do, in whatever order: no panic, always an
// answer, always a way on and a way out, a small session, and the same again
// for the same again. LATCHKEY_SEED repeats one run.
func TestAnythingInAnyOrder(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("LATCHKEY_SEED"); s != "" {
		if _, err := fmt.Sscan(s, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("LATCHKEY_SEED=%d", seed)
	runs, events := 150, 120
	if testing.Short() {
		runs = 30
	}
	for i := range runs {
		src := seeded{rand.New(rand.NewPCG(seed, uint64(i)))}
		newWalk(t, src).run(events)
	}
}

func FuzzTurns(f *testing.F) {
	for i := range 8 {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		b := make([]byte, 600)
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		src := &input{data}
		w := newWalk(t, src)
		for i := 0; len(src.b) > 0 && i < 300; i++ {
			switch src.pick(40) {
			case 0:
				w.set = w.sets[src.pick(len(w.sets))]
			case 1:
				w.damage()
			}
			w.turn(w.event(i + 1))
		}
		w.leaves()
	})
}
