package teams

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// objectID is an id of Entra's.
var objectID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// opening is the body of a new conversation (the page on proactive messages, and
// Create Conversation of the connector's reference).
type opening struct {
	Bot     party   `json:"bot"`
	Members []party `json:"members,omitempty"`
	Group   bool    `json:"isGroup"`
	Tenant  string  `json:"tenantId"`
	Data    struct {
		Tenant  party  `json:"tenant"`
		Channel *party `json:"channel,omitempty"`
	} `json:"channelData"`
	Activity *outgoing `json:"activity,omitempty"`
}

func (a *Adapter) newOpening() *opening {
	b := &opening{Bot: party{ID: a.botID(), Name: a.o.BotName}, Tenant: a.o.Tenant}
	b.Data.Tenant.ID = a.o.Tenant
	return b
}

// botID is who the bot is in conversations.
func (a *Adapter) botID() string { return "28:" + a.o.AppID }

// create asks the connector for a conversation.
func (a *Adapter) create(ctx context.Context, service string, b *opening) (id, message string, err error) {
	body, err := encode(b)
	if err != nil {
		return "", "", &unsent{err}
	}
	var made struct {
		ID       string `json:"id"`
		Activity string `json:"activityId"`
	}
	if err := a.call(ctx, http.MethodPost, service, "/v3/conversations", body, &made); err != nil {
		return "", "", err
	}
	if made.ID == "" || made.ID == "." || made.ID == ".." || len(made.ID) > 512 || strings.ContainsFunc(made.ID, unicode.IsControl) {
		return "", "", errors.New("the connector's answer names no conversation")
	}
	return made.ID, made.Activity, nil
}

// Open implements bot.Opener. Teams knows people by their object id in Entra,
// and by no address. Where they have a chat with the bot, the connector gives
// that, so it may be asked again.
func (a *Adapter) Open(ctx context.Context, p bot.Recipient) (bot.Opened, error) {
	user := strings.ToLower(cmp.Or(p.User, string(p.Person)))
	if !objectID.MatchString(user) {
		return bot.Opened{}, chat.NotReached("teams", bot.WhyNotLinked, "Teams finds people by their object id in Entra, and the directory's id of this person is none; they have to write to the bot first")
	}
	service, err := a.service(a.o.ServiceURL)
	switch {
	case a.o.Emulator:
		return bot.Opened{}, chat.NotReached("teams", bot.WhyNoPush, "the Agents Playground knows nobody who has not written to the bot")
	case err != nil:
		return bot.Opened{}, &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("teams: %w; set service_url to a host of service_hosts", err)}
	}
	conv, failed := a.chat(ctx, service, user)
	if failed != nil && failed.Code == bot.WhyNotInstalled && a.o.CatalogApp != "" {
		conv, failed = a.installed(ctx, service, user)
	}
	if failed != nil {
		return bot.Opened{}, failed
	}
	at, err := json.Marshal(&address{Service: service, Conversation: conv, User: user, Bot: a.botID()})
	if err != nil {
		return bot.Opened{}, &bot.SendError{Kind: bot.SendRetry, Err: err}
	}
	return bot.Opened{Conversation: bot.ConversationID(string(a.o.Channel) + "|" + user), User: user, Address: at}, nil
}

// chat is the id of somebody's chat with the bot.
func (a *Adapter) chat(ctx context.Context, service, user string) (string, *bot.SendError) {
	if err := a.Rates.Turn(ctx, a.o.Now(), sends, "open "+user); err != nil {
		return "", err
	}
	b := a.newOpening()
	b.Members = []party{{ID: user}}
	conv, _, err := a.create(ctx, service, b)
	if err != nil {
		e := fault(err)
		_ = a.noted(e)
		return "", unreachable(err, e)
	}
	a.well("connector")
	return conv, nil
}

// install is what an operator does for people who do not have the app.
const install = "in the Teams admin center open Teams apps, Setup policies, the policy of these people (Global for everybody), add the app under Installed apps, and wait some hours; or set catalog_app"

// reasons are the connector's codes for people that cannot be written to.
// Source: Status codes from bot conversational APIs, in the page on conversation
// messages.
var reasons = map[string]chat.Reason{
	"BotNotInConversationRoster": {Why: bot.WhyNotInstalled, Text: "the app is not installed for this person; " + install},
	"BotDisabledByAdmin":         {Why: bot.WhyNotInstalled, Text: "an administrator has switched the app off for this person; allow it under Teams apps, Manage apps, in the Teams admin center"},
	"ConversationBlockedByUser":  {Why: bot.WhyClosed, Text: "the person has blocked the bot, or has removed the app"},
	"MessageWritesBlocked":       {Why: bot.WhyClosed, Text: "the person has blocked the bot, or has removed the app"},
	"BadArgument":                {Why: bot.WhyNotFound, Text: "the tenant has no such account that can use Teams"},
	"ConversationNotFound":       {Why: bot.WhyNotFound, Text: "the tenant has no such account that can use Teams"},
}

// unreachable is an error of the connector, as Open tells it.
func unreachable(err error, e *bot.SendError) *bot.SendError {
	r := new(refusal)
	known := chat.Reason{}
	switch {
	case !errors.As(err, &r) || r.status >= 500:
	case reasons[r.code].Why != "":
		known = reasons[r.code]
	case r.code == "" && r.status != http.StatusTooManyRequests:
		e.Kind, e.Code = bot.SendRetry, "" // something between here and the connector
	case r.status == http.StatusForbidden:
		known = reasons["BotNotInConversationRoster"]
	case r.status == http.StatusNotFound:
		known = reasons["ConversationNotFound"]
	}
	return chat.Unreachable("teams", e, known, r.said())
}

// installed installs the app for a person, and opens the chat.
func (a *Adapter) installed(ctx context.Context, service, user string) (string, *bot.SendError) {
	fresh, failed := a.installFor(ctx, user)
	if failed != nil {
		return "", failed
	}
	conv, failed := a.chat(ctx, service, user)
	if failed != nil && failed.Code == bot.WhyNotInstalled && fresh {
		return "", &bot.SendError{Kind: bot.SendRetry, Err: errors.New("teams: the app was installed for the person just now, and Teams does not know it everywhere yet")}
	}
	return conv, failed
}

// newGraph gives tokens for Microsoft Graph, of the organisation's own tenant.
func newGraph(o *Options, client *http.Client) *credential {
	return newCredential(o, cloud{scope: o.GraphURL + "/.default", multi: o.Tenant}, client)
}

// installFor installs the app for a person through Microsoft Graph; fresh: they
// did not have it. It needs the permission
// TeamsAppInstallation.ReadWriteSelfForUser.All. Source: Install app for user,
// learn.microsoft.com/graph/api/userteamwork-post-installedapps.
func (a *Adapter) installFor(ctx context.Context, user string) (fresh bool, failed *bot.SendError) {
	token, err := a.graph.token(ctx)
	if err != nil {
		return false, &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("teams: Microsoft Graph: %w", err)}
	}
	body, err := json.Marshal(map[string]string{"teamsApp@odata.bind": a.o.GraphURL + "/v1.0/appCatalogs/teamsApps/" + url.PathEscape(a.o.CatalogApp)})
	if err != nil {
		return false, &bot.SendError{Kind: bot.SendRetry, Err: err}
	}
	err = a.once(ctx, http.MethodPost, a.o.GraphURL+"/v1.0/users/"+user+"/teamwork/installedApps", token, body, nil)
	var r *refusal
	if err == nil {
		return true, nil
	}
	if !errors.As(err, &r) {
		return false, &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("teams: Microsoft Graph: the app may have been installed: %w", err)}
	}
	switch {
	case r.status == http.StatusConflict: // they have it
		return false, nil
	case r.status == http.StatusTooManyRequests:
		return false, &bot.SendError{Kind: bot.SendThrottled, After: max(r.after, time.Second), Err: errors.New("teams: Microsoft Graph asks to wait with installing the app")}
	case r.status == http.StatusUnauthorized:
		a.graph.drop(token)
	case r.licence:
		return false, chat.NotReached("teams", bot.WhyNoLicence, "the account has no licence for Teams; assign one in the Microsoft 365 admin center")
	case r.status == http.StatusForbidden:
		return false, &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("teams: Microsoft Graph does not let the app be installed (%d %s); give the app registration the application permission %s with admin consent, and see that the app is allowed for this person", r.status, r.code, installPermission)}
	case r.status == http.StatusNotFound:
		return false, chat.NotReached("teams", bot.WhyNotFound, "the tenant has no such account, or its catalogue no app with the id in catalog_app ("+r.code+")")
	case r.status == http.StatusBadRequest:
		return false, chat.NotReached("teams", bot.WhyNotInstalled, "Microsoft Graph refuses to install the app ("+r.code+"); check catalog_app; "+install)
	}
	return false, &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("teams: Microsoft Graph answers %d %s", r.status, r.code)}
}

// installPermission is what Options.CatalogApp needs.
const installPermission = "TeamsAppInstallation.ReadWriteSelfForUser.All"
