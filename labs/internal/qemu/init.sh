#!/bin/busybox sh
# The guest's first process. The console tells what goes on here; /dev/ttyS1 carries the tests' output and nothing else.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
ln -s /proc/self/fd /dev/fd
ip link set lo up
stty -F /dev/ttyS1 raw -echo
echo "guest: $(uname -r), $(cut -d' ' -f1 /proc/uptime) s after its start"
for dir in /tests/*; do
	echo "guest: begin ${dir#/tests/}"
	echo "guest: begin ${dir#/tests/}" >/dev/ttyS1
	set --
	while read -r arg; do
		set -- "$@" "$arg"
	done <"$dir/args"
	cd "$dir" && ./binary "$@" >/dev/ttyS1 2>&1
	status=$?
	printf '\nguest: end %s status %s\n' "${dir#/tests/}" $status >/dev/ttyS1
	echo "guest: end ${dir#/tests/} status $status, $(cut -d' ' -f1 /proc/uptime) s after its start"
done
echo "guest: done"
echo "guest: done" >/dev/ttyS1
reboot -f
