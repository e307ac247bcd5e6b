package entratest

import (
	"fmt"
	"slices"
	"strings"
)

// A group has members of its own, and groups within it.
type group struct {
	name   string
	has    func(p *Person) bool // nil: nobody by a rule
	people []string             // object ids
	within []string             // groups
}

// groupID is the object id of one of the tenant's own groups.
func (t *Tenant) groupID(n int) string { return t.people.id(1<<28 + n) }

// StaffGroup is the group of all staff: it has no members of its own, but the
// groups of the schools within it, one of them two levels down, and itself.
func (t *Tenant) StaffGroup() string { return t.groupID(0) }

// SchoolGroup is the group of the people of Schools[n].
func (t *Tenant) SchoolGroup(n int) string { return t.groupID(1 + n) }

// SetGroup makes a group of accounts and of groups, by object id; it replaces
// the one of that id.
func (t *Tenant) SetGroup(id string, people, groups []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := group{name: "Group " + id[:min(8, len(id))], people: lower(people), within: lower(groups)}
	t.groups[strings.ToLower(id)] = g
}

func (t *Tenant) makeGroups() {
	staff := group{name: "All staff"}
	for n, school := range Schools {
		t.groups[t.SchoolGroup(n)] = group{name: school, has: func(p *Person) bool { return p.Kind == Staff && p.School == school }}
		if n > 0 {
			staff.within = append(staff.within, t.SchoolGroup(n))
		}
	}
	between := t.groupID(1 + len(Schools))
	// The circle is what a directory may hold, and a reader must not walk.
	t.groups[between] = group{name: "Elementary schools", within: []string{t.SchoolGroup(0), t.StaffGroup()}}
	staff.within = append(staff.within, between)
	t.groups[t.StaffGroup()] = staff
}

// inside gives a test for who is in a group or in one within it, and these
// groups. t.mu is held.
func (t *Tenant) inside(id string) (has func(p *Person) bool, groups []string, err error) {
	if _, ok := t.groups[id]; !ok {
		return nil, nil, fmt.Errorf("no group %s", id)
	}
	seen, named := map[string]bool{}, map[string]bool{}
	var rules []func(*Person) bool
	for todo := []string{id}; len(todo) > 0; {
		g := t.groups[todo[0]]
		for _, w := range g.within {
			if !seen[w] && w != id {
				seen[w] = true
				groups, todo = append(groups, w), append(todo, w)
			}
		}
		for _, p := range g.people {
			named[p] = true
		}
		if g.has != nil {
			rules = append(rules, g.has)
		}
		todo = todo[1:]
	}
	return func(p *Person) bool {
		return named[p.ID] || slices.ContainsFunc(rules, func(has func(*Person) bool) bool { return has(p) })
	}, groups, nil
}
