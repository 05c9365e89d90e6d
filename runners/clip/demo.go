package clip

import (
	"embed"
	"io/fs"
)

// The files of the built-in models. demo has its training program and model card beside it.
//
//go:embed demo/config.json demo/merges.txt demo/model.safetensors demo/vocab.json testdata/micro/hf
var builtIn embed.FS

// Demo is the folder of the built-in model: a CLIP of 1.25 million parameters, trained on captions of the data set
// shapes. A graph points into files, so it must be unpacked before [Open].
func Demo() fs.FS { return folder("demo") }

// Micro is the folder of a random CLIP of 0.26 million parameters, which computes like a real one and knows nothing.
func Micro() fs.FS { return folder("testdata/micro/hf") }

// folder is a folder of builtIn. Training files lie beside the model's, but only the model's are embedded.
func folder(name string) fs.FS {
	dir, err := fs.Sub(builtIn, name)
	if err != nil {
		panic(err) // the path is a constant
	}
	return dir
}
