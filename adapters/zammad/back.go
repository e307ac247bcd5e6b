package zammad

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"

	"latchkey/bot"
)

// BackPath is where the webhook of Zammad's trigger comes to, below the public
// address.
const BackPath = "/webhook/zammad"

const backCap = 1 << 20 // bytes of a webhook, which holds people and groups, too

// Back takes webhooks of a trigger, and has each ticket that one names looked at. It
// believes nothing else of it: one that is sent again, late or in another order
// changes nothing. Zammad repeats what is not answered 2xx, four times.
//
//	204 noted, or nothing of ours · 400 · 401 not signed · 405 · 413 · 503
func (z *Zammad) Back(token bot.Secret, changed func(context.Context, ...bot.OutsideChange) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.WriteHeader(z.back(w, r, token, changed))
	})
}

func (z *Zammad) back(w http.ResponseWriter, r *http.Request, token bot.Secret, changed func(context.Context, ...bot.OutsideChange) error) int {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, backCap))
	if errors.As(err, new(*http.MaxBytesError)) {
		return http.StatusRequestEntityTooLarge
	}
	if err != nil {
		return http.StatusBadRequest
	}
	if !hmac.Equal([]byte(r.Header.Get("X-Hub-Signature")), []byte(Sign(token, body))) {
		return http.StatusUnauthorized
	}
	var m struct {
		Ticket struct {
			ID    int64  `json:"id"`
			Title string `json:"title"`
		} `json:"ticket"`
		Article *struct {
			CreatedBy int64 `json:"created_by_id"`
		} `json:"article"`
	}
	if json.Unmarshal(body, &m) != nil {
		return http.StatusBadRequest
	}
	n := ours(m.Ticket.Title)
	if n == "" || m.Article != nil && z.mine(m.Article.CreatedBy) {
		return http.StatusNoContent
	}
	if changed(r.Context(), bot.OutsideChange{Ticket: n, There: strconv.FormatInt(m.Ticket.ID, 10)}) != nil {
		return http.StatusServiceUnavailable
	}
	return http.StatusNoContent
}

// mine reports whether it is known that an account is ours.
func (z *Zammad) mine(account int64) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.id != 0 && z.id == account
}

// Sign is the signature of a webhook.
func Sign(token bot.Secret, body []byte) string {
	m := hmac.New(sha1.New, []byte(token))
	m.Write(body)
	return "sha1=" + hex.EncodeToString(m.Sum(nil))
}
