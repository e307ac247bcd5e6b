package slack_test

import (
	"net/http"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/slack"
	"latchkey/adapters/slack/slacktest"
)

// TestFailures is Slack's failure table, see adaptertest.Failures. Slack can be
// asked, so whatever is in doubt comes once.
func TestFailures(t *testing.T) {
	t.Parallel()
	says := func(code string) adaptertest.Outcome {
		return adaptertest.Outcome{Status: http.StatusOK, Body: `{"ok":false,"error":"` + code + `"}`}
	}
	busy := adaptertest.Outcome{Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "30"}}
	lost, cut := adaptertest.Outcome{Lost: true}, adaptertest.Outcome{Cut: true}
	adaptertest.Failures(t, func(t testing.TB, way http.RoundTripper) adaptertest.Stage {
		w := openWorkspace(t, adaptertest.NewHouse(), false)
		a := w.Connect(t).(*slack.Adapter)
		slack.Through(a, way)
		u := w.Add(slacktest.User{Name: "ada"}).ID
		room := w.Room(u)
		return adaptertest.Stage{
			Adapter: a, User: u, Address: []byte(`{"c":"` + room + `"}`),
			Says: func(q *http.Request) bool { return strings.HasSuffix(q.URL.Path, "/chat.postMessage") },
			Texts: func() (texts []string) {
				for _, m := range w.Messages(room) {
					texts = append(texts, m.Text)
				}
				return texts
			},
		}
	}, []adaptertest.Failure{
		{Does: "nothing wrong", Answer: adaptertest.Always(adaptertest.Outcome{}), Seen: 1},
		{Does: "shows it, and the answer is lost, once", Answer: adaptertest.Times(1, lost), Seen: 1},
		{Does: "the answer is lost, twice", Answer: adaptertest.Times(2, lost), Seen: 1},
		{Does: "the answer is lost, for an hour", Answer: adaptertest.Always(lost), Seen: 1},
		{Does: "the request is lost, twice", Answer: adaptertest.Times(2, cut), Seen: 1},
		{Does: "the request is lost, ten times", Answer: adaptertest.Times(10, cut), Seen: 1},
		{Does: "the request is lost, for an hour", Answer: adaptertest.Always(cut), Class: "uncertain", Later: 1},
		{Does: "internal_error, twice", Answer: adaptertest.Times(2, says("internal_error")), Seen: 1},
		{Does: "internal_error, ten times", Answer: adaptertest.Times(10, says("internal_error")), Seen: 1},
		{Does: "internal_error, for an hour", Answer: adaptertest.Always(says("internal_error")), Class: "uncertain", Later: 1},
		{Does: "status 503, ten times", Answer: adaptertest.Times(10, adaptertest.Outcome{Status: http.StatusServiceUnavailable}), Seen: 1},
		{Does: "cannot be reached, ten times", Answer: adaptertest.Times(10, adaptertest.Outcome{Down: true}), Seen: 1},
		{Does: "cannot be reached, for an hour", Answer: adaptertest.Always(adaptertest.Outcome{Down: true}), Class: "retry", Later: 1},
		{Does: "wants to be left alone, twice", Answer: adaptertest.Times(2, busy), Seen: 1},
		{Does: "wants to be left alone, for an hour", Answer: adaptertest.Always(busy), Class: "throttled", Later: 1},
		{Does: "ratelimited, ten times", Answer: adaptertest.Times(10, says("ratelimited")), Seen: 1},
		{Does: "a scope is missing, for an hour", Answer: adaptertest.Always(says("missing_scope")), Class: "retry", Later: 1},
		{Does: "the token is refused, for an hour", Answer: adaptertest.Always(says("invalid_auth")), Class: "retry", Later: 1},
		{Does: "refuses the message", Answer: adaptertest.Always(says("msg_too_long")), Class: "permanent:refused", Listed: true},
		{Does: "has no such channel", Answer: adaptertest.Always(says("channel_not_found")), Class: "gone:unreachable", Listed: true},
		{Does: "the person is switched off", Answer: adaptertest.Always(says("user_disabled")), Class: "gone:unreachable", Listed: true},
		{Does: "an answer that is none", Answer: adaptertest.Times(1, adaptertest.Outcome{Status: http.StatusOK, Body: "<html>"}), Seen: 1},
	})
}
