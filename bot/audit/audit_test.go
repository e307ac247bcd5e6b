package audit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/audit"
)

var start = time.Date(2026, 5, 3, 8, 0, 0, 0, time.UTC)

func record(n int) []bot.AuditEntry {
	lines := make([]bot.AuditEntry, n)
	var prev []byte
	for i := range lines {
		e := bot.AuditEntry{
			Seq: int64(i + 1), At: start.Add(time.Duration(i) * time.Minute), Ref: fmt.Sprintf("p-%d", i%3),
			Actor: "person", Action: "method.proven", Subject: "phone •••• 48", Channel: "terminal", Evidence: "code", Prev: prev,
		}
		e.Hash = audit.Sum(prev, e)
		prev, lines[i] = e.Hash, e
	}
	return lines
}

func headOf(lines []bot.AuditEntry) audit.Head {
	if len(lines) == 0 {
		return audit.Head{}
	}
	e := lines[len(lines)-1]
	return audit.Head{Seq: e.Seq, Hash: e.Hash}
}

func feed(lines []bot.AuditEntry) iter.Seq2[bot.AuditEntry, error] {
	return func(yield func(bot.AuditEntry, error) bool) {
		for _, e := range lines {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func verify(t *testing.T, lines []bot.AuditEntry, from, head audit.Head, known ...audit.Head) string {
	t.Helper()
	n, problems, err := audit.Verify(nil, feed(lines), audit.Beginning{Head: from}, head, known...)
	if err != nil || n != int64(len(lines)) {
		t.Fatalf("read %d lines of %d: %v", n, len(lines), err)
	}
	said := make([]string, len(problems))
	for i, p := range problems {
		said[i] = p.String()
	}
	return strings.Join(said, "\n")
}

func TestWholeRecord(t *testing.T) {
	for _, n := range []int{0, 1, 2, 500} {
		lines := record(n)
		if got := verify(t, lines, audit.Head{}, headOf(lines)); got != "" {
			t.Errorf("%d lines: %s", n, got)
		}
	}
}

// The encoding is written down here a second time, so that nobody changes it
// without noticing that old records no longer verify.
func TestSumIsFixed(t *testing.T) {
	at := time.Date(2026, 5, 3, 8, 0, 0, 7_000_000, time.FixedZone("", 3600))
	e := bot.AuditEntry{Seq: 258, At: at, Ref: "p", Actor: "ab", Action: "", Subject: "é", Channel: "c", Evidence: "x"}
	u64 := func(n uint64) string { return fmt.Sprintf("%016x", n) }
	text := func(s string) string { return u64(uint64(len(s))) + hex.EncodeToString([]byte(s)) }
	enc := hex.EncodeToString([]byte("latchkey audit 1")) + text("\x01\x02") + u64(258) + u64(uint64(at.UnixMilli())) +
		text("p") + text("ab") + text("") + text("é") + text("c") + text("x")
	b, err := hex.DecodeString(enc)
	if err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256(b)
	if got := audit.Sum([]byte{1, 2}, e); !bytes.Equal(got, want[:]) {
		t.Errorf("Sum = %x, want %x", got, want)
	}
	moved := e
	moved.At = at.UTC().Add(999 * time.Microsecond)
	if !bytes.Equal(audit.Sum([]byte{1, 2}, moved), want[:]) {
		t.Error("the zone or a part of a millisecond changes the hash")
	}
}

// Bytes cannot wander from one field to the next.
func TestSumIsUnambiguous(t *testing.T) {
	seen := map[string]string{}
	for _, e := range []bot.AuditEntry{
		{Actor: "ab"}, {Action: "ab"}, {Actor: "a", Action: "b"}, {Subject: "ab"}, {Evidence: "ab"}, {Channel: "ab"}, {Ref: "ab"},
		{Actor: "a\x00b"}, {Actor: "a", Action: "\x00b"}, {Seq: 1}, {Seq: -1}, {At: time.UnixMilli(1)}, {},
	} {
		h := string(audit.Sum(nil, e))
		if other, ok := seen[h]; ok {
			t.Errorf("%+v and %s have the same hash", e, other)
		}
		seen[h] = fmt.Sprintf("%+v", e)
	}
	if bytes.Equal(audit.Sum([]byte("x"), bot.AuditEntry{}), audit.Sum(nil, bot.AuditEntry{})) {
		t.Error("prev is not hashed")
	}
}

// edits change one field each and leave the hashes alone.
var edits = map[string]func(*bot.AuditEntry){
	"at":       func(e *bot.AuditEntry) { e.At = e.At.Add(time.Millisecond) },
	"person":   func(e *bot.AuditEntry) { e.Ref += "x" },
	"actor":    func(e *bot.AuditEntry) { e.Actor = "system" },
	"action":   func(e *bot.AuditEntry) { e.Action = "method.removed" },
	"subject":  func(e *bot.AuditEntry) { e.Subject = "phone •••• 49" },
	"channel":  func(e *bot.AuditEntry) { e.Channel = "slack" },
	"evidence": func(e *bot.AuditEntry) { e.Evidence = "totp" },
	"prev":     func(e *bot.AuditEntry) { e.Prev = bytes.Repeat([]byte{1}, 32) },
	"hash":     func(e *bot.AuditEntry) { e.Hash = bytes.Repeat([]byte{1}, 32) },
	"no hash":  func(e *bot.AuditEntry) { e.Hash = nil },
}

func TestEveryLineChanged(t *testing.T) {
	whole := record(12)
	for name, edit := range edits {
		for i := range whole {
			lines := slices.Clone(whole)
			edit(&lines[i])
			want := fmt.Sprintf("line %d was changed after being written", i+1)
			if got := verify(t, lines, audit.Head{}, headOf(whole)); got != want {
				t.Errorf("%s of line %d: got %q, want %q", name, i+1, got, want)
			}
		}
	}
}

// A forger who computes the line's own hash anew breaks the link to the next.
func TestEveryLineReplaced(t *testing.T) {
	whole := record(12)
	for i := range whole {
		lines := slices.Clone(whole)
		lines[i].Actor = "operator"
		lines[i].Hash = audit.Sum(lines[i].Prev, lines[i])
		want := fmt.Sprintf("lines %d and %d do not belong together: one of them was replaced and its hash computed anew", i+1, i+2)
		if i == len(whole)-1 {
			want = "line 12 is not the line that the record's head names: it was replaced and its hash computed anew"
		}
		if got := verify(t, lines, audit.Head{}, headOf(whole)); got != want {
			t.Errorf("line %d: got %q, want %q", i+1, got, want)
		}
	}
}

func TestEveryLineDeleted(t *testing.T) {
	whole := record(12)
	for i := range whole {
		lines := slices.Delete(slices.Clone(whole), i, i+1)
		want := fmt.Sprintf("line %d is missing", i+1)
		if i == len(whole)-1 {
			want = "line 12 was cut off at the end: the record's head names line 12"
		}
		if got := verify(t, lines, audit.Head{}, headOf(whole)); got != want {
			t.Errorf("line %d: got %q, want %q", i+1, got, want)
		}
	}
	if got, want := verify(t, slices.Delete(slices.Clone(whole), 3, 7), audit.Head{}, headOf(whole)), "lines 4 to 7 are missing"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Every pair: once standing in the wrong order, once with numbers exchanged.
func TestEveryPairSwapped(t *testing.T) {
	whole := record(12)
	for i := range whole {
		for j := i + 1; j < len(whole); j++ {
			lines := slices.Clone(whole)
			lines[i].Seq, lines[j].Seq = lines[j].Seq, lines[i].Seq
			lines[i], lines[j] = lines[j], lines[i] // as the store lists them: by number
			want := fmt.Sprintf("line %d was written as line %d and moved here\nline %d was written as line %d and moved here", i+1, j+1, j+1, i+1)
			if got := verify(t, lines, audit.Head{}, headOf(whole)); got != want {
				t.Errorf("numbers of %d and %d exchanged: got %q, want %q", i+1, j+1, got, want)
			}
			lines = slices.Clone(whole)
			lines[i], lines[j] = lines[j], lines[i]
			got := verify(t, lines, audit.Head{}, headOf(whole))
			if !strings.Contains(got, "swapped") || strings.Contains(got, "missing") || strings.Contains(got, "changed") {
				t.Errorf("%d and %d in the wrong order: got %q", i+1, j+1, got)
			}
		}
	}
}

func TestEveryPlaceOfAnInsertedLine(t *testing.T) {
	whole := record(12)
	for i := range whole {
		// With the numbers after it moved up.
		lines := slices.Insert(slices.Clone(whole), i, bot.AuditEntry{Seq: int64(i), At: start, Actor: "operator"})
		for j := i; j < len(lines); j++ {
			lines[j].Seq = int64(j + 1)
		}
		lines[i].Prev = headOf(lines[:i]).Hash
		lines[i].Hash = audit.Sum(lines[i].Prev, lines[i])
		got := verify(t, lines, audit.Head{}, headOf(whole))
		moved := fmt.Sprintf("lines %d to 13 were written as lines %d to 12 and moved here", i+2, i+1)
		if i == 11 {
			moved = "line 13 was written as line 12 and moved here"
		}
		if !strings.Contains(got, moved) || !strings.Contains(got, "line 13 was added without the record's head being moved") {
			t.Errorf("inserted at %d: got %q, want %q and the added line", i+1, got, moved)
		}
		// With a number that is there already.
		lines = slices.Insert(slices.Clone(whole), i+1, whole[i])
		if got, want := verify(t, lines, audit.Head{}, headOf(whole)), fmt.Sprintf("line %d stands there twice", i+1); got != want {
			t.Errorf("doubled %d: got %q, want %q", i+1, got, want)
		}
	}
}

func TestEveryCut(t *testing.T) {
	whole := record(12)
	for i := range 11 {
		want := fmt.Sprintf("lines %d to 12 were cut off at the end: the record's head names line 12", i+1)
		if got := verify(t, whole[:i], audit.Head{}, headOf(whole)); got != want {
			t.Errorf("cut to %d: got %q, want %q", i, got, want)
		}
		want = fmt.Sprintf("lines 1 to %d are missing", i+1)
		if i == 0 {
			want = "line 1 is missing"
		}
		if got := verify(t, whole[i+1:], audit.Head{}, headOf(whole)); got != want {
			t.Errorf("cut before %d: got %q, want %q", i+2, got, want)
		}
	}
	if got := verify(t, whole, audit.Head{}, audit.Head{}); !strings.HasPrefix(got, "the record's head is gone") {
		t.Errorf("no head: got %q", got)
	}
	if got := verify(t, whole, audit.Head{}, headOf(whole[:10])); got != "lines 11 to 12 were added without the record's head being moved" {
		t.Errorf("old head: got %q", got)
	}
}

// The limit of a chain without a key, and what lifts it: a record that was
// rewritten as a whole passes alone, and fails against a head that was noted
// before. See TestNobodyWithoutTheKeyRewritesTheRecord.
func TestRewrittenRecord(t *testing.T) {
	noted := headOf(record(5))
	forged := record(12)
	forged[3].Actor = "operator"
	for i := 3; i < len(forged); i++ {
		forged[i].Prev = forged[i-1].Hash
		forged[i].Hash = audit.Sum(forged[i].Prev, forged[i])
	}
	if got := verify(t, forged, audit.Head{}, headOf(forged)); got != "" {
		t.Errorf("a plain chain cannot see this, and the docs say so; got %q", got)
	}
	if got := verify(t, forged, audit.Head{}, headOf(forged), noted); got != "line 5 is not the line whose head was noted: the record was rewritten up to there or further" {
		t.Errorf("with the noted head: got %q", got)
	}
	if got := verify(t, forged[:4], audit.Head{}, headOf(forged[:4]), noted); got != "line 5 was cut off at the end: a noted head names line 5" {
		t.Errorf("cut below the noted head: got %q", got)
	}
	whole := record(12)
	if got := verify(t, whole, audit.Head{}, headOf(whole), noted, headOf(whole), headOf(whole[:1])); got != "" {
		t.Errorf("grown since: got %q", got)
	}
}

// After retention removed old lines, the rest is checked from the last of them.
func TestRetention(t *testing.T) {
	whole := record(12)
	from := headOf(whole[:4])
	if got := verify(t, whole[4:], from, headOf(whole), headOf(whole[:4]), headOf(whole[:9])); got != "" {
		t.Errorf("got %q", got)
	}
	if got := verify(t, nil, headOf(whole), headOf(whole)); got != "" {
		t.Errorf("all removed: got %q", got)
	}
	if got := verify(t, whole[5:], from, headOf(whole)); got != "line 5 is missing" {
		t.Errorf("one more removed: got %q", got)
	}
	if got := verify(t, whole[4:], from, headOf(whole), headOf(whole[:2])); got != "the noted head of line 2 is older than the first line kept and cannot be checked" {
		t.Errorf("a head from before: got %q", got)
	}
	other := from
	other.Hash = bytes.Repeat([]byte{7}, 32)
	if got := verify(t, whole[4:], other, headOf(whole)); !strings.HasPrefix(got, "lines 4 and 5 do not belong together") {
		t.Errorf("another beginning: got %q", got)
	}
}

func TestManyProblemsStayBounded(t *testing.T) {
	whole := record(5000)
	lines := make([]bot.AuditEntry, 0, 2500)
	for i := 0; i < len(whole); i += 2 {
		lines = append(lines, whole[i])
	}
	_, problems, err := audit.Verify(nil, feed(lines), audit.Beginning{}, headOf(whole))
	if err != nil || len(problems) != audit.MaxProblems {
		t.Errorf("%d problems, %v; want %d", len(problems), err, audit.MaxProblems)
	}
	for i := range whole {
		whole[i].Actor = "x"
	}
	if got := verify(t, whole[:100], audit.Head{}, headOf(whole[:100])); got != "lines 1 to 100 were changed after being written" {
		t.Errorf("a run: got %q", got)
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("disk")
	_, _, err := audit.Verify(nil, func(yield func(bot.AuditEntry, error) bool) {
		if yield(record(1)[0], nil) {
			yield(bot.AuditEntry{}, broken)
		}
	}, audit.Beginning{}, audit.Head{})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of the lines", err)
	}
}

func TestHeadNotation(t *testing.T) {
	h := headOf(record(7))
	back, err := audit.ParseHead(" " + h.String() + "\n")
	if err != nil || back.Seq != h.Seq || !bytes.Equal(back.Hash, h.Hash) {
		t.Errorf("%s came back as %s, %v", h, back, err)
	}
	for _, s := range []string{"", "7", "7:", "7:zz", "x:" + strings.Repeat("0", 64), "-1:" + strings.Repeat("0", 64), "0:" + strings.Repeat("0", 64), "7:" + strings.Repeat("0", 62)} {
		if _, err := audit.ParseHead(s); err == nil || !strings.Contains(err.Error(), "NUMBER:HASH") {
			t.Errorf("%q: got %v, want an error that says how to give it", s, err)
		}
	}
}

func BenchmarkSum(b *testing.B) {
	e := record(2)[1]
	b.ReportAllocs()
	for b.Loop() {
		audit.Sum(e.Prev, e)
	}
}

func BenchmarkVerify(b *testing.B) {
	lines := record(10000)
	b.ReportAllocs()
	for b.Loop() {
		if n, problems, err := audit.Verify(nil, feed(lines), audit.Beginning{}, headOf(lines)); n != 10000 || problems != nil || err != nil {
			b.Fatal(n, problems, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10000, "ns/line")
}
