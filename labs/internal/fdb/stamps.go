package fdb

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// stamps is when the kernel told what an observer reads: a program on its socket notes the time of each notification as it is sent, while the entry is
// written. The observer may read it much later, when it has its turn on a processor. What is of another device the program drops, so that nobody wakes up for it.
//
// A ring in memory that both see has the times, in nanoseconds of the monotonic clock, in the order of the notifications:
//
//	+----------+--------+--------+-----+
//	| count 64 | time 64| time 64| …   |
//	+----------+--------+--------+-----+
type stamps struct {
	ring    *ebpf.Map
	memory  *ebpf.Memory
	devices *ebpf.Map
	program *ebpf.Program
	clock   clock
	read    uint64 // so many notifications
}

// ringSize is how many notifications may wait. The time of one that waits behind more is that of a later one.
const ringSize = 1 << 18

// stamp has the kernel note times for a socket, of what is on these devices.
func stamp(fd int, devices map[int32]string) (s *stamps, err error) {
	s = new(stamps)
	defer func() {
		if err != nil {
			s.close()
			err = fmt.Errorf("have the kernel note the times of notifications: %w", err)
		}
	}()
	if s.clock, err = readClock(); err != nil {
		return s, err
	}
	s.ring, err = ebpf.NewMap(&ebpf.MapSpec{Name: "fdb_times", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: ringSize + 1, Flags: unix.BPF_F_MMAPABLE})
	if err != nil {
		return s, err
	}
	if s.memory, err = s.ring.Memory(); err != nil {
		return s, err
	}
	s.devices, err = ebpf.NewMap(&ebpf.MapSpec{Name: "fdb_devices", Type: ebpf.Hash, KeySize: 4, ValueSize: 4, MaxEntries: uint32(max(len(devices), 1))})
	if err != nil {
		return s, err
	}
	for index := range devices {
		if err := s.devices.Put(uint32(index), uint32(1)); err != nil {
			return s, err
		}
	}
	s.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "fdb_times", Type: ebpf.SocketFilter, License: "GPL", Instructions: noteTime(s.ring, s.devices)})
	if err != nil {
		return s, err
	}
	return s, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, s.program.FD())
}

func (s *stamps) close() {
	if s.program != nil {
		s.program.Close()
	}
	for _, m := range []*ebpf.Map{s.ring, s.devices} {
		if m != nil {
			m.Close()
		}
	}
}

// next is when the kernel told the next notification.
func (s *stamps) next() (time.Time, error) {
	var b [8]byte
	if _, err := s.memory.ReadAt(b[:], int64(1+s.read%ringSize)*8); err != nil {
		return time.Time{}, err
	}
	s.read++
	return s.clock.time(int64(binary.NativeEndian.Uint64(b[:]))), nil
}

// clock tells times of the kernel's monotonic clock as Go has them.
type clock struct {
	then  time.Time
	nanos int64 // by the kernel's
}

// readClock reads both as nearly at once as can be had.
func readClock() (c clock, err error) {
	for i, best := 0, int64(0); i < 16; i++ {
		var before, after unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &before); err != nil {
			return c, err
		}
		then := time.Now()
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &after); err != nil {
			return c, err
		}
		if took := after.Nano() - before.Nano(); i == 0 || took < best {
			best, c = took, clock{then, before.Nano() + took/2}
		}
	}
	return c, nil
}

func (c clock) time(nanos int64) time.Time { return c.then.Add(time.Duration(nanos - c.nanos)) }

// noteTime is the program. It answers how many octets of the notification to keep: none, or all.
func noteTime(ring, devices *ebpf.Map) asm.Instructions {
	const (
		index = -8  // on its stack: the interface index, of struct ndmsg
		key   = -16 // and a key of the ring
	)
	fetchAdd := asm.FetchAdd.Mem(asm.R0, asm.R6, asm.DWord, 0)
	fetchAdd.Constant = unix.BPF_FETCH // which the library (v0.22.0) forgets to write
	lookup := func(m *ebpf.Map, key int32) asm.Instructions {
		return asm.Instructions{
			asm.LoadMapPtr(asm.R1, m.FD()), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, key), asm.FnMapLookupElem.Call(),
			asm.JEq.Imm(asm.R0, 0, "drop"),
		}
	}
	var program asm.Instructions
	for _, part := range []asm.Instructions{
		{
			asm.Mov.Imm(asm.R2, unix.SizeofNlMsghdr+4), // R1 is the notification
			asm.Mov.Reg(asm.R3, asm.RFP), asm.Add.Imm(asm.R3, index), asm.Mov.Imm(asm.R4, 4),
			asm.FnSkbLoadBytes.Call(),
			asm.JNE.Imm(asm.R0, 0, "drop"),
		},
		lookup(devices, index),
		{asm.StoreImm(asm.RFP, key, 0, asm.Word)},
		lookup(ring, key),
		{
			asm.Mov.Imm(asm.R6, 1),
			fetchAdd,
			asm.And.Imm(asm.R6, ringSize-1),
			asm.Add.Imm(asm.R6, 1),
			asm.StoreMem(asm.RFP, key, asm.R6, asm.Word),
		},
		lookup(ring, key),
		{
			asm.Mov.Reg(asm.R7, asm.R0),
			asm.FnKtimeGetNs.Call(),
			asm.StoreMem(asm.R7, 0, asm.R0, asm.DWord),
			asm.Mov.Imm(asm.R0, -1),
			asm.Return(),
			asm.Mov.Imm(asm.R0, 0).WithSymbol("drop"),
			asm.Return(),
		},
	} {
		program = append(program, part...)
	}
	return program
}
