package csv_test

import (
	"bytes"
	stdcsv "encoding/csv"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/adapters/csv"
	"latchkey/bot"
)

func each(people []bot.Person) iter.Seq2[bot.Person, error] {
	return func(yield func(bot.Person, error) bool) {
		for _, p := range people {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func TestWrite(t *testing.T) {
	at := time.Date(2026, 5, 3, 9, 0, 0, 0, time.FixedZone("", -4*3600))
	people := []bot.Person{
		{ID: "1", Username: "ana", Email: "ana@x.org", Name: `=HYPERLINK("http://e.example","x")`, WorkPhone: "+17045550148", Lang: "es", Stage: bot.Enrolled, StartedAt: at, DoneAt: at.Add(time.Minute)},
		{ID: "-2", Username: "@bob", Name: "O'Neil, \"Bob\"\nSmith", Department: "'=quoted", Disabled: true},
	}
	var b bytes.Buffer
	n, err := csv.Write(&b, each(people))
	if err != nil || n != 2 {
		t.Fatal(n, err)
	}
	want := "id,username,email,name,given_name,department,title,manager,phone,language,time_zone,site,hired_on,kind,status,enrollment,started_at,enrolled_at\r\n" +
		`1,ana,ana@x.org,"'=HYPERLINK(""http://e.example"",""x"")",,,,,'+17045550148,es,,,,,active,enrolled,2026-05-03T13:00:00Z,2026-05-03T13:01:00Z` + "\r\n" +
		`'-2,'@bob,,"O'Neil, ""Bob""` + "\r\n" + `Smith",,''=quoted,,,,,,,,,disabled,not started,,` + "\r\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestWriteErrors(t *testing.T) {
	broken := errors.New("disk")
	n, err := csv.Write(&bytes.Buffer{}, func(yield func(bot.Person, error) bool) {
		if yield(bot.Person{ID: "1"}, nil) {
			yield(bot.Person{}, broken)
		}
	})
	if n != 1 || !errors.Is(err, broken) {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := csv.Write(full{broken}, each(make([]bot.Person, 1))); !errors.Is(err, broken) {
		t.Errorf("a full disk: %v", err)
	}
}

type full struct{ err error }

func (f full) Write([]byte) (int, error) { return 0, f.err }

// Export and import give the same people back, whatever stands in the cells,
// and no cell of the export can run as a formula.
func TestRoundTrip(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		people := make([]bot.Person, rnd.IntN(20))
		for i := range people {
			people[i] = person(rnd, i)
		}
		var b bytes.Buffer
		if rnd.IntN(2) == 0 {
			b.WriteString(csv.BOM)
		}
		if _, err := csv.Write(&b, each(people)); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		for line := range strings.SplitSeq(strings.TrimPrefix(text, csv.BOM), "\r\n") {
			for cell := range strings.SplitSeq(line, ",") {
				if cell = strings.TrimPrefix(cell, `"`); cell != "" && strings.ContainsRune("=+-@\t", rune(cell[0])) && !strings.Contains(line, `"`) {
					t.Fatalf("seed %d: cell %q can run as a formula", seed, cell)
				}
			}
		}
		res := read(t, &b, csv.Options{})
		if len(res.report.Problems) > 0 || len(res.people) != len(people) {
			t.Fatalf("seed %d: %d of %d people\n%s\n%s", seed, len(res.people), len(people), problems(res.report), text)
		}
		for i, want := range people {
			want.Stage, want.StartedAt, want.DoneAt = 0, time.Time{}, time.Time{}
			if res.people[i] != want {
				t.Fatalf("seed %d:\ngot  %+v\nwant %+v", seed, res.people[i], want)
			}
		}
	}
}

// person makes one whose cells are nasty, and normalised as Open does it.
func person(rnd *rand.Rand, i int) bot.Person {
	alphabet := []rune(`aZ9 ,;"'=+-@|%_.()éñ日本𝒳ä·=＋'"` + "'=")
	text := func(most int) string {
		var b strings.Builder
		for range rnd.IntN(most) {
			b.WriteRune(alphabet[rnd.IntN(len(alphabet))])
		}
		return strings.TrimSpace(b.String())
	}
	pick := func(s ...string) string { return s[rnd.IntN(len(s))] }
	p := bot.Person{
		ID:   bot.PersonID(pick("", "-", "=", "'=", "@", "'") + fmt.Sprintf("%d-%s", i, pick("a", "é", "日", "''"))),
		Name: text(12), GivenName: text(6), Department: text(20), Title: text(20), Manager: bot.PersonID(text(6)),
		WorkPhone: pick("", "+17045550148", "704 555 0148", "(704) 555-0148 x12"), Lang: pick("", "en", "es-MX", "zh-Hant-TW"), TimeZone: pick("", "UTC", "America/New_York", "Etc/GMT+5"),
		Disabled: rnd.IntN(2) == 0, Stage: bot.Stage(rnd.IntN(3)),
	}
	if rnd.IntN(3) > 0 {
		p.Username = pick("ana", "'=x", "o'neil", "-x-", "josé", "'quoted'")
	}
	if p.Username == "" || rnd.IntN(2) == 0 {
		p.Email = pick("ana@x.org", "o'neil+tag@sub.x-y.org", "=odd@x.org", "'=odd@x.org", "josé@müller.example", "u_x.org#ext#@t.example")
	}
	return p
}

// Lists of nasty cells under every kind of header: whatever is taken, is taken
// the same from an export of it.
func TestNastyCells(t *testing.T) {
	headers := []string{"id", "login", "email", "upn", "name", "givenName", "surname", "department", "title", "manager", "phone", "language", "timezone", "enabled", "disabled", "status", "userAccountControl", "else"}
	cells := []string{"", " ", "'", "''", "'=", "=1", "'=1", "' =1", "''=1", "+1", "-a", "a", "A.B", "İI", "e\u0301", "Ａ", "a@x.org", "'=a@x.org", "A@X.Org", "X\\'=a", "X\\", "a\tb", "a\r\nb", "\n=x", "'\r=x", "\"q\"", "a,b", "a;b",
		"\u2028x", "x\u0085", "\u00a0x\u00a0", "＝x", "'＝x", strings.Repeat("é", 127), strings.Repeat("é", 128), strings.Repeat("é", 256), strings.Repeat("x", 257), "en", "es_mx.UTF-8", "Europe/Berlin", "true", "0", "active", "514", "\xff", "\ufffd", "x\u200dx", "\u202ex"}
	taken := 0
	for seed := range uint64(3000) {
		rnd := rand.New(rand.NewPCG(seed, 11))
		var b strings.Builder
		w := stdcsv.NewWriter(&b)
		w.UseCRLF = rnd.IntN(2) == 0
		rest := slices.Clone(headers[4:])
		rnd.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
		cols := append([]string{"id", headers[1+rnd.IntN(3)]}, rest[:rnd.IntN(len(rest))]...)
		rnd.Shuffle(len(cols), func(i, j int) { cols[i], cols[j] = cols[j], cols[i] })
		if err := w.Write(cols); err != nil {
			t.Fatal(err)
		}
		for rows := range 1 + rnd.IntN(4) {
			row := make([]string, len(cols))
			for i := range row {
				row[i] = cells[rnd.IntN(len(cells))]
				if rnd.IntN(4) > 0 { // most cells harmless, or no row would be taken
					row[i] = fmt.Sprint("x", rows)
					if strings.HasPrefix(cols[i], "e") || strings.HasPrefix(cols[i], "u") || cols[i] == "status" || cols[i] == "disabled" {
						row[i] = ""
					}
				}
			}
			if err := w.Write(row); err != nil {
				t.Fatal(err)
			}
		}
		w.Flush()
		l, err := csv.Open(strings.NewReader(b.String()), csv.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var people []bot.Person
		for p := range l.People() {
			people = append(people, p)
		}
		taken += len(people)
		var out bytes.Buffer
		if _, err := csv.Write(&out, each(people)); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		again := read(t, &out, csv.Options{})
		if len(again.people) != len(people) {
			t.Fatalf("seed %d: %d of %d people\n%s\n%q\n%q", seed, len(again.people), len(people), problems(again.report), b.String(), text)
		}
		for i := range people {
			if again.people[i] != people[i] {
				t.Fatalf("seed %d:\ngot  %+v\nwant %+v\n%q\n%q", seed, again.people[i], people[i], b.String(), text)
			}
		}
	}
	if taken < 1000 {
		t.Errorf("only %d rows were taken: the lists are too nasty to test anything", taken)
	}
}
