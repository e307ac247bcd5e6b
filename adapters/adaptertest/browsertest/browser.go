package browsertest

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"latchkey/adapters/adaptertest/rigs"
)

// patience is how long a page may take to show what a test waits for.
const patience = time.Minute

// flags keep Chromium to this machine and to the page. A frame stays in its
// page's process, so that one connection sees everything; what a frame may do
// does not depend on that.
var flags = map[string]any{
	"no-first-run": true, "no-default-browser-check": true, "disable-background-networking": true, "disable-component-update": true,
	"disable-sync": true, "disable-default-apps": true, "disable-extensions": true, "disable-quic": true, "disable-gpu": true,
	"disable-dev-shm-usage": true, "disable-breakpad": true, "disable-hang-monitor": true, "disable-renderer-backgrounding": true,
	"disable-backgrounding-occluded-windows": true, "disable-background-timer-throttling": true, "metrics-recording-only": true,
	"password-store": "basic", "force-color-profile": "srgb", "hide-scrollbars": false, "mute-audio": true, "enable-automation": true,
	"host-resolver-rules": "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
	"disable-features":    "Translate,IsolateOrigins,site-per-process", "disable-site-isolation-trials": true,
}

// A Browser is a running Chromium. It is for one goroutine.
type Browser struct {
	ctx   context.Context
	axe   string
	front context.Context // the tab that is in front; nil: not known
}

// Start starts one, with its own empty folder and with more flags ("name",
// "value", ...; an empty value is a switch). It ends with the test.
func Start(t testing.TB, more ...string) *Browser {
	t.Helper()
	bin := rigs.Tool(t, "CHROMIUM", "chromium")
	axe, err := os.ReadFile(os.Getenv("AXE_JS"))
	if err != nil {
		rigs.Missing(t, "axe-core is missing: AXE_JS names no file (.ci/rigs.sh makes it)")
	}
	opts := []chromedp.ExecAllocatorOption{chromedp.ExecPath(bin), chromedp.Headless, chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir())}
	for name, value := range flags {
		opts = append(opts, chromedp.Flag(name, value))
	}
	for pair := range slices.Chunk(more, 2) {
		if pair[1] == "" {
			opts = append(opts, chromedp.Flag(pair[0], true))
			continue
		}
		opts = append(opts, chromedp.Flag(pair[0], pair[1]))
	}
	alloc, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(alloc, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(func() {
		cancel()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return &Browser{ctx: ctx, axe: string(axe)}
}

// A Look is what a person's browser is like.
type Look struct {
	Width, Height int
	Phone         bool   // a touch screen; what is clicked is tapped
	Dark          bool   // prefers dark
	Still         bool   // prefers reduced motion
	Language      string // "es-MX"; empty: English
	NoScript      bool   // runs no script
}

// Common looks.
var (
	Desktop = Look{Width: 1280, Height: 800}
	Mobile  = Look{Width: 360, Height: 740, Phone: true}
	Narrow  = Look{Width: 320, Height: 640, Phone: true}
)

// InDark is the same look where dark is preferred.
func (l Look) InDark() Look {
	l.Dark = true
	return l
}

// Open gives a person a browser of their own, without cookies, at an address.
// Pages of that host, and of the others named ("127.0.0.1:8080"), are looked at.
func (b *Browser) Open(t testing.TB, look Look, address string, others ...string) *Page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	p := newPage(t, b, look, ctx, cancel)
	p.Ours(append(others, host(address))...)
	p.Goto(address)
	return p
}

// Beside opens one more tab of the same person.
func (p *Page) Beside(address string) *Page {
	p.t.Helper()
	ctx, cancel := chromedp.NewContext(p.b.ctx, chromedp.WithExistingBrowserContext(p.person()))
	n := newPage(p.t, p.b, p.look, ctx, cancel)
	n.tell.mine(p.tell.hosts()...)
	n.Goto(address)
	return n
}

// Opens does something that opens a new tab, and gives that tab.
func (p *Page) Opens(do func()) *Page {
	p.t.Helper()
	opened := chromedp.WaitNewTarget(p.ctx, func(i *target.Info) bool { return i.Type == "page" })
	do()
	select {
	case id := <-opened:
		ctx, cancel := chromedp.NewContext(p.b.ctx, chromedp.WithTargetID(id))
		n := newPage(p.t, p.b, p.look, ctx, cancel)
		n.tell.mine(p.tell.hosts()...)
		return n
	case <-time.After(patience):
		p.fatalf("no new tab was opened")
		return nil
	}
}

// person is the browser context that the page's cookies live in.
func (p *Page) person() cdp.BrowserContextID { return chromedp.FromContext(p.ctx).BrowserContextID }
