package command

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"latchkey/adapters/terminal"
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
	p, err := program.New(ctx, cfg, log, append(program.Integrations(), program.Terminal(program.TerminalOptions{In: s.in, Out: s.out, Plain: plain, Locale: locale(s), Dir: dir}))...)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.RecordConfig(ctx, operatorActor(s)); err != nil {
		return err
	}
	if cfg.HTTP.PublicURL != "" {
		if err := p.Listen(); err != nil {
			return err
		}
	}
	return runProgram(ctx, p)
}

// chatLog keeps log lines off the full screen.
func chatLog(s std, cfg *config.Config, plain bool, file string) (*slog.Logger, func(), error) {
	if file != "" {
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, nil, fmt.Errorf("--log: %w", err)
		}
		return newLogger(f, cfg.Log), func() { f.Close() }, nil
	}
	if !plain && terminal.IsTerminal(s.out) && terminal.IsTerminal(s.err) {
		return slog.New(slog.DiscardHandler), func() {}, nil
	}
	return newLogger(s.err, cfg.Log), func() {}, nil
}
