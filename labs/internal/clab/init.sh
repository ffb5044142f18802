# Process 1 of a node. It runs in new mount, PID and UTS namespaces and in the node's network namespace, with the
# node's directory on the machine as its working directory, and makes the rest of the node:
# NODE is the name; LIFE is how long to live: "forever", or "stdin" until standard input closes.
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mkdir -p /run/lab /run/lock /run/tns
mount --bind "$DIRECTORY" /run/lab
for d in /etc /var/lib; do
	mkdir -p "/run/overlay$d/upper" "/run/overlay$d/work"
	mount -t overlay overlay -o "lowerdir=$d,upperdir=/run/overlay$d/upper,workdir=/run/overlay$d/work" "$d"
done
mkdir -p /etc/tns /var/lib/tns
cd /
hostname "$NODE"
ip link set lo up
# binds: source, target, source, target ...
while [ $# -gt 1 ]; do
	mkdir -p "${2%/*}"
	if [ -d "$1" ]; then mkdir -p "$2"; else touch "$2"; fi
	mount --bind "$1" "$2"
	shift 2
done
echo ready
exec 1>/dev/null
# Not exec: the shell stays, as process 1 it buries the orphans.
if [ "$LIFE" = stdin ]; then
	cat >/dev/null
else
	while :; do sleep 86400; done
fi
