package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tns-project/tns/evpn"
)

// errNothing: the input is empty.
var errNothing = errors.New("nothing to read: want what gobgp prints with -j, a recording in the form of MRT, or octets")

func (a *app) decode() *cobra.Command {
	return &cobra.Command{
		Use:   "decode [FILE | OCTETS]…",
		Short: "Print what recorded BGP messages, gobgp -j or octets say of VMs",
		Long: `Read files, or standard input, and print each community of type 0x88 and each mirror in words. What is read is told by its content:

  a recording of sessions in the form of MRT (RFC 6396: BGP4MP and BGP4MP_ET), as nved and tesd write with "record", FRR with
  "dump bgp all" and GoBGP with "mrt-dump": each message with its time, peer and direction, and what it says; what cannot be read is
  shown as octets
  what gobgp prints with -j: the routes
  communities of eight octets: 16 hexadecimal digits each, with or without a 0x before them and colons between octets; they may be
  arguments, too

With --json it is an array.`,
		Example: "  tnsctl decode /var/lib/tns/record/tes/198.51.100.11.mrt\n" +
			"  tnsctl decode --json 192.0.2.254.mrt.1 192.0.2.254.mrt | jq '.[] | select(.notification)'\n" +
			"  gobgp global rib -a evpn -j | tnsctl decode\n" +
			"  gobgp neighbor 198.51.100.11 adj-in -a evpn -j | tnsctl decode --json\n" +
			"  gobgp monitor global rib -a evpn -j | tnsctl decode\n" +
			"  tnsctl decode 8801120869224e80 88:09:00:5a:00:00:00:00",
		RunE: func(_ *cobra.Command, args []string) error {
			d := &decoder{app: a, all: []any{}}
			if len(args) == 0 {
				if err := d.read(a.in); err != nil {
					return err
				}
				return d.end()
			}
			for _, arg := range args {
				if err := d.argument(arg); err != nil {
					return err
				}
			}
			return d.end()
		},
	}
}

// decoder prints what it reads: for people as it comes, so that it can sit behind `gobgp monitor` or `tail -f`; with --json as one array.
type decoder struct {
	*app
	all []any
}

// decoded is a thing that has been decoded; text ends each line.
type decoded interface{ text() string }

func (d *decoder) put(v decoded) error {
	if d.json {
		d.all = append(d.all, v)
		return nil
	}
	_, err := io.WriteString(d.out, v.text())
	return err
}

func (d *decoder) end() error {
	if d.json {
		return printJSON(d.out, d.all)
	}
	return nil
}

// argument decodes octets, or the file of that name.
func (d *decoder) argument(arg string) error {
	if parts, err := parseOctets(arg); err == nil {
		return d.octets(parts)
	}
	f, err := os.Open(arg)
	switch {
	case strings.TrimSpace(arg) == "":
		return errNothing
	case errors.Is(err, fs.ErrNotExist):
		return usageError{fmt.Errorf("decode %q: no such file: want FILE, or the eight octets of an extended community, 16 hexadecimal digits", arg)}
	case err != nil:
		return err
	}
	defer f.Close()
	if err := d.read(f); err != nil {
		return fmt.Errorf("%s: %w", arg, err)
	}
	return nil
}

// read tells by the first octets what there is to decode. Of MRT type and subtype begin with a zero, which text has not.
func (d *decoder) read(from io.Reader) error {
	in := bufio.NewReader(from)
	head, err := in.Peek(mrtHeader)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read what to decode: %w", err)
	}
	if len(head) == mrtHeader && head[4] == 0 && head[6] == 0 {
		return d.records(in)
	}
	for {
		b, err := in.Peek(1)
		switch {
		case errors.Is(err, io.EOF):
			return errNothing
		case err != nil:
			return fmt.Errorf("read what to decode: %w", err)
		case bytes.ContainsAny(b, " \t\r\n"):
			in.Discard(1)
		case bytes.ContainsAny(b, "[{n"):
			return d.routes(in)
		default:
			text, err := io.ReadAll(in)
			if err != nil {
				return fmt.Errorf("read octets: %w", err)
			}
			parts, err := parseOctets(string(text))
			if err != nil {
				return err
			}
			return d.octets(parts)
		}
	}
}

// parseOctets reads communities that are given as octets, at least one.
func parseOctets(text string) ([]decodedPart, error) {
	var parts []decodedPart
	for word := range strings.FieldsSeq(text) {
		octets, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "").Replace(strings.TrimPrefix(strings.ToLower(word), "0x")))
		if err != nil || len(octets) != len(evpn.ExtendedCommunity{}) {
			return nil, usageError{fmt.Errorf("decode %q: want the eight octets of an extended community, 16 hexadecimal digits", word)}
		}
		parts = append(parts, describe(evpn.ExtendedCommunity(octets)))
	}
	if len(parts) == 0 {
		return nil, errNothing
	}
	return parts, nil
}

func (d *decoder) octets(parts []decodedPart) error {
	for _, p := range parts {
		if err := d.put(p); err != nil {
			return err
		}
	}
	return nil
}
