package flows_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"latchkey/bot"
	"latchkey/flows"
	"latchkey/flows/library"
)

// A script without a mistake, over the shipped ones. Each case below breaks it
// in one place.
const goodX = `flow: x
title: An example
summary: For the tests.
why: For {org}.
letter: Z
triggers: [example]
start: look
parts: [one]
steps:
  look:
    check: t.look
    outcomes:
      ok: first
      no: {say: "Left: {left}.", goto: first}
  first:
    guide: [S1]
    part: one
    ask: What is it at {org}?
    help: Look again.
    picture: plus
    alt: A plus sign.
    answer: {kind: digits6, check: t.code, format: "Six digits, please."}
    outcomes:
      ok: pick
      no: {say: "Still left: {left}.", goto: retry}
    signals:
      undelivered: {say: "It did not arrive.", goto: second}
    skip: second
    resend: linked
    choices:
      - {id: next, label: Go on, primary: true, words: [forward], set: {colour: red}, goto: second}
      - {verb: later}
  linked:
    ask: Please sign in and type the code.
    page: {form: t_page, title: "Sign in to {org}", button: Sign in}
    answer: {kind: code8, check: t.code, format: "Eight characters, please."}
    outcomes:
      ok: pick
      no: {say: "There are left: {left}.", goto: retry}
  second:
    form: t_form
    check: t.save
    title: A form of {org}
    text: Please fill it in.
    typed: "Not here, please."
    fields:
      - {name: a, label: An answer, mask: true}
    button: Send
    outcomes:
      ok: pick
  pick:
    check: t.options
    outcomes:
      some: which
      none: done
  which:
    ask: Which one?
    options: true
    refresh: pick
    slot: one
    goto: show
  show:
    branch: one
    cases:
      a: told
    otherwise: done
  told:
    say: You picked {one}.
    goto: sub
  sub:
    run: y
    outcomes:
      ok: thanks
  thanks:
    say: Thank you, {two}.
    goto: done
  done:
    end: ok
`

const goodY = `flow: y
title: A part of it
summary: For the tests, too.
takes: [one]
gives: [two]
start: say
steps:
  say:
    ask: "{one} it is."
    choices:
      - {id: ok, label: Good, set: {two: "{one}"}, goto: ok}
  ok:
    end: ok
`

const goodES = `language: {code: es, name: Español}
flows:
  x:
    title: Un ejemplo
    summary: Para las pruebas.
    why: Para {org}.
    triggers: [ejemplo]
    steps:
      look: {outcomes: {no: "Quedan: {left}."}}
      first:
        ask: ¿Qué es en {org}?
        help: Mire otra vez.
        alt: Un signo más.
        format: "Seis cifras, por favor."
        outcomes: {no: "Todavía quedan: {left}."}
        signals: {undelivered: No llegó.}
        choices: {next: Seguir}
      linked:
        ask: Entre y escriba el código.
        title: Entrar en {org}
        button: Entrar
        format: "Ocho caracteres, por favor."
        outcomes: {no: "Hay todavía: {left}."}
      second:
        title: Un formulario de {org}
        text: "Llénelo, por favor."
        typed: "Aquí no, por favor."
        fields: {a: Una respuesta}
        button: Enviar
      which:
        ask: ¿Cuál?
      told: {say: "Eligió {one}."}
      thanks: {say: "Gracias, {two}."}
  y:
    title: Una parte
    summary: También para las pruebas.
    steps:
      say: {ask: "Es {one}.", choices: {ok: Bien}}
`

// lintCatalogue adds the checks of the script above to the real ones.
func lintCatalogue() bot.Catalogue {
	cat := catalogue()
	for _, s := range []bot.CheckSpec{
		{Name: "t.look", Outcomes: map[string][]string{"ok": nil, "no": {"left"}}},
		{Name: "t.code", Outcomes: map[string][]string{"ok": nil, "no": {"left"}}},
		{Name: "t.save", Outcomes: map[string][]string{"ok": nil}},
		{Name: "t.options", Options: true, Outcomes: map[string][]string{"some": nil, "none": nil}},
		{Name: "t.takes", Takes: []string{"shade"}, Outcomes: map[string][]string{"some": nil, "none": nil}, Options: true},
	} {
		cat.Checks[s.Name] = s
	}
	cat.Forms["t_form"] = bot.FormSpec{Name: "t_form"}
	cat.Forms["t_page"] = bot.FormSpec{Name: "t_page"}
	return cat
}

func inspect(files map[string]string) flows.Problems {
	own := fstest.MapFS{}
	for name, text := range files {
		own[name] = &fstest.MapFile{Data: []byte(text)}
	}
	_, probs := flows.Inspect(library.FS, own, lintCatalogue())
	return probs
}

func TestGoodScriptHasNoProblems(t *testing.T) {
	for _, p := range inspect(map[string]string{"x.yaml": goodX, "y.yaml": goodY, "lang/es.yaml": goodES}) {
		t.Error(p)
	}
}

// want is a problem at the first line of a file that holds at, with words.
type want struct{ at, words string }

func TestLintNamesEveryMistake(t *testing.T) {
	long := strings.Repeat("word ", 420)
	many := ""
	for i := range 30 {
		many += fmt.Sprintf("\n      - {id: c%d, label: Choice %d, goto: second}", i, i)
	}
	var manyES strings.Builder
	for i := range 30 {
		fmt.Fprintf(&manyES, ", c%d: Opción %d", i, i)
	}
	const choice = "      - {id: next, label: Go on, primary: true, words: [forward], set: {colour: red}, goto: second}"
	cases := []struct {
		name     string
		file     string // x.yaml unless given
		old, new string
		es       [2]string // a change of the translation that goes with it
		want     []want
		wantFile string // where the problem is, when it is another file
	}{
		// ways
		{name: "unknown step", old: "goto: sub", new: "goto: subb", want: []want{{"goto: subb", `leads to step "subb", which does not exist; did you mean "sub"?`}}},
		{name: "unreachable step", old: "  done:\n", new: "  lonely:\n    end: ok\n  done:\n", want: []want{{"lonely:", "step lonely cannot be reached"}}},
		{name: "dead end", old: "goto: second}\n      - {verb", new: "goto: trap}\n      - {verb", want: []want{{"  trap:", "step trap is a dead end"}},
			es: [2]string{"      which:\n", "      trap: {ask: \"¿Otra vez?\", choices: {more: Más}}\n      which:\n"}},
		{name: "no way forward", old: "  which:\n    ask: Which one?\n    options: true\n    refresh: pick\n    slot: one\n    goto: show\n", new: "  which:\n    ask: Which one?\n",
			want: []want{{"  which:", "step which has no way forward"}, {"  which:", "is a dead end"}, {"  show:", "cannot be reached"}, {"  told:", "cannot be reached"}, {"  sub:", "cannot be reached"}, {"  thanks:", "cannot be reached"}}},
		{name: "round without a question", old: "    say: You picked {one}.\n    goto: sub", new: "    say: You picked {one}.\n    goto: show",
			want: []want{{"  told:", "step told goes round and round"}, {"  show:", "step show goes round and round"}, {"  sub:", "cannot be reached"}, {"  thanks:", "cannot be reached"}, {"flow: x", ""}}},
		{name: "kind", old: "    say: You picked {one}.\n", new: "    run: y\n    say: You picked {one}.\n", want: []want{{"  told:", "both run and say"}}},
		{name: "unknown key", old: "    refresh: pick", new: "    refersh: pick", want: []want{{"refersh", `no key "refersh"; did you mean "refresh"?`}}},
		{name: "key without meaning", old: "  told:\n    say", new: "  told:\n    skip: done\n    say", want: []want{{"  told:", "skip has no meaning in a say step told"}}},

		// checks, forms, flows, signals
		{name: "missing outcome", old: "      none: done\n", new: "", want: []want{{"  pick:", `does not say what follows outcome "none" of check t.options`}}},
		{name: "outcome never given", old: "      none: done\n", new: "      none: done\n      nonne: done\n", want: []want{{"nonne", `check t.options never gives outcome "nonne"; did you mean "none"?`}}},
		{name: "unknown check", old: "check: t.look", new: "check: t.lok", want: []want{{"  look:", `there is no check "t.lok"; did you mean "t.look"?`}, {`say: "Left: {left}."`, "needs {left}"}}},
		{name: "unknown form", old: "form: t_form", new: "form: t_from", want: []want{{"  second:", `there is no form "t_from"; did you mean "t_form"?`}}},
		{name: "form without typed", old: "    typed: \"Not here, please.\"\n", new: "", es: [2]string{"        typed: \"Aquí no, por favor.\"\n", ""}, want: []want{{"  second:", "form step second needs typed:"}}},
		{name: "end not handled", file: "y.yaml", old: "  ok:\n    end: ok\n", new: "  ok:\n    branch: two\n    cases: {b: bad}\n    otherwise: good\n  good:\n    end: ok\n  bad:\n    end: bad\n",
			want: []want{{"  sub:", `does not say what follows end "bad" of flow y`}}, wantFile: "x.yaml"},
		{name: "end never given", old: "    run: y\n    outcomes:\n      ok: thanks\n", new: "    run: y\n    outcomes:\n      ok: thanks\n      okk: done\n", want: []want{{"okk", `flow y never ends with "okk"; did you mean "ok"?`}}},
		{name: "unknown flow", old: "run: y", new: "run: why", want: []want{{"  sub:", `there is no flow "why"`}}},
		{name: "signal that nothing raises", old: "      undelivered: {", new: "      undeliverd: {", es: [2]string{"signals: {undelivered", "signals: {undeliverd"},
			want: []want{{"undeliverd", `nothing raises the signal "undeliverd"; did you mean "undelivered"?`}}},
		{name: "nothing starts it", old: "run: y", new: "run: prove", want: []want{{"flow: y", "nothing starts flow y"}, {"XX", "failed"}, {"XX", "two"}}, wantFile: "y.yaml"},
		{name: "secret as text", old: "{kind: digits6, check: t.code", new: "{kind: digits6, check: t.save", want: []want{{"  first:", "takes a secret as typed text (check t.save); use a form step"}, {"no: {say: \"Still", "never gives outcome"}, {`say: "Still`, "needs {left}"}}},
		{name: "digits without format", old: `, format: "Six digits, please."}`, new: "}", es: [2]string{"        format: \"Seis cifras, por favor.\"\n", ""}, want: []want{{"  first:", "takes six digits but has no format"}}},
		{name: "code without format", old: `, format: "Eight characters, please."}`, new: "}", es: [2]string{"        format: \"Ocho caracteres, por favor.\"\n", ""}, want: []want{{"  linked:", "takes a code but has no format"}}},
		{name: "page without button", old: ", button: Sign in}", new: "}", es: [2]string{"        button: Entrar\n", ""}, want: []want{{"  linked:", "the page of step linked needs button:"}}},
		{name: "page without title", old: `, title: "Sign in to {org}"`, new: "", es: [2]string{"        title: Entrar en {org}\n", ""}, want: []want{{"  linked:", "the page of step linked needs title:"}}},
		{name: "page without form", old: "{form: t_page, ", new: "{", want: []want{{"  linked:", "the page of step linked needs form:"}}},
		{name: "page with an unknown form", old: "form: t_page", new: "form: t_pagge", want: []want{{"  linked:", `there is no form "t_pagge"; did you mean "t_page"?`}}},
		{name: "page with an unknown key", old: "form: t_page", new: "fields: [], form: t_page", want: []want{{"page: {", `page has no key "fields"`}}},
		{name: "page with a slot", old: `"Sign in to {org}"`, new: `"Sign in to {left}"`, es: [2]string{"Entrar en {org}", "Entrar en {left}"}, want: []want{{"page: {", "only facts that are always there"}, {"title: Entrar", ""}}},
		{name: "page without an answer", old: "    answer: {kind: code8, check: t.code, format: \"Eight characters, please.\"}\n    outcomes:\n      ok: pick\n      no: {say: \"There are left: {left}.\", goto: retry}\n",
			new: "    choices:\n      - {id: next, label: Go on, goto: pick}\n", es: [2]string{"        format: \"Ocho caracteres, por favor.\"\n        outcomes: {no: \"Hay todavía: {left}.\"}\n", "        choices: {next: Seguir}\n"},
			want: []want{{"  linked:", "step linked has a page but takes no answer"}}},
		{name: "page that is not translated", file: "lang/es.yaml", old: "        button: Entrar\n", new: "", want: []want{{"button: Sign in}", `add "flows: x: steps: linked: button" to scripts.dir/lang/es.yaml`}}, wantFile: "x.yaml"},
		{name: "page of a form step", old: "    form: t_form\n", new: "    form: t_form\n    page: {form: t_form}\n", want: []want{{"  second:", "page has no meaning in a form step second"}}},
		{name: "title of a step without a page", old: "    say: You picked {one}.", new: "    say: You picked {one}.\n    title: Hello", want: []want{{"  told:", "title has no meaning in a say step told"}, {"title: Hello", ""}}},
		{name: "options without refresh", old: "    refresh: pick\n", new: "", want: []want{{"  which:", "step which needs refresh:"}}},
		{name: "options without a check", old: "      ok: pick\n  pick", new: "      ok: which\n  pick", want: []want{{"ok: which", "outcome ok of step second leads to it without one"}}},

		// slots
		{name: "slot empty on some way", old: "    ask: What is it at {org}?", new: "    ask: What is it at {org}, {left}?", es: [2]string{"¿Qué es en {org}?", "¿Qué es en {org}, {left}?"},
			want: []want{{"    ask: What", "the text of step first needs {left}, which may be empty here"}}},
		{name: "slot that nothing fills", old: "    say: You picked {one}.", new: "    say: You picked {onee}.", es: [2]string{"Eligió {one}.", "Eligió {onee}."},
			want: []want{{"    say: You", `needs {onee}, which nothing ever fills; did you mean "one"?`}}},
		{name: "check takes", old: "check: t.options", new: "check: t.takes", want: []want{{"  pick:", "check t.takes of step pick needs {shade}, which nothing ever fills"}}},
		{name: "copied slot", old: "set: {colour: red}", new: `set: {colour: "{left}"}`, want: []want{{choice[:24], "set colour of step first needs {left}, which may be empty"}}},
		{name: "branch slot", old: "branch: one", new: "branch: oned", want: []want{{"  show:", `branches on oned, which nothing ever fills; did you mean "one"?`}, {"  sub:", "needs {one}"}, {"    say: You", "needs {one}"}}},
		{name: "flow takes", file: "y.yaml", old: "takes: [one]", new: "takes: [one, colour]", want: []want{{"  sub:", "flow y, which step sub runs, needs {colour}, which may be empty"}}, wantFile: "x.yaml"},
		{name: "flow gives", file: "y.yaml", old: "gives: [two]", new: "gives: [two, three]", want: []want{{"flow: y", "flow y gives {three}, but no end of it has that slot surely filled"}}},
		{name: "gives forgotten", file: "y.yaml", old: "gives: [two]\n", new: "", want: []want{{"    say: Thank", "needs {two}, which may be empty here"}}, wantFile: "x.yaml"},
		{name: "takes behind a word", old: "start: look", new: "takes: [left]\nstart: look", want: []want{{"flow: x", "takes {left}, but a word starts it anywhere"}}},
		{name: "title with a slot", old: "title: A form of {org}", new: "title: A form of {left}", es: [2]string{"Un formulario de {org}", "Un formulario de {left}"},
			want: []want{{"title: A form", "only facts that are always there"}, {"title: Un form", ""}}},

		// texts
		{name: "not translated", old: "    help: Look again.", new: "    help: Look again.\n    why: Because.", want: []want{{"why: Because", `the why of step first is not translated to Español; add "flows: x: steps: first: why" to scripts.dir/lang/es.yaml`}}},
		{name: "choice not translated", old: choice, new: choice + "\n      - {id: more, label: More, goto: second}", want: []want{{"id: more", `"flows: x: steps: first: choices: more"`}}},
		{name: "triggers not translated", file: "lang/es.yaml", old: "    triggers: [ejemplo]\n", new: "", want: []want{{"flow: x", "flow x has no triggers in Español"}}, wantFile: "x.yaml"},
		{name: "placeholder missing in a translation", file: "lang/es.yaml", old: "say: \"Eligió {one}.\"", new: "say: \"Eligió algo.\"", want: []want{{"Eligió", "the text of step told lacks {one} in Español"}}},
		{name: "placeholder too many", file: "lang/es.yaml", old: "ask: ¿Cuál?", new: "ask: ¿Cuál de {list}?", want: []want{{"¿Cuál de", "has {list} in Español, which the text in English does not have"}}},
		{name: "too long", old: "    say: You picked {one}.", new: "    say: You picked {one}. " + long, want: []want{{"    say: You", "the smallest platform shows 2000"}}},
		{name: "too long in a translation", file: "lang/es.yaml", old: "ask: ¿Cuál?", new: "ask: ¿Cuál? " + long, want: []want{{"¿Cuál?", "characters in es; the smallest platform shows 2000"}}},
		{name: "too long together", old: `say: "It did not arrive."`, new: `say: "It did not arrive. ` + long[:1965] + `"`, want: []want{{"undelivered:", "signal undelivered of step first begins a message of up to"}}},
		{name: "label too long", old: "label: Go on,", new: "label: Go on and on " + strings.Repeat("and on ", 12) + ",", want: []want{{choice[:18], "the choice next of step first has"}}},
		{name: "placeholder in a label", old: "label: Go on,", new: `label: "Go on {org}",`, want: []want{{choice[:18], "cannot have placeholders"}, {"flow: x", ""}}},
		{name: "address in a text", old: "help: Look again.", new: `help: "Look at https://example.com."`, want: []want{{"help: \"Look", "has an address in it; put the address into the configuration"}}},
		{name: "address in a link", old: choice, new: choice + "\n      - {id: site, label: Site, link: \"https://example.com\"}", es: [2]string{"choices: {next: Seguir}", "choices: {next: Seguir, site: Sitio}"}, want: []want{{"id: site", "choice site of step first has an address in it"}}},
		{name: "link without a fact", old: choice, new: choice + "\n      - {id: site, label: Site, link: \"{trouble_uri}\"}", es: [2]string{"choices: {next: Seguir}", "choices: {next: Seguir, site: Sitio}"},
			want: []want{{"id: site", `needs {trouble_uri}, which is not a fact that is always there; did you mean "trouble_url"?`}}},
		{name: "unknown list in a text", old: "    say: You picked {one}.", new: "    say: You picked {one|question}.", es: [2]string{"Eligió {one}.", "Eligió {one|question}."}, want: []want{{"    say: You", `there is no list "question"; did you mean "questions"?`}, {"say: \"Elig", ""}}},

		// choices
		{name: "choice without label", old: "label: Go on, primary", new: "primary", es: [2]string{"        choices: {next: Seguir}\n", ""}, want: []want{{choice[:18], "choice next of step first has no label"}}},
		{name: "same word", old: choice, new: choice + "\n      - {id: more, label: More, words: [forward], goto: second}", es: [2]string{"choices: {next: Seguir}", "choices: {next: Seguir, more: Más}"},
			want: []want{{"id: more", `"forward" leads to choice next and to choice more`}}},
		{name: "word of a verb", old: "words: [forward]", new: "words: [forward, cancel]", want: []want{{choice[:18], `warning: "cancel" of choice next of step first also means "cancel" everywhere`}}},
		{name: "too many choices", old: choice, new: choice + many, es: [2]string{"choices: {next: Seguir}", "choices: {next: Seguir" + manyES.String() + "}"},
			want: []want{{"  first:", "step first has 33 choices with Help; a platform shows 25 at most"}}},
		{name: "choice twice", old: choice, new: choice + "\n" + strings.Replace(choice, "words: [forward], ", "", 1), want: []want{{"XX", "has choice next twice"}, {"XX", "leads to choice next"}}},

		// the flow
		{name: "no title", old: "title: An example\n", new: "", es: [2]string{"    title: Un ejemplo\n", ""}, want: []want{{"flow: x", "flow x has no title"}}},
		{name: "no summary", old: "summary: For the tests.\n", new: "", es: [2]string{"    summary: Para las pruebas.\n", ""}, want: []want{{"flow: x", "flow x has no summary"}}},
		{name: "part that no step has", old: "parts: [one]", new: "parts: [one, two]", want: []want{{"flow: x", "no step has part: two"}}},
		{name: "guide line", old: "guide: [S1]", new: "guide: [S62]", want: []want{{"  first:", `guide line "S62" of step first is not one of S1 to S61`}}},
		{name: "letter twice", old: "letter: Z", new: "letter: P", want: []want{{"flow: x", "letter P is already used by flow phone"}}},
		{name: "trigger twice", old: "triggers: [example]", new: "triggers: [example, trouble]", want: []want{{"flow: x", `trigger "trouble" already starts trouble`}}},
		{name: "trigger is a word", old: "triggers: [example]", new: "triggers: [example, help me]", want: []want{{"flow: x", `trigger "help me" of flow x is never heard: it means "help" everywhere (en)`}}},
		{name: "trigger is a greeting", old: "triggers: [example]", new: "triggers: [example, hola]", want: []want{{"flow: x", `trigger "hola" of flow x is never heard: it is a greeting (es)`}}},
		{name: "courtesy of one language", file: "lang/es.yaml", old: "flows:\n", new: "courtesies: {luck: {say: [suerte], answer: Igualmente.}}\nflows:\n", want: []want{{"courtesies:", "courtesy luck of Español is not in English"}}},
		{name: "courtesy without an answer", file: "lang/es.yaml", old: "flows:\n", new: "courtesies: {luck: {say: [suerte]}}\nflows:\n", want: []want{{"courtesies:", "courtesy luck has no answer in Español"}, {"courtesies:", "is not in English"}}},
		{name: "courtesy that nobody can type", file: "lang/es.yaml", old: "flows:\n", new: "courtesies: {luck: {say: [], answer: Igualmente.}}\nflows:\n", want: []want{{"courtesies:", "nothing can be typed for the courtesy luck in Español"}, {"courtesies:", "is not in English"}}},
		{name: "courtesy twice", file: "lang/es.yaml", old: "flows:\n", new: "courtesies: {fine: {say: [gracias]}}\nflows:\n", want: []want{{"courtesies:", `"gracias" stands in two courtesies`}}},
		{name: "courtesy that is a word", file: "lang/es.yaml", old: "flows:\n", new: "courtesies: {luck: {say: [ayuda], answer: Igualmente.}}\nflows:\n", want: []want{{"courtesies:", `"ayuda" of courtesy luck is never heard: it means "help" everywhere`}, {"courtesies:", "is not in English"}}},
		{name: "picture missing", old: "picture: plus", new: "picture: pluss", want: []want{{"  first:", `there is no picture pictures/pluss.svg; did you mean "plus"?`}}},
		{name: "picture without alt", old: "    alt: A plus sign.\n", new: "", es: [2]string{"        alt: Un signo más.\n", ""}, want: []want{{"  first:", "the picture of step first needs alt:"}}},
		{name: "not YAML", old: "    say: You picked {one}.", new: "    say: You picked: this: {one}.", want: []want{{"    say: You", "not valid YAML: mapping values are not allowed"}, {"XX", ""}}},
		{name: "replaces without based_on", old: "flow: x", new: "flow: home", es: [2]string{"  x:", "  home:"}, want: []want{{"flow: home", "does not say which one it was based on; add based_on: "}, {"XX", "trigger"}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"x.yaml": goodX, "y.yaml": goodY, "lang/es.yaml": goodES}
			file := c.file
			if file == "" {
				file = "x.yaml"
			}
			if strings.Count(files[file], c.old) < 1 {
				t.Fatalf("the script does not hold %q", c.old)
			}
			files[file] = strings.Replace(files[file], c.old, c.new, 1)
			if c.name == "dead end" {
				files["x.yaml"] += "  trap:\n    ask: Again?\n    choices:\n      - {id: more, label: More, goto: trap}\n"
			}
			if c.es[0] != "" {
				if !strings.Contains(files["lang/es.yaml"], c.es[0]) {
					t.Fatalf("the translation does not hold %q", c.es[0])
				}
				files["lang/es.yaml"] = strings.Replace(files["lang/es.yaml"], c.es[0], c.es[1], 1)
			}
			probs := inspect(files)
			in := c.wantFile
			if in == "" {
				in = file
			}
			w := c.want[0]
			line := 0
			for i, l := range strings.Split(files[in], "\n") {
				if strings.Contains(l, w.at) {
					line = i + 1
					break
				}
			}
			prefix := fmt.Sprintf("scripts.dir/%s:%d: ", in, line)
			found := false
			var rest []string
			for _, p := range probs {
				s := p.String()
				if strings.HasPrefix(s, prefix) && strings.Contains(s, w.words) {
					found = true
					continue
				}
				rest = append(rest, s)
			}
			if w.at == "XX" { // any line
				for _, p := range probs {
					found = found || strings.Contains(p.String(), w.words)
				}
			}
			if !found {
				t.Errorf("not found: %s … %s\nfound:\n%s", prefix, w.words, probs.Error())
			}
			if len(c.want) == 1 && len(rest) > 0 {
				t.Errorf("found besides:\n%s", strings.Join(rest, "\n"))
			}
		})
	}
}

// Mistakes in language files, lists, answers and pictures.
func TestLintOfLanguagesAndPictures(t *testing.T) {
	for _, c := range []struct {
		name, file, text, want string
	}{
		{"phrase unknown", "lang/en.yaml", "language: {code: en, name: English}\nphrases:\n  new.one: \"A {n}\"\n",
			"scripts.dir/lang/en.yaml:3: the phrase new.one is not translated to Español"},
		{"phrase placeholder", "lang/es.yaml", "language: {code: es, name: Español}\nphrases:\n  wait.seconds.other: segundos\n",
			"scripts.dir/lang/es.yaml:3: the phrase wait.seconds.other lacks {n} in Español"},
		{"sentence placeholder", "lang/es.yaml", "language: {code: es, name: Español}\nsystem:\n  progress: Paso {n}\n",
			"scripts.dir/lang/es.yaml:3: the sentence progress lacks {m} in Español"},
		{"sentence needs a slot", "lang/en.yaml", "language: {code: en, name: English}\nsystem:\n  idle: Hello {name}\n",
			"scripts.dir/lang/en.yaml:3: the sentence idle needs {name}, but only facts that are always there"},
		{"reply with an unknown placeholder", "lang/en.yaml", "language: {code: en, name: English}\nreplies:\n  moment: {title: Wait, say: \"One moment, {nam}.\"}\n",
			"scripts.dir/lang/en.yaml:3: the say of reply moment needs {nam}, but only {agent}, {name}, {step}, {ticket} and facts that are always there may stand in it; did you mean \"name\"?"},
		{"reply changed, translation stale", "lang/en.yaml", "language: {code: en, name: English}\nreplies:\n  moment: {say: \"Hold on.\"}\n",
			"scripts.dir/lang/en.yaml:3: the say of reply moment is not translated to Español; add \"replies: moment: say\" to scripts.dir/lang/es.yaml"},
		{"reply that lacks a placeholder", "lang/es.yaml", "language: {code: es, name: Español}\nreplies:\n  greeting: {say: Hola.}\n",
			"scripts.dir/lang/es.yaml:3: the say of reply greeting lacks {name} in Español"},
		{"reply of one language", "lang/es.yaml", "language: {code: es, name: Español}\nreplies:\n  luck: {title: Suerte, say: Suerte.}\n",
			"scripts.dir/lang/es.yaml:3: reply luck has no say in English; add replies: luck: {say: ...} to scripts.dir/lang/en.yaml"},
		{"reply without a text", "lang/en.yaml", "language: {code: en, name: English}\nreplies:\n  luck: {title: Luck}\n",
			"scripts.dir/lang/en.yaml:3: reply luck has no say in English"},
		{"third language, replies", "lang/fr.yaml", "language: {code: fr, name: Français}\n",
			"the title of reply greeting is not translated to Français; add \"replies: greeting: title\" to scripts.dir/lang/fr.yaml"},
		{"third language", "lang/fr.yaml", "language: {code: fr, name: Français}\n",
			"scripts.dir/lang/fr.yaml:1: the word help has no label in Français"},
		{"third language, texts", "lang/fr.yaml", "language: {code: fr, name: Français}\n",
			"is not translated to Français; add \"flows: phone: steps: number: ask\" to scripts.dir/lang/fr.yaml"},
		{"third language, answers", "lang/fr.yaml", "language: {code: fr, name: Français}\n",
			"nothing finds answer cost in Français"},
		{"third language, lists", "lang/fr.yaml", "language: {code: fr, name: Français}\n",
			"entry first_film of list questions is not translated to Français"},
		{"answer needs a slot", "faq.yaml", "faq:\n  cost:\n    when: [cost]\n    say: Nothing, {name}.\n",
			"scripts.dir/faq.yaml:4: answer cost needs {name}, but only facts"},
		{"answer runs nothing", "faq.yaml", "faq:\n  cost:\n    when: [cost]\n    run: get_inn\n",
			"scripts.dir/faq.yaml:2: answer cost runs flow \"get_inn\", which does not exist; did you mean \"get_in\"?"},
		{"answer says nothing", "faq.yaml", "faq:\n  cost:\n    when: [cost]\n",
			"scripts.dir/faq.yaml:2: answer cost says nothing; add say: with a text, or run: with a flow"},
		{"answer for no flow", "faq.yaml", "faq:\n  cost:\n    at: [get_inn]\n    when: [cost]\n    run: get_in\n",
			"scripts.dir/faq.yaml:2: answer cost is for flow \"get_inn\", which does not exist; did you mean \"get_in\"?"},
		{"answer for no step", "faq.yaml", "faq:\n  cost:\n    at: [get_in.ap]\n    when: [cost]\n    run: get_in\n",
			"scripts.dir/faq.yaml:2: answer cost is for step ap of flow get_in, which does not exist; did you mean \"app\"?"},
		{"answer goes to no step", "faq.yaml", "faq:\n  cost:\n    at: [get_in]\n    when: [cost]\n    goto: wais\n",
			"scripts.dir/faq.yaml:5: answer cost goes to \"wais\", which is no step of flow get_in; did you mean \"ways\"?"},
		{"answer goes to a step of two flows", "faq.yaml", "faq:\n  cost:\n    at: [get_in.app, home.menu]\n    when: [cost]\n    goto: ways\n",
			"scripts.dir/faq.yaml:2: answer cost goes to a step, so at: can name one flow only, not get_in.app and home.menu"},
		{"answer goes to a step of no flow", "faq.yaml", "faq:\n  cost:\n    when: [cost]\n    goto: ways\n",
			"scripts.dir/faq.yaml:2: answer cost goes to a step; add at: with the flow that has it"},
		{"answer changed, translation stale", "faq.yaml", "faq:\n  cost:\n    when: [cost]\n    say: A lot.\n",
			"scripts.dir/faq.yaml:4: answer cost is not translated to Español"},
		{"list changed, translation stale", "list.yaml", "list: questions\nentries:\n  first_film: Which film did you like first?\n",
			"scripts.dir/list.yaml:3: entry first_film of list questions is not translated"},
		{"picture with a program", "pictures/plus.svg", `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><script>1</script></svg>`,
			"scripts.dir/pictures/plus.svg: the picture has <script>; only shapes are allowed"},
		{"picture with an address", "pictures/plus.svg", `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><rect fill="url(http://x.example)"/></svg>`, "only shapes are allowed, without programs and addresses"},
		{"picture with words", "pictures/plus.svg", `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><text>Hi</text></svg>`, "which nobody translates"},
		{"picture that is none", "pictures/plus.svg", `<svg`, "not a valid SVG"},
		{"picture that no step shows", "pictures/new.svg", `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0"/></svg>`,
			"scripts.dir/pictures/new.svg: warning: no step shows this picture"},
	} {
		t.Run(c.name, func(t *testing.T) {
			probs := inspect(map[string]string{c.file: c.text})
			if !strings.Contains(probs.Error(), c.want) {
				t.Errorf("not found: %s\nfound:\n%.2000s", c.want, probs.Error())
			}
		})
	}
}

// Without checks in the catalogue the outcomes and slots cannot be followed,
// and lint keeps to the rest.
func TestLintWithoutCatalogue(t *testing.T) {
	set, probs := flows.Inspect(library.FS, nil, bot.Catalogue{})
	if len(probs) > 0 {
		t.Errorf("%v", probs)
	}
	if set.Flow("phone") == nil {
		t.Error("the set is empty")
	}
}

// An own script that changes one sentence keeps the shipped translations of
// all the others, and says which sentence is new.
func TestOwnScriptKeepsTranslations(t *testing.T) {
	shippedPhone, err := library.FS.ReadFile("phone.yaml")
	if err != nil {
		t.Fatal(err)
	}
	hash := flows.Hash(shippedPhone)
	text := strings.Replace(string(shippedPhone), "flow: phone\n", "flow: phone\nbased_on: "+hash+"\n", 1)
	text = strings.Replace(text, "summary: A phone number", "summary: Any phone number", 1)
	probs := inspect(map[string]string{"phone.yaml": text})
	if len(probs) != 1 || !strings.Contains(probs[0].String(), "the summary of flow phone is not translated to Español") {
		t.Fatalf("problems: %v", probs)
	}
	probs = inspect(map[string]string{"phone.yaml": text, "lang/es.yaml": "language: {code: es, name: Español}\nflows: {phone: {summary: Cualquier número.}}\n"})
	if len(probs) > 0 {
		t.Fatalf("problems: %v", probs)
	}
	// based on another one than is shipped now: a warning that names both
	probs = inspect(map[string]string{"phone.yaml": strings.Replace(string(shippedPhone), "flow: phone\n", "flow: phone\nbased_on: 0123456789ab\n", 1)})
	if len(probs) != 1 || !probs[0].Warn || !strings.Contains(probs[0].Msg, hash) {
		t.Fatalf("problems: %v", probs)
	}
}

// The shipped answers name steps of shipped scripts; an own script that does
// without those steps is no mistake.
func TestOwnScriptWithoutTheStepsOfAnswers(t *testing.T) {
	own := "flow: get_in\ntitle: Will I still get in after 1 February?\nsummary: Asks the help desk.\ntriggers: [february]\nstart: here\nsteps:\n" +
		"  here:\n    ask: Please ask the help desk.\n    why: They know.\n    choices:\n      - {id: ok, label: All right, goto: ok}\n  ok:\n    end: ok\n"
	for _, p := range inspect(map[string]string{"get_in.yaml": own}) {
		if strings.HasPrefix(p.Msg, "answer ") {
			t.Errorf("%v", p)
		}
	}
}
