package entratest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Kind is what sort of account somebody, or something, has.
type Kind string

// The kinds.
const (
	Staff   Kind = "staff"
	Guest   Kind = "guest"   // of another organisation
	Shared  Kind = "shared"  // a mailbox that several people open
	Service Kind = "service" // a program's
)

// A Person is an account of the tenant.
type Person struct {
	ID         string // object id, lower case
	UPN        string // userPrincipalName
	Mail       string
	Name       string
	GivenName  string
	Surname    string
	School     string // officeLocation
	Department string
	Title      string
	Manager    string // object id; empty: none
	Lang       string // preferredLanguage, BCP 47; empty: never set
	Phone      string // of the desk, in businessPhones; empty: none
	EmployeeID string
	HiredOn    time.Time
	Kind       Kind
	Enabled    bool
	Admin      bool // holds an administrator's role
	SSPR       bool // the policy lets the person reset the password
	// Methods are in the words of the report (methodsRegistered).
	Methods []string

	// Where a guest comes from: ids of another tenant's. Empty for others.
	HomeTenant, HomeID string
}

// Domain is where the tenant's names and addresses end.
const Domain = "riverside.example"

// District is the organisation (companyName).
const District = "Riverside Unified School District"

// Schools are the tenant's, in the order of SchoolGroup.
var Schools = []string{
	"Adams Elementary", "Bell Elementary", "Carver Elementary", "Desert View Elementary", "Eastgate Elementary", "Franklin Elementary",
	"Garfield Middle School", "Hillcrest Middle School", "Juárez Middle School", "Lincoln High School", "Riverside High School", "District Office",
}

var departments = []string{
	"Mathematics", "Languages", "Science", "Arts", "Physical Education", "Special Education", "Library", "Office", "Custodial Services", "Food Services", "Transportation", "Technology",
}

var titles = []string{
	"Teacher", "Teacher", "Teacher", "Teacher", "Special Education Teacher", "Teacher's Aide", "Librarian", "Secretary", "Custodian", "Cook", "Bus Driver", "Technician",
}

var givenNames = strings.Fields(`Ana Luis María José Carmen Jorge Lucía Miguel Rosa Carlos Elena Juan Sofía Pedro Teresa Diego
	Mary James Linda Robert Susan John Karen David Nancy Michael Lisa William Betty Thomas Ruth Daniel Grace Paul Helen Mark
	Aisha Omar Mei Wei Priya Arjun Yuki Kenji Fatima Ali Olga Ivan Chloe Noah Emma Liam Ava Ethan Zoë Marcus`)

var surnames = strings.Fields(`García Martínez López Hernández González Pérez Sánchez Ramírez Torres Flores Rivera Gómez Díaz Reyes Cruz Morales
	Smith Johnson Williams Brown Jones Miller Davis Wilson Anderson Taylor Moore Jackson White Harris Clark Lewis Walker Hall Young King
	Wright Scott Green Baker Adams Nelson Hill Campbell Mitchell Roberts Carter Phillips Evans Turner Parker Collins Edwards Stewart Morris Murphy
	Nguyen Kim Lee Chen Patel Khan Singh Tanaka Kowalski O'Brien Okafor Haddad Ivanova Schmidt Rossi Silva Ali Park Yamamoto Ó'Súilleabháin`)

// plain is how a name stands in an address.
var plain = strings.NewReplacer("á", "a", "é", "e", "í", "i", "ó", "o", "ú", "u", "ñ", "n", "ë", "e", "Á", "a", "Ó", "o", "'", "", " ", "")

// mixes are what people have registered, with how many of a thousand have it.
// They are made up (so that each case is there), not measured anywhere.
var mixes = []struct {
	of      int
	methods []string
}{
	{270, []string{"mobilePhone"}},
	{30, []string{"mobilePhone", "alternateMobilePhone"}},
	{190, []string{"microsoftAuthenticatorPush", "softwareOneTimePasscode", "mobilePhone"}},
	{60, []string{"microsoftAuthenticatorPush", "softwareOneTimePasscode", "email"}},
	{30, []string{"microsoftAuthenticatorPush", "mobilePhone", "email"}},
	{80, []string{"mobilePhone", "email"}},
	{50, []string{"email"}},
	{50, []string{"officePhone"}}, // a land line, nothing else
	{15, []string{"officePhone", "email"}},
	{20, []string{"passKeyDeviceBoundAuthenticator", "microsoftAuthenticatorPush", "mobilePhone"}},
	{15, []string{"passKeySynced", "mobilePhone"}},
	{10, []string{"passKeyDeviceBound", "email"}},
	{5, []string{"fido2", "email"}}, // the word of older data
	{5, []string{"passKeyDeviceBoundWindowsHello", "mobilePhone"}},
	{20, []string{"windowsHelloForBusiness", "mobilePhone"}},
	{5, []string{"macOsSecureEnclaveKey", "email", "mobilePhone"}},
	{25, []string{"mobilePhone", "securityQuestion"}},
	{15, []string{"email", "securityQuestion"}},
	{5, []string{"securityQuestion"}},
	{15, []string{"hardwareOneTimePasscode", "email"}},
	{5, []string{"hardwareOneTimePasscode"}},
	{10, []string{"softwareOneTimePasscode"}},
	{5, []string{"microsoftAuthenticatorPasswordless", "email"}},
	{3, []string{"temporaryAccessPass"}},
	{3, []string{"externalAuthMethod", "email"}},
	{2, []string{"appPassword", "mobilePhone"}},
	{2, []string{"qrCode"}},
	{2, []string{"MobilePhone", "EMAIL"}},        // words are compared without regard to case
	{3, []string{"palmVeinScan", "mobilePhone"}}, // a word that nobody knows yet
	{50, nil},
}

// people makes persons from a seed, each by itself: the tenant of 300,000 takes
// no more memory than that of 15.
type people struct {
	seed  uint64
	count int
	made  time.Time // when the tenant was made: nobody was changed before
}

// roll gives a number below n, the same for the same person and purpose.
func (g *people) roll(i int, purpose uint64, n int) int {
	return int(mix(g.seed^mix(uint64(i)+1)^mix(purpose<<40)) % uint64(n))
}

// mix is the finishing step of SplitMix64.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Object ids carry the number of the account in their last 48 bits, scrambled,
// so that they need no table.
const (
	idFactor = 0x5deece66d1b3 // odd
	low48    = 1<<48 - 1
)

// id is the object id of account i.
func (g *people) id(i int) string {
	a := mix(g.seed ^ mix(uint64(i)))
	b := mix(a)
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", uint32(a), uint16(a>>32), uint16(a>>48)&0xfff, 0x8000|uint16(b)&0x3fff, (uint64(i)*idFactor+mix(g.seed))&low48)
}

// index is the number of the account with an object id.
func (g *people) index(id string) (int, bool) {
	if len(id) != 36 {
		return 0, false
	}
	n, err := strconv.ParseUint(id[24:], 16, 64)
	if err != nil {
		return 0, false
	}
	i := int((n - mix(g.seed)) * inverse48 & low48)
	return i, i >= 0 && i <= 1<<30 && g.id(i) == strings.ToLower(id)
}

// inverse48 undoes idFactor (Newton's way; each step doubles the right bits).
var inverse48 = func() uint64 {
	x := uint64(1)
	for range 6 {
		x *= 2 - idFactor*x
	}
	return x
}()

// Places of those who lead: the superintendent, a principal for each school,
// and a head for each department of each school.
var (
	firstPrincipal = 1
	firstHead      = firstPrincipal + len(Schools)
	firstOther     = firstHead + len(Schools)*len(departments)
)

// place is where account i works.
func (g *people) place(i int) (school, department int) {
	switch {
	case i == 0:
		return len(Schools) - 1, 7
	case i < firstHead:
		return i - firstPrincipal, 7
	case i < firstOther:
		return (i - firstHead) / len(departments), (i - firstHead) % len(departments)
	}
	return g.roll(i, 1, len(Schools)), g.roll(i, 2, len(departments))
}

// boss is the number of account i's manager, -1 for none.
func (g *people) boss(i, school, department int) int {
	b := firstHead + school*len(departments) + department
	switch {
	case i == 0:
		return -1
	case i < firstHead:
		b = 0
	case i < firstOther:
		b = firstPrincipal + school
	}
	if b >= g.count {
		return 0
	}
	return b
}

// kind is what account i is. The first ones, who lead, are people.
func (g *people) kind(i int) Kind {
	if i < min(firstOther, g.count/2) {
		return Staff
	}
	switch n := g.roll(i, 3, 1000); {
	case n < 25:
		return Guest
	case n < 40:
		return Shared
	case n < 46:
		return Service
	}
	return Staff
}

// person makes account i.
func (g *people) person(i int) Person {
	school, dep := g.place(i)
	combos := len(givenNames) * len(surnames)
	combo := int((uint64(i)*2654435761 + mix(g.seed)) % uint64(combos)) // the factor is a prime: each pair of names comes once in a round
	p := Person{
		ID: g.id(i), Kind: g.kind(i), GivenName: givenNames[combo%len(givenNames)], Surname: surnames[combo/len(givenNames)],
		School: Schools[school], Department: departments[dep], Title: titles[dep], Enabled: true, SSPR: true,
		EmployeeID: strconv.Itoa(100000 + i), HiredOn: g.made.AddDate(0, 0, -30-g.roll(i, 4, 9000)).Truncate(24 * time.Hour),
	}
	p.Name = p.GivenName + " " + p.Surname
	account := strings.ToLower(plain.Replace(p.GivenName + "." + p.Surname))
	if round := i / combos; round > 0 {
		account += strconv.Itoa(round + 1)
	}
	switch p.Kind {
	case Guest:
		p.HomeTenant, p.HomeID = home, g.id(i+1<<29)
		p.Mail = account + "@partner.example"
		p.UPN = strings.ReplaceAll(p.Mail, "@", "_") + "#EXT#@" + Domain
		p.School, p.Department, p.Title, p.EmployeeID, p.HiredOn = "", "", "", "", time.Time{}
		p.SSPR = false // guests reset at home
		return g.methods(i, p)
	case Shared:
		p.Name, account = p.Department+" "+p.School, fmt.Sprintf("shared-%d", i)
		p.Enabled = g.roll(i, 5, 10) == 0 // most are blocked, as they should be
	case Service:
		account = fmt.Sprintf("svc-%s-%d", strings.ToLower(strings.Fields(p.Department)[0]), i)
		p.Name, p.Department = account, "Technology"
	}
	p.UPN, p.Mail = account+"@"+Domain, account+"@"+Domain
	if p.Kind != Staff {
		p.GivenName, p.Surname, p.Title, p.EmployeeID, p.HiredOn, p.SSPR = "", "", "", "", time.Time{}, false
		return g.methods(i, p)
	}
	switch {
	case i == 0:
		p.Title = "Superintendent"
	case i < firstHead:
		p.Title = "Principal"
	case i < firstOther:
		p.Title = "Head of " + p.Department
	}
	if b := g.boss(i, school, dep); b >= 0 {
		p.Manager = g.id(b)
	}
	p.Lang = []string{"en-US", "en-US", "en-US", "en-US", "en-US", "es-US", "es-MX", "es", "en", ""}[g.roll(i, 6, 10)]
	if g.roll(i, 7, 3) > 0 {
		p.Phone = fmt.Sprintf("+1 951 555 %04d", i%10000)
	}
	p.Enabled = i < firstOther || g.roll(i, 8, 1000) >= 35
	p.Admin = i == 0 || p.Department == "Technology" && i >= firstHead && i < firstOther && school%3 == 0
	p.SSPR = i < firstHead || g.roll(i, 9, 1000) >= 30
	return g.methods(i, p)
}

// methods fills in what account i has registered.
func (g *people) methods(i int, p Person) Person {
	if p.Kind == Shared || p.Kind == Service {
		return p
	}
	// Who works without a desk has less, and who works with computers has more.
	switch habit := g.roll(i, 11, 10); p.Department {
	case "Custodial Services", "Food Services", "Transportation":
		if habit < 5 {
			p.Methods = [][]string{{"mobilePhone"}, {"mobilePhone"}, {"officePhone"}, nil}[g.roll(i, 12, 4)]
			return p
		}
	case "Technology":
		if habit < 6 {
			p.Methods = [][]string{{"passKeyDeviceBoundAuthenticator", "microsoftAuthenticatorPush", "email"}, {"microsoftAuthenticatorPush", "softwareOneTimePasscode", "email"}}[g.roll(i, 12, 2)]
			return p
		}
	}
	n := g.roll(i, 10, 1000)
	for _, m := range mixes {
		if n -= m.of; n < 0 {
			p.Methods = m.methods
			return p
		}
	}
	return p
}
