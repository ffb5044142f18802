package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tns-project/tns/evpn"
)

// vm is everything about VMs.
func (a *app) vm() *cobra.Command {
	c := &cobra.Command{
		Use:   "vm",
		Short: "Tell what a VM does, or ask about VMs",
	}
	group(c)
	for _, o := range operations {
		c.AddCommand(a.operation(o))
	}
	c.AddCommand(a.vmList(), a.vmShow(), a.vmExplain())
	return c
}

// parseVMID checks a UUID and gives it its usual form.
func parseVMID(s string) (string, error) {
	id, err := evpn.ParseVMID(s)
	if err != nil {
		return "", err
	}
	return id.String(), nil
}

// oneVMID takes the UUID of a VM as the only argument.
func oneVMID(vmid *string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("%s: want the VM's UUID as the only argument", c.CommandPath())
		}
		var err error
		*vmid, err = parseVMID(args[0])
		return err
	}
}

// seconds is a lifetime for people.
func seconds(s *int64) string {
	if s == nil {
		return ""
	}
	return (time.Duration(*s) * time.Second).String()
}
