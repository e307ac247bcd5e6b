package config_test

import (
	"bytes"
	"strings"
	"testing"

	"latchkey/cmd/latchkey/config"
)

func TestDescribeIsAValidFile(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := config.Describe(&b); err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse("latchkey.yaml", b.Bytes(), nil)
	if err != nil {
		t.Fatalf("the described file does not pass the check:\n%v", err)
	}
	if c.Org.Name == "" || c.Store.Path != "latchkey.db" || c.Policy.CodeTries != 5 {
		t.Errorf("unexpected values: %+v", c)
	}
	for _, k := range config.Keys() {
		if k.Doc == "" || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s: its explanation is not a sentence: %q", k.Path, k.Doc)
		}
		if !strings.Contains(b.String(), k.Doc) {
			t.Errorf("%s: not explained in the file", k.Path)
		}
		if k.Default == "" && k.Example == "" && !k.Secret() {
			t.Errorf("%s: neither a default nor an example", k.Path)
		}
	}
}

// With every setting uncommented, the file still passes: defaults and examples
// are values that the check takes.
func TestDescribeUncommented(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := config.Describe(&b); err != nil {
		t.Fatal(err)
	}
	var lines []string
	n := 0
	for l := range strings.SplitSeq(b.String(), "\n") {
		trimmed := strings.TrimLeft(l, " ")
		if rest, ok := strings.CutPrefix(trimmed, "#"); ok && rest != "" && rest[0] != ' ' {
			if strings.HasPrefix(rest, "postgres_env") {
				continue // one of the two stores
			}
			// What is off by default makes the keys that belong to it a mistake.
			rest = strings.Replace(strings.Replace(rest, "enabled: false", "enabled: true", 1), "kind: none", "kind: oidc", 1)
			l = l[:len(l)-len(trimmed)] + rest
			n++
		}
		lines = append(lines, l)
	}
	env := []string{"SMTP_PASSWORD=correct horse", "TWILIO_AUTH_TOKEN=" + strings.Repeat("a", 32), "OIDC_CLIENT_SECRET=battery staple"}
	c, err := config.Parse("/etc/latchkey/latchkey.yaml", []byte(strings.Join(lines, "\n")), env)
	if err != nil {
		t.Fatalf("uncommented:\n%v", err)
	}
	if want := len(config.Keys()) - 7; n != want {
		t.Errorf("%d settings were commented out, want %d", n, want)
	}
	if c.SMTP.Host == "" || c.Twilio.From == "" || string(c.SMTP.Password) != "correct horse" || string(c.OIDC.ClientSecret) != "battery staple" || len(c.Web.Embed) != 1 {
		t.Errorf("values are missing: %+v", c)
	}
	if c.Scripts != "/etc/latchkey/scripts" || c.KeysFile != "/etc/latchkey/latchkey.keys" {
		t.Errorf("paths are not relative to the file: %q %q", c.Scripts, c.KeysFile)
	}
}
