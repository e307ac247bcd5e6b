package program

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/adapters/adaptertest/rigs"
	"latchkey/adapters/discord/discordtest"
	"latchkey/adapters/slack/slacktest"
	"latchkey/adapters/teams/teamstest"
	"latchkey/bot"
	"latchkey/bot/desk"
	"latchkey/bot/enroll"
	"latchkey/cmd/latchkey/config"
	"latchkey/store/storetest"
)

// A deskProgram is a reachProgram whose help desk has a channel on each platform.
type deskProgram struct {
	*reachProgram
	slackRoom   string
	teamsRoom   *teamstest.Channel
	discordRoom *discordtest.Room
}

// openDeskProgram opens it, on SQLite, or on PostgreSQL with its address.
func openDeskProgram(t *testing.T, postgres string) *deskProgram {
	p := &deskProgram{}
	p.reachProgram = openReachProgram(t, func(r *reachProgram, c *config.Config) {
		if postgres != "" {
			c.Store.Path, c.Store.Postgres = "", bot.Secret(postgres)
		}
		p.slackRoom, p.teamsRoom, p.discordRoom = r.slack.AddChannel(slacktest.Channel{}), r.teams.Channel(""), r.discord.Room(0)
		c.Desk.Enabled = true
		c.Desk.Channels = []string{string(onSlack) + " " + p.slackRoom, string(onTeams) + " " + p.teamsRoom.ID, string(onDiscord) + " " + p.discordRoom.ID}
	})
	return p
}

// does has Slack tell of something, until it is acknowledged.
func (p *deskProgram) does(h *slacktest.Happening) {
	p.t.Helper()
	rigs.Until(p.t, "Slack's acknowledgement", func() bool { ok, _, _ := p.slack.Send(h, 0); return ok })
}

func (p *deskProgram) says(user, text string) {
	p.t.Helper()
	h, err := p.slack.Says(user, text)
	if err != nil {
		p.t.Fatal(err)
	}
	p.does(h)
}

// A card is one as people see it.
type card struct {
	text    string
	buttons []string
	edited  bool
}

// cards are what stands in the channels, by platform.
func (p *deskProgram) cards() map[string][]card {
	all := map[string][]card{}
	for _, m := range p.slack.Messages(p.slackRoom) {
		if m.Thread != "" {
			continue
		}
		c := card{text: slacktest.Unescape(m.Text), edited: m.Edited}
		for _, el := range slackButtons(p.t, &m) {
			c.buttons = append(c.buttons, el["text"].(map[string]any)["text"].(string))
		}
		all["Slack"] = append(all["Slack"], c)
	}
	for _, post := range p.teamsRoom.Posts() {
		c := card{text: post.Text, edited: post.Edits > 0}
		for _, b := range post.Buttons {
			c.buttons = append(c.buttons, b.Title)
		}
		if len(post.Active) > 0 {
			p.t.Errorf("on Teams, these are more than text: %q", post.Active)
		}
		all["Teams"] = append(all["Teams"], c)
	}
	for _, post := range p.discordRoom.Posts() {
		text, active := discordtest.Markdown(post.Content)
		c := card{text: text}
		for _, b := range post.Buttons {
			c.buttons = append(c.buttons, b.Label)
		}
		if len(active) > 0 {
			p.t.Errorf("on Discord, these are more than text: %q", active)
		}
		all["Discord"] = append(all["Discord"], c)
	}
	return all
}

// slackButtons are the buttons of a message.
func slackButtons(t *testing.T, m *slacktest.Message) (all []map[string]any) {
	t.Helper()
	for _, raw := range m.Blocks {
		var b struct {
			Type, BlockID string
			Elements      []map[string]any
		}
		if err := json.Unmarshal(raw, &b); err != nil {
			t.Fatal(err)
		}
		if b.Type == "actions" {
			all = append(all, b.Elements...)
		}
	}
	return all
}

// standAs waits until each channel has one card, which begins with a line and has
// these buttons.
func (p *deskProgram) standAs(first string, buttons ...string) {
	p.t.Helper()
	rigs.Until(p.t, "the cards to say "+first, func() bool {
		all := p.cards()
		for _, platform := range []string{"Slack", "Teams", "Discord"} {
			cs := all[platform]
			if len(cs) != 1 || !strings.HasPrefix(cs[0].text, first+"\n") || !slices.Equal(cs[0].buttons, buttons) {
				return false
			}
		}
		return true
	})
}

// wordsAlone waits for the newest words that somebody alone was told.
func (p *deskProgram) wordsAlone(what string, words func() []string, n int) string {
	p.t.Helper()
	rigs.Until(p.t, what, func() bool { return len(words()) > n })
	return words()[n]
}

// slackPress has somebody press a button, and gives what they alone read.
func (p *deskProgram) slackPress(user string, m *slacktest.Message, el map[string]any) string {
	p.t.Helper()
	n := len(p.whispers(user))
	p.does(p.slack.Presses(user, m, el))
	return p.wordsAlone("a whisper in Slack", func() []string { return p.whispers(user) }, n)
}

// whispers are what somebody alone was told in the channel in Slack.
func (p *deskProgram) whispers(user string) (all []string) {
	for _, w := range p.slack.Whispers() {
		if w.User == user && w.Channel == p.slackRoom {
			all = append(all, w.Text)
		}
	}
	return all
}

func (p *deskProgram) discordPress(who *discordtest.Person, label string) string {
	p.t.Helper()
	words := func() (all []string) {
		for _, m := range who.InGuild() {
			if !m.Ephemeral {
				p.t.Errorf("everybody in Discord reads %q", m.Content)
			}
			all = append(all, m.Content)
		}
		return all
	}
	n := len(words())
	if err := p.discordRoom.Press(who, label); err != nil {
		p.t.Fatal(err)
	}
	return p.wordsAlone("an answer in Discord", words, n)
}

func (p *deskProgram) teamsPress(who *teamstest.Person, title string) string {
	p.t.Helper()
	line, err := p.teamsRoom.Press(who, title)
	if err != nil {
		p.t.Fatal(err)
	}
	return line
}

// slackWrite has somebody fill the form that a button opens: picks are what is picked
// in its lists. It gives what they alone read, which may be there in place of the form.
func (p *deskProgram) slackWrite(user string, m *slacktest.Message, el map[string]any, text string, picks ...string) string {
	p.t.Helper()
	n := len(p.whispers(user))
	p.does(p.slack.Presses(user, m, el))
	rigs.Until(p.t, "a form in Slack", func() bool { return p.slack.Modal(user) != nil || len(p.whispers(user)) > n })
	if p.slack.Modal(user) == nil {
		return p.whispers(user)[n]
	}
	h, err := p.slack.Enters(user, text, picks...)
	if err != nil {
		p.t.Fatal(err)
	}
	p.does(h)
	p.slack.Close(user)
	return p.wordsAlone("a whisper in Slack", func() []string { return p.whispers(user) }, n)
}

func (p *deskProgram) discordWrite(who *discordtest.Person, label, text string, picks ...string) string {
	p.t.Helper()
	n := len(who.InGuild())
	if err := p.discordRoom.Press(who, label); err != nil {
		p.t.Fatal(err)
	}
	rigs.Until(p.t, "a form in Discord", func() bool { _, _, _, open := who.Modal(); return open || len(who.InGuild()) > n })
	if _, _, _, open := who.Modal(); open {
		if err := who.Fill(text, picks...); err != nil {
			p.t.Fatal(err)
		}
	}
	rigs.Until(p.t, "an answer in Discord", func() bool { return len(who.InGuild()) > n })
	m := who.InGuild()[n]
	text, active := discordtest.Markdown(m.Content)
	if !m.Ephemeral || len(active) > 0 {
		p.t.Errorf("everybody in Discord reads %q, or more than text: %q", m.Content, active)
	}
	return text
}

// threadsAre waits until the threads under the only card have these lines, as text.
func (p *deskProgram) threadsAre(want []string) {
	p.t.Helper()
	rigs.Until(p.t, "the threads to say "+want[len(want)-1], func() bool {
		var inSlack, inTeams, inDiscord []string
		for _, m := range p.slack.Messages(p.slackRoom) {
			if m.Thread != "" {
				if strings.ContainsAny(m.Text, "<>") {
					p.t.Errorf("on Slack, more than text: %q", m.Text)
				}
				inSlack = append(inSlack, slacktest.Unescape(m.Text))
			}
		}
		for _, post := range p.teamsRoom.Posts() {
			for _, a := range post.Answers {
				inTeams = append(inTeams, a.Text)
			}
		}
		for _, post := range p.discordRoom.Posts() {
			for _, a := range post.Answers {
				text, active := discordtest.Markdown(a.Content)
				if len(active) > 0 {
					p.t.Errorf("on Discord, these are more than text: %q", active)
				}
				inDiscord = append(inDiscord, text)
			}
		}
		return slices.Equal(inSlack, want) && slices.Equal(inTeams, want) && slices.Equal(inDiscord, want)
	})
}

// cardsHave waits until each channel's card has some words.
func (p *deskProgram) cardsHave(words string) {
	p.t.Helper()
	rigs.Until(p.t, "the cards to have "+words, func() bool {
		all := p.cards()
		for _, platform := range []string{"Slack", "Teams", "Discord"} {
			if cs := all[platform]; len(cs) != 1 || !strings.Contains(cs[0].text, words) {
				return false
			}
		}
		return true
	})
}

// inTeamsAs has somebody fill the dialog that a button opens in Teams.
func inTeamsAs(p *deskProgram, who *teamstest.Person, title, text string, picks ...string) string {
	p.t.Helper()
	words, err := p.teamsRoom.Write(who, title, text, picks...)
	if err != nil {
		p.t.Fatal(err)
	}
	return words
}

func (p *deskProgram) ticket() bot.Ticket {
	p.t.Helper()
	var qs []bot.Ticket
	if err := p.DB.View(p.t.Context(), func(tx bot.Tx) (err error) { qs, err = tx.TicketsOfPerson("p-ada"); return err }); err != nil || len(qs) != 1 {
		p.t.Fatalf("tickets %+v, %v", qs, err)
	}
	return qs[0]
}

// TestDeskInItsChannels: somebody gets stuck in Slack. The help desk's channels in
// Slack, Teams and Discord each have one card for it, which changes as the ticket
// does. Its buttons are good for agents whose account there was signed in; anybody
// else is told, alone, that they are none, and of two agents one wins. A name that
// is made to ping and to link is text.
func TestDeskInItsChannels(t *testing.T) {
	t.Parallel()
	p := openDeskProgram(t, "")
	const name = "Ada <!channel> @everyone <@U1> <at>all</at> **b** [x](https://evil.example) \u202Enoj"
	const shown = "Ada <!channel> @everyone <@U1> <at>all</at> **b** [x](https://evil.example) noj"

	ada := p.slack.Add(slacktest.User{Name: "ada", Email: "ada@riverbend.example", Locale: "en-US"})
	maria, guest := p.slack.Add(slacktest.User{Name: "maria", Locale: "en-US"}), p.slack.Add(slacktest.User{Name: "ben", Locale: "es-MX"})
	omar, clerk := p.teams.Person(0), p.teams.Person(1)
	omar.Lang, clerk.Lang = "en-US", "en-US"
	dora, lost := p.discord.Person(0), p.discord.Person(1)
	omarSlack, omarDiscord := p.slack.Add(slacktest.User{Name: "omar", Locale: "en-US"}), p.discord.Person(2)
	omarDiscord.Speak("en-US")
	person := func(id, name string) bot.Person {
		login := strings.ToLower(strings.Fields(name)[0])
		return bot.Person{ID: bot.PersonID(id), Username: login, Email: login + "@riverbend.example", Name: name}
	}
	p.import1(person("p-ada", name), person("p-maria", "Maria Lopez"), person(omar.ObjectID, "Omar Said"), person(clerk.ObjectID, "Clara Clerk"), person("p-dora", "Dora Diaz"))
	link := func(ch bot.ChannelID, user, who string, held time.Time) bot.Identity {
		return bot.Identity{Channel: ch, User: user, Person: bot.PersonID(who), Level: bot.L2, HeldUntil: held}
	}
	err := p.DB.Update(t.Context(), func(tx bot.Tx) error {
		for _, id := range []bot.Identity{
			link(onSlack, ada.ID, "p-ada", time.Time{}), link(onSlack, maria.ID, "p-maria", time.Time{}), link(onTeams, omar.ObjectID, omar.ObjectID, time.Time{}),
			link(onSlack, omarSlack.ID, omar.ObjectID, time.Time{}), link(onDiscord, omarDiscord.ID(), omar.ObjectID, time.Time{}),
			link(onTeams, clerk.ObjectID, clerk.ObjectID, time.Time{}),
			// Whoever could talk Dora out of a code may be at this account.
			link(onDiscord, dora.ID(), "p-dora", tx.Now().Add(time.Hour)),
		} {
			if err := tx.Link(id); err != nil {
				return err
			}
		}
		for _, who := range []string{"p-maria", omar.ObjectID, "p-dora"} {
			if err := desk.Grant(tx, bot.PersonID(who), bot.RoleAgent, "operator:root", "hired"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	// Ada is stuck.
	p.says(ada.ID, "hi")
	rigs.Until(t, "Ada to be greeted", func() bool { return len(p.slack.Messages(p.slack.Room(ada.ID))) > 1 })
	p.says(ada.ID, "human")
	var q bot.Ticket
	rigs.Until(t, "a ticket", func() bool {
		var qs []bot.Ticket
		if err := p.DB.View(t.Context(), func(tx bot.Tx) (err error) { qs, err = tx.Tickets(10); return err }); err != nil {
			t.Fatal(err)
		}
		if len(qs) == 1 {
			q = qs[0]
		}
		return len(qs) == 1
	})
	waits := q.ID + ": " + shown + " waits for somebody"
	p.standAs(waits, "Take", "Reply", "Note", "Resolve")
	for platform, cs := range p.cards() {
		for _, want := range []string{"Step: ", "Language: English", "Writes on: Slack", "Waits since: "} {
			if !strings.Contains(cs[0].text, want) {
				t.Errorf("the card on %s has no %q:\n%s", platform, want, cs[0].text)
			}
		}
	}
	old := p.slack.Messages(p.slackRoom)[0]
	if strings.ContainsAny(old.Text, "<>\u202E") {
		t.Errorf("on Slack, the text that notifications show is more than text: %q", old.Text)
	}
	for _, raw := range old.Blocks { // what is not of these has markup
		if s := string(raw); !strings.HasPrefix(s, `{"type":"rich_text"`) && !strings.HasPrefix(s, `{"type":"actions"`) || strings.Contains(s, "mrkdwn") {
			t.Errorf("on Slack, a block may be more than text: %s", s)
		}
	}
	take, say, note, solve := slackButtons(t, &old)[0], slackButtons(t, &old)[1], slackButtons(t, &old)[2], slackButtons(t, &old)[3]

	// Nobody but an agent does anything, and only they read why.
	for who, words := range map[string]string{
		"ben, whom nobody knows":       p.slackPress(guest.ID, &old, take),
		"ada, who asked":               p.slackPress(ada.ID, &old, solve),
		"clara, who has no role":       p.teamsPress(clerk, "Take"),
		"somebody unknown":             p.discordPress(lost, "Take"),
		"dora, whose account is fresh": p.discordPress(dora, "Resolve"),
	} {
		if !strings.Contains(words, "Nothing was done") && !strings.Contains(words, "No se hizo nada") || !strings.Contains(words, "latchkey desk grant") {
			t.Errorf("%s reads %q", who, words)
		}
	}
	if now := p.ticket(); now.State != bot.TicketWaiting || now.Revision != q.Revision {
		t.Fatalf("the ticket has become %+v", now)
	}

	// Omar takes it in Teams; Maria is too late.
	if words := p.teamsPress(omar, "Take"); words != "You have "+q.ID+" now." {
		t.Errorf("Omar reads %q", words)
	}
	p.standAs(q.ID+": Omar helps "+shown, "Reply", "Verify person", "Send back to step…", "Note", "Resolve")
	if words := p.slackPress(maria.ID, &old, take); !strings.Contains(words, "Omar has "+q.ID+" already") {
		t.Errorf("Maria, too late, reads %q", words)
	}
	if words := p.slackPress(maria.ID, &old, solve); !strings.Contains(words, "Omar has "+q.ID) {
		t.Errorf("Maria, who resolves another agent's ticket, reads %q", words)
	}
	if now := p.ticket(); now.Agent != bot.PersonID(omar.ObjectID) || now.State != bot.TicketTaken {
		t.Fatalf("the ticket has become %+v", now)
	}
	inChat := func(words string) bool {
		return slices.ContainsFunc(p.slack.Messages(p.slack.Room(ada.ID)), func(m slacktest.Message) bool { return strings.Contains(m.Text, words) })
	}
	rigs.Until(t, "Ada to read who is there", func() bool { return inChat("Omar, help desk, is here now") })

	// What the two say stands in the threads, for more people than at the desk; what
	// the team says there goes nowhere.
	p.says(ada.ID, "call 704 296 3143 <!channel>, the code is 123456")
	threads := []string{shown + ": call •••• 43 <!channel>, the code is ••••••"}
	p.threadsAre(threads)
	reply := func(text string, how func(text string) string) {
		t.Helper()
		if words := how(text); !strings.HasPrefix(words, "It is on its way to the person.") {
			t.Errorf("Omar, who replies, reads %q", words)
		}
		threads = append(threads, "Omar: "+text+"\n(sent)")
		p.threadsAre(threads)
		rigs.Until(t, "Ada to read "+text, func() bool { return inChat("Omar, help desk:\n" + slacktest.Escape(text)) })
	}
	inSlack := func(user string) func(text string) string {
		return func(text string) string { return p.slackWrite(user, &old, say, text) }
	}
	inTeams := func(text string) string { return inTeamsAs(p, omar, "Reply", text) }
	reply("Please press *this* <!channel>", inTeams)
	reply("and @everyone waits", inSlack(omarSlack.ID))
	reply("I call you at noon", func(text string) string { return p.discordWrite(omarDiscord, "Reply", text) })
	for what, words := range map[string]string{
		"Maria, who has not the ticket": inSlack(maria.ID)("let me"), "Ben, who is nobody": inSlack(guest.ID)("hello"),
		"Dora, whose account is fresh": p.discordWrite(dora, "Reply", "hello"), "Omar, who wants a code": inTeams("Please send me the code"),
		"Omar, who shows one": p.discordWrite(omarDiscord, "Reply", "it is 123456"),
	} {
		if !strings.Contains(words, "Nothing was done") && !strings.Contains(words, "No se hizo nada") && !strings.Contains(words, "This was not sent") {
			t.Errorf("%s reads %q", what, words)
		}
	}
	p.threadsAre(threads)

	// A note is for the desk, and stands in no thread.
	for who, words := range map[string]string{
		"Maria, in Slack":  p.slackWrite(maria.ID, &old, note, "looks <!channel> like the old phone"),
		"Omar, in Discord": p.discordWrite(omarDiscord, "Note", "the old phone"),
	} {
		if words != "Noted on "+q.ID+". Only the desk reads it, on the web desk." {
			t.Errorf("%s, reads %q", who, words)
		}
	}
	if words := p.slackWrite(guest.ID, &old, note, "hello"); !strings.Contains(words, "Nothing was done") && !strings.Contains(words, "No se hizo nada") {
		t.Errorf("Ben, who notes something, reads %q", words)
	}
	p.threadsAre(threads)

	// Who calls is verified from the card: by a call back in Slack, with a badge in
	// Discord, and in Teams by words that the person reads out. What came of it stands
	// on the cards and in the threads.
	err = p.DB.Update(t.Context(), func(tx bot.Tx) error {
		m := &bot.Method{ID: "ada-mail", Person: "p-ada", Kind: bot.Email, State: bot.Active, Label: "a•••@home.example", CreatedAt: tx.Now().Add(-48 * time.Hour), ProvenAt: tx.Now().Add(-48 * time.Hour)}
		var err error
		if m.Sealed, err = p.Keys.Seal([]byte("ada@home.example"), m.Place()); err == nil {
			err = tx.PutMethod(m)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	verify := slackButtons(t, &p.slack.Messages(p.slackRoom)[0])[1]
	for who, words := range map[string]string{
		"Ben, who is nobody": p.slackWrite(guest.ID, &old, verify, ""), "Maria, who has not the ticket": p.slackWrite(maria.ID, &old, verify, ""),
		"Dora, whose account is fresh": p.discordWrite(dora, "Verify person", ""), "Clara, who has no role": inTeamsAs(p, clerk, "Verify person", ""),
	} {
		if !strings.Contains(words, "Nothing was done") && !strings.Contains(words, "No se hizo nada") {
			t.Errorf("%s, reads %q", who, words)
		}
	}
	const what = "Switch off what is lost: Private e-mail a•••@home.example"
	verified := func(words, way string) {
		t.Helper()
		if !strings.HasPrefix(words, "Verified "+way+". Until ") || !strings.HasSuffix(words, ", on the web desk: "+what+".") {
			t.Errorf("Omar reads %q", words)
		}
		threads = append(threads, "The person is verified ("+way+")")
		p.threadsAre(threads)
		p.cardsHave("Who it is: verified " + way + ", which counts until ")
	}
	verified(p.slackWrite(omarSlack.ID, &old, verify, "I called her manager", what, "They stand here with a badge"), "with a badge")
	if words := p.discordWrite(omarDiscord, "Verify person", "", what, "They stand here with a badge"); words != "Please write down why." {
		t.Errorf("Omar, who gives no reason, reads %q", words)
	}
	verified(p.discordWrite(omarDiscord, "Verify person", "she showed it", what, "They stand here with a badge"), "with a badge")
	if words := inTeamsAs(p, omar, "Verify person", "", what, "Two words by mail: a•••@home.example"); !strings.HasPrefix(words, "The person gets two words by mail.") {
		t.Errorf("Omar reads %q", words)
	}
	threads = append(threads, "Omar began to verify the person (by mail)")
	p.threadsAre(threads)
	p.cardsHave("Who it is: Omar makes sure by mail, until ")
	words := ""
	rigs.Until(t, "two words in Ada's mailbox", func() bool {
		for _, it := range p.Connections.device.Items() {
			if _, after, found := strings.Cut(it.Text, "\n\n    "); found {
				words, _, _ = strings.Cut(after, "\n")
			}
		}
		return words != ""
	})
	if told := inTeamsAs(p, omar, "Verify person", "other words"); !strings.HasPrefix(told, "Those were not the words.") {
		t.Errorf("Omar reads %q", told)
	}
	threads = append(threads, "Those were not the words (by mail)")
	verified(inTeamsAs(p, omar, "Verify person", words), "by mail")

	// He sends her back to the step where she was, and is told when she asks again.
	steps := func() []string {
		if err := p.discordRoom.Press(omarDiscord, "Send back to step…"); err != nil {
			t.Fatal(err)
		}
		rigs.Until(t, "a form in Discord", func() bool { _, _, _, open := omarDiscord.Modal(); return open })
		return omarDiscord.Options()[0]
	}()
	before := len(p.slack.Messages(p.slack.Room(ada.ID)))
	if words := inTeamsAs(p, omar, "Send back to step…", "", steps[0]); words != "The person is with the assistant again. "+q.ID+" stays yours." {
		t.Errorf("Omar reads %q", words)
	}
	threads = append(threads, "Omar sent the person back to the assistant")
	p.threadsAre(threads)
	rigs.Until(t, "Ada to be with the assistant", func() bool { return len(p.slack.Messages(p.slack.Room(ada.ID))) > before && inChat("assistant") })
	if words := inTeams("I am here again"); !strings.HasPrefix(words, "It is on its way to the person.") {
		t.Errorf("Omar reads %q", words)
	}
	threads = append(threads, "Omar: I am here again\n(sent)")
	p.threadsAre(threads)

	// He resolves it; what was pressed before says so.
	if words := p.teamsPress(omar, "Resolve"); words != q.ID+" is solved." {
		t.Errorf("Omar reads %q", words)
	}
	p.standAs(q.ID + ": solved by Omar, for " + shown)
	if words := p.slackPress(maria.ID, &old, take); !strings.Contains(words, q.ID+" is closed already") {
		t.Errorf("Maria, after the end, reads %q", words)
	}
	rigs.Until(t, "Ada to be asked how it was", func() bool { return inChat("How was") || inChat("how was") })
	if refused := p.teams.Refused(); len(refused) > 0 {
		t.Errorf("not as Teams takes it: %q", refused)
	}

	// When Ada is erased, so are the cards.
	if _, err := p.Enroll.Erase(t.Context(), "p-ada", true, enroll.Order{By: "operator:root", Why: "asked for it"}); err != nil {
		t.Fatal(err)
	}
	rigs.Until(t, "the cards to be taken back, and what stood under them", func() bool { return len(p.cards()) == 0 && len(p.slack.Messages(p.slackRoom)) == 0 })
	if lost, _, err := p.Outbox.List(t.Context(), 10); err != nil || len(lost) > 0 {
		t.Errorf("given up: %+v, %v", lost, err)
	}
}

// TestDeskChannelThatIsClosed: a channel that the bot is not in holds up neither the
// person nor the other channels, and its card stands among what was given up. When
// the bot is in it at last, the next change brings the card.
func TestDeskChannelThatIsClosed(t *testing.T) {
	t.Parallel()
	p := openDeskProgram(t, "")
	for _, bad := range []string{string(onSlack) + " #help", string(onTeams) + " help", string(onDiscord) + " help"} {
		c := config.Config{Desk: config.Desk{Channels: []string{bad}}}
		if _, err := (&Program{Config: &c, Connections: p.Connections}).deskRooms(); err == nil || !strings.Contains(err.Error(), "no id of a channel") {
			t.Errorf("desk.channels: %s: %v", bad, err)
		}
	}
	p.slack.ChangeChannel(p.slackRoom, func(c *slacktest.Channel) { c.Without = true })
	p.import1(bot.Person{ID: "p-maria", Username: "maria", Email: "maria@riverbend.example", Name: "Maria Lopez"})
	err := p.DB.Update(t.Context(), func(tx bot.Tx) error { return desk.Grant(tx, "p-maria", bot.RoleAgent, "operator:root", "hired") })
	if err != nil {
		t.Fatal(err)
	}
	dora := p.discord.Person(0)
	if err := dora.Say("human"); err != nil {
		t.Fatal(err)
	}
	reads := func(words string) bool {
		return slices.ContainsFunc(dora.Messages(), func(m discordtest.Message) bool { return strings.Contains(m.Content, words) })
	}
	rigs.Until(t, "Dora to be asked who she is", func() bool { return reads("Who are you") })
	if err := dora.Say("Dora Diaz"); err != nil {
		t.Fatal(err)
	}
	rigs.Until(t, "Dora to be told", func() bool { return reads("Your request is") })
	given := func() []bot.OutboxRow {
		rows, _, err := p.Outbox.List(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	rigs.Until(t, "the cards", func() bool {
		all := p.cards()
		return len(all["Teams"]) == 1 && len(all["Discord"]) == 1 && len(given()) == 1
	})
	if row := given()[0]; row.Channel != onSlack || !strings.HasSuffix(row.Error, bot.WhyNotInstalled) || len(p.cards()["Slack"]) != 0 {
		t.Errorf("given up: %+v", row)
	}
	p.slack.ChangeChannel(p.slackRoom, func(c *slacktest.Channel) { c.Without = false })
	var q bot.Ticket
	err = p.DB.View(t.Context(), func(tx bot.Tx) error {
		qs, err := tx.Tickets(10)
		if len(qs) == 1 {
			q = qs[0]
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Desk.Do(t.Context(), desk.Act{Key: "1", AgentAct: bot.AgentAct{Ticket: q.ID, By: "p-maria", Do: desk.DoTake}}); err != nil {
		t.Fatal(err)
	}
	p.standAs(q.ID+": Maria helps somebody who has not signed in", "Reply", "Send back to step…", "Note", "Resolve")
	if rows := given(); len(rows) > 0 {
		t.Errorf("given up: %+v", rows)
	}
}

// TestDoctorLooksAtTheDesksChannels: each entry of desk.channels is looked at, nothing
// is said there, and what is wrong with one is told with what to do.
func TestDoctorLooksAtTheDesksChannels(t *testing.T) {
	t.Parallel()
	p := openDeskProgram(t, "")
	said, _ := examined(t, p.Program, false)
	for _, v := range p.Config.Desk.Channels {
		if !strings.Contains(said, "  good channel "+v+": can be written to\n") {
			t.Errorf("of %s nothing good is said:\n%s", v, said)
		}
	}
	if n := len(p.cards()); n > 0 {
		t.Errorf("something stands in %d channels", n)
	}
	if refused := p.teams.Refused(); len(refused) > 0 {
		t.Errorf("not as Teams takes it: %q", refused)
	}
	private, archived := p.slack.AddChannel(slacktest.Channel{Hidden: true}), p.slack.AddChannel(slacktest.Channel{Without: true})
	out, closed, blind := p.teams.Channel("BotNotInConversationRoster"), p.discord.Room(50013), p.discord.Room(50001)
	for v, want := range map[string]string{
		string(onSlack) + " C0NOSUCHROOM":         "check its id, and write /invite",
		string(onSlack) + " " + private:           "check its id, and write /invite",
		string(onSlack) + " " + archived:          "write /invite with its name there",
		string(onSlack) + " #help":                "looks like C0123ABCD",
		string(onTeams) + " " + out.ID:            "add it there (the team's menu, Manage team, Apps)",
		string(onTeams) + " 19:gone@thread.tacv2": "check the channel's id",
		string(onDiscord) + " 123456789012345678": "check its id",
		string(onDiscord) + " " + closed.ID:       "let its role send messages, create public threads",
		string(onDiscord) + " " + blind.ID:        "add it to the server, and let its role view the channel",
		"slack-other C0123ABCD":                   "see what is said of slack-other",
	} {
		p.Config.Desk.Channels = []string{v}
		fs := p.lookAtRooms(t.Context())
		if len(fs) != 1 || fs[0].State != bot.Broken || !strings.Contains(fs[0].Text+" / "+fs[0].Fix, want) || fs[0].Fix == "" {
			t.Errorf("of %s: %+v", v, fs)
		}
	}
	p.slack.Set(func(w *slacktest.Workspace) { w.Scopes = strings.ReplaceAll(w.Scopes, "channels:history", "none") })
	p.Config.Desk.Channels = []string{string(onSlack) + " " + p.slackRoom}
	if fs := p.lookAtRooms(t.Context()); len(fs) != 1 || fs[0].State != bot.Broken || !strings.Contains(fs[0].Text+fs[0].Fix, "scopes") {
		t.Errorf("without a scope: %+v", fs)
	}
}

// TestOneCardWhoeverShowsIt: two processes show one ticket at the same moment, and
// often. It has one card in each channel, which says what became of it last.
func TestOneCardWhoeverShowsIt(t *testing.T) {
	t.Parallel()
	p := openDeskProgram(t, storetest.Postgres(t))
	other, err := New(t.Context(), p.Config, slog.New(slog.DiscardHandler), Pretend(t.TempDir())) // shows, and sends nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	ids := []string{}
	for n := range 10 {
		err := p.DB.Update(t.Context(), func(tx bot.Tx) error {
			id, _, err := desk.Ask(tx, bot.Ticket{Conversation: bot.ConversationID(fmt.Sprint("call|", n)), Lang: "en"})
			ids = append(ids, id)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var shows sync.WaitGroup
	at := func(do func() error) {
		shows.Go(func() {
			if err := do(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, id := range ids {
		for range 2 {
			at(func() error { return p.Desk.HandleShowTicket(t.Context(), desk.ShowTicket{Ticket: id}) })
			at(func() error { return other.Desk.HandleShowTicket(t.Context(), desk.ShowTicket{Ticket: id}) })
		}
		at(func() error {
			return p.DB.Update(t.Context(), func(tx bot.Tx) error {
				q, err := tx.Ticket(id)
				if err == nil {
					q.State = bot.TicketDropped
					err = tx.PutTicket(q)
				}
				if err == nil {
					err = tx.AddLine(&bot.TicketLine{Ticket: id, Kind: bot.LineEvent, Code: "not_needed"})
				}
				return err
			})
		})
	}
	shows.Wait()
	said := func() (all []string) {
		for _, m := range p.slack.Messages(p.slackRoom) {
			all = append(all, m.Text)
		}
		return all
	}
	rigs.Until(t, "the cards to say the end", func() bool {
		return !slices.ContainsFunc(said(), func(s string) bool { return !strings.Contains(s, "needs nobody any more") })
	})
	for _, id := range ids {
		n := 0
		for _, s := range said() {
			if strings.HasPrefix(s, id+":") {
				n++
			}
		}
		if n > 1 {
			t.Errorf("ticket %s has %d cards", id, n)
		}
	}
}
