package program

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/bot/bottest"
)

// Whoever is refused before all of the request was read gets the whole answer, and no
// reset of the connection in its place.
func TestRefusedRequestsGetTheirAnswer(t *testing.T) {
	t.Parallel()
	w := watch(t, filepath.Join(t.TempDir(), "a.db"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.Listener = l
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.serveHTTP(ctx) }()
	body := strings.Repeat("y", 60_000)
	for name, c := range map[string]struct {
		head string
		code int
	}{
		"asks for no further one": {"POST /healthz HTTP/1.0\r\nHost: a\r\nContent-Length: 60000", http.StatusMethodNotAllowed},
		"a bad head":              {"POST /healthz HTTP/1.1\r\nHost: a\r\nX A: b\r\nContent-Length: 60000", http.StatusBadRequest},
		"an unknown coding":       {"POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip", http.StatusNotImplemented},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(bottest.Patience))
			_, sent := io.WriteString(conn, c.head+"\r\n\r\n"+body)
			r, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("no answer: %v (sent: %v)", err, sent)
			}
			if said, err := io.ReadAll(r.Body); err != nil || r.StatusCode != c.code || len(said) == 0 {
				t.Errorf("%d %q, %v, want all of %d", r.StatusCode, said, err, c.code)
			}
		})
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
