package enroll

import (
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// An Address is a private mail address.
type Address struct {
	Local  string // as typed
	Domain string // lower case, ASCII (an internationalised one as xn--…)
}

// String is the address as mail goes to it.
func (a Address) String() string { return a.Local + "@" + a.Domain }

// key is what two spellings of one mailbox have in common. Providers' own
// rules (dots, plus signs) are left alone: they differ.
func (a Address) key() string { return strings.ToLower(a.String()) }

// Lengths of RFC 5321, 4.5.3.1, and its erratum 1690.
const (
	maxAddress = 254
	maxLocal   = 64
)

// ReadAddress reads a typed private address. domains are the organisation's.
// The problem is empty, or the outcome of email.accept that says what is wrong:
// bad, long, company (Domain is set), lookalike and disposable.
//
// It takes the plain form of RFC 5321 only: one dot-atom of ASCII, one @, a
// host name of at least two labels, which may be internationalised. Quoted
// local parts, comments, address literals, display names and a trailing dot
// are legal somewhere and a mistake here.
func ReadAddress(text string, domains []string) (a Address, problem string) {
	s := strings.TrimSpace(strings.Map(func(c rune) rune {
		if c == '\u200b' || c == '\ufeff' {
			return -1 // comes along when people paste
		}
		return c
	}, text))
	if strings.ContainsFunc(s, func(c rune) bool { return unicode.IsControl(c) || unicode.IsSpace(c) || unicode.Is(unicode.Cf, c) }) {
		return Address{}, "bad"
	}
	if len(s) > maxAddress {
		return Address{}, "long"
	}
	if strings.Count(s, "@") != 1 {
		return Address{}, "bad"
	}
	local, domain, _ := strings.Cut(s, "@")
	if len(local) > maxLocal {
		return Address{}, "long"
	}
	if !dotAtom(local) || domain == "" {
		return Address{}, "bad"
	}
	shown := strings.ToLower(norm.NFKC.String(domain))
	if u, err := idna.Display.ToUnicode(shown); err == nil {
		shown = u
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	a = Address{local, strings.ToLower(ascii)}
	if err == nil && len(a.String()) > maxAddress {
		return Address{}, "long"
	}
	for _, d := range domains {
		if under(a.Domain, d) {
			return Address{Domain: d}, "company"
		}
		if imitates(shown, d) {
			return a, "lookalike"
		}
	}
	switch {
	case err != nil, !hostname(a.Domain), mixed(shown):
		return Address{}, "bad"
	}
	for _, d := range throwaway {
		if under(a.Domain, d) {
			return a, "disposable"
		}
	}
	return a, ""
}

// dotAtom reports whether s is words of atext between single dots (RFC 5322,
// 3.2.3).
func dotAtom(s string) bool {
	for word := range strings.SplitSeq(s, ".") {
		if word == "" {
			return false
		}
		for _, c := range word {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+/=?^_`{|}~-", c) {
				return false
			}
		}
	}
	return true
}

// under reports whether a domain is d or a sub-domain of it.
func under(domain, d string) bool {
	return d != "" && (domain == d || strings.HasSuffix(domain, "."+d))
}

// imitates reports whether a domain looks like d, or like a sub-domain of d,
// without being it.
func imitates(shown, d string) bool {
	return d != "" && !under(shown, d) && under(skeleton(shown), skeleton(d))
}

// alike maps letters that look like an ASCII letter, lower case, to it: the
// part of Unicode's confusables (UTS 39) that makes whole Latin words.
var alike = strings.NewReplacer(
	"а", "a", "ё", "e", "е", "e", "о", "o", "р", "p", "с", "c", "у", "y", "х", "x", "і", "i", "ї", "i", "ј", "j", "ѕ", "s", "һ", "h",
	"ԁ", "d", "ԛ", "q", "ԝ", "w", "в", "b", "к", "k", "м", "m", "н", "h", "т", "t", "ѵ", "v", "г", "r", "п", "n", "ӏ", "l", // Cyrillic
	"α", "a", "ο", "o", "ν", "v", "ρ", "p", "τ", "t", "υ", "u", "κ", "k", "ι", "i", "χ", "x", "γ", "y", "η", "n", "ε", "e", "σ", "o", // Greek
	"ո", "n", "օ", "o", "ս", "u", "հ", "h", "ց", "g", "զ", "q", "ա", "w", // Armenian
	"ı", "i", "ɑ", "a", "ɡ", "g", "ɩ", "i", "ł", "l", "ø", "o", "đ", "d", "ħ", "h", "ß", "b", // Latin
	"0", "o", "1", "l", "|", "l", "rn", "m", "vv", "w",
)

// skeleton is what a domain looks like at a glance.
func skeleton(s string) string {
	var b strings.Builder
	for _, c := range norm.NFKD.String(s) {
		if !unicode.Is(unicode.Mn, c) {
			b.WriteRune(unicode.ToLower(c))
		}
	}
	return alike.Replace(b.String())
}

// mixed reports whether one label mixes Latin letters with those of a script
// that has look-alikes of them. Nobody's mailbox is there.
func mixed(domain string) bool {
	for label := range strings.SplitSeq(domain, ".") {
		latin, other := false, false
		for _, c := range label {
			latin = latin || unicode.Is(unicode.Latin, c)
			other = other || unicode.In(c, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee)
		}
		if latin && other {
			return true
		}
	}
	return false
}

// throwaway is a handful of well-known services of mailboxes that anybody can
// read or that are gone after a while. It cannot be complete and need not be:
// the code proves that the mailbox works, this only stops an obvious mistake.
var throwaway = []string{
	"mailinator.com", "guerrillamail.com", "sharklasers.com", "10minutemail.com", "yopmail.com", "temp-mail.org", "tempmail.com",
	"trashmail.com", "maildrop.cc", "getnada.com", "dispostable.com", "throwawaymail.com", "mailnesia.com", "fakeinbox.com", "moakt.com",
}

// maskAddress shows the first letter and the domain. A name of one letter is
// not shown.
func maskAddress(a Address) string {
	first := ""
	if len(a.Local) > 1 {
		first = a.Local[:1]
	}
	return first + "•••@" + a.Domain
}
