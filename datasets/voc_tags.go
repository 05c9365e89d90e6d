package datasets

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// PASCAL VOC 2007 and 2012 as classification and detection data: which of 20 classes are in a picture, and where as boxes.
//
// ImageSets/Main/<split>.txt lists the pictures, <class>_<split>.txt says of each 1 (present), -1 (absent) or 0 (all
// objects of the class are marked difficult). Without those 20 files the tags follow from Annotations/<id>.xml, which is
// also where the boxes are.

const (
	voc2007Homepage = "http://host.robots.ox.ac.uk/pascal/VOC/voc2007/ (VOCtest_06-Nov-2007.tar, and VOCtrainval_06-Nov-2007.tar for the other splits)"
	vocTagsLayout   = `VOCdevkit/%s/
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
	dirs:     []string{"VOCdevkit/VOC2007", "VOCdevkit2007/VOC2007", "VOCtest_06-Nov-2007/VOCdevkit/VOC2007", "VOCtrainval_06-Nov-2007/VOCdevkit/VOC2007"},
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

// vocTags is immutable after openVOCTags.
type vocTags struct {
	info        Info
	ids         []string
	tags        [][]Tag // by sample and class, from the lists; nil if they follow from the annotations
	annotations bool    // Annotations is there
	orientation Orientation
}

func openVOCTags(o Options, year vocYear, info Info) (Dataset, error) {
	if o.Split == "" {
		o.Split = year.split
	}
	if err := checkID(o.Split); err != nil {
		return nil, fmt.Errorf("split: %w", err)
	}
	root, err := year.root(o.Root, o.Split)
	if err != nil {
		return nil, err
	}
	v := &vocTags{annotations: isDir(filepath.Join(root, "Annotations")), orientation: o.Orientation}
	main := filepath.Join(root, "ImageSets", "Main")
	if v.ids, err = readIDs(filepath.Join(main, o.Split+".txt")); err != nil {
		return nil, err
	}
	if v.tags, err = readVOCTags(main, o.Split, v.ids); err != nil {
		return nil, err
	}
	switch {
	case v.tags == nil && !v.annotations:
		return nil, fmt.Errorf("%s has neither lists such as %s nor Annotations, so nothing is known of the pictures\n%s",
			root, filepath.Join("ImageSets", "Main", "aeroplane_"+o.Split+".txt"), year.help(o.Split))
	case v.tags == nil:
		info.Notes = []string{"image-level classes are derived from the annotations: the lists of ImageSets/Main are missing"}
	case !v.annotations:
		info.Notes = []string{"there are no boxes: Annotations is missing"}
	}
	info.Classes, info.Split, info.Root, info.Official = vocClasses[1:], o.Split, root, year.official[o.Split]
	info.Homepage, info.Layout, info.ListSHA256 = year.homepage, year.layout(o.Split), listSHA256(v.ids)
	v.info = info
	return v, nil
}

// root finds the year's directory that has the split: train and test come in different archives.
func (y vocYear) root(root, split string) (string, error) {
	if root == "" {
		return "", fmt.Errorf("no data directory is given; name the one that holds VOCdevkit\n%s", y.help(split))
	}
	dirs := candidates(root, y.dirs...)
	dir := firstWith(dirs, "ImageSets/Main/"+split+".txt")
	if dir == "" {
		if other := firstWith(dirs, "ImageSets/Main"); other != "" {
			return "", fmt.Errorf("split %q: %s is missing; splits there are: %s\n%s", split,
				filepath.Join(other, "ImageSets", "Main", split+".txt"), vocSplits(other, "Main"), y.help(split))
		}
		return "", fmt.Errorf("no ImageSets/Main in any of %s\n%s", strings.Join(dirs, ", "), y.help(split))
	}
	if p := filepath.Join(dir, "JPEGImages"); !isDir(p) {
		return "", fmt.Errorf("%s is missing, so the archive was unpacked only in part\n%s", p, y.help(split))
	}
	return dir, nil
}

func (y vocYear) layout(split string) string { return fmt.Sprintf(vocTagsLayout, y.year, split) }

func (y vocYear) help(split string) string {
	return "get it from " + y.homepage + "; the tree must be\n" + y.layout(split)
}

// readVOCTags reads the 20 lists <class>_<split>.txt: element i holds the tags of ids[i]. Without any of them it is nil;
// some but not all is an error.
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
		lines, err := readLines(name)
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
		return nil, fmt.Errorf("%s: %d of the 20 lists of classes are missing, the first is %s; unpack all of them or remove the others",
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
		return fmt.Errorf("%s: %d ids, but the split has %d; the lists must be of one archive", name, len(seen), len(index))
	}
	return nil
}

func (v *vocTags) Info() Info {
	info := v.info
	info.Classes, info.Notes = slices.Clone(info.Classes), slices.Clone(info.Notes)
	return info
}

func (v *vocTags) Len() int        { return len(v.ids) }
func (v *vocTags) ID(i int) string { return v.ids[i] }

func (v *vocTags) Files(i int) (imagePath, labelPath string) {
	return filepath.Join(v.info.Root, "JPEGImages", v.ids[i]+".jpg"), ""
}

func (v *vocTags) At(i int) (Sample, error) {
	if i < 0 || i >= len(v.ids) {
		return Sample{}, fmt.Errorf("%s: sample %d of %d", v.info.Name, i, len(v.ids))
	}
	s, err := v.read(i)
	if err != nil {
		return Sample{}, fmt.Errorf("%s: %w", v.info.Name, err)
	}
	return s, nil
}

func (v *vocTags) read(i int) (Sample, error) {
	s := Sample{ID: v.ids[i]}
	s.ImagePath, _ = v.Files(i)
	var err error
	if s.Image, err = ReadImage(s.ImagePath, v.orientation); err != nil {
		return Sample{}, err
	}
	if v.annotations {
		name := filepath.Join(v.info.Root, "Annotations", s.ID+".xml")
		a, err := readVOCAnnotation(name)
		if err != nil {
			return Sample{}, err
		}
		if err := a.place(s.Image.Rect.Dx(), s.Image.Rect.Dy()); err != nil {
			return Sample{}, fmt.Errorf("%s: %w", name, err)
		}
		s.Objects = a.objects
	}
	if v.tags != nil {
		s.Tags = slices.Clone(v.tags[i])
	} else {
		s.Tags = vocTagsOf(s.Objects)
	}
	return s, nil
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
