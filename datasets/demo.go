package datasets

import (
	"embed"
	"io/fs"
)

//go:embed testdata/VOCdevkit
var demo embed.FS

// Demo is a built-in tree in the layout of PASCAL VOC with eight small drawings. [Open] wants it on disk, as the root
// of voc20 or voc21.
func Demo() fs.FS {
	dir, err := fs.Sub(demo, "testdata")
	if err != nil {
		panic(err) // the path is a constant
	}
	return dir
}
