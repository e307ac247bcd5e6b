package enroll

import (
	"slices"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"latchkey/bot/policy"
	"latchkey/bot/typed"
)

// A Number is a telephone number that codes may be sent to.
type Number struct {
	E164     string
	Region   string // ISO 3166-1 alpha-2
	Landline bool   // surely one: it gets no texts
	VoIP     bool
	Inside   bool // it was found in a sentence, so it may not be the one that was meant
	Changed  bool // it was typed as its country wrote numbers before it changed them
}

// maxNumber is the longest text that is read as a number.
const maxNumber = 64

// ReadNumber reads a typed number by the policy: a national one is of
// DefaultCountry, "00" means "+". It may stand in a sentence. The problem is
// empty, or the outcome of phone.accept that says what is wrong: bad, several,
// short, extension, country (Region is set), premium (also shared-cost, pager,
// personal and company-wide numbers, and VoIP where the policy forbids it) and
// tollfree.
func ReadNumber(text string, p *policy.Policy) (n Number, problem string) {
	found := typed.Numbers(text)
	switch len(found) {
	case 0:
		if s := typed.Fold(text); s != "" && strings.Trim(s, "0123456789 ") == "" {
			return Number{}, "short"
		}
		return Number{}, "bad"
	case 1:
		n, problem = readNumber(found[0].Text, p)
		n.Inside = found[0].Inside
		return n, problem
	}
	good := 0
	for _, f := range found {
		if m, problem := readNumber(f.Text, p); problem == "" && m.E164 != n.E164 {
			n = m
			good++
		}
	}
	switch good {
	case 0:
		return Number{}, "bad"
	case 1: // the others are no numbers: a room, a ticket, a date
		n.Inside = true
		return n, ""
	}
	return Number{}, "several"
}

// readNumber reads text that is a number and nothing else.
func readNumber(s string, p *policy.Policy) (n Number, problem string) {
	if len(s) > maxNumber {
		return Number{}, "bad"
	}
	if rest, ok := strings.CutPrefix(s, "00"); ok {
		s = "+" + rest
	}
	parsed, err := phonenumbers.Parse(s, p.DefaultCountry)
	if err == nil && parsed.GetExtension() != "" {
		return Number{}, "extension"
	}
	if strings.ContainsFunc(s, unicode.IsLetter) {
		return Number{}, "bad" // vanity numbers, words, two numbers with "or"
	}
	changed := err == nil && renumber(&parsed)
	digits := phonenumbers.NormalizeDigitsOnly(s)
	switch {
	case err != nil && digits != "" && len(digits) < 7:
		return Number{}, "short"
	case err != nil:
		return Number{}, "bad"
	case !strings.HasPrefix(s, "+") && phonenumbers.IsValidShortNumberForRegion(parsed, p.DefaultCountry):
		return Number{}, "short" // 911, 211, a text service
	}
	switch phonenumbers.IsPossibleNumberWithReason(parsed) {
	case phonenumbers.TOO_SHORT, phonenumbers.IS_POSSIBLE_LOCAL_ONLY:
		return Number{}, "short"
	}
	if !phonenumbers.IsValidNumber(parsed) {
		return Number{}, "bad"
	}
	kind := phonenumbers.GetNumberType(parsed)
	n = Number{E164: phonenumbers.Format(parsed, phonenumbers.E164), Region: phonenumbers.GetRegionCodeForNumber(parsed),
		Landline: kind == phonenumbers.FIXED_LINE, VoIP: kind == phonenumbers.VOIP, Changed: changed}
	switch {
	case kind == phonenumbers.TOLL_FREE:
		return n, "tollfree" // before the country: such numbers belong to none
	case !slices.Contains(p.Countries, n.Region):
		return n, "country"
	case n.VoIP && !p.AllowVoIP:
		return n, "premium"
	}
	switch kind {
	case phonenumbers.FIXED_LINE, phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE, phonenumbers.VOIP:
		return n, ""
	}
	return n, "premium"
}

// maskNumber shows the last two digits.
func maskNumber(e164 string) string { return "•••• " + e164[max(0, len(e164)-2):] }

// country names a region in the person's language, or by its ISO code.
func country(lang, region string) string {
	r, err := language.ParseRegion(region)
	if err != nil {
		return region
	}
	tag, err := language.Parse(lang)
	if err != nil {
		tag = language.English
	}
	if namer := display.Regions(tag); namer != nil {
		if name := namer.Name(r); name != "" {
			return name
		}
	}
	return region
}
