package program

import (
	"context"
	"fmt"
	"time"

	"latchkey/bot"
	"latchkey/cmd/latchkey/textfmt"
)

// lookAtDirectory tells how reading the directory goes.
func (p *Program) lookAtDirectory(ctx context.Context) (fs []bot.Finding, err error) {
	if p.Connections.Source == nil {
		return nil, nil
	}
	for _, x := range []struct {
		reading bot.Reading
		every   time.Duration
	}{{bot.PeopleReading, p.Config.Entra.SyncEvery}, {bot.ReportReading, p.Config.Entra.ReportEvery}} {
		if x.reading == bot.PeopleReading && !p.SyncsPeople() {
			continue
		}
		var s bot.SyncState
		var now time.Time
		err := p.DB.View(ctx, func(tx bot.Tx) (err error) {
			now = tx.Now()
			s, err = tx.SyncState(x.reading)
			return err
		})
		if err != nil {
			return nil, err
		}
		f, command, refused := bot.Finding{What: string(x.reading)}, "`latchkey people sync`", "`latchkey people sync --dry-run` shows what would change"
		if x.reading == bot.ReportReading {
			command, refused = "`latchkey people sync --report`", "see what has become of the report; if that is meant, `latchkey people sync --report --yes` takes it"
		}
		switch last := s.Last; {
		case s.NoLicence: // "report" of Entra has the rest
			f = f.Is(bot.Doubtful, "there is none without a Microsoft Entra ID P1 or P2 licence; it is asked for again every "+x.every.String(), "see \"report\" above for the two ways out; `latchkey status entra` says what the verdicts rest on meanwhile")
		case s.Failures > 0 && !s.AskedAt.IsZero() && !asksToWait(s):
			f = f.Is(bot.Broken, fmt.Sprintf("the directory has asked to wait since %s and gives nothing: %s", textfmt.When(s.AskedAt), s.Error), "look at Microsoft's service health; it is tried again at "+textfmt.When(s.Due))
		case s.Refused != "":
			f = f.Is(bot.Broken, "what was read was not taken: "+s.Refused, refused)
		case asksToWait(s) && s.Due.After(now):
			f.Text, f.Fix = "the directory asks to wait until "+textfmt.When(s.Due), "it is tried again then"
			if s.Failures > 0 {
				f.State, f.Text = failedState(s), fmt.Sprintf("%s; before that it could not be read, tried %s: %s", f.Text, textfmt.Times(s.Failures), s.Error)
			}
		case s.Failures > 0:
			f.State, f.Text, f.Fix = failedState(s), fmt.Sprintf("cannot be read, tried %s: %s", textfmt.Times(s.Failures), s.Error), "it is tried again at "+textfmt.When(s.Due)+"; once it is mended, "+command+" does so at once"
		case s.Running() && s.Restarts > 1:
			f = f.Is(bot.Doubtful, fmt.Sprintf("the directory asked %d times to begin anew", s.Restarts), "see whether something between this machine and entra.graph_url changes addresses or answers")
		case s.Warning != "":
			f = f.Is(bot.Doubtful, "read without a part of it: "+s.Warning, "grant what is missing; the next reading tries it again")
		case s.Running() && last == nil:
			f = f.Is(bot.Doubtful, fmt.Sprintf("not read to its end yet: begun %s, %s", textfmt.When(s.StartedAt), SyncProgress(s, now)), "the service goes on with it, and so does "+command)
		case last == nil:
			f = f.Is(bot.Doubtful, "not read yet", "start the service, or run "+command)
		case now.Sub(last.At) > 3*x.every:
			f = f.Is(bot.Doubtful, fmt.Sprintf("last read %s, and that should be every %s", textfmt.When(last.At), x.every), "see whether the service runs")
		case x.reading == bot.ReportReading && last.Rows == 0:
			f = f.Is(bot.Doubtful, fmt.Sprintf("last read %s, and it has nobody of the people here, so nobody can be told whether they will still get in", textfmt.When(last.At)), p.Unreported())
		default:
			f.Text = fmt.Sprintf("last read %s: %s", textfmt.When(last.At), textfmt.Rows(last.Rows))
		}
		fs = append(fs, f)
	}
	return fs, nil
}

// Unreported is what to do where the report has nobody of the people here.
func (p *Program) Unreported() string {
	if p.SyncsPeople() {
		return "people who came in the last 36 hours are not in it yet, and those who are switched off never are: if others are here, see that entra.tenant is their tenant"
	}
	return "the ids of the staff list must be Entra's object ids, in lower case: set directory.kind to entra, or import a list that has them (column objectId), then run `latchkey people sync --report`"
}

// failedState is what the failures in a row are.
func failedState(s bot.SyncState) bot.FindingState {
	if s.Failures >= SyncFailures || s.Hopeless {
		return bot.Broken
	}
	return bot.Doubtful
}
