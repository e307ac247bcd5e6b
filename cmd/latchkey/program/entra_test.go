package program

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"latchkey/cmd/latchkey/config"
	"latchkey/store"
)

// The doctor asks the tenant, too, names a permission that is missing, and lets
// the command fail; nothing secret is said.
func TestDoctorAsksEntra(t *testing.T) {
	roles := `["User.Read.All"]`
	graph := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/token"):
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3599,"access_token":"canary.%s.canary"}`, base64.RawURLEncoding.EncodeToString([]byte(`{"roles":`+roles+`}`)))
		case r.URL.Path == "/v1.0/users/delta":
			fmt.Fprintf(w, `{"value":[],"@odata.deltaLink":"http://%s/v1.0/users/delta?x"}`, r.Host)
		default:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"error":{"code":"accessDenied","message":"canary"}}`)
		}
	}))
	defer graph.Close()
	db, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(t.TempDir(), "a.db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cfg := config.Default()
	p := &Program{DB: db, Config: cfg, Log: slog.New(slog.DiscardHandler)}
	if err := ConnectEntra(p); err != nil || p.Connections.Source != nil {
		t.Fatalf("without a tenant: %v, %v", p.Connections.Source, err)
	}
	cfg.Entra.Tenant, cfg.Entra.ClientID = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	cfg.Entra.ClientSecret, cfg.Entra.LoginURL, cfg.Entra.GraphURL = "canary~secret", graph.URL, graph.URL
	if err := ConnectEntra(p); err != nil {
		t.Fatal(err)
	}
	out, broken := examined(t, p, false)
	if broken == 0 {
		t.Error("nothing is broken")
	}
	for _, want := range []string{"entra\n", "good people: 0 accounts on the first page, by User.Read.All", "BROKEN report: ", "lacks the application permission AuditLog.Read.All (it has User.Read.All)", "a reset needs 2"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
	if strings.Contains(out, "canary") {
		t.Errorf("something secret is said:\n%s", out)
	}
	t.Log(out)
}
