package rigs

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
)

// do sends a request that must succeed, gives the body, and decodes it into a
// value unless that is nil.
func do(t testing.TB, q *http.Request, into any) string {
	t.Helper()
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %v %s", q.Method, q.URL, r.StatusCode, err, b)
	}
	if into != nil {
		if err := json.Unmarshal(b, into); err != nil {
			t.Fatalf("%s: %v in %s", q.URL, err, b)
		}
	}
	return string(b)
}
