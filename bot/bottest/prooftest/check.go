package prooftest

import (
	"context"
	"errors"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/enroll"
	"latchkey/bot/verify"
	"latchkey/store"
)

// Set gives the running flow slots: name, value, name, value.
func (r *Rig) Set(kv ...string) *Rig {
	f := bot.Frame{Slots: r.Slots}
	for i := 0; i < len(kv); i += 2 {
		f.Set(kv[i], kv[i+1])
	}
	r.Slots = f.Slots
	return r
}

// Slot is the value of a slot, or empty.
func (r *Rig) Slot(name string) string { return Fact(bot.Outcome{Facts: r.Slots}, name) }

// NewCall is the call of a check with this input, in the rig's conversation.
func (r *Rig) NewCall(input string) *bot.Call {
	conv := r.Conv
	return &bot.Call{Event: &bot.Event{}, Conversation: &conv, Input: input,
		Session: &bot.Session{Lang: "en", Stack: []bot.Frame{{Flow: "test", Step: "here", Slots: append([]bot.Fact(nil), r.Slots...)}}}}
}

// Try runs a check as a turn does. An outcome that its spec does not declare is
// an error.
func (r *Rig) Try(check string, c *bot.Call) (bot.Outcome, error) { return r.TryOn(r.DB, check, c) }

// linkOf links the account of a conversation to its person, where a test only
// says whose it is.
func linkOf(db *store.DB, c *bot.Conversation) error {
	if c.Person == "" || c.Level < bot.L2 {
		return nil
	}
	return db.Update(context.Background(), func(tx bot.Tx) error {
		id, err := tx.Identity(c.Channel, c.User)
		if err == nil && id.Person == c.Person || err != nil && !errors.Is(err, bot.ErrNotFound) {
			return err
		}
		return tx.Link(bot.Identity{Channel: c.Channel, User: c.User, Person: c.Person, Level: c.Level})
	})
}

// TryOn runs it in one of several processes.
func (r *Rig) TryOn(db *store.DB, check string, c *bot.Call) (bot.Outcome, error) {
	spec, ok := r.Checks[check]
	if !ok {
		return bot.Outcome{}, errors.New("no check " + check)
	}
	var oc bot.Outcome
	var jobs []bot.Job
	if err := linkOf(db, c.Conversation); err != nil {
		return oc, err
	}
	err := db.Update(context.Background(), func(tx bot.Tx) (err error) {
		jobs = nil
		oc, err = spec.Ask(r.Enroll.Gate, Recording{tx, &jobs, nil}, c)
		return err
	})
	if err != nil {
		return oc, err
	}
	facts, declared := spec.Answers()[oc.Name]
	if oc.Name == bot.OutcomeFrozen && !declared {
		facts, declared = []string{"since", "address"}, true // every check has it
	}
	if !declared {
		return oc, errors.New(check + " gave the undeclared outcome " + oc.Name)
	}
	for _, f := range oc.Facts {
		if !strings.Contains(" "+strings.Join(facts, " ")+" ", " "+f.Name+" ") {
			return oc, errors.New(check + ": outcome " + oc.Name + " gave the undeclared fact " + f.Name)
		}
	}
	if len(oc.Facts) != len(facts) {
		return oc, errors.New(check + ": outcome " + oc.Name + " gave fewer facts than declared")
	}
	r.mu.Lock()
	r.Jobs = append(r.Jobs, jobs...)
	r.mu.Unlock()
	return oc, nil
}

// Store is a store of one of several processes, for what a service does in
// transactions of its own: the jobs are kept for Work.
func (r *Rig) Store(db *store.DB) bot.Store { return recorder{db, r} }

type recorder struct {
	*store.DB
	rig *Rig
}

// Update implements bot.Store.
func (s recorder) Update(ctx context.Context, fn func(bot.Tx) error) error {
	var jobs []bot.Job
	var due []time.Time
	err := s.DB.Update(ctx, func(tx bot.Tx) error {
		jobs, due = nil, nil
		return fn(Recording{tx, &jobs, &due})
	})
	if err != nil {
		return err
	}
	s.rig.mu.Lock()
	defer s.rig.mu.Unlock()
	s.rig.Jobs, s.rig.Due = append(s.rig.Jobs, jobs...), append(s.rig.Due, due...)
	return nil
}

// Turn implements bot.Store.
func (s recorder) Turn(ctx context.Context, ev *bot.Event, fn func(bot.Tx, *bot.Conversation) error) error {
	var jobs []bot.Job
	var due []time.Time
	err := s.DB.Turn(ctx, ev, func(tx bot.Tx, c *bot.Conversation) error {
		jobs, due = nil, nil
		return fn(Recording{tx, &jobs, &due}, c)
	})
	if err != nil {
		return err
	}
	s.rig.mu.Lock()
	defer s.rig.mu.Unlock()
	s.rig.Jobs, s.rig.Due = append(s.rig.Jobs, jobs...), append(s.rig.Due, due...)
	return nil
}

// Do runs a check; its facts become slots, as in a flow.
func (r *Rig) Do(check, input string) bot.Outcome {
	r.Helper()
	oc, err := r.Try(check, r.NewCall(input))
	if err != nil {
		r.Fatalf("%s: %v", check, err)
	}
	for _, f := range oc.Facts {
		r.Set(f.Name, f.Value)
	}
	return oc
}

// Want does the same and compares the outcome's name.
func (r *Rig) Want(check, input, outcome string) bot.Outcome {
	r.Helper()
	oc := r.Do(check, input)
	if oc.Name != outcome {
		r.Fatalf("%s(%q) = %s %v, want %s", check, input, oc.Name, oc.Facts, outcome)
	}
	return oc
}

// Submit prepares a form, given its fields as name, value pairs, and runs its
// check.
func (r *Rig) Submit(form, check string, kv ...string) bot.Outcome {
	r.Helper()
	oc, err := r.TrySubmit(form, check, kv...)
	if err != nil {
		r.Fatalf("form %s: %v", form, err)
	}
	return oc
}

// TrySubmit does the same and gives the error.
func (r *Rig) TrySubmit(form, check string, kv ...string) (bot.Outcome, error) {
	c := r.NewCall("")
	f := &bot.FormReply{Name: form}
	for i := 0; i < len(kv); i += 2 {
		f.Values = append(f.Values, bot.FormValue{Name: kv[i], Value: bot.Secret(kv[i+1])})
	}
	c.Event.Form = f
	if prepare := r.Forms[form].Prepare; prepare != nil {
		prepared, err := prepare(context.Background(), r.DB, c)
		if err != nil {
			return bot.Outcome{}, err
		}
		c.Prepared = prepared
	}
	return r.Try(check, c)
}

// Work runs every job that waits, and returns what it made of them. The end of
// a key's life and the look after a code are left waiting: a test runs them when
// it is their time.
func (r *Rig) Work() (errs []error) {
	r.Helper()
	r.mu.Lock()
	jobs := r.Jobs
	r.Jobs = nil
	r.mu.Unlock()
	for _, j := range jobs {
		switch j := j.(type) {
		case verify.SendCode:
			errs = append(errs, r.Verify.HandleSendCode(r.Context(), j))
		case enroll.Notify:
			errs = append(errs, r.Enroll.HandleNotify(r.Context(), j))
		case enroll.Moved:
			errs = append(errs, r.Enroll.HandleMoved(r.Context(), j))
		case enroll.Alerts:
			errs = append(errs, r.Enroll.HandleAlerts(r.Context(), j))
		case enroll.Lapse, verify.Late:
			r.Jobs = append(r.Jobs, j)
		default:
			r.Fatalf("unknown job %T", j)
		}
	}
	return errs
}

// Deliver runs the jobs and fails when one fails. A notice that the budgets of
// texts do not allow is none of that.
func (r *Rig) Deliver() {
	r.Helper()
	for _, err := range r.Work() {
		if err != nil && !errors.Is(err, enroll.ErrTexts) {
			r.Fatal(err)
		}
	}
}

// Fact is the value of an outcome's fact, or empty.
func Fact(oc bot.Outcome, name string) string {
	for _, f := range oc.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}
