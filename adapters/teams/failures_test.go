package teams_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/teams"
	"latchkey/adapters/teams/teamstest"
)

// TestFailures is the failure table of Teams, see adaptertest.Failures. Nobody can
// be asked, so what is in doubt comes three times at most, and then stands in the
// list.
func TestFailures(t *testing.T) {
	t.Parallel()
	says := func(status int, code string) adaptertest.Outcome {
		return adaptertest.Outcome{Status: status, Body: `{"error":{"code":"` + code + `","message":"x"}}`}
	}
	busy := adaptertest.Outcome{Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "30"}}
	lost, cut := adaptertest.Outcome{Lost: true}, adaptertest.Outcome{Cut: true}
	adaptertest.Failures(t, func(t testing.TB, way http.RoundTripper) adaptertest.Stage {
		house, cloud := adaptertest.NewHouse(), teamstest.New(t)
		o := options(cloud, believing{House: house})
		o.Log = house.Log
		a, err := teams.New(o)
		if err != nil {
			t.Fatal(err)
		}
		teams.Through(a, way)
		p := cloud.Person(0)
		address, err := json.Marshal(map[string]string{"s": cloud.Service(), "c": p.Conversation, "u": p.UserID, "b": "28:" + teamstest.AppID})
		if err != nil {
			t.Fatal(err)
		}
		return adaptertest.Stage{
			Adapter: a, User: p.ObjectID, Address: address,
			Says: func(q *http.Request) bool {
				return q.Method == http.MethodPost && strings.HasSuffix(q.URL.Path, "/activities")
			},
			Texts: func() (texts []string) {
				for _, v := range p.Views() {
					texts = append(texts, v.Text)
				}
				return texts
			},
		}
	}, []adaptertest.Failure{
		{Does: "nothing wrong", Answer: adaptertest.Always(adaptertest.Outcome{}), Seen: 1},
		{Does: "shows it, and the answer is lost, once", Answer: adaptertest.Times(1, lost), Seen: 2},
		{Does: "the answer is lost, twice", Answer: adaptertest.Times(2, lost), Seen: 3},
		{Does: "the answer is lost, ten times", Answer: adaptertest.Times(10, lost), Seen: 3, Class: "uncertain", Listed: true},
		{Does: "the answer is lost, for an hour", Answer: adaptertest.Always(lost), Seen: 3, Class: "uncertain", Listed: true},
		{Does: "the request is lost, twice", Answer: adaptertest.Times(2, cut), Seen: 1},
		{Does: "the request is lost, ten times", Answer: adaptertest.Times(10, cut), Class: "uncertain", Listed: true},
		{Does: "the request is lost, for an hour", Answer: adaptertest.Always(cut), Class: "uncertain", Listed: true},
		{Does: "502, ten times", Answer: adaptertest.Times(10, says(http.StatusBadGateway, "BadGateway")), Seen: 1},
		{Does: "500, for an hour", Answer: adaptertest.Always(says(http.StatusInternalServerError, "ServiceError")), Class: "retry", Later: 1},
		{Does: "412, twice", Answer: adaptertest.Times(2, says(http.StatusPreconditionFailed, "PreconditionFailed")), Seen: 1},
		{Does: "cannot be reached, ten times", Answer: adaptertest.Times(10, adaptertest.Outcome{Down: true}), Seen: 1},
		{Does: "cannot be reached, for an hour", Answer: adaptertest.Always(adaptertest.Outcome{Down: true}), Class: "retry", Later: 1},
		{Does: "wants to be left alone, twice", Answer: adaptertest.Times(2, busy), Seen: 1},
		{Does: "wants to be left alone, for an hour", Answer: adaptertest.Always(busy), Class: "throttled", Later: 1},
		{Does: "refuses the token, for an hour", Answer: adaptertest.Always(says(http.StatusUnauthorized, "Unauthorized")), Class: "retry", Later: 1},
		{Does: "a gateway answers 404, twice", Answer: adaptertest.Times(2, adaptertest.Outcome{Status: http.StatusNotFound}), Seen: 1},
		{Does: "refuses the message", Answer: adaptertest.Always(says(http.StatusBadRequest, "BadSyntax")), Class: "permanent:refused", Listed: true},
		{Does: "is too large", Answer: adaptertest.Always(says(http.StatusRequestEntityTooLarge, "MessageSizeTooBig")), Class: "permanent:refused", Listed: true},
		{Does: "the person has blocked the bot", Answer: adaptertest.Always(says(http.StatusForbidden, "MessageWritesBlocked")), Class: "gone:unreachable", Listed: true},
		{Does: "has no such conversation", Answer: adaptertest.Always(says(http.StatusNotFound, "ConversationNotFound")), Class: "gone:unreachable", Listed: true},
	})
}
