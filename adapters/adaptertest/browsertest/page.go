package browsertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"latchkey/adapters/adaptertest/rigs"
)

// A Page is one tab, or a frame or a part of one: what is looked for is looked
// for inside it only. It is for one goroutine.
type Page struct {
	t     testing.TB
	b     *Browser
	look  Look
	ctx   context.Context
	tell  *tell
	frame string // address of the frame begins so; empty: the page itself
	part  string // CSS selector of the part; empty: everything
}

func newPage(t testing.TB, b *Browser, look Look, ctx context.Context, cancel func()) *Page {
	t.Helper()
	p := &Page{t: t, b: b, look: look, ctx: ctx, tell: newTell()}
	b.front = nil
	if err := chromedp.Listen(ctx, p.tell.hear); err != nil {
		t.Fatalf("a new tab: %v", err)
	}
	go func() { // a dialog stops the page until it is answered
		for {
			select {
			case <-p.tell.dialogs:
				_, _ = chromedp.Call(ctx, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: true})
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() {
		if t.Failed() {
			p.Shot("failed-" + strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()))
		}
		for _, problem := range p.tell.found() {
			t.Errorf("the page did what it must not: %s", problem)
		}
		cancel()
	})
	call(p, audits.Enable, cdp.Empty{})
	call(p, page.Enable, page.EnableParams{})
	p.Looks(look)
	return p
}

// Looks makes the browser different from now on.
func (p *Page) Looks(look Look) {
	p.t.Helper()
	p.look = look
	scale := 1.0
	if look.Phone {
		scale = 2
	}
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: int64(look.Width), Height: int64(look.Height), DeviceScaleFactor: scale, Mobile: look.Phone,
	})
	call(p, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: look.Phone, MaxTouchPoints: 1})
	scheme, motion := "light", "no-preference"
	if look.Dark {
		scheme = "dark"
	}
	if look.Still {
		motion = "reduce"
	}
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion},
	}})
	language := look.Language
	if language == "" {
		language = "en-US"
	}
	call(p, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": json.RawMessage(`"` + language + `"`)}})
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: look.NoScript})
}

// ask runs a command of the browser.
func ask[P, R any](p *Page, cmd cdp.Command[P, R], params P) (R, error) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Call(ctx, cmd, params)
}

// do runs an action of chromedp.
func do(p *Page, action chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return chromedp.Do(ctx, action)
}

// call runs a command of the browser that must succeed.
func call[P, R any](p *Page, cmd cdp.Command[P, R], params P) R {
	p.t.Helper()
	r, err := ask(p, cmd, params)
	if err != nil {
		p.fatalf("%s: %v", cmd.Method, err)
	}
	return r
}

// fatalf ends the test with what the page shows.
func (p *Page) fatalf(format string, args ...any) {
	p.t.Helper()
	text, err := p.try("document.title + '\\n' + (document.body ? document.body.innerText : '')")
	if err != nil {
		text = json.RawMessage(err.Error())
	}
	var shown string
	if json.Unmarshal(text, &shown) != nil {
		shown = string(text)
	}
	p.t.Fatalf("%s\nproblems: %q\nthe page %s shows:\n%s", fmt.Sprintf(format, args...), p.tell.all(), p.frame, shown)
}

// until polls a condition of the page.
func (p *Page) until(what string, ok func() bool) {
	p.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); !ok(); {
		select {
		case <-tick.C:
		case <-end:
			p.fatalf("waited %s for %s", patience, what)
		}
	}
}

// Ours counts pages of more hosts ("127.0.0.1:8080") among those that are
// looked at, and that may ask each other.
func (p *Page) Ours(hosts ...string) { p.tell.mine(hosts...) }

// May lets a problem pass whose words match a pattern.
func (p *Page) May(pattern string) { p.tell.may(pattern) }

// Everything is all that the page has done that it must not, allowed or not.
func (p *Page) Everything() []string { return p.tell.all() }

// Wait polls a condition, for as long as a page may take.
func (p *Page) Wait(what string, ok func() bool) {
	p.t.Helper()
	p.until(what, ok)
}

// Goto opens an address and waits until the page is there.
func (p *Page) Goto(address string) {
	p.t.Helper()
	r := call(p, page.Navigate, page.NavigateParams{URL: address})
	if r.ErrorText != "" {
		p.fatalf("%s: %s", address, r.ErrorText)
	}
	p.Ready()
}

// Reload loads the page again.
func (p *Page) Reload() {
	p.t.Helper()
	p.Leaves(func() { call(p, page.Reload, page.ReloadParams{}) })
}

// Leaves does something that leads to another document, and waits for it.
func (p *Page) Leaves(do func()) {
	p.t.Helper()
	const mark = "latchkeyOldDocument"
	p.Eval("window."+mark+" = true", nil)
	do()
	p.until("another page", func() bool {
		var old bool
		raw, err := p.try("window." + mark + " === true")
		return err == nil && json.Unmarshal(raw, &old) == nil && !old
	})
	p.Ready()
}

// Ready waits until the document is loaded.
func (p *Page) Ready() {
	p.t.Helper()
	p.until("the page to load", func() bool {
		raw, err := p.try("document.readyState")
		return err == nil && string(raw) == `"complete"`
	})
}

// Address is where the page is.
func (p *Page) Address() (address string) {
	p.t.Helper()
	p.Eval("location.href", &address)
	return address
}

// Frame is the frame of the page whose address begins so.
func (p *Page) Frame(address string) *Page {
	p.t.Helper()
	f := *p
	f.frame, f.part = address, ""
	f.until("a frame of "+address, func() bool { _, err := f.world(); return err == nil })
	f.Ready()
	return &f
}

// In is the part of the page that a CSS selector finds.
func (p *Page) In(selector string) *Page {
	part := *p
	part.part = selector
	return &part
}

// world makes a world for our own scripts in the document shown now, which the
// page's scripts do not see.
func (p *Page) world() (runtime.ExecutionContextID, error) {
	if p.b.front != p.ctx { // a tab behind another one is not drawn
		if _, err := ask(p, page.BringToFront, cdp.Empty{}); err != nil {
			return 0, err
		}
		p.b.front = p.ctx
	}
	tree, err := ask(p, page.GetFrameTree, cdp.Empty{})
	if err != nil {
		return 0, err
	}
	id := tree.FrameTree.Frame.ID
	if p.frame != "" {
		id = ""
		for _, child := range tree.FrameTree.ChildFrames {
			if strings.HasPrefix(child.Frame.URL, p.frame) {
				id = child.Frame.ID
			}
		}
		if id == "" {
			return 0, errors.New("no such frame")
		}
	}
	w, err := ask(p, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: id, WorldName: "test"})
	return w.ExecutionContextID, err
}

// noDocument is what Chromium says when the document went away before an
// expression was begun, and gone when it went away under one, which may have done
// all that it does.
const noDocument = "Cannot find context"

var gone = []string{"context was destroyed", "Inspected target navigated or closed"}

func isGone(err error) bool {
	return slices.ContainsFunc(gone, func(s string) bool { return strings.Contains(err.Error(), s) })
}

// try evaluates an expression, whose promise is awaited. It repeats one under which
// the document went away, so it is for what only reads, or may be done twice.
func (p *Page) try(js string) (json.RawMessage, error) {
	raw, err := p.evaluate(js)
	for range 3 { // the page may go on to another document meanwhile
		if err == nil || !isGone(err) && !strings.Contains(err.Error(), noDocument) {
			break
		}
		raw, err = p.evaluate(js)
	}
	return raw, err
}

func (p *Page) evaluate(js string) (json.RawMessage, error) {
	world, err := p.world()
	if err != nil {
		return nil, err
	}
	return p.evaluateIn(world, js)
}

func (p *Page) evaluateIn(world runtime.ExecutionContextID, js string) (json.RawMessage, error) {
	yes := true
	r, err := ask(p, runtime.Evaluate, runtime.EvaluateParams{Expression: js, ContextID: world, ReturnByValue: &yes, AwaitPromise: &yes})
	switch {
	case err != nil:
		return nil, err
	case r.ExceptionDetails != nil:
		text := r.ExceptionDetails.Text
		if x := r.ExceptionDetails.Exception; x != nil {
			text += " " + x.Description
		}
		return nil, errors.New(text)
	case r.Result == nil || r.Result.Value == nil:
		return json.RawMessage("null"), nil
	}
	return json.RawMessage(r.Result.Value), nil
}

// Do runs an expression once, whatever becomes of the document under it. It is for
// what leads to another document, such as history.back(), and for what must not be
// done twice. What comes of it is for the caller to wait for.
func (p *Page) Do(js string) {
	p.t.Helper()
	p.until("a document for "+short(js), func() bool {
		world, err := p.world()
		if err != nil {
			return false
		}
		_, err = p.evaluateIn(world, js)
		if err != nil && strings.Contains(err.Error(), noDocument) {
			return false
		}
		if err != nil && !isGone(err) {
			p.fatalf("%s: %v", short(js), err)
		}
		return true
	})
}

// Pretend runs an expression among the page's own scripts, which see what it
// changes: for what a browser without a screen has not, such as a sound.
func (p *Page) Pretend(js string) {
	p.t.Helper()
	if _, err := p.evaluateIn(0, js); err != nil {
		p.fatalf("%s: %v", short(js), err)
	}
}

// Eval evaluates an expression in the page, and decodes its value unless into
// is nil. A promise is awaited. When the document goes away meanwhile, it is
// evaluated again in the next one: see Do for what must not be.
func (p *Page) Eval(js string, into any) {
	p.t.Helper()
	raw, err := p.try(js)
	if err != nil {
		p.fatalf("%s: %v", short(js), err)
	}
	if into != nil {
		if err := json.Unmarshal(raw, into); err != nil {
			p.fatalf("%s: %v in %s", short(js), err, raw)
		}
	}
}

func short(s string) string {
	if len(s) > 100 {
		return s[:100] + "..."
	}
	return s
}

// area is an expression for the element that is looked into.
func (p *Page) area() string {
	if p.part == "" {
		return "document.body"
	}
	b, _ := json.Marshal(p.part)
	return "document.querySelector(" + string(b) + ")"
}

// Text is what can be read.
func (p *Page) Text() string {
	p.t.Helper()
	var s *string
	p.Eval("(e => e && e.innerText)("+p.area()+")", &s)
	if s == nil {
		return ""
	}
	return strings.ReplaceAll(*s, "\u00a0", " ")
}

// Sees waits until all the texts can be read.
func (p *Page) Sees(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		p.until(fmt.Sprintf("%q", text), func() bool { return strings.Contains(p.Text(), text) })
	}
}

// SeesNoMore waits until a text can not be read.
func (p *Page) SeesNoMore(text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("%q to go away", text), func() bool { return !strings.Contains(p.Text(), text) })
}

// Until waits for an expression to be true.
func (p *Page) Until(what, js string) {
	p.t.Helper()
	p.until(what, func() bool {
		raw, err := p.try("!!(" + js + ")")
		return err == nil && string(raw) == "true"
	})
}

// Picture takes a picture of what is in view, as a file.
func (p *Page) Picture() (file string) {
	p.t.Helper()
	file = filepath.Join(p.t.TempDir(), "view.png")
	if err := os.WriteFile(file, p.view(), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return file
}

func (p *Page) view() []byte {
	p.t.Helper()
	return call(p, page.CaptureScreenshot, page.CaptureScreenshotParams{}).Data
}

// Printed prints the page on paper of a size in inches, as a PDF without
// Chromium's own head and foot, and says how many sheets it takes.
func (p *Page) Printed(width, height float64) (pdf []byte, sheets int) {
	p.t.Helper()
	pdf = call(p, page.PrintToPDF, page.PrintToPDFParams{PaperWidth: width, PaperHeight: height, PreferCSSPageSize: new(bool)}).Data
	return pdf, len(pdfPage.FindAll(pdf, -1))
}

// pdfPage is how Chromium begins a sheet in a PDF.
var pdfPage = regexp.MustCompile(`/Type\s*/Page\b[^s]`)

// QR reads the page's square picture from the screen, as a camera would. It goes on
// looking: a page without scripts loads itself anew, and stands at another place then.
func (p *Page) QR() (text string) {
	p.t.Helper()
	p.until("a square picture that can be read", func() bool {
		_, err := p.try(`document.querySelector('img.qr').scrollIntoView({block: 'center', behavior: 'instant'})`)
		if err == nil {
			text = rigs.SeeQR(p.t, p.Picture())
		}
		return text != ""
	})
	return text
}

// Shot keeps a picture of what is in view in the folder that LATCHKEY_SHOTS
// names. Without it, nothing is kept.
func (p *Page) Shot(name string) {
	p.t.Helper()
	dir := os.Getenv("LATCHKEY_SHOTS")
	if dir == "" {
		return
	}
	r, err := ask(p, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	if err == nil {
		err = errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, name+".png"), r.Data, 0o644))
	}
	if err != nil {
		p.t.Logf("no picture %s: %v", name, err)
	}
}
