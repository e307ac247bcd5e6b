// Package raster makes PNG pictures of the scripts' drawings, for platforms
// that show no SVG.
//
// It is in charge of that alone. It must not be given a drawing that package
// flows has not looked at: that refuses programs, addresses and words.
package raster

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"slices"

	"github.com/fyne-io/oksvg"
	"github.com/srwiley/rasterx"
)

// maxSide is the largest side of a picture in pixels; Teams takes 1024.
const maxSide = 1024

// colours is how many colours a picture keeps. The drawings have a handful, and
// their softened edges some more; a palette makes the file a third as large.
const colours = 64

// PNG draws an SVG on white, width pixels wide. The error is for whoever made
// the drawing.
func PNG(svg []byte, width int) (out []byte, err error) {
	defer func() { // the parser is not made for broken drawings
		if v := recover(); v != nil {
			out, err = nil, fmt.Errorf("raster: the drawing cannot be drawn: %v", v)
		}
	}()
	icon, err := oksvg.ReadIconStream(bytes.NewReader(svg), oksvg.StrictErrorMode)
	if err != nil {
		return nil, fmt.Errorf("raster: %w", err)
	}
	box := icon.ViewBox
	if box.W <= 0 || box.H <= 0 {
		return nil, errors.New("raster: the drawing has no viewBox")
	}
	height := int(float64(width)*box.H/box.W + 0.5)
	if width < 1 || height < 1 || width > maxSide || height > maxSide {
		return nil, fmt.Errorf("raster: %d by %d pixels; at most %d by %[3]d", width, height, maxSide)
	}
	icon.SetTarget(0, 0, float64(width), float64(height))
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	icon.Draw(rasterx.NewDasher(width, height, rasterx.NewScannerGV(width, height, img, img.Bounds())), 1)
	small := image.NewPaletted(img.Bounds(), frequent(img))
	draw.Draw(small, small.Bounds(), img, image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, small); err != nil {
		return nil, fmt.Errorf("raster: %w", err)
	}
	return b.Bytes(), nil
}

// frequent lists the colours that are used most.
func frequent(img *image.RGBA) color.Palette {
	count := map[color.RGBA]int{}
	for i := 0; i+3 < len(img.Pix); i += 4 {
		count[color.RGBA{img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3]}]++
	}
	all := make([]color.RGBA, 0, len(count))
	for c := range count {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b color.RGBA) int {
		return cmp.Or(count[b]-count[a], cmp.Compare(uint32(a.R)<<16|uint32(a.G)<<8|uint32(a.B), uint32(b.R)<<16|uint32(b.G)<<8|uint32(b.B)))
	})
	p := make(color.Palette, 0, colours)
	for _, c := range all[:min(colours, len(all))] {
		p = append(p, c)
	}
	return p
}
