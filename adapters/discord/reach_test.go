package discord_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"latchkey/adapters/adaptertest"
	"latchkey/adapters/chat"
	"latchkey/adapters/discord"
	"latchkey/adapters/discord/discordtest"
	"latchkey/bot"
)

// Newcomer implements adaptertest.Directory: they signed in elsewhere, with
// their account linked, and never wrote.
func (p *platform) Newcomer(n int) (adaptertest.Person, bot.Recipient) {
	who := p.Person(5 + n)
	return who, bot.Recipient{Person: "p-1", User: who.ID(), Email: "ada@contoso.example"}
}

// Absent implements adaptertest.Directory.
func (p *platform) Absent() map[string]bot.Recipient {
	refused := func(n, code int) bot.Recipient {
		who := p.s.Person(30 + n)
		who.Opening(code)
		return bot.Recipient{User: who.ID()}
	}
	return map[string]bot.Recipient{
		bot.WhyNotLinked:    {Person: "p-2", Email: "ben@contoso.example"},
		bot.WhyNotFound:     {User: "299999999999999999"},
		bot.WhyClosed:       refused(1, 50007),
		bot.WhyNotInstalled: refused(2, 50278),
	}
}

// RoomID implements adaptertest.RoomKeeper.
func (p *platform) RoomID() string { return p.room().ID }

// NoRooms implements adaptertest.RoomKeeper.
func (p *platform) NoRooms() map[string]string {
	return map[string]string{bot.WhyNotFound: "399999999999999999", bot.WhyNotInstalled: p.s.Room(50001).ID, bot.WhyClosed: p.s.Room(50013).ID}
}

// Posts implements adaptertest.RoomKeeper.
func (p *platform) Posts() (all []adaptertest.Post, err error) {
	for _, x := range p.room().Posts() {
		post := adaptertest.Post{Shown: show(x.Message)}
		for _, m := range x.Answers {
			post.Answers = append(post.Answers, show(m))
		}
		all = append(all, post)
	}
	return all, nil
}

// TestOpenWhatDiscordSays: what Discord answers, and what is known then. Nothing
// is uncertain, since nothing was said, and asking again gives the same channel.
func TestOpenWhatDiscordSays(t *testing.T) {
	t.Parallel()
	p := open(t, adaptertest.NewHouse())
	who := p.s.Person(3)
	for code, want := range map[int]struct {
		kind bot.SendErrorKind
		why  string
	}{
		50007: {bot.SendGone, bot.WhyClosed}, 50278: {bot.SendGone, bot.WhyNotInstalled}, 50001: {bot.SendGone, bot.WhyClosed}, 10013: {bot.SendGone, bot.WhyNotFound},
		20026: {bot.SendRetry, ""}, 40003: {bot.SendThrottled, ""}, 99999: {bot.SendGone, bot.WhyClosed},
	} {
		a := p.Connect(t).(*discord.Adapter) // each with its own rate
		who.Opening(code)
		_, err := a.Open(t.Context(), bot.Recipient{User: who.ID()})
		var se *bot.SendError
		if !errors.As(err, &se) || se.Kind != want.kind || want.why != "" && se.Code != want.why {
			t.Errorf("%d: %v, want %+v", code, err, want)
		} else if strings.Contains(se.Error(), who.ID()) {
			t.Errorf("%d: the error names the person: %v", code, se)
		}
	}
	who.Opening(0)
	a := p.Connect(t).(*discord.Adapter)
	p.s.FaultPath("/users/@me/channels", func(w http.ResponseWriter, q *http.Request, c *discordtest.Call) bool {
		p.s.Do(q, c) // it is opened, and then the line breaks
		panic(http.ErrAbortHandler)
	})
	for range 2 {
		var se *bot.SendError
		if _, err := a.Open(t.Context(), bot.Recipient{User: who.ID()}); !errors.As(err, &se) || se.Kind != bot.SendRetry {
			t.Errorf("without an answer: %v, want it to be tried again", err)
		}
	}
	p.s.FaultPath("/users/@me/channels", nil)
	to, err := a.Open(t.Context(), bot.Recipient{User: who.ID()})
	if err != nil || !strings.Contains(string(to.Address), who.Channel()) {
		t.Errorf("opened %+v (%v), want the channel %s", to, err, who.Channel())
	}
}

// TestThreadOnce: a thread whose making was not answered is not made twice, and
// neither is what was said in it.
func TestThreadOnce(t *testing.T) {
	t.Parallel()
	p := open(t, adaptertest.NewHouse())
	a := p.Connect(t).(*discord.Adapter)
	room, err := a.Room(p.RoomID())
	if err != nil {
		t.Fatal(err)
	}
	say := func(to bot.Opened, key string, attempt int) (bot.Receipt, *bot.SendError) {
		r, err := a.Send(t.Context(), bot.Delivery{Key: key, Conversation: to.Conversation, Address: to.Address, Message: bot.Message{Text: key}, Attempt: attempt})
		var se *bot.SendError
		errors.As(err, &se)
		return r, se
	}
	top, se := say(room, "top", 1)
	if se != nil {
		t.Fatal(se)
	}
	under, err := a.Thread(room.Address, top.ID, "#1042 @everyone\n"+strings.Repeat("x", 300))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Typing(t.Context(), under.Address); err != nil {
		t.Errorf("typing where nothing was said yet: %v", err)
	}
	path := "/channels/" + p.RoomID() + "/messages/" + top.ID + "/threads"
	p.s.FaultPath(path, func(w http.ResponseWriter, q *http.Request, c *discordtest.Call) bool {
		p.s.Do(q, c)
		panic(http.ErrAbortHandler)
	})
	if _, se := say(under, "first", 1); se == nil || se.Kind != bot.SendUncertain && se.Kind != bot.SendRetry {
		t.Errorf("without an answer: %v", se)
	}
	p.s.FaultPath(path, nil)
	first, se := say(under, "first", 2)
	if again, _ := say(under, "first", 3); se != nil || again != first {
		t.Errorf("said as %v and %v (%v)", first, again, se)
	}
	ps := p.room().Posts()
	if len(ps) != 1 || len(ps[0].Answers) != 1 || !strings.HasPrefix(ps[0].Thread, "#1042 @everyone xxx") || len([]rune(ps[0].Thread)) > 100 {
		t.Errorf("%+v", ps)
	}
	p.room().Bar(top.ID, 160005)
	if _, se := say(under, "late", 1); se == nil || se.Kind != bot.SendGone || se.Code != bot.WhyClosed {
		t.Errorf("a locked thread: %v", se)
	}
	// Two attempts at once: one of them finds the thread there already.
	other, _ := say(room, "other", 1)
	under, err = a.Thread(room.Address, other.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	path = "/channels/" + p.RoomID() + "/messages/" + other.ID + "/threads"
	p.s.FaultPath(path, func(w http.ResponseWriter, q *http.Request, c *discordtest.Call) bool {
		p.s.Do(q, c) // made by somebody else a moment before
		return false
	})
	if _, se := say(under, "both", 1); se != nil {
		t.Errorf("a thread that is there already: %v", se)
	}
	if ps := p.room().Posts(); ps[1].Thread != "Latchkey" || len(ps[1].Answers) != 1 {
		t.Errorf("%+v", ps[1])
	}
}

// TestEditTakesFilesAway: what is put in the place of a picture shows none.
func TestEditTakesFilesAway(t *testing.T) {
	t.Parallel()
	p := open(t, adaptertest.NewHouse())
	a := p.Connect(t).(*discord.Adapter)
	who := p.s.Person(0)
	d := bot.Delivery{Key: "k", User: who.ID(), Address: []byte(`{"c":"` + who.Channel() + `"}`), Message: bot.Message{Text: "Look.", Picture: &bot.Picture{Name: adaptertest.PictureName, Alt: "x"}}, Attempt: 1}
	r, err := a.Send(t.Context(), d)
	if err != nil || len(who.Messages()[0].Files) != 1 {
		t.Fatalf("%v %+v", err, who.Messages())
	}
	file := who.Messages()[0].Files[0]
	d.Message = bot.Message{Text: "Gone."}
	if err := a.Edit(t.Context(), d, r.ID); err != nil {
		t.Fatal(err)
	}
	if raw, err := file.Fetch(); len(raw) > 0 || err != nil || len(who.Messages()[0].Files) > 0 || who.Messages()[0].Content != "Gone." {
		t.Errorf("%d bytes, %v, %+v", len(raw), err, who.Messages())
	}
}

// TestExamineRights: the doctor looks at what the bot may do where it has to write
// in channels, and not elsewhere.
func TestExamineRights(t *testing.T) {
	t.Parallel()
	p := open(t, adaptertest.NewHouse())
	find := func(desk bool, guild string) (f bot.Finding) {
		p.s.SetGuild(guild)
		a, err := discord.New(discord.Options{Options: chat.Options{Channel: "d", Phrases: phrases, Desk: desk}, House: recent{p}, ApplicationID: discordtest.ApplicationID,
			Token: func() []bot.Secret { return []bot.Secret{discordtest.Token} }, APIURL: p.s.API,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Examine(t.Context()) {
			if f.What == "channels" {
				return f
			}
		}
		return bot.Finding{}
	}
	for guild, want := range map[string]struct {
		state bot.FindingState
		text  string
	}{
		"309237648384": {bot.Fine, "may write in Contoso"}, "274877910016": {bot.Doubtful, "Create Public Threads"}, "0": {bot.Doubtful, "View Channels, Send Messages"},
		"8": {bot.Doubtful, "administrator"}, "-": {bot.Broken, "in no server"},
	} {
		if f := find(true, guild); f.State != want.state || !strings.Contains(f.Text, want.text) || (f.Fix == "") != (f.State == bot.Fine) {
			t.Errorf("%s: %+v", guild, f)
		}
	}
	if f := find(false, "8"); f.What != "" {
		t.Errorf("without the desk: %+v", f)
	}
}
