package store

import (
	"time"

	"latchkey/bot"
)

func scanChallenge(r row) bot.Challenge {
	return bot.Challenge{
		ID: r.text(0), Person: bot.PersonID(r.text(1)), Conversation: bot.ConversationID(r.text(2)), Method: bot.MethodID(r.text(3)),
		Purpose: r.text(4), Tier: bot.Tier(r.int(5)), Via: bot.Via(r.text(6)), Lang: r.text(7), CodeHash: r.blob(8), SealedCode: r.blob(9),
		SealedTo: r.blob(10), Tries: int(r.int(11)), Sent: bot.SendState(r.int(12)), ProviderRef: r.text(13),
		CreatedAt: fromMillis(r.int(14)), ExpiresAt: fromMillis(r.int(15)), ClosedAt: fromMillis(r.int(16)),
	}
}

// PutChallenge implements bot.ChallengeTx. An old copy cannot lower Tries or
// Sent, nor open a closed challenge again. A zero CreatedAt is now.
func (t *tx) PutChallenge(c *bot.Challenge) error {
	if c.CreatedAt.IsZero() {
		c.CreatedAt = t.now
	}
	err := t.write(challengePut, c.ID, string(c.Person), string(c.Conversation), string(c.Method), c.Purpose, int64(c.Tier), string(c.Via),
		c.Lang, c.CodeHash, c.SealedCode, c.SealedTo, int64(c.Tries), int64(c.Sent), c.ProviderRef, millis(c.CreatedAt), millis(c.ExpiresAt),
		millis(c.ClosedAt))
	return wrap("put challenge", err)
}

// Challenge implements bot.ChallengeTx. Outside a View it locks the row.
func (t *tx) Challenge(id string) (*bot.Challenge, error) { return t.challenge(challengeGet, id) }

// ChallengeByRef implements bot.ChallengeTx.
func (t *tx) ChallengeByRef(ref string) (*bot.Challenge, error) {
	return t.challenge(challengeByRef, ref)
}

func (t *tx) challenge(s stmt, key string) (*bot.Challenge, error) {
	var c *bot.Challenge
	err := t.c.read(s, func(r row) { v := scanChallenge(r); c = &v }, key)
	if err != nil {
		return nil, wrap("read challenge", err)
	}
	if c == nil {
		return nil, notFound("challenge", key)
	}
	return c, nil
}

// OpenChallenges implements bot.ChallengeTx. Outside a View it locks the rows.
func (t *tx) OpenChallenges(p bot.PersonID, purpose string, keep time.Duration) ([]bot.Challenge, error) {
	var cs []bot.Challenge
	err := t.c.read(challengesOpen, func(r row) { cs = append(cs, scanChallenge(r)) }, string(p), purpose, t.ms-keep.Milliseconds())
	return cs, wrap("list challenges", err)
}

// CountTry implements bot.ChallengeTx. ErrNotFound when there is no such challenge.
func (t *tx) CountTry(id string) (int, error) {
	if t.g == nil {
		return 0, errReadOnly
	}
	n := int64(-1)
	if err := t.c.read(challengeTry, func(r row) { n = r.int(0) }, id); err != nil {
		return 0, wrap("count try", err)
	}
	if n < 0 {
		return 0, notFound("challenge", id)
	}
	return int(n), nil
}

// CloseChallenge implements bot.ChallengeTx.
func (t *tx) CloseChallenge(id string) (bool, error) {
	n, err := t.change(challengeClose, id, t.ms)
	return n == 1, wrap("close challenge", err)
}

// MarkSend implements bot.ChallengeTx. An empty providerRef keeps the stored one.
func (t *tx) MarkSend(id string, s bot.SendState, providerRef string) (bool, error) {
	n, err := t.change(challengeSend, id, int64(s), providerRef)
	return n == 1, wrap("mark send", err)
}
