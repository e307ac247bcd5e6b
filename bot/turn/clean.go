package turn

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"latchkey/bot"
)

// Caps of the parts of an event that are not typed text. Adapters verify what
// they take in; these only keep a mistake of theirs out of the store.
const (
	maxID      = 512  // bytes of an event, conversation or user id
	maxAddress = 4096 // bytes of Event.Address
	maxLocale  = 35   // RFC 5646 section 4.4.1: room for any registered tag
	maxFields  = 32   // values of a form
	maxChoice  = 256  // bytes of Event.Choice
)

// ErrEvent is wrapped by the error for an event that no repeat can mend: an
// adapter left something out. Accept changed nothing.
var ErrEvent = bot.ErrEvent

// clean checks an event and makes its text harmless: valid UTF-8, no control
// characters but newline and tab, no marks that turn the direction of writing
// (Unicode TR 36, 3.1), at most bot.MaxText runes.
func clean(ev *bot.Event) error {
	switch {
	case ev.ID == "" || ev.Channel == "" || ev.Conversation == "":
		return fmt.Errorf("turn: %w: no event id, channel or conversation", ErrEvent)
	case bad(ev.ID) || bad(string(ev.Conversation)) || bad(ev.From) || bad(string(ev.Channel)):
		return fmt.Errorf("turn: %w: an id is longer than %d bytes or not valid text", ErrEvent, maxID)
	case len(ev.Address) > maxAddress:
		return fmt.Errorf("turn: %w: address of %d bytes, at most %d", ErrEvent, len(ev.Address), maxAddress)
	case ev.Kind > bot.Agent:
		return fmt.Errorf("turn: %w: unknown kind %d", ErrEvent, ev.Kind)
	case ev.Kind == bot.Notice && ev.Signal == nil:
		return fmt.Errorf("turn: %w: a notice without a signal", ErrEvent)
	case ev.Kind == bot.Start && ev.Begin == nil:
		return fmt.Errorf("turn: %w: a start that does not say what begins", ErrEvent)
	case ev.Kind == bot.Agent && ev.Agent == nil:
		return fmt.Errorf("turn: %w: an agent's event without a line or an action", ErrEvent)
	case ev.Kind == bot.Submit && ev.Form == nil:
		return fmt.Errorf("turn: %w: a submit without a form", ErrEvent)
	}
	ev.TooLong, ev.TooFast = false, false
	ev.Text, ev.TooLong = cleanText(ev.Text)
	if len(ev.Choice) > maxChoice || bad(ev.Choice) {
		ev.Choice = "" // no button of ours; the engine shows the step again
	}
	if len(ev.Locale) > maxLocale || !tag(ev.Locale) {
		ev.Locale = ""
	}
	if !slices.Contains(bot.Devices, ev.Device) {
		ev.Device = ""
	}
	if ev.Form != nil {
		f := bot.FormReply{Name: ev.Form.Name, Values: ev.Form.Values} // a copy: the adapter keeps its own, and may repeat it
		if tooLong(&f) {
			f.Values, ev.TooLong = nil, true // a cut password is another password: nothing of it is used
		}
		ev.Form = &f
	}
	return nil
}

// tooLong reports whether a form has more values, or longer ones, than anybody
// looks at.
func tooLong(f *bot.FormReply) bool {
	if len(f.Values) > maxFields {
		return true
	}
	for i := range f.Values {
		v := string(f.Values[i].Value)
		if len(v) > bot.MaxText*utf8.UTFMax || utf8.RuneCountInString(v) > bot.MaxText {
			return true
		}
	}
	return false
}

// bad reports whether an id is too long, or cannot be stored as text.
func bad(s string) bool {
	if len(s) > maxID {
		return true
	}
	ascii := true
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == 0x7f {
			return true
		}
		ascii = ascii && s[i] < utf8.RuneSelf
	}
	return !ascii && !utf8.ValidString(s)
}

// tag reports whether s has the letters of a language tag.
func tag(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && (s[i] < '0' || s[i] > '9') && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return true
}

// cleanText returns s without what could hurt and reports whether it was cut.
func cleanText(s string) (string, bool) {
	plain := len(s) <= bot.MaxText
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] < 0x7f && (s[i] >= ' ' || s[i] == '\n' || s[i] == '\t')
	}
	if plain {
		return s, false
	}
	var b strings.Builder
	b.Grow(min(len(s), bot.MaxText*utf8.UTFMax))
	n := 0
	for i, r := range s {
		switch {
		case r == '\r':
			if i+1 < len(s) && s[i+1] == '\n' {
				continue
			}
			r = '\n'
		case r == '\n' || r == '\t':
		case r < ' ', r >= 0x7f && r < 0xa0, directional(r):
			continue
		}
		if n == bot.MaxText {
			return b.String(), true
		}
		b.WriteRune(r)
		n++
	}
	return b.String(), false
}

// directional reports the marks that change the direction of what follows, and
// the byte order mark.
func directional(r rune) bool {
	switch {
	case r == 0x061c, r == 0x200e, r == 0x200f, r == 0xfeff:
		return true
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}
