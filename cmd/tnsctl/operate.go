package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	tnsv1 "github.com/tns-project/tns/cmd/api/tns/v1"
)

// operation is one of the steps of a VM's life.
type operation struct {
	op      tnsv1.Op
	short   string
	nics    bool // takes --nic, --immigration, --credentials
	example string
}

var operations = []operation{
	{tnsv1.Op_OP_PRE_ASSOCIATE, "Reserve what a VM will need here", true, `  # reserve at the target of a live migration
  tnsctl vm pre-associate --vm 6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e5f --immigration --nic vn=blue,mac=02:00:00:00:00:01,ip=10.1.0.1`},
	{tnsv1.Op_OP_ASSOCIATE, "Bring a VM into its networks", true, `  tnsctl vm associate --vm 6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e5f --nic vn=blue,mac=02:00:00:00:00:01,ip=10.1.0.1,ip=2001:db8::1
  tnsctl vm associate --vm 6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e5f --nic vn=10100,mac=02:00:00:00:00:01,policy=17:3 --dry-run
  # with the cards that it was pre-associated with
  tnsctl vm associate --vm 6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e5f`},
	{tnsv1.Op_OP_SUSPEND, "Stop forwarding for a VM and hold its resources", false, ""},
	{tnsv1.Op_OP_RESUME, "Go on after suspend, or back after emigrate", false, ""},
	{tnsv1.Op_OP_EMIGRATE, "Tell that a VM is leaving for another hypervisor", false, ""},
	{tnsv1.Op_OP_TERMINATE, "Take a VM out of its networks", false, ""},
	{tnsv1.Op_OP_KEEP_ALIVE, "Refresh a VM's lifetime and change nothing", false, ""},
}

// operation is the command for one of them.
func (a *app) operation(o operation) *cobra.Command {
	name := word(opWords, o.op)
	var (
		q           tnsv1.OperateRequest
		nics        nicList
		timeout     time.Duration
		credentials string
	)
	c := &cobra.Command{
		Use:     name + " --vm UUID",
		Short:   o.short,
		Example: o.example,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("%s: unexpected argument %q: name the VM with --vm", c.CommandPath(), args[0])
			}
			if q.Vmid == "" {
				return fmt.Errorf("%s: --vm is missing: want the VM's UUID", c.CommandPath())
			}
			if timeout <= 0 {
				return fmt.Errorf("%s: --timeout %s: want more than 0", c.CommandPath(), timeout)
			}
			var err error
			q.Vmid, err = parseVMID(q.Vmid)
			return err
		},
		RunE: func(c *cobra.Command, _ []string) error {
			q.Op, q.Nics, q.Timeout = o.op, nics, durationpb.New(timeout)
			if credentials != "" {
				var err error
				if q.Credentials, err = readCredentials(credentials, q.Vmid); err != nil {
					return err
				}
			}
			return a.operate(c.Context(), &q)
		},
	}
	if o.example == "" {
		c.Example = "  tnsctl vm " + name + " --vm 6f1c2b3a-4d5e-4f60-8192-0a1b2c3d4e5f"
	}
	f := c.Flags()
	f.StringVar(&q.Vmid, "vm", "", "the VM's `UUID`")
	if o.nics {
		f.Var(&nics, "nic", "a network card, once for each: "+nicHelp+"; all digits are a VNI; may be left out for a VM that tesd knows, whose cards stay")
		f.BoolVar(&q.Immigration, "immigration", false, "the VM comes from another hypervisor")
		f.StringVar(&credentials, "credentials", "", "`file` of credentials, as tnsctl credential mint prints them")
	}
	f.BoolVar(&q.DryRun, "dry-run", false, "ask what would happen; nothing does")
	f.BoolVar(&q.NoWait, "no-wait", false, "do not wait for the edge's answer")
	f.DurationVar(&timeout, "timeout", 5*time.Second, "how long to wait for the edge's answer")
	return c
}

// resultView is what became of an operation.
type resultView struct {
	VMID       string  `json:"vmid"`
	Op         string  `json:"op"`
	Status     string  `json:"status"`
	Reason     string  `json:"reason"`
	ReasonCode uint32  `json:"reason_code"`
	State      string  `json:"state"`
	Sequence   uint32  `json:"sequence"`
	ElapsedMS  float64 `json:"elapsed_ms"`
}

// graceTime is how much longer than the time-out the daemon itself may take to say that there was no answer.
const graceTime = 2 * time.Second

// operate asks and prints the answer.
func (a *app) operate(ctx context.Context, q *tnsv1.OperateRequest) error {
	ctx, cancel := context.WithTimeout(ctx, q.Timeout.AsDuration()+graceTime)
	defer cancel()
	c, err := a.dial(ctx, eitherDaemon)
	if err != nil {
		return err
	}
	defer c.Close()
	r, err := c.Operate(ctx, q)
	if err != nil {
		return err
	}
	v := resultView{
		VMID: r.Vmid, Op: word(opWords, r.Op), Status: word(statusWords, r.Status), Reason: r.Reason, ReasonCode: r.ReasonCode,
		State: word(stateWords, r.State), Sequence: r.Sequence,
		ElapsedMS: math.Round(r.Elapsed.AsDuration().Seconds()*1e6) / 1e3,
	}
	t := newTable("VM", "OP", "STATUS", "REASON", "STATE", "SEQUENCE", "TIME")
	t.row(v.VMID, v.Op, v.Status, v.Reason, v.State, v.Sequence, fmt.Sprintf("%.1fms", v.ElapsedMS))
	if err := a.show(v, t); err != nil {
		return err
	}
	return judge(v, r.Status)
}

// judge is nil for a success, else the outcome in a sentence.
func judge(v resultView, s tnsv1.Status) error {
	why := ""
	if v.Reason != "" {
		why = ": " + v.Reason
	}
	if v.ReasonCode != 0 {
		why += fmt.Sprintf(" (reason %d)", v.ReasonCode)
	}
	what := v.Op + " " + v.VMID
	switch s {
	case tnsv1.Status_STATUS_SUCCESS, tnsv1.Status_STATUS_ACCEPTED:
		return nil
	case tnsv1.Status_STATUS_FAIL:
		return outcome{what + ": refused" + why, exitRefused}
	case tnsv1.Status_STATUS_FAIL_KEPT:
		return outcome{what + ": refused, the association before it is kept" + why, exitRefused}
	}
	if why == "" {
		why = ": " + v.Status
	}
	return outcome{what + why, exitNoAnswer}
}
