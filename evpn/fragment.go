package evpn

// VMID-a, VMID-b and VMID-c carry the VMID in pieces, and which of its VM's routes this one is.
//
//	VMID-a | VMID octets 0-5                                  |
//	VMID-b | VMID octets 6-11                                 |
//	VMID-c | VMID octets 12-15            | index 8 | count 8 |

// appendVMID appends the three fragments.
func appendVMID(cs []ExtendedCommunity, vm VMID, index, count uint8) []ExtendedCommunity {
	last := [6]byte{vm[12], vm[13], vm[14], vm[15], index, count}
	return append(cs,
		SubtypeVMIDa.community(valueOf(vm[0:6])),
		SubtypeVMIDb.community(valueOf(vm[6:12])),
		SubtypeVMIDc.community(valueOf(last[:])))
}

// readVMID joins the three fragments.
func readVMID(a, b, c value) (vm VMID, index, count uint8) {
	first, second, last := a.octets(), b.octets(), c.octets()
	copy(vm[0:], first[:])
	copy(vm[6:], second[:])
	copy(vm[12:], last[:4])
	return vm, last[4], last[5]
}
