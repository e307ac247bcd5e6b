package bot

import (
	"context"
	"fmt"
	"time"
)

// An Adapter connects one configured platform account. It must not know the
// database, the scripts or another adapter.
type Adapter interface {
	Channel() ChannelID
	// Limits says what the platform can show; the outbox degrades to fit.
	Limits() Limits
	// Run takes events in until ctx ends. It acknowledges an event to the
	// platform only after in.Accept returned nil.
	Run(ctx context.Context, in Inbox) error
	// Send makes one attempt and fails with *SendError. Retrying is not its job.
	Send(ctx context.Context, d Delivery) (Receipt, error)
}

// A Deleter can take a message back. Optional.
type Deleter interface {
	Delete(ctx context.Context, d Delivery, receipt string) error
}

// A Typer can show that an answer is coming. Optional.
type Typer interface {
	Typing(ctx context.Context, address []byte) error
}

// A Pager is an adapter that cannot take or show everything safely by itself.
// Optional.
type Pager interface {
	// WantsPage reports whether a message should come with a one-time page.
	WantsPage(m *Message) bool
}

// A Finder can tell whether a delivery that may have been sent is there. Optional.
type Finder interface {
	// Find looks for what an earlier attempt made of a delivery, by its Key. The
	// error wraps ErrNotFound when it is not there; a *SendError that is
	// SendPermanent says that nobody can tell, any other that it cannot be told
	// now.
	Find(ctx context.Context, d Delivery) (Receipt, error)
}

// A Watched adapter shows what was said to people who look at a conversation,
// in whatever process they do. Optional.
type Watched interface {
	// Said tells that another process may have said something in a conversation.
	// It returns at once.
	Said(conv ConversationID)
}

// Limits of a platform. Zero means no limit.
type Limits struct {
	Text    int // runes in one message
	Choices int // buttons in one message
	Label   int // runes in a button
}

// A Delivery is one message for one conversation. Key is the same for every
// attempt, so that a platform with idempotent sends drops the repeat.
type Delivery struct {
	Key          string
	Conversation ConversationID
	Seq          int64 // of the outbox row: grows by one from message to message of a conversation
	User         string
	Address      []byte
	Author       string // who says it; empty: the bot
	Message      Message
	Revealed     *Revealed // resolved Message.Reveal, or nil; always nil on a channel whose rows are kept, which opens it when it is looked at
	Page         Secret    // address of a one-time page for the message's form or secret, for a Pager that wanted one; else empty
	Attempt      int       // 1 for the first
}

// WithoutPicture is the delivery as it goes out when the platform refuses its
// picture: what a picture of the scripts shows is told in words, and in place of a
// QR code stands that it could not be shown (the phrase chat.no_picture), beside
// the key to type and the link. lang is used when the message has no language.
func (d Delivery) WithoutPicture(ps Phrases, lang string) Delivery {
	if p := d.Message.Picture; p != nil {
		told := *p
		told.Name = ""
		d.Message.Picture = &told
	}
	if d.Revealed != nil {
		if d.Message.Lang != "" {
			lang = d.Message.Lang
		}
		bare := *d.Revealed
		bare.PNG = nil
		d.Revealed, d.Message.Picture = &bare, &Picture{Alt: ps.Phrase(lang, "chat.no_picture")}
	}
	return d
}

// A Receipt says what the platform made of a delivery.
type Receipt struct {
	ID string // the platform's id of the message, for deletion
}

// SendErrorKind classifies a failure by what to do next.
type SendErrorKind uint8

const (
	// SendRetry: nothing was sent; try again.
	SendRetry SendErrorKind = iota
	// SendThrottled: try again after SendError.After.
	SendThrottled
	// SendUncertain: it may have been sent.
	SendUncertain
	// SendPermanent: it will never work; this message is dead.
	SendPermanent
	// SendGone: this person cannot be reached here any more.
	SendGone
)

// A SendError is the only error of Adapter.Send and Sender.SendCode. The
// sender classifies, the caller alone decides what follows.
type SendError struct {
	Kind  SendErrorKind
	After time.Duration // SendThrottled
	Here  bool          // SendThrottled: only this conversation must wait, the others of the channel go on
	// Method, of SendThrottled, is what was throttled where the rest of the
	// platform was not: only messages that need it wait, and the adapter refuses
	// them itself as long as it has to. Empty, without Here: nothing of the
	// channel goes on.
	Method string
	// Content, of SendRetry and SendPermanent: nothing was sent because of what
	// the message carries, such as a picture that cannot be uploaded. Others
	// would go, and this one may without it.
	Content bool
	Code    string // what a script may tell the person: "landline", "opted_out", "unreachable", "refused"; may be empty
	Fix     string // what an operator can do, where the fault is not the destination's: all sends meet it; may be empty
	Err     error  // for the log; without secrets, numbers and addresses
}

// Error implements error.
func (e *SendError) Error() string {
	return fmt.Sprintf("send %s: %v", [...]string{"failed, retry", "throttled", "uncertain", "failed for good", "gone"}[e.Kind], e.Err)
}

// Unwrap gives the cause.
func (e *SendError) Unwrap() error { return e.Err }

// A CodeMessage is a code on its way to a person, outside the chat.
type CodeMessage struct {
	ID      string // the challenge; the same for every attempt
	Via     Via
	To      Secret // E.164 or address
	Code    Secret
	Lang    string
	Purpose string // "enroll" or "prove": the text names it
	Expires time.Time
}

// A Sender carries codes: text, voice call, mail.
type Sender interface {
	// SendCode makes one attempt and fails with *SendError.
	SendCode(ctx context.Context, m CodeMessage) (providerRef string, err error)
}

// A NoticeMessage tells a person about a change of their methods, outside the chat.
type NoticeMessage struct {
	ID      string // the same for every attempt
	To      string // mail address
	Name    string
	Lang    string
	Subject string
	Body    string // plain text
	Link    string // an address that stands in Body, for whoever can show it as a button; may be empty
	Button  string // what the button says
}

// A TextMessage is a short notice on its way to a phone.
type TextMessage struct {
	ID   string // the same for every attempt
	To   Secret // E.164
	Lang string
	Text string
}

// A Texter carries notices by text.
type Texter interface {
	// SendText makes one attempt and fails with *SendError.
	SendText(ctx context.Context, m TextMessage) error
}

// A Notifier carries notices by mail.
type Notifier interface {
	SendNotice(ctx context.Context, m NoticeMessage) error
}
