package enroll_test

import (
	"context"
	"encoding/base32"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"

	"latchkey/bot"
	"latchkey/bot/bottest/prooftest"
	"latchkey/bot/campaign"
	"latchkey/bot/desk"
	"latchkey/bot/enroll"
	"latchkey/bot/policy"
	"latchkey/bot/turn"
	"latchkey/bot/verify"
	"latchkey/flows"
	"latchkey/flows/library"
	"latchkey/store"
)

// walks is how many random walks the attacker takes.
const walks = 1000

// TestStolenSessionNeverBinds: the attacker sits in one conversation of a
// person who has an app and a phone, and does whatever the scripts and the
// channel let anybody do, at random but with a purpose. The owner uses another
// conversation meanwhile, and proves things there. No method of the attacker's
// ever becomes active and none of the owner's goes; the owner is told of every
// method that the attacker begins, of every third wrong proof, and of every
// lock. In half of the walks the attacker came before the owner had anything. The
// attacker has the password, too, and signs in with it; the owner signs in with a
// second factor, in the own window: no session of the attacker's is ever at L3.
//
// LATCHKEY_SEED repeats one walk and tells it step by step.
func TestStolenSessionNeverBinds(t *testing.T) {
	if one := os.Getenv("LATCHKEY_SEED"); one != "" {
		seed, err := strconv.ParseUint(one, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		s := newScene(t, false)
		s.tell = true
		s.mustHold(seed)
		return
	}
	const crews = 4 // at once, each in a house of its own
	for crew := range uint64(crews) {
		t.Run(fmt.Sprint("seeds from ", crew+1), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, false)
			var all result
			for seed := crew + 1; seed <= walks; seed += crews {
				w := s.mustHold(seed)
				all.begun, all.misses, all.locks = all.begun+w.begun, all.misses+w.misses, all.locks+w.locks
			}
			t.Logf("%d turns, %d methods begun, %d wrong proofs, %d locks, %d changes by owners, %d changes refused", s.n, all.begun, all.misses, all.locks, s.changes, s.refused)
			if all.begun == 0 || all.misses < walks/crews/2 || all.locks == 0 || s.changes == 0 || s.refused == 0 {
				t.Error("the walks do not get anywhere: they prove nothing")
			}
		})
	}
}

// mustHold takes one walk and says what did not hold.
func (s *scene) mustHold(seed uint64) result {
	w := s.walk(seed)
	if w.bound || w.lost {
		s.Errorf("seed %d: the attacker has a method: %t, the owner lost one: %t", seed, w.bound, w.lost)
	}
	if w.toldBegun < w.begun || w.toldFailed < w.misses/3 || w.toldLocked < w.locks {
		s.Errorf("seed %d: begun %d, told %d; wrong proofs %d, told %d; locks %d, told %d", seed, w.begun, w.toldBegun, w.misses, w.toldFailed, w.locks, w.toldLocked)
	}
	return w
}

// TestStolenSessionBindsWithoutTheGate is the control: the same walks with a
// gate that lets everything through.
func TestStolenSessionBindsWithoutTheGate(t *testing.T) {
	s := newScene(t, true)
	for seed := uint64(1); seed <= walks/5; seed++ {
		if w := s.walk(seed); w.bound {
			t.Logf("seed %d binds", seed)
			return
		}
	}
	t.Error("no walk binds: the attacker is too weak to prove anything")
}

// A scene is the two services with the shipped scripts, and what is outside.
type scene struct {
	*rig
	turn    *turn.Service
	tell    bool
	n       int
	jobs    []timed
	begun   int               // methods that were begun, whoever did
	codes   map[string]string // the last code that went to a number or an address
	changes int               // methods that owners have added
	refused int               // checks that the gate has refused
}

type timed struct {
	bot.Job
	at time.Time
}

// nowhere is an outbox that sends nothing: the answers come from Answer.
type nowhere struct{}

func (nowhere) Committed(*bot.Conversation, []bot.OutboxRow, bool) {}

// SendCode implements bot.Sender.
func (s *scene) SendCode(_ context.Context, m bot.CodeMessage) (string, error) {
	s.codes[string(m.To)] = string(m.Code)
	return m.ID, nil
}

// keeping is a store whose jobs are kept in the scene.
type keeping struct {
	*store.DB
	s *scene
}

type keepingTx struct {
	bot.Tx
	jobs *[]timed
}

func (tx keepingTx) Enqueue(j bot.Job, at time.Time) error {
	*tx.jobs = append(*tx.jobs, timed{j, at})
	return nil
}

func (k keeping) Turn(ctx context.Context, ev *bot.Event, fn func(bot.Tx, *bot.Conversation) error) error {
	var jobs []timed
	err := k.DB.Turn(ctx, ev, func(tx bot.Tx, c *bot.Conversation) error {
		jobs = nil
		return fn(keepingTx{tx, &jobs}, c)
	})
	if err == nil {
		k.s.keep(jobs)
	}
	return err
}

func (s *scene) keep(jobs []timed) {
	for _, j := range jobs {
		if _, ok := j.Job.(enroll.Lapse); ok {
			s.begun++
		}
	}
	s.jobs = append(s.jobs, jobs...)
}

func (k keeping) Update(ctx context.Context, fn func(bot.Tx) error) error {
	var jobs []timed
	err := k.DB.Update(ctx, func(tx bot.Tx) error {
		jobs = nil
		return fn(keepingTx{tx, &jobs})
	})
	if err == nil {
		k.s.jobs = append(k.s.jobs, jobs...) // none is the first of its method
	}
	return err
}

func newScene(t *testing.T, gateOff bool) *scene {
	t.Helper()
	s := &scene{rig: newRig(t, func(p *policy.Policy) {
		p.SMSBudgetFloor, p.SMSPrefix, p.BreakerSends = 1e9, policy.Limit{N: 1e9, Per: time.Hour}, 0
		p.ResendWaits, p.FactorFailures = []time.Duration{10 * time.Second}, 4
	}), codes: map[string]string{}}
	db := keeping{s.DB, s}
	s.Enroll.Store, s.Verify.Store = db, db
	s.withSecond()
	s.Verify.Senders = map[bot.Via]bot.Sender{bot.SMS: s, bot.Voice: s, bot.Mail: s}
	cat := bot.Catalogue{Checks: s.Checks, Forms: s.Forms, Facts: prooftest.Facts}
	for _, c := range append(desk.New(desk.Options{}).Specs(), campaign.New(campaign.Options{}).Specs()...) {
		cat.Checks[c.Name] = c
	}
	set, err := flows.Load(library.FS, nil, cat)
	if err != nil {
		t.Fatal(err)
	}
	s.Enroll.Phrases, s.Verify.Phrases = set, set
	gate := func(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
		oc, err := s.Enroll.Gate(tx, c)
		if oc.Name != "" {
			s.refused++
		}
		return oc, err
	}
	if gateOff {
		gate = func(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
			st, err := s.Enroll.Standing(tx, c)
			c.Standing = &st
			return bot.Outcome{}, err
		}
	}
	s.turn = turn.New(turn.Options{Store: db, Engine: set, Catalogue: cat, Outbox: nowhere{}, Gate: gate, Phrases: set, Clock: s.Clock.Now})
	s.Enroll.Place = func(state []byte, lang string) (flow, title, progress string) {
		var x bot.Session
		if err := turn.DecodeSession(state, &x); err != nil {
			t.Error(err)
		}
		return set.Where(&x, lang)
	}
	s.Enroll.Connect(s.turn)
	s.Verify.Connect(s.turn)
	people := make([]bot.Person, 0, walks)
	for i := range walks {
		people = append(people, bot.Person{ID: owner(uint64(i + 1)), Username: fmt.Sprint("ann", i+1), Email: fmt.Sprintf("ann%d@example.org", i+1), Name: "Ann"})
	}
	s.People(people...)
	return s
}

func owner(seed uint64) bot.PersonID { return bot.PersonID(fmt.Sprint("ann-", seed)) }

// chat makes a conversation of the person of a walk, linked.
func (s *scene) chat(seed uint64, side string) *chat {
	c := &chat{s: s, id: bot.ConversationID(fmt.Sprint(side, "-", seed)), user: fmt.Sprint(side[:1], seed)}
	s.update(func(tx bot.Tx) error {
		return tx.Link(bot.Identity{Channel: "test", User: c.user, Person: owner(seed), Level: bot.L2, LinkedAt: tx.Now()})
	})
	return c
}

// A chat is one side's conversation.
type chat struct {
	s      *scene
	id     bot.ConversationID
	user   string
	last   *bot.Message
	number string
	mail   string
}

func (c *chat) send(ev bot.Event) *bot.Message {
	c.s.n++
	ev.ID, ev.Channel, ev.Conversation, ev.From = fmt.Sprint("e", c.s.n), "test", c.id, c.user
	m, err := c.s.turn.Answer(c.s.Context(), ev)
	if err != nil {
		c.s.Fatal(err)
	}
	if m != nil {
		c.last = m
	}
	c.s.work()
	if c.s.tell {
		what := ev.Text + ev.Choice
		if ev.Form != nil {
			what = "form " + ev.Form.Name
		}
		c.s.Logf("%s %s > %s\n%s", c.s.Clock.Now().Format("15:04:05"), c.id, what, c.last.Text)
	}
	return c.last
}

// signIn signs the person in at the provider, for the account of this chat.
func (c *chat) signIn(second bool) {
	x := bot.External{Issuer: "https://login.example.org", Subject: "s", Person: bot.PersonID("ann-" + c.user[1:]), AuthAt: c.s.Clock.Now(), Second: second}
	_, err := c.s.Enroll.SignInAs(c.s.Context(), "test", c.user, x)
	if err == nil && second {
		err = c.s.Enroll.NewBrowser(c.s.Context(), "test", c.user, c.s.browser("test", c.user), true, x)
	}
	if err != nil {
		c.s.Fatal(err)
	}
}

func (c *chat) say(text string) *bot.Message { return c.send(bot.Event{Kind: bot.Text, Text: text}) }

func (c *chat) press(id string) *bot.Message {
	return c.send(bot.Event{Kind: bot.Press, Choice: id, Prompt: c.last.Prompt})
}

func (c *chat) submit(form string, kv ...string) *bot.Message {
	f := &bot.FormReply{Name: form}
	for i := 0; i < len(kv); i += 2 {
		f.Values = append(f.Values, bot.FormValue{Name: kv[i], Value: bot.Secret(kv[i+1])})
	}
	return c.send(bot.Event{Kind: bot.Submit, Prompt: c.last.Prompt, Form: f})
}

// work runs the jobs that are due; notices are left to be counted.
func (s *scene) work() {
	for {
		i := slices.IndexFunc(s.jobs, func(j timed) bool {
			_, notice := j.Job.(enroll.Notify)
			return !notice && !j.at.After(s.Clock.Now())
		})
		if i < 0 {
			return
		}
		j := s.jobs[i].Job
		s.jobs = slices.Delete(s.jobs, i, i+1)
		var err error
		switch j := j.(type) {
		case verify.SendCode:
			if e := s.Verify.HandleSendCode(s.Context(), j); e != nil && !dropped(e) {
				err = e
			}
		case verify.Late:
			err = s.Verify.HandleLate(s.Context(), j)
		case enroll.Moved:
			err = s.Enroll.HandleMoved(s.Context(), j)
		case enroll.Lapse:
			err = s.Enroll.HandleLapse(s.Context(), j)
		case turn.TakeBack: // nothing is sent here, so nothing can be taken back
		default:
			err = fmt.Errorf("unknown job %T", j)
		}
		if err != nil {
			s.Fatal(err)
		}
	}
}

func dropped(err error) bool {
	_, ok := err.(*bot.DropJob)
	return ok
}

// A result is what one walk has come to.
type result struct {
	bound, lost                       bool
	begun, misses, locks              int
	toldBegun, toldFailed, toldLocked int
}

// walk is one walk. Its person, its dice and its conversations are its own.
func (s *scene) walk(seed uint64) result {
	s.Clock.Advance(time.Hour)
	dice := rand.New(rand.NewPCG(seed, 8))
	p := owner(seed)
	mine, theirs := s.chat(seed, "owner"), s.chat(seed, "thief")
	mine.number, mine.mail = fmt.Sprintf("+1704296%04d", seed), fmt.Sprintf("ann%d@example.net", seed)
	theirs.number, theirs.mail = fmt.Sprintf("+1704297%04d", seed), fmt.Sprintf("eve%d@example.net", seed)
	s.jobs = nil
	thief, holder := &attacker{theirs, dice, nil}, &holder{chat: mine, dice: dice}
	if seed%2 == 0 {
		for range 4 + dice.IntN(6) { // nobody has anything yet: begin, and finish nothing
			thief.act(false)
			s.pass(dice)
		}
	}
	holder.seed = s.setUp(p, mine)
	s.begun = 0
	s.jobs = slices.DeleteFunc(s.jobs, func(j timed) bool { _, notice := j.Job.(enroll.Notify); return notice })
	for range 14 {
		if dice.IntN(4) == 0 {
			holder.act()
		} else {
			thief.act(true)
		}
		s.pass(dice)
	}
	return s.judge(p, theirs.id)
}

// pass lets time go by: seconds mostly, sometimes more than a proof lasts.
func (s *scene) pass(dice *rand.Rand) {
	d := time.Duration(5+dice.IntN(60)) * time.Second
	if dice.IntN(12) == 0 {
		d = 16 * time.Minute
	}
	s.Clock.Advance(d)
	s.work()
}

// setUp gives the person an app and a phone, proven a month ago, and the seed
// of the app. What was begun before stays as it is.
func (s *scene) setUp(p bot.PersonID, c *chat) []byte {
	seed := []byte(fmt.Sprintf("%020s", p))
	long := s.Clock.Now().Add(-30 * 24 * time.Hour)
	s.update(func(tx bot.Tx) error {
		for _, m := range []bot.Method{
			{ID: bot.MethodID("app-" + p), Kind: bot.Authenticator, Label: "ann"},
			{ID: bot.MethodID("phone-" + p), Kind: bot.Phone, Label: "•••• 00", Via: "sms", DestHash: enroll.DestHash(s.Ring, bot.Phone, c.number)},
		} {
			m.Person, m.State, m.CreatedAt, m.ProvenAt, m.Conversation = p, bot.Active, long, long, c.id
			plain := seed
			if m.Kind == bot.Phone {
				plain = []byte(c.number)
			}
			var err error
			if m.Sealed, err = s.Ring.Seal(plain, m.Place()); err != nil {
				return err
			}
			if err := tx.PutMethod(&m); err != nil {
				return err
			}
		}
		return tx.SetFirstMethod(p, long)
	})
	return seed
}

// judge looks at what the walk has left.
func (s *scene) judge(p bot.PersonID, thief bot.ConversationID) (w result) {
	err := s.DB.View(s.Context(), func(tx bot.Tx) error {
		ms, err := tx.Methods(p)
		if err != nil {
			return err
		}
		own := 0
		for _, m := range ms {
			switch {
			case m.State == bot.Pending:
			case m.Conversation == thief:
				w.bound = true
			default:
				own++
			}
		}
		w.lost = own < 2
		if w.misses, _, err = tx.Tallied("t3.failure", string(p), time.Time{}); err != nil {
			return err
		}
		w.locks, _, err = tx.Tallied("t3.lock", string(p), time.Time{})
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	w.begun = s.begun
	for _, j := range s.jobs {
		if n, ok := j.Job.(enroll.Notify); ok && n.Person == p && n.To == "" { // to the work address
			switch n.Change {
			case "method.begun":
				w.toldBegun++
			case "proof.failed":
				w.toldFailed++
			case "proof.locked":
				w.toldFailed++
				w.toldLocked++
			}
		}
	}
	return w
}

// ---- the two ----

// A holder is the person, who acts as people do and proves what is asked for.
type holder struct {
	*chat
	dice *rand.Rand
	seed []byte
}

func (h *holder) digits(seed []byte) string { return digitsAt(seed, h.s.Clock.Now()) }

func digitsAt(seed []byte, at time.Time) string {
	code, err := hotp.GenerateCode(base32.StdEncoding.EncodeToString(seed), uint64(at.Unix()/30))
	if err != nil {
		panic(err)
	}
	return code
}

func (h *holder) act() {
	switch h.dice.IntN(6) {
	case 0:
		h.say("status")
	case 1:
		h.say("my methods")
		h.press("done")
	case 2: // proves, and leaves it at that
		h.prove("add phone")
		h.stop()
	case 3: // adds a mailbox
		if h.prove("add email"); h.last.Entry == nil || h.last.Entry.Kind != bot.EntryEmail {
			h.stop()
			return
		}
		h.say(fmt.Sprint(h.dice.IntN(1000), h.mail))
		h.press("send")
		before := h.last.Prompt
		for to, code := range h.s.codes {
			if to != h.mail && len(to) > len(h.mail) && to[len(to)-len(h.mail):] == h.mail {
				h.say(code)
				delete(h.s.codes, to)
				h.s.changes++
			}
		}
		if h.last.Prompt == before {
			h.stop()
		}
	case 5:
		h.signIn(true)
	case 4: // shows a new key and goes for lunch
		h.prove("authenticator")
		for range 5 {
			if h.last.Reveal != nil {
				return
			}
			for _, c := range h.last.Choices {
				if c.Primary {
					h.press(c.ID)
					break
				}
			}
		}
	}
}

// prove says something that needs a proof, and gives it.
func (h *holder) prove(what string) {
	h.say(what)
	for _, c := range h.last.Choices {
		if c.ID == "app-"+string(h.person()) {
			h.press(c.ID)
			h.say(h.digits(h.seed))
			return
		}
	}
}

func (h *holder) person() bot.PersonID { return bot.PersonID("ann-" + h.user[1:]) }

func (h *holder) stop() {
	h.say("cancel")
	h.press("stop")
}

// An attacker does what is offered, at random, and knows what comes to the
// attacker's own number and mailbox and what the own chat shows.
type attacker struct {
	*chat
	dice *rand.Rand
	old  []bot.Choice // seen before
}

var words = []string{"hi", "add phone", "authenticator", "add email", "security questions", "recovery codes", "my methods", "enroll", "add",
	"cancel", "back", "skip", "resend", "later", "repeat", "start over", "menu", "status", "replace", "remove", "why", "help", "trouble"}

func (a *attacker) act(finish bool) {
	m := a.last
	if a.dice.IntN(6) == 0 {
		a.signIn(false)
	}
	if m == nil || a.dice.IntN(8) == 0 {
		a.say(words[a.dice.IntN(len(words))])
		return
	}
	a.old = append(a.old, m.Choices...)
	switch {
	case m.Form != nil && finish && a.dice.IntN(3) > 0:
		a.fill(m.Form)
	case m.Entry != nil && a.dice.IntN(4) > 0:
		switch m.Entry.Kind {
		case bot.EntryPhone:
			a.say(a.number)
		case bot.EntryEmail:
			a.say(a.mail)
		default:
			a.say(a.guess(m, finish))
		}
	case len(m.Choices) > 0 && a.dice.IntN(5) > 0:
		c := m.Choices[a.dice.IntN(len(m.Choices))]
		for _, x := range m.Choices {
			if x.Primary && a.dice.IntN(2) == 0 {
				c = x
			}
		}
		a.press(c.ID)
	case len(a.old) > 0 && a.dice.IntN(4) == 0: // a button from further up
		a.send(bot.Event{Kind: bot.Press, Choice: a.old[a.dice.IntN(len(a.old))].ID, Prompt: uint32(a.dice.IntN(int(m.Prompt) + 1))})
	default:
		a.say(words[a.dice.IntN(len(words))])
	}
}

// guess is six digits: those of the key that is shown, those that came to the
// attacker, or any.
func (a *attacker) guess(m *bot.Message, finish bool) string {
	if finish && m.Reveal != nil {
		if v, err := a.s.Verify.Reveal(a.s.Context(), *m.Reveal); err == nil {
			key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(compact(string(v.Key)))
			if err != nil {
				a.s.Fatal(err)
			}
			return digitsAt(key, a.s.Clock.Now())
		}
	}
	for _, to := range []string{a.number, a.mail} {
		if code := a.s.codes[to]; finish && code != "" && a.dice.IntN(3) > 0 {
			return code
		}
	}
	return fmt.Sprintf("%06d", a.dice.IntN(1e6))
}

func (a *attacker) fill(f *bot.Form) {
	if f.Reveals {
		_, _ = a.s.turn.Reveal(a.s.Context(), a.id, f.Name) // refused for who may not
		a.submit(f.Name, "saved", "yes")
		return
	}
	var kv []string
	for _, x := range f.Fields {
		kv = append(kv, x.Name, fmt.Sprint("guess ", x.Name, a.dice.IntN(1000)))
	}
	a.submit(f.Name, kv...)
}

func compact(s string) string {
	return string(slices.DeleteFunc([]byte(s), func(b byte) bool { return b == ' ' }))
}
