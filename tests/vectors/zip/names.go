package main

// Single names, and sets of names that may collide. The zips of these are made by the test itself: a stored file "x"
// for each name, or a directory where the name ends with a slash.

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/module"
)

// A nameVector is what the reference says of a zip with files of these names. The last ones are sweeps over all
// runes, as SHA-256: of one byte a rune, 1 where a file may be named so; of the folded runes, four bytes each.
type nameVector struct {
	Names   []string `json:"names,omitempty"`
	H1      string   `json:"h1,omitempty"`
	Sweep   string   `json:"sweep,omitempty"`
	SHA256  string   `json:"sha256,omitempty"`
	Refused string   `json:"refused,omitempty"`
}

func nameVectors() []nameVector {
	var list []nameVector
	add := func(names ...string) {
		a := archive{}
		for _, name := range names {
			e := entry{name: prefix + name, content: "x"}
			if strings.HasSuffix(e.name, "/") {
				e.content = ""
			}
			a.entries = append(a.entries, e)
		}
		v := judge(a.bytes(), 0)
		list = append(list, nameVector{Names: names, H1: v.H1, Refused: v.Refused})
	}
	for _, name := range oddNames() {
		add(name)
	}
	for _, names := range oddSets() {
		add(names...)
	}

	// Random sets over an alphabet in which collisions are frequent: k, K and the Kelvin sign are one letter, as are
	// s, S and the long s; µ and μ; the three sigmas. ß folds to ẞ, not to ss; İ folds to itself.
	rng := rand.New(rand.NewPCG(1, 2))
	elements := []string{"a", "A", "b", "k", "K", "K", "s", "S", "ſ", "µ", "μ", "Σ", "σ", "ς", "ß", "ẞ", "ss", "i", "İ", "ı", "Ǆ", "ǅ", "a-b", "a b", "Ⱥ", "ⱥ"}
	for range 1500 {
		var names []string
		for range 2 + rng.IntN(3) {
			var parts []string
			for range 1 + rng.IntN(3) {
				parts = append(parts, elements[rng.IntN(len(elements))])
			}
			name := strings.Join(parts, "/")
			if rng.IntN(5) == 0 {
				name += "/"
			}
			names = append(names, name)
		}
		add(names...)
	}
	return append(list, sweepAllowed(), sweepFolds())
}

func sweepAllowed() nameVector {
	h := sha256.New()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		ok := byte(0)
		if utf8.ValidRune(r) && module.CheckFilePath("x"+string(r)+"x") == nil && r != '/' {
			ok = 1
		}
		h.Write([]byte{ok})
	}
	return nameVector{Sweep: "allowed", SHA256: hex.EncodeToString(h.Sum(nil))}
}

// sweepFolds is over letters and ASCII: nothing else gets as far as being compared.
func sweepFolds() nameVector {
	h := sha256.New()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if r < utf8.RuneSelf || unicode.IsLetter(r) {
			h.Write(binary.LittleEndian.AppendUint32(nil, uint32(fold(r))))
		}
	}
	return nameVector{Sweep: "folds", SHA256: hex.EncodeToString(h.Sum(nil))}
}

func oddNames() []string {
	names := []string{
		"", "a", "a/b/c.go", "/", "/a", "a//b", "a/", "a/b/", "a//", ".", "..", "...", "a/.", "a/..", "a/../b", "./a", "../a", ".a", ".a.b", "..a", "a..b",
		"a.", "a./b", "a /b", " a", "a ", "-a", "--", "~", "a~1", "a~1.txt", "@", "a@v1.0.0/b", "+", "a=b", "[a]", "{a}", "(a)", "a&b", "a%2fb", "#a", "$a", "^", "_", ",", "!a",
		"a'b", "a\"b", "a*b", "a<b", "a>b", "a?b", "a`b", "a|b", "a:b", "a;b", "a\\b", "C:/a", "a\x00b", "a\nb", "a\rb", "a\tb", "a\x7fb",
		"go.mod", "Go.mod", "GO.MOD", "go.MOD", "sub/go.mod", "sub/Go.Mod", "sub/go.mod/a", "go.mod/a", "Go.Mod/a", "go.mod.go", "xgo.mod", "go.mod/", "sub/go.mod/", "go．mod", "ɡo.mod",
		"LICENSE", "license", "sub/LICENSE", "LICENSE/", "go.sum", "go.work",
		"vendor/modules.txt", "vendor/a/b.go", "vendor/example.com/x/x.go", "sub/vendor/a/b.go", "vendor/vendor.json", ".hg_archival.txt", ".git/config", ".gitignore",
		"ä", "Ä", "名", "ªº", "ʰ", "e\u0301", "\u00e9", "Ⅷ", "ⓐ", "²", "½", "٣", "１", "€", "™", "\u00a0", "\u200b", "\ufeff", "\u202e", "😀", "\U0001d400", "\U00010ffff", "\U0002ebf0", "\U00031350", "\U000323b0",
		strings.Repeat("a", 255), strings.Repeat("a", 256), strings.Repeat("a/", 500) + "a", strings.Repeat("a", 5000), strings.Repeat("d/", 3000) + "f",
	}
	for _, bad := range []string{"CON", "PRN", "AUX", "NUL", "COM0", "COM1", "COM9", "COM10", "COM¹", "LPT0", "LPT1", "LPT9", "LPT", "CONIN$", "CLOCK$"} {
		lower := strings.ToLower(bad)
		names = append(names, bad, lower, lower+".go", lower+".tar.gz", "sub/"+lower+"/a.go", lower+"/", "."+lower, lower+" ", "x"+lower, lower+"x", bad[:1]+lower[1:]+".c")
	}
	return names
}

func oddSets() [][]string {
	return [][]string{
		{"a", "b"}, {"a", "a"}, {"a/", "a/"}, {"a", "a/"}, {"a/", "a"}, {"a", "a/b"}, {"a/b", "a"}, {"a/b", "a/c"}, {"a/b", "a/"}, {"a/", "a/b"},
		{"a", "A"}, {"a/b", "A/c"}, {"a/", "A/"}, {"a/b", "a/B"}, {"a/", "A"}, {"A/b", "a"}, {"a/b/c", "a/B/d"}, {"a/b/c/d", "A"}, {"x/a/b", "y/A/b"},
		{"a", "a-b", "a/b"}, {"a", "a b", "a!", "a/b"}, {"a-b", "a/b", "a.b"}, {"a!b", "a/b", "A.b"}, {"a!/x", "a/x", "A!"}, {"a/x", "a!", "a!x", "A/y"},
		{"go.mod", "GO.MOD/"}, {"go.mod", "go.mod/"}, {"go.mod", "go.mod/a"}, {"sub/a", "sub/go.mod"}, {"LICENSE", "license"}, {"LICENSE", "LICENSE/a"},
		{"", ""}, {"", "a"}, {"", "a/", "a/b"}, {"K", "k"}, {"K", "k"}, {"K", "K"}, {"ſ", "s"}, {"ſ", "S"}, {"ß", "ss"}, {"ß", "ẞ"}, {"straße", "STRASSE"},
		{"é", "e\u0301"}, {"É", "é"}, {"σ", "ς"}, {"Σ", "ς"}, {"µ", "μ"}, {"Å", "å"}, {"Å", "Å"}, {"İ", "i"}, {"ı", "I"}, {"ı", "i"}, {"ﬀ", "ff"}, {"ﬅ", "ﬆ"},
		{"Ǆ", "ǆ"}, {"ǅ", "ǆ"}, {"Ꭰ", "ꭰ"}, {"Ა", "ა"}, {"Ω", "ω"}, {"\U00010400", "\U00010428"}, {"\U0001e900", "\U0001e922"}, {"ﬆ", "st"}, {"ǰ", "J\u030c"},
		{"K/a", "k/b"}, {"x/K/a", "x/k/a"}, {"ab/c", "aB/c"}, {"ab/c", "ab/C"}, {"ab", "abc", "ABCD"}, {"abc", "ab", "AB/c"},
		{"a/b/c/", "a/b/c/d/e"}, {"a/b/c", "a/b/c/d/e"}, {"a/B/c/d/e", "a/b"}, {"a/b/c/d/", "a/b/c/D/e"},
	}
}
