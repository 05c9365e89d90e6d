package files

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// Bounds of a [Tree]: links can make a small folder look endless.
const (
	maxDepth   = 16
	maxFiles   = 1 << 22
	maxFolders = 1 << 16
)

// Tree lists the files below a folder by their paths from there, with slashes, in alphabetical order of names folder by
// folder, also those that are no regular files, which who opens them refuses. Links are followed, but not back into a
// folder that the way led through. What is hidden does not count.
func Tree(dir string) ([]string, error) {
	w := walk{top: dir, most: maxFolders}
	err := w.folder("", nil)
	return w.paths, err
}

type walk struct {
	top     string
	paths   []string
	folders int
	most    int // folders
}

// folder lists what lies below a folder that was reached through those above.
func (w *walk) folder(sub string, above []os.FileInfo) error {
	dir := filepath.Join(w.top, filepath.FromSlash(sub))
	st, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(above, func(a os.FileInfo) bool { return os.SameFile(a, st) }) {
		return nil
	}
	if len(above) == maxDepth {
		return fmt.Errorf("%s: folders nest more than %d deep", dir, maxDepth)
	}
	if w.folders++; w.folders > w.most {
		return fmt.Errorf("%s: more than %d folders, or links that lead into each other", w.top, w.most)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	above = append(slices.Clip(above), st)
	for _, e := range entries {
		if err := w.entry(path.Join(sub, e.Name()), e, above); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(name string, e os.DirEntry, above []os.FileInfo) error {
	if e.Name()[0] == '.' {
		return nil
	}
	mode := e.Type()
	if mode&os.ModeSymlink != 0 {
		st, err := os.Stat(filepath.Join(w.top, filepath.FromSlash(name)))
		if err != nil {
			return fmt.Errorf("%w; the link leads nowhere: mend or remove it", err)
		}
		mode = st.Mode()
	}
	if mode.IsDir() {
		return w.folder(name, above)
	}
	if len(w.paths) == maxFiles {
		return fmt.Errorf("%s: more than %d files", w.top, maxFiles)
	}
	w.paths = append(w.paths, name)
	return nil
}
