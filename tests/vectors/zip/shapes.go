package main

// What entries are and how they are together: directories, modes, duplicates, shared data, and names that JSON cannot say.

func shapeCases() []rawCase {
	var cases []rawCase
	all := func(name string, entries ...entry) {
		cases = append(cases, rawCase{name: name, archive: archive{entries: entries}})
	}
	dir := func(name string) entry { return entry{name: prefix + name} }
	named := func(name string) entry { return entry{name: name, content: "x"} }
	with := func(e entry, change func(e *entry)) entry {
		change(&e)
		return e
	}

	// Directories.
	all("dir", dir("sub/"), file("sub/a.go", text))
	all("dir-behind-its-file", file("sub/a.go", text), dir("sub/"))
	all("dir-only", dir("sub/"))
	all("dir-of-module", dir(""), file("a.go", text))
	all("dir-of-module-twice", dir(""), dir(""))
	all("dir-twice", dir("sub/"), dir("sub/"))
	all("dir-twice-first-without-header", with(dir("sub/"), func(e *entry) { e.localSignature = 1 }), dir("sub/"))
	all("dir-twice-second-without-header", dir("sub/"), with(dir("sub/"), func(e *entry) { e.localSignature = 1 }))
	all("dir-of-module-twice-first-without-header", with(dir(""), func(e *entry) { e.localSignature = 1 }), dir(""))
	all("dir-without-header", with(dir("sub/"), func(e *entry) { e.localSignature = 1 }))
	all("dir-with-content", entry{name: prefix + "sub/", content: "x"})
	all("dir-of-module-with-content", entry{name: prefix, content: "x"})
	all("dir-twice-first-with-content", entry{name: prefix + "sub/", content: "x"}, dir("sub/"))
	all("dir-packed-only", with(dir("sub/"), func(e *entry) { e.packed, e.method = []byte("\x03\x00"), deflated }))
	all("dir-method-99", with(dir("sub/"), func(e *entry) { e.method = 99 }))
	all("dir-crc", with(dir("sub/"), func(e *entry) { e.crc = ptr(uint32(5)) }))
	all("dir-descriptor-missing", with(dir("sub/"), func(e *entry) { e.flags = descriptorFlag }))
	all("dir-huge", with(dir("sub/"), func(e *entry) { e.unpackedSize = ptr(uint64(full32)) }))
	all("dir-go-mod", dir("go.mod/"), file("a.go", text))
	all("dir-go-mod-case", dir("GO.MOD/"), file("a.go", text))
	all("dir-nested-go-mod", dir("sub/go.mod/"))
	all("dir-as-slash", dir("/"))
	all("dir-double-slash", dir("sub//"))
	all("dir-dots", dir("../"))
	all("file-without-header", with(file("a.go", text), func(e *entry) { e.localSignature = 1 }))

	// Modes: the reference looks at none.
	for name, mode := range map[string]uint32{
		"symlink": 0xa1ff, "fifo": 0x11ff, "device": 0x61ff, "char-device": 0x21ff, "socket": 0xc1ff,
		"directory": 0x41ff, "setuid": 0x89ff, "none": 0,
	} {
		all("mode-"+name, with(file("link", "../../etc/passwd"), func(e *entry) {
			e.creator, e.attributes = 3<<8|20, mode<<16
		}))
	}
	all("mode-dos-directory", with(file("a", text), func(e *entry) { e.attributes = 0x10 }))

	// Duplicates and shared data.
	all("duplicate", file("a.go", text), file("a.go", text))
	all("duplicate-other-content", file("a.go", text), file("a.go", "package evil\n"))
	all("duplicate-apart", file("a.go", text), file("b.go", text), file("a.go", text))
	all("case-collision", file("a.go", text), file("A.go", text))
	all("case-collision-dir", file("x/a.go", text), file("X/b.go", text))
	all("file-and-dir", file("a", text), file("a/b", text))
	all("file-and-dir-behind", file("a/b", text), file("a", text))
	all("file-and-dir-entry", file("a", text), dir("a/"))
	all("shared-header", sharing(2, noise(1000))...)
	all("shared-header-many", sharing(40, noise(100))...)
	all("shared-header-empty", sharing(2, "")...)
	body := noise(1000)
	inner := archive{entries: []entry{{name: prefix + "inner", content: body}}, noEnd: true}.bytes()
	outer := entry{name: prefix + "outer", content: string(inner)}
	all("header-inside-stored-file", outer,
		entry{name: prefix + "inner", content: body, noLocal: true, offset: ptr(uint64(30 + len(outer.name)))})
	cases = append(cases, rawCase{name: "entries-in-reverse", archive: archive{
		entries: []entry{file("a.go", text), file("b.go", "package b\n"), file("c.go", "package c\n")}, reverse: true,
	}})

	// Names.
	all("name-empty", named(""))
	all("name-is-prefix-without-slash", named(prefix[:len(prefix)-1]))
	all("name-other-module", named("example.com/other@v1.0.0/a.go"))
	all("name-other-version", named("example.com/m@v1.0.1/a.go"))
	all("name-prefix-case", named("Example.com/m@v1.0.0/a.go"))
	all("name-unprefixed", named("a.go"))
	all("name-absolute", named("/"+prefix+"a.go"))
	all("name-traversal", named(prefix+"../../a.go"))
	all("name-backslash", named(prefix+"sub\\a.go"))
	all("name-backslash-prefix", named("example.com\\m@v1.0.0\\a.go"))
	all("name-not-utf8", named(prefix+"a\xff.go"))
	all("name-overlong-utf8", named(prefix+"a\xc0\xaf.go"))
	all("name-surrogate-utf8", named(prefix+"a\xed\xa0\x80.go"))
	all("name-cut-utf8", named(prefix+"a\xe2\x82"))
	all("name-latin1", named(prefix+"stra\xdfe.go"))
	all("name-nul", named(prefix+"a\x00.go"))
	all("name-newline", named(prefix+"a\n.go"))
	all("name-replacement-character", named(prefix+"a\ufffd.go"))
	return cases
}

// sharing is n files of the same content that all have the first one's local header.
func sharing(n int, content string) []entry {
	list := []entry{file("0", content)}
	for i := 1; i < n; i++ {
		e := file(digits(i), content)
		e.noLocal, e.offset = true, ptr(uint64(0))
		list = append(list, e)
	}
	return list
}
