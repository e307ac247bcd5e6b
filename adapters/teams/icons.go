package teams

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
)

// drawIcons draws the two pictures of the app package: a key, in colour (192
// by 192) and white on nothing (32 by 32), as Teams wants them.
func drawIcons() (colored, outline []byte, err error) {
	blue, white := color.NRGBA{0x1f, 0x4e, 0x79, 0xff}, color.NRGBA{0xff, 0xff, 0xff, 0xff}
	if colored, err = drawKey(192, blue, white); err != nil {
		return nil, nil, err
	}
	outline, err = drawKey(32, color.NRGBA{}, white)
	return colored, outline, err
}

// drawKey draws a key on a ground, in a square of n pixels.
func drawKey(n int, ground, ink color.NRGBA) ([]byte, error) {
	const fine = 4 // samples along each side of a pixel
	img := image.NewNRGBA(image.Rect(0, 0, n, n))
	for y := range n {
		for x := range n {
			hits := 0
			for i := range fine * fine {
				px := (float64(x) + (float64(i%fine)+0.5)/fine) / float64(n)
				py := (float64(y) + (float64(i/fine)+0.5)/fine) / float64(n)
				if inKey(px, py) {
					hits++
				}
			}
			img.SetNRGBA(x, y, mix(ground, ink, float64(hits)/(fine*fine)))
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// inKey reports whether a point of the unit square is on the key: a ring on the
// left, a shaft to the right, two teeth below it.
func inKey(x, y float64) bool {
	r := math.Hypot(x-0.32, y-0.5)
	switch {
	case r <= 0.19 && r >= 0.095:
		return true
	case x >= 0.49 && x <= 0.88 && y >= 0.455 && y <= 0.545:
		return true
	case x >= 0.80 && x <= 0.88 && y >= 0.5 && y <= 0.68:
		return true
	}
	return x >= 0.66 && x <= 0.73 && y >= 0.5 && y <= 0.63
}

// mix lays ink over a ground that may be transparent.
func mix(ground, ink color.NRGBA, part float64) color.NRGBA {
	if ground.A == 0 {
		ink.A = uint8(math.Round(255 * part))
		if ink.A == 0 {
			return color.NRGBA{}
		}
		return ink
	}
	m := func(g, i uint8) uint8 { return uint8(math.Round(float64(g)*(1-part) + float64(i)*part)) }
	return color.NRGBA{m(ground.R, ink.R), m(ground.G, ink.G), m(ground.B, ink.B), 0xff}
}
