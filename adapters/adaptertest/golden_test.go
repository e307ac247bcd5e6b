package adaptertest

import (
	"bytes"
	"image/png"
	"testing"

	"latchkey/bot"
)

// TestGoldenSeesEveryStep: what is rendered has every form, key and long text.
func TestGoldenSeesEveryStep(t *testing.T) {
	if _, err := png.Decode(bytes.NewReader(tinyPNG)); err != nil {
		t.Errorf("the sample picture: %v", err)
	}
	dir := t.TempDir()
	*updateGolden = true
	defer func() { *updateGolden = false }()
	steps, keys, pages := 0, 0, 0
	Golden(t, dir, bot.Limits{Text: 300}, func(m *bot.Message) bool { return m.Form != nil }, func(d bot.Delivery) (any, error) {
		steps++
		if d.Revealed != nil {
			keys++
		}
		if d.Page != "" {
			pages++
		}
		return map[string]string{"text": d.Message.Text}, nil
	})
	if steps < 120 || keys < 2 || pages < 6 {
		t.Errorf("%d messages, %d keys, %d pages", steps, keys, pages)
	}
}
