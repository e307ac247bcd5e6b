// Package adaptertest is what the tests of several adapters share: texts that
// a test gives itself. The counterparties of tests are in package rigs below it.
//
// It is in charge of fakes of what an adapter is given. Only tests import it,
// and it knows no adapter.
package adaptertest
