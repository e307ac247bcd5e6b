package pretend_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/pretend"
	"latchkey/bot"
)

var now = time.Date(2026, 5, 3, 9, 0, 10, 0, time.UTC)

type phrases struct{}

func (phrases) Languages() []string { return []string{"en", "es"} }

func (phrases) Phrase(lang, key string, kv ...string) string {
	if digit, ok := strings.CutPrefix(key, "digit."); ok {
		words := map[string]string{"en": "zero one two three four five six seven eight nine", "es": "cero uno dos tres cuatro cinco seis siete ocho nueve"}
		return strings.Fields(words[lang])[digit[0]-'0']
	}
	s := lang + ":" + key
	for i := 0; i+1 < len(kv); i += 2 {
		s += " " + kv[i] + "=" + kv[i+1]
	}
	return s
}

func device(t *testing.T, dir string) *pretend.Device {
	t.Helper()
	d, err := pretend.New(pretend.Options{Demo: true, Dir: dir, From: "Contoso", Facts: bot.Facts("org", "Contoso"), Phrases: phrases{}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func message(id string, via bot.Via, to, lang string) bot.CodeMessage {
	return bot.CodeMessage{ID: id, Via: via, To: bot.Secret(to), Code: "493028", Lang: lang, Purpose: "enroll", Expires: now.Add(10 * time.Minute)}
}

func TestOnlyInTheDemo(t *testing.T) {
	dir := t.TempDir()
	if _, err := pretend.New(pretend.Options{Dir: dir, Phrases: phrases{}}); err == nil || !strings.Contains(err.Error(), "demo only") {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("it left files behind: %v", left)
	}
}

func TestEverythingArrivesOnceAndStays(t *testing.T) {
	dir := t.TempDir()
	d := device(t, dir)
	var told []bot.PhoneItem
	stop := d.Watch(func(it bot.PhoneItem) { told = append(told, it) })
	for _, m := range []bot.CodeMessage{
		message("c1", bot.SMS, "+15550002248", "en"), message("c2", bot.Voice, "+15550002248", "es"), message("c3", bot.Mail, "ann@mail.example", "es"),
		message("c1", bot.SMS, "+15550002248", "en"), // again, after a crash
	} {
		ref, err := d.SendCode(t.Context(), m)
		if err != nil || ref != "pretend|"+m.ID {
			t.Fatalf("%q %v", ref, err)
		}
	}
	notice := bot.NoticeMessage{ID: "c1", To: "ann@contoso.example", Lang: "en", Subject: "A method was added", Body: "Hello\nAnn"}
	for range 2 {
		if err := d.SendNotice(t.Context(), notice); err != nil {
			t.Fatal(err)
		}
	}
	want := []bot.PhoneItem{
		{ID: "code|c1", From: "Contoso", Code: "493028", Kind: bot.PhoneText, To: "+15550002248", Lang: "en", At: now, Text: "en:sms.enroll org=Contoso code=493028 minutes=10", Repeats: 1},
		{ID: "code|c2", From: "Contoso", Code: "493028", Kind: bot.PhoneCall, To: "+15550002248", Lang: "es", At: now, Text: "es:voice.code org=Contoso cuatro, nueve, tres, cero, dos, ocho. es:voice.again org=Contoso cuatro, nueve, tres, cero, dos, ocho. es:voice.bye org=Contoso"},
		{ID: "code|c3", From: "Contoso", Code: "493028", Kind: bot.PhoneMail, To: "ann@mail.example", Lang: "es", At: now, Subject: "es:mail.code.subject org=Contoso code=493028 minutes=10 why=es:mail.code.why.enroll org=Contoso", Text: "es:mail.code.body org=Contoso code=493028 minutes=10 why=es:mail.code.why.enroll org=Contoso"},
		{ID: "notice|c1", From: "Contoso", Kind: bot.PhoneMail, To: "ann@contoso.example", Lang: "en", At: now, Subject: "A method was added", Text: "Hello\nAnn", Repeats: 1},
	}
	if got := d.Items(); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if len(told) != 4 || told[0].ID != "code|c1" || told[3].ID != "notice|c1" {
		t.Errorf("told %+v", told)
	}
	stop()

	// After a crash in the middle of a line everything whole is there, and
	// the torn line does not spoil the next one.
	file := filepath.Join(dir, "inbox.jsonl")
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"id":"code|c9","ki`); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	_ = d.Close()
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", st.Mode(), err)
	}
	for range 2 {
		d = device(t, dir)
		if got := d.Items(); !reflect.DeepEqual(got, want) {
			t.Errorf("after a restart\n%+v\nwant\n%+v", got, want)
		}
		if _, err := d.SendCode(t.Context(), message("c2", bot.Voice, "+15550002248", "es")); err != nil {
			t.Fatal(err)
		}
		want[1].Repeats++
	}
}

func TestFailures(t *testing.T) {
	dir := t.TempDir()
	d := device(t, dir)
	late, odd := message("c1", bot.SMS, "+1", "en"), message("c2", "pigeon", "+1", "en")
	late.Expires = now
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name string
		ctx  context.Context
		m    bot.CodeMessage
		kind bot.SendErrorKind
	}{
		{"expired", t.Context(), late, bot.SendPermanent},
		{"unknown way", t.Context(), odd, bot.SendPermanent},
		{"cancelled", cancelled, message("c3", bot.SMS, "+1", "en"), bot.SendRetry},
	}
	for _, tt := range tests {
		var se *bot.SendError
		if _, err := d.SendCode(tt.ctx, tt.m); !errors.As(err, &se) || se.Kind != tt.kind {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
	_ = d.Close()
	var se *bot.SendError
	if _, err := d.SendCode(t.Context(), message("c4", bot.SMS, "+1", "en")); !errors.As(err, &se) || se.Kind != bot.SendRetry {
		t.Errorf("disk gone: got %v", err)
	}
	if got := d.Items(); len(got) != 0 {
		t.Errorf("items %+v", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "inbox.jsonl"), []byte("{}\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pretend.New(pretend.Options{Demo: true, Dir: dir, Phrases: phrases{}}); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a spoilt file: got %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	d := device(t, t.TempDir())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 5 {
				if _, err := d.SendCode(t.Context(), message(fmt.Sprint(i%4, "-", j), bot.SMS, "+1", "en")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	repeats := 0
	for _, it := range d.Items() {
		repeats += it.Repeats
	}
	if n := len(d.Items()); n != 20 || repeats != 20 {
		t.Errorf("%d items, %d repeats, want 20 of each", n, repeats)
	}
}

const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" // RFC 6238, appendix B

func TestAuthenticator(t *testing.T) {
	dir := t.TempDir()
	d := device(t, dir)
	uri := func(secret string) bot.Secret {
		return bot.Secret("otpauth://totp/Contoso%20Hilfe:ann?secret=" + secret + "&issuer=Contoso%20Hilfe&algorithm=SHA1&digits=6&period=30")
	}
	for range 2 {
		if name, err := d.Scan(uri(secret)); err != nil || name != "Contoso Hilfe: ann" {
			t.Fatal(name, err)
		}
	}
	rfc := time.Unix(1111111109, 0) // 07081804
	want := []bot.PhoneCode{{Name: "Contoso Hilfe: ann", Code: "081804", Left: time.Second}}
	if got := d.Codes(rfc); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if left := d.Codes(time.Unix(60, 0))[0].Left; left != 30*time.Second {
		t.Errorf("left %v at the start of a step, want 30", left)
	}

	// Somebody else's implementation agrees.
	oathtool := rigs.Tool(t, "", "oathtool")
	for _, at := range []time.Time{rfc, now, now.Add(20 * time.Second), time.Unix(20000000000, 0)} {
		want := rigs.Run(t, oathtool, "--totp", "-b", "--now", at.UTC().Format("2006-01-02 15:04:05 UTC"), secret)
		if got := d.Codes(at)[0].Code; got != want {
			t.Errorf("at %v: %s, oathtool says %s", at, got, want)
		}
	}

	// A new key for the same account takes the place of the old one.
	if _, err := d.Scan(uri("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")); err != nil {
		t.Fatal(err)
	}
	_ = d.Close()
	d = device(t, dir)
	got := d.Codes(rfc)
	if len(got) != 1 || got[0].Name != want[0].Name || got[0].Code == "081804" {
		t.Errorf("got %+v", got)
	}
	if st, err := os.Stat(filepath.Join(dir, "authenticator.jsonl")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", st.Mode(), err)
	}
	for _, bad := range []bot.Secret{
		"", "hello", "https://example.com/?secret=" + secret, "otpauth://hotp/x?secret=" + secret + "&counter=1", "otpauth://totp/x", "otpauth://totp/x?secret=1890!",
		"otpauth://totp/x?secret=" + secret + "&period=0",
	} {
		if _, err := d.Scan(bad); err == nil || strings.Contains(err.Error(), "GEZD") {
			t.Errorf("%s: got %v", string(bad), err)
		}
	}
}
