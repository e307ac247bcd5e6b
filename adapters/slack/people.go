package slack

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// A standing says what somebody is to the workspace.
type standing uint8

const (
	member  standing = iota // one of ours
	outside                 // a person who is not: guest, deactivated, of another workspace
	machine                 // a bot, an app, nobody
)

// A profile is what Slack says about a user.
type profile struct {
	standing standing
	locale   string // "en-US"
	email    string // only where Options.SSO makes it worth something
	vouched  bool   // the house has been told
	at       time.Time
}

// How long a profile is believed, and how long when Slack cannot be asked. Slack
// answers some hundred questions a minute, and who is deactivated cannot write.
const (
	profileFresh = time.Hour
	profileStale = 12 * time.Hour
)

// fresh is what is known of somebody and need not be asked again.
func (a *Adapter) fresh(user string) (profile, bool) {
	v, ok := a.people.Get(user)
	return v, ok && a.o.Now().Sub(v.at) < profileFresh
}

// profile asks Slack about a user, unless it is known. It may take long: nothing
// that Slack waits for may wait for it. Who cannot be asked about is nobody we
// talk to.
func (a *Adapter) profile(ctx context.Context, user string) (profile, error) {
	if p, ok := a.fresh(user); ok {
		return p, nil
	}
	old, known := a.people.Get(user)
	p, err := a.lookUp(ctx, user)
	switch {
	case err == nil:
		return p, nil
	case known && a.o.Now().Sub(old.at) < profileStale:
		return old, nil
	}
	return profile{}, err
}

// look asks for one account, by the method that knows it.
func (a *Adapter) look(ctx context.Context, method string, form url.Values) (*account, *bot.SendError) {
	var got struct {
		User account `json:"user"`
	}
	form.Set("include_locale", "true")
	err := a.get(ctx, method, form, &got)
	return &got.User, err
}

// profileOf is what an account of Slack's says about the user who was asked about.
func (a *Adapter) profileOf(u *account, user string) profile {
	v := profile{standing: a.standing(u, user), locale: chat.Locale(u.Locale)}
	if a.o.SSO && v.standing == member {
		v.email = strings.ToLower(strings.TrimSpace(u.Profile.Email))
	}
	return v
}

// An account is a user object, as far as it is needed
// (https://docs.slack.dev/reference/objects/user-object).
type account struct {
	ID                string `json:"id"`
	TeamID            string `json:"team_id"`
	Locale            string `json:"locale"`
	Deleted           bool   `json:"deleted"`
	IsBot             bool   `json:"is_bot"`
	IsWorkflowBot     bool   `json:"is_workflow_bot"`
	IsConnectorBot    bool   `json:"is_connector_bot"`
	IsRestricted      bool   `json:"is_restricted"`
	IsUltraRestricted bool   `json:"is_ultra_restricted"`
	IsStranger        bool   `json:"is_stranger"`
	IsInvitedUser     bool   `json:"is_invited_user"`
	Enterprise        struct {
		EnterpriseID string   `json:"enterprise_id"`
		Teams        []string `json:"teams"`
	} `json:"enterprise_user"`
	Profile struct {
		Email string `json:"email"`
	} `json:"profile"`
}

// standing judges an account. On an enterprise grid a user belongs to the
// workspaces that enterprise_user lists, and Options.Team may be the whole
// organisation ("E...").
func (a *Adapter) standing(u *account, asked string) standing {
	ours := u.TeamID == a.o.Team || slices.Contains(u.Enterprise.Teams, a.o.Team) || u.Enterprise.EnterpriseID == a.o.Team
	switch {
	case u.ID != asked, u.IsBot, u.IsWorkflowBot, u.IsConnectorBot, u.ID == "USLACKBOT":
		return machine
	case !ours, u.Deleted, u.IsRestricted, u.IsUltraRestricted, u.IsStranger, u.IsInvitedUser:
		return outside
	}
	return member
}

// vouch tells the house, once for each look at the profile, whose account the
// workspace says it is.
func (a *Adapter) vouch(ctx context.Context, user string, v profile) {
	if v.email == "" || v.vouched {
		return
	}
	if _, err := a.o.House.Vouch(ctx, a.o.Channel, user, bot.Vouch{Email: v.email, Evidence: "slack"}); err != nil && !known(err) {
		a.o.Log.Warn("slack: the workspace's word for an account cannot be noted; the person is asked for proof", "err", err)
		return
	}
	v.vouched = true
	a.people.Set(user, v)
}
