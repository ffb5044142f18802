package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
	"github.com/tns-project/tns/labs/internal/fdb"
	"github.com/tns-project/tns/labs/internal/manager"
)

// VM is one MAC in one VN.
type VM struct {
	ID     [16]byte
	VN     int // from 0
	MAC    fdb.MAC
	Device string // the VXLAN device that it is behind elsewhere
}

// vm is the n-th VM, in a VN.
func (w *World) vm(n, in int) VM {
	v := VM{VN: in, MAC: fdb.MAC{2, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, Device: vxlan(in)}
	copy(v.ID[:], "tns-bench")
	binary.BigEndian.PutUint32(v.ID[12:], uint32(n))
	return v
}

// vms are the first n, spread over the VNs with a port.
func (w *World) vms(n int) (all []VM) {
	for i := range n {
		all = append(all, w.vm(i+1, i%w.Ports))
	}
	return all
}

func (v VM) uuid() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", v.ID[:4], v.ID[4:6], v.ID[6:8], v.ID[8:10], v.ID[10:])
}

func (v VM) mac() net.HardwareAddr { return v.MAC[:] }

// add has a VM appear at an edge: of FRR's, the MAC in its kernel's table, on the VM's port; of ours, associated at the TES behind it, which has
// returned when SUCCESS has come.
func (w *World) add(ctx context.Context, i int, v VM) error {
	if w.System == FRR {
		return w.set(i, v)
	}
	return w.managers[host(i)].Do(ctx, manager.Operation{VM: v.uuid(), Op: tnsv1.Op_OP_ASSOCIATE, VN: vn(v.VN), MAC: v.mac().String()})
}

// remove has it go.
func (w *World) remove(ctx context.Context, i int, v VM) error {
	if w.System == FRR {
		e, err := w.local(i, v)
		if err != nil {
			return err
		}
		return w.writers[i].Delete(e...)
	}
	return w.managers[host(i)].Do(ctx, manager.Operation{VM: v.uuid(), Op: tnsv1.Op_OP_TERMINATE})
}

// set puts MACs on their ports in the kernel of an edge.
func (w *World) set(i int, vms ...VM) error {
	all, err := w.local(i, vms...)
	if err != nil {
		return err
	}
	return w.writers[i].Set(all...)
}

// local is the entries of VMs at an edge.
func (w *World) local(i int, vms ...VM) (all []fdb.Entry, err error) {
	for _, v := range vms {
		device, err := w.writers[i].Device(port(v.VN))
		if err != nil {
			return nil, err
		}
		all = append(all, fdb.Entry{Device: device, MAC: v.MAC})
	}
	return all, nil
}
