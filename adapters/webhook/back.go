package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"latchkey/bot"
)

// BackPath is where messages come back to, below the public address.
const BackPath = "/webhook/ticket"

const (
	backCap = 64 << 10 // bytes of a message
	idCap   = 256      // bytes of its webhook-id
)

// backActs are the types of messages, and what each does at the desk.
var backActs = map[string]string{"ticket.note": "note", "ticket.line": "say", "ticket.solve": "solve"}

// refused are the answers to refusals of the desk that say more than "not now".
var refused = map[string]int{
	bot.DeskNotAgent: http.StatusForbidden, "not_allowed": http.StatusForbidden, bot.DeskNoTicket: http.StatusNotFound,
	"too_often": http.StatusTooManyRequests,
	"empty":     http.StatusUnprocessableEntity, "too_long": http.StatusUnprocessableEntity, "asks_secret": http.StatusUnprocessableEntity, "has_secret": http.StatusUnprocessableEntity,
}

// Back takes messages of the organisation's system, signed with a secret of their
// own, and has each done once. Nothing is read of one whose signature does not
// hold, or is older than five minutes.
//
//	204 done, or done before · 400 · 401 not signed · 403 not allowed · 404 no such
//	ticket or type · 405 · 409 not now · 413 · 415 · 422 the line is refused ·
//	429 too often, with Retry-After · 503
func Back(secret bot.Secret, do func(context.Context, bot.DeskAct) error) (http.Handler, error) {
	k, err := Key(secret)
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, code := back(w, r, k, do)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		if code != "" {
			json.NewEncoder(w).Encode(map[string]string{"refused": code})
		}
	}), nil
}

// back is the answer to a message, and the code of a refusal.
func back(w http.ResponseWriter, r *http.Request, k *standardwebhooks.Webhook, do func(context.Context, bot.DeskAct) error) (status int, code string) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return http.StatusMethodNotAllowed, ""
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, ""
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, backCap))
	if err != nil {
		if errors.As(err, new(*http.MaxBytesError)) {
			return http.StatusRequestEntityTooLarge, ""
		}
		return http.StatusBadRequest, ""
	}
	id := r.Header.Get(standardwebhooks.HeaderWebhookID)
	if k.Verify(text, r.Header) != nil {
		return http.StatusUnauthorized, ""
	}
	var m struct {
		Type string `json:"type"`
		Data struct {
			Ticket string `json:"ticket"`
			Text   string `json:"text"`
		} `json:"data"`
	}
	if len(id) > idCap || json.Unmarshal(text, &m) != nil {
		return http.StatusBadRequest, ""
	}
	act, known := backActs[m.Type]
	if !known {
		return http.StatusNotFound, "no_type"
	}
	err = do(r.Context(), bot.DeskAct{Key: "back|" + id, AgentAct: bot.AgentAct{Ticket: m.Data.Ticket, By: bot.OutsideAgent, Do: act, Text: m.Data.Text}})
	no := new(bot.DeskRefusal)
	switch {
	case err == nil:
		return http.StatusNoContent, ""
	case errors.As(err, &no):
		if status = refused[no.Code]; status == 0 {
			status = http.StatusConflict
		}
		if no.After > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((no.After+time.Second-1)/time.Second)))
		}
		return status, no.Code
	}
	return http.StatusServiceUnavailable, ""
}
