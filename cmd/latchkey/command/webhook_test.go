package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/desk"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/programtest"
	"latchkey/store/storetest"
)

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// A ticketing is a system of the organisation that takes webhooks.
type ticketing struct {
	*httptest.Server
	status atomic.Int64 // what it answers
	asked  atomic.Int64
	on     atomic.Pointer[func(n int64, before bool)] // called before and after each answer

	mu   sync.Mutex
	ids  []string // of what it took, also twice
	body map[string]string
}

func startTicketing(t *testing.T) *ticketing {
	k := &ticketing{body: map[string]string{}}
	k.status.Store(http.StatusNoContent)
	verify, err := standardwebhooks.NewWebhook(webhookSecret)
	if err != nil {
		t.Fatal(err)
	}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			return
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if err := verify.Verify(b, r.Header); err != nil {
			t.Errorf("a webhook is not signed: %v", err)
		}
		n, on := k.asked.Add(1), k.on.Load()
		if on != nil {
			(*on)(n, true)
		}
		if s := int(k.status.Load()); s != http.StatusNoContent {
			w.WriteHeader(s)
			return
		}
		k.mu.Lock()
		id := r.Header.Get("webhook-id")
		if was, twice := k.body[id]; twice && was != string(b) {
			t.Errorf("webhook %s is another the second time:\n%s\n%s", id, was, b)
		}
		k.ids, k.body[id] = append(k.ids, id), string(b)
		k.mu.Unlock()
		w.WriteHeader(http.StatusNoContent)
		if on != nil {
			w.(http.Flusher).Flush()
			(*on)(n, false)
		}
	}))
	t.Cleanup(k.Close)
	return k
}

// once are the ids in the order in which each came first.
func (k *ticketing) once() (list []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range k.ids {
		if !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list
}

// await waits until it has taken as many different webhooks.
func (k *ticketing) await(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(bottest.Patience); len(k.once()) < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d webhooks came, want %d: %v", len(k.once()), n, k.once())
		}
	}
}

// section is the configuration of desk.webhook.
func (k *ticketing) section(t *testing.T) string {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(webhookSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("desk: {webhook: {url: %q, secret_file: %s}}\n", k.URL+"/hook?key=hidden", file)
}

// While the system for tickets is down, whoever writes is answered at once, and
// health and doctor tell of it; when it is back it has what it missed. What it
// refuses for good is listed, and sent again by command.
func TestTicketingIsDown(t *testing.T) {
	t.Parallel()
	k := startTicketing(t)
	k.status.Store(http.StatusInternalServerError)
	port := rigs.FreePort(t)
	cfg := install(t, "channels: {terminal: {user: kiosk-1}}\n"+k.section(t))
	text, err := os.ReadFile(cfg)
	if err == nil {
		err = os.WriteFile(cfg, bytes.Replace(text, []byte(`127.0.0.1:0"`), fmt.Appendf(nil, `127.0.0.1:%d", public_url: "http://127.0.0.1:%[1]d"`, port), 1), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	health := func() string {
		t.Helper()
		r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/healthz", port))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		return string(b)
	}
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(bottest.Patience); !ok(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s\n%s", what, health())
			}
		}
	}
	log := filepath.Join(t.TempDir(), "log")
	p := sit(t, context.Background(), nil, "chat", "--plain", "--config", cfg, "--log", log)
	p.picks("Start")
	p.types("human")
	p.hears("555-0100")
	until("health does not tell", func() bool {
		got := health()
		return strings.HasPrefix(got, "degraded") && strings.Contains(got, "\nwebhook down since ") && strings.Contains(got, "\nwebhook the receiver has not taken events of 1 ticket yet")
	})
	if code, out, _ := command(t, nil, "doctor", "--config", cfg); code != exitError || !strings.Contains(out, "BROKEN   webhook: down since ") || !strings.Contains(out, "the receiver answers 500") || strings.Contains(out, "hidden") {
		t.Errorf("doctor: %d\n%s", code, out)
	}
	p.types("human") // the person is answered as ever
	p.hears("555-0100")
	k.status.Store(http.StatusNoContent)
	k.await(t, 1)
	until("health still tells", func() bool { return !strings.Contains(health(), "webhook") })

	k.status.Store(http.StatusGone)
	ticket, _, _ := strings.Cut(k.once()[0], ".")
	if code, _, errs := command(t, nil, "people", "import", writeFile(t, staffList), "--config", cfg); code != exitOK {
		t.Fatal(errs)
	}
	if code, _, errs := command(t, nil, "people", "freeze", "ann", "--why", "lost", "--config", cfg); code != exitOK {
		t.Fatal(errs)
	}
	listed := ""
	until("it is not listed", func() bool {
		_, listed, _ = command(t, nil, "desk", "webhooks", "list", "--config", cfg)
		return strings.Contains(listed, "answers 410")
	})
	if strings.Contains(listed, ticket) || !strings.Contains(listed, "  webhook 1 of ticket ") {
		t.Errorf("listed: %s", listed)
	}
	if code, out, _ := command(t, nil, "outbox", "list", "--config", cfg); code != exitOK || !strings.Contains(out, "desk webhooks replay") {
		t.Errorf("outbox list: %d %s", code, out)
	}
	k.status.Store(http.StatusNoContent)
	if code, _, errs := command(t, nil, "desk", "webhooks", "replay", "job-99999", "--config", cfg); code != exitError || !strings.Contains(errs, "job-99999 is no webhook that was given up") {
		t.Errorf("replay of none: %d %s", code, errs)
	}
	if code, out, errs := command(t, nil, "desk", "webhooks", "replay", "--config", cfg); code != exitOK || out != "sent again: 1 webhook\n" {
		t.Errorf("replay: %d %s %s", code, out, errs)
	}
	k.await(t, 2)
	if _, out, errs := command(t, nil, "desk", "webhooks", "list", "--config", cfg); out != "" || !strings.Contains(errs, "given up: 0") {
		t.Errorf("listed after the replay: %s %s", out, errs)
	}
	p.leaves()
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(b); strings.Contains(s, "hidden") || strings.Contains(s, webhookSecret) || strings.Count(s, `"sender":"outside"`) < 2 {
		t.Errorf("log:\n%s", s)
	}
}

// The organisation's system writes back to the running program, as long as it was
// let, and is told of what it wrote.
func TestTicketSystemWritesBack(t *testing.T) {
	t.Parallel()
	k := startTicketing(t)
	const backSecret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
	more := strings.Replace(k.section(t), "desk: {webhook: {", "desk: {enabled: true, webhook: {back_secret_env: BACK, ", 1)
	env := []string{"BACK=" + backSecret}
	path := install(t, more)
	cfg, err := config.Load(path, env)
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.New(t.Context(), cfg, slog.New(slog.DiscardHandler), program.Integrations()...)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ticket := ""
	err = p.DB.Update(t.Context(), func(tx bot.Tx) (err error) {
		ticket, _, err = desk.Ask(tx, bot.Ticket{Conversation: "c", Flow: "phone"})
		return err
	})
	if err == nil {
		err = p.StartJobs(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	sign, err := standardwebhooks.NewWebhook(backSecret)
	if err != nil {
		t.Fatal(err)
	}
	post := func(id, body string) int {
		t.Helper()
		now := time.Now()
		s, err := sign.Sign(id, now, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/webhook/ticket", strings.NewReader(body))
		for name, v := range map[string]string{"Content-Type": "application/json", "webhook-id": id, "webhook-timestamp": fmt.Sprint(now.Unix()), "webhook-signature": s} {
			r.Header.Set(name, v)
		}
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, r)
		return w.Code
	}
	note := fmt.Sprintf(`{"type":"ticket.note","data":{"ticket":%q,"text":"INC0010002"}}`, ticket)
	if code := post("1", note); code != http.StatusForbidden {
		t.Errorf("before it was let: %d", code)
	}
	if err := p.DB.Update(t.Context(), func(tx bot.Tx) error { return desk.GrantOutside(tx, "operator:root", "Zammad") }); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if code := post("1", note); code != http.StatusNoContent {
			t.Errorf("a note: %d", code)
		}
	}
	if code := post("2", strings.Replace(note, "ticket.note", "ticket.line", 1)); code != http.StatusConflict {
		t.Errorf("a line to nobody: %d", code)
	}
	if code := post("3", strings.Replace(note, "ticket.note", "ticket.solve", 1)); code != http.StatusNoContent {
		t.Errorf("solved: %d", code)
	}
	k.await(t, 3)
	for i, kind := range []string{"ticket.opened", "ticket.note", "ticket.solved"} {
		if body := k.body[fmt.Sprintf("%s.%d", ticket, i+1)]; !strings.HasPrefix(body, `{"type":"`+kind+`"`) || i > 0 && !strings.Contains(body, `"agent":"ticket system"`) {
			t.Errorf("told %s, want %s", body, kind)
		}
	}
}

// TestKillWhileTelling kills the real service again and again while it tells
// another system of tickets. In the end that has every event of each ticket, in
// order, and the few that came twice came under one id.
func TestKillWhileTelling(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute; run without -short")
	}
	bin := withFailpoints(t)
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			k := startTicketing(t)
			more, env := k.section(t), os.Environ()
			if kind == "postgres" {
				more += "store: {postgres_env: TOLD_DSN}\n"
				env = append(env, "TOLD_DSN="+pgAddress(storetest.Postgres(t)))
			}
			cfg := install(t, more)
			want := map[string]int64{}
			add := func() { // two tickets of six lines each
				t.Helper()
				c, err := config.Load(cfg, env)
				if err != nil {
					t.Fatal(err)
				}
				p, err := program.Open(t.Context(), c, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				for range 2 {
					ticket := ""
					for n := range 6 {
						err := p.DB.Update(t.Context(), func(tx bot.Tx) (err error) {
							if n == 0 {
								ticket, _, err = desk.Ask(tx, bot.Ticket{Conversation: bot.ConversationID(programtest.NewID()), Flow: "phone"})
								return err
							}
							return tx.AddLine(&bot.TicketLine{Ticket: ticket, Kind: bot.LineEvent, Code: "signal"})
						})
						if err != nil {
							t.Fatal(err)
						}
					}
					want[ticket] = 6
				}
			}
			total := 0
			killedWhileTelling(t, bin, cfg, env, func(kill func(n int64, before bool)) {
				add()
				total += 12
				from := k.asked.Load()
				on := func(n int64, before bool) { kill(n-from, before) }
				k.on.Store(&on)
			}, func() { k.await(t, total) })
			got := map[string][]int64{}
			for _, id := range k.once() {
				var e struct {
					Data struct {
						Ticket string
						Order  int64
					}
				}
				if err := json.Unmarshal([]byte(k.body[id]), &e); err != nil || id != fmt.Sprintf("%s.%d", e.Data.Ticket, e.Data.Order) {
					t.Fatalf("%s: %v %s", id, err, k.body[id])
				}
				got[e.Data.Ticket] = append(got[e.Data.Ticket], e.Data.Order)
			}
			for ticket, n := range want {
				if !slices.Equal(got[ticket], []int64{1, 2, 3, 4, 5, 6}[:n]) {
					t.Errorf("ticket %s: %v", ticket, got[ticket])
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d tickets, want %d", len(got), len(want))
			}
			t.Logf("%d kills, %d webhooks, %d of them twice", len(toldKills), len(k.once()), len(k.ids)-len(k.once()))
		})
	}
}
