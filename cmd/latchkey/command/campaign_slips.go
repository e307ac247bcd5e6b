package command

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/campaign"
	"latchkey/bot/verify"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
	"latchkey/store"
)

func campaignSlipsCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "slips NAME --out FOLDER", Short: "Print a slip of paper for each person whom no chat and no mail reaches", Args: exactly(1, campaignArgument),
		Long: `Writes a page for each school or office, ready to be printed or saved as PDF by any browser:
a slip for each person of the campaign's audience whom no chat and no mail reaches, in their
language, with the address of the web chat, also as a picture to scan, and a start code.
Whoever types the code in any chat begins at the right place, in that language. It proves
nothing: they sign in as always. It is good for 30 days. The slips name people: keep the
folder as you keep the staff list.

  latchkey campaign slips autumn --out slips --config latchkey.yaml
  latchkey campaign slips autumn --site "North School" --all --out slips --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	out := cmd.Flags().String("out", "", "the new `FOLDER` for the pages; required")
	site := cmd.Flags().String("site", "", "only this `SITE`")
	all := cmd.Flags().Bool("all", false, "for everybody in the audience, for an enrollment day")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *out == "" {
			return usage(cmd, "needs --out FOLDER")
		}
		return withCampaigns(cmd, s, *file, func(p *program.Program, c *campaign.Service) error {
			if !p.Config.Web.Enabled || p.Config.HTTP.PublicURL == "" {
				return fmt.Errorf("a slip leads to the web chat, and there is none: set channels.web.enabled and http.public_url")
			}
			dir := s.path(*out)
			if err := store.MustNotExist(dir); err != nil {
				return err
			}
			var slips map[string][]campaign.Slip
			err := c.Order(cmd.Context(), func(tx bot.Tx) (err error) {
				slips, err = c.Slips(tx, args[0], *site, operatorActor(s), *all)
				return err
			})
			if err != nil {
				return err
			}
			if len(slips) == 0 {
				fmt.Fprintln(s.err, "there is nobody to print a slip for: chats and mail reach everybody in the audience (--all prints them all the same)")
				return nil
			}
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
			used := map[string]bool{}
			for _, name := range slices.Sorted(maps.Keys(slips)) {
				path := filepath.Join(dir, fileName(name, used))
				page, err := slipPage(p, name, slips[name])
				if err == nil {
					err = os.WriteFile(path, page, 0o600)
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(s.out, "%s: %s\n", path, textfmt.Count(len(slips[name]), "slip", "slips"))
			}
			return nil
		})
	}
	return cmd
}

// fileName is the name of a site's page: letters and digits of the site's.
func fileName(site string, used map[string]bool) string {
	name := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(site)), "-")
	if name == "" {
		name = "no-site"
	}
	for n, base := 2, name; used[name]; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	used[name] = true
	return name + ".html"
}

type slipText struct{ Name, Group, Lang, Title, What, Go, Address, CodeIs, Code, Note string }

// slipPage is a site's slips, two on a page, with nothing loaded from outside.
func slipPage(p *program.Program, site string, slips []campaign.Slip) ([]byte, error) {
	address := strings.TrimSuffix(p.Config.HTTP.PublicURL, "/") + "/chat"
	png, err := verify.QRPicture(bot.Secret(address))
	if err != nil {
		return nil, err
	}
	page := struct {
		Site  string
		QR    template.URL
		Slips []slipText
	}{Site: site, QR: template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(png))}
	facts := program.Facts(p.Config)
	for _, x := range slips {
		say := func(key string) string {
			return p.Scripts.Phrase(x.Lang, "campaign.slip."+key, "org", facts["org"], "help_phone", facts["help_phone"], "date", bot.Date(p.Scripts, x.Lang, p.Config.Desk.Zone, x.Until))
		}
		page.Slips = append(page.Slips, slipText{Name: x.Person.Name, Group: x.Person.Department, Lang: x.Lang, Title: say("title"), What: say("what"), Go: say("go"), Address: address,
			CodeIs: say("code"), Code: campaign.ShowCode(x.Code), Note: say("note")})
	}
	var b bytes.Buffer
	err = slipTemplate.Execute(&b, page)
	return b.Bytes(), err
}

var slipTemplate = template.Must(template.New("slips").Parse(`<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>{{.Site}}</title><style>
body { font: 12pt/1.4 sans-serif; margin: 0 }
section { box-sizing: border-box; height: 12.5cm; padding: 1cm; border-bottom: 1px dashed #555; break-inside: avoid; overflow: hidden }
section:nth-child(even) { break-after: page }
h1 { font-size: 15pt; margin: 0 0 .3cm }
.who { float: right; text-align: right; font-weight: bold }
.who small { display: block; font-weight: normal }
img { float: right; clear: right; width: 3.6cm; margin: .2cm 0 0 .6cm }
.code { font: bold 20pt monospace; letter-spacing: 1pt }
p { margin: 0 0 .25cm }
</style></head><body><main>
{{- range .Slips}}
<section lang="{{.Lang}}"><div class="who">{{.Name}}<small>{{.Group}}</small></div><h1>{{.Title}}</h1><img src="{{$.QR}}" alt="{{.Address}}">
<p>{{.What}}</p><p>{{.Go}} <strong>{{.Address}}</strong></p><p>{{.CodeIs}}<br><span class="code">{{.Code}}</span></p><p>{{.Note}}</p></section>
{{- end}}
</main></body></html>
`))
