package load

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pquerna/otp/totp"

	"latchkey/bot"
	"latchkey/bot/vault"
)

// Password opens every account of the load's directory.
const Password bot.Secret = "load-only-2468"

// A Directory knows everybody's password without hashing: a real one does that
// on another machine.
type Directory struct{}

// Verify implements bot.Directory.
func (Directory) Verify(p *bot.Person, password bot.Secret) (bool, error) {
	return p != nil && password == Password, nil
}

// Phones carry codes and notices in memory.
type Phones struct {
	mu      sync.Mutex
	texts   map[string]chan bot.Secret // by number
	notices atomic.Int64
}

// NewPhones makes Phones that know no number.
func NewPhones() *Phones { return &Phones{texts: map[string]chan bot.Secret{}} }

// SendCode implements bot.Sender.
func (p *Phones) SendCode(_ context.Context, m bot.CodeMessage) (string, error) {
	p.mu.Lock()
	ch := p.texts[string(m.To)]
	p.mu.Unlock()
	if ch == nil {
		return "", &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("load: nobody has this number")}
	}
	select {
	case ch <- m.Code:
	default: // the same code once more
	}
	return m.ID, nil
}

// SendNotice implements bot.Notifier.
func (p *Phones) SendNotice(context.Context, bot.NoticeMessage) error {
	p.notices.Add(1)
	return nil
}

// number gives person i a number of their own (E.164) and its mailbox.
func (p *Phones) number(i int) (string, <-chan bot.Secret) {
	n := fmt.Sprintf("+1201%07d", 2_100_000+i%7_000_000)
	ch := make(chan bot.Secret, 1)
	p.mu.Lock()
	p.texts[n] = ch
	p.mu.Unlock()
	return n, ch
}

func username(i int) string { return fmt.Sprintf("load%06d", i) }

// People are the n first people of the load, for the staff list.
func People(n int) iter.Seq2[bot.Person, int] {
	return func(yield func(bot.Person, int) bool) {
		for i := range n {
			p := bot.Person{ID: bot.PersonID(fmt.Sprintf("L%06d", i)), Username: username(i), Email: username(i) + "@load.example", Name: "Ada Load", GivenName: "Ada"}
			if !yield(p, i+1) {
				return
			}
		}
	}
}

// EnrollOptions of Enroll. The program that takes the events in must know People,
// Directory, Phones (as sender of texts and as notifier) and Platform.
type EnrollOptions struct {
	Inbox    bot.Inbox
	Platform *Platform
	Phones   *Phones
	People   int
	Conc     int
	First    int // number of the first person
}

// An EnrollReport of whole enrollments with sign-in, authenticator app, a text
// to the phone, and three answers.
type EnrollReport struct {
	Enrollments int     `json:"enrollments"`
	PerSecond   float64 `json:"enrollments_s"`
	Turns       float64 `json:"turns_s"`
	P50         float64 `json:"turn_p50_ms"` // of turns without a form
	P99         float64 `json:"turn_p99_ms"`
	Notices     int64   `json:"notices"`
	CPU         float64 `json:"cpu_ms_per_enrollment"` // processor time of this process
}

// chat is one person on the platform.
type chat struct {
	o     *EnrollOptions
	ctx   context.Context
	conv  bot.ConversationID
	n     int
	in    <-chan bot.Delivery
	last  bot.Delivery
	times []time.Duration // of turns without a form
	turns int
}

// patience is how long one reply may take before the load gives up.
const patience = 30 * time.Second

// do hands in an event and waits for the reply, in which want must stand.
func (c *chat) do(ev bot.Event, want string) error {
	c.n++
	ev.ID, ev.Channel, ev.Conversation, ev.From = fmt.Sprintf("%s-%d", c.conv, c.n), Channel, c.conv, string(c.conv)
	t0 := time.Now()
	if err := c.o.Inbox.Accept(c.ctx, ev); err != nil {
		return fmt.Errorf("load: %w", err)
	}
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case c.last = <-c.in:
	case <-wait.C:
		return fmt.Errorf("load: no reply to %q within %v", ev.Text, patience)
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	c.turns++
	if ev.Kind != bot.Submit {
		c.times = append(c.times, time.Since(t0))
	}
	if m := c.last.Message; !strings.Contains(strings.Join(strings.Fields(m.Text), " "), want) {
		what := ev.Text
		if ev.Form != nil {
			what = "form " + ev.Form.Name
		}
		return fmt.Errorf("load: %q was answered with %q, expected %q in it", what, m.Text, want)
	}
	return nil
}

// say types one text after the other: pairs of what is typed and what must
// stand in the reply.
func (c *chat) say(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := c.do(bot.Event{Kind: bot.Text, Text: pairs[i]}, pairs[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// submit answers the form under the last reply.
func (c *chat) submit(want string, name string, kv ...string) error {
	if f := c.last.Message.Form; f == nil || f.Name != name {
		return fmt.Errorf("load: no form %q under %q", name, c.last.Message.Text)
	}
	f := &bot.FormReply{Name: name}
	for i := 0; i+1 < len(kv); i += 2 {
		f.Values = append(f.Values, bot.FormValue{Name: kv[i], Value: bot.Secret(kv[i+1])})
	}
	return c.do(bot.Event{Kind: bot.Submit, Prompt: c.last.Message.Prompt, Form: f}, want)
}

// app is what the person's authenticator shows for the picture just sent.
func (c *chat) app() (string, error) {
	if c.last.Revealed == nil || len(c.last.Revealed.PNG) == 0 {
		return "", fmt.Errorf("load: no picture under %q", c.last.Message.Text)
	}
	u, err := url.Parse(string(c.last.Revealed.URI))
	if err != nil {
		return "", errors.New("load: the picture is no otpauth address")
	}
	return totp.GenerateCode(u.Query().Get("secret"), time.Now())
}

// enroll plays one whole enrollment.
func (c *chat) enroll(i int) error {
	number, texts := c.o.Phones.number(i)
	if err := c.say("hi", "Hello!", "start", "user name", username(i), "Your password"); err != nil {
		return err
	}
	if err := c.submit("Thank you, Ada.", "sign_in", "password", string(Password)); err != nil {
		return err
	}
	if err := c.say("next", "your smartphone", "yes", "Install", "i have the app", "tap the plus sign", "next", "what kind of account", "next", "at this square picture"); err != nil {
		return err
	}
	code, err := c.app()
	if err != nil {
		return err
	}
	if err := c.say(code, "The authenticator app is set up.", "text me a code", "Which number?", number, "Is that right?", "send the code", "is on its way"); err != nil {
		return err
	}
	if code, err = c.text(texts); err != nil {
		return err
	}
	if err := c.say(code, "Setup is now complete.", "done", "All done.", "security questions", "Which is the first?", "1", "the second?", "1", "the third?", "1", "private form"); err != nil {
		return err
	}
	return c.submit("Your security questions are set up.", "answers", "a1", "Lisbon by night", "a2", "Saint Orlan", "a3", "a blue dragon")
}

// text waits for the code that is sent to the person's phone.
func (c *chat) text(texts <-chan bot.Secret) (string, error) {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case code := <-texts:
		return string(code), nil
	case <-wait.C:
		return "", fmt.Errorf("load: no code was sent within %v", patience)
	case <-c.ctx.Done():
		return "", c.ctx.Err()
	}
}

// Enroll enrolls People, Conc at a time. It fails at the first wrong reply.
func Enroll(ctx context.Context, o EnrollOptions) (*EnrollReport, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var times []time.Duration
	turns := 0
	t0, cpu0 := time.Now(), cpu()
	for range min(max(1, o.Conc), o.People) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= o.People {
					return
				}
				c := &chat{o: &o, ctx: ctx, conv: bot.ConversationID(fmt.Sprintf("load|%06d", o.First+i))}
				c.in = o.Platform.Join(c.conv)
				err := c.enroll(o.First + i)
				o.Platform.Leave(c.conv)
				if err != nil {
					stop(err)
					return
				}
				mu.Lock()
				times, turns = append(times, c.times...), turns+c.turns
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	took, used := time.Since(t0).Seconds(), cpu()-cpu0
	slices.Sort(times)
	return &EnrollReport{Enrollments: o.People, PerSecond: float64(o.People) / took, Turns: float64(turns) / took,
		P50: ms(times, .5), P99: ms(times, .99), Notices: o.Phones.notices.Load(),
		CPU: used / 1000 / float64(o.People)}, nil
}

// HashRate measures the bare limit of enrollments: answers that a pool hashes a
// second, as many at a time as it takes, and the processor time of one in ms.
func HashRate(ctx context.Context, pool *vault.Pool, conc int, d time.Duration) (rate, cost float64, err error) {
	var n atomic.Int64
	var wg sync.WaitGroup
	var failed atomic.Pointer[error]
	t0, cpu0 := time.Now(), cpu()
	for range max(1, conc) {
		wg.Go(func() {
			for time.Since(t0) < d {
				if _, err := vault.HashSecret(ctx, pool, []byte("a blue dragon")); err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	if e := failed.Load(); e != nil {
		return 0, 0, *e
	}
	return float64(n.Load()) / time.Since(t0).Seconds(), (cpu() - cpu0) / 1000 / float64(n.Load()), nil
}
