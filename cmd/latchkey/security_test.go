package main

import (
	"bytes"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Every test that SECURITY.md leans on is there, and its table has a verdict for
// each of the 57 threats.
func TestSecurityPageNamesTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	root := os.DirFS("../..")
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllSubmatch(src, -1) {
			have[string(m[1])] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)`").FindAllSubmatch(page, -1)
	if len(named) < 60 {
		t.Errorf("only %d tests are named", len(named))
	}
	for _, m := range named {
		if !have[string(m[1])] {
			t.Errorf("SECURITY.md names %s, which is no test", m[1])
		}
	}
	next := 1
	for line := range bytes.Lines(page) {
		cells := strings.Split(string(line), " | ")
		if len(cells) != 5 || cells[0] != "| "+strconv.Itoa(next) {
			continue
		}
		verdict := strings.TrimSuffix(strings.TrimSpace(cells[4]), " |")
		switch {
		case verdict == "":
			t.Errorf("threat %d has no verdict", next)
		case strings.HasPrefix(verdict, "holds") && !strings.Contains(cells[3], "`Test"):
			t.Errorf("threat %d holds, and no test says so", next)
		}
		next++
	}
	if next != 58 {
		t.Errorf("the table ends before threat %d", next)
	}
}
