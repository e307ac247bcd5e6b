package flows

import (
	"slices"

	"latchkey/bot"
)

// Which slots are surely filled at a step: found by going round until nothing
// changes any more, with all slots taken as filled at first. A step has what
// every way to it surely brings. A flow that is run sees what all its callers
// have; one that a word or a trigger can start sees nothing but the facts that
// are always there.

// slotSet is a set of slots, by index.
type slotSet []uint64

func (s slotSet) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }
func (s slotSet) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s slotSet) del(i int)      { s[i/64] &^= 1 << (i % 64) }
func (s slotSet) or(o slotSet) {
	for i := range o {
		s[i] |= o[i]
	}
}

// and keeps what is in both and reports whether something went.
func (s slotSet) and(o slotSet) bool {
	changed := false
	for i := range o {
		if s[i]&^o[i] != 0 {
			s[i] &= o[i]
			changed = true
		}
	}
	return changed
}

func (s slotSet) clone() slotSet { return append(slotSet(nil), s...) }

// slotFlow is the analysis at work.
type slotFlow struct {
	l         *linter
	index     map[string]int
	names     []string
	constant  slotSet
	inherited map[*Flow]slotSet
	in        map[*Step]slotSet // the frame's own slots when the step is entered
	ever      slotSet           // what anything ever fills
}

func (l *linter) slots() {
	a := &slotFlow{l: l, index: map[string]int{}, inherited: map[*Flow]slotSet{}, in: map[*Step]slotSet{}}
	a.collect()
	all := make(slotSet, (len(a.names)+63)/64+1)
	a.constant = all.clone()
	for name := range l.set.Catalogue.Facts {
		a.constant.add(a.index[name])
	}
	for i := range a.names {
		all.add(i)
	}
	for _, f := range l.set.order {
		a.inherited[f] = all.clone()
		if a.anywhere(f) {
			a.inherited[f] = a.constant.clone()
		}
		for _, s := range f.Order {
			a.in[s] = all.clone()
		}
		clear(a.in[f.start])
		for _, name := range f.Takes {
			a.inherited[f].add(a.index[name])
		}
	}
	for again := true; again; {
		again = false
		for _, f := range l.set.order {
			if a.flow(f) {
				again = true
			}
		}
	}
	a.fill()
	for _, f := range l.set.order {
		a.report(f)
	}
}

// fill notes what anything ever fills.
func (a *slotFlow) fill() {
	a.ever = make(slotSet, len(a.constant))
	for _, o := range a.l.set.order {
		for _, name := range o.Outside {
			a.ever.add(a.index[name])
		}
		for _, s := range o.Order {
			a.ways(s, func(w way) {
				for _, fact := range w.set {
					if fact.Value != "" {
						a.ever.add(a.index[fact.Name])
					}
				}
			})
			if s.Slot != "" {
				a.ever.add(a.index[s.Slot])
			}
		}
	}
	for _, spec := range a.l.set.Catalogue.Checks {
		for _, fs := range spec.Answers() {
			for _, name := range fs {
				a.ever.add(a.index[name])
			}
		}
	}
}

// anywhere reports whether a flow may begin with nothing below it.
func (a *slotFlow) anywhere(f *Flow) bool {
	return f.Outside != nil || a.byWord(f)
}

// byWord reports whether words begin a flow, with nothing filled.
func (a *slotFlow) byWord(f *Flow) bool {
	if f.System || f.Name == HomeFlow || f.Name == RestartFlow {
		return true
	}
	for _, w := range f.triggers {
		if len(w) > 0 {
			return true
		}
	}
	return a.l.set.asked(f)
}

// collect numbers every slot that is named anywhere.
func (a *slotFlow) collect() {
	add := func(names ...string) {
		for _, n := range names {
			if _, ok := a.index[n]; !ok {
				a.index[n] = len(a.names)
				a.names = append(a.names, n)
			}
		}
	}
	facts := func(fs []bot.Fact) {
		for _, f := range fs {
			add(f.Name)
			if from, ok := copied(f.Value); ok {
				add(from)
			}
		}
	}
	add(sortedKeys(a.l.set.Catalogue.Facts)...)
	for _, spec := range a.l.set.Catalogue.Checks {
		add(spec.Takes...)
		for _, fs := range spec.Answers() {
			add(fs...)
		}
	}
	for _, f := range a.l.set.order {
		add(f.Takes...)
		add(f.Gives...)
		add(f.Outside...)
		for _, s := range f.Order {
			add(s.Slot, s.Branch)
			add(s.Except...)
			facts(s.Next.Set)
			for i := range s.Choices {
				facts(s.Choices[i].Set)
			}
			for i := range s.Outcome {
				facts(s.Outcome[i].Set)
			}
			for i := range s.Signals {
				facts(s.Signals[i].Set)
			}
		}
		for _, r := range f.texts() {
			for li := range a.l.set.langs {
				add(r.text.Vars(li)...)
			}
		}
	}
}

// copied reads "{slot}", which copies a slot.
func copied(value string) (string, bool) {
	if len(value) > 2 && value[0] == '{' {
		return value[1 : len(value)-1], true
	}
	return "", false
}

// way is a slotSet on its way to a step.
type way struct {
	to  *Step
	own slotSet
	say *Text
	set []bot.Fact
	pos Pos
	// what is filled when the set is done, before it: for copies
	before slotSet
}

// ways lists where a step leads and what is surely filled there.
func (a *slotFlow) ways(s *Step, visit func(way)) {
	in := a.in[s]
	plain := func(to *Step) {
		if to != nil {
			visit(way{to: to, own: in, before: in})
		}
	}
	via := func(own slotSet, set []bot.Fact, to *Step, say *Text, p Pos) {
		if to == nil {
			return
		}
		before := own
		own = own.clone()
		for _, f := range set {
			i := a.index[f.Name]
			from, isCopy := copied(f.Value)
			switch {
			case isCopy && !own.has(a.index[from]) && !a.inherited[s.flow].has(a.index[from]), f.Value == "":
				own.del(i)
			default:
				own.add(i)
			}
		}
		visit(way{to, own, say, set, p, before})
	}
	if s.Kind == Call {
		in = a.waiting(s)
	}
	for i := range s.Choices {
		c := &s.Choices[i]
		via(in, c.Set, c.Next.step, &c.Next.Say, c.Pos)
	}
	picked := in
	if s.Slot != "" {
		picked = in.clone()
		picked.add(a.index[s.Slot])
	}
	via(picked, s.Next.Set, s.Next.step, &s.Next.Say, s.Next.Pos)
	check := s.check()
	for i := range s.Outcome {
		o := &s.Outcome[i]
		own := in.clone()
		if s.Kind == Run {
			own.or(a.given(s.run, o.Name))
		} else {
			for _, name := range s.answers(a.l.set.Catalogue.Checks[check])[o.Name] {
				own.add(a.index[name])
			}
		}
		via(own, o.Set, o.step, &o.Say, o.Pos)
	}
	for i := range s.Signals {
		via(in, s.Signals[i].Set, s.Signals[i].step, &s.Signals[i].Say, s.Signals[i].Pos)
	}
	for i := range s.Cases {
		own := in.clone()
		if s.Cases[i].Value != "" {
			own.add(a.index[s.Branch])
		}
		visit(way{to: s.Cases[i].step, own: own, before: in})
	}
	if s.otherwise != nil {
		own := in
		for i := range s.Cases {
			if s.Cases[i].Value == "" { // the other ways have it filled, with all that comes with it
				own = in.clone()
				own.or(a.together(s.flow, a.index[s.Branch]))
			}
		}
		visit(way{to: s.otherwise, own: own, before: in})
	}
	plain(s.skip)
	plain(s.resend)
	plain(s.back)
	plain(s.refresh)
}

// waiting is what is surely filled while a step waits: at a call step, what it
// has begun is known.
func (a *slotFlow) waiting(s *Step) slotSet {
	if s.Kind != Call {
		return a.in[s]
	}
	in := a.in[s].clone()
	spec := a.l.set.Catalogue.Checks[s.Check]
	for _, name := range spec.Answers()[spec.Waits] {
		in.add(a.index[name])
	}
	return in
}

// together is what is surely filled where a slot is: all that every outcome
// that fills it fills too, and that nothing in the flow empties.
func (a *slotFlow) together(f *Flow, slot int) slotSet {
	var all slotSet
	gone := make(slotSet, len(a.constant))
	join := func(filled slotSet) {
		if !filled.has(slot) {
			return
		}
		if all == nil {
			all = filled
		}
		all.and(filled)
	}
	sets := func(set []bot.Fact, filled slotSet) {
		for _, fact := range set {
			if fact.Value == "" {
				gone.add(a.index[fact.Name])
			} else if _, isCopy := copied(fact.Value); !isCopy {
				filled.add(a.index[fact.Name])
			}
		}
		join(filled)
	}
	for _, s := range f.Order {
		for i := range s.Choices {
			sets(s.Choices[i].Set, make(slotSet, len(a.constant)))
		}
		sets(s.Next.Set, make(slotSet, len(a.constant)))
		check := s.check()
		for i := range s.Outcome {
			filled := make(slotSet, len(a.constant))
			for _, name := range s.answers(a.l.set.Catalogue.Checks[check])[s.Outcome[i].Name] {
				filled.add(a.index[name])
			}
			sets(s.Outcome[i].Set, filled)
		}
	}
	if all == nil {
		all = make(slotSet, len(a.constant))
	}
	for i := range a.names {
		if gone.has(i) && i != slot {
			all.del(i)
		}
	}
	all.add(slot)
	return all
}

// given is what a flow hands back when it ends with a name.
func (a *slotFlow) given(f *Flow, end string) slotSet {
	out := make(slotSet, len(a.constant))
	for _, name := range f.Gives {
		i := a.index[name]
		sure := true
		for _, s := range f.Order {
			if s.Kind == End && s.EndName == end && !a.in[s].has(i) {
				sure = false
			}
		}
		if sure {
			out.add(i)
		}
	}
	return out
}

// flow goes once through a flow and reports whether something changed.
func (a *slotFlow) flow(f *Flow) bool {
	changed := false
	for _, s := range f.Order {
		a.ways(s, func(w way) {
			if a.in[w.to].and(w.own) {
				changed = true
			}
		})
		if s.Kind == Run && !a.anywhere(s.run) {
			seen := a.in[s].clone()
			seen.or(a.inherited[f])
			for _, name := range s.run.Takes {
				seen.add(a.index[name])
			}
			if a.inherited[s.run].and(seen) {
				changed = true
			}
		}
	}
	return changed
}

// report says which slot may be empty where it is needed.
func (a *slotFlow) report(f *Flow) {
	need := func(own slotSet, name string, p Pos, what string) {
		i := a.index[name]
		if own.has(i) || a.inherited[f].has(i) || a.constant.has(i) {
			return
		}
		switch {
		case !a.ever.has(i):
			a.l.bad(p, "%s needs {%s}, which nothing ever fills%s", what, name, hint(name, a.known()))
		case f.System:
			a.l.bad(p, "%s needs {%s}, which may be empty: a word starts this script anywhere", what, name)
		default:
			a.l.bad(p, "%s needs {%s}, which may be empty here: not every way to it fills the slot", what, name)
		}
	}
	text := func(own slotSet, t *Text, what string) {
		if t == nil || t.Empty() {
			return
		}
		done := map[string]bool{}
		for _, v := range t.in[0].vars { // a translation has the same ones, or it was reported
			if !done[v.slot] {
				done[v.slot] = true
				need(own, v.slot, t.Pos, what)
			}
		}
	}
	if a.anywhere(f) {
		for _, name := range f.Takes {
			switch {
			case a.constant.has(a.index[name]):
			case !a.byWord(f):
				if !slices.Contains(f.Outside, name) {
					a.l.bad(f.Pos, "flow %s takes {%s}, but begins from outside without it; add it to outside:", f.Name, name)
				}
			default:
				a.l.bad(f.Pos, "flow %s takes {%s}, but a word starts it anywhere, with nothing filled", f.Name, name)
			}
		}
	}
	var asked slotSet // filled wherever the flow's why can be asked for
	for _, s := range f.Order {
		if s.Kind.waits() && s.Why.Empty() {
			if asked == nil {
				asked = a.in[s].clone()
			}
			asked.and(a.in[s])
		}
	}
	if asked != nil {
		text(asked, &f.Why, "the why of flow "+f.Name)
	}
	for _, s := range f.Order {
		in := a.waiting(s)
		for _, r := range []struct {
			t    *Text
			what string
		}{
			{&s.Text, "the text"}, {&s.Short, "the short text"}, {&s.Why, "the why"}, {&s.Help, "the help"},
			{&s.Typed, "the typed text"}, {&s.Still, "the still text"}, {&s.Answer.Format, "the format text"},
		} {
			text(in, r.t, r.what+" of step "+s.ID)
		}
		for i := range s.Fields {
			text(in, &s.Fields[i].Label, "field "+s.Fields[i].Name+" of step "+s.ID)
		}
		for _, name := range s.Except {
			need(in, name, s.Pos, "except of step "+s.ID)
		}
		if s.Kind == Branch {
			if i := a.index[s.Branch]; !a.ever.has(i) && !a.constant.has(i) {
				a.l.bad(s.Pos, "step %s branches on %s, which nothing ever fills%s", s.ID, s.Branch, hint(s.Branch, a.known()))
			}
		}
		check := s.check()
		if check != "" {
			for _, name := range a.l.set.Catalogue.Checks[check].Takes {
				need(in, name, s.Pos, "check "+check+" of step "+s.ID)
			}
		}
		if s.Kind == Run {
			for _, name := range s.run.Takes {
				need(in, name, s.Pos, "flow "+s.run.Name+", which step "+s.ID+" runs,")
			}
		}
		a.ways(s, func(w way) {
			for _, fact := range w.set {
				if from, ok := copied(fact.Value); ok {
					need(w.before, from, w.pos, "set "+fact.Name+" of step "+s.ID)
				}
			}
			text(w.own, w.say, "a sentence of step "+s.ID)
		})
	}
	for _, name := range f.Gives {
		filled := false
		for _, s := range f.Order {
			filled = filled || s.Kind == End && a.in[s].has(a.index[name])
		}
		if !filled {
			a.l.bad(f.Pos, "flow %s gives {%s}, but no end of it has that slot surely filled", f.Name, name)
		}
	}
}

// known lists the slots that something fills, for "did you mean".
func (a *slotFlow) known() []string {
	var out []string
	for i, n := range a.names {
		if a.ever.has(i) || a.constant.has(i) {
			out = append(out, n)
		}
	}
	return out
}
