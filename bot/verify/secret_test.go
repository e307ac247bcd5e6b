package verify_test

import (
	"encoding/base32"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
)

// TestNoSecretInTheFile runs a whole enrollment with known secrets and looks
// for each of them in the bytes of the database.
func TestNoSecretInTheFile(t *testing.T) {
	r := newRig(t)
	canaries := map[string]string{"password": prooftest.Password}
	r.Set("username", "ann")
	r.Conv.Person, r.Conv.Level = "", bot.L0
	if oc := r.Submit("sign_in", "person.sign_in", "password", prooftest.Password); oc.Name != "ok" {
		t.Fatal(oc)
	}
	r.Conv.Person, r.Conv.Level = prooftest.AnnID, bot.L2

	r.Want("totp.begin", "", "ready")
	seed := r.SeedOf(bot.Pending)
	key := base32.StdEncoding.EncodeToString(seed)
	canaries["key"], canaries["key in groups"], canaries["raw key"] = key, key[:4]+" "+key[4:8]+" "+key[8:12], string(seed)
	canaries["totp code"] = r.codeAt(seed, 0)
	r.Want("totp.prove", canaries["totp code"], "ok")

	r.Want("phone.accept", "7045550148", "ok")
	canaries["number"], canaries["national number"] = "+17045550148", "7045550148"
	canaries["text code"] = r.code()
	r.Want("code.check", canaries["text code"], "ok")

	r.Want("email.accept", "canary.mailbox@example.net", "ok")
	canaries["address"] = "canary.mailbox"
	r.Want("code.send", "", "sent")
	r.Deliver()
	canaries["mail code"] = r.Mails.Code(t, 1)
	r.Want("code.check", canaries["mail code"], "ok")

	r.Set("q1", "hero", "q2", "street", "q3", "food")
	if oc := r.Submit("answers", "questions.save", "a1", "canaryheron", "a2", "Canary Boulevard", "a3", "CANARYSOUP"); oc.Name != "ok" {
		t.Fatal(oc)
	}
	canaries["answer 1"], canaries["answer 2"], canaries["answer 3"] = "canaryheron", "canary boulevard", "canarysoup"
	canaries["hash"] = "$argon2id$"

	c := r.NewCall("")
	shown, prepared, err := r.Forms["recovery"].Reveal(t.Context(), r.DB, c)
	if err != nil || len(shown) != 10 {
		t.Fatal(len(shown), err)
	}
	c.Prepared, c.Event.Form = prepared, &bot.FormReply{Name: "recovery", Values: []bot.FormValue{{Name: "saved", Value: "saved"}}}
	if oc, err := r.Try("recovery.save", c); err != nil || oc.Name != "ok" {
		t.Fatal(oc, err)
	}
	for i, s := range shown {
		canaries[fmt.Sprint("recovery code ", i)] = string(s)
		canaries[fmt.Sprint("bare recovery code ", i)] = strings.ReplaceAll(string(s), "-", "")
	}

	// A wrong guess and a code that is waited for leave nothing either.
	r.Clock.Advance(time.Hour)
	for _, m := range r.Methods(bot.Active) {
		if m.Kind == bot.Phone {
			r.Set("ref", "", "method", string(m.ID))
		}
	}
	r.Want("code.send", "", "sent") // sealed in its row right now
	r.Want("code.check", "918273", "wrong")
	canaries["wrong code"] = "918273"

	files, err := filepath.Glob(filepath.Join(r.Dir, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	found := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		found += strings.Count(string(b), "•••• 48")
		for what, canary := range canaries {
			if len(canary) == 6 {
				continue // six digits stand in any number; see below
			}
			for _, spelling := range []string{canary, strings.ToLower(canary), strings.ToUpper(canary)} {
				if strings.Contains(string(b), spelling) {
					t.Errorf("%s stands in %s", what, filepath.Base(f))
				}
			}
		}
	}
	if found == 0 {
		t.Fatal("the masked number is not found either: the search does not work")
	}

	strs, err := exec.LookPath("strings")
	if err != nil {
		t.Skip("strings is not installed")
	}
	for _, f := range files {
		out, err := exec.Command(strs, "-n", "6", f).Output()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(out)) {
			for what, canary := range canaries {
				if strings.TrimSpace(line) == canary {
					t.Errorf("%s is a string of %s", what, filepath.Base(f))
				}
			}
		}
	}
}

// TestRowsAreBound: a sealed secret that is copied to another row does not open.
func TestRowsAreBound(t *testing.T) {
	r := newRig(t)
	r.Want("phone.accept", "7045550148", "ok")
	r.Want("totp.begin", "", "ready")
	ms := r.Methods(bot.Pending)
	if len(ms) != 2 {
		t.Fatal(ms)
	}
	if _, err := r.Ring.Open(ms[0].Sealed, ms[1].Place()); err == nil {
		t.Error("a sealed secret opened in another row")
	}
}
