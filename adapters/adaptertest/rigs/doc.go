// Package rigs starts the counterparties of tests, which we did not write: a
// mail server, a Twilio emulator, an OpenID provider, a QR reader, a one-time
// password tool. .ci/rigs.sh installs them.
//
// It is in charge of finding them, starting them, waiting until they listen,
// and ending them with the test. What is missing skips the test, and fails it
// where the environment variable CI is "true". Only tests import it, and it
// imports the standard library alone, so that any test may.
package rigs
