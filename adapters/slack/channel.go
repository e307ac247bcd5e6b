package slack

import (
	"context"
	"strings"

	"github.com/slack-go/slack"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// What is said in channels of the workspace, and in their threads.

// Room implements bot.RoomWriter: a channel by its id, as it stands at the end
// of the channel's details in Slack.
func (a *Adapter) Room(id string) (bot.Opened, error) {
	if !roomID.MatchString(id) {
		return bot.Opened{}, chat.Refused("slack: this is no id of a channel; it looks like C0123ABCD and stands at the end of the channel's details")
	}
	return a.place(address{Room: id}), nil
}

// Thread implements bot.RoomWriter. A thread of Slack's has no name.
func (a *Adapter) Thread(room []byte, id, _ string) (bot.Opened, error) {
	to := readAddress(room)
	r, err := to.of(id, "thread")
	switch {
	case err != nil:
		return bot.Opened{}, err
	case to.Room == "" || to.Thread != "":
		return bot.Opened{}, chat.Refused("slack: thread: the address is not a channel's")
	}
	to.Thread = r.ts
	return a.place(to), nil
}

// place is a channel or a thread.
func (a *Adapter) place(to address) bot.Opened {
	conv := a.conversation(to.Room)
	if to.Thread != "" {
		conv += bot.ConversationID("|" + to.Thread)
	}
	return bot.Opened{Conversation: conv, Address: to.encode()}
}

// say is Send into a channel or a thread.
func (a *Adapter) say(ctx context.Context, d *bot.Delivery, to address) (receipt, *bot.SendError) {
	if err := chat.Public("slack", d); err != nil {
		return receipt{}, err
	}
	x := Extras{Lang: a.o.Lang}
	if _, err := Render(&d.Message, x, a.o.Phrases); err != nil {
		return receipt{}, &bot.SendError{Kind: bot.SendPermanent, Err: err}
	}
	if err := a.turn(ctx, "chat.postMessage", to.Room); err != nil {
		return receipt{}, err
	}
	r := receipt{channel: to.Room}
	err := a.withDrawing(ctx, &d.Message, func(w Wire) *bot.SendError { return a.post(ctx, &r, to.Thread, d.Key, w) })
	switch {
	case err != nil:
		return receipt{}, closedRoom(err)
	case r.channel != to.Room || !stamp.MatchString(r.ts):
		return receipt{}, errNameless()
	}
	return r, nil
}

// withDrawing gives a message as Slack takes it to do, with its picture as a
// file where Slack takes that, else in words.
func (a *Adapter) withDrawing(ctx context.Context, m *bot.Message, do func(Wire) *bot.SendError) *bot.SendError {
	x := Extras{Lang: a.o.Lang}
	if p := m.Picture; p != nil && p.Name != "" {
		x.File = a.drawing(ctx, p)
	}
	for {
		w, err := Render(m, x, a.o.Phrases)
		if err != nil {
			return &bot.SendError{Kind: bot.SendPermanent, Err: err}
		}
		failed := do(w)
		if failed == nil || x.File == "" || !strings.HasSuffix(failed.Err.Error(), ": invalid_blocks") {
			return failed
		}
		a.drawings.Drop(m.Picture.Name)
		x.File = ""
	}
}

// ExamineRoom implements bot.RoomExaminer. Slack lets those read who may write: only
// that a channel is archived shows no sooner than when something is said there
// (https://docs.slack.dev/reference/methods/conversations.history).
func (a *Adapter) ExamineRoom(ctx context.Context, id string) error {
	if _, err := a.Room(id); err != nil {
		return err
	}
	err := a.ask(ctx, "conversations.history", func(ctx context.Context, api *slack.Client) error {
		_, err := api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{ChannelID: id, Limit: 1})
		return err
	})
	if err != nil {
		return closedRoom(err)
	}
	return nil
}

// roomReasons are Slack's codes for channels that cannot be written to, see the
// errors of https://docs.slack.dev/reference/methods/chat.postMessage.
var roomReasons = map[string]chat.Reason{
	"channel_not_found":       {Why: bot.WhyNotFound, Text: "the workspace has no such channel, or it is a private one without the bot; check its id, and write /invite with the bot's name there"},
	"not_in_channel":          {Why: bot.WhyNotInstalled, Text: "the bot is not in the channel; write /invite with its name there"},
	"is_archived":             {Why: bot.WhyClosed, Text: "the channel is archived"},
	"restricted_action":       {Why: bot.WhyClosed, Text: "a setting of the workspace keeps apps from writing into the channel; its owner can change that"},
	"thread_not_found":        {Why: bot.WhyNotFound, Text: "the message whose thread it is has been deleted"},
	"cannot_reply_to_message": {Why: bot.WhyNotFound, Text: "the message whose thread it is has been deleted"},
}

// closedRoom is an error of writing into a channel, with what an operator can do.
func closedRoom(err *bot.SendError) *bot.SendError {
	code := codeOf(err)
	r := roomReasons[code]
	if strings.HasPrefix(code, "restricted_action_") { // read only, threads only, thread locked
		r = chat.Reason{Why: bot.WhyClosed, Text: "a setting of the channel keeps the bot from writing there"}
	}
	return chat.ClosedRoom("slack", err, r, code)
}

// Edit implements bot.Editor (https://docs.slack.dev/reference/methods/chat.update).
func (a *Adapter) Edit(ctx context.Context, d bot.Delivery, id string) error {
	r, err := readAddress(d.Address).of(id, "edit")
	if err == nil {
		err = chat.Public("slack", &d)
	}
	switch {
	case err != nil:
		return err
	case r.file != "":
		return chat.Refused("slack: edit: a secret is taken back, never changed")
	}
	err = a.withDrawing(ctx, &d.Message, func(w Wire) *bot.SendError {
		return a.ask(ctx, "chat.update", func(ctx context.Context, api *slack.Client) error {
			_, _, _, err := api.UpdateMessageContext(ctx, r.channel, r.ts, slack.MsgOptionText(w.Text, false), slack.MsgOptionBlocks(w.Blocks...), slack.MsgOptionParse(false))
			return err
		})
	})
	return chat.Error(err)
}
