package program

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/bot/policy"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/programtest"
)

// A talk is an agent and a person who write to each other, each with an open stream.
type talk struct {
	*premises
	guest         *guest
	token, ticket string
	person, agent <-chan string // data and types of the events of their streams
}

// stream opens an event stream with a cookie, and gives what comes.
func (p *premises) stream(path, cookie, token string) <-chan string {
	p.Helper()
	q, err := http.NewRequestWithContext(p.Context(), http.MethodGet, "http://"+p.addr+path, nil)
	if err != nil {
		p.Fatal(err)
	}
	q.Header = http.Header{"Sec-Fetch-Site": {"same-origin"}, "Accept-Language": {"en"}}
	q.AddCookie(&http.Cookie{Name: p.cookieName(cookie), Value: token})
	r, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		p.Fatal(err)
	}
	if r.StatusCode != http.StatusOK {
		p.Fatalf("stream %s: %d", path, r.StatusCode)
	}
	out := make(chan string, 1000)
	go func() {
		defer r.Body.Close()
		sc := bufio.NewScanner(r.Body)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			if line := sc.Text(); line != "" {
				out <- line
			}
		}
	}()
	return out
}

// waits gives how long it took until a line of a stream had a text.
func (t *talk) waits(from time.Time, stream <-chan string, text string) (time.Duration, error) {
	end := time.After(time.Minute)
	for {
		select {
		case line := <-stream:
			if strings.Contains(line, text) {
				return time.Since(from), nil
			}
			if i := strings.Index(line, "pace-"); i >= 0 && !strings.Contains(line, "pace-"+t.ticket) {
				return 0, fmt.Errorf("somebody else's line was shown at %s: %s", t.ticket, line)
			}
		case <-end:
			return 0, fmt.Errorf("%q never came at %s", text, t.ticket)
		}
	}
}

// says is the agent's line, and how long it took to the person's screen.
func (t *talk) says(i int) (time.Duration, error) {
	text, from := fmt.Sprintf("pace-%s-%d-a.", t.ticket, i), time.Now()
	if s, body := t.acts(t.token, t.ticket, "say", "text", text); s != http.StatusSeeOther {
		return 0, fmt.Errorf("say: %d %.300s", s, body)
	}
	return t.waits(from, t.person, text)
}

// answers is the person's line, and how long it took to the agent's screen: the page
// is told that something has changed, and asks for itself.
func (t *talk) answers(i int) (time.Duration, error) {
	text := fmt.Sprintf("pace-%s-%d-p.", t.ticket, i)
	for len(t.agent) > 0 {
		<-t.agent
	}
	from := time.Now()
	form := url.Values{"csrf": {csrfOf(t.guest.token())}, "id": {programtest.NewID()}, "next": {"/chat"}, "text": {text}}
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+t.addr+"/chat/say", strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	q.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {t.origin}, "Sec-Fetch-Site": {"same-origin"}, "Accept-Language": {"en"}}
	q.AddCookie(&http.Cookie{Name: t.cookieName("session"), Value: t.guest.token()})
	r, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		return 0, err
	}
	r.Body.Close()
	for range 20 {
		if _, err := t.waits(from, t.agent, "event: changed"); err != nil {
			return 0, err
		}
		if _, body := t.asks(t.token, http.MethodGet, "/desk/t/"+t.ticket, nil); strings.Contains(body, text) {
			return time.Since(from), nil
		}
	}
	return 0, fmt.Errorf("%q is not on the agent's page", text)
}

// TestDeskPace: what an agent writes is on the person's screen at once, and back, with
// many agents at work and many tickets open, and nobody is shown a line of another
// talk. LATCHKEY_DESK_PACE="200 2000 5" measures with so many agents, open tickets and
// lines each way, see P12.
func TestDeskPace(t *testing.T) {
	agents, tickets, rounds := 8, 40, 2
	if s := os.Getenv("LATCHKEY_DESK_PACE"); s != "" {
		if _, err := fmt.Sscan(s, &agents, &tickets, &rounds); err != nil {
			t.Fatal(err)
		}
	}
	p := demoPremises(t, func(c *config.Config) {
		c.Policy.WebBurst.N, c.Policy.ChatBurst, c.Desk.Silence = 1_000_000, policy.Limit{}, 4*time.Hour
	})
	err := p.DB.Update(t.Context(), func(tx bot.Tx) error {
		for i := range max(0, tickets-agents) {
			if _, _, err := desk.Ask(tx, bot.Ticket{Conversation: bot.ConversationID(fmt.Sprint("idle ", i)), Flow: "phone", Step: "number", Lang: "en"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := make([]*talk, agents)
	for i := range all {
		g := p.guest().arrives("/chat")
		g.says("human")
		g.says("Ann Lee, 555 0100")
		x := &talk{premises: p, guest: g, token: p.agent([]string{"maria", "omar", "lee"}[i%3])}
		err := p.DB.View(t.Context(), func(tx bot.Tx) error {
			q, err := tx.TicketOf(g.session().Conversation)
			if err == nil {
				x.ticket = q.ID
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if s, body := p.acts(x.token, x.ticket, "take"); s != http.StatusSeeOther {
			t.Fatalf("take: %d %.300s", s, body)
		}
		x.person, x.agent = p.stream("/chat/events", "session", g.token()), p.stream("/desk/events?t="+x.ticket, "agent", x.token)
		all[i] = x
	}
	var mu sync.Mutex
	var there, back []time.Duration
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for n, x := range all {
		wg.Go(func() {
			time.Sleep(time.Duration(n) * 4 * time.Second / time.Duration(agents)) // nobody writes in step
			for i := range rounds {
				if ctx.Err() != nil {
					return
				}
				a, err := x.says(i)
				var b time.Duration
				if err == nil {
					time.Sleep(2 * time.Second)
					b, err = x.answers(i)
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				there, back = append(there, a), append(back, b)
				mu.Unlock()
				time.Sleep(2 * time.Second)
			}
		})
	}
	wg.Wait()
	if len(there) != agents*rounds {
		t.Fatalf("%d of %d lines", len(there), agents*rounds)
	}
	for name, list := range map[string][]time.Duration{"to the person's screen": there, "to the agent's screen": back} {
		slices.Sort(list)
		t.Logf("%d agents, %d open tickets, a line %s: median %v, 99 of 100 %v, longest %v", agents, tickets, name,
			list[len(list)/2].Round(100*time.Microsecond), list[min(len(list)-1, len(list)*99/100)].Round(100*time.Microsecond), list[len(list)-1].Round(100*time.Microsecond))
	}
}
