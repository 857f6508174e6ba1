package main

// Every one-byte change and every cut of a few small zips. The zips differ in which structures they have, so that each
// byte of each structure is wrong once, with the reference's verdict over it.

import (
	"log"
	"strings"
)

// A mutation series is one kind of change made at every offset of a zip. The answers stand one character an offset:
// '.' refused, '=' accepted with the h1 of the zip as it was, a letter: accepted with that one of Others.
type mutationSeries struct {
	Name    string   `json:"name"`
	Xor     byte     `json:"xor,omitempty"` // 0: the file is cut off at the offset
	H1      string   `json:"h1"`
	Answers string   `json:"answers"`
	Others  []string `json:"others,omitempty"`
}

func mutations() []mutationSeries {
	bases := []writerCase{
		{"plain", archive{entries: two()}.bytes()},
		{"descriptors", archive{entries: []entry{
			{name: prefix + "a.go", content: text, method: deflated, descriptor: descriptor32},
			{name: prefix + "d/b", content: "b", descriptor: descriptorUnsigned},
		}, before: []byte("#!x\n"), comment: "bye"}.bytes()},
		{"zip64", archive{
			entries: []entry{{name: prefix + "d/"}, {name: prefix + "d/a.go", content: text, method: deflated, unpackedSize: ptr(uint64(full32)), extra: zip64Extra(uint64(len(text)))}},
			zip64:   &zip64End{}, records: ptr(uint16(0xffff)),
		}.bytes()},
		{"huffman", archive{entries: []entry{{name: prefix + "a", content: noise(90) + strings.Repeat("abcdefgh", 9) + noise(50), method: deflated}}}.bytes()},
	}
	var list []mutationSeries
	for _, base := range bases {
		for _, xor := range []byte{0, 0x01, 0x08, 0x20, 0x80, 0xff} {
			s := mutationSeries{Name: base.name, Xor: xor, H1: judge(base.data, 0).H1}
			var answers strings.Builder
			for i := range base.data {
				data := append([]byte(nil), base.data...)
				if xor == 0 {
					data = data[:i]
				} else {
					data[i] ^= xor
				}
				answers.WriteByte(s.answer(judge(data, 0)))
			}
			s.Answers = answers.String()
			list = append(list, s)
		}
		check(writeBase(base))
	}
	return list
}

func (s *mutationSeries) answer(v verdict) byte {
	if v.Refused != "" {
		return '.'
	}
	if v.H1 == s.H1 {
		return '='
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for i, other := range s.Others {
		if other == v.H1 {
			return letters[i]
		}
	}
	if len(s.Others) == len(letters) {
		log.Fatalf("%s: more h1s than letters", s.Name)
	}
	s.Others = append(s.Others, v.H1)
	return letters[len(s.Others)-1]
}
