package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/cmd/latchkey/textfmt"
)

// channelHealth answers GET /healthz/{channel}.
func (h *Program) channelHealth(w http.ResponseWriter, r *http.Request) {
	state, ok := h.health(bot.ChannelID(r.PathValue("channel")))
	switch {
	case !ok:
		answer(w, http.StatusNotFound, "no such channel")
	case !state.OK:
		answer(w, http.StatusServiceUnavailable, strings.TrimSpace("down "+since(state)+": "+textfmt.Printable(state.Text)))
	default:
		answer(w, http.StatusOK, strings.TrimSpace("ok "+since(state)))
	}
}

// Listen takes the port, so that a used one is found before anything runs.
func (h *Program) Listen() error {
	l, err := net.Listen("tcp", h.Config.HTTP.Addr)
	if err != nil {
		return fmt.Errorf("http.addr: %w; choose another port, or stop the program that has it", err)
	}
	h.Listener = l
	h.Connections.closers = append(h.Connections.closers, CloseOnce{l})
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
func (h *Program) serveHTTP(ctx context.Context) error {
	srv := &http.Server{
		// What net/http says is about bad requests; any stranger can fill a log with it.
		Handler: h.bare(h.Handler()), ErrorLog: slog.NewLogLogger(h.Log.Handler(), slog.LevelDebug), ReadTimeout: httpRead, ReadHeaderTimeout: httpRead, WriteTimeout: httpWrite, IdleTimeout: httpIdle,
		MaxHeaderBytes: httpHeader, BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(h.Listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), DrainTime/2)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		h.Log.Warn("requests cut off", "err", err)
		srv.Close()
	}
	return nil
}

// Handler are the pages of the adapters and the health checks.
func (h *Program) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, p := range h.Connections.pages {
		mux.Handle(p.path, p.handler)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		if err := h.DB.Writable(); err != nil {
			answer(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		if _, err := h.DB.Meta(ctx, KeyCheck); err != nil {
			h.Log.Error("health: the store does not answer", "err", err)
			answer(w, http.StatusServiceUnavailable, "the store does not answer")
			return
		}
		text := "ok"
		// Whoever watches has to look; the service itself works, so it is no 503.
		if lines, err := h.needsOperator(ctx); err != nil || len(lines) > 0 {
			text = strings.Join(append([]string{"degraded: something needs an operator; see `latchkey doctor`"}, lines...), "\n")
		}
		if clock := h.DB.Clock().String(); clock != "" {
			text += "\nclock: " + clock
		}
		answer(w, http.StatusOK, text)
	})
	mux.HandleFunc("GET /healthz/{channel}", h.channelHealth)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !h.ready.Load() {
			answer(w, http.StatusServiceUnavailable, "starting or stopping")
			return
		}
		if err := h.DB.Writable(); err != nil {
			answer(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		answer(w, http.StatusOK, "ready")
	})
	return mux
}

// bare is around every answer that is no page, redirects of the mux included: a
// browser that comes there must make nothing of it, and a panic does not bring
// its value into the log. Pages have headers and a guard of their own.
func (h *Program) bare(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				panic(v)
			default:
				h.Log.Error("answer failed", "route", r.Pattern, "panic", fmt.Sprintf("%T", v))
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
