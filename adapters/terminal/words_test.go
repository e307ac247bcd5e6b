package terminal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"strconv"
	"testing"

	"go.yaml.in/yaml/v3"

	"latchkey/flows/library"
)

// Every key of words.go stands in every shipped language.
func TestWordsAreTranslated(t *testing.T) {
	t.Parallel()
	f, err := parser.ParseFile(token.NewFileSet(), "words.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	ast.Inspect(f, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok {
			if s, err := strconv.Unquote(l.Value); err == nil {
				keys = append(keys, s)
			}
		}
		return true
	})
	if len(keys) < 30 {
		t.Fatalf("only %d keys found", len(keys))
	}
	files, err := fs.Glob(library.FS, "lang/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("languages: %v %v", files, err)
	}
	for _, file := range files {
		b, err := fs.ReadFile(library.FS, file)
		if err != nil {
			t.Fatal(err)
		}
		var lang struct {
			Phrases map[string]string `yaml:"phrases"`
		}
		if err := yaml.Unmarshal(b, &lang); err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if lang.Phrases[k] == "" {
				t.Errorf("%s: no phrase %q", file, k)
			}
		}
	}
}
