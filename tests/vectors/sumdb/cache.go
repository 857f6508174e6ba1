package main

import (
	"encoding/base64"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// realLookup copies what the go command has in its cache after a lookup of one version of golang.org/x/mod: the
// answer, and each tile that it read for it.
func realLookup(f *file, cache string) {
	const module = "golang.org/x/mod"
	root := filepath.Join(cache, "cache/download/sumdb/sum.golang.org")
	lookups, tiles := 0, 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".lock") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if version, ok := strings.CutPrefix(name, "lookup/"+module+"@"); ok {
			f.add("Lookup", []string{module, version}, true, latin1(data))
			lookups++
		} else if _, err := tlog.ParseTilePath(name); err == nil {
			f.add("Tile", []string{name}, true, base64.StdEncoding.EncodeToString(data))
			tiles++
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	if lookups != 1 || tiles == 0 {
		log.Fatalf("%d lookups of %s and %d tiles in %s: want one, and some", lookups, module, tiles, root)
	}
}
