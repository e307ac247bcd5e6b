package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"latchkey/adapters/csv"
	"latchkey/adapters/localdir"
	"latchkey/bot"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/config"
	"latchkey/store"
)

//go:embed demo_people.csv
var demoPeople string

func demoCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "demo", Short: "Try a whole enrollment here, with a pretend phone and mailbox", Args: exactly(0, ""),
		Long: `Opens the conversation in this terminal, with a small staff list and a pretend
phone and mailbox beside it. Nothing needs to be configured, nothing leaves this
machine. Your own phone may scan the QR picture instead of the pretend one. Stop
it at any moment and start it again: your place is kept.

  latchkey demo
  latchkey demo --plain            lines in and out, for a program or a screen reader
  latchkey demo --reset            forget everything and start anew
  latchkey demo --scripts FOLDER   with your own scripts over the shipped ones

Next: latchkey config describe > latchkey.yaml`,
	}
	dir := cmd.Flags().String("data", "latchkey-demo", "data `FOLDER`")
	plain := cmd.Flags().Bool("plain", false, "plain lines in and out; also when input or output is not a terminal")
	reset := cmd.Flags().Bool("reset", false, "delete the data folder's demo first")
	scripts := cmd.Flags().String("scripts", "", "`FOLDER` of own scripts")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return demo(cmd.Context(), s, demoOptions{dir: *dir, scripts: *scripts, plain: *plain, reset: *reset})
	}
	return cmd
}

// demoConfig is what a configuration file would say.
func demoConfig(dir string) *config.Config {
	c := config.Default()
	c.Org.Name = "Riverbend Schools"
	c.Org.Department = "Technology Services"
	c.Org.Address = "1 School Lane, Riverbend"
	c.Org.HelpPhone = "(555) 010-0199"
	c.Org.HelpHours = "Monday to Friday, 7:30 to 16:30"
	c.Org.HelpEmail = "helpdesk@riverbend.example"
	c.Org.Domains = []string{"riverbend.example"}
	c.Org.Domain = "riverbend.example"
	c.Store.Path = filepath.Join(dir, "latchkey.db")
	c.KeysFile = filepath.Join(dir, "latchkey.keys")
	c.Terminal.User = "demo"
	c.Directory = "demo"
	return c
}

// demoOptions are the flags of the demo.
type demoOptions struct {
	dir, scripts string
	plain, reset bool
}

func demo(ctx context.Context, s std, o demoOptions) error {
	dir := o.dir
	if o.reset {
		if err := forget(dir); err != nil {
			return err
		}
	}
	if err := dataFolder(dir); err != nil {
		return err
	}
	cfg := demoConfig(dir)
	cfg.File, cfg.Scripts = "demo", o.scripts
	if _, err := vault.Create(cfg.KeysFile); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	logFile, err := os.OpenFile(filepath.Join(dir, "demo.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	defer logFile.Close()
	log := slog.New(slog.NewTextHandler(logFile, nil))

	h, err := build(ctx, cfg, log, plugPretend(dir), plugTerminal(s, dir, o.plain, intro(dir)))
	if err != nil {
		return err
	}
	defer h.close()
	if err := importDemo(ctx, h.db); err != nil {
		return err
	}
	return h.run(ctx)
}

// demoFiles are what a demo leaves in its folder.
var demoFiles = []string{"latchkey.db", "latchkey.db-wal", "latchkey.db-shm", "latchkey.db.lock", "latchkey.db.sock", "latchkey.keys",
	"inbox.jsonl", "authenticator.jsonl", "demo.log"}

// forget deletes a demo's files and nothing else.
func forget(dir string) error {
	for _, f := range demoFiles {
		if err := os.Remove(filepath.Join(dir, f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("reset: %w", err)
		}
	}
	return nil
}

// intro says who one may pretend to be.
func intro(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		abs = dir
	}
	l, err := csv.Open(strings.NewReader(demoPeople), csv.Options{})
	if err != nil {
		return ""
	}
	var names []string
	for p := range l.People() {
		note := ""
		switch {
		case p.Disabled:
			note = " (disabled account)"
		case p.Lang == "es":
			note = " (español)"
		}
		names = append(names, p.Username+note)
	}
	return fmt.Sprintf(`This is a demo. Nothing leaves this machine; everything is kept in %s.
Pretend to be one of %s.
The password of each is %s. Commands here begin with /, for example /help.`, abs, strings.Join(names, ", "), string(localdir.DemoPassword))
}

// importDemo brings the staff list up to date; what somebody enrolled stays.
func importDemo(ctx context.Context, db *store.DB) error {
	by, err := db.CountPeople(ctx)
	if err != nil {
		return err
	}
	if len(by) > 0 {
		return nil
	}
	l, err := csv.Open(strings.NewReader(demoPeople), csv.Options{})
	if err != nil {
		return fmt.Errorf("demo staff list: %w", err)
	}
	rep, err := db.ImportPeople(ctx, l.People(), store.ImportOptions{})
	if err != nil {
		return err
	}
	if !rep.Stored || l.Report().Bad > 0 {
		return fmt.Errorf("demo staff list: %v %v", rep.Problems, l.Report().Problems)
	}
	return nil
}

var _ bot.Store = (*store.DB)(nil)
