package verify

import (
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/nyaruka/phonenumbers"

	"latchkey/bot"
	"latchkey/bot/policy"
	"latchkey/bot/typed"
)

// resendWindow is how long sends count for the cool-down before it starts
// again from its first wait. Longer than the longest wait of the policy.
const resendWindow = time.Hour

// A gate counts sends of one kind under one key.
type gate struct {
	bucket string
	// keys: the first is counted; all are read. There is more than one where
	// the key is a hash and the ring has an older key: a rotation must not
	// start a counter anew.
	keys   []string
	limits []policy.Limit
}

// hashed gives the keys of something that is counted by its hash.
func (r *Service) hashed(purpose string, parts ...string) []string {
	hashes := r.Vault.Hashes(purpose, parts...)
	keys := make([]string, len(hashes))
	for i, h := range hashes {
		keys[i] = hex.EncodeToString(h)
	}
	return keys
}

// under puts something before each key.
func under(what string, keys []string) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = what + "|" + k
	}
	return out
}

// counted is how many happenings all keys had since a time, and when the oldest
// of them was.
func counted(tx bot.Tx, bucket string, keys []string, since time.Time) (n int, oldest time.Time, err error) {
	for _, k := range keys {
		m, at, err := tx.Tallied(bucket, k, since)
		if err != nil {
			return 0, time.Time{}, fmt.Errorf("verify: read %s: %w", bucket, err)
		}
		if m > 0 && (n == 0 || at.Before(oldest)) {
			oldest = at
		}
		n += m
	}
	return n, oldest, nil
}

// A sending is one code about to be sent, with everything that may forbid it.
type sending struct {
	service *Service
	cool    gate     // its limits are unused
	gates   []gate   // the person's and the destination's: "limit"
	shared  []gate   // the prefix's and the organisation's: "busy"
	prefix  []string // of a number, hashed
	person  bot.PersonID
}

// send collects the counters of one send. Destinations are counted by their
// keyed hash. Texts and calls have the same limits for a person and share the
// prefix and the day's budget, because both cost money.
func (r *Service) send(via bot.Via, p bot.PersonID, m *bot.Method, to string) *sending {
	dest := r.hashed("dest", string(m.Kind), typed.Destination(to)) // as package enroll makes DestHash
	s := &sending{service: r, person: p, cool: gate{bucket: "resend." + string(via), keys: under(string(p), dest)}}
	if via == bot.Mail {
		s.gates = []gate{
			{"send.mail.user", []string{string(p)}, []policy.Limit{r.Policy.MailUser}},
			{"send.mail.address", dest, r.Policy.MailAddress},
		}
		return s
	}
	number := r.Policy.SMSNumber
	if via == bot.Voice {
		number = r.Policy.VoiceNumber
	}
	s.gates = []gate{
		{"send." + string(via) + ".user", []string{string(p)}, r.Policy.SMSUser},
		{"send." + string(via) + ".number", dest, number},
	}
	s.prefix = r.prefixKeys(to)
	s.shared = []gate{
		{"send.prefix", s.prefix, []policy.Limit{r.Policy.SMSPrefix}},
		{"send.budget", []string{"all"}, []policy.Limit{{N: r.Policy.SMSBudget(r.staff()), Per: r.Policy.SMSBudgetPer}}},
	}
	return s
}

// MayText counts one more text that is no code, to a person's number, and
// reports whether the budgets allow it. Such texts have limits of their own for
// the person and the number, so that asking for codes does not use them up, and
// the day's budget is shared. They go to numbers that were proven, so they do
// not count for the prefix. A number that takes no texts, and one of a country
// that is not allowed any more, gets none.
func (r *Service) MayText(tx bot.Tx, p bot.PersonID, e164 string) (bool, error) {
	if land, allowed := r.line(e164); land || !allowed {
		return false, nil
	}
	gates := []gate{
		{"send.notice.user", []string{string(p)}, r.Policy.SMSUser},
		{"send.notice.number", r.hashed("dest", string(bot.Phone), e164), r.Policy.SMSNumber},
		{"send.budget", []string{"all"}, []policy.Limit{{N: r.Policy.SMSBudget(r.staff()), Per: r.Policy.SMSBudgetPer}}},
	}
	if wait, err := longest(tx, gates); err != nil || wait > 0 {
		return false, err
	}
	for _, g := range gates {
		if err := tx.Tally(g.bucket, g.keys[0]); err != nil {
			return false, fmt.Errorf("verify: count a text: %w", err)
		}
	}
	return true, nil
}

func (r *Service) staff() int {
	if r.Staff == nil {
		return 0
	}
	return r.Staff()
}

// prefixKeys is a number without its last four digits, hashed.
func (r *Service) prefixKeys(e164 string) []string {
	return r.hashed("prefix", e164[:max(0, len(e164)-4)])
}

// coolDown is how long until the next code may be sent to this destination
// (policy: ResendWaits).
func (s *sending) coolDown(tx bot.Tx) (time.Duration, error) {
	span := max(resendWindow, 2*slices.Max(append([]time.Duration{0}, s.service.Policy.ResendWaits...)))
	n, _, err := counted(tx, s.cool.bucket, s.cool.keys, tx.Now().Add(-span))
	if err != nil {
		return 0, err
	}
	return since(tx, s.cool.bucket, s.cool.keys, s.service.Policy.ResendWait(n))
}

// limited is how long until the limits of the person and of the destination
// allow a send.
func (s *sending) limited(tx bot.Tx) (time.Duration, error) { return longest(tx, s.gates) }

func longest(tx bot.Tx, gates []gate) (time.Duration, error) {
	var wait time.Duration
	for _, g := range gates {
		for _, l := range g.limits {
			n, oldest, err := counted(tx, g.bucket, g.keys, tx.Now().Add(-l.Per))
			if err != nil {
				return 0, err
			}
			if n < l.N {
				continue
			}
			w := l.Per
			if n > 0 {
				w = oldest.Add(l.Per).Sub(tx.Now())
			}
			wait = max(wait, w, time.Second)
		}
	}
	return wait, nil
}

// blocked says why no number of this prefix, or no number at all, gets a code
// now; empty when one may. It also decides about the prefix breaker: of every
// BreakerSends sends to a prefix the share BreakerRate must have been
// confirmed, or the prefix is closed for BreakerBlock.
func (s *sending) blocked(tx bot.Tx) (string, error) {
	if len(s.prefix) == 0 {
		return "", nil
	}
	r := s.service
	if wait, err := since(tx, "breaker", s.prefix, r.Policy.BreakerBlock); err != nil || wait > 0 {
		return "prefix_blocked", err
	}
	always := time.Time{}
	sent, _, err := counted(tx, "breaker.sent", s.prefix, always)
	if err != nil {
		return "", err
	}
	if r.Policy.BreakerSends > 0 && sent >= r.Policy.BreakerSends {
		good, _, err := counted(tx, "breaker.confirmed", s.prefix, always)
		if err != nil {
			return "", err
		}
		for _, k := range s.prefix {
			for _, bucket := range []string{"breaker.sent", "breaker.confirmed"} {
				if err := tx.ClearTally(bucket, k); err != nil {
					return "", fmt.Errorf("verify: reset breaker: %w", err)
				}
			}
		}
		if float64(good) < r.Policy.BreakerRate*float64(sent) {
			if err := tx.Tally("breaker", s.prefix[0]); err != nil {
				return "", fmt.Errorf("verify: open breaker: %w", err)
			}
			r.Log.Warn("few of the codes to a number prefix were confirmed; the prefix is blocked",
				"sent", sent, "confirmed", good, "for", r.Policy.BreakerBlock)
			return "prefix_blocked", nil
		}
	}
	for _, g := range s.shared {
		if wait, err := longest(tx, []gate{g}); err != nil || wait > 0 {
			if err == nil {
				r.Log.Warn("a limit of the whole organisation stops codes", "limit", g.bucket, "for", wait.Round(time.Second))
			}
			return g.bucket, err
		}
	}
	return "", nil
}

// count notes the send in every counter. Of one person's sends to a prefix only
// the first PrefixShare of a day count towards its limit and its breaker, so
// that one or two people cannot close a block of numbers for all others.
func (s *sending) count(tx bot.Tx) error {
	all := append([]gate{s.cool}, s.gates...)
	if len(s.prefix) > 0 {
		mine := gate{bucket: "send.prefix.user", keys: under(string(s.person), s.prefix)}
		n, _, err := counted(tx, mine.bucket, mine.keys, tx.Now().Add(-24*time.Hour))
		if err != nil {
			return err
		}
		all = append(all, mine)
		if n < s.service.Policy.PrefixShare {
			all = append(all, gate{bucket: "breaker.sent", keys: s.prefix})
		} else {
			s.shared = slices.DeleteFunc(s.shared, func(g gate) bool { return g.bucket == "send.prefix" })
		}
	}
	for _, g := range append(all, s.shared...) {
		if err := tx.Tally(g.bucket, g.keys[0]); err != nil {
			return fmt.Errorf("verify: count send: %w", err)
		}
	}
	return nil
}

// confirmed tells the breaker that a code arrived.
func (r *Service) confirmed(tx bot.Tx, ch *bot.Challenge, m *bot.Method) error {
	if ch.Via == bot.Mail {
		return nil
	}
	to, err := r.Vault.Open(m.Sealed, m.Place())
	if err != nil {
		return fmt.Errorf("verify: destination of method %s: %w", m.ID, err)
	}
	if err := tx.Tally("breaker.confirmed", r.prefixKeys(string(to))[0]); err != nil {
		return fmt.Errorf("verify: count confirmation: %w", err)
	}
	return nil
}

// line reports of a number whether it is surely a land-line, which gets no
// texts, and whether its country is allowed: the list may have become shorter
// since the number was accepted.
func (r *Service) line(e164 string) (land, allowed bool) {
	n, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return false, false
	}
	return phonenumbers.GetNumberType(n) == phonenumbers.FIXED_LINE,
		slices.Contains(r.Policy.Countries, phonenumbers.GetRegionCodeForNumber(n))
}
