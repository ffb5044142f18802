// Package tag has the kernel's ways to tell the frames of several VNs on one port apart by their VID: a Tagger for each dataplane.Mode that is tagged.
//
//	trunk eth1 ── VID 100 ──► the bridge port of eth1 in VN blue ── br10100
//	           ── VID 200 ──► the bridge port of eth1 in VN red  ── br10200
//
//	mode        what is in the bridge        how its VID is told                     needs
//	ebpf        one end of a pair of veth    programs at the trunk and the pair      eBPF in tc
//	vlan-aware  the trunk itself             two filters of tc at the trunk          those of tc, VLAN filtering, and VXLAN with VNI filters (Linux 5.18)
//	dot1q       a VLAN device of the kernel  two filters of tc at the trunk          8021q, cls_flower, cls_matchall, act_vlan, act_gact
//
// A frame that enters a bridge bears no tag, and neither does one that leaves it: the Tagger takes the tag off and puts it on. What it puts on has the
// frame's skb->priority, 0 to 7, as PCP. A frame without a tag, or with a VID that no VN has on that port, is dropped and counted.
package tag
