package flows

// Replay plays a transcript in another language than it was written in: the
// "<" lines are not compared, and what is typed in the base language for a
// choice is pressed instead.
func Replay(set *Set, name, text, lang string) (Coverage, error) {
	covered := Coverage{}
	own := *set
	own.trace = func(s *Step) { covered[s.flow.Name+"."+s.ID] = true }
	p := &player{set: &own, file: name, replay: lang}
	p.fresh()
	return covered, p.play(text)
}
