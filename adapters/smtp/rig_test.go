package smtp_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/smtp"
	"latchkey/bot"
)

// phrases are the texts of these tests.
type phrases map[string]string

func (p phrases) Phrase(lang, key string, kv ...string) string {
	s, ok := p[lang+" "+key]
	if !ok {
		return "<" + key + ">"
	}
	for i := 0; i+1 < len(kv); i += 2 {
		s = strings.ReplaceAll(s, "{"+kv[i]+"}", kv[i+1])
	}
	return s
}

func (phrases) Languages() []string { return []string{"en", "es"} }

var texts = phrases{
	"en mail.code.subject":    "Your code for {org}",
	"en mail.code.body":       "Hello,\n\n{code} is your code {why}.\nIt is good for {minutes} minutes.",
	"en mail.code.why.enroll": "to add this address",
	"es mail.code.subject":    "Código de {org}: verificación de contraseña",
	"es mail.code.body":       "Hola:\n\n{code} es su código {why}. Vale {minutes} minutos & <nada> más.",
	"es mail.code.why.enroll": "para añadir esta dirección",
}

// now is where the tests stand in time.
var now = time.Date(2026, 5, 3, 9, 0, 0, 0, time.UTC)

func code(id, to, lang string) bot.CodeMessage {
	return bot.CodeMessage{ID: id, Via: bot.Mail, To: bot.Secret(to), Code: "493028", Lang: lang, Purpose: "enroll", Expires: now.Add(30 * time.Minute)}
}

// a server is a running Mailpit.
type server struct {
	smtp int
	api  string
	ca   string // file
}

// findMailpit skips, or fails where the counterparty must be there.
func findMailpit(t *testing.T) string {
	t.Helper()
	bin := os.Getenv("MAILPIT")
	if bin == "" {
		bin, _ = exec.LookPath("mailpit")
	}
	if bin == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("mailpit is missing: run .ci/rigs.sh, or set MAILPIT")
		}
		t.Skip("mailpit is missing: set MAILPIT or put it in PATH")
	}
	return bin
}

// mailpit starts a real mail server with a certificate of its own authority.
func mailpit(t *testing.T, extra ...string) server {
	t.Helper()
	bin := findMailpit(t)
	dir := t.TempDir()
	s := server{smtp: freePort(t), ca: filepath.Join(dir, "ca.pem")}
	web := freePort(t)
	s.api = fmt.Sprintf("http://127.0.0.1:%d", web)
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	makeAuthority(t, s.ca, cert, key)
	auth := filepath.Join(dir, "auth.txt")
	if err := os.WriteFile(auth, []byte("bot:s3cret-pass\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := append([]string{
		"--smtp", fmt.Sprintf("127.0.0.1:%d", s.smtp), "--listen", fmt.Sprintf("127.0.0.1:%d", web),
		"--database", filepath.Join(dir, "mail.db"), "--disable-version-check", "--enable-chaos",
		"--smtp-tls-cert", cert, "--smtp-tls-key", key, "--smtp-auth-file", auth,
	}, extra...)
	cmd := exec.Command(bin, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("mailpit said:\n%s", out.String())
		}
	})
	wait(t, "mailpit", func() bool {
		r, err := http.Get(s.api + "/readyz")
		if err != nil {
			return false
		}
		_ = r.Body.Close()
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.smtp))
		if err == nil {
			_ = c.Close()
		}
		return err == nil && r.StatusCode == http.StatusOK
	})
	return s
}

// wait polls a condition of another process.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.After(10 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s is not ready after 10 s", what)
		}
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// makeAuthority writes an authority and a certificate for localhost made by it.
func makeAuthority(t *testing.T, ca, cert, key string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &caKey.PublicKey, caKey)
	must(err)
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: root.NotBefore, NotAfter: root.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, &leafKey.PublicKey, caKey)
	must(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	must(err)
	write := func(file, kind string, der []byte) {
		must(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	write(ca, "CERTIFICATE", rootDER)
	write(cert, "CERTIFICATE", leafDER)
	write(key, "PRIVATE KEY", keyDER)
}

// options reach s as user bot; log gets what the operator is told.
func (s server) options(log *bytes.Buffer) smtp.Options {
	return smtp.Options{
		Host: "localhost", Port: s.smtp, User: "bot", Password: "s3cret-pass", CAFile: s.ca,
		From: "help@contoso.example", FromName: "Contoso Áyuda", ReplyTo: "desk@contoso.example", Timeout: 5 * time.Second,
		Facts: bot.Facts("org", "Contoso"), Phrases: texts,
		Log: slog.New(slog.NewTextHandler(log, nil)), Now: func() time.Time { return now },
	}
}

func mailer(t *testing.T, o smtp.Options) *smtp.Mailer {
	t.Helper()
	m, err := smtp.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// get reads a page of Mailpit's API.
func (s server) get(t *testing.T, path string, into any) string {
	t.Helper()
	r, err := http.Get(s.api + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d %v", path, r.StatusCode, err)
	}
	if into != nil {
		if err := json.Unmarshal(b, into); err != nil {
			t.Fatal(err)
		}
	}
	return string(b)
}

// chaos makes a stage of the dialogue fail with a reply code; 0 ends it.
func (s server) chaos(t *testing.T, stage string, reply int) {
	t.Helper()
	body := "{}"
	if reply != 0 {
		body = fmt.Sprintf(`{%q:{"ErrorCode":%d,"Probability":100}}`, stage, reply)
	}
	q, _ := http.NewRequest(http.MethodPut, s.api+"/api/v1/chaos", strings.NewReader(body))
	q.Header.Set("Content-Type", "application/json")
	r, err := http.DefaultClient.Do(q)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("chaos: %v %v", r, err)
	}
	_ = r.Body.Close()
}

type summary struct {
	Total    int
	Messages []struct{ ID, MessageID, Subject string }
}

type stored struct {
	MessageID, Subject, Text, HTML string
	From                           struct{ Name, Address string }
	To, ReplyTo                    []struct{ Name, Address string }
}
