package entratest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// BenchmarkDeltaPage is one page of a tenant of 300,000: what the tenant itself
// costs somebody who measures a reader of it.
func BenchmarkDeltaPage(b *testing.B) {
	t := NewTenant(Options{People: 300_000})
	h := t.Handler()
	claims := object{"aud": GraphRoot, "exp": time.Now().Add(time.Hour).Unix(), "roles": ReadRoles}
	bearer := "Bearer " + sign(claims)
	first := "/v1.0/users/delta?$select=displayName,givenName,surname,mail,userPrincipalName,accountEnabled,userType,preferredLanguage,department,officeLocation,jobTitle,manager"
	address, people := first, 0
	for b.Loop() {
		r := httptest.NewRequest(http.MethodGet, address, nil)
		r.Header.Set("Authorization", bearer)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		body, err := io.ReadAll(w.Body)
		if err != nil || w.Code != http.StatusOK {
			b.Fatal(w.Code, err)
		}
		var page struct {
			Value []json.RawMessage `json:"value"`
			Next  string            `json:"@odata.nextLink"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			b.Fatal(err)
		}
		people += len(page.Value)
		if address = page.Next; address == "" {
			address = first
		}
	}
	b.ReportMetric(float64(people)/b.Elapsed().Seconds(), "people/s")
}
