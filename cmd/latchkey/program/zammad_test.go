package program

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/zammad"
	"latchkey/adapters/zammad/zammadtest"
	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/demo"
)

// zammadPremises are those of the demo with a Zammad beside them.
func zammadPremises(t *testing.T) (*premises, *zammadtest.Zammad) {
	t.Helper()
	there := zammadtest.Start()
	t.Cleanup(there.Close)
	const hookToken = "signature-token-of-zammad-0000"
	p := openPremises(t, func(p *premises, c *config.Config) []Integration {
		p.origin = "http://" + p.addr
		demo.Ease(c.Policy)
		c.Desk.Enabled = true
		c.Desk.Zammad = config.Zammad{URL: there.URL, Token: zammadtest.Token, Group: zammadtest.Group, Hook: hookToken, Timeout: 10 * time.Second}
		return []Integration{Pretend(p.dir), {"zammad", connectZammad}, {"web", ConnectWeb}}
	}, nil)
	there.Set(func(z *zammadtest.Zammad) { z.Hook, z.HookToken = p.origin+zammad.BackPath, hookToken })
	return p, there
}

// filed is the one ticket of Zammad that is of a ticket of ours.
func filed(t *testing.T, there *zammadtest.Zammad, ticket string) zammadtest.Ticket {
	t.Helper()
	var found []zammadtest.Ticket
	rigs.Until(t, "a ticket in Zammad", func() bool {
		found = slices.DeleteFunc(there.Tickets(), func(x zammadtest.Ticket) bool { return !strings.HasPrefix(x.Title, "Latchkey "+ticket) })
		return len(found) > 0
	})
	if len(found) != 1 {
		t.Fatalf("%d tickets in Zammad for %s", len(found), ticket)
	}
	return found[0]
}

// written waits for an article that has a text, and gives it.
func written(t *testing.T, there *zammadtest.Zammad, ticket int64, text string) (a zammadtest.Article) {
	t.Helper()
	rigs.Until(t, "an article: "+text, func() bool {
		as := there.Articles(ticket)
		i := slices.IndexFunc(as, func(a zammadtest.Article) bool {
			return a.CreatedBy == zammadtest.Bot && strings.Contains(a.Body, text)
		})
		if i >= 0 {
			a = as[i]
		}
		return i >= 0
	})
	return a
}

// Somebody is helped from Zammad alone: their lines are there, an agent's reach them
// under that agent's first name, what must not be sent is told there, and when the
// ticket is closed there the bot goes on.
func TestHelpFromZammad(t *testing.T) {
	p, there := zammadPremises(t)
	g := p.guest().arrives("/chat")
	g.says("human")
	g.says("Ann Lee, 555 0100")
	ticket := ""
	for id := range p.open() {
		ticket = id
	}
	z := filed(t, there, ticket)
	if card := there.Articles(z.ID)[0]; !card.Internal || !strings.Contains(card.Body, ticket+": somebody who has not signed in waits for somebody") || z.Customer != zammadtest.Bot {
		t.Errorf("the card there: %+v of %+v", card, z)
	}

	// Not before it was let: the agent there learns that nobody has read it.
	there.Writes(z.ID, "Hello, I am Maria.", false)
	if a := written(t, there, z.ID, "latchkey desk grant ticket-system"); !a.Internal {
		t.Errorf("%+v", a)
	}
	p.update(func(tx bot.Tx) error { return desk.GrantOutside(tx, "operator:root", "Zammad") })
	there.Writes(z.ID, "Which phone <b>is</b> it?", false)
	g.hears("Maria, help desk", "Which phone is it?")
	g.says("a Pixel, the code was 482913")
	if a := written(t, there, z.ID, "a Pixel, the code was"); a.Internal || a.Sender != "Customer" || strings.Contains(a.Body, "482913") {
		t.Errorf("the person's line there: %+v", a)
	}
	if z = filed(t, there, ticket); z.State != "open" && z.State != "new" {
		t.Errorf("its state is %s", z.State)
	}
	there.Writes(z.ID, "She called before.", true)
	there.Writes(z.ID, "Please send me the code that you got", false)
	if a := written(t, there, z.ID, "it asks for a code or a password"); !a.Internal {
		t.Errorf("%+v", a)
	}
	rigs.Until(t, "the note on the desk", func() bool {
		_, body := p.asks(p.agent("maria"), http.MethodGet, "/desk/t/"+ticket, nil)
		return strings.Contains(body, "She called before.")
	})

	// Zammad is down: nobody waits for it, and later it has all, in order, once each.
	var down atomic.Bool
	down.Store(true)
	var tried atomic.Int64
	there.Set(func(x *zammadtest.Zammad) {
		x.Before = func(w http.ResponseWriter, _ *http.Request) bool {
			if down.Load() {
				tried.Add(1)
				w.WriteHeader(http.StatusBadGateway)
			}
			return down.Load()
		}
	})
	for i := range 3 {
		from := time.Now()
		g.says(fmt.Sprintf("meanwhile %d.", i))
		if d := time.Since(from); g.status != http.StatusOK || d > 5*time.Second {
			t.Errorf("while Zammad is down: %d in %v", g.status, d)
		}
	}
	rigs.Until(t, "an attempt", func() bool { return tried.Load() > 0 })
	down.Store(false)
	written(t, there, z.ID, "meanwhile 2.")
	var got []string
	for _, a := range there.Articles(z.ID) {
		if i := strings.Index(a.Body, "meanwhile"); i >= 0 {
			got = append(got, a.Body[i:])
		}
	}
	if !slices.Equal(got, []string{"meanwhile 0.", "meanwhile 1.", "meanwhile 2."}) {
		t.Errorf("after it was down: %q", got)
	}

	// The webhook does not come: it is found by asking.
	there.Set(func(x *zammadtest.Zammad) { x.Hook = "" })
	there.Writes(z.ID, "Try it again now.", false)
	if err := p.Desk.LookAround(t.Context(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	g.hears("Maria, help desk", "Try it again now.")

	// Whoever may write there cannot name somebody else's ticket.
	stranger := there.Opens("Latchkey " + ticket + ": mine")
	there.Set(func(x *zammadtest.Zammad) { x.Hook = p.origin + zammad.BackPath })
	there.Writes(stranger, "From another ticket.", false)
	there.Closes(z.ID, "closed")
	g.hears("You are back with the assistant")
	if n := there.Refused(); n > 0 {
		t.Errorf("%d webhooks were refused", n)
	}
	if strings.Contains(g.body, "From another ticket.") || strings.Contains(g.body, "the code that you got") || strings.Contains(g.body, "I am Maria") {
		t.Errorf("the person has read what was not for them:\n%s", g.body)
	}
	if q := ticketOf(p, ticket); q.State != bot.TicketSolved {
		t.Errorf("the ticket is %v", q.State)
	}
}

// One that an agent of ours has is not closed from there, and who closed it there is
// told so; what is done here is done there.
func TestZammadClosesNoTicketOfAnAgents(t *testing.T) {
	p, there := zammadPremises(t)
	p.update(func(tx bot.Tx) error { return desk.GrantOutside(tx, "operator:root", "Zammad") })
	g := p.guest().arrives("/chat")
	g.says("human")
	g.says("Ann Lee, 555 0100")
	ticket, omar := "", p.agent("omar")
	for id := range p.open() {
		ticket = id
	}
	z := filed(t, there, ticket)
	if s, body := p.acts(omar, ticket, "say", "text", "I am here."); s != http.StatusSeeOther {
		t.Fatalf("say: %d %.300s", s, body)
	}
	if a := written(t, there, z.ID, "Omar: I am here."); a.Internal || a.Sender != "Agent" {
		t.Errorf("%+v", a)
	}
	there.Closes(z.ID, "closed")
	written(t, there, z.ID, "Nothing was done: Omar has "+ticket)
	there.Writes(z.ID, "And I?", false)
	rigs.Until(t, "both to be told there", func() bool {
		n := 0
		for _, a := range there.Articles(z.ID) {
			n += strings.Count(a.Body, "Nothing was done: Omar has")
		}
		return n == 2
	})
	if q := ticketOf(p, ticket); q.State != bot.TicketTaken {
		t.Errorf("the ticket is %v", q.State)
	}
	for _, x := range [][2]string{{"solve", "closed"}, {"reopen", "open"}, {"solve", "closed"}} {
		if s, body := p.acts(omar, ticket, x[0]); s != http.StatusSeeOther {
			t.Fatalf("%s: %d %.300s", x[0], s, body)
		}
		rigs.Until(t, "Zammad to follow "+x[0], func() bool { return filed(t, there, ticket).State == x[1] })
	}
}

// When the ticket system was asked last is kept, so that a stop of any length loses
// nothing.
func TestOutsideIsAskedFromTheLastTime(t *testing.T) {
	p, there := zammadPremises(t)
	rigs.Until(t, "the first time", func() bool { _, err := p.DB.Meta(t.Context(), outsideKey+".at"); return err == nil })
	long := time.Now().Add(-20 * time.Hour).UTC().Format(time.RFC3339)
	there.Set(func(z *zammadtest.Zammad) { z.Hook = "" })
	p.update(func(tx bot.Tx) error { return desk.GrantOutside(tx, "operator:root", "Zammad") })
	ticket := p.stuck()
	z := filed(t, there, ticket)
	there.Set(func(x *zammadtest.Zammad) {
		x.Before = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(500); return true }
	})
	if err := p.DB.SetMeta(t.Context(), outsideKey+".at", []byte(long)); err != nil {
		t.Fatal(err)
	}
	ask := func() error {
		if err := p.DB.SetMeta(t.Context(), "store."+outsideKey, make([]byte, 8)); err != nil {
			t.Fatal(err)
		}
		return p.lookOutsideOnce(t.Context())
	}
	if err := ask(); !errors.As(err, new(*bot.SendError)) {
		t.Errorf("it is down: %v", err)
	}
	if at, err := p.DB.Meta(t.Context(), outsideKey+".at"); err != nil || string(at) != long {
		t.Errorf("what was not asked counts as asked: %s %v", at, err)
	}
	there.Set(func(x *zammadtest.Zammad) { x.Before = nil })
	there.Writes(z.ID, "A note.", true)
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	rigs.Until(t, "the note", func() bool {
		_, body := p.asks(p.agent("maria"), http.MethodGet, "/desk/t/"+ticket, nil)
		return strings.Contains(body, "A note.")
	})
	if at, err := p.DB.Meta(t.Context(), outsideKey+".at"); err != nil || string(at) == long {
		t.Errorf("the time stays %s %v", at, err)
	}
}

func (p *premises) update(fn func(bot.Tx) error) {
	p.Helper()
	if err := p.DB.Update(p.Context(), fn); err != nil {
		p.Fatal(err)
	}
}

func ticketOf(p *premises, id string) (q *bot.Ticket) {
	p.Helper()
	if err := p.DB.View(p.Context(), func(tx bot.Tx) (err error) { q, err = tx.Ticket(id); return err }); err != nil {
		p.Fatal(err)
	}
	return q
}
