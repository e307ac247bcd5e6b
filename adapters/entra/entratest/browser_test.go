package entratest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest/browsertest"
)

// TestPeopleSignInWithABrowser goes through the page as a person does, with the
// keyboard's field and with the list.
func TestPeopleSignInWithABrowser(t *testing.T) {
	chromium := browsertest.Start(t)
	r := newRig(t, Options{})
	var got []string
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path == "/callback" {
			got = append(got, q.URL.Query().Get("code")+q.URL.Query().Get("error"))
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><html lang=en><title>App</title><main><h1>Back</h1></main></html>")
	}))
	t.Cleanup(app.Close)
	b := newBrowser(r)
	b.config.RedirectURL = app.URL + "/callback"
	p := r.Find(func(p Person) bool { return p.Kind == Staff && p.Enabled && len(p.Methods) == 3 })
	flip := r.Find(func(p Person) bool { return p.Kind == Staff && p.Enabled && len(p.Methods) == 0 })
	for _, look := range []browsertest.Look{browsertest.Desktop, browsertest.Narrow.InDark()} {
		page := chromium.Open(t, look, b.address("max_age", "300"), strings.TrimPrefix(app.URL, "http://"))
		page.Sees("Pretend Microsoft sign-in", "This is not Microsoft.")
		page.Axe("the page")
		page.Fits("the page")
		field := "Who signs in? Name at sign-in (user name with " + Domain + ")"
		page.Fill(field, flip.UPN)
		page.Leaves(func() { page.Press("Sign in with a second factor") })
		page.Sees("AADSTS50079")
		page.Axe("a refusal")
		page.Shot("entra-sign-in-" + fmt.Sprint(look.Width))
		page.Fill(field, p.UPN)
		page.Leaves(func() { page.Press("Sign in with a second factor") })
		page.Sees("Back")
	}
	if len(got) != 2 || len(got[0]) != 26 || got[0] == got[1] {
		t.Fatalf("sent back with %q", got)
	}
}
