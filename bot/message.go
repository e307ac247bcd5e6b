package bot

import "strings"

// A Message is what the bot says in one turn: one text, and at most one set of
// choices, one picture and one private form. It is stored in the outbox as
// JSON, so nothing in it is secret: where a secret must be shown (a QR, a key)
// it holds a Reveal, which the outbox resolves at the moment of sending.
type Message struct {
	Text     string   `json:"t"`
	Progress string   `json:"g,omitempty"` // "Step 2 of 4", in the person's language
	Ref      string   `json:"r,omitempty"` // the step's number on the printed guide, for example "P3"
	Choices  []Choice `json:"c,omitempty"`
	Picture  *Picture `json:"p,omitempty"`
	Form     *Form    `json:"f,omitempty"`
	Entry    *Entry   `json:"e,omitempty"`
	Reveal   *Reveal  `json:"v,omitempty"`
	Prompt   uint32   `json:"n,omitempty"` // number of the prompt that Choices, Form and Entry belong to
	Lang     string   `json:"l,omitempty"` // language of Text, for screen readers and speech
	Fleeting bool     `json:"x,omitempty"` // retract it when its step is over, or after ten minutes
	// Echo is a number or an address that stands masked in Text and is shown in
	// full, once, so that the person can say whether it is right.
	Echo *Reveal `json:"q,omitempty"`
	// Heard is what this answers, as it may stand in a transcript: the label
	// of the choice, the words of a command, or dots in place of anything that
	// might be private. Kept for channels whose platform keeps no transcript.
	Heard string `json:"h,omitempty"`
}

// Unheard stands in Message.Heard for what was typed and might be private.
const Unheard = "••••••"

// A Choice is a button. People may also type its label, its number or one of
// the words the script gives it.
type Choice struct {
	ID      string `json:"i"`
	Label   string `json:"l"`
	Primary bool   `json:"p,omitempty"` // the recommended one
	Link    string `json:"u,omitempty"` // opens this address (allow-listed in the script); pressing sends no event
}

// A Picture is shown beside the text. Alt says in words all that the picture
// tells and never contains a secret.
type Picture struct {
	Name string `json:"n"` // file in flows/library/pictures, without suffix; empty when the message's Reveal makes the picture
	Alt  string `json:"a"`
}

// EntryKind says what an Entry takes.
type EntryKind string

// The kinds of entries.
const (
	EntryCode  EntryKind = "code"  // a one-time code, six digits
	EntryPhone EntryKind = "phone" // a phone number
	EntryEmail EntryKind = "email" // a mail address
)

// An Entry says that the prompt waits for a short typed answer, so that a
// platform can offer a form of its own for it (a modal, a dialog): what stands
// there does not enter the history of the chat, as what is typed into the chat
// does. Typing into the chat works all the same. What was entered comes in as a
// Text event with Event.Prompt.
type Entry struct {
	Kind   EntryKind `json:"k"`
	Title  string    `json:"t"` // of the form, at most MaxEntryTitle runes
	Label  string    `json:"l"` // of its one field, at most MaxEntryLabel runes
	Button string    `json:"b"` // opens it, at most MaxEntryButton runes
}

// What the smallest platform shows of an Entry, in runes: the title of a Slack
// modal, the label of a field in a Discord modal, a button that is still read
// on a phone.
const (
	MaxEntryTitle  = 24
	MaxEntryLabel  = 45
	MaxEntryButton = 30
)

// RevealKind says which secret a message shows.
type RevealKind string

// RevealTOTP shows a pending authenticator key: the QR picture, the
// otpauth link for the same phone, and the key in groups of four.
const RevealTOTP RevealKind = "totp"

// RevealTyped shows the number or the address of a pending phone or mailbox in
// the place of its masked form. It stands in Message.Echo only.
const RevealTyped RevealKind = "typed"

// A Reveal points to a secret that is opened only while the message is sent.
type Reveal struct {
	Kind   RevealKind `json:"k"`
	Method MethodID   `json:"m"`
}

// A Revealed secret, ready to be shown once. It lives in memory only.
type Revealed struct {
	URI  Secret   // otpauth://totp/... (Key URI format)
	Key  Secret   // base32 in groups of four, separated by spaces
	PNG  []byte   // the QR picture, 1 bit per pixel, quiet zone included
	Rows []string // the QR as half-block characters, black on white, quiet zone included

	Masked string // of RevealTyped: as it stands in the text
	Full   Secret // of RevealTyped: as people write it
}

// Echoed is text with what r reveals in the place of its masked form. r may be
// nil: then the masked form stays.
func (r *Revealed) Echoed(text string) string {
	if r == nil || r.Masked == "" || r.Full == "" {
		return text
	}
	return strings.ReplaceAll(text, r.Masked, string(r.Full))
}

// A Form asks for values that must not stand in a chat: a password, answers.
// An adapter shows it by its safest means: a masked local prompt, or a button
// to a one-time page.
type Form struct {
	Name    string  `json:"n"`
	Title   string  `json:"t"`
	Fields  []Field `json:"f"`
	Button  string  `json:"b"`           // label of the button that opens or submits it
	Reveals bool    `json:"r,omitempty"` // it shows something once (recovery codes) and asks for a confirmation
	// SignIn: no fields; it opens the sign-in of the organisation (OpenID
	// Connect). Where that happens on a one-time page, the page then shows a
	// code, and the step waits for that code in the chat.
	SignIn bool `json:"s,omitempty"`
}

// A Field of a Form.
type Field struct {
	Name  string `json:"n"`
	Label string `json:"l"`
	Mask  bool   `json:"m,omitempty"` // do not echo
}

// Fact is a named, printable, harmless value: a masked number, a count, a
// time. Facts become slots of the running flow and fill its texts.
type Fact struct {
	Name  string `json:"n"`
	Value string `json:"v"`
}

// Facts builds a list of facts from name, value pairs.
func Facts(kv ...string) []Fact {
	fs := make([]Fact, 0, len(kv)/2)
	for i := 0; i+1 < len(kv); i += 2 {
		fs = append(fs, Fact{kv[i], kv[i+1]})
	}
	return fs
}
