package adaptertest

import (
	"math/rand/v2"
	"testing"
	"time"

	"latchkey/bot"
)

// A Harness is what one platform gives to the suite, see Run.
type Harness struct {
	// Name says which platform this is, and which way of using it.
	Name string
	// Open makes an account on the platform with nobody in it yet. What it
	// starts ends with t.
	Open func(t testing.TB, house *House) Platform
	// Lacks says why the platform cannot do something. What is not listed is
	// checked. What is listed is tried all the same, and must fail.
	Lacks map[Ability]string
	// Mangled is how many malformed inputs are tried; 0 means 10,000.
	Mangled int
}

// An Ability is something that not every platform has.
type Ability string

// What a platform may lack. The interface in brackets is what a Platform
// implements to have it.
const (
	Arrivals Ability = "arrivals" // it tells when somebody opens the conversation
	Presses  Ability = "presses"  // buttons that are pressed; without it a choice is typed
	Forms    Ability = "forms"    // private forms in the conversation itself
	Reveals  Ability = "reveals"  // forms that show something once, in the conversation itself
	Locales  Ability = "locales"  // it tells a person's language
	People   Ability = "people"   // more than one person
	Names    Ability = "names"    // people have a name that they can change [Renamer]
	Repeats  Ability = "repeats"  // it delivers an event again that was not acknowledged [Wire]
	Forgery  Ability = "forgery"  // somebody else can send what looks like it [Forger]
	Lookups  Ability = "lookups"  // it has to be asked who wrote, and may not answer [Forgetful]

	Language Ability = "language" // a message says which language it is in
	Links    Ability = "links"    // a link that can be followed
	Primary  Ability = "primary"  // the recommended choice is marked
	Pictures Ability = "pictures" // the shipped pictures are shown, not only told
	Pages    Ability = "pages"    // it shows the address of a one-time page
	Erasing  Ability = "erasing"  // what was shown can be taken away again
	Once     Ability = "once"     // a message with a known Delivery.Key is not shown again
	Finding  Ability = "finding"  // whether a message was shown can be asked for [Faulty]
	Throttle Ability = "throttle" // it asks to wait [Faulty]
	Refuse   Ability = "refuse"   // it refuses a message for good [Faulty]
	Leave    Ability = "leave"    // a person cannot be reached any more [Faulty]
	Break    Ability = "break"    // sending fails before anything was sent [Faulty]
	Doubt    Ability = "doubt"    // sending fails after the message was shown [Faulty]
	Bare     Ability = "bare"     // it refuses a picture, and not the message [Faulty]
	Stall    Ability = "stall"    // sending to one person takes long [Staller]

	Opening Ability = "opening" // a person who never wrote can be written to [Directory]
	Editing Ability = "editing" // what was shown can be changed
	Rooms   Ability = "rooms"   // several people read in one place [RoomKeeper]
)

// Pause is what a throttling platform asks for.
const Pause = 7 * time.Second

// PictureName is a picture that House.Picture has, as the library would.
const PictureName = "contract"

// A Platform is one account on a platform, and the people who use it.
type Platform interface {
	// Connect makes the adapter for this account, as the command does. The
	// suite runs it. It is called again after each restart.
	Connect(t testing.TB) bot.Adapter
	// Person is the n-th user, from 0; the same n is the same user.
	Person(n int) Person
	// Mangle sends one malformed input, made with rng, and returns how many
	// events must come of it: 0, unless any input at all is a valid one. word
	// stands in it where a value would, and must not turn up in the log. It
	// returns when the adapter has dealt with it, as far as one can see.
	Mangle(rng *rand.Rand, word string) (events int, err error)
}

// A Person is one user of the platform, with its own program before them. What
// they do fails when their program would not let them. Doing is delivered as
// the platform does it, again and again until it was acknowledged where the
// platform does so.
type Person interface {
	// ID is the platform's immutable id of the user.
	ID() string
	// Locale is the language that the person's program is in, a BCP 47 tag.
	Locale() string

	Arrive() error               // opens the conversation; says nothing
	Say(text string) error       // types a line and sends it
	Press(label string) error    // presses a button that they see, or types the number of the choice
	Open() error                 // asks the open form to show what it shows once
	Fill(values ...string) error // fills the next fields of the open form; the last one sends it

	// Sees are the bot's messages that stand in the conversation, oldest first.
	Sees() ([]Shown, error)
	// Screen is everything that stands there, whoever said it, with what
	// does not meet the eye but is there: addresses, names of files. Where one
	// can see what is being typed, it is that, too.
	Screen() (string, error)
}

// Shown is a message as its reader has it before them.
type Shown struct {
	Text     string // all that is to be read, from top to bottom
	Lang     string // as marked for a screen reader
	Buttons  []Button
	Links    []Link
	Pictures []Picture
	Form     *Form
	// Active is what the platform made of the text: mentions, styles, links
	// that lead elsewhere than they say. An address that leads where it says
	// is a link on many platforms, and none of these.
	Active []string
}

// A Button can be pressed now.
type Button struct {
	Label   string
	Primary bool // it stands out, not by colour alone
}

// A Link can be followed now.
type Link struct{ Label, To string }

// A Picture is shown in a message.
type Picture struct {
	Alt   string                 // what a screen reader says
	Name  string                 // file name, caption, title: all that the platform stores beside it
	Fetch func() ([]byte, error) // the picture, while it is there; nil bytes when it is gone
}

// A Form can be filled now.
type Form struct {
	Title    string
	Fields   []FormField
	OneByOne bool // Fields is only what is asked for now; Fill takes one value
}

// A FormField is one field of a form.
type FormField struct {
	Label  string
	Masked bool // what is typed cannot be read over the shoulder
}

// A Packet is one event on its way from the platform to the adapter.
type Packet any

// A Wire lets the suite decide when, how often and in which order the
// platform delivers.
type Wire interface {
	// Hold has a person do something and keeps what the platform would
	// deliver for it.
	Hold(act func() error) (Packet, error)
	// Deliver delivers a packet once, with whatever signature and time the
	// platform gives to each delivery. acknowledged: the platform will not
	// deliver it again.
	Deliver(p Packet) (acknowledged bool, err error)
}

// A Forger makes packets that the platform did not make, or not for this person.
type Forger interface {
	Wire
	// Forge gives, of a true packet of the victim's, what others could send
	// in its place: without a signature, with an old one, changed after it was
	// signed, by the attacker in the victim's name. The key says what is wrong.
	Forge(victim, attacker Person, p Packet) (map[string]Packet, error)
}

// A Renamer changes the name that people see.
type Renamer interface {
	Rename(p Person, name string) error
}

// A Faulty platform fails on demand.
type Faulty interface {
	// Fault makes it treat what is sent to a person as the ability says
	// (Throttle, Refuse, Leave, Break, Doubt, Bare), until mend is called. Throttle
	// asks for Pause.
	Fault(p Person, what Ability) (mend func())
}

// A Forgetful platform does not say who somebody is, on demand.
type Forgetful interface {
	// Forget keeps it from saying who anybody is, until remember is called.
	Forget() (remember func())
}

// A Staller is a platform that takes long on demand.
type Staller interface {
	// Stall makes whatever is sent to a person take until release is called.
	// begun is closed when the first send is being held up.
	Stall(p Person) (begun <-chan struct{}, release func())
}
