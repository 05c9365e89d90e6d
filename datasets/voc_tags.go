package datasets

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"ovbench/datasets/files"
)

// PASCAL VOC 2007 and 2012 as classification and detection data: which of 20 classes are in a picture, and where as
// boxes.
//
// ImageSets/Main/<split>.txt lists the pictures, <class>_<split>.txt says of each 1 (present), -1 (absent) or 0 (all
// objects of the class are marked difficult). Without those 20 files the tags follow from Annotations/<id>.xml, which
// is also where the boxes are.

const (
	voc2007Homepage = "http://host.robots.ox.ac.uk/pascal/VOC/voc2007/ (VOCtest_06-Nov-2007.tar, and " +
		"VOCtrainval_06-Nov-2007.tar for the other splits)"
	vocTagsLayout = `VOCdevkit/%s/
  ImageSets/Main/%s.txt
  ImageSets/Main/<class>_%[2]s.txt (optional: else tags follow from Annotations)
  Annotations/<id>.xml (optional beside the lists of classes: without it there are no boxes)
  JPEGImages/<id>.jpg`
)

// A vocYear is what differs between the years.
type vocYear struct {
	year     string
	split    string // evaluation uses this one
	homepage string
	dirs     []string       // where people keep it
	official map[string]int // images per split, from the development kits' documentation
}

var voc2007 = vocYear{
	year: "VOC2007", split: "test", homepage: voc2007Homepage,
	dirs: []string{"VOCdevkit/VOC2007", "VOCdevkit2007/VOC2007", "VOCtest_06-Nov-2007/VOCdevkit/VOC2007",
		"VOCtrainval_06-Nov-2007/VOCdevkit/VOC2007"},
	official: map[string]int{"train": 2501, "val": 2510, "trainval": 5011, "test": 4952},
}

var voc2012 = vocYear{
	year: "VOC2012", split: "val", homepage: vocHomepage,
	dirs:     []string{"VOCdevkit/VOC2012", "VOCdevkit2012/VOC2012", "VOCtrainval_11-May-2012/VOCdevkit/VOC2012"},
	official: map[string]int{"train": 5717, "val": 5823, "trainval": 11540},
}

func openVOC2007(o Options) (Dataset, error) {
	return openVOCTags(o, voc2007, Info{Name: "voc2007", Title: "PASCAL VOC 2007, image-level classes and boxes"})
}

func openVOC2012(o Options) (Dataset, error) {
	return openVOCTags(o, voc2012, Info{Name: "voc2012", Title: "PASCAL VOC 2012, image-level classes and boxes"})
}

func openVOCTags(o Options, year vocYear, info Info) (Dataset, error) {
	if o.Split == "" {
		o.Split = year.split
	}
	info.Homepage, info.Layout = year.homepage, fmt.Sprintf(vocTagsLayout, year.year, o.Split)
	if err := o.begin(&info, year.split, "VOCdevkit"); err != nil {
		return nil, err
	}
	root, err := year.root(o.Root, info)
	if err != nil {
		return nil, err
	}
	main := filepath.Join(root, "ImageSets", "Main")
	ids, err := readIDs(filepath.Join(main, o.Split+".txt"))
	if err != nil {
		return nil, err
	}
	tags, err := readVOCTags(main, o.Split, ids)
	if err != nil {
		return nil, err
	}
	annotations := filepath.Join(root, "Annotations")
	switch {
	case tags == nil && !isDir(annotations):
		return nil, fmt.Errorf("%s has neither lists such as %s nor Annotations, so nothing is known of the "+
			"pictures\n%s",
			root, filepath.Join("ImageSets", "Main", "aeroplane_"+o.Split+".txt"), info.help())
	case tags == nil:
		info.Notes = []string{"image-level classes are derived from the annotations: the lists of ImageSets/Main " +
			"are missing"}
	case !isDir(annotations):
		info.Notes = []string{"there are no boxes: Annotations is missing"}
		annotations = ""
	}
	info.Classes, info.Root, info.Official = vocClasses[1:], root, year.official[o.Split]
	d := newOnDisk(o, info, ids)
	pictures := newShelf(filepath.Join(root, "JPEGImages"), ".jpg")
	d.files = func(i int) (string, string) { return pictures.file(ids[i]), "" }
	d.truth = func(i int, s *Sample) error {
		if annotations != "" {
			if err := s.readVOCObjects(filepath.Join(annotations, s.ID+".xml")); err != nil {
				return err
			}
		}
		s.Tags = vocTagsOf(s.Objects)
		if tags != nil {
			s.Tags = slices.Clone(tags[i])
		}
		return nil
	}
	return d, nil
}

// readVOCObjects reads the objects of an annotation file.
func (s *Sample) readVOCObjects(name string) error {
	a, err := readVOCAnnotation(name)
	if err != nil {
		return err
	}
	s.Objects = a.objects
	return in(name, a.place(s.Image.Rect.Dx(), s.Image.Rect.Dy()))
}

// root finds the year's directory that has the split: train and test come in different archives.
func (y vocYear) root(root string, info Info) (string, error) {
	dirs := candidates(root, y.dirs...)
	dir := firstWith(dirs, "ImageSets/Main/"+info.Split+".txt")
	if dir != "" {
		return dir, vocUnpacked(filepath.Join(dir, "JPEGImages"), info)
	}
	if other := firstWith(dirs, "ImageSets/Main"); other != "" {
		return "", fmt.Errorf("split %q: %s is missing; splits there are: %s\n%s", info.Split,
			filepath.Join(other, "ImageSets", "Main", info.Split+".txt"), vocSplits(other, "Main"), info.help())
	}
	return "", fmt.Errorf("no ImageSets/Main in any of %s\n%s", strings.Join(dirs, ", "), info.help())
}

// readVOCTags reads the 20 lists <class>_<split>.txt: element i holds the tags of ids[i]. Without any of them it is
// nil; some but not all is an error.
func readVOCTags(dir, split string, ids []string) ([][]Tag, error) {
	index := make(map[string]int, len(ids))
	tags := make([][]Tag, len(ids))
	for i, id := range ids {
		index[id] = i
		tags[i] = make([]Tag, len(vocClasses)-1)
	}
	var present, missing []string
	for c, class := range vocClasses[1:] {
		name := filepath.Join(dir, class+"_"+split+".txt")
		if !exists(name) {
			missing = append(missing, filepath.Base(name))
			continue
		}
		present = append(present, name)
		lines, err := files.Lines(name)
		if err != nil {
			return nil, err
		}
		if err := parseVOCTags(name, lines, index, func(i int, t Tag) { tags[i][c] = t }); err != nil {
			return nil, err
		}
	}
	switch {
	case len(present) == 0:
		return nil, nil
	case len(missing) > 0:
		return nil, fmt.Errorf("%s: %d of the 20 lists of classes are missing, the first is %s; unpack all of them "+
			"or remove the others",
			dir, len(missing), missing[0])
	}
	return tags, nil
}

// parseVOCTags reads "id value" lines, which must name every sample of index once.
func parseVOCTags(name string, lines []string, index map[string]int, set func(i int, t Tag)) error {
	seen := make(map[int]int, len(index))
	for n, line := range lines {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 {
			return fmt.Errorf("%s:%d: %d columns, want an id and 1, 0 or -1", name, n+1, len(fields))
		}
		i, ok := index[fields[0]]
		if !ok {
			return fmt.Errorf("%s:%d: %q is not in the split; the lists must be of one archive", name, n+1, fields[0])
		}
		if first := seen[i]; first > 0 {
			return fmt.Errorf("%s:%d: id %q is already on line %d", name, n+1, fields[0], first)
		}
		seen[i] = n + 1
		t, ok := map[string]Tag{"1": Present, "-1": Absent, "0": Difficult}[fields[1]]
		if !ok {
			return fmt.Errorf("%s:%d: value %q, want 1 (present), 0 (difficult) or -1 (absent)", name, n+1, fields[1])
		}
		set(i, t)
	}
	if len(seen) != len(index) {
		return fmt.Errorf("%s: %d ids, but the split has %d; the lists must be of one archive", name, len(seen),
			len(index))
	}
	return nil
}

// vocTagsOf is the rule of the development kit: a class is present if one of its objects is not difficult.
func vocTagsOf(objects []Object) []Tag {
	tags := make([]Tag, len(vocClasses)-1)
	for _, o := range objects {
		switch {
		case !o.Difficult:
			tags[o.Class] = Present
		case tags[o.Class] == Absent:
			tags[o.Class] = Difficult
		}
	}
	return tags
}
