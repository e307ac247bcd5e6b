package flows

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"latchkey/bot"
)

// A reply is a canned one: what agents of the help desk write often, in every
// language.
type reply struct {
	id         string
	title, say Text // how agents find it, and what the person reads
	own        bool
	was        *reply // the shipped one that an own language file changed; else nil
	pos        Pos
}

// replyNames are the placeholders of a canned reply that the desk fills: first
// names of agent and person, where the person is in the script, and the ticket's
// number. Facts that are always there may stand in it, too.
var replyNames = []string{"agent", "name", "step", "ticket"}

// replies reads the section of a language file.
func (l *loader) replies(file string, lang int, own bool, n *yaml.Node) {
	l.pairs(file, n, "replies", func(k, v *yaml.Node) {
		if !isName(k.Value) {
			l.bad(file, k, "%q is not the name of a reply; small letters, digits and _", k.Value)
			return
		}
		pos := Pos{file, k.Line}
		i, r := l.set.reply(k.Value)
		switch {
		case r == nil:
			r = &reply{id: k.Value, own: own, pos: pos}
			l.set.replies = append(l.set.replies, r)
		case own && !r.own:
			r = &reply{id: k.Value, own: true, was: r, pos: pos}
			l.set.replies[i] = r
		}
		l.fields(file, v, "a reply", map[string]func(*yaml.Node){
			"title": func(v *yaml.Node) { l.text(file, v, lang, &r.title) },
			"say":   func(v *yaml.Node) { l.text(file, v, lang, &r.say) },
		})
	})
}

func (e *Set) reply(id string) (int, *reply) {
	for i, r := range e.replies {
		if r.id == id {
			return i, r
		}
	}
	return -1, nil
}

// carryReplies lets an own reply keep what it does not change. One that says
// something else in the base language needs translations of its own: agents read
// there what they send.
func (l *loader) carryReplies() {
	keep := func(to, from *Text) {
		if to.Empty() {
			to.set(0, from.pick(0))
			to.Pos = from.Pos
		}
		if to.Source(0) != from.Source(0) {
			return
		}
		for li := range from.in {
			if !to.Has(li) {
				to.set(li, from.in[li])
			}
		}
	}
	for _, r := range l.set.replies {
		if r.was != nil {
			keep(&r.title, &r.was.title)
			keep(&r.say, &r.was.say)
		}
	}
}

func (l *linter) replies() {
	base := l.set.langs[0]
	for _, r := range l.set.replies {
		for _, t := range []struct {
			text *Text
			key  string
			use  use
		}{{&r.title, "title", usePlain}, {&r.say, "say", useReply}} {
			if t.text.Empty() {
				l.bad(r.pos, "reply %s has no %s in %s; add replies: %s: {%s: ...} to %s", r.id, t.key, base.name, r.id, t.key, l.langFile(r.pos, base.code))
				continue
			}
			l.text(t.text, "replies: "+r.id+": "+t.key, "the "+t.key+" of reply "+r.id, t.use)
		}
	}
}

// Replies lists the canned replies for an agent who reads the language mine and a
// person who reads theirs. value gives what stands for a placeholder in a
// language. A reply is left out while something in it is not known.
func (e *Set) Replies(mine, theirs string, value func(lang, name string) string) []bot.DeskReply {
	fill := func(t *Text, lang string) (text string, ok bool) {
		tpl, li := t.pick(e.lang(lang)), e.lang(lang)
		var b strings.Builder
		for i, v := range tpl.vars {
			said := value(e.langs[li].code, v.slot)
			if said == "" {
				said = e.fact(li, v.slot)
			}
			if said == "" {
				return "", false
			}
			b.WriteString(tpl.lit[i])
			b.WriteString(said)
		}
		b.WriteString(tpl.lit[len(tpl.lit)-1])
		return b.String(), true
	}
	var all []bot.DeskReply
	for _, r := range e.replies {
		text, known := fill(&r.say, theirs)
		if !known {
			continue
		}
		d := bot.DeskReply{ID: r.id, Title: r.title.Source(e.lang(mine)), Text: text, Lang: e.langs[e.lang(theirs)].code}
		if e.lang(mine) != e.lang(theirs) {
			d.Meaning, _ = fill(&r.say, mine)
		}
		all = append(all, d)
	}
	return all
}
