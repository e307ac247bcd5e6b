package teams

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/time/rate"

	"latchkey/adapters/dial"
	"latchkey/bot"
)

// How long the connector's keys are used. Microsoft asks to look at least once
// in five days, and rolls them without notice.
const (
	keysFresh = 24 * time.Hour
	keysStale = 5 * 24 * time.Hour
	keysWait  = 5 * time.Second // how long a caller waits when there are none
	keysBody  = 1 << 20         // bytes of an answer
)

// keysAgain are the pauses after looks that failed; the last one stays.
var keysAgain = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second}

// How often a token may make us look for the key that it names: anybody can
// name one.
const (
	unknownEvery = 10 * time.Second
	unknownBurst = 3
)

// errKeys says that nobody can be believed right now, since the key server
// does not answer.
var errKeys = errors.New("the connector's keys cannot be had")

// key is one of the connector's, and the channels that it speaks for.
type key struct {
	jose.JSONWebKey
	Endorsements []string
}

func (k *key) endorses(channel string) bool { return slices.Contains(k.Endorsements, channel) }

// keys are the connector's public keys, fetched from its OpenID metadata.
type keys struct {
	url     string
	client  *http.Client
	now     func() time.Time
	unknown *rate.Limiter // of looks for a key that nobody knows

	fetching sync.Mutex // one asks, the others wait for the answer

	mu       sync.Mutex
	have     []key
	at       time.Time // of the last good look
	tried    time.Time // of the last look
	looks    int       // since the start
	failures int       // looks that failed since the last good one
	failed   error     // why the last look failed
}

func newKeys(o *Options, client *http.Client) *keys {
	return &keys{url: o.KeysURL, client: client, now: o.Now, unknown: rate.NewLimiter(rate.Every(unknownEvery), unknownBurst)}
}

// find gives the key with an id. ok is false when the server has none of that
// id. A key that is known waits for nobody, an unknown one is looked for at
// once, and where there are no keys the caller waits a few seconds for them.
func (k *keys) find(ctx context.Context, id string) (found *key, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, keysWait)
	defer cancel()
	for {
		found, usable, looks := k.look(id)
		if found != nil {
			return found, true, nil
		}
		if wait := k.wait(usable); wait > 0 {
			if usable || !bot.Sleep(ctx, wait) {
				return nil, false, k.trouble()
			}
			continue
		}
		k.fetch(ctx, looks)
		if found, usable, _ = k.look(id); found != nil {
			return found, true, nil
		} else if usable {
			return nil, false, k.trouble()
		}
	}
}

// trouble says why the last look failed; nil when it did not.
func (k *keys) trouble() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errKeys, k.failed)
}

// look finds a key among those that are there. usable says that there are some,
// looks how often the server was asked.
func (k *keys) look(id string) (found *key, usable bool, looks int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.have) == 0 || k.now().Sub(k.at) >= keysStale {
		return nil, false, k.looks
	}
	for i := range k.have {
		if k.have[i].KeyID == id {
			found = &k.have[i]
		}
	}
	return found, true, k.looks
}

// wait is how long the server must be left alone. usable says that there are
// keys, so that it would be asked for one that nobody knows; 0 takes from what
// may be asked for these.
func (k *keys) wait(usable bool) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	switch {
	case k.failures > 0:
		return k.tried.Add(k.pause()).Sub(now)
	case usable && !k.unknown.AllowN(now, 1):
		return unknownEvery
	}
	return 0
}

// pause is how long the server is left alone after the last look. k.mu is held.
func (k *keys) pause() time.Duration {
	if k.failures == 0 {
		return keysFresh
	}
	return keysAgain[min(k.failures, len(keysAgain))-1]
}

// fetch asks the server, unless somebody has done so since there were that many
// looks.
func (k *keys) fetch(ctx context.Context, looks int) {
	k.fetching.Lock()
	defer k.fetching.Unlock()
	k.mu.Lock()
	done := k.looks != looks
	k.mu.Unlock()
	if done {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	have, err := fetchKeys(ctx, k.client, k.url)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.looks++
	if k.tried, k.failed = k.now(), err; err != nil {
		k.failures++
		return
	}
	k.have, k.at, k.failures = have, k.tried, 0
}

// keep has fresh keys there before anybody needs them, until ctx ends. told gets
// what came of each look: nil while there are keys that can be used.
func (k *keys) keep(ctx context.Context, told func(error)) {
	for looks := 0; ; {
		k.fetch(ctx, looks)
		k.mu.Lock()
		pause, err := k.pause(), k.failed
		looks = k.looks
		if len(k.have) > 0 && k.now().Sub(k.at) < keysStale {
			err = nil
		}
		k.mu.Unlock()
		if ctx.Err() != nil {
			return
		}
		told(err)
		if !bot.Sleep(ctx, pause) {
			return
		}
	}
}

func fetchKeys(ctx context.Context, client *http.Client, metadata string) ([]key, error) {
	var found struct {
		JWKS string `json:"jwks_uri"`
	}
	if err := getJSON(ctx, client, metadata, &found); err != nil {
		return nil, err
	}
	u, err := url.Parse(found.JWKS)
	if err != nil || u.Host == "" || !dial.Protected(u) {
		return nil, fmt.Errorf("%s names no https address of keys", metadata)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := getJSON(ctx, client, found.JWKS, &set); err != nil {
		return nil, err
	}
	have := readKeys(set.Keys)
	if len(have) == 0 {
		return nil, fmt.Errorf("%s has no key that can be used", found.JWKS)
	}
	return have, nil
}

// readKeys keeps the public keys that have an id, with what they endorse.
func readKeys(all []json.RawMessage) (have []key) {
	for _, raw := range all {
		var one key
		if err := json.Unmarshal(raw, &one.JSONWebKey); err != nil {
			continue // of a kind that nobody here knows
		}
		var more struct {
			Endorsements []string `json:"endorsements"`
		}
		if json.Unmarshal(raw, &more) == nil && one.KeyID != "" && one.IsPublic() {
			one.Endorsements = more.Endorsements
			have = append(have, one)
		}
	}
	return have
}

// getJSON reads an answer.
func getJSON(ctx context.Context, client *http.Client, address string, into any) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	r, err := client.Do(q)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, r.Status)
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, keysBody)).Decode(into); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	return nil
}
