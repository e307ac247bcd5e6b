package slack

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/slack-go/slack"

	"latchkey/bot"
)

// The callback_ids of our modals.
const (
	callbackEntry  = "entry"
	callbackTicket = "ticket"
)

// The one field of the modal.
const (
	entryBlock  = "entry"
	entryAction = "value"
)

// entryLengths bound what a field takes, in characters.
var entryLengths = map[bot.EntryKind]int{bot.EntryCode: 100, bot.EntryPhone: 100, bot.EntryEmail: 320}

// entry is what a button tells about the modal that it opens.
type entry struct {
	Prompt uint32        `json:"n"`
	Kind   bot.EntryKind `json:"k"`
	Title  string        `json:"t"`
	Label  string        `json:"l"`
	Lang   string        `json:"g,omitempty"`
}

// entryValue is the value of the button that opens a modal. It has all that the
// modal shows: its three seconds leave no time to ask anybody
// (https://docs.slack.dev/surfaces/modals).
func entryValue(prompt uint32, lang string, e *bot.Entry) string {
	b, _ := json.Marshal(entry{Prompt: prompt, Kind: e.Kind, Title: bot.Harmless(e.Title), Label: bot.Harmless(e.Label), Lang: lang})
	return string(b)
}

var errEntry = errors.New("slack: the value of the button is not ours")

func readEntry(value string) (entry, error) {
	var e entry
	if len(value) > maxValue || json.Unmarshal([]byte(value), &e) != nil || e.Prompt == 0 || e.Title == "" || e.Label == "" {
		return entry{}, errEntry
	}
	if _, ok := entryLengths[e.Kind]; !ok {
		return entry{}, errEntry
	}
	return e, nil
}

// modal is the form for a short answer, as views.open takes it. It is pure.
func (e entry) modal(ps bot.Phrases) slack.ModalViewRequest {
	var field slack.BlockElement
	if e.Kind == bot.EntryEmail {
		f := slack.NewEmailTextInputBlockElement(nil, entryAction)
		f.FocusOnLoad = true
		field = f
	} else {
		f := slack.NewPlainTextInputBlockElement(nil, entryAction)
		f.FocusOnLoad, f.MinLength, f.MaxLength = true, 1, entryLengths[e.Kind]
		field = f
	}
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: callbackEntry, PrivateMetadata: strconv.FormatUint(uint64(e.Prompt), 10),
		Title:  plain(e.Title, maxTitle),
		Submit: plain(bot.Harmless(ps.Phrase(e.Lang, "chat.send")), maxTitle),
		Close:  plain(bot.Harmless(ps.Phrase(e.Lang, "chat.cancel")), maxTitle),
		Blocks: slack.Blocks{BlockSet: []slack.Block{slack.NewInputBlock(entryBlock, plain(e.Label, 2000), nil, field)}},
	}
}

// A ticketForm is what the modal of a ticket's card tells when it is sent.
type ticketForm struct {
	Choice  string `json:"c"`
	Channel string `json:"r"` // where the card stands
	Lists   int    `json:"l,omitempty"`
	Text    bool   `json:"t,omitempty"` // there is a field, too
}

// listBlock is the id of a list's block.
func listBlock(n int) string { return "list" + strconv.Itoa(n) }

// ticketModal is the form of a ticket's card. It is pure.
func ticketModal(f *bot.TicketForm, channel string, ps bot.Phrases, lang string) slack.ModalViewRequest {
	say := func(key string) string { return bot.Harmless(ps.Phrase(lang, key)) }
	var blocks []slack.Block
	for n, l := range f.Lists {
		var all []*slack.OptionBlockObject
		for _, o := range l.Options {
			all = append(all, slack.NewOptionBlockObject(o.ID, plain(o.Label, bot.MaxTicketOption), nil))
		}
		blocks = append(blocks, slack.NewInputBlock(listBlock(n), plain(l.Label, 2000), nil, slack.NewOptionsSelectBlockElement(slack.OptTypeStatic, nil, entryAction, all...)))
	}
	if f.Label != "" {
		field := slack.NewPlainTextInputBlockElement(nil, entryAction)
		field.Multiline, field.FocusOnLoad, field.MaxLength = true, len(blocks) == 0, bot.MaxTicketText
		b := slack.NewInputBlock(entryBlock, plain(f.Label, 2000), nil, field)
		if b.Optional = f.Optional; !f.Optional {
			field.MinLength = 1
		}
		blocks = append(blocks, b)
	}
	kept, _ := json.Marshal(ticketForm{f.Choice, channel, len(f.Lists), f.Label != ""}) // of texts: it cannot fail
	return slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: callbackTicket, PrivateMetadata: string(kept),
		Title: plain(f.Title, maxTitle), Submit: plain(say("chat.send"), maxTitle), Close: plain(say("chat.cancel"), maxTitle),
		Blocks: slack.Blocks{BlockSet: blocks},
	}
}

// choiceValue reads the value of a button of ours.
func choiceValue(v string) (prompt uint32, choice string, ok bool) {
	n, choice, ok := strings.Cut(v, " ")
	p, err := strconv.ParseUint(n, 10, 32)
	return uint32(p), choice, ok && err == nil && choice != ""
}
