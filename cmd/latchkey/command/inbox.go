package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/inbound"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func inboxCommand(s std) *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List what people wrote and the bot has not read yet", Args: exactly(0, ""),
		Long: `Lists what people wrote and what is acknowledged and not taken in yet, because
the platform does not say who they are: conversation, since when, and why. After
a day it is given up. What stands in it is sealed and not shown.

  latchkey inbox list --config latchkey.yaml

Next: latchkey doctor --config latchkey.yaml says what is wrong with the channel,
and latchkey inbox retry CONVERSATION has it tried again.`,
	}
	file := configFlag(list, s)
	limit := list.Flags().Int("limit", 100, "at most `N` of them")
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		return withInbound(cmd, s, *file, func(_ *program.Program, r *inbound.Service) error {
			rows, err := r.List(cmd.Context(), *limit)
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				fmt.Fprintln(s.err, "nothing is waiting")
			}
			for _, row := range rows {
				state := "waits since " + textfmt.When(row.At)
				if !row.GivenUp.IsZero() {
					state = fmt.Sprintf("given up at %s: %s", textfmt.When(row.GivenUp), textfmt.Printable(row.Error))
				}
				fmt.Fprintf(s.out, "%s  %s\n", textfmt.Printable(string(row.Conversation)), state)
			}
			return nil
		})
	}
	retry := &cobra.Command{
		Use: "retry CONVERSATION", Short: "Try again what was given up in a conversation", Args: exactly(1, "a conversation, as `latchkey inbox list` prints it"),
		Long: `Tries again to find out who wrote in a conversation, for another day. The person
is answered as if they had just written.

  latchkey inbox retry 'slack-acme|T0123|U0456' --config latchkey.yaml`,
	}
	retryFile := configFlag(retry, s)
	retry.RunE = func(cmd *cobra.Command, args []string) error {
		return withInbound(cmd, s, *retryFile, func(p *program.Program, r *inbound.Service) error {
			err := r.Retry(cmd.Context(), bot.ConversationID(args[0]))
			if errors.Is(err, bot.ErrNotFound) {
				return fmt.Errorf("nothing waits in %s; see `latchkey inbox list`", args[0])
			}
			if err != nil {
				return err
			}
			return record(cmd.Context(), p, s, "inbox.retried", "what somebody wrote on "+channelOf(args[0]))
		})
	}
	return group("inbox", "List or retry what people wrote and the bot has not read yet",
		"What comes from somebody who has to be looked up first is stored and acknowledged; what could not be read yet waits here.", list, retry)
}

// withInbound gives fn the running service's deferred events, or those of the store.
func withInbound(cmd *cobra.Command, s std, file string, fn func(*program.Program, *inbound.Service) error) error {
	return withProgram(cmd, s, file, func(p *program.Program) error {
		if p.Inbound != nil {
			return fn(p, p.Inbound)
		}
		return fn(p, inbound.New(inbound.Options{Store: p.DB, Vault: p.Keys, Now: p.DB.Now}))
	})
}
