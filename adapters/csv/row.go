package csv

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"latchkey/bot"
)

// Longest cells, in characters. An address is bounded by RFC 5321, 4.5.3.1.
const (
	maxID    = 128
	maxLogin = 128
	maxEmail = 254
	maxText  = 256
	maxPart  = 127 // two of them and a space are a name
	maxPhone = 64
	maxTag   = 64
)

// rowReader finds the cells of a row by their field.
type rowReader struct {
	at   map[Field]int // index of the column
	seen seen
}

func (r *rowReader) init(cols []Column) {
	r.at = map[Field]int{}
	for i, c := range cols {
		if c.Field != "" {
			r.at[c.Field] = i
		}
	}
}

// parse makes a person of a record, or reports everything that is wrong with it.
func (l *List) parse(record []string, line int) (p bot.Person, good bool) {
	row := row{list: l, record: record, line: line}
	if len(record) != len(l.columns) {
		row.bad("", fmt.Sprintf("it has %s and the header has %d; a cell with a delimiter in it must stand in quotation marks", count(len(record)), len(l.columns)))
		return p, false
	}
	p.ID = bot.PersonID(row.id())
	login, email := row.login(), row.email(Email)
	upn := row.email(UPN)
	if login == "" {
		login = local(upn)
	}
	if email == "" {
		email = upn
	}
	// A login column that holds whole addresses.
	if name, domain, ok := strings.Cut(login, "@"); ok {
		if why := badAddress(login); why != "" {
			row.bad(Username, why)
		}
		if login = name; email == "" {
			email = name + "@" + domain
		}
	}
	p.Username, p.Email = login, email
	if login == "" && email == "" && row.ok() {
		row.bad(row.firstOf(Email, Username, UPN), "there is neither a login nor a work address")
	}
	p.Name, p.GivenName = row.text(Name, maxText), row.text(GivenName, maxPart)
	if p.Name == "" && (row.has(FamilyName) || !row.has(Name)) {
		p.Name = strings.TrimSpace(p.GivenName + " " + row.text(FamilyName, maxPart))
	}
	p.Department, p.Title = row.text(Department, maxText), row.text(Title, maxText)
	p.Manager = bot.PersonID(row.text(Manager, maxText))
	p.WorkPhone = row.text(Phone, maxPhone)
	p.Lang = row.tag(Language, languageTag)
	p.TimeZone = row.tag(TimeZone, timeZone)
	p.Disabled = row.disabled()
	if row.ok() {
		if before := l.row.seen.add(string(p.ID), line); before > 0 {
			row.bad(ID, fmt.Sprintf("the id %q stands in line %d already", clip(string(p.ID)), before))
		}
	}
	return p, row.ok()
}

// row is one record while it is read.
type row struct {
	list   *List
	record []string
	line   int
	faults int
}

func (r *row) ok() bool { return r.faults == 0 }

func (r *row) bad(f Field, reason string) {
	r.faults++
	r.list.note(r.problem(f, reason))
}

func (r *row) warn(f Field, reason string) {
	p := r.problem(f, reason)
	p.Warning = true
	r.list.note(p)
}

func (r *row) problem(f Field, reason string) Problem {
	p := Problem{Line: r.line, Record: r.list.report.Rows, Reason: reason}
	if i, ok := r.list.row.at[f]; ok {
		p.Column = r.list.columns[i].Header
		if i < len(r.record) {
			if line, _ := r.list.csv.FieldPos(i); line > 0 {
				p.Line = line + r.list.skipped
			}
		}
	}
	return p
}

func (r *row) has(f Field) bool {
	_, ok := r.list.row.at[f]
	return ok
}

// firstOf gives the first of the fields that has a column.
func (r *row) firstOf(fs ...Field) Field {
	for _, f := range fs {
		if r.has(f) {
			return f
		}
	}
	return ""
}

// cell gives a trimmed cell in normal form C without its guard, or "" when
// there is none or it was reported. runs tells that it stood there as a formula.
func (r *row) cell(f Field, most int) (s string, runs bool) {
	i, ok := r.list.row.at[f]
	if !ok {
		return "", false
	}
	raw := r.record[i]
	if !utf8.ValidString(raw) || strings.ContainsRune(raw, utf8.RuneError) {
		r.bad(f, "it holds characters that cannot be read: save the list as CSV UTF-8")
		return "", false
	}
	s = strings.TrimSpace(raw)
	if bare := unguard(s); bare != s {
		s = strings.TrimSpace(bare)
	} else {
		runs = formula(s)
	}
	s = norm.NFC.String(s)
	if len(s) > most && utf8.RuneCountInString(s) > most {
		r.bad(f, fmt.Sprintf("it has %d characters; at most %d are taken", utf8.RuneCountInString(s), most))
		return "", false
	}
	return s, runs
}

// strict is a cell that must not hold anything hidden and must not be a formula.
func (r *row) strict(f Field, most int) string {
	s, runs := r.cell(f, most)
	if runs {
		r.bad(f, fmt.Sprintf("%q would run as a formula in a spreadsheet; if it is meant, put an apostrophe before it", clip(s)))
		return ""
	}
	if c := hidden(s, false); c >= 0 {
		r.bad(f, fmt.Sprintf("it holds a control or invisible character, %U", c))
		return ""
	}
	return s
}

func (r *row) id() string {
	before := r.faults
	s := r.strict(ID, maxID)
	if s == "" && r.faults == before {
		r.bad(ID, "the id is empty")
	}
	return s
}

// login gives a short login or an address in lower case; a domain before a
// backslash is taken off.
func (r *row) login() string {
	s := r.strict(Username, maxLogin+maxEmail)
	if i := strings.LastIndexByte(s, '\\'); i >= 0 {
		s = s[i+1:]
	}
	s = lower(s)
	if strings.ContainsFunc(s, unicode.IsSpace) {
		r.bad(Username, fmt.Sprintf("the login %q has a space in it", clip(s)))
		return ""
	}
	if !strings.Contains(s, "@") && utf8.RuneCountInString(s) > maxLogin {
		r.bad(Username, fmt.Sprintf("it has %d characters; at most %d are taken", utf8.RuneCountInString(s), maxLogin))
		return ""
	}
	return s
}

func (r *row) email(f Field) string {
	s := lower(r.strict(f, maxEmail))
	if s == "" {
		return ""
	}
	if why := badAddress(s); why != "" {
		r.bad(f, why)
		return ""
	}
	return s
}

// text is a cell that people read; line breaks and tabs in it become spaces.
func (r *row) text(f Field, most int) string {
	s, _ := r.cell(f, most)
	if strings.ContainsAny(s, "\r\n\t") {
		s = strings.Map(func(c rune) rune {
			if c == '\r' {
				return -1
			}
			if c == '\n' || c == '\t' {
				return ' '
			}
			return c
		}, s)
	}
	if c := hidden(s, true); c >= 0 {
		r.bad(f, fmt.Sprintf("it holds a control or invisible character, %U", c))
		return ""
	}
	return s
}

// tag is a cell that is left empty when it is not understood.
func (r *row) tag(f Field, read func(string) (string, bool)) string {
	s := r.text(f, maxTag)
	if s == "" {
		return ""
	}
	t, ok := read(s)
	if !ok {
		what := "a language like en or es-MX"
		if f == TimeZone {
			what = "a time zone like America/New_York"
		}
		r.warn(f, fmt.Sprintf("%q is not %s", clip(s), what))
		return ""
	}
	return t
}

// disabled reports whether any of the columns says that the account is off.
func (r *row) disabled() bool {
	off := false
	for _, f := range [...]Field{Enabled, Disabled, Status, UAC} {
		if !r.has(f) {
			continue
		}
		s := r.text(f, maxTag)
		if s == "" {
			continue
		}
		if f == UAC {
			n, err := strconv.ParseUint(s, 10, 32)
			if err != nil {
				r.bad(f, fmt.Sprintf("%q is not a number", clip(s)))
			}
			off = off || n&2 != 0 // ACCOUNTDISABLE
			continue
		}
		on, state, ok := readSwitch(s)
		if !ok {
			r.bad(f, fmt.Sprintf("%q is not understood; write active or disabled, or true or false", clip(s)))
			continue
		}
		// In a column "disabled" the words that say yes mean off; words
		// that name a state mean the same in every column.
		if f == Disabled && !state {
			on = !on
		}
		off = off || !on
	}
	return off
}

// readSwitch says whether a word means on, and whether it names a state rather
// than says yes or no. Spreadsheets write true and false in the language of the
// desk.
func readSwitch(word string) (on, state, ok bool) {
	switch strings.ToLower(word) {
	case "true", "yes", "y", "1", "on", "verdadero", "sí", "si", "vrai", "oui", "wahr", "ja", "verdadeiro":
		return true, false, true
	case "false", "no", "n", "0", "off", "falso", "faux", "non", "falsch", "nein":
		return false, false, true
	case "active", "enabled", "current", "employed", "on leave", "leave", "activo", "habilitado":
		return true, true, true
	case "inactive", "disabled", "suspended", "terminated", "deprovisioned", "blocked", "archived", "deleted", "left", "former", "inactivo", "deshabilitado":
		return false, true, true
	}
	return false, false, false
}

func count(cells int) string {
	if cells == 1 {
		return "1 cell"
	}
	return strconv.Itoa(cells) + " cells"
}

func local(address string) string {
	name, _, _ := strings.Cut(address, "@")
	return name
}

// lower is lower case in normal form C.
func lower(s string) string { return norm.NFC.String(strings.ToLower(s)) }

// hidden gives the first control character, or character that turns the
// direction or takes no room, or -1. Texts may hold the two joiners that some
// scripts need.
func hidden(s string, text bool) rune {
	for _, c := range s {
		switch {
		case c < 0x20 || c == 0x7F:
			return c
		case c < 0x80:
		case text && (c == 0x200C || c == 0x200D):
		case unicode.Is(unicode.Cc, c), unicode.Is(unicode.Cf, c), c == 0x2028, c == 0x2029:
			return c
		}
	}
	return -1
}

// badAddress says what is wrong with a lower-case work address, or "". It takes
// the dot-atom form of RFC 5322, 3.2.3, and letters of all scripts (RFC 6532).
func badAddress(s string) string {
	name, domain, ok := strings.Cut(s, "@")
	switch {
	case !ok:
		return fmt.Sprintf("%q is not an address: it has no @", clip(s))
	case strings.Contains(domain, "@"):
		return fmt.Sprintf("%q is not an address: it has more than one @", clip(s))
	case name == "":
		return fmt.Sprintf("%q is not an address: nothing stands before the @", clip(s))
	case len(name) > 64:
		return fmt.Sprintf("%q is not an address: more than 64 bytes stand before the @", clip(s))
	case len(s) > maxEmail:
		return fmt.Sprintf("%q is not an address: it has more than %d bytes", clip(s), maxEmail)
	case !strings.Contains(domain, "."):
		return fmt.Sprintf("%q is not an address: its domain %q has no dot", clip(s), clip(domain))
	}
	for part := range strings.SplitSeq(name, ".") {
		if part == "" {
			return fmt.Sprintf("%q is not an address: a dot stands at the edge or twice before the @", clip(s))
		}
	}
	for _, c := range name {
		if !(alnum(c) || strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", c)) {
			return fmt.Sprintf("%q is not an address: %q cannot stand before the @", clip(s), c)
		}
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return fmt.Sprintf("%q is not an address: its domain %q is malformed", clip(s), clip(domain))
		}
		for _, c := range label {
			if !alnum(c) && c != '-' {
				return fmt.Sprintf("%q is not an address: %q cannot stand in its domain", clip(s), c)
			}
		}
	}
	return ""
}

func alnum(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 0x80 && (unicode.IsLetter(c) || unicode.IsMark(c) || unicode.IsDigit(c))
}

// languageTag reads a BCP 47 tag: es, es-MX, zh-Hant-TW; an underscore is a
// hyphen, and what follows a dot or a comma (other preferences) is left out.
func languageTag(s string) (string, bool) {
	if i := strings.IndexAny(s, ".,;"); i >= 0 {
		s = s[:i]
	}
	parts := strings.Split(strings.ReplaceAll(strings.TrimSpace(s), "_", "-"), "-")
	for i, p := range parts {
		if p == "" || len(p) > 8 || (i == 0 && (len(p) < 2 || len(p) > 3)) {
			return "", false
		}
		for _, c := range p {
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && c >= '0' && c <= '9') {
				return "", false
			}
		}
		switch {
		case i > 0 && len(p) == 2:
			parts[i] = strings.ToUpper(p)
		case i > 0 && len(p) == 4 && (p[0] < '0' || p[0] > '9'):
			parts[i] = strings.ToUpper(p[:1]) + strings.ToLower(p[1:])
		default:
			parts[i] = strings.ToLower(p)
		}
	}
	return strings.Join(parts, "-"), true
}

// timeZone takes what looks like an IANA name; whether there is such a zone is
// not looked up.
func timeZone(s string) (string, bool) {
	if s == "UTC" {
		return s, true
	}
	area, rest, ok := strings.Cut(s, "/")
	if !ok || area == "" || rest == "" {
		return "", false
	}
	for _, c := range s {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("/_+-", c)) {
			return "", false
		}
	}
	return s, true
}
