package policy

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// A Key explains one field of Policy and reads, sets and checks it. All texts
// of values use the notation of the configuration: 5, 0.5, true, 10m, 7d,
// 3/10m, and lists with a comma between the items.
type Key struct {
	Path    string // where it stands in the configuration: "policy.codes.tries"
	Field   string // the field of Policy: "CodeTries"
	Kind    string // "number", "share", "switch", "duration", "limit", "word", or a list: "durations", "limits", "words"
	Unit    string // "tries", "digits", ...; empty where the value carries it
	Doc     string // one sentence
	Source  string
	Default string
	Floor   string // lowest value, or empty
	Cap     string // highest value, or empty

	addr  func(*Policy) any // pointer to the field
	get   func(*Policy) string
	set   func(*Policy, []string) error
	check func(*Policy) []Problem
}

// List reports whether the key takes several values.
func (k *Key) List() bool { return k.Kind == "durations" || k.Kind == "limits" || k.Kind == "words" }

// Get writes the value that p has.
func (k *Key) Get(p *Policy) string { return k.get(p) }

// Set reads a value into p. A list takes its items one by one or in one text
// with commas; every other kind takes exactly one. It fails when the text
// cannot be read, and leaves p as it was; whether the value is allowed is
// Check's to say.
func (k *Key) Set(p *Policy, values ...string) error {
	if err := k.set(p, values); err != nil {
		return fmt.Errorf("%s: %w", k.Path, err)
	}
	return nil
}

// Check names what is wrong with this key's value in p.
func (k *Key) Check(p *Policy) []Problem { return k.check(p) }

// scalar makes a key of one value. bad says what is wrong with a value, as a
// predicate and a fix, or gives "".
func scalar[T any](path, unit, doc, source, kind, floor, ceil string, at func(*Policy) *T,
	parse func(string) (T, error), format func(T) string, bad func(T) (limit, fix string)) Key {
	return Key{
		Path: path, Kind: kind, Unit: unit, Doc: doc, Source: source, Floor: floor, Cap: ceil,
		addr: func(p *Policy) any { return at(p) },
		get:  func(p *Policy) string { return format(*at(p)) },
		set: func(p *Policy, vs []string) error {
			if len(vs) != 1 {
				return fmt.Errorf("takes one value, not %d", len(vs))
			}
			v, err := parse(vs[0])
			if err == nil {
				*at(p) = v
			}
			return err
		},
		check: func(p *Policy) []Problem {
			if limit, fix := bad(*at(p)); limit != "" {
				return []Problem{{path, format(*at(p)), limit, fix}}
			}
			return nil
		},
	}
}

// between says what is wrong with a value outside [floor, ceil].
func between[T int | float64 | time.Duration](v, floor, ceil T, format func(T) string) (limit, fix string) {
	switch {
	case v > ceil && floor == ceil:
		return "is above the cap " + format(ceil), "set " + format(ceil)
	case v > ceil:
		return "is above the cap " + format(ceil), "set " + format(ceil) + " or less"
	case v < floor && floor == ceil:
		return "is below the floor " + format(floor), "set " + format(floor)
	case v < floor:
		return "is below the floor " + format(floor), "set " + format(floor) + " or more"
	case v != v:
		return "is no number", "set " + format(floor)
	}
	return "", ""
}

func number(path, unit, doc, source string, floor, ceil int, at func(*Policy) *int) Key {
	return scalar(path, unit, doc, source, "number", strconv.Itoa(floor), strconv.Itoa(ceil), at, parseNumber, strconv.Itoa,
		func(v int) (string, string) { return between(v, floor, ceil, strconv.Itoa) })
}

func share(path, unit, doc, source string, floor, ceil float64, at func(*Policy) *float64) Key {
	return scalar(path, unit, doc, source, "share", formatShare(floor), formatShare(ceil), at, parseShare, formatShare,
		func(v float64) (string, string) { return between(v, floor, ceil, formatShare) })
}

func span(path, doc, source string, floor, ceil time.Duration, at func(*Policy) *time.Duration) Key {
	return scalar(path, "", doc, source, "duration", FormatDuration(floor), FormatDuration(ceil), at, ParseDuration, FormatDuration,
		func(v time.Duration) (string, string) { return between(v, floor, ceil, FormatDuration) })
}

func toggle(path, doc, source string, at func(*Policy) *bool) Key {
	return scalar(path, "", doc, source, "switch", "", "", at, parseSwitch, strconv.FormatBool,
		func(bool) (string, string) { return "", "" })
}

func word(path, doc, source string, at func(*Policy) *string, bad func(string) (string, string)) Key {
	return scalar(path, "", doc, source, "word", "", "", at, parseWord, func(s string) string { return s }, bad)
}

func rate(path, doc, source string, ceil Limit, at func(*Policy) *Limit) Key {
	return scalar(path, "", doc, source, "limit", "", ceil.String(), at, ParseLimit, Limit.String,
		func(v Limit) (string, string) { return looser([]Limit{v}, []Limit{ceil}) })
}

// list makes a key of several values.
func list[T any](path, doc, source, kind, floor, ceil string, at func(*Policy) *[]T,
	parse func(string) (T, error), format func(T) string, bad func([]T) (limit, fix string)) Key {
	return Key{
		Path: path, Kind: kind, Doc: doc, Source: source, Floor: floor, Cap: ceil,
		addr: func(p *Policy) any { return at(p) },
		get:  func(p *Policy) string { return formatList(*at(p), format) },
		set: func(p *Policy, vs []string) error {
			v, err := parseList(vs, parse)
			if err == nil {
				*at(p) = v
			}
			return err
		},
		check: func(p *Policy) []Problem {
			if limit, fix := bad(*at(p)); limit != "" {
				return []Problem{{path, formatList(*at(p), format), limit, fix}}
			}
			return nil
		},
	}
}

// spans takes one to twenty waits that do not fall.
func spans(path, doc, source string, floor, ceil time.Duration, at func(*Policy) *[]time.Duration) Key {
	const most = 20
	return list(path, doc, source, "durations", FormatDuration(floor), FormatDuration(ceil), at, ParseDuration, FormatDuration,
		func(ds []time.Duration) (string, string) {
			if len(ds) == 0 {
				return "is empty", "set at least one, for example " + FormatDuration(max(floor, time.Second))
			}
			if len(ds) > most {
				return fmt.Sprintf("has %d waits, above the cap %d", len(ds), most), fmt.Sprintf("leave %d or fewer", most)
			}
			for _, d := range ds {
				if limit, fix := between(d, floor, ceil, FormatDuration); limit != "" {
					return "has " + FormatDuration(d) + ", which " + limit, fix
				}
			}
			if !slices.IsSorted(ds) {
				return "falls", "order the waits from the shortest to the longest"
			}
			return "", ""
		})
}

func rates(path, doc, source string, ceil []Limit, at func(*Policy) *[]Limit) Key {
	return list(path, doc, source, "limits", "", formatList(ceil, Limit.String), at, ParseLimit, Limit.String,
		func(ls []Limit) (string, string) { return looser(ls, ceil) })
}

// looser says whether set allows something that ceil does not. A limit implies
// another when it allows no more of them in no shorter a span.
func looser(set, ceil []Limit) (limit, fix string) {
	for _, l := range set {
		if l.N < 0 || l.Per <= 0 {
			return "has no span", "write each limit like " + ceil[0].String()
		}
	}
	for _, c := range ceil {
		if !slices.ContainsFunc(set, func(l Limit) bool { return l.N <= c.N && l.Per >= c.Per }) {
			return fmt.Sprintf("allows more than the cap, %d in any %s", c.N, FormatDuration(c.Per)), "set " + c.String() + " or a stricter limit"
		}
	}
	return "", ""
}

func words(path, doc, source string, at func(*Policy) *[]string, bad func([]string) (string, string)) Key {
	return list(path, doc, source, "words", "", "", at, parseWord, func(s string) string { return s }, bad)
}
