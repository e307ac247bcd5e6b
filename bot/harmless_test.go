package bot_test

import (
	"reflect"
	"testing"

	"latchkey/bot"
)

func TestHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"Ann\tLee\nRoom 2":               "Ann\tLee\nRoom 2",
		"a\u202egpj.exe":                 "agpj.exe",                       // override
		"a\u200bb\ufeffc\u00add\u2060e":  "abcde",                          // no width
		"a\x00\x1b[31mb\u0085":           "a[31mb",                         // control
		"one\u2028two\u2029":             "onetwo",                         // other line breaks
		"\U0001F468\u200d\U0001F469":     "\U0001F468\u200d\U0001F469",     // a family
		"\u0645\u06cc\u200c\u062e\u0648": "\u0645\u06cc\u200c\u062e\u0648", // Persian
		"\u2068\u05d0\u2069 \u200e(1)":   "\u2068\u05d0\u2069 \u200e(1)",
		"bad \xff byte":                  "bad  byte",
	} {
		if got := bot.Harmless(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// TestMessageHarmless: every word of a message is tamed, also of what may be
// added to Message later, and the original is left alone.
func TestMessageHarmless(t *testing.T) {
	const bad = "a\u202eb"
	words := 0
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			v.SetString(bad)
			words++
		case reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem())
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			fill(v.Index(0))
		case reflect.Struct:
			for i := range v.NumField() {
				fill(v.Field(i))
			}
		}
	}
	var m bot.Message
	fill(reflect.ValueOf(&m).Elem())
	// What is no word for people: ids, names of files, addresses, the language.
	ids := map[string]bool{"Choices.ID": true, "Choices.Link": true, "Picture.Name": true, "Form.Name": true, "Form.Fields.Name": true,
		"Entry.Kind": true, "Echo.Kind": true, "Echo.Method": true, "Reveal.Kind": true, "Reveal.Method": true, "Lang": true}
	var check func(path string, v reflect.Value)
	check = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			if want := map[bool]string{true: bad, false: "ab"}[ids[path]]; v.String() != want {
				t.Errorf("%s is %q, want %q", path, v.String(), want)
			}
		case reflect.Pointer:
			check(path, v.Elem())
		case reflect.Slice:
			check(path, v.Index(0))
		case reflect.Struct:
			for i := range v.NumField() {
				p := v.Type().Field(i).Name
				if path != "" {
					p = path + "." + p
				}
				check(p, v.Field(i))
			}
		}
	}
	check("", reflect.ValueOf(m.Harmless()).Elem())
	if words < 15 || m.Text != bad || m.Choices[0].Label != bad || m.Form.Fields[0].Label != bad || m.Entry.Title != bad {
		t.Errorf("%d words; the original is %+v", words, m)
	}
}

func TestPlain(t *testing.T) {
	for s, want := range map[string]bool{"Ab9-_": true, "": false, "abcdef": false, "a b": false, "é": false, "a\n": false, "-": true} {
		if got := bot.Plain(s, 5, "-_"); got != want {
			t.Errorf("Plain(%q) = %v", s, got)
		}
	}
}
