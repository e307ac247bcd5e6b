package csv

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
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
	at           map[Field]int   // index of the first column
	all          map[Field][]int // of every column
	school, home int             // PowerSchool's columns; -1: none
	csvde        bool            // the file has a column DN, as csvde writes
	lastFirst    bool            // the name's column has the family name first
	passwords    []int           // unused columns whose name says so
	seen         seen
}

func (r *rowReader) init(cols []Column) {
	r.at, r.all = map[Field]int{}, map[Field][]int{}
	r.school, r.home = -1, -1
	for i, c := range cols {
		for _, f := range []Field{c.Field, c.Also} {
			if f == "" {
				continue
			}
			if _, ok := r.at[f]; !ok {
				r.at[f] = i
			}
			r.all[f] = append(r.all[f], i)
		}
		switch name, _ := keys(c.Header); name {
		case "password", "initialpassword", "temporarypassword", "newpassword", "contrasena", "contrasenainicial", "clave":
			if c.Field == "" {
				r.passwords = append(r.passwords, i)
			}
		case "schoolid":
			r.school = i
		case "homeschoolid":
			r.home = i
		case "lastfirst", "apellidosynombre":
			r.lastFirst = c.Field == Name
		case "dn":
			r.csvde = true
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
	l.passwords(record)
	l.keep = ^l.said
	p.ID = bot.PersonID(row.id())
	login, email := row.login(), row.email(Email)
	upn := row.email(UPN)
	login = cmp.Or(login, local(upn))
	guest := strings.Contains(upn, "#ext#") || strings.Contains(login, "#ext#")
	if email == "" && !guest {
		email = upn
	}
	// A login column that holds whole addresses.
	if name, domain, ok := strings.Cut(login, "@"); ok {
		if why := badAddress(login); why != "" {
			row.bad(Username, why)
		}
		if login = name; email == "" && !guest {
			email = name + "@" + domain
		}
	}
	p.Username, p.Email = login, email
	if login == "" && email == "" && row.ok() {
		row.bad(row.firstOf(Email, Username, UPN), "there is neither a login nor a work address")
	}
	p.Name, p.GivenName = row.text(Name, maxText), row.text(GivenName, maxPart)
	family := row.text(FamilyName, maxPart)
	if both := strings.TrimSpace(p.GivenName + " " + family); p.Name == "" && (row.has(FamilyName) || !row.has(Name)) || family != "" && p.GivenName != "" && l.row.lastFirst {
		p.Name = both
	}
	p.Department, p.Title = row.text(Department, maxText), row.text(Title, maxText)
	p.Manager = bot.PersonID(oneGUID(row.text(Manager, maxText)))
	p.WorkPhone = row.phone()
	p.Lang = row.tag(Language, languageTag)
	p.TimeZone = row.tag(TimeZone, timeZone)
	p.Site, p.HiredOn = row.text(Site, maxText), row.date(HiredOn)
	p.Kind = row.kind(guest)
	p.Disabled = row.disabled()
	// What a row says although the list has no column of its own for it.
	if p.Email != "" {
		l.keep &^= bot.FieldEmail
	}
	if p.Username != "" {
		l.keep &^= bot.FieldUsername
	}
	if p.Name != "" {
		l.keep &^= bot.FieldName
	}
	if p.Kind != "" {
		l.keep &^= bot.FieldKind
	}
	if row.ok() {
		if before := l.row.seen.add(string(p.ID), line); before > 0 {
			row.bad(ID, fmt.Sprintf("the id %q stands in line %d already", clip(string(p.ID)), before))
		}
	}
	if row.ok() {
		if guest {
			l.tell("guest", string(p.ID)+" "+clip(p.Name))
		}
		if strings.ContainsFunc(local(p.Email), func(c rune) bool { return c >= utf8.RuneSelf }) {
			l.tell("eai", clip(p.Email))
		}
		if p.Kind == "" && lookalike(p.Username) {
			l.tell("lookalike", p.Username+" ("+clip(p.Name)+")")
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

// badAt is bad for one of several columns of a field.
func (r *row) badAt(f Field, i int, reason string) {
	p := r.problem(f, reason)
	p.Column = r.list.columns[i].Header
	r.faults++
	r.list.note(p)
}

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
	return r.at(f, i, most)
}

// at is the cell of a field in one of its columns.
func (r *row) at(f Field, i, most int) (s string, runs bool) {
	raw, ok := r.list.decode(r.record[i], r.line)
	if !ok {
		r.bad(f, "it holds characters that cannot be read: save the list as CSV UTF-8")
		return "", false
	}
	s = strings.TrimSpace(raw)
	if b, ok := hexCell(s); ok && r.list.row.csvde && f != ID && utf8.Valid(b) { // csvde writes what is not ASCII so
		s = strings.TrimSpace(string(b))
	}
	if bare := bot.UnguardCell(s); bare != s {
		s = strings.TrimSpace(bare)
	} else {
		runs = bot.RunsAsFormula(s)
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
	switch {
	case s == "" && r.faults == before:
		r.bad(ID, "the id is empty")
		r.list.count["no id"]++
	case isRounded(s):
		r.bad(ID, fmt.Sprintf(`%q is a long number that a spreadsheet has rounded, and the id in it is lost: export the list again, and before you save it `+
			`format this column as Text (or as Number without decimals) so that all digits show`, s))
	}
	return oneGUID(s)
}

var (
	// What Excel makes of a number with more than eleven digits, and of a wide
	// one in a narrow column.
	rounded = regexp.MustCompile(`^[+-]?\d([.,]\d+)?[eE][+-]\d+$|^#{3,}$`)
	guid    = regexp.MustCompile(`^\{?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\}?$`)
	inHex   = regexp.MustCompile(`^[xX]'((?:[0-9a-fA-F]{2})+)'$`)
)

// oneGUID gives one form to a GUID, however a tool wrote it: lower case, without
// braces. csvde writes objectGUID as X'...': sixteen bytes, the first three
// numbers of them with the low byte first.
func oneGUID(s string) string {
	if len(s) == 36 || len(s) == 38 {
		if guid.MatchString(s) {
			return strings.ToLower(strings.Trim(s, "{}"))
		}
	}
	b, ok := hexCell(s)
	switch {
	case ok && len(b) == 16:
		return fmt.Sprintf("%08x-%04x-%04x-%x-%x", binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint16(b[4:]), binary.LittleEndian.Uint16(b[6:]), b[8:10], b[10:])
	case ok:
		return hex.EncodeToString(b)
	}
	return s
}

func isRounded(s string) bool { return strings.ContainsAny(s, "eE#") && rounded.MatchString(s) }

func hexCell(s string) ([]byte, bool) {
	if len(s) < 2 || s[1] != '\'' {
		return nil, false
	}
	m := inHex.FindStringSubmatch(s)
	if m == nil {
		return nil, false
	}
	b, err := hex.DecodeString(m[1])
	return b, err == nil
}

// phone is a telephone number as written; a rounded one is left out.
func (r *row) phone() string {
	s := r.text(Phone, maxPhone)
	if isRounded(s) {
		r.list.keep |= bot.FieldWorkPhone
		r.warn(Phone, fmt.Sprintf("%q is a number that a spreadsheet has rounded; format this column as Text and export it again", s))
		return ""
	}
	return s
}

// date is a day as YYYY-MM-DD; what is not understood is left out.
func (r *row) date(f Field) string {
	s := r.text(f, maxTag)
	if s == "" {
		return ""
	}
	l := r.list
	if order := orderOf(s); l.dates == "" && order != "" {
		l.dates = order
	}
	ds := readDate(s, l.dates)
	if len(ds) == 1 {
		return ds[0].Format(time.DateOnly)
	}
	l.keep |= bot.FieldHiredOn
	if len(ds) == 0 {
		r.warn(f, fmt.Sprintf("%q is not a date; write it like 2024-08-31", clip(s)))
		return ""
	}
	p := r.problem(f, fmt.Sprintf("%q can be %s or %s; write it like 2024-08-31, or say --dates dmy or --dates mdy",
		clip(s), ds[0].Format("2 January 2006"), ds[1].Format("2 January 2006")))
	p.Warning = true
	if len(l.vague) < l.most {
		l.vague = append(l.vague, p)
	}
	return ""
}

// kind is what sort of account it is: of several columns, the one that says that
// it is no staff.
func (r *row) kind(guest bool) (kind bot.PersonKind) {
	if i, ok := r.list.row.at[Class]; ok {
		kind, _ = isPerson(fold(r.record[i]))
	}
	for _, i := range r.list.row.all[Kind] {
		s, _ := r.at(Kind, i, maxText)
		if s == "" {
			continue
		}
		k, ok := readKind(fold(s))
		if !ok {
			if _, known := r.list.odd[clip(s)]; known || len(r.list.odd) < 1000 {
				r.list.odd[clip(s)]++
			}
			continue
		}
		if kind.Enrolls() {
			kind = k
		}
	}
	if guest && kind == "" {
		kind = bot.Guest
	}
	return kind
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
		if f == TimeZone {
			r.list.keep |= bot.FieldTimeZone
		}
		r.warn(f, fmt.Sprintf("%q is not %s", clip(s), what))
		return ""
	}
	return t
}

// disabled reports whether any of the columns says that the account is off. A
// row in which none of them says anything leaves it unsaid.
func (r *row) disabled() bool {
	off, said := false, false
	for _, f := range switches {
		for _, i := range r.list.row.all[f] {
			s, _ := r.at(f, i, maxTag)
			if s == "" {
				said = said || f == Deleted // not deleted
				continue
			}
			said = true
			on, why := readState(f, s, r.list.dates)
			if why != "" {
				r.badAt(f, i, why)
			}
			off = off || !on
		}
	}
	if !said {
		r.list.keep |= bot.FieldDisabled
	}
	return off
}

// readState says whether a cell of a field means that the account is on, or why
// that cannot be told.
func readState(f Field, s, dates string) (on bool, why string) {
	switch f {
	case UAC:
		n, err := strconv.ParseUint(s, 10, 32)
		if err != nil {
			return false, fmt.Sprintf("%q is not a number", clip(s))
		}
		return n&2 == 0, "" // ACCOUNTDISABLE
	case Deleted:
		ds := readDate(s, dates)
		for i, d := range ds {
			on = d.After(time.Now())
			if i > 0 && on != ds[0].After(time.Now()) {
				return false, fmt.Sprintf("%q can be two dates, one past and one to come; write it like 2024-08-31, or say --dates dmy or --dates mdy", clip(s))
			}
		}
		if len(ds) == 0 {
			return false, fmt.Sprintf("%q is not a date; write it like 2024-08-31", clip(s))
		}
		return on, ""
	}
	on, state, ok := readSwitch(fold(s), f)
	if !ok {
		return false, fmt.Sprintf("%q is not understood; write active or disabled, or true or false", clip(s))
	}
	// In a column "disabled" the words that say yes mean off; words that name
	// a state mean the same in every column.
	if f == Disabled && !state {
		on = !on
	}
	return on, ""
}

// readSwitch says whether a folded word means on, and whether it names a state
// rather than says yes or no. Spreadsheets write true and false in the language
// of the desk.
func readSwitch(word string, f Field) (on, state, ok bool) {
	if f == Status { // letters and numbers of personnel systems and PowerSchool
		switch word {
		case "a", "c":
			return true, true, true
		case "i", "t", "d", "2":
			return false, true, true
		}
	}
	switch word {
	case "true", "yes", "y", "t", "1", "on", "x", "verdadero", "si", "s", "vrai", "oui", "wahr", "ja", "verdadeiro":
		return true, false, true
	case "false", "no", "n", "f", "0", "off", "falso", "faux", "non", "falsch", "nein":
		return false, false, true
	case "active", "enabled", "current", "employed", "onleave", "leave", "leaveofabsence", "paidleave", "unpaidleave", "allowed", "signinallowed", "unblocked", "notblocked",
		"provisioned", "working", "activo", "activa", "activado", "activada", "habilitado", "habilitada", "vigente", "enlicencia", "licencia", "permitido", "desbloqueado", "contratado", "contratada":
		return true, true, true
	case "inactive", "notactive", "disabled", "suspended", "terminated", "deprovisioned", "blocked", "signinblocked", "archived", "deleted", "left", "former", "retired", "resigned", "deceased",
		"departed", "separated", "dismissed", "nolongerhere", "expired", "offboarded", "inactivo", "inactiva", "desactivado", "desactivada", "deshabilitado", "deshabilitada",
		"suspendido", "suspendida", "bloqueado", "bloqueada", "iniciodesesionbloqueado", "baja", "debaja", "dadodebaja", "dadadebaja", "eliminado", "eliminada", "archivado", "archivada",
		"cesado", "cesada", "jubilado", "jubilada", "retirado", "retirada", "despedido", "despedida", "renuncio", "fallecido", "fallecida", "exempleado", "exempleada":
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
