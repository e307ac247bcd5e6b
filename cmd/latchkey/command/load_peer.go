package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/demo"
	"latchkey/cmd/latchkey/load"
	"latchkey/cmd/latchkey/program"
	"latchkey/store"
)

// loadPeerCommand is the program that `latchkey load --kind start` starts.
func loadPeerCommand(s std) *cobra.Command {
	cmd := &cobra.Command{Use: "load-peer", Hidden: true, Args: exactly(0, "")}
	dir := cmd.Flags().String("store", "", "`FOLDER` with keys and the SQLite file")
	people := cmd.Flags().Int("web", 0, "serve the web chat for this `NUMBER` of people")
	seeded := cmd.Flags().Int("teams", -1, "serve the dialogue as a bot in Teams, beside this `NUMBER` of conversations; --store is the database")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *seeded >= 0 {
			return load.TeamsPeer(cmd.Context(), s.in, s.out, *dir, *seeded)
		}
		if *people > 0 {
			return loadWebPeer(cmd.Context(), s, *dir, *people)
		}
		lp, err := openLoadProgram(cmd.Context(), *dir, filepath.Join(*dir, "load.db"))
		if err != nil {
			return err
		}
		defer lp.close()
		return load.Peer(cmd.Context(), s.in, s.out, lp.Turn, lp.platform, fmt.Sprintf("%x-", time.Now().UnixNano()), lp.Outbox.Busy)
	}
	return cmd
}

// loadWebPeer is the program as `serve` makes it, with the web chat, and with a
// directory and phones that are pretended.
func loadWebPeer(ctx context.Context, s std, dir string, people int) error {
	cfg := pretendConfig(dir, filepath.Join(dir, "load.db"))
	cfg.HTTP.Addr, cfg.Web.Enabled = "127.0.0.1:0", true
	cfg.HTTP.Proxies = []string{"127.0.0.1"} // everybody has an address of their own
	listener, err := net.Listen("tcp", cfg.HTTP.Addr)
	if err != nil {
		return fmt.Errorf("load: no port: %w", err)
	}
	defer program.CloseOnce{Listener: listener}.Close()
	cfg.HTTP.PublicURL = "http://" + listener.Addr().String()
	if _, err := vault.Create(cfg.KeysFile); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	wire := load.NewWire(s.out)
	p, err := program.New(ctx, cfg, newLogger(s.err, config.Log{Level: "warn", Format: "text"}), program.Integration{Name: "load", Connect: func(p *program.Program) error {
		p.Connections.Senders[bot.SMS], p.Connections.Notifier, p.Connections.Directory = wire, wire, load.Directory{}
		return nil
	}}, program.Integration{Name: "web", Connect: program.ConnectWeb})
	if err != nil {
		return err
	}
	defer p.Close()
	if _, err := p.DB.ImportPeople(ctx, load.People(people), store.ImportOptions{}); err != nil {
		return err
	}
	p.Listener = listener
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- runProgram(ctx, p) }()
	select {
	case <-p.Outbox.Ready():
	case err := <-done:
		return err
	}
	err = load.WebPeer(s.in, wire, listener.Addr().String(), func() (int, error) {
		by, err := p.DB.CountPeople(ctx)
		return by[bot.Enrolled], err
	})
	stop()
	return errors.Join(err, <-done)
}

// pretendConfig is what a configuration file of the load would say: the policy as
// it is, but for the limits that hold one sender's people back.
func pretendConfig(dir, dsn string) *config.Config {
	c := demo.Config(dir)
	c.Org.Domains, c.Org.Domain = []string{"load.example"}, "load.example"
	c.Store.Path, c.KeysFile = dsn, filepath.Join(dir, "load.keys")
	if strings.Contains(dsn, "host=") || strings.Contains(dsn, "://") {
		c.Store.Path, c.Store.Postgres = "", bot.Secret(dsn)
	}
	const plenty = 1 << 30
	c.Policy.SMSPrefix.N, c.Policy.SMSBudgetFloor = plenty, plenty
	return c
}

// loadProgram is the real program with a platform and phones in memory.
type loadProgram struct {
	*program.Program
	platform *load.Platform
	phones   *load.Phones
	stop     context.CancelFunc
	done     chan error
}

// openLoadProgram makes the program and runs it. The caller closes it.
func openLoadProgram(ctx context.Context, dir, dsn string) (*loadProgram, error) {
	cfg := pretendConfig(dir, dsn)
	if _, err := vault.Create(cfg.KeysFile); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	lp := &loadProgram{platform: load.NewPlatform(load.Channel), phones: load.NewPhones(), done: make(chan error, 1)}
	var err error
	lp.Program, err = program.New(ctx, cfg, slog.New(slog.DiscardHandler), program.Integration{Name: "load", Connect: func(p *program.Program) error {
		p.Connections.AddChannel(lp.platform)
		p.Connections.Senders[bot.SMS], p.Connections.Notifier = lp.phones, lp.phones
		p.Connections.Directory, p.Connections.Unhurried = load.Directory{}, true
		return nil
	}})
	if err != nil {
		return nil, err
	}
	ctx, lp.stop = context.WithCancel(ctx)
	go func() { lp.done <- runProgram(ctx, lp.Program) }()
	select {
	case <-lp.Outbox.Ready():
		return lp, nil
	case err := <-lp.done:
		lp.stop()
		lp.Program.Close()
		if err == nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
}

// close ends what openLoadProgram has begun.
func (lp *loadProgram) close() {
	lp.stop()
	<-lp.done
	lp.Program.Close()
}
