// Package entratest is a pretend Microsoft 365 tenant: one http.Handler that
// serves the sign-in service (tokens for programs, OpenID Connect for people)
// and Microsoft Graph v1.0 as far as Latchkey reads it. Tests use it, and
// `latchkey demo --with entra` shows it; so it is ordinary code, without the
// package testing, on a clock that is given. Its people come from a seed: the
// same seed makes the same tenant.
//
//	tenant := entratest.NewTenant(entratest.Options{People: 1500, Seed: 1, Now: clock.Now})
//	server, err := tenant.Listen("127.0.0.1:0")
//	defer server.Close()
//	// entra.tenant:        entratest.TenantID
//	// entra.client_id:     entratest.ClientID
//	// entra.client_secret: entratest.Secret
//	// entra.login_url, entra.graph_url: server.URL
//
//	who := tenant.Find(func(p entratest.Person) bool { return p.Lang == "es-US" })
//	tenant.AddMethod(who.ID, "passKeySynced")              // the report shows it up to 36 hours later
//	tenant.Fail(entratest.Fault{Kind: entratest.Throttle, Path: "/users/delta", Times: 2})
//	tenant.Calls()                                         // what was asked, and what it needed
//
// It is made from documentation, not from what Latchkey's client does, so that
// each can find the other's mistakes: a change that the client wants is made here
// only when a document says so. Behind a rule stands where it comes from: the
// page of Microsoft's, or a thread where somebody met it. What no document states is in Unverified; the doctor is
// what tells of it in a real tenant.
//
// It is held against the published metadata and permissions of Microsoft Graph
// (../testdata/graph-auth-surface.json: the types of 2026-08-20, the permissions of
// 2026-08-07, both MIT) and against the package @microsoft/microsoft-graph-types.
//
// It promises nothing about security. Its sign-in page asks nobody for a
// password: never let it be reached from outside this machine.
package entratest

// Unverified lists what this tenant does without a document behind it. A test
// that rests on one of these proves nothing about Microsoft.
var Unverified = []string{
	"users/delta: 200 accounts a page; Prefer: odata.maxpagesize is not heeded",
	"users/delta: the code in the body of a 410 (syncStateNotFound)",
	"users/delta: later readings hold changed properties only, also without Prefer: return=minimal",
	"report: 1000 rows a page when $top is not given, 999 at most",
	"report: rows are of different ages, between one hour and the longest lag",
	"report: isMfaCapable looks at whether a method is on, and not for which groups; guests have isSsprEnabled false",
	"report: nothing changes in isSsprCapable and isMfaCapable on 1 February 2027",
	"report: a single permission's lack and a missing licence differ by the error's code only",
	"transitiveMembers: properties other than id are null without User.Read.All",
	"authentication/methods: an app token without any role gets 401 and not 403",
	"tokens: an assertion may last ten minutes at most; the tenant common is refused for programs",
	"sign-in: the texts behind the AADSTS numbers; which of them a page shows and which go back to the application",
	"sign-in: the parameter iss in the answer (off unless switched on)",
	"sign-in: max_age counts from the password, exactly, and exp is auth_time + max_age",
}
