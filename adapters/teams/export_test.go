package teams

import "latchkey/bot"

// Unpaced lets an adapter send as fast as a test does.
func Unpaced(a *Adapter) *Adapter { a.pace.off = true; return a }

// Paced makes it keep the rates again.
func Paced(a *Adapter) { a.pace.off = false }

// Limits of a card.
var Limits = limits

// Render makes what is sent for a delivery.
func Render(d bot.Delivery, phrases bot.Phrases, inline bool) (any, error) {
	m := d.Message
	return render(&m, frame{phrases: phrases, lang: "en", revealed: d.Revealed, page: d.Page, inline: inline, picture: func(name string) ([]byte, bool) {
		return []byte("the picture " + name), name != ""
	}})
}

// Exhaust takes as many messages from what may be sent to a conversation.
func Exhaust(a *Adapter, conv string, messages int) {
	l := a.pace.lanes.take(conv, newLane)
	for range messages {
		l.short.Reserve()
	}
}
