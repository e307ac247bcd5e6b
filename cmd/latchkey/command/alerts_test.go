package command

import (
	"context"
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
		return errors.Join(tx.RaiseAlert(bot.AlertTripwire, "", "60 wrong proofs of 12 people within 1 h"), tx.RaiseAlert(bot.AlertUntold, "e-1", "method.removed"),
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

// letters keeps what is mailed.
type letters []bot.NoticeMessage

func (l *letters) SendNotice(_ context.Context, m bot.NoticeMessage) error {
	*l = append(*l, m)
	return nil
}

// TestAlertMailInOneLanguage: a mail to operators is in the organisation's
// language, what happened included.
func TestAlertMailInOneLanguage(t *testing.T) {
	t.Parallel()
	path := install(t, "")
	if code, _, errs := command(t, nil, "people", "import", writeFile(t, staffList), "--config", path); code != exitOK {
		t.Fatal(errs)
	}
	cfg, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Org.Language, cfg.Alerts = "es", []string{"ops@example.org"}
	mail := &letters{}
	prog, err := program.New(t.Context(), cfg, slog.New(slog.DiscardHandler), program.Integration{Name: "mail", Connect: func(p *program.Program) error {
		p.Connections.Notifier = mail
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer prog.Close()
	err = prog.DB.Update(t.Context(), func(tx bot.Tx) error {
		return errors.Join(
			prog.Enroll.Alert(tx, bot.AlertUntold, "e1", "method.removed"),
			prog.Enroll.Alert(tx, bot.AlertTripwire, "", "60 wrong proofs of 12 people within 1 h"),
			prog.Enroll.Alert(tx, bot.AlertAsked, "e2", "K7M-2QP"))
	})
	if err == nil {
		err = prog.Enroll.HandleAlerts(t.Context(), enroll.Alerts{})
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(*mail) != 1 || (*mail)[0].Lang != "es" {
		t.Fatalf("mailed %+v", *mail)
	}
	for _, want := range []string{
		`: no se pudo avisar a ann (e1): "un método de su cuenta fue quitado." (1 hasta ahora). Pregunte`,
		": saltó la alarma de intentos: 60 pruebas fallidas de 12 personas en 1 h. Los cambios",
		" un código o una contraseña (solicitud K7M-2QP, 1 hasta ahora). No se envió.",
	} {
		if body := (*mail)[0].Body; !strings.Contains(body, want) {
			t.Errorf("the mail lacks %q:\n%s", want, body)
		}
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
