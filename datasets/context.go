package datasets

import (
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"strings"

	"ovbench/datasets/labelmap"
)

// PASCAL Context: Mottaghi et al., "The Role of Context for Object Detection and Semantic Segmentation in the Wild",
// CVPR 2014. Every pixel of VOC 2010's trainval images has one of 459 classes or none; 59 are frequent enough to be
// scored, of which context60 counts the rest as background and context59 ignores it.
//
// Its label maps circulate in three forms. Where a tree has several, the first in this order is used, and Info.Notes
// says which:
//
//	context59, context60   1 PNG files of mmsegmentation   2 PASCAL in Detail's JSON   3 the original .mat files
//	context459             1 the original .mat files       2 PASCAL in Detail's JSON
//
// The PNG files come first because published numbers are measured on them; they are made of the JSON file. Both lack a
// few images of the original. The original .mat files and the JSON file number the classes 1..459. The PNG files hold
// 0..59 in one of two orders, see contextOrder.

const contextHomepage = "https://www.cs.stanford.edu/~roozbeh/pascal-context/, or where that is down " +
	"https://www.roozbehm.info/pascal-context/ " +
	"(trainval.tar.gz), and https://codalabuser.blob.core.windows.net/public/trainval_merged.json; " +
	"pictures: http://host.robots.ox.ac.uk/pascal/VOC/voc2010/ (VOCtrainval_03-May-2010.tar)"

// A contextForm is one way in which label maps are stored.
type contextForm struct {
	entries  []string // what gives it away: files or folders
	lists    []string // where a split list may lie beside an entry, %s is the split
	note     string
	layout   string
	official map[string]int // images of each split
	open     func(*contextTree) (contextLabels, error)
}

// contextLabels reads label maps of one form; all methods may be called from any goroutine.
type contextLabels interface {
	labelPath(id string) string
	labels(id string) (labelmap.Map, error)
}

// The splits of the original, and those of what was made of PASCAL in Detail, which lacks a few images.
var (
	contextOriginal = map[string]int{"train": 4998, "val": 5105, "trainval": 10103}
	contextDetail   = map[string]int{"train": 4996, "val": 5104, "trainval": 10100}
)

const contextList = "ImageSets/SegmentationContext/%s.txt"

var contextForms = struct{ png, detail, mat contextForm }{
	png: contextForm{
		entries:  []string{"SegmentationClassContext"},
		note:     "label maps are the PNG files of SegmentationClassContext",
		official: contextDetail,
		open:     openContextPNG,
		layout: `VOCdevkit/VOC2010/
  ImageSets/SegmentationContext/val.txt
  JPEGImages/<id>.jpg
  SegmentationClassContext/<id>.png`,
	},
	detail: contextForm{
		entries:  []string{"trainval_merged.json", "trainval_withkeypoints.json"},
		note:     "label maps are painted from the JSON file of PASCAL in Detail",
		official: contextDetail,
		open:     openContextDetail,
		layout: `VOCdevkit/VOC2010/
  JPEGImages/<id>.jpg
  trainval_merged.json`,
	},
	mat: contextForm{
		entries:  []string{"trainval"},
		lists:    []string{"%s.txt", "pascalcontext_%s.txt"},
		note:     "label maps are the original .mat files",
		official: contextOriginal,
		open:     openContextMat,
		layout: `VOCdevkit/VOC2010/
  ImageSets/SegmentationContext/val.txt
  JPEGImages/<id>.jpg
  trainval/<id>.mat`,
	},
}

func openContext60(o Options) (Dataset, error) {
	return openContext(o, Info{Name: "context60", Title: "PASCAL Context, 59 classes and background",
		Classes: context60Names, Background: true},
		&contextForms.png, &contextForms.detail, &contextForms.mat)
}

// openContext59 ignores background pixels and has no background class.
func openContext59(o Options) (Dataset, error) {
	return openContext(o, Info{Name: "context59", Title: "PASCAL Context, 59 classes", Classes: context60Names[1:]},
		&contextForms.png, &contextForms.detail, &contextForms.mat)
}

// openContext459 ignores pixels without a class.
func openContext459(o Options) (Dataset, error) {
	return openContext(o, Info{Name: "context459", Title: "PASCAL Context, all 459 classes", Classes: contextNames},
		&contextForms.mat, &contextForms.detail)
}

// A contextTree is what opening has found so far.
type contextTree struct {
	Options
	info   Info
	dirs   []string // where VOC2010 may be
	form   *contextForm
	path   string   // the entry that gives the form away
	ids    []string // nil until a list is found
	voc    []string // existing folders of VOC 2010 and, for pictures and label maps that both have, of VOC 2012
	images []string // their JPEGImages
}

func openContext(o Options, info Info, forms ...*contextForm) (Dataset, error) {
	info.Homepage, info.Layout = contextHomepage, contextLayouts(forms)
	if err := o.begin(&info, "val", "VOCdevkit"); err != nil {
		return nil, err
	}
	t := &contextTree{Options: o, info: info}
	if err := t.find(forms); err != nil {
		return nil, err
	}
	if err := t.readList(); err != nil {
		return nil, err
	}
	source, err := t.form.open(t)
	if err != nil {
		return nil, err
	}
	if t.ids == nil {
		return nil, t.noList()
	}
	t.info.Root, t.info.Official, t.info.Layout = filepath.Dir(t.path), t.official(), t.form.layout
	d := newOnDisk(o, t.info, t.ids)
	d.files = func(i int) (string, string) {
		return contextFile(t.images, d.ids[i]+".jpg"), source.labelPath(d.ids[i])
	}
	d.truth = func(_ int, s *Sample) (err error) {
		if s.Labels, err = source.labels(s.ID); err != nil {
			return err
		}
		return checkSizes(s.ImagePath, s.LabelPath, s.Image.Rect.Max, image.Pt(s.Labels.W, s.Labels.H))
	}
	return d, nil
}

// find looks for label maps in one of the forms, the first counting most, and for pictures.
func (t *contextTree) find(forms []*contextForm) error {
	t.dirs = candidates(t.Root, "VOCdevkit/VOC2010")
	for _, form := range forms {
		for _, entry := range form.entries {
			if dir := firstWith(t.dirs, entry); dir != "" && t.form == nil {
				t.form, t.path = form, filepath.Join(dir, entry)
			}
		}
	}
	if t.form == nil {
		return fmt.Errorf("no label maps in any of %s\n%s", strings.Join(t.dirs, ", "), t.info.help())
	}
	t.info.Notes = append(t.info.Notes, t.form.note)
	beside := filepath.Join(filepath.Dir(t.path), "..", "VOC2012")
	for _, dir := range slices.Concat(t.dirs, candidates(t.Root, "VOCdevkit/VOC2012"), []string{beside}) {
		if isDir(dir) && !slices.Contains(t.voc, dir) {
			t.voc = append(t.voc, dir)
		}
		if p := filepath.Join(dir, "JPEGImages"); isDir(p) && !slices.Contains(t.images, p) {
			t.images = append(t.images, p)
		}
	}
	if len(t.images) == 0 {
		return fmt.Errorf("%s is there, but no JPEGImages in any of %s\n%s", t.path, strings.Join(t.dirs, ", "),
			t.info.help())
	}
	return nil
}

// contextLayouts says what the tree may look like.
func contextLayouts(forms []*contextForm) string {
	var layouts []string
	for _, f := range forms {
		layouts = append(layouts, f.layout)
	}
	return strings.Join(layouts, "\nor\n")
}

// lists are the places of a split list, most specific first.
func (t *contextTree) lists(split string) []string {
	var paths []string
	for _, dir := range t.dirs {
		paths = append(paths, filepath.Join(dir, fmt.Sprintf(filepath.FromSlash(contextList), split)))
	}
	for _, name := range t.form.lists {
		paths = append(paths, filepath.Join(filepath.Dir(t.path), fmt.Sprintf(name, split)))
	}
	return paths
}

// readList reads the first split list that exists, if any does.
func (t *contextTree) readList() (err error) {
	for _, path := range t.lists(t.Split) {
		if exists(path) {
			t.ids, err = readIDs(path)
			return err
		}
	}
	return nil
}

func (t *contextTree) noList() error {
	var splits []string
	for _, pattern := range t.lists("*") {
		paths, _ := filepath.Glob(pattern)
		splits = append(splits, paths...)
	}
	there := "none"
	if len(splits) > 0 {
		there = strings.Join(splits, ", ")
	}
	return fmt.Errorf("split %q: none of %s is there; lists there are: %s", t.Split,
		strings.Join(t.lists(t.Split), ", "), there)
}

// official is the number of images in the split. Lists of the original go with all forms and are known by their length.
func (t *contextTree) official() int {
	if n := contextOriginal[t.Split]; n == len(t.ids) {
		return n
	}
	return t.form.official[t.Split]
}

// contextFile is the first of the folders' files that exists, else where it should be.
func contextFile(folders []string, name string) string {
	for _, dir := range folders {
		if p := filepath.Join(dir, name); exists(p) {
			return p
		}
	}
	return filepath.Join(folders[0], name)
}
