# What the labs' scripts share: commands in nodes, checks that are counted, a summary at the end.
# Sourced by run.sh of a lab, which the runner starts with LAB (one directory a node) in the environment; without LAB the
# nodes are containers of containerlab, named clab-$TOPOLOGY-NODE.

# on NODE COMMAND…: run a command in a node.
on() {
	local node=$1
	shift
	if [ -n "${LAB:-}" ]; then
		nsenter -t "$(cat "$LAB/$node/pid")" -m -u -n -p -- "$@"
	else
		docker exec "clab-$TOPOLOGY-$node" "$@"
	fi
}

# show NODE COMMAND…: the same, and print command and output.
show() {
	local node=$1 status=0
	shift
	echo "  $node\$ $*"
	on "$node" "$@" >"$scratch/shown" 2>&1 || status=$?
	sed 's/^/    /' "$scratch/shown"
	return $status
}

# step TITLE: a new line of the summary; the text that explains it is the script's to echo.
step() {
	steps+=("$1")
	failed+=(0)
	checks+=(0)
	printf '\n== %d. %s\n' "${#steps[@]}" "$1"
}

# check WHAT COMMAND…: the command must succeed. It is a function of the script or a command of the machine.
check() {
	local what=$1 now=$((${#steps[@]} - 1))
	shift
	checks[now]=$((checks[now] + 1))
	if "$@" >"$scratch/check" 2>&1; then
		echo "  ok      $what"
	else
		failed[now]=$((failed[now] + 1))
		echo "  FAILED  $what"
		sed 's/^/          /' "$scratch/check"
	fi
}

# does WHAT NODE COMMAND…: a command that a user types, shown with its output; it must succeed.
does() {
	local what=$1
	shift
	if show "$@"; then check "$what" true; else check "$what" false; fi
}

# not COMMAND…: it must fail.
not() { ! "$@"; }

# soon COMMAND…: it must succeed within ten seconds.
soon() {
	local end=$((SECONDS + 10))
	until "$@" >"$scratch/soon" 2>&1; do
		if [ "$SECONDS" -ge "$end" ]; then
			cat "$scratch/soon"
			return 1
		fi
		sleep 0.05
	done
}

# summary: the table; its exit status is the script's.
summary() {
	local i bad=0 word
	printf '\n%-4s %-66s %s\n' '' STEP HELD
	for i in "${!steps[@]}"; do
		word="yes, ${checks[i]} checks"
		if [ "${failed[i]}" -gt 0 ] || [ "${checks[i]}" -eq 0 ]; then
			word="NO, ${failed[i]} of ${checks[i]} checks failed"
			bad=1
		fi
		printf '%-4s %-66s %s\n' "$((i + 1))." "${steps[i]}" "$word"
	done
	printf '\n%d s.\n' "$SECONDS"
	return $bad
}

# counter NODE INTERFACE rx|tx: frames so far.
counter() { on "$1" cat "/sys/class/net/$2/statistics/$3_packets"; }

# pings NODE ADDRESS: answered. unanswered NODE ADDRESS: not one of four echo requests is.
pings() { on "$1" ping -n -c 3 -i 0.1 -W 2 "$2"; }
unanswered() { not on "$1" ping -n -c 4 -i 0.1 -W 0.5 "$2"; }

# behind NODE VXLAN MAC VTEP: the kernel has the MAC behind that VTEP, in the table of the VXLAN device and in the bridge's.
behind() {
	on "$1" bridge fdb show dev "$2" >"$scratch/fdb"
	grep "^$3 " "$scratch/fdb"
	grep -q "^$3 .*dst $4 .*self" "$scratch/fdb" && grep "^$3 " "$scratch/fdb" | grep -q master
}

# forgotten NODE VXLAN MAC: it is in neither.
forgotten() {
	on "$1" bridge fdb show dev "$2" >"$scratch/fdb"
	not grep "^$3 " "$scratch/fdb"
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM
steps=() failed=() checks=()
