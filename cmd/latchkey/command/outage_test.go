package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/localdir"
	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/enroll"
	"latchkey/bot/verify"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
)

// A carrier stands in for Twilio and can be down.
type carrier struct {
	*httptest.Server
	up   atomic.Bool
	mu   sync.Mutex
	text string // of the newest message
}

func startCarrier(t *testing.T) *carrier {
	c := &carrier{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch {
		case !c.up.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"code":20503,"message":"down","status":503}`)
		case r.Method == http.MethodGet:
			fmt.Fprint(w, `{"status":"active"}`)
		default:
			c.mu.Lock()
			c.text = r.FormValue("Body")
			c.mu.Unlock()
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"sid":"SM`+strings.Repeat("1", 32)+`","status":"queued"}`)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *carrier) code() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return regexp.MustCompile(`\b[0-9]{6}\b`).FindString(c.text)
}

// An outage of texts and mail is seen by everybody whom it concerns: the person
// who waits for a code is told and has another way, the log has one warning for
// each sender, health and doctor name them; and all of it ends by itself.
func TestOutage(t *testing.T) {
	t.Parallel()
	c := startCarrier(t)
	dir, port := t.TempDir(), rigs.FreePort(t)
	token, log := filepath.Join(dir, "token"), filepath.Join(dir, "log")
	if err := os.WriteFile(token, []byte(strings.Repeat("a1", 16)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := install(t, fmt.Sprintf(`channels: {terminal: {user: kiosk-1}}
smtp: {host: localhost, port: %d, security: none, from: desk@example.org}
twilio:
  base_url: %s
  account_sid: AC%s
  auth_token_file: %s
  from: '+15555550100'
`, rigs.FreePort(t), c.URL, strings.Repeat("0", 32), token))
	text, err := os.ReadFile(cfg)
	if err == nil {
		text = bytes.Replace(text, []byte("kind: none"), []byte("kind: demo"), 1)
		text = bytes.Replace(text, []byte(`127.0.0.1:0"`), fmt.Appendf(nil, `127.0.0.1:%d", public_url: "http://127.0.0.1:%[1]d"`, port), 1)
		err = os.WriteFile(cfg, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if code, _, errs := command(t, nil, "people", "import", writeFile(t, staffList), "--config", cfg); code != exitOK {
		t.Fatal(errs)
	}
	health := func() string {
		t.Helper()
		r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", port))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		if r.StatusCode != http.StatusOK {
			t.Errorf("health: %d %s", r.StatusCode, b)
		}
		return string(b)
	}
	p := sit(t, context.Background(), nil, "chat", "--plain", "--config", cfg, "--log", log)
	p.picks("Start")
	p.hears("user name")
	p.types("ann")
	p.hears("[private] Password:\n")
	p.types(string(localdir.DemoPassword))
	p.picks("Set up a different method")
	p.picks("Text me a code")
	p.hears("Which number")
	p.types("201 555 0123")
	p.picks("Send the code")
	p.hears("on its way to")
	p.hears("has not gone out yet, as far as I can tell")
	p.hears("Text or call instead")
	if got := health(); !strings.HasPrefix(got, "degraded") || !strings.Contains(got, "\ntexts down since ") || strings.Contains(got, "55501") {
		t.Errorf("health: %s", got)
	}
	if code, out, _ := command(t, nil, "doctor", "--config", cfg); code != exitError || !strings.Contains(out, "BROKEN   texts: down since ") ||
		!strings.Contains(out, "waiting: 1 code, 1 notice") || !strings.Contains(out, "mail server: smtp: connect to localhost") {
		t.Errorf("doctor: %d\n%s", code, out)
	}
	c.up.Store(true)
	for end := time.Now().Add(bottest.Patience); c.code() == ""; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the code is not sent when the carrier is back")
		}
	}
	p.types(c.code())
	p.hears("is set up")
	for end := time.Now().Add(bottest.Patience); ; time.Sleep(50 * time.Millisecond) { // the notice of the new phone goes by mail
		got := health()
		if !strings.Contains(got, "\ntexts") && strings.Contains(got, "\nmail down since ") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("health: %s", got)
		}
	}
	p.leaves()
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	warned := map[string]int{}
	for line := range strings.SplitSeq(string(b), "\n") {
		var l struct{ Level, Msg, Sender string }
		if json.Unmarshal([]byte(line), &l) == nil && l.Sender != "" {
			warned[l.Level+" "+l.Sender]++
		}
	}
	if len(warned) != 3 || warned["WARN sms"] != 1 || warned["INFO sms"] != 1 || warned["WARN mail"] != 1 {
		t.Errorf("warned %v:\n%s", warned, b)
	}
	for _, secret := range []string{"5550123", "ann@example.org"} {
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("the log names %s", secret)
		}
	}
}

// challengeOf is a code by text on its way to Ann.
func challengeOf(t *testing.T, p *program.Program) *bot.Challenge {
	t.Helper()
	ch := &bot.Challenge{ID: "ch1", Person: "e1", Conversation: "c1", Method: "m1", Purpose: "enroll.phone", Tier: bot.T1, Via: bot.SMS, Lang: "en", ExpiresAt: p.DB.Now().Add(time.Hour)}
	for part, to := range map[string]*[]byte{"code": &ch.SealedCode, "to": &ch.SealedTo} {
		var err error
		if *to, err = p.Keys.Seal([]byte("123456"), ch.Place(part)); err != nil {
			t.Fatal(err)
		}
	}
	return ch
}

// hung is a mail server that takes everything and never answers.
type hung struct{ taken atomic.Int64 }

func (s *hung) SendNotice(ctx context.Context, _ bot.NoticeMessage) error {
	s.taken.Add(1)
	<-ctx.Done()
	return &bot.SendError{Kind: bot.SendUncertain, Err: ctx.Err()}
}

// prompt is a provider of texts.
type prompt chan string

func (s prompt) SendCode(_ context.Context, m bot.CodeMessage) (string, error) {
	s <- m.ID
	return "ref", nil
}

// A mail server that hangs, and any number of notices before it, hold up no code.
func TestHungMailHoldsUpNoCode(t *testing.T) {
	t.Parallel()
	path := install(t, "")
	if code, _, errs := command(t, nil, "people", "import", writeFile(t, staffList), "--config", path); code != exitOK {
		t.Fatal(errs)
	}
	cfg, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	mail, texts := &hung{}, make(prompt, 1)
	p, err := program.New(t.Context(), cfg, slog.New(slog.DiscardHandler), program.Integration{Name: "rig", Connect: func(p *program.Program) error {
		p.Connections.Notifier, p.Connections.Senders[bot.SMS] = mail, texts
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	err = p.DB.Update(t.Context(), func(tx bot.Tx) error {
		ann, err := tx.Person("e1")
		if err != nil {
			return err
		}
		for range 200 {
			if err := p.Enroll.Tell(tx, ann, enroll.News{Change: "method.removed"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = p.StartJobs(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // in a hurry
		p.DB.StopJobs(ctx)
		p.Close()
	}()
	ch := challengeOf(t, p)
	for end := time.Now().Add(bottest.Patience); mail.taken.Load() < 8; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no notice is sent")
		}
	}
	err = p.DB.Update(t.Context(), func(tx bot.Tx) error {
		return errors.Join(tx.PutChallenge(ch), tx.Enqueue(verify.SendCode{Challenge: "ch1"}, time.Time{}))
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-texts:
	case <-time.After(bottest.Patience / 2): // the notices are cut off after a minute
		t.Fatal("a code waits for a mail server that hangs")
	}
}

// What was given up is listed with reason and remedy, counted by health, and can
// be done once more: a notice as it is, a code as a new one.
func TestGivenUpIsListed(t *testing.T) {
	t.Parallel()
	path := install(t, "")
	if code, _, errs := command(t, nil, "people", "import", writeFile(t, staffList), "--config", path); code != exitOK {
		t.Fatal(errs)
	}
	cfg, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.New(t.Context(), cfg, slog.New(slog.DiscardHandler), program.Integrations()...)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ch := challengeOf(t, p)
	address, err := p.Keys.Seal([]byte("ann@example.net"), (&bot.Method{ID: "m2", Person: "e1"}).Place())
	if err != nil {
		t.Fatal(err)
	}
	err = p.DB.Update(t.Context(), func(tx bot.Tx) error {
		ann, err := tx.Person("e1")
		if err != nil {
			return err
		}
		never := &bot.InboundRow{Channel: "slack-a", ID: "1", Conversation: "slack-a|U1", Body: []byte("sealed")}
		if _, err := tx.PutInbound(never); err != nil {
			return err
		}
		never.GivenUp, never.Error = tx.Now(), "users.info: fatal_error"
		if err := tx.MarkInbound(never); err != nil {
			return err
		}
		if err := tx.PutChallenge(ch); err != nil {
			return err
		}
		if err := tx.Enqueue(verify.SendCode{Challenge: "ch1"}, time.Time{}); err != nil {
			return err
		}
		if err := tx.Enqueue(verify.SendCode{Challenge: "gone"}, time.Time{}); err != nil { // nobody has to look
			return err
		}
		if err := tx.PutMethod(&bot.Method{ID: "m2", Person: "e1", Kind: bot.Email, State: bot.Removed, Label: "a•••@example.net", Sealed: address}); err != nil {
			return err
		}
		if err := tx.Enqueue(enroll.Notify{ID: "n2", News: "n2", Ways: 1, Change: "method.removed", Person: "e1", Method: "m2", To: "m2", Last: true, At: tx.Now()}, time.Time{}); err != nil {
			return err
		}
		return p.Enroll.Tell(tx, ann, enroll.News{Change: "method.removed"})
	})
	if err == nil {
		err = p.StartJobs(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	health := ""
	for end := time.Now().Add(bottest.Patience); !strings.Contains(health, "\ngiven up in the last day: 1 code, 2 notices\n"); time.Sleep(50 * time.Millisecond) {
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		if health = w.Body.String(); w.Code != http.StatusOK || time.Now().After(end) {
			t.Fatalf("health: %d %s", w.Code, health)
		}
	}
	if !strings.Contains(health, "\nnever read, since it could not be found out who wrote it: 1 in the last day") {
		t.Errorf("health does not tell of what was never read:\n%s", health)
	}
	p.Close()
	list := func() string {
		t.Helper()
		code, out, errs := command(t, nil, "outbox", "list", "--config", path)
		if code != exitOK {
			t.Fatal(errs)
		}
		return out + errs
	}
	out := list()
	jobs := regexp.MustCompile(`(?m)^(job-\d+)  (code by sms|notice of method.removed to the work address) for Ann \(ann, id e1\)  given up \S+ \S+  tried 1  .*(nothing sends by "sms"; configure it|no mail server is configured; set smtp.host)\n  mend what it says, then `+"`latchkey outbox retry job-").FindAllStringSubmatch(out, -1)
	if len(jobs) != 2 || strings.Count(out, "job-") != 6 {
		t.Fatalf("listed %q:\n%s", jobs, out)
	}
	wiped := regexp.MustCompile(`(?m)^(job-\d+)  notice of method.removed to a phone or mailbox of theirs for Ann \(ann, id e1\)  .*\n  the address is wiped, so tell the person yourself; ` + "`latchkey outbox drop job-").FindStringSubmatch(out)
	if wiped == nil || strings.Contains(out, "ann@example.net") {
		t.Fatalf("listed:\n%s", out)
	}
	if code, _, errs := command(t, nil, "outbox", "retry", wiped[1], "--config", path); code != exitError || !strings.Contains(errs, "the address is wiped") {
		t.Errorf("retry of a notice without an address: %d %s", code, errs)
	}
	if code, _, errs := command(t, nil, "outbox", "drop", wiped[1], "--config", path); code != exitOK {
		t.Error(errs)
	}
	if _, out, _ := command(t, nil, "doctor", "--config", path); !strings.Contains(out, "look     given up: 1 code, 1 notice in the last 14 days") {
		t.Errorf("doctor:\n%s", out)
	}
	for _, j := range jobs {
		if code, _, errs := command(t, nil, "outbox", "retry", j[1], "--config", path); code != exitOK {
			t.Fatal(errs)
		}
		if code, _, errs := command(t, nil, "outbox", "retry", j[1], "--config", path); code != exitError || !strings.Contains(errs, "was not given up, or was retried since") {
			t.Errorf("again: %d %s", code, errs)
		}
	}
	if out := list(); !strings.Contains(out, "nothing is waiting") {
		t.Errorf("still listed:\n%s", out)
	}
	if p, err = program.New(t.Context(), cfg, slog.New(slog.DiscardHandler), program.Integrations()...); err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	waiting, err := p.DB.PendingJobs(t.Context())
	if err != nil || waiting["notice"] != 1 || waiting["code_again"] != 1 || waiting["send_code"] != 0 {
		t.Errorf("jobs after the retries: %v %v", waiting, err)
	}
	if err := p.StartJobs(t.Context()); err != nil { // the notice fails again
		t.Fatal(err)
	}
	var again []givenUp
	for end := time.Now().Add(bottest.Patience); len(again) == 0; time.Sleep(50 * time.Millisecond) {
		if again, err = listGivenUp(t.Context(), p, 10); err != nil || time.Now().After(end) {
			t.Fatalf("%v %v", again, err)
		}
	}
	p.Close()
	if code, _, errs := command(t, nil, "outbox", "drop", again[0].name(), "--config", path); code != exitOK {
		t.Fatal(errs)
	}
	if out := list(); !strings.Contains(out, "nothing is waiting") {
		t.Errorf("still listed:\n%s", out)
	}
	if _, out, _ := command(t, nil, "audit", "list", "--config", path); strings.Count(out, "outbox.retried") != 2 || strings.Count(out, "outbox.dropped") != 2 {
		t.Errorf("audit:\n%s", out)
	}
}
