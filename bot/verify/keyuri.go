package verify

import (
	"net/url"
	"strings"
	"unicode"

	"latchkey/bot"
)

// maxURI is the longest otpauth address, in bytes: what a symbol of 53 modules
// holds with the least error correction (version 9-L, ISO/IEC 18004 table 7).
// With its quiet zone it is 61 modules wide, which a phone still reads from a
// picture of 216 pixels, and from a terminal of 80 columns.
const maxURI = 230

// MaxAppName is the longest name of the entry in an authenticator app, in bytes
// as it stands in the otpauth address, twice: a Latin letter is one, a blank
// three, a Greek or Cyrillic letter six, a Chinese character nine. What is left
// of maxURI is room for an account name of 48.
const MaxAppName = 59

// AppName is a name as authenticator apps take it: without colons, and no longer
// than MaxAppName. A longer one is cut after as many words as there is room for,
// or within its first word when even that is too long.
func AppName(name string) string {
	words := strings.Fields(strings.ReplaceAll(name, ":", " "))
	short := ""
	for i, w := range words {
		next := strings.TrimSpace(short + " " + w)
		if len(escape(next)) > MaxAppName {
			if i == 0 {
				return cut(w, MaxAppName)
			}
			return strings.TrimRight(short, " ,;.-–—&/(")
		}
		short = next
	}
	return short
}

// cut is the beginning of s that is at most n bytes long when it is escaped. It
// takes no letter without its accent.
func cut(s string, n int) string {
	end, size := 0, 0
	for i, c := range s {
		if !unicode.Is(unicode.M, c) {
			end = i
		}
		if size += len(escape(string(c))); size > n {
			return s[:end]
		}
	}
	return s
}

// KeyURI is the otpauth address that authenticator apps scan (Key URI format of
// google-authenticator): issuer and account in the label and the issuer again
// as a parameter, blanks as %20, the secret in base32 without padding. The
// optional parameters are left out: many apps ignore them, and what we use,
// SHA-1, 6 digits, 30 seconds, is the default everywhere.
//
// issuer is cut as AppName does; an account that leaves too little room loses
// its domain, and then its end.
func KeyURI(issuer, account string, seed []byte) bot.Secret {
	issuer, account = escape(AppName(issuer)), strings.ReplaceAll(account, ":", " ")
	secret := key32.EncodeToString(seed)
	room := maxURI - len("otpauth://totp/:?secret=&issuer=") - 2*len(issuer) - len(secret)
	if len(escape(account)) > room {
		account, _, _ = strings.Cut(account, "@")
		account = cut(account, room)
	}
	return bot.Secret("otpauth://totp/" + issuer + ":" + escape(account) + "?secret=" + secret + "&issuer=" + issuer)
}

// escape writes one part of the address.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// KeyText is the seed as people type it: base32 in groups of four, with blanks
// between the groups.
func KeyText(seed []byte) bot.Secret {
	s := key32.EncodeToString(seed)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(c)
	}
	return bot.Secret(b.String())
}
