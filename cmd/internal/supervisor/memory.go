package supervisor

import (
	"fmt"
	"os"
)

// resident is how much memory a process holds, in octets; 0 if it is gone.
func resident(pid int) int64 {
	var size, pages int64
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
