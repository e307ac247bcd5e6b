package enroll_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// gsm7 is the basic alphabet of 3GPP TS 23.038, 6.2.1.
const gsm7 = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"

// phrases are those of every shipped language file, by the file's name.
func phrases(t *testing.T) map[string]map[string]string {
	t.Helper()
	all := map[string]map[string]string{}
	files, err := filepath.Glob(filepath.Join("..", "..", "flows", "library", "lang", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no language files", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var lang struct {
			Phrases map[string]string `yaml:"phrases"`
		}
		if err := yaml.Unmarshal(b, &lang); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[filepath.Base(file)] = lang.Phrases
	}
	return all
}

// TestTextsFitOneSegment reads the shipped language files: 160 characters of
// the GSM alphabet, the code first, the organisation named, no link.
func TestTextsFitOneSegment(t *testing.T) {
	for file, lang := range phrases(t) {
		for _, key := range []string{"sms.enroll", "sms.prove"} {
			text := lang[key]
			if text == "" {
				t.Errorf("%s has no phrase %s", file, key)
				continue
			}
			if !strings.HasPrefix(text, "{code}") || !strings.Contains(text, "{org}") || strings.Contains(text, "http") {
				t.Errorf("%s: %s: %s", file, key, text)
			}
			sent := strings.NewReplacer("{code}", "493028", "{minutes}", "10", "{org}", strings.Repeat("O", 40)).Replace(text)
			if n := len([]rune(sent)); n > 160 {
				t.Errorf("%s: %s has %d characters with an organisation of 40", file, key, n)
			}
			for _, c := range sent {
				if !strings.ContainsRune(gsm7, c) {
					t.Errorf("%s: %s has %q, which is not in the GSM alphabet", file, key, c)
				}
			}
		}
	}
}

// TestNoticesHaveWords: whatever an operator does to a person can be told in
// every language, and says that the help desk did it.
func TestNoticesHaveWords(t *testing.T) {
	for file, lang := range phrases(t) {
		for _, key := range []string{"identity_unlinked", "person_frozen", "person_unfrozen", "person_reopened", "person_signed_out", "person_disabled", "person_enabled"} {
			if lang["notice.what."+key] == "" {
				t.Errorf("%s has no phrase notice.what.%s", file, key)
			}
		}
		for key, parts := range map[string]string{"notice.subject.operator": "{org}", "notice.body.operator": "{name} {what} {when} {way} {org}",
			"notice.way.operator": "{contact}", "notice.way.link.operator": "{link} {contact}"} {
			for part := range strings.FieldsSeq(parts) {
				if !strings.Contains(lang[key], part) {
					t.Errorf("%s: %s has no %s", file, key, part)
				}
			}
		}
	}
}
