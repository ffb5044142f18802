// Package brief takes what the kernel has said on a netlink socket by a system call of which the runtime need not know.
//
// Before any other the runtime prepares for a wait: at the first one after a rest it wakes up its thread that looks after those that wait, for which a virtual
// machine pays 30 to 80 µs, and that thread then runs beside what was asked for. Who is brief keeps its processor, and nothing can stop it: so a call that may
// wait for a lock of the kernel's must not be. What asks the kernel for something is such a call, and so is each part of a dump: while somebody else removes
// hundreds of devices it waits for seconds, and so would all of the process once its collector wants everybody to stand still.
package brief

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Receive takes what there is: without any the error is EAGAIN.
func Receive(fd int, b []byte) (n int, err error) {
	for {
		done, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(done), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
