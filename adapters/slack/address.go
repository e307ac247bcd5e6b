package slack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"latchkey/bot"
)

// Slack's immutable ids (https://docs.slack.dev/reference/objects/user-object):
// a letter that tells the kind, then capitals and digits.
var (
	userID    = regexp.MustCompile(`^[UW][A-Z0-9]{2,30}$`)
	roomID    = regexp.MustCompile(`^[CG][A-Z0-9]{2,30}$`)
	dmID      = regexp.MustCompile(`^D[A-Z0-9]{2,30}$`)
	anyRoomID = regexp.MustCompile(`^[CDG][A-Z0-9]{2,30}$`)
	fileID    = regexp.MustCompile(`^F[A-Z0-9]{2,30}$`)
	stamp     = regexp.MustCompile(`^[0-9]{1,12}\.[0-9]{1,9}$`)
)

// isOpaque reports whether s may be an id whose form Slack does not tell.
func isOpaque(s string) bool { return bot.Plain(s, 200, "._-") }

// address is what Send needs, as Event.Address holds it. Nothing in it is
// secret.
type address struct {
	Channel string `json:"c,omitempty"` // of the direct messages, "D..."; empty: not known yet
	Last    string `json:"m,omitempty"` // time stamp of the message that is worked on
	Room    string `json:"r,omitempty"` // a channel of the workspace, "C..." or "G..."; then it is no direct message
	Thread  string `json:"t,omitempty"` // time stamp of the message of Room whose thread it is
}

func (v address) encode() []byte {
	b, _ := json.Marshal(v)
	return b
}

// readAddress is the zero address for what is none of ours.
func readAddress(b []byte) address {
	var v address
	if len(b) > 4096 || json.Unmarshal(b, &v) != nil {
		return address{}
	}
	if !dmID.MatchString(v.Channel) {
		v.Channel = ""
	}
	if !stamp.MatchString(v.Last) {
		v.Last = ""
	}
	if !roomID.MatchString(v.Room) || v.Thread != "" && !stamp.MatchString(v.Thread) {
		v.Room, v.Thread = "", ""
	}
	return v
}

// receipt says which message it was, and which file came with it.
type receipt struct{ channel, ts, file string }

func (r receipt) String() string {
	s := r.channel + "/" + r.ts
	if r.file != "" {
		s += "/" + r.file
	}
	return s
}

func readReceipt(s string) (receipt, bool) {
	if len(s) > 120 {
		return receipt{}, false
	}
	p := strings.Split(s, "/")
	if len(p) < 2 || len(p) > 3 || !anyRoomID.MatchString(p[0]) || !stamp.MatchString(p[1]) {
		return receipt{}, false
	}
	r := receipt{channel: p[0], ts: p[1]}
	if len(p) == 3 {
		if !fileID.MatchString(p[2]) {
			return receipt{}, false
		}
		r.file = p[2]
	}
	return r, true
}

// of gives the message of a receipt, if it is one of the place that an address
// leads to. doing says what for, in its error.
func (v address) of(id, doing string) (receipt, *bot.SendError) {
	r, ok := readReceipt(id)
	place := cmp.Or(v.Room, v.Channel)
	switch {
	case !ok:
		return r, &bot.SendError{Kind: bot.SendPermanent, Err: fmt.Errorf("slack: %s: the receipt names no message", doing)}
	case place != "" && place != r.channel, place == "" && !dmID.MatchString(r.channel):
		return r, &bot.SendError{Kind: bot.SendPermanent, Err: fmt.Errorf("slack: %s: the receipt is of another conversation", doing)}
	}
	return r, nil
}

// conversation is the one that a member of the workspace has with the bot. A
// person has one, whether they write, press a button in App Home or use the
// command somewhere else.
func (a *Adapter) conversation(user string) bot.ConversationID {
	return bot.ConversationID(string(a.o.Channel) + "|" + a.o.Team + "|" + user)
}
