package typed_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode"

	"latchkey/bot/typed"
)

// load reads cases from testdata.
func load[T any](t *testing.T, name string) (v T) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestWordsInOneForm: what a phone's keyboard, a chat program or an emoji adds
// to a word does not make another word of it.
func TestWordsInOneForm(t *testing.T) {
	type pair struct{ Typed, Wanted string }
	cases := load[struct{ Commands, Choices []pair }](t, "typed-words.json")
	for _, c := range append(cases.Commands, cases.Choices...) {
		if got, want := typed.Fold(c.Typed), typed.Fold(c.Wanted); got != want {
			t.Errorf("Fold(%q) = %q, want %q", c.Typed, got, want)
		}
	}
	for _, c := range []pair{
		{"help", "help"}, {"  HELP  me ", "help me"}, {"ＨＥＬＰ", "help"}, {"𝓱𝓮𝓵𝓹", "help"}, {"*help*", "help"}, {"_help_", "help"}, {"~help~", "help"},
		{"`help`", "help"}, {"> help", "help"}, {"/help", "help"}, {"help\u00a0me", "help me"}, {"help\u2028me", "help me"}, {"help…", "help"},
		{"hel\u200dp", "help"}, {"\ufeffhelp", "help"}, {"\u202ehelp\u202c", "help"}, {"\u2068help\u2069", "help"}, {"he\u034flp", "help"}, {"he\u2060lp", "help"},
		{"help 👩🏽‍💻", "help"}, {"🆘help🆘", "help"}, {"help ❤️", "help"}, {"help&nbsp;me", "help me"}, {"he\x00lp", "help"}, {"help\u0085", "help"},
		{"dont", "dont"}, {"don't", "dont"}, {"don’t", "dont"}, {"don´t", "dont"}, {"don`t", "dont"}, {"donʼt", "dont"}, {"don＇t", "dont"}, {"DON‘T", "dont"},
		{"the dogs' house", "the dogs house"}, {"'tis", "tis"}, {"rock 'n' roll", "rock n roll"}, {"o'clock", "oclock"},
		{"e-mail", "e mail"}, {"e\u2011mail", "e mail"}, {"e–mail", "e mail"}, {"e−mail", "e mail"}, {"yes/no", "yes no"}, {"AT&T", "at t"},
		{"1.", "1"}, {"1)", "1"}, {"(1)", "1"}, {"①", "1"}, {"⑴", "1"}, {"❶", "1"}, {"𝟏", "1"}, {"१", "1"}, {"۱", "1"}, {"nº 1", "no 1"},
		{"más", "mas"}, {"MA\u0301S", "mas"}, {"señor", "senor"}, {"straße", "strasse"}, {"STRASSE", "strasse"}, {"Łódź", "lodz"}, {"smørrebrød", "smorrebrod"},
		{"İstanbul", "istanbul"}, {"ﬁsh", "fish"}, {"ΣΊΣΥΦΟΣ", "σισυφοσ"}, {"Ёлка", "елка"}, {"שָׁלוֹם", "שלום"}, {"مَرْحَبًا", "مرحبا"},
		{"が", "が"}, {"か\u3099", "が"}, {"की", "की"}, {"हिन्दी", "हिन्दी"}, {"日本語", "日本語"}, {"한국어", "한국어"}, {"z̸̢̛a̷͎͠l̴̨͝g̵̙̈o̷̺͐", "zalgo"},
		{"?", "?"}, {"??", "?"}, {"¿?", "?"}, {"¿ ?", "?"}, {"😀😀", "😀"}, {"👍🏽", "👍"}, {"....", "."}, {"", ""}, {" \n\t ", ""}, {"\u200b\u200b", ""}, {"\xff\xfe", ""},
	} {
		if got := typed.Fold(c.Typed); got != c.Wanted {
			t.Errorf("Fold(%q) = %q, want %q", c.Typed, got, c.Wanted)
		}
	}
	for _, c := range [][2]string{{"year", "yeas"}, {"か", "が"}, {"का", "की"}, {"1", "11"}, {"не", "нет"}} {
		if typed.Fold(c[0]) == typed.Fold(c[1]) {
			t.Errorf("%q and %q are one", c[0], c[1])
		}
	}
}

// TestFoldedTextCostsNothing: most of what is typed is plain already.
func TestFoldedTextCostsNothing(t *testing.T) {
	for s, most := range map[string]float64{"help": 0, "my methods": 0, "123456": 0, "": 0, "Help": 1, "What is this?": 1} {
		if n := testing.AllocsPerRun(100, func() { typed.Fold(s) }); n > most {
			t.Errorf("Fold(%q) allocates %v times, at most %v", s, n, most)
		}
	}
	if n := testing.AllocsPerRun(100, func() { typed.Digits6("123456") }); n != 0 {
		t.Errorf("Digits6 allocates %v times", n)
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"help", "Don’t", "\u0345\u03b1ß", "か\u3099", "¿?", "İ", "\u1e9e", "ʼn"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := typed.Fold(s)
		if twice := typed.Fold(once); twice != once {
			t.Errorf("%q: %q, then %q", s, once, twice)
		}
		if a := typed.Answer(s); typed.Answer(a) != a || strings.ContainsFunc(a, unicode.IsSpace) {
			t.Errorf("Answer(%q) = %q", s, a)
		}
	})
}

// TestAnswerPairs: what one person types on a phone and on a desk is one answer.
func TestAnswerPairs(t *testing.T) {
	for _, p := range append(load[struct{ Pairs [][2]string }](t, "answer-pairs.json").Pairs,
		[][2]string{{"Velvet Otter", "Vélvet-Otter!"}, {"velvetotter", "VELVET  OTTER"}, {"O'Hara", "o hara"}, {"Peña", "pena"}, {"12 Main St", "12MainSt."}, {"Ｂｒｏｃ", "broc"}, {"1️⃣2", "12"}}...) {
		if a, b := typed.Answer(p[0]), typed.Answer(p[1]); a != b || a == "" {
			t.Errorf("%q is %q, %q is %q", p[0], a, p[1], b)
		}
	}
	for _, p := range [][2]string{{"Otter", "Otters"}, {"12 Main St", "21 Main St"}, {"かき", "がき"}} {
		if typed.Answer(p[0]) == typed.Answer(p[1]) {
			t.Errorf("%q and %q are one answer", p[0], p[1])
		}
	}
}

func TestCodesInOneForm(t *testing.T) {
	cases := load[struct {
		Code  string
		Typed []string
		Today []string `json:"taken_today"`
	}](t, "typed-codes.json")
	for _, text := range append(append(cases.Typed, cases.Today...),
		"“683921”", "«683 921»", "`683921`", "||683921||", "*683921*", "(683921)", "683921 🙏", "#683921", "683921\u200b", "6 8 3 - 9 2 1", "683·921", "６８３９２１", "⑥⑧③⑨②①",
		"my code is 683921", "my code is 68 39 21, thanks", "it says 683-921", "El código es 683 921.", "código: 683921 gracias", "it’s 683921!", "the digits are 6 8 3 9 2 1",
		"683921 is my code, it is 10:30 now", "683921. I said 683921!",
		"six eight three nine two one", "Six, eight, three, nine, two, one.", "it is six eight three nine two one thanks", "sixty eight thirty nine twenty one",
		"seis ocho tres nueve dos uno", "el código es seis ocho tres nueve dos uno", "sesenta y ocho treinta y nueve veintiuno", "six eight three nine twenty-one") {
		if got, ok := typed.Digits6(text); !ok || got != cases.Code {
			t.Errorf("Digits6(%q) = %q, %v", text, got, ok)
		}
	}
	for text, want := range map[string]string{"double zero five nine two four": "005924", "doble cero cinco nueve dos cuatro": "005924", "oh oh five nine two four": "005924", "triple one two three four": "111234"} {
		if got, ok := typed.Digits6(text); !ok || got != want {
			t.Errorf("Digits6(%q) = %q, %v; want %q", text, got, ok, want)
		}
	}
	for _, text := range []string{"one moment please", "the two of us", "12/34/56", "12:34:56", "$1234.56 is not it 12", "1 of 6 people", "uno de los dos", "codes 123456 and 654321", "12a456", "call 7045550148"} {
		if got, ok := typed.Digits6(text); ok {
			t.Errorf("Digits6(%q) = %q", text, got)
		}
	}
}

func TestRecoveryCodeSpellings(t *testing.T) {
	for text, want := range map[string]string{
		"7K2M-QP4X-0A1B-CDEF": "7K2MQP4X0A1BCDEF", " 7k2m qp4x 0a1b cdef\r\n": "7K2MQP4X0A1BCDEF", "7K2M–QP4X‑OAIB—CDEF": "7K2MQP4X0A1BCDEF",
		"７Ｋ２Ｍ−ＱＰ４Ｘ−０Ａ１Ｂ−ＣＤＥＦ": "7K2MQP4X0A1BCDEF", "7K2M_QP4X_0A1B_CDEF": "7K2MQP4X0A1BCDEF", "“7K2M-QP4X-0A1B-CDEF”.": "7K2MQP4X0A1BCDEF", "7K2M\u200b-QP4X-0A1B-CDEF": "7K2MQP4X0A1BCDEF",
		"my code is 7K2M-QP4X-0A1B-CDEF": "7K2MQP4X0A1BCDEF", "mi código es 7k2m qp4x 0a1b cdef, gracias": "7K2MQP4X0A1BCDEF",
		"7K2M-QP4X-0A1B": "", "7K2M-QP4X-0A1B-CDEU": "", "hello": "", "7K2M-QP4X-0A1B-CDEF 8K2M-QP4X-0A1B-CDEF": "",
	} {
		if got, ok := typed.Base32(text, 16, 16); ok != (want != "") || ok && got != want {
			t.Errorf("Base32(%q) = %q, %v; want %q", text, got, ok, want)
		}
	}
}

func TestNumbersAreFound(t *testing.T) {
	for text, want := range map[string][]string{
		"(201) 555-0123":                                              {"(201) 555-0123"},
		"tel:+1-201-555-0123":                                         {"+1-201-555-0123"},
		"704-296-3143 x12":                                            {"704-296-3143 x12"},
		"call 704-296-3143 ext. 12 please":                            {"704-296-3143 ext. 12"},
		"My number is (201) 555-0123":                                 {"(201) 555-0123"},
		"my number is (704) 555-0148 thanks":                          {"(704) 555-0148"},
		"cell: +1 (704) 555-0148, ok?":                                {"+1 (704) 555-0148"},
		"seven oh four five five five oh one four eight":              {"7 0 4 5 5 5 0 1 4 8"},
		"seven oh four, triple five, zero one forty eight":            {"7 0 4 555 0 1 48"},
		"plus one seven zero four five five five zero one four eight": {"+1 7 0 4 5 5 5 0 1 4 8"},
		"mi número es más uno siete cero cuatro cinco cinco cinco cero uno cuatro ocho": {"+1 7 0 4 5 5 5 0 1 4 8"},
		"setecientos cuatro quinientos cincuenta y cinco cero uno cuarenta y ocho":      {"704 555 0 1 48"},
		"doscientos uno, quinientos cincuenta y cinco, cero uno veintitrés":             {"201 555 0 1 23"},
		"eight hundred five five five one two three four":                               {"800 5 5 5 1 2 3 4"},
		"7045550148 or 7045550149":                          {"7045550148", "7045550149"},
		"7045550148 o 7045550149":                           {"7045550148", "7045550149"},
		"7045550148, again: 704-555-0148":                   {"7045550148"},
		"call me at home. 704 555 0148. Thanks. 10 minutes": {"704 555 0148"},
		"704-555-CALL":                                      nil,
		"I have an iphone 15":                               nil,
		"my mobile":                                         nil,
		"1":                                                 nil,
		"911":                                               {"911"},
		"Ann Lee, Room 12, Tel. 704-555-0148":               {"704-555-0148"},
	} {
		var got []string
		for _, f := range typed.Numbers(text) {
			got = append(got, f.Text)
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("Numbers(%q) = %q, want %q", text, got, want)
		}
	}
	for text, inside := range map[string]bool{"(201) 555-0123": false, "“201-555-0123”": false, "tel:2015550123": false, "201-555-0123 📱": false, "+12015550123;": false, "cell 2015550123": true} {
		if fs := typed.Numbers(text); len(fs) != 1 || fs[0].Inside != inside {
			t.Errorf("Numbers(%q) = %+v", text, fs)
		}
	}
}

func TestAddressesAreFound(t *testing.T) {
	cases := load[struct {
		Wanted     string
		Typed      []string
		Apostrophe struct{ Typed, Wanted string }
	}](t, "typed-addresses.json")
	one := func(text, want string) {
		t.Helper()
		if fs := typed.Addresses(text); len(fs) != 1 || fs[0].Text != want {
			t.Errorf("Addresses(%q) = %+v, want %q", text, fs, want)
		}
	}
	for _, text := range append(cases.Typed, "it's ada@example.net thanks!", "Ada Okafor <ada@example.net>", "mail: ada@example.net", "mailto:ada@example.net?subject=hi",
		"ada@example.net or ADA@example.net", "(ada@example.net)", "ada@example.net 🙏", "mi correo es ada@example.net.", "ada at example dot net",
		"my mail is ada at example dot net please", "ada arroba example punto net", "Mi correo es ada arroba example punto net", "ada@example。net") {
		if strings.HasPrefix(text, "my mail is ada at") || strings.HasPrefix(text, "Mi correo es ada arroba") {
			continue // below
		}
		one(text, cases.Wanted)
	}
	one(cases.Apostrophe.Typed, cases.Apostrophe.Wanted)
	one("my mail is ada at example dot net please", "ada@example.net")
	one("ada dot okafor at example dot co dot uk", "ada.okafor@example.co.uk")
	one("ada guion bajo okafor arroba example punto net", "ada_okafor@example.net")
	one("ada underscore o plus x at mail dash box dot net", "ada_o+x@mail-box.net")
	one("ada one two three at example dot net", "ada123@example.net")
	one("ann.lee at example dot net", "ann.lee@example.net")
	for _, text := range []string{"look at this", "meet me at the dot", "ann@", "@example.net", "ann@@example.net", "ann@example", "\"ann lee\"@example.net", "ann(comment)@example.net", "ann\n@example.net", "what is at the end"} {
		if fs := typed.Addresses(text); len(fs) != 0 {
			t.Errorf("Addresses(%q) = %+v", text, fs)
		}
	}
	if fs := typed.Addresses("ann@example.net, bob@example.net"); len(fs) != 2 {
		t.Errorf("two: %+v", fs)
	}
	for text, inside := range map[string]bool{"<ada@example.net>": false, "mailto:ada@example.net": false, "“ada@example.net”.": false, "Ada <ada@example.net>": true, "my mail is ada@example.net": true, "ada at example dot net": true} {
		if fs := typed.Addresses(text); len(fs) != 1 || fs[0].Inside != inside {
			t.Errorf("Addresses(%q) = %+v", text, fs)
		}
	}
}

func TestLoginsAreFound(t *testing.T) {
	for text, want := range map[string]string{
		"jdoe": "jdoe", " JDoe ": "JDoe", "jdoe.": "jdoe", "“jdoe”": "jdoe", "(jdoe)": "jdoe", "`jdoe`": "jdoe", "jdoe 🙂": "jdoe", "jdoe@example.org,": "jdoe@example.org",
		"jd\u00adoe": "jdoe", "ｊｄｏｅ": "jdoe", "o’hara": "o'hara",
		"CONTOSO\\jdoe": "jdoe+", "my user name is jdoe": "jdoe+", "My username is: jdoe, thanks": "jdoe+", "it's jdoe": "jdoe+", "it’s jdoe thank you": "jdoe+", "I'm jdoe": "jdoe+",
		"username: jdoe": "jdoe+", "login jdoe please": "jdoe+", "my login is CONTOSO\\jdoe": "jdoe+", "I sign in with jdoe@example.org": "jdoe@example.org+",
		"mi usuario es jdoe": "jdoe+", "mi nombre de usuario es jdoe, gracias": "jdoe+", "soy jdoe": "jdoe+", "es jdoe por favor": "jdoe+", "usuario jdoe": "jdoe+",
		"j dot doe at example dot org": "j.doe@example.org+",
		"what is a user name?":         "", "I forgot my username": "", "my username is not working": "", "my username is wrong": "", "ada okafor smith": "", "I do not know": "",
		"no sé mi usuario": "", "is it jdoe?": "", "a@x.org or b@x.org": "", "I am a teacher": "", "yo no tengo usuario": "", "my password is hunter2": "", "mi clave es abc123": "",
	} {
		f, ok := typed.Login(text)
		got := f.Text
		if f.Inside {
			got += "+"
		}
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("Login(%q) = %q, want %q", text, got, want)
		}
	}
}

// FuzzFind: whatever is typed, what is found stands in it in some spelling, and
// nothing panics.
func FuzzFind(f *testing.F) {
	for _, s := range []string{"my number is seven oh four, double five", "ann at example dot net", "+1 (704) 555-0148 x12", "CONTOSO\\ann", "doscientos uno", "\u0301 one two three", "mailto:a@b.c?x", "((+12345", "x#12"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, n := range typed.Numbers(s) {
			if !strings.ContainsAny(n.Text, "0123456789") || strings.ContainsAny(n.Text, "\r\n\x00") {
				t.Errorf("Numbers(%q) = %q", s, n.Text)
			}
		}
		for _, a := range typed.Addresses(s) {
			if strings.Count(a.Text, "@") != 1 || strings.ContainsAny(a.Text, " \r\n\x00<>\",;()") {
				t.Errorf("Addresses(%q) = %q", s, a.Text)
			}
		}
		if l, ok := typed.Login(s); ok && (l.Text == "" || strings.ContainsAny(l.Text, "\r\n\x00")) {
			t.Errorf("Login(%q) = %q", s, l.Text)
		}
		typed.Digits6(s)
		typed.Base32(s, 8, 16)
	})
}
