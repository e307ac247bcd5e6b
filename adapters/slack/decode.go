package slack

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// A what says what happened.
type what uint8

const (
	nothing   what = iota // understood, and none of our business
	said                  // a text, perhaps with files
	pressed               // a button of a message
	opened                // the direct messages were opened
	homeSeen              // App Home was opened
	homeUsed              // a button of App Home
	mentioned             // in a channel
	commanded             // the slash command
	asks                  // the button that opens a modal
	entered               // a modal was sent
	replied               // the modal of a ticket's card was sent
	gone                  // the app was uninstalled, or its token revoked
	challenge             // Slack checks the address
)

// An arrival is one thing that Slack tells, whichever way it came.
type arrival struct {
	what    what
	id      string   // stable over Slack's redeliveries
	team    string   // the workspace where it happened
	teams   []string // the workspaces and organisations that it is told to
	user    string
	channel string   // where it happened: of the message, or of the direct messages
	ts      string   // of the message that it is about
	text    string   // said, commanded, entered, challenge; as typed
	files   bool     // said: something was attached
	picked  []string // replied: in the lists of its form
	choice  string   // pressed, replied: bot.Choice.ID; homeUsed: what
	label   string   // pressed: what the button said
	lang    string   // pressed: of the message
	prompt  uint32   // pressed, entered
	trigger string   // asks, pressed: good for three seconds
	entry   entry    // asks
	message *standingMessage
	why     string // gone: what happened
	source  source
}

// A source is what Slack told, as it came: how it is to be decoded, and the bytes.
type source struct {
	How string `json:"how"`
	Raw string `json:"raw"`
}

// The ways of decoding.
const (
	fromEvent       = "event"
	fromForm        = "form"
	fromInteraction = "interaction"
	fromCommand     = "command" // by Socket Mode, as JSON
)

// decode reads what Slack told.
func (s source) decode() (v arrival, err error) {
	switch raw := []byte(s.Raw); s.How {
	case fromEvent:
		v, err = decodeEvent(raw)
	case fromForm:
		v, err = decodeForm(raw)
	case fromInteraction:
		v, err = decodeInteraction(raw)
	case fromCommand:
		var c slack.SlashCommand
		if json.Unmarshal(raw, &c) != nil {
			return arrival{}, fmt.Errorf("%w: no command", errUndecodable)
		}
		v, err = decodeCommand(c)
	}
	v.source = s
	return v, err
}

// once names what is done once in a while for arrivals like this one.
func (v *arrival) once() string {
	switch v.what {
	case pressed:
		return "settled " + v.id
	case mentioned:
		return "channel " + v.channel + v.user
	}
	return ""
}

// A standingMessage is a message of ours as it stands, with what one needs to
// take its buttons away.
type standingMessage struct {
	Text   string          // as Slack gave it, escaped
	Blocks json.RawMessage // as Slack gave them
}

// errUndecodable is wrapped by the errors of the decoders. Their texts hold
// nothing of what came.
var errUndecodable = errors.New("slack: not understood")

// maxInput bounds what is looked at, in bytes.
const maxInput = 1 << 20

// What Slack tells is decoded here as far as it is needed, and no further: the
// library decodes all of it, and one field of another shape (a file whose comment
// is a text, https://docs.slack.dev/reference/objects/file-object, where it
// expects an object) then costs the person their answer.
type (
	// outerEvent is what an event comes in.
	outerEvent struct {
		Type           string `json:"type"`
		Challenge      string `json:"challenge"`
		EventID        string `json:"event_id"`
		TeamID         string `json:"team_id"`
		EnterpriseID   string `json:"enterprise_id"`
		Authorizations []struct {
			TeamID       string `json:"team_id"`
			EnterpriseID string `json:"enterprise_id"`
		} `json:"authorizations"`
		Event json.RawMessage `json:"event"`
	}
	// innerEvent is any of the events that the manifest asks for.
	innerEvent struct {
		User        string          `json:"user"`
		Channel     string          `json:"channel"`
		ChannelType string          `json:"channel_type"`
		SubType     string          `json:"subtype"`
		BotID       string          `json:"bot_id"`
		TS          string          `json:"ts"`
		Text        string          `json:"text"`
		Tab         string          `json:"tab"`
		Blocks      json.RawMessage `json:"blocks"`
		Edited      json.RawMessage `json:"edited"`
		Files       json.RawMessage `json:"files"`
		Tokens      struct {
			Bot []string `json:"bot"`
		} `json:"tokens"`
	}
	// interaction is a pressed button or a sent modal.
	interaction struct {
		Type string `json:"type"`
		User struct {
			ID     string `json:"id"`
			TeamID string `json:"team_id"`
		} `json:"user"`
		Team struct {
			ID string `json:"id"`
		} `json:"team"`
		Enterprise struct {
			ID string `json:"id"`
		} `json:"enterprise"`
		Channel struct {
			ID string `json:"id"`
		} `json:"channel"`
		Container struct {
			ChannelID string `json:"channel_id"`
			MessageTS string `json:"message_ts"`
		} `json:"container"`
		Message struct {
			TS     string          `json:"ts"`
			Text   string          `json:"text"`
			Blocks json.RawMessage `json:"blocks"`
		} `json:"message"`
		TriggerID string            `json:"trigger_id"`
		Actions   []json.RawMessage `json:"actions"`
		View      struct {
			ID              string `json:"id"`
			Hash            string `json:"hash"`
			CallbackID      string `json:"callback_id"`
			PrivateMetadata string `json:"private_metadata"`
			State           struct {
				Values map[string]map[string]json.RawMessage `json:"values"`
			} `json:"state"`
		} `json:"view"`
	}
	// action is a button of a message or of App Home.
	action struct {
		ActionID string `json:"action_id"`
		BlockID  string `json:"block_id"`
		ActionTS string `json:"action_ts"`
		Value    string `json:"value"`
		Text     struct {
			Text string `json:"text"`
		} `json:"text"`
	}
)

// decodeEvent reads a request of the Events API, or the payload of an envelope
// of type "events_api" (https://docs.slack.dev/apis/events-api).
func decodeEvent(raw []byte) (arrival, error) {
	var outer outerEvent
	if len(raw) > maxInput || !utf8.Valid(raw) || json.Unmarshal(raw, &outer) != nil {
		return arrival{}, fmt.Errorf("%w: no event", errUndecodable)
	}
	switch outer.Type {
	case slackevents.URLVerification:
		if !isOpaque(outer.Challenge) {
			return arrival{}, fmt.Errorf("%w: no challenge", errUndecodable)
		}
		return arrival{what: challenge, text: outer.Challenge}, nil
	case slackevents.CallbackEvent:
	default: // app_rate_limited and whatever comes one day
		return arrival{}, nil
	}
	var head struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(outer.Event, &head) != nil {
		return arrival{}, fmt.Errorf("%w: no event inside", errUndecodable)
	}
	kind := slackevents.EventsAPIType(head.Type)
	switch kind {
	case slackevents.Message, slackevents.AppMention, slackevents.AppHomeOpened, slackevents.AppUninstalled, slackevents.TokensRevoked:
	default:
		return arrival{}, nil
	}
	var e innerEvent
	if json.Unmarshal(outer.Event, &e) != nil {
		return arrival{}, fmt.Errorf("%w: an event of another shape", errUndecodable)
	}
	if !isOpaque(outer.EventID) || !teamID.MatchString(outer.TeamID) {
		return arrival{}, fmt.Errorf("%w: an event without its ids", errUndecodable)
	}
	v := arrival{id: outer.EventID, team: outer.TeamID, user: e.User, channel: e.Channel}
	for _, to := range outer.Authorizations[:min(len(outer.Authorizations), 10)] {
		v.teams = append(v.teams, to.TeamID, to.EnterpriseID)
	}
	v.teams = append(v.teams, outer.EnterpriseID)
	switch kind {
	case slackevents.AppUninstalled:
		v.what, v.why = gone, "app_uninstalled"
		return v, nil
	case slackevents.TokensRevoked:
		if len(e.Tokens.Bot) == 0 { // those of users are none of ours
			return arrival{}, nil
		}
		v.what, v.why = gone, "token_revoked"
		return v, nil
	case slackevents.AppHomeOpened:
		switch e.Tab {
		case "home":
			v.what = homeSeen
		case "messages":
			v.what = opened
		default:
			return arrival{}, nil
		}
	case slackevents.AppMention:
		if e.BotID != "" || present(e.Edited) {
			return arrival{}, nil
		}
		v.what, v.ts = mentioned, e.TS
	case slackevents.Message:
		// Edited and deleted messages, what bots say and what Slack notes come
		// with a subtype.
		if e.BotID != "" || e.SubType != "" && e.SubType != slack.MsgSubTypeFileShare {
			return arrival{}, nil
		}
		if e.ChannelType != "" && e.ChannelType != "im" || e.ChannelType == "" && !dmID.MatchString(e.Channel) {
			return arrival{}, nil // in a channel, only a mention is for us
		}
		v.what, v.ts, v.text = said, e.TS, emoji(typed(e.Text), e.Blocks)
		v.files = e.SubType == slack.MsgSubTypeFileShare || present(e.Files)
	}
	return v.checked()
}

// present reports whether a field of any shape has something in it.
func present(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", "[]", "{}":
		return false
	}
	return true
}

// decodeCommand reads a slash command: its form, or the same as JSON
// (https://docs.slack.dev/interactivity/implementing-slash-commands).
func decodeCommand(c slack.SlashCommand) (arrival, error) {
	v := arrival{what: commanded, id: "cmd-" + c.TriggerID, team: c.TeamID, teams: []string{c.EnterpriseID}, user: c.UserID, channel: c.ChannelID, text: emoji(typed(c.Text), nil)}
	if !isOpaque(c.TriggerID) || !utf8.ValidString(c.Text) {
		return arrival{}, fmt.Errorf("%w: a command without its ids", errUndecodable)
	}
	return v.checked()
}

// decodeForm reads what comes as a form: an interaction or a command.
func decodeForm(raw []byte) (arrival, error) {
	if len(raw) > maxInput {
		return arrival{}, fmt.Errorf("%w: too long", errUndecodable)
	}
	form, err := url.ParseQuery(string(raw))
	switch {
	case err != nil:
		return arrival{}, fmt.Errorf("%w: no form", errUndecodable)
	case form.Has("payload"):
		return decodeInteraction([]byte(form.Get("payload")))
	case form.Has("command"):
		return decodeCommand(slack.SlashCommand{
			TeamID: form.Get("team_id"), EnterpriseID: form.Get("enterprise_id"), UserID: form.Get("user_id"), ChannelID: form.Get("channel_id"),
			Command: form.Get("command"), Text: form.Get("text"), TriggerID: form.Get("trigger_id"),
		})
	case form.Get("ssl_check") == "1":
		return arrival{}, nil
	}
	return arrival{}, fmt.Errorf("%w: a form of another kind", errUndecodable)
}

// decodeInteraction reads a pressed button or a sent modal
// (https://docs.slack.dev/reference/interaction-payloads).
func decodeInteraction(raw []byte) (arrival, error) {
	var ic interaction
	if len(raw) > maxInput || !utf8.Valid(raw) || json.Unmarshal(raw, &ic) != nil {
		return arrival{}, fmt.Errorf("%w: no interaction", errUndecodable)
	}
	v := arrival{team: ic.User.TeamID, teams: []string{ic.Enterprise.ID}, user: ic.User.ID, channel: ic.Channel.ID}
	if ic.Team.ID != "" {
		v.team = ic.Team.ID
	}
	switch slack.InteractionType(ic.Type) {
	case slack.InteractionTypeBlockActions:
		var b action
		if len(ic.Actions) == 0 || json.Unmarshal(ic.Actions[0], &b) != nil {
			return arrival{}, fmt.Errorf("%w: a press of nothing", errUndecodable)
		}
		return decodePress(&ic, &b, v)
	case slack.InteractionTypeViewSubmission:
		switch ic.View.CallbackID {
		case callbackEntry:
			return decodeSubmission(&ic, v)
		case callbackTicket:
			return decodeReply(&ic, v)
		}
		return arrival{}, nil
	}
	return arrival{}, nil // view_closed and what other apps do
}

func decodePress(ic *interaction, b *action, v arrival) (arrival, error) {
	v.channel = cmp.Or(v.channel, ic.Container.ChannelID)
	if v.ts = ic.Container.MessageTS; v.ts == "" {
		v.ts = ic.Message.TS
	}
	// Slack gives a press no id: it is what was pressed where, by whom, when.
	v.id = "act-" + v.ts + "-" + b.ActionTS + "-" + v.user
	kind, rest, _ := strings.Cut(b.ActionID, ":")
	switch kind {
	case actionChoice:
		var ok bool
		if v.prompt, v.choice, ok = choiceValue(unescapes.Replace(b.Value)); !ok || !utf8.ValidString(v.choice) {
			return arrival{}, fmt.Errorf("%w: a choice of another shape", errUndecodable)
		}
		v.what, v.label = pressed, unescapes.Replace(b.Text.Text)
		_, v.lang, _ = strings.Cut(b.BlockID, "-")
		if isOpaque(ic.TriggerID) {
			v.trigger = ic.TriggerID
		}
		v.message = &standingMessage{Text: ic.Message.Text, Blocks: ic.Message.Blocks}
	case actionEntry:
		var err error
		if v.entry, err = readEntry(unescapes.Replace(b.Value)); err != nil {
			return arrival{}, fmt.Errorf("%w: a form of another shape", errUndecodable)
		}
		v.what, v.trigger = asks, ic.TriggerID
		if !isOpaque(v.trigger) {
			return arrival{}, fmt.Errorf("%w: a press without its trigger", errUndecodable)
		}
	case actionHome:
		v.what, v.choice, v.channel, v.ts = homeUsed, rest, "", ""
		v.id = "home-" + rest + "-" + b.ActionTS + "-" + v.user
		if rest != homeStart && rest != homeMethods && rest != homeHelp {
			return arrival{}, fmt.Errorf("%w: another button of App Home", errUndecodable)
		}
	default: // links: the browser has opened them
		return arrival{}, nil
	}
	if !stamp.MatchString(b.ActionTS) || v.what != homeUsed && !stamp.MatchString(v.ts) {
		return arrival{}, fmt.Errorf("%w: a press without its time", errUndecodable)
	}
	return v.checked()
}

func decodeSubmission(ic *interaction, v arrival) (arrival, error) {
	var field struct {
		Value string `json:"value"`
	}
	var prompt entry
	switch {
	case json.Unmarshal(ic.View.State.Values[entryBlock][entryAction], &field) != nil:
		return arrival{}, fmt.Errorf("%w: a form without its value", errUndecodable)
	case !utf8.ValidString(field.Value) || json.Unmarshal([]byte(ic.View.PrivateMetadata), &prompt.Prompt) != nil || prompt.Prompt == 0:
		return arrival{}, fmt.Errorf("%w: a form of another shape", errUndecodable)
	}
	if !isOpaque(ic.View.ID) || !isOpaque(ic.View.Hash) {
		return arrival{}, fmt.Errorf("%w: a form without its ids", errUndecodable)
	}
	// One view is opened for one answer, and closes with it.
	v.what, v.id, v.prompt, v.text, v.channel = entered, "view-"+ic.View.ID+"-"+ic.View.Hash, prompt.Prompt, emoji(field.Value, nil), ""
	return v.checked()
}

// decodeReply reads the form of a ticket's card.
func decodeReply(ic *interaction, v arrival) (arrival, error) {
	var field struct {
		Value  string `json:"value"`
		Picked struct {
			Value string `json:"value"`
		} `json:"selected_option"`
	}
	var of ticketForm
	read := func(block string) bool {
		return json.Unmarshal(ic.View.State.Values[block][entryAction], &field) == nil && utf8.ValidString(field.Value) && utf8.ValidString(field.Picked.Value)
	}
	bad := json.Unmarshal([]byte(ic.View.PrivateMetadata), &of) != nil || !utf8.ValidString(of.Choice) || !bot.TicketAsks(of.Choice) || of.Channel == "" || of.Lists < 0 || of.Lists > 5
	for n := 0; !bad && n < of.Lists; n++ {
		bad = !read(listBlock(n))
		v.picked = append(v.picked, field.Picked.Value)
	}
	switch {
	case bad, of.Text && !read(entryBlock):
		return arrival{}, fmt.Errorf("%w: a form of another shape", errUndecodable)
	case !isOpaque(ic.View.ID) || !isOpaque(ic.View.Hash):
		return arrival{}, fmt.Errorf("%w: a form without its ids", errUndecodable)
	}
	v.what, v.id, v.text, v.choice, v.channel = replied, "view-"+ic.View.ID+"-"+ic.View.Hash, emoji(field.Value, nil), of.Choice, of.Channel
	return v.checked()
}

// checked refuses what lacks an id.
func (v arrival) checked() (arrival, error) {
	switch {
	case !userID.MatchString(v.user), !teamID.MatchString(v.team), !isOpaque(v.id),
		v.channel != "" && !anyRoomID.MatchString(v.channel),
		v.ts != "" && !stamp.MatchString(v.ts),
		v.what == said && (!dmID.MatchString(v.channel) || v.ts == ""):
		return arrival{}, fmt.Errorf("%w: an id is missing, or of another shape", errUndecodable)
	}
	v.text = chat.Clip(v.text)
	return v, nil
}
