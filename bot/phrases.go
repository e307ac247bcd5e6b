package bot

// Phrases gives short texts that code needs and scripts do not hold: the name
// of a method kind, the words of a text message, the subject of a notice. They
// live in the language files beside the scripts, so that one more language is
// one more file.
type Phrases interface {
	// Phrase returns the text of a key in a language, falling back to the
	// base language, with {name} placeholders filled from kv pairs. An
	// unknown key is returned as it is, in angle brackets, so that it shows.
	Phrase(lang, key string, kv ...string) string
	// Languages lists the languages that are complete, the base language first.
	Languages() []string
}
