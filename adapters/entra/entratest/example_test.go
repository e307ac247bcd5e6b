package entratest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"latchkey/adapters/entra/entratest"
)

// A tenant that listens, and somebody who asks it for a token.
func ExampleTenant() {
	now := func() time.Time { return time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC) }
	tenant := entratest.NewTenant(entratest.Options{People: 1500, Seed: 1, Now: now})
	server, err := tenant.Listen("127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	address := server.URL + "/" + entratest.TenantID + "/oauth2/v2.0/token"
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {entratest.ClientID}, "client_secret": {entratest.Secret}, "scope": {entratest.GraphRoot + "/.default"}}
	tenant.Fail(entratest.Fault{Kind: entratest.Broken, Path: "/token", Times: 1})
	for range 2 {
		answer, err := http.PostForm(address, form)
		if err != nil {
			fmt.Println(err)
			return
		}
		answer.Body.Close()
		fmt.Println(answer.Status)
	}
	fmt.Println(len(tenant.Calls()), tenant.Calls()[0].Fields)
	// Output:
	// 503 Service Unavailable
	// 200 OK
	// 2 [client_id client_secret grant_type scope]
}
