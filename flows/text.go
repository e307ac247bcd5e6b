package flows

import (
	"strings"
)

// A Text is one sentence or paragraph in every language of a set. Placeholders
// are {slot} or {slot|list}: the second looks the slot's value up as an entry
// of a list.
type Text struct {
	Pos Pos
	in  []*template // by language; nil where there is no translation
}

// template is a text cut at its placeholders: lit[0] var[0] lit[1] ...
type template struct {
	pos  Pos
	src  string
	lit  []string
	vars []variable
}

type variable struct{ slot, list string }

// Empty reports whether there is no text at all.
func (t *Text) Empty() bool { return len(t.in) == 0 || t.in[0] == nil }

// Has reports whether the text is translated to a language.
func (t *Text) Has(lang int) bool { return lang < len(t.in) && t.in[lang] != nil }

// Source returns the text as written, in a language, or in the base language.
func (t *Text) Source(lang int) string {
	if tpl := t.pick(lang); tpl != nil {
		return tpl.src
	}
	return ""
}

func (t *Text) pick(lang int) *template {
	if lang < len(t.in) && t.in[lang] != nil {
		return t.in[lang]
	}
	if len(t.in) > 0 {
		return t.in[0]
	}
	return nil
}

// Vars lists the slots that the text of a language needs.
func (t *Text) Vars(lang int) []string {
	tpl := t.pick(lang)
	if tpl == nil {
		return nil
	}
	var out []string
	for _, v := range tpl.vars {
		out = append(out, v.slot)
	}
	return out
}

func (t *Text) fixed(lang int) bool {
	tpl := t.pick(lang)
	return tpl == nil || len(tpl.vars) == 0
}

func (t *Text) set(lang int, tpl *template) {
	for len(t.in) <= lang {
		t.in = append(t.in, nil)
	}
	t.in[lang] = tpl
}

// cut parses placeholders. problem is empty when the text is right.
func cut(src string) (tpl *template, problem string) {
	tpl = &template{src: src}
	rest := src
	for {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			tpl.lit = append(tpl.lit, rest)
			return tpl, ""
		}
		if rest[i] == '}' {
			return tpl, "a } without its {"
		}
		end := strings.IndexByte(rest[i:], '}')
		if end < 0 {
			return tpl, "a { without its }"
		}
		name := rest[i+1 : i+end]
		slot, list, _ := strings.Cut(name, "|")
		if !isName(slot) || (list != "" && !isName(list)) {
			return tpl, "{" + name + "} is not a slot name; write {name}, small letters, digits and _"
		}
		tpl.lit = append(tpl.lit, rest[:i])
		tpl.vars = append(tpl.vars, variable{slot, list})
		rest = rest[i+end+1:]
	}
}

func isName(s string) bool {
	if s == "" || len(s) > 40 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c == '_' || c >= '0' && c <= '9' && i > 0) {
			return false
		}
	}
	return true
}
