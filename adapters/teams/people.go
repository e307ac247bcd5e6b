package teams

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"latchkey/bot"
)

// How long it is believed who somebody is, before it is asked again.
const (
	knownFor = time.Hour
	knownMax = 50_000 // people in one generation of a table
)

var errStranger = errors.New("not of this organisation")

// user is the immutable id of who wrote an activity: the object id in the
// organisation's directory. The tenant must be the configured one: people of
// other tenants, guests of nobody, and whoever has no object id are strangers
// (security 1.1). Names and addresses are not looked at.
func (a *Adapter) user(act *activity) (string, error) {
	id := strings.ToLower(act.From.AadID)
	if !strings.EqualFold(act.tenant(), a.o.Tenant) || !idShape.MatchString(id) {
		return "", errStranger
	}
	return id, nil
}

// known makes sure that the rooms know whose account this is, at most once an
// hour for each. Who is not in the directory by this id is looked up in the
// conversation: a guest of the organisation has an object id of its tenant too.
// Others are let in without a level, and prove who they are.
func (a *Adapter) known(ctx context.Context, user, service string, act *activity) error {
	now := a.o.Now()
	if at, stranger, ok := a.people.get(user); ok && now.Sub(at) < knownFor {
		if stranger {
			return errStranger
		}
		return nil
	}
	_, err := a.o.House.Vouch(ctx, a.o.Channel, user, bot.Vouch{Person: bot.PersonID(user), Evidence: "teams"})
	switch {
	case err == nil || errors.Is(err, bot.ErrDisabled):
		a.people.put(user, now, false)
		return nil
	case !errors.Is(err, bot.ErrNotFound):
		return fmt.Errorf("vouch: %w", err)
	}
	m, err := a.member(ctx, service, act.Conversation.ID, act.From.ID)
	if err != nil {
		return fmt.Errorf("look up a member of the conversation: %w", err)
	}
	stranger := m.guest(a.o.Tenant)
	a.people.put(user, now, stranger)
	if stranger {
		return errStranger
	}
	return nil
}

// member is somebody in a conversation, as the connector tells it.
type member struct {
	UPN    string `json:"userPrincipalName"`
	Role   string `json:"userRole"`
	Tenant string `json:"tenantId"`
}

// guest reports whether the member belongs elsewhere: a guest has the mark
// #EXT# in the name that they sign in with.
func (m *member) guest(tenant string) bool {
	return strings.EqualFold(m.Role, "guest") || strings.EqualFold(m.Role, "anonymous") ||
		strings.Contains(strings.ToUpper(m.UPN), "#EXT#") || m.Tenant != "" && !strings.EqualFold(m.Tenant, tenant)
}

// table keeps something of the last used keys, in two generations, so that it
// does not grow.
type table[V any] struct {
	mu           sync.Mutex
	newer, older map[string]V
}

func (t *table[V]) peek(k string) (v V, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v, ok = t.newer[k]; !ok {
		v, ok = t.older[k]
	}
	return v, ok
}

func (t *table[V]) set(k string, v V) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.store(k, v)
}

// store is set with t.mu held.
func (t *table[V]) store(k string, v V) {
	if t.newer == nil || len(t.newer) >= knownMax {
		t.older, t.newer = t.newer, map[string]V{}
	}
	t.newer[k] = v
}

// take gives the value of a key, made when there is none.
func (t *table[V]) take(k string, fresh func() V) V {
	t.mu.Lock()
	defer t.mu.Unlock()
	v, ok := t.newer[k]
	if ok {
		return v
	}
	if v, ok = t.older[k]; !ok {
		v = fresh()
	}
	t.store(k, v)
	return v
}

// acquaintance is when somebody was found to be one of us, or not.
type acquaintance struct {
	at       time.Time
	stranger bool
}

type acquaintances struct{ table[acquaintance] }

func (t *acquaintances) get(user string) (at time.Time, stranger, ok bool) {
	k, ok := t.peek(user)
	return k.at, k.stranger, ok
}

func (t *acquaintances) put(user string, at time.Time, stranger bool) {
	t.set(user, acquaintance{at, stranger})
}
