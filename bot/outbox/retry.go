package outbox

import "time"

// retryWaits are the pauses after the first, second, ... failed attempt; the
// last one repeats.
var retryWaits = [...]time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute,
	2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute,
}

// doubtWaits are the pauses before a message that may have been sent is sent
// again on a platform that cannot tell. After the last of these repeats nobody
// sends it any more.
var doubtWaits = [...]time.Duration{5 * time.Second, time.Minute}

// asideAfter is how long a message that fails for what it carries may hold up
// what was said after it.
const asideAfter = time.Minute

// behindWait is how often a thread looks whether the message that it is under was
// sent, beside being told so: another process may settle both at once.
var behindWait = 5 * time.Second

// nth is the n-th wait, from 1; beyond the last, the last.
func nth(waits []time.Duration, n int) time.Duration {
	return waits[min(max(n, 1), len(waits))-1]
}
