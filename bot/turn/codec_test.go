package turn_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand"
	"reflect"
	"strings"
	"testing"
	"testing/quick"

	"latchkey/bot"
	"latchkey/bot/turn"
)

// real is a session in the middle of a long enrollment, about as big as they get.
func real() *bot.Session {
	return &bot.Session{
		Stack: []bot.Frame{
			{Flow: "enroll", Step: "phone", Hash: "3f9ac1d2", Slots: []bot.Fact{{Name: "name", Value: "Ana"}, {Name: "list", Value: "- Authenticator app (added 3 May)"}, {Name: "no_authenticator", Value: "yes"}}, Trail: []string{"welcome", "next"}},
			{Flow: "phone", Step: "code", Hash: "a07715be", Slots: []bot.Fact{{Name: "via", Value: "sms"}, {Name: "masked", Value: "•••• 48"}, {Name: "method", Value: "m_01HZX3"}, {Name: "ref", Value: "c_01HZX4"}, {Name: "minutes", Value: "10"}}, Trail: []string{"number", "confirm"}},
		},
		Lang: "es", Chosen: true, Prompt: 41, Misses: 1, Error: "code_wrong",
	}
}

func reference(t testing.TB, s *bot.Session) []byte {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// check holds the codec against encoding/json, both ways.
func check(t testing.TB, s *bot.Session) {
	t.Helper()
	got, want := turn.AppendSession([]byte("x"), s)[1:], reference(t, s)
	if !bytes.Equal(got, want) {
		t.Fatalf("encoded\n%s\nwant\n%s", got, want)
	}
	var back, ref bot.Session
	if err := turn.DecodeSession(got, &back); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(got, &ref); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, ref) {
		t.Fatalf("decoded\n%#v\nwant\n%#v", back, ref)
	}
}

func TestCodec(t *testing.T) {
	odd := []string{"", "a\"b\\c", "tab\tnl\nnul\x00bell\x07\x1f\x7f\b\f\r", "<&>", "ñ 漢字 👍", "bad \xff\xc3", "\u2028\u2029\ufffd", `{"f":[{"n":"`}
	check(t, &bot.Session{})
	check(t, real())
	for _, s := range odd {
		check(t, &bot.Session{Lang: s, Error: s, Prompt: 1<<32 - 1, Misses: 255, Owner: bot.OwnerDesk, Parked: true, Stack: []bot.Frame{
			{}, {Flow: s, Step: s, Hash: s, Slots: []bot.Fact{{Name: s, Value: s}, {}}, Trail: odd, Options: []bot.Option{{ID: s, Label: s}, {}}},
		}})
	}
	// Every field, also one that is added to Session later: quick fills them by reflection.
	if err := quick.Check(func(s bot.Session) bool { check(t, &s); return true }, &quick.Config{MaxCount: 500, Rand: rand.New(rand.NewSource(1))}); err != nil {
		t.Error(err)
	}
}

func TestDecodeWhatOthersWrote(t *testing.T) {
	want := bot.Session{Lang: "es", Prompt: 3, Stack: []bot.Frame{{Flow: "f", Step: "s", Slots: []bot.Fact{{Name: "a", Value: "b"}}}}}
	for _, in := range []string{
		`{"s":[{"f":"f","s":"s","d":[{"n":"a","v":"b"}]}],"l":"es","p":3}`,
		` { "p" : 3 , "l":"es", "s" : [ {"d":[{"v":"b","n":"a"}], "s":"s","f":"f"} ] } `,
		`{"zz":{"later":"version"},"s":[{"f":"f","s":"s","d":[{"n":"a","v":"b"}],"new":[1]}],"l":"es","p":3}`,
		`{"l":"\u0065s","p":3,"s":[{"f":"f","s":"\u0073","d":[{"n":"a","v":"b"}]}],"c":false,"k":null}`,
	} {
		var s bot.Session
		if err := turn.DecodeSession([]byte(in), &s); err != nil || !reflect.DeepEqual(s, want) {
			t.Errorf("%s\n%v %+v", in, err, s)
		}
	}
	for _, in := range []string{`{`, `{}x`, `{"p":-1}`, `{"p":4294967296}`, `{"m":256}`, `{"s":[{"f":"a","d":[{"n":"x"`, `"secret"`, `{"l":"a` + "\n" + `"}`} {
		s := *real()
		err := turn.DecodeSession([]byte(in), &s)
		if err == nil || !reflect.DeepEqual(s, bot.Session{}) {
			t.Errorf("%q was read: %v %+v", in, err, s)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error quotes the state: %v", err)
		}
	}
}

// A decoded session can grow without one slot writing over another.
func TestDecodedSessionGrows(t *testing.T) {
	var s bot.Session
	if err := turn.DecodeSession(turn.AppendSession(nil, real()), &s); err != nil {
		t.Fatal(err)
	}
	for i := range s.Stack {
		for n := range 5 {
			s.Stack[i].Set(fmt.Sprint("new", n), fmt.Sprint(i, n))
			s.Stack[i].Trail = append(s.Stack[i].Trail, fmt.Sprint("t", i, n))
		}
	}
	s.Stack = append(s.Stack, bot.Frame{Flow: "x", Step: "y"}, bot.Frame{Flow: "z", Step: "y"})
	if s.Stack[1].Slots[0].Value != "sms" || s.Slot("new4") != "1 4" || s.Stack[0].Slots[3].Value != "0 0" || s.Stack[1].Trail[2] != "t1 0" {
		t.Errorf("%+v", s)
	}
	check(t, &s)
}

func FuzzDecodeSession(f *testing.F) {
	f.Add(turn.AppendSession(nil, real()))
	f.Add([]byte(`{"s":[{"f":"a","s":"b","o":[{"i":"1","l":"x"}]}],"k":true,"o":1}`))
	f.Add([]byte(`{"s":[],"l":"\ud800"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		var s, ref bot.Session
		err := turn.DecodeSession(in, &s)
		if refErr := json.Unmarshal(in, &ref); (err == nil) != (refErr == nil || len(in) == 0) {
			t.Fatalf("decode: %v, encoding/json: %v", err, refErr)
		}
		if err == nil && !bytes.Equal(turn.AppendSession(nil, &s), turn.AppendSession(nil, &ref)) && len(in) > 0 {
			t.Fatalf("decoded %+v, encoding/json %+v", s, ref)
		}
	})
}

// A stored session stays within 450 bytes (P2), however long a conversation
// goes on: the size follows from the flows, not from the turns.
func TestSessionStaysSmall(t *testing.T) {
	if n := len(turn.AppendSession(nil, real())); n > 450 {
		t.Errorf("a session in the middle of an enrollment has %d bytes, want at most 450", n)
	} else {
		t.Logf("%d bytes", n)
	}
	h := newHouse(t, nil)
	c := h.talk("a")
	most := 0
	for i := range 500 {
		switch i % 3 {
		case 0:
			c.Say("check count").Expect("outcome ok")
		case 1:
			c.Press("go").Expect("pressed")
		default:
			c.Say("words and words").Expect("words")
		}
		most = max(most, len(h.mem.Conversations()["a"].State))
	}
	if most > 200 {
		t.Errorf("the toy's session grew to %d bytes", most)
	}
}

func BenchmarkEncode(b *testing.B) {
	s := real()
	buf := turn.AppendSession(nil, s)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		buf = turn.AppendSession(buf[:0], s)
	}
}

func BenchmarkEncodeJSON(b *testing.B) {
	s := real()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := json.Marshal(s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	buf := turn.AppendSession(nil, real())
	var s bot.Session
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		if err := turn.DecodeSession(buf, &s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeJSON(b *testing.B) {
	buf := turn.AppendSession(nil, real())
	b.ReportAllocs()
	for b.Loop() {
		var s bot.Session
		if err := json.Unmarshal(buf, &s); err != nil {
			b.Fatal(err)
		}
	}
}
