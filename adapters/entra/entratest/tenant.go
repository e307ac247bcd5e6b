package entratest

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"
)

// What Latchkey is registered as, and where.
const (
	TenantID   = "6c1f7f2e-51a4-4b0f-9d2c-3f6f0a7e2b10"
	ClientID   = "0d6a2f84-7b1c-4e57-a3f5-8d1e9c40b6aa"
	Secret     = "entra~pretend.client-secret"
	ClientName = "Latchkey"

	home = "a1b2c3d4-0f0e-4d0c-8b0a-0908070605f4" // the tenant that guests come from
)

// GraphRoot is the resource that tokens of Microsoft's global cloud are for.
const GraphRoot = "https://graph.microsoft.com"

// Options of a Tenant. Everything may be left out.
type Options struct {
	People    int    // accounts of all kinds; default 1500
	Seed      uint64 // which tenant it is
	Now       func() time.Time
	GraphRoot string        // the resource of tokens; default GraphRoot. The other clouds have their own
	Hang      time.Duration // how long a hanging answer takes; default 60 s, as Microsoft's own limit
}

// A Tenant is a pretend Microsoft 365 tenant. It is safe for concurrent use.
type Tenant struct {
	o      Options
	people people

	mu        sync.Mutex
	accounts  map[int]*account // those that are not as the seed made them
	added     int              // accounts after those of the seed
	log       []change
	groups    map[string]group
	roles     []string
	secrets   []string
	certs     map[string]any // public keys, by the thumbprint of their certificate
	trusts    []Trust
	policy    Policy
	signIn    SignIn
	redirects []string
	lag       time.Duration // of all rows; negative: each its own
	limit     int           // requests to the report
	every     time.Duration // in this time
	asked     []time.Time   // the report
	faults    []*Fault
	calls     []Call
	revoked   int // how often; tokens of before are worthless
	codes     map[string]grant
	sessions  map[string]*session
	used      map[string]time.Time // assertions' jti
	requests  uint64
}

// An account is one that has changed since the tenant was made.
type account struct {
	states []state // the oldest first
}

// A state is what an account was from some time on.
type state struct {
	at time.Time
	Person
	gone string // "", "changed" (in the bin, comes back) or "deleted"
}

// A change is what a later reading of users/delta tells.
type change struct {
	account    int
	properties []string // nil: all
}

// NewTenant makes a tenant.
func NewTenant(o Options) *Tenant {
	if o.People <= 0 {
		o.People = 1500
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.GraphRoot == "" {
		o.GraphRoot = GraphRoot
	}
	if o.Hang <= 0 {
		o.Hang = time.Minute
	}
	t := &Tenant{
		o: o, people: people{seed: o.Seed, count: o.People, made: o.Now().UTC().Truncate(time.Second)},
		accounts: map[int]*account{}, groups: map[string]group{}, roles: slices.Clone(ReadRoles), secrets: []string{Secret}, certs: map[string]any{},
		policy: defaultPolicy(), signIn: SignIn{Contexts: []string{"c1"}}, lag: -1, limit: reportLimit, every: reportEvery,
		codes: map[string]grant{}, sessions: map[string]*session{}, used: map[string]time.Time{},
	}
	provider := t.people.id(otherProvider)
	t.policy.Methods = append(t.policy.Methods, PolicyMethod{ID: provider, Type: "external", Enabled: true, More: object{
		"displayName": "Other provider", "appId": provider, "openIdConnectSetting": object{"clientId": "latchkey", "discoveryUrl": "https://provider.example/.well-known/openid-configuration"}}})
	t.makeGroups()
	return t
}

// otherProvider is the number of the configuration of another company's factor,
// among the ids of accounts.
const otherProvider = 1<<25 + 1

// ReadRoles are the permissions that reading needs, the least of each
// (graph-auth-surface.json; the page "authenticationMethods APIs overview").
var ReadRoles = []string{"User.Read.All", "GroupMember.ReadBasic.All", "AuditLog.Read.All", "Policy.Read.AuthenticationMethod", "UserAuthenticationMethod.Read.All"}

// SetRoles sets the permissions that tokens are given from now on. Those that
// were given keep theirs, as a real token does until it ends; Revoke ends them.
func (t *Tenant) SetRoles(roles ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.roles = slices.Clone(roles)
}

// SetSecrets sets the client secrets that are good.
func (t *Tenant) SetSecrets(secrets ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.secrets = slices.Clone(secrets)
}

// Revoke makes all tokens given so far worthless: Graph answers 401.
func (t *Tenant) Revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.revoked++
}

// SetLag makes every row of the report exactly that old. A negative one makes
// each row as old as the seed says, up to 36 hours, which is how it begins.
func (t *Tenant) SetLag(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lag = d
}

// SetReportLimit sets how often the report may be asked; 0 for as often as one
// likes. It begins with Microsoft's five requests in ten seconds.
func (t *Tenant) SetReportLimit(requests int, every time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.limit, t.every = requests, every
}

// size is how many accounts there are, gone ones too. t.mu is held.
func (t *Tenant) size() int { return t.people.count + t.added }

// current gives what account i is. t.mu is held.
func (t *Tenant) current(i int) state {
	if a := t.accounts[i]; a != nil {
		return a.states[len(a.states)-1]
	}
	return state{at: t.people.made, Person: t.people.person(i)}
}

// asOf gives what account i was at a time; false when it was not there yet.
// t.mu is held.
func (t *Tenant) asOf(i int, at time.Time) (state, bool) {
	a := t.accounts[i]
	if a == nil {
		return t.current(i), true
	}
	for _, s := range slices.Backward(a.states) {
		if !s.at.After(at) {
			return s, true
		}
	}
	// The accounts of the seed are older than the tenant's clock.
	return a.states[0], i < t.people.count
}

// find gives the number of an account by object id. t.mu is held.
func (t *Tenant) find(id string) (int, bool) {
	i, ok := t.people.index(id)
	return i, ok && i < t.size()
}

// Count is how many accounts there are, of all kinds, without the deleted.
func (t *Tenant) Count() int {
	n := 0
	for range t.All() {
		n++
	}
	return n
}

// All gives every account that is there now, in the order of the readings.
func (t *Tenant) All() iter.Seq[Person] {
	return func(yield func(Person) bool) {
		for i := 0; ; i++ {
			t.mu.Lock()
			if i >= t.size() {
				t.mu.Unlock()
				return
			}
			s := t.current(i)
			t.mu.Unlock()
			if s.gone == "" && !yield(s.copy()) {
				return
			}
		}
	}
}

func (s state) copy() Person {
	p := s.Person
	p.Methods = slices.Clone(p.Methods)
	return p
}

// Find gives the first account for which want is true; one without an ID when
// there is none.
func (t *Tenant) Find(want func(Person) bool) Person {
	for p := range t.All() {
		if want(p) {
			return p
		}
	}
	return Person{}
}

// Person gives an account by object id; deleted ones are not there.
func (t *Tenant) Person(id string) (Person, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.find(id)
	if !ok || t.current(i).gone != "" {
		return Person{}, false
	}
	return t.current(i).copy(), true
}

// Change changes an account. What differs after it is what the next reading of
// users/delta tells; methods, roles and SSPR are in the report only.
func (t *Tenant) Change(id string, f func(*Person)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.find(id)
	if !ok {
		return fmt.Errorf("entratest: nobody has the object id %s", id)
	}
	before := t.current(i)
	if before.gone != "" {
		return fmt.Errorf("entratest: the account %s is deleted; Return it first", id)
	}
	after := state{Person: before.copy()}
	f(&after.Person)
	after.ID = before.ID
	var changed []string
	for _, name := range properties {
		if fmt.Sprint(value(&before.Person, name)) != fmt.Sprint(value(&after.Person, name)) {
			changed = append(changed, name)
		}
	}
	t.put(i, after, changed)
	return nil
}

// put notes what account i is from now on. No properties: users/delta tells
// nothing. t.mu is held.
func (t *Tenant) put(i int, s state, properties []string) {
	s.at = t.o.Now()
	a := t.accounts[i]
	if a == nil {
		a = &account{}
		if i < t.people.count {
			a.states = []state{{at: t.people.made.Add(-time.Nanosecond), Person: t.people.person(i)}}
		}
		t.accounts[i] = a
	}
	a.states = append(a.states, s)
	if len(properties) > 0 || s.gone != "" {
		t.log = append(t.log, change{i, properties})
	}
}

// Add makes a new account. Its ID, and what is empty of UPN, Mail, Name and
// Kind, are filled in.
func (t *Tenant) Add(p Person) Person {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := t.size()
	t.added++
	p.ID = t.people.id(i)
	if p.Name == "" {
		p.Name = strings.TrimSpace(p.GivenName + " " + p.Surname)
	}
	if p.UPN == "" {
		p.UPN = fmt.Sprintf("new-%d@%s", i, Domain)
	}
	if p.Mail == "" {
		p.Mail = p.UPN
	}
	if p.Kind == "" {
		p.Kind = Staff
	}
	s := state{Person: p}
	s.Methods = slices.Clone(p.Methods)
	t.put(i, s, properties)
	t.log[len(t.log)-1].properties = nil
	return s.copy()
}

// AddMethod gives a person a method, in the report's word.
func (t *Tenant) AddMethod(id, word string) error {
	return t.Change(id, func(p *Person) { p.Methods = append(p.Methods, word) })
}

// SetMethods replaces all that a person has registered.
func (t *Tenant) SetMethods(id string, words ...string) error {
	return t.Change(id, func(p *Person) { p.Methods = slices.Clone(words) })
}

// Disable blocks an account.
func (t *Tenant) Disable(id string) error {
	return t.Change(id, func(p *Person) { p.Enabled = false })
}

// Remove deletes an account; it can be taken back for a while (Return).
func (t *Tenant) Remove(id string) error { return t.remove(id, "changed") }

// Erase deletes an account for good.
func (t *Tenant) Erase(id string) error { return t.remove(id, "deleted") }

func (t *Tenant) remove(id, how string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.find(id)
	if !ok || t.current(i).gone == "deleted" {
		return fmt.Errorf("entratest: there is no account %s to delete", id)
	}
	s := t.current(i)
	s.gone = how
	t.put(i, s, nil)
	return nil
}

// Return takes an account back: a deleted one out of the bin, a blocked one to
// work.
func (t *Tenant) Return(id string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, ok := t.find(id)
	if !ok || t.current(i).gone == "deleted" {
		return fmt.Errorf("entratest: the account %s is gone for good", id)
	}
	s := t.current(i)
	was := s.gone
	s.gone, s.Enabled = "", true
	t.put(i, s, []string{"accountEnabled"})
	if was != "" {
		t.log[len(t.log)-1].properties = nil
	}
	return nil
}

// newKey makes a key for signatures.
func newKey() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic("entratest: no key for signatures: " + err.Error())
	}
	return k
}

// signer is the key of this process's tenants: making one takes long.
var signer = sync.OnceValue(newKey)
