// Package demo has the organisation of `latchkey demo`: its configuration, its
// staff, and the number and mailbox of their pretend phone.
package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"latchkey/adapters/csv"
	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/bot/policy"
	"latchkey/cmd/latchkey/config"
	"latchkey/store"
)

//go:embed people.csv
var peopleCSV string

//go:embed agents.csv
var agentsCSV string

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

// SeatAgents lets the demo's agents work at the help desk, in the browser with one
// click: the last one is an admin.
func SeatAgents(ctx context.Context, db *store.DB) error {
	l, err := csv.Open(strings.NewReader(peopleCSV+agentRows()), csv.Options{})
	if err != nil {
		return fmt.Errorf("demo agents: %w", err)
	}
	agents := Agents()
	there := false
	err = db.View(ctx, func(tx bot.Tx) error {
		_, err := tx.Agent(agents[0].ID)
		there = err == nil
		if errors.Is(err, bot.ErrNotFound) {
			err = nil
		}
		return err
	})
	if err != nil || there {
		return err
	}
	if _, err := db.ImportPeople(ctx, l.People(), store.ImportOptions{}); err != nil {
		return fmt.Errorf("demo agents: %w", err)
	}
	return db.Update(ctx, func(tx bot.Tx) error {
		for i := range slices.Backward(agents) { // the admin first
			p, role := &agents[i], bot.RoleAgent
			if i == len(agents)-1 {
				role = bot.RoleAdmin
			}
			if err := desk.Grant(tx, p.ID, role, "demo", "the demo's agent"); err != nil {
				return err
			}
			if err := tx.Link(bot.Identity{Channel: "web", User: web.AgentUser(p.Username), Person: p.ID, Level: bot.L2, Evidence: "demo"}); err != nil {
				return err
			}
		}
		return nil
	})
}

// agentRows are the lines of agents.csv without the heading.
func agentRows() string {
	_, rows, _ := strings.Cut(agentsCSV, "\n")
	return rows
}

// Agents are those who work at the demo's help desk. Nobody pretends to be one of
// them in the chat.
func Agents() []bot.Person { return people(agentsCSV) }

// The phone's own number and its owner's private mailbox. The number is one
// that is kept free for fiction (+1 201 555 0100 to 0199) and that a mobile
// could have; the address lies in a domain that is kept free for examples
// (RFC 2606).
const (
	Number  = "(201) 555-0123"
	Mailbox = "my.own@mailbox.example"
)

// Staff is the demo's staff list; nil: it cannot be read, and Import says why.
func Staff() []bot.Person { return people(peopleCSV) }

func people(list string) []bot.Person {
	l, err := csv.Open(strings.NewReader(list), csv.Options{})
	if err != nil {
		return nil
	}
	var out []bot.Person
	for p := range l.People() {
		out = append(out, p)
	}
	return out
}
