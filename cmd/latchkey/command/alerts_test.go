package command

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/enroll"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/program"
	"latchkey/store"
)

// TestTripwireCommand: an operator sees that the tripwire is pulled, in its own
// command and in the doctor's, and ends it with a reason that the record keeps.
func TestTripwireCommand(t *testing.T) {
	t.Parallel()
	cfg := install(t, "")
	run := func(want int, args ...string) string {
		t.Helper()
		code, out, errs := command(t, nil, append(args, "--config", cfg)...)
		if code != want {
			t.Fatalf("%v: exit %d\n%s%s", args, code, out, errs)
		}
		return out + errs
	}
	if out := run(exitOK, "tripwire", "status"); !strings.Contains(out, "set: nothing happened") {
		t.Error(out)
	}
	if out := run(exitOK, "tripwire", "clear", "--why", "to try"); !strings.Contains(out, "was not pulled") {
		t.Error(out)
	}
	db, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(filepath.Dir(cfg), "latchkey.db")})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx bot.Tx) error {
		return errors.Join(tx.RaiseAlert(bot.AlertTripwire, "", "60 wrong proofs of 12 people in an hour"), tx.RaiseAlert(bot.AlertUntold, "e-1", "method.removed"),
			tx.PutTicket(&bot.Ticket{ID: "K7M-2QP", Conversation: "not_me|e-1", Flow: "freeze", Step: "method.removed", Error: enroll.RequestNotMe}))
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if out := run(exitOK, "tripwire", "status"); !strings.Contains(out, "PULLED") || !strings.Contains(out, "60 wrong proofs of 12 people") {
		t.Error(out)
	}
	if out := run(exitError, "doctor"); !strings.Contains(out, "BROKEN") || !strings.Contains(out, "tripwire clear --why") || !strings.Contains(out, "nobody could be told of a change (method.removed)") {
		t.Error(out)
	}
	if out := run(exitOK, "requests", "list"); !strings.Contains(out, "says that this was not them: method.removed; the account is frozen") {
		t.Error(out)
	}
	run(exitUsage, "tripwire", "clear")
	run(exitUsage, "tripwire", "clear", "--why", " \x1b[2J ")
	if out := run(exitOK, "tripwire", "clear", "--why", "training day"); !strings.Contains(out, "set again") {
		t.Error(out)
	}
	if out := run(exitOK, "audit", "list"); !strings.Contains(out, "tripwire.cleared") || !strings.Contains(out, "training day") || !strings.Contains(out, "operator") {
		t.Error(out)
	}
	if out := run(exitOK, "tripwire", "status"); !strings.Contains(out, "set: nothing happened") {
		t.Error(out)
	}
}

// TestNoMailServer: where no mail server is configured, a change that reached
// nobody is an alert: in the doctor's list and in health, which stays 200.
func TestNoMailServer(t *testing.T) {
	t.Parallel()
	path := install(t, "")
	if code, _, errs := command(t, nil, "people", "import", writeFile(t, staffList), "--config", path); code != exitOK {
		t.Fatal(errs)
	}
	cfg, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	prog, err := program.New(t.Context(), cfg, slog.New(slog.DiscardHandler), program.Integrations()...)
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	health := func() string {
		w := httptest.NewRecorder()
		prog.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		if w.Code != http.StatusOK {
			t.Errorf("health: %d", w.Code)
		}
		return w.Body.String()
	}
	if got := health(); got != "ok\n" {
		t.Errorf("health: %s", got)
	}
	if err := prog.StartJobs(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = prog.DB.Update(t.Context(), func(tx bot.Tx) error {
		var who bot.Person
		if err := prog.DB.People(t.Context(), store.PeopleFilter{Limit: 1}, func(p bot.Person) error { who = p; return nil }); err != nil {
			return err
		}
		return prog.Enroll.Tell(tx, &who, enroll.News{Change: "method.removed"})
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if strings.HasPrefix(health(), "degraded") {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("nobody was told, and health says nothing of it")
}
