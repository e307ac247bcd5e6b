package flows

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	html "html/template"
	"io"
	"strings"

	"latchkey/bot"
)

// guideFlows is the order of the printed guide. "enroll:done" are the steps of
// the last part of the flow enroll, so that they stand after the phone.
var guideFlows = [...]string{"enroll", "sign_in", "authenticator", "phone", "enroll:done", "extras", "questions", "email", "recovery", "methods", aboutEntra, "prove", "trouble", "help"}

// aboutEntra is the flow that is printed only where the fact entra is set: the
// organisation's Microsoft 365 is read.
const aboutEntra = "get_in"

// Print writes the paper guide: one HTML page in one language that prints well
// on A4 and Letter, made from the scripts as they are, with the step numbers
// that the bot shows. flowNames picks chapters (nil: all, in the order of the
// guide); facts are the organisation's, over those of the catalogue. The page
// has no program in it and loads nothing from outside.
func Print(w io.Writer, set *Set, lang string, flowNames []string, facts map[string]string) error {
	li, ok := set.known(lang)
	if lang == "" {
		li, ok = 0, true
	}
	if !ok {
		return fmt.Errorf("print guide: there is no language %q; there are %s", lang, strings.Join(set.Languages(), ", "))
	}
	p := &printer{set: set, li: li, facts: map[string]string{}}
	for k, v := range set.Catalogue.Facts {
		p.facts[k] = v
	}
	for k, v := range facts {
		p.facts[k] = v
	}
	p.facts[HoursFact] = bot.Hours(set, set.langs[li].code, p.facts[HoursFact])
	if len(flowNames) == 0 {
		for _, name := range guideFlows {
			if f, _, _ := strings.Cut(name, ":"); set.flows[f] != nil && (f != aboutEntra || p.facts["entra"] != "") {
				flowNames = append(flowNames, name)
			}
		}
	}
	g, err := p.guide(flowNames)
	if err != nil {
		return err
	}
	if err := guidePage.Execute(w, g); err != nil {
		return fmt.Errorf("print guide: %w", err)
	}
	return nil
}

type printer struct {
	set   *Set
	li    int
	facts map[string]string
}

// guide is what the page shows.
type guide struct {
	Lang, Title, Summary, Org, Department, Bot, Version string
	Why                                                 []string
	Phone, Hours, Address                               string
	Chapters                                            []chapter
	Words                                               []string
	say                                                 func(key string, kv ...string) string
}

// Say is a phrase of the printed guide.
func (g *guide) Say(key string) string { return g.say("print." + key) }

type chapter struct {
	No                  int
	Title, Summary, Why string
	Range               string // "A1–A7"
	Steps, Also         []card

	parts []string // of the flow
}

type card struct {
	G       *guide
	Ref     string
	Text    []string
	Picture html.HTML
	Press   []press
	Type    string
	Form    string
	Fields  []string
	Why     []string
	Help    []string

	step *Step
}

type press struct {
	Label   string
	To      string
	Primary bool
}

func (p *printer) guide(names []string) (*guide, error) {
	lang := p.set.langs[p.li]
	g := &guide{Lang: lang.code, Org: p.facts["org"], Department: p.facts["department"], Bot: p.facts["bot_name"],
		Phone: p.facts["help_phone"], Hours: p.facts["help_hours"], Address: p.facts["help_address"],
		say: func(key string, kv ...string) string {
			for k, v := range p.facts {
				kv = append(kv, k, v)
			}
			return p.set.Phrase(lang.code, key, kv...)
		}}
	whole := map[string]bool{}
	for _, n := range names {
		whole[n] = true
	}
	var hashes []string
	for _, n := range names {
		name, part, _ := strings.Cut(n, ":")
		f := p.set.flows[name]
		if f == nil {
			return nil, fmt.Errorf("print guide: there is no flow %q%s", name, hint(name, sortedKeys(p.set.flows)))
		}
		if g.Title == "" {
			g.Title, g.Summary, g.Why = p.plain(&f.Title), p.plain(&f.Summary), p.paragraphs(&f.Why)
		}
		hashes = append(hashes, f.Hash)
		last := ""
		if len(f.Parts) > 0 {
			last = f.Parts[len(f.Parts)-1]
		}
		split := whole[name+":"+last]
		c := chapter{No: len(g.Chapters) + 1, Title: p.plain(&f.Title), Summary: p.plain(&f.Summary), Why: strings.Join(p.paragraphs(&f.Why), " "), parts: f.Parts}
		if g.Title == c.Title {
			c.Summary, c.Why = "", ""
		}
		switch {
		case part != "":
			c.Title = g.say("print.done")
		case split:
			c.Title = g.say("print.welcome")
		}
		var steps []*Step
		for _, s := range f.Order {
			if s.Ref == "" && !s.Kind.waits() || part != "" && s.Part != part || part == "" && split && s.Part == last {
				continue
			}
			steps = append(steps, s)
		}
		p.fill(g, &c, steps)
		if len(c.Steps)+len(c.Also) > 0 {
			g.Chapters = append(g.Chapters, c)
		}
	}
	p.lead(g)
	sum := sha256.Sum256([]byte(strings.Join(hashes, " ")))
	g.Version = g.say("print.version", "hash", hex.EncodeToString(sum[:3]))
	for v := range verbNames {
		if l := lang.labels[v]; v != 0 && l != "" {
			g.Words = append(g.Words, strings.ToLower(strings.Trim(l, "¿?")))
		}
	}
	return g, nil
}

// lead notes where the choices lead, when that is not simply the next step.
func (p *printer) lead(g *guide) {
	for _, c := range g.Chapters {
		for _, cards := range [][]card{c.Steps, c.Also} {
			for k := range cards {
				next := ""
				if k+1 < len(cards) {
					next = cards[k+1].Ref
				}
				n := 0
				s := cards[k].step
				if s.Page { // its button stands first and leads out of the chat
					n++
				}
				for j := range s.Choices {
					ch := &s.Choices[j]
					if !p.offers(ch) {
						continue
					}
					if to := p.goesTo(ch.Next.step, 0); to != "" && to != next {
						cards[k].Press[n].To = g.say("print.goto", "step", to)
					}
					n++
				}
			}
		}
	}
}

// goesTo names the step that comes next, when that is always the same one. The
// first outcome as written is the main way.
func (p *printer) goesTo(s *Step, hops int) string {
	if s == nil || hops > 8 || s.Kind.leads == nil {
		return ""
	}
	return s.Kind.leads(p, s, hops)
}

// fill makes the cards: steps on the guide's way first, the others as "it can
// also happen"; when hardly any stands on the way, all are alike.
func (p *printer) fill(g *guide, c *chapter, steps []*Step) {
	guided, asked := 0, 0
	for _, s := range steps {
		if s.Kind.waits() {
			asked++
			if len(s.Guide) > 0 {
				guided++
			}
		}
	}
	for _, s := range steps {
		if s.Kind == Say && len(s.Guide) == 0 && !chosen(s) {
			continue // a sentence on the way, heard when it is needed
		}
		k := p.card(s)
		k.G = g
		aside := len(c.parts) > 0 && s.Part != "" && s.Part != c.parts[0] && s.Part != c.parts[len(c.parts)-1]
		if !aside && (len(s.Guide) > 0 || guided < 3 && asked > 3) {
			c.Steps = append(c.Steps, k)
		} else {
			c.Also = append(c.Also, k)
		}
	}
	var refs []string
	for _, k := range c.Steps {
		if k.Ref != "" {
			refs = append(refs, k.Ref)
		}
	}
	if len(refs) > 1 {
		c.Range = refs[0] + "–" + refs[len(refs)-1]
	} else if len(refs) == 1 {
		c.Range = refs[0]
	}
}

// chosen reports whether a choice leads straight to a step.
func chosen(s *Step) bool {
	for _, o := range s.flow.Order {
		for i := range o.Choices {
			if o.Choices[i].Next.step == s {
				return true
			}
		}
	}
	return false
}

// offers reports whether a choice is one that the guide prints: not a word that
// works everywhere, not a link, and not one that this organisation has no use for.
func (p *printer) offers(c *Choice) bool {
	return c.Verb == "" && c.Link == "" && (c.Needs == "" || p.facts[c.Needs] != "")
}

func (p *printer) card(s *Step) card {
	k := card{step: s, Ref: s.Ref, Text: p.paragraphs(&s.Text), Why: p.paragraphs(&s.Why), Help: p.paragraphs(&s.Help)}
	for i := range s.Choices {
		if c := &s.Choices[i]; p.offers(c) {
			k.Press = append(k.Press, press{Label: c.Label.Source(p.li), Primary: c.Primary})
		}
	}
	code := p.set.langs[p.li].code
	if s.Page {
		k.Press = append([]press{{Label: p.plain(&s.Button), Primary: true}}, k.Press...)
	}
	switch {
	case s.Kind == Form:
		k.Form = p.plain(&s.Button)
		for i := range s.Fields {
			k.Fields = append(k.Fields, p.plain(&s.Fields[i].Label))
		}
	case s.Answer.Kind != NoAnswer:
		for name, kind := range answerNames {
			if kind == s.Answer.Kind {
				k.Type = p.set.Phrase(code, "print.type."+name)
			}
		}
	case s.List != "" || s.Options:
		k.Type = p.set.Phrase(code, "print.list")
	}
	if svg := p.set.Picture(s.Picture); s.Picture != "" && svg != nil {
		alt := p.plain(&s.Alt)
		pic := strings.TrimSpace(string(svg))
		if i := strings.Index(pic, "<svg"); i >= 0 {
			pic = pic[i:]
		}
		pic = strings.Replace(pic, "<svg", `<svg aria-label="`+html.HTMLEscapeString(alt)+`"`, 1)
		k.Picture = html.HTML(pic) // a picture of the set: lint lets only shapes through
	}
	return k
}

// blank stands where the bot will say something that paper cannot know.
const blank = "________"

// plain fills a text for paper.
func (p *printer) plain(t *Text) string {
	tpl := t.pick(p.li)
	if tpl == nil {
		return ""
	}
	var b strings.Builder
	for i, v := range tpl.vars {
		b.WriteString(tpl.lit[i])
		switch val := p.facts[v.slot]; {
		case val != "":
			b.WriteString(val)
		case v.slot == "masked":
			b.WriteString("•••• __")
		default:
			b.WriteString(blank)
		}
	}
	b.WriteString(tpl.lit[len(tpl.lit)-1])
	return b.String()
}

func (p *printer) paragraphs(t *Text) []string {
	var out []string
	for _, s := range strings.Split(p.plain(t), "\n") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

var guidePage = html.Must(html.New("guide").Parse(guideHTML))

const guideHTML = `{{define "step"}}<div class="step">
<div class="no">{{.Ref}}</div>
<div class="body">
{{range .Text}}<p>{{.}}</p>
{{end}}{{with .Type}}<p class="type">{{.}}</p>{{end}}{{if .Form}}<p class="type">{{.G.Say "form"}}:</p>
<ul class="do">{{range .Fields}}<li>{{.}}</li>{{end}}<li><span class="key first">{{.Form}}</span></li></ul>{{end}}
{{if .Press}}<ul class="do">
{{range .Press}}<li><span class="key{{if .Primary}} first{{end}}">{{.Label}}</span>{{with .To}}<span class="to">{{.}}</span>{{end}}</li>
{{end}}</ul>{{end}}
</div>
<aside class="side">{{.Picture}}{{with .Why}}<p><b>{{$.G.Say "why"}}.</b> {{range .}}{{.}} {{end}}</p>{{end}}{{with .Help}}<p><b>{{$.G.Say "help"}}.</b> {{range .}}{{.}} {{end}}</p>{{end}}</aside>
</div>
{{end -}}
<!DOCTYPE html>
<html lang="{{.Lang}}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}{{with .Org}} · {{.}}{{end}}</title>
<style>
@page { margin: 16mm 16mm 14mm; @bottom-right { content: counter(page) " / " counter(pages); font: 9pt "Helvetica Neue", Helvetica, Arial, sans-serif; color: #4b5563; vertical-align: top; } }
* { box-sizing: border-box; }
html { font: 10.5pt/1.5 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif; color: #111827; background: #fff; }
body { margin: 0 auto; max-width: 178mm; padding: 8mm 4mm; }
table.sheet { width: 100%; border-collapse: collapse; }
table.sheet > * > tr > td { padding: 0; }
h1 { font-size: 25pt; line-height: 1.15; letter-spacing: -.01em; margin: 0 0 3mm; }
h2 { font-size: 16pt; line-height: 1.2; margin: 0 0 1mm; }
h3 { font-size: 10.5pt; margin: 6mm 0 1mm; color: #374151; }
p { margin: 0 0 2mm; }
.from { color: #374151; margin: 0 0 8mm; padding-bottom: 3mm; border-bottom: 2pt solid #1f2937; }
.lead { font-size: 12.5pt; }
.contents { list-style: none; margin: 7mm 0; padding: 0; columns: 2; column-gap: 10mm; }
.contents li { display: flex; gap: 2mm; padding: 1.3mm 0; border-bottom: .5pt solid #d1d5db; break-inside: avoid; }
.contents b { min-width: 6mm; }
.contents span:last-child { margin-left: auto; color: #374151; white-space: nowrap; }
.note { border: .75pt solid #9ca3af; border-radius: 2mm; padding: 3mm 4mm; margin: 4mm 0; break-inside: avoid; }
.words span { display: inline-block; border: .5pt solid #9ca3af; border-radius: 1mm; padding: 0 1.6mm; margin: .6mm .6mm .6mm 0; }
section { margin-top: 11mm; }
section:first-of-type { break-before: page; margin-top: 0; }
section > header { break-inside: avoid; margin: 0 0 5mm; padding-bottom: 2.5mm; border-bottom: 1pt solid #1f2937; break-after: avoid; }
section > header p { margin: 0; color: #374151; }
.step { display: grid; grid-template-columns: 13mm 1fr 50mm; column-gap: 4mm; padding: 3.5mm 0 3mm; border-bottom: .5pt solid #e5e7eb; break-inside: avoid; }
.step:last-child { border-bottom: 0; }
.no { font-weight: 700; font-size: 13pt; line-height: 1.2; color: #1f2937; border: 1.25pt solid #1f2937; border-radius: 2mm; text-align: center; padding: 1.2mm 0; align-self: start; }
.body > p:last-child { margin-bottom: 0; }
.side { font-size: 8.75pt; line-height: 1.4; color: #374151; }
.side svg { width: 44mm; height: auto; display: block; margin: 0 0 2mm; }
.side p { margin: 0 0 1.5mm; }
.side b { color: #111827; }
.do { margin: 2mm 0 0; padding: 0; list-style: none; }
.do li { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 2mm; padding: .5mm 0; }
.key { border: .75pt solid #4b5563; border-radius: 1.2mm; padding: .2mm 2.2mm; }
.key.first { border-width: 1.5pt; border-color: #1f2937; font-weight: 700; }
.to { color: #374151; font-size: 9pt; }
.type { font-weight: 700; margin-top: 2mm; }
.also .step { padding: 2.2mm 0; }
.also .no { font-size: 9.5pt; border-width: .75pt; font-weight: 600; padding: .8mm 0; }
.also .body { font-size: 9.5pt; }
.foot { border-top: .75pt solid #6b7280; margin-top: 4mm; padding-top: 2mm; font-size: 8.75pt; line-height: 1.35; color: #374151; display: flex; justify-content: space-between; gap: 6mm; }
.foot b { color: #111827; }
@media print { body { max-width: none; padding: 0; } html { font-size: 10pt; } }
</style>
</head>
<body>
<table class="sheet" role="presentation">
<tfoot><tr><td><div class="foot"><span><b>{{.Department}}</b>{{with .Org}} · {{.}}{{end}}<br>{{.Address}}</span><span><b>{{.Phone}}</b><br>{{.Hours}}</span><span>{{.Version}}</span></div></td></tr></tfoot>
<tbody><tr><td>
<main>
<h1>{{.Title}}</h1>
<p class="from">{{.Org}}{{with .Department}} · {{.}}{{end}}</p>
<p class="lead">{{.Summary}}</p>
{{range .Why}}<p>{{.}}</p>
{{end}}
<h3>{{.Say "contents"}}</h3>
<ol class="contents">
{{range .Chapters}}<li><b>{{.No}}</b><span>{{.Title}}</span><span>{{.Range}}</span></li>
{{end}}</ol>
<div class="note"><p>{{.Say "numbers"}}</p>
<p class="words">{{.Say "anytime"}}: {{range .Words}}<span>{{.}}</span> {{end}}</p></div>
{{$g := .}}
{{range .Chapters}}<section>
<header><h2>{{.No}}&ensp;{{.Title}}</h2>{{with .Summary}}<p>{{.}}</p>{{end}}{{with .Why}}<p>{{$g.Say "why"}}: {{.}}</p>{{end}}</header>
{{range .Steps}}{{template "step" .}}{{end}}
{{if .Also}}<div class="also"><h3>{{$g.Say "also"}}</h3>
{{range .Also}}{{template "step" .}}{{end}}</div>{{end}}
</section>
{{end}}
</main>
</td></tr></tbody>
</table>
</body>
</html>
`
