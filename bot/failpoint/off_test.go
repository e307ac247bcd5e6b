//go:build !failpoints

package failpoint_test

import (
	"testing"

	"latchkey/bot/failpoint"
)

func TestHitIsNothingInAnOrdinaryBuild(t *testing.T) {
	t.Setenv("LATCHKEY_FAILPOINT", failpoint.SendBefore+":1")
	failpoint.Hit(failpoint.SendBefore) // would end the test
	if n := testing.AllocsPerRun(100, func() { failpoint.Hit(failpoint.SendBefore) }); n != 0 {
		t.Errorf("Hit allocates %v times, want 0", n)
	}
}
