package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/adapters/chat"
	"latchkey/adapters/teams"
	"latchkey/adapters/teams/teamstest"
	"latchkey/bot"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/demo"
	"latchkey/cmd/latchkey/load"
	"latchkey/store"
)

// texting keeps the codes that were sent, by number.
type texting struct {
	mu   sync.Mutex
	sent map[string][]string
}

func (x *texting) SendCode(_ context.Context, m bot.CodeMessage) (string, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sent[string(m.To)] = append(x.sent[string(m.To)], string(m.Code))
	return m.ID, nil
}

func (x *texting) SendNotice(context.Context, bot.NoticeMessage) error { return nil }

func (x *texting) to(number string) []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.sent[number]
}

// TestTeamsAnyOrder: what happened to one person is delivered again and again,
// late, and in any order, and old buttons are pressed once more; everybody ends
// where they end who had everything delivered once and in order.
func TestTeamsAnyOrder(t *testing.T) {
	const seed, trials = 20261127, 25
	cloud := teamstest.New(t)
	cloud.AnyToken = true
	texts := &texting{sent: map[string][]string{}}
	dir := t.TempDir()
	cfg := demo.Config(dir)
	cfg.Org.Domains, cfg.Org.Domain = []string{"load.example"}, "load.example"
	cfg.Policy.SMSPrefix.N, cfg.Policy.SMSBudgetFloor = 1<<30, 1<<30 // the test is about order, not about limits
	if _, err := vault.Create(cfg.KeysFile); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	var adapter *teams.Adapter
	log := slog.New(slog.DiscardHandler)
	prog, err := New(t.Context(), cfg, log, Integration{"order", func(prog *Program) (err error) {
		prog.Connections.Senders[bot.SMS], prog.Connections.Notifier, prog.Connections.Directory, prog.Connections.Unhurried = texts, texts, load.Directory{}, true
		adapter, err = teams.New(teams.Options{
			Options: chat.Options{Channel: "teams-order", Phrases: prog.Scripts, Org: "Order", BotName: "Latchkey", Lang: "en", Log: log},
			House:   services{prog}, AppID: teamstest.AppID, Tenant: teamstest.Tenant,
			Emulator: true, Listen: "127.0.0.1:1",
		})
		if err == nil {
			prog.Connections.AddChannel(adapter)
		}
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	if _, err := prog.DB.ImportPeople(t.Context(), func(yield func(bot.Person, int) bool) {
		for i := range trials + 1 {
			p := cloud.Person(i)
			if !yield(bot.Person{ID: bot.PersonID(p.ObjectID), Username: fmt.Sprint("order", i), Email: fmt.Sprintf("order%d@load.example", i), Name: "Ada Order", GivenName: "Ada"}, i+1) {
				return
			}
		}
	}, store.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- prog.Run(ctx) }()
	defer func() { stop(); <-ended }()
	<-prog.Outbox.Ready()
	server := httptest.NewServer(adapter.Handler())
	defer server.Close()
	cloud.Endpoint(server.URL)

	o := &ordering{t: t, h: prog, cloud: cloud, texts: texts}
	want := o.live(0, nil)
	if !strings.Contains(want, "phone/1") || !strings.Contains(want, "enroll") {
		t.Fatalf("in order and once it ends at\n%s", want)
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d; in order and once it ends at\n%s", seed, want)
	for i := 1; i <= trials && !t.Failed(); i++ {
		if got := o.live(i, rng); got != want {
			t.Errorf("person %d ends at\n%s\nin order and once, it is\n%s", i, got, want)
		}
	}
	t.Logf("%d deliveries that were not needed", o.disturbed)
	if o.disturbed < 20*trials {
		t.Errorf("only %d deliveries disturbed %d people", o.disturbed, trials)
	}
}

type ordering struct {
	disturbed int // deliveries that were not needed

	t     *testing.T
	h     *Program
	cloud *teamstest.Cloud
	texts *texting
}

// live has somebody enroll; with rng, disturbed. It tells where that ends.
func (o *ordering) live(n int, rng *rand.Rand) string {
	o.t.Helper()
	p := o.cloud.Person(n)
	p.Lang = "en-US"
	number := fmt.Sprintf("+1201555%04d", 100+n)
	var past []teamstest.Delivery // what was delivered
	var stale []func() error      // old buttons
	deliver := func(d teamstest.Delivery) {
		o.t.Helper()
		if status, _, err := o.cloud.Deliver(d); err != nil || status != 200 {
			o.t.Fatalf("person %d: %d %v", n, status, err)
		}
	}
	disturb := func(most int) {
		if rng == nil || len(past) == 0 {
			return
		}
		for range rng.IntN(most + 1) {
			o.disturbed++
			if len(stale) > 0 && rng.IntN(3) == 0 {
				if err := stale[rng.IntN(len(stale))](); err != nil {
					o.t.Fatal(err)
				}
				continue
			}
			deliver(past[rng.IntN(len(past))])
		}
	}
	step := func(sees string, act func() error) {
		o.t.Helper()
		for limit := time.Now().Add(time.Minute); sees != ""; time.Sleep(time.Millisecond) {
			if vs := p.Views(); len(vs) > 0 && strings.Contains(vs[len(vs)-1].Text, sees) {
				break
			}
			if time.Now().After(limit) {
				o.t.Fatalf("person %d never sees %q:\n%s", n, sees, p.Screen())
			}
		}
		d, err := o.cloud.Hold(act)
		if err != nil {
			o.t.Fatalf("person %d at %q: %v", n, sees, err)
		}
		disturb(3)
		if rng != nil && len(past) > 0 {
			// What was disturbed may have said again where we are: the button of
			// the newest card is pressed.
			o.rest(p)
			if d, err = o.cloud.Hold(act); err != nil {
				o.t.Fatalf("person %d at %q, again: %v", n, sees, err)
			}
		}
		deliver(d)
		past = append(past, d)
		disturb(2)
		o.rest(p)
	}
	step("", func() error {
		_, err := p.Do("installationUpdate", map[string]any{"action": "add"})
		return err
	})
	choose := func(sees, label string) {
		step(sees, func() error { return p.Press(label) })
		old := past[len(past)-1]
		stale = append(stale, func() error { // the same button, pressed once more: another activity
			o.t.Helper()
			body := strings.Replace(string(old.Body), `"id":"179`, fmt.Sprintf(`"id":"%d179`, 1+rng.IntN(1_000_000)), 1)
			status, _, err := o.cloud.Deliver(teamstest.Delivery{Body: []byte(body)})
			if status != 200 {
				err = errors.Join(err, fmt.Errorf("status %d", status))
			}
			return err
		})
	}
	choose("Hello Ada", "Start")
	choose("authenticator app", "Set up a different method")
	choose("Now a phone", "Text me a code")
	step("Which number?", func() error { return p.PressWith("Enter the number", map[string]string{"Phone number": number}) })
	choose("Is that right?", "Send the code")
	step("is on its way", func() error { return p.Say("111111") })
	code := ""
	for limit := time.Now().Add(time.Minute); code == ""; time.Sleep(time.Millisecond) {
		if sent := o.texts.to(number); len(sent) > 0 {
			code = sent[len(sent)-1]
		}
		if time.Now().After(limit) {
			o.t.Fatal("no text")
		}
	}
	step("", func() error { return p.PressWith("Enter the code", map[string]string{"The six digits": code}) })
	step("Setup is now complete", func() error { return p.Say("status") })
	if rng != nil { // everything once more, each up to five times, in any order
		var again []teamstest.Delivery
		for _, d := range past {
			for range 1 + rng.IntN(5) {
				again = append(again, d)
			}
		}
		rng.Shuffle(len(again), func(i, k int) { again[i], again[k] = again[k], again[i] })
		for i, d := range again {
			deliver(d)
			o.disturbed++
			if i%7 == 0 {
				disturb(1)
			}
		}
	}
	o.rest(p)
	if n := len(o.texts.to(number)); n != 1 {
		o.t.Errorf("%d texts were sent", n)
	}
	return o.state(p)
}

// rest waits until nothing more is on its way.
func (o *ordering) rest(p *teamstest.Person) {
	for limit := time.Now().Add(time.Minute); o.h.Outbox.Busy() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			o.t.Fatal("the outbox does not come to rest")
		}
	}
}

// state is where somebody is, without what only counts messages and time.
func (o *ordering) state(p *teamstest.Person) string {
	o.t.Helper()
	var b strings.Builder
	err := o.h.DB.View(o.t.Context(), func(tx bot.Tx) error {
		b.Reset()
		c, err := tx.Conversation(bot.ConversationID("teams-order|" + p.ObjectID))
		if err != nil {
			return err
		}
		var s bot.Session
		if err := json.Unmarshal(c.State, &s); err != nil {
			return err
		}
		for _, f := range s.Stack {
			fmt.Fprintf(&b, "at %s/%s\n", f.Flow, f.Step)
		}
		fmt.Fprintf(&b, "level %d, owner %d, parked %v, language %s\n", c.Level, s.Owner, s.Parked, s.Lang)
		ms, err := tx.Methods(bot.PersonID(p.ObjectID))
		if err != nil {
			return err
		}
		for _, m := range ms {
			fmt.Fprintf(&b, "%s/%d via %s, %d failures\n", m.Kind, m.State, m.Via, m.Failures)
		}
		who, err := tx.Person(bot.PersonID(p.ObjectID))
		if err == nil {
			fmt.Fprintf(&b, "stage %s", who.Stage)
		}
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return b.String()
}
