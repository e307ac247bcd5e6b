package slack

import (
	"cmp"
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

// take does what follows from an arrival, and asks Slack for nothing: who is not
// known is looked up later. An error means that it is not acknowledged.
func (a *Adapter) take(ctx context.Context, in bot.Inbox, v arrival) (answer, error) {
	switch v.what {
	case nothing:
		return nil, nil
	case gone:
		if v.team == a.o.Team {
			a.Trouble.Begin(botToken, tokenTrouble(v.why))
			a.o.Log.Error("slack: "+tokenTrouble(v.why), "channel", a.o.Channel)
		}
		return nil, nil
	}
	if v.team != a.o.Team && !slices.Contains(v.teams, a.o.Team) {
		return nil, nil // of another workspace that has the app, too
	}
	if v.what == asks || v.what == homeSeen { // nothing is to be remembered of these
		a.later(func(ctx context.Context) { a.show(ctx, v) })
		return nil, nil
	}
	if (v.what == pressed || v.what == replied) && strings.HasPrefix(v.choice, bot.ChoiceTicket) && !dmID.MatchString(v.channel) {
		return nil, a.pressTicket(ctx, v)
	}
	p, known := a.fresh(v.user)
	conv := a.conversation(v.user)
	known = known && !a.o.House.Deferred(conv)
	f := consequences{ev: &bot.Event{ID: v.id, Conversation: conv}}
	switch {
	case known:
		if f = a.follows(v, p); f.ev == nil {
			if f.reply == nil {
				a.after(f)
			}
			return f.reply, nil
		}
		a.vouch(ctx, v.user, p)
	case v.what == commanded: // has its answer now or never
		f.reply = a.follows(v, profile{}).reply
	}
	came, err := json.Marshal(v.source)
	if err != nil {
		return nil, fmt.Errorf("slack: %w", err)
	}
	a.expect(v)
	deferred, err := a.Accept(ctx, in, a.o.House, f.ev, known, came)
	if errors.Is(err, bot.ErrEvent) {
		a.o.Log.Error("slack: an event is not well formed", "err", err)
		err = nil // no repeat mends it
	}
	switch {
	case err != nil:
		a.signs.Said(v.user)
		a.seldom.Undo(v.once())
		return nil, err
	case deferred:
		a.seldom.Undo(v.once())
	default:
		a.after(f)
	}
	return f.reply, nil
}

// pressTicket gives the button of a ticket's card to the desk, and its words to
// whoever pressed.
func (a *Adapter) pressTicket(ctx context.Context, v arrival) error {
	p, _ := a.fresh(v.user)
	press := bot.TicketPress{Channel: a.o.Channel, User: v.user, Choice: v.choice, Text: v.text, Picked: v.picked, Key: v.id, Locale: p.locale}
	if v.what == pressed && bot.TicketAsks(v.choice) {
		lang := a.o.Language(p.locale)
		a.later(func(ctx context.Context) {
			switch form, words, err := a.o.House.AskTicket(ctx, press); {
			case err != nil:
				a.o.Log.Error("slack: what the button of a ticket's card asks for cannot be read", "err", err)
				a.whisper(ctx, v.channel, v.user, a.o.Say(lang, "turn.sorry"))
			case form == nil:
				a.whisper(ctx, v.channel, v.user, words)
			default:
				a.openView(ctx, v, ticketModal(form, v.channel, a.o.Phrases, lang), lang)
			}
		})
		return nil
	}
	words, err := a.o.House.PressTicket(ctx, press)
	if err == nil {
		a.later(func(ctx context.Context) { a.whisper(ctx, v.channel, v.user, words) })
	}
	return err
}

// Resume implements bot.Resumer.
func (a *Adapter) Resume(ctx context.Context, d bot.Deferred) (bot.Arrival, error) {
	var s source
	v, err := arrival{}, json.Unmarshal([]byte(d.Body), &s)
	if err == nil {
		v, err = s.decode()
	}
	if err != nil || v.id != d.ID {
		a.o.Log.Warn("slack: a deferred event is not understood any more, and is dropped")
		return bot.Arrival{}, nil
	}
	p, err := a.profile(ctx, v.user)
	if err != nil {
		return bot.Arrival{}, err
	}
	a.seldom.Undo(v.once()) // of a try before this one
	f := a.follows(v, p)
	if f.ev == nil {
		a.signs.Said(v.user)
		return bot.Arrival{After: func() { a.after(f) }}, nil
	}
	if p.email == "" || p.vouched {
		return bot.Arrival{Event: f.ev, After: func() { a.after(f) }}, nil
	}
	return bot.Arrival{Event: f.ev, Vouch: &bot.Vouch{Email: p.email, Evidence: "slack"}, After: func() {
		p.vouched = true
		a.people.Set(v.user, p)
		a.after(f)
	}}, nil
}

// consequences are what follows from an arrival.
type consequences struct {
	ev    *bot.Event                // nil: nothing is taken in
	reply answer                    // with the acknowledgement
	after func(ctx context.Context) // what decorates, or tells why nothing is taken in; may be nil
}

func (a *Adapter) after(f consequences) {
	if f.after != nil {
		a.later(f.after)
	}
}

// follows says what follows from an arrival of somebody.
func (a *Adapter) follows(v arrival, p profile) (f consequences) {
	lang := a.o.Language(p.locale)
	switch p.standing {
	case machine:
		return f
	case outside:
		return a.turnAway(v, lang)
	}
	if dmID.MatchString(v.channel) && v.what != commanded {
		a.rooms.Set(v.user, v.channel)
	}
	ev := &bot.Event{
		ID: v.id, Channel: a.o.Channel, Conversation: a.conversation(v.user), From: v.user, At: a.o.Now().UTC(),
		Locale: p.locale, Prompt: v.prompt, Address: address{Channel: a.roomOf(v.user), Last: v.ts}.encode(),
	}
	f.ev = ev
	switch v.what {
	case said:
		if strings.TrimSpace(v.text) == "" && v.files {
			return consequences{after: func(ctx context.Context) { a.tell(ctx, v.user, a.o.Say(lang, "chat.no_files")) }}
		}
		ev.Kind, ev.Text = bot.Text, v.text
	case entered:
		ev.Kind, ev.Text = bot.Text, v.text
	case pressed:
		ev.Kind, ev.Choice = bot.Press, v.choice
		if v.lang != "" {
			lang = a.o.Language(v.lang)
		}
		if stale := a.stale(v.user, v.prompt); a.seldom.OK(v.once(), a.o.Now(), time.Hour) {
			f.after = func(ctx context.Context) { a.settle(ctx, v, lang, stale) }
		}
	case opened:
		// Slack tells of each time that the direct messages are looked at; only
		// the first one is an arrival.
		ev.Kind, ev.First = bot.Open, true
	case homeUsed:
		ev.Kind = bot.Text
		switch ev.Text = v.choice; v.choice {
		case homeStart:
			ev.Kind, ev.Text = bot.Open, ""
		}
		f.after = func(ctx context.Context) { a.publish(ctx, v.user, lang) }
	case mentioned:
		ev.Kind = bot.Open
		ev.Address = address{Channel: a.roomOf(v.user)}.encode()
		if !a.seldom.OK(v.once(), a.o.Now(), channelPause) {
			return consequences{}
		}
		f.after = func(ctx context.Context) { a.whisper(ctx, v.channel, v.user, a.o.Say(lang, "chat.in_channel")) }
	case commanded:
		switch word := strings.ToLower(strings.TrimSpace(v.text)); word {
		case "", "start":
			ev.Kind = bot.Open
		case "status", "help", "stop":
			ev.Kind, ev.Text = bot.Text, word
		default:
			return consequences{reply: ephemeral(a.o.Command + " " + a.o.Say(lang, "chat.command.hint"))}
		}
		ev.Address = address{Channel: a.roomOf(v.user)}.encode()
		if v.channel != a.roomOf(v.user) {
			f.reply = ephemeral(a.o.Say(lang, "chat.command.moved"))
		}
	}
	return f
}

// show opens the form, or App Home, that somebody wants to see.
func (a *Adapter) show(ctx context.Context, v arrival) {
	p, err := a.profile(ctx, v.user)
	if err != nil {
		a.o.Log.Info("slack: nothing is shown to somebody of whom Slack does not tell", "err", err)
		return
	}
	lang := a.o.Language(p.locale)
	switch {
	case p.standing == outside:
		a.after(a.turnAway(v, lang))
	case p.standing == machine:
	case v.what == asks:
		a.openModal(ctx, v, lang)
	default:
		a.vouch(ctx, v.user, p)
		a.publish(ctx, v.user, lang)
	}
}

// later does what decorates, after the turn. It fails silently.
func (a *Adapter) later(do func(ctx context.Context)) {
	a.run.Later(callTime, do)
}

// turnAway tells a person who is no member, once in a while.
func (a *Adapter) turnAway(v arrival, lang string) (f consequences) {
	text := a.o.Say(lang, "chat.not_ours", "org", a.o.Org)
	if v.what == commanded {
		f.reply = ephemeral(text)
	}
	if !a.seldom.OK("foreign "+v.user, a.o.Now(), foreignPause) {
		return f
	}
	f.after = func(ctx context.Context) {
		if v.what == mentioned {
			a.whisper(ctx, v.channel, v.user, text)
			return
		}
		if dmID.MatchString(v.channel) && v.what != commanded {
			a.rooms.Set(v.user, v.channel)
		}
		a.tell(ctx, v.user, text)
	}
	return f
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
	e.Lang = cmp.Or(e.Lang, lang)
	a.openView(ctx, v, e.modal(a.o.Phrases), e.Lang)
}

// openView opens a form for whoever has pressed.
func (a *Adapter) openView(ctx context.Context, v arrival, form slack.ModalViewRequest, lang string) {
	err := a.ask(ctx, "views.open", func(ctx context.Context, api *slack.Client) error {
		_, err := api.OpenViewContext(ctx, v.trigger, form)
		return err
	})
	if err == nil {
		return
	}
	// The trigger lives three seconds; whatever it was, another press helps.
	a.o.Log.Info("slack: a form was not opened", "err", err)
	a.tell(ctx, v.user, a.o.Say(lang, "chat.expired"))
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
	blocks, text := settled(v.message, a.o.Say(lang, "chat.pressed", "label", v.label), stale)
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
