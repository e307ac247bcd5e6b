package teams

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"latchkey/bot"
)

// How long it is believed who somebody is, before it is asked again.
const (
	knownFor   = time.Hour
	refusedFor = 5 * time.Minute // of whom the connector does not tell
)

// user is the immutable id of who wrote an activity: the object id in the
// organisation's directory. The tenant must be the configured one: people of
// other tenants, guests of nobody, and whoever has no object id are strangers
// (security 1.1). Names and addresses are not looked at.
func (a *Adapter) user(act *activity) (id string, ok bool) {
	id = strings.ToLower(act.From.AadID)
	return id, strings.EqualFold(act.tenant(), a.o.Tenant) && isID(id)
}

// A standing is what is known of somebody.
type standing uint8

const (
	unknown  standing = iota // has to be looked up in the conversation
	ours                     // one of us
	stranger                 // not of this organisation
)

// known says who somebody is, as far as the rooms know, and tells them whose
// account it is, at most once an hour for each. Microsoft is not asked.
func (a *Adapter) known(ctx context.Context, user string) (standing, error) {
	now := a.o.Now()
	if k, ok := a.people.Get(user); ok && now.Before(k.until) {
		return k.who, nil
	}
	_, err := a.o.House.Vouch(ctx, a.o.Channel, user, bot.Vouch{Person: bot.PersonID(user), Evidence: "teams"})
	switch {
	case err == nil || errors.Is(err, bot.ErrDisabled):
		a.people.Set(user, acquaintance{ours, now.Add(knownFor)})
		return ours, nil
	case errors.Is(err, bot.ErrNotFound):
		return unknown, nil
	}
	return unknown, fmt.Errorf("vouch: %w", err)
}

// lookUp is known, and asks Microsoft where the rooms do not know: a guest of the
// organisation has an object id of its tenant, too. Who is one of us and not in
// the directory is let in without a level, and proves who they are. Whom the
// connector does not know in their own conversation, or does not tell us of, is a
// stranger; any other failure is an error, and is to be repeated.
func (a *Adapter) lookUp(ctx context.Context, v *visit) (standing, error) {
	who, err := a.known(ctx, v.user)
	if err != nil || who != unknown {
		return who, err
	}
	m, err := a.member(ctx, v.to.Service, v.to.Conversation, v.to.User)
	var r *refusal
	found, life := ours, knownFor
	switch {
	case errors.As(err, &r) && (r.status == http.StatusForbidden || r.status == http.StatusNotFound && r.code != ""):
		a.o.Log.Warn("the connector does not tell who writes, so they are turned away", "err", err)
		found, life = stranger, refusedFor
	case err != nil:
		return unknown, fmt.Errorf("look up a member of the conversation: %w", err)
	case m.guest(a.o.Tenant):
		found = stranger
	}
	a.people.Set(v.user, acquaintance{found, a.o.Now().Add(life)})
	return found, nil
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

// acquaintance is what somebody was found to be, and until when that is believed.
type acquaintance struct {
	who   standing
	until time.Time
}
