package datasets

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ovbench/datasets/files"
)

// A nuswideTree looks for files below a root. It is for one goroutine.
type nuswideTree struct {
	dirs    []string                 // exist; the most likely first, never empty
	entries map[string][]os.DirEntry // of directories looked into: one may hold all pictures
}

func newNUSTree(root string) nuswideTree {
	t := nuswideTree{entries: make(map[string][]os.DirEntry)}
	for _, dir := range candidates(root, nuswideDirs...) {
		if isDir(dir) {
			t.dirs = append(t.dirs, dir)
		}
	}
	if len(t.dirs) == 0 {
		t.dirs = []string{root}
	}
	return t
}

// absent is errNUSAbsent for a file.
func (t nuswideTree) absent(what string) error {
	return fmt.Errorf("%w: no %s below %s\n%s", errNUSAbsent, what, strings.Join(t.dirs, ", "), nuswideHelp())
}

// find is the path of a file in one of subs of any directory of the tree, whatever its case: the lists are called
// TestImagelist.txt and TestImageList.txt. It is "" if there is none.
func (t nuswideTree) find(name string, subs ...string) string {
	for _, dir := range t.dirs {
		for _, sub := range subs {
			in := filepath.Join(dir, filepath.FromSlash(sub))
			entries, ok := t.entries[in]
			if !ok {
				entries, _ = os.ReadDir(in)
				t.entries[in] = entries
			}
			i := slices.IndexFunc(entries, func(e os.DirEntry) bool { return strings.EqualFold(e.Name(), name) })
			if i >= 0 {
				return filepath.Join(in, entries[i].Name())
			}
		}
	}
	return ""
}

// top is the directory of the tree that a file lies in.
func (t nuswideTree) top(name string) string {
	for _, dir := range t.dirs {
		if rel, err := filepath.Rel(dir, name); err == nil && filepath.IsLocal(rel) {
			return dir
		}
	}
	return filepath.Dir(name)
}

// split reads a split by name, "" being the first that the tree has of those meant for evaluation.
func (t nuswideTree) split(name string) (nuswideSplit, nuswideList, error) {
	var names []string
	for _, s := range nuswideSplits {
		names = append(names, s.name)
		if name != s.name && (name != "" || len(names) > nuswideDefaults) {
			continue
		}
		list, err := s.read(t)
		if err == nil && len(list.paths) == 0 {
			err = fmt.Errorf("%s: no picture is of split %q", list.name, s.name)
		}
		if name == "" && errors.Is(err, errNUSAbsent) {
			continue
		}
		if err != nil {
			return s, list, fmt.Errorf("split %q: %w", s.name, err)
		}
		return s, list, nil
	}
	if name != "" {
		return nuswideSplit{}, nuswideList{}, fmt.Errorf("split %q is not known%s (known: %s)", name,
			didYouMean(name, names), strings.Join(names, ", "))
	}
	return nuswideSplit{}, nuswideList{}, fmt.Errorf("no labels of a test split in any of %s\n%s",
		strings.Join(t.dirs, ", "), nuswideHelp())
}

// official reads the list of a part, "Test", "Train" or "" for all, with the labels of TrainTestLabels, else of
// AllLabels.
func (t nuswideTree) official(part string) (nuswideList, error) {
	list, err := t.paths(part)
	if err != nil {
		return list, err
	}
	if part != "" {
		if dir := t.labelDir("Labels_"+nuswideConcepts[0]+"_"+part+".txt", "TrainTestLabels"); dir != "" {
			list.tags, err = readNUSColumns(dir, "_"+part, list)
			return list, err
		}
	}
	all := list
	if part != "" {
		if all, err = t.paths(""); err != nil {
			return list, err
		}
	}
	if dir := t.labelDir("Labels_"+nuswideConcepts[0]+".txt", "AllLabels"); dir != "" {
		all.tags, err = readNUSColumns(dir, "", all)
	} else if name := t.allLabels81(); name != "" {
		all.tags, err = readNUSRows(name, all)
	} else {
		err = t.absent(fmt.Sprintf("Labels_%s.txt, Labels_%[1]s_%s.txt or AllLabels81.txt", nuswideConcepts[0], part))
	}
	if err != nil || part == "" {
		return all, err
	}
	return list.from(all)
}

// paths reads TestImagelist.txt, TrainImagelist.txt or Imagelist.txt.
func (t nuswideTree) paths(part string) (nuswideList, error) {
	l := nuswideList{name: t.find(part+"Imagelist.txt", "ImageList", "Imagelist", "NUS_WID_Tags", "")}
	if l.name == "" {
		return l, t.absent("ImageList/" + part + "Imagelist.txt")
	}
	err := nuswideLines(l.name, l.addPath)
	return l, err
}

// labelDir is the directory of a label file.
func (t nuswideTree) labelDir(name, sub string) string {
	if found := t.find(name, "Groundtruth/"+sub, sub, "Groundtruth", "GroundTruth/"+sub); found != "" {
		return filepath.Dir(found)
	}
	return ""
}

func (t nuswideTree) allLabels81() string {
	for _, name := range []string{"AllLabels81.txt", "AllLabels81"} {
		found := t.find(name, "Groundtruth", "", "ImageList")
		if found != "" && !isDir(found) {
			return found
		}
	}
	return ""
}

// ownTags reads the uploaders' tags: Test_Tags81.txt, Train_Tags81.txt or AllTags81.txt.
func (t nuswideTree) ownTags(part string) (nuswideList, error) {
	imageList, file := part, part+"_Tags81.txt"
	if part == "All" {
		imageList, file = "", "AllTags81.txt"
	}
	list, err := t.paths(imageList)
	if err != nil {
		return list, err
	}
	name := t.find(file, "NUS_WID_Tags", "Tags", "")
	if name == "" {
		return list, t.absent("NUS_WID_Tags/" + file)
	}
	list.notes = []string{"labels are the uploaders' own tags, of " + filepath.Base(name) + ", and not the checked " +
		"ground truth"}
	list.tags, err = readNUSRows(name, list)
	return list, err
}

// flags reads a list in the style of HashNet: a path and 81 numbers 0 or 1 in each line.
func (t nuswideTree) flags(file string) (nuswideList, error) {
	l := nuswideList{name: t.find(file, "", "nuswide_81", "ImageList")}
	if l.name == "" {
		return l, t.absent(file)
	}
	err := nuswideLines(l.name, l.addFlags)
	return l, err
}

// csv reads the rows of a split from nus_wid_data.csv: filepath, label as a Python list of names, split_name.
func (t nuswideTree) csv(split string) (nuswideList, error) {
	l := nuswideList{name: t.find("nus_wid_data.csv", "", "ImageList", "Groundtruth")}
	if l.name == "" {
		return l, t.absent("nus_wid_data.csv")
	}
	f, err := files.OpenBounded(l.name, maxNUSBytes)
	if err != nil {
		return l, err
	}
	defer f.Close()
	if err := l.addCSV(f, split); err != nil {
		return l, fmt.Errorf("%s:%w", l.name, err)
	}
	return l, nil
}
