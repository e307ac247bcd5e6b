package enroll_test

import (
	"testing"

	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/policy"
)

// A rig is the two services, with what only the tests of this one ask of them.
type rig struct{ *prooftest.Rig }

func newRig(t *testing.T, change ...func(*policy.Policy)) *rig {
	t.Helper()
	return &rig{prooftest.New(t, change...)}
}
