package teams_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"image/png"
	"io"
	"slices"
	"strings"
	"testing"

	"latchkey/adapters/teams"
	"latchkey/adapters/teams/teamstest"
)

func app() teams.App {
	return teams.App{AppID: teamstest.AppID, Name: "Latchkey", Full: "Latchkey - Contoso", Org: "Contoso", Short: "Sets up how you sign in", Long: "Longer.", Site: "https://help.contoso.example",
		Commands: [][2]string{{"start", "Begin"}}}
}

// TestManifest: the package is what Teams takes: the manifest and two icons of
// the sizes that it wants, and it asks for nothing but a personal bot.
func TestManifest(t *testing.T) {
	t.Parallel()
	raw, err := teams.Manifest(app())
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := teams.Manifest(app()); !bytes.Equal(raw, again) {
		t.Error("the same app gives another package")
	}
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name], _ = io.ReadAll(r)
	}
	if len(files) != 3 {
		t.Errorf("%d files", len(files))
	}
	for name, size := range map[string]int{"color.png": 192, "outline.png": 32} {
		img, err := png.Decode(bytes.NewReader(files[name]))
		if err != nil {
			t.Fatal(name, err)
		}
		clear, full := 0, 0
		for y := range size {
			for x := range size {
				switch r, g, b, a := img.At(x, y).RGBA(); {
				case a == 0:
					clear++
				case a == 0xffff:
					full++
				case name == "outline.png" && (r != a || g != a || b != a):
					t.Fatalf("the outline has a colour at %d,%d", x, y)
				}
			}
		}
		if b := img.Bounds(); b.Dx() != size || b.Dy() != size || full == 0 || (name == "color.png") != (clear == 0) {
			t.Errorf("%s: %v, %d clear, %d full", name, b, clear, full)
		}
	}
	var m struct {
		Schema  string `json:"$schema"`
		Version string `json:"manifestVersion"`
		ID      string
		Bots    []struct {
			BotID            string
			Scopes           []string
			SupportsFiles    bool
			NotificationOnly bool `json:"isNotificationOnly"`
			CommandLists     []struct{ Commands []struct{ Title string } }
		}
		ValidDomains []string
		Web          any `json:"webApplicationInfo"`
	}
	if err := json.Unmarshal(files["manifest.json"], &m); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(m.Schema, m.Version) || m.ID != teamstest.AppID || len(m.Bots) != 1 || m.Bots[0].BotID != m.ID || len(m.Bots[0].Scopes) != 1 || m.Bots[0].Scopes[0] != "personal" ||
		m.Bots[0].SupportsFiles || m.Bots[0].NotificationOnly || m.Bots[0].CommandLists[0].Commands[0].Title != "start" || len(m.ValidDomains) != 1 || m.ValidDomains[0] != "help.contoso.example" || m.Web != nil {
		t.Errorf("manifest:\n%s", files["manifest.json"])
	}
	with := app()
	with.Desk, with.Install, with.Privacy = true, true, "https://contoso.example/privacy"
	if raw, err = teams.Manifest(with); err != nil {
		t.Fatal(err)
	}
	if z, err = zip.NewReader(bytes.NewReader(raw), int64(len(raw))); err != nil {
		t.Fatal(err)
	}
	r, err := z.Open("manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	all, _ := io.ReadAll(r)
	if err := json.Unmarshal(all, &m); err != nil || !slices.Equal(m.Bots[0].Scopes, []string{"personal", "team"}) || m.Web == nil ||
		!strings.Contains(string(all), `"privacyUrl": "https://contoso.example/privacy"`) || !strings.Contains(string(all), `"termsOfUseUrl": "https://help.contoso.example"`) {
		t.Errorf("with the desk, and installing itself: %v\n%s", err, all)
	}
	plain, desk := teams.Steps(app(), teamstest.Tenant, "https://x"), teams.Steps(with, teamstest.Tenant, "https://x")
	for _, s := range []string{"org.privacy_url is not set", "org.terms_url is not set", "No API permission", "no channels"} {
		if !strings.Contains(plain, s) {
			t.Errorf("the steps do not say %q:\n%s", s, plain)
		}
	}
	for _, s := range []string{"TeamsAppInstallation.ReadWriteSelfForUser.All", "Manage team", "org.terms_url is not set"} {
		if !strings.Contains(desk, s) {
			t.Errorf("the steps do not say %q:\n%s", s, desk)
		}
	}
	if strings.Contains(desk, "org.privacy_url") || strings.Contains(desk, "No API permission") || strings.Contains(plain, "TeamsAppInstallation") {
		t.Errorf("the steps say too much:\n%s\n%s", plain, desk)
	}
	for what, spoil := range map[string]func(*teams.App){
		"name": func(a *teams.App) { a.Name = strings.Repeat("x", 31) }, "short description": func(a *teams.App) { a.Short = "" }, "https": func(a *teams.App) { a.Site = "http://x" },
		"app_id": func(a *teams.App) { a.AppID = "" }, "organisation": func(a *teams.App) { a.Org = strings.Repeat("x", 33) }, "commands": func(a *teams.App) { a.Commands = make([][2]string, 11) },
	} {
		a := app()
		spoil(&a)
		if _, err := teams.Manifest(a); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if s := teams.Steps(app(), teamstest.Tenant, "https://help.contoso.example/in/teams-x"); !strings.Contains(s, "/in/teams-x") || !strings.Contains(s, "https://teams.microsoft.com/l/app/"+teamstest.AppID) || strings.Contains(s, "%!") {
		t.Errorf("steps:\n%s", s)
	}
}
