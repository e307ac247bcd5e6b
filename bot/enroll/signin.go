package enroll

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
func (r *Service) personUsername(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
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
		return r.named(tx, c, outcome, name)
	}
	return r.named(tx, c, outcome, name+"@"+shownDomain(domain))
}

// named takes a user name, unless its next sign-in has to wait: nobody is asked
// for a password that is not looked at.
func (r *Service) named(tx bot.Tx, c *bot.Call, outcome, username string) (bot.Outcome, error) {
	name := r.nameKey(username)
	p, err := r.pauseT2(tx, c, name)
	if err != nil {
		return bot.Outcome{}, err
	}
	if p.wait == 0 {
		return say(outcome, "username", username), nil
	}
	oc, err := r.waits(tx, c, name, p)
	oc.Facts = append(oc.Facts, bot.Fact{Name: "username", Value: username})
	return oc, err
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
func (r *Service) logins(username string) []string {
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
	key    string       // of the failure counters, see nameKey
	person bot.PersonID // empty: nobody has that login
	right  bool
	down   bool // the directory did not answer
	asked  bool // it was asked; not before a wait is over
}

// prepareSignIn asks the directory about a password. It does the same for a
// login that nobody has. Whoever has to wait gets no comparison.
func (r *Service) prepareSignIn(ctx context.Context, st bot.Store, c *bot.Call) (any, error) {
	login := c.Slot("username")
	v := verdict{key: r.nameKey(login)}
	var p *bot.Person
	var wait pause
	err := st.View(ctx, func(tx bot.Tx) (err error) {
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
		wait, err = r.pauseT2(tx, c, v.key)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("enroll: look up a login: %w", err)
	}
	if p != nil {
		v.person = p.ID
	}
	if wait.wait > 0 || c.Event == nil || c.Event.Form == nil {
		return v, nil
	}
	v.asked = true
	right, err := r.Directory.Verify(p, c.Event.Form.Value("password"))
	if err != nil {
		r.Log.Error("the directory did not answer a sign-in", "err", err)
		v.down = true
		return v, nil
	}
	v.right = right && p != nil
	return v, nil
}

// personSignIn tells the verdict and links the chat account (T2). Counting and
// telling are one transaction, so no more answers are given than the waits
// allow, however many were asked at once.
func (r *Service) personSignIn(tx bot.Tx, c *bot.Call) (bot.Outcome, error) {
	v, ok := c.Prepared.(verdict)
	if !ok || v.down {
		return fail("unavailable", "directory_down"), nil
	}
	wait, err := r.pauseT2(tx, c, v.key)
	if err != nil {
		return bot.Outcome{}, err
	}
	if wait.wait > 0 || !v.asked {
		wait.wait = max(wait.wait, time.Second) // it ended after the directory was not asked
		return r.waits(tx, c, v.key, wait)
	}
	if !v.right {
		return r.missT2(tx, c, v.key, v.person)
	}
	if err := r.hitT2(tx, c, v.key); err != nil {
		return bot.Outcome{}, err
	}
	p, err := tx.Person(v.person)
	if errors.Is(err, bot.ErrNotFound) {
		return fail("unavailable", "person_gone"), nil
	}
	if err != nil {
		return bot.Outcome{}, fmt.Errorf("enroll: person who signed in: %w", err)
	}
	if p.Stopped() {
		return r.stopped(c, p), nil
	}
	if err := r.link(tx, c, p, bySignIn); err != nil {
		return bot.Outcome{}, err
	}
	if err := noteSignIn(tx, p.ID, c.Conversation.Channel, c.Conversation.User); err != nil {
		return bot.Outcome{}, err
	}
	return say("ok", "name", called(p)), nil
}

// link proves that the conversation's chat account is this person's (L2).
func (r *Service) link(tx bot.Tx, c *bot.Call, p *bot.Person, evidence string) error {
	conv := c.Conversation
	if conv.Person == p.ID && conv.Level >= bot.L2 {
		return nil
	}
	if err := r.linkUser(tx, conv.Channel, conv.User, c.Lang(), p, evidence); err != nil {
		return err
	}
	conv.Person, conv.Level = p.ID, bot.L2 // for the checks that follow in this turn
	if r.Arrived == nil {
		return nil
	}
	return r.Arrived(tx, conv)
}

// linkUser links a user of a channel, writes the audit line, and tells the
// addresses that the person has already.
func (r *Service) linkUser(tx bot.Tx, ch bot.ChannelID, user, lang string, p *bot.Person, evidence string) error {
	known, err := r.knownBrowser(tx, ch, user, p)
	if err != nil {
		return err
	}
	err = tx.Link(bot.Identity{Channel: ch, User: user, Person: p.ID, Level: bot.L2, LinkedAt: tx.Now(),
		HeldUntil: r.holdLink(tx, evidence), Evidence: evidence})
	if err != nil {
		return fmt.Errorf("enroll: link identity: %w", err)
	}
	// What was proven here before the link, perhaps under an earlier one, says
	// nothing about who writes now.
	if err := VoidProofs(tx, p.ID, func(c *bot.Conversation) bool { return c.Channel != ch || c.User != user }); err != nil {
		return err
	}
	if known { // nobody needs to be told, but the record knows every link
		return r.audited(tx, p.ID, "person", "identity.renewed", "chat account", ch, evidence)
	}
	return r.recordAccount(tx, ch, user, lang, p, "person", "identity.linked", evidence)
}

// knownBrowser reports whether a visitor of the web chat comes with a browser in
// which the person has signed in before: that is no new link. The links of the
// earlier visits go, since their sessions are over. The adapter makes the user
// of a visitor from the browser and the visit, with a dot between.
func (r *Service) knownBrowser(tx bot.Tx, ch bot.ChannelID, user string, p *bot.Person) (bool, error) {
	browser, _, ok := strings.Cut(user, ".")
	if !ok || !r.anonymous(ch) {
		return false, nil
	}
	ids, err := tx.IdentitiesOf(p.ID)
	if err != nil {
		return false, fmt.Errorf("enroll: chat accounts of a person: %w", err)
	}
	known := false
	for _, id := range ids {
		if id.Channel != ch || !strings.HasPrefix(id.User, browser+".") {
			continue
		}
		if known = true; id.User == user {
			continue
		}
		if err := tx.Unlink(ch, id.User); err != nil {
			return false, fmt.Errorf("enroll: end the link of an earlier visit: %w", err)
		}
	}
	return known, nil
}

// recordAccount writes the audit line of something about a chat account and
// enqueues the notices.
func (r *Service) recordAccount(tx bot.Tx, ch bot.ChannelID, user, lang string, p *bot.Person, actor, action, evidence string) error {
	if err := r.audited(tx, p.ID, actor, action, "chat account", ch, evidence); err != nil {
		return err
	}
	return r.Tell(tx, p, News{Change: action, Channel: ch, User: user, Lang: lang})
}
