// Package browsertest lets a test use pages as a person does: a real Chromium,
// without a window, that clicks what has a role and a name in the browser's own
// accessibility tree, types, reads, and takes pictures.
//
// It is in charge of starting and ending the browser, of waiting for what a
// page shows, and of what a page must never do: every error on the console,
// violation of the content policy, dialog, failed request and request to
// another host fails the test, unless the test has said that it may happen.
// It checks accessibility with axe-core. Only tests import it; .ci/rigs.sh
// installs what it needs.
package browsertest
