package verify

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"latchkey/bot/policy"
)

var rfcSeed = []byte("12345678901234567890")

// counterparty finds a program that judges us; without it the test is skipped,
// except in CI.
func counterparty(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is not installed", name)
		}
		t.Skipf("%s is not installed", name)
	}
	return path
}

// TestRFC6238 are the rows of RFC 6238, appendix B. Six digits are the last six
// of the eight there. 005924 shows that zeros in front are kept.
func TestRFC6238(t *testing.T) {
	r := &Service{Deps: Deps{Policy: policy.Default()}}
	for _, c := range []struct {
		unix                         int64
		sha1, six, sha256x8, sha512x string
	}{
		{59, "94287082", "287082", "46119246", "90693936"},
		{1111111109, "07081804", "081804", "68084774", "25091201"},
		{1111111111, "14050471", "050471", "67062674", "99943326"},
		{1234567890, "89005924", "005924", "91819424", "93441116"},
		{2000000000, "69279037", "279037", "90698825", "38618901"},
		{20000000000, "65353130", "353130", "77737706", "47863826"},
	} {
		step := r.step(time.Unix(c.unix, 0))
		if d, err := r.seek(rfcSeed, c.six, step, step, step); err != nil || !d.found || d.step != step {
			t.Errorf("seek %s at %d = %+v, %v", c.six, c.unix, d, err)
		}
		if d, _ := r.seek(rfcSeed, c.six, step, step+1, step+30); d.found {
			t.Errorf("%s of %d was found at step %d too", c.six, c.unix, d.step)
		}
		// The primitive that we build on, for the other rows of the table.
		for _, alg := range []struct {
			a    otp.Algorithm
			size int
			want string
		}{{otp.AlgorithmSHA1, 20, c.sha1}, {otp.AlgorithmSHA256, 32, c.sha256x8}, {otp.AlgorithmSHA512, 64, c.sha512x}} {
			seed := bytes.Repeat(rfcSeed, 4)[:alg.size]
			got, err := hotp.GenerateCodeCustom(key32.EncodeToString(seed), uint64(step), hotp.ValidateOpts{Digits: 8, Algorithm: alg.a})
			if err != nil || got != alg.want {
				t.Errorf("%v at %d = %s, %v; want %s", alg.a, c.unix, got, err, alg.want)
			}
		}
	}
}

// TestRFC4226 is appendix D of RFC 4226.
func TestRFC4226(t *testing.T) {
	r := &Service{Deps: Deps{Policy: policy.Default()}}
	for counter, want := range strings.Fields("755224 287082 359152 969429 338314 254676 287922 162583 399871 520489") {
		if d, err := r.seek(rfcSeed, want, 0, 0, 9); err != nil || d.step != int64(counter) || !d.found {
			t.Errorf("%s: %+v, %v; want counter %d", want, d, err, counter)
		}
	}
}

func TestSeekTakesTheNearestAndNoShortCode(t *testing.T) {
	r := &Service{Deps: Deps{Policy: policy.Default()}}
	for _, code := range []string{"", "28708", "2870822", "２８７０８２"} {
		if d, _ := r.seek(rfcSeed, code, 1, -5, 5); d.found {
			t.Errorf("%q was found", code)
		}
	}
	if d, _ := r.seek(rfcSeed, "287082", 1, -20, 21); d.step != 1 {
		t.Errorf("step %d", d.step)
	}
}

// TestOathtoolAgrees lets another implementation make the codes.
func TestOathtoolAgrees(t *testing.T) {
	oathtool := counterparty(t, "oathtool")
	r := &Service{Deps: Deps{Policy: policy.Default()}}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 12 {
		seed := make([]byte, 20)
		for i := range seed {
			seed[i] = byte(rng.Uint32())
		}
		at := time.Unix(rng.Int64N(4e9), 0).UTC()
		out, err := exec.Command(oathtool, "--totp", "-b", "--now", at.Format("2006-01-02 15:04:05 UTC"), key32.EncodeToString(seed)).Output()
		if err != nil {
			t.Fatal(err)
		}
		code, step := strings.TrimSpace(string(out)), r.step(at)
		if d, err := r.seek(seed, code, step, step, step); err != nil || !d.found {
			t.Errorf("seed %x at %s: oathtool says %s, we do not", seed, at, code)
		}
	}
}

func TestKeyURI(t *testing.T) {
	for _, c := range []struct{ issuer, account, want string }{
		{"Contoso", "ann@example.org", "otpauth://totp/Contoso:ann%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Contoso"},
		{"Contoso SSPR", "ann@example.org (2)", "otpauth://totp/Contoso%20SSPR:ann%40example.org%20%282%29?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Contoso%20SSPR"},
		{"A&B=C+D", "x", "otpauth://totp/A%26B%3DC%2BD:x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=A%26B%3DC%2BD"},
		{"a:b", "c:d", "otpauth://totp/a%20b:c%20d?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=a%20b"},
		{"Escuela Ñandú", "ánn", "otpauth://totp/Escuela%20%C3%91and%C3%BA:%C3%A1nn?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Escuela%20%C3%91and%C3%BA"},
	} {
		got := string(KeyURI(c.issuer, c.account, rfcSeed))
		if got != c.want {
			t.Errorf("KeyURI(%q, %q) = %s\nwant %s", c.issuer, c.account, got, c.want)
		}
		u, err := url.Parse(got)
		if err != nil {
			t.Fatal(err)
		}
		if i := strings.ReplaceAll(c.issuer, ":", " "); u.Query().Get("issuer") != i || !strings.HasPrefix(u.Path, "/"+i+":") {
			t.Errorf("%s reads back as issuer %q, path %q", got, u.Query().Get("issuer"), u.Path)
		}
		key, err := otp.NewKeyFromURL(got)
		if err != nil || key.Secret() != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" || key.Period() != 30 || key.Digits() != 6 || key.Algorithm() != otp.AlgorithmSHA1 {
			t.Errorf("another reader takes %s for %v, %v", got, key, err)
		}
	}
	if got := string(KeyText(rfcSeed)); got != "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ" {
		t.Errorf("KeyText = %q", got)
	}
}

// zbar decodes a picture with an independent reader.
func zbar(t *testing.T, picture []byte) string {
	t.Helper()
	zbarimg := counterparty(t, "zbarimg")
	file := filepath.Join(t.TempDir(), "qr.png")
	if err := os.WriteFile(file, picture, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(zbarimg, "-q", "--raw", "--nodbus", file).Output()
	if err != nil {
		t.Fatalf("zbarimg: %v", err)
	}
	return strings.TrimSuffix(string(out), "\n")
}

func TestQRPicture(t *testing.T) {
	uri := KeyURI("Contoso SSPR", "ann.lee@schools.example.org", rfcSeed)
	pic, err := QRPicture(uri)
	if err != nil {
		t.Fatal(err)
	}
	// Bit depth and colour type stand in the header: PNG specification, 11.2.2.
	if depth, kind := pic[24], pic[25]; depth != 1 || kind != 3 {
		t.Errorf("depth %d, colour type %d; want 1 bit, palette", depth, kind)
	}
	if len(pic) > 4096 {
		t.Errorf("picture has %d bytes", len(pic))
	}
	img, err := png.Decode(bytes.NewReader(pic))
	if err != nil {
		t.Fatal(err)
	}
	side := img.Bounds().Dx()
	if side != img.Bounds().Dy() || side%modulePixels != 0 || side < 250 || side > 420 {
		t.Errorf("picture is %v", img.Bounds())
	}
	white := func(x, y int) bool { g, _, _, _ := img.At(x, y).RGBA(); return g == 0xffff }
	for i := range side {
		for _, at := range [][2]int{{i, 4*modulePixels - 1}, {4*modulePixels - 1, i}, {i, side - 4*modulePixels}, {side - 4*modulePixels, i}} {
			if !white(at[0], at[1]) {
				t.Fatalf("quiet zone is not white at %v", at)
			}
		}
	}
	if white(4*modulePixels, 4*modulePixels) {
		t.Error("the quiet zone is wider than four modules")
	}
	for _, issuer := range []string{"Contoso SSPR", "Escuela Ñandú 学校", "A&B+C"} {
		uri := KeyURI(issuer, "ann.lee@schools.example.org", rfcSeed)
		pic, err := QRPicture(uri)
		if err != nil {
			t.Fatal(err)
		}
		if got := zbar(t, pic); got != string(uri) {
			t.Errorf("zbarimg reads %q, want %q", got, string(uri))
		}
	}
}

// TestQRRows paints the half blocks and lets zbarimg read them.
func TestQRRows(t *testing.T) {
	uri := KeyURI("Contoso SSPR", "ann.lee@schools.example.org", rfcSeed)
	rows, err := QRRows(uri)
	if err != nil {
		t.Fatal(err)
	}
	width := len([]rune(rows[0]))
	if width > 60 || len(rows) != (width+1)/2 {
		t.Errorf("%d columns, %d rows", width, len(rows))
	}
	const px = 4
	img := image.NewPaletted(image.Rect(0, 0, width*px, len(rows)*2*px), color.Palette{color.White, color.Black})
	for y, row := range rows {
		line := []rune(row)
		if len(line) != width {
			t.Fatalf("row %d has %d columns, the first has %d", y, len(line), width)
		}
		for x, c := range line {
			if !strings.ContainsRune(" ▀▄█", c) {
				t.Fatalf("row %d has %q", y, c)
			}
			for i := range px * px {
				if c == '▀' || c == '█' {
					img.SetColorIndex(x*px+i%px, y*2*px+i/px, 1)
				}
				if c == '▄' || c == '█' {
					img.SetColorIndex(x*px+i%px, (y*2+1)*px+i/px, 1)
				}
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	if got := zbar(t, b.Bytes()); got != string(uri) {
		t.Errorf("zbarimg reads %q", got)
	}
}

func TestDrawIsEven(t *testing.T) {
	r := &Service{Deps: Deps{Policy: policy.Default()}}
	var seen [6][10]int
	const n = 20000
	for range n {
		code, err := r.draw()
		if err != nil || len(code) != 6 {
			t.Fatal(code, err)
		}
		for i, c := range code {
			seen[i][c-'0']++
		}
	}
	for i := range seen {
		for d, got := range seen[i] { // 2000 ± 7 standard deviations
			if got < 1700 || got > 2300 {
				t.Errorf("digit %d stands %d times of %d at place %d", d, got, n, i)
			}
		}
	}
}

func BenchmarkSeekSkew(b *testing.B) {
	r := &Service{Deps: Deps{Policy: policy.Default()}}
	for b.Loop() {
		if _, err := r.seek(rfcSeed, "000000", 1000, 980, 1020); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReveal(b *testing.B) {
	uri := KeyURI("Contoso SSPR", "ann.lee@schools.example.org", rfcSeed)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := QRPicture(uri); err != nil {
			b.Fatal(err)
		}
		if _, err := QRRows(uri); err != nil {
			b.Fatal(err)
		}
	}
}
