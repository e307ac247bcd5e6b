package desk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/bot"
	"latchkey/bot/typed"
)

// Times and numbers of checks of callers.
const (
	day        = 24 * time.Hour
	checkLife  = 10 * time.Minute // to answer one, and once passed to use it
	settled    = day              // how long a method or chat must have been there to be asked
	askedPer   = time.Hour        // in which a person is asked at most maxAsked times
	maxAsked   = 2
	agentAsks  = 20  // in which an agent begins at most so many checks that ask people; phrases name it
	failedPer  = day // in which maxFailed failed checks are an alarm, and only a second agent helps
	maxFailed  = 3
	wordTries  = 2
	maxReason  = 300      // runes
	resetAgain = 30 * day // in which a second reset is an alarm
)

// checks are the acts by which it is made sure who calls.
var checks = map[string]bool{DoVerify: true, DoHeard: true, DoConfirm: true, DoDecline: true}

// checkEvents are the lines that tell of a check.
var checkEvents = []string{"check_begun", "check_passed", "check_failed", "check_wrong", "check_denied", "check_declined", "check_lost"}

// reasoned are the ways for which an agent says why they are sure.
var reasoned = map[bot.CheckWay]bool{bot.WayCallBack: true, bot.WayManager: true, bot.WayBadge: true, bot.WayAgent: true}

// askThere begins a check in a chat of the person: one turn there, with the
// question and all that follows from it.
func (d *Desk) askThere(ctx context.Context, a *Act) error {
	var c *bot.Conversation
	err := d.o.Store.View(ctx, func(tx bot.Tx) (err error) {
		c, err = tx.Conversation(bot.ConversationID(a.Target))
		return err
	})
	if errors.Is(err, bot.ErrNotFound) {
		return refuse(NoWay)
	}
	if err != nil {
		return err
	}
	return d.turns.Accept(ctx, bot.Event{ID: "desk|" + a.Ticket + "|" + a.Key, Channel: c.Channel, Conversation: c.ID, Kind: bot.Agent, Agent: &a.AgentAct})
}

// caller is the person of a ticket, for an agent who acts for them.
func (d *Desk) caller(tx bot.Tx, q *bot.Ticket, by bot.PersonID) (*bot.Person, error) {
	if q.Person == "" {
		return nil, refuse(NoPerson)
	}
	p, err := tx.Person(q.Person)
	switch {
	case errors.Is(err, bot.ErrNotFound):
		return nil, refuse(NoPerson)
	case err != nil:
		return nil, err
	case p.ID == by:
		return nil, refuse(OwnAccount)
	case !p.Enrolls():
		return nil, refuse(AccountOff)
	}
	return p, nil
}

// privileged reports whether a person's account opens other people's: agents (AtDesk),
// admins, and administrators by the registrar's word. Where there is a registrar,
// somebody of whom its report says nothing counts as one.
func (d *Desk) privileged(tx bot.Tx, p bot.PersonID) (bool, error) {
	if at, err := AtDesk(tx, p); err != nil || at {
		return at, err
	}
	r, err := tx.Registration(p)
	switch {
	case err != nil && !errors.Is(err, bot.ErrNotFound):
		return false, err
	case err == nil && (r.Admin || !r.ReadAt.IsZero()):
		return r.Admin, nil
	case !d.o.Registrar:
		return false, nil
	}
	// Nothing is known of them. Where the licence has no report, that says nothing.
	sync, err := tx.SyncState(bot.ReportReading)
	return !sync.NoLicence, err
}

// ways lists how it can be made sure that a caller is the person, for a check that
// begins now, or began before. Of a frozen account nothing is asked, since whoever
// has its chats and methods may be who it was frozen for, and it takes more than
// what one agent says that they saw or heard.
func (d *Desk) ways(tx bot.Tx, q *bot.Ticket, p *bot.Person, by bot.PersonID, begins bool) (ws []bot.DeskWay, err error) {
	high, err := d.privileged(tx, p.ID)
	if err != nil {
		return nil, err
	}
	if !high {
		if high, err = d.failing(tx, p.ID, by); err != nil {
			return nil, err
		}
	}
	second := bot.DeskWay{Way: bot.WayAgent}
	if high {
		return []bot.DeskWay{second}, nil
	}
	frozen := !p.FrozenAt.IsZero()
	if !frozen {
		if ws, err = d.asked(tx, q, p.ID, begins); err != nil {
			return nil, err
		}
	}
	if p.WorkPhone != "" {
		ws = append(ws, bot.DeskWay{Way: bot.WayCallBack, Label: p.WorkPhone})
	}
	if frozen {
		return append(ws, second), nil
	}
	if p.Manager != "" && p.Manager != by && p.Manager != p.ID {
		boss, err := tx.Person(p.Manager)
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return nil, err
		}
		if err == nil && !boss.Stopped() {
			ws = append(ws, bot.DeskWay{Way: bot.WayManager, Label: bot.Harmless(boss.Name)})
		}
	}
	return append(ws, bot.DeskWay{Way: bot.WayBadge}, second), nil
}

// asked lists the chats and methods of a person that can be asked: those that
// were there for a day. The caller may sit in the chat that the ticket came from, in
// one that somebody wrote in within the hour before the check, and in the web chat,
// which opens to whoever signs in.
func (d *Desk) asked(tx bot.Tx, q *bot.Ticket, p bot.PersonID, begins bool) (ws []bot.DeskWay, err error) {
	since := tx.Now().Add(-settled)
	ids, err := tx.IdentitiesOf(p)
	if err != nil {
		return nil, err
	}
	cs, err := tx.ConversationsOf(p)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if id.Channel == d.o.Anonymous || id.Level < bot.L2 || id.LinkedAt.After(since) || id.HeldUntil.After(tx.Now()) {
			continue
		}
		for i := range cs { // the one that was used last
			c := &cs[i]
			if c.Channel != id.Channel || c.User != id.User || c.Kind != bot.Direct {
				continue
			}
			if c.ID != q.Conversation && !(begins && c.Updated.After(tx.Now().Add(-askedPer))) {
				ws = append(ws, bot.DeskWay{Way: bot.WayChat, Target: string(c.ID), Label: string(c.Channel)})
			}
			break
		}
	}
	ms, err := tx.Methods(p)
	for i := range ms {
		m := &ms[i]
		if m.State != bot.Active || m.HeldUntil.After(tx.Now()) || m.ProvenAt.After(since) || m.CreatedAt.After(since) {
			continue
		}
		switch {
		case m.Kind == bot.Phone && m.Via == string(bot.SMS) && d.o.Sends(bot.SMS):
			ws = append(ws, bot.DeskWay{Way: bot.WayText, Target: string(m.ID), Label: m.Label})
		case m.Kind == bot.Email && d.o.Sends(bot.Mail):
			ws = append(ws, bot.DeskWay{Way: bot.WayMail, Target: string(m.ID), Label: m.Label})
		}
	}
	return ws, err
}

// failing reports whether so many checks of a person, or by an agent, have failed
// that something is wrong.
func (d *Desk) failing(tx bot.Tx, p, by bot.PersonID) (bool, error) {
	of, byAgent, err := failed(tx, p, by)
	return of >= maxFailed || byAgent >= maxFailed, err
}

// failed counts the failed checks of a day.
func failed(tx bot.Tx, p, by bot.PersonID) (of, byAgent int, err error) {
	since := tx.Now().Add(-failedPer)
	ks, err := tx.CallerChecksOf(p, since)
	if err != nil {
		return 0, 0, err
	}
	theirs, err := tx.CallerChecksBy(by, since)
	hasFailed := func(k *bot.CallerCheck) bool { return k.State == bot.CheckFailed }
	return count(ks, hasFailed), count(theirs, hasFailed), err
}

// count counts the checks that are so.
func count(ks []bot.CallerCheck, so func(*bot.CallerCheck) bool) (n int) {
	for i := range ks {
		if so(&ks[i]) {
			n++
		}
	}
	return n
}

func challenges(k *bot.CallerCheck) bool { return k.Way.Challenges() }

// verify begins a check. For what an agent answers for alone it is passed at once.
func (o *order) verify(text string) (bot.DeskAnswer, error) {
	none := bot.DeskAnswer{}
	if o.d.o.Methods == nil {
		return none, refuse(NoWay)
	}
	if err := o.mine(); err != nil {
		return none, err
	}
	p, err := o.d.caller(o.tx, o.q, o.a.By)
	if err != nil {
		return none, err
	}
	if err := o.possible(p, o.a.Act); err != nil {
		return none, err
	}
	ways, err := o.d.ways(o.tx, o.q, p, o.a.By, true)
	if err != nil {
		return none, err
	}
	if !slices.ContainsFunc(ways, func(w bot.DeskWay) bool { return w.Way == o.a.Way && w.Target == o.a.Target }) {
		return none, refuse(NoWay)
	}
	if _, err := o.lostAll(o.a.Way, o.a.Act, o.a.Method); err != nil {
		return none, err
	}
	if reasoned[o.a.Way] && text == "" {
		return none, refuse(NoReason)
	}
	now := o.tx.Now()
	before, err := o.tx.CallerChecksOf(p.ID, now.Add(-askedPer))
	if err != nil {
		return none, err
	}
	for i := range before {
		k := &before[i]
		if k.Ticket == o.q.ID && k.Live(now) { // this one takes its place
			as := bot.CheckVoid
			if k.State == bot.CheckOpen && k.Tries > 0 {
				as = bot.CheckFailed
			}
			if err := o.end(k, as); err != nil {
				return none, err
			}
		}
	}
	if o.a.Way.Challenges() {
		if count(before, challenges) >= maxAsked {
			return none, refuse(TooSoon)
		}
		if err := o.asksFew(); err != nil {
			return none, err
		}
	}
	k := &bot.CallerCheck{ID: rand.Text()[:13], Person: p.ID, Ticket: o.q.ID, Agent: o.a.By, Act: o.a.Act, Method: o.a.Method, Way: o.a.Way, Target: o.a.Target,
		At: now, ExpiresAt: now.Add(checkLife)}
	if k.Reason, err = o.d.sealReason(k, text); err != nil {
		return none, err
	}
	var answer bot.DeskAnswer
	switch k.Way {
	case bot.WayChat:
		answer.Say, err = o.question(k)
	case bot.WayText, bot.WayMail:
		if err = o.expects(k, words()); err == nil {
			err = o.tx.Enqueue(Words{Check: k.ID}, time.Time{})
		}
	case bot.WayAgent: // another one answers
	default:
		k.State = bot.CheckPassed
	}
	if err == nil {
		err = o.tx.PutCallerCheck(k)
	}
	if err != nil {
		return none, err
	}
	code := "check_begun"
	if k.State == bot.CheckPassed {
		code = "check_passed"
	}
	return answer, o.checked(k, code)
}

// asksFew refuses the check of an agent who has had too many people asked: they
// are disturbed, and one may say yes.
func (o *order) asksFew() error {
	ks, err := o.tx.CallerChecksBy(o.a.By, o.tx.Now().Add(-askedPer))
	if err == nil && count(ks, challenges) >= agentAsks {
		return refuse(OverBudget)
	}
	return err
}

// possible refuses a check for what cannot be done to the person.
func (o *order) possible(p *bot.Person, act string) error {
	if !touches[act] {
		return refuse(NoMethod)
	}
	all, err := touchable(o.tx, p)
	if err != nil {
		return err
	}
	for _, t := range all {
		if t.Act == act && (t.Method == nil && o.a.Method == "" || t.Method != nil && t.Method.ID == o.a.Method) {
			return nil
		}
	}
	return refuse(NoMethod)
}

// sealReason is what an agent says, as a check keeps it.
func (d *Desk) sealReason(k *bot.CallerCheck, text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	return d.o.Vault.Seal([]byte(text), k.Place("reason"))
}

// reason is what an agent gives as one: short, and without codes.
func reason(text string) (string, error) {
	if text, _ = Hide(strings.TrimSpace(text)); utf8.RuneCountInString(text) > maxReason {
		return "", &Refusal{Code: LongReason, Most: maxReason}
	}
	return text, nil
}

// expects keeps the answer of a check: its hash, and sealed what is still to be
// shown or sent.
func (o *order) expects(k *bot.CallerCheck, answer string) (err error) {
	k.Hash = o.d.o.Vault.Hash("caller_check", k.ID, string(k.Person), typed.Fold(answer))
	k.Answer, err = o.d.o.Vault.Seal([]byte(answer), k.Place("answer"))
	return err
}

// question asks in the person's chat which number the agent sees.
func (o *order) question(k *bot.CallerCheck) (*bot.Message, error) {
	var three [3]int
	for i := range three {
		for three[i] == 0 || slices.Contains(three[:i], three[i]) {
			var b [1]byte
			rand.Read(b[:])
			if n := int(b[0]); n < 180 { // each of 10 to 99 as often
				three[i] = 10 + n%90
			}
		}
	}
	if err := o.expects(k, strconv.Itoa(three[0])); err != nil {
		return nil, err
	}
	slices.Sort(three[:]) // which is which is not to be seen
	s := o.s
	say := func(key string, kv ...string) string { return o.d.o.Phrases.Phrase(s.Lang, key, kv...) }
	s.Prompt++
	m := &bot.Message{Lang: s.Lang, Prompt: s.Prompt, Text: say("desk.check.ask", "agent", o.d.called(o.tx, o.a.By, s.Lang))}
	for _, n := range three {
		m.Choices = append(m.Choices, bot.Choice{ID: choiceID(k.ID, strconv.Itoa(n)), Label: strconv.Itoa(n)})
	}
	m.Choices = append(m.Choices, bot.Choice{ID: choiceID(k.ID, notMe), Label: say("desk.check.not_me")})
	return m, nil
}

// notMe is the answer of a person who talks with nobody.
const notMe = "no"

func choiceID(check, answer string) string { return bot.ChoiceCheck + "|" + check + "|" + answer }

// pressed is the person's answer in their chat.
func (d *Desk) pressed(tx bot.Tx, c *bot.Conversation, s *bot.Session, choice string) (bot.DeskAnswer, error) {
	_, rest, _ := strings.Cut(choice, "|")
	id, answer, _ := strings.Cut(rest, "|")
	k, err := tx.CallerCheck(id)
	if err != nil && !errors.Is(err, bot.ErrNotFound) {
		return bot.DeskAnswer{}, err
	}
	if err != nil || k.Way != bot.WayChat || k.Target != string(c.ID) || k.State != bot.CheckOpen || !k.Live(tx.Now()) || c.Level < bot.L2 || c.Person != k.Person {
		return d.says(s, "desk.check.over"), nil
	}
	code, key := "check_passed", "desk.check.passed"
	switch {
	case answer == notMe:
		code, key = "check_denied", "desk.check.denied"
	case !d.o.Vault.Equal(k.Hash, "caller_check", k.ID, string(k.Person), answer):
		code, key = "check_failed", "desk.check.wrong"
	}
	o, err := d.orderOf(tx, k, "")
	if err != nil {
		return bot.DeskAnswer{}, err
	}
	if err := o.answered(k, code); err != nil {
		return bot.DeskAnswer{}, err
	}
	if answer == notMe { // ends the other checks, too
		if err := d.o.Methods.Deny(tx, k.Person, c, s.Lang); err != nil {
			return bot.DeskAnswer{}, err
		}
		c.Frozen = true
	}
	return d.says(s, key), nil
}

// orderOf is an act on the ticket of a check.
func (d *Desk) orderOf(tx bot.Tx, k *bot.CallerCheck, by bot.PersonID) (*order, error) {
	q, err := tx.Ticket(k.Ticket)
	if err != nil {
		return nil, err
	}
	return &order{d: d, tx: tx, q: q, a: &bot.AgentAct{Ticket: q.ID, By: by}}, nil
}

// answered ends the waiting of a check, by the code of its line, and raises what
// follows from a failed one.
func (o *order) answered(k *bot.CallerCheck, code string) error {
	k.Answer = nil
	if code == "check_passed" {
		k.State, k.ExpiresAt = bot.CheckPassed, o.tx.Now().Add(checkLife)
		if err := o.tx.PutCallerCheck(k); err != nil {
			return err
		}
		return o.checked(k, code)
	}
	if err := o.end(k, bot.CheckFailed); err != nil {
		return err
	}
	if code == "check_denied" {
		if err := o.d.raise(o.tx, bot.AlertCallerDenied, k.Person, k.Ticket); err != nil {
			return err
		}
	}
	of, by, err := failed(o.tx, k.Person, k.Agent)
	if err != nil {
		return err
	}
	if of >= maxFailed {
		if err := o.d.raise(o.tx, bot.AlertCallerFailed, k.Person, k.Ticket); err != nil {
			return err
		}
	}
	if by >= maxFailed {
		if err := o.d.raise(o.tx, bot.AlertCallerFailed, k.Agent, k.Ticket); err != nil {
			return err
		}
	}
	return o.checked(k, code)
}

// end ends a check.
func (o *order) end(k *bot.CallerCheck, as bot.CallerCheckState) error {
	k.State, k.EndedAt, k.Answer = as, o.tx.Now(), nil
	return o.tx.PutCallerCheck(k)
}

// checked writes down what became of a check. Its way stands in the line, and in
// the audit record its id and what it is for.
func (o *order) checked(k *bot.CallerCheck, code string) error {
	return o.evident(code, string(k.Way), evidence(k))
}

// evidence names a check in the audit record, which outlives people: what agents
// wrote stays sealed in the check, and in the lines of the ticket.
func evidence(k *bot.CallerCheck) string {
	return fmt.Sprintf("check %s by %s for %s", k.ID, k.Way, k.Act)
}

// opened is what a check keeps sealed, as it may be shown; empty when it cannot be opened.
func (d *Desk) opened(k *bot.CallerCheck, part string, sealed []byte) string {
	if len(sealed) == 0 {
		return ""
	}
	plain, err := d.o.Vault.Open(sealed, k.Place(part))
	if err != nil {
		d.o.Logger.Error("what a check of a caller keeps cannot be opened; is its key in the key file?", "check", k.ID, "err", err)
		return ""
	}
	return bot.Harmless(string(plain))
}

// waiting is the open check of this ticket that an answer is for.
func (o *order) waiting(ways ...bot.CheckWay) (*bot.CallerCheck, error) {
	k, err := o.tx.CallerCheck(o.a.Check)
	if err != nil && !errors.Is(err, bot.ErrNotFound) {
		return nil, err
	}
	if err != nil || k.Ticket != o.q.ID || k.Person != o.q.Person || k.State != bot.CheckOpen || !k.Live(o.tx.Now()) || !slices.Contains(ways, k.Way) {
		return nil, refuse(NoCheck)
	}
	return k, nil
}

// heard compares what the caller has read back with what was sent. It is counted,
// and not refused, so that a wrong try is kept.
func (o *order) heard(text string) (bot.DeskAnswer, error) {
	none := bot.DeskAnswer{}
	k, err := o.waiting(bot.WayText, bot.WayMail)
	switch {
	case err != nil:
		return none, err
	case k.Agent != o.a.By:
		return none, refuse(NoCheck)
	case text == "":
		return none, refuse(Empty)
	}
	if err := o.mine(); err != nil {
		return none, err
	}
	k.Tries++
	switch {
	case o.d.o.Vault.Equal(k.Hash, "caller_check", k.ID, string(k.Person), typed.Fold(text)):
		return none, o.answered(k, "check_passed")
	case k.Tries >= wordTries:
		return none, o.answered(k, "check_failed")
	}
	if err := o.tx.PutCallerCheck(k); err != nil {
		return none, err
	}
	return none, o.checked(k, "check_wrong")
}

// second refuses whoever cannot answer as the second agent.
func (o *order) second(text string) (*bot.CallerCheck, error) {
	k, err := o.waiting(bot.WayAgent)
	switch {
	case err != nil:
		return nil, err
	case k.Agent == o.a.By || k.Person == o.a.By:
		return nil, refuse(NotSecond)
	case text == "":
		return nil, refuse(NoReason)
	}
	k.Second = o.a.By
	was := o.d.opened(k, "reason", k.Reason)
	k.Reason, err = o.d.sealReason(k, was+" / "+text)
	return k, err
}

func (o *order) confirm(text string) (bot.DeskAnswer, error) {
	k, err := o.second(text)
	if err == nil {
		err = o.answered(k, "check_passed")
	}
	return bot.DeskAnswer{}, err
}

func (o *order) decline(text string) (bot.DeskAnswer, error) {
	k, err := o.second(text)
	if err == nil {
		err = o.answered(k, "check_declined")
	}
	return bot.DeskAnswer{}, err
}

// Words is the job that sends a person the words that they read back.
type Words struct {
	Check string `json:"c"`
}

// Kind implements bot.Job.
func (Words) Kind() string { return "desk_words" }

// HandleWords makes one attempt. Once they have left, only their hash is kept.
// Words that cannot leave, or are too late, end the check, and the agent is told.
func (d *Desk) HandleWords(ctx context.Context, j Words) error {
	var k *bot.CallerCheck
	lang, late := "", false
	err := d.o.Store.View(ctx, func(tx bot.Tx) (err error) {
		if k, err = tx.CallerCheck(j.Check); err != nil {
			return err
		}
		q, err := tx.Ticket(k.Ticket)
		if err != nil {
			return err
		}
		p, err := tx.Person(k.Person)
		if err == nil {
			lang, late = q.Lang, !k.Live(tx.Now()) || p.Stopped() || !p.FrozenAt.IsZero()
		}
		return err
	})
	if errors.Is(err, bot.ErrNotFound) || err == nil && (k.State != bot.CheckOpen || k.Answer == nil) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("desk: words for a caller: %w", err)
	}
	lost := late
	if !late {
		words := d.opened(k, "answer", k.Answer)
		err := d.o.Methods.SendWords(ctx, "check|"+k.ID, bot.MethodID(k.Target), lang, bot.Secret(words))
		if lost = errors.As(err, new(*bot.DropJob)); err != nil && !lost {
			return err
		}
	}
	return d.o.Store.Update(ctx, func(tx bot.Tx) error {
		now, err := tx.CallerCheck(j.Check)
		if err != nil || now.State != bot.CheckOpen {
			return err
		}
		if !lost {
			now.Answer = nil
			return tx.PutCallerCheck(now)
		}
		o, err := d.orderOf(tx, now, "")
		if err == nil {
			err = o.end(now, bot.CheckVoid)
		}
		if err != nil {
			return err
		}
		return o.checked(now, "check_lost")
	})
}
