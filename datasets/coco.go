package datasets

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"ovbench/datasets/labelmap"
)

// COCO on disk. One directory holds pictures, in images/<split> or <split>, and truth in one of several forms that
// circulate; see the functions of type cocoForm. Splits of 2014 and of 2017 share pictures under different names.

// cocoOfficial counts the images of the official splits.
var cocoOfficial = map[string]int{"train2014": 82783, "val2014": 40504, "train2017": 118287, "val2017": 5000}

const (
	cocoHomepage = "https://cocodataset.org/#download (pictures: val2017.zip; annotations: " +
		"annotations_trainval2017.zip)"
	cocoStuffHomepage = "https://github.com/nightrome/cocostuff (stuffthingmaps_trainval2017.zip) and " + cocoHomepage

	cocoObjectLayout = `coco/
  images/<split>/<id>.jpg or <split>/<id>.jpg
and the first of
  stuffthingmaps/<split>/<id>.png or annotations/<split>/<id>.png
  annotations/<split>/<id>_instanceTrainIds.png
  annotations/instances_<split>.json`
	cocoStuffLayout = `coco/
  images/<split>/<id>.jpg or <split>/<id>.jpg
and the first of
  stuffthingmaps/<split>/<id>.png or annotations/<split>/<id>.png
  annotations/<split>/<id>_labelTrainIds.png
  annotations/stuff_<split>.json with annotations/instances_<split>.json`
	cocoPanopticLayout = `coco/
  images/<split>/<id>.jpg or <split>/<id>.jpg
  annotations/panoptic_<split>.json
  annotations/panoptic_<split>/<id>.png or panoptic_<split>/<id>.png`
	cocoInstancesLayout = `coco/
  images/<split>/<file_name> or <split>/<file_name>
  annotations/instances_<split>.json`
)

// openCOCOObject has 80 kinds of objects, and background for all else, stuff and unlabelled pixels included.
func openCOCOObject(o Options) (Dataset, error) {
	info := Info{Name: "coco_object", Title: "COCO-Object", Classes: append([]string{"background"},
		cocoNames(cocoThings)...),
		Background: true, Homepage: cocoStuffHomepage, Layout: cocoObjectLayout}
	return openCOCO(o, info, "val2017", []string{"data/coco_object", "coco", "coco_stuff164k"},
		cocoRaw(cocoObjectTable()), cocoConverted("_instanceTrainIds", cocoObjectTrainTable()), cocoPaintedObject)
}

// openCOCOStuff has 80 kinds of objects and 91 of stuff; unlabelled pixels are ignored.
func openCOCOStuff(o Options) (Dataset, error) {
	info := Info{Name: "coco_stuff", Title: "COCO-Stuff 164k", Classes: cocoNames(cocoThings, cocoStuff),
		Homepage: cocoStuffHomepage, Layout: cocoStuffLayout}
	return openCOCO(o, info, "val2017", []string{"data/coco_stuff164k", "coco", "coco_object"},
		cocoRaw(cocoStuffTable()), cocoConverted("_labelTrainIds", labelmap.NewTable(len(info.Classes), 255,
			false)), cocoPaintedStuff)
}

// openCOCOPanoptic has 80 kinds of objects and 53 of stuff; void is ignored.
func openCOCOPanoptic(o Options) (Dataset, error) {
	info := Info{Name: "coco_panoptic", Title: "COCO panoptic", Classes: cocoNames(cocoThings, cocoPanopticStuff),
		Homepage: cocoHomepage, Layout: cocoPanopticLayout}
	return openCOCO(o, info, "val2017", []string{"data/coco"}, cocoPanopticForm)
}

// openCOCOInstances has the tags and objects of 80 kinds.
func openCOCOInstances(o Options) (Dataset, error) {
	info := Info{Name: "coco", Title: "COCO, image-level classes and objects", Classes: cocoNames(cocoThings),
		Homepage: cocoHomepage, Layout: cocoInstancesLayout}
	return openCOCO(o, info, "val2014", []string{"data/coco"}, cocoInstancesForm)
}

// A cocoTree is a directory with the pictures of a split.
type cocoTree struct {
	Options
	root, pictures string
}

// A cocoForm opens a data set whose truth has one form; it is nil if files of that form are not in the tree.
type cocoForm func(t cocoTree, info Info) (Dataset, error)

// openCOCO looks for the data set at the places, as candidates has them, and there for the first of the forms.
func openCOCO(o Options, info Info, usual string, places []string, forms ...cocoForm) (Dataset, error) {
	if err := o.begin(&info, usual, "coco"); err != nil {
		return nil, err
	}
	info.Official = cocoOfficial[o.Split]
	dirs, pictures := candidates(o.Root, places...), ""
	for _, dir := range dirs {
		t := cocoTree{o, dir, dirWith(dir, "images/"+o.Split, o.Split)}
		if t.pictures == "" {
			continue
		}
		pictures = t.pictures
		info.Root = dir
		for _, open := range forms {
			if ds, err := open(t, info); ds != nil || err != nil {
				return ds, err
			}
		}
	}
	if pictures != "" {
		return nil, fmt.Errorf("split %q: pictures are in %s, but nothing that says what is in them\n%s", o.Split,
			pictures, info.help())
	}
	return nil, fmt.Errorf("split %q: no directory images/%[1]s or %[1]s in any of %s%s\n%s",
		o.Split, strings.Join(dirs, ", "), cocoOtherSplits(dirs), info.help())
}

// dirWith is the first of dir's subdirectories that exists, else "".
func dirWith(dir string, subs ...string) string {
	for _, sub := range subs {
		if p := filepath.Join(dir, filepath.FromSlash(sub)); isDir(p) {
			return p
		}
	}
	return ""
}

// cocoOtherSplits names the official splits whose pictures are there.
func cocoOtherSplits(dirs []string) string {
	var found []string
	for split := range cocoOfficial {
		for _, dir := range dirs {
			if dirWith(dir, "images/"+split, split) != "" && !slices.Contains(found, split) {
				found = append(found, split)
			}
		}
	}
	if len(found) == 0 {
		return ""
	}
	slices.Sort(found)
	return "; splits there are: " + strings.Join(found, ", ")
}

// file is a path below the tree's root.
func (t cocoTree) file(sub string) string { return filepath.Join(t.root, filepath.FromSlash(sub)) }

// listPictures lists the pictures of the split: their ids in alphabetical order with the names of their files.
func (t cocoTree) listPictures() (ids []string, names map[string]string, err error) {
	if names, err = filesIn(t.pictures, ".jpg", ".jpeg", ".png"); err != nil {
		return nil, nil, err
	}
	if len(names) == 0 {
		return nil, nil, fmt.Errorf("%s: no pictures there; unpack the archive of the split", t.pictures)
	}
	return slices.Sorted(maps.Keys(names)), names, nil
}
