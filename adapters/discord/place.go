package discord

import "encoding/json"

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

// A place is what is remembered of a person and what one event does not tell:
// where they are written to, how far their messages were taken in, their
// language. A restart loses nothing: it stands in the addresses.
type place struct {
	address
	locale string
}

// place is what is remembered of a person.
func (a *Adapter) place(who string) place {
	p, _ := a.places.Get(who)
	return p
}

// note changes what is remembered of a person and returns it.
func (a *Adapter) note(who string, change func(*place)) place {
	return a.places.Change(who, func(p *place, _ bool) { change(p) })
}

// seen notes that a message was taken in, or stands before what is coming.
func (pl *place) seen(channel, id string) {
	pl.Channel = channel
	if later(id, pl.Seen) {
		pl.Seen = id
	}
}
