#!/bin/bash
# The life of VMs, told step by step with what a user has: tnsctl, ping, ip, bridge, vtysh, gobgp.
# README.md has the drawing. Ends with a table, and exit status 0 only if every check of every step held.
set -u
TOPOLOGY=tns-demo
. "$(dirname "$0")/../lib.sh"

vm1=11111111-0000-4000-8000-000000000001 vm1_mac=02:00:00:00:01:01
red=11111111-0000-4000-8000-00000000000d
vm2=11111111-0000-4000-8000-000000000002 vm2_mac=02:00:00:00:01:02
vm3=11111111-0000-4000-8000-000000000003 vm3_mac=02:00:00:00:01:03
mute=11111111-0000-4000-8000-000000000099 mute_mac=02:00:00:00:01:99
mute_nic=vn=blue,mac=$mute_mac,ip=10.1.0.99
edge1=192.0.2.1 edge2=192.0.2.2
tes1=198.51.100.11

frr=yes
[ -z "${LAB:-}" ] || [ ! -d "$LAB/tes4" ] || frr=no

# Words for what is asked more than once.

# established NODE COUNT: that many BGP sessions of a daemon are up.
established() { [ "$(on "$1" tnsctl sessions | grep -ci ' established ')" -ge "$2" ]; }

# state NODE VM WORD…: `tnsctl vm show` has the words as state or mark (of any of the VM's records there).
state() {
	local node=$1 vm=$2
	shift 2
	on "$node" tnsctl vm show "$vm" >"$scratch/vm" || return 1
	cat "$scratch/vm"
	for word; do grep -Eiq "^(State|Mark) +$word" "$scratch/vm" || return 1; done
}

# mark NODE VM: the mark alone.
mark() { on "$1" tnsctl vm show "$2" | sed -n 's/^Mark  *//p'; }
sequence() { on "$1" tnsctl vm show "$2" | sed -n 's/^Sequence  *//p' | head -1; }
unmarked() { [ "$(mark "$1" "$2")" = - ]; }

# unicast FROM ADDRESS VM MAC EDGE: fifty echo requests are all answered, and fewer frames than that (some are always about:
# ARP, IPv6's multicast) come out of the tunnel at an edge that they are not for.
unicast() {
	local third=$3 before after
	before=$(counter "$third" vx-blue rx)
	on "$1" ping -n -q -c 50 -i 0.01 -W 1 "$2" || return 1
	after=$(counter "$third" vx-blue rx)
	echo "$((after - before)) frames at $third"
	[ $((after - before)) -lt 25 ]
}

# echoes NODE: echo requests that have come to a VM, answered or not.
echoes() { on "$1" nstat -asz IcmpInEchos | awk '/IcmpInEchos/ { print $2 }'; }

# hears NODE EDGE: a hundred echo requests to the silent VM, which answers none, all arrive where it is, and not at the edge.
hears() {
	local before third
	before=$(echoes "$1")
	third=$(counter "$2" vx-blue rx)
	on far ping -n -q -c 100 -i 0.01 -W 0.1 10.1.0.99
	before=$(($(echoes "$1") - before)) third=$(($(counter "$2" vx-blue rx) - third))
	echo "$before echo requests at $1, $third frames at $2"
	[ "$before" -eq 100 ] && [ "$third" -lt 50 ]
}

# stream: start three seconds of echo requests to the silent VM, every 10 to 20 ms (ping sends no faster without answers).
# streamed: wait for the end and count what arrived where. (`go test -run Measured -v ./labs` has a frame each millisecond.)
stream() {
	streamed_before=("$(echoes mute1)" "$(echoes mute2)" "$(echoes mute3)")
	on far ping -n -q -i 0.01 -w 3 10.1.0.99 >"$scratch/stream" 2>&1 &
	streaming=$!
}
streamed() {
	wait "$streaming"
	sent=$(sed -n 's/ packets transmitted.*//p' "$scratch/stream")
	local arrived=0 i n
	for i in 1 2 3; do
		n=$(($(echoes "mute$i") - streamed_before[i - 1]))
		[ "$n" -eq 0 ] || echo "  $n of $sent echo requests arrived at tes$i"
		arrived=$((arrived + n))
	done
	lost=$((sent - arrived))
	echo "  lost: $lost of $sent in 3 s"
}
# lost_less MS: what was lost is less than was sent in so many milliseconds.
lost_less() { echo "$lost lost of $sent"; [ "$sent" -gt 100 ] && [ "$lost" -ge 0 ] && [ $((lost * 3000)) -lt $((sent * $1)) ]; }

# From halt until runs the VM runs nowhere; pause is that in milliseconds.
halt() { halted=$(date +%s%3N); }
runs() { pause=$(($(date +%s%3N) - halted)); }

echo "A demonstration of VM lifecycle signalling over BGP EVPN."
if [ $frr = no ]; then
	echo "FRR is not installed here: a GoBGP reflector and a third edge of ours stand in for it. What FRR's tables say is left out."
fi

step "The network: sessions to TESs and to the fabric"
for tes in tes1 tes2 tes3; do check "$tes has a session to its edge" soon established $tes 1; done
check "edge1 has sessions to two TESs and to the fabric" soon established edge1 3
check "edge2 has sessions to one TES and to the fabric" soon established edge2 2
show edge1 tnsctl sessions
if [ $frr = yes ]; then
	rr_knows() { [ "$(on rr vtysh -c 'show bgp l2vpn evpn summary' | grep -c '^\*192.0.2')" -eq 3 ]; }
	check "FRR's reflector has sessions to all three edges" soon rr_knows
else
	show tes4 tnsctl vm associate --vm 11111111-0000-4000-8000-000000000100 --nic vn=blue,mac=02:00:00:00:03:01,ip=10.1.0.100,ip=2001:db8:1::100
	show tes4 tnsctl vm associate --vm 11111111-0000-4000-8000-00000000010d --nic vn=red,mac=02:00:00:00:03:01,ip=10.1.0.100,ip=2001:db8:1::100
fi
[ "${failed[0]}" -eq 0 ] || { summary; exit 1; } # without sessions there is nothing to see
silent_before=("$(counter mute1 eth1 tx)" "$(counter mute2 eth1 tx)" "$(counter mute3 eth1 tx)")

step "Associate"
echo "  A VM is there, but no edge lets it in: nothing answers."
check "far cannot ping vm1" unanswered far 10.1.0.1
does "tes1 associates vm1" tes1 tnsctl vm associate --vm $vm1 --nic vn=blue,mac=$vm1_mac,ip=10.1.0.1,ip=2001:db8:1::1
does "tes2 associates vm2" tes2 tnsctl vm associate --vm $vm2 --nic vn=blue,mac=$vm2_mac,ip=10.1.0.2
does "tes3 associates vm3" tes3 tnsctl vm associate --vm $vm3 --nic vn=blue,mac=$vm3_mac,ip=10.1.0.3
check "the plain VTEP's kernel has vm1 behind edge1" soon behind vtep vx-blue $vm1_mac $edge1
check "edge2's kernel has vm1 behind edge1" soon behind edge2 vx-blue $vm1_mac $edge1
check "the plain VTEP's kernel has vm3 behind edge2" soon behind vtep vx-blue $vm3_mac $edge2
show far ping -n -c 2 -i 0.2 10.1.0.1
check "far pings vm1" pings far 10.1.0.1
check "vm3, behind the other edge, pings vm1" pings vm3 10.1.0.1
check "vm2, behind the same edge, pings vm1" pings vm2 10.1.0.1
check "no flooded copy reaches edge2" unicast far 10.1.0.1 edge2
show edge1 tnsctl vm list

step "Two virtual networks with the same MAC and IP, kept apart"
does "tes1 associates vm1red" tes1 tnsctl vm associate --vm $red --nic vn=red,mac=$vm1_mac,ip=10.1.0.1
check "the plain VTEP has the MAC behind edge1, in red too" soon behind vtep vx-red $vm1_mac $edge1
check "farred pings the one in red" pings farred 10.1.0.1
apart() { # FROM TO OTHER: what FROM sends arrives at TO and not at OTHER
	local to other
	to=$(counter "$2" eth1 rx) other=$(counter "$3" eth1 rx)
	on "$1" ping -n -q -c 50 -i 0.01 -W 1 10.1.0.1 || return 1
	to=$(($(counter "$2" eth1 rx) - to)) other=$(($(counter "$3" eth1 rx) - other))
	echo "$to frames at $2, $other at $3"
	[ $to -ge 50 ] && [ $other -lt 25 ]
}
check "what far sends arrives in blue only" apart far vm1 vm1red
check "what farred sends arrives in red only" apart farred vm1red vm1

step "IPv6"
show far ping -n -c 2 -i 0.2 2001:db8:1::1
check "far pings vm1's IPv6 address" pings far 2001:db8:1::1
check "no flooded copy reaches edge2" unicast far 2001:db8:1::1 edge2
if [ $frr = yes ]; then
	has_ipv6() { on rr vtysh -c 'show bgp l2vpn evpn route type macip' | grep "$vm1_mac.*2001:db8:1::1"; }
	check "FRR's reflector has the route with MAC and IPv6 address" soon has_ipv6
fi

step "Suspend: unreachable, resources held, what it sends is dropped"
drops() { on edge1 tnsctl fdb --vn blue | awk '$3 == "port" && $6 == "tes1-blue" { print $10 }'; }
does "tes1 suspends vm1" tes1 tnsctl vm suspend --vm $vm1
check "the plain VTEP's kernel has forgotten vm1" soon forgotten vtep vx-blue $vm1_mac
check "edge2's kernel has forgotten vm1" soon forgotten edge2 vx-blue $vm1_mac
check "far cannot ping vm1" unanswered far 10.1.0.1
check "vm2, behind the same edge, cannot ping vm1" unanswered vm2 10.1.0.1
check "edge1 holds it as suspended" state edge1 $vm1 suspended
show edge1 tnsctl vm show $vm1
dropped=$(drops) in=$(counter edge1 tes1-blue rx) out=$(counter edge1 vx-blue tx)
on vm1 ping -n -q -c 50 -i 0.01 -W 0.1 10.1.0.100 >/dev/null
in=$(($(counter edge1 tes1-blue rx) - in)) out=$(($(counter edge1 vx-blue tx) - out)) dropped=$(($(drops) - dropped))
echo "  vm1 goes on sending: $in frames came to edge1, $dropped were dropped and counted, $out left it"
still_sends() { [ $in -ge 3 ] && [ $dropped -ge 3 ] && [ $out -lt 3 ]; }
check "all that vm1 sends is dropped and counted" still_sends

step "Resume"
does "tes1 resumes vm1" tes1 tnsctl vm resume --vm $vm1
check "the plain VTEP's kernel has vm1 behind edge1 again" soon behind vtep vx-blue $vm1_mac $edge1
check "far pings vm1" soon pings far 10.1.0.1
check "no flooded copy reaches edge2" unicast far 10.1.0.1 edge2

step "Live migration of a silent VM inside one edge, tes1 to tes2"
echo "  It hears but sends nothing: no table can learn from it where it is."
does "tes1 associates the silent VM" tes1 tnsctl vm associate --vm $mute --nic $mute_nic
check "the plain VTEP has it behind edge1" soon behind vtep vx-blue $mute_mac $edge1
check "it hears at tes1, and edge2 has no flooded copy" hears mute1 edge2
does "tes2 prepares" tes2 tnsctl vm pre-associate --vm $mute --immigration --nic $mute_nic
stream
halt
does "tes1 lets go" tes1 tnsctl vm emigrate --vm $mute
does "tes2 takes over" tes2 tnsctl vm associate --vm $mute --immigration --nic $mute_nic
runs
does "tes1 cleans up" tes1 tnsctl vm terminate --vm $mute
streamed
check "a gap of less than half a second beside the VM's own pause of $pause ms" lost_less $((pause + 500))
check "the plain VTEP has it behind edge1 still" behind vtep vx-blue $mute_mac $edge1
check "it hears at tes2, and edge2 has no flooded copy" hears mute2 edge2

step "Live migration of a silent VM to another edge, tes2 to tes3"
does "tes3 prepares" tes3 tnsctl vm pre-associate --vm $mute --immigration --nic $mute_nic
check "edge2 holds it as pre-associated" state edge2 $mute pre-associated
check "traffic stays with edge1" behind vtep vx-blue $mute_mac $edge1
stream
halt
does "tes2 lets go" tes2 tnsctl vm emigrate --vm $mute
does "tes3 takes over" tes3 tnsctl vm associate --vm $mute --immigration --nic $mute_nic
runs
does "tes2 cleans up" tes2 tnsctl vm terminate --vm $mute
streamed
check "a gap of less than half a second beside the VM's own pause of $pause ms" lost_less $((pause + 500))
check "the plain VTEP has it behind edge2" soon behind vtep vx-blue $mute_mac $edge2
check "edge1's kernel has it behind edge2" soon behind edge1 vx-blue $mute_mac $edge2
check "it hears at tes3, and edge1 has no flooded copy" hears mute3 edge1
show vtep bridge fdb show dev vx-blue

step "A migration that fails is rolled back"
does "tes1 prepares" tes1 tnsctl vm pre-associate --vm $mute --immigration --nic $mute_nic
does "tes3 lets go" tes3 tnsctl vm emigrate --vm $mute
does "the VM never starts at tes1, which cleans up" tes1 tnsctl vm terminate --vm $mute
does "tes3 resumes it" tes3 tnsctl vm resume --vm $mute
check "the plain VTEP has it behind edge2" soon behind vtep vx-blue $mute_mac $edge2
check "edge1's kernel has it behind edge2" soon behind edge1 vx-blue $mute_mac $edge2
check "it hears at tes3, and edge1 has no flooded copy" hears mute3 edge1

step "kill -9 of tesd: traffic goes on"
before=$(sequence edge1 $vm1)
on far ping -n -q -c 300 -i 0.01 -W 1 10.1.0.1 >"$scratch/stream" &
streaming=$!
on tes1 sh -c 'kill -9 $(cat /run/lab/tesd.pid)'
check "edge1 marks vm1 as orphaned" soon state edge1 $vm1 associated orphaned
show edge1 tnsctl vm list
wait $streaming
sed -n 's/^\(.*transmitted.*\)/  while tesd was dead: \1/p' "$scratch/stream"
check "not one echo was lost" grep -q ' 0% packet loss' "$scratch/stream"
check "vm1 is orphaned still" state edge1 $vm1 associated orphaned
check "tesd starts again" on tes1 sh /run/lab/start
check "the mark goes, the state stays" soon unmarked edge1 $vm1
same_request() { [ "$(sequence edge1 $vm1)" = "$before" ]; }
check "it is the same request, with the same sequence" same_request
check "far pings vm1" pings far 10.1.0.1
check "the plain VTEP has it behind edge1" behind vtep vx-blue $vm1_mac $edge1

step "What gobgp shows, of both daemons, and that it may only read"
fabric="--target unix:///run/tns/nved-gobgp.sock" tes="--target unix:///run/tns/nved-tes-gobgp.sock" own="--target unix:///run/tns/tesd-gobgp.sock"
if gobgp --help >/dev/null 2>&1; then
	rib() { on "$1" gobgp $2 global rib -a evpn | grep "$3"; }
	adj_in() { on edge1 gobgp $tes neighbor $tes1 adj-in -a evpn | grep "$vm1_mac"; }
	refused() { on "$1" gobgp $2 global rib add -a evpn multicast 203.0.113.1 etag 0 rd 1:1 2>&1 | grep -i read-only; }
	show edge1 gobgp $fabric global rib -a evpn
	show edge1 gobgp $tes neighbor
	show edge1 gobgp $tes neighbor $tes1 adj-in -a evpn
	show tes1 gobgp $own global rib -a evpn
	check "edge1's fabric table has vm1" rib edge1 "$fabric" $vm1_mac
	check "what came from tes1 has the request for vm1" adj_in
	check "tes1's table has the request for vm1" rib tes1 "$own" $vm1_mac
	check "edge1 refuses a write" refused edge1 "$fabric"
	check "edge1 refuses a write towards its TESs" refused edge1 "$tes"
	check "tes1 refuses a write" refused tes1 "$own"
else
	echo "  gobgp is not installed here: left out."
	check "tnsctl shows the sessions instead" established edge1 3
fi
if [ $frr = yes ]; then
	show rr vtysh -c 'show bgp l2vpn evpn route type macip'
	foreign() { on rr vtysh -c 'show bgp l2vpn evpn route type macip' | grep -E '^ +(RT|ET|MM|Default)' | tr -s ' ' '\n' | grep -vE '^(|RT:65000:10[12]00|ET:8|MM:[0-9]+)$'; }
	check "FRR sees standard communities only" not foreign
fi

step "What explain tells"
show edge1 tnsctl vm explain $mute
explains() { on "$1" tnsctl vm explain $mute | grep -i "$2"; }
check "edge1 tells of the request to emigrate" explains edge1 emigrate
check "edge2 tells of the request to associate" explains edge2 associate

step "kill -9 of edge1's engine, five times: no peer notices"
echo "  nved keeps its sessions in a process of their own. The other one has everything else, GoBGP too."
# uptimes: since when each session of edge1 stands, as its peers tell; received: the UPDATEs that FRR has had from edge1.
uptimes() {
	for tes in tes1 tes2; do on $tes tnsctl --json sessions | sed -n 's/ *"since": *//p'; done
	[ $frr = no ] || on rr vtysh -c 'show bgp neighbors 192.0.2.1 json' | grep -E '"(connectionsEstablished|connectionsDropped)"'
}
received() { [ $frr = no ] || on rr vtysh -c 'show bgp neighbors 192.0.2.1 json' | grep '"updatesRecv"'; }
same_uptimes() { echo "$uptimes_before"; uptimes; [ "$(uptimes)" = "$uptimes_before" ]; }
same_received() { echo "$received_before"; received; [ "$(received)" = "$received_before" ]; }
restarts() { on edge1 tnsctl --json sessions | grep -c "\"engine_restarts\": $1"; }
all_restarted() { [ "$(restarts "$1")" -eq 3 ]; }
uptimes_before=$(uptimes) received_before=$(received)
on far ping -n -q -c 300 -i 0.01 -W 1 10.1.0.1 >"$scratch/stream" &
streaming=$!
for i in 1 2 3 4 5; do
	check "the engine is killed" on edge1 pkill -9 -f '^[^ ]*nved engine$'
	check "another one is behind all three sessions" soon all_restarted $i
done
does "tes1 is answered" tes1 tnsctl vm keep-alive --vm $vm1
wait $streaming
sed -n 's/^\(.*transmitted.*\)/  meanwhile: \1/p' "$scratch/stream"
check "not one echo was lost" grep -q ' 0% packet loss' "$scratch/stream"
show edge1 tnsctl sessions
check "each session stands since when it stood before" same_uptimes
check "FRR has had no UPDATE" same_received
check "the plain VTEP has vm1 behind edge1" behind vtep vx-blue $vm1_mac $edge1

step "Terminate"
for i in 1 2 3; do
	vm=vm$i
	does "tes$i terminates vm$i" tes$i tnsctl vm terminate --vm "${!vm}"
done
does "tes1 terminates vm1red" tes1 tnsctl vm terminate --vm $red
does "tes3 terminates the silent VM" tes3 tnsctl vm terminate --vm $mute
for mac in $vm1_mac $vm2_mac $vm3_mac $mute_mac; do
	check "the plain VTEP's kernel has forgotten $mac" soon forgotten vtep vx-blue $mac
done
check "in red, too" soon forgotten vtep vx-red $vm1_mac
check "far cannot ping vm1" unanswered far 10.1.0.1
silent_now=("$(counter mute1 eth1 tx)" "$(counter mute2 eth1 tx)" "$(counter mute3 eth1 tx)")
echo "  frames that the silent VM sent, before and after, in its three places: ${silent_before[*]} and ${silent_now[*]}"
stayed_silent() { [ "${silent_before[*]}" = "${silent_now[*]}" ]; }
check "the silent VM sent nothing all the time" stayed_silent

summary
