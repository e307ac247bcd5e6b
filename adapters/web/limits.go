package web

import (
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"latchkey/adapters/chat"
	"latchkey/bot/policy"
)

// Limits of one session and of the whole process. They keep a broken script
// from hurting others; no person reaches them.
const (
	sessionBurst = 120                    // requests at once: a page, its pictures, a form checked while it is typed
	sessionEvery = 250 * time.Millisecond // and one more each
	tabStreams   = 8                      // event streams of one session: tabs that are looked at
	allStreams   = 20_000                 // event streams of this process: some 40 KB each, see TestIdleStreams
	remembered   = 20_000                 // addresses or sessions in one generation of a table
)

// limits says who has to wait. Each method returns how long, and 0 to go on.
//
// A whole school or office may sit behind one address, so an address is counted
// only while nobody knows who asks: requests without a session (60 at once,
// then one each 5 seconds), links that are opened (10 a minute), and failures
// (30 in 5 minutes, then nothing of the kind for 30 minutes). One visitor needs
// two requests to get a session and has budgets of their own from then on: this
// one, and that of each author in package turn. So some 30 people behind one
// address can start in the same minute; more of them wait seconds, and a
// lesson that starts together wants policy.web.burst raised.
//
// Behind a reverse proxy everybody has the proxy's address unless the proxy is
// named in Options.Proxies: then X-Forwarded-For tells them apart. Without it
// the first rush of visitors is told to wait, which is how a missing
// configuration shows; with a proxy named that is none, anybody could invent
// addresses. IPv6 is counted by /64, which is what one household or one desk
// gets.
//
// The tables are of bounded size: two generations, of which the older one is
// dropped when the newer is full. Whoever has more addresses than fit is not
// stopped by counting addresses anyway; codes and sign-ins have their own
// counters per person in the store.
type limits struct {
	now      func() time.Time
	p        *policy.Policy
	visits   chat.Recent[*rate.Limiter]
	links    chat.Recent[*rate.Limiter]
	acts     chat.Recent[*rate.Limiter]
	failures chat.Recent[failures]
}

// failures of one address.
type failures struct {
	at   []time.Time // within the window, oldest first
	till time.Time   // shut out
}

func newLimits(p *policy.Policy, now func() time.Time) *limits {
	l := &limits{now: now, p: p}
	l.visits.Most, l.links.Most, l.acts.Most, l.failures.Most = remembered, remembered, remembered, remembered
	return l
}

// visit counts a request without a session.
func (l *limits) visit(a netip.Addr) time.Duration {
	return l.take(l.visits.Make(a.String(), func() *rate.Limiter { return limiter(l.p.WebRate, l.p.WebBurst.N) }))
}

// openLink counts a one-time link that is opened.
func (l *limits) openLink(a netip.Addr) time.Duration {
	return l.take(l.links.Make(a.String(), func() *rate.Limiter { return limiter(l.p.LinkOpens, l.p.LinkOpens.N) }))
}

func limiter(l policy.Limit, burst int) *rate.Limiter {
	return rate.NewLimiter(rate.Limit(float64(l.N)/l.Per.Seconds()), max(1, burst))
}

// act counts a request with a session, by the hash of its token.
func (l *limits) act(session []byte) time.Duration {
	return l.take(l.acts.Make(string(session), func() *rate.Limiter { return rate.NewLimiter(rate.Every(sessionEvery), sessionBurst) }))
}

func (l *limits) take(b *rate.Limiter) time.Duration {
	now := l.now()
	r := b.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// failed counts a sign-in, a link or a code of an address that was wrong.
func (l *limits) failed(a netip.Addr) {
	now := l.now()
	l.failures.Change(a.String(), func(f *failures, _ bool) {
		for len(f.at) > 0 && now.Sub(f.at[0]) >= l.p.WebFailures.Per {
			f.at = f.at[1:]
		}
		f.at = append(f.at, now)
		if len(f.at) >= l.p.WebFailures.N {
			f.at, f.till = nil, now.Add(l.p.WebPause)
		}
	})
}

// shut tells how long an address is shut out after too many failures.
func (l *limits) shut(a netip.Addr) time.Duration {
	f, _ := l.failures.Get(a.String())
	return max(0, f.till.Sub(l.now()))
}
