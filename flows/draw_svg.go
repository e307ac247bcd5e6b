package flows

import (
	"fmt"
	"html"
	"math"
	"sort"
	"strings"
	"unicode/utf8"
)

// The picture is laid out in layers (Sugiyama, Tagawa and Toda 1981): each
// step stands below those that lead to it, long ways get a place in every
// layer they cross, and the places of a layer are ordered by the middle of
// their neighbours. Ways that lead back are written into the step instead of
// drawn ("↑ P2: Change the number"): every second way of a conversation leads
// back, and drawn they hide the others.

const (
	boxWidth  = 226.0
	lineHigh  = 15.0
	gapX      = 26.0
	gapY      = 74.0
	passWidth = 18.0 // of a long way in a layer it crosses
	margin    = 24.0
)

// place is a node, or a long way on its way through a layer.
type place struct {
	node     int // -1: passing
	layer    int
	x, y     float64 // centre
	w, h     float64
	up, down []*place
	rank     float64
}

func drawSVG(title, lang string, nodes []node, arrows []arrow) string {
	nodes, arrows = written(nodes, arrows)
	layer := layers(len(nodes), arrows)
	rows := make([][]*place, 0)
	put := func(p *place) *place {
		for len(rows) <= p.layer {
			rows = append(rows, nil)
		}
		rows[p.layer] = append(rows[p.layer], p)
		return p
	}
	places := make([]*place, len(nodes))
	for i := range nodes {
		places[i] = put(&place{node: i, layer: layer[i], w: boxWidth, h: 16 + lineHigh*float64(len(nodes[i].lines))})
	}
	paths := make([][]*place, len(arrows)) // from top to bottom
	for i, a := range arrows {
		from, to := places[a.from], places[a.to]
		path := []*place{from}
		for l := from.layer + 1; l < to.layer; l++ {
			path = append(path, put(&place{node: -1, layer: l, w: passWidth}))
		}
		path = append(path, to)
		for j := 1; j < len(path); j++ {
			path[j-1].down = append(path[j-1].down, path[j])
			path[j].up = append(path[j].up, path[j-1])
		}
		paths[i] = path
	}
	arrange(rows)
	width, height := coordinates(rows)

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" lang="%s" role="img" aria-label="%s" font-family="Helvetica, Arial, 'Liberation Sans', sans-serif" font-size="11.5">`+"\n",
		width, height, width, height, lang, html.EscapeString(title))
	fmt.Fprintf(&b, `<title>%s</title>`+"\n", html.EscapeString(title))
	b.WriteString(`<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="#4b5563"/></marker></defs>` + "\n")
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text x="%.0f" y="%.0f" font-size="19" font-weight="700" fill="#111827">%s</text>`+"\n", margin, margin+12, html.EscapeString(title))
	var texts strings.Builder
	var taken []rect
	for i, a := range arrows {
		drawArrow(&b, &texts, paths[i], a, &taken)
	}
	for i := range nodes {
		drawBox(&b, places[i], &nodes[i])
	}
	b.WriteString(texts.String())
	b.WriteString("</svg>\n")
	return b.String()
}

// written takes the arrows that lead back out and writes them into their node.
func written(nodes []node, arrows []arrow) ([]node, []arrow) {
	back := turned(len(nodes), arrows)
	nodes = append([]node(nil), nodes...)
	var kept []arrow
	labels := map[[2]int][]string{}
	var order [][2]int
	for i, a := range arrows {
		if !back[i] {
			kept = append(kept, a)
			continue
		}
		k := [2]int{a.from, a.to}
		if _, ok := labels[k]; !ok {
			order = append(order, k)
		}
		labels[k] = append(labels[k], a.label)
	}
	for _, k := range order {
		to := nodes[k[1]].step
		name := to.Ref
		if name == "" {
			name = to.ID
		}
		line := "↑ " + name
		if l := strings.Trim(strings.Join(labels[k], ", "), ", "); l != "" {
			line += ": " + l
		}
		n := &nodes[k[0]]
		n.lines = append(append([]string(nil), n.lines...), wrap(line, 34, 1)...)
	}
	return nodes, kept
}

// turned says which arrows lead back, seen from the start.
func turned(n int, arrows []arrow) []bool {
	back := make([]bool, len(arrows))
	out := make([][]int, n)
	for i, a := range arrows {
		out[a.from] = append(out[a.from], i)
	}
	state := make([]int, n)
	var visit func(int)
	visit = func(v int) {
		state[v] = 1
		for _, i := range out[v] {
			switch to := arrows[i].to; state[to] {
			case 0:
				visit(to)
			case 1:
				back[i] = true
			}
		}
		state[v] = 2
	}
	for v := range n {
		if state[v] == 0 {
			visit(v)
		}
	}
	return back
}

// layers gives each node its layer: the longest way from the start. No arrow
// leads back here.
func layers(n int, arrows []arrow) []int {
	layer := make([]int, n)
	for range n {
		moved := false
		for _, a := range arrows {
			if layer[a.to] <= layer[a.from] {
				layer[a.to] = layer[a.from] + 1
				moved = true
			}
		}
		if !moved {
			break
		}
	}
	return layer
}

// arrange orders the places of each layer so that few ways cross.
func arrange(rows [][]*place) {
	number := func(row []*place) {
		for i, p := range row {
			p.x = float64(i)
		}
	}
	for _, row := range rows {
		number(row)
	}
	best, fewest := snapshot(rows), crossings(rows)
	for sweep := range 24 {
		down := sweep%2 == 0
		for k := range rows {
			row := rows[k]
			if !down {
				row = rows[len(rows)-1-k]
			}
			for _, p := range row {
				next := p.up
				if !down {
					next = p.down
				}
				p.rank = p.x
				if len(next) > 0 {
					sum := 0.0
					for _, q := range next {
						sum += q.x
					}
					p.rank = sum / float64(len(next))
				}
			}
			sort.SliceStable(row, func(i, j int) bool { return row[i].rank < row[j].rank })
			number(row)
		}
		if c := crossings(rows); c < fewest {
			best, fewest = snapshot(rows), c
		}
	}
	for k := range rows {
		copy(rows[k], best[k])
		number(rows[k])
	}
}

func snapshot(rows [][]*place) [][]*place {
	out := make([][]*place, len(rows))
	for i := range rows {
		out[i] = append([]*place(nil), rows[i]...)
	}
	return out
}

func crossings(rows [][]*place) int {
	n := 0
	for _, row := range rows {
		for i, a := range row {
			for _, b := range row[i+1:] {
				for _, x := range a.down {
					for _, y := range b.down {
						if x.x > y.x {
							n++
						}
					}
				}
			}
		}
	}
	return n
}

// coordinates gives every place its middle, near the middle of its neighbours.
func coordinates(rows [][]*place) (width, height float64) {
	for _, row := range rows {
		x := 0.0
		for _, p := range row {
			p.x = x + p.w/2
			x += p.w + gapX
		}
	}
	for pass := range 60 {
		for k := range rows {
			row := rows[k]
			if pass%2 == 1 {
				row = rows[len(rows)-1-k]
			}
			for _, p := range row {
				sum, weight := 0.0, 0.0
				for _, side := range [][]*place{p.up, p.down} {
					for _, q := range side {
						w := 1.0
						if p.node < 0 && q.node < 0 { // keep long ways straight
							w = 6
						}
						sum, weight = sum+q.x*w, weight+w
					}
				}
				p.rank = p.x
				if weight > 0 {
					p.rank = sum / weight
				}
			}
			settleRow(row)
		}
	}
	left := math.Inf(1)
	for _, row := range rows {
		for _, p := range row {
			left = min(left, p.x-p.w/2)
		}
	}
	y := margin + 40.0
	for _, row := range rows {
		high := 0.0
		for _, p := range row {
			high = max(high, p.h)
		}
		for _, p := range row {
			p.x += margin - left
			p.y = y + high/2
			width = max(width, p.x+p.w/2+margin)
		}
		y += high + gapY
	}
	return width, y - gapY + margin
}

// settleRow moves the places of a row to where they want to be, in their order
// and with their distance: neighbours that push each other share the way.
func settleRow(row []*place) {
	type group struct {
		from, to  int
		want, sum float64
	}
	var groups []group
	offset := make([]float64, len(row))
	for i := range row {
		if i > 0 {
			offset[i] = offset[i-1] + row[i-1].w/2 + gapX + row[i].w/2
		}
		groups = append(groups, group{i, i, row[i].rank - offset[i], row[i].rank - offset[i]})
		for len(groups) > 1 && groups[len(groups)-2].want > groups[len(groups)-1].want {
			a, b := groups[len(groups)-2], groups[len(groups)-1]
			groups = groups[:len(groups)-1]
			g := &groups[len(groups)-1]
			g.to, g.sum = b.to, a.sum+b.sum
			g.want = g.sum / float64(g.to-g.from+1)
		}
	}
	for _, g := range groups {
		for i := g.from; i <= g.to; i++ {
			row[i].x = g.want + offset[i]
		}
	}
}

// rect is where a label stands.
type rect struct{ x, y, w, h float64 }

func drawArrow(b, texts *strings.Builder, path []*place, a arrow, taken *[]rect) {
	type point struct{ x, y float64 }
	spread := func(p *place, next []*place, other *place) float64 {
		if p.node < 0 || len(next) < 2 {
			return p.x
		}
		order := append([]*place(nil), next...)
		sort.SliceStable(order, func(i, j int) bool { return order[i].x < order[j].x })
		for i, q := range order {
			if q == other {
				return p.x + (float64(i)-float64(len(order)-1)/2)*min(26, (p.w-40)/float64(len(order)-1))
			}
		}
		return p.x
	}
	var pts []point
	first, last := path[0], path[len(path)-1]
	pts = append(pts, point{spread(first, first.down, path[1]), first.y + first.h/2})
	for _, p := range path[1 : len(path)-1] {
		pts = append(pts, point{p.x, p.y})
	}
	pts = append(pts, point{spread(last, last.up, path[len(path)-2]), last.y - last.h/2})
	var d strings.Builder
	fmt.Fprintf(&d, "M%.1f %.1f", pts[0].x, pts[0].y)
	for i := 1; i < len(pts); i++ {
		p, q := pts[i-1], pts[i]
		mid := (p.y + q.y) / 2
		fmt.Fprintf(&d, "C%.1f %.1f %.1f %.1f %.1f %.1f", p.x, mid, q.x, mid, q.x, q.y)
	}
	style := ""
	if a.dashed {
		style = ` stroke-dasharray="5 4"`
	}
	fmt.Fprintf(b, `<path d="%s" fill="none" stroke="#6b7280" stroke-width="1.3"%s marker-end="url(#tip)"/>`+"\n", d.String(), style)
	if a.label == "" {
		return
	}
	at := pts[0] // below the step that it leaves
	lines := wrap(a.label, 26, 2)
	wide := 0
	for _, l := range lines {
		wide = max(wide, utf8.RuneCountInString(l))
	}
	w, h := float64(wide)*5.4+6, float64(len(lines))*12+1
	r := rect{at.x - w/2, at.y + 7, w, h}
	for again := true; again && r.y < at.y+gapY-h; { // below each other where they would lie on each other
		again = false
		for _, o := range *taken {
			if r.x < o.x+o.w && o.x < r.x+r.w && r.y < o.y+o.h && o.y < r.y+r.h {
				r.y, again = o.y+o.h, true
			}
		}
	}
	*taken = append(*taken, r)
	top := r.y
	fmt.Fprintf(texts, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2" fill="#fff" fill-opacity=".88"/>`, r.x, r.y, r.w, r.h)
	for i, l := range lines {
		fmt.Fprintf(texts, `<text x="%.1f" y="%.1f" text-anchor="middle" font-size="10" fill="#374151">%s</text>`, at.x, top+9+float64(i)*12, html.EscapeString(l))
	}
	texts.WriteString("\n")
}

func drawBox(b *strings.Builder, p *place, n *node) {
	x, y, w, h := p.x-p.w/2, p.y-p.h/2, p.w, p.h
	if box := n.step.Kind.box; box != nil {
		box(b, x, y, w, h)
	} else {
		fmt.Fprintf(b, `<path d="M%.1f %.1fh%.1fl12 %.1fl-12 %.1fh-%.1fl-12 -%.1fz" fill="#fff7ed" stroke="#4b5563" stroke-width="1.2"/>`, x+12, y, w-24, h/2, h/2, w-24, h/2)
	}
	top := p.y - float64(len(n.lines)-1)*lineHigh/2 + 4
	for i, l := range n.lines {
		fill, weight := "#111827", ""
		if i == 0 {
			weight = ` font-weight="700"`
		}
		if n.step.Kind == End {
			fill = "#fff"
		}
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="middle" fill="%s"%s>%s</text>`, p.x, top+float64(i)*lineHigh, fill, weight, html.EscapeString(l))
	}
	b.WriteString("\n")
}
