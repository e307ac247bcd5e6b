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
// done, or the account is in the help desk's hands.
var quiet = map[string]bool{
	"person.frozen": true, "person.unfrozen": true, "person.disabled": true, "person.erased": true, "identity.disowned": true,
}

// A press is what the link of a notice stands for. Whose it is stands in the
// pass (bot.NotMeConversation).
type press struct {
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
func (r *Service) pressToken(news string) bot.Secret {
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
func (r *Service) pressLink(ctx context.Context, j Notify, short bool) (bot.Secret, error) {
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
			return putPress(tx, &bot.Pass{Hash: hash, Kind: bot.PassNotMe, Conversation: bot.NotMeConversation(j.Person),
				CreatedAt: tx.Now(), UsedAt: tx.Now(), ExpiresAt: j.At.Add(r.Policy.NoticeLinkLife)},
				press{Change: j.Change, Method: j.Method, Channel: j.Channel, User: j.User, At: j.At, Lang: j.Lang})
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
func (r *Service) NotMe(ctx context.Context, token bot.Secret) (*bot.Disavowal, error) {
	var d *bot.Disavowal
	var refused error
	err := r.Store.Update(ctx, func(tx bot.Tx) error {
		d, refused = nil, nil
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
		p, err := tx.Person(bot.NotMePerson(pass.Conversation))
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
func (r *Service) disavow(tx bot.Tx, p *bot.Person, v press) (*bot.Disavowal, error) {
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
		gone, err := r.disownOf(tx, p, v.Channel, v.User, "", v.Lang)
		if err != nil {
			return nil, err
		}
		if gone {
			d.Did = bot.DidUnlink
			d.Request, err = r.askDesk(tx, p, flowNotMe, v.Change, RequestNotMe, v.Lang)
			return d, err
		}
	}
	if v.Did != "" && p.FrozenAt.IsZero() {
		d.Thawed = true // the help desk has ended it since
		return d, nil
	}
	done, err := r.stopAll(tx, p, stop{subject: v.Change, evidence: "notice link", channel: byLink, lang: v.Lang})
	if err != nil {
		return nil, err
	}
	d.Again, d.Request = done.Already, done.Request
	d.Since = r.moment(v.Lang, p, tx.Now())
	if done.Already {
		d.Since = r.moment(v.Lang, p, done.Person.FrozenAt)
	}
	return d, nil
}

// stopAll freezes a person who says "this was not me". The request names what
// was not theirs also when the account is frozen already.
func (r *Service) stopAll(tx bot.Tx, p *bot.Person, s stop) (Done, error) {
	s.by = "person"
	d := Done{Person: *p}
	err := r.freeze(tx, &d, s)
	if err == nil && d.Already {
		d.Request, err = r.askDesk(tx, p, bot.FlowFreeze, s.subject, RequestNotMe, s.lang)
	}
	return d, err
}

// disownOf is disown for a link of one person. It reports false, and changes
// nothing, when there is none or its hold is over.
func (r *Service) disownOf(tx bot.Tx, p *bot.Person, ch bot.ChannelID, user string, from bot.ConversationID, lang string) (bool, error) {
	id, err := tx.Identity(ch, user)
	if errors.Is(err, bot.ErrNotFound) || err == nil && id.Person != p.ID {
		return false, nil
	}
	if err == nil {
		err = r.disown(tx, ch, user, from, lang)
	}
	if errors.Is(err, bot.ErrNotFound) || errors.Is(err, bot.ErrExpired) {
		return false, nil
	}
	return err == nil, err
}

// personFrozen says since when the person's account is frozen, and whether they
// may start it again: here ("mine"), or after a sign-in in our window.
func (r *Service) personFrozen(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	p, err := personOf(tx, c.Conversation.Person)
	switch {
	case err != nil:
		return bot.Outcome{}, err
	case p == nil:
		return say("unknown"), nil
	case p.FrozenAt.IsZero():
		return say("no"), nil
	}
	since := r.moment(c.Lang(), p, p.FrozenAt)
	l3, err := r.atL3(tx, c, p)
	switch {
	case err != nil:
		return bot.Outcome{}, err
	case l3:
		return say("mine", "since", since), nil
	case r.window() != "":
		return say("window", "since", since, "address", r.window()), nil
	}
	return say("yes", "since", since), nil
}

// personNotMe is "this was not me" in a chat of the person: links that are
// still held are taken away, or else the account is frozen. A chat whose own
// link is held stops nothing: somebody may have been talked into it.
func (r *Service) personNotMe(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
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
			was, err := r.disownOf(tx, p, id.Channel, id.User, conv.ID, c.Lang())
			if err != nil {
				return bot.Outcome{}, err
			}
			gone = gone || was
		}
	}
	if gone {
		q, err := r.askDesk(tx, p, flowNotMe, "identity.linked", RequestNotMe, c.Lang())
		return say("removed", "request", q), err
	}
	d, err := r.stopAll(tx, p, stop{evidence: "chat", channel: conv.Channel, from: conv.ID, lang: c.Lang()})
	conv.Frozen = err == nil // for the checks that follow in this turn
	return say("frozen", "request", d.Request), err
}
