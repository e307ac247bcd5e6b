// Package oidc signs people in at the organisation's OpenID provider.
//
// It is in charge of the protocol alone: where to send the browser (code flow
// with PKCE, OpenID Connect Core 3.1, RFC 7636), the exchange of the code, and
// every check of the answer. What comes out is who the provider says somebody
// is, and when that person signed in there. It must not know a person of the
// directory, a conversation or a cookie, and must not decide what a sign-in is
// good for. It never looks at a mail address: an address changes hands.
//
// # What is checked
//
//	answer      iss parameter (RFC 9207) where the provider sends one
//	signature   RS, PS, ES or EdDSA, by a key of the provider's key set
//	claims      iss, aud, azp, exp, nbf, iat, nonce, at_hash
//	freshness   auth_time is there, and no older than Options.Fresh
//	person      sub, and the claim that holds the directory's id
//	factor      whether the sign-in had a second one, where it was asked for
//
// Microsoft Entra differs in several of these; entra.go says how.
//
// Metadata is fetched when it is first needed, and again after an hour. While
// the provider is down every sign-in fails quickly and nothing else does.
//
// An error names what failed. It never holds a code, a token or a claim.
package oidc
