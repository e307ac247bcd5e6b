package program

import (
	"bytes"
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
	h := &Program{DB: db, Config: cfg, Log: slog.New(slog.DiscardHandler)}
	if err := ConnectEntra(h); err != nil || h.Connections.Source != nil {
		t.Fatalf("without a tenant: %v, %v", h.Connections.Source, err)
	}
	cfg.Entra.Tenant, cfg.Entra.ClientID = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
	cfg.Entra.ClientSecret, cfg.Entra.LoginURL, cfg.Entra.GraphURL = "canary~secret", graph.URL, graph.URL
	if err := ConnectEntra(h); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = Examine(t.Context(), &out, h, false)
	if err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("the doctor's verdict is %v", err)
	}
	for _, want := range []string{"entra\n", "good     people: 0 accounts on the first page, by User.Read.All", "BROKEN   report: ", "lacks the application permission AuditLog.Read.All (it has User.Read.All)", "a reset needs 2"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "canary") {
		t.Errorf("something secret is said:\n%s", out.String())
	}
	t.Log(out.String())
}
