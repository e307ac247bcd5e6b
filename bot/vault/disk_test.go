package vault_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"latchkey/bot/vault"
)

func create(t *testing.T) (*vault.Ring, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "latchkey.keys")
	r, err := vault.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	return r, path
}

func TestCreateAndLoad(t *testing.T) {
	r, path := create(t)
	info, err := os.Stat(path)
	if err != nil || (runtime.GOOS != "windows" && info.Mode().Perm() != 0o600) {
		t.Fatalf("mode %v, %v; want 0600", info.Mode(), err)
	}
	sealed := seal(t, r, "x", "here")
	again, err := vault.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open(sealed, "here"); err != nil || string(got) != "x" || again.KeyID() != r.KeyID() || again.Path() != path {
		t.Errorf("the loaded ring opens %q, %v", got, err)
	}
	if _, err := vault.Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second Create: %v, want fs.ErrExist", err)
	}
	if b, _ := os.ReadFile(path); !bytes.Contains(b, []byte("Keep this file secret")) {
		t.Error("the file does not say what it is")
	}
	left, _ := filepath.Glob(path + "?*")
	if len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestParse(t *testing.T) {
	r, path := create(t)
	sealed := seal(t, r, "x", "here")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string][]byte{"plain": b, "base64": []byte(base64.StdEncoding.EncodeToString(b) + "\n")} {
		p, err := vault.Parse(in)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := p.Open(sealed, "here"); err != nil || p.Path() != "" {
			t.Errorf("%s: %v", name, err)
		}
		if changed, err := p.Reload(); changed || err != nil {
			t.Errorf("%s: Reload = %v, %v", name, changed, err)
		}
		if _, err := p.AddKey(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		out, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		q, err := vault.Parse(out)
		if err != nil || q.KeyID() != p.KeyID() || len(q.Keys()) != 2 {
			t.Errorf("%s: what Marshal gives: %v", name, err)
		}
	}
}

// A bad key file is refused with what to do, and its contents are never quoted.
func TestRefusals(t *testing.T) {
	_, path := create(t)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	swap := func(old, new string) []byte {
		if !bytes.Contains(good, []byte(old)) {
			t.Fatalf("the key file has no %q any more", old)
		}
		return bytes.Replace(good, []byte(old), []byte(new), 1)
	}
	for name, c := range map[string]struct {
		in   []byte
		want string
	}{
		"empty":          {nil, "there is nothing in it"},
		"cut":            {good[:len(good)/2], "cut off or garbled"},
		"text":           {[]byte("hello there"), "neither a key file nor one in base64"},
		"other json":     {[]byte(`{"a":1}`), "not a key file"},
		"newer":          {swap(`"latchkey_keys": 1`, `"latchkey_keys": 2`), "use the newer program"},
		"no parts":       {[]byte(`{"latchkey_keys":1}`), "a part is missing"},
		"keyset garbled": {swap(`"keyData"`, `"keyDate"`), "sealing keys are garbled"},
		"wrong type":     {swap("AesGcmKey", "ChaCha20Poly1305Key"), "sealing key"},
		"disabled":       {swap("ENABLED", "DISABLED"), "it"},
		"unlisted":       {swap(`"id": "`, `"id": "f`), "list of keys"},
		"huge":           {bytes.Repeat([]byte(" "), 2<<20), "larger than a key file"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, c.in, 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := vault.Load(path)
			if err == nil || r != nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Fatalf("got %v, want %q and the path", err, c.want)
			}
			if name != "huge" && !strings.Contains(err.Error(), "restore it from its backup") {
				t.Errorf("%v does not say what to do", err)
			}
			sealKey := string(good[bytes.Index(good, []byte(`"value"`)):][:60])
			for _, word := range strings.Fields(sealKey) {
				if len(word) > 12 && strings.Contains(err.Error(), word) {
					t.Errorf("the error quotes the file: %v", err)
				}
			}
		})
	}
	if _, err := vault.Load(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "restore it from its backup") {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := vault.Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := vault.Create(filepath.Join(t.TempDir(), "no", "folder")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func TestWideModesAreRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such modes on Windows")
	}
	_, path := create(t)
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o660, 0o777, 0o610, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := vault.Load(path)
		if err == nil || !strings.HasSuffix(err.Error(), ": chmod 600 "+path) {
			t.Errorf("%v: got %v, want the command that mends it", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := vault.Load(path); err != nil {
			t.Errorf("%v: %v", mode, err)
		}
	}
}

// Two processes that share a file see each other's keys and lose none.
func TestSharedFile(t *testing.T) {
	a, path := create(t)
	b, err := vault.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	first := a.KeyID()
	fromA, err := a.AddKey()
	if err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, a, "x", "here")
	if _, err := b.Open(sealed, "here"); !errors.Is(err, vault.ErrUnknownKey) {
		t.Errorf("before Reload: %v", err)
	}
	if changed, err := b.Reload(); err != nil || !changed {
		t.Errorf("Reload = %v, %v", changed, err)
	}
	if changed, err := b.Reload(); err != nil || changed {
		t.Errorf("a second Reload = %v, %v", changed, err)
	}
	if changed, err := a.Reload(); err != nil || changed {
		t.Errorf("Reload of the one who wrote = %v, %v", changed, err)
	}
	if _, err := b.Open(sealed, "here"); err != nil || b.KeyID() != fromA {
		t.Errorf("after Reload: %v", err)
	}
	if _, err := b.AddKey(); err != nil {
		t.Fatal(err)
	}
	if err := a.Remove(first); err != nil { // knows of b's key only from the file
		t.Fatal(err)
	}
	if ks := a.Keys(); len(ks) != 2 || a.KeyID() != b.KeyID() {
		t.Errorf("a has %+v; b's key was lost", ks)
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Reload(); err == nil {
		t.Error("a garbled file was taken over")
	}
	if _, err := b.AddKey(); err == nil {
		t.Error("added a key to a garbled file")
	}
	if _, err := b.Seal(nil, ""); err != nil {
		t.Errorf("after a failed Reload: %v", err)
	}
	other := newRing(t)
	check, err := other.SealCheck()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.OpenCheck(check); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("the wrong key file: %v, want its path", err)
	}
}

// Many writers at once, and the rubbish of an interrupted one: no key is lost.
func TestConcurrentWriters(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("folders cannot be locked on Windows")
	}
	_, path := create(t)
	if err := os.WriteFile(path+".new", []byte("half a key fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		r, err := vault.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for range 5 {
				if _, err := r.AddKey(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	r, err := vault.Load(path)
	if err != nil || len(r.Keys()) != 21 {
		t.Fatalf("%d keys, %v; want 21", len(r.Keys()), err)
	}
	if _, err := os.Lstat(path + ".new"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the interrupted writer's file is still there")
	}
}

func TestFailedWriteChangesNothing(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Log("running as a user whom modes do not stop; only the refused write below is checked")
	}
	r, path := create(t)
	id := r.KeyID()
	if err := os.Mkdir(path+".new", 0o700); err != nil { // cannot be overwritten
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path+".new", "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.AddKey(); err == nil {
		t.Fatal("AddKey wrote over a folder")
	}
	if r.KeyID() != id || len(r.Keys()) != 1 {
		t.Errorf("the ring changed: %s", fmt.Sprint(r.Keys()))
	}
	if again, err := vault.Load(path); err != nil || again.KeyID() != id {
		t.Errorf("the file changed: %v", err)
	}
}
