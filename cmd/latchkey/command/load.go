package command

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/load"
	"latchkey/cmd/latchkey/program"
	"latchkey/store"
)

// loadOptions are the flags of `latchkey load`.
type loadOptions struct {
	kind                     string
	store, postgres          string
	people, conc, warm, seed int
	rounds                   int
	limit, pace              time.Duration
	json                     bool
	against                  string
	inResponse               bool
	processes                int
	campaign                 int
	campaignRate             float64
}

func loadCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "load", Short: "Measure what this machine can do, with pretend people", Args: exactly(0, ""),
		Long: `Talks to the program as many people at once do, verifies every reply, and prints
what it took. Everything is pretended: the chat, the phones, the people. Nothing
is sent anywhere, and what was started ends. Beside the figures stands how often
a second the disk makes a block durable in the same minute, since that is the
limit of a single conversation.

Kinds:
  scenario   a dialogue of 12 turns: engine, database, one message a turn
  enroll     whole enrollments with the shipped scripts: sign-in, app with picture,
             a code by text, three hashed answers; beside it the limit of hashing
  engine     the engine alone with the shipped scripts, on one core
  start      from the start of the process to the first reply, and the memory of
             open conversations
  web        people who are all connected to the web chat at once and enroll: the
             time from a request to the reply in the browser's event stream, and
             the memory of an idle connection
  teams      the dialogue of 12 turns by HTTP, as Bot Framework activities: from an
             activity to its answer, of this program or of another bot (--against)

  latchkey load                                    50 people at once on SQLite
  latchkey load --conc 1 --people 200              one person alone
  latchkey load --campaign 100000 --people 40000   while a campaign writes to many
  latchkey load --kind enroll --people 300
  latchkey load --kind start --seed-conversations 100000
  latchkey load --kind web --people 1000 --pace 4s
  latchkey load --kind teams --in-response
  PGLOAD='host=/run/postgresql dbname=load' latchkey load --kind teams --postgres PGLOAD --processes 2
  latchkey load --kind teams --against http://127.0.0.1:3978/api/messages
  PGLOAD='host=/run/postgresql dbname=load' latchkey load --postgres PGLOAD

Two scenarios at once on one PostgreSQL show what a second process brings: each has
a channel of its own there.

Use a database of its own: pretend people and conversations are left in it. To
see what counts on your disk, give --store a folder on it.

Next: compare with what your staff needs: 10,000 people enrolling within an hour
are about 50 turns a second.`,
	}
	var o loadOptions
	f := cmd.Flags()
	f.StringVar(&o.kind, "kind", "scenario", "scenario, enroll, engine, start, web or teams: `KIND`")
	f.StringVar(&o.store, "store", "", "`FOLDER` for the SQLite files; without it a temporary one, deleted at the end")
	f.StringVar(&o.postgres, "postgres", "", "`NAME` of the environment variable with a PostgreSQL address on this machine (socket or loopback)")
	f.IntVar(&o.people, "people", 0, "`NUMBER` of people (scenario 2000, enroll 100, web 1000)")
	f.IntVar(&o.conc, "conc", 0, "`NUMBER` of people at once (scenario 50, enroll 16)")
	f.IntVar(&o.warm, "warm", 100, "`NUMBER` of people before the measurement (scenario)")
	f.IntVar(&o.seed, "seed-conversations", 0, "`NUMBER` of conversations that are open already")
	f.IntVar(&o.rounds, "rounds", 5, "`NUMBER` of starts of which the median is printed (start)")
	f.DurationVar(&o.pace, "pace", 4*time.Second, "mean `TIME` that a person takes for one answer (web)")
	f.StringVar(&o.against, "against", "", "messaging endpoint (`URL`) of another bot on this machine that knows the dialogue, to measure instead (teams)")
	f.BoolVar(&o.inResponse, "in-response", false, "ask for the answer in the HTTP response, not by the connector (teams)")
	f.IntVar(&o.processes, "processes", 1, "`NUMBER` of processes that share the database (teams with --postgres)")
	f.IntVar(&o.campaign, "campaign", 0, "`NUMBER` of people whom a campaign writes to meanwhile, after a measurement without it (scenario)")
	f.Float64Var(&o.campaignRate, "campaign-rate", 50, "`NUMBER` of messages a second that the campaign's platform takes")
	f.DurationVar(&o.limit, "limit", 10*time.Minute, "give up after this `TIME`")
	f.BoolVar(&o.json, "json", false, "print one line of JSON instead of a table")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := o.check(cmd); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeoutCause(cmd.Context(), o.limit, fmt.Errorf("not done within --limit %v", o.limit))
		defer cancel()
		err := o.run(ctx, s)
		if err != nil && ctx.Err() != nil {
			return fmt.Errorf("load: %w", context.Cause(ctx))
		}
		return err
	}
	return cmd
}

// check fills in what was left out, and refuses what would not end.
func (o *loadOptions) check(cmd *cobra.Command) error {
	def := func(v *int, n int) {
		if *v == 0 {
			*v = n
		}
	}
	switch o.kind {
	case "scenario", "teams":
		def(&o.people, 2000)
		def(&o.conc, 50)
	case "enroll":
		def(&o.people, 100)
		def(&o.conc, 16)
	case "web":
		def(&o.people, 1000)
		if o.people > 20_000 {
			return usage(cmd, "--people must be at most 20000 with --kind web: each has a connection")
		}
	case "engine", "start":
	default:
		return usage(cmd, "--kind %q is not known: use scenario, enroll, engine, start, web or teams", o.kind)
	}
	if o.against != "" {
		u, err := url.Parse(o.against)
		if err != nil || o.kind != "teams" || u.Scheme != "http" || net.ParseIP(u.Hostname()) == nil || !net.ParseIP(u.Hostname()).IsLoopback() {
			return usage(cmd, "--against goes with --kind teams, and names a bot on this machine: http://127.0.0.1:PORT/PATH")
		}
	}
	if o.processes < 1 || o.processes > 8 || o.processes > 1 && (o.kind != "teams" || o.postgres == "" || o.against != "") {
		return usage(cmd, "--processes is 1 to 8, and goes with --kind teams --postgres NAME: only PostgreSQL can be shared")
	}
	if o.campaign > 0 && o.kind != "scenario" || o.campaignRate < 0.01 || o.campaignRate > 1000 {
		return usage(cmd, "--campaign goes with --kind scenario, and --campaign-rate is 0.01 to 1000")
	}
	if o.pace < 0 || o.pace > time.Minute {
		return usage(cmd, "--pace must be between 0 and 1m")
	}
	for _, n := range []struct {
		name     string
		v, limit int
	}{{"people", o.people, 1_000_000}, {"conc", o.conc, 4096}, {"campaign", o.campaign, 1_000_000}, {"warm", o.warm, 100_000}, {"seed-conversations", o.seed, 1_000_000}, {"rounds", o.rounds, 100}} {
		if n.v < 0 || n.v > n.limit {
			return usage(cmd, "--%s must be between 0 and %d", n.name, n.limit)
		}
	}
	if o.store != "" && o.postgres != "" {
		return usage(cmd, "give --store or --postgres, not both")
	}
	return nil
}

// loadResult is what one run prints.
type loadResult struct {
	Kind    string  `json:"kind"`
	Store   string  `json:"store,omitempty"`
	People  int     `json:"people,omitempty"`
	Conc    int     `json:"conc,omitempty"`
	Seed    int     `json:"seed_conversations,omitempty"`
	Syncs   float64 `json:"disk_syncs_s"`
	Hashes  float64 `json:"hashes_s,omitempty"`      // answers hashed a second, nothing else
	OfLimit float64 `json:"of_hash_limit,omitempty"` // enrollments a second times three answers / Hashes
	OfCPU   float64 `json:"of_processor,omitempty"`  // part of the processor time that is hashing; others' work does not disturb it
	Report  any     `json:"report"`
	lines   []load.Line
}

func (o *loadOptions) run(ctx context.Context, s std) (err error) {
	dir := o.store
	if dir == "" {
		if dir, err = os.MkdirTemp("", "latchkey-load-*"); err != nil {
			return fmt.Errorf("load: make a folder: %w", err)
		}
		defer os.RemoveAll(dir)
	} else if err = dataFolder(dir); err != nil {
		return err
	}
	res := &loadResult{Kind: o.kind, People: o.people, Conc: o.conc, Seed: o.seed, Store: "sqlite"}
	dsn := filepath.Join(dir, "load.db")
	if o.postgres != "" {
		if dsn, err = localPostgres(s.getenv(o.postgres), o.postgres); err != nil {
			return err
		}
		res.Store = "postgres"
	}
	before, err := load.SyncRate(dir, 300*time.Millisecond)
	if err != nil {
		return err
	}
	switch o.kind {
	case "scenario":
		err = o.scenario(ctx, res, dsn)
	case "enroll":
		err = o.enroll(ctx, res, dir, dsn)
	case "engine":
		err = o.engine(res, dir)
	case "start":
		err = o.start(ctx, res, dir, dsn)
	case "web":
		err = o.web(ctx, res, dir)
	case "teams":
		err = o.teams(ctx, res, dsn)
	}
	if err != nil {
		return err
	}
	after, err := load.SyncRate(dir, 300*time.Millisecond)
	if err != nil {
		return err
	}
	res.Syncs = (before + after) / 2
	if o.json {
		return json.NewEncoder(s.out).Encode(res)
	}
	return load.Print(s.out, append(res.lines, load.Of("disk, syncs a second", res.Syncs, "before and after, appending 4 KiB")))
}

func (o *loadOptions) scenario(ctx context.Context, res *loadResult, dsn string) error {
	r, err := load.Run(ctx, load.Options{DSN: dsn, Users: o.people, Conc: max(1, o.conc), Warm: o.warm, Seed: o.seed, Campaign: o.campaign, CampaignRate: o.campaignRate})
	if err != nil {
		return err
	}
	res.Report, res.lines = r, r.Lines()
	return nil
}

func (o *loadOptions) engine(res *loadResult, dir string) error {
	res.Store = ""
	set, err := program.LoadScripts(pretendConfig(dir, ""), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	r, err := load.Alone(set, 2*time.Second)
	if err != nil {
		return err
	}
	res.Report, res.lines = r, r.Lines()
	return nil
}

func (o *loadOptions) enroll(ctx context.Context, res *loadResult, dir, dsn string) error {
	lp, err := openLoadProgram(ctx, dir, dsn)
	if err != nil {
		return err
	}
	defer lp.close()
	// Whoever was enrolled here by a run before stays.
	by, err := lp.DB.CountPeople(ctx)
	if err != nil {
		return err
	}
	first := 0
	for _, n := range by {
		first += n
	}
	rep, err := lp.DB.ImportPeople(ctx, load.People(first+o.people), store.ImportOptions{})
	if err != nil {
		return err
	}
	if !rep.Stored {
		return fmt.Errorf("load: the pretend staff was not stored, %d rows are wrong; use a database of its own", rep.Bad)
	}
	pool, cores := vault.NewPool(lp.Config.Policy), lp.Config.Policy.HashWorkers
	while := time.Duration(min(o.people, 100)) * 10 * time.Millisecond
	hashes, cost, err := load.HashRate(ctx, pool, cores, while)
	if err != nil {
		return err
	}
	r, err := load.Enroll(ctx, load.EnrollOptions{Inbox: lp.Turn, Platform: lp.platform, Phones: lp.phones, People: o.people, Conc: o.conc, First: first})
	if err != nil {
		return err
	}
	more, cost2, err := load.HashRate(ctx, pool, cores, while)
	if err != nil {
		return err
	}
	res.Hashes = (hashes + more) / 2
	limit := res.Hashes / float64(lp.Config.Policy.QuestionsPicked)
	res.OfLimit = r.PerSecond / limit
	res.OfCPU = (cost + cost2) / 2 * float64(lp.Config.Policy.QuestionsPicked) / r.CPU
	res.Report = r
	res.lines = append(r.Lines(), load.Of("hashing alone would allow", limit, "enrollments a second, measured before and after"), load.Of("of that limit", 100*res.OfLimit, "%"), load.Of("of the processor's time", 100*res.OfCPU, "% is hashing"))
	return nil
}

func (o *loadOptions) start(ctx context.Context, res *loadResult, dir, dsn string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("load: find this program: %w", err)
	}
	if res.Store != "sqlite" {
		return errors.New("load: --kind start starts from an empty store, so it works on SQLite only")
	}
	n := 0
	r, err := load.Start(load.StartOptions{
		Rounds: o.rounds, Open: o.seed,
		Dir: func() (string, error) {
			n++
			d := filepath.Join(dir, "start-"+strconv.Itoa(os.Getpid())+"-"+strconv.Itoa(n))
			if err := dataFolder(d); err != nil {
				return "", err
			}
			_, err := vault.Create(pretendConfig(d, "").KeysFile)
			return d, err
		},
		Command: func(d string) *exec.Cmd { return exec.CommandContext(ctx, self, "load-peer", "--store", d) },
	})
	if err != nil {
		return err
	}
	res.Report, res.lines = r, r.Lines()
	return nil
}

// web starts the program in a process of its own, so that its memory is its own.
func (o *loadOptions) web(ctx context.Context, res *loadResult, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("load: find this program: %w", err)
	}
	if res.Store != "sqlite" {
		return errors.New("load: --kind web works on SQLite only")
	}
	r, err := load.Web(ctx, load.WebOptions{People: o.people, Pace: o.pace, Command: func() *exec.Cmd {
		return exec.CommandContext(ctx, self, "load-peer", "--store", dir, "--web", strconv.Itoa(o.people))
	}})
	if err != nil {
		return err
	}
	res.Report, res.lines = r, r.Lines()
	return nil
}

// teams starts store, services and adapter in a process of their own, so that what
// they need is not mixed with what the driver needs.
func (o *loadOptions) teams(ctx context.Context, res *loadResult, dsn string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("load: find this program: %w", err)
	}
	if o.against != "" {
		res.Store = o.against
	}
	r, err := load.Teams(ctx, load.TeamsOptions{People: o.people, Conc: max(1, o.conc), Warm: o.warm, InResponse: o.inResponse, Processes: o.processes, Against: o.against, Command: func() *exec.Cmd {
		return exec.CommandContext(ctx, self, "load-peer", "--store", dsn, "--teams", strconv.Itoa(o.seed))
	}})
	if err != nil {
		return err
	}
	res.Report, res.lines = r, r.Lines()
	return nil
}

// localPostgres refuses a database on another machine.
func localPostgres(dsn, name string) (string, error) {
	if dsn == "" {
		return "", fmt.Errorf("load: the environment variable %s is empty: put a PostgreSQL address into it, for example %s='host=/run/postgresql dbname=load'", name, name)
	}
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return "", fmt.Errorf("load: %s is no PostgreSQL address", name) // the text of err may quote a password
	}
	hosts := []string{c.Host}
	for _, f := range c.Fallbacks {
		hosts = append(hosts, f.Host)
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); !strings.HasPrefix(h, "/") && h != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return "", fmt.Errorf("load: %s names the host %q: only a database on this machine is loaded; use a socket or 127.0.0.1", name, h)
		}
	}
	return dsn, nil
}
