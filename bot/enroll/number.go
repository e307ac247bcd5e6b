package enroll

import (
	"slices"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"latchkey/bot/policy"
)

// A Number is a telephone number that codes may be sent to.
type Number struct {
	E164     string
	Region   string // ISO 3166-1 alpha-2
	Landline bool   // surely one: it gets no texts
	VoIP     bool
}

// maxNumber is the longest text that is read as a number.
const maxNumber = 64

// ReadNumber reads a typed number by the policy: a national one is of
// DefaultCountry, "00" means "+". The problem is empty, or the outcome of
// phone.accept that says what is wrong: bad, short, extension, country (Region
// is set), premium (also shared-cost, pager, personal and company-wide numbers,
// and VoIP where the policy forbids it) and tollfree.
func ReadNumber(text string, p *policy.Policy) (n Number, problem string) {
	s := clean(text)
	if s == "" || len(s) > maxNumber {
		return Number{}, "bad"
	}
	parsed, err := phonenumbers.Parse(s, p.DefaultCountry)
	if err == nil && parsed.GetExtension() != "" {
		return Number{}, "extension"
	}
	if strings.ContainsFunc(s, unicode.IsLetter) {
		return Number{}, "bad" // vanity numbers, words, two numbers with "or"
	}
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
		Landline: kind == phonenumbers.FIXED_LINE, VoIP: kind == phonenumbers.VOIP}
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

// clean drops invisible characters, makes every blank and dash an ordinary one,
// and writes "00" in front as "+".
func clean(text string) string {
	s := strings.TrimSpace(strings.Map(func(c rune) rune {
		switch {
		case unicode.Is(unicode.Cf, c):
			return -1
		case unicode.IsSpace(c):
			return ' '
		case unicode.Is(unicode.Pd, c):
			return '-'
		case c == '＋':
			return '+'
		}
		return c
	}, text))
	if rest, ok := strings.CutPrefix(s, "00"); ok {
		return "+" + rest
	}
	return s
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
