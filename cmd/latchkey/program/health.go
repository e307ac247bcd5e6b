package program

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/enroll"
	"latchkey/cmd/latchkey/textfmt"
)

// programHealth answers GET /healthz: 503 when the store does not work, and else
// what needs an operator.
func (p *Program) programHealth(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if err := p.DB.Writable(); err != nil {
		answer(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	if _, err := p.DB.Meta(ctx, KeyCheck); err != nil {
		p.Log.Error("health: the store does not answer", "err", err)
		answer(w, http.StatusServiceUnavailable, "the store does not answer")
		return
	}
	text := "ok"
	// Whoever watches has to look; the service itself works, so it is no 503.
	if lines, err := p.needsOperator(ctx); err != nil || len(lines) > 0 {
		text = strings.Join(append([]string{"degraded: something needs an operator; see `latchkey doctor`"}, lines...), "\n")
	}
	if clock := p.DB.Clock().String(); clock != "" {
		text += "\nclock: " + clock
	}
	answer(w, http.StatusOK, text)
}

// readiness answers GET /readyz: whether new requests should come here.
func (p *Program) readiness(w http.ResponseWriter, _ *http.Request) {
	if !p.ready.Load() {
		answer(w, http.StatusServiceUnavailable, "starting or stopping")
		return
	}
	if err := p.DB.Writable(); err != nil {
		answer(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	answer(w, http.StatusOK, "ready")
}

// channelHealth answers GET /healthz/{channel}.
func (p *Program) channelHealth(w http.ResponseWriter, r *http.Request) {
	state, ok := p.health(bot.ChannelID(r.PathValue("channel")))
	switch {
	case !ok:
		answer(w, http.StatusNotFound, "no such channel")
	case !state.OK:
		answer(w, http.StatusServiceUnavailable, strings.TrimSpace("down "+since(state)+": "+textfmt.Printable(state.Text)))
	default:
		answer(w, http.StatusOK, strings.TrimSpace("ok "+since(state)))
	}
}

// freshAlert is how long an alert about a person counts in the health check;
// `latchkey doctor` lists it longer.
const freshAlert = 24 * time.Hour

// alerts lists what an operator has to know now: one line each.
func (p *Program) alerts(ctx context.Context, since time.Duration) (list []bot.Finding, err error) {
	open, err := p.openAlerts(ctx, since)
	for _, a := range open {
		list = append(list, alertFinding(a))
	}
	return list, err
}

func (p *Program) openAlerts(ctx context.Context, since time.Duration) (open []bot.Alert, err error) {
	err = p.DB.View(ctx, func(tx bot.Tx) error {
		if open, err = tx.Alerts(""); err != nil {
			return err
		}
		open = slices.DeleteFunc(open, func(a bot.Alert) bool { return a.Kind == bot.AlertUntold && tx.Now().Sub(a.At) >= since })
		return nil
	})
	return open, err
}

func alertFinding(a bot.Alert) bot.Finding {
	f := bot.Finding{What: string(a.Kind), State: bot.Broken}
	f.Text, f.Fix = enroll.AlertText(a)
	f.Text += "; last " + textfmt.When(a.At)
	if a.Person != "" {
		f.What += " " + string(a.Person)
		f.State = bot.Doubtful
		f.Text += fmt.Sprintf(", %d in all", a.Count)
	}
	return f
}

// needsOperator names in one line each what somebody has to look at, without
// saying of whom: whoever watches reads it.
func (p *Program) needsOperator(ctx context.Context) (lines []string, err error) {
	if lines, err = p.failing(ctx); err != nil {
		return nil, err
	}
	open, err := p.alerts(ctx, freshAlert)
	if len(open) > 0 {
		lines = append(lines, fmt.Sprintf("alerts: %d", len(open)))
	}
	return lines, err
}

// failing names what does not work, in one line each.
func (p *Program) failing(ctx context.Context) (lines []string, err error) {
	for _, f := range p.sendersDown() {
		line, _, _ := strings.Cut(f.Text, ", tried")
		lines = append(lines, f.What+" "+line)
	}
	again, err := p.toldAgain(ctx)
	if err != nil {
		return nil, err
	}
	if again != "" {
		lines = append(lines, p.outsideWord()+" "+again)
	}
	given, err := p.countGivenUp(ctx, p.DB.Now().Add(-freshAlert))
	if err != nil {
		return nil, err
	}
	if given != "" {
		lines = append(lines, "given up in the last day: "+given)
	}
	for _, f := range []bot.Finding{p.lookAtMail(ctx), p.lookAtInbox(ctx)} {
		if f.State != bot.Fine {
			lines = append(lines, f.Text)
		}
	}
	dir, err := p.lookAtDirectory(ctx)
	for _, f := range dir {
		if f.State == bot.Broken {
			lines = append(lines, "the directory is not read: "+f.What)
		}
	}
	return lines, err
}
