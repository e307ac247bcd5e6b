package entratest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// A FaultKind is what goes wrong.
type FaultKind int

// The kinds.
const (
	_ FaultKind = iota

	// An answer that comes late or not at all.
	Throttle       // 429 with Retry-After (Fault.After, default 10 s)
	ThrottleSilent // 429 without it, as some services do
	Hang           // no answer for Options.Hang, and 504 then; the caller's own limit comes first
	Drop           // the answer was made, and the connection ends while it arrives
	Broken         // Fault.Status, default 503

	// A refusal.
	Expired    // 401: the token is over
	Denied     // 403 Authorization_RequestDenied: a permission is missing
	Unlicensed // 403 Authentication_RequestFromNonPremiumTenantOrB2CTenant
	Gone       // 410 with a Location: start anew

	// An answer that is not as it should be.
	Repeat    // a page tells things twice, and again what is told elsewhere
	Unknown   // words in each open list that nobody knows
	Early     // a page has half of what it had, and is the last one
	Half      // the list ends in its middle; leave it on for a whole reading
	Empty     // a page without anything, and more to come
	Malformed // JSON that ends in the middle
	HTML      // 200 and HTML: a proxy's page

	// A way that leads elsewhere.
	Redirect // 302 to ElsewhereHost
	Foreign  // the link to the next page is of ElsewhereHost

	// Refuse is the sign-in's: it sends the browser back with Fault.Code, such as
	// "access_denied" or "interaction_required".
	Refuse
)

// ElsewhereHost is where redirects and links of other hosts lead. Nothing is
// there.
const ElsewhereHost = "elsewhere.invalid"

// A Fault is something that goes wrong from now on.
type Fault struct {
	Kind FaultKind
	// Path is in the path of the requests that it is for, in any case:
	// "/users/delta", "/oauth2/v2.0/token". Empty: all of Graph; for Refuse, the
	// page where people sign in.
	Path   string
	Times  int           // how often; 0: until Heal
	After  time.Duration // Throttle: how long to wait
	Status int           // Broken
	Code   string        // Refuse: the error
}

func (f *Fault) is(k FaultKind) bool { return f != nil && f.Kind == k }

// Fail makes something go wrong. Of several for one path the one that came first
// is taken until it is used up.
func (t *Tenant) Fail(f Fault) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case f.Path == "" && f.Kind == Refuse:
		f.Path = "/oauth2/v2.0/authorize"
	case f.Path == "":
		f.Path = "/v1.0/"
	}
	t.faults = append(t.faults, &f)
}

// Heal ends all faults.
func (t *Tenant) Heal() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faults = nil
}

// fault takes the fault for a path. t.mu is held.
func (t *Tenant) fault(path string) *Fault {
	for n, f := range t.faults {
		if !strings.Contains(strings.ToLower(path), strings.ToLower(f.Path)) {
			continue
		}
		if f.Times == 1 {
			t.faults = slices.Delete(t.faults, n, n+1)
		} else if f.Times > 1 {
			f.Times--
		}
		took := *f
		return &took
	}
	return nil
}

// before answers in place of the handler. True: it did.
func (t *Tenant) before(w http.ResponseWriter, r *http.Request, f *Fault) bool {
	if f == nil {
		return false
	}
	switch f.Kind {
	case Hang:
		select {
		case <-time.After(t.o.Hang):
		case <-r.Context().Done():
		}
		w.WriteHeader(http.StatusGatewayTimeout)
	case Redirect:
		w.Header().Set("Location", "http://"+ElsewhereHost+r.URL.Path)
		w.WriteHeader(http.StatusFound)
	case HTML:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!doctype html><title>Network sign-in</title><h1>Accept the terms of use to go on</h1>")) // nobody to tell
	default:
		return false
	}
	return true
}
