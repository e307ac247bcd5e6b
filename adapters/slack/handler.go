package slack

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// Why a request is refused. Nobody is told which.
var (
	errSignature = errors.New("bad signature")
	errStale     = errors.New("stale request")
)

// verify checks the time of a request, and its signature over the raw body with any
// of the secrets (https://docs.slack.dev/authentication/verifying-requests-from-slack). slack-go has the same in SecretsVerifier, by the clock of the machine
// and with one secret; here the clock is given and secrets are changed.
func verify(h http.Header, body []byte, secrets []bot.Secret, now time.Time) error {
	stamps, signs := h.Values("X-Slack-Request-Timestamp"), h.Values("X-Slack-Signature")
	if len(stamps) != 1 || len(signs) != 1 {
		return errSignature
	}
	at, err := strconv.ParseInt(stamps[0], 10, 64)
	if err != nil || strconv.FormatInt(at, 10) != stamps[0] {
		return errSignature
	}
	given, ok := strings.CutPrefix(signs[0], "v0=")
	sum, err := hex.DecodeString(given)
	if !ok || err != nil || len(sum) != sha256.Size {
		return errSignature
	}
	good := false
	for _, s := range secrets {
		if s == "" {
			continue
		}
		good = hmac.Equal(signature(s, stamps[0], body), sum) || good
	}
	if !good {
		return errSignature
	}
	if now.Sub(time.Unix(at, 0)).Abs() > chat.Skew {
		return errStale
	}
	return nil
}

// signature is Slack's, of a time and a body.
func signature(secret bot.Secret, stamp string, body []byte) []byte {
	m := hmac.New(sha256.New, []byte(string(secret)))
	_, _ = io.WriteString(m, "v0:"+stamp+":")
	_, _ = m.Write(body)
	return m.Sum(nil)
}

// Handler takes what Slack delivers over HTTP: events, interactions and commands
// all come to the same address. Without a signing secret it takes nothing.
func (a *Adapter) Handler() http.Handler { return http.HandlerFunc(a.serve) }

func (a *Adapter) serve(w http.ResponseWriter, r *http.Request) {
	body, status := chat.Body(w, r, maxInput)
	secrets := a.o.SigningSecret
	switch {
	case status != http.StatusOK:
		http.Error(w, http.StatusText(status), status)
		return
	case secrets.One() == "":
		http.Error(w, "events come by Socket Mode", http.StatusNotFound)
		return
	}
	if err := verify(r.Header, body, secrets(), a.o.Wall()); err != nil {
		if a.seldom.OK("refused "+err.Error(), a.o.Now(), time.Minute) { // strangers do not fill the log
			a.o.Log.Warn("slack: a request was refused", "why", err, "hint", "if it came from Slack, check signing_secret and the clock")
		}
		http.Error(w, "refused", http.StatusUnauthorized)
		return
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	how := map[string]string{"application/json": fromEvent, "application/x-www-form-urlencoded": fromForm}[kind]
	if how == "" {
		http.Error(w, "neither JSON nor a form", http.StatusUnsupportedMediaType)
		return
	}
	v, err := source{how, string(body)}.decode()
	switch {
	case err != nil:
		// Truly from Slack, and not understood: no repeat helps.
		a.o.Log.Warn("slack: a request is not understood", "err", err)
		w.WriteHeader(http.StatusOK)
		return
	case v.what == challenge:
		reply(w, map[string]string{"challenge": v.text})
		return
	}
	type outcome struct {
		reply answer
		err   error
	}
	done := make(chan outcome, 1)
	a.run.Await(r.Context(), startWait)
	a.enter(v, func(reply answer, err error) { done <- outcome{reply, err} })
	select {
	case o := <-done:
		switch {
		case o.err != nil:
			if !errors.Is(o.err, errShut) {
				a.o.Log.Warn("slack: an event was not taken in; Slack delivers it again", "err", o.err)
			}
			http.Error(w, "not now", http.StatusServiceUnavailable)
		case o.reply != nil:
			reply(w, o.reply)
		default:
			w.WriteHeader(http.StatusOK)
		}
	case <-r.Context().Done(): // Slack waits no longer; the event stays in its queue
		http.Error(w, "not now", http.StatusServiceUnavailable)
	}
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(v) // Slack is gone when it fails
}
