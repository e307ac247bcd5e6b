package program

import (
	"cmp"
	"maps"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"latchkey/bot"
	"latchkey/bot/verify"
	"latchkey/cmd/latchkey/config"
	"latchkey/flows"
)

// securityInfo is Microsoft's page where people add methods ("My Sign-Ins,
// Security info"); the scripts write its host out.
const securityInfo = "https://aka.ms/mysecurityinfo"

// Facts are true in every conversation. The fact entra is "yes" where the
// organisation's Microsoft 365 is read, and else empty.
func Facts(cfg *config.Config) map[string]string {
	o := cfg.Org
	tenant := ""
	if cfg.Entra.Tenant != "" {
		tenant = "yes"
	}
	return map[string]string{
		"org": o.Name, "bot_name": o.BotName, "department": o.Department,
		"help_phone": o.HelpPhone, "help_hours": o.HelpHours, "help_address": o.Address, "help_email": o.HelpEmail,
		"default_domain": o.Domain, "example_phone": examplePhone(cfg.Policy.DefaultCountry),
		"store_ios": o.StoreIOS, "store_android": o.StoreDroid, "trouble_url": o.TroubleURL, "reset_url": o.ResetURL,
		"entra": tenant, "security_info_url": securityInfo,
	}
}

// factList is facts for the adapters that write letters.
func factList(cfg *config.Config) []bot.Fact {
	m := Facts(cfg)
	m["desk_phone"], m["issuer"] = m["help_phone"], issuer(cfg)
	delete(m, flows.HoursFact) // phrases have it in their own words
	var list []bot.Fact
	for k := range maps.Keys(m) {
		list = append(list, bot.Fact{Name: k, Value: m[k]})
	}
	return list
}

// examplePhone is a number as people of the country write it.
func examplePhone(country string) string {
	if n := phonenumbers.GetExampleNumberForType(country, phonenumbers.MOBILE); n != nil {
		return phonenumbers.Format(n, phonenumbers.NATIONAL)
	}
	return "+1 201 555 0123"
}

// issuer is what authenticator apps call the entry.
func issuer(cfg *config.Config) string {
	return verify.AppName(cmp.Or(cfg.Org.AppName, cfg.Org.Name))
}

// contact is one line in a language that says how to reach the help desk.
func contact(cfg *config.Config) func(bot.Phrases, string) string {
	o := cfg.Org
	return func(ps bot.Phrases, lang string) string {
		var have []string
		for _, p := range []string{o.Department, o.HelpPhone, bot.Hours(ps, lang, o.HelpHours), o.HelpEmail} {
			if p != "" {
				have = append(have, p)
			}
		}
		return strings.Join(have, ", ")
	}
}
