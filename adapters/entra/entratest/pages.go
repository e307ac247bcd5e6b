package entratest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	deltaPage   = 200
	memberPage  = 100 // the page "List group transitive members"; 999 at most
	reportPage  = 1000
	longestPage = 999
	// A delta token is good for seven days (the page "Use delta query to track
	// changes", directory objects).
	tokenLife = 7 * 24 * time.Hour
)

// mark is where a reader of pages is; it stands in links, as one opaque word.
type mark struct {
	Kind   string   `json:"k"` // full, changes (in the middle), or link (at the end)
	Select []string `json:"s,omitempty"`
	At     int      `json:"p,omitempty"` // the next account, or the next change
	Until  int      `json:"u,omitempty"` // changes that the reading has when it is over
	Size   int      `json:"n,omitempty"`
	Made   int64    `json:"t"`
}

func (m mark) String() string {
	b, err := json.Marshal(m)
	if err != nil {
		panic("entratest: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func readMark(s string, kinds ...string) (m mark, good bool) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	return m, err == nil && json.Unmarshal(b, &m) == nil && slices.Contains(kinds, m.Kind) && m.At >= 0 && m.Until >= 0 && m.Size >= 0
}

// page is one of a list: its items, and either the mark of the next page or, for
// delta, of the next reading.
type page struct {
	items       []object
	again       object // told once more by a page that repeats
	next, delta *mark
}

// over reports whether a page ends a list before its time: past the middle, for
// Half. at of all is where the page ends.
func (f *Fault) over(at, all int) bool { return f.is(Early) || f.is(Half) && at >= all/2 }

// pageAnswer writes a page, with what goes wrong on pages.
func (t *Tenant) pageAnswer(q *request, p page) *answer {
	switch f := q.fault; {
	case f.is(Early):
		p.items = p.items[:len(p.items)/2]
	case f.is(Repeat):
		p.items = append(p.items, p.items...)
		if p.again != nil {
			p.items = append(p.items, p.again)
		}
	}
	if p.items == nil {
		p.items = []object{}
	}
	body := object{"value": p.items}
	host := q.base
	if q.fault.is(Foreign) {
		host = "http://" + ElsewhereHost
	}
	link := func(name string, m *mark) string {
		query := url.Values{}
		for k, v := range q.URL.Query() {
			if k == "$top" {
				query[k] = v // stays with the list; what delta was asked is in its mark
			}
		}
		if q.template != "/users/delta" && q.URL.Query().Get("$select") != "" {
			query.Set("$select", q.URL.Query().Get("$select"))
		}
		s := strings.ReplaceAll(query.Encode(), "%24", "$")
		if s != "" {
			s += "&"
		}
		return host + q.URL.Path + "?" + s + name + "=" + m.String()
	}
	if p.next != nil {
		body["@odata.nextLink"] = link("$skiptoken", p.next)
	} else if p.delta != nil {
		body["@odata.deltaLink"] = link("$deltatoken", p.delta)
	}
	return ok(q, body)
}

// delta serves users/delta (the pages "user: delta" and "Use delta query to
// track changes").
func (t *Tenant) delta(q *request) *answer {
	query := q.URL.Query()
	// No $top, $orderby, $expand; $filter is for single ids only, and not served.
	if a := q.options("$select", "$deltatoken", "$skiptoken"); a != nil {
		return a
	}
	if q.fault.is(Gone) {
		return t.gone(q)
	}
	now := t.o.Now()
	if query.Has("$skiptoken") || query.Get("$deltatoken") != "" && query.Get("$deltatoken") != "latest" {
		m, good := readMark(query.Get("$skiptoken")+query.Get("$deltatoken"), "full", "changes", "link")
		switch {
		case !good || query.Has("$skiptoken") == (m.Kind == "link") || m.Kind == "full" && m.At > m.Size:
			return refuse(http.StatusBadRequest, "Request_BadRequest", "Badly formed token.")
		case now.Sub(time.Unix(m.Made, 0)) > tokenLife, m.Until > len(t.log), m.Size > t.size(): // or of another tenant of this seed, before a restart
			return t.gone(q)
		}
		if m.Kind == "full" {
			return t.fullPage(q, m)
		}
		return t.changesPage(q, m)
	}
	names, refused := q.selected("manager")
	if refused != nil {
		return refused
	}
	m := mark{Kind: "full", Select: names, Until: len(t.log), Size: t.size(), Made: now.Unix()}
	if query.Get("$deltatoken") == "latest" {
		return t.pageAnswer(q, page{delta: t.link(m)})
	}
	return t.fullPage(q, m)
}

// link is the mark of the next reading after the one of m.
func (t *Tenant) link(m mark) *mark {
	return &mark{Kind: "link", Select: m.Select, Until: m.Until, Made: t.o.Now().Unix()}
}

// gone tells a reader to start anew: 410, with a Location whose token is empty
// (the page "Use delta query to track changes", synchronization reset).
func (t *Tenant) gone(q *request) *answer {
	a := refuse(http.StatusGone, "syncStateNotFound", "The sync state is not found or is over. Start anew.")
	where := q.base + q.URL.Path + "?$deltatoken="
	if m, good := readMark(q.URL.Query().Get("$skiptoken")+q.URL.Query().Get("$deltatoken"), "full", "changes", "link"); good {
		where += "&$select=" + url.QueryEscape(strings.Join(m.Select, ","))
	}
	a.header = map[string]string{"Location": where}
	return a
}

// fullPage is a page of all accounts. Deleted ones are told, too, as those of a
// real tenant are for a while (Microsoft Q&A 762926). What changes while the
// pages are read is told by the reading after it, again.
func (t *Tenant) fullPage(q *request, m mark) *answer {
	if q.fault.is(Empty) {
		return t.pageAnswer(q, page{next: &m})
	}
	var p page
	end := min(m.At+deltaPage, m.Size)
	for i := m.At; i < end; i++ {
		p.items = append(p.items, t.told(i, m.Select, nil, q.fault))
	}
	if m.At > 0 {
		p.again = t.told(m.At-1, m.Select, nil, q.fault)
	}
	if end == m.Size || q.fault.over(end, m.Size) {
		p.delta = t.link(m)
	} else {
		m.At = end
		p.next = &m
	}
	return t.pageAnswer(q, p)
}

// changesPage is a page of what has changed. An account that changed twice may
// come twice.
func (t *Tenant) changesPage(q *request, m mark) *answer {
	if m.Kind == "link" {
		m = mark{Kind: "changes", Select: m.Select, At: m.Until, Until: len(t.log), Made: t.o.Now().Unix()}
	}
	if q.fault.is(Empty) {
		return t.pageAnswer(q, page{next: &m})
	}
	var p page
	end := min(m.At+deltaPage, m.Until)
	if m.At > end {
		return refuse(http.StatusBadRequest, "Request_BadRequest", "Badly formed token.")
	}
	at := map[int]int{}
	var names [][]string
	var order []int
	for _, c := range t.log[m.At:end] {
		n, known := at[c.account]
		switch {
		case !known:
			at[c.account] = len(order)
			order, names = append(order, c.account), append(names, c.properties)
		case names[n] == nil || c.properties == nil:
			names[n] = nil
		default:
			names[n] = append(slices.Clone(names[n]), c.properties...)
		}
	}
	for n, i := range order {
		one := t.told(i, m.Select, names[n], q.fault)
		if len(one) > 1 || names[n] == nil { // else nothing of what changed was selected
			p.items = append(p.items, one)
		}
	}
	if end == m.Until || q.fault.over(end, m.Until) {
		p.delta = t.link(m)
	} else {
		m.At = end
		p.next = &m
	}
	return t.pageAnswer(q, p)
}

// told is account i in delta: the selected properties that have a value, or of
// the changed ones also those that are null now. t.mu is held.
func (t *Tenant) told(i int, selected, changed []string, f *Fault) object {
	s := t.current(i)
	if s.gone != "" {
		return object{"id": s.ID, "@removed": object{"reason": s.gone}}
	}
	u := object{"id": s.ID}
	for _, name := range selected {
		v := value(&s.Person, name)
		// What was never set is not told; what was set to nothing is, as null.
		if v == nil && changed == nil || changed != nil && !slices.Contains(changed, name) {
			continue
		}
		if name != "manager" {
			u[name] = v
			continue
		}
		// A relation comes as a list of what is there and what was removed (the
		// Graph delta guideline of microsoft/api-guidelines).
		switch m := s.Manager; m {
		case "":
			old := t.managerBefore(i)
			u["manager@delta"] = []object{{"@odata.type": "#microsoft.graph.user", "id": old, "@removed": object{"reason": "deleted"}}}
		default:
			u["manager@delta"] = []object{{"@odata.type": "#microsoft.graph.user", "id": m}}
		}
	}
	if f.is(Unknown) && len(u) > 1 {
		if _, there := u["userType"]; there {
			u["userType"] = "Visitor"
		}
		u["futureProperty@odata.type"], u["futureProperty"] = "#microsoft.graph.future", object{"x": 1}
	}
	return u
}

// managerBefore is the last manager that account i had.
func (t *Tenant) managerBefore(i int) string {
	for _, s := range slices.Backward(t.accounts[i].states) {
		if s.Manager != "" {
			return s.Manager
		}
	}
	return ""
}

// top reads $top.
func (q *request) top(usual int) (int, *answer) {
	s := q.URL.Query().Get("$top")
	if s == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > longestPage {
		return 0, refuse(http.StatusBadRequest, "Request_UnsupportedQuery", "Invalid page size specified: '%s'. Must be between 1 and 999 inclusive.", s)
	}
	return n, nil
}

// at reads $skiptoken of a list that is not a delta.
func (q *request) at() (int, *answer) {
	s := q.URL.Query().Get("$skiptoken")
	if s == "" {
		return 0, nil
	}
	m, good := readMark(s, "list")
	if !good {
		return 0, refuse(http.StatusBadRequest, "Request_BadRequest", "Badly formed token.")
	}
	return m.At, nil
}

// list gives a page of a list over all accounts. t.mu is held.
func (t *Tenant) list(q *request, top int, one func(i int) object) *answer {
	at, refused := q.at()
	if refused != nil {
		return refused
	}
	if q.fault.is(Empty) {
		return t.pageAnswer(q, page{next: &mark{Kind: "list", At: at}})
	}
	var p page
	i := at
	for ; i < t.size() && len(p.items) < top; i++ {
		if q.fault.is(Half) && i >= t.size()/2 {
			return t.pageAnswer(q, p)
		}
		if o := one(i); o != nil {
			p.items = append(p.items, o)
		}
	}
	if len(p.items) > 0 {
		p.again = p.items[0]
	}
	if i < t.size() && !q.fault.is(Early) {
		p.next = &mark{Kind: "list", At: i}
	}
	return t.pageAnswer(q, p)
}

// members serves groups/{id}/transitiveMembers, whole or of users only (the page
// "List group transitive members").
func (t *Tenant) members(q *request) *answer {
	if a := q.options("$select", "$top", "$skiptoken", "$count"); a != nil {
		return a
	}
	top, refused := q.top(memberPage)
	if refused != nil {
		return refused
	}
	names, refused := q.selected()
	if refused != nil {
		return refused
	}
	has, within, err := t.inside(q.path[1])
	if err != nil {
		return missing(q.path[1])
	}
	all := len(q.path) == 3
	full := q.may("/users/delta")
	if a := q.URL.Query().Get("$skiptoken"); all && a == "" && len(within) > 0 {
		// The groups come first, on a page of their own.
		var p page
		for _, id := range within {
			g := object{"@odata.type": "#microsoft.graph.group", "id": id}
			if q.URL.Query().Get("$select") == "" {
				g["displayName"] = t.groups[id].name
			}
			p.items = append(p.items, g)
		}
		p.next = &mark{Kind: "list"}
		return t.pageAnswer(q, p)
	}
	return t.list(q, top, func(i int) object {
		s := t.current(i)
		if s.gone != "" || !has(&s.Person) {
			return nil
		}
		u := user(&s.Person, names)
		if !full { // seen, but for the id not shown
			for k := range u {
				if k != "id" {
					u[k] = nil
				}
			}
		}
		if all {
			u["@odata.type"] = "#microsoft.graph.user"
		}
		return u
	})
}

// tooOften counts a request to the report, the refused ones as well ("failed
// calls count"), and says how long to wait.
func (t *Tenant) tooOften() (time.Duration, bool) {
	now := t.o.Now()
	t.asked = slices.DeleteFunc(t.asked, func(at time.Time) bool { return now.Sub(at) >= t.every })
	if t.limit <= 0 {
		return 0, false
	}
	if len(t.asked) < t.limit {
		t.asked = append(t.asked, now)
		return 0, false
	}
	return t.every - now.Sub(t.asked[0]), true
}

func (q *request) unknownMembers() bool {
	return slices.ContainsFunc(q.Header.Values("Prefer"), func(s string) bool {
		return strings.Contains(strings.ToLower(s), "include-unknown-enum-members")
	})
}

// report serves reports/authenticationMethods/userRegistrationDetails (the page
// "List userRegistrationDetails"). It takes $top and no $skip.
func (t *Tenant) report(q *request) *answer {
	if wait, too := t.tooOften(); too {
		return throttled(wait)
	}
	if a := q.options("$top", "$skiptoken"); a != nil {
		return a
	}
	top, refused := q.top(reportPage)
	if refused != nil {
		return refused
	}
	prefer := q.unknownMembers()
	return t.list(q, top, func(i int) object {
		if o, there := t.row(i, q.fault, prefer); there {
			return o
		}
		return nil
	})
}

func (t *Tenant) reportOf(q *request) *answer {
	if wait, too := t.tooOften(); too {
		return throttled(wait)
	}
	if i, found := t.find(q.path[3]); found {
		if o, there := t.row(i, q.fault, q.unknownMembers()); there {
			return ok(q, o)
		}
	}
	return missing(q.path[3])
}
