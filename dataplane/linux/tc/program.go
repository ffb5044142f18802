package tc

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/tns-project/tns/dataplane"
)

// The map of a limiter. A bucket is full when the time is at or after bucketFull; a frame moves that time on by what it costs, and goes if before
// it the time was less than a burst ahead.
//
//	key     MAC (6 octets), direction (1: 0 from the VM, 1 to it), 0
//	value   64-bit words in host order, as bucket
type bucketKey struct {
	MAC dataplane.MAC
	To  uint8
	_   uint8
}

type bucket struct {
	Full   uint64 // ns, monotonic
	Cost   uint64 // ns an octet, times 2^costShift
	Burst  uint64 // ns
	Frames uint64 // dropped
	Octets uint64
	Rate   uint64 // bits/s, as it was asked for
	Size   uint64 // octets, as it was asked for
}

const (
	costShift = 20
	mapName   = "tns_limits"
	maxLimits = 1 << 16

	// Offsets of struct __sk_buff.
	skbLen     = 0
	skbMark    = 8
	skbData    = 76
	skbDataEnd = 80

	// Offsets of bucket.
	bucketFull   = 0
	bucketCost   = 8
	bucketBurst  = 16
	bucketFrames = 24
	bucketOctets = 32

	// Verdicts of tc: the filters behind this one have their turn, and then the frame goes on; or it is dropped.
	verdictNext = -1
	verdictDrop = 2
)

// newBucket is a full one.
func newBucket(l dataplane.Limit) bucket {
	const second = 1_000_000_000
	return bucket{
		Cost: (8 * second << costShift) / l.Rate, Burst: uint64(float64(l.Burst) * 8 * second / float64(l.Rate)), Rate: l.Rate, Size: uint64(l.Burst),
	}
}

func (b bucket) limit() dataplane.Limit { return dataplane.Limit{Rate: b.Rate, Burst: uint32(b.Size)} }

func limits() (*ebpf.Map, error) {
	const noPrealloc = 1 // BPF_F_NO_PREALLOC
	m, err := ebpf.NewMap(&ebpf.MapSpec{Name: mapName, Type: ebpf.Hash, KeySize: 8, ValueSize: 56, MaxEntries: maxLimits, Flags: noPrealloc})
	if err != nil {
		return nil, fmt.Errorf("make map %s: %w", mapName, err)
	}
	return m, nil
}

// limiter is the program of one direction: the VM's address is the source or the destination.
func limiter(m *ebpf.Map, name string, to bool) (*ebpf.Program, error) {
	var offset int16 = 6
	var direction int64
	if to {
		offset, direction = 0, 1
	}
	body := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R2, asm.R6, skbData, asm.Word),
		asm.LoadMem(asm.R3, asm.R6, skbDataEnd, asm.Word),
		asm.Mov.Reg(asm.R4, asm.R2),
		asm.Add.Imm(asm.R4, 14),
		asm.JGT.Reg(asm.R4, asm.R3, "next"),
		asm.LoadMem(asm.R4, asm.R2, offset, asm.Half), // frames are aligned for their IP header: to two octets here
		asm.StoreMem(asm.RFP, -8, asm.R4, asm.Half),
		asm.LoadMem(asm.R4, asm.R2, offset+2, asm.Half),
		asm.StoreMem(asm.RFP, -6, asm.R4, asm.Half),
		asm.LoadMem(asm.R4, asm.R2, offset+4, asm.Half),
		asm.StoreMem(asm.RFP, -4, asm.R4, asm.Half),
		asm.StoreImm(asm.RFP, -2, direction, asm.Byte),
		asm.StoreImm(asm.RFP, -1, 0, asm.Byte),
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -8),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "next"),
		asm.Mov.Reg(asm.R7, asm.R0),
		asm.FnKtimeGetNs.Call(),
		asm.Mov.Reg(asm.R9, asm.R0),
		asm.LoadMem(asm.R8, asm.R6, skbLen, asm.Word),

		// R2: when it will be full. A bucket that is full since long is full now; who else takes from it in that moment may take a frame for nothing.
		asm.LoadMem(asm.R2, asm.R7, bucketFull, asm.DWord),
		asm.JGE.Reg(asm.R2, asm.R9, "ahead"),
		asm.StoreMem(asm.R7, bucketFull, asm.R9, asm.DWord),
		asm.Mov.Reg(asm.R2, asm.R9),

		asm.Sub.Reg(asm.R2, asm.R9).WithSymbol("ahead"),
		asm.LoadMem(asm.R3, asm.R7, bucketBurst, asm.DWord),
		asm.JGE.Reg(asm.R2, asm.R3, "drop"),
		asm.LoadMem(asm.R1, asm.R7, bucketCost, asm.DWord),
		asm.Mul.Reg(asm.R1, asm.R8),
		asm.RSh.Imm(asm.R1, costShift),
		asm.AddAtomic.Mem(asm.R7, asm.R1, asm.DWord, bucketFull),
		asm.Mov.Imm(asm.R0, verdictNext).WithSymbol("next"),
		asm.Return(),

		asm.Mov.Imm(asm.R1, 1).WithSymbol("drop"),
		asm.AddAtomic.Mem(asm.R7, asm.R1, asm.DWord, bucketFrames),
		asm.AddAtomic.Mem(asm.R7, asm.R8, asm.DWord, bucketOctets),
		asm.Mov.Imm(asm.R0, verdictDrop),
		asm.Return(),
	}
	return load(name, body)
}

// load makes a program of the tc kind.
func load(name string, body asm.Instructions) (*ebpf.Program, error) {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: name, Type: ebpf.SchedCLS, License: "GPL", Instructions: body})
	if err != nil {
		return nil, fmt.Errorf("load program %s: %w", name, err)
	}
	return p, nil
}
