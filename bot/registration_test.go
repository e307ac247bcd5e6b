package bot_test

import (
	"slices"
	"testing"
	"time"

	"latchkey/bot"
)

func TestOwnPageReplacesAnOlderReportButNotWhatItCannotShow(t *testing.T) {
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	r := bot.Registration{ReadAt: at, AsOf: at, Methods: []string{"mobilePhone", "HardwareOneTimePasscode", "securityQuestion", "softwareOneTimePasscode"}}
	for _, c := range []struct {
		what   string
		direct []string
		at     time.Time
		want   []string
	}{
		{"not looked at", nil, at.Add(time.Hour), r.Methods},
		{"older than the report", []string{"email"}, at.Add(-time.Hour), r.Methods},
		{"a phone was taken away", []string{"email"}, at.Add(time.Hour), []string{"email", "HardwareOneTimePasscode", "securityQuestion"}},
		{"the app is there", []string{"microsoftAuthenticatorPush"}, at.Add(time.Hour), []string{"microsoftAuthenticatorPush", "HardwareOneTimePasscode", "securityQuestion", "softwareOneTimePasscode"}},
		{"both have the codes", []string{"microsoftAuthenticatorPush", "SoftwareOneTimePasscode"}, at.Add(time.Hour), []string{"microsoftAuthenticatorPush", "SoftwareOneTimePasscode", "HardwareOneTimePasscode", "securityQuestion"}},
		{"nothing on the page", []string{}, at.Add(time.Hour), []string{"HardwareOneTimePasscode", "securityQuestion"}},
	} {
		g := r
		g.Direct, g.DirectAt = c.direct, c.at
		if got, _ := g.Has(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}
