package enroll

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"latchkey/bot"
)

// "This was not me": the link of a notice, and the same in a chat.

// quiet are the changes whose notice has no such button: what it would do is
// done, or the help desk did it.
var quiet = map[string]bool{
	"person.frozen": true, "person.unfrozen": true, "person.disabled": true, "person.erased": true, "identity.disowned": true,
}

// A press is what the link of a notice stands for.
type press struct {
	Person  bot.PersonID  `json:"p"`
	Change  string        `json:"c"`
	Method  bot.MethodID  `json:"m,omitempty"`
	Channel bot.ChannelID `json:"ch,omitempty"`
	User    string        `json:"u,omitempty"`
	At      time.Time     `json:"at"`
	Lang    string        `json:"l,omitempty"`
	Did     string        `json:"d,omitempty"` // what the first press did; see bot.Disavowal
}

// pressToken is the token of a change's link. It is made from the random id of
// the change by the key ring, 256 bits that nobody else can make, so that every
// attempt at a mail says the same; only its hash is stored.
func (r *Room) pressToken(news string) bot.Secret {
	sum := sha256.Sum256(r.Vault.Hash("not_me", news)) // a keyed hash also names its key
	return bot.Secret(base64.RawURLEncoding.EncodeToString(sum[:]))
}

func passHash(token bot.Secret) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

// pressLink is the address that goes into a notice, and makes sure that it
// opens something. It is empty where no pages are served, and for changes that
// need none. A short one is for a text.
func (r *Room) pressLink(ctx context.Context, j Notify, short bool) (bot.Secret, error) {
	if r.PressLink == nil || quiet[j.Change] {
		return "", nil
	}
	token := r.pressToken(j.News)
	hash := passHash(token)
	err := r.Store.View(ctx, func(tx bot.Tx) error {
		_, err := tx.Pass(hash)
		return err
	})
	if errors.Is(err, bot.ErrNotFound) {
		err = r.Store.Update(ctx, func(tx bot.Tx) error {
			if _, err := tx.Pass(hash); !errors.Is(err, bot.ErrNotFound) {
				return err
			}
			return putPress(tx, &bot.Pass{Hash: hash, Kind: bot.PassNotMe, Conversation: notMeConversation(j.Person),
				CreatedAt: tx.Now(), UsedAt: tx.Now(), ExpiresAt: j.At.Add(r.Policy.NoticeLinkLife)},
				press{Person: j.Person, Change: j.Change, Method: j.Method, Channel: j.Channel, User: j.User, At: j.At, Lang: j.Lang})
		})
	}
	if err != nil {
		return "", fmt.Errorf("link of a notice: %w", err)
	}
	change := phraseOf(j.Change)
	if short {
		change = ""
	}
	return r.PressLink(token, j.Lang, change), nil
}

func putPress(tx bot.Tx, p *bot.Pass, v press) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("enroll: marshal the link of a notice: %w", err)
	}
	p.Data = body
	if err := tx.PutPass(p); err != nil {
		return fmt.Errorf("enroll: store the link of a notice: %w", err)
	}
	return nil
}

// NotMe is the press on the link of a notice. It needs no sign-in: who can read
// a person's notices may stop their account, and nothing more. A link that was
// held is taken away with all that was set up through it; for everything else
// the account is frozen. Pressing again changes nothing and says what was done.
// The error wraps bot.ErrNotFound or bot.ErrExpired.
func (r *Room) NotMe(ctx context.Context, token bot.Secret) (*bot.Disavowal, error) {
	var d *bot.Disavowal
	var refused error
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		d, refused = nil, nil
		if err := oneAtATime(tx); err != nil {
			return err
		}
		pass, err := tx.Pass(passHash(token))
		switch {
		case errors.Is(err, bot.ErrNotFound), err == nil && pass.Kind != bot.PassNotMe:
			refused = fmt.Errorf("enroll: link of a notice: %w", bot.ErrNotFound)
			return nil
		case err != nil:
			return err
		case !tx.Now().Before(pass.ExpiresAt):
			refused = fmt.Errorf("enroll: link of a notice: %w", bot.ErrExpired)
			return nil
		}
		var v press
		if err := json.Unmarshal(pass.Data, &v); err != nil {
			return fmt.Errorf("enroll: a stored link of a notice cannot be read: %w", err)
		}
		p, err := tx.Person(v.Person)
		if errors.Is(err, bot.ErrNotFound) {
			refused = fmt.Errorf("enroll: person of a notice: %w", err)
			return nil
		}
		if err != nil {
			return err
		}
		if d, err = r.disavow(tx, p, v); err != nil {
			return err
		}
		if v.Did == "" {
			v.Did, pass.UsedAt = d.Did, tx.Now()
			return putPress(tx, pass, v)
		}
		d.Did, d.Again = v.Did, true
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("enroll: this was not me: %w", err)
	}
	return d, refused
}

// disavow does what one press is for.
func (r *Room) disavow(tx bot.Tx, p *bot.Person, v press) (*bot.Disavowal, error) {
	j := Notify{Change: v.Change, Lang: v.Lang, Channel: v.Channel, At: v.At}
	var m *bot.Method
	if v.Method != "" {
		found, err := tx.Method(v.Method)
		if err != nil && !errors.Is(err, bot.ErrNotFound) {
			return nil, err
		}
		m = found
	}
	d := &bot.Disavowal{Lang: v.Lang, Did: bot.DidFreeze}
	d.What, d.When, d.Where = r.told(j, p, m)
	if v.Did != "" && v.Did != bot.DidFreeze {
		return d, nil // a second press on a link that took a chat account away
	}
	if v.Change == "identity.linked" && v.User != "" {
		gone, err := r.disown(tx, p, v.Channel, v.User, v.Lang, "")
		if err != nil {
			return nil, err
		}
		if gone {
			d.Did = bot.DidUnlink
			d.Request, err = r.notMeRequest(tx, p, flowNotMe, v.Change, v.Lang)
			return d, err
		}
	}
	var err error
	if v.Did != "" && p.FrozenAt.IsZero() {
		d.Thawed = true // the help desk has ended it since
		return d, nil
	}
	d.Since = r.moment(v.Lang, p, tx.Now())
	first, request, err := r.stopAll(tx, p, stop{evidence: "notice link", change: v.Change, lang: v.Lang})
	d.Again, d.Request = !first, request
	if !first {
		d.Since = r.moment(v.Lang, p, p.FrozenAt)
	}
	return d, err
}

// disown takes a held link away, with everything that was set up through it.
// It reports false, and changes nothing, when the account is not linked to the
// person or its hold is over. from is not told.
func (r *Room) disown(tx bot.Tx, p *bot.Person, ch bot.ChannelID, user, lang string, from bot.ConversationID) (bool, error) {
	id, err := tx.Identity(ch, user)
	if errors.Is(err, bot.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("enroll: link to take away: %w", err)
	}
	if id.Person != p.ID || !tx.Now().Before(id.HeldUntil) {
		return false, nil
	}
	cs, err := tx.ConversationsOf(p.ID)
	if err != nil {
		return false, fmt.Errorf("enroll: conversations of a link: %w", err)
	}
	here := map[bot.ConversationID]bool{}
	for i := range cs {
		if cs[i].Channel != ch || cs[i].User != user {
			continue
		}
		here[cs[i].ID] = true
		if err := tx.ClearTally(proofs, string(p.ID)+"|"+string(cs[i].ID)); err != nil {
			return false, fmt.Errorf("enroll: void proofs: %w", err)
		}
		if err := tx.DropPasses(cs[i].ID); err != nil {
			return false, fmt.Errorf("enroll: sign out: %w", err)
		}
		if err := r.dropLinkCode(tx, cs[i].ID); err != nil {
			return false, err
		}
	}
	ms, err := tx.Methods(p.ID)
	if err != nil {
		return false, fmt.Errorf("enroll: methods: %w", err)
	}
	for i := range ms {
		m := &ms[i]
		if !here[m.Conversation] || m.CreatedAt.Before(id.LinkedAt) {
			continue
		}
		proven := m.State != bot.Pending
		if err := r.drop(tx, m); err != nil { // its own address is nobody's to tell
			return false, err
		}
		if proven {
			if err := r.audited(tx, p.ID, "person", "method.removed", string(m.Kind), ch, "not me"); err != nil {
				return false, err
			}
		}
	}
	if !p.FirstMethodAt.Before(id.LinkedAt) { // it was not theirs
		if err := tx.SetFirstMethod(p.ID, time.Time{}); err != nil {
			return false, fmt.Errorf("enroll: first method: %w", err)
		}
	}
	if err := r.restage(tx, p); err != nil {
		return false, err
	}
	if err := tx.Unlink(ch, user); err != nil {
		return false, fmt.Errorf("enroll: unlink: %w", err)
	}
	if err := r.audited(tx, p.ID, "person", "identity.disowned", "chat account", ch, "not me"); err != nil {
		return false, err
	}
	return true, r.Tell(tx, p, News{Change: "identity.disowned", Channel: ch, User: user, From: from, Lang: lang})
}

// personFrozen says since when the person's account is frozen.
func (r *Room) personFrozen(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, err := personOf(tx, c.Conversation.Person)
	switch {
	case err != nil:
		return bot.Outcome{}, err
	case p == nil:
		return say("unknown"), nil
	case p.FrozenAt.IsZero():
		return say("no"), nil
	}
	return say("yes", "since", r.moment(c.Lang(), p, p.FrozenAt)), nil
}

// frozen is the outcome for somebody who is about to sign in as a person whose
// account is frozen.
func (r *Room) frozen(c *bot.Call, p *bot.Person) bot.Outcome {
	return fail(bot.OutcomeFrozen, "account_frozen", "since", r.moment(c.Lang(), p, p.FrozenAt))
}

// personNotMe is "this was not me" in a chat of the person: links that are
// still held are taken away, or else the account is frozen. A chat whose own
// link is held stops nothing: somebody may have been talked into it.
func (r *Room) personNotMe(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, err := someone(tx, c)
	if err != nil || p == nil {
		return say("unknown"), err
	}
	conv := c.Conversation
	ids, err := tx.IdentitiesOf(p.ID)
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: links: %w", err)
	}
	for _, id := range ids {
		if id.Channel == conv.Channel && id.User == conv.User && tx.Now().Before(id.HeldUntil) {
			return say("held"), nil
		}
	}
	gone := false
	if c.Slot("stop") != "all" {
		for _, id := range ids {
			if id.Channel == conv.Channel && id.User == conv.User {
				continue
			}
			was, err := r.disown(tx, p, id.Channel, id.User, c.Lang(), conv.ID)
			if err != nil {
				return bot.Outcome{}, err
			}
			gone = gone || was
		}
	}
	if gone {
		q, err := r.notMeRequest(tx, p, flowNotMe, "identity.linked", c.Lang())
		return say("removed", "request", q), err
	}
	_, q, err := r.stopAll(tx, p, stop{evidence: "chat", channel: conv.Channel, from: conv.ID, lang: c.Lang()})
	return say("frozen", "request", q), err
}
