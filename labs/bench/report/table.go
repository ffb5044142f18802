package report

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Measure explains one of the measures.
type Measure struct {
	Letter string
	Title  string
	How    string // it was measured
}

// Write writes the run as Markdown: the machine's facts, then a table for each measure that there are figures of.
func (r Run) Write(w io.Writer, measures []Measure) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# What `make bench` measured\n\n")
	fmt.Fprintf(&b, "%s, version %s, `%s`, %.0f s in all. %s, %d CPUs, %d MB; %s, Linux %s; FRR %s; %s.\n\n",
		r.Started.UTC().Format("2006-01-02 15:04 UTC"), r.Version, r.Command, r.Took,
		r.Machine.CPU, r.Machine.CPUs, r.Machine.Memory>>20, r.Machine.System, r.Machine.Kernel, orNone(r.Machine.FRR), r.Machine.Go)
	fmt.Fprintf(&b, "A cell is the median, with [least – p99] where there are several values; the ratio is that of the medians.\n")
	for _, m := range measures {
		rows := r.rows(m.Letter)
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s. %s\n\n%s\n\n", m.Letter, m.Title, m.How)
		if l, ok := r.Loads[m.Letter]; ok {
			fmt.Fprintf(&b, "Load meanwhile: %.2f CPUs busy, %.2f of them with what is not measured, %.2f stolen; load average at the end %.1f.\n\n",
				l.Busy, l.Others, l.Stolen, l.Average)
		}
		table(&b, rows)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func orNone(s string) string {
	if s == "" {
		return "not there"
	}
	return s
}

// table writes rows: a column for each system, and one for each ratio to ours.
func table(b *strings.Builder, rows []row) {
	names := systems(rows)
	var others []string
	if len(names) > 0 && names[len(names)-1] == Ours {
		others = names[:len(names)-1]
	}
	head := append([]string{"what", "fabric", "size"}, names...)
	for _, o := range others {
		head = append(head, Ours+" / "+o)
	}
	line(b, head)
	line(b, strings.Split(strings.Repeat("---,", len(head)-1)+"---", ","))
	var notes []string
	for _, v := range rows {
		size := ""
		if v.Size > 0 {
			size = strconv.Itoa(v.Size)
		}
		cells := []string{v.What + ", " + v.Unit, v.Fabric, size}
		for _, name := range names {
			f, ok := v.By[name]
			switch {
			case !ok:
				cells = append(cells, "–")
			case f.Failed != "":
				notes = append(notes, f.Failed)
				cells = append(cells, fmt.Sprintf("failed (%d)", len(notes)))
			default:
				cells = append(cells, f.String())
			}
		}
		for _, o := range others {
			ratio, ok := v.ratio(o)
			if !ok {
				cells = append(cells, "–")
				continue
			}
			cells = append(cells, number(ratio))
		}
		line(b, cells)
	}
	for i, note := range notes {
		fmt.Fprintf(b, "\n(%d) %s\n", i+1, strings.ReplaceAll(note, "\n", " "))
	}
}

func line(b *strings.Builder, cells []string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// String is the median, and where the others lie.
func (s Spread) String() string {
	switch s.Count {
	case 0:
		return "–"
	case 1:
		return number(s.P50)
	}
	return fmt.Sprintf("%s [%s – %s]", number(s.P50), number(s.Min), number(s.P99))
}

// number has three significant digits.
func number(v float64) string {
	if v == 0 {
		return "0"
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	if digits <= 0 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}
