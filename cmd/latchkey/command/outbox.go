package command

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/outbox"
	"latchkey/bot/turn"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
)

func outboxCommand(s std) *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List what could not be delivered yet, and what was given up", Args: exactly(0, ""),
		Long: `Lists messages that nobody tries to send any more, each with the reason and what
to do, and those on their way: conversation, number, tries, when the next try is
due and why the last one failed. Mails of campaigns that wait follow, with the same
(` + "`latchkey campaign pause`" + ` takes them back). Then codes, notices and other jobs that were given
up in the last 14 days: a name for retry and drop, what it was, when, why, and what
to do about it.

  latchkey outbox list --config latchkey.yaml`,
	}
	file := configFlag(list, s)
	limit := list.Flags().Int("limit", 100, "at most `N` of each")
	list.RunE = func(cmd *cobra.Command, _ []string) error {
		return withOutbox(cmd, s, *file, func(p *program.Program, o *outbox.Outbox) error {
			lost, rows, err := o.List(cmd.Context(), *limit)
			if err != nil {
				return err
			}
			for _, r := range lost {
				why, remedy := outbox.Explain(&r)
				fmt.Fprintf(s.out, "%s %d  given up  said %s  tried %d  %s: %s\n  %s\n", textfmt.Printable(string(r.Conversation)), r.ID, textfmt.When(r.CreatedAt), r.Attempts, textfmt.Printable(r.Error), why, remedy)
			}
			for _, r := range rows {
				fmt.Fprintf(s.out, "%s %d  tried %d  next %s  %s\n", textfmt.Printable(string(r.Conversation)), r.ID, r.Attempts, textfmt.When(r.Due), textfmt.Printable(r.Error))
			}
			mails, err := listMails(cmd.Context(), p, *limit)
			if err != nil {
				return err
			}
			for _, g := range mails {
				fmt.Fprintf(s.out, "%s  tried %d  next %s  %s\n", g.what, g.Tries, textfmt.When(g.At), textfmt.Printable(g.Error))
			}
			jobs, err := listGivenUp(cmd.Context(), p, *limit)
			if err != nil {
				return err
			}
			for _, g := range jobs {
				fmt.Fprintf(s.out, "%s  %s  given up %s  tried %d  %s\n  %s\n", g.name(), g.what, textfmt.When(g.At), g.Tries, textfmt.Printable(g.Error), g.remedy)
			}
			if len(lost)+len(rows)+len(mails)+len(jobs) == 0 {
				fmt.Fprintln(s.err, "nothing is waiting")
			}
			return nil
		})
	}
	retry := &cobra.Command{
		Use: "retry CONVERSATION|JOB", Short: "Send a conversation's messages now, also those given up, or do a job again that was", Args: exactly(1, "a conversation or a job, as `latchkey outbox list` prints it"),
		Long: `Makes the waiting messages of a conversation due now, and says anew at its end
what was given up there, without buttons when other messages have followed. A
question that the person has gone on from is not asked again: it only leaves the
list. The running service sends what is said within a second. A job that was given up is done once
more. A code is not sent again, since it may be old: the person who still waits for
it gets a new one, as if they had asked for it, within the limits of codes.

  latchkey outbox retry terminal:ada --config latchkey.yaml
  latchkey outbox retry job-123 --config latchkey.yaml`,
	}
	retryFile := configFlag(retry, s)
	retry.RunE = func(cmd *cobra.Command, args []string) error {
		return withOutbox(cmd, s, *retryFile, func(p *program.Program, o *outbox.Outbox) error {
			if id, ok := jobID(args[0]); ok {
				return retryJob(cmd.Context(), p, s, id)
			}
			over, err := o.Retry(cmd.Context(), bot.ConversationID(args[0]))
			if errors.Is(err, bot.ErrNotFound) {
				return fmt.Errorf("nothing waits for %s; see `latchkey outbox list`", args[0])
			}
			if err != nil {
				return err
			}
			if over > 0 {
				fmt.Fprintf(s.out, "not said again, since the person has gone on from there: %d of the questions; they are off the list\n", over)
			}
			return record(cmd.Context(), p, s, "outbox.retried", "all messages of a conversation on "+channelOf(args[0]))
		})
	}
	drop := &cobra.Command{
		Use: "drop CONVERSATION NUMBER | JOB", Short: "Give a message up, or take what was given up from the list", Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				if _, ok := jobID(args[0]); ok {
					return nil
				}
			}
			return exactly(2, "a conversation and a number, or a job, as `latchkey outbox list` prints them")(cmd, args)
		},
		Long: `Gives a message up, so that the next ones of its conversation go on, or takes a
message or a job that was given up from the list.

  latchkey outbox drop terminal:ada 7 --config latchkey.yaml
  latchkey outbox drop job-123 --config latchkey.yaml`,
	}
	dropFile := configFlag(drop, s)
	drop.RunE = func(cmd *cobra.Command, args []string) error {
		if id, ok := jobID(args[0]); ok && len(args) == 1 {
			return withProgram(cmd, s, *dropFile, func(p *program.Program) error { return dropJob(cmd.Context(), p, s, id) })
		}
		seq, err := strconv.ParseInt(strings.TrimSpace(args[1]), 10, 64)
		if err != nil {
			return usage(cmd, "%q is not a message's number", args[1])
		}
		return withOutbox(cmd, s, *dropFile, func(p *program.Program, o *outbox.Outbox) error {
			err := o.Drop(cmd.Context(), bot.ConversationID(args[0]), seq)
			if errors.Is(err, bot.ErrNotFound) {
				return fmt.Errorf("message %d of %s does not wait; see `latchkey outbox list`", seq, args[0])
			}
			if errors.Is(err, bot.ErrConflict) {
				return fmt.Errorf("message %d of %s is being sent at this moment; try again in a minute", seq, args[0])
			}
			if err != nil {
				return err
			}
			return record(cmd.Context(), p, s, "outbox.dropped", fmt.Sprintf("message %d of a conversation on %s", seq, channelOf(args[0])))
		})
	}
	return group("outbox", "List, retry or drop what waits to be delivered or was given up",
		"What the bot said is stored before it is sent; what could not be sent waits here, and codes\nand notices that were given up stand here, too.", list, retry, drop)
}

// withOutbox gives fn the running outbox, or one that sends nothing.
func withOutbox(cmd *cobra.Command, s std, file string, fn func(*program.Program, *outbox.Outbox) error) error {
	return withProgram(cmd, s, file, func(p *program.Program) error {
		if p.Outbox != nil {
			return fn(p, p.Outbox)
		}
		return fn(p, outbox.New(outbox.Options{Store: p.DB, Adapters: map[bot.ChannelID]bot.Adapter{}, Prompt: turn.PromptOf}))
	})
}

// channelOf is the channel of a conversation. The rest of its name may name
// the person, which the audit record never does.
func channelOf(conversation string) string {
	if i := strings.IndexAny(conversation, ":|"); i >= 0 {
		conversation = conversation[:i]
	}
	return textfmt.Printable(conversation)
}
