package program

import (
	"context"
	"io"
	"os/user"
	"path/filepath"

	"latchkey/adapters/terminal"
	"latchkey/bot"
)

// A TerminalOptions is the terminal that this process runs in.
type TerminalOptions struct {
	In     io.Reader
	Out    io.Writer
	Plain  bool   // lines, without a screen
	Locale string // BCP 47, or empty
	Dir    string // pictures are put into a folder in it
	Intro  string // said first
}

// Terminal connects the terminal that this process runs in.
func Terminal(place TerminalOptions) Integration {
	return Integration{"terminal", func(p *Program) error {
		o := terminal.Options{
			Channel: "terminal", User: seat(p.Config.Terminal.User), Locale: place.Locale, Lang: p.Config.Org.Language,
			In: place.In, Out: place.Out, Plain: place.Plain, Dir: filepath.Join(place.Dir, "pictures"), Phrases: p.Scripts,
			Title: p.Config.Org.BotName, Intro: place.Intro,
			Reveal: func(ctx context.Context, conv bot.ConversationID, form string) ([]bot.Secret, error) {
				return p.Turn.Reveal(ctx, conv, form)
			},
			Log: p.Log.With("adapter", "terminal"),
		}
		if d := p.Connections.device; d != nil {
			o.Device = d
		}
		a, err := terminal.New(o)
		if err != nil {
			return err
		}
		p.Connections.AddChannel(a)
		p.Connections.Attended = true
		return nil
	}}
}

// seat names who sits at the terminal; it must be the same at the next start.
func seat(name string) string {
	if name != "" {
		return name
	}
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return "local"
}
