package csv_test

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"latchkey/adapters/csv"
)

// rows makes a staff list while it is read.
type rows struct {
	n, next int
	rest    []byte
}

func (r *rows) Read(p []byte) (int, error) {
	for len(r.rest) < len(p) && r.next <= r.n {
		if r.next == 0 {
			r.rest = append(r.rest, "objectId,userPrincipalName,mail,displayName,givenName,surname,department,jobTitle,accountEnabled,telephoneNumber\n"...)
		} else {
			i := r.next
			r.rest = fmt.Appendf(r.rest, "%08x-7c1d-4e1b-9d1f-%012x,User%07d@ucps.k12.nc.us,first.last%07d@ucps.k12.nc.us,\"Last%d, First\",First,Last%d,Department %d,Teacher,True,+1 704 555 %04d\n",
				i*2654435761, i, i, i, i, i, i%97, i%10000)
		}
		r.next++
	}
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = append(r.rest[:0], r.rest[n:]...)
	return n, nil
}

// A million people in bounded memory.
func TestMillionRows(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 50_000
	}
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before, peak := m.HeapAlloc, uint64(0)
	l, err := csv.Open(&rows{n: n}, csv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for p, line := range l.People() {
		if count++; line != count+1 || p.ID == "" || p.Email == "" {
			t.Fatalf("row %d: line %d, %+v", count, line, p)
		}
		if count%10_000 == 0 {
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
	}
	if r := l.Report(); count != n || r.Bad != 0 || l.Err() != nil {
		t.Fatalf("%d people, %+v, %v", count, r, l.Err())
	}
	if most := uint64(64 << 20); peak-min(before, peak) > most {
		t.Errorf("the heap grew by %d MiB, want at most %d", (peak-before)>>20, most>>20)
	}
	t.Logf("heap peak %d MiB over %d MiB before", (peak-min(before, peak))>>20, before>>20)
}

func BenchmarkRead(b *testing.B) {
	const n = 10_000
	b.ReportAllocs()
	for b.Loop() {
		l, err := csv.Open(&rows{n: n}, csv.Options{})
		if err != nil {
			b.Fatal(err)
		}
		for range l.People() {
		}
		if l.Report().Good != n {
			b.Fatal(l.Report())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
}

// Whatever is read, reading ends, adds up, yields only whole people, and what
// is written of them reads back the same.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"", "id,login\n1,ana\n", "\ufeffid;login;email\r\n1;ana;a@x.org\r\n", "sep=;\nid;login\n1;2\n", "\xff\xfei\x00d\x00,\x00l\x00o\x00g\x00i\x00n\x00\n\x001\x00,\x002\x00",
		"\xfe\xff\x00i\x00d", "id,login,name\n1,ana,\"x\n", "id,login\r1,ana\r", "id\tlogin\tstatus\n1\tana\tmaybe\n'=1\t'@x\tactive\n", "PK\x03\x04", "id,email,name,phone,tz,lang\n1,a@x.org,'=x,+1,Europe/Berlin,es_mx\n",
		"id,upn,surname,givenname,uac\n1,Ana@x.org,R,A,514\n", "\"id\",\"login\"\n\"1\",\"a\"\"b\"\n", "id,login,name\n1,a,\u0130\u0130\u0307\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := csv.Open(strings.NewReader(string(b)), csv.Options{MaxProblems: 5})
		if err != nil {
			return
		}
		res := result{list: l}
		for p, line := range l.People() {
			if p.ID == "" || (p.Username == "" && p.Email == "") || line < 1 {
				t.Errorf("line %d: half a person %+v", line, p)
			}
			res.people = append(res.people, p)
		}
		r := l.Report()
		if r.Good != len(res.people) || r.Good+r.Bad != r.Rows || len(r.Problems) > 5 || r.Bad > len(r.Problems)+r.Omitted {
			t.Errorf("the report does not add up: %+v", r)
		}
		for _, p := range r.Problems {
			if p.Line < 1 || p.Record < 1 || p.Reason == "" {
				t.Errorf("a problem without a place: %+v", p)
			}
		}
		var out strings.Builder
		if _, err := csv.Write(&out, each(res.people)); err != nil {
			t.Fatal(err)
		}
		again := readText(t, out.String())
		if len(again.people) != len(res.people) {
			t.Fatalf("%d people of %d came back\n%s\n%q", len(again.people), len(res.people), problems(again.report), out.String())
		}
		for i := range res.people {
			if again.people[i] != res.people[i] {
				t.Errorf("came back as %+v\nwas %+v", again.people[i], res.people[i])
			}
		}
	})
}
