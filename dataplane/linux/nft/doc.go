// Package nft keeps what a Linux kernel checks of each frame of a VM: one nftables table of the family netdev, with a chain before and behind
// every VM port.
//
//	table netdev tns {
//		set eth1       { type ether_addr; elements = { 02:…:01 } }                 the sources that are active on port eth1
//		map eth1/from  { type ether_addr : verdict; elements = { 02:…:01 : goto eth1/0200…01/<digest>/from } }
//		map eth1/to    { type ether_addr : verdict; elements = { 02:…:01 : goto eth1/0200…01/<digest>/to } }
//
//		chain eth1 {                                                               frames from the VMs
//			type filter hook ingress device "eth1" priority -300; policy accept;
//			ether saddr != @eth1 counter drop
//			jump tns/spoof
//			ether saddr vmap @eth1/from
//		}
//		chain eth1/to {                                                            frames to the VMs, made with the first policy that needs it
//			type filter hook egress device "eth1" priority -300; policy accept;
//			ether daddr vmap @eth1/to
//			ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 goto eth1/group
//		}
//		chain eth1/group { jump eth1/0200…01/<digest>/acl; …; counter drop }       empty where a VM takes all of them
//
//		chain eth1/0200…01/<digest>/from { counter; set DSCP; set PCP; the rules }
//		chain eth1/0200…01/<digest>/to   { set PCP; set the mark of its class; jump …/acl; counter drop }
//		chain eth1/0200…01/<digest>/acl  { the rules: allow is accept, deny is return }
//
//		chain tns/spoof, tns/arp, tns/ipv4, tns/ipv6, tns/nd …                     the same for all ports
//		set tns/own    { type ifname . ether_addr . ether_addr }                   per active source: an address is its own
//		set tns/bound4, tns/bound6 { type ifname . ether_addr }                    who has bound addresses of a family
//		set tns/addr4, tns/addr6   { type ifname . ether_addr . ipv4_addr }        which
//		set tns/spoofed, tns/ports                                                 with counters: what was dropped, by source and by port
//
//		chain br10100 { type filter hook ingress device "br10100" priority -300; policy drop; }
//	}
//
// A frame costs a few look-ups, however many VMs are behind a port. A VM's chains are there when its policy is prepared; in force is what the
// maps and the sets tns/… name. All changes of one Apply are one transaction.
//
// # What is whole
//
// The name of a chain has the policy's digest. Each rule bears, as its comment, its place, the number of rules and a hash of itself, and the first of a
// policy also a hash of the source addresses, so that a program that starts anew can tell what is there without knowing what should be. What somebody
// else changed is noticed by the kernel's generation of rules, and then looked for.
package nft
