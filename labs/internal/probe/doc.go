// Package probe sends numbered Ethernet frames one way, a millisecond apart, and tells which of them arrived where.
//
// The frames have the EtherType 0x88B5 (IEEE local experimental): no station answers them, so the VM that they are sent
// to can stay silent, and no table learns from an answer what the control plane should have put there. Any number of
// taps may listen: at the places where a VM can be, where its frames are lost and duplicated is judged over all of them
// together; and at an edge that should see nothing, where each frame is a flooded copy.
package probe
