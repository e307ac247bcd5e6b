package entratest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed permissions.json
var permissionsJSON []byte

// permissions are the application permissions that GET needs, any one of them,
// by path in lower case; a star marks the least (microsoft-graph-devx-content,
// permissions of 2026-08-07).
var permissions = func() (p map[string][]string) {
	if err := json.Unmarshal(permissionsJSON, &p); err != nil {
		panic("entratest: permissions.json: " + err.Error())
	}
	// The published table has one permission for this list, and all of them for
	// one of its members; the page "List fido2AuthenticationMethod" has them all.
	const keys = "/users/{id}/authentication/fido2methods"
	p[keys] = p[keys+"/{id}"]
	return p
}()

// needs are the permissions of a path, the least one, and any of them.
func needs(template string) (least string, of []string) {
	for _, s := range permissions[template] {
		name, star := strings.CutSuffix(s, "*")
		if star && (least == "" || len(name) < len(least)) && strings.Contains(name, ".Read") && !strings.Contains(name, "Write") {
			least = name
		}
		of = append(of, name)
	}
	return least, of
}

// A Call is one request that was made of the tenant.
type Call struct {
	At     time.Time
	Host   string // with the port
	Method string
	Path   string
	Query  url.Values
	Header http.Header // without Authorization and Cookie
	Status int         // of the answer; 0: there was none
	Fault  FaultKind   // that it met

	// Of requests to Graph.
	Template string   // the path with {id}; empty: this tenant serves no such path
	Least    string   // the least permission that it needs
	Roles    []string // that the token has
	// Of requests to the token endpoint: the fields that were sent, without
	// their values.
	Fields []string
}

// Calls are all requests so far.
func (t *Tenant) Calls() []Call {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.calls)
}

// Forget empties Calls.
func (t *Tenant) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls = nil
}

// Needed are the least permissions that all requests to Graph so far needed,
// sorted, each once.
func (t *Tenant) Needed() []string {
	var all []string
	for _, c := range t.Calls() {
		if c.Least != "" {
			all = append(all, c.Least)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// note records a request and gives its place in calls. t.mu is held.
func (t *Tenant) note(r *http.Request, f *Fault) int {
	c := Call{At: t.o.Now(), Host: r.Host, Method: r.Method, Path: r.URL.Path, Query: r.URL.Query(), Header: r.Header.Clone()}
	c.Header.Del("Authorization")
	c.Header.Del("Cookie")
	if f != nil {
		c.Fault = f.Kind
	}
	t.calls = append(t.calls, c)
	return len(t.calls) - 1
}

// request is one to Graph.
type request struct {
	*http.Request
	base     string   // "https://graph.example"
	path     []string // after /v1.0, in lower case
	template string
	roles    []string
	fault    *Fault
}

// answer is what Graph says.
type answer struct {
	status int
	header map[string]string
	body   any
}

// problem is an answer in the shape of Graph's errors (the page "Microsoft Graph
// error responses").
type problem struct {
	code, message string
}

func refuse(status int, code, format string, values ...any) *answer {
	return &answer{status: status, body: problem{code, fmt.Sprintf(format, values...)}}
}

// graph serves /v1.0.
func (t *Tenant) graph(w http.ResponseWriter, r *http.Request) {
	t.mu.Lock()
	f := t.fault(r.URL.Path)
	n := t.note(r, f)
	q := &request{Request: r, base: base(r), fault: f, path: strings.Split(strings.ToLower(strings.Trim(strings.TrimPrefix(r.URL.Path, "/v1.0"), "/")), "/")}
	q.template, _ = pattern(q.path)
	least, _ := needs(q.template)
	if q.template != "" {
		t.calls[n].Template, t.calls[n].Least = q.template, least
	}
	t.mu.Unlock()
	if t.before(w, r, f) {
		return
	}
	t.mu.Lock()
	a := t.answer(q)
	if n < len(t.calls) {
		t.calls[n].Roles, t.calls[n].Status = q.roles, a.status
	}
	t.requests++
	id := t.people.id(1<<24 + int(t.requests))
	date := t.o.Now().UTC()
	t.mu.Unlock()
	client := r.Header.Get("client-request-id")
	if client == "" {
		client = id
	}
	w.Header().Set("request-id", id)
	w.Header().Set("client-request-id", client)
	w.Header().Set("Date", date.Format(http.TimeFormat))
	for k, v := range a.header {
		w.Header().Set(k, v)
	}
	if p, ok := a.body.(problem); ok {
		a.body = object{"error": object{"code": p.code, "message": p.message, "innerError": object{"date": date.Format("2006-01-02T15:04:05"), "request-id": id, "client-request-id": client}}}
	}
	send(w, a.status, a.body, f)
}

// send writes JSON: half of it when it is to be malformed, and when the
// connection is to end on the way. (A connection that ends before the answer has
// begun would be asked again by Go's client itself, and nobody would notice.)
func send(w http.ResponseWriter, status int, body any, f *Fault) {
	b, err := json.Marshal(body)
	if err != nil {
		panic("entratest: an answer that is no JSON: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	if f.is(Drop) {
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	}
	if f.is(Malformed) || f.is(Drop) {
		b = b[:len(b)/2]
	}
	w.WriteHeader(status)
	_, _ = w.Write(b) // the caller may have left
	if f.is(Drop) {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// base is the address that a request was sent to.
func base(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// answer is what comes of a request. t.mu is held.
func (t *Tenant) answer(q *request) *answer {
	switch f := q.fault; {
	case f.is(Throttle):
		return throttled(f.wait())
	case f.is(ThrottleSilent):
		a := throttled(0)
		a.header = nil
		return a
	case f.is(Broken):
		return refuse(f.status(), "serviceNotAvailable", "The service is temporarily unavailable.")
	case f.is(Expired):
		return unauthenticated("Lifetime validation failed, the token is expired.")
	}
	roles, refused := t.authenticate(q.Request)
	q.roles = roles
	if refused != nil {
		return refused
	}
	serve := handler(q.path)
	switch {
	case q.template == "" || serve == nil:
		return refuse(http.StatusNotFound, "BadRequest", "Resource not found for the segment '%s'. (The pretend tenant serves no such path.)", q.path[0])
	case q.Method != http.MethodGet:
		return refuse(http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target. (The pretend tenant is read only.)")
	}
	// An app token without any role: msgraph-sdk-dotnet issue 2265.
	if len(roles) == 0 && strings.Contains(q.template, "/authentication/") {
		return refuse(http.StatusUnauthorized, "unauthenticated", "The user is unauthenticated.")
	}
	if !q.may(q.template) || q.fault.is(Denied) {
		return denied()
	}
	if q.fault.is(Unlicensed) {
		return refuse(http.StatusForbidden, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", "Neither tenant is B2C or tenant doesn't have premium license")
	}
	return serve(t, q)
}

// may reports whether the token has one of a path's permissions.
func (q *request) may(template string) bool {
	_, any := needs(template)
	return slices.ContainsFunc(any, func(role string) bool { return slices.Contains(q.roles, role) })
}

func denied() *answer {
	return refuse(http.StatusForbidden, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
}

func (f *Fault) wait() time.Duration {
	if f.After > 0 {
		return f.After
	}
	return 10 * time.Second
}

func (f *Fault) status() int {
	if f.Status > 0 {
		return f.Status
	}
	return http.StatusServiceUnavailable
}

// throttled is the answer to one who asks too often (the page "Microsoft Graph
// throttling guidance").
func throttled(wait time.Duration) *answer {
	a := refuse(http.StatusTooManyRequests, "TooManyRequests", "Too many requests. Please retry later.")
	a.header = map[string]string{"Retry-After": strconv.Itoa(int((wait + time.Second - 1) / time.Second))}
	return a
}

func unauthenticated(why string) *answer {
	a := refuse(http.StatusUnauthorized, "InvalidAuthenticationToken", "%s", why)
	a.header = map[string]string{"WWW-Authenticate": `Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000"`}
	return a
}

// pattern gives a path with {id} for what varies, as permissions.json has it;
// false for none that is served.
func pattern(path []string) (string, bool) {
	p := slices.Clone(path)
	switch p[0] {
	case "users":
		if len(p) == 2 {
			if function(p[1]) == "delta" {
				return "/users/delta", true
			}
		}
		if len(p) > 1 {
			p[1] = "{id}"
		}
		if len(p) == 5 {
			p[4] = "{id}"
		}
	case "groups":
		if len(p) > 1 {
			p[1] = "{id}"
		}
		if len(p) == 4 && p[3] == "microsoft.graph.user" { // a cast needs what the list needs
			p = p[:3]
		}
	case "reports":
		if len(p) == 4 {
			p[3] = "{id}"
		}
	}
	s := "/" + strings.Join(p, "/")
	if _, ok := permissions[s]; !ok {
		return "", false
	}
	return s, true
}

// function is the short name of one: delta for microsoft.graph.delta().
func function(segment string) string {
	return strings.TrimSuffix(strings.TrimPrefix(segment, "microsoft.graph."), "()")
}

// handler serves a path that has a template. Nil: none does.
func handler(path []string) func(*Tenant, *request) *answer {
	switch {
	case path[0] == "users" && len(path) == 2 && function(path[1]) == "delta":
		return (*Tenant).delta
	case path[0] == "users" && len(path) == 2:
		return (*Tenant).oneUser
	case path[0] == "users" && len(path) == 3 && path[2] == "manager":
		return (*Tenant).managerOf
	case path[0] == "users" && len(path) > 3 && path[2] == "authentication":
		return (*Tenant).userMethods
	case path[0] == "groups":
		return (*Tenant).members
	case path[0] == "reports" && len(path) == 3:
		return (*Tenant).report
	case path[0] == "reports":
		return (*Tenant).reportOf
	case path[0] == "policies" && path[1] == "authenticationmethodspolicy":
		return func(t *Tenant, q *request) *answer { return ok(q, t.policy.methodsPolicy(q.fault)) }
	case path[0] == "policies" && path[1] == "authorizationpolicy":
		return func(t *Tenant, q *request) *answer { return ok(q, t.policy.authorization()) }
	}
	return nil
}

// ok is a good answer with its @odata.context.
func ok(q *request, body object) *answer {
	body["@odata.context"] = q.base + "/v1.0/$metadata#" + strings.Trim(q.URL.Path[len("/v1.0"):], "/")
	return &answer{status: http.StatusOK, body: body}
}

// missing is the answer for what is not there.
func missing(id string) *answer {
	return refuse(http.StatusNotFound, "Request_ResourceNotFound", "Resource '%s' does not exist or one of its queried reference-property objects are not present.", id)
}

// options refuses query options that a path does not take; those of allowed it
// does. Options are told from tokens by name only.
func (q *request) options(allowed ...string) *answer {
	for name := range q.URL.Query() {
		if strings.HasPrefix(name, "$") && !slices.Contains(allowed, name) {
			return refuse(http.StatusBadRequest, "Request_BadRequest", "The query option '%s' is not supported here.", name)
		}
	}
	return nil
}

// selected are the properties that $select names, or the usual ones.
func (q *request) selected(also ...string) ([]string, *answer) {
	s := q.URL.Query().Get("$select")
	if s == "" {
		return usual, nil
	}
	var all []string
	for name := range strings.SplitSeq(s, ",") {
		name = strings.TrimSpace(name)
		if name != "id" && !slices.Contains(properties, name) && !slices.Contains(unfilled, name) && !slices.Contains(also, name) {
			return nil, refuse(http.StatusBadRequest, "BadRequest", "Parsing OData Select and Expand failed: Could not find a property named '%s' on type 'microsoft.graph.user'.", name)
		}
		all = append(all, name)
	}
	return all, nil
}

// person finds who a path names: an object id, or the UPN of a member. A guest's
// UPN is not found (realmjoin-runbooks, pull request 318: always the object id).
func (t *Tenant) person(name string) (int, bool) {
	if i, ok := t.find(name); ok {
		return i, t.current(i).gone == ""
	}
	if strings.Contains(name, "#") || !strings.Contains(name, "@") {
		return 0, false
	}
	for i := range t.size() {
		if s := t.current(i); s.gone == "" && strings.EqualFold(s.UPN, name) {
			return i, true
		}
	}
	return 0, false
}

func (t *Tenant) oneUser(q *request) *answer {
	if a := q.options("$select"); a != nil {
		return a
	}
	names, refused := q.selected()
	if refused != nil {
		return refused
	}
	i, found := t.person(q.path[1])
	if !found {
		return missing(q.path[1])
	}
	// User.ReadBasic.All shows little.
	if !q.may("/users/delta") && slices.ContainsFunc(names, func(n string) bool { return !slices.Contains(basic, n) }) {
		return denied()
	}
	s := t.current(i)
	return ok(q, user(&s.Person, names))
}

func (t *Tenant) managerOf(q *request) *answer {
	if a := q.options("$select"); a != nil {
		return a
	}
	names, refused := q.selected()
	if refused != nil {
		return refused
	}
	i, found := t.person(q.path[1])
	if !found {
		return missing(q.path[1])
	}
	m, found := t.person(t.current(i).Manager)
	if !found {
		return missing("manager")
	}
	s := t.current(m)
	u := user(&s.Person, names)
	u["@odata.type"] = "#microsoft.graph.user"
	return ok(q, u)
}

func (t *Tenant) userMethods(q *request) *answer {
	if a := q.options(); a != nil {
		return a
	}
	i, found := t.person(q.path[1])
	if !found {
		return missing(q.path[1])
	}
	all := []object{}
	for _, m := range t.methodsOf(i, q.fault) {
		kind := strings.TrimPrefix(m["@odata.type"].(string), "#microsoft.graph.")
		if q.path[3] == "methods" || slices.Contains(methodKinds, methodKind{q.path[3], kind}) {
			all = append(all, m)
		}
	}
	if len(q.path) == 5 {
		for _, m := range all {
			if m["id"] == q.path[4] {
				return ok(q, m)
			}
		}
		return missing(q.path[4])
	}
	if q.path[3] != "methods" {
		for _, m := range all {
			delete(m, "@odata.type") // a list of one kind says it once, in its context
		}
	}
	if q.fault.is(Repeat) {
		all = append(all, all...)
	}
	if q.fault.is(Early) || q.fault.is(Half) {
		all = all[:len(all)/2]
	}
	return ok(q, object{"value": all})
}
