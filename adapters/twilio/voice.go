package twilio

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"latchkey/bot"
)

// A CodeSource gives the code of a challenge while it can still be used, and
// the language of the person. An error that wraps bot.ErrNotFound means that
// it is used, void, expired or was never there.
type CodeSource func(ctx context.Context, challengeID string) (code bot.Secret, lang string, err error)

// tokenPurpose separates the tokens' hashes from all others of the vault.
const tokenPurpose = "twilio.voice"

// voiceURL is the page of one challenge. The token is the challenge's id and a
// keyed hash of it (HMAC-SHA-256), so no table is needed to know ours.
func (s *Sender) voiceURL(challenge string) string {
	enc := base64.RawURLEncoding
	return s.at(VoicePath) + enc.EncodeToString([]byte(challenge)) + "." + enc.EncodeToString(s.o.Vault.Hash(tokenPurpose, challenge))
}

// challengeOf checks a token in constant time and gives its challenge.
func (s *Sender) challengeOf(token string) (string, bool) {
	enc := base64.RawURLEncoding.Strict()
	left, right, ok := strings.Cut(token, ".")
	id, err1 := enc.DecodeString(left)
	hash, err2 := enc.DecodeString(right)
	if !ok || err1 != nil || err2 != nil || len(id) == 0 {
		return "", false
	}
	return string(id), s.o.Vault.Equal(hash, tokenPurpose, string(id))
}

// asks is how often a wrong key is forgiven.
const asks = 3

// VoicePage answers at VoicePath with what a call says. It first asks to press
// 1 and reads the code only then: digit by digit, slowly, twice. It answers
// signed requests only, in the language that source names, and says that the
// code ran out when source has none. Phrases: voice.ask, voice.code,
// voice.again, voice.bye, voice.expired.
//
//	200 TwiML · 401 403 not signed · 404 no token of ours · 405 413 415 · 503 source failed
func (s *Sender) VoicePage(source CodeSource) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		form, status := s.verified(w, r, VoicePath+token)
		if status != 0 {
			w.WriteHeader(status)
			return
		}
		id, ok := s.challengeOf(token)
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		code, lang, err := source(r.Context(), id)
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			s.o.Log.Warn("twilio: the code to read could not be fetched", "error", err)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		t := s.speak(lang)
		asked, _ := strconv.Atoi(r.URL.Query().Get("asked"))
		switch {
		case err != nil || code == "":
			t.say("voice.expired")
		case asked > 0 && form.Get("Digits") == "1":
			t.read(code)
		case asked >= asks:
			t.say("voice.bye")
		default:
			t.ask(s.at(VoicePath) + token + "?asked=" + strconv.Itoa(max(asked, 0)+1))
		}
		h := w.Header()
		h.Set("Content-Type", "text/xml; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		_, _ = w.Write([]byte(t.end()))
	})
}

// inline is a whole call in one piece, without a key to press first.
func (s *Sender) inline(lang string, code bot.Secret) string {
	t := s.speak(lang)
	t.say("voice.inline")
	t.pause()
	t.read(code)
	return t.end()
}

// speech is a TwiML document in the making
// (https://www.twilio.com/docs/voice/twiml).
type speech struct {
	s    *Sender
	lang string // ours
	tag  string // Twilio's
	b    strings.Builder
}

func (s *Sender) speak(lang string) *speech {
	tag, ok := s.o.VoiceLanguages[lang]
	if !ok {
		base, _, _ := strings.Cut(lang, "-")
		if tag, ok = s.o.VoiceLanguages[base]; !ok {
			tag = lang
		}
	}
	t := &speech{s: s, lang: lang, tag: tag}
	t.b.WriteString(xml.Header + "<Response>")
	return t
}

func (t *speech) end() string { return t.b.String() + "<Hangup/></Response>" }

func (t *speech) say(key string) {
	t.words(t.s.o.Phrases.Phrase(t.lang, key, t.s.facts()...))
}

func (t *speech) words(text string) {
	t.b.WriteString("<Say")
	if t.tag != "" {
		t.b.WriteString(` language="` + escape(t.tag) + `"`)
	}
	t.b.WriteString(">" + escape(text) + "</Say>")
}

func (t *speech) pause() { t.b.WriteString(`<Pause length="1"/>`) }

// ask waits for a key, twice, and then says goodbye.
func (t *speech) ask(action string) {
	for range 2 {
		t.b.WriteString(`<Gather numDigits="1" timeout="8" method="POST" action="` + escape(action) + `">`)
		t.say("voice.ask")
		t.b.WriteString("</Gather>")
	}
	t.say("voice.bye")
}

// read says the code twice, each digit for itself with a second after it.
func (t *speech) read(code bot.Secret) {
	for _, key := range []string{"voice.code", "voice.again"} {
		t.say(key)
		for _, digit := range string(code) {
			t.words(string(digit))
			t.pause()
		}
	}
	t.say("voice.bye")
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}
