// Package predictions answers: what did another program predict of which sample?
//
// A [Folder] is a tree of files, one for each sample, named as the sample. [Folder.Match] finds them, and [Read] reads
// one: a label map, or scores by text.
package predictions

import (
	"crypto/sha256"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"

	"ovbench/datasets/files"
	"ovbench/datasets/labelmap"
	"ovbench/runners/tensor"
)

// Extensions of the files that are read: label maps, arrays of labels or scores, and archives of arrays.
const (
	PNG = ".png"
	NPY = ".npy"
	NPZ = ".npz"
)

// Folder is a tree of what another program made, a file for each sample.
type Folder struct {
	Dir    string
	byBase map[string][]string // paths below Dir, by the last element without its extension
	other  []string            // files of other kinds
	used   map[string]bool     // paths that a sample was matched with
}

// Open lists the predictions below dir.
func Open(dir string) (*Folder, error) {
	f, err := List(dir, PNG, NPY)
	if err == nil && len(f.byBase) == 0 {
		err = fmt.Errorf("%s: no predictions: neither label maps (.png, .npy [H, W]) nor scores (.npy [T, rows, "+
			"cols], or [T] of whole pictures)", dir)
		if len(f.other) > 0 {
			err = fmt.Errorf("%w; there are %d other files, such as %s", err, len(f.other), f.other[0])
		}
	}
	return f, err
}

// List lists the files below dir that have one of some extensions.
func List(dir string, extensions ...string) (*Folder, error) {
	list, err := files.Tree(dir)
	if err != nil {
		return nil, err
	}
	f := &Folder{Dir: dir, byBase: map[string][]string{}, used: map[string]bool{}}
	for _, p := range list {
		if !slices.Contains(extensions, strings.ToLower(path.Ext(p))) {
			f.other = append(f.other, p)
			continue
		}
		base := path.Base(stem(p))
		f.byBase[base] = append(f.byBase[base], p)
	}
	return f, nil
}

// stem is a path without its extension, in the one spelling of letters that compares.
func stem(p string) string { return norm.NFC.String(strings.TrimSuffix(p, path.Ext(p))) }

// Wanted says which predictions are looked for.
type Wanted struct {
	Dataset, Name string   // of the data set and of the program, as folders may be called
	IDs           []string // of the samples
	Extension     string   // the kind that counts where a sample has both
}

// Found is what there is of what was wanted.
type Found struct {
	Paths   []string // by sample, below the current folder; empty where there is none
	Missing int
	Suffix  string // behind the names of samples, such as _pred
}

// Match finds the file of each sample: the one whose path ends in the sample's id, with one suffix for all if no file
// has the bare name. Where several do, the one below folders called like the data set and the program counts.
func (f *Folder) Match(w Wanted) (Found, error) {
	out := Found{Paths: make([]string, len(w.IDs)), Suffix: f.suffix(w)}
	for i, id := range w.IDs {
		p, err := f.find(w, id, out.Suffix)
		if err != nil {
			return out, err
		}
		if p == "" {
			out.Missing++
			continue
		}
		f.used[p] = true
		out.Paths[i] = filepath.Join(f.Dir, filepath.FromSlash(p))
	}
	return out, nil
}

// names are the ways to write a sample's id as a path.
func names(id string) []string {
	id = norm.NFC.String(id)
	flat := strings.ReplaceAll(id, "/", "_")
	out := []string{id, flat}
	if short := strings.TrimSuffix(id, "_leftImg8bit"); short != id { // Cityscapes' pictures
		out = append(out, short)
	}
	return out
}

// suffix is what stands behind the names of most samples; nothing, if any file has the bare name.
func (f *Folder) suffix(w Wanted) string {
	count := map[string]int{}
	for _, id := range w.IDs {
		for _, name := range names(id) {
			if len(f.byBase[path.Base(name)]) > 0 {
				return ""
			}
		}
	}
	for _, id := range w.IDs[:min(len(w.IDs), 32)] {
		for base := range f.byBase {
			for _, name := range names(id) {
				if rest, ok := strings.CutPrefix(base, path.Base(name)); ok && strings.ContainsAny(rest[:1], "_-.") {
					count[rest]++
					break
				}
			}
		}
	}
	best := ""
	for s, n := range count {
		if best == "" || n > count[best] || n == count[best] && (len(s) < len(best) || len(s) == len(best) && s < best) {
			best = s
		}
	}
	return best
}

// find is the file of one sample, or nothing.
func (f *Folder) find(w Wanted, id, suffix string) (string, error) {
	var found []string
	for _, name := range names(id) {
		found = f.byBase[path.Base(name)+suffix]
		if exact := slices.DeleteFunc(slices.Clone(found), func(p string) bool {
			s := stem(p)
			return s != name+suffix && !strings.HasSuffix(s, "/"+name+suffix)
		}); len(exact) > 0 {
			found = exact
		}
		if len(found) > 0 {
			break
		}
	}
	for _, better := range []func(string) bool{
		func(p string) bool { return slices.Contains(strings.Split(path.Dir(p), "/"), w.Dataset) },
		func(p string) bool { return slices.Contains(strings.Split(path.Dir(p), "/"), w.Name) },
		func(p string) bool { return strings.EqualFold(path.Ext(p), w.Extension) },
	} {
		if some := slices.DeleteFunc(slices.Clone(found), func(p string) bool { return !better(p) }); len(some) > 0 {
			found = some
		}
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%s: several files of sample %s: %s; name the folder of one program", f.Dir, id,
		strings.Join(found, ", "))
}

// LeftOut says how many files no sample was matched with, and names the first; it is nothing if there are none. Scores
// beside a label map that counts, and such things as are not read, are none.
func (f *Folder) LeftOut() string {
	var left []string
	for _, list := range f.byBase {
		if !slices.ContainsFunc(list, func(p string) bool { return f.used[p] }) {
			left = append(left, list...)
		}
	}
	if len(left) == 0 {
		return ""
	}
	return fmt.Sprintf("%d files of %s are named as no sample, the first is %s", len(left), f.Dir, slices.Min(left))
}

// Some names a few files, for messages.
func (f *Folder) Some() string {
	var some []string
	for _, list := range f.byBase {
		some = append(some, list...)
	}
	slices.Sort(some)
	if len(some) > 3 {
		some = append(some[:3], "…")
	}
	return strings.Join(some, ", ")
}

// Prediction is what a file says of a sample: one of its parts.
type Prediction struct {
	Labels labelmap.Map // numbers as they stand in the file; empty of scores
	Scores tensor.Dense // [T, rows, cols], or [T] of the whole picture
}

// maxBytes bounds a file: 171 scores for each pixel of 2048x1024 in double precision are 2.9 GB, which nobody means.
const maxBytes = 1 << 30

// Read reads a prediction.
func Read(name string) (p Prediction, err error) {
	if strings.EqualFold(filepath.Ext(name), PNG) {
		p.Labels, err = labelmap.Read(name)
		return p, err
	}
	in, err := files.OpenBounded(name, maxBytes)
	if err != nil {
		return p, err
	}
	defer in.Close()
	if p.Scores, err = tensor.ReadNPY(in); err != nil {
		return p, fmt.Errorf("%s: %w", name, err)
	}
	switch shape := p.Scores.Shape; {
	case len(shape) == 2:
		if p.Labels, err = labels(p.Scores); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
		p.Scores = tensor.Dense{}
	case len(shape) != 1 && len(shape) != 3 || slices.Contains(shape, 0):
		err = fmt.Errorf("%s: an array of shape %v; want labels [H, W], scores [T, rows, cols], or scores of the whole "+
			"picture [T]", name, shape)
	case slices.ContainsFunc(p.Scores.Data, func(x float32) bool { return x-x != 0 }):
		err = fmt.Errorf("%s: has NaN or infinity among its scores, of which no class is the best and no mean can be "+
			"taken; write a finite number", name)
	}
	return p, err
}

// The parts of a file that Digest looks at.
const (
	digestParts = 16
	digestBytes = 4 << 10
)

// Digest tells files of predictions apart by their size and by bytes from all over them.
func Digest(name string) (string, error) {
	f, size, err := files.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	fmt.Fprintln(h, size)
	for i := range int64(digestParts) {
		part := io.NewSectionReader(f, max(size-digestBytes, 0)*i/(digestParts-1), digestBytes)
		if _, err := io.Copy(h, part); err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// labels reads an array [H, W] of whole numbers from 0 to 65535 as a label map.
func labels(d tensor.Dense) (labelmap.Map, error) {
	out := labelmap.Map{H: d.Shape[0], W: d.Shape[1], Pix: make([]uint16, len(d.Data))}
	for i, v := range d.Data {
		if v != float32(uint16(v)) {
			return out, fmt.Errorf("%v at x %d, y %d is no label, which is a whole number from 0 to 65535", v, i%out.W, i/out.W)
		}
		out.Pix[i] = uint16(v)
	}
	return out, nil
}
