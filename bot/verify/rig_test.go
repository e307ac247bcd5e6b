package verify_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/enroll"
	"latchkey/bot/policy"
	"latchkey/bot/vault"
	"latchkey/bot/verify"
	"latchkey/store"
)

// A rig is the two rooms over a real store, vault and hasher.
type rig struct {
	*testing.T
	dir    string
	clock  *bottest.Clock
	db     *store.DB
	ring   *vault.Ring
	policy *policy.Policy
	verify *verify.Room
	enroll *enroll.Room
	texts  *bottest.Sender
	calls  *bottest.Sender
	mails  *bottest.Sender
	note   *bottest.Notifier
	inbox  *inbox
	conv   bot.Conversation
	slots  []bot.Fact
	checks map[string]bot.CheckSpec
	forms  map[string]bot.FormSpec

	mu   sync.Mutex
	jobs []bot.Job
}

// phrases shows which text was asked for: "key(name=value)".
type phrases struct{}

func (phrases) Phrase(lang, key string, kv ...string) string {
	if len(kv) == 0 {
		return key
	}
	var b strings.Builder
	b.WriteString(key + "(")
	for i := 0; i+1 < len(kv); i += 2 {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(kv[i] + "=" + kv[i+1])
	}
	return b.String() + ")"
}

func (phrases) Languages() []string { return []string{"en", "es"} }

// inbox keeps events, each id once.
type inbox struct {
	mu     sync.Mutex
	events []bot.Event
	seen   map[string]bool
	err    error
}

func (in *inbox) Accept(_ context.Context, ev bot.Event) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err != nil {
		return in.err
	}
	if in.seen[ev.ID] {
		return nil
	}
	if in.seen == nil {
		in.seen = map[string]bool{}
	}
	in.seen[ev.ID] = true
	in.events = append(in.events, ev)
	return nil
}

func (in *inbox) signals() (names []string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, ev := range in.events {
		names = append(names, ev.Signal.Name)
	}
	return names
}

// hasher adapts the vault's pool.
type hasher struct{ pool *vault.Pool }

func (h hasher) Hash(ctx context.Context, b []byte) (string, error) {
	return vault.HashSecret(ctx, h.pool, b)
}
func (h hasher) HashSet(ctx context.Context, bs [][]byte) ([]string, error) {
	return vault.HashSet(ctx, h.pool, bs)
}
func (h hasher) VerifyAny(ctx context.Context, hs []string, b []byte) (int, error) {
	return vault.VerifyAny(ctx, h.pool, hs, b)
}

// password is the directory's only one.
const password = "canary-Horse-Staple-7"

type directory struct{}

func (directory) Verify(p *bot.Person, pw bot.Secret) (bool, error) {
	if string(pw) == "down" {
		return false, errors.New("directory is down")
	}
	return p != nil && string(pw) == password, nil
}

var ann = bot.Person{ID: "p1", Username: "ann", Email: "ann.lee@example.org", Name: "Ann Lee", GivenName: "Ann", WorkPhone: "+17042963143"}

func newRig(t *testing.T, change ...func(*policy.Policy)) *rig {
	t.Helper()
	dir := t.TempDir()
	r := newRigOn(t, filepath.Join(dir, "bot.db"), change...)
	r.dir = dir
	return r
}

func newRigOn(t *testing.T, dsn string, change ...func(*policy.Policy)) *rig {
	t.Helper()
	r := &rig{T: t, clock: bottest.NewClock(time.Date(2026, 5, 3, 10, 0, 0, 0, time.UTC)), policy: policy.Default(),
		texts: &bottest.Sender{}, calls: &bottest.Sender{}, mails: &bottest.Sender{}, note: &bottest.Notifier{}, inbox: &inbox{}}
	r.policy.ArgonMemoryKiB, r.policy.ArgonTime = 64, 1
	for _, f := range change {
		f(r.policy)
	}
	var err error
	if r.ring, err = vault.New(); err != nil {
		t.Fatal(err)
	}
	r.db, err = store.Open(t.Context(), store.Options{DSN: dsn, Clock: r.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.db.Close() })
	h := hasher{vault.NewPool(r.policy)}
	r.enroll = enroll.New(enroll.Deps{Store: r.db, Policy: r.policy, Vault: r.ring, Hashes: h, Directory: directory{}, Phrases: phrases{},
		Notifier: r.note, Org: "Contoso", Issuer: "Contoso SSPR", Contact: "(704) 296-3143", Domains: []string{"example.org", "example.edu"}})
	r.verify = verify.New(verify.Deps{Store: r.db, Policy: r.policy, Vault: r.ring, Methods: r.enroll, Phrases: phrases{}, Issuer: "Contoso SSPR",
		VerifyAny: h.VerifyAny, Senders: map[bot.Via]bot.Sender{bot.SMS: r.texts, bot.Voice: r.calls, bot.Mail: r.mails}})
	r.enroll.Connect(r.inbox)
	r.verify.Connect(r.inbox)
	r.checks, r.forms = map[string]bot.CheckSpec{}, map[string]bot.FormSpec{}
	for _, s := range append(r.enroll.Specs(), r.verify.Specs()...) {
		r.checks[s.Name] = s
	}
	for _, f := range append(r.enroll.Forms(), r.verify.Forms()...) {
		r.forms[f.Name] = f
	}
	r.people(ann)
	r.conv = r.talk("c1", "u1")
	r.conv.Person, r.conv.Level = ann.ID, bot.L2
	return r
}

// people imports persons.
func (r *rig) people(ps ...bot.Person) {
	r.Helper()
	report, err := r.db.ImportPeople(r.Context(), func(yield func(bot.Person, int) bool) {
		for i, p := range ps {
			if !yield(p, i) {
				return
			}
		}
	}, store.ImportOptions{})
	if err != nil || !report.Stored {
		r.Fatalf("import: %+v, %v", report, err)
	}
}

// talk makes a stored conversation.
func (r *rig) talk(id bot.ConversationID, user string) (conv bot.Conversation) {
	r.Helper()
	ev := &bot.Event{ID: "open-" + string(id), Channel: "test", Conversation: id, From: user, Kind: bot.Open}
	err := r.db.Turn(r.Context(), ev, func(tx bot.Tx, c *bot.Conversation) error {
		conv = *c
		return tx.SaveConversation(c)
	})
	if err != nil {
		r.Fatal(err)
	}
	conv.ID, conv.Channel, conv.User = id, "test", user
	return conv
}

// recording keeps jobs instead of inserting them.
type recording struct {
	bot.Tx
	jobs *[]bot.Job
}

func (tx recording) Enqueue(j bot.Job, _ time.Time) error {
	*tx.jobs = append(*tx.jobs, j)
	return nil
}

// set gives the running flow a slot.
func (r *rig) set(kv ...string) *rig {
	f := bot.Frame{Slots: r.slots}
	for i := 0; i < len(kv); i += 2 {
		f.Set(kv[i], kv[i+1])
	}
	r.slots = f.Slots
	return r
}

func (r *rig) newCall(input string) *bot.Call {
	conv := r.conv
	return &bot.Call{Event: &bot.Event{}, Conversation: &conv, Input: input,
		Session: &bot.Session{Lang: "en", Stack: []bot.Frame{{Flow: "test", Step: "here", Slots: append([]bot.Fact(nil), r.slots...)}}}}
}

// try runs a check as a turn does.
func (r *rig) try(check string, c *bot.Call) (bot.Outcome, error) { return r.tryOn(r.db, check, c) }

// tryOn runs it in one of several processes.
func (r *rig) tryOn(db *store.DB, check string, c *bot.Call) (bot.Outcome, error) {
	spec, ok := r.checks[check]
	if !ok {
		return bot.Outcome{}, errors.New("no check " + check)
	}
	var oc bot.Outcome
	var jobs []bot.Job
	err := db.Update(context.Background(), func(tx bot.Tx) (err error) {
		jobs = nil
		oc, err = spec.Run(recording{tx, &jobs}, c)
		return err
	})
	if err != nil {
		return oc, err
	}
	facts, declared := spec.Outcomes[oc.Name]
	if !declared {
		return oc, errors.New(check + " gave the undeclared outcome " + oc.Name)
	}
	for _, f := range oc.Facts {
		if !strings.Contains(" "+strings.Join(facts, " ")+" ", " "+f.Name+" ") {
			return oc, errors.New(check + ": outcome " + oc.Name + " gave the undeclared fact " + f.Name)
		}
	}
	if len(oc.Facts) != len(facts) {
		return oc, errors.New(check + ": outcome " + oc.Name + " gave fewer facts than declared")
	}
	r.mu.Lock()
	r.jobs = append(r.jobs, jobs...)
	r.mu.Unlock()
	return oc, nil
}

// run runs a check; its facts become slots, as in a flow.
func (r *rig) run(check, input string) bot.Outcome {
	r.Helper()
	oc, err := r.try(check, r.newCall(input))
	if err != nil {
		r.Fatalf("%s: %v", check, err)
	}
	for _, f := range oc.Facts {
		r.set(f.Name, f.Value)
	}
	return oc
}

// want runs a check and compares its outcome's name.
func (r *rig) want(check, input, outcome string) bot.Outcome {
	r.Helper()
	oc := r.run(check, input)
	if oc.Name != outcome {
		r.Fatalf("%s(%q) = %s %v, want %s", check, input, oc.Name, oc.Facts, outcome)
	}
	return oc
}

// submit prepares a form and runs its check.
func (r *rig) submit(form, check string, kv ...string) bot.Outcome {
	r.Helper()
	oc, err := r.trySubmit(form, check, kv...)
	if err != nil {
		r.Fatalf("form %s: %v", form, err)
	}
	return oc
}

func (r *rig) trySubmit(form, check string, kv ...string) (bot.Outcome, error) {
	c := r.newCall("")
	f := &bot.FormReply{Name: form}
	for i := 0; i < len(kv); i += 2 {
		f.Values = append(f.Values, bot.FormValue{Name: kv[i], Value: bot.Secret(kv[i+1])})
	}
	c.Event.Form = f
	if prepare := r.forms[form].Prepare; prepare != nil {
		prepared, err := prepare(context.Background(), r.db, c)
		if err != nil {
			return bot.Outcome{}, err
		}
		c.Prepared = prepared
	}
	return r.try(check, c)
}

// work runs every job that waits, and returns what it made of them.
func (r *rig) work() (errs []error) {
	r.Helper()
	r.mu.Lock()
	jobs := r.jobs
	r.jobs = nil
	r.mu.Unlock()
	for _, j := range jobs {
		switch j := j.(type) {
		case verify.SendCode:
			errs = append(errs, r.verify.HandleSendCode(r.Context(), j))
		case enroll.Notify:
			errs = append(errs, r.enroll.HandleNotify(r.Context(), j))
		case enroll.Lapse:
			r.jobs = append(r.jobs, j)
		default:
			r.Fatalf("unknown job %T", j)
		}
	}
	return errs
}

// deliver runs the jobs and fails when one fails.
func (r *rig) deliver() {
	r.Helper()
	if err := errors.Join(r.work()...); err != nil {
		r.Fatal(err)
	}
}

func fact(oc bot.Outcome, name string) string {
	for _, f := range oc.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// view reads the store.
func view[T any](r *rig, f func(bot.Tx) (T, error)) T {
	r.Helper()
	var v T
	err := r.db.View(r.Context(), func(tx bot.Tx) (err error) {
		v, err = f(tx)
		return err
	})
	if err != nil {
		r.Fatal(err)
	}
	return v
}

// methods lists Ann's methods in a state.
func (r *rig) methods(state bot.MethodState) (on []bot.Method) {
	r.Helper()
	for _, m := range view(r, func(tx bot.Tx) ([]bot.Method, error) { return tx.Methods(ann.ID) }) {
		if m.State == state {
			on = append(on, m)
		}
	}
	return on
}

// seedOf opens the key of the newest authenticator in a state.
func (r *rig) seedOf(state bot.MethodState) []byte {
	r.Helper()
	for _, m := range r.methods(state) {
		if m.Kind == bot.Authenticator {
			seed, err := r.ring.Open(m.Sealed, m.Place())
			if err != nil {
				r.Fatal(err)
			}
			return seed
		}
	}
	r.Fatal("no authenticator")
	return nil
}

// phone makes an active phone of Ann's.
func (r *rig) phone(number string) {
	r.Helper()
	r.set("via", "sms").want("phone.accept", number, "ok")
	r.want("code.send", "", "sent")
	r.deliver()
	r.want("code.check", r.texts.Code(r.T, r.texts.Calls()), "ok")
}
