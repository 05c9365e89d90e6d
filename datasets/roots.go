package datasets

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// candidates lists the directories that may be the top of a data set, most specific first. names are the places below a
// common data folder where people keep it, with slashes: "VOCdevkit/VOC2012". The user may point at that folder, at any
// directory on the way or at the data set itself, so each name is tried whole, then without its leading directories;
// last comes root. Whether a directory exists is for the caller to find out.
func candidates(root string, names ...string) []string {
	var dirs []string
	add := func(sub string) {
		if dir := filepath.Join(root, filepath.FromSlash(sub)); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	for found, rest := true, names; found; {
		found = false
		next := make([]string, len(rest))
		for i, name := range rest {
			if name != "" {
				add(name)
				_, next[i], _ = strings.Cut(name, "/")
				found = true
			}
		}
		rest = next
	}
	add("")
	return dirs
}

// firstWith is the first of dirs that holds all of the entries subs, which may be paths with slashes; "" if there is
// none.
func firstWith(dirs []string, subs ...string) string {
	for _, dir := range dirs {
		lacks := func(sub string) bool {
			_, err := os.Stat(filepath.Join(dir, filepath.FromSlash(sub)))
			return err != nil
		}
		if !slices.ContainsFunc(subs, lacks) {
			return dir
		}
	}
	return ""
}
