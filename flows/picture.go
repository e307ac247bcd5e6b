package flows

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxPicture is the size of a step's picture in bytes; it goes with messages.
const maxPicture = 16 << 10

// drawing reports what is wrong with an SVG picture, or nothing. A picture is
// a plain drawing: no program, no address, and no words, which would need a
// translation.
func drawing(data []byte) string {
	if len(data) > maxPicture {
		return fmt.Sprintf("the picture has %d bytes; at most %d, please", len(data), maxPicture)
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	first := true
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Sprintf("not a valid SVG: %v", err)
		}
		el, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		name := el.Name.Local
		if first {
			if name != "svg" {
				return fmt.Sprintf("not an SVG: it begins with <%s>", name)
			}
			if attr(el, "viewBox") == "" {
				return "the picture has no viewBox, so it cannot be scaled"
			}
			first = false
		}
		switch name {
		case "script", "foreignObject", "image", "use", "style", "a", "animate", "set", "iframe":
			return fmt.Sprintf("the picture has <%s>; only shapes are allowed", name)
		case "text", "tspan":
			return "the picture has words in it, which nobody translates; say them in alt"
		}
		for _, at := range el.Attr {
			if at.Name.Space == "xmlns" || at.Name.Local == "xmlns" {
				continue
			}
			if strings.HasPrefix(strings.ToLower(at.Name.Local), "on") || strings.Contains(at.Value, "://") || strings.Contains(at.Value, "url(") || at.Name.Local == "href" {
				return fmt.Sprintf("the picture has %s=%q; only shapes are allowed, without programs and addresses", at.Name.Local, at.Value)
			}
		}
	}
	if first {
		return "the picture is empty"
	}
	return ""
}

func attr(el xml.StartElement, name string) string {
	for _, a := range el.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
