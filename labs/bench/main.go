// Command bench measures FRR and ours side by side, in one run on one machine: the same topology in network namespaces, the same MACs, routes and
// devices. It writes a table, plots and all figures as JSON. README.md tells more.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures what the command line asks for. What could be measured is written even where something else failed.
func run(ctx context.Context, args []string) error {
	b := Full()
	b.Log = os.Stderr
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	letters := flags.String("measure", "", "letters of the `measures` to take, such as a,c (all)")
	output := flags.String("o", "docs/performance", "`directory` for table, plots and figures")
	version := flags.String("version", "devel", "of what is measured")
	n := flags.Int("n", 0, "make each `size` at most this, for a look")
	flags.StringVar(&b.Binaries, "binaries", "bin", "`directory` of nved, tesd and reflector")
	flags.StringVar(&b.Profiles, "profile", "", "b, h: `directory` for profiles of our processes, by perf, which costs some of what is measured")
	flags.Var((*fabrics)(&b.Fabrics), "fabric", "how edges reach each other: any of frr, gobgp, direct (frr,gobgp,direct)")
	flags.IntVar(&b.Events, "events", b.Events, "a: VMs that come and go, one after the other")
	flags.Var((*sizes)(&b.VMs), "vms", "b: VMs at once")
	flags.IntVar(&b.Moves, "moves", b.Moves, "c: moves; a fifth as many in d")
	flags.IntVar(&b.Routes, "routes", b.Routes, "e: routes that stand when an edge starts")
	flags.Var((*sizes)(&b.Entries), "entries", "f: entries of the kernel's tables")
	flags.Var((*sizes)(&b.TESs), "tess", "g: TESs of one edge")
	flags.Var((*sizes)(&b.VNs), "vns", "g: VNs of one edge")
	flags.Var((*sizes)(&b.Offered), "offered", "h: VMs that are offered to one edge")
	flags.IntVar(&b.Speakers, "speakers", b.Speakers, "h: TESs that they are offered by")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *n > 0 {
		b.shrink(*n)
	}
	wanted, err := choose(*letters)
	if err != nil {
		return err
	}
	if b.Binaries, err = absolute(b.Binaries, "nved", "tesd", "reflector"); err != nil {
		return err
	}
	started := time.Now()
	failed := b.Run(ctx, wanted)
	if err := b.write(*output, *version, "bench "+strings.Join(args, " "), started); err != nil {
		return err
	}
	return failed
}

// Full is the measuring in full size: some 20 minutes on two CPUs.
func Full() *Bench {
	return &Bench{
		Fabrics: []Fabric{FRRReflector, GoBGPReflector, Direct},
		Events:  500, Moves: 100, Routes: 50_000, Speakers: 100,
		VMs: []int{1000, 10_000, 50_000, 100_000}, Entries: []int{10_000, 100_000}, Offered: []int{1000, 10_000, 100_000},
		TESs: []int{1, 50, 200, 500}, VNs: []int{10, 1000, 4000},
	}
}

// shrink makes no size larger than n.
func (b *Bench) shrink(n int) {
	for _, v := range []*int{&b.Events, &b.Moves, &b.Routes, &b.Speakers} {
		*v = min(*v, n)
	}
	for _, list := range []*[]int{&b.VMs, &b.Entries, &b.TESs, &b.VNs, &b.Offered} {
		var less []int
		for _, v := range *list {
			if len(less) == 0 || less[len(less)-1] < n {
				less = append(less, min(v, n))
			}
		}
		*list = less
	}
}

// choose reads a list of letters of measures.
func choose(list string) (letters string, err error) {
	var known []string
	for _, m := range measures {
		known = append(known, m.Letter)
	}
	if list == "" {
		return strings.Join(known, ""), nil
	}
	for _, l := range strings.Split(list, ",") {
		if len(l) != 1 || !strings.Contains(strings.Join(known, ""), l) {
			return "", fmt.Errorf("-measure %s: there is no measure %q, but %s", list, l, strings.Join(known, ", "))
		}
		letters += l
	}
	return letters, nil
}

// sizes is a flag of numbers.
type sizes []int

func (s *sizes) String() string {
	var words []string
	for _, v := range *s {
		words = append(words, strconv.Itoa(v))
	}
	return strings.Join(words, ",")
}

// Set reads numbers between commas.
func (s *sizes) Set(text string) error {
	*s = nil
	for _, word := range strings.Split(text, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 {
			return fmt.Errorf("%q is no number above 0", word)
		}
		*s = append(*s, n)
	}
	return nil
}

// fabrics is a flag of fabrics.
type fabrics []Fabric

var fabricWords = map[string]Fabric{"frr": FRRReflector, "gobgp": GoBGPReflector, "direct": Direct}

func (f *fabrics) String() string { return fmt.Sprint(*f) }

// Set reads words between commas.
func (f *fabrics) Set(text string) error {
	*f = nil
	for _, word := range strings.Split(text, ",") {
		fabric, ok := fabricWords[word]
		if !ok {
			return fmt.Errorf("%q is none of frr, gobgp, direct", word)
		}
		*f = append(*f, fabric)
	}
	return nil
}
