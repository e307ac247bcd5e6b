package typed

import (
	"regexp"
	"slices"
	"strings"
)

// neverAsked is what nobody of the desk, and no message of a campaign, asks for.
const neverAsked = `(?:code|codes|pass[ -]?words?|passcode|passphrase|pin|qr|secret key|(?:six|6|the)[ -]digits?|c[oó]digos?|contraseñas?|contrasenas?|clave|(?:seis|6|los) d[ií]gitos|` +
	`security (?:questions?|answers?)|maiden name|preguntas? de seguridad|respuestas? (?:secretas?|de seguridad)|apellido de soltera)\b`

// asking is how one asks for something to be said.
const asking = `\b(?:send|give|tell|read|share|forward|text|write|say|repeat|(?:i|we)(?:'ll| will| would| do)? need|(?:reply|answer|respond|message|e-?mail|dm) (?:me |us |back )?(?:with|here|your|the)|what(?:'s| is| was| are)|which is|` +
	`(?:env[ií]|m[aá]nd|comp[aá]rt|escr[ií]b|d[ií]g|l[eé]|p[aá]s)[ae](?:me|nos|les?)?|d[eé](?:me|nos|les?)|di(?:me|nos|les)?|respond[ae]|contest[ae]|responder con|necesito|necesitamos|cu[aá]l (?:es|era))\b`

var (
	// asksFor finds who asks for a secret, never finds who warns.
	asksFor = regexp.MustCompile(`(?i)` + asking + `.{0,60}\b` + neverAsked)
	// asksHere finds one who asks for it to be typed into the chat, and not elsewhere.
	asksHere = regexp.MustCompile(`(?i)\b(type|enter|put|key in|teclee|ingrese|introduzca|ponga)\b.{0,60}\b` + neverAsked + `.{0,40}\b(here|to me|in (?:this|the) chat|aqu[ií]|en (?:este|el) chat)(?:$|[^\pL])`)
	// asksSent finds one who asks for what was sent, and does not call it a code.
	asksSent = regexp.MustCompile(`(?i)\b(?:send|give|tell|read|share|forward|text|write|say|repeat|reply|env[ií][ae](?:me|nos)?|m[aá]nd[ae](?:me|nos)?|di(?:me|nos)|d[ií]ga(?:me|nos)|l[eé][ea](?:me|nos))\b.{0,30}\b(?:numbers?|digits|n[uú]meros?|d[ií]gitos|cifras)\b.{0,40}\b(?:came|come|comes|got|received|arrived|sent you|by text|text message|sms|app shows|lleg[oó]|recibi[oó]|recibiste|mensaje)(?:$|[^\pL])`)
	// notAsked are the names of buttons, codes that are still to be sent, and a no that
	// is none.
	notAsked = regexp.MustCompile(`(?i)"[^"\n]*"|\b(?:a|another|new|fresh|un|una|otro|otra|nuevo|nueva)\s+(?:new\s+|nuevo\s+)?(?:code|codes|password|pin|c[oó]digo|contraseña|clave)\b|` +
		`\b(?:never mind|no (?:problem|worries|need to worry)|(?:do not|don't|not to) worry|no (?:se preocupe|te preocupes|hay problema))\b`)
	never = regexp.MustCompile(`(?i)\b(never|not|don't|nobody|no one|nunca|jam[aá]s|nadie|no)\b`)
	// spaced finds letters that stand apart: "p a s s w o r d", "c.o.d.e".
	spaced     = regexp.MustCompile(`(?:^|[^\pL])(\pL(?:[ .\-_*]{1,2}\pL){2,})(?:$|[^\pL])`)
	apart      = strings.NewReplacer(" ", "", ".", "", "-", "", "_", "", "*", "")
	spacedWord = regexp.MustCompile(`(?i)password|passcode|code|pin|contraseña|contrasena|clave|c[oó]digo`)
)

// AsksSecret reports whether a text asks whoever reads it for a code, a password or the
// answer to a question that proves who they are.
func AsksSecret(text string) bool {
	for line := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune("\n\r\v\f\u0085\u2028\u2029", r) }) {
		line = spaced.ReplaceAllStringFunc(Plain(line), func(s string) string {
			if word := spacedWord.FindString(apart.Replace(s)); word != "" {
				return " " + word + " "
			}
			return s
		})
		line = notAsked.ReplaceAllString(line, " ")
		for sentence := range strings.FieldsFuncSeq(line, func(r rune) bool { return strings.ContainsRune(".!?;", r) }) {
			if (asksFor.MatchString(sentence) || asksHere.MatchString(sentence) || asksSent.MatchString(sentence)) && !never.MatchString(sentence) {
				return true
			}
		}
	}
	return false
}

var (
	// schemed finds what a program opens by what stands before the colon, and addresses
	// without it; hosted a name with dots, or a number of a host.
	schemed = regexp.MustCompile(`(?i)[a-z][a-z0-9+.\-]*://|//\S|\b(?:javascript|vbscript|data|file|mailto|tel|sms|https?):\s*\S|\bwww\.`)
	hosted  = regexp.MustCompile(`(?i)[\pL\pN][\pL\pN\-]*(?:\.[\pL\pN\-]+)*\.(?:\pL[\pL\pN\-]+)|\b\d{1,3}(?:\.\d{1,3}){3}\b`)
	mailed  = regexp.MustCompile(`(?i)[\pL\pN._%+\-]+@[\pL\pN\-]+(?:\.[\pL\pN\-]+)*`)
	// shortened are words with a dot inside that are no hosts.
	shortened = []string{"p.ej", "ee.uu", "rr.hh"}
)

// Links finds what somebody might follow in a text, or a chat program might make a link
// of: addresses of pages with and without their beginning, and mail addresses. ours says
// which mail addresses are none of them.
func Links(text string, ours func(mail string) bool) (found []string) {
	text = Plain(text)
	text = mailed.ReplaceAllStringFunc(text, func(m string) string {
		if !ours(strings.ToLower(strings.TrimRight(m, ".-"))) {
			found = append(found, m)
		}
		return " "
	})
	found = append(found, schemed.FindAllString(text, -1)...)
	for _, host := range hosted.FindAllString(text, -1) {
		if !slices.Contains(shortened, strings.ToLower(host)) {
			found = append(found, host)
		}
	}
	return found
}
