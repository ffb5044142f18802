// Package mrt writes and reads BGP sessions as MRT files of type BGP4MP_ET (RFC 6396 §3, §4.4), which tcpdump's friends, bgpdump and FRR's tools read, too.
//
//	 0              4        6          8          12              16
//	+--------------+--------+----------+----------+---------------+
//	| Unix seconds | type   | subtype  | length   | microseconds  |   type 17; length counts from the microseconds on
//	+--------------+--------+----------+----------+---------------+--------+----------+-------------+
//	| peer AS 32   | local AS 32       | if index 16 (0), AFI 16  | peer address, local address, message |
//	+--------------+-------------------+--------------------------+--------------------------------+
//
// The subtype tells who sent the message: BGP4MP_MESSAGE_AS4 the peer, BGP4MP_MESSAGE_AS4_LOCAL we. That is what is written. What is read is more: also
// BGP4MP, without microseconds, AS numbers of two octets, and changes of state, as FRR and GoBGP write them.
package mrt
