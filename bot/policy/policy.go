package policy

import "time"

// A Limit allows N happenings in any span of Per. N of 0 allows none.
type Limit struct {
	N   int
	Per time.Duration
}

// Policy is every number of the security policy. Keys explains each field.
// Make one with Default and change it; the zero Policy allows nothing.
type Policy struct {
	// Codes that are sent.
	CodeDigits   int
	CodeLifeT1   time.Duration
	CodeLifeT3   time.Duration
	CodeLifeMail time.Duration
	CodeTries    int
	ResendWaits  []time.Duration // see ResendWait

	// Failures and locks.
	T3Failures     int
	T3Window       time.Duration // also how long the lock lasts
	SignInFree     int           // wrong passwords before waits begin; see SignInPause
	SignInWait     time.Duration // the first wait; each further one is twice as long
	SignInWaitMax  time.Duration
	SignInName     Limit // wrong passwords for one name from everywhere; see SignInSlow
	T2Window       time.Duration
	T1Failures     int
	T1Window       time.Duration
	T1Pause        time.Duration
	FactorFailures int
	T3Delays       []time.Duration // see T3Delay

	// Notices and alerts.
	NoticeLinkLife time.Duration // of "this was not me"
	NoticeChats    int           // linked chats that are told of one change
	AlertEvery     time.Duration // between two mails to operators
	TripwireDay    int           // wrong proofs of known people in 24 hours
	TripwireHour   int           // in an hour, of at least TripwirePeople people
	TripwirePeople int
	DeskActs       int // what one agent of the help desk changes about methods of people in a day

	// Authenticator.
	TOTPDigits      int
	TOTPPeriod      time.Duration
	TOTPSecretBytes int
	TOTPWindow      int           // T1: steps to each side
	TOTPDrift       time.Duration // T3: how far a phone's clock is followed, to each side
	TOTPSkewSearch  int           // steps to each side, never accepted
	PendingLife     time.Duration

	// Sends. All limits of a list hold at once.
	SMSUser        []Limit
	SMSNumber      []Limit
	SMSPrefix      Limit
	PrefixShare    int // of one person's texts, how many count towards SMSPrefix and the breaker
	SMSBudgetFloor int
	SMSBudgetShare float64 // texts for each member of staff
	SMSBudgetPer   time.Duration
	BreakerSends   int
	BreakerRate    float64 // 0 to 1
	BreakerBlock   time.Duration
	VoiceNumber    []Limit
	MailAddress    []Limit
	MailUser       Limit

	// Numbers.
	Countries      []string // ISO 3166-1 alpha-2, upper case
	DefaultCountry string
	NumberSharers  int
	AllowVoIP      bool

	// Methods.
	Required          int
	Recommended       int
	QuestionsEnabled  bool
	QuestionsPicked   int
	AnswerMin         int // runes, after normalising
	AnswerMax         int
	RecoveryCodes     int
	RecoveryCodeChars int // Crockford base 32: five bits each
	ProofFresh        time.Duration
	HoldNew           time.Duration
	HoldLink          time.Duration

	// Hashing of answers and recovery codes.
	ArgonMemoryKiB int
	ArgonTime      int
	ArgonThreads   int
	HashWorkers    int
	HashPerson     Limit

	// Imports of the staff list: see store.ImportOptions.
	ImportGonePeople int
	ImportGoneShare  float64

	// Retention.
	EventIDs      time.Duration
	Outbox        time.Duration
	GivenUp       time.Duration
	Audit         time.Duration
	ChallengeKeep time.Duration
	Conversations time.Duration
	LinksUnused   time.Duration
	RemovedKeep   time.Duration
	Backups       time.Duration

	// Inbound.
	ChatBurst        Limit
	ChatRate         Limit
	ConversationIdle time.Duration

	// Web pages.
	WebBurst      Limit         // requests of one address without a session, at once
	WebRate       Limit         // and on the long run
	LinkOpens     Limit         // one-time links opened from one address
	WebFailures   Limit         // failed sign-ins, links and codes from one address
	WebPause      time.Duration // how long it is shut out after that
	SessionIdle   time.Duration
	SessionLife   time.Duration
	SharedIdle    time.Duration // of a session in a browser that others use, too
	LinkLife      time.Duration // of a one-time link
	PageLife      time.Duration // of the page that it opened
	SignInFresh   time.Duration // how old a sign-in at the provider may be
	LinkCodeChars int           // of the code typed back in the chat; Crockford base 32
	LinkCodeLife  time.Duration
	LinkCodeTries int
}

// ResendWait is how long a person waits before code number sent+1 of a method
// goes out, when sent codes (0 or more) went out before. The first goes at
// once; after the last wait of the list the waits stay that long.
func (p *Policy) ResendWait(sent int) time.Duration {
	if sent <= 0 || len(p.ResendWaits) == 0 {
		return 0
	}
	return p.ResendWaits[min(sent, len(p.ResendWaits))-1]
}

// T3Delay is how long the answer to a T3 try is held back after failures wrong
// ones (0 or more) in the window.
func (p *Policy) T3Delay(failures int) time.Duration {
	if len(p.T3Delays) == 0 {
		return 0
	}
	return p.T3Delays[min(max(failures, 0), len(p.T3Delays)-1)]
}

// SignInPause is how long a chat account waits after so many wrong passwords
// (0 or more) for one name.
func (p *Policy) SignInPause(failures int) time.Duration {
	return p.doubled(failures - p.SignInFree)
}

// SignInSlow is how long every chat account waits before each try with a name
// for which so many passwords were wrong in SignInName.Per, from everywhere.
func (p *Policy) SignInSlow(failures int) time.Duration {
	if p.SignInName.N <= 0 {
		return p.SignInWait
	}
	return p.doubled(failures/p.SignInName.N - 1)
}

// doubled is SignInWait, doubled n times, and at most SignInWaitMax. 0 for a
// negative n.
func (p *Policy) doubled(n int) time.Duration {
	if n < 0 {
		return 0
	}
	d := p.SignInWait
	for ; n > 0 && d < p.SignInWaitMax; n-- {
		d *= 2
	}
	return min(d, p.SignInWaitMax)
}

// SMSBudget is how many texts and calls the whole organisation may cause in
// SMSBudgetPer, for a staff of so many people.
func (p *Policy) SMSBudget(staff int) int {
	return max(p.SMSBudgetFloor, int(p.SMSBudgetShare*float64(staff)))
}

// Widest is the longest span of a list of limits: how long happenings must be
// remembered. 0 for an empty list.
func Widest(limits []Limit) time.Duration {
	var w time.Duration
	for _, l := range limits {
		w = max(w, l.Per)
	}
	return w
}
