package linux

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/tns-project/tns/dataplane"
)

// echoes keeps notifications of what we write from the watcher's socket: each would be a wake-up and a system call, which is several times what the entry
// itself costs. While a batch is written, the kernel's side has what it will be told, in memory that both see, and drops what says exactly that. What
// it does not drop is judged by the watcher; so it may let through what it likes.
//
// An element of the table is what the kernel will say of one MAC, in host order:
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+---------------------------------------------------------------+
//	|               type of the message; 0: nothing                 |
//	+---------------------------------------------------------------+
//	|                       interface index                         |
//	+---------------------------------------------------------------+
//	|                       MAC                                     |
//	+                               +-------------------------------+
//	|                               |  length of NDA_DST; 0: none   |
//	+-------------------------------+-------------------------------+
//	|                       VTEP, 4 or 16 octets                    |
type echoes struct {
	table   *ebpf.Map
	memory  *ebpf.Memory
	program *ebpf.Program
}

// echo is an element of the table; zero: nothing is expected.
type echo [echoElement]byte

const (
	echoElement = 32
	echoBits    = 10 // of the number of elements: a batch should find little taken
	echoFactor  = 0x9e3779b1
)

// keepEchoes attaches a filter to a socket. own is the port of the socket that neighbours are written with, whose notifications name it.
func keepEchoes(fd int, own uint32) (*echoes, error) {
	table, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: "tns_echoes", Type: ebpf.Array, KeySize: 4, ValueSize: echoElement, MaxEntries: 1 << echoBits, Flags: unix.BPF_F_MMAPABLE,
	})
	if err != nil {
		return nil, fmt.Errorf("make the table of own notifications: %w", err)
	}
	e := &echoes{table: table}
	if e.memory, err = table.Memory(); err == nil {
		e.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{
			Name: "tns_echoes", Type: ebpf.SocketFilter, License: "GPL", Instructions: echoFilter(table, own),
		})
	}
	if err == nil {
		err = e.attach(fd)
	}
	if err != nil {
		e.close()
		return nil, fmt.Errorf("filter own notifications: %w", err)
	}
	return e, nil
}

func (e *echoes) attach(fd int) error {
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, e.program.FD())
}

func (e *echoes) close() {
	if e == nil {
		return
	}
	if e.program != nil {
		e.program.Close()
	}
	e.table.Close()
}

// echoOf is what the kernel says of a change of a MAC's entries, which are on one device: in the bridge's table, and with a VTEP in the VXLAN device's, too; zero: none.
func echoOf(kind uint16, link int, mac dataplane.MAC, vtep address) (e echo) {
	binary.NativeEndian.PutUint32(e[0:], uint32(kind))
	binary.NativeEndian.PutUint32(e[4:], uint32(link))
	copy(e[8:], mac[:])
	switch {
	case vtep.is4():
		binary.NativeEndian.PutUint16(e[14:], unix.SizeofRtAttr+4)
		copy(e[16:], vtep[12:])
	case vtep.valid():
		binary.NativeEndian.PutUint16(e[14:], unix.SizeofRtAttr+16)
		copy(e[16:], vtep[:])
	}
	return e
}

// at is where in the table an element is.
func (e *echo) at() int64 {
	return int64(echoHash(binary.NativeEndian.Uint32(e[4:]), dataplane.MAC(e[8:14]))) * echoElement
}

// expect has the kernel keep back what says the same.
func (e *echoes) expect(all []echo) {
	if e == nil {
		return
	}
	for i := range all {
		if all[i] != (echo{}) {
			e.memory.WriteAt(all[i][:], all[i].at())
		}
	}
}

// forget takes that back.
func (e *echoes) forget(all []echo) {
	if e == nil {
		return
	}
	var none [4]byte
	for i := range all {
		if all[i] != (echo{}) {
			e.memory.WriteAt(none[:], all[i].at())
		}
	}
}

// echoHash is where in the table a MAC on a device is.
func echoHash(link uint32, mac dataplane.MAC) uint32 {
	return (link ^ binary.NativeEndian.Uint32(mac[2:])) * echoFactor >> (32 - echoBits)
}

// echoFilter is echoHash and expect in the kernel. It answers how many octets of the notification to keep: none, or all.
//
// On its stack are the first 60 octets of the notification: header, struct ndmsg, NDA_LLADDR, and NDA_DST where there is one.
func echoFilter(table *ebpf.Map, own uint32) asm.Instructions {
	const (
		length = 60

		stack  = -64
		kind   = stack + 4
		port   = stack + 12
		family = stack + 16
		index  = stack + 20
		flags  = stack + 26
		lladdr = stack + 28
		mac    = stack + 32
		dst    = stack + 40
		vtep   = stack + 44
		key    = stack - 4
	)
	load := func(octets int32, otherwise string) asm.Instructions {
		return asm.Instructions{
			asm.Mov.Reg(asm.R1, asm.R6), asm.Mov.Imm(asm.R2, 0),
			asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, stack), asm.Mov.Imm(asm.R4, octets),
			asm.FnSkbLoadBytes.Call(),
			asm.JNE.Imm(asm.R0, 0, otherwise),
		}
	}
	// same goes on if an element's field is what the notification has.
	same := func(field int16, said int16, size asm.Size) asm.Instructions {
		return asm.Instructions{
			asm.LoadMem(asm.R1, asm.R7, field, size), asm.LoadMem(asm.R2, asm.RFP, said, size), asm.JNE.Reg(asm.R1, asm.R2, "keep"),
		}
	}
	return slices.Concat(
		asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)},
		load(length, "short"),
		asm.Instructions{
			asm.LoadMem(asm.R8, asm.RFP, kind, asm.Half),
			asm.JEq.Imm(asm.R8, unix.RTM_NEWNEIGH, "neigh"),
			asm.JNE.Imm(asm.R8, unix.RTM_DELNEIGH, "keep"),
			asm.LoadMem(asm.R1, asm.RFP, family, asm.Byte).WithSymbol("neigh"),
			asm.JNE.Imm(asm.R1, unix.AF_BRIDGE, "neighbor"),
			asm.LoadMem(asm.R1, asm.RFP, lladdr, asm.Word),
			asm.JNE.Imm(asm.R1, attrHeader(netlink.NDA_LLADDR, 6), "keep"),

			// The octets 2 to 5 of the MAC, at an address that the verifier takes for aligned.
			asm.LoadMem(asm.R1, asm.RFP, mac+2, asm.Half),
			asm.LoadMem(asm.R2, asm.RFP, mac+4, asm.Half),
			asm.StoreMem(asm.RFP, key, asm.R1, asm.Half),
			asm.StoreMem(asm.RFP, key+2, asm.R2, asm.Half),
			asm.LoadMem(asm.R1, asm.RFP, key, asm.Word),
			asm.LoadMem(asm.R2, asm.RFP, index, asm.Word),
			asm.Xor.Reg32(asm.R1, asm.R2),
			asm.Mul.Imm32(asm.R1, echoFactor-1<<32),
			asm.RSh.Imm32(asm.R1, 32-echoBits),
			asm.StoreMem(asm.RFP, key, asm.R1, asm.Word),
			asm.LoadMapPtr(asm.R1, table.FD()),
			asm.Mov.Reg(asm.R2, asm.RFP),
			asm.Add.Imm(asm.R2, key),
			asm.FnMapLookupElem.Call(),
			asm.JEq.Imm(asm.R0, 0, "keep"),
			asm.Mov.Reg(asm.R7, asm.R0),

			asm.LoadMem(asm.R1, asm.R7, 0, asm.Word),
			asm.JNE.Reg(asm.R1, asm.R8, "keep"),
		},
		same(4, index, asm.Word),
		same(8, mac, asm.Word),
		same(12, mac+4, asm.Half),
		asm.Instructions{
			asm.LoadMem(asm.R1, asm.RFP, flags, asm.Byte),
			asm.And.Imm(asm.R1, netlink.NTF_SELF),
			asm.JEq.Imm(asm.R1, 0, "drop"),
			asm.LoadMem(asm.R1, asm.RFP, dst+2, asm.Half),
			asm.JNE.Imm(asm.R1, netlink.NDA_DST, "keep"),
		},
		same(14, dst, asm.Half),
		same(16, vtep, asm.Word),
		asm.Instructions{
			asm.LoadMem(asm.R1, asm.RFP, dst, asm.Half),
			asm.JEq.Imm(asm.R1, unix.SizeofRtAttr+4, "drop"),
		},
		same(20, vtep+4, asm.Word),
		same(24, vtep+8, asm.Word),
		same(28, vtep+12, asm.Word),
		asm.Instructions{
			asm.Mov.Imm(asm.R0, 0).WithSymbol("drop"),
			asm.Return(),

			// A neighbour's says who asked for it.
			asm.LoadMem(asm.R1, asm.RFP, port, asm.Word).WithSymbol("neighbor"),
			asm.LoadImm(asm.R2, int64(own), asm.DWord),
			asm.JEq.Reg(asm.R1, asm.R2, "drop"),
			asm.Ja.Label("keep"),

			// Older kernels (6.1) follow what a VXLAN device says with one that says less.
			asm.Mov.Reg(asm.R1, asm.R6).WithSymbol("short"),
		},
		load(length-32, "keep")[1:],
		asm.Instructions{
			asm.LoadMem(asm.R1, asm.RFP, family, asm.Byte),
			asm.JNE.Imm(asm.R1, unix.AF_BRIDGE, "keep"),
			asm.LoadMem(asm.R1, asm.RFP, kind, asm.Half),
			asm.JEq.Imm(asm.R1, unix.RTM_NEWNEIGH, "repeated"),
			asm.JNE.Imm(asm.R1, unix.RTM_DELNEIGH, "keep"),
			asm.LoadMem(asm.R1, asm.RFP, flags, asm.Byte).WithSymbol("repeated"),
			asm.And.Imm(asm.R1, netlink.NTF_SELF),
			asm.JNE.Imm(asm.R1, 0, "drop"),

			asm.Mov.Imm(asm.R0, -1).WithSymbol("keep"),
			asm.Return(),
		},
	)
}

// attrHeader is the header of an attribute, as the number that a program reads it as.
func attrHeader(kind, length uint16) int32 {
	var b [4]byte
	binary.NativeEndian.PutUint16(b[0:], unix.SizeofRtAttr+length)
	binary.NativeEndian.PutUint16(b[2:], kind)
	return int32(binary.NativeEndian.Uint32(b[:]))
}
