package enroll

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"

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

// Specs declares the checks. On a zero Service they serve lint only.
func (r *Service) Specs() []bot.CheckSpec {
	return []bot.CheckSpec{
		{Name: "person.known", Doc: "is the chat account linked to a person", Run: r.personKnown,
			Outcomes: bot.Outcomes("known name", "unknown", "disabled")},
		{Name: "person.means", Doc: "how do people sign in", Frozen: true, Run: r.personMeans, Outcomes: bot.Outcomes("password", "page", "window", "nobody"), Signals: []string{bot.SignalStopped, bot.SignalSignInLate}},
		{Name: "person.link_code", Doc: "is this the code that the page showed after the sign-in", Run: r.personLinkCode,
			Outcomes: bot.Outcomes("ok name", "held name when", "owner name when", "owner_window name when address", "wrong left", "bad", "expired", "void", "locked wait until", "disabled", "unavailable")},
		{Name: "person.username", Doc: "is this a user name of ours", Frozen: true, Run: r.personUsername,
			Outcomes: bot.Outcomes("ok username", "found username", "foreign domain", "bad", "locked wait until username"), Instead: map[string]string{"found": "ok"}},
		{Name: "person.may_sign_in", Doc: "may the next sign-in with this name be tried now", Takes: []string{"username"}, Frozen: true, Run: r.personMaySignIn,
			Outcomes: bot.Outcomes("now", "locked wait until")},
		{Name: "person.sign_in", Doc: "is this the person's password", Secret: true, Takes: []string{"username"}, Run: r.personSignIn,
			Outcomes: bot.Outcomes("ok name", "wrong left", "locked wait until", "disabled", "unavailable")},
		{Name: "person.status", Doc: "how far is the person", Run: r.personStatus,
			Outcomes: bot.Outcomes("signed_out", "stopped", "none name", "started name list", "enrolled name list")},
		{Name: "person.snooze", Doc: "leave the person alone until tomorrow", Frozen: true, Run: r.personSnooze, Outcomes: bot.Outcomes("ok when")},
		{Name: "person.language", Doc: "remember the person's language", Frozen: true, Run: r.personLanguage, Outcomes: bot.Outcomes("ok")},
		{Name: "person.frozen", Doc: "is the account frozen, since when, and may its person start it again here", Frozen: true, Run: r.personFrozen,
			Outcomes: bot.Outcomes("yes since", "window since address", "mine since", "no", "unknown"), Instead: map[string]string{"window": "yes", "mine": "yes"}},
		{Name: "person.thaw", Doc: "start a frozen account again, for somebody who has just signed in with a second factor", Frozen: true, Run: r.personThaw,
			Outcomes: bot.Outcomes("ok", "again address", "no", "unknown")},
		{Name: "person.not_me", Doc: "\"this was not me\": take held links away, or freeze the account (slot stop: all)", Frozen: true, Run: r.personNotMe,
			Outcomes: bot.Outcomes("frozen request", "removed request", "held", "unknown")},
		{Name: "person.cancel", Doc: "drop what is pending and void its codes", Frozen: true, Run: r.personCancel, Outcomes: bot.Outcomes("ok")},

		{Name: "enroll.start", Doc: "begin or go on enrolling", Run: r.enrollStart,
			Outcomes: bot.Outcomes("fresh name", "partly name list", "done name list", "elsewhere name place channel", "disabled")},
		{Name: "enroll.here", Doc: "go on here: what was begun in other conversations is void", Run: r.enrollHere, Outcomes: bot.Outcomes("ok")},
		{Name: "enroll.next", Doc: "which method is next", Run: r.enrollNext, // slots no_authenticator and no_phone may be empty
			Outcomes: bot.Outcomes("authenticator", "phone", "complete", "none", "stopped")},
		{Name: "enroll.finish", Doc: "the end: is the person enrolled", Run: r.enrollFinish,
			Outcomes: bot.Outcomes("enrolled list receipt", "well list receipt", "short", "stopped")},

		{Name: "totp.begin", Doc: "make or show again the key of an authenticator", Signals: []string{"lapsed"}, Changes: bot.Change, Run: r.totpBegin,
			Outcomes: bot.Outcomes("ready method account issuer")},
		{Name: "phone.accept", Doc: "is this a number that codes can be sent to", Changes: bot.Change, Run: r.phoneAccept,
			Outcomes: bot.Outcomes("ok masked method", "found masked method", "renumbered masked method country", "landline masked method", "bad", "several", "short",
				"extension", "country country", "premium", "tollfree", "shared", "same masked", "work"),
			Instead: map[string]string{"found": "ok", "renumbered": "ok", "several": "bad"}},
		{Name: "email.accept", Doc: "is this a private address", Changes: bot.Change, Run: r.emailAccept,
			Outcomes: bot.Outcomes("ok masked method", "found masked method", "typo masked method domain", "bad", "several", "company domain", "disposable", "long",
				"lookalike", "same masked", "shared"),
			Instead: map[string]string{"found": "ok", "typo": "ok", "several": "bad"}},
		{Name: "email.correct", Doc: "give the pending address the domain that was suggested", Takes: []string{"method"}, Changes: bot.Change, Run: r.emailCorrect,
			Outcomes: bot.Outcomes("found masked method", "bad", "company domain", "disposable", "long", "lookalike", "same masked", "shared", "gone")},
		{Name: "questions.begin", Doc: "may questions be set", Changes: bot.Change, Run: r.questionsBegin, Outcomes: bot.Outcomes("ready", "off")},
		{Name: "questions.save", Doc: "store the answers", Secret: true, Takes: []string{"q1", "q2", "q3"}, Changes: bot.Change, Run: r.questionsSave,
			Outcomes: bot.Outcomes("ok", "again bad problem", "paused wait")},
		{Name: "questions.save_again", Doc: "store the one answer that was asked again", Secret: true, Takes: []string{"bad"}, Changes: bot.Change, Run: r.questionsSaveAgain,
			Outcomes: bot.Outcomes("ok", "again bad problem", "gone", "paused wait")},
		{Name: "recovery.begin", Doc: "may recovery codes be made", Changes: bot.Change, Run: r.recoveryBegin, Outcomes: bot.Outcomes("ready", "paused wait")},
		{Name: "recovery.save", Doc: "store the recovery codes that were shown", Secret: true, Changes: bot.Change, Run: r.recoverySave, Outcomes: bot.Outcomes("ok count", "lapsed")},

		{Name: "methods.list", Doc: "the person's methods", Options: true, Run: r.methodsList, Outcomes: bot.Outcomes("some list count", "none", "stopped")},
		{Name: "methods.missing", Doc: "kinds of methods that may be added", Options: true, Run: r.methodsMissing, Outcomes: bot.Outcomes("some", "none", "stopped")},
		{Name: "methods.show", Doc: "one method", Takes: []string{"method"}, Run: r.methodsShow,
			Outcomes: bot.Outcomes("authenticator masked", "phone masked", "email masked", "questions masked", "recovery masked", "suspended masked", "gone", "stopped")},
		{Name: "methods.resume", Doc: "switch a suspended method on again", Takes: []string{"method"}, Changes: bot.Change, Run: r.methodsResume,
			Outcomes: bot.Outcomes("ok masked", "gone")},
		{Name: "methods.remove", Doc: "remove a method", Takes: []string{"method"}, Changes: bot.Change, Run: r.methodsRemove,
			Outcomes: bot.Outcomes("ok masked", "last masked", "gone")},
	}
}

// Forms declares the private forms.
func (r *Service) Forms() []bot.FormSpec {
	return []bot.FormSpec{
		{Name: "sign_in", Doc: "the directory's password (field password)", Prepare: r.prepareSignIn},
		{Name: "sign_in_page", Doc: "opens the sign-in of the organisation; nothing is submitted"},
		{Name: "answers", Doc: "answers to the questions q1, q2, q3 (fields a1, a2, a3)", Prepare: r.prepareAnswers, Try: r.tryAnswers},
		{Name: "answer_again", Doc: "the answer to the question bad (field again)", Prepare: r.prepareAgain, Try: r.tryAgain},
		{Name: "recovery", Doc: "shows recovery codes and takes the confirmation (field saved)", Reveal: r.revealRecovery},
	}
}

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
