package twilio

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"

	"latchkey/bot"
)

// bodyCap bounds a callback (policy: HTTP body, Twilio 256 KiB).
const bodyCap = 256 << 10

// Handler answers Twilio's status callbacks at StatusPath below the public
// URL. It believes only what Twilio signed. onStatus gets the SID that SendCode
// returned, the status and the error code as Twilio wrote them (see Outcome); it
// may get them twice and out of order. An error that wraps bot.ErrNotFound (a
// SID that is not ours, or not stored yet) is answered 204 like success, any
// other one 503. Without a public URL everything is refused.
//
//	204 taken · 401 no signature · 403 wrong signature or form · 405 · 413 · 415 · 503
func (s *Sender) Handler(onStatus func(ctx context.Context, providerRef, status, errorCode string) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		form, status := s.verified(w, r, StatusPath)
		if status != 0 {
			w.WriteHeader(status)
			return
		}
		ref, what := form.Get("MessageSid"), form.Get("MessageStatus")
		if ref == "" {
			ref, what = form.Get("CallSid"), form.Get("CallStatus")
		}
		if ref == "" || what == "" {
			w.WriteHeader(http.StatusNoContent) // signed, but nothing that we asked for
			return
		}
		if err := onStatus(r.Context(), ref, what, form.Get("ErrorCode")); err != nil && !errors.Is(err, bot.ErrNotFound) {
			s.o.Log.Warn("twilio: a status was not taken", "ref", ref, "status", what, "error", err)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// verified reads a request of Twilio and checks X-Twilio-Signature
// (https://www.twilio.com/docs/usage/webhooks/webhooks-security) over the
// configured public URL, path as we know it, and the query as called. A status
// other than 0 is the refusal to answer. A key that comes twice is refused:
// the signature covers only one of its values.
func (s *Sender) verified(w http.ResponseWriter, r *http.Request, path string) (url.Values, int) {
	if s.public == nil {
		return nil, http.StatusForbidden
	}
	signature := r.Header.Get("X-Twilio-Signature")
	if signature == "" {
		return nil, http.StatusUnauthorized
	}
	target := s.at(path)
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	switch r.Method {
	case http.MethodGet:
		form, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil || twice(form) || !s.sign.Validate(target, nil, signature) {
			return nil, http.StatusForbidden
		}
		return form, 0
	case http.MethodPost:
	default:
		return nil, http.StatusMethodNotAllowed
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, http.StatusUnsupportedMediaType
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyCap))
	if err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return nil, http.StatusRequestEntityTooLarge
		}
		return nil, http.StatusBadRequest
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || twice(form) || !s.sign.ValidateBody(target, body, signature) {
		return nil, http.StatusForbidden
	}
	return form, 0
}

// twice reports whether a key has more than one value.
func twice(form url.Values) bool {
	for _, v := range form {
		if len(v) > 1 {
			return true
		}
	}
	return false
}
