package main

// Zips written by hand, so that each field can be wrong on its own. What is left alone is as a careful writer has it.

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"slices"
)

const (
	stored   = 0
	deflated = 8

	descriptorFlag = 8
	full32         = 0xffffffff
)

type descriptor int

const (
	noDescriptor descriptor = iota
	descriptor32
	descriptor64
	descriptorUnsigned // without its signature
)

// An entry is a file of an archive: first what it holds, then each header field that a case may set.
type entry struct {
	name       string
	content    string
	method     uint16
	flags      uint16
	descriptor descriptor

	packed          []byte  // instead of the content as the method packs it
	localName       *string // instead of name
	localExtra      []byte
	localSignature  uint32
	crc             *uint32 // in the directory
	descriptorCRC   *uint32
	packedSize      *uint64 // in the directory, with unpackedSize and offset: 32 bits of it if extra has the rest
	unpackedSize    *uint64
	offset          *uint64
	extra           []byte // in the directory
	comment         string
	creator         uint16
	attributes      uint32
	headerSignature uint32

	noLocal bool   // only in the directory
	gap     []byte // behind the data, before the descriptor
}

// An archive is entries and what stands around them.
type archive struct {
	before  []byte // counted in no offset, unless adjusted
	adjust  bool   // count `before` in the offsets
	entries []entry
	reverse bool // the directory only

	afterData      []byte // between the data and the directory
	afterDirectory []byte // between the directory and the end record
	comment        string
	commentLen     *uint16
	after          []byte // behind the end record

	records   *uint16
	size      *uint32
	offset    *uint32
	zip64     *zip64End
	noEnd     bool
	signature uint32
}

// A zip64End is the zip64 end record and its locator. Unset fields are right.
type zip64End struct {
	records, size, offset *uint64
	at                    *uint64 // in the locator
	disk, disks           *uint32
	signature             uint32
	locator               uint32
	between               []byte // between record and locator
	extra                 []byte // between locator and end record
}

func ptr[T any](v T) *T { return &v }

func or[T any](p *T, v T) T {
	if p != nil {
		return *p
	}
	return v
}

func orZero[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func deflate(content string, level int) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, level)
	check(err)
	_, err = w.Write([]byte(content))
	check(err)
	check(w.Close())
	return b.Bytes()
}

// put appends fields, each at its own width.
func put(b []byte, fields ...any) []byte {
	for _, f := range fields {
		switch f := f.(type) {
		case string:
			b = append(b, f...)
		case []byte:
			b = append(b, f...)
		default:
			var err error
			b, err = binary.Append(b, binary.LittleEndian, f)
			check(err)
		}
	}
	return b
}

// extraField is one field of an extra block.
func extraField(tag uint16, values ...any) []byte {
	data := put(nil, values...)
	return put(nil, tag, uint16(len(data)), data)
}

func zip64Extra(values ...uint64) []byte {
	var fields []any
	for _, v := range values {
		fields = append(fields, v)
	}
	return extraField(1, fields...)
}

func (a archive) bytes() []byte {
	b := append([]byte(nil), a.before...)
	base := uint64(0)
	if !a.adjust {
		base = uint64(len(a.before))
	}
	type place struct {
		entry
		offset      uint64
		packedBytes []byte
	}
	var places []place
	for _, e := range a.entries {
		packed := e.packed
		if packed == nil {
			packed = []byte(e.content)
			if e.method == deflated {
				packed = deflate(e.content, flate.DefaultCompression)
			}
		}
		places = append(places, place{e, uint64(len(b)) - base, packed})
		if e.noLocal {
			continue
		}
		crc := crc32.ChecksumIEEE([]byte(e.content))
		name := or(e.localName, e.name)
		b = put(b, orZero(e.localSignature, 0x04034b50), uint16(20), e.flagBits(), e.method, uint16(0), uint16(33))
		if e.descriptor == noDescriptor {
			b = put(b, crc, uint32(len(packed)), uint32(len(e.content)))
		} else {
			b = put(b, uint32(0), uint32(0), uint32(0))
		}
		b = put(b, uint16(len(name)), uint16(len(e.localExtra)), name, e.localExtra, packed, e.gap)
		crc = or(e.descriptorCRC, or(e.crc, crc))
		switch e.descriptor {
		case descriptor32:
			b = put(b, uint32(0x08074b50), crc, uint32(len(packed)), uint32(len(e.content)))
		case descriptor64:
			b = put(b, uint32(0x08074b50), crc, uint64(len(packed)), uint64(len(e.content)))
		case descriptorUnsigned:
			b = put(b, crc, uint32(len(packed)), uint32(len(e.content)))
		}
	}
	b = append(b, a.afterData...)
	directory := uint64(len(b))
	if a.reverse {
		slices.Reverse(places)
	}
	for _, p := range places {
		b = put(b, orZero(p.headerSignature, 0x02014b50), orZero(p.creator, 20), uint16(20), p.flagBits(), p.method,
			uint16(0), uint16(33), or(p.crc, crc32.ChecksumIEEE([]byte(p.content))),
			uint32(min(or(p.packedSize, uint64(len(p.packedBytes))), full32)),
			uint32(min(or(p.unpackedSize, uint64(len(p.content))), full32)),
			uint16(len(p.name)), uint16(len(p.extra)), uint16(len(p.comment)), uint16(0), uint16(0), p.attributes,
			uint32(min(or(p.entry.offset, p.offset), full32)), p.name, p.extra, p.comment)
	}
	size := uint64(len(b)) - directory
	b = append(b, a.afterDirectory...)
	if z := a.zip64; z != nil {
		at := uint64(len(b))
		b = put(b, orZero(z.signature, 0x06064b50), uint64(44), uint16(45), uint16(45), uint32(0), uint32(0),
			or(z.records, uint64(len(a.entries))), or(z.records, uint64(len(a.entries))),
			or(z.size, size), or(z.offset, directory-base), z.between)
		b = put(b, orZero(z.locator, 0x07064b50), or(z.disk, 0), or(z.at, at), or(z.disks, 1), z.extra)
	}
	if a.noEnd {
		return b
	}
	records := or(a.records, uint16(len(a.entries)))
	return put(b, orZero(a.signature, 0x06054b50), uint16(0), uint16(0), records, records, or(a.size, uint32(size)),
		or(a.offset, uint32(directory-base)), or(a.commentLen, uint16(len(a.comment))), a.comment, a.after)
}

func (e entry) flagBits() uint16 {
	if e.descriptor != noDescriptor {
		return e.flags | descriptorFlag
	}
	return e.flags
}
