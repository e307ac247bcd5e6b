package discord

import (
	"cmp"
	"context"
	"net/http"
	"strconv"

	"github.com/bwmarrin/discordgo"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// Open implements bot.Opener, for people whose account is linked: Discord tells
// a bot no address and finds nobody by one. Create DM gives the channel that
// there is (User Resource), so it may be asked again. Whether the person takes
// direct messages shows only when something is said.
func (a *Adapter) Open(ctx context.Context, p bot.Recipient) (bot.Opened, error) {
	if !snowflake(p.User) {
		return bot.Opened{}, chat.NotReached("discord", bot.WhyNotLinked, "no account in Discord is known of this person, and Discord finds nobody by an address; they have to write to the bot and sign in first")
	}
	channel, err := a.openChannel(ctx, p.User)
	if err != nil {
		return bot.Opened{}, unreachable(err)
	}
	at := a.note(p.User, func(pl *place) { pl.Channel = channel })
	return bot.Opened{Conversation: a.conversation(p.User), User: p.User, Address: encode(at.address), Locale: at.locale}, nil
}

// reasons are Discord's codes for people that cannot be written to.
var reasons = map[int]chat.Reason{
	codeUnknownUser:    {Why: bot.WhyNotFound, Text: "Discord has no such account any more; the person has to be linked anew"},
	codeClosed:         {Why: bot.WhyClosed, Text: "the person takes no direct messages of the bot; they can allow them in the privacy settings of the server"},
	codeNoAccess:       {Why: bot.WhyClosed, Text: "the person takes no direct messages of the bot; they can allow them in the privacy settings of the server"},
	codeNoCommonServer: {Why: bot.WhyNotInstalled, Text: "the person is in no server that has the bot; invite them, or add the bot to theirs"},
}

// unreachable is an error of asking, as Open tells it.
func unreachable(err error) *bot.SendError {
	se, no := classify(err), codeOf(err)
	if no == codeFlagged { // it is about the bot, and an operator can mend it
		se.Kind, se.Code = bot.SendRetry, ""
	}
	return chat.Unreachable("discord", se, reasons[no], strconv.Itoa(no))
}

// Room implements bot.RoomWriter: a text channel of a server by its id.
func (a *Adapter) Room(id string) (bot.Opened, error) {
	if !snowflake(id) {
		return bot.Opened{}, chat.Refused("discord: this is no id of a channel; switch on Developer Mode and choose Copy Channel ID")
	}
	return bot.Opened{Conversation: a.conversation("#" + id), Address: encode(address{Channel: id, Room: id})}, nil
}

// maxName is how long the name of a thread may be (Start Thread from Message).
const maxName = 100

// Thread implements bot.RoomWriter. The thread of a message has the id of the
// message, and a message has one (Start Thread from Message); it is made when
// something is said in it.
func (a *Adapter) Thread(room []byte, receipt, title string) (bot.Opened, error) {
	at, ok := readAddress(room)
	if !ok || at.Room == "" || at.Channel != at.Room || !snowflake(receipt) {
		return bot.Opened{}, chat.Refused("discord: thread: not a message of a server's channel")
	}
	at.Channel, at.Title = receipt, cut(oneLine(title), maxName)
	return bot.Opened{Conversation: a.conversation("#" + at.Room + "|" + receipt), Address: encode(at)}, nil
}

// say is Send into a channel of a server or a thread.
func (a *Adapter) say(ctx context.Context, d *bot.Delivery, at address) (bot.Receipt, error) {
	m, err := a.public(d)
	if err != nil {
		return bot.Receipt{}, err
	}
	id, err := a.post(ctx, at.Channel, m, nil)
	if at.Channel != at.Room && codeOf(err) == codeUnknownChannel {
		if err = a.startThread(ctx, at); err == nil {
			id, err = a.post(ctx, at.Channel, m, nil)
		}
	}
	if err != nil {
		return bot.Receipt{}, closedRoom(err)
	}
	return bot.Receipt{ID: id}, nil
}

// ExamineRoom implements bot.RoomExaminer. It has Discord show for ten seconds that
// the bot is typing, which takes the right to write there.
func (a *Adapter) ExamineRoom(ctx context.Context, id string) error {
	if _, err := a.Room(id); err != nil {
		return err
	}
	if _, err := a.do(ctx, request{method: http.MethodPost, address: discordgo.EndpointChannelTyping(id)}); err != nil {
		return closedRoom(err)
	}
	return nil
}

// public renders what several people are to read. A picture is told in words:
// sending files would take a right more. It fails with *bot.SendError.
func (a *Adapter) public(d *bot.Delivery) (message, error) {
	if err := chat.Public("discord", d); err != nil {
		return message{}, err
	}
	w, err := render(d, a.o.Phrases, a.o.Lang, func(string) ([]byte, bool) { return nil, false })
	if err != nil {
		return message{}, &bot.SendError{Kind: bot.SendPermanent, Err: err}
	}
	return w.Message, nil
}

// week is how long a thread without a message stays in the list, in minutes.
const week = 10080

// startThread makes the thread of a message. That there is one already is no
// error: an attempt before this one was not answered.
func (a *Adapter) startThread(ctx context.Context, at address) error {
	_, err := a.do(ctx, request{
		method: http.MethodPost, address: discordgo.EndpointChannelMessageThread(at.Room, at.Channel), bucket: discordgo.EndpointChannelMessageThread(at.Room, ""),
		body: encode(map[string]any{"name": cmp.Or(at.Title, a.o.BotName), "auto_archive_duration": week}),
	})
	if codeOf(err) == codeHasThread {
		return nil
	}
	return err
}

// roomReasons are Discord's codes for channels that cannot be written to.
var roomReasons = map[int]chat.Reason{
	codeUnknownChannel: {Why: bot.WhyNotFound, Text: "there is no such channel; check its id"},
	codeUnknownMessage: {Why: bot.WhyNotFound, Text: "the message whose thread it is has been deleted"},
	codeNoAccess:       {Why: bot.WhyNotInstalled, Text: "the bot does not see this channel; add it to the server, and let its role view the channel"},
	codeNoPermission:   {Why: bot.WhyClosed, Text: "the bot may not write in this channel; let its role send messages, create public threads and send messages in threads there"},
	codeLocked:         {Why: bot.WhyClosed, Text: "the thread is locked"},
}

// closedRoom is an error of writing into a channel, with what an operator can do.
func closedRoom(err error) *bot.SendError {
	no := codeOf(err)
	return chat.ClosedRoom("discord", classify(err), roomReasons[no], strconv.Itoa(no))
}

// Edit implements bot.Editor (Edit Message). Files of the message go: a picture
// that was there is not what the message says now.
func (a *Adapter) Edit(ctx context.Context, d bot.Delivery, receipt string) error {
	at, ok := readAddress(d.Address)
	if !ok || !snowflake(receipt) {
		return chat.Refused("discord: a receipt that is none, or no address")
	}
	m, err := a.public(&d)
	if err != nil {
		return err
	}
	err = a.edit(ctx, at.Channel, receipt, struct {
		message
		Attachments []attachment `json:"attachments"`
	}{m, []attachment{}})
	switch {
	case err == nil:
		return nil
	case codeOf(err) == codeUnknownMessage:
		return &bot.SendError{Kind: bot.SendPermanent, Code: "refused", Err: err}
	case at.Room != "":
		return closedRoom(err)
	}
	return classify(err)
}
