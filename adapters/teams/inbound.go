package teams

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"latchkey/adapters/chat"
	"latchkey/adapters/dial"
	"latchkey/bot"
)

// How often somebody is told the same beside the conversation.
const (
	tellChannel  = time.Minute
	tellStranger = time.Hour
	tellFiles    = 5 * time.Second
	tellOperator = time.Hour
)

// Handler takes activities in: POST, JSON, with the connector's bearer token.
// It answers 2xx once an activity and all that follows from it are committed, or
// the activity is stored because it has to be looked up who wrote it, or when
// there is nothing to do; 401 and 403 to who cannot be believed; 503 when it
// should be delivered again.
func (a *Adapter) Handler() http.Handler { return http.HandlerFunc(a.serve) }

func (a *Adapter) serve(w http.ResponseWriter, r *http.Request) {
	status, reply := a.receive(w, r)
	w.Header().Set("Cache-Control", "no-store")
	if status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	if reply == nil {
		w.WriteHeader(status)
		return
	}
	b, err := encode(reply)
	if err != nil {
		a.o.Log.Error("the answer to a request cannot be written", "err", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, err = w.Write(b)
	if c, ok := reply.(*carried); ok {
		c.written <- err == nil
	}
}

// receive checks who calls, and with what. Nothing is sent to the service that
// an activity names, and no event made, before all of it is checked.
func (a *Adapter) receive(w http.ResponseWriter, r *http.Request) (status int, reply any) {
	if r.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, nil
	}
	var p *proof
	if a.o.Emulator {
		// A page in a browser on this machine may not do it either, whatever
		// name it has for the machine.
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		named := (&url.URL{Host: r.Host}).Hostname()
		if err != nil || !dial.Local(host) || !dial.Local(named) {
			return http.StatusForbidden, nil
		}
	} else {
		if len(r.Header.Values("Authorization")) > 1 {
			return http.StatusUnauthorized, nil
		}
		var err error
		if p, err = a.verify(r.Context(), r.Header.Get("Authorization")); err != nil {
			return a.refuse(err), nil
		}
		a.well("keys")
	}
	body, status := chat.Body(w, r, maxBody)
	if status != http.StatusOK {
		return status, nil
	}
	act, err := decode(body)
	if err != nil {
		return http.StatusBadRequest, nil
	}
	if p != nil {
		if err := p.covers(act); err != nil {
			return a.refuse(err), nil
		}
	}
	service, err := a.service(act.ServiceURL)
	if err != nil {
		return a.refuse(err), nil
	}
	a.run.Await(r.Context(), startWait)
	ctx, in, ok := a.run.Begin()
	if !ok {
		return http.StatusServiceUnavailable, nil
	}
	defer a.run.Done()
	return a.handle(ctx, in, act, service, body)
}

// refuse says with which status a caller is refused, and tells the operator
// once an hour why: most of these mean a wrong configuration.
func (a *Adapter) refuse(err error) int {
	if a.told.OK("log|"+err.Error(), a.o.Now(), tellOperator) {
		a.o.Log.Warn("a request to the messaging endpoint is refused; more of this kind are not logged for an hour", "why", err)
	}
	switch {
	case errors.Is(err, errKeys):
		a.ill("keys", err)
		return http.StatusServiceUnavailable
	case errors.Is(err, errNoToken), errors.Is(err, errToken):
		return http.StatusUnauthorized
	}
	return http.StatusForbidden
}

// A visit is one activity of one person, with where to answer.
type visit struct {
	act     *activity
	user    string
	to      *address
	address []byte
	conv    bot.ConversationID
}

func (a *Adapter) handle(ctx context.Context, in bot.Inbox, act *activity, service string, body []byte) (int, any) {
	relevant := act.Type == "message" || act.Type == "invoke" || act.arrival()
	if !relevant || act.bot() || act.ChannelID != "msteams" {
		return http.StatusOK, act.nothing()
	}
	v := newVisit(act, service)
	if p, text, ok := act.submitted(); ok && !act.personal() && act.Type == "invoke" && strings.HasPrefix(p.Choice, bot.ChoiceTicket) {
		return a.onCard(ctx, v, p, text)
	}
	if !act.personal() {
		key := "chat.group"
		if act.Conversation.Type == "channel" {
			key = "chat.in_channel.ask"
		}
		return a.turnAway(v, key, tellChannel)
	}
	if !a.whose(v) {
		return a.turnAway(v, "chat.not_ours", tellStranger)
	}
	who, err := a.known(ctx, v.user)
	if err == nil && who == unknown && a.o.Emulator { // its answer may have to carry what is said
		who, err = a.lookUp(ctx, v)
	}
	switch {
	case err != nil:
		if ctx.Err() == nil {
			a.o.Log.Error("it cannot be stored who writes; Teams shall deliver again", "err", err)
		}
		return http.StatusServiceUnavailable, nil
	case who == stranger:
		return a.turnAway(v, "chat.not_ours", tellStranger)
	}
	f := a.follows(v)
	if f.ev == nil {
		f.then()
		return http.StatusOK, f.reply
	}
	return a.accept(ctx, in, v, f, who != unknown, body)
}

// onCard deals with a button of a ticket's card, or with its dialog. The answer is
// in the response, which only the client shows that has pressed.
func (a *Adapter) onCard(ctx context.Context, v *visit, p *pressed, text string) (int, any) {
	locale, asks := v.act.locale(), bot.TicketAsks(p.Choice)
	answer := executed
	switch v.act.Name {
	case "task/fetch", "task/submit":
		answer = func(line string) object { return reply("message", line) }
	}
	if (v.act.Name == "adaptiveCard/action") == asks {
		return http.StatusOK, v.act.nothing()
	}
	words := a.o.Say(locale, "chat.not_ours", "org", a.o.Org)
	if a.whose(v) {
		press := bot.TicketPress{Channel: a.o.Channel, User: v.user, Choice: p.Choice, Text: text, Picked: p.picked, Key: v.act.key(), Locale: locale}
		var form *bot.TicketForm
		var err error
		if v.act.Name == "task/fetch" {
			form, words, err = a.o.House.AskTicket(ctx, press)
		} else {
			words, err = a.o.House.PressTicket(ctx, press)
		}
		if err != nil {
			a.o.Log.Error("the button of a ticket's card was not taken in", "err", err)
			return http.StatusServiceUnavailable, nil
		}
		if form != nil {
			return http.StatusOK, reply("continue", object{"title": bot.Harmless(form.Title), "height": "medium", "width": "medium", "card": attachment{cardType, ticketDialog(form, a.o.Say(locale, "chat.send"))}})
		}
	}
	return http.StatusOK, answer(bot.Harmless(words))
}

// newVisit is an activity whose service has been checked.
func newVisit(act *activity, service string) *visit {
	return &visit{act: act, to: &address{Service: service, Conversation: act.Conversation.ID, User: act.From.ID, Bot: act.Recipient.ID}}
}

// whose fills in whose visit it is. It reports false for a stranger.
func (a *Adapter) whose(v *visit) (ours bool) {
	v.user, ours = a.user(v.act)
	v.conv = bot.ConversationID(string(a.o.Channel) + "|" + v.user)
	v.address, _ = json.Marshal(v.to) // of texts
	return ours
}

// Resume implements bot.Resumer.
func (a *Adapter) Resume(ctx context.Context, d bot.Deferred) (bot.Arrival, error) {
	act, err := decode([]byte(d.Body))
	service := ""
	if err == nil {
		service, err = a.service(act.ServiceURL)
	}
	if err != nil {
		a.o.Log.Warn("a stored activity is not understood any more, and is dropped", "err", err)
		return bot.Arrival{}, nil
	}
	v := newVisit(act, service)
	if !a.whose(v) { // the tenant was changed meanwhile
		return bot.Arrival{}, nil
	}
	who, err := a.lookUp(ctx, v)
	if err != nil {
		return bot.Arrival{}, err
	}
	if who == stranger {
		a.signs.Said(string(v.conv))
		return bot.Arrival{After: func() { a.turnAway(v, "chat.not_ours", tellStranger) }}, nil
	}
	f := a.follows(v)
	return bot.Arrival{Event: f.ev, After: f.then}, nil
}

// consequences are what follows from an activity of one of us.
type consequences struct {
	ev    *bot.Event // nil: nothing is taken in
	reply any        // in the HTTP response
	after func()     // what decorates, afterwards; may be nil
}

func (f consequences) then() {
	if f.after != nil {
		f.after()
	}
}

// follows says what follows from a visit.
func (a *Adapter) follows(v *visit) (f consequences) {
	f.reply = v.act.nothing()
	switch {
	case v.act.arrival():
		f.ev = &bot.Event{ID: v.act.opening(), Kind: bot.Open}
	case v.act.Type == "invoke":
		f = a.invoke(v)
	default:
		f = a.message(v)
	}
	if f.ev != nil {
		f.ev.Channel, f.ev.Conversation, f.ev.From, f.ev.At = a.o.Channel, v.conv, v.user, a.o.Now()
		f.ev.Locale, f.ev.Device, f.ev.Address = v.act.locale(), v.act.device(), v.address
	}
	return f
}

// arrival reports whether it says that the bot was added to a conversation.
func (a *activity) arrival() bool {
	switch a.Type {
	case "conversationUpdate":
		for _, m := range a.MembersAdded {
			if m.ID == a.Recipient.ID && m.ID != "" {
				return true
			}
		}
	case "installationUpdate":
		return a.Action == "add" || a.Action == "add-upgrade"
	}
	return false
}

// nothing is what is answered when there is nothing to answer.
func (a *activity) nothing() any {
	if a.Type == "invoke" {
		return struct{}{}
	}
	return nil
}

// turnAway answers briefly who is not talked with, and tells nobody anything.
func (a *Adapter) turnAway(v *visit, key string, every time.Duration) (int, any) {
	if !v.act.arrival() {
		a.tell(v, key, v.act.From.ID, every)
	}
	return http.StatusOK, v.act.nothing()
}

// tell says a line beside the conversation, soon.
func (a *Adapter) tell(v *visit, key, whom string, every time.Duration) {
	if !a.told.OK(key+"|"+whom, a.o.Now(), every) {
		return
	}
	a.run.Later(callTimeout, func(ctx context.Context) {
		lang := a.o.Language(v.act.locale())
		line := a.o.Phrases.Phrase(lang, key, "org", a.o.Org)
		body, err := v.to.envelope(&outgoing{Type: "message", Locale: lang, TextFormat: "plain", Text: line}, a.o.BotName)
		if err == nil {
			_, err = a.post(ctx, v.to, body)
		}
		if err != nil {
			a.o.Log.Info("a brief answer could not be given", "what", key, "err", err)
		}
	})
}

// message is typed text, or a card's button.
func (a *Adapter) message(v *visit) consequences {
	text := v.act.said()
	if strings.TrimSpace(text) != "" {
		return consequences{ev: &bot.Event{ID: v.act.key(), Kind: bot.Text, Text: text}}
	}
	if p, value, ok := v.act.submitted(); ok {
		return a.press(v, p, value, v.act.ReplyToID)
	}
	switch {
	case len(v.act.Value) > 0 && v.act.Value[0] == '{':
		// A button of a card that nobody knows any more: say where we are.
		return consequences{ev: &bot.Event{ID: v.act.key(), Kind: bot.Open}}
	case v.act.files():
		return consequences{after: func() { a.tell(v, "chat.no_files", v.user, tellFiles) }}
	}
	return consequences{}
}

// press is a button or the answer in a field; then the card loses its buttons.
func (a *Adapter) press(v *visit, p *pressed, value, card string) consequences {
	newest, known := a.prompts.Get(string(v.conv))
	ev := &bot.Event{ID: v.act.key(), Kind: bot.Press, Choice: p.Choice, Prompt: p.Prompt}
	if p.Choice == "" {
		ev.Kind, ev.Text = bot.Text, chat.Clip(value)
	}
	label := p.Label
	if known && p.Prompt < newest {
		label = "" // too late: nothing was chosen by it
	}
	return consequences{ev: ev, after: func() { a.settle(v, p, label, card) }}
}

// settle takes the buttons of a card away, in the background. Nobody loses
// anything when that fails: an old button says which prompt it belongs to.
func (a *Adapter) settle(v *visit, p *pressed, label, card string) {
	if len(card) > 256 || !receiptShape.MatchString(card) || p.Text == "" || len(p.Text) > maxCard/4 {
		return
	}
	a.run.Later(callTimeout, func(ctx context.Context) {
		if !a.Rates.Spare(ctx, time.Now(), sends, v.to.Conversation) {
			return
		}
		if err := a.replace(ctx, v.to, card, settled(p, a.frame(), label)); err != nil {
			a.o.Log.Debug("a card keeps its buttons", "err", err)
		}
	})
}

func (a *Adapter) frame() frame { return frame{phrases: a.o.Phrases, lang: a.o.Lang} }

// accept hands an event in. It is acknowledged only when it was taken, or stored.
func (a *Adapter) accept(ctx context.Context, in bot.Inbox, v *visit, f consequences, known bool, body []byte) (int, any) {
	a.expect(v)
	var c *carrier
	if a.o.Emulator && v.act.DeliveryMode == "expectReplies" && v.act.Type != "invoke" {
		c = a.replies.begin(v.conv)
		defer a.replies.end(v.conv, c)
	}
	deferred, err := a.Accept(ctx, in, a.o.House, f.ev, known, body)
	switch {
	case err == nil && deferred:
		return http.StatusOK, f.reply
	case err == nil:
		reply := f.reply
		if c != nil {
			reply = a.replies.wait(ctx, v.conv, c)
		}
		f.then()
		return http.StatusOK, reply
	}
	a.signs.Said(string(v.conv))
	if errors.Is(err, bot.ErrEvent) {
		a.o.Log.Error("an activity gave an event that is not well formed", "type", v.act.Type, "err", err)
		return http.StatusBadRequest, nil
	}
	if ctx.Err() == nil {
		a.o.Log.Error("an activity was not taken in; Teams shall deliver again", "err", err)
	}
	return http.StatusServiceUnavailable, nil
}
