package main

// Well-formed zips, by each way that Go's own writer offers.

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"hash/crc32"
	"io"
	"strings"
	"time"

	"golang.org/x/mod/module"
	modzip "golang.org/x/mod/zip"
	"os"
	"path/filepath"
)

type writerCase struct {
	name string
	data []byte
}

var sample = []struct{ name, content string }{
	{"go.mod", "module example.com/m\n"},
	{"LICENSE", "Do what you like.\n"},
	{"a.go", "package m\n\n" + strings.Repeat("// A line that compresses well.\n", 40)},
	{"sub/dir/b_test.go", "package dir\n"},
	{"sub/empty", ""},
	{"päckchen/straße.go", "package päckchen\n"},
	{"sub.x/名前.txt", "unicode\n"},
}

func writerCases() []writerCase {
	var cases []writerCase
	add := func(name string, write func(w *zip.Writer)) {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		write(w)
		check(w.Close())
		cases = append(cases, writerCase{"go-" + name, b.Bytes()})
	}
	files := func(w *zip.Writer, method uint16) {
		for _, f := range sample {
			file, err := w.CreateHeader(&zip.FileHeader{Name: prefix + f.name, Method: method})
			check(err)
			_, err = io.WriteString(file, f.content)
			check(err)
		}
	}
	add("stored", func(w *zip.Writer) { files(w, zip.Store) })
	for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
		name := "deflate-" + string(rune('0'+level))
		switch level {
		case flate.HuffmanOnly:
			name = "deflate-huffman"
		case flate.DefaultCompression:
			name = "deflate-default"
		}
		add(name, func(w *zip.Writer) {
			w.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, level) })
			files(w, zip.Deflate)
		})
	}
	add("no-descriptors", func(w *zip.Writer) {
		for _, f := range sample {
			packed := deflate(f.content, flate.DefaultCompression)
			file, err := w.CreateRaw(&zip.FileHeader{
				Name: prefix + f.name, Method: zip.Deflate, CRC32: crc32.ChecksumIEEE([]byte(f.content)),
				CompressedSize64: uint64(len(packed)), UncompressedSize64: uint64(len(f.content)),
			})
			check(err)
			_, err = file.Write(packed)
			check(err)
		}
	})
	add("comment", func(w *zip.Writer) {
		files(w, zip.Deflate)
		check(w.SetComment("a comment"))
	})
	add("times-and-comments", func(w *zip.Writer) {
		for _, f := range sample {
			file, err := w.CreateHeader(&zip.FileHeader{
				Name: prefix + f.name, Method: zip.Deflate, Comment: "of this file",
				Modified: time.Date(2020, 2, 29, 12, 0, 0, 0, time.FixedZone("", 3600)),
				Extra:    extraField(0x000a, make([]byte, 32)),
			})
			check(err)
			_, err = io.WriteString(file, f.content)
			check(err)
		}
	})
	add("directories", func(w *zip.Writer) {
		for _, name := range []string{"", "sub/", "sub/dir/"} {
			_, err := w.Create(prefix + name)
			check(err)
		}
		files(w, zip.Deflate)
	})
	add("empty", func(*zip.Writer) {})
	add("flushed", func(w *zip.Writer) {
		file, err := w.Create(prefix + "a.go")
		check(err)
		for range 50 {
			_, err = io.WriteString(file, "package m\n")
			check(err)
			check(w.Flush())
		}
	})
	add("prefixed-with-offset", func(w *zip.Writer) {
		w.SetOffset(11)
		files(w, zip.Deflate)
	})
	last := &cases[len(cases)-1]
	last.data = append([]byte("#!/bin/sh\n\n"), last.data...)

	// As `go mod download` gets them: x/mod/zip itself, from a folder.
	dir := filepath.Join(scratch, "tree")
	for _, f := range sample {
		file := filepath.Join(dir, filepath.FromSlash(f.name))
		check(os.MkdirAll(filepath.Dir(file), 0o777))
		check(os.WriteFile(file, []byte(f.content), 0o666))
	}
	var b bytes.Buffer
	check(modzip.CreateFromDir(&b, module.Version{Path: modulePath, Version: moduleVersion}, dir))
	return append(cases, writerCase{"go-create-from-dir", b.Bytes()})
}
