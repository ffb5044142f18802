package lifecycle

import "fmt"

// name is the i-th name, or the kind and number of a value that has none.
func name[T ~uint8](names []string, i T, kind string) string {
	if int(i) < len(names) && names[i] != "" {
		return names[i]
	}
	return fmt.Sprintf("%s %d", kind, i)
}
