package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latchkey/cmd/latchkey/config"
)

func chatCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "chat", Short: "Hold the conversation in this terminal, with the configured senders", Args: exactly(0, ""),
		Long: `Opens the conversation in this terminal. Texts, calls and mails really leave, by
the senders that the configuration names. Log lines go to standard error, or to
the file --log names.

  latchkey chat --config latchkey.yaml
  latchkey chat --config latchkey.yaml --plain < answers.txt`,
	}
	file := configFlag(cmd, s)
	plain := cmd.Flags().Bool("plain", false, "plain lines in and out; also when input or output is not a terminal")
	logTo := cmd.Flags().String("log", "", "write log lines to this `FILE`; the full screen needs it, or writes none")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadConfig(cmd, s, *file)
		if err != nil {
			return err
		}
		return chat(cmd.Context(), s, cfg, *plain, *logTo)
	}
	return cmd
}

func chat(ctx context.Context, s std, cfg *config.Config, plain bool, logTo string) error {
	log, done, err := chatLog(s, cfg, plain, logTo)
	if err != nil {
		return err
	}
	defer done()
	dir := filepath.Dir(cfg.KeysFile)
	if cfg.Store.Path != "" {
		dir = filepath.Dir(cfg.Store.Path)
	}
	h, err := build(ctx, cfg, log, append(configured(), plugTerminal(s, dir, plain, ""))...)
	if err != nil {
		return err
	}
	defer h.close()
	if err := h.recordConfig(ctx, s); err != nil {
		return err
	}
	if cfg.HTTP.PublicURL != "" {
		if err := h.listen(); err != nil {
			return err
		}
	}
	return h.run(ctx)
}

func serveCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the service: web chat, pages, jobs, deliveries, health checks and callbacks", Args: exactly(0, ""),
		Long: `Runs without a terminal: connects the chat platforms (channels.slack,
channels.teams, channels.discord), serves the web chat (channels.web.enabled)
and one-time pages, sends what waits, does the jobs, and answers Twilio's
callbacks, GET /healthz (the process and its store work; "degraded" and why when
an operator has to look: mail, texts or calls that do not leave, what was given
up, alerts; and a line about a clock that was set), /healthz/CHANNEL
(the connection of one channel, for example /healthz/slack-acme) and /readyz (it
takes work). While the store takes no writes (disk full, locked, PostgreSQL down)
/healthz and /readyz answer 503 with the reason. A platform that fails is tried
again and harms no other.

SIGHUP reads the scripts and the secrets of the chat accounts anew. SIGTERM
stops it: not ready first, for as long as http.drain says, so that a load
balancer looks elsewhere; then the port is closed, and what is under way is
finished, in at most 20 seconds. A second SIGTERM ends it at once.

  latchkey serve --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadConfig(cmd, s, *file)
		if err != nil {
			return err
		}
		return serve(cmd.Context(), s, cfg)
	}
	return cmd
}

// serve runs the service, with what more plugs connect.
func serve(ctx context.Context, s std, cfg *config.Config, more ...plug) error {
	log := newLog(s.err, cfg.Log)
	draining.Store(int64(cfg.HTTP.Drain))
	h, err := build(ctx, cfg, log, append(configured(), more...)...)
	if err != nil {
		return err
	}
	defer h.close()
	if err := h.listen(); err != nil {
		return err
	}
	for _, note := range missing(cfg) {
		log.Warn(note)
	}
	if err := h.recordConfig(ctx, s); err != nil {
		return err
	}
	log.Info("serving", "addr", h.listener.Addr().String(), "version", version)
	err = h.run(ctx)
	log.Info("stopping")
	return err
}

// listen takes the port, so that a used one is found before anything runs.
func (h *house) listen() error {
	l, err := net.Listen("tcp", h.cfg.HTTP.Addr)
	if err != nil {
		return fmt.Errorf("http.addr: %w; choose another port, or stop the program that has it", err)
	}
	h.listener = l
	h.outside.closers = append(h.outside.closers, closeOnce{l})
	return nil
}

// closeOnce closes a listener that the server may have closed already.
type closeOnce struct{ net.Listener }

func (c closeOnce) Close() error {
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
func (h *house) serveHTTP(ctx context.Context) error {
	srv := &http.Server{
		// What net/http says is about bad requests; any stranger can fill a log with it.
		Handler: h.bare(h.routes()), ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelDebug), ReadTimeout: httpRead, ReadHeaderTimeout: httpRead, WriteTimeout: httpWrite, IdleTimeout: httpIdle,
		MaxHeaderBytes: httpHeader, BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(h.listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime/2)
	defer cancel()
	if err := srv.Shutdown(drain); err != nil {
		h.log.Warn("requests cut off", "err", err)
		srv.Close()
	}
	return nil
}

// routes are the pages of the adapters and the health checks.
func (h *house) routes() http.Handler {
	mux := http.NewServeMux()
	for _, p := range h.outside.pages {
		mux.Handle(p.path, p.handler)
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		if err := h.db.Writable(); err != nil {
			answer(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		if _, err := h.db.Meta(ctx, keyCheck); err != nil {
			h.log.Error("health: the store does not answer", "err", err)
			answer(w, http.StatusServiceUnavailable, "the store does not answer")
			return
		}
		text := "ok"
		// Whoever watches has to look; the service itself works, so it is no 503.
		if lines, err := h.needsOperator(ctx); err != nil || len(lines) > 0 {
			text = strings.Join(append([]string{"degraded: something needs an operator; see `latchkey doctor`"}, lines...), "\n")
		}
		if clock := h.db.Clock().String(); clock != "" {
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
		if err := h.db.Writable(); err != nil {
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
func (h *house) bare(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				panic(v)
			default:
				h.log.Error("answer failed", "route", r.Pattern, "panic", fmt.Sprintf("%T", v))
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
