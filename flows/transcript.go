package flows

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"sort"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/typed"
)

// Transcripts are the stories of the shipped scripts, testdata/*.txt. A
// transcript is a conversation as plain text, one thing a line:
//
//	# comment
//	new                         a new conversation (a file begins with one)
//	fact name=value             a fact that is always there, from here on
//	lang es                     what the platform says about the person's language
//	= check outcome a=1 +id=Label !code reveal=m1
//	                            what the next such check answers; facts that it
//	                            declares and that are left out get sample values
//	> text                      the person types
//	>[id]                       presses a choice of the last prompt
//	>[id@3]                     presses a choice of prompt 3
//	>{form field=value}         sends a private form; without fields it is closed
//	open                        opens the conversation without a word
//	begin flow a=1              the program begins a flow, after a talk with the desk
//	! undelivered c1 a=1        a signal, with what it is about ("." = the step's own)
//	< line                      what the bot says, line by line, {fact} filled in;
//	                            with … at its end a beginning is enough, and as the
//	                            last line it stands for all the rest
//	< -                         the bot says nothing
//	? id id                     the choices of the message, in order
//	* check input               the turn asked this check, with this input
//	@ flow.step                 where the conversation stands; @ - when nothing runs
//	$ slot=value                a slot of the running flows
//
// Values with blanks stand in double quotes. Between two turns the session
// goes through JSON.
//
//go:embed testdata/*.txt
var Transcripts embed.FS

// Coverage says which steps were entered, by "flow.step".
type Coverage map[string]bool

// Add joins another coverage.
func (c Coverage) Add(o Coverage) {
	for k := range o {
		c[k] = true
	}
}

// Missing lists the steps of a set that were not entered, in order.
func (c Coverage) Missing(set *Set) []string {
	var out []string
	for _, f := range set.Flows() {
		for _, s := range f.Order {
			if k := f.Name + "." + s.ID; !c[k] {
				out = append(out, k)
			}
		}
	}
	return out
}

// RunTranscript plays one transcript and returns the steps that it entered. A
// failure names file and line. With update, the returned text is the
// transcript with its "<" lines as the bot speaks now, and differences in what
// it says are no failure.
func RunTranscript(set *Set, name, text string, update bool) (covered Coverage, updated string, err error) {
	covered = Coverage{}
	own := *set
	own.trace = func(s *Step) { covered[s.flow.Name+"."+s.ID] = true }
	p := &player{set: &own, file: name, update: update}
	p.fresh()
	err = p.play(text)
	return covered, strings.Join(p.written, "\n"), err
}

// player plays a transcript.
type player struct {
	set    *Set
	file   string
	line   int
	update bool
	replay string // play it in this language; what is said is not compared

	s       bot.Session
	out     bot.Output
	locale  string
	turns   int
	spoke   bool
	offered []bot.Choice // of the last message
	queue   []answer
	asked   []string // "check input" of the last turn
	expect  []string // the "<" lines since the last turn
	at      int      // line of the first of them
	written []string
}

// answer is an outcome to give.
type answer struct {
	line  int
	check string
	oc    bot.Outcome
}

func (p *player) fresh() {
	p.s, p.out, p.spoke = bot.Session{}, bot.Output{}, false
	p.locale = p.set.langs[0].code
	if p.replay != "" {
		p.locale = p.replay
		p.s.Lang, p.s.Chosen = p.replay, true
	}
}

func (p *player) fail(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", p.file, p.line, fmt.Sprintf(format, args...))
}

func (p *player) play(text string) error {
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, " \t\r")
		p.line = i + 1
		if said, ok := strings.CutPrefix(line, "<"); ok {
			if len(p.expect) == 0 {
				p.at = p.line
			}
			p.expect = append(p.expect, strings.TrimSpace(said))
			continue
		}
		here := p.line
		if err := p.said(); err != nil {
			return err
		}
		p.line = here
		p.written = append(p.written, line)
		if err := p.do(line); err != nil {
			return err
		}
	}
	if err := p.said(); err != nil {
		return err
	}
	return p.spent()
}

func (p *player) do(line string) error {
	switch {
	case line == "" || line[0] == '#':
		return nil
	case line == "new":
		if err := p.spent(); err != nil {
			return err
		}
		p.fresh()
		return nil
	case line == "open":
		return p.turn(bot.Event{Kind: bot.Open})
	case strings.HasPrefix(line, "begin "):
		flow, rest, _ := strings.Cut(strings.TrimSpace(line[6:]), " ")
		facts, err := p.facts(rest)
		if err != nil {
			return err
		}
		b := &bot.Begin{Flow: flow, Back: true}
		for _, f := range facts {
			b.Facts = append(b.Facts, bot.Fact{Name: f.name, Value: f.value})
		}
		if err := p.set.Begins(&p.s, b); err != nil {
			return p.fail("%v", err)
		}
		return p.turn(bot.Event{Kind: bot.Start, Begin: b})
	case strings.HasPrefix(line, "fact "):
		facts, err := p.facts(line[5:])
		p.set.Catalogue.Facts = maps.Clone(p.set.Catalogue.Facts)
		for _, f := range facts {
			if _, ok := p.set.Catalogue.Facts[f.name]; !ok && len(p.set.Catalogue.Checks) > 0 {
				return p.fail("%s is not a fact that is always there%s", f.name, hint(f.name, sortedKeys(p.set.Catalogue.Facts)))
			}
			p.set.Catalogue.Facts[f.name] = f.value
		}
		return err
	case strings.HasPrefix(line, "lang "):
		p.locale = strings.TrimSpace(line[5:])
		if p.s.Lang != "" {
			p.s.Lang = p.locale
		}
		return nil
	}
	rest := strings.TrimSpace(line[1:])
	switch line[0] {
	case '=':
		return p.answer(rest)
	case '!':
		return p.signal(rest)
	case '>':
		switch {
		case strings.HasPrefix(rest, "[") && strings.HasSuffix(rest, "]"):
			return p.press(rest[1 : len(rest)-1])
		case strings.HasPrefix(rest, "{") && strings.HasSuffix(rest, "}"):
			return p.submit(rest[1 : len(rest)-1])
		}
		if id := p.meant(rest); id != "" {
			return p.turn(bot.Event{Kind: bot.Press, Choice: id, Prompt: p.s.Prompt})
		}
		return p.turn(bot.Event{Kind: bot.Text, Text: rest})
	case '?':
		var ids []string
		for _, c := range p.offered {
			ids = append(ids, c.ID)
		}
		if have := strings.Join(ids, " "); have != strings.Join(strings.Fields(rest), " ") {
			return p.fail("the choices are %q", have)
		}
	case '*':
		for _, a := range p.asked {
			if name, _, _ := strings.Cut(a, " "); a == rest || name == rest {
				return nil
			}
		}
		return p.fail("the turn asked %q, not check %q", p.asked, rest)
	case '@':
		here := "-"
		if f := p.s.Top(); f != nil {
			here = f.Flow + "." + f.Step
		}
		if here != rest {
			return p.fail("the conversation stands at %s", here)
		}
	case '$':
		facts, err := p.facts(rest)
		if err != nil {
			return err
		}
		for _, f := range facts {
			if v := p.s.Slot(f.name); v != f.value {
				return p.fail("slot %s is %q", f.name, v)
			}
		}
	default:
		return p.fail("%q is none of the lines of a transcript; see flows.Transcripts", line)
	}
	return nil
}

// meant finds, in a replay, the choice that typed words of the base language
// stand for.
func (p *player) meant(text string) string {
	f := p.s.Top()
	if p.replay == "" || f == nil || p.set.flows[f.Flow] == nil {
		return ""
	}
	st := p.set.flows[f.Flow].Steps[f.Step]
	if st == nil || !st.Kind.waits() {
		return ""
	}
	folded := typed.Fold(text)
	if i, ok := st.looks[0].byWord[folded]; ok {
		return st.looks[0].choices[i].ID
	}
	if list := p.set.lists[st.List]; list != nil {
		for _, e := range list.Entries {
			if typed.Fold(e.Text.Source(0)) == folded {
				return e.ID
			}
		}
	}
	return ""
}

// spent fails when an outcome was not asked for.
func (p *player) spent() error {
	if len(p.queue) > 0 {
		p.line = p.queue[0].line
		return p.fail("check %s was not asked", p.queue[0].check)
	}
	return nil
}

// turn plays one event.
func (p *player) turn(ev bot.Event) error {
	if p.set.langs == nil {
		return p.fail("the set has no language")
	}
	p.turns++
	ev.ID, ev.Locale = strconv.Itoa(p.turns), p.locale
	ev.At = time.Unix(1_800_000_000, 0).Add(time.Duration(p.turns) * time.Second)
	state, err := json.Marshal(&p.s)
	if err != nil {
		return p.fail("the session cannot be stored: %v", err)
	}
	p.s = bot.Session{}
	if err := json.Unmarshal(state, &p.s); err != nil {
		return p.fail("the session cannot be read: %v", err)
	}
	p.asked = p.asked[:0]
	p.set.Turn(&p.s, &ev, &p.out)
	for p.out.Check != "" {
		check := p.out.Check
		p.asked = append(p.asked, strings.TrimSpace(check+" "+p.out.Input))
		if len(p.queue) == 0 {
			return p.fail("check %s was asked (input %q), but no outcome is written: = %s OUTCOME", check, p.out.Input, check)
		}
		a := p.queue[0]
		if a.check != check {
			return p.fail("check %s was asked, but the next outcome written is of %s", check, a.check)
		}
		p.queue = p.queue[1:]
		p.set.Resume(&p.s, &ev, a.oc, &p.out)
	}
	p.spoke = true
	if !p.out.Silent {
		p.offered = append(p.offered[:0], p.out.Message.Choices...)
	}
	if !p.out.Silent && p.out.Message.Text == "" {
		return p.fail("the bot says nothing")
	}
	return p.spent()
}

// said compares what was said with what is written.
func (p *player) said() error {
	want := p.expect
	p.expect = nil
	if len(want) == 0 {
		return nil
	}
	p.line = p.at
	if !p.spoke {
		return p.fail("nobody has said anything yet")
	}
	var have []string
	if p.out.Silent {
		have = []string{"-"}
	} else {
		for _, l := range strings.Split(p.out.Message.Text, "\n") {
			if l = strings.TrimSpace(l); l != "" {
				have = append(have, l)
			}
		}
	}
	if p.replay != "" {
		return nil
	}
	problem := p.compare(want, have)
	if !p.update {
		for _, l := range want {
			p.written = append(p.written, "< "+l)
		}
		return problem
	}
	if problem == nil {
		have = want
	}
	for _, l := range have {
		p.written = append(p.written, "< "+l)
	}
	return nil
}

func (p *player) compare(want, have []string) error {
	i := 0
	for n, w := range want {
		p.line = p.at + n
		w = p.set.fillConst(w)
		begin, open := strings.CutSuffix(w, "…")
		last := n == len(want)-1
		if i >= len(have) {
			if open && begin == "" {
				return nil
			}
			return p.fail("the bot says no more, but this is written: %s", w)
		}
		if have[i] != w && !(open && strings.HasPrefix(have[i], strings.TrimRight(begin, " "))) {
			return p.fail("the bot says\n\t%s", strings.Join(have[i:], "\n\t"))
		}
		i++
		if last && open {
			return nil
		}
	}
	if i < len(have) {
		return p.fail("the bot also says\n\t%s", strings.Join(have[i:], "\n\t"))
	}
	return nil
}

func (p *player) press(what string) error {
	id, prompt := what, p.s.Prompt
	if at, n, ok := strings.Cut(what, "@"); ok {
		v, err := strconv.ParseUint(n, 10, 32)
		if err != nil {
			return p.fail("%q is not the number of a prompt", n)
		}
		id, prompt = at, uint32(v)
	} else {
		offered := false
		for _, c := range p.offered {
			offered = offered || c.ID == id
		}
		if !offered {
			return p.fail("choice %s was not offered", id)
		}
	}
	return p.turn(bot.Event{Kind: bot.Press, Choice: id, Prompt: prompt})
}

func (p *player) submit(what string) error {
	name, rest, _ := strings.Cut(strings.TrimSpace(what), " ")
	facts, err := p.facts(rest)
	if err != nil {
		return err
	}
	reply := &bot.FormReply{Name: name}
	for _, f := range facts {
		reply.Values = append(reply.Values, bot.FormValue{Name: f.name, Value: bot.Secret(f.value)})
	}
	return p.turn(bot.Event{Kind: bot.Submit, Prompt: p.s.Prompt, Form: reply})
}

func (p *player) signal(what string) error {
	name, rest, _ := strings.Cut(what, " ")
	ref, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
	if ref == "." {
		if ref = p.s.Slot("ref"); ref == "" {
			ref = p.s.Slot("method")
		}
	}
	facts, err := p.facts(rest)
	if err != nil {
		return err
	}
	sig := &bot.Signal{Name: name, Ref: ref}
	for _, f := range facts {
		sig.Facts = append(sig.Facts, bot.Fact{Name: f.name, Value: f.value})
	}
	return p.turn(bot.Event{Kind: bot.Notice, Signal: sig})
}

// samples are the values of facts that a transcript leaves out.
var samples = map[string]string{
	"masked": "•••• 23", "left": "3", "wait": "2 minutes", "minutes": "10", "ref": "c1", "method": "m1", "name": "Ada",
	"list": "- Authenticator app (added 3 May)", "receipt": "LK-7Q2F", "account": "ada", "issuer": "Latchkey", "when": "tomorrow",
	"request": "R-12", "count": "10", "username": "ada", "domain": "example.com", "country": "France", "via": "sms",
	"problem": "clash", "bad": "first_flight",
}

// answer queues an outcome.
func (p *player) answer(what string) error {
	check, rest, _ := strings.Cut(what, " ")
	name, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
	a := answer{line: p.line, check: check, oc: bot.Outcome{Name: name}}
	facts, err := p.facts(rest)
	if err != nil {
		return err
	}
	given := map[string]bool{}
	for _, f := range facts {
		switch {
		case strings.HasPrefix(f.name, "+"):
			a.oc.Options = append(a.oc.Options, bot.Option{ID: f.name[1:], Label: f.value})
		case strings.HasPrefix(f.name, "!"):
			a.oc.Error = f.name[1:]
		case f.name == "reveal":
			a.oc.Reveal = &bot.Reveal{Kind: bot.RevealTOTP, Method: bot.MethodID(f.value)}
		default:
			given[f.name] = true
			a.oc.Facts = append(a.oc.Facts, bot.Fact{Name: f.name, Value: f.value})
		}
	}
	if spec, ok := p.set.Catalogue.Checks[check]; ok {
		declared, ok := spec.Answers()[name]
		if !ok && name != bot.OutcomeFrozen { // every check has that one
			return p.fail("check %s never gives outcome %q%s", check, name, hint(name, sortedKeys(spec.Answers())))
		}
		for _, d := range declared {
			if !given[d] {
				v, ok := samples[d]
				if !ok {
					v = d
				}
				a.oc.Facts = append(a.oc.Facts, bot.Fact{Name: d, Value: v})
			}
		}
	} else if len(p.set.Catalogue.Checks) > 0 {
		return p.fail("there is no check %q%s", check, hint(check, sortedKeys(p.set.Catalogue.Checks)))
	}
	p.queue = append(p.queue, a)
	return nil
}

// pair is name=value of a transcript.
type pair struct{ name, value string }

// facts reads name=value pairs.
func (p *player) facts(s string) ([]pair, error) {
	var out []pair
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		i := strings.IndexAny(s, "= ")
		if i < 0 || s[i] == ' ' { // a name alone
			if i < 0 {
				i = len(s)
			}
			out = append(out, pair{name: s[:i]})
			s = s[i:]
			continue
		}
		name := s[:i]
		s = s[i+1:]
		if !strings.HasPrefix(s, `"`) {
			value, rest, _ := strings.Cut(s, " ")
			out = append(out, pair{name, value})
			s = rest
			continue
		}
		q, err := strconv.QuotedPrefix(s)
		if err != nil {
			return nil, p.fail("a value in quotes does not end: %s", s)
		}
		value, err := strconv.Unquote(q)
		if err != nil {
			return nil, p.fail("%s: %v", q, err)
		}
		out = append(out, pair{name, value})
		s = s[len(q):]
	}
	return out, nil
}

// ErrTranscripts is returned when a transcript fails.
var ErrTranscripts = errors.New("transcripts failed")

// TestReport plays every *.txt of a folder and writes what failed and how many
// steps of each flow were entered. It fails with ErrTranscripts when one
// fails; steps that no transcript enters are listed but are no failure.
func TestReport(w io.Writer, set *Set, fsys fs.FS) error {
	_, err := report(w, set, fsys)
	return err
}

func report(w io.Writer, set *Set, fsys fs.FS) (Coverage, error) {
	var names []string
	err := fs.WalkDir(fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".txt") {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read transcripts: %w", err)
	}
	sort.Strings(names)
	covered := Coverage{}
	failed := 0
	for _, name := range names {
		text, err := readFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("read transcript: %w", err)
		}
		c, _, err := RunTranscript(set, name, string(text), false)
		covered.Add(c)
		if err != nil {
			failed++
			fmt.Fprintf(w, "FAIL  %v\n", err)
			continue
		}
		fmt.Fprintf(w, "ok    %s\n", name)
	}
	if len(names) == 0 {
		fmt.Fprintln(w, "no transcripts (*.txt) here")
	}
	fmt.Fprintf(w, "\n%-16s %s\n", "flow", "steps entered")
	all, hit := 0, 0
	for _, f := range set.Flows() {
		n := 0
		var missing []string
		for _, s := range f.Order {
			if covered[f.Name+"."+s.ID] {
				n++
			} else {
				missing = append(missing, s.ID)
			}
		}
		all, hit = all+len(f.Order), hit+n
		fmt.Fprintf(w, "%-16s %3d of %3d", f.Name, n, len(f.Order))
		if len(missing) > 0 {
			fmt.Fprintf(w, "   missing: %s", strings.Join(missing, ", "))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%-16s %3d of %3d (%d %%)\n", "all", hit, all, hit*100/max(all, 1))
	if failed > 0 {
		return covered, fmt.Errorf("%w: %d of %d", ErrTranscripts, failed, len(names))
	}
	return covered, nil
}
