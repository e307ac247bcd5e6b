package bot

import (
	"context"
	"strings"
	"time"
)

// What an adapter may offer besides Send, for whoever says something that
// nobody there has asked for: to a person who never wrote, in a room of a team,
// or in the place of what was said before. Each is optional.

// An Opener finds or begins the direct conversation with somebody, who may
// never have written.
type Opener interface {
	// Open gives the direct conversation with a person, made where the platform
	// has none yet. Nothing is said in it. Opened again it is the same one, so an
	// attempt whose end nobody saw may be repeated.
	//
	// It fails with *SendError: SendGone says that the person is not reachable
	// on this channel, its Code is one of Unreachable, and its text tells an
	// operator why and what to do. SendRetry and SendThrottled say that it is not
	// known now. It never fails with SendUncertain.
	//
	// An account that was found by its address alone may be written to. Who has
	// the address today is no proof of who somebody is: nothing is linked by it.
	Open(ctx context.Context, p Recipient) (Opened, error)
}

// A Recipient is somebody to be written to, as far as they are known. What is
// empty is not known.
type Recipient struct {
	User   string   // the platform's id of the account, as Event.From has it, of a linked identity
	Person PersonID // the directory's id
	Email  string   // the work address
}

// Opened is where one can write, in the words of an Event.
type Opened struct {
	Conversation ConversationID
	User         string // the platform's id of the person; empty in a room and in a thread
	Address      []byte // as Event.Address
	Locale       string // BCP 47; empty: the platform does not tell
}

// Why a person is not reachable on a channel, or a room cannot be written to:
// the Code of a SendError that is SendGone.
const (
	WhyNotInstalled = "not_installed" // the bot is not there for this person, or not in this room
	WhyNotFound     = "not_found"     // the platform has no such account, or no such room
	WhyDeactivated  = "deactivated"   // the account is switched off
	WhyClosed       = "closed"        // the person takes no messages of the bot, or the room takes none
	WhyNoLicence    = "no_licence"    // the account has no licence for the platform
	WhyNotOurs      = "not_ours"      // the account is a bot's, a guest's, or of another organisation
	WhyNotLinked    = "not_linked"    // the platform finds nobody by id or address of a directory, and no account of the person is known
	WhyNoPush       = "no_push"       // nobody is written to here: people come by themselves
)

// Unreachable lists them.
func Unreachable() []string {
	return []string{WhyNotInstalled, WhyNotFound, WhyDeactivated, WhyClosed, WhyNoLicence, WhyNotOurs, WhyNotLinked, WhyNoPush}
}

// An Opening is where somebody is to write to, by who or what is there. Rows are
// said to its ID. They wait until the outbox has opened it, which makes or finds
// the conversation Opened and moves them there; from then on what is said to ID
// goes there at once.
type Opening struct {
	ID      ConversationID
	Channel ChannelID
	Kind    ConversationKind
	Person  PersonID       // of Direct
	Room    string         // of SharedRoom: the platform's id of it
	Message int64          // of Thread: the ID of the outbox row that it is under
	Title   string         // of Thread: what it is called where threads have a name
	Opened  ConversationID // empty: not yet; of Direct also one that the person began
	// Why is one of Unreachable, or what else OutboxRow.Error tells: the last
	// attempt failed for good, and what waited then was given up. The next thing
	// that is said there tries again. Explained is the same for an operator.
	Why, Explained string
	At             time.Time // when it was opened, or found closed; else when it was made
}

// OpeningPrefix begins the ids of openings. No adapter's conversation begins so.
const OpeningPrefix = "unopened-"

// IsOpening reports whether c is the ID of an Opening.
func (c ConversationID) IsOpening() bool {
	return strings.HasPrefix(string(c), OpeningPrefix) && !strings.ContainsAny(string(c), ":|")
}

// OpeningTx addresses what is said where nobody has written yet. Nothing outside is
// asked.
type OpeningTx interface {
	// Direct gives the direct conversation with a person on a channel: the one
	// that their account there used last, else the one that was opened for them,
	// else an Opening. The error wraps ErrNotFound when there is no such person.
	Direct(ch ChannelID, p PersonID) (ConversationID, error)
	// Room gives a room of the channel by the platform's id of it.
	Room(ch ChannelID, id string) (ConversationID, error)
	// Thread gives the thread under a message that was, or is to be, said in a
	// room. What is said there waits until the message is sent. A row without an
	// ID must be the one that Say was called with last.
	Thread(row *OutboxRow, title string) (ConversationID, error)
	// Opening reads one. ErrNotFound.
	Opening(id ConversationID) (*Opening, error)
	// OpeningsOf lists the openings for a person, by channel: where they were
	// reachable, and where not and why.
	OpeningsOf(p PersonID) ([]Opening, error)
	// Opened notes what an opening became and moves what waits there, to be sent now
	// in its order. The conversation is made when there is none; nobody is linked
	// by it. The error wraps ErrConflict when the account is linked to somebody
	// else than the opening's person.
	Opened(p *Opening, to Opened) error
	// NotOpened notes that one cannot be opened, and gives up what waits there
	// and is due; class is the rows' Error. It returns how many rows these were.
	NotOpened(p *Opening, class string) (int, error)
	// ThreadsDue has what waits for a message of a room to be sent, by the row's
	// ID, looked at again.
	ThreadsDue(message int64) error
}

// A RoomWriter writes where several people read: in a room (a channel of a
// team or of a server), and in the threads under what it has written there.
// What the two methods give is a place for Send, Editor, Deleter and Typer. A
// delivery that is Private is refused there, with SendPermanent.
type RoomWriter interface {
	// Room gives a room by the platform's id of it, as people copy it there.
	// Nothing is asked: whether the bot may write there shows when it does. It
	// fails with *SendError, SendPermanent, when it is no such id.
	Room(id string) (Opened, error)
	// Thread gives the thread under a message that was sent into a room: address
	// is the room's, receipt the message's. title is what the thread is called
	// where threads have a name; it is cut to what fits. It fails with
	// *SendError, SendPermanent.
	Thread(address []byte, receipt, title string) (Opened, error)
}

// A RoomExaminer looks whether the bot may write into a room, and leaves nothing there
// that stays. The error is a *SendError that says what an operator can do.
type RoomExaminer interface {
	ExamineRoom(ctx context.Context, id string) error
}

// An Editor can put another message in the place of one that it has sent.
type Editor interface {
	// Edit makes the message of a receipt say what d.Message says, all of it:
	// buttons that d.Message does not have are gone. d.Address is where it was
	// sent. Done again it changes nothing, so an attempt whose end nobody saw may
	// be repeated. A delivery that is Private is refused with SendPermanent, and
	// so is a message that is not there any more. It fails with *SendError.
	Edit(ctx context.Context, d Delivery, receipt string) error
}

// Private reports whether a delivery holds or asks for what is for one person's
// eyes: a secret, a form, a code to type, or the page of one.
func (d *Delivery) Private() bool {
	m := &d.Message
	return d.Revealed != nil || d.Page != "" || m.Reveal != nil || m.Echo != nil || m.Form != nil || m.Entry != nil
}
