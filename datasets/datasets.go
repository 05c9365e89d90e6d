// Package datasets answers: which images are measured, and what is true of them?
//
// A [Dataset] is an ordered list of samples, each a picture in 8-bit RGB and a label map of
// the same size. [Open] finds one by name in [All]. Reading follows the pipelines whose
// numbers are published: stored pixels, EXIF ignored, palette indices and never colours.
//
// Truth may also be tags, or things with boxes and masks. [QueriesOf] says which words stand for
// each class, [Inspect] what is wrong with a copy on disk and how often each class occurs.
package datasets

import (
	"image"

	"ovbench/datasets/labelmap"
	"ovbench/datasets/mask"
	"ovbench/datasets/picture"
)

// Sample is one picture and what is known of it: a data set fills in the kinds of truth that its Info names.
// It belongs to the caller, who may change the pixels.
type Sample struct {
	ID                   string
	ImagePath, LabelPath string
	Image                *image.NRGBA // opaque, bounds start at 0,0
	Labels               labelmap.Map // as wide and high as Image; empty without label maps
	Tags                 []Tag        // by class; nil without image-level truth
	Points               []Point      // judged by people, in the order of the file; nil without
	Objects              []Object     // in the order of the annotation file; nil without boxes or masks
}

// Tag says whether a class is in a picture.
type Tag int8

// The tags. Difficult is VOC's "only objects marked difficult"; who counts it as what is the protocol's affair.
const (
	Absent Tag = iota
	Present
	Difficult
)

// Object is one annotated thing. Its box is in pixels from 0, as edges: a box of one pixel at the origin is 0, 0, 1, 1.
type Object struct {
	Class          int
	X0, Y0, X1, Y1 float64
	Difficult      bool     // VOC
	Crowd          bool     // COCO: a group, not one thing
	Mask           mask.RLE // zero without a mask
}

// Info describes an opened data set.
type Info struct {
	Name, Title string
	Split       string
	Root        string   // the directory in use, found from Options.Root
	Classes     []string // Classes[i] is the data set's own name of label i
	Background  bool     // class 0 is "everything else"
	Official    int      // images in the official split, 0 if that is not known
	Homepage    string   // where to get it
	Layout      string   // what the tree must look like
	ListSHA256  string   // of the ids in order, one per line, each ended by a newline
	Notes       []string // what a reader of the numbers must know of this copy: pictures left out, labels from elsewhere
}

// Dataset is an ordered list of samples. All methods may be called from any goroutine.
type Dataset interface {
	Info() Info
	Len() int
	// ID names sample i, 0 <= i < Len; ids are unique and their order never changes.
	ID(i int) string
	// At reads sample i from disk. The same i gives an equal sample every time.
	At(i int) (Sample, error)
}

// Located is a Dataset that knows its files without reading them, which lets [Inspect] look at headers before pixels.
type Located interface {
	Files(i int) (imagePath, labelPath string)
}

// Sharing is a Dataset whose pictures other data sets may have too, as those of VOC, Context and COCO do. Who measures
// several reads a picture once.
type Sharing interface {
	// AtWith is At with the sample's picture, which was read before, from the file that Files names and in the same
	// orientation. The sample has it, not a copy; nil is At.
	AtWith(i int, picture *image.NRGBA) (Sample, error)
}

// Options say where a data set lies and which part of it to open.
type Options struct {
	Root        string              // a directory; each data set says in Info.Layout what it looks for below
	Split       string              // "" is the data set's usual evaluation split
	Orientation picture.Orientation // of pictures; the zero value keeps stored pixels

	// LabelNames is a file that says what stored numbers mean, by lines "number: name", where copies with several
	// orders of classes circulate: PASCAL Context. Without it a list beside the label maps counts.
	LabelNames string

	// LabelledOnly drops the pictures of which no class is true, where a data set has such: NUS-WIDE, COCO. Info.Notes
	// counts them.
	LabelledOnly bool

	// Folder describes the data set folder; nil is its usual layout.
	Folder *FolderOptions
}
