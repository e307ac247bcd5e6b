package localdir_test

import (
	"runtime"
	"strings"
	"testing"

	"latchkey/adapters/localdir"
	"latchkey/bot"
)

func TestVerify(t *testing.T) {
	own := localdir.Hash("bob's own")
	if own == localdir.Hash("bob's own") {
		t.Error("two hashes of one password are equal: no salt")
	}
	d, err := localdir.New(localdir.Options{Demo: true, Hashes: map[bot.PersonID]string{"2": own}})
	if err != nil {
		t.Fatal(err)
	}
	ann, bob := &bot.Person{ID: "1"}, &bot.Person{ID: "2"}
	tests := []struct {
		name     string
		p        *bot.Person
		password bot.Secret
		want     bool
	}{
		{"right", ann, localdir.DemoPassword, true},
		{"wrong", ann, localdir.DemoPassword + " ", false},
		{"empty", ann, "", false},
		{"own", bob, "bob's own", true},
		{"the demo's for one with an own", bob, localdir.DemoPassword, false},
		{"unknown person", nil, localdir.DemoPassword, false},
		{"very long", ann, bot.Secret(strings.Repeat("x", 1<<20)), false},
	}
	for _, tt := range tests {
		if got, err := d.Verify(tt.p, tt.password); err != nil || got != tt.want {
			t.Errorf("%s: got %v %v, want %v", tt.name, got, err, tt.want)
		}
	}
}

// An unknown person costs as much memory, and so as much time, as a known one.
func TestUnknownCostsTheSame(t *testing.T) {
	d, err := localdir.New(localdir.Options{Demo: true})
	if err != nil {
		t.Fatal(err)
	}
	cost := func(p *bot.Person) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := d.Verify(p, "guess"); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	known, unknown := cost(&bot.Person{ID: "1"}), cost(nil)
	if known < 19<<20 || unknown < known*99/100 || unknown > known*101/100 {
		t.Errorf("known %d bytes, unknown %d bytes, want 19 MiB for both", known, unknown)
	}
}

func TestRefused(t *testing.T) {
	if _, err := localdir.New(localdir.Options{}); err == nil || !strings.Contains(err.Error(), "demo only") {
		t.Errorf("got %v", err)
	}
	good := localdir.Hash("x")
	for _, bad := range []string{"", "x", strings.Replace(good, "m=19456", "m=1", 1), good + "AA", good[:len(good)-4], strings.Replace(good, "argon2id", "argon2i", 1)} {
		if _, err := localdir.New(localdir.Options{Demo: true, Hashes: map[bot.PersonID]string{"7": bad}}); err == nil || !strings.Contains(err.Error(), "person 7") {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}
