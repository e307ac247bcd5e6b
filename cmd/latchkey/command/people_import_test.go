package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"latchkey/cmd/latchkey/programtest"
)

// feed runs a command with something on its standard input.
func feed(t *testing.T, in io.Reader, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e programtest.Buffer
	code = run(context.Background(), std{in: in, out: &o, err: &e}, args)
	return code, o.String(), e.String()
}

// A list comes from a pipe, and one that breaks off is never taken for a short
// one, whether the service runs or not.
func TestImportFromAPipe(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{false, true} {
		t.Run(fmt.Sprintf("service %v", running), func(t *testing.T) {
			cfg := install(t, "")
			if running {
				startService(t, cfg)
			}
			code, out, errs := feed(t, strings.NewReader(staffList), "people", "import", "-", "--config", cfg)
			if code != exitOK || !strings.Contains(out, "standard input: 2 rows; added 2") {
				t.Fatalf("%d %s %s", code, out, errs)
			}
			broken := io.MultiReader(strings.NewReader(staffList[:60]), iotest.ErrReader(errors.New("the export failed")))
			if code, out, errs = feed(t, broken, "people", "import", "-", "--config", cfg, "--missing", "disable", "--yes"); code != exitError || strings.Contains(out, "rows; added") {
				t.Errorf("broken off: %d %s %s", code, out, errs)
			}
			if code, out, errs = feed(t, strings.NewReader(""), "people", "import", "-", "--config", cfg); code != exitError || !strings.Contains(errs, "is empty") {
				t.Errorf("empty: %d %s %s", code, out, errs)
			}
			if _, out, _ = command(t, nil, "people", "list", "--config", cfg); strings.Count(out, "not started") != 2 || strings.Contains(out, "disabled") {
				t.Errorf("after all: %s", out)
			}
		})
	}
}

// An import that waits for its list ends at the first signal, whether the
// service runs or not.
func TestImportInterrupted(t *testing.T) {
	t.Parallel()
	for _, running := range []bool{false, true} {
		t.Run(fmt.Sprintf("service %v", running), func(t *testing.T) {
			cfg := install(t, "")
			if running {
				startService(t, cfg)
			}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			pipe, w := io.Pipe()
			defer w.Close()
			go func() {
				io.WriteString(w, staffList[:20]) // returns when the command reads
				stop()
			}()
			var out, errs programtest.Buffer
			if code := run(ctx, std{in: pipe, out: &out, err: &errs}, []string{"people", "import", "-", "--config", cfg}); code != exitError || !strings.Contains(errs.String(), "interrupted") {
				t.Errorf("exit %d, %q, %q", code, out.String(), errs.String())
			}
			if _, out, errs := command(t, nil, "people", "list", "--config", cfg); strings.Contains(out, "not started") {
				t.Errorf("stored: %s %s", out, errs)
			}
		})
	}
}

// What an import says to the one who runs it.
func TestImportSays(t *testing.T) {
	t.Parallel()
	cfg := install(t, "")
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	var all, few strings.Builder
	for i := range 40 {
		fmt.Fprintf(&all, "e%02d,user%02d,Guest\n", i, i)
		if i < 10 {
			fmt.Fprintf(&few, "e%02d,user%02d,Guest\n", i, i)
		}
	}
	const head = "id,username,userType\n"
	first := write("all.csv", head+all.String())
	for _, c := range []struct {
		file  string
		flags []string
		code  int
		out   []string
		errs  string
	}{
		{"PK\x03\x04..[Content_Types].xml..xl/workbook.xml", nil, exitError, nil, `is an Excel workbook (.xlsx), not CSV: open it and save it as CSV UTF-8`},
		{"PK\x03\x04..mimetypeapplication/vnd.oasis.opendocument.spreadsheet", nil, exitError, nil, "(.ods), not CSV"},
		{"PK\x03\x04..Index/Document.iwa", nil, exitError, nil, "(.numbers), not CSV"},
		{"PK\x03\x04..staff.csv", nil, exitError, nil, "a ZIP archive or a workbook, not CSV"},
		{"\xd0\xcf\x11\xe0..", nil, exitError, nil, "(.xls), not CSV"},
		{"%PDF-1.7", nil, exitError, nil, "a PDF cannot be read"},
		{"<html><table>", nil, exitError, nil, "a web page, not CSV"},
		{"First Name,Email Address,Employee ID\nAnn,ann@example.org,\n", nil, exitError, nil, "the column of the id is empty in every row"},
		{"First Name,Email Address,Employee ID\nAnn,ann@example.org,\n", []string{"--map", "id=Email Address", "--dry-run"}, exitOK, []string{`id from "Email Address", email from "Email Address"`, "would add 1"}, ""},
		{head, nil, exitError, nil, "the list has no people in it. If it is meant to be empty, say --yes"},
		{head + all.String(), nil, exitOK, []string{"columns not used: none", "whether the account is active", "40 guest. Only staff are enrolled", "and 35 more", "added 40"}, ""},
		{head + few.String(), nil, exitOK, []string{"30 not in the list (they stay active; --missing disable switches them off)"}, ""},
		{head + few.String(), []string{"--missing", "disable"}, exitError, []string{"would change (nothing is stored)"}, "30 of 40 active people would be switched off, and more than 20 at once"},
		{head + few.String(), []string{"--missing", "disable", "--yes"}, exitOK, []string{"30 not in the list (switched off)"}, ""},
		{head + "e01,user01,x\ne02,user02,x\n,,\n", []string{"--dry-run"}, exitOK, []string{`"x" (2); known are staff`, "skipped: 1 row without any cell", "kind changed", "guest"}, ""},
		{head + "e99,e99,Guest\n", []string{"--kind", "staff"}, exitOK, []string{"accounts left as they are (--kind): 1 guest", "added 0"}, ""},
		{head, []string{"--kind", "robot"}, exitUsage, nil, "none of staff, pupil, guest"},
		{head, []string{"--missing", "delete"}, exitUsage, nil, "neither report nor disable"},
	} {
		file := write("staff.csv", c.file)
		code, out, errs := command(t, nil, append([]string{"people", "import", file, "--config", cfg}, c.flags...)...)
		if code != c.code || !strings.Contains(errs, c.errs) {
			t.Errorf("%q %v: %d, %s\n%s", c.file[:min(40, len(c.file))], c.flags, code, out, errs)
		}
		for _, want := range c.out {
			if !strings.Contains(out, want) {
				t.Errorf("%q %v: no %q in\n%s", c.file[:min(40, len(c.file))], c.flags, want, out)
			}
		}
	}
	// Who was switched off for missing is back with the next list that has them.
	if code, out, errs := command(t, nil, "people", "import", first, "--config", cfg); code != exitOK || !strings.Contains(out, "30 active again") {
		t.Errorf("returners: %d %s %s", code, out, errs)
	}
}
