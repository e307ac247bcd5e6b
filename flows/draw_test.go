package flows_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"latchkey/flows"
)

func TestDrawnFlows(t *testing.T) {
	set := shipped(t)
	for _, f := range set.Flows() {
		var svg, text, again bytes.Buffer
		if err := flows.Draw(&svg, set, f.Name, "en", "svg"); err != nil {
			t.Fatal(err)
		}
		if err := flows.Draw(&again, set, f.Name, "en", "svg"); err != nil || again.String() != svg.String() {
			t.Errorf("%s: drawn twice, it differs (%v)", f.Name, err)
		}
		if err := flows.Draw(&text, set, f.Name, "es", "mermaid"); err != nil {
			t.Fatal(err)
		}
		if dir := os.Getenv("LATCHKEY_SHOW"); dir != "" { // to look at it
			if err := os.WriteFile(dir+"/flow-"+f.Name+".svg", svg.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(dir+"/flow-"+f.Name+".mmd", text.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		d := xml.NewDecoder(bytes.NewReader(svg.Bytes()))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: the picture is not XML: %v", f.Name, err)
			}
		}
		for _, s := range f.Order {
			want := s.ID
			if s.Kind == flows.End {
				want = s.EndName
			}
			if !strings.Contains(svg.String(), want+"</text>") {
				t.Errorf("%s: the picture lacks step %s", f.Name, s.ID)
			}
			if !strings.Contains(text.String(), want) {
				t.Errorf("%s: the Mermaid text lacks step %s", f.Name, s.ID)
			}
		}
		if strings.Contains(strings.ReplaceAll(svg.String(), "http://www.w3.org/2000/svg", ""), "http") {
			t.Errorf("%s: the picture has an address in it", f.Name)
		}
	}
	for _, bad := range [][3]string{{"phnoe", "en", "svg"}, {"phone", "xx", "svg"}, {"phone", "en", "png"}} {
		if err := flows.Draw(io.Discard, set, bad[0], bad[1], bad[2]); err == nil {
			t.Errorf("%v was drawn", bad)
		}
	}
}
