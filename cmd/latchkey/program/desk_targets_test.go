package program

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/demo"
)

// A ticket that was open before there was a target is warned of when the service
// starts with one, and once, however often it starts; so is one that was opened while
// targets were off for a while.
func TestTicketOfBeforeTheTarget(t *testing.T) {
	t.Parallel()
	cfg := demo.Config(t.TempDir())
	cfg.Desk.Enabled, cfg.Desk.Hours = true, nil
	if _, err := vault.Create(cfg.KeysFile); err != nil {
		t.Fatal(err)
	}
	// serve starts the service, and stops it when it has done what it should.
	serve := func(does func(p *Program)) {
		t.Helper()
		p, err := New(t.Context(), cfg, slog.New(slog.DiscardHandler), Pretend(t.TempDir()))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		rigs.Until(t, "the service", p.ready.Load)
		does(p)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	opened := func(conv bot.ConversationID) (id string) {
		serve(func(p *Program) {
			err := p.DB.Update(t.Context(), func(tx bot.Tx) (err error) {
				id, _, err = desk.Ask(tx, bot.Ticket{Conversation: conv, Lang: "en"})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
		return id
	}
	warned := func(p *Program, id string) (n int) {
		t.Helper()
		err := p.DB.View(t.Context(), func(tx bot.Tx) error {
			n = 0
			ls, err := tx.Lines(id, 0)
			for _, l := range ls {
				if l.Code == "answer_due" {
					n++
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	cfg.Desk.Answer = 0
	first := opened("call|1")
	cfg.Desk.Answer = time.Millisecond
	serve(func(p *Program) {
		rigs.Until(t, "a warning", func() bool { return warned(p, first) == 1 })
	})
	cfg.Desk.Answer = 0
	second := opened("call|2")
	cfg.Desk.Answer = time.Millisecond
	serve(func(p *Program) {
		rigs.Until(t, "a warning of the second ticket", func() bool { return warned(p, second) == 1 })
		if n := warned(p, first); n != 1 {
			t.Errorf("the first ticket has %d warnings", n)
		}
	})
}
