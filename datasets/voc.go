package datasets

import (
	"errors"
	"fmt"
	"image/color"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"ovbench/datasets/files"
	"ovbench/datasets/labelmap"
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

var vocClasses = []string{"background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
	"cow",
	"diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"}

// vocOfficial counts the images of the splits: the first three from the development kit's documentation, the others
// the list of VOC's train and those SBD images that are not in val.
var vocOfficial = map[string]int{"train": 1464, "val": 1449, "trainval": 2913, "trainaug": 10582, "train_aug": 10582}

// vocLabelFolders hold label maps, the first that exists is used: the official ones, and their copies in 8-bit grey.
var vocLabelFolders = []string{"SegmentationClass", "SegmentationClassAug", "SegmentationClassRaw"}

// openVOC21 scores background as class 0.
func openVOC21(o Options) (Dataset, error) {
	return openVOC(o, Info{Name: "voc21", Title: "PASCAL VOC 2012 with background", Classes: vocClasses,
		Background: true})
}

// openVOC20 ignores background pixels and has no background class.
func openVOC20(o Options) (Dataset, error) {
	return openVOC(o, Info{Name: "voc20", Title: "PASCAL VOC 2012 without background", Classes: vocClasses[1:]})
}

func openVOC(o Options, info Info) (Dataset, error) {
	info.Homepage, info.Layout = vocHomepage, vocLayout
	if err := o.begin(&info, "val", "VOCdevkit"); err != nil {
		return nil, err
	}
	root, err := vocRoot(o.Root, info)
	if err != nil {
		return nil, err
	}
	list := filepath.Join(root, "ImageSets", "Segmentation", o.Split+".txt")
	if !exists(list) {
		return nil, fmt.Errorf("split %q: %s is missing; splits there are: %s", o.Split, list,
			vocSplits(root, "Segmentation"))
	}
	lines, err := files.Lines(list)
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
	labels, note, err := vocLabelFolder(root, named, info)
	if err != nil {
		return nil, err
	}
	if note != "" {
		info.Notes = []string{note}
	}
	info.Root, info.Official = root, vocOfficial[o.Split]
	d := inFolders(o, info, ids, filepath.Join(root, "JPEGImages"), ".jpg", filepath.Join(root, labels), nil)
	d.truth = labelTruth(readVOCLabels, labelmap.NewTable(len(info.Classes), 255, !info.Background).Apply)
	return d, nil
}

// vocColours are the colours of VOC's palette that occur, with the indices they belong to.
var vocColours = func() labelmap.Colours {
	table := make(labelmap.Colours)
	for i, c := range labelmap.Palette() {
		if c := c.(color.NRGBA); i < len(vocClasses) || i == 255 {
			table[[3]uint8{c.R, c.G, c.B}] = uint16(i)
		}
	}
	return table
}()

// readVOCLabels reads the indices of a palette. Tools that save a map again may sort its palette, or write it as RGB:
// then VOC's colours tell which index each was.
func readVOCLabels(path string) (labelmap.Map, error) {
	l, err := labelmap.ReadColours(path, vocColours)
	if errors.Is(err, labelmap.ErrNoColours) || errors.Is(err, labelmap.ErrValue) {
		return labelmap.Read(path)
	}
	return l, err
}

// vocRoot finds VOC2012 at or below root.
func vocRoot(root string, info Info) (string, error) {
	dirs := candidates(root, "VOCdevkit/VOC2012")
	dir := firstWith(dirs, "ImageSets/Segmentation")
	if dir == "" {
		return "", fmt.Errorf("no ImageSets/Segmentation in any of %s\n%s", strings.Join(dirs, ", "), info.help())
	}
	return dir, vocUnpacked(filepath.Join(dir, "JPEGImages"), info)
}

// vocUnpacked checks that a folder of the archive is there.
func vocUnpacked(folder string, info Info) error {
	if isDir(folder) {
		return nil
	}
	return fmt.Errorf("%s is missing, so the archive was unpacked only in part\n%s", folder, info.help())
}

// vocLabelFolder chooses the folder of label maps: the one that the list names if it is there, else the first of
// vocLabelFolders. The note says what is not VOC's own.
func vocLabelFolder(root, named string, info Info) (folder, note string, err error) {
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
	return "", "", vocUnpacked(filepath.Join(root, vocLabelFolders[0]), info)
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
			return "", fmt.Errorf("%s:%d: label maps in %s, above in %s; the label maps of a split must lie in one "+
				"folder", name, i+1, dir, folder)
		}
		folder = dir
	}
	return folder, nil
}

// vocSplits lists the splits of a task: Segmentation or Main. Lists of a class, which have a split in their name, do
// not count.
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
