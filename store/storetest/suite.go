package storetest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"

	"latchkey/bot"
	"latchkey/store"
)

// Run holds the whole contract against stores that open makes: a fresh, empty
// one at each call, closed by its own t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) bot.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, bot.Store)
	}{
		{"turn", testTurn},
		{"repeat", testRepeat},
		{"repeat at once", testRepeatAtOnce},
		{"order", testOrder},
		{"failing turn is undone alone", testFailingTurn},
		{"failing statement is undone alone", testFailingStatement},
		{"panic", testPanic},
		{"goexit", testGoexit},
		{"context", testContext},
		{"save", testSave},
		{"identity", testIdentity},
		{"view", testView},
		{"outbox", testOutbox},
		{"fleeting", testFleeting},
		{"kept", testKept},
		{"kept and taken back", testKeptFleeting},
		{"owned", testOwned},
		{"fence", testFence},
		{"free", testFree},
		{"lanes", testLanes},
		{"changes", testChanges},
		{"given up", testGivenUp},
		{"openings", testOpenings},
		{"heads", testHeads},
		{"inbound", testInbound},
		{"people", testPeople},
		{"methods", testMethods},
		{"secrets", testSecrets},
		{"challenges", testChallenges},
		{"passes", testPasses},
		{"tallies", testTallies},
		{"audit", testAudit},
		{"audit undone", testAuditUndone},
		{"tickets", testTickets},
		{"telling", testTelling},
		{"callers", testCallerChecks},
		{"a caller gets another id", testRenamedCaller},
		{"campaigns", testCampaigns},
		{"a campaign that is deleted", testDeleteCampaign},
		{"campaign pages", testCampaignView},
		{"audiences", testAudiences},
		{"parts", testParts},
		{"operator", testOperator},
		{"erased stay away", testErasedStayAway},
		{"directory", testDirectory},
		{"erased stay out of the directory's copy", testErasedStayOut},
		{"registrations", testRegistrations},
		{"sync once", func(t *testing.T, s bot.Store) { testSyncOnce(t, s) }},
		{"enqueue", testEnqueue},
		{"own writes are read", testOwnWrites},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
	t.Run("at once", func(t *testing.T) {
		s := open(t)
		testAtOnce(t, s, s)
	})
}

// RunTwo holds what several processes on one database must keep against two
// stores of one database.
func RunTwo(t *testing.T, open func(t *testing.T) (a, b bot.Store)) {
	t.Run("at once", func(t *testing.T) {
		a, b := open(t)
		testAtOnce(t, a, b)
	})
	t.Run("repeat", func(t *testing.T) {
		a, b := open(t)
		testRepeatTwo(t, a, b)
	})
	t.Run("sessions", func(t *testing.T) {
		a, b := open(t)
		testSessionsTwo(t, a, b)
	})
	t.Run("owners", func(t *testing.T) {
		a, b := open(t)
		testOwnersTwo(t, a, b)
	})
	t.Run("inbound", func(t *testing.T) {
		a, b := open(t)
		testInboundTwo(t, a, b)
	})
	t.Run("limits", func(t *testing.T) {
		a, b := open(t)
		testLimitsTwo(t, a, b)
	})
	t.Run("audit", func(t *testing.T) {
		a, b := open(t)
		testAuditTwo(t, a, b)
	})
	t.Run("sync once", func(t *testing.T) {
		a, b := open(t)
		testSyncOnce(t, a, b)
	})
}

// An importer is a store that takes people in.
type importer interface {
	ImportPeople(context.Context, iter.Seq2[bot.Person, int], store.ImportOptions) (store.ImportReport, error)
}

var importAll = store.ImportOptions{}

// Seed puts people into a store by its import.
func Seed(t testing.TB, s bot.Store, people ...bot.Person) {
	t.Helper()
	im, ok := s.(importer)
	if !ok {
		t.Skip("this store has no import")
	}
	rep, err := im.ImportPeople(t.Context(), Rows(people...), importAll)
	if err != nil || !rep.Stored {
		t.Fatalf("import: %+v, %v", rep, err)
	}
}

// Rows numbers people from 2, as the lines of a file with a head do.
func Rows(people ...bot.Person) iter.Seq2[bot.Person, int] {
	return func(yield func(bot.Person, int) bool) {
		for i, p := range people {
			if !yield(p, i+2) {
				return
			}
		}
	}
}

// job is a bot.Job.
type job struct {
	ID string `json:"id"`
}

// Kind implements bot.Job.
func (job) Kind() string { return "storetest" }

var errTest = errors.New("on purpose")

func event(id, conversation string) *bot.Event {
	return &bot.Event{ID: id, Channel: "test", Conversation: bot.ConversationID(conversation), From: "user-" + conversation, Address: []byte("to " + conversation)}
}

// turn runs one turn that must succeed.
func turn(t testing.TB, s bot.Store, ev *bot.Event, fn func(bot.Tx, *bot.Conversation) error) {
	t.Helper()
	if err := s.Turn(context.Background(), ev, fn); err != nil {
		t.Fatalf("turn %s: %v", ev.ID, err)
	}
}

// update runs one Update that must succeed.
func update(t testing.TB, s bot.Store, fn func(bot.Tx) error) {
	t.Helper()
	if err := s.Update(context.Background(), fn); err != nil {
		t.Fatalf("update: %v", err)
	}
}

// view runs one View that must succeed.
func view(t testing.TB, s bot.Store, fn func(bot.Tx) error) {
	t.Helper()
	if err := s.View(context.Background(), fn); err != nil {
		t.Fatalf("view: %v", err)
	}
}

// each runs fn n times at once and reports the first error.
func each(t testing.TB, n int, fn func(i int) error) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		wg.Go(func() {
			if err := fn(i); err != nil {
				errs <- fmt.Errorf("%d: %w", i, err)
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		t.Fatal(err)
	default:
	}
}

func is[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func fails(t testing.TB, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}
