// Package failpoint names the moments at which a crash must do no harm, and
// kills the process there when a test asks for it.
//
// It is in charge of the list of those moments and of one function, Hit. It
// must not do anything in an ordinary build: without the build tag
// "failpoints" Hit is empty and is inlined to nothing, and no environment
// variable is read.
//
// With the tag:
//
//	LATCHKEY_FAILPOINT="send.before:3"   kill this process (SIGKILL) at the third hit of send.before
//	LATCHKEY_FAILPOINT_LOG=FILE          append the name of every hit to FILE, one a line
//
// A kill sweep first runs once with the log only, which lists the points and
// how often each is passed, and then once for each line of it.
package failpoint

// The points. The place that calls Hit is in charge of calling it at the right
// moment: before means that the effect has not happened, after that it has and
// that nothing has been noted about it yet.
const (
	StoreCommitBefore = "store.commit.before" // statements done, nothing durable
	StoreCommitAfter  = "store.commit.after"  // durable, nobody was told
	SendBefore        = "send.before"         // a message, before the adapter's I/O
	SendAfter         = "send.after"          // the adapter sent it, not marked yet
	CodeBefore        = "code.before"         // a code, before the provider is called
	CodeAfter         = "code.after"          // the provider took it, not noted yet
	NoticeBefore      = "notice.before"       // a notice, before the mail server is called
	NoticeAfter       = "notice.after"        // the mail server took it, not noted yet
	OutboxMark        = "outbox.mark"         // an outbox row is about to be marked
	SyncPage          = "sync.page"           // a page of the directory was read, nothing of it is stored yet
	ImportBefore      = "import.before"       // a step of an import is done, not durable yet
	ImportAfter       = "import.after"        // the step is durable, the next one or the end has not begun
)
