package datasets

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"ovbench/datasets/files"
	"ovbench/datasets/picture"
)

// readIDs reads a split list: one id per line, or two columns "/JPEGImages/id.jpg /Labels/id.png"
// as lists derived from DeepLab's have it. Blank lines are skipped.
func readIDs(name string) ([]string, error) {
	lines, err := files.Lines(name)
	if err != nil {
		return nil, err
	}
	return parseIDs(name, lines)
}

func parseIDs(name string, lines []string) ([]string, error) {
	ids := slices.Clone(lines)
	for i, line := range lines {
		if line == "" {
			continue
		}
		var err error
		if ids[i], err = lineID(line); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
		}
	}
	return uniqueIDs(name, ids)
}

// uniqueIDs are the lines of a list that are not empty.
func uniqueIDs(name string, lines []string) ([]string, error) {
	var ids []string
	seen := make(map[string]int)
	for i, id := range lines {
		if id == "" {
			continue
		}
		if first, ok := seen[id]; ok {
			return nil, fmt.Errorf("%s:%d: id %q is already on line %d; an image may be counted only once", name, i+1,
				id, first)
		}
		seen[id] = i + 1
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s: the list is empty", name)
	}
	return ids, nil
}

// readNames reads a list of ids of one's own: a line is an id, which may have blanks, or the name or path of its file,
// or two columns of an image and a label path. known are the ids there are.
func readNames(name string, known map[string]string) ([]string, error) {
	lines, err := files.Lines(name)
	if err != nil {
		return nil, fmt.Errorf("list of ids: %w", err)
	}
	for i, line := range lines {
		lines[i] = knownID(norm.NFC.String(line), known)
	}
	return uniqueIDs(name, lines)
}

// knownID is the id that a line of a list means, the line itself if that is not known.
func knownID(line string, known map[string]string) string {
	forms := []string{line}
	if fields := strings.FieldsFunc(line, func(r rune) bool { return r == '\t' || r == ',' }); len(fields) == 2 {
		forms = append(forms, strings.TrimSpace(fields[0]))
	}
	if fields := strings.Fields(line); len(fields) == 2 && stem(fields[0]) == stem(fields[1]) {
		forms = append(forms, fields[0])
	}
	for _, form := range forms {
		for p := strings.TrimPrefix(strings.ReplaceAll(form, `\`, "/"), "./"); ; {
			if _, ok := known[p]; ok {
				return p
			}
			if id, cut := cutSuffix(p, slices.Concat(picture.Endings, folderLabels)); cut && known[id] != "" {
				return id
			}
			_, below, found := strings.Cut(p, "/")
			if !found {
				break
			}
			p = below
		}
	}
	return line
}

func lineID(line string) (string, error) {
	fields := strings.Fields(line)
	id := fields[0]
	switch {
	case len(fields) > 2:
		return "", fmt.Errorf("%d columns, want one id or an image and a label path", len(fields))
	case len(fields) == 2:
		id = stem(fields[0])
		if other := stem(fields[1]); other != id || !strings.Contains(line, "/") {
			return "", fmt.Errorf("columns %q and %q are not an image and the label of the same id", fields[0],
				fields[1])
		}
	}
	return id, checkID(id)
}

func stem(p string) string {
	base := path.Base(p)
	return strings.TrimSuffix(base, path.Ext(base))
}

// checkID refuses what could leave the directory that an id is joined to, and what no terminal can show.
func checkID(id string) error {
	if id == "" || id[0] == '.' || len(id) > 200 || strings.TrimSpace(id) != id ||
		strings.ContainsFunc(id, func(r rune) bool { return r == '/' || r == '\\' || !unicode.IsPrint(r) }) {
		return fmt.Errorf("%q is not an image id; an id is the name of a file without its extension: no path, no "+
			"dot first, no control characters, at most 200 bytes", id)
	}
	return nil
}

// anyCase is the path of a file: itself, or in its folder the one of the same name in another case; else itself.
func anyCase(p string) string {
	if exists(p) {
		return p
	}
	entries, _ := os.ReadDir(filepath.Dir(p))
	for _, e := range entries {
		if strings.EqualFold(e.Name(), filepath.Base(p)) {
			return filepath.Join(filepath.Dir(p), e.Name())
		}
	}
	return p
}

func isDir(p string) bool {
	st, err := os.Stat(p)
	return err == nil && st.IsDir()
}

func exists(p string) bool {
	_, err := os.Stat(p)
	return !errors.Is(err, os.ErrNotExist)
}

// nestedIDs lists the ids of the files <dir>/<group>/<id><suffix> with their paths below dir, groups and the ids of
// each in alphabetical order, at least one.
func nestedIDs(dir, suffix string) (ids, paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	seen := make(map[string]string)
	for _, e := range entries {
		group := filepath.Join(dir, e.Name())
		if !isDir(group) || e.Name()[0] == '.' {
			continue
		}
		found, err := filesIn(group, suffix)
		if err != nil {
			return nil, nil, err
		}
		for _, id := range slices.Sorted(maps.Keys(found)) {
			if other, ok := seen[id]; ok {
				return nil, nil, fmt.Errorf("%s: %s%s is in %s too; an image may be counted only once", group, id,
					suffix, other)
			}
			seen[id] = e.Name()
			ids, paths = append(ids, id), append(paths, filepath.Join(e.Name(), found[id]))
		}
	}
	if len(ids) == 0 {
		return nil, nil, fmt.Errorf("no <folder>/<id>%s in %s; unpack the archive completely", suffix, dir)
	}
	return ids, paths, nil
}

// filesIn maps ids to the names of files of a folder: what precedes one of the suffixes, in any case, composed (NFC).
// Hidden files do not count.
func filesIn(dir string, suffixes ...string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if !e.IsDir() && e.Name()[0] != '.' {
			names = append(names, e.Name())
		}
	}
	found, _, err := byID(dir, names, suffixes)
	return found, err
}

// byID maps ids to those of the names, which are paths below dir, that end in one of the suffixes; rest are the others.
func byID(dir string, names, suffixes []string) (found map[string]string, rest []string, err error) {
	found = make(map[string]string)
	for _, name := range names {
		id, ok := cutSuffix(name, suffixes)
		if !ok {
			rest = append(rest, name)
			continue
		}
		for part := range strings.SplitSeq(id, "/") {
			if err := checkID(part); err != nil {
				return nil, nil, fmt.Errorf("%s: %w; rename the file", filepath.Join(dir, name), err)
			}
		}
		if other, ok := found[id]; ok {
			return nil, nil, fmt.Errorf("%s: %s and %s have the same id; an image may be counted only once", dir, other,
				name)
		}
		found[id] = name
	}
	return found, rest, nil
}

// cutSuffix is the id of a file: its name, composed, before the first of the suffixes that it ends in, in any case.
func cutSuffix(name string, suffixes []string) (string, bool) {
	for _, s := range suffixes {
		if n := len(name) - len(s); n > 0 && strings.EqualFold(name[n:], s) && name[n-1] != '/' {
			return norm.NFC.String(name[:n]), true
		}
	}
	return "", false
}

// stemsIn lists the ids of the files of a folder that end in suffix, in alphabetical order, at least one.
func stemsIn(dir, suffix string) ([]string, error) {
	found, err := filesIn(dir, suffix)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no file ends in %s", dir, suffix)
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// A shelf finds the files of a folder by their ids, also where the extension is written in another case (a.JPG) or the
// name in another form (decomposed). It may be used from any goroutine.
type shelf struct {
	dir, suffix string
	list        func() map[string]string
}

func newShelf(dir, suffix string) *shelf {
	suffixes := []string{suffix}
	if suffix == ".jpg" {
		suffixes = append(suffixes, ".jpeg")
	}
	return &shelf{dir, suffix, sync.OnceValue(func() map[string]string {
		found, _ := filesIn(dir, suffixes...) // without a list, the usual name is missing
		return found
	})}
}

// file is the path of an id's file: where it is, else where it should be.
func (s *shelf) file(id string) string { return s.find(id, id+s.suffix) }

// find is file for an id whose file is usually called name.
func (s *shelf) find(id, name string) string {
	usual := filepath.Join(s.dir, name)
	if !exists(usual) {
		if other, ok := s.list()[norm.NFC.String(id)]; ok {
			return filepath.Join(s.dir, other)
		}
	}
	return usual
}
