package discord

import (
	"encoding/json"
	"sync"
)

// An address is Event.Address: where to write to a person, and what was taken
// in last.
type address struct {
	Channel string `json:"c"`           // the direct message channel, the channel of a server, or the thread
	Seen    string `json:"m,omitempty"` // id of the last message that was taken in

	// Of a channel of a server, and of a thread in it, see open.go.
	Room  string `json:"r,omitempty"` // the channel; of a thread, the one that it is in
	Title string `json:"t,omitempty"` // of a thread
}

// readAddress reads an address; ok: it leads somewhere.
func readAddress(b []byte) (a address, ok bool) {
	if json.Unmarshal(b, &a) != nil || !snowflake(a.Channel) {
		return address{}, false
	}
	if a.Room != "" && !snowflake(a.Room) {
		return address{}, false
	}
	if a.Seen != "" && !snowflake(a.Seen) {
		a.Seen = ""
	}
	return a, true
}

// Places remember of people what one event does not tell: where they are
// written to, how far their messages were taken in, their language. They hold
// nothing that a restart must not lose: it stands in the addresses.
type places struct {
	mu sync.Mutex
	of map[string]place
}

type place struct {
	address
	locale string
}

// most is how many people are remembered; beyond it, any other is forgotten.
const most = 50_000

// note changes what is remembered of a person and returns it.
func (p *places) note(who string, change func(*place)) place {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		p.of = map[string]place{}
	}
	at, known := p.of[who]
	change(&at)
	if !known && len(p.of) >= most {
		for other := range p.of {
			delete(p.of, other)
			break
		}
	}
	p.of[who] = at
	return at
}

// get is what is remembered of a person.
func (p *places) get(who string) place {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.of[who]
}

// seen notes that a message was taken in, or stands before what is coming.
func (pl *place) seen(channel, id string) {
	pl.Channel = channel
	if later(id, pl.Seen) {
		pl.Seen = id
	}
}
