package discord_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/discord"
	"latchkey/adapters/discord/discordtest"
)

// TestTLS speaks to the gateway by wss, as it is with Discord, and resumes there.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	rigs.Authority(t, ca, cert, key)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })

	st := &stage{T: t, s: discordtest.New(t), box: newBox()}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				back, err := net.Dial("tcp", st.s.Addr())
				if err != nil {
					return
				}
				defer back.Close()
				go func() { _, _ = io.Copy(back, c) }()
				_, _ = io.Copy(c, back)
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	st.s.Through("wss://localhost:" + port)
	st.start(nil, func(a *discord.Adapter) {
		a.Hurry(20e9, 1e9)
		a.Trust(roots)
	})
	ann := st.s.Person(1)
	st.up()
	st.do(ann.Say("by TLS"))
	st.heard(ann, []string{"by TLS"})
	st.s.Cut()
	st.do(ann.Say("again"))
	st.heard(ann, []string{"by TLS", "again"})
	if st.count("resume") == 0 || st.count("identify") != 1 || st.count("connect /resumed") == 0 {
		t.Errorf("the gateway saw %q", st.s.Connects())
	}

	// Nobody who cannot show a certificate for the name.
	other := &stage{T: t, s: st.s, box: newBox()}
	before := len(st.s.Connects())
	other.start(nil, func(a *discord.Adapter) { a.Hurry(20e9, 1e9); a.Trust(x509.NewCertPool()) })
	other.until("it to give up", func() bool { return strings.Contains(other.a.Health().Text, "cannot be reached") })
	other.stop()
	for _, c := range st.s.Connects()[before:] {
		if strings.HasPrefix(c, "connect") || c == "identify" {
			t.Errorf("without a certificate: %s", c)
		}
	}
}
