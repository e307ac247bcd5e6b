package csv

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"latchkey/bot"
)

// nobody reports whether a row is nobody's: it has no cell, it is the example of
// a template, a computer or group of a directory, or it repeats a person for
// another school.
func (l *List) nobody(record []string) bool {
	if !slices.ContainsFunc(record, func(c string) bool { return strings.TrimSpace(c) != "" }) {
		l.blank++
		return true
	}
	if l.form.template && slices.ContainsFunc(record, func(c string) bool { return strings.HasPrefix(strings.TrimSpace(c), "Example:") }) {
		l.out["the template's example"]++
		return true
	}
	if i, ok := l.row.at[Class]; ok && i < len(record) {
		class := strings.TrimSpace(record[i])
		if cut := strings.LastIndexByte(class, ';'); cut >= 0 { // all classes, the last is the account's own
			class = class[cut+1:]
		}
		if _, ok := isPerson(fold(class)); !ok {
			l.out[fmt.Sprintf("no account of a person (%s %s)", l.columns[i].Header, clip(class))]++
			return true
		}
	}
	if h, s := l.row.home, l.row.school; h >= 0 && s >= 0 && h < len(record) && s < len(record) {
		home, school := strings.TrimSpace(record[h]), strings.TrimSpace(record[s])
		if home != school && home != "" && home != "0" && school != "" {
			l.out["somebody again, for a school that is not their own"]++
			return true
		}
	}
	return false
}

// passwords notices a column that holds passwords. Google's writes asterisks.
func (l *List) passwords(record []string) {
	for _, i := range l.row.passwords {
		if strings.Trim(record[i], "* ") != "" && l.count["password"] == 0 {
			l.tell("password", l.columns[i].Header)
		}
	}
}

// decode gives a cell as UTF-8. What is not UTF-8 is read in the encoding that
// spreadsheets wrote before, unless the file shows that it is UTF-8.
func (l *List) decode(s string, line int) (string, bool) {
	ascii := true
	for i := 0; i < len(s) && ascii; i++ {
		ascii = s[i] < utf8.RuneSelf
	}
	switch {
	case ascii:
		return s, true
	case utf8.ValidString(s):
		if l.count["old"] > 0 {
			return "", false
		}
		l.count["new"]++
		return s, !strings.ContainsRune(s, utf8.RuneError)
	case l.form.old == nil || l.count["new"] > 0:
		return "", false
	}
	t, err := l.form.old.NewDecoder().String(s)
	if err != nil {
		return "", false
	}
	l.form.name = l.form.old.String()
	l.tell("old", fmt.Sprintf("line %d, %q", line, clip(t)))
	return t, true
}

// tell counts something for Notices and keeps its first example.
func (l *List) tell(what, example string) {
	if l.count[what]++; l.count[what] <= 5 {
		if l.first[what] != "" {
			l.first[what] += "; "
		}
		l.first[what] += example
	}
}

// NoIDs reports whether the id was empty in every row that was read.
func (l *List) NoIDs() bool { return l.report.Rows > 0 && l.count["no id"] == l.report.Rows }

// Notices says, in sentences, what was noticed about the file as a whole. Nothing
// of it is an error.
func (l *List) Notices() []string {
	var ns []string
	say := func(format string, args ...any) { ns = append(ns, fmt.Sprintf(format, args...)) }
	if l.count["old"] > 0 {
		say("the list is not UTF-8 and was read as %s; look whether the letters are right: %s. If not, save it as CSV UTF-8", l.form.name, l.first["old"])
	}
	if l.blank > 0 {
		say("skipped: %s without any cell filled in", rows(l.blank))
	}
	for _, why := range slices.Sorted(maps.Keys(l.out)) {
		say("skipped: %s, %s", rows(l.out[why]), why)
	}
	if l.count["password"] > 0 {
		say("the column %q seems to hold passwords; they are not read, and are better left out of the export", clip(l.first["password"]))
	}
	if l.count["guest"] > 0 {
		say("taken as guests because of #EXT# in the user name: %s (%s)", rows(l.count["guest"]), l.first["guest"])
	}
	if l.count["eai"] > 0 {
		say("%s a work address with letters like é before the @: %s. It is kept, but many mail servers take no mail for such an address", have(l.count["eai"]), l.first["eai"])
	}
	if l.count["lookalike"] > 0 {
		say("%s a user name that looks like a service, a shared mailbox or a room: %s. Nothing was decided from it; if they are no people, give the list a column \"kind\" with staff, pupil, guest, service, shared or room",
			have(l.count["lookalike"]), l.first["lookalike"])
	}
	if len(l.odd) > 0 {
		words := slices.SortedFunc(maps.Keys(l.odd), func(a, b string) int {
			if n := l.odd[b] - l.odd[a]; n != 0 {
				return n
			}
			return strings.Compare(a, b)
		})
		for i, w := range words[:min(5, len(words))] {
			words[i] = fmt.Sprintf("%q (%d)", w, l.odd[w])
		}
		say("words for the kind of account that are not known and were left out: %s; known are staff, pupil, guest, service, shared and room", strings.Join(words[:min(5, len(words))], ", "))
	}
	if l.dates != "" && len(l.vague) > 0 {
		order := "the day first"
		if l.dates == MonthFirst {
			order = "the month first"
		}
		say("dates like 3/4/2024 were read with %s, as other dates of the list show", order)
	}
	return ns
}

func rows(n int) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

func have(n int) string {
	if n == 1 {
		return "1 row has"
	}
	return fmt.Sprintf("%d rows have", n)
}

// said is what the list has columns for.
func (r *rowReader) said() (f bot.PersonFields) {
	for field, bit := range map[Field]bot.PersonFields{
		Username: bot.FieldUsername, Email: bot.FieldEmail, UPN: bot.FieldUsername | bot.FieldEmail, Name: bot.FieldName, FamilyName: bot.FieldName,
		GivenName: bot.FieldGivenName, Department: bot.FieldDepartment, Title: bot.FieldTitle, Manager: bot.FieldManager, Phone: bot.FieldWorkPhone,
		Language: bot.FieldLang, TimeZone: bot.FieldTimeZone, Kind: bot.FieldKind, Class: 0, Site: bot.FieldSite, HiredOn: bot.FieldHiredOn,
		Enabled: bot.FieldDisabled, Disabled: bot.FieldDisabled, Status: bot.FieldDisabled, UAC: bot.FieldDisabled, Deleted: bot.FieldDisabled,
	} {
		if len(r.all[field]) > 0 {
			f |= bit
		}
	}
	return f
}
