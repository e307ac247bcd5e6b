package rigs

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A Mailpit is a running mail server (https://mailpit.axllent.org) on the
// loopback address, with a certificate for localhost.
type Mailpit struct {
	Port int    // of SMTP
	API  string // address of its web pages, without a slash at the end
	CA   string // file with the certificate of its authority
}

// StartMailpit starts one that lets this user in, with more flags of its own:
// "--smtp-require-starttls", "--enable-chaos". It ends with the test.
func StartMailpit(t testing.TB, user, password string, flags ...string) *Mailpit {
	t.Helper()
	bin := Tool(t, "MAILPIT", "mailpit")
	dir := t.TempDir()
	web := FreePort(t)
	m := &Mailpit{Port: FreePort(t), API: fmt.Sprintf("http://127.0.0.1:%d", web), CA: filepath.Join(dir, "ca.pem")}
	cert, key, auth := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "auth.txt")
	Authority(t, m.CA, cert, key)
	if err := os.WriteFile(auth, []byte(user+":"+password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", m.Port)
	cmd := exec.Command(bin, append([]string{
		"--smtp", address, "--listen", fmt.Sprintf("127.0.0.1:%d", web),
		"--database", filepath.Join(dir, "mail.db"), "--disable-version-check",
		"--smtp-tls-cert", cert, "--smtp-tls-key", key, "--smtp-auth-file", auth,
	}, flags...)...)
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
	Until(t, "mailpit", func() bool {
		r, err := http.Get(m.API + "/readyz")
		if err != nil {
			return false
		}
		_ = r.Body.Close()
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil && r.StatusCode == http.StatusOK
	})
	return m
}

// Get reads a page of its API and gives the body, decoded into a value unless
// that is nil.
func (m *Mailpit) Get(t testing.TB, path string, into any) string {
	t.Helper()
	q, err := http.NewRequest(http.MethodGet, m.API+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, q, into)
}
