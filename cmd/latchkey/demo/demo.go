// Package demo has the organisation of `latchkey demo`: its configuration, its
// staff, and the number and mailbox of their pretend phone.
package demo

import (
	"context"
	_ "embed"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"latchkey/adapters/csv"
	"latchkey/bot"
	"latchkey/bot/policy"
	"latchkey/cmd/latchkey/config"
	"latchkey/store"
)

//go:embed people.csv
var peopleCSV string

// Config is what the configuration file of the demo would say, for a demo whose
// data are in the folder dir.
func Config(dir string) *config.Config {
	c := config.Default()
	c.Org.Name = "Riverbend Schools"
	c.Org.Department = "Technology Services"
	c.Org.Address = "1 School Lane, Riverbend"
	c.Org.HelpPhone = "(555) 010-0199"
	c.Org.HelpHours = "Monday to Friday, 7:30 to 16:30"
	c.Org.HelpEmail = "helpdesk@riverbend.example"
	c.Org.Domains = []string{"riverbend.example"}
	c.Org.Domain = "riverbend.example"
	c.Store.Path = filepath.Join(dir, "latchkey.db")
	c.KeysFile = filepath.Join(dir, "latchkey.keys")
	c.Terminal.User = "demo"
	c.Directory = "demo"
	return c
}

// Ease lifts the limits that a visitor would meet who plays several
// people with one phone, one mailbox and one browser, today and next week.
// What a code, a try or a lock is stays as it is everywhere.
func Ease(p *policy.Policy) {
	many := policy.Limit{N: 1000, Per: time.Hour}
	p.SMSUser, p.SMSNumber, p.VoiceNumber, p.MailAddress = []policy.Limit{many}, []policy.Limit{many}, []policy.Limit{many}, []policy.Limit{many}
	p.SMSPrefix, p.MailUser = many, many
	p.SMSBudgetFloor, p.BreakerSends = many.N, many.N
	p.NumberSharers = 100
	p.WebBurst, p.WebRate = policy.Limit{N: 10000, Per: time.Minute}, policy.Limit{N: 100, Per: time.Second}
	p.LinkOpens, p.WebFailures = many, many
	p.SessionIdle, p.SessionLife = 90*24*time.Hour, 90*24*time.Hour
}

// Import stores the demo's staff list, unless people are there already.
func Import(ctx context.Context, db *store.DB) error {
	by, err := db.CountPeople(ctx)
	if err != nil {
		return err
	}
	if len(by) > 0 {
		return nil
	}
	l, err := csv.Open(strings.NewReader(peopleCSV), csv.Options{})
	if err != nil {
		return fmt.Errorf("demo staff list: %w", err)
	}
	rep, err := db.ImportPeople(ctx, l.People(), store.ImportOptions{})
	if err != nil {
		return err
	}
	if !rep.Stored || l.Report().Bad > 0 {
		return fmt.Errorf("demo staff list: %v %v", rep.Problems, l.Report().Problems)
	}
	return nil
}

// The phone's own number and its owner's private mailbox. The number is one
// that is kept free for fiction (+1 201 555 0100 to 0199) and that a mobile
// could have; the address lies in a domain that is kept free for examples
// (RFC 2606).
const (
	Number  = "(201) 555-0123"
	Mailbox = "my.own@mailbox.example"
)

// Staff is the demo's staff list; nil: it cannot be read, and Import says why.
func Staff() []bot.Person {
	l, err := csv.Open(strings.NewReader(peopleCSV), csv.Options{})
	if err != nil {
		return nil
	}
	var out []bot.Person
	for p := range l.People() {
		out = append(out, p)
	}
	return out
}
