package discordtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// A Room is a text channel of the server.
type Room struct {
	s  *Server
	ID string
}

// A Post is a message in a room, with what stands in its thread.
type Post struct {
	Message
	Thread  string // its name; "": there is none
	Answers []Message
}

// Room makes one. code is what Discord says to whoever writes there, 0: it takes
// everything.
func (s *Server) Room(code int) *Room {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := &channel{id: s.snowflake()}
	if code != 0 {
		ch.bars = &problem{403, code, "Missing Permissions"}
	}
	s.channels[ch.id] = ch
	return &Room{s, ch.id}
}

// Bar makes Discord say a code to whoever writes in the thread of a message.
func (r *Room) Bar(message string, code int) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.channels[message].bars = &problem{400, code, "Thread is locked"}
}

// Posts are what stands in it, oldest first.
func (r *Room) Posts() (all []Post) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for _, m := range r.s.channels[r.ID].messages {
		p := Post{Message: m.seen()}
		if th := r.s.channels[m.id]; th != nil {
			p.Thread = th.name
			for _, o := range th.messages {
				p.Answers = append(p.Answers, o.seen())
			}
		}
		all = append(all, p)
	}
	return all
}

// Press has somebody press a button of the newest post that has it. What only they
// see of the answer is in Person.InGuild.
func (r *Room) Press(p *Person, label string) error {
	s := r.s
	s.mu.Lock()
	for _, m := range slices.Backward(s.channels[r.ID].messages) {
		for _, b := range m.buttons() {
			if squash(b.Label) != squash(label) || b.URL != "" {
				continue
			}
			_, d := s.interact(p, kindPress, M{"component_type": 2, "custom_id": b.ID, "id": 2}, m, true)
			d["channel_id"], d["channel"] = r.ID, M{"id": r.ID, "type": 0, "name": "desk"}
			s.mu.Unlock()
			return s.sendInteraction(d)
		}
	}
	s.mu.Unlock()
	return fmt.Errorf("no button %q", label)
}

// Opening makes Discord refuse with a code to open direct messages with somebody,
// or not any more.
func (p *Person) Opening(code int) {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.opening = code
}

// SetGuild sets the permissions of the bot in its server; "-": it is in none.
func (s *Server) SetGuild(permissions string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guild = permissions
}

// guilds are the servers that the bot is in.
func (s *Server) guilds(*call) (any, error) {
	switch s.guild {
	case "-":
		return []any{}, nil
	case "":
		return []any{M{"id": GuildID, "name": "Contoso", "icon": nil, "owner": false, "permissions": "0", "features": []any{}}}, nil
	}
	return []any{M{"id": GuildID, "name": "Contoso", "icon": nil, "owner": false, "permissions": s.guild, "features": []any{}}}, nil
}

// startThread is Start Thread from Message: the thread has the message's id.
func (s *Server) startThread(c *call) (any, error) {
	var in struct {
		Name    string `json:"name"`
		Archive int    `json:"auto_archive_duration"`
	}
	if err := json.Unmarshal(c.body, &in); err != nil {
		return nil, invalid("%v", err)
	}
	at, err := s.find(c.args[0], c.args[1])
	switch {
	case err != nil:
		return nil, err
	case at.ch.person != nil || at.ch.parent != "":
		return nil, &problem{400, 50024, "Cannot execute action on this channel type"}
	case at.ch.bars != nil:
		return nil, at.ch.bars
	case utf8.RuneCountInString(in.Name) < 1 || utf8.RuneCountInString(in.Name) > 100:
		return nil, invalid("name: Must be between 1 and 100 in length.")
	case !slices.Contains([]int{60, 1440, 4320, 10080}, in.Archive):
		return nil, invalid("auto_archive_duration")
	case s.channels[at.m.id] != nil:
		return nil, &problem{400, 160004, "A thread has already been created for this message"}
	}
	th := &channel{id: at.m.id, parent: at.ch.id, name: in.Name}
	s.channels[th.id] = th
	return th.json(), nil
}
