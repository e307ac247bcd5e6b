package verify

import (
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/nyaruka/phonenumbers"

	"latchkey/bot"
	"latchkey/bot/policy"
)

// resendWindow is how long sends count for the cool-down before it starts
// again from its first wait. Longer than the longest wait of the policy.
const resendWindow = time.Hour

// A gate counts sends of one kind under one key.
type gate struct {
	bucket, key string
	limits      []policy.Limit
}

// A sending is one code about to be sent, with everything that may forbid it.
type sending struct {
	room   *Room
	cool   gate   // its limits are unused
	gates  []gate // the person's and the destination's: "limit"
	shared []gate // the prefix's and the organisation's: "busy"
	prefix string // of a number, hashed
}

// send collects the counters of one send. Destinations are counted by their
// keyed hash. Texts and calls have the same limits for a person and share the
// prefix and the day's budget, because both cost money.
func (r *Room) send(via bot.Via, p bot.PersonID, m *bot.Method, to string) *sending {
	dest := hex.EncodeToString(m.DestHash)
	s := &sending{room: r, cool: gate{bucket: "resend." + string(via), key: string(p) + "|" + dest}}
	if via == bot.Mail {
		s.gates = []gate{
			{"send.mail.user", string(p), []policy.Limit{r.Policy.MailUser}},
			{"send.mail.address", dest, r.Policy.MailAddress},
		}
		return s
	}
	number := r.Policy.SMSNumber
	if via == bot.Voice {
		number = r.Policy.VoiceNumber
	}
	s.gates = []gate{
		{"send." + string(via) + ".user", string(p), r.Policy.SMSUser},
		{"send." + string(via) + ".number", dest, number},
	}
	s.prefix = r.prefixKey(to)
	s.shared = []gate{
		{"send.prefix", s.prefix, []policy.Limit{r.Policy.SMSPrefix}},
		{"send.budget", "all", []policy.Limit{{N: r.Policy.SMSBudget(r.staff()), Per: r.Policy.SMSBudgetPer}}},
	}
	return s
}

func (r *Room) staff() int {
	if r.Staff == nil {
		return 0
	}
	return r.Staff()
}

// prefixKey is a number without its last four digits, hashed.
func (r *Room) prefixKey(e164 string) string {
	return hex.EncodeToString(r.Vault.Hash("prefix", e164[:max(0, len(e164)-4)]))
}

// coolDown is how long until the next code may be sent to this destination
// (policy: ResendWaits).
func (s *sending) coolDown(tx bot.Tx) (time.Duration, error) {
	span := max(resendWindow, 2*slices.Max(append([]time.Duration{0}, s.room.Policy.ResendWaits...)))
	n, _, err := tx.Tallied(s.cool.bucket, s.cool.key, tx.Now().Add(-span))
	if err != nil {
		return 0, fmt.Errorf("verify: read cool-down: %w", err)
	}
	return since(tx, s.cool.bucket, s.cool.key, s.room.Policy.ResendWait(n))
}

// limited is how long until the limits of the person and of the destination
// allow a send.
func (s *sending) limited(tx bot.Tx) (time.Duration, error) { return longest(tx, s.gates) }

func longest(tx bot.Tx, gates []gate) (time.Duration, error) {
	var wait time.Duration
	for _, g := range gates {
		for _, l := range g.limits {
			n, oldest, err := tx.Tallied(g.bucket, g.key, tx.Now().Add(-l.Per))
			if err != nil {
				return 0, fmt.Errorf("verify: read limit %s: %w", g.bucket, err)
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
	if s.prefix == "" {
		return "", nil
	}
	r := s.room
	if wait, err := since(tx, "breaker", s.prefix, r.Policy.BreakerBlock); err != nil || wait > 0 {
		return "prefix_blocked", err
	}
	always := time.Time{}
	sent, _, err := tx.Tallied("breaker.sent", s.prefix, always)
	if err != nil {
		return "", fmt.Errorf("verify: read breaker: %w", err)
	}
	if r.Policy.BreakerSends > 0 && sent >= r.Policy.BreakerSends {
		good, _, err := tx.Tallied("breaker.confirmed", s.prefix, always)
		if err != nil {
			return "", fmt.Errorf("verify: read breaker: %w", err)
		}
		if err := tx.ClearTally("breaker.sent", s.prefix); err != nil {
			return "", fmt.Errorf("verify: reset breaker: %w", err)
		}
		if err := tx.ClearTally("breaker.confirmed", s.prefix); err != nil {
			return "", fmt.Errorf("verify: reset breaker: %w", err)
		}
		if float64(good) < r.Policy.BreakerRate*float64(sent) {
			if err := tx.Tally("breaker", s.prefix); err != nil {
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

// count notes the send in every counter.
func (s *sending) count(tx bot.Tx) error {
	all := append(append([]gate{s.cool}, s.gates...), s.shared...)
	if s.prefix != "" {
		all = append(all, gate{bucket: "breaker.sent", key: s.prefix})
	}
	for _, g := range all {
		if err := tx.Tally(g.bucket, g.key); err != nil {
			return fmt.Errorf("verify: count send: %w", err)
		}
	}
	return nil
}

// confirmed tells the breaker that a code arrived.
func (r *Room) confirmed(tx bot.Tx, ch *bot.Challenge, m *bot.Method) error {
	if ch.Via == bot.Mail {
		return nil
	}
	to, err := r.Vault.Open(m.Sealed, m.Place())
	if err != nil {
		return fmt.Errorf("verify: destination of method %s: %w", m.ID, err)
	}
	if err := tx.Tally("breaker.confirmed", r.prefixKey(string(to))); err != nil {
		return fmt.Errorf("verify: count confirmation: %w", err)
	}
	return nil
}

// line reports of a number whether it is surely a land-line, which gets no
// texts, and whether its country is allowed: the list may have become shorter
// since the number was accepted.
func (r *Room) line(e164 string) (land, allowed bool) {
	n, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return false, false
	}
	return phonenumbers.GetNumberType(n) == phonenumbers.FIXED_LINE,
		slices.Contains(r.Policy.Countries, phonenumbers.GetRegionCodeForNumber(n))
}
