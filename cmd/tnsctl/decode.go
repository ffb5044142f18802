package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tns-project/tns/evpn"
)

// decodedRoute is a route with what its communities say.
type decodedRoute struct {
	Route   string        `json:"route"`
	NextHop string        `json:"next_hop"`
	Label   uint32        `json:"label"`
	VMID    string        `json:"vmid"` // empty unless all pieces of it are there
	Parts   []decodedPart `json:"parts"`
}

// decodedPart is one community in words.
type decodedPart struct {
	Octets string `json:"octets"` // hexadecimal; of a large community A:B:C
	Text   string `json:"text"`
}

// describe is a community in words, well formed or not.
func describe(c evpn.ExtendedCommunity) decodedPart {
	text, ok := evpn.Describe(c)
	if !ok {
		text = "not of type 0x88: " + c.String()
	}
	return decodedPart{Octets: hex.EncodeToString(c[:]), Text: text}
}

// describeMirror is a large community in words; ok is false if it is no mirror.
func describeMirror(l evpn.LargeCommunity) (p decodedPart, ok bool) {
	m, ok := evpn.DecodeMirror(l)
	kind := "request"
	if m.Response {
		kind = "response"
	}
	return decodedPart{Octets: fmt.Sprintf("%d:%d:%d", l.Global, l.Data1, l.Data2), Text: "mirror " + kind + " " + m.String()}, ok
}

// errNothing: the input is empty.
var errNothing = errors.New("nothing to read: want what gobgp prints with -j, or octets")

func (a *app) decode() *cobra.Command {
	return &cobra.Command{
		Use:   "decode [OCTETS…]",
		Short: "Print what the communities of type 0x88 say, from gobgp -j or from octets",
		Long: `Read what gobgp prints with -j from standard input, and print each community of type 0x88 and each mirror in words.

With arguments, or if the input does not begin like JSON, communities of eight octets are read instead: 16 hexadecimal digits each,
with or without a 0x before them and colons between octets.`,
		Example: "  gobgp global rib -a evpn -j | tnsctl decode\n" +
			"  gobgp neighbor 198.51.100.11 adj-in -a evpn -j | tnsctl decode --json\n" +
			"  gobgp monitor global rib -a evpn -j | tnsctl decode\n" +
			"  tnsctl decode 8801120869224e80 88:09:00:5a:00:00:00:00",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return a.decodeOctets(strings.NewReader(strings.Join(args, "\n")))
			}
			in := bufio.NewReader(a.in)
			for {
				b, err := in.Peek(1)
				switch {
				case errors.Is(err, io.EOF):
					return errNothing
				case err != nil:
					return fmt.Errorf("read standard input: %w", err)
				case bytes.ContainsAny(b, " \t\r\n"):
					in.Discard(1)
				case bytes.ContainsAny(b, "[{n"):
					return a.decodeRoutes(in)
				default:
					return a.decodeOctets(in)
				}
			}
		},
	}
}

// decodeOctets prints communities that are given as octets.
func (a *app) decodeOctets(in io.Reader) error {
	parts := []decodedPart{}
	words := bufio.NewScanner(in)
	words.Split(bufio.ScanWords)
	for words.Scan() {
		word := words.Text()
		octets, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "").Replace(strings.TrimPrefix(strings.ToLower(word), "0x")))
		if err != nil || len(octets) != len(evpn.ExtendedCommunity{}) {
			return usageError{fmt.Errorf("decode %q: want the eight octets of an extended community, 16 hexadecimal digits", word)}
		}
		parts = append(parts, describe(evpn.ExtendedCommunity(octets)))
	}
	if err := words.Err(); err != nil {
		return fmt.Errorf("read octets: %w", err)
	}
	if len(parts) == 0 {
		return errNothing
	}
	if a.json {
		return printJSON(a.out, parts)
	}
	for _, p := range parts {
		fmt.Fprintln(a.out, p)
	}
	return nil
}

// decodeRoutes prints the routes of a stream of JSON values: one array with --json; for people each value's as it comes, so that it can
// sit behind `gobgp monitor`.
func (a *app) decodeRoutes(in io.Reader) error {
	all := []decodedRoute{}
	stream := json.NewDecoder(in)
	for number := 1; ; number++ {
		var value any
		err := stream.Decode(&value)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read what gobgp prints with -j: %w", err)
		}
		routes := findRoutes(value)
		if len(routes) == 0 && !mayHoldRoutes(value) {
			return fmt.Errorf("no route in JSON value %d: want what gobgp prints with -j of a table, such as gobgp global rib -a evpn -j", number)
		}
		all = append(all, routes...)
		if a.json {
			continue
		}
		for _, r := range routes {
			fmt.Fprintln(a.out, r)
			for _, p := range r.Parts {
				fmt.Fprintf(a.out, "    %s\n", p)
			}
		}
	}
	if a.json {
		return printJSON(a.out, all)
	}
	return nil
}

func (r decodedRoute) String() string {
	s := fmt.Sprintf("%s label %d next hop %s", r.Route, r.Label, r.NextHop)
	if r.VMID != "" {
		s += " VM " + r.VMID
	}
	return s
}

func (p decodedPart) String() string { return p.Octets + "  " + p.Text }
