// Package entra reads Microsoft Entra with Microsoft Graph: who people are, and
// what they have registered to sign in and to reset a password with.
//
// It is in charge of the way there and back: the sign-in of an app (token.go,
// credential.go), one question and what its answer means (client.go, refusal.go),
// and the translation of Graph's objects into the words of package bot
// (people.go, report.go, methods.go, policy.go). Examine tells an operator which
// permissions are there, missing or too many, and what the tenant's policy lets
// people do (examine.go, words.go). What the client takes for true although no
// document promises it stands in one table (assume.go).
//
// It must not decide who will still get in, keep anything that it would miss
// after a restart, or write: it sends GET only, and v1.0 only. It asks the two
// hosts that are configured and no other, whatever an answer names, and follows
// no redirect. No token, telephone number, address, name or body of an answer
// reaches a log or an error.
//
// # No SDK
//
// Microsoft's SDK (msgraph-sdk-go 1.89.0 with azidentity 1.15.0, measured once)
// makes a program of 36.2 MB that asks the same five questions; one with
// net/http, x/oauth2 and go-jose, which Latchkey has anyway, has 9.5 MB, and with
// this package 10.8 MB. Its first compile took more than a quarter of an hour
// on two cores that had other work, too.
//
// # Sources
//
//	token          learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
//	assertion      learn.microsoft.com/entra/identity-platform/certificate-credentials
//	clouds         learn.microsoft.com/graph/deployments
//	people         learn.microsoft.com/graph/api/user-delta, /graph/delta-query-overview
//	groups         learn.microsoft.com/graph/api/group-list-transitivemembers, /graph/aad-advanced-queries
//	report         learn.microsoft.com/graph/api/authenticationmethodsroot-list-userregistrationdetails
//	policy         learn.microsoft.com/graph/api/authenticationmethodspolicy-get
//	own page       learn.microsoft.com/graph/api/authentication-list-methods
//	throttling     learn.microsoft.com/graph/throttling, /graph/throttling-limits
//	permissions    microsoftgraph/microsoft-graph-devx-content (testdata/graph-auth-surface.json)
package entra
