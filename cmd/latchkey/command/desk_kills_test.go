package command

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/desk"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/programtest"
	"latchkey/store/storetest"
)

// People talk with agents while the real processes that serve them are killed at
// random: no line is lost, comes twice but for the one in flight, comes in another
// order, or is shown to somebody else. LATCHKEY_TALKS says how many talks there are,
// 100 when it is not set.
func TestTalksUnderKills(t *testing.T) {
	talks := 100
	if s := os.Getenv("LATCHKEY_TALKS"); s != "" {
		var err error
		if talks, err = strconv.Atoi(s); err != nil {
			t.Fatalf("LATCHKEY_TALKS: %v", err)
		}
	} else if testing.Short() {
		t.Skip("half a minute; run without -short")
	}
	bin := withFailpoints(t)
	t.Run("postgres", func(t *testing.T) { talksUnderKills(t, bin, pgAddress(storetest.Postgres(t)), 2, talks) })
	t.Run("sqlite", func(t *testing.T) { talksUnderKills(t, bin, "", 1, talks) })
}

// linesEach is how many lines each side of a talk writes.
const linesEach = 4

// A crowd are people and agents before processes that are killed.
type crowd struct {
	*testing.T
	bin, cfg string
	env      []string
	slots    []*slot
	kills    atomic.Int64

	mu    sync.Mutex
	acks  map[string]chan string // by the id of what was sent: its error, or empty
	heard map[string]*hearing    // by conversation
}

// A slot is one process after the other.
type slot struct {
	mu  sync.Mutex
	cmd *exec.Cmd
	in  io.WriteCloser
	out sync.WaitGroup
	err programtest.Buffer
}

// A hearing is what was said in a conversation.
type hearing struct {
	said []saying
	more chan struct{} // something came
}

// A saying is one message.
type saying struct {
	at            int64 // when it was sent
	by, key, text string
}

// String says what a mistake is about.
func (s saying) String() string {
	return fmt.Sprintf("%s %s by %s: %.60q", time.Unix(0, s.at).Format("05.0000"), s.key, s.by, s.text)
}

func talksUnderKills(t *testing.T, bin, dsn string, processes, talks int) {
	w := &crowd{T: t, bin: bin, env: os.Environ(), acks: map[string]chan string{}, heard: map[string]*hearing{}}
	more := "desk: {enabled: true, silence: 4h}\n"
	if dsn != "" {
		more += "store: {postgres_env: TALKS_DSN}\n"
		w.env = append(w.env, "TALKS_DSN="+dsn)
	}
	w.cfg = install(t, more)
	cfg, err := config.Load(w.cfg, w.env)
	if err != nil {
		t.Fatal(err)
	}
	open := func() *program.Program {
		t.Helper()
		p, err := program.New(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if code, _, errs := command(t, w.env, "people", "import", writeFile(t, "id,username,email,name\nmaria,maria,maria@example.org,Maria Agent\nomar,omar,omar@example.org,Omar Agent\n"), "--config", w.cfg); code != exitOK {
		t.Fatal(errs)
	}
	p := open()
	for _, who := range []bot.PersonID{"maria", "omar"} {
		if err := p.DB.Update(t.Context(), func(tx bot.Tx) error { return desk.Grant(tx, who, bot.RoleAgent, "operator:root", "test") }); err != nil {
			t.Fatal(err)
		}
	}
	p.Close()

	for range processes {
		s := &slot{}
		w.slots = append(w.slots, s)
		w.start(s)
	}
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		w.killAtRandom(done)
	}()
	tickets := make([]string, talks)
	var all sync.WaitGroup
	room := make(chan struct{}, 32) // who talk at the same time
	began := time.Now()
	for i := range talks {
		all.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			if !t.Failed() { // one is enough
				tickets[i] = w.talk(i)
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	close(done)
	<-over
	for _, s := range w.slots {
		s.mu.Lock()
		s.in.Close() // everybody left
		s.mu.Unlock()
		s.out.Wait()
		if err := s.cmd.Wait(); err != nil {
			t.Errorf("a process that nobody killed ends with %v\n%s", err, s.err.String())
		}
	}
	if t.Failed() {
		return
	}
	p = open()
	defer p.Close()
	repeats := 0
	for i, ticket := range tickets {
		repeats += w.check(p, i, ticket)
	}
	t.Logf("%d talks of %d lines each way in %v, %d kills of %d processes, %d messages twice", talks, linesEach, took.Round(time.Second), w.kills.Load(), processes, repeats)
	if w.kills.Load() < 3 {
		t.Errorf("only %d kills", w.kills.Load())
	}
}

// start starts a slot's next process. s.mu is not held.
func (w *crowd) start(s *slot) {
	cmd := exec.Command(w.bin, "sweep-peer", "--config", w.cfg)
	cmd.Env, cmd.Stderr = w.env, &s.err
	in, err := cmd.StdinPipe()
	var out io.ReadCloser
	if err == nil {
		out, err = cmd.StdoutPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		w.Error(err)
		return
	}
	s.mu.Lock()
	s.cmd, s.in = cmd, in
	s.mu.Unlock()
	by := fmt.Sprint("process ", cmd.Process.Pid)
	s.out.Go(func() {
		sc := bufio.NewScanner(out)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			var l struct {
				Ack, Error, Key, Conv, Text string
				At                          int64
			}
			if json.Unmarshal(sc.Bytes(), &l) == nil { // else it was killed while it wrote
				w.note(l.Ack, l.Error, l.Conv, saying{l.At, by, l.Key, l.Text})
			}
		}
	})
}

// killAtRandom kills processes until it is told to stop. The last ones live.
func (w *crowd) killAtRandom(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-time.After(time.Duration(300+rand.IntN(600)) * time.Millisecond):
		}
		s := w.slots[rand.IntN(len(w.slots))]
		if testing.Verbose() {
			fmt.Printf("%s kills process %d\n", time.Now().Format("05.0000"), s.cmd.Process.Pid)
		}
		s.cmd.Process.Kill()
		s.out.Wait() // what it has said is noted before anybody says it again
		s.cmd.Wait()
		w.kills.Add(1)
		w.start(s)
	}
}

func (w *crowd) hear(conv string) *hearing {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.heard[conv]
	if h == nil {
		h = &hearing{more: make(chan struct{}, 1)}
		w.heard[conv] = h
	}
	return h
}

// note notes a line of a process.
func (w *crowd) note(ack, refused, conv string, said saying) {
	h := w.hear(conv)
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.acks[ack]; c != nil {
		select {
		case c <- refused:
		default:
		}
	}
	if said.key == "" {
		return
	}
	h.said = append(h.said, said)
	select {
	case h.more <- struct{}{}:
	default:
	}
}

// once is what was said, in the order in which it was sent, without the message that
// was in flight when a process died and came again.
func (w *crowd) once(conv string) (texts []string, repeats int) {
	w.Helper()
	said := w.hear(conv).said
	slices.SortStableFunc(said, func(a, b saying) int { return cmp.Compare(a.at, b.at) })
	had := map[string]bool{}
	for i, x := range said {
		switch {
		case !had[x.key]:
			texts = append(texts, x.text)
		case said[i-1].key != x.key || said[i-1].text != x.text:
			w.Errorf("%s hears once more what was not the last, or is another now: %v", conv, said)
		default:
			repeats++
		}
		had[x.key] = true
	}
	return texts, repeats
}

// does sends something, with one id, until a process has acknowledged it.
func (w *crowd) does(line map[string]any) error {
	id := programtest.NewID()
	line["id"] = id
	time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond) // people and agents think
	b, err := json.Marshal(line)
	if err != nil {
		return err
	}
	c := make(chan string, 1)
	w.mu.Lock()
	w.acks[id] = c
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		delete(w.acks, id)
		w.mu.Unlock()
	}()
	last := ""
	for end := time.Now().Add(bottest.Patience); time.Now().Before(end); {
		s := w.slots[rand.IntN(len(w.slots))]
		s.mu.Lock()
		s.in.Write(append(b, '\n')) // one that is dead does not answer
		s.mu.Unlock()
		select {
		case last = <-c:
			if last == "" {
				return nil
			}
			time.Sleep(50 * time.Millisecond)
		case <-time.After(2 * time.Second):
		}
	}
	return fmt.Errorf("%s: never taken; last: %q", b, last)
}

// hears waits until a conversation has heard a text, and gives that message.
func (w *crowd) hears(conv string, text *regexp.Regexp) (string, error) {
	h := w.hear(conv)
	end := time.After(2 * bottest.Patience)
	for {
		w.mu.Lock()
		i := slices.IndexFunc(h.said, func(x saying) bool { return text.MatchString(x.text) })
		heard := slices.Clone(h.said)
		w.mu.Unlock()
		if i >= 0 {
			return heard[i].text, nil
		}
		select {
		case <-h.more:
		case <-end:
			return "", fmt.Errorf("%s never heard %q: %+v", conv, text, heard)
		}
	}
}

var ticketNumber = regexp.MustCompile(`request (?:is )?([0-9A-Z]{3}-[0-9A-Z]{3})`)

// talk is one person who is helped by one agent, and gives the number of the ticket.
func (w *crowd) talk(i int) (ticket string) {
	conv, agent := fmt.Sprint("m", i), []bot.PersonID{"maria", "omar"}[i%2]
	err := func() error {
		if err := w.does(map[string]any{"conv": conv, "text": "human"}); err != nil {
			return err
		}
		if _, err := w.hears(conv, regexp.MustCompile("Who are you")); err != nil {
			return err
		}
		if err := w.does(map[string]any{"conv": conv, "text": "Ann Lee " + conv}); err != nil {
			return err
		}
		said, err := w.hears(conv, ticketNumber)
		if err != nil {
			return err
		}
		ticket = ticketNumber.FindStringSubmatch(said)[1]
		act := func(do, text string) error {
			return w.does(map[string]any{"agent": bot.AgentAct{Ticket: ticket, By: agent, Do: do, Text: text}})
		}
		if err := act(desk.DoTake, ""); err != nil {
			return err
		}
		back := make(chan error, 1)
		go func() {
			for n := range linesEach {
				if err := w.does(map[string]any{"conv": conv, "text": fmt.Sprintf("(%s person %c)", conv, 'a'+n)}); err != nil {
					back <- err
					return
				}
			}
			back <- nil
		}()
		for n := range linesEach {
			if err := act(desk.DoSay, fmt.Sprintf("(%s agent %c)", conv, 'a'+n)); err != nil {
				return err
			}
		}
		if err := <-back; err != nil {
			return err
		}
		if err := act(desk.DoSolve, ""); err != nil {
			return err
		}
		_, err = w.hears(conv, regexp.MustCompile("You are back with the assistant"))
		return err
	}()
	if err != nil {
		w.Errorf("talk %s (%s): %v", conv, ticket, err)
	}
	return ticket
}

// marks are the marks of talks and their lines in a text.
var marks = regexp.MustCompile(`\((m\d+) (person|agent) ([a-z])\)`)

// check looks at what one person has heard, and at what the desk has of it.
func (w *crowd) check(p *program.Program, i int, ticket string) (repeats int) {
	w.Helper()
	conv := fmt.Sprint("m", i)
	v, err := p.Desk.View(w.Context(), []bot.PersonID{"maria", "omar"}[i%2], ticket)
	if err != nil {
		w.Errorf("talk %s: %v", conv, err)
		return 0
	}
	var desk []string
	for _, l := range v.Lines {
		desk = append(desk, l.Text)
	}
	person, repeats := w.once(conv)
	said := func(texts []string, side string) (list string) {
		for _, m := range marks.FindAllStringSubmatch(strings.Join(texts, "\n"), -1) {
			if m[1] != conv {
				w.Errorf("talk %s was shown a line of %s: %q", conv, m[1], texts)
			}
			if m[2] == side {
				list += m[3]
			}
		}
		return list
	}
	const want = "abcd"
	if a, b, c := said(desk, "person"), said(desk, "agent"), said(person, "agent"); a != want || b != want || c != want {
		w.Errorf("talk %s: the desk has %q of the person and %q of the agent, the person has read %q", conv, a, b, c)
	}
	return repeats
}
