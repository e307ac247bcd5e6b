package discord_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/discord"
)

// TestFailures is Discord's failure table, see adaptertest.Failures. Nobody can be
// asked; for some minutes the nonce keeps a repeat from being shown, so what is in
// doubt is repeated twice within them, comes once, and then stands in the list.
func TestFailures(t *testing.T) {
	t.Parallel()
	says := func(status, code int) adaptertest.Outcome {
		return adaptertest.Outcome{Status: status, Body: fmt.Sprintf(`{"code":%d,"message":"x"}`, code)}
	}
	busy := adaptertest.Outcome{Status: http.StatusTooManyRequests, Body: `{"message":"x","retry_after":30.5,"global":false}`, Header: map[string]string{"Retry-After": "31", "X-RateLimit-Scope": "user"}}
	lost, cut := adaptertest.Outcome{Lost: true}, adaptertest.Outcome{Cut: true}
	adaptertest.Failures(t, func(t testing.TB, way http.RoundTripper) adaptertest.Stage {
		p := open(t, adaptertest.NewHouse())
		a := p.Connect(t).(*discord.Adapter)
		a.Through(way)
		who := p.s.Person(0)
		return adaptertest.Stage{
			Adapter: a, User: who.ID(), Address: []byte(`{"c":"` + who.Channel() + `"}`),
			Says: func(q *http.Request) bool {
				return q.Method == http.MethodPost && strings.HasSuffix(q.URL.Path, "/messages")
			},
			Texts: func() (texts []string) {
				for _, m := range who.Messages() {
					texts = append(texts, m.Content)
				}
				return texts
			},
		}
	}, []adaptertest.Failure{
		{Does: "nothing wrong", Answer: adaptertest.Always(adaptertest.Outcome{}), Seen: 1},
		{Does: "shows it, and the answer is lost, once", Answer: adaptertest.Times(1, lost), Seen: 1},
		{Does: "the answer is lost, twice", Answer: adaptertest.Times(2, lost), Seen: 1},
		{Does: "the answer is lost, ten times", Answer: adaptertest.Times(10, lost), Seen: 1, Class: "uncertain", Listed: true},
		{Does: "the answer is lost, for an hour", Answer: adaptertest.Always(lost), Seen: 1, Class: "uncertain", Listed: true},
		{Does: "the request is lost, twice", Answer: adaptertest.Times(2, cut), Seen: 1},
		{Does: "the request is lost, ten times", Answer: adaptertest.Times(10, cut), Class: "uncertain", Listed: true},
		{Does: "the request is lost, for an hour", Answer: adaptertest.Always(cut), Class: "uncertain", Listed: true},
		{Does: "500, twice", Answer: adaptertest.Times(2, says(500, 0)), Seen: 1},
		{Does: "500, for an hour", Answer: adaptertest.Always(says(500, 0)), Class: "uncertain", Listed: true},
		{Does: "502, ten times", Answer: adaptertest.Times(10, says(502, 0)), Seen: 1},
		{Does: "502, for an hour", Answer: adaptertest.Always(says(502, 0)), Class: "retry", Later: 1},
		{Does: "cannot be reached, ten times", Answer: adaptertest.Times(10, adaptertest.Outcome{Down: true}), Seen: 1},
		{Does: "cannot be reached, for an hour", Answer: adaptertest.Always(adaptertest.Outcome{Down: true}), Class: "retry", Later: 1},
		{Does: "wants to be left alone, twice", Answer: adaptertest.Times(2, busy), Seen: 1},
		{Does: "wants to be left alone, for an hour", Answer: adaptertest.Always(busy), Class: "throttled", Later: 1},
		{Does: "the token is refused, for an hour", Answer: adaptertest.Always(says(401, 0)), Class: "retry", Later: 1},
		{Does: "direct messages are opened too fast, twice", Answer: adaptertest.Times(2, says(400, 40003)), Seen: 1},
		{Does: "refuses the message", Answer: adaptertest.Always(says(400, 50035)), Class: "permanent:refused", Listed: true},
		{Does: "the person takes no messages of the bot", Answer: adaptertest.Always(says(403, 50007)), Class: "gone:unreachable", Listed: true},
		{Does: "no server in common", Answer: adaptertest.Always(says(403, 50278)), Class: "gone:unreachable", Listed: true},
		{Does: "has no such channel", Answer: adaptertest.Always(says(404, 10003)), Class: "gone:unreachable", Listed: true},
	})
}
