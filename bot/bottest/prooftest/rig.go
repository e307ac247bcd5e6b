package prooftest

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/desk"
	people "latchkey/bot/directory"
	"latchkey/bot/enroll"
	"latchkey/bot/policy"
	"latchkey/bot/readiness"
	"latchkey/bot/vault"
	"latchkey/bot/verify"
	"latchkey/store"
)

// A Rig is the two services over a real store, vault and hasher, and the
// conversation of one person with them. Try, TryOn and TrySubmit may run at the
// same time; everything else is for one goroutine.
type Rig struct {
	*testing.T
	Dir      string // of the database file; empty when the rig is on a server
	Clock    *bottest.Clock
	DB       *store.DB
	Ring     *vault.Ring
	Policy   *policy.Policy
	Verify   *verify.Service
	Enroll   *enroll.Service
	Ready    *readiness.Service
	Texts    *bottest.Sender
	Calls    *bottest.Sender
	Mails    *bottest.Sender
	Notifier *bottest.Notifier
	Phones   *bottest.Texter // notices by text
	Inbox    *Inbox
	Conv     bot.Conversation // Ann's, signed in; NewCall copies it
	Slots    []bot.Fact       // of the running flow
	Checks   map[string]bot.CheckSpec
	Forms    map[string]bot.FormSpec

	mu   sync.Mutex
	Jobs []bot.Job   // what checks enqueued and Work has not run
	Due  []time.Time // when each job that was ever enqueued in Store is due; zero: at once
}

// New makes a rig on a database file of its own. The policy is the default
// one with a cheap slow hash; change may move its numbers first.
func New(t *testing.T, change ...func(*policy.Policy)) *Rig {
	t.Helper()
	dir := t.TempDir()
	r := NewOn(t, filepath.Join(dir, "bot.db"), change...)
	r.Dir = dir
	return r
}

// AskDesk takes down a request to the help desk.
func AskDesk(tx bot.Tx, q bot.Ticket) (string, error) {
	id, _, err := desk.Ask(tx, q)
	return id, err
}

// NewOn makes a rig on an empty database that exists.
func NewOn(t *testing.T, dsn string, change ...func(*policy.Policy)) *Rig {
	t.Helper()
	r := &Rig{T: t, Clock: bottest.NewClock(time.Date(2026, 5, 3, 10, 0, 0, 0, time.UTC)), Policy: policy.Default(),
		Texts: &bottest.Sender{}, Calls: &bottest.Sender{}, Mails: &bottest.Sender{}, Notifier: &bottest.Notifier{}, Phones: &bottest.Texter{}, Inbox: &Inbox{}}
	r.Policy.ArgonMemoryKiB, r.Policy.ArgonTime = 64, 1
	for _, f := range change {
		f(r.Policy)
	}
	var err error
	if r.Ring, err = vault.New(); err != nil {
		t.Fatal(err)
	}
	r.DB, err = store.Open(t.Context(), store.Options{DSN: dsn, Clock: r.Clock.Now, Monotonic: r.Clock.Monotonic, Vault: r.Ring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.DB.Close() })
	h := hasher{vault.NewPool(r.Policy)}
	r.Enroll = enroll.New(enroll.Deps{Store: r.Store(r.DB), Policy: r.Policy, Vault: r.Ring, Hashes: h, Directory: directory{}, Phrases: Phrases{},
		Notifier: r.Notifier, Org: "Contoso", Issuer: "Contoso SSPR", Contact: func(bot.Phrases, string) string { return "(704) 296-3143" }, Domains: []string{"example.org", "example.edu"},
		Phone: "(704) 296-3143", Texts: r.Phones, AskDesk: AskDesk, AlertsTo: []string{"ops@example.org"}, AlertsLang: "en",
		MayText: func(tx bot.Tx, p bot.PersonID, e164 string) (bool, error) { return r.Verify.MayText(tx, p, e164) }})
	r.Verify = verify.New(verify.Deps{Store: r.DB, Policy: r.Policy, Vault: r.Ring, Methods: r.Enroll, Phrases: Phrases{}, Issuer: "Contoso SSPR",
		VerifyAny: h.VerifyAny, Senders: map[bot.Via]bot.Sender{bot.SMS: r.Texts, bot.Voice: r.Calls, bot.Mail: r.Mails}})
	r.Enroll.Connect(r.Inbox)
	r.Verify.Connect(r.Inbox)
	r.Checks, r.Forms = map[string]bot.CheckSpec{}, map[string]bot.FormSpec{}
	r.Ready = &readiness.Service{Phrases: Phrases{}}
	for _, s := range slices.Concat(r.Enroll.Specs(), r.Verify.Specs(), r.Ready.Specs(), new(people.Service).Specs()) {
		r.Checks[s.Name] = s
	}
	for _, f := range append(r.Enroll.Forms(), r.Verify.Forms()...) {
		r.Forms[f.Name] = f
	}
	ann := Ann()
	r.People(ann)
	r.Conv = r.Talk("c1", "u1")
	r.Conv.Person, r.Conv.Level = ann.ID, bot.L2
	return r
}

// Facts are those that the shipped scripts name.
var Facts = map[string]string{
	"org": "Contoso", "bot_name": "Latchkey", "department": "IT", "help_phone": "(704) 296-3143", "help_hours": "8 to 5",
	"help_address": "1 School Lane", "help_email": "help@example.org", "default_domain": "example.org", "example_phone": "(201) 555-0123",
	"store_ios": "https://apps.example/ios", "store_android": "https://apps.example/android", "trouble_url": "https://help.example/trouble", "reset_url": "",
	"entra": "", "security_info_url": "https://aka.ms/mysecurityinfo",
}
