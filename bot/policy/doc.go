// Package policy holds every number of the security policy, with its cap.
//
// It is in charge of the numbers alone: what each is by default, how far it
// may be moved, in which unit, why, and by whose advice. policy.go has a field for
// each, defaults.go its default, caps.go (Keys) its limit and its reasons; the
// configuration, `config describe` and `config check` are made from these. It
// must not decide anything: who counts a try or refuses a send reads a field of
// Policy and acts in its own package.
//
// A number may be made stricter freely and laxer only to its limit. Check
// names every number that goes further, in a sentence that says what to set.
//
// # Sources
//
// The Source of a key names where its number comes from:
//
//	NIST SP 800-63B-4   Digital Identity Guidelines; sections as in that text
//	OWASP ASVS 5.0      Application Security Verification Standard
//	OWASP               the cheat sheets: Password Storage, Forgot Password, Multifactor Authentication, Security Questions
//	RFC 4226, RFC 6238  one-time passwords
//	Entra SSPR FAQ      Microsoft's answers on self-service password reset; Entra policy: the page on its policies
//	own choice          nobody gives a number; ours, with the reason in Doc
package policy
