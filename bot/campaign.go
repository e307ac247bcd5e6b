package bot

import (
	"fmt"
	"time"
)

// CampaignState says what a campaign does.
type CampaignState uint8

// The states of a campaign.
const (
	CampaignDraft     CampaignState = iota // nothing is sent
	CampaignScheduled                      // it begins at Plan.Starts
	CampaignRunning
	CampaignPaused  // an operator, or the clockwork, wants a word of an operator before it goes on
	CampaignHalted  // something went wrong: Campaign.Why
	CampaignStopped // by an operator, for good
	CampaignDone    // everybody has an end
)

// CampaignStates are their names, by state.
var CampaignStates = [...]string{"draft", "scheduled", "running", "paused", "halted", "stopped", "done"}

// String names the state for operators.
func (s CampaignState) String() string { return CampaignStates[min(s, CampaignDone)] }

// Over reports whether nothing follows any more.
func (s CampaignState) Over() bool { return s >= CampaignStopped }

// CampaignLater is the campaign of those who asked for a reminder themselves. It is
// made when somebody does for the first time, and runs from then on.
const CampaignLater = "later"

// ChoiceCampaign begins the id of the buttons of a campaign's message. They go to the
// campaign, whatever runs.
const ChoiceCampaign = "campaign."

// ChoiceJoin begins the id of the button of a campaign's message in a channel that
// many read; the campaign's ID follows. Adapters give the press to whoever pressed, in
// their own direct conversation.
const ChoiceJoin = ChoiceCampaign + "join."

// CampaignRestored is the Campaign.Why of one that was running when the store was
// backed up which was restored.
const CampaignRestored = "restored"

// Whom an Audience may be of.
const (
	AudienceNotEnrolled = "not_enrolled"
	AudienceHalfWay     = "half_way"      // begun and not enrolled
	AudienceOneMethod   = "one_method"    // security questions are none
	AudienceTextOrVoice = "text_or_voice" // nothing but texts and calls, by the registrar's report, else by what is enrolled here
	AudienceLosing      = "losing"        // will not get in after the registrar's texts and calls end: Registration.Survives
	AudienceEnrolled    = "enrolled"      // they say themselves that it is done
	AudienceAll         = "all"           // so do they
)

// Audiences lists them.
func Audiences() []string {
	return []string{AudienceNotEnrolled, AudienceHalfWay, AudienceOneMethod, AudienceTextOrVoice, AudienceLosing, AudienceEnrolled, AudienceAll}
}

// AsksThem reports whether people of an audience say themselves that they have done
// it, so that they stay in it.
func AsksThem(who string) bool { return who == AudienceEnrolled || who == AudienceAll }

// An Audience is a rule that is asked again whenever it matters. Accounts that are
// off are never in it, and of other kinds than staff only those in Kinds. Groups
// are compared in any case; an empty list does not filter.
type Audience struct {
	Who            string       `json:"who"`
	Departments    []string     `json:"departments,omitempty"`
	Sites          []string     `json:"sites,omitempty"`
	NotDepartments []string     `json:"not_departments,omitempty"`
	NotSites       []string     `json:"not_sites,omitempty"`
	HiredSince     string       `json:"hired_since,omitempty"`  // ISO 8601 date
	EnrolledDays   int          `json:"enrolledDays,omitempty"` // enrolled so many days ago, or earlier; 0: no matter
	Kinds          []PersonKind `json:"kinds,omitempty"`
	Named          bool         `json:"named,omitempty"` // only who is named (CampaignTx.NamePerson)
}

// A CampaignPlan is what operators write. Its numbers are complete.
type CampaignPlan struct {
	Kind     string            `json:"kind"` // whose texts, and which script it begins; see package campaign
	Audience Audience          `json:"audience"`
	Texts    map[string]string `json:"texts,omitempty"` // own texts by language, in place of the kind's
	Starts   time.Time         `json:"starts"`
	Deadline time.Time         `json:"deadline"` // people are told the day; nothing is sent afterwards

	Zone     string   `json:"zone"` // of whoever has none
	Hours    []string `json:"hours"`
	Holidays []string `json:"holidays,omitempty"`

	Every  int    `json:"every"`            // days between two reminders
	Most   int    `json:"most"`             // reminders for one person
	PerDay int    `json:"perDay"`           // how many people are written to for the first time in a day; 0: all
	Queue  int    `json:"queue"`            // that many tickets that wait hold it up; 0: none
	First  int    `json:"first"`            // percent that are written to before everybody else; 0: all at once
	Order  string `json:"order"`            // "random", "site"
	Repeat int    `json:"repeat,omitempty"` // days after its start when it begins anew, as another campaign; 0: never
	Second int    `json:"second"`           // above so many people a second operator has to say yes
}

// A Campaign writes to people until they have done what it is about.
type Campaign struct {
	ID    string        `json:"-"`
	State CampaignState `json:"-"`
	Code  string        `json:"-"` // short, stands in each message: who asks whether it is real names it
	Next  time.Time     `json:"-"` // when the clockwork looks again
	// Revision counts the changes. Whoever changes one says which they have seen.
	Revision int64 `json:"-"`

	Plan     CampaignPlan `json:"plan"`
	Of       string       `json:"of,omitempty"`  // the campaign that this one repeats; empty: none
	No       int          `json:"no,omitempty"`  // which time it is, from 2
	Why      string       `json:"why,omitempty"` // it is paused or halted: a word of package campaign, and what was counted
	MadeBy   string       `json:"madeBy"`        // operators
	SentBy   string       `json:"sentBy,omitempty"`
	Approved string       `json:"approved,omitempty"`
	TestedAt time.Time    `json:"testedAt"` // when an operator got a test; zero: not yet
	MadeAt   time.Time    `json:"madeAt"`
	BeganAt  time.Time    `json:"beganAt"`
	EndedAt  time.Time    `json:"endedAt"`
	TickedAt time.Time    `json:"tickedAt"` // when the clockwork looked last

	HealthAt time.Time `json:"healthAt"` // when it was looked at whether it does harm
	Checked  time.Time `json:"checked"`  // an operator let it go on: what was wrong before counts no more

	Wave     string      `json:"wave,omitempty"`   // the day of the last wave, in Plan.Zone
	Audience int         `json:"audience"`         // how many were in it then
	Agreed   int         `json:"agreed,omitempty"` // an audience that an operator let go on although it differed
	LetIn    int         `json:"letIn"`            // people who were let in on that day
	FirstEnd time.Time   `json:"firstEnd"`         // when the first percent have been out long enough; zero: they were not sent yet
	Gathers  bool        `json:"gathers,omitempty"`
	Posts    []int64     `json:"posts,omitempty"` // outbox rows of its messages in channels that many read
	Starts   []StartCode `json:"starts,omitempty"`
	Gathered PersonID    `json:"-"` // how far the wave has come, while it gathers
	Settled  PersonID    `json:"-"` // how far the look at everybody's progress has come
}

// Seen names a campaign as it is now, for whoever orders something by what they saw.
// One that is deleted and made anew has another code.
func (c *Campaign) Seen() string { return fmt.Sprintf("%s.%d", c.Code, c.Revision) }

// A StartCode is printed on slips of paper. Whoever types it in a chat begins what the
// campaign is about, and is nobody more than before.
type StartCode struct {
	Code  string    `json:"code"`
	Lang  string    `json:"lang"`
	Until time.Time `json:"until"`
}

// PartState says how far a person is in a campaign. What platforms do not tell
// (shown, read) is no state.
type PartState uint8

// The states of a person's part.
const (
	PartWaiting    PartState = iota // nothing was sent, or it is sent another way
	PartSent                        // handed to the post office
	PartAccepted                    // the platform, or the mail server, has taken it
	PartSnoozed                     // they asked to be reminded at Due
	PartStarted                     // they began
	PartAtStep                      // and stand at Step
	PartEnrolled                    // they have done it
	PartDeclined                    // they want no more of it: Why
	PartFailed                      // no way leads to them, or nobody knows whether it did: Why
	PartSuppressed                  // nothing may be sent to them now: Why
	PartStates     = iota
)

// PartNames are their names, by state.
var PartNames = [PartStates]string{"waiting", "sent", "accepted", "snoozed", "started", "at step", "enrolled", "declined", "failed", "suppressed"}

// String names the state for operators.
func (s PartState) String() string { return PartNames[min(s, PartStates-1)] }

// Open reports whether somebody in the state may still do what the campaign is about.
func (s PartState) Open() bool { return s != PartEnrolled }

// A CampaignPart is a person's part in a campaign.
type CampaignPart struct {
	Campaign  string
	Person    PersonID
	State     PartState
	Why       string
	Step      string // the title of the script that they are in, in English
	Progress  string // "Step 4 of 7", as it is told in English
	Reminders int    // messages that were handed to the post office and not taken back
	Via       string // the channel of the last one, or "mail"
	Tried     string // ways of the same message that failed, each followed by a space
	Row       int64  // its outbox row; 0: none
	Due       time.Time
	Place     string // in the order of the campaign
	Token     string // names the part in buttons
	FirstAt   time.Time
	LastAt    time.Time // of the last message
	Revision  int64
}

// PartDue is somebody whose part is due.
type PartDue struct {
	Person PersonID
	Due    time.Time
}

// CampaignGroup is how many people of one kind there are in a count.
type CampaignGroup struct {
	State     PartState
	Why, Step string
	Stage     Stage  // of the person now
	Site      string // only of CountSites
	N         int
	Written   int // of them, who got a message that was not refused; only of CountParts
}

// CampaignTx keeps campaigns and everybody's part in them.
type CampaignTx interface {
	// PutCampaign stores a new campaign (Revision 0) or a changed one, and counts
	// Revision up. The error wraps ErrConflict when the stored one has another
	// Revision, or when there is one of the name or the code.
	PutCampaign(c *Campaign) error
	Campaign(id string) (*Campaign, error)         // ErrNotFound
	CampaignByCode(code string) (*Campaign, error) // ErrNotFound
	Campaigns() ([]Campaign, error)                // the newest first
	// CampaignsDue lists those that are scheduled or run and whose Next has come, and
	// others that have a message under way.
	CampaignsDue() ([]string, error)
	// DeleteCampaign deletes a campaign, everybody's part in it, and whom it names. The
	// error wraps ErrConflict when the stored one has another Revision.
	DeleteCampaign(c *Campaign) error
	// NamePerson names somebody for a campaign: to be in it, or to be left out.
	NamePerson(campaign string, p PersonID, leaveOut bool) error
	ForgetNames(campaign string) error // of NamePerson
	CopyNames(from, to string) error
	// InAudience lists people of an audience with an id above after, by id.
	InAudience(campaign string, a *Audience, after PersonID, limit int) ([]Person, error)
	CountAudience(campaign string, a *Audience) (int, error)
	// Judge says whether a person is in an audience, and whether they have done what
	// it is about. Somebody who is off is neither.
	Judge(campaign string, a *Audience, p PersonID) (in, done bool, err error)
	// Gather gives those of the next limit people after an id who are in the audience
	// a part, when they have none. It returns the last id it looked at; empty: there
	// is nobody behind it.
	Gather(campaign string, a *Audience, after PersonID, limit int, bySite bool) (last PersonID, added int, err error)
	// LetIn makes the first message of at most limit people due, in their order.
	LetIn(campaign string, limit int, at time.Time) (int, error)
	// PartsDue lists who is due, the earliest first. It reads the index alone: of a
	// million people a page costs as much as of a thousand.
	PartsDue(campaign string, limit int) ([]PartDue, error)
	// Unsettled lists parts of people after an id that may have to change: whose
	// person has done it (Stage is Enrolled then) or has begun. It looks at limit
	// parts, and returns the last person it looked at; empty: there is nobody behind.
	Unsettled(campaign string, a *Audience, after PersonID, limit int) (parts []CampaignPart, stages []Stage, last PersonID, err error)
	// Posted lists parts that are sent and whose row the post office has done with,
	// or pruned, with what became of it.
	Posted(campaign string, limit int) ([]CampaignPart, []OutboxRow, error)
	// LostMails lists parts that are sent by mail and whose mail nobody will send: its
	// job was given up.
	LostMails(campaign string, limit int) ([]CampaignPart, error)
	Part(campaign string, p PersonID) (*CampaignPart, error) // ErrNotFound
	PartByToken(token string) (*CampaignPart, error)         // ErrNotFound
	PartByRow(row int64) (*CampaignPart, error)              // ErrNotFound
	PartsOf(p PersonID) ([]CampaignPart, error)
	// PartsIn lists parts in a state, by person.
	PartsIn(campaign string, s PartState, after PersonID, limit int) ([]CampaignPart, error)
	// PutPart stores a new part (Revision 0) or a changed one, as PutCampaign does.
	PutPart(p *CampaignPart) error
	// CountParts counts a campaign's parts by State, Why, Step and the person's Stage,
	// and the parts in another way: total is what the groups must come to.
	CountParts(campaign string) (groups []CampaignGroup, total int, err error)
	// CountSites counts them by Site and State.
	CountSites(campaign string) ([]CampaignGroup, error)
	// CampaignHealth counts people who were written to since a time: all, whom nothing
	// reached, who had their account frozen since, and who asked the help desk.
	CampaignHealth(campaign string, since time.Time) (written, failed, denied, asked int, err error)
	// ClaimNudge sets Person.NextNudge, and reports whether it had come: of two
	// campaigns one writes.
	ClaimNudge(p PersonID, next time.Time) (bool, error)
	// FreeNudge takes ClaimNudge back for somebody who was told nothing, unless they
	// asked for a time themselves.
	FreeNudge(p PersonID) error
	// CampaignMail counts a campaign's rows that wait to be claimed.
	CampaignMail(campaign string) (int, error)
	// RecallCampaign takes back a campaign's rows that nobody has claimed, and its mails
	// that nobody has begun to send, and makes their parts wait, not due.
	RecallCampaign(campaign string) (int, error)
}
