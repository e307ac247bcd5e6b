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
)

// How long the connector's keys are used. Microsoft asks to look at least once
// in five days, and rolls them without notice.
const (
	keysFresh = 24 * time.Hour
	keysStale = 5 * 24 * time.Hour
	keysAgain = 5 * time.Minute // between two looks for an unknown key
	keysBody  = 1 << 20         // bytes of an answer
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
	url    string
	client *http.Client
	now    func() time.Time

	fetching sync.Mutex // one asks, the others wait for the answer

	mu     sync.Mutex
	have   []key
	at     time.Time // of the last good fetch
	tried  time.Time // of the last fetch
	failed error     // why the last fetch failed
}

// find gives the key with an id. ok is false when the server has none of that
// id. A key that is known waits for nobody.
func (k *keys) find(ctx context.Context, id string) (found *key, ok bool, err error) {
	found, fresh, due := k.look(id)
	if found != nil && fresh {
		return found, true, nil
	}
	if due {
		k.fetch(ctx)
		found, fresh, _ = k.look(id)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case found != nil && (fresh || k.now().Sub(k.at) < keysStale): // the server may be away for some days
		return found, true, nil
	case k.failed != nil && (len(k.have) == 0 || k.now().Sub(k.at) >= keysStale):
		return nil, false, fmt.Errorf("%w: %w", errKeys, k.failed)
	}
	return nil, false, nil
}

// look finds a key among those that are there, and says whether they are fresh
// and whether the server may be asked again.
func (k *keys) look(id string) (found *key, fresh, due bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	for i := range k.have {
		if k.have[i].KeyID == id {
			found = &k.have[i]
		}
	}
	return found, now.Sub(k.at) < keysFresh, k.tried.IsZero() || now.Sub(k.tried) >= keysAgain
}

// fetch asks the server, unless somebody has just done so.
func (k *keys) fetch(ctx context.Context) {
	k.fetching.Lock()
	defer k.fetching.Unlock()
	if _, _, due := k.look(""); !due {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	have, err := fetchKeys(ctx, k.client, k.url)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tried, k.failed = k.now(), err
	if err == nil {
		k.have, k.at = have, k.tried
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
	if err != nil || u.Host == "" || !secure(u) {
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
