package datasets

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"ovbench/datasets/files"
	"path"
	"path/filepath"
	"slices"
	"strings"
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
	var ids []string
	seen := make(map[string]int)
	for i, line := range lines {
		if line == "" {
			continue
		}
		id, err := lineID(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, i+1, err)
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

// checkID refuses what could leave the directory that an id is joined to.
func checkID(id string) error {
	ok := id != "" && id[0] != '.' && len(id) <= 200
	for _, r := range id {
		ok = ok && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r == '-' ||
			r == '.')
	}
	if !ok {
		return fmt.Errorf("%q is not an image id; an id has letters, digits, '_', '-' and '.', no path and no "+
			"extension", id)
	}
	return nil
}

func isDir(p string) bool {
	st, err := os.Stat(p)
	return err == nil && st.IsDir()
}

func exists(p string) bool {
	_, err := os.Stat(p)
	return !errors.Is(err, os.ErrNotExist)
}

// nestedIDs lists the ids of the files <dir>/<group>/<id><suffix> with their groups, both in alphabetical order, at
// least one.
func nestedIDs(dir, suffix string) (ids, groups []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	seen := make(map[string]string)
	for _, e := range entries {
		group := filepath.Join(dir, e.Name())
		if !isDir(group) {
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
			ids, groups = append(ids, id), append(groups, e.Name())
		}
	}
	if len(ids) == 0 {
		return nil, nil, fmt.Errorf("no <folder>/<id>%s in %s; unpack the archive completely", suffix, dir)
	}
	return ids, groups, nil
}

// filesIn maps ids to the names of files of a folder: what precedes one of the suffixes. Hidden files do not count.
func filesIn(dir string, suffixes ...string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := make(map[string]string)
	for _, e := range entries {
		name := e.Name()
		i := slices.IndexFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) && len(name) > len(s) })
		if i < 0 || name[0] == '.' {
			continue
		}
		id := strings.TrimSuffix(name, suffixes[i])
		if err := checkID(id); err != nil {
			return nil, fmt.Errorf("%s: %w; rename the file", filepath.Join(dir, name), err)
		}
		if other, ok := files[id]; ok {
			return nil, fmt.Errorf("%s: %s and %s have the same id; an image may be counted only once", dir, other,
				name)
		}
		files[id] = name
	}
	return files, nil
}

// stemsIn lists the ids of the files of a folder that end in suffix, in alphabetical order, at least one.
func stemsIn(dir, suffix string) ([]string, error) {
	files, err := filesIn(dir, suffix)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no file ends in %s", dir, suffix)
	}
	return slices.Sorted(maps.Keys(files)), nil
}
