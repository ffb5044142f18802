package config

import "fmt"

// hostTagging checks how a hypervisor applies tags.
func (c *checker) hostTagging(raw *rawTagging) Tagging {
	t := Tagging{
		Mode:    preset(c, "tagging.mode", raw.Mode, taggingMode),
		Timeout: preset(c, "tagging.timeout", raw.Timeout, tagTimeout),
	}
	if t.Mode.InKernel() {
		t.Uplink, _ = need(c, "tagging.uplink", raw.Uplink, deviceName)
	} else {
		t.Uplink, _ = allow(c, "tagging.uplink", raw.Uplink, deviceName)
	}
	if len(raw.Command) == 0 && t.Mode == HookTagging && c.sound("tagging.command") {
		c.report("tagging.command", nil, "missing", "want the command and its arguments, such as [/usr/local/bin/tag]")
	}
	if len(raw.Command) > 0 {
		t.Command = raw.Command
		allow(c, "tagging.command[0]", &raw.Command[0], tagCommand)
	}
	return t
}

// hostBridges checks the bridges that VMs are in, which tagging in the kernel needs, each for one VN.
func (c *checker) hostBridges(raw []rawHostVN, t *TES) {
	names := firsts[string]{}
	for i := range raw {
		key := join(index("vns", i), "bridge")
		if t.Tagging.Mode.InKernel() {
			t.VNs[i].Bridge, _ = need(c, key, raw[i].Bridge, deviceName)
		} else {
			t.VNs[i].Bridge, _ = allow(c, key, raw[i].Bridge, deviceName)
		}
		if name := t.VNs[i].Bridge; name != "" {
			names.once(c, name, key, raw[i].Bridge, "want one for each VN")
			if name == t.Tagging.Uplink {
				c.report(key, raw[i].Bridge, "the uplink", fmt.Sprintf("want the bridge that VMs of %q are in", t.VNs[i].Name))
			}
		}
	}
}
