package slack_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/chat"
	"latchkey/adapters/slack"
	"latchkey/adapters/slack/slacktest"
	"latchkey/bot"
	"latchkey/bot/bottest"
	"latchkey/bot/outbox"
	"latchkey/store"
)

// What the outbox is told to change, or to take back, stands so in the workspace.
func TestOutboxChangesWhatStands(t *testing.T) {
	w := slacktest.New(t)
	channel := w.AddChannel(slacktest.Channel{})
	const ch = bot.ChannelID("slack-acme")
	a, err := slack.New(slack.Options{
		Options: chat.Options{Channel: ch, Phrases: phrases}, House: &rooms{}, Team: slacktest.Team, BotToken: secrets(slacktest.BotToken),
		SigningSecret: secrets(slacktest.SigningSecret), APIURL: w.API(), Unhurried: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(t.TempDir(), "a.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	box := outbox.New(outbox.Options{Store: db, Adapters: map[bot.ChannelID]bot.Adapter{ch: a}, Clock: db.Now})
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- box.Run(ctx) }()
	<-box.Ready()
	defer func() {
		stop()
		if err := errors.Join(<-ran, box.Close(context.WithoutCancel(ctx))); err != nil {
			t.Error(err)
		}
	}()

	say := func(row bot.OutboxRow) (id int64) {
		t.Helper()
		err := db.Update(ctx, func(tx bot.Tx) (err error) {
			r := row
			if r.Op == bot.OpSay {
				if r.Conversation, err = tx.Room(ch, channel); err != nil {
					return err
				}
			}
			if err := tx.Say(&r); err != nil || r.State != bot.OutboxPending {
				return err
			}
			err = tx.Number(&r)
			id = r.ID
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	until := func(want ...string) {
		t.Helper()
		for end := time.Now().Add(bottest.Patience); ; time.Sleep(20 * time.Millisecond) {
			var got []string
			for _, m := range w.Messages(channel) {
				got = append(got, strings.TrimSpace(m.Text))
			}
			if slices.Equal(got, want) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("the channel shows %q, want %q", got, want)
			}
		}
	}
	text := func(s string) bot.Message { return bot.Message{Text: s} }
	first := say(bot.OutboxRow{Message: text("Ticket 1 is open.")})
	second := say(bot.OutboxRow{Message: text("Ticket 2 is open.")})
	until("Ticket 1 is open.", "Ticket 2 is open.")
	say(bot.OutboxRow{Op: bot.OpEdit, Target: first, Message: text("Ticket 1 is closed.")})
	until("Ticket 1 is closed.", "Ticket 2 is open.")
	say(bot.OutboxRow{Op: bot.OpTakeBack, Target: second})
	until("Ticket 1 is closed.")
}
