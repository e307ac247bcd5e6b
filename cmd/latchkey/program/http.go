package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Listen takes the port, so that a used one is found before anything runs.
func (p *Program) Listen() error {
	l, err := net.Listen("tcp", p.Config.HTTP.Addr)
	if err != nil {
		return fmt.Errorf("http.addr: %w; choose another port, or stop the program that has it", err)
	}
	p.Listener = l
	p.Connections.closers = append(p.Connections.closers, CloseOnce{l})
	return nil
}

// CloseOnce closes a listener that the server may have closed already.
type CloseOnce struct{ net.Listener }

func (c CloseOnce) Close() error {
	if err := c.Listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Limits of the HTTP server (policy: HTTP body). Handlers limit bodies.
const (
	httpRead   = 10 * time.Second
	httpWrite  = 30 * time.Second
	httpIdle   = 2 * time.Minute
	httpHeader = 16 << 10
)

// serveHTTP answers until ctx ends, then finishes what it is answering.
func (p *Program) serveHTTP(ctx context.Context) error {
	srv := &http.Server{
		// What net/http says is about bad requests; any stranger can fill a log with it.
		Handler: p.guard(p.Handler()), ErrorLog: slog.NewLogLogger(p.Log.Handler(), slog.LevelDebug), ReadTimeout: httpRead, ReadHeaderTimeout: httpRead, WriteTimeout: httpWrite, IdleTimeout: httpIdle,
		MaxHeaderBytes: httpHeader, BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(lingering{p.Listener}) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), DrainTime/2)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		p.Log.Warn("requests cut off", "err", err)
		srv.Close()
	}
	return nil
}

// Handler are the pages of the adapters and the health checks.
func (p *Program) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, page := range p.Connections.pages {
		mux.Handle(page.path, page.handler)
	}
	mux.HandleFunc("GET /healthz", p.programHealth)
	mux.HandleFunc("GET /healthz/{channel}", p.channelHealth)
	mux.HandleFunc("GET /readyz", p.readiness)
	return mux
}

// guard is around every answer that is no page, redirects of the mux included: a
// browser that comes there must make nothing of it, and a panic does not bring
// its value into the log. Pages have headers and a guard of their own.
func (p *Program) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				panic(v)
			default:
				p.Log.Error("answer failed", "route", r.Pattern, "panic", fmt.Sprintf("%T", v))
				answer(w, http.StatusInternalServerError, "failed")
			}
		}()
		head := w.Header()
		head.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "same-origin")
		head.Set("Cross-Origin-Resource-Policy", "same-origin")
		head.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		head.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	fmt.Fprintln(w, text)
}
