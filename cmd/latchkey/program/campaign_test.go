package program

import (
	"strings"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/discord/discordtest"
	"latchkey/adapters/slack/slacktest"
	"latchkey/bot"
	"latchkey/bot/campaign"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/programtest"
)

// TestCampaignOnPlatforms: people who never wrote are found on Slack, then on Teams,
// then by mail, and read it in their language. A button begins the enrollment at once.
func TestCampaignOnPlatforms(t *testing.T) {
	t.Parallel()
	p := openReachProgram(t)
	eva := p.slack.Add(slacktest.User{Name: "eva", Email: "eva@riverbend.example", Locale: "es-MX"})
	p.slack.Add(slacktest.User{Name: "left", Email: "left@riverbend.example", Deleted: true})
	nora := p.teams.Person(1)
	person := func(id, name, lang string) bot.Person {
		return bot.Person{ID: bot.PersonID(id), Username: name, Email: name + "@riverbend.example", Name: name, GivenName: name, Lang: lang, Department: "Kitchen"}
	}
	p.import1(person("p-eva", "eva", "es"), person("p-left", "left", "en"), person(nora.ObjectID, "nora", "en"))
	err := p.DB.Update(t.Context(), func(tx bot.Tx) error {
		_, err := p.campaigns.New(tx, "autumn", bot.CampaignPlan{Kind: campaign.KindFirst, Deadline: tx.Now().AddDate(0, 1, 0), Hours: []string{"mon-sun 00:00-24:00"},
			Audience: bot.Audience{Departments: []string{"Kitchen"}}}, "operator:ann")
		if err == nil {
			_, _, err = p.campaigns.Send(tx, "autumn", "", "operator:ann", true)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	parts := map[bot.PersonID]*bot.CampaignPart{}
	rigs.Until(t, "everybody to be written to", func() bool {
		if err := p.campaigns.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		done := true
		err := p.DB.View(t.Context(), func(tx bot.Tx) error {
			for _, who := range []bot.PersonID{"p-eva", "p-left", bot.PersonID(nora.ObjectID)} {
				part, err := tx.Part("autumn", who)
				if err != nil {
					done = false
					continue
				}
				parts[who] = part
				done = done && part.State == bot.PartAccepted
			}
			return nil
		})
		time.Sleep(50 * time.Millisecond)
		return err == nil && done
	})
	for who, via := range map[bot.PersonID]string{"p-eva": string(onSlack), "p-left": "mail", bot.PersonID(nora.ObjectID): string(onTeams)} {
		if q := parts[who]; q == nil || q.Via != via || q.Reminders != 1 {
			t.Errorf("%s: %+v, want it by %s", who, q, via)
		}
	}

	var nudge *slacktest.Message
	for _, m := range p.slack.Messages(p.slack.Room(eva.ID)) {
		if m.User == slacktest.BotUser {
			nudge = &m
		}
	}
	if nudge == nil || !strings.Contains(nudge.Text, "Hola, eva") {
		t.Fatalf("Eva reads %+v", nudge)
	}
	begun := false
	for _, el := range programtest.SlackButtons(nudge.Blocks) {
		if text, _ := el["text"].(map[string]any); text["text"] == "Empezar ahora" {
			begun = true
			if ok, _, err := p.slack.Send(p.slack.Presses(eva.ID, nudge, el), 0); !ok || err != nil {
				t.Fatalf("the press: %v, %v", ok, err)
			}
		}
	}
	if !begun {
		t.Fatalf("no button to begin in %s", nudge.Blocks)
	}
	rigs.Until(t, "the enrollment to begin on Slack", func() bool {
		for _, m := range p.slack.Messages(p.slack.Room(eva.ID)) {
			if strings.Contains(m.Text, "Riverbend Schools") && m.User == slacktest.BotUser && m.TS != nudge.TS {
				return true
			}
		}
		return false
	})
	if err := nora.Press("Start now"); err != nil {
		t.Fatalf("the press on Teams: %v", err)
	}
	rigs.Until(t, "the enrollment to begin on Teams", func() bool {
		vs := nora.Views()
		return len(vs) > 1 && strings.Contains(vs[len(vs)-1].Text, "Riverbend Schools")
	})
	for _, who := range []bot.PersonID{"p-eva", bot.PersonID(nora.ObjectID)} {
		if err := p.DB.View(t.Context(), func(tx bot.Tx) error {
			part, err := tx.Part("autumn", who)
			if err == nil && part.State != bot.PartStarted {
				t.Errorf("%s: %+v", who, part)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// Nobody is written to on Discord unasked: one message stands in a channel, and whoever
// presses its button goes on alone with the bot. It goes when the campaign ends.
func TestCampaignInAChannelOfDiscord(t *testing.T) {
	t.Parallel()
	var room *discordtest.Room
	p := openReachProgram(t, func(p *reachProgram, c *config.Config) {
		room = p.discord.Room(0)
		c.Campaigns.Channels = []string{string(onDiscord) + " " + room.ID}
	})
	known, stranger := p.discord.Person(1), p.discord.Person(2)
	p.import1(bot.Person{ID: "dora", Username: "dora", Name: "Dora", Department: "Kitchen"})
	update := func(fn func(tx bot.Tx) error) {
		t.Helper()
		if err := p.DB.Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	update(func(tx bot.Tx) error {
		return tx.Link(bot.Identity{Channel: onDiscord, User: known.ID(), Person: "dora", Level: bot.L2})
	})
	update(func(tx bot.Tx) error {
		_, err := p.campaigns.New(tx, "autumn", bot.CampaignPlan{Kind: campaign.KindFirst, Deadline: tx.Now().AddDate(0, 1, 0), Hours: []string{"mon-sun 00:00-24:00"}, First: 1}, "operator:ann")
		if err == nil {
			_, _, err = p.campaigns.Send(tx, "autumn", "", "operator:ann", true)
		}
		return err
	})
	var c *bot.Campaign
	until := func(what string, done func() bool) {
		t.Helper()
		rigs.Until(t, what, func() bool {
			if err := p.campaigns.Tick(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
			return done()
		})
	}
	part := func() (q *bot.CampaignPart) {
		_ = p.DB.View(t.Context(), func(tx bot.Tx) (err error) { q, err = tx.Part("autumn", "dora"); return err })
		return q
	}
	until("the message in the channel", func() bool { return len(room.Posts()) > 0 && part() != nil })
	update(func(tx bot.Tx) (err error) { c, err = tx.Campaign("autumn"); return err })
	for _, want := range []string{"This is ", "Soy ", campaign.ShowCode(c.Code)} {
		if text, _ := discordtest.Markdown(room.Posts()[0].Content); !strings.Contains(text, want) {
			t.Errorf("in the channel stands %q, without %q", text, want)
		}
	}
	const label = "Start in private / Empezar en privado"
	for _, who := range []*discordtest.Person{known, stranger} {
		if err := room.Press(who, label); err != nil {
			t.Fatal(err)
		}
		rigs.Until(t, "the script to begin alone with whoever pressed", func() bool {
			for _, m := range who.Messages() {
				if strings.Contains(m.Content, "Riverbend Schools") {
					return true
				}
			}
			return false
		})
	}
	if q := part(); q.State != bot.PartStarted {
		t.Errorf("after the press: %+v", q)
	}
	if posts := room.Posts(); len(posts) != 1 {
		t.Errorf("%d messages in the channel", len(posts))
	}
	button := c.Posts
	update(func(tx bot.Tx) error { _, _, err := p.campaigns.Stop(tx, "autumn", "operator:ann", ""); return err })
	stale := len(stranger.Messages())
	if err := room.Press(stranger, label); err != nil && len(room.Posts()) > 0 {
		t.Fatal(err)
	}
	rigs.Until(t, "the message to be taken away", func() bool { return len(room.Posts()) == 0 })
	for _, m := range stranger.Messages()[stale:] {
		if strings.Contains(m.Content, "Riverbend Schools") {
			t.Errorf("begun after it was stopped: %q", m.Content)
		}
	}
	if len(button) != 1 {
		t.Errorf("%d messages are known", len(button))
	}
}
