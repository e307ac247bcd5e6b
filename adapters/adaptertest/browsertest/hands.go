package browsertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A Thing is one element as assistive technology is told of it.
type Thing struct {
	Role, Name  string
	Description string
	Value       string
	Disabled    bool
	Invalid     bool
	node        cdp.BackendNodeID
}

// Things are the elements with one of these roles (all, when none is given),
// in the order of the page.
func (p *Page) Things(roles ...string) []Thing {
	p.t.Helper()
	all, err := p.things(roles...)
	if err != nil {
		p.fatalf("the accessibility tree: %v", err)
	}
	return all
}

func (p *Page) things(roles ...string) (all []Thing, err error) {
	inside, err := p.inside()
	if err != nil {
		return nil, err
	}
	if p.part != "" && inside == nil {
		return nil, nil // the part is not there (yet)
	}
	root, err := p.object("document")
	if err != nil {
		return nil, err
	}
	q := accessibility.QueryAXTreeParams{ObjectID: root}
	if len(roles) == 1 {
		q.Role = roles[0]
	}
	r, err := ask(p, accessibility.QueryAXTree, q)
	if err != nil {
		return nil, err
	}
	for _, n := range r.Nodes {
		x := Thing{Role: value(n.Role), Name: value(n.Name), Description: value(n.Description), Value: value(n.Value), node: n.BackendDOMNodeID}
		if n.Ignored || len(roles) > 0 && !slices.Contains(roles, x.Role) || p.part != "" && !inside[x.node] {
			continue
		}
		for _, prop := range n.Properties {
			switch prop.Name {
			case accessibility.PropertyNameDisabled:
				x.Disabled = value(prop.Value) == "true"
			case accessibility.PropertyNameInvalid:
				x.Invalid = value(prop.Value) == "true"
			}
		}
		all = append(all, x)
	}
	return all, nil
}

// inside are the elements of the part that is looked into. The tree cannot be
// asked from an element that it leaves out, such as a <div>.
func (p *Page) inside() (map[cdp.BackendNodeID]bool, error) {
	if p.part == "" {
		return nil, nil
	}
	part, err := p.object(p.area())
	if err != nil || part == "" {
		return nil, err
	}
	all := int64(-1)
	r, err := ask(p, dom.DescribeNode, dom.DescribeNodeParams{ObjectID: part, Depth: &all})
	if err != nil {
		return nil, err
	}
	found := map[cdp.BackendNodeID]bool{}
	var walk func(*cdp.Node)
	walk = func(n *cdp.Node) {
		found[n.BackendNodeID] = true
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(r.Node)
	return found, nil
}

// object is what an expression gives, by its number in the browser; empty for
// null.
func (p *Page) object(js string) (runtime.RemoteObjectID, error) {
	world, err := p.world()
	if err != nil {
		return "", err
	}
	r, err := ask(p, runtime.Evaluate, runtime.EvaluateParams{Expression: js, ContextID: world})
	if err != nil || r.Result == nil {
		return "", err
	}
	return r.Result.ObjectID, nil
}

// value is a value of the accessibility tree as a text.
func value(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	var s string
	if json.Unmarshal(v.Value, &s) == nil {
		return s
	}
	return string(v.Value)
}

// Thing waits for an element by role and name; of several, it is the last,
// which in a conversation is the newest.
func (p *Page) Thing(role, name string) Thing {
	p.t.Helper()
	return p.ThingLike(role, fmt.Sprintf("%q", name), func(n string) bool { return n == name })
}

// ThingLike waits for an element by role and by what its name is like.
func (p *Page) ThingLike(role, what string, like func(name string) bool) Thing {
	p.t.Helper()
	var found *Thing
	var names []string
	defer func() {
		if found == nil {
			p.t.Logf("%s there: %q", role, names)
		}
	}()
	p.until(role+" "+what, func() bool {
		all, err := p.things(role)
		if err != nil {
			return false
		}
		names = nil
		for _, x := range all {
			names = append(names, x.Name)
			if like(x.Name) && !x.Disabled {
				found = &x
			}
		}
		return found != nil
	})
	return *found
}

// Has reports whether there is such an element now.
func (p *Page) Has(role, name string) bool {
	p.t.Helper()
	return slices.ContainsFunc(p.Things(role), func(x Thing) bool { return x.Name == name })
}

// Names are the names of the elements with a role.
func (p *Page) Names(role string) (names []string) {
	p.t.Helper()
	for _, x := range p.Things(role) {
		names = append(names, x.Name)
	}
	return names
}

// place says why an element cannot be clicked; empty when it can. What is out
// of view is scrolled to.
const place = `function() {
	const look = () => {
		const r = this.getClientRects()[0];
		if (!r || !r.width || !r.height) return 'it has no size';
		const hit = this.ownerDocument.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
		if (!hit) return 'it is outside of the view';
		const label = hit.closest('label');
		return this.contains(hit) || label && label.control === this ? '' : 'it lies under ' + hit.outerHTML.slice(0, 200);
	};
	if (look() === '') return '';
	this.scrollIntoView({block: 'center', inline: 'nearest', behavior: 'instant'});
	return look();
}`

// watch notes where the next click in the element's document lands, and landed
// tells it: empty, "touched" (a finger was lifted, and no click came of it so far),
// "here" or "elsewhere". A page that moves between the look and the click takes it on
// something else, mostly on nothing that cares; a tap may come to nothing then.
const (
	watch = `function() {
	const view = this.ownerDocument.defaultView, note = {landed: ''};
	this.latchkeyClick = note;
	view.addEventListener('touchend', () => { note.landed ||= 'touched'; }, {capture: true, once: true});
	const see = e => {
		if (!e.isTrusted) return;
		view.removeEventListener('click', see, true);
		const label = e.target.closest?.('label');
		note.landed = this.contains(e.target) || label && label.control === this ? 'here' : 'elsewhere';
	};
	view.addEventListener('click', see, true);
}`
	landed = `function() { return this.latchkeyClick.landed; }`
)

// clickTold is how long the page may take to tell where a click landed; of one that
// does not know of any it is taken to have landed.
const clickTold = 5 * time.Second

// Click clicks an element with the mouse, or taps it on a phone.
func (p *Page) Click(role, name string) {
	p.t.Helper()
	p.press(func() Thing { return p.Thing(role, name) })
}

// press clicks what is found, once nothing lies over it.
func (p *Page) press(find func() Thing) {
	p.t.Helper()
	var why string
	var last dom.Quad
	defer func() {
		if p.t.Failed() && why != "" {
			p.t.Logf("it could not be clicked: %s", why)
		}
	}()
	p.until("it to stand still and to be in reach", func() bool {
		x := find()
		o, err := ask(p, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: x.node})
		if err != nil {
			why = err.Error()
			return false
		}
		call := func(js string, into any) error {
			yes := true
			r, err := ask(p, runtime.CallFunctionOn, runtime.CallFunctionOnParams{FunctionDeclaration: js, ObjectID: o.Object.ObjectID, ReturnByValue: &yes})
			switch {
			case err != nil:
				return err
			case r.ExceptionDetails != nil:
				return errors.New(r.ExceptionDetails.Text)
			case into == nil:
				return nil
			}
			return json.Unmarshal(r.Result.Value, into)
		}
		if err := call(place, &why); err != nil {
			why = err.Error()
		}
		if why != "" {
			return false
		}
		quads, err := ask(p, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: x.node})
		if err != nil || len(quads.Quads) == 0 {
			why = fmt.Sprint("no place: ", err)
			return false
		}
		q := quads.Quads[0]
		if !slices.Equal(q, last) { // a page may move while it loads
			last = q
			return false
		}
		if err := call(watch, nil); err != nil {
			why = err.Error()
			return false
		}
		mx, my := (q[0]+q[2]+q[4]+q[6])/4, (q[1]+q[3]+q[5]+q[7])/4
		if p.look.Phone {
			err = do(p, chromedp.TapXY(mx, my))
		} else {
			err = do(p, chromedp.MouseClickXY(mx, my))
		}
		if err != nil {
			p.fatalf("click: %v", err)
		}
		at := ""
		for end := time.Now().Add(clickTold); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if call(landed, &at) != nil || at == "here" { // the page may be gone
				return true
			}
			if at == "elsewhere" {
				break
			}
		}
		if at != "" {
			why, last = "it moved away under the click", nil
		}
		return at == ""
	})
}

// Press clicks a button.
func (p *Page) Press(name string) {
	p.t.Helper()
	p.Click("button", name)
}

// PressLike clicks a button by what its name is like.
func (p *Page) PressLike(what string, like func(name string) bool) {
	p.t.Helper()
	p.ClickLike("button", what, like)
}

// ClickLike clicks an element by role and by what its name is like.
func (p *Page) ClickLike(role, what string, like func(name string) bool) {
	p.t.Helper()
	p.press(func() Thing { return p.ThingLike(role, what, like) })
}

// FollowLike clicks a link whose name begins so.
func (p *Page) FollowLike(begin string) {
	p.t.Helper()
	p.press(func() Thing {
		return p.ThingLike("link", begin+"...", func(name string) bool { return strings.HasPrefix(name, begin) })
	})
}

// Follow clicks a link.
func (p *Page) Follow(name string) {
	p.t.Helper()
	p.Click("link", name)
}

// Field waits for a field by its label.
func (p *Page) Field(label string) Thing {
	p.t.Helper()
	var found *Thing
	p.until(fmt.Sprintf("a field %q", label), func() bool {
		all, err := p.things("textbox", "searchbox", "combobox", "spinbutton")
		if err != nil {
			return false
		}
		for _, x := range all {
			if x.Name == label && !x.Disabled {
				found = &x
			}
		}
		return found != nil
	})
	return *found
}

// Fill clicks a field, by its label, and types.
func (p *Page) Fill(label, text string) {
	p.t.Helper()
	p.press(func() Thing { return p.Field(label) })
	p.Type(text)
}

// Type types where the focus is, key by key. "\t" and "\r" are keys too.
func (p *Page) Type(text string) {
	p.t.Helper()
	if err := do(p, chromedp.KeyEvent(text)); err != nil {
		p.fatalf("typing: %v", err)
	}
}

// Focused is the element that has the focus, and whether that can be seen. It is
// empty when no element has it.
func (p *Page) Focused() (x Thing, visible bool) {
	p.t.Helper()
	p.Eval(`(() => {
		const e = document.activeElement;
		if (!e || e === document.body) return false;
		const s = getComputedStyle(e);
		return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== 'none';
	})()`, &visible)
	for _, n := range p.focus() {
		return n, visible
	}
	return Thing{}, visible
}

func (p *Page) focus() []Thing {
	p.t.Helper()
	active, err := p.object("document.activeElement === document.body ? null : document.activeElement")
	if err != nil || active == "" {
		return nil
	}
	r, err := ask(p, accessibility.GetPartialAXTree, accessibility.GetPartialAXTreeParams{ObjectID: active, FetchRelatives: new(bool)})
	if err != nil || len(r.Nodes) == 0 {
		return nil
	}
	n := r.Nodes[0]
	return []Thing{{Role: value(n.Role), Name: value(n.Name), Value: value(n.Value), node: n.BackendDOMNodeID}}
}

// Tab goes to the next element that takes the focus until it is the one with
// this role and name. Each one on the way must show that it has the focus.
func (p *Page) Tab(role, name string) {
	p.t.Helper()
	p.TabLike(role, fmt.Sprintf("%q", name), func(n string) bool { return n == name })
}

// TabLike is Tab to an element by what its name is like.
func (p *Page) TabLike(role, what string, like func(name string) bool) {
	p.t.Helper()
	var way []string
	for range 80 {
		p.Type("\t")
		x, visible := p.Focused()
		if x.node != 0 && !visible {
			p.t.Errorf("the focus cannot be seen on %s %q", x.Role, x.Name)
		}
		if x.Role == role && like(x.Name) {
			return
		}
		way = append(way, x.Role+" "+x.Name)
	}
	p.fatalf("the keyboard does not reach %s %s; it reaches %s", role, what, strings.Join(way, ", "))
}
