package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/store/storetest"
)

// A balancer sends each request to one of the backends whose GET /readyz was
// answered with 200 at the last look, and never repeats one.
type balancer struct {
	backends []*backend
	next     atomic.Uint64
	broken   atomic.Int64 // requests that the backend did not answer
}

type backend struct {
	address string
	up      atomic.Bool
	proxy   *httputil.ReverseProxy
}

func newBalancer(t *testing.T, addresses ...string) *balancer {
	b := &balancer{}
	for _, a := range addresses {
		p := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: a})
		p.Transport = &http.Transport{DisableKeepAlives: true}
		p.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
			if !errors.Is(err, context.Canceled) {
				b.broken.Add(1)
				t.Logf("%s: %v", a, err)
			}
			w.WriteHeader(http.StatusBadGateway)
		}
		b.backends = append(b.backends, &backend{address: a, proxy: p})
	}
	return b
}

// look asks all backends again and again until the test ends.
func (b *balancer) look(t *testing.T) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	var all sync.WaitGroup
	for _, x := range b.backends {
		all.Go(func() {
			for t.Context().Err() == nil {
				r, err := client.Get("http://" + x.address + "/readyz")
				if err == nil {
					r.Body.Close()
				}
				x.up.Store(err == nil && r.StatusCode == http.StatusOK)
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
	t.Cleanup(all.Wait)
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	first := b.next.Add(1)
	for i := range b.backends {
		x := b.backends[(first+uint64(i))%uint64(len(b.backends))]
		if x.up.Load() {
			x.proxy.ServeHTTP(w, r)
			return
		}
	}
	b.broken.Add(1)
	w.WriteHeader(http.StatusServiceUnavailable)
}

// Behind a load balancer two processes are restarted one after the other, and
// no request is refused: /readyz says first that the process goes.
func TestRestartRefusesNobody(t *testing.T) {
	if testing.Short() {
		t.Skip("starts programs; run without -short")
	}
	t.Parallel()
	bin, dsn := builtProgram(t), pgAddress(storetest.Postgres(t))
	var addresses []string
	for range 2 {
		addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", rigs.FreePort(t)))
	}
	cfg := install(t, "store: {postgres_env: DRAIN_POSTGRES}\n")
	start := func(i int) *exec.Cmd {
		cmd := exec.Command(bin, "serve", "--config", cfg)
		cmd.Env = append(os.Environ(), "DRAIN_POSTGRES="+dsn, "LATCHKEY_HTTP_ADDR="+addresses[i], "LATCHKEY_HTTP_DRAIN=3s")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		return cmd
	}
	b := newBalancer(t, addresses...)
	b.look(t)
	front := httptest.NewServer(b)
	defer front.Close()
	procs := []*exec.Cmd{start(0), start(1)}
	up := func(i int) {
		rigs.Until(t, "a process to be ready", func() bool { return b.backends[i].up.Load() })
	}
	up(0)
	up(1)

	ctx, stop := context.WithCancel(t.Context())
	var people sync.WaitGroup
	var asked, failed atomic.Int64
	for range 4 {
		people.Go(func() {
			for ctx.Err() == nil {
				r, err := http.Get(front.URL + "/healthz")
				if err == nil {
					io.Copy(io.Discard, r.Body)
					r.Body.Close()
				}
				asked.Add(1)
				time.Sleep(5 * time.Millisecond)
				if err != nil || r.StatusCode != http.StatusOK {
					failed.Add(1)
				}
			}
		})
	}
	for round := range 4 {
		i := round % 2
		if err := procs[i].Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := procs[i].Wait(); err != nil {
			t.Errorf("a stopped process ends with %v", err)
		}
		procs[i] = start(i)
		up(i)
	}
	stop()
	people.Wait()
	if asked.Load() < 100 || b.broken.Load() > 0 || failed.Load() > 0 {
		t.Errorf("%d requests over four restarts: %d had no backend, %d failed", asked.Load(), b.broken.Load(), failed.Load())
	}
}
