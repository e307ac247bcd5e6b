package slack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// metaType names the metadata of our messages; its payload has the delivery key
// (https://docs.slack.dev/messaging/message-metadata).
const metaType = "latchkey_delivery"

// deliveryMark is what a message carries of its delivery key: a hash, since the
// key names people.
func deliveryMark(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

// How many messages are looked at for one that was sent before: what was said after
// it in direct messages is the person's alone, in a channel other people write.
const (
	lookBack = 40
	roomBack = 200
)

// Find implements bot.Finder. A message carries its key as metadata, so what is
// found is that one, and none that says the same
// (https://docs.slack.dev/reference/methods/conversations.history and
// conversations.replies).
func (a *Adapter) Find(ctx context.Context, d bot.Delivery) (bot.Receipt, error) {
	r, err := a.find(ctx, &d)
	switch {
	case err != nil:
		return bot.Receipt{}, err
	case r.ts == "":
		return bot.Receipt{}, fmt.Errorf("slack: the message is not there: %w", bot.ErrNotFound)
	}
	a.loose.Drop(deliveryMark(d.Key)) // its file stands in it
	if d.User != "" {
		a.answered(d.User, d.Message.Prompt)
	}
	return bot.Receipt{ID: r.String()}, nil
}

func (a *Adapter) find(ctx context.Context, d *bot.Delivery) (receipt, *bot.SendError) {
	to, mark := readAddress(d.Address), deliveryMark(d.Key)
	method, where, form := "conversations.history", to.Room, url.Values{"limit": {strconv.Itoa(roomBack)}, "include_all_metadata": {"true"}}
	switch {
	case to.Thread != "":
		method = "conversations.replies"
		form.Set("ts", to.Thread)
	case to.Room != "":
	case !userID.MatchString(d.User):
		return receipt{}, chat.Refused("slack: the conversation is with nobody of Slack")
	default:
		form.Set("limit", strconv.Itoa(lookBack))
		if where = to.Channel; where == "" {
			var err *bot.SendError
			if where, err = a.room(ctx, d.User); err != nil {
				return receipt{}, err
			}
		}
	}
	form.Set("channel", where)
	for {
		var page struct {
			Messages []json.RawMessage `json:"messages"`
			Meta     struct {
				Next string `json:"next_cursor"`
			} `json:"response_metadata"`
		}
		if err := a.get(ctx, method, form, &page); err != nil {
			if to.Room != "" {
				err = closedRoom(err)
			}
			return receipt{}, chat.Asking(err)
		}
		r := marked(page.Messages, where, mark)
		if r.ts != "" || to.Thread == "" || page.Meta.Next == "" { // a channel begins with the newest, a thread with the oldest
			return r, nil
		}
		form.Set("cursor", page.Meta.Next)
	}
}

// marked finds the message with a mark. Each is decoded by itself: an odd one of
// somebody else's hides no other.
func marked(all []json.RawMessage, room, mark string) receipt {
	for _, raw := range all {
		var m struct {
			TS       string `json:"ts"`
			Metadata struct {
				Type    string `json:"event_type"`
				Payload struct {
					Key  string `json:"key"`
					File string `json:"file"`
				} `json:"event_payload"`
			} `json:"metadata"`
		}
		if json.Unmarshal(raw, &m) != nil || m.Metadata.Type != metaType || m.Metadata.Payload.Key != mark || !stamp.MatchString(m.TS) {
			continue // not ours
		}
		r := receipt{channel: room, ts: m.TS}
		if fileID.MatchString(m.Metadata.Payload.File) {
			r.file = m.Metadata.Payload.File
		}
		return r
	}
	return receipt{}
}
