package command

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
)

// A webSite is an installation with a web chat: `latchkey serve` as it is
// built, behind a proxy, with a mail server, a telephone network and an OpenID
// provider.
type webSite struct {
	*site
	t      *testing.T // the program runs until it ends
	idp    *rigs.OIDC
	gate   *gate   // how people reach it
	serve  *caller // the running program
	public string  // its address, without a slash at the end
}

// newWebSite makes one and starts it. With a certificate, people reach it by
// https. more is added to the configuration; %s in it is the public address.
func newWebSite(t *testing.T, secure bool, more string) *webSite {
	t.Helper()
	s := &webSite{t: t, site: &site{bin: builtProgram(t), dir: t.TempDir(), addr: fmt.Sprintf("127.0.0.1:%d", rigs.FreePort(t)), mail: startMailpit(t), net: &network{rigs.StartTwilio(t)}, secrets: map[string]string{}}}
	s.gate = newGate(t, s.addr, secure)
	s.public = s.gate.address()
	s.idp = rigs.StartOIDC(t, s.public+"/signin/callback")
	s.cfg = filepath.Join(s.dir, "latchkey.yaml")
	text := fmt.Sprintf(`org:
  name: Riverbend Schools
  department: Technology Services
  address: 1 School Lane, Riverbend
  help_phone: (555) 010-0199
  help_hours: Monday to Friday, 7:30 to 16:30
  domains: [riverbend.example]
store: {path: latchkey.db}
directory: {kind: oidc}
oidc: {issuer: "%s", client_id: %s, client_secret_env: E2E_OIDC_SECRET, name: Riverbend ID}
log: {level: debug}
smtp: {host: localhost, port: %d, ca_file: %s, username: %s, password_env: E2E_MAIL_PASSWORD, from: "Help Desk <no-reply@riverbend.example>"}
twilio: {base_url: %s, account_sid: %s, auth_token_env: E2E_TWILIO_TOKEN, from: "%s"}
http: {addr: "%s", public_url: "%s", trusted_proxies: [127.0.0.1]}
policy:
  sends: {sms_user: [5/10m, 20/24h]}
  chat: {burst: 60/10s, rate: 5/1s} # a program types fast
  web: {burst: 300/1m, link_opens: 60/1m} # from one address
`, s.idp.Issuer, rigs.OIDCClient, s.mail.Port, s.mail.CA, mailUser, s.net.API, rigs.TwilioAccount, rigs.TwilioNumber, s.addr, s.public)
	if err := os.WriteFile(s.cfg, []byte(text+more), 0o600); err != nil {
		t.Fatal(err)
	}
	s.env = append(os.Environ(), "LC_ALL=C", "E2E_MAIL_PASSWORD="+mailPassword, "E2E_TWILIO_TOKEN="+rigs.TwilioToken, "E2E_OIDC_SECRET="+rigs.OIDCSecret)
	s.secrets["mail password"], s.secrets["Twilio token"], s.secrets["OpenID secret"] = mailPassword, rigs.TwilioToken, rigs.OIDCSecret
	if out, code := s.run(t, "keys", "new", filepath.Join(s.dir, "latchkey.keys")); code != 0 {
		t.Fatal(out)
	}
	list := filepath.Join(s.dir, "staff.csv")
	if err := os.WriteFile(list, []byte(siteStaff), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := s.run(t, "people", "import", list, "--config", s.cfg); code != 0 {
		t.Fatalf("import: %d %s", code, out)
	}
	s.begins(t)
	return s
}

// begins starts the service and waits until it is ready.
func (s *webSite) begins(t *testing.T) {
	t.Helper()
	s.serve = s.start(s.t, nil, "serve", "--config", s.cfg)
	rigs.Until(t, "the service", func() bool {
		r, err := http.Get("http://" + s.addr + "/readyz")
		if err != nil {
			select {
			case code := <-s.serve.done:
				t.Fatalf("the service ended with %d:\n%s", code, s.serve.all())
			default:
			}
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
}

// stops asks the service to end, and waits.
func (s *webSite) stops(t *testing.T) {
	t.Helper()
	if err := s.serve.proc.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := s.serve.ends(); code != exitOK {
		t.Errorf("SIGTERM: exit %d:\n%s", code, s.serve.all())
	}
	s.quiet(t)
}

// quiet checks that the log tells no secret and of nothing that went wrong.
func (s *webSite) quiet(t *testing.T) {
	t.Helper()
	log := s.serve.all()
	s.noSecrets(t, log)
	for line := range strings.Lines(log) {
		if strings.Contains(line, "level=ERROR") && !strings.Contains(line, entraNobody+" cannot be reached") {
			t.Errorf("log: %s", line)
		}
	}
}

// A gate is the proxy before the service, as an organisation has one.
type gate struct {
	addr  string
	where http.Handler
	tls   *tls.Config

	mu      sync.Mutex
	srv     *http.Server
	cookies []*http.Cookie // that were set through it
}

func newGate(t *testing.T, target string, secure bool) *gate {
	t.Helper()
	d := &gate{addr: fmt.Sprintf("127.0.0.1:%d", rigs.FreePort(t))}
	if secure {
		dir := t.TempDir()
		ca, cert, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		rigs.Authority(t, ca, cert, key)
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		d.tls = &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS12}
	}
	d.where = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: target})
			r.Out.Host = r.In.Host
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
		},
		FlushInterval: -1, // what the service says goes on at once
		ModifyResponse: func(r *http.Response) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.cookies = append(d.cookies, r.Cookies()...)
			return nil
		},
		ErrorLog:     log.New(io.Discard, "", 0), // connections are cut on purpose
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	d.opens(t)
	t.Cleanup(d.cut)
	return d
}

// address is where the gate is.
func (d *gate) address() string {
	if d.tls != nil {
		return "https://" + strings.Replace(d.addr, "127.0.0.1", "localhost", 1)
	}
	return "http://" + d.addr
}

// opens lets people in.
func (d *gate) opens(t *testing.T) {
	t.Helper()
	var l net.Listener
	rigs.Until(t, "the port of the gate", func() (ok bool) {
		var err error
		l, err = net.Listen("tcp", d.addr)
		return err == nil
	})
	srv := &http.Server{Handler: d.where, TLSConfig: d.tls, ReadHeaderTimeout: 10 * time.Second}
	d.mu.Lock()
	d.srv = srv
	d.mu.Unlock()
	go func() {
		var err error
		if d.tls != nil {
			err = srv.ServeTLS(l, "", "")
		} else {
			err = srv.Serve(l)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			panic(err)
		}
	}()
}

// cut ends every connection and takes no new one.
func (d *gate) cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	_ = d.srv.Close()
}

// set gives the cookies that were set through the gate.
func (d *gate) set() []*http.Cookie {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]*http.Cookie(nil), d.cookies...)
}

// through is a client that goes through the gate by itself, as a robot does.
func (d *gate) through() *http.Client {
	return &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, d.addr)
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
