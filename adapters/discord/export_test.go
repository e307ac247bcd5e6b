package discord

import (
	"crypto/x509"
	"net/http"
	"time"
)

// Hurry makes the adapter impatient, for tests that wait for what it does after
// a wait.
func (a *Adapter) Hurry(steady, later time.Duration) {
	a.waits = waits{
		again: 10 * time.Millisecond, identify: 20 * time.Millisecond, most: 50 * time.Millisecond, resume: 50 * time.Millisecond, steady: steady,
		open: 4 * time.Second, later: later, repeat: 10 * time.Millisecond,
	}
	a.signs.After = 20 * time.Millisecond
}

// Escape is escape, for the test that has another program read the result.
func Escape(s string) string { return escape(s) }

// Running reports whether Run is at work.
func (a *Adapter) Running() bool { return a.current.Load() != nil }

// Trust takes these authorities for the gateway, instead of the system's.
func (a *Adapter) Trust(roots *x509.CertPool) { a.roots = roots }

// Patient makes the longest wait long.
func (a *Adapter) Patient() { a.waits.most = time.Hour }

// Through makes all requests go another way.
func (a *Adapter) Through(way http.RoundTripper) { a.rest.Client.Transport.(*transport).base = way }
