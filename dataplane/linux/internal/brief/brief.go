// Package brief makes system calls on netlink sockets that are over soon, of which the runtime need not know.
//
// Before any other the runtime prepares for a wait: at the first one after a rest it wakes up its thread that looks after those that wait, for which a virtual
// machine pays 30 to 80 µs, and that thread then runs beside what was asked for. Who is brief keeps its processor; should the kernel be long, because somebody
// else changes devices, what waits for that processor waits, too.
package brief

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// little is the octets of a request that the kernel is done with in some 50 µs: a VM's entry has 40, what it needs in nftables some 300. A flood has more.
const little = 1 << 10

// Write sends octets to the kernel, which does what they ask for before it returns. If they are many the runtime knows.
func Write(fd int, b []byte) (n int, err error) {
	if len(b) <= little {
		return call(unix.SYS_WRITE, fd, b, 0)
	}
	for {
		if n, err = unix.Write(fd, b); err != unix.EINTR {
			return n, err
		}
	}
}

// Receive takes what there is: without any the error is EAGAIN.
func Receive(fd int, b []byte) (n int, err error) {
	return call(unix.SYS_RECVFROM, fd, b, unix.MSG_DONTWAIT)
}

func call(number uintptr, fd int, b []byte, flags uintptr) (n int, err error) {
	for {
		done, _, errno := unix.RawSyscall6(number, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
		switch errno {
		case 0:
			return int(done), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
