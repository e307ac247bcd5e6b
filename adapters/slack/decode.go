package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"

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
	channel string // where it happened: of the message, or of the direct messages
	ts      string // of the message that it is about
	text    string // said, commanded, entered, challenge; as typed
	files   bool   // said: something was attached
	choice  string // pressed: bot.Choice.ID; homeUsed: what
	label   string // pressed: what the button said
	lang    string // pressed: of the message
	prompt  uint32 // pressed, entered
	trigger string // asks: good for three seconds
	entry   entry  // asks
	message *standingMessage
	why     string // gone: what happened
}

// A standingMessage is a message of ours as it stands, with what one needs to
// take its buttons away.
type standingMessage struct {
	text   string
	blocks []slack.Block
}

// errUndecodable is wrapped by the errors of the decoders. Their texts hold
// nothing of what came.
var errUndecodable = errors.New("slack: not understood")

// maxInput bounds what is looked at, in bytes.
const maxInput = 1 << 20

// decodeEvent reads a request of the Events API, or the payload of an envelope
// of type "events_api" (https://docs.slack.dev/apis/events-api).
func decodeEvent(raw []byte) (arrival, error) {
	var head struct {
		Type      string `json:"type"`
		Challenge string `json:"challenge"`
	}
	if len(raw) > maxInput || !utf8.Valid(raw) || json.Unmarshal(raw, &head) != nil {
		return arrival{}, fmt.Errorf("%w: no event", errUndecodable)
	}
	switch head.Type {
	case slackevents.URLVerification:
		if !opaqueID.MatchString(head.Challenge) {
			return arrival{}, fmt.Errorf("%w: no challenge", errUndecodable)
		}
		return arrival{what: challenge, text: head.Challenge}, nil
	case slackevents.CallbackEvent:
	default: // app_rate_limited and whatever comes one day
		return arrival{}, nil
	}
	var inner struct {
		Event struct {
			Type string `json:"type"`
		} `json:"event"`
	}
	if json.Unmarshal(raw, &inner) != nil {
		return arrival{}, fmt.Errorf("%w: no event inside", errUndecodable)
	}
	switch slackevents.EventsAPIType(inner.Event.Type) {
	case slackevents.Message, slackevents.AppMention, slackevents.AppHomeOpened, slackevents.AppUninstalled, slackevents.TokensRevoked:
	default:
		return arrival{}, nil
	}
	ev, err := slackevents.ParseEvent(raw, slackevents.OptionNoVerifyToken())
	if err != nil {
		return arrival{}, fmt.Errorf("%w: an event of another shape", errUndecodable)
	}
	outer, ok := ev.Data.(*slackevents.EventsAPICallbackEvent)
	if !ok || !opaqueID.MatchString(outer.EventID) || !teamID.MatchString(outer.TeamID) {
		return arrival{}, fmt.Errorf("%w: an event without its ids", errUndecodable)
	}
	v := arrival{id: outer.EventID, team: outer.TeamID}
	for _, to := range outer.Authorizations[:min(len(outer.Authorizations), 10)] {
		v.teams = append(v.teams, to.TeamID, to.EnterpriseID)
	}
	v.teams = append(v.teams, outer.EnterpriseID)
	switch e := ev.InnerEvent.Data.(type) {
	case *slackevents.AppUninstalledEvent:
		v.what, v.why = gone, "app_uninstalled"
		return v, nil
	case *slackevents.TokensRevokedEvent:
		if len(e.Tokens.Bot) == 0 { // those of users are none of ours
			return arrival{}, nil
		}
		v.what, v.why = gone, "token_revoked"
		return v, nil
	case *slackevents.AppHomeOpenedEvent:
		v.user, v.channel = e.User, e.Channel
		switch e.Tab {
		case "home":
			v.what = homeSeen
		case "messages":
			v.what = opened
		default:
			return arrival{}, nil
		}
	case *slackevents.AppMentionEvent:
		if e.BotID != "" || e.Edited != nil {
			return arrival{}, nil
		}
		v.what, v.user, v.channel, v.ts = mentioned, e.User, e.Channel, e.TimeStamp
	case *slackevents.MessageEvent:
		// Edited and deleted messages, what bots say and what Slack notes come
		// with a subtype.
		if e.BotID != "" || e.SubType != "" && e.SubType != slack.MsgSubTypeFileShare {
			return arrival{}, nil
		}
		if e.ChannelType != "" && e.ChannelType != "im" || e.ChannelType == "" && !dmID.MatchString(e.Channel) {
			return arrival{}, nil // in a channel, only a mention is for us
		}
		v.what, v.user, v.channel, v.ts, v.text = said, e.User, e.Channel, e.TimeStamp, typed(e.Text)
		v.files = e.SubType == slack.MsgSubTypeFileShare || e.Message != nil && len(e.Message.Files) > 0
	default:
		return arrival{}, nil
	}
	return v.checked()
}

// decodeCommand reads a slash command: its form, or the same as JSON
// (https://docs.slack.dev/interactivity/implementing-slash-commands).
func decodeCommand(c slack.SlashCommand) (arrival, error) {
	v := arrival{what: commanded, id: "cmd-" + c.TriggerID, team: c.TeamID, teams: []string{c.EnterpriseID}, user: c.UserID, channel: c.ChannelID, text: typed(c.Text)}
	if !opaqueID.MatchString(c.TriggerID) || !utf8.ValidString(c.Text) {
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
	var ic slack.InteractionCallback
	if len(raw) > maxInput || !utf8.Valid(raw) || json.Unmarshal(raw, &ic) != nil {
		return arrival{}, fmt.Errorf("%w: no interaction", errUndecodable)
	}
	v := arrival{team: ic.User.TeamID, teams: []string{ic.Enterprise.ID}, user: ic.User.ID, channel: ic.Channel.ID}
	if ic.Team.ID != "" {
		v.team = ic.Team.ID
	}
	switch ic.Type {
	case slack.InteractionTypeBlockActions:
		if len(ic.ActionCallback.BlockActions) == 0 || ic.ActionCallback.BlockActions[0] == nil {
			return arrival{}, fmt.Errorf("%w: a press of nothing", errUndecodable)
		}
		return decodePress(&ic, v)
	case slack.InteractionTypeViewSubmission:
		if ic.View.CallbackID != callbackEntry {
			return arrival{}, nil
		}
		return decodeSubmission(&ic, v)
	}
	return arrival{}, nil // view_closed and what other apps do
}

func decodePress(ic *slack.InteractionCallback, v arrival) (arrival, error) {
	b := ic.ActionCallback.BlockActions[0]
	if v.channel == "" {
		v.channel = ic.Container.ChannelID
	}
	if v.ts = ic.Container.MessageTs; v.ts == "" {
		v.ts = ic.Message.Timestamp
	}
	// Slack gives a press no id: it is what was pressed where, by whom, when.
	v.id = "act-" + v.ts + "-" + b.ActionTs + "-" + v.user
	kind, rest, _ := strings.Cut(b.ActionID, ":")
	switch kind {
	case actionChoice:
		var ok bool
		if v.prompt, v.choice, ok = choiceValue(unescapes.Replace(b.Value)); !ok || !utf8.ValidString(v.choice) {
			return arrival{}, fmt.Errorf("%w: a choice of another shape", errUndecodable)
		}
		v.what, v.label = pressed, unescapes.Replace(b.Text.Text)
		_, v.lang, _ = strings.Cut(b.BlockID, "-")
		v.message = &standingMessage{text: ic.Message.Text, blocks: ic.Message.Blocks.BlockSet}
	case actionEntry:
		var err error
		if v.entry, err = readEntry(unescapes.Replace(b.Value)); err != nil {
			return arrival{}, fmt.Errorf("%w: a form of another shape", errUndecodable)
		}
		v.what, v.trigger = asks, ic.TriggerID
		if !opaqueID.MatchString(v.trigger) {
			return arrival{}, fmt.Errorf("%w: a press without its trigger", errUndecodable)
		}
	case actionHome:
		v.what, v.choice, v.channel, v.ts = homeUsed, rest, "", ""
		v.id = "home-" + rest + "-" + b.ActionTs + "-" + v.user
		if rest != homeStart && rest != homeMethods && rest != homeHelp {
			return arrival{}, fmt.Errorf("%w: another button of App Home", errUndecodable)
		}
	default: // links: the browser has opened them
		return arrival{}, nil
	}
	if !stamp.MatchString(b.ActionTs) || v.what != homeUsed && !stamp.MatchString(v.ts) {
		return arrival{}, fmt.Errorf("%w: a press without its time", errUndecodable)
	}
	return v.checked()
}

func decodeSubmission(ic *slack.InteractionCallback, v arrival) (arrival, error) {
	if ic.View.State == nil {
		return arrival{}, fmt.Errorf("%w: a form without values", errUndecodable)
	}
	field, ok := ic.View.State.Values[entryBlock][entryAction]
	var prompt entry
	if !ok || !utf8.ValidString(field.Value) || json.Unmarshal([]byte(ic.View.PrivateMetadata), &prompt.Prompt) != nil || prompt.Prompt == 0 {
		return arrival{}, fmt.Errorf("%w: a form of another shape", errUndecodable)
	}
	if !opaqueID.MatchString(ic.View.ID) || !opaqueID.MatchString(ic.View.Hash) {
		return arrival{}, fmt.Errorf("%w: a form without its ids", errUndecodable)
	}
	// One view is opened for one answer, and closes with it.
	v.what, v.id, v.prompt, v.text, v.channel = entered, "view-"+ic.View.ID+"-"+ic.View.Hash, prompt.Prompt, field.Value, ""
	return v.checked()
}

// checked refuses what lacks an id.
func (v arrival) checked() (arrival, error) {
	switch {
	case !userID.MatchString(v.user), !teamID.MatchString(v.team), !opaqueID.MatchString(v.id),
		v.channel != "" && !anyRoomID.MatchString(v.channel),
		v.ts != "" && !stamp.MatchString(v.ts),
		v.what == said && (!dmID.MatchString(v.channel) || v.ts == ""):
		return arrival{}, fmt.Errorf("%w: an id is missing, or of another shape", errUndecodable)
	}
	// Far more than anybody looks at is not carried on; it is still too long.
	if utf8.RuneCountInString(v.text) > bot.MaxText+1 {
		v.text = string([]rune(v.text)[:bot.MaxText+1])
	}
	return v, nil
}
