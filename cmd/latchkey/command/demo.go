package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latchkey/adapters/localdir"
	"latchkey/adapters/terminal"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/demo"
	"latchkey/cmd/latchkey/program"
	"latchkey/store"
)

// dataFolder makes a folder that only its owner can use.
func dataFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w; choose one that you may write to with --data", err)
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("data folder: %w; choose one that you may write to with --data", err)
	}
	probe.Close()
	return os.Remove(probe.Name())
}

func demoCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "demo", Short: "Try a whole enrollment here, with a pretend phone and mailbox", Args: exactly(0, ""),
		Long: `Opens the conversation in this terminal and as a page for your browser, each with
a small staff list and a pretend phone and mailbox beside it. The page's address
is printed first. Nothing needs to be configured, nothing leaves this machine.
Your own phone may scan the QR picture instead of the pretend one. Stop it at any
moment and start it again: your place is kept.

  latchkey demo
  latchkey demo --addr 127.0.0.1:9000   the page at this address
  latchkey demo --web                   the page only, until Ctrl+C; good in the background
  latchkey demo --plain                 the terminal only, lines in and out, for a program or a screen reader
  latchkey demo --reset                 forget everything and start anew
  latchkey demo --scripts FOLDER        with your own scripts over the shipped ones
  latchkey demo --with entra            with a pretend Microsoft 365 tenant of 1,500 people:
                                        who will still get in after 1 February 2027

Where input or output is not a terminal it is as with --plain, unless --web or
--addr asks for the page, which then stays until Ctrl+C, also when input has ended.

Next: latchkey config describe > latchkey.yaml`,
	}
	var o demoOptions
	fs := cmd.Flags()
	fs.StringVar(&o.dir, "data", "", "data `FOLDER` (default latchkey-demo, or latchkey-demo-entra)")
	fs.StringVar(&o.with, "with", "", "`PART` to try with it: entra, a pretend Microsoft 365 tenant")
	fs.StringVar(&o.addr, "addr", "", "`HOST:PORT` of the page, on this machine only (default 127.0.0.1:8080, or the next free port)")
	fs.BoolVar(&o.web, "web", false, "the page only, without the conversation in this terminal")
	fs.BoolVar(&o.plain, "plain", false, "plain lines in and out, without the page")
	fs.BoolVar(&o.reset, "reset", false, "delete the data folder's demo first")
	fs.StringVar(&o.scripts, "scripts", "", "`FOLDER` of own scripts")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if o.plain && (o.web || o.addr != "") {
			return usage(cmd, "--plain keeps to the terminal; leave it away, or leave --web and --addr away")
		}
		if o.with != "" && o.with != "entra" {
			return usage(cmd, "--with %q is not there; it is entra", o.with)
		}
		if o.dir == "" {
			if o.dir = "latchkey-demo"; o.with != "" {
				o.dir += "-" + o.with
			}
		}
		if err := checkDemoAddr(o.addr); err != nil {
			return usage(cmd, "--addr: %v", err)
		}
		return runDemo(cmd.Context(), s, o)
	}
	return cmd
}

// demoOptions are the flags of the demo.
type demoOptions struct {
	dir, scripts, addr string
	with               string // "entra" or nothing
	plain, web, reset  bool
}

// page reports whether the web page is wanted.
func (o demoOptions) page(s std) bool {
	return !o.plain && (o.web || o.addr != "" || (terminal.IsTerminal(s.in) && terminal.IsTerminal(s.out)))
}

func runDemo(ctx context.Context, s std, o demoOptions) error {
	dir, where := o.dir, ""
	var listener net.Listener
	if o.page(s) {
		var err error
		if listener, where, err = demoListener(o.addr); err != nil {
			return err
		}
		defer program.CloseOnce{Listener: listener}.Close()
	}
	if o.reset {
		if err := deleteDemo(dir); err != nil {
			return err
		}
	}
	if err := dataFolder(dir); err != nil {
		return err
	}
	cfg := demo.Config(dir)
	cfg.File, cfg.Scripts = "demo", o.scripts
	demo.Ease(cfg.Policy)
	if _, err := vault.Create(cfg.KeysFile); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	logFile, err := os.OpenFile(filepath.Join(dir, "demo.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	defer logFile.Close()
	log := slog.New(slog.NewTextHandler(logFile, nil))

	integrations := []program.Integration{program.Pretend(dir)}
	if listener != nil {
		cfg.Web.Enabled = true
		cfg.Desk.Enabled = o.with == "" // the tenant's people come from elsewhere
		cfg.Desk.Answer, cfg.Desk.Solve = 15*time.Minute, 8*time.Hour
		cfg.HTTP.Addr = listener.Addr().String()
		cfg.HTTP.PublicURL = demoURL(o.addr, listener)
	}
	said := func(terminal bool) string { return intro(dir, where) + "\n" + introStaff(terminal) }
	people := func(ctx context.Context, p *program.Program) error {
		if err := demo.Import(ctx, p.DB); err != nil || !cfg.Desk.Enabled {
			return err
		}
		return demo.SeatAgents(ctx, p.DB)
	}
	if o.with != "" {
		tenant, err := newDemoTenant()
		if err != nil {
			return err
		}
		defer tenant.server.Close()
		tenant.configure(cfg)
		integrations = append(integrations, program.Integration{Name: "entra", Connect: program.ConnectEntra})
		if listener != nil { // else there is no page to sign in on
			integrations = append(integrations, program.Integration{Name: "directory", Connect: program.ConnectDirectory})
		}
		said = func(bool) string { return intro(dir, where) + "\n" + tenant.intro(dir, listener == nil) }
		people = func(ctx context.Context, p *program.Program) error { // the folder is ours by now
			return errors.Join(tenant.write(cfg, dir), tenant.read(ctx, s, p))
		}
	}
	if listener != nil {
		integrations = append(integrations, program.Integration{Name: "web", Connect: program.ConnectWeb})
	}
	if !o.web {
		if f, ok := s.in.(*os.File); ok && listener != nil && !terminal.IsTerminal(f) {
			s.in = openEnded{ctx, f}
		}
		integrations = append(integrations, program.Terminal(program.TerminalOptions{In: s.in, Out: s.out, Plain: o.plain, Locale: locale(s), Dir: dir, Intro: said(true)}))
	}
	p, err := program.New(ctx, cfg, log, integrations...)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := people(ctx, p); err != nil {
		return err
	}
	p.Listener = listener
	if o.web {
		fmt.Fprintln(s.out, said(false))
		fmt.Fprintln(s.out, "Ctrl+C stops it; your place is kept.")
	}
	return runProgram(ctx, p)
}

// openEnded is input whose end means nothing: in the background or a container
// there is none, and the page stays until ctx ends.
type openEnded struct {
	ctx context.Context
	io.Reader
}

// Read implements io.Reader.
func (r openEnded) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if n == 0 && err == io.EOF {
		<-r.ctx.Done()
	}
	return n, err
}

// demoPort is where the page is, when that port is free.
const demoPort = 8080

// checkDemoAddr refuses what other machines could reach: there is no TLS.
func checkDemoAddr(addr string) error {
	if addr == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not HOST:PORT; write it like 127.0.0.1:%d", addr, demoPort)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q is not a port; write the address like 127.0.0.1:%d", port, demoPort)
	} else if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("other machines could reach %q, and the demo's page is not encrypted; use 127.0.0.1:%d, from elsewhere through a tunnel such as ssh -L", addr, n)
	}
	return nil
}

// demoListener takes the port of the page: the one that was asked for, or else the
// usual one or the next that is free. where says in words where the page is.
func demoListener(addr string) (l net.Listener, where string, err error) {
	if addr != "" {
		if l, err = net.Listen("tcp", addr); err != nil {
			return nil, "", fmt.Errorf("--addr: %w; choose another port, or leave --addr away to get a free one", err)
		}
		return l, demoURL(addr, l), nil
	}
	for port := demoPort; port < demoPort+20; port++ {
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			break
		}
	}
	if l == nil {
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return nil, "", fmt.Errorf("no port for the page: %w; --plain works without one", err)
		}
	}
	where = demoURL("", l)
	if l.Addr().(*net.TCPAddr).Port != demoPort {
		where += fmt.Sprintf(" (port %d is taken)", demoPort)
	}
	return l, where, nil
}

// demoURL is the address of the page. A name that was asked for is kept:
// browsers keep cookies by name.
func demoURL(addr string, l net.Listener) string {
	u := url.URL{Scheme: "http", Host: l.Addr().String()}
	if host, _, err := net.SplitHostPort(addr); err == nil && host == "localhost" {
		_, port, _ := net.SplitHostPort(u.Host)
		u.Host = net.JoinHostPort(host, port)
	}
	return u.String()
}

// demoFiles are what a demo leaves in its folder.
var demoFiles = []string{"latchkey.db", "latchkey.db-wal", "latchkey.db-shm", "latchkey.db.lock", "latchkey.db.sock", "latchkey.db.head", "latchkey.keys",
	"inbox.jsonl", "authenticator.jsonl", "demo.log", "demo.yaml", "demo.entra-secret"}

// deleteDemo deletes a demo's files and nothing else, and not while a demo uses them.
func deleteDemo(dir string) error {
	if store.InUse(filepath.Join(dir, "latchkey.db")) {
		return fmt.Errorf("--reset: a demo is running in %s: stop it first (Ctrl+C), or begin another one with --data FOLDER", dir)
	}
	if err := os.RemoveAll(filepath.Join(dir, "pictures")); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	for _, f := range demoFiles {
		if err := os.Remove(filepath.Join(dir, f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("reset: %w", err)
		}
	}
	return nil
}

// intro says what this is, and where its page is.
func intro(dir, where string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		abs = dir
	}
	text := "This is a demo. Nothing leaves this machine; everything is kept in " + abs + "."
	if where != "" {
		text += "\nOpen it in your browser: " + where
	}
	return text
}

// introStaff says who one may pretend to be.
func introStaff(terminal bool) string {
	var names []string
	for _, p := range demo.Staff() {
		note := ""
		switch {
		case p.Disabled:
			note = " (disabled account)"
		case p.Lang == "es":
			note = " (español)"
		}
		names = append(names, p.Username+note)
	}
	text := fmt.Sprintf("Pretend to be one of %s.\nThe password of each is %s.", strings.Join(names, ", "), string(localdir.DemoPassword))
	if terminal {
		text += " Commands here begin with /, for example /help."
	}
	return text
}
