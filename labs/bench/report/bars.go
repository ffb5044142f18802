package report

import (
	"fmt"
	"strings"
)

const (
	barHeight  = 18
	barLabel   = 250 // pixels for the names
	barNumbers = 130 // pixels for the values
)

// Bars draws a measure's quantities as bars of their medians over a logarithmic axis, each with a line from the least to p99, as SVG. Those of
// one unit are drawn.
func (r Run) Bars(measure, title, unit string) []byte {
	type bar struct {
		name string
		Spread
	}
	var bars []bar
	var values []float64
	for _, v := range r.rows(measure) {
		for _, system := range systems([]row{v}) {
			f := v.By[system]
			if v.Unit != unit || f.Count == 0 || f.Failed != "" || f.Min <= 0 {
				continue
			}
			bars = append(bars, bar{strings.Trim(v.What+", "+v.Fabric, ", ") + ": " + system, f.Spread})
			values = append(values, f.Min, f.P99)
		}
	}
	tall := top + len(bars)*(barHeight+6) + bottom
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", width, tall)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, tall)
	text(&b, 10, 20, "start", `font-weight="bold" font-size="14"`, title)
	if len(bars) == 0 {
		b.WriteString("</svg>\n")
		return []byte(b.String())
	}
	s := newScale(values, barLabel, width-barNumbers)
	for _, x := range s.ticks() {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#ddd"/>`+"\n", s.at(x), top, s.at(x), tall-bottom)
		text(&b, s.at(x), tall-bottom+16, "middle", "", number(x))
	}
	for i, v := range bars {
		y := top + i*(barHeight+6)
		colour := colours[1]
		if strings.HasSuffix(v.name, ": "+Ours) {
			colour = colours[0]
		}
		text(&b, barLabel-8, y+13, "end", "", v.name)
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s" fill-opacity="0.75"/>`+"\n", barLabel, y, s.at(v.P50)-barLabel, barHeight, colour)
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="black"/>`+"\n", s.at(v.Min), y+barHeight/2, s.at(v.P99), y+barHeight/2)
		text(&b, width-barNumbers+8, y+13, "start", "", v.Spread.String())
	}
	text(&b, (barLabel+width-barNumbers)/2, tall-12, "middle", "", unit)
	b.WriteString("</svg>\n")
	return []byte(b.String())
}
