package browsertest

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
)

// A tell notes what a page does that it should not.
type tell struct {
	mu       sync.Mutex
	ours     []string // hosts whose pages are looked at
	at       string   // host of the document shown
	asked    map[network.RequestID]string
	problems []string
	allowed  []*regexp.Regexp
	dialogs  chan struct{}
}

func newTell() *tell {
	return &tell{asked: map[network.RequestID]string{}, dialogs: make(chan struct{}, 8)}
}

func (l *tell) mine(hosts ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ours = append(l.ours, hosts...)
}

func (l *tell) hosts() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.ours)
}

func (l *tell) may(pattern string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.allowed = append(l.allowed, regexp.MustCompile(pattern))
}

func (l *tell) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.problems)
}

// found are the problems that the test has not allowed.
func (l *tell) found() (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.problems {
		if !slices.ContainsFunc(l.allowed, func(re *regexp.Regexp) bool { return re.MatchString(p) }) {
			all = append(all, p)
		}
	}
	return all
}

// hear takes one event of the browser. It must be quick.
func (l *tell) hear(ev any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	note := func(format string, args ...any) {
		if slices.Contains(l.ours, l.at) {
			l.problems = append(l.problems, fmt.Sprintf(format, args...))
		}
	}
	switch e := ev.(type) {
	case *page.EventFrameNavigated:
		if e.Frame.ParentID == "" {
			l.at = host(e.Frame.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert {
			var said []string
			for _, a := range e.Args {
				said = append(said, strings.Trim(string(a.Value)+" "+a.Description, ` "`))
			}
			note("console %s: %s", e.Type, strings.Join(said, " "))
		}
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
		note("exception: %s", text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			note("log %s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *audits.EventIssueAdded:
		if d := e.Issue.Details; d != nil && d.ContentSecurityPolicyIssueDetails != nil {
			c := d.ContentSecurityPolicyIssueDetails
			note("content policy: %s blocked %s", c.ViolatedDirective, c.BlockedURL)
		}
	case *page.EventJavascriptDialogOpening:
		if e.Type != page.DialogTypeBeforeunload {
			note("dialog %s: %s", e.Type, e.Message)
		}
		select {
		case l.dialogs <- struct{}{}:
		default:
		}
	case *network.EventRequestWillBeSent:
		l.asked[e.RequestID] = e.Request.URL
		from, to := host(e.DocumentURL), host(e.Request.URL)
		if e.Type != network.ResourceTypeDocument && to != "" && from != to && slices.Contains(l.ours, from) && !slices.Contains(l.ours, to) {
			l.problems = append(l.problems, fmt.Sprintf("request to another host: %s from %s", e.Request.URL, e.DocumentURL))
		}
	case *network.EventLoadingFailed:
		if !e.Canceled && e.ErrorText != "net::ERR_ABORTED" && slices.Contains(l.ours, host(l.asked[e.RequestID])) {
			note("request failed: %s %s %s", e.ErrorText, e.BlockedReason, l.asked[e.RequestID])
		}
	}
}

// host is host and port of an address of the web, or empty.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return ""
	}
	return u.Host
}
