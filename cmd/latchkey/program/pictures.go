package program

import (
	"bytes"
	"sync"

	"latchkey/flows/raster"
)

// picture gives a picture of the scripts by name.
func (p *Program) picture(name string) (svg []byte, ok bool) {
	svg = p.Scripts.Set().Picture(name)
	return svg, svg != nil
}

// pictureWidth is the width of a drawn picture in pixels: twice what is shown,
// for sharp screens.
const pictureWidth = 480

// drawings gives the pictures of the scripts as PNG, for platforms that show no
// SVG. Each is drawn once, and again when the scripts have changed.
func (p *Program) drawings() func(name string) (png []byte, ok bool) {
	type drawn struct {
		svg, png []byte
	}
	var mu sync.Mutex
	have := map[string]drawn{}
	return func(name string) ([]byte, bool) {
		svg, ok := p.picture(name)
		if !ok {
			return nil, false
		}
		mu.Lock()
		defer mu.Unlock()
		d, ok := have[name]
		if !ok || !bytes.Equal(d.svg, svg) {
			png, err := raster.PNG(svg, pictureWidth)
			if err != nil {
				p.Log.Warn("a picture is told in words where no SVG is shown", "picture", name, "err", err)
			}
			d = drawn{svg, png}
			have[name] = d
		}
		return d.png, d.png != nil
	}
}
