package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
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

// A command that meets a full disk says what to do about it.
func TestCommandOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m,mode=700"); err != nil {
		t.Skip("no small disk can be made here: ", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	cfg := install(t, "store: {path: "+filepath.Join(dir, "a.db")+"}\n")
	if code, _, errs := command(t, nil, "people", "list", "--config", cfg); code != exitOK {
		t.Fatal(errs)
	}
	filler, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer filler.Close()
	for err = nil; err == nil; {
		_, err = filler.Write(make([]byte, 4096))
	}
	list := "id,username,name\n"
	for n := range 3000 {
		list += fmt.Sprintf("e%d,user%d,Name Of Somebody %d\n", n, n, n)
	}
	code, out, errs := command(t, nil, "people", "import", writeFile(t, list), "--config", cfg)
	if code != exitError || !strings.Contains(errs, "; make room on the disk of the store, and give the command again") {
		t.Errorf("%d\n%s%s", code, out, errs)
	}
}
