package main

import (
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// spoil changes, adds or takes away a byte.
func spoil(b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	out := append([]byte(nil), b...)
	i := rng.IntN(len(out))
	c := pick([]byte("\n\n\n \t\r\x00\x1f\x7f\x80\xc3\xff0123456789+-=/aZ"))
	switch rng.IntN(3) {
	case 0:
		out[i] = c
	case 1:
		out = append(out[:i], append([]byte{c}, out[i:]...)...)
	default:
		out = append(out[:i], out[i+1:]...)
	}
	return out
}

func records(f *file) {
	format := func(id int64, text []byte) {
		msg, err := tlog.FormatRecord(id, text)
		f.add("FormatRecord", []string{num(id), latin1(text)}, err == nil, latin1(msg))
	}
	parse := func(msg []byte) {
		id, text, rest, err := tlog.ParseRecord(msg)
		f.add("ParseRecord", []string{latin1(msg)}, err == nil, num(id), latin1(text), latin1(rest))
	}
	texts := []string{
		"", "\n", "\n\n", "a", "a\n", "a\nb\n", "a\n\n", "a\n\nb\n", "\na\n", "a\r\n", "a\tb\n", "a\x00\n", "a\x1f\n",
		"a\x7f\n", "ä\n", "\u2028\n", "\ufeffa\n", "a\x80\n", "a\xc3\n", "\xed\xa0\x80\n", "\xf4\x90\x80\x80\n", "\xc0\x80\n", "�\n",
		"example.com/a v1.0.0 h1:x=\nexample.com/a v1.0.0/go.mod h1:y=\n",
	}
	for _, text := range texts {
		format(0, []byte(text))
		format(1<<62-1, []byte(text))
		for _, id := range []string{"0", "7", "4611686018427387903"} {
			parse([]byte(id + "\n" + text + "\n"))
			parse([]byte(id + "\n" + text + "\nrest\n\nof it"))
		}
	}
	for _, msg := range []string{"", "\n", "5", "5\n", "5\n\n", "5\n\n\n", "5\na\n", "x\na\n\n", "5 \na\n\n", " 5\na\n\n",
		"\n5\na\n\n", "9223372036854775808\na\n\n", "99999999999999999999\na\n\n", "0x5\na\n\n", "5_0\na\n\n", "5\r\na\n\n", "٣\na\n\n"} {
		parse([]byte(msg))
	}
	for range 200 {
		msg := fmt.Sprintf("%d\nexample.com/a v1.0.0 h1:x=\nexample.com/a v1.0.0/go.mod h1:y=\n\nrest", rng.IntN(1000))
		parse(spoil([]byte(msg)))
	}
}

func heads(f *file) {
	parse := func(text []byte) {
		t, err := tlog.ParseTree(text)
		f.add("ParseTree", []string{latin1(text)}, err == nil, num(t.N), t.Hash.String())
	}
	for range 40 {
		var h tlog.Hash
		for i := range h {
			h[i] = byte(rng.Uint32())
		}
		t := tlog.Tree{N: anySize(), Hash: h}
		text := tlog.FormatTree(t)
		f.add("FormatTree", []string{num(t.N), h.String()}, true, latin1(text))
		parse(text)
		for range 6 {
			parse(spoil(text))
		}
	}
	const hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	for _, size := range []string{"", "0", "00", "01", "+1", "-1", " 1", "1 ", "1.0", "1e3", "0x1", "1_0", "4611686018427387904",
		"9223372036854775807", "9223372036854775808", "99999999999999999999999", "٣"} {
		parse([]byte("go.sum database tree\n" + size + "\n" + hash + "\n"))
	}
	for _, h := range []string{"", "=", hash + "=", hash[:43], hash[1:], "A" + hash, hash + " ", " " + hash,
		strings.ReplaceAll(hash, "+", "-"), strings.ReplaceAll(hash, "/", "_"), hash[:40] + "====", "AAAA"} {
		parse([]byte("go.sum database tree\n5\n" + h + "\n"))
	}
	for _, first := range []string{"", "go.sum database tree ", "go.sum database tree v2", "Go.sum database tree", "\ngo.sum database tree"} {
		parse([]byte(first + "\n5\n" + hash + "\n"))
	}
}
