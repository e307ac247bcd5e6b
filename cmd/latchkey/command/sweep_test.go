package command

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"latchkey/adapters/localdir"
	"latchkey/bot"
	"latchkey/bot/audit"
	"latchkey/bot/vault"
	"latchkey/store"
)

// TestKillSweep kills the real program at every commit and at every send of a
// whole enrollment: once at the first hit of each point, once at the second,
// until a run ends unkilled. The driver is a platform: it repeats an event,
// with the same id, until it is acknowledged.
//
// What must hold in every run: no acknowledged event is lost (each one is
// answered), nobody is enrolled twice, at most one chat message and one code is
// repeated (one of each may be in flight when the process dies), each notice at
// most once (several may be in flight, for they have a queue with many workers),
// and a repeated one is the same to the letter.
func TestKillSweep(t *testing.T) {
	if testing.Short() {
		t.Skip("some minutes; run without -short")
	}
	bin := withFailpoints(t)
	golden := (&sweepRun{bin: bin, dir: t.TempDir()}).run(t)
	hits := golden.hits(t)
	if hits["store.commit.before"] < 20 || hits["send.before"] < 15 || hits["code.before"] != 1 || hits["notice.before"] < 2 {
		t.Fatalf("the run without a kill passed too few points to prove anything: %v", hits)
	}
	t.Logf("points of one enrollment: %v", hits)

	var mu sync.Mutex
	total, killed, repeats := 0, 0, map[string]int{}
	t.Run("kills", func(t *testing.T) {
		for _, point := range sortedPoints(hits) {
			t.Run(point, func(t *testing.T) {
				t.Parallel()
				for n := 1; ; n++ {
					r := &sweepRun{bin: bin, dir: t.TempDir(), point: fmt.Sprintf("%s:%d", point, n)}
					r.run(t)
					if r.state != golden.state {
						t.Errorf("%s: the end differs from a run without a kill\n got: %s\nwant: %s", r.point, r.state, golden.state)
					}
					mu.Lock()
					total, killed = total+1, killed+r.kills
					for kind, n := range r.repeats {
						repeats[kind] += n
					}
					mu.Unlock()
					if r.kills == 0 {
						// How many commits and marks there are depends on how
						// many fall into one group; sends do not.
						grouped := strings.HasPrefix(point, "store.") || strings.HasPrefix(point, "outbox.")
						if !grouped && n <= hits[point] {
							t.Errorf("%s: the last kill was at hit %d of %d: the sweep has not reached the end", point, n-1, hits[point])
						}
						return
					}
				}
			})
		}
	})
	t.Logf("%d runs, %d kills, repeats %v", total, killed, repeats)
	if killed < 80 {
		t.Errorf("only %d kills: the sweep has not seen a whole enrollment", killed)
	}
}

func sortedPoints(hits map[string]int) []string {
	var names []string
	for n := range hits {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// sweepLine is one line of the peer.
type sweepLine struct {
	Ack, Error, Key, Text, Form, URI string
	Prompt                           uint32
}

// sweepRun is one enrollment, killed at most once.
type sweepRun struct {
	bin, dir, point string

	p       *peer
	says    map[string]sweepLine // by key
	order   []string
	repeats map[string]int // by kind: message, code, notice
	kills   int
	state   string
}

// peer is the program under test.
type peer struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan sweepLine
	err   bytes.Buffer
}

func (r *sweepRun) start(t *testing.T, armed bool) *peer {
	t.Helper()
	p := &peer{cmd: exec.Command(r.bin, "sweep-peer", "--data", filepath.Join(r.dir, "data")), lines: make(chan sweepLine, 64)}
	p.cmd.Env = append(os.Environ(), "LATCHKEY_FAILPOINT_LOG="+filepath.Join(r.dir, "hits.log"))
	if armed && r.point != "" {
		p.cmd.Env = append(p.cmd.Env, "LATCHKEY_FAILPOINT="+r.point)
	}
	p.cmd.Stderr = &p.err
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		sc := bufio.NewScanner(out)
		sc.Buffer(make([]byte, 1<<16), 1<<20)
		for sc.Scan() {
			var l sweepLine
			if json.Unmarshal(sc.Bytes(), &l) == nil {
				p.lines <- l
			}
		}
	}()
	return p
}

// run drives the enrollment to its end and checks what must hold.
func (r *sweepRun) run(t *testing.T) *sweepRun {
	t.Helper()
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r.says, r.repeats = map[string]sweepLine{}, map[string]int{}
	steps := []func() map[string]any{
		text("hi"), text("start"), text("ada"),
		func() map[string]any {
			return map[string]any{"form": "sign_in", "prompt": r.last().Prompt, "values": map[string]string{"password": string(localdir.DemoPassword)}}
		},
		text("next"), text("yes"), text("i have the app"), text("next"), text("next"),
		func() map[string]any { return map[string]any{"text": r.totp(t)} },
		text("text me a code"), text("+1 201 555 0123"), text("send the code"),
		func() map[string]any { return map[string]any{"text": r.code(t)} },
		text("done"),
	}
	r.p = r.start(t, true)
	for i := 0; i < len(steps); i++ {
		// What is said is decided once: a repeat is the same event.
		ev := steps[i]()
		ev["id"] = fmt.Sprintf("ev-%d", i+1)
		line, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		acked := false
		for deadline := time.Now().Add(time.Minute); ; {
			if !acked {
				r.p.in.Write(append(line, '\n')) // a dead peer is noticed below
			}
			if r.await(t, r.p, i+1, &acked) {
				break
			}
			if r.p = r.restart(t, r.p); time.Now().After(deadline) {
				t.Fatalf("%s: event %d is not answered; peer said: %s", r.point, i+1, r.p.err.String())
			}
		}
	}
	// The letters may still be on their way; wait for all four of them, then leave.
	wait := time.Now().Add(time.Minute)
	for r.notices(t) < 4 && time.Now().Before(wait) {
		time.Sleep(10 * time.Millisecond)
		r.hear(t)
	}
	p := r.p
	p.in.Close()
	for l := range p.lines {
		r.note(t, l)
	}
	if err := p.cmd.Wait(); err != nil {
		// The kill may strike while the peer closes; it must start once more.
		p = r.restarted(t, p, err)
		r.listen(t, p, time.Second) // what was sent and not marked comes once more
		p.in.Close()
		for l := range p.lines {
			r.note(t, l)
		}
		if err := p.cmd.Wait(); err != nil {
			t.Fatalf("%s: second end: %v\n%s", r.point, err, p.err.String())
		}
	}
	r.settle(t)
	r.check(t, len(steps))
	return r
}

// settle starts the peer once more when it was killed and left before it had
// sent again what was not marked: nothing may stay undelivered for good.
func (r *sweepRun) settle(t *testing.T) {
	t.Helper()
	for range 3 {
		if r.kills == 0 || r.pending(t) == 0 {
			return
		}
		p := r.start(t, false)
		r.listen(t, p, time.Second)
		p.in.Close()
		for l := range p.lines {
			r.note(t, l)
		}
		if err := p.cmd.Wait(); err != nil && !strings.Contains(p.err.String(), "in use") {
			t.Fatalf("%s: an end without a kill: %v\n%s", r.point, err, p.err.String())
		}
	}
}

// open opens the store of a run. A process that another run starts at this
// moment may hold a copy of the lock until it is itself.
func (r *sweepRun) open(t *testing.T) *store.DB {
	t.Helper()
	var db *store.DB
	ring, err := vault.Load(filepath.Join(r.dir, "data", "latchkey.keys"))
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if db, err = store.Open(context.Background(), store.Options{DSN: filepath.Join(r.dir, "data", "latchkey.db"), Audit: ring}); err == nil {
			return db
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s: %v", r.point, err)
	return nil
}

// pending counts the messages that are not delivered yet.
func (r *sweepRun) pending(t *testing.T) (n int) {
	t.Helper()
	db := r.open(t)
	defer db.Close()
	err := db.View(context.Background(), func(tx bot.Tx) error {
		rows, err := tx.Pending(100)
		n = len(rows)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", r.point, err)
	}
	return n
}

// listen takes what the peer says by itself within a while.
func (r *sweepRun) listen(t *testing.T, p *peer, d time.Duration) {
	t.Helper()
	for end := time.After(d); ; {
		select {
		case l, ok := <-p.lines:
			if !ok {
				return
			}
			r.note(t, l)
		case <-end:
			return
		}
	}
}

// hear takes what the peer has said so far, and starts it again when it died.
func (r *sweepRun) hear(t *testing.T) {
	t.Helper()
	for {
		select {
		case l, ok := <-r.p.lines:
			if !ok {
				r.p = r.restart(t, r.p)
				return
			}
			r.note(t, l)
		default:
			return
		}
	}
}

func text(s string) func() map[string]any {
	return func() map[string]any { return map[string]any{"text": s} }
}

// await reads until n events have been answered, and reports false when the
// peer died.
func (r *sweepRun) await(t *testing.T, p *peer, n int, acked *bool) bool {
	t.Helper()
	timeout := time.After(time.Minute)
	for !*acked || len(r.says) < n {
		select {
		case l, ok := <-p.lines:
			if !ok {
				return false
			}
			if l.Ack == fmt.Sprintf("ev-%d", n) {
				*acked = true
			}
			r.note(t, l)
		case <-timeout:
			t.Fatalf("%s: event %d: no answer after 30 s (acknowledged: %v, answers: %d)\n%s", r.point, n, *acked, len(r.says), p.err.String())
		}
	}
	return true
}

// note keeps what the peer said.
func (r *sweepRun) note(t *testing.T, l sweepLine) {
	t.Helper()
	if l.Error != "" {
		t.Fatalf("%s: an event was refused: %s", r.point, l.Error)
	}
	if l.Key == "" {
		return
	}
	if old, known := r.says[l.Key]; known {
		r.repeats["message"]++
		// A key that was proven in the meantime is not shown again.
		if old.Text != l.Text || l.URI != "" && old.URI != l.URI || old.Prompt != l.Prompt {
			t.Errorf("%s: message %s was repeated with another content:\n%q %d key %v\n%q %d key %v", r.point, l.Key, old.Text, old.Prompt, old.URI != "", l.Text, l.Prompt, l.URI != "")
		}
		return
	}
	r.says[l.Key] = l
	r.order = append(r.order, l.Key)
}

func (r *sweepRun) restart(t *testing.T, p *peer) *peer {
	t.Helper()
	p.in.Close()
	return r.restarted(t, p, p.cmd.Wait())
}

func (r *sweepRun) restarted(t *testing.T, p *peer, err error) *peer {
	t.Helper()
	var ee *exec.ExitError
	if !errors.As(err, &ee) || ee.ProcessState.Exited() {
		t.Fatalf("%s: the peer ended by itself: %v\n%s", r.point, err, p.err.String())
	}
	if r.kills++; r.kills > 1 || r.point == "" {
		t.Fatalf("%s: killed %d times", r.point, r.kills)
	}
	return r.start(t, false)
}

func (r *sweepRun) last() sweepLine {
	if len(r.order) == 0 {
		return sweepLine{}
	}
	return r.says[r.order[len(r.order)-1]]
}

// totp is what the person's app shows for the newest picture.
func (r *sweepRun) totp(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(r.last().URI)
	if err != nil || u.Query().Get("secret") == "" {
		t.Fatalf("%s: no key in the last message: %q", r.point, r.last().Text)
	}
	code, err := totp.GenerateCode(u.Query().Get("secret"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// arrival is a line of the pretend phone's file. The phone compares a repeat
// with what it has: Other says that it differs.
type arrival struct {
	ID, Kind, Body string
	Repeat, Other  bool
}

// inbox reads the pretend phone's file.
func (r *sweepRun) inbox(t *testing.T) []arrival {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, "data", "inbox.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var items []arrival
	for line := range bytes.Lines(data) {
		var it arrival
		if json.Unmarshal(line, &it) == nil && it.ID != "" {
			items = append(items, it)
		}
	}
	return items
}

var codeInText = regexp.MustCompile(`\b\d{6}\b`)

// code waits for the text and reads the newest code.
func (r *sweepRun) code(t *testing.T) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		r.hear(t)
		items := r.inbox(t)
		for i := len(items) - 1; i >= 0; i-- {
			if strings.HasPrefix(items[i].ID, "code|") {
				if c := codeInText.FindString(items[i].Body); c != "" {
					return c
				}
			}
		}
	}
	t.Fatalf("%s: no code arrived; the peer's log:\n%s", r.point, r.log())
	return ""
}

// log is what the peer wrote about itself.
func (r *sweepRun) log() []byte {
	b, err := os.ReadFile(filepath.Join(r.dir, "data", "peer.log"))
	if err != nil {
		return []byte(err.Error())
	}
	return b
}

func (r *sweepRun) notices(t *testing.T) int {
	ids := map[string]bool{}
	for _, it := range r.inbox(t) {
		if strings.HasPrefix(it.ID, "notice|") {
			ids[it.ID] = true
		}
	}
	return len(ids)
}

func (r *sweepRun) hits(t *testing.T) map[string]int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(r.dir, "hits.log"))
	if err != nil {
		t.Fatal(err)
	}
	hits := map[string]int{}
	for _, name := range strings.Fields(string(data)) {
		hits[name]++
	}
	return hits
}

// check opens the store and holds it against what must be true.
func (r *sweepRun) check(t *testing.T, events int) {
	t.Helper()
	if len(r.says) != events {
		t.Errorf("%s: %d events were acknowledged and %d answered", r.point, events, len(r.says))
	}
	codes, times := map[string]string{}, map[string]int{}
	for _, it := range r.inbox(t) {
		if times[it.ID]++; times[it.ID] > 2 {
			t.Errorf("%s: %s was sent %d times", r.point, it.ID, times[it.ID])
		}
		if old, known := codes[it.ID]; known {
			kind, _, _ := strings.Cut(it.ID, "|")
			r.repeats[kind]++
			if it.Other || !it.Repeat && old != it.Body {
				t.Errorf("%s: %s was sent twice with another content: %q, %q", r.point, it.ID, old, it.Body)
			}
		}
		codes[it.ID] = it.Body
	}
	for kind, n := range r.repeats {
		if n > 1 && kind != "notice" {
			t.Errorf("%s: %d repeats of a %s", r.point, n, kind)
		}
	}
	ctx := context.Background()
	db := r.open(t)
	defer db.Close()
	var b strings.Builder
	err := db.View(ctx, func(tx bot.Tx) error {
		p, err := tx.PersonByLogin("ada")
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "stage %s;", p.Stage)
		ms, err := tx.Methods(p.ID)
		if err != nil {
			return err
		}
		for _, m := range ms {
			fmt.Fprintf(&b, " %s %d %s;", m.Kind, m.State, m.Label)
		}
		rows, err := tx.Pending(100)
		fmt.Fprintf(&b, " pending %d;", len(rows))
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", r.point, err)
	}
	proven := 0
	err = db.AuditLines(ctx, 0, func(e bot.AuditEntry) error {
		if e.Action == "method.proven" {
			proven++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// The head outside may lag behind after a kill, and never lies.
	outside := audit.HeadFile{Path: filepath.Join(r.dir, "data", "latchkey.db.head")}
	known, err := outside.Read()
	if err != nil {
		t.Fatal(err)
	}
	rep, err := db.VerifyAudit(ctx, known)
	if err != nil || len(rep.Problems) > 0 || rep.Methods != 2 {
		t.Errorf("%s: the record of changes does not verify: %v %v, %d methods", r.point, rep.Problems, err, rep.Methods)
	}
	fmt.Fprintf(&b, " audit %d, proven %d", rep.Lines, proven)
	if proven != 2 {
		t.Errorf("%s: %d methods were proven, expected 2", r.point, proven)
	}
	r.state = b.String()
}
