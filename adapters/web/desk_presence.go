package web

import (
	"context"
	"slices"
	"sync"
	"time"

	"latchkey/bot"
)

// presence knows which agents look at which ticket, by their open event streams.
// It knows those of this process alone: nobody is kept from anything by it.
type presence struct {
	mu      sync.Mutex
	looking map[string][]*looker // by ticket
	noted   map[bot.PersonID]time.Time
}

// atWork notes that an agent is at the desk, now and then.
func (a *Adapter) atWork(ctx context.Context, who bot.PersonID) {
	if !a.presence.due(who, a.o.Now()) {
		return
	}
	if err := a.o.Desk.Here(ctx, who); err != nil && ctx.Err() == nil {
		a.o.Log.Warn("web: it cannot be noted that an agent is at the desk", "err", err)
	}
}

// due reports whether it is time to note that an agent is at the desk.
func (p *presence) due(who bot.PersonID, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.noted[who]).Abs() < deskUse {
		return false
	}
	if p.noted == nil {
		p.noted = map[bot.PersonID]time.Time{}
	}
	p.noted[who] = now
	return true
}

// A looker is one open stream of an agent at a ticket. others is told when somebody
// else comes or goes there.
type looker struct {
	who    bot.DeskSeat
	others chan struct{}
}

// looks notes that an agent looks at a ticket, until leave.
func (p *presence) looks(ticket string, who bot.DeskSeat) (others <-chan struct{}, leave func()) {
	l := &looker{who, make(chan struct{}, 1)}
	if ticket == "" {
		return l.others, func() {}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.looking == nil {
		p.looking = map[string][]*looker{}
	}
	p.tell(ticket)
	p.looking[ticket] = append(p.looking[ticket], l)
	return l.others, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.looking[ticket] = slices.DeleteFunc(p.looking[ticket], func(o *looker) bool { return o == l }); len(p.looking[ticket]) == 0 {
			delete(p.looking, ticket)
		}
		p.tell(ticket)
	}
}

// tell wakes those who look at a ticket. p.mu is held.
func (p *presence) tell(ticket string) {
	for _, l := range p.looking[ticket] {
		select {
		case l.others <- struct{}{}:
		default: // it is told already
		}
	}
}

// others are the names of those who look at a ticket, without one.
func (p *presence) others(ticket string, but bot.PersonID) (names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.looking[ticket] {
		if name := bot.Harmless(l.who.Name); l.who.Person != but && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
