package campaign

import (
	"errors"
	"strings"

	"latchkey/bot"
)

// post puts the campaign's message into the channels that many read, once.
func (s *Service) post(tx bot.Tx, c *bot.Campaign) error {
	for _, r := range s.o.Rooms {
		to, err := tx.Room(r.Channel, r.ID)
		if err != nil {
			return err
		}
		row := bot.OutboxRow{Conversation: to, Lane: bot.LaneNotice, Message: s.roomMessage(c)}
		if err := errors.Join(tx.Say(&row), tx.Number(&row)); err != nil {
			return err
		}
		c.Posts = append(c.Posts, row.ID)
	}
	return nil
}

// roomMessage is what everybody in a channel reads, in every language: it is true for
// whoever has done it already, too.
func (s *Service) roomMessage(c *bot.Campaign) bot.Message {
	var texts, labels []string
	for _, lang := range s.o.Phrases.Languages() {
		texts = append(texts, s.o.Phrases.Phrase(lang, "campaign.room", "bot_name", s.o.Facts["bot_name"], "org", s.o.Facts["org"],
			"deadline", bot.Date(s.o.Phrases, lang, c.Plan.Zone, c.Plan.Deadline), "code", ShowCode(c.Code)))
		labels = append(labels, s.o.Phrases.Phrase(lang, "campaign.button.join"))
	}
	start := bot.Choice{ID: bot.ChoiceJoin + c.ID, Label: strings.Join(labels, " / "), Primary: true}
	return bot.Message{Text: strings.Join(texts, "\n\n"), Lang: s.o.Lang, Choices: []bot.Choice{start}}
}

// unpost takes the messages in channels back.
func unpost(tx bot.Tx, c *bot.Campaign) error {
	for _, id := range c.Posts {
		row, err := tx.Row(id)
		switch {
		case errors.Is(err, bot.ErrNotFound):
			err = nil // pruned: its button says that it is over
		case err == nil && row.State.GivenUp():
			err = tx.Unlist(row)
		case err == nil:
			err = tx.Say(&bot.OutboxRow{Op: bot.OpTakeBack, Target: id})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// join begins what a campaign is about for whoever pressed its button in a channel.
func (s *Service) join(tx bot.Tx, c *bot.Conversation, ss *bot.Session, id string, say func(string, ...string) bot.DeskAnswer) (bot.DeskAnswer, error) {
	m, err := tx.Campaign(id)
	switch {
	case errors.Is(err, bot.ErrNotFound), err == nil && m.State != bot.CampaignRunning:
		return say("over"), nil
	case err != nil:
		return bot.DeskAnswer{}, err
	case ss.Owner == bot.OwnerDesk:
		return say("agent"), nil
	}
	if c.Person == "" { // they sign in in the script
		return bot.DeskAnswer{Begin: &bot.Begin{Flow: kinds[m.Plan.Kind].flow}}, nil
	}
	p, err := tx.Part(id, c.Person)
	if errors.Is(err, bot.ErrNotFound) {
		return bot.DeskAnswer{Begin: &bot.Begin{Flow: kinds[m.Plan.Kind].flow}}, nil
	}
	if err != nil {
		return bot.DeskAnswer{}, err
	}
	return s.begin(tx, m, p)
}

// begin has somebody begin what a campaign is about.
func (s *Service) begin(tx bot.Tx, m *bot.Campaign, p *bot.CampaignPart) (_ bot.DeskAnswer, err error) {
	if p.State != bot.PartEnrolled {
		p.State, p.Why, p.Row, p.Due = bot.PartStarted, "", 0, s.nextReminder(m, p, tx.Now())
		err = tx.PutPart(p)
	}
	return bot.DeskAnswer{Begin: &bot.Begin{Flow: kinds[m.Plan.Kind].flow}}, err
}
