package config

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Describe writes a complete file: every key with its explanation, its default
// and its limits. Keys that must be set stand there with an example; all
// others are commented out.
func Describe(w io.Writer) error {
	var b strings.Builder
	b.WriteString(`# Latchkey configuration.
#
# A line like "#key: value" shows a setting at its default, or an example where
# there is none: remove the # to set it. Check the file with
#   latchkey config check --config FILE
# An environment variable goes over the file: LATCHKEY_ORG_NAME over org.name.
# A secret never stands here. Name a variable (key_env), a file (key_file), or
# set the variable LATCHKEY_... of the key itself.
`)
	keys := Keys()
	for _, s := range Sections() {
		fmt.Fprintf(&b, "\n# %s\n%s:\n", s.Doc, s.Name)
		var open []string // the groups that are written below the section
		for i := range keys {
			k := &keys[i]
			rest, ok := strings.CutPrefix(k.Path, s.Name+".")
			if !ok {
				continue
			}
			parts := strings.Split(rest, ".")
			groups := parts[:len(parts)-1]
			for j, g := range groups {
				if j >= len(open) || open[j] != g {
					fmt.Fprintf(&b, "\n%s%s:\n", strings.Repeat("  ", j+1), g)
				}
			}
			open = groups
			describeKey(&b, k, strings.Repeat("  ", len(parts)), parts[len(parts)-1])
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func describeKey(b *strings.Builder, k *Key, indent, name string) {
	fmt.Fprintf(b, "%s# %s\n", indent, k.Doc)
	var notes []string
	if len(k.Choices) > 0 {
		notes = append(notes, "One of "+strings.Join(k.Choices, ", "))
	}
	kind := k.Kind
	if k.Unit != "" {
		kind += " of " + k.Unit
	}
	if len(k.Choices) == 0 && k.Kind != "text" && k.Kind != "secret" {
		notes = append(notes, strings.ToUpper(kind[:1])+kind[1:])
	}
	switch {
	case k.Floor != "" && k.Floor == k.Cap:
		notes = append(notes, "fixed at "+k.Cap)
	case k.None:
		notes = append(notes, "0, or from "+k.Floor+" to "+k.Cap)
	case k.Floor != "" && k.Cap != "":
		notes = append(notes, "from "+k.Floor+" to "+k.Cap)
	case k.Cap != "":
		notes = append(notes, "no laxer than "+k.Cap)
	}
	if k.required {
		notes = append(notes, "must be set")
	}
	if len(notes) > 0 {
		fmt.Fprintf(b, "%s# %s.\n", indent, strings.Join(notes, "; "))
	}
	if k.Source != "" {
		fmt.Fprintf(b, "%s# Source: %s.\n", indent, strings.TrimSuffix(k.Source, "."))
	}
	switch {
	case k.Secret():
		fmt.Fprintf(b, "%s#%s_env: %s\n", indent, name, strings.TrimPrefix(k.Env(), "LATCHKEY_"))
	case k.required:
		fmt.Fprintf(b, "%s%s: %s\n", indent, name, k.yaml(k.Example))
	case k.Default != "":
		fmt.Fprintf(b, "%s#%s: %s\n", indent, name, k.yaml(k.Default))
	default:
		fmt.Fprintf(b, "%s#%s: %s\n", indent, name, k.yaml(k.Example))
	}
}

// yaml writes a value as YAML.
func (k *Key) yaml(v string) string {
	if !k.list {
		return scalar(v)
	}
	var parts []string
	for p := range strings.SplitSeq(v, ",") {
		if p = strings.TrimSpace(p); p != "" {
			parts = append(parts, scalar(p))
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// scalar quotes what YAML would read as something else.
func scalar(v string) string {
	plain := v != "" && strings.IndexFunc(v, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._/-@", r))
	}) < 0 && !strings.ContainsRune("-@", rune(v[0]))
	if plain || strings.HasPrefix(v, "https://") {
		return v
	}
	return strconv.Quote(v)
}
