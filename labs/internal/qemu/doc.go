// Package qemu runs Go tests on Debian's kernel, which has what the kernel of this machine may lack: VLAN filtering, 802.1Q devices.
//
// A guest of QEMU, without hardware help, boots the kernel with everything that the tests need in memory: there is no disk and no network.
// What the tests say comes back on a serial port and becomes subtests of the host's test.
//
//	Kernel   Debian's package, without installing it; kept in the user's cache directory
//	image    initramfs: busybox, tools with their libraries, modules with those they need, test binaries
//	init.sh  the guest's first process: mounts, runs the test binaries, ends the guest
//	Run      boots, reads both serial ports, and turns the results into subtests
//
// The first serial port is the console: the kernel's words and init's. The second carries the results alone, as `go tool test2json` reads
// them, so that no message of the kernel falls into a line of them. A guest that hangs, ends early or says nothing is a failure that shows
// the console.
//
// It needs Debian's qemu-system-x86, busybox-static, cpio and kmod, and for the first run apt-get with a mirror.
package qemu
