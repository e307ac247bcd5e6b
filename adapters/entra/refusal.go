package entra

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/bot"
)

// A feature is one of the things that are read, and what it needs.
type feature struct {
	name    string            // in logs and findings
	does    string            // "reading people"
	path    string            // below /v1.0; {id} stands for an object id
	needs   string            // the least application permission
	wider   []string          // others that allow it, and more
	headers map[string]string // sent with each request
	paced   bool              // has the limit of reports
}

// keepUnknown asks Graph for members of open lists under their own names; it
// says unknownFutureValue otherwise ("Best practices for working with Microsoft
// Graph").
var keepUnknown = map[string]string{"Prefer": "include-unknown-enum-members"}

// The features. Permissions are Graph's own list for path and verb
// (testdata/graph-auth-surface.json); a test holds them together.
var (
	featurePeople = feature{name: "people", does: "reading people", path: "/users/delta", needs: "User.Read.All",
		wider: []string{"Directory.Read.All", "Directory.ReadWrite.All", "User.ReadWrite.All"}}
	// A path that ends in a type needs ConsistencyLevel and $count ("Advanced
	// query capabilities on directory objects").
	featureGroups = feature{name: "groups", does: "reading the members of a group", path: "/groups/{id}/transitiveMembers/microsoft.graph.user", needs: "GroupMember.ReadBasic.All",
		wider: []string{"Directory.Read.All", "Group.Read.All", "Group.ReadBasic.All", "Group.ReadWrite.All", "GroupMember.Read.All", "GroupMember.ReadWrite.All"}, headers: map[string]string{"ConsistencyLevel": "eventual"}}
	featureReport = feature{name: "report", does: "reading the report of sign-in methods", path: "/reports/authenticationMethods/userRegistrationDetails", needs: "AuditLog.Read.All",
		headers: keepUnknown, paced: true}
	featurePolicy = feature{name: "policy", does: "reading the tenant's policy", path: "/policies/authenticationMethodsPolicy", needs: "Policy.Read.AuthenticationMethod",
		wider: []string{"Policy.ReadWrite.AuthenticationMethod", "Policy.Read.All"}, headers: keepUnknown}
	// Asked only where the permission is there anyway.
	featureAdmins = feature{name: "administrators' reset", does: "reading whether administrators may reset their password", path: "/policies/authorizationPolicy", needs: "Policy.Read.All",
		wider: []string{"Policy.ReadWrite.Authorization"}}
	featureOwnPage = feature{name: "own page", does: "reading one person's sign-in methods", path: "/users/{id}/authentication/methods", needs: "UserAuthenticationMethod.Read.All",
		wider: []string{"UserAuthenticationMethod.ReadWrite.All"}, headers: keepUnknown}
)

// features are all that the client can ask.
func features() []*feature {
	return []*feature{&featurePeople, &featureGroups, &featureReport, &featurePolicy, &featureAdmins, &featureOwnPage}
}

// allows reports whether one of the roles of a token is enough for the feature.
func (f *feature) allows(roles []string) bool {
	return slices.Contains(roles, f.needs) || slices.ContainsFunc(f.wider, func(w string) bool { return slices.Contains(roles, w) })
}

// A refusal is an answer of Graph other than 200. Its message is left out: it
// may repeat names and addresses.
type refusal struct {
	status  int
	code    string        // error.code
	inner   string        // innerError.code, which is more exact where it is there
	after   time.Duration // Retry-After; zero: not told
	id      string        // request-id, for Microsoft's support
	ours    string        // client-request-id
	problem string        // for the operator
}

func (r *refusal) Error() string {
	s := fmt.Sprintf("Graph answers %d", r.status)
	if r.code != "" {
		s += " " + r.code
	}
	if r.id != "" {
		s += " (request-id " + r.id + ")"
	}
	if r.problem != "" {
		s += ": " + r.problem
	}
	return s
}

// is reports whether one of Graph's error codes came.
func (r *refusal) is(codes ...string) bool {
	return slices.ContainsFunc(codes, func(c string) bool { return strings.EqualFold(c, r.code) || strings.EqualFold(c, r.inner) })
}

// isCode reports whether s looks like an error code of Graph's.
func isCode(s string) bool { return bot.Plain(s, 80, "_.") }

// idOf is an id of a header as it may be logged, or empty.
func idOf(s string) string {
	if bot.Plain(s, 64, "-") {
		return s
	}
	return ""
}

func newRefusal(a *http.Response, body []byte, ours string, now time.Time) *refusal {
	r := &refusal{status: a.StatusCode, after: retryAfter(a.Header.Get("Retry-After"), now), id: idOf(a.Header.Get("request-id")), ours: ours}
	var told struct {
		Error struct {
			Code       string `json:"code"`
			InnerError struct {
				Code string `json:"code"`
				ID   string `json:"request-id"`
			} `json:"innerError"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &told) != nil {
		return r
	}
	if isCode(told.Error.Code) {
		r.code = told.Error.Code
	}
	if isCode(told.Error.InnerError.Code) {
		r.inner = told.Error.InnerError.Code
	}
	r.id = cmp.Or(r.id, idOf(told.Error.InnerError.ID))
	return r
}

// longestTold bounds what Retry-After may say.
const longestTold = time.Hour

// retryAfter reads the header (RFC 9110, 10.2.3): seconds or a date. Zero: it
// says nothing.
func retryAfter(s string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil && n >= 0 {
		return min(max(time.Duration(n)*time.Second, time.Second), longestTold)
	}
	if t, err := http.ParseTime(s); err == nil {
		return min(max(t.Sub(now), time.Second), longestTold)
	}
	return 0
}

// startAnew are the codes of a cursor that is over, beside status 410 ("Use
// delta query", Token duration; "Paging").
var startAnew = []string{"syncStateNotFound", "syncStateInvalid", "resyncRequired", "Directory_ExpiredPageToken"}

const noLicence = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"

// failed says what an error means, and logs it with the ids by which Microsoft's
// support finds the request.
func (c *Client) failed(ctx context.Context, f *feature, token string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	whole := func() error { return fmt.Errorf("entra: %s: %w", f.does, err) }
	var u *unreached
	var s *signInError
	var r *refusal
	switch {
	case errors.As(err, &s):
		if s.passing {
			return c.later(f.name, s.after, s.tooMany, whole())
		}
		return &bot.RefusedError{Err: whole()}
	case errors.As(err, &u):
		c.o.Log.Warn("Microsoft Graph cannot be reached", "what", f.name, "err", err)
		return c.later(f.name, 0, false, whole())
	case !errors.As(err, &r):
		return whole()
	}
	r.problem = f.problem(r, token)
	c.o.Log.Warn("Microsoft Graph refuses", "what", f.name, "status", r.status, "code", r.code, "inner", r.inner, "request-id", r.id, "client-request-id", r.ours)
	switch {
	case r.status == http.StatusGone, r.status >= 400 && r.status < 500 && r.is(startAnew...):
		return fmt.Errorf("entra: %s: %w: %w", f.does, bot.ErrStartAnew, err)
	case r.status == http.StatusTooManyRequests, r.status >= 500 && r.status != http.StatusNotImplemented:
		return c.later(f.name, r.after, r.status == http.StatusTooManyRequests, whole())
	case r.status == http.StatusNotFound:
		return &bot.RefusedError{Err: fmt.Errorf("entra: %s: %w: %w", f.does, bot.ErrNotFound, err)}
	case r.status >= 300 && r.status < 500 && r.status != http.StatusRequestTimeout:
		return &bot.RefusedError{Err: whole(), NoLicence: r.is(noLicence)}
	}
	return whole()
}

// problem is a sentence for the operator: what a refusal means for a feature.
func (f *feature) problem(r *refusal, token string) string {
	roles, known := rolesOf(token)
	switch {
	case r.is(noLicence):
		return "this tenant has no Microsoft Entra ID P1 or P2 licence, so Microsoft gives no report of who has which sign-in method; everything else works. " +
			"Either get the licence (Microsoft 365 A3, E3, Business Premium and those above have it): the report then comes by itself. " +
			"Or go without: people still ask in the chat whether they will get in, \"look again\" reads their own page, and the answers rest on that page alone"
	case r.status >= 300 && r.status < 400:
		return "this is a redirect, and none is followed; check entra.graph_url"
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden:
		if known && !f.allows(roles) {
			return fmt.Sprintf("the token lacks the application permission %s (it has %s); add it under API permissions of the app registration, and grant admin consent", f.needs, list(roles, "none"))
		}
		if known && r.status == http.StatusForbidden {
			return fmt.Sprintf("the token has the permission, so something else forbids it: a restricted management administrative unit, or a Conditional Access policy for workload identities; search the sign-in logs of the service principal for client-request-id %s", r.ours)
		}
		if r.status == http.StatusForbidden {
			return fmt.Sprintf("check that the app registration has the application permission %s, with admin consent", f.needs)
		}
		return "Graph does not take the token; check entra.cloud, login_url and graph_url, which must belong together, and the clock of this machine"
	case r.status == http.StatusNotFound:
		return "Entra has nothing of this id"
	}
	return ""
}

// list joins names for a sentence.
func list(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	return strings.Join(names, ", ")
}
