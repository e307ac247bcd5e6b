package enroll_test

import (
	"slices"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
)

// TestSlowNotice: a notice that is late does not wipe the address of a mailbox
// that was removed meanwhile, before the mailbox was told of that.
func TestSlowNotice(t *testing.T) {
	r := newRig(t)
	r.Clock.Advance(time.Minute)
	r.Want("email.accept", "ann@example.net", "ok")
	r.Want("code.send", "", "sent")
	r.Deliver()
	seen := len(r.Notifier.Sent())
	r.Want("code.check", string(r.Mails.Sent()[0].Code), "ok")
	box := bot.MethodID(r.Slot("method"))
	r.Set("sure", "yes").Want("methods.remove", "", "ok") // the notices about the proof still wait
	got := r.notices(&seen)
	for _, want := range []string{"ann@example.net: method_proven", "ann@example.net: method_removed", "ann.lee@example.org: method_removed"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
	if m := prooftest.View(r.Rig, func(tx bot.Tx) (*bot.Method, error) { return tx.Method(box) }); m.State != bot.Removed || m.Sealed != nil {
		t.Errorf("the address is kept after the last notice: %+v", m)
	}
}
