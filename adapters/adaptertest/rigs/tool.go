package rigs

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Missing skips a test whose counterparty is not there; with CI=true it fails.
func Missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// Tool looks for a program in an environment variable, unless its name is
// empty, then in PATH.
func Tool(t testing.TB, variable, name string) string {
	t.Helper()
	if bin := os.Getenv(variable); variable != "" && bin != "" {
		return bin
	}
	bin, err := exec.LookPath(name)
	if err != nil {
		where := "put it in PATH"
		if variable != "" {
			where = "set " + variable + " or " + where
		}
		Missing(t, name+" is missing: run .ci/rigs.sh, or "+where)
	}
	return bin
}

// Run runs a program and returns its standard output, trimmed.
func Run(t testing.TB, bin string, args ...string) string {
	t.Helper()
	var errs bytes.Buffer
	cmd := exec.Command(bin, args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", bin, args, err, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// Until polls a condition of another process, for a minute.
func Until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(time.Minute); !ok(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("waited a minute for %s", what)
		}
	}
}

// FreePort is a TCP port of the loopback address that nobody listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
