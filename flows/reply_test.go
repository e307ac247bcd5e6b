package flows_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"latchkey/bot"
	"latchkey/flows"
	"latchkey/flows/library"
)

// Canned replies come in the person's language with their meaning in the agent's;
// one of which something is not known is not offered. An organisation adds its own
// and changes the shipped ones, in one language or in all.
func TestReplies(t *testing.T) {
	own := fstest.MapFS{
		"lang/en.yaml": {Data: []byte("language: {code: en, name: English}\nreplies:\n  moment: {say: \"Hold on, {name}.\"}\n  luck: {title: Luck, say: \"Good luck at {org}.\"}\n")},
		"lang/es.yaml": {Data: []byte("language: {code: es, name: Español}\nreplies:\n  moment: {say: \"Espere, {name}.\"}\n  again: {say: Otra vez.}\n  luck: {title: Suerte, say: \"Suerte en {org}.\"}\n")},
	}
	set, err := flows.Load(library.FS, own, lintCatalogue())
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{"agent": "Maria", "name": "Ada"}
	list := func(mine, theirs string) map[string]bot.DeskReply {
		all := map[string]bot.DeskReply{}
		for _, r := range set.Replies(mine, theirs, func(_, name string) string { return known[name] }) {
			all[r.ID] = r
		}
		return all
	}
	got := list("en", "es-MX")
	for id, want := range map[string]bot.DeskReply{
		"greeting": {Title: "Greeting", Lang: "es", Text: "Hola, Ada, le atiende Maria. ¿En qué puedo ayudarle?", Meaning: "Hello Ada, this is Maria. How can I help you?"},
		"moment":   {Title: "One moment", Lang: "es", Text: "Espere, Ada.", Meaning: "Hold on, Ada."},
		"again":    {Title: "Try again now", Lang: "es", Text: "Otra vez.", Meaning: "Please try that again now, and tell me what you see."},
		"luck":     {Title: "Luck", Lang: "es", Text: "Suerte en " + set.Catalogue.Facts["org"] + ".", Meaning: "Good luck at " + set.Catalogue.Facts["org"] + "."},
	} {
		if want.ID = id; got[id] != want {
			t.Errorf("%s: %+v, want %+v", id, got[id], want)
		}
	}
	if _, there := got["where"]; there || got["hello"].ID == "" {
		t.Errorf("without a step, and the one that needs no name: %v", got)
	}
	if r := list("es", "es")["moment"]; r.Meaning != "" || r.Title != "Un momento" {
		t.Errorf("in the agent's own language: %+v", r)
	}
	delete(known, "name")
	if _, there := list("en", "en")["greeting"]; there {
		t.Error("a reply with a name is offered for somebody unknown")
	}
	ids := []string{}
	for _, r := range set.Replies("en", "en", func(string, string) string { return "x" }) {
		ids = append(ids, r.ID)
		if strings.ContainsAny(r.Text+r.Title, "{}") {
			t.Errorf("not filled: %+v", r)
		}
	}
	if !slices.Equal(ids, []string{"greeting", "hello", "moment", "where", "again", "bring_badge", "close", "luck"}) {
		t.Errorf("in another order: %v", ids)
	}
}
