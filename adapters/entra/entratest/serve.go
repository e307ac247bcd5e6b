package entratest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// Handler serves the tenant: sign-in and Graph on one host.
func (t *Tenant) Handler() http.Handler { return t.mux(true, true) }

// LoginHandler and GraphHandler serve one of the two, as Microsoft's hosts do:
// a token that is shown to the wrong one is seen in Calls.
func (t *Tenant) LoginHandler() http.Handler { return t.mux(true, false) }

// GraphHandler serves Graph alone; see LoginHandler.
func (t *Tenant) GraphHandler() http.Handler { return t.mux(false, true) }

func (t *Tenant) mux(login, graph bool) http.Handler {
	nothing := func(w http.ResponseWriter, r *http.Request) {
		t.mu.Lock()
		n := t.note(r, nil)
		t.calls[n].Status = http.StatusNotFound
		t.mu.Unlock()
		http.Error(w, "The pretend tenant has nothing here.", http.StatusNotFound)
	}
	m := http.NewServeMux()
	m.HandleFunc("/", nothing)
	if login {
		m.HandleFunc("POST /{tenant}/oauth2/v2.0/token", t.token)
		m.HandleFunc("GET /{tenant}/v2.0/.well-known/openid-configuration", t.metadata)
		m.HandleFunc("GET /{tenant}/discovery/v2.0/keys", t.keys)
		m.HandleFunc("GET /{tenant}/oauth2/v2.0/authorize", t.authorize)
		m.HandleFunc("POST /{tenant}/oauth2/v2.0/authorize", t.authorize)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", t.o.Now().UTC().Format(http.TimeFormat)) // of the tenant's clock, as its tokens are
		switch toGraph := strings.HasPrefix(r.URL.Path, "/v1.0/"); {
		case toGraph && graph:
			t.graph(w, r)
		case toGraph:
			nothing(w, r)
		default:
			m.ServeHTTP(w, r)
		}
	})
}

// Issuer is the issuer of the tenant's ID tokens, when the tenant is served at
// base ("http://127.0.0.1:8444").
func (t *Tenant) Issuer(base string) string { return base + "/" + TenantID + "/v2.0" }

// A Server is a tenant that listens.
type Server struct {
	URL    string // "http://127.0.0.1:8444"
	server *http.Server
	done   chan error
}

// Listen serves the tenant at an address of this machine, such as
// "127.0.0.1:0". Any other address is refused: whoever reaches the tenant may
// sign in as anybody.
func (t *Tenant) Listen(address string) (*Server, error) { return t.listen(address, t.Handler()) }

func (t *Tenant) listen(address string, h http.Handler) (*Server, error) {
	a, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("entratest: %s: %w", address, err)
	}
	if !a.IP.IsLoopback() {
		return nil, fmt.Errorf("entratest: %s is not an address of this machine alone; use 127.0.0.1", address)
	}
	l, err := net.ListenTCP("tcp", a)
	if err != nil {
		return nil, fmt.Errorf("entratest: %w", err)
	}
	s := &Server{URL: "http://" + l.Addr().String(), server: &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}, done: make(chan error, 1)}
	go func() { s.done <- s.server.Serve(l) }()
	return s, nil
}

// Close ends it, and everybody who hangs.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second) // for answers under way
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = s.server.Close()
	}
	if e := <-s.done; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}
