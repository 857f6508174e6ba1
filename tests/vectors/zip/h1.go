package main

// h1 hashes of go.mod files, computed as cmd/go does (modfetch's goModSum), and of lists of files.

import (
	"io"
	"maps"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/dirhash"
)

// An h1Vector is the h1 of files by name, or of a go.mod.
type h1Vector struct {
	GoMod *string           `json:"go_mod,omitempty"`
	Files map[string]string `json:"files,omitempty"`
	H1    string            `json:"h1,omitempty"` // none: refused
}

func h1Vectors() []h1Vector {
	var list []h1Vector
	for _, content := range []string{
		"", "\n", "module example.com/m\n", "module example.com/m\r\n\r\ngo 1.21\r\n", "\ufeffmodule x\n", "\x00",
		"module example.com/m\n\ngo 1.24\n\nrequire example.com/n v1.0.0 // indirect\n", strings.Repeat("// ä\n", 300),
	} {
		h1, err := dirhash.Hash1([]string{"go.mod"}, func(string) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(content)), nil
		})
		check(err)
		list = append(list, h1Vector{GoMod: &content, H1: h1})
	}
	for _, files := range []map[string]string{
		{}, {"": ""}, {"a": ""}, {"a": "1", "b": "2"}, {"a": "1", "a-b": "2", "a/b": "3", "A": "4", "é": "5", "z": "6", "\U0001f600": "7", "ﬆ": "8"},
		{"m@v1.0.0/go.mod": "module m\n", "m@v1.0.0/m.go": "package m\n"}, {"a b": "x", "a  b": "y"}, {"a\nb": "x"}, {"a\rb": "x"}, {"\n": ""},
	} {
		h1, err := dirhash.Hash1(slices.Collect(maps.Keys(files)), func(name string) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(files[name])), nil
		})
		if err != nil {
			h1 = ""
		}
		list = append(list, h1Vector{Files: files, H1: h1})
	}
	return list
}
