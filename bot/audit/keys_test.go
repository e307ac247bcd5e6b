package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/bot"
	"latchkey/bot/audit"
)

// testKeys are keys by their id. The first of ids is in use.
type testKeys struct{ ids []string }

func (k testKeys) AuditKey() string { return k.ids[0] }

func (k testKeys) AuditMAC(id string, text []byte) []byte {
	if !slices.Contains(k.ids, id) {
		return nil
	}
	m := hmac.New(sha256.New, []byte("secret of "+id))
	m.Write(text)
	return m.Sum(nil)
}

var ring = testKeys{[]string{"k2", "k1"}}

// seal gives a line its place and its keyed hash.
func seal(k audit.Keys, prev []byte, e bot.AuditEntry) bot.AuditEntry {
	e.Prev = prev
	e.Hash = audit.Seal(k, prev, e)
	return e
}

// keyed is a record whose first half has key k1 and whose second has k2.
func keyed(n int) []bot.AuditEntry {
	lines := record(n)
	var prev []byte
	for i := range lines {
		lines[i].Key = "k1"
		if i >= n/2 {
			lines[i].Key = "k2"
		}
		lines[i] = seal(ring, prev, lines[i])
		prev = lines[i].Hash
	}
	return lines
}

func check(t *testing.T, k audit.Keys, lines []bot.AuditEntry, from audit.Beginning, head audit.Head, known ...audit.Head) string {
	t.Helper()
	_, problems, err := audit.Verify(k, feed(lines), from, head, known...)
	if err != nil {
		t.Fatal(err)
	}
	said := make([]string, len(problems))
	for i, p := range problems {
		said[i] = p.String()
	}
	return strings.Join(said, "\n")
}

// The encoding, written down a second time.
func TestSealIsFixed(t *testing.T) {
	at := time.Date(2026, 5, 3, 8, 0, 0, 7_000_000, time.UTC)
	e := bot.AuditEntry{Seq: 258, At: at, Person: "not hashed", Ref: "r", Actor: "ab", Subject: "é", Channel: "c", Evidence: "x", Key: "k1", Was: []byte{9}}
	u64 := func(n uint64) string { return fmt.Sprintf("%016x", n) }
	text := func(s string) string { return u64(uint64(len(s))) + hex.EncodeToString([]byte(s)) }
	b, err := hex.DecodeString(hex.EncodeToString([]byte("latchkey audit 2")) + text("k1") + text("\x01\x02") + u64(258) + u64(uint64(at.UnixMilli())) +
		text("r") + text("ab") + text("") + text("é") + text("c") + text("x") + text("\x09"))
	if err != nil {
		t.Fatal(err)
	}
	if got := audit.Seal(ring, []byte{1, 2}, e); !bytes.Equal(got, ring.AuditMAC("k1", b)) {
		t.Errorf("Seal = %x", got)
	}
	e.Key = "k3"
	if got := audit.Seal(ring, nil, e); got != nil {
		t.Errorf("a key that is not there seals: %x", got)
	}
}

func TestWholeKeyedRecordWithARotationInIt(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 500} {
		lines := keyed(n)
		if got := check(t, ring, lines, audit.Beginning{}, headOf(lines)); got != "" {
			t.Errorf("%d lines: %s", n, got)
		}
	}
	lines := keyed(12)
	want := "lines 1 to 6 cannot be checked: key k1 is not in the key ring; use the key file that has it"
	if got := check(t, testKeys{[]string{"k2"}}, lines, audit.Beginning{}, headOf(lines)); got != want {
		t.Errorf("without the old key: got %q, want %q", got, want)
	}
}

// Every field of every line counts, the names of its key among them.
func TestEveryKeyedLineChanged(t *testing.T) {
	whole := keyed(12)
	swap := map[string]string{"k1": "k2", "k2": "k1"}
	more := map[string]func(*bot.AuditEntry){
		"key": func(e *bot.AuditEntry) { e.Key = swap[e.Key] },
		"was": func(e *bot.AuditEntry) { e.Was = bytes.Repeat([]byte{1}, 32) },
	}
	for name, edit := range edits {
		more[name] = edit
	}
	for name, edit := range more {
		for i := range whole {
			lines := slices.Clone(whole)
			edit(&lines[i])
			want := fmt.Sprintf("line %d was changed after being written", i+1)
			if got := check(t, ring, lines, audit.Beginning{}, headOf(whole)); got != want {
				t.Errorf("%s of line %d: got %q, want %q", name, i+1, got, want)
			}
		}
	}
	lines := slices.Clone(whole)
	lines[4].Key = "k9"
	if got := check(t, ring, lines, audit.Beginning{}, headOf(whole)); got != "line 5 cannot be checked: key k9 is not in the key ring; use the key file that has it" {
		t.Errorf("a key that never was: %q", got)
	}
}

// T10: the last line deleted, another edited, and everything that can be
// computed without the key computed anew.
func TestNobodyWithoutTheKeyRewritesTheRecord(t *testing.T) {
	whole := keyed(12)
	forge := func(sum func(prev []byte, e bot.AuditEntry) (key string, hash []byte)) []bot.AuditEntry {
		lines := slices.Clone(whole[:11])
		lines[3].Actor = "operator"
		for i := 3; i < len(lines); i++ {
			lines[i].Prev = lines[i-1].Hash
			lines[i].Key, lines[i].Hash = sum(lines[i].Prev, lines[i])
		}
		return lines
	}
	other := testKeys{[]string{"k1", "k2"}}
	for name, c := range map[string]struct {
		lines []bot.AuditEntry
		want  string
	}{
		"plain hashes": {forge(func(prev []byte, e bot.AuditEntry) (string, []byte) { return "", audit.Sum(prev, e) }),
			"lines 4 to 11 were written without a key: Latchkey did not write them"},
		"plain hashes under the key's name": {forge(func(prev []byte, e bot.AuditEntry) (string, []byte) { return e.Key, audit.Sum(prev, e) }),
			"lines 4 to 11 were changed after being written"},
		"a key of one's own under its name": {forge(func(prev []byte, e bot.AuditEntry) (string, []byte) {
			m := hmac.New(sha256.New, []byte("guess"))
			m.Write(audit.Sum(prev, e))
			return e.Key, m.Sum(nil)
		}), "lines 4 to 11 were changed after being written"},
		"a key of one's own": {forge(func(prev []byte, e bot.AuditEntry) (string, []byte) { return "k9", audit.Sum(prev, e) }),
			"lines 4 to 11 cannot be checked: key k9 is not in the key ring; use the key file that has it"},
	} {
		if got := check(t, other, c.lines, audit.Beginning{}, headOf(c.lines)); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	// What is left to them is a shorter record, and the head outside finds that.
	kept := headOf(whole)
	kept.Where = "the head file x.head"
	if got := check(t, ring, whole[:11], audit.Beginning{}, headOf(whole[:11]), kept); got != "line 12 was cut off at the end: the head file x.head names line 12" {
		t.Errorf("cut: %q", got)
	}
	if got := check(t, ring, nil, audit.Beginning{}, audit.Head{}, kept); got != "lines 1 to 12 were cut off at the end: the head file x.head names line 12" {
		t.Errorf("emptied: %q", got)
	}
}

// Nobody without the key makes deleted lines look like pruned ones.
func TestBeginningIsSealed(t *testing.T) {
	whole := keyed(12)
	from := audit.Begin(ring, headOf(whole[:4]), whole[3].At)
	if got := check(t, ring, whole[4:], from, headOf(whole), headOf(whole[:4]), headOf(whole[:9])); got != "" {
		t.Errorf("pruned: %q", got)
	}
	if got := check(t, ring, nil, audit.Begin(ring, headOf(whole), start), headOf(whole)); got != "" {
		t.Errorf("all pruned: %q", got)
	}
	forged := from
	forged.Head = headOf(whole[:6])
	const changed = "the mark that retention removed the lines up to 6 was changed after being written"
	if got := check(t, ring, whole[6:], forged, headOf(whole)); got != changed {
		t.Errorf("moved: %q", got)
	}
	forged.Key, forged.MAC = "", nil
	if got := check(t, ring, whole[6:], forged, headOf(whole)); got != changed {
		t.Errorf("without a key: %q", got)
	}
	later := from
	later.At = later.At.Add(time.Hour)
	if got := check(t, ring, whole[4:], later, headOf(whole)); !strings.HasPrefix(got, "the mark that retention removed") {
		t.Errorf("another time: %q", got)
	}
	old := audit.Begin(testKeys{[]string{"k0"}}, headOf(whole[:4]), start)
	if got := check(t, ring, whole[4:], old, headOf(whole)); !strings.Contains(got, "key k0 is not in the key ring") {
		t.Errorf("a key that is gone: %q", got)
	}
	if got := check(t, ring, whole[4:], audit.Beginning{}, headOf(whole)); got != "lines 1 to 4 are missing" {
		t.Errorf("no mark: %q", got)
	}
	backup := headOf(whole[:2])
	backup.Where, backup.Kept = "the backup monday.db", true
	if got := check(t, ring, whole[4:], from, headOf(whole), backup); got != "" {
		t.Errorf("a backup from before: %q", got)
	}
}

// A head that was noted before the record had keys still says something.
func TestOldHeadsAreKnownUnderTheSeal(t *testing.T) {
	old := record(5)
	var lines []bot.AuditEntry
	var prev []byte
	for _, e := range old {
		e.Key, e.Was = "k1", audit.Before(ring, "k1", e.Hash)
		lines = append(lines, seal(ring, prev, e))
		prev = lines[len(lines)-1].Hash
	}
	lines = append(lines, seal(ring, prev, bot.AuditEntry{Seq: 6, At: start, Action: audit.Sealed, Key: "k1"}))
	if got := check(t, ring, lines, audit.Beginning{}, headOf(lines), headOf(old), headOf(old[:2])); got != "" {
		t.Errorf("got %q", got)
	}
	other := headOf(old)
	other.Hash = bytes.Repeat([]byte{1}, 32)
	if got := check(t, ring, lines, audit.Beginning{}, headOf(lines), other); !strings.HasPrefix(got, "line 5 is not the line whose head was noted") {
		t.Errorf("another old head: %q", got)
	}
	lines[5] = seal(ring, prev, bot.AuditEntry{Seq: 6, At: start, Action: audit.Sealed, Key: "k1", Evidence: "it was not whole"})
	if got := check(t, ring, lines, audit.Beginning{}, headOf(lines)); got != "line 6 says: it was not whole" {
		t.Errorf("sealed although broken: %q", got)
	}
}

// A record that was rewritten as a whole is checked in the time that a whole
// one takes, not in hours.
func TestManyChangedLinesAreFoundInTime(t *testing.T) {
	lines := keyed(20_000)
	for i := range lines {
		lines[i].Actor = "x"
	}
	calls := &counted{Keys: ring}
	want := "lines 1 to 20000 were changed after being written"
	if got := check(t, calls, lines, audit.Beginning{}, headOf(lines)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if most := 2*20_000 + audit.MaxProblems*2*2048; calls.n > most {
		t.Errorf("%d hashes for 20000 lines, want at most %d", calls.n, most)
	}
}

type counted struct {
	audit.Keys
	n int
}

func (c *counted) AuditMAC(id string, text []byte) []byte {
	c.n++
	return []byte("0123456789abcdef0123456789abcdef")[:32]
}

func TestHeadFile(t *testing.T) {
	f := &audit.HeadFile{Path: filepath.Join(t.TempDir(), "x.head")}
	read := func(want ...string) {
		t.Helper()
		heads, err := f.Read()
		var got []string
		for _, h := range heads {
			got = append(got, fmt.Sprint(h.Seq, " ", h.Where, " ", h.Kept))
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	lines := keyed(40)
	read()
	for _, n := range []int{3, 7, 5} { // the highest wins
		if err := f.Note(headOf(lines[:n])); err != nil {
			t.Fatal(err)
		}
	}
	file := "the head file " + f.Path
	read("7 " + file + " false")
	if err := f.AddBackup(headOf(lines[:6]), "the backup\nmonday.db"); err != nil {
		t.Fatal(err)
	}
	if err := f.Note(headOf(lines[:8])); err != nil {
		t.Fatal(err)
	}
	read("8 "+file+" false", "6 the backup monday.db true")
	for i := range 30 {
		if err := f.AddBackup(headOf(lines[:9+i]), "a backup"); err != nil {
			t.Fatal(err)
		}
	}
	if heads, err := f.Read(); err != nil || len(heads) != 21 || heads[0].Seq != 8 || heads[20].Seq != 38 {
		t.Errorf("%d heads, %v", len(heads), err)
	}
	if st, err := os.Stat(f.Path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if err := f.Reset(headOf(lines[:2])); err != nil {
		t.Fatal(err)
	}
	read("2 " + file + " false")
	if err := os.WriteFile(f.Path, []byte("7:zz\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(); err == nil || !strings.Contains(err.Error(), "garbled") {
		t.Errorf("a garbled file: %v", err)
	}
	old, now := f.Path+".new-1", f.Path+".new-2"
	for _, name := range []string{old, now} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, start, start); err != nil {
		t.Fatal(err)
	}
	f.Tidy()
	if _, err := os.Stat(now); err != nil {
		t.Errorf("what another process writes just now is gone: %v", err)
	}
	os.Remove(now)
	if left, _ := filepath.Glob(f.Path + ".*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestFindHeadsInALog(t *testing.T) {
	h := headOf(keyed(7)).String()
	log := "noise 12:34\n{\"msg\":\"audit head\",\"head\":\"" + h + "\"}\nlevel=INFO head=" + h + "\nat 10:" + strings.Repeat("0", 63) + "\n"
	heads, err := audit.FindHeads(strings.NewReader(log), "x.log", 10)
	if err != nil || len(heads) != 1 || heads[0].Seq != 7 || heads[0].Where != "x.log" {
		t.Errorf("got %v, %v", heads, err)
	}
}

// signer is a key pair.
type signer struct{ ed25519.PrivateKey }

func (s signer) Sign(text func(string) []byte) (string, []byte) {
	return "k1", ed25519.Sign(s.PrivateKey, text("k1"))
}

func (s signer) public(id string) []audit.PublicKey {
	return []audit.PublicKey{{ID: id, Key: s.Public().(ed25519.PublicKey)}}
}

func TestExportIsSigned(t *testing.T) {
	s := signer{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))}
	other := signer{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32))}
	m := audit.Manifest{Org: "Example", By: "operator:ann", Made: start}
	var b bytes.Buffer
	lines := keyed(9)
	if err := audit.WriteExport(&b, s, &m, feed(lines[2:])); err != nil {
		t.Fatal(err)
	}
	good := b.Bytes()
	if m.Lines != 7 || m.First != 3 || m.Last != 9 {
		t.Errorf("manifest %+v", m)
	}
	for _, keys := range [][]audit.PublicKey{s.public("k1"), s.public(""), append(other.public("k0"), s.public("k1")...)} {
		if got, id, err := audit.CheckExport(bytes.NewReader(good), keys); err != nil || id != "k1" || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v %s %v", got, id, err)
		}
	}
	if _, _, err := audit.CheckExport(bytes.NewReader(good), other.public("k7")); !errors.Is(err, audit.ErrOtherKey) || !strings.Contains(err.Error(), "key k1") {
		t.Errorf("another key: %v", err)
	}
	if _, _, err := audit.CheckExport(bytes.NewReader(good), other.public("k1")); !errors.Is(err, audit.ErrTampered) {
		t.Errorf("another key of the same name: %v", err)
	}
	for i := range good { // every byte counts
		bad := bytes.Clone(good)
		bad[i] ^= 4
		if _, _, err := audit.CheckExport(bytes.NewReader(bad), s.public("")); err == nil {
			t.Fatalf("byte %d changed, and nobody sees it", i)
		}
	}
	rows := bytes.SplitAfter(good, []byte("\n"))
	rows = rows[:len(rows)-1]
	for i := range rows {
		if _, _, err := audit.CheckExport(bytes.NewReader(bytes.Join(slices.Delete(slices.Clone(rows), i, i+1), nil)), s.public("")); err == nil {
			t.Errorf("row %d is missing, and nobody sees it", i+1)
		}
		if _, _, err := audit.CheckExport(bytes.NewReader(bytes.Join(slices.Insert(slices.Clone(rows), i, rows[0]), nil)), s.public("")); err == nil {
			t.Errorf("a row before %d, and nobody sees it", i+1)
		}
	}
	for _, junk := range []string{"", "\n", "{}", "hello", `{"signature":null}`, string(good) + "{}\n", string(rows[len(rows)-1])} {
		if _, _, err := audit.CheckExport(strings.NewReader(junk), s.public("")); err == nil {
			t.Errorf("%.40q passes", junk)
		}
	}
}

func TestPublicKeyNotation(t *testing.T) {
	s := signer{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))}
	k := s.public("1a2b3c4d")[0]
	for _, text := range []string{k.String(), "# mine\n" + k.String() + "\n", strings.TrimPrefix(k.String(), "1a2b3c4d "), strings.TrimPrefix(k.String(), "1a2b3c4d ed25519:")} {
		got, err := audit.ParsePublicKeys(text)
		if err != nil || len(got) != 1 || !bytes.Equal(got[0].Key, k.Key) {
			t.Errorf("%q: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "ed25519:AAAA", "/no/such/file"} {
		if _, err := audit.ParsePublicKeys(text); err == nil || !strings.Contains(err.Error(), "latchkey keys public") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A line that somebody made passes only when it is one that was written.
func FuzzVerify(f *testing.F) {
	whole := keyed(6)
	f.Add(int64(3), "person", "method.proven", "phone", "k1", whole[1].Hash, whole[2].Hash)
	f.Fuzz(func(t *testing.T, seq int64, actor, action, subject, key string, prev, hash []byte) {
		lines := slices.Clone(whole)
		e := lines[2]
		e.Seq, e.Actor, e.Action, e.Subject, e.Key, e.Prev, e.Hash = seq, actor, action, subject, key, prev, hash
		lines[2] = e
		same := seq == whole[2].Seq && actor == whole[2].Actor && action == whole[2].Action && subject == whole[2].Subject && key == whole[2].Key &&
			bytes.Equal(prev, whole[2].Prev) && bytes.Equal(hash, whole[2].Hash)
		_, problems, err := audit.Verify(ring, feed(lines), audit.Beginning{}, headOf(whole))
		if err != nil || (len(problems) == 0) != same {
			t.Errorf("%+v: %v %v", e, problems, err)
		}
	})
}

func BenchmarkVerifyKeyed(b *testing.B) {
	lines := keyed(10000)
	b.ReportAllocs()
	for b.Loop() {
		if n, problems, err := audit.Verify(ring, feed(lines), audit.Beginning{}, headOf(lines)); n != 10000 || problems != nil || err != nil {
			b.Fatal(n, problems, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10000, "ns/line")
}
