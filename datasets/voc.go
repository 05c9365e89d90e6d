package datasets

import (
	"fmt"
	"image"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// PASCAL VOC 2012 segmentation: Everingham et al., "The PASCAL Visual Object Classes Challenge:
// A Retrospective", IJCV 2015. Label PNGs hold palette indices: 0 background, 1..20 classes in
// alphabetical order, 255 the void border around objects. Evaluation uses SegmentationClass;
// the SegmentationClassAug folder in circulation mixes in SBD labels, which have no border.

const (
	vocHomepage = "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/ (VOCtrainval_11-May-2012.tar)"
	vocLayout   = `VOCdevkit/VOC2012/
  ImageSets/Segmentation/val.txt
  JPEGImages/<id>.jpg
  SegmentationClass/<id>.png`
)

var vocClasses = []string{"background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
	"diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"}

// vocOfficial counts the images of the splits: the first three from the development kit's documentation, the others
// the list of VOC's train and those SBD images that are not in val.
var vocOfficial = map[string]int{"train": 1464, "val": 1449, "trainval": 2913, "trainaug": 10582, "train_aug": 10582}

// vocLabelFolders hold label maps, the first that exists is used: the official ones, and their copies in 8-bit grey.
var vocLabelFolders = []string{"SegmentationClass", "SegmentationClassAug", "SegmentationClassRaw"}

// voc is immutable after openVOC.
type voc struct {
	info        Info
	ids         []string
	labels      string // the folder of label maps
	table       *labelTable
	orientation Orientation
}

// openVOC21 scores background as class 0.
func openVOC21(o Options) (Dataset, error) {
	return openVOC(o, Info{Name: "voc21", Title: "PASCAL VOC 2012 with background", Classes: vocClasses, Background: true})
}

// openVOC20 ignores background pixels and has no background class.
func openVOC20(o Options) (Dataset, error) {
	return openVOC(o, Info{Name: "voc20", Title: "PASCAL VOC 2012 without background", Classes: vocClasses[1:]})
}

func openVOC(o Options, info Info) (Dataset, error) {
	if o.Split == "" {
		o.Split = "val"
	}
	if err := checkID(o.Split); err != nil {
		return nil, fmt.Errorf("split: %w", err)
	}
	root, err := vocRoot(o.Root)
	if err != nil {
		return nil, err
	}
	list := filepath.Join(root, "ImageSets", "Segmentation", o.Split+".txt")
	if !exists(list) {
		return nil, fmt.Errorf("split %q: %s is missing; splits there are: %s", o.Split, list, vocSplits(root, "Segmentation"))
	}
	lines, err := readLines(list)
	if err != nil {
		return nil, err
	}
	ids, err := parseIDs(list, lines)
	if err != nil {
		return nil, err
	}
	named, err := vocNamedFolder(list, lines)
	if err != nil {
		return nil, err
	}
	labels, note, err := vocLabelFolder(root, named)
	if err != nil {
		return nil, err
	}
	if note != "" {
		info.Notes = []string{note}
	}
	info.Split, info.Root, info.Official = o.Split, root, vocOfficial[o.Split]
	info.Homepage, info.Layout, info.ListSHA256 = vocHomepage, vocLayout, listSHA256(ids)
	return &voc{info, ids, labels, newLabelTable(len(info.Classes), 255, !info.Background), o.Orientation}, nil
}

// vocRoot finds VOC2012 at or below root.
func vocRoot(root string) (string, error) {
	if root == "" {
		return "", fmt.Errorf("no data directory is given; name the one that holds VOCdevkit, with --data or root\n%s", vocHelp())
	}
	dirs := candidates(root, "VOCdevkit/VOC2012")
	dir := firstWith(dirs, "ImageSets/Segmentation")
	if dir == "" {
		return "", fmt.Errorf("no ImageSets/Segmentation in any of %s\n%s", strings.Join(dirs, ", "), vocHelp())
	}
	if p := filepath.Join(dir, "JPEGImages"); !isDir(p) {
		return "", fmt.Errorf("%s is missing, so the archive was unpacked only in part\n%s", p, vocHelp())
	}
	return dir, nil
}

// vocLabelFolder chooses the folder of label maps: the one that the list names if it is there, else the first of
// vocLabelFolders. The note says what is not VOC's own.
func vocLabelFolder(root, named string) (folder, note string, err error) {
	for _, folder := range append([]string{named}, vocLabelFolders...) {
		if folder == "" || !isDir(filepath.Join(root, folder)) {
			continue
		}
		switch {
		case named != "" && folder != named:
			note = fmt.Sprintf("label maps are from %s; the split list names %s, which is missing", folder, named)
		case folder != vocLabelFolders[0]:
			note = fmt.Sprintf("label maps are from %s, not from VOC's SegmentationClass", folder)
		}
		return folder, note, nil
	}
	return "", "", fmt.Errorf("%s is missing, so the archive was unpacked only in part\n%s", filepath.Join(root, vocLabelFolders[0]), vocHelp())
}

// vocNamedFolder is the folder of label maps that the second column of a list names, "" without such a column.
func vocNamedFolder(name string, lines []string) (string, error) {
	folder := ""
	for i, line := range lines {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			continue
		}
		dir := path.Base(path.Dir(fields[1]))
		if err := checkID(dir); err != nil {
			return "", fmt.Errorf("%s:%d: the label path %q names no folder", name, i+1, fields[1])
		}
		if folder != "" && dir != folder {
			return "", fmt.Errorf("%s:%d: label maps in %s, above in %s; the label maps of a split must lie in one folder", name, i+1, dir, folder)
		}
		folder = dir
	}
	return folder, nil
}

func vocHelp() string {
	return "get it from " + vocHomepage + "; the tree must be\n" + vocLayout
}

// vocSplits lists the splits of a task: Segmentation or Main. Lists of a class, which have a split in their name, do not count.
func vocSplits(root, task string) string {
	paths, _ := filepath.Glob(filepath.Join(root, "ImageSets", task, "*.txt"))
	var splits []string
	for _, p := range paths {
		split := strings.TrimSuffix(filepath.Base(p), ".txt")
		if class, _, ok := strings.Cut(split, "_"); !ok || !slices.Contains(vocClasses, class) {
			splits = append(splits, split)
		}
	}
	if len(splits) == 0 {
		return "none"
	}
	return strings.Join(splits, ", ")
}

func (v *voc) Info() Info {
	info := v.info
	info.Classes, info.Notes = slices.Clone(info.Classes), slices.Clone(info.Notes)
	return info
}

func (v *voc) Len() int        { return len(v.ids) }
func (v *voc) ID(i int) string { return v.ids[i] }

func (v *voc) Files(i int) (imagePath, labelPath string) {
	return filepath.Join(v.info.Root, "JPEGImages", v.ids[i]+".jpg"),
		filepath.Join(v.info.Root, v.labels, v.ids[i]+".png")
}

func (v *voc) At(i int) (Sample, error) { return v.AtWith(i, nil) }

func (v *voc) AtWith(i int, picture *image.NRGBA) (Sample, error) {
	if i < 0 || i >= len(v.ids) {
		return Sample{}, fmt.Errorf("%s: sample %d of %d", v.info.Name, i, len(v.ids))
	}
	imagePath, labelPath := v.Files(i)
	s, err := readBeside(picture, v.ids[i], imagePath, labelPath, v.orientation, v.table.apply)
	if err != nil {
		return Sample{}, fmt.Errorf("%s: %w", v.info.Name, err)
	}
	return s, nil
}
