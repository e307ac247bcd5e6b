package discord

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/bwmarrin/discordgo"
)

const (
	maxBody = 256 << 10
	window  = 5 * time.Minute // between Discord's clock and ours
)

// Handler takes interactions in that come by HTTP: POST only, each signed with
// the application's key over time and body (Receiving and Responding, Security
// and Authorization). Without a public key it answers 404.
func (a *Adapter) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "POST only", http.StatusMethodNotAllowed)
			return
		}
		if a.key == nil {
			http.Error(w, "interactions come by the gateway", http.StatusNotFound)
			return
		}
		raw, status := a.verified(w, q)
		if status != http.StatusOK {
			http.Error(w, http.StatusText(status), status)
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

// verified reads a body whose signature is right and whose time is now.
func (a *Adapter) verified(w http.ResponseWriter, q *http.Request) (raw []byte, status int) {
	if len(q.Header.Values("X-Signature-Ed25519")) != 1 || len(q.Header.Values("X-Signature-Timestamp")) != 1 {
		return nil, http.StatusUnauthorized
	}
	at, err := strconv.ParseInt(q.Header.Get("X-Signature-Timestamp"), 10, 64)
	if err != nil {
		return nil, http.StatusUnauthorized
	}
	if off := a.o.Wall().Sub(time.Unix(at, 0)).Abs(); off > window {
		return nil, http.StatusUnauthorized
	}
	if q.ContentLength > maxBody {
		return nil, http.StatusRequestEntityTooLarge
	}
	q.Body = http.MaxBytesReader(w, q.Body, maxBody)
	if !discordgo.VerifyInteraction(q, a.key) {
		return nil, http.StatusUnauthorized
	}
	raw, err = io.ReadAll(q.Body)
	if err != nil {
		return nil, http.StatusBadRequest
	}
	return raw, http.StatusOK
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
	limit := time.NewTimer(a.pace.later + 15*time.Second)
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
