// Command sumdb writes vectors: what golang.org/x/mod/sumdb/tlog and note answer for generated and odd inputs.
//
// One JSON object a line: {"f": function, "in": arguments, "ok": whether it succeeded, "out": what it answered}.
// protocol/tests/sumdb_vectors.rs replays each against modferry's own code. The inputs come from a fixed seed, so
// that a run with the same golang.org/x/mod gives the same bytes.
//
// All arguments are strings. Where they can be any bytes (records, notes), each character stands for one byte, so
// that JSON can carry what is not UTF-8.
//
// With -cache, it copies a lookup that the go command has made of sum.golang.org, with all tiles that it read for
// it, from a module cache. That file does change from run to run.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
)

var rng = rand.New(rand.NewPCG(20261121, 3))

// A vector is one call of the reference and its answer.
type vector struct {
	F   string   `json:"f"`
	In  []string `json:"in"`
	Ok  bool     `json:"ok"`
	Out []string `json:"out,omitempty"`
}

// A file collects vectors.
type file []vector

func (f *file) add(name string, in []string, ok bool, out ...string) {
	if !ok {
		out = nil
	}
	*f = append(*f, vector{name, in, ok, out})
}

func (f *file) write(path string) {
	w, err := os.Create(path)
	if err != nil {
		log.Fatal(err)
	}
	buf := bufio.NewWriter(w)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	for _, v := range *f {
		if err := enc.Encode(v); err != nil {
			log.Fatal(err)
		}
	}
	if err := buf.Flush(); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
}

// latin1 writes each byte as one character.
func latin1(b []byte) string {
	runes := make([]rune, len(b))
	for i, c := range b {
		runes[i] = rune(c)
	}
	return string(runes)
}

func pick[T any](list []T) T { return list[rng.IntN(len(list))] }

func main() {
	log.SetFlags(0)
	dir := flag.String("out", "../../../protocol/tests/vectors", "where to write")
	cache := flag.String("cache", "", "a module cache (GOMODCACHE) with one lookup of golang.org/x/mod in it")
	flag.Parse()

	if *cache != "" {
		var real file
		realLookup(&real, *cache)
		real.write(filepath.Join(*dir, "sumdb_golang_org.jsonl"))
		return
	}
	var tree, tiles, texts, notes file
	arithmetic(&tree)
	proofs(&tree)
	tree.write(filepath.Join(*dir, "sumdb_tree.jsonl"))
	paths(&tiles)
	coordinates(&tiles)
	plans(&tiles)
	tiles.write(filepath.Join(*dir, "sumdb_tiles.jsonl"))
	records(&texts)
	heads(&texts)
	texts.write(filepath.Join(*dir, "sumdb_texts.jsonl"))
	keys(&notes)
	openings(&notes)
	signings(&notes)
	notes.write(filepath.Join(*dir, "sumdb_notes.jsonl"))
}
