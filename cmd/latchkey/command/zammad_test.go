package command

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/zammad/zammadtest"
	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/programtest"
	"latchkey/store/storetest"
)

// TestKillWhileFilingInZammad kills the real service again and again while it makes
// tickets in Zammad and writes in them. In the end each ticket is there once, with
// each of its lines once, in order.
func TestKillWhileFilingInZammad(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute; run without -short")
	}
	bin := withFailpoints(t)
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			there := zammadtest.Start()
			defer there.Close()
			more := fmt.Sprintf("desk: {zammad: {url: %q, token_env: ZAMMAD_TOKEN, group: %q}}\n", there.URL, zammadtest.Group)
			env := append(os.Environ(), "ZAMMAD_TOKEN="+zammadtest.Token)
			if kind == "postgres" {
				more += "store: {postgres_env: TOLD_DSN}\n"
				env = append(env, "TOLD_DSN="+pgAddress(storetest.Postgres(t)))
			}
			cfg := install(t, more)
			const notes = 4
			var tickets []string
			add := func() { // two tickets with some notes each
				t.Helper()
				c, err := config.Load(cfg, env)
				if err != nil {
					t.Fatal(err)
				}
				p, err := program.Open(t.Context(), c, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				defer p.Close()
				for range 2 {
					ticket := ""
					err := p.DB.Update(t.Context(), func(tx bot.Tx) (err error) {
						ticket, _, err = desk.Ask(tx, bot.Ticket{Conversation: bot.ConversationID(programtest.NewID()), Flow: "phone", Lang: "en"})
						for range notes {
							if err == nil {
								err = tx.AddLine(&bot.TicketLine{Ticket: ticket, Kind: bot.LineEvent, Code: "kept_waiting"})
							}
						}
						return err
					})
					if err != nil {
						t.Fatal(err)
					}
					tickets = append(tickets, ticket)
				}
			}
			whole := func() bool {
				n := 0
				for _, x := range there.Tickets() {
					n += len(there.Articles(x.ID))
				}
				return n >= len(tickets)*(1+notes)
			}
			killedWhileTelling(t, bin, cfg, env, func(kill func(n int64, before bool)) {
				add()
				dies := func(before bool) func(http.ResponseWriter, *http.Request) bool {
					var asked atomic.Int64 // of two requests at once each has its number
					return func(_ http.ResponseWriter, r *http.Request) bool {
						if r.Method != http.MethodGet {
							kill(asked.Add(1), before)
						}
						return false
					}
				}
				there.Set(func(z *zammadtest.Zammad) { z.Before, z.After = dies(true), dies(false) })
			}, func() { rigs.Until(t, "everything to be in Zammad", whole) })
			var titles []string
			for _, x := range there.Tickets() {
				titles = append(titles, x.Title)
				var got []string
				for _, a := range there.Articles(x.ID) {
					got = append(got, strings.TrimPrefix(a.Subject, x.Title))
				}
				if len(got) != 1+notes || !slices.IsSortedFunc(got, strings.Compare) || len(slices.Compact(got)) != 1+notes {
					t.Errorf("%s: %q", x.Title, got)
				}
			}
			slices.Sort(titles)
			if len(titles) != len(tickets) || len(slices.Compact(titles)) != len(tickets) {
				t.Errorf("%d tickets in Zammad, want %d: %q", len(titles), len(tickets), titles)
			}
			t.Logf("%d kills, %d tickets", len(toldKills), len(titles))
		})
	}
}
