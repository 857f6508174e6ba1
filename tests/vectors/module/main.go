// Command module writes vectors: what golang.org/x/mod/module and semver answer for generated and odd inputs.
//
// One JSON object a line: {"f": function, "in": arguments, "ok": whether it succeeded, "out": what it answered}.
// protocol/tests/module_vectors.rs replays each against modferry's own code. The inputs come from a fixed seed, so
// that a run with the same golang.org/x/mod gives the same bytes.
//
// Most inputs are near misses: a good name with one or two characters changed, since that is where two
// implementations of the same rules part.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"log"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

var rng *rand.Rand

// A vector is one call of the reference and its answer.
type vector struct {
	F   string   `json:"f"`
	In  []string `json:"in"`
	Ok  bool     `json:"ok"`
	Out any      `json:"out,omitempty"`
}

// A file collects vectors, each input once.
type file struct {
	seen map[string]bool
	list []vector
}

func (f *file) add(name string, ok bool, out any, in ...string) {
	key := name + "\x00" + strings.Join(in, "\x00")
	if f.seen[key] {
		return
	}
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	f.seen[key] = true
	if !ok {
		out = nil
	}
	f.list = append(f.list, vector{name, in, ok, out})
}

func (f *file) write(path string) {
	w, err := os.Create(path)
	if err != nil {
		log.Fatal(err)
	}
	buf := bufio.NewWriter(w)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	for _, v := range f.list {
		if err := enc.Encode(v); err != nil {
			log.Fatal(err)
		}
	}
	if err := buf.Flush(); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
}

func pick[T any](list []T) T { return list[rng.IntN(len(list))] }

func main() {
	log.SetFlags(0)
	out := flag.String("out", "../../../protocol/tests/vectors", "folder to write to")
	flag.Parse()
	for seed, part := range []struct {
		name string
		fill func(*file)
	}{
		{"module_path.jsonl", paths},
		{"module_version.jsonl", versions},
		{"module_check.jsonl", checks},
		{"module_pattern.jsonl", patterns},
	} {
		// Each file from its own seed: one that grows does not change the others.
		rng = rand.New(rand.NewPCG(20261121, uint64(seed)))
		var f file
		part.fill(&f)
		f.write(filepath.Join(*out, part.name))
	}
}

// oddities are what mutation puts into names.
var oddities = []string{
	"", "/", "//", ".", "..", "-", "_", "~", "~1", "~a", "!", "!a", "!A", "+", "@", "%", "%2e", " ", "\\", ":", "?", "#",
	"A", "Z", "z", "0", "1", "9", "v", "v1", "v2", "/v2", "/v0", "/v1", "/v02", "/v1.2", "/v2.", ".v1", ".v0", ".v02",
	"-unstable", "con", "CON", "/Aux", "/com1", "/COM0", "/lpt9.x", "/nul.tar.gz", "prn", "\x00", "\n", "\x7f", "\u0080",
	"é", "ſ", "K", "世", "\u2028", "+incompatible", "-0.", "-pre", ".0", "20200101000000", "-abcdef123456", "01", "00",
}

// mutate replaces, inserts or removes something in s, n times, at rune boundaries.
func mutate(s string, n int) string {
	for range n {
		r := []rune(s)
		i := rng.IntN(len(r) + 1)
		j := i
		if i < len(r) && rng.IntN(2) == 0 {
			j = min(len(r), i+1+rng.IntN(2))
		}
		s = string(r[:i]) + pick(oddities) + string(r[j:])
	}
	return s
}

var goodPaths = []string{
	"github.com/BurntSushi/toml", "golang.org/x/text", "rsc.io/quote/v3", "gopkg.in/yaml.v3", "gopkg.in/check.v1",
	"gopkg.in/src-d/go-git.v4", "gopkg.in/macaroon-bakery.v2-unstable", "gopkg.in/x.v0", "k8s.io/api", "example.com",
	"a.b", "go.uber.org/zap/v10", "github.com/Azure/azure-sdk-for-go", "gopkg.in", "gopkg.in/v2", "gopkg.in/a/v2",
	"example.com/a~b/c_d/e-f.g", "0.0/1/2/v22", "example.com/v2", "example.com/x/v2/y", "example.com/xv2", "sub.9-9.dev/~x",
	"github.com/caddyserver/caddy/v2", "gopkg.in/DataDog/dd-trace-go.v1", "golang.org/toolchain", "x.y/CONx/conz.nul",
}

func paths(f *file) {
	inputs := append([]string{"", "/", ".", "-", "v2", "/v2", "a", "A", "gopkg.in/", "gopkg.in/.v1", "gopkg.in/v", "a.b/v"}, goodPaths...)
	for _, o := range oddities {
		inputs = append(inputs, o, "example.com/"+o, "example.com/a"+o, o+"example.com", "gopkg.in/a"+o, "example.com/x"+o+"/y")
	}
	for range 800 {
		inputs = append(inputs, mutate(pick(goodPaths), 1+rng.IntN(2)))
	}
	for _, in := range inputs {
		err := module.CheckPath(in)
		f.add("CheckPath", err == nil, nil, in)
		prefix, major, ok := module.SplitPathVersion(in)
		f.add("SplitPathVersion", ok, []string{prefix, major}, in)
		if esc, err := module.EscapePath(in); err == nil && esc != in {
			f.add("EscapePath", true, esc, in)
			f.add("UnescapePath", true, in, esc)
			bad := mutate(esc, 1)
			un, err := module.UnescapePath(bad)
			f.add("UnescapePath", err == nil, un, bad)
		}
		if rng.IntN(3) == 0 {
			un, err := module.UnescapePath(in)
			f.add("UnescapePath", err == nil, un, in)
		}
	}
}

var goodVersions = []string{
	"v1.2.3", "v0.0.0", "v1", "v1.2", "v10.20.30", "v2.0.0+incompatible", "v1.0.0-RC1", "v1.0.0-rc.1", "v1.0.0-alpha.beta.11",
	"v1.0.0+meta", "v1.0.0-pre+meta.1-x", "v18446744073709551616.0.99999999999999999999", "v0.0.1-go1.21.0.linux-amd64",
	"v0.0.0-20191109021931-daa7c04131f5", "v2.0.0-20191109021931-daa7c04131f5", "v1.2.4-0.20191109021931-daa7c04131f5",
	"v1.2.4-0.20191109021931-daa7c04131f5+incompatible", "v1.2.3-pre.0.20191109021931-daa7c04131f5",
	"v1.2.3-pre.0.20191109021931-daa7c04131f5+incompatible", "v1.100.1000-0.20200229235959-x", "v1.0.0-0.20200101000000-a",
	"v1.0.0-20200101000000-a+incompatible", "v3.0.0-00010101000000-000000000000", "v1.2.3-a-b.0.20210230000000-c",
	"master", "feature-x", "1.0.0", "v1.0.0-0", "v1.0.0-0a", "v1.0.0--.-", "release 1", "x@y", "a(b)[c]{d}", "v1.x",
}

// stamp is a time's digits, often of a time that is none.
func stamp() string {
	t := time.Unix(rng.Int64N(4e9), 0).UTC().Format(module.PseudoVersionTimestampFormat)
	if rng.IntN(2) == 0 {
		r := []byte(t)
		r[4+rng.IntN(10)] = byte('0' + rng.IntN(10))
		t = string(r)
	}
	return t
}

func randomVersion() string {
	number := func() string { return pick([]string{"0", "1", "2", "9", "10", "100", "1000", "123456789012345678901"}) }
	v := "v" + number() + "." + number() + "." + number()
	switch rng.IntN(5) {
	case 0:
		v += "-" + pick([]string{"0", "1", "9", "10", "a", "A", "alpha", "alpha.1", "alpha.10", "alpha.9", "beta", "1.a", "a.1.b", "-", "0a"})
	case 1:
		v += pick([]string{"-0.", "-pre.0.", "-pre.1.0.", "-", "-pre.", "-00.", "-0.0."}) + stamp() + "-" + pick([]string{"abcdef123456", "ABC", "1", "012", ""})
	case 2:
		v = "v" + number() + ".0.0-" + stamp() + "-" + pick([]string{"abcdef123456", "000000000000", "a-b"})
	}
	return v + pick([]string{"", "", "", "", "+incompatible", "+meta", "+incompatible.x", "+a-b"})
}

func versions(f *file) {
	inputs := append([]string{"", "v", "V1.0.0", "v1.0.0\n", "v1..0", "v1.0.0+", "v1.0.0-", "v1.0.0-a..b", "v1.0.0-.a"}, goodVersions...)
	for _, o := range oddities {
		inputs = append(inputs, o, "v1.0.0"+o, "v1.0"+o, "v1.0.0-"+o, "v1.0.0+"+o, "x"+o+"y")
	}
	for range 260 {
		inputs = append(inputs, mutate(pick(goodVersions), 1+rng.IntN(2)), randomVersion())
	}
	for _, in := range inputs {
		f.add("CanonicalVersion", true, module.CanonicalVersion(in), in)
		f.add("semver", semver.IsValid(in), []string{
			semver.Canonical(in), semver.Major(in), semver.MajorMinor(in), semver.Prerelease(in), semver.Build(in),
		}, in)
		esc, err := module.EscapeVersion(in)
		f.add("EscapeVersion", err == nil, esc, in)
		un, err := module.UnescapeVersion(in)
		f.add("UnescapeVersion", err == nil, un, in)
		if esc != "" && esc != in {
			f.add("UnescapeVersion", true, in, esc)
		}
		if strings.Count(in, "-") >= 2 {
			pseudo(f, in)
		}
	}
	for range 600 {
		v, w := pick(inputs), pick(inputs)
		switch rng.IntN(4) {
		case 0:
			w = mutate(v, 1)
		case 1:
			v, w = randomVersion(), randomVersion()
		case 2:
			v, w = "v1.0.0-"+randomIdentifiers(), "v1.0.0-"+randomIdentifiers()
		}
		f.add("Compare", true, semver.Compare(v, w), v, w)
	}
}

func randomIdentifiers() string {
	list := make([]string, 1+rng.IntN(3))
	for i := range list {
		list[i] = pick([]string{"0", "1", "2", "10", "a", "b", "A", "aa", "a1", "1a", "-", "-1", "01"})
	}
	return strings.Join(list, ".")
}

func pseudo(f *file, v string) {
	f.add("IsPseudoVersion", module.IsPseudoVersion(v), nil, v)
	if !module.IsPseudoVersion(v) {
		return
	}
	t, err := module.PseudoVersionTime(v)
	f.add("PseudoVersionTime", err == nil, t.Format(time.RFC3339), v)
	rev, err := module.PseudoVersionRev(v)
	f.add("PseudoVersionRev", err == nil, rev, v)
	base, err := module.PseudoVersionBase(v)
	f.add("PseudoVersionBase", err == nil, base, v)
}

func checks(f *file) {
	majors := []string{"", "/v2", "/v3", "/v10", ".v0", ".v1", ".v2", ".v3", ".v2-unstable", ".v1-unstable", "/v1", "/v0", "v2", "x", "/"}
	vers := []string{"v0.0.0", "v1.0.0", "v2.0.0", "v3.1.4-pre", "v10.0.0", "v2.0.0+incompatible", "v2.0.0+meta", "v1.0.0+incompatible",
		"v0.0.0-20191109021931-daa7c04131f5", "v0.0.0-x", "v2", "v1.0", "", "main", "v0.1.0-20191109021931-daa7c04131f5", "v20.0.0"}
	for _, major := range majors {
		for _, v := range vers {
			f.add("MatchPathMajor", module.MatchPathMajor(v, major), nil, v, major)
		}
	}
	for _, path := range goodPaths {
		for _, v := range vers {
			f.add("Check", module.Check(path, v) == nil, nil, path, v)
		}
	}
	for range 300 {
		path, v := mutate(pick(goodPaths), rng.IntN(2)), randomVersion()
		f.add("Check", module.Check(path, v) == nil, nil, path, v)
	}
	for range 8 {
		sorted(f)
	}
}

// sorted adds a list of valid module versions in two orders: as drawn, and as Sort leaves it.
func sorted(f *file) {
	var list []module.Version
	seen := map[string]bool{}
	for len(list) < 60 {
		m := module.Version{Path: pick(goodPaths), Version: randomVersion()}
		// Sort leaves open which of v2.0.0 and v2.0.0+incompatible comes first.
		key := m.Path + "@" + semver.Canonical(m.Version)
		if m.Version == module.CanonicalVersion(m.Version) && module.Check(m.Path, m.Version) == nil && !seen[key] {
			seen[key] = true
			list = append(list, m)
		}
	}
	text := func() []string {
		var all []string
		for _, m := range list {
			all = append(all, m.String())
		}
		return all
	}
	in := text()
	module.Sort(list)
	f.add("Sort", true, text(), in...)
}

func patterns(f *file) {
	globs := []string{
		"", ",", "*", "**", "*/*", "?", "*.corp.example", "github.com/ours", "github.com/ours/", "github.com/*/x", "rsc.io", "/", "//",
		"[a-z]*.io", "[^a-z]*.io", "[]a]", "[-a]", "[a-]", "[a-b-c]", "[a", "a\\", "\\*", "\\g*", "[\\]]", "[[]", "[]", "[^]", "[^^]", "[!a]*",
		"git*.com", "*hub.com", "g?thub.com/o*/?", "rsc.io/*", "rsc.io/*/", "*[/.]*", "*[/a]*b", "rsc[./]io", "github.com/ours,,rsc.io",
		"[bad,rsc.io", "a*b*c", "*a*", "a*a*a*a*b", "é*", "[é-ü]*", "[世]*", "*\\é", "rsc.io/quote/v[0-9]", "r[s-]c.io", "r[z-a]c.io",
	}
	targets := []string{
		"", "rsc.io", "rsc.io/quote", "rsc.io/quote/v3", "github.com", "github.com/ours", "github.com/ours/x", "github.com/oursx/x",
		"git.corp.example", "git.corp.example/a/b", "corp.example", "a.b/c", "abc", "a1b2c", "axb/c", "aaaaaaaa", "aaaab", "x/ab", "xa/b",
		"*", "[", "]", "a", "-", "^", "b", "!ab", "a/b/c/d", "/", "a/", "xa/bb", ".x", "r-c.io",
	}
	for _, glob := range globs {
		for _, target := range targets {
			f.add("MatchPrefixPatterns", module.MatchPrefixPatterns(glob, target), nil, glob, target)
		}
	}
	// Each part of a glob with texts that are mostly what it matches.
	parts := [][]string{
		{"*", "", "a", "ab", "cba"}, {"?", "a", "-", "é"}, {"a", "a"}, {"b", "b"}, {"/", "/"}, {"/", "/"}, {"[ab]", "a", "b", "c"},
		{"[^a]", "b", "/", "a"}, {"[a-c]", "a", "b", "c", "d"}, {"[", "["}, {"]", "]"}, {"\\", "a"}, {"\\a", "a"}, {",", "/", ""},
		{"-", "-"}, {"[/]", "/"}, {"ab", "ab"}, {"[\\]-]", "]", "-"},
	}
	for range 1200 {
		var glob, target strings.Builder
		for range 1 + rng.IntN(6) {
			part := pick(parts)
			glob.WriteString(part[0])
			target.WriteString(pick(part[1:]))
		}
		if rng.IntN(3) == 0 {
			target.WriteString(pick([]string{"/", "/a", "/a/b", "a", "b"}))
		}
		f.add("MatchPrefixPatterns", module.MatchPrefixPatterns(glob.String(), target.String()), nil, glob.String(), target.String())
	}
}
