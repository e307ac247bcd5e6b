package enroll

import (
	"slices"
	"strings"

	"latchkey/bot/typed"
)

// mailboxes are the domains where most private mailboxes of staff in the
// Americas are, and some that differ from one of them by a letter.
var mailboxes = []string{
	"gmail.com", "yahoo.com", "hotmail.com", "outlook.com", "icloud.com", "aol.com", "live.com", "msn.com", "me.com", "mac.com", "ymail.com",
	"mail.com", "email.com", "gmx.com", "gmx.net", "proton.me", "protonmail.com", "googlemail.com", "rocketmail.com", "zoho.com", "fastmail.com",
	"comcast.net", "att.net", "verizon.net", "sbcglobal.net", "bellsouth.net", "cox.net", "charter.net", "earthlink.net", "optonline.net",
	"frontier.com", "windstream.net", "centurylink.net", "juno.com",
	"yahoo.es", "yahoo.com.mx", "yahoo.com.ar", "yahoo.com.br", "hotmail.es", "hotmail.com.mx", "hotmail.com.ar", "hotmail.com.br", "outlook.es", "outlook.com.mx", "outlook.com.br",
	"live.com.mx", "prodigy.net.mx", "hotmail.co.uk", "yahoo.co.uk", "hotmail.fr", "yahoo.fr", "yahoo.ca", "hotmail.ca", "live.ca", "outlook.fr", "gmx.de", "web.de", "orange.fr",
}

// endings are mistyped ends of domains that exist nowhere.
var endings = map[string]string{
	"con": "com", "cmo": "com", "ocm": "com", "comm": "com", "coom": "com", "ccom": "com", "cpm": "com", "vom": "com", "xom": "com", "clm": "com", "cim": "com",
	"c0m": "com", "comn": "com", "coml": "com", "cop": "com", "dom": "com",
	"nte": "net", "ent": "net", "nett": "net", "nrt": "net", "ner": "net", "met": "net", "ney": "net", "netr": "net",
	"ogr": "org", "rog": "org", "orgg": "org", "prg": "org", "orh": "org",
	"eud": "edu", "deu": "edu", "eduu": "edu",
}

// Suggest is the domain that was probably meant where domain was typed, or
// empty. own are the organisation's domains.
func Suggest(domain string, own []string) string {
	if slices.Contains(mailboxes, domain) || slices.Contains(own, domain) {
		return ""
	}
	label, end, _ := strings.Cut(domain, ".")
	if label == "gmail" {
		return mailboxes[0] // it has one end only
	}
	if len(end) == 2 && end != "co" && end != "cm" && end != "om" && slices.ContainsFunc(mailboxes, func(m string) bool { return strings.HasPrefix(m, label+".") }) {
		return "" // the same company in a country that is not listed
	}
	best, least := "", 3
	for _, known := range slices.Concat(mailboxes, own) {
		most := 1
		if len(known) >= 11 {
			most = 2
		}
		if len(known) < 8 && known[0] != domain[0] {
			continue
		}
		if d := typed.Distance(domain, known); d <= most && d < least {
			best, least = known, d
		}
	}
	if best != "" {
		return best
	}
	i := strings.LastIndexByte(domain, '.')
	name := domain[:i+1]
	if right := endings[domain[i+1:]]; right != "" {
		if better := Suggest(name+right, own); better != "" {
			return better // "gmial.con"
		}
		return name + right
	}
	return ""
}
