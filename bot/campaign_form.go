package bot

import "strings"

// A CampaignForm is a campaign as operators write it, in a file or on a page of the
// desk. What is empty is as its kind says, or as usual.
type CampaignForm struct {
	Kind     string `yaml:"kind"`
	Audience struct {
		Who            string   `yaml:"who"`
		Departments    []string `yaml:"departments"`
		Sites          []string `yaml:"sites"`
		NotDepartments []string `yaml:"not_departments"`
		NotSites       []string `yaml:"not_sites"`
		HiredSince     string   `yaml:"hired_since"`
		EnrolledDays   string   `yaml:"enrolled_days"`
		Kinds          []string `yaml:"kinds"`
		People         []string `yaml:"people"`     // user names or addresses
		NotPeople      []string `yaml:"not_people"` // also
	} `yaml:"audience"`
	Texts    map[string]string `yaml:"texts"`    // by language
	Starts   string            `yaml:"starts"`   // like 2026-12-02 09:00
	Deadline string            `yaml:"deadline"` // like 2026-12-18
	Zone     string            `yaml:"zone"`
	Hours    []string          `yaml:"hours"`
	Holidays []string          `yaml:"holidays"`
	Every    string            `yaml:"every"`
	Most     string            `yaml:"most"`
	PerDay   string            `yaml:"per_day"`
	Queue    string            `yaml:"queue"`
	First    string            `yaml:"first"`
	Order    string            `yaml:"order"`
	Repeat   string            `yaml:"repeat"`
	Second   string            `yaml:"second"`
}

// A CampaignProblem is what is wrong in a field of a CampaignForm, in words for
// operators. The field has the name that it has in a file; of a text it is
// "texts.en", of the campaign's name "name".
type CampaignProblem struct{ Field, Text string }

// CampaignProblems are all that is wrong.
type CampaignProblems []CampaignProblem

// String is the problems in one line.
func (ps CampaignProblems) String() string {
	texts := make([]string, len(ps))
	for i := range ps {
		texts[i] = ps[i].Text
	}
	return strings.Join(texts, "; ")
}

// A DeskCampaignForm is the form with what can be chosen in it.
type DeskCampaignForm struct {
	CampaignForm
	Kinds, Languages, Placeholders []string
	Seen                           string // Campaign.Seen of the draft
}
