package adaptertest

import "strings"

// Phrases are texts by "language key", with {name} placeholders. It implements
// bot.Phrases for English and Spanish; there is no falling back.
type Phrases map[string]string

// Phrase implements bot.Phrases.
func (p Phrases) Phrase(lang, key string, kv ...string) string {
	s, ok := p[lang+" "+key]
	if !ok {
		return "<" + key + ">"
	}
	for i := 0; i+1 < len(kv); i += 2 {
		s = strings.ReplaceAll(s, "{"+kv[i]+"}", kv[i+1])
	}
	return s
}

// Languages implements bot.Phrases.
func (Phrases) Languages() []string { return []string{"en", "es"} }
