// Package linux keeps a dataplane in the Linux kernel: a bridge and a VXLAN device per VN, forwarding entries in the
// tables of both, neighbours of the bridge for ARP and ND suppression, an nftables table of what each VM may send and get, and
// programs and queues of tc for its rates.
//
//	      VM port                    VM port         from a VM: limit (tc), then active source, spoofed addresses, access list (nft)
//	         │                          │            to a VM: access list (nft), then limit and guarantee (tc)
//	┌────────┴──────────────────────────┴────────┐
//	│ bridge      MAC ─► port                    │   locked ports: a source without an entry is dropped
//	│             MAC ─► VXLAN device            │   no learning, no unknown unicast towards VM ports
//	└────────────────────┬───────────────────────┘   nft ingress: frames for the edge itself are dropped
//	              VXLAN device   MAC ─► VTEP         neigh_suppress: known ARP and ND are answered here
//	                             00:… ─► VTEP, VTEP  the flood list
//
// What goes where:
//
//   - Unicast, local: bridge table, on the port; and the port's set of active sources.
//   - Unicast, remote: what the bridge has on a port is written to the VXLAN device's table (to the VTEP), then to the bridge's (to the device). In this
//     order a frame never meets a device that does not know where to send it and floods it. What is new, and so flooded anyhow, or changes its VTEP,
//     is one message for both tables.
//   - Flood: a destination of the all-zero MAC in the VXLAN device's table.
//   - Neighbor: the bridge's neighbour table.
//   - Port: bcast_flood and mcast_flood of the bridge port.
//   - Policy: chains, maps and sets of package nft; programs, maps and classes of package tc.
//   - Tag: package tag. What stands for a tagged port in a VN is made by Ensure, and then is a VM port like any other.
//
// A MAC that changes sides is replaced in place: at no moment does the bridge not know it.
//
// # Policies
//
// A policy is in the kernel from when it is set, and frames meet it while it is in force: while the verdict maps of its port name its chains, and its
// buckets and its class are there. In one Apply that is so before the unicast entry of its MAC is written, and until that is gone. A policy that replaces
// another does so in one transaction of nftables; its limits and its guarantee change by themselves, each in one step, before.
//
// A VM's own MAC in ARP and neighbour discovery is checked for each active source, with a policy or without.
//
// Without nftables, and without tc's programs or HTB, a policy that needs them cannot be set, and so cannot the local unicast entry of its MAC. One that asks for
// spoof protection alone can: the locked port has the part of it that is about the source MAC.
//
// # One bridge for many VNs
//
// The VNs of VLAN-aware ports share a bridge with VLAN filtering and a VXLAN device that is told the VNI of each frame:
//
//	trunk   VIDs on the link ◄─ tc ─► VLANs │ bridge │ VLAN ─► VNI   VXLAN device, external, with a filter of VNIs
//
// Each VN has a VLAN of its own inside. It stands for the VN in the bridge's table, the VNI in that of the VXLAN device, and the VLAN's device on the
// bridge, tns-v10100, has the neighbours. On the trunk a Port entry is the state of the VLAN there: closed, it forwards nothing at all. Which VLAN a VN has
// is read from the VXLAN device and stays over restarts. A VN without such a port has a bridge of its own, beside the shared one.
//
// What nftables does goes by the device, and a trunk is one device for all its VNs: on a trunk of this kind sources are kept out by the locked port alone,
// uncounted, and a policy that asks for more than that is refused.
//
// # Whose an entry is
//
// Entries carry NTF_EXT_LEARNED, the kernel's mark of a control plane. On the devices of the networks given to Ensure, an
// entry with the mark is ours: it is listed, and pruned when nobody wants it. Without the mark it is somebody else's and is
// never removed; only a Set of the same key takes it over. Where the mark does not reach:
//
//   - The VXLAN device does not mark an entry that is there already. So its entry of a MAC is ours, too, if the bridge's is.
//   - The flood list is one entry of the kernel with one mark for all its VTEPs. All of it is ours.
//   - A port has no mark. Those named to Ensure are ours.
//   - What stands for a tagged port in a VN is marked by its alias; where no network of Ensure has it, it is removed.
//
// # The edge is no member of the VN
//
// It sends no frame of its own into it: its devices have no IPv6 addresses, and the bridges it made no multicast
// snooping, which sends reports. And it takes none: on bridges that have no address, frames for the edge itself are
// dropped. Suppression works without, since the bridge answers by itself. Where nftables is missing, only the first half
// of this holds.
//
// # What is known
//
// What a full pass found and what was written since is kept. As long as nobody else has changed anything of it, which notifications tell, it is what the kernel
// would say, and an entry is deleted without asking whose it is. Before some hundred entries are planned, whatever was notified is read, so that only what others do in the
// moment until those are written can be missed, as it could with asking; then, too, a deletion names the device that the entry was on. After a foreign change or an overrun the kernel is asked, until the next full pass.
//
// Notifications of our own writes do not get as far as that: a program on the socket drops what says exactly what the batch under way writes (echoes.go).
// Where it cannot be loaded, they are read and compared.
//
// Of many entries, some hundred are planned while those before them are written: the kernel takes longer for an entry than everything else, and need not wait for it (plan.go).
//
// # Repair
//
// Devices and entries that somebody changes are signalled by the kernel and made good in a full pass. Changes of our
// nftables table, and of what tc holds of ours, are not signalled: they are made good in the next full pass, or when a write meets them.
package linux
