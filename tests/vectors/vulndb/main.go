// The vectors for vulndb: which versions govulncheck finds vulnerable, and what it says mends them.
//
// A database of generated reports is laid out in a folder: ranges of every shape that the format allows, and of shapes that
// it does not. Then govulncheck is asked about generated module versions, through what it takes in place of a binary
// (-mode binary of a file that -mode extract would write), and its findings are written down. The first lines are the
// reports, each further line a module version with the findings about it.
//
// It takes the path of a govulncheck that was built before: go build golang.org/x/vuln/cmd/govulncheck.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
)

const modified = "2026-11-20T08:30:00Z"

// splitmix64
type source uint64

func (s *source) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (s *source) below(n int) int { return int(s.next() % uint64(n)) }

func (s *source) one(of ...string) string { return of[s.below(len(of))] }

type object = map[string]any

// The modules, with the major versions that they may have.
var modules = []struct {
	path   string
	majors []string
	suffix string
}{
	{"a.test/a", []string{"0", "1"}, ""},
	{"a.test/b", []string{"1"}, ""},
	{"a.test/c/v2", []string{"2"}, ""},
	{"a.test/d", []string{"2", "3"}, "+incompatible"},
	{"a.test/e", []string{"0"}, ""},
	{"a.test/f", []string{"1"}, ""},
}

var goVersions = []string{
	"go1.19", "go1.19.13", "go1.20rc1", "go1.20", "go1.20.1", "go1.21rc2", "go1.21rc10", "go1.21.0", "go1.21.4", "go1.22.0",
}

func (s *source) version() string {
	version := fmt.Sprintf("%d.%d.%d", s.below(4), s.below(3), s.below(4))
	switch s.below(8) {
	case 0:
		version += s.one("-0", "-rc.1", "-rc.10", "-rc.2", "-beta", "-0.20240102030405-abcdefabcdef")
	case 1:
		version = s.one("0.0.0-20240102030405-abcdefabcdef", "0.0.0-20250102030405-abcdefabcdef")
	}
	return version
}

func (s *source) goVersion() string {
	return fmt.Sprintf("1.%d.%d%s", 19+s.below(4), s.below(6), s.one("", "", "-0", "-rc.2"))
}

// What stands in an event: rarely something that is no version.
func (s *source) boundary(ofGo bool) string {
	version := s.version()
	if ofGo {
		version = s.goVersion()
	}
	switch s.below(40) {
	case 0:
		return "v" + version
	case 1:
		return version[:strings.LastIndex(version, ".")]
	case 2:
		return s.one("x", "1.2.3.4", "01.2.3")
	case 3:
		return version + "+meta"
	}
	return version
}

func (s *source) ranges(ofGo bool) any {
	if s.below(15) == 0 {
		return nil
	}
	ranges := []object{}
	for range 1 + s.below(2) {
		events := []object{}
		if s.below(3) > 0 {
			events = append(events, object{"introduced": "0"})
		}
		for range s.below(5) {
			if s.below(2) == 0 {
				events = append(events, object{"introduced": s.boundary(ofGo)})
			} else {
				events = append(events, object{"fixed": s.boundary(ofGo)})
			}
		}
		ranges = append(ranges, object{"type": s.one("SEMVER", "SEMVER", "SEMVER", "SEMVER", "SEMVER", "SEMVER", "GIT"), "events": events})
	}
	return ranges
}

func (s *source) report(number int) object {
	affected := []object{}
	for range 1 + s.below(3) {
		name := modules[s.below(len(modules))].path
		ofGo := s.below(5) == 0
		if ofGo {
			name = "stdlib"
		}
		one := object{"package": object{"name": name, "ecosystem": "Go"}}
		if ranges := s.ranges(ofGo); ranges != nil {
			one["ranges"] = ranges
		}
		affected = append(affected, one)
	}
	report := object{
		"schema_version": "1.3.1", "id": fmt.Sprintf("GO-2024-%04d", number), "modified": modified,
		"published": modified, "details": "Generated.", "affected": affected,
	}
	switch s.below(12) {
	case 0:
		report["withdrawn"] = "2020-01-01T00:00:00Z"
	case 1:
		report["withdrawn"] = "2999-01-01T00:00:00Z"
	}
	return report
}

func write(path string, value any) {
	text, err := json.Marshal(value)
	check(err)
	check(os.MkdirAll(filepath.Dir(path), 0o777))
	check(os.WriteFile(path, text, 0o666))
}

// lay writes a database of these reports.
func lay(dir string, reports []object) {
	about := map[string][]object{}
	vulns := []object{}
	for _, report := range reports {
		said := object{"id": report["id"], "modified": modified}
		seen := map[string]bool{}
		for _, affected := range report["affected"].([]object) {
			name := affected["package"].(object)["name"].(string)
			if !seen[name] {
				about[name] = append(about[name], said)
			}
			seen[name] = true
		}
		vulns = append(vulns, said)
		write(filepath.Join(dir, "ID", report["id"].(string)+".json"), report)
	}
	index := []object{}
	for path, vulns := range about {
		index = append(index, object{"path": path, "vulns": vulns})
	}
	write(filepath.Join(dir, "index/db.json"), object{"modified": modified})
	write(filepath.Join(dir, "index/modules.json"), index)
	write(filepath.Join(dir, "index/vulns.json"), vulns)
}

type finding struct {
	OSV   string `json:"osv"`
	Fixed string `json:"fixed_version"`
	Trace []struct {
		Module string `json:"module"`
	} `json:"trace"`
}

// ask is what govulncheck finds in a program that was built from these.
func ask(govulncheck, dir, goVersion string, versions map[string]string) map[string][]string {
	mods := []object{}
	for path, version := range versions {
		mods = append(mods, object{"Path": path, "Version": version})
	}
	blob := filepath.Join(dir, "blob")
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	check(encoder.Encode(object{"name": "govulncheck-extract", "version": "0.1.0"}))
	check(encoder.Encode(object{"path": "main", "modules": mods, "goVersion": goVersion, "goos": "linux", "goarch": "amd64"}))
	check(os.WriteFile(blob, text.Bytes(), 0o666))
	command := exec.Command(govulncheck, "-db", "file://"+dir, "-mode", "binary", "-scan", "module", "-format", "json", blob)
	command.Stderr = os.Stderr
	out, err := command.Output()
	check(err)
	found := map[string][]string{}
	for path := range versions {
		found[path] = []string{}
	}
	found["stdlib"] = []string{}
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var message struct{ Finding *finding }
		if err := decoder.Decode(&message); err == io.EOF {
			break
		} else {
			check(err)
		}
		if f := message.Finding; f != nil {
			path := f.Trace[0].Module
			found[path] = append(found[path], strings.TrimSpace(f.OSV+" "+f.Fixed))
		}
	}
	return found
}

func main() {
	log.SetFlags(0)
	govulncheck := flag.String("govulncheck", "", "the govulncheck to ask")
	out := flag.String("o", "../../../bundler/tests/vectors/vulndb.jsonl", "write to this file")
	seed := flag.Uint64("seed", 1, "what is generated")
	count := flag.Int("reports", 60, "so many reports")
	runs := flag.Int("runs", 60, "ask so often about each module")
	flag.Parse()
	s := source(*seed)
	dir, err := os.MkdirTemp("", "vulndb")
	check(err)
	defer os.RemoveAll(dir)

	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	reports := []object{}
	for number := range *count {
		report := s.report(number + 1)
		reports = append(reports, report)
		check(encoder.Encode(object{"report": report}))
	}
	lay(dir, reports)
	asked := map[string]bool{}
	for range *runs {
		versions := map[string]string{}
		for _, module := range modules {
			version := s.version()
			version = module.majors[s.below(len(module.majors))] + version[strings.Index(version, "."):]
			versions[module.path] = "v" + version + module.suffix
		}
		goVersion := goVersions[s.below(len(goVersions))]
		for path, found := range ask(*govulncheck, dir, goVersion, versions) {
			name := path + "@" + versions[path]
			if path == "stdlib" {
				name = "golang.org/toolchain@v0.0.1-" + goVersion + ".linux-amd64"
			}
			if !asked[name] {
				asked[name] = true
				sort.Strings(found)
				check(encoder.Encode(object{"module": name, "found": found}))
			}
		}
	}
	// The order of a map is another one each time.
	all := strings.SplitAfter(lines.String(), "\n")
	sort.Strings(all[len(reports):])
	check(os.MkdirAll(filepath.Dir(*out), 0o777))
	check(os.WriteFile(*out, []byte(strings.Join(all, "")), 0o666))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
