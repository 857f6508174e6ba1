// Command zip writes vectors for module zips: what x/mod/zip's CheckZip and x/mod/sumdb/dirhash's HashZip say of zips
// that Go's own writer made in all its ways, and of zips that are wrong in one way each.
//
// It writes protocol/tests/vectors/zip: NAME.zip; verdicts.jsonl, one verdict a zip; mutations.jsonl, the verdicts
// over every one-byte change and every cut of a few small zips; names.jsonl, those over single names and over sets of
// names that may collide; h1.jsonl, h1s of go.mod files and of lists of files. protocol/tests/zip_vectors.rs replays them. The same x/mod and Go give the same bytes.
//
// With -tables it writes protocol/src/zip/unicode.rs instead.
package main

import (
	"archive/zip"
	"bufio"
	"encoding/json"
	"flag"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
)

var (
	out    = flag.String("out", "../../../protocol/tests/vectors/zip", "where the vectors go")
	tables = flag.String("tables", "", "write the Unicode tables to this file, and no vectors")
)

// The module that all zips are of, and the prefix of its files.
const (
	modulePath    = "example.com/m"
	moduleVersion = "v1.0.0"
	prefix        = modulePath + "@" + moduleVersion + "/"
)

// A verdict is what the reference says: an h1 with counts, or why not.
type verdict struct {
	Name     string `json:"name"`
	Before   uint64 `json:"before,omitempty"` // zero bytes to be put before the file: for sizes that no file should have
	H1       string `json:"h1,omitempty"`
	Files    int    `json:"files,omitempty"`
	Unpacked uint64 `json:"unpacked,omitempty"`
	Refused  string `json:"refused,omitempty"`
}

var scratch string

// judge asks the reference about a zip.
func judge(data []byte, before uint64) (v verdict) {
	file := filepath.Join(scratch, "judged.zip")
	f, err := os.Create(file)
	check(err)
	check(f.Truncate(int64(before)))
	_, err = f.WriteAt(data, int64(before))
	check(err)
	check(f.Close())

	v.Before = before
	if _, err := modzip.CheckZip(module.Version{Path: modulePath, Version: moduleVersion}, file); err != nil {
		v.Refused = refusal(err)
		return v
	}
	if v.H1, err = dirhash.HashZip(file, dirhash.DefaultHash); err != nil {
		v.Refused = refusal(err)
		return v
	}
	z, err := zip.OpenReader(file)
	check(err)
	defer z.Close()
	v.Files = len(z.File)
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, "/") {
			v.Unpacked += f.UncompressedSize64
		}
	}
	return v
}

// refusal is what the reference said, less where the file happened to be.
func refusal(err error) string {
	return strings.ReplaceAll(err.Error(), scratch+string(filepath.Separator), "")
}

func main() {
	log.SetFlags(0)
	flag.Parse()
	if *tables != "" {
		check(writeTables(*tables))
		return
	}
	var err error
	scratch, err = os.MkdirTemp("", "zip-vectors-")
	check(err)
	defer os.RemoveAll(scratch)
	check(os.RemoveAll(*out))
	check(os.MkdirAll(*out, 0o777))

	var verdicts []verdict
	seen := map[string]bool{}
	add := func(name string, data []byte, before uint64) {
		if seen[name] {
			log.Fatalf("two cases named %s", name)
		}
		seen[name] = true
		check(os.WriteFile(filepath.Join(*out, name+".zip"), data, 0o666))
		v := judge(data, before)
		v.Name = name
		verdicts = append(verdicts, v)
	}
	for _, c := range writerCases() {
		add(c.name, c.data, 0)
	}
	for _, c := range rawCases() {
		add(c.name, c.archive.bytes(), c.pad)
	}
	slices.SortFunc(verdicts, func(a, b verdict) int { return strings.Compare(a.Name, b.Name) })
	writeLines("verdicts.jsonl", verdicts)
	writeLines("mutations.jsonl", mutations())
	writeLines("names.jsonl", nameVectors())
	writeLines("h1.jsonl", h1Vectors())
}

func writeLines[T any](name string, lines []T) {
	f, err := os.Create(filepath.Join(*out, name))
	check(err)
	w := bufio.NewWriter(f)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, line := range lines {
		check(e.Encode(line))
	}
	check(w.Flush())
	check(f.Close())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// writeBase writes the zip that a series of mutations is made of.
func writeBase(c writerCase) error {
	return os.WriteFile(filepath.Join(*out, "mutate-"+c.name+".zip"), c.data, 0o666)
}
