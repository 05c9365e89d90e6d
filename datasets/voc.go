package datasets

import (
	"fmt"
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

// vocOfficial counts the images of the official splits, from the development kit's documentation.
var vocOfficial = map[string]int{"train": 1464, "val": 1449, "trainval": 2913}

// voc is immutable after openVOC.
type voc struct {
	info        Info
	ids         []string
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
		return nil, fmt.Errorf("split %q: %s is missing; splits there are: %s", o.Split, list, vocSplits(root))
	}
	ids, err := readIDs(list)
	if err != nil {
		return nil, err
	}
	info.Split, info.Root, info.Official = o.Split, root, vocOfficial[o.Split]
	info.Homepage, info.Layout, info.ListSHA256 = vocHomepage, vocLayout, listSHA256(ids)
	return &voc{info, ids, newLabelTable(len(info.Classes), 255, !info.Background), o.Orientation}, nil
}

// vocRoot finds VOC2012 at or below root.
func vocRoot(root string) (string, error) {
	if root == "" {
		return "", fmt.Errorf("no data directory is given; name the one that holds VOCdevkit\n%s", vocHelp())
	}
	candidates := []string{filepath.Join(root, "VOCdevkit", "VOC2012"), filepath.Join(root, "VOC2012"), root}
	for _, dir := range candidates {
		if isDir(filepath.Join(dir, "ImageSets", "Segmentation")) {
			for _, sub := range []string{"JPEGImages", "SegmentationClass"} {
				if p := filepath.Join(dir, sub); !isDir(p) {
					return "", fmt.Errorf("%s is missing, so the archive was unpacked only in part\n%s", p, vocHelp())
				}
			}
			return dir, nil
		}
	}
	return "", fmt.Errorf("no ImageSets/Segmentation in any of %s\n%s", strings.Join(candidates, ", "), vocHelp())
}

func vocHelp() string {
	return "get it from " + vocHomepage + "; the tree must be\n" + vocLayout
}

func vocSplits(root string) string {
	paths, _ := filepath.Glob(filepath.Join(root, "ImageSets", "Segmentation", "*.txt"))
	if len(paths) == 0 {
		return "none"
	}
	for i, p := range paths {
		paths[i] = strings.TrimSuffix(filepath.Base(p), ".txt")
	}
	return strings.Join(paths, ", ")
}

func (v *voc) Info() Info {
	info := v.info
	info.Classes = slices.Clone(info.Classes)
	return info
}

func (v *voc) Len() int        { return len(v.ids) }
func (v *voc) ID(i int) string { return v.ids[i] }

func (v *voc) Files(i int) (imagePath, labelPath string) {
	return filepath.Join(v.info.Root, "JPEGImages", v.ids[i]+".jpg"),
		filepath.Join(v.info.Root, "SegmentationClass", v.ids[i]+".png")
}

func (v *voc) At(i int) (Sample, error) {
	if i < 0 || i >= len(v.ids) {
		return Sample{}, fmt.Errorf("%s: sample %d of %d", v.info.Name, i, len(v.ids))
	}
	imagePath, labelPath := v.Files(i)
	s, err := readPair(v.ids[i], imagePath, labelPath, v.orientation, v.table)
	if err != nil {
		return Sample{}, fmt.Errorf("%s: %w", v.info.Name, err)
	}
	return s, nil
}
