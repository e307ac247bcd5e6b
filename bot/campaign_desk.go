package bot

import (
	"strconv"
	"strings"
	"time"
)

// A PartFilter chooses parts of a campaign, by person. Zero fields do not filter.
type PartFilter struct {
	State  *PartState
	Search string   // part of the name, user name, work address or id, any case
	After  PersonID // only ids after this one
	Limit  int      // at most this many
}

// A FoundPart is somebody's part in a campaign, with who it is. Who was erased has
// no name.
type FoundPart struct {
	CampaignPart
	Name, Username, Site string
}

// A CampaignStep is how many people stand at a step.
type CampaignStep struct {
	Title    string // in English
	Progress string // "Step 4 of 7", in English
	N        int
	Why      string // what had failed most often there, of those who asked the help desk; empty: not known
	Whys     int    // how often
}

// A CampaignTicket is how many tickets people of a campaign opened at a step for one
// reason, since it wrote to them.
type CampaignTicket struct {
	Flow, Step, Error string
	N                 int
}

// CampaignViewTx reads of campaigns what only people look at.
type CampaignViewTx interface {
	// CampaignNames lists whom a campaign names (CampaignTx.NamePerson), by id.
	CampaignNames(campaign string, leaveOut bool) ([]PersonID, error)
	FindParts(campaign string, f PartFilter) ([]FoundPart, error)
	// CampaignSteps counts those who have begun by where they stand.
	CampaignSteps(campaign string) ([]CampaignStep, error)
	CampaignTickets(campaign string) ([]CampaignTicket, error)
	// CampaignDone counts people of a campaign who have enrolled, by the day (UTC) on
	// which they had.
	CampaignDone(campaign string) ([]CampaignDay, error)
	// CampaignPace counts people who were written to for the first time since then.
	CampaignPace(campaign string, since time.Time) (int, error)
}

// A CampaignSite is what a campaign has come to at a school or office.
type CampaignSite struct {
	Name                      string // "all" in the end
	People, Done, Begun, Lost int    // Lost: no way leads to them
}

// NotYet is how many have not begun and can be reached.
func (s *CampaignSite) NotYet() int { return s.People - s.Done - s.Begun - s.Lost }

// CampaignRows are a campaign by site as lines of a table for programs, the first one
// with the names of its columns.
func CampaignRows(sites []CampaignSite) [][]string {
	rows := [][]string{{"site", "people", "done", "begun", "not_yet", "not_reached"}}
	num := strconv.Itoa
	for i := range sites {
		x := &sites[i]
		rows = append(rows, []string{Harmless(x.Name), num(x.People), num(x.Done), num(x.Begun), num(x.NotYet()), num(x.Lost)})
	}
	return rows
}

// A CampaignDay is how many people of a campaign had done it at the end of a day.
type CampaignDay struct {
	Day  string // 2026-05-03, UTC
	Done int
}

// A CampaignReport is what a campaign has come to.
type CampaignReport struct {
	Campaign
	At    time.Time
	Sites []CampaignSite
	Days  []CampaignDay // since it began, where it is known when people did it
}

// A DeskCampaign is a campaign as the desk's pages show it.
type DeskCampaign struct {
	Campaign
	Total         int // people in it: those with a part, or before it began those in its audience
	By            [PartStates]int
	Done, Written int
	Left          int           // not written to yet
	Days          int           // of work until they are, by the plan's number for a day; 0: not by days
	Rest          time.Duration // until they are, at the pace of the last minutes; 0: not known
	Stuck, Waits  string        // in words: why it waits for an operator, and why nobody new is written to now
	At            time.Time     // of the figures

	// Of the page of one campaign only.
	Whys    [PartStates][]CampaignCount // the most frequent first
	Steps   []CampaignStep
	Parts   []FoundPart
	More    bool             // there are parts behind these
	Preview *CampaignPreview // of a draft
	Form    *CampaignForm    // the whole plan
	Texts   []CampaignText   // what people read
	Asks    bool             // above its number of people: two have to say yes
	Mine    bool             // whoever looks is the one who said yes first
}

// A CampaignCount is how often something was.
type CampaignCount struct {
	What string
	N    int
}

// A CampaignPreview is a draft as it would begin now.
type CampaignPreview struct {
	Warnings []string // in English
	Sample   []CampaignSample
}

// A CampaignSample is somebody of an audience.
type CampaignSample struct {
	Name, Username string
	Via            string    // how they would be written to; empty: no way leads to them
	Why            string    // why they would not be; empty: they would
	Next           time.Time // when, in Zone
	Zone           string
}

// A CampaignText is the message in a language as some channels show it.
type CampaignText struct {
	Lang     string
	Channels []ChannelID // none: no channel is connected that shows it otherwise
	Parts    []Message
}

// On names the channels.
func (t *CampaignText) On() string {
	names := make([]string, len(t.Channels))
	for i, ch := range t.Channels {
		names[i] = string(ch)
	}
	return strings.Join(names, ", ")
}

// A CampaignOrder is what an admin of the desk has done with a campaign.
type CampaignOrder struct {
	By       PersonID
	Campaign string
	Do       string // "test", "send", "pause", "resume", "again" (to those where it failed), "stop", "delete"
	Seen     string // to send: Campaign.Seen as it was shown
	Untested bool   // send it although nobody has seen a test
	Unknown  bool   // again to those, too, of whom it is not known
}

// A CampaignAnswer is what came of an order.
type CampaignAnswer struct {
	Second    bool   // somebody else has to say yes, too
	Void      bool   // the yes that there was counts no more: its giver is not allowed to any longer
	Via       string // how the test goes
	Recalled  int    // messages taken back
	Again     int    // people who are written to again
	Written   int    // people who have been written to
	UnderWay  int    // messages that are on their way
	Uncertain int    // people of whom it is not known
}
