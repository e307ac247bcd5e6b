package bot

import "context"

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
