package twilio

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"latchkey/adapters/dial"
	"latchkey/bot"
)

// Examine implements bot.Examiner: it asks Twilio for the account
// (https://www.twilio.com/docs/iam/api/account) and sends nothing.
func (s *Sender) Examine(ctx context.Context) []bot.Finding {
	ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	f := bot.Finding{What: "Twilio account"}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base.String()+"/2010-04-01/Accounts/"+s.o.AccountSID+".json", nil)
	if err == nil {
		req.SetBasicAuth(s.o.AccountSID, string(s.o.AuthToken))
		var res *http.Response
		if res, err = s.http.Do(req); err == nil {
			defer res.Body.Close()
			return []bot.Finding{account(f, res)}
		}
	}
	f = f.Is(bot.Broken, fmt.Sprintf("Twilio is not reached: %v", dial.Bare(err)), "see whether base_url is right and can be reached from here")
	return []bot.Finding{f}
}

// account reads the answer.
func account(f bot.Finding, res *http.Response) bot.Finding {
	var is struct{ Status string }
	err := json.NewDecoder(io.LimitReader(res.Body, answerCap)).Decode(&is)
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		f = f.Is(bot.Broken, "Twilio does not take the token", verdictOf(20003).operator)
	case res.StatusCode != http.StatusOK || err != nil:
		f.State, f.Text = bot.Skipped, fmt.Sprintf("Twilio answers with %d", res.StatusCode)
	case is.Status != "active":
		f = f.Is(bot.Broken, fmt.Sprintf("the account is %q", is.Status), "see the console")
	default:
		f.Text = "active"
	}
	return f
}
