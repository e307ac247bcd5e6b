package enroll

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/bot"
)

// What operators do to a person: take a chat account away, freeze, stop, end
// sessions, erase, give another id. Each is one transaction with its line in
// the audit record, and takes effect in every process with its commit: nothing
// about a person is kept in memory, and event streams ask again.

// An Order says who wants something done to a person, and why.
type Order struct {
	By  string // for the audit record: "operator:ada"
	Why string // for the audit record, too; required
	// Dry undoes everything again, so that Done says what would be done.
	Dry bool
	// Allow refuses the order in its transaction. Nil: whoever gives it may.
	Allow func(tx bot.Tx, p bot.PersonID) error
}

// MaxWhy is how many letters the reason of an order has at most.
const MaxWhy = 500

// WhyFits reports whether a text can be the reason of an order: one line.
func WhyFits(why string) bool {
	return why != "" && utf8.RuneCountInString(why) <= MaxWhy && bot.Harmless(why) == why && !strings.ContainsAny(why, "\r\n\t")
}

func (o Order) check() error {
	if o.By == "" || o.Why == "" {
		return errors.New("enroll: an operator's order needs who gives it and why")
	}
	return nil
}

// Done says what came of an order.
type Done struct {
	Person   bot.Person // as it was before
	Already  bool       // it was so before: nothing was changed, nothing recorded, nobody told
	Accounts []bot.Identity
	Passes   int    // web sessions, one-time pages and sign-ins that were ended
	Methods  int    // methods that were removed
	Pending  int    // methods that were begun and not proven, dropped
	Codes    int    // open codes, void now
	Tickets  int    // of an agent, which go back into the queue
	Request  string // the number of the request to the help desk
	Told     int    // ways by which the person gets a notice: addresses, phones, chats
	Erased   bot.Erased
}

// Errors of orders; the message says what to do.
var (
	ErrListed    = errors.New("the staff list still has this person")
	ErrDirectory = errors.New("the staff list itself says that the account is disabled")
)

var errDry = errors.New("only tried")

// obey runs one order in one transaction.
func (r *Service) obey(ctx context.Context, o Order, p bot.PersonID, do func(bot.Tx, *Done) error) (Done, error) {
	var d Done
	err := r.Store.Update(ctx, func(tx bot.Tx) (err error) {
		if d, err = obeyIn(tx, o, p, do); err == nil && o.Dry {
			err = errDry
		}
		return err
	})
	if err != nil && !errors.Is(err, errDry) {
		return Done{}, err
	}
	return d, nil
}

// obeyIn is obey in a transaction of somebody else.
func obeyIn(tx bot.Tx, o Order, p bot.PersonID, do func(bot.Tx, *Done) error) (d Done, err error) {
	if err := o.check(); err != nil {
		return d, err
	}
	if err := oneAtATime(tx); err != nil { // two operators at once: the second finds it done
		return d, err
	}
	if o.Allow != nil {
		if err := o.Allow(tx, p); err != nil {
			return d, err
		}
	}
	who, err := tx.Person(p)
	if err != nil {
		return d, fmt.Errorf("enroll: %w", err)
	}
	d.Person = *who
	return d, do(tx, &d)
}

// Unlink takes chat accounts away from a person: of one channel, or one account
// of it, or all. What was begun, proven or asked there is void, sessions end,
// and what was said there is deleted, so that whoever has the account sees
// nothing of it. ErrNotFound when no account is linked.
func (r *Service) Unlink(ctx context.Context, p bot.PersonID, ch bot.ChannelID, user string, o Order) (Done, error) {
	return r.obey(ctx, o, p, func(tx bot.Tx, d *Done) error {
		ids, err := tx.IdentitiesOf(p)
		if err != nil {
			return fmt.Errorf("enroll: chat accounts: %w", err)
		}
		d.Accounts = slices.DeleteFunc(ids, func(id bot.Identity) bool {
			return ch != "" && id.Channel != ch || user != "" && id.User != user
		})
		if len(d.Accounts) == 0 {
			return fmt.Errorf("enroll: chat account: %w", bot.ErrNotFound)
		}
		convs, err := hold(tx, p, d.Accounts)
		if err != nil {
			return err
		}
		if err := r.halt(tx, d, convs); err != nil {
			return err
		}
		for _, c := range convs {
			if err := r.forgetTalk(tx, c); err != nil {
				return err
			}
		}
		for _, id := range d.Accounts {
			if tx.Now().Before(id.HeldUntil) {
				// What came through a held link goes with it.
				if err := r.Disown(tx, id.Channel, id.User); err != nil {
					return err
				}
			} else if err := takeAway(tx, p, id.Channel, id.User); err != nil {
				return err
			}
			if err := r.noted(tx, o, d, "identity.unlinked", id.Channel, "chat account"); err != nil {
				return err
			}
		}
		return nil
	})
}

// Freeze stops everything for a person until an operator, or a proof at L3,
// ends it: proofs, changes, sessions, nudges, and what agents may ask. It asks
// the help desk to call the person.
func (r *Service) Freeze(ctx context.Context, p bot.PersonID, o Order) (Done, error) {
	return r.obey(ctx, o, p, func(tx bot.Tx, d *Done) error {
		return r.freeze(tx, d, stop{by: o.By, subject: "account", evidence: o.Why, operator: true})
	})
}

// Unfreeze ends a freeze and closes the request that it opened.
func (r *Service) Unfreeze(ctx context.Context, p bot.PersonID, o Order) (Done, error) {
	return r.obey(ctx, o, p, func(tx bot.Tx, d *Done) error { return r.unfreeze(tx, d, o) })
}

func (r *Service) unfreeze(tx bot.Tx, d *Done, o Order) error {
	if d.Already = d.Person.FrozenAt.IsZero(); d.Already {
		return nil
	}
	agent, ok := strings.CutPrefix(o.By, "agent:")
	if !ok {
		agent = "" // an operator
	}
	if err := r.thaw(tx, d.Person.ID, bot.PersonID(agent)); err != nil {
		return err
	}
	return r.noted(tx, o, d, "person.unfrozen", "", "account")
}

// SignOut ends all web sessions, one-time pages, sign-ins under way and proofs
// of a person. Chat accounts stay linked, and what was begun may be finished.
func (r *Service) SignOut(ctx context.Context, p bot.PersonID, o Order) (Done, error) {
	return r.obey(ctx, o, p, func(tx bot.Tx, d *Done) error {
		convs, err := r.everywhere(tx, p)
		if err != nil {
			return err
		}
		if err := r.signOut(tx, d, convs); err != nil {
			return err
		}
		if d.Codes, err = tx.VoidChallenges(p, nil, linking); err != nil {
			return fmt.Errorf("enroll: void codes of sign-ins: %w", err)
		}
		return r.noted(tx, o, d, "person.signed_out", "", "account")
	})
}

// DisablePerson stops an account here, whatever the staff list says of it; no import
// ends it.
func (r *Service) DisablePerson(ctx context.Context, p bot.PersonID, o Order) (Done, error) {
	return r.obey(ctx, o, p, func(tx bot.Tx, d *Done) error {
		if d.Already = !d.Person.StoppedAt.IsZero(); d.Already {
			return nil
		}
		if err := tx.SetStopped(p, tx.Now()); err != nil {
			return fmt.Errorf("enroll: disable: %w", err)
		}
		if _, err := r.haltAll(tx, d); err != nil {
			return err
		}
		if err := r.giveBack(tx, d); err != nil {
			return err
		}
		return r.noted(tx, o, d, "person.disabled", "", "account")
	})
}

// EnablePerson ends what DisablePerson began. ErrDirectory when it is the staff list that
// disables the account.
func (r *Service) EnablePerson(ctx context.Context, p bot.PersonID, o Order) (Done, error) {
	return r.obey(ctx, o, p, func(tx bot.Tx, d *Done) error {
		if d.Person.StoppedAt.IsZero() {
			if d.Person.Disabled {
				return fmt.Errorf("enroll: enable: %w", ErrDirectory)
			}
			d.Already = true
			return nil
		}
		if err := tx.SetStopped(p, time.Time{}); err != nil {
			return fmt.Errorf("enroll: enable: %w", err)
		}
		return r.noted(tx, o, d, "person.enabled", "", "account")
	})
}

// Erase deletes a person and all that belongs to them. ErrListed when the staff
// list still has the person; with listed, they are erased all the same, and
// imports leave them out. The line in the audit record names them by the
// reference that nothing leads back from any more.
func (r *Service) Erase(ctx context.Context, p bot.PersonID, listed bool, o Order) (Done, error) {
	return r.obey(ctx, o, p, func(tx bot.Tx, d *Done) (err error) {
		on := d.Person.UnlistedAt.IsZero()
		if on && !listed {
			return fmt.Errorf("enroll: erase: %w", ErrListed)
		}
		// Before the row goes, whose reference the line names.
		_, err = tx.Audit(bot.AuditEntry{Person: p, Actor: o.By, Action: "person.erased", Subject: "account", Evidence: o.Why})
		if err != nil {
			return fmt.Errorf("enroll: audit an erasure: %w", err)
		}
		if r.LeaveDesk != nil {
			if err := r.LeaveDesk(tx, p); err != nil {
				return fmt.Errorf("enroll: erase: %w", err)
			}
		}
		if d.Erased, err = tx.ErasePerson(p, on); err != nil {
			return fmt.Errorf("enroll: erase: %w", err)
		}
		return nil
	})
}

// LetBack lets imports add an id again that was erased while it was listed.
// ErrNotFound when it was not.
func (r *Service) LetBack(ctx context.Context, p bot.PersonID, o Order) error {
	if err := o.check(); err != nil {
		return err
	}
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		was, err := tx.DropTombstone(p)
		if err != nil {
			return fmt.Errorf("enroll: let back: %w", err)
		}
		if !was {
			return fmt.Errorf("enroll: let back: %w", bot.ErrNotFound)
		}
		if o.Dry {
			return errDry
		}
		_, err = tx.Audit(bot.AuditEntry{Actor: o.By, Action: "person.let_back", Subject: "account", Evidence: o.Why})
		if err != nil {
			return fmt.Errorf("enroll: audit: %w", err)
		}
		return nil
	})
	if errors.Is(err, errDry) {
		return nil
	}
	return err
}

// Rename gives a person another id, as when a directory changes its scheme:
// what is sealed is sealed anew for the new id, counters go along, and what was
// begun is void. The error wraps bot.ErrConflict when somebody has the new id.
func (r *Service) Rename(ctx context.Context, p, now bot.PersonID, o Order) (Done, error) {
	return r.obey(ctx, o, p, func(tx bot.Tx, d *Done) error {
		if now == "" || now == p {
			return fmt.Errorf("enroll: rename: the new id is empty or the old one")
		}
		if _, err := r.haltAll(tx, d); err != nil {
			return err
		}
		err := tx.RenamePerson(p, now, func(sealed []byte, from, to string) ([]byte, error) {
			plain, err := r.Vault.Open(sealed, from)
			if err != nil {
				return nil, fmt.Errorf("open: %w", err)
			}
			return r.Vault.Seal(plain, to)
		})
		if err != nil {
			return fmt.Errorf("enroll: rename: %w", err)
		}
		_, err = tx.Audit(bot.AuditEntry{Person: now, Actor: o.By, Action: "person.renamed", Subject: "id", Evidence: o.Why})
		if err != nil {
			return fmt.Errorf("enroll: audit a new id: %w", err)
		}
		return nil
	})
}

// firstTalk is the conversation that a web session of a chat account begins.
func firstTalk(id bot.Identity) bot.ConversationID {
	return bot.ConversationID(string(id.Channel) + ":" + id.User)
}

// hold lists the conversations of chat accounts, and those that a web session
// may begin. It takes their locks, always in the same order, before anything
// else is touched: turns that are under way end first.
func hold(tx bot.Tx, p bot.PersonID, ids []bot.Identity) ([]bot.ConversationID, error) {
	all, err := tx.ConversationsOf(p)
	if err != nil {
		return nil, fmt.Errorf("enroll: conversations: %w", err)
	}
	convs := []bot.ConversationID{}
	for _, id := range ids {
		convs = append(convs, firstTalk(id))
		for i := range all {
			if all[i].Channel == id.Channel && all[i].User == id.User {
				convs = append(convs, all[i].ID)
			}
		}
	}
	slices.Sort(convs)
	convs = slices.Compact(convs)
	for _, c := range convs {
		if _, err := tx.Conversation(c); err != nil && !errors.Is(err, bot.ErrNotFound) {
			return nil, fmt.Errorf("enroll: conversations: %w", err)
		}
	}
	return convs, nil
}

// everywhere is hold for all chat accounts of a person.
func (r *Service) everywhere(tx bot.Tx, p bot.PersonID) ([]bot.ConversationID, error) {
	ids, err := tx.IdentitiesOf(p)
	if err != nil {
		return nil, fmt.Errorf("enroll: chat accounts: %w", err)
	}
	return hold(tx, p, ids)
}

// haltAll voids everything that is under way for the person of an order.
func (r *Service) haltAll(tx bot.Tx, d *Done) ([]bot.ConversationID, error) {
	convs, err := r.everywhere(tx, d.Person.ID)
	if err != nil {
		return nil, err
	}
	if err := r.halt(tx, d, convs); err != nil {
		return nil, err
	}
	// Whatever else is pending was begun where no account is linked any more.
	n, err := r.dropBegun(tx, d.Person.ID, nil)
	if err != nil {
		return nil, err
	}
	d.Pending += n
	n, err = tx.VoidChallenges(d.Person.ID, nil, "")
	if err != nil {
		return nil, fmt.Errorf("enroll: void codes: %w", err)
	}
	d.Codes += n
	return convs, nil
}

// giveBack has the tickets that an agent has go back into the queue.
func (r *Service) giveBack(tx bot.Tx, d *Done) error {
	if r.GiveBack == nil {
		return nil
	}
	held, err := r.GiveBack(tx, d.Person.ID)
	if d.Tickets = len(held); err != nil {
		return fmt.Errorf("enroll: tickets of an agent: %w", err)
	}
	return nil
}

// halt voids what is under way for a person in some conversations: sessions,
// proofs, codes, and methods that were begun there.
func (r *Service) halt(tx bot.Tx, d *Done, convs []bot.ConversationID) (err error) {
	if err := r.signOut(tx, d, convs); err != nil {
		return err
	}
	if d.Pending, err = r.dropBegun(tx, d.Person.ID, convs); err != nil {
		return err
	}
	if d.Codes, err = tx.VoidChallenges(d.Person.ID, convs, ""); err != nil {
		return fmt.Errorf("enroll: void codes: %w", err)
	}
	return nil
}

// signOut ends sessions and proofs in some conversations.
func (r *Service) signOut(tx bot.Tx, d *Done, convs []bot.ConversationID) (err error) {
	if d.Passes, err = tx.EndPasses(convs); err != nil {
		return fmt.Errorf("enroll: end sessions: %w", err)
	}
	if r.Left != nil && d.Passes > 0 {
		if err := r.Left(tx, convs...); err != nil {
			return err
		}
	}
	return VoidProofs(tx, d.Person.ID, func(c *bot.Conversation) bool { return !slices.Contains(convs, c.ID) })
}

// dropBegun drops the pending methods that were begun in some conversations, or
// with nil in any. One that does not say where it was begun is dropped always.
func (r *Service) dropBegun(tx bot.Tx, p bot.PersonID, convs []bot.ConversationID) (n int, err error) {
	ms, err := tx.Methods(p)
	if err != nil {
		return 0, fmt.Errorf("enroll: methods: %w", err)
	}
	for i := range ms {
		m := &ms[i]
		if m.State != bot.Pending || convs != nil && m.Conversation != "" && !slices.Contains(convs, m.Conversation) {
			continue
		}
		if err := r.drop(tx, m); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// forgetTalk deletes what was said in a conversation and where it was.
func (r *Service) forgetTalk(tx bot.Tx, id bot.ConversationID) error {
	c, err := tx.Conversation(id)
	if errors.Is(err, bot.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("enroll: conversation: %w", err)
	}
	if err := tx.ClearSaid(id); err != nil {
		return fmt.Errorf("enroll: forget a conversation: %w", err)
	}
	if r.Afresh == nil {
		return nil
	}
	c.State = r.Afresh(c)
	if err := tx.SaveConversation(c); err != nil {
		return fmt.Errorf("enroll: forget a conversation: %w", err)
	}
	return nil
}

// noted writes the audit line of an order and tells the person.
func (r *Service) noted(tx bot.Tx, o Order, d *Done, action string, ch bot.ChannelID, subject string) error {
	p := &d.Person
	if err := r.audited(tx, p.ID, o.By, action, subject, ch, o.Why); err != nil {
		return err
	}
	ways, err := r.tell(tx, p, News{Change: action, Channel: ch, Operator: true})
	d.Told += ways
	return err
}
