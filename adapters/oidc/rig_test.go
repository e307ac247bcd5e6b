package oidc_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/oidc"
	"latchkey/bot"
)

// TestRealProvider signs in at a certified provider.
func TestRealProvider(t *testing.T) {
	there := rigs.StartOIDC(t, redirect)
	p, err := oidc.New(oidc.Options{Issuer: there.Issuer, ClientID: rigs.OIDCClient, ClientSecret: rigs.OIDCSecret, PersonClaim: "employee_id", Fresh: fresh})
	if err != nil {
		t.Fatal(err)
	}
	signIn := func() (code, iss string) {
		t.Helper()
		address, err := p.Begin(t.Context(), redirect, state, nonce, verifier, bot.SignInAsk{})
		if err != nil {
			t.Fatal(err)
		}
		back := there.SignIn(t, address, "e-1001")
		if !strings.HasPrefix(back.String(), redirect+"?") || back.Query().Get("state") != state {
			t.Fatalf("sent back to %s", back)
		}
		return back.Query().Get("code"), back.Query().Get("iss")
	}
	code, iss := signIn()
	x, err := p.Finish(t.Context(), redirect, code, iss, nonce, verifier, bot.SignInAsk{})
	if err != nil {
		t.Fatal(err)
	}
	if x.Issuer != there.Issuer || x.Subject != "e-1001" || x.Person != "e-1001" || time.Since(x.AuthAt) > time.Minute {
		t.Errorf("%+v", x)
	}

	refused := func(name, why string, err error) {
		t.Helper()
		var e *oidc.Error
		if !errors.As(err, &e) || e.Unavailable() || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = p.Finish(t.Context(), redirect, code, iss, nonce, verifier, bot.SignInAsk{})
	refused("the same code again", "invalid_grant", err)
	code, iss = signIn()
	_, err = p.Finish(t.Context(), redirect, code, iss, nonce, strings.Repeat("w", 43), bot.SignInAsk{})
	refused("another verifier", "invalid_grant", err)
	code, iss = signIn()
	_, err = p.Finish(t.Context(), redirect, code, iss, "another-nonce-of-16", verifier, bot.SignInAsk{})
	refused("another nonce", "nonce", err)
	code, _ = signIn()
	_, err = p.Finish(t.Context(), redirect, code, "", nonce, verifier, bot.SignInAsk{})
	refused("an answer without its issuer", "iss", err)

	code, iss = signIn()
	there.Rotate(t)
	if _, err := p.Finish(t.Context(), redirect, code, iss, nonce, verifier, bot.SignInAsk{}); err != nil {
		t.Errorf("after the rotation: %v", err)
	}

	stranger, err := oidc.New(oidc.Options{Issuer: there.Issuer, ClientID: rigs.OIDCClient, ClientSecret: "another secret", PersonClaim: "employee_id", Fresh: fresh})
	if err != nil {
		t.Fatal(err)
	}
	code, iss = signIn()
	_, err = stranger.Finish(t.Context(), redirect, code, iss, nonce, verifier, bot.SignInAsk{})
	refused("another client secret", "invalid_client", err)
}
