package verify

import (
	"net/url"
	"strings"

	"latchkey/bot"
)

// KeyURI is the otpauth address that authenticator apps scan (Key URI format of
// google-authenticator): issuer and account in the label and the issuer again
// as a parameter, blanks as %20, the secret in base32 without padding. The
// optional parameters are left out: many apps ignore them, and what we use,
// SHA-1, 6 digits, 30 seconds, is the default everywhere.
func KeyURI(issuer, account string, seed []byte) bot.Secret {
	issuer, account = label(issuer), label(account)
	return bot.Secret("otpauth://totp/" + issuer + ":" + account + "?secret=" + key32.EncodeToString(seed) + "&issuer=" + issuer)
}

// label escapes one part of the label. Neither part may contain a colon.
func label(s string) string {
	return strings.ReplaceAll(url.QueryEscape(strings.ReplaceAll(s, ":", " ")), "+", "%20")
}

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
