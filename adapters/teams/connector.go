package teams

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"latchkey/adapters/dial"
	"latchkey/bot"
)

const (
	callTimeout = 15 * time.Second
	maxAnswer   = 64 << 10 // bytes of an answer that are read
)

// newClient makes the client for calls that carry a token of ours, and for
// those to the identity service. A redirect is an answer like any other: a
// token follows none (security 1.2, threat 25).
func newClient(o *Options) *http.Client {
	guard := dial.Guard{Private: true, Loopback: true}
	if !o.Emulator {
		c := clouds[o.Cloud]
		own := []string{o.LoginURL, o.KeysURL, o.GraphURL}
		for _, h := range o.ServiceHosts {
			own = append(own, "https://"+strings.TrimPrefix(h, "*."))
		}
		usual := []string{c.login, c.metadata, c.graph}
		for _, h := range c.hosts {
			usual = append(usual, "https://"+strings.TrimPrefix(h, "*."))
		}
		guard = dial.For("", slices.DeleteFunc(own, func(a string) bool { return slices.Contains(usual, a) })...)
	}
	t := guard.Transport()
	t.MaxIdleConnsPerHost = 128
	return dial.Client(t, callTimeout)
}

// refusal is an answer of the connector that is none of 2xx.
type refusal struct {
	status int
	code   string        // error.code, or the name in front of errorCode's message
	after  time.Duration // Retry-After
	// licence: Microsoft Graph says in words that the account has none. It has
	// no code for that.
	licence bool
}

func (r *refusal) Error() string {
	return "the connector answers " + r.said()
}

// said is what it answered: "403 BotNotInConversationRoster".
func (r *refusal) said() string { return strings.TrimSpace(fmt.Sprintf("%d %s", r.status, r.code)) }

// unsent says that nothing of a request has left.
type unsent struct{ err error }

func (e *unsent) Error() string { return e.err.Error() }
func (e *unsent) Unwrap() error { return e.err }

// address is where the messages to one conversation go; it is the adapter's
// opaque bot.Event.Address. It holds no secret.
type address struct {
	Service      string `json:"s"`
	Conversation string `json:"c"`
	User         string `json:"u"` // "29:...", unique to this bot
	Bot          string `json:"b"` // "28:<app id>"

	// Of a channel of a team, and of a thread in it, see channel.go.
	Channel string `json:"n,omitempty"` // its id; Conversation is it, or the thread's
	Root    string `json:"r,omitempty"` // of a thread: the id of its first message
}

func (a *Adapter) readAddress(b []byte) (*address, error) {
	var to address
	if err := json.Unmarshal(b, &to); err != nil || to.Conversation == "" {
		return nil, errors.New("the conversation has no address in Teams")
	}
	var err error
	if to.Service, err = a.service(to.Service); err != nil {
		return nil, err
	}
	return &to, nil
}

// activities is the path of a conversation's messages, or of one of them.
func (to *address) activities(id string) string {
	p := "/v3/conversations/" + url.PathEscape(to.Conversation) + "/activities"
	if id != "" {
		p += "/" + url.PathEscape(id)
	}
	return p
}

// call makes one request. Errors are *refusal, *unsent, or say that nobody
// knows whether it arrived. The service has been checked.
func (a *Adapter) call(ctx context.Context, method, service, path string, body []byte, into any) error {
	for again := false; ; again = true {
		token := ""
		if !a.o.Emulator {
			var err error
			if token, err = a.credential.token(ctx); err != nil {
				a.ill("token", err)
				return &unsent{err}
			}
			a.well("token")
		}
		err := a.once(ctx, method, service+path, token, body, into)
		var r *refusal
		if errors.As(err, &r) && r.status == http.StatusUnauthorized && !again && token != "" {
			a.credential.drop(token) // it was withdrawn, or the secret was changed
			continue
		}
		return err
	}
}

func (a *Adapter) once(ctx context.Context, method, address, token string, body []byte, into any) error {
	wrote := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { wrote = true }})
	q, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return &unsent{err}
	}
	if body != nil {
		q.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	q.Header.Set("User-Agent", "Latchkey")
	r, err := a.client.Do(q)
	if err != nil {
		if err = dial.Bare(err); !wrote { // the address names the conversation
			return &unsent{fmt.Errorf("the connector cannot be reached: %w", err)}
		}
		return fmt.Errorf("the connector did not answer: %w", err)
	}
	defer r.Body.Close()
	if r.StatusCode < 200 || r.StatusCode > 299 {
		b, _ := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
		return &refusal{status: r.StatusCode, code: refusalCode(b), after: dial.RetryAfter(r.Header.Get("Retry-After"), a.o.Wall()),
			licence: bytes.Contains(b, []byte("license"))}
	}
	if into == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxAnswer)) // so that the connection is used again
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxAnswer)).Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("the connector's answer cannot be read: %w", err)
	}
	return nil
}

// refusalCode finds the code in the two shapes of errors that there are:
// {"error":{"code":"…"}}, and of Teams {"errorCode":209,"message":"{…subCode…}"}.
func refusalCode(b []byte) string {
	var e struct {
		Error struct {
			Code       string `json:"code"`
			InnerError struct {
				Code string `json:"code"`
			} `json:"innerHttpError"`
		} `json:"error"`
		SubCode string `json:"subCode"`
		Message string `json:"message"`
	}
	if json.Unmarshal(b, &e) != nil {
		return ""
	}
	var inner struct {
		SubCode string `json:"subCode"`
	}
	_ = json.Unmarshal([]byte(e.Message), &inner)
	for _, c := range []string{inner.SubCode, e.SubCode, e.Error.Code} {
		if bot.Plain(c, 64, "") {
			return c
		}
	}
	return ""
}

// gone are the codes that say that somebody has blocked or removed the bot.
// Sources: the page on proactive messages, and the error codes of the page on
// conversation messages.
var gone = map[string]bool{
	"MessageWritesBlocked": true, "BotNotInConversationRoster": true, "ConversationBlockedByUser": true,
	"BotDisabledByAdmin": true, "ConversationNotFound": true,
}

// fault classifies an error for the outbox.
func fault(err error) *bot.SendError {
	var r *refusal
	var u *unsent
	e := &bot.SendError{Kind: bot.SendUncertain, Err: fmt.Errorf("teams: %w", err)}
	switch {
	case errors.As(err, &u):
		e.Kind = bot.SendRetry
	case !errors.As(err, &r): // nobody knows
	case r.status == http.StatusTooManyRequests:
		e.Kind, e.After, e.Here = bot.SendThrottled, max(r.after, time.Second), true
	case gone[r.code]:
		e.Kind, e.Code = bot.SendGone, "unreachable"
	case r.status == http.StatusUnauthorized, r.status == http.StatusPreconditionFailed, r.status >= 500, r.status == http.StatusNotFound && r.code == "":
		// Microsoft's page asks to repeat 412, 502 and 504. A 404 without a code is
		// not the connector's: a proxy or a gateway that is not right yet.
		e.Kind = bot.SendRetry
	default:
		e.Kind, e.Code = bot.SendPermanent, "refused"
	}
	return e
}

// receiptShape is an id of a message.
var receiptShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:;_.=@-]*$`)

// member looks somebody up in a conversation.
func (a *Adapter) member(ctx context.Context, service, conv, user string) (*member, error) {
	var m member
	err := a.call(ctx, http.MethodGet, service, "/v3/conversations/"+url.PathEscape(conv)+"/members/"+url.PathEscape(user), nil, &m)
	return &m, err
}
