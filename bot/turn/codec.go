package turn

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"latchkey/bot"
)

// AppendSession appends the JSON of a session to dst. The result is the same
// as encoding/json gives with HTML escaping off, several times faster: a
// session is written in every turn, inside the database's only writer.
func AppendSession(dst []byte, s *bot.Session) []byte {
	dst = append(dst, '{')
	first := len(dst)
	if len(s.Stack) > 0 {
		dst = append(dst, `"s":[`...)
		for i := range s.Stack {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendFrame(dst, &s.Stack[i])
		}
		dst = append(dst, ']')
	}
	if s.Lang != "" {
		dst = appendString(appendKey(dst, first, 'l'), s.Lang)
	}
	if s.Chosen {
		dst = append(appendKey(dst, first, 'c'), "true"...)
	}
	if s.Prompt != 0 {
		dst = strconv.AppendUint(appendKey(dst, first, 'p'), uint64(s.Prompt), 10)
	}
	if s.Misses != 0 {
		dst = strconv.AppendUint(appendKey(dst, first, 'm'), uint64(s.Misses), 10)
	}
	if s.Error != "" {
		dst = appendString(appendKey(dst, first, 'e'), s.Error)
	}
	if s.Device != "" {
		dst = appendString(appendKey(dst, first, 'v'), s.Device)
	}
	if s.Owner != 0 {
		dst = strconv.AppendUint(appendKey(dst, first, 'o'), uint64(s.Owner), 10)
	}
	if s.Parked {
		dst = append(appendKey(dst, first, 'k'), "true"...)
	}
	return append(dst, '}')
}

func appendFrame(dst []byte, f *bot.Frame) []byte {
	dst = appendString(append(dst, `{"f":`...), f.Flow)
	dst = appendString(append(dst, `,"s":`...), f.Step)
	if f.Hash != "" {
		dst = appendString(append(dst, `,"h":`...), f.Hash)
	}
	if len(f.Slots) > 0 {
		dst = append(dst, `,"d":`...)
		for i := range f.Slots {
			dst = append(dst, opener(i)...)
			dst = appendString(append(dst, `{"n":`...), f.Slots[i].Name)
			dst = append(appendString(append(dst, `,"v":`...), f.Slots[i].Value), '}')
		}
		dst = append(dst, ']')
	}
	if len(f.Trail) > 0 {
		dst = append(dst, `,"t":`...)
		for i, t := range f.Trail {
			dst = appendString(append(dst, opener(i)...), t)
		}
		dst = append(dst, ']')
	}
	if len(f.Options) > 0 {
		dst = append(dst, `,"o":`...)
		for i := range f.Options {
			dst = append(dst, opener(i)...)
			dst = appendString(append(dst, `{"i":`...), f.Options[i].ID)
			dst = append(appendString(append(dst, `,"l":`...), f.Options[i].Label), '}')
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

func opener(i int) string {
	if i == 0 {
		return "["
	}
	return ","
}

func appendKey(dst []byte, first int, key byte) []byte {
	if len(dst) > first {
		dst = append(dst, ',')
	}
	return append(dst, '"', key, '"', ':')
}

// appendString quotes s as encoding/json does with HTML escaping off.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b < utf8.RuneSelf {
			if b >= ' ' && b != '"' && b != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch b {
			case '"', '\\':
				dst = append(dst, '\\', b)
			case '\b':
				dst = append(dst, '\\', 'b')
			case '\f':
				dst = append(dst, '\\', 'f')
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(append(dst, s[start:i]...), `\ufffd`...)
			i++
			start = i
			continue
		}
		if r == '\u2028' || r == '\u2029' {
			dst = append(append(dst, s[start:i]...), `\u202`...)
			dst = append(dst, hex[r&15])
			i += size
			start = i
			continue
		}
		i += size
	}
	return append(append(dst, s[start:]...), '"')
}

// PromptOf reads from Conversation.State the number of the last prompt; 0: none.
func PromptOf(state []byte) (uint32, error) {
	var s bot.Session
	err := DecodeSession(state, &s)
	return s.Prompt, err
}

// Busy reports whether a script is under way in a stored session, and not put off.
func Busy(state []byte) bool {
	var s bot.Session
	return DecodeSession(state, &s) == nil && len(s.Stack) > 0 && !s.Parked
}

// DecodeSession reads what AppendSession or encoding/json wrote. An empty state
// is a new session. What it does not know (fields of a later version, spaces)
// it leaves to encoding/json. On an error *s is the zero session.
func DecodeSession(state []byte, s *bot.Session) error {
	*s = bot.Session{}
	if len(state) == 0 {
		return nil
	}
	// One copy; every string of the session points into it.
	p := parser{in: string(state)}
	if utf8.ValidString(p.in) {
		p.arenas()
		p.session(s)
		if !p.bad && p.at == len(p.in) {
			return nil
		}
	}
	*s = bot.Session{}
	if err := json.Unmarshal(state, s); err != nil {
		*s = bot.Session{}
		// The text of the error may quote a value; only its class is kept.
		return fmt.Errorf("turn: stored session cannot be read (%T, %d bytes)", err, len(state))
	}
	return nil
}

// parser reads the compact form without reflection. At the first surprise it
// sets bad and the caller falls back to encoding/json.
type parser struct {
	in  string
	at  int
	bad bool

	frames  []bot.Frame
	facts   []bot.Fact
	options []bot.Option
}

// arenas makes one allocation for each kind of element. The counts are upper
// bounds: a value may contain the same letters.
func (p *parser) arenas() {
	if n := strings.Count(p.in, `{"f":`); n > 0 {
		p.frames = make([]bot.Frame, 0, n+1) // room for one more: flows call flows
	}
	if n := strings.Count(p.in, `{"n":`); n > 0 {
		p.facts = make([]bot.Fact, 0, n)
	}
	if n := strings.Count(p.in, `{"i":`); n > 0 {
		p.options = make([]bot.Option, 0, n)
	}
}

func (p *parser) lit(s string) bool {
	if strings.HasPrefix(p.in[p.at:], s) {
		p.at += len(s)
		return true
	}
	return false
}

func (p *parser) need(c byte) {
	if p.at < len(p.in) && p.in[p.at] == c {
		p.at++
		return
	}
	p.bad = true
}

// key reads `"x":` and returns x, a small letter that is not in seen yet.
func (p *parser) key(seen *uint32) byte {
	if p.at+4 <= len(p.in) && p.in[p.at] == '"' && p.in[p.at+2] == '"' && p.in[p.at+3] == ':' {
		k := p.in[p.at+1]
		p.at += 4
		bit := uint32(1) << ((k - 'a') & 31)
		if k >= 'a' && k <= 'z' && *seen&bit == 0 {
			*seen |= bit
			return k
		}
	}
	p.bad = true
	return 0
}

// more reports whether another member follows, and reads the end if not.
func (p *parser) more(end byte) bool {
	if p.bad || p.at >= len(p.in) {
		p.bad = true
		return false
	}
	c := p.in[p.at]
	p.at++
	if c == ',' {
		return true
	}
	if c != end {
		p.bad = true
	}
	return false
}

func (p *parser) session(s *bot.Session) {
	p.need('{')
	if p.bad || p.lit("}") {
		return
	}
	var seen uint32
	for {
		switch p.key(&seen) {
		case 's':
			p.need('[')
			for !p.bad {
				p.frames = append(p.frames, bot.Frame{})
				p.frame(&p.frames[len(p.frames)-1])
				if !p.more(']') {
					break
				}
			}
			s.Stack = p.frames
			p.frames = nil
		case 'l':
			s.Lang = p.str()
		case 'c':
			s.Chosen = p.lit("true")
			p.bad = p.bad || !s.Chosen
		case 'p':
			s.Prompt = uint32(p.num(1<<32 - 1))
		case 'm':
			s.Misses = uint8(p.num(1<<8 - 1))
		case 'e':
			s.Error = p.str()
		case 'v':
			s.Device = p.str()
		case 'o':
			s.Owner = bot.Owner(p.num(1<<8 - 1))
		case 'k':
			s.Parked = p.lit("true")
			p.bad = p.bad || !s.Parked
		default:
			p.bad = true
		}
		if !p.more('}') {
			return
		}
	}
}

func (p *parser) frame(f *bot.Frame) {
	p.need('{')
	var seen uint32
	for !p.bad {
		switch p.key(&seen) {
		case 'f':
			f.Flow = p.str()
		case 's':
			f.Step = p.str()
		case 'h':
			f.Hash = p.str()
		case 'd':
			p.need('[')
			from := len(p.facts)
			for !p.bad {
				if !p.lit(`{"n":`) {
					p.bad = true
					break
				}
				n := p.str()
				if !p.lit(`,"v":`) {
					p.bad = true
					break
				}
				v := p.str()
				p.need('}')
				p.facts = append(p.facts, bot.Fact{Name: n, Value: v})
				if !p.more(']') {
					break
				}
			}
			f.Slots = p.facts[from:len(p.facts):len(p.facts)]
		case 't':
			p.need('[')
			f.Trail = make([]string, 0, 8)
			for !p.bad {
				f.Trail = append(f.Trail, p.str())
				if !p.more(']') {
					break
				}
			}
		case 'o':
			p.need('[')
			from := len(p.options)
			for !p.bad {
				if !p.lit(`{"i":`) {
					p.bad = true
					break
				}
				id := p.str()
				if !p.lit(`,"l":`) {
					p.bad = true
					break
				}
				l := p.str()
				p.need('}')
				p.options = append(p.options, bot.Option{ID: id, Label: l})
				if !p.more(']') {
					break
				}
			}
			f.Options = p.options[from:len(p.options):len(p.options)]
		default:
			p.bad = true
		}
		if !p.more('}') {
			return
		}
	}
}

func (p *parser) str() string {
	if p.bad || p.at >= len(p.in) || p.in[p.at] != '"' {
		p.bad = true
		return ""
	}
	start := p.at + 1
	for i := start; i < len(p.in); i++ {
		switch c := p.in[i]; {
		case c == '"':
			p.at = i + 1
			return p.in[start:i]
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			p.bad = true
			return ""
		}
	}
	p.bad = true
	return ""
}

// escaped reads a string that has an escape in it; start is behind the quote.
func (p *parser) escaped(start int) string {
	for i := start; i < len(p.in); i++ {
		switch p.in[i] {
		case '\\':
			i++
		case '"':
			var s string
			if json.Unmarshal([]byte(p.in[start-1:i+1]), &s) != nil {
				p.bad = true
			}
			p.at = i + 1
			return s
		}
	}
	p.bad = true
	return ""
}

func (p *parser) num(limit uint64) uint64 {
	from := p.at
	var n uint64
	for p.at < len(p.in) && p.in[p.at] >= '0' && p.in[p.at] <= '9' && p.at-from < 11 {
		n = n*10 + uint64(p.in[p.at]-'0')
		p.at++
	}
	if p.at == from || n > limit || (p.in[from] == '0' && p.at-from > 1) {
		p.bad = true
		return 0
	}
	return n
}
