package slack

import (
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// What the buttons of App Home do.
const (
	homeStart   = "start"
	homeMethods = "status"
	homeHelp    = "help"
)

// maxHomeLines bounds the methods that are listed.
const maxHomeLines = 40

// Home is a person's App Home, as views.publish takes it. It is pure.
func Home(v bot.Overview, lang string, ps bot.Phrases) slack.HomeTabViewRequest {
	say := func(key string, kv ...string) string { return bot.Harmless(ps.Phrase(lang, key, kv...)) }
	words := func(id string, lines ...string) slack.Block {
		return slack.NewRichTextBlock(id, slack.NewRichTextSection(slack.NewRichTextSectionTextElement(strings.Join(lines, "\n"), nil)))
	}
	name := bot.Harmless(v.Name)
	blocks := []slack.Block{slack.NewHeaderBlock(plain(say("chat.home.title"), 150))}
	known := v.Level >= bot.L1
	switch {
	case !known:
		blocks = append(blocks, words("state", say("chat.home.signed_out")))
	case v.Stage == bot.Enrolled:
		blocks = append(blocks, words("state", say("chat.home.done", "name", name)))
	default:
		blocks = append(blocks, words("state", say("chat.home.open", "name", name)))
	}
	if known {
		lines := []string{say("chat.home.none")}
		if len(v.Methods) > 0 {
			lines = []string{say("chat.home.list")}
			for _, m := range v.Methods[:min(len(v.Methods), maxHomeLines)] {
				lines = append(lines, chat.Cut(bot.Harmless(m), 200))
			}
		}
		blocks = append(blocks, words("methods", lines...))
	}
	var row []slack.BlockElement
	for _, b := range []struct{ what, key string }{{homeStart, "chat.home.start"}, {homeMethods, "chat.home.methods"}, {homeHelp, "chat.home.help"}} {
		if b.what == homeMethods && !known {
			continue
		}
		e := slack.NewButtonBlockElement(actionHome+":"+b.what, b.what, plain(say(b.key), limits.Label))
		if b.what == homeStart && v.Stage != bot.Enrolled {
			e.Style = slack.StylePrimary
		}
		row = append(row, e)
	}
	blocks = append(blocks, slack.NewActionBlock("home", row...))
	return slack.HomeTabViewRequest{Type: slack.VTHomeTab, Blocks: slack.Blocks{BlockSet: slices.Clip(blocks)}}
}
