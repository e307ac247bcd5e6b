package slack

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"latchkey/adapters/dial"
	"latchkey/bot"
)

// socketLines is how many connections are held at once; Slack allows ten. Slack
// asks each to connect anew every few hours, and the library then closes it
// first: what would be told in that moment comes by the other one.
const socketLines = 2

// runSockets is Run by Socket Mode
// (https://docs.slack.dev/apis/events-api/using-socket-mode). The library
// connects, answers pings and connects again; here is what follows from that.
func (a *Adapter) runSockets(ctx context.Context) error {
	var all sync.WaitGroup
	for i := range socketLines {
		all.Go(func() {
			if i == 0 || bot.Sleep(ctx, jitter(firstPause)) { // not all at once
				a.runSocket(ctx, i)
			}
		})
	}
	all.Wait()
	return nil
}

// lines are the states of the connections.
type lines struct {
	mu sync.Mutex
	up [socketLines]bool
}

// line notes how a connection is doing. One is enough.
func (a *Adapter) line(i int, ok bool, text string) {
	a.lines.mu.Lock()
	defer a.lines.mu.Unlock()
	a.lines.up[i] = ok
	if slices.Contains(a.lines.up[:], true) {
		a.Trouble.End(wayIn)
		return
	}
	a.Trouble.Begin(wayIn, text)
}

// runSocket keeps one connection.
func (a *Adapter) runSocket(ctx context.Context, i int) {
	pause, which := firstPause, 0
	for {
		tokens := a.o.AppToken()
		if len(tokens) == 0 {
			a.line(i, false, "there is no app token any more; set app_token")
			if !bot.Sleep(ctx, jitter(pause)) {
				return
			}
			pause = min(2*pause, lastPause)
			continue
		}
		began := a.o.Now()
		err := a.connect(ctx, i, string(tokens[which%len(tokens)]))
		if ctx.Err() != nil {
			return
		}
		if a.o.Now().Sub(began) > lastPause {
			pause = firstPause
		}
		code := slackCode(err)
		if slices.Contains(refusedTokens, code) {
			which++ // the other one, while there are two
		}
		a.line(i, false, socketTrouble(code))
		a.o.Log.Error("slack: "+socketTrouble(code), "again_in", pause)
		if !bot.Sleep(ctx, jitter(pause)) {
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// connect holds the connection until it is refused for good, or ctx ends.
func (a *Adapter) connect(ctx context.Context, i int, appToken string) error {
	api := a.api(string(a.o.BotToken.One()), slack.OptionAppLevelToken(appToken))
	line := socketmode.New(api, socketmode.OptionLog(silent), socketmode.OptionReadLimit(maxInput))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case ev := <-line.Events:
				a.happened(ctx, i, line, &ev)
			case <-ctx.Done():
				return
			}
		}
	}()
	err := line.RunContext(ctx)
	stop()
	<-over
	return err
}

// happened does what follows from a frame or from the state of the connection.
// Slack delivers an envelope again that is not acknowledged.
func (a *Adapter) happened(ctx context.Context, i int, line *socketmode.Client, ev *socketmode.Event) {
	switch ev.Type {
	case socketmode.EventTypeHello:
		a.line(i, true, "")
		return
	case socketmode.EventTypeConnecting:
		a.line(i, false, "connecting to Slack")
		return
	case socketmode.EventTypeConnectionError:
		e, ok := ev.Data.(*slack.ConnectionErrorEvent)
		if !ok {
			return
		}
		text := socketTrouble(slackCode(e.ErrorObj))
		a.line(i, false, text)
		a.o.Log.Warn("slack: "+text, "attempt", e.Attempt, "again_in", e.Backoff.Round(time.Millisecond), "err", dial.Bare(e.ErrorObj))
		return
	case socketmode.EventTypeIncomingError, socketmode.EventTypeErrorWriteFailed:
		a.o.Log.Info("slack: the connection is interrupted")
		return
	case socketmode.EventTypeDisconnect:
		a.o.Log.Info("slack: asked to connect anew")
		return
	}
	request := ev.Request
	if e, ok := ev.Data.(*socketmode.ErrorBadMessage); ok && ev.Type == socketmode.EventTypeErrorBadMessage {
		// What the library cannot decode is decoded here; see decode.go.
		request = new(socketmode.Request)
		if json.Unmarshal(e.Message, request) != nil {
			return
		}
	}
	if request == nil || !isOpaque(request.EnvelopeID) {
		return
	}
	how := map[string]string{
		socketmode.RequestTypeEventsAPI: fromEvent, socketmode.RequestTypeInteractive: fromInteraction, socketmode.RequestTypeSlashCommands: fromCommand,
	}[request.Type]
	v, err := source{how, string(request.Payload)}.decode()
	ack := func(reply answer) {
		var payload any
		if reply != nil && request.AcceptsResponsePayload {
			payload = reply
		}
		_ = line.AckCtx(ctx, request.EnvelopeID, payload)
	}
	if err != nil || v.what == challenge {
		a.o.Log.Warn("slack: an envelope is not understood", "err", err)
		ack(nil)
		return
	}
	a.enter(v, func(reply answer, err error) {
		if err != nil {
			a.o.Log.Warn("slack: an event was not taken in; Slack delivers it again", "err", err)
			return
		}
		ack(reply)
	})
}

// socketTrouble tells an operator why there is no connection.
func socketTrouble(code string) string {
	switch {
	case slices.Contains(refusedTokens, code):
		return "Slack does not take the app token (" + code + "); make one with connections:write under Basic Information of the app"
	case code == "missing_scope" || code == "not_allowed_token_type":
		return "the app token lacks connections:write (" + code + "); make another one under Basic Information of the app"
	case code == "socket_mode_not_enabled" || code == "link_disabled":
		return "Socket Mode is switched off in the app; switch it on, or set signing_secret for events over HTTP"
	case code != "":
		return "Slack refuses the connection: " + printable(code)
	}
	return "Slack is not reached; I keep trying"
}
