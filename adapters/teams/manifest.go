package teams

import (
	"archive/zip"
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// App says what the app package of an organisation is made of. Each text has
// the limit of Teams, in runes: name 30, long name 100, short description 80,
// long 4000, the developer's name 32.
type App struct {
	AppID   string // of the bot's registration; the package has the same id
	Version string // "1.0.0"; Teams takes a new package only with a higher one
	Name    string // what people see
	Full    string
	Short   string
	Long    string
	Org     string // the developer
	Site    string // https page about the bot, or its public address
	Privacy string // https page of the organisation's own words, default Site
	Terms   string // the same
	Desk    bool   // the bot writes into channels: the package can be added to teams
	Install bool   // the app is installed through Microsoft Graph, see Options.CatalogApp
	// Commands that are offered beside the box to write in: title and description.
	Commands [][2]string
}

// The two pictures of the package: a key, in colour (192 by 192) and white on
// nothing (32 by 32), as Teams wants them.
var (
	//go:embed color.png
	colorIcon []byte
	//go:embed outline.png
	outlineIcon []byte
)

const (
	manifestVersion = "1.19"
	manifestSchema  = "https://developer.microsoft.com/json-schemas/teams/v" + manifestVersion + "/MicrosoftTeams.schema.json"
)

// object is JSON.
type object map[string]any

// Manifest makes the app package: a zip with manifest.json and two icons. The
// bot is personal only unless it writes into channels, asks for no permission of
// Microsoft Graph, and takes no files. Source: the page on the app manifest
// schema.
func Manifest(app App) ([]byte, error) {
	app.Privacy = cmp.Or(app.Privacy, app.Site)
	app.Terms = cmp.Or(app.Terms, app.Site)
	app.Version = cmp.Or(app.Version, "1.0.0")
	var wrong []string
	for _, t := range []struct {
		what, text string
		most       int
	}{
		{"name", app.Name, 30}, {"full name", app.Full, 100}, {"short description", app.Short, 80}, {"long description", app.Long, 4000}, {"organisation", app.Org, 32},
	} {
		if n := utf8.RuneCountInString(t.text); n == 0 || n > t.most {
			wrong = append(wrong, fmt.Sprintf("the %s has %d characters; Teams takes 1 to %d", t.what, n, t.most))
		}
	}
	for _, u := range []struct{ what, text, key string }{{"site", app.Site, "http.public_url"}, {"privacy page", app.Privacy, "org.privacy_url"}, {"terms page", app.Terms, "org.terms_url"}} {
		if p, err := url.Parse(u.text); err != nil || p.Scheme != "https" || p.Host == "" {
			wrong = append(wrong, fmt.Sprintf("the address of the %s is not https; set %s", u.what, u.key))
		}
	}
	if !isID(app.AppID) {
		wrong = append(wrong, "app_id is missing")
	}
	if len(app.Commands) > 10 {
		wrong = append(wrong, "more than 10 commands")
	}
	if len(wrong) > 0 {
		return nil, errors.New("teams: manifest: " + strings.Join(wrong, "; "))
	}
	personal := object{"botId": app.AppID, "scopes": []string{"personal"}, "isNotificationOnly": false, "supportsFiles": false, "supportsCalling": false, "supportsVideo": false}
	if app.Desk {
		personal["scopes"] = []string{"personal", "team"}
	}
	if len(app.Commands) > 0 {
		var list []object
		for _, c := range app.Commands {
			list = append(list, object{"title": c[0], "description": c[1]})
		}
		personal["commandLists"] = []object{{"scopes": []string{"personal"}, "commands": list}}
	}
	site, err := url.Parse(app.Site)
	if err != nil {
		return nil, err
	}
	m := object{
		"$schema": manifestSchema, "manifestVersion": manifestVersion, "version": app.Version, "id": app.AppID,
		"developer":   object{"name": app.Org, "websiteUrl": app.Site, "privacyUrl": app.Privacy, "termsOfUseUrl": app.Terms},
		"name":        object{"short": app.Name, "full": app.Full},
		"description": object{"short": app.Short, "full": app.Long},
		"icons":       object{"color": "color.png", "outline": "outline.png"}, "accentColor": "#1F4E79",
		"bots": []object{personal}, "permissions": []string{"identity", "messageTeamMembers"}, "validDomains": []string{site.Hostname()},
	}
	if app.Install { // Graph lets a registration install its own app, and no other
		m["webApplicationInfo"] = object{"id": app.AppID, "resource": "https://graph.microsoft.com"} // any; it must be there
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range []struct {
		name string
		data []byte
	}{{"manifest.json", append(text, '\n')}, {"color.png", colorIcon}, {"outline.png", outlineIcon}} {
		// The same package for the same app, whenever it is made.
		w, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)})
		if err == nil {
			_, err = w.Write(f.data)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Steps tells an operator what to do with the package, and what the bot may do.
// tenant is the organisation's, endpoint the messaging endpoint.
func Steps(app App, tenant, endpoint string) string {
	permission := "No API permission is needed: the bot reads no directory and no chat."
	asks := "What the package asks for: a bot in the personal scope (one person, one chat)."
	never := "No files, no calls, no channels or group chats, no Microsoft Graph."
	if app.Desk {
		asks = "What the package asks for: a bot in the personal scope (one person, one chat),\nand in the team scope, to write into the channel of the help desk."
		never = "No files, no calls, no group chats, no Microsoft Graph."
	}
	var more strings.Builder
	if app.Install {
		permission = "Under API permissions add one of Microsoft Graph, as an application permission:\n   " + installPermission + ", and grant admin consent.\n   It installs this app for people who do not have it, and no other app."
		never = strings.Replace(never, "no Microsoft Graph", "of Microsoft Graph that one permission", 1)
	}
	if app.Desk {
		more.WriteString("5. In the team of the help desk: Manage team, Apps, add this app. It can write into\n   the team's channels then. People who do not have the app cannot be written to.\n")
	}
	for _, p := range []struct{ address, key, what string }{{app.Privacy, "org.privacy_url", "privacy statement"}, {app.Terms, "org.terms_url", "terms of use"}} {
		if p.address == "" {
			fmt.Fprintf(&more, "!  %s is not set, so Teams shows %s as the %s.\n   Set it to the page with the organisation's own words before others use the package.\n", p.key, app.Site, p.what)
		}
	}
	return fmt.Sprintf(`Microsoft Teams: how to let people meet the bot

1. Entra admin center, App registrations: the app %[1]s, single tenant. Make a
   client secret under Certificates & secrets and put it into client_secret.
   %[4]s
2. Azure portal, Azure Bot: make one with this app id (type Single Tenant, tenant
   %[2]s), messaging endpoint
     %[3]s
   and switch on the channel Microsoft Teams, and no other.
3. Teams admin center, Teams apps, Manage apps, Upload new app: this package.
   Then Setup policies, Installed apps: add it for everybody who is to enroll.
4. A person can also open the chat by this link, once the app is allowed:
     https://teams.microsoft.com/l/app/%[1]s?tenantId=%[2]s
%[5]s
%[6]s
%[7]s
`, app.AppID, tenant, endpoint, permission, more.String(), asks, never)
}
