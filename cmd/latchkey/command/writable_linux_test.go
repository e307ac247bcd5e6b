package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

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
