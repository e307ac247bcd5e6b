package turn_test

import (
	"testing"

	"latchkey/bot"
	"latchkey/bot/turn"
)

// TestAfreshForgets: who was known and where they were is gone; the language
// stays, and no button of before fits.
func TestAfreshForgets(t *testing.T) {
	was := bot.Session{Lang: "es", Chosen: true, Prompt: 7, Owner: bot.OwnerDesk, Error: "code_wrong",
		Stack: []bot.Frame{{Flow: "methods", Step: "menu", Slots: bot.Facts("name", "Ann")}}}
	c := &bot.Conversation{State: turn.AppendSession(nil, &was), OutSeq: 9}
	var got bot.Session
	if err := turn.DecodeSession(turn.Afresh(c), &got); err != nil {
		t.Fatal(err)
	}
	if got.Lang != "es" || !got.Chosen || got.Owner != bot.OwnerDesk || got.Prompt < 9 || len(got.Stack) != 0 || got.Error != "" || got.Slot("name") != "" {
		t.Errorf("%+v", got)
	}
	c.State = []byte("{broken")
	if err := turn.DecodeSession(turn.Afresh(c), &got); err != nil || got.Prompt != 9 {
		t.Errorf("%+v, %v", got, err)
	}
}
