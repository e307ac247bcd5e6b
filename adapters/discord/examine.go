package discord

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// Examine implements bot.Examiner. It asks Discord, opens no session and writes
// to nobody.
func (a *Adapter) Examine(ctx context.Context) []bot.Finding {
	token, ok := a.examineToken(ctx)
	found := []bot.Finding{token}
	if !ok {
		why := "not looked at: the token does not work"
		for _, what := range []string{"application", "gateway", "command"} {
			found = append(found, bot.Finding{What: what, State: bot.Skipped, Text: why})
		}
		return append(found, a.examineClock(), a.examineCallback(""))
	}
	application, callback := a.examineApplication(ctx)
	found = append(found, application...)
	found = append(found, a.examineGateway(ctx), a.examineCommand(ctx))
	if a.o.Desk {
		found = append(found, a.examineRights(ctx))
	}
	found = append(found, a.examineClock())
	return append(found, a.examineCallback(callback))
}

// ask reads one of Discord's pages.
func (a *Adapter) ask(ctx context.Context, address string, into any) error {
	body, err := a.do(ctx, request{method: http.MethodGet, address: address})
	if err != nil {
		return err
	}
	return unmarshal(body, into)
}

func (a *Adapter) examineToken(ctx context.Context) (bot.Finding, bool) {
	var me struct {
		ID  string `json:"id"`
		Bot bool   `json:"bot"`
	}
	f := bot.Finding{What: "bot token"}
	err := a.ask(ctx, discordgo.EndpointUser("@me"), &me)
	var no *refusal
	switch {
	case errors.As(err, &no) && no.Status == http.StatusUnauthorized:
		f = f.Is(bot.Broken, "Discord refuses it", "make a new token in the developer portal, page Bot, and set token")
	case err != nil:
		f = f.Is(bot.Broken, err.Error(), "see that this machine reaches "+a.api.Host)
	case !me.Bot:
		f = f.Is(bot.Broken, "it is not a bot's", "use the token of the page Bot in the developer portal")
	default:
		f.Text = "works, account " + printable(me.ID)
		return f, true
	}
	return f, false
}

func (a *Adapter) examineApplication(ctx context.Context) (found []bot.Finding, callback string) {
	var app struct {
		ID       string `json:"id"`
		Key      string `json:"verify_key"`
		Endpoint string `json:"interactions_endpoint_url"`
		Public   bool   `json:"bot_public"`
	}
	f := bot.Finding{What: "application"}
	if err := a.ask(ctx, discordgo.EndpointApplication("@me"), &app); err != nil {
		f = f.Is(bot.Broken, err.Error(), "see that this machine reaches "+a.api.Host)
		return []bot.Finding{f}, ""
	}
	if app.ID != a.o.ApplicationID {
		f = f.Is(bot.Broken, "the token belongs to application "+printable(app.ID), "set application_id to it, or use the other application's token")
	} else {
		f.Text = "the token belongs to it"
	}
	found = append(found, f)
	if app.Public {
		found = append(found, bot.Finding{What: "installation", State: bot.Doubtful, Text: "anybody can add the bot to a server of theirs",
			Fix: "switch Public Bot off in the developer portal, page Bot, unless you want that"})
	}
	key, err := hex.DecodeString(app.Key)
	switch {
	case a.key != nil && (err != nil || !ed25519.PublicKey(key).Equal(a.key)):
		found = append(found, bot.Finding{What: "public key", State: bot.Broken, Text: "it is not this application's", Fix: "copy it from the developer portal, page General Information"})
	case a.key != nil:
		found = append(found, bot.Finding{What: "public key", Text: "is this application's"})
	}
	return found, app.Endpoint
}

func (a *Adapter) examineGateway(ctx context.Context) bot.Finding {
	var g struct {
		URL   string `json:"url"`
		Limit struct {
			Total     int   `json:"total"`
			Remaining int   `json:"remaining"`
			Reset     int64 `json:"reset_after"` // milliseconds
		} `json:"session_start_limit"`
	}
	f := bot.Finding{What: "gateway"}
	err := a.ask(ctx, discordgo.EndpointGatewayBot, &g)
	to, urlErr := url.Parse(g.URL)
	switch {
	case err != nil:
		return f.Is(bot.Broken, err.Error(), "see that this machine reaches "+a.api.Host)
	case urlErr != nil || to.Host == "":
		return f.Is(bot.Broken, "Discord names none", "try again later; see https://discordstatus.com")
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	l, err := a.connect(ctx, &session{at: g.URL})
	if err != nil {
		return f.Is(bot.Broken, "cannot be reached at "+printable(to.Host), "open the way to "+printable(to.Host)+" in your firewall")
	}
	_ = l.Close()
	f.Text = fmt.Sprintf("can be reached; %d of %d new sessions left today", g.Limit.Remaining, g.Limit.Total)
	if g.Limit.Remaining < g.Limit.Total/10 {
		f.State = bot.Doubtful
		f.Fix = fmt.Sprintf("see in the log why it connects so often; Discord counts anew in %s", (time.Duration(g.Limit.Reset) * time.Millisecond).Round(time.Minute))
	}
	return f
}

func (a *Adapter) examineCommand(ctx context.Context) bot.Finding {
	to := discordgo.EndpointApplicationGlobalCommands(a.o.ApplicationID)
	if a.o.Guild != "" {
		to = discordgo.EndpointApplicationGuildCommands(a.o.ApplicationID, a.o.Guild)
	}
	var list []struct {
		Name string `json:"name"`
	}
	f := bot.Finding{What: "command"}
	if err := a.ask(ctx, to, &list); err != nil {
		return f.Is(bot.Doubtful, err.Error(), "add the bot to the server once more, with the link that `latchkey manifest discord` shows")
	}
	for _, c := range list {
		if c.Name == commandName {
			f.Text = "/" + commandName + " is registered"
			return f
		}
	}
	return f.Is(bot.Doubtful, "/"+commandName+" is not registered yet", "start the service: it registers it when it connects")
}

// examineRights looks whether the bot may write in its servers (Get Current User
// Guilds). A channel can allow more, or less.
func (a *Adapter) examineRights(ctx context.Context) bot.Finding {
	f := bot.Finding{What: "channels"}
	var servers []struct {
		ID          string `json:"id"`
		Name        string `json:"name"`
		Permissions string `json:"permissions"`
	}
	if err := a.ask(ctx, discordgo.EndpointUserGuilds("@me"), &servers); err != nil {
		return f.Is(bot.Broken, err.Error(), "see that this machine reaches "+a.api.Host)
	}
	link := InstallLink(a.o.ApplicationID, true)
	var lacks []string
	for _, s := range servers {
		if a.o.Guild != "" && s.ID != a.o.Guild {
			continue
		}
		has, err := strconv.ParseUint(s.Permissions, 10, 64)
		if err == nil && has&discordgo.PermissionAdministrator != 0 {
			return f.Is(bot.Doubtful, "the bot is an administrator of "+printable(s.Name), "take that from its role: it needs "+rightNames(0))
		}
		if miss := rightNames(has); miss == "" {
			f.Text = "the bot may write in " + printable(s.Name)
			return f
		} else if err == nil {
			lacks = append(lacks, printable(s.Name)+" ("+miss+")")
		}
	}
	switch {
	case len(lacks) > 0:
		f = f.Is(bot.Doubtful, "the bot may not write everywhere in "+strings.Join(lacks, ", "), "let its role do so in the channel of the help desk, or add it again: "+link)
	default:
		f = f.Is(bot.Broken, "the bot is in no server, or not in the one of guild", "add it: "+link)
	}
	return f
}

// rightNames names the rights that are not among some.
func rightNames(has uint64) string {
	var miss []string
	for _, r := range rights {
		if has&r.bit == 0 {
			miss = append(miss, r.name)
		}
	}
	return strings.Join(miss, ", ")
}

func (a *Adapter) examineClock() bot.Finding {
	var d dated
	if last := a.dated.Load(); last != nil {
		d = *last
	}
	return chat.ClockBy("Discord", d.date, d.asked, d.answered)
}

func (a *Adapter) examineCallback(at string) bot.Finding {
	f := bot.Finding{What: "callback address"}
	want := a.o.PublicURL
	switch {
	case a.key == nil && at != "":
		f = f.Is(bot.Broken, "Discord sends interactions to "+printable(at)+", and no public key is configured", "set public_key, or empty Interactions Endpoint URL in the developer portal")
	case a.key == nil:
		f.State, f.Text = bot.Skipped, "none: interactions come by the gateway"
	case at == "":
		f = f.Is(bot.Doubtful, "Discord knows none, so interactions come by the gateway", "leave public_key out, or set Interactions Endpoint URL in the developer portal to "+want)
	case want != "" && at != want:
		f = f.Is(bot.Broken, "Discord sends interactions to "+printable(at), "set Interactions Endpoint URL in the developer portal to "+want)
	case !strings.HasPrefix(at, "https://") && a.api.Scheme == "https":
		f = f.Is(bot.Broken, "it is not https", "serve it with a certificate")
	default:
		f.Text = "Discord sends interactions to it"
	}
	return f
}

// printable is a word of Discord's for an operator: short and without surprises.
func printable(s string) string { return cut(oneLine(s), 100) }
