// The vectors for Writer::GoTables: what the reference makes of generated contents.
//
// Each line is a shape, a size, and the SHA-256 of the deflate stream that github.com/klauspost/compress/flate, at the
// version in go.mod, makes of that content at level 5. The contents are generated here and in
// deflate/tests/tables.rs by the same rules, so that neither they nor the streams have to be kept.
//
// Each content is written in pieces as well, as archive/zip does, and has to come out the same.
package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log"
	"os"

	"github.com/klauspost/compress/flate"
)

// Around every border: tiny blocks, searched blocks, the quick look at a block of literals, the window, one block,
// the reference's history buffer.
var sizes = []int{
	0, 1, 2, 3, 7, 12, 13, 16, 31, 32, 33, 64, 126, 127, 128, 129, 130, 160, 200, 249, 250, 251, 258, 259, 300, 400, 512,
	800, 1023, 1024, 1025, 1500, 2000, 4096, 8191, 8192, 10000, 20000, 32767, 32768, 32769, 50000, 65534, 65535, 65536,
	65567, 65568, 65662, 65663, 65700, 100000, 131069, 131070, 131071, 200000, 327675, 327676, 700000,
}

var shapes = []string{
	"same", "random", "acgt", "skewed", "hex", "base64", "words", "period", "window", "sparse", "mixed", "changing",
}

// splitmix64
type source uint64

func (s *source) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (s *source) below(n int) int { return int(s.next() % uint64(n)) }

func content(shape string, size int) []byte {
	s := source(size)
	for _, c := range shape {
		s = s*31 + source(c)
	}
	var b []byte
	for len(b) < size {
		b = more(b, shape, &s, size)
	}
	return b[:size]
}

// more appends something of that shape.
func more(b []byte, shape string, s *source, size int) []byte {
	alphabet := func(letters string) []byte {
		for range 64 {
			b = append(b, letters[s.below(len(letters))])
		}
		return b
	}
	switch shape {
	case "same":
		return append(b, bytes.Repeat([]byte("="), 1000)...)
	case "random":
		for range 64 {
			b = append(b, byte(s.next()))
		}
		return b
	case "acgt":
		return alphabet("acgt")
	case "hex":
		return alphabet("0123456789abcdef")
	case "base64":
		return alphabet("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
	case "skewed":
		for range 64 {
			n := byte(0)
			for r := s.next(); r&1 == 0 && n < 63; r >>= 1 {
				n++
			}
			b = append(b, n)
		}
		return b
	case "words":
		// The rarer words come up later in the text.
		for range 12 {
			w := source(min(s.below(500), s.below(1+len(b)/8)))
			for n := 2 + w.below(8); n > 0; n-- {
				b = append(b, 'a'+byte(w.below(26)))
			}
			b = append(b, ' ')
		}
		return append(b, '\n')
	case "period", "window":
		period := 1 + s.below(40000)
		if shape == "window" {
			period = 32764 + s.below(8)
		}
		piece := make([]byte, period)
		for i := range piece {
			piece[i] = byte(s.next())
		}
		for range 3 {
			b = append(b, piece...)
		}
		return b
	case "sparse":
		for n := 1 + s.below(120); n > 0; n-- {
			b = append(b, byte(s.next()))
		}
		if len(b) > 100 {
			at := len(b) - 1 - s.below(min(len(b), 40000)-30)
			for n := 4 + s.below(17); n > 0; n-- {
				b = append(b, b[at])
				at++
			}
		}
		return b
	case "mixed":
		kinds := []string{"words", "random", "base64", "acgt", "same", "skewed", "sparse", "hex"}
		kind := kinds[s.below(len(kinds))]
		for end := min(size, len(b)+1+s.below(50000)); len(b) < end; {
			b = more(b, kind, s, size)
		}
		return b
	case "changing":
		// A line again and again, with another number.
		return append(b, fmt.Sprintf("\tentry[%d] = field{name: %q, value: %d}\n", len(b)/40, "name", s.below(1000))...)
	}
	panic(shape)
}

func main() {
	var lines bytes.Buffer
	for _, shape := range shapes {
		for _, size := range sizes {
			b := content(shape, size)
			whole := deflated(b, len(b))
			if !bytes.Equal(whole, deflated(b, 32<<10)) || !bytes.Equal(whole, deflated(b, 1+size/7)) {
				log.Fatalf("%s %d: depends on the pieces", shape, size)
			}
			fmt.Fprintf(&lines, "%s %d %x\n", shape, size, sha256.Sum256(whole))
		}
	}
	if err := os.WriteFile("../../../deflate/tests/vectors/go_tables.txt", lines.Bytes(), 0o666); err != nil {
		log.Fatal(err)
	}
}

func deflated(b []byte, piece int) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, 5)
	if err != nil {
		log.Fatal(err)
	}
	for len(b) > 0 {
		n := min(piece, len(b))
		if _, err := w.Write(b[:n]); err != nil {
			log.Fatal(err)
		}
		b = b[n:]
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	return out.Bytes()
}
