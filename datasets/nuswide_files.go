package datasets

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"ovbench/datasets/files"
)

// nuswideImageDirs hold the pictures.
var nuswideImageDirs = []string{"Flickr", "images", "image", "Images", "Image", "flickr", "ImageData/Flickr", ""}

// nuswideForms are the ways copies name a listed picture, as the path below the folder of pictures.
var nuswideForms = []func(listed string) string{
	func(p string) string { return p },                                               // actor/0001_2124494179.jpg
	func(p string) string { return path.Join(path.Base(path.Dir(p)), path.Base(p)) }, // C:/ImageData/Flickr/actor/…
	path.Base, // 0001_2124494179.jpg
	nuswideFlickrName,
}

// nuswideFlickrName is the picture's number at Flickr: 2124494179.jpg of 0001_2124494179.jpg or
// 8228_2124494179_a4bf_m.jpg.
func nuswideFlickrName(p string) string {
	parts := strings.Split(stem(p), "_")
	if len(parts) < 2 || parts[1] == "" || strings.Trim(parts[1], "0123456789") != "" {
		return path.Base(p)
	}
	return parts[1] + path.Ext(p)
}

// A nuswideShelf is where the pictures of a list lie.
type nuswideShelf struct {
	dir  string
	form func(string) string
}

func (s nuswideShelf) path(listed string) string {
	return filepath.Join(s.dir, filepath.FromSlash(s.form(listed)))
}

// nuswideProbes is how many pictures of a list, evenly spread, are looked for in each place.
const nuswideProbes = 200

// shelf finds the place that has most of a list's pictures.
func (t nuswideTree) shelf(listed []string) (nuswideShelf, error) {
	var best nuswideShelf
	most, probes := 0, min(len(listed), nuswideProbes)
	for _, top := range t.dirs {
		for _, sub := range nuswideImageDirs {
			dir := filepath.Join(top, filepath.FromSlash(sub))
			if !isDir(dir) {
				continue
			}
			for _, form := range nuswideForms {
				s := nuswideShelf{dir, form}
				hits := 0
				for k := range probes {
					if _, err := os.Stat(s.path(listed[k*len(listed)/probes])); err == nil {
						hits++
					}
				}
				if hits > most {
					best, most = s, hits
				}
				if most == probes {
					return best, nil
				}
			}
		}
	}
	if most == 0 {
		return best, fmt.Errorf("none of %d pictures looked for is below %s, such as %s; unpack the pictures into "+
			"the folder Flickr or images\n%s",
			probes, strings.Join(t.dirs, ", "), filepath.Join("Flickr", filepath.FromSlash(listed[0])), nuswideHelp())
	}
	return best, nil
}

// nuswideState is what became of a listed picture.
type nuswideState uint8

const (
	nuswidePresent nuswideState = iota
	nuswideMissing
	nuswidePlaceholder
)

// look finds out, in parallel, which pictures there are. It reads no pictures but those as long as the placeholder.
func (s nuswideShelf) look(listed []string) []nuswideState {
	states := make([]nuswideState, len(listed))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 4 * runtime.GOMAXPROCS(0) { // waiting for the disk, not computing
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(listed)); i = next.Add(1) - 1 {
				states[i] = nuswideStateOf(s.path(listed[i]))
			}
		})
	}
	workers.Wait()
	return states
}

// nuswidePlaceholderBytes is the length of the picture that Flickr sends for one that was removed: a GIF or PNG,
// kept by downloaders under the name of the JPEG.
const nuswidePlaceholderBytes = 2051

func nuswideStateOf(name string) nuswideState {
	st, err := os.Stat(name)
	if err != nil {
		return nuswideMissing
	}
	if st.Size() != nuswidePlaceholderBytes || !st.Mode().IsRegular() {
		return nuswidePresent
	}
	data, err := files.Read(name, nuswidePlaceholderBytes)
	if err == nil && (bytes.HasPrefix(data, []byte("GIF8")) || bytes.HasPrefix(data, []byte("\x89PNG"))) {
		return nuswidePlaceholder
	}
	return nuswidePresent
}
