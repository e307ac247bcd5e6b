//go:build failpoints

package failpoint_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"latchkey/bot/failpoint"
)

// TestChild is the process that dies; it runs only when a test below starts it.
func TestChild(t *testing.T) {
	if os.Getenv("FAILPOINT_CHILD") == "" {
		t.Skip("started by the other tests only")
	}
	for range 3 {
		failpoint.Hit(failpoint.StoreCommitBefore)
		failpoint.Hit(failpoint.SendBefore)
	}
	os.Stdout.WriteString("survived\n")
}

func child(t *testing.T, point string) (out string, lines []string, err error) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "hits")
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), "FAILPOINT_CHILD=1", "LATCHKEY_FAILPOINT="+point, "LATCHKEY_FAILPOINT_LOG="+log)
	b, err := cmd.CombinedOutput()
	hits, _ := os.ReadFile(log)
	return string(b), strings.Fields(string(hits)), err
}

func TestKillsAtTheNthHit(t *testing.T) {
	out, lines, err := child(t, "send.before:2")
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("the child ended with %v, want a kill; output:\n%s", err, out)
	}
	if runtime.GOOS != "windows" {
		if ws := exit.Sys().(syscall.WaitStatus); ws.Signal() != syscall.SIGKILL {
			t.Errorf("ended by %v, want SIGKILL", ws.Signal())
		}
	}
	if got, want := strings.Join(lines, " "), "store.commit.before send.before store.commit.before send.before"; got != want {
		t.Errorf("hits %q, want %q", got, want)
	}
}

func TestLogsAndLives(t *testing.T) {
	out, lines, err := child(t, "")
	if err != nil || !strings.Contains(out, "survived") {
		t.Fatalf("the child ended with %v:\n%s", err, out)
	}
	if len(lines) != 6 {
		t.Errorf("%d hits, want 6: %v", len(lines), lines)
	}
	if _, lines, err = child(t, "send.before:4"); err != nil || len(lines) != 6 {
		t.Errorf("a count that is not reached: %v, %d hits; want none and 6", err, len(lines))
	}
}

func TestRefusesNonsense(t *testing.T) {
	for _, v := range []string{"send.before", "send.before:0", "send.before:x", ":1"} {
		out, _, err := child(t, v)
		if err == nil || !strings.Contains(out, "write NAME:N") {
			t.Errorf("%q: %v, output %q; want a panic that says how to write it", v, err, out)
		}
	}
}
