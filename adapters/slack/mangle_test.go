package slack_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"latchkey/adapters/slack/slacktest"
)

// Mangle sends one input that Slack would never send, or none that means
// anything to us. None makes an event.
func (w *workspace) Mangle(rng *rand.Rand, word string) (int, error) {
	u := w.Person(0).ID()
	h := w.broken(rng, u, word)
	kind, body := h.Body()
	if w.socket {
		return 0, w.mangleSocket(rng, h, word)
	}
	switch rng.IntN(12) {
	case 0:
		body = body[:rng.IntN(len(body)+1)]
	case 1:
		body = flip(rng, body)
		kind = "application/x-www-form-urlencoded"
	case 2:
		kind = pick(rng, "", "text/plain", "multipart/form-data", "application/json; charset", "image/png", word)
	case 3:
		body = []byte(strings.Repeat("[", 50_000) + word)
		kind = "application/json"
	case 4:
		body = append([]byte(`{"type":"event_callback","event":{"text":"`+word), 0xff, 0xfe, '"', '}', '}')
		kind = "application/json"
	case 5:
		if rng.IntN(20) == 0 {
			body = bytes.Repeat([]byte(word), 1<<20/len(word)+1)
		}
	}
	head := slacktest.Sign(slacktest.SigningSecret, time.Now(), body)
	switch rng.IntN(8) {
	case 0:
		head.Set("X-Slack-Signature", pick(rng, "", "v0=", "v1="+strings.Repeat("a", 64), "v0="+word, "v0="+strings.Repeat("0", 64), strings.Repeat("v0=", 1000)))
	case 1:
		head.Set("X-Slack-Request-Timestamp", pick(rng, "", "0", "-1", "1e9", "99999999999999999999", " "+head.Get("X-Slack-Request-Timestamp"), "0x10"))
	}
	head.Set("Content-Type", kind)
	_, _, err := w.Raw(w.server.URL, head, body)
	return 0, err
}

func (w *workspace) mangleSocket(rng *rand.Rand, h *slacktest.Happening, word string) error {
	frame := []byte(nil)
	switch rng.IntN(40) {
	case 0:
		frame = []byte(pick(rng, "", "{", "null", "[]", `"x"`, "{}", `{"type":"`+word+`"}`, `{"type":1}`, `{"type":"events_api"}`, `{"type":"events_api","envelope_id":"","payload":{}}`, `{"type":"interactive","envelope_id":{},"payload":"`+word+`"}`))
	case 1:
		frame = []byte(`{"type":"events_api","envelope_id":"e","payload":` + strings.Repeat("[", 20_000) + word)
	case 2:
		if rng.IntN(30) == 0 {
			frame = []byte(`{"type":"events_api","envelope_id":"e","payload":"` + strings.Repeat(word, 1<<20/len(word)+1) + `"}`)
		}
	case 3:
		raw, _ := json.Marshal(map[string]any{"type": h.Kind, "envelope_id": "e", "payload": h.Payload})
		frame = flip(rng, raw)
		if json.Valid(frame) { // still means the same
			frame = frame[:len(frame)/2]
		}
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		var err error
		if frame != nil {
			err = w.Frame(frame)
		} else {
			var payload any = h.Payload
			if rng.IntN(20) == 0 {
				payload = pick[any](rng, nil, "x", 1, []any{}, map[string]any{}, []any{h.Payload}, word)
			}
			_, _, err = w.Envelope(pick(rng, h.Kind, h.Kind, h.Kind, "events_api", "interactive", "slash_commands"), payload, 0)
		}
		if !errors.Is(err, slacktest.ErrNobody) || time.Now().After(end) {
			return nil // the line may have been cut over it
		}
	}
}

// broken is a happening of a user with one thing wrong that matters.
func (w *workspace) broken(rng *rand.Rand, u, word string) *slacktest.Happening {
	room := w.Room(u)
	base := map[string]any{"type": "message", "channel": room, "channel_type": "im", "user": u, "text": word, "ts": "1700000000.000100", "event_ts": "1700000000.000100"}
	bad := pick[any](rng, nil, 1, true, "", "u0lower", "U", "U0 "+word, []any{word}, map[string]any{"id": u}, strings.Repeat("U", 500), "U0NOBODY99", "USLACKBOT", slacktest.BotUser)
	press := map[string]any{
		"type": "block_actions", "user": map[string]any{"id": u, "team_id": slacktest.Team}, "team": map[string]any{"id": slacktest.Team},
		"container": map[string]any{"type": "message", "message_ts": "1700000000.000100", "channel_id": room}, "channel": map[string]any{"id": room}, "trigger_id": "1.2.abc",
		"actions": []any{map[string]any{"type": "button", "block_id": "choices", "action_id": "choice:1", "value": "7 on", "action_ts": "1700000001.000100", "text": map[string]any{"type": "plain_text", "text": word}}},
	}
	action := press["actions"].([]any)[0].(map[string]any)
	view := map[string]any{
		"type": "view_submission", "user": map[string]any{"id": u, "team_id": slacktest.Team}, "team": map[string]any{"id": slacktest.Team},
		"view": map[string]any{"id": "V1", "hash": "1.2", "callback_id": "entry", "private_metadata": "7", "state": map[string]any{"values": map[string]any{"entry": map[string]any{"value": map[string]any{"type": "plain_text_input", "value": word}}}}},
	}
	inside := view["view"].(map[string]any)
	form := map[string]any{"team_id": slacktest.Team, "channel_id": room, "user_id": u, "command": "/sspr", "text": "help", "trigger_id": "1.2.abc"}
	switch rng.IntN(5) {
	case 0, 1:
		h := w.Event(u, base)
		switch rng.IntN(12) {
		case 0:
			base["user"] = bad
		case 1:
			h.Payload["event_id"] = pick[any](rng, nil, "", 1, "a b", word+" ", []any{}, strings.Repeat("E", 300))
		case 2:
			h.Payload["team_id"] = pick[any](rng, nil, "", 5, "T", "X0TESTTEAM", []any{slacktest.Team})
		case 3:
			base["channel"] = pick[any](rng, nil, "", 1, "C0PUBLIC1", "D", "D0 x", word, []any{room})
		case 4:
			base["type"] = pick[any](rng, nil, "", word, 1, "reaction_added", "file_shared", "team_join", "message_", []any{})
		case 5:
			base["subtype"] = pick[any](rng, "message_changed", "message_deleted", "bot_message", "channel_join", "me_message", word, 1)
		case 6:
			base["bot_id"] = pick[any](rng, "B1", word, 1, []any{1})
		case 7:
			base["ts"] = pick[any](rng, nil, "", "x", 1, word, "1700000000", "1700000000.0001x")
		case 8:
			h.Payload["event"] = pick[any](rng, nil, 1, "x", []any{base}, map[string]any{}, word)
		case 9:
			h.Payload["type"] = pick[any](rng, nil, "", word, 1, "app_rate_limited", "event", "url_verification")
		case 10:
			base["text"] = pick[any](rng, 1, true, []any{word}, map[string]any{"a": word})
		case 11:
			base["channel_type"] = pick[any](rng, "channel", "group", "mpim", word, "app_home")
		}
		return h
	case 2:
		switch rng.IntN(8) {
		case 0:
			press["user"].(map[string]any)["id"] = bad
		case 1:
			press["actions"] = pick[any](rng, nil, []any{}, []any{nil}, 1, word, []any{1}, []any{map[string]any{}}, map[string]any{})
		case 2:
			action["value"] = pick[any](rng, nil, "", word, "7", "-1 on", "x on", "99999999999 on", 7, []any{}, "7 ")
		case 3:
			action["action_id"] = pick[any](rng, nil, "", word, "link:1", "page", "home:"+word, "entry", 1)
		case 4:
			action["action_ts"] = pick[any](rng, nil, "", word, "x", "1.", 1)
		case 5:
			press["type"] = pick[any](rng, nil, "", word, "message_action", "shortcut", "view_closed", 1)
		case 6:
			press["container"] = pick[any](rng, nil, map[string]any{}, 1, map[string]any{"message_ts": word, "channel_id": room})
		case 7:
			press["team"] = map[string]any{"id": pick[any](rng, "T0OTHERTEAM", 1, word, "x")}
		}
		return &slacktest.Happening{Kind: "interactive", Payload: press, User: u}
	case 3:
		switch rng.IntN(6) {
		case 0:
			view["user"].(map[string]any)["id"] = bad
		case 1:
			inside["callback_id"] = pick[any](rng, nil, "", word, 1)
		case 2:
			inside["private_metadata"] = pick[any](rng, nil, "", word, "-1", "0", "99999999999999", `{"a":1}`, 7)
		case 3:
			inside["state"] = pick[any](rng, nil, 1, map[string]any{}, map[string]any{"values": 1}, map[string]any{"values": map[string]any{"entry": map[string]any{}}}, map[string]any{"values": map[string]any{"entry": word}})
		case 4:
			inside["id"] = pick[any](rng, nil, "", "a b", word+" ", 1)
		case 5:
			inside["hash"] = pick[any](rng, nil, "", "a b", word+" ", 1)
		}
		return &slacktest.Happening{Kind: "interactive", Payload: view, User: u}
	}
	switch rng.IntN(4) {
	case 0:
		form["user_id"] = fmt.Sprint(bad)
	case 1:
		form["text"] = word
	case 2:
		form["trigger_id"] = pick(rng, "", "a b", word+" ")
	case 3:
		form["team_id"] = pick(rng, "", "T0OTHERTEAM", word)
	}
	return &slacktest.Happening{Kind: "slash_commands", Payload: form, User: u}
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// flip changes some bytes, so that nothing is what it was.
func flip(rng *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	for range 1 + rng.IntN(8) {
		if len(b) > 0 {
			b[rng.IntN(len(b))] = byte(rng.IntN(256))
		}
	}
	return b
}
