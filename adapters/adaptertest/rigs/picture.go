package rigs

import (
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ReadQR reads a picture file as a camera would.
func ReadQR(t testing.TB, file string) string {
	t.Helper()
	return Run(t, Tool(t, "", "zbarimg"), "--quiet", "--raw", "--nodbus", file)
}

// SeeQR is the text of the square picture that a file shows, or empty.
func SeeQR(t testing.TB, file string) string {
	t.Helper()
	out, err := exec.Command(Tool(t, "", "zbarimg"), "--quiet", "--raw", "--nodbus", file).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// DrawHalfBlocks makes a picture file of rows of half-block characters, which
// are two modules high, with six pixels for a module.
func DrawHalfBlocks(t testing.TB, rows []string) (file string) {
	t.Helper()
	if len(rows) == 0 {
		t.Fatal("no picture of half blocks")
	}
	const px = 6
	img := image.NewGray(image.Rect(0, 0, len([]rune(rows[0]))*px, len(rows)*2*px))
	ink := map[bool]color.Gray{true: {Y: 0}, false: {Y: 255}}
	for y, row := range rows {
		for x, c := range []rune(row) {
			for half, dark := range []bool{c == '█' || c == '▀', c == '█' || c == '▄'} {
				for i := range px * px {
					img.SetGray(x*px+i%px, (2*y+half)*px+i/px, ink[dark])
				}
			}
		}
	}
	file = filepath.Join(t.TempDir(), "screen.png")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, img), f.Close()); err != nil {
		t.Fatal(err)
	}
	return file
}
