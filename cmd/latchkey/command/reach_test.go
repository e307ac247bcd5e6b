package command

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/adapters/teams/teamstest"
)

// TestManifestDesk: platforms are asked for what writing first needs where the
// desk is switched on, and for nothing of it where it is not.
func TestManifestDesk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "l.yaml")
	env := []string{"SECRET=" + teamstest.Secret, "SLACK=xoxb-0123456789"}
	if code, _, errs := command(t, env, "keys", "new", filepath.Join(dir, "latchkey.keys")); code != exitOK {
		t.Fatalf("keys new: %s", errs)
	}
	write := func(t *testing.T, org, desk, teams string) {
		t.Helper()
		text := fmt.Sprintf(`org: {name: Riverbend, department: IT, help_hours: always, address: 1 School Lane, help_phone: "555", domains: [riverbend.example]%s}
store: {path: x.db}
smtp: {host: localhost, from: "a@riverbend.example"}
http: {addr: "127.0.0.1:1", public_url: "https://help.riverbend.example"}
%schannels:
  slack: {acme: {bot_token_env: SLACK, signing_secret_env: SECRET, team: T0123ABCD}}
  teams: {acme: {app_id: %s, tenant: %s, client_secret_env: SECRET%s}}
  discord: {acme: {token_env: SECRET, application_id: "100000000000000001"}}
`, org, desk, teamstest.AppID, teamstest.Tenant, teams)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, errs := command(t, env, "config", "check", "--config", file); code != exitOK {
			t.Fatalf("config check: %d %s %s", code, out, errs)
		}
	}
	// made is the manifest, with what is said about it.
	made := func(t *testing.T, platform string) string {
		t.Helper()
		at := filepath.Join(dir, platform)
		code, out, errs := command(t, env, "manifest", platform, "--config", file, "--out", at)
		if code != exitOK {
			t.Fatalf("manifest %s: %d %s %s", platform, code, out, errs)
		}
		b, err := os.ReadFile(at)
		if err != nil {
			t.Fatal(err)
		}
		if z, err := zip.NewReader(bytes.NewReader(b), int64(len(b))); err == nil {
			r, err := z.Open("manifest.json")
			if err != nil {
				t.Fatal(err)
			}
			if b, err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
		return string(b) + out + errs
	}
	asked := map[string][]string{
		"slack": {"users:read.email", "channels:history", "groups:history"},
		"teams": {`"team"`, "team scope", "Manage team"},
		// View Channels, Send Messages, Create Public Threads, Send Messages in Threads
		"discord": {`"permissions": "309237648384"`, "permissions=309237648384", "Create Public Threads"},
	}
	for _, desk := range []string{"", "desk: {enabled: false}\n"} {
		write(t, "", desk, "")
		for platform, words := range asked {
			all := made(t, platform)
			for _, w := range words {
				if strings.Contains(all, w) {
					t.Errorf("%q: %s asks for %s, and nobody is written to first", desk, platform, w)
				}
			}
		}
	}
	write(t, "", "desk: {enabled: true}\n", "")
	for platform, words := range asked {
		all := made(t, platform)
		for _, w := range words {
			if !strings.Contains(all, w) {
				t.Errorf("%s does not ask for %s:\n%s", platform, w, all)
			}
		}
	}
	if all := made(t, "teams"); strings.Contains(all, "webApplicationInfo") || strings.Contains(all, "TeamsAppInstallation") || !strings.Contains(all, "org.privacy_url is not set") {
		t.Errorf("nothing is installed, and no page is configured:\n%s", all)
	}
	write(t, ", privacy_url: \"https://riverbend.example/privacy\", terms_url: \"https://riverbend.example/terms\"", "desk: {enabled: true}\n", ", catalog_app: "+teamstest.CatalogApp)
	all := made(t, "teams")
	for _, w := range []string{"webApplicationInfo", "TeamsAppInstallation.ReadWriteSelfForUser.All", `"privacyUrl": "https://riverbend.example/privacy"`, `"termsOfUseUrl": "https://riverbend.example/terms"`} {
		if !strings.Contains(all, w) {
			t.Errorf("the package does not have %s:\n%s", w, all)
		}
	}
	if strings.Contains(all, "is not set") {
		t.Errorf("the pages are configured:\n%s", all)
	}
}
