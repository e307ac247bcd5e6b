package teams

import (
	"net/http"

	"latchkey/bot"
)

// The answers to invokes, as they stand in the HTTP response. Source: the page
// on dialogs for bots, and the one on universal actions.
type (
	taskReply struct {
		Task task `json:"task"`
	}
	task struct {
		Type  string `json:"type"` // "continue" shows a card, "message" a line
		Value any    `json:"value"`
	}
	taskCard struct {
		Title  string     `json:"title"`
		Height string     `json:"height"`
		Width  string     `json:"width"`
		Card   attachment `json:"card"`
	}
	actionReply struct {
		Status int    `json:"statusCode"`
		Type   string `json:"type"`
		Value  any    `json:"value"`
	}
)

// invoke answers what a client waits for: the dialog of an Entry, what was
// entered in it, and the button of an Action.Execute (there is none on our
// cards; a client may make one of a button). The answer is given after Accept.
func (a *Adapter) invoke(v *visit) (f consequences) {
	p, value, ok := v.act.submitted()
	lang := a.o.Language(v.act.locale())
	if ok && p.Lang != "" {
		lang = p.Lang
	}
	expired := a.o.Phrases.Phrase(lang, "chat.expired")
	switch v.act.Name {
	case "task/fetch":
		if !ok || p.Entry == "" {
			return consequences{reply: taskReply{task{"message", expired}}}
		}
		p.Card = v.act.ReplyToID
		return consequences{reply: taskReply{task{"continue", taskCard{
			Title: bot.Harmless(p.Title), Height: "small", Width: "small",
			Card: attachment{cardType, dialog(p, a.o.Phrases.Phrase(lang, "chat.send"))},
		}}}}
	case "task/submit":
		if !ok || p.Entry == "" {
			return consequences{reply: taskReply{task{"message", expired}}}
		}
		p.Choice = ""                       // a dialog has a field
		return a.press(v, p, value, p.Card) // an empty answer closes the dialog
	case "adaptiveCard/action":
		if !ok {
			return consequences{reply: actionReply{http.StatusOK, "application/vnd.microsoft.activity.message", expired}}
		}
		f = a.press(v, p, value, v.act.ReplyToID)
		f.reply = actionReply{http.StatusOK, cardType, settled(p, a.frame(), p.Label).Attachments[0].Content}
		return f
	}
	return consequences{reply: struct{}{}}
}
