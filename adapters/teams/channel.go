package teams

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// What is said in channels of a team. A message into a channel begins a thread:
// the connector makes a conversation of it, whose id is the channel's with
// ";messageid=" and the message's behind it (the page on proactive messages).

var rootShape = regexp.MustCompile(`^[0-9]{1,20}$`)

// Room implements bot.RoomWriter: a channel by its id, as it stands in the
// address that "Get link to channel" gives, unescaped.
func (a *Adapter) Room(id string) (bot.Opened, error) {
	name, at, _ := strings.Cut(strings.TrimPrefix(id, "19:"), "@thread.")
	if !strings.HasPrefix(id, "19:") || !bot.Plain(name, 200, "_-") || at != "tacv2" && at != "skype" {
		return bot.Opened{}, chat.Refused("teams: this is no id of a channel; it looks like 19:…@thread.tacv2 and stands in the channel's link (Get link to channel)")
	}
	return a.place(&address{Service: a.o.ServiceURL, Conversation: id, User: id, Bot: a.botID(), Channel: id})
}

// Thread implements bot.RoomWriter. A thread of Teams has no name.
func (a *Adapter) Thread(room []byte, receipt, _ string) (bot.Opened, error) {
	to, err := a.readAddress(room)
	if err != nil || to.Channel == "" || to.Root != "" || !rootShape.MatchString(receipt) {
		return bot.Opened{}, chat.Refused("teams: thread: not a message of a channel")
	}
	to = to.with(receipt)
	to.Root = receipt
	return a.place(to)
}

// place is a channel or a thread.
func (a *Adapter) place(to *address) (bot.Opened, error) {
	b, err := json.Marshal(to)
	if err != nil {
		return bot.Opened{}, &bot.SendError{Kind: bot.SendPermanent, Err: err}
	}
	return bot.Opened{Conversation: bot.ConversationID(string(a.o.Channel) + "|" + to.Conversation), Address: b}, nil
}

// with is where a message of ours stands: one of a channel is a thread of its own.
func (to *address) with(receipt string) *address {
	if to.Channel == "" || to.Root != "" {
		return to
	}
	at := *to
	at.Conversation = to.Channel + ";messageid=" + receipt
	return &at
}

// say is Send into a channel or a thread.
func (a *Adapter) say(ctx context.Context, d *bot.Delivery, to *address) (bot.Receipt, error) {
	out, err := a.public(d)
	if err != nil {
		return bot.Receipt{}, err
	}
	if err := a.myTurn(ctx, to); err != nil {
		return bot.Receipt{}, err
	}
	id := ""
	if to.Root == "" {
		id, err = a.begin(ctx, to, out)
	} else {
		id, err = a.answer(ctx, to, out)
	}
	if err != nil {
		e := fault(err)
		_ = a.noted(e)
		return bot.Receipt{}, closedRoom(err, e)
	}
	a.well("connector")
	return bot.Receipt{ID: id}, nil
}

// ExamineRoom implements bot.RoomExaminer. It sends that the bot is typing, which takes
// the right to write there, and which Teams shows nobody in a channel.
func (a *Adapter) ExamineRoom(ctx context.Context, id string) error {
	at, err := a.Room(id)
	if err != nil {
		return err
	}
	to, err := a.readAddress(at.Address)
	if err != nil {
		return err
	}
	body, err := to.envelope(&outgoing{Type: "typing"}, a.o.BotName)
	if err == nil {
		err = a.call(ctx, http.MethodPost, to.Service, to.activities(""), body, nil)
	}
	if err != nil {
		return closedRoom(err, fault(err))
	}
	return nil
}

// public renders what several people are to read. It fails with *bot.SendError.
func (a *Adapter) public(d *bot.Delivery) (*outgoing, error) {
	if err := chat.Public("teams", d); err != nil {
		return nil, err
	}
	m := d.Message
	out, err := render(&m, frame{phrases: a.o.Phrases, lang: a.o.Lang, inline: a.o.Emulator, picture: a.o.Picture})
	if err != nil {
		return nil, &bot.SendError{Kind: bot.SendPermanent, Code: "refused", Err: err}
	}
	return out, nil
}

// begin begins a thread in a channel.
func (a *Adapter) begin(ctx context.Context, to *address, out *outgoing) (id string, err error) {
	b := a.newOpening()
	b.Group, b.Data.Channel, b.Activity = true, &party{ID: to.Channel}, out
	conv, id, err := a.create(ctx, to.Service, b)
	if id == "" && err == nil {
		_, id, _ = strings.Cut(conv, ";messageid=")
	}
	return id, err
}

// answer answers in a thread (Reply to Activity).
func (a *Adapter) answer(ctx context.Context, to *address, out *outgoing) (id string, err error) {
	body, err := to.envelope(out, a.o.BotName)
	if err != nil {
		return "", &unsent{err}
	}
	var made struct {
		ID string `json:"id"`
	}
	err = a.call(ctx, http.MethodPost, to.Service, to.activities(to.Root), body, &made)
	return made.ID, err
}

// roomReasons are the connector's codes for channels that cannot be written to.
var roomReasons = map[string]chat.Reason{
	"BotNotInConversationRoster": {Why: bot.WhyNotInstalled, Text: "the app is not in the team of this channel; add it there (the team's menu, Manage team, Apps), with a package that has the team scope"},
	"BotDisabledByAdmin":         reasons["BotDisabledByAdmin"],
	"ConversationBlockedByUser":  {Why: bot.WhyClosed, Text: "the moderation of the channel keeps the bot from writing there"},
	"MessageWritesBlocked":       {Why: bot.WhyClosed, Text: "the moderation of the channel keeps the bot from writing there"},
	"ConversationNotFound":       {Why: bot.WhyNotFound, Text: "there is no such channel or thread any more; check the channel's id"},
	"NotFound":                   {Why: bot.WhyNotFound, Text: "there is no such channel or thread any more; check the channel's id"},
}

// closedRoom is an error of writing into a channel, with what an operator can do.
func closedRoom(err error, e *bot.SendError) *bot.SendError {
	r := new(refusal)
	_ = errors.As(err, &r)
	return chat.ClosedRoom("teams", e, roomReasons[r.code], r.said())
}

// Edit implements bot.Editor (Update Activity).
func (a *Adapter) Edit(ctx context.Context, d bot.Delivery, receipt string) error {
	to, err := a.readAddress(d.Address)
	if err != nil {
		return &bot.SendError{Kind: bot.SendGone, Code: "unreachable", Err: err}
	}
	if len(receipt) > 256 || !receiptShape.MatchString(receipt) {
		return chat.Refused("teams: not the id of a message")
	}
	out, err := a.public(&d)
	if err != nil {
		return err
	}
	to = to.with(receipt)
	if err := a.myTurn(ctx, to); err != nil {
		return err
	}
	if err := a.replace(ctx, to, receipt, out); err != nil {
		return a.noted(fault(err))
	}
	return nil
}
