package lifecycle

import (
	"fmt"
	"strings"
)

// Mermaid is the machine as a Mermaid state diagram, in the order of the table. Arrows from a state to itself and refusals are left to the
// [Matrix].
func Mermaid() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n")
	b.WriteString("    state Emigrating {\n")
	for s := range numStates {
		if s.Emigrating() {
			fmt.Fprintf(&b, "        %s: %s\n", identifier(s), strings.Trim(strings.TrimPrefix(s.String(), "Emigrating "), "()"))
		}
	}
	b.WriteString("    }\n")
	for s := range numStates {
		if !s.Emigrating() {
			fmt.Fprintf(&b, "    %s: %s\n", identifier(s), s)
		}
	}
	fmt.Fprintf(&b, "    [*] --> %s\n", identifier(Null))
	for from := range numStates {
		for target := range numStates {
			if events := between(from, target); target != from && len(events) > 0 {
				fmt.Fprintf(&b, "    %s --> %s: %s\n", identifier(from), identifier(target), strings.Join(words(events), ", "))
			}
		}
	}
	return b.String()
}

// between lists the events that lead from one state to the other.
func between(from, target State) []Event {
	var events []Event
	for e := range numEvents {
		if a := association[from][e]; len(a.Actions) > 0 && a.To == target {
			events = append(events, e)
		}
	}
	return events
}

// words names the events, same and changed in one where both are there.
func words(events []Event) []string {
	var names []string
	for i := 0; i < len(events); i++ {
		operation, same := strings.CutSuffix(events[i].String(), " (same)")
		if same && i+1 < len(events) && events[i+1] == events[i]+1 {
			names = append(names, operation)
			i++
			continue
		}
		names = append(names, events[i].String())
	}
	return names
}

// identifier is the state's name without what Mermaid would not take in one.
func identifier(s State) string {
	return strings.NewReplacer(" ", "", "(was", "", ")", "", "-", "").Replace(s.String())
}

// Matrix is the machine as a Markdown table, a row per state and a column per event: the state that the arrow leads to, "stays" where it is
// the same one, the reason in italics where the request is refused, nothing where the event changes nothing.
func Matrix() string {
	var b strings.Builder
	b.WriteString("| |")
	for e := range numEvents {
		fmt.Fprintf(&b, " %s |", e)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", int(numEvents)) + "\n")
	for from := range numStates {
		fmt.Fprintf(&b, "| **%s** |", from)
		for e := range numEvents {
			fmt.Fprintf(&b, " %s |", cell(from, association[from][e]))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func cell(from State, a Arrow) string {
	switch {
	case a.Refusal != Allowed:
		return "*" + a.Refusal.String() + "*"
	case !a.drawn():
		return ""
	case a.To == from:
		return "stays"
	}
	return "→ " + a.To.String()
}

// Arrows is a Markdown table of all arrows and what is done on each, in order. Events with the same arrow share a row.
func Arrows() string {
	var b strings.Builder
	b.WriteString("| from | event | to | done, in this order |\n| --- | --- | --- | --- |\n")
	for from := range numStates {
		for _, events := range alike(from) {
			a := association[from][events[0]]
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", from, strings.Join(words(events), ", "), a.To, list(a.Actions))
		}
	}
	return b.String()
}

// alike groups the events that have an arrow from a state by that arrow, in the order of the table.
func alike(from State) [][]Event {
	var groups [][]Event
	index := map[string]int{}
	for e := range numEvents {
		a := association[from][e]
		if len(a.Actions) == 0 {
			continue
		}
		key := a.To.String() + list(a.Actions)
		if _, ok := index[key]; !ok {
			index[key] = len(groups)
			groups = append(groups, nil)
		}
		groups[index[key]] = append(groups[index[key]], e)
	}
	return groups
}

func list(actions []Action) string {
	names := make([]string, len(actions))
	for i, a := range actions {
		names[i] = a.String()
	}
	return strings.Join(names, ", ")
}

// States is a Markdown table of the states: what each holds, its number on the wire, and the default lifetimes.
func States() string {
	var b strings.Builder
	b.WriteString("| state | on the wire | holds | lifetime | if orphaned | if outranked |\n| --- | --- | --- | --- | --- | --- |\n")
	for s := range numStates {
		fmt.Fprintf(&b, "| %s | %d %s | %s | %s | %s | %s |\n", s, s.Figure(), s.Figure(), s.Holds(),
			lasts(Association{State: s}),
			lasts(Association{State: s}.Orphan()),
			lasts(Association{State: s, Outranked: s.Emigrating()}))
	}
	return b.String()
}

func lasts(a Association) string {
	lifetime, ok := LifetimeOf(a)
	if !ok {
		return "none runs"
	}
	return fmt.Sprintf("%d s", int(lifetime.Seconds()))
}

// Rebuilds is a Markdown table of where requests lead at an edge without a record, a row per base state.
func Rebuilds() string {
	requests := []Event{PreAssociateChanged, AssociateChanged, Suspend, Resume, Emigrate, Terminate, KeepAlive}
	var b strings.Builder
	b.WriteString("| base state |")
	for _, e := range requests {
		fmt.Fprintf(&b, " %s |", strings.TrimSuffix(e.String(), " (changed)"))
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(requests)) + "\n")
	for base := range numFigures {
		fmt.Fprintf(&b, "| **%s** |", base)
		for _, e := range requests {
			a := Rebuild(base, e)
			if a.Refusal != Allowed {
				fmt.Fprintf(&b, " *%s* |", a.Refusal)
				continue
			}
			fmt.Fprintf(&b, " %s |", a.To)
		}
		b.WriteString("\n")
	}
	return b.String()
}
