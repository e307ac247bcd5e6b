package readiness

import (
	"encoding"
	"fmt"
	"slices"
	"time"

	"latchkey/bot"
)

// Ends is the day on which Microsoft's own texts and calls end, the reset of
// passwords included (concept-sms-voice-retirement).
var Ends = time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)

// GlobalAdminsEnd is when they end for global administrators and external
// users; for guests with an account of the tenant's own it is Ends. The report does not tell which administrators are global ones.
var GlobalAdminsEnd = time.Date(2027, 7, 1, 0, 0, 0, 0, time.UTC)

// Settings are what Entra does not tell and the operator has set.
type Settings struct {
	Needed     int  // methods that a reset asks for, 1 or 2; anything else is 2
	SMS, Voice bool // the tenant's own telephony provider for texts, for calls
}

// An Answer says whether one will still get in.
type Answer uint8

// The answers.
const (
	NotKnown    Answer = iota // the report does not have the person, or nobody can tell
	Yes                       // will still get in
	No                        // will not
	Off                       // reset: switched off for the person
	Unprotected               // sign-in: there is no second factor to lose
	NotJudged                 // an external user: the home tenant's to know, and 1 July 2027
	answers
)

var answerNames = [answers]string{"not known", "yes", "no", "off", "no second factor", "not judged"}

// String is the answer's name, as in JSON and CSV.
func (a Answer) String() string {
	if a < answers {
		return answerNames[a]
	}
	return fmt.Sprintf("Answer(%d)", a)
}

var _ encoding.TextMarshaler = NotKnown

// MarshalText implements encoding.TextMarshaler.
func (a Answer) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Answer) UnmarshalText(b []byte) error {
	i := slices.Index(answerNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("readiness: there is no answer %q", b)
	}
	*a = Answer(i)
	return nil
}

// A Reason says why a method does not count, or why an answer is as it is.
type Reason string

// Reasons why a method does not count.
const (
	TextEnds     Reason = "text_ends"          // Microsoft's own texts end, and there is no provider
	CallEnds     Reason = "call_ends"          // likewise calls
	QuestionEnds Reason = "question_ends"      // questions leave the reset in March 2027, and never were a second factor
	MailNoFactor Reason = "mail_is_no_factor"  // e-mail resets, and is no second factor
	Forbidden    Reason = "policy_forbids"     // the tenant's policy
	OldSettings  Reason = "old_settings"       // not in the policy; the old settings still count, and cannot be read
	NotForReset  Reason = "not_for_reset"      // signs in, resets nothing
	NoFactor     Reason = "no_factor"          // app password, QR code
	SameClass    Reason = "same_class"         // one that counts as the same method is there
	NoAlternate  Reason = "alternate_no_reset" // second phones reset nothing
	Temporary    Reason = "temporary"          // a Temporary Access Pass ends by itself
	UnknownWord  Reason = "unknown_word"       // nobody here knows the word
	PushAlone    Reason = "push_alone"         // one method needed, old settings: only the app's code counts
	NotCapable   Reason = "microsoft_says_no"  // Microsoft's own flag: not today either
)

// Further reasons: why an answer is so (Side.Why), why Microsoft's flag differs
// (Side.Differs), or what a count relies on (Counted.Unsure).
const (
	ResetOff    Reason = "reset_off"     // isSsprEnabled is false
	AdminsOff   Reason = "admins_off"    // administrators may not reset (allowedToUseSSPR)
	NotReported Reason = "not_reported"  // the report does not have the person
	GuestElse   Reason = "guest"         // an external user, who signs in at home
	FewerNeeded Reason = "fewer_needed"  // Microsoft takes fewer methods than are set here
	ReportOlder Reason = "report_older"  // the person's own page is newer than Microsoft's flag
	Uncounted   Reason = "not_in_figure" // Microsoft's flag leaves this kind out
	NotListed   Reason = "not_listed"    // Microsoft counts something that the report does not list
	OnlyGroups  Reason = "only_groups"   // the policy lets only some groups; whether the person is in one is not known
)

// Classes of methods for a reset.
const (
	ClassAuthenticator = "authenticator"
	ClassMail          = "email"
	ClassMobile        = "mobile phone"
	ClassOffice        = "office phone"
)

// A Counted is a method and whether it counts.
type Counted struct {
	Method string `json:"method"`           // in the report's word
	Class  string `json:"class,omitempty"`  // reset: what it counts as
	Reason Reason `json:"reason,omitempty"` // why it does not count; empty: it does
	Unsure Reason `json:"unsure,omitempty"` // it counts, but OnlyGroups or OldSettings may forbid it to the person
}

// A Remedy is something to do.
type Remedy string

// The remedies.
const (
	AddApp     Remedy = "add_app"     // an authenticator app
	AddMail    Remedy = "add_mail"    // an e-mail address, for the reset
	AddPasskey Remedy = "add_passkey" // for the sign-in
	AddToken   Remedy = "add_token"   // a device that shows codes; for whom there is no smartphone
	AddPhone   Remedy = "add_phone"   // only where a provider is
	AskPerson  Remedy = "ask_person"  // nothing that one can do alone
)

// A Side is one judgement.
type Side struct {
	Answer  Answer    `json:"answer"`
	Why     Reason    `json:"why,omitempty"` // where the methods alone do not tell it
	Methods []Counted `json:"methods,omitempty"`
	Have    int       `json:"have"` // what counts; for a reset, different classes
	Need    int       `json:"need"`
	Do      []Remedy  `json:"do,omitempty"` // best first; sign-in: one of these; reset: as many as are missing
	// Microsoft is its own flag as of today: isMfaCapable, isSsprCapable.
	Microsoft bool `json:"microsoft"`
	// Differs is why that flag says otherwise than Answer; empty: it does not.
	Differs Reason `json:"differs,omitempty"`
	// sure is how much of Have rests on nothing that is not known here. vouched:
	// Microsoft's flag stands for something that counts.
	sure    int
	vouched bool
	more    []Remedy // sign-in: what would help, whatever Answer is
}

// oneComputer reports whether all that counts for the sign-in is of one computer.
func (s *Side) oneComputer() bool {
	elsewhere := func(c Counted) bool { return c.Reason == "" && !onOneComputer(c.Method) }
	return s.Answer == Yes && !slices.ContainsFunc(s.Methods, elsewhere)
}

// Loses reports whether the person gets in today, by Microsoft's word, and will
// not any more.
func (s *Side) Loses() bool { return s.Answer == No && s.Microsoft }

// A Verdict is what Judge says about one person, as of 1 February 2027.
type Verdict struct {
	SignIn Side      `json:"signIn"`
	Reset  Side      `json:"reset"`
	Admin  bool      `json:"admin,omitempty"` // global administrators have until GlobalAdminsEnd
	AsOf   time.Time `json:"asOf,omitzero"`   // how old the knowledge of the methods is; zero: there is none
	Source string    `json:"source"`          // FromReport, FromPage or empty
	// ReportAt is how old Microsoft's report is, which the flags and the reset
	// rest on even where the methods are from the own page; zero: there is none.
	ReportAt time.Time `json:"reportAt,omitzero"`
	// PolicyAt is when the policy was read; zero: never, so that nothing could
	// be held against it.
	PolicyAt time.Time `json:"policyAt,omitzero"`
}

// Where the methods were read.
const (
	FromReport = "report"
	FromPage   = "own page"
)

// AtRisk reports whether the person will not sign in, or not reset.
func (v *Verdict) AtRisk() bool { return v.SignIn.Answer == No || v.Reset.Answer == No }

// Survival is the verdict in short.
func (v *Verdict) Survival() bot.Survival {
	known := func(a Answer) bool { return a != NotKnown && a != NotJudged }
	switch {
	case v.AtRisk():
		return bot.SurvivesNo
	case known(v.SignIn.Answer) && known(v.Reset.Answer):
		return bot.SurvivesYes
	}
	return ""
}

// NeedsToken reports whether the way out is a device that shows codes: there is
// a land-line only, or no smartphone.
func (v *Verdict) NeedsToken() bool {
	return slices.Contains(v.SignIn.Do, AddToken) || slices.Contains(v.Reset.Do, AddToken)
}

// Judge says whether a person will still sign in and still reset the password.
// g is nil for people that the report does not have: the disabled and deleted
// are missing there, so absent is not "nothing registered". pol is nil when it
// was never read.
//
// Microsoft's own flags are believed where they say no today: what the policy
// does with a single person only they know. A yes of theirs is not believed.
func Judge(g *bot.Registration, pol *bot.TenantPolicy, s Settings) Verdict {
	j := judge{pol: pol, set: s}
	v := Verdict{SignIn: Side{Need: 1}}
	if pol != nil {
		v.PolicyAt = pol.ReadAt
	}
	if s.Needed != 1 {
		j.set.Needed = 2
	}
	v.Reset.Need = j.set.Needed
	if g == nil || g.ReadAt.IsZero() && g.AsOf.IsZero() && g.Direct == nil {
		v.SignIn.Why, v.Reset.Why = NotReported, NotReported
		return v
	}
	j.g = g
	words, at := g.Has()
	v.Admin, v.AsOf, v.ReportAt, v.Source = g.Admin, at, g.ReportAt(), FromReport
	if g.Direct != nil && at.Equal(g.DirectAt) {
		v.Source = FromPage
	}
	v.SignIn.Microsoft, v.Reset.Microsoft = g.MFACapable, g.ResetCapable
	if g.External { // a guest with an account of our own is as anybody here
		v.SignIn.Answer, v.Reset.Answer = NotJudged, NotJudged
		v.SignIn.Why, v.Reset.Why = GuestElse, GuestElse
		return v
	}
	if g.Admin {
		v.Reset.Need = 2 // the administrators' own reset policy (concept-sspr-policy)
	}
	j.read(words)
	j.signIn(&v.SignIn)
	j.reset(&v.Reset)
	return v
}

// judge is the judgement of one person.
type judge struct {
	g     *bot.Registration
	pol   *bot.TenantPolicy
	set   Settings
	has   []method
	kinds map[kind]bool
	// reported are the kinds of which Microsoft's flags know. flagged: there are
	// flags at all. gone: the person's own page lacks some of what is reported.
	reported      map[kind]bool
	flagged, gone bool
}

type method struct {
	word string
	kind kind
}

func (j *judge) read(words []string) {
	j.kinds = map[kind]bool{}
	j.flagged = !j.g.ReadAt.IsZero() || !j.g.AsOf.IsZero()
	j.reported = map[kind]bool{}
	for _, w := range words {
		k := kindOf(w)
		j.has = append(j.has, method{w, k})
		j.kinds[k] = true
	}
	for _, w := range j.g.Methods {
		k := kindOf(w)
		j.reported[k] = true
		j.gone = j.gone || !j.kinds[k]
	}
}

// signIn judges the second factor (fact: who has texts or calls only is
// stopped by a passkey prompt from Ends on).
func (j *judge) signIn(s *Side) {
	maybe, factors := 0, 0
	for _, m := range j.has {
		c := Counted{Method: m.word}
		grant := granted
		switch {
		case m.kind == unknownKind:
			c.Reason = UnknownWord
			if j.g.MFACapable { // so it may be what makes the person capable
				grant, factors = perhaps, factors+1
			} else {
				grant = refused
			}
		case m.kind.factor():
			factors++
			grant, c.Reason, c.Unsure = j.second(m.kind)
		default:
			grant, c.Reason = refused, noFactor(m.kind)
		}
		switch grant {
		case granted:
			s.Have++
			if c.Unsure == "" && !onOneComputer(m.word) {
				s.sure++
			}
		case perhaps:
			maybe++
		}
		s.Methods = append(s.Methods, c)
	}
	switch {
	case s.Have > 0:
		s.Answer = Yes
	case maybe > 0:
		s.Answer, s.Why = NotKnown, firstReason(s.Methods, OldSettings, UnknownWord)
	case factors == 0:
		s.Answer = Unprotected
	default:
		s.Answer = No
	}
	if s.more = j.waysIn(); s.Answer != Yes {
		s.Do = s.more
	}
	s.vouched = j.vouched(s)
	j.differs(s, TextEnds, CallEnds, Forbidden, OldSettings, UnknownWord)
}

// vouched reports whether isMfaCapable says that the person may use something
// that counts, and cannot be for anything else: a phone whose texts end, a pass,
// or what is gone from the own page.
func (j *judge) vouched(s *Side) bool {
	known := false
	for _, c := range s.Methods {
		k := kindOf(c.Method)
		switch c.Reason {
		case "":
			// Microsoft's own texts may be what makes the person capable, or what
			// lets in on one computer only.
			if k.phone() && c.Unsure != "" || k.governed() && onOneComputer(c.Method) {
				return false
			}
			known = known || k.governed() && j.reported[k]
		case MailNoFactor, NoFactor: // these make nobody capable
		default:
			return false
		}
	}
	return j.g.MFACapable && known && !j.gone
}

// noFactor is why a kind that is no second factor does not count.
func noFactor(k kind) Reason {
	switch k {
	case mail:
		return MailNoFactor
	case question:
		return QuestionEnds
	case temporary:
		return Temporary
	}
	return NoFactor
}

// second says whether a kind still is the person's second factor then.
func (j *judge) second(k kind) (grant, Reason, Reason) {
	g, why, unsure := j.allowed(k)
	if g == granted && k.governed() && j.flagged && j.reported[k] && !j.g.MFACapable {
		return refused, NotCapable, ""
	}
	return g, why, unsure
}

// reset judges the reset of the password.
func (j *judge) reset(s *Side) {
	if !j.flagged { // whether reset is on stands in the report only
		s.Answer, s.Why = NotKnown, NotReported
		return
	}
	maybe, counted, sure := map[string]bool{}, map[string]bool{}, map[string]bool{}
	newer := false // something counts that Microsoft's flags cannot know of
	for _, m := range j.has {
		s.Methods = append(s.Methods, Counted{Method: m.word, Class: m.kind.class()})
	}
	for i, m := range j.has {
		c := &s.Methods[i]
		var g grant
		switch {
		case m.kind == unknownKind:
			c.Reason = UnknownWord
		case m.kind == question:
			c.Reason = QuestionEnds
		case m.kind == alternate:
			c.Reason = NoAlternate
		case m.kind == temporary:
			c.Reason = Temporary
		case c.Class == "":
			c.Reason = NotForReset
		case m.kind == push && s.Need == 1 && !j.migrated():
			if c.Reason = PushAlone; j.codeCounts() {
				c.Reason = SameClass
			}
		default:
			g, c.Reason, c.Unsure = j.resets(m.kind)
		}
		if g == granted && c.Unsure == "" {
			sure[c.Class] = true
		}
		switch {
		case g == perhaps:
			maybe[c.Class] = true
		case g == granted && counted[c.Class]:
			c.Reason, c.Unsure = SameClass, ""
		case g == granted:
			counted[c.Class] = true
			newer = newer || !j.reported[m.kind]
			s.Have++
		}
	}
	s.sure = len(sure)
	for class := range counted {
		delete(maybe, class)
	}
	switch {
	case j.g.Admin && j.pol != nil && j.pol.Admins != nil && !*j.pol.Admins:
		s.Answer, s.Why, s.Do = Off, AdminsOff, []Remedy{AskPerson}
	case !j.g.ResetEnabled:
		s.Answer, s.Why, s.Do = Off, ResetOff, []Remedy{AskPerson}
	case s.Have >= s.Need && !j.g.ResetRegistered && !newer:
		// It counts all that we count and more, and it knows the number.
		s.Answer, s.Why, s.Do = No, NotCapable, j.more(counted, 1)
	case s.Have >= s.Need:
		s.Answer = Yes
	case s.Have+len(maybe) >= s.Need:
		s.Answer, s.Why, s.Do = NotKnown, OldSettings, j.more(counted, s.Need-s.Have)
	default:
		s.Answer, s.Do = No, j.more(counted, s.Need-s.Have)
	}
	j.differs(s, AdminsOff, TextEnds, CallEnds, QuestionEnds, Forbidden, OldSettings, PushAlone, NoAlternate, FewerNeeded)
}

// codeCounts reports whether the person has a code that resets.
func (j *judge) codeCounts() bool {
	for _, k := range []kind{code, token} {
		if j.kinds[k] {
			if g, _, _ := j.resets(k); g == granted {
				return true
			}
		}
	}
	return false
}

// resets says whether a kind resets then. Administrators use what their own
// reset policy lists, whatever the tenant's says
// (concept-authentication-methods-manage).
func (j *judge) resets(k kind) (grant, Reason, Reason) {
	if j.g.Admin {
		own := *j
		own.pol = nil
		return own.allowed(k)
	}
	g, why, unsure := j.allowed(k)
	if g == granted && unsure == "" && j.pol != nil && state(j.pol) == preMigration {
		unsure = OldSettings // there only the old settings rule the reset
	}
	return g, why, unsure
}

// differs says why Microsoft's flag says otherwise, by the first of the reasons
// that the answer or a method has.
func (j *judge) differs(s *Side, reasons ...Reason) {
	if s.Microsoft == (s.Answer == Yes) || !j.flagged {
		return
	}
	newer := func(c Counted) bool { return c.Reason == "" && !j.reported[kindOf(c.Method)] }
	switch {
	case s.Microsoft && j.gone, s.Answer == Yes && slices.ContainsFunc(s.Methods, newer):
		s.Differs = ReportOlder
	case s.Answer == Yes:
		s.Differs = Uncounted
	case s.Answer == Unprotected:
		s.Differs = NotListed
	case slices.Contains(reasons, s.Why):
		s.Differs = s.Why
	default:
		if s.Differs = firstReason(s.Methods, reasons...); s.Differs == "" {
			s.Differs = NotListed
			if slices.Contains(reasons, FewerNeeded) && s.Have > 0 {
				s.Differs = FewerNeeded
			}
		}
	}
}

// firstReason is the first of the reasons that a method has; empty: none.
func firstReason(ms []Counted, reasons ...Reason) Reason {
	for _, r := range reasons {
		if slices.ContainsFunc(ms, func(c Counted) bool { return c.Reason == r }) {
			return r
		}
	}
	return ""
}

// seesScreen reports whether the person may have a smartphone. Who has nothing
// but a land-line registered is not asked to get an app.
func (j *judge) seesScreen() bool {
	for k := range j.kinds {
		if !slices.Contains([]kind{office, alternate, call, token, mail, question, temporary, unknownKind}, k) {
			return true
		}
	}
	return !j.kinds[office] && !j.kinds[alternate] && !j.kinds[call]
}

// waysIn are what would save the sign-in, best first. An app comes before a
// passkey, because it saves the reset, too.
func (j *judge) waysIn() (do []Remedy) {
	if j.seesScreen() {
		if j.offers("microsoftAuthenticator") || j.offers("softwareOath") {
			do = append(do, AddApp)
		}
	} else if j.offers("hardwareOath") {
		do = append(do, AddToken)
	}
	if j.offers("fido2") {
		do = append(do, AddPasskey)
	}
	if !j.kinds[mobile] && !j.kinds[text] && (j.set.SMS && j.offers("sms") || j.set.Voice && j.offers("voice")) {
		do = append(do, AddPhone)
	}
	if len(do) == 0 {
		do = append(do, AskPerson)
	}
	return do
}

// more are the classes that a reset could still get, best first, and somebody
// to ask where these are fewer than are missing.
func (j *judge) more(counted map[string]bool, missing int) (do []Remedy) {
	if !counted[ClassAuthenticator] {
		switch {
		case j.seesScreen() && (j.offers("microsoftAuthenticator") || j.offers("softwareOath")):
			do = append(do, AddApp)
		case j.offers("hardwareOath"):
			do = append(do, AddToken)
		}
	}
	if !counted[ClassMail] && j.offers("email") {
		do = append(do, AddMail)
	}
	if !counted[ClassMobile] && (j.set.SMS && j.offers("sms") || j.set.Voice && j.offers("voice")) {
		do = append(do, AddPhone)
	}
	if len(do) < missing {
		do = append(do, AskPerson)
	}
	return do
}

// WithoutSmartphone is the verdict for somebody who has said that they have no
// smartphone: a token takes the place of an app.
func (v Verdict) WithoutSmartphone() Verdict {
	for _, s := range []*Side{&v.SignIn, &v.Reset} {
		s.Do = slices.Clone(s.Do)
		if i := slices.Index(s.Do, AddApp); i >= 0 {
			s.Do[i] = AddToken
		}
	}
	return v
}
