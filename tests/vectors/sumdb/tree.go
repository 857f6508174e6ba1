package main

import (
	"fmt"
	"log"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
)

// maxTree is the largest tree that modferry handles, and about the largest that the reference's arithmetic does.
const maxTree = int64(1) << 62

func num(n int64) string { return strconv.FormatInt(n, 10) }

// anySize is a number of 1 to maxTree, of any magnitude, often next to a power of two.
func anySize() int64 {
	n := rng.Int64N(maxTree)>>rng.IntN(62) + 1
	if rng.IntN(3) == 0 {
		n = int64(1)<<rng.IntN(62) + rng.Int64N(5) - 2
	}
	return max(1, min(n, maxTree))
}

func arithmetic(f *file) {
	index := func(level int, n int64) {
		i := tlog.StoredHashIndex(level, n)
		f.add("StoredHashIndex", []string{num(int64(level)), num(n)}, true, num(i))
		l, m := tlog.SplitStoredHashIndex(i)
		f.add("SplitStoredHashIndex", []string{num(i)}, true, num(int64(l)), num(m))
	}
	for n := int64(0); n < 40; n++ {
		for level := 0; level < 4; level++ {
			index(level, n)
		}
	}
	for range 300 {
		size := anySize()
		level := rng.IntN(63)
		if n := size >> level; n > 0 {
			index(level, n-1)
		}
	}
	for n := int64(0); n < 70; n++ {
		f.add("StoredHashCount", []string{num(n)}, true, num(tlog.StoredHashCount(n)))
	}
	for range 100 {
		n := anySize()
		f.add("StoredHashCount", []string{num(n)}, true, num(tlog.StoredHashCount(n)))
	}
}

// A memory is a log with its stored hashes.
type memory []tlog.Hash

func (m memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, i := range indexes {
		hashes = append(hashes, m[i])
	}
	return hashes, nil
}

// newLog is the log of the records "record 0\n", "record 1\n", and so on.
func newLog(size int64) memory {
	var m memory
	for n := range size {
		hashes, err := tlog.StoredHashes(n, fmt.Appendf(nil, "record %d\n", n), m)
		if err != nil {
			log.Fatal(err)
		}
		m = append(m, hashes...)
	}
	return m
}

func hashes(list []tlog.Hash) []string {
	out := []string{}
	for _, h := range list {
		out = append(out, h.String())
	}
	return out
}

func proofs(f *file) {
	const size = 300
	m := newLog(size)
	for n := int64(0); n <= size; n++ {
		h, err := tlog.TreeHash(n, m)
		f.add("TreeHash", []string{num(n)}, err == nil, h.String())
	}
	record := func(t, n int64) {
		p, err := tlog.ProveRecord(t, n, m)
		f.add("ProveRecord", []string{num(t), num(n)}, err == nil, hashes(p)...)
	}
	tree := func(t, n int64) {
		p, err := tlog.ProveTree(t, n, m)
		f.add("ProveTree", []string{num(t), num(n)}, err == nil, hashes(p)...)
	}
	for t := int64(0); t <= 12; t++ {
		for n := int64(0); n <= t+1; n++ {
			record(t, n)
			tree(t, n)
		}
	}
	for range 200 {
		t := rng.Int64N(size) + 1
		record(t, rng.Int64N(t))
		tree(t, rng.Int64N(t)+1)
	}
}
