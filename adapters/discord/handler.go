package discord

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"latchkey/adapters/chat"
)

const maxBody = 256 << 10 // bytes of a request

// Handler takes interactions in that come by HTTP: POST only, each signed with
// the application's key over time and body (Receiving and Responding, Security
// and Authorization). Without a public key it answers 404.
func (a *Adapter) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		raw, status := chat.Body(w, q, maxBody)
		switch {
		case status != http.StatusOK:
			http.Error(w, http.StatusText(status), status)
			return
		case a.key == nil:
			http.Error(w, "interactions come by the gateway", http.StatusNotFound)
			return
		case !a.signed(q.Header, raw):
			http.Error(w, http.StatusText(http.StatusUnauthorized), http.StatusUnauthorized)
			return
		}
		i, err := decodeInteraction(raw)
		if err != nil {
			a.o.Log.Debug("a signed request cannot be read", "err", err)
			http.Error(w, "not of the documented shape", http.StatusBadRequest)
			return
		}
		if i.Type == kindPing {
			a.write(w, answer{Type: answerPong})
			return
		}
		a.answerHTTP(w, q, i)
	})
}

// signed reports whether a body has the application's signature, and one time that is
// now.
func (a *Adapter) signed(h http.Header, body []byte) bool {
	stamps, signs := h.Values("X-Signature-Timestamp"), h.Values("X-Signature-Ed25519")
	if len(stamps) != 1 || len(signs) != 1 {
		return false
	}
	at, err := strconv.ParseInt(stamps[0], 10, 64)
	if err != nil || a.o.Wall().Sub(time.Unix(at, 0)).Abs() > chat.Skew {
		return false
	}
	sign, err := hex.DecodeString(signs[0])
	return err == nil && ed25519.Verify(a.key, append([]byte(stamps[0]), body...), sign)
}

// startWait is how long an interaction that comes while the program starts
// waits for Run.
const startWait = 2 * time.Second

// answerHTTP deals with an interaction; its first answer is the response.
func (a *Adapter) answerHTTP(w http.ResponseWriter, q *http.Request, i *interaction) {
	a.run.Await(q.Context(), startWait) // Discord waits three seconds for an answer
	r := a.current.Load()
	if r == nil || r.ctx.Err() != nil {
		http.Error(w, "not running", http.StatusServiceUnavailable)
		return
	}
	first := make(chan answer, 1)
	p := &reply{a: a, i: i}
	p.first = func(w answer) error { first <- w; return nil }
	if !a.interaction(r, i, p) {
		http.Error(w, "nothing of ours", http.StatusBadRequest)
		return
	}
	limit := time.NewTimer(a.waits.later + 15*time.Second)
	defer limit.Stop()
	select {
	case x := <-first:
		a.write(w, x)
	case <-r.ctx.Done():
		http.Error(w, "ending", http.StatusServiceUnavailable)
	case <-q.Context().Done():
	case <-limit.C: // it was dealt with, and there is nothing to say
		http.Error(w, "not taken in", http.StatusServiceUnavailable)
	}
}

func (a *Adapter) write(w http.ResponseWriter, x answer) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(x) // Discord is gone when it fails
}
