package rigs

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// startScript runs a script of the folder .ci with Node.js, and gives the
// address that it says it is ready at. The package that it needs is in a folder
// that an environment variable names. It ends with the test.
func startScript(t testing.TB, script, variable, pkg string, args ...string) (address string) {
	t.Helper()
	node := Tool(t, "", "node")
	dir := os.Getenv(variable)
	if _, err := os.Stat(filepath.Join(dir, "node_modules", pkg)); dir == "" || err != nil {
		Missing(t, "the package "+pkg+" is missing: "+variable+" has no node_modules/"+pkg+" (.ci/rigs.sh makes it)")
	}
	cmd := exec.Command(node, append([]string{filepath.Join(root(t), ".ci", script)}, args...)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe() // when this test dies, so does the script
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() && said.Len() > 0 {
			t.Logf("%s said:\n%s", script, said.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err != nil || !ok {
		t.Fatalf("%s said %q, %v", script, line, err)
	}
	return address
}

// root is the folder of the module that the test belongs to.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("the test does not run inside the module: no go.mod above it")
		}
		dir = up
	}
}
