package verify

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"

	"github.com/skip2/go-qrcode"

	"latchkey/bot"
)

// modulePixels is the side of a module in the picture. 6 makes a symbol of 45
// modules with its quiet zone 318 pixels wide: large enough for a phone that
// is held before a screen, small enough for a chat.
const modulePixels = 6

// mostModules is the width of a symbol, quiet zone included, that is still read
// from a screen; see maxURI.
const mostModules = 61

// QRPicture draws text as a QR code: level M, or L where M would make it wider
// than mostModules; quiet zone of four modules, one bit per pixel, PNG.
func QRPicture(text bot.Secret) ([]byte, error) {
	m, err := modules(text, qrcode.Medium)
	if err == nil && len(m) > mostModules {
		m, err = modules(text, qrcode.Low)
	}
	if err != nil {
		return nil, err
	}
	side := len(m) * modulePixels
	img := image.NewPaletted(image.Rect(0, 0, side, side), color.Palette{color.White, color.Black})
	for y, row := range m {
		line := img.Pix[y*modulePixels*img.Stride:][:side]
		for x, dark := range row {
			if !dark {
				continue
			}
			for i := range modulePixels {
				line[x*modulePixels+i] = 1
			}
		}
		for i := 1; i < modulePixels; i++ {
			copy(img.Pix[(y*modulePixels+i)*img.Stride:], line)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, fmt.Errorf("verify: draw QR code: %w", err)
	}
	return b.Bytes(), nil
}

// QRRows draws text as a QR code of level L in half-block characters: each
// character is one module wide and two high, a filled half is a dark module.
// The quiet zone is included; show it black on white.
func QRRows(text bot.Secret) ([]string, error) {
	m, err := modules(text, qrcode.Low)
	if err != nil {
		return nil, err
	}
	rows := make([]string, 0, (len(m)+1)/2)
	for y := 0; y < len(m); y += 2 {
		var b strings.Builder
		for x := range m[y] {
			upper, lower := m[y][x], y+1 < len(m) && m[y+1][x]
			switch {
			case upper && lower:
				b.WriteRune('█')
			case upper:
				b.WriteRune('▀')
			case lower:
				b.WriteRune('▄')
			default:
				b.WriteRune(' ')
			}
		}
		rows = append(rows, b.String())
	}
	return rows, nil
}

// modules gives the symbol with its quiet zone of four modules; true is dark.
func modules(text bot.Secret, level qrcode.RecoveryLevel) ([][]bool, error) {
	q, err := qrcode.New(string(text), level)
	if err != nil {
		return nil, fmt.Errorf("verify: QR code of %d bytes: %w", len(text), err)
	}
	return q.Bitmap(), nil
}
