package clip

import (
	"embed"
	"io/fs"
)

//go:embed testdata/micro/hf
var demo embed.FS

// Demo is the folder of the built-in model: a random CLIP of 0.26 million parameters, which computes like a real one
// and knows nothing. A graph points into files, so it must be unpacked before [Open].
func Demo() fs.FS {
	dir, err := fs.Sub(demo, "testdata/micro/hf")
	if err != nil {
		panic(err) // the path is a constant
	}
	return dir
}
