package main

import (
	"errors"
	"log"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

func paths(f *file) {
	seen := map[string]bool{}
	parse := func(path string) {
		if seen[path] {
			return
		}
		seen[path] = true
		t, err := tlog.ParseTilePath(path)
		level := "data"
		if t.L >= 0 {
			level = num(int64(t.L))
		}
		f.add("ParseTilePath", []string{path}, err == nil,
			num(int64(t.H)), level, num(t.N), num(int64(t.W)))
	}
	for _, path := range []string{
		"", "/", "tile", "tile/", "tile/8", "tile/8/0", "tile/8/0/", "tile//0/000", "tile/8//000", "tile/8/0//000",
		"tile/8/0/000", "/tile/8/0/000", "tile/8/0/000/", "tile/8/0/000.p", "tile/8/0/000.p/", "tile/8/0/000.p/0",
		"tile/8/0/000.p/1", "tile/8/0/000.p/01", "tile/8/0/000.p/255", "tile/8/0/000.p/256", "tile/8/0/000.p/257",
		"tile/8/0/000.p/-1", "tile/8/0/000.p/+1", "tile/8/0/000.p/1/2", "tile/8/0/000.p/1.p/1", "tile/8/0.p/1",
		"tile/8.p/1", "tile.p/1", "tile/8/0/.p/1", "tile/8/data/000", "tile/8/data/000.p/3", "tile/8/Data/000",
		"tile/8/-1/000", "tile/8/00/000", "tile/08/0/000", "tile/+8/0/000", "tile/8/+0/000", "tile/0/0/000",
		"tile/1/0/000", "tile/1/0/000.p/1", "tile/1/0/000.p/2", "tile/30/0/000", "tile/31/0/000",
		"tile/30/0/000.p/1073741823", "tile/30/0/000.p/1073741824", "tile/8/63/000", "tile/8/64/000",
		"tile/8/9223372036854775807/000", "tile/8/9223372036854775808/000", "tile/8/0/0", "tile/8/0/00",
		"tile/8/0/0000", "tile/8/0/999", "tile/8/0/1000", "tile/8/0/x000/000", "tile/8/0/x001/000",
		"tile/8/0/x001/x000", "tile/8/0/001/000", "tile/8/0/x1/000", "tile/8/0/xx01/000", "tile/8/0/x/000",
		"tile/8/0/x-01/000", "tile/8/0/x+01/000", "tile/8/0/-00", "tile/8/0/1e2", "tile/8/0/0x1", "tile/8/0/0_1",
		"tile/8/0/x009/x223/x372/x036/x854/x775/807", "tile/8/0/x009/x223/x372/x036/x854/x775/808",
		"tile/8/0/x018/x446/x744/x073/x709/x551/616", "tile/8/0/x018/x446/x744/x073/x709/x551/617",
		"tile/8/0/x001/x000/x000/x000/x000/x000/x000/000", "tile/8/0/٣٣٣", "tile/8/0/000\n", " tile/8/0/000",
	} {
		parse(path)
	}
	for range 150 {
		h := rng.IntN(30) + 1
		t := tlog.Tile{H: h, L: rng.IntN(66) - 1, N: anySize() - 1, W: rng.IntN(1<<h) + 1}
		path := t.Path()
		parse(path)
		// A character more, less or other.
		for range 3 {
			i := rng.IntN(len(path))
			c := string("0123456789x/.p-+dat"[rng.IntN(19)])
			parse(path[:i] + c + path[i:])
			parse(path[:i] + path[i+1:])
			parse(path[:i] + c + path[i+1:])
		}
	}
}

func coordinates(f *file) {
	for range 400 {
		h := rng.IntN(30) + 1
		n := anySize()
		level := rng.IntN(62)
		if n>>level == 0 {
			continue
		}
		i := tlog.StoredHashIndex(level, n>>level-1)
		f.add("TileForIndex", []string{num(int64(h)), num(i)}, true, tlog.TileForIndex(h, i).Path())
	}
	for range 150 {
		h := pick([]int{1, 2, 3, 8})
		older := rng.Int64N(600)
		if rng.IntN(4) == 0 {
			older = anySize() / 2
		}
		newer := older + rng.Int64N(20)*rng.Int64N(1<<h)
		var out []string
		for _, t := range tlog.NewTiles(h, older, newer) {
			out = append(out, t.Path())
		}
		f.add("NewTiles", []string{num(int64(h)), num(older), num(newer)}, true, out...)
	}
}

// A planner is a tile reader that notes what it is asked for, and has nothing.
type planner struct {
	height int
	tiles  []string
}

var errPlanned = errors.New("planned")

func (p *planner) Height() int { return p.height }

func (p *planner) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	for _, t := range tiles {
		p.tiles = append(p.tiles, t.Path())
	}
	slices.Sort(p.tiles)
	return nil, errPlanned
}

func (p *planner) SaveTiles([]tlog.Tile, [][]byte) { log.Fatal("nothing to save") }

// plans are the tiles that the reference's client reads: to hash an older tree in a newer one, and to check a record.
func plans(f *file) {
	plan := func(h int, size, older, id int64) {
		in := []string{num(int64(h)), num(size), num(older)}
		p := &planner{height: h}
		if _, err := tlog.TreeHash(older, tlog.TileHashReader(tlog.Tree{N: size}, p)); err != errPlanned && older > 0 {
			log.Fatalf("plan %v: %v", in, err)
		}
		f.add("PlanOlder", in, true, p.tiles...)
		in = []string{num(int64(h)), num(size), num(id)}
		p = &planner{height: h}
		_, err := tlog.TileHashReader(tlog.Tree{N: size}, p).ReadHashes([]int64{tlog.StoredHashIndex(0, id)})
		if err != errPlanned {
			log.Fatalf("plan %v: %v", in, err)
		}
		f.add("PlanRecord", in, true, p.tiles...)
	}
	for size := int64(1); size <= 20; size++ {
		for older := int64(0); older <= size; older++ {
			plan(2, size, older, max(0, older-1))
		}
	}
	for range 120 {
		// As large as trees get at height 8, and near each other or not.
		size := rng.Int64N(100_000_000) + 1
		older := rng.Int64N(size) + 1
		if rng.IntN(2) == 0 {
			older = max(1, size-rng.Int64N(1000))
		}
		plan(8, size, older, rng.Int64N(size))
	}
	for range 80 {
		// Near 2^62 the reference's sums overflow.
		size := min(anySize(), 1<<60)
		plan(rng.IntN(12)+1, size, rng.Int64N(size)+1, rng.Int64N(size))
	}
}
