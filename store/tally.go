package store

import "time"

// Tally implements bot.TallyTx.
func (t *tx) Tally(bucket, key string) error {
	return wrap("tally", t.write(tallyAdd, bucket, key, t.ms))
}

// Tallied implements bot.TallyTx. In a writing transaction nobody else counts
// until it ends, so that two replicas cannot both see the last free place.
func (t *tx) Tallied(bucket, key string, since time.Time) (n int, oldest time.Time, err error) {
	if t.g != nil && !t.g.gated {
		if err := t.c.write(tallyGate); err != nil {
			return 0, time.Time{}, wrap("take the tally gate", err)
		}
		t.g.gated = true
	}
	err = t.c.read(tallyCount, func(r row) { n, oldest = int(r.int(0)), fromMillis(r.int(1)) }, bucket, key, millis(since))
	return n, oldest, wrap("count tallies", err)
}

// TalliedKeys implements bot.TallyTx. It takes no gate: whoever decides on it
// has counted before, in the same transaction.
func (t *tx) TalliedKeys(bucket string, since time.Time) (n, keys int, err error) {
	err = t.c.read(tallyKeys, func(r row) { n, keys = int(r.int(0)), int(r.int(1)) }, bucket, millis(since))
	return n, keys, wrap("count tallies of a bucket", err)
}

// ClearTally implements bot.TallyTx.
func (t *tx) ClearTally(bucket, key string) error {
	return wrap("clear tally", t.write(tallyClear, bucket, key))
}

// ClearTallies implements bot.TallyTx.
func (t *tx) ClearTallies(bucket string) error {
	return wrap("clear tallies", t.write(tallyClearAll, bucket))
}
