package program

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/discord/discordtest"
	"latchkey/adapters/slack/slacktest"
	"latchkey/adapters/teams/teamstest"
	"latchkey/bot"
	"latchkey/bot/turn"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/demo"
	"latchkey/store"
)

// A reachProgram is the program in a Slack workspace, a Teams tenant and a Discord
// server at once, with a service that says what a test wants.
type reachProgram struct {
	*Program
	t       *testing.T
	slack   *slacktest.Workspace
	teams   *teamstest.Cloud
	discord *discordtest.Server
	service *turn.Service
	do      func(tx bot.Tx) error // what the service does in the turn of the next event
	acts    int
}

const (
	onSlack   = bot.ChannelID("slack-acme")
	onTeams   = bot.ChannelID("teams-acme")
	onDiscord = bot.ChannelID("discord-acme")
)

// openReachProgram opens it; configure may change what it is configured with, and
// use the doubles for that.
func openReachProgram(t *testing.T, configure ...func(p *reachProgram, c *config.Config)) *reachProgram {
	t.Helper()
	p := &reachProgram{t: t, slack: slacktest.New(t), teams: teamstest.New(t), discord: discordtest.New(t)}
	cfg := demo.Config(t.TempDir())
	cfg.File, cfg.HTTP.PublicURL = "test", "http://127.0.0.1:9"
	account := func(platform string) config.Account { return config.Account{Name: "acme", Platform: platform} }
	cfg.Slack = []config.Slack{{
		Account: account("slack"), BotToken: []bot.Secret{slacktest.BotToken}, AppToken: []bot.Secret{slacktest.AppToken}, Team: slacktest.Team, APIURL: p.slack.API(), Command: "/sspr",
	}}
	cfg.Teams = []config.Teams{{
		Account: account("teams"), AppID: teamstest.AppID, Tenant: teamstest.Tenant, ClientSecret: []bot.Secret{teamstest.Secret}, LoginURL: p.teams.LoginURL(), KeysURL: p.teams.KeysURL(),
		ServiceHosts: []string{p.teams.Host()}, ServiceURL: p.teams.Service(), GraphURL: p.teams.GraphURL(), CatalogApp: teamstest.CatalogApp,
	}}
	cfg.Discord = []config.Discord{{Account: account("discord"), ApplicationID: discordtest.ApplicationID, Token: []bot.Secret{discordtest.Token}, APIURL: p.discord.API}}
	for _, fn := range configure {
		fn(p, cfg)
	}
	if _, err := vault.Create(cfg.KeysFile); err != nil {
		t.Fatal(err)
	}
	var err error
	p.Program, err = New(t.Context(), cfg, slog.New(slog.DiscardHandler), Pretend(t.TempDir()), Integration{"slack", connectSlack}, Integration{"teams", connectTeams}, Integration{"discord", connectDiscord})
	if err != nil {
		t.Fatal(err)
	}
	p.service = turn.New(turn.Options{Store: p.DB, Engine: p.Scripts, Outbox: p.Outbox, Desk: p})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		p.Close()
	})
	for _, page := range p.Connections.pages {
		if strings.Contains(page.path, "teams") {
			server := httptest.NewServer(page.handler)
			t.Cleanup(server.Close)
			p.teams.Endpoint(server.URL)
		}
	}
	rigs.Until(t, "the ways to the platforms to be open", func() bool {
		for _, ch := range []bot.ChannelID{onSlack, onTeams, onDiscord} {
			if h, _ := p.health(ch); !h.OK {
				return false
			}
		}
		return p.ready.Load() && p.discord.Connected()
	})
	return p
}

// Route implements turn.Desk: the service.
func (p *reachProgram) Route(tx bot.Tx, _ *bot.Conversation, _ *bot.Session, _ *bot.Event) (bot.DeskAnswer, error) {
	return bot.DeskAnswer{Say: &bot.Message{Text: fmt.Sprint("answer ", p.acts)}}, p.do(tx)
}

// Keep implements turn.Desk.
func (p *reachProgram) Keep(bot.Tx, *bot.Conversation, string) (string, error) { return "", nil }

// act gives the service an event of a conversation; what it says is said in the
// event's transaction.
func (p *reachProgram) act(in bot.ConversationID, ch bot.ChannelID, do func(tx bot.Tx) error) error {
	p.t.Helper()
	p.acts++
	p.do = do
	return p.service.Accept(p.t.Context(), bot.Event{ID: fmt.Sprint("act ", p.acts), Channel: ch, Conversation: in, Kind: bot.Agent, Agent: &bot.AgentAct{Do: "say"}})
}

// says says a text where somebody or something is reached.
func says(tx bot.Tx, to bot.ConversationID, err error, text string) (*bot.OutboxRow, error) {
	row := &bot.OutboxRow{Conversation: to, Lane: bot.LaneRelay, Message: bot.Message{Text: text}}
	if err != nil {
		return row, err
	}
	return row, tx.Say(row)
}

// import1 puts people into the directory's copy.
func (p *reachProgram) import1(people ...bot.Person) {
	p.t.Helper()
	rep, err := p.DB.ImportPeople(p.t.Context(), func(yield func(bot.Person, int) bool) {
		for i, who := range people {
			if !yield(who, i+1) {
				return
			}
		}
	}, store.ImportOptions{})
	if err != nil || !rep.Stored {
		p.t.Fatalf("import: %+v, %v", rep, err)
	}
}

// reached tells where a person is reachable, and where not and why.
func (p *reachProgram) reached(who bot.PersonID) (all []string) {
	p.t.Helper()
	err := p.DB.View(p.t.Context(), func(tx bot.Tx) error {
		ps, err := tx.OpeningsOf(who)
		for _, o := range ps {
			switch {
			case o.Opened != "":
				all = append(all, "reachable on "+string(o.Channel))
			case o.Why != "":
				all = append(all, "not on "+string(o.Channel)+": "+o.Why)
			}
		}
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return all
}

// TestReachAnywhere: in the turn of an event on Slack a service says something to
// another person on Teams, in a thread of a channel of each platform, and to
// people who never wrote. All of it is said, or none; whoever cannot be written to
// is told of with the reason, and everybody else is written to all the same.
func TestReachAnywhere(t *testing.T) {
	t.Parallel()
	p := openReachProgram(t)

	// Ada and Tom have written; Tom in Teams.
	ada := p.slack.Add(slacktest.User{Name: "ada", Email: "ada@riverbend.example", Locale: "en-US"})
	tom := p.teams.Person(0)
	tom.Lang = "en-US"
	hello, err := p.slack.Says(ada.ID, "hi")
	if err != nil {
		t.Fatal(err)
	}
	rigs.Until(t, "Slack's acknowledgement", func() bool { ok, _, _ := p.slack.Send(hello, 0); return ok })

	// Those who never wrote.
	eva := p.slack.Add(slacktest.User{Name: "eva", Email: "eva@riverbend.example", Locale: "es-MX"})
	p.slack.Add(slacktest.User{Name: "guest", Email: "guest@riverbend.example", Restricted: true})
	left := p.slack.Add(slacktest.User{Name: "left", Email: "left@riverbend.example", Deleted: true})
	newTeams, blocked, unlicensed := p.teams.Person(1), p.teams.Person(2), p.teams.Person(3)
	blocked.Bars, unlicensed.Bars = "ConversationBlockedByUser", "BotNotInConversationRoster"
	p.teams.Graph(403, "Failed to get license information for the user. Ensure user has a valid Office365 license assigned to them.")
	dora, apart := p.discord.Person(1), p.discord.Person(2)
	apart.Opening(50278)
	person := func(id, name string) bot.Person {
		return bot.Person{ID: bot.PersonID(id), Username: name, Email: name + "@riverbend.example", Name: name}
	}
	const nowhere = "99999999-aaaa-4bbb-8ccc-000000000099"
	dev := person("p-eva", "eva")
	dev.Lang = "es"
	p.import1(person("p-ada", "ada"), dev, person("p-guest", "guest"), person("p-left", "left"), person("p-dora", "dora"), person("p-apart", "apart"), person(nowhere, "nowhere"),
		person(tom.ObjectID, "tom"), person(newTeams.ObjectID, "nora"), person(blocked.ObjectID, "ben"), person(unlicensed.ObjectID, "lee"))
	if err := tom.Say("hi"); err != nil {
		t.Fatal(err)
	}
	err = p.DB.Update(t.Context(), func(tx bot.Tx) error {
		return errors.Join(
			tx.Link(bot.Identity{Channel: onSlack, User: left.ID, Person: "p-left", Level: bot.L2}),
			tx.Link(bot.Identity{Channel: onDiscord, User: dora.ID(), Person: "p-dora", Level: bot.L2}),
			tx.Link(bot.Identity{Channel: onDiscord, User: apart.ID(), Person: "p-apart", Level: bot.L2}))
	})
	if err != nil {
		t.Fatal(err)
	}

	type reach struct {
		on  bot.ChannelID
		who string
	}
	all := []reach{
		{onTeams, tom.ObjectID}, {onTeams, newTeams.ObjectID}, {onTeams, blocked.ObjectID}, {onTeams, unlicensed.ObjectID}, {onTeams, nowhere}, {onTeams, "p-eva"},
		{onSlack, "p-eva"}, {onSlack, "p-guest"}, {onSlack, "p-left"}, {onSlack, nowhere}, {onDiscord, "p-dora"}, {onDiscord, "p-apart"}, {onDiscord, "p-eva"},
	}
	slackRoom, teamsRoom, discordRoom := p.slack.AddChannel(slacktest.Channel{}), p.teams.Channel(""), p.discord.Room(0)
	rooms := map[bot.ChannelID]string{onSlack: slackRoom, onTeams: teamsRoom.ID, onDiscord: discordRoom.ID}
	everywhere := func(n string) func(tx bot.Tx) error {
		return func(tx bot.Tx) error {
			for ch, id := range rooms {
				to, err := tx.Room(ch, id)
				head, err := says(tx, to, err, "ticket "+n)
				if err != nil {
					return err
				}
				to, err = tx.Thread(head, "#"+n)
				for _, line := range []string{"line 1 of ", "line 2 of "} {
					if _, err = says(tx, to, err, line+n); err != nil {
						return err
					}
				}
			}
			for _, r := range all {
				to, err := tx.Direct(r.on, bot.PersonID(r.who))
				if _, err = says(tx, to, err, "news "+n); err != nil {
					return fmt.Errorf("%s on %s: %w", r.who, r.on, err)
				}
			}
			return nil
		}
	}
	here := bot.ConversationID(string(onSlack) + "|" + slacktest.Team + "|" + ada.ID)
	inSlack := func(user string) (texts []string) {
		for _, m := range p.slack.Messages(p.slack.Room(user)) {
			if m.User == slacktest.BotUser {
				texts = append(texts, m.Text)
			}
		}
		return texts
	}
	inTeams := func(who *teamstest.Person) (texts []string) {
		for _, v := range who.Views() {
			texts = append(texts, v.Text)
		}
		return texts
	}
	inDiscord := func(who *discordtest.Person) (texts []string) {
		for _, m := range who.Messages() {
			if m.Bot {
				texts = append(texts, m.Content)
			}
		}
		return texts
	}
	greeted := func(texts []string) bool {
		return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, "Riverbend Schools") })
	}
	rigs.Until(t, "Ada and Tom to be greeted", func() bool { return greeted(inSlack(ada.ID)) && greeted(inTeams(tom)) })
	before := len(inTeams(tom))

	// The turn fails after everything was said: nobody has read any of it.
	oops := errors.New("the turn fails")
	if err := p.act(here, onSlack, func(tx bot.Tx) error { return errors.Join(everywhere("0")(tx), oops) }); !errors.Is(err, oops) {
		t.Fatalf("the turn ends with %v", err)
	}
	// It ends well: everybody reads it who can be written to.
	if err := p.act(here, onSlack, everywhere("1")); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		tom.ObjectID:        nil, // no opening: he has written himself
		newTeams.ObjectID:   {"reachable on teams-acme"},
		blocked.ObjectID:    {"not on teams-acme: closed"},
		unlicensed.ObjectID: {"not on teams-acme: no_licence"},
		nowhere:             {"not on slack-acme: not_found", "not on teams-acme: not_found"},
		"p-eva":             {"not on discord-acme: not_linked", "reachable on slack-acme", "not on teams-acme: not_linked"},
		"p-guest":           {"not on slack-acme: not_ours"},
		"p-left":            {"not on slack-acme: deactivated"},
		"p-dora":            {"reachable on discord-acme"},
		"p-apart":           {"not on discord-acme: not_installed"},
	}
	for who, reached := range want {
		rigs.Until(t, who+" to be "+strings.Join(reached, ", "), func() bool { return slices.Equal(p.reached(bot.PersonID(who)), reached) })
	}
	// read is what is new, wherever people read.
	read := func() string {
		in := func(name string, texts []string) string { return name + ": " + strings.Join(texts, ", ") + "\n" }
		var b strings.Builder
		b.WriteString(in("Tom", inTeams(tom)[before:]))
		b.WriteString(in("Nora", inTeams(newTeams)))
		b.WriteString(in("Eva", inSlack(eva.ID)))
		b.WriteString(in("Dora", inDiscord(dora)))
		var texts []string
		for _, m := range p.slack.Messages(slackRoom) {
			if m.Thread != "" {
				m.Text = "> " + m.Text
			}
			texts = append(texts, m.Text)
		}
		b.WriteString(in("Slack", texts))
		texts = nil
		for _, post := range teamsRoom.Posts() {
			texts = append(texts, post.Text)
			for _, a := range post.Answers {
				texts = append(texts, "> "+a.Text)
			}
		}
		b.WriteString(in("Teams", texts))
		texts = nil
		for _, post := range discordRoom.Posts() {
			texts = append(texts, post.Content)
			for _, a := range post.Answers {
				texts = append(texts, "> "+a.Content)
			}
		}
		return b.String() + in("Discord", texts)
	}
	once := "Tom: news 1\nNora: news 1\nEva: news 1\nDora: news 1\n"
	thread := "ticket 1, > line 1 of 1, > line 2 of 1"
	for _, name := range []string{"Slack", "Teams", "Discord"} {
		once += name + ": " + thread + "\n"
	}
	got := ""
	rigs.Until(t, "everything to be read once", func() bool { got = read(); return got == once })
	if texts := inSlack(ada.ID); !slices.Contains(texts, "answer 2") || slices.Contains(texts, "answer 1") {
		t.Errorf("Ada reads %q", texts)
	}

	// Who was written to begins in their language, and is opened no second time.
	opens, created := p.slack.Calls("conversations.open"), p.teams.Created(newTeams)
	if err := p.act(here, onSlack, func(tx bot.Tx) error {
		for _, r := range all {
			if r.who != "p-eva" && r.who != newTeams.ObjectID {
				continue
			}
			to, err := tx.Direct(r.on, bot.PersonID(r.who))
			if _, err = says(tx, to, err, "news 2"); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	rigs.Until(t, "the second news", func() bool {
		return slices.Equal(inSlack(eva.ID), []string{"news 1", "news 2"}) && slices.Equal(inTeams(newTeams), []string{"news 1", "news 2"})
	})
	if n, m := p.slack.Calls("conversations.open")-opens, p.teams.Created(newTeams)-created; n+m != 0 {
		t.Errorf("opened %d and %d times more", n, m)
	}
	evas := bot.ConversationID(string(onSlack) + "|" + slacktest.Team + "|" + eva.ID)
	if err := p.Turn.Accept(t.Context(), bot.Event{ID: "begin", Channel: onSlack, Conversation: evas, Kind: bot.Start, Begin: &bot.Begin{Flow: "enroll"}}); err != nil {
		t.Fatal(err)
	}
	rigs.Until(t, "Eva to be spoken to", func() bool { return len(inSlack(eva.ID)) == 3 })
	if text := inSlack(eva.ID)[2]; !strings.Contains(text, "¡Hola!") {
		t.Errorf("Eva, who speaks Spanish, reads %q", text)
	}
	if refused := p.teams.Refused(); len(refused) > 0 {
		t.Errorf("not as Teams takes it: %q", refused)
	}
}

var _ turn.Desk = (*reachProgram)(nil)
