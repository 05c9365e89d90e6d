package datasets

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"ovbench/datasets/files"
)

// maxNUSBytes bounds a list; the longest in circulation, all pictures with 81 flags each, has 60 MB.
const maxNUSBytes = 256 << 20

// nuswideTags are the concepts of a picture, one bit each.
type nuswideTags [2]uint64

func (t *nuswideTags) set(concept int)     { t[concept/64] |= 1 << (concept % 64) }
func (t nuswideTags) has(concept int) bool { return t[concept/64]>>(concept%64)&1 == 1 }

func (t nuswideTags) list() []Tag {
	tags := make([]Tag, len(nuswideConcepts))
	for c := range tags {
		if t.has(c) {
			tags[c] = Present
		}
	}
	return tags
}

// A nuswideList is the pictures of a split with their concepts, as one of the packagings has them.
type nuswideList struct {
	name  string   // the file with the paths
	paths []string // as listed, with slashes
	tags  []nuswideTags
	notes []string
}

// ids names pictures by their file names. Six pictures are in two folders: the second is named by its folder too.
func (l nuswideList) ids() ([]string, error) {
	ids := make([]string, len(l.paths))
	listed, taken := make(map[string]int, len(l.paths)), make(map[string]int, len(l.paths))
	for i, p := range l.paths {
		id := stem(p)
		if _, ok := taken[id]; ok {
			id = path.Base(path.Dir(p)) + "_" + id
		}
		if err := checkID(id); err != nil {
			return nil, fmt.Errorf("%s: picture %d: %w", l.name, i+1, err)
		}
		first, twice := listed[p]
		if !twice {
			first, twice = taken[id]
		}
		if twice {
			return nil, fmt.Errorf("%s: pictures %d and %d are both %s; an image may be counted only once", l.name,
				first+1, i+1, p)
		}
		listed[p], taken[id], ids[i] = i, i, id
	}
	return ids, nil
}

// from takes the labels of l's pictures out of the list of all.
func (l nuswideList) from(all nuswideList) (nuswideList, error) {
	index := make(map[string]int, len(all.paths))
	for i, p := range all.paths {
		index[p] = i
	}
	l.tags = make([]nuswideTags, len(l.paths))
	for i, p := range l.paths {
		k, ok := index[p]
		if !ok {
			return l, fmt.Errorf("%s: picture %d, %s, is not in %s; the lists must be of one copy", l.name, i+1, p,
				all.name)
		}
		l.tags[i] = all.tags[k]
	}
	return l, nil
}

// addPath appends a picture without tags.
func (l *nuswideList) addPath(_ int, line []byte) error {
	p, err := nuswidePath(string(line))
	l.paths = append(l.paths, p)
	return err
}

// readNUSColumns reads the 81 files Labels_<concept><suffix>.txt, each a column of 0 and 1.
func readNUSColumns(dir, suffix string, list nuswideList) ([]nuswideTags, error) {
	tags := make([]nuswideTags, len(list.paths))
	for c, concept := range nuswideConcepts {
		name := filepath.Join(dir, "Labels_"+concept+suffix+".txt")
		rows := 0
		err := nuswideLines(name, func(n int, line []byte) error {
			if rows++; rows > len(tags) {
				return fmt.Errorf("more lines than the %d of %s; both must be of one copy", len(tags), list.name)
			}
			return nuswideFlag(line, func() { tags[rows-1].set(c) })
		})
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%w; unpack the labels of all 81 concepts", err)
		}
		if err != nil {
			return nil, err
		}
		if rows != len(tags) {
			return nil, fmt.Errorf("%s: %d lines, %s has %d; both must be of one copy", name, rows, list.name,
				len(tags))
		}
	}
	return tags, nil
}

// readNUSRows reads a file of 81 columns of 0 and 1, a line for each picture of list.
func readNUSRows(name string, list nuswideList) ([]nuswideTags, error) {
	rows := nuswideRows{list: list, halves: true, pairs: true}
	if err := nuswideLines(name, rows.add); err != nil {
		return nil, err
	}
	tags, err := rows.tags()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return tags, nil
}

// nuswideRows collects a matrix of 81 columns.
//
// One of 162 columns, which is also in circulation, is taken if each concept stands there twice, in halves or in pairs.
// If the two differ, as training and test labels side by side do, nothing says which is which.
type nuswideRows struct {
	list          nuswideList
	columns       int
	halves, pairs bool          // each concept stands there twice, so far
	first         []nuswideTags // columns 0..80
	even          []nuswideTags // of 162 columns, every other one
}

func (r *nuswideRows) add(_ int, line []byte) error {
	if len(r.first) == len(r.list.paths) {
		return fmt.Errorf("more lines than the %d of %s; both must be of one copy", len(r.list.paths), r.list.name)
	}
	fields := bytes.Fields(line)
	if r.columns == 0 {
		r.columns = len(fields)
	}
	if len(fields) != 81 && len(fields) != 162 || len(fields) != r.columns {
		return fmt.Errorf("%d columns, want the 81 concepts in every line", len(fields))
	}
	row := make([]bool, r.columns)
	for c, f := range fields {
		if err := nuswideFlag(f, func() { row[c] = true }); err != nil {
			return err
		}
	}
	r.first = append(r.first, nuswideTagsOf(row, 1))
	if r.columns == 162 {
		r.even = append(r.even, nuswideTagsOf(row, 2))
		for c := range 81 {
			r.halves, r.pairs = r.halves && row[c] == row[c+81], r.pairs && row[2*c] == row[2*c+1]
		}
	}
	return nil
}

func (r *nuswideRows) tags() ([]nuswideTags, error) {
	switch {
	case len(r.first) != len(r.list.paths):
		return nil, fmt.Errorf("%d lines, %s has %d; both must be of one copy", len(r.first), r.list.name,
			len(r.list.paths))
	case r.columns != 162 || r.halves && (!r.pairs || slices.Equal(r.first, r.even)):
		return r.first, nil
	case r.pairs && !r.halves:
		return r.even, nil
	}
	return nil, errors.New("162 columns, of which nothing says which belong to a concept: training and test labels " +
		"may stand side by side; use Groundtruth/TrainTestLabels")
}

// nuswideTagsOf takes every step-th of a row's first columns.
func nuswideTagsOf(row []bool, step int) nuswideTags {
	var t nuswideTags
	for c := range 81 {
		if row[step*c] {
			t.set(c)
		}
	}
	return t
}

// addFlags appends the picture of one line in the style of HashNet: a path and 81 numbers 0 or 1.
func (l *nuswideList) addFlags(_ int, line []byte) error {
	fields := bytes.Fields(line)
	switch {
	case len(fields) == 22:
		return errors.New("21 flags: the subset of the 21 most frequent concepts; use the lists of nuswide_81")
	case len(fields) != 82 && len(l.paths) == 0: // many a data set has a test.txt
		return fmt.Errorf("%w: %d columns, want a path and the 81 concepts", errNUSAbsent, len(fields))
	case len(fields) != 82:
		return fmt.Errorf("%d columns, want a path and the 81 concepts", len(fields))
	}
	p, err := nuswidePath(string(fields[0]))
	if err != nil {
		return err
	}
	var tags nuswideTags
	for c, f := range fields[1:] {
		if err := nuswideFlag(f, func() { tags.set(c) }); err != nil {
			return err
		}
	}
	l.paths, l.tags = append(l.paths, p), append(l.tags, tags)
	return nil
}

// addCSV appends the rows of a split. Errors begin with the line.
func (l *nuswideList) addCSV(from io.Reader, split string) error {
	r := csv.NewReader(from)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return fmt.Errorf("1: no header: %w", err)
	}
	column := func(names ...string) int {
		return slices.IndexFunc(header, func(h string) bool {
			return slices.Contains(names, strings.ToLower(strings.Trim(h, "\ufeff \"")))
		})
	}
	file, label, part := column("filepath", "filename"), column("label"), column("split_name", "split")
	if file < 0 || label < 0 || part < 0 {
		return fmt.Errorf("1: columns %q, want filepath, label and split_name", header)
	}
	concepts := make(map[string]int, len(nuswideConcepts))
	for c, name := range nuswideConcepts {
		concepts[name] = c
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			return nil
		}
		if syntax := new(csv.ParseError); errors.As(err, &syntax) {
			return fmt.Errorf("%d: %w", syntax.Line, syntax.Err)
		}
		if err != nil {
			return fmt.Errorf(" %w", err)
		}
		if row[part] != split {
			continue
		}
		line, _ := r.FieldPos(0)
		p, err := nuswidePath(row[file])
		if err != nil {
			return fmt.Errorf("%d: %w", line, err)
		}
		tags, err := parseNUSNames(row[label], concepts)
		if err != nil {
			return fmt.Errorf("%d: %w", line, err)
		}
		l.paths, l.tags = append(l.paths, p), append(l.tags, tags)
	}
}

// parseNUSNames parses a Python list of concepts: "['clouds', 'sky']".
func parseNUSNames(text string, concepts map[string]int) (nuswideTags, error) {
	var tags nuswideTags
	inner, open := strings.CutPrefix(strings.TrimSpace(text), "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !open || !closed {
		return tags, fmt.Errorf("label %q, want a list such as ['clouds', 'sky']", text)
	}
	if strings.TrimSpace(inner) == "" {
		return tags, nil
	}
	for name := range strings.SplitSeq(inner, ",") {
		name = strings.Trim(name, ` '"`)
		c, ok := concepts[name]
		if !ok {
			return tags, fmt.Errorf("label %q is not a concept%s", name, didYouMean(name, nuswideConcepts))
		}
		tags.set(c)
	}
	return tags, nil
}

// nuswideFlag calls set if f is 1.
func nuswideFlag(f []byte, set func()) error {
	switch string(f) {
	case "0":
	case "1":
		set()
	default:
		return fmt.Errorf("%q, want 0 or 1", f)
	}
	return nil
}

// nuswidePath makes a listed path, which may have back-slashes or be absolute on somebody's machine, one with slashes
// and without dots. Its file must be a picture's and its directories are names.
func nuswidePath(p string) (string, error) {
	clean := strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(p, `\`, "/")), "/")
	if err := checkID(stem(clean)); err != nil || strings.ContainsRune(clean, 0) || len(clean) > 1000 {
		return "", fmt.Errorf("%q is not the path of a picture", p)
	}
	return clean, nil
}

// nuswideLines calls each with the lines of a file that are not blank, trimmed. Its errors get file and line.
func nuswideLines(name string, each func(n int, line []byte) error) error {
	f, err := files.OpenBounded(name, maxNUSBytes)
	if err != nil {
		return err
	}
	defer f.Close()
	return scanNUSLines(f, name, each)
}

func scanNUSLines(r io.Reader, name string, each func(n int, line []byte) error) error {
	s := bufio.NewScanner(r)
	for n := 1; s.Scan(); n++ {
		line := bytes.TrimSpace(bytes.TrimPrefix(s.Bytes(), []byte("\ufeff")))
		if len(line) == 0 {
			continue
		}
		if err := each(n, line); err != nil {
			return fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
