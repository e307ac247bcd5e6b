package teams

import (
	"net/http"

	"latchkey/bot"
)

// reply is the answer to an invoke, as it stands in the HTTP response: kind
// "continue" shows a card, "message" a line. Source: the page on dialogs for bots.
func reply(kind string, value any) object {
	return object{"task": object{"type": kind, "value": value}}
}

// executed is the answer to an Action.Execute that shows a line, to whoever pressed
// alone. Source: the page on universal actions, response format.
func executed(line string) object {
	return object{"statusCode": http.StatusOK, "type": "application/vnd.microsoft.activity.message", "value": line}
}

// invoke answers what a client waits for: the dialog of an Entry, what was
// entered in it, and the button of an Action.Execute (there is none on cards for
// one person; a client may make one of a button, see the page on universal actions).
// The answer is given after Accept.
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
			return consequences{reply: reply("message", expired)}
		}
		p.Card = v.act.ReplyToID
		return consequences{reply: reply("continue", object{
			"title": bot.Harmless(p.Title), "height": "small", "width": "small", "card": attachment{cardType, dialog(p, a.o.Phrases.Phrase(lang, "chat.send"))},
		})}
	case "task/submit":
		if !ok || p.Entry == "" {
			return consequences{reply: reply("message", expired)}
		}
		p.Choice = ""                       // a dialog has a field
		return a.press(v, p, value, p.Card) // an empty answer closes the dialog
	case "adaptiveCard/action":
		if !ok {
			return consequences{reply: executed(expired)}
		}
		f = a.press(v, p, value, v.act.ReplyToID)
		f.reply = object{"statusCode": http.StatusOK, "type": cardType, "value": settled(p, a.frame(), p.Label).Attachments[0].Content}
		return f
	}
	return consequences{reply: struct{}{}}
}
