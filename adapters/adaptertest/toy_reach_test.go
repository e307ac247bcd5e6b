package adaptertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"regexp"
	"slices"
	"strings"

	"latchkey/bot"
)

// What the toy has beside conversations: a list of its users, and one room.

// toyPost is a message in the room.
type toyPost struct {
	toyMessage
	under string // of which message; "" for none
}

// toyAddress is where one writes.
type toyAddress struct {
	User  string `json:"user,omitempty"`
	Room  string `json:"room,omitempty"`
	Under string `json:"under,omitempty"`
}

const toyRoom = "R1"

// Newcomer implements Directory.
func (p *toy) Newcomer(n int) (Person, bot.Recipient) {
	who := p.Person(50 + n)
	return who, bot.Recipient{Person: bot.PersonID(fmt.Sprint("p", n)), Email: who.ID() + "@toy.example"}
}

// Absent implements Directory.
func (p *toy) Absent() map[string]bot.Recipient {
	return map[string]bot.Recipient{bot.WhyNotFound: {Email: "U999@toy.example"}}
}

// RoomID implements RoomKeeper.
func (p *toy) RoomID() string { return toyRoom }

// NoRooms implements RoomKeeper.
func (p *toy) NoRooms() map[string]string { return map[string]string{bot.WhyNotFound: "R2"} }

// Posts implements RoomKeeper.
func (p *toy) Posts() (all []Post, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	show := func(m toyMessage) Shown {
		s := Shown{Text: html.UnescapeString(m.Text), Active: toyLive.FindAllString(m.Text, -1)}
		for _, b := range m.Buttons {
			s.Buttons = append(s.Buttons, Button{Label: html.UnescapeString(b.Label)})
		}
		return s
	}
	for _, x := range p.posts {
		if x.under == "" {
			post := Post{Shown: show(x.toyMessage)}
			for _, y := range p.posts {
				if y.under == x.ID {
					post.Answers = append(post.Answers, show(y.toyMessage))
				}
			}
			all = append(all, post)
		}
	}
	return all, nil
}

func (p *toy) removePost(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.posts = slices.DeleteFunc(p.posts, func(x *toyPost) bool { return x.ID == id })
}

// Open implements bot.Opener.
func (a *toyAdapter) Open(ctx context.Context, to bot.Recipient) (bot.Opened, error) {
	id, _, _ := strings.Cut(to.Email, "@")
	a.p.mu.Lock()
	known := a.p.users[id] != nil
	a.p.mu.Unlock()
	if !known && !a.wrong("opens a conversation with nobody") {
		se := &bot.SendError{Kind: bot.SendGone, Code: bot.WhyNotFound, Err: errors.New("toy: nobody here has this address; look at the directory")}
		if a.wrong("does not say why") {
			se.Code = ""
		}
		if a.wrong("names whom it cannot reach") {
			se.Err = fmt.Errorf("toy: nobody here has the address %s; look at the directory", to.Email)
		}
		return bot.Opened{}, se
	}
	if a.wrong("greets by itself") {
		_, _ = a.p.post(ctx, id, toyMessage{Key: random(4), Text: "Hello!"})
	}
	conv := bot.ConversationID("toy:" + id)
	if a.wrong("opens another conversation each time") {
		conv += bot.ConversationID(random(4))
	}
	b, err := json.Marshal(toyAddress{User: id})
	return bot.Opened{Conversation: conv, User: id, Address: b}, err
}

var toyRooms = regexp.MustCompile(`^R[0-9]{1,5}$`)

// Room implements bot.RoomWriter.
func (a *toyAdapter) Room(id string) (bot.Opened, error) {
	if !toyRooms.MatchString(id) && !a.wrong("takes any name for a room") {
		return bot.Opened{}, &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("toy: no room")}
	}
	b, err := json.Marshal(toyAddress{Room: id})
	return bot.Opened{Conversation: bot.ConversationID("toy:" + id), Address: b}, err
}

// Thread implements bot.RoomWriter.
func (a *toyAdapter) Thread(room []byte, receipt, _ string) (bot.Opened, error) {
	var at toyAddress
	if json.Unmarshal(room, &at) != nil || at.Room == "" || at.Under != "" || !strings.HasPrefix(receipt, "M") {
		return bot.Opened{}, &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("toy: no message of a room")}
	}
	at.Under = receipt
	b, err := json.Marshal(at)
	return bot.Opened{Conversation: bot.ConversationID("toy:" + at.Room + ":" + receipt), Address: b}, err
}

func (a *toyAdapter) sendRoom(d bot.Delivery, at toyAddress) (bot.Receipt, error) {
	refuse := func(kind bot.SendErrorKind, code, why string) (bot.Receipt, error) {
		if a.wrong("does not say why") {
			code = ""
		}
		return bot.Receipt{}, &bot.SendError{Kind: kind, Code: code, Err: errors.New("toy: " + why)}
	}
	switch {
	case d.Private() && !a.wrong("says everything in rooms"):
		return refuse(bot.SendPermanent, "", "private")
	case at.Room != toyRoom:
		return refuse(bot.SendGone, bot.WhyNotFound, "no such room")
	}
	w := a.render(d)
	if a.wrong("does not escape in rooms") {
		w.Text = d.Message.Text
	}
	if a.wrong("answers beside the message") {
		at.Under = ""
	}
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	a.p.n++
	w.ID = fmt.Sprint("M", a.p.n)
	a.p.posts = append(a.p.posts, &toyPost{w, at.Under})
	return bot.Receipt{ID: w.ID}, nil
}

// Edit implements bot.Editor.
func (a *toyAdapter) Edit(_ context.Context, d bot.Delivery, receipt string) error {
	if d.Private() && !a.wrong("shows a secret in the place of a message") {
		return &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("toy: private")}
	}
	if a.wrong("changes nothing") {
		return nil
	}
	w := a.render(d)
	a.p.mu.Lock()
	defer a.p.mu.Unlock()
	var at *toyMessage
	if u := a.p.users[d.User]; u != nil {
		for i := range u.screen {
			if u.screen[i].ID == receipt || a.wrong("changes the last message for an unknown receipt") && receipt != "" {
				at = &u.screen[i]
			}
		}
	}
	for _, x := range a.p.posts {
		if d.User == "" && x.ID == receipt {
			at = &x.toyMessage
		}
	}
	if at == nil {
		return &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("toy: no such message")}
	}
	at.Text = w.Text
	if !a.wrong("leaves the buttons") {
		at.Buttons = w.Buttons
	}
	return nil
}
