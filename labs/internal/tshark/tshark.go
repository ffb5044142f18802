// Package tshark tells what BGP messages were on a link of a lab, as an outsider reads them.
package tshark

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tns-project/tns/labs/internal/clab"
	"github.com/tns-project/tns/labs/internal/wait"
)

// Message is one BGP message.
type Message struct {
	Source string              // IP address that it came from
	Fields map[string][]string // values by tshark's name of the field, in order
}

// Has reports whether a field of the message has each of the values.
func (m Message) Has(field string, values ...string) bool {
	for _, v := range values {
		if !slices.Contains(m.Fields[field], v) {
			return false
		}
	}
	return true
}

// Capture reads a link until it is stopped. Its methods may be called by several goroutines.
type Capture struct {
	command *exec.Cmd
	stop    context.CancelFunc
	done    chan struct{}

	mu       sync.Mutex
	messages []Message
	failed   error
}

// Start reads what passes an interface of a node, and returns when it has seen a message, a KEEPALIVE at the latest:
// none after that is missed.
func Start(ctx context.Context, l *clab.Lab, node, device string, limit time.Duration) (*Capture, error) {
	ctx, stop := context.WithCancel(ctx)
	// Its files are in the node's own /run, and gone with it.
	c := &Capture{stop: stop, done: make(chan struct{}), command: l.Command(ctx, node,
		"env", "TMPDIR=/run", "tshark", "-l", "-n", "-Q", "-i", device, "-f", "tcp port 179", "-Y", "bgp", "-T", "pdml")}
	stdout, err := c.command.StdoutPipe()
	if err == nil {
		err = c.command.Start()
	}
	if err != nil {
		stop()
		return nil, fmt.Errorf("capture on %s:%s: %w", node, device, err)
	}
	go c.run(stdout)
	err = wait.Until(ctx, limit, fmt.Sprintf("a BGP message on %s:%s", node, device), func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.messages) == 0 {
			return errors.Join(errors.New("tshark has shown none"), c.failed)
		}
		return nil
	})
	if err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

// Messages are those that have passed so far.
func (c *Capture) Messages() []Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.messages)
}

// Stop ends the capture.
func (c *Capture) Stop() {
	c.stop()
	<-c.done
	_ = c.command.Wait() // it was killed
}

// packet, proto and field mirror tshark's PDML. A TCP segment has a proto for each message in it.
type packet struct {
	Protos []proto `xml:"proto"`
}

type proto struct {
	Name   string  `xml:"name,attr"`
	Fields []field `xml:"field"`
}

type field struct {
	Name   string  `xml:"name,attr"`
	Show   string  `xml:"show,attr"`
	Fields []field `xml:"field"`
}

// run reads packets as they are printed.
func (c *Capture) run(r io.Reader) {
	defer close(c.done)
	for d := xml.NewDecoder(r); ; {
		token, err := d.Token()
		if start, ok := token.(xml.StartElement); err == nil && ok && start.Name.Local == "packet" {
			var p packet
			if err = d.DecodeElement(&p, &start); err == nil {
				c.take(p)
			}
		}
		if err != nil {
			c.mu.Lock()
			c.failed = err
			c.mu.Unlock()
			return
		}
	}
}

func (c *Capture) take(p packet) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var source string
	for _, layer := range p.Protos {
		fields := make(map[string][]string)
		collect(fields, layer.Fields)
		switch layer.Name {
		case "ip":
			source = strings.Join(fields["ip.src"], "")
		case "bgp":
			c.messages = append(c.messages, Message{source, fields})
		}
	}
}

// collect flattens a tree of fields.
func collect(into map[string][]string, tree []field) {
	for _, f := range tree {
		if f.Name != "" {
			into[f.Name] = append(into[f.Name], f.Show)
		}
		collect(into, f.Fields)
	}
}
