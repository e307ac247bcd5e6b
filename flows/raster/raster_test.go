package raster_test

import (
	"bytes"
	"image/png"
	"io/fs"
	"testing"

	"latchkey/flows/library"
	"latchkey/flows/raster"
)

// TestShippedPictures: each one can be drawn, is not blank, and is small enough
// for a Teams card.
func TestShippedPictures(t *testing.T) {
	files, err := fs.Glob(library.FS, "pictures/*.svg")
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		svg, err := fs.ReadFile(library.FS, f)
		if err != nil {
			t.Fatal(err)
		}
		b, err := raster.PNG(svg, 480)
		if err != nil {
			t.Errorf("%s: %v", f, err)
			continue
		}
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		dark := 0
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				if r, g, _, _ := img.At(x, y).RGBA(); r < 0x6000 && g < 0x6000 {
					dark++
				}
			}
		}
		if img.Bounds().Dx() != 480 || dark < 500 {
			t.Errorf("%s: %v with %d dark pixels", f, img.Bounds(), dark)
		}
		if len(b) > 10<<10 {
			t.Errorf("%s has %d bytes", f, len(b))
		}
	}
}

func TestBrokenDrawings(t *testing.T) {
	for _, svg := range []string{"", "no", "<svg", "<svg/>", `<svg viewBox="0 0 0 0"/>`, `<svg viewBox="0 0 1 9999"/>`,
		`<svg viewBox="0 0 24 24"><path d="M 0 zz"/></svg>`, `<svg viewBox="a b c d"/>`} {
		if b, err := raster.PNG([]byte(svg), 480); err == nil || b != nil {
			t.Errorf("%q is drawn: %d bytes", svg, len(b))
		}
	}
	good := []byte(`<svg viewBox="0 0 24 24"><path d="M0 0h24"/></svg>`)
	for _, w := range []int{-1, 0, 1 << 20} {
		if _, err := raster.PNG(good, w); err == nil {
			t.Errorf("%d pixels wide", w)
		}
	}
}
