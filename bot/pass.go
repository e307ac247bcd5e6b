package bot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Why a pass does not open any more. ErrNotFound says that there never was one.
var (
	ErrSpent   = errors.New("used already")
	ErrExpired = errors.New("expired")
)

// ErrDisabled is returned, wrapped, when the directory has disabled a person.
var ErrDisabled = errors.New("account disabled")

// ErrGuest is returned, wrapped, when an account is a guest's: another
// organisation vouches for them. It is an ErrNotFound: they are not staff.
var ErrGuest = fmt.Errorf("account of a guest: %w", ErrNotFound)

// ErrFrozen is returned, wrapped, when an account is frozen. It is an
// ErrDisabled, too, for whoever treats both alike.
var ErrFrozen = fmt.Errorf("account frozen: %w", ErrDisabled)

// PassKind says what a pass opens.
type PassKind string

// The kinds of passes.
const (
	PassSession PassKind = "session" // a web chat, held by a browser's cookie
	PassLink    PassKind = "link"    // a one-time link on its way to a person
	PassPage    PassKind = "page"    // the page that a one-time link opened, held by a cookie
	PassSignIn  PassKind = "sign_in" // a sign-in under way at an identity provider
	PassNotMe   PassKind = "not_me"  // the link "this was not me" of a notice
)

// A Pass opens one thing for whoever shows its token. Only a hash of the token
// is stored, so the table opens nothing for whoever reads it.
type Pass struct {
	Hash         []byte // SHA-256 of the token; the key
	Kind         PassKind
	Conversation ConversationID
	Data         []byte // JSON, as the kind needs it; ids and texts, no secret
	CreatedAt    time.Time
	UsedAt       time.Time
	ExpiresAt    time.Time
	SpentAt      time.Time // zero: not spent
}

// PassTx keeps passes.
type PassTx interface {
	PutPass(p *Pass) error // inserts or replaces
	// Pass finds one, expired and spent ones too until they are pruned, so
	// that a person can be told which it is. ErrNotFound.
	Pass(hash []byte) (*Pass, error)
	// SpendPass marks it spent and reports whether it was still unspent and
	// not expired: a pass is spent once, even by two replicas at once.
	SpendPass(hash []byte) (bool, error)
	DropPass(hash []byte) error // no error when there is none
	// SessionsOf lists the sessions of a conversation that were not spent, also those
	// that have run out.
	SessionsOf(c ConversationID) ([]Pass, error)
}

// A Page is what a one-time link opens: the private form, or the secret, of
// one message in one conversation.
type Page struct {
	Conversation ConversationID `json:"c"`
	Channel      ChannelID      `json:"ch"`
	User         string         `json:"u"` // the chat account that asked, by the platform's id
	Message      Message        `json:"m"` // with Form, or with Reveal
	Asked        time.Time      `json:"a"` // when the link was asked for
	// Person is who has signed in on the page, once it has shown them a code.
	Person  PersonID  `json:"p,omitempty"`
	Expires time.Time `json:"e"` // of the page once it is open
}

// A WebSession is a browser that talks to the bot.
type WebSession struct {
	Conversation ConversationID `json:"c"`
	User         string         `json:"u"`           // Event.From of what it sends
	Name         string         `json:"n,omitempty"` // how the person is called, once signed in
	Framed       bool           `json:"f,omitempty"` // embedded in another site's page
	// Shared: others use this browser, too. The session ends when what it was
	// for is done, and after a short idle time (policy: SharedIdle).
	Shared  bool      `json:"sh,omitempty"`
	Started time.Time `json:"s"`
	// Second is when the person showed a second factor here, at the sign-in or at the
	// help desk, and Desk when they last did something there; zero: never.
	Second time.Time `json:"f2,omitzero"`
	Desk   time.Time `json:"d,omitzero"`
}

// A SignInState is a sign-in under way at an identity provider.
type SignInState struct {
	Page    []byte `json:"p,omitempty"`  // hash of the PassPage it proves for; empty: for the session
	Session []byte `json:"w,omitempty"`  // hash of the PassSession, when there was one
	Shared  bool   `json:"sh,omitempty"` // see WebSession
	Second  bool   `json:"s2,omitempty"` // the provider was asked for a second factor, see SignInAsk
	// Conversation waits for it, and is told when it does not come back; empty: none.
	Conversation ConversationID `json:"-"`
	// Began is when it was begun, by the store's clock. FinishSignIn says it.
	Began time.Time `json:"-"`
}

// A SignInAsk is what a sign-in asks of an identity provider beside who somebody
// is.
type SignInAsk struct {
	Again bool // that the person signs in anew, even if the provider knows them
	Other bool // that the person may take another account than the one the provider knows
	// Second asks for a second factor, in a sign-in that is made anew. Only then
	// External.Second may be true.
	Second bool
	Hint   string // the login of the person who is expected; empty: nobody is
}

// An External is who an identity provider says somebody is.
type External struct {
	Issuer  string
	Subject string
	Person  PersonID  // the claim that holds the directory's id
	AuthAt  time.Time // when the person signed in there, by the provider's clock
	Began   time.Time // when the sign-in was begun here, by our own; zero: not known
	// Second: the sign-in had a second factor, which was asked for in it. It
	// makes L3 of an account that is L2.
	Second bool
}

// NotMeConversation stands in the passes and the request that "this was not me"
// makes: it belongs to a person, and to no chat.
func NotMeConversation(p PersonID) ConversationID { return ConversationID(notMe + string(p)) }

const notMe = "not_me|"

// NotMePerson is the person of a NotMeConversation, or empty.
func NotMePerson(c ConversationID) PersonID {
	p, ok := strings.CutPrefix(string(c), notMe)
	if !ok {
		return ""
	}
	return PersonID(p)
}

// What the first press on "this was not me" did.
const (
	DidFreeze = "frozen"   // the account is frozen
	DidUnlink = "unlinked" // a chat account is not linked any more, and what was set up in it is gone
)

// A Disavowal is what somebody is told who said "this was not me".
type Disavowal struct {
	Lang    string
	What    string // the change, in words
	When    string
	Where   string
	Did     string
	Since   string // DidFreeze: since when
	Request string // number of the request at the help desk; may be empty
	Again   bool   // it was done before
	Thawed  bool   // the help desk has ended the freeze since
}

// Passes hands out tokens and opens what they stand for. Tokens are 32 random
// bytes in base64url. Errors wrap ErrNotFound, ErrExpired or ErrSpent.
type Passes interface {
	BeginSession(ctx context.Context, s WebSession) (token Secret, err error)
	// Session opens one and notes that it was used: it ends when it was idle,
	// or when it has lasted, for longer than the policy allows.
	Session(ctx context.Context, token Secret) (*WebSession, error)
	// PeekSession does not note a use: for a page that only stays open. ends
	// is when the session ends if it is not used again.
	PeekSession(ctx context.Context, token Secret) (s *WebSession, ends time.Time, err error)
	SaveSession(ctx context.Context, token Secret, s WebSession) error
	EndSession(ctx context.Context, token Secret) error
	// Ended gives a mark that changes whenever passes were ended by somebody
	// else than who holds them (OperatorTx.EndPasses), in any process: whoever
	// keeps a stream open then looks again whether its session is still there.
	Ended(ctx context.Context) (mark string, err error)

	NewLink(ctx context.Context, p Page) (token Secret, expires time.Time, err error)
	// OpenLink spends the link and begins its page.
	OpenLink(ctx context.Context, token Secret) (page Secret, p *Page, err error)
	// Page opens a page that was begun, for as long as it lives.
	Page(ctx context.Context, page Secret) (*Page, error)
	SavePage(ctx context.Context, page Secret, p Page) error
	ClosePage(ctx context.Context, page Secret) error

	BeginSignIn(ctx context.Context, s SignInState) (token Secret, err error)
	// FinishSignIn spends it.
	FinishSignIn(ctx context.Context, token Secret) (*SignInState, error)
}
