package main

// Zips that are wrong, or odd, in one way each: what stands around the entries here, the entries in entries.go.

import "strings"

type rawCase struct {
	name    string
	archive archive
	pad     uint64 // zero bytes that the verdict is given with in front
}

// file is an entry that nothing is wrong with.
func file(name, content string) entry {
	return entry{name: prefix + name, content: content, method: deflated}
}

const text = "package m // package m // package m\n"

func two() []entry {
	return []entry{file("a.go", text), {name: prefix + "b.txt", content: "stored"}}
}

// many is 300 files, whose directory is longer than 1024 bytes and whose names repeat.
func many() []entry {
	var list []entry
	for i := range 300 {
		list = append(list, file("d/"+strings.Repeat("x", i%7)+string(rune('a'+i%26))+strings.Repeat("y", i/26)+".go", ""))
	}
	return list
}

func rawCases() []rawCase {
	return append(append(archiveCases(), lastCases()...), entryCases()...)
}

func archiveCases() []rawCase {
	plain := archive{entries: two()}
	length := uint64(len(plain.bytes()))
	with := func(change func(a *archive)) archive {
		a := archive{entries: two()}
		change(&a)
		return a
	}
	zip64 := func(z zip64End) archive {
		return with(func(a *archive) { a.zip64, a.records = &z, ptr(uint16(0xffff)) })
	}
	hidden := archive{entries: []entry{file("hidden.go", text)}}

	return []rawCase{
		{name: "plain", archive: plain},
		{name: "many", archive: archive{entries: many()}},
		{name: "no-entries", archive: archive{}},
		{name: "no-bytes", archive: archive{noEnd: true}},
		{name: "no-end", archive: with(func(a *archive) { a.noEnd = true })},
		{name: "end-signature", archive: with(func(a *archive) { a.signature = 0x06054b51 })},
		{name: "half-an-end", archive: archive{noEnd: true, before: archive{}.bytes()[:21]}},

		// The file's size, with a hole in front of the zip.
		{name: "size-at-limit", archive: plain, pad: limit - length},
		{name: "size-past-limit", archive: plain, pad: limit - length + 1},

		// What stands before, behind and between.
		{name: "before", archive: with(func(a *archive) { a.before = []byte("#!/bin/sh\n") })},
		{name: "before-counted", archive: with(func(a *archive) { a.before, a.adjust = []byte("#!/bin/sh\n"), true })},
		{name: "before-is-a-zip", archive: with(func(a *archive) { a.before = hidden.bytes() })},
		{name: "before-is-a-zip-counted", archive: with(func(a *archive) { a.before, a.adjust = hidden.bytes(), true })},
		{name: "before-header-at-declared-offset", archive: with(func(a *archive) {
			// Zeros up to where the unadjusted offset points, and there another directory.
			h := hidden.bytes()
			directory := strings.LastIndex(string(h), "PK\x01\x02")
			offset := strings.Index(string(plain.bytes()), "PK\x01\x02")
			a.before = append(make([]byte, offset), h[directory:]...)
		})},
		{name: "after-data", archive: with(func(a *archive) { a.afterData = []byte("between data and directory") })},
		{name: "after-directory", archive: with(func(a *archive) { a.afterDirectory = []byte("between directory and end") })},
		{name: "after-directory-one-more-header", archive: with(func(a *archive) {
			h := hidden.bytes()
			a.afterDirectory = h[strings.Index(string(h), "PK\x01\x02") : len(h)-22]
		})},
		{name: "after-end", archive: with(func(a *archive) { a.after = []byte("\n") })},
		{name: "zip-after-zip", archive: with(func(a *archive) { a.after = hidden.bytes() })},

		// Comments.
		{name: "comment", archive: with(func(a *archive) { a.comment = "hello" })},
		{name: "comment-with-end-record", archive: with(func(a *archive) { a.comment = "x" + string(hidden.bytes()) })},
		{name: "comment-with-end-signature", archive: with(func(a *archive) { a.comment = "PK\x05\x06" })},
		{name: "comment-with-cut-end-record", archive: with(func(a *archive) {
			a.comment = "PK\x05\x06" + strings.Repeat("\xff", 18)
		})},
		{name: "comment-1002", archive: with(func(a *archive) { a.comment = strings.Repeat("c", 1002) })},
		{name: "comment-1003", archive: with(func(a *archive) { a.comment = strings.Repeat("c", 1003) })},
		{name: "comment-65535", archive: with(func(a *archive) { a.comment = strings.Repeat("c", 65535) })},
		{name: "comment-too-short", archive: with(func(a *archive) { a.comment, a.commentLen = "hello", ptr(uint16(4)) })},
		{name: "comment-too-long", archive: with(func(a *archive) { a.comment, a.commentLen = "hello", ptr(uint16(6)) })},
		{name: "end-past-65k", archive: with(func(a *archive) { a.after = make([]byte, 65<<10) })},
		{name: "end-within-65k", archive: with(func(a *archive) { a.after = make([]byte, 65<<10-22) })},

		// The end record's fields.
		{name: "records-fewer", archive: with(func(a *archive) { a.records = ptr(uint16(1)) })},
		{name: "records-more", archive: with(func(a *archive) { a.records = ptr(uint16(3)) })},
		{name: "records-zero", archive: with(func(a *archive) { a.records = ptr(uint16(0)) })},
		{name: "records-ffff", archive: with(func(a *archive) { a.records = ptr(uint16(0xffff)) })},
		{name: "size-smaller", archive: with(func(a *archive) { a.size = ptr(uint32(10)) })},
		{name: "size-zero", archive: with(func(a *archive) { a.size = ptr(uint32(0)) })},
		{name: "size-larger", archive: with(func(a *archive) { a.size = ptr(uint32(200)) })},
		{name: "size-beyond", archive: with(func(a *archive) { a.size = ptr(uint32(1 << 20)) })},
		{name: "size-ffff", archive: with(func(a *archive) { a.size = ptr(uint32(0xffff)) })},
		{name: "offset-zero", archive: with(func(a *archive) { a.offset = ptr(uint32(0)) })},
		{name: "offset-beyond", archive: with(func(a *archive) { a.offset = ptr(uint32(1 << 20)) })},
		{name: "offset-ffffffff", archive: with(func(a *archive) { a.offset = ptr(uint32(full32)) })},
		{name: "offset-one-less", archive: with(func(a *archive) { a.offset = ptr(uint32(strings.Index(string(plain.bytes()), "PK\x01\x02") - 1)) })},
		{name: "directory-runs-to-the-end", archive: func() archive {
			// The end record is inside the last header's comment.
			a := archive{entries: two()}
			end := archive{records: ptr(uint16(2)), size: ptr(uint32(0)), offset: ptr(uint32(0))}
			a.entries[1].comment = string(end.bytes())
			b := a.bytes()
			directory := uint32(strings.Index(string(b), "PK\x01\x02"))
			end.size, end.offset = ptr(uint32(len(b))-22-22-directory), ptr(directory)
			a.entries[1].comment, a.noEnd = string(end.bytes()), true
			return a
		}()},
		{name: "header-signature", archive: with(func(a *archive) { a.entries[1].headerSignature = 0x02014b51 })},
		{name: "header-signature-uncounted", archive: with(func(a *archive) {
			a.entries[1].headerSignature, a.records = 0x02014b51, ptr(uint16(1))
		})},

		// zip64.
		{name: "zip64", archive: zip64(zip64End{})},
		{name: "zip64-by-offset", archive: with(func(a *archive) { a.zip64, a.offset = &zip64End{}, ptr(uint32(full32)) })},
		{name: "zip64-by-size-ffff", archive: with(func(a *archive) { a.zip64, a.size = &zip64End{}, ptr(uint32(0xffff)) })},
		{name: "zip64-by-size-ffffffff", archive: with(func(a *archive) { a.zip64, a.size = &zip64End{}, ptr(uint32(full32)) })},
		{name: "zip64-not-asked-for", archive: with(func(a *archive) { a.zip64 = &zip64End{} })},
		{name: "zip64-not-asked-for-and-wrong", archive: with(func(a *archive) { a.zip64 = &zip64End{offset: ptr(uint64(0))} })},
		{name: "zip64-before", archive: with(func(a *archive) {
			a.before, a.adjust = []byte("#!/bin/sh\n"), true
			a.zip64, a.records = &zip64End{}, ptr(uint16(0xffff))
		})},
		{name: "zip64-records-modulo", archive: zip64(zip64End{records: ptr(uint64(2 + 3<<16))})},
		{name: "zip64-records-wrong", archive: zip64(zip64End{records: ptr(uint64(3))})},
		{name: "zip64-size-negative", archive: zip64(zip64End{size: ptr(uint64(1 << 63))})},
		{name: "zip64-size-max", archive: zip64(zip64End{size: ptr(uint64(1<<63 - 1))})},
		{name: "zip64-offset-negative", archive: zip64(zip64End{offset: ptr(uint64(1 << 63))})},
		{name: "zip64-offset-max", archive: zip64(zip64End{offset: ptr(uint64(1<<63 - 1))})},
		{name: "zip64-size-and-offset-max", archive: zip64(zip64End{size: ptr(uint64(1<<63 - 1)), offset: ptr(uint64(1<<63 - 1))})},
		{name: "zip64-disk", archive: zip64(zip64End{disk: ptr(uint32(1))})},
		{name: "zip64-disks", archive: zip64(zip64End{disks: ptr(uint32(2))})},
		{name: "zip64-signature", archive: zip64(zip64End{signature: 0x06064b51})},
		{name: "zip64-locator-signature", archive: zip64(zip64End{locator: 0x07064b51})},
		{name: "zip64-at-zero", archive: zip64(zip64End{at: ptr(uint64(0))})},
		{name: "zip64-at-beyond", archive: zip64(zip64End{at: ptr(uint64(1 << 40))})},
		{name: "zip64-at-negative", archive: zip64(zip64End{at: ptr(uint64(1 << 63))})},
		{name: "zip64-at-end", archive: zip64(zip64End{at: ptr(length + 40)})},
		{name: "zip64-extensible", archive: zip64(zip64End{between: []byte("extensible data")})},
		{name: "zip64-locator-not-at-the-end", archive: zip64(zip64End{extra: []byte("x")})},
		{name: "zip64-missing-offset-ffffffff-at-start", archive: archive{records: ptr(uint16(0xffff))}},
	}
}

// lastCases have an entry's data at the very end of the file, in the archive's comment, so that its descriptor can be cut off.
func lastCases() []rawCase {
	var cases []rawCase
	whole := archive{entries: []entry{{name: prefix + "a", content: "a", descriptor: descriptor32}}, noEnd: true}.bytes()
	local := string(whole[:strings.Index(string(whole), "PK\x01\x02")])
	add := func(name, data string) {
		e := entry{name: prefix + "a", content: "a", flags: descriptorFlag, noLocal: true}
		a := archive{entries: []entry{e}, comment: data}
		a.entries[0].offset = ptr(uint64(len(a.bytes()) - len(data)))
		cases = append(cases, rawCase{name: "last-" + name, archive: a})
	}
	add("whole", local)
	for _, cut := range []int{1, 4, 5, 8, 12, 13, 16, 17} {
		add("cut-by-"+digits(cut), local[:len(local)-cut])
	}
	unsigned := local[:len(local)-16] + local[len(local)-12:]
	add("unsigned", unsigned)
	add("unsigned-cut-by-1", unsigned[:len(unsigned)-1])
	add("unsigned-cut-by-9", unsigned[:len(unsigned)-9])
	return cases
}
