package program

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/store"
)

// A clock that was set is told by the health check and by the doctor, and
// nothing is told of one that was not.
func TestHealthAndDoctorTellOfAStep(t *testing.T) {
	wall, mono := time.Date(2026, 5, 3, 10, 0, 0, 0, time.UTC), time.Hour
	db, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(t.TempDir(), "a.db"), Logger: slog.New(slog.DiscardHandler),
		Clock: func() time.Time { return wall }, Monotonic: func() time.Duration { return mono }})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.SetMeta(t.Context(), KeyCheck, []byte("x")); err != nil {
		t.Fatal(err)
	}
	p := &Program{DB: db, Log: slog.New(slog.DiscardHandler)}
	tell := func() (health, doctor string) {
		t.Helper()
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
		if w.Code != http.StatusOK {
			t.Errorf("health %d", w.Code)
		}
		doctor, _ = examined(t, p, true)
		return w.Body.String(), doctor
	}
	if health, doctor := tell(); health != "ok\n" || !strings.Contains(doctor, "good clock: no step seen") {
		t.Errorf("before: %q, %s", health, doctor)
	}
	for _, c := range []struct {
		by   time.Duration
		want string
	}{
		{time.Hour, "the clock stepped forward by 1h0m0s at 2026-05-03T11:00:00Z; it is followed when it has lasted 2m0s"},
		{-time.Hour, "the clock stepped back by 1h0m0s at 2026-05-03T10:00:00Z"},
		{-90 * time.Second, "the clock stepped back by 1m30s at 2026-05-03T09:58:30Z; the time of what is stored is 1m30s ahead, and they agree again in 6m0s"},
	} {
		wall = wall.Add(c.by)
		health, doctor := tell()
		if health != "ok\nclock: "+c.want+"\n" {
			t.Errorf("health after %s: %q", c.by, health)
		}
		if !strings.Contains(doctor, "look clock: "+c.want+"\n") || !strings.Contains(doctor, "synchronised (NTP)") {
			t.Errorf("doctor after %s: %s", c.by, doctor)
		}
	}
	wall, mono = wall.Add(25*time.Hour), mono+25*time.Hour
	if health, _ := tell(); health != "ok\n" {
		t.Errorf("a day later: %q", health)
	}
}
