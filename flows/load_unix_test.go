//go:build unix

package flows_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"latchkey/flows"
	"latchkey/flows/library"
)

// What is no file in an operator's folder is named, and not waited for: a pipe
// would hold up the start for ever.
func TestFolderWithWhatIsNoFile(t *testing.T) {
	for _, name := range []string{"pipe.yaml", "lang/fr.yaml", "pictures/plus.svg"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		_, probs := flows.Inspect(library.FS, os.DirFS(dir), catalogue())
		if len(probs) == 0 || !strings.Contains(probs.Error(), "is no file but a pipe") {
			t.Errorf("%s: %v", name, probs)
		}
	}
	// A link to a file is one: that is how some systems lay files out.
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "lunch.yaml")
	text := "flow: lunch\ntitle: Lunch\nsummary: Asks.\ntriggers: [lunch]\nstart: done\nsteps:\n  done:\n    end: ok\n    text: Enjoy.\n"
	if err := os.WriteFile(elsewhere, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, "lunch.yaml")); err != nil {
		t.Fatal(err)
	}
	set, probs := flows.Inspect(library.FS, os.DirFS(dir), catalogue())
	if strings.Contains(probs.Error(), "no file") || set == nil || set.Flow("lunch") == nil {
		t.Errorf("a link: %v", probs)
	}
}
