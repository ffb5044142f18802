package tag

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// The programs of mode ebpf, and the maps that they share. Offsets are those of struct __sk_buff.
//
//	map of a trunk   vids[0…4095]  index of the carrier that frames with that VID go to; 0: none
//	                 counts[0,1]   frames dropped: without a tag, with a VID of no VN
//	map of a pair    pair[0]       VID of frames to the trunk; 0: none
//	                 pair[1]       index of the trunk
//	                 pcps[MAC]     PCP of frames with that source, instead of their priority
const (
	skbPriority  = 32
	skbPresent   = 20
	skbTCI       = 24
	skbVLANProto = 28

	vidCount = 4096

	countUntagged = 0
	countUnknown  = 1

	pairVID   = 0
	pairTrunk = 1

	// Verdicts of tc. With verdictNext the filters behind this one have their turn, and then the frame goes on.
	verdictNext = -1
	verdictDrop = 2
)

// dot1q is the protocol of an 802.1Q tag as the kernel hands it out: in network order.
var dot1q = int32(binary.NativeEndian.Uint16([]byte{0x81, 0x00}))

func vidsMap() *ebpf.MapSpec {
	return &ebpf.MapSpec{Name: "tns_vids", Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: vidCount}
}

func countsMap() *ebpf.MapSpec {
	return &ebpf.MapSpec{Name: "tns_counts", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 2}
}

// pcpsMap is keyed by a MAC and two octets of zeros.
func pcpsMap() *ebpf.MapSpec {
	return &ebpf.MapSpec{Name: "tns_pcps", Type: ebpf.Hash, KeySize: 8, ValueSize: 4, MaxEntries: 4096, Flags: unix.BPF_F_NO_PREALLOC}
}

func pairMap() *ebpf.MapSpec {
	return &ebpf.MapSpec{Name: "tns_pair", Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 2}
}

// load makes a program of the tc kind.
func load(name string, body asm.Instructions) (*ebpf.Program, error) {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: name, Type: ebpf.SchedCLS, License: "GPL", Instructions: body})
	if err != nil {
		return nil, fmt.Errorf("load program %s: %w", name, err)
	}
	return p, nil
}

// lookup reads element R2[0] of an array into R0 = pointer, and jumps where there is none. The key is on the stack at -4.
func lookup(m *ebpf.Map, none string) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, none),
	}
}

// element is the code that has R0 point to a fixed element.
func element(m *ebpf.Map, index int32, none string) asm.Instructions {
	return append(asm.Instructions{asm.StoreImm(asm.RFP, -4, int64(index), asm.Word)}, lookup(m, none)...)
}

func join(parts ...asm.Instructions) (all asm.Instructions) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// verdict ends a program.
func verdict(symbol string, v int32) asm.Instructions {
	return asm.Instructions{asm.Mov.Imm(asm.R0, v).WithSymbol(symbol), asm.Return()}
}

// trunkProgram takes what enters a trunk: by its VID to the carrier of a VN, with the tag still on.
func trunkProgram(vids, counts *ebpf.Map) (*ebpf.Program, error) {
	return load("tns_trunk", join(
		asm.Instructions{
			asm.Mov.Reg(asm.R6, asm.R1),
			asm.StoreImm(asm.RFP, -4, countUntagged, asm.Word),
			asm.LoadMem(asm.R7, asm.R6, skbPresent, asm.Word),
			asm.JEq.Imm(asm.R7, 0, "drop"),
			asm.LoadMem(asm.R7, asm.R6, skbVLANProto, asm.Word),
			asm.JNE.Imm(asm.R7, dot1q, "unknown"),
			asm.LoadMem(asm.R7, asm.R6, skbTCI, asm.Word),
			asm.And.Imm(asm.R7, 0xfff),
			asm.StoreMem(asm.RFP, -4, asm.R7, asm.Word),
		},
		lookup(vids, "unknown"),
		asm.Instructions{
			asm.LoadMem(asm.R1, asm.R0, 0, asm.Word),
			asm.JEq.Imm(asm.R1, 0, "unknown"),
			asm.Mov.Imm(asm.R2, 0),
			asm.FnRedirect.Call(),
			asm.Return(),
			asm.StoreImm(asm.RFP, -4, countUnknown, asm.Word).WithSymbol("unknown"),
			asm.LoadMapPtr(asm.R1, counts.FD()).WithSymbol("drop"),
			asm.Mov.Reg(asm.R2, asm.RFP),
			asm.Add.Imm(asm.R2, -4),
			asm.FnMapLookupElem.Call(),
			asm.JEq.Imm(asm.R0, 0, "end"),
			asm.Mov.Imm(asm.R1, 1),
			asm.AddAtomic.Mem(asm.R0, asm.R1, asm.DWord, 0),
		},
		verdict("end", verdictDrop),
	))
}

// popProgram takes what comes out of the carrier at the bridge port: without its tag, and with the PCP as priority.
func popProgram() (*ebpf.Program, error) {
	return load("tns_pop", join(
		asm.Instructions{
			asm.Mov.Reg(asm.R6, asm.R1),
			asm.LoadMem(asm.R7, asm.R6, skbPresent, asm.Word),
			asm.JEq.Imm(asm.R7, 0, "drop"),
			asm.LoadMem(asm.R7, asm.R6, skbTCI, asm.Word),
			asm.And.Imm(asm.R7, 0xffff),
			asm.RSh.Imm(asm.R7, 13),
			asm.Mov.Reg(asm.R1, asm.R6),
			asm.FnSkbVlanPop.Call(),
			asm.JNE.Imm(asm.R0, 0, "drop"),
			asm.StoreMem(asm.R6, skbPriority, asm.R7, asm.Word),
		},
		verdict("", verdictNext),
		verdict("drop", verdictDrop),
	))
}

// pushProgram takes what leaves by the bridge port: with the VN's tag, and the PCP of its source, or else its priority as PCP. A priority above 7 is none of ours, and PCP 0.
func pushProgram(pair, pcps *ebpf.Map) (*ebpf.Program, error) {
	return load("tns_push", join(
		asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)},
		element(pair, pairVID, "drop"),
		asm.Instructions{
			asm.LoadMem(asm.R7, asm.R0, 0, asm.Word),
			asm.JEq.Imm(asm.R7, 0, "drop"),
			asm.LoadMem(asm.R8, asm.R6, skbPriority, asm.Word),
			asm.StoreImm(asm.RFP, -16, 0, asm.Word),
			asm.StoreImm(asm.RFP, -12, 0, asm.Word),
			asm.Mov.Reg(asm.R1, asm.R6),
			asm.Mov.Imm(asm.R2, 6), // the source address
			asm.Mov.Reg(asm.R3, asm.RFP),
			asm.Add.Imm(asm.R3, -16),
			asm.Mov.Imm(asm.R4, 6),
			asm.FnSkbLoadBytes.Call(),
			asm.JNE.Imm(asm.R0, 0, "drop"),
			asm.LoadMapPtr(asm.R1, pcps.FD()),
			asm.Mov.Reg(asm.R2, asm.RFP),
			asm.Add.Imm(asm.R2, -16),
			asm.FnMapLookupElem.Call(),
			asm.JEq.Imm(asm.R0, 0, "priority"),
			asm.LoadMem(asm.R8, asm.R0, 0, asm.Word),
			asm.JGT.Imm(asm.R8, 7, "push").WithSymbol("priority"),
			asm.LSh.Imm(asm.R8, 13),
			asm.Or.Reg(asm.R7, asm.R8),
			asm.Mov.Reg(asm.R1, asm.R6).WithSymbol("push"),
			asm.Mov.Imm(asm.R2, dot1q),
			asm.Mov.Reg(asm.R3, asm.R7),
			asm.FnSkbVlanPush.Call(),
			asm.JNE.Imm(asm.R0, 0, "drop"),
		},
		verdict("", verdictNext),
		verdict("drop", verdictDrop),
	))
}

// leaveProgram takes what comes out of the bridge port at the carrier, tagged, to the trunk, and has its PCP be its priority there.
func leaveProgram(pair *ebpf.Map) (*ebpf.Program, error) {
	return load("tns_leave", join(
		asm.Instructions{
			asm.Mov.Reg(asm.R6, asm.R1),
			asm.LoadMem(asm.R7, asm.R6, skbPresent, asm.Word),
			asm.JEq.Imm(asm.R7, 0, "drop"),
			asm.LoadMem(asm.R7, asm.R6, skbTCI, asm.Word),
			asm.And.Imm(asm.R7, 0xffff),
			asm.RSh.Imm(asm.R7, 13),
			asm.StoreMem(asm.R6, skbPriority, asm.R7, asm.Word),
		},
		element(pair, pairTrunk, "drop"),
		asm.Instructions{
			asm.LoadMem(asm.R1, asm.R0, 0, asm.Word),
			asm.JEq.Imm(asm.R1, 0, "drop"),
			asm.Mov.Imm(asm.R2, 0),
			asm.FnRedirect.Call(),
			asm.Return(),
		},
		verdict("drop", verdictDrop),
	))
}

// get32 reads an element of an array.
func get32(m *ebpf.Map, index uint32) (v uint32, err error) {
	if err := m.Lookup(index, &v); err != nil {
		return 0, fmt.Errorf("read %v: %w", m, err)
	}
	return v, nil
}

// put32 writes an element of an array, in one step for the programs.
func put32(m *ebpf.Map, index, v uint32) error {
	if err := m.Put(index, v); err != nil {
		return fmt.Errorf("write %v: %w", m, err)
	}
	return nil
}

// all32 reads the array of VIDs.
func all32(m *ebpf.Map) ([]uint32, error) {
	values := make([]uint32, vidCount)
	var cursor ebpf.MapBatchCursor
	n, err := m.BatchLookup(&cursor, make([]uint32, vidCount), values, nil)
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		if !errors.Is(err, ebpf.ErrNotSupported) && !errors.Is(err, unix.EINVAL) {
			return nil, fmt.Errorf("read %v: %w", m, err)
		}
		n = 0
	}
	for ; n < vidCount; n++ {
		if values[n], err = get32(m, uint32(n)); err != nil {
			return nil, err
		}
	}
	return values, nil
}
