package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"latchkey/bot"
)

// answer is what Slack gets with the acknowledgement; nil: nothing. Only a
// command has one (https://docs.slack.dev/interactivity/implementing-slash-commands).
type answer map[string]string

func ephemeral(text string) answer {
	return answer{"response_type": "ephemeral", "text": escaped(bot.Harmless(text))}
}

// How often somebody is told the same by the way.
const (
	foreignPause = time.Hour
	channelPause = time.Minute
)

// known reports errors of the house that mean that there is no such person, or
// not any more: the engine says what follows.
func known(err error) bool { return errors.Is(err, bot.ErrNotFound) || errors.Is(err, bot.ErrDisabled) }

// take does what follows from an arrival. An error means that it is not
// acknowledged.
func (a *Adapter) take(ctx context.Context, in bot.Inbox, v arrival) (answer, error) {
	switch v.what {
	case nothing:
		return nil, nil
	case gone:
		if v.team == a.o.Team {
			a.health.say(a.o.Now(), false, tokenTrouble(v.why))
			a.o.Log.Error("slack: "+tokenTrouble(v.why), "channel", a.o.Channel)
		}
		return nil, nil
	}
	if v.team != a.o.Team && !slices.Contains(v.teams, a.o.Team) {
		return nil, nil // of another workspace that has the app, too
	}
	p, err := a.profile(ctx, v.user)
	if err != nil {
		return nil, err
	}
	lang := a.language(p.locale)
	switch p.standing {
	case machine:
		return nil, nil
	case outside:
		return a.turnAway(v, lang), nil
	}
	if dmID.MatchString(v.channel) && v.what != commanded {
		a.rooms.put(v.user, v.channel)
	}

	ev := bot.Event{
		ID: v.id, Channel: a.o.Channel, Conversation: a.conversation(v.user), From: v.user, At: a.o.Now().UTC(),
		Locale: p.locale, Prompt: v.prompt, Address: address{Channel: a.rooms.get(v.user), Last: v.ts}.encode(),
	}
	var reply answer
	var after func(context.Context)
	once := "" // what is done once in a while, unless nothing comes of it
	switch v.what {
	case said:
		if strings.TrimSpace(v.text) == "" && v.files {
			a.later(func(ctx context.Context) { a.tell(ctx, v.user, a.phrase(lang, "chat.no_files")) })
			return nil, nil
		}
		ev.Kind, ev.Text = bot.Text, v.text
		a.rooms.begin(v.user)
	case entered:
		ev.Kind, ev.Text = bot.Text, v.text
	case pressed:
		ev.Kind, ev.Choice = bot.Press, v.choice
		if v.lang != "" {
			lang = a.language(v.lang)
		}
		once = "settled " + v.id
		if stale := a.waiting.stale(v.user, v.prompt); a.seldom.ok(once, a.o.Now(), time.Hour) {
			after = func(ctx context.Context) { a.settle(ctx, v, lang, stale) }
		}
	case asks:
		a.later(func(ctx context.Context) { a.openModal(ctx, v, lang) })
		return nil, nil
	case opened:
		fresh, err := a.empty(ctx, v.user, v.channel)
		if err != nil {
			return nil, err
		}
		if !fresh {
			return nil, nil
		}
		ev.Kind = bot.Open
	case homeSeen:
		a.later(func(ctx context.Context) {
			a.vouch(ctx, v.user, p)
			a.publish(ctx, v.user, lang)
		})
		return nil, nil
	case homeUsed:
		ev.Kind = bot.Text
		switch ev.Text = v.choice; v.choice {
		case homeStart:
			ev.Kind, ev.Text = bot.Open, ""
		}
		after = func(ctx context.Context) { a.publish(ctx, v.user, lang) }
	case mentioned:
		ev.Kind = bot.Open
		ev.Address = address{Channel: a.rooms.get(v.user)}.encode()
		if once = "channel " + v.channel + v.user; !a.seldom.ok(once, a.o.Now(), channelPause) {
			return nil, nil
		}
		after = func(ctx context.Context) { a.whisper(ctx, v.channel, v.user, a.phrase(lang, "chat.in_channel")) }
	case commanded:
		switch word := strings.ToLower(strings.TrimSpace(v.text)); word {
		case "", "start":
			ev.Kind = bot.Open
		case "status", "help", "stop":
			ev.Kind, ev.Text = bot.Text, word
		default:
			return ephemeral(a.o.Command + " " + a.phrase(lang, "chat.command.hint")), nil
		}
		ev.Address = address{Channel: a.rooms.get(v.user)}.encode()
		if v.channel != a.rooms.get(v.user) {
			reply = ephemeral(a.phrase(lang, "chat.command.moved"))
		}
	default:
		return nil, fmt.Errorf("slack: arrival %d", v.what)
	}

	a.vouch(ctx, v.user, p)
	a.waiting.expect(a, v)
	err = in.Accept(ctx, ev)
	if errors.Is(err, bot.ErrEvent) {
		a.o.Log.Error("slack: an event is not well formed", "err", err)
		err = nil // no repeat mends it
	}
	if err != nil {
		a.waiting.forget(v.user)
		a.seldom.undo(once)
		return nil, err
	}
	if after != nil {
		a.later(after)
	}
	return reply, nil
}

// later does what decorates, after the turn. It fails silently.
func (a *Adapter) later(do func(ctx context.Context)) {
	ctx, _, ok := a.begin()
	if !ok {
		return
	}
	go func() {
		defer a.work.Done()
		ctx, cancel := context.WithTimeout(ctx, callTime)
		defer cancel()
		do(ctx)
	}()
}

// turnAway tells a person who is no member, once in a while.
func (a *Adapter) turnAway(v arrival, lang string) answer {
	text := a.phrase(lang, "chat.not_ours", "org", a.o.Org)
	if v.what == commanded {
		return ephemeral(text)
	}
	if !a.seldom.ok("foreign "+v.user, a.o.Now(), foreignPause) {
		return nil
	}
	a.later(func(ctx context.Context) {
		if v.what == mentioned {
			a.whisper(ctx, v.channel, v.user, text)
			return
		}
		if dmID.MatchString(v.channel) {
			a.rooms.put(v.user, v.channel)
		}
		a.tell(ctx, v.user, text)
	})
	return nil
}

// tell says something by the way in somebody's direct messages.
func (a *Adapter) tell(ctx context.Context, user, text string) {
	room, err := a.room(ctx, user)
	if err == nil {
		text = bot.Harmless(text)
		err = a.ask(ctx, "chat.postMessage", func(ctx context.Context, api *slack.Client) error {
			_, _, err := api.PostMessageContext(ctx, room, slack.MsgOptionText(escaped(text), false), slack.MsgOptionBlocks(words("note", text)), quiet)
			return err
		})
	}
	if err != nil {
		a.o.Log.Info("slack: a word by the way was not said", "err", err)
	}
}

// whisper says something in a channel that only one person sees
// (https://docs.slack.dev/reference/methods/chat.postEphemeral).
func (a *Adapter) whisper(ctx context.Context, channel, user, text string) {
	text = bot.Harmless(text)
	err := a.ask(ctx, "chat.postEphemeral", func(ctx context.Context, api *slack.Client) error {
		_, err := api.PostEphemeralContext(ctx, channel, user, slack.MsgOptionText(escaped(text), false), slack.MsgOptionBlocks(words("note", text)), quiet)
		return err
	})
	if err != nil {
		a.o.Log.Info("slack: a word in a channel was not said", "err", err)
	}
}

// words is a block of literal text.
func words(id, text string) slack.Block {
	return slack.NewRichTextBlock(id, slack.NewRichTextSection(slack.NewRichTextSectionTextElement(text, nil)))
}

// quiet keeps Slack from making anything of what stands in a text.
var quiet = slack.MsgOptionCompose(slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl(), slack.MsgOptionParse(false), slack.MsgOptionDisableMarkdown())

// openModal opens the form that a button asked for.
func (a *Adapter) openModal(ctx context.Context, v arrival, lang string) {
	e := v.entry
	if e.Lang == "" {
		e.Lang = lang
	}
	err := a.ask(ctx, "views.open", func(ctx context.Context, api *slack.Client) error {
		_, err := api.OpenViewContext(ctx, v.trigger, e.modal(a.o.Phrases))
		return err
	})
	if err == nil {
		return
	}
	// The trigger lives three seconds; whatever it was, another press helps.
	a.o.Log.Info("slack: a form was not opened", "err", err)
	a.tell(ctx, v.user, a.phrase(e.Lang, "chat.expired"))
}

// publish shows a person's App Home
// (https://docs.slack.dev/reference/methods/views.publish).
func (a *Adapter) publish(ctx context.Context, user, lang string) {
	o, err := a.o.House.Overview(ctx, a.o.Channel, user, lang)
	if err != nil && !known(err) {
		a.o.Log.Warn("slack: App Home has nothing to show", "err", err)
		return
	}
	failed := a.ask(ctx, "views.publish", func(ctx context.Context, api *slack.Client) error {
		_, err := api.PublishViewContext(ctx, slack.PublishViewContextRequest{UserID: user, View: Home(o, lang, a.o.Phrases)})
		return err
	})
	if failed != nil {
		a.o.Log.Info("slack: App Home was not shown", "err", failed)
	}
}

// settle takes the buttons of a message away: one of them was pressed. When the
// conversation has gone on since, nothing is said to have been chosen.
func (a *Adapter) settle(ctx context.Context, v arrival, lang string, stale bool) {
	if v.message == nil {
		return
	}
	blocks, text := settled(v.message, a.phrase(lang, "chat.pressed", "label", v.label), stale)
	if len(blocks) == 0 {
		return
	}
	update := func(blocks []slack.Block) *bot.SendError {
		return a.ask(ctx, "chat.update", func(ctx context.Context, api *slack.Client) error {
			_, _, _, err := api.UpdateMessageContext(ctx, v.channel, v.ts, slack.MsgOptionText(text, false), slack.MsgOptionBlocks(blocks...), slack.MsgOptionParse(false))
			return err
		})
	}
	if err := update(blocks); err != nil && err.Kind == bot.SendPermanent {
		// Slack may refuse a picture that it does not find any more.
		if bare := without(blocks, slack.MBTImage); len(bare) > 0 && len(bare) < len(blocks) {
			err = update(bare)
		}
		if err != nil {
			a.o.Log.Info("slack: used buttons stay", "err", err)
		}
	}
}

// settled is a message without its buttons, and with what was pressed in their
// place. The text for screen readers is as Slack gave it, escaped.
func settled(m *standingMessage, said string, stale bool) (blocks []slack.Block, text string) {
	var all slack.Blocks
	if json.Unmarshal(m.Blocks, &all) != nil {
		return nil, "" // the message stays as it is
	}
	blocks = without(all.BlockSet, slack.MBTAction)
	text = m.Text
	if !stale {
		said = bot.Harmless(said)
		blocks = append(blocks, words("pressed", said))
		text += "\n\n" + escaped(said)
	}
	return blocks, text
}

func without(blocks []slack.Block, kind slack.MessageBlockType) (rest []slack.Block) {
	for _, b := range blocks {
		if b != nil && b.BlockType() != kind {
			rest = append(rest, b)
		}
	}
	return rest
}
