package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"latchkey/bot"
	"latchkey/bot/directory"
	"latchkey/cmd/latchkey/program"
	"latchkey/cmd/latchkey/textfmt"
	"latchkey/store"
)

// syncFlags are what the operator asks of a sync.
type syncFlags struct{ full, dry, yes, report bool }

func syncCommand(s std) *cobra.Command {
	cmd := &cobra.Command{
		Use: "sync", Short: "Read people from the directory (Microsoft Entra) now", Args: exactly(0, ""),
		Long: `Reads accounts from the directory, and the members of the groups that are the
staff (entra.groups), and makes people of them, as the service does by itself every
entra.sync_every. It works while the service runs and without it, and shows how far
it is. Only what has changed since the last time is read; --full reads everything.

People change at the end, all at once: a sync that is interrupted or fails changes
nobody, keeps its place, and is gone on with by the service or by the same command.

Who was deleted in the directory, or is in none of the groups any more, is switched
off, and on again when the directory has them again. Guests are kept and not
enrolled. Too many people who would be switched off at once are refused, as by an
import (of the service's own syncs, those of 24 hours count together): look with
--dry-run, and say --yes if that is meant. Lists (people import)
may be used beside: a sync leaves alone whom the directory never had. Of whom it
has, it wins in what it says. An account is on only when neither has it off.

  latchkey people sync --config latchkey.yaml --dry-run
  latchkey people sync --config latchkey.yaml
  latchkey people sync --config latchkey.yaml --report

--report reads the report of sign-in methods and the tenant's policy, too; people
need not come from the directory for it. --dry-run tells what would change.

Next: latchkey people list --config latchkey.yaml`,
	}
	file := configFlag(cmd, s)
	var f syncFlags
	cmd.Flags().BoolVar(&f.full, "full", false, "read all accounts, not only what has changed")
	cmd.Flags().BoolVar(&f.dry, "dry-run", false, "say what would change; people stay as they are")
	cmd.Flags().BoolVar(&f.yes, "yes", false, "go on although many people would be switched off, or the directory has nobody")
	cmd.Flags().BoolVar(&f.report, "report", false, "read the report of sign-in methods, too")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s := s
		s.ifInterrupted = "the running service goes on with the sync, and people change when all is read: the same command follows it again"
		if f.dry {
			s.ifInterrupted = "the running service reads on, and people stay as they are (--dry-run)"
		}
		return withProgram(cmd, s, *file, func(p *program.Program) error { return syncNow(cmd.Context(), p, s, f) })
	}
	return cmd
}

// syncNow reads what is asked for, one after the other.
func syncNow(ctx context.Context, p *program.Program, s std, f syncFlags) error {
	if !p.SyncsPeople() && !f.report {
		return fmt.Errorf("directory.kind is %q, so people come from lists (latchkey people import): set it to entra to read them from the directory, or read the report of sign-in methods alone with --report", p.Config.Directory)
	}
	reader, err := p.DirectoryReader()
	if err != nil {
		return err
	}
	run := syncRun{s: s, p: p, reader: reader, f: f}
	if p.SyncsPeople() {
		if err := run.people(ctx); err != nil {
			return err
		}
	}
	if !f.report {
		return nil
	}
	return run.report(ctx)
}

// A syncRun is one run of the command.
type syncRun struct {
	s      std
	p      *program.Program
	reader *directory.Service
	f      syncFlags
}

// people reads people and tells what has changed, or would.
func (r *syncRun) people(ctx context.Context) error {
	last, err := r.read(ctx, bot.PeopleReading, directory.Order{Full: r.f.full, Dry: r.f.dry, Force: r.f.yes && !r.f.dry, By: operatorActor(r.s), Alone: r.s.running == nil})
	if errors.Is(err, directory.ErrRunning) {
		return fmt.Errorf("%w, and a dry run cannot hold it: `latchkey people sync` follows it to its end; after that, give --dry-run again", err)
	}
	if err != nil {
		return err
	}
	if r.f.dry {
		return r.preview(ctx)
	}
	if last.Refused {
		state, err := r.reader.State(ctx, bot.PeopleReading)
		if err != nil {
			return err
		}
		fmt.Fprintf(r.s.err, "latchkey: the directory: %s; nobody was changed\n", textfmt.Printable(state.Refused))
		return codeError(exitError)
	}
	fmt.Fprintf(r.s.out, "the directory: %s; added %d, changed %d, left %d as they are, switched off %d; %s left out\n",
		textfmt.Rows(last.Rows), last.Added, last.Changed, last.Unchanged, last.Off, textfmt.Rows(last.Wrong))
	if last.Erased > 0 {
		fmt.Fprintf(r.s.err, "the directory: %s left out: erased people (latchkey people erase)\n", textfmt.Rows(last.Erased))
	}
	if last.Wrong > 0 {
		fmt.Fprintf(r.s.err, "the directory: --dry-run says which %s left out, and why\n", textfmt.Rows(last.Wrong))
	}
	return nil
}

// preview tells what would change.
func (r *syncRun) preview(ctx context.Context) error {
	var rep store.ImportReport
	err := r.reader.Preview(ctx, func(ctx context.Context, m directory.Merge) (err error) {
		m.Force = r.f.yes
		rep, err = r.p.ImportSynced(ctx, m, true)
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range rep.Problems {
		fmt.Fprintf(r.s.err, "%s\n", textfmt.Printable(fmt.Sprintf("%s: %s", p.ID, p.Text)))
	}
	sayChanges(r.s.out, rep, "members, taken as staff", true, false)
	if rep.Refused != "" {
		fmt.Fprintf(r.s.err, "latchkey: the directory: %s; a sync would change nobody\n", textfmt.Printable(rep.Refused))
		return codeError(exitError)
	}
	_, err = fmt.Fprintf(r.s.out, "the directory: %s; would add %d, change %d, leave %d as they are, switch off %d; %s left out; nobody was changed (--dry-run)\n",
		textfmt.Rows(rep.Rows), rep.Inserted, rep.Updated, rep.Unchanged, rep.Gone, textfmt.Rows(rep.Bad+rep.Unread))
	return err
}

// report reads the report.
func (r *syncRun) report(ctx context.Context) error {
	last, err := r.read(ctx, bot.ReportReading, directory.Order{Force: r.f.yes, By: operatorActor(r.s)})
	if err != nil {
		return err
	}
	state, err := r.reader.State(ctx, bot.ReportReading)
	if err != nil {
		return err
	}
	if state.Warning != "" {
		fmt.Fprintf(r.s.err, "the report: not read: %s\n", textfmt.Printable(state.Warning))
	}
	if state.NoLicence {
		return nil
	}
	if last.Refused {
		fmt.Fprintf(r.s.err, "latchkey: the report: %s\n", textfmt.Printable(state.Refused))
		return codeError(exitError)
	}
	if _, err = fmt.Fprintf(r.s.out, "the report: %s on people here; not in it any more: %d\n", textfmt.Rows(last.Rows), last.Off); err != nil {
		return err
	}
	if last.Rows == 0 {
		fmt.Fprintf(r.s.err, "the report has nobody of the people here: %s\n", r.p.Unreported())
	}
	return nil
}

const (
	// syncLook is how often the command looks how far a sync is.
	syncLook = 300 * time.Millisecond
	// syncPatience is how long the command waits for the next try after a failure.
	syncPatience = time.Minute
)

// read begins a reading, or joins the one that is under way, and follows it to
// its end.
func (r *syncRun) read(ctx context.Context, reading bot.Reading, o directory.Order) (*bot.SyncResult, error) {
	before, err := r.reader.State(ctx, reading)
	if err != nil {
		return nil, err
	}
	began, err := r.reader.Begin(ctx, reading, o)
	if err != nil {
		return nil, err
	}
	switch {
	case !began && o.Dry && !before.Dry:
		fmt.Fprintf(r.s.err, "a sync of %s was interrupted; this reads on where it was, and people stay as they are (--dry-run)\n", reading)
	case !began:
		fmt.Fprintf(r.s.err, "a sync of %s is under way; this goes on with it\n", reading)
	}
	show := newProgress(r.s.err, 0)
	defer show.end()
	old := before.Failures // of before this command, which tries it anew
	failures, restarts := old, before.Restarts
	for {
		state, err := r.reader.State(ctx, reading)
		if err == nil && !state.Running() {
			return state.Last, nil
		}
		wait := syncLook
		if err == nil {
			show.say(program.SyncProgress(state, r.p.DB.Now()))
			old = min(old, state.Failures)
			if state.Failures > failures && !state.Hopeless {
				show.end()
				fmt.Fprintf(r.s.err, "page %d cannot be read: %s; again at %s\n", state.Pages+1, textfmt.Printable(state.Error), state.Due.Local().Format("15:04:05"))
			}
			failures = state.Failures
			if n := failures - old; n >= program.SyncFailures || n > 0 && (state.Hopeless || state.Due.Sub(r.p.DB.Now()) > syncPatience) {
				return nil, fmt.Errorf("the directory cannot be read: %s; people stay as they are. When that is mended, run the same command again; the service tries it by itself", textfmt.Printable(state.Error))
			}
			restarts = min(restarts, state.Restarts)
			if n := state.Restarts - restarts; n >= program.SyncFailures {
				return nil, fmt.Errorf("the directory asked %d times to begin anew; people stay as they are, and the service goes on by itself. See whether something between this machine and entra.graph_url changes addresses or answers", n)
			}
			if r.s.running == nil { // no service does it here
				wait, err = r.advance(ctx, reading)
			}
		}
		if err != nil && ctx.Err() == nil {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("interrupted; the sync keeps its place: the service goes on with it, or the same command")
		case <-time.After(min(wait, time.Second)):
		}
	}
}

// advance reads a page in this process. What fails at the directory stands in
// the state.
func (r *syncRun) advance(ctx context.Context, reading bot.Reading) (time.Duration, error) {
	wait, err := r.reader.Advance(ctx, reading)
	if directory.Noted(err) {
		err = nil
	}
	return wait, err
}
