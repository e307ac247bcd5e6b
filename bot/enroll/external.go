package enroll

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"latchkey/bot"
)

// linking is the purpose of the codes that link a chat account.
const linking = "link"

// personMeans says how people sign in.
//
// In the web chat, where nobody stands behind the account of a visitor, the
// sign-in happens in a window of our own: whoever begins it there is signed in
// there, and nothing can be read out to somebody else.
func (r *Service) personMeans(_ bot.Tx, c *bot.Call) (bot.Outcome, error) {
	switch {
	case r.SignIn == ByNobody:
		return say("nobody"), nil
	case r.SignIn != ByPage:
		return say("password"), nil
	case r.anonymous(c.Conversation.Channel):
		return say("window"), nil
	}
	return say("page"), nil
}

// anonymous reports whether a channel's accounts are made up by ourselves for
// whoever comes: no platform stands for them.
func (r *Service) anonymous(ch bot.ChannelID) bool { return ch != "" && ch == r.Anonymous }

// SignInAs links a user of a channel to the person whom an identity provider
// named (L2). Only the first sign-in is a change, which is recorded and told. A
// second factor is not noted by it: that is for NewBrowser, which knows the browser.
//
// The caller makes user from the issuer, the subject and the person's id. When
// the provider's claim names somebody else one day, that is another user with
// another conversation: nobody finds what somebody before has left there.
//
// A frozen person gets in who has signed in with a second factor since the freeze,
// as far as the question whether to start the account again: everything else is
// still refused (bot.CheckSpec.Frozen).
//
// The error wraps bot.ErrNotFound when the directory has no such person,
// bot.ErrGuest when it is a guest, bot.ErrDisabled when the account is disabled,
// and bot.ErrFrozen when it is frozen.
func (r *Service) SignInAs(ctx context.Context, ch bot.ChannelID, user string, x bot.External) (*bot.Person, error) {
	if ch == "" || user == "" {
		return nil, errors.New("enroll: sign in: a channel and a user are needed")
	}
	var p *bot.Person
	err := r.Store.Update(ctx, func(tx bot.Tx) (err error) {
		if p, err = r.letIn(tx, ch, user, x); err != nil {
			return err
		}
		return noteSignIn(tx, p.ID, ch, user)
	})
	if err != nil {
		return nil, fmt.Errorf("enroll: sign in: %w", err)
	}
	return p, nil
}

// letIn finds who may sign in, and links the account.
func (r *Service) letIn(tx bot.Tx, ch bot.ChannelID, user string, x bot.External) (*bot.Person, error) {
	if err := oneAtATime(tx); err != nil {
		return nil, err
	}
	p, err := external(tx, x)
	if err != nil && !(errors.Is(err, bot.ErrFrozen) && r.mayThaw(p, x)) {
		return nil, err
	}
	ids, err := tx.IdentitiesOf(p.ID)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(ids, func(id bot.Identity) bool { return id.Channel == ch && id.User == user && id.Level >= bot.L2 }) {
		return p, nil
	}
	return p, r.linkUser(tx, ch, user, "", p, byProvider)
}

// NewBrowser ends the sign-in of somebody whom SignInAs has just let in and who
// goes on in a browser that has begun a session of the account: session is the
// hash of its pass, whose token nobody has yet. All browsers of a person share one
// conversation, and what one of them has begun or proven is not the other's, so
// this session is the only one that is left: all other passes of the account end,
// proofs and codes are void, and what was begun is dropped. In the same transaction
// the sign-in is noted, and a second factor if it had one: it is never there for a
// browser that had none. Where something was under way, it is recorded and the
// person is told, unless this browser was the account's before (known).
//
// The error wraps bot.ErrExpired when the session has ended meanwhile, since another
// browser came after it. Else the errors are those of SignInAs.
func (r *Service) NewBrowser(ctx context.Context, ch bot.ChannelID, user string, session []byte, known bool, x bot.External) error {
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		p, err := r.letIn(tx, ch, user, x)
		if err != nil {
			return err
		}
		d := Done{Person: *p}
		convs, err := hold(tx, p.ID, []bot.Identity{{Channel: ch, User: user}})
		if err != nil {
			return err
		}
		pass, err := sessionOf(tx, session, convs)
		if err != nil {
			return err
		}
		under := false
		for _, c := range convs {
			fresh, err := happened(tx, proofs, proofKey(p.ID, c), r.Policy.ProofFresh)
			if err != nil {
				return err
			}
			under = under || fresh
		}
		if err := r.halt(tx, &d, convs); err != nil {
			return err
		}
		if err := tx.PutPass(pass); err != nil { // halt has ended it with the others
			return err
		}
		if err := errors.Join(noteSignIn(tx, p.ID, ch, user), noteSecond(tx, p.ID, ch, user, x)); err != nil {
			return err
		}
		if known || !under && d.Pending == 0 && d.Codes == 0 {
			return nil
		}
		if err := r.audited(tx, p.ID, "person", "session.moved", "chat account", ch, byProvider); err != nil {
			return err
		}
		return r.Tell(tx, p, News{Change: "session.moved", Channel: ch, User: user})
	})
	if err != nil {
		return fmt.Errorf("enroll: another browser: %w", err)
	}
	return nil
}

// sessionOf is the pass of a session of one of the conversations.
func sessionOf(tx bot.Tx, hash []byte, convs []bot.ConversationID) (*bot.Pass, error) {
	p, err := tx.Pass(hash)
	if errors.Is(err, bot.ErrNotFound) {
		return nil, fmt.Errorf("its session has ended: %w", bot.ErrExpired)
	}
	if err != nil {
		return nil, err
	}
	if p.Kind != bot.PassSession || !slices.Contains(convs, p.Conversation) {
		return nil, errors.New("the pass is no session of the account")
	}
	return p, nil
}

// external finds the person whom an identity provider named, by the directory's
// id and by nothing else: addresses and names change hands. With an
// account that is stopped (bot.ErrDisabled) comes the person.
func external(tx bot.Tx, x bot.External) (*bot.Person, error) {
	if x.Person == "" {
		return nil, fmt.Errorf("the provider named no person: %w", bot.ErrNotFound)
	}
	p, err := tx.Person(x.Person)
	if err != nil {
		return nil, err
	}
	if p.Kind == bot.Guest {
		return nil, fmt.Errorf("person %s: %w", p.ID, bot.ErrGuest)
	}
	return p, admitted(p)
}

// oneAtATime makes transactions that begin with it wait for each other and for
// those that count.
func oneAtATime(tx bot.Tx) error {
	_, _, err := tx.Tallied(t2Pair, "", tx.Now())
	return err
}

// errNoCode: whoever began in an anonymous chat could be anybody, and would get
// the account of whoever reads them the code.
var errNoCode = errors.New("an anonymous chat gets no code to type back; people sign in there in a window of their own")

// ProofCode makes the code that somebody whom an identity provider named types
// back in the conversation that asked: without it, whoever sends a person a
// link to sign in would get that person's account linked to a chat of their
// own. A new code takes the place of the conversation's last one.
//
// A pause after too many wrong codes is told where the code is typed, with its
// end. Errors as SignInAs.
func (r *Service) ProofCode(ctx context.Context, conv bot.ConversationID, x bot.External) (bot.Secret, error) {
	if conv == "" {
		return "", errors.New("enroll: code of a sign-in: a conversation is needed")
	}
	code := r.linkCode()
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		if err := oneAtATime(tx); err != nil {
			return err
		}
		c, err := tx.Conversation(conv)
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return err
		}
		if err == nil && r.anonymous(c.Channel) {
			return errNoCode
		}
		p, err := external(tx, x)
		if err != nil {
			return err
		}
		if err := replaceLinkCode(tx, conv); err != nil {
			return err
		}
		ch := &bot.Challenge{
			ID: newID(), Person: p.ID, Conversation: conv, Purpose: linking, Tier: bot.T2,
			Sent: bot.SendDelivered, ProviderRef: spot(conv),
			CreatedAt: tx.Now(), ExpiresAt: tx.Now().Add(r.Policy.LinkCodeLife),
		}
		ch.CodeHash = r.Vault.Hash("code", linkParts(ch, string(code))...)
		return tx.PutChallenge(ch)
	})
	if err != nil {
		return "", fmt.Errorf("enroll: code of a sign-in: %w", err)
	}
	return grouped(code), nil
}

// linkCode draws a code in Crockford's base 32. It holds at least one of the
// digits that no letter is read as, so that a word is never taken for a code.
func (r *Service) linkCode() []byte {
	code := make([]byte, r.Policy.LinkCodeChars)
	for {
		rand.Read(code)
		for i, x := range code {
			code[i] = crockford[x&31]
		}
		if strings.ContainsAny(string(code), plainDigits) {
			return code
		}
	}
}

// plainDigits are those that letters are not mistaken for.
const plainDigits = "23456789"

// spot is the reference under which the newest code of a conversation is found:
// a page carries this code, as a provider carries others.
func spot(conv bot.ConversationID) string { return "page|" + string(conv) }

// linkParts binds a code to its challenge, person and conversation.
func linkParts(ch *bot.Challenge, code string) []string {
	return []string{ch.Purpose, ch.ID, string(ch.Person), string(ch.Conversation), code}
}

// newestLinkCode is the code that a conversation waits for, open or not; nil
// when there is none.
func newestLinkCode(tx bot.Tx, conv bot.ConversationID) (*bot.Challenge, error) {
	ch, err := tx.ChallengeByRef(spot(conv))
	if errors.Is(err, bot.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("enroll: code of a sign-in: %w", err)
	}
	return ch, nil
}

// replaceLinkCode lets the code of a conversation run out now. It stays listed
// until it is pruned, so that it can be told from a wrong one.
func replaceLinkCode(tx bot.Tx, conv bot.ConversationID) error {
	ch, err := newestLinkCode(tx, conv)
	if err != nil || ch == nil {
		return err
	}
	if ch.ExpiresAt.After(tx.Now()) {
		ch.ExpiresAt = tx.Now()
	}
	ch.ProviderRef = spot(conv) + "|" + ch.ID
	return tx.PutChallenge(ch)
}

// dropLinkCode closes the code of a conversation.
func (r *Service) dropLinkCode(tx bot.Tx, conv bot.ConversationID) error {
	ch, err := newestLinkCode(tx, conv)
	if err != nil || ch == nil {
		return err
	}
	if _, err := tx.CloseChallenge(ch.ID); err != nil {
		return fmt.Errorf("enroll: void code of a sign-in: %w", err)
	}
	return nil
}

// personLinkCode compares a typed code with the one that the page showed for
// this conversation, and links the chat account (T2). A code that was made for
// another conversation is not even looked at. A text that cannot be a code, and
// a code that takes no tries any more, cost none.
func (r *Service) personLinkCode(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	if len(c.Input) != r.Policy.LinkCodeChars || !strings.ContainsAny(c.Input, plainDigits) {
		return say("bad"), nil
	}
	if err := oneAtATime(tx); err != nil {
		return bot.Outcome{}, err
	}
	ch, err := newestLinkCode(tx, c.Conversation.ID)
	if err != nil {
		return bot.Outcome{}, err
	}
	name := ""
	if ch != nil {
		name = personKey(ch.Person)
	}
	wait, err := r.pauseT2(tx, c, name)
	if err != nil {
		return bot.Outcome{}, err
	}
	if wait.wait > 0 {
		return r.waits(tx, c, name, wait)
	}
	if ch == nil || r.anonymous(c.Conversation.Channel) {
		return fail("void", "link_code_none"), nil
	}
	switch {
	case !ch.ClosedAt.IsZero(), ch.Tries >= r.Policy.LinkCodeTries, ch.Purpose != linking, ch.Conversation != c.Conversation.ID:
		return fail("void", "link_code_void"), nil
	case !tx.Now().Before(ch.ExpiresAt):
		return fail("expired", "link_code_expired"), nil
	case !r.Vault.Equal(ch.CodeHash, "code", linkParts(ch, c.Input)...):
		return r.wrongLinkCode(tx, c, ch)
	}
	first, err := tx.CloseChallenge(ch.ID)
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: close code of a sign-in: %w", err)
	}
	if !first {
		return fail("void", "link_code_used"), nil
	}
	p, err := external(tx, bot.External{Person: ch.Person})
	switch {
	case errors.Is(err, bot.ErrDisabled):
		return r.stopped(c, p), nil
	case errors.Is(err, bot.ErrNotFound):
		return fail("unavailable", "person_gone"), nil
	case err != nil:
		return bot.Outcome{}, fmt.Errorf("enroll: person who signed in: %w", err)
	}
	if err := r.hitT2(tx, c, name); err != nil {
		return bot.Outcome{}, err
	}
	if err := r.link(tx, c, p, byCode); err != nil {
		return bot.Outcome{}, err
	}
	return r.linked(tx, c, p)
}

// wrongLinkCode counts a wrong code, for the challenge as well as for the chat
// account and the person, as a wrong password. The person is told when the
// code's tries are used up: somebody has signed in as them, and somebody else
// is perhaps guessing.
func (r *Service) wrongLinkCode(tx bot.Tx, c *bot.Call, ch *bot.Challenge) (bot.Outcome, error) {
	if old, err := r.replacedLinkCode(tx, c, ch); err != nil || old {
		return fail("void", "link_code_replaced"), err
	}
	tries, err := tx.CountTry(ch.ID)
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: count try: %w", err)
	}
	oc, err := r.missT2(tx, c, personKey(ch.Person), ch.Person)
	if err != nil {
		return bot.Outcome{}, err
	}
	if tries >= r.Policy.LinkCodeTries {
		if err := r.refuseLink(tx, c, ch); err != nil {
			return bot.Outcome{}, err
		}
		if oc.Name == "wrong" {
			oc = fail("void", "link_code_void")
		}
	}
	if oc.Name == "wrong" {
		oc = fail("wrong", "sign_in_wrong", "left", strconv.Itoa(r.Policy.LinkCodeTries-tries))
	}
	return oc, nil
}

// replacedLinkCode reports whether the input is an earlier code of the same
// person in the same conversation. That opens nothing, so it is no guess.
func (r *Service) replacedLinkCode(tx bot.Tx, c *bot.Call, now *bot.Challenge) (bool, error) {
	all, err := tx.OpenChallenges(now.Person, linking, r.Policy.ChallengeKeep)
	if err != nil {
		return false, fmt.Errorf("enroll: codes of sign-ins: %w", err)
	}
	found := false
	for i := range all {
		if old := &all[i]; old.ID != now.ID && old.Conversation == c.Conversation.ID && r.Vault.Equal(old.CodeHash, "code", linkParts(old, c.Input)...) {
			found = true
		}
	}
	return found, nil
}

// refuseLink voids a code after too many wrong tries, with a line in the audit
// and a notice.
func (r *Service) refuseLink(tx bot.Tx, c *bot.Call, ch *bot.Challenge) error {
	if first, err := tx.CloseChallenge(ch.ID); err != nil || !first {
		return err
	}
	p, err := tx.Person(ch.Person)
	if errors.Is(err, bot.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("enroll: person of a refused code: %w", err)
	}
	return r.recordAccount(tx, c.Conversation.Channel, c.Conversation.User, c.Lang(), p, "system", "identity.refused", byCode)
}
