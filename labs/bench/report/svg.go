package report

import (
	"fmt"
	"math"
	"strings"
)

// Series is the points of one line of a plot.
type Series struct {
	Name string
	X, Y []float64
}

// Size of a plot and of what is around it, in pixels.
const (
	width, height            = 720, 400
	left, right, top, bottom = 70, 210, 40, 50
)

// colours of the lines, in their order: told apart by those too who do not see all colours.
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999"}

// Plot draws lines with points over two logarithmic axes, as SVG. Values that are not above zero are left out.
func Plot(title, x, y string, series []Series) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, height)
	text(&b, left, 20, "start", `font-weight="bold" font-size="14"`, title)
	var xs, ys []float64
	for _, s := range series {
		for i := range s.X {
			if s.X[i] > 0 && s.Y[i] > 0 {
				xs, ys = append(xs, s.X[i]), append(ys, s.Y[i])
			}
		}
	}
	if len(xs) > 0 {
		h := newScale(xs, left, width-right)
		v := newScale(ys, height-bottom, top)
		grid(&b, h, v)
		for i, s := range series {
			draw(&b, s, h, v, colours[i%len(colours)], i)
		}
	}
	text(&b, (left+width-right)/2, height-12, "middle", "", x)
	fmt.Fprintf(&b, `<text transform="translate(16 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", (top+height-bottom)/2, escape(y))
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

// scale maps the logarithm of values to pixels.
type scale struct {
	least, most float64 // logarithms
	from, to    float64
}

// newScale has room for values between two pixels, over whole steps of 1, 2, 5, 10.
func newScale(values []float64, from, to int) scale {
	least, most := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		least, most = min(least, v), max(most, v)
	}
	steps := ticksOf(least, most)
	return scale{math.Log10(steps[0]), math.Log10(steps[len(steps)-1]), float64(from), float64(to)}
}

func (s scale) at(v float64) float64 {
	return s.from + (math.Log10(v)-s.least)/(s.most-s.least)*(s.to-s.from)
}

// ticks are what the axis is labelled with: not more than fit.
func (s scale) ticks() []float64 {
	all := ticksOf(math.Pow(10, s.least)*1.001, math.Pow(10, s.most)/1.001)
	if len(all) <= 10 {
		return all
	}
	var tens []float64
	for _, v := range all {
		if l := math.Log10(v); math.Abs(l-math.Round(l)) < 1e-6 {
			tens = append(tens, v)
		}
	}
	return tens
}

// ticksOf is the steps of 1, 2, 5, 10 that enclose two values, at least two of them.
func ticksOf(least, most float64) (steps []float64) {
	for exponent := math.Floor(math.Log10(least)) - 1; ; exponent++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow(10, exponent)
			switch {
			case v <= least*(1+1e-9):
				steps = []float64{v}
			default:
				steps = append(steps, v)
				if v >= most*(1-1e-9) {
					return steps
				}
			}
		}
	}
}

func grid(b *strings.Builder, h, v scale) {
	for _, x := range h.ticks() {
		fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#ddd"/>`+"\n", h.at(x), top, h.at(x), height-bottom)
		text(b, h.at(x), height-bottom+16, "middle", "", number(x))
	}
	for _, y := range v.ticks() {
		fmt.Fprintf(b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/>`+"\n", left, v.at(y), width-right, v.at(y))
		text(b, left-6, v.at(y)+4, "end", "", number(y))
	}
}

func draw(b *strings.Builder, s Series, h, v scale, colour string, row int) {
	var points []string
	for i := range s.X {
		if s.X[i] > 0 && s.Y[i] > 0 {
			points = append(points, fmt.Sprintf("%.1f,%.1f", h.at(s.X[i]), v.at(s.Y[i])))
		}
	}
	fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), colour)
	for _, p := range points {
		x, y, _ := strings.Cut(p, ",")
		fmt.Fprintf(b, `<circle cx="%s" cy="%s" r="3" fill="%s"/>`+"\n", x, y, colour)
	}
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="12" height="12" fill="%s"/>`+"\n", width-right+12, top+row*20, colour)
	text(b, width-right+30, float64(top+row*20+10), "start", "", s.Name)
}

func text[X int | float64, Y int | float64](b *strings.Builder, x X, y Y, anchor, style, s string) {
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" %s>%s</text>`+"\n", float64(x), float64(y), anchor, style, escape(s))
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace

// Lines are the series of one quantity of a measure over its size, one for each system and fabric.
func (r Run) Lines(measure, what, unit string) (all []Series) {
	index := make(map[string]int)
	for _, v := range r.rows(measure) {
		if v.What != what || v.Unit != unit {
			continue
		}
		for _, system := range systems([]row{v}) {
			f := v.By[system]
			if f.Count == 0 || f.Failed != "" {
				continue
			}
			name := system
			if v.Fabric != "" {
				name += ", " + v.Fabric
			}
			i, ok := index[name]
			if !ok {
				i = len(all)
				index[name] = i
				all = append(all, Series{Name: name})
			}
			all[i].X, all[i].Y = append(all[i].X, float64(v.Size)), append(all[i].Y, f.P50)
		}
	}
	return all
}
