// The mirror in the place of the module proxy that the go command's own scripts talk to.
//
// It is compiled into the tests of cmd/go, by an overlay that scripts/go-scripts.sh makes, and needs three things of them:
// proxyHandler, which serves testdata/mod as a proxy and as a checksum database, readModList and proxyGoSum. What is not the
// proxy protocol goes on being theirs: paths that answer with faults, wrong hashes or redirects.
//
//	MODFERRY_NOTES=FILE   branches and commits that are asked for are noted there; TestModferryLists writes its lists beside it
//	MODFERRY_MIRROR=URL   what a mirror has to answer is asked of this one, and of nobody else

package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
	modzip "golang.org/x/mod/zip"
)

// modferryProxy stands where the tests' server calls proxyHandler.
func modferryProxy(w http.ResponseWriter, r *http.Request) {
	path, isProxy := strings.CutPrefix(r.URL.Path, "/mod/")
	asked, toMirror := modferryPath(path)
	mirror := os.Getenv("MODFERRY_MIRROR")
	if mirror == "" || !isProxy || !toMirror {
		if isProxy && toMirror && os.Getenv("MODFERRY_NOTES") != "" {
			answer := httptest.NewRecorder()
			proxyHandler(answer, r.Clone(r.Context()))
			modferryNote(asked, answer)
		}
		proxyHandler(w, r)
		return
	}
	to, err := url.Parse(mirror)
	if err != nil {
		panic(err)
	}
	(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.URL.Path, r.Out.URL.RawPath = "/"+asked, ""
		},
		ModifyResponse: modferryWords,
	}).ServeHTTP(w, r)
}

// modferryPath is what a mirror is asked for, and whether it is: the paths by which the scripts ask for faults are none of its.
func modferryPath(path string) (string, bool) {
	first, rest, _ := strings.Cut(path, "/")
	switch first {
	case "invalid", "sumdb-wrong", "sumdb-redirect", "redirect":
		return path, false
	case "sumdb-direct":
		// A checksum database's own address. The mirror has it below its proxy paths.
		return "sumdb/" + testSumDBName + "/" + rest, true
	}
	if status, err := strconv.Atoi(first); err == nil && status >= 200 {
		return path, false
	}
	if strings.HasPrefix(first, "sumdb-") {
		// The proxy with a checksum database that fails.
		return rest, !strings.HasPrefix(rest, "sumdb/")
	}
	if modferryIsLeftOut(path) {
		return path, false
	}
	return path, true
}

// modferryWords puts the proxy's text for what is not there in the place of the mirror's: some scripts compare it.
func modferryWords(r *http.Response) error {
	if r.StatusCode != http.StatusNotFound {
		return nil
	}
	told, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body.Close()
	if !bytes.HasPrefix(told, []byte("not carried: ")) {
		return fmt.Errorf("a 404 that does not say what is not carried: %q", told)
	}
	text := []byte("404 page not found\n")
	r.Body = io.NopCloser(bytes.NewReader(text))
	r.ContentLength = int64(len(text))
	r.Header.Set("Content-Length", strconv.Itoa(len(text)))
	return nil
}

var modferryNotes struct {
	sync.Mutex
	file *os.File
}

// modferryNote notes a branch or commit that was asked for and answered with a version: an export has to be told of those.
func modferryNote(path string, answer *httptest.ResponseRecorder) {
	escaped, file, _ := strings.Cut(path, "/@v/")
	name, err := module.UnescapePath(escaped)
	file, isInfo := strings.CutSuffix(file, ".info")
	query, err2 := module.UnescapeVersion(file)
	var info struct{ Version string }
	if err != nil || err2 != nil || !isInfo || answer.Code != http.StatusOK || module.Check(name, query) == nil ||
		json.Unmarshal(answer.Body.Bytes(), &info) != nil || module.Check(name, info.Version) != nil {
		return
	}
	modferryNotes.Lock()
	defer modferryNotes.Unlock()
	if modferryNotes.file == nil {
		file, err := os.OpenFile(os.Getenv("MODFERRY_NOTES"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
		if err != nil {
			panic(err)
		}
		modferryNotes.file = file
	}
	fmt.Fprintf(modferryNotes.file, "%s@%s\n", name, query)
}

// TestModferryLists says what an export can carry of the modules that the scripts use, by the go command's own rules: a list of
// all that the checksum database vouches for, one of the modules whose zip is not the one in the database, which can
// come as private modules only, and one of those that nobody could carry.
func TestModferryLists(t *testing.T) {
	notes := os.Getenv("MODFERRY_NOTES")
	if notes == "" {
		t.Skip("no place for the lists")
	}
	readModList()
	lists := map[string][]string{"public": nil, "private": nil, "left-out": nil}
	for _, m := range modList {
		if module.Check(m.Path, m.Version) != nil {
			// No version of that module to the go command, either.
			continue
		}
		list, why := modferryKind(m)
		line := m.Path
		if list == "public" {
			line = m.String()
		}
		if why != "" {
			t.Logf("%s: %s: %s", list, m, why)
		}
		if !slices.Contains(lists[list], line) {
			lists[list] = append(lists[list], line)
		}
	}
	for name, lines := range lists {
		text := strings.Join(lines, "\n") + "\n"
		if err := os.WriteFile(modferryList(name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func modferryList(name string) string {
	return filepath.Join(filepath.Dir(os.Getenv("MODFERRY_NOTES")), name+".list")
}

// modferryKind is the list that a module version is on, and why it is not on the one of public modules.
func modferryKind(m module.Version) (string, string) {
	answers := make(map[string][]byte)
	path, _ := module.EscapePath(m.Path)
	version, _ := module.EscapeVersion(m.Version)
	for _, kind := range []string{"info", "mod", "zip"} {
		w := httptest.NewRecorder()
		proxyHandler(w, httptest.NewRequest("GET", "/mod/"+path+"/@v/"+version+"."+kind, nil))
		if w.Code != http.StatusOK {
			return "left-out", fmt.Sprintf("the proxy answers %d to its %s", w.Code, kind)
		}
		answers[kind] = w.Body.Bytes()
	}
	zip, err := os.CreateTemp("", "modferry*.zip")
	if err != nil {
		panic(err)
	}
	defer os.Remove(zip.Name())
	defer zip.Close()
	if _, err := zip.Write(answers["zip"]); err != nil {
		panic(err)
	}
	checked, err := modzip.CheckZip(m, zip.Name())
	if err == nil {
		err = checked.Err()
	}
	if err != nil {
		return "left-out", err.Error()
	}
	h1, err := dirhash.HashZip(zip.Name(), dirhash.Hash1)
	if err != nil {
		return "left-out", err.Error()
	}
	record, err := proxyGoSum(m.Path, m.Version)
	if err != nil || !bytes.Contains(record, []byte(h1)) {
		return "private", "the database has another hash of its zip"
	}
	return "public", ""
}

var modferryLeftOut = sync.OnceValue(func() map[string]bool {
	left := make(map[string]bool)
	text, err := os.ReadFile(modferryList("left-out"))
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(text)) {
		left[strings.TrimSpace(line)] = true
	}
	return left
})

// modferryIsLeftOut says whether a path is about a module of which there is a version that nobody could carry: scripts are about
// how the go command meets such a one.
func modferryIsLeftOut(path string) bool {
	if os.Getenv("MODFERRY_MIRROR") == "" {
		return false
	}
	path = strings.TrimPrefix(path, "sumdb/"+testSumDBName+"/lookup/")
	for _, end := range []string{"/@v/", "/@latest", "@"} {
		if escaped, _, is := strings.Cut(path, end); is {
			name, err := module.UnescapePath(escaped)
			return err == nil && modferryLeftOut()[name]
		}
	}
	return false
}
