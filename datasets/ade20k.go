package datasets

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// ADE20K as the scene parsing benchmark has it, Zhou et al., "Scene Parsing through ADE20K Dataset", CVPR 2017: the 150 most
// frequent classes. Label PNGs hold 1..150 and 0 for everything else, which is not scored (reduce_zero_label). The full
// ADE20K, with thousands of classes in colours, is another data set.

const (
	ade20kHomepage = "http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip"
	ade20kLayout   = `ADEChallengeData2016/
  images/validation/<id>.jpg
  annotations/validation/<id>.png`
)

// ade20kOfficial counts the images of the official splits.
var ade20kOfficial = map[string]int{"training": 20210, "validation": 2000}

// ade20kFull are folders of the full ADE20K.
var ade20kFull = []string{"ADE20K_2021_17_01", "ADE20K_2016_07_26", "images/ADE"}

// ade20k is immutable after openADE20K.
type ade20k struct {
	info        Info
	ids         []string
	table       *labelTable
	orientation Orientation
}

func openADE20K(o Options) (Dataset, error) {
	split, ok := map[string]string{"": "validation", "val": "validation", "validation": "validation", "train": "training", "training": "training"}[o.Split]
	if !ok {
		return nil, fmt.Errorf("split %q is not known; splits are validation and training", o.Split)
	}
	root, err := ade20kRoot(o.Root, split)
	if err != nil {
		return nil, err
	}
	ids, err := stemsIn(filepath.Join(root, "images", split), ".jpg")
	if err != nil {
		return nil, err
	}
	classes := plainClasses("ade20k")
	info := Info{Name: "ade20k", Title: "ADE20K, the scene parsing benchmark", Split: split, Root: root, Classes: classes,
		Official: ade20kOfficial[split], Homepage: ade20kHomepage, Layout: ade20kLayout, ListSHA256: listSHA256(ids)}
	return &ade20k{info, ids, newLabelTable(len(classes), 255, true), o.Orientation}, nil
}

// ade20kRoot finds ADEChallengeData2016 at or below root.
func ade20kRoot(root, split string) (string, error) {
	help := "get it from " + ade20kHomepage + "; the tree must be\n" + ade20kLayout
	if root == "" {
		return "", fmt.Errorf("no data directory is given; name the one that holds ADEChallengeData2016\n%s", help)
	}
	dirs := candidates(root, "ade/ADEChallengeData2016", "ade20k/ADEChallengeData2016", "ADE20K/ADEChallengeData2016")
	if dir := firstWith(dirs, "images/"+split, "annotations/"+split); dir != "" {
		return dir, nil
	}
	for _, full := range ade20kFull {
		if dir := firstWith(dirs, full); dir != "" {
			return "", fmt.Errorf("%s is the full ADE20K, whose labels are colours of thousands of classes; want the scene parsing benchmark\n%s", filepath.Join(dir, full), help)
		}
	}
	return "", fmt.Errorf("images/%s and annotations/%s are together in none of %s\n%s", split, split, strings.Join(dirs, ", "), help)
}

func (a *ade20k) Info() Info {
	info := a.info
	info.Classes = slices.Clone(info.Classes)
	return info
}

func (a *ade20k) Len() int        { return len(a.ids) }
func (a *ade20k) ID(i int) string { return a.ids[i] }

func (a *ade20k) Files(i int) (imagePath, labelPath string) {
	return filepath.Join(a.info.Root, "images", a.info.Split, a.ids[i]+".jpg"),
		filepath.Join(a.info.Root, "annotations", a.info.Split, a.ids[i]+".png")
}

func (a *ade20k) At(i int) (Sample, error) {
	if i < 0 || i >= len(a.ids) {
		return Sample{}, fmt.Errorf("ade20k: sample %d of %d", i, len(a.ids))
	}
	imagePath, labelPath := a.Files(i)
	s, err := readPair(a.ids[i], imagePath, labelPath, a.orientation, a.table.apply)
	if errors.Is(err, errColours) {
		err = fmt.Errorf("%s is in the colours of the full ADE20K (class = R/10*256 + G); want the label map of ADEChallengeData2016, whose values are 0..150", labelPath)
	}
	if err != nil {
		return Sample{}, fmt.Errorf("ade20k: %w", err)
	}
	return s, nil
}

// plainClasses names the classes of a data set by the first of its plain queries.
func plainClasses(dataset string) []string {
	name := "classes/" + dataset + "." + plain + ".txt"
	lines, err := embeddedLines(name)
	if err == nil {
		var queries [][]string
		if queries, err = parseQueries(name, lines); err == nil {
			return firstQueries(queries)
		}
	}
	panic(err) // the file is compiled in, and a test reads it
}

func firstQueries(queries [][]string) []string {
	names := make([]string, len(queries))
	for i, q := range queries {
		names[i] = q[0]
	}
	return names
}
