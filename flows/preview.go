package flows

import (
	"latchkey/bot"
)

// Preview gives the message of every step that waits, in one language, in the
// order of the flows' names and of their scripts: as it is asked in full, with
// sample values in its placeholders, two sample options, and a key to show where
// the step shows one. It is for checking how a platform renders what people
// will see.
func (e *Set) Preview(lang string, fn func(flow, step string, m bot.Message)) {
	for _, name := range sortedKeys(e.flows) {
		fl := e.flows[name]
		for _, st := range fl.Order {
			if st.Kind.waits() {
				fn(name, st.ID, e.preview(fl, st, lang))
			}
		}
	}
}

func (e *Set) preview(fl *Flow, st *Step, lang string) bot.Message {
	li := e.lang(lang)
	s := bot.Session{Lang: e.langs[li].code, Prompt: 6, Stack: []bot.Frame{{Flow: fl.Name, Step: st.ID, Hash: fl.Hash}}}
	f := s.Top()
	texts := []*Text{&st.Text, &st.Title, &st.Button}
	for i := range st.Fields {
		texts = append(texts, &st.Fields[i].Label)
	}
	for _, t := range texts {
		tpl := t.pick(li)
		if tpl == nil {
			continue
		}
		for _, v := range tpl.vars {
			if _, fact := e.Catalogue.Facts[v.slot]; !fact {
				f.Set(v.slot, e.sampleValue(v))
			}
		}
	}
	for i := range st.Choices {
		if need := st.Choices[i].Needs; need != "" { // all choices that there may be
			f.Set(need, "yes")
		}
	}
	if st.Options {
		f.Options = []bot.Option{{ID: "one", Label: "Phone •••• 48"}, {ID: "two", Label: "Authenticator app"}}
	}
	var out bot.Output
	if st.Fleeting {
		out.Message.Reveal = &bot.Reveal{Kind: bot.RevealTOTP, Method: "m1"}
	}
	t := turn{e: e, s: &s, ev: &bot.Event{}, out: &out, li: li}
	t.prompt(st, false)
	t.finish()
	out.Message.Heard = ""
	return out.Message
}

// sampleValues fill placeholders as checks would.
var sampleValues = map[string]string{
	"name": "Ann", "masked": "•••• 48", "list": "Authenticator app, since 3 May\nPhone •••• 48, since 3 May", "count": "10", "minutes": "10",
	"left": "2", "account": "ann.lee@example.org", "issuer": "Example Schools", "wait": "2 minutes", "receipt": "K7M-2QP", "username": "ann.lee",
	"sign_in":      "Signing in: no.\n- ✗ Does not count: Text to your mobile phone (Microsoft stops its texts)\n- Missing, one of these: an authenticator app, a passkey",
	"new_password": "A new password: no.\n- ✓ Counts: Private e-mail address\n- Missing: an authenticator app",
	"known":        "This is from Microsoft's report of Sunday, 3 May, 10:00 UTC.",
}

func (e *Set) sampleValue(v variable) string {
	if l := e.lists[v.list]; l != nil && len(l.Entries) > 0 {
		return l.Entries[0].ID
	}
	if s := sampleValues[v.slot]; s != "" {
		return s
	}
	return v.slot
}
