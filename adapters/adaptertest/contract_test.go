package adaptertest

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestToy holds an adapter that keeps the contract to it, all of it.
func TestToy(t *testing.T) {
	t.Parallel()
	Run(t, toyHarness(""))
}

// bites says which clause notices which broken promise.
var bites = []struct{ wrong, clause string }{
	{"loses the end of a text", "in: typed text"},
	{"says a text twice", "in: typed text"},
	{"logs what people say", "in: typed text"},
	{"puts secrets into the address", "in: typed text"},
	{"never says that somebody came", "in: a conversation that is opened"},
	{"forgets the prompt", "in: a pressed button"},
	{"trims private values", "in: a private form"},
	{"puts private values into the text", "in: a private form"},
	{"counts its events from 1", "in: every event has an id"},
	{"has a new conversation for each run", "in: a person has one conversation"},
	{"has one conversation for all", "in: two people"},
	{"takes the name for the person", "in: a name is not"},
	{"drops the locale", "in: the person's language"},
	{"takes two out of order", "in: what one person does"},
	{"takes one event after the other", "in: one slow turn"},
	{"acknowledges whatever happens", "in: an event is acknowledged"},
	{"acknowledges first", "in: an event is acknowledged"},
	{"acknowledges only whom it knows", "in: who has to be looked up"},
	{"gives up whom it does not know", "in: who has to be looked up"},
	{"makes a new id for each delivery", "in: an event that is delivered again"},
	{"drops what is older than the last", "in: events out of order"},
	{"gives every press the newest prompt", "in: a late event"},
	{"gives up when the house is closed", "in: a closed house"},
	{"acknowledges whatever happens", "in: a closed house"},
	{"passes on whatever is long", "in: long text"},
	{"cuts long text so that it looks complete", "in: long text"},
	{"does not look at what it takes in", "in: malformed"},
	{"logs what it cannot read", "in: malformed"},
	{"dies of malformed input", "in: malformed"},
	{"believes everybody", "in: nobody can act"},
	{"does not end", "in: the end of the context ends Run"},
	{"fails when it ends", "in: the end of the context ends Run"},
	{"acknowledges first", "in: the end of the context loses nothing"},

	{"loses rare letters", "out: a text is shown once"},
	{"does not escape", "out: a text is shown literally"},
	{"lets control characters through", "out: nothing in a text"},
	{"runs lines together", "out: paragraphs"},
	{"sends two out of order", "out: messages are shown in the order"},
	{"does not show progress", "out: progress"},
	{"says no language", "out: a message says which language"},
	{"loses the last button", "out: every choice"},
	{"marks no choice", "out: the recommended"},
	{"marks every choice", "out: the recommended"},
	{"makes a button of a link", "out: a choice with a link"},
	{"gives every press the newest prompt", "out: used and old buttons"},
	{"says that it can show more than it can", "out: whatever outbox.Degrade"},
	{"cuts what is too long", "out: what is beyond"},
	{"does not tell pictures in words", "out: a picture is told"},
	{"does not show pictures", "out: a picture is shown"},
	{"names the file after the key", "out: a key is shown as"},
	{"puts the key into the alternative text", "out: a key is shown as"},
	{"shows no key to type", "out: a key is shown as"},
	{"shows no link for the same phone", "out: a key is shown as"},
	{"counts on a key being there", "out: a key is shown without"},
	{"holds a message up whose picture is refused", "out: a picture that is refused"},
	{"shows what was typed into a form", "out: a private form"},
	{"does not mask", "out: a private form"},
	{"wants a page for a form that it can show", "out: a private form"},
	{"shows no buttons beside a form", "out: the choices beside"},
	{"shows at once what is shown once", "out: a form shows once"},
	{"hides the page", "out: the address of a one-time page"},
	{"deletes nothing", "out: a message that is taken back"},
	{"deletes the last message for an unknown receipt", "out: a receipt"},
	{"does not pass the pause on", "out: throttled"},
	{"takes a refusal for a hiccup", "out: refused"},
	{"repeats the message in its error", "out: refused"},
	{"writes to people who have left", "out: who has left"},
	{"gives up at the first hiccup", "out: what failed before"},
	{"is certain when it is not", "out: what may have been sent"},
	{"has a new key for each attempt", "out: a repeat"},
	{"finds whatever says the same", "out: what may have been sent is found"},
	{"finds what it remembers", "out: what may have been sent is found"},
	{"says what it looks for", "out: what may have been sent is found"},
	{"writes to whoever came first", "out: sending is safe"},
	{"sends one message after the other", "out: one slow conversation"},
	{"returns any error", "out: a send that is called off"},
	{"remembers addresses itself", "out: people are found again"},
	{"cannot give a typing sign", "out: a typing sign"},

	{"opens a conversation with nobody", "reach: who cannot"},
	{"does not say why", "reach: who cannot"},
	{"names whom it cannot reach", "reach: who cannot"},
	{"opens another conversation each time", "reach: somebody who never wrote"},
	{"greets by itself", "reach: somebody who never wrote"},
	{"changes nothing", "reach: a message can be changed"},
	{"leaves the buttons", "reach: a message can be changed"},
	{"shows a secret in the place of a message", "reach: a message can be changed"},
	{"changes the last message for an unknown receipt", "reach: an edit touches"},
	{"answers beside the message", "reach: a room can be written to"},
	{"takes any name for a room", "reach: a room can be written to"},
	{"does not escape in rooms", "reach: what is said in a room is text"},
	{"says everything in rooms", "reach: nothing private"},
	{"takes nothing back in rooms", "reach: what was said in a room"},
	{"changes nothing", "reach: what was said in a room"},
	{"does not say why", "reach: a room that cannot"},
}

// TestContractBites shows that every clause can fail, and for the right reason.
func TestContractBites(t *testing.T) {
	t.Parallel()
	bitten := map[string]bool{}
	for _, c := range bites {
		i := slices.IndexFunc(contract, func(k clause) bool { return strings.HasPrefix(k.says, c.clause) })
		if i < 0 {
			t.Fatalf("no clause begins with %q", c.clause)
		}
		bitten[contract[i].says] = true
		t.Run(c.wrong, func(t *testing.T) {
			t.Parallel()
			h := toyHarness(c.wrong)
			h.Mangled = 500
			v := judge(t, h, contract[i], 250*time.Millisecond)
			if v.skipped {
				t.Skip(v.notes)
			}
			if v.passed() {
				t.Errorf("an adapter that %s passes: %s", c.wrong, contract[i].says)
			}
			t.Logf("%s\n%s", contract[i].says, strings.Join(v.notes, "\n"))
		})
	}
	for _, c := range contract {
		if !bitten[c.says] {
			t.Errorf("nothing shows that this can fail: %s", c.says)
		}
	}
}

// TestLacksAreTried shows that a declared lack must be one.
func TestLacksAreTried(t *testing.T) {
	t.Parallel()
	for _, c := range contract {
		if len(c.needs) > 0 && c.needs[0] == Once {
			if v := judge(t, toyHarness(""), c, impatience); !v.passed() {
				t.Errorf("the toy shows a repeat once, and would pass for one that does not: %q", v.notes)
			}
			return
		}
	}
	t.Fatal("no clause needs Once")
}
