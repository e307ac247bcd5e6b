package command

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
)

// locale is the language of the terminal as a BCP 47 tag, or "".
func locale(s std) string {
	for _, v := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if l := s.getenv(v); l != "" {
			l, _, _ = strings.Cut(l, ".")
			if l == "C" || l == "POSIX" {
				return ""
			}
			return strings.ReplaceAll(l, "_", "-")
		}
	}
	return ""
}

func chatCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "chat", Short: "Hold the conversation in this terminal, with the configured senders", Args: exactly(0, ""),
		Long: `Opens the conversation in this terminal. Texts, calls and mails really leave, by
the senders that the configuration names. Log lines go to standard error, or to
the file --log names.

  latchkey chat --config latchkey.yaml
  latchkey chat --config latchkey.yaml --plain < answers.txt`,
	}
	file := configFlag(cmd, s)
	plain := cmd.Flags().Bool("plain", false, "plain lines in and out; also when input or output is not a terminal")
	logTo := cmd.Flags().String("log", "", "write log lines to this `FILE`; the full screen needs it, or writes none")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadConfig(cmd, s, *file)
		if err != nil {
			return err
		}
		return chat(cmd.Context(), s, cfg, *plain, *logTo)
	}
	return cmd
}

func chat(ctx context.Context, s std, cfg *config.Config, plain bool, logTo string) error {
	log, done, err := chatLog(s, cfg, plain, logTo)
	if err != nil {
		return err
	}
	defer done()
	dir := filepath.Dir(cfg.KeysFile)
	if cfg.Store.Path != "" {
		dir = filepath.Dir(cfg.Store.Path)
	}
	h, err := program.New(ctx, cfg, log, append(program.Configured(), program.Terminal(program.TerminalOptions{In: s.in, Out: s.out, Plain: plain, Locale: locale(s), Dir: dir}))...)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := h.RecordConfig(ctx, operatorActor(s)); err != nil {
		return err
	}
	if cfg.HTTP.PublicURL != "" {
		if err := h.Listen(); err != nil {
			return err
		}
	}
	return runWithOrders(ctx, h)
}
