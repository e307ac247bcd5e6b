package entratest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

const names = "/users/delta?$select=displayName,department,accountEnabled,userType,preferredLanguage,manager"

func TestDeltaTellsEverybodyAndThenWhatChanges(t *testing.T) {
	r := newRig(t, Options{Seed: 1}).token()
	items, delta, pages := r.all(names)
	if len(items) != 1500 || pages != 8 {
		t.Fatalf("%d in %d pages", len(items), pages)
	}
	var boss string
	for i, p := range slices.Collect(r.All()) {
		m := items[i]
		if m["id"] != p.ID || m["displayName"] != p.Name || m["accountEnabled"] != p.Enabled || m["mail"] != nil {
			t.Fatalf("%v is not %v", m, p)
		}
		if _, there := m["preferredLanguage"]; there != (p.Lang != "") {
			t.Errorf("%v: what was never set is not told", m)
		}
		managers, _ := m["manager@delta"].([]any)
		if (len(managers) == 1) != (p.Manager != "") || p.Manager != "" && managers[0].(map[string]any)["id"] != p.Manager {
			t.Errorf("%v: manager %s", m, p.Manager)
		}
		boss = p.Manager
	}
	if again, next, _ := r.all(delta); len(again) != 0 || next == "" {
		t.Errorf("nothing changed, and %v is told", again)
	}

	p := slices.Collect(r.All())[700:]
	for n, change := range []func(*Person){
		func(q *Person) { q.Name = "Another Name" },
		func(q *Person) { q.Department = "" },
		func(q *Person) { q.Manager = "" },
		func(q *Person) { q.Manager = boss },
		func(q *Person) { q.Title = "not selected" },
		func(q *Person) { q.Methods = append(q.Methods, "email") }, // in no user
	} {
		if err := r.Change(p[n].ID, change); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{r.Disable(p[6].ID), r.Remove(p[7].ID), r.Erase(p[8].ID), r.Remove(p[9].ID), r.Return(p[9].ID)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	added := r.Add(Person{GivenName: "New", Surname: "Hire", Enabled: true})
	items, next, _ := r.all(delta)
	want := []string{
		fmt.Sprintf("map[displayName:Another Name id:%s]", p[0].ID),
		fmt.Sprintf("map[department:<nil> id:%s]", p[1].ID),
		fmt.Sprintf("map[id:%s manager@delta:[map[@odata.type:#microsoft.graph.user @removed:map[reason:deleted] id:%s]]]", p[2].ID, p[2].Manager),
		fmt.Sprintf("map[id:%s manager@delta:[map[@odata.type:#microsoft.graph.user id:%s]]]", p[3].ID, boss),
		fmt.Sprintf("map[accountEnabled:false id:%s]", p[6].ID),
		fmt.Sprintf("map[@removed:map[reason:changed] id:%s]", p[7].ID),
		fmt.Sprintf("map[@removed:map[reason:deleted] id:%s]", p[8].ID),
	}
	if len(items) != 9 {
		t.Fatalf("%d changes: %v", len(items), items)
	}
	for i, w := range want {
		if got := fmt.Sprint(items[i]); got != w {
			t.Errorf("%s, not %s", got, w)
		}
	}
	if m := items[7]; m["id"] != p[9].ID || m["displayName"] != p[9].Name || m["accountEnabled"] != true {
		t.Errorf("who returns is told whole, not %v", m)
	}
	if m := items[8]; m["id"] != added.ID || m["displayName"] != "New Hire" {
		t.Errorf("who is new is told whole, not %v", m)
	}
	// A link may be asked again: the reader may have died.
	if again, _, _ := r.all(delta); len(again) != 9 {
		t.Errorf("asked again: %d", len(again))
	}
	if items, _, _ := r.all(next); len(items) != 0 {
		t.Errorf("told already: %v", items)
	}
	// A new reading tells the deleted, too.
	items, next, _ = r.all(names)
	gone := slices.DeleteFunc(items, func(m map[string]any) bool { return m["@removed"] == nil })
	if len(gone) != 2 {
		t.Errorf("%d are gone", len(gone))
	}
	if items, _, _ := r.all(next); len(items) != 0 {
		t.Errorf("what was before the reading is told again: %v", items)
	}
	if r.Return(p[8].ID) == nil || r.Disable(p[7].ID) == nil || r.Remove("nobody") == nil || r.AddMethod("nobody", "email") == nil {
		t.Error("what cannot be done is done")
	}
}

// TestChangesDuringAReadingComeAfterIt: also many of them, and more than once.
func TestChangesDuringAReadingComeAfterIt(t *testing.T) {
	r := newRig(t, Options{People: 900}).token()
	first := r.get(names)
	all := slices.Collect(r.All())
	for round := range 2 {
		for _, p := range all {
			if err := r.Change(p.ID, func(p *Person) { p.Department = fmt.Sprint("D", round) }); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, delta, _ := r.all(first["@odata.nextLink"].(string))
	items, next, pages := r.all(delta)
	if len(items) != 1800 || pages != 9 {
		t.Errorf("%d changes in %d pages", len(items), pages)
	}
	if items, _, _ := r.all(next); len(items) != 0 {
		t.Errorf("%d again", len(items))
	}
}

func TestDeltaRefusesWhatMicrosoftRefuses(t *testing.T) {
	r := newRig(t, Options{People: 300}).token()
	for _, option := range []string{"$top=5", "$orderby=displayName", "$expand=manager", "$filter=accountEnabled eq true", "$skip=3", "$count=true", "$search=x"} {
		r.refused("/users/delta?"+strings.ReplaceAll(option, " ", "%20"), 400)
	}
	r.refused("/users/delta?$select=id,nickname", 400)
	r.refused("/users/delta?$skiptoken=abc", 400)
	r.refused("/users/delta?$deltatoken=abc", 400)
	if m := r.get("/users/microsoft.graph.delta()")["value"].([]any)[0].(map[string]any); m["department"] != nil || m["displayName"] == nil {
		t.Errorf("without $select: %v", m)
	}
	_, delta, _ := r.all("/users/delta?$select=id")
	if r.Add(Person{}); len(r.get(delta)["value"].([]any)) != 1 {
		t.Error("who is new is not told when ids alone are asked for")
	}
	_, delta, _ = r.all("/users/delta?$select=id,displayName")
	if m := r.get("/users/delta?$deltatoken=latest&$select=displayName"); len(m["value"].([]any)) != 0 || m["@odata.deltaLink"] == nil {
		t.Errorf("latest: %v", m)
	}
	skip := r.get("/users/delta?$select=displayName")["@odata.nextLink"].(string)
	r.clock.turn(7*24*time.Hour + time.Second)
	r.token()
	for _, link := range []string{delta, skip} {
		resp, err := r.ask(link)
		if err != nil {
			t.Fatal(err)
		}
		if status, _ := read(t, resp); status != 410 {
			t.Errorf("after seven days: %d", status)
		}
		u, err := url.Parse(resp.Header.Get("Location"))
		if err != nil || !u.Query().Has("$deltatoken") || u.Query().Get("$deltatoken") != "" || !strings.Contains(u.Query().Get("$select"), "displayName") {
			t.Errorf("Location %v", u)
		}
		if items, _, _ := r.all(u.String()); len(items) != 301 || items[0]["displayName"] == nil || items[0]["mail"] != nil {
			t.Errorf("%d of the new reading: %v", len(items), items[0])
		}
	}
}
