package command

import (
	"context"

	"github.com/spf13/cobra"

	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
)

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

// serve runs the service, with more integrations than the configured ones.
func serve(ctx context.Context, s std, cfg *config.Config, more ...program.Integration) error {
	log := newLogger(s.err, cfg.Log)
	draining.Store(int64(cfg.HTTP.Drain))
	p, err := program.New(ctx, cfg, log, append(program.Integrations(), more...)...)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.Listen(); err != nil {
		return err
	}
	for _, note := range program.Notes(cfg) {
		log.Warn(note)
	}
	if err := p.RecordConfig(ctx, operatorActor(s)); err != nil {
		return err
	}
	log.Info("serving", "addr", p.Listener.Addr().String(), "version", version)
	err = runProgram(ctx, p)
	log.Info("stopping")
	return err
}
