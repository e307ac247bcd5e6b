package enroll_test

import (
	"testing"

	"latchkey/bot/bottest/roomtest"
	"latchkey/bot/policy"
)

// A rig is the two rooms, with what only the tests of this one ask of them.
type rig struct{ *roomtest.Rig }

func newRig(t *testing.T, change ...func(*policy.Policy)) *rig {
	t.Helper()
	return &rig{roomtest.New(t, change...)}
}
