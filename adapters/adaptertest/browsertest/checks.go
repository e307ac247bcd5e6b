package browsertest

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/chromedp/cdproto/emulation"
)

// A finding is one rule of axe-core that the page breaks.
type finding struct {
	ID, Help string
	Nodes    []struct {
		HTML           string
		FailureSummary string
	}
}

// settle brings everything that moves or fades to its end, but for what never
// ends.
func (p *Page) settle() {
	p.t.Helper()
	p.Eval(`document.getAnimations().forEach(a => { if (a.effect.getComputedTiming().endTime !== Infinity) a.finish(); })`, nil)
}

// axeRun runs axe-core with rules, or says that it is not there. Something that
// lies half under a bar which stays in place is no small target: it is scrolled
// to, and looked at again.
const axeRun = `(async (runOnly) => {
	if (typeof axe === 'undefined') return null;
	const run = (what, runOnly) => axe.run(what, {runOnly, resultTypes: ['violations'], iframes: false, elementRef: true});
	const {violations} = await run(document, runOnly);
	for (const v of violations) {
		if (v.id !== 'target-size') continue;
		const still = [];
		for (const n of v.nodes) {
			n.element.scrollIntoView({block: 'center', behavior: 'instant'});
			const again = await run(n.element, {type: 'rule', values: ['target-size']});
			still.push(...again.violations.flatMap(w => w.nodes));
		}
		v.nodes = still;
	}
	return violations.filter(v => v.nodes.length).map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => ({html: n.html, failureSummary: n.failureSummary}))}));
})`

// Axe checks the page as it is shown now against WCAG 2.2, levels A and AA, or
// against these rules of axe-core alone.
func (p *Page) Axe(state string, rules ...string) {
	p.t.Helper()
	if p.look.NoScript { // axe itself needs timers; the page's scripts stay unloaded
		call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{})
		defer call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	}
	p.settle()
	only := map[string]any{"type": "tag", "values": []string{"wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"}}
	if len(rules) > 0 {
		only = map[string]any{"type": "rule", "values": rules}
	}
	b, err := json.Marshal(only)
	if err != nil {
		p.t.Fatal(err)
	}
	var found *[]finding
	p.until("axe-core", func() bool {
		if p.Eval(axeRun+"("+string(b)+")", &found); found == nil {
			p.Eval("(() => {"+p.b.axe+"\n})(); 0", nil)
		}
		return found != nil
	})
	for _, f := range *found {
		var where []string
		for _, n := range f.Nodes {
			where = append(where, n.HTML+"\n    "+strings.ReplaceAll(n.FailureSummary, "\n", "\n    "))
		}
		p.t.Errorf("axe, %s (%s): %s: %s\n  %s", state, p.lookName(), f.ID, f.Help, strings.Join(where, "\n  "))
	}
}

func (p *Page) lookName() string {
	s := fmt.Sprintf("%dx%d", p.look.Width, p.look.Height)
	if p.look.Dark {
		s += " dark"
	}
	return s
}

// Fits checks that nothing has to be scrolled sideways, and that nothing sticks
// out of the view where it could not be reached.
func (p *Page) Fits(state string) {
	p.t.Helper()
	var out []string
	// A page that does not say "width=device-width" is laid out wider than the phone.
	p.Eval(`(() => {
		const out = [], root = document.scrollingElement, width = Math.min(document.documentElement.clientWidth, window.parent === window ? `+strconv.Itoa(p.look.Width)+` : Infinity);
		if (root.scrollWidth > width) out.push('the page is ' + root.scrollWidth + ' pixels wide');
		for (const e of document.body.querySelectorAll('*')) {
			const r = e.getBoundingClientRect();
			if (!r.width || !r.height || r.right <= width + 1 && r.left >= -1) continue;
			const s = getComputedStyle(e);
			if (s.visibility === 'hidden' || s.position === 'absolute' && (r.width <= 1 || s.clipPath !== 'none')) continue;
			let scrolls = false; // a part of its own that scrolls, such as a wide table
			for (let a = e.parentElement; a && a !== document.body; a = a.parentElement) scrolls ||= /auto|scroll/.test(getComputedStyle(a).overflowX);
			if (!scrolls && !e.closest('svg')) out.push(e.outerHTML.slice(0, 120) + ' reaches from ' + r.left + ' to ' + r.right);
		}
		return out;
	})()`, &out)
	for _, o := range out {
		p.t.Errorf("%s (%s) does not fit: %s", state, p.lookName(), o)
	}
}
