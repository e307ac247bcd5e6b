package program

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/calendar"
	"latchkey/bot/desk"
	"latchkey/bot/pass"
	"latchkey/bot/turn"
	"latchkey/cmd/latchkey/config"
)

// newDesk makes the help desk.
func (p *Program) newDesk() error {
	c := p.Config.Desk
	hours, err := deskHours(p.Config)
	if err != nil {
		return err
	}
	rooms, err := p.deskRooms()
	if err != nil {
		return err
	}
	p.Desk = desk.New(desk.Options{
		Agents: c.Enabled, Store: p.DB, Vault: p.Keys, Phrases: p.Scripts, Hours: hours, Zone: deskZone(p.Config), Reads: p.reads, Sends: p.sends, Silence: c.Silence,
		Targets: targets(p.Config),
		Begins:  func(s *bot.Session, b *bot.Begin) error { return p.Scripts.Set().Begins(s, b) },
		Where:   p.where,
		Session: func(state []byte) (s bot.Session, err error) { return s, turn.DecodeSession(state, &s) },
		Checks:  func(name string) bot.CheckSpec { return specOf(p.Verify.Specs(), name) }, HoldNew: p.Config.Policy.HoldNew, NoteSecond: p.passes.NoteSecond,
		Alert: p.Enroll.Alert, Anonymous: webChannel, Methods: p.Enroll, Acts: p.Config.Policy.DeskActs,
		Outside: p.Connections.outside, Registrar: p.Connections.Source != nil,
		Mail:  desk.Mail{To: mailAddress(c.Mail), Org: p.Config.Org.Name, Notifier: p.Connections.notifierOr(nowhere{})},
		Rooms: rooms, Lang: p.Config.Org.Language, Link: deskLink(p.Config),
		Title:  func(flow, step, lang string) string { return p.Scripts.Set().Title(flow, step, lang) },
		Logger: p.Log.With("component", "desk"),
	})
	return nil
}

func specOf(all []bot.CheckSpec, name string) bot.CheckSpec {
	return all[slices.IndexFunc(all, func(s bot.CheckSpec) bool { return s.Name == name })]
}

// deskRooms are the channels of the help desk's own, whose ids are as their
// platforms have them.
func (p *Program) deskRooms() (rooms []desk.Room, err error) {
	for _, v := range p.Config.Desk.Channels {
		account, id, _ := strings.Cut(v, " ")
		r := desk.Room{Channel: bot.ChannelID(account), ID: id}
		if w, ok := p.Connections.channels[r.Channel].(bot.RoomWriter); ok { // else it is not connected
			if _, err := w.Room(id); err != nil {
				return nil, fmt.Errorf("desk.channels: %q: %w", v, err)
			}
		}
		rooms = append(rooms, r)
	}
	return rooms, nil
}

func deskHours(c *config.Config) (*calendar.Hours, error) {
	h, err := calendar.Parse(c.Desk.Zone, c.Desk.Hours, c.Desk.Holidays)
	if err != nil {
		return nil, fmt.Errorf("desk.hours: %w", err)
	}
	return h, nil
}

// deskZone is where the desk's days begin: as its pages tell times, unless it is said.
func deskZone(c *config.Config) *time.Location {
	if zone, err := time.LoadLocation(c.Desk.Zone); err == nil && c.Desk.Zone != "" {
		return zone
	}
	return time.Local
}

// AsksAgentsForCode reports whether the desk in the browser asks agents for a code of
// a method of their own.
func AsksAgentsForCode(c *config.Config) bool {
	return c.Desk.Enabled && c.Web.Enabled && c.SignsIn() && c.SecondFactor() == ""
}

// reads reports whether what is said in a conversation is read, or can be: in the web
// chat only while a browser has a session there.
func (p *Program) reads(tx bot.Tx, c *bot.Conversation) (bool, error) {
	if c.Channel != webChannel {
		return true, nil
	}
	return pass.New(pass.Options{Policy: p.Config.Policy}).Read(tx, c.ID)
}

// left tells the desk of conversations that every browser has left. A command has no
// desk of its own.
func (p *Program) left(tx bot.Tx, convs ...bot.ConversationID) error {
	d := p.Desk
	if d == nil {
		d = desk.New(desk.Options{Agents: p.Config.Desk.Enabled, Vault: p.Keys, Reads: p.reads})
	}
	return d.Left(tx, convs...)
}

// sends reports whether anything can be sent in a way.
func (p *Program) sends(via bot.Via) bool { return p.Connections.Senders[via] != nil }

func targets(c *config.Config) desk.Targets {
	return desk.Targets{Answer: c.Desk.Answer, Solve: c.Desk.Solve}
}

// targetsKey is where the meta table has the targets that tickets were last looked
// after for.
const targetsKey = "desk.targets"

// timeOpenTickets has the tickets that are open looked after when targets were set or
// changed since the last start.
func (p *Program) timeOpenTickets(ctx context.Context) error {
	t := targets(p.Config)
	now := fmt.Sprint(p.Config.Desk.Enabled, t)
	was, err := p.DB.Meta(ctx, targetsKey)
	switch {
	case err != nil && !errors.Is(err, bot.ErrNotFound):
		return err
	case string(was) == now, err != nil && t.None():
		return nil
	case p.Config.Desk.Enabled && !t.None():
		if err := p.Desk.TimeOpen(ctx); err != nil {
			return err
		}
	}
	return p.DB.SetMeta(ctx, targetsKey, []byte(now))
}

// deskLink gives the address of a ticket on the desk in the browser; nil: there is
// no such desk.
func deskLink(c *config.Config) func(ticket string) string {
	if !c.Desk.Enabled || !c.Web.Enabled || c.HTTP.PublicURL == "" || !c.SignsIn() {
		return nil
	}
	return func(ticket string) string { return c.HTTP.PublicURL + "/desk/t/" + ticket }
}

// onLine is what else happens when a ticket gets a line, in the same transaction.
func (p *Program) onLine() func(bot.Tx, *bot.TicketLine) error {
	c := p.Config
	return func(tx bot.Tx, l *bot.TicketLine) error {
		if c.Desk.Enabled && !targets(c).None() {
			if err := desk.Timed(tx, l); err != nil {
				return err
			}
		}
		if c.Desk.Mail != "" {
			if err := desk.Mailed(tx, l); err != nil {
				return err
			}
		}
		if len(c.Desk.Channels) > 0 {
			if err := desk.Shown(tx, l); err != nil {
				return err
			}
			if p.Desk != nil { // a command says nothing
				if err := p.Desk.Spoken(tx, l); err != nil {
					return err
				}
			}
		}
		if !c.Desk.Outside() {
			return nil
		}
		return desk.Told(tx, l)
	}
}

// where names the step that a stored session is at.
func (p *Program) where(state []byte, lang string) (flow, title, progress string) {
	var s bot.Session
	if turn.DecodeSession(state, &s) != nil {
		return "", "", "" // the turn in that conversation tells of it
	}
	return p.Scripts.Set().Where(&s, lang)
}
