package main

// Entries that are wrong, or odd, in one way each.

import "strings"

const limit = 500 << 20

func entryCases() []rawCase {
	var cases []rawCase
	// one adds a zip with a good entry and the changed one behind it.
	one := func(name string, change func(e *entry)) {
		e := file("b.go", text)
		change(&e)
		cases = append(cases, rawCase{name: name, archive: archive{entries: []entry{file("a.go", "package m\n"), e}}})
	}
	all := func(name string, entries ...entry) {
		cases = append(cases, rawCase{name: name, archive: archive{entries: entries}})
	}

	// Checksums and descriptors.
	for name, d := range map[string]descriptor{"": noDescriptor, "-descriptor32": descriptor32, "-descriptor64": descriptor64, "-descriptor-unsigned": descriptorUnsigned} {
		one("entry"+name, func(e *entry) { e.descriptor = d })
		one("crc-wrong"+name, func(e *entry) { e.descriptor, e.crc = d, ptr(uint32(1)) })
		one("crc-zero"+name, func(e *entry) { e.descriptor, e.crc = d, ptr(uint32(0)) })
		one("crc-wrong-stored"+name, func(e *entry) { e.descriptor, e.method, e.crc = d, stored, ptr(uint32(1)) })
	}
	one("descriptor-crc-wrong", func(e *entry) { e.descriptor, e.descriptorCRC = descriptor32, ptr(uint32(1)) })
	one("descriptor-missing", func(e *entry) { e.flags = descriptorFlag })
	one("descriptor-behind-gap", func(e *entry) { e.descriptor, e.gap = descriptor32, []byte("gap") })
	one("descriptor-behind-counted-gap", func(e *entry) {
		e.descriptor, e.packed = descriptor32, append(deflate(text, 6), "gap"...)
	})

	// Sizes.
	for name, method := range map[string]uint16{"": deflated, "-stored": stored} {
		one("unpacked-one-less"+name, func(e *entry) { e.method, e.unpackedSize = method, ptr(uint64(len(text)-1)) })
		one("unpacked-one-more"+name, func(e *entry) { e.method, e.unpackedSize = method, ptr(uint64(len(text)+1)) })
		one("unpacked-zero"+name, func(e *entry) { e.method, e.unpackedSize = method, ptr(uint64(0)) })
		one("packed-one-less"+name, func(e *entry) {
			e.method, e.packedSize = method, ptr(uint64(len(deflate(text, -1))-1))
			if method == stored {
				e.packedSize = ptr(uint64(len(text) - 1))
			}
		})
		one("packed-zero"+name, func(e *entry) { e.method, e.packedSize = method, ptr(uint64(0)) })
		one("packed-beyond-file"+name, func(e *entry) { e.method, e.packedSize = method, ptr(uint64(1<<20)) })
		one("packed-and-unpacked-both-less"+name, func(e *entry) {
			e.method, e.packedSize, e.unpackedSize = method, ptr(uint64(5)), ptr(uint64(5))
		})
		one("packed-2-62"+name, func(e *entry) { e.method, e.packedSize, e.extra = method, ptr(uint64(full32)), zip64Extra(1<<62) })
		one("packed-2-63"+name, func(e *entry) { e.method, e.packedSize, e.extra = method, ptr(uint64(full32)), zip64Extra(1<<63) })
		one("packed-2-63-empty"+name, func(e *entry) {
			e.content, e.method, e.packedSize, e.extra = "", method, ptr(uint64(full32)), zip64Extra(1<<63)
		})
		one("packed-2-64-less-1-empty"+name, func(e *entry) {
			e.content, e.method, e.packedSize, e.extra = "", method, ptr(uint64(full32)), zip64Extra(1<<64-1)
		})
		one("packed-negative-empty-descriptor"+name, func(e *entry) {
			// The descriptor is looked for 16 bytes before the body: in the local header.
			e.content, e.method, e.packedSize, e.extra = "", method, ptr(uint64(full32)), zip64Extra(1<<64-16)
			e.flags = descriptorFlag
		})
	}
	one("packed-longer-than-stream", func(e *entry) { e.packed = append(deflate(text, 6), "more"...) })
	one("bomb", func(e *entry) {
		e.packed, e.unpackedSize = deflate(strings.Repeat("\x00", 1<<20), 9), ptr(uint64(36))
	})
	one("bomb-declared", func(e *entry) { e.content = strings.Repeat("\x00", 8<<20) })
	one("empty-blocks", func(e *entry) {
		e.packed = append([]byte(strings.Repeat("\x00\x00\x00\xff\xff", 2000)), deflate(text, 6)...)
	})
	one("incompressible-64k-blocks", func(e *entry) { e.content = noise(70 << 10) })

	// Deflate streams.
	for name, packed := range map[string]string{
		"no-bytes":               "",
		"reserved-block":         "\x07",
		"stored-length":          "\x01\x01\x00\x00\x00a",
		"stored-cut":             "\x01\x05\x00\xfa\xffab",
		"fixed-cut":              "\x4b\x4c",
		"distance-past-start":    "\x4b\x04\x42\x00",
		"dynamic-cut":            "\x05\xc0",
		"dynamic-oversubscribed": "\xed\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"dynamic-too-many":       "\xfd\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
		"zlib-header":            "\x78\x9c" + string(deflate(text, 6)),
		"no-final-block":         strings.Repeat("\x00\x00\x00\xff\xff", 3),
		"text":                   text,
	} {
		one("deflate-"+name, func(e *entry) { e.packed = []byte(packed) })
	}
	one("deflate-empty", func(e *entry) { e.content = "" })
	one("deflate-empty-fixed", func(e *entry) { e.content, e.packed = "", []byte("\x03\x00") })
	one("deflate-empty-stored", func(e *entry) { e.content, e.packed = "", []byte("\x01\x00\x00\xff\xff") })

	// Methods and flags.
	for _, method := range []uint16{1, 9, 93, 0xffff} {
		one("method-"+digits(int(method)), func(e *entry) { e.method = method })
	}
	one("flag-encrypted", func(e *entry) { e.flags = 1 })
	one("flag-utf8", func(e *entry) { e.flags = 0x800 })
	one("flag-all-but-descriptor", func(e *entry) { e.flags = 0xfff7 })

	// Local headers.
	one("local-signature", func(e *entry) { e.localSignature = 0x04034b51 })
	one("local-name-other", func(e *entry) { e.localName = ptr(prefix + "evil.go") })
	one("local-name-longer", func(e *entry) { e.localName = ptr("../../../../" + prefix + "evil.go") })
	one("local-extra", func(e *entry) { e.localExtra = extraField(0x5455, byte(1), uint32(0)) })
	one("local-offset-beyond", func(e *entry) { e.offset = ptr(uint64(1 << 20)) })
	one("local-offset-one-off", func(e *entry) { e.offset = ptr(uint64(1)) })
	one("local-offset-in-directory", func(e *entry) { e.offset = ptr(uint64(220)) })
	one("local-offset-negative", func(e *entry) { e.offset, e.extra = ptr(uint64(full32)), zip64Extra(1<<64-1) })
	one("local-missing", func(e *entry) { e.noLocal = true })

	// Extra fields.
	big := func(size, offset bool) func(e *entry) {
		return func(e *entry) {
			e.unpackedSize, e.packedSize = ptr(uint64(full32)), ptr(uint64(full32))
			e.extra = zip64Extra(uint64(len(text)), uint64(len(deflate(text, -1))))
			if offset {
				e.offset = ptr(uint64(full32))
				e.extra = zip64Extra(uint64(len(text)), uint64(len(deflate(text, -1))), secondOffset())
			}
			if !size {
				e.unpackedSize, e.packedSize, e.extra = nil, nil, zip64Extra(secondOffset())
			}
		}
	}
	one("zip64-extra-sizes", big(true, false))
	one("zip64-extra-all", big(true, true))
	one("zip64-extra-offset", big(false, true))
	one("zip64-extra-not-needed", func(e *entry) { e.extra = zip64Extra(1, 2, 3) })
	one("zip64-extra-short", func(e *entry) { e.unpackedSize, e.extra = ptr(uint64(full32)), extraField(1, uint32(9)) })
	one("zip64-extra-short-second", func(e *entry) {
		e.unpackedSize, e.packedSize = ptr(uint64(full32)), ptr(uint64(full32))
		e.extra = extraField(1, uint64(len(text)), uint32(9))
	})
	one("zip64-extra-twice", func(e *entry) {
		e.unpackedSize, e.packedSize = ptr(uint64(full32)), ptr(uint64(full32))
		e.extra = append(zip64Extra(uint64(len(text)), uint64(len(deflate(text, -1)))), zip64Extra(1, 1)...)
	})
	one("zip64-extra-behind-others", func(e *entry) {
		e.unpackedSize = ptr(uint64(full32))
		e.extra = append(extraField(0xcafe, "x"), zip64Extra(uint64(len(text)))...)
	})
	one("zip64-extra-behind-garbage", func(e *entry) {
		e.unpackedSize = ptr(uint64(full32))
		e.extra = append([]byte{0xfe, 0xca, 0xff, 0xff}, zip64Extra(uint64(len(text)))...)
	})
	one("zip64-extra-missing-unpacked", func(e *entry) { e.unpackedSize = ptr(uint64(full32)) })
	one("zip64-extra-missing-packed", func(e *entry) { e.packedSize = ptr(uint64(full32)) })
	one("zip64-extra-missing-offset", func(e *entry) { e.offset = ptr(uint64(full32)) })
	one("extra-three-bytes", func(e *entry) { e.extra = []byte{1, 0, 8} })
	one("extra-past-its-end", func(e *entry) { e.extra = []byte{1, 0, 9, 0, 1} })
	one("extra-times", func(e *entry) {
		e.extra = append(extraField(0x000a, make([]byte, 3)), extraField(0x5455, "\x01")...)
		e.extra = append(e.extra, extraField(0x000d, uint64(7))...)
	})
	one("entry-comment", func(e *entry) { e.comment = "\xff\xfe not UTF-8" })

	// Declared sizes at the limits. Nothing of that size is there, so all are refused; the error says by which rule.
	for name, sizes := range map[string][]uint64{
		"unpacks-at-limit": {limit - 10}, "unpacks-past-limit": {limit - 9}, "unpacks-2-32": {full32 + 1},
		"unpacks-2-63": {1 << 63}, "unpacks-2-64": {1<<64 - 1}, "unpacks-sum-past-limit": {limit / 2, limit / 2},
		"unpacks-sum-overflows": {1<<63 - 1, 1<<63 - 1},
	} {
		entries := []entry{file("a.go", "package m\n")}
		for i, size := range sizes {
			e := file(digits(i), text)
			e.unpackedSize, e.extra = ptr(uint64(full32)), zip64Extra(size)
			entries = append(entries, e)
		}
		all(name, entries...)
	}
	for _, name := range []string{"go.mod", "LICENSE", "LICENSE.txt", "license"} {
		for over := range uint64(2) {
			e := file(name, text)
			e.unpackedSize = ptr(16<<20 + over)
			all(strings.ToLower(strings.ReplaceAll(name, ".", "-"))+"-"+name[:1]+"-16mib-and-"+digits(int(over)), e)
		}
	}
	// These really have the size.
	all("go-mod-16mib", file("go.mod", strings.Repeat("\n", 16<<20)))
	all("license-16mib", file("LICENSE", strings.Repeat("\n", 16<<20)))

	return append(cases, shapeCases()...)
}

// secondOffset is where the second entry of a zip by `one` begins.
func secondOffset() uint64 {
	a := archive{entries: []entry{file("a.go", "package m\n")}}
	return uint64(strings.Index(string(a.bytes()), "PK\x01\x02"))
}

func noise(n int) string {
	var b strings.Builder
	x := uint32(1)
	for range n {
		x = x*1664525 + 1013904223
		b.WriteByte(byte(x >> 24))
	}
	return b.String()
}

func digits(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return digits(n/10) + digits(n%10)
}
