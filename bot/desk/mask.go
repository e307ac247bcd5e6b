package desk

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"latchkey/bot"
	"latchkey/bot/typed"
)

var (
	// numbers finds numbers, also in groups: "123 456", "12-34-56", "+1 704 296 3143".
	numbers = regexp.MustCompile(`\+?\d+(?:[ .\-]\d+)*`)
	// keys finds what opens something by itself: the address of an authenticator
	// key, a key in base 32, a recovery code in two groups.
	keys = regexp.MustCompile(`otpauth://\S+|\b(?:[A-Z2-7]{4}[ \-]?){4,}\b|\b[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\b`)
	// password finds what somebody says a password is, in both languages.
	password = regexp.MustCompile(`(?i)\b(password|passwort|pass[ -]?word|passcode|passphrase|pwd|pw|pin|contraseña|contrasena|clave)\b(\s*(?:is|was|=|:|es|era)\s*:?\s*|\s+)(["'“«]?)([^\s"'”»]+)`)
	// passwordFirst finds the same said the other way round: "hunter22 is my password".
	passwordFirst = regexp.MustCompile(`(?i)([^\s"'“”«»¿¡]+)(["'”»]?,?\s+(?:is|was|es|era)\s+(?:my|mi)\s+(?:[\pL]+\s+)?(?:password|pass[ -]?word|passcode|passphrase|pwd|pw|pin|contraseña|contrasena|clave)\b)`)
)

// plainWords follow "password" without being one.
var plainWords = map[string]bool{}

func init() {
	for w := range strings.FieldsSeq(`not no never wrong right old new gone lost expired locked too the a an and or but is was has does doesnt doesn't isn't reset
		resets change changed changes page form field again for to from of in on at with my your his her our it that this which what when how please here there
		now yet still only also because so if manager problem issue help works working work worked correct incorrect invalid same different
		no nunca mal bien vieja nueva perdida vencida bloqueada la el un una y o pero es era ha tiene mi su de del en con para por que cuando como aquí ahí ahora
		todavía ya solo también porque si incorrecta correcta funciona funcionaba sirve restablecer cambiar cambió cambio otra misma vez`) {
		plainWords[w] = true
	}
}

// Hide puts dots in the place of what looks like a code, a key or a password in
// what somebody wrote, and reports whether there was any. The rest stays as it is.
func Hide(text string) (shown string, hidden bool) {
	text = bot.Harmless(text) // what has no width parts no code
	cover := func(re *regexp.Regexp, with func([]string) string) {
		for {
			next := re.ReplaceAllStringFunc(text, func(s string) string { return with(re.FindStringSubmatch(s)) })
			if next == text {
				return
			}
			text, hidden = next, true
		}
	}
	cover(keys, func(m []string) string {
		if !strings.ContainsAny(m[0], "0123456789") {
			return m[0] // words in capitals
		}
		return bot.Unheard
	})
	cover(numbers, func(m []string) string { return withoutCodes(m[0]) })
	cover(password, func(m []string) string {
		word := strings.Trim(m[4], ".,;:!?…")
		if word == "" || word == bot.Unheard || plainWords[strings.ToLower(word)] || strings.TrimSpace(m[2]) == "" && !mixed(word) {
			return m[0]
		}
		return m[1] + m[2] + m[3] + bot.Unheard
	})
	cover(passwordFirst, func(m []string) string {
		if m[1] == bot.Unheard || !strings.ContainsAny(m[1], "0123456789") && !mixed(m[1]) {
			return m[0]
		}
		return bot.Unheard + m[2]
	})
	if !hidden {
		if _, ok := typed.Digits6(text); ok { // read out in words
			return bot.Unheard, true
		}
	}
	return text, hidden
}

// withoutCodes hides a number of six digits, and each group of six in a longer one.
func withoutCodes(number string) string {
	digits := 0
	for _, r := range number {
		if r >= '0' && r <= '9' {
			digits++
		}
	}
	if digits == 6 {
		return bot.Unheard
	}
	var b strings.Builder
	for rest := number; rest != ""; {
		n := strings.IndexAny(rest, " .-+")
		if n < 0 {
			n = len(rest)
		}
		if n == 6 {
			b.WriteString(bot.Unheard)
		} else {
			b.WriteString(rest[:n])
		}
		if n < len(rest) {
			b.WriteByte(rest[n])
			n++
		}
		rest = rest[n:]
	}
	return b.String()
}

// mixed reports whether a word has more than letters of one sort, as passwords
// have and words have not.
func mixed(word string) bool {
	if len(word) < 6 {
		return false
	}
	_, n := utf8.DecodeRuneInString(word)
	rest := word[n:]
	return strings.ContainsAny(word, "0123456789!#$%&*+=?@^_~") || strings.ToLower(rest) != rest
}

var (
	// dialled finds telephone numbers, also in groups.
	dialled = regexp.MustCompile(`\+?\(?\d(?:[ .\-/()]{0,2}\d){6,}`)
	// mailbox finds mail addresses.
	mailbox = regexp.MustCompile(`([\pL\pN])[\pL\pN._%+\-]*@([\pL\pN.\-]+)`)
)

// masked is text without codes, full numbers and full addresses.
func masked(text string) string {
	text, _ = Hide(text)
	return dialled.ReplaceAllStringFunc(mailboxes(text), func(n string) string { return "•••• " + n[len(n)-2:] })
}

// mailboxes is text without full addresses.
func mailboxes(text string) string { return mailbox.ReplaceAllString(text, "$1•••@$2") }
