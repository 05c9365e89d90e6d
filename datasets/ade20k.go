package datasets

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"ovbench/datasets/labelmap"
)

// ADE20K as the scene parsing benchmark has it, Zhou et al., "Scene Parsing through ADE20K Dataset", CVPR 2017: the 150
// most frequent classes. Label PNGs hold 1..150 and 0 for everything else, which is not scored (reduce_zero_label). The
// full ADE20K, with thousands of classes in colours, is another data set.

const ade20kLayout = `ADEChallengeData2016/
  images/validation/<id>.jpg
  annotations/validation/<id>.png`

// ade20kSplits are the names in use, and ade20kOfficial the images of the official splits.
var (
	ade20kSplits = map[string]string{"": "validation", "val": "validation", "validation": "validation",
		"train": "training", "training": "training"}
	ade20kOfficial = map[string]int{"training": 20210, "validation": 2000}
)

// ade20kFull are folders of the full ADE20K.
var ade20kFull = []string{"ADE20K_2021_17_01", "ADE20K_2016_07_26", "images/ADE"}

func openADE20K(o Options) (Dataset, error) {
	split, ok := ade20kSplits[o.Split]
	if !ok {
		return nil, fmt.Errorf("split %q is not known; splits are validation and training", o.Split)
	}
	o.Split = split
	info := Info{Name: "ade20k", Title: "ADE20K, the scene parsing benchmark", Classes: plainClasses("ade20k"),
		Official: ade20kOfficial[split],
		Homepage: "http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip", Layout: ade20kLayout}
	if err := o.begin(&info, "", "ADEChallengeData2016"); err != nil {
		return nil, err
	}
	dirs := candidates(o.Root, "ade/ADEChallengeData2016", "ade20k/ADEChallengeData2016", "ADE20K/ADEChallengeData2016")
	if info.Root = firstWith(dirs, "images/"+split, "annotations/"+split); info.Root == "" {
		return nil, ade20kMissing(dirs, split, info)
	}
	images, labels := filepath.Join(info.Root, "images", split), filepath.Join(info.Root, "annotations", split)
	ids, err := stemsIn(images, ".jpg")
	if err != nil {
		return nil, err
	}
	d := inFolders(o, info, ids, images, ".jpg", labels, labelmap.NewTable(len(info.Classes), 255, true).Apply)
	truth := d.truth
	d.truth = func(i int, s *Sample) error {
		err := truth(i, s)
		if errors.Is(err, labelmap.ErrColours) {
			return fmt.Errorf("%s is in the colours of the full ADE20K (class = R/10*256 + G); want the label map "+
				"of ADEChallengeData2016, whose values are 0..150", s.LabelPath)
		}
		return err
	}
	return d, nil
}

// ade20kMissing says why no directory has the benchmark.
func ade20kMissing(dirs []string, split string, info Info) error {
	for _, full := range ade20kFull {
		if dir := firstWith(dirs, full); dir != "" {
			return fmt.Errorf("%s is the full ADE20K, whose labels are colours of thousands of classes; want the "+
				"scene parsing benchmark\n%s",
				filepath.Join(dir, full), info.help())
		}
	}
	return fmt.Errorf("images/%s and annotations/%s are together in none of %s\n%s", split, split,
		strings.Join(dirs, ", "), info.help())
}
