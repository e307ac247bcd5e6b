package flows_test

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"latchkey/flows/library"
)

// promises are words that say what nothing here makes true: that a password can
// be reset, that somebody gets back in without help, that a reminder comes, that
// a notice has gone out. Whoever adds a part that keeps one of them writes it
// into a step that is reached only where that part is configured.
var promises = map[string]*regexp.Regexp{
	"en": regexp.MustCompile(`(?i)\breset(s|ting)?\b|self-service|by yourself when you forg|(get|way) back in|recover your account|without a call|no call to the help desk|` +
		`(choose|set|get) a new (password|one) (by )?yourself|new password by yourself|remind you|(have|has) sent a notice|also send a notice`),
	"es": regexp.MustCompile(`(?i)\brestablec|\brestaur|autoservicio|(volver a )?entrar en su cuenta sin ayuda|recuperar su cuenta|sin llamar|no necesita(rá)? llamar|` +
		`contraseña(s)? (nueva )?por su cuenta|recordatorio|le recordar|(envié|envío|enviaré) un aviso`),
}

// kept are sentences in which such words are true.
var kept = []string{
	"the page of {org} for that is {reset_url}", "la página de {org} para eso es {reset_url}", // only where org.reset_url is set
	"latchkey demo --reset", // a flag
	// Package campaign reminds people.
	"You asked me to remind you", "On which day shall I remind you?", "I will remind you on {when}", "I will not remind you of this again", "Este es mi último recordatorio.",
}

// notRead are keys of the YAML that hold what people type, not what they read.
var notRead = map[string]bool{"words": true, "when": true, "triggers": true}

func TestNoTextPromisesWhatNothingKeeps(t *testing.T) {
	read := 0
	err := fs.WalkDir(library.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".yaml" {
			return err
		}
		b, err := fs.ReadFile(library.FS, name)
		if err != nil {
			return err
		}
		var doc yaml.Node
		if err := yaml.Unmarshal(b, &doc); err != nil {
			return err
		}
		lang := "en"
		if path.Dir(name) == "lang" {
			lang = strings.TrimSuffix(path.Base(name), ".yaml")
		}
		bad, ok := promises[lang]
		if !ok {
			t.Errorf("%s: no words of promise are known for this language; add them to promises", name)
			return nil
		}
		readTexts(&doc, func(n *yaml.Node) {
			read++
			text := n.Value
			for _, k := range kept {
				text = strings.ReplaceAll(text, k, "")
			}
			if found := bad.FindString(text); found != "" {
				t.Errorf("%s:%d promises %q: %s", name, n.Line, found, n.Value)
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if read < 1500 {
		t.Errorf("only %d texts were read", read)
	}
}

// readTexts gives each calls what people read in a document: every text that is
// longer than a name, but for the lists of what they type.
func readTexts(n *yaml.Node, each func(*yaml.Node)) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !notRead[n.Content[i].Value] {
				readTexts(n.Content[i+1], each)
			}
		}
	case yaml.SequenceNode, yaml.DocumentNode:
		list := n.Kind == yaml.SequenceNode
		for _, c := range n.Content {
			if !list || c.Kind != yaml.ScalarNode { // [yes, ok]: words again
				readTexts(c, each)
			}
		}
	case yaml.ScalarNode:
		each(n)
	}
}

// The words that must be found, so that the search itself can fail.
func TestPromisesAreFound(t *testing.T) {
	for lang, texts := range map[string][]string{
		"en": {"All done. If you ever forget your password, you can now reset it by yourself.", "I will not remind you before Monday.",
			"Set up self-service password reset", "so that you can get back into your account", "I also send a notice to your other addresses."},
		"es": {"ya puede restablecerla por su cuenta", "Su autoservicio de contraseñas", "Envié un aviso a sus direcciones", "volver a entrar en su cuenta sin ayuda"},
	} {
		for _, text := range texts {
			if !promises[lang].MatchString(text) {
				t.Errorf("%s: %q passes as no promise", lang, text)
			}
		}
	}
}
