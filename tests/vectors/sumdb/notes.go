package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// A seed gives the same bytes for ever: keys in vectors are no secrets.
type seed byte

func (s seed) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s)
	}
	return len(b), nil
}

var _ io.Reader = seed(0)

type pair struct{ skey, vkey string }

func newPair(s byte, name string) pair {
	skey, vkey, err := note.GenerateKey(seed(s), name)
	if err != nil {
		log.Fatal(err)
	}
	return pair{skey, vkey}
}

func keys(f *file) {
	verifier := func(vkey string) {
		v, err := note.NewVerifier(vkey)
		if err != nil {
			f.add("NewVerifier", []string{latin1([]byte(vkey))}, false)
			return
		}
		f.add("NewVerifier", []string{latin1([]byte(vkey))}, true, latin1([]byte(v.Name())), fmt.Sprintf("%08x", v.KeyHash()))
	}
	signer := func(skey string) {
		s, err := note.NewSigner(skey)
		if err != nil {
			f.add("NewSigner", []string{latin1([]byte(skey))}, false)
			return
		}
		f.add("NewSigner", []string{latin1([]byte(skey))}, true, latin1([]byte(s.Name())), fmt.Sprintf("%08x", s.KeyHash()))
	}
	verifier("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8")
	for i, name := range []string{"a", "sum.example.com", "host.example/path", "ä", "a b", "a+b", "", "a\nb", "a\u2003b", "a\u00a0b",
		"a\u0085b", "a\u200bb", "\ufeff", strings.Repeat("n", 255)} {
		p := newPair(byte(i+1), name)
		f.add("GenerateKey", []string{num(int64(i + 1)), latin1([]byte(name))}, true, latin1([]byte(p.skey)), latin1([]byte(p.vkey)))
		verifier(p.vkey)
		signer(p.skey)
	}
	for i := range 20 {
		p := newPair(byte(100+i), "sum.example.com")
		for range 8 {
			verifier(string(spoil([]byte(p.vkey))))
			signer(string(spoil([]byte(p.skey))))
		}
		verifier(strings.ToUpper(p.vkey))
		verifier(p.vkey + "\n")
		verifier(" " + p.vkey)
		verifier(p.skey)
		signer(p.vkey)
	}
	// The hash in upper case says the same.
	p := newPair(9, "a")
	cut := strings.SplitN(p.vkey, "+", 3)
	verifier(cut[0] + "+" + strings.ToUpper(cut[1]) + "+" + cut[2])
	// Another algorithm, and keys of the wrong length, with the right hash.
	for _, key := range [][]byte{{}, {1}, {1, 2, 3}, {2}, append([]byte{2}, make([]byte, 32)...), append([]byte{1}, make([]byte, 31)...), append([]byte{1}, make([]byte, 33)...),
		// Points of small order.
		append([]byte{1}, make([]byte, 32)...), append([]byte{1, 1}, make([]byte, 31)...)} {
		verifier(fmt.Sprintf("a+%08x+%s", keyHash("a", key), base64.StdEncoding.EncodeToString(key)))
	}
}

func signed(text string, pairs ...pair) []byte {
	var signers []note.Signer
	for _, p := range pairs {
		s, err := note.NewSigner(p.skey)
		if err != nil {
			log.Fatal(err)
		}
		signers = append(signers, s)
	}
	msg, err := note.Sign(&note.Note{Text: text}, signers...)
	if err != nil {
		log.Fatal(err)
	}
	return msg
}

// kind says why a note did not open.
func kind(err error) string {
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified):
		return "untrusted"
	case errors.As(err, &invalid):
		return "bad signature"
	case strings.HasPrefix(err.Error(), "ambiguous key"):
		return "ambiguous"
	default:
		return err.Error()
	}
}

// open opens a note with some keys. A failure's reason is the last argument.
func open(f *file, msg []byte, pairs ...pair) {
	var verifiers []note.Verifier
	in := []string{latin1(msg)}
	for _, p := range pairs {
		v, err := note.NewVerifier(p.vkey)
		if err != nil {
			log.Fatal(err)
		}
		verifiers = append(verifiers, v)
		in = append(in, latin1([]byte(p.vkey)))
	}
	n, err := note.Open(msg, note.VerifierList(verifiers...))
	if err != nil {
		*f = append(*f, vector{"Open", in, false, []string{kind(err)}})
		return
	}
	out := []string{latin1([]byte(n.Text))}
	for _, sig := range n.Sigs {
		out = append(out, fmt.Sprintf("%s+%08x", sig.Name, sig.Hash))
	}
	f.add("Open", in, true, out...)
}

func openings(f *file) {
	a, b, c := newPair(1, "alice"), newPair(2, "bob"), newPair(3, "sum.example.com/x")
	text := "first line\n\nlast line\n"
	good := signed(text, a, b)
	sigA := bytes.TrimPrefix(signed(text, a), []byte(text+"\n"))
	sigB := bytes.TrimPrefix(signed(text, b), []byte(text+"\n"))
	join := func(parts ...any) []byte { return []byte(fmt.Sprint(parts...)) }
	note := func(text string, sigs ...[]byte) []byte {
		return append([]byte(text+"\n"), bytes.Join(sigs, nil)...)
	}

	// Who is trusted.
	for _, keys := range [][]pair{{}, {a}, {b}, {c}, {a, b}, {b, a, c}} {
		open(f, good, keys...)
	}
	// Texts.
	for _, t := range []string{"\n", "a\n", "a\n\n", "\n\n\n", "ä €\n", "— alice AAAA\n", "a\u2028b\n", "\x7f\n", "\ufeff\n", " \n"} {
		open(f, signed(t, a), a)
	}
	// Signatures that are there twice, by others, or by the wrong key.
	open(f, note(text, sigA, sigA), a)
	open(f, note(text, sigA, sigB, sigA, sigB), a, b)
	open(f, note(text, sigB, sigB), a)
	open(f, note("other\n", sigA), a)
	open(f, note("other\n", sigA), b)
	open(f, note("other\n", sigA, sigB), a, b)
	open(f, note(text, sigA, bytes.TrimPrefix(signed("other\n", b), []byte("other\n\n"))), a, b)
	open(f, note(text, sigA, bytes.TrimPrefix(signed("other\n", a), []byte("other\n\n"))), a)
	open(f, note(text, bytes.TrimPrefix(signed("other\n", a), []byte("other\n\n")), sigA), a)
	open(f, note(text, bytes.ReplaceAll(sigA, []byte("alice"), []byte("bob"))), a, b)
	open(f, note(text, bytes.ReplaceAll(sigA, []byte("alice"), []byte("Alice"))), a)
	// Malformed in each way.
	line := string(bytes.TrimSuffix(sigA, []byte("\n")))
	name, b64, _ := strings.Cut(strings.TrimPrefix(line, "— "), " ")
	raw, _ := base64.StdEncoding.DecodeString(b64)
	for _, msg := range [][]byte{
		{}, []byte("\n"), []byte("\n\n"), []byte(text), []byte(text + "\n"), []byte(text + "\n\n"), sigA, join("\n", string(sigA)), join("\n\n", string(sigA)),
		note(text, []byte(line)), note(text, []byte(line+"\r\n")), note(text, []byte(line+"\n\n")), note(text, []byte(line+" \n")),
		note(text, []byte("\n"), sigA), note(text, sigA, []byte("\n")), note(text, sigA, []byte("x\n")), note(text, []byte("x\n"), sigA),
		note(text, []byte("- "+name+" "+b64+"\n")), note(text, []byte("—  "+name+" "+b64+"\n")), note(text, []byte("—"+name+" "+b64+"\n")),
		note(text, []byte("— "+name+"\n")), note(text, []byte("— "+name+" \n")), note(text, []byte("— "+b64+"\n")), note(text, []byte("—  "+b64+"\n")),
		note(text, []byte("— "+name+"  "+b64+"\n")), note(text, []byte("— "+name+" "+b64+" x\n")), note(text, []byte("— a+b "+b64+"\n")),
		note(text, []byte("— a\u00a0b "+b64+"\n")), note(text, []byte("— a\u200bb "+b64+"\n")),
		note(text, []byte("— "+name+" "+strings.TrimRight(b64, "=")+"\n")), note(text, []byte("— "+name+" "+b64+"=\n")),
		note(text, []byte("— "+name+" "+base64.RawStdEncoding.EncodeToString(raw)+"\n")), note(text, []byte("— "+name+" "+base64.URLEncoding.EncodeToString(raw)+"\n")),
		note(text, []byte("— "+name+" "+base64.StdEncoding.EncodeToString(raw[:4])+"\n")), note(text, []byte("— "+name+" "+base64.StdEncoding.EncodeToString(raw[:5])+"\n")),
		note(text, []byte("— "+name+" "+base64.StdEncoding.EncodeToString(raw[:67])+"\n")), note(text, []byte("— "+name+" "+base64.StdEncoding.EncodeToString(append(raw, 0))+"\n")),
		note("a\tb\n", sigA), note("a\x00\n", sigA), note("a\r\n", sigA), note("a\xff\n", sigA), note("a\xc3\n", sigA), note("a\xed\xa0\x80\n", sigA),
		note("no newline", sigA), note(text, bytes.Repeat(sigA, 100)), note(text, bytes.Repeat(sigA, 101)), note(text, bytes.Repeat(sigB, 101)),
	} {
		open(f, msg, a)
	}
	// Two different keys of one name and hash.
	open(f, good, a, a)
	for range 200 {
		open(f, spoil(good), a)
	}
}

func signings(f *file) {
	a, b := newPair(1, "alice"), newPair(2, "bob")
	for _, text := range []string{"a\n", "\n", "a\n\nb\n", "go.sum database tree\n5\nx\n"} {
		f.add("Sign", []string{text, a.skey}, true, latin1(signed(text, a)))
		f.add("Sign", []string{text, a.skey, b.skey}, true, latin1(signed(text, a, b)))
	}
}

// keyHash is the hash that a verifier key has: the reference computes it too, but does not export it.
func keyHash(name string, key []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	return binary.BigEndian.Uint32(sum[:])
}
