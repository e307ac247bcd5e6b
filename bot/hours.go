package bot

import (
	"strings"
	"unicode"
)

// Hours puts opening hours into the words of a language: operators write them
// once, in English or Spanish ("Monday to Friday, 8 am to 5 pm"), and they stand
// in sentences of every language. A text in the language's own words stays as it
// was written, and so does one that is not understood (see HoursUnderstood).
// Numbers stay as they are.
//
// Its phrases are weekday.0 (Sunday) to weekday.6, and hours.daily, hours.days and
// hours.times (with {from} and {to}), hours.and (with {a} and {b}), hours.at (with
// {days} and {times}), hours.am and hours.pm (with {time}), and hours.noon.
func Hours(ps Phrases, lang, text string) string {
	spans, from := readHours(text)
	if spans == nil || from == "" || from == lang {
		return text
	}
	say := func(key string, kv ...string) string { return ps.Phrase(lang, "hours."+key, kv...) }
	list := func(all []string) string {
		for len(all) > 2 {
			all = append([]string{all[0] + ", " + all[1]}, all[2:]...)
		}
		if len(all) == 2 {
			return say("and", "a", all[0], "b", all[1])
		}
		return strings.Join(all, "")
	}
	var out []string
	for _, s := range spans {
		var days, times []string
		for _, d := range s.days {
			days = append(days, d.say(func(n string) string {
				if n == everyDay {
					return say("daily")
				}
				return ps.Phrase(lang, "weekday."+n)
			}, "days", say))
		}
		for _, t := range s.times {
			times = append(times, t.say(func(v string) string {
				switch n, half, _ := strings.Cut(v, " "); {
				case n == noon:
					return say("noon")
				case half != "":
					return say(half, "time", n)
				}
				return v
			}, "times", say))
		}
		text := list(days)
		switch {
		case len(days) == 0:
			text = list(times)
		case len(times) > 0:
			text = say("at", "days", text, "times", list(times))
		}
		if s.zone != "" {
			text += " " + s.zone
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

// HoursUnderstood reports whether Hours can say a text in other languages than it
// was written in.
func HoursUnderstood(text string) bool {
	spans, _ := readHours(text)
	return spans != nil
}

const (
	everyDay = "daily"
	noon     = "noon"
)

// An hourRange is one day or time, or from one to another: a weekday is its
// number, a time is as it was written, with " am" or " pm" behind it where that was.
type hourRange struct{ from, to string }

func (r hourRange) say(one func(string) string, key string, say func(string, ...string) string) string {
	if r.to == "" {
		return one(r.from)
	}
	return say(key, "from", one(r.from), "to", one(r.to))
}

// An hourSpan is days, and the times on them.
type hourSpan struct {
	days, times []hourRange
	zone        string
}

// hourWords are what stands in opening hours, by language, without accents: a
// weekday's number, "-" for "to", "," for "and", "" for what says nothing.
var hourWords = map[string]map[string]string{
	"en": {
		"sunday": "0", "monday": "1", "tuesday": "2", "wednesday": "3", "thursday": "4", "friday": "5", "saturday": "6",
		"sundays": "0", "mondays": "1", "tuesdays": "2", "wednesdays": "3", "thursdays": "4", "fridays": "5", "saturdays": "6",
		"sun": "0", "mon": "1", "tue": "2", "tues": "2", "wed": "3", "thu": "4", "thur": "4", "thurs": "4", "fri": "5", "sat": "6",
		"to": "-", "through": "-", "thru": "-", "till": "-", "til": "-", "until": "-", "and": ",", "from": "", "on": "", "at": "", "the": "",
		"daily": everyDay, "noon": noon, "weekdays": "1-5", "weekends": "6,0", "o'clock": "",
	},
	"es": {
		"domingo": "0", "lunes": "1", "martes": "2", "miercoles": "3", "jueves": "4", "viernes": "5", "sabado": "6", "domingos": "0", "sabados": "6",
		"dom": "0", "lun": "1", "mar": "2", "mie": "3", "jue": "4", "vie": "5", "sab": "6",
		"a": "-", "al": "-", "hasta": "-", "y": ",", "e": ",", "de": "", "del": "", "desde": "", "los": "", "las": "", "la": "", "el": "",
		"diario": everyDay, "diariamente": everyDay, "mediodia": noon, "horas": "", "hrs": "",
	},
}

// hourSigns are the same in every language.
var hourSigns = map[string]string{"-": "-", "–": "-", "—": "-", ",": ",", ";": ",", "&": ",", "/": ",", ":": "", ".": "", "(": "", ")": "", "h": "", "am": "am", "pm": "pm"}

// readHours reads opening hours, and in which language they are written; empty:
// in no words of any. Nothing: it does not understand all of them.
func readHours(text string) (spans []hourSpan, lang string) {
	for _, l := range []string{"en", "es"} {
		if spans, worded := hoursIn(hourWords[l], text); spans != nil {
			if !worded {
				l = ""
			}
			return spans, l
		}
	}
	return nil, ""
}

// hoursIn reads opening hours by the words of one language. worded says that
// there were any.
func hoursIn(words map[string]string, text string) (spans []hourSpan, worded bool) {
	var span hourSpan
	var last *hourRange // what a half of the day, or an end, may still follow
	days, to := false, false
	put := func(v string, day bool) bool {
		if day && (len(span.times) > 0 || span.zone != "") {
			spans, span = append(spans, span), hourSpan{}
		}
		list := &span.times
		if day {
			list = &span.days
		}
		switch {
		case to && (last == nil || day != days || last.to != ""):
			return false
		case to:
			last.to = v
		default:
			*list = append(*list, hourRange{from: v})
			last = &(*list)[len(*list)-1]
		}
		days, to = day, false
		return true
	}
	for _, tok := range hourTokens(text) {
		word := plainWord(tok)
		v, known := words[word]
		if known {
			worded = true
		} else if v, known = hourSigns[word]; !known {
			v = word
		}
		switch {
		case known && v == "":
		case known && v == "-":
			if last == nil || to {
				return nil, false
			}
			to = true
		case known && v == ",":
			if to {
				return nil, false
			}
		case known && (v == "am" || v == "pm"):
			if last == nil || days || to {
				return nil, false
			}
			end := &last.from
			if last.to != "" {
				end = &last.to
			}
			if strings.Contains(*end, " ") || *end == noon {
				return nil, false
			}
			*end += " " + v
		case known && v == noon:
			if !put(v, false) {
				return nil, false
			}
		case known && v == "1-5":
			if !put("1", true) {
				return nil, false
			}
			last.to = "5"
		case known && v == "6,0":
			if !put("6", true) || !put("0", true) {
				return nil, false
			}
		case known:
			if !put(v, true) {
				return nil, false
			}
		case isTime(word):
			if !put(word, false) {
				return nil, false
			}
		case len(span.times) > 0 && !to && span.zone == "" && isZone(tok):
			span.zone = tok
		default:
			return nil, false
		}
	}
	if to || len(span.days)+len(span.times) == 0 {
		return nil, false
	}
	return append(spans, span), worded
}

// hourTokens cuts a text into words, times and signs: "8am-5 p.m." is 8, am, -, 5
// and pm.
func hourTokens(text string) (out []string) {
	text = strings.NewReplacer("a. m.", "am ", "p. m.", "pm ", "a.m.", "am ", "p.m.", "pm ", "A.M.", "am ", "P.M.", "pm ", "A. M.", "am ", "P. M.", "pm ").Replace(text)
	kind := func(r rune) int {
		switch {
		case unicode.IsDigit(r):
			return 1
		case unicode.IsLetter(r), unicode.Is(unicode.M, r), r == '\'':
			return 2
		}
		return 0
	}
	rs := []rune(text)
	for i := 0; i < len(rs); {
		k, j := kind(rs[i]), i+1
		for ; k > 0 && j < len(rs); j++ {
			inTime := k == 1 && (rs[j] == ':' || rs[j] == '.') && j+1 < len(rs) && unicode.IsDigit(rs[j+1])
			if kind(rs[j]) != k && !inTime {
				break
			}
		}
		if !unicode.IsSpace(rs[i]) {
			out = append(out, string(rs[i:j]))
		}
		i = j
	}
	return out
}

var noAccents = strings.NewReplacer("á", "a", "é", "e", "í", "i", "ó", "o", "ú", "u", "\u0301", "")

func plainWord(s string) string { return noAccents.Replace(strings.ToLower(s)) }

// isTime reports whether a word is a time of day: "8", "08:30", "7.30".
func isTime(s string) bool {
	h, m, two := strings.Cut(strings.Replace(s, ".", ":", 1), ":")
	number := func(s string, most string) bool {
		return len(s) == 2 && s <= most && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	}
	if len(h) == 1 {
		h = "0" + h
	}
	return number(h, "24") && (!two || number(m, "59"))
}

// isZone reports whether a word is what people call a time zone: "ET", "CST".
func isZone(s string) bool {
	return len(s) >= 2 && len(s) <= 4 && !strings.ContainsFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' })
}
