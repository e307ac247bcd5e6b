package slack

import (
	"context"
	"crypto/sha256"

	"latchkey/bot"
)

// A drawing is a picture of the scripts that Slack has already: these are no
// secret, are the same for everybody, and stay there. QR pictures of which nobody
// knows whether they were shown are remembered, too (loose): the next attempt
// shows the same file, so that none is left behind.
type drawing struct {
	sum  [sha256.Size]byte
	file string
}

// drawing is Slack's id of a picture of the scripts, uploaded when Slack does
// not have it. Without one, the picture is told in words.
func (a *Adapter) drawing(ctx context.Context, p *bot.Picture) string {
	png, ok := a.o.Picture(p.Name)
	if !ok || len(png) == 0 {
		return ""
	}
	sum := sha256.Sum256(png)
	if d, ok := a.drawings.Get(p.Name); ok && d.sum == sum {
		return d.file
	}
	file, _, err := a.uploadPNG(ctx, png, bot.Harmless(p.Alt))
	if err != nil {
		a.o.Log.Info("slack: a picture is told in words", "picture", p.Name, "err", err)
		return ""
	}
	a.drawings.Set(p.Name, drawing{sum, file})
	return file
}
