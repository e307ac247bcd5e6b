package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/vault"
	"latchkey/store"
)

// A person who has nothing runs the demo and enrolls, leaves in the middle,
// comes back to the same step, and is enrolled.
func TestDemoFromHelloToDone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "d")
	began := time.Now()
	p := sit(t, context.Background(), nil, "demo", "--plain", "--data", dir)
	p.hears(dir)
	p.hears("ada, ben, carmen")
	p.hears("open-sesame-2468")
	p.hears("1. ")
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("the first prompt took %s", d) // two seconds are promised; a loaded machine may take longer
	}
	p.types("1")
	p.hears("user name")
	p.types("ada")
	p.hears("[private] ")
	p.types("open-sesame-2468")
	p.hears("Ada")
	p.picks("Next")
	p.picks("Yes, it is here")
	p.picks("I have the app")
	p.picks("Next")
	p.picks("Next")
	p.hears("otpauth://totp/Riverbend%20Schools:")

	// Left at the picture; the file goes, the place stays.
	if pics, _ := filepath.Glob(filepath.Join(dir, "pictures", "*.png")); len(pics) != 1 {
		t.Errorf("pictures while the QR is shown: %v", pics)
	}
	if code := p.leaves(); code != exitOK {
		t.Fatalf("exit %d:\n%s", code, p.all())
	}
	if pics, _ := filepath.Glob(filepath.Join(dir, "pictures", "*")); len(pics) != 0 {
		t.Errorf("pictures after the end: %v", pics)
	}
	p = sit(t, context.Background(), nil, "demo", "--plain", "--data", dir)
	p.hears("otpauth://totp/Riverbend%20Schools:") // the same step, shown again
	p.hears("1. ")
	p.types("/scan")
	p.types(p.code("(phone) Code for Riverbend Schools: ada.okafor@riverbend.example"))
	p.hears("is set up")
	p.picks("Text me a code")
	p.hears("Which number?")
	p.types("(201) 555-0123")
	p.hears("•••• 23")
	p.picks("Send the code")
	p.types(p.code("(phone) Text from Riverbend Schools"))
	p.hears("Setup is now complete")
	p.hears("Authenticator app")
	p.picks("Done")
	p.hears("All done")
	if code := p.leaves(); code != exitOK {
		t.Fatalf("exit %d:\n%s", code, p.all())
	}
	if strings.Contains(p.all(), "\x1b") {
		t.Error("escape sequences in plain output")
	}
	log, err := os.ReadFile(filepath.Join(dir, "demo.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"open-sesame-2468", "otpauth://", "2015550123"} {
		if strings.Contains(string(log), secret) {
			t.Errorf("%q stands in the log", secret)
		}
	}
	for _, f := range []string{"latchkey.db", "latchkey.keys", "demo.log"} {
		if st, err := os.Stat(filepath.Join(dir, f)); err != nil || f != "latchkey.db" && st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", f, st, err)
		}
	}

	operate(t, dir)

	// A new beginning.
	p = sit(t, context.Background(), nil, "demo", "--plain", "--data", dir, "--reset")
	p.hears("1. Start")
	if code := p.leaves(); code != exitOK {
		t.Errorf("exit %d", code)
	}
}

// A second demo on the same folder is refused at once, with what to do.
func TestDemoTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := sit(t, context.Background(), nil, "demo", "--plain", "--data", dir)
	p.hears("1. Start")
	code, _, errs := command(t, nil, "demo", "--plain", "--data", dir)
	if code != exitError || !strings.Contains(errs, "in use by another Latchkey process") {
		t.Errorf("exit %d: %s", code, errs)
	}
	p.leaves()
}

func TestDemoInSpanish(t *testing.T) {
	t.Parallel()
	p := sit(t, context.Background(), []string{"LANG=es_ES.UTF-8"}, "demo", "--plain", "--data", t.TempDir())
	p.hears("1. ")
	p.hears("recomendad")
	p.leaves()
}

func TestDemoFolderNotWritable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := command(t, nil, "demo", "--plain", "--data", filepath.Join(file, "d"))
	if code != exitError || !strings.Contains(errs, "--data") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

// operate does on the demo's store what an operator does on a real one.
func operate(t *testing.T, dir string) {
	t.Helper()
	file := filepath.Join(dir, "latchkey.yaml")
	text := "org: {name: Riverbend Schools, department: IT, address: a, help_phone: p, help_hours: h, domains: [riverbend.example]}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(file)
	code, out, errs := command(t, nil, "people", "show", "ada", "--config", file)
	if code != exitOK || !strings.Contains(out, "enrolled") || !strings.Contains(out, "•••• 23") || strings.Contains(out, "5550123") {
		t.Errorf("people show: %d %s %s", code, out, errs)
	}
	code, out, errs = command(t, nil, "audit", "verify", "--config", file)
	if code != exitOK || !strings.Contains(out, "whole; head ") {
		t.Errorf("audit verify: %d %s %s", code, out, errs)
	}
	_, head, _ := strings.Cut(strings.TrimSpace(out), "head ")
	if code, out, errs = command(t, nil, "audit", "verify", "--config", file, "--head", head); code != exitOK {
		t.Errorf("audit verify --head: %d %s %s", code, out, errs)
	}
	wrong := strings.Replace(head, ":", ":00", 1)[:len(head)]
	if code, _, errs = command(t, nil, "audit", "verify", "--config", file, "--head", wrong); code != exitError {
		t.Errorf("another record's head is taken: %s", errs)
	}
	if code, out, errs = command(t, nil, "audit", "list", "--config", file, "--person", "e-1001"); code != exitOK || !strings.Contains(out, "proven") {
		t.Errorf("audit list: %d %s %s", code, out, errs)
	}

	code, out, errs = command(t, nil, "keys", "rotate", "--config", file)
	if code != exitOK || !strings.Contains(out, "new key") || !strings.Contains(out, "secrets sealed") {
		t.Fatalf("rotate: %d %s %s", code, out, errs)
	}
	ring, err := vault.Load(filepath.Join(dir, "latchkey.keys"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(context.Background(), store.Options{DSN: filepath.Join(dir, "latchkey.db"), Logger: discard()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(context.Background(), func(tx bot.Tx) error {
		ms, err := tx.Methods("e-1001")
		if err != nil || len(ms) != 2 {
			t.Errorf("%d methods, %v", len(ms), err)
		}
		for _, m := range ms {
			plain, err := ring.Open(m.Sealed, m.Place())
			if err != nil || vault.KeyOf(m.Sealed) != ring.KeyID() {
				t.Errorf("%s is not sealed with the new key: %v", m.Kind, err)
			}
			if m.Kind == bot.Phone && (string(plain) != "+12015550123" || !ring.Equal(m.DestHash, "dest", string(m.Kind), string(plain)) || vault.KeyOf(m.DestHash) != ring.KeyID()) {
				t.Errorf("the phone's hash was not made again")
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if code, out, errs = command(t, nil, "keys", "rotate", "--drop-old", "--config", file); code != exitOK || !strings.Contains(out, "run this again in a day") {
		t.Errorf("drop-old takes a key that codes may need: %d %s %s", code, out, errs)
	}
}
