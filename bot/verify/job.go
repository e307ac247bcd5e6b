package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"latchkey/bot"
	"latchkey/bot/failpoint"
)

// SendCode is the job that sends one code.
type SendCode struct {
	Challenge string `json:"challenge"`
}

// Kind implements bot.Job.
func (SendCode) Kind() string { return "send_code" }

// Queue implements bot.QueuedJob. A provider that hangs holds up codes only, and
// nothing that hangs elsewhere holds up a code.
func (SendCode) Queue() bot.JobQueue {
	return bot.JobQueue{Name: "codes", Workers: 32, Timeout: time.Minute}
}

// An Asker is a Sender whose provider can be asked whether it took a code,
// when the outcome of an attempt is not known. Optional.
type Asker interface {
	// AskCode looks for a send of this challenge to this destination since
	// a time. An empty providerRef and no error: there was none.
	AskCode(ctx context.Context, id string, to bot.Secret, since time.Time) (providerRef string, err error)
}

// Buckets of the attempts of one challenge; the key is its id.
const (
	attempts  = "code.attempt" // noted before each I/O
	cleanMiss = "code.missed"  // of those, the ones of which we know that nothing was sent
)

// mayDouble is how many attempts of unknown outcome a challenge may have: one,
// and one more with the same code.
const mayDouble = 2

// An attempt is what one run of the job knows.
type attempt struct {
	ch     *bot.Challenge
	unsure int  // earlier attempts of unknown outcome
	stop   stop // why there is nothing to do
	now    time.Time
	code   bot.Secret
	to     bot.Secret
}

type stop uint8

const (
	goOn   stop = iota
	done        // sent, used or replaced: nothing to do and nothing to tell
	tooOld      // ran out before it could be sent
	unsure      // may have been sent twice already
	failed      // for good, and the conversation was told
)

// HandleSendCode sends the code of a challenge once. A nil error ends the job;
// a *bot.DropJob ends it as failed, after the conversation was told; any other
// error asks for a retry, after SendError.After where a *bot.SendError has one.
// A code that ran out is never sent.
func (r *Service) HandleSendCode(ctx context.Context, j SendCode) error {
	a, err := r.begin(ctx, j.Challenge)
	if err != nil {
		return err
	}
	switch a.stop {
	case done:
		return nil
	case failed:
		return &bot.DropJob{Err: fmt.Errorf("verify: code %s failed before", j.Challenge)}
	case tooOld:
		return r.giveUp(ctx, a, "undelivered", fmt.Errorf("verify: code %s ran out before it was sent", j.Challenge))
	case unsure:
		return r.giveUp(ctx, a, "undelivered", fmt.Errorf("verify: code %s may have been sent twice already", j.Challenge))
	}
	sender := r.Senders[a.ch.Via]
	if sender == nil {
		return r.giveUp(ctx, a, "undelivered", fmt.Errorf("verify: nothing sends by %q; configure it", a.ch.Via))
	}
	if asker, ok := sender.(Asker); ok && a.unsure > 0 {
		ref, err := asker.AskCode(ctx, a.ch.ID, a.to, a.ch.CreatedAt)
		if err != nil {
			return fmt.Errorf("verify: ask the provider about code %s: %w", a.ch.ID, err)
		}
		if ref != "" {
			return r.handedOver(ctx, a.ch.ID, ref)
		}
	}
	if err := r.note(ctx, a); err != nil {
		return err
	}
	word, _ := purposeWord(a.ch.Purpose)
	defer r.under.begin()()
	failpoint.Hit(failpoint.CodeBefore)
	ref, err := sender.SendCode(ctx, bot.CodeMessage{
		ID: a.ch.ID, Via: a.ch.Via, To: a.to, Code: a.code, Lang: a.ch.Lang, Purpose: word, Expires: a.ch.ExpiresAt})
	failpoint.Hit(failpoint.CodeAfter)
	if err == nil {
		return r.handedOver(ctx, a.ch.ID, ref)
	}
	return r.classify(ctx, a, err)
}

// purposeWord is "enroll" or "prove", and the kind of the method.
func purposeWord(purpose string) (word, kind string) {
	for i := range purpose {
		if purpose[i] == '.' {
			return purpose[:i], purpose[i+1:]
		}
	}
	return purpose, ""
}

// begin reads the challenge and decides whether it may be sent.
func (r *Service) begin(ctx context.Context, id string) (*attempt, error) {
	var a *attempt
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		a = &attempt{now: tx.Now()}
		all, _, err := tx.Tallied(attempts, id, time.Time{})
		if err != nil {
			return err
		}
		missed, _, err := tx.Tallied(cleanMiss, id, time.Time{})
		if err != nil {
			return err
		}
		if a.ch, err = tx.Challenge(id); err != nil {
			return err
		}
		a.unsure = max(0, all-missed)
		switch ch := a.ch; {
		case ch.Sent == bot.SendFailed:
			a.stop = failed
		case !ch.ClosedAt.IsZero(), ch.Sent >= bot.SendHandedOver:
			a.stop = done
			return wipe(tx, ch)
		case a.unsure >= mayDouble && a.now.Before(ch.ExpiresAt):
			a.stop = unsure
		case ch.SealedCode == nil: // replaced by a newer one
			a.stop = done
		case !a.now.Before(ch.ExpiresAt):
			a.stop = tooOld
		default:
			return r.unseal(a)
		}
		return nil
	})
	if errors.Is(err, bot.ErrNotFound) {
		return nil, &bot.DropJob{Err: fmt.Errorf("verify: code %s: %w", id, err), Quiet: true}
	}
	if err != nil {
		return nil, fmt.Errorf("verify: begin code %s: %w", id, err)
	}
	return a, nil
}

func (r *Service) unseal(a *attempt) error {
	code, err := r.Vault.Open(a.ch.SealedCode, a.ch.Place("code"))
	if err != nil {
		return fmt.Errorf("open the code: %w", err)
	}
	to, err := r.Vault.Open(a.ch.SealedTo, a.ch.Place("to"))
	if err != nil {
		return fmt.Errorf("open the destination: %w", err)
	}
	a.code, a.to = bot.Secret(code), bot.Secret(to)
	return nil
}

// note stores the attempt before the I/O.
func (r *Service) note(ctx context.Context, a *attempt) error {
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		if err := tx.Tally(attempts, a.ch.ID); err != nil {
			return err
		}
		_, err := tx.MarkSend(a.ch.ID, bot.SendTrying, "")
		return err
	})
	if err != nil {
		return fmt.Errorf("verify: note attempt of code %s: %w", a.ch.ID, err)
	}
	return nil
}

// handedOver stores that the provider took the code, and wipes it here. The
// code of a call stays, sealed, until the call is over: it is read out only
// when somebody has picked up and pressed a key.
func (r *Service) handedOver(ctx context.Context, id, ref string) error {
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		if _, err := tx.MarkSend(id, bot.SendHandedOver, ref); err != nil {
			return err
		}
		ch, err := tx.Challenge(id)
		if err != nil || ch.Via == bot.Voice && ch.ClosedAt.IsZero() {
			return err
		}
		return wipe(tx, ch)
	})
	if err != nil {
		return fmt.Errorf("verify: code %s was handed over but not noted: %w", id, err)
	}
	return nil
}

// classify decides what follows from a failed attempt.
func (r *Service) classify(ctx context.Context, a *attempt, err error) error {
	var se *bot.SendError
	if !errors.As(err, &se) {
		se = &bot.SendError{Kind: bot.SendUncertain, Err: err} // not promised, so nothing is known
	}
	err = fmt.Errorf("verify: send code %s by %s: %w", a.ch.ID, a.ch.Via, se)
	switch se.Kind {
	case bot.SendRetry, bot.SendThrottled:
		if e := r.Store.Update(ctx, func(tx bot.Tx) error { return tx.Tally(cleanMiss, a.ch.ID) }); e != nil {
			return fmt.Errorf("verify: note a clean miss of code %s: %w", a.ch.ID, errors.Join(e, err))
		}
		if se.Kind == bot.SendThrottled && !a.now.Add(se.After).Before(a.ch.ExpiresAt) {
			return r.giveUp(ctx, a, "undelivered", err)
		}
		return err
	case bot.SendUncertain:
		if a.unsure++; a.unsure >= mayDouble {
			return r.giveUp(ctx, a, "undelivered", err)
		}
		return err
	}
	return r.giveUp(ctx, a, signalOf(se.Code, se.Kind == bot.SendGone), err)
}

// signalOf is the name of the signal for a provider's reason.
func signalOf(code string, gone bool) string {
	switch code {
	case "landline", "opted_out", "unreachable", "refused":
		return code
	}
	if gone {
		return "unreachable"
	}
	return "undelivered"
}

// giveUp tells the conversation, marks the send as failed and drops the job.
// The signal goes first: a repeat of it is dropped by its id, while a failure
// that nobody was told of would leave the person waiting.
//
// Where an attempt may have come through, that is what the person is told, and
// the send is not marked as failed: the code counts as long as it lives.
func (r *Service) giveUp(ctx context.Context, a *attempt, name string, cause error) error {
	doubt := name == "undelivered" && a.unsure > 0
	if doubt {
		name = "doubtful"
	}
	if err := r.raise(ctx, a.ch, name); err != nil {
		return errors.Join(err, cause)
	}
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		if !doubt {
			if _, err := tx.MarkSend(a.ch.ID, bot.SendFailed, ""); err != nil {
				return err
			}
		}
		ch, err := tx.Challenge(a.ch.ID)
		if err != nil {
			return err
		}
		return wipe(tx, ch)
	})
	if err != nil {
		return fmt.Errorf("verify: mark code %s as failed: %w", a.ch.ID, errors.Join(err, cause))
	}
	var se *bot.SendError
	refused := errors.As(cause, &se) && (se.Kind == bot.SendPermanent || se.Kind == bot.SendGone) && se.Fix == ""
	return &bot.DropJob{Err: cause, Quiet: refused}
}

// Late is the job that looks at a code some time after it was asked for. One
// that has not gone out by then is told to the person.
type Late struct {
	Challenge string `json:"challenge"`
}

// Kind implements bot.Job.
func (Late) Kind() string { return "code_late" }

// lateAfter is how long a person waits for a code that does not go out until
// they are told. With the seconds by which a job may be late itself (see
// store.DB.StartJobs) that is less than half a minute.
const lateAfter = 20 * time.Second

// HandleLate tells the person who waits for a code that it has not gone out, as
// far as is known. The job that sends it goes on.
func (r *Service) HandleLate(ctx context.Context, j Late) error {
	var ch *bot.Challenge
	var now time.Time
	err := r.Store.View(ctx, func(tx bot.Tx) (err error) {
		now = tx.Now()
		ch, err = tx.Challenge(j.Challenge)
		return err
	})
	switch {
	case errors.Is(err, bot.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("verify: look after code %s: %w", j.Challenge, err)
	case ch.Sent >= bot.SendHandedOver, ch.SealedCode == nil, !now.Before(ch.ExpiresAt): // gone out, given up, replaced or dead
		return nil
	}
	r.Log.Warn("a code has not gone out; the person who waits for it is told", "via", ch.Via, "code", ch.ID)
	return r.raise(ctx, ch, "late")
}

// Again is the job that has a new code sent in place of one that was given up.
type Again struct {
	Challenge string `json:"challenge"`
}

// Kind implements bot.Job.
func (Again) Kind() string { return "code_again" }

// HandleAgain has the conversation ask for a new code as if the person had, so
// that every limit counts. Where the person does not wait for it any more
// nothing happens.
func (r *Service) HandleAgain(ctx context.Context, j Again) error {
	var ch *bot.Challenge
	err := r.Store.View(ctx, func(tx bot.Tx) (err error) {
		ch, err = tx.Challenge(j.Challenge)
		return err
	})
	switch {
	case errors.Is(err, bot.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("verify: ask for code %s again: %w", j.Challenge, err)
	}
	return r.raise(ctx, ch, "again")
}

// raise tells the conversation what became of a code. One challenge has at most
// one signal of each name. A code that is closed or replaced concerns nobody.
func (r *Service) raise(ctx context.Context, ch *bot.Challenge, name string) error {
	if !ch.ClosedAt.IsZero() || r.inbox == nil {
		return nil
	}
	var conv *bot.Conversation
	err := r.Store.View(ctx, func(tx bot.Tx) (err error) {
		conv, err = tx.Conversation(ch.Conversation)
		return err
	})
	if errors.Is(err, bot.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = r.inbox.Accept(ctx, bot.Event{
			ID: "code|" + ch.ID + "|" + name, Channel: conv.Channel, Conversation: conv.ID, Kind: bot.Notice,
			Signal: &bot.Signal{Name: name, Ref: ch.ID}})
	}
	if err != nil {
		return fmt.Errorf("verify: tell what became of code %s: %w", ch.ID, err)
	}
	return nil
}

// HandleStatus takes a provider's later word about a send: SendHandedOver,
// SendDelivered or SendFailed, with a reason such as "landline" for the last.
// States only grow: a late or repeated word changes nothing, and an unknown
// reference is ignored, since it may be another system's. A final word that
// overtakes the answer to the send itself waits until that is stored.
func (r *Service) HandleStatus(ctx context.Context, providerRef string, status bot.SendState, code string) error {
	if status < bot.SendHandedOver {
		return nil
	}
	var ch *bot.Challenge
	look := func(tx bot.Tx) (err error) {
		ch, err = tx.ChallengeByRef(providerRef)
		return err
	}
	err := r.Store.View(ctx, look)
	if errors.Is(err, bot.ErrNotFound) && status >= bot.SendDelivered {
		if err = r.under.wait(ctx); err == nil {
			err = r.Store.View(ctx, look)
		}
	}
	if errors.Is(err, bot.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("verify: status of a send: %w", err)
	}
	if ch.Sent >= bot.SendDelivered || status <= ch.Sent {
		return nil // the last word was said; delivered and failed are both final
	}
	switch status {
	case bot.SendDelivered:
		err = r.raise(ctx, ch, "delivered")
	case bot.SendFailed:
		err = r.raise(ctx, ch, signalOf(code, false))
	}
	if err != nil {
		return err
	}
	err = r.Store.Update(ctx, func(tx bot.Tx) error {
		now, err := tx.Challenge(ch.ID)
		if err != nil || now.Sent >= bot.SendDelivered {
			return err
		}
		if _, err = tx.MarkSend(ch.ID, status, ""); err != nil || status < bot.SendDelivered {
			return err
		}
		return wipe(tx, now) // a call is over
	})
	if err != nil {
		return fmt.Errorf("verify: store the status of code %s: %w", ch.ID, err)
	}
	return nil
}

// CodeOf gives the code of a call to whoever reads it out, and the person's
// language, as long as the code counts. The error wraps bot.ErrNotFound when it
// does not, or never was.
func (r *Service) CodeOf(ctx context.Context, challenge string) (code bot.Secret, lang string, err error) {
	err = r.Store.View(ctx, func(tx bot.Tx) error {
		ch, err := tx.Challenge(challenge)
		if err != nil {
			return err
		}
		if ch.Via != bot.Voice || ch.SealedCode == nil || !r.live(tx, ch) {
			return fmt.Errorf("code of challenge %s does not count any more: %w", challenge, bot.ErrNotFound)
		}
		plain, err := r.Vault.Open(ch.SealedCode, ch.Place("code"))
		if err != nil {
			return err
		}
		code, lang = bot.Secret(plain), ch.Lang
		return nil
	})
	if err != nil {
		return "", "", fmt.Errorf("verify: read out a code: %w", err)
	}
	return code, lang, nil
}
