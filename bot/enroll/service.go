package enroll

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/policy"
)

// A Hasher makes and compares slow hashes of short secrets, outside any
// transaction and a few at a time. Package vault has one.
type Hasher interface {
	Hash(ctx context.Context, normalised []byte) (encoded string, err error)
	// HashSet hashes recovery codes so that one computation compares with all.
	HashSet(ctx context.Context, codes [][]byte) (encoded []string, err error)
	// VerifyAny gives the index of the first hash made from the secret, or -1.
	VerifyAny(ctx context.Context, encoded []string, normalised []byte) (int, error)
}

// Deps is what the service needs. A Service of zero Deps still gives its Specs.
type Deps struct {
	Store     bot.Store
	Policy    *policy.Policy
	Vault     bot.Vault
	Hashes    Hasher
	Directory bot.Directory
	Phrases   bot.Phrases
	Notifier  bot.Notifier
	Org       string // the organisation, as people call it
	Issuer    string // the same for authenticator apps, without a colon
	// Contact is one line in a language: how to reach the help desk, for notices.
	Contact func(ps bot.Phrases, lang string) string
	Phone   string   // the help desk's number, for texts
	Domains []string // the organisation's mail domains; the first completes short user names
	SignIn  string   // how people sign in: ByPassword (also when empty), ByPage or ByNobody
	// Anonymous is the channel whose accounts stand for nobody until somebody
	// signs in: the web chat. Empty: none.
	Anonymous bot.ChannelID
	// SignInAddress is the page of ours where people sign in for the web chat.
	// Empty: there is none.
	SignInAddress string
	// SecondFactor says that the organisation's provider is asked for a second
	// factor where it counts (bot.External.Second), and SecondFactorAddress is the
	// page of ours where people do that. Without one, a freeze and the loss of all
	// methods are for the help desk.
	SecondFactor        bool
	SecondFactorAddress string
	// Question gives the text of a security question. Nil: questions have
	// no words that an answer could repeat.
	Question func(lang, id string) string
	// AskDesk takes down a request to the help desk and gives its number. Nil:
	// nobody is asked.
	AskDesk func(tx bot.Tx, q bot.Ticket) (number string, err error)
	// Remind has somebody written to when they said "later", and gives when, and in
	// which zone. Nil, or the zero time: nobody does.
	Remind func(tx bot.Tx, p *bot.Person) (at time.Time, zone string, err error)
	// LeaveDesk takes back what the help desk shows of a person who is to be erased.
	// Nil: it shows nothing.
	LeaveDesk func(tx bot.Tx, p bot.PersonID) error
	// GiveBack has the tickets of an agent whose account is stopped go back into the
	// queue, and returns them. Nil: there is no help desk.
	GiveBack func(tx bot.Tx, p bot.PersonID) ([]string, error)
	// Left hears of conversations in which every browser was signed out, and Arrived of
	// one in which somebody has signed in. Nil: nobody does.
	Left    func(tx bot.Tx, convs ...bot.ConversationID) error
	Arrived func(tx bot.Tx, c *bot.Conversation) error
	// Afresh gives the state of a conversation that forgets everything about its
	// person. Nil: unlinking leaves it as it is.
	Afresh func(c *bot.Conversation) []byte
	// Place says where a stored session stands, in a language: the flow, its
	// title, and "Step 2 of 4" or nothing. Nil: nobody is asked whether to go
	// on where they were elsewhere.
	Place func(state []byte, lang string) (flow, title, progress string)
	Log   *slog.Logger

	// Notices beside mail. All may be nil: no texts, every channel, no link.
	Texts bot.Texter
	// MayText counts one more text to a number and reports whether the
	// budgets allow it.
	MayText func(tx bot.Tx, p bot.PersonID, e164 string) (bool, error)
	Serves  func(bot.ChannelID) bool // is this channel configured here
	// PressLink is the address of the page "this was not me" for a token, in a
	// language. change is the last part of a phrase notice.short.*, which the
	// page may show; empty where the address should be short.
	PressLink func(token bot.Secret, lang, change string) bot.Secret

	AlertsTo   []string // mail addresses of operators
	AlertsLang string   // and their language
}

// How people sign in.
const (
	ByPassword = "password" // the directory's password, in a private form
	ByPage     = "page"     // at the organisation's identity provider
	ByNobody   = "nobody"   // nothing says who somebody is: nobody can sign in
)

// A Service keeps the methods of people. It has no state of its own.
type Service struct {
	Deps
	inbox bot.Inbox
}

// New makes a service.
func New(d Deps) *Service {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	ds := make([]string, 0, len(d.Domains))
	for _, x := range d.Domains {
		ds = append(ds, asciiDomain(strings.Trim(strings.TrimSpace(x), "@.")))
	}
	d.Domains = ds
	return &Service{Deps: d}
}

// Connect gives the service the inbox that lapsed keys are told to. Call it before
// the first job runs.
func (r *Service) Connect(in bot.Inbox) { r.inbox = in }

// someone reads the person of a conversation; nil when nobody is proven or the
// person is gone from the directory.
func someone(tx bot.Tx, c *bot.Call) (*bot.Person, error) {
	return personOf(tx, c.Person())
}

// personOf reads a person; nil for nobody, and for one who is gone.
func personOf(tx bot.Tx, id bot.PersonID) (*bot.Person, error) {
	if id == "" {
		return nil, nil
	}
	p, err := tx.Person(id)
	if errors.Is(err, bot.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("enroll: person of the conversation: %w", err)
	}
	return p, nil
}

// called is how a person is addressed.
func called(p *bot.Person) string {
	for _, n := range []string{p.GivenName, p.Name, p.Username} {
		if n != "" {
			return n
		}
	}
	return string(p.ID)
}

func newID() string { return rand.Text() }

func say(name string, facts ...string) bot.Outcome {
	return bot.Outcome{Name: name, Facts: bot.Facts(facts...)}
}

func fail(name, code string, facts ...string) bot.Outcome {
	return bot.Outcome{Name: name, Facts: bot.Facts(facts...), Error: code}
}
