// Package netns makes the network namespaces and links that labs are built of.
//
// A namespace is named, as `ip netns add` names it, so that whoever looks at a running lab can enter it with
// `ip netns exec`; deleting it by name takes its links, bridges and VXLAN devices with it. Nothing here touches the
// namespace of the caller.
package netns
