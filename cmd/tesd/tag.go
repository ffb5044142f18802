package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/tns-project/tns/config"
	"github.com/tns-project/tns/dataplane/linux/tag"
	"github.com/tns-project/tns/evpn"
	lifetag "github.com/tns-project/tns/lifecycle/tag"
)

// errUntaggable is what is answered to a VID where nothing is configured that could put it on.
var errUntaggable = errors.New("tagging.mode is none: nothing here puts a VID on frames")

// tagger applies local tags: in this machine's kernel, by a command, or both. It is a tes.TagApplier. The kernel has a tag at once; commands run one by one, in Run, of several
// tags for one MAC the newest.
type tagger struct {
	config config.Tagging
	vns    []config.VN
	host   *tag.Host // nil: not in the kernel
	log    *logrus.Entry

	mu    sync.Mutex
	queue []order
	wake  chan struct{}
}

// order is a tag that waits for its command.
type order struct {
	vm     evpn.VMID
	vn     string
	mac    evpn.MAC
	tag    evpn.LocalTag
	answer func(error) // nil: the tag has ended
}

func newTagger(c *config.TES, log *logrus.Entry) (*tagger, error) {
	t := &tagger{config: c.Tagging, vns: c.VNs, log: log, wake: make(chan struct{}, 1)}
	var err error
	switch c.Tagging.Mode {
	case config.EBPFTagging:
		t.host, err = tag.NewEBPFHost(c.Tagging.Uplink, lifetag.Patience)
	case config.Dot1QTagging:
		t.host, err = tag.NewDot1QHost(c.Tagging.Uplink, lifetag.Patience)
	}
	if err != nil {
		return nil, fmt.Errorf("tag on %s: %w", c.Tagging.Uplink, err)
	}
	return t, nil
}

// ApplyTag has the kernel use the tag, and a command run if there is one.
func (t *tagger) ApplyTag(vm evpn.VMID, vn string, mac evpn.MAC, told evpn.LocalTag, answer func(error)) {
	if err := t.inKernel(vn, mac, told); err != nil || len(t.config.Command) == 0 {
		answer(err)
		return
	}
	t.order(order{vm, vn, mac, told, answer})
}

// EndTag has the kernel forget the PCP, and the command told that the tag is over.
func (t *tagger) EndTag(vm evpn.VMID, vn string, mac evpn.MAC, told evpn.LocalTag) {
	if v, vni, known := t.vn(vn); known && t.host != nil && told.Type != evpn.TagNone {
		if err := t.host.End(vni, mac); err != nil {
			t.log.WithError(err).WithField("vm", vm).WithField("vn", v.Name).Warn("the priority of a VM that has ended stays")
		}
	}
	if len(t.config.Command) > 0 {
		t.order(order{vm, vn, mac, told, nil})
	}
}

// order has a command run. Nobody waits for one before, of the same MAC, any more.
func (t *tagger) order(o order) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, before := range t.queue {
		if before.vm == o.vm && before.vn == o.vn && before.mac == o.mac {
			t.queue[i] = o
			return
		}
	}
	t.queue = append(t.queue, o)
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *tagger) inKernel(name string, mac evpn.MAC, told evpn.LocalTag) error {
	switch {
	case told.Type == evpn.TagNone:
		return nil // as frames are by themselves; they do not leave by the uplink
	case t.host != nil:
	case t.config.Mode == config.NoTagging:
		return errUntaggable
	default:
		return nil
	}
	vn, vni, known := t.vn(name)
	if !known {
		return fmt.Errorf("VN %q is not configured", name)
	}
	return t.host.Apply(vni, vn.Bridge, mac, told.VID, told.PCP)
}

// vn is a configured VN, and the number that its devices are named by.
func (t *tagger) vn(name string) (vn config.VN, vni uint32, known bool) {
	for i, vn := range t.vns {
		if vn.Name != name {
			continue
		}
		if vn.VNI == 0 {
			return vn, 1<<24 - 1 - uint32(i), true
		}
		return vn, uint32(vn.VNI), true
	}
	return vn, 0, false
}

// Run runs the commands until ctx ends.
func (t *tagger) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.wake:
		}
		for o, ok := t.next(); ok && ctx.Err() == nil; o, ok = t.next() {
			err := t.command(ctx, o)
			switch {
			case o.answer != nil:
				o.answer(err)
			case err != nil:
				t.log.WithError(err).WithField("vm", o.vm).WithField("vn", o.vn).Warn("the command could not end a tag")
			}
		}
	}
}

func (t *tagger) next() (o order, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		return o, false
	}
	o, t.queue = t.queue[0], t.queue[1:]
	return o, true
}

// command runs the command for one tag. Its output is shown where it fails.
func (t *tagger) command(ctx context.Context, o order) error {
	ctx, cancel := context.WithTimeout(ctx, t.config.Timeout)
	defer cancel()
	c := exec.CommandContext(ctx, t.config.Command[0], t.config.Command[1:]...)
	c.WaitDelay = t.config.Timeout // for what it leaves behind with its output open
	action := "apply"
	if o.answer == nil {
		action = "end"
	}
	c.Env = append(os.Environ(),
		"TNS_ACTION="+action, "TNS_VM="+o.vm.String(), "TNS_VN="+o.vn, "TNS_MAC="+o.mac.String(),
		fmt.Sprintf("TNS_TYPE=%d", o.tag.Type), fmt.Sprintf("TNS_VID=%d", o.tag.VID), fmt.Sprintf("TNS_PCP=%d", o.tag.PCP))
	out, err := c.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s has not ended in %v", t.config.Command[0], t.config.Timeout)
	}
	const most = 200
	text := strings.TrimSpace(string(out[:min(len(out), most)]))
	if text == "" {
		return fmt.Errorf("%s: %w", t.config.Command[0], err)
	}
	return fmt.Errorf("%s: %w: %s", t.config.Command[0], err, text)
}
