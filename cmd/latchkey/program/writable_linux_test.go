package program

import (
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"latchkey/bot/bottest"
)

// A full disk says 503 with the reason as long as it is full, and the service
// is well again by itself when there is room.
func TestHealthOfAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m,mode=700"); err != nil {
		t.Skip("no small disk can be made here: ", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	w := watch(t, filepath.Join(dir, "a.db"))
	w.wait(http.StatusOK, "")
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	for err = nil; err == nil; {
		_, err = filler.Write(make([]byte, 4096))
	}
	for end := time.Now().Add(bottest.Patience); w.turn(20_000) == nil; {
		if time.Now().After(end) {
			t.Fatal("the disk is full, and turns go on")
		}
	}
	for range 3 {
		w.wait(http.StatusServiceUnavailable, "the disk is full")
		time.Sleep(1100 * time.Millisecond) // longer than a failed probe is believed
	}
	if w.turn(20_000) == nil {
		t.Error("a turn went through, so the disk is not full")
	}
	if err := filler.Truncate(0); err != nil {
		t.Fatal(err)
	}
	w.wait(http.StatusOK, "")
	if err := w.turn(20_000); err != nil {
		t.Error(err)
	}
	if w.said("writes do not come through") != 1 || w.said("come through again") != 1 {
		t.Errorf("log:\n%s", w.log)
	}
}
