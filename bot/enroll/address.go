package enroll

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"latchkey/bot/typed"
)

// An Address is a private mail address.
type Address struct {
	Local  string // as typed
	Domain string // lower case, ASCII (an internationalised one as xn--…)
	Inside bool   // it was found in a sentence, or had to be rewritten: it may not be the one that was meant
}

// String is the address as mail goes to it.
func (a Address) String() string { return a.Local + "@" + a.Domain }

// key is what two spellings of one mailbox have in common, an internationalised
// domain in letters and as xn--… among them. Providers' own rules (dots, plus
// signs) are left alone: they differ.
func (a Address) key() string { return addressKey(a.String()) }

func addressKey(s string) string {
	i := strings.LastIndexByte(s, '@')
	return typed.Destination(s[:i+1]) + asciiDomain(s[i+1:])
}

// asciiDomain is a domain as it stands in the DNS, lower case; one that cannot
// be written so stays as it is.
func asciiDomain(d string) string {
	if ascii, err := idna.Lookup.ToASCII(d); err == nil {
		d = ascii
	}
	return strings.ToLower(d)
}

// shownDomain is a domain as people write it.
func shownDomain(d string) string {
	if u, err := idna.Display.ToUnicode(d); err == nil {
		return u
	}
	return d
}

// Lengths of RFC 5321, 4.5.3.1, and its erratum 1690.
const (
	maxAddress = 254
	maxLocal   = 64
)

// ReadAddress reads a typed private address, which may stand in a sentence.
// domains are the organisation's. The problem is empty, or the outcome of
// email.accept that says what is wrong: bad, several, long, company (Domain is
// set), lookalike and disposable.
//
// It takes the plain form of RFC 5321 and RFC 6531 only: one dot-atom, one @, a
// host name of at least two labels, either of which may be internationalised.
// Quoted local parts, comments and address literals are legal somewhere and a
// mistake here.
func ReadAddress(text string, domains []string) (a Address, problem string) {
	found := typed.Addresses(text)
	switch len(found) {
	case 0:
		return Address{}, "bad"
	case 1:
		a, problem = readAddress(found[0].Text, domains)
		a.Inside = a.Inside || found[0].Inside
		return a, problem
	}
	return Address{}, "several"
}

// readAddress reads text that is an address and nothing else.
func readAddress(s string, domains []string) (a Address, problem string) {
	if len(s) > maxAddress {
		return Address{}, "long"
	}
	local, domain, _ := strings.Cut(s, "@")
	if len(local) > maxLocal {
		return Address{}, "long"
	}
	if !dotAtom(local) || domain == "" {
		return Address{}, "bad"
	}
	if mixed(local) {
		return Address{}, "lookalike"
	}
	shown := strings.ToLower(norm.NFKC.String(domain))
	shown = shownDomain(shown)
	ascii, err := idna.Lookup.ToASCII(domain)
	a = Address{Local: local, Domain: strings.ToLower(ascii)}
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
	if plain := typed.Unaccented(a.Local); plain != a.Local && slices.Contains(mailboxes, a.Domain) {
		a.Local, a.Inside = plain, true // a phone's keyboard wrote "josé"; no mailbox there is called so
	}
	return a, ""
}

// dotAtom reports whether s is words of atext between single dots (RFC 5322,
// 3.2.3; RFC 6531, 3.3).
func dotAtom(s string) bool {
	for word := range strings.SplitSeq(s, ".") {
		if word == "" {
			return false
		}
		for _, c := range word {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !(c > unicode.MaxASCII && unicode.In(c, unicode.L, unicode.M, unicode.Nd)) && !strings.ContainsRune("!#$%&'*+/=?^_`{|}~-", c) {
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
	if utf8.RuneCountInString(a.Local) > 1 {
		_, n := utf8.DecodeRuneInString(a.Local)
		first = a.Local[:n]
	}
	return first + "•••@" + a.Domain
}
