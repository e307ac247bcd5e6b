package command

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"latchkey/adapters/terminal"
	"latchkey/cmd/latchkey/config"
)

// newLog makes the logger that the configuration asks for.
func newLog(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// chatLog keeps log lines off the full screen.
func chatLog(s std, cfg *config.Config, plain bool, file string) (*slog.Logger, func(), error) {
	if file != "" {
		f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return nil, nil, fmt.Errorf("--log: %w", err)
		}
		return newLog(f, cfg.Log), func() { f.Close() }, nil
	}
	if !plain && terminal.IsTerminal(s.out) && terminal.IsTerminal(s.err) {
		return slog.New(slog.DiscardHandler), func() {}, nil
	}
	return newLog(s.err, cfg.Log), func() {}, nil
}
