package program

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/bot/outbox"
)

// longestAlert is how long the doctor lists an alert about a person.
const longestAlert = 7 * 24 * time.Hour

// longestLook bounds what one platform may take.
const longestLook = 30 * time.Second

// A Section is what the doctor found about one part of the program.
type Section struct {
	Name     string // "store", "senders", or a channel's id
	Findings []bot.Finding
	Platform bool // it is about a chat platform
}

// Examine asks all outside systems at once, looks at what is stored, and tells
// what it found, section by section in the order in which operators read it;
// parts of which there is nothing to say are left out. serving says that this
// process is the service, so that its connections are told, too.
func (p *Program) Examine(ctx context.Context, serving bool, tell func(Section)) error {
	ids := slices.Sorted(maps.Keys(p.Connections.channels))
	found := make([][]bot.Finding, len(ids))
	var source []bot.Finding
	var rooms []bot.Finding
	var all sync.WaitGroup
	all.Go(func() { rooms = p.lookAtRooms(ctx) })
	for i, id := range ids {
		all.Go(func() { found[i] = p.lookAtChannel(ctx, id, serving) })
	}
	all.Go(func() { source = look(ctx, p.Connections.Source) })
	all.Wait()
	show := func(name string, fs []bot.Finding) {
		if len(fs) > 0 {
			tell(Section{Name: name, Findings: fs})
		}
	}
	open, err := p.alerts(ctx, longestAlert)
	if err != nil {
		return err
	}
	show("alerts", open)
	show("configuration", p.broken)
	show("store", []bot.Finding{p.lookAtClock()})
	sends, err := p.lookAtSenders(ctx, serving)
	if err != nil {
		return err
	}
	show("senders", sends)
	show("messages", []bot.Finding{p.lookAtMail(ctx), p.lookAtInbox(ctx)})
	show("entra", source)
	dir, err := p.lookAtDirectory(ctx)
	if err != nil {
		return err
	}
	show("directory", dir)
	if c := p.Config; c != nil && c.Desk.Enabled {
		show("desk", append([]bot.Finding{p.lookAtDesk(ctx)}, rooms...))
	}
	if provider := p.Connections.provider; provider != nil {
		ctx, cancel := context.WithTimeout(ctx, longestLook)
		defer cancel()
		show("sign-in", provider.Examine(ctx))
	}
	for i, id := range ids {
		if len(found[i]) > 0 {
			tell(Section{Name: string(id), Findings: found[i], Platform: true})
		}
	}
	return nil
}

// look asks an outside system that examines itself; a panic of its adapter is
// a finding, too.
func look(ctx context.Context, system any) (fs []bot.Finding) {
	x, ok := system.(bot.Examiner)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, longestLook)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			fs = append(fs, bot.Finding{What: "adapter", State: bot.Broken, Text: fmt.Sprintf("panicked: %T", v), Fix: "report this"})
		}
	}()
	return x.Examine(ctx)
}

// lookAtChannel examines one channel, and its connection while the service runs.
func (p *Program) lookAtChannel(ctx context.Context, id bot.ChannelID, serving bool) []bot.Finding {
	fs := look(ctx, p.Connections.channels[id])
	if _, ok := p.Connections.channels[id].(bot.Examiner); !ok || !serving {
		return fs
	}
	f := bot.Finding{What: "connection", Text: "up"}
	if state, _ := p.health(id); !state.OK {
		f = f.Is(bot.Broken, state.Text, "the log of the service has more; it keeps trying")
	} else if s := since(state); s != "" {
		f.Text += " " + s
	}
	return append(fs, f)
}

// lookAtDesk tells whether anybody answers at the help desk.
func (p *Program) lookAtDesk(ctx context.Context) bot.Finding {
	n, admins, off := 0, 0, 0
	err := p.DB.View(ctx, func(tx bot.Tx) error {
		n, admins, off = 0, 0, 0
		all, err := tx.Agents()
		for i := 0; i < len(all) && err == nil; i++ {
			var usable bool
			switch usable, err = desk.Usable(tx, all[i].Person); {
			case usable && all[i].Role == bot.RoleAdmin:
				admins++
				fallthrough
			case usable:
				n++
			case all[i].Role != bot.RoleOutside:
				off++
			}
		}
		return err
	})
	f := bot.Finding{What: "agents", Text: strconv.Itoa(n)}
	if off > 0 {
		f.Text += fmt.Sprintf(", and %d more whose accounts are off or frozen", off)
	}
	switch {
	case err != nil:
		return bot.Finding{What: "agents", State: bot.Broken, Text: err.Error()}
	case n == 0 && off > 0:
		return f.Is(bot.Doubtful, "the accounts of all agents are off or frozen: nobody answers", "`latchkey desk agents` names them; `latchkey people enable`, `latchkey people unfreeze` or `latchkey desk grant`")
	case n == 0:
		return bot.Finding{What: "agents", State: bot.Doubtful, Text: "desk.enabled is true, and nobody is an agent: people are told to call",
			Fix: "`latchkey desk grant USER --role admin --why TEXT`"}
	}
	if admins == 0 {
		return f.Is(bot.Doubtful, "no admin whose account is on: nobody can say on the web who is an agent", "`latchkey desk grant USER --role admin --why TEXT`")
	}
	return f
}

// lookAtRooms tells whether the help desk's own channels, and those of campaigns, can
// be written to.
func (p *Program) lookAtRooms(ctx context.Context) (fs []bot.Finding) {
	if p.Config == nil {
		return nil
	}
	var rooms []string
	if p.Config.Desk.Enabled {
		rooms = append(rooms, p.Config.Desk.Channels...)
	}
	ctx, cancel := context.WithTimeout(ctx, longestLook)
	defer cancel()
	for _, v := range append(rooms, p.Config.Campaigns.Channels...) {
		account, id, _ := strings.Cut(v, " ")
		f := bot.Finding{What: "channel " + v, Text: "can be written to"}
		x, ok := p.Connections.channels[bot.ChannelID(account)].(bot.RoomExaminer)
		if !ok {
			f.State, f.Text, f.Fix = bot.Broken, "the account is not connected, so nothing is said there", "see what is said of "+account
		} else if err := x.ExamineRoom(ctx, id); err != nil {
			why, fix, _ := strings.Cut(err.Error(), "; ")
			f.State, f.Text, f.Fix = bot.Broken, why, cmp.Or(fix, "see what is said of "+account)
		}
		fs = append(fs, f)
	}
	return fs
}

// lookAtClock tells whether the clock was set, and what became of it.
func (p *Program) lookAtClock() bot.Finding {
	if text := p.DB.Clock().String(); text != "" {
		return bot.Finding{What: "clock", State: bot.Doubtful, Text: text,
			Fix: "see that time is synchronised (NTP) here and on the database's machine; to have the right time at once, stop the service and run `latchkey restore --mark`, which voids open codes and links"}
	}
	return bot.Finding{What: "clock", Text: "no step seen"}
}

// lookAtInbox tells of what people wrote and nobody could read, if that was given
// up a short while ago.
func (p *Program) lookAtInbox(ctx context.Context) bot.Finding {
	f := bot.Finding{What: "never read", Text: "none since yesterday"}
	lost := 0
	err := p.DB.View(ctx, func(tx bot.Tx) error {
		rows, err := tx.Inbound(mostMail)
		for _, r := range rows {
			if !r.GivenUp.IsZero() && tx.Now().Sub(r.GivenUp) <= freshAlert {
				lost++
			}
		}
		return err
	})
	switch {
	case err != nil:
		f.State, f.Text = bot.Broken, err.Error()
	case lost > 0:
		f = f.Is(bot.Doubtful, fmt.Sprintf("never read, since it could not be found out who wrote it: %d in the last day", lost), "`latchkey inbox list` says where and why, and `latchkey inbox retry` has them tried again")
	}
	return f
}

const (
	// freshMail is how long a message that was given up counts, from when it
	// was said; one may be tried for a day.
	freshMail = 48 * time.Hour
	// mostMail bounds how many are looked at.
	mostMail = 1000
)

// lookAtMail tells of messages that were given up a short while ago.
func (p *Program) lookAtMail(ctx context.Context) bot.Finding {
	f := bot.Finding{What: "given up", Text: "none since yesterday"}
	var lost []bot.OutboxRow
	err := p.DB.View(ctx, func(tx bot.Tx) (err error) {
		lost, err = tx.GivenUp(mostMail)
		lost = slices.DeleteFunc(lost, func(r bot.OutboxRow) bool {
			return tx.Now().Sub(r.CreatedAt) > freshMail || outbox.Gone(&r)
		})
		return err
	})
	switch {
	case err != nil:
		f.State, f.Text = bot.Broken, err.Error()
	case len(lost) > 0:
		f = f.Is(bot.Doubtful, fmt.Sprintf("%d messages were not delivered, or nobody knows", len(lost)), "`latchkey outbox list` says why, and what to do about each")
	}
	return f
}
