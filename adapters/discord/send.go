package discord

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/bwmarrin/discordgo"

	"latchkey/bot"
)

var errNoAddress = errors.New("discord: no direct message channel is known of this person")

// Send implements bot.Adapter. The receipt is the id of the message.
func (a *Adapter) Send(ctx context.Context, d bot.Delivery) (bot.Receipt, error) {
	a.signs.Said(string(d.Conversation))
	at, ok := readAddress(d.Address)
	if !ok {
		return bot.Receipt{}, &bot.SendError{Kind: bot.SendGone, Code: "unreachable", Err: errNoAddress}
	}
	if at.Room != "" {
		return a.say(ctx, &d, at)
	}
	w, err := render(&d, a.o.Phrases, a.o.Lang, a.o.Picture)
	if err != nil {
		return bot.Receipt{}, &bot.SendError{Kind: bot.SendPermanent, Err: err}
	}
	id, err := a.post(ctx, at.Channel, w.Message, w.File)
	var no *refusal
	if w.File != nil && errors.As(err, &no) && (no.Status == http.StatusRequestEntityTooLarge || no.Code == codeTooLarge || no.Code == codeNoPermission) {
		a.o.Log.Warn("Discord refuses a picture; the message goes without it", "err", err)
		a.Trouble.Begin(pictures, pictureTrouble(no))
		bare := d.WithoutPicture(a.o.Phrases, a.o.Lang)
		if w, err = render(&bare, a.o.Phrases, a.o.Lang, a.o.Picture); err != nil {
			return bot.Receipt{}, &bot.SendError{Kind: bot.SendPermanent, Err: err}
		}
		id, err = a.post(ctx, at.Channel, w.Message, nil)
	}
	if err == nil {
		if w.File != nil {
			a.Trouble.End(pictures)
		}
		return bot.Receipt{ID: id}, nil
	}
	se := classify(err)
	if se.Kind == bot.SendGone {
		a.closedDoor(context.WithoutCancel(ctx), d.User)
	}
	return bot.Receipt{}, se
}

// pictureTrouble tells an operator why pictures are refused.
func pictureTrouble(no *refusal) string {
	text := "Discord refuses pictures, and people get the key to type in place of a QR code (" + no.Error() + ")"
	if no.Code == codeNoPermission {
		return text + "; let the bot attach files, in the servers that it shares with people"
	}
	return text
}

// post sends a message and gives its id.
func (a *Adapter) post(ctx context.Context, channel string, m message, file []byte) (string, error) {
	q := request{method: http.MethodPost, address: discordgo.EndpointChannelMessages(channel), body: encode(m)}
	if file != nil {
		q.file = &discordgo.File{Name: m.Attachments[0].Filename, ContentType: "image/png", Reader: bytes.NewReader(file)}
	}
	return a.make(ctx, q)
}

// make makes something, and gives its id.
func (a *Adapter) make(ctx context.Context, q request) (string, error) {
	body, err := a.do(ctx, q)
	if err != nil {
		return "", err
	}
	var made struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(body, &made) != nil || !snowflake(made.ID) {
		return "", &refusal{Status: http.StatusOK, Reach: true} // sent, and what became of it is not known
	}
	return made.ID, nil
}

// Delete implements bot.Deleter: the message goes, and its file with it.
func (a *Adapter) Delete(ctx context.Context, d bot.Delivery, receipt string) error {
	at, ok := readAddress(d.Address)
	if !ok || !snowflake(receipt) {
		return &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("discord: a receipt that is none, or no address")}
	}
	_, err := a.do(ctx, request{method: http.MethodDelete, address: discordgo.EndpointChannelMessage(at.Channel, receipt), bucket: discordgo.EndpointChannelMessage(at.Channel, "")})
	if err == nil || codeOf(err) == codeUnknownMessage { // it is gone
		return nil
	}
	return classify(err)
}

// edit changes a message of ours. It is done as well as it can be.
func (a *Adapter) edit(ctx context.Context, channel, id string, m any) error {
	_, err := a.do(ctx, request{method: http.MethodPatch, address: discordgo.EndpointChannelMessage(channel, id), bucket: discordgo.EndpointChannelMessage(channel, ""), body: encode(m)})
	return err
}

// openChannel gives the direct message channel with a person.
func (a *Adapter) openChannel(ctx context.Context, who string) (string, error) {
	if err := a.turnOf(ctx, opening); err != nil {
		return "", err
	}
	return a.make(ctx, request{method: http.MethodPost, address: discordgo.EndpointUserChannels("@me"), body: encode(map[string]string{"recipient_id": who})})
}
