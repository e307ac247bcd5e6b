package command

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"latchkey/bot/failpoint"
	"latchkey/cmd/latchkey/programtest"
)

// withFailpoints builds the program so that it can be killed at a point of its code.
func withFailpoints(t *testing.T) (bin string) {
	t.Helper()
	bin = filepath.Join(t.TempDir(), "latchkey-failpoints")
	if out, err := exec.Command("go", "build", "-tags", "failpoints", "-o", bin, "latchkey/cmd/latchkey").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// toldKills are the lives of the service: killed at a point of the store, or
// before or after the receiver answers the n-th request of that life.
var toldKills = []struct {
	point  string
	hit    int
	nth    int64
	before bool
}{
	{nth: 1, before: true}, {nth: 1}, {failpoint.StoreCommitBefore, 2, 0, false}, {failpoint.StoreCommitAfter, 2, 0, false}, {nth: 4, before: true}, {nth: 3},
	{failpoint.StoreCommitBefore, 5, 0, false}, {failpoint.StoreCommitAfter, 5, 0, false}, {nth: 9}, {nth: 7, before: true}, {failpoint.StoreCommitBefore, 9, 0, false}, {nth: 2},
}

// killedWhileTelling runs the service once for each of toldKills, which ends it, and
// once more until all is told. prepare is called before each life; it has kill called
// with the number of a request in that life, before or after its answer.
func killedWhileTelling(t *testing.T, bin, cfg string, env []string, prepare func(kill func(n int64, before bool)), await func()) {
	t.Helper()
	for i, life := range append(toldKills, toldKills[0]) {
		last := i == len(toldKills)
		cmd := exec.Command(bin, "serve", "--config", cfg)
		cmd.Env = env
		if life.point != "" && !last {
			cmd.Env = append(cmd.Env, fmt.Sprintf("LATCHKEY_FAILPOINT=%s:%d", life.point, life.hit))
		}
		var errs programtest.Buffer
		cmd.Stderr = &errs
		prepare(func(n int64, before bool) {
			if !last && life.nth > 0 && n == life.nth && before == life.before {
				cmd.Process.Kill()
			}
		})
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		limit := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
		if last {
			await()
			cmd.Process.Signal(syscall.SIGTERM)
		}
		err := cmd.Wait()
		if !limit.Stop() || last != (err == nil) || err != nil && cmd.ProcessState.Exited() {
			t.Fatalf("life %d (%+v) ended with %v\n%s", i, life, err, errs.String())
		}
	}
}
