package flows_test

import (
	"maps"
	"testing"

	"latchkey/bot"
	"latchkey/bot/campaign"
	"latchkey/bot/desk"
	"latchkey/bot/directory"
	"latchkey/bot/enroll"
	"latchkey/bot/readiness"
	"latchkey/bot/verify"
	"latchkey/flows"
	"latchkey/flows/library"
)

// facts are the constant facts of a made-up organisation.
var facts = map[string]string{
	"org": "Riverbend Schools", "bot_name": "Latchkey", "department": "Technology Services",
	"help_phone": "(555) 010-0199", "help_hours": "Mon-Fri 7:30-16:30", "help_address": "1 School Lane, Riverbend",
	"help_email": "help@riverbend.example", "default_domain": "riverbend.example", "example_phone": "(201) 555-0123",
	"store_ios": "https://apps.example/ios", "store_android": "https://apps.example/android",
	"trouble_url": "https://help.example/trouble", "reset_url": "",
	"entra": "", "security_info_url": "https://security.example",
}

// catalogue is what the program declares to the scripts.
func catalogue() bot.Catalogue {
	cat := bot.Catalogue{Checks: map[string]bot.CheckSpec{}, Forms: map[string]bot.FormSpec{}, Facts: maps.Clone(facts)}
	for _, room := range []interface {
		Specs() []bot.CheckSpec
		Forms() []bot.FormSpec
	}{new(verify.Service), new(enroll.Service), desk.New(desk.Options{}), campaign.New(campaign.Options{}), new(readiness.Service), new(directory.Service)} {
		for _, s := range room.Specs() {
			cat.Checks[s.Name] = s
		}
		for _, f := range room.Forms() {
			cat.Forms[f.Name] = f
		}
	}
	return cat
}

// shipped loads the shipped scripts.
func shipped(t testing.TB) *flows.Set {
	t.Helper()
	set, err := flows.Load(library.FS, nil, catalogue())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestShippedScriptsHaveNoProblems(t *testing.T) {
	_, probs := flows.Inspect(library.FS, nil, catalogue())
	for _, p := range probs {
		t.Error(p)
	}
}
