package enroll

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"latchkey/bot"
	"latchkey/bot/typed"
)

// maxLogin is the longest user name or address that is looked up.
const maxLogin = 254

// personUsername reads a typed user name: the short name, or the name with one
// of the organisation's domains. Whether somebody has it is not said here nor
// anywhere before the right password.
func (r *Room) personUsername(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	found, _ := typed.Login(c.Input)
	name, domain, ok := readLogin(found.Text)
	if !ok {
		return fail("bad", "username_bad"), nil
	}
	if domain != "" && !slices.Contains(r.Domains, domain) {
		better := Suggest(domain, r.Domains)
		if !slices.Contains(r.Domains, better) {
			return fail("foreign", "username_foreign", "domain", shownDomain(domain)), nil
		}
		domain, found.Inside = better, true
	}
	outcome := "ok"
	if found.Inside {
		outcome = "found"
	}
	if domain == "" {
		return say(outcome, "username", name), nil
	}
	return say(outcome, "username", name+"@"+shownDomain(domain)), nil
}

// readLogin splits a login, lower case, its domain as in the DNS. A name is
// letters, digits, dot, dash, underscore and apostrophe, as directories have
// them.
func readLogin(text string) (name, domain string, ok bool) {
	s := strings.ToLower(text)
	if s == "" || len(s) > maxLogin {
		return "", "", false
	}
	name, domain, has := strings.Cut(s, "@")
	if domain = asciiDomain(domain); name == "" || has && !hostname(domain) {
		return "", "", false
	}
	for _, c := range name {
		if !unicode.IsLetter(c) && !unicode.IsDigit(c) && !strings.ContainsRune("._-'+", c) {
			return "", "", false
		}
	}
	return name, domain, true
}

// hostname reports whether s looks like a mail domain of at least two labels.
func hostname(s string) bool {
	labels := strings.Split(s, ".")
	if len(s) > 253 || len(labels) < 2 {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		for _, c := range l {
			if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
				return false
			}
		}
	}
	last := labels[len(labels)-1]
	return strings.Trim(last, "0123456789") != ""
}

// logins are the names to look a person up by, best first: an address as it
// was typed and then, with the first domain, its name alone; a short name and
// then with the first domain.
func (r *Room) logins(username string) []string {
	name, domain, has := strings.Cut(username, "@")
	domain = asciiDomain(domain)
	first := ""
	if len(r.Domains) > 0 {
		first = r.Domains[0]
	}
	var ls []string
	switch {
	case !has:
		ls, domain = []string{name, name + "@" + first}, first
	case domain == first:
		ls = []string{name + "@" + domain, name}
	default:
		ls = []string{name + "@" + domain, name + "@" + domain}
	}
	if shown := shownDomain(domain); shown != domain { // the list of people may have either
		ls = append(ls, name+"@"+shown)
	}
	return ls
}

// A verdict is what the directory said, for the check to tell or to withhold.
type verdict struct {
	key    string       // of the failure counter: the person, or the unknown login, hashed
	person bot.PersonID // empty: nobody has that login
	right  bool
	down   bool // the directory did not answer
}

// Buckets of the sign-in counters (policy: T2FailuresAccount, T2FailuresPerson).
const (
	t2Account = "t2.account" // key: channel and platform user
	t2Person  = "t2.person"  // key: see verdict
)

func personKey(p bot.PersonID) string { return "person|" + string(p) }

func accountKey(c *bot.Call) string {
	return string(c.Conversation.Channel) + "|" + c.Conversation.User
}

// prepareSignIn asks the directory about a password. It does the same for a
// login that nobody has. Whoever is locked out gets no comparison.
func (r *Room) prepareSignIn(ctx context.Context, st bot.Store, c *bot.Call) (any, error) {
	login := c.Slot("username")
	v := verdict{key: "login|" + hex.EncodeToString(r.Vault.Hash("login", login))}
	var p *bot.Person
	locked := false
	err := st.View(ctx, func(tx bot.Tx) error {
		p = nil
		for _, l := range r.logins(login) { // both, always: it takes the same time
			found, err := tx.PersonByLogin(l)
			if err != nil && !errors.Is(err, bot.ErrNotFound) {
				return err
			}
			if err == nil && p == nil {
				p = found
			}
		}
		if p != nil {
			v.person, v.key = p.ID, personKey(p.ID)
		}
		wait, err := r.lockedT2(tx, c, v.key)
		locked = wait > 0
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("enroll: look up a login: %w", err)
	}
	if locked || c.Event == nil || c.Event.Form == nil {
		return v, nil
	}
	right, err := r.Directory.Verify(p, c.Event.Form.Value("password"))
	if err != nil {
		r.Log.Error("the directory did not answer a sign-in", "err", err)
		v.down = true
		return v, nil
	}
	v.right = right && p != nil
	return v, nil
}

// lockedT2 is how long sign-in stays closed for the chat account or the person.
func (r *Room) lockedT2(tx bot.Tx, c *bot.Call, key string) (time.Duration, error) {
	var wait time.Duration
	for _, l := range []struct {
		bucket, key string
		limit       int
	}{{t2Account, accountKey(c), r.Policy.T2FailuresAccount}, {t2Person, key, r.Policy.T2FailuresPerson}} {
		n, oldest, err := tx.Tallied(l.bucket, l.key, tx.Now().Add(-r.Policy.T2Window))
		if err != nil {
			return 0, fmt.Errorf("enroll: read sign-in failures: %w", err)
		}
		if n >= l.limit {
			w := r.Policy.T2Window
			if n > 0 {
				w = oldest.Add(r.Policy.T2Window).Sub(tx.Now())
			}
			wait = max(wait, w, time.Second)
		}
	}
	return wait, nil
}

// personSignIn tells the verdict and links the chat account (T2). Counting and
// telling are one transaction, so no more answers are given than the limit
// allows, however many were asked at once.
func (r *Room) personSignIn(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	v, ok := c.Prepared.(verdict)
	if !ok || v.down {
		return fail("unavailable", "directory_down"), nil
	}
	wait, err := r.lockedT2(tx, c, v.key)
	if err != nil {
		return bot.Outcome{}, err
	}
	if wait > 0 {
		return r.pausedT2(c, wait), nil
	}
	if !v.right {
		return r.missT2(tx, c, v.key)
	}
	p, err := tx.Person(v.person)
	if errors.Is(err, bot.ErrNotFound) {
		return fail("unavailable", "person_gone"), nil
	}
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: person who signed in: %w", err)
	}
	if p.Disabled {
		return fail("disabled", "account_disabled"), nil
	}
	if !p.FrozenAt.IsZero() {
		return r.frozen(c, p), nil
	}
	if err := r.link(tx, c, p, "sign-in"); err != nil {
		return bot.Outcome{}, err
	}
	return say("ok", "name", called(p)), nil
}

// missT2 counts a wrong password, or a wrong code of a page, for the chat
// account and for the login.
func (r *Room) missT2(tx bot.Tx, c *bot.Call, key string) (bot.Outcome, error) {
	left := r.Policy.T2FailuresAccount
	for _, l := range []struct {
		bucket, key string
		limit       int
	}{{t2Account, accountKey(c), r.Policy.T2FailuresAccount}, {t2Person, key, r.Policy.T2FailuresPerson}} {
		if err := tx.Tally(l.bucket, l.key); err != nil {
			return bot.Outcome{}, fmt.Errorf("enroll: count sign-in failure: %w", err)
		}
		n, _, err := tx.Tallied(l.bucket, l.key, tx.Now().Add(-r.Policy.T2Window))
		if err != nil {
			return bot.Outcome{}, fmt.Errorf("enroll: read sign-in failures: %w", err)
		}
		left = min(left, l.limit-n)
		if id, known := strings.CutPrefix(l.key, personKey("")); known && n == l.limit {
			if err := r.signInLocked(tx, c, bot.PersonID(id)); err != nil {
				return bot.Outcome{}, err
			}
		}
	}
	if err := r.wrong(tx, c.Person()); err != nil {
		return bot.Outcome{}, err
	}
	if left <= 0 {
		return r.pausedT2(c, r.Policy.T2Window), nil
	}
	return fail("wrong", "sign_in_wrong", "left", strconv.Itoa(left)), nil
}

// signInLocked writes the line of a lock of signing in as a person, and tells
// the person.
func (r *Room) signInLocked(tx bot.Tx, c *bot.Call, id bot.PersonID) error {
	p, err := personOf(tx, id)
	if err != nil || p == nil {
		return err
	}
	if err := r.audited(tx, id, "system", "sign_in.locked", "chat account", c.Conversation.Channel, ""); err != nil {
		return err
	}
	return r.Tell(tx, p, News{Change: "sign_in.locked", From: c.Conversation.ID, Channel: c.Conversation.Channel, Lang: c.Lang()})
}

func (r *Room) pausedT2(c *bot.Call, wait time.Duration) bot.Outcome {
	return fail("locked", "sign_in_locked", "wait", bot.Wait(r.Phrases, c.Lang(), wait))
}

// link proves that the conversation's chat account is this person's (L2).
func (r *Room) link(tx bot.Tx, c *bot.Call, p *bot.Person, evidence string) error {
	conv := c.Conversation
	if conv.Person == p.ID && conv.Level >= bot.L2 {
		return nil
	}
	if err := r.linkUser(tx, conv.Channel, conv.User, c.Lang(), p, evidence); err != nil {
		return err
	}
	conv.Person, conv.Level = p.ID, bot.L2 // for the checks that follow in this turn
	return nil
}

// linkUser links a user of a channel, writes the audit line, and tells the
// addresses that the person has already.
func (r *Room) linkUser(tx bot.Tx, ch bot.ChannelID, user, lang string, p *bot.Person, evidence string) error {
	err := tx.Link(bot.Identity{Channel: ch, User: user, Person: p.ID, Level: bot.L2, LinkedAt: tx.Now()})
	if err != nil {
		return fmt.Errorf("enroll: link identity: %w", err)
	}
	return r.recordAccount(tx, ch, user, lang, p, "person", "identity.linked", evidence)
}

// recordAccount writes the audit line of something about a chat account and
// enqueues the notices.
func (r *Room) recordAccount(tx bot.Tx, ch bot.ChannelID, user, lang string, p *bot.Person, actor, action, evidence string) error {
	if err := r.audited(tx, p.ID, actor, action, "chat account", ch, evidence); err != nil {
		return err
	}
	return r.Tell(tx, p, News{Change: action, Channel: ch, User: user, Lang: lang})
}
