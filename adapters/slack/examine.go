package slack

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"latchkey/adapters/chat"
	"latchkey/adapters/dial"
	"latchkey/bot"
)

// Examine implements bot.Examiner.
func (a *Adapter) Examine(ctx context.Context) []bot.Finding {
	found := a.examineToken(ctx)
	found = append(found, a.examineAppToken(ctx)...)
	return append(found, a.examineCallback(ctx))
}

// aToken begins the finding of one of several tokens, the newest first; bad is how
// bad it is when Slack refuses it.
func aToken(what string, i int) (f bot.Finding, bad bot.FindingState) {
	if i == 0 {
		return bot.Finding{What: what}, bot.Broken
	}
	return bot.Finding{What: fmt.Sprintf("%s %d (older)", what, i+1)}, bot.Doubtful
}

// examineToken looks at each bot token, at its scopes, and at the clock, which
// the answer's Date header tells.
func (a *Adapter) examineToken(ctx context.Context) (found []bot.Finding) {
	for i, t := range a.o.BotToken() {
		f, bad := aToken("bot token", i)
		asked := a.o.Wall()
		var who *slack.AuthTestResponse
		err := a.once(ctx, string(t), func(ctx context.Context, api *slack.Client) (err error) {
			who, err = api.AuthTestContext(ctx)
			return err
		})
		answered := a.o.Wall()
		switch code := slackCode(err); {
		case code != "":
			found = append(found, f.Is(bad, "Slack says "+printable(code), tokenTrouble(code)))
		case err != nil:
			f.What = "reachability"
			return append(found, f.Is(bot.Broken, fmt.Sprintf("%s is not reached: %v", a.o.APIURL, dial.Bare(err)), "check the network, a proxy, and api_url"))
		case who.TeamID != a.o.Team:
			found = append(found, f.Is(bot.Broken, "it belongs to the workspace "+printableName(who.TeamID)+", and team is "+a.o.Team, "set team to the workspace of the token, or use the token of that workspace"))
		case who.BotID == "":
			found = append(found, f.Is(bot.Broken, "it is the token of a person", "use the bot token (xoxb-) from OAuth & Permissions of the app"))
		default:
			found = append(found, f.Is(bot.Fine, fmt.Sprintf("good, as %s in %s", printableName(who.User), printableName(who.Team)), ""))
			if i == 0 {
				found = append(found, a.examineScopes(who.Header.Get("X-OAuth-Scopes")), chat.ClockBy("Slack", who.Header.Get("Date"), asked, answered))
			}
		}
	}
	return found
}

// once makes a call with one token.
func (a *Adapter) once(ctx context.Context, token string, do callFunc) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return do(context.WithValue(ctx, tokenKey{}, token), a.api(token))
}

func (a *Adapter) examineScopes(header string) bot.Finding {
	if header == "" {
		return bot.Finding{What: "scopes", State: bot.Skipped, Text: "the answer does not tell them"}
	}
	have := strings.FieldsFunc(header, func(r rune) bool { return r == ',' || r == ' ' })
	var lacks []string
	for _, s := range scopes(a.o.SSO, a.o.Desk) {
		if !slices.Contains(have, s) {
			lacks = append(lacks, s)
		}
	}
	if len(lacks) > 0 {
		return bot.Finding{What: "scopes", State: bot.Broken, Text: "missing: " + strings.Join(lacks, ", "), Fix: "add them under OAuth & Permissions of the app, and install it again"}
	}
	return bot.Finding{What: "scopes", Text: "all that are needed"}
}

// examineAppToken asks for an address to connect to, and does not connect.
func (a *Adapter) examineAppToken(ctx context.Context) (found []bot.Finding) {
	var tokens []bot.Secret
	if a.o.AppToken != nil {
		tokens = a.o.AppToken()
	}
	if len(tokens) == 0 {
		return []bot.Finding{{What: "app token", State: bot.Skipped, Text: "not set; events come over HTTP"}}
	}
	for i, t := range tokens {
		f, bad := aToken("app token", i)
		ctx, cancel := context.WithTimeout(ctx, callTime)
		_, _, err := a.api(string(a.o.BotToken.One()), slack.OptionAppLevelToken(string(t))).StartSocketModeContext(ctx)
		cancel()
		switch code := slackCode(err); {
		case err == nil:
			f = f.Is(bot.Fine, "good; Socket Mode is on", "")
		case code != "":
			f = f.Is(bad, "Slack says "+printable(code), socketTrouble(code))
		default:
			f = f.Is(bot.Broken, fmt.Sprintf("not reached: %v", dial.Bare(err)), "check the network, a proxy, and api_url")
		}
		found = append(found, f)
	}
	return found
}

// examineCallback calls the address that Slack calls, as Slack does when the
// address is entered: signed, with a challenge. The answer shows that the way
// from there leads to a program with the same secret.
func (a *Adapter) examineCallback(ctx context.Context) bot.Finding {
	f := bot.Finding{What: "callback address"}
	secret := a.o.SigningSecret.One()
	switch {
	case secret == "":
		return f.Is(bot.Skipped, "events come by Socket Mode", "")
	case a.o.CallbackURL == "":
		return f.Is(bot.Broken, "not known", "set http.public_url")
	}
	challenge := rand.Text()
	body, _ := json.Marshal(map[string]string{"type": "url_verification", "challenge": challenge})
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, a.o.CallbackURL, bytes.NewReader(body))
	if err != nil {
		return f.Is(bot.Broken, "no address: "+a.o.CallbackURL, "check http.public_url")
	}
	q.Header.Set("Content-Type", "application/json")
	signRequest(q.Header, body, secret, a.o.Wall())
	res, err := a.upload.Do(q)
	if err != nil {
		return f.Is(bot.Broken, fmt.Sprintf("%s is not reached from here: %v", a.o.CallbackURL, dial.Bare(err)), "start the service, and check http.public_url and the proxy before it")
	}
	defer res.Body.Close()
	back, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		return f.Is(bot.Broken, a.o.CallbackURL+" refuses the signature", "another program, or one with another signing secret, answers there; start this service anew")
	case res.StatusCode != http.StatusOK || !strings.Contains(string(back), challenge):
		return f.Is(bot.Broken, fmt.Sprintf("%s answers with status %d, not with the challenge", a.o.CallbackURL, res.StatusCode), "check http.public_url and the proxy before the service")
	case q.URL.Scheme != "https":
		return f.Is(bot.Doubtful, a.o.CallbackURL+" answers as Slack wants it, but Slack calls https addresses only", "put a proxy with a certificate before the service, and set http.public_url")
	}
	return f.Is(bot.Fine, a.o.CallbackURL+" answers as Slack wants it", "")
}

// signRequest puts a signature on a request, as Slack does.
func signRequest(h http.Header, body []byte, secret bot.Secret, at time.Time) {
	stamp := strconv.FormatInt(at.Unix(), 10)
	h.Set("X-Slack-Request-Timestamp", stamp)
	h.Set("X-Slack-Signature", "v0="+hex.EncodeToString(signature(secret, stamp, body)))
}

// printableName is a name of Slack's as it may stand in a terminal.
func printableName(s string) string { return chat.Cut(chat.OneLine(s), 80) }
