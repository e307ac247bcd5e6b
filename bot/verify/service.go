package verify

import (
	"context"
	"crypto/rand"
	"log/slog"

	"latchkey/bot"
	"latchkey/bot/policy"
)

// Methods is what this service asks of the service in charge of a person's methods.
type Methods interface {
	// Activate makes a pending method active, in a check that has passed the
	// gate of changes.
	Activate(tx bot.Tx, c *bot.Call, m *bot.Method, evidence string) error
	// Proven stores that an active method was proven again and notes the
	// proof for this conversation.
	Proven(tx bot.Tx, c *bot.Call, m *bot.Method, evidence string) error
	// Standing says whether this conversation may change methods now, and
	// what is in the way.
	Standing(tx bot.Tx, c *bot.Call) (bot.Standing, error)
	// Suspend takes a method out of use after too many wrong tries in a row.
	Suspend(tx bot.Tx, c *bot.Call, m *bot.Method) error
	// Wrong is told of every wrong proof.
	Wrong(tx bot.Tx, p bot.PersonID) error
	// Suspicious tells the person of wrong tries: "proof.failed" for every
	// third one, "proof.locked" for a lock.
	Suspicious(tx bot.Tx, c *bot.Call, p bot.PersonID, action string) error
	// Label names a method for people: "Phone •••• 48".
	Label(lang string, m *bot.Method) string
}

// Deps is what the service needs. A Service of zero Deps still gives its Specs.
type Deps struct {
	Store   bot.Store
	Policy  *policy.Policy
	Vault   bot.Vault
	Methods Methods
	Phrases bot.Phrases
	Senders map[bot.Via]bot.Sender
	// Issuer names the organisation in authenticator apps. It has no colon.
	Issuer string
	// Staff is the number of people, for the day's budget of texts. Nil
	// means none: the policy's floor.
	Staff func() int
	// VerifyAny gives the index of the first slow hash that was made from
	// the secret, or -1; see package vault.
	VerifyAny func(ctx context.Context, encoded []string, normalised []byte) (int, error)
	Log       *slog.Logger
}

// A Service proves things. It keeps no state of its own.
//
// Its checks read counters before they read challenges, and methods before
// both: the store makes transactions that count wait for each other, so that
// reading a counter, comparing and counting are one step even for two replicas.
type Service struct {
	Deps
	inbox bot.Inbox
	under underway
}

// New makes a service.
func New(d Deps) *Service {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{Deps: d}
}

// Connect gives the service the inbox that outcomes of sends enter by. Call it
// before the first job runs; it is apart from New because the inbox itself
// needs the service's checks.
func (r *Service) Connect(in bot.Inbox) { r.inbox = in }

func id() string { return rand.Text() }

func say(name string, facts ...string) bot.Outcome {
	return bot.Outcome{Name: name, Facts: bot.Facts(facts...)}
}

func fail(name, code string, facts ...string) bot.Outcome {
	return bot.Outcome{Name: name, Facts: bot.Facts(facts...), Error: code}
}
