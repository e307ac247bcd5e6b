package slack

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"latchkey/adapters/slack/slacktest"
	"latchkey/bot"
)

// The vector that Slack publishes
// (https://docs.slack.dev/authentication/verifying-requests-from-slack).
const (
	vectorSecret = "8f742231b10e8888abcd99yyyzzz85a5"
	vectorTime   = 1531420618
	vectorBody   = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
	vectorSign   = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
)

func head(stamp, sign string) http.Header {
	return http.Header{"X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {sign}}
}

func TestSignature(t *testing.T) {
	t.Parallel()
	at := time.Unix(vectorTime, 0)
	stamp := strconv.Itoa(vectorTime)
	other := bot.Secret("00000000000000000000000000000000")
	both := []bot.Secret{other, vectorSecret}
	flip := func(i int) string { // one digit changed
		b := []byte(vectorSign)
		b[i] ^= 1
		return string(b)
	}
	cases := []struct {
		what    string
		head    http.Header
		body    string
		secrets []bot.Secret
		now     time.Time
		want    error
	}{
		{"the vector", head(stamp, vectorSign), vectorBody, []bot.Secret{vectorSecret}, at, nil},
		{"the older of two secrets", head(stamp, vectorSign), vectorBody, both, at, nil},
		{"the newer of two secrets", head(stamp, vectorSign), vectorBody, []bot.Secret{vectorSecret, other}, at, nil},
		{"300 s late", head(stamp, vectorSign), vectorBody, both, at.Add(300 * time.Second), nil},
		{"300 s early", head(stamp, vectorSign), vectorBody, both, at.Add(-300 * time.Second), nil},
		{"301 s late", head(stamp, vectorSign), vectorBody, both, at.Add(301 * time.Second), errStale},
		{"301 s early", head(stamp, vectorSign), vectorBody, both, at.Add(-301 * time.Second), errStale},
		{"another secret", head(stamp, vectorSign), vectorBody, []bot.Secret{other}, at, errSignature},
		{"a secret that is not good any more", head(stamp, vectorSign), vectorBody, nil, at, errSignature},
		{"an empty secret", head(stamp, vectorSign), vectorBody, []bot.Secret{""}, at, errSignature},
		{"one byte more", head(stamp, vectorSign), vectorBody + " ", both, at, errSignature},
		{"one byte less", head(stamp, vectorSign), vectorBody[1:], both, at, errSignature},
		{"no body", head(stamp, vectorSign), "", both, at, errSignature},
		{"another time", head(strconv.Itoa(vectorTime+1), vectorSign), vectorBody, both, at, errSignature},
		{"no signature", http.Header{"X-Slack-Request-Timestamp": {stamp}}, vectorBody, both, at, errSignature},
		{"no time", http.Header{"X-Slack-Signature": {vectorSign}}, vectorBody, both, at, errSignature},
		{"blank signature", head(stamp, ""), vectorBody, both, at, errSignature},
		{"blank time", head("", vectorSign), vectorBody, both, at, errSignature},
		{"short signature", head(stamp, vectorSign[:30]), vectorBody, both, at, errSignature},
		{"long signature", head(stamp, vectorSign+"00"), vectorBody, both, at, errSignature},
		{"no version", head(stamp, vectorSign[3:]), vectorBody, both, at, errSignature},
		{"another version", head(stamp, "v1"+vectorSign[2:]), vectorBody, both, at, errSignature},
		{"time with a sign", head("+"+stamp, vectorSign), vectorBody, both, at, errSignature},
		{"time with a blank", head(" "+stamp, vectorSign), vectorBody, both, at, errSignature},
		{"time with a zero before", head("0"+stamp, vectorSign), vectorBody, both, at, errSignature},
		{"two signatures", http.Header{"X-Slack-Request-Timestamp": {stamp}, "X-Slack-Signature": {vectorSign, vectorSign}}, vectorBody, both, at, errSignature},
		{"two times", http.Header{"X-Slack-Request-Timestamp": {stamp, stamp}, "X-Slack-Signature": {vectorSign}}, vectorBody, both, at, errSignature},
	}
	for i := 3; i < len(vectorSign); i++ {
		cases = append(cases, struct {
			what    string
			head    http.Header
			body    string
			secrets []bot.Secret
			now     time.Time
			want    error
		}{"digit " + strconv.Itoa(i) + " changed", head(stamp, flip(i)), vectorBody, both, at, errSignature})
	}
	for _, c := range cases {
		if err := verify(c.head, []byte(c.body), c.secrets, c.now); err != c.want {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
}

// TestSignersAgree: the double's signer, the doctor's and the library's verifier
// are of one mind, and the first is held to the vector.
func TestSignersAgree(t *testing.T) {
	t.Parallel()
	if h := slacktest.Sign(vectorSecret, time.Unix(vectorTime, 0), []byte(vectorBody)); h.Get("X-Slack-Signature") != vectorSign {
		t.Errorf("the double signs the vector with %s", h.Get("X-Slack-Signature"))
	}
	now := time.Now()
	body := []byte(`{"x":"ÿ` + strings.Repeat("y", 1000) + `"}`)
	h := http.Header{}
	signRequest(h, body, vectorSecret, now)
	if d := slacktest.Sign(vectorSecret, now, body); d.Get("X-Slack-Signature") != h.Get("X-Slack-Signature") {
		t.Error("the doctor signs otherwise than the double")
	}
	v, err := slack.NewSecretsVerifier(h, vectorSecret)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Write(body); err != nil || v.Ensure() != nil {
		t.Error("slack-go does not take the signature")
	}
	if err := verify(h, body, []bot.Secret{vectorSecret}, now); err != nil {
		t.Error(err)
	}
}
