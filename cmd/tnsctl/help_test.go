package main

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// leaves are the commands that do something.
func leaves(c *cobra.Command) []*cobra.Command {
	if !c.HasSubCommands() {
		return []*cobra.Command{c}
	}
	var all []*cobra.Command
	for _, sub := range c.Commands() {
		all = append(all, leaves(sub)...)
	}
	return all
}

// Each command has an example, and each example is a command line that makes sense.
func TestExamples(t *testing.T) {
	root := func() *cobra.Command { return (&app{out: io.Discard, err: io.Discard}).root() }
	for _, c := range leaves(root()) {
		t.Run(c.CommandPath(), func(t *testing.T) {
			if c.Short == "" || c.Example == "" {
				t.Fatalf("short %q, example %q; want both", c.Short, c.Example)
			}
			shown := false
			for line := range strings.Lines(strings.ReplaceAll(c.Example, "\\\n", " ")) {
				for part := range strings.SplitSeq(line, "|") {
					words := strings.Fields(part)
					if len(words) == 0 || words[0] != "tnsctl" {
						continue
					}
					for i, w := range words {
						if strings.HasPrefix(w, ">") {
							words = words[:i]
							break
						}
					}
					found, rest, err := root().Find(words[1:])
					if err != nil {
						t.Fatalf("%s: %v", part, err)
					}
					shown = shown || found.CommandPath() == c.CommandPath()
					if err := found.ParseFlags(rest); err != nil {
						t.Errorf("%s: %v", part, err)
					}
					if err := found.ValidateArgs(found.Flags().Args()); err != nil {
						t.Errorf("%s: %v", part, err)
					}
				}
			}
			if !shown {
				t.Errorf("no example shows the command itself:\n%s", c.Example)
			}
		})
	}
}
