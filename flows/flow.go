package flows

import (
	"latchkey/bot"
)

// Pos is a place in a script.
type Pos struct {
	File string
	Line int
}

// A Flow is one script.
type Flow struct {
	Name    string
	Title   Text
	Summary Text
	Why     Text
	Letter  string // of the step numbers on the printed guide: "P" gives P1, P2, ...
	Start   string
	Parts   []string // for "Step 2 of 4": which parts a run of this flow has
	Takes   []string // slots that whoever runs it must have set
	Gives   []string // slots handed to the flow that ran it
	Outside []string // it may begin from outside (bot.Begin), with these slots; nil: it may not
	BasedOn string   // hash of the shipped script that an own script replaced
	System  bool     // from library/system: started by a word at any step
	Hash    string   // of the file's text
	Steps   map[string]*Step
	Order   []*Step // as written
	Pos     Pos

	triggers [][]string // by language
	start    *Step
	progress [][]string // by language, by part: "Step 2 of 4"
}

// A Step of a flow. Which fields are used depends on its kind.
type Step struct {
	ID    string
	Kind  *Kind
	Pos   Pos
	Ref   string   // "P3"; only for steps a person sees
	Guide []string // lines of the paper guide that it covers: "S27"
	Part  string   // for progress

	Text    Text // say, ask, form; an end step may have one
	Short   Text // asked again in few words
	Why     Text
	Help    Text
	Still   Text // call: what is said when it takes long
	Typed   Text // form: what is said when somebody types into the chat instead
	Picture string
	Alt     Text

	Choices []Choice
	Options bool     // choices come from the last check
	List    string   // choices come from a list ...
	Except  []string // ... without the values of these slots
	Slot    string   // where the picked option or list entry goes
	Answer  Answer   // ask: typed answer
	Next    Target   // say; ask with options or list

	Page    bool        // ask: it comes with a one-time page to sign in on
	Fields  []FormField // form
	Title   Text        // form, page
	Button  Text        // form, page
	FormID  string      // form, page: name in the catalogue
	Reveals bool        // form
	Check   string      // check, form, call
	Outcome []OutcomeTarget
	Signals []OutcomeTarget

	Branch    string // slot
	Cases     []Case
	Otherwise string

	RunFlow string // run
	EndName string // end: outcome for the flow that ran this one
	Rest    bool   // end: where nothing but a greeting waits below, that ends too

	Skip     string // where "skip" leads
	Resend   string // where "resend" leads
	Back     string // where "back" leads; default: the step asked before
	Refresh  string // enter here instead of asking again
	Fleeting bool   // its message is taken back when the step is over

	needy                                  bool // some choices have Needs
	flow                                   *Flow
	looks                                  []look // by language: what never changes
	skip, resend, back, refresh, otherwise *Step
	outcomes                               map[string]*OutcomeTarget
	signals                                map[string]*OutcomeTarget
	run                                    *Flow
}

// check is the check that a step asks, or empty.
func (s *Step) check() string {
	if s.Kind == Ask {
		return s.Answer.Check
	}
	return s.Check
}

// AnswerKind says how typed text becomes the input of a check.
type AnswerKind uint8

// The answer kinds.
const (
	NoAnswer  AnswerKind = iota
	Digits6              // six digits, however they are written; anything else is a format error and burns no attempt
	PhoneText            // looks like a number: at least three digits
	EmailText            // has an @
	LoginText            // one word
	AnyText              // anything
	Code8                // eight to sixteen characters of Crockford's base 32; anything else is a format error and burns no attempt
)

var answerNames = map[string]AnswerKind{"digits6": Digits6, "phone": PhoneText, "email": EmailText, "login": LoginText, "text": AnyText, "code8": Code8}

// Answer describes a typed answer.
type Answer struct {
	Kind   AnswerKind
	Check  string
	Format Text // what is said when the text has not the right form
}

// Choice of an ask step.
type Choice struct {
	ID      string
	Label   Text
	Words   [][]string // by language: what else may be typed
	Primary bool
	Link    string
	Set     []bot.Fact
	Next    Target
	Verb    string // a word that works everywhere, as a button
	Needs   string // fact without which it is not offered
	Pos     Pos
}

// Target is where something leads, with an optional sentence before.
type Target struct {
	Say  Text
	Goto string // step, or "retry": ask the same step again
	Set  []bot.Fact
	Pos  Pos

	Short bool // the step is asked in few words: what it says stands above
	step  *Step
}

// OutcomeTarget is the target of a named outcome or signal.
type OutcomeTarget struct {
	Name string
	Target
}

// Case of a branch.
type Case struct {
	Value string
	Goto  string
	Pos   Pos
	step  *Step
}

// FormField of a form step.
type FormField struct {
	Name  string
	Label Text
	Mask  bool
	Pos   Pos
}

// retry is the target that asks the same step again.
const retry = "retry"

// look is what a step shows in one language when nothing in it varies.
type look struct {
	choices  []bot.Choice
	unneeded []bot.Choice   // those that need nothing
	byWord   map[string]int // normalised label, id, word or number -> index in Choices; -1-n for verbs
	form     *bot.Form
	picture  *bot.Picture
	entry    *bot.Entry
	ref      string
}
