package discord

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/bwmarrin/discordgo"
)

// rights that the bot asks for in servers where the desk is switched on. Else it
// asks for none: it writes direct messages, answers commands, which needs none,
// and answers a mention where everybody may write. Source: Permissions.
var rights = []struct {
	bit  uint64
	name string
}{
	{discordgo.PermissionViewChannel, "View Channels"},
	{discordgo.PermissionSendMessages, "Send Messages"},
	{discordgo.PermissionCreatePublicThreads, "Create Public Threads"},
	{discordgo.PermissionSendMessagesInThreads, "Send Messages in Threads"},
}

// permissions are the rights as Discord writes them, and their names.
func permissions(desk bool) (bits, names string) {
	if !desk {
		return "0", "none"
	}
	var all uint64
	var said []string
	for _, r := range rights {
		all |= r.bit
		said = append(said, r.name)
	}
	return strconv.FormatUint(all, 10), strings.Join(said, ", ")
}

// InstallLink is where an administrator of a server adds the bot; desk: it writes
// into channels. Source: OAuth2, Bot Authorization Flow.
func InstallLink(applicationID string, desk bool) string {
	bits, _ := permissions(desk)
	v := url.Values{"client_id": {applicationID}, "scope": {"bot applications.commands"}, "permissions": {bits}, "integration_type": {"0"}}
	return "https://discord.com/oauth2/authorize?" + v.Encode()
}

// Manifest describes the application: JSON with the install link, scopes,
// permissions, intents, the settings of the developer portal and the commands
// as they are registered. Discord takes no such file: the bot registers the
// commands itself, the settings are made by hand. callback is the address of Handler, or "" when
// interactions come by the gateway.
func Manifest(o Options, callback string) ([]byte, error) {
	id := cmp.Or(o.ApplicationID, "APPLICATION_ID")
	endpoint := "leave empty: interactions come by the gateway"
	if callback != "" {
		endpoint = callback + " (save it while the service runs: Discord asks it at once)"
	}
	bits, _ := permissions(o.Desk)
	m := map[string]any{
		"name": o.BotName, "install_link": InstallLink(id, o.Desk), "scopes": []string{"bot", "applications.commands"}, "permissions": bits,
		"intents": []string{"DIRECT_MESSAGES", "GUILD_MESSAGES"}, "intents_bits": intents, "privileged_intents": []string{},
		"developer_portal": map[string]string{
			"General Information / Name":                       o.BotName,
			"General Information / Interactions Endpoint URL":  endpoint,
			"Installation / Installation Contexts":             "Guild Install only",
			"Bot / Public Bot":                                 "off: only the owner adds it to servers",
			"Bot / Requires OAuth2 Code Grant":                 "off",
			"Bot / Presence, Server Members, Message Content":  "off: no privileged intent is needed",
			"General Information / Application ID, Public Key": "into application_id and, for HTTP, public_key",
			"Bot / Token": "into token",
		},
		"commands": commands(o.Phrases, o.Lang, o.Guild != ""),
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(m); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Notes tell the person who sets the application up what to do with it.
func Notes(applicationID string, desk bool) string {
	link := "the install_link, with the application's id in it"
	if applicationID != "" {
		link = InstallLink(applicationID, desk)
	}
	_, names := permissions(desk)
	return strings.Join([]string{
		"Discord takes no manifest. Make an application at https://discord.com/developers/applications and set what stands under developer_portal.",
		"Scopes: bot, applications.commands. Permissions: " + names + ". Intents: direct messages and messages of servers (4608), none privileged: of what is written in a server, only mentions of the bot have a content.",
		"Add it to your server: " + link,
		"The command /setup is registered by the bot itself when it connects.",
		"Next: latchkey doctor",
	}, "\n")
}
