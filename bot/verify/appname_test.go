package verify

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAppName(t *testing.T) {
	for name, want := range map[string]string{
		"Contoso":                       "Contoso",
		"A:B  C":                        "A B C",
		"Escuela Ñandú":                 "Escuela Ñandú",
		"Charlotte-Mecklenburg Schools": "Charlotte-Mecklenburg Schools",
		"Springfield Unified School District Number 186 of the State of Illinois": "Springfield Unified School District Number 186",
		"Κεντρική Διεύθυνση Πρωτοβάθμιας και Δευτεροβάθμιας Εκπαίδευσης Αττικής":  "Κεντρική",
		"Школа № 57 города Москвы":                                                "Школа № 57",
		"Schools of the City and the Surrounding Counties, incorporated":          "Schools of the City and the Surrounding",
		strings.Repeat("Ж", 120):       "ЖЖЖЖЖЖЖЖЖ",
		strings.Repeat("学", 120):       "学学学学学学",
		strings.Repeat("x", 120):       strings.Repeat("x", MaxAppName),
		strings.Repeat("e\u0301", 120): strings.Repeat("e\u0301", 8),
		"":                             "",
	} {
		got := AppName(name)
		if got != want {
			t.Errorf("AppName(%q) = %q, want %q", name, got, want)
		}
		if len(escape(got)) > MaxAppName || AppName(got) != got || !utf8.ValidString(got) {
			t.Errorf("AppName(%q) = %q: %d bytes", name, got, len(escape(got)))
		}
	}
}

// TestQRIsReadAsPeopleSeeIt: whatever the organisation and the account are
// called, the symbol is small enough for the web chat's 216 pixels and a
// terminal of 80 columns, and an independent reader reads both.
func TestQRIsReadAsPeopleSeeIt(t *testing.T) {
	var cases struct{ Names []string }
	data, err := os.ReadFile("testdata/qr-org-names.json")
	if err == nil {
		err = json.Unmarshal(data, &cases)
	}
	if err != nil {
		t.Fatal(err)
	}
	names := append(cases.Names, strings.Repeat("x", 120), strings.Repeat("ا", 120), strings.Repeat("한국 ", 40), strings.Repeat("🏫", 40), "Contoso")
	accounts := []string{"ann.lee@schools.example.org", strings.Repeat("a", 64) + "@" + strings.Repeat("very-long-name.", 12) + "example.org", strings.Repeat("學", 60),
		"александра.константинопольская@средняя-школа.рф"}
	for _, name := range names {
		for _, account := range accounts {
			uri := KeyURI(name, account, rfcSeed)
			if len(uri) > maxURI {
				t.Errorf("%d bytes for %q and %q", len(uri), name, account)
			}
			pic, err := QRPicture(uri)
			if err != nil {
				t.Fatal(err)
			}
			img, err := png.Decode(bytes.NewReader(pic))
			if err != nil {
				t.Fatal(err)
			}
			if wide := img.Bounds().Dx() / modulePixels; wide > mostModules {
				t.Errorf("%d modules for %q and %q", wide, name, account)
			}
			if got := zbar(t, scaled(t, img, 216)); got != string(uri) {
				t.Errorf("%q, %q: zbarimg reads %q", name, account, got)
			}
			rows, err := QRRows(uri)
			if err != nil {
				t.Fatal(err)
			}
			if wide := utf8.RuneCountInString(rows[0]); wide > 80 {
				t.Errorf("%d columns for %q and %q", wide, name, account)
			}
		}
	}
	// Two people with long names in one organisation have two entries.
	a, b := KeyURI(cases.Names[0], "ann.lee@very-long-name-of-a-school.example.org", rfcSeed), KeyURI(cases.Names[0], "bob.lee@very-long-name-of-a-school.example.org", rfcSeed)
	if a == b {
		t.Error("two accounts have one address")
	}
}

// scaled is a picture as a browser shows it at a width, each pixel the nearest
// of the picture, on a white page.
func scaled(t *testing.T, img image.Image, width int) []byte {
	t.Helper()
	const page = 20
	out := image.NewGray(image.Rect(0, 0, width+2*page, width+2*page))
	for i := range out.Pix {
		out.Pix[i] = 0xff
	}
	side := img.Bounds().Dx()
	for y := range width {
		for x := range width {
			out.Set(page+x, page+y, color.GrayModel.Convert(img.At(x*side/width, y*side/width)))
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, out); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
