package csv_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"latchkey/adapters/csv"
	"latchkey/bot"
)

type result struct {
	people []bot.Person
	lines  []int
	report csv.Report
	list   *csv.List
}

func read(t testing.TB, r io.Reader, o csv.Options) result {
	t.Helper()
	l, err := csv.Open(r, o)
	if err != nil {
		t.Fatal(err)
	}
	res := result{list: l}
	for p, line := range l.People() {
		res.people, res.lines = append(res.people, p), append(res.lines, line)
	}
	res.report = l.Report()
	if res.report.Good != len(res.people) || res.report.Good+res.report.Bad != res.report.Rows {
		t.Errorf("the report does not add up: %+v with %d people", res.report, len(res.people))
	}
	return res
}

func readText(t testing.TB, s string) result {
	t.Helper()
	return read(t, strings.NewReader(s), csv.Options{})
}

func problems(r csv.Report) string {
	var b strings.Builder
	for _, p := range r.Problems {
		fmt.Fprintln(&b, p)
	}
	return strings.TrimSpace(b.String())
}

// One list in every encoding, with every delimiter and line end, read whole and
// byte by byte: always the same people.
func TestEncodings(t *testing.T) {
	const text = "id,userName,Email,Display Name,Department\n" +
		"7f3a,AReyes,Ana.Reyes@UCPS.k12.nc.us,\"Reyes, Ana María\",\"Facilities\nNight \"\"A\"\" shift\"\n" +
		"9b1c,tnguyen,t.nguyen@ucps.k12.nc.us,  Nguyễn Thị Tý ,Media\n"
	want := []bot.Person{
		{ID: "7f3a", Username: "areyes", Email: "ana.reyes@ucps.k12.nc.us", Name: "Reyes, Ana María", Department: `Facilities Night "A" shift`},
		{ID: "9b1c", Username: "tnguyen", Email: "t.nguyen@ucps.k12.nc.us", Name: "Nguyễn Thị Tý", Department: "Media"},
	}
	utf := func(order binary.ByteOrder, mark bool) func(string) []byte {
		return func(s string) []byte {
			var b []byte
			if mark {
				s = "\ufeff" + s
			}
			for _, u := range utf16.Encode([]rune(s)) {
				b = append(b, 0, 0)
				order.PutUint16(b[len(b)-2:], u)
			}
			return b
		}
	}
	encodings := map[string]func(string) []byte{
		"UTF-8":          func(s string) []byte { return []byte(s) },
		"UTF-8 with BOM": func(s string) []byte { return []byte("\ufeff" + s) },
		"UTF-16 LE":      utf(binary.LittleEndian, true),
		"UTF-16 BE":      utf(binary.BigEndian, true),
	}
	forms := map[string]func(string) string{
		"commas":     func(s string) string { return s },
		"semicolons": func(s string) string { return swapDelimiter(s, ";") },
		"tabs":       func(s string) string { return swapDelimiter(s, "\t") },
		"CR LF":      func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") },
		"CR":         func(s string) string { return strings.ReplaceAll(s, "\n", "\r") },
		"sep line":   func(s string) string { return "sep=;\r\n" + swapDelimiter(s, ";") },
		"no last LF": func(s string) string { return strings.TrimSuffix(s, "\n") },
		"blank":      func(s string) string { return "\n" + s + "\n\n" },
	}
	for _, e := range slices.Sorted(maps.Keys(encodings)) {
		for _, f := range slices.Sorted(maps.Keys(forms)) {
			t.Run(e+", "+f, func(t *testing.T) {
				b := encodings[e](forms[f](text))
				for name, r := range map[string]io.Reader{"whole": bytes.NewReader(b), "byte by byte": iotest.OneByteReader(bytes.NewReader(b))} {
					res := read(t, r, csv.Options{})
					if !slices.Equal(res.people, want) || res.list.Err() != nil || len(res.report.Problems) > 0 {
						t.Errorf("%s: got %+v\n%s %v", name, res.people, problems(res.report), res.list.Err())
					}
					first := 2
					if f == "blank" || f == "sep line" {
						first = 3
					}
					if wantLines := []int{first, first + 2}; !slices.Equal(res.lines, wantLines) {
						t.Errorf("%s: lines %v, want %v as an editor counts", name, res.lines, wantLines)
					}
				}
			})
		}
	}
	_, err := csv.Open(bytes.NewReader(utf(binary.LittleEndian, false)(text)), csv.Options{})
	if err == nil || !strings.Contains(err.Error(), "UTF-16 without its mark: save it as CSV UTF-8") {
		t.Errorf("UTF-16 without a mark: %v", err)
	}
}

func swapDelimiter(s, d string) string {
	var b strings.Builder
	quoted := false
	for _, c := range s {
		if c == '"' {
			quoted = !quoted
		}
		if c == ',' && !quoted {
			b.WriteString(d)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// Exports as the systems write them.
func TestSystems(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		want    bot.Person
		ignored []string
	}{
		"Entra ID": {
			"userPrincipalName,displayName,surname,mail,givenName,id,userType,jobTitle,department,accountEnabled,usageLocation,preferredLanguage,businessPhones\n" +
				"AReyes@ucps.k12.nc.us,Ana Reyes,Reyes,Ana.Reyes@ucps.k12.nc.us,Ana,00aa-11,Member,Teacher,Math,True,US,es-mx,+1 704 555 0148\n",
			bot.Person{ID: "00aa-11", Username: "areyes", Email: "ana.reyes@ucps.k12.nc.us", Name: "Ana Reyes", GivenName: "Ana", Department: "Math", Title: "Teacher", WorkPhone: "+1 704 555 0148", Lang: "es-MX"},
			[]string{"usageLocation"},
		},
		"Entra ID without a mailbox": {
			"User principal name;Object Id;Display name;Account enabled\nbob@ucps.k12.nc.us;x1;Bob;No\n",
			bot.Person{ID: "x1", Username: "bob", Email: "bob@ucps.k12.nc.us", Name: "Bob", Disabled: true}, nil,
		},
		"Active Directory": {
			"ObjectGUID,SamAccountName,EmailAddress,GivenName,Surname,Title,Department,Manager,OfficePhone,userAccountControl,DistinguishedName\n" +
				`{b1},UCPS\areyes,A.Reyes@ucps.k12.nc.us,Ana,Reyes,Teacher,Math,"CN=Lee\, Kim,OU=Staff",704-555-0148,514,"CN=Ana"` + "\n",
			bot.Person{ID: "{b1}", Username: "areyes", Email: "a.reyes@ucps.k12.nc.us", Name: "Ana Reyes", GivenName: "Ana", Title: "Teacher", Department: "Math", Manager: `CN=Lee\, Kim,OU=Staff`, WorkPhone: "704-555-0148", Disabled: true},
			[]string{"DistinguishedName"},
		},
		"Google Workspace": {
			"First Name [Required],Last Name [Required],Email Address [Required],Password [Required],Org Unit Path [Required],Status [READ ONLY],Employee ID,Work Phone,Employee Title,Manager Email\n" +
				"Ana,Reyes,ana.reyes@ucps.k12.nc.us,****,/Staff,Suspended,E-77,,Teacher,kim@ucps.k12.nc.us\n",
			bot.Person{ID: "E-77", Email: "ana.reyes@ucps.k12.nc.us", Name: "Ana Reyes", GivenName: "Ana", Department: "/Staff", Title: "Teacher", Disabled: true},
			[]string{"Password [Required]", "Manager Email"},
		},
		"HR": {
			"Employee Number\tWork E-Mail\tLogin Name\tPreferred Name\tDept.\tPosition\tManager ID\tEmployment Status\tTime Zone\tState\n" +
				"00417\tana.reyes@ucps.k12.nc.us\tANA.REYES@ucps.k12.nc.us\tAna R.\tMath\tTeacher\t00012\tOn leave\tAmerica/New_York\tNC\n",
			bot.Person{ID: "00417", Username: "ana.reyes", Email: "ana.reyes@ucps.k12.nc.us", Name: "Ana R.", Department: "Math", Title: "Teacher", Manager: "00012", TimeZone: "America/New_York"},
			[]string{"State"},
		},
		"logins only": {
			"id,login,disabled\n1,Zoë,yes\n",
			bot.Person{ID: "1", Username: "zoë", Disabled: true}, nil,
		},
		"whole addresses as logins": {
			"id,username\n1,Ana@ucps.k12.nc.us\n",
			bot.Person{ID: "1", Username: "ana", Email: "ana@ucps.k12.nc.us"}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			res := readText(t, c.text)
			if len(res.people) != 1 || res.people[0] != c.want {
				t.Errorf("got  %+v\nwant %+v\n%s", res.people, c.want, problems(res.report))
			}
			if got := res.list.Ignored(); !slices.Equal(got, c.ignored) {
				t.Errorf("ignored %q, want %q", got, c.ignored)
			}
			if len(res.report.Problems) != 0 {
				t.Error(problems(res.report))
			}
		})
	}
}

func TestBadRows(t *testing.T) {
	const head = "id,login,email,name,phone,status,language\n"
	long := strings.Repeat("x", 300)
	for name, c := range map[string]struct{ row, want string }{
		"empty id":             {",ana,ana@x.org,Ana,,,", `line 2, row 1, column "id": the id is empty`},
		"id of spaces":         {"  ,ana,ana@x.org,Ana,,,", "the id is empty"},
		"neither login":        {"1,,,Ana,,,", `line 2, row 1, column "email": there is neither a login nor a work address`},
		"no @":                 {"1,ana,ana.x.org,Ana,,,", `column "email": "ana.x.org" is not an address: it has no @`},
		"two @":                {"1,ana,ana@@x.org,Ana,,,", "more than one @"},
		"nothing before":       {"1,ana,@x.org,Ana,,,", "would run as a formula"},
		"no dot":               {"1,ana,ana@x,Ana,,,", `its domain "x" has no dot`},
		"dot at the end":       {"1,ana,ana@x.org.,Ana,,,", `its domain "x.org." is malformed`},
		"dots":                 {"1,ana,a..b@x.org,Ana,,,", "a dot stands at the edge or twice"},
		"space":                {"1,ana,an a@x.org,Ana,,,", "' ' cannot stand before the @"},
		"quoted local":         {`1,ana,"""a b""@x.org",Ana,,,`, "cannot stand before the @"},
		"comment":              {"1,ana,ana@x.org(home),Ana,,,", "cannot stand in its domain"},
		"long address":         {"1,ana," + long + "@x.org,Ana,,,", "it has 306 characters; at most 254 are taken"},
		"long local":           {"1,ana," + long[:65] + "@x.org,Ana,,,", "more than 64 bytes"},
		"CR LF in address":     {"1,ana,\"ana@x.org\r\nBcc: eve@x.org\",Ana,,,", "control or invisible character, U+000A"},
		"NUL in id":            {"1\x00,ana,ana@x.org,Ana,,,", `column "id": it holds a control or invisible character, U+0000`},
		"bidi in login":        {"1,an\u202ea,ana@x.org,Ana,,,", "U+202E"},
		"zero width in login":  {"1,an\u200ba,ana@x.org,Ana,,,", "U+200B"},
		"bell in name":         {"1,ana,ana@x.org,A\x07na,,,", `column "name": it holds a control or invisible character, U+0007`},
		"bidi in name":         {"1,ana,ana@x.org,\u202eanA,,,", "U+202E"},
		"formula as id":        {"=1+1,ana,ana@x.org,Ana,,,", `column "id": "=1+1" would run as a formula in a spreadsheet; if it is meant, put an apostrophe before it`},
		"formula as login":     {"1,@SUM(A1),ana@x.org,Ana,,,", `column "login": "@SUM(A1)" would run as a formula`},
		"formula as address":   {"1,ana,-2+3@x.org,Ana,,,", `column "email": "-2+3@x.org" would run`},
		"full-width formula":   {"＝1,ana,ana@x.org,Ana,,,", "would run as a formula"},
		"long id":              {long + ",ana,ana@x.org,Ana,,,", "it has 300 characters; at most 128 are taken"},
		"long name":            {"1,ana,ana@x.org," + long + ",,,", `column "name": it has 300 characters; at most 256 are taken`},
		"long phone":           {"1,ana,ana@x.org,Ana," + long + ",,", "at most 64 are taken"},
		"UTF-8 and Latin-1":    {"0,zoë,zoe@x.org,Zoë,,,\n1,ana,ana@x.org,Mar\xeda,,,", `line 3, row 2, column "name": it holds characters that cannot be read: save the list as CSV UTF-8`},
		"replacement":          {"1,ana,ana@x.org,Mar\ufffda,,,", "cannot be read"},
		"too few cells":        {"1,ana,ana@x.org", "line 2, row 1: it has 3 cells and the header has 7"},
		"one cell":             {"1", "it has 1 cell and the header has 7"},
		"too many cells":       {"1,ana,ana@x.org,Reyes, Ana,,,", "it has 8 cells and the header has 7; a cell with a delimiter in it must stand in quotation marks"},
		"quote in the middle":  {`1,ana,ana@x.org,Ana "Nina" R,,,`, "a quotation mark is not closed, or stands inside a cell"},
		"login with a space":   {"1,ana reyes,ana@x.org,Ana,,,", `the login "ana reyes" has a space in it`},
		"login as bad address": {"1,ana@x,,Ana,,,", `column "login": "ana@x" is not an address`},
		"unknown status":       {"1,ana,ana@x.org,Ana,,maybe,", `column "status": "maybe" is not understood; write active or disabled, or true or false`},
	} {
		t.Run(name, func(t *testing.T) {
			res := readText(t, head+c.row+"\n2,bob,bob@x.org,Bob,,,\n")
			if got := problems(res.report); !strings.Contains(got, c.want) || res.report.Bad != 1 {
				t.Errorf("got %q, want %q and one bad row", got, c.want)
			}
			if n := len(res.people); n == 0 || res.people[n-1].ID != "2" || res.list.Err() != nil {
				t.Errorf("the next row did not come through: %+v, %v", res.people, res.list.Err())
			}
		})
	}
}

func TestTextsMayLookLikeFormulas(t *testing.T) {
	res := readText(t, "id,login,name,department,phone\n1,ana,-Ana-,=1+1,+1 704 555 0148\n'=2,'-bob,'=Bob,'Quoted',''=x\n")
	if len(res.report.Problems) != 0 || len(res.people) != 2 {
		t.Fatalf("%s\n%+v", problems(res.report), res.people)
	}
	if p := res.people[0]; p.Name != "-Ana-" || p.Department != "=1+1" || p.WorkPhone != "+1 704 555 0148" {
		t.Errorf("got %+v", p)
	}
	if p := res.people[1]; p.ID != "=2" || p.Username != "-bob" || p.Name != "=Bob" || p.Department != "'Quoted'" || p.WorkPhone != "'=x" {
		t.Errorf("got %+v", p)
	}
}

func TestDuplicateIDs(t *testing.T) {
	res := readText(t, "id,login\n\n1,ana\n2,bob\n1,eve\n 1 ,kim\nA,x\na,y\n")
	want := `line 5, row 3, column "id": the id "1" stands in line 3 already` + "\n" + `line 6, row 4, column "id": the id "1" stands in line 3 already`
	if got := problems(res.report); got != want || len(res.people) != 4 {
		t.Errorf("got %q, %d people\nwant %q, 4", got, len(res.people), want)
	}
}

func TestWarnings(t *testing.T) {
	res := readText(t, "id,login,language,tz\n1,ana,Spanish (Mexico),Eastern Standard Time\n2,bob,\"en_us,en;q=0.8\",Europe/Berlin\n3,kim,ZH-hant-tw,UTC\n")
	want := `line 2, row 1, column "language", left empty: "Spanish (Mexico)" is not a language like en or es-MX` + "\n" +
		`line 2, row 1, column "tz", left empty: "Eastern Standard Time" is not a time zone like America/New_York`
	if got := problems(res.report); got != want || res.report.Warnings != 2 || res.report.Bad != 0 {
		t.Errorf("got %q, %+v", got, res.report)
	}
	if p := res.people; len(p) != 3 || p[0].Lang != "" || p[1].Lang != "en-US" || p[1].TimeZone != "Europe/Berlin" || p[2].Lang != "zh-Hant-TW" {
		t.Errorf("got %+v", p)
	}
}

func TestStatusWords(t *testing.T) {
	for _, c := range []struct {
		header, cell string
		disabled     bool
	}{
		{"accountEnabled", "TRUE", false}, {"accountEnabled", "False", true}, {"accountEnabled", "", false}, {"accountEnabled", "FALSO", true},
		{"disabled", "true", true}, {"disabled", "0", false}, {"disabled", "disabled", true}, {"disabled", "active", false}, {"disabled", "", false},
		{"status", "Active", false}, {"status", "terminated", true}, {"status", "Yes", false},
		{"userAccountControl", "512", false}, {"userAccountControl", "514", true}, {"userAccountControl", "66050", true},
	} {
		res := readText(t, "id,login,"+c.header+"\n1,ana,"+c.cell+"\n")
		if len(res.people) != 1 || res.people[0].Disabled != c.disabled {
			t.Errorf("%s=%q: got %+v, want disabled %v", c.header, c.cell, res.people, c.disabled)
		}
	}
	if res := readText(t, "id,login,enabled,status\n1,ana,true,terminated\n"); !res.people[0].Disabled {
		t.Error("of two columns that disagree, the one that says disabled must win")
	}
}

func TestHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		m    map[string]string
		want string
	}{
		"empty":          {"", nil, "the staff list is empty: its first line must name the columns"},
		"blank":          {"\n\n", nil, "is empty"},
		"no id":          {"login,name\n", nil, `the staff list has no column for the id (accepted: id, objectId, Object ID, objectGUID,`},
		"no id, found":   {"login,name\n", nil, `its columns are "login", "name"`},
		"no login":       {"id,name\n", nil, "no column for the login or the work address (accepted: username, sAMAccountName,"},
		"neither":        {"a,b\n", nil, "or map one with id=COLUMN), and no column for the login"},
		"no header":      {"77,ana,ana@x.org\n", nil, `its columns are "77", "ana", "ana@x.org"`},
		"twice":          {"id,email,Email\n", nil, `the staff list has 2 columns called "email"; rename all but the one to use`},
		"workbook":       {"PK\x03\x04....", nil, "save it as CSV UTF-8"},
		"binary":         {"\x00\x01\x02\x03", nil, "is not text"},
		"mixed":          {"id,login,país,pa\xeds\n", nil, "the name of column 4 is not valid UTF-8"},
		"open quote":     {"\"id,login\n1,2\n", nil, "a quotation mark is not closed"},
		"pipes":          {"sep=|\nid|login\n", nil, `separated by "|"`},
		"unknown field":  {"id,login\n", map[string]string{"shoe_size": "id"}, `there is no field "shoe_size" to map; fields are id, username,`},
		"unknown column": {"id,login\n", map[string]string{"id": "Badge"}, `the staff list has no column "Badge" for id; it has "id", "login"`},
		"mapped twice":   {"id,login\n", map[string]string{"id": "id", "title": "id"}, `column "id" is mapped to both id and title`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := csv.Open(strings.NewReader(c.text), csv.Options{Map: c.m})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %q", err, c.want)
			}
		})
	}
}

func TestMapping(t *testing.T) {
	res := read(t, strings.NewReader("ID,Badge,Kürzel,Bezeichnung\n7,B-1,ARE,Frau Reyes\n"),
		csv.Options{Map: map[string]string{"id": "Badge", "username": "kürzel", "name": "Bezeichnung"}})
	want := bot.Person{ID: "B-1", Username: "are", Name: "Frau Reyes"}
	if len(res.people) != 1 || res.people[0] != want {
		t.Errorf("got %+v, want %+v", res.people, want)
	}
	cols := res.list.Columns()
	if len(cols) != 4 || cols[1] != (csv.Column{No: 2, Header: "Badge", Field: csv.ID}) || !slices.Equal(res.list.Ignored(), []string{"ID"}) {
		t.Errorf("columns %+v, ignored %q", cols, res.list.Ignored())
	}
}

// Both composed and decomposed letters, and both cases, give one login.
func TestNormalForms(t *testing.T) {
	res := readText(t, "id,login,email\n1,JOSE\u0301,JOSE\u0301@x.org\n2,josé,josé@x.org\n")
	if len(res.people) != 2 || res.people[0].Username != res.people[1].Username || res.people[0].Email != res.people[1].Email {
		t.Errorf("got %+v", res.people)
	}
}

func TestLinesCountLikeAnEditor(t *testing.T) {
	res := readText(t, "sep=,\nid,login,name,email\n1,ana,\"two\nlines\",a@x.org\n\n2,bob,\"three\nmore\nlines\",bad\n,x,,\n")
	want := `line 8, row 2, column "email": "bad" is not an address: it has no @` + "\n" + `line 9, row 3, column "id": the id is empty`
	if got := problems(res.report); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestUnclosedQuote(t *testing.T) {
	res := readText(t, "id,login,name\n1,ana,\"Ana\n2,bob,Bob\n3,kim,\"Kim\"\n4,lee,Lee\n")
	got := problems(res.report)
	if !strings.Contains(got, "line 2, row 1: a quotation mark is not closed") || !strings.Contains(got, "lines 2 to 4 were taken for one row") {
		t.Errorf("got %q", got)
	}
	if len(res.people) != 1 || res.people[0].ID != "4" {
		t.Errorf("the rows below: %+v", res.people)
	}
	// One that swallows the rest of a long file is cut, not kept in memory.
	var b strings.Builder
	b.WriteString("id,login,name\n1,ana,Ana\n2,bob,\"Bob\n")
	for range 200000 {
		b.WriteString("3,kim,Kim Kim Kim\n")
	}
	res = readText(t, b.String())
	if got := problems(res.report); !strings.HasPrefix(got, "line 3, row 2: the row is longer than 1024 KiB: a quotation mark in it is not closed; nothing below was read") {
		t.Errorf("got %q", got)
	}
	if err := res.list.Err(); err == nil || !strings.Contains(err.Error(), "not read to its end") {
		t.Errorf("Err = %v: a list that was not read to its end must not pass", err)
	}
}

func TestReportIsCapped(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,login\n")
	for range 1500 {
		b.WriteString(",x\n")
	}
	for most, want := range map[int]int{0: 1000, 7: 7} {
		res := read(t, strings.NewReader(b.String()), csv.Options{MaxProblems: most})
		if len(res.report.Problems) != want || res.report.Omitted != 1500-want || res.report.Bad != 1500 {
			t.Errorf("MaxProblems %d: %d listed, %d omitted, %d bad", most, len(res.report.Problems), res.report.Omitted, res.report.Bad)
		}
	}
}

func TestReadErrors(t *testing.T) {
	broken := errors.New("disk")
	l, err := csv.Open(io.MultiReader(strings.NewReader("id,login\n1,ana\n"), iotest.ErrReader(broken)), csv.Options{})
	if err != nil && !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if err == nil {
		for range l.People() {
		}
		if !errors.Is(l.Err(), broken) {
			t.Errorf("Err = %v, want the reader's", l.Err())
		}
	}
	if _, err := csv.Open(iotest.ErrReader(broken), csv.Options{}); !errors.Is(err, broken) {
		t.Errorf("Open: %v, want the reader's error", err)
	}
	// Later than what Open looks at.
	long := "id,login\n" + strings.Repeat("1,ana\n", 50000)
	l, err = csv.Open(io.MultiReader(strings.NewReader(long), iotest.ErrReader(broken)), csv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range l.People() {
	}
	if !errors.Is(l.Err(), broken) {
		t.Errorf("Err = %v, want the reader's", l.Err())
	}
	for range l.People() {
		t.Fatal("a list was read twice")
	}
	if l.Err() == nil {
		t.Error("reading twice is no error")
	}
}

func TestStopEarly(t *testing.T) {
	l, err := csv.Open(strings.NewReader("id,login\n1,a\n2,b\n3,c\n"), csv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for p := range l.People() {
		if p.ID == "2" {
			break
		}
	}
	if r := l.Report(); r.Rows != 2 || l.Err() != nil {
		t.Errorf("%+v, %v", r, l.Err())
	}
}
